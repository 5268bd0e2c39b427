//! Attention over packed tokens and paged caches, its rotations, position biases and padding.

use super::attention::{Sizes, hidden_sizes};
use super::ms;
use super::rules::{last, like, part, positive, tensor};
use crate::dim::Dim;
use crate::ops::{Call, Op, Result, Role, Stop, elements, invalid, like_input, output, product};
use crate::tensor::{DType, Value};

const S: Role = Role::Setting;
const PACKED: &str =
    "batch × heads × padded length² × (head size + value head size), and the projection where there is one";
const PAGED: &str = "tokens × heads × cached length × (head size + value head size)";
const SCORES: &str = "6 per score less 2 per row: scale, softmax; 1 for a bias";
const ROTATION: &str = "3 per rotated element: 2 multiply, 1 add";

pub(crate) const OPS: &[Op] = &[
    ms("GatedRelativePositionBias", gated_bias)
        .macs("batch × heads × length × head size × D", |call, _| {
            let [batch, heads, length, head] = gated_sizes(call)?;
            Ok(batch * heads * length * head * last(call.shape_of_rank(3, 2)?)?)
        })
        .flops("2 per query element and D, 11 per query for its gates, 1 per output element", |call, outputs| {
            let [batch, heads, length, head] = gated_sizes(call)?;
            let width = last(call.shape_of_rank(3, 2)?)?;
            Ok(batch * heads * length * (head + width * 2i64 + 11) + elements(outputs, 0)?)
        })
        .roles(&[(6, S)]),
    ms("GemmaRotaryEmbedding", |call| Ok(vec![like(call, 1)?, like(call, 3)?]))
        .flops("3 per element of q and k: 2 multiply, add; 2 per element of the embedding: sin, cos", |call, _| {
            Ok((product(call.shape(1)?) + product(call.shape(3)?)) * 3i64 + product(call.shape(0)?) * 2i64)
        }),
    ms("MRotaryEmbedding", like_input).flops(ROTATION, rotations).roles(&[(1, S), (2, S), (3, S)]),
    ms("PackedAttention", packed)
        .macs(PACKED, |call, _| Ok(product(call.shape(0)?) * last(call.shape(1)?)? + packed_sizes(call)?.macs()))
        .flops(SCORES, |call, _| {
            let biases = &call.shape_of_rank(0, 2)?[0] * last(call.shape(1)?)?;
            Ok(packed_sizes(call)?.flops(i64::from(call.has(5)))? + biases)
        })
        .roles(&[(3, S), (4, S)]),
    ms("PackedMultiHeadAttention", packed_multi_head)
        .macs(PACKED, |call, _| Ok(packed_heads(call)?.macs()))
        .flops(SCORES, |call, _| packed_heads(call)?.flops(i64::from(call.has(6))))
        .roles(&[(4, S), (5, S)]),
    ms("PagedAttention", paged)
        .macs(PAGED, |call, _| Ok(paged_sizes(call)?.macs()))
        .flops(SCORES, |call, _| paged_sizes(call)?.flops(0))
        .roles(&[(5, S), (6, S), (7, S), (8, S), (9, S), (10, S), (14, S), (15, S), (16, S)]),
    ms("RelativePositionBias", relative_bias)
        .flops("7 per output element: distance, bounds, logarithm of a ratio, scale", |_, outputs| {
            // Every head shares the bucket of a pair of positions.
            let Some([_, _, queries, keys]) =
                outputs.first().and_then(Value::as_tensor).and_then(|t| t.shape.as_deref())
            else {
                return Err(Stop::Unknown);
            };
            Ok(queries * keys * 7i64)
        })
        .roles(&[(1, S), (2, S)]),
    ms("RemovePadding", remove_padding).roles(&[(1, S)]),
    ms("RestorePadding", |call| {
        let [_, hidden] = call.shape_of_rank(0, 2)? else { return Err(Stop::Unknown) };
        let [batch, length] = call.shape_of_rank(1, 2)? else { return Err(Stop::Unknown) };
        output(call.tensor(0)?.dtype, vec![batch.clone(), length.clone(), hidden.clone()])
    })
    .roles(&[(1, S)]),
    ms("RotaryEmbedding", like_input).flops(ROTATION, rotations).roles(&[(1, S), (2, S), (3, S)]),
    ms("SparsePagedAttention", paged)
        .macs("tokens × heads × selected entries × (head size + value head size)", |call, _| {
            Ok(selected_sizes(call)?.macs())
        })
        .flops(SCORES, |call, _| selected_sizes(call)?.flops(0))
        .roles(&[
            (5, S),
            (6, S),
            (7, S),
            (8, S),
            (9, S),
            (10, S),
            (13, S),
            (14, S),
            (15, S),
            (19, S),
            (20, S),
            (21, S),
        ]),
];

