//! Recurrent networks with quantized weights or attention.

use super::ms;
use super::rules::{last, positive, tensor};
use crate::dim::Dim;
use crate::ops::{Call, Op, Result, Role, Stop, invalid};
use crate::tensor::Value;

const GATES: &str = "per step, sequence and direction: 4 × hidden size × (input size + hidden size)";
const ELEMENTS: &str =
    "22 per hidden element and step: sums of gates (4), 3 sigmoids (12), 2 tanh, state (4); 4 for biases";

pub(crate) const OPS: &[Op] = &[
    ms("AttnLSTM", lstm)
        .macs("as LSTM; keys, query, alignment, context and attention layer of the memory", attention_macs)
        .flops(ELEMENTS, flops)
        .roles(&[(4, Role::Setting), (12, Role::Setting)]),
    ms("DynamicQuantizeLSTM", lstm)
        .macs(GATES, |call, _| {
            let Steps { sequences, hidden, .. } = Steps::of(call)?;
            Ok(sequences * &hidden * (last(call.shape_of_rank(0, 3)?)? + &hidden) * 4i64)
        })
        .flops(ELEMENTS, flops)
        .roles(&[
            (1, Role::Parameter),
            (2, Role::Parameter),
            (4, Role::Setting),
            (8, Role::Setting),
            (9, Role::Setting),
            (10, Role::Setting),
            (11, Role::Setting),
        ]),
];

struct Steps {
    length: Dim,
    batch: Dim,
    directions: Dim,
    hidden: Dim,
    /// Length × batch × directions.
    sequences: Dim,
}

impl Steps {
    fn of(call: &Call) -> Result<Steps> {
        let [length, batch, _] = call.shape_of_rank(0, 3)? else { return Err(Stop::Unknown) };
        let directions = match call.attributes.string("direction")? {
            None | Some("forward" | "reverse") => 1i64,
            Some("bidirectional") => 2,
            Some(other) => return invalid(format!("`direction` cannot be {other:?}")),
        };
        let hidden = Dim::from(positive(call, "hidden_size")?);
        let (length, batch, directions) = (length.clone(), batch.clone(), Dim::from(directions));
        let sequences = &length * &batch * &directions;
        Ok(Steps { length, batch, directions, hidden, sequences })
    }
}

fn lstm(call: &Call) -> Result<Vec<Value>> {
    let Steps { length, batch, directions, hidden, .. } = Steps::of(call)?;
    let dtype = call.tensor(0)?.dtype;
    let state = tensor(dtype, Some(vec![directions.clone(), batch.clone(), hidden.clone()]));
    Ok(vec![tensor(dtype, Some(vec![length, directions, batch, hidden])), state.clone(), state])
}

fn flops(call: &Call, _: &[Value]) -> Result<Dim> {
    let Steps { sequences, hidden, .. } = Steps::of(call)?;
    Ok(sequences * hidden * (22 + 4 * i64::from(call.has(3))))
}

/// The weights' input is the sequence's and the attention's.
fn attention_macs(call: &Call, _: &[Value]) -> Result<Dim> {
    let Steps { batch, directions, hidden, sequences, .. } = Steps::of(call)?;
    let gates = last(call.shape_of_rank(1, 3)?)? + &hidden;
    let mut each = &hidden * gates * 4i64;
    let mut once = Dim::ZERO;
    if call.has(11) && call.has(9) {
        let [_, steps, depth] = call.shape_of_rank(11, 3)? else { return Err(Stop::Unknown) };
        let size = last(call.shape_of_rank(9, 3)?)?;
        once = steps * depth * size;
        each += &hidden * size + steps * size + steps * depth;
    }
    if call.has(13) {
        let [_, from, to] = call.shape_of_rank(13, 3)? else { return Err(Stop::Unknown) };
        each += from * to;
    }
    Ok(sequences * each + batch * directions * once)
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn recurrences() {
        check(
            "
            com.microsoft:DynamicQuantizeLSTM f32[s,b,8] u8[1,8,16] u8[1,4,16] hidden_size=4 -> f32[s,1,b,4] f32[1,b,4] f32[1,b,4] macs=192*b*s flops=88*b*s
            com.microsoft:DynamicQuantizeLSTM f32[3,2,8] u8[2,8,16] u8[2,4,16] f32[2,32] hidden_size=4 direction='bidirectional' -> f32[3,2,2,4] f32[2,2,4] f32[2,2,4] macs=2304 flops=1248
            com.microsoft:DynamicQuantizeLSTM f32[3,2,8] u8[2,8,16] u8[2,4,16] -> error hidden_size
            ",
        );
    }
}
