//! A baseline written entry by entry: none of them is kept.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::Path;

use serde_json::json;

use super::{Baseline, VERSION};
use crate::error::{Error, Result};
use crate::model::sentence;

/// Writes a baseline, and finds out by the way whether it is the one that is there.
pub struct Writer<'w> {
    /// Path, for errors.
    path: String,
    out: &'w mut dyn Write,
    /// The file that is there, as far as it is the same.
    before: Option<BufReader<File>>,
    /// The baseline whose entries are kept, and their keys, the last first.
    kept: Option<&'w Baseline>,
    keys: Vec<&'w str>,
    any: bool,
}

impl<'w> Writer<'w> {
    /// Begins a baseline, in the place of `kept` where that is there, of which it has those entries that `keep` says.
    pub fn new(
        out: &'w mut dyn Write,
        path: &Path,
        kept: Option<&'w Baseline>,
        keep: &dyn Fn(&str) -> bool,
    ) -> Result<Writer<'w>> {
        let mut keys: Vec<&str> = kept.iter().flat_map(|kept| kept.keys()).filter(|key| keep(key)).collect();
        keys.reverse();
        let before = kept.and_then(|_| File::open(path).ok()).map(BufReader::new);
        let mut writer = Writer { path: path.display().to_string(), out, before, kept, keys, any: false };
        writer.put(&format!("{{\n  \"lwstat_baseline\": {VERSION},\n  \"models\": {{"))?;
        Ok(writer)
    }

    /// Adds an entry as [`super::Entry::text`] writes it; keys come in their order.
    pub fn add(&mut self, key: &str, entry: &str) -> Result<()> {
        self.keep(Some(key))?;
        self.entry(key, entry)
    }

    /// Ends it; whether it differs from what is there.
    pub fn end(mut self) -> Result<bool> {
        self.keep(None)?;
        self.put("\n  }\n}\n")?;
        self.out.flush().map_err(|error| self.fail(&error))?;
        Ok(!self.before.is_some_and(|mut before| before.read(&mut [0]).is_ok_and(|count| count == 0)))
    }

    /// Writes the entries that are kept and stand before this key, or all.
    fn keep(&mut self, before: Option<&str>) -> Result<()> {
        while let Some((kept, key)) = self.kept.zip(self.keys.last().copied()) {
            if before.is_some_and(|before| before <= key) {
                break;
            }
            self.keys.pop();
            if let Some(entry) = kept.text(key)? {
                self.entry(key, &entry)?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, key: &str, entry: &str) -> Result<()> {
        let comma = if self.any { "," } else { "" };
        self.any = true;
        self.put(&format!("{comma}\n    {}: {entry}", json!(key)))
    }

    fn fail(&self, error: &std::io::Error) -> Error {
        Error::new(sentence(error)).in_file(&self.path)
    }

    fn put(&mut self, text: &str) -> Result<()> {
        let mut same = vec![0; text.len()];
        self.before.take_if(|before| before.read_exact(&mut same).is_err() || same != text.as_bytes());
        self.out.write_all(text.as_bytes()).map_err(|error| self.fail(&error))
    }
}
