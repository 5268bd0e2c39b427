//! Element-wise operators of two or more operands: arithmetic, comparison, logic, bits, choice.

use super::broadcast::broadcast_scalars;
use super::{Call, Op, Result, broadcast_all, elements, invalid, per_output};
use crate::dim::Dim;
use crate::tensor::{DType, Scalar, Shape, Tensor, Value};

const ONE: &str = "1 per output element";

pub(super) const OPS: &[Op] = &[
    Op::new("Add", |call| arithmetic(call, add)).flops(ONE, per_output::<1>).in_place().commutes(),
    Op::new("And", |call| logic(call, |a, b| a && b)).flops(ONE, per_output::<1>).in_place().commutes(),
    Op::new("BitShift", |call| arithmetic(call, |_, _| Scalar::Unknown)).flops(ONE, per_output::<1>).in_place(),
    Op::new("BitwiseAnd", |call| arithmetic(call, |a, b| bits(a, b, |a, b| a & b)))
        .flops(ONE, per_output::<1>)
        .in_place()
        .commutes(),
    Op::new("BitwiseOr", |call| arithmetic(call, |a, b| bits(a, b, |a, b| a | b)))
        .flops(ONE, per_output::<1>)
        .in_place()
        .commutes(),
    Op::new("BitwiseXor", |call| arithmetic(call, |a, b| bits(a, b, |a, b| a ^ b)))
        .flops(ONE, per_output::<1>)
        .in_place()
        .commutes(),
    Op::new("Div", divide).flops(ONE, per_output::<1>).in_place(),
    Op::new("Equal", |call| comparison(call, |order| order.is_eq(), true))
        .flops(ONE, per_output::<1>)
        .in_place()
        .commutes(),
    Op::new("Greater", |call| comparison(call, |order| order.is_gt(), false)).flops(ONE, per_output::<1>).in_place(),
    Op::new("GreaterOrEqual", |call| comparison(call, |order| order.is_ge(), true))
        .flops(ONE, per_output::<1>)
        .in_place(),
    Op::new("Less", |call| comparison(call, |order| order.is_lt(), false)).flops(ONE, per_output::<1>).in_place(),
    Op::new("LessOrEqual", |call| comparison(call, |order| order.is_le(), true)).flops(ONE, per_output::<1>).in_place(),
    Op::new("Max", |call| variadic(call, maximum))
        .flops("operands − 1 per output element", operands_less_one)
        .in_place()
        .commutes(),
    Op::new("Mean", |call| variadic(call, |_, _| Scalar::Unknown))
        .flops("operands per output element: additions and one division", |call, outputs| {
            Ok(elements(outputs, 0)? * call.inputs.len() as i64)
        })
        .in_place()
        .commutes(),
    Op::new("Min", |call| variadic(call, minimum))
        .flops("operands − 1 per output element", operands_less_one)
        .in_place()
        .commutes(),
    Op::new("Mod", modulo).flops(ONE, per_output::<1>).in_place(),
    Op::new("Mul", |call| arithmetic(call, multiply)).flops(ONE, per_output::<1>).in_place().commutes(),
    Op::new("Or", |call| logic(call, |a, b| a || b)).flops(ONE, per_output::<1>).in_place().commutes(),
    Op::new("Pow", |call| arithmetic(call, power)).flops(ONE, per_output::<1>).in_place(),
    Op::new("Sub", |call| arithmetic(call, subtract)).flops(ONE, per_output::<1>).in_place(),
    Op::new("Sum", |call| variadic(call, add))
        .flops("operands − 1 per output element", operands_less_one)
        .in_place()
        .commutes(),
    Op::new("Where", choose).flops(ONE, per_output::<1>).in_place(),
    Op::new("Xor", |call| logic(call, |a, b| a != b)).flops(ONE, per_output::<1>).in_place().commutes(),
];

fn operands_less_one(call: &Call, outputs: &[Value]) -> Result<Dim> {
    Ok(elements(outputs, 0)? * (call.inputs.len() as i64 - 1).max(0))
}

/// Two numbers under `int` where both are whole (formulas too), else under `float` where both are plain.
fn numeric(a: &Scalar, b: &Scalar, int: impl Fn(&Dim, &Dim) -> Dim, float: impl Fn(f64, f64) -> f64) -> Scalar {
    if let (Scalar::Float(_), _) | (_, Scalar::Float(_)) = (a, b)
        && let (Some(a), Some(b)) = (a.as_float(), b.as_float())
    {
        return Scalar::Float(float(a, b));
    }
    match (whole(a), whole(b)) {
        (Some(a), Some(b)) => Scalar::Int(int(&a, &b)),
        _ => Scalar::Unknown,
    }
}

