//! The operator table and the metric table as Markdown: what `lwstat ops` and `lwstat metrics` print.

use super::number::quantity;
use crate::columns::{Better, Unit};
use crate::cost::{self, Counted, METRICS};
use crate::ops::{self, Op, Role, Storage};

/// Every operator: its MACs, its FLOPs beside 2 × MACs, and what else its entry says.
pub fn operators() -> String {
    let mut text = String::new();
    let mut all: Vec<&Op> = ops::all().collect();
    all.sort_by_key(|op| (op.domain, op.name));
    for (index, op) in all.iter().enumerate() {
        if index == 0 || all[index - 1].domain != op.domain {
            let domain = if op.domain.is_empty() { "ai.onnx" } else { op.domain };
            let count = all.iter().filter(|other| other.domain == op.domain).count();
            text += &format!(
                "{}## {domain} ({count} operators)\n\n| Operator | MACs | FLOPs beside 2 × MACs | Notes |\n|:--|:--|:--|:--|\n",
                if index == 0 { "" } else { "\n" }
            );
        }
        let rule = |rule: &Option<ops::Flops>| rule.map_or("0", |rule| rule.rule).replace('|', "\\|");
        text += &format!("| {} | {} | {} | {} |\n", op.name, rule(&op.macs), rule(&op.flops), notes(op));
    }
    text
}

fn notes(op: &Op) -> String {
    let mut notes = Vec::new();
    match op.storage {
        Storage::Fresh => {}
        Storage::InPlace => notes.push("may write over an input".to_string()),
        Storage::View => notes.push("view of input 0".to_string()),
        Storage::ViewWhere(condition, _) => notes.push(format!("view of input 0 {condition}")),
    }
    if op.shape_only {
        notes.push("reads shapes alone, always folded".to_string());
    }
    if op.random {
        notes.push("random, never folded".to_string());
    }
    if op.generates {
        notes.push("generates a weight when folded".to_string());
    }
    if matches!(op.infer, ops::Infer::Control(_)) {
        notes.push("its bodies are counted".to_string());
    }
    if op.reads.is_some() {
        notes.push("reads part of an input".to_string());
    }
    for (role, name) in [(Role::Parameter, "parameters"), (Role::Statistic, "statistics"), (Role::Setting, "settings")]
    {
        let inputs: Vec<_> =
            op.roles.iter().filter(|(_, other)| *other == role).map(|(input, _)| input.to_string()).collect();
        if !inputs.is_empty() {
            notes.push(format!("{name}: input {}", inputs.join(", ")));
        }
    }
    notes.join("; ")
}

/// Every built-in device: rates, memories and where the figures come from.
pub fn devices() -> crate::Result<String> {
    let mut text = String::new();
    for device in crate::device::built_in() {
        let device = device?;
        let rates: Vec<_> =
            device.macs_per_second.iter().map(|(dtype, rate)| format!("{dtype} {}", short(rate.value))).collect();
        text += &format!("## {}\n\n{}\n\n", device.name, device.title);
        text += &format!("- Peak MACs a second: {}\n", rates.join(", "));
        text += &format!("- Peak bandwidth: {}B/s\n", short(device.bytes_per_second.value));
        let bytes = |bytes: i64| quantity(Some(&bytes.into()), cost::Unit::Bytes, false);
        let flash = device.flash_bytes.map(|flash| format!(", flash {}", bytes(flash.value))).unwrap_or_default();
        text += &format!("- RAM {}{flash}\n", bytes(device.ram_bytes.value));
        text += &device.notes.iter().map(|notes| format!("- {notes}\n")).collect::<String>();
        text += "\nSources:\n\n";
        text += &device.sources.iter().map(|source| format!("- {source}\n")).collect::<String>();
        text += "\n";
    }
    Ok(text.trim_end().to_string() + "\n")
}

/// `12.8 G`: as many digits as there are.
fn short(value: i64) -> String {
    let steps = [(1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")];
    match steps.iter().find(|(size, _)| value >= *size) {
        Some((size, prefix)) => format!("{} {prefix}", value as f64 / *size as f64),
        None => value.to_string(),
    }
}

/// Every metric: key, unit, rule.
pub fn metrics() -> String {
    let mut text = String::from("| Metric | Key | Unit | Bodies | Rule |\n|:--|:--|:--|:--|:--|\n");
    for metric in METRICS {
        let unit = if metric.unit == cost::Unit::Bytes { "bytes" } else { "count" };
        let bodies = if metric.counted == Counted::PerRun { "every run" } else { "once" };
        text += &format!("| {} | `{}` | {unit} | {bodies} | {} |\n", metric.title, metric.key, metric.rule);
    }
    text
}

/// Every column of a comparison: key, unit, which way is better, whether it has a sum, rule.
pub fn columns() -> String {
    let mut text = String::from("| Column | Key | Unit | Better | Sum | Rule |\n|:--|:--|:--|:--|:-:|:--|\n");
    for column in crate::columns::all() {
        let unit = match &column.unit {
            Unit::Word => "word",
            Unit::Count => "count",
            Unit::Bytes => "bytes",
            Unit::Percent | Unit::Share => "%",
            Unit::Milliseconds => "ms",
            Unit::Ratio => "ratio",
            Unit::Other(unit) => unit,
        };
        let better = match column.better {
            Better::Lower => "lower",
            Better::Higher => "higher",
            Better::Neither => "",
        };
        let sum = if column.sums { "✓" } else { "" };
        text += &format!("| {} | `{}` | {unit} | {better} | {sum} | {} |\n", column.title, column.key, column.rule);
    }
    text
}
