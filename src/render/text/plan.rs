//! The plan of the memory in text: how low the peak can be brought, and the bytes alive from node to node.

use super::super::Style;
use super::super::number::quantity;
use super::line;
use crate::cost::Unit;
use crate::memory::{MemoryPlan, Moment};

/// How low the peak can be brought, and the bytes alive from the first node to the last.
pub(super) fn memory(plan: &MemoryPlan, style: &Style) -> String {
    let bytes = |bytes: i64| quantity(Some(&crate::dim::Dim::from(bytes)), Unit::Bytes, style.exact);
    let over = |part: i64, whole: i64| match whole {
        0 => "0.0 %".to_string(),
        whole => format!("{:.1} %", 100.0 * (part - whole) as f64 / whole as f64),
    };
    let best = match plan.best_is_exact {
        true => "no order of these nodes needs less".to_string(),
        false => format!("at most {} above the least", over(plan.best_bytes, plan.lower_bound_bytes)),
    };
    let arena =
        format!("aligned to {} B, {} above the peak", plan.arena.alignment, over(plan.arena.bytes, plan.best_bytes));
    let mut text = String::from("\n");
    for (label, value, note) in [
        ("File order", plan.peak_bytes, String::new()),
        ("In place", plan.in_place_bytes, "file order, element-wise results over inputs that die".to_string()),
        ("Best order", plan.best_bytes, best),
        (
            "  in place",
            plan.best_in_place_bytes,
            "the same order, element-wise results over inputs that die".to_string(),
        ),
        ("Lower bound", plan.lower_bound_bytes, "every order has this much alive at some node".to_string()),
        ("Arena", plan.arena.bytes, format!("best order, {arena}")),
    ] {
        text += &line(label, format!("{:<11} {note}", bytes(value)).trim_end(), style);
    }
    text + &line("Alive", &sparkline(&plan.timeline, style.width.saturating_sub(22).clamp(10, 80)), style)
}

/// The largest of each stretch of moments as a bar.
fn sparkline(timeline: &[Moment], width: usize) -> String {
    let bars: Vec<char> = "▁▂▃▄▅▆▇█".chars().collect();
    let top = timeline.iter().map(|moment| moment.bytes).max().unwrap_or(0).max(1);
    let stretch = timeline.len().div_ceil(width).max(1);
    let height = |moments: &[Moment]| {
        let most = moments.iter().map(|moment| moment.bytes).max().unwrap_or(0);
        bars[(most as f64 / top as f64 * (bars.len() - 1) as f64).round() as usize]
    };
    timeline.chunks(stretch).map(height).collect()
}