/// The caches hold one value for each pair of elements of a head, which may be rotated in part.
fn rotations(call: &Call, outputs: &[Value]) -> Result<Dim> {
    let shape = call.shape(0)?;
    let rotated = last(call.shape_of_rank(2, 2)?)? * 2i64;
    let heads = match (shape, call.attributes.int_or("num_heads", 0)?) {
        ([batch, heads, length, _], _) => batch * heads * length,
        ([batch, length, _], heads) if heads > 0 => batch * length * heads,
        // Without a number of heads, each is rotated whole.
        _ => return Ok(elements(outputs, 0)? * 3),
    };
    Ok(heads * rotated * 3i64)
}

fn packed_sizes(call: &Call) -> Result<Sizes> {
    let heads = positive(call, "num_heads")?;
    let (hidden, value_hidden) = hidden_sizes(call, last(call.shape_of_rank(1, 2)?)?)?;
    let [batch, length] = call.shape_of_rank(3, 2)? else { return Err(Stop::Unknown) };
    Ok(Sizes {
        batch: batch.clone(),
        heads: Dim::from(heads),
        queries: length.clone(),
        keys: length.clone(),
        head: part(&hidden, heads, "hidden size")?,
        value_head: part(&value_hidden, heads, "value's hidden size")?,
    })
}

fn packed(call: &Call) -> Result<Vec<Value>> {
    let [tokens, _] = call.shape_of_rank(0, 2)? else { return Err(Stop::Unknown) };
    let (_, value_hidden) = hidden_sizes(call, last(call.shape_of_rank(1, 2)?)?)?;
    positive(call, "num_heads")?;
    output(call.tensor(0)?.dtype, vec![tokens.clone(), value_hidden])
}

fn packed_heads(call: &Call) -> Result<Sizes> {
    let heads = positive(call, "num_heads")?;
    let head = match call.shape(0)? {
        [_, _, _, head] => head.clone(),
        [_, hidden] => part(hidden, heads, "hidden size")?,
        query => return invalid(format!("the query needs rank 2 or 4, it has {}", query.len())),
    };
    let value_head = match call.has(2) {
        true => part(last(call.shape_of_rank(2, 2)?)?, heads, "value's hidden size")?,
        false => head.clone(),
    };
    let [batch, length] = call.shape_of_rank(4, 2)? else { return Err(Stop::Unknown) };
    let (queries, keys) = (length.clone(), length.clone());
    Ok(Sizes { batch: batch.clone(), heads: Dim::from(heads), queries, keys, head, value_head })
}

fn packed_multi_head(call: &Call) -> Result<Vec<Value>> {
    let hidden = match (call.has(2), call.shape(0)?) {
        (true, _) => last(call.shape_of_rank(2, 2)?)?.clone(),
        (false, [_, heads, _, head]) => heads * head,
        (false, query) => return invalid(format!("the packed query needs rank 4, it has {}", query.len())),
    };
    let tokens = call.shape(0)?.first().cloned().ok_or(Stop::Unknown)?;
    output(call.tensor(0)?.dtype, vec![tokens, hidden])
}

/// The length that is attended to stands in the past lengths, which only the run knows.
fn paged_sizes(call: &Call) -> Result<Sizes> {
    let [tokens, hidden] = call.shape_of_rank(0, 2)? else { return Err(Stop::Unknown) };
    let (heads, key_heads) = (positive(call, "num_heads")?, positive(call, "kv_num_heads")?);
    let latent = call.attributes.string("kv_cache_layout")? == Some("LATENT");
    let head = match call.has(1) {
        true => part(hidden, heads, "hidden size")?,
        false => {
            let all = key_heads.checked_mul(2).and_then(|double| heads.checked_add(double)).ok_or("too many heads")?;
            part(hidden, all, "size of the packed projections")?
        }
    };
    let value_head = match call.attributes.int_or("v_head_size", 0)? {
        size if latent && size > 0 => Dim::from(size),
        _ => head.clone(),
    };
    let (queries, keys) = (tokens.clone(), call.decided("keys"));
    Ok(Sizes { batch: Dim::ONE, heads: Dim::from(heads), queries, keys, head, value_head })
}

fn selected_sizes(call: &Call) -> Result<Sizes> {
    Ok(Sizes { keys: last(call.shape_of_rank(9, 2)?)?.clone(), ..paged_sizes(call)? })
}

fn paged(call: &Call) -> Result<Vec<Value>> {
    let sizes = paged_sizes(call)?;
    let mut outputs = output(call.tensor(0)?.dtype, vec![sizes.queries, sizes.heads * sizes.value_head])?;
    for cache in [3, 4] {
        outputs.push(if call.has(cache) { like(call, cache)? } else { Value::Unknown });
    }
    Ok(outputs)
}

