//! What changed between two models: nodes are aligned by structure, since exporters name them as they like, and the
//! changes add up to the difference of the totals.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::cost::{Counts, METRICS, Row, Unit};
use crate::dim::Dim;
use crate::report::{Report, TensorType};

pub(crate) mod align;
mod blocks;
mod compare;
pub(crate) mod signature;
pub(crate) mod symbols;

use align::{Alignment, align, slide};
use blocks::blocks;
use compare::Compare;
use signature::{Node, signatures};
use symbols::Symbols;

/// What changed from one model to another. Formulas of the second are in the symbols of the first.
#[derive(Clone, Debug)]
pub struct Diff {
    /// The first model.
    pub before: Side,
    /// The second model.
    pub after: Side,
    /// Totals of both.
    pub totals: Vec<Total>,
    /// What changed, in the order in which nodes run; last, nodes that differ in their constants alone. The deltas add up
    /// to those of the totals.
    pub changes: Vec<Change>,
    /// How many nodes are the same.
    pub unchanged: usize,
    /// Metrics of which some node's count is unknown in one of the models: their deltas cover what is known.
    pub incomplete: Vec<&'static str>,
}

/// One of the two models.
#[derive(Clone, Debug)]
pub struct Side {
    /// Path as given.
    pub path: String,
    /// File name without `.onnx`.
    pub name: String,
}

/// A total before and after.
#[derive(Clone, Debug)]
pub struct Total {
    /// Metric key, or `nodes`, `peak_activation_bytes`.
    pub key: &'static str,
    /// Name in tables.
    pub title: &'static str,
    /// What it is counted in.
    pub unit: Unit,
    /// Of the first model; `None` where it is unknown.
    pub before: Option<Dim>,
    /// Of the second model.
    pub after: Option<Dim>,
    /// The second less the first.
    pub delta: Option<Dim>,
    /// Of each model, whether some node's count is unknown: there is more.
    pub at_least: [bool; 2],
}

/// What became of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// They are in the second model only.
    Added,
    /// They are in the first model only.
    Removed,
    /// They are in both, with other shapes or counts; or some came and others went.
    Changed,
}

/// Nodes next to each other that changed.
#[derive(Clone, Debug)]
pub struct Change {
    /// What became of them.
    pub kind: Kind,
    /// The module that they stand in; empty where none is known.
    pub scope: String,
    /// The nodes.
    pub nodes: Vec<Pair>,
    /// By how much each metric is more.
    pub delta: Counts,
}

/// A node before and after.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Pair {
    /// In the first model.
    pub before: Option<Place>,
    /// In the second model.
    pub after: Option<Place>,
    /// Whether it reads, or gives as the model's output, something else than before: what it costs may be the same.
    pub rewired: bool,
}

/// A node as a diff names it.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Place {
    /// Its name.
    pub name: String,
    /// The operator type with what tells its uses apart.
    pub kind: String,
    /// The shape of its first output.
    pub shape: Option<Vec<Dim>>,
}

/// What changed from one model to another.
pub fn diff(before: &Report, after: &Report) -> Diff {
    let names = |tensors: &[TensorType]| tensors.iter().map(|tensor| tensor.name.clone()).collect::<Vec<_>>();
    let [old, new] = [before, after].map(|report| [&report.model.inputs, &report.model.outputs].map(|of| names(of)));
    let by_place = against(before, after, &old, &new);
    if by_place.changes.is_empty() {
        return by_place;
    }
    // Inputs and outputs may have changed places, or names: what leaves less changed is right.
    let types = |report: &Report| {
        let shape = |tensor: &TensorType| {
            let sizes = tensor.shape.as_ref().map(|shape| shape.iter().map(Dim::as_int).collect::<Vec<_>>());
            format!("{:?} {sizes:?}", tensor.dtype)
        };
        [&report.model.inputs, &report.model.outputs].map(|of| of.iter().map(|tensor| shape(tensor).into()).collect())
    };
    let by = |keys: [[Vec<Arc<str>>; 2]; 2]| {
        let [mut first, mut second] = [old.clone(), new.clone()];
        for end in 0..2 {
            let order = in_common(&keys[0][end], &keys[1][end]);
            first[end] = order.0.iter().map(|at| old[end][*at].clone()).collect();
            second[end] = order.1.iter().map(|at| new[end][*at].clone()).collect();
        }
        (first, second)
    };
    let changed = |diff: &Diff| diff.changes.iter().map(|change| change.nodes.len()).sum::<usize>();
    let mut tried = vec![(old.clone(), new.clone())];
    let mut best = by_place;
    for ends in [by([old.clone(), new.clone()]), by([types(before), types(after)])] {
        if tried.contains(&ends) {
            continue;
        }
        let other = against(before, after, &ends.0, &ends.1);
        if changed(&other) < changed(&best) {
            best = other;
        }
        tried.push(ends);
    }
    best
}