/// The whole number that a scalar is: floating-point tensors carry formulas, too, where sizes were cast.
pub(super) fn whole(scalar: &Scalar) -> Option<Dim> {
    match scalar {
        Scalar::Float(value) if value.fract() == 0.0 && value.abs() < 9e15 => Some(Dim::from(*value as i64)),
        scalar => scalar.as_dim(),
    }
}

pub(super) fn add(a: &Scalar, b: &Scalar) -> Scalar {
    numeric(a, b, |a, b| a + b, |a, b| a + b)
}

fn subtract(a: &Scalar, b: &Scalar) -> Scalar {
    numeric(a, b, |a, b| a - b, |a, b| a - b)
}

pub(super) fn multiply(a: &Scalar, b: &Scalar) -> Scalar {
    // Zero times anything is zero: exporters mask shapes so.
    match (whole(a), whole(b)) {
        (Some(zero), None) | (None, Some(zero)) if zero == 0 => Scalar::Int(zero),
        (Some(size), None) if size.as_int().is_none() => {
            fraction(b).map_or(Scalar::Unknown, |b| ratio(&size * b.0, b.1))
        }
        (None, Some(size)) if size.as_int().is_none() => {
            fraction(a).map_or(Scalar::Unknown, |a| ratio(&size * a.0, a.1))
        }
        _ => numeric(a, b, |a, b| a * b, |a, b| a * b),
    }
}

/// A floating-point number that is a whole number of halves, quarters, … as integers: its product with a size is exact.
fn fraction(scalar: &Scalar) -> Option<(i64, i64)> {
    let Scalar::Float(value) = scalar else { return None };
    let parts = (1..=16).map(|power| 1i64 << power).find(|&parts| (value * parts as f64).fract() == 0.0)?;
    let over = value * parts as f64;
    (over.abs() < 65536.0).then_some((over as i64, parts))
}

/// A formula over an integer. Sizes are taken to be so small that single precision rounds their quotient to a whole
/// number only where it is one.
fn ratio(over: Dim, under: i64) -> Scalar {
    match over.exact_div(&Dim::from(under)) {
        Some(whole) => Scalar::Int(whole),
        None if under > 0 => Scalar::Ratio(over, under),
        None => Scalar::Unknown,
    }
}

fn maximum(a: &Scalar, b: &Scalar) -> Scalar {
    numeric(a, b, Dim::max, f64::max)
}

fn minimum(a: &Scalar, b: &Scalar) -> Scalar {
    numeric(a, b, Dim::min, f64::min)
}

fn power(a: &Scalar, b: &Scalar) -> Scalar {
    match (whole(a), b.as_float()) {
        (Some(base), Some(exponent)) if exponent.fract() == 0.0 && (0.0..=62.0).contains(&exponent) => {
            Scalar::Int(base.pow(exponent as u32))
        }
        _ => match (a.as_float(), b.as_float()) {
            (Some(a), Some(b)) => Scalar::Float(a.powf(b)),
            _ => Scalar::Unknown,
        },
    }
}

fn bits(a: &Scalar, b: &Scalar, op: impl Fn(i64, i64) -> i64) -> Scalar {
    match (a.as_dim().and_then(|a| a.as_int()), b.as_dim().and_then(|b| b.as_int())) {
        (Some(a), Some(b)) => Scalar::Int(Dim::from(op(a, b))),
        _ => Scalar::Unknown,
    }
}

/// Integers are divided towards zero, which for sizes is floor division; floats exactly.
fn divide(call: &Call) -> Result<Vec<Value>> {
    let quotient = |a: &Scalar, b: &Scalar| match (whole(a), whole(b)) {
        (_, Some(zero)) if zero == 0 => Scalar::Unknown,
        (Some(a), Some(b)) => match (a.as_int(), b.as_int()) {
            (Some(a), Some(b)) => Scalar::Int(Dim::from(a.wrapping_div(b))),
            _ if a.bounds().0 >= Some(0) && b.bounds().0 >= Some(1) => Scalar::Int(a.floor_div(&b)),
            _ => a.exact_div(&b).map_or(Scalar::Unknown, Scalar::Int),
        },
        _ => Scalar::Unknown,
    };
    let exact = |a: &Scalar, b: &Scalar| match (a.as_float(), b.as_float()) {
        (Some(a), Some(b)) => Scalar::Float(a / b),
        _ => match (whole(a), whole(b)) {
            (Some(a), Some(b)) => match b.as_int() {
                Some(b) => ratio(a, b),
                None => a.exact_div(&b).map_or(Scalar::Unknown, Scalar::Int),
            },
            _ => Scalar::Unknown,
        },
    };
    if call.dtype(0).is_integer() { arithmetic(call, quotient) } else { arithmetic(call, exact) }
}

