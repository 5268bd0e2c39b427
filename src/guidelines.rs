//! ShuffleNetV2's guidelines (arXiv:1807.11164, section 2), each finding with its excess in memory access.

use serde::Serialize;

use crate::cost::Row;
use crate::dim::Dim;
use crate::infer::Typed;
use crate::memory::schedule_of;

/// One of the four guidelines.
pub struct Rule {
    /// Its number in the paper.
    pub id: &'static str,
    /// What it asks for.
    pub title: &'static str,
    /// How its excess is counted, for `docs/guidelines.md`.
    pub rule: &'static str,
}

/// The guidelines in the paper's order.
pub static RULES: &[Rule] = &[
    Rule {
        id: "G1",
        title: "equal channel widths",
        rule: "A pointwise convolution of B MACs at hw positions accesses hw(c₁ + c₂) + c₁c₂ elements, at least \
               2√(hw·B) + B/hw (equation 1), reached where c₁ = c₂. The excess is the difference.",
    },
    Rule {
        id: "G2",
        title: "few groups",
        rule: "A pointwise convolution of g groups accesses hw(c₁ + c₂) + c₁c₂/g elements (equation 2). The ungrouped one of \
               equal MACs and channel ratio has channels smaller by √g. The excess is hw(c₁ + c₂)(1 − 1/√g).",
    },
    Rule {
        id: "G3",
        title: "little fragmentation",
        rule: "A block is what stands between two nodes that every other node runs before or after. Its heavy nodes are those \
               with MACs. The excess is what they access beyond the least that one pointwise convolution of all their MACs \
               could at the block's output positions (equation 1).",
    },
    Rule {
        id: "G4",
        title: "little element-wise work",
        rule: "Activations, additions, batch norm left apart and depthwise convolutions access memory for few MACs or none. The \
               excess is all that the operator accesses.",
    },
];

/// A place where a guideline is not kept, and what that costs.
#[derive(Clone, Debug, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Finding {
    /// Number of the guideline.
    pub rule: String,
    /// The nodes that it concerns.
    pub nodes: Vec<String>,
    /// What was found.
    pub message: String,
    /// What would change it.
    pub advice: String,
    /// Elements accessed beyond what the guideline allows.
    pub excess: i64,
    /// The same in bytes.
    pub excess_bytes: i64,
    /// The same as a share of the model's memory access, 0 to 1.
    pub share: f64,
}

/// All findings, the costliest first. Nodes whose sizes are not known are passed over.
pub fn findings(typed: &Typed<'_>, rows: &[Row]) -> Vec<Finding> {
    let counted: Vec<&Row> = rows.iter().filter(|row| !row.alternative).collect();
    let total: f64 = counted.iter().filter_map(|row| plain(row, "memory_access_bytes")).map(|bytes| bytes as f64).sum();
    let mut found: Vec<Finding> =
        counted.iter().flat_map(|row| channel_widths(row).into_iter().chain(groups(row))).collect();
    found.extend(fragments(typed, &counted));
    found.extend(element_wise(&counted));
    for finding in &mut found {
        finding.share = if total > 0.0 { finding.excess_bytes as f64 / total } else { 0.0 };
    }
    found.retain(|finding| finding.excess > 0);
    found.sort_by_key(|finding| std::cmp::Reverse(finding.excess_bytes));
    found
}

/// The least memory access of a pointwise convolution of this many MACs at this many positions (equation 1), elements.
pub fn least_access(positions: f64, macs: f64) -> f64 {
    if positions <= 0.0 { 0.0 } else { 2.0 * (positions * macs).sqrt() + macs / positions }
}

/// What the findings of one guideline make up of the model's memory access, 0 to 1.
pub fn share(findings: &[Finding], rule: &str) -> f64 {
    findings.iter().filter(|finding| finding.rule == rule).map(|finding| finding.share).sum()
}

fn plain(row: &Row, key: &str) -> Option<i64> {
    row.counts.get(key).and_then(Dim::as_int)
}

/// A node's excess as a finding; bytes at the node's own bytes per element.
fn finding(rule: &str, nodes: Vec<String>, rows: &[&Row], excess: f64, message: String, advice: String) -> Finding {
    let sum = |key| rows.iter().filter_map(|row| plain(row, key)).map(|count| count as f64).sum::<f64>();
    let (elements, bytes) = (sum("memory_access"), sum("memory_access_bytes"));
    let width = if elements > 0.0 { bytes / elements } else { 0.0 };
    let (rule, excess_bytes) = (rule.to_string(), (excess * width).round() as i64);
    Finding { rule, nodes, message, advice, excess: excess.round() as i64, excess_bytes, share: 0.0 }
}

/// Positions, kernel, c₁, c₂ as plain numbers.
fn sizes(row: &Row) -> Option<(f64, i64, f64, f64, i64)> {
    let one = row.convolution.as_ref()?;
    let number = |dim: &Dim| dim.as_int().map(|size| size as f64);
    Some((number(&one.positions)?, one.kernel.as_int()?, number(&one.inputs)?, number(&one.outputs)?, one.groups))
}

