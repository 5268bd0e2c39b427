//! Reductions and scans along axes: Reduce*, ArgMax, ArgMin, TopK, CumSum, CumProd.

use super::broadcast::plain;
use super::elementwise::{add, multiply};
use super::{Call, Op, Result, Role, Stop, axes, axis, elements, input_elements, invalid, output, per_output};
use crate::dim::Dim;
use crate::tensor::{CONTENTS_LIMIT, DType, Scalar, Shape, Tensor, Value};

const AXES: &[(usize, Role)] = &[(1, Role::Setting)];
const ARG: &str = "input − output elements: comparisons";
const SCAN: &str = "1 per output element";

pub(super) const OPS: &[Op] = &[
    Op::new("ArgMax", arg).flops(ARG, combinations),
    Op::new("ArgMin", arg).flops(ARG, combinations),
    Op::new("CumProd", |call| scan(call, multiply, 1)).flops(SCAN, per_output::<1>).roles(AXES),
    Op::new("CumSum", |call| scan(call, add, 0)).flops(SCAN, per_output::<1>).roles(AXES),
    Op::new("ReduceL1", no_contents)
        .flops("1 per input element for its magnitude, and input − output elements: additions", |call, outputs| {
            Ok(input_elements(call, 0)? + combinations(call, outputs)?)
        })
        .roles(AXES),
    Op::new("ReduceL2", no_contents)
        .flops(
            "1 per input element for its square, 1 per output element for the root, and additions",
            |call, outputs| Ok(input_elements(call, 0)? + combinations(call, outputs)? + elements(outputs, 0)?),
        )
        .roles(AXES),
    Op::new("ReduceLogSum", no_contents)
        .flops("1 per output element for the logarithm, and input − output elements: additions", |call, outputs| {
            Ok(combinations(call, outputs)? + elements(outputs, 0)?)
        })
        .roles(AXES),
    Op::new("ReduceLogSumExp", no_contents)
        .flops("1 per input element for exp, 1 per output element for the logarithm, and additions", |call, outputs| {
            Ok(input_elements(call, 0)? + combinations(call, outputs)? + elements(outputs, 0)?)
        })
        .roles(AXES),
    Op::new("ReduceMax", |call| reduce(call, Some(Fold { combine: greater, of_nothing: None })))
        .flops(ARG, combinations)
        .roles(AXES),
    Op::new("ReduceMean", no_contents)
        .flops(
            "input − output elements: additions; 1 per output element: division; none over no axes",
            |call, outputs| match reduced_axes(call)? {
                Axes::Known(list) if list.is_empty() => Ok(Dim::ZERO),
                _ => Ok(combinations(call, outputs)? + elements(outputs, 0)?),
            },
        )
        .roles(AXES),
    Op::new("ReduceMin", |call| reduce(call, Some(Fold { combine: lesser, of_nothing: None })))
        .flops(ARG, combinations)
        .roles(AXES),
    Op::new("ReduceProd", |call| reduce(call, Some(Fold { combine: multiply, of_nothing: Some(1) })))
        .flops("input − output elements: multiplications", combinations)
        .roles(AXES),
    Op::new("ReduceSum", |call| reduce(call, Some(Fold { combine: add, of_nothing: Some(0) })))
        .flops("input − output elements: additions", combinations)
        .roles(AXES),
    Op::new("ReduceSumSquare", no_contents)
        .flops("1 per input element for its square, and input − output elements: additions", |call, outputs| {
            Ok(input_elements(call, 0)? + combinations(call, outputs)?)
        })
        .roles(AXES),
    Op::new("TopK", top_k)
        .flops("1 per input element: comparison with the least that is kept", super::per_input::<1>)
        .roles(AXES),
];

/// Two-operand operations that bring the input down to the output: one fewer per output than it combines.
fn combinations(call: &Call, outputs: &[Value]) -> Result<Dim> {
    let all = input_elements(call, 0)?;
    let rest = &all - elements(outputs, 0)?;
    // Of an empty axis nothing is combined.
    Ok(if all == 0 || rest.as_int().is_some_and(|rest| rest < 0) { Dim::ZERO } else { rest })
}

/// Which axes are reduced.
enum Axes {
    Known(Vec<usize>),
    /// So many, but the run decides which.
    Count(usize),
    Unknown,
}

