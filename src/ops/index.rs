//! Elements chosen by index or by condition: Gather, GatherElements, GatherND, Compress, NonZero, OneHot, Unique.

use super::broadcast::plain;
use super::cast::truth;
use super::elementwise::whole;
use super::moved::{advance, agreed, element, filled, moved, offset, small_count, spelled};
use super::{Call, Op, Result, Role, axis, elements, invalid, output, per_input, per_output, product};
use crate::dim::Dim;
use crate::tensor::{DType, Scalar, Shape, Tensor, Value};

const SETTING: &[(usize, Role)] = &[(1, Role::Setting)];

pub(super) const OPS: &[Op] = &[
    Op::new("Compress", compress).roles(SETTING).reads(what_is_taken),
    Op::new("Gather", gather).roles(SETTING).reads(what_is_taken),
    Op::new("GatherElements", gather_elements).roles(SETTING).reads(what_is_taken),
    Op::new("GatherND", gather_nd).roles(SETTING).reads(what_is_taken),
    Op::new("NonZero", non_zero).flops("1 per input element: comparison with zero", per_input::<1>),
    Op::new("OneHot", one_hot).flops("1 per output element: comparison with the index", per_output::<1>).roles(&[
        (0, Role::Setting),
        (1, Role::Setting),
        (2, Role::Setting),
    ]),
    Op::new("Unique", unique).flops("1 per input element: comparison with its neighbour in order", per_input::<1>),
];

/// Of the data, as much as the output holds.
fn what_is_taken(_: &Call, outputs: &[Value], input: usize) -> Result<Option<Dim>> {
    if input == 0 { elements(outputs, 0).map(Some) } else { Ok(None) }
}

/// A plain index into an axis of this size, counted from the back where negative.
pub(super) fn index_within(index: i64, size: i64) -> Result<i64> {
    match index {
        0.. if index < size => Ok(index),
        ..0 if index >= -size => Ok(index + size),
        _ => invalid(format!("the index {index} is outside the size {size}")),
    }
}

/// The indices of an operand into an axis of this size: none for those that are no plain numbers.
pub(super) fn indices_within(scalars: &[Scalar], size: Option<i64>) -> Result<Vec<Option<i64>>> {
    let one = |scalar: &Scalar| match (whole(scalar).and_then(|index| index.as_int()), size) {
        (Some(index), Some(size)) => index_within(index, size).map(Some),
        _ => Ok(None),
    };
    scalars.iter().map(one).collect()
}

/// `data[…, indices, …]`: the indices' axes stand where `axis` was.
fn gather(call: &Call) -> Result<Vec<Value>> {
    let (data, shape, indices) = (call.tensor(0)?, call.shape(0)?, call.tensor(1)?);
    let along = axis(call.attributes.int_or("axis", 0)?, shape.len())?;
    let picked = call.shape(1)?;
    let result: Shape = shape[..along].iter().chain(picked).chain(&shape[along + 1..]).cloned().collect();
    let tensor = Tensor::new(data.dtype, result);
    let positions = match indices.scalars() {
        Some(scalars) => indices_within(&scalars, shape[along].as_int())?,
        None => Vec::new(),
    };
    // An axis of one element has but one index.
    let only = (shape[along] == 1).then_some(0);
    let (Some(sizes), Some(picked)) = (plain(shape), plain(picked)) else { return Ok(vec![tensor.into()]) };
    let source = |index: &[i64]| {
        let (outer, rest) = index.split_at(along);
        let (inside, inner) = rest.split_at(picked.len());
        let position = positions.get(offset(inside.iter().copied(), &picked) as usize).copied().flatten().or(only)?;
        Some(offset(outer.iter().copied().chain([position]).chain(inner.iter().copied()), &sizes))
    };
    Ok(vec![moved(tensor, data, source).into()])
}

/// Of the indices' shape; along `axis` each index says where its element comes from.
fn gather_elements(call: &Call) -> Result<Vec<Value>> {
    let (data, shape, picked) = (call.tensor(0)?, call.shape(0)?, call.shape(1)?);
    let along = axis(call.attributes.int_or("axis", 0)?, shape.len())?;
    if picked.len() != shape.len() {
        return invalid(format!("the data has rank {}, the indices have {}", shape.len(), picked.len()));
    }
    let tensor = Tensor::new(data.dtype, picked.to_vec());
    let Some(scalars) = call.tensor(1)?.scalars() else { return Ok(vec![tensor.into()]) };
    let positions = indices_within(&scalars, shape[along].as_int())?;
    let (Some(sizes), Some(picked)) = (plain(shape), plain(picked)) else { return Ok(vec![tensor.into()]) };
    let source = |index: &[i64]| {
        let position = (*positions.get(offset(index.iter().copied(), &picked) as usize)?)?;
        Some(offset(index.iter().enumerate().map(|(axis, &at)| if axis == along { position } else { at }), &sizes))
    };
    Ok(vec![moved(tensor, data, source).into()])
}

