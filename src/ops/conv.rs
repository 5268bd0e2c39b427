//! Convolutions.

use super::window::{Padding, Window, differ, sizes};
use super::{Call, Convolution, Module, Op, Result, Role, Stop, elements, input_elements, invalid, output, product};
use crate::dim::Dim;
use crate::tensor::{DType, Shape, Tensor, Value};

const MACS: &str = "input channels / group × kernel, per output element";
const BIAS: &str = "1 per output element where there is a bias: addition";

pub(super) const OPS: &[Op] = &[
    Op::new("CausalConvWithState", causal)
        .macs("kernel, per output element: depthwise", |call, outputs| Ok(elements(outputs, 0)? * last(call.shape(1)?)))
        .flops("1 per output element for the bias, 5 for the activation x / (1 + exp(−x))", causal_flops),
    Op::new("Conv", |call| output(dtype(call), convolved(call, 0, 1, Some(2))?))
        .module(Module::Weighted)
        .macs(MACS, |call, outputs| macs(call, outputs, 1))
        .flops(BIAS, |call, outputs| bias(call, outputs, 2))
        .convolution(|call, outputs| convolution(call, outputs, 1))
        .kind(|call| kind("Conv", call)),
    Op::new("ConvInteger", |call| output(DType::I32, convolved(call, 0, 1, None)?))
        .macs(MACS, |call, outputs| macs(call, outputs, 1))
        .flops("1 per element of an operand that has a zero point: subtraction", |call, _| {
            Ok(super::shifted(call, 0, 2)? + super::shifted(call, 1, 3)?)
        })
        .roles(&[(2, Role::Setting), (3, Role::Setting)])
        .convolution(|call, outputs| convolution(call, outputs, 1))
        .kind(|call| kind("ConvInteger", call)),
    Op::new("ConvTranspose", transposed)
        .module(Module::Written)
        .macs("output channels / group × kernel, per input element", |call, _| {
            Ok(input_elements(call, 0)? * product(call.shape(1)?.get(1..).unwrap_or_default()))
        })
        .flops(BIAS, |call, outputs| bias(call, outputs, 2))
        .kind(|call| kind("ConvTranspose", call)),
    Op::new("DeformConv", deformed).macs(MACS, |call, outputs| macs(call, outputs, 1)).flops(
        "2·2ⁿ − 1 per sampled value (n-linear), 1 for its mask, 1 per output element for the bias",
        deformed_flops,
    ),
];

/// The operator with its kernel, and whether it is grouped or depthwise: what tells convolutions apart in a table.
fn kind(name: &str, call: &Call) -> String {
    let (Ok(input), Ok(weight), Ok(group)) = (call.shape(0), call.shape(1), group(call)) else {
        return name.to_string();
    };
    let kernel: Vec<_> = weight.iter().skip(2).map(Dim::to_string).collect();
    let channels = input.get(1).and_then(Dim::as_int);
    let grouping = match group {
        1 => "",
        group if channels == Some(group) => " depthwise",
        _ => " grouped",
    };
    format!("{name} {}{grouping}", kernel.join("×"))
}

fn dtype(call: &Call) -> DType {
    match call.dtype(0) {
        DType::Undefined => call.dtype(1),
        known => known,
    }
}

fn last(shape: &[Dim]) -> Dim {
    shape.last().cloned().unwrap_or(Dim::ONE)
}

/// The shapes of input and weight, which have one rank of at least 3.
fn operands<'a>(call: &Call<'a>, x: usize, w: usize) -> Result<(&'a [Dim], &'a [Dim])> {
    let (input, weight) = (call.shape(x)?, call.shape(w)?);
    match (input.len(), weight.len()) {
        (..3, _) => invalid(format!("the input needs a spatial axis: rank 3 or more, it has {}", input.len())),
        (needed, given) if needed != given => invalid(format!("the weight needs rank {needed}, it has {given}")),
        _ => Ok((input, weight)),
    }
}

fn group(call: &Call) -> Result<i64> {
    match call.attributes.int_or("group", 1)? {
        group if group < 1 => invalid(format!("`group` must be positive, it is {group}")),
        group => Ok(group),
    }
}

/// Requires an operand, where there is one of known rank, to have this shape.
fn requires_shape(call: &Call, input: usize, name: &str, wanted: &[Dim]) -> Result<()> {
    match call.optional(input).and_then(|operand| operand.shape.as_deref()) {
        Some(given) if differ(given, wanted) => {
            invalid(format!("the {name} must be {}, it is {}", sizes(wanted), sizes(given)))
        }
        _ => Ok(()),
    }
}

