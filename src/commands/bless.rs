//! `lwstat bless`: the models as they are become the baseline.

use std::io::{BufWriter, Write};

use clap::Args;
use lwstat::check::baseline::{Baseline, Writer};
use lwstat::check::config::Config;
use lwstat::check::findings::{Level, Outcome};
use lwstat::check::gate::{Question, bless};
use lwstat::render::finding_text;
use lwstat::render::number::{clean, plural};
use lwstat::{Error, Result};

use super::check::{ConfigArgs, read};
use super::shared::{emit_if, keep_apart};

#[derive(Args)]
pub(crate) struct BlessArgs {
    /// Accept these models alone, by path from the configuration or by name; the baseline keeps the others as they are
    #[arg(value_name = "MODEL")]
    pub(crate) models: Vec<String>,
    /// Accept models that break a budget, or another rule that is no limit, too
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// An error, and no baseline written, where a model could not be read, or breaks what no baseline can allow.
pub(crate) fn run(args: &BlessArgs) -> Result<bool> {
    let mut config = args.config.read()?;
    keep_apart(&[&config.baseline], read(&config))?;
    // The file has its entries in this order.
    config.targets.sort_by(|a, b| a.key.cmp(&b.key));
    let kept = keep(args, &mut config)?;
    let mut said = String::new();
    let write = |file: &mut dyn Write| {
        let (differs, text) = write(args, &config, kept, &mut BufWriter::new(file))?;
        said = text;
        Ok(differs)
    };
    emit_if(write, &config.baseline)?;
    super::print(&said)
}

/// Leaves the models that are to be accepted in the configuration, and says which others the baseline keeps.
fn keep(args: &BlessArgs, config: &mut Config) -> Result<Vec<String>> {
    if args.models.is_empty() {
        return Ok(Vec::new());
    }
    let is_accepted = |key: &String| args.models.contains(key);
    if let Some(unknown) = args.models.iter().find(|model| !config.targets.iter().any(|target| target.key == **model)) {
        let known: Vec<&str> = config.targets.iter().take(20).map(|target| &*target.key).collect();
        let more = if config.targets.len() > known.len() { ", …" } else { "" };
        let known = known.join(", ");
        let reason = format!("{} has no model \"{unknown}\": it has {known}{more}", config.path);
        return Err(Error::new(reason));
    }
    config.missing.clear();
    let kept = config.targets.iter().map(|target| &target.key).filter(|key| !is_accepted(key)).cloned().collect();
    config.targets.retain(|target| is_accepted(&target.key));
    Ok(kept)
}

/// Writes the baseline; whether it differs from the one that is there, and what is to be said.
fn write(args: &BlessArgs, config: &Config, kept: Vec<String>, out: &mut dyn Write) -> Result<(bool, String)> {
    let before = match Baseline::read(&config.baseline) {
        // What cannot be read is written anew, where nothing of it is kept.
        Err(_) if args.models.is_empty() => None,
        before => before?,
    };
    let keep = |key: &str| kept.binary_search_by(|kept| (**kept).cmp(key)).is_ok();
    let mut writer = Writer::new(out, &config.baseline, before.as_ref(), &keep)?;
    let (mut accepted, mut changed) = (0, 0);
    let mut accept = |key: &str, entry: &str| {
        accepted += 1;
        let old = before.as_ref().and_then(|before| before.text(key).ok().flatten());
        changed += usize::from(old.as_deref() != Some(entry));
        writer.add(key, entry)
    };
    let run = |question: &Question<'_>| bless(config, question, &mut accept);
    let outcome = args.config.ask(config.targets.len(), None, run)?;
    refuse(args, &outcome)?;
    let path = clean(&config.baseline.display().to_string());
    if !writer.end()? {
        return Ok((false, format!("{path}: nothing changed\n")));
    }
    let models = plural(accepted, "model");
    let gone = if changed == 0 { ", entries of models that are gone taken out" } else { "" };
    Ok((true, format!("{path}: {models} accepted, {changed} new or changed{gone}\n")))
}

/// An error where something could not be found out, or is broken that no baseline can allow.
fn refuse(args: &BlessArgs, outcome: &Outcome) -> Result<()> {
    let worst = |level: Level| outcome.findings().filter(move |finding| finding.level == level);
    let more = |count: usize| if count > 1 { format!(" (and {} more)", count - 1) } else { String::new() };
    if let Some(first) = worst(Level::Error).next() {
        return Err(Error::new(format!("{}{}", finding_text(first), more(worst(Level::Error).count()))));
    }
    match worst(Level::Fail).next().filter(|_| !args.force) {
        None => Ok(()),
        Some(first) => {
            let reason = format!("{}{}", finding_text(first), more(worst(Level::Fail).count()));
            Err(Error::new(format!("nothing is accepted: {reason}; --force accepts it all the same")))
        }
    }
}
