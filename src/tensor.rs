//! What is known of a value before the model runs: dtype, shape and, where small and decided, contents.

use std::sync::Arc;

use bytes::Buf;

use crate::dim::Dim;
use crate::onnx::TensorProto;

/// A tensor's shape, outermost dimension first.
pub type Shape = Vec<Dim>;

/// The most elements whose contents are followed: contents steer shapes, and what steers shapes is small.
pub const CONTENTS_LIMIT: i64 = 4096;

/// The most dimensions of a tensor: what is done for each shape is quadratic in its rank.
pub const RANK_LIMIT: usize = 64;

/// The most elements of a stored vector that are read before they are asked for.
const EAGER_LIMIT: i64 = 8;

macro_rules! dtypes {
    ($($variant:ident $code:literal $name:literal $bits:literal $kind:ident,)*) => {
        /// An element type (onnx.proto, `TensorProto.DataType`).
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs)]
        pub enum DType {
            #[default]
            Undefined,
            $($variant,)*
        }

        impl DType {
            /// The dtype of a `TensorProto.DataType` code; a code that ONNX does not define is [`DType::Undefined`].
            pub fn from_code(code: i32) -> DType {
                match code { $($code => DType::$variant,)* _ => DType::Undefined }
            }

            /// The `TensorProto.DataType` code, 0 for undefined.
            pub fn code(self) -> i32 {
                match self { DType::Undefined => 0, $(DType::$variant => $code,)* }
            }

            /// The short name: `f32`, `i64`, `bf16`.
            pub fn name(self) -> &'static str {
                match self { DType::Undefined => "?", $(DType::$variant => $name,)* }
            }

            /// The dtype of this short name; `None` where there is none.
            pub fn named(name: &str) -> Option<DType> {
                match name { $($name => Some(DType::$variant),)* _ => None }
            }

            /// Bits per element; `None` where elements have no fixed size (strings) or the dtype is undefined.
            pub fn bits(self) -> Option<i64> {
                let bits = match self { DType::Undefined => 0, $(DType::$variant => $bits,)* };
                (bits > 0).then_some(bits)
            }

            fn kind(self) -> Kind {
                match self { DType::Undefined => Kind::Other, $(DType::$variant => Kind::$kind,)* }
            }
        }
    };
}

#[derive(PartialEq)]
enum Kind {
    Float,
    Signed,
    Unsigned,
    Other,
}

dtypes! {
    F32 1 "f32" 32 Float,
    U8 2 "u8" 8 Unsigned,
    I8 3 "i8" 8 Signed,
    U16 4 "u16" 16 Unsigned,
    I16 5 "i16" 16 Signed,
    I32 6 "i32" 32 Signed,
    I64 7 "i64" 64 Signed,
    String 8 "string" 0 Other,
    Bool 9 "bool" 8 Other,
    F16 10 "f16" 16 Float,
    F64 11 "f64" 64 Float,
    U32 12 "u32" 32 Unsigned,
    U64 13 "u64" 64 Unsigned,
    C64 14 "c64" 64 Other,
    C128 15 "c128" 128 Other,
    BF16 16 "bf16" 16 Float,
    F8E4M3FN 17 "f8e4m3fn" 8 Float,
    F8E4M3FNUZ 18 "f8e4m3fnuz" 8 Float,
    F8E5M2 19 "f8e5m2" 8 Float,
    F8E5M2FNUZ 20 "f8e5m2fnuz" 8 Float,
    U4 21 "u4" 4 Unsigned,
    I4 22 "i4" 4 Signed,
    F4E2M1 23 "f4e2m1" 4 Float,
    F8E8M0 24 "f8e8m0" 8 Float,
    U2 25 "u2" 2 Unsigned,
    I2 26 "i2" 2 Signed,
    F6E2M3 27 "f6e2m3" 6 Float,
    F6E3M2 28 "f6e3m2" 6 Float,
}

impl DType {
    /// A floating-point type of any width.
    pub fn is_float(self) -> bool {
        self.kind() == Kind::Float
    }

    /// A signed or unsigned integer type.
    pub fn is_integer(self) -> bool {
        matches!(self.kind(), Kind::Signed | Kind::Unsigned)
    }

