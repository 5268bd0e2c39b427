//! Normalizations.

use super::broadcast::broadcasts_to;
use super::window::{differ, sizes};
use super::{
    Call, Module, Op, Result, Role, axes, axis, elements, input_elements, invalid, like_input, output, per_output,
    product,
};
use crate::dim::Dim;
use crate::tensor::{DType, Shape, Tensor, Value};

pub(super) const OPS: &[Op] = &[
    Op::new("BatchNormalization", batch)
        .module(Module::Normalized)
        .flops(
            "2 per output element: scale and shift; in training 7 and 9 per channel, for the statistics",
            batch_flops,
        )
        .roles(&[(3, Role::Statistic), (4, Role::Statistic)])
        .in_place(),
    Op::new("GroupNormalization", group).module(Module::Written).flops(
        "7 per output element: mean, centre, square, sum, scale by deviation, scale, shift; 3 per group",
        |call, _| {
            Ok(input_elements(call, 0)? * 7
                + product(call.shape(0)?.get(..1).ok_or(super::Stop::Unknown)?) * groups(call)? * 3)
        },
    ),
    Op::new("InstanceNormalization", instance).module(Module::Written).flops(
        "7 per output element: mean, centre, square, sum, scale by deviation, scale, shift; 3 per channel",
        |call, _| Ok(input_elements(call, 0)? * 7 + product(call.shape(0)?.get(..2).ok_or(super::Stop::Unknown)?) * 3),
    ),
    Op::new("LRN", lrn)
        .module(Module::Written)
        .flops("size + 4 per output element: square, sum over size, multiply, add, power, divide", |call, outputs| {
            Ok(elements(outputs, 0)? * (Dim::from(lrn_size(call)?) + 4))
        }),
    Op::new("LayerNormalization", layer).module(Module::Written).flops(
        "6 per output element (mean, centre, square, sum, scale by deviation, scale), 1 for the bias; 3 per row",
        |call, outputs| Ok(elements(outputs, 0)? * if call.has(2) { 7 } else { 6 } + product(&reduced(call)?) * 3),
    ),
    Op::new("LpNormalization", lp)
        .flops("3 per output element: power, sum (the root in place of one addition), divide", per_output::<3>),
    Op::new("MeanVarianceNormalization", mean_variance)
        .flops("5 per output element: mean, centre, square, sum, divide; 2 per mean: add, root", |call, outputs| {
            Ok(elements(outputs, 0)? * 5 + product(&without(call, &mean_axes(call)?)?) * 2)
        }),
    Op::new("RMSNormalization", rms)
        .flops("4 per output element: square, sum, scale by the root, scale; 3 per row", |call, outputs| {
            Ok(elements(outputs, 0)? * 4 + product(&reduced(call)?) * 3)
        }),
];

/// Requires that the operands at these positions have exactly this shape.
fn operands_have(call: &Call, positions: std::ops::Range<usize>, wanted: &[Dim]) -> Result<()> {
    for position in positions {
        let Some(given) = call.tensor(position)?.shape.as_deref() else { continue };
        if differ(given, wanted) {
            return invalid(format!(
                "input {position} must have the shape [{}], it has [{}]",
                sizes(wanted),
                sizes(given)
            ));
        }
    }
    Ok(())
}

fn training(call: &Call) -> Result<bool> {
    Ok(match call.opset {
        ..7 => call.attributes.int_or("is_test", 0)? == 0 && call.outputs > 1,
        7..14 => call.outputs > 1,
        _ => call.attributes.int_or("training_mode", 0)? != 0,
    })
}

/// The channels of an input: its second size, or one where it has rank 1.
fn channels(shape: &[Dim]) -> Result<Dim> {
    match shape {
        [] => invalid("the input needs rank 1 or more, it has 0"),
        [_] => Ok(Dim::ONE),
        [_, channels, ..] => Ok(channels.clone()),
    }
}

