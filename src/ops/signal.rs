//! Signals: Fourier transforms, windows, the mel scale.

use super::{Call, Op, Result, Role, Stop, axis, elements, invalid, output, product};
use crate::dim::Dim;
use crate::tensor::{DType, Tensor, Value};

const WINDOW: &str = "per output element: phase (2), cosine, scale and shift";

pub(super) const OPS: &[Op] = &[
    Op::new("BlackmanWindow", window).roles(&[(0, Role::Setting)]).flops(
        "9 per output element: two phases (2 each), two cosines, three scales and shifts",
        super::per_output::<9>,
    ),
    Op::new("DFT", dft).roles(&[(1, Role::Setting), (2, Role::Setting)]).flops(
        "8 per output bin and complex sample, 4 if real: the sum as it is defined, exact for all lengths",
        |call, _| {
            let (transform, shape) = (transform(call)?, call.shape(0)?);
            let others = product(&shape[..shape.len() - 1]).exact_div(&shape[transform.axis]);
            let others = others.unwrap_or_else(|| {
                let kept = shape[..shape.len() - 1].iter().enumerate().filter(|(at, _)| *at != transform.axis);
                kept.map(|(_, size)| size).product()
            });
            // Half of a product is wanted where input or output is real; else a sample has one part or two.
            let parts = shape.last().filter(|_| !transform.one_sided).cloned().unwrap_or(Dim::ONE);
            Ok(others * &transform.length * &transform.bins * parts * 4)
        },
    ),
    Op::new("HammingWindow", window).roles(&[(0, Role::Setting)]).flops(WINDOW, super::per_output::<5>),
    Op::new("HannWindow", window).roles(&[(0, Role::Setting)]).flops(WINDOW, super::per_output::<5>),
    Op::new("MelWeightMatrix", mel_weight_matrix)
        .roles(&[(0, Role::Setting), (1, Role::Setting), (2, Role::Setting), (3, Role::Setting), (4, Role::Setting)])
        .flops("2 per output element: difference and division by the triangle's width", super::per_output::<2>),
    Op::new("STFT", stft).roles(&[(1, Role::Setting), (3, Role::Setting)]).flops(
        "per frame its window (1 per value) and 8 per bin and complex sample, 4 if real: the sum as it is defined",
        |call, outputs| {
            let (length, parts) = (frame_length(call)?, signal_parts(call)?);
            let frames = elements(outputs, 0)?.exact_div(&Dim::from(2i64)).ok_or(Stop::Unknown)?;
            let windowed = match (call.has(2), outputs.first().and_then(Value::as_tensor)) {
                (true, Some(Tensor { shape: Some(shape), .. })) if shape.len() == 4 => {
                    &shape[0] * &shape[1] * &length * &parts
                }
                _ => Dim::ZERO,
            };
            Ok(frames * length * parts * 4 + windowed)
        },
    ),
];

fn scalar(call: &Call, input: usize) -> Option<Dim> {
    call.dims(input)?.first().cloned()
}

fn dtype_code(call: &Call) -> Result<DType> {
    Ok(i32::try_from(call.attributes.int_or("output_datatype", 1)?).map_or(DType::Undefined, DType::from_code))
}

fn window(call: &Call) -> Result<Vec<Value>> {
    call.tensor(0)?;
    output(dtype_code(call)?, vec![scalar(call, 0).unwrap_or_else(|| call.decided(""))])
}

/// What a call of DFT transforms.
struct Transform {
    axis: usize,
    /// Samples that are transformed: cut or filled up with zeros to so many.
    length: Dim,
    /// Results along the axis.
    bins: Dim,
    one_sided: bool,
}

/// The axis is an attribute (default 1) until opset 19, then an input (default −2).
fn transform(call: &Call) -> Result<Transform> {
    let shape = call.shape(0)?;
    let at = match call.opset < 20 {
        true => call.attributes.int_or("axis", 1)?,
        false if call.has(2) => call.ints(2).and_then(|list| list.first().copied()).ok_or(Stop::Unknown)?,
        false => -2,
    };
    let at = axis(at, shape.len())?;
    if at + 1 == shape.len() {
        return invalid("the last axis holds real and imaginary parts: it cannot be transformed");
    }
    match shape.last().and_then(Dim::as_int) {
        Some(1 | 2) | None => {}
        Some(parts) => return invalid(format!("the last axis holds 1 or 2 parts, not {parts}")),
    }
    let one_sided = call.attributes.int_or("onesided", 0)? != 0;
    let inverse = call.attributes.int_or("inverse", 0)? != 0;
    let two = Dim::from(2i64);
    let length = match call.has(1) {
        true => scalar(call, 1).unwrap_or_else(|| call.decided("length")),
        false if one_sided && inverse => (&shape[at] - 1) * 2,
        false => shape[at].clone(),
    };
    let bins = if one_sided && !inverse { length.floor_div(&two) + 1 } else { length.clone() };
    Ok(Transform { axis: at, length, bins, one_sided })
}

