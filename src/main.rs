//! The program: which command, its exit code.

use std::io::Write;
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Parser, Subcommand};
use lwstat::render::{CHECKS, COMPARISONS, CORRELATIONS, DIFFS, Formats, number::clean, tables};

use crate::commands::{annotate, bless, check, compare, correlate, diff, init, lint, measure, print, report, verify};

mod commands;

/// The exact static cost of an ONNX model: MACs, FLOPs, parameters, activations, memory access.
///
/// Exit codes: 0 done and within bounds; 1 a check that was asked for did not hold; 2 could not run.
#[derive(Parser)]
#[command(
    name = "lwstat",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    report: report::ReportArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Hold counts against published figures; exits 1 where one deviates and no fixture records why
    Verify(verify::VerifyArgs),
    /// Hold a model against ShuffleNetV2's guidelines G1–G4; exits 1 where a denied one is not kept
    Lint(lint::LintArgs),
    /// Hold models against their budgets and the baseline; exits 1 where one is broken, 2 where one could not be judged
    #[command(mut_arg("format", |arg| arg.value_parser(names(CHECKS))))]
    Check(check::CheckArgs),
    /// Accept the models as they are: write the baseline that lwstat check holds them against
    Bless(bless::BlessArgs),
    /// Write a first lwstat.yaml from the models found here
    Init(init::InitArgs),
    /// Set models side by side; exits 0 where one could be read at least, the others are rows with their reasons
    #[command(mut_arg("format", |arg| arg.value_parser(names(COMPARISONS))))]
    Compare(compare::CompareArgs),
    /// Write shapes and costs into a copy of a model, for viewers such as Netron; or node data for Model Explorer
    Annotate(annotate::AnnotateArgs),
    /// Say which column orders models as their latency does, or as another column: rank and linear correlation
    #[command(mut_arg("format", |arg| arg.value_parser(names(CORRELATIONS))))]
    Correlate(correlate::CorrelateArgs),
    /// Say what changed from one model to another, block by block
    #[command(mut_arg("format", |arg| arg.value_parser(names(DIFFS))))]
    Diff(diff::DiffArgs),
    /// Run models on this machine with tract and show how long they take
    Measure(measure::MeasureArgs),
    /// Print the operator table: what counts as MACs and FLOPs for every operator
    Ops,
    /// Print the metric table: the rule of every metric
    Metrics,
    /// Print the built-in devices: rates, memories, sources
    Devices,
    /// Print the table of columns: what compare can show of a model
    Columns,
    /// Print the JSON schema of --format json, of lwstat.yaml, or of check --format json
    Schema {
        /// Of what
        #[arg(default_value = "report", value_parser = ["report", "config", "check"])]
        of: String,
    },
}

/// The formats of a command that has its own.
fn names<T>(formats: Formats<T>) -> PossibleValuesParser {
    PossibleValuesParser::new(formats.iter().map(|(name, _)| *name))
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match &cli.command {
        None => report::run(&cli.report),
        Some(Command::Verify(args)) => verify::run(args),
        Some(Command::Lint(args)) => lint::run(args),
        Some(Command::Check(args)) => check::run(args),
        Some(Command::Bless(args)) => bless::run(args),
        Some(Command::Init(args)) => init::run(args),
        Some(Command::Compare(args)) => compare::run(args),
        Some(Command::Annotate(args)) => annotate::run(args),
        Some(Command::Correlate(args)) => correlate::run(args),
        Some(Command::Diff(args)) => diff::run(args),
        Some(Command::Columns) => print(&tables::columns()),
        Some(Command::Measure(args)) => measure::run(args),
        Some(Command::Ops) => print(&tables::operators()),
        Some(Command::Metrics) => print(&tables::metrics()),
        Some(Command::Devices) => tables::devices().and_then(|text| print(&text)),
        Some(Command::Schema { of }) => {
            let schema = match &**of {
                "config" => lwstat::check::file::schema(),
                "check" => lwstat::render::check_schema(),
                _ => lwstat::report::schema(),
            };
            print(&format!("{:#}\n", schema.to_value()))
        }
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {}", clean(&error.to_string()));
            ExitCode::from(2)
        }
    }
}