fn channel_widths(row: &Row) -> Option<Finding> {
    let (positions, kernel, inputs, outputs, groups) = sizes(row)?;
    if kernel != 1 || groups != 1 {
        return None;
    }
    let access = positions * (inputs + outputs) + inputs * outputs;
    let least = least_access(positions, positions * inputs * outputs);
    let wanted = (inputs * outputs).sqrt().round();
    let message = format!(
        "{inputs} → {outputs} channels at {positions} positions access {:.1} % more than equal widths",
        100.0 * (access / least - 1.0)
    );
    let advice = format!("about {wanted} → {wanted} channels have the same MACs");
    Some(finding("G1", vec![row.name.clone()], &[row], access - least, message, advice))
}

fn groups(row: &Row) -> Option<Finding> {
    let (positions, kernel, inputs, outputs, groups) = sizes(row)?;
    if kernel != 1 || groups <= 1 {
        return None;
    }
    let shrunk = (groups as f64).sqrt();
    let excess = positions * (inputs + outputs) * (1.0 - 1.0 / shrunk);
    let message = format!("{groups} groups of {inputs} → {outputs} channels at {positions} positions");
    let advice = format!("ungrouped, {:.0} → {:.0} channels have the same MACs", inputs / shrunk, outputs / shrunk);
    Some(finding("G2", vec![row.name.clone()], &[row], excess, message, advice))
}

fn element_wise(rows: &[&Row]) -> Vec<Finding> {
    let mut kinds: std::collections::BTreeMap<&str, Vec<&Row>> = std::collections::BTreeMap::new();
    for row in rows {
        let depthwise = sizes(row).is_some_and(|(_, _, inputs, _, groups)| groups > 1 && groups as f64 == inputs);
        if row.element_wise || depthwise {
            kinds.entry(&row.kind).or_default().push(row);
        }
    }
    let sum = |rows: &[&Row], key: &str| rows.iter().filter_map(|row| plain(row, key)).sum::<i64>() as f64;
    let (macs, access) = (sum(rows, "macs"), sum(rows, "memory_access"));
    let share = |part: f64, whole: f64| if whole > 0.0 { 100.0 * part / whole } else { 0.0 };
    let one = |(kind, of): (&str, Vec<&Row>)| {
        let own = sum(&of, "memory_access");
        let message = format!(
            "{kind}: {:.1} % of the memory access, {:.1} % of the MACs, {} nodes",
            share(own, access),
            share(sum(&of, "macs"), macs),
            of.len()
        );
        let advice = match of[0].convolution.is_some() {
            true => "fewer or smaller depthwise convolutions, or wider pointwise ones for the same MACs",
            false => "fuse it into the node before it, or leave it out where accuracy allows",
        };
        finding("G4", of.iter().map(|row| row.name.clone()).collect(), &of, own, message, advice.to_string())
    };
    kinds.into_iter().map(one).collect()
}

/// Blocks with several heavy nodes, from the segments that no order can mix.
fn fragments(typed: &Typed<'_>, rows: &[&Row]) -> Vec<Finding> {
    let Some(schedule) = schedule_of(typed) else { return Vec::new() };
    let by_name: rustc_hash::FxHashMap<&str, &Row> = rows.iter().map(|row| (row.name.as_str(), *row)).collect();
    let mut found = Vec::new();
    for segment in schedule.segments() {
        let row = |step: &usize| by_name.get(&*typed.graph.nodes[schedule.steps[*step].node].name).copied();
        let of: Vec<&Row> = segment.iter().filter_map(row).collect();
        let heavy: Vec<&Row> =
            of.iter().copied().filter(|row| plain(row, "macs").is_some_and(|macs| macs > 0)).collect();
        let positions = heavy.iter().filter_map(|row| sizes(row)).map(|(positions, ..)| positions).reduce(f64::min);
        let (true, Some(positions)) = (heavy.len() > 1, positions) else { continue };
        let sum = |key| heavy.iter().filter_map(|row| plain(row, key)).sum::<i64>() as f64;
        let (macs, access) = (sum("macs"), sum("memory_access"));
        let width = parallel(&schedule, &segment);
        let message = format!(
            "{} heavy nodes in a block of {} nodes, up to {width} at once, {:.2} M MACs each",
            heavy.len(),
            of.len(),
            macs / heavy.len() as f64 / 1e6
        );
        let advice = "fewer, larger operators for the same MACs".to_string();
        let nodes = heavy.iter().map(|row| row.name.clone()).collect();
        found.push(finding("G3", nodes, &heavy, access - least_access(positions, macs), message, advice));
    }
    found
}

/// The most steps of a segment that stand at one distance from its start: how many branches run side by side.
fn parallel(schedule: &crate::memory::schedule::Schedule, segment: &[usize]) -> usize {
    let mut level: rustc_hash::FxHashMap<usize, usize> = rustc_hash::FxHashMap::default();
    let mut count: Vec<usize> = Vec::new();
    for &step in segment {
        let own =
            schedule.steps[step].needs.iter().filter_map(|need| level.get(need)).max().map_or(0, |level| level + 1);
        level.insert(step, own);
        if count.len() <= own {
            count.resize(own + 1, 0);
        }
        count[own] += 1;
    }
    count.into_iter().max().unwrap_or(0)
}
