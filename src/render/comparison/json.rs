//! JSON: `{"models": [{"path", "name", a key a column}]}` with all digits.

use serde_json::{Map, Value, json};

use super::{BOUNDS, Style, bounded, reason};
use crate::columns::Number;
use crate::compare::Comparison;

pub(super) fn comparison(comparison: &Comparison, _: &Style) -> String {
    let models: Vec<Value> = (0..comparison.models.len()).map(|at| model(comparison, at)).collect();
    let mut object = Map::from_iter([("models".to_string(), json!(models))]);
    if let Some(reference) = comparison.reference {
        object.insert("relative_to".to_string(), json!(comparison.models[reference].path));
    }
    let placed = comparison.columns.iter().filter(|column| !column.place.is_empty());
    let places: Map<String, Value> = placed.map(|column| (column.key.clone(), json!(column.place))).collect();
    if !places.is_empty() {
        object.insert("places".to_string(), Value::Object(places));
    }
    if comparison.with_totals {
        let sums = comparison.columns.iter().enumerate();
        let sums = sums.filter_map(|(index, column)| Some((column.key.clone(), value(Some(&comparison.sum(index)?)))));
        let mut totals: Map<String, Value> = sums.collect();
        bounds(comparison, |column| comparison.sum(column), &mut totals);
        object.insert("totals".to_string(), Value::Object(totals));
    }
    format!("{:#}\n", Value::Object(object))
}

fn model(comparison: &Comparison, at: usize) -> Value {
    let model = &comparison.models[at];
    let mut object = Map::from_iter([("path".to_string(), json!(model.path)), ("name".to_string(), json!(model.name))]);
    if let Err(error) = &model.entries {
        object.insert("error".to_string(), json!(reason(error)));
        return Value::Object(object);
    }
    for (index, column) in comparison.columns.iter().enumerate() {
        object.insert(column.key.clone(), value(model.entry(index)));
    }
    if let Some(reason) = &model.latency_error {
        object.insert("latency_error".to_string(), json!(reason));
    }
    bounds(comparison, |column| model.entry(column).cloned(), &mut object);
    if comparison.reference.is_some() {
        let columns = (0..comparison.columns.len()).filter(|column| comparison.is_related(*column));
        let ratio = |column: usize| (comparison.columns[column].key.clone(), json!(comparison.ratio(at, column)));
        object.insert("ratios".to_string(), Value::Object(columns.map(ratio).collect()));
    }
    Value::Object(object)
}

/// Says which numbers of a row are bounds.
fn bounds(comparison: &Comparison, number: impl Fn(usize) -> Option<Number>, object: &mut Map<String, Value>) {
    for (key, bound) in BOUNDS {
        let keys = bounded(comparison, &number, bound);
        if !keys.is_empty() {
            object.insert(key.to_string(), json!(keys));
        }
    }
}

fn value(number: Option<&Number>) -> Value {
    match number {
        None => Value::Null,
        Some(Number::Word(word)) => json!(word),
        Some(Number::Count { count, .. }) => json!(count),
        Some(Number::Published { value, .. }) => json!(value),
        Some(Number::Real { value, .. }) => json!(value),
    }
}
