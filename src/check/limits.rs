//! What is allowed: a budget bounds a number itself, a limit its growth against the baseline.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::columns::{self, Better, Column, Needs, Number, Unit};
use crate::dim::Dim;
use crate::nearest::did_you_mean;
use crate::quantity::{Kind, Quantity};

/// The columns that budgets and limits can be on: numbers that are counted, of which less is better.
pub fn gauges() -> Vec<Column> {
    let counted =
        |column: &Column| column.better == Better::Lower && !matches!(column.needs, Needs::Figures | Needs::Latency);
    columns::all().into_iter().filter(counted).collect()
}

/// The gauge of this key, or why there is none.
pub fn gauge<'g>(gauges: &'g [Column], key: &str) -> std::result::Result<&'g Column, String> {
    gauges.iter().find(|gauge| gauge.key == key).ok_or_else(|| {
        let column = columns::all().into_iter().find(|column| column.key == key);
        if key == "latency" || column.as_ref().is_some_and(|column| column.needs == Needs::Latency) {
            return "a latency is limited by its ratio to another model's: \
                    write latency: {against: MODEL, most: 1.1} beside budget and limits"
                .to_string();
        }
        if column.is_some() {
            return format!("\"{key}\" cannot be limited: only what is counted and better where it is less can be");
        }
        let keys: Vec<&str> = gauges.iter().map(|gauge| &*gauge.key).collect();
        let hint = did_you_mean(key, keys.iter().copied());
        format!("there is no metric \"{key}\"{hint}: write one of {}", keys.join(", "))
    })
}

/// The most that a number may be.
#[derive(Clone, Debug, PartialEq)]
pub enum Amount {
    /// Things or bytes.
    Whole(i64),
    /// Milliseconds, or per cent.
    Real(f64),
}

/// By how much a number may be more than that of the baseline.
#[derive(Clone, Debug, PartialEq)]
pub enum Growth {
    /// By so many ten-thousandths of a per cent of it.
    Part(i64),
    /// By so much.
    By(Amount),
}

/// A limit on one number, as the file has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Allowed<T> {
    /// Its place among [`gauges`].
    pub gauge: usize,
    /// What is allowed.
    pub most: T,
    /// The same as it was written.
    pub text: Arc<str>,
    /// The line of the file.
    pub line: u64,
    /// The column.
    pub column: u64,
}

/// What comes of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// It holds.
    Yes,
    /// It does not.
    No,
    /// That depends on sizes that are open.
    Open,
}

impl From<Option<bool>> for Holds {
    fn from(known: Option<bool>) -> Holds {
        match known {
            Some(true) => Holds::Yes,
            Some(false) => Holds::No,
            None => Holds::Open,
        }
    }
}

impl Amount {
    /// Reads an amount in the unit of a gauge, or says why it is none.
    pub fn parse(text: &str, gauge: &Column) -> std::result::Result<Amount, String> {
        let key = &gauge.key;
        if gauge.unit == Unit::Share {
            return per_cent(text.trim_end_matches('%')).map(|parts| Amount::Real(parts as f64 / 1e4)).ok_or_else(
                || format!("\"{text}\" is no share: {key} is in per cent of the memory access, write 5 %"),
            );
        }
        let (kinds, what, form): (&[Option<Kind>], _, _) = match gauge.unit {
            Unit::Bytes => (&[None, Some(Kind::Bytes)], "in bytes", "5 MiB"),
            Unit::Milliseconds => (&[Some(Kind::Time)], "a time", "2 ms"),
            _ => (&[None, Some(Kind::Count)], "a number of things", "310 M"),
        };
        if is_fraction(text) && gauge.unit != Unit::Milliseconds {
            return Err(format!("\"{text}\" is a fraction, but {key} is {what}: write it as {form}"));
        }
        let quantity = Quantity::parse(text)
            .ok_or_else(|| format!("\"{text}\" is no quantity: {key} is {what}, write it as {form}"))?;
        if !kinds.contains(&quantity.kind) {
            let given = match quantity.kind {
                Some(Kind::Count) => "counts things",
                Some(Kind::Bytes) => "counts bytes",
                Some(Kind::Time) => "is a time",
                None => "has no unit",
            };
            return Err(format!("\"{text}\" {given}, but {key} is {what}: write it as {form}"));
        }
        Ok(match gauge.unit {
            Unit::Milliseconds => Amount::Real(quantity.value as f64 / 1e6),
            _ => Amount::Whole(quantity.value),
        })
    }

    /// Whether a number is no more than this.
    pub fn holds(&self, number: &Number) -> Holds {
        match (self, number.dim()) {
            (Amount::Whole(most), Some(count)) => count.known_le(&Dim::from(*most)).into(),
            (Amount::Real(most), _) => number.real().map(|real| real <= *most).into(),
            (Amount::Whole(most), None) => number.real().map(|real| real <= *most as f64).into(),
        }
    }
}

