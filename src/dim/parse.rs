//! Reading expressions as exporters write them into dimension names, and as `Dim::code` writes them.

use super::Dim;

/// `Dim::code` needs three levels for each nested atom; a level takes about a kilobyte of stack.
const MAX_LEVELS: u32 = 200;

/// Longer texts are no expressions: every operator may touch all terms before it.
const MAX_TEXT: usize = 1 << 14;

const SUM: u8 = 1;
const PRODUCT: u8 = 2;
const SIGN: u8 = 3;
const POWER: u8 = 4;

impl Dim {
    /// The expression that the text writes; `None` if it is not one or is not defined.
    ///
    /// `/` divides exactly, and what is not whole in the end is rounded down: `floor(h/2 + 1/2)` is
    /// `(h + 1)//2`. A bare identifier is a [`Dim::symbol`].
    pub fn parse(text: &str) -> Option<Dim> {
        if text.len() > MAX_TEXT {
            return None;
        }
        let mut parser = Parser { rest: text.trim_start(), levels: 0 };
        let value = parser.expression(SUM)?.floor()?;
        parser.rest.is_empty().then_some(value)
    }
}

/// A quotient that is not rounded yet.
struct Fraction {
    numerator: Dim,
    divisor: Dim,
}

impl Fraction {
    fn whole(value: Dim) -> Fraction {
        Fraction { numerator: value, divisor: Dim::ONE }
    }

    fn floor(&self) -> Option<Dim> {
        defined(self.numerator.floor_div(&self.divisor))
    }

    fn plus(self, other: Fraction) -> Fraction {
        if self.divisor == other.divisor {
            return Fraction { numerator: self.numerator + other.numerator, divisor: self.divisor };
        }
        Fraction {
            numerator: self.numerator * &other.divisor + other.numerator * &self.divisor,
            divisor: self.divisor * other.divisor,
        }
    }

    fn times(self, other: Fraction) -> Fraction {
        Fraction { numerator: self.numerator * other.numerator, divisor: self.divisor * other.divisor }
    }

    fn over(self, other: Fraction) -> Fraction {
        self.times(Fraction { numerator: other.divisor, divisor: other.numerator })
    }

    fn negated(self) -> Fraction {
        Fraction { numerator: -self.numerator, divisor: self.divisor }
    }

    /// The minimum or maximum over a common divisor, which must be known to be positive.
    fn extremum(self, other: Fraction, of: fn(&Dim, &Dim) -> Dim) -> Option<Fraction> {
        let divisor = &self.divisor * &other.divisor;
        divisor.is_at_least(1).then(|| Fraction {
            numerator: of(&(self.numerator * &other.divisor), &(other.numerator * &self.divisor)),
            divisor,
        })
    }
}

fn defined(value: Dim) -> Option<Dim> {
    (!value.is_undefined()).then_some(value)
}

struct Parser<'a> {
    rest: &'a str,
    levels: u32,
}

impl<'a> Parser<'a> {
    /// Operands joined by operators that bind at least as tightly as `tightness`.
    fn expression(&mut self, tightness: u8) -> Option<Fraction> {
        if self.levels == MAX_LEVELS {
            return None;
        }
        self.levels += 1;
        let mut left = self.operand()?;
        while let Some((operator, binding)) = self.peek_operator()
            && binding >= tightness
        {
            self.skip(operator);
            // Powers group to the right, everything else to the left.
            let right_tightness = if binding == POWER { SIGN } else { binding + 1 };
            let right = self.expression(right_tightness)?;
            left = match operator {
                "+" => left.plus(right),
                "-" => left.plus(right.negated()),
                "*" => left.times(right),
                "/" => left.over(right),
                "//" => Fraction::whole(left.over(right).floor()?),
                "%" => Fraction::whole(left.floor()?.modulo(&right.floor()?)),
                _ => {
                    let power = u32::try_from(right.floor()?.as_int()?).ok()?;
                    Fraction { numerator: left.numerator.pow(power), divisor: left.divisor.pow(power) }
                }
            };
            if left.numerator.is_undefined() || left.divisor.is_undefined() || left.divisor == 0 {
                return None;
            }
        }
        self.levels -= 1;
        Some(left)
    }

    fn peek_operator(&self) -> Option<(&'static str, u8)> {
        let operators = [
            ("**", POWER),
            ("^", POWER),
            ("//", PRODUCT),
            ("*", PRODUCT),
            ("/", PRODUCT),
            ("%", PRODUCT),
            ("+", SUM),
            ("-", SUM),
        ];
        let mut operators = operators.into_iter();
        operators.find(|(operator, _)| self.rest.starts_with(operator))
    }

    fn operand(&mut self) -> Option<Fraction> {
        if self.skip("-") {
            return self.expression(SIGN).map(Fraction::negated);
        }
        if self.skip("+") {
            return self.expression(SIGN);
        }
        if self.skip("(") {
            let inner = self.expression(SUM)?;
            return self.skip(")").then_some(inner);
        }
        let digits = self.take_while(|letter| letter.is_ascii_digit());
        if !digits.is_empty() {
            return digits.parse::<i64>().ok().map(|value| Fraction::whole(value.into()));
        }
        if !self.rest.starts_with(|first: char| first.is_alphabetic() || first == '_') {
            return None;
        }
        let name = self.take_while(|letter| letter.is_alphanumeric() || "_.:".contains(letter));
        if self.skip("(") { self.call(name) } else { Some(Fraction::whole(Dim::symbol(name))) }
    }

    /// A function call behind its opening parenthesis.
    fn call(&mut self, name: &str) -> Option<Fraction> {
        let first = self.expression(SUM)?;
        let value = match name {
            "floor" => Fraction::whole(first.floor()?),
            "ceil" | "ceiling" => Fraction::whole(defined(first.numerator.ceil_div(&first.divisor))?),
            "min" | "Min" => self.fold_arguments(first, Dim::min)?,
            "max" | "Max" => self.fold_arguments(first, Dim::max)?,
            "Mod" | "FloorDiv" => {
                let second = self.skip(",").then(|| self.expression(SUM))??;
                Fraction::whole(defined(if name == "Mod" {
                    first.floor()?.modulo(&second.floor()?)
                } else {
                    first.over(second).floor()?
                })?)
            }
            _ => return None,
        };
        self.skip(")").then_some(value)
    }

    fn fold_arguments(&mut self, first: Fraction, of: fn(&Dim, &Dim) -> Dim) -> Option<Fraction> {
        let mut result = first;
        while self.skip(",") {
            result = result.extremum(self.expression(SUM)?, of)?;
        }
        Some(result)
    }

    /// Steps over the token and the space behind it, if it comes next.
    fn skip(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|letter| !belongs(letter));
        let (token, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest.trim_start();
        token
    }
}
