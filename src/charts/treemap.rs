//! Counts or times by module, as nested tiles whose area is the module's part.

use super::Chart;
use super::labels::Area;
use super::plot::{MARGIN, Plot};
use super::scale::Numbers;
use super::style::SERIES;
use super::svg::{Anchor, shortened, width};
use crate::cost::{METRICS, Unit, index_of};
use crate::error::{Error, Result};
use crate::render::number::{clean, duration};
use crate::report::Report;
use crate::summary::{By, Group, View, groups, unknown_metric};

/// What the area of tiles may stand for beside the metrics: times.
pub const TIMES: &[&str] = &["roofline_ms", "latency_ms"];

/// A group's part of the whole.
type Part = dyn Fn(&Group) -> Option<f64>;

/// What the area of tiles stands for.
struct Measure {
    /// The whole, in words, up to its number.
    title: String,
    /// Where a time is one.
    place: String,
    /// A number for people.
    text: fn(f64) -> String,
    /// A group's part; `None` where a size is open.
    of: Box<Part>,
}

fn measure(report: &Report, key: &str) -> Result<Measure> {
    let name = &report.model.name;
    match key {
        "roofline_ms" => {
            let device = report.device.as_ref().ok_or_else(super::roofline::needs_device)?;
            let of = Box::new(|group: &Group| Some(group.roofline_ms));
            let title = format!("Roofline time of {name} by module: at least ");
            Ok(Measure { title, place: device.title.clone(), text: duration, of })
        }
        "latency_ms" => {
            let Some(latency) = &report.latency else {
                return Err(Error::new("the latency is drawn as it is measured: give --latency"));
            };
            let of = Box::new(|group: &Group| Some(group.ms.unwrap_or(0.0)));
            let title = format!("Measured time of the nodes of {name} by module: ");
            let place = format!("{} {} on {}", latency.backend, latency.version, clean(&latency.cpu));
            Ok(Measure { title, place, text: duration, of })
        }
        key => {
            let index = index_of(key).ok_or_else(|| unknown_metric(key))?;
            let metric = &METRICS[index];
            let bound = if report.totals.at_least.contains(&metric.key) { "at least " } else { "" };
            let of = Box::new(move |group: &Group| match &group.counts.0[index] {
                Some(count) => Some(count.as_int()? as f64),
                None => Some(0.0),
            });
            let text = match metric.unit {
                Unit::Bytes => |value| Numbers::Binary.text(value),
                Unit::Count => |value| Numbers::Si.text(value),
            };
            let title = format!("{} of {name} by module: {bound}", metric.title);
            Ok(Measure { title, place: String::new(), text, of })
        }
    }
}

/// A module: its path, its part, and its modules; what stands in it outside of all these is one of them without a name.
struct Module {
    label: String,
    path: String,
    value: f64,
    children: Vec<Module>,
    /// Where it is drawn.
    tile: Area,
    /// Whether its modules are drawn in it.
    nested: bool,
    /// The pixels that it takes, frames included.
    pixels: f64,
}

impl Module {
    fn new(label: String, path: String, value: f64, children: Vec<Module>) -> Module {
        let tile = Area { x: 0.0, y: 0.0, width: 0.0, height: 0.0 };
        Module { label, path, value, children, tile, nested: false, pixels: value }
    }

    /// What a frame leaves for its modules.
    fn inside(&self) -> Area {
        let Area { x, y, width, height } = self.tile;
        Area { x: x + 3.0, y: y + HEADER, width: width - 6.0, height: height - HEADER - 3.0 }
    }

    /// The pixels that its frame and those in it take.
    fn frames(&self) -> f64 {
        if !self.nested {
            return 0.0;
        }
        let Area { width, height, .. } = self.inside();
        self.tile.width * self.tile.height - width * height + self.children.iter().map(Module::frames).sum::<f64>()
    }

    /// Sets the pixels that it takes where a part of 1 takes so many.
    fn weigh(&mut self, unit: f64) {
        let own = self.frames() - self.children.iter().map(Module::frames).sum::<f64>();
        self.children.iter_mut().for_each(|child| child.weigh(unit));
        self.pixels = match self.nested {
            true => own + self.children.iter().map(|child| child.pixels).sum::<f64>(),
            false => self.value * unit,
        };
    }
}

