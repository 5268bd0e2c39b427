//! Constants, and what follows from shapes: Constant, ConstantOfShape, EyeLike, Range, Shape, Size.

use std::sync::Arc;

use super::{Call, Op, Result, Role, Stop, invalid, output, product};
use crate::dim::Dim;
use crate::onnx::TensorProto;
use crate::tensor::{DType, Scalar, Tensor, Value};

pub(super) const OPS: &[Op] = &[
    Op::new("Constant", constant),
    Op::new("ConstantOfShape", constant_of_shape).roles(&[(0, Role::Setting)]).generates(),
    Op::new("EyeLike", eye_like).shape_only(),
    Op::new("Range", range).roles(&[(0, Role::Setting), (1, Role::Setting), (2, Role::Setting)]),
    Op::new("Shape", shape).shape_only(),
    Op::new("Size", size).shape_only(),
];

/// The value in one of the attributes that opsets 1, 11 and 12 gave it.
fn constant(call: &Call) -> Result<Vec<Value>> {
    let attributes = call.attributes;
    let list = |dtype, scalars: Vec<Scalar>| Tensor::new(dtype, vec![Dim::from(scalars.len())]).with_scalars(scalars);
    let one = |dtype, scalar| Tensor::new(dtype, Vec::new()).with_scalars(vec![scalar]);
    let tensor = if let Some(proto) = attributes.tensor("value")? {
        Tensor::of_proto(proto)
    } else if let Some(value) = attributes.int("value_int")? {
        one(DType::I64, Scalar::Int(Dim::from(value)))
    } else if let Some(value) = attributes.float("value_float")? {
        one(DType::F32, Scalar::Float(value))
    } else if let Some(value) = attributes.string("value_string")? {
        one(DType::String, Scalar::Text(Arc::from(value)))
    } else if let Some(values) = attributes.ints("value_ints")? {
        list(DType::I64, values.iter().map(|&value| Scalar::Int(Dim::from(value))).collect())
    } else if let Some(values) = attributes.floats("value_floats")? {
        list(DType::F32, values.iter().map(|&value| Scalar::Float(f64::from(value))).collect())
    } else if let Some(values) = attributes.strings("value_strings")? {
        list(DType::String, values.into_iter().map(|value| Scalar::Text(Arc::from(value))).collect())
    } else if let Some(sparse) = attributes.sparse_tensor("sparse_value") {
        let dtype = sparse.values.as_ref().map_or(DType::Undefined, |values| DType::from_code(values.data_type));
        Tensor::new(dtype, sparse.dims.iter().map(|&dim| Dim::from(dim)).collect())
    } else {
        return invalid("none of its value attributes is set");
    };
    Ok(vec![tensor.into()])
}

/// A shape given as a tensor: its sizes where known, else symbols named after the node, one for each unknown.
pub(super) fn shape_from(call: &Call, input: usize) -> Result<Vec<Dim>> {
    let tensor = call.tensor(input)?;
    if let Some(scalars) = tensor.scalars() {
        let size =
            |(axis, scalar): (usize, &Scalar)| scalar.as_dim().unwrap_or_else(|| call.decided(&axis.to_string()));
        return Ok(scalars.iter().enumerate().map(size).collect());
    }
    match call.shape(input)? {
        [rank] => rank
            .as_int()
            .filter(|rank| (0..=64).contains(rank))
            .map(|rank| call.decided_shape(rank as usize))
            .ok_or(Stop::Unknown),
        _ => invalid("a shape must have rank 1"),
    }
}

fn constant_of_shape(call: &Call) -> Result<Vec<Value>> {
    let zero = TensorProto { dims: vec![1], data_type: 1, raw_data: Some(vec![0; 4].into()), ..TensorProto::default() };
    let value = Tensor::of_proto(call.attributes.tensor("value")?.unwrap_or(&zero));
    let shape = shape_from(call, 0)?;
    let count = product(&shape).as_int().filter(|n| (0..=crate::tensor::CONTENTS_LIMIT).contains(n));
    let tensor = Tensor::new(value.dtype, shape);
    Ok(vec![
        match (count, value.scalars().as_deref()) {
            (Some(count), Some([scalar])) => tensor.with_scalars(vec![scalar.clone(); count as usize]),
            _ => tensor,
        }
        .into(),
    ])
}

