//! A first configuration: an entry for each model, its numbers rounded up.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;

use crate::columns::{Subject, Unit};
use crate::error::{Error, Result};
use crate::infer::Bindings;
use crate::model::Model;
use crate::report::Report;

use super::limits::{gauge, gauges};

/// The metrics that a first configuration has budgets on.
const BUDGETS: &[&str] = &["macs", "params", "peak_activation_bytes"];

/// What stands before the models.
const HEAD: &str = "\
# What a pull request may not exceed: lwstat check holds these models against it (docs/ci.md).
# Budgets bound the numbers themselves; limits bound their growth against lwstat.baseline.json, which lwstat bless writes.
";

/// What is said of models with free dimensions.
const DIMS: &str =
    "# Free dimensions are set to 1: give the sizes that the models run with, and set the budgets anew.\n";

/// The limits of a first configuration.
const LIMITS: &[(&str, &str)] =
    &[("macs", "+0"), ("params", "+0"), ("memory_access_bytes", "+1 %"), ("peak_activation_bytes", "+0")];

/// A model for a configuration.
pub struct Proposed {
    /// Its entry, or why it has none.
    pub entry: Result<String>,
    /// Path from the folder of the configuration, with slashes.
    pub key: String,
    /// Whether it has free dimensions.
    pub is_open: bool,
}

/// Analyzes a model with its free dimensions at 1; of its report only the entry is kept.
pub fn propose(path: &Path, key: &str, open: &dyn Fn(&Path) -> Result<Model>) -> Proposed {
    let seen = || {
        let model = open(path)?;
        let inputs = model.report(&Bindings::default()).map(|report| report.model.inputs).unwrap_or_default();
        let mut names = BTreeSet::new();
        let sizes = inputs.iter().flat_map(|input| input.shape.iter().flatten());
        sizes.filter(|size| size.as_int().is_none()).for_each(|size| size.symbols(&mut names));
        let dims: Vec<String> = names.iter().map(|dim| dim.to_string()).collect();
        let sizes = dims.iter().map(|dim| (dim.clone(), 1)).collect();
        let report =
            model.report(&Bindings { sizes, ..Bindings::default() }).map_err(|error| match dims.is_empty() {
                true => error,
                false => {
                    let dims = dims.join(", ");
                    let reason = error.without_file();
                    Error::new(format!(
                        "with its free dimensions ({dims}) at 1: {reason}; write its entry with sizes that it takes"
                    ))
                }
            })?;
        Ok((entry(key, &report, &dims), !dims.is_empty()))
    };
    let (entry, is_open) = match seen() {
        Ok((entry, is_open)) => (Ok(entry), is_open),
        Err(error) => (Err(error), false),
    };
    Proposed { entry, key: key.to_string(), is_open }
}

/// The entry of a model of this account, with these dimensions at 1.
fn entry(key: &str, report: &Report, dims: &[String]) -> String {
    let gauges = gauges();
    let mut text = format!("  - path: {}\n", scalar(key));
    if !dims.is_empty() {
        let sizes: Vec<String> = dims.iter().map(|dim| format!("{}: 1", scalar(dim))).collect();
        text += &format!("    dims: {{{}}}\n", sizes.join(", "));
    }
    let subject = Subject { report, figures: None, given: None };
    let budget = |key: &&str| {
        let gauge = gauge(&gauges, key).ok()?;
        let value = (gauge.entry)(&subject)?.dim()?.as_int()?;
        Some(format!("{key}: {}", rounded_up(value, &gauge.unit)))
    };
    let budget: Vec<String> = BUDGETS.iter().filter_map(budget).collect();
    if !budget.is_empty() {
        text += &format!("    budget: {{{}}}\n", budget.join(", "));
    }
    // What is unknown cannot be limited.
    let unknown = |key: &&str| gauge(&gauges, key).is_ok_and(|gauge| (gauge.entry)(&subject).is_none());
    let keys = LIMITS.iter().map(|(key, _)| *key).filter(unknown);
    let unlimited: Vec<String> = keys.map(|key| format!("{key}: null")).collect();
    if !unlimited.is_empty() {
        text += &format!("    limits: {{{}}}\n", unlimited.join(", "));
    }
    if report.coverage.unknown > 0 {
        text += "    coverage: unknown\n";
    }
    text
}

