//! Files that people write: YAML into a type, errors with file and line.

use std::fmt;
use std::io::BufRead;
use std::marker::PhantomData;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_yaml::Spanned;

use crate::error::{Error, Result};
use crate::nearest::did_you_mean;

/// Reads a file's text; `what` is what it should be, in words, and `path` names it. An error has line and column.
pub(crate) fn parse<T: DeserializeOwned>(text: &str, path: &str, what: &str) -> Result<T> {
    if let Some(line) = conflict(text.as_bytes()) {
        let reason = format!("line {line}: it holds marks of a merge conflict: resolve it");
        return Err(Error::new(reason).in_file(path));
    }
    serde_yaml::from_str(text).map_err(|error| {
        // The library tells its caller how to allow a key twice; that is no advice to who writes the file.
        let words = error.without_snippet().to_string();
        let words = match words.split_once(", set DuplicateKeyPolicy") {
            Some((reason, advice)) => format!("{reason}{}", advice.find(" at line").map_or("", |at| &advice[at..])),
            None => words,
        };
        let hint = misspelt(&words).unwrap_or_default();
        Error::new(format!("it is no {what}: {words}{hint}")).in_file(path)
    })
}

/// The first line with a mark that git leaves where two sides changed the same, counted from 1.
pub(crate) fn conflict(text: impl BufRead) -> Option<usize> {
    let is_mark = |line: &[u8]| [&b"<<<<<<< "[..], b">>>>>>> "].iter().any(|mark| line.starts_with(mark));
    text.split(b'\n').map_while(std::io::Result::ok).position(|line| is_mark(&line)).map(|at| at + 1)
}

/// The key that was probably meant, where the library says which one it does not know and which it does.
fn misspelt(words: &str) -> Option<String> {
    let (_, rest) = words.split_once("unknown field `")?;
    let (word, rest) = rest.split_once("`, expected one of ")?;
    let known = rest.split(" at line").next()?.split(", ").map(|key| key.trim_matches('`'));
    Some(did_you_mean(word, known))
}

/// A map in the order of the file.
#[derive(Clone)]
pub(crate) struct Ordered<T>(pub(crate) Vec<(Spanned<String>, T)>);

impl<T> Default for Ordered<T> {
    fn default() -> Ordered<T> {
        Ordered(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ordered<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Ordered<T>, D::Error> {
        struct Entries<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Ordered<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> std::result::Result<Ordered<T>, M::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Ordered(entries))
            }
        }
        deserializer.deserialize_map(Entries(PhantomData))
    }
}
