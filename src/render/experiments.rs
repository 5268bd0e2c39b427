//! The paper's experiments on this machine, in every format.

use serde_json::json;

use super::number::duration;
use super::{Formats, Style};
use crate::experiments::{Outcome, Verdict};
use crate::guidelines::RULES;

/// What was run, and where.
pub struct Experiments {
    /// The runtime, its threads and the CPU.
    pub conditions: String,
    /// The outcomes.
    pub outcomes: Vec<Outcome>,
}

/// The formats of experiments.
pub const EXPERIMENTS: Formats<Experiments> = &[("text", text), ("md", markdown), ("csv", csv), ("json", json)];

fn title(rule: &str) -> &'static str {
    RULES.iter().find(|other| other.id == rule).map_or("", |rule| rule.title)
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "holds here",
        Verdict::Partly => "holds here in part: not in the paper's order",
        Verdict::Fails => "does not show here",
    }
}

fn text(run: &Experiments, style: &Style) -> String {
    let mut text = String::new();
    for outcome in &run.outcomes {
        let head = format!("{} {}: {}", outcome.rule, title(outcome.rule), verdict(outcome.verdict));
        text += &format!("{}\n", super::text::bold(&head, style));
        let mut rows = vec![
            [outcome.varies, &format!("Paper, {}", outcome.column), "Time", "Here", "Time", "Noise"]
                .map(str::to_string)
                .to_vec(),
        ];
        for row in &outcome.rows {
            rows.push(vec![
                row.label.to_string(),
                format!("{} {}", row.paper, outcome.unit),
                format!("×{:.2}", row.paper_ratio),
                duration(row.median_ms),
                format!("×{:.2}", row.ratio),
                format!("±{:.0} %", 100.0 * row.noise),
            ]);
        }
        text += &super::text::layout(rows, style);
        text.push('\n');
    }
    text + &format!("{}\n", super::text::wrap(&super::number::clean(&run.conditions), style.width, "  "))
}

fn markdown(run: &Experiments, _: &Style) -> String {
    let mut text = "| Rule | Varies | Setting | Paper's column | Paper | Time | Here | Time | Noise | Verdict |\n\
                    |:--|:--|:--|:--|--:|--:|--:|--:|--:|:--|\n"
        .to_string();
    for outcome in &run.outcomes {
        for row in &outcome.rows {
            text += &format!(
                "| {} | {} | {} | {} | {} {} | ×{:.2} | {} | ×{:.2} | ±{:.0} % | {} |\n",
                outcome.rule,
                outcome.varies,
                row.label,
                outcome.column,
                row.paper,
                outcome.unit,
                row.paper_ratio,
                duration(row.median_ms),
                row.ratio,
                100.0 * row.noise,
                verdict(outcome.verdict)
            );
        }
    }
    text + &format!("\n{}\n", super::markdown::escape(&run.conditions))
}

fn csv(run: &Experiments, _: &Style) -> String {
    let head = [
        "rule",
        "column",
        "setting",
        "macs",
        "memory_access_bytes",
        "paper",
        "unit",
        "paper_ratio",
        "median_ms",
        "ratio",
        "noise",
        "verdict",
    ];
    let mut text = super::csv::row(head.map(str::to_string));
    for outcome in &run.outcomes {
        for row in &outcome.rows {
            text += &super::csv::row([
                outcome.rule.to_string(),
                outcome.column.to_string(),
                row.label.to_string(),
                row.macs.to_string(),
                row.memory_access_bytes.to_string(),
                row.paper.to_string(),
                outcome.unit.to_string(),
                row.paper_ratio.to_string(),
                row.median_ms.to_string(),
                row.ratio.to_string(),
                row.noise.to_string(),
                format!("{:?}", outcome.verdict).to_lowercase(),
            ]);
        }
    }
    text
}

fn json(run: &Experiments, _: &Style) -> String {
    format!("{:#}\n", json!({"conditions": run.conditions, "experiments": run.outcomes}))
}
