//! Counts against published figures: each agrees, deviates as its fixture records, or fails.

use serde::Serialize;

use crate::dim::Dim;
use crate::error::{Error, Result};
use crate::figures::{Deviation, Fixture, Published};
use crate::report::Report;

/// One published figure against its count.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// Metric key.
    pub metric: String,
    /// The number as published.
    pub published: String,
    /// What the source calls it.
    pub called: String,
    /// Where it stands.
    pub source: String,
    /// The exact count; null where it is unknown.
    pub counted: Option<Dim>,
    /// What comes of it.
    pub verdict: Verdict,
    /// The recorded deviation that stands for this count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deviation: Option<Deviation>,
}

/// What comes of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The count rounds to the published digits.
    Agrees,
    /// It does not, and the fixture records why, or that it is unexplained.
    Recorded,
    /// It does not, and nothing is on record.
    Fails,
}

/// An error where the model's inputs are not those for which the fixture's figures hold.
pub fn holds_for(report: &Report, fixture: &Fixture) -> Result<()> {
    for (name, shape) in &fixture.input {
        let sizes = |shape: &[i64]| shape.iter().map(i64::to_string).collect::<Vec<_>>().join("x");
        // Exporters name a single input as they like.
        let given = match &report.model.inputs[..] {
            [only] if fixture.input.len() == 1 => Some(only),
            inputs => inputs.iter().find(|input| *input.name == **name),
        };
        let given =
            given.ok_or_else(|| Error::new(format!("the figures of {} are for an input \"{name}\"", fixture.name)))?;
        let same = given
            .shape
            .as_ref()
            .is_some_and(|dims| dims.iter().map(Dim::as_int).eq(shape.iter().map(|&size| Some(size))));
        if !same {
            let reason = format!(
                "the figures of {} are for another input shape: give --input {}={}",
                fixture.name,
                given.name,
                sizes(shape)
            );
            return Err(Error::new(reason).in_file(&report.model.path));
        }
    }
    Ok(())
}

/// Sets a report against a fixture's figures. An error where the model's inputs are not those for which they hold.
///
/// A recorded deviation stands for the fixture's exact count alone: another count needs a record of its own.
pub fn verify(report: &Report, fixture: &Fixture) -> Result<Vec<Finding>> {
    holds_for(report, fixture)?;
    let finding = |figure: &crate::figures::Figure| {
        let counted = report.totals.counts.get(&figure.metric).cloned();
        let complete = !report.totals.at_least.contains(&figure.metric.as_str());
        let exact = counted.as_ref().and_then(Dim::as_int).filter(|_| complete);
        let agrees =
            exact.zip(Published::parse(&figure.value)).is_some_and(|(exact, published)| published.agrees(exact));
        let recorded = exact.is_some() && exact == fixture.counts.get(&figure.metric).copied();
        let deviation = figure.deviation.clone().filter(|_| recorded && !agrees);
        let verdict = match (&deviation, agrees) {
            (_, true) => Verdict::Agrees,
            (Some(_), _) => Verdict::Recorded,
            (None, _) => Verdict::Fails,
        };
        Finding {
            metric: figure.metric.clone(),
            published: figure.value.clone(),
            called: figure.called.clone(),
            source: figure.source.clone(),
            counted,
            verdict,
            deviation,
        }
    };
    Ok(fixture.figures.iter().map(finding).collect())
}
