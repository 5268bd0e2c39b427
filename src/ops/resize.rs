//! Resampling of images: by scales, to sizes, and at the points of a grid.

use std::sync::Arc;

use super::window::sizes;
use super::{Call, Module, Op, Result, Role, Stop, axes, elements, invalid, output};
use crate::dim::Dim;
use crate::tensor::{Scalar, Shape, Value};

pub(super) const OPS: &[Op] = &[
    Op::new("AffineGrid", affine_grid)
        .flops("2n per output element, for n axes: multiplications and additions", |call, outputs| {
            Ok(elements(outputs, 0)? * affine_axes(call)? * 2)
        })
        .roles(&[(1, Role::Setting)]),
    Op::new("GridSample", grid_sample).flops(
        "2·k − 1 per output element, for k sampled neighbours: 2ⁿ linear, 4ⁿ cubic; none for nearest",
        |call, outputs| {
            let taps = taps(call, "linear")?;
            let axes = call.shape(0)?.len().saturating_sub(2);
            weighted(outputs, if taps == 0 { None } else { Some(Dim::from(taps).pow(axes as u32)) })
        },
    ),
    Op::new("Resize", resize)
        .module(Module::Written)
        .flops(
            "2·k − 1 per output element, for k sampled neighbours: 2ⁿ linear, 4ⁿ cubic over n resized axes",
            resampled,
        )
        .roles(&[(1, Role::Setting), (2, Role::Setting), (3, Role::Setting)]),
    Op::new("Upsample", upsample)
        .module(Module::Written)
        .flops("2·2ⁿ − 1 per output element, linear over n resized axes; none for nearest", resampled)
        .roles(&[(1, Role::Setting)]),
];

/// The neighbours along one axis that an output element is made of; 0 where it is a copy of the nearest.
fn taps(call: &Call, default: &str) -> Result<i64> {
    match call.attributes.string("mode")?.unwrap_or(default) {
        "nearest" => Ok(0),
        "linear" | "bilinear" => Ok(2),
        "cubic" | "bicubic" => Ok(4),
        other => invalid(format!("`mode` cannot be \"{other}\"")),
    }
}

/// A weighted sum of so many neighbours for every output element.
fn weighted(outputs: &[Value], neighbours: Option<Dim>) -> Result<Dim> {
    let count = elements(outputs, 0)?;
    Ok(match neighbours {
        Some(neighbours) if count != Dim::ZERO => count * (neighbours * 2 - 1),
        _ => Dim::ZERO,
    })
}

/// Axes that keep their size take no part; an antialiasing filter widens by the factor by which an axis shrinks.
fn resampled(call: &Call, outputs: &[Value]) -> Result<Dim> {
    let taps = taps(call, "nearest")?;
    let output = outputs.first().and_then(Value::as_tensor).and_then(|y| y.shape.as_deref()).ok_or(Stop::Unknown)?;
    if taps == 0 || output.contains(&Dim::ZERO) {
        return Ok(Dim::ZERO);
    }
    let antialias = call.attributes.int_or("antialias", 0)? != 0;
    let neighbours = call.shape(0)?.iter().zip(output).map(|(input, output)| {
        let along = match antialias {
            true => (input * taps).ceil_div(output).max(&Dim::from(taps)),
            false => Dim::from(taps),
        };
        match input.known_eq(output) {
            Some(true) => Dim::ONE,
            Some(false) => along,
            // 1 where the sizes differ, 0 where they turn out to be the same.
            None => (along - 1) * (input - output).max(&(output - input)).min(&Dim::ONE) + 1,
        }
    });
    weighted(outputs, Some(neighbours.product()))
}

/// A size under a scale, as it is computed at run time: in single precision.
fn scaled(size: i64, scale: f32) -> Option<i64> {
    let product = (size as f32 * scale).floor();
    (product.is_finite() && product < 9e18).then_some(product as i64)
}

