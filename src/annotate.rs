//! A copy of a model with shapes and costs written into it, for viewers: weights are copied byte by byte, never decoded.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;

use prost::Message;
use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint, skip_field};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::cost::{Counts, Coverage, METRICS, Row};
use crate::dim::Dim;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::onnx::{
    DimensionProto, DimensionValue, StringStringEntryProto, TensorShapeProto, TensorTypeProto, TypeProto,
    ValueInfoProto,
};
use crate::report::{Report, TensorInfo};
use crate::tensor::DType;

/// Field numbers of onnx.proto.
mod field {
    /// `ModelProto.graph`.
    pub(super) const GRAPH: u32 = 7;
    /// `ModelProto.metadata_props`.
    pub(super) const MODEL_PROPS: u32 = 14;
    /// `GraphProto.node`.
    pub(super) const NODE: u32 = 1;
    /// `GraphProto.value_info`.
    pub(super) const VALUE_INFO: u32 = 13;
    /// `GraphProto.output`.
    pub(super) const GRAPH_OUTPUT: u32 = 12;
    /// `ValueInfoProto.name` and `AttributeProto.name`.
    pub(super) const NAME: u32 = 1;
    /// `ValueInfoProto.type`.
    pub(super) const TYPE: u32 = 2;
    /// `TypeProto.tensor_type`.
    pub(super) const TENSOR_TYPE: u32 = 1;
    /// `TypeProto.denotation`.
    pub(super) const TYPE_DENOTATION: u32 = 6;
    /// `TypeProto.Tensor.shape`.
    pub(super) const SHAPE: u32 = 2;
    /// `TensorShapeProto.dim`.
    pub(super) const DIM: u32 = 1;
    /// `TensorShapeProto.Dimension.denotation`.
    pub(super) const DIM_DENOTATION: u32 = 3;
    /// `NodeProto.attribute`.
    pub(super) const ATTRIBUTE: u32 = 5;
    /// `AttributeProto.g`.
    pub(super) const ATTRIBUTE_GRAPH: u32 = 6;
    /// `NodeProto.output`.
    pub(super) const OUTPUT: u32 = 2;
    /// `NodeProto.op_type`.
    pub(super) const OP_TYPE: u32 = 4;
    /// `NodeProto.metadata_props`.
    pub(super) const NODE_PROPS: u32 = 9;
}

/// What stands before the keys that lwstat writes.
const PREFIX: &str = "lwstat.";

/// One field of an encoded message.
struct Field<'b> {
    number: u32,
    /// Key, length and payload.
    whole: &'b [u8],
    /// The payload alone, where it has a length.
    payload: &'b [u8],
}

/// The fields of an encoded message in their order. An error where it is none.
fn fields(mut rest: &[u8]) -> Result<Vec<Field<'_>>> {
    let mut fields = Vec::new();
    let broken = |error: prost::DecodeError| Error::new(format!("it is no ONNX model: {error}"));
    while !rest.is_empty() {
        let start = rest;
        let (number, wire) = decode_key(&mut rest).map_err(broken)?;
        let payload = match wire {
            WireType::LengthDelimited => {
                let length = decode_varint(&mut rest).map_err(broken)?;
                let length = usize::try_from(length).ok().filter(|length| *length <= rest.len());
                let (payload, after) =
                    rest.split_at(length.ok_or_else(|| Error::new("it is no ONNX model: a field is cut off"))?);
                rest = after;
                payload
            }
            _ => {
                skip_field(wire, number, &mut rest, prost::encoding::DecodeContext::default()).map_err(broken)?;
                &[]
            }
        };
        fields.push(Field { number, whole: &start[..start.len() - rest.len()], payload });
    }
    Ok(fields)
}

/// Parts of a message, old and new, in their order.
#[derive(Default)]
struct Parts<'b> {
    parts: Vec<std::borrow::Cow<'b, [u8]>>,
}

impl<'b> Parts<'b> {
    fn old(&mut self, bytes: &'b [u8]) {
        self.parts.push(bytes.into());
    }

    fn message(&mut self, number: u32, message: &impl Message) {
        let mut bytes = Vec::new();
        prost::encoding::message::encode(number, message, &mut bytes);
        self.parts.push(bytes.into());
    }

