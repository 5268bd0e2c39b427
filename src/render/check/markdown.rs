//! Markdown: a comment on a pull request, a job's summary.

use std::cmp::Reverse;

use super::super::Style;
use super::super::markdown::escape;
use super::super::number::plural;
use super::{advice, change, delta, shown, summary};
use crate::check::findings::{Checked, Finding, Level, Measured, Outcome, Rule};

/// The most models that pass which are named.
const NAMED: usize = 50;

/// A comment of more than 65 536 characters is refused: so many bytes are never more.
const LONGEST: usize = 64_000;

/// So much of it may be rows of the table.
const TABLE: usize = 32_000;

pub(super) fn outcome(outcome: &Outcome, style: &Style) -> String {
    let mark = mark(outcome.level());
    let mut text = format!("### {mark} lwstat check\n\n{}\n", escape(&summary(outcome)));
    let mut broken: Vec<&Checked> = outcome.models.iter().filter(|model| model.level().is_some()).collect();
    broken.sort_by_key(|model| Reverse(model.level()));
    let passing: Vec<&Checked> = outcome.models.iter().filter(|model| model.level().is_none()).collect();
    table(&mut text, broken.iter().chain(&passing).copied(), style);
    let findings: Vec<&Finding> = outcome.other.iter().chain(broken.iter().flat_map(|model| &model.findings)).collect();
    // Room for what is said behind them.
    let most = LONGEST - 1_000;
    let left = findings.iter().filter(|finding| !add(&mut text, &details(finding, style), most)).count();
    if left > 0 {
        text += &format!("\n{}: {LISTS} them.\n", plural(left, "more finding"));
    }
    if !passing.is_empty() {
        let passed = format!("{} passed", plural(passing.len(), "model"));
        let mut names = format!("\n<details><summary>{passed}</summary>\n\n");
        passing.iter().take(NAMED).for_each(|model| names += &format!("- {}\n", escape(&model.key)));
        if passing.len() > NAMED {
            names += &format!("- {} more\n", passing.len() - NAMED);
        }
        if !add(&mut text, &(names + "\n</details>\n"), LONGEST) {
            text += &format!("\n{passed}.\n");
        }
    }
    text
}

/// What is at hand where something is left out.
const LISTS: &str = "`lwstat check --format json` lists";

/// Adds a piece where the text does not grow beyond so many bytes, and says whether it did.
fn add(text: &mut String, piece: &str, most: usize) -> bool {
    let fits = text.len() + piece.len() <= most;
    text.push_str(if fits { piece } else { "" });
    fits
}

/// A row for each number that has a finding or is another than in the baseline, as many as there is room for.
fn table<'a>(text: &mut String, models: impl Iterator<Item = &'a Checked>, style: &Style) {
    let differs =
        |measured: &Measured| matches!((&measured.baseline, &measured.value), (Some(old), Some(new)) if old != new);
    let (mut rows, mut left) = (String::new(), 0);
    for model in models {
        for measured in &model.measured {
            // Of latencies there is a row for each reference.
            let is_its = |finding: &&Finding| {
                finding.rule != Rule::Latency || measured.budget.as_deref() == Some(&*finding.limit)
            };
            let of = |finding: &&Finding| finding.metric == measured.gauge.key && is_its(finding);
            let level = model.findings.iter().filter(of).map(|finding| finding.level).max();
            if (level.is_some() || differs(measured)) && !add(&mut rows, &row(model, measured, level, style), TABLE) {
                left += 1;
            }
        }
    }
    if !rows.is_empty() {
        *text += "\n| | Model | Metric | Base | Current | Change | Allowed |\n|:-:|:--|:--|--:|--:|--:|:--|\n";
        *text += &rows;
    }
    if left > 0 {
        *text += &format!("\n{}: {LISTS} them.\n", plural(left, "more row"));
    }
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
