//! A model as a sequence of blocks: an account coarse enough to be stored, fine enough to say where a change is.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::align::align;
use super::modules::modules;
use crate::cost::{Counts, METRICS, Row, index_of};
use crate::diff::Kind;
use crate::diff::{items, shapes};
use crate::dim::Dim;
use crate::render::number::plural;
use crate::report::Report;
use crate::summary::levels;

/// Nodes next to each other that belong together.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// The module that its nodes stand in, else its first node with MACs.
    pub name: String,
    /// Its nodes: kind and shape of the first output, `Conv 3×3 → 1×32×112×112`; the kind alone where the shape is that
    /// of the node before.
    pub nodes: Vec<String>,
    /// Sums of its nodes' counts; unknown where that of one of them is.
    pub counts: Counts,
    /// The name of its first node with MACs, else of its first node; empty in a baseline.
    pub node: String,
}

/// A difference between the blocks of a baseline and those of now.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause {
    /// What became of it.
    pub kind: Kind,
    /// The block's name now, else in the baseline.
    pub block: String,
    /// What is different, in words.
    pub what: String,
    /// A node of now; empty where the block went.
    pub node: String,
    /// By how many nodes it is more.
    pub nodes: i64,
    /// By how much each metric is more.
    pub delta: Counts,
}

/// A block of more nodes than this is cut by modules, and where there are none, before nodes with MACs.
const LONGEST: usize = 32;

/// The blocks of a report, in the order in which nodes run, sizes by `dim`. Blocks end at nodes that all that follows
/// depends on, and begin with work: a convolution takes along the normalisation and activation behind it.
pub fn blocks(report: &Report, dim: &dyn Fn(&Dim) -> Dim) -> Vec<Block> {
    let rows: Vec<&Row> = report.nodes.iter().filter(|row| !row.alternative).collect();
    let mut producers: FxHashMap<&str, usize> = FxHashMap::default();
    for (at, row) in rows.iter().enumerate() {
        producers.extend(row.outputs.iter().filter(|name| !name.is_empty()).map(|name| (&**name, at)));
    }
    let mut last_read: Vec<usize> = (0..rows.len()).collect();
    for (at, row) in rows.iter().enumerate() {
        for producer in row.inputs.iter().filter_map(|name| producers.get(&**name)) {
            last_read[*producer] = last_read[*producer].max(at);
        }
    }
    let macs = index_of("macs").unwrap_or_default();
    let is_heavy = |at: usize| rows[at].counts.0[macs].as_ref().is_none_or(|macs| *macs != Dim::ZERO);
    let (mut found, mut start, mut segment, mut reach) = (Vec::new(), 0, 0, 0);
    let (mut heavy, mut segment_heavy) = (false, false);
    for (at, read) in last_read.iter().enumerate() {
        segment_heavy |= is_heavy(at);
        // Whether only this node's outputs are read behind it.
        let ends = reach <= at;
        reach = reach.max(*read);
        if !ends && at + 1 < rows.len() {
            continue;
        }
        if heavy && segment_heavy {
            found.push(start..segment);
            start = segment;
            heavy = false;
        }
        (heavy, segment_heavy) = (heavy || segment_heavy, false);
        segment = at + 1;
    }
    found.push(start..rows.len());
    let shapes = shapes(report);
    let describe = |row: &Row| {
        let shape = row.outputs.first().and_then(|name| shapes.get(&**name)?.shape.as_ref());
        match shape {
            Some(shape) if !shape.is_empty() => {
                let sizes: Vec<String> = shape.iter().map(|size| dim(size).to_string()).collect();
                format!("{} → {}", row.kind, sizes.join("×"))
            }
            _ => row.kind.to_string(),
        }
    };
    let mut blocks = Vec::new();
    let mut add = |nodes: &[usize]| {
        let Some(first) = nodes.first() else { return };
        let mut heavy = nodes.iter().filter(|at| is_heavy(**at));
        let (lead, second) = (heavy.next(), heavy.next());
        let of = lead.unwrap_or(first);
        let mut counts = Counts::zero();
        for (metric, sum) in counts.0.iter_mut().enumerate() {
            *sum = nodes.iter().map(|at| rows[*at].counts.0[metric].as_ref().map(dim)).sum();
        }
        let scope = match second {
            Some(_) => shared(nodes.iter().map(|at| &*rows[*at].scope)),
            None => rows[*of].scope.clone(),
        };
        let name = if scope.is_empty() { rows[*of].name.clone() } else { scope };
        // A shape is said once for nodes that keep it.
        let mut shape = String::new();
        let mut description = |at: &usize| {
            let whole = describe(rows[*at]);
            match whole.split_once(" → ") {
                Some((kind, of)) if of == shape => return kind.to_string(),
                Some((_, of)) => shape = of.to_string(),
                None => {}
            }
            whole
        };
        let descriptions = nodes.iter().map(&mut description).collect();
        blocks.push(Block { name, nodes: descriptions, counts, node: rows[*of].name.clone() });
    };
    for range in found.into_iter().filter(|range| !range.is_empty()) {
        let nodes: Vec<usize> = range.collect();
        if nodes.len() <= LONGEST {
            add(&nodes);
            continue;
        }
        modules(&nodes, 0, &|at| &*rows[at].scope, &mut |part| {
            if part.len() <= LONGEST {
                return add(part);
            }
            // A part begins with work, save the first.
            let (mut start, mut heavy) = (0, false);
            for at in 0..part.len() {
                if is_heavy(part[at]) {
                    if heavy {
                        add(&part[start..at]);
                        start = at;
                    }
                    heavy = true;
                }
            }
            add(&part[start..]);
        });
    }
    blocks
}

