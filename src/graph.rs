//! The graph: operator calls as nodes and tensors as edges of a petgraph DAG, local functions inlined, bodies nested.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::LazyLock;

use bytes::Bytes;
use petgraph::graph::{DiGraph, NodeIndex};
use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};

use crate::attributes::Attributes;
use crate::error::{Error, Result};
use crate::onnx::{
    AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto, TypeProto,
    metadata,
};

/// The most nodes and tensors that inlining functions may make, a long name counted as several.
const INLINED_LIMIT: usize = 250_000;

/// The longest name of a node or tensor, in bytes, with the calls of functions that hold it.
const NAME_LIMIT: usize = 1 << 14;

/// How deep functions may call functions, and bodies hold bodies.
const DEPTH_LIMIT: usize = 64;

/// Index of a tensor in [`Graph::tensors`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TensorId(pub u32);

impl TensorId {
    /// The index as a `usize`.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A vertex of the DAG.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Vertex {
    /// A graph input.
    Input(TensorId),
    /// The node at this index of [`Graph::nodes`].
    Node(usize),
    /// A graph output.
    Output(TensorId),
}

/// Where a tensor comes from.
#[derive(Clone, Copy, Debug)]
pub enum Source<'m> {
    /// An input of the graph; its declared type where there is one.
    Input(Option<&'m TypeProto>),
    /// A stored tensor.
    Initializer(&'m TensorProto),
    /// A stored sparse tensor.
    Sparse(&'m SparseTensorProto),
    /// The node at this index of [`Graph::nodes`].
    Node(usize),
    /// A tensor of the enclosing graph.
    Outer(TensorId),
}

/// A tensor's name and origin.
#[derive(Clone, Debug)]
pub struct Edge<'m> {
    /// Name in the file; inside an inlined function with the call's name before it.
    pub name: Cow<'m, str>,
    /// Where it comes from.
    pub source: Source<'m>,
}

/// A body of a control-flow node.
#[derive(Debug)]
pub struct Body<'m> {
    /// The attribute that holds it: `then_branch`, `body`.
    pub attribute: &'m str,
    /// The body itself.
    pub graph: Graph<'m>,
}

/// An operator call.
#[derive(Debug)]
pub struct Node<'m> {
    /// Name in the file, or `OpType_index` where it has none; inside an inlined function with the call's name before it.
    pub name: Cow<'m, str>,
    /// Operator type.
    pub op_type: &'m str,
    /// Operator domain, empty for ONNX's own.
    pub domain: &'m str,
    /// Version of the domain that the model imports.
    pub opset: i64,
    /// What the exporter recorded of the node, undecoded.
    pub metadata: &'m [Bytes],
    /// Inputs by position, `None` where an optional one is left out.
    pub inputs: Vec<Option<TensorId>>,
    /// Outputs by position, `None` where one is not asked for.
    pub outputs: Vec<Option<TensorId>>,
    /// Attributes.
    pub attributes: Attributes<'m>,
    /// Bodies, in the attributes' order.
    pub bodies: Vec<Body<'m>>,
    /// Tensors of this graph that the bodies read beside the node's inputs.
    pub captures: Vec<TensorId>,
    /// The first output of the call that the file's graph has in its place, where it stands in a function.
    pub part_of: Option<TensorId>,
}

impl Node<'_> {
    /// Module path of the node in the model's source, as the exporter recorded it; may be empty.
    pub fn scope(&self) -> String {
        module_path(self.metadata, &self.name)
    }

    /// All tensors that the node reads: inputs, then what its bodies capture.
    pub fn reads(&self) -> impl Iterator<Item = TensorId> + '_ {
        self.inputs.iter().flatten().chain(&self.captures).copied()
    }
}

/// A model's graph or a control-flow body.
#[derive(Debug, Default)]
pub struct Graph<'m> {
    /// Operator calls in the order they run: the file's order where that is one, else a topological order.
    pub nodes: Vec<Node<'m>>,
    /// All tensors.
    pub tensors: Vec<Edge<'m>>,
    /// Inputs in order, without those that an initializer gives a value.
    pub inputs: Vec<TensorId>,
    /// Outputs in order.
    pub outputs: Vec<TensorId>,
    /// Nodes, inputs and outputs as vertices, an edge for every read of a tensor.
    pub dag: DiGraph<Vertex, TensorId>,
}

