//! CSV (RFC 4180): a row a model, a column a key, with all digits.

use super::{BOUNDS, Style, bounded, raw, reason};
use crate::compare::Comparison;
use crate::render::csv::row;
use crate::render::number::clean;

pub(super) fn comparison(comparison: &Comparison, _: &Style) -> String {
    let columns = 0..comparison.columns.len();
    let mut header = vec!["path".to_string(), "name".to_string()];
    for column in columns.clone() {
        let key = &comparison.columns[column].key;
        header.push(key.clone());
        if comparison.is_related(column) {
            header.push(format!("{key}_ratio"));
        }
    }
    header.extend(BOUNDS.map(|(key, _)| key).into_iter().chain(["error"]).map(str::to_string));
    let mut text = row(header);
    for (at, model) in comparison.models.iter().enumerate() {
        let mut fields = vec![model.path.clone(), model.name.clone()];
        for column in columns.clone() {
            fields.push(raw(model.entry(column)));
            if comparison.is_related(column) {
                fields.push(comparison.ratio(at, column).map(|ratio| ratio.to_string()).unwrap_or_default());
            }
        }
        fields.extend(
            BOUNDS.map(|(_, bound)| bounded(comparison, |column| model.entry(column).cloned(), bound).join(" ")),
        );
        let unmeasured = || model.latency_error.as_ref().map(|reason| format!("not measured: {}", clean(reason)));
        fields.push(model.entries.as_ref().err().map(reason).or_else(unmeasured).unwrap_or_default());
        text += &row(fields);
    }
    if comparison.with_totals {
        let mut fields = vec![String::new(), "(total)".to_string()];
        for column in columns {
            fields.push(raw(comparison.sum(column).as_ref()));
            if comparison.is_related(column) {
                fields.push(String::new());
            }
        }
        fields.extend(BOUNDS.map(|(_, bound)| bounded(comparison, |column| comparison.sum(column), bound).join(" ")));
        fields.push(String::new());
        text += &row(fields);
    }
    text
}
