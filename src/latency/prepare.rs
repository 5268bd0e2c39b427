//! A model made ready to run: functions inlined, nodes named by number, sizes fixed, missing weights filled.

use bytes::Bytes;

use super::external::{Data, Folder};
use super::synthetic::{self, Use};
use crate::error::{Error, Result};
use crate::graph::{Graph, Source};
use crate::infer::{self, Bindings, Typed};
use crate::model::Model;
use crate::onnx::{
    AttributeProto, DimensionProto, DimensionValue, GraphProto, ModelProto, NodeProto, TensorProto, TensorShapeProto,
    TensorTypeProto, TypeProto, ValueInfoProto,
};
use crate::tensor::{DType, Tensor};

/// What stands before a node's number in its new name. Runtimes derive names from names: `lwstat:12.low`.
pub const PREFIX: &str = "lwstat:";

/// The most bytes of made-up weights, and of any one tensor: beyond, a small file could ask for all memory there is.
const ROOM: i64 = 4 << 30;

/// A model that a runtime can load without opening a file.
#[derive(Debug)]
pub struct Prepared {
    /// The model: its node number `n` is named `lwstat:n`, and all its tensors lie in it.
    pub proto: ModelProto,
    /// The node of each number.
    pub places: Vec<Place>,
    /// Some weights were not there and are made up.
    pub synthetic_weights: bool,
    /// The first file of external data that is shorter than a tensor needs, in words.
    pub short_data: Option<String>,
}

/// Where a numbered node stands.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its name in the account.
    pub name: String,
    /// Operator type.
    pub op_type: String,
    /// Number of the node in whose body it stands.
    pub owner: Option<usize>,
}

/// Makes a model ready to run with these sizes fixed. Errors: the model is invalid, a size is open, it needs more memory
/// than is given, its data cannot be read.
pub fn prepare(model: &Model, bindings: &Bindings) -> Result<Prepared> {
    let graph = model.graph()?;
    let typed = infer::infer(&graph, &model.proto, bindings)?;
    let mut inputs = Vec::with_capacity(graph.inputs.len());
    for &id in &graph.inputs {
        inputs.push(input(graph.name(id), typed.value(id).as_tensor())?);
    }
    for (tensor, value) in graph.tensors.iter().zip(&typed.values) {
        if value.bytes().and_then(|bytes| bytes.as_int()).is_some_and(|bytes| bytes > ROOM) {
            let reason =
                format!("the tensor \"{}\" is larger than {} GiB: give smaller sizes", tensor.name, ROOM >> 30);
            return Err(Error::new(reason));
        }
    }
    let folder = Folder::of(model);
    let mut builder = Builder { folder, places: Vec::new(), synthetic: false, short: None, room: ROOM };
    let mut proto = builder.graph(&graph, Some(&typed), &[], "", None)?;
    proto.input = inputs;
    Ok(Prepared {
        proto: ModelProto { graph: Some(proto), functions: Vec::new(), ..model.proto.clone() },
        places: builder.places,
        synthetic_weights: builder.synthetic,
        short_data: builder.short,
    })
}

