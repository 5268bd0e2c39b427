//! The check itself: every model of a configuration held against what is allowed to it.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::path::Path;

use rayon::prelude::*;

use super::baseline::{Baseline, Entry};
use super::blocks::blocks;
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
pub(super) struct Seen {
    pub(super) report: Report,
    pub(super) numbers: Vec<Option<Number>>,
    pub(super) sizes: BTreeSet<String>,
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
    pub(super) gauges: &'a [Column],
    pub(super) question: &'a Question<'a>,
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
}
