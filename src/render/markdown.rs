//! Markdown: the totals and the groups as tables, for pull requests and documents.

use super::number::{clean, duration, plural, quantity, share, tensor};
use super::{Style, Verified};
use crate::cost::{Coverage, METRICS, Unit};
use crate::device::{Fit, Fits};
use crate::error::Result;
use crate::guidelines::Linted;
use crate::report::Report;
use crate::summary::{By, groups};
use crate::verify::Verdict;

/// Columns of the groups' table.
const COLUMNS: &[&str] = &["macs", "params", "memory_access_bytes"];

pub(super) fn report(report: &Report, style: &Style) -> Result<String> {
    let list = |tensors: &[crate::report::TensorType]| tensors.iter().map(tensor).collect::<Vec<_>>().join(", ");
    let mut text = format!(
        "### {}\n\n{} → {} · {}, {} folded\n\n| Metric | Total |\n|:--|--:|\n",
        escape(&report.model.name),
        escape(&list(&report.model.inputs)),
        escape(&list(&report.model.outputs)),
        plural(report.totals.nodes, "node"),
        report.totals.folded
    );
    for (index, (metric, count)) in METRICS.iter().zip(&report.totals.counts.0).enumerate() {
        let bound = match report.totals.at_least.contains(&metric.key) {
            true => "at least ",
            false if report.totals.at_most(index) => "at most ",
            false => "",
        };
        let value = quantity(count.as_ref(), metric.unit, style.exact);
        text += &format!("| {} | {bound}{} |\n", metric.title, escape(&value));
    }
    if let Some(intensity) = report.totals.intensity() {
        text += &format!("| Intensity | {intensity:.2} FLOP/B |\n");
    }
    if let Some(peak) = report.totals.peak_activation_bytes {
        text += &format!("| Peak activations | {} |\n", quantity(Some(&peak.into()), Unit::Bytes, style.exact));
    }
    if let Some(plan) = report.memory.as_ref().filter(|_| style.plan) {
        for (name, bytes) in [
            ("Peak in place", plan.in_place_bytes),
            ("Peak, best order", plan.best_bytes),
            ("Peak, best order, in place", plan.best_in_place_bytes),
            ("Peak, lower bound", plan.lower_bound_bytes),
            ("Arena", plan.arena.bytes),
        ] {
            text += &format!("| {name} | {} |\n", quantity(Some(&bytes.into()), Unit::Bytes, style.exact));
        }
    }
    if let Some(device) = &report.device {
        let fits = |fit: &Fit| if fit.fits == Fits::No { "does not fit" } else { "fits" };
        let bytes = |bytes: i64| quantity(Some(&bytes.into()), Unit::Bytes, style.exact);
        text += &format!("| Roofline on {} | at least {} |\n", escape(&device.title), duration(device.roofline_ms));
        for (name, fit) in device.flash.iter().map(|flash| ("Flash", flash)).chain([("RAM", &device.ram)]) {
            let (needed, available) = (bytes(fit.needed_bytes), bytes(fit.available_bytes));
            text += &format!("| {name} | {}: needs {needed}, has {available} ({}) |\n", fits(fit), fit.reason);
        }
    }
    let label = match style.view.by {
        By::Op => "Op type",
        By::Scope => "Module",
        By::Node => "Node",
    };
    let columns: Vec<_> = METRICS.iter().enumerate().filter(|(_, metric)| COLUMNS.contains(&metric.key)).collect();
    if let Some(latency) = &report.latency {
        for (label, value) in super::latency::lines(latency) {
            text += &format!("\n{label}: {}\n", escape(&value));
        }
    }
    text += &format!("\n| {label} | Nodes |");
    if report.latency.is_some() {
        text += " ms | % |";
    }
    columns.iter().for_each(|(_, metric)| text += &format!(" {} | % |", metric.title));
    text += "\n|:--|--:|";
    if report.latency.is_some() {
        text += "--:|--:|";
    }
    columns.iter().for_each(|_| text += "--:|--:|");
    text.push('\n');
    let (shown, rest) = groups(report, &style.view)?;
    for group in shown.iter().chain(&rest) {
        let bound = if group.coverage == Coverage::Unknown { "≥ " } else { "" };
        let name = if group.label.is_empty() { "rest" } else { &group.label };
        text += &format!("| {}{} | {} |", "&nbsp;&nbsp;".repeat(group.depth), escape(name), group.nodes);
        if let Some(latency) = &report.latency {
            let [ms, share, ..] = super::latency::group(latency, group.ms, &group.counts);
            text += &format!(" {ms} | {share} |");
        }
        for (index, metric) in &columns {
            let count = group.counts.0[*index].as_ref();
            let whole = report.totals.counts.0[*index].as_ref();
            text +=
                &format!(" {bound}{} | {} |", escape(&quantity(count, metric.unit, style.exact)), share(count, whole));
        }
        text.push('\n');
    }
    Ok(text)
}

