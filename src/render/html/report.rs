//! The page of one model: totals, charts, operators, findings, the module tree, and a table of all nodes.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{Cell, charts, escape, judged, page, section, table};
use crate::cost::{Coverage, METRICS, Unit};
use crate::device::{Fit, Fits};
use crate::dim::Dim;
use crate::error::Result;
use crate::render::Style;
use crate::render::latency::milliseconds;
use crate::render::number::{duration, plural, quantity, share, tensor};
use crate::render::text::published;
use crate::report::{Report, TensorType};
use crate::summary::{By, Group, View, groups};

/// Metrics of the tables of operators, modules and nodes.
const COLUMNS: &[&str] = &["macs", "flops", "params", "memory_access_bytes"];

/// Findings that are written out.
const FINDINGS: usize = 200;

/// Levels of the module tree: names from files may have any number.
const DEEPEST: usize = 64;

/// Nodes of a finding that are linked.
const LINKS: usize = 20;

pub(in crate::render) fn report(report: &Report, style: &Style) -> Result<String> {
    let list = |tensors: &[TensorType]| tensors.iter().map(tensor).collect::<Vec<_>>().join(", ");
    let model = &report.model;
    let folded = if report.totals.folded > 0 { format!(", {} folded", report.totals.folded) } else { String::new() };
    let subtitle = format!(
        "{} → {} · {}{folded} · {}",
        list(&model.inputs),
        list(&model.outputs),
        plural(report.totals.nodes, "node"),
        coverage(report)
    );
    let links = [
        ("totals", "Totals"),
        ("charts", "Charts"),
        ("operators", "Operators"),
        ("findings", "Guidelines"),
        ("modules", "Modules"),
        ("nodes", "Nodes"),
    ];
    let shown = links.iter().filter(|(id, _)| *id != "charts" || !style.charts.is_empty());
    let links: String = shown.map(|(id, name)| format!("<li><a href=\"#{id}-heading\">{name}</a></li>")).collect();
    let body = format!("<nav aria-label=\"Sections\"><ul>{links}</ul></nav>\n")
        + &section("totals", "Totals", &totals(report, style))
        + &charts(style)
        + &section("operators", "Operators", &operators(report, style)?)
        + &section("findings", "Guidelines", &findings(report, style))
        + &section("modules", "Modules", MODULES)
        + &section("nodes", "Nodes", NODES);
    Ok(page(&model.name, &subtitle, &body, Some(&data(report)?)))
}

/// What the script fills.
const MODULES: &str = "<p id=\"modules-help\">A button opens and closes a module, and so do the right and the left arrow key; \
up and down go from module to module.</p>\n<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-labelledby=\"modules-heading\"><table id=\"modules\" aria-describedby=\"modules-help\"><caption>Modules and what \
stands in them</caption><thead><tr></tr></thead><tbody></tbody></table></div>\n\
<noscript><p>The tree is made by a script.</p></noscript>\n";

/// What the script fills.
const NODES: &str = "<div class=\"screen\"><p><label for=\"search\">Search nodes</label> <input type=\"search\" id=\"search\" \
placeholder=\"name, operator, module, shape\" autocomplete=\"off\" spellcheck=\"false\"> <output id=\"found\" for=\"search\" \
aria-live=\"polite\"></output></p>\n<div id=\"scroll\" class=\"scroll\" tabindex=\"0\" role=\"region\" \
aria-labelledby=\"nodes-heading\"><table id=\"nodes\"><caption>Nodes in the order in which they run</caption><thead><tr></tr>\
</thead><tbody></tbody></table></div>\n<noscript><p>The table is made by a script.</p></noscript></div>\n\
<p class=\"paper-only\">Nodes are not printed: --format csv has them.</p>\n";

fn coverage(report: &Report) -> String {
    let coverage = &report.coverage;
    if coverage.unknown == 0 && coverage.bounded == 0 {
        return "exact".to_string();
    }
    let causes: Vec<String> = coverage.unknown_ops.iter().map(|op| format!("{} ×{}", op.op_type, op.count)).collect();
    let causes = if causes.is_empty() { String::new() } else { format!(" ({})", causes.join(", ")) };
    format!("{} exact, {} bounded, {} unknown{causes}", coverage.exact, coverage.bounded, coverage.unknown)
}

