//! The page of a comparison: its table, sortable, and its charts.

use super::{Cell, charts, escape, page, section, table};
use crate::columns::Number;
use crate::compare::Comparison;
use crate::dim::Dim;
use crate::render::Style;
use crate::render::comparison::{self as shared, Table};
use crate::render::number::plural;

/// Letters of a formula that are shown; all of it stands in JSON and CSV.
const LONGEST: usize = 28;

/// What the script fills.
const SEARCH: &str = "<p><label for=\"filter\">Search models</label> <input type=\"search\" id=\"filter\" \
autocomplete=\"off\" spellcheck=\"false\"> <output id=\"found\" for=\"filter\" aria-live=\"polite\"></output></p>\n";

pub(in crate::render) fn comparison(comparison: &Comparison, style: &Style) -> String {
    let Table { mut header, rows: texts } = shared::table(comparison, style, LONGEST);
    // A ratio's header stands with it: each column is sorted by itself.
    for at in 1..header.len() {
        if header[at].is_empty() {
            header[at] = format!("{}, ratio", header[at - 1]);
        }
    }
    let (mut rows, mut failed) = (Vec::new(), Vec::new());
    for (at, model) in comparison.models.iter().enumerate() {
        let (label, cells) = &texts[at];
        match cells {
            Ok(cells) => {
                let mut ranks = Vec::new();
                for column in 0..comparison.columns.len() {
                    ranks.push(model.entry(column).and_then(rank));
                    if comparison.is_related(column) {
                        ranks.push(comparison.ratio(at, column));
                    }
                }
                let mut row = vec![Cell::Text(label.clone())];
                row.extend(cells.iter().zip(ranks).map(|(cell, rank)| match (cell.best, rank) {
                    (true, _) => Cell::Best(cell.text.clone(), rank),
                    (false, Some(_)) => Cell::Number(cell.text.clone(), rank),
                    (false, None) => Cell::Text(cell.text.clone()),
                }));
                rows.push(row);
            }
            Err(reason) => failed.push(format!("<li>{}: {}</li>\n", escape(label), escape(reason))),
        }
    }
    let mut foot = String::new();
    if let Some((label, Ok(cells))) = texts.get(comparison.models.len()) {
        let cells: String =
            cells.iter().map(|cell| format!("<td class=\"number\">{}</td>", escape(&cell.text))).collect();
        foot = format!("<tfoot><tr><th scope=\"row\">{}</th>{cells}</tr></tfoot>", escape(label));
    }
    let models = table("A row a model; the best of a column is bold", &header, &rows, &foot);
    let mut body = section("models", "Models", &format!("{SEARCH}{models}"));
    if !failed.is_empty() {
        body += &section("failed", "Not read", &format!("<ul>\n{}</ul>\n", failed.concat()));
    }
    body += &charts(style);
    let rules: String = comparison
        .columns
        .iter()
        .map(|column| {
            let place = if column.place.is_empty() { String::new() } else { format!(" Here: {}.", column.place) };
            format!(
                "<div><dt>{}</dt><dd>{}{}</dd></div>\n",
                escape(&column.title),
                escape(&column.rule),
                escape(&place)
            )
        })
        .collect();
    body += &section("columns", "Columns", &format!("<dl class=\"rules\">\n{rules}</dl>\n"));
    page(&plural(comparison.models.len(), "model"), "compared by lwstat", &body, None)
}

/// What an entry is sorted by: a formula as if every free dimension were 128.
fn rank(number: &Number) -> Option<f64> {
    let fixed = || number.dim()?.substitute(&|_| Some(Dim::from(128i64))).as_int().map(|value| value as f64);
    number.real().or_else(fixed)
}
