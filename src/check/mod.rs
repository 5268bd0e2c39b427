//! The gate for continuous integration: models held against budgets, and against a baseline that was accepted.

mod align;
pub mod baseline;
pub mod blocks;
pub mod config;
pub mod file;
pub mod findings;
pub mod gate;
pub mod limits;
mod modules;
pub(crate) mod numbers;
pub mod pace;
pub mod place;
pub mod proposal;
mod rules;
mod sizes;
