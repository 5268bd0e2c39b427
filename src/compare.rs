//! Many models side by side: a row a model, a column of the table of columns each.

use std::cmp::Ordering;
use std::path::{Component, Path, PathBuf};

use rayon::prelude::*;

use crate::columns::{self, Better, Bound, Column, Needs, Number, Subject, Unit};
use crate::device::Device;
use crate::dim::Dim;
use crate::error::{Error, Result};
use crate::figures;
use crate::infer::Bindings;
use crate::latency::Latency;
use crate::model::Model;
use crate::nearest::did_you_mean;
use crate::render::latency::conditions;
use crate::report::stem;
use crate::user_figures::UserFigures;
use crate::verify::holds_for;

/// Models side by side.
#[derive(Clone)]
pub struct Comparison {
    /// What is said of each model.
    pub columns: Vec<Column>,
    /// The models, in the order in which they are shown.
    pub models: Vec<Compared>,
    /// The model that the others are set in relation to: its place in `models`.
    pub reference: Option<usize>,
    /// Whether sums over the models are shown.
    pub with_totals: bool,
}

/// One model of a comparison.
#[derive(Clone, Debug)]
pub struct Compared {
    /// Path as given or found.
    pub path: String,
    /// File name without `.onnx`.
    pub name: String,
    /// An entry for each column, `None` where it is unknown; or why there is none.
    pub entries: Result<Vec<Option<Number>>>,
    /// Why its latency is unknown, where it was to be measured.
    pub latency_error: Option<String>,
}

/// A model to be compared, or why what was given names none.
pub type Source = Result<PathBuf>;

/// The models that paths stand for, each once however it is spelled ([`normal`]), as it is first: files as they are, `*.onnx` files of directories and all below them, and
/// what patterns (`graphs/*v2*.onnx`) match. Directories and patterns are sorted by path. What names nothing is an error
/// in its place.
pub fn sources(paths: &[PathBuf]) -> Vec<Source> {
    let mut found: Vec<Source> = Vec::new();
    for path in paths {
        let label = path.display().to_string();
        match () {
            () if path.is_dir() => found.extend(directory(path, &label)),
            () if path.exists() || !label.contains(['*', '?', '[']) => found.push(Ok(path.clone())),
            () => match pattern(&label) {
                Ok(list) => found.extend(list.into_iter().map(Ok)),
                Err(error) => found.push(Err(error.in_file(&label))),
            },
        }
    }
    let mut seen = std::collections::HashSet::new();
    found.retain(|source| source.as_ref().map_or(true, |path| seen.insert(normal(path))));
    found
}

/// A path without `.` and without `NAME/..`, links not followed: what a file is known by.
pub fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(normal.components().next_back(), Some(Component::Normal(_))) => {
                normal.pop();
            }
            part => normal.push(part),
        }
    }
    normal
}

/// A directory's models by path; what of it cannot be looked into is an error in the end.
fn directory(path: &Path, label: &str) -> Vec<Source> {
    let (mut files, mut unread) = (Vec::new(), Vec::new());
    for entry in walkdir::WalkDir::new(path).follow_links(true) {
        match entry {
            // A link to a directory around it holds nothing new.
            Err(error) if error.loop_ancestor().is_some() => {}
            Err(error) => {
                let place = error.path().map_or_else(|| label.to_string(), |path| path.display().to_string());
                let reason = error.io_error().map_or_else(|| error.to_string(), crate::model::sentence);
                unread.push(Err(Error::new(reason).in_file(&place)));
            }
            Ok(entry)
                if entry.file_type().is_file()
                    && entry.path().extension().is_some_and(|of| of.eq_ignore_ascii_case("onnx")) =>
            {
                files.push(entry.into_path());
            }
            Ok(_) => {}
        }
    }
    files.sort();
    if files.is_empty() && unread.is_empty() {
        unread.push(Err(Error::new("there is no .onnx file in this directory").in_file(label)));
    }
    files.into_iter().map(Ok).chain(unread).collect()
}

fn pattern(pattern: &str) -> Result<Vec<PathBuf>> {
    let matches = glob::glob(pattern).map_err(|error| Error::new(format!("it is no pattern: {error}")))?;
    let mut files: Vec<PathBuf> = matches.flatten().filter(|path| path.is_file()).collect();
    files.sort();
    if files.is_empty() { Err(Error::new("no file matches this pattern")) } else { Ok(files) }
}

/// Runs a model and says how long it takes.
pub type Measure<'a> = &'a dyn Fn(&Model) -> Result<Latency>;

/// The path of a source, as it is shown.
fn label(source: &Source) -> String {
    match source {
        Ok(path) => path.display().to_string(),
        Err(error) => error.path.clone().unwrap_or_default(),
    }
}