impl Growth {
    /// Reads `+1 %`, `+0`, `+64 KiB`, the sign left out or not; or says why it is none.
    pub fn parse(text: &str, gauge: &Column) -> std::result::Result<Growth, String> {
        let plain = text.trim();
        if plain.starts_with(['-', '−']) {
            return Err(format!("\"{text}\" is no limit: it says how much more is allowed, write +0 or +1 %"));
        }
        let plain = plain.trim_start_matches('+').trim();
        match plain.strip_suffix('%') {
            // A share grows by points.
            Some(_) if gauge.unit == Unit::Share => Amount::parse(plain, gauge).map(Growth::By),
            Some(number) => per_cent(number)
                .map(Growth::Part)
                .ok_or_else(|| format!("\"{text}\" is no limit: write +0, +1 % or an amount in the metric's unit")),
            // Nothing is nothing in every unit.
            None if plain == "0" && gauge.unit == Unit::Milliseconds => Ok(Growth::Part(0)),
            None if is_fraction(plain) && !matches!(gauge.unit, Unit::Milliseconds | Unit::Share) => {
                Err(format!("\"{text}\" is no limit: it is by how much {} may grow, write +5 % or +0", gauge.key))
            }
            None => Amount::parse(plain, gauge).map(Growth::By),
        }
    }

    /// Whether a number is no more above that of the baseline than this, for all sizes that are open. It is not where none
    /// keeps it but that the data decide a size of nothing.
    pub fn holds(&self, base: &Number, now: &Number) -> Holds {
        match self.compare(base, now) {
            Holds::Open => match self.compare(&something(base), &something(now)) {
                Holds::No => Holds::No,
                _ => Holds::Open,
            },
            known => known,
        }
    }

    fn compare(&self, base: &Number, now: &Number) -> Holds {
        let (Some(old), Some(new)) = (base.dim(), now.dim()) else {
            let (Some(old), Some(new)) = (base.real(), now.real()) else { return Holds::Open };
            let most = match self {
                Growth::Part(parts) => old * (1.0 + *parts as f64 / 1e6),
                Growth::By(Amount::Real(by)) => old + by,
                Growth::By(Amount::Whole(by)) => old + *by as f64,
            };
            return Some(new <= most).into();
        };
        match (self, old.as_int(), new.as_int()) {
            (Growth::Part(parts), Some(old), Some(new)) => {
                let (old, new) = (i128::from(old), i128::from(new));
                Some((new - old) * WHOLE <= old * i128::from(*parts)).into()
            }
            (Growth::Part(parts), ..) => {
                let (whole, most) = (Dim::from(WHOLE as i64), Dim::from((WHOLE as i64).saturating_add(*parts)));
                (new * whole).known_le(&(old * most)).into()
            }
            (Growth::By(Amount::Whole(by)), ..) => new.known_le(&(old + Dim::from(*by))).into(),
            (Growth::By(Amount::Real(_)), ..) => Holds::Open,
        }
    }
}

/// The number where sizes that the data decide are at least one.
fn something(number: &Number) -> Number {
    let Number::Count { count, bound } = number else { return number.clone() };
    let mut sizes = BTreeSet::new();
    count.data_symbols(&mut sizes);
    let count = count.substitute(&|name| sizes.contains(name).then(|| Dim::symbol(name)));
    Number::Count { count, bound: *bound }
}

/// Ten-thousandths of a per cent in a whole.
const WHOLE: i128 = 1_000_000;

/// Whether it has digits behind a point and no prefix: no number of things or bytes.
fn is_fraction(text: &str) -> bool {
    let number = text.trim().trim_end_matches('B').trim_end();
    number.contains('.') && number.ends_with(|letter: char| letter.is_ascii_digit() || letter == '.')
}

/// Ten-thousandths of a per cent; `None` where the text is no number, is negative or has more digits.
fn per_cent(text: &str) -> Option<i64> {
    let text = text.trim();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|letter| letter.is_ascii_digit());
    if whole.is_empty() || fraction.len() > 4 || !digits(whole) || !digits(fraction) {
        return None;
    }
    format!("{whole}{fraction:0<4}").parse().ok().filter(|parts| *parts <= 1_000_000_000_000i64)
}

