//! Limits on latency: a model and a reference run in turn on this machine, and the ratio of their times.

use std::cmp::Reverse;
use std::path::PathBuf;
use std::sync::Arc;

use super::findings::{Checked, Finding, Level, Measured, Rule};
use super::gate::Gate;
use crate::columns::{Better, Column, Unit};
use crate::compare::absent_dims;
use crate::error::Result;
use crate::infer::Bindings;
use crate::latency::LatencyOptions;
use crate::latency::ratio::{CONFIDENCE, FEWEST, Ratio};
use crate::model::Model;

/// How many times as long as another model's a latency may be.
#[derive(Clone, Debug, PartialEq)]
pub struct Pace {
    /// The reference, as it was written.
    pub against: String,
    /// Path of the reference.
    pub path: PathBuf,
    /// The most that the ratio may be.
    pub most: f64,
    /// Threads inside a node's kernels.
    pub threads: Option<usize>,
    /// Rounds that are run.
    pub runs: Option<usize>,
    /// The line of the file.
    pub line: u64,
}

impl Pace {
    /// Whether what is measured for it is also what the other needs.
    fn shares(&self, other: &Pace) -> bool {
        (&self.path, self.threads, self.runs) == (&other.path, other.threads, other.runs)
    }
}

/// The column that ratios stand in.
fn gauge() -> Column {
    let rule = "Median of the ratios of its latency to a reference's, run in turn.";
    Column::new("latency", "Latency", Unit::Ratio, Better::Lower, rule, |_| None)
}

impl Gate<'_> {
    /// Measures the model where that is asked for and it could be read.
    pub(super) fn pace(&self, checked: &mut Checked) {
        if checked.level() == Some(Level::Error) {
            return;
        }
        let mut last: Option<(&Pace, Ratio)> = None;
        for (level, tier) in [(Level::Fail, &self.rules.fail), (Level::Warn, &self.rules.warn)] {
            let Some(pace) = &tier.pace else { continue };
            let measured = match last.take().filter(|(other, _)| other.shares(pace)) {
                Some((_, ratio)) => Ok(ratio),
                None => self.ratio(pace),
            };
            match measured {
                Err(error) => {
                    let way_on = format!(
                        "the model and {} must both run here, with the sizes that the entry fixes",
                        pace.against
                    );
                    let error = self.error(&error, &way_on);
                    checked.findings.push(Finding {
                        rule: Rule::Latency,
                        asked: pace.line,
                        against: pace.against.clone(),
                        ..error
                    });
                }
                Ok(ratio) => {
                    checked.measured.push(Measured {
                        gauge: Arc::new(gauge()),
                        value: Some(ratio.median.into()),
                        baseline: None,
                        budget: Some(format!("{}× {}", pace.most, pace.against).into()),
                        limit: None,
                    });
                    checked.findings.extend(self.too_slow(pace, &ratio, level));
                    last = Some((pace, ratio));
                }
            }
        }
        checked.findings.sort_by_key(|finding| (Reverse(finding.level), finding.rule));
    }

    fn ratio(&self, pace: &Pace) -> Result<Ratio> {
        let model = (self.question.open)(&self.target.path)?;
        let reference = (self.question.open)(&pace.path)?;
        let default = LatencyOptions::default();
        let options = LatencyOptions { threads: pace.threads.unwrap_or(default.threads), runs: pace.runs, ..default };
        let same = shared(&self.rules.bindings, &reference)?;
        let reference_bindings = self.bindings(&reference, same);
        let bindings = self.bindings(&model, self.rules.bindings.clone());
        model.latency_ratio(&bindings, (&reference, &reference_bindings), &options)
    }

    fn too_slow(&self, pace: &Pace, ratio: &Ratio, level: Level) -> Option<Finding> {
        let (level, is, way_on) = match ratio.is_at_most(pace.most) {
            Some(true) => return None,
            Some(false) => {
                (level, format!("{} is allowed", pace.most), "make the model faster, or allow more".to_string())
            }
            None => {
                let more = (4 * ratio.rounds).max(100);
                let way_on = format!("a quiet machine and more rounds (runs: {more}) would decide it");
                (Level::Warn, format!("it is open whether {} is kept", pace.most), way_on)
            }
        };
        let confidence = 100.0 * CONFIDENCE;
        let between = match ratio.interval {
            Some((low, high)) => {
                format!("between {} and {} with {confidence} % confidence", digits(low), digits(high))
            }
            None => format!("not known with {confidence} % confidence from fewer than {FEWEST} rounds"),
        };
        let message = format!(
            "latency is {} times that of {}, {is}: {} ms against {} ms, medians of {} rounds; the ratio is {between}",
            digits(ratio.median),
            pace.against,
            digits(ratio.model_ms),
            digits(ratio.reference_ms),
            ratio.rounds
        );
        Some(Finding {
            metric: gauge().key,
            unit: Unit::Ratio,
            value: Some(ratio.median.into()),
            limit: format!("{}× {}", pace.most, pace.against),
            against: pace.against.clone(),
            way_on,
            asked: pace.line,
            ..self.finding(level, Rule::Latency, message)
        })
    }
}

/// What of these sizes a model has.
fn shared(bindings: &Bindings, model: &Model) -> Result<Bindings> {
    let graph = model.graph()?;
    let mut shared = bindings.clone();
    shared.inputs.retain(|(name, _)| graph.inputs.iter().any(|id| graph.name(*id) == name));
    for absent in absent_dims(model, bindings) {
        shared.sizes.remove(&absent);
    }
    Ok(shared)
}

/// Four digits that count, no more than are there.
fn digits(value: f64) -> String {
    let places = (3.0 - value.abs().max(1e-9).log10().floor()).clamp(0.0, 9.0) as usize;
    let text = format!("{value:.places$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text,
    }
}
