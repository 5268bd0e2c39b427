//! Groups of a report's nodes: by operator, by module, or node by node.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use crate::cost::{Counts, Coverage, METRICS, Row};
use crate::dim::Dim;
use crate::error::{Error, Result};
use crate::nearest::did_you_mean;
use crate::report::Report;

/// What nodes are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The operator type, and what tells its uses apart.
    Op,
    /// The module that the node stands in, as a tree.
    Scope,
    /// Each node by itself.
    Node,
}

/// What a grouping shows.
#[derive(Clone, Debug)]
pub struct View {
    /// What nodes are grouped by.
    pub by: By,
    /// Deepest level of the module tree that is shown.
    pub depth: usize,
    /// What groups are sorted by, the largest first: a metric, or a time that the report has; `None` for MACs where operators are shown, else for the
    /// order in which nodes run.
    pub sort: Option<String>,
    /// The most groups that are shown.
    pub top: Option<usize>,
}

/// Nodes that are shown as one.
#[derive(Clone, Debug)]
pub struct Group {
    /// What they are.
    pub label: String,
    /// Their kind where each stands by itself, else empty.
    pub kind: String,
    /// Level in the module tree, 0 at the top.
    pub depth: usize,
    /// How many nodes they are.
    pub nodes: usize,
    /// How many groups this one stands for.
    pub groups: usize,
    /// Sums of what is known of their counts.
    pub counts: Counts,
    /// Sum of what is known of their roofline times, in milliseconds, where a device was asked for.
    pub roofline_ms: f64,
    /// Their measured time in milliseconds; `None` where none of them was timed.
    pub ms: Option<f64>,
    /// How well their counts are known: as well as the least known of them.
    pub coverage: Coverage,
}

impl Group {
    fn new(label: &str, depth: usize) -> Group {
        Group {
            label: label.to_string(),
            kind: String::new(),
            depth,
            nodes: 0,
            groups: 1,
            counts: Counts::zero(),
            roofline_ms: 0.0,
            ms: None,
            coverage: Coverage::Exact,
        }
    }

    fn add(&mut self, node: &Row, times: &Times<'_>) {
        self.nodes += 1;
        self.counts.add(&node.counts);
        self.roofline_ms += node.roofline.map_or(0.0, |roofline| roofline.roofline_ms);
        self.add_time(times.get(node.name.as_str()).copied());
        self.coverage = self.coverage.max(node.coverage);
    }

    fn add_time(&mut self, ms: Option<f64>) {
        if let Some(ms) = ms {
            *self.ms.get_or_insert(0.0) += ms;
        }
    }
}

/// Measured milliseconds by node.
type Times<'r> = FxHashMap<&'r str, f64>;

/// The groups of a view, and the sum of those left out where `top` leaves some out. An error where `sort` is no metric
/// and no time that the report has.
pub fn groups(report: &Report, view: &View) -> Result<(Vec<Group>, Option<Group>)> {
    let sort = match &view.sort {
        Some(key) => Some(sort_by(report, key)?),
        None if view.by == By::Op => Some(Sort::Metric(0)),
        None => None,
    };
    let times: Times<'_> =
        report.latency.iter().flat_map(|latency| &latency.nodes).map(|node| (node.name.as_str(), node.ms)).collect();
    let nodes = || report.nodes.iter().filter(|node| !node.alternative);
    let mut groups = match view.by {
        By::Op => by_kind(nodes(), &times),
        By::Node => nodes()
            .map(|node| {
                let mut group = Group::new(&node.name, 0);
                group.add(node, &times);
                Group { kind: node.kind.to_string(), ..group }
            })
            .collect(),
        By::Scope => return Ok(cut(tree(nodes(), &times, view.depth, sort), view.top)),
    };
    if let Some(sort) = sort {
        // Ties keep the order in which nodes run, save among operators, where memory access decides.
        let second = crate::cost::index_of("memory_access").filter(|_| view.by == By::Op).map(Sort::Metric);
        let order = |a: &Group, b: &Group| sort.order(a, b).then(second.map_or(Ordering::Equal, |of| of.order(a, b)));
        groups.sort_by(order);
    }
    Ok(cut(groups, view.top))
}

/// A node that took longer than its roofline time.
#[derive(Clone, Debug)]
pub struct BelowRoof<'r> {
    /// The node.
    pub node: &'r Row,
    /// Its measured time, in milliseconds; what was fused into it is in it.
    pub ms: f64,
    /// Its roofline time on the device, in milliseconds.
    pub roofline_ms: f64,
}

/// The nodes that took longer than the device's roof would have them, the most time lost first: where the time goes that
/// neither FLOPs nor memory access show. Empty where the report has no latency or no device.
pub fn below_roof<'r>(report: &'r Report) -> Vec<BelowRoof<'r>> {
    let times = report.latency.iter().flat_map(|latency| &latency.nodes);
    let times: Times<'_> = times.map(|node| (node.name.as_str(), node.ms)).collect();
    let lost = |node: &BelowRoof<'_>| node.ms - node.roofline_ms;
    let below = |node: &'r Row| {
        let ms = times.get(node.name.as_str()).copied()?;
        Some(BelowRoof { node, ms, roofline_ms: node.roofline?.roofline_ms })
    };
    let mut found: Vec<BelowRoof<'_>> = report.nodes.iter().filter_map(below).filter(|node| lost(node) > 0.0).collect();
    found.sort_by(|a, b| lost(b).total_cmp(&lost(a)));
    found
}

/// What groups are sorted by.
#[derive(Clone, Copy)]
enum Sort {
    /// A metric, by its index.
    Metric(usize),
    /// The measured time.
    Latency,
    /// The time on the device.
    Roofline,
}

