//! The operators that onnxruntime contributes: its optimizer, its quantizer and the exporters for it emit them.

use super::{InferFn, Op};

pub(super) mod activation;
pub(super) mod attention;
pub(super) mod embedding;
pub(super) mod fused;
pub(super) mod generation;
pub(super) mod image;
pub(super) mod low_bit;
pub(super) mod moe;
pub(super) mod norm;
pub(super) mod packed;
pub(super) mod quantized;
pub(super) mod recurrent;
mod rules;
pub(super) mod state;
pub(super) mod tensor;
pub(super) mod windowed;

/// An operator of the `com.microsoft` domain.
const fn ms(name: &'static str, infer: InferFn) -> Op {
    Op::new(name, infer).domain("com.microsoft")
}
