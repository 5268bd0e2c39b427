//! Tensors joined, cut apart and repeated: Concat, Split, Expand, Tile.

use super::broadcast::{broadcast_scalars, plain};
use super::constant::shape_from;
use super::moved::{agreed, element, exactly, filled, listed, moved, offset, small_count, spelled};
use super::{Call, Op, Result, Role, axis, broadcast, invalid};
use crate::dim::Dim;
use crate::tensor::{DType, Scalar, Shape, Tensor, Value};

pub(super) const OPS: &[Op] = &[
    Op::new("Concat", concat),
    Op::new("Expand", expand).roles(&[(1, Role::Setting)]),
    Op::new("Split", split).roles(&[(1, Role::Setting)]),
    Op::new("Tile", tile).roles(&[(1, Role::Setting), (2, Role::Setting)]),
];

/// The operands one after another along `axis`, which was 1 where opset 1 leaves it out.
fn concat(call: &Call) -> Result<Vec<Value>> {
    let tensors = (0..call.inputs.len()).map(|input| call.tensor(input)).collect::<Result<Vec<_>>>()?;
    // Operands of unknown rank are of the others' rank.
    let Some((first, shape)) = tensors.iter().enumerate().find_map(|(at, tensor)| Some((at, tensor.shape.as_deref()?)))
    else {
        return if tensors.is_empty() { invalid("it needs at least one input") } else { Err(super::Stop::Unknown) };
    };
    let along = match call.attributes.int("axis")? {
        Some(along) => axis(along, shape.len())?,
        None if call.opset < 4 => axis(1, shape.len())?,
        None => return invalid("`axis` is missing"),
    };
    let mut result = shape.to_vec();
    for (at, tensor) in tensors.iter().enumerate() {
        let Some(shape) = tensor.shape.as_deref() else {
            result[along] = call.decided(&along.to_string());
            continue;
        };
        if at == first {
            continue;
        }
        let differ = || {
            format!(
                "the inputs {first} and {at} differ beside axis {along}: {} and {}",
                spelled(&result),
                spelled(shape)
            )
        };
        if shape.len() != result.len() {
            return invalid(differ());
        }
        let mut next = Vec::with_capacity(result.len());
        for (axis, (a, b)) in result.iter().zip(shape).enumerate() {
            next.push(if axis == along { a + b } else { agreed(a, b).ok_or_else(differ)? });
        }
        result = next;
    }
    if tensors.iter().any(|tensor| tensor.shape.is_none()) {
        result[along] = call.decided(&along.to_string());
    }
    // A rolled axis was cut in two at some place, before or past its end.
    result[along] = std::mem::replace(&mut result[along], Dim::ZERO).with_extrema_joined();
    let dtype = tensors.iter().map(|tensor| tensor.dtype).find(|dtype| *dtype != DType::Undefined).unwrap_or_default();
    Ok(vec![concat_scalars(Tensor::new(dtype, result), &tensors, along).into()])
}

/// Contents where any operand's are known; the other operands' elements are unknown ones.
fn concat_scalars(tensor: Tensor, tensors: &[&Tensor], along: usize) -> Tensor {
    let small = tensor.shape.as_deref().and_then(plain).is_some_and(|shape| small_count(&shape).is_some());
    if !small || tensors.iter().all(|tensor| tensor.contents.is_none()) {
        return tensor;
    }
    let parts = tensors.iter().map(|tensor| Some((plain(tensor.shape.as_deref()?)?, tensor.scalars())));
    let Some(parts) = parts.collect::<Option<Vec<_>>>() else { return tensor };
    filled(tensor, |index| {
        let mut at = index[along];
        for (shape, scalars) in &parts {
            if at < shape[along] {
                let within = index.iter().enumerate().map(|(axis, &value)| if axis == along { at } else { value });
                return scalars.as_ref().map_or(Scalar::Unknown, |scalars| element(scalars, offset(within, shape)));
            }
            at -= shape[along];
        }
        Scalar::Unknown
    })
}

/// Parts along `axis`: of given sizes (an input in opset 1 and since 13), or equal ones, where since opset 18 the last
/// may be smaller.
fn split(call: &Call) -> Result<Vec<Value>> {
    let (data, shape) = (call.tensor(0)?, call.shape(0)?);
    let along = axis(call.attributes.int_or("axis", 0)?, shape.len())?;
    let total = &shape[along];
    let sizes = match listed(call, "split", 1)? {
        Some(list) => given_parts(call, total, list)?,
        None => equal_parts(call, total)?,
    };
    let plain = plain(shape).unwrap_or_default();
    let mut from = Dim::ZERO;
    let mut parts = Vec::with_capacity(sizes.len());
    for size in sizes {
        let mut part = shape.to_vec();
        part[along] = size.clone();
        let start = from.as_int();
        let source = |index: &[i64]| {
            let start = start?;
            Some(offset(
                index.iter().enumerate().map(|(axis, &at)| if axis == along { at + start } else { at }),
                &plain,
            ))
        };
        parts.push(moved(Tensor::new(data.dtype, part), data, source).into());
        from += &size;
    }
    Ok(parts)
}

