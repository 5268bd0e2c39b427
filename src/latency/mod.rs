//! The measured pass: a model run by tract on this machine, its time attributed to the nodes of the static account.
//!
//! ```text
//! Graph ─prepare─▶ Prepared ─engine─▶ Samples ─mapping, statistics─▶ Latency
//! ```
//!
//! It alone executes a model. Without the cargo feature `latency` the types are there, and [`Model::latency`] is an error.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

#[cfg(feature = "latency")]
use crate::error::Error;
use crate::error::Result;
use crate::infer::Bindings;
use crate::model::Model;
use ratio::Ratio;

#[cfg(feature = "latency")]
mod cpu;
#[cfg(feature = "latency")]
pub use cpu::name as cpu_name;
#[cfg(feature = "latency")]
pub use mapping::VERSION as TRACT;
#[cfg(feature = "latency")]
pub mod engine;
#[cfg(feature = "latency")]
mod external;
#[cfg(feature = "latency")]
mod mapping;
#[cfg(feature = "latency")]
pub mod prepare;
pub mod ratio;
#[cfg(feature = "latency")]
pub mod roof;
#[cfg(feature = "latency")]
mod statistics;
#[cfg(feature = "latency")]
mod synthetic;

/// How a model is measured.
#[derive(Clone, Copy)]
pub struct LatencyOptions<'w> {
    /// Threads inside a node's kernels; nodes run one after the other.
    pub threads: usize,
    /// Runs before the first that is measured.
    pub warmup: usize,
    /// Measured runs; `None` for as many as the median needs to be stable.
    pub runs: Option<usize>,
    /// The time after which no further run starts, loading and optimizing not counted.
    pub limit: Duration,
    /// Is told of every step and says whether to go on.
    pub watch: &'w (dyn Fn(Progress) -> bool + Sync),
}

impl Default for LatencyOptions<'_> {
    fn default() -> Self {
        LatencyOptions { threads: 1, warmup: 3, runs: None, limit: Duration::from_secs(10), watch: &|_| true }
    }
}

/// What a measurement is doing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Progress {
    /// tract reads the model.
    Loading,
    /// tract rewrites the model for this CPU.
    Optimizing,
    /// So many runs before the first that is measured are done.
    WarmingUp(usize),
    /// So many measured runs are done.
    Measuring {
        /// Measured runs.
        runs: usize,
        /// Median of the runs so far, in milliseconds.
        median_ms: f64,
    },
}

/// The measured time of one model on one machine with one runtime. Times are milliseconds.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Latency {
    /// The runtime.
    pub backend: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The CPU's name, as the system gives it.
    pub cpu: String,
    /// Threads inside a node's kernels.
    pub threads: usize,
    /// Runs before the first that was measured.
    pub warmup: usize,
    /// Measured runs.
    pub runs: usize,
    /// Why there were not more.
    pub stopped: Stopped,
    /// Median of the end-to-end time.
    pub median_ms: f64,
    /// The time under which a tenth of the runs stayed.
    pub p10_ms: f64,
    /// The time over which a tenth of the runs went.
    pub p90_ms: f64,
    /// The fastest run.
    pub min_ms: f64,
    /// Runs a second at the median, one after the other.
    pub throughput_per_second: f64,
    /// Time to read the model into the runtime's form, once.
    pub load_ms: f64,
    /// Time to rewrite it for this CPU, once.
    pub optimize_ms: f64,
    /// Some weights were not there and were filled with made-up values.
    pub synthetic_weights: bool,
    /// Where external data is cut off: the first file that is shorter than a tensor needs. Such weights are made up, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub short_data: Option<String>,
    /// Nodes of the runtime with infinities or values that are no numbers among their results, in a trial run.
    pub not_finite_nodes: usize,
    /// Nodes of the runtime with subnormal numbers among their results, which slow a CPU down, in a trial run.
    pub subnormal_nodes: usize,
    /// Median of the runs in which every node was timed; they alternate with those that give `median_ms`.
    pub profiled_median_ms: f64,
    /// The nodes that ran, in the order of the account.
    pub nodes: Vec<NodeLatency>,
    /// Sum of the nodes' `ms`.
    pub nodes_ms: f64,
    /// Time of the runtime's nodes that no node of the file gives its name.
    pub unmapped_ms: f64,
    /// Time between the nodes: `median_ms` = `nodes_ms` + `unmapped_ms` + `unattributed_ms`.
    pub unattributed_ms: f64,
    /// Nodes that the runtime removed and that no node that ran depends on or feeds.
    pub removed: Vec<String>,
}