fn totals(report: &Report, style: &Style) -> String {
    let mut rows: Vec<(String, String)> = Vec::new();
    let macs = report.totals.counts.get("macs");
    for (index, (metric, count)) in METRICS.iter().zip(&report.totals.counts.0).enumerate() {
        if metric.key == "macs_causal" && count.as_ref() == macs {
            continue;
        }
        let bound = match report.totals.at_least.contains(&metric.key) {
            true => "at least ",
            false if report.totals.at_most(index) => "at most ",
            false => "",
        };
        rows.push((metric.title.to_string(), format!("{bound}{}", quantity(count.as_ref(), metric.unit, style.exact))));
    }
    rows.extend(published(report, style).map(|published| ("Published".to_string(), published)));
    let bytes = |bytes: i64| quantity(Some(&bytes.into()), Unit::Bytes, style.exact);
    rows.extend(report.totals.intensity().map(|of| ("Intensity".to_string(), format!("{of:.2} FLOP/B"))));
    rows.extend(report.totals.peak_activation_bytes.map(|peak| ("Peak activations".to_string(), bytes(peak))));
    if let Some(plan) = report.memory.as_ref().filter(|_| style.plan) {
        let found = if plan.best_is_exact { "Peak, best order" } else { "Peak, best order that was found" };
        rows.push(("Peak in place".to_string(), bytes(plan.in_place_bytes)));
        rows.push((found.to_string(), bytes(plan.best_bytes)));
        rows.push(("Peak, lower bound".to_string(), bytes(plan.lower_bound_bytes)));
        rows.push(("Arena".to_string(), bytes(plan.arena.bytes)));
    }
    if let Some(device) = &report.device {
        let fits = |fit: &Fit| if fit.fits == Fits::No { "does not fit" } else { "fits" };
        rows.push((format!("Roofline on {}", device.title), format!("at least {}", duration(device.roofline_ms))));
        for (name, fit) in device.flash.iter().map(|flash| ("Flash", flash)).chain([("RAM", &device.ram)]) {
            let (needed, available) = (bytes(fit.needed_bytes), bytes(fit.available_bytes));
            rows.push((name.to_string(), format!("{}: needs {needed}, has {available} ({})", fits(fit), fit.reason)));
        }
    }
    if let Some(latency) = &report.latency {
        rows.extend(crate::render::latency::lines(latency).into_iter().map(|(name, words)| (name.to_string(), words)));
    }
    rows.extend(report.latency_error.iter().map(|error| ("Latency".to_string(), format!("not measured: {error}"))));
    let file = i64::try_from(report.model.file_bytes).map(bytes).unwrap_or_default();
    rows.push(("File".to_string(), file));
    let opset: Vec<String> = report.model.opset.iter().map(|(domain, version)| format!("{domain} {version}")).collect();
    rows.push(("Opset".to_string(), opset.join(", ").trim().to_string()));
    rows.push(("Producer".to_string(), report.model.producer.clone()));
    let row =
        |(name, value): &(String, String)| format!("<div><dt>{}</dt><dd>{}</dd></div>\n", escape(name), escape(value));
    format!("<dl>\n{}</dl>\n", rows.iter().map(row).collect::<String>())
}

/// The columns' places in the metric table.
fn columns() -> Vec<usize> {
    COLUMNS.iter().filter_map(|key| crate::cost::index_of(key)).collect()
}

/// A time of the tables.
struct Time {
    title: &'static str,
    of: fn(&Group) -> Option<f64>,
    /// The whole model's, in milliseconds.
    whole: f64,
}

/// The roofline time where a device was asked for, the measured one where the model was run.
fn times(report: &Report) -> Vec<Time> {
    let of: fn(&Group) -> Option<f64> = |group| Some(group.roofline_ms);
    let roofline = report.device.iter().map(|device| Time { title: "Roofline", of, whole: device.roofline_ms });
    let measured =
        report.latency.iter().map(|latency| Time { title: "Latency", of: |group| group.ms, whole: latency.median_ms });
    roofline.chain(measured).collect()
}

fn value(count: Option<&Dim>) -> Option<f64> {
    count.and_then(Dim::as_int).map(|count| count as f64)
}

fn operators(report: &Report, style: &Style) -> Result<String> {
    let view = View { by: By::Op, depth: 0, sort: None, top: None };
    let (groups, _) = groups(report, &view)?;
    let mut header = vec!["Op type".to_string(), "Nodes".to_string()];
    columns().iter().for_each(|index| header.extend([METRICS[*index].title.to_string(), "%".to_string()]));
    let times = times(report);
    times.iter().for_each(|time| header.extend([format!("{} ms", time.title), "%".to_string()]));
    let row = |group: &Group| {
        let mut cells =
            vec![Cell::Text(group.label.clone()), Cell::Number(group.nodes.to_string(), Some(group.nodes as f64))];
        let bound = if group.coverage == Coverage::Unknown { "≥ " } else { "" };
        for index in columns() {
            let (count, whole) = (group.counts.0[index].as_ref(), report.totals.counts.0[index].as_ref());
            let text = format!("{bound}{}", quantity(count, METRICS[index].unit, style.exact));
            cells.push(Cell::Number(text, value(count)));
            cells.push(Cell::Number(share(count, whole), value(count)));
        }
        for time in &times {
            let ms = (time.of)(group);
            cells.push(Cell::Number(ms.map(milliseconds).unwrap_or_default(), ms));
            let part = ms.filter(|_| time.whole > 0.0).map(|ms| 100.0 * ms / time.whole);
            cells.push(Cell::Number(part.map(|part| format!("{part:.1}")).unwrap_or_default(), part));
        }
        cells
    };
    Ok(table("Nodes by operator", &header, &groups.iter().map(row).collect::<Vec<_>>(), ""))
}