fn bias_fits(call: &Call, input: usize, channels: &Dim) -> Result<()> {
    match call.optional(input).and_then(|bias| bias.shape.as_deref()) {
        Some([size]) if size.known_eq(channels) == Some(false) => {
            invalid(format!("the bias needs {channels} elements, it has {size}"))
        }
        Some(shape) if shape.len() != 1 => invalid(format!("the bias needs rank 1, it has {}", shape.len())),
        _ => Ok(()),
    }
}

/// The output shape of a convolution of the input at `x` with the weight at `w`.
pub(super) fn convolved(call: &Call, x: usize, w: usize, bias: Option<usize>) -> Result<Shape> {
    let (input, weight) = operands(call, x, w)?;
    let group = group(call)?;
    if input[1].known_eq(&(&weight[1] * group)) == Some(false) {
        let (channels, taken) = (&input[1], &weight[1]);
        return invalid(format!(
            "the input has {channels} channels, the weight takes {taken} in each of {group} groups"
        ));
    }
    if weight[0].as_int().is_some_and(|channels| channels % group != 0) {
        return invalid(format!("{} output channels cannot be split into {group} groups", weight[0]));
    }
    if let Some(bias) = bias {
        bias_fits(call, bias, &weight[0])?;
    }
    let window = Window::of_weight(call, &weight[2..])?;
    let mut shape = vec![input[0].clone(), weight[0].clone()];
    shape.extend(window.positions(&input[2..], false)?);
    Ok(shape)
}

/// Every output element takes one multiply-accumulate for each weight of its output channel.
pub(super) fn macs(call: &Call, outputs: &[Value], w: usize) -> Result<Dim> {
    Ok(elements(outputs, 0)? * product(call.shape(w)?.get(1..).unwrap_or_default()))
}

/// The sizes of a convolution with the weight at `w`.
pub(super) fn convolution(call: &Call, outputs: &[Value], w: usize) -> Result<Convolution> {
    let weight = call.shape(w)?;
    let channels = weight.first().ok_or(Stop::Unknown)?;
    let groups = group(call)?;
    Ok(Convolution {
        positions: elements(outputs, 0)?.floor_div(channels),
        kernel: product(weight.get(2..).unwrap_or_default()),
        inputs: weight.get(1).ok_or(Stop::Unknown)? * groups,
        outputs: channels.clone(),
        groups,
    })
}

fn bias(call: &Call, outputs: &[Value], input: usize) -> Result<Dim> {
    if call.has(input) { elements(outputs, 0) } else { Ok(Dim::ZERO) }
}

fn transposed(call: &Call) -> Result<Vec<Value>> {
    let (input, weight) = operands(call, 0, 1)?;
    let (group, axes) = (group(call)?, input.len() - 2);
    if input[1].known_eq(&weight[0]) == Some(false) {
        return invalid(format!("the input has {} channels, the weight takes {}", input[1], weight[0]));
    }
    if weight[0].as_int().is_some_and(|channels| channels % group != 0) {
        return invalid(format!("{} input channels cannot be split into {group} groups", weight[0]));
    }
    let channels = &weight[1] * group;
    bias_fits(call, 2, &channels)?;
    let window = Window::of_weight(call, &weight[2..])?;
    let extra = match call.attributes.ints("output_padding")? {
        None => vec![0; axes],
        Some(list) if list.len() != axes => {
            return invalid(format!("`output_padding` needs {axes} values, it has {}", list.len()));
        }
        Some(list) => list.to_vec(),
    };
    for axis in 0..axes {
        if !(0..window.strides[axis].max(window.dilations[axis])).contains(&extra[axis]) {
            return invalid(format!("`output_padding` {extra:?} must be less than the stride or the dilation"));
        }
    }
    let mut shape = vec![input[0].clone(), channels];
    match call.attributes.ints("output_shape")?.filter(|list| !list.is_empty()) {
        // Some exporters write the batch and the channels, too.
        Some(list) if list.len() == axes || list.len() == axes + 2 => {
            shape.extend(list[list.len() - axes..].iter().map(|&size| Dim::from(size)));
        }
        Some(list) => return invalid(format!("`output_shape` needs {axes} sizes, it has {}", list.len())),
        None => shape.extend((0..axes).map(|axis| {
            let (size, stride) = (&input[axis + 2], window.strides[axis]);
            match window.padding {
                Padding::Same => size * stride,
                _ => (size - 1) * stride + extra[axis] + window.span(axis) - window.pads[axis].0 - window.pads[axis].1,
            }
        })),
    }
    match shape[2..].iter().any(|size| size.as_int().is_some_and(|size| size < 1)) {
        true => invalid(format!("the padding leaves nothing of the output: [{}]", sizes(&shape))),
        false => output(dtype(call), shape),
    }
}