/// The name of the model of each source: its file's name without `.onnx`.
pub fn names(sources: &[Source]) -> Vec<String> {
    sources.iter().map(|source| stem(&label(source))).collect()
}

/// What is asked of every model.
pub struct Question<'a> {
    /// The columns to fill.
    pub columns: Vec<Column>,
    /// Sizes that are fixed. A dimension needs to exist in one model only.
    pub bindings: &'a Bindings,
    /// The device that the models are placed on.
    pub device: Option<&'a Device>,
    /// Runs a model and says how long it takes, where that is asked for: one model after the other, before all else.
    pub measure: Option<Measure<'a>>,
    /// What the user says of the models.
    pub given: Option<&'a UserFigures>,
    /// Opens a model.
    pub open: &'a (dyn Fn(&Path) -> Result<Model> + Sync),
    /// Called after each model, from any thread.
    pub done: &'a (dyn Fn() + Sync),
}

/// Analyzes the models in parallel and keeps the entries alone. A model that cannot be analyzed is a row with its reason.
/// An error where a size is fixed that no model has.
pub fn compare(sources: &[Source], question: Question) -> Result<Comparison> {
    // Models that run side by side would slow each other down.
    let time = |source: &Source| {
        let measure = question.measure?;
        // What cannot be read is said of the row.
        Some(measure(&(question.open)(source.as_ref().ok()?).ok()?))
    };
    let latencies: Vec<Option<Result<Latency>>> = sources.iter().map(time).collect();
    let measured = latencies.iter().flatten().find_map(|latency| latency.as_ref().ok());
    let mut columns = question.columns;
    for column in &mut columns {
        column.place = match column.needs {
            Needs::Device => question.device.map(|device| device.title.clone()).unwrap_or_default(),
            Needs::Latency => measured.map(conditions).unwrap_or_default(),
            Needs::Report | Needs::MemoryPlan | Needs::Figures => String::new(),
        };
    }
    let asked = Asked {
        columns: &columns,
        bindings: question.bindings,
        device: question.device,
        given: question.given,
        open: question.open,
    };
    let one = |(source, latency): (&Source, Option<Result<Latency>>)| {
        let path = label(source);
        let (latency, error) = match latency.transpose() {
            Ok(latency) => (latency, None),
            Err(error) => (None, Some(error.without_file().to_string())),
        };
        let row = source.clone().and_then(|path| row(&path, &asked, latency));
        (question.done)();
        let (entries, missing) = match row {
            Ok((entries, missing)) => (Ok(entries), Some(missing)),
            Err(error) => (Err(error), None),
        };
        let latency_error = error.filter(|_| entries.is_ok());
        (Compared { name: stem(&path), path, entries, latency_error }, missing)
    };
    let (models, missing): (Vec<_>, Vec<_>) = sources.par_iter().zip(latencies).map(one).unzip();
    let mut missing = missing.into_iter().flatten();
    let mut nowhere = missing.next().unwrap_or_default();
    for names in missing {
        nowhere.retain(|name| names.contains(name));
    }
    match nowhere.first() {
        Some(name) => Err(Error::new(format!("--dim {name}: no model has a free dimension of this name"))),
        None => Ok(Comparison { columns, models, reference: None, with_totals: false }),
    }
}

/// What of a [`Question`] all threads share.
struct Asked<'a> {
    columns: &'a [Column],
    bindings: &'a Bindings,
    device: Option<&'a Device>,
    given: Option<&'a UserFigures>,
    open: &'a (dyn Fn(&Path) -> Result<Model> + Sync),
}

/// A model's entries, and the fixed sizes that it has no dimension for.
fn row(path: &Path, question: &Asked, latency: Option<Latency>) -> Result<(Vec<Option<Number>>, Vec<String>)> {
    let model = (question.open)(path)?;
    let planned = question.columns.iter().any(|column| column.needs == Needs::MemoryPlan);
    // What cannot be planned, because a size is open, is unknown.
    let plan = if planned { model.report_with_plan(question.bindings).ok() } else { None };
    let mut report = plan.map_or_else(|| model.report(question.bindings), Ok)?;
    if let Some(device) = question.device {
        report.place_on(device);
    }
    report.latency = latency;
    let fixture = figures::find(&report.model.name, false)?.filter(|fixture| holds_for(&report, fixture).is_ok());
    let given = question.given.and_then(|given| given.models.get(&report.model.name));
    let subject = Subject { report: &report, figures: fixture.as_ref(), given };
    let entries = question.columns.iter().map(|column| (column.entry)(&subject)).collect();
    Ok((entries, absent_dims(&model, question.bindings)))
}