    /// An integer type of at most 8 bits: how quantized weights are stored.
    pub fn is_quantized(self) -> bool {
        self.is_integer() && self.bits().is_some_and(|bits| bits <= 8)
    }

    /// Bytes of `elements` elements, whole bytes for packed types; `None` where elements have no fixed size.
    pub fn bytes(self, elements: &Dim) -> Option<Dim> {
        let bits = self.bits()?;
        Some(if bits % 8 == 0 { elements * (bits / 8) } else { (elements * bits).ceil_div(&Dim::from(8i64)) })
    }
}

/// One known element.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// An integer, possibly a formula.
    Int(Dim),
    /// A floating-point number, as f64 whatever the dtype.
    Float(f64),
    /// A formula over a positive integer, in a floating-point tensor: a size before exporters round it.
    Ratio(Dim, i64),
    /// A truth value.
    Bool(bool),
    /// A string.
    Text(Arc<str>),
    /// An element that the data decide, beside known ones.
    Unknown,
}

impl Scalar {
    /// The integer that this element is, if it is one; truth values count as 0 and 1.
    pub fn as_dim(&self) -> Option<Dim> {
        match self {
            Scalar::Int(value) => Some(value.clone()),
            Scalar::Bool(value) => Some(Dim::from(i64::from(*value))),
            _ => None,
        }
    }

    /// The formula in this element, a ratio's numerator.
    pub fn formula(&self) -> Option<&Dim> {
        match self {
            Scalar::Int(value) | Scalar::Ratio(value, _) => Some(value),
            _ => None,
        }
    }

    /// The number that this element is, if it is a plain one.
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Scalar::Int(value) => value.as_int().map(|value| value as f64),
            Scalar::Float(value) => Some(*value),
            Scalar::Bool(value) => Some(f64::from(u8::from(*value))),
            _ => None,
        }
    }
}

/// A small tensor's elements in row-major order.
#[derive(Clone, Debug)]
pub enum Contents {
    /// As they lie in the file; read when asked for.
    Stored(Arc<TensorProto>),
    /// Worked out.
    Known(Arc<[Scalar]>),
}

impl Contents {
    /// The elements; `None` where the payload cannot be read (an element type without a numeric form, a short payload).
    pub fn scalars(&self) -> Option<Arc<[Scalar]>> {
        match self {
            Contents::Known(scalars) => Some(scalars.clone()),
            Contents::Stored(tensor) => stored_scalars(tensor).map(Arc::from),
        }
    }
}

/// A tensor: what is known of it before the model runs.
#[derive(Clone, Debug, Default)]
pub struct Tensor {
    /// Element type; [`DType::Undefined`] where unknown.
    pub dtype: DType,
    /// Shape; `None` where even the rank is unknown.
    pub shape: Option<Shape>,
    /// Elements, where they are few and known.
    pub contents: Option<Contents>,
}

impl Tensor {
    /// A tensor of known dtype and shape.
    pub fn new(dtype: DType, shape: Shape) -> Tensor {
        Tensor { dtype, shape: Some(shape), contents: None }
    }

    /// The same tensor with `scalars` for contents, unless they are too many, not as many as the shape says, or none is known.
    pub fn with_scalars(mut self, scalars: Vec<Scalar>) -> Tensor {
        let fits = self.elements().and_then(|n| n.as_int()) == Some(scalars.len() as i64);
        let overflow = |scalar: &Scalar| scalar.formula().is_some_and(Dim::is_undefined);
        if fits
            && scalars.len() as i64 <= CONTENTS_LIMIT
            && (scalars.is_empty() || scalars.iter().any(|s| *s != Scalar::Unknown))
        {
            // An overflowing integer wraps at run time; what it wraps to is left open.
            let scalars = scalars.into_iter().map(|s| if overflow(&s) { Scalar::Unknown } else { s });
            self.contents = Some(Contents::Known(scalars.collect()));
        }
        self
    }

