//! Figures that the user gives of models, as columns beside the counted ones.

use std::collections::BTreeMap;

use serde_yaml::Spanned;

use crate::columns::{Better, Column, Number, Unit};
use crate::error::{Error, Result};
use crate::nearest::did_you_mean;
use crate::yaml::Ordered;

/// The figures of one model by column key.
pub type Values = BTreeMap<String, f64>;

/// What a file of figures says: `models: {mobilenet_v2_1.0: {train_hours: 1.2}}`, and of the columns, where that is to be
/// said, `columns: {train_hours: {title: Training, unit: h, better: lower, sum: true}}`.
#[derive(Clone, Default)]
pub struct UserFigures {
    /// Figures by model name.
    pub models: BTreeMap<String, Values>,
    /// A column for each key, in the order of the file.
    pub columns: Vec<Column>,
    /// The line on which each model stands.
    lines: Vec<(String, u64)>,
    path: String,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    models: Ordered<Ordered<Spanned<Option<f64>>>>,
    #[serde(default)]
    columns: Ordered<Description>,
}

#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    title: Option<String>,
    unit: Option<String>,
    better: Option<Better>,
    /// Whether a sum over models says something.
    #[serde(default)]
    sum: bool,
}

/// Words that mean something else beside the columns.
const TAKEN: &[&str] = &["path", "name", "error", "coverage", "at_least", "at_most", "ratios"];

impl UserFigures {
    /// Reads a file; `path` names it in errors, which name the line. A key that `known` columns have is an error.
    pub fn parse(text: &str, path: &str, known: &[Column]) -> Result<UserFigures> {
        let file: File = crate::yaml::parse(text, path, "file of figures")?;
        let mut figures = UserFigures { path: path.to_string(), ..UserFigures::default() };
        let mut described: BTreeMap<String, (u64, Description)> = BTreeMap::new();
        let mut order: Vec<(String, u64)> = Vec::new();
        for (key, description) in file.columns.0 {
            order.push((key.value.clone(), line(&key)));
            described.insert(key.value.clone(), (line(&key), description));
        }
        let declared = order.len();
        for (model, values) in file.models.0 {
            figures.lines.push((model.value.clone(), line(&model)));
            let mut of = Values::new();
            for (key, value) in values.0 {
                let at = line(&key);
                if let Some(real) = value.value {
                    if !real.is_finite() {
                        return Err(figures.at(at, format!("{} of {} is no finite number", key.value, model.value)));
                    }
                    of.insert(key.value.clone(), real);
                }
                if order.iter().all(|(other, _)| *other != key.value) {
                    order.push((key.value, at));
                }
            }
            figures.models.insert(model.value, of);
        }
        for (index, (key, at)) in order.into_iter().enumerate() {
            if known.iter().any(|column| column.key == key) || TAKEN.contains(&&*key) {
                return Err(figures.at(at, format!("\"{key}\" is lwstat's own: give the column another name")));
            }
            if index < declared && figures.models.values().all(|values| !values.contains_key(&key)) {
                let keys = figures.models.values().flat_map(|values| values.keys());
                let hint = did_you_mean(&key, keys.map(String::as_str));
                return Err(figures.at(at, format!("no model has a figure \"{key}\"{hint}")));
            }
            let described = described.remove(&key).map(|(_, description)| description);
            figures.columns.push(column(key, described));
        }
        Ok(figures)
    }

    /// Notes on the models of the file that are none of these names: a file may hold the figures of more models than are
    /// compared, but one that is near a name without figures is probably misspelt. An error where none is compared.
    pub fn check(&self, names: &[String]) -> Result<Vec<String>> {
        let (here, absent): (Vec<_>, Vec<_>) = self.lines.iter().partition(|(model, _)| names.contains(model));
        let without = || names.iter().map(String::as_str).filter(|name| !self.models.contains_key(*name));
        let (mut notes, mut others) = (Vec::new(), Vec::new());
        for (model, at) in absent {
            match did_you_mean(model, without()) {
                hint if hint.is_empty() => others.push(&**model),
                hint => notes.push(self.at(*at, format!("no model that is compared is named \"{model}\"{hint}"))),
            }
        }
        if here.is_empty() && !self.lines.is_empty() {
            let none = || self.at(self.lines[0].1, "none of the models of this file is compared".to_string());
            return Err(notes.into_iter().next().unwrap_or_else(none));
        }
        let mut notes: Vec<String> = notes.iter().map(Error::to_string).collect();
        if let [first, rest @ ..] = &others[..] {
            let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            notes.push(format!("{}: figures of models that are not compared: {first}{more}", self.path));
        }
        Ok(notes)
    }

    fn at(&self, line: u64, reason: String) -> Error {
        Error::new(format!("line {line}: {reason}")).in_file(&self.path)
    }
}

fn line<T>(of: &Spanned<T>) -> u64 {
    of.referenced.line()
}

fn column(key: String, described: Option<Description>) -> Column {
    let described = described.unwrap_or_default();
    let unit = match described.unit.as_deref() {
        None => Unit::Ratio,
        Some("%") => Unit::Percent,
        Some("ms") => Unit::Milliseconds,
        Some(other) => Unit::Other(other.to_string()),
    };
    let title = described.title.unwrap_or_else(|| key.clone());
    let at = key.clone();
    let entry = move |of: &crate::columns::Subject| of.given?.get(&at).copied().map(Number::from);
    let better = described.better.unwrap_or(Better::Neither);
    Column { sums: described.sum, ..Column::new(&key, &title, unit, better, "Given by the user.", entry) }
}
