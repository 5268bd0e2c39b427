//! Leaves: the stored tensors behind a node's constant operands, each counted for the first node that reads it.

use crate::dim::Dim;
use crate::graph::{Source, TensorId};
use crate::infer::Typed;
use crate::ops::Role;
use crate::tensor::{DType, Tensor};

/// A stored tensor (or a generated weight) that a node is the first to read.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// Element type as stored.
    pub dtype: DType,
    /// Elements; of a sparse tensor, the stored ones.
    pub elements: Dim,
    /// Learned, as `docs/metrics.md` defines it; otherwise a constant.
    pub parameter: bool,
}

/// Which tensors of a graph have been counted.
#[derive(Debug)]
pub(crate) struct Leaves {
    seen: Vec<bool>,
    /// By [`Search`], the computed tensors that one has passed: what lies behind them is found.
    passed: Vec<[bool; 3]>,
    /// Which tensors follow the shape of something: nobody stored those.
    shaped: Vec<bool>,
    /// Tensors that are parameters by way of some node.
    pub(crate) parameters: Vec<bool>,
}

impl Leaves {
    /// Nothing counted yet.
    pub(crate) fn new(typed: &Typed<'_>) -> Leaves {
        let none = vec![false; typed.graph.tensors.len()];
        let mut shaped = none.clone();
        for (node, facts) in typed.graph.nodes.iter().zip(&typed.nodes) {
            let follows = facts.op.is_some_and(|op| op.shape_only) || node.reads().any(|id| shaped[id.index()]);
            node.outputs.iter().flatten().for_each(|id| shaped[id.index()] = follows);
        }
        Leaves { seen: none.clone(), passed: vec![[false; 3]; none.len()], shaped, parameters: none }
    }
}

/// One graph on the way from the model's graph to a body.
pub(crate) struct Frame<'a, 'g> {
    pub(crate) typed: &'a Typed<'g>,
    pub(crate) leaves: Leaves,
}

/// What an operand is followed as.
#[derive(Clone, Copy, PartialEq)]
enum Search {
    /// Learned whatever its dtype.
    AnyParameter,
    /// Learned where its dtype is floating-point or quantized.
    Parameter,
    /// Not learned.
    Constant,
}

/// The leaves that this operand adds to the account of the innermost frame's node. Parameters and constants are asked
/// for in two passes over the graph, so that a tensor that one node learns and another takes as a setting is a parameter.
pub(crate) fn operand(
    frames: &mut [Frame<'_, '_>],
    id: TensorId,
    role: Option<Role>,
    parameters: bool,
    found: &mut Vec<Leaf>,
) {
    let search = match (parameters, super::is_parameter_role(role)) {
        (true, true) if role == Some(Role::Parameter) => Search::AnyParameter,
        (true, true) => Search::Parameter,
        (true, false) => return,
        (false, _) => Search::Constant,
    };
    let mut open = vec![(frames.len() - 1, id, search)];
    while let Some((depth, id, search)) = open.pop() {
        let Frame { typed, leaves } = &mut frames[depth];
        let index = id.index();
        if !typed.constant[index] || leaves.seen[index] || search == Search::Constant && leaves.parameters[index] {
            continue;
        }
        let tensor = typed.values[index].as_tensor();
        let learned = |tensor: &Tensor| match search {
            Search::AnyParameter => true,
            Search::Parameter => tensor.dtype.is_float() || tensor.dtype.is_quantized(),
            Search::Constant => false,
        };
        // Only what the search accepts is marked as seen: another search may still accept it.
        let mut take = |dtype: DType, elements: Option<Dim>, parameter: bool| {
            if parameter == (search != Search::Constant) {
                leaves.seen[index] = true;
                leaves.parameters[index] = parameter;
                found.push(Leaf { dtype, elements: elements.unwrap_or_default(), parameter });
            }
        };
        match typed.graph.tensors[index].source {
            Source::Outer(outer) => open.push((depth - 1, outer, search)),
            Source::Input(_) => {}
            Source::Initializer(_) => {
                if let Some(tensor) = tensor {
                    take(tensor.dtype, tensor.elements(), learned(tensor));
                }
            }
            Source::Sparse(proto) => {
                if let (Some(tensor), Some(values)) = (tensor, &proto.values) {
                    take(tensor.dtype, Tensor::of_proto(values).elements(), learned(tensor));
                }
            }
            Source::Node(producer) => {
                let (node, facts) = (&typed.graph.nodes[producer], &typed.nodes[producer]);
                let Some(op) = facts.op.filter(|op| !op.shape_only) else { continue };
                if std::mem::replace(&mut leaves.passed[index][search as usize], true) {
                    continue;
                }
                let shaped = node.reads().any(|id| leaves.shaped[id.index()]);
                let stored = node.reads().next().is_none() && node.bodies.is_empty();
                if stored || op.generates && !shaped {
                    if let Some(tensor) = tensor {
                        let scalar = tensor.elements().is_some_and(|n| n == 1) && !op.generates;
                        take(tensor.dtype, tensor.elements(), learned(tensor) && !scalar);
                    }
                    continue;
                }
                for (position, input) in node.inputs.iter().enumerate() {
                    let Some(input) = input else { continue };
                    let role = op.role(position);
                    let next = match search {
                        Search::Constant => Search::Constant,
                        _ if !super::is_parameter_role(role) => continue,
                        _ if role == Some(Role::Parameter) => Search::AnyParameter,
                        search => search,
                    };
                    open.push((depth, *input, next));
                }
                open.extend(node.captures.iter().map(|&capture| (depth, capture, search)));
            }
        }
    }
}