impl<T> fmt::Display for Allowed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::Bound;

    fn count(count: i64) -> Number {
        Number::Count { count: Dim::from(count), bound: Bound::Exact }
    }

    #[test]
    fn budgets_are_in_the_unit_of_their_metric() {
        let gauges = gauges();
        for (key, text, amount) in [
            ("macs", "310 M", Ok(Amount::Whole(310_000_000))),
            ("macs", "310000000", Ok(Amount::Whole(310_000_000))),
            ("peak_activation_bytes", "5 MiB", Ok(Amount::Whole(5 << 20))),
            ("nodes", "100", Ok(Amount::Whole(100))),
            ("roofline_ms", "2.5 ms", Ok(Amount::Real(2.5))),
            ("G4", "5 %", Ok(Amount::Real(5.0))),
            ("G4", "5.25", Ok(Amount::Real(5.25))),
            ("macs", "5 MiB", Err("\"5 MiB\" counts bytes, but macs is a number of things: write it as 310 M")),
            ("weight_bytes", "5 M", Err("\"5 M\" counts things, but weight_bytes is in bytes: write it as 5 MiB")),
            ("roofline_ms", "2", Err("\"2\" has no unit, but roofline_ms is a time: write it as 2 ms")),
            ("macs", "1.5", Err("\"1.5\" is a fraction, but macs is a number of things: write it as 310 M")),
            ("weight_bytes", "0.5 B", Err("\"0.5 B\" is a fraction, but weight_bytes is in bytes: write it as 5 MiB")),
            ("weight_bytes", "0.5 KiB", Ok(Amount::Whole(512))),
            ("macs", "few", Err("\"few\" is no quantity: macs is a number of things, write it as 310 M")),
            ("G1", "5 MiB", Err("\"5 MiB\" is no share: G1 is in per cent of the memory access, write 5 %")),
        ] {
            let gauge = gauge(&gauges, key).unwrap();
            assert_eq!(Amount::parse(text, gauge), amount.map_err(str::to_string), "{key}: {text}");
        }
    }

    #[test]
    fn a_latency_is_no_gauge() {
        for key in ["latency", "latency_ms"] {
            assert!(gauge(&gauges(), key).is_err_and(|reason| reason.contains("latency: {against: MODEL, most: 1.1}")));
        }
    }

    #[test]
    fn limits_are_exact() {
        let gauges = gauges();
        for (key, text, old, new, holds) in [
            ("macs", "+0", 100, 100, Holds::Yes),
            ("macs", "+0", 100, 101, Holds::No),
            ("macs", "0", 100, 99, Holds::Yes),
            ("macs", "+1 %", 1000, 1010, Holds::Yes),
            ("macs", "+1 %", 1000, 1011, Holds::No),
            ("macs", "+0.0001 %", 1_000_000, 1_000_001, Holds::Yes),
            ("macs", "+0.0001 %", 1_000_000, 1_000_002, Holds::No),
            ("macs", "1%", i64::MAX, i64::MAX, Holds::Yes),
            ("macs", "+5 k", 0, 5_000, Holds::Yes),
            ("macs", "+5 k", 0, 5_001, Holds::No),
            ("weight_bytes", "+64 KiB", 0, 65_536, Holds::Yes),
            ("params", "+10 %", 0, 1, Holds::No),
        ] {
            let growth = Growth::parse(text, gauge(&gauges, key).unwrap()).unwrap();
            assert_eq!(growth.holds(&count(old), &count(new)), holds, "{key} {text}: {old} → {new}");
        }
    }

    #[test]
    fn what_is_no_limit_is_refused() {
        let gauges = gauges();
        for (key, text) in [
            ("macs", "-1 %"),
            ("macs", "+1 KiB"),
            ("macs", "+ %"),
            ("macs", "+1e3 %"),
            ("macs", "1.05"),
            ("macs", "+0.5"),
            ("macs", "+0.00001 %"),
            ("weight_bytes", "+1 M"),
            ("macs", ""),
        ] {
            assert!(Growth::parse(text, gauge(&gauges, key).unwrap()).is_err(), "{key}: {text}");
        }
    }

    #[test]
    fn formulas_are_compared_for_all_sizes() {
        let of = |text: &str| Number::Count { count: Dim::parse(text).unwrap(), bound: Bound::Exact };
        let gauges = gauges();
        for (text, old, new, holds) in [
            ("+0", "100*n", "100*n", Holds::Yes),
            ("+0", "100*n", "101*n", Holds::No),
            ("+1 %", "100*n", "101*n", Holds::Yes),
            ("+1 %", "100*n", "102*n", Holds::No),
            ("+0", "100*n", "100*m", Holds::Open),
        ] {
            let growth = Growth::parse(text, gauge(&gauges, "macs").unwrap()).unwrap();
            assert_eq!(growth.holds(&of(old), &of(new)), holds, "{text}: {old} → {new}");
        }
        // Of `d` the data decide, and it may be nothing.
        let data = |text: &str| {
            let dim = Dim::parse(text).unwrap().substitute(&|name| (name == "d").then(|| Dim::data(name)));
            Number::Count { count: dim, bound: Bound::Exact }
        };
        for (old, new, holds) in [
            ("10*d", "10*d", Holds::Yes),
            ("10*d", "11*d", Holds::No),
            ("11*d", "10*d", Holds::Yes),
            ("10*d", "9*d + 1", Holds::Open),
            ("10", "10*d", Holds::Open),
            ("10", "11*d", Holds::No),
            ("10*n", "10*d", Holds::Open),
        ] {
            assert_eq!(Growth::Part(0).holds(&data(old), &data(new)), holds, "{old} → {new}");
        }
    }
}