/// The simplest fraction that the scale is the nearest single-precision number of, among small ones.
fn fraction(scale: f32) -> Option<(i64, i64)> {
    const LIMIT: f64 = 4096.0;
    let (mut rest, mut last, mut next) = (f64::from(scale), (0.0, 1.0), (1.0, 0.0));
    for _ in 0..24 {
        let whole = rest.floor();
        (last, next) = (next, (whole * next.0 + last.0, whole * next.1 + last.1));
        if next.0 > LIMIT * LIMIT || next.1 > LIMIT {
            return None;
        }
        if (next.0 / next.1) as f32 == scale {
            return Some((next.0 as i64, next.1 as i64));
        }
        rest = (rest - whole).recip();
    }
    None
}

/// The formula of a free size under a scale, where one gives what single precision gives for all common sizes.
fn scaled_formula(size: &Dim, scale: f32) -> Option<Dim> {
    let (numerator, denominator) = fraction(scale)?;
    let agrees = (1..=4096).all(|size| scaled(size, scale) == Some(size * numerator / denominator));
    agrees.then(|| (size * numerator).floor_div(&Dim::from(denominator)))
}

/// ⌊size × scale⌋; a symbol where the data decide it, or where no formula gives it.
fn resized(call: &Call, axis: usize, size: &Dim, scale: Option<&Scalar>) -> Result<Dim> {
    match scale {
        Some(Scalar::Int(scale)) => Ok(size * scale),
        Some(Scalar::Float(scale)) if *scale > 0.0 => {
            let scale = *scale as f32;
            match size.as_int() {
                Some(size) => {
                    scaled(size, scale).map(Dim::from).ok_or_else(|| "a scaled size is beyond all bounds".into())
                }
                None => Ok(scaled_formula(size, scale).unwrap_or_else(|| call.decided(&axis.to_string()))),
            }
        }
        Some(Scalar::Float(scale)) => invalid(format!("scales must be positive, one is {scale}")),
        _ => Ok(call.decided(&axis.to_string())),
    }
}

/// The elements of an input that may be left out, where known, after a check of their number.
fn listed(call: &Call, input: usize, name: &str, count: usize) -> Result<Option<Arc<[Scalar]>>> {
    let tensor = call.optional(input);
    match tensor.and_then(|tensor| tensor.elements()).and_then(|given| given.as_int()) {
        Some(given) if given != count as i64 => invalid(format!("the {name} must be {count}, they are {given}")),
        _ => Ok(tensor.and_then(|tensor| tensor.scalars())),
    }
}

/// An input that is there and not the empty tensor that stands for one left out.
fn is_given(call: &Call, input: usize) -> bool {
    call.has(input) && call.optional(input).and_then(|tensor| tensor.elements()) != Some(Dim::ZERO)
}

fn resize(call: &Call) -> Result<Vec<Value>> {
    taps(call, "nearest")?;
    let shape = call.shape(0)?;
    let listed_axes: Vec<usize> = match call.attributes.ints("axes")? {
        None => (0..shape.len()).collect(),
        Some(list) => {
            axes(list, shape.len())?;
            list.iter().map(|&one| super::axis(one, shape.len())).collect::<Result<_>>()?
        }
    };
    let scales = if call.opset < 11 { 1 } else { 2 };
    let mut result = shape.to_vec();
    match (is_given(call, scales), call.opset >= 11 && is_given(call, 3)) {
        (false, false) if shape.is_empty() => {}
        (false, false) => return invalid("neither scales nor sizes are given"),
        (true, true)
            if call.optional(scales).is_some_and(|scales| scales.elements().is_some_and(|n| n.as_int().is_some())) =>
        {
            return invalid("scales and sizes are both given");
        }
        (_, true) => to_sizes(call, &listed_axes, &mut result)?,
        (true, false) => {
            let factors = listed(call, scales, "scales", listed_axes.len())?;
            let regions = regions(call, listed_axes.len())?;
            for (index, &axis) in listed_axes.iter().enumerate() {
                let scale = factors.as_ref().and_then(|factors| factors.get(index));
                let scale = match (&regions, scale) {
                    (None, scale) => scale.cloned(),
                    (Some(regions), Some(scale)) => regions.get(index).and_then(|region| cropped(*region, scale)),
                    _ => None,
                };
                result[axis] = resized(call, axis, &shape[axis], scale.as_ref())?;
            }
        }
    }
    output(call.dtype(0), result)
}

