//! Windows of a tensor, smaller or larger than it: Slice, Pad, CenterCropPad.

use super::broadcast::plain;
use super::moved::{element, filled, listed, listed_axes, moved, offset, spelled, zero};
use super::{Call, Op, Result, Role, Stop, elements, invalid};
use crate::dim::Dim;
use crate::tensor::{Scalar, Shape, Tensor, Value};

pub(super) const OPS: &[Op] = &[
    Op::new("CenterCropPad", center_crop_pad).roles(&[(1, Role::Setting)]),
    Op::new("Pad", pad).roles(&[(1, Role::Setting), (2, Role::Setting), (3, Role::Setting)]),
    Op::new("Slice", slice)
        .roles(&[(1, Role::Setting), (2, Role::Setting), (3, Role::Setting), (4, Role::Setting)])
        .reads(|_, outputs, input| if input == 0 { elements(outputs, 0).map(Some) } else { Ok(None) }),
];

/// What a slice takes along one axis.
struct Cut {
    first: Option<Dim>,
    step: i64,
    size: Dim,
}

/// Bounds were attributes before opset 10, and steps came with it.
pub(super) fn slice(call: &Call) -> Result<Vec<Value>> {
    let (data, shape) = (call.tensor(0)?, call.shape(0)?);
    let Some(starts) = listed(call, "starts", 1)? else { return invalid("`starts` is missing") };
    let Some(ends) = listed(call, "ends", 2)? else { return invalid("`ends` is missing") };
    let steps = listed(call, "steps", 4)?.unwrap_or_else(|| vec![Some(Dim::ONE); starts.len()]);
    if ends.len() != starts.len() || steps.len() != starts.len() {
        return invalid(format!("it has {} starts, {} ends and {} steps", starts.len(), ends.len(), steps.len()));
    }
    let axes = match listed(call, "axes", 3).and_then(|list| listed_axes(list, starts.len(), shape.len())) {
        // Which axes are cut is not known, so any may be.
        Err(Stop::Unknown) => return Ok(vec![Tensor::new(data.dtype, call.decided_shape(shape.len())).into()]),
        axes => axes?,
    };
    let mut cuts: Vec<Cut> =
        shape.iter().map(|size| Cut { first: Some(Dim::ZERO), step: 1, size: size.clone() }).collect();
    for (((axis, start), end), step) in axes.into_iter().zip(&starts).zip(&ends).zip(&steps) {
        let step = match step.as_ref().map(Dim::as_int) {
            Some(Some(0)) => return invalid("a step is zero"),
            step => step.flatten(),
        };
        cuts[axis] = match (start, end, step) {
            (Some(start), Some(end), Some(step)) => cut(&shape[axis], start, end, step),
            _ if shape[axis] == 0 => continue,
            _ => Cut { first: None, step: 1, size: call.decided(&axis.to_string()) },
        };
    }
    let tensor = Tensor::new(data.dtype, cuts.iter().map(|cut| cut.size.clone()).collect());
    let plain = plain(shape).unwrap_or_default();
    let firsts: Option<Vec<i64>> = cuts.iter().map(|cut| cut.first.as_ref()?.as_int()).collect();
    let source = |index: &[i64]| {
        let at = index.iter().zip(firsts.as_ref()?).zip(&cuts).map(|((at, first), cut)| first + at * cut.step);
        Some(offset(at, &plain))
    };
    Ok(vec![moved(tensor, data, source).into()])
}

/// The elements from `start` on, before `end`, at every `step`; bounds count from the back where negative and are
/// clamped to the axis.
fn cut(size: &Dim, start: &Dim, end: &Dim, step: i64) -> Cut {
    let (start, end) = (from_front(start, size), from_front(end, size));
    let (first, span) = if step > 0 {
        // min(end, size) − max(start, 0), written out: differences of formulas simplify where those of minima do not.
        let span = (&end - &start).min(&(size - &start)).min(&end).min(size);
        (start.max(&Dim::ZERO).min(size), span)
    } else {
        let first = start.max(&Dim::ZERO).min(&(size - 1));
        let span = &first - end.max(&Dim::from(-1i64));
        (first, span)
    };
    let count = span.max(&Dim::ZERO).ceil_div(&Dim::from(step.unsigned_abs().min(i64::MAX as u64) as i64));
    Cut { first: Some(first), step, size: count }
}

