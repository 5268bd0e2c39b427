//! The runtime's nodes mapped back to the nodes of the account, and what was measured as a [`Latency`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rustc_hash::FxHashMap;

use super::engine::{RuntimeNode, Samples};
use super::prepare::Place;
use super::statistics::{middle, quantile, sorted};
use super::{Latency, LatencyOptions, NodeLatency, cpu};
use crate::cost::Row;
use crate::report::Report;

/// What was measured, node by node of the account.
pub(super) fn latency(
    report: &Report,
    places: &[Place],
    samples: &Samples,
    (synthetic_weights, short_data): (bool, Option<String>),
    options: &LatencyOptions<'_>,
) -> Latency {
    let plain = sorted(samples.plain.clone());
    let ms = |nanoseconds: f64| nanoseconds / 1e6;
    let median_ms = ms(quantile(&plain, 0.5));
    // Parts of sums add up, parts of medians do not: shares are taken of the runs in the middle half as a whole.
    let kept = middle(&samples.profiled);
    let whole = kept.iter().map(|&run| samples.profiled[run]).sum::<u64>().max(1) as f64;
    let share_ms = |times: &[u64]| median_ms * kept.iter().map(|&run| times[run]).sum::<u64>() as f64 / whole;
    let network = Network::new(report, places);
    let homes = network.homes(samples);
    let mut by_number: BTreeMap<usize, (Vec<u64>, Vec<String>)> = BTreeMap::new();
    let mut unmapped_ms = 0.0;
    for (node, home) in samples.nodes.iter().zip(&homes.of) {
        let Some(number) = *home else {
            unmapped_ms += share_ms(&node.times);
            continue;
        };
        let (times, ops) = by_number.entry(number).or_insert_with(|| (vec![0; samples.profiled.len()], Vec::new()));
        times.iter_mut().zip(&node.times).for_each(|(sum, time)| *sum += time);
        ops.push(node.op.clone());
    }
    let ran = by_number.iter().map(|(&number, (_, ops))| (places[number].name.as_str(), &ops[..]));
    let timed: BTreeMap<&str, &[String]> = ran.collect();
    let (mut fused, removed) = network.fused(&timed, &homes.absorbed);
    let nodes: Vec<NodeLatency> = by_number
        .iter()
        .map(|(&number, (times, ops))| NodeLatency {
            name: places[number].name.clone(),
            op_type: places[number].op_type.clone(),
            ms: share_ms(times),
            median_ms: ms(quantile(&sorted(times.clone()), 0.5)),
            runtime_ops: ops.clone(),
            fused: fused.remove(places[number].name.as_str()).unwrap_or_default(),
        })
        .collect();
    let nodes_ms: f64 = nodes.iter().map(|node| node.ms).sum();
    let count = |of: fn(&RuntimeNode) -> bool| samples.nodes.iter().filter(|node| of(node)).count();
    Latency {
        backend: "tract",
        version: VERSION,
        cpu: cpu::name(),
        threads: options.threads.max(1),
        warmup: options.warmup,
        runs: plain.len(),
        stopped: samples.stopped,
        median_ms,
        p10_ms: ms(quantile(&plain, 0.1)),
        p90_ms: ms(quantile(&plain, 0.9)),
        min_ms: ms(quantile(&plain, 0.0)),
        throughput_per_second: if median_ms > 0.0 { 1e3 / median_ms } else { 0.0 },
        load_ms: ms(samples.load.as_nanos() as f64),
        optimize_ms: ms(samples.optimize.as_nanos() as f64),
        synthetic_weights,
        short_data,
        not_finite_nodes: count(|node| node.not_finite),
        subnormal_nodes: count(|node| node.subnormal),
        profiled_median_ms: ms(quantile(&sorted(samples.profiled.clone()), 0.5)),
        nodes,
        nodes_ms,
        unmapped_ms,
        unattributed_ms: median_ms - nodes_ms - unmapped_ms,
        removed,
    }
}

/// Version of tract, as Cargo.toml pins it.
pub const VERSION: &str = "0.23.9";

/// tract's matrix product: it takes in the nodes that follow it and has the name of the last of them.
const PRODUCT: &str = "OptMatMul";

/// What stands in the name of tract's operator that scales and shifts, where a normalization runs.
const SCALED: &str = "Mul+Add";

/// The nodes that ran, each with what the runtime ran for it.
type Timed<'r> = BTreeMap<&'r str, &'r [String]>;

/// The rows of the account as a graph.
struct Network<'r> {
    rows: &'r [Row],
    places: &'r [Place],
    /// Rows that read a tensor, and that write it.
    readers: FxHashMap<&'r str, Vec<usize>>,
    makers: FxHashMap<&'r str, Vec<usize>>,
    /// By name, the first row and the node's number.
    by_name: FxHashMap<&'r str, usize>,
    numbers: FxHashMap<&'r str, usize>,
}

/// For which node of the file each of the runtime's nodes runs.
struct Homes<'r> {
    /// By the runtime's nodes, the node's number.
    of: Vec<Option<usize>>,
    /// Nodes that a matrix product took in, and the node whose product it is.
    absorbed: BTreeMap<&'r str, &'r str>,
}