fn reduced_axes(call: &Call) -> Result<Axes> {
    let rank = call.shape(0)?.len();
    let list = match call.ints_moved("axes", 1) {
        Ok(list) => list.unwrap_or_default(),
        Err(Stop::Unknown) => {
            let count = match call.optional(1).and_then(|axes| axes.shape.as_deref()) {
                Some([count]) => count.as_int().and_then(|count| usize::try_from(count).ok()),
                _ => None,
            };
            return match count {
                Some(count) if count > rank => invalid(format!("{count} axes cannot be reduced of the rank {rank}")),
                Some(0) => Ok(Axes::Known(of_no_axes(call, rank)?)),
                Some(count) if count == rank => Ok(Axes::Known((0..rank).collect())),
                Some(count) => Ok(Axes::Count(count)),
                None => Ok(Axes::Unknown),
            };
        }
        Err(stop) => return Err(stop),
    };
    Ok(Axes::Known(if list.is_empty() { of_no_axes(call, rank)? } else { axes(&list, rank)? }))
}

/// No axes given means all of them, unless `noop_with_empty_axes` says none.
fn of_no_axes(call: &Call, rank: usize) -> Result<Vec<usize>> {
    Ok(if call.attributes.int_or("noop_with_empty_axes", 0)? == 0 { (0..rank).collect() } else { Vec::new() })
}

/// How two elements become one, and what none become.
struct Fold {
    combine: fn(&Scalar, &Scalar) -> Scalar,
    of_nothing: Option<i64>,
}

fn no_contents(call: &Call) -> Result<Vec<Value>> {
    reduce(call, None)
}

fn reduce(call: &Call, fold: Option<Fold>) -> Result<Vec<Value>> {
    let (tensor, shape) = (call.tensor(0)?, call.shape(0)?);
    let keep = call.attributes.int_or("keepdims", 1)? != 0;
    let list = match (reduced_axes(call)?, keep) {
        (Axes::Known(list), _) => list,
        (_, true) => {
            let size = |(at, size): (usize, &Dim)| if *size == 1 { Dim::ONE } else { call.decided(&at.to_string()) };
            return output(tensor.dtype, shape.iter().enumerate().map(size).collect());
        }
        (Axes::Count(count), false) => return output(tensor.dtype, call.decided_shape(shape.len() - count)),
        (Axes::Unknown, false) => return Ok(vec![Tensor { dtype: tensor.dtype, shape: None, contents: None }.into()]),
    };
    let result = Tensor::new(tensor.dtype, without(shape, &list, keep));
    let contents = fold.and_then(|fold| folded(tensor, &list, &fold));
    Ok(vec![contents.map_or(result.clone(), |scalars| result.with_scalars(scalars)).into()])
}

/// The shape once these axes are reduced, to 1 or away.
fn without(shape: &[Dim], reduced: &[usize], keep: bool) -> Shape {
    let size = |(at, size): (usize, &Dim)| match reduced.contains(&at) {
        false => Some(size.clone()),
        true => keep.then_some(Dim::ONE),
    };
    shape.iter().enumerate().filter_map(size).collect()
}

fn folded(tensor: &Tensor, reduced: &[usize], fold: &Fold) -> Option<Vec<Scalar>> {
    let (shape, scalars) = (plain(tensor.shape.as_deref()?)?, tensor.scalars()?);
    let kept = (0..shape.len()).filter(|at| !reduced.contains(at));
    let count = kept.map(|at| shape[at]).try_fold(1i64, i64::checked_mul).filter(|&count| count <= CONTENTS_LIMIT)?;
    let mut results: Vec<Option<Scalar>> = vec![None; usize::try_from(count).ok()?];
    for (index, scalar) in scalars.iter().enumerate() {
        let (mut rest, mut place, mut step) = (index as i64, 0, 1);
        for at in (0..shape.len()).rev() {
            if !reduced.contains(&at) {
                place += rest % shape[at] * step;
                step *= shape[at];
            }
            rest /= shape[at];
        }
        let result = results.get_mut(usize::try_from(place).ok()?)?;
        *result = Some(match result.take() {
            Some(before) => (fold.combine)(&before, scalar),
            None => scalar.clone(),
        });
    }
    let nothing = fold.of_nothing.map_or(Scalar::Unknown, |value| match tensor.dtype.is_float() {
        true => Scalar::Float(value as f64),
        false => Scalar::Int(Dim::from(value)),
    });
    Some(results.into_iter().map(|result| result.unwrap_or_else(|| nothing.clone())).collect())
}

fn greater(a: &Scalar, b: &Scalar) -> Scalar {
    extreme(a, b, Dim::max, f64::max)
}

fn lesser(a: &Scalar, b: &Scalar) -> Scalar {
    extreme(a, b, Dim::min, f64::min)
}

fn extreme(a: &Scalar, b: &Scalar, of_dims: fn(&Dim, &Dim) -> Dim, of_floats: fn(f64, f64) -> f64) -> Scalar {
    match (a, b) {
        (Scalar::Int(a), Scalar::Int(b)) => Scalar::Int(of_dims(a, b)),
        (Scalar::Bool(a), Scalar::Bool(b)) => Scalar::Bool(of_floats(f64::from(*a), f64::from(*b)) > 0.5),
        (Scalar::Float(a), Scalar::Float(b)) if !a.is_nan() && !b.is_nan() => Scalar::Float(of_floats(*a, *b)),
        _ => Scalar::Unknown,
    }
}

