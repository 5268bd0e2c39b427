//! Attention over dense batches, with the projections and the key and value cache that onnxruntime fuses into it.
//!
//! MACs are those of the full products; what a causal mask hides is said beside them. Local and sparse masks are not
//! discounted.

use super::ms;
use super::rules::{last, like, part, positive, same, softmax_flops, tensor};
use crate::dim::Dim;
use crate::ops::{Call, Op, Result, Role, Stop, invalid, product};
use crate::tensor::Value;

const PRODUCTS: &str = "batch × heads × queries × keys × (head size + value head size)";
const PROJECTED: &str = "projection, and batch × heads × queries × keys × (head size + value head size)";
const SCORES: &str = "6 per score less 2 per row: scale, softmax; 1 each for mask, bias; 1 per projection bias";
const ROTARY: &str = "6 per score less 2 per row: scale, softmax; 1 for a bias; 3 per rotated element";

const S: Role = Role::Setting;

pub(crate) const OPS: &[Op] = &[
    ms("Attention", |call| projected(call, &ATTENTION))
        .macs(PROJECTED, |call, _| attention_macs(call, &ATTENTION))
        .hides(|call, _| hidden(call, merged_sizes(call, &ATTENTION)?.0))
        .flops(SCORES, |call, _| attention_flops(call, &ATTENTION))
        .roles(&[(3, S), (6, S)]),
    ms("DecoderMaskedMultiHeadAttention", |call| multi_head(call, &MASKED))
        .macs(PRODUCTS, |call, _| Ok(Heads::of(call, &MASKED)?.sizes.macs()))
        .flops(SCORES, |call, _| multi_head_flops(call, &MASKED))
        .roles(&[(3, S), (7, S), (8, S), (9, S)]),
    ms("DecoderMaskedSelfAttention", |call| projected(call, &DECODER))
        .macs(PROJECTED, |call, _| attention_macs(call, &DECODER))
        .flops(SCORES, |call, _| attention_flops(call, &DECODER))
        .roles(&[(3, S), (6, S), (7, S), (8, S)]),
    ms("GroupQueryAttention", |call| grouped(call, &GROUPED))
        .macs(PRODUCTS, |call, _| Ok(Groups::of(call, &GROUPED)?.sizes.macs()))
        .hides(|call, _| Ok(Groups::of(call, &GROUPED)?.sizes.hidden()))
        .flops(ROTARY, |call, _| grouped_flops(call, &GROUPED))
        .roles(&[(5, S), (6, S), (7, S), (8, S), (9, S), (12, S), (13, S), (16, S)]),
    ms("MultiHeadAttention", |call| multi_head(call, &MULTI))
        .macs(PRODUCTS, |call, _| Ok(Heads::of(call, &MULTI)?.sizes.macs()))
        .hides(|call, _| hidden(call, Heads::of(call, &MULTI)?.sizes))
        .flops(SCORES, |call, _| multi_head_flops(call, &MULTI))
        .roles(&[(4, S), (8, S), (9, S)]),
    ms("QAttention", |call| projected(call, &QUANTIZED))
        .macs(PROJECTED, |call, _| attention_macs(call, &QUANTIZED))
        .hides(|call, _| hidden(call, merged_sizes(call, &QUANTIZED)?.0))
        .flops(SCORES, |call, _| attention_flops(call, &QUANTIZED))
        .roles(&[(1, Role::Parameter), (3, S), (4, S), (5, S), (6, S), (7, S)]),
    ms("QOrderedAttention", ordered_attention)
        .macs(PROJECTED, |call, _| {
            let weights = (5..8).map(|input| Ok(last(call.shape_of_rank(input, 2)?)?.clone()));
            let projected = weights.sum::<Result<Dim>>()?;
            Ok(product(call.shape_of_rank(0, 3)?) * projected + ordered_sizes(call)?.macs())
        })
        .flops(SCORES, |call, _| ordered_sizes(call)?.flops(i64::from(call.has(17)) + i64::from(call.has(19))))
        .roles(&ORDERED_ROLES),
    ms("SparseAttention", |call| grouped(call, &SPARSE))
        .macs(PRODUCTS, |call, _| Ok(Groups::of(call, &SPARSE)?.sizes.macs()))
        .flops(ROTARY, |call, _| grouped_flops(call, &SPARSE))
        .roles(&[(5, S), (6, S), (7, S), (8, S), (9, S), (10, S)]),
];

