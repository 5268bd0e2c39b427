//! `lwstat compare`: many models side by side.

use std::path::{Path, PathBuf};

use clap::Args;
use lwstat::charts::scatter::{self, Axes};
use lwstat::charts::{Chart, bars};
use lwstat::columns;
use lwstat::compare::{Comparison, columns_for};
use lwstat::render::{COMPARISONS, Style};
use lwstat::{Error, Result};

use super::chart;
use super::measure::all_measured;
use super::models::ModelsArgs;
use super::shared::{OutputArgs, emit, first_of, keep_apart, note, plain, style};

#[derive(Args)]
pub(crate) struct CompareArgs {
    #[command(flatten)]
    pub(crate) of: ModelsArgs,
    /// Sort by this column, the least first; -KEY: the greatest first. Unknown entries come last; a formula ranks as if
    /// every free dimension were 128
    #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
    pub(crate) sort: Option<String>,
    /// The other way round
    #[arg(long, requires = "sort")]
    pub(crate) reverse: bool,
    /// Show ratios to this model beside the entries: its path or name
    #[arg(long, value_name = "MODEL")]
    pub(crate) relative_to: Option<String>,
    /// Write a chart to this file, FILE.svg or FILE.png
    #[arg(long, value_name = "FILE")]
    pub(crate) chart: Option<PathBuf>,
    /// Column from left to right in the chart [default: macs]
    #[arg(long, value_name = "KEY", conflicts_with = "bars")]
    pub(crate) x: Option<String>,
    /// Column from bottom to top in the chart [default: top1, or memory_access_bytes where accuracies are not known]
    #[arg(long, value_name = "KEY", conflicts_with = "bars")]
    pub(crate) y: Option<String>,
    /// Column that the area of the chart's points shows
    #[arg(long, value_name = "KEY", conflicts_with = "bars")]
    pub(crate) size: Option<String>,
    /// Chart this one column as bars
    #[arg(long, value_name = "KEY")]
    pub(crate) bars: Option<String>,
    /// Add a row of sums
    #[arg(long)]
    pub(crate) totals: bool,
    /// All digits instead of prefixes (M, MiB)
    #[arg(long)]
    pub(crate) exact: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl CompareArgs {
    /// A page holds a chart, too.
    fn is_page(&self) -> bool {
        self.output.format == "html"
    }

    /// Whether a certain chart is asked for.
    fn asks(&self) -> bool {
        [&self.x, &self.y, &self.size, &self.bars].into_iter().any(Option::is_some)
    }

    /// What a page shows unasked, as far as it can be drawn: the default chart, and the same against times that are known.
    fn charts(&self, comparison: &Comparison) -> Vec<Chart> {
        let (_, y) = scatter::default_keys(comparison);
        let known = |key: &&str| {
            let column = comparison.column(key);
            column.is_some_and(|column| comparison.models.iter().any(|model| model.entry(column).is_some()))
        };
        let times = ["roofline_ms", "latency_ms"].into_iter().filter(known);
        let times = times.filter_map(|x| {
            let axes = Axes { x: comparison.column(x)?, y: comparison.column(y)?, size: None };
            scatter::scatter(comparison, axes).ok()
        });
        self.draw(comparison).ok().into_iter().chain(times).collect()
    }

    /// The columns that the chart may need.
    fn drawn(&self) -> Vec<String> {
        match (self.chart.is_some() || self.is_page(), &self.bars) {
            (false, _) => Vec::new(),
            (_, Some(key)) => vec![key.clone()],
            _ => {
                let (x, y) = (self.x.iter().cloned(), self.y.iter().cloned());
                let default = scatter::DEFAULT.iter().map(|key| key.to_string());
                x.chain(y).chain(self.size.clone()).chain(default).collect()
            }
        }
    }

    fn draw(&self, comparison: &Comparison) -> Result<Chart> {
        let all = || columns::unknown(&comparison.columns, "");
        let column = |key: &str| comparison.column(key).ok_or_else(all);
        if let Some(key) = &self.bars {
            return bars::bars(comparison, column(key)?);
        }
        let (x, y) = scatter::default_keys(comparison);
        let axes = Axes {
            x: column(self.x.as_deref().unwrap_or(x))?,
            y: column(self.y.as_deref().unwrap_or(y))?,
            size: self.size.as_deref().map(column).transpose()?,
        };
        scatter::scatter(comparison, axes)
    }
}

/// An error where no model could be read; where some could, the others are rows with their reasons.
pub(crate) fn run(args: &CompareArgs) -> Result<bool> {
    let written: Vec<&Path> = [args.output.path()].into_iter().chain(args.chart.as_deref()).collect();
    keep_apart(&written, args.of.files())?;
    let given = args.of.given()?;
    let columns = columns_for(&args.of.columns, given.as_ref())?;
    let sort = args.sort.as_deref().map(|sort| match sort.strip_prefix('-') {
        Some(key) => (key, !args.reverse),
        None => (sort, args.reverse),
    });
    args.chart.as_deref().map(chart::kind).transpose()?;
    if args.asks() && args.chart.is_none() && !args.is_page() {
        let reason = "--x, --y, --size and --bars say what a chart shows: give --chart FILE.svg, or --format html";
        return Err(Error::new(reason));
    }
    // Columns that are only sorted by or drawn are filled, and left out.
    let mut filled = columns.clone();
    for key in sort.iter().map(|(key, _)| key.to_string()).chain(args.drawn()) {
        if filled.iter().all(|column| column.key != key) {
            filled.extend(columns_for(&[key], given.as_ref())?);
        }
    }
    let named = args.of.columns.iter().chain([&args.x, &args.y, &args.size, &args.bars].into_iter().flatten());
    let named = named.map(String::as_str).chain(sort.map(|(key, _)| key));
    let mut comparison = args.of.ask(filled, named, given.as_ref(), args.of.machine.latency)?;
    if let Some((key, greatest_first)) = sort
        && let Some(column) = comparison.column(key)
    {
        comparison.sort(column, greatest_first);
    }
    let charts = match () {
        () if args.chart.is_some() || (args.is_page() && args.asks()) => {
            args.draw(&comparison).map(|chart| vec![chart])
        }
        () if args.is_page() => Ok(args.charts(&comparison)),
        () => Ok(Vec::new()),
    };
    comparison.keep(|column| columns.iter().any(|other| other.key == column.key));
    if args.of.columns.is_empty() {
        let unasked = (!args.of.machine.latency).then_some("latency_ms");
        let unpublished = ["roofline_ms", "official_macs", "official_params", "top1"];
        comparison.drop_unknown(&unasked.into_iter().chain(unpublished).collect::<Vec<_>>());
    }
    if let Some(reference) = &args.relative_to {
        comparison.relate(reference)?;
    }
    comparison.with_totals = args.totals;
    let drawn = charts.as_deref().unwrap_or_default();
    let style = Style { charts: drawn, ..style(&args.output, plain(), args.exact, None) };
    let (_, render) = COMPARISONS.iter().find(|(name, _)| *name == args.output.format).unwrap_or(&COMPARISONS[0]);
    emit(&render(&comparison, &style), args.output.output.as_deref())?;
    // These two have no place for it.
    if matches!(args.output.format.as_str(), "html" | "latex") {
        let unmeasured =
            comparison.models.iter().filter_map(|model| model.latency_error.as_ref().map(|of| (model, of)));
        unmeasured.for_each(|(model, reason)| note(&format!("{}: not measured: {reason}", model.path)));
    }
    all_measured(comparison.models.iter().any(|model| model.latency_error.is_some()))?;
    // The table says why, and a chart that cannot be drawn does not hide it.
    let errors: Vec<Error> = comparison.models.iter().filter_map(|model| model.entries.clone().err()).collect();
    if errors.len() == comparison.models.len() {
        return Err(first_of(errors, "read"));
    }
    if let (Some(chart), Some(path)) = (charts?.first(), &args.chart) {
        chart::write(chart, path)?;
    }
    Ok(true)
}