fn eye_like(call: &Call) -> Result<Vec<Value>> {
    let dtype = call.attributes.int("dtype")?.map_or(call.dtype(0), |code| DType::from_code(code as i32));
    output(dtype, call.shape_of_rank(0, 2)?.to_vec())
}

/// `max(⌈(limit − start) / delta⌉, 0)` elements.
fn range(call: &Call) -> Result<Vec<Value>> {
    let dtype = call.tensor(0)?.dtype;
    let whole = |input| call.optional(input)?.scalars()?.first().and_then(super::elementwise::whole);
    if let (Some(start), Some(limit), Some(delta)) = (whole(0), whole(1), whole(2)) {
        if delta == 0 {
            return invalid("the step is zero");
        }
        let count = (&limit - &start).ceil_div(&delta).max(&Dim::ZERO);
        let tensor = Tensor::new(dtype, vec![count.clone()]);
        let values = count.as_int().filter(|n| *n <= crate::tensor::CONTENTS_LIMIT).map(|count| {
            let at = |index| &start + &delta * index;
            (0..count).map(move |index| match at(index) {
                value if dtype.is_float() => {
                    value.as_int().map_or(Scalar::Unknown, |value| Scalar::Float(value as f64))
                }
                value => Scalar::Int(value),
            })
        });
        return Ok(vec![
            match values {
                Some(values) => tensor.with_scalars(values.collect()),
                None => tensor,
            }
            .into(),
        ]);
    }
    let plain = |input| call.floats(input).and_then(|list| list.first().copied());
    match (plain(0), plain(1), plain(2)) {
        (Some(_), Some(_), Some(0.0)) => invalid("the step is zero"),
        (Some(start), Some(limit), Some(delta)) => {
            let count = ((limit - start) / delta).ceil().max(0.0);
            if !count.is_finite() || count > 1e15 {
                return invalid("it counts further than can be held");
            }
            let values = (count <= 4096.0).then(|| (0..count as i64).map(|i| Scalar::Float(start + delta * i as f64)));
            let tensor = Tensor::new(dtype, vec![Dim::from(count as i64)]);
            Ok(vec![values.map_or(tensor.clone(), |values| tensor.with_scalars(values.collect())).into()])
        }
        _ => output(dtype, vec![call.decided("")]),
    }
}

/// The shape, from `start` to `end` since opset 15 (both clamped).
fn shape(call: &Call) -> Result<Vec<Value>> {
    let shape = call.shape(0)?;
    let rank = shape.len() as i64;
    let clamp = |at: i64| if at < 0 { at.saturating_add(rank) } else { at }.clamp(0, rank) as usize;
    let start = clamp(call.attributes.int_or("start", 0)?);
    let end = clamp(call.attributes.int_or("end", rank)?).max(start);
    Ok(vec![Tensor::of_dims(&shape[start..end]).into()])
}

fn size(call: &Call) -> Result<Vec<Value>> {
    let count = product(call.shape(0)?);
    Ok(vec![Tensor::new(DType::I64, Vec::new()).with_scalars(vec![Scalar::Int(count)]).into()])
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn rules() {
        check(
            "
            Constant value_ints=[3,4] -> i64[2]{3,4}
            Constant value_float=0.5 -> f32[]{0.5}
            Constant -> error value attributes
            ConstantOfShape i64[2]{2,n} -> f32[2,n]
            ConstantOfShape i64[1]{2} -> f32[2]{0,0}
            ConstantOfShape i64[0]{} -> f32[]{0}
            ConstantOfShape i64[2] -> f32[$node.0,$node.1]
            EyeLike i32[3,4] dtype=1 -> f32[3,4]
            Range i64[]{0} i64[]{n} i64[]{1} -> i64[n]
            Range i64[]{10} i64[]{4} i64[]{-2} -> i64[3]{10,8,6}
            Range f32[]{0.0} f32[]{1.0} f32[]{0.25} -> f32[4]{0,0.25,0.5,0.75}
            Range i64[]{0} i64[] i64[]{1} -> i64[$node]
            Range i64[]{0} i64[]{3} i64[]{0} -> error zero
            Shape f32[n,3,4] -> i64[3]{n,3,4}
            Shape f32[n,3,4] start=1 end=-1 -> i64[1]{3}
            Shape f32[n,3,4] start=-10 end=10 -> i64[3]{n,3,4}
            Size f32[n,3,4] -> i64[]{12*n}
            ",
        );
    }
}
