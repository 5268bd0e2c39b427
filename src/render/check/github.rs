//! GitHub's workflow commands: annotations on the files of a pull request.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::super::Style;
use super::super::number::clean;
use super::{paragraph, summary};
use crate::check::findings::{Finding, Level, Outcome};

pub(super) fn outcome(outcome: &Outcome, _: &Style) -> String {
    // Of each kind, the first ten of a step are shown: the worst of each model goes before its others.
    let mut places: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut place = |finding| {
        let place = places.entry((kind(finding), &finding.model)).or_default();
        *place += 1;
        *place
    };
    let mut findings: Vec<(usize, &Finding)> = outcome.findings().map(|finding| (place(finding), finding)).collect();
    findings.sort_by_key(|(place, finding)| (kind(finding), *place, Reverse(finding.level)));
    let mut text: String = findings.into_iter().map(|(_, finding)| command(outcome, finding)).collect();
    text += &format!("lwstat check: {}\n", clean(&summary(outcome)));
    text
}

fn kind(finding: &Finding) -> &'static str {
    match finding.level {
        Level::Fail | Level::Error => "error",
        Level::Warn => "warning",
    }
}

fn command(outcome: &Outcome, finding: &Finding) -> String {
    let line = if finding.line > 0 { format!(",line={}", finding.line) } else { String::new() };
    let what = if finding.metric.is_empty() { finding.rule.id() } else { &finding.metric };
    format!(
        "::{} file={}{line},title={}::{}\n",
        kind(finding),
        property(&outcome.place.from_root(&finding.file)),
        property(&format!("lwstat {what}")),
        data(&paragraph(finding))
    )
}

/// Text that ends no command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Text that ends no property.
fn property(text: &str) -> String {
    data(&clean(text)).replace(':', "%3A").replace(',', "%2C")
}
