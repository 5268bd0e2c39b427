//! Floor division, and the rules that simplify it.

use std::collections::BTreeMap;

use super::extremum::{Side, extremum};
use super::monomial::{Atom, Monomial};
use super::poly::{MAX_TERMS, Term};
use super::{Dim, Repr};

#[inline]
pub(super) fn floor_of_ints(a: i64, b: i64) -> Dim {
    if b == 0 {
        return Dim::UNDEFINED;
    }
    match a.checked_div_euclid(b) {
        // Euclidean division rounds up when the divisor is negative and there is a remainder.
        Some(quotient) if b < 0 && a.wrapping_rem(b) != 0 => Dim::from(quotient - 1),
        Some(quotient) => Dim::from(quotient),
        None => Dim::UNDEFINED,
    }
}

#[inline]
pub(super) fn ceil_of_ints(a: i64, b: i64) -> Dim {
    match floor_of_ints(a, b) {
        Dim(Repr::Int(quotient)) if a.wrapping_rem(b) != 0 => Dim::from(quotient + 1),
        floor => floor,
    }
}

#[inline]
pub(super) fn modulo_of_ints(a: i64, b: i64) -> Dim {
    if b == 0 {
        return Dim::UNDEFINED;
    }
    let remainder = a.wrapping_rem(b);
    let other_sign = remainder != 0 && (remainder < 0) != (b < 0);
    Dim::from(if other_sign { remainder + b } else { remainder })
}

pub(super) fn ceil_of_exprs(numerator: &Dim, divisor: &Dim) -> Dim {
    if divisor.is_at_least(1) {
        (numerator + (divisor - 1)).floor_div(divisor)
    } else {
        -(-numerator).floor_div(divisor)
    }
}

pub(super) fn floor_of_exprs(numerator: &Dim, divisor: &Dim) -> Dim {
    if numerator.is_undefined() || divisor.is_undefined() {
        return Dim::UNDEFINED;
    }
    match divisor.as_int() {
        Some(0) => Dim::UNDEFINED,
        Some(1) => numerator.clone(),
        Some(by) if by < 0 => floor_of_exprs(&-numerator, &-divisor),
        Some(by) => floor_by_int(numerator, by),
        None if divisor.is_at_least(1) => floor_by_positive(numerator, divisor),
        None if (-divisor).is_at_least(1) => floor_by_positive(&-numerator, &-divisor),
        // Where the divisor is zero there is no value, so a quotient without remainder holds wherever there is one.
        None => match divide(numerator, divisor) {
            Some((quotient, remainder)) if remainder == 0 => quotient,
            _ => Dim::from_atom(Atom::floor(numerator.clone(), divisor.clone())),
        },
    }
}

/// Floor division by a positive number: every round takes out the whole part, then either ends or
/// finds an equal division of a simpler expression.
fn floor_by_int(numerator: &Dim, by: i64) -> Dim {
    let (mut whole, mut part, mut by) = (Dim::ZERO, numerator.clone(), by);
    loop {
        let quotient = map_coefficients(&part, |value| value.div_euclid(by));
        part = map_coefficients(&part, |value| value.rem_euclid(by));
        whole += quotient;
        if part.as_int().is_some() || whole.is_undefined() {
            return whole;
        }
        let (terms, _) = part.parts();
        let shared = terms.iter().fold(by, |gcd, (_, value)| gcd_of(gcd, *value));
        if shared > 1 {
            // The terms are multiples of `shared`, so the rest of the constant never matters.
            part = map_coefficients(&part, |value| value.div_euclid(shared));
            by /= shared;
            continue;
        }
        if let (Some(low), Some(high)) = part.bounds()
            && low.div_euclid(by) == high.div_euclid(by)
        {
            return whole + low.div_euclid(by);
        }
        if let Some(divided) = floor_of_arguments(&part, by) {
            return whole + divided;
        }
        match without_inner_floor(&part, by) {
            Some((inner, product)) => (part, by) = (inner, product),
            None => return whole + Dim::from_atom(Atom::floor(part, Dim::from(by))),
        }
    }
}

