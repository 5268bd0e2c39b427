//! Training: gradients and optimizers.

use super::{Call, Op, Result, Role, Stop, invalid};
use crate::dim::Dim;
use crate::tensor::{Tensor, Value};

const PREVIEW: &str = "ai.onnx.preview.training";
const TRAINING: &str = "ai.onnx.training";
const RATE: &[(usize, Role)] = &[(0, Role::Setting), (1, Role::Setting)];
const ADAGRAD: &str =
    "9 per weight: decayed gradient (2), squared sum (2), root, epsilon, division, scaled step (2); 3 for the rate";
const ADAM: &str =
    "15 per weight: decayed gradient (2), moments (3 + 4), root, epsilon, scaled quotient and step (4); 7 for the rate";
const MOMENTUM: &str = "7 per weight: decayed gradient (2), momentum (3), step (2); Nesterov 9";

pub(super) const OPS: &[Op] = &[
    Op::new("Adagrad", |call| updated(call, 1))
        .domain(PREVIEW)
        .roles(RATE)
        .flops(ADAGRAD, |call, _| Ok(weights(call, 1)? * 9 + 3)),
    Op::new("Adam", |call| updated(call, 2))
        .domain(PREVIEW)
        .roles(RATE)
        .flops(ADAM, |call, _| Ok(weights(call, 2)? * 15 + 7)),
    Op::new("Gradient", gradient).domain(PREVIEW),
    Op::new("Momentum", |call| updated(call, 1)).domain(PREVIEW).roles(RATE).flops(MOMENTUM, momentum),
    Op::new("Adagrad", |call| updated(call, 1))
        .domain(TRAINING)
        .roles(RATE)
        .flops(ADAGRAD, |call, _| Ok(weights(call, 1)? * 9 + 3)),
    Op::new("Adam", |call| updated(call, 2))
        .domain(TRAINING)
        .roles(RATE)
        .flops(ADAM, |call, _| Ok(weights(call, 2)? * 15 + 7)),
    Op::new("Gradient", gradient).domain(TRAINING),
    Op::new("Momentum", |call| updated(call, 1)).domain(TRAINING).roles(RATE).flops(MOMENTUM, momentum),
];

/// The tensors that an optimizer changes: after rate and count come weights, their gradients, and `states` states each.
fn groups(call: &Call, states: usize) -> Result<usize> {
    match call.inputs.len().checked_sub(2) {
        Some(rest) if rest > 0 && rest % (2 + states) == 0 => Ok(rest / (2 + states)),
        _ => invalid(format!(
            "it needs a rate, a count and {} tensors for each weight, it has {} inputs",
            2 + states,
            call.inputs.len()
        )),
    }
}

/// New weights and states, each like the old one.
fn updated(call: &Call, states: usize) -> Result<Vec<Value>> {
    let count = groups(call, states)?;
    let changed = (2..2 + count).chain(2 + 2 * count..2 + (2 + states) * count);
    changed.map(|input| like(call, input)).collect()
}

fn like(call: &Call, input: usize) -> Result<Value> {
    match call.value(input)? {
        Value::Tensor(tensor) => Ok(Tensor { contents: None, ..tensor.clone() }.into()),
        Value::Unknown => Ok(Value::Unknown),
        _ => invalid(format!("input {input} must be a tensor")),
    }
}

fn weights(call: &Call, states: usize) -> Result<Dim> {
    let count = groups(call, states)?;
    (2..2 + count).map(|input| super::input_elements(call, input)).sum()
}

fn momentum(call: &Call, _: &[Value]) -> Result<Dim> {
    let each = match call.attributes.string("mode")? {
        Some("nesterov") => 9i64,
        Some("standard") | None => 7,
        Some(other) => return invalid(format!("`mode` is {other}, not standard or nesterov")),
    };
    Ok(weights(call, 1)? * each)
}

/// A derivative for each tensor in `xs`, of its dtype and shape.
fn gradient(call: &Call) -> Result<Vec<Value>> {
    let Some(names) = call.attributes.strings("xs")? else { return invalid("`xs` is missing") };
    match names.len() <= call.inputs.len() {
        true => (0..names.len()).map(|input| like(call, input)).collect(),
        false => Err(Stop::Invalid(format!("`xs` names {} tensors, it has {} inputs", names.len(), call.inputs.len()))),
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn optimizers_return_weights_and_states() {
        check(
            "
            ai.onnx.preview.training:Adagrad f32[] i64[] f32[3,n] f32[3,n] f32[3,n] -> f32[3,n] f32[3,n]
            ai.onnx.preview.training:Adam f32[] i64[] f32[1] f32[2] f32[1] f32[2] f32[1] f32[2] f32[1] f32[2] -> f32[1] f32[2] f32[1] f32[2] f32[1] f32[2] flops=52
            ai.onnx.preview.training:Momentum f32[] i64[] f32[2] f32[2] f32[2] mode='nesterov' -> f32[2] f32[2] flops=18
            ai.onnx.preview.training:Momentum f32[] i64[] f32[2] f32[2] -> error 3 tensors for each weight
            ai.onnx.preview.training:Gradient f32[n,2] f64[3] xs=['a','b'] y='c' -> f32[n,2] f64[3]
            ai.onnx.preview.training:Gradient f32[n,2] -> error `xs` is missing
            ",
        );
    }
}
