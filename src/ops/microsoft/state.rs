//! Layers that carry a state from step to step: causal convolutions and linear attention.

use super::ms;
use super::rules::{activation_cost, last, like, part, positive, tensor};
use crate::dim::Dim;
use crate::ops::{Call, Op, Result, Role, Stop, elements, invalid, product};
use crate::tensor::Value;

const CAUSAL: &str = "kernel per output element: depthwise";
const CAUSAL_FLOPS: &str = "1 per output element for the bias, and the activation's";
const LINEAR: &str =
    "tokens × heads × key size × value size × 2 (update, output), × 3 where a delta rule reads the state";
const LINEAR_FLOPS: &str =
    "per token and head: 1 per output element for the scale; state elements for the decay; 3 per value for the delta";

pub(crate) const OPS: &[Op] = &[
    ms("CausalConvWithState", causal).macs(CAUSAL, causal_macs).flops(CAUSAL_FLOPS, |call, outputs| {
        let activation = activation_cost(call.attributes.string("activation")?.unwrap_or("none"))?;
        Ok(elements(outputs, 0)? * (activation + i64::from(call.has(2))))
    }),
    ms("LinearAttention", linear)
        .macs(LINEAR, |call, _| {
            let Heads { tokens, heads, key, value, .. } = Heads::of(call)?;
            Ok(tokens * heads * key * value * if delta(call)? { 3i64 } else { 2 })
        })
        .flops(LINEAR_FLOPS, |call, outputs| {
            let Heads { tokens, heads, key, value, .. } = Heads::of(call)?;
            let decay = if gated(call)? { &key * &value + &key } else { Dim::ZERO };
            let update = if delta(call)? { &value * 2i64 } else { Dim::ZERO };
            Ok(tokens * heads * (decay + update) + elements(outputs, 0)?)
        }),
    ms("LinearAttentionGate", |call| Ok(vec![like(call, 0)?, like(call, 0)?]))
        .flops("5 per element: bias, softplus (3), scale; 4 for the sigmoid of the update rate", |call, outputs| {
            Ok(elements(outputs, 0)? * (5 + 4 * i64::from(call.has(3))))
        }),
    ms("VarlenCausalConvWithState", |call| Ok(vec![like(call, 0)?, like(call, 4)?]))
        .macs(CAUSAL, causal_macs)
        .flops(CAUSAL_FLOPS, |call, outputs| {
            let activation = activation_cost(call.attributes.string("activation")?.unwrap_or("none"))?;
            Ok(elements(outputs, 0)? * (activation + i64::from(call.has(3))))
        })
        .roles(&[(2, Role::Setting), (5, Role::Setting)]),
];

fn causal_macs(call: &Call, outputs: &[Value]) -> Result<Dim> {
    Ok(elements(outputs, 0)? * product(call.shape(1)?.get(2..).unwrap_or_default()))
}

/// The state is as long as the kernel reaches back on the last axis.
fn causal(call: &Call) -> Result<Vec<Value>> {
    activation_cost(call.attributes.string("activation")?.unwrap_or("none"))?;
    let mut outputs = vec![like(call, 0)?];
    if call.has(3) {
        outputs.push(like(call, 3)?);
        return Ok(outputs);
    }
    let (input, weight) = (call.shape(0)?, call.shape(1)?);
    if weight.len() != input.len() || input.len() < 3 {
        return invalid(format!(
            "input and weight need the same rank of 3 or more, they have {} and {}",
            input.len(),
            weight.len()
        ));
    }
    let dilation = match call.attributes.int_or("dilation", 1)? {
        dilation if dilation < 1 => return invalid(format!("`dilation` must be positive, it is {dilation}")),
        dilation => dilation,
    };
    let (first, length) = (&input[..input.len() - 1], (last(weight)? - 1) * dilation);
    let mut state = first.to_vec();
    match call.attributes.int_or("channels_last", 0)? {
        0 => state.push(length),
        _ => state = vec![input[0].clone(), length].into_iter().chain(input[2..].iter().cloned()).collect(),
    }
    if let window @ 1.. = call.attributes.int_or("state_window", 0)? {
        state.insert(0, Dim::from(window));
    }
    outputs.push(tensor(call.tensor(0)?.dtype, Some(state)));
    Ok(outputs)
}

