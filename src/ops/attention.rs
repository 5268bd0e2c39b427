//! Attention: Attention, FlexAttention and the rotary position embedding before them.

use super::matmul::same_size;
use super::{Bodies, Call, Op, Result, Role, Stop, Times, input_elements, invalid, output, product};
use crate::dim::Dim;
use crate::tensor::{DType, Tensor, Value};

const MACS: &str = "batch × query heads × queries × keys × (head size + value head size), masked keys too";

pub(super) const OPS: &[Op] = &[
    Op::new("Attention", attention)
        .macs(MACS, |call, _| Ok(sizes(call)?.macs()))
        .hides(|call, _| match call.attributes.int_or("is_causal", 0)? {
            0 => Ok(Dim::ZERO),
            _ => {
                let sizes = sizes(call)?;
                let past = &sizes.total - &sizes.keys;
                let pairs = hidden_pairs(&sizes.queries, &sizes.total, &past);
                Ok(&sizes.batch * &sizes.heads * pairs * (&sizes.head + &sizes.value_head))
            }
        })
        .flops(
            "per score: scale 1, softcap 3, each mask (given, causal, window, padding) 1, softmax 5; less 2 per row",
            flops,
        )
        .roles(&[(6, Role::Setting)]),
    Op::new("RotaryEmbedding", rotary)
        .flops("3 per rotated element: two multiplications, one addition", |call, _| Ok(rotated(call)? * 3))
        .reads(rotary_reads)
        .roles(&[(1, Role::Setting), (2, Role::Setting), (3, Role::Setting)]),
    Op::control("FlexAttention", flex).domain("ai.onnx.preview").macs(MACS, |call, _| Ok(sizes(call)?.macs())).flops(
        "per score: 1 scale, softmax 5 less 2 per row; the modifiers count by themselves",
        |call, _| {
            let sizes = sizes(call)?;
            Ok(sizes.softmax() + if scales(call)? { sizes.scores() } else { Dim::ZERO })
        },
    ),
];

/// Pairs of a query and a key that a causal mask hides: query `i` sees the first `past + i + 1` keys.
pub(super) fn hidden_pairs(queries: &Dim, keys: &Dim, past: &Dim) -> Dim {
    let growing = (keys - past).max(&Dim::ZERO).min(queries);
    let triangle = (&growing * (&growing + 1)).floor_div(&Dim::from(2i64));
    let visible = &growing * past + triangle + (queries - &growing) * keys;
    queries * keys - visible
}

struct Sizes {
    batch: Dim,
    heads: Dim,
    kv_heads: Dim,
    queries: Dim,
    /// Keys that the call brings, without the past.
    keys: Dim,
    /// Past and present keys.
    total: Dim,
    head: Dim,
    value_head: Dim,
    /// Inputs and output have their heads side by side in the last axis.
    packed: bool,
}

impl Sizes {
    fn scores(&self) -> Dim {
        &self.batch * &self.heads * &self.queries * &self.total
    }

    fn macs(&self) -> Dim {
        self.scores() * (&self.head + &self.value_head)
    }

    /// Maximum and sum of a row take one operation fewer than it has scores; subtraction, exp and division one each.
    fn softmax(&self) -> Dim {
        match self.total == 0 {
            true => Dim::ZERO,
            false => self.scores() * 5 - &self.batch * &self.heads * &self.queries * 2,
        }
    }
}

/// Batch, heads, length and head size of an operand of rank 4, or of rank 3 with this many heads.
fn unpacked(call: &Call, input: usize, heads: &str) -> Result<[Dim; 4]> {
    match call.shape(input)? {
        [batch, heads, length, head] => Ok([batch, heads, length, head].map(Dim::clone)),
        [batch, length, hidden] => match call.attributes.int(heads)? {
            Some(count) if count > 0 => {
                let count = Dim::from(count);
                if hidden.as_int().is_some_and(|hidden| Dim::from(hidden).modulo(&count) != 0) {
                    return invalid(format!("input {input} has {hidden} features, which {count} heads cannot share"));
                }
                Ok([batch.clone(), count.clone(), length.clone(), hidden.floor_div(&count)])
            }
            _ => invalid(format!("inputs of rank 3 need a positive `{heads}`")),
        },
        shape => invalid(format!("input {input} needs rank 3 or 4, it has {}", shape.len())),
    }
}

