//! JUnit XML: a test case for each model and for each file beside them that is at fault, as most CI systems show test results.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use std::collections::BTreeMap;

use super::super::Style;
use super::super::number::clean;
use super::{apart, finding_text, paragraph};
use crate::check::findings::{Finding, Level, Outcome};

pub(super) fn outcome(outcome: &Outcome, _: &Style) -> String {
    let mut other: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in &outcome.other {
        other.entry(&finding.file).or_default().push(finding);
    }
    let models = outcome.models.iter().map(|model| (&*model.key, model.findings.iter().collect()));
    let cases: Vec<(&str, Vec<&Finding>)> = other.into_iter().chain(models).collect();
    let names = apart(cases.iter().map(|(name, _)| clean(name)));
    let mut suite = TestSuite::new(clean(&outcome.config));
    for (name, (_, findings)) in names.iter().zip(&cases) {
        suite.add_test_case(case(name, findings));
    }
    let mut report = Report::new("lwstat check");
    report.add_test_suite(suite);
    // The library fails where the writer does, and a string takes all.
    let text = report.to_string().unwrap_or_default();
    // Jenkins knows this of a suite, and not of all of them.
    text.replacen(" skipped=\"0\"", "", 1)
}

fn case(name: &str, findings: &[&Finding]) -> TestCase {
    let level = findings.iter().map(|finding| finding.level).max();
    let kind = match level {
        Some(Level::Error) => Some(NonSuccessKind::Error),
        Some(Level::Fail) => Some(NonSuccessKind::Failure),
        _ => None,
    };
    let lines = findings.iter().map(|finding| paragraph(finding)).collect::<Vec<_>>().join("\n");
    let Some(kind) = kind else {
        let mut case = TestCase::new(name, TestCaseStatus::success());
        case.set_classname("lwstat");
        if !lines.is_empty() {
            case.set_system_out(lines);
        }
        return case;
    };
    let mut status = TestCaseStatus::non_success(kind);
    let worst = findings.iter().find(|finding| Some(finding.level) == level);
    if let Some(worst) = worst {
        let more = if findings.len() > 1 { format!(" (and {} more)", findings.len() - 1) } else { String::new() };
        status.set_type(worst.rule.id());
        status.set_message(format!("{}{more}", finding_text(worst)));
    }
    status.set_description(lines);
    let mut case = TestCase::new(name, status);
    case.set_classname("lwstat");
    case
}
