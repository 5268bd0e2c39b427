//! One pass over the nodes in order: every tensor typed, constants and shapes propagated, folded nodes marked.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use std::collections::BTreeSet;
use std::sync::Arc;

use prost::Message;
use rustc_hash::FxHashMap;

use crate::declared::typed;
use crate::dim::Dim;
use crate::error::{Error, Result};
use crate::graph::{Graph, Node, Source, TensorId};
use crate::onnx::{ModelProto, ValueInfoProto};
use crate::ops::{self, Bodies, Call, Infer, Op, Stop, Times};
use crate::tensor::{DType, RANK_LIMIT, Scalar, Tensor, Value};

/// Sizes and shapes that the caller fixes.
#[derive(Clone, Debug, Default)]
pub struct Bindings {
    /// Shapes of inputs by name.
    pub inputs: Vec<(String, Vec<Dim>)>,
    /// Sizes of free dimensions by name.
    pub sizes: FxHashMap<String, i64>,
}

/// A shape as people write it: `1x3x224x224`, `scalar`; `None` where it is none.
pub fn shape(text: &str) -> Option<Vec<Dim>> {
    let size = |size: &str| size.trim().parse::<i64>().ok().filter(|size| *size >= 0).map(Dim::from);
    if text == "scalar" { Some(Vec::new()) } else { text.split(['x', '×', ',']).map(size).collect() }
}

/// What inference found out about a graph.
#[derive(Debug)]
pub struct Typed<'g> {
    /// The graph.
    pub graph: &'g Graph<'g>,
    /// What stands before the names of its nodes and tensors so that symbols named after them are the model's only
    /// ones: in a body, the names of the nodes and attributes that hold it, and of several runs the number.
    pub scope: String,
    /// What is known of each tensor.
    pub values: Vec<Value>,
    /// Which tensors depend on constants and shapes alone.
    pub constant: Vec<bool>,
    /// What was found out about each node.
    pub nodes: Vec<TypedNode<'g>>,
}

/// What inference found out about a node.
#[derive(Debug, Default)]
pub struct TypedNode<'g> {
    /// Its operator, `None` where the table has none.
    pub op: Option<&'static Op>,
    /// It depends on constants and shapes alone: a runtime computes it once, so it costs nothing.
    pub folded: bool,
    /// Its operator could not say what its outputs are.
    pub unknown: bool,
    /// Its first output is its first input's buffer.
    pub view: bool,
    /// Its bodies as they were run, and how often each runs.
    pub bodies: Vec<(&'g str, Typed<'g>, Times)>,
}

impl std::fmt::Debug for Op {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Typed<'_> {
    /// What is known of a tensor.
    pub fn value(&self, id: TensorId) -> &Value {
        &self.values[id.index()]
    }

    /// The name after which a node's call names its symbols.
    pub fn call_name<'n>(&self, node: &'n Node<'_>) -> Cow<'n, str> {
        match self.scope.is_empty() {
            true => Cow::Borrowed(&node.name),
            false => Cow::Owned(format!("{}{}", self.scope, node.name)),
        }
    }
}

/// Types the model's graph under the caller's bindings. Errors name the node that breaks its operator's specification,
/// or the input that does not exist or cannot have the given shape.
///
/// The file's `value_info` is read only where an operator is unknown.
pub fn infer<'g>(graph: &'g Graph<'g>, file: &ModelProto, bindings: &Bindings) -> Result<Typed<'g>> {
    let mut sizes = bindings.sizes.clone();
    for (name, shape) in &bindings.inputs {
        let id = graph.inputs.iter().copied().find(|&id| graph.name(id) == name).ok_or_else(|| {
            let names: Vec<_> = graph.inputs.iter().map(|&id| format!("\"{}\"", graph.name(id))).collect();
            Error::new(format!("there is no input \"{name}\": the model has {}", names.join(", ")))
        })?;
        bind_symbols(graph, id, shape, &mut sizes)?;
    }
    let inputs = graph.inputs.iter().map(|&id| {
        let mut value = declared_input(graph, "", id, &sizes);
        if let Some((_, shape)) = bindings.inputs.iter().find(|(name, _)| name == graph.name(id)) {
            match &mut value {
                Value::Tensor(tensor) => tensor.shape = Some(shape.clone()),
                other => *other = Tensor::new(DType::Undefined, shape.clone()).into(),
            }
        }
        value
    });
    let inputs = inputs.collect();
    run(
        graph,
        String::new(),
        inputs,
        None,
        &Context { file, declared: OnceCell::new(), sizes: &sizes, work: Cell::new(0) },
    )
}

/// The most work beside one visit of every node, in elements of contents: runs of bodies (loops within loops could be
/// followed for ever), contents (they could be large at every node) and long formulas. What goes beyond stays unknown.
const WORK_LIMIT: u64 = 10_000_000;