fn sizes(call: &Call) -> Result<Sizes> {
    let [batch, heads, queries, head] = unpacked(call, 0, "q_num_heads")?;
    let [key_batch, kv_heads, keys, key_head] = unpacked(call, 1, "kv_num_heads")?;
    let [value_batch, value_heads, values, value_head] = unpacked(call, 2, "kv_num_heads")?;
    let batch =
        same_size(&batch, &same_size(&key_batch, &value_batch, "the batches of K and V")?, "the batches of Q and K")?;
    let kv_heads = same_size(&kv_heads, &value_heads, "the heads of K and V")?;
    let keys = same_size(&keys, &values, "the lengths of K and V")?;
    let head = same_size(&head, &key_head, "the head sizes of Q and K")?;
    if let (Some(heads), Some(kv_heads)) = (heads.as_int(), kv_heads.as_int())
        && (kv_heads < 1 || heads % kv_heads != 0)
    {
        return invalid(format!("{heads} query heads cannot share {kv_heads} key heads evenly"));
    }
    let total = match call.has(4) {
        false => keys.clone(),
        true => {
            if !call.has(5) {
                return invalid("past key and past value come together");
            }
            let [_, _, past, _] = call.shape_of_rank(4, 4)? else { return invalid("the past key needs rank 4") };
            past + &keys
        }
    };
    let packed = call.shape(0)?.len() == 3;
    Ok(Sizes { batch, heads, kv_heads, queries, keys, total, head, value_head, packed })
}

fn attention(call: &Call) -> Result<Vec<Value>> {
    let Sizes { batch, heads, kv_heads, queries, total, head, value_head, packed, .. } = sizes(call)?;
    let dtypes = [0, 1, 2].map(|input| call.dtype(input));
    let y = match packed {
        true => vec![batch.clone(), queries.clone(), &heads * &value_head],
        false => vec![batch.clone(), heads.clone(), queries.clone(), value_head.clone()],
    };
    Ok(vec![
        Tensor::new(dtypes[0], y).into(),
        Tensor::new(dtypes[1], vec![batch.clone(), kv_heads.clone(), total.clone(), head]).into(),
        Tensor::new(dtypes[2], vec![batch.clone(), kv_heads, total.clone(), value_head]).into(),
        Tensor::new(dtypes[0], vec![batch, heads, queries, total]).into(),
    ])
}

/// A given scale of 1 multiplies nothing; the default is one over the root of the head size.
fn scales(call: &Call) -> Result<bool> {
    Ok(call.attributes.float("scale")? != Some(1.0))
}

fn flops(call: &Call, _: &[Value]) -> Result<Dim> {
    let sizes = sizes(call)?;
    let attributes = call.attributes;
    let softcap = attributes.float("softcap")?.is_some_and(|cap| cap != 0.0);
    let bounded = |side| attributes.int_or(side, -1).map(|size| size >= 0);
    let masks = i64::from(call.has(3))
        + i64::from(attributes.int_or("is_causal", 0)? != 0)
        + i64::from(bounded("left_window_size")?)
        + i64::from(bounded("right_window_size")?)
        + i64::from(call.has(6));
    let each = i64::from(scales(call)?) + if softcap { 3 } else { 0 } + masks;
    Ok(sizes.scores() * each + sizes.softmax())
}

/// The modifiers see all scores, at the precision of the softmax.
fn flex(call: &Call, bodies: &mut dyn Bodies) -> Result<Vec<Value>> {
    for input in 0..3 {
        call.shape_of_rank(input, 4)?;
    }
    let Sizes { batch, heads, queries, keys, value_head, .. } = sizes(call)?;
    let dtype = call.tensor(0)?.dtype;
    let precision = match call.attributes.int("softmax_precision")? {
        Some(code) => DType::from_code(i32::try_from(code).unwrap_or(0)),
        None if dtype == DType::F64 => DType::F64,
        None => DType::F32,
    };
    let scores: Value = Tensor::new(precision, vec![batch.clone(), heads.clone(), queries.clone(), keys]).into();
    for modifier in ["score_mod", "prob_mod"] {
        if call.attributes.graph(modifier).is_some() {
            bodies.run(modifier, vec![scores.clone()])?;
            bodies.times(modifier, Times::Count(Dim::ONE));
        }
    }
    output(dtype, vec![batch, heads, queries, value_head])
}

fn rotary(call: &Call) -> Result<Vec<Value>> {
    if let Err(Stop::Invalid(reason)) = rotated(call) {
        return Err(Stop::Invalid(reason));
    }
    super::like_input(call)
}

/// Elements that are rotated: the first `rotary_embedding_dim` of each head, or the whole head.
fn rotated(call: &Call) -> Result<Dim> {
    let (vectors, head) = match call.shape(0)? {
        [batch, heads, length, head] => (product(&[batch.clone(), heads.clone(), length.clone()]), head.clone()),
        [batch, length, hidden] => match call.attributes.int_or("num_heads", 0)? {
            heads if heads > 0 => (batch * length * heads, hidden.floor_div(&Dim::from(heads))),
            _ => return invalid("an input of rank 3 needs a positive `num_heads`"),
        },
        shape => return invalid(format!("input 0 needs rank 3 or 4, it has {}", shape.len())),
    };
    let turned = match call.attributes.int_or("rotary_embedding_dim", 0)? {
        0 => head,
        size if size < 0 || Dim::from(size).known_le(&head) == Some(false) => {
            return invalid(format!("`rotary_embedding_dim` is {size}, but a head has {head} elements"));
        }
        size => Dim::from(size),
    };
    if let Some(half) = call.optional(1).and_then(|cache| cache.shape.as_deref()?.last())
        && (half * 2).known_eq(&turned) == Some(false)
    {
        return invalid(format!("the caches turn {half} pairs, the input has {turned} elements to turn"));
    }
    Ok(vectors * turned)
}

