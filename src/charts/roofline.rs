//! A model under a device's roofline: arithmetic intensity against the rate that it allows.

use std::collections::BTreeSet;

use super::Chart;
use super::labels::{Area, Labelled, place};
use super::plot::{Key, MARGIN, Plot, few, tick_room};
use super::scale::{Numbers, Scale};
use super::style::SERIES;
use super::svg::{Anchor, mark, width};
use crate::cost::{Counts, Row};
use crate::device::Device;
use crate::dim::Dim;
use crate::error::{Error, Result};
use crate::report::Report;
use crate::summary::{By, View, groups};
use crate::tensor::DType;

/// Kinds of operators that are labelled.
const LABELLED: usize = 14;

/// Nodes that are one point.
struct Point {
    label: String,
    intensity: f64,
    /// FLOPs a second at the roofline time.
    rate: f64,
    /// Share of the roofline time, 0 to 1.
    share: f64,
}

/// Every node as a dot on its roof, and every kind of operator as a mark at its average, its area the share of the roofline
/// time: [`Report::place_on`] must have run for this device. Nodes without arithmetic have no place on the chart; a note
/// says what time they take. An error where no node has one.
pub fn roofline(report: &Report, device: &Device) -> Result<Chart> {
    let whole: f64 = rows(report).filter_map(|row| row.roofline).map(|of| of.roofline_ms).sum();
    let point = |label: &str, counts: &Counts, ms: f64| {
        let count =
            |key: &str| counts.get(key).and_then(Dim::as_int).filter(|count| *count > 0).map(|count| count as f64);
        let (flops, bytes) = (count("flops")?, count("memory_access_bytes")?);
        let point =
            Point { label: label.to_string(), intensity: flops / bytes, rate: flops / ms * 1e3, share: ms / whole };
        (ms > 0.0).then_some(point)
    };
    let of_row = |row: &Row| point(&row.name, &row.counts, row.roofline?.roofline_ms);
    let nodes: Vec<(&Row, Point)> = rows(report).filter_map(|row| Some((row, of_row(row)?))).collect();
    if nodes.is_empty() {
        return Err(undrawn(report));
    }
    let view = View { by: By::Op, depth: 0, sort: None, top: None };
    let (mut kinds, _) = groups(report, &view)?;
    kinds.sort_by(|a, b| b.roofline_ms.total_cmp(&a.roofline_ms));
    let marks: Vec<Point> =
        kinds.iter().filter_map(|kind| point(&kind.label, &kind.counts, kind.roofline_ms)).collect();
    let mut plot = Plot::new(&format!("{} under a roofline", report.model.name), 760.0);
    plot.note(&device.title);
    let dtypes: BTreeSet<&str> = nodes.iter().map(|(row, _)| row.dtype.name()).collect();
    let legend = [
        (
            Key::Line("roof"),
            format!("roof: {}B/s, peak of {}", si(device.bytes_per_second.value as f64), few(&roofs(device, &dtypes))),
        ),
        (Key::Mark(0, SERIES - 1), "kind of operator, area: share of the time; dots: nodes".to_string()),
    ];
    plot.legend(&legend);
    let peaks: Vec<f64> = nodes.iter().filter_map(|(row, _)| peak(device, row.dtype)).collect();
    let bandwidth = device.bytes_per_second.value as f64;
    let top = peaks.iter().copied().fold(0.0, f64::max);
    let (x, y, area) = frame(&mut plot, &nodes, top, bandwidth);
    plot.axes(area, (&x, "FLOPs per byte of memory access"), (&y, "FLOPs a second that the device allows"));
    let mut drawn: Vec<f64> = peaks;
    drawn.sort_by(f64::total_cmp);
    drawn.dedup();
    for peak in &drawn {
        let start = x.low.max(y.low / bandwidth);
        let line = [(start, bandwidth * start), (peak / bandwidth, *peak), (x.high, *peak)];
        plot.canvas.polyline("roof", &line.map(|(a, b)| (x.at(a), y.at(b))));
    }
    let series = |kind: &str| marks.iter().position(|mark| mark.label == kind).unwrap_or(usize::MAX);
    let style = |place: usize| if place < SERIES - 1 { (place, 1 + place) } else { (SERIES - 1, 0) };
    // Nodes at one spot are one dot: a model may have thousands.
    let mut seen = BTreeSet::new();
    for (row, point) in &nodes {
        let (colour, _) = style(series(&row.kind));
        let at = (x.at(point.intensity), y.at(point.rate));
        if seen.insert(((at.0 * 2.0) as i64, (at.1 * 2.0) as i64, colour)) {
            plot.canvas.path(&format!("f{colour}"), &mark(0, at, 2.2), &tooltip(point));
        }
    }
    let labelled: Vec<Labelled> = marks
        .iter()
        .enumerate()
        .map(|(index, point)| Labelled {
            at: (x.at(point.intensity), y.at(point.rate)),
            radius: (26.0 * point.share.sqrt()).max(3.5),
            label: (index < LABELLED).then(|| (width(&text(point)), 15.0)),
        })
        .collect();
    let roof = drawn.last().map_or(top, |peak| *peak);
    let ridge = (x.at(roof / bandwidth), y.at(roof));
    let start = x.low.max(y.low / bandwidth);
    let lines = [((x.at(start), y.at(bandwidth * start)), ridge), (ridge, (x.at(x.high), ridge.1))];
    let places = place(&labelled, &lines, area);
    for (index, (point, spot)) in marks.iter().zip(&labelled).enumerate() {
        let (colour, shape) = style(index);
        plot.canvas.path(&format!("mark f{colour} see"), &mark(shape, spot.at, spot.radius), &tooltip(point));
    }
    for ((point, spot), place) in marks.iter().zip(&labelled).zip(&places) {
        let Some(place) = place else { continue };
        let near = place.nearest(spot.at);
        let distance = (near.0 - spot.at.0).hypot(near.1 - spot.at.1);
        if distance > spot.radius + 11.0 {
            plot.canvas.line("leader", spot.at, near);
        }
        plot.canvas.text("halo", (place.x + place.width / 2.0, place.y + 11.5), Anchor::Middle, &text(point));
    }
    plot.y = area.y + area.height + 40.0;
    let idle: Vec<_> = kinds.iter().filter(|kind| marks.iter().all(|mark| mark.label != kind.label)).collect();
    let idle_ms: f64 = idle.iter().map(|kind| kind.roofline_ms).sum();
    let mut notes = vec![format!(
        "The whole model takes {} at least; a node's time is the longer of its arithmetic and its memory access.",
        crate::render::number::duration(whole)
    )];
    if idle_ms > 0.0 {
        let names: Vec<String> = idle.iter().map(|kind| kind.label.clone()).collect();
        notes.push(format!(
            "Without arithmetic, not shown: {} ({:.1} % of the time).",
            few(&names),
            100.0 * idle_ms / whole
        ));
    }
    Ok(plot.finish(&notes))
}