/// A bound as the axis counts it, not yet clamped.
fn from_front(bound: &Dim, size: &Dim) -> Dim {
    // Exporters write the ends of 32 and 64 bits, or 10⁹, for the end of an axis: none is that long.
    const FAR: i64 = 1_000_000_000;
    if let (Some(bound), Some(size)) = (bound.as_int(), size.as_int()) {
        // One place beyond either end is as good as any, and differences of bounds cannot overflow.
        return Dim::from(if bound < 0 { bound.saturating_add(size) } else { bound }.clamp(-1, size.max(0)));
    }
    match bound.as_int() {
        Some(bound) if bound >= FAR && size.as_int().is_none() => return size.clone(),
        Some(bound) if bound <= -FAR && size.as_int().is_none() => return Dim::from(-1i64),
        _ => {}
    }
    match bound.bounds() {
        (Some(0..), _) => bound.clone(),
        (_, Some(..0)) => bound + size,
        // One where it is negative, else zero.
        _ => bound + size * (-bound).max(&Dim::ZERO).min(&Dim::ONE),
    }
}

/// How many elements go before and after each axis; they were `paddings` in opset 1.
fn pad(call: &Call) -> Result<Vec<Value>> {
    let (data, shape) = (call.tensor(0)?, call.shape(0)?);
    let list = if call.opset < 2 { listed(call, "paddings", 1) } else { listed(call, "pads", 1) };
    let list = match list {
        Err(Stop::Unknown) => return Ok(vec![Tensor::new(data.dtype, call.decided_shape(shape.len())).into()]),
        Ok(None) => return invalid("no pads are given"),
        list => list?.unwrap_or_default(),
    };
    if list.len() % 2 != 0 {
        return invalid(format!("the pads are {} numbers, not two for each axis", list.len()));
    }
    let count = list.len() / 2;
    let axes = match listed(call, "axes", 3) {
        Ok(None) if count != shape.len() => {
            return invalid(format!("the pads are for {count} axes, the input has {}", shape.len()));
        }
        axes => match axes.and_then(|list| listed_axes(list, count, shape.len())) {
            Err(Stop::Unknown) => return Ok(vec![Tensor::new(data.dtype, call.decided_shape(shape.len())).into()]),
            axes => axes?,
        },
    };
    let mode = call.attributes.string("mode")?.unwrap_or("constant");
    if !matches!(mode, "constant" | "reflect" | "edge" | "wrap") {
        return invalid(format!("it does not know the mode \"{mode}\""));
    }
    let mut result: Shape = shape.to_vec();
    let mut before = vec![Some(0); shape.len()];
    for (at, &axis) in axes.iter().enumerate() {
        let (begin, end) = (&list[at], &list[at + count]);
        result[axis] = match (begin, end) {
            (Some(begin), Some(end)) => &shape[axis] + begin + end,
            _ => call.decided(&axis.to_string()),
        };
        before[axis] = begin.as_ref().and_then(Dim::as_int);
    }
    if result.iter().any(|size| size.as_int().is_some_and(|size| size < 0)) {
        return invalid(format!("the negative pads take more than {} has", spelled(shape)));
    }
    let tensor = Tensor::new(data.dtype, result);
    let trims = list.iter().flatten().any(|pad| pad.bounds().0 < Some(0));
    let (Some(scalars), Some(before), Some(sizes)) =
        (data.scalars(), before.into_iter().collect::<Option<Vec<_>>>(), plain(shape))
    else {
        return Ok(vec![tensor.into()]);
    };
    // The specification leaves open what trimmed axes mirror.
    if mode != "constant" && (trims || sizes.contains(&0)) {
        return Ok(vec![tensor.into()]);
    }
    let fill = match call.has(2) {
        true => call.optional(2).and_then(|value| value.scalars()?.first().cloned()).unwrap_or(Scalar::Unknown),
        false if call.attributes.has("value") => Scalar::Unknown,
        false => zero(data.dtype),
    };
    Ok(vec![
        filled(tensor, |index| {
            let source = index
                .iter()
                .zip(&before)
                .zip(&sizes)
                .map(|((at, before), size)| within(at.saturating_sub(*before), *size, mode));
            match source.collect::<Option<Vec<i64>>>() {
                Some(source) => element(&scalars, offset(source, &sizes)),
                None => fill.clone(),
            }
        })
        .into(),
    ])
}

/// The position within an axis that fills a position of the padded one; none where the constant does.
fn within(at: i64, size: i64, mode: &str) -> Option<i64> {
    if (0..size).contains(&at) {
        return Some(at);
    }
    match mode {
        "edge" => Some(at.clamp(0, size - 1)),
        "wrap" => Some(at.rem_euclid(size)),
        "reflect" if size == 1 => Some(0),
        "reflect" => {
            let period = 2 * (size - 1);
            let at = at.rem_euclid(period);
            Some(at.min(period - at))
        }
        _ => None,
    }
}

