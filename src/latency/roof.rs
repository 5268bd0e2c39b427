//! What this machine reaches at best: the rate of multiply-accumulates and of bytes, measured with tract's own kernels.

use std::time::Instant;

use tract_linalg::multithread::Executor;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::einsum::EinSum;
use tract_onnx::tract_core::ops::math;
use tract_onnx::tract_hir::internal::RunOptions;

use super::engine::guarded;
use crate::error::Result;

/// The best that a machine reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Roof {
    /// Multiply-accumulates of f32 a second, in a matrix product that fits the caches well.
    pub macs_per_second: f64,
    /// Bytes read and written a second, in an addition of tensors that no cache holds.
    pub bytes_per_second: f64,
}

/// Side of the square matrices: large enough that packing them is a small part of the product.
const SIDE: usize = 768;

/// Elements of each tensor that is added: three of 64 MiB are more than caches hold.
const ELEMENTS: usize = 16 << 20;

/// Measures this machine with so many threads inside kernels: the fastest of `runs` runs each (at least 1). It takes
/// 200 MiB of memory. An error where the runtime fails.
pub fn measure(threads: usize, runs: usize) -> Result<Roof> {
    let product = guarded(|| {
        let mut model = TypedModel::default();
        let left = model.add_source("left", f32::fact([SIDE, SIDE]))?;
        let right = model.add_source("right", f32::fact([SIDE, SIDE]))?;
        let op = EinSum::new("mk,kn->mn".parse()?, f32::datum_type());
        let product = model.wire_node("product", op, &[left, right])?;
        model.select_output_outlets(&product)?;
        fastest(model, &[SIDE, SIDE], threads, runs)
    })?;
    let sum = guarded(|| {
        let mut model = TypedModel::default();
        let left = model.add_source("left", f32::fact([ELEMENTS]))?;
        let right = model.add_source("right", f32::fact([ELEMENTS]))?;
        let sum = model.wire_node("sum", math::add(), &[left, right])?;
        model.select_output_outlets(&sum)?;
        fastest(model, &[ELEMENTS], threads, runs)
    })?;
    let (macs, bytes) = (SIDE * SIDE * SIDE, 3 * ELEMENTS * size_of::<f32>());
    Ok(Roof { macs_per_second: macs as f64 / product, bytes_per_second: bytes as f64 / sum })
}

/// Seconds of the fastest run after one that warms up.
fn fastest(model: TypedModel, shape: &[usize], threads: usize, runs: usize) -> TractResult<f64> {
    let executor = (threads > 1).then(|| Executor::multithread(threads));
    let options = RunOptions { executor, ..RunOptions::default() };
    let plan = TypedSimplePlan::new_with_options(model.into_optimized()?, &options)?;
    let input = |value: f32| -> TractResult<TValue> {
        let mut tensor = Tensor::zero::<f32>(shape)?;
        tensor.try_as_plain_ram_mut()?.as_slice_mut::<f32>()?.fill(value);
        Ok(tensor.into_tvalue())
    };
    let inputs = tvec![input(0.5)?, input(0.25)?];
    let mut state = plan.spawn()?;
    state.run(inputs.clone())?;
    let mut best = f64::INFINITY;
    for _ in 0..runs.max(1) {
        let inputs = inputs.clone();
        let start = Instant::now();
        let outputs = state.run(inputs)?;
        best = best.min(start.elapsed().as_secs_f64());
        drop(outputs);
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_a_roof() {
        for threads in [1, 2] {
            let roof = measure(threads, 1).unwrap_or_else(|error| panic!("{error}"));
            assert!(roof.macs_per_second.is_finite() && roof.macs_per_second > 0.0, "{roof:?}");
            assert!(roof.bytes_per_second.is_finite() && roof.bytes_per_second > 0.0, "{roof:?}");
        }
    }
}