/// A floor grows with its numerator: that of a minimum or maximum is the minimum or maximum of the arguments' floors.
fn floor_of_arguments(part: &Dim, by: i64) -> Option<Dim> {
    let (atom, offset) = part.lone_atom()?;
    let (side, of) = match atom {
        Atom::Min(of) => (Side::Min, of),
        Atom::Max(of) => (Side::Max, of),
        Atom::Symbol(..) | Atom::Floor(_) => return None,
    };
    let floors = of.iter().map(|argument| floor_by_int(&(argument + offset), by));
    floors.reduce(|a, b| extremum(side, &a, &b))
}

/// `floor((floor(x / a) + y) / b)` is `floor((x + a * y) / (a * b))`, if there is one such floor.
fn without_inner_floor(part: &Dim, by: i64) -> Option<(Dim, i64)> {
    let (terms, constant) = part.parts();
    let inner_ratio = |term: &Term| match (term.1, term.0.factors()) {
        (1, [(Atom::Floor(ratio), 1)]) => {
            let inner_by = ratio.divisor.as_int().filter(|inner| *inner > 0)?;
            Some((ratio.numerator.clone(), inner_by))
        }
        _ => None,
    };
    let mut inner = terms.iter().enumerate().filter_map(|(index, term)| {
        let (numerator, inner_by) = inner_ratio(term)?;
        Some((index, numerator, inner_by))
    });
    let (Some((index, numerator, inner_by)), None) = (inner.next(), inner.next()) else {
        return None;
    };
    let mut others = terms.to_vec();
    others.remove(index);
    let joined = numerator + Dim::from_terms(others, constant) * inner_by;
    let product = inner_by.checked_mul(by)?;
    (!joined.is_undefined()).then_some((joined, product))
}

/// Floor division by an expression that is at least one.
fn floor_by_positive(numerator: &Dim, divisor: &Dim) -> Dim {
    if let Some((numerator, divisor)) = without_common_content(numerator, divisor) {
        return numerator.floor_div(&divisor);
    }
    if let Some((quotient, remainder)) = divide(numerator, divisor) {
        // A remainder of many terms hides more than the quotient shows.
        let is_single = divisor.lone_term().is_some();
        let is_clearer = is_single || term_count(&remainder) < term_count(numerator);
        if quotient != 0 && is_clearer {
            return quotient + remainder.floor_div(divisor);
        }
    }
    if numerator.is_at_least(0) && (divisor - 1 - numerator).is_at_least(0) {
        Dim::ZERO
    } else if (-numerator).is_at_least(1) && (numerator + divisor).is_at_least(0) {
        Dim::from(-1i64)
    } else {
        Dim::from_atom(Atom::floor(numerator.clone(), divisor.clone()))
    }
}

pub(super) fn exact_quotient(numerator: &Dim, divisor: &Dim) -> Option<Dim> {
    if numerator.is_undefined() {
        return None;
    }
    let quotient = match divisor.0 {
        Repr::Undefined | Repr::Int(0) => return None,
        Repr::Int(-1) => -numerator,
        Repr::Int(by) => {
            let remainder = map_coefficients(numerator, |value| value.wrapping_rem(by));
            if remainder != 0 {
                return None;
            }
            map_coefficients(numerator, |value| value.wrapping_div(by))
        }
        Repr::Expr(_) => {
            if !divisor.is_at_least(1) && !(-divisor).is_at_least(1) {
                return None;
            }
            let (quotient, remainder) = divide(numerator, divisor)?;
            if remainder != 0 {
                return None;
            }
            quotient
        }
    };
    (!quotient.is_undefined()).then_some(quotient)
}

/// Whether the coefficients of the terms share a factor that the constant does not have.
pub(super) fn is_never_zero_modulo_content(dim: &Dim) -> bool {
    let (terms, constant) = dim.parts();
    let content = terms.iter().fold(0, |gcd, (_, value)| gcd_of(gcd, *value));
    content > 1 && constant % content != 0
}

fn term_count(dim: &Dim) -> usize {
    let (terms, constant) = dim.parts();
    terms.len() + usize::from(constant != 0)
}