/// The sizes that are fixed by name for which this model has no free dimension, sorted.
pub fn absent_dims(model: &Model, bindings: &Bindings) -> Vec<String> {
    let absent = |name: &&String| {
        let size = bindings.sizes.get_key_value(*name).map(|(name, size)| (name.clone(), *size));
        model.check_dims(&Bindings { sizes: size.into_iter().collect(), ..Bindings::default() }).is_err()
    };
    let mut absent: Vec<String> = bindings.sizes.keys().filter(absent).cloned().collect();
    absent.sort();
    absent
}

impl Compared {
    /// The entry in this column, `None` where it is unknown.
    pub fn entry(&self, column: usize) -> Option<&Number> {
        self.entries.as_ref().ok()?.get(column)?.as_ref()
    }
}

impl Comparison {
    /// The models of which nothing is known, or not how long they take though they were to be measured: path and reason.
    pub fn failures(&self) -> Vec<(String, String)> {
        let reason = |model: &Compared| match (&model.entries, &model.latency_error) {
            (Err(error), _) => Some(error.clone().without_file().to_string()),
            (Ok(_), Some(reason)) => Some(format!("not measured: {reason}")),
            (Ok(_), None) => None,
        };
        self.models.iter().filter_map(|model| Some((model.path.clone(), reason(model)?))).collect()
    }

    /// The place of the column of this key.
    pub fn column(&self, key: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.key == key)
    }

    /// The entries of a column that are known.
    fn known(&self, column: usize) -> impl Iterator<Item = &Number> {
        self.models.iter().filter_map(move |model| model.entry(column))
    }

    /// Leaves out columns but those that the condition chooses.
    pub fn keep(&mut self, condition: impl Fn(&Column) -> bool) {
        let kept: Vec<bool> = self.columns.iter().map(condition).collect();
        let mut at = 0..;
        self.columns.retain(|_| at.next().is_some_and(|at| kept[at]));
        for entries in self.models.iter_mut().filter_map(|model| model.entries.as_mut().ok()) {
            let mut at = 0..;
            entries.retain(|_| at.next().is_some_and(|at| kept[at]));
        }
    }

    /// Leaves out those of these columns of which nothing is known.
    pub fn drop_unknown(&mut self, keys: &[&str]) {
        let unknown = |column: &usize| self.known(*column).next().is_none();
        let unknown = (0..self.columns.len()).filter(unknown).map(|column| self.columns[column].key.clone());
        let unknown: Vec<String> = unknown.filter(|key| keys.contains(&&**key)).collect();
        self.keep(|column| !unknown.contains(&column.key));
    }

    /// Sorts the models by a column, the least first, or the greatest; what is unknown comes last, and equal entries keep
    /// their order.
    pub fn sort(&mut self, column: usize, greatest_first: bool) {
        let reference = self.reference.map(|reference| self.models[reference].path.clone());
        self.models.sort_by(|a, b| match (a.entry(column), b.entry(column)) {
            (Some(a), Some(b)) if greatest_first => b.order(a),
            (Some(a), Some(b)) => a.order(b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => a.entries.is_err().cmp(&b.entries.is_err()),
        });
        self.reference = reference.and_then(|path| self.models.iter().position(|model| model.path == path));
    }

    /// Sets the models in relation to the one of this path or name. An error where there is none, or its account failed.
    pub fn relate(&mut self, to: &str) -> Result<()> {
        let by_path = self.models.iter().position(|model| normal(Path::new(&model.path)) == normal(Path::new(to)));
        let mut named = self.models.iter().enumerate().filter(|(_, model)| model.name == to).map(|(at, _)| at);
        let (first, second) = (named.next(), named.next());
        if let (None, Some(first), Some(second)) = (by_path, first, second) {
            let paths = [first, second].map(|at| self.models[at].path.clone()).join(" or ");
            return Err(Error::new(format!("--relative-to {to}: several models have this name: give {paths}")));
        }
        let Some(reference) = by_path.or(first) else {
            let hint = did_you_mean(to, self.models.iter().map(|model| &*model.name));
            return Err(Error::new(format!("--relative-to {to}: it is not among the models that are compared{hint}")));
        };
        if let Err(error) = &self.models[reference].entries {
            return Err(error.clone());
        }
        self.reference = Some(reference);
        Ok(())
    }

    /// A model's entry divided by that of the reference; `None` where one of them is not known to the unit, or the ratio is
    /// no number.
    pub fn ratio(&self, model: usize, column: usize) -> Option<f64> {
        let entry = self.models.get(model)?.entry(column)?;
        let reference = self.models.get(self.reference?)?.entry(column)?;
        if !is_exact(entry) || !is_exact(reference) {
            return None;
        }
        let (part, whole) = match (entry.real(), reference.real()) {
            (Some(part), Some(whole)) => (part, whole),
            _ => proportion(&entry.dim()?, &reference.dim()?)?,
        };
        (whole != 0.0).then(|| part / whole)
    }

    /// Whether ratios are shown for this column.
    pub fn is_related(&self, column: usize) -> bool {
        self.reference.is_some() && self.columns[column].unit != Unit::Word
    }

    /// For each model, whether its entry in the column is the best of those known to the unit. None is where all are
    /// equal, where formulas cannot be ranked for all sizes, or where the column has no better way.
    pub fn best(&self, column: usize) -> Vec<bool> {
        let exact = |model: &Compared| model.entry(column).filter(|entry| is_exact(entry)).cloned();
        let entries: Vec<Option<Number>> = self.models.iter().map(exact).collect();
        let known = || entries.iter().flatten();
        let better = |a: &Number, b: &Number| match self.columns[column].better {
            Better::Lower => no_more(a, b),
            Better::Higher => no_more(b, a),
            Better::Neither => false,
        };
        let best = known().reduce(|best, next| if better(next, best) { next } else { best });
        let Some(best) = best.filter(|best| known().all(|other| better(best, other))) else {
            return vec![false; entries.len()];
        };
        let is_best = |entry: &Option<Number>| entry.as_ref().is_some_and(|entry| better(entry, best));
        let mut marks: Vec<bool> = entries.iter().map(is_best).collect();
        if marks.iter().filter(|best| **best).count() == known().count() {
            marks.fill(false);
        }
        marks
    }

    /// The sum of a column: at least that where an entry is unknown; `None` where sums say nothing (words, ratios, peaks),
    /// nothing is known, or what is unknown may be negative (the user's figures that are no times).
    pub fn sum(&self, column: usize) -> Option<Number> {
        if !self.columns[column].sums {
            return None;
        }
        self.known(column).next()?;
        let missing = (self.known(column).count() < self.models.len()).then_some(Bound::AtLeast);
        let bounds: Vec<Bound> = self.known(column).map(Number::bound).chain(missing).collect();
        let bound = match (bounds.contains(&Bound::AtLeast), bounds.contains(&Bound::AtMost)) {
            (false, false) => Bound::Exact,
            (true, false) => Bound::AtLeast,
            (false, true) => Bound::AtMost,
            // Neither a lower nor an upper bound.
            (true, true) => return None,
        };
        let Some(counts) = self.known(column).map(Number::dim).collect::<Option<Vec<Dim>>>() else {
            let value: f64 = self.known(column).filter_map(Number::real).sum();
            let bounds = missing.is_none() || self.columns[column].unit == Unit::Milliseconds;
            return bounds.then_some(Number::Real { value, bound });
        };
        let count: Dim = counts.iter().sum();
        (!count.is_undefined()).then_some(Number::Count { count, bound })
    }

    /// What each model is called in tables: its name, or where several share it, its path.
    pub fn labels(&self) -> Vec<String> {
        let mut times: std::collections::HashMap<&str, usize> = std::collections::HashMap::new();
        self.models.iter().for_each(|model| *times.entry(&model.name).or_default() += 1);
        let label = |model: &Compared| if times[&*model.name] > 1 { model.path.clone() } else { model.name.clone() };
        self.models.iter().map(label).collect()
    }
}