/// An attribute's type code: files of early IR versions leave it out, and the runtime asks for it.
fn kind(attribute: &AttributeProto) -> i32 {
    let kinds = [
        (attribute.r#type != 0, attribute.r#type),
        (attribute.f.is_some(), 1),
        (attribute.i.is_some(), 2),
        (attribute.s.is_some(), 3),
        (attribute.t.is_some(), 4),
        (attribute.g.is_some(), 5),
        (!attribute.floats.is_empty(), 6),
        (!attribute.ints.is_empty(), 7),
        (!attribute.strings.is_empty(), 8),
        (!attribute.tensors.is_empty(), 9),
        (!attribute.graphs.is_empty(), 10),
    ];
    kinds.iter().find(|(is, _)| *is).map_or(0, |(_, code)| *code)
}

/// An input with its dtype and every size.
fn input(name: &str, tensor: Option<&Tensor>) -> Result<ValueInfoProto> {
    let open = |what: &str| Error::new(format!("the input \"{name}\" {what}"));
    let tensor = tensor.ok_or_else(|| open("is no tensor: only tensors can be made up"))?;
    if tensor.dtype == DType::Undefined {
        return Err(open("has no dtype: only a model that declares it can be run"));
    }
    let shape = tensor.shape.as_ref();
    let shape = shape.ok_or_else(|| open("has no shape: give --input NAME=1x3x224x224"))?;
    let mut dims = Vec::with_capacity(shape.len());
    for size in shape {
        let size = size.as_int().ok_or_else(|| {
            open(&format!("has the free dimension {size}, and only known sizes can be run: give --dim or --input"))
        })?;
        dims.push(DimensionProto { value: Some(DimensionValue::Value(size)) });
    }
    let tensor_type = TensorTypeProto { elem_type: tensor.dtype.code(), shape: Some(TensorShapeProto { dim: dims }) };
    let r#type = Some(TypeProto { tensor_type: Some(tensor_type), ..TypeProto::default() });
    Ok(ValueInfoProto { name: name.to_string(), r#type })
}

struct Builder {
    folder: Folder,
    places: Vec<Place>,
    synthetic: bool,
    short: Option<String>,
    /// How many more bytes may be made up.
    room: i64,
}

impl Builder {
    /// The graph with its nodes numbered. `outer` are the names of the enclosing graph's tensors, `prefix` is what the
    /// account puts before the names of its nodes.
    fn graph(
        &mut self,
        graph: &Graph<'_>,
        typed: Option<&Typed<'_>>,
        outer: &[String],
        prefix: &str,
        owner: Option<usize>,
    ) -> Result<GraphProto> {
        let names = graph.tensors.iter().map(|tensor| match tensor.source {
            Source::Outer(id) => outer[id.index()].clone(),
            _ => tensor.name.to_string(),
        });
        let names = names.collect::<Vec<_>>();
        let uses = synthetic::uses(graph, typed);
        let mut proto = GraphProto { name: "graph".to_string(), ..GraphProto::default() };
        for (index, tensor) in graph.tensors.iter().enumerate() {
            match tensor.source {
                Source::Initializer(stored) => {
                    let filled = self.tensor(stored, &names[index], uses[index])?;
                    proto.initializer.push(TensorProto { name: names[index].clone(), ..filled });
                }
                Source::Sparse(stored) => proto.sparse_initializer.push(stored.clone()),
                _ => {}
            }
        }
        let named = |id: &crate::graph::TensorId| ValueInfoProto { name: names[id.index()].clone(), r#type: None };
        for &id in &graph.inputs {
            let Source::Input(declared) = graph.tensors[id.index()].source else { continue };
            proto.input.push(ValueInfoProto { r#type: declared.cloned(), ..named(&id) });
        }
        proto.output = graph.outputs.iter().map(named).collect();
        for (index, node) in graph.nodes.iter().enumerate() {
            let number = self.places.len();
            let name = format!("{prefix}{}", node.name);
            self.places.push(Place { name: name.clone(), op_type: node.op_type.to_string(), owner });
            let bodies = typed.map_or(&[][..], |typed| &typed.nodes[index].bodies);
            let mut attributes = Vec::new();
            for (attribute, value) in node.attributes.all() {
                let mut value = AttributeProto { name: attribute.to_string(), ..value.clone() };
                value.r#type = kind(&value);
                if let Some(body) = node.bodies.iter().find(|body| body.attribute == attribute) {
                    let facts = bodies.iter().rfind(|(of, ..)| *of == attribute).map(|(_, typed, _)| typed);
                    let prefix = format!("{name}/{attribute}/");
                    value.g = Some(Box::new(self.graph(&body.graph, facts, &names, &prefix, Some(number))?));
                }
                if let Some(stored) = value.t.take() {
                    value.t = Some(Box::new(self.tensor(&stored, &name, Use::Data)?));
                }
                attributes.push(value);
            }
            let list = |ids: &[Option<crate::graph::TensorId>]| {
                ids.iter().map(|id| id.map_or_else(String::new, |id| names[id.index()].clone())).collect()
            };
            proto.node.push(NodeProto {
                input: list(&node.inputs),
                output: list(&node.outputs),
                name: format!("{PREFIX}{number}"),
                op_type: node.op_type.to_string(),
                attribute: attributes,
                domain: node.domain.to_string(),
                ..NodeProto::default()
            });
        }
        Ok(proto)
    }

    /// A stored tensor with its data in it: from the model's own file, or made up.
    fn tensor(&mut self, stored: &TensorProto, name: &str, r#use: Use) -> Result<TensorProto> {
        const EXTERNAL: i32 = 1;
        if stored.data_location != EXTERNAL {
            return Ok(stored.clone());
        }
        let tensor = Tensor::of_proto(stored);
        let bytes = tensor.bytes().and_then(|bytes| bytes.as_int()).filter(|bytes| *bytes >= 0);
        let bytes = bytes.ok_or_else(|| Error::new(format!("the tensor \"{name}\" has no size in bytes")))?;
        let data = match self.folder.data(stored, bytes as usize) {
            Data::Whole(data) => data,
            missing => {
                if let Data::Short { location, has, needed } = missing {
                    let reason = || format!("{location} has {has} bytes, and \"{name}\" ends at byte {needed}");
                    self.short.get_or_insert_with(reason);
                }
                self.synthetic = true;
                self.room -= bytes;
                if self.room < 0 {
                    let reason = format!("more than {} GiB of its weights are not there", ROOM >> 30);
                    return Err(Error::new(format!("{reason}: put its external data beside it")));
                }
                synthetic::values(name, &stored.dims, tensor.dtype, r#use, bytes as usize)
            }
        };
        Ok(TensorProto {
            dims: stored.dims.clone(),
            data_type: stored.data_type,
            name: stored.name.clone(),
            raw_data: Some(Bytes::from(data)),
            ..TensorProto::default()
        })
    }
}
