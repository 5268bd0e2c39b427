//! Contents that move: an output's elements picked from operands, and lists given as an attribute or an input.

use super::broadcast::plain;
use super::elementwise::whole;
use super::{Call, Result, Stop, invalid};
use crate::dim::Dim;
use crate::tensor::{CONTENTS_LIMIT, DType, Scalar, Tensor};

/// The longest list (axes, pads, sizes) that is followed where its elements are unknown.
const LIST_LIMIT: i64 = 256;

/// `tensor` with the contents that `pick` names at each index, where it is small and of known shape.
pub(super) fn filled(tensor: Tensor, mut pick: impl FnMut(&[i64]) -> Scalar) -> Tensor {
    let Some(shape) = tensor.shape.as_deref().and_then(plain) else { return tensor };
    let Some(count) = small_count(&shape) else { return tensor };
    let mut scalars = Vec::with_capacity(count as usize);
    let mut index = vec![0i64; shape.len()];
    for _ in 0..count {
        scalars.push(pick(&index));
        advance(&mut index, &shape);
    }
    tensor.with_scalars(scalars)
}

/// `tensor` with the source's elements at the offsets that `offset` gives for each index; unknown where it gives none.
pub(super) fn moved(tensor: Tensor, source: &Tensor, offset: impl Fn(&[i64]) -> Option<i64>) -> Tensor {
    let fits = tensor.elements().and_then(|n| n.as_int()).is_some_and(|n| n <= CONTENTS_LIMIT);
    if !fits {
        return tensor;
    }
    match source.scalars() {
        Some(scalars) => filled(tensor, |index| offset(index).map_or(Scalar::Unknown, |at| element(&scalars, at))),
        None => tensor,
    }
}

/// The element at an offset, unknown outside.
pub(super) fn element(scalars: &[Scalar], offset: i64) -> Scalar {
    usize::try_from(offset).ok().and_then(|at| scalars.get(at)).cloned().unwrap_or(Scalar::Unknown)
}

/// The source's contents under another shape of as many elements.
pub(super) fn viewed(tensor: Tensor, source: &Tensor) -> Tensor {
    let same = source.contents.is_some() && tensor.elements().is_some_and(|n| Some(n) == source.elements());
    Tensor { contents: source.contents.clone().filter(|_| same), ..tensor }
}

/// The number of elements of a shape, where it is at most [`CONTENTS_LIMIT`].
pub(super) fn small_count(shape: &[i64]) -> Option<i64> {
    let count = shape.iter().try_fold(1i64, |n, &size| n.checked_mul(size));
    count.filter(|n| (0..=CONTENTS_LIMIT).contains(n))
}

/// Moves a row-major index on by one.
pub(super) fn advance(index: &mut [i64], shape: &[i64]) {
    for (at, size) in index.iter_mut().zip(shape).rev() {
        *at += 1;
        if *at < *size {
            return;
        }
        *at = 0;
    }
}

/// The row-major offset of an index.
pub(super) fn offset(index: impl IntoIterator<Item = i64>, shape: &[i64]) -> i64 {
    index.into_iter().zip(shape).fold(0, |sum, (at, size)| sum * size + at)
}

/// A list of integers that was an attribute and became an input, `None` for an element that the data decide. Nothing
/// where neither is given; unknown where not even its length is known.
pub(super) fn listed(call: &Call, attribute: &str, input: usize) -> Result<Option<Vec<Option<Dim>>>> {
    if let Some(list) = call.attributes.ints(attribute)? {
        return Ok(Some(list.iter().map(|&value| Some(Dim::from(value))).collect()));
    }
    if !call.has(input) {
        return Ok(None);
    }
    let tensor = call.tensor(input)?;
    if let Some(scalars) = tensor.scalars() {
        return Ok(Some(scalars.iter().map(whole).collect()));
    }
    let length = match tensor.shape.as_deref() {
        Some([]) => Some(1),
        Some([length]) => length.as_int().filter(|length| (0..=LIST_LIMIT).contains(length)),
        Some(_) => return invalid(format!("`{attribute}` must have rank 1")),
        None => None,
    };
    length.map(|length| Some(vec![None; length as usize])).ok_or(Stop::Unknown)
}

/// The axes of a call with a list of them, from the front: all of them where none is given.
pub(super) fn listed_axes(list: Option<Vec<Option<Dim>>>, count: usize, rank: usize) -> Result<Vec<usize>> {
    let Some(list) = list else {
        return match count <= rank {
            true => Ok((0..count).collect()),
            false => invalid(format!("it names {count} axes, the rank is {rank}")),
        };
    };
    if list.len() != count {
        return invalid(format!("it names {} axes for {count} values", list.len()));
    }
    let plain = list.into_iter().map(|axis| axis.and_then(|axis| axis.as_int()));
    let plain = plain.collect::<Option<Vec<_>>>().ok_or(Stop::Unknown)?;
    super::axes(&plain, rank)?;
    plain.into_iter().map(|axis| super::axis(axis, rank)).collect()
}

/// A quotient that a legal call has without a remainder; an error, which `reason` words, where it must have one.
pub(super) fn exactly(dividend: &Dim, divisor: &Dim, reason: impl Fn() -> String) -> Result<Dim> {
    if let Some(quotient) = dividend.exact_div(divisor) {
        return Ok(quotient);
    }
    if *divisor == 0 {
        return invalid(reason());
    }
    match dividend.modulo(divisor).as_int() {
        Some(remainder) if remainder != 0 => invalid(reason()),
        _ => Ok(dividend.floor_div(divisor)),
    }
}

/// One of two sizes that a legal call has equal: a number before a formula, a formula before what the data decide.
pub(super) fn agreed(a: &Dim, b: &Dim) -> Option<Dim> {
    if a == b || a.as_int().is_some() && b.as_int().is_none() {
        return Some(a.clone());
    }
    if a.known_eq(b) == Some(false) {
        return None;
    }
    let decided = |dim: &Dim| {
        let mut symbols = std::collections::BTreeSet::new();
        dim.data_symbols(&mut symbols);
        !symbols.is_empty()
    };
    Some(if b.as_int().is_some() || decided(a) && !decided(b) { b.clone() } else { a.clone() })
}

/// A shape as messages spell it: `1×3×224×224`.
pub(super) fn spelled(shape: &[Dim]) -> String {
    match shape {
        [] => "a scalar".to_string(),
        shape => shape.iter().map(Dim::to_string).collect::<Vec<_>>().join("×"),
    }
}

/// Zero of a dtype: the fill of Pad, Trilu and their like.
pub(super) fn zero(dtype: DType) -> Scalar {
    match dtype {
        DType::Bool => Scalar::Bool(false),
        DType::String => Scalar::Text("".into()),
        dtype if dtype.is_float() => Scalar::Float(0.0),
        dtype if dtype.is_integer() => Scalar::Int(Dim::ZERO),
        _ => Scalar::Unknown,
    }
}