/// The further outputs are statistics: running ones, and until opset 13 saved ones.
fn batch(call: &Call) -> Result<Vec<Value>> {
    let training = training(call)?;
    if call.opset >= 14 && !training && call.outputs > 1 {
        return invalid("there is one output unless `training_mode` is set");
    }
    let spatial = call.opset >= 9 || call.attributes.int_or("spatial", 1)? != 0;
    if let (Some(shape), true) = (call.tensor(0)?.shape.as_deref(), spatial) {
        operands_have(call, 1..5, &[channels(shape)?])?;
    }
    let mut outputs = like_input(call)?;
    for input in [3, 4, 3, 4].into_iter().take(if call.opset < 14 { 4 } else { 2 }) {
        outputs.push(Tensor { contents: None, ..call.tensor(input)?.clone() }.into());
    }
    Ok(outputs)
}

fn batch_flops(call: &Call, outputs: &[Value]) -> Result<Dim> {
    let count = elements(outputs, 0)?;
    Ok(if training(call)? { count * 7 + input_elements(call, 3)? * 9 } else { count * 2 })
}

fn instance(call: &Call) -> Result<Vec<Value>> {
    let shape = call.shape(0)?;
    if shape.len() < 2 {
        return invalid(format!("the input needs rank 2 or more, it has {}", shape.len()));
    }
    operands_have(call, 1..3, &shape[1..2])?;
    like_input(call)
}

fn groups(call: &Call) -> Result<i64> {
    match call.attributes.int("num_groups")? {
        None => invalid("the attribute `num_groups` is missing"),
        Some(groups) if groups < 1 => invalid(format!("`num_groups` must be positive, it is {groups}")),
        Some(groups) => Ok(groups),
    }
}

/// Scale and bias are per group until opset 20, per channel since.
fn group(call: &Call) -> Result<Vec<Value>> {
    let (shape, groups) = (call.shape(0)?, groups(call)?);
    let [_, channels, ..] = shape else {
        return invalid(format!("the input needs rank 2 or more, it has {}", shape.len()));
    };
    if channels.as_int().is_some_and(|channels| channels % groups != 0) {
        return invalid(format!("{channels} channels cannot be split into {groups} groups"));
    }
    let wanted = if call.opset < 21 { Dim::from(groups) } else { channels.clone() };
    operands_have(call, 1..3, &[wanted])?;
    like_input(call)
}

/// The input's shape with size 1 from `axis` on.
fn reduced(call: &Call) -> Result<Shape> {
    let shape = call.shape(0)?;
    let from = axis(call.attributes.int_or("axis", -1)?, shape.len())?;
    Ok(shape.iter().enumerate().map(|(axis, size)| if axis < from { size.clone() } else { Dim::ONE }).collect())
}

fn scales_broadcast(call: &Call, positions: &[usize]) -> Result<()> {
    for &position in positions {
        if let Some(scale) = call.optional(position).and_then(|scale| scale.shape.as_deref()) {
            broadcasts_to(scale, call.shape(0)?)?;
        }
    }
    Ok(())
}

fn layer(call: &Call) -> Result<Vec<Value>> {
    scales_broadcast(call, &[1, 2])?;
    let dtype = match call.attributes.int_or("stash_type", 1)? {
        code @ (1 | 16) => DType::from_code(code as i32),
        code => return invalid(format!("`stash_type` must be 1 or 16, it is {code}")),
    };
    let statistic: Value = Tensor::new(dtype, reduced(call)?).into();
    Ok([like_input(call)?, vec![statistic.clone(), statistic]].concat())
}

fn rms(call: &Call) -> Result<Vec<Value>> {
    scales_broadcast(call, &[1])?;
    reduced(call)?;
    output(call.tensor(1)?.dtype, call.shape(0)?.to_vec())
}

fn lrn_size(call: &Call) -> Result<i64> {
    match call.attributes.int("size")? {
        None => invalid("the attribute `size` is missing"),
        Some(size) if size < 1 => invalid(format!("`size` must be positive, it is {size}")),
        Some(size) => Ok(size),
    }
}

fn lrn(call: &Call) -> Result<Vec<Value>> {
    lrn_size(call)?;
    like_input(call)
}

