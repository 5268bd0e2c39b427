//! Normalizations fused with the additions before and the activation behind them.

use super::ms;
use super::rules::{activation_cost, last, like, part, positive, rows, same, tensor, with_last};
use crate::dim::Dim;
use crate::ops::{Call, Op, Result, broadcast, elements, like_input, product};
use crate::tensor::{DType, Value};

const RMS: &str = "4 per element, 2 per row: square, mean, divide, scale; epsilon, root";

pub(crate) const OPS: &[Op] = &[
    Op::new("SimplifiedLayerNormalization", simplified).flops(RMS, |call, _| {
        let shape = call.shape(0)?;
        let axis = crate::ops::axis(call.attributes.int_or("axis", -1)?, shape.len())?;
        Ok(product(shape) * 4i64 + product(&shape[..axis]) * 2i64)
    }),
    ms("BranchwiseRMSNorm", like_input).flops(RMS, |call, outputs| {
        let shape = call.shape(0)?;
        let branches = call.attributes.int_or("num_branches", 0)?.max(1);
        Ok(elements(outputs, 0)? * (3 + i64::from(call.has(1))) + rows(shape)? * branches * 2i64)
    }),
    ms("GatedRMSNorm", like_input).flops(
        "9 per element, 2 per row: square, mean, divide, scale; gate, its SiLU (5, sigmoid 4)",
        |call, outputs| {
            let gate = activation_cost(call.attributes.string("activation")?.unwrap_or("silu"))?;
            let groups = elements(outputs, 0)?.floor_div(last(call.shape(1)?)?);
            Ok(elements(outputs, 0)? * (5 + gate) + groups * 2i64)
        },
    ),
    ms("GroupNorm", group_norm)
        .flops("7 per element, 2 per group: mean, subtract, square, mean, divide, scale, shift; SiLU 5", |call, _| {
            group_norm_flops(call, 0)
        }),
    ms("RMSNormRotary", rms_norm_rotary).flops(
        "4 per element, 2 per row, 3 per rotated element: RMS norm; 2 multiply, add",
        |call, _| {
            let shape = call.shape_of_rank(0, 4)?;
            let heads = rows(shape)?;
            let rotated = positive(call, "rotary_embedding_dim")?;
            Ok(&heads * width(call)? * 4i64 + &heads * 2i64 + heads * (3 * rotated))
        },
    ),
    ms("SkipGroupNorm", skip_group_norm)
        .flops("7 per element, 2 per group, 1 each for skip and bias: as GroupNorm; SiLU 5", |call, _| {
            group_norm_flops(call, 1 + i64::from(call.has(4)))
        }),
    ms("SkipLayerNormalization", skip).flops(
        "8 per element, 2 per row: skip, mean, subtract, square, mean, divide, scale, shift; 1 for the bias",
        |call, _| {
            let shape = call.shape(0)?;
            let extra = i64::from(call.has(3)) + i64::from(call.has(4));
            Ok(product(shape) * (7 + extra) + rows(shape)? * 2i64)
        },
    ),
    ms("SkipSimplifiedLayerNormalization", skip).flops(
        "5 per element, 2 per row: skip, square, mean, divide, scale; 1 for the bias",
        |call, _| {
            let shape = call.shape(0)?;
            Ok(product(shape) * (5 + i64::from(call.has(3))) + rows(shape)? * 2i64)
        },
    ),
];

/// The scale's dtype is the output's; the saved inverse deviation has size 1 from `axis` on.
fn simplified(call: &Call) -> Result<Vec<Value>> {
    let input = call.tensor(0)?;
    let dtype = call.tensor(1).map_or(input.dtype, |scale| scale.dtype);
    let deviation = match &input.shape {
        Some(shape) => {
            let axis = crate::ops::axis(call.attributes.int_or("axis", -1)?, shape.len())?;
            Some(shape[..axis].iter().cloned().chain(vec![Dim::ONE; shape.len() - axis]).collect())
        }
        None => None,
    };
    let stash = DType::from_code(call.attributes.int_or("stash_type", 1)? as i32);
    Ok(vec![tensor(dtype, input.shape.clone()), tensor(stash, deviation)])
}

/// Output, saved mean and inverse deviation, and the sum that was normalized.
fn skip(call: &Call) -> Result<Vec<Value>> {
    let shape = call.shape(0)?;
    if let Ok(skip) = call.shape(1) {
        broadcast(shape, skip)?;
    }
    if let Ok([gamma]) = call.shape(2) {
        same(last(shape)?, gamma, "sizes of the last axis and gamma")?;
    }
    let statistic = tensor(DType::F32, Some(with_last(shape, Dim::ONE)?));
    Ok(vec![like(call, 0)?, statistic.clone(), statistic, like(call, 0)?])
}