    /// A rank-1 i64 tensor of these elements, as `Shape` returns it.
    pub fn of_dims(dims: &[Dim]) -> Tensor {
        let scalars = dims.iter().cloned().map(Scalar::Int).collect();
        Tensor::new(DType::I64, vec![Dim::from(dims.len())]).with_scalars(scalars)
    }

    /// Dtype and shape of an initializer or tensor attribute; contents where they are small and in the file.
    pub fn of_proto(proto: &TensorProto) -> Tensor {
        let shape: Shape = proto.dims.iter().map(|&dim| Dim::from(dim)).collect();
        let mut tensor = Tensor::new(DType::from_code(proto.data_type), shape);
        let small = tensor.elements().and_then(|n| n.as_int()).is_some_and(|n| n <= CONTENTS_LIMIT);
        if small && proto.data_location == 0 && proto.chunks() <= CONTENTS_LIMIT as usize {
            // Shapes and indices are read at once: they are asked for again and again. Small weights hardly ever are.
            let few = proto.dims.len() < 2 && proto.dims.iter().all(|&size| size <= EAGER_LIMIT);
            let known = if few { stored_scalars(proto) } else { None };
            tensor.contents = Some(match known {
                Some(scalars) => Contents::Known(scalars.into()),
                None => Contents::Stored(Arc::new(payload(proto))),
            });
        }
        tensor
    }

    /// The number of elements; `None` where the rank is unknown.
    pub fn elements(&self) -> Option<Dim> {
        self.shape.as_ref().map(|shape| shape.iter().product())
    }

    /// Bytes of the elements; `None` where rank or element size is unknown.
    pub fn bytes(&self) -> Option<Dim> {
        self.dtype.bytes(&self.elements()?)
    }

    /// How much there is to follow in this tensor: its elements where they are known, and long formulas.
    fn effort(&self) -> u64 {
        let formula = |dim: &Dim| u64::from(dim.weight() - 1) * u64::from(dim.weight());
        let shape: u64 = self.shape.iter().flatten().map(formula).sum();
        let contents: u64 = match &self.contents {
            None => 0,
            Some(Contents::Stored(tensor)) => tensor.dims.iter().product::<i64>().unsigned_abs(),
            Some(Contents::Known(scalars)) => {
                let one = |scalar: &Scalar| 1 + scalar.formula().map_or(0, formula);
                scalars.iter().map(one).sum()
            }
        };
        shape + contents
    }

    /// All elements, where contents are known (single ones may still be [`Scalar::Unknown`]).
    pub fn scalars(&self) -> Option<Arc<[Scalar]>> {
        self.contents.as_ref()?.scalars()
    }

    /// All elements as integers, where every one is known.
    pub fn dims(&self) -> Option<Vec<Dim>> {
        self.scalars()?.iter().map(Scalar::as_dim).collect()
    }

    /// All elements as plain integers, where every one is.
    pub fn ints(&self) -> Option<Vec<i64>> {
        self.scalars()?.iter().map(|scalar| scalar.as_dim()?.as_int()).collect()
    }

    /// All elements as plain numbers, where every one is.
    pub fn floats(&self) -> Option<Vec<f64>> {
        self.scalars()?.iter().map(Scalar::as_float).collect()
    }
}

/// A value that flows along an edge: a tensor, or one of ONNX's containers.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// Nothing is known of it.
    #[default]
    Unknown,
    /// A dense or sparse tensor.
    Tensor(Tensor),
    /// A sequence: what every element is, and the elements themselves where their number is known.
    Sequence {
        /// What is known of every element.
        element: Box<Value>,
        /// The elements, where their number is known.
        items: Option<Vec<Value>>,
    },
    /// An optional: what it holds if it holds something, and whether it does where that is known.
    Optional {
        /// What it holds.
        element: Box<Value>,
        /// Whether it holds it, where known.
        present: Option<bool>,
    },
    /// A map, as the `ai.onnx.ml` operators produce it.
    Map {
        /// Type of the keys.
        key: DType,
        /// What is known of every value.
        element: Box<Value>,
    },
}

impl Value {
    /// The tensor that this value is, if it is one.
    pub fn as_tensor(&self) -> Option<&Tensor> {
        match self {
            Value::Tensor(tensor) => Some(tensor),
            _ => None,
        }
    }

