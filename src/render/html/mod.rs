//! HTML: one page that holds all it needs, for a report, a comparison, and the findings of `verify` and `lint`.
//!
//! Tables that fit are written out and sorted in place. A report's nodes and modules are embedded as JSON, and only the
//! rows that are seen are made from it, so that a page of ten thousand nodes opens at once. Names from files reach the page
//! as text alone: escaped in markup, and in the embedded JSON without any `<`.

use serde_json::Value;

use super::number::{clean, quantity};
use super::{Measured, Style, Verified};
use crate::charts::stylesheet;
use crate::cost::Unit;
use crate::guidelines::{Finding, Linted};
use crate::verify::Verdict;

mod comparison;
mod diff;
mod report;

pub(super) use comparison::comparison;
pub(super) use diff::diff;
pub(super) use report::report;

pub(crate) use crate::charts::escape;

/// Text that is no longer stands in one line.
const SHORT: usize = 24;

/// A cell of a table: what it shows, and what it is sorted by.
enum Cell {
    /// Text, as it is.
    Text(String),
    /// Markup.
    Markup(String),
    /// A number as text, and its value; unknown values come last.
    Number(String, Option<f64>),
    /// The best number of its column.
    Best(String, Option<f64>),
}

impl Cell {
    fn markup(&self) -> String {
        let rank = |rank: &Option<f64>| rank.map(|rank| format!(" data-rank=\"{rank}\"")).unwrap_or_default();
        match self {
            Cell::Text(text) if text.chars().count() <= SHORT => format!("<td class=\"short\">{}</td>", escape(text)),
            Cell::Text(text) => format!("<td>{}</td>", escape(text)),
            Cell::Markup(markup) => format!("<td class=\"names\">{markup}</td>"),
            Cell::Number(text, value) => format!("<td class=\"number\"{}>{}</td>", rank(value), escape(text)),
            Cell::Best(text, value) => {
                format!("<td class=\"number\"{}><strong>{}</strong></td>", rank(value), escape(text))
            }
        }
    }

    fn is_number(&self) -> bool {
        matches!(self, Cell::Number(..) | Cell::Best(..))
    }
}

/// A table whose headers sort it. The first cell of a row names it.
fn table(caption: &str, header: &[String], rows: &[Vec<Cell>], foot: &str) -> String {
    let caption = escape(caption);
    let mut text = format!(
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\"><table class=\"sortable\">\
         <caption>{caption}</caption><thead><tr>"
    );
    for (at, name) in header.iter().enumerate() {
        let numbers = rows.iter().any(|row| row.get(at).is_some_and(Cell::is_number));
        let class = if numbers { " class=\"number\"" } else { "" };
        let button = format!("<button type=\"button\">{}</button>", escape(name));
        text += &format!("<th scope=\"col\" aria-sort=\"none\"{class}>{button}</th>");
    }
    text += "</tr></thead><tbody>\n";
    for row in rows {
        text += "<tr>";
        for (at, cell) in row.iter().enumerate() {
            let cell = cell.markup();
            match at {
                0 => text += &cell.replacen("<td", "<th scope=\"row\"", 1).replace("</td>", "</th>"),
                _ => text += &cell,
            }
        }
        text += "</tr>\n";
    }
    text + "</tbody>" + foot + "</table></div>\n"
}

/// A section with its heading.
fn section(id: &str, heading: &str, body: &str) -> String {
    format!(
        "<section aria-labelledby=\"{id}-heading\"><h2 id=\"{id}-heading\">{}</h2>\n{body}</section>\n",
        escape(heading)
    )
}

/// The charts that the style has.
fn charts(style: &Style) -> String {
    if style.charts.is_empty() {
        return String::new();
    }
    let figure = |chart: &crate::charts::Chart| format!("<figure>{}</figure>\n", chart.element_for_page());
    let figures: String = style.charts.iter().map(figure).collect();
    section("charts", "Charts", &format!("<div class=\"charts\">\n{figures}</div>\n"))
}

