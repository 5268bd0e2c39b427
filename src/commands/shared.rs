//! What commands share: arguments that fix sizes, arguments of the output, and what they do.

use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use lwstat::figures::Fixture;
use lwstat::infer::Bindings;
use lwstat::model::sentence;
use lwstat::render::number::clean;
use lwstat::render::{FORMATS, Format, Style};
use lwstat::summary::{By, View};
use lwstat::{Error, Model, Result};

#[derive(Args, Default)]
pub(crate) struct FixedArgs {
    /// Fix an input's shape: NAME=1x3x224x224, NAME=scalar; repeatable
    #[arg(long, value_name = "NAME=SHAPE")]
    input: Vec<String>,
    /// Fix a free dimension: NAME=N; repeatable
    #[arg(long, value_name = "NAME=N")]
    dim: Vec<String>,
    /// Read the file instead of mapping it
    #[arg(long)]
    pub(crate) no_mmap: bool,
}

#[derive(Args)]
pub(crate) struct OutputArgs {
    /// Output format
    #[arg(long, default_value = "text", value_parser = clap::builder::PossibleValuesParser::new(FORMATS.iter().map(|format| format.name)))]
    pub(crate) format: String,
    /// Write to this file instead of standard output; it appears whole or not at all
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Colours in text
    #[arg(long, value_enum, default_value_t = ColorArg::Auto)]
    pub(crate) color: ColorArg,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub(crate) enum ColorArg {
    Auto,
    Always,
    Never,
}

/// Says on standard error what is worth knowing and no error.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "note: {}", clean(text));
}

/// The error for models that could not be `done`: the first's, and how many more there are.
pub(crate) fn first_of(errors: Vec<Error>, done: &str) -> Error {
    let more = errors.len().saturating_sub(1);
    match (errors.into_iter().next(), more) {
        (None, _) => Error::new(format!("nothing was {done}")),
        (Some(first), 0) => first,
        (Some(first), more) => Error::new(format!("{first} (and {more} more could not be {done})")),
    }
}

/// An error where a file would be written twice, or is read, too. Devices may be given again.
pub(crate) fn keep_apart<P: AsRef<Path>>(written: &[&Path], read: impl IntoIterator<Item = P>) -> Result<()> {
    let label =
        |path: &Path| if is_standard(path) { "standard output".to_string() } else { path.display().to_string() };
    let mut places: Vec<(PathBuf, &Path)> = Vec::new();
    for path in written {
        let Some(place) = place(path) else { continue };
        if places.iter().any(|(other, _)| *other == place) {
            let reason = "it would be written twice: give one of the outputs another file";
            return Err(Error::new(reason).in_file(&label(path)));
        }
        places.push((place, path));
    }
    // What is not there yet is not read.
    places.retain(|(place, _)| place.is_file());
    if places.is_empty() {
        return Ok(());
    }
    for path in read {
        let read = path.as_ref().canonicalize().ok().filter(|_| !is_standard(path.as_ref()));
        if let Some((_, path)) = places.iter().find(|(place, _)| Some(place) == read.as_ref()) {
            let reason = "the output would overwrite a file that is read: give it another name";
            return Err(Error::new(reason).in_file(&label(path)));
        }
    }
    Ok(())
}

/// What is replaced where this path is written; `None` for devices, pipes and directories.
fn place(path: &Path) -> Option<PathBuf> {
    if is_standard(path) {
        return Some(path.to_path_buf());
    }
    if is_standard_output(path) || path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        return None;
    }
    let of_folder = || Some(folder(path).canonicalize().ok()?.join(path.file_name()?));
    path.canonicalize().ok().or_else(of_folder).or_else(|| Some(path.to_path_buf()))
}

/// The folder that a path is in.
pub(crate) fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

impl OutputArgs {
    /// Where the output goes.
    pub(crate) fn path(&self) -> &Path {
        self.output.as_deref().unwrap_or(Path::new("-"))
    }
}

