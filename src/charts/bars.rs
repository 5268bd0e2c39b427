//! One column as bars, a bar a model, from zero.

use super::Chart;
use super::family::family;
use super::labels::Area;
use super::plot::{MARGIN, Plot, few, places};
use super::scale::{Numbers, Scale, title};
use super::style::SERIES;
use super::svg::{Anchor, shortened, width};
use crate::columns::{Better, Bound, Number};
use crate::compare::Comparison;
use crate::error::{Error, Result};

/// Height of a bar and of the space to the next, in pixels.
const BAR: f64 = 16.0;
const STEP: f64 = 23.0;

/// Classes of colours that come a second and a third time.
const TONES: &[&str] = &["", " pale", " paler"];

/// A bar for each model in the comparison's order, each family in one colour. The axis is linear and begins at zero: a bar's
/// length says nothing elsewhere. A bound's bar is hollow; a model without a number is named below. An error where the
/// column holds words, or no model has a number.
pub fn bars(comparison: &Comparison, column: usize) -> Result<Chart> {
    let of = &comparison.columns[column];
    let numbers = Numbers::of(of)
        .ok_or_else(|| Error::new(format!("the column {} holds words: a chart needs numbers", of.key)))?;
    let labels = comparison.labels();
    let (mut bars, mut missing) = (Vec::new(), Vec::new());
    for (index, model) in comparison.models.iter().enumerate() {
        let entry = model.entry(column);
        match entry.and_then(Number::real).filter(|value| value.is_finite()) {
            Some(value) => {
                let bound = match entry {
                    Some(Number::Count { bound, .. }) => *bound,
                    _ => Bound::Exact,
                };
                bars.push((index, value, bound));
            }
            None => missing.push(labels[index].clone()),
        }
    }
    if bars.is_empty() {
        let why = "fix sizes with --dim or --input, or choose another column";
        return Err(Error::new(format!("no model has a number for {}: {why}", of.key)));
    }
    let way = match of.better {
        Better::Lower => ", lower is better",
        Better::Higher => ", higher is better",
        Better::Neither => "",
    };
    let mut plot = Plot::new(&format!("{}{way}", title(of)), 760.0);
    let names = bars.iter().map(|(index, ..)| width(&labels[*index])).fold(0.0, f64::max).min(260.0);
    // Bars that differ have texts that differ, to a millionth.
    let nearest = |value: f64| {
        let others = bars.iter().map(|(_, other, _)| (other - value).abs());
        others.filter(|step| *step > 1e-6 * value.abs()).fold(f64::INFINITY, f64::min)
    };
    let text = |(_, value, bound): &(usize, f64, Bound)| {
        let sign = match bound {
            Bound::Exact => "",
            Bound::AtLeast => "≥ ",
            Bound::AtMost => "≤ ",
        };
        format!("{sign}{}", numbers.text_to(*value, nearest(*value)))
    };
    let texts = bars.iter().map(|bar| width(&text(bar))).fold(0.0, f64::max);
    let left = MARGIN + names + 10.0;
    let area = Area {
        x: left,
        y: plot.y + 16.0,
        width: plot.width - left - texts - MARGIN - 10.0,
        height: STEP * bars.len() as f64 + 6.0,
    };
    let values: Vec<f64> = bars.iter().map(|(_, value, _)| *value).collect();
    let scale = Scale::from_zero(&values, numbers, (area.x, area.x + area.width));
    let bottom = area.y + area.height;
    for (value, text) in scale.ticks((area.width / 85.0) as usize) {
        plot.canvas.line("grid", (scale.at(value), area.y), (scale.at(value), bottom));
        plot.canvas.text("muted", (scale.at(value), bottom + 16.0), Anchor::Middle, &text);
    }
    // As in a scatter plot: families in colour, grey for those without.
    let of_bar = |(index, ..): &(usize, f64, Bound)| family(&labels[*index]).0;
    let mut families: Vec<&str> = Vec::new();
    for name in bars.iter().map(of_bar) {
        if !families.contains(&name) && bars.iter().filter(|bar| of_bar(bar) == name).count() > 1 {
            families.push(name);
        }
    }
    for (row, bar) in bars.iter().enumerate() {
        let (index, value, bound) = *bar;
        let name = &labels[index];
        let family = families.iter().position(|family| *family == of_bar(bar));
        let colour = family.map_or(SERIES - 1, |place| place % (SERIES - 1));
        // Bars have no marks: colours that come again are paler.
        let tone = TONES[family.map_or(0, |place| place / (SERIES - 1)) % TONES.len()];
        let y = area.y + 4.0 + STEP * row as f64;
        let (start, end) = (scale.at(value.min(0.0)), scale.at(value.max(0.0)));
        let class = match bound {
            Bound::Exact => format!("f{colour}{tone}"),
            _ => format!("hollow l{colour}"),
        };
        if !tone.is_empty() {
            plot.canvas.rect("paper", (start, y), ((end - start).max(0.5), BAR), "");
        }
        plot.canvas.rect(&class, (start, y), ((end - start).max(0.5), BAR), &format!("{name}\n{}", text(bar)));
        let baseline = y + BAR - 4.0;
        plot.canvas.text("", (area.x - 8.0, baseline), Anchor::End, &shortened(name, names, true));
        plot.canvas.text("halo", (end + 6.0, baseline), Anchor::Start, &text(bar));
    }
    plot.canvas.line("axis", (scale.at(0.0), area.y), (scale.at(0.0), bottom));
    plot.y = bottom + 20.0;
    let mut notes = places(&[of]);
    if !missing.is_empty() {
        notes.push(format!("Not shown, as a number is unknown or a formula: {}.", few(&missing)));
    }
    Ok(plot.finish(&notes))
}