pub(super) fn findings(models: &[Verified], _: &Style) -> String {
    let mut text = "| Model | Metric | Published | Counted | | Source |\n|:--|:--|--:|--:|:-:|:--|\n".to_string();
    for model in models {
        if let Some(reason) = &model.error {
            let name = escape(&crate::report::stem(&model.path));
            text += &format!("| {name} | | | | not verified | {} |\n", escape(reason));
        }
        for finding in &model.findings {
            let mark = match finding.verdict {
                Verdict::Agrees => "✓",
                Verdict::Recorded => "recorded",
                Verdict::Fails => "**differs**",
            };
            let cause =
                finding.deviation.as_ref().map(|deviation| format!(": {}", deviation.cause)).unwrap_or_default();
            text += &format!(
                "| {} | {} | {} | {} | {mark} | {}{} |\n",
                escape(&crate::report::stem(&model.path)),
                finding.metric,
                escape(&finding.published),
                escape(&quantity(finding.counted.as_ref(), Unit::Count, true)),
                escape(&finding.source),
                escape(&cause)
            );
        }
    }
    text
}

pub(super) fn guidelines(linted: &Linted, style: &Style) -> String {
    let title = escape(&crate::report::stem(&linted.path));
    let mut text =
        format!("### {title}\n\n| Rule | Excess | % | Finding | Advice | First node |\n|:--|--:|--:|:--|:--|:--|\n");
    for finding in &linted.guidelines {
        text += &format!(
            "| {} | {} | {:.1} | {} | {} | {} |\n",
            finding.rule,
            quantity(Some(&finding.excess_bytes.into()), Unit::Bytes, style.exact),
            100.0 * finding.share,
            escape(&finding.message),
            escape(&finding.advice),
            escape(finding.nodes.first().map_or("", String::as_str))
        );
    }
    text
}

/// Text that means itself in a Markdown table.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let letters: Vec<char> = clean(text).chars().collect();
    let word = |at: Option<usize>| at.and_then(|at| letters.get(at)).is_some_and(|letter| letter.is_alphanumeric());
    for (at, letter) in letters.iter().copied().enumerate() {
        match letter {
            // An underscore within a word is one.
            '_' if word(at.checked_sub(1)) && word(Some(at + 1)) => escaped.push(letter),
            // Some sites make mentions, links and formulas of the last three.
            '<' | '>' | '&' | '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '~' | '@' | '#' | '$' => {
                escaped.push_str(&format!("&#{};", u32::from(letter)));
            }
            // An address would be a link.
            ':' if letters.get(at + 1) == Some(&'/') => escaped.push_str("&#58;"),
            '.' if at >= 3 && letters[at - 3..at].iter().all(|letter| matches!(letter, 'w' | 'W')) => {
                escaped.push_str("&#46;");
            }
            letter => escaped.push(letter),
        }
    }
    escaped
}
