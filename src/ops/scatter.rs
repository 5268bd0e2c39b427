//! Elements written at indices: Scatter, ScatterElements, ScatterND, TensorScatter.

use super::broadcast::plain;
use super::elementwise::{add, multiply};
use super::index::indices_within;
use super::moved::{advance, element, offset, small_count, spelled};
use super::{Call, Op, Result, Role, axis, input_elements, invalid};
use crate::dim::Dim;
use crate::tensor::{Scalar, Tensor, Value};

const REDUCTION: &str = "1 per update that is reduced with what stands there, none where it replaces it";
const SETTING: &[(usize, Role)] = &[(1, Role::Setting)];

pub(super) const OPS: &[Op] = &[
    Op::new("Scatter", scatter_elements).roles(SETTING),
    Op::new("ScatterElements", scatter_elements).flops(REDUCTION, per_reduced_update).roles(SETTING),
    Op::new("ScatterND", scatter_nd).flops(REDUCTION, per_reduced_update).roles(SETTING),
    Op::new("TensorScatter", tensor_scatter).roles(&[(2, Role::Setting)]),
];

fn reduction<'c>(call: &'c Call) -> Result<&'c str> {
    match call.attributes.string("reduction")?.unwrap_or("none") {
        known @ ("none" | "add" | "mul" | "max" | "min") => Ok(known),
        other => invalid(format!("it does not know the reduction \"{other}\"")),
    }
}

fn per_reduced_update(call: &Call, _: &[Value]) -> Result<Dim> {
    if reduction(call)? == "none" { Ok(Dim::ZERO) } else { input_elements(call, 2) }
}

/// What stands at an element after an update; how floating-point sums are rounded is left open.
fn updated(reduction: &str, old: &Scalar, new: &Scalar) -> Scalar {
    match (reduction, old, new) {
        ("none", ..) => new.clone(),
        ("add", Scalar::Int(_), Scalar::Int(_)) => add(old, new),
        ("mul", Scalar::Int(_), Scalar::Int(_)) => multiply(old, new),
        _ => Scalar::Unknown,
    }
}

/// The data with these elements: contents of an output of the data's shape.
fn like_data(data: &Tensor, scalars: Option<Vec<Scalar>>) -> Result<Vec<Value>> {
    let tensor = Tensor { contents: None, ..data.clone() };
    Ok(vec![
        match scalars {
            Some(scalars) => tensor.with_scalars(scalars),
            None => tensor,
        }
        .into(),
    ])
}

/// Data, indices and updates of one rank; along `axis` each index says where its update goes.
fn scatter_elements(call: &Call) -> Result<Vec<Value>> {
    let (data, shape, picked) = (call.tensor(0)?, call.shape(0)?, call.shape(1)?);
    let along = axis(call.attributes.int_or("axis", 0)?, shape.len())?;
    let updates = call.tensor(2)?;
    if picked.len() != shape.len() {
        return invalid(format!("the data has rank {}, the indices have {}", shape.len(), picked.len()));
    }
    expect_updates(updates, picked)?;
    let reduction = reduction(call)?;
    let Some(scalars) = call.tensor(1)?.scalars() else { return like_data(data, None) };
    let positions = indices_within(&scalars, shape[along].as_int())?;
    let (Some(old), Some(new), Some(sizes), Some(picked)) =
        (data.scalars(), updates.scalars(), plain(shape), plain(picked))
    else {
        return like_data(data, None);
    };
    let mut result = old.to_vec();
    let mut index = vec![0; sizes.len()];
    for (position, new) in positions.iter().zip(new.iter()) {
        // An update that may go anywhere leaves nothing known.
        let Some(position) = *position else { return like_data(data, None) };
        let at = offset(index.iter().enumerate().map(|(axis, &at)| if axis == along { position } else { at }), &sizes);
        if let Some(slot) = usize::try_from(at).ok().and_then(|at| result.get_mut(at)) {
            *slot = updated(reduction, slot, new);
        }
        advance(&mut index, &picked);
    }
    like_data(data, Some(result))
}

fn expect_updates(updates: &Tensor, wanted: &[Dim]) -> Result<()> {
    let Some(shape) = updates.shape.as_deref() else { return Ok(()) };
    let fits = shape.len() == wanted.len() && shape.iter().zip(wanted).all(|(a, b)| a.known_eq(b) != Some(false));
    match fits {
        true => Ok(()),
        false => invalid(format!("the updates must have the shape {}, they have {}", spelled(wanted), spelled(shape))),
    }
}

