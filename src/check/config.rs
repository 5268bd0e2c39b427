//! The configuration, `lwstat.yaml`: which models, and what is allowed to each.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_yaml::Spanned;

use super::file::{Entry, File, Latency};
use super::limits::{Allowed, Amount, Growth, gauge, gauges};
use super::pace::Pace;
use crate::columns::{Column, Needs};
use crate::compare::{normal, sources};
use crate::device::{self, Device};
use crate::error::{Error, Result};
use crate::guidelines::RULES;
use crate::infer::{self, Bindings};
use crate::latency::ratio::FEWEST;
use crate::model::sentence;
use crate::nearest::did_you_mean;
use crate::yaml::Ordered;

/// The name of a configuration.
pub const FILE: &str = "lwstat.yaml";

/// The name of a baseline.
pub const BASELINE: &str = "lwstat.baseline.json";

/// The word for all guidelines.
pub(super) const ALL: &str = "all";

/// A configuration, its models found.
#[derive(Clone, Debug)]
pub struct Config {
    /// Path as given or found.
    pub path: String,
    /// Path of the baseline.
    pub baseline: PathBuf,
    /// The models, in the order of the file; those of a pattern by path.
    pub targets: Vec<Target>,
    /// Entries that name no model, with their lines.
    pub missing: Vec<(u64, Error)>,
    /// Files that describe devices.
    pub devices: Vec<PathBuf>,
    /// Sizes of the defaults, which some model must have, with line and column.
    pub default_dims: Vec<(String, u64, u64)>,
}

/// A model to check.
#[derive(Clone, Debug)]
pub struct Target {
    /// What the baseline calls it: the entry's name, else the path from the configuration.
    pub key: String,
    /// Path of the file.
    pub path: PathBuf,
    /// The line of its entry.
    pub line: u64,
    /// What is allowed, and under which sizes.
    pub rules: Arc<Rules>,
}

/// What is allowed to a model.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Sizes that are fixed; a dimension must be there.
    pub bindings: Bindings,
    /// Sizes that are fixed where the model has such a dimension.
    pub default_sizes: BTreeMap<String, i64>,
    /// What fails where it is broken.
    pub fail: Tier,
    /// What warns where it is broken.
    pub warn: Tier,
    /// The device that the model must fit.
    pub device: Option<Device>,
    /// Places among [`RULES`] of guidelines that must be kept.
    pub deny: Vec<usize>,
    /// Share of the memory access from which a denied guideline's findings count, in per cent.
    pub from: f64,
    /// How well the cost must be known.
    pub coverage: Coverage,
    /// Whether published figures must hold.
    pub figures: Figures,
    /// The network whose figures they are; the file's stem where it is not given.
    pub network: Option<String>,
}

impl Rules {
    /// Whether every model keeps them that can be read and whose cost is known.
    pub fn ask_nothing(&self) -> bool {
        let empty = |tier: &Tier| tier.budget.is_empty() && tier.limits.is_empty() && tier.pace.is_none();
        let others = self.device.is_none() && self.deny.is_empty() && self.figures == Figures::Ignore;
        empty(&self.fail) && empty(&self.warn) && others && self.coverage == Coverage::Bounded
    }

    /// Whether its latency is measured.
    pub fn is_paced(&self) -> bool {
        self.fail.pace.is_some() || self.warn.pace.is_some()
    }
}

/// Budgets and limits of one severity.
#[derive(Clone, Debug, Default)]
pub struct Tier {
    /// The most that numbers may be.
    pub budget: Vec<Allowed<Amount>>,
    /// The most by which they may be more than in the baseline.
    pub limits: Vec<Allowed<Growth>>,
    /// The most that its latency may be.
    pub pace: Option<Pace>,
}

/// How well a model's cost must be known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Coverage {
    /// Every node to the unit.
    Exact,
    /// Every node to the unit or by an upper bound: what stays within a budget does so for certain.
    #[default]
    Bounded,
    /// Nodes may be unknown: numbers are compared as far as they are known.
    Unknown,
}

/// What becomes of published figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Figures {
    /// They must hold, as `lwstat verify` says.
    Hold,
    /// They are not looked at.
    #[default]
    Ignore,
}

/// The configuration in this folder or the nearest one above it, as a path from the folder.
pub fn find(folder: &Path) -> Result<PathBuf> {
    let mut prefix = PathBuf::new();
    for folder in folder.ancestors() {
        if folder.join(FILE).is_file() {
            return Ok(prefix.join(FILE));
        }
        prefix.push("..");
    }
    Err(Error::new(format!(
        "there is no {FILE} here or in a folder above: lwstat init writes a first one, -c names another file"
    )))
}