    /// Another message as a field of this one.
    fn nested(&mut self, number: u32, inner: Parts<'b>) {
        let mut head = Vec::new();
        encode_key(number, WireType::LengthDelimited, &mut head);
        encode_varint(inner.parts.iter().map(|part| part.len() as u64).sum(), &mut head);
        self.parts.push(head.into());
        self.parts.extend(inner.parts);
    }

    fn property(&mut self, number: u32, key: &str, value: String) {
        self.message(number, &StringStringEntryProto { key: format!("{PREFIX}{key}"), value });
    }
}

/// Writes the model of this report with what the report says of it: tensors of the main graph and of bodies in `value_info`,
/// counts that are not 0 in the `metadata_props` of nodes and of the model, under keys such as `lwstat.macs`. A node in a body
/// has what its runs cost together, and a tensor that differs from run to run is left as it is declared. The call of a
/// function has what the function's nodes cost in it; functions are left as they are, for each of their calls may cost
/// something else. What an earlier run wrote is replaced, of a tensor that is
/// declared the type alone; every other byte is kept. Errors where the model was not read from one piece, or writing fails.
pub fn annotate(model: &Model, report: &Report, out: &mut dyn Write) -> Result<()> {
    let mut parts = Parts::default();
    let all = fields(&model.bytes).map_err(|error| error.in_file(&model.path))?;
    let last = all.iter().rposition(|of| of.number == field::GRAPH);
    let known = Known::of(report);
    let mut scope = Scope::default();
    for (at, of) in all.iter().enumerate() {
        match of.number {
            field::GRAPH => {
                let inner = graph(of.payload, &known, Some(at) == last, &mut scope);
                parts.nested(field::GRAPH, inner.map_err(|error| error.in_file(&model.path))?);
            }
            field::MODEL_PROPS if is_ours(of.payload) => {}
            _ => parts.old(of.whole),
        }
    }
    parts.property(field::MODEL_PROPS, "version", env!("CARGO_PKG_VERSION").to_string());
    for (metric, count) in METRICS.iter().zip(&report.totals.counts.0) {
        if let Some(count) = count {
            parts.property(field::MODEL_PROPS, metric.key, count.code());
        }
    }
    if let Some(peak) = report.totals.peak_activation_bytes {
        parts.property(field::MODEL_PROPS, "peak_activation_bytes", peak.to_string());
    }
    if !report.totals.at_least.is_empty() {
        parts.property(field::MODEL_PROPS, "at_least", report.totals.at_least.join(" "));
    }
    for part in &parts.parts {
        out.write_all(part).map_err(|error| Error::new(crate::model::sentence(&error)))?;
    }
    Ok(())
}

/// Whether a property is one that lwstat wrote.
fn is_ours(payload: &[u8]) -> bool {
    StringStringEntryProto::decode(payload).is_ok_and(|entry| entry.key.starts_with(PREFIX))
}

/// What the report says of tensors and nodes, by the names that tensors have in it: `loop/body/x` in a body.
struct Known<'r> {
    /// The account of the node whose first output this is.
    nodes: FxHashMap<&'r str, Node<'r>>,
    /// What the nodes of a function count together, by the first output of its call.
    calls: FxHashMap<&'r str, Sum>,
    tensors: FxHashMap<&'r str, &'r TensorInfo>,
}

/// What rows count together.
struct Sum {
    counts: Counts,
    coverage: Coverage,
}

impl Sum {
    fn of(row: &Row) -> Sum {
        Sum { counts: row.counts.clone(), coverage: row.coverage }
    }

    fn add(&mut self, row: &Row) {
        self.counts = self.counts.plus(&row.counts);
        self.coverage = self.coverage.max(row.coverage);
    }
}

/// What is known of a node: all its runs together.
struct Node<'r> {
    row: &'r Row,
    sum: Sum,
    /// It stands in a body that is accounted run by run.
    runs: bool,
}

