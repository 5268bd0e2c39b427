//! The page of a difference: totals before and after, and every change, sortable.

use super::{Cell, page, section, table};
use crate::diff::Diff;
use crate::dim::Dim;
use crate::render::Style;
use crate::render::diff::{described, mark, part, place, signed, summary, totals};

/// Metrics of the table of changes.
const COLUMNS: &[&str] = &["macs", "flops", "params", "memory_access_bytes"];

pub(in crate::render) fn diff(diff: &Diff, style: &Style) -> String {
    let header = ["Total", "Before", "After", "Difference", "%"].map(str::to_string);
    let row = |[total, numbers @ ..]: [String; 5]| {
        let number = |text: String| Cell::Number(text, None);
        [Cell::Text(total)].into_iter().chain(numbers.map(number)).collect::<Vec<_>>()
    };
    let rows: Vec<Vec<Cell>> = totals(diff, style).into_iter().map(row).collect();
    let body = section("totals", "Totals", &table("Totals of both models", &header, &rows, ""));
    let metrics: Vec<usize> = COLUMNS.iter().filter_map(|key| crate::cost::index_of(key)).collect();
    let mut header = vec!["Place".to_string(), "Kind".to_string(), "Nodes".to_string()];
    for &at in &metrics {
        header.extend([crate::cost::METRICS[at].title.to_string(), "%".to_string()]);
    }
    header.push("What".to_string());
    let rows: Vec<Vec<Cell>> = diff
        .changes
        .iter()
        .map(|change| {
            let mut row = vec![
                Cell::Text(place(change)),
                Cell::Text(mark(change.kind).to_string()),
                Cell::Number(change.nodes.len().to_string(), Some(change.nodes.len() as f64)),
            ];
            for &at in &metrics {
                let delta = change.delta.0[at].as_ref();
                let value = delta.and_then(Dim::as_int).map(|delta| delta as f64);
                row.push(Cell::Number(signed(delta, crate::cost::METRICS[at].unit, style.exact), value));
                let share = diff.share(change, at);
                row.push(Cell::Number(share.map(part).unwrap_or_default(), share));
            }
            row.push(Cell::Text(described(change)));
            row
        })
        .collect();
    let changes = section("changes", "Changes", &table(&summary(diff), &header, &rows, ""));
    let title = format!("{} → {}", diff.before.name, diff.after.name);
    page(&title, &format!("{} against {}", diff.after.path, diff.before.path), &(body + &changes), None)
}
