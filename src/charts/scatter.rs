//! Models as points: one column against another, families joined, the Pareto front drawn.

use std::collections::{BTreeMap, BTreeSet};

use super::Chart;
use super::family::family;
use super::labels::{Area, Labelled, place};
use super::pareto::{front, staircase};
use super::plot::{Key, MARGIN, Plot, few, places, tick_room};
use super::scale::{Numbers, Scale, title};
use super::style::SERIES;
use super::svg::{Anchor, mark, through, width};
use crate::columns::{Better, Bound, Column, Number};
use crate::compare::Comparison;
use crate::error::{Error, Result};

/// The columns of a chart, by their place in a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axes {
    /// From left to right.
    pub x: usize,
    /// From bottom to top.
    pub y: usize,
    /// The area of the points, where it says something.
    pub size: Option<usize>,
}

/// More points are not all labelled: then only those on the front are.
const LABELLED: usize = 60;

/// Radius of points whose area says nothing.
const RADIUS: f64 = 5.5;

struct Point {
    /// Place in the comparison.
    model: usize,
    x: f64,
    y: f64,
    size: f64,
    /// One of its numbers is a bound.
    bound: bool,
}

/// A family, or all models that have none, with the places of its points.
struct Series {
    name: String,
    points: Vec<usize>,
    colour: usize,
    shape: usize,
}

/// A scatter plot of a comparison. Models of one family ([`family`]) share colour and mark and are joined by a line; a
/// model whose number is unknown or a formula is named below, one whose number is a bound is hollow and never on the front.
/// An error where a column holds words, the size is negative, or no model has a number in all columns.
pub fn scatter(comparison: &Comparison, axes: Axes) -> Result<Chart> {
    let column = |index: usize| &comparison.columns[index];
    for index in [Some(axes.x), Some(axes.y), axes.size].into_iter().flatten() {
        if Numbers::of(column(index)).is_none() {
            return Err(Error::new(format!("the column {} holds words: a chart needs numbers", column(index).key)));
        }
    }
    let labels = comparison.labels();
    let (points, missing) = points(comparison, axes);
    if points.is_empty() {
        let keys: Vec<_> =
            [Some(axes.x), Some(axes.y), axes.size].into_iter().flatten().map(|at| &*column(at).key).collect();
        let why = "fix sizes with --dim or --input, or choose other columns";
        return Err(Error::new(format!("no model has a number for {}: {why}", keys.join(" and "))));
    }
    if let Some(size) = axes.size.filter(|_| points.iter().any(|point| point.size < 0.0)) {
        let key = &column(size).key;
        return Err(Error::new(format!(
            "the column {key} has negative numbers, which no area shows: give --size another"
        )));
    }
    let series = series(&points, &labels);
    let mut plot = Plot::new(&format!("{} against {}", column(axes.y).title, column(axes.x).title), 760.0);
    let on_front = on_front(&points, column(axes.x), column(axes.y));
    plot.legend(&legend(&series, &points, &on_front));
    let area = frame(&mut plot, &points, column(axes.x), column(axes.y));
    let (x, y) = scales(&points, column(axes.x), column(axes.y), area);
    let at = |point: &Point| (x.at(point.x), y.at(point.y));
    let (stairs, lines) = lines(&points, &on_front, &series, column(axes.x), &at);
    let stairs: Vec<(f64, f64)> = stairs.into_iter().map(|(a, b)| (x.at(a), y.at(b))).collect();
    plot.axes(area, (&x, &with_way(column(axes.x))), (&y, &with_way(column(axes.y))));
    if stairs.len() > 1 {
        plot.canvas.polyline("front", &stairs);
    }
    for (series, line) in series.iter().zip(&lines) {
        if line.len() > 1 {
            plot.canvas.path(&format!("line l{}", series.colour), &through(line), "");
        }
    }
    let radius = radii(&points, axes.size.is_some());
    let texts = texts(&points, &series, &labels, &on_front);
    let labelled: Vec<Labelled> = (0..points.len())
        .map(|index| Labelled {
            at: at(&points[index]),
            radius: radius[index],
            label: texts[index].as_ref().map(|text| (width(text), 15.0)),
        })
        .collect();
    let segments: Vec<_> =
        lines.iter().chain([&stairs]).flat_map(|line| line.windows(2).map(|pair| (pair[0], pair[1]))).collect();
    let inside = Area { x: area.x + 2.0, y: area.y + 2.0, width: area.width - 4.0, height: area.height - 4.0 };
    let places = place(&labelled, &segments, inside);
    for (index, place) in places.iter().enumerate() {
        let (Some(place), (px, py)) = (place, labelled[index].at) else { continue };
        let (nx, ny) = place.nearest((px, py));
        let distance = (nx - px).hypot(ny - py);
        if distance > radius[index] + 11.0 {
            let part = radius[index] / distance;
            plot.canvas.line("leader", (px + (nx - px) * part, py + (ny - py) * part), (nx, ny));
        }
    }
    // Large points first, so that none hides a smaller one.
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|a, b| radius[*b].total_cmp(&radius[*a]));
    let series_of: BTreeMap<usize, &Series> =
        series.iter().flat_map(|series| series.points.iter().map(move |point| (*point, series))).collect();
    for index in order {
        let (point, Some(of)) = (&points[index], series_of.get(&index)) else { continue };
        let class = match (point.bound, axes.size.is_some()) {
            (true, _) => format!("hollow l{}", of.colour),
            (false, true) => format!("mark f{} see", of.colour),
            (false, false) => format!("mark f{}", of.colour),
        };
        let outline = mark(of.shape, labelled[index].at, radius[index]);
        plot.canvas.path(&class, &outline, &tooltip(comparison, axes, point, &labels[point.model]));
    }
    for (place, text) in places.iter().zip(&texts) {
        if let (Some(place), Some(text)) = (place, text) {
            let middle = (place.x + place.width / 2.0, place.y + 11.5);
            plot.canvas.text("halo", middle, Anchor::Middle, text);
        }
    }
    plot.y = area.y + area.height + 40.0;
    let spots: BTreeSet<(i64, i64)> =
        labelled.iter().map(|spot| (spot.at.0.round() as i64, spot.at.1.round() as i64)).collect();
    let hidden = points.len() - spots.len();
    let unplaced = texts.iter().zip(&places).filter(|(text, place)| text.is_some() && place.is_none()).count();
    Ok(plot.finish(&notes(comparison, axes, &points, &missing, &labels, unplaced, hidden)))
}

