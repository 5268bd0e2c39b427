//! Text for a terminal: what is broken in full, what passes in short.

use super::super::Style;
use super::super::number::{clean, plural};
use super::super::text::{bold, wrap};
use super::{advice, change, delta, heading, is_cheaper, shown, summary};
use crate::check::findings::{Checked, Finding, Level, Outcome, Rule};

/// The most models that pass which are listed one by one.
const PASSING: usize = 20;

/// The most models with findings that are listed.
const LISTED: usize = 100;

/// The most models of which findings are shown in full; more are listed first.
const DETAILED: usize = 5;

pub(super) fn outcome(outcome: &Outcome, style: &Style) -> String {
    let mut text = format!("{}: {}\n", clean(&outcome.config), summary(outcome));
    if !outcome.other.is_empty() {
        text.push('\n');
        for finding in outcome.other.iter().take(LISTED) {
            text += &lines(finding, "", &clean(&finding.file), style);
            text += &way_on(finding, "  ", style);
        }
        let more = outcome.other.len().saturating_sub(LISTED);
        text += &if more > 0 { format!("({more} more: --format json)\n") } else { String::new() };
    }
    let mut broken: Vec<&Checked> = outcome.models.iter().filter(|model| model.level().is_some()).collect();
    broken.sort_by_key(|model| std::cmp::Reverse(model.level()));
    if broken.len() > DETAILED {
        text.push('\n');
        broken.iter().take(LISTED).for_each(|model| text += &listed(model, style));
        if broken.len() > LISTED {
            text += &format!("({}: --format json)\n", plural(broken.len() - LISTED, "more model"));
        }
    }
    for model in broken.iter().take(DETAILED) {
        let path = if model.path.ends_with(&model.key) { String::new() } else { format!(" ({})", clean(&model.path)) };
        text += &format!("\n{}{path}\n", bold(&clean(&model.key), style));
        for (at, finding) in model.findings.iter().enumerate() {
            let file = if finding.file == model.path { String::new() } else { clean(&finding.file) };
            text += &lines(finding, "  ", &file, style);
            // What can be done is said once for findings in a row.
            let next = model.findings.get(at + 1);
            if next.is_none_or(|next| (&next.way_on, next.asked) != (&finding.way_on, finding.asked)) {
                text += &way_on(finding, "    ", style);
            }
        }
    }
    if broken.len() > DETAILED {
        text += &format!("\n({} in detail: --format json)\n", plural(broken.len() - DETAILED, "more model"));
    }
    let passing: Vec<&Checked> = outcome.models.iter().filter(|model| model.level().is_none()).collect();
    if passing.len() <= PASSING {
        text += if passing.is_empty() { "" } else { "\n" };
        for model in &passing {
            text += &format!("{} {}\n", mark(None, style), clean(&model.key));
            let numbers = numbers(model, style);
            if !numbers.is_empty() {
                text += &format!("    {}\n", wrapped(&numbers, "    ", style));
            }
        }
    } else {
        text +=
            &format!("\n{} {} passed: --format json lists them\n", mark(None, style), plural(passing.len(), "model"));
    }
    let cheaper =
        outcome.models.iter().filter(|model| model.level().is_none() && model.measured.iter().any(is_cheaper)).count();
    if cheaper > 0 {
        let line = format!("Cheaper than the baseline: {}; lwstat bless holds that.", plural(cheaper, "model"));
        text += &format!("\n{}\n", wrap(&line, style.width, ""));
    }
    text
}

/// A model with findings in a line: its name, and what was found as far as the line goes.
fn listed(model: &Checked, style: &Style) -> String {
    let mut words: Vec<String> = Vec::new();
    for finding in &model.findings {
        let what = if finding.metric.is_empty() { finding.rule.id() } else { &finding.metric };
        let measured = model.measured.iter().find(|measured| measured.gauge.key == what);
        let change = measured.filter(|_| finding.rule == Rule::Limit).map(change).unwrap_or_default();
        let word = format!("{what} {change}").trim_end().to_string();
        if !words.contains(&word) {
            words.push(word);
        }
    }
    let mut line = clean(&model.key);
    for (at, word) in words.iter().enumerate() {
        let next = format!("{}{}", if at == 0 { "  " } else { ", " }, clean(word));
        let more = words.len() - at;
        let rest = if more > 1 { format!(" and {} more", more - 1).len() } else { 0 };
        if at > 0 && line.chars().count() + next.chars().count() + rest + 2 > style.width {
            line += &format!(" and {more} more");
            break;
        }
        line += &next;
    }
    format!("{} {line}\n", mark(model.level(), style))
}

/// The numbers of a model that passes: `macs 300.8 M of 310 M, +0.3 %`.
fn numbers(model: &Checked, style: &Style) -> String {
    let number = |measured: &crate::check::findings::Measured| {
        let mut text =
            format!("{} {}", measured.gauge.key, shown(measured.value.as_ref(), &measured.gauge.unit, style.exact));
        if let Some(budget) = &measured.budget {
            text += &format!(" of {}", clean(budget));
        }
        let change = change(measured);
        if !change.is_empty() && change != "0" {
            text += &format!(" ({change})");
        }
        // A number stays with its unit.
        text.replace(' ', "\u{1}")
    };
    model.measured.iter().map(number).collect::<Vec<_>>().join(", ")
}

fn wrapped(text: &str, indent: &str, style: &Style) -> String {
    wrap(text, style.width.saturating_sub(indent.len()), indent).replace('\u{1}', " ")
}

fn mark(level: Option<Level>, style: &Style) -> String {
    let (mark, color) = match level {
        None => ("✓", "32"),
        Some(Level::Warn) => ("!", "33"),
        Some(Level::Fail) => ("✗", "31"),
        Some(Level::Error) => ("?", "31"),
    };
    if style.color { format!("\x1b[{color}m{mark}\x1b[0m") } else { mark.to_string() }
}

fn lines(finding: &Finding, indent: &str, file: &str, style: &Style) -> String {
    let below = format!("{indent}  ");
    let file = if file.is_empty() { String::new() } else { format!("{file}: ") };
    let message = wrapped(&format!("{file}{}", clean(&finding.message)), &below, style);
    let mut text = format!("{indent}{} {message}\n", mark(Some(finding.level), style));
    let shown = finding.causes.iter().take(super::CAUSES);
    let deltas: Vec<String> = shown.clone().map(|cause| delta(finding, cause, style.exact)).collect();
    let width = deltas.iter().map(|delta| delta.chars().count()).max().unwrap_or(0);
    if !deltas.is_empty() && finding.by != finding.metric {
        text += &format!("{below}  {}:\n", heading(finding));
    }
    for (cause, delta) in shown.zip(&deltas) {
        let pad = " ".repeat(width - delta.chars().count());
        let words = format!("{}: {}", clean(&cause.block), clean(&cause.what));
        let indent = format!("{below}  {}  ", " ".repeat(width));
        text += &format!("{below}  {pad}{delta}  {}\n", wrapped(&words, &indent, style));
    }
    let more = finding.causes.len().saturating_sub(super::CAUSES);
    if more > 0 {
        text += &format!("{below}  ({more} more: --format json)\n");
    }
    text
}

fn way_on(finding: &Finding, indent: &str, style: &Style) -> String {
    let asked = match finding.asked {
        0 => String::new(),
        line => format!(" (line {line} of the configuration)"),
    };
    let words = advice(finding, &asked);
    if words.is_empty() { words } else { format!("{indent}{}\n", wrapped(&words, indent, style)) }
}
