//! The baseline, `lwstat.baseline.json`: the numbers that were last accepted, a line a total and a line a block.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::blocks::Block;
use super::limits::gauges;
use crate::columns::{Bound, Column, Number, Unit};
use crate::cost::{Counts, METRICS};
use crate::dim::Dim;
use crate::error::{Error, Result};
use crate::model::sentence;
use crate::report::TensorType;
use crate::tensor::DType;

/// The version of the file.
const VERSION: u32 = 1;

/// A baseline: of each model its entry, read where it is asked for.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    /// Path as given, for errors.
    pub path: String,
    text: String,
    /// Where each model's entry stands in the text: all of them decoded would be many times as large.
    entries: BTreeMap<String, Range<usize>>,
}

/// What the baseline has of one model.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// The inputs; their names are left out, since exporters give what names they like.
    pub inputs: Vec<TensorType>,
    /// What was accepted, by place among the gauges.
    pub numbers: Vec<Option<Number>>,
    /// Its blocks, in the order in which nodes run.
    pub blocks: Vec<Block>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File<'t> {
    lwstat_baseline: u32,
    #[serde(borrow)]
    models: Pairs<'t>,
}

/// A map's entries, in the order of the file, twice where a key stands twice.
struct Pairs<'t>(Vec<(String, &'t RawValue)>);

impl<'de: 't, 't> Deserialize<'de> for Pairs<'t> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Pairs<'t>, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of models")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> std::result::Result<Self::Value, M::Error> {
                let mut pairs = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    pairs.push(entry);
                }
                Ok(pairs)
            }
        }
        deserializer.deserialize_map(Entries).map(Pairs)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    inputs: Vec<Input>,
    totals: Map<String, Value>,
    blocks: Vec<StoredBlock>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    dtype: Option<String>,
    shape: Option<Vec<Value>>,
}

#[derive(Deserialize)]
struct StoredBlock {
    block: String,
    nodes: Vec<String>,
    #[serde(flatten)]
    counts: Map<String, Value>,
}

impl Baseline {
    /// Reads a baseline; `None` where there is no such file. An error where it is none, or was written by a later
    /// version.
    pub fn read(path: &Path) -> Result<Option<Baseline>> {
        let label = path.display().to_string();
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(|error| Error::new(sentence(&error)).in_file(&label))?,
        };
        Baseline::parse(text, &label).map(Some)
    }

    /// Reads a baseline from text; `path` names it in errors.
    pub fn parse(text: String, path: &str) -> Result<Baseline> {
        let fail = |reason: String| {
            let way_on = "take the file of the last commit, or run lwstat bless to write it anew";
            Error::new(format!("it is no baseline: {reason}; {way_on}")).in_file(path)
        };
        let file: File<'_> = serde_json::from_str(&text).map_err(|error| fail(error.to_string()))?;
        if file.lwstat_baseline != VERSION {
            let found = file.lwstat_baseline;
            return Err(fail(format!("its version is {found}, this lwstat reads version {VERSION}")));
        }
        let mut entries = BTreeMap::new();
        for (key, entry) in file.models.0 {
            if entries.contains_key(&key) {
                return Err(fail(format!("\"{key}\" stands in it twice")));
            }
            let start = entry.get().as_ptr() as usize - text.as_ptr() as usize;
            entries.insert(key, start..start + entry.get().len());
        }
        Ok(Baseline { path: path.to_string(), text, entries })
    }

    /// The models that it has, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Whether it has this text, as [`Entry::text`] writes it, for a model.
    pub fn has(&self, key: &str, text: &str) -> bool {
        self.raw(key) == Some(text)
    }

    /// Whether it is this text.
    pub fn is(&self, text: &str) -> bool {
        self.text == text
    }

    fn raw(&self, key: &str) -> Option<&str> {
        self.text.get(self.entries.get(key)?.clone())
    }

    /// A model's entry; `None` where it has none.
    pub fn entry(&self, key: &str) -> Result<Option<Entry>> {
        let Some(raw) = self.raw(key) else { return Ok(None) };
        let fail = |reason: String| {
            let way_on = "run lwstat bless to write it anew";
            Error::new(format!("the entry of \"{key}\" cannot be read: {reason}; {way_on}")).in_file(&self.path)
        };
        let stored: Stored = serde_json::from_str(raw).map_err(|error| fail(error.to_string()))?;
        let dim = |value: &Value| dim(value).ok_or_else(|| fail(format!("{value} is no count")));
        let mut inputs = Vec::new();
        for input in stored.inputs {
            let shape = input.shape.map(|shape| shape.iter().map(&dim).collect::<Result<Vec<_>>>()).transpose()?;
            let dtype = input.dtype.as_deref().and_then(DType::named).map(DType::name);
            inputs.push(TensorType { name: "".into(), dtype, shape });
        }
        let number = |gauge: &Column| match stored.totals.get(&gauge.key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) if matches!(gauge.unit, Unit::Milliseconds | Unit::Share) => match value.as_f64() {
                Some(real) => Ok(Some(Number::Real(real))),
                None => Err(fail(format!("{value} is no number"))),
            },
            Some(value) => dim(value).map(|count| Some(Number::Count { count, bound: Bound::Exact })),
        };
        let numbers = gauges().iter().map(number).collect::<Result<_>>()?;
        let block = |stored: StoredBlock| {
            let mut counts = Counts::zero();
            for (metric, count) in METRICS.iter().zip(&mut counts.0) {
                match stored.counts.get(metric.key) {
                    None => {}
                    Some(Value::Null) => *count = None,
                    Some(value) => *count = Some(dim(value)?),
                }
            }
            Ok(Block { name: stored.block, nodes: stored.nodes, counts, node: String::new() })
        };
        let blocks = stored.blocks.into_iter().map(block).collect::<Result<_>>()?;
        Ok(Some(Entry { inputs, numbers, blocks }))
    }

    /// The text of a baseline with these entries, as [`Entry::text`] writes them, and those of this baseline whose keys
    /// are to be kept.
    pub fn with(&self, entries: &BTreeMap<String, String>, kept: &BTreeSet<String>) -> String {
        let mut all: BTreeMap<&str, &str> = BTreeMap::new();
        all.extend(kept.iter().filter_map(|key| Some((&**key, self.raw(key)?))));
        all.extend(entries.iter().map(|(key, text)| (&**key, &**text)));
        let mut text = format!("{{\n  \"lwstat_baseline\": {VERSION},\n  \"models\": {{");
        for (at, (key, entry)) in all.into_iter().enumerate() {
            text += &format!("{}\n    {}: ", if at > 0 { "," } else { "" }, json!(key));
            text += entry;
        }
        text + "\n  }\n}\n"
    }
}

