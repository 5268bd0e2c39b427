//! `lwstat init`: a first configuration from the models that are there.

use std::path::{Component, Path, PathBuf};

use clap::Args;
use lwstat::check::config::FILE;
use lwstat::check::proposal::{Proposed, propose, text};
use lwstat::compare::{normal, sources};
use lwstat::render::number::{clean, plural};
use lwstat::{Error, Model, Result};
use rayon::prelude::*;

use super::shared::{emit, keep_apart, note};

#[derive(Args)]
pub(crate) struct InitArgs {
    /// Model files, directories (their .onnx files, at any depth) or patterns
    #[arg(value_name = "MODEL", default_value = ".")]
    pub(crate) models: Vec<PathBuf>,
    /// Configuration to write
    #[arg(short, long, value_name = "FILE", default_value = FILE)]
    pub(crate) config: PathBuf,
    /// Overwrite one that is there
    #[arg(long)]
    pub(crate) force: bool,
}

/// An error where a configuration is there already, or no model can be read.
pub(crate) fn run(args: &InitArgs) -> Result<bool> {
    let label = args.config.display().to_string();
    if args.config.exists() && !args.force {
        return Err(Error::new("it is there already: --force overwrites it").in_file(&label));
    }
    let folder = normal(args.config.parent().unwrap_or(Path::new("")));
    let (mut paths, mut unread) = (Vec::new(), Vec::new());
    for source in sources(&args.models) {
        match source {
            Ok(path) => paths.push(normal(&path)),
            Err(error) => unread.push(error),
        }
    }
    // What builds and version control keep in folders of their own is no model of the project.
    let is_own = |path: &Path| {
        let hidden = |part: Component<'_>| {
            let name = part.as_os_str().to_string_lossy();
            matches!(part, Component::Normal(_))
                && (name.starts_with('.') || ["target", "node_modules", "__pycache__"].contains(&&*name))
        };
        !path.parent().is_some_and(|parent| parent.components().any(hidden))
    };
    paths.retain(|path| is_own(path));
    unread.retain(|error| error.path.as_ref().is_none_or(|path| is_own(&normal(Path::new(path)))));
    keep_apart(&[&args.config], &paths)?;
    let key = |path: &Path| match path.strip_prefix(&folder) {
        Ok(inside) => inside.display().to_string().replace('\\', "/"),
        Err(_) => {
            let up: PathBuf = folder.components().map(|_| "..").collect();
            up.join(path).display().to_string().replace('\\', "/")
        }
    };
    let one = |path: &PathBuf| propose(path, &key(path), &|path| Model::open(path));
    let models: Vec<Proposed> = paths.par_iter().map(one).collect();
    let good = models.iter().filter(|model| model.entry.is_ok()).count();
    if good == 0 {
        let first = unread.into_iter().next().or_else(|| models.into_iter().find_map(|model| model.entry.err()));
        return Err(first.unwrap_or_else(|| Error::new("there is no model here: name files or directories")));
    }
    // A dangling link or a closed folder is no reason to leave out the others.
    unread.iter().for_each(|error| note(&error.to_string()));
    emit(&text(&models), Some(&args.config))?;
    let left_out = match models.len() - good {
        0 => String::new(),
        bad => format!(", without {} that cannot be analyzed", plural(bad, "model")),
    };
    let (label, good) = (clean(&label), plural(good, "model"));
    super::print(&format!("{label}: {good}{left_out}; lwstat bless writes the baseline for its limits\n"))
}