/// The work of a node in a body, without its contents.
const NODE_WORK: u64 = 20;

/// A node's contents and formulas are free up to here: they steer shapes, and are as many as nodes.
const FREE_WORK: u64 = 64;

/// What all graphs of one model share.
struct Context<'c> {
    file: &'c ModelProto,
    declared: OnceCell<FxHashMap<String, Value>>,
    sizes: &'c FxHashMap<String, i64>,
    /// Work done.
    work: Cell<u64>,
}

impl Context<'_> {
    /// Whether so much work may be done; it is then taken as done.
    fn affords(&self, work: u64) -> bool {
        let sum = self.work.get().saturating_add(work);
        if work > FREE_WORK {
            if sum > WORK_LIMIT {
                return false;
            }
            self.work.set(sum);
        }
        true
    }

    /// What the file's `value_info` says of a tensor. It is decoded when the first unknown operator asks.
    fn declared(&self, name: &str) -> Value {
        let table = self.declared.get_or_init(|| {
            let entries = self.file.graph.as_ref().map_or(&[][..], |graph| &graph.value_info[..]);
            let decoded = entries.iter().filter_map(|entry| ValueInfoProto::decode(entry.clone()).ok());
            let outputs = self.file.graph.iter().flat_map(|graph| graph.output.iter().cloned());
            let typed = |info: ValueInfoProto| (typed(info.r#type.as_ref(), &info.name, self.sizes), info.name);
            let known = decoded.chain(outputs).map(typed).filter(|(value, _)| !matches!(value, Value::Unknown));
            known.map(|(value, name)| (name, value)).collect()
        });
        table.get(name).cloned().unwrap_or_default()
    }
}

/// An input's shape fixes the free dimensions that its declaration names.
fn bind_symbols(graph: &Graph<'_>, id: TensorId, shape: &[Dim], sizes: &mut FxHashMap<String, i64>) -> Result<()> {
    let name = graph.name(id);
    let Value::Tensor(Tensor { shape: Some(declared), .. }) = declared_input(graph, "", id, &FxHashMap::default())
    else {
        return Ok(());
    };
    if declared.len() != shape.len() {
        let reason = format!("the input \"{name}\" has {} dimensions, {} are given", declared.len(), shape.len());
        return Err(Error::new(reason));
    }
    for (declared, given) in declared.iter().zip(shape) {
        let mut symbols = std::collections::BTreeSet::new();
        declared.symbols(&mut symbols);
        let (Some(symbol), Some(size)) = (symbols.first(), given.as_int()) else { continue };
        if *declared != Dim::symbol(symbol) {
            continue;
        }
        if let Some(other) = sizes.insert(symbol.to_string(), size).filter(|&other| other != size) {
            let reason = format!("the dimension {symbol} would be {other} and, by the input \"{name}\", {size}");
            return Err(Error::new(reason));
        }
    }
    Ok(())
}

fn declared_input(graph: &Graph<'_>, scope: &str, id: TensorId, sizes: &FxHashMap<String, i64>) -> Value {
    match graph.tensors[id.index()].source {
        Source::Input(declared) if scope.is_empty() => typed(declared, graph.name(id), sizes),
        Source::Input(declared) => typed(declared, &format!("{scope}{}", graph.name(id)), sizes),
        _ => Value::Unknown,
    }
}

/// Types one graph. `outer` is the enclosing graph's state, for the tensors that a body captures.
fn run<'g>(
    graph: &'g Graph<'g>,
    scope: String,
    inputs: Vec<Value>,
    outer: Option<(&[Value], &[bool])>,
    context: &Context<'_>,
) -> Result<Typed<'g>> {
    let count = graph.tensors.len();
    let mut typed = Typed {
        graph,
        scope,
        values: Vec::with_capacity(count),
        constant: Vec::with_capacity(count),
        nodes: Vec::new(),
    };
    for tensor in &graph.tensors {
        let (value, constant) = match tensor.source {
            Source::Initializer(proto) => (Tensor::of_proto(proto).into(), true),
            Source::Sparse(proto) => (sparse(proto), true),
            Source::Outer(id) => {
                outer.map_or((Value::Unknown, false), |(values, flags)| (values[id.index()].clone(), flags[id.index()]))
            }
            Source::Input(_) | Source::Node(_) => (Value::Unknown, false),
        };
        if let Some(reason) = value.as_tensor().and_then(impossible) {
            return Err(Error::new(format!("the tensor \"{}\" {reason}", tensor.name)));
        }
        typed.values.push(value);
        typed.constant.push(constant);
    }
    for (&id, value) in graph.inputs.iter().zip(inputs) {
        if let Some(reason) = value.as_tensor().and_then(impossible) {
            return Err(Error::new(format!("the input \"{}\" {reason}", graph.name(id))));
        }
        typed.values[id.index()] = value;
    }
    typed.nodes.reserve(graph.nodes.len());
    for node in &graph.nodes {
        let facts = type_node(node, &mut typed, context).map_err(|error| error.at_node(&node.name, node.op_type))?;
        typed.nodes.push(facts);
    }
    Ok(typed)
}