impl<'r> Known<'r> {
    fn of(report: &'r Report) -> Known<'r> {
        let mut nodes: FxHashMap<&str, Node<'r>> = FxHashMap::default();
        let mut calls: FxHashMap<&str, Sum> = FxHashMap::default();
        for row in &report.nodes {
            if let Some(call) = row.part_of.as_deref().filter(|call| !call.is_empty()) {
                calls.entry(call).and_modify(|sum| sum.add(row)).or_insert_with(|| Sum::of(row));
            }
            let Some(first) = row.outputs.iter().find(|name| !name.is_empty()) else { continue };
            match nodes.get_mut(&**first) {
                None => {
                    nodes.insert(first, Node { row, sum: Sum::of(row), runs: false });
                }
                Some(node) if node.row.name == row.name => {
                    node.sum.add(row);
                    node.runs = true;
                }
                // A name that a tensor of a body has in the report may be another's in the file.
                Some(_) => {}
            }
        }
        let tensors = report.tensors.iter().map(|info| (&*info.tensor.name, info)).collect();
        Known { nodes, calls, tensors }
    }

    /// What a node of the file counts, by its first output and its operator: in a function's place its nodes are the account.
    fn sum(&self, first: &str, op_type: &[u8]) -> Option<&Sum> {
        let own = || self.nodes.get(first).filter(|node| node.row.op_type.as_bytes() == op_type).map(|node| &node.sum);
        self.calls.get(first).or_else(own)
    }
}

/// A graph that is written: the main one or a body, which may come in pieces.
#[derive(Default)]
struct Scope {
    /// What the report puts before its names.
    prefix: String,
    /// Names of the tensors that its nodes produce, as the file has them, in their order.
    produced: Vec<String>,
    /// Those that `value_info` does not have to say: outputs, and what is in it.
    declared: FxHashSet<String>,
    /// Some node of it is accounted run by run.
    runs: bool,
}

fn graph<'b>(bytes: &'b [u8], known: &Known<'_>, is_last: bool, scope: &mut Scope) -> Result<Parts<'b>> {
    let mut parts = Parts::default();
    let all = fields(bytes)?;
    for of in &all {
        match of.number {
            field::NODE => {
                let outputs = fields(of.payload)?.into_iter().filter(|of| of.number == field::OUTPUT);
                let names = outputs.filter_map(|of| std::str::from_utf8(of.payload).ok());
                for name in names.filter(|name| !name.is_empty()) {
                    let node = known.nodes.get(&*format!("{}{name}", scope.prefix));
                    scope.runs |= node.is_some_and(|node| node.runs);
                    scope.produced.push(name.to_string());
                }
            }
            field::GRAPH_OUTPUT => scope.declared.extend(name(of.payload)?),
            _ => {}
        }
    }
    let produced: FxHashSet<String> = scope.produced.iter().cloned().collect();
    let mut in_place = Vec::new();
    for of in all {
        match of.number {
            field::NODE => parts.nested(field::NODE, node(of.payload, known, &scope.prefix)?),
            field::VALUE_INFO => {
                // One that cannot be read is kept: nothing else reads it.
                let name = name(of.payload).ok().flatten().filter(|name| produced.contains(name));
                let of_type = name.as_deref().and_then(|name| shown(name, known, scope));
                match of_type.and_then(|of_type| declared(of.payload, &of_type).ok()) {
                    Some(merged) => parts.nested(field::VALUE_INFO, merged),
                    None => parts.old(of.whole),
                }
                in_place.extend(name);
            }
            _ => parts.old(of.whole),
        }
    }
    scope.declared.extend(in_place);
    if is_last {
        for name in std::mem::take(&mut scope.produced) {
            if let Some(tensor_type) = shown(&name, known, scope).filter(|_| scope.declared.insert(name.clone())) {
                let r#type = Some(TypeProto { tensor_type: Some(tensor_type), ..TypeProto::default() });
                parts.message(field::VALUE_INFO, &ValueInfoProto { name, r#type });
            }
        }
    }
    Ok(parts)
}

/// The name of a `ValueInfoProto`.
fn name(bytes: &[u8]) -> Result<Option<String>> {
    let name = fields(bytes)?.into_iter().rfind(|of| of.number == field::NAME);
    Ok(name.and_then(|of| std::str::from_utf8(of.payload).ok().map(str::to_string)))
}

/// The type of a tensor of the graph; `None` where it is not known, or may differ from run to run.
fn shown(name: &str, known: &Known<'_>, scope: &Scope) -> Option<TensorTypeProto> {
    let info = known.tensors.get(&*format!("{}{name}", scope.prefix));
    tensor_type(info.filter(|_| !scope.runs)?)
}

/// A `ValueInfoProto` with another type, in its place where there is one.
fn declared<'b>(bytes: &'b [u8], of_type: &TensorTypeProto) -> Result<Parts<'b>> {
    let mut parts = Parts::default();
    let all = fields(bytes)?;
    let last = all.iter().rposition(|of| of.number == field::TYPE);
    for (at, of) in all.iter().enumerate() {
        match of.number {
            field::TYPE if Some(at) == last => parts.nested(field::TYPE, typed(of.payload, of_type)?),
            field::TYPE => {}
            _ => parts.old(of.whole),
        }
    }
    if last.is_none() {
        parts.nested(field::TYPE, typed(&[], of_type)?);
    }
    Ok(parts)
}

/// A `TypeProto` of this tensor type: what the type and its dimensions denote is kept.
fn typed<'b>(bytes: &'b [u8], of_type: &TensorTypeProto) -> Result<Parts<'b>> {
    let (all, mut old_dims) = (fields(bytes)?, Vec::new());
    for of in all.iter().filter(|of| of.number == field::TENSOR_TYPE) {
        for shape in fields(of.payload)?.iter().filter(|of| of.number == field::SHAPE) {
            old_dims.extend(fields(shape.payload)?.into_iter().filter(|of| of.number == field::DIM));
        }
    }
    let dims = of_type.shape.iter().flat_map(|shape| &shape.dim);
    let same_rank = dims.clone().count() == old_dims.len();
    let mut shape = Parts::default();
    for (at, dim) in dims.enumerate() {
        let mut new = Parts::default();
        new.parts.push(dim.encode_to_vec().into());
        let old = old_dims.get(at).filter(|_| same_rank);
        let old = old.map(|old| fields(old.payload)).transpose()?;
        old.iter().flatten().filter(|of| of.number == field::DIM_DENOTATION).for_each(|of| new.old(of.whole));
        shape.nested(field::DIM, new);
    }
    let mut tensor = Parts::default();
    tensor.parts.push(TensorTypeProto { elem_type: of_type.elem_type, shape: None }.encode_to_vec().into());
    tensor.nested(field::SHAPE, shape);
    let mut parts = Parts::default();
    parts.nested(field::TENSOR_TYPE, tensor);
    all.iter().filter(|of| of.number == field::TYPE_DENOTATION).for_each(|of| parts.old(of.whole));
    Ok(parts)
}

