//! Arithmetic on 8-bit integers with a scale and zero point beside every operand.

use super::ms;
use super::rules::{NEWEST, channels_last, channels_second, flops_as, infer_as, last, pick, tensor};
use crate::dim::Dim;
use crate::ops::{
    Call, Op, Result, Role, Stop, broadcast, broadcast_all, elements, input_elements, like_input, output, product,
};
use crate::tensor::{DType, Value};

const S: Role = Role::Setting;
const P: Role = Role::Parameter;
const SCALES_OF_TWO: &[(usize, Role)] = &[(1, S), (2, S), (4, S), (5, S), (6, S), (7, S)];
const SCALES_OF_ONE: &[(usize, Role)] = &[(1, S), (2, S), (3, S), (4, S)];
const PRODUCT: &str = "output elements × K";
const REAL: &str = "1 per output element: scale; 1 for the bias";

/// Operations that bring a result to the output's scale: scale, round, zero point, two bounds.
const QUANTIZE: i64 = 5;
/// Operations that give an element its real value: zero point, scale.
const DEQUANTIZE: i64 = 2;

pub(crate) const OPS: &[Op] = &[
    ms("DequantizeBFP", dequantize_bfp)
        .flops("1 per output element: scale", |_, outputs| elements(outputs, 0))
        .roles(&[(0, P), (1, S), (2, S)]),
    ms("DequantizeLinear", |call| Ok(vec![tensor(call.tensor(1)?.dtype, call.tensor(0)?.shape.clone())]))
        .flops("1 per output element: scale; 1 more with a zero point", |call, outputs| {
            Ok(elements(outputs, 0)? * (1 + i64::from(call.has(2))))
        })
        .roles(&[(1, S), (2, S)]),
    ms("DequantizeWithOrder", |call| {
        let dtype = DType::from_code(call.attributes.int_or("to", 1)? as i32);
        Ok(vec![tensor(dtype, call.tensor(0)?.shape.clone())])
    })
    .flops("1 per output element: scale", |_, outputs| elements(outputs, 0))
    .roles(&[(1, S)]),
    ms("DynamicQuantizeMatMul", |call| matmul(call, [0, 1], call.tensor(0)?.dtype))
        .macs(PRODUCT, |call, outputs| inner(call, 0, outputs))
        .flops(
            "7 per element of A and 7: its quantization; 1 per output element: scale; 1 for the bias",
            |call, outputs| {
                Ok(input_elements(call, 0)? * 7i64 + 7 + elements(outputs, 0)? * (1 + i64::from(call.has(4))))
            },
        )
        .roles(&[(1, P), (2, S), (3, S)]),
    ms("MatMulInteger16", |call| {
        let unsigned = call.dtype(0) == DType::U16 && call.dtype(1) == DType::U16;
        matmul(call, [0, 1], if unsigned { DType::U32 } else { DType::I32 })
    })
    .macs(PRODUCT, |call, outputs| inner(call, 0, outputs)),
    ms("MatMulIntegerToFloat", |call| matmul(call, [0, 1], call.tensor(2)?.dtype))
        .macs(PRODUCT, |call, outputs| inner(call, 0, outputs))
        .flops(REAL, |call, outputs| Ok(elements(outputs, 0)? * (1 + i64::from(call.has(6)))))
        .roles(&[(1, P), (2, S), (3, S), (4, S), (5, S)]),
    ms("MulInteger", |call| output(DType::I32, broadcast(call.shape(0)?, call.shape(2)?)?))
        .flops("3 per output element: zero points, multiply", |_, outputs| Ok(elements(outputs, 0)? * 3))
        .roles(&[(1, S), (3, S)]),
    ms("QGemm", gemm)
        .macs(PRODUCT, |call, outputs| {
            let inner = usize::from(call.attributes.int_or("transA", 0)? == 0);
            Ok(elements(outputs, 0)? * &call.shape_of_rank(0, 2)?[inner])
        })
        .flops("per output element 5 to requantize, or 1 to scale; 1 for the bias", |call, outputs| {
            let each = if call.has(8) { QUANTIZE } else { 1 };
            Ok(elements(outputs, 0)? * (each + i64::from(call.has(6))))
        })
        .roles(&[(1, S), (2, S), (3, P), (4, S), (5, S), (6, P), (7, S), (8, S)]),
    ms("QLinearAdd", two)
        .flops("10 per output element: real values (4), add, quantize (5)", two_flops)
        .roles(SCALES_OF_TWO),
    ms("QLinearAveragePool", |call| pool(call, "AveragePool"))
        .flops("those of AveragePool; 7 per output element: real value, quantize", |call, outputs| {
            pool_flops(call, "AveragePool", outputs)
        })
        .roles(SCALES_OF_ONE),
    ms("QLinearConcat", |call| infer_as(call, "Concat", NEWEST, &concatenated(call)))
        .flops("7 per output element: real value, quantize", requantized::<0>)
        .roles(&CONCAT_ROLES),
    ms("QLinearConv", convolution)
        .macs("input channels / group × kernel, per output element", |call, outputs| {
            let weight = call.shape(3)?;
            Ok(elements(outputs, 0)? * product(weight.get(1..).unwrap_or_default()))
        })
        .flops("5 per output element: requantize; 1 for the bias", |call, outputs| {
            Ok(elements(outputs, 0)? * (QUANTIZE + i64::from(call.has(8))))
        })
        .roles(&[(1, S), (2, S), (3, P), (4, S), (5, S), (6, S), (7, S), (8, P)]),
    ms("QLinearGlobalAveragePool", |call| pool(call, "GlobalAveragePool"))
        .flops("those of GlobalAveragePool; 7 per output element: real value, quantize", |call, outputs| {
            pool_flops(call, "GlobalAveragePool", outputs)
        })
        .roles(SCALES_OF_ONE),
    ms("QLinearLeakyRelu", like_input)
        .flops("9 per output element: real value, compare, multiply, quantize", requantized::<2>)
        .roles(SCALES_OF_ONE),
    ms("QLinearMul", two)
        .flops("10 per output element: real values (4), multiply, quantize (5)", two_flops)
        .roles(SCALES_OF_TWO),
    ms("QLinearReduceMean", |call| infer_as(call, "ReduceMean", 13, &pick(call, &[0])))
        .flops(
            "1 per input element: additions, division; 7 per output element: real value, quantize",
            |call, outputs| Ok(input_elements(call, 0)? + requantized::<0>(call, outputs)?),
        )
        .roles(SCALES_OF_ONE),
    ms("QLinearSigmoid", like_input)
        .flops("11 per output element: real value, sigmoid (4), quantize", requantized::<4>)
        .roles(SCALES_OF_ONE),
    ms("QLinearSoftmax", like_input)
        .flops("those of Softmax; 7 per output element: real value, quantize", |call, outputs| {
            let opset = call.attributes.int_or("opset", 13)?;
            Ok(flops_as(call, "Softmax", opset, &pick(call, &[0]), outputs)? + requantized::<0>(call, outputs)?)
        })
        .roles(SCALES_OF_ONE),
    ms("QLinearWhere", |call| {
        output(call.tensor(1)?.dtype, broadcast_all([call.shape(0)?, call.shape(1)?, call.shape(4)?])?)
    })
    .flops("8 per output element: real value, selection, quantize", requantized::<1>)
    .roles(&[(2, S), (3, S), (5, S), (6, S), (7, S), (8, S)]),
    ms("QOrderedGelu", like_input)
        .flops("12 per output element: real value, Gelu (5), quantize", requantized::<5>)
        .roles(&[(1, S), (2, S)]),
    ms("QOrderedLayerNormalization", like_input)
        .flops("14 per element, 2 per row: real value, layer norm (7), quantize", |call, outputs| {
            let shape = call.shape(0)?;
            let axis = crate::ops::axis(call.attributes.int_or("axis", -1)?, shape.len())?;
            Ok(requantized::<7>(call, outputs)? + product(&shape[..axis]) * 2i64)
        })
        .roles(&[(1, S), (4, S)]),
    ms("QOrderedMatMul", |call| matmul(call, [0, 2], call.tensor(0)?.dtype))
        .macs(PRODUCT, |call, outputs| inner(call, 0, outputs))
        .flops("5 per output element: requantize; 1 each for bias and sum", |call, outputs| {
            Ok(elements(outputs, 0)? * (QUANTIZE + i64::from(call.has(5)) + i64::from(call.has(6))))
        })
        .roles(&[(1, S), (2, P), (3, S), (4, S), (7, S)]),
    ms("QuantizeBFP", quantize_bfp)
        .flops("2 per input element: scale, round", |call, _| Ok(input_elements(call, 0)? * 2)),
    ms("QuantizeLinear", |call| {
        let dtype = if call.has(2) { call.dtype(2) } else { DType::U8 };
        Ok(vec![tensor(dtype, call.tensor(0)?.shape.clone())])
    })
    .flops("4 per output element: scale, round, two bounds; 1 more with a zero point", |call, outputs| {
        Ok(elements(outputs, 0)? * (4 + i64::from(call.has(2))))
    })
    .roles(&[(1, S), (2, S)]),
    ms("QuantizeWithOrder", |call| Ok(vec![tensor(DType::I8, call.tensor(0)?.shape.clone())]))
        .flops("4 per output element: scale, round, two bounds", |_, outputs| Ok(elements(outputs, 0)? * 4))
        .roles(&[(1, S)]),
    ms("ReduceSumInteger", |call| {
        let sums = infer_as(call, "ReduceSum", 11, &pick(call, &[0]))?;
        let dtype = if call.dtype(0) == DType::U8 { DType::U32 } else { DType::I32 };
        Ok(vec![tensor(dtype, sums.first().and_then(Value::as_tensor).and_then(|sum| sum.shape.clone()))])
    })
    .flops("input elements − output elements: additions", |call, outputs| {
        Ok(input_elements(call, 0)? - elements(outputs, 0)?)
    }),
];