/// The whole page. `data` is what its script reads.
fn page(title: &str, subtitle: &str, body: &str, data: Option<&Value>) -> String {
    let (title, subtitle) = (escape(title), escape(subtitle));
    // Within a script element nothing but `<` can end it.
    let data = data.map(|data| clean(&data.to_string()).replace('<', "\\u003c")).unwrap_or_else(|| "null".to_string());
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"generator\" content=\"lwstat {}\">\n<title>{title}</title>\n<style>\n{}{}</style>\n</head>\n<body>\n\
         <header><h1>{title}</h1><p>{subtitle}</p></header>\n<main>\n{body}</main>\n\
         <footer>lwstat {}</footer>\n<script type=\"application/json\" id=\"data\">{data}</script>\n\
         <script>\n{}</script>\n</body>\n</html>\n",
        env!("CARGO_PKG_VERSION"),
        stylesheet(),
        include_str!("page.css"),
        env!("CARGO_PKG_VERSION"),
        include_str!("page.js"),
    )
}

pub(super) fn findings(models: &[Verified], _: &Style) -> String {
    let header = ["Model", "Metric", "Published", "Counted", "Verdict", "Source"].map(str::to_string);
    let mut rows = Vec::new();
    for model in models {
        if let Some(reason) = &model.error {
            let cells =
                [crate::report::stem(&model.path).as_str(), "", "", "", "not verified", reason].map(str::to_string);
            rows.push(cells.map(Cell::Text).into());
        }
        for finding in &model.findings {
            let verdict = match finding.verdict {
                Verdict::Agrees => "agrees",
                Verdict::Recorded => "differs, recorded",
                Verdict::Fails => "differs",
            };
            let cause =
                finding.deviation.as_ref().map(|deviation| format!(": {}", deviation.cause)).unwrap_or_default();
            let counted = finding.counted.as_ref();
            rows.push(vec![
                Cell::Text(crate::report::stem(&model.path)),
                Cell::Text(finding.metric.to_string()),
                Cell::Text(finding.published.clone()),
                Cell::Number(
                    quantity(counted, Unit::Count, true),
                    counted.and_then(|count| count.as_int()).map(|count| count as f64),
                ),
                Cell::Text(verdict.to_string()),
                Cell::Text(format!("{}{cause}", finding.source)),
            ]);
        }
    }
    let table = table("Counts against published figures", &header, &rows, "");
    page("Published figures", "counts held against what is published", &section("figures", "Figures", &table), None)
}

pub(super) fn measured(models: &[Measured], _: &Style) -> String {
    let header: Vec<String> =
        ["Model", "Runs"].into_iter().chain(super::latency::COLUMNS).map(str::to_string).collect();
    let row = |model: &Measured| {
        let mut row = vec![Cell::Text(crate::report::stem(&model.path))];
        match &model.latency {
            Some(latency) => {
                row.push(Cell::Number(latency.runs.to_string(), Some(latency.runs as f64)));
                row.extend(super::latency::cells(latency).map(|cell| {
                    let value = cell.parse().ok();
                    Cell::Number(cell, value)
                }));
            }
            None => {
                row.push(Cell::Text(model.error.clone().unwrap_or_default()));
                row.extend(super::latency::COLUMNS.map(|_| Cell::Number(String::new(), None)));
            }
        }
        row
    };
    let rows: Vec<_> = models.iter().map(row).collect();
    let table = table("Measured time in milliseconds", &header, &rows, "");
    page("Latency", &super::latency::common(models), &section("latency", "Models", &table), None)
}

/// The cells of a guideline's finding, but for its nodes.
fn judged(finding: &Finding, style: &Style) -> [Cell; 5] {
    let excess = quantity(Some(&finding.excess_bytes.into()), Unit::Bytes, style.exact);
    [
        Cell::Text(finding.rule.to_string()),
        Cell::Number(excess, Some(finding.excess_bytes as f64)),
        Cell::Number(format!("{:.1}", 100.0 * finding.share), Some(finding.share)),
        Cell::Text(finding.message.clone()),
        Cell::Text(finding.advice.clone()),
    ]
}

pub(super) fn guidelines(linted: &Linted, style: &Style) -> String {
    let header = ["Rule", "Excess", "Share %", "Finding", "Advice", "First node"].map(str::to_string);
    let row = |finding: &Finding| {
        let first = finding.nodes.first().cloned().unwrap_or_default();
        judged(finding, style).into_iter().chain([Cell::Text(first)]).collect::<Vec<_>>()
    };
    let rows: Vec<_> = linted.guidelines.iter().map(row).collect();
    let table = table("Where ShuffleNetV2's guidelines are not kept", &header, &rows, "");
    page(
        &crate::report::stem(&linted.path),
        "ShuffleNetV2's guidelines",
        &section("findings", "Findings", &table),
        None,
    )
}
