//! `lwstat init`: a first configuration from the models that are there.

use std::path::{Component, Path, PathBuf};

use clap::Args;
use lwstat::check::config::FILE;
use lwstat::check::proposal::{Proposed, propose, text};
use lwstat::compare::{normal, sources};
use lwstat::render::number::{clean, plural};
use lwstat::{Error, Model, Result};
use rayon::prelude::*;

use super::shared::{emit, keep_apart};

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
    let paths: Result<Vec<PathBuf>> = sources(&args.models).into_iter().map(|source| Ok(normal(&source?))).collect();
    let mut paths = paths?;
    // What builds and version control keep in folders of their own is no model of the project.
    let is_own = |path: &PathBuf| {
        let hidden = |part: Component<'_>| {
            let name = part.as_os_str().to_string_lossy();
            matches!(part, Component::Normal(_))
                && (name.starts_with('.') || ["target", "node_modules", "__pycache__"].contains(&&*name))
        };
        !path.parent().is_some_and(|parent| parent.components().any(hidden))
    };
    paths.retain(is_own);
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
        let first = models.into_iter().find_map(|model| model.entry.err());
        return Err(first.unwrap_or_else(|| Error::new("there is no model here: name files or directories")));
    }
    emit(&text(&models), Some(&args.config))?;
    let left_out = match models.len() - good {
        0 => String::new(),
        bad => format!(", without {} that cannot be analyzed", plural(bad, "model")),
    };
    let (label, good) = (clean(&label), plural(good, "model"));
    super::print(&format!("{label}: {good}{left_out}; lwstat bless writes the baseline for its limits\n"))
}