/// The text of a configuration with these models; those that cannot be analyzed stand in comments, with the reason.
pub fn text(models: &[Proposed]) -> String {
    let limits: Vec<String> = LIMITS.iter().map(|(key, limit)| format!("{key}: {limit}")).collect();
    let note = if models.iter().any(|model| model.is_open) { DIMS } else { "" };
    let mut text = format!("{HEAD}{note}defaults:\n  limits: {{{}}}\nmodels:\n", limits.join(", "));
    for model in models {
        match &model.entry {
            Err(error) => {
                let reason = crate::render::number::clean(&error.clone().without_file().to_string());
                let key = crate::render::number::clean(&model.key);
                text += &format!("  # left out, it cannot be analyzed: {key}: {reason}\n");
            }
            Ok(entry) => text += entry,
        }
    }
    if models.iter().all(|model| model.entry.is_err()) {
        text += "  []\n";
    }
    text
}

/// A string as YAML reads it back: plain where it cannot be taken for anything else.
fn scalar(text: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '.' | '/' | '-');
    let word = text.chars().next().is_some_and(|letter| letter.is_alphabetic() || matches!(letter, '_' | '/'));
    let taken = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&&*text.to_lowercase());
    // JSON's strings are YAML's.
    if word && !taken && text.chars().all(plain) { text.to_string() } else { json!(text).to_string() }
}

/// The least number of two digits and a prefix that is no less: `310 M` for 300 774 272, `4.6 MiB`.
pub fn rounded_up(value: i64, unit: &Unit) -> String {
    let (base, prefixes): (i128, &[&str]) = match unit {
        Unit::Bytes => (1024, &["B", "KiB", "MiB", "GiB", "TiB"]),
        _ => (1000, &["", "k", "M", "G", "T"]),
    };
    let (mut step, mut size, value) = (0, 1i128, i128::from(value.max(0)));
    while value >= size * base && step + 1 < prefixes.len() {
        size *= base;
        step += 1;
    }
    let up = |value: i128, by: i128| (value + by - 1) / by;
    let tenths = up(value * 10, size);
    let number = match tenths {
        _ if step == 0 => value.to_string(),
        0..100 => format!("{}.{}", tenths / 10, tenths % 10).trim_end_matches(".0").to_string(),
        _ => {
            let whole = up(value, size);
            let by = 10i128.pow(whole.to_string().len().saturating_sub(2) as u32);
            (up(whole, by) * by).to_string()
        }
    };
    format!("{number} {}", prefixes[step]).trim_end().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantity::Quantity;

    #[test]
    fn budgets_are_rounded_up_to_two_digits() {
        for (value, unit, text) in [
            (0, Unit::Count, "0"),
            (999, Unit::Count, "999"),
            (1000, Unit::Count, "1 k"),
            (1001, Unit::Count, "1.1 k"),
            (3_504_872, Unit::Count, "3.6 M"),
            (300_774_272, Unit::Count, "310 M"),
            (300_000_000, Unit::Count, "300 M"),
            (99_500_000, Unit::Count, "100 M"),
            (999_999, Unit::Count, "1000 k"),
            (4_816_896, Unit::Bytes, "4.6 MiB"),
            (1023, Unit::Bytes, "1023 B"),
            (1 << 30, Unit::Bytes, "1 GiB"),
            (i64::MAX, Unit::Count, "9300000 T"),
        ] {
            assert_eq!(rounded_up(value, &unit), text);
            if value < i64::MAX {
                assert!(Quantity::parse(text).unwrap().value >= value, "{text}");
            }
        }
    }

    #[test]
    fn names_are_read_back_as_they_are() {
        for text in ["graphs/a.onnx", "batch", "no", "a: b", "- x", "x # y", "1", "a\"b", "{n}", "ä b"] {
            let read: String = serde_yaml::from_str(&scalar(text)).unwrap();
            assert_eq!(read, text);
        }
    }
}
