//! Mixtures of experts: each token runs through as many experts as `k` says.

use super::ms;
use super::rules::{activation_cost, last, like, positive, rows};
use crate::dim::Dim;
use crate::ops::{Call, Op, Result, Role, Stop, invalid, output, product};
use crate::tensor::{DType, Value};

const P: Role = Role::Parameter;
const S: Role = Role::Setting;
const MACS: &str = "tokens × k × weights of one expert";
const FLOPS: &str =
    "5 per router score less 2 per token: softmax; per token and expert: activation, gate, biases, mixing (2)";

pub(crate) const OPS: &[Op] = &[
    ms("MoE", |call| same_shape(call, &DENSE))
        .macs(MACS, |call, _| macs(call, &DENSE))
        .flops(FLOPS, |call, _| flops(call, &DENSE))
        .reads(|call, _, input| read(call, &DENSE, input)),
    ms("MoEGroupRouter", router)
        .macs("tokens × width × experts where projected", |call, _| match call.has(2) {
            true => Ok(product(call.shape(0)?) * &call.shape_of_rank(2, 2)?[0]),
            false => Ok(Dim::ZERO),
        })
        .flops("5 per router score: sigmoid (4), bias", |call, _| {
            Ok(rows(call.shape(0)?)? * last(call.shape(1)?)? * 5i64)
        }),
    ms("MoEPacked", |call| same_shape(call, &PACKED))
        .macs(MACS, |call, _| macs(call, &PACKED))
        .flops(FLOPS, |call, _| flops(call, &PACKED))
        .roles(&[(2, P), (3, P), (4, P)])
        .reads(|call, _, input| read(call, &PACKED, input)),
    ms("QMoE", |call| same_shape(call, &QUANTIZED))
        .macs(MACS, |call, _| macs(call, &QUANTIZED))
        .flops(FLOPS, |call, _| flops(call, &QUANTIZED))
        .roles(&[
            (2, P),
            (3, S),
            (5, P),
            (6, S),
            (8, P),
            (9, S),
            (11, S),
            (12, S),
            (13, S),
            (15, S),
            (16, S),
            (17, S),
            (18, S),
            (19, S),
            (20, S),
        ])
        .reads(|call, _, input| read(call, &QUANTIZED, input)),
];

/// Where an operator has the weights of its experts.
struct Experts {
    first: usize,
    second: usize,
    third: usize,
    biases: &'static [usize],
}

const DENSE: Experts = Experts { first: 2, second: 4, third: 6, biases: &[3, 5, 7] };
const QUANTIZED: Experts = Experts { first: 2, second: 5, third: 8, biases: &[4, 7, 10] };
const PACKED: Experts = Experts { first: 2, second: 4, third: 3, biases: &[] };

fn same_shape(call: &Call, at: &Experts) -> Result<Vec<Value>> {
    if let Ok(shape) = call.shape(0)
        && !matches!(shape.len(), 2 | 3)
    {
        return invalid(format!("the input needs rank 2 or 3, it has {}", shape.len()));
    }
    if let Ok(weights) = call.shape(at.first)
        && weights.len() != 3
    {
        return invalid(format!("the experts' weights need rank 3, they have {}", weights.len()));
    }
    Ok(vec![like(call, 0)?])
}

fn chosen(call: &Call) -> Result<i64> {
    match call.attributes.int_or("k", 1)? {
        k if k > 0 => Ok(k),
        k => invalid(format!("`k` must be positive, it is {k}")),
    }
}

/// Rows of an expert's first product, and the width between the two products: the gate halves what it is fused with.
fn widths(call: &Call, at: &Experts) -> Result<(Dim, Dim)> {
    let first = &call.shape_of_rank(at.first, 3)?[1];
    let name = call.attributes.string("activation_type")?.unwrap_or("relu");
    let fused = matches!(name, "swiglu" | "geglu") && call.attributes.int_or("swiglu_fusion", 0)? != 0;
    Ok((first.clone(), if fused { first.floor_div(&Dim::from(2i64)) } else { first.clone() }))
}

fn tokens(call: &Call) -> Result<Dim> {
    Ok(rows(call.shape(0)?)? * chosen(call)?)
}

fn macs(call: &Call, at: &Experts) -> Result<Dim> {
    let hidden = last(call.shape(0)?)?;
    let (first, inner) = widths(call, at)?;
    let third = if call.has(at.third) { inner.clone() } else { Dim::ZERO };
    Ok(tokens(call)? * hidden * (first + inner + third))
}

fn flops(call: &Call, at: &Experts) -> Result<Dim> {
    let hidden = last(call.shape(0)?)?;
    let (first, inner) = widths(call, at)?;
    let name = call.attributes.string("activation_type")?.unwrap_or("relu");
    let gated = matches!(name, "swiglu" | "geglu");
    // A gate's activation is SiLU behind a scale, or Gelu; its product with the linear half is one more.
    let activation = match name {
        "swiglu" => 6,
        "geglu" => 5,
        name => activation_cost(name)?,
    };
    let each = activation + i64::from(gated || call.has(at.third));
    let sizes = [first.clone(), hidden.clone(), inner.clone()];
    let biases = at.biases.iter().zip(sizes).filter(|(input, _)| call.has(**input)).map(|(_, size)| size).sum::<Dim>();
    let scores = call.shape(1)?;
    let routing = product(scores) * 5i64 - rows(scores)? * 2i64;
    Ok(routing + tokens(call)? * (inner * each + biases + hidden * 2i64))
}

/// No more experts are read than there are, nor than tokens choose.
fn read(call: &Call, at: &Experts, input: usize) -> Result<Option<Dim>> {
    if ![at.first, at.second, at.third].contains(&input) || !call.has(input) {
        return Ok(None);
    }
    let Some((experts, each)) = call.shape(input)?.split_first() else { return Err(Stop::Unknown) };
    Ok(Some(experts.min(&tokens(call)?) * product(each)))
}

fn router(call: &Call) -> Result<Vec<Value>> {
    positive(call, "top_k")?;
    let shape = vec![rows(call.shape(0)?)?, last(call.shape(1)?)?.clone()];
    let scores = output(DType::F32, shape.clone())?;
    Ok([output(call.tensor(0)?.dtype, shape)?, scores.clone(), scores].concat())
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn experts() {
        check(
            "
            com.microsoft:MoE f16[b,s,8] f16[b*s,4] f16[4,16,8] _ f16[4,8,16] k=2 activation_type='silu' -> f16[b,s,8] macs=512*b*s
            com.microsoft:MoE f16[3,8] f16[3,4] f16[4,32,8] f16[4,32] f16[4,8,16] f16[4,8] k=2 activation_type='swiglu' swiglu_fusion=1 -> f16[3,8] macs=2304 flops=1062
            com.microsoft:MoE f16[3,8] f16[3,4] f16[4,16,8] _ f16[4,8,16] _ f16[4,16,8] k=1 -> f16[3,8] macs=1152
            com.microsoft:MoE f16[8] f16[3,4] f16[4,16,8] _ f16[4,8,16] -> error rank
            com.microsoft:QMoE f16[3,8] f16[3,4] u8[4,32,4] f16[4,32] _ u8[4,8,8] f16[4,8] k=2 activation_type='swiglu' swiglu_fusion=2 -> f16[3,8] macs=2304
            com.microsoft:MoEGroupRouter f16[2,3,8] f32[8] top_k=2 -> f16[6,8] f32[6,8] f32[6,8] flops=240
            ",
        );
    }
}
