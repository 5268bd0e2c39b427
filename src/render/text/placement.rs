//! A device's account of a model in text: its roofline time, and whether it fits.

use super::super::Style;
use super::super::number::{clean, duration, plural, quantity};
use super::line;
use crate::cost::Unit;
use crate::device::{Fit, Fits, Placement};
use crate::report::Report;

pub(super) fn device(placement: &Placement, style: &Style) -> String {
    let (memory, compute) = (placement.memory_bound_nodes, placement.compute_bound_nodes);
    let unknown = match placement.unknown_nodes {
        0 => String::new(),
        count => format!("; without {} of unknown cost", plural(count, "node")),
    };
    let assumed = match &placement.assumed_dtypes[..] {
        [] => String::new(),
        dtypes => format!("; {} at the rate of f32", dtypes.join(", ")),
    };
    let roofline = format!(
        "at least {}: {} bound by memory ({}), {} by arithmetic ({}){unknown}{assumed}",
        duration(placement.roofline_ms),
        duration(placement.memory_bound_ms),
        plural(memory, "node"),
        duration(placement.compute_bound_ms),
        plural(compute, "node")
    );
    let mut text = format!("\n{}", line("Device", &clean(&placement.title), style));
    text += &line("Roofline", &roofline, style);
    if let Some(flash) = &placement.flash {
        text += &line("Flash", &fit(flash, style), style);
    }
    text + &line("RAM", &fit(&placement.ram, style), style)
}

/// The most nodes that are listed.
const NODES: usize = 5;

/// Where the measured time goes that the roofline does not explain.
pub(super) fn below_roof(report: &Report, style: &Style) -> String {
    let nodes = crate::summary::below_roof(report);
    let (Some(latency), false) = (&report.latency, nodes.is_empty()) else { return String::new() };
    let mut text = String::new();
    for (at, one) in nodes.iter().take(NODES).enumerate() {
        let times = match one.roofline_ms > 0.0 {
            true => format!(", ×{:.1} its roofline", one.ms / one.roofline_ms),
            false => String::new(),
        };
        let part = 100.0 * one.ms / latency.median_ms;
        let words =
            format!("{} ({part:.1} %{times})  {}  {}", duration(one.ms), clean(&one.node.kind), clean(&one.node.name));
        text += &line(if at == 0 { "Below the roof" } else { "·" }, &words, style);
    }
    text
}

fn fit(fit: &Fit, style: &Style) -> String {
    let bytes = |bytes: i64| quantity(Some(&crate::dim::Dim::from(bytes)), Unit::Bytes, style.exact);
    let verdict = if fit.fits == Fits::No { "does not fit" } else { "fits" };
    let least = match fit.least_bytes < fit.needed_bytes && fit.fits == Fits::No {
        true => format!(", at least {} in any order", bytes(fit.least_bytes)),
        false => String::new(),
    };
    let eight = match fit.eight_bit_bytes.filter(|_| fit.fits == Fits::No) {
        Some(eight) => {
            let fits = if eight <= fit.available_bytes { "would fit" } else { "would not fit either" };
            format!(". At one byte an element: {}, {fits}", bytes(eight))
        }
        None => String::new(),
    };
    format!(
        "{verdict}: needs {}, has {} ({}{least}){eight}",
        bytes(fit.needed_bytes),
        bytes(fit.available_bytes),
        fit.reason
    )
}