fn channels(call: &Call) -> Result<Dim> {
    let shape = call.shape(0)?;
    match (call.attributes.int_or("channels_last", 1)?, shape) {
        (0, [_, channels, ..]) => Ok(channels.clone()),
        (0, _) => Err("the input needs a channel axis".into()),
        _ => last(shape).cloned(),
    }
}

fn group_norm(call: &Call) -> Result<Vec<Value>> {
    if call.tensor(0)?.shape.is_some() {
        let channels = channels(call)?;
        part(&channels, positive(call, "groups")?, "number of channels")?;
        if let Ok([gamma]) = call.shape(1) {
            same(&channels, gamma, "numbers of channels and of gamma")?;
        }
    }
    like_input(call)
}

fn skip_group_norm(call: &Call) -> Result<Vec<Value>> {
    let mut outputs = group_norm(call)?;
    outputs.push(like(call, 0)?);
    Ok(outputs)
}

fn group_norm_flops(call: &Call, additions: i64) -> Result<Dim> {
    let shape = call.shape(0)?;
    let activation = if call.attributes.int_or("activation", 0)? == 1 { 5 } else { 0 };
    let groups = shape.first().ok_or("the input needs a batch axis")? * positive(call, "groups")?;
    Ok(product(shape) * (7 + activation + additions) + groups * 2i64)
}

/// The width of the slice of each head that is normalized.
fn width(call: &Call) -> Result<Dim> {
    match call.attributes.int_or("input_width", 0)? {
        0 => last(call.shape_of_rank(0, 4)?).cloned(),
        width => Ok(Dim::from(width)),
    }
}

fn rms_norm_rotary(call: &Call) -> Result<Vec<Value>> {
    let [batch, sequence, heads, _] = call.shape_of_rank(0, 4)? else { return Err(crate::ops::Stop::Unknown) };
    let width = width(call)?;
    let flat = call.attributes.int_or("flatten_batch", 0)? == 1;
    let (first, second) = if flat { (Dim::ONE, batch * sequence) } else { (batch.clone(), sequence.clone()) };
    let dtype = if call.attributes.int_or("output_fp16", 0)? == 1 { DType::F16 } else { DType::BF16 };
    Ok(vec![
        tensor(dtype, Some(vec![first, second, heads * &width])),
        tensor(DType::F32, Some(vec![batch.clone(), sequence.clone(), heads.clone(), width])),
    ])
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn layer_normalizations() {
        check(
            "
            SimplifiedLayerNormalization f16[b,s,8] f32[8] axis=-1 -> f32[b,s,8] f32[b,s,1] flops=34*b*s
            SimplifiedLayerNormalization f32[2,3,8] f32[3,8] axis=1 -> f32[2,3,8] f32[2,1,1] flops=196
            com.microsoft:SkipLayerNormalization f16[2,s,8] f16[2,s,8] f16[8] f16[8] -> f16[2,s,8] f32[2,s,1] f32[2,s,1] f16[2,s,8] flops=132*s
            com.microsoft:SkipLayerNormalization f32[2,3,8] f32[3,8] f32[8] f32[8] f32[8] -> f32[2,3,8] flops=444
            com.microsoft:SkipLayerNormalization f32[2,3,8] f32[3,8] f32[9] -> error gamma
            com.microsoft:SkipSimplifiedLayerNormalization f32[5,8] f32[5,8] f32[8] -> f32[5,8] _ _ f32[5,8] flops=210
            com.microsoft:GatedRMSNorm f16[2,3,16] f16[8] f16[2,3,16] -> f16[2,3,16] flops=984
            com.microsoft:BranchwiseRMSNorm f16[2,16] num_branches=4 -> f16[2,16] flops=112
            ",
        );
    }

    #[test]
    fn group_normalizations() {
        check(
            "
            com.microsoft:GroupNorm f16[2,4,4,8] f32[8] f32[8] groups=4 activation=1 -> f16[2,4,4,8] flops=3088
            com.microsoft:GroupNorm f16[2,8,4,4] f32[8] f32[8] groups=4 activation=0 channels_last=0 -> f16[2,8,4,4] flops=1808
            com.microsoft:GroupNorm f16[2,4,4,8] f32[8] f32[8] groups=3 activation=1 -> error divisible
            com.microsoft:GroupNorm f16[2,4,4,8] f32[9] f32[9] groups=4 activation=1 -> error gamma
            com.microsoft:SkipGroupNorm f16[2,4,4,8] f32[8] f32[8] f16[2,8] f16[8] groups=4 activation=0 -> f16[2,4,4,8] f16[2,4,4,8] flops=2320
            com.microsoft:RMSNormRotary bf16[2,3,4,16] f32[8] i64[1] f32[9,2] f32[9,2] rotary_embedding_dim=4 input_width=8 -> bf16[2,3,32] f32[2,3,4,8] flops=1104
            ",
        );
    }
}
