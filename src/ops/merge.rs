//! What holds of several values at once: of the outputs of two branches, or of a loop's state in all iterations.

use super::{Result, invalid};
use crate::dim::Dim;
use crate::tensor::{CONTENTS_LIMIT, DType, Scalar, Tensor, Value};

/// What holds of both values. An axis along which they differ gets the size that `open` names for it.
pub(super) fn join(a: &Value, b: &Value, open: &dyn Fn(usize) -> Dim) -> Result<Value> {
    Ok(match (a, b) {
        (Value::Unknown, _) | (_, Value::Unknown) => Value::Unknown,
        (Value::Tensor(a), Value::Tensor(b)) => join_tensors(a, b, open)?.into(),
        (Value::Sequence { element: one, items: a }, Value::Sequence { element: other, items: b }) => {
            let items = match (a, b) {
                (Some(a), Some(b)) if a.len() == b.len() => {
                    Some(a.iter().zip(b).map(|(a, b)| join(a, b, open)).collect::<Result<Vec<_>>>()?)
                }
                _ => None,
            };
            let empty = |items: &Option<Vec<Value>>| items.as_ref().is_some_and(Vec::is_empty);
            let element = match (empty(a), empty(b)) {
                (true, _) => (**other).clone(),
                (_, true) => (**one).clone(),
                _ => join(one, other, open)?,
            };
            Value::Sequence { element: Box::new(element), items }
        }
        (Value::Optional { element: one, present: a }, Value::Optional { element: other, present: b }) => {
            let element = match (a, b) {
                (Some(false), _) => (**other).clone(),
                (_, Some(false)) => (**one).clone(),
                _ => join(one, other, open)?,
            };
            Value::Optional { element: Box::new(element), present: if a == b { *a } else { None } }
        }
        (Value::Map { key, element: one }, Value::Map { key: other_key, element: other }) => {
            Value::Map { key: join_dtypes(*key, *other_key)?, element: Box::new(join(one, other, open)?) }
        }
        // Since opset 18 a plain value may stand where an optional may.
        (Value::Optional { element, present }, plain) | (plain, Value::Optional { element, present }) => {
            let element = if *present == Some(false) { plain.clone() } else { join(element, plain, open)? };
            Value::Optional { element: Box::new(element), present: present.filter(|present| *present) }
        }
        _ => return invalid("a value would be of another kind (tensor, sequence, optional, map) by the way taken"),
    })
}

fn join_dtypes(a: DType, b: DType) -> Result<DType> {
    match (a, b) {
        (DType::Undefined, known) | (known, DType::Undefined) => Ok(known),
        (a, b) if a == b => Ok(a),
        (a, b) => invalid(format!("a tensor would be {} or {} by the way taken", a.name(), b.name())),
    }
}

fn join_tensors(a: &Tensor, b: &Tensor, open: &dyn Fn(usize) -> Dim) -> Result<Tensor> {
    let dtype = join_dtypes(a.dtype, b.dtype)?;
    let shape = match (&a.shape, &b.shape) {
        (Some(a), Some(b)) if a.len() == b.len() => {
            let size = |(axis, (a, b)): (usize, (&Dim, &Dim))| if a == b { a.clone() } else { open(axis) };
            Some(a.iter().zip(b).enumerate().map(size).collect())
        }
        _ => None,
    };
    let joined = Tensor { dtype, shape, contents: None };
    Ok(match (a.scalars(), b.scalars()) {
        (Some(a), Some(b)) if a.len() == b.len() => {
            let scalar = |(a, b): (&Scalar, &Scalar)| if a == b { a.clone() } else { Scalar::Unknown };
            joined.with_scalars(a.iter().zip(b.iter()).map(scalar).collect())
        }
        _ => joined,
    })
}

/// Whether the same is known of both.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Unknown, Value::Unknown) => true,
        (Value::Tensor(a), Value::Tensor(b)) => a.dtype == b.dtype && a.shape == b.shape && a.scalars() == b.scalars(),
        (Value::Sequence { element: one, items: a }, Value::Sequence { element: other, items: b }) => {
            let items = match (a, b) {
                (Some(a), Some(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
                (None, None) => true,
                _ => false,
            };
            items && same(one, other)
        }
        (Value::Optional { element: one, present: a }, Value::Optional { element: other, present: b }) => {
            a == b && same(one, other)
        }
        (Value::Map { key: a, element: one }, Value::Map { key: b, element: other }) => a == b && same(one, other),
        _ => false,
    }
}

/// The value without its contents.
pub(super) fn without_contents(value: &Value) -> Value {
    match value {
        Value::Tensor(tensor) => Tensor { contents: None, ..tensor.clone() }.into(),
        Value::Sequence { element, items } => Value::Sequence {
            element: Box::new(without_contents(element)),
            items: items.as_ref().map(|items| items.iter().map(without_contents).collect()),
        },
        value => value.clone(),
    }
}

/// A tensor with the contents of its parts one after the other.
pub(super) fn with_parts(tensor: Tensor, parts: &[&Value]) -> Tensor {
    let mut scalars = Vec::new();
    for part in parts {
        match part.as_tensor().and_then(Tensor::scalars) {
            Some(list) if scalars.len() + list.len() <= CONTENTS_LIMIT as usize => scalars.extend(list.iter().cloned()),
            _ => return tensor,
        }
    }
    tensor.with_scalars(scalars)
}
