//! Matrix products in floating point, with what onnxruntime fuses into them.

use super::ms;
use super::rules::{activation_cost, last, part, positive, same, tensor, with_last};
use crate::dim::Dim;
use crate::ops::broadcast::broadcasts_to;
use crate::ops::{Call, Op, Result, Role, Stop, broadcast, elements, input_elements, invalid, output, product};
use crate::tensor::{DType, Shape, Value};

const PRODUCT: &str = "output elements × K";
const SCALED: &str = "1 per output element for alpha, and the activation's";

pub(crate) const OPS: &[Op] = &[
    ms("FusedGemm", gemm)
        .macs(PRODUCT, gemm_macs)
        .flops("those of alpha, beta, C and the activation", |call, outputs| {
            Ok(gemm_flops(call, outputs)? + elements(outputs, 0)? * activation(call)?)
        }),
    ms("FusedMatMul", fused).macs(PRODUCT, fused_macs).flops(SCALED, scaled),
    ms("FusedMatMulActivation", fused).macs(PRODUCT, fused_macs).flops(SCALED, scaled),
    ms("GemmFastGelu", matmul)
        .macs(PRODUCT, fused_macs)
        .flops("9 per output element: 6 multiply, 2 add, tanh; 1 for the bias", |call, outputs| {
            Ok(elements(outputs, 0)? * (9 + i64::from(call.has(2))))
        }),
    ms("GemmFloat8", |call| {
        let code = call.attributes.int_or("dtype", 1)?;
        gemm_of(call, [0, 1, 2], DType::from_code(code as i32))
    })
    .macs(PRODUCT, gemm_macs)
    .flops("those of alpha, beta, C and the activation", |call, outputs| {
        Ok(gemm_flops(call, outputs)? + elements(outputs, 0)? * activation(call)?)
    })
    .roles(&[(3, Role::Setting), (4, Role::Setting), (5, Role::Setting)]),
    ms("RouterGateUpProj", router_gate_up)
        .macs("rows × K × N", |call, _| Ok(product(call.shape(0)?) * last(call.shape_of_rank(1, 2)?)?))
        .flops("7 per gated element: scale, sigmoid (4), 2 multiply; 3 for clamps, 1 for a shift", |call, outputs| {
            let clamps = if call.attributes.float("limit")?.is_some_and(|limit| limit > 0.0) { 3 } else { 0 };
            let shift = i64::from(call.attributes.float("activation_beta")?.is_some_and(|beta| beta != 0.0));
            Ok(elements(outputs, 1)? * (7 + clamps + shift))
        }),
    ms("SparseToDenseMatMul", fused).macs("output elements × K, as if A were dense", fused_macs).flops(SCALED, scaled),
    ms("TransposeMatMul", fused).macs(PRODUCT, fused_macs).flops(SCALED, scaled),
];

fn activation(call: &Call) -> Result<i64> {
    activation_cost(call.attributes.string("activation")?.unwrap_or(""))
}

fn scaled(call: &Call, outputs: &[Value]) -> Result<Dim> {
    let alpha = i64::from(call.attributes.float("alpha")?.is_some_and(|alpha| alpha != 1.0));
    Ok(elements(outputs, 0)? * (alpha + activation(call)?))
}

/// The shape of a product as numpy has it: vectors gain an axis for it, and lose it behind it.
pub(super) fn product_shape(a: &[Dim], b: &[Dim]) -> Result<Shape> {
    let (Some(inner_a), Some((b_last, b_head))) = (a.last(), b.split_last()) else {
        return invalid("a matrix product needs tensors of rank 1 or more");
    };
    let inner_b = b_head.last().unwrap_or(b_last);
    same(inner_a, inner_b, "inner sizes")?;
    let batch = broadcast(&a[..a.len().saturating_sub(2)], &b[..b.len().saturating_sub(2)])?;
    let row = a.len().checked_sub(2).and_then(|at| a.get(at)).cloned();
    let column = (b.len() > 1).then(|| b_last.clone());
    Ok(batch.into_iter().chain(row).chain(column).collect())
}

/// A shape under `transBatch`, which moves the first axis to the last but one, and `trans`, which swaps the last two.
fn transposed(shape: &[Dim], trans: bool, batch: bool) -> Shape {
    let mut shape = shape.to_vec();
    let rank = shape.len();
    if batch && rank > 2 {
        shape[..rank - 1].rotate_left(1);
    }
    if trans && rank > 1 {
        shape.swap(rank - 1, rank - 2);
    }
    shape
}

fn operands(call: &Call) -> Result<(Shape, Shape)> {
    let set = |name: &str| Ok::<_, Stop>(call.attributes.int_or(name, 0)? != 0);
    let a = transposed(call.shape(0)?, set("transA")?, set("transBatchA")?);
    let b = transposed(call.shape(1)?, set("transB")?, set("transBatchB")?);
    Ok((a, b))
}

