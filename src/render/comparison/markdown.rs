//! Markdown: a table with the best of each column in bold.

use super::{Style, table, unmeasured};
use crate::compare::Comparison;
use crate::render::markdown::escape;

/// The most characters that a formula takes.
const FORMULA: usize = 120;

pub(super) fn comparison(comparison: &Comparison, style: &Style) -> String {
    let table = table(comparison, style, FORMULA);
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(table.header.iter().map(|title| escape(title)).collect());
    text += "|:--|";
    let words = |column: &crate::columns::Column| column.unit == crate::columns::Unit::Word;
    for (index, column) in comparison.columns.iter().enumerate() {
        text += if words(column) { ":--|" } else { "--:|" };
        text += if comparison.is_related(index) { "--:|" } else { "" };
    }
    text.push('\n');
    for (label, cells) in &table.rows {
        let cells = match cells {
            Ok(cells) => cells
                .iter()
                .map(|cell| if cell.best { format!("**{}**", escape(&cell.text)) } else { escape(&cell.text) })
                .collect(),
            Err(reason) => {
                let mut cells = vec![String::new(); table.header.len() - 1];
                if let Some(first) = cells.first_mut() {
                    *first = format!("not read: {}", escape(reason));
                }
                cells
            }
        };
        text += &line([vec![escape(label)], cells].concat());
    }
    for note in super::places(comparison) {
        text += &format!("\n{}\n", escape(&note));
    }
    for (path, reason) in unmeasured(comparison) {
        text += &format!("\n{}: {}\n", escape(&path), escape(&reason));
    }
    text
}
