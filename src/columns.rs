//! The table of columns: what can be said of a whole model in one number or word.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::cost::{self, METRICS};
use crate::dim::Dim;
use crate::error::{Error, Result};
use crate::figures::{Accuracy, Fixture, Published};
use crate::memory::MemoryPlan;
use crate::nearest::did_you_mean;
use crate::render::number::tensor;
use crate::report::Report;
use crate::user_figures::Values;

/// What a column has to say of a model.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// The model's account.
    pub report: &'a Report,
    /// What is published of it, where that holds for the inputs of the account.
    pub figures: Option<&'a Fixture>,
    /// What the user's file says of it.
    pub given: Option<&'a Values>,
}

/// A model's entry in a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Number {
    /// A word.
    Word(String),
    /// A count in the unit of the column, or a formula.
    Count {
        /// The count.
        count: Dim,
        /// How well it is known.
        bound: Bound,
    },
    /// A published count.
    Published {
        /// Its digits as published: `0.301 G`.
        text: String,
        /// What they stand for.
        value: i64,
    },
    /// A measure or ratio.
    Real {
        /// It, in the unit of the column.
        value: f64,
        /// How well it is known.
        bound: Bound,
    },
}

impl From<f64> for Number {
    fn from(value: f64) -> Number {
        Number::Real { value, bound: Bound::Exact }
    }
}

/// How well a number is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// To the unit.
    Exact,
    /// A part of it is unknown, a node's count or a model's number: there may be more.
    AtLeast,
    /// Branches exclude each other: there is no more.
    AtMost,
}

impl Number {
    fn exact(count: impl Into<Dim>) -> Number {
        Number::Count { count: count.into(), bound: Bound::Exact }
    }

    /// How well it is known.
    pub fn bound(&self) -> Bound {
        match self {
            Number::Count { bound, .. } | Number::Real { bound, .. } => *bound,
            Number::Word(_) | Number::Published { .. } => Bound::Exact,
        }
    }

    /// The entry as an expression over integers, where it is one.
    pub fn dim(&self) -> Option<Dim> {
        match self {
            Number::Count { count, .. } => Some(count.clone()),
            Number::Published { value, .. } => Some(Dim::from(*value)),
            Number::Word(_) | Number::Real { .. } => None,
        }
    }

    /// The entry as a floating-point number; `None` where it is a formula or a word.
    pub fn real(&self) -> Option<f64> {
        match self {
            Number::Real { value, .. } => Some(*value),
            other => other.dim()?.as_int().map(|value| value as f64),
        }
    }

    /// Which of two entries of a column comes first: the lesser, with formulas as if every free dimension were 128.
    pub fn order(&self, other: &Number) -> Ordering {
        let at = |number: &Number| number.dim().map(|dim| dim.substitute(&|_| Some(Dim::from(128i64))));
        match (self, other) {
            (Number::Word(a), Number::Word(b)) => a.cmp(b),
            _ => match (at(self), at(other)) {
                (Some(a), Some(b)) => a.as_int().cmp(&b.as_int()),
                _ => self.real().unwrap_or(f64::NAN).total_cmp(&other.real().unwrap_or(f64::NAN)),
            },
        }
    }
}

/// What a column is counted in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Words.
    Word,
    /// A number of things: SI prefixes for people.
    Count,
    /// Bytes: binary prefixes for people.
    Bytes,
    /// Per cent, with the digits that are published.
    Percent,
    /// Per cent of a whole that was counted.
    Share,
    /// Milliseconds.
    Milliseconds,
    /// A plain ratio.
    Ratio,
    /// What the user's file says.
    Other(String),
}

/// Which way a column is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// Less is better.
    Lower,
    /// More is better.
    Higher,
    /// Neither is.
    Neither,
}

/// What has to be found out of a model before a column can be filled, beyond its report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// The report alone.
    Report,
    /// `Report::memory`.
    MemoryPlan,
    /// A device that the report is placed on.
    Device,
    /// A measurement on this machine.
    Latency,
    /// What is published of the model.
    Figures,
}

type Entry = Arc<dyn Fn(&Subject) -> Option<Number> + Send + Sync>;