impl Entry {
    /// The entry as the file has it: a line a total and a line a block, zeros of blocks left out.
    pub fn text(&self) -> String {
        let shape = |shape: &Vec<Dim>| shape.iter().map(|size| json!(size)).collect::<Vec<_>>();
        let input = |input: &TensorType| json!({"dtype": input.dtype, "shape": input.shape.as_ref().map(shape)});
        let inputs: Vec<String> = self.inputs.iter().map(|tensor| input(tensor).to_string()).collect();
        let number = |number: &Number| match number {
            Number::Count { count, .. } => Some(json!(count)),
            Number::Real(real) => Some(json!(real)),
            Number::Word(_) | Number::Published { .. } => None,
        };
        let total = |(gauge, value): (&Column, &Option<Number>)| {
            Some(format!("\n        {}: {}", json!(gauge.key), number(value.as_ref()?)?))
        };
        let totals: Vec<String> = gauges().iter().zip(&self.numbers).filter_map(total).collect();
        let block = |block: &Block| {
            let mut line = format!("\n        {{\"block\": {}, \"nodes\": {}", json!(block.name), json!(block.nodes));
            for (metric, count) in METRICS.iter().zip(&block.counts.0) {
                if *count != Some(Dim::ZERO) {
                    line += &format!(", \"{}\": {}", metric.key, json!(count));
                }
            }
            line + "}"
        };
        let blocks: Vec<String> = self.blocks.iter().map(block).collect();
        format!(
            "{{\n      \"inputs\": [{}],\n      \"totals\": {{{}\n      }},\n      \"blocks\": [{}\n      ]\n    }}",
            inputs.join(", "),
            totals.join(","),
            blocks.join(",")
        )
    }
}

fn dim(value: &Value) -> Option<Dim> {
    match value {
        Value::Number(number) => number.as_i64().map(Dim::from),
        // A size that the data decide is named after its node, whose name may be no identifier.
        Value::String(text) => Some(Dim::parse(text).unwrap_or_else(|| Dim::symbol(text))),
        _ => None,
    }
}
