//! Losses.

use super::{Call, Op, Result, input_elements, invalid};
use crate::dim::Dim;
use crate::tensor::{Shape, Tensor};

pub(super) const OPS: &[Op] = &[
    Op::new("NegativeLogLikelihoodLoss", |call| Ok(vec![Tensor::new(call.dtype(0), loss_shape(call)?).into()])).flops(
        "1 per target (negate), 1 for its weight, 1 to sum; the mean 1 more, or 1 per target to sum the weights",
        |call, _| per_target(call),
    ),
    Op::new("SoftmaxCrossEntropyLoss", |call| {
        let log_prob = Tensor { contents: None, ..call.tensor(0)?.clone() };
        Ok(vec![Tensor::new(call.dtype(0), loss_shape(call)?).into(), log_prob.into()])
    })
    .flops("log-softmax 5 per score (max, subtract, exp, sum, subtract), 1 log per target; then as the negative log likelihood", |call, _| {
        Ok(input_elements(call, 0)? * 5 + input_elements(call, 1)? + per_target(call)?)
    }),
];

fn reduction<'a>(call: &Call<'a>) -> Result<&'a str> {
    match call.attributes.string("reduction")?.unwrap_or("mean") {
        known @ ("none" | "sum" | "mean") => Ok(known),
        other => invalid(format!("`reduction` is {other}, not none, sum or mean")),
    }
}

/// Scores `[N, C, d1, …]`, targets `[N, d1, …]`: a loss for each target, or one.
fn loss_shape(call: &Call) -> Result<Shape> {
    let reduced = reduction(call)? != "none";
    let (scores, targets) = (call.shape(0)?, call.shape(1)?);
    if scores.len() < 2 || targets.len() + 1 != scores.len() {
        return invalid(format!(
            "targets have every axis of the scores but the second: rank {} does not fit {}",
            targets.len(),
            scores.len()
        ));
    }
    let expected: Shape = scores[..1].iter().chain(&scores[2..]).cloned().collect();
    if expected.iter().zip(targets).any(|(a, b)| a.known_eq(b) == Some(false)) {
        return invalid("scores and targets differ in their sizes");
    }
    if call.has(2) && call.shape_of_rank(2, 1)?[0].known_eq(&scores[1]) == Some(false) {
        return invalid(format!("there are {} weights for {} classes", call.shape(2)?[0], scores[1]));
    }
    Ok(if reduced { Shape::new() } else { expected })
}

fn per_target(call: &Call) -> Result<Dim> {
    let (targets, weighted) = (input_elements(call, 1)?, call.has(2));
    let each = &targets * if weighted { 2 } else { 1 };
    let sum = &targets - 1;
    Ok(match (reduction(call)?, weighted) {
        ("none", _) => each,
        ("sum", _) => each + sum,
        (_, false) => each + sum + 1,
        (_, true) => each + &sum + &sum + 1,
    })
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn rules() {
        check(
            "
            NegativeLogLikelihoodLoss f32[3,5] i64[3] reduction='none' -> f32[3] flops=3
            NegativeLogLikelihoodLoss f32[3,5] i64[3] -> f32[] flops=6
            NegativeLogLikelihoodLoss f32[3,5,2,2] i64[3,2,2] f32[5] reduction='sum' -> f32[] flops=35
            NegativeLogLikelihoodLoss f32[3,5,2,2] i64[3,2,2] f32[5] -> f32[] flops=47
            NegativeLogLikelihoodLoss f32[3,5] i64[4] -> error differ
            NegativeLogLikelihoodLoss f32[3,5] i64[3] f32[4] -> error weights for
            NegativeLogLikelihoodLoss f32[3,5] i64[3] reduction='max' -> error `reduction`
            NegativeLogLikelihoodLoss f32[3,5] i64[3,1] -> error rank
            SoftmaxCrossEntropyLoss f16[3,5,2] i32[3,2] reduction='none' -> f16[3,2] f16[3,5,2] flops=162
            SoftmaxCrossEntropyLoss f32[n,5] i64[n] -> f32[] flops=28*n
            ",
        );
    }
}
