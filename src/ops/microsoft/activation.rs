//! Activations, alone and fused with the bias, gate, dropout or softmax beside them.

use super::ms;
use super::rules::{last, part, rows, same, softmax_flops, tensor, with_last};
use crate::dim::Dim;
use crate::ops::{Call, Op, Result, Role, broadcast, elements, invalid, like_input, output, per_output, product};
use crate::tensor::{DType, Shape, Value};

const BIAS_AND_RESIDUAL: &str = "1 per output element for the bias, 1 for the residual";
const RATIO_AND_MODE: &[(usize, Role)] = &[(3, Role::Setting), (4, Role::Setting)];

pub(crate) const OPS: &[Op] = &[
    ms("BiasAdd", add).flops("2 per output element: bias and residual", per_output::<2>),
    ms("BiasDropout", |call| dropout(call, DType::Bool))
        .flops(BIAS_AND_RESIDUAL, bias_and_residual)
        .roles(RATIO_AND_MODE),
    ms("BiasGelu", biased).flops("6 per output element: bias, divide, erf, add, 2 multiply", per_output::<6>),
    ms("BiasSoftmax", like_input)
        .flops("6 per element less 2 per row: bias, maximum, subtract, exp, sum, divide", |call, outputs| {
            Ok(softmax_flops(&coerced(call)?)? + elements(outputs, 0)?)
        }),
    ms("BiasSplitGelu", split_gelu)
        .flops("8 per output element: 2 biases, Gelu (5), product of the halves", per_output::<8>),
    ms("BitmaskBiasDropout", |call| dropout(call, DType::U32))
        .flops(BIAS_AND_RESIDUAL, bias_and_residual)
        .roles(RATIO_AND_MODE),
    ms("BitmaskDropout", |call| dropout(call, DType::U32)).view().roles(&[(1, Role::Setting), (2, Role::Setting)]),
    ms("FastGelu", biased).flops("9 per output element: 6 multiply, 2 add, tanh; 1 for the bias", |call, outputs| {
        Ok(elements(outputs, 0)? * (9 + i64::from(call.has(1))))
    }),
    ms("GatedAdd", gated_add)
        .macs("rows × K where the gate is projected", |call, _| match call.has(3) {
            true => Ok(product(call.shape(2)?)),
            false => Ok(Dim::ZERO),
        })
        .flops("2 per output element: gate, add; 4 per row for the sigmoid of a projected gate", |call, outputs| {
            let sigmoids = if call.has(3) { rows(call.shape(2)?)? * 4i64 } else { Dim::ZERO };
            Ok(elements(outputs, 0)? * 2 + sigmoids)
        }),
    ms("Gelu", like_input).flops("5 per output element: divide, erf, add, 2 multiply", per_output::<5>),
    ms("QuickGelu", like_input).flops("6 per output element: scale, sigmoid (4), multiply", per_output::<6>),
    ms("ScaledSiLU", like_input)
        .flops("6 per output element: scale, sigmoid (4), multiply", per_output::<6>)
        .roles(&[(1, Role::Setting)]),
    ms("SwiGLU", swiglu).flops(
        "7 per output element: scale, sigmoid (4), 2 multiply; 3 for clamps, 1 for a shift",
        |call, outputs| {
            let clamps = if call.attributes.float("limit")?.is_some_and(|limit| limit > 0.0) { 3 } else { 0 };
            let shift = i64::from(call.attributes.float("activation_beta")?.is_some_and(|beta| beta != 0.0));
            Ok(elements(outputs, 0)? * (7 + clamps + shift))
        },
    ),
];

fn bias_and_residual(call: &Call, outputs: &[Value]) -> Result<Dim> {
    Ok(elements(outputs, 0)? * (1 + i64::from(call.has(2))))
}

/// The first input, whose last axis an optional second one biases.
fn biased(call: &Call) -> Result<Vec<Value>> {
    let bias = call.optional(1).and_then(|bias| bias.shape.as_deref());
    if let (Some(shape), Some([size])) = (&call.tensor(0)?.shape, bias) {
        same(last(shape)?, size, "sizes of the last axis and its bias")?;
    }
    like_input(call)
}

