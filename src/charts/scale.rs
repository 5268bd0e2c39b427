//! Axes: from numbers to pixels, linear or logarithmic, with round ticks.

use crate::columns::{Column, Unit};

/// How the numbers of an axis are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// With SI prefixes: `200 M`.
    Si,
    /// With binary prefixes: `64 MiB`.
    Binary,
    /// As they are.
    Plain,
}

/// One axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    /// Whether it is logarithmic.
    pub log: bool,
    /// The least number on it.
    pub low: f64,
    /// The greatest number on it.
    pub high: f64,
    /// The pixel at which `low` lies.
    pub from: f64,
    /// The pixel at which `high` lies.
    pub to: f64,
    /// How its numbers are written.
    pub numbers: Numbers,
}

impl Numbers {
    /// How a column's numbers are written; `None` where the column holds words.
    pub fn of(column: &Column) -> Option<Numbers> {
        match column.unit {
            Unit::Word => None,
            Unit::Count => Some(Numbers::Si),
            Unit::Bytes => Some(Numbers::Binary),
            Unit::Percent | Unit::Share | Unit::Milliseconds | Unit::Ratio | Unit::Other(_) => Some(Numbers::Plain),
        }
    }

    fn base(self) -> f64 {
        match self {
            Numbers::Binary => 1024.0,
            Numbers::Si | Numbers::Plain => 1000.0,
        }
    }

    /// A number with three significant digits at most, and its prefix: `1.5 G`, `64 KiB`, `0.25`.
    pub fn text(self, value: f64) -> String {
        self.text_to(value, f64::INFINITY)
    }

    /// As [`Numbers::text`], with as many digits more as tell it from numbers that are `step` away.
    pub fn text_to(self, value: f64, step: f64) -> String {
        const SI: &[&str] = &["", " k", " M", " G", " T", " P", " E"];
        const BINARY: &[&str] = &[" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"];
        let (prefixes, base) = match self {
            Numbers::Si => (SI, 1000.0),
            Numbers::Binary => (BINARY, 1024.0),
            Numbers::Plain => (&SI[..1], f64::INFINITY),
        };
        let (mut scaled, mut step, mut prefix) = (value, step, 0);
        // Rounding may carry into the next prefix.
        while scaled.abs() >= base - 0.5 && prefix + 1 < prefixes.len() {
            (scaled, step, prefix) = (scaled / base, step / base, prefix + 1);
        }
        let lead = if scaled == 0.0 { 0.0 } else { scaled.abs().log10().floor() };
        let decimals = (2.0 - lead).max(-(1.001 * step).log10().floor()).clamp(0.0, 12.0) as usize;
        let digits = format!("{scaled:.decimals$}");
        let digits = if decimals > 0 { digits.trim_end_matches('0').trim_end_matches('.') } else { &digits };
        format!("{}{}", digits.replace('-', "−"), prefixes[prefix])
    }
}

/// A column's title with its unit.
pub(super) fn title(column: &Column) -> String {
    match &column.unit {
        Unit::Percent | Unit::Share => format!("{} (%)", column.title),
        Unit::Milliseconds => format!("{} (ms)", column.title),
        Unit::Other(unit) if !unit.is_empty() => format!("{} ({unit})", column.title),
        _ => column.title.clone(),
    }
}

/// Whether an axis is logarithmic: where all numbers are above 0 and the greatest is at least ten times the least.
pub fn asks_for_log(values: &[f64]) -> bool {
    let (low, high) = range(values);
    low > 0.0 && high >= 10.0 * low
}

fn range(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(*value), high.max(*value)))
}