/// The extents of the region that is cropped, where the mode crops: `None` for one that the data decide.
fn regions(call: &Call, count: usize) -> Result<Option<Vec<Option<f32>>>> {
    if call.opset < 11 || call.attributes.string("coordinate_transformation_mode")? != Some("tf_crop_and_resize") {
        return Ok(None);
    }
    let bounds = listed(call, 1, "bounds in `roi`", 2 * count)?;
    let bound = |at: usize| Some(bounds.as_ref()?.get(at)?.as_float()? as f32);
    Ok(Some((0..count).map(|at| Some(bound(count + at)? - bound(at)?)).collect()))
}

fn cropped(extent: Option<f32>, scale: &Scalar) -> Option<Scalar> {
    match extent? {
        1.0 => Some(scale.clone()),
        extent => Some(Scalar::Float(f64::from(scale.as_float()? as f32 * extent))),
    }
}

/// The given sizes, or under a policy that keeps the aspect ratio the ones that a common scale gives.
fn to_sizes(call: &Call, axes: &[usize], shape: &mut Shape) -> Result<()> {
    let given = listed(call, 3, "sizes", axes.len())?;
    let known = |index: usize| given.as_ref()?.get(index)?.as_dim();
    let keep: Option<fn(&Dim, &Dim) -> Dim> = match call.attributes.string("keep_aspect_ratio_policy")? {
        None | Some("stretch") => None,
        Some("not_larger") => Some(Dim::min),
        Some("not_smaller") => Some(Dim::max),
        Some(other) => return invalid(format!("`keep_aspect_ratio_policy` cannot be \"{other}\"")),
    };
    let input = shape.clone();
    let wanted: Vec<Option<Dim>> = (0..axes.len()).map(known).collect();
    let all: Option<Vec<Dim>> = wanted.iter().cloned().collect();
    for (index, &axis) in axes.iter().enumerate() {
        let size = match (keep, &all) {
            (None, _) => wanted[index].clone(),
            (Some(_), None) => None,
            // Rounding keeps the order, so the least (greatest) scale gives the least (greatest) rounded size.
            (Some(choose), Some(all)) => all
                .iter()
                .zip(axes)
                .map(|(size, &other)| (size * &input[axis] * 2 + &input[other]).floor_div(&(&input[other] * 2)))
                .reduce(|chosen, size| choose(&chosen, &size)),
        };
        shape[axis] = size.unwrap_or_else(|| call.decided(&axis.to_string()));
    }
    Ok(())
}

/// Two scale attributes in opset 1, a list in opset 7, an input since opset 9; Resize took its place in opset 10.
fn upsample(call: &Call) -> Result<Vec<Value>> {
    taps(call, "nearest")?;
    let shape = call.shape(0)?;
    let attribute = |name: &str| match call.attributes.float(name)? {
        Some(scale) => Ok(Scalar::Float(scale)),
        None => invalid(format!("the attribute `{name}` is missing")),
    };
    let scales: Option<Vec<Scalar>> = match call.opset {
        ..7 => {
            let one = Scalar::Float(1.0);
            Some(vec![one.clone(), one, attribute("height_scale")?, attribute("width_scale")?])
        }
        7..9 => match call.attributes.floats("scales")? {
            None => return invalid("the attribute `scales` is missing"),
            Some(list) => Some(list.iter().map(|&scale| Scalar::Float(f64::from(scale))).collect()),
        },
        _ => {
            call.tensor(1)?;
            listed(call, 1, "scales", shape.len())?.map(|list| list.to_vec())
        }
    };
    if let Some(scales) = scales.as_ref().filter(|scales| scales.len() != shape.len()) {
        return invalid(format!("the scales must be {}, they are {}", shape.len(), scales.len()));
    }
    let scale = |axis: usize| scales.as_ref().and_then(|scales| scales.get(axis));
    let result = shape.iter().enumerate().map(|(axis, size)| resized(call, axis, size, scale(axis)));
    output(call.dtype(0), result.collect::<Result<_>>()?)
}

