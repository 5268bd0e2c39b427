//! Sizes that the data decide, under names that no exporter gives: a baseline calls them `data_1`, `data_2`, …

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::align::align;
use super::blocks::{Block, blocks, kind};
use crate::diff::{align::Alignment, shapes, signature::hash, symbols::Symbols};
use crate::dim::Dim;
use crate::report::{Report, TensorType};

/// What stands before the number.
const PREFIX: &str = "data_";

/// The sizes of a report that the data decide, numbered in the order in which nodes run.
pub(super) fn numbered(report: &Report) -> BTreeMap<Arc<str>, Dim> {
    let shapes = shapes(report);
    let mut found: Vec<Arc<str>> = Vec::new();
    for row in &report.nodes {
        let outputs = row.outputs.iter().filter_map(|name| shapes.get(&**name)?.shape.as_ref()).flatten();
        for dim in outputs.chain(row.counts.0.iter().flatten()).filter(|dim| dim.as_int().is_none()) {
            let mut names = BTreeSet::new();
            dim.data_symbols(&mut names);
            names.retain(|name| !found.contains(name));
            found.extend(names);
        }
    }
    let is_free = |name: &str| report.model.dims.iter().any(|dim| **dim == *name && !found.contains(dim));
    let numbers = (1..).map(|number: usize| format!("{PREFIX}{number}")).filter(|name| !is_free(name));
    found.iter().cloned().zip(numbers.map(|name| Dim::data(&name))).collect()
}

/// An expression of a baseline with the sizes in it that the data decide: what is named so and no size of an input.
pub(super) fn read_back(dim: &Dim, inputs: &[TensorType]) -> Dim {
    let of_inputs = || {
        let mut names = BTreeSet::new();
        inputs.iter().filter_map(|input| input.shape.as_ref()).flatten().for_each(|size| size.symbols(&mut names));
        names
    };
    dim.substitute(&|name| (is_numbered(name) && !of_inputs().contains(name)).then(|| Dim::data(name)))
}

/// Adds the report's sizes that the data decide in the words of the baseline: those of blocks that are the same blocks
/// are the same, in their order.
pub(super) fn unify(symbols: &mut Symbols, before: &[Block], report: &Report) {
    let names = numbered(report);
    if names.is_empty() {
        return;
    }
    let named = |dim: &Dim| match dim.as_int() {
        Some(_) => dim.clone(),
        None => symbols.translate(dim).substitute(&|name| names.get(name).cloned()),
    };
    let after = blocks(report, &named);
    // By number: what a size of now is called in the baseline.
    let mut same: BTreeMap<String, String> = BTreeMap::new();
    let mut pair = |old: Vec<String>, new: Vec<String>| {
        let old: Vec<String> = old.into_iter().filter(|old| !same.values().any(|name| name == old)).collect();
        let new: Vec<String> = new.into_iter().filter(|new| !same.contains_key(new)).collect();
        if old.len() == new.len() {
            same.extend(new.into_iter().zip(old));
        }
    };
    // First by the shapes of nodes, those first that are seldom like others; then by what blocks count.
    let (old, new) = (nodes(before), nodes(&after));
    let mut alignment = Alignment::new(old.len(), new.len());
    for of in [erased, |node: &str| hash(&kind(node))] {
        let hashes = |nodes: &[&str]| nodes.iter().map(|node| of(node)).collect::<Vec<u64>>();
        alignment.in_order(&hashes(&old), &hashes(&new));
    }
    let mut alike: BTreeMap<u64, usize> = BTreeMap::new();
    old.iter().chain(&new).for_each(|node| *alike.entry(erased(node)).or_default() += 1);
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    // What there is once in each is the same, wherever another order of the file puts it.
    let once = |nodes: &[&'_ str]| {
        let mut times: BTreeMap<u64, (usize, usize)> = BTreeMap::new();
        for (at, node) in nodes.iter().enumerate() {
            let entry = times.entry(erased(node)).or_insert((0, at));
            entry.0 += 1;
        }
        times
    };
    let (of_old, of_new) = (once(&old), once(&new));
    for (hash, (times, at)) in &of_old {
        if let (1, Some((1, other))) = (*times, of_new.get(hash)) {
            pairs.push((old[*at], new[*other]));
        }
    }
    pairs.extend(old.iter().zip(&alignment.to_after).filter_map(|(old, other)| Some((*old, new[(*other)?]))));
    pairs.sort_by_key(|(old, new)| (erased(old) != erased(new), alike.get(&erased(old)).copied()));
    for (old, new) in pairs {
        pair(of_shape(old), of_shape(new));
    }
    for (at, other) in align(before, &after).to_after.iter().enumerate() {
        other.iter().for_each(|other| pair(sizes(&before[at]), sizes(&after[*other])));
    }
    // What is left on both sides stands at places that are alike, or the formulas differ anyway.
    let every = |blocks: &[Block], nodes: &[&str]| -> Vec<String> {
        let mut all: Vec<String> =
            nodes.iter().flat_map(|node| of_shape(node)).chain(blocks.iter().flat_map(sizes)).collect();
        let mut seen = BTreeSet::new();
        all.retain(|name| seen.insert(name.clone()));
        all
    };
    pair(every(before, &old), every(&after, &new));
    let taken: BTreeSet<String> =
        before.iter().flat_map(sizes).chain(old.iter().flat_map(|node| of_shape(node))).collect();
    for (name, numbered) in names {
        let number = numbered.to_string();
        let new = match same.get(&number) {
            Some(old) => Dim::data(old),
            None if taken.contains(&number) => Dim::data(&format!("{number}′")),
            None => numbered,
        };
        symbols.name(name, new);
    }
}

fn is_numbered(name: &str) -> bool {
    let number = name.strip_prefix(PREFIX);
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|letter| letter.is_ascii_digit()))
}

fn nodes(blocks: &[Block]) -> Vec<&str> {
    blocks.iter().flat_map(|block| block.nodes.iter().map(String::as_str)).collect()
}

/// The words of a node's shape: sizes, and what joins them.
fn words(node: &str) -> impl Iterator<Item = &str> {
    let shape = node.split_once(" → ").map_or("", |(_, shape)| shape);
    shape.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
}

/// What a node is, whatever its sizes are called that the data decide.
fn erased(node: &str) -> u64 {
    hash(&(kind(node), words(node).map(|word| if is_numbered(word) { "?" } else { word }).collect::<Vec<_>>()))
}

/// The numbered sizes of a node's shape, each once.
fn of_shape(node: &str) -> Vec<String> {
    let mut sizes: Vec<String> = Vec::new();
    for word in words(node).filter(|word| is_numbered(word)) {
        if !sizes.iter().any(|size| size == word) {
            sizes.push(word.to_string());
        }
    }
    sizes
}

/// The numbered sizes in a block's counts.
fn sizes(block: &Block) -> Vec<String> {
    let mut sizes = BTreeSet::new();
    block.counts.0.iter().flatten().for_each(|count| count.data_symbols(&mut sizes));
    let mut sizes: Vec<String> = sizes.iter().filter(|name| is_numbered(name)).map(|name| name.to_string()).collect();
    // By number.
    sizes.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    sizes
}