fn sparse(proto: &crate::onnx::SparseTensorProto) -> Value {
    let dtype = proto.values.as_ref().map_or(DType::Undefined, |values| DType::from_code(values.data_type));
    Tensor::new(dtype, proto.dims.iter().map(|&dim| Dim::from(dim)).collect()).into()
}

/// A size of this value, or an element of its contents, is a formula.
fn is_symbolic(value: &Value) -> bool {
    let Some(tensor) = value.as_tensor() else { return false };
    let formula = |dim: &Dim| dim.as_int().is_none();
    let inside = |scalar: &Scalar| scalar.formula().is_some_and(formula);
    tensor.shape.iter().flatten().any(formula) || tensor.scalars().is_some_and(|list| list.iter().any(inside))
}

/// Why a tensor cannot be: a size that is negative or overflows. The product of formulas may be too long to hold.
fn impossible(tensor: &Tensor) -> Option<String> {
    let shape = tensor.shape.as_ref()?;
    if shape.len() > RANK_LIMIT {
        return Some(format!("has more than {RANK_LIMIT} dimensions, which nothing can run"));
    }
    let numbers = || shape.iter().all(|dim| dim.as_int().is_some());
    let overflows = || shape.iter().any(Dim::is_undefined) || numbers() && shape.iter().product::<Dim>().is_undefined();
    if shape.iter().any(|dim| dim.as_int().is_some_and(|size| size < 0)) {
        let sizes: Vec<_> = shape.iter().map(Dim::to_string).collect();
        return Some(format!("would have the impossible shape {}", sizes.join("×")));
    }
    overflows().then(|| "has more elements than 64-bit integers can count".to_string())
}

fn type_node<'g>(node: &'g Node<'g>, typed: &mut Typed<'g>, context: &Context<'_>) -> Result<TypedNode<'g>> {
    let op = ops::find(node.domain, node.op_type);
    let constant = node.reads().all(|id| typed.constant[id.index()]);
    let mut facts =
        TypedNode { op, folded: op.is_some_and(|op| op.shape_only || constant && !op.random), ..TypedNode::default() };
    let effort = node.reads().map(|id| typed.value(id).effort()).sum();
    let outputs = match op {
        Some(op) if context.affords(effort) => call(op, node, typed, context, &mut facts),
        _ => Err(Stop::Unknown),
    };
    let mut outputs = match outputs {
        Ok(outputs) => outputs,
        Err(Stop::Invalid(reason)) => return Err(Error::new(reason)),
        Err(Stop::Unknown) => {
            facts.unknown = true;
            Vec::new()
        }
    };
    outputs.resize(node.outputs.len(), Value::Unknown);
    for (id, mut value) in node.outputs.iter().zip(outputs) {
        let Some(id) = id else { continue };
        if let Value::Tensor(tensor) = &mut value
            && tensor.shape.iter().flatten().any(Dim::is_undefined)
            && node.inputs.iter().flatten().any(|input| is_symbolic(&typed.values[input.index()]))
        {
            // A formula too long to hold: at given sizes it is a number.
            tensor.shape = None;
            facts.unknown = true;
        }
        if let Some(reason) = value.as_tensor().and_then(impossible) {
            return Err(Error::new(format!("its output \"{}\" {reason}", typed.graph.name(*id))));
        }
        if matches!(value, Value::Unknown) {
            value = context.declared(typed.graph.name(*id));
        }
        if !context.affords(value.effort()) {
            value = Value::Unknown;
        }
        typed.values[id.index()] = value;
        typed.constant[id.index()] = facts.folded;
    }
    Ok(facts)
}

fn call<'g>(
    op: &'static Op,
    node: &'g Node<'g>,
    typed: &Typed<'g>,
    context: &Context<'_>,
    facts: &mut TypedNode<'g>,
) -> ops::Result<Vec<Value>> {
    let mut inputs: Vec<Option<&Value>> = Vec::with_capacity(node.inputs.len());
    inputs.extend(node.inputs.iter().map(|id| id.map(|id| typed.value(id))));
    let name = typed.call_name(node);
    let call = Call {
        name: &name,
        opset: node.opset,
        attributes: &node.attributes,
        inputs: &inputs,
        outputs: node.outputs.len(),
        sizes: context.sizes,
    };
    facts.view = op.is_view(&call);
    match op.infer {
        Infer::Plain(infer) => infer(&call),
        Infer::Control(infer) => {
            let mut runner = Runner { node, typed, context, iteration: None, last: None, accounted: Vec::new() };
            let outputs = infer(&call, &mut runner)?;
            facts.bodies = runner.accounted;
            Ok(outputs)
        }
    }
}