/// The models with numbers in all columns, and those without.
fn points(comparison: &Comparison, axes: Axes) -> (Vec<Point>, Vec<usize>) {
    let (mut points, mut missing) = (Vec::new(), Vec::new());
    for (model, compared) in comparison.models.iter().enumerate() {
        let number = |column: usize| compared.entry(column)?.real().filter(|value| value.is_finite());
        let bound = |column: &usize| {
            matches!(compared.entry(*column), Some(Number::Count { bound: Bound::AtLeast | Bound::AtMost, .. }))
        };
        let columns = [Some(axes.x), Some(axes.y), axes.size];
        match (number(axes.x), number(axes.y), axes.size.map_or(Some(0.0), number)) {
            (Some(x), Some(y), Some(size)) => {
                points.push(Point { model, x, y, size, bound: columns.iter().flatten().any(bound) });
            }
            _ => missing.push(model),
        }
    }
    (points, missing)
}

/// Families of two models or more in the order of the comparison, then all others as one without a name.
fn series(points: &[Point], labels: &[String]) -> Vec<Series> {
    let mut families: Vec<(&str, Vec<usize>)> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, point) in points.iter().enumerate() {
        let name = family(&labels[point.model]).0;
        let place = *places.entry(name).or_insert_with(|| {
            families.push((name, Vec::new()));
            families.len() - 1
        });
        families[place].1.push(index);
    }
    let (joined, single): (Vec<_>, Vec<_>) = families.into_iter().partition(|(_, points)| points.len() > 1);
    let mut series: Vec<Series> = Vec::new();
    // Grey is for those without a family; a colour that comes again comes with another mark.
    let colours = SERIES - 1;
    for (index, (name, points)) in joined.into_iter().enumerate() {
        series.push(Series { name: name.to_string(), points, colour: index % colours, shape: 1 + index % 7 });
    }
    let points: Vec<usize> = single.into_iter().flat_map(|(_, points)| points).collect();
    if !points.is_empty() {
        series.push(Series { name: String::new(), points, colour: SERIES - 1, shape: 0 });
    }
    series
}

