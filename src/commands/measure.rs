//! `lwstat measure`: models run on this machine; and what `lwstat MODEL --latency` shares with it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use lwstat::device::Device;
use lwstat::latency::{Latency, LatencyOptions, Progress};
use lwstat::render::Measured;
use lwstat::{Bindings, Error, Model, Result};

use super::host;
use super::shared::{FixedArgs, OutputArgs, emit, first_of, format, keep_apart, open, plain, style};

#[derive(Args)]
pub(crate) struct MeasureArgs {
    /// Model files
    #[arg(required = true, value_name = "MODEL")]
    pub(crate) models: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) runs: RunArgs,
    #[command(flatten)]
    pub(crate) fixed: FixedArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// What a model is placed on, and whether it runs: of commands that show more than times.
#[derive(Args)]
pub(crate) struct MachineArgs {
    /// Show roofline times on this device, and of one model what binds its nodes and whether it fits (see lwstat devices;
    /// host: this machine)
    #[arg(long, value_name = "NAME|FILE.yaml")]
    pub(crate) device: Option<String>,
    /// Run on this machine with tract, one model after the other, and show how long that takes
    #[arg(long)]
    pub(crate) latency: bool,
    #[command(flatten)]
    pub(crate) runs: RunArgs,
}

impl MachineArgs {
    /// The file that is read, where a name is none.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.device.as_deref().map(Path::new)
    }

    /// The device. Errors: there is none of this name, it cannot be measured, or it is said how to run though nothing does.
    pub(crate) fn device(&self, runs: bool) -> Result<Option<Device>> {
        self.runs.needs(runs || self.device.as_deref() == Some("host"), "--latency")?;
        self.device.as_deref().map(|name| host::device(name, &self.runs)).transpose()
    }
}

#[derive(Args)]
pub(crate) struct RunArgs {
    /// Threads inside a node's kernels [1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// Measured runs [until the median is known to 2 %, at most 1000, at most 10 s]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) runs: Option<u32>,
    /// Runs before the first that is measured [3]
    #[arg(long, value_name = "N")]
    pub(crate) warmup: Option<u32>,
}

impl RunArgs {
    /// An error where one of these is given though nothing runs: `flag` is what asks for a run.
    pub(crate) fn needs(&self, runs: bool, flag: &str) -> Result<()> {
        match self.given().filter(|_| !runs) {
            Some(given) => Err(Error::new(format!("{given} is of use only with {flag}"))),
            None => Ok(()),
        }
    }

    /// The flag that was given, where one was.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let flags = [(self.threads.is_some(), "--threads"), (self.runs.is_some(), "--runs")];
        flags.into_iter().chain([(self.warmup.is_some(), "--warmup")]).find(|(given, _)| *given).map(|(_, flag)| flag)
    }
}

/// `Ok(true)`; an error where a model could not be measured, after the others are shown.
pub(crate) fn run(args: &MeasureArgs) -> Result<bool> {
    keep_apart(&[args.output.path()], &args.models)?;
    let bindings = args.fixed.bindings()?;
    let mut measured = Vec::new();
    let mut failed: Vec<Error> = Vec::new();
    for path in &args.models {
        let label = path.display().to_string();
        let latency = match stopped() {
            true => Err(Error::new("interrupted before the first run").in_file(&label)),
            false => open(path, &args.fixed).and_then(|model| {
                model.check_dims(&bindings)?;
                measure(&model, &bindings, &args.runs)
            }),
        };
        let error = latency.as_ref().err().map(|error| error.clone().without_file().to_string());
        failed.extend(latency.as_ref().err().cloned());
        measured.push(Measured { path: label, latency: latency.ok(), error });
    }
    // Of one model that cannot be measured, the error says it all.
    if failed.is_empty() || measured.len() > 1 {
        let text = (format(&args.output).measured)(&measured, &style(&args.output, plain(), false, None));
        emit(&text, args.output.output.as_deref())?;
    }
    if failed.is_empty() { Ok(true) } else { Err(first_of(failed, "measured")) }
}

/// Measures one model, with a line of progress on a terminal, until Ctrl-C at the latest.
pub(crate) fn measure(model: &Model, bindings: &Bindings, args: &RunArgs) -> Result<Latency> {
    let line = Line::new(&model.path);
    let watch = |progress: Progress| {
        line.show(progress);
        !stopped()
    };
    let default = LatencyOptions::default();
    let options = LatencyOptions {
        threads: args.threads.map_or(default.threads, usize::from),
        warmup: args.warmup.map_or(default.warmup, |runs| runs as usize),
        runs: args.runs.map(|runs| runs as usize),
        watch: &watch,
        ..default
    };
    catch_interrupt();
    // The runtime's panics are its reasons, and are told as errors.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let latency = model.latency(bindings, &options);
    std::panic::set_hook(hook);
    line.clear();
    latency
}

static STOPPED: AtomicBool = AtomicBool::new(false);

/// Whether Ctrl-C was pressed.
fn stopped() -> bool {
    STOPPED.load(Ordering::Relaxed)
}

/// An error where Ctrl-C left a model that was to be measured without a time.
pub(crate) fn all_measured(unmeasured: bool) -> Result<()> {
    match unmeasured && stopped() {
        true => Err(Error::new("interrupted: not everything that was to be measured was")),
        false => Ok(()),
    }
}

/// From now on the first Ctrl-C ends the measurement with what there is, and the second ends the program.
fn catch_interrupt() {
    #[cfg(feature = "latency")]
    {
        static ONCE: std::sync::Once = std::sync::Once::new();
        let handler = || {
            if STOPPED.swap(true, Ordering::Relaxed) {
                // Files appear whole or not at all, so there is nothing to clean up.
                std::process::exit(130);
            }
        };
        // Where no handler can be set, Ctrl-C ends the program as it always does.
        ONCE.call_once(|| drop(ctrlc::set_handler(handler)));
    }
}

/// The line of progress on standard error; nothing where that is no terminal.
#[cfg(feature = "latency")]
struct Line(indicatif::ProgressBar);

#[cfg(feature = "latency")]
impl Line {
    fn new(path: &str) -> Line {
        let bar = indicatif::ProgressBar::new_spinner();
        bar.set_prefix(lwstat::render::number::clean(&lwstat::report::stem(path)));
        if let Ok(style) = indicatif::ProgressStyle::with_template("{spinner} {prefix}: {wide_msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(std::time::Duration::from_millis(100));
        Line(bar)
    }

    fn show(&self, progress: Progress) {
        use lwstat::render::number::plural;
        self.0.set_message(match progress {
            Progress::Loading => "loading".to_string(),
            Progress::Optimizing => "optimizing".to_string(),
            Progress::WarmingUp(runs) => format!("warming up, {}", plural(runs, "run")),
            Progress::Measuring { runs, median_ms } => format!("{}, median {median_ms:.3} ms", plural(runs, "run")),
        });
    }

    fn clear(self) {
        self.0.finish_and_clear();
    }
}

/// Nothing runs in this build, so there is no progress.
#[cfg(not(feature = "latency"))]
struct Line;

#[cfg(not(feature = "latency"))]
impl Line {
    fn new(_: &str) -> Line {
        Line
    }

    fn show(&self, _: Progress) {}

    fn clear(self) {}
}
