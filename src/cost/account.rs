//! The loop that counts: every unfolded node under every metric, bodies under the node that runs them.

use std::borrow::Cow;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::leaves::{self, Frame, Leaf, Leaves};
use super::{Counted, Counts, METRICS, Size, Visit, count};
use crate::device::Roofline;
use crate::dim::Dim;
use crate::error::{Error, Result};
use crate::graph::{Edge, Graph, Node, Source, TensorId};
use crate::infer::{Typed, TypedNode};
use crate::ops::{Call, Convolution, Infer, Op, Stop, Storage, Times};
use crate::tensor::{DType, Value};

/// How well a node's cost is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Coverage {
    /// To the unit.
    Exact,
    /// An upper bound: branches exclude each other and the costlier one is counted.
    Bounded,
    /// Something is not known; what is known is counted.
    Unknown,
}

/// One node's account: as a report lists it, and what the guidelines ask beside that.
#[derive(Clone, Debug, serde::Serialize, schemars::JsonSchema)]
pub struct Row {
    /// The node's name; in a body with the names of the nodes and attributes that hold it.
    pub name: String,
    /// Operator type.
    pub op_type: Cow<'static, str>,
    /// Operator domain, empty for ONNX's own.
    pub domain: String,
    /// The operator type with what tells its uses apart: `Conv 1×1`.
    pub kind: Cow<'static, str>,
    /// Module path.
    pub scope: String,
    /// Names of the inputs, empty where one is left out; of a body's own, as those of nodes.
    pub inputs: Vec<Arc<str>>,
    /// Names of the outputs, empty where one is left out.
    pub outputs: Vec<Arc<str>>,
    /// Its counts, times its runs.
    #[serde(flatten)]
    pub counts: Counts,
    /// FLOPs per byte of memory access; null where it is a formula or nothing moves.
    pub arithmetic_intensity: Option<f64>,
    /// How well they are known.
    pub coverage: Coverage,
    /// What is unknown of it is not so because of another node: its operator is not in the table, or cannot say.
    #[serde(skip)]
    pub unknown_operator: bool,
    /// Its sizes, where it is a convolution.
    #[serde(skip)]
    pub convolution: Option<Convolution>,
    /// Its output may be written over an input: activations, additions, batch norm.
    #[serde(skip)]
    pub element_wise: bool,
    /// The dtype that its arithmetic is done in: that of its first operand.
    #[serde(skip)]
    pub dtype: DType,
    /// Its least time on a device, where one was asked for.
    #[serde(flatten)]
    pub roofline: Option<Roofline>,
    /// How often it runs, where it stands in a body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<Dim>,
    /// The first output of the call that the file's graph has in its place, where it stands in a function. Empty in branches
    /// that exclude each other in one: the node that holds them has their count.
    #[serde(skip)]
    pub part_of: Option<Arc<str>>,
    /// It stands in one of several bodies that exclude each other: the node that holds them has the costlier one's
    /// counts, and this row is not part of the total.
    pub alternative: bool,
}

/// The account of a graph.
#[derive(Debug, Default)]
pub struct Account {
    /// A row for every unfolded node, those of a body after the node that runs it.
    pub rows: Vec<Row>,
    /// Folded nodes, in bodies, too.
    pub folded: usize,
    /// Which tensors are parameters, by graph: the main one, or a body.
    parameters: FxHashMap<*const Graph<'static>, Vec<bool>>,
    /// The names of the main graph's tensors.
    pub names: Vec<Arc<str>>,
    /// The rows of the main graph's unfolded nodes, in their order.
    pub steps: Vec<usize>,
}

/// Counts every unfolded node of a typed graph.
pub fn account(typed: &Typed<'_>, sizes: &FxHashMap<String, i64>) -> Result<Account> {
    let mut walk = Walk { parameters: true, leaves: Vec::new(), at: 0, kept: FxHashMap::default() };
    let mut frames = vec![Frame { typed, leaves: Leaves::new(typed) }];
    walk.graph(&mut frames);
    walk.parameters = false;
    walk.at = 0;
    walk.graph(&mut frames);
    let mut counter = Counter { leaves: walk.leaves.into_iter(), account: Account::default(), sizes, room: ROOM };
    counter.account.rows.reserve(typed.nodes.len());
    let tensors = Tensors::new(typed, "", None);
    let place = Place { prefix: String::new(), times: None, part_of: None, alternative: false };
    counter.graph(typed, &tensors, &place, None)?;
    let mut account = counter.account;
    account.names = tensors.names;
    let main = frames.pop().map(|frame| (key(typed.graph), frame.leaves));
    account.parameters = walk.kept.into_iter().chain(main).map(|(graph, leaves)| (graph, leaves.parameters)).collect();
    Ok(account)
}

