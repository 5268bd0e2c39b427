//! A difference of two models in each format: totals before and after, and what made the difference.

use serde_json::{Map, Value, json};

use super::markdown::escape;
use super::number::{UNKNOWN, clean, grouped, plural, quantity};
use super::text::{bold, columns, wrap};
use super::{Formats, Style};
use crate::cost::{METRICS, Unit};
use crate::diff::{Change, Diff, Kind, Pair, Place};
use crate::dim::Dim;

/// The formats of a difference.
pub static DIFFS: Formats<Diff> = &[("text", text), ("md", markdown), ("json", json), ("html", super::html::diff)];

/// Metrics whose deltas are shown for every change.
const SHOWN: &[&str] = &["macs", "params", "memory_access_bytes"];

/// The most changes that are shown where the style does not say.
const CHANGES: usize = 20;

/// The most nodes of a change that are described.
const NODES: usize = 3;

fn json(diff: &Diff, _: &Style) -> String {
    let side = |side: &crate::diff::Side| json!({"path": side.path, "name": side.name});
    let total = |total: &crate::diff::Total| {
        let value = json!({"before": total.before, "after": total.after, "delta": total.delta});
        (total.key.to_string(), value)
    };
    let change = |change: &Change| {
        let shares =
            METRICS.iter().enumerate().map(|(at, metric)| (metric.key.to_string(), json!(diff.share(change, at))));
        json!({
            "kind": change.kind,
            "scope": change.scope,
            "nodes": change.nodes,
            "delta": change.delta,
            "share": Value::Object(shares.collect()),
        })
    };
    let object = json!({
        "before": side(&diff.before),
        "after": side(&diff.after),
        "totals": diff.totals.iter().map(total).collect::<Map<_, _>>(),
        "changes": diff.changes.iter().map(change).collect::<Vec<_>>(),
        "unchanged": diff.unchanged,
        "incomplete": diff.incomplete,
    });
    format!("{object:#}\n")
}

/// A difference with its sign: `+1.2 M`, `−3.34 MiB`, `0`.
pub(super) fn signed(delta: Option<&Dim>, unit: Unit, exact: bool) -> String {
    match delta.map(|delta| (delta, delta.as_int())) {
        None => UNKNOWN.to_string(),
        Some((_, Some(0))) => "0".to_string(),
        Some((delta, Some(value))) if value > 0 => format!("+{}", quantity(Some(delta), unit, exact)),
        Some((_, Some(value))) => {
            let size = value.checked_neg().map(Dim::from);
            match size {
                Some(size) => format!("−{}", quantity(Some(&size), unit, exact)),
                None => grouped(value),
            }
        }
        Some((delta, None)) => quantity(Some(delta), unit, exact),
    }
}

/// By how much a total is more, in per cent of what it was.
fn growth(before: Option<&Dim>, delta: Option<&Dim>) -> String {
    match (before.and_then(Dim::as_int), delta.and_then(Dim::as_int)) {
        (Some(before), Some(delta)) if before > 0 && delta != 0 => {
            format!("{:+.1} %", 100.0 * delta as f64 / before as f64).replace('-', "−")
        }
        _ => String::new(),
    }
}

/// Totals that are shown; those of `SHOWN` where they are equal, too.
const TOTALS: &[&str] = &[
    "nodes",
    "macs",
    "flops",
    "params",
    "weight_bytes",
    "activation_bytes",
    "memory_access_bytes",
    "peak_activation_bytes",
];

pub(super) fn totals(diff: &Diff, style: &Style) -> Vec<[String; 5]> {
    let differs = |total: &crate::diff::Total| total.before != total.after && TOTALS.contains(&total.key);
    let shown = |total: &&crate::diff::Total| differs(total) || SHOWN.contains(&total.key);
    let row = |total: &crate::diff::Total| {
        let value = |count: &Option<Dim>, at_least: bool| {
            format!("{}{}", if at_least { "≥ " } else { "" }, quantity(count.as_ref(), total.unit, style.exact))
        };
        // What is more than known before makes the difference less, after makes it more; both leave it open.
        let bound = match total.at_least {
            [false, false] => "",
            [true, false] => "≤ ",
            [false, true] => "≥ ",
            [true, true] => "about ",
        };
        [
            total.title.to_string(),
            value(&total.before, total.at_least[0]),
            value(&total.after, total.at_least[1]),
            format!("{bound}{}", signed(total.delta.as_ref(), total.unit, style.exact)),
            growth(total.before.as_ref(), total.delta.as_ref()),
        ]
    };
    diff.totals.iter().filter(shown).map(row).collect()
}

/// How much a change weighs: its largest part of a total, where every free dimension is 128.
fn weight(diff: &Diff, change: &Change) -> f64 {
    let number = |dim: &Dim| dim.substitute(&|_| Some(Dim::from(128i64))).as_int();
    let of = |key: &&str| {
        let delta = number(change.delta.get(key)?)?;
        let whole = number(diff.total(key)?.before.as_ref()?)?;
        Some((delta as f64 / whole.max(1) as f64).abs())
    };
    SHOWN.iter().filter_map(of).fold(0.0, f64::max)
}

