//! `lwstat.yaml` as it is written, and its schema for editors.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use serde_yaml::Spanned;

use super::config::{ALL, Coverage, Figures};
use super::limits::gauges;
use crate::columns::{Column, Unit};
use crate::guidelines::RULES;
use crate::yaml::Ordered;

/// Models, and what is allowed to each in a pull request.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "lwstat.yaml")]
pub(super) struct File {
    /// The baseline, from the folder of this file; by default lwstat.baseline.json.
    #[schemars(with = "Option<String>", length(min = 1))]
    pub(super) baseline: Option<Spanned<String>>,
    /// What holds for all models where their entries do not say otherwise, key by key.
    #[serde(default, deserialize_with = "or_default")]
    #[schemars(with = "Option<Allowance>")]
    pub(super) defaults: Allowance,
    /// The models.
    #[schemars(with = "Vec<Entry>")]
    pub(super) models: Vec<Spanned<Entry>>,
}

/// A model or several.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// A file, a directory (all .onnx files below it) or a pattern, from the folder of this file. A pattern or directory
    /// leaves out files that another entry names.
    #[schemars(with = "String")]
    pub(super) path: Spanned<String>,
    /// What the baseline and reports call the model; by default its path: tells entries of the same file apart.
    #[schemars(with = "Option<String>", length(min = 1))]
    pub(super) name: Option<Spanned<String>>,
    /// Shapes of inputs.
    #[serde(default, deserialize_with = "or_default")]
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    pub(super) inputs: Ordered<Spanned<String>>,
    /// The network whose published figures must hold; by default that of the file's name.
    #[serde(rename = "as")]
    pub(super) network: Option<String>,
    /// Sizes of free dimensions.
    #[serde(default, deserialize_with = "or_default")]
    #[schemars(with = "Option<BTreeMap<String, u32>>")]
    pub(super) dims: Ordered<u32>,
    /// The most that numbers may be.
    #[serde(default, deserialize_with = "or_default")]
    #[schemars(schema_with = "budget_schema")]
    pub(super) budget: Ordered<Option<Spanned<String>>>,
    /// The most by which numbers may be more than in the baseline.
    #[serde(default, deserialize_with = "or_default")]
    #[schemars(schema_with = "limits_schema")]
    pub(super) limits: Ordered<Option<Spanned<String>>>,
    /// The most that the latency on the machine of the check may be, against a model that is measured beside it; null
    /// takes back what the defaults say.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<Latency>")]
    pub(super) latency: Option<Option<Latency>>,
    /// Budgets and limits that warn and do not fail.
    #[serde(default, deserialize_with = "or_default")]
    #[schemars(with = "Option<Warn>")]
    pub(super) warn: Warn,
    /// A device that the model must fit: a name of `lwstat devices`, or a file from the folder of this file; null takes
    /// back what the defaults say.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    pub(super) device: Option<Option<Spanned<String>>>,
    /// Guidelines that must be kept: G1, G2, G3, G4 or all; null takes back what the defaults say.
    #[serde(default, deserialize_with = "given")]
    #[schemars(schema_with = "deny_schema")]
    pub(super) deny: Option<Option<Vec<Spanned<String>>>>,
    /// Share of the memory access, in per cent, from which a denied guideline's findings count; by default 0.
    #[schemars(with = "Option<f64>", range(min = 0, max = 100))]
    pub(super) from: Option<Spanned<f64>>,
    /// How well the cost must be known; by default bounded.
    pub(super) coverage: Option<Coverage>,
    /// Whether published figures must hold; by default ignore.
    pub(super) figures: Option<Figures>,
}

/// What holds for all models.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Allowance {
    /// Sizes of free dimensions, where a model has them.
    #[serde(default, deserialize_with = "or_default")]
    #[schemars(with = "Option<BTreeMap<String, u32>>")]
    pub(super) dims: Ordered<u32>,
    /// The most that numbers may be.
    #[serde(default, deserialize_with = "or_default")]
    #[schemars(schema_with = "budget_schema")]
    pub(super) budget: Ordered<Option<Spanned<String>>>,
    /// The most by which numbers may be more than in the baseline.
    #[serde(default, deserialize_with = "or_default")]
    #[schemars(schema_with = "limits_schema")]
    pub(super) limits: Ordered<Option<Spanned<String>>>,
    /// The most that the latency on the machine of the check may be, against a model that is measured beside it; null
    /// takes back what the defaults say.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<Latency>")]
    pub(super) latency: Option<Option<Latency>>,
    /// Budgets and limits that warn and do not fail.
    #[serde(default, deserialize_with = "or_default")]
    #[schemars(with = "Option<Warn>")]
    pub(super) warn: Warn,
    /// A device that the models must fit.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    pub(super) device: Option<Option<Spanned<String>>>,
    /// Guidelines that must be kept: G1, G2, G3, G4 or all.
    #[serde(default, deserialize_with = "given")]
    #[schemars(schema_with = "deny_schema")]
    pub(super) deny: Option<Option<Vec<Spanned<String>>>>,
    /// Share of the memory access, in per cent, from which a denied guideline's findings count; by default 0.
    #[schemars(with = "Option<f64>", range(min = 0, max = 100))]
    pub(super) from: Option<Spanned<f64>>,
    /// How well the cost must be known; by default bounded.
    pub(super) coverage: Option<Coverage>,
    /// Whether published figures must hold; by default ignore.
    pub(super) figures: Option<Figures>,
}