/// The batch and channels of the input at the places of the grid.
fn grid_sample(call: &Call) -> Result<Vec<Value>> {
    taps(call, "linear")?;
    let (input, grid) = (call.shape(0)?, call.shape(1)?);
    let ([batch, channels, spatial @ ..], [grid_batch, places @ .., coordinates]) = (input, grid) else {
        return invalid("input and grid need rank 3 or more");
    };
    if spatial.is_empty() || places.len() != spatial.len() {
        return invalid(format!("the grid needs the rank of the input, {}, it has {}", input.len(), grid.len()));
    }
    if coordinates.known_eq(&Dim::from(spatial.len())) == Some(false) {
        return invalid(format!("the grid needs {} coordinates for each place, it has {coordinates}", spatial.len()));
    }
    if batch.known_eq(grid_batch) == Some(false) {
        return invalid(format!("the input has a batch of {batch}, the grid of {grid_batch}"));
    }
    output(call.dtype(0), [&[batch.clone(), channels.clone()], places].concat())
}

/// The number of spatial axes: 2 or 3.
fn affine_axes(call: &Call) -> Result<i64> {
    let theta = call.shape_of_rank(0, 3)?;
    let count = listed_count(call).or_else(|| theta[1].as_int()?.checked_add(2)).ok_or(Stop::Unknown)?;
    let fits = |size: &Dim, wanted: i64| size.known_eq(&Dim::from(wanted)) != Some(false);
    match matches!(count, 4 | 5) && fits(&theta[1], count - 2) && fits(&theta[2], count - 1) {
        true => Ok(count - 2),
        false => {
            invalid(format!("theta must be N, n, n + 1 and the size have n + 2 elements: {} and {count}", sizes(theta)))
        }
    }
}

fn listed_count(call: &Call) -> Option<i64> {
    call.optional(1)?.elements()?.as_int()
}

