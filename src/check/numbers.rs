//! Budgets and limits of one model: its numbers, and their growth against the baseline.

use std::cmp::Reverse;
use std::sync::Arc;

use super::baseline::Entry;
use super::blocks::{Block, Cause, blocks, causes};
use super::findings::{Finding, Level, Rule};
use super::gate::{Gate, Seen};
use super::limits::{Allowed, Amount, Growth, Holds};
use super::sizes;
use crate::columns::{Bound, Column, Number, Unit};
use crate::cost::{METRICS, index_of};
use crate::diff::symbols::Symbols;
use crate::dim::Dim;
use crate::render::comparison::entry as say;

impl Gate<'_> {
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

    pub(super) fn budget(&self, seen: &Seen, allowed: &Allowed<Amount>, level: Level) -> Option<Finding> {
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
                format!(" by {}", spoken(&Number::from(value - most), &gauge.unit))
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
            limit: allowed.text.to_string(),
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

    /// Whether limits can be judged once these numbers are accepted.
    pub(super) fn limitable(&self, seen: &Seen, findings: &mut Vec<Finding>) {
        for allowed in self.rules.fail.limits.iter().chain(&self.rules.warn.limits) {
            let number = seen.numbers[allowed.gauge].as_ref();
            if number.is_none_or(|number| allowed.most.holds(number, number) == Holds::Open) {
                findings.push(self.open(seen, &self.gauges[allowed.gauge], number, allowed.line));
            }
        }
    }

    pub(super) fn limits(&self, seen: &Seen, base: &Entry, findings: &mut Vec<Finding>) {
        // Sizes are compared in the words of the baseline.
        let mut symbols = Symbols::of_inputs(&base.inputs, &seen.report.model.inputs);
        sizes::unify(&mut symbols, &base.blocks, &seen.report);
        let translated = |number: &Number| match number {
            Number::Count { count, bound } => Number::Count { count: symbols.translate(count), bound: *bound },
            number => number.clone(),
        };
        let mut differences: Option<Vec<Arc<Cause>>> = None;
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
                    Holds::Yes if value.bound() == Bound::AtLeast && old.bound() != Bound::AtLeast => {
                        findings.push(self.unproved(seen, allowed, &value, old));
                        continue;
                    }
                    Holds::Yes => continue,
                    Holds::Open if base.strays(old) => {
                        let message = format!(
                            "its entry in the baseline has \"{}\" for {}, which is no count",
                            say(Some(old), &gauge.unit, false),
                            gauge.key
                        );
                        let way_on = "take the baseline of the last commit, or run lwstat bless".to_string();
                        let file = self.question.baseline.map(|baseline| baseline.path.clone()).unwrap_or_default();
                        let finding = self.finding(Level::Error, Rule::Input, message);
                        findings.push(Finding { file, way_on, metric: gauge.key.clone(), ..finding });
                        continue;
                    }
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
                        findings.push(self.open(seen, gauge, seen.numbers[allowed.gauge].as_ref(), allowed.line));
                        continue;
                    }
                    Holds::No => {}
                }
                let all = differences.get_or_insert_with(|| {
                    let now: Vec<Block> = blocks(&seen.report, &|dim| symbols.translate(dim));
                    causes(&base.blocks, &now).into_iter().map(Arc::new).collect::<Vec<_>>()
                });
                findings.push(self.limit(seen, base, allowed, level, &value, old, all));
            }
        }
    }

    /// A lower bound is no proof that a number has not grown.
    fn unproved(&self, seen: &Seen, allowed: &Allowed<Growth>, value: &Number, old: &Number) -> Finding {
        let gauge = &self.gauges[allowed.gauge];
        let (new_text, old_text) = (spoken(value, &gauge.unit), spoken(old, &gauge.unit));
        let message = format!(
            "{} is {new_text}, a lower bound, the baseline has {old_text}: it is open whether {} is kept",
            gauge.key, allowed.text
        );
        let node = seen.report.nodes.iter().find(|row| row.unknown_operator).map(|row| row.name.clone());
        Finding {
            way_on: "use operators of lwstat ops, or accept the lower bound with lwstat bless".to_string(),
            node: node.unwrap_or_default(),
            ..self.of_limit(Level::Warn, allowed, value, old, message)
        }
    }

    /// A finding of a limit, with its numbers.
    fn of_limit(
        &self,
        level: Level,
        allowed: &Allowed<Growth>,
        value: &Number,
        old: &Number,
        message: String,
    ) -> Finding {
        let gauge = &self.gauges[allowed.gauge];
        Finding {
            metric: gauge.key.clone(),
            unit: gauge.unit.clone(),
            value: Some(value.clone()),
            baseline: Some(old.clone()),
            limit: allowed.text.to_string(),
            asked: allowed.line,
            ..self.finding(level, Rule::Limit, message)
        }
    }

    /// Whether a file grew by its weights: at least half of the growth, where the weights lie in it.
    fn weights(&self, seen: &Seen, base: &Entry, old: &Number, value: &Number) -> bool {
        let of = |number: Option<&Number>| number?.dim()?.as_int();
        let weights = self.gauges.iter().position(|gauge| gauge.key == "weight_bytes");
        let grew = weights.and_then(|at| Some(of(seen.numbers[at].as_ref())? - of(base.numbers[at].as_ref())?));
        let file = of(Some(value)).zip(of(Some(old))).map(|(new, old)| new - old);
        grew.zip(file).is_some_and(|(grew, file)| grew > 0 && grew <= file && 2 * grew >= file)
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
        all: &[Arc<Cause>],
    ) -> Finding {
        let gauge = &self.gauges[allowed.gauge];
        // A peak is no sum: what grew around it is told by the activations.
        let is_peak = gauge.unit == Unit::Bytes && index_of(&gauge.key).is_none() && gauge.key != "file_bytes";
        let own = METRICS.iter().map(|metric| metric.key).chain(["nodes"]).find(|key| *key == gauge.key);
        let weights = (gauge.key == "file_bytes").then(|| self.weights(seen, base, old, value));
        let of_weights = weights.filter(|by_weights| *by_weights).map(|_| "weight_bytes");
        let by = own.or(of_weights).or(is_peak.then_some("activation_bytes")).unwrap_or_default();
        let weight = |cause: &Cause| {
            let delta = cause.delta(by)?.substitute(&|_| Some(Dim::from(128i64))).as_int()?;
            (delta > 0 || (delta < 0 && !is_peak)).then_some(delta)
        };
        let mut causes: Vec<(i64, &Arc<Cause>)> =
            all.iter().filter_map(|cause| Some((weight(cause)?, cause))).collect();
        causes.sort_by_key(|(weight, _)| Reverse(*weight));
        let causes: Vec<Arc<Cause>> = causes.into_iter().map(|(_, cause)| Arc::clone(cause)).collect();
        // Between two bounds it is told as if both were exact.
        let bound = if old.bound() == Bound::Exact { value.bound() } else { Bound::Exact };
        let difference = match (old.dim(), value.dim(), old.real(), value.real()) {
            (Some(old), Some(new), ..) => Some(Number::Count { count: new - old, bound }),
            (_, _, Some(old), Some(new)) => Some(Number::Real { value: new - old, bound }),
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
        if weights == Some(false) {
            message += " (by what the file has beside its weights: constants, names, metadata)";
        }
        let shapes = |inputs: &[crate::report::TensorType]| {
            inputs.iter().map(crate::render::number::tensor).collect::<Vec<_>>().join(", ")
        };
        let (was, is) = (shapes(&base.inputs), shapes(&seen.report.model.inputs));
        if was != is {
            message += &format!(" (the inputs are {is}, those of the baseline {was})");
        }
        let node = causes.iter().map(|cause| &cause.node).find(|node| !node.is_empty()).cloned();
        Finding {
            way_on: "make the model cheaper, or accept it with lwstat bless".to_string(),
            node: node.unwrap_or_else(|| self.node(seen, gauge)),
            causes,
            by,
            ..self.of_limit(level, allowed, value, old, message)
        }
    }
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