fn fused(call: &Call) -> Result<Vec<Value>> {
    let (a, b) = operands(call)?;
    activation(call)?;
    output(call.tensor(1)?.dtype, product_shape(&a, &b)?)
}

fn matmul(call: &Call) -> Result<Vec<Value>> {
    output(call.tensor(0)?.dtype, product_shape(call.shape(0)?, call.shape(1)?)?)
}

fn fused_macs(call: &Call, outputs: &[Value]) -> Result<Dim> {
    Ok(elements(outputs, 0)? * last(&operands(call)?.0)?)
}

/// M × K and K × N behind `transA` and `transB`, with C broadcast to M × N.
pub(super) fn gemm_of(call: &Call, [a, b, c]: [usize; 3], dtype: DType) -> Result<Vec<Value>> {
    let set = |name: &str| Ok::<_, Stop>(call.attributes.int_or(name, 0)? != 0);
    let a = transposed(call.shape_of_rank(a, 2)?, set("transA")?, false);
    let b = transposed(call.shape_of_rank(b, 2)?, set("transB")?, false);
    let shape = product_shape(&a, &b)?;
    if let Some(c) = call.optional(c).and_then(|c| c.shape.as_deref()) {
        broadcasts_to(c, &shape)?;
    }
    output(dtype, shape)
}

fn gemm(call: &Call) -> Result<Vec<Value>> {
    activation(call)?;
    gemm_of(call, [0, 1, 2], call.tensor(0)?.dtype)
}

fn gemm_macs(call: &Call, outputs: &[Value]) -> Result<Dim> {
    let inner = usize::from(call.attributes.int_or("transA", 0)? == 0);
    Ok(elements(outputs, 0)? * &call.shape_of_rank(0, 2)?[inner])
}

fn gemm_flops(call: &Call, outputs: &[Value]) -> Result<Dim> {
    let scales = |name: &str| Ok::<_, Stop>(call.attributes.float(name)?.is_some_and(|factor| factor != 1.0));
    let alpha = if scales("alpha")? { elements(outputs, 0)? } else { Dim::ZERO };
    if !call.has(2) {
        return Ok(alpha);
    }
    let beta = if scales("beta")? { input_elements(call, 2)? } else { Dim::ZERO };
    Ok(alpha + beta + elements(outputs, 0)?)
}

fn router_gate_up(call: &Call) -> Result<Vec<Value>> {
    let (input, dtype) = (call.shape(0)?, call.tensor(0)?.dtype);
    let [inner, width] = call.shape_of_rank(1, 2)? else { return Err(Stop::Unknown) };
    same(last(input)?, inner, "inner sizes")?;
    let router = Dim::from(positive(call, "router_size")?);
    let gated = part(&(width - &router), 2, "size of gate and up projection")?;
    let shape = |size| with_last(input, size).map(|shape| tensor(dtype, Some(shape)));
    Ok(vec![shape(router)?, shape(gated)?])
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn products() {
        check(
            "
            com.microsoft:FusedMatMul f32[2,b,3,4] f32[2,b,5,4] transB=1 alpha=0.5 -> f32[2,b,3,5] macs=120*b flops=30*b
            com.microsoft:FusedMatMul f32[4,3] f32[4,5] transA=1 -> f32[3,5] macs=60 flops=0
            com.microsoft:FusedMatMul f32[6,2,3,4] f32[2,3,4,5] transBatchA=1 -> f32[2,3,6,5] macs=720
            com.microsoft:FusedMatMul f32[6,2,3,4] f32[2,3,6,5] transBatchA=1 transA=1 -> f32[2,3,4,5] macs=720
            com.microsoft:FusedMatMul f32[4] f32[4] -> f32[] macs=4
            com.microsoft:FusedMatMul f32[3,4] f32[5,4] -> error inner sizes
            com.microsoft:FusedMatMulActivation f32[3,4] f32[4,5] activation='Relu' -> f32[3,5] flops=15
            com.microsoft:FusedMatMulActivation f32[3,4] f32[4,5] activation='Nope' -> error does not exist
            com.microsoft:GemmFastGelu f16[2,n,4] f16[4,5] f16[5] -> f16[2,n,5] macs=40*n flops=100*n
            com.microsoft:FusedGemm f32[4,n] f32[5,4] f32[5] transA=1 transB=1 activation='LeakyRelu' -> f32[n,5] macs=20*n flops=15*n
            com.microsoft:FusedGemm f32[4,3] f32[4,5] f32[7] transA=1 -> error cannot be broadcast
            com.microsoft:GemmFloat8 f8e4m3fn[3,4] f8e4m3fn[5,4] _ f32[1] f32[1] f32[1] transB=1 dtype=10 -> f16[3,5] macs=60
            com.microsoft:RouterGateUpProj bf16[n,4] bf16[4,13] router_size=3 -> bf16[n,3] bf16[n,5] macs=52*n flops=35*n
            ",
        );
    }
}