fn on_front(points: &[Point], x: &Column, y: &Column) -> Vec<bool> {
    let exact: Vec<usize> = (0..points.len()).filter(|index| !points[*index].bound).collect();
    let places: Vec<(f64, f64)> = exact.iter().map(|index| (points[*index].x, points[*index].y)).collect();
    let mut on = vec![false; points.len()];
    for (index, front) in exact.into_iter().zip(front(&places, x.better, y.better)) {
        on[index] = front;
    }
    on
}

fn legend(series: &[Series], points: &[Point], on_front: &[bool]) -> Vec<(Key, String)> {
    let named = series.iter().filter(|series| !series.name.is_empty());
    let mut entries: Vec<(Key, String)> =
        named.map(|series| (Key::Mark(series.shape, series.colour), series.name.clone())).collect();
    let on = points.iter().zip(on_front).filter(|(_, on)| **on);
    let corners: BTreeSet<(u64, u64)> = on.map(|(point, _)| (point.x.to_bits(), point.y.to_bits())).collect();
    if corners.len() > 1 {
        entries.push((Key::Line("front"), "Pareto front".to_string()));
    }
    entries
}

/// The area of the axes; it grows with the number of points.
fn frame(plot: &mut Plot, points: &[Point], x: &Column, y: &Column) -> Area {
    let top = plot.y + 38.0;
    let height = 360.0 + 5.0 * points.len().saturating_sub(16).min(60) as f64;
    let rough = Area { x: 0.0, y: top, width: 600.0, height };
    let left = MARGIN + tick_room(&scales(points, x, y, rough).1, (height / 55.0) as usize);
    Area { x: left, y: top, width: plot.width - left - MARGIN - 8.0, height }
}

fn scales(points: &[Point], x: &Column, y: &Column, area: Area) -> (Scale, Scale) {
    let numbers = |column| Numbers::of(column).unwrap_or(Numbers::Plain);
    let (xs, ys): (Vec<f64>, Vec<f64>) = points.iter().map(|point| (point.x, point.y)).unzip();
    let y_scale = Scale::around(&ys, numbers(y), (area.y + area.height, area.y));
    let x_scale = Scale::around(&xs, numbers(x), (area.x, area.x + area.width));
    (x_scale, y_scale)
}

type Line = Vec<(f64, f64)>;

/// The front in units, and for each series its line in pixels, by rising x; none where the models are no family.
fn lines(
    points: &[Point],
    on_front: &[bool],
    series: &[Series],
    x: &Column,
    at: &dyn Fn(&Point) -> (f64, f64),
) -> (Line, Vec<Line>) {
    let places: Vec<(f64, f64)> = points.iter().map(|point| (point.x, point.y)).collect();
    let line = |series: &Series| {
        if series.name.is_empty() {
            return Vec::new();
        }
        let mut line: Line = series.points.iter().map(|index| at(&points[*index])).collect();
        line.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        line
    };
    (staircase(&places, on_front, x.better), series.iter().map(line).collect())
}

/// Radii whose squares are in the proportion of the sizes, up to 20 pixels and no less than 3.
fn radii(points: &[Point], sized: bool) -> Vec<f64> {
    let most = points.iter().map(|point| point.size).fold(0.0, f64::max);
    let radius = |point: &Point| match sized && most > 0.0 {
        true => (20.0 * (point.size / most).sqrt()).max(3.0),
        false => RADIUS,
    };
    points.iter().map(radius).collect()
}

