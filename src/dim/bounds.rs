//! Sound lower and upper bounds of expressions, for symbols at least one and data sizes at least zero.

use super::floor::{gcd_of, map_coefficients};
use super::monomial::{Atom, Kind, Monomial};
use super::poly::{Poly, Term};
use super::{Dim, Repr};

/// How many atoms one query may replace by an estimate.
const FUEL: u32 = 24;
/// Larger polynomials are not expanded around the least values of their atoms.
const MAX_SHIFTED_TERMS: usize = 32;
const MAX_SHIFTED_DEGREE: u64 = 4;

const NEGATIVE_INFINITY: i128 = i128::MIN;
const INFINITY: i128 = i128::MAX;
/// Finite ends stay within this magnitude, so that their products fit into `i128`.
const LIMIT: i128 = 1 << 63;

/// A closed interval of integers whose ends may be infinite.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Interval {
    low: i128,
    high: i128,
}

impl Interval {
    fn new(low: i128, high: i128) -> Interval {
        Interval {
            low: if low < -LIMIT { NEGATIVE_INFINITY } else { low.min(LIMIT) },
            high: if high > LIMIT { INFINITY } else { high.max(-LIMIT) },
        }
    }

    fn exactly(value: i64) -> Interval {
        Interval::new(i128::from(value), i128::from(value))
    }

    pub(super) fn lower(self) -> Option<i64> {
        // An end beyond `i64` may be moved inwards only on its safe side.
        let end = self.low.min(i128::from(i64::MAX));
        i64::try_from(end).ok()
    }

    pub(super) fn upper(self) -> Option<i64> {
        let end = self.high.max(i128::from(i64::MIN));
        i64::try_from(end).ok()
    }

    fn plus(self, other: Interval) -> Interval {
        let add = |a: i128, b: i128| match (is_finite(a), is_finite(b)) {
            (true, true) => a + b,
            (false, _) => a,
            (true, false) => b,
        };
        Interval::new(add(self.low, other.low), add(self.high, other.high))
    }

    fn times(self, other: Interval) -> Interval {
        let corners = [
            product(self.low, other.low),
            product(self.low, other.high),
            product(self.high, other.low),
            product(self.high, other.high),
        ];
        let least = corners.into_iter().fold(INFINITY, i128::min);
        let greatest = corners.into_iter().fold(NEGATIVE_INFINITY, i128::max);
        Interval::new(least, greatest)
    }

    fn power(self, exponent: u32) -> Interval {
        let raise = |base: i128| {
            if is_finite(base) {
                let size = base.checked_pow(exponent);
                size.unwrap_or(if base < 0 && exponent % 2 == 1 { NEGATIVE_INFINITY } else { INFINITY })
            } else if base < 0 && exponent % 2 == 1 {
                NEGATIVE_INFINITY
            } else {
                INFINITY
            }
        };
        let (low, high) = (raise(self.low), raise(self.high));
        if exponent % 2 == 1 || self.low >= 0 {
            Interval::new(low, high)
        } else if self.high <= 0 {
            Interval::new(high, low)
        } else {
            Interval::new(0, low.max(high))
        }
    }

    fn floor_div(self, by: Interval) -> Interval {
        if by.low < 0 {
            return Interval::new(NEGATIVE_INFINITY, INFINITY);
        }
        // Where the divisor is zero there is no value to bound.
        let by = Interval::new(by.low.max(1), by.high.max(1));
        // A quotient moves towards zero as the divisor grows.
        let low = quotient(self.low, if self.low < 0 { by.low } else { by.high });
        let high = quotient(self.high, if self.high < 0 { by.high } else { by.low });
        Interval::new(low, high)
    }
}

fn is_finite(end: i128) -> bool {
    end != INFINITY && end != NEGATIVE_INFINITY
}

fn product(a: i128, b: i128) -> i128 {
    if a == 0 || b == 0 {
        0
    } else if is_finite(a) && is_finite(b) {
        a * b
    } else if (a < 0) == (b < 0) {
        INFINITY
    } else {
        NEGATIVE_INFINITY
    }
}

fn quotient(a: i128, by: i128) -> i128 {
    match (is_finite(a), is_finite(by)) {
        (true, true) => a.div_euclid(by),
        (true, false) if a < 0 => -1,
        (true, false) => 0,
        (false, _) => a,
    }
}

fn interval_of_atom(atom: &Atom) -> Interval {
    match atom {
        Atom::Symbol(_, Kind::Free) => Interval::new(1, INFINITY),
        Atom::Symbol(_, Kind::Data) => Interval::new(0, INFINITY),
        Atom::Floor(ratio) => interval_of(&ratio.numerator).floor_div(interval_of(&ratio.divisor)),
        Atom::Min(of) => {
            let ends = of.iter().map(interval_of);
            ends.fold(Interval::new(INFINITY, INFINITY), |a, b| Interval {
                low: a.low.min(b.low),
                high: a.high.min(b.high),
            })
        }
        Atom::Max(of) => {
            let ends = of.iter().map(interval_of);
            ends.fold(Interval::new(NEGATIVE_INFINITY, NEGATIVE_INFINITY), |a, b| Interval {
                low: a.low.max(b.low),
                high: a.high.max(b.high),
            })
        }
    }
}

fn interval_of(dim: &Dim) -> Interval {
    match &dim.0 {
        Repr::Int(value) => Interval::exactly(*value),
        Repr::Expr(poly) => poly.interval(),
        Repr::Undefined => Interval::new(NEGATIVE_INFINITY, INFINITY),
    }
}