/// The levels that all module paths share.
fn shared<'s>(mut scopes: impl Iterator<Item = &'s str>) -> String {
    let Some(first) = scopes.next() else { return String::new() };
    let mut common: Vec<&str> = levels(first).collect();
    for scope in scopes {
        let same = common.iter().zip(levels(scope)).take_while(|(a, b)| **a == *b).count();
        common.truncate(same);
    }
    common.join(if first.contains('/') { "/" } else { "." })
}

/// What is different between the blocks of a baseline and those of now, in the order of now. Blocks are aligned by what
/// they do, since exporters name them as they like; the deltas add up to those of all blocks.
pub fn causes(before: &[Block], after: &[Block]) -> Vec<Cause> {
    let alignment = align(before, after);
    let same = |item: &crate::diff::Item| match *item {
        (Some(old), Some(new)) => before[old].counts == after[new].counts && before[old].nodes == after[new].nodes,
        _ => false,
    };
    let items = items(&alignment);
    let mut causes = Vec::new();
    // What came and went at the same place is one change.
    for run in items.chunk_by(|a, b| (a.0.is_none() || a.1.is_none()) && (b.0.is_none() || b.1.is_none())) {
        if run.iter().all(same) {
            continue;
        }
        let old: Vec<&Block> = run.iter().filter_map(|item| Some(&before[item.0?])).collect();
        let new: Vec<&Block> = run.iter().filter_map(|item| Some(&after[item.1?])).collect();
        causes.push(cause(&old, &new));
    }
    causes
}

/// What a node is, its shape left out.
pub(super) fn kind(node: &str) -> &str {
    node.split(" → ").next().unwrap_or(node)
}

fn cause(old: &[&Block], new: &[&Block]) -> Cause {
    let mut delta = Counts::zero();
    for (metric, delta) in delta.0.iter_mut().enumerate() {
        let sum = |blocks: &[&Block]| blocks.iter().map(|block| block.counts.0[metric].clone()).sum::<Option<Dim>>();
        *delta = sum(new).zip(sum(old)).map(|(new, old)| new - old);
    }
    let kind = match (old.is_empty(), new.is_empty()) {
        (true, _) => Kind::Added,
        (_, true) => Kind::Removed,
        _ => Kind::Changed,
    };
    let lead = new.first().or(old.first());
    let count = |blocks: &[&Block]| blocks.iter().map(|block| block.nodes.len() as i64).sum::<i64>();
    let more = new.len().max(old.len()).saturating_sub(1);
    let block = lead.map(|block| block.name.clone()).unwrap_or_default();
    let block = if more > 0 { format!("{block} and {more} more") } else { block };
    Cause {
        kind,
        block,
        what: what(old, new),
        node: new.first().map(|block| block.node.clone()).unwrap_or_default(),
        nodes: count(new) - count(old),
        delta,
    }
}

/// `Conv 1×1 → 1×96×56×56 instead of 1×48×56×56, 3 nodes more`.
fn what(old: &[&Block], new: &[&Block]) -> String {
    let nodes = |blocks: &[&Block]| blocks.iter().flat_map(|block| block.nodes.clone()).collect::<Vec<_>>();
    let (old, new) = (nodes(old), nodes(new));
    if old.is_empty() || new.is_empty() {
        let all = if new.is_empty() { &old } else { &new };
        return format!(
            "{}: {}",
            plural(all.len(), "node"),
            all.iter().take(2).cloned().collect::<Vec<_>>().join(", ")
        );
    }
    if !old.iter().map(|node| kind(node)).eq(new.iter().map(|node| kind(node))) {
        let mut more: BTreeMap<&str, i64> = BTreeMap::new();
        new.iter().for_each(|node| *more.entry(kind(node)).or_default() += 1);
        old.iter().for_each(|node| *more.entry(kind(node)).or_default() -= 1);
        let part = |(kind, count): (&&str, &i64)| match count {
            0 => None,
            count if *count > 0 => Some(format!("+{count} {kind}")),
            count => Some(format!("−{} {kind}", -count)),
        };
        let parts: Vec<String> = more.iter().filter_map(part).collect();
        let parts = if parts.is_empty() { "other order".to_string() } else { parts.join(", ") };
        return format!("{}: {parts}", new[0]);
    }
    let differ: Vec<_> = old.iter().zip(&new).filter(|(old, new)| old != new).collect();
    match differ.first() {
        None => format!("{}, with other inputs or weights", new[0]),
        Some((old, new)) => {
            let was = old.split(" → ").nth(1).unwrap_or("?");
            let more =
                if differ.len() > 1 { format!(", {} more", plural(differ.len() - 1, "node")) } else { String::new() };
            format!("{new} instead of {was}{more}")
        }
    }
}

impl Cause {
    /// By how much this metric is more; `None` where it is unknown, or no sum over nodes.
    pub fn delta(&self, key: &str) -> Option<Dim> {
        if key == "nodes" {
            return Some(self.nodes.into());
        }
        self.delta.0[METRICS.iter().position(|metric| metric.key == key)?].clone()
    }
}
