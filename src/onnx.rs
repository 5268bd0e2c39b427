//! The ONNX protobuf messages, with only the fields that the analysis reads (onnx.proto, IR version 13).
//!
//! Payloads are [`Bytes`]: slices of the mapped file, so decoding a model neither copies nor touches its weights.
//! `value_info` and metadata stay undecoded until something asks for them.

use bytes::{Buf, BufMut, Bytes};
use prost::encoding::{DecodeContext, WireType, skip_field};
use prost::{DecodeError, Message};

/// `ModelProto`: the file's root.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs)]
pub struct ModelProto {
    #[prost(int64, tag = "1")]
    pub ir_version: i64,
    #[prost(string, tag = "2")]
    pub producer_name: String,
    #[prost(string, tag = "3")]
    pub producer_version: String,
    #[prost(message, optional, tag = "7")]
    pub graph: Option<GraphProto>,
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSetIdProto>,
    #[prost(message, repeated, tag = "25")]
    pub functions: Vec<FunctionProto>,
}

/// `OperatorSetIdProto`: the version of one operator domain.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs)]
pub struct OperatorSetIdProto {
    #[prost(string, tag = "1")]
    pub domain: String,
    #[prost(int64, tag = "2")]
    pub version: i64,
}

/// `StringStringEntryProto`: one entry of metadata or of an external-data record.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs)]
pub struct StringStringEntryProto {
    #[prost(string, tag = "1")]
    pub key: String,
    #[prost(string, tag = "2")]
    pub value: String,
}

/// `FunctionProto`: a local function.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs)]
pub struct FunctionProto {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, repeated, tag = "4")]
    pub input: Vec<String>,
    #[prost(string, repeated, tag = "5")]
    pub output: Vec<String>,
    #[prost(string, repeated, tag = "6")]
    pub attribute: Vec<String>,
    #[prost(message, repeated, tag = "11")]
    pub attribute_proto: Vec<AttributeProto>,
    #[prost(message, repeated, tag = "7")]
    pub node: Vec<NodeProto>,
    #[prost(message, repeated, tag = "9")]
    pub opset_import: Vec<OperatorSetIdProto>,
    #[prost(string, tag = "10")]
    pub domain: String,
    #[prost(string, tag = "13")]
    pub overload: String,
}

/// `GraphProto`: the main graph or the body of a control-flow node.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs)]
pub struct GraphProto {
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<NodeProto>,
    #[prost(string, tag = "2")]
    pub name: String,
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<TensorProto>,
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfoProto>,
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfoProto>,
    /// Undecoded [`ValueInfoProto`] messages: needed only where an operator is unknown.
    #[prost(bytes = "bytes", repeated, tag = "13")]
    pub value_info: Vec<Bytes>,
    #[prost(message, repeated, tag = "15")]
    pub sparse_initializer: Vec<SparseTensorProto>,
}

/// `NodeProto`: one operator call.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs)]
pub struct NodeProto {
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    #[prost(string, tag = "3")]
    pub name: String,
    #[prost(string, tag = "4")]
    pub op_type: String,
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<AttributeProto>,
    #[prost(string, tag = "7")]
    pub domain: String,
    #[prost(string, tag = "8")]
    pub overload: String,
    /// Undecoded [`StringStringEntryProto`] messages: exporters put long stack traces here.
    #[prost(bytes = "bytes", repeated, tag = "9")]
    pub metadata_props: Vec<Bytes>,
}

/// `AttributeProto`: a named attribute of a node, or of a function's defaults.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs)]
pub struct AttributeProto {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(float, optional, tag = "2")]
    pub f: Option<f32>,
    #[prost(int64, optional, tag = "3")]
    pub i: Option<i64>,
    #[prost(bytes = "bytes", optional, tag = "4")]
    pub s: Option<Bytes>,
    #[prost(message, optional, boxed, tag = "5")]
    pub t: Option<Box<TensorProto>>,
    #[prost(message, optional, boxed, tag = "6")]
    pub g: Option<Box<GraphProto>>,
    #[prost(float, repeated, tag = "7")]
    pub floats: Vec<f32>,
    #[prost(int64, repeated, tag = "8")]
    pub ints: Vec<i64>,
    #[prost(bytes = "bytes", repeated, tag = "9")]
    pub strings: Vec<Bytes>,
    #[prost(message, repeated, tag = "10")]
    pub tensors: Vec<TensorProto>,
    #[prost(message, repeated, tag = "11")]
    pub graphs: Vec<GraphProto>,
    #[prost(message, optional, boxed, tag = "14")]
    pub tp: Option<Box<TypeProto>>,
    #[prost(int32, tag = "20")]
    pub r#type: i32,
    #[prost(string, tag = "21")]
    pub ref_attr_name: String,
    #[prost(message, optional, boxed, tag = "22")]
    pub sparse_tensor: Option<Box<SparseTensorProto>>,
}