fn interval_of_monomial(monomial: &Monomial) -> Interval {
    let factors = monomial.factors().iter();
    factors.fold(Interval::exactly(1), |product, (atom, power)| product.times(interval_of_atom(atom).power(*power)))
}

/// Interval arithmetic term by term.
pub(super) fn interval_of_terms(terms: &[Term], constant: i64) -> Interval {
    let start = Interval::exactly(constant);
    terms.iter().fold(start, |sum, (monomial, coefficient)| {
        sum.plus(interval_of_monomial(monomial).times(Interval::exactly(*coefficient)))
    })
}

impl Dim {
    /// Whether the expression is at least `least` for all values of its symbols, as far as provable.
    pub(super) fn is_at_least(&self, least: i64) -> bool {
        lower_bound(self, least, &mut FUEL.clone()) >= Some(least)
    }

    pub(super) fn refined_bounds(&self) -> (Option<i64>, Option<i64>) {
        let lower = lower_bound(self, i64::MAX, &mut FUEL.clone());
        let negated = lower_bound(&-self, i64::MAX, &mut FUEL.clone());
        let upper = negated.and_then(i64::checked_neg);
        (lower, upper.or(interval_of(self).upper()))
    }
}

/// The best lower bound found, or the first that reaches `goal`.
fn lower_bound(dim: &Dim, goal: i64, fuel: &mut u32) -> Option<i64> {
    let poly = match &dim.0 {
        Repr::Int(value) => return Some(*value),
        Repr::Undefined => return None,
        Repr::Expr(poly) => poly,
    };
    let mut best = poly.interval().lower();
    let content = poly.terms.iter().fold(0, |gcd, (_, value)| gcd_of(gcd, *value));
    if best < Some(goal) && content > 1 {
        // Rounding to whole numbers is worth the more, the smaller they are.
        let part = map_coefficients(&(dim - poly.constant), |value| value / content);
        let goal = goal.saturating_sub(poly.constant).saturating_add(content - 1).div_euclid(content);
        let whole = |low: i64| low.checked_mul(content)?.checked_add(poly.constant);
        return best.max(lower_bound(&part, goal, fuel).and_then(whole));
    }
    if best < Some(goal) {
        best = best.max(shifted_lower_bound(poly));
    }
    for (index, (monomial, _)) in poly.terms.iter().enumerate() {
        for (position, (atom, power)) in monomial.factors().iter().enumerate() {
            if best >= Some(goal) || *fuel == 0 {
                return best;
            }
            if *power == 1 && !matches!(atom, Atom::Symbol(..)) {
                *fuel -= 1;
                best = best.max(estimated_lower_bound(poly, index, position, goal, fuel));
            }
        }
    }
    best
}

/// The value where all atoms are least, if the polynomial grows in every atom from there.
fn shifted_lower_bound(poly: &Poly) -> Option<i64> {
    let is_large = |(monomial, _): &Term| monomial.degree() > MAX_SHIFTED_DEGREE;
    if poly.terms.len() > MAX_SHIFTED_TERMS || poly.terms.iter().any(is_large) {
        return None;
    }
    let mut shifted = Dim::from(poly.constant);
    for (monomial, coefficient) in &poly.terms {
        let mut product = Dim::from(*coefficient);
        for (atom, power) in monomial.factors() {
            let least = interval_of_atom(atom).lower()?;
            product *= (Dim::from_atom(atom.clone()) + least).pow(*power);
        }
        shifted += product;
    }
    let (terms, constant) = shifted.parts();
    let grows = !shifted.is_undefined() && terms.iter().all(|(_, coefficient)| *coefficient > 0);
    grows.then_some(constant)
}

/// A lower bound after one occurrence of an atom is replaced by what it is at least or at most.
fn estimated_lower_bound(poly: &Poly, index: usize, position: usize, goal: i64, fuel: &mut u32) -> Option<i64> {
    let (monomial, coefficient) = &poly.terms[index];
    let mut factors = monomial.factors().to_vec();
    let (atom, _) = factors.remove(position);
    let rest = Monomial::new(factors);
    let rest_is_positive = interval_of_monomial(&rest).low >= 0;
    let mut others = poly.terms.clone();
    others.remove(index);
    let others = Dim::from_terms(others, poly.constant);
    let with = |value: &Dim| value.times_term(&(rest.clone(), *coefficient));
    match &atom {
        Atom::Symbol(..) => None,
        Atom::Floor(ratio) => {
            // divisor * floor(numerator / divisor) lies in numerator - (divisor - 1) ..= numerator.
            let divisor = ratio.divisor.as_int().filter(|by| *by > 0)?;
            if !rest_is_positive {
                return None;
            }
            let slack = if *coefficient > 0 { 1 - divisor } else { 0 };
            let scaled = &others * divisor + with(&(&ratio.numerator + slack));
            let low = lower_bound(&scaled, goal.saturating_mul(divisor), fuel)?;
            low.checked_neg().map(|high| -high.div_euclid(divisor))
        }
        Atom::Min(of) | Atom::Max(of) => {
            let mut bounds = of.iter().map(|argument| lower_bound(&(&others + with(argument)), goal, fuel));
            let any_argument_will_do = matches!(atom, Atom::Max(_)) == (*coefficient > 0);
            if any_argument_will_do && rest_is_positive {
                bounds.max().flatten()
            } else {
                // The atom equals one of its arguments at every point.
                bounds.try_fold(i64::MAX, |least, bound| bound.map(|bound| least.min(bound)))
            }
        }
    }
}