/// One column.
#[derive(Clone)]
pub struct Column {
    /// JSON key, CSV column, word for `--columns` and `--sort`.
    pub key: String,
    /// Name in tables.
    pub title: String,
    /// What it is counted in.
    pub unit: Unit,
    /// Which way it is better.
    pub better: Better,
    /// Whether a sum over models says something: what they have at different times, such as peaks, does not add up.
    pub sums: bool,
    /// What its entries are made from.
    pub needs: Needs,
    /// A model's entry; `None` where it is unknown.
    pub entry: Entry,
    /// The rule in words.
    pub rule: String,
    /// The device or machine that its entries hold for, once they are made; else empty.
    pub place: String,
}

impl Column {
    /// A column that needs the report alone.
    pub fn new(
        key: &str,
        title: &str,
        unit: Unit,
        better: Better,
        rule: &str,
        entry: impl Fn(&Subject) -> Option<Number> + Send + Sync + 'static,
    ) -> Column {
        Column {
            key: key.to_string(),
            title: title.to_string(),
            unit,
            better,
            sums: false,
            needs: Needs::Report,
            entry: Arc::new(entry),
            rule: rule.to_string(),
            place: String::new(),
        }
    }

    /// The same column with what it needs beyond the report.
    pub fn needing(self, needs: Needs) -> Column {
        Column { needs, ..self }
    }

    /// The same column with sums over models.
    pub fn summed(self) -> Column {
        Column { sums: true, ..self }
    }
}

/// The table, in the order in which columns are listed. A column more is an entry more.
pub fn all() -> Vec<Column> {
    use Better::{Higher, Lower, Neither};
    use Unit::{Bytes, Count, Percent, Ratio, Word};
    let mut columns = vec![
        Column::new("input", "Input", Word, Neither, "Dtypes and shapes of the graph inputs.", |of| {
            let inputs: Vec<_> = of.report.model.inputs.iter().map(tensor).collect();
            Some(Number::Word(inputs.join(", ")))
        }),
        Column::new("nodes", "Nodes", Count, Lower, "Nodes that run: folded ones are not among them.", |of| {
            Some(Number::exact(of.report.totals.nodes))
        })
        .summed(),
    ];
    columns.extend(METRICS.iter().enumerate().map(|(index, metric)| {
        let unit = if metric.unit == cost::Unit::Bytes { Bytes } else { Count };
        Column::new(metric.key, metric.title, unit, Lower, metric.rule, move |of| total(of.report, index)).summed()
    }));
    let plan = |key, title, rule, bytes: fn(&MemoryPlan) -> i64| {
        Column::new(key, title, Bytes, Lower, rule, move |of| of.report.memory.as_ref().map(bytes).map(Number::exact))
            .needing(Needs::MemoryPlan)
    };
    columns.extend([
        Column::new("file_bytes", "File", Bytes, Lower, "Size of the file, external data not included.", |of| {
            i64::try_from(of.report.model.file_bytes).ok().map(Number::exact)
        })
        .summed(),
        Column::new("arithmetic_intensity", "Intensity", Ratio, Neither, "FLOPs per byte of memory access.", intensity),
        Column::new(
            "peak_activation_bytes",
            "Peak activations",
            Bytes,
            Lower,
            "The most activation bytes alive at once, in the order of the file.",
            |of| of.report.totals.peak_activation_bytes.map(Number::exact),
        ),
        plan(
            "in_place_bytes",
            "Peak in place",
            "The peak where element-wise operators write over an input that dies.",
            |plan| plan.in_place_bytes,
        ),
        plan("best_bytes", "Peak, best order", "The peak of the best order that was found.", |plan| plan.best_bytes),
        plan(
            "best_in_place_bytes",
            "Peak, best order, in place",
            "The peak of the best order where element-wise operators write over an input that dies.",
            |plan| plan.best_in_place_bytes,
        ),
        plan("lower_bound_bytes", "Peak, lower bound", "No order of the nodes peaks lower.", |plan| {
            plan.lower_bound_bytes
        }),
        plan("arena_bytes", "Arena", "One block of memory that holds all buffers of the best order.", |plan| {
            plan.arena.bytes
        }),
        Column::new(
            "roofline_ms",
            "Roofline",
            Unit::Milliseconds,
            Lower,
            "The least time on a device, which --device names: the sum of the nodes' roofline times.",
            roofline,
        )
        .summed()
        .needing(Needs::Device),
        Column::new(
            "latency_ms",
            "Latency",
            Unit::Milliseconds,
            Lower,
            "Median of the runs on this machine with tract, where --latency asks for it (docs/latency.md).",
            |of| of.report.latency.as_ref().map(|latency| latency.median_ms.into()),
        )
        .summed()
        .needing(Needs::Latency),
        guideline("G1"),
        guideline("G2"),
        guideline("G3"),
        guideline("G4"),
        Column::new(
            "official_macs",
            "Official MACs",
            Count,
            Lower,
            "The paper's figure, else the first that is published.",
            |of| published(of.figures?, "macs"),
        )
        .summed()
        .needing(Needs::Figures),
        Column::new(
            "official_params",
            "Official params",
            Count,
            Lower,
            "The paper's figure, else the first that is published.",
            |of| published(of.figures?, "params"),
        )
        .summed()
        .needing(Needs::Figures),
        Column::new(
            "top1",
            "Top-1",
            Percent,
            Higher,
            "Published top-1 accuracy on ImageNet, the paper's first.",
            |of| accuracy(of.figures?, |accuracy| accuracy.top1),
        )
        .needing(Needs::Figures),
        Column::new(
            "top5",
            "Top-5",
            Percent,
            Higher,
            "Published top-5 accuracy on ImageNet, the paper's first.",
            |of| accuracy(of.figures?, |accuracy| accuracy.top5),
        )
        .needing(Needs::Figures),
    ]);
    columns
}

