//! The broadcasting rule (onnx/docs/Broadcasting.md).

use super::{Result, invalid};
use crate::dim::Dim;
use crate::tensor::{CONTENTS_LIMIT, Scalar, Shape, Tensor};

/// The shape of two shapes broadcast against each other, aligned at their last axes.
///
/// Where sizes are formulas that differ, the result is their maximum: a legal call has them equal, or one of them 1.
pub fn broadcast(a: &[Dim], b: &[Dim]) -> Result<Shape> {
    let (long, short) = if a.len() >= b.len() { (a, b) } else { (b, a) };
    let (head, tail) = long.split_at(long.len() - short.len());
    let mut shape = head.to_vec();
    for (one, other) in tail.iter().zip(short) {
        shape.push(broadcast_size(one, other).ok_or_else(|| {
            let text = |shape: &[Dim]| shape.iter().map(Dim::to_string).collect::<Vec<_>>().join("×");
            format!("the shapes {} and {} cannot be broadcast", text(a), text(b))
        })?);
    }
    Ok(shape)
}

fn broadcast_size(a: &Dim, b: &Dim) -> Option<Dim> {
    match (a.as_int(), b.as_int()) {
        _ if a == b => Some(a.clone()),
        (Some(1), _) => Some(b.clone()),
        (_, Some(1)) => Some(a.clone()),
        (Some(_), Some(_)) => None,
        // A known size other than 1 can only meet itself or 1.
        (Some(_), None) => Some(a.clone()),
        (None, Some(_)) => Some(b.clone()),
        (None, None) => Some(a.max(b)),
    }
}

/// The shape of all these broadcast together; of none, a scalar's.
pub fn broadcast_all<'a>(shapes: impl IntoIterator<Item = &'a [Dim]>) -> Result<Shape> {
    shapes.into_iter().try_fold(Shape::new(), |result, shape| broadcast(&result, shape))
}

/// Requires that `from` can be broadcast to exactly `to` (unidirectional broadcasting).
pub(super) fn broadcasts_to(from: &[Dim], to: &[Dim]) -> Result<()> {
    match broadcast(from, to)?.len() == to.len() && from.len() <= to.len() {
        true => Ok(()),
        false => invalid("an operand has more dimensions than the tensor it is broadcast to"),
    }
}

/// `tensor` with the contents that `op` makes of the operands' elements, where all operands' contents are known.
pub(super) fn broadcast_scalars(tensor: Tensor, operands: &[&Tensor], op: impl Fn(&[&Scalar]) -> Scalar) -> Tensor {
    let known = operands.iter().all(|operand| operand.contents.is_some());
    let Some(shape) = tensor.shape.as_ref().filter(|_| known).and_then(|shape| plain(shape)) else { return tensor };
    let count = shape.iter().try_fold(1i64, |n, &size| n.checked_mul(size)).filter(|&n| n <= CONTENTS_LIMIT);
    let Some(lists) = operands.iter().map(|operand| operand.scalars()).collect::<Option<Vec<_>>>() else {
        return tensor;
    };
    let strides = operands.iter().map(|operand| strides_within(operand.shape.as_deref()?, &shape));
    let (Some(count), Some(strides)) = (count, strides.collect::<Option<Vec<_>>>()) else { return tensor };
    let mut scalars = Vec::with_capacity(count as usize);
    let mut index = vec![0i64; shape.len()];
    for _ in 0..count {
        let offset = |strides: &[i64]| index.iter().zip(strides).map(|(at, stride)| at * stride).sum::<i64>() as usize;
        let of: Option<Vec<&Scalar>> =
            lists.iter().zip(&strides).map(|(list, strides)| list.get(offset(strides))).collect();
        let Some(of) = of else { return tensor };
        scalars.push(op(&of));
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    tensor.with_scalars(scalars)
}

/// A shape whose sizes are all plain numbers.
pub(super) fn plain(shape: &[Dim]) -> Option<Vec<i64>> {
    shape.iter().map(Dim::as_int).collect()
}

/// The step of each axis of `to` in a row-major tensor of shape `from`; 0 along axes that are broadcast.
fn strides_within(from: &[Dim], to: &[i64]) -> Option<Vec<i64>> {
    let from = plain(from)?;
    let mut strides = vec![0; to.len()];
    let mut step = 1;
    for axis in (0..from.len()).rev() {
        strides[axis + to.len() - from.len()] = if from[axis] == 1 { 0 } else { step };
        step *= from[axis];
    }
    Some(strides)
}
