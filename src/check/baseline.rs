//! The baseline, `lwstat.baseline.json`: the numbers that were last accepted, a line a total and a line a block.

use std::collections::BTreeMap;
use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::blocks::{Block, blocks};
use super::limits::gauges;
use super::sizes;
use crate::columns::{Bound, Column, Number, Unit};
use crate::cost::{Counts, METRICS};
use crate::dim::Dim;
use crate::error::{Error, Result};
use crate::model::sentence;
use crate::report::{Report, TensorType};
use crate::tensor::DType;
use crate::yaml::conflict;

mod index;
mod write;

pub use write::Writer;

/// The version of the file.
const VERSION: u32 = 1;

/// A baseline: where each model's entry stands in the file, read when it is asked for. All entries at once would be
/// thousands of times as large.
pub struct Baseline {
    /// Path as given, for errors.
    pub path: String,
    source: Mutex<Box<dyn Source>>,
    /// From behind the key to the end of the entry, in bytes.
    entries: BTreeMap<String, Range<u64>>,
}

/// What a baseline is read from.
trait Source: Read + Seek + Send {}

impl<T: Read + Seek + Send> Source for T {}

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
struct Stored {
    inputs: Vec<Input>,
    totals: Map<String, Value>,
    /// Totals that are lower bounds, and those that are upper bounds.
    #[serde(default)]
    at_least: Vec<String>,
    #[serde(default)]
    at_most: Vec<String>,
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
    #[serde(default)]
    branches: Vec<String>,
    #[serde(flatten)]
    counts: Map<String, Value>,
}

impl Baseline {
    /// Reads a baseline; `None` where there is no such file. An error where it is none, or was written by a later
    /// version.
    pub fn read(path: &Path) -> Result<Option<Baseline>> {
        let label = path.display().to_string();
        match std::fs::File::open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::new(sentence(&error)).in_file(&label)),
            Ok(file) if file.metadata().is_ok_and(|it| it.is_file()) => Baseline::of(Box::new(file), &label).map(Some),
            // A pipe can be read but once.
            Ok(mut file) => {
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes).map_err(|error| Error::new(sentence(&error)).in_file(&label))?;
                Baseline::of(Box::new(Cursor::new(bytes)), &label).map(Some)
            }
        }
    }

    /// Reads a baseline from text; `path` names it in errors.
    pub fn parse(text: String, path: &str) -> Result<Baseline> {
        Baseline::of(Box::new(Cursor::new(text)), path)
    }

    fn of(mut source: Box<dyn Source>, path: &str) -> Result<Baseline> {
        let entries = index::entries(&mut source).map_err(|reason| {
            let marks = source.rewind().ok().and_then(|()| conflict(BufReader::new(&mut source)));
            let reason = match marks {
                Some(line) => format!("line {line}: it holds marks of a merge conflict: resolve it"),
                None if reason.is_eof() && reason.column() == 0 => "it is no baseline: it is empty".to_string(),
                None => format!("it is no baseline: {reason}"),
            };
            let way_on = "take the file of the last commit, or run lwstat bless to write it anew";
            Error::new(format!("{reason}; {way_on}")).in_file(path)
        })?;
        Ok(Baseline { path: path.to_string(), source: Mutex::new(source), entries })
    }

    /// The models that it has, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// A model's entry as [`Entry::text`] writes it; `None` where it has none.
    pub fn text(&self, key: &str) -> Result<Option<String>> {
        let Some(range) = self.entries.get(key) else { return Ok(None) };
        let read = || {
            let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
            source.seek(SeekFrom::Start(range.start))?;
            let mut text = String::new();
            source.by_ref().take(range.end - range.start).read_to_string(&mut text)?;
            Ok(text)
        };
        let text = read().map_err(|error: std::io::Error| Error::new(sentence(&error)).in_file(&self.path))?;
        // The colon stands before it, and what ends a number may stand behind it.
        let entry = text.find('{').zip(text.rfind('}')).and_then(|(start, end)| text.get(start..=end));
        Ok(Some(entry.unwrap_or(&text).to_string()))
    }

    /// A model's entry; `None` where it has none.
    pub fn entry(&self, key: &str) -> Result<Option<Entry>> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let fail = |reason: String| {
            let way_on = "run lwstat bless to write it anew";
            Error::new(format!("the entry of \"{key}\" cannot be read: {reason}; {way_on}")).in_file(&self.path)
        };
        let stored: Stored = serde_json::from_str(&text).map_err(|error| fail(error.to_string()))?;
        let dim = |value: &Value| dim(value).ok_or_else(|| fail(format!("{value} is no count")));
        let mut inputs = Vec::new();
        for input in stored.inputs {
            let shape = input.shape.map(|shape| shape.iter().map(&dim).collect::<Result<Vec<_>>>()).transpose()?;
            let dtype = input.dtype.as_deref().and_then(DType::named).map(DType::name);
            inputs.push(TensorType { name: "".into(), dtype, shape });
        }
        let dim = |value: &Value| dim(value).map(|dim| sizes::read_back(&dim, &inputs));
        let bound = |gauge: &Column| match () {
            () if stored.at_least.contains(&gauge.key) => Bound::AtLeast,
            () if stored.at_most.contains(&gauge.key) => Bound::AtMost,
            () => Bound::Exact,
        };
        let number = |gauge: &Column| match stored.totals.get(&gauge.key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) if matches!(gauge.unit, Unit::Milliseconds | Unit::Share) => match value.as_f64() {
                Some(value) => Ok(Some(Number::Real { value, bound: bound(gauge) })),
                None => Err(fail(format!("{value} is no number"))),
            },
            Some(value) => dim(value).map(|count| Some(Number::Count { count, bound: bound(gauge) })),
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
            let StoredBlock { block: name, nodes, branches, .. } = stored;
            Ok(Block { name, nodes, branches, counts, node: String::new() })
        };
        let blocks = stored.blocks.into_iter().map(block).collect::<Result<_>>()?;
        Ok(Some(Entry { numbers, blocks, inputs }))
    }
}

