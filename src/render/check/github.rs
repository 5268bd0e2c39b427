//! GitHub's workflow commands: annotations on the files of a pull request.

use super::super::Style;
use super::super::number::clean;
use super::{paragraph, summary};
use crate::check::findings::{Finding, Level, Outcome};

pub(super) fn outcome(outcome: &Outcome, _: &Style) -> String {
    // Of each kind, the first ten of a step are shown.
    let mut findings: Vec<&Finding> = outcome.findings().collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    let mut text: String = findings.into_iter().map(command).collect();
    text += &format!("lwstat check: {}\n", clean(&summary(outcome)));
    text
}

fn command(finding: &Finding) -> String {
    let name = match finding.level {
        Level::Warn => "warning",
        Level::Fail | Level::Error => "error",
    };
    let line = if finding.line > 0 { format!(",line={}", finding.line) } else { String::new() };
    let what = if finding.metric.is_empty() { finding.rule.id() } else { &finding.metric };
    format!(
        "::{name} file={}{line},title={}::{}\n",
        property(&finding.file),
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
    data(text).replace(':', "%3A").replace(',', "%2C")
}