/// The places in two lists in an order in which those of keys that are once in each stand beside each other, then the
/// others as they are.
fn in_common(old: &[Arc<str>], new: &[Arc<str>]) -> (Vec<usize>, Vec<usize>) {
    let once = |list: &[Arc<str>], key: &Arc<str>| list.iter().filter(|other| *other == key).count() == 1;
    let common = old.iter().enumerate().filter(|(_, key)| once(old, key) && once(new, key));
    let common = common.filter_map(|(at, key)| Some((at, new.iter().position(|other| other == key)?)));
    let (mut first, mut second): (Vec<usize>, Vec<usize>) = common.unzip();
    first.extend((0..old.len()).filter(|at| !first.contains(at)).collect::<Vec<_>>());
    second.extend((0..new.len()).filter(|at| !second.contains(at)).collect::<Vec<_>>());
    (first, second)
}

/// What changed where inputs and outputs at the same place of these lists are the same.
fn against(before: &Report, after: &Report, old_ends: &[Vec<Arc<str>>; 2], new_ends: &[Vec<Arc<str>>; 2]) -> Diff {
    let (old_shapes, new_shapes) = (shapes(before), shapes(after));
    let inputs = |ends: &[Arc<str>], shapes: &FxHashMap<&str, &'_ TensorType>| {
        ends.iter().filter_map(|name| shapes.get(&**name).copied()).cloned().collect::<Vec<_>>()
    };
    let mut symbols = Symbols::of_inputs(&inputs(&old_ends[0], &old_shapes), &inputs(&new_ends[0], &new_shapes));
    let old = nodes(before, &|dim| dim.clone());
    let new = nodes(after, &|dim| dim.clone());
    let (old_data, new_data) = (data_symbols(before), data_symbols(after));
    let erase = |dim: &Dim, data: &BTreeSet<Arc<str>>| match dim.as_int() {
        Some(_) => dim.clone(),
        None => dim.substitute(&|name| data.contains(name).then(|| Dim::data("?"))),
    };
    let old_signatures = signatures(&old, &before.tensors, &old_ends[0], &old_ends[1], &|dim| erase(dim, &old_data));
    let of_new = |dim: &Dim| symbols.translate(&erase(dim, &new_data));
    let new_signatures = signatures(&new, &after.tensors, &new_ends[0], &new_ends[1], &of_new);
    let mut alignment = align(&old_signatures, &new_signatures);
    let labels = blocks(before, after);
    slide(&mut alignment, (&old_signatures.own, &labels[0]), (&new_signatures.own, &labels[1]));
    for (at, other) in alignment.to_after.iter().enumerate().filter_map(|(at, other)| Some((at, (*other)?))) {
        for (old, new) in old[at].row.outputs.iter().zip(&new[other].row.outputs) {
            if let (Some(old), Some(new)) = (old_shapes.get(&**old), new_shapes.get(&**new)) {
                symbols.unify(old, new);
            }
        }
        symbols.unify_counts(&old[at].counts, &new[other].counts);
    }
    symbols.close(after);
    let new = nodes(after, &|dim| symbols.translate(dim));
    let items = items(&alignment);
    let compare = Compare {
        old: &old,
        new: &new,
        alignment: &alignment,
        signatures: [&old_signatures, &new_signatures],
        moved: BTreeSet::new(),
    };
    let moved = compare.moved(&items);
    let compare = Compare { moved, ..compare };
    let place = |node: &Node<'_>, shapes: &FxHashMap<&str, &TensorType>, dim: &dyn Fn(&Dim) -> Dim| {
        let shape = node.row.outputs.first().and_then(|name| shapes.get(&**name)?.shape.as_ref());
        Place {
            name: node.row.name.clone(),
            kind: node.row.kind.to_string(),
            shape: shape.map(|shape| shape.iter().map(dim).collect()),
        }
    };
    let pair = |item: &Item| Pair {
        before: item.0.map(|at| place(&old[at], &old_shapes, &|dim| dim.clone())),
        after: item.1.map(|other| place(&new[other], &new_shapes, &|dim| symbols.translate(dim))),
        rewired: compare.is_rewired(item),
    };
    let change = |(block, items): (&str, Vec<Item>)| Change {
        kind: match () {
            () if items.iter().all(|item| item.0.is_none()) => Kind::Added,
            () if items.iter().all(|item| item.1.is_none()) => Kind::Removed,
            () => Kind::Changed,
        },
        scope: block.to_string(),
        nodes: items.iter().map(pair).collect(),
        delta: compare.delta(&items),
    };
    let changes = changed_blocks(&compare, &items, &labels).into_iter().map(change).collect();
    let side = |report: &Report| Side { path: report.model.path.clone(), name: report.model.name.clone() };
    let missing = |key: &&'static str| [before, after].iter().any(|report| report.totals.at_least.contains(key));
    Diff {
        before: side(before),
        after: side(after),
        totals: totals(before, after, &symbols),
        changes,
        unchanged: items.iter().filter(|item| compare.is_same(item)).count(),
        incomplete: METRICS.iter().map(|metric| metric.key).filter(missing).collect(),
    }
}

