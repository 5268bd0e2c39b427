//! Attention of translation decoders, and within a window with a few global tokens.

use super::attention::Sizes;
use super::ms;
use super::rules::{last, like, part, positive, tensor};
use crate::dim::Dim;
use crate::ops::{Call, Op, Result, Role, Stop, product};
use crate::tensor::Value;

const PROJECTED: &str = "projection, and batch × heads × queries × keys × (head size + value head size)";
const SCORES: &str = "6 per score less 2 per row: scale, softmax; 1 each for mask, bias; 1 per projection bias";

const S: Role = Role::Setting;

pub(crate) const OPS: &[Op] = &[
    ms("DecoderAttention", decoder_attention)
        .macs(PROJECTED, |call, _| {
            let (hidden, new) = (last(call.shape_of_rank(0, 3)?)?, decoder_keys(call)?);
            let keys = match new {
                Keys::Cached => Dim::ZERO,
                _ => product(call.shape_of_rank(decoder_source(call), 3)?) * hidden * 2i64,
            };
            let products = decoder_sizes(call)?.macs();
            Ok(product(call.shape(0)?) * hidden + keys + products)
        })
        .flops(SCORES, |call, _| {
            Ok(decoder_sizes(call)?.flops(i64::from(call.has(5)))? + product(call.shape(0)?) * 3i64)
        })
        .roles(&[(5, S), (8, S), (9, S), (10, S), (11, S)]),
    ms("LongformerAttention", |call| Ok(vec![like(call, 0)?]))
        .macs(
            "two projections, and 2 × window + 1 keys and the global ones per query, all queries per global key",
            |call, _| longformer_macs(call, [1, 4]),
        )
        .flops("6 per score less 2 per row: scale, softmax; 1 per projection bias", |call, _| longformer_flops(call))
        .roles(&[(3, S), (6, S)]),
    ms("QOrderedLongformerAttention", |call| Ok(vec![like(call, 0)?]))
        .macs(
            "two projections, and 2 × window + 1 keys and the global ones per query, all queries per global key",
            |call, _| longformer_macs(call, [2, 8]),
        )
        .flops("6 per score less 2 per row: scale, softmax; 1 per projection bias", |call, _| longformer_flops(call))
        .roles(&[
            (1, S),
            (2, Role::Parameter),
            (3, S),
            (5, S),
            (6, S),
            (7, S),
            (8, Role::Parameter),
            (9, S),
            (11, S),
            (12, S),
            (13, S),
        ]),
];

// The attention of translation decoders, sequence first.

/// Where its keys and values come from.
enum Keys {
    /// From the cache alone.
    Cached,
    /// From the cache and this step.
    Appended,
    /// From this step alone.
    Computed,
    /// Only the run decides.
    Decided,
}

fn flag(call: &Call, input: usize) -> Option<bool> {
    match call.optional(input)?.scalars()?.first()? {
        crate::tensor::Scalar::Bool(flag) => Some(*flag),
        _ => None,
    }
}

fn decoder_keys(call: &Call) -> Result<Keys> {
    Ok(match (flag(call, 8), flag(call, 9)) {
        (Some(true), Some(true)) => Keys::Cached,
        (Some(false), Some(true)) => Keys::Appended,
        (Some(_), Some(false)) => Keys::Computed,
        _ => Keys::Decided,
    })
}

/// The input that keys and values are projected from: cross-attention has its own.
fn decoder_source(call: &Call) -> usize {
    if flag(call, 8) == Some(false) { 0 } else { 1 }
}

fn decoder_attention(call: &Call) -> Result<Vec<Value>> {
    let [_, batch, hidden] = call.shape_of_rank(0, 3)? else { return Err(Stop::Unknown) };
    let heads = positive(call, "num_heads")?;
    let source = &call.shape_of_rank(decoder_source(call), 3)?[0];
    let cached = || Ok::<_, Stop>(&call.shape_of_rank(6, 4)?[2]);
    let length = match decoder_keys(call)? {
        Keys::Cached => cached()?.clone(),
        Keys::Appended => cached()? + source,
        Keys::Computed => source.clone(),
        Keys::Decided => call.decided("keys"),
    };
    let cache = vec![batch.clone(), Dim::from(heads), length, part(hidden, heads, "hidden size")?];
    let cache = tensor(call.tensor(0)?.dtype, Some(cache));
    Ok(vec![like(call, 0)?, cache.clone(), cache])
}

fn decoder_sizes(call: &Call) -> Result<Sizes> {
    let [queries, _, _] = call.shape_of_rank(0, 3)? else { return Err(Stop::Unknown) };
    let outputs = decoder_attention(call)?;
    let cache = outputs.get(1).and_then(Value::as_tensor).and_then(|cache| cache.shape.clone());
    let Some([batch, heads, keys, head]) = cache.as_deref() else { return Err(Stop::Unknown) };
    Ok(Sizes {
        batch: batch.clone(),
        heads: heads.clone(),
        queries: queries.clone(),
        keys: keys.clone(),
        head: head.clone(),
        value_head: head.clone(),
    })
}

// Attention within a window, and of a few global tokens with all.

/// Scores for each batch and head: each token with its window and the global ones, the global ones with all.
fn longformer_scores(call: &Call) -> Result<(Dim, Dim)> {
    let sequence = &call.shape_of_rank(0, 3)?[1];
    let window = positive(call, "window")?
        .checked_mul(2)
        .and_then(|double| double.checked_add(1))
        .ok_or("the window overflows")?;
    let global = call.decided("global");
    Ok((sequence * Dim::from(window).min(sequence) + sequence * &global * 2i64, global))
}

fn longformer_macs(call: &Call, weights: [usize; 2]) -> Result<Dim> {
    let [batch, _, hidden] = call.shape_of_rank(0, 3)? else { return Err(Stop::Unknown) };
    let projected = last(call.shape_of_rank(weights[0], 2)?)? + last(call.shape_of_rank(weights[1], 2)?)?;
    let scores = longformer_scores(call)?.0;
    Ok(product(call.shape(0)?) * projected + batch * hidden * scores * 2i64)
}

fn longformer_flops(call: &Call) -> Result<Dim> {
    let [batch, sequence, hidden] = call.shape_of_rank(0, 3)? else { return Err(Stop::Unknown) };
    let heads = positive(call, "num_heads")?;
    let (scores, global) = longformer_scores(call)?;
    let softmaxes = batch * heads * (scores * 6i64 - (sequence + global) * 2i64);
    Ok(softmaxes + batch * sequence * hidden * 6i64)
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn decoders_and_windows() {
        check(
            "
            com.microsoft:LongformerAttention f32[1,16,8] f32[8,24] f32[24] f32[1,16] f32[8,24] f32[24] i32[1,16] num_heads=2 window=2 -> f32[1,16,8]
            com.microsoft:DecoderAttention f32[3,2,8] f32[7,2,8] f32[8,8] f32[8,16] f32[24] _ f32[2,2,5,4] f32[2,2,5,4] bool[1]{false} bool[1]{true} bool[1]{true} bool[1]{false} num_heads=2 -> f32[3,2,8] f32[2,2,8,4] f32[2,2,8,4] macs=1920
            ",
        );
    }
}
