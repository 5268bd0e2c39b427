//! The exact static cost of any ONNX model: MACs, FLOPs, parameters, activations, memory access.
//!
//! ```text
//! x.onnx ─Model::open─▶ Model ─graph─▶ Graph ─infer─▶ Typed ─cost, memory─▶ Report ─render─▶ text | json | csv | md | html
//!                                                                             └─verify─▶ findings
//! ```
//!
//! ```
//! let report = lwstat::Model::open("graphs/mobilenet_v2_1.0.onnx")?.report(&lwstat::Bindings::default())?;
//! println!("{} MACs, {} params", report.totals.counts.get("macs").unwrap(), report.totals.counts.get("params").unwrap());
//! # assert_eq!(report.totals.counts.get("params"), Some(&lwstat::Dim::from(3_504_872i64)));
//! # Ok::<(), lwstat::Error>(())
//! ```
//!
//! The library neither prints nor exits and keeps no global state; [`Model::read`] takes bytes where there is no file
//! system. Everything is `Send` and `Sync`, so models can be analyzed in parallel.

pub mod annotate;
pub mod attributes;
pub mod charts;
pub mod check;
pub mod columns;
pub mod compare;
pub mod correlation;
pub mod cost;
mod declared;
pub mod device;
pub mod diff;
pub mod dim;
pub mod error;
pub mod experiments;
pub mod figures;
pub mod graph;
pub mod guidelines;
pub mod infer;
pub mod latency;
pub mod memory;
pub mod model;
mod nearest;
pub mod onnx;
pub mod ops;
pub mod quantity;
pub mod render;
pub mod report;
pub mod stop;
pub mod summary;
pub mod tensor;
pub mod user_figures;
pub mod verify;
mod yaml;

pub use dim::Dim;
pub use error::{Error, Result};
pub use infer::Bindings;
pub use model::Model;
pub use report::Report;