/// `ValueInfoProto`: the name and type of a tensor.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs)]
pub struct ValueInfoProto {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "2")]
    pub r#type: Option<TypeProto>,
}

/// `TypeProto`: a tensor, sequence, map, optional or sparse-tensor type.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs)]
pub struct TypeProto {
    #[prost(message, optional, tag = "1")]
    pub tensor_type: Option<TensorTypeProto>,
    #[prost(message, optional, boxed, tag = "4")]
    pub sequence_type: Option<Box<ElementTypeProto>>,
    #[prost(message, optional, boxed, tag = "5")]
    pub map_type: Option<Box<MapTypeProto>>,
    #[prost(message, optional, tag = "8")]
    pub sparse_tensor_type: Option<TensorTypeProto>,
    #[prost(message, optional, boxed, tag = "9")]
    pub optional_type: Option<Box<ElementTypeProto>>,
}

/// `TypeProto.Sequence` and `TypeProto.Optional`: the type of what they hold.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs)]
pub struct ElementTypeProto {
    #[prost(message, optional, boxed, tag = "1")]
    pub elem_type: Option<Box<TypeProto>>,
}

/// `TypeProto.Map`: the key's dtype and the value's type.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs)]
pub struct MapTypeProto {
    #[prost(int32, tag = "1")]
    pub key_type: i32,
    #[prost(message, optional, boxed, tag = "2")]
    pub value_type: Option<Box<TypeProto>>,
}

/// `TypeProto.Tensor`: dtype and, where known, shape.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs)]
pub struct TensorTypeProto {
    #[prost(int32, tag = "1")]
    pub elem_type: i32,
    #[prost(message, optional, tag = "2")]
    pub shape: Option<TensorShapeProto>,
}

/// `TensorShapeProto`: a dimension an entry.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs)]
pub struct TensorShapeProto {
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<DimensionProto>,
}

/// `TensorShapeProto.Dimension`: a number, a name, or nothing.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs)]
pub struct DimensionProto {
    #[prost(oneof = "DimensionValue", tags = "1, 2")]
    pub value: Option<DimensionValue>,
}

/// What a dimension is set to.
#[derive(Clone, PartialEq, prost::Oneof)]
#[allow(missing_docs)]
pub enum DimensionValue {
    #[prost(int64, tag = "1")]
    Value(i64),
    #[prost(string, tag = "2")]
    Param(String),
}

/// `SparseTensorProto`: the stored values of a mostly-zero tensor of shape `dims`, and where they stand.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs)]
pub struct SparseTensorProto {
    #[prost(message, optional, tag = "1")]
    pub values: Option<TensorProto>,
    #[prost(message, optional, tag = "2")]
    pub indices: Option<TensorProto>,
    #[prost(int64, repeated, tag = "3")]
    pub dims: Vec<i64>,
}

/// `TensorProto`: an initializer or a tensor attribute, its payload left as it lies in the file.
///
/// Decoded by hand: a packed numeric field has the wire form of `bytes`, so it is taken as a slice, and the legal
/// unpacked form, which a derived `bytes` field would refuse, is gathered value by value.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct TensorProto {
    pub dims: Vec<i64>,
    pub data_type: i32,
    pub name: String,
    /// `raw_data`: little-endian elements.
    pub raw_data: Option<Bytes>,
    /// `float_data`: 4-byte little-endian chunks.
    pub float_data: Vec<Bytes>,
    /// `double_data`: 8-byte little-endian chunks.
    pub double_data: Vec<Bytes>,
    /// `int32_data`: varint chunks.
    pub int32_data: Vec<Bytes>,
    /// `int64_data`: varint chunks.
    pub int64_data: Vec<Bytes>,
    /// `uint64_data`: varint chunks.
    pub uint64_data: Vec<Bytes>,
    pub string_data: Vec<Bytes>,
    pub external_data: Vec<StringStringEntryProto>,
    pub data_location: i32,
}

impl TensorProto {
    /// The pieces in which the payload lies in the file: one where it is packed.
    pub(crate) fn chunks(&self) -> usize {
        let typed = [&self.float_data, &self.double_data, &self.int32_data, &self.int64_data, &self.uint64_data];
        typed.iter().map(|chunks| chunks.len()).sum::<usize>() + self.string_data.len()
    }
}

