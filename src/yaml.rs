//! Files that people write: YAML into a type, errors with file and line.

use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// Reads a file's text; `what` is what it should be, in words, and `path` names it. An error has line and column.
pub(crate) fn parse<T: DeserializeOwned>(text: &str, path: &str, what: &str) -> Result<T> {
    serde_yaml::from_str(text).map_err(|error| {
        // The library tells its caller how to allow a key twice; that is no advice to who writes the file.
        let words = error.without_snippet().to_string();
        let words = match words.split_once(", set DuplicateKeyPolicy") {
            Some((reason, advice)) => format!("{reason}{}", advice.find(" at line").map_or("", |at| &advice[at..])),
            None => words,
        };
        Error::new(format!("it is no {what}: {words}")).in_file(path)
    })
}