/// What warns and does not fail.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Warn {
    /// The most that numbers should be.
    #[serde(default, deserialize_with = "or_default")]
    #[schemars(schema_with = "budget_schema")]
    pub(super) budget: Ordered<Option<Spanned<String>>>,
    /// The most by which numbers should be more than in the baseline.
    #[serde(default, deserialize_with = "or_default")]
    #[schemars(schema_with = "limits_schema")]
    pub(super) limits: Ordered<Option<Spanned<String>>>,
    /// The most that the latency should be.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<Latency>")]
    pub(super) latency: Option<Option<Latency>>,
}

/// A limit on the latency, as a ratio: both models run in turn, in one process.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Latency {
    /// The model that is measured beside it: a file, from the folder of this file.
    #[schemars(with = "String")]
    pub(super) against: Spanned<String>,
    /// How many times as long as the other it may take.
    #[schemars(with = "f64", extend("exclusiveMinimum" = 0))]
    pub(super) most: Spanned<f64>,
    /// Threads inside a node's kernels; by default 1.
    #[schemars(with = "Option<u32>", range(min = 1, max = 1024))]
    pub(super) threads: Option<Spanned<u32>>,
    /// Rounds, in which each model runs once; by default until the ratio is known to 2 %, at most 1000, at most 10 s.
    #[schemars(with = "Option<u32>", range(min = 8, max = 1_000_000))]
    pub(super) runs: Option<Spanned<u32>>,
}

/// What is there, though it be null.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Null is as if it were not there.
fn or_default<'de, T: Deserialize<'de> + Default, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Guidelines, or all.
fn deny_schema(_: &mut SchemaGenerator) -> Schema {
    let ids: Vec<&str> = RULES.iter().map(|rule| rule.id).chain([ALL]).collect();
    json_schema!({"type": ["array", "null"], "items": {"enum": ids}})
}

fn budget_schema(_: &mut SchemaGenerator) -> Schema {
    keyed(&|gauge| match gauge.unit {
        Unit::Bytes => "5 MiB",
        Unit::Milliseconds => "2 ms",
        Unit::Share => "5 %",
        _ => "310 M",
    })
}

fn limits_schema(_: &mut SchemaGenerator) -> Schema {
    keyed(&|_| "+1 %")
}

/// A map by metric; null takes back what the defaults say.
fn keyed(form: &dyn Fn(&Column) -> &'static str) -> Schema {
    let property = |gauge: &Column| {
        let schema = serde_json::json!({
            "description": gauge.rule,
            "type": ["string", if gauge.unit == Unit::Share { "number" } else { "integer" }, "null"],
            "examples": [form(gauge)],
        });
        (gauge.key.clone(), schema)
    };
    let properties: serde_json::Map<_, _> = gauges().iter().map(property).collect();
    json_schema!({"type": ["object", "null"], "properties": properties, "additionalProperties": false})
}

/// The schema of a configuration, for editors.
pub fn schema() -> Schema {
    schemars::schema_for!(File)
}

impl Entry {
    /// The defaults as an entry that names no model.
    pub(super) fn of(defaults: &Allowance) -> Entry {
        Entry {
            path: Spanned::new(String::new(), serde_yaml::Location::UNKNOWN, serde_yaml::Location::UNKNOWN),
            name: None,
            inputs: Ordered::default(),
            network: None,
            dims: Ordered::default(),
            budget: defaults.budget.clone(),
            limits: defaults.limits.clone(),
            latency: defaults.latency.clone(),
            warn: defaults.warn.clone(),
            device: defaults.device.clone(),
            deny: defaults.deny.clone(),
            from: defaults.from.clone(),
            coverage: defaults.coverage,
            figures: defaults.figures,
        }
    }
}