/// Frames take room, so tiles are arranged several times, each with what the frames took before: parts of the same size
/// have the same area, however deep they stand.
const PASSES: usize = 16;

fn arrange(modules: &mut [Module], area: Area) {
    let whole: f64 = modules.iter().map(|module| module.value).sum();
    for _ in 0..PASSES {
        arrange_once(modules, area);
        let frames: f64 = modules.iter().map(Module::frames).sum();
        let unit = (area.width * area.height - frames).max(0.0) / whole;
        modules.iter_mut().for_each(|module| module.weigh(unit));
    }
    arrange_once(modules, area);
}

fn arrange_once(modules: &mut [Module], area: Area) {
    let pixels: Vec<f64> = modules.iter().map(|module| module.pixels).collect();
    for (module, tile) in modules.iter_mut().zip(squarified(&pixels, area)) {
        module.tile = tile;
        module.nested = !module.children.is_empty() && tile.width > 24.0 && tile.height > HEADER + 14.0;
        if module.nested {
            let inside = module.inside();
            arrange_once(&mut module.children, inside);
        }
    }
}

/// Deeper levels are drawn as one: nobody sees them, and names from files may have any number.
const DEEPEST: usize = 32;

/// Height of a module's name above its modules.
const HEADER: f64 = 17.0;

/// Tiles of a metric, or of one of [`TIMES`], down to this level of the module tree, the largest first. Colours tell apart
/// the modules of the outermost level on which none has more than half. An error where there is no such metric, the time is
/// not known, sizes are open, or nothing counts under it.
pub fn treemap(report: &Report, key: &str, depth: usize) -> Result<Chart> {
    let measure = measure(report, key)?;
    let view = View { by: By::Scope, depth: depth.min(DEEPEST), sort: None, top: None };
    let (groups, _) = groups(report, &view)?;
    if groups.iter().any(|group| (measure.of)(group).is_none()) {
        return Err(report.open_sizes("a treemap can be drawn"));
    }
    let mut rest = &groups[..];
    let mut modules = children(&mut rest, 0, &measure, ("", ""));
    let whole: f64 = modules.iter().map(|module| module.value).sum();
    if whole <= 0.0 {
        let reason = format!("nothing counts as {key}: choose another --chart-kind");
        return Err(Error::new(reason).in_file(&report.model.path));
    }
    let mut plot = Plot::new(&format!("{}{}", measure.title, (measure.text)(whole)), 760.0);
    if !measure.place.is_empty() {
        plot.note(&measure.place);
    }
    let area = Area { x: MARGIN, y: plot.y + 12.0, width: plot.width - 2.0 * MARGIN, height: 420.0 };
    let colour_level = colour_level(&modules, whole);
    let mut drawing = Drawing { plot: &mut plot, text: measure.text, whole, colour_level, next: 0 };
    arrange(&mut modules, area);
    drawing.modules(&modules, 0, None);
    plot.y = area.y + area.height;
    Ok(plot.finish(&[]))
}

/// The modules of this level at the start of a list in which each module stands before its own; `parent` is the label and
/// path of the module that they stand in.
fn children(groups: &mut &[Group], depth: usize, measure: &Measure, parent: (&str, &str)) -> Vec<Module> {
    let mut modules = Vec::new();
    while let Some((group, rest)) = groups.split_first().filter(|(group, _)| group.depth >= depth) {
        *groups = rest;
        let value = (measure.of)(group).unwrap_or(0.0);
        let below = |outer: &str| match outer {
            "" => group.label.clone(),
            outer => format!("{outer}.{}", group.label),
        };
        // A number alone says nothing: the block's name goes before it.
        let number = group.label.bytes().all(|letter| letter.is_ascii_digit());
        let (label, path) = (if number { below(parent.0) } else { group.label.clone() }, below(parent.1));
        let mut inner = children(groups, depth + 1, measure, (&label, &path));
        let own = value - inner.iter().map(|module| module.value).sum::<f64>();
        // Times add up to what rounding leaves.
        if !inner.is_empty() && own > 1e-9 * value {
            inner.push(Module::new(String::new(), path.clone(), own, Vec::new()));
        }
        inner.sort_by(|a, b| b.value.total_cmp(&a.value));
        // A module with one module in it is a frame around a frame.
        let module = match (inner.pop(), inner.is_empty()) {
            (Some(only), true) if only.label.starts_with(&label) => only,
            (Some(only), true) => Module { label: format!("{label}.{}", only.label), ..only },
            (last, _) => Module::new(label, path, value, inner.into_iter().chain(last).collect()),
        };
        modules.push(module);
    }
    modules.retain(|module| module.value > 0.0);
    modules.sort_by(|a, b| b.value.total_cmp(&a.value));
    modules
}