/// What a graph is known by while the model lives.
fn key(graph: &Graph<'_>) -> *const Graph<'static> {
    std::ptr::from_ref(graph).cast()
}

impl Account {
    /// Whether this tensor of this graph (the main one, or a body) is a parameter.
    pub fn is_parameter(&self, graph: &Graph<'_>, tensor: usize) -> bool {
        self.parameters.get(&key(graph)).is_some_and(|parameters| parameters[tensor])
    }
}

/// What all nodes of a graph share.
struct Tensors {
    names: Vec<Arc<str>>,
    sizes: Vec<Size>,
}

impl Tensors {
    /// In a body, `prefix` stands before the names, save of what it takes from the graph around it.
    fn new(typed: &Typed<'_>, prefix: &str, around: Option<&Tensors>) -> Tensors {
        let name = |tensor: &Edge<'_>| match (tensor.source, around) {
            (Source::Outer(id), Some(around)) => around.names[id.index()].clone(),
            _ if prefix.is_empty() => tensor.name.as_ref().into(),
            _ => format!("{prefix}{}", tensor.name).into(),
        };
        Tensors {
            names: typed.graph.tensors.iter().map(name).collect(),
            sizes: typed.values.iter().map(Size::of).collect(),
        }
    }
}

/// A node's outputs, unknown where one is left out. Where none is, they mostly stand side by side already.
fn outputs<'t>(typed: &'t Typed<'_>, node: &Node<'_>) -> Cow<'t, [Value]> {
    let first = node.outputs.first().copied().flatten().map_or(0, TensorId::index);
    let in_place = (first..).zip(&node.outputs).all(|(index, id)| id.is_some_and(|id| id.index() == index));
    match in_place {
        true => Cow::Borrowed(&typed.values[first..first + node.outputs.len()]),
        false => node.outputs.iter().map(|id| id.map(|id| typed.value(id).clone()).unwrap_or_default()).collect(),
    }
}

/// Collects the leaves of every unfolded node, in the order in which [`Counter`] visits them.
struct Walk {
    parameters: bool,
    leaves: Vec<Vec<Leaf>>,
    at: usize,
    /// What was found out about the bodies' tensors: a body that is accounted several times stores them once.
    kept: FxHashMap<*const Graph<'static>, Leaves>,
}

impl Walk {
    fn graph(&mut self, frames: &mut Vec<Frame<'_, '_>>) {
        let Some(typed) = frames.last().map(|frame| frame.typed) else { return };
        for (node, facts) in typed.graph.nodes.iter().zip(&typed.nodes).filter(|(_, facts)| !facts.folded) {
            if self.parameters {
                self.leaves.push(Vec::new());
            }
            let at = self.at;
            self.at += 1;
            for (position, input) in node.inputs.iter().enumerate() {
                let Some(id) = input.filter(|id| typed.constant[id.index()]) else { continue };
                let role = facts.op.and_then(|op| op.role(position));
                leaves::operand(frames, id, role, self.parameters, &mut self.leaves[at]);
            }
            for (_, body, _) in &facts.bodies {
                let key = key(body.graph);
                let leaves = self.kept.remove(&key).unwrap_or_else(|| Leaves::new(body));
                frames.push(Frame { typed: body, leaves });
                self.graph(frames);
                if let Some(frame) = frames.pop() {
                    self.kept.insert(key, frame.leaves);
                }
            }
        }
    }
}

/// Where in the nesting of bodies a graph stands.
struct Place {
    prefix: String,
    times: Option<Dim>,
    /// As [`Row::part_of`].
    part_of: Option<Arc<str>>,
    alternative: bool,
}