/// What is not the same, by block, in the order in which nodes run; last, what differs in its constants alone.
fn changed_blocks<'l>(compare: &Compare, items: &[Item], labels: &'l [Vec<String>; 2]) -> Vec<(&'l str, Vec<Item>)> {
    // A model without modules is named after the other's.
    let own = |item: &Item| {
        let label = |side: usize, at: Option<usize>| at.map(|at| &*labels[side][at]).filter(|label| !label.is_empty());
        label(1, item.1).or(label(0, item.0))
    };
    let has_none = labels[0].iter().all(String::is_empty) || labels[1].iter().all(String::is_empty);
    let mut last = "";
    let block_of: FxHashMap<Item, &str> = items
        .iter()
        .map(|item| {
            last = own(item).unwrap_or(if has_none { last } else { "" });
            (*item, last)
        })
        .collect();
    let block_of = |item: &Item| block_of[item];
    let mut blocks: Vec<(&str, Vec<Item>)> = Vec::new();
    let mut places: FxHashMap<&str, usize> = FxHashMap::default();
    let mut constants_alone: Vec<Item> = Vec::new();
    for run in items.split(|item| compare.is_same(item)).filter(|run| !run.is_empty()) {
        // Exporters share settings, or repeat them: such nodes by themselves are no blocks that changed.
        if run.iter().all(|item| compare.is_of_constants(item)) {
            constants_alone.extend(run);
            continue;
        }
        // What changed in a block is one change, whatever stayed between.
        for part in run.chunk_by(|a, b| block_of(a) == block_of(b)) {
            let block = block_of(&part[0]);
            let place = if block.is_empty() { blocks.len() } else { *places.entry(block).or_insert(blocks.len()) };
            if place == blocks.len() {
                blocks.push((block, Vec::new()));
            }
            blocks[place].1.extend(part);
        }
    }
    blocks.extend(Some(("", constants_alone)).filter(|(_, items)| !items.is_empty()));
    blocks
}