impl Sort {
    /// The greater first; what is unknown last.
    fn order(self, a: &Group, b: &Group) -> Ordering {
        match self {
            Sort::Metric(metric) => weight(&b.counts, metric).cmp(&weight(&a.counts, metric)),
            Sort::Latency => b.ms.unwrap_or(-1.0).total_cmp(&a.ms.unwrap_or(-1.0)),
            Sort::Roofline => b.roofline_ms.total_cmp(&a.roofline_ms),
        }
    }
}

fn sort_by(report: &Report, key: &str) -> Result<Sort> {
    let missing = |flag: &str| Err(Error::new(format!("--sort {key}: the report has no such times: give {flag}")));
    match (key, crate::cost::index_of(key)) {
        (_, Some(metric)) => Ok(Sort::Metric(metric)),
        // Where the measurement failed, nodes keep their order.
        ("latency_ms", _) if report.latency.is_some() || report.latency_error.is_some() => Ok(Sort::Latency),
        ("latency_ms", _) => missing("--latency"),
        ("roofline_ms", _) if report.device.is_some() => Ok(Sort::Roofline),
        ("roofline_ms", _) => missing("--device"),
        _ => Err(unknown(key, METRICS.iter().map(|metric| metric.key).chain(["latency_ms", "roofline_ms"]))),
    }
}

/// The error for a word that names no metric, with the nearest that does.
pub fn unknown_metric(word: &str) -> Error {
    unknown(word, METRICS.iter().map(|metric| metric.key))
}

fn unknown(word: &str, keys: impl Iterator<Item = &'static str>) -> Error {
    let keys: Vec<&str> = keys.collect();
    let hint = did_you_mean(word, keys.iter().copied());
    Error::new(format!("there is no metric \"{word}\"{hint}: choose one of {}", keys.join(", ")))
}

/// A number to rank by: formulas as if every free dimension were 128.
fn weight(counts: &Counts, metric: usize) -> i64 {
    let count = counts.0[metric].as_ref().map(|count| count.substitute(&|_| Some(Dim::from(128i64))));
    count.and_then(|count| count.as_int()).unwrap_or(-1)
}

fn by_kind<'r>(nodes: impl Iterator<Item = &'r Row>, times: &Times<'_>) -> Vec<Group> {
    let mut places: FxHashMap<Cow<'static, str>, usize> = FxHashMap::default();
    let mut groups: Vec<Group> = Vec::new();
    for node in nodes {
        let label = match node.domain.is_empty() {
            true => node.kind.clone(),
            false => format!("{} ({})", node.kind, node.domain).into(),
        };
        let place = *places.entry(label).or_insert_with_key(|label| {
            groups.push(Group::new(label, 0));
            groups.len() - 1
        });
        groups[place].add(node, times);
    }
    groups
}

/// A module and what stands in it.
struct Module {
    group: Group,
    children: Vec<Module>,
    places: BTreeMap<String, usize>,
}

impl Module {
    fn new(label: &str, depth: usize) -> Module {
        Module { group: Group::new(label, depth), children: Vec::new(), places: BTreeMap::new() }
    }

    fn flatten(mut self, sort: Option<Sort>, into: &mut Vec<Group>) {
        if let Some(sort) = sort {
            self.children.sort_by(|a, b| sort.order(&a.group, &b.group));
        }
        into.push(self.group);
        for child in self.children {
            child.flatten(sort, into);
        }
    }
}

/// The levels of a module path: torch separates them by points, other exporters by slashes.
pub fn levels(scope: &str) -> impl Iterator<Item = &str> {
    let separator = if scope.contains('/') { '/' } else { '.' };
    scope.split(separator).filter(|level| !level.is_empty())
}

fn tree<'r>(nodes: impl Iterator<Item = &'r Row>, times: &Times<'_>, depth: usize, sort: Option<Sort>) -> Vec<Group> {
    let mut root = Module::new("", 0);
    for node in nodes {
        let mut module = &mut root;
        let mut path = levels(&node.scope).take(depth.max(1)).peekable();
        if path.peek().is_none() {
            // Nodes outside every module are shown by operator, beside the modules.
            module = child(module, &format!("({})", node.kind), 0);
            module.group.add(node, times);
            continue;
        }
        for (depth, level) in path.enumerate() {
            module = child(module, level, depth);
            module.group.add(node, times);
        }
    }
    let mut groups = Vec::new();
    root.flatten(sort, &mut groups);
    groups.remove(0);
    groups
}

fn child<'m>(module: &'m mut Module, label: &str, depth: usize) -> &'m mut Module {
    let next = module.children.len();
    let place = *module.places.entry(label.to_string()).or_insert(next);
    if place == next {
        module.children.push(Module::new(label, depth));
    }
    &mut module.children[place]
}

fn cut(mut groups: Vec<Group>, top: Option<usize>) -> (Vec<Group>, Option<Group>) {
    let Some(top) = top.filter(|&top| top < groups.len()) else { return (groups, None) };
    let left_out = groups.split_off(top);
    let mut rest = Group { groups: left_out.len(), ..Group::new("", 0) };
    // What stands in a module that is left out is counted with the module.
    let mut within = usize::MAX;
    for group in left_out {
        if group.depth > within {
            continue;
        }
        within = group.depth;
        rest.nodes += group.nodes;
        rest.counts.add(&group.counts);
        rest.roofline_ms += group.roofline_ms;
        rest.add_time(group.ms);
        rest.coverage = rest.coverage.max(group.coverage);
    }
    (groups, Some(rest))
}
