//! CSV (RFC 4180): a row a group, a column a metric key.

use rustc_hash::FxHashMap;

use super::number::misleads;
use super::{Style, Verified};
use crate::cost::{Coverage, METRICS};
use crate::dim::Dim;
use crate::error::Result;
use crate::guidelines::Linted;
use crate::report::Report;
use crate::summary::{By, groups};

pub(super) fn report(report: &Report, style: &Style) -> Result<String> {
    if style.view.by == By::Node {
        return Ok(nodes(report));
    }
    let label = if style.view.by == By::Op { "op" } else { "scope" };
    let placed = report.device.is_some();
    let header = [label, "depth", "nodes"].into_iter().chain(METRICS.iter().map(|metric| metric.key));
    let device = ["roofline_ms"].into_iter().filter(|_| placed);
    let latency = report.latency.is_some().then_some("latency_ms");
    let mut text = row(header.chain(["coverage"]).chain(device).chain(latency).map(str::to_string));
    let (shown, rest) = groups(report, &style.view)?;
    for group in shown.iter().chain(&rest) {
        let label = if group.label.is_empty() { "(rest)" } else { &group.label };
        let head = [label.to_string(), group.depth.to_string(), group.nodes.to_string()];
        let counts = head.into_iter().chain(group.counts.0.iter().map(count)).chain([coverage(group.coverage)]);
        let device = placed.then(|| group.roofline_ms.to_string());
        text += &row(counts.chain(device).chain(latency.map(|_| time(group.ms))));
    }
    Ok(text)
}

fn nodes(report: &Report) -> String {
    let placed = report.device.is_some();
    let head = ["name", "op_type", "domain", "scope"].into_iter().chain(METRICS.iter().map(|metric| metric.key));
    let device = ["roofline_ms", "bound"].into_iter().filter(|_| placed);
    let latency = report.latency.as_ref().map(|latency| &latency.nodes);
    let times: FxHashMap<&str, f64> = latency.into_iter().flatten().map(|node| (node.name.as_str(), node.ms)).collect();
    let latency = latency.map(|_| "latency_ms");
    let mut text = row(head.chain(["coverage"]).chain(device).chain(latency).map(str::to_string));
    for node in report.nodes.iter().filter(|node| !node.alternative) {
        let head = [&node.name, node.op_type.as_ref(), &node.domain, &node.scope].map(str::to_string);
        let counts = head.into_iter().chain(node.counts.0.iter().map(count)).chain([coverage(node.coverage)]);
        let device = node.roofline.map_or_else(Default::default, |node| {
            [node.roofline_ms.to_string(), format!("{:?}", node.bound).to_lowercase()]
        });
        let cells = counts.chain(device.into_iter().filter(|_| placed));
        text += &row(cells.chain(latency.map(|_| time(times.get(node.name.as_str()).copied()))));
    }
    text
}

pub(super) fn findings(models: &[Verified], _: &Style) -> String {
    let head = ["path", "fixture", "metric", "published", "counted", "verdict", "source", "cause", "error"];
    let mut text = row(head.map(str::to_string));
    for model in models {
        if let Some(reason) = &model.error {
            let empty = std::iter::repeat_n(String::new(), head.len() - 2);
            text += &row([model.path.clone()].into_iter().chain(empty).chain([reason.clone()]));
        }
        for finding in &model.findings {
            let cause = finding.deviation.as_ref().map(|deviation| deviation.cause.clone()).unwrap_or_default();
            text += &row([
                model.path.clone(),
                model.fixture.clone().unwrap_or_default(),
                finding.metric.clone(),
                finding.published.clone(),
                count(&finding.counted),
                format!("{:?}", finding.verdict).to_lowercase(),
                finding.source.clone(),
                cause,
                String::new(),
            ]);
        }
    }
    text
}

pub(super) fn guidelines(linted: &Linted, _: &Style) -> String {
    let mut text =
        row(["path", "rule", "nodes", "excess", "excess_bytes", "share", "message", "advice"].map(str::to_string));
    for finding in &linted.guidelines {
        text += &row([
            linted.path.clone(),
            finding.rule.to_string(),
            finding.nodes.join(" "),
            finding.excess.to_string(),
            finding.excess_bytes.to_string(),
            format!("{:.6}", finding.share),
            finding.message.clone(),
            finding.advice.clone(),
        ]);
    }
    text
}

/// Milliseconds; empty where a node did not run by itself.
fn time(ms: Option<f64>) -> String {
    ms.map(|ms| format!("{ms:.6}")).unwrap_or_default()
}

fn coverage(coverage: Coverage) -> String {
    format!("{coverage:?}").to_lowercase()
}

fn count(count: &Option<Dim>) -> String {
    count.as_ref().map(Dim::code).unwrap_or_default()
}

pub(super) fn row(fields: impl IntoIterator<Item = String>) -> String {
    let quoted = |field: String| {
        // Quotes keep a field whole, save from letters that make it look like another.
        let field = field.replace(misleads, "\u{fffd}");
        match field.contains([',', '"', '\n', '\r']) {
            true => format!("\"{}\"", field.replace('"', "\"\"")),
            false => field,
        }
    };
    fields.into_iter().map(quoted).collect::<Vec<_>>().join(",") + "\r\n"
}