impl<'m> Graph<'m> {
    /// Builds the model's graph. Errors name the node: a tensor that nothing produces, one produced twice, a cycle, a
    /// function that calls itself, more nodes than can be held.
    pub fn new(model: &'m ModelProto) -> Result<Graph<'m>> {
        let proto = model.graph.as_ref().ok_or_else(|| Error::new("the file holds no graph: is it an ONNX model?"))?;
        let mut functions: FxHashMap<_, Vec<&FunctionProto>> = FxHashMap::default();
        for function in &model.functions {
            functions.entry((domain(&function.domain), function.name.as_str())).or_default().push(function);
        }
        let opsets = model.opset_import.iter().map(|import| (domain(&import.domain), import.version)).collect();
        let mut builder = Builder { functions, scopes: Vec::new(), levels: Vec::new(), calls: Vec::new(), inlined: 0 };
        builder.graph(proto, None, &opsets, None)
    }

    /// The tensor's name.
    pub fn name(&self, id: TensorId) -> &str {
        &self.tensors[id.index()].name
    }
}

/// ONNX's own domain has two spellings.
fn domain(name: &str) -> &str {
    if name == "ai.onnx" { "" } else { name }
}

type Opsets<'m> = FxHashMap<&'m str, i64>;

/// One naming scope: a graph's, or a function body's.
struct Scope<'m> {
    level: usize,
    /// The scope whose tensors a body may capture; functions see none but their own.
    parent: Option<usize>,
    names: FxHashMap<&'m str, Option<TensorId>>,
}

struct Builder<'m> {
    functions: FxHashMap<(&'m str, &'m str), Vec<&'m FunctionProto>>,
    scopes: Vec<Scope<'m>>,
    /// The graphs under construction, outermost first.
    levels: Vec<Graph<'m>>,
    /// The functions being inlined, outermost first.
    calls: Vec<*const FunctionProto>,
    /// What inlining has made: nodes and tensors.
    inlined: usize,
}

/// The source of an output until its node is built; it stays where a function does not produce what it promises.
const NOT_YET: Source<'static> = Source::Node(usize::MAX);

static IDENTITY: LazyLock<NodeProto> =
    LazyLock::new(|| NodeProto { op_type: "Identity".to_string(), ..NodeProto::default() });

