//! GitLab's code quality report.

use serde_json::{Value, json};

use super::super::Style;
use super::{known, line, paragraph};
use crate::check::findings::{Finding, Level, Outcome};

pub(super) fn outcome(outcome: &Outcome, _: &Style) -> String {
    let issue = |(finding, fingerprint): (&Finding, String)| issue(outcome, finding, &fingerprint);
    let issues: Vec<Value> = known(outcome).into_iter().map(issue).collect();
    format!("{:#}\n", json!(issues))
}

fn issue(outcome: &Outcome, finding: &Finding, fingerprint: &str) -> Value {
    let severity = match finding.level {
        Level::Warn => "minor",
        Level::Fail => "major",
        Level::Error => "blocker",
    };
    json!({
        "description": paragraph(finding),
        "check_name": format!("lwstat {}", finding.rule.id()),
        "fingerprint": fingerprint,
        "severity": severity,
        "location": {"path": outcome.place.from_root(&finding.file), "lines": {"begin": line(finding)}},
    })
}
