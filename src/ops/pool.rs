//! Pools over windows and over all spatial axes.

use super::window::{Window, differ, sizes};
use super::{Call, Module, Op, Result, Role, Stop, elements, input_elements, invalid, output};
use crate::dim::Dim;
use crate::tensor::{DType, Shape, Tensor, Value};

pub(super) const OPS: &[Op] = &[
    Op::new("AveragePool", |call| output(call.dtype(0), pooled(call)?))
        .module(Module::Moved)
        .flops("window elements per output element: additions and one division", |call, outputs| {
            per_window(call, outputs, 1, 0)
        }),
    Op::new("GlobalAveragePool", global)
        .module(Module::Written)
        .flops("1 per input element: additions and one division for each output element", |call, _| {
            input_elements(call, 0)
        }),
    Op::new("GlobalLpPool", global)
        .flops("3 per input element: absolute value, power, addition (the root in place of one)", |call, _| {
            Ok(input_elements(call, 0)? * 3)
        }),
    Op::new("GlobalMaxPool", global).module(Module::Written).flops(
        "input − output elements: comparisons",
        |call, outputs| {
            let input = input_elements(call, 0)?;
            Ok(if input == Dim::ZERO { input } else { input - elements(outputs, 0)? })
        },
    ),
    Op::new("LpPool", |call| output(call.dtype(0), pooled(call)?)).module(Module::Written).flops(
        "3 × window elements per output element: absolute value, power, addition (the root in place of one)",
        |call, outputs| per_window(call, outputs, 3, 0),
    ),
    Op::new("MaxPool", max_pool)
        .module(Module::Moved)
        .flops("window elements − 1 per output element: comparisons", |call, outputs| {
            per_window(call, outputs, 1, -1)
        }),
    Op::new("MaxUnpool", unpooled).roles(&[(1, Role::Setting), (2, Role::Setting)]),
];

/// The shape of a tensor of images, which has a batch, channels and at least `axes` spatial axes.
fn images<'a>(call: &Call<'a>, axes: usize) -> Result<&'a [Dim]> {
    let shape = call.shape(0)?;
    match shape.len() >= 2 + axes {
        true => Ok(shape),
        false => invalid(format!("the input needs rank {} or more, it has {}", 2 + axes, shape.len())),
    }
}

fn pooled(call: &Call) -> Result<Shape> {
    let input = images(call, 1)?;
    let window = Window::of_pool(call, input.len() - 2)?;
    let mut shape = input[..2].to_vec();
    shape.extend(window.positions(&input[2..], call.attributes.int_or("ceil_mode", 0)? != 0)?);
    Ok(shape)
}

/// `each` operations for every window element of every output element, and `beside` for the output element itself.
fn per_window(call: &Call, outputs: &[Value], each: i64, beside: i64) -> Result<Dim> {
    let window = Window::of_pool(call, images(call, 1)?.len() - 2)?;
    Ok(elements(outputs, 0)? * (window.elements() * each + beside))
}

fn max_pool(call: &Call) -> Result<Vec<Value>> {
    let shape = pooled(call)?;
    Ok(vec![Tensor::new(call.dtype(0), shape.clone()).into(), Tensor::new(DType::I64, shape).into()])
}

fn global(call: &Call) -> Result<Vec<Value>> {
    let input = images(call, 0)?;
    let shape = input.iter().enumerate().map(|(axis, size)| if axis < 2 { size.clone() } else { Dim::ONE });
    output(call.dtype(0), shape.collect())
}

