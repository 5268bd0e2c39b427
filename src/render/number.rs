//! Numbers for people: SI prefixes for counts, binary ones for bytes, shares, shapes.

use crate::cost::Unit;
use crate::dim::Dim;
use crate::report::TensorType;

/// What stands where nothing is known.
pub const UNKNOWN: &str = "—";

/// So many of something: `1 node`, `2 nodes`. `noun` is one whose plural ends in s.
pub fn plural(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// A count in its unit: `300.8 M`, `3.34 MiB`, a formula as it is, `—` where unknown. `exact` gives all digits.
pub fn quantity(count: Option<&Dim>, unit: Unit, exact: bool) -> String {
    let Some(count) = count else { return UNKNOWN.to_string() };
    match (count.as_int(), unit) {
        (None, Unit::Count) => clean(&count.to_string()),
        (None, Unit::Bytes) => format!("{} B", clean(&count.to_string())),
        (Some(value), Unit::Count) if exact => grouped(value),
        (Some(value), Unit::Bytes) if exact => format!("{} B", grouped(value)),
        (Some(value), Unit::Count) => scaled(value, 1000.0, &["", "k", "M", "G", "T", "P", "E"]),
        (Some(value), Unit::Bytes) => scaled(value, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]),
    }
}

/// Four significant digits and a prefix; small numbers whole.
fn scaled(value: i64, base: f64, prefixes: &[&str]) -> String {
    let (mut scaled, mut step) = (value as f64, 0);
    // Rounding may carry into the next prefix: 999.96 k is 1.000 M.
    while scaled.abs() >= base - if step == 0 { 0.0 } else { 0.05 } && step + 1 < prefixes.len() {
        scaled /= base;
        step += 1;
    }
    let decimals = match scaled.abs() {
        _ if step == 0 => 0,
        size if size < 9.9995 => 3,
        size if size < 99.995 => 2,
        _ => 1,
    };
    format!("{scaled:.decimals$} {}", prefixes[step]).trim_end().to_string()
}

/// A time of so many milliseconds with four significant digits: `47.10 µs`, `14.21 ms`, `1.204 s`.
pub fn duration(ms: f64) -> String {
    match ms {
        0.0 => "0 ms".to_string(),
        ms if ms < 0.9995 => format!("{} µs", millis(ms * 1000.0)),
        ms if ms < 999.95 => format!("{} ms", millis(ms)),
        ms => format!("{} s", millis(ms / 1000.0)),
    }
}

/// Milliseconds for a column: three decimals at most, four significant digits at least.
pub fn millis(ms: f64) -> String {
    let decimals = match ms {
        ms if ms < 9.9995 => 3,
        ms if ms < 99.995 => 2,
        _ => 1,
    };
    format!("{ms:.decimals$}")
}

/// All digits, in groups of three.
pub fn grouped(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::from(if value < 0 { "−" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{a0}');
        }
        text.push(digit);
    }
    text
}

/// A part of a whole in per cent, one decimal; empty where either is unknown or a formula, or the whole is 0.
pub fn share(part: Option<&Dim>, whole: Option<&Dim>) -> String {
    let of = |count: Option<&Dim>| count.and_then(Dim::as_int);
    match (of(part), of(whole)) {
        (Some(part), Some(whole)) if whole > 0 => format!("{:.1}", 100.0 * part as f64 / whole as f64),
        _ => String::new(),
    }
}

/// `f32 1×3×224×224`; `—` for what is unknown.
pub fn tensor(tensor: &TensorType) -> String {
    let shape = match &tensor.shape {
        None => UNKNOWN.to_string(),
        Some(shape) if shape.is_empty() => "scalar".to_string(),
        Some(shape) => clean(&shape.iter().map(Dim::to_string).collect::<Vec<_>>().join("×")),
    };
    format!("{} {shape}", tensor.dtype.unwrap_or(UNKNOWN))
}

/// Text of at most `longest` letters. It is cut between words, else before a digit: half a number would be another one.
pub fn cut(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_string();
    }
    let kept: String = text.chars().take(longest.saturating_sub(1)).collect();
    match kept.rfind(' ') {
        Some(space) if space > kept.len() / 2 => format!("{} …", &kept[..space]),
        _ => format!("{}…", kept.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '\u{a0}')),
    }
}

/// Text from a file, safe to show: what steers a terminal, breaks a line or reorders letters is replaced.
pub fn clean(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() || misleads(letter) { '\u{fffd}' } else { letter }).collect()
}

/// Whether a letter makes text look like other text: marks, embeddings, overrides and isolates of direction, separators of
/// lines and paragraphs, spaces without width.
pub fn misleads(letter: char) -> bool {
    matches!(letter, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_have_four_significant_digits() {
        for (value, unit, text) in [
            (0i64, Unit::Count, "0"),
            (999, Unit::Count, "999"),
            (1000, Unit::Count, "1.000 k"),
            (300_774_272, Unit::Count, "300.8 M"),
            (999_960, Unit::Count, "1.000 M"),
            (40_476_448, Unit::Count, "40.48 M"),
            (1023, Unit::Bytes, "1023 B"),
            (1024, Unit::Bytes, "1.000 KiB"),
            (4_816_896, Unit::Bytes, "4.594 MiB"),
        ] {
            assert_eq!(quantity(Some(&Dim::from(value)), unit, false), text);
        }
        assert_eq!(quantity(None, Unit::Count, false), "—");
        assert_eq!(quantity(Some(&Dim::from(1_234_567i64)), Unit::Count, true), "1\u{a0}234\u{a0}567");
    }

    #[test]
    fn letters_that_steer_or_mislead_are_replaced() {
        for (text, shown) in [
            ("a\x1b[31m\nb", "a\u{fffd}[31m\u{fffd}b"),
            // Shown as gnp.exe where the override works.
            ("exe\u{202e}.png", "exe\u{fffd}.png"),
            ("a\u{2066}b\u{2069}\u{200f}c\u{61c}", "a\u{fffd}b\u{fffd}\u{fffd}c\u{fffd}"),
            ("zero\u{200b}\u{feff}width", "zero\u{fffd}\u{fffd}width"),
            ("a\u{2028}b", "a\u{fffd}b"),
            // Letters of scripts from right to left, and what joins them, stay.
            ("שלום می\u{200c}خواهم", "שלום می\u{200c}خواهم"),
        ] {
            assert_eq!(clean(text), shown);
        }
    }

    #[test]
    fn no_number_is_cut_in_two() {
        for (text, longest, shown) in [
            ("2048·batch + 980 101 936", 30, "2048·batch + 980 101 936"),
            ("2048·batch + 980\u{a0}101\u{a0}936", 22, "2048·batch + …"),
            ("f32 1×3×224×224", 14, "f32 1×3×224×…"),
            ("f32 1×3×224×224", 12, "f32 1×3×…"),
            ("a_long_name", 6, "a_lon…"),
        ] {
            assert_eq!(cut(text, longest), shown);
        }
    }

    #[test]
    fn one_is_no_plural() {
        assert_eq!([0, 1, 2].map(|count| plural(count, "node")), ["0 nodes", "1 node", "2 nodes"]);
    }
}
