//! Quantities as people write them in files: `310 M`, `5 MiB`, `2 ms`.

use serde::{Deserialize, Deserializer};

use crate::cost::Unit;

/// A quantity: its value in whole units (things, bytes, nanoseconds; what is beyond a whole unit is cut off), and what
/// it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantity {
    /// Things, bytes or nanoseconds.
    pub value: i64,
    /// What it counts; `None` for a plain number, which fits all.
    pub kind: Option<Kind>,
}

/// What a quantity counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Things: `310 M`.
    Count,
    /// Bytes: `5 MiB`, `512 B`, `1 MB` (10⁶ bytes).
    Bytes,
    /// Time: `2 ms`.
    Time,
}

impl From<Unit> for Kind {
    fn from(unit: Unit) -> Kind {
        match unit {
            Unit::Count => Kind::Count,
            Unit::Bytes => Kind::Bytes,
        }
    }
}

/// Suffixes, what they count, and how many units one of them is.
const SUFFIXES: &[(&str, Option<Kind>, i64)] = &[
    ("", None, 1),
    ("k", Some(Kind::Count), 1_000),
    ("K", Some(Kind::Count), 1_000),
    ("M", Some(Kind::Count), 1_000_000),
    ("G", Some(Kind::Count), 1_000_000_000),
    ("T", Some(Kind::Count), 1_000_000_000_000),
    ("B", Some(Kind::Bytes), 1),
    ("kB", Some(Kind::Bytes), 1_000),
    ("KB", Some(Kind::Bytes), 1_000),
    ("MB", Some(Kind::Bytes), 1_000_000),
    ("GB", Some(Kind::Bytes), 1_000_000_000),
    ("KiB", Some(Kind::Bytes), 1 << 10),
    ("MiB", Some(Kind::Bytes), 1 << 20),
    ("GiB", Some(Kind::Bytes), 1 << 30),
    ("TiB", Some(Kind::Bytes), 1 << 40),
    ("ns", Some(Kind::Time), 1),
    ("us", Some(Kind::Time), 1_000),
    ("µs", Some(Kind::Time), 1_000),
    ("ms", Some(Kind::Time), 1_000_000),
    ("s", Some(Kind::Time), 1_000_000_000),
];

impl Quantity {
    /// Reads `310 M`, `5MiB`, `2 ms`, `1_000`; `None` where it is no quantity, is negative or overflows.
    pub fn parse(text: &str) -> Option<Quantity> {
        let text = text.trim();
        let end = text.find(|letter: char| !matches!(letter, '0'..='9' | '.' | '_')).unwrap_or(text.len());
        let (number, suffix) = (text[..end].replace('_', ""), text[end..].trim());
        let (_, kind, unit) = SUFFIXES.iter().find(|(name, ..)| *name == suffix)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((&number, ""));
        if whole.is_empty() || fraction.len() > 18 {
            return None;
        }
        let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
        let scaled = digits.checked_mul(i128::from(*unit))? / 10i128.pow(u32::try_from(fraction.len()).ok()?);
        Some(Quantity { value: i64::try_from(scaled).ok()?, kind: *kind })
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Quantity, D::Error> {
        let text = String::deserialize(deserializer)?;
        Quantity::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(format!("\"{text}\" is no quantity: write a number, 310 M, 5 MiB or 2 ms"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_exactly() {
        for (text, value, kind) in [
            ("0", 0, None),
            ("1_000", 1_000, None),
            ("310 M", 310_000_000, Some(Kind::Count)),
            ("3.6M", 3_600_000, Some(Kind::Count)),
            ("0.301 G", 301_000_000, Some(Kind::Count)),
            ("5 MiB", 5 << 20, Some(Kind::Bytes)),
            ("1.5 KiB", 1536, Some(Kind::Bytes)),
            ("0.3 KiB", 307, Some(Kind::Bytes)),
            ("1 MB", 1_000_000, Some(Kind::Bytes)),
            ("2 ms", 2_000_000, Some(Kind::Time)),
            ("12.5 µs", 12_500, Some(Kind::Time)),
            ("9223372036854775807", i64::MAX, None),
        ] {
            assert_eq!(Quantity::parse(text), Some(Quantity { value, kind }), "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in
            ["", "M", ".", ".5 M", "-3 M", "3 Mb", "3 M M", "1.2.3", "9223372036854775808", "10000000000 T", "1e6"]
        {
            assert_eq!(Quantity::parse(text), None, "{text}");
        }
    }
}
