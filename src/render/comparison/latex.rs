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
    let mut text = format!("\\begin{{tabular}}{{{alignment}}}\n\\toprule\n");
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
    text += "\\bottomrule\n\\end{tabular}\n";
    let other = if text.contains("\\lwstatother") { OTHER } else { "" };
    format!("% needs \\usepackage{{booktabs}}\n{other}{text}")
}

/// Letters that pdfLaTeX refuses stand as an argument of this command: other engines show them, it a question mark.
const OTHER: &str = "\\providecommand{\\lwstatother}[1]{\\ifdefined\\Umathchar#1\\else?\\fi}\n";

/// Letters of Latin-1 and Latin Extended-A that it has no command for.
const UNCOMMON: &str = "«»ÐÞðþĄąĐđĘęĦħĮįĸĿŀŉŊŋŦŧŲųſ";

/// What stands for signs that mean something to LaTeX, or nothing without mathematics.
const SIGNS: &[(char, &str)] = &[
    ('&', "\\&"),
    ('%', "\\%"),
    ('$', "\\$"),
    ('#', "\\#"),
    ('_', "\\_"),
    ('{', "\\{"),
    ('}', "\\}"),
    ('\\', "\\textbackslash{}"),
    ('~', "\\textasciitilde{}"),
    ('^', "\\textasciicircum{}"),
    ('|', "\\textbar{}"),
    ('<', "\\textless{}"),
    ('>', "\\textgreater{}"),
    ('"', "{''}"),
    // A row that begins with a bracket would be an argument of the line break before it.
    ('[', "{[}"),
    (']', "{]}"),
    ('*', "{*}"),
    ('\u{a0}', "~"),
    ('×', "$\\times$"),
    ('·', "$\\cdot$"),
    ('−', "$-$"),
    ('≥', "$\\geq$"),
    ('≤', "$\\leq$"),
    ('→', "$\\to$"),
    ('⌊', "$\\lfloor$"),
    ('⌋', "$\\rfloor$"),
    ('—', "---"),
    ('…', "\\ldots{}"),
    ('⁰', "$^0$"),
    ('¹', "$^1$"),
    ('²', "$^2$"),
    ('³', "$^3$"),
    ('⁴', "$^4$"),
    ('⁵', "$^5$"),
    ('⁶', "$^6$"),
    ('⁷', "$^7$"),
    ('⁸', "$^8$"),
    ('⁹', "$^9$"),
    ('\u{fffd}', "?"),
];

fn sign(letter: char) -> Option<&'static str> {
    SIGNS.iter().find(|(sign, _)| *sign == letter).map(|(_, text)| *text)
}

fn is_other(letter: char) -> bool {
    sign(letter).is_none() && !letter.is_control() && (letter > '\u{17f}' || UNCOMMON.contains(letter))
}

/// Text that means itself in LaTeX, in every engine.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            _ if is_other(letter) => {
                escaped.push_str("\\lwstatother{");
                escaped.push(letter);
                escaped.extend(std::iter::from_fn(|| letters.next_if(|letter| is_other(*letter))));
                escaped.push('}');
            }
            // Two of them in a row would be another sign: a dash, a quotation mark.
            '-' | '`' | '\'' | ',' | '!' | '?' if escaped.ends_with(['-', '`', '\'', ',', '!', '?']) => {
                escaped.push_str(&format!("{{{letter}}}"));
            }
            _ if letter.is_control() => escaped.push('?'),
            _ => match sign(letter) {
                Some(text) => escaped.push_str(text),
                None => escaped.push(letter),
            },
        }
    }
    escaped
}