/// The last axis of the indices holds tuples that lead into the data behind its first `batch_dims` axes.
fn gather_nd(call: &Call) -> Result<Vec<Value>> {
    let (data, shape, picked) = (call.tensor(0)?, call.shape(0)?, call.shape(1)?);
    let batch = usize::try_from(call.attributes.int_or("batch_dims", 0)?).unwrap_or(usize::MAX);
    let Some((width, outer)) = picked.split_last() else { return invalid("the indices are a scalar") };
    if batch > outer.len() || batch > shape.len() {
        return invalid("`batch_dims` must be less than the ranks of the data and the indices");
    }
    let Some(width) = width.as_int() else { return Err(super::Stop::Unknown) };
    let Some(depth) =
        usize::try_from(width).ok().and_then(|width| width.checked_add(batch)).filter(|depth| *depth <= shape.len())
    else {
        return invalid(format!("tuples of {width} do not index {}", spelled(&shape[batch..])));
    };
    let mut result: Shape = Vec::with_capacity(outer.len() + shape.len() - depth);
    for (axis, size) in outer.iter().enumerate() {
        result.push(match shape.get(axis).filter(|_| axis < batch) {
            Some(other) => agreed(size, other).ok_or_else(|| format!("the batch axis {axis} is {other} and {size}"))?,
            None => size.clone(),
        });
    }
    result.extend_from_slice(&shape[depth..]);
    let tensor = Tensor::new(data.dtype, result);
    let (Some(scalars), Some(sizes), Some(picked)) = (call.tensor(1)?.scalars(), plain(shape), plain(picked)) else {
        return Ok(vec![tensor.into()]);
    };
    let position = |(at, scalar): (usize, &Scalar)| {
        let size = sizes.get(batch + at % (depth - batch).max(1)).copied();
        indices_within(std::slice::from_ref(scalar), size).map(|list| list.first().copied().flatten())
    };
    let positions = scalars.iter().enumerate().map(position).collect::<Result<Vec<_>>>()?;
    let source = |index: &[i64]| {
        let (outer, inner) = index.split_at(picked.len() - 1);
        let from = offset(outer.iter().copied().chain([0]), &picked) as usize;
        let tuple = positions.get(from..from + (depth - batch))?.iter().copied().collect::<Option<Vec<i64>>>()?;
        Some(offset(outer[..batch].iter().copied().chain(tuple).chain(inner.iter().copied()), &sizes))
    };
    Ok(vec![moved(tensor, data, source).into()])
}

/// The slices along `axis` whose condition holds; without an axis, of the flattened data.
fn compress(call: &Call) -> Result<Vec<Value>> {
    let data = call.tensor(0)?;
    let along = match call.attributes.int("axis")? {
        Some(along) => Some(axis(along, call.shape(0)?.len())?),
        None => None,
    };
    if call.optional(1).and_then(|condition| condition.shape.as_ref()).is_some_and(|shape| shape.len() != 1) {
        return invalid("the condition must have rank 1");
    }
    let condition = call.tensor(1)?.scalars();
    let held = condition.and_then(|list| list.iter().map(truth).collect::<Option<Vec<_>>>());
    let kept: Option<Vec<i64>> =
        held.map(|list| list.into_iter().enumerate().filter(|(_, held)| *held).map(|(at, _)| at as i64).collect());
    let count = kept.as_ref().map_or_else(|| call.decided(""), |kept| Dim::from(kept.len()));
    let (shape, result) = match along {
        None => (data.elements().map(|count| vec![count]), vec![count]),
        Some(along) => {
            let mut result = call.shape(0)?.to_vec();
            result[along] = count;
            (Some(call.shape(0)?.to_vec()), result)
        }
    };
    let tensor = Tensor::new(data.dtype, result);
    let along = along.unwrap_or(0);
    let (Some(kept), Some(sizes)) = (kept, shape.as_deref().and_then(plain)) else { return Ok(vec![tensor.into()]) };
    if let Some(last) = kept.last().filter(|last| **last >= sizes[along]) {
        return invalid(format!("the condition holds at {last}, outside the size {}", sizes[along]));
    }
    let source = |index: &[i64]| {
        let position = *kept.get(index[along] as usize)?;
        Some(offset(index.iter().enumerate().map(|(axis, &at)| if axis == along { position } else { at }), &sizes))
    };
    Ok(vec![moved(tensor, data, source).into()])
}

