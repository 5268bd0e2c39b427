//! `lwstat check`: the models of a configuration held against budgets and the baseline.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use lwstat::check::baseline::Baseline;
use lwstat::check::config::{self, Config};
use lwstat::check::findings::{Level, Outcome};
use lwstat::check::gate::{Question, check};
use lwstat::check::place::Place;
use lwstat::model::sentence;
use lwstat::render::CHECKS;
use lwstat::{Error, Model, Result};

use super::shared::{OutputArgs, emit, keep_apart, plain, style};

#[derive(Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Write a report to a file, beside the one on standard output: junit=report.xml, with any format; repeatable
    #[arg(long, value_name = "FORMAT=FILE")]
    pub(crate) report: Vec<String>,
    /// All digits instead of prefixes (M, MiB)
    #[arg(long)]
    pub(crate) exact: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Args)]
pub(crate) struct ConfigArgs {
    /// Configuration [default: lwstat.yaml here or in the nearest folder above]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Baseline instead of the configuration's
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,
    /// Read the files instead of mapping them
    #[arg(long)]
    pub(crate) no_mmap: bool,
}

impl ConfigArgs {
    pub(crate) fn read(&self) -> Result<Config> {
        let path = match &self.config {
            Some(path) => path.clone(),
            None => {
                let here = std::env::current_dir().map_err(|error| Error::new(sentence(&error)))?;
                config::find(&here)?
            }
        };
        let mut config = config::read(&path)?;
        if let Some(baseline) = &self.baseline {
            config.baseline = baseline.clone();
        }
        Ok(config)
    }

    /// Runs through the models, with a bar on a terminal.
    pub(crate) fn ask<T>(&self, count: usize, baseline: Option<&Baseline>, run: impl FnOnce(&Question) -> T) -> T {
        let bar = match std::io::stderr().is_terminal() {
            true => indicatif::ProgressBar::new(count as u64),
            false => indicatif::ProgressBar::hidden(),
        };
        let open = |path: &Path| if self.no_mmap { Model::read_file(path) } else { Model::open(path) };
        let done = run(&Question { baseline, open: &open, done: &|| bar.inc(1) });
        bar.finish_and_clear();
        done
    }
}

/// The files that a configuration has lwstat read beside the baseline.
pub(crate) fn read(config: &Config) -> impl Iterator<Item = &Path> {
    let models = config.targets.iter().map(|target| target.path.as_path());
    let tiers = config.targets.iter().flat_map(|target| [&target.rules.fail, &target.rules.warn]);
    let references = tiers.filter_map(|tier| Some(tier.pace.as_ref()?.path.as_path()));
    let devices = config.devices.iter().map(PathBuf::as_path);
    [Path::new(&config.path)].into_iter().chain(devices).chain(models).chain(references)
}

/// The working directory and the root of its repository, which CI systems name where there is none.
fn place() -> Place {
    let workspaces = ["GITHUB_WORKSPACE", "CI_PROJECT_DIR"].map(std::env::var_os);
    let workspaces: Vec<PathBuf> = workspaces.into_iter().flatten().map(PathBuf::from).collect();
    std::env::current_dir().map(|here| Place::find(&here, &workspaces)).unwrap_or_default()
}

type Render = fn(&Outcome, &lwstat::render::Style) -> String;

fn named(format: &str) -> Option<Render> {
    CHECKS.iter().find(|(name, _)| *name == format).map(|(_, render)| *render)
}

/// `Ok(false)` where something does not hold; an error where something could not be judged, once the reports are written.
pub(crate) fn run(args: &CheckArgs) -> Result<bool> {
    let mut reports: Vec<(Render, &Path)> = Vec::new();
    for report in &args.report {
        let known = || CHECKS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let (format, path) = report
            .split_once('=')
            .filter(|(_, path)| !path.is_empty())
            .ok_or_else(|| Error::new(format!("--report {report}: write FORMAT=FILE, such as junit=report.xml")))?;
        let render = named(format).ok_or_else(|| {
            Error::new(format!("--report {report}: there is no format \"{format}\": write one of {}", known()))
        })?;
        reports.push((render, Path::new(path)));
    }
    let config = args.config.read()?;
    let written: Vec<&Path> = reports.iter().map(|(_, path)| *path).chain([args.output.path()]).collect();
    keep_apart(&written, read(&config).chain([config.baseline.as_path()]))?;
    let baseline = Baseline::read(&config.baseline)?;
    let measured = config.targets.iter().filter(|target| target.rules.is_paced()).count();
    let mut outcome =
        args.config.ask(config.targets.len() + measured, baseline.as_ref(), |question| check(&config, question));
    outcome.place = place();
    let file_style =
        lwstat::render::Style { color: false, width: 100, ..style(&args.output, plain(), args.exact, None) };
    for (render, path) in &reports {
        emit(&render(&outcome, &file_style), Some(path))?;
    }
    summarize(&outcome, &file_style)?;
    let render = named(&args.output.format).unwrap_or(CHECKS[0].1);
    let style = style(&args.output, plain(), args.exact, None);
    emit(&render(&outcome, &style), args.output.output.as_deref())?;
    match outcome.level() {
        None | Some(Level::Warn) => Ok(true),
        Some(Level::Fail) => Ok(false),
        Some(Level::Error) => {
            let count = outcome.findings().filter(|finding| finding.level == Level::Error).count();
            let first = outcome.findings().find(|finding| finding.level == Level::Error);
            let first = first.map(lwstat::render::finding_text).unwrap_or_default();
            let more = if count > 1 { format!(" (and {} more)", count - 1) } else { String::new() };
            Err(Error::new(format!("{first}{more}")))
        }
    }
}

/// In a run of GitHub Actions, adds the Markdown report to the job's summary.
fn summarize(outcome: &Outcome, style: &lwstat::render::Style) -> Result<()> {
    let of_actions = std::env::var_os("GITHUB_ACTIONS").is_some_and(|set| set == "true");
    let path = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| of_actions && !path.is_empty()).map(PathBuf::from);
    let (Some(path), Some(render)) = (path, named("md")) else { return Ok(()) };
    let text = render(outcome, style);
    let file = std::fs::OpenOptions::new().append(true).create(true).open(&path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| Error::new(sentence(&error)).in_file(&path.display().to_string()))
}
