//! Text for a terminal: the answer first, then where the cost lies, then what the FLOPs do not say.

use comfy_table::{Cell, CellAlignment, ColumnConstraint, Table, Width, presets};

use super::number::{UNKNOWN, clean, cut, millis, plural, quantity, share, tensor};
use super::{Style, Verified};
use crate::cost::{Coverage, METRICS, Unit};
use crate::error::Result;
use crate::figures::Published;
use crate::guidelines::Linted;
use crate::guidelines::{Finding, Level, RULES, Rule};

use crate::report::{Report, TensorType};
use crate::summary::{By, Group, View, groups};
use crate::verify::Verdict;

mod placement;
mod plan;

pub(super) fn report(report: &Report, style: &Style) -> Result<String> {
    let mut text = head(report, style);
    text += &totals(report, style);
    text += &open_questions(report, style);
    if let Some(plan) = report.memory.as_ref().filter(|_| style.plan) {
        text += &plan::memory(plan, style);
    }
    if let Some(placement) = &report.device {
        text += &placement::device(placement, style);
    }
    if let Some(latency) = &report.latency {
        text.push('\n');
        super::latency::lines(latency).iter().for_each(|(label, value)| text += &line(label, value, style));
    }
    text += &placement::below_roof(report, style);
    text.push('\n');
    text += &table(report, style)?;
    for line in hidden(report)?.into_iter().chain(guidelines_kept(report)) {
        text += &format!("\n{}\n", wrap(&line, style.width, "  "));
    }
    Ok(text)
}

pub(super) fn bold(text: &str, style: &Style) -> String {
    if style.color { format!("\x1b[1m{text}\x1b[0m") } else { text.to_string() }
}

/// Words broken to lines of at most `width` columns; lines after the first begin with `indent`.
pub(super) fn wrap(text: &str, width: usize, indent: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last().map(String::as_str).unwrap_or_default();
        let fits = columns(line) + 1 + columns(word) <= width || line.trim().is_empty();
        if fits && let Some(line) = lines.last_mut() {
            if !line.trim().is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        } else {
            lines.push(format!("{indent}{word}"));
        }
    }
    lines.join("\n")
}

pub(super) fn columns(text: &str) -> usize {
    text.chars().count()
}

fn head(report: &Report, style: &Style) -> String {
    let list = |tensors: &[TensorType], what: &str| match tensors {
        [] => format!("no {what}"),
        [one] => tensor(one),
        several if several.len() <= 3 => {
            several.iter().map(|one| format!("{} {}", clean(&one.name), tensor(one))).collect::<Vec<_>>().join(", ")
        }
        several => plural(several.len(), what),
    };
    let model = &report.model;
    let opset = model.opset.iter().map(|(domain, version)| match domain.as_str() {
        "" => version.to_string(),
        domain => format!("{} {version}", clean(domain)),
    });
    let coverage = match (&report.coverage, report.totals.at_least.is_empty()) {
        (_, false) => "at least".to_string(),
        (coverage, _) if coverage.bounded > 0 => "at most".to_string(),
        _ => "exact".to_string(),
    };
    let folded = if report.totals.folded > 0 { format!(", {} folded", report.totals.folded) } else { String::new() };
    let line = format!(
        "{} · opset {} · {} → {} · {}{folded} · {coverage}",
        clean(&model.name),
        opset.take(3).collect::<Vec<_>>().join(", "),
        list(&model.inputs, "input"),
        list(&model.outputs, "output"),
        plural(report.totals.nodes, "node"),
    );
    let wrapped = wrap(&line, style.width, "  ");
    match wrapped.split_once(" · ") {
        Some((name, rest)) => format!("{} · {rest}\n\n", bold(name, style)),
        None => format!("{wrapped}\n\n"),
    }
}