/// Columns that are shown where none are asked for.
pub const DEFAULT: &[&str] = &[
    "input",
    "macs",
    "flops",
    "params",
    "weight_bytes",
    "memory_access_bytes",
    "peak_activation_bytes",
    "arithmetic_intensity",
    "roofline_ms",
    "latency_ms",
    "official_macs",
    "official_params",
    "top1",
];

/// The columns of these keys, in this order, each once. An error where a key names none, with the nearest that does.
pub fn choose(columns: &[Column], keys: &[String]) -> Result<Vec<Column>> {
    let mut chosen: Vec<Column> = Vec::new();
    for key in keys {
        let column = columns.iter().find(|column| column.key == *key).ok_or_else(|| unknown(columns, key))?;
        if chosen.iter().all(|other| other.key != column.key) {
            chosen.push(column.clone());
        }
    }
    Ok(chosen)
}

/// The error for a word that names no column.
pub fn unknown(columns: &[Column], word: &str) -> Error {
    let keys: Vec<&str> = columns.iter().map(|column| &*column.key).collect();
    let hint = did_you_mean(word, keys.iter().copied());
    Error::new(format!("there is no column \"{word}\"{hint}: choose among {}", keys.join(", ")))
}

fn total(report: &Report, metric: usize) -> Option<Number> {
    let bound = match () {
        () if report.totals.at_least.contains(&METRICS[metric].key) => Bound::AtLeast,
        () if report.totals.at_most(metric) => Bound::AtMost,
        () => Bound::Exact,
    };
    report.totals.counts.0[metric].clone().map(|count| Number::Count { count, bound })
}

/// Unknown where FLOPs or memory access are bounds: their ratio would be none.
fn intensity(of: &Subject) -> Option<Number> {
    of.report.totals.intensity().map(Number::from)
}

/// Unknown where a node's time is: the sum would be no bound.
fn roofline(of: &Subject) -> Option<Number> {
    let times = of.report.nodes.iter().filter(|row| !row.alternative).map(|row| Some(row.roofline?.roofline_ms));
    // A sum of no floats is −0.
    times.sum::<Option<f64>>().map(|sum| Number::from(sum + 0.0))
}

/// What the findings of a guideline make up of the memory access.
fn guideline(rule: &'static str) -> Column {
    let words = "Share of the memory access that the findings of this guideline cost (docs/guidelines.md).";
    Column::new(rule, rule, Unit::Share, Better::Lower, words, move |of| {
        let findings = of.report.guidelines.as_ref()?;
        Some(Number::from(100.0 * crate::guidelines::share(findings, rule)))
    })
}

fn published(fixture: &Fixture, metric: &str) -> Option<Number> {
    let figures = || fixture.figures.iter().filter(|figure| figure.metric == metric);
    let figure = figures().find(|figure| figure.kind == "paper").or_else(|| figures().next())?;
    let published = Published::parse(&figure.value)?;
    let value = published.digits.checked_mul(published.unit)?;
    Some(Number::Published { text: figure.value.clone(), value })
}

fn accuracy(fixture: &Fixture, of: fn(&Accuracy) -> Option<f64>) -> Option<Number> {
    let known = || fixture.accuracy.iter().filter(|accuracy| of(accuracy).is_some());
    let accuracy = known().find(|accuracy| accuracy.kind == "paper").or_else(|| known().next())?;
    of(accuracy).map(Number::from)
}
