//! Quantization: QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear, QLinearConv.

use super::conv::{convolved, macs};
use super::{Call, Op, Result, Role, axis, elements, input_elements, invalid, output, product};
use crate::dim::Dim;
use crate::tensor::{DType, Tensor, Value};

/// Operations that bring an integer accumulator to the output's scale: scale, round, zero point, two bounds.
pub(super) const REQUANTIZE: i64 = 5;

const SCALE: &[(usize, Role)] = &[(1, Role::Setting), (2, Role::Setting)];

pub(super) const OPS: &[Op] = &[
    Op::new("DequantizeLinear", dequantize)
        .flops("1 per output element: scale; 1 more with a zero point", |call, outputs| {
            Ok(elements(outputs, 0)? * (1 + i64::from(call.has(2))))
        })
        // What is dequantized was quantized: an int32 bias is as learned as an int8 weight.
        .roles(&[(0, Role::Parameter), (1, Role::Setting), (2, Role::Setting)]),
    Op::new("DynamicQuantizeLinear", dynamic).flops(
        "7 per input element: min, max, scale, round, zero point, two bounds; 7 for scale and zero point",
        |call, _| Ok(input_elements(call, 0)? * 7 + 7),
    ),
    Op::new("QLinearConv", |call| output(call.tensor(7)?.dtype, convolved(call, 0, 3, Some(8))?))
        .macs("input channels / group × kernel, per output element", |call, outputs| macs(call, outputs, 3))
        .convolution(|call, outputs| super::conv::convolution(call, outputs, 3))
        .flops(
            "1 per input and weight element: zero point; 5 per output element to requantize, 1 for the bias",
            |call, outputs| {
                let each = REQUANTIZE + i64::from(call.has(8));
                Ok(input_elements(call, 0)? + input_elements(call, 3)? + elements(outputs, 0)? * each)
            },
        )
        .roles(&[
            (1, Role::Setting),
            (2, Role::Setting),
            (4, Role::Setting),
            (5, Role::Setting),
            (6, Role::Setting),
            (7, Role::Setting),
            (8, Role::Parameter),
        ]),
    Op::new("QuantizeLinear", quantize)
        .flops(
            "per output element: scale, zero point where given; for integers round and two bounds",
            |call, outputs| {
                let bounds = if quantized_dtype(call)?.is_float() { 0 } else { 3 };
                Ok(elements(outputs, 0)? * (1 + bounds + i64::from(call.has(2))))
            },
        )
        .roles(SCALE),
];

fn output_dtype(call: &Call) -> Result<Option<DType>> {
    match call.attributes.int_or("output_dtype", 0)? {
        0 => Ok(None),
        code => match DType::from_code(i32::try_from(code).unwrap_or(-1)) {
            DType::Undefined => invalid(format!("`output_dtype` {code} is no element type")),
            dtype => Ok(Some(dtype)),
        },
    }
}

/// The zero point's dtype, else `output_dtype`, else u8.
fn quantized_dtype(call: &Call) -> Result<DType> {
    let given = output_dtype(call)?;
    match (call.has(2), given) {
        (true, given) => match (call.dtype(2), given) {
            (DType::Undefined, given) => Ok(given.unwrap_or_default()),
            (dtype, Some(given)) if dtype != given => {
                invalid(format!("`output_dtype` is {}, but the zero point is {}", given.name(), dtype.name()))
            }
            (dtype, _) => Ok(dtype),
        },
        (false, given) => Ok(given.unwrap_or(DType::U8)),
    }
}

fn quantize(call: &Call) -> Result<Vec<Value>> {
    check_granularity(call)?;
    let shape = call.tensor(0)?.shape.clone();
    Ok(vec![Tensor { dtype: quantized_dtype(call)?, shape, contents: None }.into()])
}

fn dequantize(call: &Call) -> Result<Vec<Value>> {
    check_granularity(call)?;
    let shape = call.tensor(0)?.shape.clone();
    let dtype = output_dtype(call)?.unwrap_or(call.tensor(1)?.dtype);
    Ok(vec![Tensor { dtype, shape, contents: None }.into()])
}

