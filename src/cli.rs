//! The command line: what can be asked, in clap's words.

use clap::{Args, Parser, Subcommand, ValueEnum};
use lwstat::infer::Bindings;
use lwstat::summary::{By, View};
use lwstat::{Dim, Error, Result};

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
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Hold counts against published figures; exits 1 where one deviates and no fixture records why
    Verify(VerifyArgs),
    /// Hold a model against ShuffleNetV2's guidelines G1–G4; exits 1 where a denied one is not kept
    Lint(LintArgs),
    /// Print the operator table: what counts as MACs and FLOPs for every operator
    Ops,
    /// Print the metric table: the rule of every metric
    Metrics,
    /// Print the JSON schema of --format json
    Schema,
}

#[derive(Args)]
pub(crate) struct ReportArgs {
    /// Model file, or - for standard input
    #[arg(required = true, value_name = "MODEL")]
    pub(crate) model: Option<std::path::PathBuf>,
    #[command(flatten)]
    pub(crate) fixed: FixedArgs,
    /// Group nodes by operator, by module, or not at all
    #[arg(long, value_enum, default_value_t = ByArg::Op)]
    pub(crate) by: ByArg,
    /// Deepest level of the module tree that is shown
    #[arg(long, default_value_t = 2, value_name = "N")]
    pub(crate) depth: usize,
    /// Sort by this metric, the largest first (see lwstat metrics)
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
    /// Exit 1 unless every node's cost is exact
    #[arg(long)]
    pub(crate) strict: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Args)]
pub(crate) struct LintArgs {
    /// Model file, or - for standard input
    #[arg(value_name = "MODEL")]
    pub(crate) model: std::path::PathBuf,
    /// Exit 1 where the findings of one of these (G1, G2, G3, G4) together reach the share of --from
    #[arg(long, value_name = "RULE", value_delimiter = ',', value_parser = RULE_IDS)]
    pub(crate) deny: Vec<String>,
    /// Leave these out
    #[arg(long, value_name = "RULE", value_delimiter = ',', value_parser = RULE_IDS)]
    pub(crate) allow: Vec<String>,
    /// Share of the model's memory access, in per cent, from which a denied guideline is not kept
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0)]
    pub(crate) from: f64,
    #[command(flatten)]
    pub(crate) fixed: FixedArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

const RULE_IDS: [&str; 4] = ["G1", "G2", "G3", "G4"];

#[derive(Args)]
pub(crate) struct VerifyArgs {
    /// Model files
    #[arg(required = true, value_name = "MODEL")]
    pub(crate) models: Vec<std::path::PathBuf>,
    /// Take the figures of this network instead of the one named as the file
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Take the figures from this fixture file
    #[arg(long, value_name = "FILE", conflicts_with = "name")]
    pub(crate) figures: Option<std::path::PathBuf>,
    #[command(flatten)]
    pub(crate) fixed: FixedArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Args)]
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
    #[arg(long, default_value = "text", value_parser = clap::builder::PossibleValuesParser::new(lwstat::render::FORMATS.iter().map(|format| format.name)))]
    pub(crate) format: String,
    /// Write to this file instead of standard output; it appears whole or not at all
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<std::path::PathBuf>,
    /// Colours in text
    #[arg(long, value_enum, default_value_t = ColorArg::Auto)]
    pub(crate) color: ColorArg,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum ByArg {
    Op,
    Scope,
    Node,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub(crate) enum ColorArg {
    Auto,
    Always,
    Never,
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
}

impl FixedArgs {
    /// The bindings that `--input` and `--dim` ask for.
    pub(crate) fn bindings(&self) -> Result<Bindings> {
        let mut bindings = Bindings::default();
        for text in &self.input {
            let (name, shape) = split(text, "--input", "NAME=1x3x224x224")?;
            let shape = match shape {
                "scalar" => Vec::new(),
                shape => shape
                    .split(['x', '×', ','])
                    .map(|size| size.trim().parse::<i64>().ok().filter(|size| *size >= 0).map(Dim::from))
                    .collect::<Option<Vec<_>>>()
                    .ok_or_else(|| {
                        Error::new(format!(
                            "--input {text}: \"{shape}\" is no shape: write NAME=1x3x224x224, or NAME=scalar"
                        ))
                    })?,
            };
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
