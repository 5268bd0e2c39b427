//! `lwstat MODEL`: the account of one model.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use lwstat::charts::{Chart, roofline, timeline, treemap};
use lwstat::cost::{self, METRICS};
use lwstat::device::Device;
use lwstat::render::Style;
use lwstat::render::number::{clean, plural};
use lwstat::summary::{By, View};
use lwstat::{Error, Report, Result, figures};

use super::chart;
use super::measure::{MachineArgs, all_measured, measure};
use super::shared::{FixedArgs, OutputArgs, emit, format, keep_apart, open, style};

#[derive(Args)]
pub(crate) struct ReportArgs {
    /// Model file, or - for standard input
    #[arg(required = true, value_name = "MODEL")]
    pub(crate) model: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) fixed: FixedArgs,
    /// Group nodes by operator, by module, or not at all
    #[arg(long, value_enum, default_value_t = ByArg::Op)]
    pub(crate) by: ByArg,
    /// Deepest level of the module tree that is shown
    #[arg(long, default_value_t = 2, value_name = "N")]
    pub(crate) depth: usize,
    /// Sort by this metric, the largest first (see lwstat metrics), by latency_ms or by roofline_ms
    #[arg(long, value_name = "KEY")]
    pub(crate) sort: Option<String>,
    /// Show only the first N rows [text and md: 12 operators, all modules, 40 nodes]
    #[arg(long, value_name = "N")]
    pub(crate) top: Option<usize>,
    /// All digits instead of prefixes (M, MiB)
    #[arg(long)]
    pub(crate) exact: bool,
    /// Show how low the peak of the activation memory can be brought: in place, best order, lower bound, arena
    #[arg(long)]
    pub(crate) memory: bool,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
    /// Write a chart to this file, FILE.svg or FILE.png
    #[arg(long, value_name = "FILE")]
    pub(crate) chart: Option<PathBuf>,
    /// What the chart shows: memory (needs --memory), roofline (needs --device), or by module down to --depth: a metric (see
    /// lwstat metrics), roofline_ms (needs --device), latency_ms (needs --latency)
    #[arg(long, value_name = "KIND", default_value = "macs", requires = "chart")]
    pub(crate) chart_kind: String,
    /// Exit 1 unless every node's cost is exact
    #[arg(long)]
    pub(crate) strict: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum ByArg {
    Op,
    Scope,
    Node,
}

impl ReportArgs {
    pub(crate) fn view(&self) -> View {
        let people = matches!(self.output.format.as_str(), "text" | "md");
        let (by, top) = match self.by {
            ByArg::Op => (By::Op, 12),
            ByArg::Scope => (By::Scope, usize::MAX),
            ByArg::Node => (By::Node, 40),
        };
        View { by, depth: self.depth, sort: self.sort.clone(), top: self.top.or(people.then_some(top)) }
    }

    /// All charts that can be drawn of what is known.
    fn charts(&self, report: &Report, device: Option<&Device>) -> Vec<Chart> {
        let parts = ["macs", "params", "memory_access_bytes"].iter().chain(treemap::TIMES);
        let modules = parts.filter_map(|part| treemap::treemap(report, part, self.depth).ok());
        let memory = report.memory.as_ref().filter(|_| self.memory).map(|plan| timeline::timeline(report, plan));
        let roofline = device.and_then(|device| roofline::roofline(report, device).ok());
        modules.chain(memory).chain(roofline).collect()
    }

    fn draw(&self, report: &Report, device: Option<&Device>) -> Result<Chart> {
        match &*self.chart_kind {
            "roofline" => roofline::roofline(report, device.ok_or_else(roofline::needs_device)?),
            "memory" => match report.memory.as_ref().filter(|_| self.memory) {
                Some(plan) => Ok(timeline::timeline(report, plan)),
                None => Err(Error::new("the memory is drawn as it is planned: give --memory")),
            },
            part if treemap::TIMES.contains(&part) || cost::index_of(part).is_some() => {
                treemap::treemap(report, part, self.depth)
            }
            other => {
                let parts = METRICS.iter().map(|metric| metric.key).chain(treemap::TIMES.iter().copied());
                let kinds: Vec<&str> = ["memory", "roofline"].into_iter().chain(parts).collect();
                Err(Error::new(format!("--chart-kind {other}: choose one of {}", kinds.join(", "))))
            }
        }
    }
}

/// `Ok(false)` where `--strict` asks for more than is known.
pub(crate) fn run(args: &ReportArgs) -> Result<bool> {
    let written: Vec<&Path> = [args.output.path()].into_iter().chain(args.chart.as_deref()).collect();
    keep_apart(&written, args.model.as_deref().into_iter().chain(args.machine.file()))?;
    args.chart.as_deref().map(chart::kind).transpose()?;
    let model = open(args.model.as_deref().unwrap_or(Path::new("-")), &args.fixed)?;
    let bindings = args.fixed.bindings()?;
    model.check_dims(&bindings)?;
    let device = args.machine.device(args.machine.latency)?;
    let plan = args.memory || device.is_some();
    let mut report = if plan { model.report_with_plan(&bindings)? } else { model.report(&bindings)? };
    if let Some(device) = &device {
        report.place_on(device);
    }
    if args.machine.latency {
        match measure(&model, &bindings, &args.machine.runs) {
            Ok(latency) => report.latency = Some(latency),
            Err(error) => {
                let _ = writeln!(std::io::stderr(), "{}", clean(&error.to_string()));
                report.latency_error = Some(error.without_file().to_string());
            }
        }
    }
    if let Some(path) = &args.chart {
        chart::write(&args.draw(&report, device.as_ref())?, path)?;
    }
    let figures = figures::find(&report.model.name, false)?;
    let charts = if args.output.format == "html" { args.charts(&report, device.as_ref()) } else { Vec::new() };
    let style =
        Style { plan: args.memory, charts: &charts, ..style(&args.output, args.view(), args.exact, figures.as_ref()) };
    emit(&(format(&args.output).report)(&report, &style)?, args.output.output.as_deref())?;
    all_measured(report.latency_error.is_some())?;
    let exact = report.totals.at_least.is_empty() && report.coverage.bounded == 0 && report.coverage.unknown == 0;
    if args.strict && !exact {
        let (unknown, bounded) = (report.coverage.unknown, report.coverage.bounded);
        let unknown = plural(unknown, "node");
        let reason = format!("{}: not exact: {unknown} unknown, {bounded} bounded", report.model.path);
        let _ = writeln!(std::io::stderr(), "{}", clean(&reason));
    }
    Ok(exact || !args.strict)
}
