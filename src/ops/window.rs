//! The sliding window of convolutions and pools: kernel, strides, dilations, padding, and the sizes that follow.

use super::{Call, Result, Shape, invalid};
use crate::dim::Dim;

/// How `auto_pad` asks for padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Padding {
    /// By the `pads` attribute.
    Explicit,
    /// So that the output has ⌈input / stride⌉ positions.
    Same,
    /// None.
    Valid,
}

/// A window over the spatial axes of a tensor.
pub(super) struct Window {
    /// Elements along each axis.
    pub(super) kernel: Shape,
    /// Steps along each axis.
    pub(super) strides: Vec<i64>,
    /// Distances between the elements of the window.
    pub(super) dilations: Vec<i64>,
    /// Padding before and after each axis; zero unless explicit.
    pub(super) pads: Vec<(i64, i64)>,
    /// Where the padding comes from.
    pub(super) padding: Padding,
}

impl Window {
    /// The window of a convolution: `kernel` is what the weight has, which a `kernel_shape` must repeat.
    pub(super) fn of_weight(call: &Call, kernel: &[Dim]) -> Result<Window> {
        if let Some(given) = call.attributes.ints("kernel_shape")? {
            let differs = |(given, kernel): (&i64, &Dim)| kernel.known_eq(&Dim::from(*given)) == Some(false);
            if given.len() != kernel.len() || given.iter().zip(kernel).any(differs) {
                return invalid(format!("`kernel_shape` is {given:?}, the weight has [{}]", sizes(kernel)));
            }
        }
        Window::new(call, kernel.to_vec())
    }

    /// The window of a pool over so many spatial axes: `kernel_shape` is required.
    pub(super) fn of_pool(call: &Call, axes: usize) -> Result<Window> {
        match call.attributes.ints("kernel_shape")? {
            None => invalid("the attribute `kernel_shape` is missing"),
            Some(kernel) if kernel.len() != axes => {
                invalid(format!("`kernel_shape` needs {axes} sizes, it has {}", kernel.len()))
            }
            Some(kernel) if kernel.iter().any(|&size| size < 1) => {
                invalid(format!("`kernel_shape` must be positive, it is {kernel:?}"))
            }
            Some(kernel) => Window::new(call, kernel.iter().map(|&size| Dim::from(size)).collect()),
        }
    }

    fn new(call: &Call, kernel: Shape) -> Result<Window> {
        let axes = kernel.len();
        let padding = match call.attributes.string("auto_pad")? {
            None | Some("NOTSET" | "") => Padding::Explicit,
            Some("SAME_UPPER" | "SAME_LOWER") => Padding::Same,
            Some("VALID") => Padding::Valid,
            Some(other) => return invalid(format!("`auto_pad` cannot be \"{other}\"")),
        };
        let pads = match (padding, per_axis(call, "pads", 2 * axes, 0)?) {
            (Padding::Explicit, Some(pads)) => (0..axes).map(|axis| (pads[axis], pads[axes + axis])).collect(),
            _ => vec![(0, 0); axes],
        };
        let ones = || vec![1; axes];
        Ok(Window {
            strides: per_axis(call, "strides", axes, 1)?.map_or_else(ones, <[i64]>::to_vec),
            dilations: per_axis(call, "dilations", axes, 1)?.map_or_else(ones, <[i64]>::to_vec),
            kernel,
            pads,
            padding,
        })
    }

    /// The input elements that one window reaches over along an axis, gaps included.
    pub(super) fn span(&self, axis: usize) -> Dim {
        (&self.kernel[axis] - 1) * self.dilations[axis] + 1
    }

    /// The number of elements in the window.
    pub(super) fn elements(&self) -> Dim {
        self.kernel.iter().product()
    }