struct Counter<'s> {
    leaves: std::vec::IntoIter<Vec<Leaf>>,
    account: Account,
    sizes: &'s FxHashMap<String, i64>,
    /// How much more the account may hold.
    room: u64,
}

/// The most that an account may hold: formulas in pairs of atoms, and names in units of 64 bytes. A small file can ask for much
/// more: functions and bodies repeat the names of what holds them, and every node may have a formula of its own.
const ROOM: u64 = 2_000_000;

/// What stands in for the operator of a node that the table does not know.
static UNKNOWN: Op =
    Op::new("?", |_| Err(Stop::Unknown)).macs("", |_, _| Err(Stop::Unknown)).flops("", |_, _| Err(Stop::Unknown));

impl Counter<'_> {
    /// Adds the rows of a graph, and to `sum` the counts of its nodes with their bodies.
    fn graph(
        &mut self,
        typed: &Typed<'_>,
        tensors: &Tensors,
        place: &Place,
        mut sum: Option<&mut Counts>,
    ) -> Result<()> {
        for (index, facts) in typed.nodes.iter().enumerate() {
            if facts.folded {
                self.account.folded += 1;
                continue;
            }
            let node = &typed.graph.nodes[index];
            let row = self.account.rows.len();
            if sum.is_none() {
                self.account.steps.push(row);
            }
            let run = self.node(typed, index, facts, tensors, place);
            let run = run.map_err(|error| error.at_node(&node.name, node.op_type))?;
            if let Some(sum) = &mut sum {
                **sum = sum.plus(&run.plus(&self.account.rows[row].counts));
            }
        }
        Ok(())
    }

    /// Makes room for formulas and names of this size.
    fn take(&mut self, size: u64) -> Result<()> {
        self.room = self.room.checked_sub(size).ok_or_else(|| {
            Error::new(
                "its account would be too long: fix sizes with --dim or --input, or give nodes and tensors shorter names",
            )
        })?;
        Ok(())
    }

    /// Adds the rows of one node and of its bodies; returns what the bodies add to the node's own row.
    fn node(
        &mut self,
        typed: &Typed<'_>,
        index: usize,
        facts: &TypedNode<'_>,
        tensors: &Tensors,
        place: &Place,
    ) -> Result<Counts> {
        let node = &typed.graph.nodes[index];
        let leaves = self.leaves.next().unwrap_or_default();
        let op = facts.op.unwrap_or(&UNKNOWN);
        let inputs: Vec<Option<&Value>> = node.inputs.iter().map(|id| id.map(|id| typed.value(id))).collect();
        let name = typed.call_name(node);
        let call = Call {
            name: &name,
            opset: node.opset,
            attributes: &node.attributes,
            inputs: &inputs,
            outputs: node.outputs.len(),
            sizes: self.sizes,
        };
        let mut outputs = outputs(typed, node);
        if let Infer::Plain(infer) = op.infer
            && node.outputs.contains(&None)
            && !facts.unknown
        {
            // Rules may count by an output that this node leaves out.
            let all = infer(&call).unwrap_or_default();
            let left_out = |(output, _): &(&mut Value, _)| matches!(output, Value::Unknown);
            for (output, value) in outputs.to_mut().iter_mut().zip(all).filter(left_out) {
                *output = value;
            }
        }
        let mut seen = FxHashSet::default();
        let distinct: Vec<bool> = match node.inputs.len() {
            // Comparing few names is faster than hashing them.
            few @ ..=8 => (0..few).map(|at| !node.inputs[..at].contains(&node.inputs[at])).collect(),
            _ => node.inputs.iter().map(|input| seen.insert(*input)).collect(),
        };
        let sizes = &tensors.sizes;
        let macs = op.macs.map_or(Ok(Dim::ZERO), |rule| (rule.count)(&call, &outputs));
        let visit =
            Visit { op, call: &call, outputs: &outputs, node, sizes, distinct: &distinct, leaves: &leaves, macs };
        let runs = |metric: &super::Metric| metric.counted == Counted::PerRun;
        let control = matches!(op.infer, Infer::Control(_)) && !facts.unknown;
        let mut counts = Counts::zero();
        for (metric, sum) in METRICS.iter().zip(&mut counts.0) {
            if control && runs(metric) {
                // A control-flow node's work is its bodies'.
                continue;
            }
            *sum = count(&visit, metric).map_err(|stop| match stop {
                Stop::Invalid(reason) => Error::new(reason),
                Stop::Unknown => Error::new("its cost is unknown"),
            })?;
            if let Some(times) = place.times.as_ref().filter(|_| runs(metric)) {
                *sum = sum.take().map(|count| count * times);
            }
        }
        let name = |id: &Option<TensorId>| id.map_or_else(|| "".into(), |id| tensors.names[id.index()].clone());
        let op_type: Cow<'static, str> = facts.op.map_or_else(|| node.op_type.to_string().into(), |op| op.name.into());
        let unknown = counts.0.contains(&None);
        let scope = node.scope();
        let named = node.inputs.iter().chain(&node.outputs).flatten();
        let names = named.map(|id| typed.graph.name(*id).len()).sum::<usize>() + scope.len() + node.name.len();
        let prefixes = (node.outputs.len() + facts.bodies.len() + 1) * place.prefix.len();
        self.take(counts.weight() / 2 + (names + prefixes) as u64 / 64)?;
        let row = self.account.rows.len();
        let part_of = place.part_of.clone().or_else(|| node.part_of.map(|id| tensors.names[id.index()].clone()));
        self.account.rows.push(Row {
            name: format!("{}{}", place.prefix, node.name),
            kind: op.kind.map_or_else(|| op_type.clone(), |kind| kind(&call).into()),
            op_type,
            domain: node.domain.to_string(),
            scope,
            inputs: node.inputs.iter().map(name).collect(),
            outputs: node.outputs.iter().map(name).collect(),
            arithmetic_intensity: counts.intensity(),
            counts,
            coverage: if unknown { Coverage::Unknown } else { Coverage::Exact },
            unknown_operator: unknown && inputs.iter().flatten().all(|value| value.elements().is_some()),
            convolution: op.convolution.and_then(|convolution| convolution(&call, &outputs).ok()),
            element_wise: matches!(op.storage, Storage::InPlace),
            dtype: inputs
                .iter()
                .flatten()
                .chain(&outputs.iter().collect::<Vec<_>>())
                .find_map(|value| value.as_tensor())
                .map_or(DType::Undefined, |tensor| tensor.dtype),
            roofline: None,
            times: place.times.clone(),
            part_of: part_of.clone(),
            alternative: place.alternative,
        });
        let (mut run, mut branches) = (Counts::zero(), Vec::new());
        for (attribute, body, times) in &facts.bodies {
            let inner = Place {
                prefix: format!("{}{}/{attribute}/", place.prefix, node.name),
                times: match (times, &place.times) {
                    (Times::Alternative, outer) => outer.clone(),
                    (Times::Count(times), None) => Some(times.clone()),
                    (Times::Count(times), Some(outer)) => Some(times * outer),
                },
                part_of: match times {
                    Times::Alternative => part_of.as_ref().map(|_| "".into()),
                    Times::Count(_) => part_of.clone(),
                },
                alternative: place.alternative || *times == Times::Alternative,
            };
            self.take((body.graph.tensors.len() * inner.prefix.len()) as u64 / 64)?;
            let mut counts = Counts::zero();
            let inside = Tensors::new(body, &inner.prefix, Some(tensors));
            self.graph(body, &inside, &inner, Some(&mut counts))?;
            match times {
                Times::Alternative => branches.push(counts),
                Times::Count(_) => run = run.plus(&counts),
            }
        }
        if !branches.is_empty() {
            let row = &mut self.account.rows[row];
            row.coverage = row.coverage.max(Coverage::Bounded);
            for (index, metric) in METRICS.iter().enumerate() {
                let of = branches.iter().map(|branch: &Counts| branch.0[index].clone());
                let bound: Option<Dim> = match metric.counted {
                    Counted::PerRun => of.reduce(|a, b| Some(a?.max(&b?))).flatten(),
                    Counted::Stored => of.sum(),
                };
                row.counts.0[index] = bound.and_then(|bound| Some(row.counts.0[index].clone()? + bound));
            }
            row.arithmetic_intensity = row.counts.intensity();
            if row.counts.0.contains(&None) {
                row.coverage = Coverage::Unknown;
            }
        }
        Ok(run)
    }
}