fn causal(call: &Call) -> Result<Vec<Value>> {
    let (input, weight) = (call.shape_of_rank(0, 3)?, call.shape(1)?);
    if weight.len() != 3 {
        return invalid(format!("the weight needs rank 3, it has {}", weight.len()));
    }
    if weight[0].known_eq(&input[1]) == Some(false) || weight[1].known_eq(&Dim::ONE) == Some(false) {
        return invalid(format!("the weight of {} channels must be {0}, 1, k, it is {}", input[1], sizes(weight)));
    }
    bias_fits(call, 2, &input[1])?;
    let state = vec![input[0].clone(), input[1].clone(), &weight[2] - 1];
    requires_shape(call, 3, "past state", &state)?;
    silu(call)?;
    Ok(vec![Tensor::new(dtype(call), input.to_vec()).into(), Tensor::new(dtype(call), state).into()])
}

fn silu(call: &Call) -> Result<bool> {
    match call.attributes.string("activation")? {
        None | Some("none" | "") => Ok(false),
        Some("silu" | "swish") => Ok(true),
        Some(other) => invalid(format!("`activation` cannot be \"{other}\"")),
    }
}

fn causal_flops(call: &Call, outputs: &[Value]) -> Result<Dim> {
    Ok(elements(outputs, 0)? * (i64::from(call.has(2)) + if silu(call)? { 5 } else { 0 }))
}

fn deformed(call: &Call) -> Result<Vec<Value>> {
    let shape = convolved(call, 0, 1, Some(3))?;
    let (input, weight) = operands(call, 0, 1)?;
    let groups = call.attributes.int_or("offset_group", 1)?;
    if groups < 1 || input[1].as_int().is_some_and(|channels| channels % groups != 0) {
        return invalid(format!("{} channels cannot be split into {groups} offset groups", input[1]));
    }
    let taps = product(&weight[2..]) * groups;
    let with_channels = |channels: Dim| [&shape[..1], &[channels], &shape[2..]].concat();
    requires_shape(call, 2, "offset", &with_channels(&taps * (input.len() as i64 - 2)))?;
    // The specification gives the mask of other ranks two different sizes.
    if input.len() == 4 {
        requires_shape(call, 4, "mask", &with_channels(taps))?;
    }
    output(dtype(call), shape)
}