/// With position ids, the caches are read a row per position.
fn rotary_reads(call: &Call, _: &[Value], input: usize) -> Result<Option<Dim>> {
    if !(1..=2).contains(&input) || !call.has(3) {
        return Ok(None);
    }
    match call.shape(input)?.last() {
        Some(half) => Ok(Some(input_elements(call, 3)? * half)),
        None => invalid("the caches need rank 2"),
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn attention_takes_rank_3_and_4() {
        check(
            "
            Attention f32[2,3,4,8] f32[2,3,6,8] f32[2,3,6,8] -> f32[2,3,4,8] macs=2304 flops=816
            Attention f32[2,4,24] f32[2,6,24] f32[2,6,30] q_num_heads=3 kv_num_heads=3 -> f32[2,4,30] macs=2592
            Attention f16[n,9,4,8] f16[n,3,6,8] f16[n,3,6,10] -> f16[n,9,4,10] f16[n,3,6,8] f16[n,3,6,10] f16[n,9,4,6]
            Attention f32[n,q,512] f32[n,k,512] f32[n,k,512] q_num_heads=8 kv_num_heads=8 -> f32[n,q,512] macs=1024*k*n*q
            Attention f32[2,3,4,8] f32[2,3,6,8] f32[2,3,6,8] f32[4,18] f32[2,3,12,8] f32[2,3,12,8] -> f32[2,3,4,8] f32[2,3,18,8] f32[2,3,18,8] f32[2,3,4,18] macs=6912 flops=2976
            Attention f32[1,1,2,8] f32[1,1,2,8] f32[1,1,2,8] is_causal=1 scale=1.0 softcap=2.0 -> f32[1,1,2,8] macs=64 flops=32
            Attention f32[2,4,24] f32[2,6,24] f32[2,6,24] -> error `q_num_heads`
            Attention f32[2,4,25] f32[2,6,24] f32[2,6,24] q_num_heads=3 kv_num_heads=3 -> error 25 features
            Attention f32[2,3,4,8] f32[2,2,6,8] f32[2,2,6,8] -> error evenly
            Attention f32[2,3,4,8] f32[2,3,6,9] f32[2,3,6,8] -> error head sizes
            Attention f32[2,3,4,8] f32[2,3,6,8] f32[2,3,7,8] -> error lengths
            Attention f32[4,8] f32[6,8] f32[6,8] -> error rank 3 or 4
            Attention f32[*] f32[2,3,6,8] f32[2,3,6,8] -> unknown
            ",
        );
    }

    #[test]
    fn a_causal_mask_hides_the_keys_that_come_later() {
        check(
            "
            Attention f32[1,2,3,4] f32[1,2,3,4] f32[1,2,3,4] is_causal=1 -> f32[1,2,3,4] macs=144 hidden=48
            Attention f32[1,2,3,4] f32[1,2,3,4] f32[1,2,3,4] -> f32[1,2,3,4] macs=144 hidden=0
            Attention f32[1,1,1,4] f32[1,1,1,4] f32[1,1,1,4] _ f32[1,1,7,4] f32[1,1,7,4] is_causal=1 -> f32[1,1,1,4] macs=64 hidden=0
            Attention f32[1,1,4,1] f32[1,1,2,1] f32[1,1,2,1] is_causal=1 -> f32[1,1,4,1] macs=16 hidden=2
            Attention f32[1,1,2,1] f32[1,1,4,1] f32[1,1,4,1] is_causal=1 -> f32[1,1,2,1] macs=16 hidden=10
            MatMul f32[2,2] f32[2,2] -> f32[2,2] hidden=none
            ",
        );
    }

    #[test]
    fn rotary_embedding_turns_part_of_each_head() {
        check(
            "
            RotaryEmbedding f32[2,4,3,8] f32[50,4] f32[50,4] i64[2,3] -> f32[2,4,3,8] flops=576
            RotaryEmbedding f32[n,3,32] f32[50,4] f32[50,4] i64[n,3] num_heads=4 -> f32[n,3,32] flops=288*n
            RotaryEmbedding f32[2,4,3,8] f32[50,2] f32[50,2] i64[2,3] rotary_embedding_dim=4 -> f32[2,4,3,8] flops=288
            RotaryEmbedding f32[2,4,3,8] f32[2,3,4] f32[2,3,4] interleaved=1 -> f32[2,4,3,8]
            RotaryEmbedding f32[2,3,32] f32[50,4] f32[50,4] i64[2,3] -> error `num_heads`
            RotaryEmbedding f32[2,4,3,8] f32[50,8] f32[50,8] i64[2,3] -> error 8 pairs
            RotaryEmbedding f32[2,4,3,8] f32[50,4] f32[50,4] rotary_embedding_dim=16 -> error `rotary_embedding_dim`
            ",
        );
    }
}
