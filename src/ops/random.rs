//! Random generators.

use super::{Call, Op, Result, invalid, output, per_output};
use crate::dim::Dim;
use crate::tensor::{DType, Tensor, Value};

const UNIFORM: &str = "2 per output element: scale and shift (drawing counts none)";

pub(super) const OPS: &[Op] = &[
    Op::new("Bernoulli", |call| like(call, call.dtype(0)))
        .flops("1 per output element: comparison with the drawn number", per_output::<1>)
        .random(),
    Op::new("Multinomial", multinomial)
        .flops("3 per probability (exp, sum, division) and 1 per sample and class: comparison", |call, outputs| {
            let classes = call.shape_of_rank(0, 2)?;
            Ok(super::product(classes) * 3 + super::elements(outputs, 0)? * &classes[1])
        })
        .random(),
    Op::new("RandomNormal", of_shape).flops(UNIFORM, per_output::<2>).random(),
    Op::new("RandomNormalLike", |call| like(call, call.dtype(0))).flops(UNIFORM, per_output::<2>).random(),
    Op::new("RandomUniform", of_shape).flops(UNIFORM, per_output::<2>).random(),
    Op::new("RandomUniformLike", |call| like(call, call.dtype(0))).flops(UNIFORM, per_output::<2>).random(),
];

/// The dtype in the attribute `dtype`, else this one.
fn dtype_or(call: &Call, other: DType) -> Result<DType> {
    Ok(call
        .attributes
        .int("dtype")?
        .map_or(other, |code| i32::try_from(code).map_or(DType::Undefined, DType::from_code)))
}

fn of_shape(call: &Call) -> Result<Vec<Value>> {
    let Some(shape) = call.attributes.ints("shape")? else { return invalid("the attribute `shape` is missing") };
    output(dtype_or(call, DType::F32)?, shape.iter().map(|&size| Dim::from(size)).collect())
}

/// The input's shape under the dtype in `dtype`, else under this one.
fn like(call: &Call, other: DType) -> Result<Vec<Value>> {
    Ok(vec![Tensor { dtype: dtype_or(call, other)?, shape: call.tensor(0)?.shape.clone(), contents: None }.into()])
}

/// `sample_size` classes drawn for each row.
fn multinomial(call: &Call) -> Result<Vec<Value>> {
    let shape = call.shape_of_rank(0, 2)?;
    let samples = call.attributes.int_or("sample_size", 1)?;
    output(dtype_or(call, DType::I32)?, vec![shape[0].clone(), Dim::from(samples)])
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn rules() {
        check(
            "
            RandomNormal shape=[2,3] -> f32[2,3] flops=12
            RandomUniform shape=[] dtype=11 -> f64[]
            RandomNormal -> error `shape` is missing
            RandomNormalLike f16[n,3] -> f16[n,3]
            RandomUniformLike i64[n,3] dtype=1 -> f32[n,3]
            RandomUniformLike f32[*] -> f32[*]
            Multinomial f32[n,10] sample_size=4 -> i32[n,4] flops=70*n
            Multinomial f32[2,10] dtype=7 -> i64[2,1]
            Multinomial f32[10] -> error rank 2
            Bernoulli f64[3,n] -> f64[3,n] flops=3*n
            Bernoulli f32[3] dtype=9 -> bool[3]
            ",
        );
    }
}
