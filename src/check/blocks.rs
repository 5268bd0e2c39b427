//! A model as a sequence of blocks: an account coarse enough to be stored, fine enough to say where a change is.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::align::align;
use super::modules::modules;
use crate::cost::{Counted, Counts, METRICS, Row, index_of};
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
    /// What stands in branches of which one runs, in the same words: it is in the counts by what its node may cost at most.
    pub branches: Vec<String>,
    /// Sums of what is known of its nodes' counts.
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
    let mut rows: Vec<&Row> = Vec::new();
    let mut branches: FxHashMap<usize, Vec<&Row>> = FxHashMap::default();
    for row in &report.nodes {
        match row.alternative {
            // Branches stand behind the node that runs one of them.
            true => branches.entry(rows.len().saturating_sub(1)).or_default().push(row),
            false => rows.push(row),
        }
    }
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
    let (mut blocks, mut names) = (Vec::new(), Vec::new());
    let mut add = |nodes: &[usize]| {
        let Some(first) = nodes.first() else { return };
        let mut heavy = nodes.iter().filter(|at| is_heavy(**at));
        let of = heavy.next().unwrap_or(first);
        let mut counts = Counts::zero();
        for (metric, sum) in counts.0.iter_mut().enumerate() {
            *sum = Some(nodes.iter().filter_map(|at| rows[*at].counts.0[metric].as_ref().map(dim)).sum());
        }
        let heavy: Vec<&usize> = std::iter::once(of).chain(heavy).collect();
        let scopes = |nodes: &[&usize]| shared(nodes.iter().map(|at| &*rows[**at].scope));
        let all = if heavy.len() > 1 { scopes(&nodes.iter().collect::<Vec<_>>()) } else { String::new() };
        names.push([all, scopes(&heavy), rows[*of].scope.clone(), rows[*of].name.clone()]);
        // A shape is said once for nodes that keep it.
        let mut shape = String::new();
        let mut description = |row: &Row| {
            let whole = describe(row);
            match whole.split_once(" → ") {
                Some((kind, of)) if of == shape => return kind.to_string(),
                Some((_, of)) => shape = of.to_string(),
                None => {}
            }
            whole
        };
        let descriptions = nodes.iter().map(|at| description(rows[*at])).collect();
        let inner = nodes.iter().flat_map(|at| branches.get(at)).flatten();
        let branches = inner.map(|row| description(row)).collect();
        blocks.push(Block { name: String::new(), nodes: descriptions, branches, counts, node: rows[*of].name.clone() });
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
    for (block, name) in blocks.iter_mut().zip(name_apart(&names)) {
        block.name = name;
    }
    blocks
}

/// Names of a block, from the one that says most of it to the one that none shares: the module of all its nodes, of those
/// with MACs, of the first of them, its name.
type Names = [String; 4];

/// For each block its first name that is no other's and of no module in which others stand.
fn name_apart(names: &[Names]) -> Vec<String> {
    let mut chosen = vec![0; names.len()];
    for _ in 1..4 {
        let now: Vec<&str> = names.iter().zip(&chosen).map(|(names, at)| &*names[*at]).collect();
        let mut times: FxHashMap<String, usize> = FxHashMap::default();
        for name in &now {
            let levels: Vec<&str> = levels(name).collect();
            (1..=levels.len()).for_each(|end| *times.entry(levels[..end].join("/")).or_default() += 1);
        }
        let is_vague =
            |name: &str| levels(name).next().is_none() || times[&levels(name).collect::<Vec<_>>().join("/")] > 1;
        let vague: Vec<bool> = now.iter().map(|name| is_vague(name)).collect();
        chosen.iter_mut().zip(vague).for_each(|(at, vague)| *at = (*at + usize::from(vague)).min(3));
    }
    names.iter().zip(chosen).map(|(names, at)| names[at].clone()).collect()
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
        (Some(old), Some(new)) => {
            let (old, new) = (&before[old], &after[new]);
            (&old.counts, &old.nodes, &old.branches) == (&new.counts, &new.nodes, &new.branches)
        }
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
    let all = |blocks: &[&Block], of: fn(&Block) -> &Vec<String>| -> Vec<String> {
        blocks.iter().flat_map(|block| of(block).clone()).collect()
    };
    let nodes = [old, new].map(|blocks| all(blocks, |block| &block.nodes));
    let first = |nodes: &[String]| nodes.first().cloned().unwrap_or_default();
    if nodes.iter().any(Vec::is_empty) {
        let all = nodes.concat();
        return format!(
            "{}: {}",
            plural(all.len(), "node"),
            all.iter().take(2).cloned().collect::<Vec<_>>().join(", ")
        );
    }
    let branches = [old, new].map(|blocks| all(blocks, |block| &block.branches));
    let in_branch = || Some(format!("{}, in a branch: {}", first(&nodes[1]), other(&branches)?));
    other(&nodes).or_else(in_branch).unwrap_or_else(|| match oftener(old, new) {
        Some(times) => format!("{}, run {times} times as often", first(&nodes[1])),
        None => format!("{}, with other inputs or weights", first(&nodes[1])),
    })
}

/// What is different between two sequences of nodes; `None` where nothing is.
fn other([old, new]: &[Vec<String>; 2]) -> Option<String> {
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
        return Some(format!("{}: {parts}", new.first().or(old.first())?));
    }
    let differ: Vec<_> = old.iter().zip(new).filter(|(old, new)| old != new).collect();
    let (old, new) = differ.first()?;
    let was = old.split(" → ").nth(1).unwrap_or("the shape before");
    let more = if differ.len() > 1 { format!(", {} more", plural(differ.len() - 1, "node")) } else { String::new() };
    Some(format!("{new} instead of {was}{more}"))
}

/// How many times as often the same nodes run, where all that counts per run is more by one factor.
fn oftener(old: &[&Block], new: &[&Block]) -> Option<f64> {
    let sum = |blocks: &[&Block], at: usize| {
        blocks.iter().map(|block| block.counts.0[at].as_ref()?.as_int()).sum::<Option<i64>>()
    };
    let mut factor: Option<(i128, i128)> = None;
    for (at, metric) in METRICS.iter().enumerate() {
        let (old, new) = (i128::from(sum(old, at)?), i128::from(sum(new, at)?));
        match metric.counted {
            Counted::PerRun if old == 0 && new == 0 => {}
            Counted::PerRun => {
                let (before, after) = *factor.get_or_insert((old, new));
                (old * after == new * before).then_some(())?;
            }
            _ => (old == new).then_some(())?,
        }
    }
    let (before, after) = factor.filter(|(before, after)| *before > 0 && before != after)?;
    Some((1000.0 * after as f64 / before as f64).round() / 1000.0)
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