fn add(call: &Call) -> Result<Vec<Value>> {
    let sum = broadcast(call.shape(0)?, call.shape(1)?)?;
    output(call.tensor(0)?.dtype, broadcast(&sum, call.shape(2)?)?)
}

/// The input's shape; the mask has it too, or is packed into 32-bit words.
fn dropout(call: &Call, mask: DType) -> Result<Vec<Value>> {
    let mut outputs = like_input(call)?;
    let shape = call.tensor(0)?.shape.clone();
    outputs.push(match mask {
        DType::U32 => tensor(mask, shape.map(|shape| vec![product(&shape).ceil_div(&Dim::from(32i64))])),
        _ => tensor(mask, shape),
    });
    Ok(outputs)
}

/// Softmax treats all dimensions from `axis` as one.
fn coerced(call: &Call) -> Result<Shape> {
    let shape = call.shape(0)?;
    let axis = crate::ops::axis(call.attributes.int_or("axis", 1)?, shape.len())?;
    Ok(vec![product(&shape[..axis]), product(&shape[axis..])])
}

fn split_gelu(call: &Call) -> Result<Vec<Value>> {
    let shape = call.shape_of_rank(0, 3)?;
    output(call.tensor(0)?.dtype, with_last(shape, part(last(shape)?, 2, "hidden size")?)?)
}

fn gated_add(call: &Call) -> Result<Vec<Value>> {
    if let (false, Ok(gate)) = (call.has(3), call.shape(2))
        && last(gate)?.as_int().is_some_and(|size| size != 1)
    {
        return invalid("the gate needs one value a row where it is not projected");
    }
    like_input(call)
}

/// Gate and up projection as two inputs, or as the halves of one.
fn swiglu(call: &Call) -> Result<Vec<Value>> {
    if call.has(1) {
        return like_input(call);
    }
    let shape = call.shape(0)?;
    output(call.tensor(0)?.dtype, with_last(shape, part(last(shape)?, 2, "size of gate and up projection")?)?)
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn activations_keep_their_input() {
        check(
            "
            com.microsoft:Gelu f16[b,s,8] -> f16[b,s,8] flops=40*b*s
            com.microsoft:FastGelu f32[2,8] -> f32[2,8] flops=144
            com.microsoft:FastGelu f32[2,8] f32[8] -> f32[2,8] flops=160
            com.microsoft:FastGelu f32[2,8] f32[9] -> error bias
            com.microsoft:BiasGelu f32[2,n,8] f32[8] -> f32[2,n,8] flops=96*n
            com.microsoft:QuickGelu f32[*] -> f32[*]
            com.microsoft:BiasAdd f32[2,3,4] f32[4] f32[2,3,4] -> f32[2,3,4] flops=48
            com.microsoft:BiasSoftmax f32[2,3,4] f32[1,3,4] axis=2 is_inner_broadcast=0 -> f32[2,3,4] flops=132
            com.microsoft:GatedAdd f32[2,3] f32[2,3] f32[2,5] f32[5,1] -> f32[2,3] macs=10 flops=20
            com.microsoft:GatedAdd f32[2,3] f32[2,3] f32[2,5] -> error gate
            ",
        );
    }

    #[test]
    fn gates_halve_and_masks_pack() {
        check(
            "
            com.microsoft:BiasSplitGelu f16[2,n,10] f16[10] -> f16[2,n,5] flops=80*n
            com.microsoft:BiasSplitGelu f16[2,n,9] f16[9] -> error divisible
            com.microsoft:SwiGLU f16[n,8] -> f16[n,4] flops=28*n
            com.microsoft:SwiGLU f16[n,8] f16[n,8] limit=7.0 activation_beta=1.0 -> f16[n,8] flops=88*n
            com.microsoft:BiasDropout f32[2,40] f32[40] f32[2,40] -> f32[2,40] bool[2,40] flops=160
            com.microsoft:BitmaskDropout f32[2,40] -> f32[2,40] u32[3]
            com.microsoft:BitmaskBiasDropout f32[2,n] f32[n] -> f32[2,n] u32[ceil(2*n/32)] flops=2*n
            ",
        );
    }
}