const ORDERED_ROLES: [(usize, Role); 14] = [
    (1, S),
    (2, S),
    (3, S),
    (4, S),
    (5, Role::Parameter),
    (6, Role::Parameter),
    (7, Role::Parameter),
    (8, S),
    (9, S),
    (10, S),
    (14, S),
    (15, S),
    (16, S),
    (17, S),
];

/// What the two products of attention are made of.
pub(super) struct Sizes {
    pub(super) batch: Dim,
    pub(super) heads: Dim,
    pub(super) queries: Dim,
    pub(super) keys: Dim,
    pub(super) head: Dim,
    pub(super) value_head: Dim,
}

impl Sizes {
    pub(super) fn macs(&self) -> Dim {
        &self.batch * &self.heads * &self.queries * &self.keys * (&self.head + &self.value_head)
    }

    /// MACs that a causal mask hides: the last query sees all keys, each before it one fewer.
    pub(super) fn hidden(&self) -> Dim {
        let past = &self.keys - &self.queries;
        let pairs = crate::ops::attention::hidden_pairs(&self.queries, &self.keys, &past);
        &self.batch * &self.heads * pairs * (&self.head + &self.value_head)
    }

    /// Scale and softmax of the scores, and so many more operations for each.
    pub(super) fn flops(&self, more: i64) -> Result<Dim> {
        let scores = [self.batch.clone(), self.heads.clone(), self.queries.clone(), self.keys.clone()];
        Ok(softmax_flops(&scores)? + product(&scores) * (1 + more))
    }
}

/// MACs that the mask of `unidirectional` hides.
fn hidden(call: &Call, sizes: Sizes) -> Result<Dim> {
    Ok(if call.attributes.int_or("unidirectional", 0)? == 0 { Dim::ZERO } else { sizes.hidden() })
}

/// The number that a tensor of one element holds, where it is known.
fn number(call: &Call, input: usize) -> Option<Dim> {
    let dims = call.dims(input)?;
    dims.first().cloned().filter(|_| dims.len() == 1)
}

// Attention with merged projection weights.

/// Where an operator with a merged projection has its inputs.
struct Merged {
    weights: usize,
    biases: usize,
    mask: usize,
    bias: Option<usize>,
    past: usize,
    past_length: Option<usize>,
}

const ATTENTION: Merged = Merged { weights: 1, biases: 2, mask: 3, bias: Some(5), past: 4, past_length: Some(6) };
const DECODER: Merged = Merged { weights: 1, biases: 2, mask: 3, bias: Some(5), past: 4, past_length: Some(6) };
const QUANTIZED: Merged = Merged { weights: 1, biases: 2, mask: 5, bias: None, past: 8, past_length: None };

/// Hidden sizes of query and key, and of value.
pub(super) fn hidden_sizes(call: &Call, width: &Dim) -> Result<(Dim, Dim)> {
    match call.attributes.ints("qkv_hidden_sizes")? {
        Some(&[query, key, value]) => {
            if query != key {
                return invalid("`qkv_hidden_sizes` needs equal sizes of query and key");
            }
            let sum =
                query.checked_add(key).and_then(|sum| sum.checked_add(value)).ok_or("`qkv_hidden_sizes` overflow")?;
            same(width, &Dim::from(sum), "width of the weights and the sum of `qkv_hidden_sizes`")?;
            Ok((Dim::from(query), Dim::from(value)))
        }
        Some(&[]) | None => {
            let hidden = part(width, 3, "width of the weights")?;
            Ok((hidden.clone(), hidden))
        }
        Some(_) => invalid("`qkv_hidden_sizes` needs three sizes"),
    }
}

