//! Markdown: a comment on a pull request, a job's summary.

use super::super::Style;
use super::super::markdown::escape;
use super::super::number::plural;
use super::{advice, change, delta, shown, summary};
use crate::check::findings::{Checked, Finding, Level, Measured, Outcome, Rule};

/// The most models that a table lists.
const ROWS: usize = 50;

/// A comment of more than 65 536 characters is refused: details end before.
const LONGEST: usize = 40_000;

pub(super) fn outcome(outcome: &Outcome, style: &Style) -> String {
    let mark = mark(outcome.level());
    let mut text = format!("### {mark} lwstat check\n\n{}\n", escape(&summary(outcome)));
    let broken: Vec<&Checked> = outcome.models.iter().filter(|model| model.level().is_some()).collect();
    let differs =
        |measured: &Measured| matches!((&measured.baseline, &measured.value), (Some(old), Some(new)) if old != new);
    let moved = |model: &&Checked| model.level().is_none() && model.measured.iter().any(differs);
    let moved: Vec<&Checked> = outcome.models.iter().filter(moved).collect();
    let rows: Vec<&Checked> = broken.iter().chain(&moved).copied().collect();
    let mut table = String::new();
    for model in rows.iter().take(ROWS) {
        for measured in &model.measured {
            // Of latencies there is a row for each reference.
            let is_its = |finding: &&Finding| {
                finding.rule != Rule::Latency || measured.budget.as_deref() == Some(&*finding.limit)
            };
            let of = |finding: &&Finding| finding.metric == measured.gauge.key && is_its(finding);
            let level = model.findings.iter().filter(of).map(|finding| finding.level).max();
            if level.is_some() || differs(measured) {
                table += &row(model, measured, level, style);
            }
        }
    }
    if !table.is_empty() {
        text += "\n| | Model | Metric | Base | Current | Change | Allowed |\n|:-:|:--|:--|--:|--:|--:|:--|\n";
        text += &table;
    }
    if rows.len() > ROWS {
        text += &format!("\n{}: `lwstat check` lists them.\n", plural(rows.len() - ROWS, "more model"));
    }
    let findings: Vec<&Finding> = outcome.findings().collect();
    for (at, finding) in findings.iter().enumerate() {
        if text.len() > LONGEST {
            text += &format!("\n{}: `lwstat check` lists them.\n", plural(findings.len() - at, "more finding"));
            break;
        }
        text += &details(finding, style);
    }
    let passing: Vec<&Checked> = outcome.models.iter().filter(|model| model.level().is_none()).collect();
    if !passing.is_empty() && text.len() <= LONGEST {
        text += &format!("\n<details><summary>{} passed</summary>\n\n", plural(passing.len(), "model"));
        passing.iter().take(ROWS).for_each(|model| text += &format!("- {}\n", escape(&model.key)));
        if passing.len() > ROWS {
            text += &format!("- {} more\n", passing.len() - ROWS);
        }
        text += "\n</details>\n";
    }
    text
}

fn mark(level: Option<Level>) -> &'static str {
    match level {
        None => "✅",
        Some(Level::Warn) => "⚠️",
        Some(Level::Fail) => "❌",
        Some(Level::Error) => "❓",
    }
}

fn row(model: &Checked, measured: &Measured, level: Option<Level>, style: &Style) -> String {
    let number = |number| escape(&shown(number, &measured.gauge.unit, style.exact));
    let mut allowed = Vec::new();
    allowed.extend(measured.budget.as_ref().map(|budget| format!("≤ {budget}")));
    allowed.extend(measured.limit.as_ref().map(|limit| format!("+{}", limit.trim_start_matches('+'))));
    format!(
        "| {} | {} | {} | {} | {} | {} | {} |\n",
        mark(level),
        escape(&model.key),
        escape(&measured.gauge.key),
        number(measured.baseline.as_ref()),
        number(measured.value.as_ref()),
        change(measured),
        escape(&allowed.join(", "))
    )
}

fn details(finding: &Finding, style: &Style) -> String {
    let place = if finding.model.is_empty() { &finding.file } else { &finding.model };
    let open = if finding.level == Level::Error { " open" } else { "" };
    let mut text = format!(
        "\n<details{open}><summary>{} {}: {}</summary>\n\n",
        mark(Some(finding.level)),
        escape(place),
        escape(&finding.message)
    );
    if !finding.causes.is_empty() {
        text += &format!("| Block | {} | What |\n|:--|--:|:--|\n", escape(finding.by));
        for cause in finding.causes.iter().take(3 * super::CAUSES) {
            let delta = delta(finding, cause, style.exact);
            text += &format!("| {} | {} | {} |\n", escape(&cause.block), escape(&delta), escape(&cause.what));
        }
        let more = finding.causes.len().saturating_sub(3 * super::CAUSES);
        text += &if more > 0 { format!("\n{}.\n\n", plural(more, "more block")) } else { "\n".to_string() };
    }
    if !finding.node.is_empty() {
        text += &format!("At {}.\n\n", escape(&finding.node));
    }
    let advice = advice(finding, "");
    text += &if advice.is_empty() { advice } else { format!("{}\n\n", escape(&advice)) };
    text + "</details>\n"
}
