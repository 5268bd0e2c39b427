//! Checks of expressions: by chance, case by case, of texts, and with hostile input.

mod hostile;
mod properties;
mod rows;
mod texts;

use super::Dim;

fn dim(text: &str) -> Dim {
    Dim::parse(text).unwrap_or_else(|| panic!("{text} does not parse"))
}