fn merged_sizes(call: &Call, at: &Merged) -> Result<(Sizes, Dim)> {
    let [batch, sequence, input] = call.shape_of_rank(0, 3)? else { return Err(Stop::Unknown) };
    let [rows, width] = call.shape_of_rank(at.weights, 2)? else { return Err(Stop::Unknown) };
    same(input, rows, "sizes of the input's last axis and the weights' first")?;
    let heads = positive(call, "num_heads")?;
    let (hidden, value_hidden) = hidden_sizes(call, width)?;
    let past = match call.has(at.past) {
        true => Some(call.shape_of_rank(at.past, 5)?[3].clone()),
        false => None,
    };
    let shared = call.attributes.int_or("past_present_share_buffer", 0)? != 0;
    let keys = match &past {
        Some(past) if shared => match at.past_length.and_then(|input| number(call, input)) {
            Some(filled) => filled + sequence,
            None => past.clone(),
        },
        Some(past) => past + sequence,
        None => sequence.clone(),
    };
    let present = past.map_or_else(|| sequence.clone(), |past| if shared { past } else { past + sequence });
    let sizes = Sizes {
        batch: batch.clone(),
        heads: Dim::from(heads),
        queries: sequence.clone(),
        keys,
        head: part(&hidden, heads, "hidden size")?,
        value_head: part(&value_hidden, heads, "value's hidden size")?,
    };
    Ok((sizes, present))
}

/// The output, and keys and values stacked in one tensor.
fn projected(call: &Call, at: &Merged) -> Result<Vec<Value>> {
    let (sizes, present) = merged_sizes(call, at)?;
    let dtype = match at.bias {
        Some(_) => call.tensor(0)?.dtype,
        None => call.tensor(3)?.dtype,
    };
    let hidden = &sizes.value_head * &sizes.heads;
    let output = vec![sizes.batch.clone(), sizes.queries, hidden];
    let present = vec![Dim::from(2i64), sizes.batch, sizes.heads, present, sizes.head];
    Ok(vec![tensor(dtype, Some(output)), tensor(dtype, Some(present))])
}

fn attention_macs(call: &Call, at: &Merged) -> Result<Dim> {
    let (sizes, _) = merged_sizes(call, at)?;
    Ok(product(call.shape(0)?) * last(call.shape(at.weights)?)? + sizes.macs())
}

fn attention_flops(call: &Call, at: &Merged) -> Result<Dim> {
    let (sizes, _) = merged_sizes(call, at)?;
    let biased = at.bias.is_some_and(|input| call.has(input));
    let biases = match call.has(at.biases) {
        true => &sizes.batch * &sizes.queries * last(call.shape(at.weights)?)?,
        false => Dim::ZERO,
    };
    Ok(sizes.flops(i64::from(call.has(at.mask)) + i64::from(biased))? + biases)
}

fn ordered_sizes(call: &Call) -> Result<Sizes> {
    let [batch, sequence, _] = call.shape_of_rank(0, 3)? else { return Err(Stop::Unknown) };
    let heads = positive(call, "num_heads")?;
    let head = |input| part(last(call.shape_of_rank(input, 2)?)?, heads, "hidden size");
    let past = if call.has(18) { call.shape_of_rank(18, 5)?[3].clone() } else { Dim::ZERO };
    Ok(Sizes {
        batch: batch.clone(),
        heads: Dim::from(heads),
        queries: sequence.clone(),
        keys: past + sequence,
        head: head(5)?,
        value_head: head(7)?,
    })
}

fn ordered_attention(call: &Call) -> Result<Vec<Value>> {
    let sizes = ordered_sizes(call)?;
    Ok(vec![tensor(call.tensor(0)?.dtype, Some(vec![sizes.batch, sizes.queries, sizes.value_head * sizes.heads]))])
}

// Attention of projected heads.

/// Where an operator of projected heads has its inputs.
struct Separate {
    past: usize,
    past_length: usize,
    mask: usize,
    bias: usize,
    projection_bias: usize,
}

const MULTI: Separate = Separate { past: 6, past_length: 8, mask: 4, bias: 5, projection_bias: 3 };
const MASKED: Separate = Separate { past: 5, past_length: 7, mask: 3, bias: 4, projection_bias: 10 };

struct Heads {
    sizes: Sizes,
    /// Length of the present keys and values.
    present: Dim,
}

