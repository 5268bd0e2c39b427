//! `lwstat correlate`: which column orders models as latency does.

use std::path::{Path, PathBuf};

use clap::Args;
use lwstat::charts::scatter::{self, Axes};
use lwstat::compare::columns_for;
use lwstat::correlation::correlate;
use lwstat::render::{CORRELATIONS, Correlated};
use lwstat::{Error, Result};

use super::chart;
use super::measure::all_measured;
use super::models::ModelsArgs;
use super::shared::{OutputArgs, emit, keep_apart, plain, style};

#[derive(Args)]
pub(crate) struct CorrelateArgs {
    #[command(flatten)]
    pub(crate) of: ModelsArgs,
    /// The column that the others are held against (see lwstat columns); --figures may bring one measured elsewhere
    #[arg(long, value_name = "KEY", default_value = "latency_ms")]
    pub(crate) with: String,
    /// Write the models' scatter under the column that orders them best to this file, FILE.svg or FILE.png
    #[arg(long, value_name = "FILE")]
    pub(crate) chart: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Columns that are held against the target where none are named.
const DEFAULT: &[&str] = &[
    "macs",
    "flops",
    "params",
    "activations",
    "memory_access_bytes",
    "torchstat_access_bytes",
    "peak_activation_bytes",
    "nodes",
];

pub(crate) fn run(args: &CorrelateArgs) -> Result<bool> {
    let written: Vec<&Path> = [args.output.path()].into_iter().chain(args.chart.as_deref()).collect();
    keep_apart(&written, args.of.files())?;
    args.chart.as_deref().map(chart::kind).transpose()?;
    let given = args.of.given()?;
    let mut keys = args.of.columns.clone();
    if keys.is_empty() {
        keys.extend(DEFAULT.iter().map(|key| key.to_string()));
        keys.extend(args.of.machine.device.iter().map(|_| "roofline_ms".to_string()));
    }
    keys.push(args.with.clone());
    let columns = columns_for(&keys, given.as_ref())?;
    let latency = args.of.machine.latency || keys.iter().any(|key| key == "latency_ms");
    let comparison = args.of.ask(columns, keys.iter().map(String::as_str), given.as_ref(), latency)?;
    let target = comparison.column(&args.with).ok_or_else(|| Error::new("the target is no column"))?;
    let failed = comparison.failures();
    let correlations = correlate(&comparison, target).map_err(|error| match &failed[..] {
        [] => error,
        [(path, reason)] => Error::new(format!("{error}; {path}: {reason}")),
        [(path, reason), rest @ ..] => Error::new(format!("{error}; {path}: {reason} (and {} more)", rest.len())),
    })?;
    if let (Some(path), Some(best)) = (&args.chart, correlations.first()) {
        let x = comparison.column(&best.key).unwrap_or(target);
        chart::write(&scatter::scatter(&comparison, Axes { x, y: target, size: None })?, path)?;
    }
    let correlated = Correlated { target: comparison.columns[target].clone(), correlations, failed };
    let (_, render) = CORRELATIONS.iter().find(|(name, _)| *name == args.output.format).unwrap_or(&CORRELATIONS[0]);
    emit(&render(&correlated, &style(&args.output, plain(), false, None)), args.output.output.as_deref())?;
    all_measured(comparison.models.iter().any(|model| model.latency_error.is_some()))?;
    Ok(true)
}
