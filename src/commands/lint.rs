//! `lwstat lint`: a model held against ShuffleNetV2's guidelines.

use std::path::PathBuf;

use clap::Args;
use lwstat::guidelines::{self, Level, RULES};
use lwstat::render::number::plural;
use lwstat::render::{EXPERIMENTS, Experiments};
use lwstat::{Error, Result, experiments};

use super::measure::{RunArgs, measure};
use super::shared::{FixedArgs, OutputArgs, emit, format, keep_apart, open, plain, style};

#[derive(Args)]
pub(crate) struct LintArgs {
    /// Model file, or - for standard input
    #[arg(value_name = "MODEL", required_unless_present = "measure", conflicts_with = "measure")]
    pub(crate) model: Option<PathBuf>,
    /// Exit 1 where one of these (G1, G2, G3, G4, all) has findings that together reach --from
    #[arg(long, value_name = "RULE", value_delimiter = ',', value_parser = RULE_IDS)]
    pub(crate) deny: Vec<String>,
    /// Show the findings of these, whatever --deny all or --allow all say; every rule is shown by default
    #[arg(long, value_name = "RULE", value_delimiter = ',', value_parser = RULE_IDS)]
    pub(crate) warn: Vec<String>,
    /// Leave these out
    #[arg(long, value_name = "RULE", value_delimiter = ',', value_parser = RULE_IDS)]
    pub(crate) allow: Vec<String>,
    /// Share of the model's memory access, in per cent, from which the findings of a denied rule count
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = percent)]
    pub(crate) from: f64,
    /// Run the controlled experiments behind the guidelines on this machine instead, beside the paper's speeds
    #[arg(long)]
    pub(crate) measure: bool,
    #[command(flatten)]
    pub(crate) runs: RunArgs,
    #[command(flatten)]
    pub(crate) fixed: FixedArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

const RULE_IDS: [&str; 5] = ["G1", "G2", "G3", "G4", "all"];

fn percent(text: &str) -> std::result::Result<f64, String> {
    text.parse().ok().filter(|percent| (0.0..=100.0).contains(percent)).ok_or_else(|| "write 0 to 100".to_string())
}

/// `Ok(false)` where a denied guideline is not kept.
pub(crate) fn run(args: &LintArgs) -> Result<bool> {
    let levels: Vec<Level> = RULES.iter().map(|rule| level(args, rule.id)).collect::<Result<_>>()?;
    args.runs.needs(args.measure, "--measure")?;
    let Some(path) = &args.model else { return experiment(args, &levels) };
    keep_apart(&[args.output.path()], [path])?;
    let model = open(path, &args.fixed)?;
    let bindings = args.fixed.bindings()?;
    model.check_dims(&bindings)?;
    let report = model.report(&bindings)?;
    let linted = guidelines::judge(&report, &levels, args.from / 100.0);
    let linted = linted.ok_or_else(|| report.open_sizes("guidelines can be judged"))?;
    let text = (format(&args.output).guidelines)(&linted, &style(&args.output, plain(), false, None));
    emit(&text, args.output.output.as_deref())?;
    Ok(linted.rules.iter().all(|judged| judged.level != Level::Deny || judged.kept))
}

/// Runs the paper's experiments of the guidelines that are not allowed.
fn experiment(args: &LintArgs, levels: &[Level]) -> Result<bool> {
    let mut conditions = String::new();
    let mut outcomes = Vec::new();
    let level = |rule: &str| RULES.iter().zip(levels).find(|(other, _)| other.id == rule).map(|(_, level)| *level);
    for experiment in experiments::all().iter().filter(|of| level(of.rule) != Some(Level::Allow)) {
        let outcome = experiments::run(experiment, &mut |model| {
            let latency = measure(model, &lwstat::Bindings::default(), &args.runs)?;
            conditions = format!(
                "{} {} on {}, {}. A verdict needs a difference beyond the noise of the runs.",
                latency.backend,
                latency.version,
                latency.cpu,
                plural(latency.threads, "thread")
            );
            Ok((latency.median_ms, (latency.p90_ms - latency.p10_ms) / 2.0 / latency.median_ms))
        })?;
        outcomes.push(outcome);
    }
    let run = Experiments { conditions, outcomes };
    let (_, render) = EXPERIMENTS.iter().find(|(name, _)| *name == args.output.format).ok_or_else(|| {
        Error::new(format!("--measure: there is no format {}: choose text, md, csv or json", args.output.format))
    })?;
    emit(&render(&run, &style(&args.output, plain(), false, None)), args.output.output.as_deref())?;
    Ok(true)
}

/// The level of a rule: what names it outweighs what names all.
fn level(args: &LintArgs, rule: &str) -> Result<Level> {
    let named = [(&args.deny, Level::Deny), (&args.warn, Level::Warn), (&args.allow, Level::Allow)];
    for word in [rule, "all"] {
        let mut given = named.iter().filter(|(rules, _)| rules.iter().any(|other| other == word));
        match (given.next(), given.next()) {
            (None, _) => {}
            (Some((_, level)), None) => return Ok(*level),
            (Some(_), Some(_)) => {
                return Err(Error::new(format!(
                    "{word} is given two levels: name it in one of --deny, --warn, --allow"
                )));
            }
        }
    }
    Ok(Level::Warn)
}
