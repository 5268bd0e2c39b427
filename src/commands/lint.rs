//! `lwstat lint`: a model held against ShuffleNetV2's guidelines.

use std::path::PathBuf;

use clap::Args;
use lwstat::guidelines::{self, Level, RULES};
use lwstat::{Error, Result};

use super::shared::{FixedArgs, OutputArgs, emit, format, open, plain, style};

#[derive(Args)]
pub(crate) struct LintArgs {
    /// Model file, or - for standard input
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,
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
    args.output.keeps([args.model.as_path()])?;
    let model = open(&args.model, &args.fixed)?;
    let bindings = args.fixed.bindings()?;
    model.check_dims(&bindings)?;
    let report = model.report(&bindings)?;
    let linted = guidelines::judge(&report, &levels, args.from / 100.0);
    let linted = linted.ok_or_else(|| report.open_sizes("guidelines can be judged"))?;
    let text = (format(&args.output).guidelines)(&linted, &style(&args.output, plain(), false, None));
    emit(&text, args.output.output.as_deref())?;
    Ok(linted.rules.iter().all(|judged| judged.level != Level::Deny || judged.kept))
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