/// Scale and zero point of the output, then of each operand behind it.
const CONCAT_ROLES: [(usize, Role); 130] = {
    let mut roles = [(0, S); 130];
    (roles[0], roles[1]) = ((0, S), (1, S));
    let mut operand = 0;
    while operand < 64 {
        roles[2 + 2 * operand] = (3 + 3 * operand, S);
        roles[3 + 2 * operand] = (4 + 3 * operand, S);
        operand += 1;
    }
    roles
};

/// Real value, `MORE` operations, and quantization of every output element.
fn requantized<const MORE: i64>(_: &Call, outputs: &[Value]) -> Result<Dim> {
    Ok(elements(outputs, 0)? * (DEQUANTIZE + MORE + QUANTIZE))
}

fn two(call: &Call) -> Result<Vec<Value>> {
    output(call.tensor(0)?.dtype, broadcast(call.shape(0)?, call.shape(3)?)?)
}

fn two_flops(_: &Call, outputs: &[Value]) -> Result<Dim> {
    Ok(elements(outputs, 0)? * (2 * DEQUANTIZE + 1 + QUANTIZE))
}

fn matmul(call: &Call, [a, b]: [usize; 2], dtype: DType) -> Result<Vec<Value>> {
    output(dtype, super::fused::product_shape(call.shape(a)?, call.shape(b)?)?)
}