/// Why no node has a place on the chart.
fn undrawn(report: &Report) -> Error {
    let is_known = |row: &Row| row.roofline.is_some() && row.counts.get("flops").and_then(Dim::as_int).is_some();
    let reason = match rows(report).next() {
        None => "no node of it runs: there is nothing under a roofline",
        Some(_) if rows(report).all(is_known) => {
            "no node of it has arithmetic, and a roofline shows no others: --chart-kind roofline_ms draws all times"
        }
        Some(_) => return report.open_sizes("a roofline can be drawn"),
    };
    Error::new(reason).in_file(&report.model.path)
}

fn rows(report: &Report) -> impl Iterator<Item = &Row> {
    report.nodes.iter().filter(|row| !row.alternative)
}

/// Peak FLOPs a second for a dtype, two a multiply-accumulate; f32's where the device does not say.
fn peak(device: &Device, dtype: DType) -> Option<f64> {
    Some(2.0 * device.rate(dtype).or_else(|| device.rate(DType::F32))?)
}

/// `f32 12 GFLOP/s` for each dtype.
fn roofs(device: &Device, dtypes: &BTreeSet<&str>) -> Vec<String> {
    let roof = |name: &&str| {
        let peak = peak(device, DType::named(name)?)?;
        Some(format!("{name} {}FLOP/s", si(peak)))
    };
    dtypes.iter().filter_map(roof).collect()
}

/// A number and its prefix, for a unit to follow: `12 G`.
fn si(value: f64) -> String {
    let text = Numbers::Si.text(value);
    if text.contains(' ') { text } else { text + " " }
}

fn frame(plot: &mut Plot, nodes: &[(&Row, Point)], top: f64, bandwidth: f64) -> (Scale, Scale, Area) {
    let ridge = top / bandwidth;
    let intensities: Vec<f64> = nodes.iter().map(|(_, point)| point.intensity).chain([ridge, ridge * 2.0]).collect();
    let rates: Vec<f64> = nodes.iter().map(|(_, point)| point.rate).chain([top]).collect();
    let (y, height) = (plot.y + 38.0, 340.0);
    let vertical = Scale::logarithmic(&rates, Numbers::Si, (y + height, y));
    let left = MARGIN + tick_room(&vertical, (height / 55.0) as usize);
    let area = Area { x: left, y, width: plot.width - left - MARGIN - 8.0, height };
    (Scale::logarithmic(&intensities, Numbers::Plain, (area.x, area.x + area.width)), vertical, area)
}

fn text(point: &Point) -> String {
    format!("{} {:.1} %", point.label, 100.0 * point.share)
}

fn tooltip(point: &Point) -> String {
    let Point { label, intensity, rate, share } = point;
    let intensity = Numbers::Plain.text(*intensity);
    format!("{label}\n{intensity} FLOP/B, {}FLOP/s\n{:.1} % of the roofline time", si(*rate), 100.0 * share)
}

/// The error for a chart that only a device makes possible.
pub fn needs_device() -> Error {
    Error::new("a roofline is that of a device: give --device (see lwstat devices)")
}
