//! What changed between two models: nodes are aligned by structure, since exporters name them as they like, and the
//! changes add up to the difference of the totals.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::cost::{self, Counts, METRICS, Unit};
use crate::dim::Dim;
use crate::report::{Report, TensorType};
use crate::summary::levels;

pub(crate) mod align;
pub(crate) mod signature;
pub(crate) mod symbols;

use align::{Alignment, align};
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
    let mut symbols = Symbols::of_inputs(&before.model.inputs, &after.model.inputs);
    let old = nodes(before, &|dim| dim.clone());
    let new = nodes(after, &|dim| dim.clone());
    let (old_data, new_data) = (data_symbols(before), data_symbols(after));
    let erase = |dim: &Dim, data: &BTreeSet<Arc<str>>| match dim.as_int() {
        Some(_) => dim.clone(),
        None => dim.substitute(&|name| data.contains(name).then(|| Dim::data("?"))),
    };
    let names = |report: &Report| report.model.outputs.iter().map(|output| output.name.clone()).collect::<Vec<_>>();
    let old_signatures = signatures(&old, &before.tensors, &names(before), &|dim| erase(dim, &old_data));
    let of_new = |dim: &Dim| symbols.translate(&erase(dim, &new_data));
    let new_signatures = signatures(&new, &after.tensors, &names(after), &of_new);
    let alignment = align(&old_signatures, &new_signatures);
    let (old_shapes, new_shapes) = (shapes(before), shapes(after));
    for (at, other) in alignment.to_after.iter().enumerate().filter_map(|(at, other)| Some((at, (*other)?))) {
        for (old, new) in old[at].row.outputs.iter().zip(&new[other].row.outputs) {
            if let (Some(old), Some(new)) = (old_shapes.get(&**old), new_shapes.get(&**new)) {
                symbols.unify(old, new);
            }
        }
    }
    symbols.close(after);
    let new = nodes(after, &|dim| symbols.translate(dim));
    let items = items(&alignment);
    let differs = |item: &Item, but: Option<usize>| match *item {
        (Some(at), Some(other)) => {
            let counts = old[at].counts.iter().zip(&new[other].counts).enumerate();
            let other_counts = counts.filter(|(metric, _)| Some(*metric) != but).any(|(_, (old, new))| old != new);
            other_counts || old_signatures.result[at] != new_signatures.result[other]
        }
        _ => true,
    };
    let is_same = |item: &Item| !differs(item, None);
    // Exporters share settings, or repeat them: such nodes by themselves are no blocks that changed.
    let constants = cost::index_of("constants");
    let of_constants = |item: &Item| !differs(item, constants);
    let place = |node: &Node<'_>, shapes: &FxHashMap<&str, &TensorType>, dim: &dyn Fn(&Dim) -> Dim| {
        let shape = node.row.outputs.first().and_then(|name| shapes.get(&**name)?.shape.as_ref());
        Place {
            name: node.row.name.clone(),
            kind: node.row.kind.to_string(),
            shape: shape.map(|shape| shape.iter().map(dim).collect()),
        }
    };
    let change = |items: &[Item], scope: String| {
        let mut delta = Counts::zero();
        let mut pairs = Vec::with_capacity(items.len());
        for (at, other) in items {
            let (old_node, new_node) = (at.map(|at| &old[at]), other.map(|other| &new[other]));
            for (metric, delta) in delta.0.iter_mut().enumerate() {
                let count = |node: Option<&Node<'_>>| node.and_then(|node| node.counts[metric].clone());
                let (less, more) = (count(old_node), count(new_node));
                *delta = delta.take().map(|delta| delta + more.unwrap_or(Dim::ZERO) - less.unwrap_or(Dim::ZERO));
            }
            pairs.push(Pair {
                before: old_node.map(|node| place(node, &old_shapes, &|dim| dim.clone())),
                after: new_node.map(|node| place(node, &new_shapes, &|dim| symbols.translate(dim))),
            });
        }
        let kind = match () {
            () if items.iter().all(|item| item.0.is_none()) => Kind::Added,
            () if items.iter().all(|item| item.1.is_none()) => Kind::Removed,
            () => Kind::Changed,
        };
        Change { kind, scope, nodes: pairs, delta }
    };
    let scopes = (scopes(before), scopes(after));
    let scope_of = |item: Item| match item {
        (_, Some(other)) => scopes.1[other],
        (Some(at), None) => scopes.0[at],
        (None, None) => "",
    };
    let mut changes = Vec::new();
    let mut constants_alone: Vec<Item> = Vec::new();
    for run in items.split(|item| is_same(item)).filter(|run| !run.is_empty()) {
        match run.iter().all(of_constants) {
            true => constants_alone.extend(run),
            false => modules(run, 0, &scope_of, &mut |items, scope| changes.push(change(items, scope))),
        }
    }
    if !constants_alone.is_empty() {
        changes.push(change(&constants_alone, String::new()));
    }
    let side = |report: &Report| Side { path: report.model.path.clone(), name: report.model.name.clone() };
    let missing = |key: &&'static str| [before, after].iter().any(|report| report.totals.at_least.contains(key));
    Diff {
        before: side(before),
        after: side(after),
        totals: totals(before, after, &symbols),
        changes,
        unchanged: items.iter().filter(|item| is_same(item)).count(),
        incomplete: METRICS.iter().map(|metric| metric.key).filter(missing).collect(),
    }
}

/// The nodes whose counts make the totals.
fn nodes<'r>(report: &'r Report, dim: &dyn Fn(&Dim) -> Dim) -> Vec<Node<'r>> {
    let rows = report.nodes.iter().filter(|row| !row.alternative);
    rows.map(|row| Node { row, counts: row.counts.0.iter().map(|count| count.as_ref().map(dim)).collect() }).collect()
}

fn scopes(report: &Report) -> Vec<&str> {
    report.nodes.iter().filter(|row| !row.alternative).map(|row| &*row.scope).collect()
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

/// The most nodes that a change has where their modules tell smaller ones apart.
const BLOCK: usize = 16;

/// So many nodes on average make the modules of a run changes of their own.
const MODULE: usize = 4;

/// Cuts a run of changed nodes into modules; `add` gets each with its path.
pub(crate) fn modules<'s>(
    run: &[Item],
    depth: usize,
    scope: &dyn Fn(Item) -> &'s str,
    add: &mut dyn FnMut(&[Item], String),
) {
    let level = |item: &Item, depth: usize| levels(scope(*item)).nth(depth).map(str::to_string);
    let Some(first) = run.first() else { return };
    // The levels that all of them share.
    let mut shared = depth;
    while let Some(name) = level(first, shared)
        && run.iter().all(|item| level(item, shared).as_deref() == Some(&name))
    {
        shared += 1;
    }
    let ends = run.iter().all(|item| level(item, shared).is_none());
    let parts: Vec<&[Item]> = run.chunk_by(|a, b| level(a, shared) == level(b, shared)).collect();
    if ends || (run.len() <= BLOCK && run.len() < MODULE * parts.len()) || parts.len() == 1 {
        let path = scope(*first);
        let separator = if path.contains('/') { "/" } else { "." };
        add(run, levels(path).take(shared).collect::<Vec<_>>().join(separator));
        return;
    }
    parts.into_iter().for_each(|part| modules(part, shared, scope, add));
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
