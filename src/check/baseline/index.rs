//! Where the entries of a baseline stand in its file: one pass over it, that keeps nothing else.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::io::{BufReader, Read};
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::VERSION;

/// From behind the key to the end of the entry, in bytes, by model.
type Entries = BTreeMap<String, Range<u64>>;

/// The entries, or why it is no baseline.
pub(super) fn entries(source: &mut dyn Read) -> Result<Entries, serde_json::Error> {
    let place = Cell::new(0);
    let counted = Counted { source: BufReader::new(source), place: &place };
    let mut deserializer = serde_json::Deserializer::from_reader(counted);
    let entries = deserializer.deserialize_map(File(&place))?;
    deserializer.end()?;
    Ok(entries)
}

/// A reader that says how many bytes were taken from it.
struct Counted<'p, R> {
    source: R,
    place: &'p Cell<u64>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.place.set(self.place.get() + count as u64);
        Ok(count)
    }
}

/// The whole file.
struct File<'p>(&'p Cell<u64>);

impl<'de> Visitor<'de> for File<'_> {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a baseline")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Entries, M::Error> {
        const KEYS: &[&str] = &["lwstat_baseline", "models"];
        let (mut version, mut entries) = (None, None);
        while let Some(key) = map.next_key::<String>()? {
            match &*key {
                "lwstat_baseline" if version.is_none() => {
                    let found: u32 = map.next_value()?;
                    if found != VERSION {
                        let reason = format!("its version is {found}, this lwstat reads version {VERSION}: update it");
                        return Err(Error::custom(reason));
                    }
                    version = Some(found);
                }
                "models" if entries.is_none() => entries = Some(map.next_value_seed(Models(self.0))?),
                key if KEYS.contains(&key) => return Err(Error::custom(format!("\"{key}\" stands in it twice"))),
                key => return Err(Error::unknown_field(key, KEYS)),
            }
        }
        version.ok_or_else(|| Error::missing_field(KEYS[0]))?;
        entries.ok_or_else(|| Error::missing_field(KEYS[1]))
    }
}

/// The map of models.
struct Models<'p>(&'p Cell<u64>);

impl<'de> DeserializeSeed<'de> for Models<'_> {
    type Value = Entries;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Entries, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Models<'_> {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of models")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Entries, M::Error> {
        let mut entries = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            let start = self.0.get();
            map.next_value::<IgnoredAny>()?;
            match entries.entry(key) {
                Entry::Vacant(place) => drop(place.insert(start..self.0.get())),
                Entry::Occupied(place) => {
                    return Err(Error::custom(format!("\"{}\" stands in it twice", place.key())));
                }
            }
        }
        Ok(entries)
    }
}