fn dft(call: &Call) -> Result<Vec<Value>> {
    let transform = match transform(call) {
        // Only the axis is open: every axis but the last may be the one.
        Err(Stop::Unknown) if call.shape(0).is_ok() => {
            let mut shape = call.decided_shape(call.shape(0)?.len());
            if let Some(last) = shape.last_mut() {
                *last = parts(call)?;
            }
            return output(call.dtype(0), shape);
        }
        transform => transform?,
    };
    let mut shape = call.shape(0)?.to_vec();
    shape[transform.axis] = transform.bins;
    if let Some(last) = shape.last_mut() {
        *last = parts(call)?;
    }
    output(call.dtype(0), shape)
}

/// Parts of each result: real and imaginary, or real alone where half a spectrum is transformed back.
fn parts(call: &Call) -> Result<Dim> {
    let real = call.attributes.int_or("onesided", 0)? != 0 && call.attributes.int_or("inverse", 0)? != 0;
    Ok(if real { Dim::ONE } else { Dim::from(2i64) })
}

/// The frame length: its input, else the window's length, else the whole signal.
fn frame_length(call: &Call) -> Result<Dim> {
    if let Some(length) = scalar(call, 3) {
        return Ok(length);
    }
    match call.has(2) {
        true => Ok(call.shape_of_rank(2, 1)?[0].clone()),
        false if call.has(3) => Ok(call.decided("length")),
        false => signal(call).map(|(_, length)| length),
    }
}

/// Batch and length of the signal, whose last axis older models leave out.
fn signal(call: &Call) -> Result<(Dim, Dim)> {
    match call.shape(0)? {
        [batch, length] | [batch, length, _] => Ok((batch.clone(), length.clone())),
        shape => invalid(format!("the signal needs rank 3, it has {}", shape.len())),
    }
}

/// Parts of each sample: 1 where it is real, 2 where it is complex.
fn signal_parts(call: &Call) -> Result<Dim> {
    Ok(call.shape(0)?.get(2).cloned().unwrap_or(Dim::ONE))
}

/// `⌊(signal − frame) / step⌋ + 1` frames.
fn stft(call: &Call) -> Result<Vec<Value>> {
    let (batch, signal) = signal(call)?;
    let length = frame_length(call)?;
    let frames = match scalar(call, 1) {
        Some(step) if step.bounds().1.is_some_and(|most| most <= 0) => {
            return invalid(format!("the frame step is {step}"));
        }
        Some(step) => (signal - &length).floor_div(&step) + 1,
        None => call.decided("frames"),
    };
    if frames.bounds().1.is_some_and(|most| most < 0) {
        return invalid("the frame is longer than the signal");
    }
    let one_sided = call.attributes.int_or("onesided", 1)? != 0;
    let bins = if one_sided { length.floor_div(&Dim::from(2i64)) + 1 } else { length };
    output(call.dtype(0), vec![batch, frames, bins, Dim::from(2i64)])
}

fn mel_weight_matrix(call: &Call) -> Result<Vec<Value>> {
    let bins = scalar(call, 1).map(|length| length.floor_div(&Dim::from(2i64)) + 1);
    let mels = scalar(call, 0).unwrap_or_else(|| call.decided("mels"));
    output(dtype_code(call)?, vec![bins.unwrap_or_else(|| call.decided("bins")), mels])
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn transforms() {
        check(
            "
            DFT@17 f32[1,10,10,1] axis=1 -> f32[1,10,10,2] flops=4000
            DFT@17 f32[1,n,10,p] -> f32[1,n,10,2] flops=40*n**2*p
            DFT@17 f32[1,n,10,2] -> f32[1,n,10,2] flops=80*n**2
            DFT f32[1,10,12,1] -> f32[1,10,12,2]
            DFT f32[1,10,12,2] _ i64[]{1} -> f32[1,10,12,2] flops=9600
            DFT f32[1,10,12,1] i64[]{16} i64[]{1} onesided=1 -> f32[1,9,12,2]
            DFT f32[1,n,1] onesided=1 -> f32[1,n//2+1,2]
            DFT f32[1,6,2] onesided=1 inverse=1 -> f32[1,10,1]
            DFT f32[1,6,2] i64[]{9} onesided=1 inverse=1 -> f32[1,9,1]
            DFT f32[1,6,2] _ i64[] onesided=1 inverse=1 -> f32[$node.0,$node.1,1]
            DFT f32[1,6,2] _ i64[]{2} -> error last axis
            DFT f32[1,6,3] -> error 1 or 2 parts
            STFT f32[1,128,1] i64[]{8} f32[16] -> f32[1,15,9,2] flops=8880
            STFT f32[1,128,1] i64[]{8} _ i64[]{16} onesided=0 -> f32[1,15,16,2] flops=15360
            STFT f32[b,t,1] i64[]{8} f32[16] i64[]{16} -> f32[b,(t-16)//8+1,9,2]
            STFT f32[2,n] i64[]{1} -> f32[2,1,n//2+1,2]
            ",
        );
    }

    #[test]
    fn windows() {
        check(
            "
            HannWindow i64[]{n} -> f32[n] flops=5*n
            BlackmanWindow i32[]{10} output_datatype=11 periodic=0 -> f64[10] flops=90
            HammingWindow i64[] -> f32[$node]
            MelWeightMatrix i64[]{8} i64[]{16} i64[]{8192} f32[] f32[] -> f32[9,8] flops=144
            ",
        );
    }
}
