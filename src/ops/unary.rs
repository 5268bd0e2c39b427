//! Element-wise operators of one operand: elementary functions, rounding, sign, logic.

use super::{Call, Module, Op, Result, output, per_output};
use crate::dim::Dim;
use crate::tensor::{DType, Scalar, Tensor, Value};

const ONE: &str = "1 per output element";

pub(super) const OPS: &[Op] = &[
    Op::new("Abs", |call| map(call, |v| number(v, |v| v.max(&-v), f64::abs))).flops(ONE, per_output::<1>).in_place(),
    Op::new("Acos", |call| map(call, |v| float(v, f64::acos))).flops(ONE, per_output::<1>).in_place(),
    Op::new("Acosh", |call| map(call, |v| float(v, f64::acosh))).flops(ONE, per_output::<1>).in_place(),
    Op::new("Asin", |call| map(call, |v| float(v, f64::asin))).flops(ONE, per_output::<1>).in_place(),
    Op::new("Asinh", |call| map(call, |v| float(v, f64::asinh))).flops(ONE, per_output::<1>).in_place(),
    Op::new("Atan", |call| map(call, |v| float(v, f64::atan))).flops(ONE, per_output::<1>).in_place(),
    Op::new("Atanh", |call| map(call, |v| float(v, f64::atanh))).flops(ONE, per_output::<1>).in_place(),
    Op::new("BitwiseNot", |call| map(call, |_| Scalar::Unknown)).flops(ONE, per_output::<1>).in_place(),
    Op::new("Ceil", |call| map(call, |v| rounded(v, Dim::ceil_div, f64::ceil))).flops(ONE, per_output::<1>).in_place(),
    Op::new("Cos", |call| map(call, |v| float(v, f64::cos))).flops(ONE, per_output::<1>).in_place(),
    Op::new("Cosh", |call| map(call, |v| float(v, f64::cosh))).flops(ONE, per_output::<1>).in_place(),
    Op::new("Erf", |call| map(call, |_| Scalar::Unknown)).flops(ONE, per_output::<1>).in_place(),
    Op::new("Exp", |call| map(call, |v| float(v, f64::exp))).flops(ONE, per_output::<1>).in_place(),
    Op::new("Floor", |call| map(call, |v| rounded(v, Dim::floor_div, f64::floor)))
        .flops(ONE, per_output::<1>)
        .in_place(),
    Op::new("IsInf", |call| output(DType::Bool, call.shape(0)?.to_vec())).flops(ONE, per_output::<1>).in_place(),
    Op::new("IsNaN", |call| output(DType::Bool, call.shape(0)?.to_vec())).flops(ONE, per_output::<1>).in_place(),
    Op::new("Log", |call| map(call, |v| float(v, f64::ln))).flops(ONE, per_output::<1>).in_place(),
    Op::new("Neg", |call| map(call, |v| number(v, |v| -v, |v| -v))).flops(ONE, per_output::<1>).in_place(),
    Op::new("Not", |call| map(call, not)).flops(ONE, per_output::<1>).in_place(),
    Op::new("Reciprocal", |call| map(call, |v| float(v, f64::recip))).flops(ONE, per_output::<1>).in_place(),
    Op::new("Round", |call| map(call, |v| number(v, Dim::clone, f64::round_ties_even)))
        .flops(ONE, per_output::<1>)
        .in_place(),
    Op::new("Sign", |call| map(call, |v| number(v, sign, |v| if v == 0.0 { 0.0 } else { v.signum() })))
        .flops(ONE, per_output::<1>)
        .in_place(),
    Op::new("Sin", |call| map(call, |v| float(v, f64::sin))).flops(ONE, per_output::<1>).in_place(),
    Op::new("Sinh", |call| map(call, |v| float(v, f64::sinh))).flops(ONE, per_output::<1>).in_place(),
    Op::new("Sqrt", |call| map(call, |v| float(v, f64::sqrt))).flops(ONE, per_output::<1>).in_place(),
    Op::new("Tan", |call| map(call, |v| float(v, f64::tan))).flops(ONE, per_output::<1>).in_place(),
    Op::new("Tanh", |call| map(call, |v| float(v, f64::tanh)))
        .module(Module::Written)
        .flops(ONE, per_output::<1>)
        .in_place(),
];

/// The input's dtype and shape; its contents under `op`, where known.
pub(super) fn map(call: &Call, op: fn(&Scalar) -> Scalar) -> Result<Vec<Value>> {
    let tensor = call.tensor(0)?;
    let result = Tensor { contents: None, ..tensor.clone() };
    Ok(vec![
        match tensor.scalars() {
            Some(scalars) => result.with_scalars(scalars.iter().map(op).collect()),
            None => result,
        }
        .into(),
    ])
}

fn number(value: &Scalar, int: impl Fn(&Dim) -> Dim, float: impl Fn(f64) -> f64) -> Scalar {
    match value {
        Scalar::Int(value) => Scalar::Int(int(value)),
        Scalar::Float(value) => Scalar::Float(float(*value)),
        _ => Scalar::Unknown,
    }
}

fn rounded(value: &Scalar, ratio: impl Fn(&Dim, &Dim) -> Dim, float: impl Fn(f64) -> f64) -> Scalar {
    match value {
        Scalar::Ratio(over, under) => Scalar::Int(ratio(over, &Dim::from(*under))),
        value => number(value, Dim::clone, float),
    }
}

fn float(value: &Scalar, op: impl Fn(f64) -> f64) -> Scalar {
    value.as_float().map_or(Scalar::Unknown, |value| Scalar::Float(op(value)))
}

fn not(value: &Scalar) -> Scalar {
    match value {
        Scalar::Bool(value) => Scalar::Bool(!value),
        _ => Scalar::Unknown,
    }
}

fn sign(value: &Dim) -> Dim {
    value.max(&Dim::from(-1i64)).min(&Dim::ONE)
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn outputs_are_like_the_input() {
        check(
            "
            Sqrt f16[2,n] -> f16[2,n] flops=2*n
            IsNaN f32[3] -> bool[3] flops=3
            Erf f32[*] -> f32[*]
            Not bool[2]{true,false} -> bool[2]{false,true}
            ",
        );
    }

    #[test]
    fn contents_follow() {
        check(
            "
            Neg i64[2]{3,n} -> i64[2]{-3,-n}
            Ceil f32[3]{1.2,-1.2,3.0} -> f32[3]{2,-1,3}
            Ceil f32[2]{(n)/2,n} -> f32[2]{(n+1)//2,n}
            Floor f32[1]{(n+1)/4} -> f32[1]{(n+1)//4}
            Round f32[3]{0.5,1.5,-0.4} -> f32[3]{0,2,-0}
            Sqrt f32[1]{9.0} -> f32[1]{3}
            Sign i64[3]{-4,0,9} -> i64[3]{-1,0,1}
            Abs i64[2]{-4,n} -> i64[2]{4,n}
            ",
        );
    }
}
