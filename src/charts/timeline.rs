//! The activation memory over the schedule: bytes alive while each node runs.

use super::Chart;
use super::labels::Area;
use super::plot::{Key, MARGIN, Plot, tick_room};
use super::scale::{Numbers, Scale};
use super::svg::{Anchor, mark, shortened, through, width};
use crate::memory::MemoryPlan;
use crate::report::Report;

/// Columns of pixels: of more steps, each column shows its greatest.
const COLUMNS: usize = 1000;

/// Bytes alive in the file's order with the peak marked, in the best order that was found, and the bound below which no
/// order peaks.
pub fn timeline(report: &Report, plan: &MemoryPlan) -> Chart {
    let file: Vec<i64> = plan.timeline.iter().map(|moment| moment.bytes).collect();
    let best = best_order(plan, file.len());
    let mut plot = Plot::new(&format!("Activation memory of {}", report.model.name), 760.0);
    let peak_text = |bytes: i64| Numbers::Binary.text(bytes as f64);
    let mut legend = vec![(Key::Mark(1, 0), format!("order of the file, peak {}", peak_text(plan.peak_bytes)))];
    if best.is_some() {
        let proved = if plan.best_is_exact { "best order" } else { "best order that was found" };
        legend.push((Key::Line("line l1"), format!("{proved}, peak {}", peak_text(plan.best_bytes))));
    }
    legend.push((Key::Line("front"), format!("no order peaks below {}", peak_text(plan.lower_bound_bytes))));
    plot.legend(&legend);
    let (top, height) = (plot.y + 38.0, 280.0);
    let all = file.iter().chain(best.iter().flatten()).chain([&plan.peak_bytes, &plan.lower_bound_bytes]);
    let values: Vec<f64> = all.map(|bytes| *bytes as f64 * 1.12).collect();
    let y = Scale::from_zero(&values, Numbers::Binary, (top + height, top));
    let left = MARGIN + tick_room(&y, (height / 55.0) as usize);
    let area = Area { x: left, y: top, width: plot.width - left - MARGIN - 8.0, height };
    let x = Scale::from_zero(&[file.len() as f64], Numbers::Plain, (area.x, area.x + area.width));
    plot.axes(area, (&x, "nodes, in the order in which they run"), (&y, "Activation bytes alive"));
    let stairs = stairs(&file, &x, &y);
    if let (Some(first), Some(last)) = (stairs.first(), stairs.last()) {
        let base = y.at(0.0);
        let mut outline = stairs.clone();
        outline.extend([(last.0, base), (first.0, base)]);
        plot.canvas.path("f0 soft", &(through(&outline) + "Z"), "");
    }
    plot.canvas.polyline("line l0", &stairs);
    if let Some(best) = &best {
        plot.canvas.polyline("line l1", &self::stairs(best, &x, &y));
    }
    let bound = y.at(plan.lower_bound_bytes as f64);
    plot.canvas.line("front", (area.x, bound), (area.x + area.width, bound));
    if let Some((step, moment)) = plan.timeline.iter().enumerate().find(|(_, moment)| moment.bytes == plan.peak_bytes) {
        let at = (x.at(step as f64 + 0.5), y.at(moment.bytes as f64));
        let node = if moment.node.is_empty() { "the inputs" } else { &moment.node };
        plot.canvas.path("mark f0", &mark(0, at, 5.5), &format!("{node}\n{}", peak_text(moment.bytes)));
        let text = format!("peak at {}", shortened(node, area.width / 2.0 - 80.0, true));
        let right = at.0 + 10.0 + width(&text) <= area.x + area.width;
        let anchor = if right { Anchor::Start } else { Anchor::End };
        plot.canvas.text("halo", (at.0 + if right { 9.0 } else { -9.0 }, at.1 - 7.0), anchor, &text);
    }
    plot.y = area.y + area.height + 40.0;
    plot.finish(&[])
}

/// Bytes alive in the best order, as the arena's buffers have it; `None` where bodies need memory that the arena leaves
/// out, or the order is the file's.
fn best_order(plan: &MemoryPlan, steps: usize) -> Option<Vec<i64>> {
    let mut change = vec![0i64; steps + 1];
    for buffer in &plan.arena.buffers {
        *change.get_mut(buffer.from)? += buffer.bytes;
        *change.get_mut(buffer.to + 1)? -= buffer.bytes;
    }
    change.pop();
    let mut alive = 0;
    change.iter_mut().for_each(|bytes| {
        alive += *bytes;
        *bytes = alive;
    });
    let file = || plan.timeline.iter().map(|moment| moment.bytes);
    (change.iter().max() == Some(&plan.best_bytes) && !file().eq(change.iter().copied())).then_some(change)
}

/// A level line for each step, in pixels.
fn stairs(bytes: &[i64], x: &Scale, y: &Scale) -> Vec<(f64, f64)> {
    let each = bytes.len().div_ceil(COLUMNS).max(1);
    let level = |(index, steps): (usize, &[i64])| {
        let greatest = steps.iter().copied().max().unwrap_or(0) as f64;
        let (from, to) = (index * each, index * each + steps.len());
        [(x.at(from as f64), y.at(greatest)), (x.at(to as f64), y.at(greatest))]
    };
    bytes.chunks(each).enumerate().flat_map(level).collect()
}
