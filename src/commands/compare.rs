//! `lwstat compare`: many models side by side.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args;
use lwstat::charts::scatter::{self, Axes};
use lwstat::charts::{Chart, bars};
use lwstat::columns::{self, Column};
use lwstat::compare::{Comparison, Question, columns_for, compare, sources};
use lwstat::model::sentence;
use lwstat::render::{COMPARISONS, Style};
use lwstat::user_figures::UserFigures;
use lwstat::{Error, Result, device};

use super::chart;
use super::shared::{FixedArgs, OutputArgs, emit, open, plain, style};

#[derive(Args)]
pub(crate) struct CompareArgs {
    /// Model files, directories (their .onnx files, at any depth), patterns, or - for standard input
    #[arg(required = true, value_name = "MODEL")]
    pub(crate) models: Vec<PathBuf>,
    /// Columns to show, see lwstat columns [default: the main ones, and all of --figures]
    #[arg(long, value_name = "KEY", value_delimiter = ',')]
    pub(crate) columns: Vec<String>,
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
    /// Fill the column roofline_ms for this device (see lwstat devices)
    #[arg(long, value_name = "NAME|FILE.yaml")]
    pub(crate) device: Option<String>,
    /// Add columns from this file, by model name: models: {NAME: {KEY: NUMBER}}
    #[arg(long, value_name = "FILE")]
    pub(crate) figures: Option<PathBuf>,
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
    pub(crate) fixed: FixedArgs,
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
    args.output.keeps(args.models.iter().chain(&args.figures).map(PathBuf::as_path))?;
    let given = args.figures.as_ref().map(|path| {
        let label = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| Error::new(sentence(&error)).in_file(&label))?;
        UserFigures::parse(&text, &label, &columns::all())
    });
    let given = given.transpose()?;
    let columns = columns_for(&args.columns, given.as_ref())?;
    if args.device.is_none()
        && args.columns.iter().chain(&args.sort).any(|key| key.trim_start_matches('-') == "roofline_ms")
    {
        return Err(Error::new("roofline_ms is the time on a device: give --device, see lwstat devices"));
    }
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
    let mut comparison = ask(args, filled, given.as_ref())?;
    if let Some((key, greatest_first)) = sort
        && let Some(column) = comparison.column(key)
    {
        comparison.sort(column, greatest_first);
    }
    let chart = match (&args.chart, args.is_page()) {
        (Some(path), _) => {
            let chart = args.draw(&comparison)?;
            chart::write(&chart, path)?;
            Some(chart)
        }
        (None, true) if args.asks() => Some(args.draw(&comparison)?),
        // What a page shows unasked is there where it can be drawn.
        (None, true) => args.draw(&comparison).ok(),
        (None, false) => None,
    };
    comparison.keep(|column| columns.iter().any(|other| other.key == column.key));
    if args.columns.is_empty() {
        comparison.drop_unknown(&["roofline_ms", "official_macs", "official_params", "top1"]);
    }
    if let Some(reference) = &args.relative_to {
        comparison.relate(reference)?;
    }
    comparison.with_totals = args.totals;
    let style = Style { charts: chart.as_slice(), ..style(&args.output, plain(), args.exact, None) };
    let (_, render) = COMPARISONS.iter().find(|(name, _)| *name == args.output.format).unwrap_or(&COMPARISONS[0]);
    emit(&render(&comparison, &style), args.output.output.as_deref())?;
    if comparison.models.iter().all(|model| model.entries.is_err()) {
        return Err(Error::new("none of the models could be read: the reasons stand in the table"));
    }
    Ok(true)
}

/// Analyzes the models, with a bar on a terminal.
fn ask(args: &CompareArgs, columns: Vec<Column>, given: Option<&UserFigures>) -> Result<Comparison> {
    let sources = sources(&args.models);
    let bar = match std::io::stderr().is_terminal() {
        true => indicatif::ProgressBar::new(sources.len() as u64),
        false => indicatif::ProgressBar::hidden(),
    };
    let bindings = args.fixed.bindings()?;
    let device = args.device.as_deref().map(device::named).transpose()?;
    let device = device.as_ref();
    let question = Question {
        columns,
        bindings: &bindings,
        device,
        given,
        open: &|path| open(path, &args.fixed),
        done: &|| bar.inc(1),
    };
    let comparison = compare(&sources, question);
    bar.finish_and_clear();
    comparison
}