impl Heads {
    fn of(call: &Call, at: &Separate) -> Result<Heads> {
        let heads = positive(call, "num_heads")?;
        let query = call.shape(0)?;
        let key = if call.has(1) { Some(call.shape(1)?) } else { None };
        let value = if call.has(2) { Some(call.shape(2)?) } else { None };
        let (batch, queries, head) = match query {
            [batch, length, _, _, head] => (batch, length, head.clone()),
            [batch, length, hidden] if key.is_none() => {
                (batch, length, part(&part(hidden, 3, "size of the packed projections")?, heads, "hidden size")?)
            }
            [batch, length, hidden] => (batch, length, part(hidden, heads, "hidden size")?),
            _ => return invalid(format!("the query needs rank 3 or 5, it has {}", query.len())),
        };
        let (new, crossed) = match key {
            None => (queries, false),
            Some([_, length, _]) | Some([_, length, _, _, _]) => (length, false),
            Some([_, _, length, _]) => (length, true),
            Some(key) => return invalid(format!("the key needs rank 3, 4 or 5, it has {}", key.len())),
        };
        let value_head = match value {
            Some([_, _, hidden]) => part(hidden, heads, "value's hidden size")?,
            Some([_, _, _, head]) => head.clone(),
            Some(value) => return invalid(format!("the value needs rank 3 or 4, it has {}", value.len())),
            None => head.clone(),
        };
        let (mut keys, mut present) = (new.clone(), new.clone());
        if call.has(at.past) && !crossed {
            let past = &call.shape_of_rank(at.past, 4)?[2];
            let shared = call.attributes.int_or("past_present_share_buffer", 0)? != 0 || call.has(at.past_length);
            (keys, present) = match shared {
                true => {
                    (number(call, at.past_length).map_or_else(|| past.clone(), |filled| filled + new), past.clone())
                }
                false => (past + new, past + new),
            };
        }
        let (batch, queries) = (batch.clone(), queries.clone());
        let sizes = Sizes { batch, heads: Dim::from(heads), queries, keys, head, value_head };
        Ok(Heads { sizes, present })
    }
}

/// The output, present keys and values, and the scores.
fn multi_head(call: &Call, at: &Separate) -> Result<Vec<Value>> {
    let dtype = call.tensor(0)?.dtype;
    let Heads { sizes, present } = Heads::of(call, at)?;
    let output = vec![sizes.batch.clone(), sizes.queries.clone(), &sizes.heads * &sizes.value_head];
    let cache = |head: &Dim| Some(vec![sizes.batch.clone(), sizes.heads.clone(), present.clone(), head.clone()]);
    let scores = vec![sizes.batch.clone(), sizes.heads.clone(), sizes.queries.clone(), sizes.keys.clone()];
    let (keys, values) = (tensor(dtype, cache(&sizes.head)), tensor(dtype, cache(&sizes.value_head)));
    Ok(vec![tensor(dtype, Some(output)), keys, values, tensor(dtype, Some(scores))])
}

fn multi_head_flops(call: &Call, at: &Separate) -> Result<Dim> {
    let sizes = Heads::of(call, at)?.sizes;
    let more = i64::from(call.has(at.mask)) + i64::from(call.has(at.bias));
    let biases = match call.has(at.projection_bias) {
        true => {
            let new = if call.has(at.past) { &sizes.queries } else { &sizes.keys };
            let width = &sizes.queries * &sizes.head + new * (&sizes.head + &sizes.value_head);
            &sizes.batch * &sizes.heads * width
        }
        false => Dim::ZERO,
    };
    Ok(sizes.flops(more)? + biases)
}

// Attention whose queries share keys and values in groups.

/// Where an operator of grouped queries has its inputs.
struct Grouped {
    total: usize,
    cosines: usize,
    bias: Option<usize>,
    /// The present keys and values are the past's buffer.
    buffer: bool,
}

const GROUPED: Grouped = Grouped { total: 6, cosines: 7, bias: Some(10), buffer: false };
const SPARSE: Grouped = Grouped { total: 7, cosines: 9, bias: None, buffer: true };

struct Groups {
    sizes: Sizes,
    key_heads: Dim,
    new: Dim,
}

