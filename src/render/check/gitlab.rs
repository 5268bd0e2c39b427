//! GitLab's code quality report.

use serde_json::{Value, json};

use super::super::Style;
use super::{fingerprint, line, paragraph};
use crate::check::findings::{Finding, Level, Outcome};

pub(super) fn outcome(outcome: &Outcome, _: &Style) -> String {
    let issues: Vec<Value> = outcome.findings().map(issue).collect();
    format!("{:#}\n", json!(issues))
}

fn issue(finding: &Finding) -> Value {
    let severity = match finding.level {
        Level::Warn => "minor",
        Level::Fail => "major",
        Level::Error => "blocker",
    };
    json!({
        "description": paragraph(finding),
        "check_name": format!("lwstat {}", finding.rule.id()),
        "fingerprint": fingerprint(finding),
        "severity": severity,
        "location": {"path": finding.file, "lines": {"begin": line(finding)}},
    })
}