impl Config {
    /// Leaves these models alone in it, each the key of one or a path from `here`. An error where one is no model of it.
    pub fn keep_only(&mut self, models: &[String], here: &Path) -> Result<()> {
        let place = |path: &Path| normal(&here.join(path));
        let mut only = BTreeSet::new();
        for model in models {
            let path = place(Path::new(model));
            let found = |is: &dyn Fn(&Target) -> bool| -> Vec<String> {
                self.targets.iter().filter(|target| is(target)).map(|target| target.key.clone()).collect()
            };
            let mut keys = found(&|target| target.key == *model);
            if keys.is_empty() {
                keys = found(&|target| place(&target.path) == path);
            }
            if keys.is_empty() {
                let known: Vec<&str> = self.targets.iter().map(|target| &*target.key).collect();
                let hint = did_you_mean(model, known.iter().copied());
                let more = if known.len() > LISTED { ", …" } else { "" };
                let listed = known[..known.len().min(LISTED)].join(", ");
                let reason = format!("{} has no model \"{model}\"{hint}: it has {listed}{more}", self.path);
                return Err(Error::new(reason));
            }
            only.extend(keys);
        }
        self.targets.retain(|target| only.contains(&target.key));
        self.missing.clear();
        self.default_dims.clear();
        Ok(())
    }
}

const NO_MODELS: &str = "it names no models: lwstat init --force writes an entry for each that it finds";

/// So many models are listed where one is misspelt.
const LISTED: usize = 20;

/// Reads a configuration and finds its models. Errors name line and column; entries that name no model are
/// [`Config::missing`].
pub fn read(path: &Path) -> Result<Config> {
    let label = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| Error::new(sentence(&error)).in_file(&label))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    if text.lines().all(|line| line.trim().is_empty() || line.trim().starts_with('#')) {
        return Err(Error::new(NO_MODELS).in_file(&label));
    }
    let file: File = crate::yaml::parse(&text, &label, "configuration of lwstat check")?;
    let placed =
        |(name, _): &(Spanned<String>, u32)| (name.value.clone(), name.referenced.line(), name.referenced.column());
    let mut reader = Reader { folder, gauges: gauges(), devices: BTreeMap::new() };
    if let Some(place) = file.baseline.as_ref().filter(|path| path.value.is_empty()) {
        return Err(at(place, "the path is empty: name the baseline, or leave it out").in_file(&label));
    }
    let baseline = file.baseline.as_ref().map_or(BASELINE, |path| &path.value);
    let mut config = Config {
        path: label.clone(),
        baseline: folder.join(baseline),
        targets: Vec::new(),
        missing: Vec::new(),
        devices: Vec::new(),
        default_dims: file.defaults.dims.0.iter().map(placed).collect(),
    };
    reader.targets(&file, &mut config).map_err(|error| error.in_file(&label))?;
    config.devices = reader.devices.keys().filter(|name| is_file(name)).map(|name| folder.join(name)).collect();
    Ok(config)
}

/// Whether a device is named by its file.
fn is_file(device: &str) -> bool {
    device.ends_with(".yaml") || device.ends_with(".yml")
}

struct Reader<'f> {
    folder: &'f Path,
    gauges: Vec<Column>,
    devices: BTreeMap<String, Device>,
}

fn at<T>(place: &Spanned<T>, reason: impl std::fmt::Display) -> Error {
    Error::new(format!("line {}, column {}: {reason}", place.referenced.line(), place.referenced.column()))
}