/// Batch, heads, length and head size.
fn gated_sizes(call: &Call) -> Result<[Dim; 4]> {
    let heads = positive(call, "num_heads")?;
    let (batch, length, hidden) = match call.shape(0)? {
        [batch, length, hidden] => (batch, length, hidden),
        [_, hidden] => match call.shape_of_rank(6, 2)? {
            [batch, length] => (batch, length, hidden),
            _ => return Err(Stop::Unknown),
        },
        query => return invalid(format!("the query needs rank 2 or 3, it has {}", query.len())),
    };
    Ok([batch.clone(), Dim::from(heads), length.clone(), part(hidden, heads, "hidden size")?])
}

fn gated_bias(call: &Call) -> Result<Vec<Value>> {
    let [batch, heads, length, _] = gated_sizes(call)?;
    output(call.tensor(0)?.dtype, vec![batch, heads, length.clone(), length])
}

fn relative_bias(call: &Call) -> Result<Vec<Value>> {
    let [_, heads] = call.shape_of_rank(0, 2)? else { return Err(Stop::Unknown) };
    let length = |input, name| match call.dims(input).as_deref() {
        Some([length]) => length.clone(),
        _ => call.decided(name),
    };
    output(call.tensor(0)?.dtype, vec![Dim::ONE, heads.clone(), length(1, "queries"), length(2, "keys")])
}

fn remove_padding(call: &Call) -> Result<Vec<Value>> {
    let [batch, length, hidden] = call.shape_of_rank(0, 3)? else { return Err(Stop::Unknown) };
    let tokens = match call.ints(1) {
        Some(counts) => Dim::from(counts.iter().fold(0i64, |sum, count| sum.saturating_add(*count))),
        None => call.decided("tokens"),
    };
    Ok(vec![
        tensor(call.tensor(0)?.dtype, Some(vec![tokens, hidden.clone()])),
        tensor(DType::I32, Some(vec![batch.clone(), length.clone()])),
        tensor(DType::I32, Some(vec![batch + 1])),
        tensor(DType::I32, Some(vec![Dim::ONE])),
    ])
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn packed_tokens() {
        check(
            "
            com.microsoft:PackedAttention f32[t,8] f32[8,24] f32[24] i32[2,3] i32[3] num_heads=2 -> f32[t,8]
            com.microsoft:PackedAttention f32[5,8] f32[8,24] f32[24] i32[2,3] i32[3] num_heads=2 -> f32[5,8] macs=1248
            com.microsoft:PackedMultiHeadAttention f32[5,2,3,4] _ _ _ i32[2,3] i32[3] num_heads=2 -> f32[5,8] macs=288
            com.microsoft:PackedMultiHeadAttention f32[5,8] f32[5,8] f32[5,6] _ i32[2,3] i32[3] num_heads=2 -> f32[5,6] macs=252
            com.microsoft:PagedAttention f16[t,64] f16[t,32] f16[t,32] f16[9,16,2,16] f16[9,16,2,16] i32[3] i32[2] i32[2,4] num_heads=4 kv_num_heads=2 -> f16[t,64] f16[9,16,2,16] f16[9,16,2,16]
            com.microsoft:RemovePadding f32[2,3,8] i32[2] -> f32[$node.tokens,8] i32[2,3] i32[3] i32[1]
            com.microsoft:RemovePadding f32[2,3,8] i32[2]{1,3} -> f32[4,8] i32[2,3] i32[3] i32[1]
            com.microsoft:RestorePadding f32[t,8] i32[2,3] -> f32[2,3,8]
            ",
        );
    }

    #[test]
    fn positions() {
        check(
            "
            com.microsoft:RotaryEmbedding f16[b,4,s,16] i64[b,s] f16[99,8] f16[99,8] -> f16[b,4,s,16] flops=192*b*s
            com.microsoft:RotaryEmbedding f16[b,s,64] i64[b,s] f16[99,4] f16[99,4] num_heads=4 rotary_embedding_dim=8 -> f16[b,s,64] flops=96*b*s
            com.microsoft:GemmaRotaryEmbedding f32[1,3,8] f16[1,2,3,8] f16[1,2,3,8] f16[1,1,3,8] f16[1,1,3,8] -> f16[1,2,3,8] f16[1,1,3,8] flops=264
            com.microsoft:RelativePositionBias f32[32,8] i64[1]{n} i64[1]{n} max_distance=128 -> f32[1,8,n,n]
            com.microsoft:GatedRelativePositionBias f32[2,3,8] f32[8] f32[1,2,3,3] f32[4,8] f32[8] f32[1,2,1,1] num_heads=2 -> f32[2,2,3,3] macs=384
            ",
        );
    }
}
