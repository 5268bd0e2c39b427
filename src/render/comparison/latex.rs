//! LaTeX: a `tabular` with rules of booktabs and the best of each column in bold.

use super::{Style, table};
use crate::columns::Unit;
use crate::compare::Comparison;

pub(super) fn comparison(comparison: &Comparison, style: &Style) -> String {
    let table = table(comparison, style, usize::MAX);
    let mut alignment = "l".to_string();
    for (index, column) in comparison.columns.iter().enumerate() {
        alignment.push(if column.unit == Unit::Word { 'l' } else { 'r' });
        if comparison.is_related(index) {
            alignment.push('r');
        }
    }
    let line = |cells: &[String]| format!("{} \\\\\n", cells.join(" & "));
    let header: Vec<String> = table.header.iter().map(|title| escape(title)).collect();
    let mut text = format!("% needs \\usepackage{{booktabs}}\n\\begin{{tabular}}{{{alignment}}}\n\\toprule\n");
    text += &line(&header);
    text += "\\midrule\n";
    for (at, (label, cells)) in table.rows.iter().enumerate() {
        if at == comparison.models.len() {
            text += "\\midrule\n";
        }
        let mut row = vec![escape(label)];
        match cells {
            Ok(cells) => row.extend(cells.iter().map(|cell| match cell.best {
                true => format!("\\textbf{{{}}}", escape(&cell.text)),
                false => escape(&cell.text),
            })),
            Err(reason) if header.len() > 1 => {
                row.push(format!("\\multicolumn{{{}}}{{l}}{{not read: {}}}", header.len() - 1, escape(reason)));
            }
            Err(_) => {}
        }
        text += &line(&row);
    }
    text + "\\bottomrule\n\\end{tabular}\n"
}

/// Text that means itself in LaTeX, in every engine. Letters of other scripts stay: an engine with their font shows them.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => escaped.extend(['\\', letter]),
            '\\' => escaped.push_str("\\textbackslash{}"),
            '~' => escaped.push_str("\\textasciitilde{}"),
            '^' => escaped.push_str("\\textasciicircum{}"),
            '|' => escaped.push_str("\\textbar{}"),
            '<' => escaped.push_str("\\textless{}"),
            '>' => escaped.push_str("\\textgreater{}"),
            '"' => escaped.push_str("{''}"),
            // Two of them in a row would be another sign: a dash, a quotation mark.
            '-' | '`' | '\'' | ',' | '!' | '?' if escaped.ends_with(['-', '`', '\'', ',', '!', '?']) => {
                escaped.push_str(&format!("{{{letter}}}"));
            }
            // A row that begins with a bracket would be an argument of the line break before it.
            '[' | ']' | '*' => escaped.push_str(&format!("{{{letter}}}")),
            '\u{a0}' => escaped.push('~'),
            '×' => escaped.push_str("$\\times$"),
            '·' => escaped.push_str("$\\cdot$"),
            '−' => escaped.push_str("$-$"),
            '≥' => escaped.push_str("$\\geq$"),
            '≤' => escaped.push_str("$\\leq$"),
            '→' => escaped.push_str("$\\to$"),
            '⌊' => escaped.push_str("$\\lfloor$"),
            '⌋' => escaped.push_str("$\\rfloor$"),
            '—' => escaped.push_str("---"),
            '…' => escaped.push_str("\\ldots{}"),
            '\u{fffd}' => escaped.push('?'),
            letter => match "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().position(|digit| digit == letter) {
                Some(power) => escaped.push_str(&format!("$^{{{power}}}$")),
                None if letter.is_control() => escaped.push('?'),
                None => escaped.push(letter),
            },
        }
    }
    escaped
}