impl<'m> Builder<'m> {
    fn graph(
        &mut self,
        proto: &'m GraphProto,
        parent: Option<usize>,
        opsets: &Opsets<'m>,
        attributes: Option<Bindings<'m, '_>>,
    ) -> Result<Graph<'m>> {
        let level = self.levels.len();
        if level >= DEPTH_LIMIT {
            return Err(Error::new(format!("bodies are nested deeper than {DEPTH_LIMIT}")));
        }
        let tensors = proto.initializer.len() + proto.input.len() + proto.node.len();
        self.levels.push(Graph {
            nodes: Vec::with_capacity(proto.node.len()),
            tensors: Vec::with_capacity(tensors),
            ..Graph::default()
        });
        let names = FxHashMap::with_capacity_and_hasher(tensors, FxBuildHasher);
        self.scopes.push(Scope { level, parent, names });
        let scope = self.scopes.len() - 1;
        for tensor in &proto.initializer {
            self.define(scope, &tensor.name, Source::Initializer(tensor), "")?;
        }
        for sparse in &proto.sparse_initializer {
            let name = sparse.values.as_ref().map_or("", |values| values.name.as_str());
            self.define(scope, name, Source::Sparse(sparse), "")?;
        }
        for input in &proto.input {
            // Until IR version 4 initializers had to be listed as inputs, too: those have their value.
            let known = self.scopes[scope].names.get(input.name.as_str()).copied().flatten();
            let stored =
                known.is_some_and(|id| !matches!(self.levels[level].tensors[id.index()].source, Source::Input(_)));
            if !stored {
                let id = self.define(scope, &input.name, Source::Input(input.r#type.as_ref()), "")?;
                self.levels[level].inputs.push(id);
            }
        }
        self.nodes(
            &proto.node,
            scope,
            opsets,
            &Region { prefix: String::new(), attributes, inlined: false, part_of: None },
        )?;
        for output in &proto.output {
            let id = self.resolve(scope, &output.name)?.flatten();
            let id = id.ok_or_else(|| Error::new(format!("nothing produces the graph output \"{}\"", output.name)))?;
            self.levels[level].outputs.push(id);
        }
        self.scopes.pop();
        let graph = self.levels.pop().unwrap_or_default();
        finish(graph)
    }

    /// Notes a node or tensor of this name.
    fn grow(&mut self, name: &str) -> Result<()> {
        if name.len() > NAME_LIMIT {
            let start: String = name.chars().take(64).collect();
            return Err(Error::new(format!("the name \"{start}…\" is longer than {NAME_LIMIT} bytes: shorten it")));
        }
        if !self.calls.is_empty() {
            // Outside functions there are no more than the file holds.
            self.inlined += 1 + name.len() / 64;
        }
        match self.inlined <= INLINED_LIMIT {
            true => Ok(()),
            false => Err(Error::new(format!(
                "its functions call functions so often that inlining them makes more than {INLINED_LIMIT} nodes and tensors"
            ))),
        }
    }

    fn define(&mut self, scope: usize, name: &'m str, source: Source<'m>, prefix: &str) -> Result<TensorId> {
        let label = if prefix.is_empty() { Cow::Borrowed(name) } else { Cow::Owned(format!("{prefix}{name}")) };
        self.grow(&label)?;
        let tensors = &mut self.levels[self.scopes[scope].level].tensors;
        let id = TensorId(tensors.len() as u32);
        tensors.push(Edge { name: label, source });
        match self.scopes[scope].names.insert(name, Some(id)) {
            None => Ok(id),
            Some(_) => Err(Error::new(format!("two producers of the tensor \"{name}\": names must be unique"))),
        }
    }

    /// The tensor of this name as seen from `scope`: `None` where there is none, `Some(None)` for a function's input
    /// that the call leaves out.
    #[allow(clippy::option_option)]
    fn resolve(&mut self, scope: usize, name: &'m str) -> Result<Option<Option<TensorId>>> {
        if let Some(&known) = self.scopes[scope].names.get(name) {
            return Ok(Some(known));
        }
        let Some(parent) = self.scopes[scope].parent else { return Ok(None) };
        match self.resolve(parent, name)? {
            Some(Some(outer)) => self.define(scope, name, Source::Outer(outer), "").map(|id| Some(Some(id))),
            other => Ok(other),
        }
    }

    fn nodes(
        &mut self,
        nodes: &'m [NodeProto],
        scope: usize,
        opsets: &Opsets<'m>,
        region: &Region<'m, '_>,
    ) -> Result<()> {
        let level = self.scopes[scope].level;
        for (index, proto) in nodes.iter().enumerate() {
            for output in proto.output.iter().filter(|name| !name.is_empty()) {
                // A function's outputs are named by its call.
                if region.inlined && self.scopes[scope].names.contains_key(output.as_str()) {
                    continue;
                }
                self.define(scope, output, NOT_YET, &region.prefix)
                    .map_err(|error| error.at_node(&label(proto, index), &proto.op_type))?;
            }
        }
        for (index, proto) in nodes.iter().enumerate() {
            let name = match label(proto, index) {
                name if region.prefix.is_empty() => name,
                name => Cow::Owned(format!("{}{name}", region.prefix)),
            };
            let shown = name.clone();
            self.node(proto, name, scope, level, opsets, region)
                .map_err(|error| error.at_node(&shown, &proto.op_type))?;
        }
        Ok(())
    }

    fn node(
        &mut self,
        proto: &'m NodeProto,
        name: Cow<'m, str>,
        scope: usize,
        level: usize,
        opsets: &Opsets<'m>,
        region: &Region<'m, '_>,
    ) -> Result<()> {
        let mut inputs = Vec::with_capacity(proto.input.len());
        for input in &proto.input {
            inputs.push(match input.is_empty() {
                true => None,
                false => self
                    .resolve(scope, input)?
                    .ok_or_else(|| Error::new(format!("nothing produces its input \"{input}\"")))?,
            });
        }
        let names = &self.scopes[scope].names;
        let outputs: Vec<_> = proto.output.iter().map(|output| names.get(output.as_str()).copied().flatten()).collect();
        let attributes = region.bind(&proto.attribute);
        let key = (domain(&proto.domain), proto.op_type.as_str());
        let called = self.functions.get(&key).and_then(|overloads| {
            overloads
                .iter()
                .copied()
                .find(|candidate| candidate.overload == proto.overload)
                .or(overloads.first().copied())
        });
        self.grow(&name)?;
        if let Some(called) = called {
            let body = Region {
                prefix: format!("{name}/"),
                attributes: Some((&attributes, &called.attribute_proto)),
                inlined: true,
                part_of: region.part_of.or_else(|| outputs.iter().flatten().next().copied()),
            };
            return self.call(called, &name, &inputs, &outputs, level, &body);
        }
        let mut bodies = Vec::new();
        if proto.attribute.iter().any(|attribute| attribute.g.is_some()) {
            for (attribute, body) in proto.attribute.iter().filter_map(|a| Some((a.name.as_str(), a.g.as_deref()?))) {
                let graph = self.graph(body, Some(scope), opsets, region.attributes)?;
                bodies.push(Body { attribute, graph });
            }
        }
        let mut captures: Vec<TensorId> = bodies.iter().flat_map(|body| captured(&body.graph)).collect();
        captures.sort_unstable();
        captures.dedup();
        let index = self.levels[level].nodes.len();
        for id in outputs.iter().flatten() {
            self.levels[level].tensors[id.index()].source = Source::Node(index);
        }
        self.levels[level].nodes.push(Node {
            name,
            op_type: &proto.op_type,
            domain: key.0,
            opset: opsets.get(key.0).copied().unwrap_or(1),
            metadata: &proto.metadata_props,
            inputs,
            outputs,
            attributes,
            bodies,
            captures,
            part_of: region.part_of,
        });
        Ok(())
    }

    /// Inlines a function: its nodes join the caller's graph under the call's name.
    fn call(
        &mut self,
        called: &'m FunctionProto,
        name: &str,
        inputs: &[Option<TensorId>],
        outputs: &[Option<TensorId>],
        level: usize,
        body: &Region<'m, '_>,
    ) -> Result<()> {
        if self.calls.contains(&std::ptr::from_ref(called)) {
            return Err(Error::new(format!("the function \"{}\" calls itself", called.name)));
        }
        if self.calls.len() >= DEPTH_LIMIT {
            return Err(Error::new(format!("functions call functions deeper than {DEPTH_LIMIT}")));
        }
        let mut names: FxHashMap<&str, Option<TensorId>> = FxHashMap::default();
        for (index, formal) in called.input.iter().enumerate() {
            names.insert(formal, inputs.get(index).copied().flatten());
        }
        let mut passed = Vec::new();
        for (formal, &actual) in called.output.iter().zip(outputs) {
            match (names.get(formal.as_str()).copied(), actual) {
                // The function hands an input through: the call's output is a copy of it.
                (Some(Some(input)), Some(output)) => passed.push((input, output)),
                _ if actual.is_some() => drop(names.insert(formal, actual)),
                _ => {}
            }
        }
        let opsets = called.opset_import.iter().map(|import| (domain(&import.domain), import.version)).collect();
        self.scopes.push(Scope { level, parent: None, names });
        self.calls.push(called);
        let scope = self.scopes.len() - 1;
        self.nodes(&called.node, scope, &opsets, body)?;
        for (input, output) in passed {
            let index = self.levels[level].nodes.len();
            self.levels[level].tensors[output.index()].source = Source::Node(index);
            self.levels[level].nodes.push(Node {
                name: Cow::Owned(name.to_string()),
                op_type: &IDENTITY.op_type,
                domain: "",
                opset: 1,
                metadata: &[],
                inputs: vec![Some(input)],
                outputs: vec![Some(output)],
                attributes: Attributes::default(),
                bodies: Vec::new(),
                captures: Vec::new(),
                part_of: body.part_of,
            });
        }
        self.calls.pop();
        self.scopes.pop();
        Ok(())
    }
}

/// A call's attributes and its function's defaults.
type Bindings<'m, 'c> = (&'c Attributes<'m>, &'m [AttributeProto]);

/// What the nodes of a graph, or of an inlined function, are built under.
struct Region<'m, 'c> {
    /// Put before the names of nodes and tensors.
    prefix: String,
    /// Inside a function, its bodies included: what references to attributes stand for.
    attributes: Option<Bindings<'m, 'c>>,
    /// The nodes are a function's own: its outputs have their names from the call.
    inlined: bool,
    /// The first output of the outermost call of this graph.
    part_of: Option<TensorId>,
}

impl<'m> Region<'m, '_> {
    /// A node's attributes with references to the function's attributes replaced by their values.
    fn bind(&self, own: &'m [AttributeProto]) -> Attributes<'m> {
        match self.attributes {
            Some((actual, defaults)) => Attributes::bind(own, actual, defaults),
            None => Attributes::of(own),
        }
    }
}

fn label(proto: &NodeProto, index: usize) -> Cow<'_, str> {
    if proto.name.is_empty() { Cow::Owned(format!("{}_{index}", proto.op_type)) } else { Cow::Borrowed(&proto.name) }
}

/// The tensors of the enclosing graph that a body reads.
fn captured<'g>(body: &'g Graph<'_>) -> impl Iterator<Item = TensorId> + 'g {
    body.tensors.iter().filter_map(|tensor| match tensor.source {
        Source::Outer(id) => Some(id),
        _ => None,
    })
}

/// The module path that the exporter left: torch.export's name scopes, or the node name's own path.
///
/// TorchScript's node names repeat a container's name in its children (`/features/features.1/block/block.0/Conv`);
/// here each module is named once, as torch names it: `features.1.block.0`.
fn module_path(entries: &[Bytes], name: &str) -> String {
    if let Some(list) = metadata(entries, "pkg.torch.onnx.name_scopes") {
        // Quoted names, the node's own last.
        return list.rsplit('\'').skip(1).step_by(2).nth(1).unwrap_or_default().to_string();
    }
    let Some((path, _)) = name.rsplit_once('/') else { return String::new() };
    let Some(path) = path.strip_prefix('/') else { return path.to_string() };
    let (mut full, mut last) = (String::with_capacity(path.len()), "");
    for part in path.split('/') {
        match part.strip_prefix(last).filter(|rest| !last.is_empty() && rest.starts_with('.')) {
            Some(rest) => full.push_str(rest),
            None => {
                if !full.is_empty() {
                    full.push('.');
                }
                full.push_str(part);
            }
        }
        last = part;
    }
    full
}

/// Puts the nodes in an order in which they can run and builds the DAG.
fn finish(mut graph: Graph<'_>) -> Result<Graph<'_>> {
    name_apart(&mut graph);
    let producer = |graph: &Graph<'_>, id: TensorId| match graph.tensors[id.index()].source {
        Source::Node(index) => Some(index),
        _ => None,
    };
    for node in &graph.nodes {
        if let Some(id) = node.reads().find(|&id| producer(&graph, id) == Some(usize::MAX)) {
            let reason = format!("nothing produces its input \"{}\"", graph.name(id));
            return Err(Error::new(reason).at_node(&node.name, node.op_type));
        }
    }
    if let Some(&id) = graph.outputs.iter().find(|&&id| producer(&graph, id) == Some(usize::MAX)) {
        return Err(Error::new(format!("nothing produces the graph output \"{}\"", graph.name(id))));
    }
    let ordered = graph
        .nodes
        .iter()
        .enumerate()
        .all(|(index, node)| node.reads().all(|id| producer(&graph, id).is_none_or(|producer| producer < index)));
    if !ordered {
        reorder(&mut graph)?;
    }
    let edges = graph.nodes.iter().map(|node| node.inputs.len()).sum::<usize>() + graph.outputs.len();
    let mut dag = DiGraph::with_capacity(graph.nodes.len() + graph.inputs.len() + graph.outputs.len(), edges);
    for index in 0..graph.nodes.len() {
        dag.add_node(Vertex::Node(index));
    }
    let mut inputs = FxHashMap::default();
    for &id in &graph.inputs {
        inputs.insert(id, dag.add_node(Vertex::Input(id)));
    }
    let from =
        |graph: &Graph<'_>, id: TensorId| producer(graph, id).map(NodeIndex::new).or_else(|| inputs.get(&id).copied());
    for (index, node) in graph.nodes.iter().enumerate() {
        for id in node.reads() {
            if let Some(source) = from(&graph, id) {
                dag.add_edge(source, NodeIndex::new(index), id);
            }
        }
    }
    for &id in &graph.outputs {
        let output = dag.add_node(Vertex::Output(id));
        if let Some(source) = from(&graph, id) {
            dag.add_edge(source, output, id);
        }
    }
    graph.dag = dag;
    Ok(graph)
}

/// Names of nodes are to be unique; where a file has one twice, or gives a node the name that another has by its place,
/// the later node's gets a number.
fn name_apart(graph: &mut Graph<'_>) {
    let mut taken = FxHashSet::with_capacity_and_hasher(graph.nodes.len(), FxBuildHasher);
    let mut again = Vec::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        if !taken.insert(&*node.name) {
            again.push(index);
        }
    }
    if again.is_empty() {
        return;
    }
    let mut taken: FxHashSet<String> = taken.into_iter().map(str::to_string).collect();
    let mut next: FxHashMap<String, usize> = FxHashMap::default();
    for index in again {
        let node = &mut graph.nodes[index];
        let number = next.entry(node.name.to_string()).or_insert(2);
        while !taken.insert(format!("{}_{number}", node.name)) {
            *number += 1;
        }
        node.name = Cow::Owned(format!("{}_{number}", node.name));
    }
}