impl Scale {
    /// An axis that holds these numbers with room at both ends; it is logarithmic where [`asks_for_log`] says so.
    pub fn around(values: &[f64], numbers: Numbers, (from, to): (f64, f64)) -> Scale {
        let (low, high) = range(values);
        let (low, high) = if low.is_finite() && high.is_finite() { (low, high) } else { (0.0, 1.0) };
        let log = asks_for_log(values);
        let (low, high) = match log {
            true => return Scale::logarithmic(values, numbers, (from, to)),
            false => {
                let room = if high > low { 0.07 * (high - low) } else { (0.1 * high.abs()).max(1e-9) };
                // Numbers that cannot be negative have no room below 0.
                (if low >= 0.0 { (low - room).max(0.0) } else { low - room }, high + room)
            }
        };
        Scale { log, low, high, from, to, numbers }
    }

    /// A logarithmic axis that holds these numbers, which are above 0, with room at both ends.
    pub fn logarithmic(values: &[f64], numbers: Numbers, (from, to): (f64, f64)) -> Scale {
        let (low, high) = range(values);
        let room = (high / low).powf(0.07).max(1.1);
        Scale { log: true, low: low / room, high: high * room, from, to, numbers }
    }

    /// A linear axis from 0 to these numbers' greatest, or between the least below 0 and it.
    pub fn from_zero(values: &[f64], numbers: Numbers, (from, to): (f64, f64)) -> Scale {
        let (low, high) =
            values.iter().fold((0.0f64, 0.0f64), |(low, high), value| (low.min(*value), high.max(*value)));
        let high = if high > low { high } else { low + 1.0 };
        Scale { log: false, low, high, from, to, numbers }
    }

    /// The pixel of a number.
    pub fn at(&self, value: f64) -> f64 {
        let part = match self.log {
            true => (value / self.low).ln() / (self.high / self.low).ln(),
            false => (value - self.low) / (self.high - self.low),
        };
        self.from + part * (self.to - self.from)
    }

    /// Round numbers on the axis, about `wanted` of them, the least first, each with its text.
    pub fn ticks(&self, wanted: usize) -> Vec<(f64, String)> {
        let values = if self.log { self.log_ticks(wanted) } else { self.linear_ticks(wanted) };
        let step = match values[..] {
            [first, second, ..] if !self.log => second - first,
            _ => f64::INFINITY,
        };
        let mut ticks: Vec<(f64, String)> = Vec::new();
        for value in values.into_iter().filter(|value| (self.low..=self.high).contains(value)) {
            let text = self.numbers.text_to(value, step);
            if ticks.last().is_none_or(|(_, last)| *last != text) {
                ticks.push((value, text));
            }
        }
        ticks
    }

    fn linear_ticks(&self, wanted: usize) -> Vec<f64> {
        let span = self.high - self.low;
        // Steps are round in the unit of the prefix: 20 MiB, not 20 million bytes.
        let mut unit = 1.0;
        while self.numbers == Numbers::Binary && self.high.abs().max(self.low.abs()) / unit >= 1024.0 {
            unit *= self.numbers.base();
        }
        let least = span / unit / wanted.max(1) as f64;
        let decade = 10f64.powf(least.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|by| by * decade).find(|step| *step >= least * 0.999);
        let step = step.unwrap_or(decade) * unit;
        if !(step > 0.0 && step.is_finite()) {
            return Vec::new();
        }
        let first = (self.low / step).ceil();
        let count = ((self.high / step).floor() - first).clamp(0.0, 100.0) as usize;
        (0..=count).map(|index| (first + index as f64) * step).collect()
    }