/// The outermost level on which no module has more than half of the whole, else the innermost.
fn colour_level(modules: &[Module], whole: f64) -> usize {
    match modules.iter().find(|module| module.value > 0.5 * whole && !module.children.is_empty()) {
        Some(module) => 1 + colour_level(&module.children, whole),
        None => 0,
    }
}

struct Drawing<'p> {
    plot: &'p mut Plot,
    text: fn(f64) -> String,
    whole: f64,
    colour_level: usize,
    /// The colour of the next module of the level that has colours.
    next: usize,
}

impl Drawing<'_> {
    fn modules(&mut self, modules: &[Module], level: usize, colour: Option<usize>) {
        for module in modules {
            let colour = colour.or_else(|| (level == self.colour_level).then(|| self.colour()));
            self.module(module, level, colour);
        }
    }

    fn colour(&mut self) -> usize {
        self.next += 1;
        (self.next - 1).min(SERIES - 1)
    }

    fn module(&mut self, module: &Module, level: usize, colour: Option<usize>) {
        let (tile, nested) = (module.tile, module.nested);
        // Nobody sees less.
        if tile.width < 0.8 || tile.height < 0.8 {
            return;
        }
        let share = format!("{:.1} %", 100.0 * module.value / self.whole);
        let tooltip = format!("{}\n{}, {share}", module.path, (self.text)(module.value));
        let class = match nested {
            true => format!("tile f{} faint", colour.unwrap_or(SERIES - 1)),
            false => format!("tile f{} tint", colour.unwrap_or(SERIES - 1)),
        };
        self.plot.canvas.rect(&class, (tile.x, tile.y), (tile.width, tile.height), &tooltip);
        let room = tile.width - 10.0;
        let label = |text: &str, room: f64| {
            // A name of which little is left says nothing.
            let shown = shortened(text, room, true);
            if shown.chars().count() < text.chars().count().min(5) { String::new() } else { shown }
        };
        let letters = |text: &str| text.chars().count();
        let with_share = format!("{} · {share}", module.label);
        let mut text = |y: f64, class: &str, text: &str| {
            if !text.is_empty() {
                self.plot.canvas.text(class, (tile.x + 5.0, y), Anchor::Start, text);
            }
        };
        if nested {
            let shown = if width(&with_share) <= room { with_share } else { label(&module.label, room) };
            text(tile.y + 13.0, "strong", &shown);
            self.modules(&module.children, level + 1, colour);
            return;
        }
        let across = if tile.height > 16.0 { label(&module.label, room) } else { String::new() };
        let along = if tile.width > 16.0 { label(&module.label, tile.height - 10.0) } else { String::new() };
        if letters(&along) > letters(&across) {
            let shown = if width(&with_share) <= tile.height - 10.0 { with_share } else { along };
            self.plot.canvas.text_up("", (tile.x + tile.width.min(22.0) / 2.0 + 4.0, tile.y + 5.0), &shown);
            return;
        }
        text(tile.y + 13.0, "", &across);
        if tile.height > 32.0 && width(&share) <= room {
            text(tile.y + if across.is_empty() { 13.0 } else { 28.0 }, "small", &share);
        }
    }
}