fn node<'b>(bytes: &'b [u8], known: &Known<'_>, prefix: &str) -> Result<Parts<'b>> {
    let (mut first, mut op_type): (Option<&str>, &[u8]) = (None, &[]);
    let all = fields(bytes)?;
    for of in &all {
        match of.number {
            field::OUTPUT if first.is_none() => {
                first = std::str::from_utf8(of.payload).ok().filter(|name| !name.is_empty());
            }
            field::OP_TYPE => op_type = of.payload,
            _ => {}
        }
    }
    let first = first.map(|name| format!("{prefix}{name}"));
    let sum = first.as_deref().and_then(|name| known.sum(name, op_type));
    let account = first.as_deref().and_then(|name| known.nodes.get(name));
    let own = account.filter(|node| node.row.part_of.is_none() && sum.is_some());
    let mut parts = Parts::default();
    for of in all {
        match (of.number, own) {
            (field::NODE_PROPS, _) if is_ours(of.payload) => {}
            (field::ATTRIBUTE, Some(node)) => {
                parts.nested(field::ATTRIBUTE, attribute(of.payload, known, &node.row.name)?)
            }
            _ => parts.old(of.whole),
        }
    }
    let Some(sum) = sum else {
        // What the account does not reach is not folded: a branch that is never taken.
        let folded = account.is_none() && first.is_some_and(|name| known.tensors.contains_key(&*name));
        if folded {
            parts.property(field::NODE_PROPS, "folded", "true".to_string());
        }
        return Ok(parts);
    };
    for (metric, count) in METRICS.iter().zip(&sum.counts.0) {
        if let Some(count) = count.as_ref().filter(|count| **count != Dim::ZERO) {
            parts.property(field::NODE_PROPS, metric.key, count.code());
        }
    }
    if sum.coverage != Coverage::Exact {
        parts.property(field::NODE_PROPS, "coverage", format!("{:?}", sum.coverage).to_lowercase());
    }
    Ok(parts)
}

