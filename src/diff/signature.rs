//! What a node is, whatever it is called: hashes of its operator, counts and shapes, and of what stands around it.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::cost::{Counted, METRICS, Row};
use crate::dim::Dim;
use crate::ops::find;
use crate::report::{TensorInfo, TensorKind};

/// A node of one of the two models, its sizes in the symbols of the first.
pub(super) struct Node<'r> {
    pub(super) row: &'r Row,
    /// Its counts in the symbols of the first model.
    pub(super) counts: Vec<Option<Dim>>,
}

/// What each node is, and what stands around it. Hashes are the same for nodes that are alike in what they are made of.
pub(super) struct Signatures {
    /// Operator, kind, shapes of operands and outputs, work.
    pub(super) own: Vec<u64>,
    /// Operator, kind, shapes of what is stored: another input size changes none of it.
    pub(super) form: Vec<u64>,
    /// The form with its neighbours up to one edge away, two, … [`NEAR`].
    pub(super) near: Vec<Vec<u64>>,
    /// `own` with all that leads to the node and all that it leads to.
    pub(super) whole: Vec<u64>,
    /// Its kind with the kinds of all that leads to the node and all that it leads to.
    pub(super) design: Vec<u64>,
    /// The kind and the shapes of its outputs.
    pub(super) result: Vec<u64>,
    /// Operator type and module.
    pub(super) place: Vec<u64>,
    /// `own`, `form`, `near` and `kind` with the place.
    pub(super) here: Here,
    /// Operator type with what tells its uses apart.
    pub(super) kind: Vec<u64>,
    /// Operator type.
    pub(super) op: Vec<u64>,
    /// What each node reads.
    pub(super) operands: Vec<Vec<Operand>>,
    /// Which nodes read each node, which of its outputs, and as which operand.
    pub(super) readers: Vec<Vec<(usize, usize, usize)>>,
    /// Which outputs of the model each node gives, by the place among its own.
    pub(super) given: Vec<Vec<Option<usize>>>,
    /// Whether the order of a node's operands means nothing.
    pub(super) commutes: Vec<bool>,
}

/// Hashes of what a node is together with its operator type and module.
pub(super) struct Here {
    pub(super) own: Vec<u64>,
    pub(super) form: Vec<u64>,
    pub(super) near: Vec<u64>,
    pub(super) kind: Vec<u64>,
}

/// What stands beside a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Operand {
    /// An output of a node, by their places.
    Node(usize, usize),
    /// An input of the model, by its place.
    Input(usize),
    /// An output of the model, by its place.
    Output(usize),
    /// Something that is stored, or not there.
    Other,
    /// The state of a body that it gives itself.
    Circle,
}

/// How far the neighbourhood reaches.
pub(super) const NEAR: usize = 5;