/// The sizes of the axes that are not among these.
fn without(call: &Call, axes: &[usize]) -> Result<Shape> {
    Ok(call
        .shape(0)?
        .iter()
        .enumerate()
        .filter(|(axis, _)| !axes.contains(axis))
        .map(|(_, size)| size.clone())
        .collect())
}

fn lp_axis(call: &Call) -> Result<usize> {
    axis(call.attributes.int_or("axis", -1)?, call.shape(0)?.len())
}

fn lp(call: &Call) -> Result<Vec<Value>> {
    if let p @ (..1 | 3..) = call.attributes.int_or("p", 2)? {
        return invalid(format!("`p` must be 1 or 2, it is {p}"));
    }
    lp_axis(call)?;
    like_input(call)
}

fn mean_axes(call: &Call) -> Result<Vec<usize>> {
    axes(call.attributes.ints("axes")?.unwrap_or(&[0, 2, 3]), call.shape(0)?.len())
}

fn mean_variance(call: &Call) -> Result<Vec<Value>> {
    mean_axes(call)?;
    like_input(call)
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn batch_normalization_of_every_opset() {
        check(
            "
            BatchNormalization f32[n,8,4,4] f32[8] f32[8] f32[8] f32[8] -> f32[n,8,4,4] flops=256*n
            BatchNormalization f32[n] f32[1] f32[1] f32[1] f32[1] -> f32[n]
            BatchNormalization f16[2,8,4] f16[8] f16[8] f32[8] f32[8] training_mode=1 -> f16[2,8,4] f32[8] f32[8] flops=520
            BatchNormalization@9 f32[2,8,4] f32[8] f32[8] f32[8] f32[8] -> f32[2,8,4] f32[8] f32[8] f32[8] f32[8] flops=520
            BatchNormalization@6 f32[2,8,4] f32[8] f32[8] f32[8] f32[8] is_test=1 -> f32[2,8,4] flops=128
            BatchNormalization@7 f32[2,8,4] f32[8,4] f32[8,4] f32[8,4] f32[8,4] spatial=0 -> f32[2,8,4]
            BatchNormalization f32[2,8,4] f32[4] f32[8] f32[8] f32[8] -> error input 1 must have the shape [8]
            BatchNormalization f32[2,8,4] f32[8] f32[8] f32[8] -> error input 4 is missing
            ",
        );
    }

    #[test]
    fn statistics_per_row_group_and_channel() {
        check(
            "
            LayerNormalization f16[2,seq,64] f16[64] f16[64] -> f16[2,seq,64] f32[2,seq,1] f32[2,seq,1] flops=902*seq
            LayerNormalization f32[2,3,4] f32[3,4] axis=1 -> f32[2,3,4] f32[2,1,1] flops=150
            LayerNormalization f32[2,3,4] f32[3,4] axis=-4 -> error axis -4
            LayerNormalization f32[2,3,4] f32[5] -> error cannot be broadcast
            RMSNormalization f32[2,3,4] f16[4] -> f16[2,3,4] flops=114
            GroupNormalization f32[2,8,4] f32[8] f32[8] num_groups=4 -> f32[2,8,4] flops=472
            GroupNormalization@18 f32[2,8,4] f32[4] f32[4] num_groups=4 -> f32[2,8,4]
            GroupNormalization f32[2,8,4] f32[4] f32[4] num_groups=4 -> error input 1
            GroupNormalization f32[2,8,4] f32[8] f32[8] num_groups=3 -> error cannot be split
            InstanceNormalization f32[2,8,4] f32[8] f32[8] -> f32[2,8,4] flops=496
            LRN f32[1,8,2,2] size=5 -> f32[1,8,2,2] flops=288
            LRN f32[1,8,2,2] -> error `size`
            LpNormalization f32[2,5] -> f32[2,5] flops=30
            LpNormalization f32[2,5] p=1 axis=0 -> f32[2,5] flops=30
            LpNormalization f32[2,5] p=3 -> error `p`
            MeanVarianceNormalization f32[2,3,4,4] -> f32[2,3,4,4] flops=486
            MeanVarianceNormalization f32[2,3] -> error axis 2
            ",
        );
    }
}