/// A label and its value; formulas take a line of their own.
fn totals(report: &Report, style: &Style) -> String {
    let value = |key: &str| {
        let Some(index) = crate::cost::index_of(key) else { return String::new() };
        let bound = if report.totals.at_least.contains(&METRICS[index].key) { "≥ " } else { "" };
        let bound = if bound.is_empty() && report.totals.at_most(index) { "≤ " } else { bound };
        format!("{bound}{}", quantity(report.totals.counts.0[index].as_ref(), METRICS[index].unit, style.exact))
    };
    let file = quantity(Some(&crate::dim::Dim::from(report.model.file_bytes as usize)), Unit::Bytes, style.exact);
    let intensity = report.totals.intensity().map_or(UNKNOWN.to_string(), |ratio| format!("{ratio:.2} FLOP/B"));
    let causal = match report.totals.counts.get("macs_causal") {
        other if other == report.totals.counts.get("macs") => String::new(),
        _ => format!(" (causal {})", value("macs_causal")),
    };
    let pairs = [
        [("MACs", value("macs") + &causal), ("FLOPs", value("flops"))],
        [("Params", value("params")), ("Weights", format!("{}, file {file}", value("weight_bytes")))],
        [("Memory access", value("memory_access_bytes")), ("Intensity", intensity)],
    ];
    let mut text = String::new();
    let formulas = pairs.iter().flatten().any(|(_, value)| columns(value) > 28);
    let widest = |at: usize| pairs.iter().map(|pair| columns(&pair[at].1)).max().unwrap_or(0);
    let (first, second) = ((widest(0) + 2).max(22), widest(1));
    for [(left, value), (right, other)] in &pairs {
        if formulas || style.width < (VALUES + first + 11 + second).max(72) {
            text += &line(left, value, style);
            text += &line(right, other, style);
        } else {
            text += &format!("  {left:<17} {value:<first$}{right:<10} {other}\n");
        }
    }
    let peak = match &report.peak {
        Some(peak) => {
            let at = if peak.node.is_empty() { "the inputs".to_string() } else { clean(&peak.node) };
            let bytes = quantity(Some(&crate::dim::Dim::from(peak.bytes)), Unit::Bytes, style.exact);
            format!("{bytes} at {at} ({} alive)", plural(peak.tensors.len(), "tensor"))
        }
        None if report.model.dims.is_empty() => "unknown".to_string(),
        None => "depends on the free dimensions".to_string(),
    };
    text += &line("Peak activations", &peak, style);
    if let Some(published) = published(report, style) {
        text += &line("Published", &published, style);
    }
    text
}

/// The column in which values begin.
const VALUES: usize = 20;

fn line(label: &str, value: &str, style: &Style) -> String {
    let lines = wrap(value, style.width.saturating_sub(VALUES), "").replace('\n', &format!("\n{}", " ".repeat(VALUES)));
    format!("  {label:<17} {lines}\n")
}

/// The published figures in a line: which the count rounds to, and which deviate.
pub(super) fn published(report: &Report, style: &Style) -> Option<String> {
    let fixture = style.figures?;
    let findings = crate::verify::verify(report, fixture).ok()?;
    let mut parts = Vec::new();
    for metric in ["macs", "params"] {
        let title = &METRICS[crate::cost::index_of(metric)?].title;
        let mut seen: Vec<&str> = Vec::new();
        let mut words = Vec::new();
        for finding in findings.iter().filter(|finding| finding.metric == metric) {
            if seen.contains(&finding.published.as_str()) {
                continue;
            }
            seen.push(&finding.published);
            let number = match Published::parse(&finding.published) {
                Some(published) if published.unit == 1 => super::number::grouped(published.digits),
                _ => finding.published.replace(' ', "\u{a0}"),
            };
            let mark = match finding.verdict {
                Verdict::Agrees => "✓",
                Verdict::Recorded => "≠",
                Verdict::Fails => "✗",
            };
            words.push(format!("{number}\u{a0}{mark}"));
        }
        if !words.is_empty() {
            parts.push(format!("{title} {}", words.join(", ")));
        }
    }
    let recorded = findings.iter().any(|finding| finding.verdict != Verdict::Agrees);
    let note = if recorded { " (≠: lwstat verify says why)" } else { "" };
    (!parts.is_empty()).then(|| format!("{}{note}", parts.join(" · ")))
}

