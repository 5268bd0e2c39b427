//! A copy of a model with shapes and costs written into it, for viewers: weights are copied byte by byte, never decoded.

use std::io::Write;

use prost::Message;
use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint, skip_field};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::cost::{Coverage, METRICS, Row};
use crate::dim::Dim;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::onnx::{
    DimensionProto, DimensionValue, NodeProto, StringStringEntryProto, TensorShapeProto, TensorTypeProto, TypeProto,
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

/// Writes the model of this report with what the report says of it: every tensor of the main graph in `value_info`, counts
/// that are not 0 in the `metadata_props` of nodes and of the model, under keys such as `lwstat.macs`. Nodes of bodies and of
/// functions have no place in the main graph, and are left out. What an earlier run wrote is replaced; every other byte is kept. Errors where the model was not read from one piece, or writing fails.
pub fn annotate(model: &Model, report: &Report, out: &mut dyn Write) -> Result<()> {
    let mut parts = Parts::default();
    let all = fields(&model.bytes).map_err(|error| error.in_file(&model.path))?;
    let last = all.iter().rposition(|of| of.number == field::GRAPH);
    let mut produced = FxHashSet::default();
    for (at, of) in all.iter().enumerate() {
        match of.number {
            field::GRAPH => {
                let inner = graph(of.payload, report, Some(at) == last, &mut produced);
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

/// The account's nodes by their first output.
fn rows(report: &Report) -> FxHashMap<&str, &Row> {
    report.nodes.iter().filter_map(|row| Some((&**row.outputs.iter().find(|name| !name.is_empty())?, row))).collect()
}

fn graph<'b>(bytes: &'b [u8], report: &Report, is_last: bool, produced: &mut FxHashSet<String>) -> Result<Parts<'b>> {
    let rows = rows(report);
    let mut parts = Parts::default();
    let all = fields(bytes)?;
    for of in all.iter().filter(|of| of.number == field::NODE) {
        for output in fields(of.payload)?.iter().filter(|of| of.number == field::OUTPUT) {
            produced.extend(std::str::from_utf8(output.payload).ok().map(str::to_string));
        }
    }
    let outputs: FxHashSet<&str> = report.model.outputs.iter().map(|output| &*output.name).collect();
    let shown: FxHashMap<&str, ValueInfoProto> = report
        .tensors
        .iter()
        .filter(|info| produced.contains(&*info.tensor.name) && !outputs.contains(&*info.tensor.name))
        .filter_map(|info| Some((&*info.tensor.name, value_info(info)?)))
        .collect();
    for of in all {
        match of.number {
            field::NODE => parts.nested(field::NODE, node(of.payload, &rows)?),
            field::VALUE_INFO
                if ValueInfoProto::decode(of.payload).is_ok_and(|info| shown.contains_key(info.name.as_str())) => {}
            _ => parts.old(of.whole),
        }
    }
    if is_last {
        let in_order = report.tensors.iter().filter_map(|info| shown.get(&*info.tensor.name));
        let mut written = FxHashSet::default();
        in_order
            .filter(|info| written.insert(info.name.clone()))
            .for_each(|info| parts.message(field::VALUE_INFO, info));
    }
    Ok(parts)
}

fn node<'b>(bytes: &'b [u8], rows: &FxHashMap<&str, &Row>) -> Result<Parts<'b>> {
    let mut parts = Parts::default();
    let (mut first, mut op_type): (Option<&str>, &[u8]) = (None, &[]);
    for of in fields(bytes)? {
        match of.number {
            field::NODE_PROPS if is_ours(of.payload) => continue,
            field::OUTPUT if first.is_none() => {
                first = std::str::from_utf8(of.payload).ok().filter(|name| !name.is_empty());
            }
            field::OP_TYPE => op_type = of.payload,
            _ => {}
        }
        parts.old(of.whole);
    }
    let Some(row) = first.and_then(|name| rows.get(name)) else {
        if first.is_some() {
            parts.property(field::NODE_PROPS, "folded", "true".to_string());
        }
        return Ok(parts);
    };
    // The call of a function of the model is no node of the account: its nodes are.
    if row.op_type.as_bytes() != op_type {
        return Ok(parts);
    }
    for (metric, count) in METRICS.iter().zip(&row.counts.0) {
        if let Some(count) = count.as_ref().filter(|count| **count != Dim::ZERO) {
            parts.property(field::NODE_PROPS, metric.key, count.code());
        }
    }
    if row.coverage != Coverage::Exact {
        parts.property(field::NODE_PROPS, "coverage", format!("{:?}", row.coverage).to_lowercase());
    }
    Ok(parts)
}

/// A tensor's dtype and shape as `value_info`; `None` where one of them is unknown.
fn value_info(info: &TensorInfo) -> Option<ValueInfoProto> {
    let elem_type = DType::named(info.tensor.dtype?)?.code();
    let dim = |dim: &Dim| DimensionProto {
        value: Some(match dim.as_int() {
            Some(size) => DimensionValue::Value(size),
            None => DimensionValue::Param(dim.code()),
        }),
    };
    let shape = TensorShapeProto { dim: info.tensor.shape.as_ref()?.iter().map(dim).collect() };
    let tensor_type = Some(TensorTypeProto { elem_type, shape: Some(shape) });
    Some(ValueInfoProto {
        name: info.tensor.name.to_string(),
        r#type: Some(TypeProto { tensor_type, ..TypeProto::default() }),
    })
}

/// Node data for Model Explorer: a metric's count for every node of the main graph that has one, and a scale of colours. Its
/// adapter for ONNX calls a node by its name, or by its place where it has none, and a graph without a name `<main>`.
pub fn node_data(model: &Model, report: &Report, metric: usize) -> serde_json::Value {
    let rows = rows(report);
    let graph = model.proto.graph.as_ref();
    let entry = |(at, node): (usize, &NodeProto)| {
        let row = rows.get(node.output.iter().find(|name| !name.is_empty())?.as_str())?;
        let count = row.counts.0[metric].as_ref()?.as_int().filter(|count| *count != 0)?;
        let id = if node.name.is_empty() { format!("<node_{at}>") } else { node.name.to_string() };
        (*row.op_type == *node.op_type).then(|| (id, serde_json::json!({"value": count})))
    };
    let nodes = graph.iter().flat_map(|graph| graph.node.iter().enumerate());
    let results: serde_json::Map<String, serde_json::Value> = nodes.filter_map(entry).collect();
    let name = graph.map(|graph| graph.name.to_string()).filter(|name| !name.is_empty());
    serde_json::json!({name.unwrap_or("<main>".to_string()): {
        "name": METRICS[metric].title,
        "results": results,
        "gradient": [{"stop": 0, "bgColor": "#fff7bc"}, {"stop": 0.5, "bgColor": "#fec44f"}, {"stop": 1, "bgColor": "#d95f0e"}],
    }})
}
