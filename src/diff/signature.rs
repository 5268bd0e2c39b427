//! What a node is, whatever it is called: hashes of its operator, counts and shapes, and of what stands around it.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use rustc_hash::FxHashMap;

use crate::cost::{Counted, METRICS, Row};
use crate::dim::Dim;
use crate::report::{TensorInfo, TensorKind};

/// A node of one of the two models, its sizes in the symbols of the first.
pub(super) struct Node<'r> {
    pub(super) row: &'r Row,
    /// Its counts in the symbols of the first model.
    pub(super) counts: Vec<Option<Dim>>,
}

/// Hashes of every node, from the most that can be said to the least.
pub(super) struct Signatures {
    /// The node with all that leads to it and all that it leads to.
    pub(super) whole: Vec<u64>,
    /// With all that leads to it.
    pub(super) above: Vec<u64>,
    /// With all that it leads to.
    pub(super) below: Vec<u64>,
    /// With its neighbours up to three edges away.
    pub(super) near: Vec<u64>,
    /// By itself: operator, shapes, work.
    pub(super) own: Vec<u64>,
    /// What it is and gives: its kind and the shapes of its outputs.
    pub(super) result: Vec<u64>,
    /// Operator type and module.
    pub(super) place: Vec<u64>,
    /// Operator type with what tells its uses apart.
    pub(super) kind: Vec<u64>,
    /// Operator type.
    pub(super) op: Vec<u64>,
}

/// How far the neighbourhood reaches.
const NEAR: usize = 3;

pub(super) fn signatures(
    nodes: &[Node<'_>],
    tensors: &[TensorInfo],
    outputs: &[std::sync::Arc<str>],
    dim: &dyn Fn(&Dim) -> Dim,
) -> Signatures {
    let infos: FxHashMap<&str, &TensorInfo> = tensors.iter().map(|info| (&*info.tensor.name, info)).collect();
    let mut leaves: FxHashMap<&str, u64> = FxHashMap::default();
    let mut leaf = |name: &str| {
        let Some((name, info)) = infos.get_key_value(name) else { return 0 };
        *leaves.entry(name).or_insert_with(|| {
            let stored = matches!(info.kind, TensorKind::Parameter | TensorKind::Constant);
            let shape = info.tensor.shape.as_ref().map(|shape| shape.iter().map(dim).collect::<Vec<_>>());
            hash(&(stored, info.tensor.dtype, shape))
        })
    };
    let (mut own, mut result) = (Vec::with_capacity(nodes.len()), Vec::with_capacity(nodes.len()));
    for node in nodes {
        let row = node.row;
        // Exporters order the operands of an addition as they like.
        let mut operands: Vec<u64> = row.inputs.iter().map(|name| leaf(name)).collect();
        operands.sort_unstable();
        let given: Vec<u64> = row.outputs.iter().map(|name| leaf(name)).collect();
        // What is stored counts for the first reader, which may be another in the other model.
        let work: Vec<Option<Dim>> = METRICS
            .iter()
            .zip(&node.counts)
            .filter(|(metric, _)| metric.counted == Counted::PerRun)
            .map(|(_, count)| count.as_ref().map(dim))
            .collect();
        let what = hash(&(&row.op_type, &row.domain, &row.kind, given));
        own.push(hash(&(what, operands, work)));
        result.push(what);
    }
    let producers: FxHashMap<&str, (usize, usize)> = nodes
        .iter()
        .enumerate()
        .flat_map(|(at, node)| node.row.outputs.iter().enumerate().map(move |(output, name)| (&**name, (at, output))))
        .filter(|(name, _)| !name.is_empty())
        .collect();
    let edges: Vec<Vec<Option<(usize, usize)>>> =
        nodes.iter().map(|node| node.row.inputs.iter().map(|name| producers.get(&**name).copied()).collect()).collect();
    let mut readers: Vec<Vec<(usize, usize)>> = vec![Vec::new(); nodes.len()];
    for (reader, inputs) in edges.iter().enumerate() {
        for (producer, output) in inputs.iter().flatten() {
            readers[*producer].push((reader, *output));
        }
    }
    let places: FxHashMap<&str, usize> = outputs.iter().enumerate().map(|(at, name)| (&**name, at)).collect();
    let given: Vec<Vec<Option<usize>>> =
        nodes.iter().map(|node| node.row.outputs.iter().map(|name| places.get(&**name).copied()).collect()).collect();

    let of_inputs = |at: usize, level: &[u64]| -> Vec<Option<(u64, usize)>> {
        let mut inputs: Vec<_> =
            edges[at].iter().map(|edge| edge.map(|(producer, output)| (level[producer], output))).collect();
        inputs.sort_unstable();
        inputs
    };
    let of_readers = |at: usize, level: &[u64]| -> Vec<(u64, usize)> {
        let mut readers: Vec<_> = readers[at].iter().map(|(reader, output)| (level[*reader], *output)).collect();
        readers.sort_unstable();
        readers
    };
    // A node stands after all that it reads, save where a body's state runs in a circle: that edge says nothing.
    let mut above = vec![0; nodes.len()];
    for at in 0..nodes.len() {
        above[at] = hash(&(own[at], of_inputs(at, &above)));
    }
    let mut below = vec![0; nodes.len()];
    for at in (0..nodes.len()).rev() {
        below[at] = hash(&(own[at], of_readers(at, &below), &given[at]));
    }
    let mut near = own.clone();
    for _ in 0..NEAR {
        near = (0..nodes.len()).map(|at| hash(&(near[at], of_inputs(at, &near), of_readers(at, &near)))).collect();
    }
    Signatures {
        whole: above.iter().zip(&below).map(|both| hash(&both)).collect(),
        above,
        below,
        near,
        own,
        result,
        place: nodes.iter().map(|node| hash(&(&node.row.op_type, &node.row.domain, &node.row.scope))).collect(),
        kind: nodes.iter().map(|node| hash(&(&node.row.kind, &node.row.domain))).collect(),
        op: nodes.iter().map(|node| hash(&(&node.row.op_type, &node.row.domain))).collect(),
    }
}

/// The same in every run.
pub(crate) fn hash(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}
