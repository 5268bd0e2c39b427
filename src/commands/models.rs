//! What commands over many models share: which models, what is asked of them, and asking it.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args;
use lwstat::columns::{self, Column};
use lwstat::compare::{Comparison, Measure, Question, compare, names, normal, sources};
use lwstat::model::sentence;
use lwstat::user_figures::UserFigures;
use lwstat::{Error, Model, Result};

use super::measure::{MachineArgs, measure};
use super::shared::{FixedArgs, note, open};

#[derive(Args)]
pub(crate) struct ModelsArgs {
    /// Model files, directories (their .onnx files, at any depth), patterns, or - for standard input
    #[arg(required = true, value_name = "MODEL")]
    pub(crate) models: Vec<PathBuf>,
    /// Columns to show, see lwstat columns [default: the main ones, and all of --figures]
    #[arg(long, value_name = "KEY", value_delimiter = ',')]
    pub(crate) columns: Vec<String>,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
    /// Add columns from this file, by model name: models: {NAME: {KEY: NUMBER}}
    #[arg(long, value_name = "FILE")]
    pub(crate) figures: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) fixed: FixedArgs,
}

impl ModelsArgs {
    /// The files that are read.
    pub(crate) fn files(&self) -> impl Iterator<Item = PathBuf> {
        let models = self.models.iter().flat_map(|path| sources(std::slice::from_ref(path))).flatten();
        models.chain(self.figures.clone()).chain(self.machine.file().map(PathBuf::from))
    }

    /// What the user's file says.
    pub(crate) fn given(&self) -> Result<Option<UserFigures>> {
        let Some(path) = &self.figures else { return Ok(None) };
        let label = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| Error::new(sentence(&error)).in_file(&label))?;
        UserFigures::parse(&text, &label, &columns::all()).map(Some)
    }

    /// Fills these columns for all models, measured where `latency` says so, with a bar on a terminal. Errors: a column among
    /// `named`, which the user asked for, needs what the arguments do not give; the user's figures are of other models.
    pub(crate) fn ask<'k>(
        &self,
        columns: Vec<Column>,
        named: impl Iterator<Item = &'k str> + Clone,
        given: Option<&UserFigures>,
        latency: bool,
    ) -> Result<Comparison> {
        let missing = |key: &str, present: bool| !present && named.clone().any(|other| other == key);
        if missing("roofline_ms", self.machine.device.is_some()) {
            return Err(Error::new("roofline_ms is the time on a device: give --device, see lwstat devices"));
        }
        if missing("latency_ms", latency) {
            return Err(Error::new("latency_ms is measured: give --latency"));
        }
        let mut times: BTreeMap<PathBuf, usize> = BTreeMap::new();
        for path in &self.models {
            let times = times.entry(normal(path)).or_default();
            *times += 1;
            if *times == 2 {
                note(&format!("{}: given more than once: it is one row", path.display()));
            }
        }
        let sources = sources(&self.models);
        if let Some(given) = given {
            given.check(&names(&sources))?.iter().for_each(|text| note(text));
        }
        let bar = match std::io::stderr().is_terminal() {
            true => indicatif::ProgressBar::new(sources.len() as u64),
            false => indicatif::ProgressBar::hidden(),
        };
        let bindings = self.fixed.bindings()?;
        let device = self.machine.device(latency)?;
        let time = |model: &Model| measure(model, &bindings, &self.machine.runs);
        let measure: Option<Measure> = if latency { Some(&time) } else { None };
        let question = Question {
            columns,
            bindings: &bindings,
            device: device.as_ref(),
            measure,
            given,
            open: &|path| open(path, &self.fixed),
            done: &|| bar.inc(1),
        };
        let comparison = compare(&sources, question);
        bar.finish_and_clear();
        comparison
    }
}
