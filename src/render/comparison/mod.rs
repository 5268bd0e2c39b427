//! A comparison of models in each format, and what the formats share: entries, ratios and headers for people.

use super::number::{self, UNKNOWN, clean, grouped, quantity};
use super::{Formats, Style};
use crate::columns::{Bound, Column, Number, Unit};
use crate::compare::Comparison;
use crate::cost;
use crate::error::Error;
use crate::figures::Published;

mod csv;
mod json;
mod latex;
mod markdown;
mod text;

/// The formats of a comparison.
pub static COMPARISONS: Formats<Comparison> = &[
    ("text", text::comparison),
    ("md", markdown::comparison),
    ("csv", csv::comparison),
    ("json", json::comparison),
    ("latex", latex::comparison),
    ("html", super::html::comparison),
];

/// A column's header with its unit, where entries do not carry it.
fn header(column: &Column) -> String {
    match &column.unit {
        Unit::Percent | Unit::Share => format!("{} %", column.title),
        Unit::Milliseconds => format!("{} ms", column.title),
        Unit::Other(unit) => format!("{} {unit}", column.title),
        Unit::Word | Unit::Count | Unit::Bytes | Unit::Ratio => column.title.clone(),
    }
}

/// An entry for people.
pub(crate) fn entry(number: Option<&Number>, unit: &Unit, exact: bool) -> String {
    let Some(number) = number else { return UNKNOWN.to_string() };
    let bound = match number.bound() {
        Bound::Exact => "",
        Bound::AtLeast => "≥ ",
        Bound::AtMost => "≤ ",
    };
    let text = match number {
        Number::Word(word) => clean(word),
        Number::Published { text, .. } => match Published::parse(text) {
            Some(published) if published.unit == 1 => grouped(published.digits),
            _ => text.clone(),
        },
        Number::Count { count, .. } => {
            let unit = if *unit == Unit::Bytes { cost::Unit::Bytes } else { cost::Unit::Count };
            quantity(Some(count), unit, exact)
        }
        // Accuracies have the digits that are published, measures three that count.
        Number::Real { value, .. } => match unit {
            Unit::Percent if value.fract() == 0.0 => shortest(*value) + ".0",
            Unit::Percent | Unit::Other(_) => shortest(*value),
            Unit::Share => format!("{value:.1}"),
            _ if exact => shortest(*value),
            _ => decimals(*value, 3.0),
        },
    };
    format!("{bound}{text}")
}

/// As few digits as give the number back.
fn shortest(real: f64) -> String {
    format!("{real}").replace('-', "−")
}

/// Two decimals, and more where the number is so small that its first `digits` would not show.
fn decimals(real: f64, digits: f64) -> String {
    let lead = if real == 0.0 { 0.0 } else { real.abs().log10().floor() };
    let decimals = (digits - 1.0 - lead).clamp(2.0, 12.0) as usize;
    format!("{real:.decimals$}").replace('-', "−")
}

/// A ratio for people: `×0.48`.
fn ratio(ratio: f64) -> String {
    format!("×{}", decimals(ratio, 2.0))
}

/// What the numbers of a column hold for, where that is one device or machine.
pub(crate) fn places(comparison: &Comparison) -> Vec<String> {
    let placed = comparison.columns.iter().filter(|column| !column.place.is_empty());
    placed.map(|column| format!("{}: {}", column.title, clean(&column.place))).collect()
}

/// A failed model's reason without the file, which stands beside it.
fn reason(error: &Error) -> String {
    clean(&Error { path: None, ..error.clone() }.to_string())
}

/// Of each model that was read but not measured though it was to be: its path, and the reason.
fn unmeasured(comparison: &Comparison) -> impl Iterator<Item = (String, String)> {
    let models = comparison.models.iter();
    models.filter_map(|model| {
        Some((clean(&model.path), format!("not measured: {}", clean(model.latency_error.as_ref()?))))
    })
}

/// A cell of a table for people.
#[derive(Clone, Default)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) best: bool,
}

/// The table as people see it: headers, and a row for each model (then the sums) with its label; entries with their
/// ratios, or a reason. Formulas longer than `longest` are cut.
pub(super) struct Table {
    pub(super) header: Vec<String>,
    pub(super) rows: Vec<(String, Result<Vec<Cell>, String>)>,
}

pub(super) fn table(comparison: &Comparison, style: &Style, longest: usize) -> Table {
    let best: Vec<Vec<bool>> = (0..comparison.columns.len()).map(|column| comparison.best(column)).collect();
    let cut = |text: String| number::cut(&text, longest);
    let mut header = vec!["Model".to_string()];
    for (index, column) in comparison.columns.iter().enumerate() {
        header.push(clean(&self::header(column)));
        if comparison.is_related(index) {
            header.push(String::new());
        }
    }
    let labels = comparison.labels();
    let row = |(at, model): (usize, &crate::compare::Compared)| {
        let cells = |_: &Vec<Option<Number>>| {
            let mut cells = Vec::with_capacity(header.len());
            for (index, column) in comparison.columns.iter().enumerate() {
                let text = cut(entry(model.entry(index), &column.unit, style.exact));
                cells.push(Cell { text, best: best[index][at] });
                if comparison.is_related(index) {
                    let text = comparison.ratio(at, index).map(ratio).unwrap_or_default();
                    cells.push(Cell { text, best: false });
                }
            }
            cells
        };
        (clean(&labels[at]), model.entries.as_ref().map(cells).map_err(reason))
    };
    let mut rows: Vec<_> = comparison.models.iter().enumerate().map(row).collect();
    if comparison.with_totals {
        let mut cells = Vec::new();
        for (index, column) in comparison.columns.iter().enumerate() {
            let sum = comparison.sum(index);
            let text = sum.map(|sum| cut(entry(Some(&sum), &column.unit, style.exact))).unwrap_or_default();
            cells.push(Cell { text, best: false });
            if comparison.is_related(index) {
                cells.push(Cell::default());
            }
        }
        rows.push(("Total".to_string(), Ok(cells)));
    }
    Table { header, rows }
}

/// An entry for programs: all digits, formulas as Python expressions, nothing where it is unknown.
fn raw(number: Option<&Number>) -> String {
    match number {
        None => String::new(),
        Some(Number::Word(word)) => word.clone(),
        Some(Number::Count { count, .. }) => count.code(),
        Some(Number::Published { value, .. }) => value.to_string(),
        // As JSON writes it.
        Some(Number::Real { value, .. }) => serde_json::json!(value).to_string(),
    }
}

/// What formats for programs call the lists of bounds.
const BOUNDS: [(&str, Bound); 2] = [("at_least", Bound::AtLeast), ("at_most", Bound::AtMost)];

/// The keys of the columns in which a row's number is a bound of this kind.
fn bounded(comparison: &Comparison, number: impl Fn(usize) -> Option<Number>, kind: Bound) -> Vec<&str> {
    let is = |column: &usize| number(*column).is_some_and(|number| number.bound() == kind);
    (0..comparison.columns.len()).filter(is).map(|column| &*comparison.columns[column].key).collect()
}