fn inner(call: &Call, a: usize, outputs: &[Value]) -> Result<Dim> {
    Ok(elements(outputs, 0)? * last(call.shape(a)?)?)
}

/// Quantized where the output's zero point is given, else real.
fn gemm(call: &Call) -> Result<Vec<Value>> {
    let dtype = if call.has(8) { call.dtype(8) } else { DType::F32 };
    super::fused::gemm_of(call, [0, 3, 6], dtype)
}

/// Every third input from the third on.
fn concatenated<'a>(call: &Call<'a>) -> Vec<Option<&'a Value>> {
    call.inputs.iter().skip(2).step_by(3).copied().collect()
}

fn last_channels(call: &Call) -> Result<bool> {
    Ok(call.attributes.int_or("channels_last", 0)? != 0)
}

/// The pool of the specification, on channels that may stand last.
fn pool(call: &Call, name: &str) -> Result<Vec<Value>> {
    if !last_channels(call)? {
        return infer_as(call, name, NEWEST, &pick(call, &[0]));
    }
    let input = channels_second(call.value(0)?);
    Ok(infer_as(call, name, NEWEST, &[Some(&input)])?.iter().map(channels_last).collect())
}

fn pool_flops(call: &Call, name: &str, outputs: &[Value]) -> Result<Dim> {
    let input = if last_channels(call)? { channels_second(call.value(0)?) } else { call.value(0)?.clone() };
    Ok(flops_as(call, name, NEWEST, &[Some(&input)], outputs)? + requantized::<0>(call, outputs)?)
}

