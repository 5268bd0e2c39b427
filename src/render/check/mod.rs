//! What came of a check in each format, and what the formats share: how bad it is, numbers, causes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Formats;
use super::diff::signed;
use super::number::{clean, plural};
use crate::check::blocks::Cause;
use crate::check::findings::{Finding, Level, Measured, Outcome};
use crate::check::numbers::{growth, spoken};
use crate::columns::{Bound, Number, Unit};
use crate::cost;

mod github;
mod gitlab;
mod json;
mod junit;
mod markdown;
mod sarif;
mod text;

pub use json::schema;

/// The formats of a check.
pub static CHECKS: Formats<Outcome> = &[
    ("text", text::outcome),
    ("json", json::outcome),
    ("md", markdown::outcome),
    ("junit", junit::outcome),
    ("sarif", sarif::outcome),
    ("github", github::outcome),
    ("gitlab", gitlab::outcome),
];

/// The most causes of a finding that formats for people list.
const CAUSES: usize = 5;

/// A finding in one line: file, message, way on.
pub fn finding_text(finding: &Finding) -> String {
    let file = if finding.file.is_empty() { String::new() } else { format!("{}: ", clean(&finding.file)) };
    format!("{file}{}{}", clean(&finding.message), way_on(finding))
}

/// What can be done, behind a message.
fn way_on(finding: &Finding) -> String {
    if finding.way_on.is_empty() { String::new() } else { format!("; {}", clean(&finding.way_on)) }
}

/// What can be done, as a sentence; empty where there is nothing to say.
fn advice(finding: &Finding, asked: &str) -> String {
    let way_on = clean(&finding.way_on);
    let mut letters = way_on.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    if first.is_empty() { String::new() } else { format!("{first}{}{asked}.", letters.as_str()) }
}

/// The message, the blocks that are the cause, and what can be done, for formats without tables.
fn paragraph(finding: &Finding) -> String {
    let causes = match finding.causes.is_empty() {
        true => String::new(),
        false => format!(". {}: {}", heading(finding), causes(finding).join("; ")),
    };
    format!("{}{causes}{}", clean(&finding.message), way_on(finding))
}

/// What the causes are listed by.
fn heading(finding: &Finding) -> String {
    if finding.by == finding.metric { "Blocks".to_string() } else { format!("Blocks by {}", finding.by) }
}

/// The first causes, a line each, and how many more there are.
fn causes(finding: &Finding) -> Vec<String> {
    let line = |cause: &Arc<Cause>| {
        let delta = delta(finding, cause, false);
        format!("{delta} {} ({})", clean(&cause.block), clean(&cause.what))
    };
    let mut lines: Vec<String> = finding.causes.iter().take(CAUSES).map(line).collect();
    let more = finding.causes.len().saturating_sub(CAUSES);
    if more > 0 {
        lines.push(format!("{more} more"));
    }
    lines
}

/// By how much a cause makes the finding's metric more.
fn delta(finding: &Finding, cause: &Cause, exact: bool) -> String {
    let unit = if finding.unit == Unit::Bytes { cost::Unit::Bytes } else { cost::Unit::Count };
    signed(cause.delta(finding.by).as_ref(), unit, exact)
}

/// A number for people; empty where there is none.
fn shown(number: Option<&Number>, unit: &Unit, exact: bool) -> String {
    match (number, exact) {
        (None, _) => String::new(),
        (Some(number), false) => spoken(number, unit),
        (Some(number), true) => super::comparison::entry(Some(number), unit, true),
    }
}

/// A change against the baseline in per cent; empty where there is none to tell.
fn change(measured: &Measured) -> String {
    match (&measured.baseline, &measured.value) {
        (Some(old), Some(new)) if old == new => "0".to_string(),
        (Some(old), Some(new)) if new.bound() == Bound::AtLeast && old.bound() != new.bound() => String::new(),
        (Some(old), Some(new)) => match (old.real(), new.real()) {
            (Some(old), Some(new)) if old > 0.0 => growth(old, new),
            _ => String::new(),
        },
        _ => String::new(),
    }
}

/// Whether a number that has a limit is less than in the baseline. Of a lower bound that is not known.
fn is_cheaper(measured: &Measured) -> bool {
    if measured.value.as_ref().is_some_and(|value| value.bound() == Bound::AtLeast) {
        return false;
    }
    let both = measured.baseline.as_ref().and_then(Number::real).zip(measured.value.as_ref().and_then(Number::real));
    measured.limit.is_some() && both.is_some_and(|(old, new)| new < old)
}

/// `17 models: 14 passed, 1 with warnings, 1 failed, 1 not judged`, what is none left out.
fn summary(outcome: &Outcome) -> String {
    let parts = [
        (None, "passed"),
        (Some(Level::Warn), "with warnings"),
        (Some(Level::Fail), "failed"),
        (Some(Level::Error), "not judged"),
    ];
    let part = |(level, word): &(Option<Level>, &str)| {
        let count = outcome.count(*level);
        (count > 0).then(|| format!("{count} {word}"))
    };
    let counts: Vec<String> = parts.iter().filter_map(part).collect();
    let other = match outcome.other.len() {
        0 => String::new(),
        count => format!("; {} in the configuration or the baseline", plural(count, "error")),
    };
    let counts = if counts.is_empty() { String::new() } else { format!(": {}", counts.join(", ")) };
    format!("{}{counts}{other}", plural(outcome.models.len(), "model"))
}

/// The findings, each with what it is known by from run to run, whatever its numbers and wherever its entry stands.
fn known(outcome: &Outcome) -> Vec<(&Finding, String)> {
    let names = apart(outcome.findings().map(|finding| fingerprint(outcome, finding)));
    outcome.findings().zip(names).collect()
}

fn fingerprint(outcome: &Outcome, finding: &Finding) -> String {
    let file = outcome.place.from_root(&finding.file);
    let model = if finding.model.is_empty() { &file } else { &finding.model };
    let message = finding.message.strip_prefix(&format!("line {}: ", finding.line)).unwrap_or(&finding.message);
    let which = if finding.metric.is_empty() { message } else { &finding.metric };
    let against = if finding.against.is_empty() { String::new() } else { format!("/{}", finding.against) };
    let tier = if finding.level == Level::Warn { "/warn" } else { "" };
    format!("lwstat/{}/{model}/{which}{against}{tier}", finding.rule.id())
}

/// Names of which no two are the same: the second of one gets ` (2)`.
fn apart(names: impl Iterator<Item = String>) -> Vec<String> {
    let (mut used, mut counts) = (BTreeSet::new(), BTreeMap::new());
    let mut own = |name: String| {
        let count: &mut usize = counts.entry(name.clone()).or_default();
        let mut one = name.clone();
        while !used.insert(one.clone()) {
            *count += 1;
            one = format!("{name} ({})", *count + 1);
        }
        one
    };
    names.map(&mut own).collect()
}

/// The line to point at: files that are no text have one.
fn line(finding: &Finding) -> u64 {
    finding.line.max(1)
}
