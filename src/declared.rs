//! Declared types: what a file says of a value.

use rustc_hash::FxHashMap;

use crate::dim::Dim;
use crate::onnx::{DimensionProto, DimensionValue, TypeProto};
use crate::tensor::{DType, RANK_LIMIT, Tensor, Value};

/// A declared type. A dimension without a value or name is named after the tensor and its axis.
pub(crate) fn typed(declared: Option<&TypeProto>, name: &str, sizes: &FxHashMap<String, i64>) -> Value {
    let Some(declared) = declared else { return Value::Unknown };
    let element = |element: &Option<Box<TypeProto>>| Box::new(typed(element.as_deref(), name, sizes));
    if let Some(tensor) = declared.tensor_type.as_ref().or(declared.sparse_tensor_type.as_ref()) {
        let size = |symbol: &str| sizes.get(symbol).copied().map(Dim::from);
        let dim = |(axis, dim): (usize, &DimensionProto)| match &dim.value {
            // Exporters write −1 where they mean a free dimension.
            Some(DimensionValue::Value(size)) if *size >= 0 => Dim::from(*size),
            // Some write "?" for a dimension without a name.
            Some(DimensionValue::Param(text)) if !text.is_empty() && text != "?" => match Dim::parse(text) {
                Some(formula) => formula.substitute(&size),
                None => size(text).unwrap_or_else(|| Dim::symbol(text)),
            },
            _ => {
                let symbol = format!("{name}.{axis}");
                size(&symbol).unwrap_or_else(|| Dim::symbol(&symbol))
            }
        };
        let shape =
            tensor.shape.as_ref().map(|shape| shape.dim.iter().enumerate().take(RANK_LIMIT + 1).map(dim).collect());
        return Tensor { dtype: DType::from_code(tensor.elem_type), shape, contents: None }.into();
    }
    if let Some(sequence) = &declared.sequence_type {
        return Value::Sequence { element: element(&sequence.elem_type), items: None };
    }
    if let Some(optional) = &declared.optional_type {
        return Value::Optional { element: element(&optional.elem_type), present: None };
    }
    if let Some(map) = &declared.map_type {
        return Value::Map { key: DType::from_code(map.key_type), element: element(&map.value_type) };
    }
    Value::Unknown
}