impl Groups {
    fn of(call: &Call, at: &Grouped) -> Result<Groups> {
        let [batch, queries, hidden] = call.shape_of_rank(0, 3)? else { return Err(Stop::Unknown) };
        let (heads, key_heads) = (positive(call, "num_heads")?, positive(call, "kv_num_heads")?);
        if heads % key_heads != 0 {
            return invalid(format!("the {heads} heads cannot share {key_heads} key heads evenly"));
        }
        let (head, new) = match call.has(1) {
            true => {
                let key = call.shape(1)?;
                let (head, new) = match key {
                    [_, length, width] => (part(width, key_heads, "key's hidden size")?, length),
                    // Shared keys of another layer come as its cache.
                    [_, _, length, head] => (head.clone(), length),
                    _ => return invalid(format!("the key needs rank 3, it has {}", key.len())),
                };
                same(&part(hidden, heads, "hidden size")?, &head, "head sizes of query and key")?;
                (head, new)
            }
            false => {
                let all =
                    key_heads.checked_mul(2).and_then(|double| heads.checked_add(double)).ok_or("too many heads")?;
                (part(hidden, all, "size of the packed projections")?, queries)
            }
        };
        let past = if call.has(3) { Some(&call.shape_of_rank(3, 4)?[2]) } else { None };
        let keys = number(call, at.total).unwrap_or_else(|| match past {
            Some(past) if at.buffer => past.clone(),
            Some(past) => past + new,
            None => new.clone(),
        });
        let sizes = Sizes {
            batch: batch.clone(),
            heads: Dim::from(heads),
            queries: queries.clone(),
            keys,
            head: head.clone(),
            value_head: head,
        };
        Ok(Groups { sizes, key_heads: Dim::from(key_heads), new: new.clone() })
    }
}

/// The output, present keys and values (no shorter than the past's buffer), and the scores.
fn grouped(call: &Call, at: &Grouped) -> Result<Vec<Value>> {
    let dtype = call.tensor(0)?.dtype;
    let Groups { sizes, key_heads, .. } = Groups::of(call, at)?;
    let present = |input: usize| -> Result<Value> {
        if !call.has(input) {
            let shape = vec![sizes.batch.clone(), key_heads.clone(), sizes.keys.clone(), sizes.head.clone()];
            return Ok(tensor(dtype, Some(shape)));
        }
        let past = call.tensor(input)?;
        let Some([batch, heads, length, head]) = past.shape.as_deref() else { return like(call, input) };
        let length = if at.buffer { length.clone() } else { length.max(&sizes.keys) };
        Ok(tensor(past.dtype, Some(vec![batch.clone(), heads.clone(), length, head.clone()])))
    };
    let output = vec![sizes.batch.clone(), sizes.queries.clone(), &sizes.heads * &sizes.head];
    let scores = vec![sizes.batch.clone(), sizes.heads.clone(), sizes.queries.clone(), sizes.keys.clone()];
    Ok(vec![tensor(dtype, Some(output)), present(3)?, present(4)?, tensor(dtype, Some(scores))])
}