/// The indices of all elements that are not zero, one column each.
fn non_zero(call: &Call) -> Result<Vec<Value>> {
    let shape = call.shape(0)?;
    let found =
        call.tensor(0)?.scalars().zip(plain(shape)).and_then(|(scalars, sizes)| non_zero_indices(&scalars, &sizes));
    let count = found.as_ref().map_or_else(|| call.decided(""), |found| Dim::from(found.len()));
    let tensor = Tensor::new(DType::I64, vec![Dim::from(shape.len()), count]);
    Ok(vec![
        match found {
            Some(found) => filled(tensor, |index| {
                let at = found.get(index[1] as usize).and_then(|found| found.get(index[0] as usize));
                at.map_or(Scalar::Unknown, |&at| Scalar::Int(Dim::from(at)))
            }),
            None => tensor,
        }
        .into(),
    ])
}

fn non_zero_indices(scalars: &[Scalar], sizes: &[i64]) -> Option<Vec<Vec<i64>>> {
    let mut index = vec![0; sizes.len()];
    let mut found = Vec::new();
    for scalar in scalars {
        if truth(scalar)? {
            found.push(index.clone());
        }
        advance(&mut index, sizes);
    }
    Some(found)
}

/// A new axis of `depth`, at `axis` of the output.
fn one_hot(call: &Call) -> Result<Vec<Value>> {
    let shape = call.shape(0)?;
    let along = axis(call.attributes.int_or("axis", -1)?, shape.len() + 1)?;
    let depth = call.tensor(1)?.scalars().and_then(|list| list.first().and_then(whole));
    if depth.as_ref().and_then(Dim::as_int).is_some_and(|depth| depth < 0) {
        return invalid("the depth is negative");
    }
    let mut result = shape.to_vec();
    result.insert(along, depth.unwrap_or_else(|| call.decided("")));
    let values = call.tensor(2)?;
    let tensor = Tensor::new(values.dtype, result);
    let (Some(indices), Some(values), Some(sizes)) = (call.tensor(0)?.scalars(), values.scalars(), plain(shape)) else {
        return Ok(vec![tensor.into()]);
    };
    let depth = tensor.shape.as_ref().and_then(|shape| shape[along].as_int()).unwrap_or(0);
    Ok(vec![
        filled(tensor, |index| {
            let outer = index.iter().enumerate().filter(|(axis, _)| *axis != along).map(|(_, &at)| at);
            let hot = whole(&element(&indices, offset(outer, &sizes))).and_then(|hot| hot.as_int());
            let hot = hot.map(|hot| if hot < 0 { hot.saturating_add(depth) } else { hot });
            hot.map_or(Scalar::Unknown, |hot| element(&values, i64::from(hot == index[along])))
        })
        .into(),
    ])
}

/// Unique elements, or slices along `axis`: they, where each is first found, where each input element went, and how often
/// each is found.
fn unique(call: &Call) -> Result<Vec<Value>> {
    let (data, shape) = (call.tensor(0)?, call.shape(0)?);
    let along = match call.attributes.int("axis")? {
        Some(along) => Some(axis(along, shape.len())?),
        None => None,
    };
    let count = match unique_count(data, shape, along) {
        Some(count) => Dim::from(count),
        None => call.decided(""),
    };
    let (result, length) = match along {
        None => (vec![count.clone()], product(shape)),
        Some(along) => {
            let mut result = shape.to_vec();
            result[along] = count.clone();
            (result, shape[along].clone())
        }
    };
    let mut outputs = output(data.dtype, result)?;
    outputs.extend([count.clone(), length, count].map(|size| Value::from(Tensor::new(DType::I64, vec![size]))));
    Ok(outputs)
}

