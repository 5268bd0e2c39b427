//! Linear attention: a recurrent state in place of the keys and values.

use super::matmul::same_size;
use super::{Call, Op, Result, invalid};
use crate::dim::Dim;
use crate::tensor::{DType, Tensor, Value};

pub(super) const OPS: &[Op] = &[Op::new("LinearAttention", infer)
    .macs("per token: key size × value size × (query heads + key heads, those twice in delta rules)", |call, _| {
        let Sizes { tokens, heads, kv_heads, key, value } = sizes(call)?;
        let products = heads + kv_heads * if rule(call)?.delta { 2 } else { 1 };
        Ok(tokens * products * key * value)
    })
    .flops(
        "per token: 1 per output element: scale; gated: exp per decay, 1 per state element; delta: 2 per value",
        flops,
    )];

struct Rule {
    gated: bool,
    delta: bool,
}

fn rule(call: &Call) -> Result<Rule> {
    match call.attributes.string("update_rule")?.unwrap_or("gated_delta") {
        "linear" => Ok(Rule { gated: false, delta: false }),
        "gated" => Ok(Rule { gated: true, delta: false }),
        "delta" => Ok(Rule { gated: false, delta: true }),
        "gated_delta" => Ok(Rule { gated: true, delta: true }),
        other => invalid(format!("`update_rule` cannot be \"{other}\"")),
    }
}

struct Sizes {
    /// Batch × length.
    tokens: Dim,
    heads: Dim,
    kv_heads: Dim,
    key: Dim,
    value: Dim,
}

fn sizes(call: &Call) -> Result<Sizes> {
    let heads = |name| match call.attributes.int(name)? {
        Some(heads) if heads > 0 => Ok(heads),
        _ => invalid(format!("`{name}` must be given and positive")),
    };
    let (heads, kv_heads) = (heads("q_num_heads")?, heads("kv_num_heads")?);
    if heads % kv_heads != 0 {
        return invalid(format!("{heads} query heads cannot share {kv_heads} key heads evenly"));
    }
    let [batch, length, query] = call.shape_of_rank(0, 3)? else { return invalid("the query needs rank 3") };
    let shared = |features: &Dim, heads: i64, what: &str| match features.as_int() {
        Some(count) if count % heads != 0 => {
            invalid(format!("the {what} has {count} features, which {heads} heads cannot share"))
        }
        _ => Ok(features.floor_div(&Dim::from(heads))),
    };
    let head_size = |input: usize, what: &str| {
        let [other_batch, other_length, features] = call.shape_of_rank(input, 3)? else {
            return invalid("it needs rank 3");
        };
        same_size(batch, other_batch, "the batches of query, key and value")?;
        same_size(length, other_length, "the lengths of query, key and value")?;
        shared(features, kv_heads, what)
    };
    let value = head_size(2, "value")?;
    let key = same_size(&shared(query, heads, "query")?, &head_size(1, "key")?, "the head sizes of query and key")?;
    Ok(Sizes { tokens: batch * length, heads: heads.into(), kv_heads: kv_heads.into(), key, value })
}

fn infer(call: &Call) -> Result<Vec<Value>> {
    let Sizes { heads, kv_heads, key, value, .. } = sizes(call)?;
    let rule = rule(call)?;
    if rule.gated && !call.has(4) {
        return invalid("a gated update rule needs the decay");
    }
    if rule.delta && !call.has(5) {
        return invalid("a delta update rule needs beta");
    }
    let [batch, length, _] = call.shape_of_rank(0, 3)? else { return invalid("the query needs rank 3") };
    let dtype = call.tensor(0)?.dtype;
    let state = match call.dtype(3) {
        DType::Undefined if !call.has(3) => dtype,
        given => given,
    };
    let attended = vec![batch.clone(), length.clone(), heads * &value];
    Ok(vec![Tensor::new(dtype, attended).into(), Tensor::new(state, vec![batch.clone(), kv_heads, key, value]).into()])
}

fn flops(call: &Call, _: &[Value]) -> Result<Dim> {
    let Sizes { tokens, heads, kv_heads, key, value } = sizes(call)?;
    let rule = rule(call)?;
    let mut flops = Dim::ZERO;
    if call.attributes.float("scale")? != Some(1.0) {
        flops += &tokens * heads * &value;
    }
    if rule.gated {
        flops += super::input_elements(call, 4)? + &tokens * &kv_heads * key * &value;
    }
    if rule.delta {
        flops += tokens * kv_heads * value * 2;
    }
    Ok(flops)
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn rules_of_update() {
        check(
            "
            LinearAttention f32[n,5,16] f32[n,5,8] f32[n,5,12] q_num_heads=4 kv_num_heads=2 update_rule='linear' -> f32[n,5,24] f32[n,2,4,6] macs=720*n flops=120*n
            LinearAttention f16[1,5,8] f16[1,5,8] f16[1,5,12] f32[1,2,4,6] f16[1,5,2] f16[1,5,2] q_num_heads=2 kv_num_heads=2 -> f16[1,5,12] f32[1,2,4,6] macs=720 flops=430
            LinearAttention f32[1,5,8] f32[1,5,8] f32[1,5,12] _ f32[1,5,8] q_num_heads=2 kv_num_heads=2 update_rule='gated' -> f32[1,5,12] f32[1,2,4,6] macs=480 flops=340
            LinearAttention f32[1,5,8] f32[1,5,8] f32[1,5,12] q_num_heads=2 kv_num_heads=2 -> error decay
            LinearAttention f32[1,5,8] f32[1,5,8] f32[1,5,12] q_num_heads=2 -> error `kv_num_heads`
            LinearAttention f32[1,5,9] f32[1,5,8] f32[1,5,12] q_num_heads=2 kv_num_heads=2 -> error 9 features
            LinearAttention f32[1,5,8] f32[1,5,8] f32[1,6,12] q_num_heads=2 kv_num_heads=2 update_rule='linear' -> error lengths
            LinearAttention f32[1,5,8] f32[1,5,8] f32[1,5,12] q_num_heads=2 kv_num_heads=2 update_rule='other' -> error `update_rule`
            ",
        );
    }
}
