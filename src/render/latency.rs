//! What was measured: the lines of a report, and the table of several models, in every format.

use serde_json::json;

use super::number::{UNKNOWN, clean, plural};
use super::{Measured, Style};
use crate::latency::{Latency, Stopped};
use crate::report::stem;

/// Milliseconds with four significant digits.
pub(super) fn milliseconds(ms: f64) -> String {
    let decimals = match ms.abs() {
        size if size < 9.9995 => 3,
        size if size < 99.995 => 2,
        size if size < 999.95 => 1,
        _ => 0,
    };
    format!("{ms:.decimals$}")
}

/// Work done in `ms` milliseconds as 10⁹ a second; empty where there is no time.
pub(super) fn rate(count: Option<&crate::dim::Dim>, ms: f64) -> String {
    let count = count.and_then(crate::dim::Dim::as_int).filter(|count| *count > 0 && ms > 0.0);
    count.map(|count| format!("{:.2}", count as f64 / ms / 1e6)).unwrap_or_default()
}

/// The median with its spread, and where the time went.
pub(in crate::render) fn lines(latency: &Latency) -> Vec<(&'static str, String)> {
    let (threads, runs) = (plural(latency.threads, "thread"), plural(latency.runs, "run"));
    let [median, p10, p90] = [latency.median_ms, latency.p10_ms, latency.p90_ms].map(milliseconds);
    let [nodes, rest] = [latency.nodes_ms, latency.unattributed_ms].map(milliseconds);
    let unmapped = match latency.unmapped_ms {
        ms if ms > 0.0 => format!(", {} ms in steps of the runtime's own", milliseconds(ms)),
        _ => String::new(),
    };
    let mut lines = vec![
        (
            "Latency",
            format!(
                "median {median} ms (p10 {p10}, p90 {p90}), {runs}, {threads}, {} {} on {}",
                latency.backend,
                latency.version,
                clean(&latency.cpu)
            ),
        ),
        ("Of that", format!("{nodes} ms in nodes{unmapped}, {rest} ms between them")),
    ];
    let notes = notes(latency);
    if !notes.is_empty() {
        lines.push(("Measured with", notes.join("; ")));
    }
    lines
}

/// What a reader of the number has to know.
fn notes(latency: &Latency) -> Vec<String> {
    let mut notes = Vec::new();
    match &latency.short_data {
        Some(short) => notes.push(format!("made-up weights, as external data is cut off: {}", clean(short))),
        None if latency.synthetic_weights => notes.push("made-up weights, as the model's are not there".to_string()),
        None => {}
    }
    if latency.not_finite_nodes > 0 {
        let nodes = plural(latency.not_finite_nodes, "node");
        notes.push(format!("infinities or no numbers among the results of {nodes}"));
    }
    if latency.subnormal_nodes > 0 {
        let nodes = plural(latency.subnormal_nodes, "node");
        notes.push(format!("subnormal numbers, which are slow, among the results of {nodes}"));
    }
    match latency.stopped {
        Stopped::Stable | Stopped::Runs => {}
        Stopped::Time => notes.push("a median that is not known to 2 %: the time limit came first".to_string()),
        Stopped::Interrupted => notes.push("fewer runs than asked for: interrupted".to_string()),
    }
    notes
}

pub(super) const COLUMNS: [&str; 9] =
    ["Median ms", "p10", "p90", "Fastest", "Runs/s", "Nodes ms", "Rest ms", "Load ms", "Optimize ms"];

pub(super) fn cells(latency: &Latency) -> [String; 9] {
    let rate = latency.throughput_per_second;
    [
        milliseconds(latency.median_ms),
        milliseconds(latency.p10_ms),
        milliseconds(latency.p90_ms),
        milliseconds(latency.min_ms),
        if rate < 100.0 { format!("{rate:.2}") } else { format!("{rate:.0}") },
        milliseconds(latency.nodes_ms),
        milliseconds(latency.unattributed_ms + latency.unmapped_ms),
        milliseconds(latency.load_ms),
        milliseconds(latency.optimize_ms),
    ]
}

/// Runtime, threads and CPU of a measurement.
pub(crate) fn conditions(latency: &Latency) -> String {
    let threads = plural(latency.threads, "thread");
    format!("{} {}, {threads}, {}", latency.backend, latency.version, clean(&latency.cpu))
}

/// What all models have in common.
pub(super) fn common(models: &[Measured]) -> String {
    models.iter().find_map(|model| model.latency.as_ref()).map(conditions).unwrap_or_default()
}