/// A stable topological order: among the nodes that can run, the first in the file runs first.
fn reorder(graph: &mut Graph<'_>) -> Result<()> {
    let count = graph.nodes.len();
    let mut waiting = vec![0usize; count];
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (index, node) in graph.nodes.iter().enumerate() {
        for id in node.reads() {
            if let Source::Node(producer) = graph.tensors[id.index()].source {
                readers[producer].push(index);
                waiting[index] += 1;
            }
        }
    }
    let mut ready: BinaryHeap<Reverse<usize>> = (0..count).filter(|&index| waiting[index] == 0).map(Reverse).collect();
    let mut order = Vec::with_capacity(count);
    while let Some(Reverse(index)) = ready.pop() {
        order.push(index);
        for &reader in &readers[index] {
            waiting[reader] -= 1;
            if waiting[reader] == 0 {
                ready.push(Reverse(reader));
            }
        }
    }
    if let Some(stuck) = (0..count).find(|&index| waiting[index] > 0 && order.len() < count) {
        let node = &graph.nodes[stuck];
        return Err(Error::new("it depends on its own output: the graph has a cycle").at_node(&node.name, node.op_type));
    }
    let mut place = vec![0usize; count];
    for (new, &old) in order.iter().enumerate() {
        place[old] = new;
    }
    let mut nodes: Vec<_> = std::mem::take(&mut graph.nodes).into_iter().map(Some).collect();
    graph.nodes = order.iter().filter_map(|&old| nodes[old].take()).collect();
    for tensor in &mut graph.tensors {
        if let Source::Node(index) = &mut tensor.source {
            *index = place.get(*index).copied().unwrap_or(*index);
        }
    }
    Ok(())
}
