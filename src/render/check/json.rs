//! JSON: the outcome for programs; `lwstat schema check` is its contract.

use schemars::{JsonSchema, Schema};
use serde::Serialize;

use super::super::Style;
use crate::check::blocks::Cause;
use crate::check::findings::{Checked, Finding, Level, Measured, Outcome, Rule};
use crate::columns::Number;
use crate::dim::Dim;

/// What came of a check.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "lwstat check --format json")]
struct Check<'a> {
    /// Version of this contract.
    schema_version: u32,
    /// Version of lwstat.
    lwstat: &'static str,
    /// Path of the configuration.
    config: &'a str,
    /// Path of the baseline.
    baseline: &'a str,
    /// How bad the worst finding is; null where all holds.
    level: Option<Level>,
    /// The models, in the order of the configuration.
    models: Vec<OneModel<'a>>,
    /// Findings that are about none of these models.
    other: Vec<OneFinding<'a>>,
}

/// A model.
#[derive(Serialize, JsonSchema)]
struct OneModel<'a> {
    /// What the baseline calls it.
    model: &'a str,
    /// Path of the file.
    path: &'a str,
    /// How bad the worst finding is; null where all holds.
    level: Option<Level>,
    /// The numbers that budgets and limits are on.
    numbers: Vec<OneNumber<'a>>,
    /// What was found, the worst first.
    findings: Vec<OneFinding<'a>>,
}

/// A count or a measure.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
enum Value {
    /// A count, or a formula in the free dimensions.
    Count(Dim),
    /// Milliseconds, or per cent.
    Real(f64),
}

/// A number of a model.
#[derive(Serialize, JsonSchema)]
struct OneNumber<'a> {
    /// Metric key.
    metric: &'a str,
    /// The number; null where it is unknown.
    value: Option<Value>,
    /// The number of the baseline; null where there is none.
    baseline: Option<Value>,
    /// Its budget, as it was written; null where it has none.
    budget: Option<&'a str>,
    /// Its limit, as it was written; null where it has none.
    limit: Option<&'a str>,
}

/// A finding.
#[derive(Serialize, JsonSchema)]
struct OneFinding<'a> {
    /// How bad it is.
    level: Level,
    /// What was asked for.
    rule: Rule,
    /// The file at fault.
    file: &'a str,
    /// The line of the configuration that asks for it; null where none does.
    asked_line: Option<u64>,
    /// The metric, memory or guideline; null where it is about none.
    metric: Option<&'a str>,
    /// The number now.
    value: Option<Value>,
    /// The number of the baseline.
    baseline: Option<Value>,
    /// What is allowed, as it was written; null where nothing was.
    limit: Option<&'a str>,
    /// What is the matter, in one sentence.
    message: &'a str,
    /// What can be done.
    way_on: &'a str,
    /// The node to look at; null where none is to blame.
    node: Option<&'a str>,
    /// The metric that tells which blocks made the difference; null where none does.
    blocks_by: Option<&'a str>,
    /// The blocks that made the difference, the largest first.
    blocks: Vec<OneCause<'a>>,
}

/// A block that made a difference.
#[derive(Serialize, JsonSchema)]
struct OneCause<'a> {
    /// `added`, `removed` or `changed`.
    kind: &'static str,
    /// Its module, else its first node with MACs.
    block: &'a str,
    /// What is different, in words.
    what: &'a str,
    /// A node of it; null where the block went.
    node: Option<&'a str>,
    /// By how many nodes it is more.
    nodes: i64,
    /// By how much the metric of `blocks_by` is more; null where it is unknown.
    delta: Option<Dim>,
}

/// The schema of `lwstat check --format json`.
pub fn schema() -> Schema {
    schemars::schema_for!(Check)
}

fn given(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn value(number: Option<&Number>) -> Option<Value> {
    match number? {
        Number::Real { value, .. } => Some(Value::Real(*value)),
        other => other.dim().map(Value::Count),
    }
}

fn cause<'a>(cause: &'a Cause, by: &str) -> OneCause<'a> {
    let kind = match cause.kind {
        crate::diff::Kind::Added => "added",
        crate::diff::Kind::Removed => "removed",
        crate::diff::Kind::Changed => "changed",
    };
    OneCause {
        kind,
        block: &cause.block,
        what: &cause.what,
        node: given(&cause.node),
        nodes: cause.nodes,
        delta: cause.delta(by),
    }
}

fn finding(finding: &Finding) -> OneFinding<'_> {
    OneFinding {
        level: finding.level,
        rule: finding.rule,
        file: &finding.file,
        asked_line: Some(finding.asked).filter(|line| *line > 0),
        metric: given(&finding.metric),
        value: value(finding.value.as_ref()),
        baseline: value(finding.baseline.as_ref()),
        limit: given(&finding.limit),
        message: &finding.message,
        way_on: &finding.way_on,
        node: given(&finding.node),
        blocks_by: given(finding.by),
        blocks: finding.causes.iter().map(|one| cause(one, finding.by)).collect(),
    }
}

fn number(measured: &Measured) -> OneNumber<'_> {
    OneNumber {
        metric: &measured.gauge.key,
        value: value(measured.value.as_ref()),
        baseline: value(measured.baseline.as_ref()),
        budget: measured.budget.as_deref(),
        limit: measured.limit.as_deref(),
    }
}

fn model(checked: &Checked) -> OneModel<'_> {
    OneModel {
        model: &checked.key,
        path: &checked.path,
        level: checked.level(),
        numbers: checked.measured.iter().map(number).collect(),
        findings: checked.findings.iter().map(finding).collect(),
    }
}

pub(super) fn outcome(outcome: &Outcome, _: &Style) -> String {
    let check = Check {
        schema_version: 1,
        lwstat: env!("CARGO_PKG_VERSION"),
        config: &outcome.config,
        baseline: &outcome.baseline,
        level: outcome.level(),
        models: outcome.models.iter().map(model).collect(),
        other: outcome.other.iter().map(finding).collect(),
    };
    // Nothing in it refuses to be written.
    serde_json::to_string_pretty(&check).unwrap_or_default() + "\n"
}
