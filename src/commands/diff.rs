//! `lwstat diff`: what changed from one model to another.

use std::path::PathBuf;

use clap::Args;
use lwstat::compare::absent_dims;
use lwstat::diff::diff;
use lwstat::render::DIFFS;
use lwstat::summary::View;
use lwstat::{Error, Result};

use super::shared::{FixedArgs, OutputArgs, emit, is_standard, keep_apart, open, plain, style};

#[derive(Args)]
pub(crate) struct DiffArgs {
    /// Model file, or - for standard input
    #[arg(value_name = "OLD")]
    pub(crate) old: PathBuf,
    /// Model file, or - for standard input
    #[arg(value_name = "NEW")]
    pub(crate) new: PathBuf,
    /// Show only the N changes that weigh most [text and md: 20; json has all]
    #[arg(long, value_name = "N")]
    pub(crate) top: Option<usize>,
    /// All digits instead of prefixes (M, MiB)
    #[arg(long)]
    pub(crate) exact: bool,
    #[command(flatten)]
    pub(crate) fixed: FixedArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

pub(crate) fn run(args: &DiffArgs) -> Result<bool> {
    keep_apart(&[args.output.path()], [&args.old, &args.new])?;
    let bindings = args.fixed.bindings()?;
    if is_standard(&args.old) && is_standard(&args.new) {
        let reason = "both models are standard input, which can be read once: give a file for one of them";
        return Err(Error::new(reason));
    }
    let (old, new) = (open(&args.old, &args.fixed)?, open(&args.new, &args.fixed)?);
    let (nowhere, also) = (absent_dims(&old, &bindings), absent_dims(&new, &bindings));
    if let Some(name) = nowhere.iter().find(|name| also.contains(name)) {
        return Err(Error::new(format!("--dim {name}: neither model has a free dimension of this name")));
    }
    let difference = diff(&old.report(&bindings)?, &new.report(&bindings)?);
    let style = style(&args.output, View { top: args.top, ..plain() }, args.exact, None);
    let (_, render) = DIFFS.iter().find(|(name, _)| *name == args.output.format).unwrap_or(&DIFFS[0]);
    emit(&render(&difference, &style), args.output.output.as_deref())?;
    Ok(true)
}
