//! `lwstat verify`: counts held against published figures.

use std::path::{Path, PathBuf};

use clap::Args;
use lwstat::figures::{self, Fixture};
use lwstat::model::sentence;
use lwstat::render::Verified;
use lwstat::verify::{Finding, Verdict, verify};
use lwstat::{Error, Result};

use super::shared::{FixedArgs, OutputArgs, emit, first_of, format, keep_apart, open, plain, style};

#[derive(Args)]
pub(crate) struct VerifyArgs {
    /// Model files
    #[arg(required = true, value_name = "MODEL")]
    pub(crate) models: Vec<PathBuf>,
    /// Take the figures of this network instead of the one named as the file
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Take the figures from this fixture file
    #[arg(long, value_name = "FILE", conflicts_with = "name")]
    pub(crate) figures: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) fixed: FixedArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// `Ok(false)` where a figure deviates without a record; an error where a model could not be held against any, after the
/// others are shown.
pub(crate) fn run(args: &VerifyArgs) -> Result<bool> {
    keep_apart(&[args.output.path()], args.models.iter().chain(&args.figures))?;
    let given = args.figures.as_deref().map(read_fixture).transpose()?;
    let mut models = Vec::new();
    let bindings = args.fixed.bindings()?;
    let one = |path: &Path| -> Result<(Fixture, Vec<Finding>)> {
        let model = open(path, &args.fixed)?;
        model.check_dims(&bindings)?;
        let report = model.report(&bindings)?;
        let name = args.name.as_deref().unwrap_or(&report.model.name);
        let fixture = match &given {
            Some(fixture) => fixture.clone(),
            None => figures::find(name, true)?.ok_or_else(|| no_figures(name).in_file(&report.model.path))?,
        };
        let findings = verify(&report, &fixture)?;
        Ok((fixture, findings))
    };
    let mut failed = Vec::new();
    for path in &args.models {
        let label = path.display().to_string();
        models.push(match one(path) {
            Ok((fixture, findings)) => Verified { path: label, fixture: Some(fixture.name), findings, error: None },
            Err(error) => {
                let reason = error.clone().without_file().to_string();
                failed.push(error);
                Verified { path: label, fixture: None, findings: Vec::new(), error: Some(reason) }
            }
        });
    }
    // Of one model that cannot be verified, the error says it all.
    if failed.len() == models.len() && models.len() == 1 {
        return Err(first_of(failed, "verified"));
    }
    let view = plain();
    emit(
        &(format(&args.output).findings)(&models, &style(&args.output, view, true, None)),
        args.output.output.as_deref(),
    )?;
    if !failed.is_empty() {
        return Err(first_of(failed, "verified"));
    }
    Ok(models.iter().flat_map(|model| &model.findings).all(|finding| finding.verdict != Verdict::Fails))
}

fn no_figures(name: &str) -> Error {
    let known: Vec<_> = figures::built_in().collect();
    Error::new(format!("no figures are on record for \"{name}\": give --as NAME, one of {}", known.join(", ")))
}

fn read_fixture(path: &Path) -> Result<Fixture> {
    let label = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| Error::new(sentence(&error)).in_file(&label))?;
    figures::parse(&text, &label)
}
