//! Text generation: searches that run a decoder until the run ends, and what steers them.

use super::ms;
use super::rules::{like, tensor};
use crate::dim::Dim;
use crate::ops::{Call, Op, Result, Role, Stop};
use crate::tensor::{DType, Value};

const S: Role = Role::Setting;
const BEAM_SETTINGS: &[(usize, Role)] = &[
    (1, S),
    (2, S),
    (3, S),
    (4, S),
    (5, S),
    (6, S),
    (7, S),
    (8, S),
    (9, S),
    (10, S),
    (11, S),
    (12, S),
    (13, S),
    (14, S),
];
const GREEDY_SETTINGS: &[(usize, Role)] = &[(1, S), (2, S), (3, S), (4, S), (5, S), (6, S), (7, S), (8, S)];

pub(crate) const OPS: &[Op] = &[
    ms("BeamSearch", beams).roles(BEAM_SETTINGS),
    ms("BifurcationDetector", |call| {
        let ids = |shape| tensor(DType::I64, Some(shape));
        Ok(vec![ids(vec![call.decided("tokens")]), ids(Vec::new())])
    }),
    ms("GreedySearch", greedy).roles(GREEDY_SETTINGS),
    ms("NGramRepeatBlock", |call| Ok(vec![like(call, 1)?])),
    ms("Sampling", greedy).roles(GREEDY_SETTINGS).random(),
    ms("WhisperBeamSearch", whisper).roles(BEAM_SETTINGS),
];

/// A size that an input of one element holds.
fn given(call: &Call, input: usize, name: &str) -> Dim {
    match call.dims(input).as_deref() {
        Some([size]) => size.clone(),
        _ => call.decided(name),
    }
}

fn vocabulary(call: &Call) -> Result<Dim> {
    match call.attributes.int_or("vocab_size", 0)? {
        size if size > 0 => Ok(Dim::from(size)),
        _ => Ok(call.decided("vocabulary")),
    }
}

/// Sequences, their scores, and the scores of each step.
fn beams(call: &Call) -> Result<Vec<Value>> {
    let Some((batch, rest)) = call.shape(0)?.split_first() else { return Err("the input needs a batch axis".into()) };
    let length = given(call, 1, "max_length");
    let (beams, returned) = (given(call, 3, "beams"), given(call, 4, "returned"));
    // The prompt's length: features of an encoder are no tokens.
    let encoded = call.attributes.int_or("model_type", 0)? != 0;
    let prompt = rest.first().cloned().filter(|_| !encoded).unwrap_or(Dim::ONE);
    let dtype = if call.has(5) { call.dtype(5) } else { DType::F32 };
    Ok(vec![
        tensor(DType::I32, Some(vec![batch.clone(), returned.clone(), length.clone()])),
        tensor(dtype, Some(vec![batch.clone(), returned])),
        tensor(dtype, Some(vec![length - prompt, batch.clone(), beams, vocabulary(call)?])),
    ])
}

fn whisper(call: &Call) -> Result<Vec<Value>> {
    let mut outputs = beams(call)?;
    let batch = call.shape(0)?.first().cloned().ok_or(Stop::Unknown)?;
    let returned = given(call, 4, "returned");
    let attention =
        vec![batch.clone(), returned, call.decided("layer_heads"), call.decided("frames"), call.decided("decoded")];
    outputs.push(tensor(DType::F32, Some(attention)));
    outputs.push(tensor(DType::F32, Some(vec![batch])));
    Ok(outputs)
}

fn greedy(call: &Call) -> Result<Vec<Value>> {
    let batch = call.shape(0)?.first().cloned().ok_or("the input needs a batch axis")?;
    let length = given(call, 1, "max_length");
    Ok(vec![
        tensor(DType::I32, Some(vec![batch.clone(), length])),
        tensor(DType::F32, Some(vec![batch, vocabulary(call)?])),
    ])
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn searches() {
        check(
            "
            com.microsoft:BeamSearch i32[b,5] i32[1]{20} i32[1]{1} i32[1]{4} i32[1]{2} vocab_size=99 -> i32[b,2,20] f32[b,2] f32[15,b,4,99]
            com.microsoft:GreedySearch i32[b,5] i32[1]{20} -> i32[b,20]
            com.microsoft:GreedySearch i32[b,5] i32[1] -> i32[b,$node.max_length]
            com.microsoft:Sampling i32[b,5] i32[1]{20} vocab_size=99 -> i32[b,20] f32[b,99]
            com.microsoft:WhisperBeamSearch f32[b,80,3000] i32[1]{20} i32[1]{1} i32[1]{4} i32[1]{1} model_type=2 -> i32[b,1,20]
            com.microsoft:NGramRepeatBlock i64[b,s] f32[b,99] ngram_size=2 -> f32[b,99]
            ",
        );
    }
}