/// Takes one occurrence of a packed numeric field whose elements have wire type `element`.
fn merge_payload(
    chunks: &mut Vec<Bytes>,
    wire: WireType,
    element: WireType,
    buf: &mut impl Buf,
    ctx: DecodeContext,
) -> Result<(), DecodeError> {
    if wire == WireType::LengthDelimited {
        return prost::encoding::bytes::merge_repeated(wire, chunks, buf, ctx);
    }
    prost::encoding::check_wire_type(element, wire)?;
    let mut one = Vec::with_capacity(10);
    match element {
        WireType::ThirtyTwoBit if buf.remaining() >= 4 => one.put_u32_le(buf.get_u32_le()),
        WireType::SixtyFourBit if buf.remaining() >= 8 => one.put_u64_le(buf.get_u64_le()),
        WireType::Varint => {
            prost::encoding::encode_varint(prost::encoding::decode_varint(buf)?, &mut one);
        }
        // The one public way to build the decoder's own error for a buffer that ends too early.
        _ => return prost::encoding::decode_varint(&mut &[][..]).map(|_| ()),
    }
    chunks.push(one.into());
    Ok(())
}

impl Message for TensorProto {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        use prost::encoding as pb;
        pb::int64::encode_packed(1, &self.dims, buf);
        if self.data_type != 0 {
            pb::int32::encode(2, &self.data_type, buf);
        }
        pb::bytes::encode_repeated(4, &self.float_data, buf);
        pb::bytes::encode_repeated(5, &self.int32_data, buf);
        pb::bytes::encode_repeated(6, &self.string_data, buf);
        pb::bytes::encode_repeated(7, &self.int64_data, buf);
        if !self.name.is_empty() {
            pb::string::encode(8, &self.name, buf);
        }
        if let Some(raw) = &self.raw_data {
            pb::bytes::encode(9, raw, buf);
        }
        pb::bytes::encode_repeated(10, &self.double_data, buf);
        pb::bytes::encode_repeated(11, &self.uint64_data, buf);
        pb::message::encode_repeated(13, &self.external_data, buf);
        if self.data_location != 0 {
            pb::int32::encode(14, &self.data_location, buf);
        }
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire: WireType,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        use prost::encoding as pb;
        match tag {
            1 => pb::int64::merge_repeated(wire, &mut self.dims, buf, ctx),
            2 => pb::int32::merge(wire, &mut self.data_type, buf, ctx),
            4 => merge_payload(&mut self.float_data, wire, WireType::ThirtyTwoBit, buf, ctx),
            5 => merge_payload(&mut self.int32_data, wire, WireType::Varint, buf, ctx),
            6 => pb::bytes::merge_repeated(wire, &mut self.string_data, buf, ctx),
            7 => merge_payload(&mut self.int64_data, wire, WireType::Varint, buf, ctx),
            8 => pb::string::merge(wire, &mut self.name, buf, ctx),
            9 => pb::bytes::merge(wire, self.raw_data.get_or_insert_default(), buf, ctx),
            10 => merge_payload(&mut self.double_data, wire, WireType::SixtyFourBit, buf, ctx),
            11 => merge_payload(&mut self.uint64_data, wire, WireType::Varint, buf, ctx),
            13 => pb::message::merge_repeated(wire, &mut self.external_data, buf, ctx),
            14 => pb::int32::merge(wire, &mut self.data_location, buf, ctx),
            _ => skip_field(wire, tag, buf, ctx),
        }
    }

    fn encoded_len(&self) -> usize {
        use prost::encoding as pb;
        let raw = self.raw_data.as_ref().map_or(0, |raw| pb::bytes::encoded_len(9, raw));
        let optional = |tag, value: i32| if value == 0 { 0 } else { pb::int32::encoded_len(tag, &value) };
        let name = if self.name.is_empty() { 0 } else { pb::string::encoded_len(8, &self.name) };
        pb::int64::encoded_len_packed(1, &self.dims)
            + optional(2, self.data_type)
            + pb::bytes::encoded_len_repeated(4, &self.float_data)
            + pb::bytes::encoded_len_repeated(5, &self.int32_data)
            + pb::bytes::encoded_len_repeated(6, &self.string_data)
            + pb::bytes::encoded_len_repeated(7, &self.int64_data)
            + name
            + raw
            + pb::bytes::encoded_len_repeated(10, &self.double_data)
            + pb::bytes::encoded_len_repeated(11, &self.uint64_data)
            + pb::message::encoded_len_repeated(13, &self.external_data)
            + optional(14, self.data_location)
    }

    fn clear(&mut self) {
        *self = TensorProto::default();
    }
}

/// The value of `key` among undecoded [`StringStringEntryProto`] messages; entries that do not decode are passed over.
pub(crate) fn metadata(entries: &[Bytes], key: &str) -> Option<String> {
    entries.iter().find_map(|entry| {
        // The key comes first in every writer's output, so most entries are told apart without decoding them.
        let quick =
            entry.first() == Some(&0x0a) && !entry.get(2..).is_some_and(|rest| rest.starts_with(key.as_bytes()));
        if quick {
            return None;
        }
        StringStringEntryProto::decode(entry.clone())
            .ok()
            .filter(|decoded| decoded.key == key)
            .map(|decoded| decoded.value)
    })
}