impl Reader<'_> {
    fn targets(&mut self, file: &File, config: &mut Config) -> Result<()> {
        let defaults = Entry::of(&file.defaults);
        // Mistakes in the defaults are errors though no model uses them.
        self.rules(&defaults, &Rules::default())?;
        let mut plain = BTreeSet::new();
        for entry in file.models.iter().filter(|entry| !self.is_many(&entry.value.path.value)) {
            plain.insert(normal(&self.folder.join(&*entry.value.path.value)));
        }
        let mut keys: BTreeMap<String, u64> = BTreeMap::new();
        for entry in &file.models {
            let base = self.rules(&defaults, &Rules::default())?;
            let rules =
                Arc::new(self.rules(&entry.value, &Rules { default_sizes: sizes(&file.defaults.dims), ..base })?);
            let (place, line) = (&entry.value.path, entry.value.path.referenced.line());
            if place.value.is_empty() {
                return Err(at(place, "the path is empty: name a model, a directory or a pattern"));
            }
            if let Some(name) = entry.value.name.as_ref().filter(|name| name.value.trim().is_empty()) {
                return Err(at(name, "the name is empty: name the model, or leave it out"));
            }
            let many = self.is_many(&place.value);
            let (mut found, mut left_out) = (0, 0);
            for source in sources(&[self.joined(&place.value)]) {
                let path = match source {
                    Ok(path) => normal(&path),
                    Err(error) => {
                        config.missing.push((line, error.without_file().in_file(&place.value)));
                        found += 1;
                        continue;
                    }
                };
                if many && plain.contains(&path) {
                    left_out += 1;
                    continue;
                }
                found += 1;
                if many && entry.value.name.is_some() && found > 1 {
                    return Err(at(place, "a name is for one model, the path matches several: leave it out"));
                }
                let name = entry.value.name.as_ref().map(|name| name.value.clone());
                let key = name.unwrap_or_else(|| self.key(&path));
                if let Some(other) = keys.insert(key.clone(), line) {
                    let reason =
                        format!("\"{key}\" is a model of line {other} already: give one of the entries a name");
                    return Err(at(place, reason));
                }
                config.targets.push(Target { key, path, line, rules: Arc::clone(&rules) });
            }
            if found + left_out == 0 {
                config.missing.push((line, Error::new("it names no model").in_file(&place.value)));
            }
        }
        if config.targets.is_empty() && config.missing.is_empty() {
            return Err(Error::new(NO_MODELS));
        }
        Ok(())
    }

    fn is_many(&self, path: &str) -> bool {
        let joined = self.folder.join(path);
        joined.is_dir() || (!joined.exists() && path.contains(['*', '?', '[']))
    }

    /// The path from where the program runs. Of a pattern, the folder is no part.
    fn joined(&self, path: &str) -> PathBuf {
        let joined = self.folder.join(path);
        match self.is_many(path) && !joined.is_dir() && !Path::new(path).is_absolute() {
            true => PathBuf::from(glob::Pattern::escape(&self.folder.display().to_string())).join(path),
            false => joined,
        }
    }

    /// What a path is called: from the folder of the configuration, with slashes.
    fn key(&self, path: &Path) -> String {
        let folder = normal(self.folder);
        path.strip_prefix(&folder).unwrap_or(path).display().to_string().replace('\\', "/")
    }

    fn rules(&mut self, entry: &Entry, base: &Rules) -> Result<Rules> {
        let mut rules = base.clone();
        for (name, shape) in &entry.inputs.0 {
            let sizes = infer::shape(&shape.value)
                .ok_or_else(|| at(shape, format!("\"{}\" is no shape: write 1x3x224x224, or scalar", shape.value)))?;
            rules.bindings.inputs.push((name.value.clone(), sizes));
        }
        rules.bindings.sizes.extend(sizes(&entry.dims));
        self.budget(&entry.budget, &mut rules.fail.budget)?;
        self.limits(&entry.limits, &mut rules.fail.limits)?;
        self.budget(&entry.warn.budget, &mut rules.warn.budget)?;
        self.limits(&entry.warn.limits, &mut rules.warn.limits)?;
        self.pace(&entry.latency, &mut rules.fail.pace)?;
        self.pace(&entry.warn.latency, &mut rules.warn.pace)?;
        if let Some(name) = &entry.device {
            rules.device = name.as_ref().map(|name| self.device(name)).transpose()?;
        }
        if let Some(names) = &entry.deny {
            rules.deny = Vec::new();
            for name in names.iter().flatten() {
                match RULES.iter().position(|rule| rule.id == name.value) {
                    Some(rule) if !rules.deny.contains(&rule) => rules.deny.push(rule),
                    Some(_) => {}
                    None if name.value == ALL => rules.deny = (0..RULES.len()).collect(),
                    None => {
                        let ids = || RULES.iter().map(|rule| rule.id).chain([ALL]);
                        let hint = did_you_mean(&name.value, ids());
                        let ids = ids().collect::<Vec<_>>().join(", ");
                        return Err(at(
                            name,
                            format!("there is no guideline \"{}\"{hint}: write one of {ids}", name.value),
                        ));
                    }
                }
            }
        }
        if let Some(from) = &entry.from {
            if !(0.0..=100.0).contains(&from.value) {
                return Err(at(from, "from is a share of the memory access in per cent: write 0 to 100"));
            }
            rules.from = from.value;
        }
        rules.coverage = entry.coverage.unwrap_or(rules.coverage);
        rules.figures = entry.figures.unwrap_or(rules.figures);
        rules.network = entry.network.clone().or(rules.network);
        let tiers = [&rules.fail, &rules.warn];
        let mut used = tiers.iter().flat_map(|tier| {
            let budget = tier.budget.iter().map(|allowed| (allowed.gauge, allowed.line, allowed.column));
            budget.chain(tier.limits.iter().map(|allowed| (allowed.gauge, allowed.line, allowed.column)))
        });
        match used.find(|(gauge, ..)| self.gauges[*gauge].needs == Needs::Device && rules.device.is_none()) {
            // The entries may name the device.
            Some((gauge, line, column)) if !entry.path.value.is_empty() => {
                let reason = "is the time on a device: give device, see lwstat devices";
                Err(Error::new(format!("line {line}, column {column}: {} {reason}", self.gauges[gauge].key)))
            }
            _ => Ok(rules),
        }
    }

    fn budget(&self, map: &Ordered<Option<Spanned<String>>>, into: &mut Vec<Allowed<Amount>>) -> Result<()> {
        self.keyed(map, into, &Amount::parse)
    }

    fn limits(&self, map: &Ordered<Option<Spanned<String>>>, into: &mut Vec<Allowed<Growth>>) -> Result<()> {
        self.keyed(map, into, &Growth::parse)
    }

    /// Sets the limit on the latency; null takes back what is there.
    fn pace(&self, given: &Option<Option<Latency>>, into: &mut Option<Pace>) -> Result<()> {
        let Some(given) = given else { return Ok(()) };
        *into = None;
        let Some(Latency { against, most, threads, runs }) = given else { return Ok(()) };
        if against.value.is_empty() {
            return Err(at(against, "the path is empty: name the model that is measured beside this one"));
        }
        if !(most.value > 0.0 && most.value.is_finite()) {
            return Err(at(most, "most is how many times as long it may take as the reference: write 1.1"));
        }
        let number = |given: &Option<Spanned<u32>>, range: RangeInclusive<usize>, what: &str| match given {
            Some(place) if !range.contains(&(place.value as usize)) => Err(at(place, what)),
            given => Ok(given.as_ref().map(|place| place.value as usize)),
        };
        let few = format!("fewer than {FEWEST} rounds do not bound a median: write {FEWEST} to 1000000");
        *into = Some(Pace {
            against: against.value.clone(),
            path: normal(&self.folder.join(&against.value)),
            most: most.value,
            threads: number(threads, 1..=1024, "threads are 1 to 1024: write 1")?,
            runs: number(runs, FEWEST..=1_000_000, &few)?,
            line: against.referenced.line(),
        });
        Ok(())
    }

    /// Sets what a map says of each metric; null takes back what is there.
    fn keyed<T>(
        &self,
        map: &Ordered<Option<Spanned<String>>>,
        into: &mut Vec<Allowed<T>>,
        parse: &dyn Fn(&str, &Column) -> std::result::Result<T, String>,
    ) -> Result<()> {
        for (key, text) in &map.0 {
            let column = gauge(&self.gauges, &key.value).map_err(|reason| at(key, reason))?;
            let place = self.gauges.iter().position(|gauge| gauge.key == column.key).unwrap_or_default();
            into.retain(|allowed| allowed.gauge != place);
            if let Some(text) = text {
                let most = parse(&text.value, column).map_err(|reason| at(text, reason))?;
                let (line, column) = (key.referenced.line(), key.referenced.column());
                into.push(Allowed { gauge: place, most, text: text.value.trim().into(), line, column });
            }
        }
        into.sort_by_key(|allowed| allowed.gauge);
        Ok(())
    }

    fn device(&mut self, name: &Spanned<String>) -> Result<Device> {
        if let Some(device) = self.devices.get(&name.value) {
            return Ok(device.clone());
        }
        let path =
            if is_file(&name.value) { self.folder.join(&name.value).display().to_string() } else { name.value.clone() };
        let device = device::named(&path).map_err(|error| at(name, error))?;
        self.devices.insert(name.value.clone(), device.clone());
        Ok(device)
    }
}

fn sizes(dims: &Ordered<u32>) -> BTreeMap<String, i64> {
    dims.0.iter().map(|(name, size)| (name.value.clone(), i64::from(*size))).collect()
}
