//! Recurrent layers: RNN, GRU, LSTM.

use super::matmul::same_size;
use super::{Call, Module, Op, Result, Role, invalid};
use crate::dim::Dim;
use crate::tensor::{Tensor, Value};

const MACS: &str = "steps × batch × directions × gates × hidden × (input + hidden)";
/// Lengths, and the states to start from, which exporters fill with zeros.
const SETTINGS: &[(usize, Role)] = &[(4, Role::Setting), (5, Role::Setting), (6, Role::Setting)];

pub(super) const OPS: &[Op] = &[
    Op::new("GRU", |call| infer(call, &GRU))
        .module(Module::Written)
        .macs(MACS, |call, _| macs(call, &GRU))
        .flops(
            "per step and hidden unit: 2 per gate for biases, 2 per clip, the activations, 5 for reset and blend",
            |call, _| flops(call, &GRU),
        )
        .roles(SETTINGS),
    Op::new("LSTM", |call| infer(call, &LSTM))
        .module(Module::Written)
        .macs(MACS, |call, _| macs(call, &LSTM))
        .flops(
            "per step and hidden unit: 2 per gate for biases, 2 per clip, 6 for peepholes, the activations, 4",
            |call, _| flops(call, &LSTM),
        )
        .roles(SETTINGS),
    Op::new("RNN", |call| infer(call, &RNN))
        .module(Module::Written)
        .macs(MACS, |call, _| macs(call, &RNN))
        .flops("per step and hidden unit: 2 for biases, 2 for the clip, the activation", |call, _| flops(call, &RNN))
        .roles(SETTINGS),
];

/// What tells the layers apart.
struct Layer {
    gates: i64,
    /// How often each activation function runs per step and hidden unit, with its default.
    activations: &'static [(i64, &'static str)],
    /// Additions and multiplications of the state update, per step and hidden unit.
    update: i64,
    /// The last cell state is a third output.
    cell: bool,
}

const RNN: Layer = Layer { gates: 1, activations: &[(1, "tanh")], update: 0, cell: false };
const GRU: Layer = Layer { gates: 3, activations: &[(2, "sigmoid"), (1, "tanh")], update: 5, cell: false };
const LSTM: Layer = Layer { gates: 4, activations: &[(3, "sigmoid"), (1, "tanh"), (1, "tanh")], update: 4, cell: true };

struct Sizes {
    steps: Dim,
    batch: Dim,
    input: Dim,
    hidden: Dim,
    directions: i64,
    batch_first: bool,
}

fn sizes(call: &Call, layer: &Layer) -> Result<Sizes> {
    let directions = match call.attributes.string("direction")?.unwrap_or("forward") {
        "forward" | "reverse" => 1,
        "bidirectional" => 2,
        other => return invalid(format!("`direction` cannot be \"{other}\"")),
    };
    let batch_first = call.opset >= 14 && call.attributes.int_or("layout", 0)? != 0;
    let [first, second, input] = call.shape_of_rank(0, 3)? else { return invalid("X needs rank 3") };
    let (steps, batch) = if batch_first { (second, first) } else { (first, second) };
    let [weight_directions, weight_rows, weight_input] = call.shape_of_rank(1, 3)? else {
        return invalid("W needs rank 3");
    };
    let [_, recurrence_rows, recurrence_hidden] = call.shape_of_rank(2, 3)? else { return invalid("R needs rank 3") };
    same_size(weight_directions, &Dim::from(directions), "the directions of W and of `direction`")?;
    let input = same_size(input, weight_input, "the input sizes of X and W")?;
    let mut hidden = recurrence_hidden.clone();
    if let Some(size) = call.attributes.int("hidden_size")? {
        hidden = same_size(&Dim::from(size), &hidden, "`hidden_size` and the last size of R")?;
    }
    for rows in [weight_rows, recurrence_rows] {
        same_size(rows, &(&hidden * layer.gates), "the rows of W or R and gates × hidden size")?;
    }
    Ok(Sizes { steps: steps.clone(), batch: batch.clone(), input, hidden, directions, batch_first })
}

fn infer(call: &Call, layer: &Layer) -> Result<Vec<Value>> {
    let Sizes { steps, batch, hidden, directions, batch_first, .. } = sizes(call, layer)?;
    let directions = Dim::from(directions);
    let (all, last) = if batch_first {
        (vec![batch.clone(), steps, directions.clone(), hidden.clone()], vec![batch, directions, hidden])
    } else {
        (vec![steps, directions.clone(), batch.clone(), hidden.clone()], vec![directions, batch, hidden])
    };
    let dtype = call.tensor(0)?.dtype;
    let mut outputs = vec![Tensor::new(dtype, all).into(), Value::from(Tensor::new(dtype, last))];
    if layer.cell {
        outputs.push(outputs[1].clone());
    }
    Ok(outputs)
}