fn unique_count(data: &Tensor, shape: &[Dim], along: Option<usize>) -> Option<usize> {
    let (scalars, sizes) = (data.scalars()?, plain(shape)?);
    small_count(&sizes)?;
    let key = |scalar: &Scalar| match scalar {
        Scalar::Text(text) => Some(text.to_string()),
        Scalar::Float(value) if value.is_nan() => None,
        // Zeros of both signs are equal.
        scalar => scalar.as_float().map(|value| format!("{}", value + 0.0)),
    };
    let (along, sizes) = along.map_or_else(|| (0, vec![scalars.len() as i64]), |along| (along, sizes));
    let mut slices = vec![Vec::new(); usize::try_from(sizes[along]).ok().filter(|count| *count <= scalars.len())?];
    let mut index = vec![0; sizes.len()];
    for scalar in scalars.iter() {
        slices[index[along] as usize].push(key(scalar)?);
        advance(&mut index, &sizes);
    }
    Some(slices.into_iter().collect::<std::collections::BTreeSet<_>>().len())
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn gather() {
        check(
            "
            Gather f32[30522,768] i64[batch,seq] -> f32[batch,seq,768]
            Gather f32[5,4,3,2] i64[3] axis=1 -> f32[5,3,3,2]
            Gather f32[5,4] i64[] axis=-1 -> f32[5]
            Gather f32[5,4] i64[2] axis=2 -> error outside
            Gather f32[] i64[2] -> error outside
            Gather f32[5,4] i64[1]{-6} -> error the index -6
            Gather i64[3]{batch,seq,768} i64[]{1} -> i64[]{seq}
            Gather i64[3]{batch,seq,768} i64[2]{-1,0} -> i64[2]{768,batch}
            Gather i64[3]{batch,seq,?} i64[3]{2,?,0} -> i64[3]{?,?,batch}
            Gather i64[1]{n} i64[]{?} -> i64[]{n}
            Gather i64[2,2]{1,2,3,4} i64[1]{1} axis=1 -> i64[2,1]{2,4}
            Gather i64[2,2]{1,2,3,4} i64[1,2]{1,0} -> i64[1,2,2]{3,4,1,2}
            Gather f32[0,4] i64[1]{0} -> error outside the size 0
            Gather f32[*] i64[1]{0} -> unknown
            ",
        );
    }

    #[test]
    fn gather_by_element_and_tuple() {
        check(
            "
            GatherElements f32[3,3] i64[2,3] -> f32[2,3]
            GatherElements f32[3,3] i64[2] -> error rank 2
            GatherElements i64[2,2]{1,2,3,4} i64[2,2]{0,0,1,-2} axis=1 -> i64[2,2]{1,1,4,3}
            GatherND f32[2,2] i64[2,2] -> f32[2]
            GatherND f32[2,2] i64[2,1] -> f32[2,2]
            GatherND f32[2,2,n] i64[2,1,2] -> f32[2,1,n]
            GatherND f32[2,2,2] i64[2,1] batch_dims=1 -> f32[2,2]
            GatherND f32[2,30,256,256] i64[2,8,3] batch_dims=1 -> f32[2,8]
            GatherND f32[2,2] i64[2,3] -> error tuples of 3
            GatherND f32[2,2] i64[3,1] batch_dims=1 -> error batch axis
            GatherND f32[2,2] i64[2,n] -> unknown
            GatherND i64[2,2]{0,1,2,n} i64[2,2]{0,0,1,-1} -> i64[2]{0,n}
            GatherND i64[2,2]{0,1,2,n} i64[2,1]{1,0} -> i64[2,2]{2,n,0,1}
            GatherND i64[2,2,2]{0,1,2,3,4,5,6,7} i64[2,1]{1,0} batch_dims=1 -> i64[2,2]{2,3,4,5}
            ",
        );
    }

    #[test]
    fn chosen_by_condition() {
        check(
            "
            Compress f32[3,2] bool[3]{false,true,true} axis=0 -> f32[2,2]
            Compress f32[3,n] bool[3] axis=-2 -> f32[$node,n]
            Compress f32[3,2] bool[5]{false,true,false,false,true} -> f32[2]
            Compress f32[3] bool[4]{false,false,false,true} -> error outside the size 3
            Compress f32[*] bool[5] -> f32[$node]
            Compress i64[3]{1,n,3} bool[2]{false,true} axis=0 -> i64[1]{n}
            NonZero f32[2,n] -> i64[2,$node] flops=2*n
            NonZero bool[2,2]{true,false,true,true} -> i64[2,3]{0,1,1,0,0,1}
            NonZero i64[2]{n,0} -> i64[1,1]{0}
            NonZero f32[]{1.0} -> i64[0,1]
            NonZero i64[2]{n-1,0} -> i64[1,$node]
            ",
        );
    }

    #[test]
    fn one_hot_and_unique() {
        check(
            "
            OneHot i64[2,n] i64[]{10} f32[2] -> f32[2,n,10] flops=20*n
            OneHot i64[2,n] i64[1]{10} f32[2] axis=1 -> f32[2,10,n]
            OneHot i64[2] f32[]{3.0} i32[2] axis=-2 -> i32[3,2]
            OneHot i64[2] i64[] f32[2] -> f32[2,$node]
            OneHot i64[2] i64[]{n} f32[2] -> f32[2,n]
            OneHot i64[2] i64[]{3} f32[2] axis=2 -> error outside
            OneHot i64[2]{1,-1} i64[]{3} i64[2]{0,5} -> i64[2,3]{0,5,0,0,0,5}
            Unique f32[6]{2.0,1.0,1.0,3.0,4.0,3.0} -> f32[4] i64[4] i64[6] i64[4]
            Unique f32[2,n] -> f32[$node] i64[$node] i64[2*n] i64[$node]
            Unique f32[3,3]{1.0,0.0,0.0,1.0,0.0,0.0,2.0,3.0,4.0} axis=0 -> f32[2,3] i64[2] i64[3] i64[2]
            Unique f32[3,n] axis=0 -> f32[$node,n] i64[$node] i64[3] i64[$node]
            ",
        );
    }
}
