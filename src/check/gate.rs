//! The check itself: every model of a configuration held against what is allowed to it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::baseline::{Baseline, Entry};
use super::config::{Config, Rules, Target};
use super::findings::{Checked, Finding, Level, Measured, Outcome, Rule};
use super::limits::gauges;
use crate::columns::{Column, Needs, Number, Subject, Unit};
use crate::compare::absent_dims;
use crate::error::{Error, Result};
use crate::infer::Bindings;
use crate::model::Model;
use crate::report::Report;

/// How a check is made.
pub struct Question<'a> {
    /// What was accepted; `None` where there is no baseline yet.
    pub baseline: Option<&'a Baseline>,
    /// Opens a model.
    pub open: &'a (dyn Fn(&Path) -> Result<Model> + Sync),
    /// Called after each model, from any thread, and once more after it is measured.
    pub done: &'a (dyn Fn() + Sync),
}

/// The most models of the baseline that are gone which a finding names.
const GONE: usize = 3;

/// What is kept of a model while it is judged.
pub(super) struct Seen {
    pub(super) report: Report,
    pub(super) numbers: Vec<Option<Number>>,
}

/// So many models are analyzed before what came of them is handed on.
const CHUNK: usize = 256;

/// Checks the models in parallel; of each, only what came of it is kept.
pub fn check(config: &Config, question: &Question) -> Outcome {
    let (models, absent) = each(config, question, false, &mut |_, _| Ok(())).unwrap_or_default();
    let mut other = missing(config);
    let limited = |target: &Target| !target.rules.fail.limits.is_empty() || !target.rules.warn.limits.is_empty();
    if question.baseline.is_none() && config.targets.iter().any(limited) {
        other.push(Finding {
            file: config.path.clone(),
            way_on: "run lwstat bless to accept the models as they are".to_string(),
            ..input(&format!("there are limits, but no baseline {}", config.baseline.display()))
        });
    }
    other.extend(absent);
    if let Some(baseline) = question.baseline {
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
    outcome(config, models, other)
}

/// Checks the models as far as no baseline can allow what is broken, in parallel, and hands on the text of each one's
/// entry, in the order of the configuration. An error where what takes the entries has one.
pub fn bless(
    config: &Config,
    question: &Question,
    accept: &mut dyn FnMut(&str, &str) -> Result<()>,
) -> Result<Outcome> {
    let (models, absent) = each(config, question, true, accept)?;
    let mut other = missing(config);
    other.extend(absent);
    Ok(outcome(config, models, other))
}

fn outcome(config: &Config, models: Vec<Checked>, other: Vec<Finding>) -> Outcome {
    Outcome {
        config: config.path.clone(),
        baseline: config.baseline.display().to_string(),
        models,
        other,
        ..Outcome::default()
    }
}

/// Entries that name no model.
fn missing(config: &Config) -> Vec<Finding> {
    let finding = |(line, error): &(u64, Error)| Finding {
        line: *line,
        file: config.path.clone(),
        way_on: "restore it, or take the entry out of the configuration".to_string(),
        ..input(&format!("line {line}: {error}"))
    };
    config.missing.iter().map(finding).collect()
}

/// What came of each model, and findings about dimensions of the defaults that no model has: a misspelt name would
/// change nothing.
fn each(
    config: &Config,
    question: &Question,
    bless: bool,
    accept: &mut dyn FnMut(&str, &str) -> Result<()>,
) -> Result<(Vec<Checked>, Vec<Finding>)> {
    let gauges: Vec<Arc<Column>> = gauges().into_iter().map(Arc::new).collect();
    let names = config.targets.iter().flat_map(|target| target.rules.default_sizes.keys());
    let used: BTreeMap<&str, AtomicBool> = names.map(|name| (&**name, AtomicBool::new(false))).collect();
    let all_seen = AtomicBool::new(true);
    let gate = |at: usize| {
        let target = &config.targets[at];
        Gate { target, rules: &target.rules, gauges: &gauges, question, bless, used: &used }
    };
    let one = |at: usize| {
        let checked = gate(at).check(&all_seen);
        (question.done)();
        checked
    };
    let count = config.targets.len();
    let mut models = Vec::with_capacity(count);
    for start in (0..count).step_by(CHUNK) {
        let chunk = (start..count.min(start + CHUNK)).into_par_iter();
        let checked: Vec<(Checked, Option<String>)> = chunk.map(one).collect();
        for (model, entry) in checked {
            if let Some(entry) = entry {
                accept(&model.key, &entry)?;
            }
            models.push(model);
        }
    }
    // Nothing else runs beside what is measured.
    for (at, checked) in models.iter_mut().enumerate() {
        if !bless && config.targets[at].rules.is_paced() {
            gate(at).pace(checked);
            (question.done)();
        }
    }
    let mut absent = Vec::new();
    for (name, line, column) in &config.default_dims {
        let is_used = used.get(&**name).is_some_and(|used| used.load(Ordering::Relaxed));
        if all_seen.load(Ordering::Relaxed) && !is_used {
            let message =
                format!("line {line}, column {column}: dims of the defaults: no model has a free dimension \"{name}\"");
            absent.push(Finding {
                file: config.path.clone(),
                line: *line,
                way_on: "take it out, or give it the name that lwstat MODEL shows".to_string(),
                ..input(&message)
            });
        }
    }
    Ok((models, absent))
}

/// A finding that something could not be found out.
pub(super) fn input(message: &str) -> Finding {
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
        against: String::new(),
        message: message.to_string(),
        way_on: String::new(),
        causes: Vec::new(),
        by: "",
        node: String::new(),
    }
}