/// The convolution of the specification, on channels that may stand last; the weight's stand second either way.
fn convolution(call: &Call) -> Result<Vec<Value>> {
    let channels = last_channels(call)?;
    let input = if channels { channels_second(call.value(0)?) } else { call.value(0)?.clone() };
    let bias = call.inputs.get(8).copied().flatten();
    let outputs = infer_as(call, "Conv", NEWEST, &[Some(&input), Some(call.value(3)?), bias])?;
    let Some(Value::Tensor(result)) = outputs.first() else { return Err(Stop::Unknown) };
    let result = tensor(call.dtype(7), result.shape.clone());
    Ok(vec![if channels { channels_last(&result) } else { result }])
}

fn dequantize_bfp(call: &Call) -> Result<Vec<Value>> {
    let dtype = DType::from_code(call.attributes.int_or("dtype", 1)? as i32);
    output(dtype, crate::ops::constant::shape_from(call, 1)?)
}

/// The blob's length is its format's affair; shape and strides are known.
fn quantize_bfp(call: &Call) -> Result<Vec<Value>> {
    let shape = call.shape(0)?;
    let strides: Vec<Dim> = (1..=shape.len()).map(|axis| product(&shape[axis..])).collect();
    Ok(vec![
        tensor(DType::U8, Some(vec![call.decided("bytes")])),
        crate::tensor::Tensor::of_dims(shape).into(),
        crate::tensor::Tensor::of_dims(&strides).into(),
    ])
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn elements_and_products() {
        check(
            "
            com.microsoft:QLinearAdd u8[2,n] f32[] u8[] u8[n] f32[] u8[] f32[] u8[] -> u8[2,n] flops=20*n
            com.microsoft:QLinearMul i8[2,3] f32[] i8[] i8[4,1,3] f32[] i8[] f32[] i8[] -> i8[4,2,3] flops=240
            com.microsoft:QLinearSigmoid u8[2,n] f32[] u8[] f32[] u8[] -> u8[2,n] flops=22*n
            com.microsoft:QLinearLeakyRelu u8[2,n] f32[] u8[] f32[] u8[] -> u8[2,n] flops=18*n
            com.microsoft:QLinearWhere bool[2,1] u8[3] f32[] u8[] u8[1] f32[] u8[] f32[] u8[] -> u8[2,3] flops=48
            com.microsoft:DynamicQuantizeMatMul f32[b,s,8] u8[8,4] f32[] u8[] f32[4] -> f32[b,s,4] macs=32*b*s
            com.microsoft:MatMulIntegerToFloat u8[b,s,8] i8[8,4] f16[] f16[] -> f16[b,s,4] macs=32*b*s flops=4*b*s
            com.microsoft:MatMulInteger16 i16[3,8] i16[8,4] -> i32[3,4] macs=96
            com.microsoft:MatMulInteger16 u16[3,8] u16[8,4] -> u32[3,4]
            com.microsoft:QGemm u8[3,8] f32[] u8[] i8[4,8] f32[] i8[] i32[4] f32[] u8[] transB=1 -> u8[3,4] macs=96 flops=72
            com.microsoft:QGemm u8[3,8] f32[] u8[] i8[8,4] f32[] i8[] -> f32[3,4] macs=96 flops=12
            com.microsoft:QOrderedMatMul i8[2,3,8] f32[] i8[8,4] f32[] f32[] -> i8[2,3,4] macs=192
            com.microsoft:MulInteger u8[3,1] u8[] u8[4] u8[] -> i32[3,4]
            com.microsoft:QuantizeLinear f32[2,n] f32[] i8[] -> i8[2,n] flops=10*n
            com.microsoft:QuantizeLinear f32[2,n] f32[] -> u8[2,n] flops=8*n
            com.microsoft:DequantizeLinear i32[2,n] f16[] i32[] -> f16[2,n] flops=4*n
            com.microsoft:DequantizeBFP u8[99] i64[2]{3,n} i64[2] bfp_type=1 dtype=16 -> bf16[3,n]
            com.microsoft:QuantizeBFP f32[3,n] bfp_type=1 -> u8[$node.bytes] i64[2]{3,n} i64[2]{n,1}
            ",
        );
    }
}