fn findings(report: &Report, style: &Style) -> String {
    let Some(findings) = &report.guidelines else {
        return "<p>They can be judged only where every size is known: fix free dimensions with --dim.</p>\n"
            .to_string();
    };
    if findings.is_empty() {
        return "<p>ShuffleNetV2's guidelines are kept everywhere.</p>\n".to_string();
    }
    let places: HashMap<&str, usize> =
        report.nodes.iter().enumerate().map(|(place, row)| (row.name.as_str(), place)).collect();
    let link = |name: &String| match places.get(name.as_str()) {
        Some(place) => format!("<a href=\"#node={place}\">{}</a>", escape(name)),
        None => escape(name),
    };
    let nodes = |names: &[String]| match names {
        [] => String::new(),
        [one] => link(one),
        [first, rest @ ..] => {
            let links: String = rest.iter().take(LINKS).map(|name| format!("<li>{}</li>", link(name))).collect();
            let more = rest.len().saturating_sub(LINKS);
            let more = if more > 0 { format!("<li>and {more} more</li>") } else { String::new() };
            let summary = format!("and {} more", rest.len());
            format!("{} <details><summary>{summary}</summary><ul>{links}{more}</ul></details>", link(first))
        }
    };
    let row = |finding: &crate::guidelines::Finding| {
        judged(finding, style).into_iter().chain([Cell::Markup(nodes(&finding.nodes))]).collect::<Vec<_>>()
    };
    let header = ["Rule", "Excess", "Share %", "Finding", "Advice", "Nodes"].map(str::to_string);
    let rows: Vec<_> = findings.iter().take(FINDINGS).map(row).collect();
    let rest = findings.len().saturating_sub(FINDINGS);
    let rest = match rest {
        0 => String::new(),
        rest => format!("<p>{rest} more, which cost less, stand in --format json.</p>\n"),
    };
    table("Where ShuffleNetV2's guidelines are not kept, the costliest first", &header, &rows, "") + &rest
}

/// What the script reads: a row for each node and module, as an array in the order of the columns.
fn data(report: &Report) -> Result<Value> {
    let columns = columns();
    // A formula is only shown.
    let count =
        |count: Option<&Dim>| count.map(|count| count.as_int().map_or_else(|| json!(count.to_string()), Value::from));
    let counts = |counts: &crate::cost::Counts| -> Vec<Value> {
        columns.iter().map(|index| json!(count(counts.0[*index].as_ref()))).collect()
    };
    let shapes: HashMap<&str, &TensorType> =
        report.tensors.iter().map(|tensor| (&*tensor.tensor.name, &tensor.tensor)).collect();
    let times = times(report);
    let measured: HashMap<&str, f64> =
        report.latency.iter().flat_map(|latency| &latency.nodes).map(|node| (node.name.as_str(), node.ms)).collect();
    let node = |row: &crate::cost::Row| {
        let output = row.outputs.first().and_then(|name| shapes.get(&**name)).map(|of| tensor(of));
        let mut cells = vec![json!(row.name), json!(row.kind), json!(row.scope), json!(output.unwrap_or_default())];
        cells.extend(counts(&row.counts));
        if report.device.is_some() {
            cells.push(json!(row.roofline.map(|roofline| roofline.roofline_ms)));
        }
        if report.latency.is_some() {
            cells.push(json!(measured.get(row.name.as_str())));
        }
        Value::Array(cells)
    };
    let view = View { by: By::Scope, depth: DEEPEST, sort: None, top: None };
    let (modules, _) = groups(report, &view)?;
    let module = |group: &Group| {
        let unknown = group.coverage == Coverage::Unknown;
        let mut cells = vec![json!(group.depth), json!(group.label), json!(group.nodes), json!(unknown)];
        cells.extend(counts(&group.counts));
        cells.extend(times.iter().map(|time| json!((time.of)(group))));
        Value::Array(cells)
    };
    let metric = |index: &usize| {
        let metric = &METRICS[*index];
        json!({"title": metric.title, "unit": if metric.unit == Unit::Bytes { "bytes" } else { "count" }})
    };
    let timed = times.iter().map(|time| json!({"title": time.title, "unit": "ms"}));
    let metrics: Vec<Value> = columns.iter().map(metric).chain(timed).collect();
    let word = |title: &str| json!({"title": title, "unit": "text"});
    let mut of_nodes = vec![word("Node"), word("Operator"), word("Module"), word("Output")];
    of_nodes.extend(metrics.iter().cloned());
    let mut totals = counts(&report.totals.counts);
    totals.extend(times.iter().map(|time| json!(time.whole)));
    Ok(json!({
        "columns": of_nodes,
        "nodes": report.nodes.iter().map(node).collect::<Vec<_>>(),
        "metrics": metrics,
        "modules": modules.iter().map(module).collect::<Vec<_>>(),
        "totals": totals,
    }))
}