fn macs(call: &Call, layer: &Layer) -> Result<Dim> {
    let Sizes { steps, batch, input, hidden, directions, .. } = sizes(call, layer)?;
    Ok(steps * batch * directions * layer.gates * &hidden * (input + &hidden))
}

fn flops(call: &Call, layer: &Layer) -> Result<Dim> {
    let Sizes { steps, batch, hidden, directions, .. } = sizes(call, layer)?;
    let names = call.attributes.strings("activations")?.unwrap_or_default();
    let count = layer.activations.len() * directions as usize;
    if !names.is_empty() && names.len() != count {
        return invalid(format!("`activations` needs {count} names, it has {}", names.len()));
    }
    let clips = call.attributes.float("clip")?.is_some_and(|clip| clip > 0.0);
    let mut each = directions * layer.update;
    for place in 0..count {
        let (times, default) = layer.activations[place % layer.activations.len()];
        let name = names.get(place).copied().unwrap_or(default);
        let Some(cost) = activation(name) else { return invalid(format!("there is no activation \"{name}\"")) };
        each += times * (cost + if clips { 2 } else { 0 });
    }
    if call.has(3) {
        each += directions * 2 * layer.gates;
    }
    if layer.cell && call.has(7) {
        each += directions * 6;
    }
    Ok(steps * batch * hidden * each)
}

/// Operations of an activation function on one element.
fn activation(name: &str) -> Option<i64> {
    Some(match name.to_ascii_lowercase().as_str() {
        "relu" | "tanh" | "thresholdedrelu" => 1,
        "affine" | "leakyrelu" => 2,
        "scaledtanh" | "softsign" | "softplus" => 3,
        "sigmoid" | "hardsigmoid" | "elu" => 4,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn outputs_follow_direction_and_layout() {
        check(
            "
            LSTM f32[5,n,8] f32[1,16,8] f32[1,16,4] -> f32[5,1,n,4] f32[1,n,4] f32[1,n,4] macs=960*n flops=360*n
            LSTM f32[5,2,8] f32[2,16,8] f32[2,16,4] f32[2,32] direction='bidirectional' -> f32[5,2,2,4] f32[2,2,4] f32[2,2,4] macs=3840 flops=2080
            LSTM f32[2,5,8] f32[1,16,8] f32[1,16,4] layout=1 hidden_size=4 -> f32[2,5,1,4] f32[2,1,4] f32[2,1,4] macs=1920
            GRU@7 f32[seq,2,8] f32[1,12,8] f32[1,12,4] f32[1,24] direction='reverse' -> f32[seq,1,2,4] f32[1,2,4] macs=288*seq flops=160*seq
            GRU@1 f32[5,2,8] f32[1,12,8] f32[1,12,4] output_sequence=1 -> f32[5,1,2,4] f32[1,2,4]
            RNN f16[5,2,8] f16[1,4,8] f16[1,4,4] f16[1,8] activations=['Relu'] clip=3.0 -> f16[5,1,2,4] f16[1,2,4] macs=480 flops=200
            RNN f32[5,2,8] f32[1,4,8] f32[1,4,4] -> f32[5,1,2,4] flops=40
            LSTM f32[1,1,2] f32[1,4,2] f32[1,4,1] _ _ _ _ f32[1,3] -> f32[1,1,1,1] flops=24
            ",
        );
    }

    #[test]
    fn sizes_must_agree() {
        check(
            "
            LSTM f32[5,2,8] f32[1,16,9] f32[1,16,4] -> error input sizes
            LSTM f32[5,2,8] f32[1,12,8] f32[1,12,4] -> error gates
            LSTM f32[5,2,8] f32[1,16,8] f32[1,16,4] direction='bidirectional' -> error directions
            LSTM f32[5,2,8] f32[1,16,8] f32[1,16,4] direction='up' -> error `direction`
            LSTM f32[5,2,8] f32[1,16,8] f32[1,16,4] hidden_size=5 -> error `hidden_size`
            RNN f32[2,8] f32[1,4,8] f32[1,4,4] -> error rank 3
            RNN f32[*] f32[1,4,8] f32[1,4,4] -> unknown
            ",
        );
    }
}
