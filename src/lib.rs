//! wip
pub mod attributes; pub mod cost; pub mod dim; pub mod error; pub mod graph; pub mod infer; pub mod model; pub mod onnx; pub mod ops; pub mod tensor;