/// An attribute of the node of this name: of a body, its nodes and tensors.
fn attribute<'b>(bytes: &'b [u8], known: &Known<'_>, node: &str) -> Result<Parts<'b>> {
    let mut parts = Parts::default();
    let all = fields(bytes)?;
    let last = all.iter().rposition(|of| of.number == field::ATTRIBUTE_GRAPH);
    let name = name(bytes)?.unwrap_or_default();
    let mut scope = Scope { prefix: format!("{node}/{name}/"), ..Scope::default() };
    for (at, of) in all.iter().enumerate() {
        match of.number {
            field::ATTRIBUTE_GRAPH => {
                parts.nested(field::ATTRIBUTE_GRAPH, graph(of.payload, known, Some(at) == last, &mut scope)?);
            }
            _ => parts.old(of.whole),
        }
    }
    Ok(parts)
}

/// A tensor's dtype and shape; `None` where one of them is unknown.
fn tensor_type(info: &TensorInfo) -> Option<TensorTypeProto> {
    let elem_type = DType::named(info.tensor.dtype?)?.code();
    let dim = |dim: &Dim| DimensionProto {
        value: Some(match dim.as_int() {
            Some(size) => DimensionValue::Value(size),
            None => DimensionValue::Param(dim.code()),
        }),
    };
    let shape = TensorShapeProto { dim: info.tensor.shape.as_ref()?.iter().map(dim).collect() };
    Some(TensorTypeProto { elem_type, shape: Some(shape) })
}

/// Node data for Model Explorer, and what of a metric's counts is not in it.
pub struct NodeData {
    /// The document.
    pub json: serde_json::Value,
    /// Nodes that have a number in it.
    pub shown: usize,
    /// Nodes whose count is a formula.
    pub formulas: usize,
    /// The dimensions of those formulas, by name.
    pub dims: BTreeSet<Arc<str>>,
    /// Nodes whose count is unknown.
    pub unknown: usize,
}

/// Node data for Model Explorer: a metric's count for every node of the main graph that has one, calls of functions and
/// nodes with bodies with what those count in all runs, and a scale of colours. Its adapter for ONNX calls a node by its name, or by its place where it
/// has none, and a graph without a name `<main>`.
pub fn node_data(model: &Model, report: &Report, metric: usize) -> NodeData {
    let known = Known::of(report);
    let graph = model.proto.graph.as_ref();
    let mut results = serde_json::Map::new();
    let (mut formulas, mut dims, mut unknown) = (0, BTreeSet::new(), 0);
    for (at, node) in graph.iter().flat_map(|graph| graph.node.iter().enumerate()) {
        let first = node.output.iter().find(|name| !name.is_empty());
        let Some(sum) = first.and_then(|name| known.sum(name, node.op_type.as_bytes())) else { continue };
        let bodies = node.attribute.iter().filter(|attribute| attribute.g.is_some());
        let of_node = first.and_then(|name| known.nodes.get(name.as_str()));
        let prefixes: Vec<String> =
            bodies.filter_map(|body| Some(format!("{}/{}/", of_node?.row.name, body.name))).collect();
        let runs = |row: &&Row| !row.alternative && prefixes.iter().any(|prefix| row.name.starts_with(prefix));
        let inside = if prefixes.is_empty() { &[] } else { &report.nodes[..] };
        let count =
            inside.iter().filter(runs).fold(sum.counts.clone(), |sum, row| sum.plus(&row.counts)).0[metric].clone();
        match count {
            None => unknown += 1,
            Some(count) if count == Dim::ZERO => {}
            Some(count) => match count.as_int() {
                Some(count) => {
                    let id = if node.name.is_empty() { format!("<node_{at}>") } else { node.name.to_string() };
                    results.insert(id, serde_json::json!({"value": count}));
                }
                None => {
                    formulas += 1;
                    count.symbols(&mut dims);
                }
            },
        }
    }
    let shown = results.len();
    let name = graph.map(|graph| graph.name.to_string()).filter(|name| !name.is_empty());
    let json = serde_json::json!({name.unwrap_or("<main>".to_string()): {
        "name": METRICS[metric].title,
        "results": results,
        "gradient": [{"stop": 0, "bgColor": "#fff7bc"}, {"stop": 0.5, "bgColor": "#fec44f"}, {"stop": 1, "bgColor": "#d95f0e"}],
    }});
    NodeData { json, shown, formulas, dims, unknown }
}