fn affine_grid(call: &Call) -> Result<Vec<Value>> {
    let (axes, theta) = (affine_axes(call)?, call.shape(0)?);
    let wanted = call.tensor(1)?.scalars();
    let size = |at: i64| {
        let known = wanted.as_ref().and_then(|wanted| wanted.get(at as usize)).and_then(Scalar::as_dim);
        known.unwrap_or_else(|| call.decided(&at.to_string()))
    };
    if wanted.as_ref().is_some_and(|_| size(0).known_eq(&theta[0]) == Some(false)) {
        return invalid(format!("theta has a batch of {}, the size of {}", theta[0], size(0)));
    }
    let mut shape = vec![theta[0].clone()];
    shape.extend((2..2 + axes).map(size));
    shape.push(Dim::from(axes));
    output(call.dtype(0), shape)
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn scales_give_the_floor_of_the_product() {
        check(
            "
            Resize f32[1,1,2,4] _ f32[4]{1.0,1.0,0.6,0.6} -> f32[1,1,1,2] flops=0
            Resize f32[n,8,h,w] _ f32[4]{1.0,1.0,2.0,2.0} mode='linear' -> f32[n,8,2*h,2*w] flops=224*h*n*w
            Resize f32[n,8,h,7] _ f32[4]{1.0,1.0,0.5,1.5} -> f32[n,8,h//2,10]
            Resize f32[n,8,h,7] _ f32[4]{1.0,1.0,4.1866665,1.0} -> f32[n,8,$node.2,7]
            Resize f32[1,8,5,7] f32[0]{} f32[4] -> f32[$node.0,$node.1,$node.2,$node.3]
            Resize f32[1,8,225,7] _ f32[2]{4.1866665,1.0} axes=[2,-1] mode='cubic' -> f32[1,8,941,7] flops=368872
            Resize@10 f32[1,8,5,7] f32[4]{1.0,1.0,2.0,2.0} -> f32[1,8,10,14]
            Resize@11 f32[1,8,5,7] f32[8] f32[0]{} i64[4]{1,8,3,n} -> f32[1,8,3,n]
            Resize f32[1,1,4,4] f32[8]{0.0,0.0,0.25,0.5,1.0,1.0,0.75,1.0} f32[4]{1.0,1.0,2.0,3.0} coordinate_transformation_mode='tf_crop_and_resize' -> f32[1,1,4,6]
            Resize f32[1,1,4,4] f32[8] f32[4]{1.0,1.0,5.0,5.0} coordinate_transformation_mode='tf_crop_and_resize' -> f32[$node.0,$node.1,$node.2,$node.3]
            Resize f32[1,1,4,4] _ f32[3]{1.0,1.0,5.0} -> error the scales must be 4, they are 3
            Resize f32[1,1,4,4] _ f32[4]{1.0,1.0,5.0,0.0} -> error positive
            Resize f32[1,1,4,4] _ f32[4]{1.0,1.0,5.0,1.0} i64[4]{1,1,4,4} -> error both
            Resize f32[1,1,4,4] -> error neither
            Resize f32[1,1,4,4] _ f32[4]{1.0,1.0,2.0,2.0} mode='area' -> error `mode`
            ",
        );
    }

    #[test]
    fn sizes_may_keep_the_aspect_ratio() {
        check(
            "
            Resize f32[1,3,2,4] _ _ i64[4]{1,3,7,8} -> f32[1,3,7,8]
            Resize f32[1,3,2,4] _ _ i64[2]{7,8} axes=[3,2] -> f32[1,3,8,7]
            Resize f32[1,3,2,4] _ _ i64[2]{7,8} axes=[2,3] keep_aspect_ratio_policy='not_larger' -> f32[1,3,4,8]
            Resize f32[1,3,2,4] _ _ i64[2]{7,8} axes=[2,3] keep_aspect_ratio_policy='not_smaller' -> f32[1,3,7,14]
            Resize f32[n,3,h,w] _ _ i64[4]{n,3,?,8} -> f32[n,3,$node.2,8]
            Resize f32[1,1,8,8] _ _ i64[4]{1,1,3,8} mode='linear' antialias=1 -> f32[1,1,3,8] flops=264
            Resize f32[n,h] _ _ i64[2]{n,8} mode='linear' -> f32[n,8] flops=-120*n+16*n*min(9,max(-h+16,h))
            Resize f32[1,3,2,4] _ _ i64[3]{7,8,9} -> error the sizes must be 4
            ",
        );
    }

    #[test]
    fn upsample_of_every_opset() {
        check(
            "
            Upsample@1 f32[1,3,4,5] height_scale=2.0 width_scale=3.0 mode='bilinear' -> f32[1,3,8,15] flops=2520
            Upsample@7 f32[n,3,4,5] scales=[1.0,1.0,2.0,2.0] -> f32[n,3,8,10]
            Upsample@9 f32[n,3,h,5] f32[4]{1.0,1.0,2.0,2.0} -> f32[n,3,2*h,10]
            Upsample@7 f32[1,3,4,5] scales=[2.0,2.0] -> error scales must be 4
            ",
        );
    }

    #[test]
    fn grids() {
        check(
            "
            GridSample f32[n,8,4,4] f32[n,6,7,2] -> f32[n,8,6,7] flops=2352*n
            GridSample@16 f32[1,1,4,4] f32[1,6,6,2] mode='nearest' -> f32[1,1,6,6] flops=0
            GridSample f32[1,1,3,2,2] f32[1,1,2,4,3] mode='cubic' -> f32[1,1,1,2,4] flops=1016
            GridSample f32[1,1,4,4] f32[1,6,6,3] -> error coordinates
            AffineGrid f32[n,2,3] i64[4]{n,3,5,6} -> f32[n,5,6,2] flops=240*n
            AffineGrid f32[2,3,4] i64[5] -> f32[2,$node.2,$node.3,$node.4,3]
            AffineGrid f32[2,2,3] i64[5]{2,1,2,3,4} -> error theta
            ",
        );
    }
}