    /// The tensors that this value holds: itself, or a sequence's or optional's elements; `None` where they are unknown.
    pub fn tensors(&self) -> Option<Vec<&Tensor>> {
        match self {
            Value::Tensor(tensor) => Some(vec![tensor]),
            Value::Sequence { items: Some(items), .. } => {
                items.iter().map(Value::tensors).collect::<Option<Vec<_>>>().map(|lists| lists.concat())
            }
            Value::Optional { present: Some(false), .. } => Some(Vec::new()),
            Value::Optional { element, present: Some(true) } => element.tensors(),
            _ => None,
        }
    }

    /// How much there is to follow in this value, in elements: 0 where nothing but plain sizes is known of it.
    pub fn effort(&self) -> u64 {
        match self {
            Value::Tensor(tensor) => tensor.effort(),
            Value::Sequence { items: Some(items), .. } => 4 * items.len() as u64,
            Value::Optional { element, .. } => element.effort(),
            _ => 0,
        }
    }

    /// The truth value that a tensor of rank 0 or of one element holds, where known.
    pub fn truth(&self) -> Option<bool> {
        match self.as_tensor()?.scalars()?.first()? {
            Scalar::Bool(truth) => Some(*truth),
            scalar => scalar.as_float().map(|number| number != 0.0),
        }
    }

    /// Elements of all tensors held; `None` where unknown.
    pub fn elements(&self) -> Option<Dim> {
        self.measure(Tensor::elements)
    }

    /// Bytes of all tensors held; `None` where unknown.
    pub fn bytes(&self) -> Option<Dim> {
        self.measure(Tensor::bytes)
    }

    fn measure(&self, of: fn(&Tensor) -> Option<Dim>) -> Option<Dim> {
        match self {
            Value::Tensor(tensor) => of(tensor),
            several => several.tensors()?.into_iter().map(of).sum(),
        }
    }
}

impl From<Tensor> for Value {
    fn from(tensor: Tensor) -> Value {
        Value::Tensor(tensor)
    }
}

/// What [`stored_scalars`] reads of a tensor.
fn payload(proto: &TensorProto) -> TensorProto {
    TensorProto {
        dims: proto.dims.clone(),
        data_type: proto.data_type,
        raw_data: proto.raw_data.clone(),
        float_data: proto.float_data.clone(),
        double_data: proto.double_data.clone(),
        int32_data: proto.int32_data.clone(),
        int64_data: proto.int64_data.clone(),
        uint64_data: proto.uint64_data.clone(),
        string_data: proto.string_data.clone(),
        ..TensorProto::default()
    }
}

fn stored_scalars(tensor: &TensorProto) -> Option<Vec<Scalar>> {
    let count =
        tensor.dims.iter().try_fold(1i64, |n, &dim| n.checked_mul(dim)).filter(|n| (0..=CONTENTS_LIMIT).contains(n))?
            as usize;
    let dtype = DType::from_code(tensor.data_type);
    let scalars = match &tensor.raw_data {
        Some(raw) => raw_scalars(raw.clone(), dtype, count)?,
        None => typed_scalars(tensor, dtype, count)?,
    };
    (scalars.len() == count).then_some(scalars)
}

fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    sign * match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    }
}

fn brain_float(bits: u16) -> f64 {
    f64::from(f32::from_bits(u32::from(bits) << 16))
}

fn unsigned(value: u64) -> Scalar {
    i64::try_from(value).map_or(Scalar::Unknown, |value| Scalar::Int(Dim::from(value)))
}