/// `fmod = 0`: the sign of the divisor, as Python's `%`; `fmod = 1`: the sign of the dividend, as C's `fmod`.
fn modulo(call: &Call) -> Result<Vec<Value>> {
    let floored = |a: &Scalar, b: &Scalar| match (whole(a), whole(b)) {
        (_, Some(zero)) if zero == 0 => Scalar::Unknown,
        (Some(a), Some(b)) => Scalar::Int(a.modulo(&b)),
        _ => Scalar::Unknown,
    };
    let truncated = |a: &Scalar, b: &Scalar| match (a, b) {
        (Scalar::Int(a), Scalar::Int(b)) => match (a.as_int(), b.as_int()) {
            (Some(a), Some(b)) if b != 0 => Scalar::Int(Dim::from(a.wrapping_rem(b))),
            _ => Scalar::Unknown,
        },
        _ => match (a.as_float(), b.as_float()) {
            (Some(a), Some(b)) => Scalar::Float(a % b),
            _ => Scalar::Unknown,
        },
    };
    if call.attributes.int_or("fmod", 0)? == 1 { arithmetic(call, truncated) } else { arithmetic(call, floored) }
}

/// The output's shape: operands broadcast both ways since opset 7; before, the second to the first where `broadcast`
/// says so, from `axis` on.
fn joint_shape(call: &Call) -> Result<Shape> {
    let (a, b) = (call.shape(0)?, call.shape(1)?);
    if call.opset >= 7 {
        return broadcast_all([a, b]);
    }
    let (broadcast, axis) = (call.attributes.int_or("broadcast", 0)?, call.attributes.int("axis")?);
    let equal = || a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.known_eq(b) != Some(false));
    if broadcast == 0 && !b.is_empty() && !equal() {
        return invalid("operands must have equal shapes before opset 7 unless `broadcast` is set");
    }
    let from = match axis {
        Some(axis) => super::axis(axis, a.len() + 1)?,
        None => a.len().saturating_sub(b.len()),
    };
    if from + b.len() > a.len() {
        return invalid("the second operand does not fit into the first at `axis`");
    }
    super::broadcast::broadcasts_to(b, &a[from..from + b.len()])?;
    Ok(a.to_vec())
}

fn two(call: &Call, dtype: DType, op: impl Fn(&Scalar, &Scalar) -> Scalar) -> Result<Vec<Value>> {
    let tensor = Tensor::new(dtype, joint_shape(call)?);
    Ok(vec![broadcast_scalars(tensor, &[call.tensor(0)?, call.tensor(1)?], |of| op(of[0], of[1])).into()])
}

fn arithmetic(call: &Call, op: fn(&Scalar, &Scalar) -> Scalar) -> Result<Vec<Value>> {
    two(call, call.tensor(0)?.dtype, op)
}

fn logic(call: &Call, op: fn(bool, bool) -> bool) -> Result<Vec<Value>> {
    two(call, DType::Bool, |a, b| match (a, b) {
        (Scalar::Bool(a), Scalar::Bool(b)) => Scalar::Bool(op(*a, *b)),
        _ => Scalar::Unknown,
    })
}

/// Compares whole numbers as formulas where their order is known for all sizes, other numbers and strings as they are.
fn comparison(call: &Call, holds: fn(std::cmp::Ordering) -> bool, or_equal: bool) -> Result<Vec<Value>> {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let formulas = |a: &Dim, b: &Dim| {
        let equal = a.known_eq(b);
        let outcome = match (equal, a.known_le(b), b.known_le(a)) {
            (Some(true), ..) => holds(Equal),
            (Some(false), Some(true), _) => holds(Less),
            (Some(false), _, Some(true)) => holds(Greater),
            // The order is open, but it does not matter to this operator.
            (Some(false), ..) if holds(Less) == holds(Greater) => holds(Less),
            (_, Some(true), _) if or_equal && holds(Less) && holds(Equal) => true,
            (_, _, Some(true)) if or_equal && holds(Greater) && holds(Equal) => true,
            (_, Some(true), _) if !holds(Less) && !holds(Equal) => false,
            (_, _, Some(true)) if !holds(Greater) && !holds(Equal) => false,
            _ => return Scalar::Unknown,
        };
        Scalar::Bool(outcome)
    };
    two(call, DType::Bool, |a, b| match (a, b) {
        (Scalar::Text(a), Scalar::Text(b)) => Scalar::Bool(holds(a.cmp(b))),
        _ => match (whole(a), whole(b)) {
            (Some(a), Some(b)) => formulas(&a, &b),
            _ => match (a.as_float(), b.as_float()) {
                (Some(a), Some(b)) => Scalar::Bool(a.partial_cmp(&b).is_some_and(holds)),
                _ => Scalar::Unknown,
            },
        },
    })
}