impl FixedArgs {
    /// The bindings that `--input` and `--dim` ask for.
    pub(crate) fn bindings(&self) -> Result<Bindings> {
        let mut bindings = Bindings::default();
        for text in &self.input {
            let (name, shape) = split(text, "--input", "NAME=1x3x224x224")?;
            let shape = lwstat::infer::shape(shape).ok_or_else(|| {
                Error::new(format!("--input {text}: \"{shape}\" is no shape: write NAME=1x3x224x224, or NAME=scalar"))
            })?;
            if bindings.inputs.iter().any(|(other, _)| other == name) {
                return Err(Error::new(format!("--input {name} is given twice")));
            }
            bindings.inputs.push((name.to_string(), shape));
        }
        for text in &self.dim {
            let (name, size) = split(text, "--dim", "NAME=1")?;
            let size = size.trim().parse::<i64>().ok().filter(|size| *size >= 0);
            let size = size.ok_or_else(|| {
                Error::new(format!("--dim {text}: the size must be a whole number, 0 or more: write NAME=1"))
            })?;
            if bindings.sizes.insert(name.to_string(), size).is_some_and(|other| other != size) {
                return Err(Error::new(format!("--dim {name} is given twice with different sizes")));
            }
        }
        Ok(bindings)
    }
}

/// Splits at the last `=`: names may hold one, shapes and sizes do not.
fn split<'t>(text: &'t str, flag: &str, form: &str) -> Result<(&'t str, &'t str)> {
    text.rsplit_once('=')
        .filter(|(name, _)| !name.is_empty())
        .ok_or_else(|| Error::new(format!("{flag} {text}: write {form}")))
}

pub(crate) fn open(path: &Path, args: &FixedArgs) -> Result<Model> {
    if is_standard(path) {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map_err(|error| Error::new(sentence(&error)).in_file("-"))?;
        return Model::read(bytes);
    }
    if args.no_mmap { Model::read_file(path) } else { Model::open(path) }
}

/// A view for output that has no groups.
pub(crate) fn plain() -> View {
    View { by: By::Op, depth: 0, sort: None, top: None }
}

pub(crate) fn format(args: &OutputArgs) -> &'static Format {
    FORMATS.iter().find(|format| format.name == args.format).unwrap_or(&FORMATS[0])
}

pub(crate) fn style<'f>(args: &OutputArgs, view: View, exact: bool, figures: Option<&'f Fixture>) -> Style<'f> {
    let terminal = args.output.is_none() && std::io::stdout().is_terminal();
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let width = terminal_size::terminal_size().filter(|_| terminal).map(|(width, _)| usize::from(width.0));
    let color = match args.color {
        ColorArg::Always => true,
        ColorArg::Never => false,
        ColorArg::Auto => terminal && std::env::var_os("NO_COLOR").is_none(),
    };
    Style { view, width: width.or(columns).unwrap_or(100).max(40), color, exact, plan: false, figures, charts: &[] }
}

/// Writes to standard output, or to a file that appears whole or not at all.
pub(crate) fn emit(text: &str, path: Option<&Path>) -> Result<()> {
    emit_bytes(text.as_bytes(), path)
}

/// As [`emit`], what need not be text.
pub(crate) fn emit_bytes(bytes: &[u8], path: Option<&Path>) -> Result<()> {
    let Some(path) = path.filter(|path| !is_standard_output(path)) else {
        return match std::io::stdout().write_all(bytes) {
            // The reader has seen enough.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            other => other.map_err(|error| Error::new(format!("standard output: {error}"))),
        };
    };
    let label = path.display().to_string();
    let write =
        |file: &mut dyn Write| file.write_all(bytes).map_err(|error| Error::new(sentence(&error)).in_file(&label));
    emit_with(&write, path)
}

/// Whether a path is the word for standard input and output.
pub(crate) fn is_standard(path: &Path) -> bool {
    path == Path::new("-")
}

/// Whether what is written to a path goes to standard output: a file that it is redirected to is not replaced.
pub(crate) fn is_standard_output(path: &Path) -> bool {
    is_standard(path) || path == Path::new("/dev/stdout")
}

/// Writes a file through a function; it appears whole or not at all.
pub(crate) fn emit_with(write: &dyn Fn(&mut dyn Write) -> Result<()>, path: &Path) -> Result<()> {
    if is_standard_output(path) {
        return write(&mut std::io::stdout().lock());
    }
    let label = path.display().to_string();
    let fail = |error: std::io::Error| Error::new(sentence(&error)).in_file(&label);
    // What a link points to is replaced, not the link; a device or pipe is written to as it is.
    let target = path.canonicalize();
    let path = target.as_deref().unwrap_or(path);
    if path.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir()) {
        let mut file = std::fs::OpenOptions::new().write(true).open(path).map_err(fail)?;
        return write(&mut file).map_err(|error| error.in_file(&label));
    }
    let mut builder = tempfile::Builder::new();
    // Temporary files are private; this one is to be a file like any other, under the user's mask.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder(path)).map_err(fail)?;
    write(&mut file).map_err(|error| error.in_file(&label))?;
    file.persist(path).map(|_| ()).map_err(|error| fail(error.error))
}