/// Whether a file that cannot be read as a baseline is one that was cut, mangled or left in a merge, or is empty. One
/// of a later version is whole.
pub fn is_damaged(path: &Path) -> bool {
    const KEY: &str = "\"lwstat_baseline\"";
    let mut head = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(4096).read_to_end(&mut head));
    let head = String::from_utf8_lossy(&head);
    let head = head.trim_start_matches('\u{feff}').trim();
    let is_cut = |rest: &str| KEY.starts_with(rest);
    let is_known = |rest: &str| {
        let version = rest.strip_prefix(KEY).map(|rest| rest.trim_start_matches([':', ' ']));
        let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
        version.is_some_and(|text| digits(text).parse().map_or(true, |version: u32| version <= VERSION))
    };
    let begins = head.strip_prefix('{').map(str::trim_start).is_some_and(|rest| is_cut(rest) || is_known(rest));
    read.is_ok() && (head.is_empty() || head.starts_with("<<<<<<< ") || begins)
}

impl Entry {
    /// The entry of a model of this account, with its numbers by place among the gauges.
    pub fn of(report: &Report, numbers: Vec<Option<Number>>) -> Entry {
        let names = sizes::numbered(report);
        let named = |dim: &Dim| match names.is_empty() || dim.as_int().is_some() {
            true => dim.clone(),
            false => dim.substitute(&|name| names.get(name).cloned()),
        };
        let number = |number: Number| match number {
            Number::Count { count, bound } => Number::Count { count: named(&count), bound },
            number => number,
        };
        let numbers = numbers.into_iter().map(|value| value.map(number)).collect();
        Entry { inputs: report.model.inputs.clone(), numbers, blocks: blocks(report, &named) }
    }

    /// The entry as the file has it: a line a total and a line a block, zeros of blocks left out, and which totals are
    /// bounds.
    pub fn text(&self) -> String {
        let shape = |shape: &Vec<Dim>| shape.iter().map(|size| json!(size)).collect::<Vec<_>>();
        let input = |input: &TensorType| json!({"dtype": input.dtype, "shape": input.shape.as_ref().map(shape)});
        let inputs: Vec<String> = self.inputs.iter().map(|tensor| input(tensor).to_string()).collect();
        let number = |number: &Number| match number {
            Number::Count { count, .. } => Some(json!(count)),
            Number::Real { value, .. } => Some(json!(value)),
            Number::Word(_) | Number::Published { .. } => None,
        };
        let total = |(gauge, value): (&Column, &Option<Number>)| {
            Some(format!("\n        {}: {}", json!(gauge.key), number(value.as_ref()?)?))
        };
        let gauges = gauges();
        let totals: Vec<String> = gauges.iter().zip(&self.numbers).filter_map(total).collect();
        let bounded = |key: &str, bound: Bound| {
            let is = |(gauge, value): (&Column, &Option<Number>)| {
                value.as_ref().is_some_and(|value| value.bound() == bound).then(|| json!(gauge.key).to_string())
            };
            let keys: Vec<String> = gauges.iter().zip(&self.numbers).filter_map(is).collect();
            if keys.is_empty() { String::new() } else { format!("\n      \"{key}\": [{}],", keys.join(", ")) }
        };
        let block = |block: &Block| {
            let mut line = format!("\n        {{\"block\": {}, \"nodes\": {}", json!(block.name), json!(block.nodes));
            if !block.branches.is_empty() {
                line += &format!(", \"branches\": {}", json!(block.branches));
            }
            for (metric, count) in METRICS.iter().zip(&block.counts.0) {
                if *count != Some(Dim::ZERO) {
                    line += &format!(", \"{}\": {}", metric.key, json!(count));
                }
            }
            line + "}"
        };
        let blocks: Vec<String> = self.blocks.iter().map(block).collect();
        format!(
            "{{\n      \"inputs\": [{}],\n      \"totals\": {{{}\n      }},{}{}\n      \"blocks\": [{}\n      ]\n    }}",
            inputs.join(", "),
            totals.join(","),
            bounded("at_least", Bound::AtLeast),
            bounded("at_most", Bound::AtMost),
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