fn raw_scalars(mut raw: impl Buf, dtype: DType, count: usize) -> Option<Vec<Scalar>> {
    let bits = dtype.bits()? as usize;
    if !bits.is_multiple_of(8) || raw.remaining() < count * bits / 8 {
        return packed_scalars(raw, dtype, count);
    }
    let int = |value: i64| Scalar::Int(Dim::from(value));
    let one = |raw: &mut dyn Buf| {
        Some(match dtype {
            DType::F32 => Scalar::Float(f64::from(raw.get_f32_le())),
            DType::F64 => Scalar::Float(raw.get_f64_le()),
            DType::F16 => Scalar::Float(half(raw.get_u16_le())),
            DType::BF16 => Scalar::Float(brain_float(raw.get_u16_le())),
            DType::I8 => int(i64::from(raw.get_i8())),
            DType::U8 => int(i64::from(raw.get_u8())),
            DType::I16 => int(i64::from(raw.get_i16_le())),
            DType::U16 => int(i64::from(raw.get_u16_le())),
            DType::I32 => int(i64::from(raw.get_i32_le())),
            DType::U32 => int(i64::from(raw.get_u32_le())),
            DType::I64 => int(raw.get_i64_le()),
            DType::U64 => unsigned(raw.get_u64_le()),
            DType::Bool => Scalar::Bool(raw.get_u8() != 0),
            _ => return None,
        })
    };
    (0..count).map(|_| one(&mut raw)).collect()
}

/// 4- and 2-bit integers: the first element in a byte's low bits (onnx.proto, `TensorProto.raw_data`).
fn packed_scalars(mut raw: impl Buf, dtype: DType, count: usize) -> Option<Vec<Scalar>> {
    let bits = dtype.bits().filter(|&bits| bits < 8 && dtype.is_integer() && 8 % bits == 0)? as usize;
    if raw.remaining() * 8 < count * bits {
        return None;
    }
    let bytes = raw.copy_to_bytes(raw.remaining());
    let signed = matches!(dtype, DType::I4 | DType::I2);
    let value = |index: usize| {
        let at = index * bits;
        let raw = i64::from(bytes[at / 8] >> (at % 8)) & ((1 << bits) - 1);
        if signed && raw >> (bits - 1) == 1 { raw - (1 << bits) } else { raw }
    };
    Some((0..count).map(|index| Scalar::Int(Dim::from(value(index)))).collect())
}

fn typed_scalars(tensor: &TensorProto, dtype: DType, count: usize) -> Option<Vec<Scalar>> {
    let chain = |chunks: &[bytes::Bytes]| -> Vec<u8> {
        let enough = count * 8;
        chunks.iter().flat_map(|chunk| chunk.iter().copied()).take(enough).collect()
    };
    match dtype {
        DType::F32 => raw_scalars(&chain(&tensor.float_data)[..], dtype, count),
        DType::F64 => raw_scalars(&chain(&tensor.double_data)[..], dtype, count),
        DType::I64 => varints(&tensor.int64_data, count)
            .map(|v| v.into_iter().map(|v| Scalar::Int(Dim::from(v as i64))).collect()),
        DType::U32 | DType::U64 => varints(&tensor.uint64_data, count).map(|v| v.into_iter().map(unsigned).collect()),
        DType::String if tensor.string_data.len() == count => {
            tensor.string_data.iter().map(|text| Some(Scalar::Text(std::str::from_utf8(text).ok()?.into()))).collect()
        }
        DType::Bool => {
            varints(&tensor.int32_data, count).map(|v| v.into_iter().map(|v| Scalar::Bool(v != 0)).collect())
        }
        DType::F16 => {
            varints(&tensor.int32_data, count).map(|v| v.into_iter().map(|v| Scalar::Float(half(v as u16))).collect())
        }
        DType::BF16 => varints(&tensor.int32_data, count)
            .map(|v| v.into_iter().map(|v| Scalar::Float(brain_float(v as u16))).collect()),
        DType::I32 | DType::I16 | DType::I8 | DType::U16 | DType::U8 => varints(&tensor.int32_data, count)
            .map(|v| v.into_iter().map(|v| Scalar::Int(Dim::from(v as i64))).collect()),
        _ => None,
    }
}

fn varints(chunks: &[bytes::Bytes], count: usize) -> Option<Vec<u64>> {
    let mut values = Vec::with_capacity(count);
    for chunk in chunks {
        let mut rest = &chunk[..];
        while rest.has_remaining() {
            values.push(prost::encoding::decode_varint(&mut rest).ok()?);
            if values.len() > count {
                return None;
            }
        }
    }
    Some(values)
}