    /// The number of window positions along each axis of an input of these spatial sizes.
    ///
    /// With `ceil`, a last window may reach beyond the padding at the end, as long as it does not start within it.
    pub(super) fn positions(&self, input: &[Dim], ceil: bool) -> Result<Shape> {
        (0..self.kernel.len()).map(|axis| self.positions_along(axis, &input[axis], ceil)).collect()
    }

    fn positions_along(&self, axis: usize, input: &Dim, ceil: bool) -> Result<Dim> {
        let stride = Dim::from(self.strides[axis]);
        if self.padding == Padding::Same {
            return Ok(input.ceil_div(&stride));
        }
        let (before, after) = self.pads[axis];
        let span = self.span(axis);
        let padded = input + before + after;
        if span.known_le(&padded) == Some(false) {
            return invalid(format!("the window spans {span}, the padded input has {padded}"));
        }
        if !ceil || self.padding == Padding::Valid {
            return Ok((&padded - &span).floor_div(&stride) + 1);
        }
        let reaching = (&padded - &span).ceil_div(&stride) + 1;
        let starting_before_the_end_pad = (input + before).ceil_div(&stride);
        Ok(match (&stride + after).known_le(&span) {
            Some(true) => reaching,
            Some(false) => starting_before_the_end_pad,
            None => reaching.min(&starting_before_the_end_pad),
        })
    }
}

/// A list attribute with `count` values of at least `least`.
fn per_axis<'a>(call: &'a Call, name: &str, count: usize, least: i64) -> Result<Option<&'a [i64]>> {
    match call.attributes.ints(name)? {
        Some(list) if list.len() != count => invalid(format!("`{name}` needs {count} values, it has {}", list.len())),
        Some(list) if list.iter().any(|&value| value < least) => {
            invalid(format!("`{name}` must be at least {least}, it is {list:?}"))
        }
        list => Ok(list),
    }
}

/// Whether two shapes differ whatever the symbols are.
pub(super) fn differ(a: &[Dim], b: &[Dim]) -> bool {
    a.len() != b.len() || a.iter().zip(b).any(|(a, b)| a.known_eq(b) == Some(false))
}

/// Sizes for a message.
pub(super) fn sizes(shape: &[Dim]) -> String {
    shape.iter().map(Dim::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(kernel: i64, stride: i64, dilation: i64, pads: (i64, i64)) -> Window {
        Window {
            kernel: vec![Dim::from(kernel)],
            strides: vec![stride],
            dilations: vec![dilation],
            pads: vec![pads],
            padding: Padding::Explicit,
        }
    }

    #[test]
    fn positions_are_those_of_a_window_that_slides_and_formulas_agree() {
        for (kernel, stride, dilation) in (1..5).flat_map(|k| (1..5).flat_map(move |s| (1..3).map(move |d| (k, s, d))))
        {
            for pads in (0..kernel).flat_map(|before| (0..kernel).map(move |after| (before, after))) {
                let window = window(kernel, stride, dilation, pads);
                let span = (kernel - 1) * dilation + 1;
                let formulas = [false, true].map(|ceil| window.positions(&[Dim::symbol("n")], ceil).unwrap());
                for size in (1..14).filter(|size| size + pads.0 + pads.1 >= span) {
                    let padded = size + pads.0 + pads.1;
                    let inside = (0..100).filter(|at| at * stride + span <= padded).count() as i64;
                    let overhangs = (inside - 1) * stride + span < padded && inside * stride < size + pads.0;
                    let within = if inside > 0 && (inside - 1) * stride >= size + pads.0 { inside - 1 } else { inside };
                    for (ceil, wanted) in [(false, inside), (true, within + i64::from(overhangs))] {
                        let got = window.positions(&[Dim::from(size)], ceil).unwrap();
                        assert_eq!(got, [Dim::from(wanted)], "{size} {kernel} {stride} {dilation} {pads:?} {ceil}");
                        let formula = &formulas[usize::from(ceil)][0];
                        assert_eq!(formula.substitute(&|_| Some(Dim::from(size))), got[0]);
                    }
                }
            }
        }
    }
}