/// What is not fixed or not known, with the way on.
fn open_questions(report: &Report, style: &Style) -> String {
    let mut text = String::new();
    if let Some(first) = report.model.dims.first() {
        let names: Vec<_> = report.model.dims.iter().take(8).map(|name| clean(name)).collect();
        let more = report.model.dims.len().saturating_sub(names.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        text +=
            &line("Free dimensions", &format!("{}{more}: fix with --dim {}=1", names.join(", "), clean(first)), style);
    }
    if !report.coverage.unknown_ops.is_empty() {
        let name = |op: &crate::report::UnknownOp| match op.domain.as_str() {
            "" => format!("{} ×{}", clean(&op.op_type), op.count),
            domain => format!("{}:{} ×{}", clean(domain), clean(&op.op_type), op.count),
        };
        let names: Vec<_> = report.coverage.unknown_ops.iter().map(name).collect();
        text += &line("Unknown", &format!("{}: totals are lower bounds (≥)", names.join(", ")), style);
    }
    if report.coverage.bounded > 0 {
        let count = report.coverage.bounded;
        text += &line("Bounded", &format!("{count} If: the costlier branch is counted (≤)"), style);
    }
    text
}

/// Columns of the groups' table by the width from which they are shown.
const COLUMNS: &[(&str, usize)] =
    &[("macs", 0), ("flops", 120), ("params", 0), ("activation_bytes", 140), ("memory_access_bytes", 0)];

fn table(report: &Report, style: &Style) -> Result<String> {
    let (shown, rest) = groups(report, &style.view)?;
    let hidden_rows = rest.as_ref().map_or(0, |rest| rest.groups);
    let label = match style.view.by {
        By::Op => "Op type",
        By::Scope => "Module",
        By::Node => "Node",
    };
    let keys: Vec<_> = COLUMNS.iter().filter(|(_, width)| style.width >= *width).map(|(key, _)| *key).collect();
    let metrics: Vec<_> = keys.iter().filter_map(|key| crate::cost::index_of(key)).collect();
    let title = |index: usize| match METRICS[index].key {
        "memory_access_bytes" => "Memory access",
        "activation_bytes" => "Activations",
        _ => METRICS[index].title,
    };
    let second = if style.view.by == By::Node { "Op type" } else { "Nodes" };
    let mut header = vec![label.to_string(), second.to_string()];
    let [time, part, rates @ ..] = super::latency::GROUP_COLUMNS.map(str::to_string);
    if report.latency.is_some() {
        header.extend([time, part]);
    }
    header.extend(metrics.iter().flat_map(|&index| [title(index).to_string(), "%".to_string()]));
    let roofline = report.device.as_ref().map(|device| device.roofline_ms);
    header.extend(roofline.iter().flat_map(|_| ["Roofline ms", "%"]).map(str::to_string));
    if report.latency.is_some() {
        header.extend(rates);
    }
    let mut rows = vec![header];
    let row = |group: &Group, label: String| {
        let second = if group.kind.is_empty() { group.nodes.to_string() } else { cut(&clean(&group.kind), KIND) };
        let mut row = vec![label, second];
        let measured = report.latency.as_ref().map(|latency| super::latency::group(latency, group.ms, &group.counts));
        row.extend(measured.iter().flat_map(|measured| measured[..2].to_vec()));
        for &index in &metrics {
            let count = group.counts.0[index].as_ref();
            let bound = if group.coverage == Coverage::Unknown { "≥ " } else { "" };
            let value = quantity(count, METRICS[index].unit, style.exact);
            row.push(cut(&format!("{bound}{value}"), FORMULA));
            row.push(share(count, report.totals.counts.0[index].as_ref()));
        }
        if let Some(total) = roofline {
            row.push(millis(group.roofline_ms));
            row.push(if total > 0.0 { format!("{:.1}", 100.0 * group.roofline_ms / total) } else { String::new() });
        }
        row.extend(measured.iter().flat_map(|measured| measured[2..].to_vec()));
        row
    };
    for group in &shown {
        rows.push(row(group, format!("{}{}", "  ".repeat(group.depth), clean(&group.label))));
    }
    if let Some(rest) = &rest {
        rows.push(row(rest, format!("({} more: --top)", hidden_rows)));
    }
    Ok(layout(rows, style))
}

/// The most columns that a formula has in the table: the totals and the other formats have it whole.
const FORMULA: usize = 40;

/// The least columns that labels have.
const LABEL: usize = 24;

/// The most columns that a node's kind has.
const KIND: usize = 28;

/// Whether a column holds words: they stand to the left, and two spaces keep them apart.
fn words(column: usize, by: By) -> bool {
    column == 0 || (column == 1 && by == By::Node)
}

/// Leaves out shares, from the last, and then whole columns until the rest fits beside the labels; returns the columns
/// that a label may take.
fn fit(rows: &mut [Vec<String>], width: usize, by: By) -> usize {
    loop {
        let count = rows.first().map_or(0, Vec::len);
        let widest = |column: usize| rows.iter().map(|row| columns(&row[column])).max().unwrap_or(0);
        let others: usize = (1..count).map(|column| widest(column) + 1 + usize::from(words(column, by))).sum();
        if others + LABEL <= width || count <= 3 {
            return width.saturating_sub(others + 2).max(LABEL - 2);
        }
        let share = (3..count).rev().find(|&column| rows[0][column] == "%");
        let dropped = share.unwrap_or(count - 1);
        rows.iter_mut().for_each(|row| drop(row.remove(dropped)));
    }
}

/// A label cut to `width` columns. Of a node's name the end is kept: it tells nodes of one model apart.
fn shortened(label: &str, width: usize, by: By) -> String {
    let length = columns(label);
    if length <= width {
        return label.to_string();
    }
    if by != By::Node {
        return label.chars().take(width - 1).chain(['…']).collect();
    }
    let indent: String = label.chars().take_while(|letter| *letter == ' ').collect();
    let kept = width.saturating_sub(indent.len() + 1);
    format!("{indent}…{}", label.chars().skip(length - kept).collect::<String>())
}

/// Aligned columns without lines: words to the left, numbers to the right, the whole not wider than the terminal.
pub(super) fn layout(mut rows: Vec<Vec<String>>, style: &Style) -> String {
    let by = style.view.by;
    let width = fit(&mut rows, style.width, by);
    for row in &mut rows {
        row[0] = shortened(&row[0], width, by);
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    for row in rows {
        let cell = |(index, text): (usize, &String)| {
            let alignment = if words(index, by) { CellAlignment::Left } else { CellAlignment::Right };
            Cell::new(text.replace(' ', "\u{a0}")).set_alignment(alignment)
        };
        table.add_row(row.iter().enumerate().map(cell));
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((if words(index, by) { 2 } else { 1 }, 0));
        if index == 0 {
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(LABEL as u16)));
        }
    }
    let mut text = String::new();
    for (index, line) in table.lines().enumerate() {
        let line = line.replace('\u{a0}', " ");
        let line = line.trim_end();
        text += &if index == 0 { bold(line, style) } else { line.to_string() };
        text.push('\n');
    }
    text
}

