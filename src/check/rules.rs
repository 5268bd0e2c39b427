//! The rules of one model that are no numbers: coverage, device, guidelines, figures.

use super::config::{Coverage, Figures};
use super::findings::{Finding, Level, Rule};
use super::gate::{Gate, Seen};
use super::numbers::spoken;
use crate::columns::{Bound, Number, Unit};
use crate::cost::Unit as CostUnit;
use crate::device::{Fit, Fits};
use crate::dim::Dim;
use crate::figures;
use crate::guidelines::{self, RULES};
use crate::render::number::{plural, quantity};
use crate::verify::{Verdict, verify};

impl Gate<'_> {
    pub(super) fn coverage(&self, seen: &Seen, findings: &mut Vec<Finding>) {
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
        let nodes = plural(count, "node");
        let node = seen.report.nodes.iter().find(|row| row.unknown_operator).map(|row| row.name.clone());
        findings.push(Finding {
            metric: "coverage".to_string(),
            way_on: "allow it with coverage: unknown (or bounded), or use operators of lwstat ops".to_string(),
            node: node.unwrap_or_default(),
            ..self.finding(Level::Fail, Rule::Coverage, format!("the cost of {nodes} is {what}{cause}"))
        });
    }
    pub(super) fn device(&self, seen: &Seen, findings: &mut Vec<Finding>) {
        let Some(device) = &seen.report.device else { return };
        let bytes = |bytes: i64| quantity(Some(&bytes.into()), CostUnit::Bytes, false);
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

    pub(super) fn guidelines(&self, seen: &Seen, findings: &mut Vec<Finding>) {
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
            // Where no dimension is free, the error has the way on.
            let way_on = if seen.report.model.dims.is_empty() { "" } else { "give the entry dims" };
            findings.push(self.error(&error, way_on));
            return;
        };
        for judged in linted.rules.iter().filter(|judged| judged.level == guidelines::Level::Deny && !judged.kept) {
            let worst = linted.guidelines.iter().find(|finding| finding.rule == judged.rule);
            let share = Number::from(100.0 * judged.share);
            let message = format!(
                "{} ({}) is not kept: {} of {} of the memory access{}",
                judged.rule,
                judged.title,
                plural(judged.findings, "finding"),
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

    pub(super) fn figures(&self, seen: &Seen, findings: &mut Vec<Finding>) {
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
                    let counted = quantity(figure.counted.as_ref(), CostUnit::Count, true);
                    let message = format!(
                        "the published {} of {} are {}, counted are {counted} ({})",
                        figure.metric, fixture.name, figure.published, figure.source
                    );
                    findings.push(Finding {
                        metric: figure.metric.clone(),
                        unit: Unit::Count,
                        value: figure.counted.clone().map(|count| Number::Count { count, bound: Bound::Exact }),
                        limit: figure.published.clone(),
                        against: format!("{}, {}", figure.called, figure.source),
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