/// Each axis named is cut or padded around its middle to the size given.
fn center_crop_pad(call: &Call) -> Result<Vec<Value>> {
    let (data, shape) = (call.tensor(0)?, call.shape(0)?);
    let mut result = shape.to_vec();
    let axes =
        call.attributes.ints("axes")?.map(|list| list.iter().map(|&axis| Some(Dim::from(axis))).collect::<Vec<_>>());
    let list = match (listed(call, "shape", 1), &axes) {
        (Err(Stop::Unknown), Some(axes)) => vec![None; axes.len()],
        (Err(Stop::Unknown), None) => vec![None; shape.len()],
        (Ok(None), _) => return invalid("input 1 is missing"),
        (list, _) => list?.unwrap_or_default(),
    };
    if axes.is_none() && list.len() != shape.len() {
        return invalid(format!("the shape has {} sizes, the input has rank {}", list.len(), shape.len()));
    }
    let axes = listed_axes(axes, list.len(), shape.len())?;
    for (axis, size) in axes.into_iter().zip(list) {
        if size.as_ref().and_then(Dim::as_int).is_some_and(|size| size < 0) {
            return invalid("the shape holds a negative size");
        }
        result[axis] = size.unwrap_or_else(|| call.decided(&axis.to_string()));
    }
    Ok(vec![Tensor::new(data.dtype, result).into()])
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn slices_of_plain_sizes() {
        check(
            "
            Slice@1 f32[20,10,5] starts=[0,0] ends=[3,10] axes=[0,1] -> f32[3,10,5]
            Slice@9 f32[20,10,5] starts=[0,0,3] ends=[20,10,4] -> f32[20,10,1]
            Slice@9 f32[20] starts=[0] ends=[9223372036854775807] axes=[0] -> f32[20]
            Slice@9 i64[4]{2,3,5,7} starts=[-9223372036854775808] ends=[-2] -> i64[2]{2,3}
            Slice i64[4]{2,3,5,7} i64[1]{-9223372036854775807} i64[1]{9223372036854775807} -> i64[4]{2,3,5,7}
            Slice i64[4]{2,3,5,7} i64[1]{-9223372036854775807} i64[1]{-2} i64[1]{0} i64[1]{-1} -> i64[0]
            Slice f32[20,10,5] i64[2]{0,0} i64[2]{3,10} i64[2]{0,-2} i64[2]{1,1} -> f32[3,10,5]
            Slice f32[20,10,5] i64[1]{0} i64[1]{-1} i64[1]{1} -> f32[20,9,5]
            Slice f32[20,10,5] i64[1]{1000} i64[1]{1000} i64[1]{1} -> f32[20,0,5]
            Slice f32[20] i64[1]{20} i64[1]{0} i64[1]{0} i64[1]{-3} -> f32[7]
            Slice f32[20] i64[1]{-1} i64[1]{-9223372036854775807} i64[1]{0} i64[1]{-1} -> f32[20]
            Slice f32[20] i64[1]{19} i64[1]{-21} i64[1]{0} i64[1]{-2} -> f32[10]
            Slice f32[5] i64[1]{1} i64[1]{2147483647} i64[1]{0} i64[1]{2} -> f32[2]
            Slice f32[5] i64[1]{0} i64[1]{5} i64[1]{0} i64[1]{0} -> error step is zero
            Slice f32[5] i64[2]{0,0} i64[2]{5,5} -> error 2 axes
            Slice f32[5,5] i64[2]{0,0} i64[1]{5} -> error 2 starts, 1 ends
            Slice f32[5,5] i64[2]{0,0} i64[2]{5,5} i64[2]{0,-2} -> error twice
            Slice f32[5] i64[1]{0} i64[1]{5} i64[1]{1} -> error outside
            Slice f32[5] i64[1]{0} -> error `ends`
            ",
        );
    }

    #[test]
    fn slices_of_formulas() {
        check(
            "
            Slice f32[1,512] i64[1]{0} i64[1]{seq} i64[1]{1} -> f32[1,min(512,seq)]
            Slice f32[n,8] i64[1]{0} i64[1]{n-1} i64[1]{0} -> f32[n-1,8]
            Slice f32[n] i64[1]{0} i64[1]{-1} -> f32[n-1]
            Slice f32[n] i64[1]{1} i64[1]{9223372036854775807} -> f32[n-1]
            Slice f32[n] i64[1]{-1} i64[1]{9223372036854775807} -> f32[1]
            Slice f32[n] i64[1]{-2} i64[1]{2147483647} -> f32[min(2,n)]
            Slice f32[n] i64[1]{0} i64[1]{-2} -> f32[max(n-2,0)]
            Slice f32[n] i64[1]{n-1} i64[1]{n} -> f32[1]
            Slice f32[n] i64[1]{n-1} i64[1]{9223372036854775807} -> f32[1]
            Slice f32[n] i64[1]{0} i64[1]{9223372036854775807} i64[1]{0} i64[1]{2} -> f32[(n+1)//2]
            Slice f32[n] i64[1]{1} i64[1]{9223372036854775807} i64[1]{0} i64[1]{2} -> f32[n//2]
            Slice f32[n] i64[1]{-1} i64[1]{-9223372036854775807} i64[1]{0} i64[1]{-1} -> f32[n]
            Slice f32[n] i64[1]{-1} i64[1]{-9223372036854775807} i64[1]{0} i64[1]{-2} -> f32[(n+1)//2]
            Slice f32[n+m] i64[1]{n} i64[1]{n+m} -> f32[m]
            Slice f32[n+m] i64[1]{-m} i64[1]{9223372036854775807} -> f32[m]
            Slice f32[2*n] i64[1]{n} i64[1]{2*n} -> f32[n]
            Slice f32[n,6] i64[1]{3} i64[1]{6} i64[1]{1} -> f32[n,3]
            Slice f32[n] i64[1]{?} i64[1]{4} -> f32[$node.0]
            Slice f32[n,6] i64[1] i64[1] i64[1]{1} -> f32[n,$node.1]
            Slice f32[n,6] i64[1]{0} i64[1]{5} i64[1] -> f32[$node.0,$node.1]
            Slice f32[*] i64[1]{0} i64[1]{5} -> unknown
            ",
        );
    }

    #[test]
    fn slices_keep_contents() {
        check(
            "
            Slice i64[4]{1,n,3,4} i64[1]{1} i64[1]{3} -> i64[2]{n,3}
            Slice i64[4]{1,n,3,?} i64[1]{-1} i64[1]{-9223372036854775807} i64[1]{0} i64[1]{-1} -> i64[4]{?,3,n,1}
            Slice i64[2,2]{1,2,3,4} i64[1]{1} i64[1]{2} i64[1]{1} -> i64[2,1]{2,4}
            Slice i64[3]{1,2,3} i64[1]{3} i64[1]{9} -> i64[0]{}
            ",
        );
    }

    #[test]
    fn pads() {
        check(
            "
            Pad@1 f32[1,3,4] paddings=[0,0,1,0,0,2] -> f32[1,3,7]
            Pad@2 f32[1,3,n] pads=[0,0,1,0,0,2] mode='reflect' -> f32[1,3,n+3]
            Pad f32[3,2] i64[4]{0,2,0,0} f32[]{1.5} -> f32[3,4]
            Pad f32[3,2] i64[2]{1,-1} _ i64[1]{-1} -> f32[3,2]
            Pad f32[3,2] i64[4]{0,-2,0,-1} -> error take more than 3×2
            Pad f32[3,2] i64[2]{0,2} -> error 1 axes
            Pad f32[3,2] i64[3]{0,2,1} -> error not two for each axis
            Pad f32[3,2] i64[4]{0,2,0,0} mode='mirror' -> error mirror
            Pad f32[3,2] -> error no pads
            Pad f32[n,2] i64[4]{0,m,0,-1} -> f32[n,m+1]
            Pad f32[n,2] i64[4]{0,?,0,1} -> f32[n,$node.1]
            Pad f32[n,2] i64[4] -> f32[$node.0,$node.1]
            Pad i64[3]{1,2,n} i64[2]{1,2} -> i64[6]{0,1,2,n,0,0}
            Pad i64[3]{1,2,n} i64[2]{1,-1} i64[]{9} -> i64[3]{9,1,2}
            Pad i64[3]{1,2,n} i64[2]{2,3} mode='reflect' -> i64[8]{n,2,1,2,n,2,1,2}
            Pad i64[3]{1,2,n} i64[2]{2,1} mode='edge' -> i64[6]{1,1,1,2,n,n}
            Pad i64[3]{1,2,n} i64[2]{2,1} mode='wrap' -> i64[6]{2,n,1,2,n,1}
            CenterCropPad f32[20,10,3] i64[3]{10,7,3} -> f32[10,7,3]
            CenterCropPad f32[20,n,3] i64[2]{10,9} axes=[0,-2] -> f32[10,9,3]
            CenterCropPad f32[20,n,3] i64[2]{m,?} axes=[0,1] -> f32[m,$node.1,3]
            CenterCropPad f32[20,n,3] i64[2]{10,9} -> error rank 3
            ",
        );
    }
}
