//! Convolutions and pools with fused parts or in onnxruntime's own layouts, and sampling of images.

use super::ms;
use super::rules::{
    NEWEST, activation_cost, channels_last, channels_second, flops_as, infer_as, macs_as, pick, positive, tensor,
};
use crate::dim::Dim;
use crate::ops::{Call, InferFn, Op, Result, Role, Stop, elements, input_elements, invalid, like_input, output};
use crate::tensor::{Shape, Value};

const MACS: &str = "input channels / group × kernel, per output element";
const FUSED: &str = "1 per output element each for bias and sum, and the activation's";

pub(crate) const OPS: &[Op] = &[
    ms("ConvTransposeWithDynamicPads", dynamic_pads)
        .macs("output channels / group × kernel, per input element", |call, outputs| {
            macs_as(call, "ConvTranspose", &pick(call, &[0, 1, 3]), outputs)
        })
        .flops(
            "1 per output element for the bias",
            |call, outputs| {
                if call.has(3) { elements(outputs, 0) } else { Ok(Dim::ZERO) }
            },
        )
        .roles(&[(2, Role::Setting)]),
    ms("CropAndResize", crop_and_resize)
        .flops("9 per output element where bilinear: 3 interpolations of 3", |call, outputs| {
            let each = if call.attributes.string("mode")? == Some("nearest") { 0 } else { 9 };
            Ok(elements(outputs, 0)? * each)
        })
        .roles(&[(2, Role::Setting), (3, Role::Setting)]),
    ms("FusedConv", |call| infer_as(call, "Conv", NEWEST, &pick(call, &[0, 1, 2])))
        .macs(MACS, |call, outputs| macs_as(call, "Conv", &pick(call, &[0, 1, 2]), outputs))
        .flops(FUSED, fused_flops),
    ms("GridSample", |call| infer_as(call, "GridSample", 16, &pick(call, &[0, 1])))
        .flops("those of GridSample", |call, outputs| flops_as(call, "GridSample", 16, &pick(call, &[0, 1]), outputs)),
    ms("MaxpoolWithMask", |call| infer_as(call, "MaxPool", NEWEST, &pick(call, &[0])))
        .flops("those of MaxPool", |call, outputs| flops_as(call, "MaxPool", NEWEST, &pick(call, &[0]), outputs)),
    ms("NhwcConv", nhwc_conv).macs(MACS, nhwc_macs).flops(FUSED, fused_flops),
    ms("NhwcFusedConv", nhwc_conv).macs(MACS, nhwc_macs).flops(FUSED, fused_flops),
    ms("NhwcMaxPool", |call| nhwc(call, "MaxPool"))
        .flops("those of MaxPool", |call, outputs| nhwc_flops(call, "MaxPool", outputs)),
    nchwc("AveragePool", |call| infer_as(call, "AveragePool", NEWEST, &pick(call, &[0])))
        .flops("those of AveragePool", |call, outputs| {
            flops_as(call, "AveragePool", NEWEST, &pick(call, &[0]), outputs)
        }),
    nchwc("Conv", |call| infer_as(call, "Conv", NEWEST, &pick(call, &[0, 1])))
        .macs(MACS, |call, outputs| macs_as(call, "Conv", &pick(call, &[0, 1]), outputs))
        .flops(FUSED, fused_flops),
    nchwc("GlobalAveragePool", |call| infer_as(call, "GlobalAveragePool", NEWEST, &pick(call, &[0])))
        .flops("those of GlobalAveragePool", |call, outputs| {
            flops_as(call, "GlobalAveragePool", NEWEST, &pick(call, &[0]), outputs)
        }),
    nchwc("GlobalMaxPool", |call| infer_as(call, "GlobalMaxPool", NEWEST, &pick(call, &[0])))
        .flops("those of GlobalMaxPool", |call, outputs| {
            flops_as(call, "GlobalMaxPool", NEWEST, &pick(call, &[0]), outputs)
        }),
    nchwc("MaxPool", |call| infer_as(call, "MaxPool", NEWEST, &pick(call, &[0])))
        .flops("those of MaxPool", |call, outputs| flops_as(call, "MaxPool", NEWEST, &pick(call, &[0]), outputs)),
    nchwc("ReorderInput", reorder_input),
    nchwc("ReorderOutput", reorder_output),
    nchwc("Upsample", upsample).flops("9 per output element where linear: 3 interpolations of 3", |call, outputs| {
        let each = if call.attributes.string("mode")? == Some("linear") { 9 } else { 0 };
        Ok(elements(outputs, 0)? * each)
    }),
    internal("AveragePool", |call| nhwc(call, "AveragePool"))
        .flops("those of AveragePool", |call, outputs| nhwc_flops(call, "AveragePool", outputs)),
    internal("BatchNormalization", like_input)
        .flops("2 per element: scale and shift", |call, _| Ok(input_elements(call, 0)? * 2))
        .roles(&[(3, Role::Statistic), (4, Role::Statistic)]),
    internal("Conv", nhwc_conv).macs(MACS, nhwc_macs).flops(FUSED, fused_flops),
    internal("ConvTranspose", |call| nhwc(call, "ConvTranspose"))
        .macs("output channels / group × kernel, per input element", |call, outputs| {
            let input = channels_second(call.value(0)?);
            macs_as(call, "ConvTranspose", &[Some(&input), Some(call.value(1)?)], outputs)
        })
        .flops(FUSED, fused_flops),
    internal("DepthToSpace", |call| nhwc(call, "DepthToSpace")),
    internal("GlobalAveragePool", |call| nhwc(call, "GlobalAveragePool"))
        .flops("those of GlobalAveragePool", |call, outputs| nhwc_flops(call, "GlobalAveragePool", outputs)),
    internal("GlobalMaxPool", |call| nhwc(call, "GlobalMaxPool"))
        .flops("those of GlobalMaxPool", |call, outputs| nhwc_flops(call, "GlobalMaxPool", outputs)),
    internal("InstanceNormalization", like_input)
        .flops("those of InstanceNormalization", |call, outputs| nhwc_flops(call, "InstanceNormalization", outputs)),
    internal("MaxPool", |call| nhwc(call, "MaxPool"))
        .flops("those of MaxPool", |call, outputs| nhwc_flops(call, "MaxPool", outputs)),
    internal("SpaceToDepth", |call| nhwc(call, "SpaceToDepth")),
];