/// The signatures of a model's nodes; `inputs` and `outputs` are the model's in the order in which they correspond.
pub(super) fn signatures(
    nodes: &[Node<'_>],
    tensors: &[TensorInfo],
    inputs: &[Arc<str>],
    outputs: &[Arc<str>],
    dim: &dyn Fn(&Dim) -> Dim,
) -> Signatures {
    let infos: FxHashMap<&str, &TensorInfo> = tensors.iter().map(|info| (&*info.tensor.name, info)).collect();
    let stored = |info: &TensorInfo| matches!(info.kind, TensorKind::Parameter | TensorKind::Constant);
    let mut leaves: FxHashMap<&str, u64> = FxHashMap::default();
    let mut leaf = |name: &str| {
        let Some((name, info)) = infos.get_key_value(name) else { return 0 };
        *leaves.entry(name).or_insert_with(|| {
            let shape = info.tensor.shape.as_ref().map(|shape| shape.iter().map(dim).collect::<Vec<_>>());
            hash(&(stored(info), info.tensor.dtype, shape))
        })
    };
    let count = nodes.len();
    let commutes: Vec<bool> =
        nodes.iter().map(|node| find(&node.row.domain, &node.row.op_type).is_some_and(|op| op.commutes)).collect();
    // Exporters order the operands of an addition as they like.
    let ordered = |at: usize, mut operands: Vec<u64>| {
        if commutes[at] {
            operands.sort_unstable();
        }
        operands
    };
    let (mut own, mut form, mut result) = (Vec::new(), Vec::new(), Vec::new());
    for (at, node) in nodes.iter().enumerate() {
        let row = node.row;
        let operands = ordered(at, row.inputs.iter().map(|name| leaf(name)).collect());
        let weight = |name: &Arc<str>| {
            let info = infos.get(&**name).filter(|info| stored(info));
            info.map_or(0, |info| {
                hash(&info.tensor.shape.as_ref().map(|shape| shape.iter().map(dim).collect::<Vec<_>>()))
            })
        };
        let weights = ordered(at, row.inputs.iter().map(weight).collect());
        let outputs: Vec<u64> = row.outputs.iter().map(|name| leaf(name)).collect();
        // What is stored counts for the first reader, which may be another in the other model.
        let work: Vec<Option<Dim>> = METRICS
            .iter()
            .zip(&node.counts)
            .filter(|(metric, _)| metric.counted == Counted::PerRun)
            .map(|(_, count)| count.as_ref().map(dim))
            .collect();
        let what = hash(&(&row.op_type, &row.domain, &row.kind, outputs));
        own.push(hash(&(what, operands, work)));
        form.push(hash(&(&row.op_type, &row.domain, &row.kind, weights)));
        result.push(what);
    }
    let producers: FxHashMap<&str, (usize, usize)> = nodes
        .iter()
        .enumerate()
        .flat_map(|(at, node)| node.row.outputs.iter().enumerate().map(move |(output, name)| (&**name, (at, output))))
        .filter(|(name, _)| !name.is_empty())
        .collect();
    let places: FxHashMap<&str, usize> = inputs.iter().enumerate().map(|(at, name)| (&**name, at)).collect();
    let mut operands: Vec<Vec<Operand>> = Vec::with_capacity(count);
    let mut readers: Vec<Vec<(usize, usize, usize)>> = vec![Vec::new(); count];
    for (at, node) in nodes.iter().enumerate() {
        let operand = |name: &Arc<str>| match (producers.get(&**name), places.get(&**name)) {
            // A node stands after all that it reads, save where a body's state runs in a circle.
            (Some((producer, _)), _) if *producer >= at => Operand::Circle,
            (Some((producer, output)), _) => Operand::Node(*producer, *output),
            (None, Some(input)) => Operand::Input(*input),
            (None, None) => Operand::Other,
        };
        operands.push(node.row.inputs.iter().map(operand).collect());
        for (place, operand) in operands[at].iter().enumerate() {
            if let Operand::Node(producer, output) = *operand {
                readers[producer].push((at, output, if commutes[at] { 0 } else { place }));
            }
        }
    }
    let places: FxHashMap<&str, usize> = outputs.iter().enumerate().map(|(at, name)| (&**name, at)).collect();
    let given: Vec<Vec<Option<usize>>> =
        nodes.iter().map(|node| node.row.outputs.iter().map(|name| places.get(&**name).copied()).collect()).collect();
    let above = |at: usize, level: &[u64]| {
        let operand = |operand: &Operand| match *operand {
            Operand::Node(producer, output) => hash(&(level[producer], output)),
            other => hash(&other),
        };
        ordered(at, operands[at].iter().map(operand).collect())
    };
    let below = |at: usize, level: &[u64]| {
        let mut below: Vec<_> =
            readers[at].iter().map(|(reader, output, place)| (level[*reader], *output, *place)).collect();
        below.sort_unstable();
        below
    };
    let whole = |level: &[u64]| -> Vec<u64> {
        let (mut down, mut up) = (vec![0; count], vec![0; count]);
        for at in 0..count {
            down[at] = hash(&(level[at], above(at, &down)));
        }
        for at in (0..count).rev() {
            up[at] = hash(&(level[at], below(at, &up), &given[at]));
        }
        down.iter().zip(&up).map(|both| hash(&both)).collect()
    };
    let kind: Vec<u64> = nodes.iter().map(|node| hash(&(&node.row.kind, &node.row.domain))).collect();
    let mut near: Vec<Vec<u64>> = Vec::with_capacity(NEAR);
    for edges in 0..NEAR {
        let last = edges.checked_sub(1).map_or(&form, |edges| &near[edges]);
        near.push((0..count).map(|at| hash(&(last[at], above(at, last), below(at, last)))).collect());
    }
    let place: Vec<u64> =
        nodes.iter().map(|node| hash(&(&node.row.op_type, &node.row.domain, &node.row.scope))).collect();
    let here = |level: &[u64]| level.iter().zip(&place).map(|both| hash(&both)).collect();
    Signatures {
        here: Here { own: here(&own), form: here(&form), near: here(&near[NEAR - 1]), kind: here(&kind) },
        whole: whole(&own),
        design: whole(&kind),
        own,
        form,
        near,
        result,
        place,
        kind,
        op: nodes.iter().map(|node| hash(&(&node.row.op_type, &node.row.domain))).collect(),
        operands,
        readers,
        given,
        commutes,
    }
}

/// The same in every run.
pub(crate) fn hash(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}
