//! Operators that ONNX had on trial and took back, still found in files of its first opsets.

use super::constant::shape_from;
use super::slice::slice;
use super::{Call, Op, Result, Role, invalid, like_input, output, per_output};
use crate::dim::Dim;
use crate::tensor::{DType, Shape, Value};

pub(super) const OPS: &[Op] = &[
    Op::new("Affine", like_input).flops("2 per output element: scale and shift", per_output::<2>),
    Op::new("ConstantFill", |call| {
        let code = i32::try_from(call.attributes.int_or("dtype", 1)?);
        output(code.map_or(DType::Undefined, DType::from_code), filled(call)?)
    })
    .roles(&[(0, Role::Setting)]),
    Op::new("Crop", crop),
    // Slice took over its inputs with opset 10.
    Op::new("DynamicSlice", |call| slice(&Call { opset: 10, ..*call })).roles(&[
        (1, Role::Setting),
        (2, Role::Setting),
        (3, Role::Setting),
    ]),
    Op::new("GivenTensorFill", |call| output(DType::F32, filled(call)?)).roles(&[(0, Role::Setting)]),
    Op::new("ImageScaler", like_input).flops("2 per output element: scale and shift", per_output::<2>),
    Op::new("ParametricSoftplus", like_input)
        .flops("5 per output element: multiply, exp, add, log, multiply", per_output::<5>),
    Op::new("Scale", like_input).flops("1 per output element: multiply", per_output::<1>),
    Op::new("ScaledTanh", like_input).flops("3 per output element: multiply, tanh, multiply", per_output::<3>),
];

/// The shape of a filled tensor: the input's sizes, or its contents with `input_as_shape`, or the attribute `shape`; then
/// the sizes in `extra_shape`.
fn filled(call: &Call) -> Result<Shape> {
    let plain = |name: &str| -> Result<Option<Shape>> {
        Ok(call.attributes.ints(name)?.map(|sizes| sizes.iter().map(|&size| Dim::from(size)).collect()))
    };
    let mut shape = match call.has(0) {
        true if call.attributes.int_or("input_as_shape", 0)? != 0 => shape_from(call, 0)?,
        true => call.shape(0)?.to_vec(),
        false => match plain("shape")? {
            Some(shape) => shape,
            None => return invalid("no shape is given"),
        },
    };
    shape.extend(plain("extra_shape")?.unwrap_or_default());
    Ok(shape)
}

/// An image without its border (left, top, right, bottom), or as many rows and columns as `scale` has from its corner.
fn crop(call: &Call) -> Result<Vec<Value>> {
    let shape = call.shape_of_rank(0, 4)?;
    let Some([left, top, right, bottom]) = call.attributes.ints("border")? else {
        return invalid("`border` needs 4 sizes: left, top, right, bottom");
    };
    let (rows, columns) = match call.attributes.ints("scale")? {
        Some([rows, columns]) => (Dim::from(*rows), Dim::from(*columns)),
        Some(sizes) => return invalid(format!("`scale` needs 2 sizes, it has {}", sizes.len())),
        None => (&shape[2] - &Dim::from(*top) - Dim::from(*bottom), &shape[3] - &Dim::from(*left) - Dim::from(*right)),
    };
    output(call.dtype(0), vec![shape[0].clone(), shape[1].clone(), rows, columns])
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn rules() {
        check(
            "
            Affine@1 f32[1,3,n] alpha=1.5 beta=0.5 -> f32[1,3,n] flops=6*n
            ImageScaler@1 f32[1,3,4,4] scale=0.5 bias=[1.0,2.0,3.0] -> f32[1,3,4,4] flops=96
            ParametricSoftplus@1 f32[2] alpha=1.0 beta=1.0 -> f32[2] flops=10
            ScaledTanh@1 f32[2] alpha=1.0 beta=1.0 -> f32[2] flops=6
            Scale@1 f32[2] scale=2.0 -> f32[2] flops=2
            Crop@1 f32[1,3,h,8] border=[1,2,3,4] -> f32[1,3,h-6,4]
            Crop@1 f32[1,3,8,8] border=[1,1,0,0] scale=[4,5] -> f32[1,3,4,5]
            Crop@1 f32[1,3,8,8] border=[1,1] -> error 4 sizes
            DynamicSlice@1 f32[4,4] i64[1]{1} i64[1]{3} -> f32[2,4]
            DynamicSlice@1 f32[4,n] i64[1]{1} i64[1]{3} i64[1]{0} -> f32[2,n]
            GivenTensorFill@1 shape=[2,3] values=[0.0] -> f32[2,3]
            ConstantFill@1 shape=[2,3] dtype=7 extra_shape=[1] -> i64[2,3,1]
            ConstantFill@1 i64[2]{3,n} input_as_shape=1 -> f32[3,n]
            ConstantFill@1 i64[2]{3,n} -> f32[2]
            ConstantFill@1 -> error no shape
            ",
        );
    }
}
