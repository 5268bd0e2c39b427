//! Embeddings: look-ups of learned vectors, with the normalization that BERT's has behind them.

use super::ms;
use super::rules::{last, tensor};
use crate::dim::Dim;
use crate::ops::{Call, Op, Result, Role, Stop, elements, output, product};
use crate::tensor::{DType, Value};

const S: Role = Role::Setting;
const P: Role = Role::Parameter;

pub(crate) const OPS: &[Op] = &[
    ms("EmbedLayerNormalization", |call| embed(call, call.tensor(2)?.dtype))
        .flops("8 per element, 2 per row: sum, layer norm (7); 1 more for the segment", |call, outputs| {
            Ok(elements(outputs, 0)? * (8 + i64::from(call.has(4))) + product(call.shape(0)?) * 2i64)
        })
        .roles(&[(0, S), (1, S), (7, S), (8, S)])
        .reads(looked_up),
    ms("QEmbedLayerNormalization", |call| embed(call, call.tensor(8)?.dtype))
        .flops(
            "12 per element, 2 per row: real values (4), sum, layer norm (7); 3 more for the segment",
            |call, outputs| {
                Ok(elements(outputs, 0)? * (12 + 3 * i64::from(call.has(4))) + product(call.shape(0)?) * 2i64)
            },
        )
        .roles(&[
            (0, S),
            (1, S),
            (2, P),
            (3, P),
            (4, P),
            (5, P),
            (6, P),
            (7, S),
            (8, S),
            (9, S),
            (10, S),
            (11, S),
            (12, S),
            (13, S),
            (14, S),
            (15, S),
            (16, S),
            (17, S),
        ])
        .reads(looked_up),
    ms("TorchEmbedding", |call| {
        let [_, width] = call.shape_of_rank(0, 2)? else { return Err(Stop::Unknown) };
        output(call.tensor(0)?.dtype, call.shape(1)?.iter().chain([width]).cloned().collect())
    })
    .roles(&[(1, S), (2, S), (3, S)])
    .reads(|_, outputs, input| if input == 0 { elements(outputs, 0).map(Some) } else { Ok(None) }),
    ms("WordConvEmbedding", words)
        .macs("words × window positions × window × character size × filters", |call, _| {
            let [words, positions, weights] = windows(call)?;
            Ok(words * positions * weights)
        })
        .flops("3 per filter and window position: bias, tanh, maximum", |call, outputs| {
            let [_, positions, _] = windows(call)?;
            Ok(elements(outputs, 0)? * positions * 3i64)
        })
        .roles(&[(0, S)]),
];

/// Of each table, as many rows as there are positions to look up.
fn looked_up(call: &Call, outputs: &[Value], input: usize) -> Result<Option<Dim>> {
    match input {
        2 | 4 if call.has(input) => elements(outputs, 0).map(Some),
        // All sequences share their positions where none are given.
        3 if !call.has(8) || call.dtype(8) == DType::F32 => {
            let length = call.shape_of_rank(0, 2)?[1].clone();
            Ok(Some(length * last(call.shape_of_rank(3, 2)?)?))
        }
        3 => elements(outputs, 0).map(Some),
        _ => Ok(None),
    }
}

/// The normalized sum, the number of unmasked positions, and the sum.
fn embed(call: &Call, dtype: DType) -> Result<Vec<Value>> {
    let [batch, length] = call.shape_of_rank(0, 2)? else { return Err(Stop::Unknown) };
    let hidden = last(call.shape_of_rank(2, 2)?)?;
    let embedded = tensor(dtype, Some(vec![batch.clone(), length.clone(), hidden.clone()]));
    Ok(vec![embedded.clone(), tensor(DType::I32, Some(vec![batch.clone()])), embedded])
}

/// The filters' width for each word: the last axis holds a word's characters.
fn words(call: &Call) -> Result<Vec<Value>> {
    let filters = call.shape(1)?.first().ok_or("the filters need rank 4")?.clone();
    let Some((_, head)) = call.shape(0)?.split_last() else {
        return Err("the words need an axis of characters".into());
    };
    output(call.tensor(1)?.dtype, head.iter().cloned().chain([filters]).collect())
}

/// Words, window positions in each, and weights of all filters.
fn windows(call: &Call) -> Result<[Dim; 3]> {
    let Some((characters, head)) = call.shape(0)?.split_last() else { return Err(Stop::Unknown) };
    let [_, _, window, _] = call.shape_of_rank(1, 4)? else { return Err(Stop::Unknown) };
    Ok([product(head), (characters - window + 1).max(&Dim::ONE), product(call.shape(1)?)])
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn embeddings() {
        check(
            "
            com.microsoft:EmbedLayerNormalization i32[b,s] i32[b,s] f16[99,8] f16[16,8] f16[2,8] f16[8] f16[8] i32[b,s] -> f16[b,s,8] i32[b] f16[b,s,8] flops=74*b*s
            com.microsoft:EmbedLayerNormalization i32[b,s] _ f32[99,8] f32[16,8] _ f32[8] f32[8] -> f32[b,s,8] i32[b] flops=66*b*s
            com.microsoft:QEmbedLayerNormalization i32[b,s] i32[b,s] u8[99,8] u8[16,8] u8[2,8] u8[8] u8[8] i32[b,s] f32[] f32[] f32[] f32[] f32[] u8[] u8[] u8[] u8[] u8[] -> f32[b,s,8] i32[b]
            com.microsoft:TorchEmbedding f32[99,8] i64[b,s] -> f32[b,s,8]
            com.microsoft:WordConvEmbedding i32[b,9] f32[16,1,3,8] f32[16] f32[50,8] -> f32[b,16] macs=2688*b flops=336*b
            ",
        );
    }
}
