//! The metric table: what is counted for each node, and the one loop that counts it.

use crate::dim::Dim;
use crate::ops::{self, Call, Op, Role, Stop, Storage};
use crate::tensor::Value;

mod activations;
mod arithmetic;
mod leaves;
mod memory_access;
mod parameters;

pub use leaves::{Leaf, Leaves};

/// What a metric is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A number of things: printed with SI prefixes (M = 10⁶).
    Count,
    /// Bytes: printed with binary prefixes (MiB = 2²⁰ bytes).
    Bytes,
}

/// How the bodies of one node that exclude each other (`If`) make up the node's metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Branches {
    /// One of them runs: the costlier one is the bound.
    Costlier,
    /// All are stored.
    Sum,
}

/// One metric.
pub struct Metric {
    /// JSON key, column key, budget key.
    pub key: &'static str,
    /// Name in tables.
    pub title: &'static str,
    /// What it is counted in.
    pub unit: Unit,
    /// The rule in words, for `docs/metrics.md`.
    pub rule: &'static str,
    /// Its value for one node.
    pub count: fn(&Visit) -> ops::Result<Dim>,
    /// How branches that exclude each other count.
    pub branches: Branches,
}

/// The table, in the order in which metrics are shown.
pub static METRICS: &[Metric] = &[
    arithmetic::MACS,
    arithmetic::FLOPS,
    parameters::PARAMS,
    parameters::CONSTANTS,
    parameters::WEIGHT_BYTES,
    activations::ACTIVATIONS,
    activations::ACTIVATION_BYTES,
    memory_access::MEMORY_ACCESS,
    memory_access::MEMORY_ACCESS_BYTES,
];

/// The place of a metric in [`METRICS`], by key.
pub fn index_of(key: &str) -> Option<usize> {
    METRICS.iter().position(|metric| metric.key == key)
}

/// One node as a metric sees it. Folded nodes are not visited.
pub struct Visit<'a> {
    /// Its operator.
    pub op: &'static Op,
    /// Its call.
    pub call: &'a Call<'a>,
    /// Its outputs, those not asked for included.
    pub outputs: &'a [Value],
    /// Which outputs the node names.
    pub named: &'a [bool],
    /// Which inputs are the first to name their tensor: a tensor read twice by one node is read once.
    pub distinct: &'a [bool],
    /// The stored tensors that this node is the first to read.
    pub leaves: &'a [Leaf],
}

impl Visit<'_> {
    fn is_view(&self) -> bool {
        self.op.storage == Storage::View
    }

    /// The outputs that exist and own a buffer.
    fn written(&self) -> impl Iterator<Item = &Value> {
        let view = self.is_view();
        let named = self.named.iter().copied();
        self.outputs.iter().zip(named).enumerate().filter(move |(index, (_, named))| *named && !(view && *index == 0)).map(|(_, (value, _))| value)
    }
}

/// Sums `measure` over values, unknown where one of them is.
fn total<'v>(values: impl Iterator<Item = &'v Value>, measure: fn(&Value) -> Option<Dim>) -> ops::Result<Dim> {
    values.map(measure).sum::<Option<Dim>>().ok_or(Stop::Unknown)
}

/// The account of one node: a value for each of [`METRICS`], `None` where unknown.
pub type Counts = Vec<Option<Dim>>;

/// Counts nothing.
pub fn zero() -> Counts {
    vec![Some(Dim::ZERO); METRICS.len()]
}

/// Counts one node. An error where the operator's rule says that the call breaks its specification or a count overflows.
pub fn count(visit: &Visit) -> ops::Result<Counts> {
    let one = |metric: &Metric| match (metric.count)(visit) {
        Ok(count) if count.is_undefined() => {
            ops::invalid(format!("its {} overflow 64-bit integers, or their formula is too long to hold", metric.title))
        }
        Ok(count) => Ok(Some(count)),
        Err(Stop::Unknown) => Ok(None),
        Err(invalid) => Err(invalid),
    };
    METRICS.iter().map(one).collect()
}

/// FLOPs per byte of memory access: 0 where nothing moves, `None` where either is unknown or a formula.
pub fn intensity(counts: &[Option<Dim>]) -> Option<f64> {
    let value = |key| counts.get(index_of(key)?)?.as_ref()?.as_int();
    let (flops, bytes) = (value("flops")?, value("memory_access_bytes")?);
    Some(if bytes == 0 { 0.0 } else { flops as f64 / bytes as f64 })
}

/// A constant operand's part in the account: learned, or not.
fn is_parameter_role(role: Option<Role>) -> bool {
    matches!(role, None | Some(Role::Parameter))
}