pub(super) fn map_coefficients(dim: &Dim, map: impl Fn(i64) -> i64) -> Dim {
    let (terms, constant) = dim.parts();
    let mapped = terms
        .iter()
        .map(|(monomial, value)| (monomial, map(*value)))
        .filter(|(_, value)| *value != 0)
        .map(|(monomial, value)| (monomial.clone(), value));
    Dim::from_terms(mapped.collect(), map(constant))
}

/// The greatest common divisor, or one when it does not fit (it is 2^63 for `i64::MIN` alone).
pub(super) fn gcd_of(a: i64, b: i64) -> i64 {
    let (mut a, mut b) = (a.unsigned_abs(), b.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    i64::try_from(a).unwrap_or(1)
}

/// Both sides divided by all that divides every term of both; nothing if nothing does.
fn without_common_content(numerator: &Dim, divisor: &Dim) -> Option<(Dim, Dim)> {
    let (mut number, mut shared) = (0, None::<Monomial>);
    for (terms, constant) in [numerator.parts(), divisor.parts()] {
        let unit = (Monomial::new(Vec::new()), constant);
        let constant = (constant != 0).then_some(&unit);
        for (monomial, value) in terms.iter().chain(constant) {
            number = gcd_of(number, *value);
            shared = Some(match shared {
                Some(shared) => shared.common(monomial),
                None => monomial.clone(),
            });
        }
    }
    let shared = shared.filter(|shared| shared.degree() > 0);
    if number <= 1 && shared.is_none() {
        return None;
    }
    let reduce = |dim: &Dim| {
        let dim = map_coefficients(dim, |value| value / number.max(1));
        match &shared {
            Some(shared) => over_monomial(&dim, shared),
            None => Some(dim),
        }
    };
    Some((reduce(numerator)?, reduce(divisor)?))
}

/// The quotient of an expression without a constant whose terms are all multiples of `by`.
fn over_monomial(dim: &Dim, by: &Monomial) -> Option<Dim> {
    let mut constant = 0;
    let mut terms: Vec<Term> = Vec::new();
    for (monomial, value) in dim.parts().0 {
        let quotient = monomial.over(by)?;
        if quotient.degree() == 0 {
            constant = *value;
        } else {
            terms.push((quotient, *value));
        }
    }
    Some(Dim::from_terms(terms, constant))
}

/// Long division by the greatest monomial of the divisor: `(q, r)` with `numerator = q * divisor + r`,
/// or nothing when it gets too long or overflows.
fn divide(numerator: &Dim, divisor: &Dim) -> Option<(Dim, Dim)> {
    let (divisor_terms, divisor_constant) = divisor.parts();
    let ((lead, lead_value), lower_terms) = divisor_terms.split_last()?;
    let (terms, constant) = numerator.parts();
    let unit = Monomial::new(Vec::new());
    let mut rest: BTreeMap<Monomial, i64> = terms.iter().cloned().collect();
    rest.insert(unit.clone(), constant);
    let (mut quotient, mut remainder) = (Vec::new(), Vec::new());
    while let Some((monomial, value)) = rest.pop_last() {
        let over_lead = monomial.over(lead);
        let factor = match over_lead {
            Some(_) => value.checked_div_euclid(*lead_value)?,
            None => 0,
        };
        let left = value.checked_sub(factor.checked_mul(*lead_value)?)?;
        if left != 0 {
            remainder.push((monomial, left));
        }
        let Some(over_lead) = over_lead.filter(|_| factor != 0) else {
            continue;
        };
        let divisor_unit = (unit.clone(), divisor_constant);
        for (lower, lower_value) in lower_terms.iter().chain([&divisor_unit]) {
            let entry = rest.entry(lower.times(&over_lead)?).or_insert(0);
            *entry = entry.checked_sub(factor.checked_mul(*lower_value)?)?;
        }
        quotient.push((over_lead, factor));
        if quotient.len() > MAX_TERMS || rest.len() > 2 * MAX_TERMS {
            return None;
        }
    }
    let collect = |mut terms: Vec<Term>| {
        terms.reverse();
        let constant = match terms.first() {
            Some((monomial, value)) if monomial.degree() == 0 => *value,
            _ => 0,
        };
        terms.retain(|(monomial, _)| monomial.degree() > 0);
        Dim::from_terms(terms, constant)
    };
    Some((collect(quotient), collect(remainder)))
}