fn is_exact(number: &Number) -> bool {
    number.bound() == Bound::Exact
}

/// Whether one entry is at most the other whatever the free dimensions are.
fn no_more(a: &Number, b: &Number) -> bool {
    match (a.dim(), b.dim()) {
        (Some(a), Some(b)) => a.known_le(&b) == Some(true),
        _ => a.real().zip(b.real()).is_some_and(|(a, b)| a <= b),
    }
}

/// Two numbers in the proportion that two formulas have whatever the free dimensions are.
fn proportion(part: &Dim, whole: &Dim) -> Option<(f64, f64)> {
    let at_one = |dim: &Dim| dim.substitute(&|_| Some(Dim::ONE)).as_int().filter(|value| *value != 0);
    let (a, b) = (at_one(part)?, at_one(whole)?);
    let divisor = gcd(a.unsigned_abs(), b.unsigned_abs()).try_into().ok().filter(|divisor: &i64| *divisor > 0)?;
    let same = part * &Dim::from(b / divisor) == whole * &Dim::from(a / divisor);
    (same && !(part * &Dim::from(b / divisor)).is_undefined()).then_some((a as f64, b as f64))
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The columns to fill: those of `keys`, else the default ones with all that the user gives.
pub fn columns_for(keys: &[String], given: Option<&UserFigures>) -> Result<Vec<Column>> {
    let mut all = columns::all();
    all.extend(given.iter().flat_map(|given| given.columns.clone()));
    if keys.is_empty() {
        let own = given.iter().flat_map(|given| given.columns.iter().map(|column| column.key.clone()));
        let default: Vec<String> = columns::DEFAULT.iter().map(|key| key.to_string()).chain(own).collect();
        return columns::choose(&all, &default);
    }
    columns::choose(&all, keys)
}