fn arg(call: &Call) -> Result<Vec<Value>> {
    let shape = call.shape(0)?;
    let at = axis(call.attributes.int_or("axis", 0)?, shape.len().max(1))?;
    output(DType::I64, without(shape, &[at], call.attributes.int_or("keepdims", 1)? != 0))
}

/// `k` was an attribute until opset 9; from 10 on it is the second input.
fn top_k(call: &Call) -> Result<Vec<Value>> {
    let (tensor, shape) = (call.tensor(0)?, call.shape(0)?);
    let at = axis(call.attributes.int_or("axis", -1)?, shape.len())?;
    let k = match call.attributes.int("k")?.filter(|_| call.opset < 10) {
        Some(k) => Dim::from(k),
        None => match &*call.tensor(1)?.scalars().unwrap_or_default() {
            [] => call.decided("k"),
            [k] => k.as_dim().unwrap_or_else(|| call.decided("k")),
            several => return invalid(format!("k must be one number, it has {} elements", several.len())),
        },
    };
    if k.known_le(&Dim::from(-1i64)) == Some(true) {
        return invalid(format!("k must not be negative, it is {k}"));
    }
    if k.known_le(&shape[at]) == Some(false) {
        return invalid(format!("k is {k}, but axis {at} has only {} elements", shape[at]));
    }
    let mut kept = shape.to_vec();
    kept[at] = k;
    Ok(vec![Tensor::new(tensor.dtype, kept.clone()).into(), Tensor::new(DType::I64, kept).into()])
}

