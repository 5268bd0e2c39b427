//! The baseline, `lwstat.baseline.json`: the numbers that were last accepted, a line a total and a line a block.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Value, json};

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
    totals: Totals,
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
    shape: Option<Vec<Count>>,
}

#[derive(Deserialize)]
struct StoredBlock {
    block: String,
    nodes: Vec<String>,
    #[serde(default)]
    branches: Vec<String>,
    #[serde(flatten)]
    counts: BTreeMap<String, Option<Count>>,
}

/// A number, or a formula.
struct Count(Dim);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Count, D::Error> {
        let value = Value::deserialize(deserializer)?;
        dim(&value).map(Count).ok_or_else(|| D::Error::custom(format!("{value} is no count")))
    }
}

/// Numbers by place among the gauges.
struct Totals(Vec<Option<Number>>);

impl<'de> Deserialize<'de> for Totals {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Totals, D::Error> {
        let values = deserializer.deserialize_map(TotalsVisitor)?;
        Ok(Totals(values))
    }
}

struct TotalsVisitor;

impl<'de> Visitor<'de> for TotalsVisitor {
    type Value = Vec<Option<Number>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of totals")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> std::result::Result<Self::Value, M::Error> {
        let gauges = gauges();
        let mut numbers = vec![None; gauges.len()];
        while let Some(key) = map.next_key::<String>()? {
            let value: Value = map.next_value()?;
            let Some(at) = gauges.iter().position(|gauge| gauge.key == key) else { continue };
            let bound = Bound::Exact;
            numbers[at] = match gauges[at].unit {
                _ if value.is_null() => continue,
                Unit::Milliseconds | Unit::Share => value.as_f64().map(|value| Number::Real { value, bound }),
                _ => dim(&value).map(|count| Number::Count { count, bound }),
            };
            if numbers[at].is_none() {
                return Err(M::Error::custom(format!("{value} is no number for {key}")));
            }
        }
        Ok(numbers)
    }
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
                None if reason.is_eof() && reason.column() == 0 => {
                    "it is no baseline: it is empty; take the file of the last commit".to_string()
                }
                None => format!("it is no baseline: {reason}; take the file of the last commit"),
            };
            Error::new(format!("{reason}, or run lwstat bless to write it anew")).in_file(path)
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
        let text = self.part(range.clone())?;
        // The colon stands before it, and what ends a number may stand behind it.
        let entry = text.find('{').zip(text.rfind('}')).and_then(|(start, end)| text.get(start..=end));
        Ok(Some(entry.unwrap_or(&text).to_string()))
    }

    /// A part of the file.
    fn part(&self, range: Range<u64>) -> Result<String> {
        let read = || {
            let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
            source.seek(SeekFrom::Start(range.start))?;
            let mut text = String::new();
            source.by_ref().take(range.end - range.start).read_to_string(&mut text)?;
            Ok(text)
        };
        read().map_err(|error: std::io::Error| Error::new(sentence(&error)).in_file(&self.path))
    }

    /// The lines that stand before a model's entry.
    fn lines_before(&self, key: &str) -> Result<usize> {
        let Some(range) = self.entries.get(key) else { return Ok(0) };
        let text = self.part(0..range.end)?;
        let behind_key = text.get(range.start as usize..).unwrap_or_default();
        let start = range.start as usize + behind_key.find('{').unwrap_or_default();
        Ok(text.bytes().take(start).filter(|byte| *byte == b'\n').count())
    }

    /// A model's entry; `None` where it has none.
    pub fn entry(&self, key: &str) -> Result<Option<Entry>> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let stored: Stored = match serde_json::from_str(&text) {
            Ok(stored) => stored,
            Err(error) => {
                let words = error.to_string();
                let place = format!(" at line {} column {}", error.line(), error.column());
                let (reason, line) = (words.strip_suffix(&place).unwrap_or(&words), error.line());
                let line = self.lines_before(key)? + line;
                let way_on = "take the file of the last commit, or run lwstat bless to write it anew";
                let reason = format!("line {line}: the entry of \"{key}\" cannot be read: {reason}; {way_on}");
                return Err(Error::new(reason).in_file(&self.path));
            }
        };
        let input = |input: Input| TensorType {
            name: "".into(),
            dtype: input.dtype.as_deref().and_then(DType::named).map(DType::name),
            shape: input.shape.map(|shape| shape.into_iter().map(|Count(size)| size).collect()),
        };
        let inputs: Vec<TensorType> = stored.inputs.into_iter().map(input).collect();
        let read_back = |dim: &Dim| sizes::read_back(dim, &inputs);
        let bound = |gauge: &Column| match () {
            () if stored.at_least.contains(&gauge.key) => Bound::AtLeast,
            () if stored.at_most.contains(&gauge.key) => Bound::AtMost,
            () => Bound::Exact,
        };
        let number = |(gauge, number): (&Column, Option<Number>)| match number? {
            Number::Real { value, .. } => Some(Number::Real { value, bound: bound(gauge) }),
            number => Some(Number::Count { count: read_back(&number.dim()?), bound: bound(gauge) }),
        };
        let numbers = gauges().iter().zip(stored.totals.0).map(number).collect();
        let block = |stored: StoredBlock| {
            let mut counts = Counts::zero();
            for (metric, count) in METRICS.iter().zip(&mut counts.0) {
                if let Some(stored) = stored.counts.get(metric.key) {
                    *count = stored.as_ref().map(|Count(stored)| read_back(stored));
                }
            }
            let StoredBlock { block: name, nodes, branches, .. } = stored;
            Block { name, nodes, branches, counts, node: String::new() }
        };
        let blocks = stored.blocks.into_iter().map(block).collect();
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

    /// Whether a number has a size that neither inputs nor blocks have: no account gave it.
    pub(super) fn strays(&self, number: &Number) -> bool {
        let (mut known, mut own) = (BTreeSet::new(), BTreeSet::new());
        let shapes = self.inputs.iter().filter_map(|input| input.shape.as_ref()).flatten();
        let counts = self.blocks.iter().flat_map(|block| block.counts.0.iter().flatten());
        shapes.chain(counts).for_each(|dim| dim.symbols(&mut known));
        number.dim().iter().for_each(|dim| dim.symbols(&mut own));
        !own.is_subset(&known)
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