/// The last axis of the indices holds tuples, each of which leads to an element or a slice of the data.
fn scatter_nd(call: &Call) -> Result<Vec<Value>> {
    let (data, shape, picked) = (call.tensor(0)?, call.shape(0)?, call.shape(1)?);
    let reduction = reduction(call)?;
    let updates = call.tensor(2)?;
    let Some((width, outer)) = picked.split_last() else { return invalid("the indices are a scalar") };
    let Some(width) = width.as_int() else { return like_data(data, None) };
    let Some(depth) = usize::try_from(width).ok().filter(|depth| *depth <= shape.len()) else {
        return invalid(format!("tuples of {width} do not index {}", spelled(shape)));
    };
    expect_updates(updates, &[outer, &shape[depth..]].concat())?;
    let Some(scalars) = call.tensor(1)?.scalars() else { return like_data(data, None) };
    let mut positions = Vec::with_capacity(scalars.len());
    for (at, scalar) in scalars.iter().enumerate() {
        let size = shape.get(at % depth.max(1)).and_then(Dim::as_int);
        positions.extend(indices_within(std::slice::from_ref(scalar), size)?);
    }
    let (Some(old), Some(new), Some(sizes)) = (data.scalars(), updates.scalars(), plain(shape)) else {
        return like_data(data, None);
    };
    let mut result = old.to_vec();
    let Some(length) = small_count(&sizes[depth..]) else { return like_data(data, None) };
    for (update, tuple) in positions.chunks(depth.max(1)).enumerate() {
        let Some(tuple) = tuple.iter().copied().collect::<Option<Vec<_>>>() else { return like_data(data, None) };
        let from = offset(tuple, &sizes[..depth]) * length;
        for at in 0..length {
            let new = element(&new, update as i64 * length + at);
            if let Some(slot) = usize::try_from(from + at).ok().and_then(|at| result.get_mut(at)) {
                *slot = updated(reduction, slot, &new);
            }
        }
    }
    like_data(data, Some(result))
}

/// The cache with the update written in along `axis`, from each sample's write index on.
fn tensor_scatter(call: &Call) -> Result<Vec<Value>> {
    let (data, shape) = (call.tensor(0)?, call.shape(0)?);
    let along = axis(call.attributes.int_or("axis", -2)?, shape.len())?;
    if along == 0 {
        return invalid("the sequence axis cannot be the batch axis");
    }
    let mode = call.attributes.string("mode")?.unwrap_or("linear");
    if !matches!(mode, "linear" | "circular") {
        return invalid(format!("it does not know the mode \"{mode}\""));
    }
    if let Some(update) = call.tensor(1)?.shape.as_deref() {
        let agrees = |axis: usize, size: &Dim| match axis == along {
            true => size.known_le(&shape[axis]) != Some(false),
            false => size.known_eq(&shape[axis]) != Some(false),
        };
        if update.len() != shape.len() || !update.iter().enumerate().all(|(axis, size)| agrees(axis, size)) {
            return invalid(format!("an update of {} does not fit into {}", spelled(update), spelled(shape)));
        }
    }
    if let Some(writes) = call.optional(2).and_then(|writes| writes.shape.as_deref())
        && !matches!(writes, [count] if count.known_eq(&shape[0]) != Some(false))
    {
        return invalid("there must be one write index for each of the batch");
    }
    like_data(data, None)
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn scatter() {
        check(
            "
            Scatter@9 f32[3,3] i64[2,3] f32[2,3] -> f32[3,3]
            ScatterElements f32[1,n] i64[1,2] f32[1,2] axis=1 -> f32[1,n] flops=0
            ScatterElements f32[1,5] i64[1,2] f32[1,2] axis=1 reduction='add' -> f32[1,5] flops=2
            ScatterElements f32[1,5] i64[1,2] f32[1,3] axis=1 -> error the updates must have the shape 1×2, they have 1×3
            ScatterElements f32[1,5] i64[1,1]{5} f32[1,1] axis=1 -> error the index 5
            ScatterElements f32[1,5] i64[1,1] f32[1,1] reduction='avg' -> error avg
            ScatterElements i64[3]{1,2,3} i64[2]{-1,0} i64[2]{n,7} -> i64[3]{7,2,n}
            ScatterElements i64[3]{1,2,3} i64[2]{0,0} i64[2]{n,7} reduction='add' -> i64[3]{n+8,2,3}
            ScatterElements i64[3]{1,2,3} i64[1]{?} i64[1]{n} -> i64[3]{unknown}
            ScatterND f32[4,4,4] i64[2,1] f32[2,4,4] -> f32[4,4,4] flops=0
            ScatterND f32[4,4,4] i64[2,1] f32[2,4,4] reduction='max' -> f32[4,4,4] flops=32
            ScatterND f32[4,4,4] i64[2,1] f32[2,4] -> error the updates must have the shape 2×4×4
            ScatterND f32[4,4] i64[2,3] f32[2] -> error tuples of 3
            ScatterND i64[4]{1,2,3,4} i64[2,1]{1,-1} i64[2]{n,9} -> i64[4]{1,n,3,9}
            ScatterND i64[2,2]{1,2,3,4} i64[1,1]{1} i64[1,2]{n,9} -> i64[2,2]{1,2,n,9}
            ScatterND i64[2,2]{1,2,3,4} i64[1,2]{1,0} i64[1]{n} -> i64[2,2]{1,2,n,4}
            TensorScatter f32[2,1,max,64] f32[2,1,seq,64] i64[2] -> f32[2,1,max,64]
            TensorScatter f32[2,1,8,64] f32[2,1,9,64] -> error does not fit
            TensorScatter f32[2,8,64] f32[2,1,64] i64[3] -> error one write index
            TensorScatter f32[2,8,64] f32[2,1,64] axis=0 -> error batch axis
            ",
        );
    }
}