/// The one thing about this model that its MACs do not say: the operator whose share of the memory access most exceeds
/// its share of the MACs (ShuffleNetV2's guideline G4).
fn hidden(report: &Report) -> Result<Option<String>> {
    let view = View { by: By::Op, depth: 0, sort: None, top: None };
    let (groups, _) = groups(report, &view)?;
    let total = |key: &str| report.totals.counts.get(key).and_then(crate::dim::Dim::as_int).filter(|total| *total > 0);
    let (Some(macs), Some(access)) = (total("macs"), total("memory_access_bytes")) else { return Ok(None) };
    let percent = |group: &Group, key: &str, total: i64| {
        group.counts.get(key).and_then(crate::dim::Dim::as_int).map(|count| 100.0 * count as f64 / total as f64)
    };
    let gap = |group: &&Group| Some(percent(group, "memory_access_bytes", access)? - percent(group, "macs", macs)?);
    let widest = groups.iter().filter_map(|group| Some((group, gap(&group)?))).max_by(|a, b| a.1.total_cmp(&b.1));
    let Some((group, gap)) = widest else { return Ok(None) };
    let share = |key, total| percent(group, key, total).unwrap_or_default();
    Ok((gap >= 5.0).then(|| {
        format!(
            "What FLOPs hide: {} has {:.1} % of the MACs and {:.1} % of the memory access (G4).",
            clean(&group.label),
            share("macs", macs),
            share("memory_access_bytes", access)
        )
    }))
}

/// What the findings of each guideline cost, and which guidelines are kept.
fn guidelines_kept(report: &Report) -> Option<String> {
    let findings = report.guidelines.as_ref()?;
    let share = |rule: &&Rule| crate::guidelines::share(findings, rule.id);
    let about = RULES.iter().filter(|rule| crate::guidelines::applies(&report.nodes, rule.id));
    let (kept, broken): (Vec<&Rule>, Vec<&Rule>) = about.partition(|rule| share(rule) < 0.0005);
    let cost = |rule: &&Rule| format!("{} {:.1} %", rule.id, 100.0 * share(rule));
    let costs = match broken.is_empty() {
        true => return None,
        false => broken.iter().map(cost).collect::<Vec<_>>().join(", "),
    };
    let kept = match &kept.iter().map(|rule| rule.id).collect::<Vec<_>>()[..] {
        [] => String::new(),
        kept => format!("; {} kept", kept.join(", ")),
    };
    Some(format!("Guidelines: {costs} of the memory access{kept} (lwstat lint says where)."))
}