    fn log_ticks(&self, wanted: usize) -> Vec<f64> {
        let (low, high) = (self.low, self.high);
        let powers = |base: f64, every: i32| {
            let (first, last) = (low.log(base).floor() as i32, high.log(base).ceil() as i32);
            (first..=last).filter(move |power| power.rem_euclid(every) == 0).map(move |power| base.powi(power))
        };
        let inside = |values: &Vec<f64>| values.iter().filter(|value| (low..=high).contains(*value)).count();
        // From dense to sparse: the first that is not too dense.
        let mut choices: Vec<Vec<f64>> = match self.numbers {
            Numbers::Binary => Vec::new(),
            _ => vec![
                powers(10.0, 1).flat_map(|ten| [1.0, 2.0, 5.0].map(|by| by * ten)).collect(),
                powers(10.0, 1).flat_map(|ten| [1.0, 3.0].map(|by| by * ten)).collect(),
            ],
        };
        let base = if self.numbers == Numbers::Binary { 2.0 } else { 10.0 };
        choices.extend((1..=60).map(|every| powers(base, every).collect()));
        choices.into_iter().find(|values| inside(values) <= wanted.max(2)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_short() {
        for (numbers, value, text) in [
            (Numbers::Si, 0.0, "0"),
            (Numbers::Si, 200e6, "200 M"),
            (Numbers::Si, 1.5e9, "1.5 G"),
            (Numbers::Si, 999_999.0, "1 M"),
            (Numbers::Si, 0.5, "0.5"),
            (Numbers::Binary, 65536.0, "64 KiB"),
            (Numbers::Binary, 512.0, "512 B"),
            (Numbers::Binary, 1.5 * 1048576.0, "1.5 MiB"),
            (Numbers::Plain, 72.5, "72.5"),
            (Numbers::Plain, 1500.0, "1500"),
            (Numbers::Plain, -2.0, "−2"),
        ] {
            assert_eq!(numbers.text(value), text);
        }
    }

    #[test]
    fn axes_are_logarithmic_from_a_decade_on() {
        for (values, log) in [
            (&[1.0, 9.9][..], false),
            (&[1.0, 10.0], true),
            (&[0.0, 1e9], false),
            (&[-1.0, 1e9], false),
            (&[5.0], false),
            (&[], false),
        ] {
            assert_eq!(asks_for_log(values), log, "{values:?}");
        }
    }

    #[test]
    fn ticks_are_round() {
        let texts = |values: &[f64], numbers, wanted| {
            let scale = Scale::around(values, numbers, (0.0, 100.0));
            scale.ticks(wanted).into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(" ")
        };
        let mib = 1048576.0;
        assert_eq!(texts(&[40e6, 580e6], Numbers::Si, 6), "50 M 100 M 200 M 500 M");
        assert_eq!(texts(&[60.0, 76.0], Numbers::Plain, 6), "60 65 70 75");
        assert_eq!(texts(&[75.0, 75.016], Numbers::Plain, 6), "75 75.005 75.01 75.015");
        assert_eq!(
            texts(&[3_504_000.0, 3_505_000.0], Numbers::Si, 6),
            "3.504 M 3.5042 M 3.5044 M 3.5046 M 3.5048 M 3.505 M"
        );
        assert_eq!(texts(&[36.0 * mib, 240.0 * mib], Numbers::Binary, 6), "50 MiB 100 MiB 150 MiB 200 MiB 250 MiB");
        assert_eq!(texts(&[1.0 * mib, 64.0 * mib], Numbers::Binary, 4), "1 MiB 4 MiB 16 MiB 64 MiB");
        assert_eq!(texts(&[1e3, 1e12], Numbers::Si, 5), "10 k 1 M 100 M 10 G 1 T");
    }

    proptest! {
        /// Whatever the numbers are, they lie on the axis, and the ticks rise on it.
        #[test]
        fn axes_hold_their_numbers(values in prop::collection::vec(-1e15f64..1e18, 1..20), wanted in 2usize..10) {
            for numbers in [Numbers::Si, Numbers::Binary, Numbers::Plain] {
                let scale = Scale::around(&values, numbers, (10.0, 500.0));
                for value in &values {
                    prop_assert!((10.0 - 1e-6..=500.0 + 1e-6).contains(&scale.at(*value)));
                }
                let ticks = scale.ticks(wanted);
                prop_assert!(ticks.len() <= 2 * wanted + 2);
                prop_assert!(ticks.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 != pair[1].1));
            }
        }
    }
}