/// One scale for the tensor, one for each index of `axis`, or (since opset 21) one for each block along `axis`.
fn check_granularity(call: &Call) -> Result<()> {
    let scale = call.tensor(1)?;
    let (Some(shape), Some(scales)) = (&call.tensor(0)?.shape, &scale.shape) else { return Ok(()) };
    if let Some(zero_points) = call.optional(2).and_then(|zero_point| zero_point.shape.as_deref())
        && product(zero_points).known_eq(&product(scales)) == Some(false)
    {
        return invalid("scale and zero point must have the same shape");
    }
    if scales.iter().all(|size| *size == 1) {
        return Ok(());
    }
    let (at, block) = (call.attributes.int_or("axis", 1)?, call.attributes.int_or("block_size", 0)?);
    if block < 0 {
        return invalid("`block_size` must be positive");
    }
    let at = if shape.len() == 1 { 0 } else { axis(at, shape.len())? };
    let Some(along) = shape.get(at) else { return invalid("a scalar has no axis to quantize along") };
    match (&scales[..], block) {
        ([count], 0) if count.known_eq(along) == Some(false) => {
            invalid(format!("axis {at} has {along} elements, there are {count} scales"))
        }
        ([_], 0) => Ok(()),
        (_, 0) => invalid("scales of rank 2 or more need `block_size`"),
        (scales, block) => {
            let fits = |(index, (scale, size)): (usize, (&Dim, &Dim))| {
                let wanted = if index == at { size.ceil_div(&Dim::from(block)) } else { size.clone() };
                scale.known_eq(&wanted) != Some(false)
            };
            match scales.len() == shape.len() && scales.iter().zip(shape).enumerate().all(fits) {
                true => Ok(()),
                false => invalid(format!("the scales do not fit blocks of {block} along axis {at}")),
            }
        }
    }
}

fn dynamic(call: &Call) -> Result<Vec<Value>> {
    call.value(0)?;
    let shape = call.optional(0).and_then(|input| input.shape.clone());
    let scalar = |dtype| Value::from(Tensor::new(dtype, Vec::new()));
    Ok(vec![Tensor { dtype: DType::U8, shape, contents: None }.into(), scalar(DType::F32), scalar(DType::U8)])
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn dtypes_come_from_zero_point_scale_or_attribute() {
        check(
            "
            QuantizeLinear f32[n,4] f32[] -> u8[n,4] flops=16*n
            QuantizeLinear@10 f32[n,4] f32[] i8[] -> i8[n,4] flops=20*n
            QuantizeLinear f32[2,4] f32[] output_dtype=5 -> i16[2,4]
            QuantizeLinear f32[2,4] f32[] i8[] output_dtype=3 -> i8[2,4]
            QuantizeLinear f32[2,4] f32[] i8[] output_dtype=2 -> error zero point is i8
            QuantizeLinear f32[2,4] f32[] f8e4m3fn[] -> f8e4m3fn[2,4] flops=16
            QuantizeLinear f32[2,4] f32[] u4[] -> u4[2,4]
            QuantizeLinear f32[2,4] f32[] output_dtype=99 -> error element type
            DequantizeLinear i8[n,4] f32[] -> f32[n,4] flops=4*n
            DequantizeLinear i8[2,4] f16[] i8[] -> f16[2,4] flops=16
            DequantizeLinear i8[2,4] f8e8m0[] output_dtype=16 -> bf16[2,4]
            DequantizeLinear i32[4] f32[4] axis=0 -> f32[4]
            DequantizeLinear i8[*] f32[] -> f32[*]
            DynamicQuantizeLinear f32[4] -> u8[4] f32[] u8[] flops=35
            ",
        );
    }

    #[test]
    fn scales_must_fit() {
        check(
            "
            QuantizeLinear f32[2,4,5] f32[4] u8[4] -> u8[2,4,5]
            QuantizeLinear f32[2,4,5] f32[5] axis=-1 -> u8[2,4,5]
            QuantizeLinear f32[2,4,5] f32[5] -> error there are 5 scales
            QuantizeLinear f32[2,4,5] f32[4] u8[3] -> error same shape
            QuantizeLinear f32[2,4] f32[2,2] -> error `block_size`
            QuantizeLinear f32[2,4] f32[2,2] block_size=2 -> u8[2,4]
            DequantizeLinear i4[2,5] f32[2,3] block_size=2 -> f32[2,5]
            DequantizeLinear i4[2,5] f32[2,2] block_size=2 -> error blocks of 2
            DequantizeLinear i4[n,5] f32[n//2,5] axis=0 block_size=2 -> f32[n,5]
            QuantizeLinear f32[2,4] f32[4] axis=2 -> error axis 2
            QuantizeLinear f32[] f32[3] -> error axis
            ",
        );
    }

    #[test]
    fn a_quantized_convolution_requantizes() {
        check(
            "
            QLinearConv u8[1,2,4,4] f32[] u8[] i8[3,2,3,3] f32[3] i8[3] f32[] i8[] -> i8[1,3,2,2] macs=216 flops=146
            QLinearConv u8[1,2,4,4] f32[] u8[] u8[2,1,1,1] f32[] u8[] f32[] u8[] i32[2] group=2 -> u8[1,2,4,4] macs=32 flops=226
            QLinearConv u8[1,2,4,4] f32[] u8[] u8[2,2,1,1] f32[] u8[] f32[] u8[] i32[3] -> error bias
            QLinearConv u8[1,2,4,4] f32[] u8[] u8[2,3,1,1] f32[] u8[] f32[] u8[] -> error channels
            ",
        );
    }
}