pub(super) fn findings(models: &[Verified], style: &Style) -> String {
    let mut text = String::new();
    for model in models {
        let (path, fixture) = (clean(&model.path), model.fixture.as_deref().map(clean));
        let title = fixture.map_or_else(|| path.clone(), |fixture| format!("{path} against {fixture}"));
        text += &format!("{}\n", bold(&title, style));
        if let Some(reason) = &model.error {
            text += &format!("  {}\n", wrap(&clean(reason), style.width.saturating_sub(2), "      "));
        }
        for finding in &model.findings {
            let (mark, color) = match finding.verdict {
                Verdict::Agrees => ("✓", "32"),
                Verdict::Recorded => ("≠", "33"),
                Verdict::Fails => ("✗", "31"),
            };
            let mark = if style.color { format!("\x1b[{color}m{mark}\x1b[0m") } else { mark.to_string() };
            let counted = quantity(finding.counted.as_ref(), Unit::Count, true);
            let line =
                format!("{:<12} {:>9}  counted {counted}  {}", finding.metric, finding.published, finding.source);
            text += &format!(
                "  {mark} {}\n",
                wrap(&line.replace("  ", "\u{1}"), style.width.saturating_sub(4), "      ").replace('\u{1}', "  ")
            );
            if let Some(deviation) = &finding.deviation {
                text += &format!("      {}\n", wrap(&deviation.cause, style.width.saturating_sub(6), "      "));
            }
        }
    }
    let count =
        |verdict| models.iter().flat_map(|model| &model.findings).filter(|finding| finding.verdict == verdict).count();
    let unverified = match models.iter().filter(|model| model.error.is_some()).count() {
        0 => String::new(),
        count => format!("; {} not verified", plural(count, "model")),
    };
    text += &format!(
        "{}: {} agree, {} deviate as recorded, {} differ without a record{unverified}\n",
        plural(models.iter().map(|model| model.findings.len()).sum(), "figure"),
        count(Verdict::Agrees),
        count(Verdict::Recorded),
        count(Verdict::Fails)
    );
    text
}

/// The most findings of one guideline that text lists.
const FINDINGS: usize = 3;

pub(super) fn guidelines(linted: &Linted, style: &Style) -> String {
    let mut text = format!("{}\n", bold(&clean(&linted.path), style));
    if linted.unknown_nodes > 0 {
        let (nodes, are) = (plural(linted.unknown_nodes, "node"), if linted.unknown_nodes == 1 { "is" } else { "are" });
        let line = format!("{nodes} of which something is unknown {are} not judged.");
        text += &format!("{line}\n");
    }
    for rule in linted.rules.iter().filter(|rule| rule.level != Level::Allow) {
        let of: Vec<&Finding> = linted.guidelines.iter().filter(|finding| finding.rule == rule.rule).collect();
        let denied = if rule.level == Level::Deny && !rule.kept { ": denied" } else { "" };
        let share = 100.0 * rule.share;
        let summary = match of.len() {
            0 if !rule.applies => "nothing to judge: no such operators".to_string(),
            0 => "kept".to_string(),
            count => format!("{}, {share:.1} % of the memory access{denied}", plural(count, "finding")),
        };
        text += &format!("\n{}  {summary}\n", bold(&format!("{} {}", rule.rule, rule.title), style));
        let more = of.len().saturating_sub(FINDINGS);
        for finding in of.into_iter().take(FINDINGS) {
            let excess = quantity(Some(&finding.excess_bytes.into()), Unit::Bytes, style.exact);
            let place = match &finding.nodes[..] {
                [only] => clean(only),
                [first, rest @ ..] => format!("{} and {} more", clean(first), rest.len()),
                [] => String::new(),
            };
            let words = format!(
                "{excess:>10}  {:>4.1} %  {}; {}. At {place}",
                100.0 * finding.share,
                finding.message,
                finding.advice
            );
            let wrapped = wrap(&words.replace("  ", "\u{1}"), style.width.saturating_sub(5), &" ".repeat(22));
            text += &format!("  {}\n", wrapped.replace('\u{1}', "  "));
        }
        if more > 0 {
            text += &format!("  ({more} smaller ones: --format json)\n");
        }
    }
    text
}