/// The changes that are shown, in the order in which nodes run, and those that are not.
fn chosen<'d>(diff: &'d Diff, style: &Style) -> (Vec<&'d Change>, Vec<&'d Change>) {
    let top = style.view.top.unwrap_or(CHANGES);
    let mut heaviest: Vec<(usize, f64)> =
        diff.changes.iter().enumerate().map(|(at, change)| (at, weight(diff, change))).collect();
    heaviest.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut kept = vec![false; diff.changes.len()];
    heaviest.iter().take(top).for_each(|(at, _)| kept[*at] = true);
    let (mut shown, mut rest) = (Vec::new(), Vec::new());
    diff.changes.iter().zip(kept).for_each(|(change, kept)| if kept { shown.push(change) } else { rest.push(change) });
    (shown, rest)
}

/// A part of a difference in per cent; empty where it is a large part of a small difference, which says nothing.
pub(super) fn part(share: f64) -> String {
    let text = format!("{:.1}", 100.0 * share.abs());
    match () {
        () if share.abs() >= 10.0 => String::new(),
        () if share < 0.0 && text != "0.0" => format!("−{text}"),
        () => text,
    }
}

/// The deltas of changes together, each with its part in the difference of the totals.
fn deltas(diff: &Diff, changes: &[&Change], style: &Style) -> Vec<(String, String)> {
    let delta = |key: &&str| {
        let at = crate::cost::index_of(key)?;
        let sum: Dim = changes.iter().filter_map(|change| change.delta.0[at].as_ref()).sum();
        let share: Option<f64> = changes.iter().map(|change| diff.share(change, at)).sum();
        let share = share.filter(|_| sum != Dim::ZERO).map(part).filter(|share| !share.is_empty());
        Some((
            signed(Some(&sum), METRICS[at].unit, style.exact),
            share.map(|share| format!("{share} %")).unwrap_or_default(),
        ))
    };
    SHOWN.iter().filter_map(delta).collect()
}

/// `Conv 3×3 → Conv 5×5`, `+ Relu 1×24×56×56`, `− Relu 1×24×56×56`.
fn pair(pair: &Pair) -> String {
    let shape = |place: &Place| match &place.shape {
        Some(shape) if !shape.is_empty() => {
            format!(" {}", shape.iter().map(Dim::to_string).collect::<Vec<_>>().join("×"))
        }
        _ => String::new(),
    };
    let text = match (&pair.before, &pair.after) {
        (Some(before), Some(after)) if pair.rewired && before.kind == after.kind && before.shape == after.shape => {
            format!("{}{} in another place", after.kind, shape(after))
        }
        (Some(before), Some(after)) if before.kind == after.kind && before.shape == after.shape => {
            format!("{}{}", after.kind, shape(after))
        }
        (Some(before), Some(after)) if before.kind == after.kind => {
            format!("{}{} →{}", after.kind, shape(before), shape(after))
        }
        (Some(before), Some(after)) => format!("{}{} → {}{}", before.kind, shape(before), after.kind, shape(after)),
        (Some(before), None) => format!("− {}{}", before.kind, shape(before)),
        (None, Some(after)) => format!("+ {}{}", after.kind, shape(after)),
        (None, None) => String::new(),
    };
    clean(&text)
}

/// What a change is called: its module, else its first node.
pub(super) fn place(change: &Change) -> String {
    let first = || change.nodes.first().and_then(|pair| pair.after.as_ref().or(pair.before.as_ref()));
    match change.scope.is_empty() {
        false => clean(&change.scope),
        true => first().map(|node| format!("at {}", clean(&node.name))).unwrap_or_default(),
    }
}

pub(super) fn mark(kind: Kind) -> &'static str {
    match kind {
        Kind::Added => "+",
        Kind::Removed => "−",
        Kind::Changed => "≠",
    }
}

pub(super) fn described(change: &Change) -> String {
    let mut parts: Vec<String> = change.nodes.iter().take(NODES).map(pair).collect();
    let more = change.nodes.len().saturating_sub(NODES);
    if more > 0 {
        parts.push(format!("{more} more"));
    }
    parts.join(", ")
}

pub(super) fn summary(diff: &Diff) -> String {
    let same =
        format!("{} {} the same", plural(diff.unchanged, "node"), if diff.unchanged == 1 { "is" } else { "are" });
    match diff.changes.len() {
        0 => format!("Nothing changed: {same}."),
        count => format!("{}, {same}.", plural(count, "change")),
    }
}

