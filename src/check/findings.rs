//! What a check found, ready to be shown.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use super::blocks::Cause;
use super::place::Place;
use crate::columns::{Column, Number, Unit};

/// How bad a finding is, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It is to be seen, and breaks nothing.
    Warn,
    /// Something that was asked for does not hold.
    Fail,
    /// It could not be found out.
    Error,
}

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// That the model, the configuration or the baseline can be read.
    Input,
    /// How well the cost is known.
    Coverage,
    /// The most that a number may be.
    Budget,
    /// The most by which a number may grow.
    Limit,
    /// That the model fits a device.
    Device,
    /// That a guideline is kept.
    Guideline,
    /// That published figures hold.
    Figure,
    /// The most that a latency may be.
    Latency,
}

impl Rule {
    /// All of them, in their order.
    pub const ALL: [Rule; 8] = [
        Rule::Input,
        Rule::Coverage,
        Rule::Budget,
        Rule::Limit,
        Rule::Device,
        Rule::Guideline,
        Rule::Figure,
        Rule::Latency,
    ];

    /// Its name, as reports have it.
    pub fn id(self) -> &'static str {
        match self {
            Rule::Input => "input",
            Rule::Coverage => "coverage",
            Rule::Budget => "budget",
            Rule::Limit => "limit",
            Rule::Device => "device",
            Rule::Guideline => "guideline",
            Rule::Figure => "figure",
            Rule::Latency => "latency",
        }
    }

    /// What it asks for, in a sentence.
    pub fn text(self) -> &'static str {
        match self {
            Rule::Input => "Models, configuration and baseline can be read.",
            Rule::Coverage => "The cost of every node is known as well as asked for.",
            Rule::Budget => "A number is within its budget.",
            Rule::Limit => "A number has not grown beyond its limit against the baseline.",
            Rule::Device => "The model fits the device.",
            Rule::Guideline => "ShuffleNetV2's guidelines are kept.",
            Rule::Figure => "Published figures hold.",
            Rule::Latency => "The latency is no more than so many times that of another model.",
        }
    }
}

/// One thing that was found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What was asked for.
    pub rule: Rule,
    /// The model, as the baseline calls it; empty where it is about none.
    pub model: String,
    /// The file at fault: the model, the configuration or the baseline.
    pub file: String,
    /// The line of the file; 0 where it has none.
    pub line: u64,
    /// The line of the configuration that asks for it; 0 where none does.
    pub asked: u64,
    /// The metric, memory or guideline.
    pub metric: String,
    /// What the number is counted in.
    pub unit: Unit,
    /// The number now.
    pub value: Option<Number>,
    /// The number of the baseline.
    pub baseline: Option<Number>,
    /// What is allowed, as it was written.
    pub limit: String,
    /// What tells it from others on its metric: the source of a figure, the reference of a latency; empty where nothing
    /// has to.
    pub against: String,
    /// What is the matter, in one sentence.
    pub message: String,
    /// What can be done.
    pub way_on: String,
    /// The blocks that made the difference, the largest first.
    pub causes: Vec<Arc<Cause>>,
    /// The metric that tells so: the finding's own, where it is a sum over nodes; activation bytes, where it is a peak.
    pub by: &'static str,
    /// The node to look at; empty where none is to blame.
    pub node: String,
}

/// One number of a model.
#[derive(Clone)]
pub struct Measured {
    /// Which one.
    pub gauge: Arc<Column>,
    /// The number; `None` where it is unknown.
    pub value: Option<Number>,
    /// The number of the baseline, where there is one.
    pub baseline: Option<Number>,
    /// Its budget, as it was written.
    pub budget: Option<Arc<str>>,
    /// Its limit, as it was written.
    pub limit: Option<Arc<str>>,
}

/// What came of one model.
#[derive(Clone)]
pub struct Checked {
    /// The model, as the baseline calls it.
    pub key: String,
    /// Path of the file.
    pub path: String,
    /// The numbers that budgets and limits are on.
    pub measured: Vec<Measured>,
    /// What was found, the worst first.
    pub findings: Vec<Finding>,
}

/// What came of a check.
#[derive(Clone, Default)]
pub struct Outcome {
    /// Path of the configuration.
    pub config: String,
    /// Path of the baseline.
    pub baseline: String,
    /// The models, in the order of the configuration.
    pub models: Vec<Checked>,
    /// Findings that are about no model of these.
    pub other: Vec<Finding>,
    /// Where the files stand.
    pub place: Place,
}

impl Checked {
    /// How bad it is; `None` where all holds.
    pub fn level(&self) -> Option<Level> {
        self.findings.iter().map(|finding| finding.level).max()
    }
}

impl Outcome {
    /// All findings: those about no model, then model by model.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.other.iter().chain(self.models.iter().flat_map(|model| &model.findings))
    }

    /// How bad it is; `None` where all holds.
    pub fn level(&self) -> Option<Level> {
        self.findings().map(|finding| finding.level).max()
    }

    /// Models whose worst finding is of this level, or that have none.
    pub fn count(&self, level: Option<Level>) -> usize {
        self.models.iter().filter(|model| model.level() == level).count()
    }
}
