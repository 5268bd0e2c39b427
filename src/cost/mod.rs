//! The metric table: what is counted for each node, and the one loop that counts it.

use crate::dim::Dim;
use crate::graph::Node;
use crate::ops::{self, Call, Op, Role, Stop};
use crate::tensor::Value;

mod account;
mod activations;
mod arithmetic;
mod leaves;
mod memory_access;
mod parameters;
mod torchstat;

pub use account::{Account, Coverage, Row, account};
pub use leaves::Leaf;

/// What a metric is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A number of things: printed with SI prefixes (M = 10⁶).
    Count,
    /// Bytes: printed with binary prefixes (MiB = 2²⁰ bytes).
    Bytes,
}

/// How a body's metric counts in the account of the node that runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// For every run: a loop multiplies it, and of branches that exclude each other the costlier one is the bound.
    PerRun,
    /// Once: what is stored is stored for all branches, however often they run.
    Stored,
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
    /// How bodies count.
    pub counted: Counted,
}

/// The table, in the order in which metrics are shown.
pub static METRICS: &[Metric] = &[
    arithmetic::MACS,
    arithmetic::MACS_CAUSAL,
    arithmetic::FLOPS,
    parameters::PARAMS,
    parameters::CONSTANTS,
    parameters::WEIGHT_BYTES,
    parameters::CONSTANT_BYTES,
    activations::ACTIVATIONS,
    activations::ACTIVATION_BYTES,
    memory_access::MEMORY_ACCESS,
    memory_access::MEMORY_ACCESS_BYTES,
    torchstat::MEMORY,
    torchstat::ACCESS,
];

/// The place of a metric in [`METRICS`], by key.
pub fn index_of(key: &str) -> Option<usize> {
    METRICS.iter().position(|metric| metric.key == key)
}

/// How much a tensor holds: worked out once, for all nodes that read it.
#[derive(Clone, Debug)]
pub struct Size {
    /// Elements; `None` where unknown.
    pub elements: Option<Dim>,
    /// Bytes; `None` where unknown.
    pub bytes: Option<Dim>,
}

impl Size {
    fn of(value: &Value) -> Size {
        let elements = value.elements();
        let bytes = match value {
            Value::Tensor(tensor) => elements.as_ref().and_then(|elements| tensor.dtype.bytes(elements)),
            other => other.bytes(),
        };
        Size { elements, bytes }
    }
}

/// One node as a metric sees it. Folded nodes are not visited.
pub struct Visit<'a> {
    /// Its operator.
    pub op: &'static Op,
    /// Its call.
    pub call: &'a Call<'a>,
    /// Its outputs, those not asked for included.
    pub outputs: &'a [Value],
    /// The tensors that the node reads and writes.
    pub node: &'a Node<'a>,
    /// The size of each tensor of the node's graph.
    pub sizes: &'a [Size],
    /// Which inputs are the first to name their tensor: a tensor read twice by one node is read once.
    pub distinct: &'a [bool],
    /// The stored tensors that this node is the first to read.
    pub leaves: &'a [Leaf],
    /// Its multiply-accumulates, from which several metrics start.
    pub macs: ops::Result<Dim>,
}

impl Visit<'_> {
    /// A size of an operand is a formula.
    fn is_symbolic(&self) -> bool {
        let values = self.call.inputs.iter().flatten().copied().chain(self.outputs);
        let shapes = values.filter_map(Value::as_tensor).filter_map(|tensor| tensor.shape.as_ref());
        shapes.flatten().any(|dim| dim.as_int().is_none())
    }

    fn is_view(&self) -> bool {
        self.op.is_view(self.call)
    }

    /// The sizes of the outputs that the node names and that own a buffer.
    fn written(&self) -> impl Iterator<Item = &Size> {
        let owned = self.node.outputs.iter().skip(usize::from(self.is_view()));
        owned.flatten().map(|id| &self.sizes[id.index()])
    }
}

/// Sums `measure` over tensors, unknown where one of them is.
fn total<'s>(tensors: impl Iterator<Item = &'s Size>, measure: fn(&Size) -> &Option<Dim>) -> ops::Result<Dim> {
    tensors.map(|size| measure(size).clone()).sum::<Option<Dim>>().ok_or(Stop::Unknown)
}

/// A value for each of [`METRICS`], `None` where unknown. Serializes as a map by metric key.
#[derive(Clone, Debug, PartialEq)]
pub struct Counts(pub [Option<Dim>; METRICS.len()]);

impl Counts {
    /// Nothing counted.
    pub fn zero() -> Counts {
        Counts([const { Some(Dim::ZERO) }; METRICS.len()])
    }

    /// The count of this metric; `None` where it is unknown or there is no such metric.
    pub fn get(&self, key: &str) -> Option<&Dim> {
        self.0.get(index_of(key)?)?.as_ref()
    }

    /// Adds what is known of other counts; says for which metrics something is not.
    pub fn add(&mut self, other: &Counts) {
        for (sum, count) in self.0.iter_mut().zip(&other.0) {
            if let (Some(sum), Some(count)) = (sum, count) {
                *sum += count;
            }
        }
    }

    /// The size of the formulas, in atoms; 0 for plain numbers.
    fn weight(&self) -> u64 {
        self.0.iter().flatten().map(|count| u64::from(count.weight() - 1)).sum()
    }

    /// The sum of two counts, unknown where one of them is.
    pub(crate) fn plus(&self, other: &Counts) -> Counts {
        let sum = |(a, b): (&Option<Dim>, &Option<Dim>)| Some(a.as_ref()? + b.as_ref()?);
        Counts(std::array::from_fn(|index| sum((&self.0[index], &other.0[index]))))
    }

    /// FLOPs per byte of memory access; `None` where either is unknown or a formula, or nothing moves.
    pub fn intensity(&self) -> Option<f64> {
        let (flops, bytes) = (self.get("flops")?.as_int()?, self.get("memory_access_bytes")?.as_int()?);
        (bytes != 0).then(|| flops as f64 / bytes as f64)
    }
}

impl serde::Serialize for Counts {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(METRICS.iter().map(|metric| metric.key).zip(&self.0))
    }
}

impl schemars::JsonSchema for Counts {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Counts".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let count = generator.subschema_for::<Option<Dim>>();
        let described = METRICS.iter().map(|metric| {
            let mut schema = serde_json::Map::new();
            schema.insert("description".to_string(), metric.rule.into());
            schema.insert("allOf".to_string(), serde_json::Value::Array(vec![count.clone().into()]));
            (metric.key.to_string(), serde_json::Value::Object(schema))
        });
        let properties: serde_json::Map<_, _> = described.collect();
        let required: Vec<_> = METRICS.iter().map(|metric| metric.key).collect();
        schemars::json_schema!({"type": "object", "properties": properties, "required": required})
    }
}

/// Counts one node. An error where the operator's rule says that the call breaks its specification or a count
/// overflows. Where sizes are formulas, a count too long to hold is unknown: at given sizes it is a number.
fn count(visit: &Visit, metric: &Metric) -> ops::Result<Option<Dim>> {
    match (metric.count)(visit) {
        Ok(count) if count.is_undefined() && visit.is_symbolic() => Ok(None),
        Ok(count) if count.is_undefined() => ops::invalid(format!("its {} overflow 64-bit integers", metric.title)),
        Ok(count) => Ok(Some(count)),
        Err(Stop::Unknown) => Ok(None),
        Err(invalid) => Err(invalid),
    }
}

/// A constant operand's part in the account: learned, or not.
fn is_parameter_role(role: Option<Role>) -> bool {
    matches!(role, None | Some(Role::Parameter))
}
