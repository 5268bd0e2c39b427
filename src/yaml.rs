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
        let given = error.location().map(|place| given(text, place.line(), place.column())).unwrap_or_default();
        let words = plain(&words, given);
        Error::new(format!("it is no {what}: {words}{hint}")).in_file(path)
    })
}

/// What a file should have where the library says what its parser did.
const PLAIN: &[(&str, &str)] = &[
    ("expected mapping start", "a map such as {key: value} is expected"),
    ("expected sequence start", "a list such as [GIVEN] is expected"),
    ("invalid floating point", "a plain number such as 1.5 is expected, without a unit,"),
    ("invalid u32", "a whole number such as 1 is expected"),
    ("invalid u64", "a whole number such as 1 is expected"),
    ("invalid i64", "a whole number such as 1 is expected"),
    ("invalid boolean", "true or false is expected"),
    ("expected string scalar", "a word or a number is expected"),
    ("externally tagged enum expected scalar or mapping", "a word is expected"),
    ("cannot deserialize null into string; use Option<String>", "a value is expected"),
    ("tabs disallowed within this context (block indentation)", "spaces are expected, no tab,"),
    ("alias references unknown anchor", "quotes are expected around what begins with *,"),
    ("duplicate mapping key:", "it has twice the key"),
    ("unexpected end of input", "it is empty or ends too early,"),
];

/// The library's words in those of who writes the file; `given` is what stands at the place.
fn plain(words: &str, given: &str) -> String {
    let given = if given.is_empty() { "a, b" } else { given };
    let said = PLAIN.iter().find(|(parser, _)| words.starts_with(parser));
    said.map_or_else(|| words.to_string(), |(parser, plain)| words.replacen(parser, &plain.replace("GIVEN", given), 1))
}

/// The word that stands at a place, counted from 1; empty where it is no plain one.
fn given(text: &str, line: u64, column: u64) -> &str {
    let line = text.lines().nth((line as usize).saturating_sub(1)).unwrap_or_default();
    let start = line.char_indices().nth((column as usize).saturating_sub(1)).map_or(line.len(), |(at, _)| at);
    let word = line[start..].split(['#', ',', '}', ']']).next().unwrap_or_default().trim();
    if word.contains([':', '{', '[', '"', '\'']) || ["null", "~", "-"].contains(&word) { "" } else { word }
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