fn given_parts(call: &Call, total: &Dim, list: Vec<Option<Dim>>) -> Result<Vec<Dim>> {
    if list.len() < call.outputs {
        return invalid(format!("`split` has {} sizes for {} outputs", list.len(), call.outputs));
    }
    let known: Dim = list.iter().flatten().sum();
    let open = list.iter().filter(|size| size.is_none()).count();
    if open == 0 && known.known_eq(total) == Some(false) {
        return invalid(format!("the sizes in `split` add up to {known}, the axis has {total}"));
    }
    let size = |(part, size): (usize, Option<Dim>)| match size {
        Some(size) => size,
        None if open == 1 => total - &known,
        None => call.decided(&part.to_string()),
    };
    Ok(list.into_iter().enumerate().map(size).collect())
}

fn equal_parts(call: &Call, total: &Dim) -> Result<Vec<Dim>> {
    let count = call.attributes.int("num_outputs")?.unwrap_or(call.outputs as i64);
    if count < 1 || count < call.outputs as i64 {
        return invalid(format!("`num_outputs` is {count}, the node has {} outputs", call.outputs));
    }
    let parts = Dim::from(count);
    if call.opset < 18 {
        let size = exactly(total, &parts, || format!("the size {total} does not split into {count} equal parts"))?;
        return Ok(vec![size; call.outputs]);
    }
    let size = total.ceil_div(&parts);
    let last = total - &size * (count - 1);
    if last.as_int().is_some_and(|last| last < 0) {
        return invalid(format!("the size {total} does not split into {count} parts of {size}"));
    }
    Ok((0..call.outputs).map(|part| if part as i64 == count - 1 { last.clone() } else { size.clone() }).collect())
}

/// Broadcast to a shape, both ways.
fn expand(call: &Call) -> Result<Vec<Value>> {
    let data = call.tensor(0)?;
    let target = shape_from(call, 1)?;
    if target.iter().any(|size| size.as_int().is_some_and(|size| size < 0)) {
        return invalid(format!("it expands to {}", spelled(&target)));
    }
    let shape = broadcast(call.shape(0)?, &target)?;
    Ok(vec![broadcast_scalars(Tensor::new(data.dtype, shape), &[data], |of| of[0].clone()).into()])
}