fn text(diff: &Diff, style: &Style) -> String {
    let title = format!("{} → {}", clean(&diff.before.path), clean(&diff.after.path));
    let mut text = format!("{}\n\n", bold(&title, style));
    let mut rows = vec![["", "Before", "After", "Difference", ""].map(str::to_string)];
    rows.extend(totals(diff, style));
    let lengths = |column: usize| rows.iter().map(move |row| columns(&row[column]));
    let widths: Vec<usize> = (0..5).map(|column| lengths(column).max().unwrap_or(0)).collect();
    if widths.iter().sum::<usize>() + 10 <= style.width {
        for row in &rows {
            let right = |at: usize| format!("{}{}", " ".repeat(widths[at] - columns(&row[at])), row[at]);
            let label = format!("{}{}", row[0], " ".repeat(widths[0] - columns(&row[0])));
            let line = format!("  {label}  {}  {}  {}  {}", right(1), right(2), right(3), right(4));
            text += &format!("{}\n", line.trim_end());
        }
    } else {
        for row in &rows[1..] {
            let line = match row[3].as_str() {
                "0" => format!("{:<19}  {} in both", row[0], row[1]),
                _ => format!("{:<19}  {} → {}: {} {}", row[0], row[1], row[2], row[3], row[4]),
            };
            text += &format!("  {}\n", wrap(line.trim_end(), style.width.saturating_sub(2), &" ".repeat(23)));
        }
    }
    text += &format!("\n{}\n", summary(diff));
    let (shown, rest) = chosen(diff, style);
    let titles = ["MACs", "params", "memory access"];
    // A number stays with its unit.
    let whole = |part: String| part.replace(' ', "\u{1}");
    let line = |changes: &[&Change]| {
        let part = |((delta, share), title): (&(String, String), &str)| match share.is_empty() {
            true => whole(format!("{delta} {title}")),
            false => whole(format!("{delta} {title} ({share})")),
        };
        let deltas = deltas(diff, changes, style);
        let parts = deltas.iter().zip(titles).filter(|((delta, _), _)| delta != "0").map(part);
        parts.collect::<Vec<_>>().join(", ")
    };
    let broken = |text: &str, width: usize, indent: &str| wrap(text, width, indent).replace('\u{1}', " ");
    for change in shown {
        let deltas = Some(line(&[change])).filter(|deltas| !deltas.is_empty()).unwrap_or_else(|| others(change, style));
        text += &format!("\n{} {}\n", mark(change.kind), bold(&place(change), style));
        text += &format!("    {}\n", broken(&deltas, style.width.saturating_sub(4), "    "));
        text += &format!("    {}\n", broken(&described(change), style.width.saturating_sub(4), "    "));
    }
    if !rest.is_empty() {
        let deltas = Some(line(&rest)).filter(|deltas| !deltas.is_empty());
        let deltas = deltas.map(|deltas| format!(", {deltas}")).unwrap_or_default();
        text += &format!("\n{}\n", broken(&format!("({} smaller ones{deltas}: --top)", rest.len()), style.width, "  "));
    }
    text
}

/// The deltas of a change that has none in what is shown of all.
fn others(change: &Change, style: &Style) -> String {
    let part = |(metric, delta): (&crate::cost::Metric, &Option<Dim>)| {
        let delta = delta.as_ref().filter(|delta| **delta != Dim::ZERO)?;
        Some(format!("{} {}", signed(Some(delta), metric.unit, style.exact), metric.title))
    };
    let parts: Vec<String> = METRICS.iter().zip(&change.delta.0).filter_map(part).take(3).collect();
    if parts.is_empty() { "no difference in cost".to_string() } else { parts.join(", ") }
}

fn markdown(diff: &Diff, style: &Style) -> String {
    let mut text = format!("### {} → {}\n\n", escape(&diff.before.name), escape(&diff.after.name));
    text += "| Total | Before | After | Difference | |\n|:--|--:|--:|--:|--:|\n";
    for row in totals(diff, style) {
        text += &format!("| {} |\n", row.map(|cell| escape(&cell)).join(" | "));
    }
    text += &format!("\n{}\n", summary(diff));
    if diff.changes.is_empty() {
        return text;
    }
    text += "\n| | Where | MACs | % | Params | % | Memory access | % | What |\n|:-:|:--|--:|--:|--:|--:|--:|--:|:--|\n";
    let (shown, rest) = chosen(diff, style);
    let line = |mark: &str, place: &str, changes: &[&Change], what: &str| {
        let deltas = deltas(diff, changes, style);
        let cells = deltas.iter().flat_map(|(delta, share)| [escape(delta), share.trim_end_matches(" %").to_string()]);
        format!("| {mark} | {} | {} | {} |\n", escape(place), cells.collect::<Vec<_>>().join(" | "), escape(what))
    };
    for change in shown {
        let unseen = deltas(diff, &[change], style).iter().all(|(delta, _)| delta == "0");
        let what = if unseen { format!("{}: {}", described(change), others(change, style)) } else { described(change) };
        text += &line(mark(change.kind), &place(change), &[change], &what);
    }
    if !rest.is_empty() {
        text += &line("", &format!("{} smaller ones", rest.len()), &rest, "");
    }
    text
}