impl<'r> Network<'r> {
    fn new(report: &'r Report, places: &'r [Place]) -> Network<'r> {
        let rows = &report.nodes[..];
        let (mut readers, mut makers) =
            (FxHashMap::<&str, Vec<usize>>::default(), FxHashMap::<&str, Vec<usize>>::default());
        let mut by_name = FxHashMap::default();
        for (index, row) in rows.iter().enumerate() {
            let named =
                |names: &'r [std::sync::Arc<str>]| names.iter().map(|name| &**name).filter(|name| !name.is_empty());
            named(&row.inputs).for_each(|name| readers.entry(name).or_default().push(index));
            named(&row.outputs).for_each(|name| makers.entry(name).or_default().push(index));
            by_name.entry(row.name.as_str()).or_insert(index);
        }
        let numbers = places.iter().enumerate().map(|(number, place)| (place.name.as_str(), number)).collect();
        Network { rows, places, readers, makers, by_name, numbers }
    }

    fn multiplies(&self, row: usize) -> bool {
        self.rows[row].counts.get("macs").is_some_and(|macs| *macs != 0)
    }

    /// The rows that read what a row writes, or that write what it reads.
    fn next(&self, row: usize, forward: bool) -> impl Iterator<Item = usize> + '_ {
        let row = &self.rows[row];
        let (tensors, table) = if forward { (&row.outputs, &self.readers) } else { (&row.inputs, &self.makers) };
        tensors.iter().filter_map(|name| table.get(&**name)).flatten().copied()
    }

    /// By the number in its name, save that a matrix product that has the name of a node that multiplies nothing is that
    /// of the nearest node before it that does, and has no product of its own name.
    fn homes(&self, samples: &Samples) -> Homes<'r> {
        let number = |node: &RuntimeNode| node.number().filter(|number| *number < self.places.len());
        let row = |number: usize| self.by_name.get(self.places[number].name.as_str()).copied();
        let products = samples.nodes.iter().filter(|node| node.op == PRODUCT).filter_map(number);
        let mut taken: BTreeSet<usize> = products.filter_map(row).filter(|&row| self.multiplies(row)).collect();
        let mut absorbed = BTreeMap::new();
        let mut home = |node: &RuntimeNode| {
            let named = number(node)?;
            let Some(start) = row(named).filter(|&row| node.op == PRODUCT && !self.multiplies(row)) else {
                return Some(named);
            };
            let mut from: BTreeMap<usize, usize> = BTreeMap::from([(start, start)]);
            let mut open = VecDeque::from([start]);
            while let Some(at) = open.pop_front() {
                if self.multiplies(at) {
                    if !taken.insert(at) {
                        continue;
                    }
                    let (owner, mut on) = (self.rows[at].name.as_str(), at);
                    while on != start {
                        on = from[&on];
                        absorbed.insert(self.rows[on].name.as_str(), owner);
                    }
                    return self.numbers.get(owner).copied().or(Some(named));
                }
                for next in self.next(at, false) {
                    from.entry(next).or_insert_with(|| {
                        open.push_back(next);
                        at
                    });
                }
            }
            Some(named)
        };
        let of = samples.nodes.iter().map(&mut home).collect();
        Homes { of, absorbed }
    }

    /// For every node of the account that did not run by itself, the node that did its work: the product that took it in,
    /// or whose weights it was multiplied into, else the nearest that ran after it, else the nearest before it, else the one
    /// in whose body it stands; and the nodes for which there is none.
    fn fused(
        &self,
        timed: &Timed<'r>,
        absorbed: &BTreeMap<&'r str, &'r str>,
    ) -> (FxHashMap<&'r str, Vec<String>>, Vec<String>) {
        let mut lists: FxHashMap<&str, Vec<String>> = FxHashMap::default();
        let mut removed = Vec::new();
        let mut listed = BTreeSet::new();
        for (index, row) in self.rows.iter().enumerate() {
            let name = row.name.as_str();
            // A body that is accounted run by run has its nodes several times.
            if timed.contains_key(name) || !listed.insert(name) {
                continue;
            }
            let survivor = absorbed.get(name).copied();
            let survivor = survivor.or_else(|| self.scaled(index, timed));
            let survivor = survivor.or_else(|| self.nearest(index, true, timed));
            let survivor = survivor.or_else(|| self.nearest(index, false, timed));
            match survivor.or_else(|| self.owner(name, timed)) {
                Some(survivor) => lists.entry(survivor).or_default().push(row.name.clone()),
                None => removed.push(row.name.clone()),
            }
        }
        (lists, removed)
    }

    /// The product whose weights took in what a node multiplies and adds: the nearest before it that ran, where the node has
    /// parameters and does not multiply matrices. None where the one that ran after it multiplies and adds instead.
    fn scaled(&self, index: usize, timed: &Timed<'r>) -> Option<&'r str> {
        let learned = self.rows[index].counts.get("params").is_some_and(|params| *params != 0);
        if !learned || self.multiplies(index) {
            return None;
        }
        let later = self.nearest(index, true, timed).and_then(|name| timed.get(name));
        if later.is_some_and(|ops| ops.iter().any(|op| op.contains(SCALED))) {
            return None;
        }
        let before = self.nearest(index, false, timed)?;
        self.by_name.get(before).filter(|row| self.multiplies(**row)).map(|_| before)
    }

    fn nearest(&self, from: usize, forward: bool, timed: &Timed<'r>) -> Option<&'r str> {
        let (mut open, mut seen) = (VecDeque::from([from]), BTreeSet::from([from]));
        while let Some(index) = open.pop_front() {
            if let Some((name, _)) = timed.get_key_value(self.rows[index].name.as_str()) {
                return Some(*name);
            }
            open.extend(self.next(index, forward).filter(|next| seen.insert(*next)));
        }
        None
    }

    fn owner(&self, name: &str, timed: &Timed<'r>) -> Option<&'r str> {
        let mut owner = self.places[*self.numbers.get(name)?].owner;
        while let Some(number) = owner {
            match timed.get_key_value(self.places[number].name.as_str()) {
                Some((name, _)) => return Some(*name),
                None => owner = self.places[number].owner,
            }
        }
        None
    }
}
