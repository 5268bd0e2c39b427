//! ShuffleNetV2's guidelines (arXiv:1807.11164, section 2), each finding with its excess in memory access.

use serde::Serialize;

use crate::cost::Row;
use crate::dim::Dim;
use crate::infer::Typed;
use crate::memory::schedule::Schedule;
use crate::render::number::plural;
use crate::report::Report;

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
        rule: "A pointwise convolution of g groups, fewer than its channels, accesses hw(c₁ + c₂) + c₁c₂/g elements (equation 2). The ungrouped one of \
               equal MACs and channel ratio has channels smaller by √g. The excess is hw(c₁ + c₂)(1 − 1/√g).",
    },
    Rule {
        id: "G3",
        title: "little fragmentation",
        rule: "A block is what stands between two nodes that every path from the inputs to the outputs passes (dominators and \
               post-dominators), or a series of ungrouped pointwise convolutions with nothing between them. Its heavy nodes \
               are those with MACs. The excess is what they and the nodes that join their branches access beyond the least \
               that one pointwise convolution of all their MACs could at the positions of the block's output (equation 1).",
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
    pub rule: &'static str,
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
    /// The building block, where the finding is one of G3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block: Option<Block>,
}

/// A building block.
#[derive(Clone, Debug, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Block {
    /// Nodes.
    pub nodes: usize,
    /// Nodes with MACs.
    pub heavy: usize,
    /// The most nodes that stand side by side: its parallel branches.
    pub width: usize,
    /// MACs of a heavy node, on average.
    pub macs_per_heavy: f64,
}

/// What follows from the findings of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// They are left out.
    Allow,
    /// They are shown.
    Warn,
    /// They are an error.
    Deny,
}

/// A model's findings under one rule.
#[derive(Clone, Debug, Serialize)]
pub struct Judged {
    /// Number of the guideline.
    pub rule: &'static str,
    /// What it asks for.
    pub title: &'static str,
    /// What follows from its findings.
    pub level: Level,
    /// How many there are.
    pub findings: usize,
    /// Their share of the model's memory access, 0 to 1.
    pub share: f64,
    /// There are none, or their share is below what was asked for.
    pub kept: bool,
    /// The model has operators that the rule is about: without any, it is kept for nothing.
    pub applies: bool,
}

/// One model held against the guidelines.
#[derive(Clone, Debug, Serialize)]
pub struct Linted {
    /// Path of the model.
    pub path: String,
    /// The rules, in the paper's order.
    pub rules: Vec<Judged>,
    /// Nodes of which something is unknown: no rule looks at them, and shares are of what is known.
    pub unknown_nodes: usize,
    /// What was found under the rules that are not allowed, the costliest first.
    pub guidelines: Vec<Finding>,
}

/// Whether a model with these rows has operators that the rule is about: pointwise convolutions for G1 and G2, several
/// heavy nodes with convolutions among them for G3, anything for G4.
pub fn applies(rows: &[Row], rule: &str) -> bool {
    let pointwise = |row: &Row| sizes(row).is_some_and(|(_, kernel, ..)| kernel == 1);
    match rule {
        "G1" | "G2" => rows.iter().any(pointwise),
        "G3" => rows.iter().any(|row| sizes(row).is_some()) && rows.iter().filter(|row| is_heavy(row)).nth(1).is_some(),
        _ => true,
    }
}

/// Judges a model's findings, `None` where there are none to judge because sizes are open: `levels` are those of [`RULES`],
/// `from` is the share of the memory access from which a rule's findings count, 0 to 1.
pub fn judge(report: &Report, levels: &[Level], from: f64) -> Option<Linted> {
    let findings = report.guidelines.as_ref()?;
    let judged = |(rule, level): (&Rule, &Level)| {
        let of = findings.iter().filter(|finding| finding.rule == rule.id).count();
        let share = share(findings, rule.id);
        let (kept, applies) = (of == 0 || share < from, applies(&report.nodes, rule.id));
        Judged { rule: rule.id, title: rule.title, level: *level, findings: of, share, kept, applies }
    };
    let rules: Vec<Judged> = RULES.iter().zip(levels).map(judged).collect();
    let allowed =
        |finding: &&Finding| rules.iter().any(|judged| judged.rule == finding.rule && judged.level == Level::Allow);
    let guidelines = findings.iter().filter(|finding| !allowed(finding)).cloned().collect();
    let unknown_nodes = report.coverage.unknown;
    Some(Linted { path: report.model.path.clone(), rules, unknown_nodes, guidelines })
}

/// What the rules look at.
pub struct Subject<'a> {
    /// The graph with its types.
    pub typed: &'a Typed<'a>,
    /// All rows of the account.
    pub rows: &'a [Row],
    /// Rows of the schedule's steps, step by step.
    pub steps: &'a [usize],
    /// The steps and what they need.
    pub schedule: &'a Schedule,
}