/// The size before pooling: given, or the least that pools to the input's.
fn unpooled(call: &Call) -> Result<Vec<Value>> {
    let input = images(call, 1)?;
    if let Some(indices) = call.tensor(1)?.shape.as_deref().filter(|indices| differ(indices, input)) {
        return invalid(format!("the indices need the input's shape {}, they have {}", sizes(input), sizes(indices)));
    }
    let window = Window::of_pool(call, input.len() - 2)?;
    if call.has(2) {
        return match call.dims(2) {
            Some(shape) if shape.len() != input.len() => {
                invalid(format!("`output_shape` needs {} sizes, it has {}", input.len(), shape.len()))
            }
            Some(shape) => output(call.dtype(0), shape),
            None => match super::constant::shape_from(call, 2) {
                Err(Stop::Unknown) => output(call.dtype(0), call.decided_shape(input.len())),
                shape => output(call.dtype(0), shape?),
            },
        };
    }
    let size = |axis: usize| {
        let (before, after) = window.pads[axis];
        (&input[axis + 2] - 1) * window.strides[axis] + &window.kernel[axis] - before - after
    };
    output(call.dtype(0), input[..2].iter().cloned().chain((0..input.len() - 2).map(size)).collect())
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn windows_decide_the_sizes() {
        check(
            "
            MaxPool f32[1,3,32,32] kernel_shape=[2,2] -> f32[1,3,31,31] i64[1,3,31,31] flops=8649
            MaxPool u8[1,3,32] kernel_shape=[3] strides=[2] pads=[1,1] -> u8[1,3,16]
            MaxPool f32[1,1,4,4] kernel_shape=[2,2] dilations=[2,2] -> f32[1,1,2,2]
            MaxPool f32[n,64,h,112] kernel_shape=[3,3] strides=[2,2] pads=[1,1,1,1] -> f32[n,64,(h-1)//2+1,56]
            MaxPool f32[1,1,32,33] kernel_shape=[2,2] strides=[2,2] auto_pad='SAME_UPPER' -> f32[1,1,16,17]
            MaxPool f32[1,1,5,5] kernel_shape=[2,2] strides=[2,2] auto_pad='VALID' ceil_mode=1 -> f32[1,1,2,2]
            AveragePool@1 f32[1,1,4,4] kernel_shape=[3,3] pads=[1,1,1,1] -> f32[1,1,4,4] flops=144
            AveragePool f32[1,1,4,4,4] kernel_shape=[2,2,2] -> f32[1,1,3,3,3] flops=216
            LpPool f32[1,1,4,4] kernel_shape=[2,2] -> f32[1,1,3,3] flops=108
            LpPool@1 f32[1,1,4,4] kernel_shape=[2,2] p=1.0 -> f32[1,1,3,3] flops=108
            MaxPool f32[1,3,32,32] -> error `kernel_shape` is missing
            MaxPool f32[1,3,32,32] kernel_shape=[2] -> error `kernel_shape` needs 2 sizes
            MaxPool f32[1,3] kernel_shape=[2] -> error rank 3
            AveragePool f32[1,3,2] kernel_shape=[3] -> error the window spans 3
            ",
        );
    }

    #[test]
    fn a_last_window_may_overhang_but_not_start_in_the_end_padding() {
        check(
            "
            MaxPool f32[1,1,4,4] kernel_shape=[3,3] strides=[2,2] ceil_mode=1 -> f32[1,1,2,2]
            MaxPool f32[1,64,112,112] kernel_shape=[3,3] strides=[2,2] ceil_mode=1 -> f32[1,64,56,56]
            MaxPool f32[1,1,2,2] kernel_shape=[1,1] strides=[2,2] ceil_mode=1 -> f32[1,1,1,1]
            AveragePool f32[1,1,4,4] kernel_shape=[3,3] strides=[3,3] pads=[1,1,1,1] ceil_mode=1 -> f32[1,1,2,2]
            AveragePool f32[1,1,3] kernel_shape=[2] strides=[2] pads=[1,1] ceil_mode=1 -> f32[1,1,2]
            MaxPool f32[1,1,h] kernel_shape=[3] strides=[2] ceil_mode=1 -> f32[1,1,(h-2)//2+1]
            MaxPool f32[1,1,h] kernel_shape=[2] strides=[2] pads=[1,1] ceil_mode=1 -> f32[1,1,(h+2)//2]
            ",
        );
    }

    #[test]
    fn global_pools_keep_batch_and_channels() {
        check(
            "
            GlobalAveragePool f32[n,8,7,7] -> f32[n,8,1,1] flops=392*n
            GlobalMaxPool f32[2,8,7] -> f32[2,8,1] flops=96
            GlobalLpPool f32[2,8,7] p=1 -> f32[2,8,1] flops=336
            GlobalAveragePool f32[8] -> error rank 2
            ",
        );
    }

    #[test]
    fn unpooling_gives_the_least_size_or_the_given_one() {
        check(
            "
            MaxUnpool f32[1,1,2,2] i64[1,1,2,2] kernel_shape=[2,2] strides=[2,2] -> f32[1,1,4,4]
            MaxUnpool f32[1,1,2,2] i64[1,1,2,2] i64[4]{1,1,5,5} kernel_shape=[2,2] strides=[2,2] -> f32[1,1,5,5]
            MaxUnpool f32[1,1,2,2] i64[1,1,2,2] i64[4] kernel_shape=[2,2] -> f32[$node.0,$node.1,$node.2,$node.3]
            MaxUnpool f32[1,1,n,2] i64[1,1,n,2] kernel_shape=[3,3] strides=[2,2] pads=[1,1,0,0] -> f32[1,1,2*n,4]
            MaxUnpool f32[1,1,2,2] i64[1,1,2,3] kernel_shape=[2,2] -> error indices
            ",
        );
    }
}