fn deformed_flops(call: &Call, outputs: &[Value]) -> Result<Dim> {
    let (input, weight) = operands(call, 0, 1)?;
    let Some([batch, _, sizes @ ..]) = outputs.first().and_then(Value::as_tensor).and_then(|y| y.shape.as_deref())
    else {
        return Err(Stop::Unknown);
    };
    let sampled = batch * product(sizes) * &input[1] * product(&weight[2..]);
    let axes = input.len() as u32 - 2;
    let each = Dim::from(2i64).pow(axes + 1) - 1 + i64::from(call.has(4));
    Ok(sampled * each + bias(call, outputs, 3)?)
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn the_window_decides_the_spatial_sizes() {
        check(
            "
            Conv f32[1,3,8,8] f32[4,3,3,3] pads=[1,1,1,1] -> f32[1,4,8,8] macs=6912 flops=0
            Conv f32[1,3,8,8] f32[4,3,3,3] f32[4] -> f32[1,4,6,6] macs=3888 flops=144
            Conv f16[2,8,16] f16[8,1,5] group=8 pads=[4,0] -> f16[2,8,16] macs=1280
            Conv f32[1,3,8,8,8] f32[4,3,3,3,3] strides=[2,2,2] -> f32[1,4,3,3,3] macs=8748
            Conv f32[1,3,7,7] f32[4,3,3,3] dilations=[2,3] kernel_shape=[3,3] -> f32[1,4,3,1]
            Conv f32[1,3,7,8] f32[4,3,3,3] strides=[2,2] auto_pad='SAME_UPPER' -> f32[1,4,4,4]
            Conv f32[1,3,7,8] f32[4,3,3,3] strides=[2,2] auto_pad='SAME_LOWER' pads=[9,9,9,9] -> f32[1,4,4,4]
            Conv f32[1,3,7,8] f32[4,3,3,3] strides=[2,2] auto_pad='VALID' -> f32[1,4,3,3]
            Conv@1 f32[1,3,7,8] f32[4,3,3,3] auto_pad='NOTSET' -> f32[1,4,5,6]
            Conv f32[n,3,h,w] f32[8,3,3,3] strides=[2,2] pads=[1,1,1,1] -> f32[n,8,(h-1)//2+1,(w-1)//2+1]
            Conv f32[n,3,h,224] f32[8,3,1,1] -> f32[n,8,h,224] macs=5376*h*n
            Conv f32[0,3,8,8] f32[4,3,3,3] -> f32[0,4,6,6] macs=0
            ConvInteger u8[1,4,8,8] i8[4,2,3,3] u8[] i8[] group=2 -> i32[1,4,6,6] macs=2592 flops=328
            ConvInteger u8[1,1,3,3] u8[1,1,2,2] u8[] -> i32[1,1,2,2] macs=16 flops=9
            ConvInteger u8[1,1,3,3] u8[1,1,2,2] -> i32[1,1,2,2] macs=16 flops=0
            ",
        );
    }

    #[test]
    fn calls_that_break_the_rules_say_why() {
        check(
            "
            Conv f32[1,3,8,8] f32[4,3,3] -> error the weight needs rank 4, it has 3
            Conv f32[1,3] f32[4,3] -> error spatial
            Conv f32[1,3,8,8] -> error input 1 is missing
            Conv f32[*] f32[4,3,3,3] -> unknown
            Conv f32[1,3,8,8] f32[*] kernel_shape=[3,3] -> unknown
            Conv f32[1,4,8,8] f32[4,3,3,3] -> error 4 channels
            Conv f32[1,6,8,8] f32[4,2,3,3] group=3 -> error cannot be split
            Conv f32[1,6,8,8] f32[4,2,3,3] group=0 -> error `group`
            Conv f32[1,3,8,8] f32[4,3,3,3] kernel_shape=[5,3] -> error `kernel_shape`
            Conv f32[1,3,8,8] f32[4,3,3,3] strides=[1] -> error `strides` needs 2
            Conv f32[1,3,8,8] f32[4,3,3,3] strides=[0,1] -> error `strides`
            Conv f32[1,3,8,8] f32[4,3,3,3] pads=[1,1] -> error `pads` needs 4
            Conv f32[1,3,8,8] f32[4,3,3,3] auto_pad='SAME' -> error `auto_pad`
            Conv f32[1,3,8,8] f32[4,3,3,3] f32[3] -> error bias
            Conv f32[1,3,2,8] f32[4,3,3,3] -> error the window spans 3, the padded input has 2
            ",
        );
    }

    #[test]
    fn a_transposed_convolution_works_per_input_element() {
        check(
            "
            ConvTranspose f32[1,1,3,3] f32[1,2,3,3] -> f32[1,2,5,5] macs=162 flops=0
            ConvTranspose f32[1,1,3,3] f32[1,2,3,3] f32[2] strides=[3,2] -> f32[1,2,9,7] macs=162 flops=126
            ConvTranspose f32[1,1,3,3] f32[1,2,3,3] strides=[3,2] pads=[1,2,1,2] -> f32[1,2,7,3]
            ConvTranspose f32[1,1,3,3] f32[1,2,3,3] strides=[3,2] output_shape=[10,8] -> f32[1,2,10,8]
            ConvTranspose f32[1,1,3,3] f32[1,2,3,3] strides=[3,2] output_shape=[1,2,10,8] -> f32[1,2,10,8]
            ConvTranspose f32[1,1,3,3] f32[1,2,3,3] strides=[3,2] output_padding=[1,1] -> f32[1,2,10,8]
            ConvTranspose f32[1,1,3,3] f32[1,2,3,3] strides=[2,2] auto_pad='SAME_UPPER' -> f32[1,2,6,6]
            ConvTranspose f32[1,1,3,3] f32[1,2,2,2] dilations=[2,2] auto_pad='VALID' -> f32[1,2,5,5]
            ConvTranspose f32[n,8,t] f32[8,2,4] group=4 strides=[2] pads=[1,1] -> f32[n,8,2*t] macs=64*n*t
            ConvTranspose f32[1,3,3,3] f32[1,2,3,3] -> error channels
            ConvTranspose f32[1,3,3,3] f32[3,2,3] -> error the weight needs rank 4, it has 3
            ConvTranspose f32[1,1,3,3] f32[1,2,3,3] output_padding=[1,1] -> error `output_padding`
            ConvTranspose f32[1,1,1,3] f32[1,2,1,3] pads=[1,0,0,0] -> error padding
            ",
        );
    }

    #[test]
    fn deformable_and_causal_convolutions() {
        check(
            "
            DeformConv f32[1,1,3,3] f32[1,1,2,2] f32[1,8,2,2] -> f32[1,1,2,2] macs=16 flops=112
            DeformConv f32[1,2,3,3] f32[4,1,2,2] f32[1,16,2,2] f32[4] f32[1,8,2,2] group=2 offset_group=2 -> f32[1,4,2,2] macs=64 flops=272
            DeformConv f32[1,1,3,3] f32[1,1,2,2] f32[1,4,2,2] -> error the offset must be
            CausalConvWithState f32[n,8,seq] f32[8,1,4] f32[8] -> f32[n,8,seq] f32[n,8,3] macs=32*n*seq flops=8*n*seq
            CausalConvWithState f16[2,8,5] f16[8,1,4] _ f16[2,8,3] activation='silu' -> f16[2,8,5] f16[2,8,3] flops=400
            CausalConvWithState f32[2,8,5] f32[8,2,4] -> error the weight of 8 channels
            ",
        );
    }
}