/// The measured time of one node of the file. Times are milliseconds.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct NodeLatency {
    /// The node's name, as in the account.
    pub name: String,
    /// Operator type.
    pub op_type: String,
    /// Its share of `median_ms`: its part of the profiled runs in the middle half by length, so that parts add up.
    pub ms: f64,
    /// Median of its own time over all profiled runs.
    pub median_ms: f64,
    /// What the runtime runs for it.
    pub runtime_ops: Vec<String>,
    /// Nodes whose work the runtime does as part of this one, or once and for all before it runs.
    pub fused: Vec<String>,
}

/// Why a measurement ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stopped {
    /// The median's 95 % confidence interval was narrower than 2 % of it.
    Stable,
    /// All runs that were asked for, or 1000, were done.
    Runs,
    /// The time limit was reached.
    Time,
    /// The caller said so.
    Interrupted,
}

impl Model {
    /// Measures the model with these sizes fixed. Errors: a size is open, the runtime cannot run the model, the caller
    /// stops it before the first run, or this build has no runtime.
    #[cfg(feature = "latency")]
    pub fn latency(&self, bindings: &Bindings, options: &LatencyOptions<'_>) -> Result<Latency> {
        let report = self.report(bindings)?;
        let measured = prepare::prepare(self, bindings).and_then(|prepared| {
            let made_up = (prepared.synthetic_weights, prepared.short_data.clone());
            let places = prepared.places.clone();
            let samples = engine::measure(prepared, options);
            let samples =
                samples.map_err(|error| Error { reason: engine::renamed(&error.reason, &places), ..error })?;
            Ok(mapping::latency(&report, &places, &samples, made_up, options))
        });
        measured.map_err(|error| error.in_file(&self.path))
    }

    /// Measures the model with these sizes fixed: not in this build, which has no runtime.
    #[cfg(not(feature = "latency"))]
    pub fn latency(&self, _: &Bindings, _: &LatencyOptions<'_>) -> Result<Latency> {
        let reason = "this build cannot measure: build lwstat with its default feature `latency`";
        Err(crate::Error::new(reason).in_file(&self.path))
    }

    /// Runs the model and a reference in turn, each with its sizes fixed, where nothing names the number of rounds until
    /// their ratio is known to 2 %. Errors: as of [`Model::latency`], and where the caller stops it before the end.
    #[cfg(feature = "latency")]
    pub fn latency_ratio(
        &self,
        bindings: &Bindings,
        reference: (&Model, &Bindings),
        options: &LatencyOptions<'_>,
    ) -> Result<Ratio> {
        let ready = |model: &Model, bindings: &Bindings| {
            let ready = prepare::prepare(model, bindings).and_then(|prepared| engine::Runner::ready(prepared, options));
            ready.map_err(|error| error.in_file(&model.path))
        };
        let model = ready(self, bindings)?;
        let reference = ready(reference.0, reference.1)?;
        engine::in_turn([model, reference], options).map_err(|error| error.in_file(&self.path))
    }

    /// Runs the model and a reference in turn: not in this build, which has no runtime.
    #[cfg(not(feature = "latency"))]
    pub fn latency_ratio(&self, _: &Bindings, _: (&Model, &Bindings), _: &LatencyOptions<'_>) -> Result<Ratio> {
        self.latency(&Bindings::default(), &LatencyOptions::default()).map(|_| Ratio::of(&[]))
    }
}
