//! The check itself: every model of a configuration held against what is allowed to it.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::path::Path;

use rayon::prelude::*;

use super::baseline::{Baseline, Entry};
use super::blocks::{Block, Cause, blocks, causes};
use super::config::{Config, Coverage, Figures, Rules, Target};
use super::findings::{Checked, Finding, Level, Measured, Outcome, Rule};
use super::limits::{Allowed, Amount, Growth, Holds, gauges};
use crate::columns::{Bound, Column, Needs, Number, Subject, Unit};
use crate::compare::absent_dims;
use crate::cost::{METRICS, index_of};
use crate::device::{Fit, Fits};
use crate::diff::symbols::Symbols;
use crate::dim::Dim;
use crate::error::{Error, Result};
use crate::figures;
use crate::guidelines::{self, RULES};
use crate::infer::Bindings;
use crate::model::Model;
use crate::render::comparison::entry as say;
use crate::render::number::quantity;
use crate::report::Report;
use crate::verify::{Verdict, verify};

/// How a check is made.
pub struct Question<'a> {
    /// What was accepted; `None` where there is no baseline yet.
    pub baseline: Option<&'a Baseline>,
    /// Whether the models are to be accepted: limits are not looked at, and entries for a new baseline are made.
    pub bless: bool,
    /// Opens a model.
    pub open: &'a (dyn Fn(&Path) -> Result<Model> + Sync),
    /// Called after each model, from any thread.
    pub done: &'a (dyn Fn() + Sync),
}

/// The most models of the baseline that are gone which a finding names.
const GONE: usize = 3;

/// What is kept of a model while it is judged.
struct Seen {
    report: Report,
    numbers: Vec<Option<Number>>,
    sizes: BTreeSet<String>,
}

/// Checks the models in parallel; of each, only what came of it is kept.
pub fn check(config: &Config, question: &Question) -> Outcome {
    let gauges = gauges();
    let one = |target: &Target| {
        let checked = Gate { target, rules: &target.rules, gauges: &gauges, question }.check();
        (question.done)();
        checked
    };
    let (models, sizes): (Vec<Checked>, Vec<Option<BTreeSet<String>>>) = config.targets.par_iter().map(one).unzip();
    let mut other: Vec<Finding> = Vec::new();
    for (line, error) in &config.missing {
        let way_on = "restore it, or take the entry out of the configuration";
        other.push(Finding {
            line: *line,
            file: config.path.clone(),
            way_on: way_on.to_string(),
            ..input(&format!("line {line}: {error}"))
        });
    }
    // A dimension of the defaults must be one of some model: a misspelt name would change nothing.
    let limited = |target: &Target| !target.rules.fail.limits.is_empty() || !target.rules.warn.limits.is_empty();
    if question.baseline.is_none() && !question.bless && config.targets.iter().any(limited) {
        other.push(Finding {
            file: config.path.clone(),
            way_on: "run lwstat bless to accept the models as they are".to_string(),
            ..input(&format!("there are limits, but no baseline {}", config.baseline.display()))
        });
    }
    let wanted: BTreeSet<&String> =
        config.targets.iter().flat_map(|target| target.rules.default_sizes.keys()).collect();
    for name in wanted {
        if sizes.iter().all(Option::is_some) && sizes.iter().flatten().all(|sizes| !sizes.contains(name)) {
            let message = format!("defaults: dims: no model has a free dimension \"{name}\"");
            other.push(Finding { file: config.path.clone(), ..input(&message) });
        }
    }
    if let Some(baseline) = question.baseline.filter(|_| !question.bless) {
        let present: BTreeSet<&str> = config.targets.iter().map(|target| &*target.key).collect();
        let gone: Vec<&str> = baseline.keys().filter(|key| !present.contains(key)).collect();
        if !gone.is_empty() {
            let named = gone.iter().take(GONE).map(|key| format!("\"{key}\"")).collect::<Vec<_>>().join(", ");
            let more = gone.len().saturating_sub(GONE);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            other.push(Finding {
                file: baseline.path.clone(),
                way_on: "restore the model, or run lwstat bless to take its entry out".to_string(),
                ..input(&format!("the baseline has {named}{more}, which the configuration no longer names"))
            });
        }
    }
    Outcome { config: config.path.clone(), baseline: config.baseline.display().to_string(), models, other }
}

