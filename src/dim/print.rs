//! Expressions as text: for people, as Python code, and serialized.

use std::fmt;

use serde::{Serialize, Serializer};

use super::monomial::{Atom, Monomial};
use super::poly::Poly;
use super::{Dim, Repr};

/// Which text to write.
#[derive(Clone, Copy, PartialEq)]
enum Style {
    /// Mathematical notation.
    Readable,
    /// A Python expression.
    Code,
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Int(value) => fmt::Display::fmt(value, f),
            Repr::Undefined => f.pad("undefined"),
            Repr::Expr(_) => f.pad(&render(self, Style::Readable)),
        }
    }
}

impl Serialize for Dim {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Repr::Int(value) => serializer.serialize_i64(*value),
            Repr::Undefined => serializer.serialize_none(),
            Repr::Expr(_) => serializer.serialize_str(&self.code()),
        }
    }
}

impl schemars::JsonSchema for Dim {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Dim".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": ["integer", "string", "null"],
            "description": "A number, or a formula in the free dimensions as a Python expression over integers."
        })
    }
}

impl Dim {
    /// The expression as Python code over integers; [`Dim::UNDEFINED`] is `None`.
    pub fn code(&self) -> String {
        render(self, Style::Code)
    }
}

fn render(dim: &Dim, style: Style) -> String {
    if let Some(floor) = floor_less_one(dim) {
        return atom_text(&floor, style, true);
    }
    let mut text = String::new();
    match &dim.0 {
        Repr::Int(value) => push_term(&mut text, *value, None, style),
        Repr::Undefined => text.push_str("None"),
        Repr::Expr(poly) => push_poly(&mut text, poly, style),
    }
    text
}

/// `(h + 1)//2 - 1` reads better as `(h - 1)//2`, which is what an unpadded convolution writes.
fn floor_less_one(dim: &Dim) -> Option<Atom> {
    let (Atom::Floor(ratio), -1) = dim.lone_atom()? else {
        return None;
    };
    let has_constant = ratio.numerator.parts().1 > 0;
    let by = ratio.divisor.as_int().filter(|_| has_constant)?;
    Some(Atom::floor(&ratio.numerator - by, ratio.divisor.clone()))
}

fn push_poly(text: &mut String, poly: &Poly, style: Style) {
    for (monomial, coefficient) in &poly.terms {
        push_term(text, *coefficient, Some(monomial), style);
    }
    if poly.constant != 0 {
        push_term(text, poly.constant, None, style);
    }
}

fn push_term(text: &mut String, coefficient: i64, monomial: Option<&Monomial>, style: Style) {
    let is_first = text.is_empty();
    // Python has no literal that overflows only before its sign is applied, and neither has the parser.
    let is_unsigned = style == Style::Code && coefficient == i64::MIN;
    text.push_str(match (is_first, coefficient < 0 && !is_unsigned, style) {
        (true, false, _) => "",
        (false, false, _) => " + ",
        (true, true, Style::Readable) => "\u{2212}",
        (true, true, Style::Code) => "-",
        (false, true, Style::Readable) => " \u{2212} ",
        (false, true, Style::Code) => " - ",
    });
    let size = coefficient.unsigned_abs();
    let times = match style {
        Style::Readable => "·",
        Style::Code => "*",
    };
    if is_unsigned {
        text.push_str("(-9223372036854775807 - 1)");
    } else if size != 1 || monomial.is_none() {
        text.push_str(&number(size, style));
    }
    let Some(monomial) = monomial else {
        return;
    };
    let factors = monomial.factors();
    // In Python the sign and `*` bind at least as tightly as `//`.
    let is_alone = factors.len() == 1 && size == 1 && !(is_first && coefficient < 0);
    for (position, (atom, power)) in factors.iter().enumerate() {
        if position > 0 || size != 1 {
            text.push_str(times);
        }
        text.push_str(&atom_text(atom, style, is_alone && *power == 1));
        match style {
            _ if *power == 1 => {}
            Style::Readable => text.push_str(&superscript(*power)),
            Style::Code => text.push_str(&format!("**{power}")),
        }
    }
}

fn atom_text(atom: &Atom, style: Style, is_alone: bool) -> String {
    let list = |of: &[Dim]| {
        let texts: Vec<String> = of.iter().map(|dim| render(dim, style)).collect();
        texts.join(", ")
    };
    match atom {
        Atom::Symbol(name, _) => name.to_string(),
        Atom::Min(of) => format!("min({})", list(of)),
        Atom::Max(of) => format!("max({})", list(of)),
        Atom::Floor(ratio) => {
            let (numerator, divisor) = (&ratio.numerator, &ratio.divisor);
            let divisor_text = operand(divisor, style, is_simple(divisor));
            match style {
                Style::Readable => {
                    let (terms, constant) = numerator.parts();
                    let is_product = terms.len() + usize::from(constant != 0) < 2;
                    let numerator_text = operand(numerator, style, is_product);
                    format!("⌊{numerator_text}/{divisor_text}⌋")
                }
                Style::Code => {
                    let numerator_text = operand(numerator, style, is_simple(numerator));
                    let quotient = format!("{numerator_text}//{divisor_text}");
                    if is_alone { quotient } else { format!("({quotient})") }
                }
            }
        }
    }
}

fn operand(dim: &Dim, style: Style, is_simple: bool) -> String {
    let text = render(dim, style);
    if is_simple { text } else { format!("({text})") }
}

/// Whether the text reads as one operand without parentheses.
fn is_simple(dim: &Dim) -> bool {
    match (dim.as_int(), dim.lone_atom()) {
        (Some(value), _) => value >= 0,
        (None, Some((Atom::Floor(_), _))) => false,
        (None, Some((_, offset))) => offset == 0,
        (None, None) => false,
    }
}

/// Digits in groups of three when there are five or more, for people.
fn number(value: u64, style: Style) -> String {
    let digits = value.to_string();
    if style == Style::Code || digits.len() < 5 {
        return digits;
    }
    let mut grouped = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            grouped.push('\u{a0}');
        }
        grouped.push(digit);
    }
    grouped
}

fn superscript(power: u32) -> String {
    let raise = |digit| match digit {
        '0' => '⁰',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        '4' => '⁴',
        '5' => '⁵',
        '6' => '⁶',
        '7' => '⁷',
        '8' => '⁸',
        _ => '⁹',
    };
    power.to_string().chars().map(raise).collect()
}