/// An operator on channels in blocks, as the optimizer lays them out for the processor.
const fn nchwc(name: &'static str, infer: InferFn) -> Op {
    Op::new(name, infer).domain("com.microsoft.nchwc")
}

/// An operator on channels that stand last, as the optimizer lays them out for other devices.
const fn internal(name: &'static str, infer: InferFn) -> Op {
    Op::new(name, infer).domain("com.ms.internal.nhwc")
}

fn fused_flops(call: &Call, outputs: &[Value]) -> Result<Dim> {
    let activation = activation_cost(call.attributes.string("activation")?.unwrap_or(""))?;
    let each = activation + i64::from(call.has(2)) + i64::from(call.has(3));
    Ok(elements(outputs, 0)? * each)
}

/// An operator of the specification on a first input whose channels stand last.
fn nhwc(call: &Call, name: &str) -> Result<Vec<Value>> {
    let input = channels_second(call.value(0)?);
    let mut inputs = call.inputs.to_vec();
    inputs[0] = Some(&input);
    Ok(infer_as(call, name, NEWEST, &inputs)?.iter().map(channels_last).collect())
}

fn nhwc_flops(call: &Call, name: &str, outputs: &[Value]) -> Result<Dim> {
    let input = channels_second(call.value(0)?);
    let outputs: Vec<Value> = outputs.iter().map(channels_second).collect();
    flops_as(call, name, NEWEST, &[Some(&input)], &outputs)
}

/// The weight's channels stand second either way.
fn nhwc_conv(call: &Call) -> Result<Vec<Value>> {
    let input = channels_second(call.value(0)?);
    let bias = call.inputs.get(2).copied().flatten();
    let outputs = infer_as(call, "Conv", NEWEST, &[Some(&input), Some(call.value(1)?), bias])?;
    Ok(outputs.iter().map(channels_last).collect())
}

fn nhwc_macs(call: &Call, outputs: &[Value]) -> Result<Dim> {
    macs_as(call, "Conv", &pick(call, &[0, 1]), outputs)
}

/// The pads are an input: where they are not known, nor are the spatial sizes.
fn dynamic_pads(call: &Call) -> Result<Vec<Value>> {
    let inputs = pick(call, &[0, 1, 3]);
    let outputs = infer_as(call, "ConvTranspose", NEWEST, &inputs)?;
    let Some(shape) = outputs.first().and_then(Value::as_tensor).and_then(|tensor| tensor.shape.clone()) else {
        return Err(Stop::Unknown);
    };
    if !call.has(2) {
        return Ok(outputs);
    }
    let axes = shape.len() - 2;
    let pads = call.dims(2);
    if pads.as_ref().is_some_and(|pads| pads.len() != 2 * axes) {
        return invalid(format!("the pads need {} values", 2 * axes));
    }
    let spatial = (0..axes).map(|axis| match &pads {
        Some(pads) => &shape[axis + 2] - &pads[axis] - &pads[axis + axes],
        None => call.decided(&axis.to_string()),
    });
    output(call.tensor(0)?.dtype, shape[..2].iter().cloned().chain(spatial).collect())
}

fn crop_and_resize(call: &Call) -> Result<Vec<Value>> {
    let [_, channels, _, _] = call.shape_of_rank(0, 4)? else { return Err(Stop::Unknown) };
    let crops = &call.shape_of_rank(1, 2)?[0];
    let (height, width) = match call.dims(3).as_deref() {
        Some([height, width]) => (height.clone(), width.clone()),
        Some(sizes) => return invalid(format!("the crop size needs 2 values, it has {}", sizes.len())),
        None => (call.decided("height"), call.decided("width")),
    };
    output(call.tensor(0)?.dtype, vec![crops.clone(), channels.clone(), height, width])
}