/// A finding that something could not be found out.
fn input(message: &str) -> Finding {
    Finding {
        level: Level::Error,
        rule: Rule::Input,
        model: String::new(),
        file: String::new(),
        line: 0,
        asked: 0,
        metric: String::new(),
        unit: Unit::Word,
        value: None,
        baseline: None,
        limit: String::new(),
        message: message.to_string(),
        way_on: String::new(),
        causes: Vec::new(),
        by: "",
        node: String::new(),
    }
}

struct Gate<'a> {
    target: &'a Target,
    rules: &'a Rules,
    gauges: &'a [Column],
    question: &'a Question<'a>,
}

impl Gate<'_> {
    fn check(&self) -> (Checked, Option<BTreeSet<String>>) {
        let mut checked = Checked {
            key: self.target.key.clone(),
            path: self.target.path.display().to_string(),
            measured: Vec::new(),
            findings: Vec::new(),
            entry: None,
        };
        let sizes = match self.see() {
            Ok(seen) => {
                self.judge(&seen, &mut checked);
                Some(seen.sizes)
            }
            Err(error) => {
                checked.findings.push(self.error(&error, "mend the model or its entry"));
                None
            }
        };
        checked.findings.sort_by_key(|finding| (Reverse(finding.level), finding.rule));
        (checked, sizes)
    }

    fn finding(&self, level: Level, rule: Rule, message: String) -> Finding {
        Finding {
            level,
            rule,
            model: self.target.key.clone(),
            file: self.target.path.display().to_string(),
            asked: self.target.line,
            ..input(&message)
        }
    }

    fn error(&self, error: &Error, way_on: &str) -> Finding {
        let node = error.node.as_ref().map(|(name, _)| name.clone()).unwrap_or_default();
        let file = error.path.clone().unwrap_or_else(|| self.target.path.display().to_string());
        let message = error.clone().without_file().to_string();
        Finding { way_on: way_on.to_string(), node, file, ..self.finding(Level::Error, Rule::Input, message) }
    }

    /// Analyzes the model as far as the rules ask for.
    fn see(&self) -> Result<Seen> {
        let model = (self.question.open)(&self.target.path)?;
        let mut bindings: Bindings = self.rules.bindings.clone();
        model.check_dims(&bindings)?;
        let mut sizes = BTreeSet::new();
        for (name, size) in &self.rules.default_sizes {
            let one = Bindings { sizes: [(name.clone(), *size)].into_iter().collect(), ..Bindings::default() };
            if absent_dims(&model, &one).is_empty() {
                sizes.insert(name.clone());
                bindings.sizes.entry(name.clone()).or_insert(*size);
            }
        }
        let tiers = [&self.rules.fail, &self.rules.warn];
        let budgets = tiers.iter().flat_map(|tier| tier.budget.iter().map(|allowed| allowed.gauge));
        let mut used = budgets.chain(tiers.iter().flat_map(|tier| tier.limits.iter().map(|allowed| allowed.gauge)));
        let planned = self.rules.device.is_some() || used.any(|gauge| self.gauges[gauge].needs == Needs::MemoryPlan);
        let mut report = if planned { model.report_with_plan(&bindings)? } else { model.report(&bindings)? };
        if let Some(device) = &self.rules.device {
            report.place_on(device);
        }
        let subject = Subject { report: &report, figures: None, given: None };
        // Measures are kept to as many digits as a person would compare.
        let rounded = |number| match number {
            Number::Real(real) => Number::Real((real * 1e4).round() / 1e4),
            number => number,
        };
        let numbers = self.gauges.iter().map(|gauge| (gauge.entry)(&subject).map(rounded)).collect();
        Ok(Seen { report, numbers, sizes })
    }

    fn judge(&self, seen: &Seen, checked: &mut Checked) {
        if self.rules.ask_nothing() {
            let message = "nothing is asked of it".to_string();
            let way_on = "give its entry a budget, limits, device, deny or figures".to_string();
            checked.findings.push(Finding { way_on, ..self.finding(Level::Warn, Rule::Input, message) });
        }
        self.coverage(seen, &mut checked.findings);
        for (level, tier) in [(Level::Fail, &self.rules.fail), (Level::Warn, &self.rules.warn)] {
            for allowed in &tier.budget {
                checked.findings.extend(self.budget(seen, allowed, level));
            }
        }
        self.device(seen, &mut checked.findings);
        self.guidelines(seen, &mut checked.findings);
        self.figures(seen, &mut checked.findings);
        if self.question.bless {
            let entry = Entry {
                inputs: seen.report.model.inputs.clone(),
                numbers: seen.numbers.clone(),
                blocks: blocks(&seen.report, &|dim| dim.clone()),
            };
            checked.entry = Some(entry.text());
        }
        let base = match self.question.baseline.map(|baseline| baseline.entry(&self.target.key)).transpose() {
            _ if self.question.bless => None,
            Ok(base) => base.flatten(),
            Err(error) => {
                checked.findings.push(self.error(&error, ""));
                return;
            }
        };
        checked.measured = self.measured(seen, base.as_ref());
        let limits = self.rules.fail.limits.len() + self.rules.warn.limits.len();
        if self.question.bless || limits == 0 || self.question.baseline.is_none() {
            return;
        }
        let Some(base) = base else {
            let message = "it has limits, but the baseline has no entry for it".to_string();
            let way_on = "run lwstat bless to accept its numbers as they are".to_string();
            checked.findings.push(Finding { way_on, ..self.finding(Level::Error, Rule::Input, message) });
            return;
        };
        self.limits(seen, &base, &mut checked.findings);
    }

    /// The numbers that are bounded, with those of the baseline.
    fn measured(&self, seen: &Seen, base: Option<&Entry>) -> Vec<Measured> {
        let tiers = [&self.rules.fail, &self.rules.warn];
        let mut measured = Vec::new();
        for (at, gauge) in self.gauges.iter().enumerate() {
            let budget = tiers.iter().find_map(|tier| tier.budget.iter().find(|allowed| allowed.gauge == at));
            let limit = tiers.iter().find_map(|tier| tier.limits.iter().find(|allowed| allowed.gauge == at));
            if budget.is_some() || limit.is_some() {
                measured.push(Measured {
                    key: gauge.key.clone(),
                    title: gauge.title.clone(),
                    unit: gauge.unit.clone(),
                    value: seen.numbers[at].clone(),
                    baseline: base.and_then(|base| base.numbers[at].clone()),
                    budget: budget.map(|allowed| allowed.text.clone()).unwrap_or_default(),
                    limit: limit.map(|allowed| allowed.text.clone()).unwrap_or_default(),
                });
            }
        }
        measured
    }

    fn coverage(&self, seen: &Seen, findings: &mut Vec<Finding>) {
        let coverage = &seen.report.coverage;
        let (count, what) = match self.rules.coverage {
            Coverage::Unknown => return,
            _ if coverage.unknown > 0 => (coverage.unknown, "unknown"),
            Coverage::Exact if coverage.bounded > 0 => (coverage.bounded, "known by an upper bound alone"),
            _ => return,
        };
        let ops: Vec<String> = coverage
            .unknown_ops
            .iter()
            .map(|op| format!("{} {}{}", op.count, domain(&op.domain), op.op_type))
            .collect();
        let cause = if ops.is_empty() || what != "unknown" { String::new() } else { format!(" ({})", ops.join(", ")) };
        let nodes = if count == 1 { "1 node is".to_string() } else { format!("the costs of {count} nodes are") };
        let nodes = nodes.replace("1 node is", "the cost of 1 node is");
        let node = seen.report.nodes.iter().find(|row| row.unknown_operator).map(|row| row.name.clone());
        findings.push(Finding {
            metric: "coverage".to_string(),
            way_on: "allow it with coverage: unknown (or bounded), or use operators of lwstat ops".to_string(),
            node: node.unwrap_or_default(),
            ..self.finding(Level::Fail, Rule::Coverage, format!("{nodes} {what}{cause}"))
        });
    }

    /// A number that is unknown, or depends on sizes that are open, cannot be judged.
    fn open(&self, seen: &Seen, gauge: &Column, number: Option<&Number>, asked: u64) -> Finding {
        let dims = &seen.report.model.dims;
        let dims = dims.iter().map(|dim| format!("{dim}: 1")).collect::<Vec<_>>().join(", ");
        let reason = match number {
            None => "is unknown".to_string(),
            Some(number) => format!("depends on open sizes ({})", say(Some(number), &gauge.unit, false)),
        };
        let way_on = match dims.is_empty() {
            true => format!("take {} out of the configuration", gauge.key),
            false => format!("give the entry dims: {{{dims}}}"),
        };
        let message = format!("{} {reason} and cannot be judged", gauge.key);
        Finding {
            metric: gauge.key.clone(),
            unit: gauge.unit.clone(),
            way_on,
            asked,
            ..self.finding(Level::Error, Rule::Input, message)
        }
    }

    fn budget(&self, seen: &Seen, allowed: &Allowed<Amount>, level: Level) -> Option<Finding> {
        let (gauge, number) = (&self.gauges[allowed.gauge], seen.numbers[allowed.gauge].as_ref());
        let Some(value) = number else { return Some(self.open(seen, gauge, None, allowed.line)) };
        match allowed.most.holds(value) {
            Holds::Yes => return None,
            Holds::Open => return Some(self.open(seen, gauge, number, allowed.line)),
            Holds::No => {}
        }
        let over = match (&allowed.most, value.dim().and_then(|dim| dim.as_int()), value.real()) {
            (Amount::Whole(most), Some(value), _) => {
                let by = Number::Count { count: Dim::from(value) - Dim::from(*most), bound: Bound::Exact };
                format!(" by {}", spoken(&by, &gauge.unit))
            }
            (Amount::Real(most), _, Some(value)) => {
                format!(" by {}", spoken(&Number::Real(value - most), &gauge.unit))
            }
            _ => String::new(),
        };
        let value_text = spoken(value, &gauge.unit);
        let peak = self.peak(seen, gauge);
        let message = format!("{} is {value_text}{peak}, over its budget of {}{over}", gauge.key, allowed.text);
        Some(Finding {
            metric: gauge.key.clone(),
            unit: gauge.unit.clone(),
            value: number.cloned(),
            limit: allowed.text.clone(),
            way_on: "make the model cheaper, or raise the budget".to_string(),
            asked: allowed.line,
            node: self.node(seen, gauge),
            ..self.finding(level, Rule::Budget, message)
        })
    }

    /// Where the peak is, for messages about it.
    fn peak(&self, seen: &Seen, gauge: &Column) -> String {
        match &seen.report.peak {
            Some(peak) if gauge.key == "peak_activation_bytes" && !peak.node.is_empty() => {
                format!(" at {}", peak.node)
            }
            _ => String::new(),
        }
    }

    /// The node to look at: where the peak is, else the one that costs most.
    fn node(&self, seen: &Seen, gauge: &Column) -> String {
        if gauge.key.ends_with("peak_activation_bytes") {
            return seen.report.peak.as_ref().map(|peak| peak.node.clone()).unwrap_or_default();
        }
        let Some(metric) = index_of(&gauge.key) else { return String::new() };
        let count = |row: &crate::cost::Row| row.counts.0[metric].as_ref().and_then(Dim::as_int).unwrap_or(-1);
        let rows = seen.report.nodes.iter().filter(|row| !row.alternative);
        rows.rev().max_by_key(|row| count(row)).map(|row| row.name.clone()).unwrap_or_default()
    }

    fn limits(&self, seen: &Seen, base: &Entry, findings: &mut Vec<Finding>) {
        // Sizes are compared in the words of the baseline.
        let symbols = Symbols::of_inputs(&base.inputs, &seen.report.model.inputs);
        let translated = |number: &Number| match number {
            Number::Count { count, bound } => Number::Count { count: symbols.translate(count), bound: *bound },
            number => number.clone(),
        };
        let mut differences: Option<Vec<Cause>> = None;
        for (level, tier) in [(Level::Fail, &self.rules.fail), (Level::Warn, &self.rules.warn)] {
            for allowed in &tier.limits {
                let gauge = &self.gauges[allowed.gauge];
                let Some(value) = seen.numbers[allowed.gauge].as_ref().map(translated) else {
                    findings.push(self.open(seen, gauge, None, allowed.line));
                    continue;
                };
                let Some(old) = &base.numbers[allowed.gauge] else {
                    let message = format!("it has a limit on {}, but the baseline has no such number", gauge.key);
                    let way_on = "run lwstat bless to accept its numbers as they are".to_string();
                    let finding = self.finding(Level::Error, Rule::Input, message);
                    findings.push(Finding { way_on, metric: gauge.key.clone(), asked: allowed.line, ..finding });
                    continue;
                };
                match allowed.most.holds(old, &value) {
                    Holds::Yes => continue,
                    Holds::Open if value.real().is_some() => {
                        let old = say(Some(old), &gauge.unit, false);
                        let message =
                            format!("{} of the baseline depends on open sizes ({old}), now they are fixed", gauge.key);
                        let way_on = "run lwstat bless to accept its numbers as they are".to_string();
                        let finding = self.finding(Level::Error, Rule::Input, message);
                        findings.push(Finding { way_on, metric: gauge.key.clone(), asked: allowed.line, ..finding });
                        continue;
                    }
                    Holds::Open => {
                        findings.push(self.open(seen, gauge, Some(&value), allowed.line));
                        continue;
                    }
                    Holds::No => {}
                }
                let all = differences.get_or_insert_with(|| {
                    let now: Vec<Block> = blocks(&seen.report, &|dim| symbols.translate(dim));
                    causes(&base.blocks, &now)
                });
                findings.push(self.limit(seen, base, allowed, level, &value, old, all));
            }
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn limit(
        &self,
        seen: &Seen,
        base: &Entry,
        allowed: &Allowed<Growth>,
        level: Level,
        value: &Number,
        old: &Number,
        all: &[Cause],
    ) -> Finding {
        let gauge = &self.gauges[allowed.gauge];
        // A peak is no sum: what grew around it is told by the activations.
        let is_peak = gauge.unit == Unit::Bytes && index_of(&gauge.key).is_none() && gauge.key != "file_bytes";
        let own = METRICS.iter().map(|metric| metric.key).find(|key| *key == gauge.key);
        let by = own.or(is_peak.then_some("activation_bytes")).unwrap_or_default();
        let weight = |cause: &Cause| {
            let delta = cause.delta(by)?.substitute(&|_| Some(Dim::from(128i64))).as_int()?;
            (delta > 0 || (delta < 0 && !is_peak)).then_some(delta)
        };
        let mut causes: Vec<(i64, &Cause)> = all.iter().filter_map(|cause| Some((weight(cause)?, cause))).collect();
        causes.sort_by_key(|(weight, _)| Reverse(*weight));
        let causes: Vec<Cause> = causes.into_iter().map(|(_, cause)| cause.clone()).collect();
        let difference = match (old.dim(), value.dim(), old.real(), value.real()) {
            (Some(old), Some(new), ..) => Some(Number::Count { count: new - old, bound: Bound::Exact }),
            (_, _, Some(old), Some(new)) => Some(Number::Real(new - old)),
            _ => None,
        };
        let part = old.real().zip(value.real()).filter(|(old, _)| *old > 0.0);
        let part = part.map(|(old, new)| format!(" ({})", growth(old, new))).unwrap_or_default();
        let difference = difference.map(|by| format!(", by {}{part}", spoken(&by, &gauge.unit))).unwrap_or_default();
        let (old_text, new_text) = (spoken(old, &gauge.unit), spoken(value, &gauge.unit));
        let mut message = format!(
            "{} grew from {old_text} to {new_text}{}{difference}: {} is allowed",
            gauge.key,
            self.peak(seen, gauge),
            allowed.text
        );
        let shapes = |inputs: &[crate::report::TensorType]| {
            inputs.iter().map(crate::render::number::tensor).collect::<Vec<_>>().join(", ")
        };
        let (was, is) = (shapes(&base.inputs), shapes(&seen.report.model.inputs));
        if was != is {
            message += &format!(" (the inputs are {is}, those of the baseline {was})");
        }
        let node = causes.iter().map(|cause| &cause.node).find(|node| !node.is_empty()).cloned();
        Finding {
            metric: gauge.key.clone(),
            unit: gauge.unit.clone(),
            value: Some(value.clone()),
            baseline: Some(old.clone()),
            limit: allowed.text.clone(),
            way_on: "make the model cheaper, or accept it with lwstat bless".to_string(),
            asked: allowed.line,
            node: node.unwrap_or_else(|| self.node(seen, gauge)),
            causes,
            by,
            ..self.finding(level, Rule::Limit, message)
        }
    }

    fn device(&self, seen: &Seen, findings: &mut Vec<Finding>) {
        let Some(device) = &seen.report.device else { return };
        let bytes = |bytes: i64| quantity(Some(&bytes.into()), crate::cost::Unit::Bytes, false);
        let memories: [(&str, Option<&Fit>); 2] = [("flash", device.flash.as_ref()), ("RAM", Some(&device.ram))];
        for (name, fit) in memories.into_iter().filter_map(|(name, fit)| Some((name, fit?))) {
            if fit.fits != Fits::No {
                continue;
            }
            let message = format!(
                "it does not fit the {name} of {}: it needs {}, there are {} ({})",
                device.title,
                bytes(fit.needed_bytes),
                bytes(fit.available_bytes),
                fit.reason
            );
            let number = |bytes: i64| Some(Number::Count { count: Dim::from(bytes), bound: Bound::Exact });
            findings.push(Finding {
                metric: name.to_lowercase(),
                unit: Unit::Bytes,
                value: number(fit.needed_bytes),
                limit: bytes(fit.available_bytes),
                way_on: "make the model smaller, or name another device".to_string(),
                ..self.finding(Level::Fail, Rule::Device, message)
            });
        }
    }

    fn guidelines(&self, seen: &Seen, findings: &mut Vec<Finding>) {
        if self.rules.deny.is_empty() {
            return;
        }
        let level = |at: usize| match self.rules.deny.contains(&at) {
            true => guidelines::Level::Deny,
            false => guidelines::Level::Allow,
        };
        let levels: Vec<guidelines::Level> = (0..RULES.len()).map(level).collect();
        let Some(linted) = guidelines::judge(&seen.report, &levels, self.rules.from / 100.0) else {
            let error = seen.report.open_sizes("guidelines can be judged");
            findings.push(self.error(&error, "give the entry dims"));
            return;
        };
        for judged in linted.rules.iter().filter(|judged| judged.level == guidelines::Level::Deny && !judged.kept) {
            let worst = linted.guidelines.iter().find(|finding| finding.rule == judged.rule);
            let share = Number::Real(100.0 * judged.share);
            let count =
                if judged.findings == 1 { "1 finding".to_string() } else { format!("{} findings", judged.findings) };
            let message = format!(
                "{} ({}) is not kept: {count} of {} of the memory access{}",
                judged.rule,
                judged.title,
                spoken(&share, &Unit::Share),
                worst.map(|worst| format!("; the worst: {}", worst.message)).unwrap_or_default()
            );
            findings.push(Finding {
                metric: judged.rule.to_string(),
                unit: Unit::Share,
                value: Some(share),
                limit: format!("{} %", self.rules.from),
                way_on: "ask lwstat lint where that is and what would change it".to_string(),
                node: worst.and_then(|worst| worst.nodes.first().cloned()).unwrap_or_default(),
                ..self.finding(Level::Fail, Rule::Guideline, message)
            });
        }
    }

    fn figures(&self, seen: &Seen, findings: &mut Vec<Finding>) {
        if self.rules.figures == Figures::Ignore {
            return;
        }
        let name = self.rules.network.as_deref().unwrap_or(&seen.report.model.name);
        let fixture = match figures::find(name, true) {
            Ok(Some(fixture)) => fixture,
            Ok(None) => {
                let message = format!("figures are to hold, but none are on record for \"{name}\"");
                let known: Vec<&str> = figures::built_in().collect();
                let way_on = format!("give the entry as: NAME, one of {}, or figures: ignore", known.join(", "));
                findings.push(Finding { way_on, ..self.finding(Level::Error, Rule::Input, message) });
                return;
            }
            Err(error) => return findings.push(self.error(&error, "")),
        };
        match verify(&seen.report, &fixture) {
            Err(error) => findings.push(self.error(&error, "give the entry the inputs for which the figures hold")),
            Ok(list) => {
                for figure in list.iter().filter(|figure| figure.verdict == Verdict::Fails) {
                    let counted = quantity(figure.counted.as_ref(), crate::cost::Unit::Count, true);
                    let message = format!(
                        "the published {} of {} are {}, counted are {counted} ({})",
                        figure.metric, fixture.name, figure.published, figure.source
                    );
                    findings.push(Finding {
                        metric: figure.metric.clone(),
                        unit: Unit::Count,
                        value: figure.counted.clone().map(|count| Number::Count { count, bound: Bound::Exact }),
                        limit: figure.published.clone(),
                        way_on: "ask lwstat verify for all figures".to_string(),
                        ..self.finding(Level::Fail, Rule::Figure, message)
                    });
                }
            }
        }
    }
}

fn domain(domain: &str) -> String {
    if domain.is_empty() { String::new() } else { format!("{domain}:") }
}

/// A number with its unit.
pub(crate) fn spoken(number: &Number, unit: &Unit) -> String {
    let text = say(Some(number), unit, false);
    match unit {
        Unit::Share | Unit::Percent => format!("{text} %"),
        Unit::Milliseconds => format!("{text} ms"),
        _ => text,
    }
}

/// By how much one number is more than another, in per cent: `+3.5 %`, with more digits where it is little.
pub(crate) fn growth(old: f64, new: f64) -> String {
    let part = 100.0 * (new - old) / old;
    let digits = match part.abs() {
        size if size == 0.0 || size >= 0.95 => 1,
        size => (1.0 - size.log10().floor()).clamp(1.0, 6.0) as usize,
    };
    format!("{part:+.digits$} %").replace('-', "−")
}
