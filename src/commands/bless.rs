//! `lwstat bless`: the models as they are become the baseline.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use lwstat::check::baseline::Baseline;
use lwstat::check::findings::{Checked, Level};
use lwstat::render::finding_text;
use lwstat::render::number::clean;
use lwstat::{Error, Result};

use super::check::ConfigArgs;
use super::shared::emit;

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
    let present: BTreeSet<String> = config.targets.iter().map(|target| target.key.clone()).collect();
    let mut old = Baseline::default();
    let mut kept = BTreeSet::new();
    if !args.models.is_empty() {
        if let Some(unknown) = args.models.iter().find(|model| !present.contains(*model)) {
            let known: Vec<&str> = present.iter().take(20).map(String::as_str).collect();
            let more = if present.len() > known.len() { ", …" } else { "" };
            let known = known.join(", ");
            let reason = format!("{} has no model \"{unknown}\": it has {known}{more}", config.path);
            return Err(Error::new(reason));
        }
        config.targets.retain(|target| args.models.contains(&target.key));
        config.missing.clear();
        old = Baseline::read(&config.baseline)?.unwrap_or_default();
        kept = present.difference(&args.models.iter().cloned().collect()).cloned().collect();
    }
    let outcome = args.config.check(&config, None, true);
    let worst = |level: Level| outcome.findings().filter(move |finding| finding.level == level);
    let more = |count: usize| if count > 1 { format!(" (and {} more)", count - 1) } else { String::new() };
    if let Some(first) = worst(Level::Error).next() {
        return Err(Error::new(format!("{}{}", finding_text(first), more(worst(Level::Error).count()))));
    }
    if let Some(first) = worst(Level::Fail).next().filter(|_| !args.force) {
        let reason = format!("{}{}", finding_text(first), more(worst(Level::Fail).count()));
        return Err(Error::new(format!("nothing is accepted: {reason}; --force accepts it all the same")));
    }
    let entry = |model: Checked| Some((model.key, model.entry?));
    let entries: BTreeMap<String, String> = outcome.models.into_iter().filter_map(entry).collect();
    let text = old.with(&entries, &kept);
    let path = config.baseline.display().to_string();
    // What cannot be read is written anew.
    let before = Baseline::read(&config.baseline).ok().flatten();
    if before.as_ref().is_some_and(|before| before.is(&text)) {
        return super::print(&format!("{}: nothing changed\n", clean(&path)));
    }
    emit(&text, Some(&config.baseline))?;
    let changed = match &before {
        Some(before) => entries.iter().filter(|(key, text)| !before.has(key, text)).count(),
        None => entries.len(),
    };
    let models = |count: usize| if count == 1 { "1 model".to_string() } else { format!("{count} models") };
    let gone = if changed == 0 { ", entries of models that are gone taken out" } else { "" };
    super::print(&format!("{}: {} accepted, {changed} new or changed{gone}\n", clean(&path), models(entries.len())))
}