pub(super) fn text(models: &[Measured], style: &Style) -> String {
    let mut rows =
        vec![std::iter::once("Model").chain(["Runs"]).chain(COLUMNS).map(str::to_string).collect::<Vec<_>>()];
    for model in models {
        let mut row = vec![clean(&stem(&model.path))];
        match &model.latency {
            Some(latency) => {
                row.push(latency.runs.to_string());
                row.extend(cells(latency));
            }
            None => row.extend(std::iter::once(UNKNOWN.to_string()).chain(COLUMNS.map(|_| String::new()))),
        }
        rows.push(row);
    }
    let mut text = super::text::layout(rows, style);
    let conditions = common(models);
    text += &if conditions.is_empty() { "\n".to_string() } else { format!("\n  {conditions}\n") };
    for model in models {
        let remark = match &model.latency {
            Some(latency) => notes(latency).join("; "),
            None => model.error.clone().unwrap_or_default(),
        };
        if !remark.is_empty() {
            let line = format!("{}: {}", clean(&stem(&model.path)), clean(&remark));
            text += &format!("  {}\n", super::text::wrap(&line, style.width.saturating_sub(2), "    "));
        }
    }
    text
}

pub(super) fn json(models: &[Measured], _: &Style) -> String {
    let model = |model: &Measured| {
        let mut entry = json!({"path": model.path, "latency": model.latency});
        if let (Some(error), Some(entry)) = (&model.error, entry.as_object_mut()) {
            entry.insert("latency_error".to_string(), json!(error));
        }
        entry
    };
    let models: Vec<_> = models.iter().map(model).collect();
    format!("{:#}\n", json!({ "models": models }))
}

pub(super) fn csv(models: &[Measured], _: &Style) -> String {
    let head = [
        "path",
        "backend",
        "version",
        "cpu",
        "threads",
        "warmup",
        "runs",
        "stopped",
        "median_ms",
        "p10_ms",
        "p90_ms",
        "min_ms",
        "throughput_per_second",
        "load_ms",
        "optimize_ms",
        "nodes_ms",
        "unmapped_ms",
        "unattributed_ms",
        "synthetic_weights",
        "error",
    ];
    let mut text = super::csv::row(head.map(str::to_string));
    for model in models {
        let mut row = vec![model.path.clone()];
        match &model.latency {
            Some(latency) => {
                row.extend([latency.backend.to_string(), latency.version.to_string(), latency.cpu.clone()]);
                row.extend([latency.threads, latency.warmup, latency.runs].map(|count| count.to_string()));
                row.push(format!("{:?}", latency.stopped).to_lowercase());
                let times = [latency.median_ms, latency.p10_ms, latency.p90_ms, latency.min_ms];
                let rest = [latency.throughput_per_second, latency.load_ms, latency.optimize_ms];
                let parts = [latency.nodes_ms, latency.unmapped_ms, latency.unattributed_ms];
                row.extend(times.into_iter().chain(rest).chain(parts).map(|number| format!("{number:.6}")));
                row.push(latency.synthetic_weights.to_string());
            }
            None => row.extend(vec![String::new(); head.len() - 2]),
        }
        row.push(model.error.clone().unwrap_or_default());
        text += &super::csv::row(row);
    }
    text
}

pub(super) fn markdown(models: &[Measured], _: &Style) -> String {
    let mut text = format!("| Model | Runs | {} |\n|:--|--:|{}\n", COLUMNS.join(" | "), "--:|".repeat(COLUMNS.len()));
    for model in models {
        let name = super::markdown::escape(&stem(&model.path));
        text += &match &model.latency {
            Some(latency) => format!("| {name} | {} | {} |\n", latency.runs, cells(latency).join(" | ")),
            None => format!("| {name} | {UNKNOWN} |{}\n", "  |".repeat(COLUMNS.len())),
        };
    }
    let conditions = super::markdown::escape(&common(models));
    text += &if conditions.is_empty() { String::new() } else { format!("\n{conditions}\n") };
    for model in models {
        let remark = match &model.latency {
            Some(latency) => notes(latency).join("; "),
            None => model.error.clone().unwrap_or_default(),
        };
        if !remark.is_empty() {
            let name = super::markdown::escape(&stem(&model.path));
            text += &format!("\n{name}: {}\n", super::markdown::escape(&remark));
        }
    }
    text
}

/// Columns that a measured report's table has beside the counts: time, its share, and the rates that were reached.
pub(super) const GROUP_COLUMNS: [&str; 4] = ["ms", "%", "GMACs/s", "GB/s"];

/// The cells of a group in those columns.
pub(super) fn group(latency: &Latency, ms: Option<f64>, counts: &crate::cost::Counts) -> [String; 4] {
    let Some(ms) = ms else { return Default::default() };
    [
        milliseconds(ms),
        if latency.median_ms > 0.0 { format!("{:.1}", 100.0 * ms / latency.median_ms) } else { String::new() },
        rate(counts.get("macs"), ms),
        rate(counts.get("memory_access_bytes"), ms),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_have_four_significant_digits() {
        for (ms, text) in
            [(0.0, "0.000"), (1.23456, "1.235"), (12.3456, "12.35"), (123.456, "123.5"), (1234.56, "1235")]
        {
            assert_eq!(milliseconds(ms), text);
        }
    }
}