pub(super) struct Gate<'a> {
    pub(super) target: &'a Target,
    pub(super) rules: &'a Rules,
    pub(super) gauges: &'a [Arc<Column>],
    pub(super) question: &'a Question<'a>,
    /// Whether the model is to be accepted: limits are not looked at.
    bless: bool,
    /// Dimensions of the defaults, and whether some model has them.
    used: &'a BTreeMap<&'a str, AtomicBool>,
}

impl Gate<'_> {
    /// What came of it, and what the baseline is to have of it, where that was asked for and the model can be read.
    fn check(&self, all_seen: &AtomicBool) -> (Checked, Option<String>) {
        let mut checked = Checked {
            key: self.target.key.clone(),
            path: self.target.path.display().to_string(),
            measured: Vec::new(),
            findings: Vec::new(),
        };
        let mut entry = None;
        match self.see() {
            Ok(seen) => {
                self.judge(&seen, &mut checked);
                entry = self.bless.then(|| Entry::of(&seen.report, seen.numbers).text());
            }
            Err(error) => {
                all_seen.store(false, Ordering::Relaxed);
                checked.findings.push(self.error(&error, "mend the model or its entry"));
            }
        }
        checked.findings.sort_by_key(|finding| (Reverse(finding.level), finding.rule));
        checked.findings.shrink_to_fit();
        (checked, entry)
    }

    pub(super) fn finding(&self, level: Level, rule: Rule, message: String) -> Finding {
        Finding {
            level,
            rule,
            model: self.target.key.clone(),
            file: self.target.path.display().to_string(),
            asked: self.target.line,
            ..input(&message)
        }
    }

    pub(super) fn error(&self, error: &Error, way_on: &str) -> Finding {
        let node = error.node.as_ref().map(|(name, _)| name.clone()).unwrap_or_default();
        let file = error.path.clone().unwrap_or_else(|| self.target.path.display().to_string());
        let message = error.clone().without_file().to_string();
        Finding { way_on: way_on.to_string(), node, file, ..self.finding(Level::Error, Rule::Input, message) }
    }

    /// These sizes, and those of the defaults that a model has.
    pub(super) fn bindings(&self, model: &Model, mut bindings: Bindings) -> Bindings {
        for (name, size) in &self.rules.default_sizes {
            let one = Bindings { sizes: [(name.clone(), *size)].into_iter().collect(), ..Bindings::default() };
            if absent_dims(model, &one).is_empty() {
                self.used.get(&**name).into_iter().for_each(|used| used.store(true, Ordering::Relaxed));
                bindings.sizes.entry(name.clone()).or_insert(*size);
            }
        }
        bindings
    }

    /// Analyzes the model as far as the rules ask for.
    fn see(&self) -> Result<Seen> {
        let model = (self.question.open)(&self.target.path)?;
        model.check_dims(&self.rules.bindings)?;
        let bindings = self.bindings(&model, self.rules.bindings.clone());
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
            Number::Real { value, bound } => Number::Real { value: (value * 1e4).round() / 1e4, bound },
            number => number,
        };
        let numbers = self.gauges.iter().map(|gauge| (gauge.entry)(&subject).map(rounded)).collect();
        Ok(Seen { report, numbers })
    }

    fn judge(&self, seen: &Seen, checked: &mut Checked) {
        if self.rules.ask_nothing() {
            let message = "nothing is asked of it".to_string();
            let way_on = "give its entry a budget, limits, latency, device, deny or figures".to_string();
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
        if self.bless {
            return self.limitable(seen, &mut checked.findings);
        }
        let base = match self.question.baseline.map(|baseline| baseline.entry(&self.target.key)).transpose() {
            Ok(base) => base.flatten(),
            Err(error) => {
                checked.findings.push(self.error(&error, ""));
                return;
            }
        };
        checked.measured = self.measured(seen, base.as_ref());
        let limits = self.rules.fail.limits.len() + self.rules.warn.limits.len();
        if limits == 0 || self.question.baseline.is_none() {
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
                    gauge: Arc::clone(gauge),
                    value: seen.numbers[at].clone(),
                    baseline: base.and_then(|base| base.numbers[at].clone()),
                    budget: budget.map(|allowed| Arc::clone(&allowed.text)),
                    limit: limit.map(|allowed| Arc::clone(&allowed.text)),
                });
            }
        }
        measured.shrink_to_fit();
        measured
    }
}
