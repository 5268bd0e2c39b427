//! Text: aligned columns, in as many blocks as the terminal's width asks for.

use super::{Cell, Style, Table, table, unmeasured};
use crate::columns::Unit;
use crate::compare::Comparison;
use crate::render::number::{UNKNOWN, clean};
use crate::render::text::{bold, columns, wrap};

/// The most columns that a formula takes.
const FORMULA: usize = 48;

pub(super) fn comparison(comparison: &Comparison, style: &Style) -> String {
    let table = table(comparison, style, FORMULA);
    let mut text = String::new();
    for (at, block) in blocks(&table, comparison, style.width).iter().enumerate() {
        if at > 0 {
            text.push('\n');
        }
        text += &render(&table, comparison, block, style);
    }
    let rows = table.rows.iter().zip(&comparison.models);
    let failed = rows.filter_map(|((_, cells), model)| Some((clean(&model.path), cells.as_ref().err()?.clone())));
    let remarks = failed.chain(unmeasured(comparison)).map(|(path, reason)| format!("{path}: {reason}"));
    let remarks: Vec<String> = super::places(comparison).into_iter().chain(remarks).collect();
    if !remarks.is_empty() {
        text.push('\n');
    }
    for remark in remarks {
        text += &format!("  {}\n", wrap(&remark, style.width.saturating_sub(2), "      "));
    }
    text
}

/// Where in a row a column's entry stands, and whether its ratio follows.
fn places(comparison: &Comparison) -> Vec<(usize, bool)> {
    let mut at = 0;
    (0..comparison.columns.len())
        .map(|column| {
            let (place, related) = (at, comparison.is_related(column));
            at += 1 + usize::from(related);
            (place, related)
        })
        .collect()
}

/// The widest entry of a column, its header broken into lines included.
fn widest(table: &Table, cell: usize) -> usize {
    let header = broken(table, cell);
    header.iter().map(|line| columns(line)).max().unwrap_or(0).max(widest_entry(table, cell))
}

fn widest_entry(table: &Table, cell: usize) -> usize {
    let cells = table.rows.iter().filter_map(|(_, cells)| cells.as_ref().ok()?.get(cell));
    cells.map(|cell| columns(&cell.text)).max().unwrap_or(0).max(1)
}

/// A column's header in lines, so that it is not much wider than its entries.
fn broken(table: &Table, cell: usize) -> Vec<String> {
    let title = &table.header[cell + 1];
    let longest = title.split(' ').map(columns).max().unwrap_or(0);
    let width = widest_entry(table, cell).max(longest);
    wrap(title, width, "").split('\n').map(str::to_string).collect()
}

fn label_width(table: &Table) -> usize {
    table.rows.iter().map(|(label, _)| columns(label)).max().unwrap_or(0).max(columns(&table.header[0]))
}

/// The columns of each block, as many as fit beside the labels, and one at least.
fn blocks(table: &Table, comparison: &Comparison, width: usize) -> Vec<Vec<usize>> {
    let places = places(comparison);
    let label = label_width(table);
    let mut blocks: Vec<Vec<usize>> = vec![Vec::new()];
    let mut room = width.saturating_sub(label);
    for (column, (place, related)) in places.iter().enumerate() {
        let ratio = if *related { 1 + widest(table, place + 1) } else { 0 };
        let need = 2 + widest(table, *place) + ratio;
        if need > room && blocks.last().is_some_and(|block| !block.is_empty()) {
            blocks.push(Vec::new());
            room = width.saturating_sub(label);
        }
        room = room.saturating_sub(need);
        if let Some(block) = blocks.last_mut() {
            block.push(column);
        }
    }
    blocks
}

fn render(table: &Table, comparison: &Comparison, block: &[usize], style: &Style) -> String {
    let places = places(comparison);
    let label = label_width(table);
    let unknown = Cell { text: UNKNOWN.to_string(), best: false };
    let line = |first: &str, cell: &dyn Fn(usize) -> Cell| {
        let mut line = pad(first, label, true);
        for &column in block {
            let (place, related) = places[column];
            let left = comparison.columns[column].unit == Unit::Word;
            let shown = cell(place);
            let padded = pad(&shown.text, widest(table, place), left);
            line += "  ";
            line += &if shown.best { bold(&padded, style) } else { padded };
            if related {
                line += &format!(" {}", pad(&cell(place + 1).text, widest(table, place + 1), false));
            }
        }
        line.trim_end().to_string()
    };
    let headers: Vec<Vec<String>> = (1..table.header.len()).map(|cell| broken(table, cell - 1)).collect();
    let shown = |column: &usize| headers[places[*column].0].len();
    let height = block.iter().map(shown).max().unwrap_or(1);
    let mut text = String::new();
    for level in 0..height {
        // Headers stand on the line above the entries, the longer ones begin higher.
        let title = |cell: usize| {
            let lines = &headers[cell];
            let text = (level + lines.len()).checked_sub(height).map(|at| lines[at].clone()).unwrap_or_default();
            Cell { text, best: false }
        };
        let first = if level + 1 == height { table.header[0].as_str() } else { "" };
        text += &format!("{}\n", bold(&line(first, &title), style));
    }
    for (label, cells) in &table.rows {
        let cell = |at: usize| match cells {
            Ok(cells) => cells.get(at).cloned().unwrap_or_default(),
            Err(_) => unknown.clone(),
        };
        text += &format!("{}\n", line(label, &cell));
    }
    text
}

fn pad(text: &str, width: usize, left: bool) -> String {
    let space = " ".repeat(width.saturating_sub(columns(text)));
    if left { format!("{text}{space}") } else { format!("{space}{text}") }
}
