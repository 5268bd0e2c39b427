//! What several of onnxruntime's operators share: sizes, and the costs of fused parts.

use crate::dim::Dim;
use crate::ops::{Call, Infer, Op, Result, Stop, find, invalid, product};
use crate::tensor::{DType, Shape, Tensor, Value};

/// Operations per element of an activation that another operator has fused; an error where onnxruntime has none of
/// this name.
pub(super) fn activation_cost(name: &str) -> Result<i64> {
    Ok(match name.to_ascii_lowercase().as_str() {
        "" | "none" | "identity" => 0,
        "relu" | "abs" | "neg" | "sqrt" | "tanh" | "exp" | "erf" | "floor" | "ceil" | "log" | "round" => 1,
        "leakyrelu" | "clip" | "thresholdedrelu" | "relu2" | "relu_squared" | "affine" => 2,
        "scaledtanh" | "softplus" | "elu" | "softsign" => 3,
        "hardsigmoid" | "sigmoid" | "parametricsoftplus" => 4,
        "gelu" | "silu" | "swish" | "hardswish" | "selu" | "softmax" => 5,
        "quickgelu" => 6,
        "fastgelu" | "gelu_new" => 9,
        _ => return invalid(format!("the activation {name:?} does not exist")),
    })
}

/// The size of the last axis.
pub(super) fn last(shape: &[Dim]) -> Result<&Dim> {
    shape.last().ok_or_else(|| "a tensor needs at least one dimension".into())
}

/// The shape with another size of the last axis.
pub(super) fn with_last(shape: &[Dim], size: Dim) -> Result<Shape> {
    match shape.split_last() {
        Some((_, head)) => Ok(head.iter().cloned().chain([size]).collect()),
        None => invalid("a tensor needs at least one dimension"),
    }
}

/// The number of rows that the last axis divides a tensor into.
pub(super) fn rows(shape: &[Dim]) -> Result<Dim> {
    match shape.split_last() {
        Some((_, head)) => Ok(product(head)),
        None => invalid("a tensor needs at least one dimension"),
    }
}

/// A whole divided into equal parts; an error where it cannot be.
pub(super) fn part(whole: &Dim, parts: i64, what: &str) -> Result<Dim> {
    if parts <= 0 || whole.as_int().is_some_and(|whole| whole % parts != 0) {
        return invalid(format!("the {what} {whole} is not divisible by {parts}"));
    }
    let parts = Dim::from(parts);
    Ok(whole.exact_div(&parts).unwrap_or_else(|| whole.floor_div(&parts)))
}

/// An error where two sizes are known to differ.
pub(super) fn same(a: &Dim, b: &Dim, what: &str) -> Result<()> {
    match a.known_eq(b) {
        Some(false) if a.as_int().is_some() && b.as_int().is_some() => {
            invalid(format!("the {what} differ: {a} and {b}"))
        }
        _ => Ok(()),
    }
}

/// An attribute that must be there and positive.
pub(super) fn positive(call: &Call, attribute: &str) -> Result<i64> {
    match call.attributes.int(attribute)? {
        Some(value) if value > 0 => Ok(value),
        Some(value) => invalid(format!("`{attribute}` must be positive, it is {value}")),
        None => invalid(format!("`{attribute}` is missing")),
    }
}

/// Softmax over the last axis: maximum, subtract, exp, sum, divide; maximum and sum take one less than there are.
pub(super) fn softmax_flops(shape: &[Dim]) -> Result<Dim> {
    Ok(product(shape) * 5i64 - rows(shape)? * 2i64)
}

/// A tensor of a shape that may be unknown.
pub(super) fn tensor(dtype: DType, shape: Option<Shape>) -> Value {
    Tensor { dtype, shape, contents: None }.into()
}

/// The dtype and shape of an input, without its contents.
pub(super) fn like(call: &Call, input: usize) -> Result<Value> {
    Ok(Tensor { contents: None, ..call.tensor(input)?.clone() }.into())
}

/// Runs what an operator of the specification does on other inputs than the call's own; unknown where the table has
/// no such operator.
fn as_standard<T>(
    call: &Call,
    name: &str,
    opset: i64,
    inputs: &[Option<&Value>],
    run: impl FnOnce(&'static Op, &Call) -> Result<T>,
) -> Result<T> {
    let op = find("", name).ok_or(Stop::Unknown)?;
    let Call { name, attributes, outputs, sizes, .. } = *call;
    run(op, &Call { name, opset, attributes, inputs, outputs, sizes })
}

/// The newest opset.
pub(super) const NEWEST: i64 = i64::MAX;

/// What an operator of the specification makes of these inputs under the call's attributes.
pub(super) fn infer_as(call: &Call, name: &str, opset: i64, inputs: &[Option<&Value>]) -> Result<Vec<Value>> {
    as_standard(call, name, opset, inputs, |op, call| match op.infer {
        Infer::Plain(infer) => infer(call),
        Infer::Control(_) => Err(Stop::Unknown),
    })
}

/// Multiply-accumulates of an operator of the specification on these inputs.
pub(super) fn macs_as(call: &Call, name: &str, inputs: &[Option<&Value>], outputs: &[Value]) -> Result<Dim> {
    as_standard(call, name, NEWEST, inputs, |op, call| {
        op.macs.map_or(Ok(Dim::ZERO), |rule| (rule.count)(call, outputs))
    })
}

/// Operations beside 2 × MACs of an operator of the specification on these inputs.
pub(super) fn flops_as(
    call: &Call,
    name: &str,
    opset: i64,
    inputs: &[Option<&Value>],
    outputs: &[Value],
) -> Result<Dim> {
    as_standard(call, name, opset, inputs, |op, call| {
        op.flops.map_or(Ok(Dim::ZERO), |rule| (rule.count)(call, outputs))
    })
}

/// The call's inputs at these positions; those left out stay so.
pub(super) fn pick<'a>(call: &Call<'a>, positions: &[usize]) -> Vec<Option<&'a Value>> {
    positions.iter().map(|&position| call.inputs.get(position).copied().flatten()).collect()
}

/// A value whose channels stand last, as if they stood second.
pub(super) fn channels_second(value: &Value) -> Value {
    moved(value, |shape| shape[1..].rotate_right(1))
}

/// A value whose channels stand second, as if they stood last.
pub(super) fn channels_last(value: &Value) -> Value {
    moved(value, |shape| shape[1..].rotate_left(1))
}

fn moved(value: &Value, turn: fn(&mut [Dim])) -> Value {
    let Value::Tensor(Tensor { dtype, shape, .. }) = value else { return value.clone() };
    let mut shape = shape.clone();
    if let Some(shape) = shape.as_mut().filter(|shape| shape.len() > 2) {
        turn(shape);
    }
    tensor(*dtype, shape)
}
