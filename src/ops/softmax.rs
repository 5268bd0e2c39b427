//! Softmax and its relatives.

use super::{Call, Module, Op, Result, axis, elements, like_input, product};
use crate::dim::Dim;
use crate::tensor::Value;

pub(super) const OPS: &[Op] = &[
    Op::new("Hardmax", normalized)
        .flops("1 per element less 1 per row: comparisons", |call, outputs| per_row(call, outputs, 1, -1)),
    Op::new("LogSoftmax", normalized).module(Module::Written).flops(
        "5 per element (max, subtract, exp, sum, subtract) less 1 per row: the log less what max and sum save",
        |call, outputs| per_row(call, outputs, 5, -1),
    ),
    Op::new("Softmax", normalized).module(Module::Written).flops(
        "5 per element (max, subtract, exp, sum, divide) less 2 per row, as max and sum of n take n − 1",
        |call, outputs| per_row(call, outputs, 5, -2),
    ),
];

/// The sizes that are normalized together, and the number of such rows: since opset 13 those of one axis, before of all
/// axes from it on.
fn rows(call: &Call) -> Result<(Dim, Dim)> {
    let (shape, rank) = (call.shape(0)?, call.shape(0)?.len());
    if call.opset >= 13 {
        let at = axis(call.attributes.int_or("axis", -1)?, rank)?;
        return Ok((shape[at].clone(), product(&shape[..at]) * product(&shape[at + 1..])));
    }
    let at = match call.attributes.int_or("axis", 1)? {
        // A tensor may be coerced to a column.
        end if end == rank as i64 => rank,
        given => axis(given, rank)?,
    };
    Ok((product(&shape[at..]), product(&shape[..at])))
}

fn normalized(call: &Call) -> Result<Vec<Value>> {
    if call.tensor(0)?.shape.is_some() {
        rows(call)?;
    }
    like_input(call)
}

fn per_row(call: &Call, outputs: &[Value], each: i64, row: i64) -> Result<Dim> {
    let (length, rows) = rows(call)?;
    Ok(if length == Dim::ZERO { length } else { elements(outputs, 0)? * each + rows * row })
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn rows_are_an_axis_since_opset_13_and_all_from_it_on_before() {
        check(
            "
            Softmax f32[n,10] -> f32[n,10] flops=48*n
            Softmax f32[2,3,4] axis=1 -> f32[2,3,4] flops=104
            Softmax@12 f32[2,3,4] -> f32[2,3,4] flops=116
            Softmax@11 f32[2,3,4] axis=-1 -> f32[2,3,4] flops=108
            Softmax@1 f32[4] -> f32[4] flops=12
            Softmax f32[2,0] -> f32[2,0] flops=0
            Softmax f32[2,3] axis=2 -> error axis 2
            Softmax f32[*] -> f32[*]
            LogSoftmax f16[2,4] -> f16[2,4] flops=38
            Hardmax f32[2,4] axis=0 -> f32[2,4] flops=4
            ",
        );
    }
}