/// `repeats` for each axis; in opset 1 `tiles` along one axis.
fn tile(call: &Call) -> Result<Vec<Value>> {
    let (data, shape) = (call.tensor(0)?, call.shape(0)?);
    let Some(list) = listed(call, "repeats", 1)? else { return invalid("input 1 is missing") };
    let mut repeats = vec![Some(Dim::ONE); shape.len()];
    if call.opset < 6 {
        let along = listed(call, "axis", 2)?.and_then(|list| list.first()?.as_ref()?.as_int());
        let (Some(along), Some(tiles)) = (along, list.into_iter().next()) else { return Err(super::Stop::Unknown) };
        repeats[axis(along, shape.len())?] = tiles;
    } else if list.len() == shape.len() {
        repeats = list;
    } else {
        return invalid(format!("`repeats` has {} elements, the input has rank {}", list.len(), shape.len()));
    }
    if let Some(negative) = repeats.iter().flatten().find(|times| times.as_int().is_some_and(|times| times < 0)) {
        return invalid(format!("it repeats {negative} times"));
    }
    let size = |(axis, (size, times)): (usize, (&Dim, &Option<Dim>))| match times {
        Some(times) => size * times,
        None => call.decided(&axis.to_string()),
    };
    let result: Shape = shape.iter().zip(&repeats).enumerate().map(size).collect();
    let plain = plain(shape).unwrap_or_default();
    let source = |index: &[i64]| Some(offset(index.iter().zip(&plain).map(|(at, size)| at % (*size).max(1)), &plain));
    Ok(vec![moved(Tensor::new(data.dtype, result), data, source).into()])
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn concat() {
        check(
            "
            Concat f32[2,3] f32[2,4] axis=1 -> f32[2,7]
            Concat f32[n,3] f32[m,3] axis=-2 -> f32[n+m,3]
            Concat f32[n,3] f32[2,4] axis=1 -> f32[2,7]
            Concat f32[$k,3] f32[n,4] axis=1 -> f32[n,7]
            Concat@1 f32[2,3] f32[2,4] -> f32[2,7]
            Concat f32[2,3] f32[2,4] -> error `axis` is missing
            Concat f32[2,3] f32[3,4] axis=1 -> error differ beside axis 1: 2×3 and 3×4
            Concat f32[2,3] f32[2] axis=1 -> error differ
            Concat f32[2,3] axis=2 -> error outside
            Concat f32[min(3,2*n),4] f32[max(3,2*n)-3,4] axis=0 -> f32[2*n,4]
            Concat f32[*] f32[2,3] axis=1 -> f32[2,$node.1]
            Concat f32[*] axis=1 -> unknown
            Concat i64[1]{n} i64[1] i64[2]{12,64} axis=0 -> i64[4]{n,?,12,64}
            Concat i64[0] i64[1]{7} axis=0 -> i64[1]{7}
            Concat i64[2,1]{1,2} i64[2,2]{3,4,5,6} axis=1 -> i64[2,3]{1,3,4,2,5,6}
            Concat i64[1] i64[1] axis=0 -> i64[2]{unknown}
            ",
        );
    }

    #[test]
    fn split() {
        check(
            "
            Split@11 f32[6,4] axis=0 -> f32[3,4] f32[3,4]
            Split@2 f32[6,4] axis=1 split=[1,3] -> f32[6,1] f32[6,3]
            Split@1 f32[6,4] i64[2]{2,4} -> f32[2,4] f32[4,4]
            Split@13 f32[6,n] i64[2]{1,5} axis=-2 -> f32[1,n] f32[5,n]
            Split f32[7] num_outputs=4 -> f32[2] f32[2] f32[2] f32[1]
            Split f32[7] num_outputs=3 -> f32[3] f32[3] f32[1]
            Split f32[3*n] num_outputs=3 axis=0 -> f32[n] f32[n] f32[n]
            Split@13 f32[3*n] -> f32[n] f32[n] f32[n]
            Split f32[n] num_outputs=2 -> f32[(n+1)//2] f32[n-(n+1)//2]
            Split f32[6] i64[2]{2,?} -> f32[2] f32[4]
            Split f32[6] i64[2] -> f32[$node.0] f32[$node.1]
            Split i64[3]{1,n,3} i64[2]{1,2} -> i64[1]{1} i64[2]{n,3}
            Split i64[2,2]{1,2,3,4} axis=1 -> i64[2,1]{1,3} i64[2,1]{2,4}
            Split f32[n] num_outputs=0 -> error num_outputs
            ",
        );
    }

    #[test]
    fn split_sizes_must_add_up() {
        check(
            "
            Split f32[6] i64[1]{5} -> error add up to 5, the axis has 6
            Split f32[6,n] i64[1]{6} axis=2 -> error outside
            Split@13 f32[n] num_outputs=2 -> f32[n//2] f32[n//2]
            Split@13 f32[5] num_outputs=2 -> error the size 5 does not split into 2 equal parts
            ",
        );
    }

    #[test]
    fn expand_and_tile() {
        check(
            "
            Expand f32[3,1] i64[3]{2,1,6} -> f32[2,3,6]
            Expand f32[3,1] i64[1]{1} -> f32[3,1]
            Expand f32[1,seq] i64[2]{batch,seq} -> f32[batch,seq]
            Expand f32[3] i64[1]{2} -> error cannot be broadcast
            Expand f32[1,3] i64[2]{?,?} -> f32[$node.0,3]
            Expand f32[1,3] i64[2] -> f32[$node.0,3]
            Expand f32[1] i64[1]{-2} -> error expands to
            Expand i64[1]{n} i64[1]{3} -> i64[3]{n,n,n}
            Tile f32[2,3] i64[2]{2,n} -> f32[4,3*n]
            Tile f32[2,3] i64[2]{2,?} -> f32[4,$node.1]
            Tile f32[2,3] i64[2] -> f32[$node.0,$node.1]
            Tile f32[2,3] i64[1]{2} -> error rank 2
            Tile f32[2,3] i64[2]{2,-1} -> error -1 times
            Tile@1 f32[2,3] f32[]{2.0} f32[]{1.0} -> f32[2,6]
            Tile i64[2]{1,n} i64[1]{2} -> i64[4]{1,n,1,n}
            ",
        );
    }
}