fn grouped_flops(call: &Call, at: &Grouped) -> Result<Dim> {
    let Groups { sizes, key_heads, new } = Groups::of(call, at)?;
    let rotated = match call.attributes.int_or("do_rotary", 0)? != 0 && call.has(at.cosines) {
        // The caches hold one value for each pair of elements.
        true => last(call.shape_of_rank(at.cosines, 2)?)? * 2i64,
        false => Dim::ZERO,
    };
    let heads = &sizes.heads * &sizes.queries + key_heads * new;
    let biased = at.bias.is_some_and(|input| call.has(input));
    Ok(sizes.flops(i64::from(biased))? + &sizes.batch * heads * rotated * 3i64)
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn merged_projections() {
        check(
            "
            com.microsoft:Attention f32[2,s,8] f32[8,24] f32[24] num_heads=2 -> f32[2,s,8] 
            com.microsoft:Attention f32[2,3,8] f32[8,20] f32[20] i32[2,3] num_heads=2 qkv_hidden_sizes=[8,8,4] -> f32[2,3,4] macs=1176
            com.microsoft:Attention f32[2,3,8] f32[8,24] f32[24] _ f32[2,2,2,5,4] num_heads=2 -> f32[2,3,8] f32[2,2,2,8,4] macs=1920
            com.microsoft:Attention f32[2,1,8] f32[8,24] f32[24] _ f32[2,2,2,9,4] _ i32[1]{3} num_heads=2 past_present_share_buffer=1 -> f32[2,1,8] f32[2,2,2,9,4] macs=512
            com.microsoft:Attention f32[2,3,8] f32[8,25] num_heads=2 -> error divisible
            com.microsoft:Attention f32[2,3,8] f32[9,24] num_heads=2 -> error differ
            com.microsoft:Attention f32[2,3,8] f32[8,24] -> error num_heads
            com.microsoft:QAttention u8[2,3,8] i8[8,24] f32[24] f32[] f32[] i32[2] u8[] i8[] num_heads=2 -> f32[2,3,8] f32[2,2,2,3,4] macs=1440
            ",
        );
    }

    #[test]
    fn separate_projections() {
        check(
            "
            com.microsoft:MultiHeadAttention f32[2,3,8] f32[2,5,8] f32[2,5,12] num_heads=2 -> f32[2,3,12] f32[2,2,5,4] f32[2,2,5,6] f32[2,2,3,5] macs=600
            com.microsoft:MultiHeadAttention f16[b,s,4,3,16] num_heads=4 -> f16[b,s,64] macs=128*b*s**2
            com.microsoft:MultiHeadAttention f16[2,3,64] f16[2,7,4,2,16] num_heads=4 -> f16[2,3,64] f16[2,4,7,16] f16[2,4,7,16] macs=5376
            com.microsoft:MultiHeadAttention f32[2,1,8] f32[2,2,7,4] f32[2,2,7,4] num_heads=2 -> f32[2,1,8] macs=224
            com.microsoft:MultiHeadAttention f32[2,1,8] f32[2,1,8] f32[2,1,8] _ _ _ f32[2,2,p,4] f32[2,2,p,4] num_heads=2 -> f32[2,1,8] f32[2,2,p+1,4] f32[2,2,p+1,4]
            com.microsoft:MultiHeadAttention f32[2,8] f32[2,1,8] num_heads=2 -> error rank
            com.microsoft:DecoderMaskedMultiHeadAttention f32[2,1,24] _ _ _ _ f32[2,2,9,4] f32[2,2,9,4] i32[1]{3} past_present_share_buffer=1 num_heads=2 -> f32[2,1,8] f32[2,2,9,4] f32[2,2,9,4] f32[2,2,1,4] macs=128
            ",
        );
    }

    #[test]
    fn grouped_queries() {
        check(
            "
            com.microsoft:GroupQueryAttention f16[b,s,64] f16[b,s,32] f16[b,s,32] f16[b,2,p,16] f16[b,2,p,16] i32[b] i32[] num_heads=4 kv_num_heads=2 -> f16[b,s,64] f16[b,2,p+s,16] f16[b,2,p+s,16]
            com.microsoft:GroupQueryAttention f16[b,s,64] f16[b,s,32] f16[b,s,32] f16[b,2,p,16] f16[b,2,p,16] i32[b] i32[]{12} num_heads=4 kv_num_heads=2 -> f16[b,s,64] f16[b,2,max(12,p),16] f16[b,2,max(12,p),16] macs=1536*b*s
            com.microsoft:GroupQueryAttention f32[1,3,128] _ _ f32[1,2,0,16] f32[1,2,0,16] i32[1] i32[]{3} f32[9,8] f32[9,8] num_heads=4 kv_num_heads=2 do_rotary=1 -> f32[1,3,64] f32[1,2,3,16] f32[1,2,3,16] macs=1152 flops=1056
            com.microsoft:GroupQueryAttention f32[1,3,128] _ _ f32[1,2,0,16] f32[1,2,0,16] i32[1] i32[] num_heads=4 kv_num_heads=3 -> error evenly
            com.microsoft:SparseAttention f16[1,3,64] f16[1,3,32] f16[1,3,32] f16[1,2,99,16] f16[1,2,99,16] i32[1,9] i32[1,9] i32[]{10} i32[1] num_heads=4 kv_num_heads=2 sparse_block_size=16 -> f16[1,3,64] f16[1,2,99,16] f16[1,2,99,16] macs=3840
            ",
        );
    }
}