/// All findings, the costliest first; `None` where a memory access is a formula, so that costs cannot be compared. Nodes
/// whose sizes are not known are passed over.
pub fn findings(subject: &Subject) -> Option<Vec<Finding>> {
    let counted: Vec<&Row> = subject.rows.iter().filter(|row| !row.alternative).collect();
    let formula = |row: &&Row| row.counts.get("memory_access_bytes").is_some_and(|count| count.as_int().is_none());
    if counted.iter().any(formula) {
        return None;
    }
    let total: f64 = counted.iter().filter_map(|row| plain(row, "memory_access_bytes")).map(|bytes| bytes as f64).sum();
    // Branches that exclude each other are all looked at, though the totals have the costlier one alone.
    let all: Vec<&Row> = subject.rows.iter().collect();
    let mut found: Vec<Finding> =
        all.iter().flat_map(|row| channel_widths(row).into_iter().chain(groups(row))).collect();
    found.extend(fragments(subject));
    found.extend(element_wise(&all, &counted));
    for finding in &mut found {
        finding.share = if total > 0.0 { finding.excess_bytes as f64 / total } else { 0.0 };
    }
    found.retain(|finding| finding.excess > 0);
    found.sort_by_key(|finding| std::cmp::Reverse(finding.excess_bytes));
    Some(found)
}

/// The least memory access of a pointwise convolution of this many MACs at this many positions (equation 1), elements.
pub fn least_access(positions: f64, macs: f64) -> f64 {
    if positions <= 0.0 { 0.0 } else { 2.0 * (positions * macs).sqrt() + macs / positions }
}

/// What the findings of one guideline make up of the model's memory access, 0 to 1.
pub fn share(findings: &[Finding], rule: &str) -> f64 {
    // A sum of no floats is −0.
    findings.iter().filter(|finding| finding.rule == rule).fold(0.0, |sum, finding| sum + finding.share)
}

fn plain(row: &Row, key: &str) -> Option<i64> {
    row.counts.get(key).and_then(Dim::as_int)
}

/// A node's excess as a finding; bytes at the node's own bytes per element.
fn finding(rule: &'static str, rows: &[&Row], excess: f64, message: String, advice: String) -> Finding {
    let sum = |key| rows.iter().filter_map(|row| plain(row, key)).map(|count| count as f64).sum::<f64>();
    let (elements, bytes) = (sum("memory_access"), sum("memory_access_bytes"));
    let width = if elements > 0.0 { bytes / elements } else { 0.0 };
    Finding {
        rule,
        nodes: rows.iter().map(|row| row.name.clone()).collect(),
        message,
        advice,
        excess: excess.round() as i64,
        excess_bytes: (excess * width).round() as i64,
        share: 0.0,
        block: None,
    }
}

/// How often the node runs.
fn times(row: &Row) -> f64 {
    row.times.as_ref().and_then(Dim::as_int).map_or(1.0, |times| times as f64)
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
    Some(finding("G1", &[row], times(row) * (access - least), message, advice))
}

fn groups(row: &Row) -> Option<Finding> {
    let (positions, kernel, inputs, outputs, groups) = sizes(row)?;
    // A depthwise convolution is an element-wise operator to the paper.
    if kernel != 1 || groups <= 1 || groups as f64 == inputs {
        return None;
    }
    let shrunk = (groups as f64).sqrt();
    let excess = positions * (inputs + outputs) * (1.0 - 1.0 / shrunk);
    let message = format!("{groups} groups of {inputs} → {outputs} channels at {positions} positions");
    let advice = format!("ungrouped, {:.0} → {:.0} channels have the same MACs", inputs / shrunk, outputs / shrunk);
    Some(finding("G2", &[row], times(row) * excess, message, advice))
}

fn element_wise(all: &[&Row], rows: &[&Row]) -> Vec<Finding> {
    let mut kinds: std::collections::BTreeMap<&str, Vec<&Row>> = std::collections::BTreeMap::new();
    for row in all {
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
            "{kind}: {:.1} % of the memory access, {:.1} % of the MACs, {}",
            share(own, access),
            share(sum(&of, "macs"), macs),
            plural(of.len(), "node")
        );
        let advice = match of[0].convolution.is_some() {
            true => "fewer or smaller depthwise convolutions, or wider pointwise ones for the same MACs",
            false => "fuse it into the node before it, or leave it out where accuracy allows",
        };
        finding("G4", &of, own, message, advice.to_string())
    };
    kinds.into_iter().map(one).collect()
}

