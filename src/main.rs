//! The program: arguments in, report out, exit code.

use std::io::{IsTerminal, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use lwstat::figures::{self, Fixture};
use lwstat::model::sentence;
use lwstat::render::{FORMATS, Format, Linted, Style, Verified, tables};
use lwstat::summary::{By, View};
use lwstat::verify::{Verdict, verify};
use lwstat::{Error, Model, Result, guidelines};

use crate::cli::{Cli, ColorArg, Command, FixedArgs, LintArgs, OutputArgs, ReportArgs, VerifyArgs};

mod cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match &cli.command {
        None => report(&cli.report),
        Some(Command::Verify(args)) => verified(args),
        Some(Command::Lint(args)) => lint(args),
        Some(Command::Ops) => emit(&tables::operators(), None).map(|()| true),
        Some(Command::Metrics) => emit(&tables::metrics(), None).map(|()| true),
        Some(Command::Schema) => emit(&format!("{:#}\n", lwstat::report::schema().to_value()), None).map(|()| true),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {}", lwstat::render::number::clean(&error.to_string()));
            ExitCode::from(2)
        }
    }
}

/// The account of one model. `Ok(false)` where `--strict` asks for more than is known.
fn report(args: &ReportArgs) -> Result<bool> {
    let model = open(args.model.as_deref().unwrap_or(Path::new("-")), &args.fixed)?;
    let bindings = args.fixed.bindings()?;
    model.check_dims(&bindings)?;
    let mut report = model.report(&bindings)?;
    if args.memory {
        report.memory = Some(model.memory_plan(&bindings)?);
    }
    let figures = figures::find(&report.model.name, false)?;
    let style = style(&args.output, args.view(), args.exact, figures.as_ref());
    emit(&(format(&args.output).report)(&report, &style)?, args.output.output.as_deref())?;
    let exact = report.totals.at_least.is_empty() && report.coverage.bounded == 0 && report.coverage.unknown == 0;
    if args.strict && !exact {
        let (unknown, bounded) = (report.coverage.unknown, report.coverage.bounded);
        let reason = format!("{}: not exact: {unknown} nodes unknown, {bounded} bounded", report.model.path);
        let _ = writeln!(std::io::stderr(), "{}", lwstat::render::number::clean(&reason));
    }
    Ok(exact || !args.strict)
}

/// Counts against published figures. `Ok(false)` where one deviates without a record.
fn verified(args: &VerifyArgs) -> Result<bool> {
    let given = args.figures.as_deref().map(read_fixture).transpose()?;
    let mut models = Vec::new();
    for path in &args.models {
        let model = open(path, &args.fixed)?;
        let bindings = args.fixed.bindings()?;
        model.check_dims(&bindings)?;
        let report = model.report(&bindings)?;
        let name = args.name.as_deref().unwrap_or(&report.model.name);
        let fixture = match &given {
            Some(fixture) => fixture.clone(),
            None => figures::find(name, true)?.ok_or_else(|| no_figures(name).in_file(&report.model.path))?,
        };
        models.push(Verified {
            path: report.model.path.clone(),
            fixture: fixture.name.clone(),
            findings: verify(&report, &fixture)?,
        });
    }
    let view = View { by: By::Op, depth: 0, sort: None, top: None };
    emit(
        &(format(&args.output).findings)(&models, &style(&args.output, view, true, None)),
        args.output.output.as_deref(),
    )?;
    Ok(models.iter().flat_map(|model| &model.findings).all(|finding| finding.verdict != Verdict::Fails))
}

/// The guidelines of one model. `Ok(false)` where a denied one is not kept.
fn lint(args: &LintArgs) -> Result<bool> {
    if let Some(rule) = args.deny.iter().find(|rule| args.allow.contains(rule)) {
        return Err(Error::new(format!("{rule} is both denied and allowed: name it in one of the two")));
    }
    let model = open(&args.model, &args.fixed)?;
    let bindings = args.fixed.bindings()?;
    model.check_dims(&bindings)?;
    let mut findings = model.guidelines(&bindings)?;
    findings.retain(|finding| !args.allow.contains(&finding.rule));
    let view = View { by: By::Op, depth: 0, sort: None, top: None };
    let linted = Linted { path: model.path, findings, allowed: args.allow.clone() };
    let text = (format(&args.output).guidelines)(&linted, &style(&args.output, view, false, None));
    emit(&text, args.output.output.as_deref())?;
    let share = |rule: &String| guidelines::share(&linted.findings, rule) * 100.0;
    Ok(!args.deny.iter().any(|rule| share(rule) >= args.from))
}

fn no_figures(name: &str) -> Error {
    let known: Vec<_> = figures::built_in().collect();
    Error::new(format!("no figures are on record for \"{name}\": give --as NAME, one of {}", known.join(", ")))
}

fn read_fixture(path: &Path) -> Result<Fixture> {
    let label = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| Error::new(sentence(&error)).in_file(&label))?;
    figures::parse(&text, &label)
}

fn open(path: &Path, args: &FixedArgs) -> Result<Model> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map_err(|error| Error::new(sentence(&error)).in_file("-"))?;
        return Model::read(bytes);
    }
    if args.no_mmap { Model::read_file(path) } else { Model::open(path) }
}

fn format(args: &OutputArgs) -> &'static Format {
    FORMATS.iter().find(|format| format.name == args.format).unwrap_or(&FORMATS[0])
}

fn style<'f>(args: &OutputArgs, view: View, exact: bool, figures: Option<&'f Fixture>) -> Style<'f> {
    let terminal = args.output.is_none() && std::io::stdout().is_terminal();
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let width = terminal_size::terminal_size().filter(|_| terminal).map(|(width, _)| usize::from(width.0));
    let color = match args.color {
        ColorArg::Always => true,
        ColorArg::Never => false,
        ColorArg::Auto => terminal && std::env::var_os("NO_COLOR").is_none(),
    };
    Style { view, width: width.or(columns).unwrap_or(100).max(40), color, exact, figures }
}

/// Writes to standard output, or to a file that appears whole or not at all.
fn emit(text: &str, path: Option<&Path>) -> Result<()> {
    let Some(path) = path else {
        return match std::io::stdout().write_all(text.as_bytes()) {
            // The reader has seen enough.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            other => other.map_err(|error| Error::new(format!("standard output: {error}"))),
        };
    };
    let label = path.display().to_string();
    let fail = |error: std::io::Error| Error::new(sentence(&error)).in_file(&label);
    // What a link points to is replaced, not the link; a device or pipe is written to as it is.
    let target = path.canonicalize();
    let path = target.as_deref().unwrap_or(path);
    if path.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir()) {
        return std::fs::write(path, text).map_err(fail);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    // Temporary files are private; this one is to be a file like any other, under the user's mask.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder).map_err(fail)?;
    file.write_all(text.as_bytes()).map_err(fail)?;
    file.persist(path).map(|_| ()).map_err(|error| fail(error.error))
}
