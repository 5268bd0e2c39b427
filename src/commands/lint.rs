//! `lwstat lint`: a model held against ShuffleNetV2's guidelines.

use std::path::PathBuf;

use clap::Args;
use lwstat::render::Linted;
use lwstat::{Error, Result, guidelines};

use super::shared::{FixedArgs, OutputArgs, emit, format, open, plain, style};

#[derive(Args)]
pub(crate) struct LintArgs {
    /// Model file, or - for standard input
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,
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

/// `Ok(false)` where a denied guideline is not kept.
pub(crate) fn run(args: &LintArgs) -> Result<bool> {
    if let Some(rule) = args.deny.iter().find(|rule| args.allow.contains(rule)) {
        return Err(Error::new(format!("{rule} is both denied and allowed: name it in one of the two")));
    }
    let model = open(&args.model, &args.fixed)?;
    let bindings = args.fixed.bindings()?;
    model.check_dims(&bindings)?;
    let mut findings = model.guidelines(&bindings)?;
    findings.retain(|finding| !args.allow.contains(&finding.rule));
    let view = plain();
    let linted = Linted { path: model.path, findings, allowed: args.allow.clone() };
    let text = (format(&args.output).guidelines)(&linted, &style(&args.output, view, false, None));
    emit(&text, args.output.output.as_deref())?;
    let share = |rule: &String| guidelines::share(&linted.findings, rule) * 100.0;
    Ok(!args.deny.iter().any(|rule| share(rule) >= args.from))
}