/// Blocks with several heavy nodes: the segments that no order can mix, and series of pointwise convolutions.
fn fragments(subject: &Subject) -> Vec<Finding> {
    let row = |step: usize| &subject.rows[subject.steps[step]];
    let segments = subject.schedule.segments();
    let mut found = Vec::new();
    for (at, segment) in segments.iter().enumerate().filter(|(_, segment)| segment.len() > 1) {
        let inside = |step: &usize| segment.binary_search(step).is_ok();
        let joins = |step: usize| {
            let mut needs: Vec<usize> = subject.schedule.steps[step].needs.iter().copied().filter(inside).collect();
            needs.sort_unstable();
            needs.dedup();
            needs.len() > 1 && !is_heavy(row(step))
        };
        // The node that ends a block is a segment of its own.
        let end = segments.get(at + 1).filter(|next| next.len() == 1).map(|next| next[0]);
        let joining: Vec<&Row> = segment.iter().copied().chain(end).filter(|step| joins(*step)).map(row).collect();
        let heavy: Vec<&Row> = segment.iter().map(|step| row(*step)).filter(|row| is_heavy(row)).collect();
        let words = |block: &Block| {
            format!(
                "{} heavy nodes in a block of {} nodes, up to {} side by side, {:.2} M MACs each",
                block.heavy,
                block.nodes,
                block.width,
                block.macs_per_heavy / 1e6
            )
        };
        let width = parallel(subject.schedule, segment);
        let positions = end.and_then(|end| output_positions(subject, end));
        let advice = "fewer, larger operators for the same MACs";
        found.extend(block(&heavy, &joining, segment.len(), width, positions, &words, advice));
    }
    for series in series(subject, &segments) {
        let heavy: Vec<&Row> = series.iter().map(|step| row(*step)).collect();
        let words = |block: &Block| {
            format!(
                "{} pointwise convolutions in series with nothing between them, {:.2} M MACs each",
                block.heavy,
                block.macs_per_heavy / 1e6
            )
        };
        let advice = "they are one linear map: one convolution, or an activation between them";
        found.extend(block(&heavy, &[], series.len(), 1, None, &words, advice));
    }
    found
}

fn is_heavy(row: &Row) -> bool {
    plain(row, "macs").is_some_and(|macs| macs > 0)
}

/// Batch times spatial size of a step's first output; `None` where it has no channels and positions.
fn output_positions(subject: &Subject, step: usize) -> Option<f64> {
    let node = &subject.typed.graph.nodes[subject.schedule.steps[step].node];
    let id = node.outputs.first().copied().flatten()?;
    let sizes: Vec<i64> =
        subject.typed.value(id).as_tensor()?.shape.as_ref()?.iter().map(Dim::as_int).collect::<Option<_>>()?;
    (sizes.len() > 2)
        .then(|| sizes.iter().enumerate().filter(|(axis, _)| *axis != 1).map(|(_, size)| *size as f64).product())
}

/// The finding of one block, where it has several heavy nodes, convolutions among them. Its output has the positions given,
/// or those of the last convolution.
fn block(
    heavy: &[&Row],
    joining: &[&Row],
    nodes: usize,
    width: usize,
    output: Option<f64>,
    words: &dyn Fn(&Block) -> String,
    advice: &str,
) -> Option<Finding> {
    let last = heavy.iter().rev().find_map(|row| sizes(row)).map(|(positions, ..)| positions)?;
    let positions = output.unwrap_or(last);
    if heavy.len() < 2 {
        return None;
    }
    let sum = |rows: &[&Row], key| rows.iter().filter_map(|row| plain(row, key)).sum::<i64>() as f64;
    let macs = sum(heavy, "macs");
    let access = sum(heavy, "memory_access") + sum(joining, "memory_access");
    let block = Block { nodes, heavy: heavy.len(), width, macs_per_heavy: macs / heavy.len() as f64 };
    let rows: Vec<&Row> = heavy.iter().chain(joining).copied().collect();
    let mut finding = finding("G3", &rows, access - least_access(positions, macs), words(&block), advice.to_string());
    finding.block = Some(block);
    Some(finding)
}

/// The longest series of ungrouped pointwise convolutions each of which alone reads the one before it.
fn series(subject: &Subject, segments: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let pointwise = |step: usize| {
        let row = &subject.rows[subject.steps[step]];
        is_heavy(row) && sizes(row).is_some_and(|(_, kernel, _, _, groups)| kernel == 1 && groups == 1)
    };
    let mut found: Vec<Vec<usize>> = Vec::new();
    let mut last = None;
    // Only nodes that every path passes can be read by one node alone and read one node alone.
    for segment in segments {
        let single = segment[0];
        match segment.len() == 1 && pointwise(single) {
            false => last = None,
            true if last.is_some() && last == subject.schedule.steps[single].needs.first().copied() => {
                found.last_mut().into_iter().for_each(|series| series.push(single));
                last = Some(single);
            }
            true => {
                found.push(vec![single]);
                last = Some(single);
            }
        }
    }
    found
}

/// The most steps of a segment that stand at one distance from its start: how many branches run side by side.
fn parallel(schedule: &Schedule, segment: &[usize]) -> usize {
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