/// The text beside each point: what tells it apart in its family, else its whole name.
fn texts(points: &[Point], series: &[Series], labels: &[String], on_front: &[bool]) -> Vec<Option<String>> {
    let mut texts: Vec<Option<String>> = vec![None; points.len()];
    for series in series {
        for &index in series.points.iter().filter(|index| points.len() <= LABELLED || on_front[**index]) {
            let name = &labels[points[index].model];
            let size = family(name).1;
            let text = if series.name.is_empty() || size.is_empty() { name } else { size };
            texts[index] = Some(super::svg::shortened(text, 180.0, true));
        }
    }
    // A front of more points than that is not labelled at all.
    if texts.iter().flatten().count() > LABELLED {
        texts.fill(None);
    }
    texts
}

fn tooltip(comparison: &Comparison, axes: Axes, point: &Point, name: &str) -> String {
    let mut text = name.to_string();
    for (index, value) in [(Some(axes.x), point.x), (Some(axes.y), point.y), (axes.size, point.size)] {
        if let Some(column) = index.map(|index| &comparison.columns[index]) {
            let numbers = Numbers::of(column).unwrap_or(Numbers::Plain);
            text += &format!("\n{}: {}", title(column), numbers.text(value));
        }
    }
    text
}

/// A column's title with its unit and which way is better.
fn with_way(column: &Column) -> String {
    let way = match column.better {
        Better::Lower => ", lower is better",
        Better::Higher => ", higher is better",
        Better::Neither => "",
    };
    title(column) + way
}

fn notes(
    comparison: &Comparison,
    axes: Axes,
    points: &[Point],
    missing: &[usize],
    labels: &[String],
    unplaced: usize,
    hidden: usize,
) -> Vec<String> {
    let drawn = [Some(axes.x), Some(axes.y), axes.size];
    let drawn: Vec<&Column> = drawn.into_iter().flatten().map(|index| &comparison.columns[index]).collect();
    let mut notes = places(&drawn);
    if let Some(column) = axes.size.map(|size| &comparison.columns[size]) {
        let numbers = Numbers::of(column).unwrap_or(Numbers::Plain);
        let least = points.iter().map(|point| point.size).fold(f64::INFINITY, f64::min);
        let most = points.iter().map(|point| point.size).fold(f64::NEG_INFINITY, f64::max);
        notes.push(format!("Area of a point: {}, {} to {}.", title(column), numbers.text(least), numbers.text(most)));
    }
    if points.iter().any(|point| point.bound) {
        notes.push("Hollow: one of the numbers is a bound.".to_string());
    }
    if points.len() > LABELLED {
        notes.push(format!("Of more than {LABELLED} models only a Pareto front of no more is labelled."));
    }
    if hidden > 0 {
        notes.push(format!("Marks at the same spot as another, under it: {hidden}."));
    }
    if unplaced > 0 {
        notes.push(format!("Labels left out where there is no room: {unplaced}."));
    }
    if !missing.is_empty() {
        let names: Vec<String> = missing.iter().map(|model| labels[*model].clone()).collect();
        notes.push(format!("Not shown, as a number is unknown or a formula: {}.", few(&names)));
    }
    notes
}

/// The columns that [`default_keys`] chooses from.
pub const DEFAULT: &[&str] = &["macs", "top1", "memory_access_bytes"];

/// The columns to draw where none are asked for: published top-1 accuracy against MACs where it is known of two models at
/// least, else memory access against MACs. `None` where the comparison lacks them.
pub fn default_keys(comparison: &Comparison) -> (&'static str, &'static str) {
    let known = |key: &str| {
        let column = comparison.column(key);
        comparison.models.iter().filter(|model| column.is_some_and(|column| model.entry(column).is_some())).count()
    };
    if known("top1") >= 2 { ("macs", "top1") } else { ("macs", "memory_access_bytes") }
}