/// Channels stand second and fill whole blocks: 8, or 16 with 512-bit vectors; 8 is taken.
fn reorder_input(call: &Call) -> Result<Vec<Value>> {
    let shape = match call.attributes.int_or("channels_last", 0)? {
        0 => call.value(0)?.clone(),
        _ => channels_second(call.value(0)?),
    };
    let Some(mut shape) = shape.as_tensor().and_then(|tensor| tensor.shape.clone()) else { return Err(Stop::Unknown) };
    match shape.get_mut(1) {
        Some(channels) => *channels = channels.ceil_div(&Dim::from(8i64)) * 8i64,
        None => return invalid("the input needs a channel axis"),
    }
    output(call.tensor(0)?.dtype, shape)
}

fn reorder_output(call: &Call) -> Result<Vec<Value>> {
    let mut shape: Shape = call.shape(0)?.to_vec();
    let channels = positive(call, "channels")?;
    match shape.get_mut(1) {
        Some(size) => *size = Dim::from(channels),
        None => return invalid("the input needs a channel axis"),
    }
    let result = tensor(call.tensor(0)?.dtype, Some(shape));
    Ok(vec![if call.attributes.int_or("channels_last", 0)? == 0 { result } else { channels_last(&result) }])
}

fn upsample(call: &Call) -> Result<Vec<Value>> {
    let shape = call.shape(0)?;
    let Some(scales) = call.attributes.ints("scales")? else { return Err(Stop::Unknown) };
    if scales.len() != shape.len() || scales.iter().any(|&scale| scale <= 0) {
        return invalid(format!("`scales` {scales:?} need a positive value for each of {} axes", shape.len()));
    }
    output(call.tensor(0)?.dtype, shape.iter().zip(scales).map(|(size, &scale)| size * scale).collect())
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn layouts() {
        check(
            "
            com.microsoft.nchwc:ReorderInput f32[n,3,8,8] -> f32[n,8,8,8]
            com.microsoft.nchwc:ReorderInput f32[n,8,9,3] channels_last=1 -> f32[n,8,8,9]
            com.microsoft.nchwc:ReorderOutput f32[n,16,8,9] channels=10 -> f32[n,10,8,9]
            com.microsoft.nchwc:ReorderOutput f32[n,16,8,9] channels=10 channels_last=1 -> f32[n,8,9,10]
            com.microsoft.nchwc:ReorderOutput f32[n,16,8,9] -> error channels
            com.microsoft.nchwc:Upsample f32[n,16,8,h] scales=[1,1,2,2] -> f32[n,16,16,2*h]
            com.microsoft:CropAndResize f32[1,3,9,9] f32[r,4] i32[r] i32[2]{5,6} -> f32[r,3,5,6] flops=810*r
            com.microsoft:CropAndResize f32[1,3,9,9] f32[r,4] i32[r] i32[2] mode='nearest' -> f32[r,3,$node.height,$node.width]
            ",
        );
    }

    #[test]
    fn convolutions_and_pools() {
        check(
            "
            com.microsoft:FusedConv f32[n,3,8,8] f32[4,3,3,3] f32[4] f32[n,4,8,8] pads=[1,1,1,1] activation='Relu' -> f32[n,4,8,8] macs=6912*n flops=768*n
            com.microsoft:NhwcFusedConv f16[1,8,9,3] f16[4,3,3,3] f16[4] strides=[2,2] activation='HardSigmoid' -> f16[1,3,4,4] macs=1296 flops=240
            com.microsoft:NhwcConv f16[1,8,9,3] f16[4,2,3,3] -> error channels
            com.microsoft:NhwcMaxPool u8[n,8,9,3] kernel_shape=[2,2] strides=[2,2] -> u8[n,4,4,3] flops=144*n
            com.microsoft.nchwc:Conv f32[n,16,8,8] f32[32,16,3,3] f32[32] activation='Relu' -> f32[n,32,6,6] macs=165888*n flops=2304*n
            com.microsoft:ConvTransposeWithDynamicPads f32[1,3,4,4] f32[3,2,3,3] i64[4]{1,1,1,1} -> f32[1,2,4,4] macs=864
            com.microsoft:ConvTransposeWithDynamicPads f32[1,3,4,4] f32[3,2,3,3] i64[4] -> f32[1,2,$node.0,$node.1]
            com.microsoft:QLinearConv u8[1,8,9,3] f32[] u8[] i8[4,3,3,3] f32[4] i8[4] f32[] u8[] i32[4] channels_last=1 -> u8[1,6,7,4] macs=4536
            com.microsoft:QLinearAveragePool u8[1,8,9,3] f32[] u8[] f32[] u8[] channels_last=1 kernel_shape=[2,2] -> u8[1,7,8,3]
            com.microsoft:QLinearGlobalAveragePool u8[1,8,9,3] f32[] u8[] f32[] u8[] channels_last=1 -> u8[1,1,1,3]
            com.ms.internal.nhwc:Conv f32[1,8,9,3] f32[4,3,3,3] -> f32[1,6,7,4] macs=4536
            com.ms.internal.nhwc:AveragePool f32[1,8,9,3] kernel_shape=[2,2] -> f32[1,7,8,3]
            ",
        );
    }
}