/// Tiles for values (the greatest first) that fill an area and are as square as rows along its shorter side make them.
fn squarified(values: &[f64], mut area: Area) -> Vec<Area> {
    let mut tiles = Vec::with_capacity(values.len());
    let mut rest = values;
    while !rest.is_empty() {
        let left: f64 = rest.iter().sum();
        let scale = if left > 0.0 { area.width.max(0.0) * area.height.max(0.0) / left } else { 0.0 };
        let side = area.width.min(area.height).max(1e-9);
        // The elongation of the worst tile of a row with this sum.
        let worst = |sum: f64, least: f64, most: f64| {
            let thickness = sum * scale / side;
            let ratio = |value: f64| {
                let length = value * scale / thickness.max(1e-9);
                (length / thickness.max(1e-9)).max(thickness / length.max(1e-9))
            };
            ratio(least).max(ratio(most))
        };
        let (mut count, mut sum) = (1, rest[0]);
        while count < rest.len()
            && worst(sum + rest[count], rest[count], rest[0]) <= worst(sum, rest[count - 1], rest[0])
        {
            sum += rest[count];
            count += 1;
        }
        let (row, later) = rest.split_at(count);
        let upright = area.width >= area.height;
        let thickness = if left > 0.0 { sum / left } else { 0.0 } * if upright { area.width } else { area.height };
        let mut at = 0.0;
        for value in row {
            let length = if sum > 0.0 { value / sum * side } else { 0.0 };
            tiles.push(match upright {
                true => Area { x: area.x, y: area.y + at, width: thickness, height: length },
                false => Area { x: area.x + at, y: area.y, width: length, height: thickness },
            });
            at += length;
        }
        match upright {
            true => {
                area.x += thickness;
                area.width -= thickness;
            }
            false => {
                area.y += thickness;
                area.height -= thickness;
            }
        }
        rest = later;
    }
    tiles
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// However deep a module stands, its area is its part.
    #[test]
    fn areas_are_parts_of_the_whole_at_every_depth() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/graphs/ghostnet_1.0.onnx");
        let report = crate::Model::open(path).unwrap().report(&crate::Bindings::default()).unwrap();
        for depth in 1..6 {
            let view = View { by: By::Scope, depth, sort: None, top: None };
            let (groups, _) = groups(&report, &view).unwrap();
            let mut modules = children(&mut &groups[..], 0, &measure(&report, "macs").unwrap(), ("", ""));
            let whole: f64 = modules.iter().map(|module| module.value).sum();
            arrange(&mut modules, Area { x: 0.0, y: 0.0, width: 700.0, height: 400.0 });
            let mut densities = Vec::new();
            let mut stack: Vec<&Module> = modules.iter().collect();
            while let Some(module) = stack.pop() {
                match module.nested {
                    true => stack.extend(&module.children),
                    false if module.value > 0.01 * whole => {
                        densities.push(module.tile.width * module.tile.height / module.value);
                    }
                    false => {}
                }
            }
            densities.sort_by(f64::total_cmp);
            let most = densities[densities.len() - 1] / densities[0];
            assert!(most < 1.3, "{depth}: {most}");
        }
    }

    proptest! {
        /// Tiles have the area of their part, stay inside and do not overlap.
        #[test]
        fn tiles_are_parts_of_the_area(mut values in prop::collection::vec(1.0f64..1e6, 1..40)) {
            values.sort_by(|a, b| b.total_cmp(a));
            let area = Area { x: 5.0, y: 7.0, width: 700.0, height: 400.0 };
            let whole: f64 = values.iter().sum();
            let tiles = squarified(&values, area);
            let slack = Area { x: area.x - 1e-6, y: area.y - 1e-6, width: area.width + 2e-6, height: area.height + 2e-6 };
            for (index, (tile, value)) in tiles.iter().zip(&values).enumerate() {
                let part = tile.width * tile.height / (area.width * area.height);
                prop_assert!((part - value / whole).abs() < 1e-6);
                prop_assert!(slack.holds(tile));
                for other in &tiles[index + 1..] {
                    let smaller = Area { x: other.x + 1e-6, y: other.y + 1e-6, width: other.width - 2e-6, height: other.height - 2e-6 };
                    prop_assert!(!tile.overlaps(&smaller));
                }
            }
        }
    }
}