fn variadic(call: &Call, op: fn(&Scalar, &Scalar) -> Scalar) -> Result<Vec<Value>> {
    let tensors = (0..call.inputs.len()).map(|input| call.tensor(input)).collect::<Result<Vec<_>>>()?;
    let shapes = (0..call.inputs.len()).map(|input| call.shape(input)).collect::<Result<Vec<_>>>()?;
    let Some(first) = tensors.first() else { return invalid("it needs at least one input") };
    let tensor = Tensor::new(first.dtype, broadcast_all(shapes)?);
    let fold = |of: &[&Scalar]| of[1..].iter().fold(of[0].clone(), |sum, next| op(&sum, next));
    Ok(vec![broadcast_scalars(tensor, &tensors, fold).into()])
}

fn choose(call: &Call) -> Result<Vec<Value>> {
    let shape = broadcast_all([call.shape(0)?, call.shape(1)?, call.shape(2)?])?;
    let tensors = [call.tensor(0)?, call.tensor(1)?, call.tensor(2)?];
    let choice = |of: &[&Scalar]| match of[0] {
        Scalar::Bool(true) => of[1].clone(),
        Scalar::Bool(false) => of[2].clone(),
        _ if of[1] == of[2] => of[1].clone(),
        _ => Scalar::Unknown,
    };
    Ok(vec![broadcast_scalars(Tensor::new(tensors[1].dtype, shape), &tensors, choice).into()])
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn shapes_broadcast_both_ways() {
        check(
            "
            Add f32[3,1] f32[1,3] -> f32[3,3] flops=9
            Add f32[n,1,4] f32[7,1] -> f32[n,7,4] flops=28*n
            Mul f32[2,3] f32[] -> f32[2,3]
            Add f32[batch,seq,8] f32[1,min(512,seq),8] -> f32[batch,seq,8]
            Add f32[2,3] f32[2,4] -> error cannot be broadcast
            Add f32[*] f32[3] -> unknown
            Less i64[5] i64[1] -> bool[5] flops=5
            Where bool[2,1] f32[3] f32[2,3] -> f32[2,3]
            Max f32[3] f32[3,1] f32[1] -> f32[3,3] flops=18
            Sum f32[3] -> f32[3] flops=0
            Mean f32[3] f32[3] f32[3] -> f32[3] flops=9
            Pow f32[2] i64[] -> f32[2]
            ",
        );
    }

    #[test]
    fn before_opset_7_the_second_operand_broadcasts_from_an_axis() {
        check(
            "
            Add@6 f32[2,3,4,5] f32[3,4] broadcast=1 axis=1 -> f32[2,3,4,5]
            Add@6 f32[2,3,4,5] f32[5] broadcast=1 -> f32[2,3,4,5]
            Mul@1 f32[2,3] f32[2,3] -> f32[2,3]
            Mul@6 f32[2,3] f32[3] -> error `broadcast`
            And@1 bool[1,4,1] bool[3,1,5] -> error `broadcast`
            Add@6 f32[n,3] f32[2,3] -> f32[n,3]
            Add@6 f32[2,3] f32[2,3] broadcast=1 axis=1 -> error does not fit
            ",
        );
    }

    #[test]
    fn contents_follow_whole_numbers_and_formulas() {
        check(
            "
            Add i64[2]{3,n} i64[1]{1} -> i64[2]{4,n+1}
            Mul i64[2]{3,?} i64[]{0} -> i64[2]{0,0}
            Div i64[3]{7,-7,n} i64[]{2} -> i64[3]{3,-3,n//2}
            Div f32[2]{7.0,1.0} f32[]{2.0} -> f32[2]{3.5,0.5}
            Div f32[3]{n,2*n,n} f32[3]{2.0,2.0,-3.0} -> f32[3]{(n)/2,n,?}
            Mul f32[3]{n,4*n,n} f32[3]{0.75,0.25,0.1} -> f32[3]{(3*n)/4,n,?}
            Mul f32[]{0.5} f32[2]{n+1,3.0} -> f32[2]{(n+1)/2,1.5}
            Div i64[1]{7} i64[1]{0} -> i64[1]{unknown}
            Mod i64[2]{7,-7} i64[]{3} -> i64[2]{1,2}
            Mod i64[2]{7,-7} i64[]{3} fmod=1 -> i64[2]{1,-1}
            Equal i64[3]{n,n,3} i64[3]{n,0,4} -> bool[3]{true,false,false}
            Greater i64[2]{n,n} i64[2]{0,5} -> bool[2]{true,?}
            Where bool[2]{true,false} i64[2]{1,2} i64[2]{n,m} -> i64[2]{1,m}
            Max i64[1]{n} i64[1]{1} -> i64[1]{n}
            And bool[2]{true,true} bool[2]{true,false} -> bool[2]{true,false}
            Pow i64[1]{n} i64[]{2} -> i64[1]{n**2}
            ",
        );
    }
}