/// A running sum or product: `exclusive` leaves out the element itself, `reverse` starts at the end.
fn scan(call: &Call, combine: fn(&Scalar, &Scalar) -> Scalar, start: i64) -> Result<Vec<Value>> {
    let tensor = call.tensor(0)?;
    let result = Tensor { contents: None, ..tensor.clone() };
    let Some(list) = call.ints(1) else { return Ok(vec![result.into()]) };
    let [at] = list[..] else { return invalid(format!("the axis must be one number, it has {} elements", list.len())) };
    let shape = call.shape(0)?;
    let at = axis(at, shape.len())?;
    let exclusive = call.attributes.int_or("exclusive", 0)? != 0;
    let reverse = call.attributes.int_or("reverse", 0)? != 0;
    let (Some(shape), Some(scalars)) = (plain(shape), tensor.scalars().filter(|scalars| !scalars.is_empty())) else {
        return Ok(vec![result.into()]);
    };
    let size = usize::try_from(shape[at]).unwrap_or(0);
    let step = usize::try_from(shape[at + 1..].iter().product::<i64>()).unwrap_or(0);
    let neutral = match tensor.dtype.is_float() {
        true => Scalar::Float(start as f64),
        false => Scalar::Int(Dim::from(start)),
    };
    let mut sums = scalars.to_vec();
    for first in (0..scalars.len()).filter(|index| index / step % size == 0) {
        let mut sum = neutral.clone();
        for position in 0..size {
            let index = first + step * if reverse { size - 1 - position } else { position };
            let (Some(value), Some(place)) = (scalars.get(index), sums.get_mut(index)) else { continue };
            let next = combine(&sum, value);
            *place = if exclusive { sum } else { next.clone() };
            sum = next;
        }
    }
    Ok(vec![result.with_scalars(sums).into()])
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn axes_move_from_attribute_to_input() {
        check(
            "
            ReduceSum f32[2,3,4] -> f32[1,1,1] flops=23
            ReduceSum@11 f32[2,3,4] axes=[-1,0] keepdims=0 -> f32[3] flops=21
            ReduceSum f32[2,3,4] i64[1]{1} -> f32[2,1,4] flops=16
            ReduceSum f32[2,3,4] i64[0]{} -> f32[1,1,1]
            ReduceSum f32[2,3,4] i64[0]{} noop_with_empty_axes=1 -> f32[2,3,4] flops=0
            ReduceSum f32[2,3,4] noop_with_empty_axes=1 -> f32[2,3,4]
            ReduceMean@17 f32[n,c,7,7] axes=[2,3] -> f32[n,c,1,1] flops=49*c*n
            ReduceMean f32[n,c,7,7] i64[2]{2,3} keepdims=0 -> f32[n,c] flops=49*c*n
            ReduceMean f32[2,3] noop_with_empty_axes=1 -> f32[2,3] flops=0
            ReduceMax@11 f32[2,3] axes=[1] -> f32[2,1] flops=4
            ReduceMax f32[2,3] i64[1]{2} -> error axis 2
            ReduceMax f32[2,3] i64[2]{0,-2} -> error twice
            ReduceMin f32[*] i64[1]{0} -> unknown
            ReduceSum f32[] -> f32[] flops=0
            ReduceSum f32[2,0,4] i64[1]{1} -> f32[2,1,4] flops=0
            ReduceL1 f32[2,3] i64[1]{1} -> f32[2,1] flops=10
            ReduceL2 f32[2,3] i64[1]{1} -> f32[2,1] flops=12
            ReduceL2 f32[2,3] noop_with_empty_axes=1 -> f32[2,3] flops=12
            ReduceLogSum f32[2,3] i64[1]{1} -> f32[2,1] flops=6
            ReduceLogSumExp f32[2,3] i64[1]{1} -> f32[2,1] flops=12
            ReduceSumSquare f32[2,3] i64[1]{1} -> f32[2,1] flops=10
            ",
        );
    }

    #[test]
    fn axes_that_the_run_decides_leave_the_rank() {
        check(
            "
            ReduceSum f32[2,1,4] i64[1] -> f32[$node.0,1,$node.2]
            ReduceSum f32[2,3,4] i64[1] keepdims=0 -> f32[$node.0,$node.1]
            ReduceSum f32[2,3,4] i64[3] keepdims=0 -> f32[]
            ReduceSum f32[2,3,4] i64[4] -> error 4 axes
            ReduceSum f32[2,3,4] i64[k] keepdims=0 -> f32[*]
            ",
        );
    }

    #[test]
    fn contents_are_reduced() {
        check(
            "
            ReduceProd i64[3]{2,n,4} keepdims=0 -> i64[]{8*n}
            ReduceSum i64[2,2]{1,2,3,4} i64[1]{0} keepdims=0 -> i64[2]{4,6}
            ReduceSum i64[2,2]{1,2,3,4} i64[1]{1} -> i64[2,1]{3,7}
            ReduceMax i64[3]{2,n,1} -> i64[1]{max(2,n)}
            ReduceMin i64[3]{2,7,-1} keepdims=0 -> i64[]{-1}
            ReduceMax bool[2]{false,true} keepdims=0 -> bool[]{true}
            ReduceMin bool[2]{false,true} keepdims=0 -> bool[]{false}
            ReduceProd i64[0]{} keepdims=0 -> i64[]{1}
            ReduceSum i64[2]{1,?} keepdims=0 -> i64[]{unknown}
            ",
        );
    }

    #[test]
    fn arguments_and_the_greatest() {
        check(
            "
            ArgMax f32[2,3,4] -> i64[1,3,4] flops=12
            ArgMax f32[2,3,4] axis=-1 keepdims=0 select_last_index=1 -> i64[2,3] flops=18
            ArgMin f32[n,10] axis=1 keepdims=0 -> i64[n] flops=9*n
            ArgMin f32[2,3] axis=2 -> error axis 2
            TopK f32[3,8] i64[1]{5} -> f32[3,5] i64[3,5] flops=24
            TopK f32[n,8] i64[1]{n} axis=0 -> f32[n,8] i64[n,8]
            TopK f32[3,8] i64[1] -> f32[3,$node.k] i64[3,$node.k]
            TopK@9 f16[3,8] k=2 axis=0 -> f16[2,8] i64[2,8]
            TopK@1 f32[3,8] k=2 -> f32[3,2] i64[3,2]
            TopK f32[3,8] i64[1]{9} -> error only 8
            TopK f32[3,8] i64[1]{-1} -> error negative
            TopK f32[] i64[1]{1} -> error axis
            TopK f32[3,8] -> error input 1 is missing
            ",
        );
    }

    #[test]
    fn scans_keep_the_shape() {
        check(
            "
            CumSum f32[n,8] i64[]{1} -> f32[n,8] flops=8*n
            CumSum i64[4]{1,2,n,4} i64[]{0} -> i64[4]{1,3,n+3,n+7}
            CumSum i64[3]{1,2,3} i64[]{0} exclusive=1 -> i64[3]{0,1,3}
            CumSum i64[3]{1,2,3} i64[]{0} reverse=1 exclusive=1 -> i64[3]{5,3,0}
            CumSum i64[2,2]{1,2,3,4} i64[1]{-2} -> i64[2,2]{1,2,4,6}
            CumSum i64[2,2]{1,2,3,4} i64[]{1} reverse=1 -> i64[2,2]{3,2,7,4}
            CumProd i64[3]{2,n,4} i64[]{0} -> i64[3]{2,2*n,8*n}
            CumProd i64[3]{2,3,4} i64[]{0} exclusive=1 -> i64[3]{1,2,6}
            CumSum f32[2] i64[]{1} -> error axis 1
            CumSum f32[2] i64[] -> f32[2]
            ",
        );
    }
}