/// All nodes with what they add to the totals.
fn nodes<'r>(report: &'r Report, dim: &dyn Fn(&Dim) -> Dim) -> Vec<Node<'r>> {
    let counts = |row: &Row| match row.alternative {
        // What a branch costs is in the node that runs it.
        true => vec![Some(Dim::ZERO); METRICS.len()],
        false => row.counts.0.iter().map(|count| count.as_ref().map(dim)).collect(),
    };
    report.nodes.iter().map(|row| Node { row, counts: counts(row) }).collect()
}

fn data_symbols(report: &Report) -> BTreeSet<Arc<str>> {
    let mut names = BTreeSet::new();
    let shapes = report.tensors.iter().filter_map(|info| info.tensor.shape.as_ref()).flatten();
    let counts = report.nodes.iter().flat_map(|row| row.counts.0.iter().flatten());
    shapes.chain(counts).filter(|dim| dim.as_int().is_none()).for_each(|dim| dim.data_symbols(&mut names));
    names
}

pub(crate) fn shapes(report: &Report) -> FxHashMap<&str, &TensorType> {
    report.tensors.iter().map(|info| (&*info.tensor.name, &info.tensor)).collect()
}

/// A node of the first model, of the second, or both.
pub(crate) type Item = (Option<usize>, Option<usize>);

/// All nodes of both models in one order: that of the second, where those that went stand behind what they stood behind.
pub(crate) fn items(alignment: &Alignment) -> Vec<Item> {
    let mut gone: FxHashMap<Option<usize>, Vec<usize>> = FxHashMap::default();
    let mut behind = None;
    for (at, other) in alignment.to_after.iter().enumerate() {
        match other {
            Some(other) => behind = Some(*other),
            None => gone.entry(behind).or_default().push(at),
        }
    }
    let mut items = Vec::with_capacity(alignment.to_before.len());
    let mut add_gone = |items: &mut Vec<Item>, behind: Option<usize>| {
        items.extend(gone.remove(&behind).into_iter().flatten().map(|at| (Some(at), None)));
    };
    add_gone(&mut items, None);
    for (other, at) in alignment.to_before.iter().enumerate() {
        items.push((*at, Some(other)));
        add_gone(&mut items, Some(other));
    }
    items
}

fn totals(before: &Report, after: &Report, symbols: &Symbols) -> Vec<Total> {
    let reports = [before, after];
    let total = |key: &'static str, title, unit, before: Option<Dim>, after: Option<Dim>| {
        let delta = before.as_ref().zip(after.as_ref()).map(|(before, after)| after - before);
        let at_least = reports.map(|report| report.totals.at_least.contains(&key));
        Total { key, title, unit, before, after, delta: delta.filter(|delta| !delta.is_undefined()), at_least }
    };
    let count = |report: &Report| Some(Dim::from(report.totals.nodes));
    let mut totals = vec![total("nodes", "Nodes", Unit::Count, count(before), count(after))];
    for (index, metric) in METRICS.iter().enumerate() {
        let after = after.totals.counts.0[index].as_ref().map(|count| symbols.translate(count));
        totals.push(total(metric.key, metric.title, metric.unit, before.totals.counts.0[index].clone(), after));
    }
    let peak = |report: &Report| report.totals.peak_activation_bytes.map(Dim::from);
    totals.push(total("peak_activation_bytes", "Peak activations", Unit::Bytes, peak(before), peak(after)));
    totals
}

impl Diff {
    /// A metric's total, by key.
    pub fn total(&self, key: &str) -> Option<&Total> {
        self.totals.iter().find(|total| total.key == key)
    }

    /// A change's part in the difference of a metric; `None` where one of them is a formula, or the totals are equal.
    pub fn share(&self, change: &Change, metric: usize) -> Option<f64> {
        let part = change.delta.0[metric].as_ref()?.as_int()?;
        let whole = self.total(METRICS[metric].key)?.delta.as_ref()?.as_int()?;
        (whole != 0).then(|| part as f64 / whole as f64)
    }
}
