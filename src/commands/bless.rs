//! `lwstat bless`: the models as they are become the baseline.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, ErrorKind, Seek, Write};
use std::path::Path;

use clap::Args;
use lwstat::check::baseline::{self, Baseline, Writer};
use lwstat::check::config::Config;
use lwstat::check::findings::{Level, Outcome};
use lwstat::check::gate::{Question, bless};
use lwstat::model::sentence;
use lwstat::render::finding_text;
use lwstat::render::number::{clean, plural};
use lwstat::{Error, Result};

use super::check::{ConfigArgs, read};
use super::shared::{emit_with, folder, is_standard_output, keep_apart, note};

#[derive(Args)]
pub(crate) struct BlessArgs {
    /// Accept these models alone, by path or as the baseline calls them; it keeps all its other entries
    #[arg(value_name = "MODEL")]
    pub(crate) models: Vec<String>,
    /// Accept models that break a budget, or another rule that is no limit, too; overwrite a file that is no baseline
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// An error, and no baseline written, where a model could not be read, or breaks what no baseline can allow.
pub(crate) fn run(args: &BlessArgs) -> Result<bool> {
    let mut config = args.config.read()?;
    let place = config.baseline.clone();
    keep_apart(&[&place], read(&config))?;
    if !args.models.is_empty() {
        let here = std::env::current_dir().map_err(|error| Error::new(sentence(&error)))?;
        config.keep_only(&args.models, &here)?;
    }
    // The file has its entries in this order.
    config.targets.sort_by(|a, b| a.key.cmp(&b.key));
    let label = place.display().to_string();
    let fail = |error: std::io::Error| Error::new(sentence(&error)).in_file(&label);
    // It has no name, so that nothing is left of it however the run ends.
    let is_stream = is_standard_output(&place) || place.metadata().is_ok_and(|it| !it.is_file() && !it.is_dir());
    let scratch = if is_stream { tempfile::tempfile() } else { tempfile::tempfile_in(folder(&place)) };
    let mut scratch = scratch.map_err(fail)?;
    let before = if is_stream { None } else { before(args, &place)? };
    let (differs, said) = write(args, &config, before.as_ref(), &mut BufWriter::new(&mut scratch))?;
    if differs {
        scratch.rewind().map_err(fail)?;
        let copy = |file: &mut dyn Write| match std::io::copy(&mut &scratch, file) {
            // The reader has seen enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            other => other.map(|_| ()).map_err(fail),
        };
        emit_with(&copy, &place)?;
    }
    if is_standard_output(&place) {
        note(said.trim_end());
        return Ok(true);
    }
    super::print(&said)
}

/// The baseline that is there; `None` where it is written anew. An error where something else would be overwritten.
fn before(args: &BlessArgs, path: &Path) -> Result<Option<Baseline>> {
    match Baseline::read(path) {
        Err(_) if args.models.is_empty() && (baseline::is_damaged(path) || (args.force && path.is_file())) => Ok(None),
        Err(_) if args.models.is_empty() && path.is_file() && File::open(path).is_ok() => {
            let reason = "it is no baseline, or one of a later lwstat: --force overwrites it";
            Err(Error::new(reason).in_file(&path.display().to_string()))
        }
        before => before,
    }
}

/// Writes the baseline; whether it differs from the one that is there, and what is to be said.
fn write(args: &BlessArgs, config: &Config, before: Option<&Baseline>, out: &mut dyn Write) -> Result<(bool, String)> {
    let accepted: BTreeSet<&str> = config.targets.iter().map(|target| &*target.key).collect();
    // Where some models are accepted, all other entries stay, those of models that are gone, too.
    let keep = |key: &str| !args.models.is_empty() && !accepted.contains(key);
    let mut writer = Writer::new(out, &config.baseline, before, &keep)?;
    let (mut accepted, mut changed) = (0, 0);
    let mut accept = |key: &str, entry: &str| {
        accepted += 1;
        let old = before.and_then(|before| before.text(key).ok().flatten());
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
