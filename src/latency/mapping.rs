//! The runtime's nodes mapped back to the nodes of the account, and what was measured as a [`Latency`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rustc_hash::FxHashMap;

use super::engine::Samples;
use super::prepare::Place;
use super::statistics::{middle, quantile, sorted};
use super::{Latency, LatencyOptions, NodeLatency, cpu};
use crate::report::Report;

/// What was measured, node by node of the account.
pub(super) fn latency(
    report: &Report,
    places: &[Place],
    samples: &Samples,
    synthetic_weights: bool,
    options: &LatencyOptions<'_>,
) -> Latency {
    let plain = sorted(samples.plain.clone());
    let ms = |nanoseconds: f64| nanoseconds / 1e6;
    let median_ms = ms(quantile(&plain, 0.5));
    // Parts of sums add up, parts of medians do not: shares are taken of the runs in the middle half as a whole.
    let kept = middle(&samples.profiled);
    let whole = kept.iter().map(|&run| samples.profiled[run]).sum::<u64>().max(1) as f64;
    let share_ms = |times: &[u64]| median_ms * kept.iter().map(|&run| times[run]).sum::<u64>() as f64 / whole;
    let mut by_number: BTreeMap<usize, (Vec<u64>, Vec<String>)> = BTreeMap::new();
    let mut unmapped_ms = 0.0;
    for node in &samples.nodes {
        let Some(number) = node.number().filter(|number| *number < places.len()) else {
            unmapped_ms += share_ms(&node.times);
            continue;
        };
        let (times, ops) = by_number.entry(number).or_insert_with(|| (vec![0; samples.profiled.len()], Vec::new()));
        times.iter_mut().zip(&node.times).for_each(|(sum, time)| *sum += time);
        ops.push(node.op.clone());
    }
    let timed: BTreeSet<&str> = by_number.keys().map(|&number| places[number].name.as_str()).collect();
    let (mut fused, removed) = fused(report, places, &timed);
    let mut nodes: Vec<NodeLatency> = by_number
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
    nodes.shrink_to_fit();
    let nodes_ms: f64 = nodes.iter().map(|node| node.ms).sum();
    let count = |of: fn(&super::engine::RuntimeNode) -> bool| samples.nodes.iter().filter(|node| of(node)).count();
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
const VERSION: &str = "0.23.9";

/// For every node of the account that did not run by itself, the node that did its work: the nearest one after it, else
/// the nearest before it, else the one in whose body it stands; and the nodes for which there is none.
fn fused<'r>(
    report: &'r Report,
    places: &'r [Place],
    timed: &BTreeSet<&'r str>,
) -> (FxHashMap<&'r str, Vec<String>>, Vec<String>) {
    let rows = &report.nodes;
    let mut readers: FxHashMap<&str, Vec<usize>> = FxHashMap::default();
    let mut makers: FxHashMap<&str, Vec<usize>> = FxHashMap::default();
    for (index, row) in rows.iter().enumerate() {
        row.inputs.iter().filter(|name| !name.is_empty()).for_each(|name| readers.entry(name).or_default().push(index));
        row.outputs.iter().filter(|name| !name.is_empty()).for_each(|name| makers.entry(name).or_default().push(index));
    }
    let owners: FxHashMap<&str, Option<usize>> =
        places.iter().map(|place| (place.name.as_str(), place.owner)).collect();
    let nearest = |from: usize, forward: bool| {
        let (mut open, mut seen) = (VecDeque::from([from]), BTreeSet::from([from]));
        while let Some(index) = open.pop_front() {
            let row = &rows[index];
            if timed.contains(row.name.as_str()) {
                return Some(row.name.as_str());
            }
            let (tensors, table) = if forward { (&row.outputs, &readers) } else { (&row.inputs, &makers) };
            let next = tensors.iter().filter_map(|name| table.get(&**name)).flatten().copied();
            open.extend(next.filter(|next| seen.insert(*next)));
        }
        None
    };
    let owner = |name: &str| {
        let mut owner = owners.get(name).copied().flatten();
        while let Some(number) = owner {
            match timed.get(places[number].name.as_str()) {
                Some(name) => return Some(*name),
                None => owner = places[number].owner,
            }
        }
        None
    };
    let mut lists: FxHashMap<&str, Vec<String>> = FxHashMap::default();
    let mut removed = Vec::new();
    let mut listed = BTreeSet::new();
    for (index, row) in rows.iter().enumerate() {
        let name = row.name.as_str();
        // A body that is accounted run by run has its nodes several times.
        if timed.contains(name) || !listed.insert(name) {
            continue;
        }
        match nearest(index, true).or_else(|| nearest(index, false)).or_else(|| owner(name)) {
            Some(survivor) => lists.entry(survivor).or_default().push(row.name.clone()),
            None => removed.push(row.name.clone()),
        }
    }
    (lists, removed)
}