struct Heads {
    batch: Dim,
    tokens: Dim,
    /// As many as there are of queries or of keys, whichever are more.
    heads: Dim,
    key_heads: Dim,
    key: Dim,
    value: Dim,
}

impl Heads {
    fn of(call: &Call) -> Result<Heads> {
        let (queries, keys) = (positive(call, "q_num_heads")?, positive(call, "kv_num_heads")?);
        let [batch, length, width] = call.shape_of_rank(0, 3)? else { return Err(Stop::Unknown) };
        Ok(Heads {
            batch: batch.clone(),
            tokens: batch * length,
            heads: Dim::from(queries.max(keys)),
            key_heads: Dim::from(keys),
            key: part(width, queries, "query's hidden size")?,
            value: part(last(call.shape_of_rank(2, 3)?)?, keys, "value's hidden size")?,
        })
    }
}

fn rule<'a>(call: &'a Call) -> Result<&'a str> {
    match call.attributes.string("update_rule")?.unwrap_or("gated_delta") {
        rule @ ("linear" | "gated" | "delta" | "gated_delta") => Ok(rule),
        other => invalid(format!("`update_rule` cannot be {other:?}")),
    }
}

fn delta(call: &Call) -> Result<bool> {
    Ok(rule(call)?.ends_with("delta"))
}

fn gated(call: &Call) -> Result<bool> {
    Ok(rule(call)?.starts_with("gated"))
}

fn linear(call: &Call) -> Result<Vec<Value>> {
    rule(call)?;
    let Heads { batch, heads, key_heads, key, value, .. } = Heads::of(call)?;
    let query = call.tensor(0)?;
    let length = &call.shape_of_rank(0, 3)?[1];
    let output = tensor(query.dtype, Some(vec![batch.clone(), length.clone(), heads * &value]));
    if call.has(3) {
        return Ok(vec![output, like(call, 3)?]);
    }
    let window = Some(call.attributes.int_or("state_window", 0)?).filter(|window| *window > 0).map(Dim::from);
    let state = window.into_iter().chain([batch, key_heads, key, value]).collect();
    Ok(vec![output, tensor(query.dtype, Some(state))])
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn states() {
        check(
            "
            com.microsoft:CausalConvWithState f16[b,8,s] f16[8,1,4] f16[8] activation='silu' -> f16[b,8,s] f16[b,8,3] macs=32*b*s flops=48*b*s
            com.microsoft:CausalConvWithState f16[b,s,8] f16[8,1,4] channels_last=1 dilation=2 -> f16[b,s,8] f16[b,6,8] macs=32*b*s
            com.microsoft:CausalConvWithState f16[b,8,s] f16[8,1,4] _ f16[b,8,3] activation='tan' -> error does not exist
            com.microsoft:LinearAttention f16[b,s,32] f16[b,s,32] f16[b,s,64] q_num_heads=4 kv_num_heads=4 -> f16[b,s,64] f16[b,4,8,16] macs=1536*b*s
            com.microsoft:LinearAttention f16[b,s,32] f16[b,s,64] f16[b,s,64] q_num_heads=2 kv_num_heads=4 update_rule='linear' -> f16[b,s,64] f16[b,4,16,16] macs=2048*b*s
            com.microsoft:LinearAttention f16[b,s,32] f16[b,s,64] f16[b,s,64] q_num_heads=2 kv_num_heads=4 update_rule='x' -> error update_rule
            com.microsoft:LinearAttentionGate f16[b,s,4] f32[4] f32[4] f16[b,s,4] -> f16[b,s,4] f16[b,s,4] flops=36*b*s
            ",
        );
    }
}