/// Runs the bodies of one node.
struct Runner<'r, 'g, 'c> {
    node: &'g Node<'g>,
    typed: &'r Typed<'g>,
    context: &'r Context<'c>,
    iteration: Option<i64>,
    last: Option<(&'g str, Typed<'g>)>,
    accounted: Vec<(&'g str, Typed<'g>, Times)>,
}

impl<'g> Runner<'_, 'g, '_> {
    fn body(&self, attribute: &str) -> ops::Result<(&'g str, &'g Graph<'g>)> {
        let body = self.node.bodies.iter().find(|body| body.attribute == attribute);
        let missing = || Stop::Invalid(format!("the body `{attribute}` is missing"));
        body.map(|body| (body.attribute, &body.graph)).ok_or_else(missing)
    }
}

impl Bodies for Runner<'_, '_, '_> {
    fn inputs(&self, attribute: &str) -> ops::Result<usize> {
        Ok(self.body(attribute)?.1.inputs.len())
    }

    fn run(&mut self, attribute: &str, inputs: Vec<Value>) -> ops::Result<Vec<Value>> {
        let (name, graph) = self.body(attribute)?;
        if graph.inputs.len() != inputs.len() {
            let (wanted, given) = (graph.inputs.len(), inputs.len());
            return Err(Stop::Invalid(format!("the body `{attribute}` has {wanted} inputs, it is given {given}")));
        }
        let captured = self.node.captures.iter().map(|&id| self.typed.value(id).effort()).sum::<u64>();
        let work = NODE_WORK * (graph.nodes.len() + graph.tensors.len()) as u64 + captured + FREE_WORK + 1;
        if !self.context.affords(work) {
            return Err(Stop::Unknown);
        }
        let sizes = self.context.sizes;
        let mut scope = format!("{}/{name}/", self.typed.call_name(self.node));
        if let Some(iteration) = self.iteration {
            scope += &format!("{iteration}/");
        }
        let inputs = graph.inputs.iter().zip(inputs).map(|(&id, value)| match value {
            // What the node does not know of an input, the body may declare.
            Value::Unknown => declared_input(graph, &scope, id, sizes),
            // Exporters declare the iteration number and the condition as scalars or as [1]; runtimes follow.
            Value::Tensor(tensor) if tensor.shape.as_ref().is_some_and(Vec::is_empty) => {
                match declared_input(graph, &scope, id, sizes) {
                    Value::Tensor(Tensor { shape: Some(shape), .. }) if shape == [Dim::ONE] => {
                        Value::Tensor(Tensor { shape: Some(shape), ..tensor })
                    }
                    _ => Value::Tensor(tensor),
                }
            }
            value => value,
        });
        let outer = Some((&self.typed.values[..], &self.typed.constant[..]));
        let inputs = inputs.collect();
        let ran = run(graph, scope, inputs, outer, self.context).map_err(|error| Stop::Invalid(error.to_string()))?;
        let outputs = graph.outputs.iter().map(|&id| ran.value(id).clone()).collect();
        self.last = Some((name, ran));
        Ok(outputs)
    }

    fn iteration(&mut self, number: Option<i64>) {
        self.iteration = number;
    }

    fn leaves_open(&self) -> bool {
        let Some((_, ran)) = &self.last else { return false };
        let mut known = BTreeSet::new();
        for (value, tensor) in ran.values.iter().zip(&ran.graph.tensors) {
            if !matches!(tensor.source, Source::Node(_)) {
                data_symbols(value, &mut known);
            }
        }
        let mut made = BTreeSet::new();
        let mut outputs = ran.graph.nodes.iter().flat_map(|node| node.outputs.iter().flatten());
        !outputs.all(|&id| data_symbols(ran.value(id), &mut made)) || !made.is_subset(&known)
    }

    fn times(&mut self, attribute: &str, times: Times) {
        if let Some((name, ran)) = self.last.take_if(|(name, _)| *name == attribute) {
            self.accounted.push((name, ran, times));
        }
    }

    fn start_over(&mut self) {
        self.last = None;
        self.accounted.clear();
    }
}

/// Adds the symbols of the sizes that only the data decide; whether the shapes of all tensors held are known.
fn data_symbols(value: &Value, into: &mut BTreeSet<Arc<str>>) -> bool {
    let Some(tensors) = value.tensors() else { return false };
    for tensor in &tensors {
        tensor.shape.iter().flatten().for_each(|dim| dim.data_symbols(into));
    }
    tensors.iter().all(|tensor| tensor.shape.is_some())
}
