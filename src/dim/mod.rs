//! Exact integer expressions over named symbols, in a canonical form so that equal sizes compare equal.

mod bounds;
mod extremum;
mod floor;
mod monomial;
mod ops;
mod parse;
mod poly;
mod print;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use extremum::Side;
use monomial::{Atom, Kind};
pub(crate) use poly::Collector;
use poly::Poly;

/// An exact integer: a plain number, or a polynomial over symbols, floor divisions, minima and maxima.
///
/// Arithmetic is checked. An overflow of `i64`, a division by zero or an expression beyond the size
/// limits gives [`Dim::UNDEFINED`], which every further operation passes on, so it is enough to test
/// [`Dim::is_undefined`] at the end. Rewriting may remove a part that would be undefined for some
/// values of the symbols (`x - x` is zero whatever `x` is), but it never gives a wrong number.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Dim(Repr);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Repr {
    Int(i64),
    Expr(Arc<Poly>),
    Undefined,
}

impl Dim {
    /// Zero.
    pub const ZERO: Dim = Dim(Repr::Int(0));
    /// One.
    pub const ONE: Dim = Dim(Repr::Int(1));
    /// The result of an overflow, of a division by zero, or of an expression that grew too large.
    pub const UNDEFINED: Dim = Dim(Repr::Undefined);

    /// A free dimension of the model, assumed to be at least one.
    pub fn symbol(name: &str) -> Dim {
        Dim::from_atom(Atom::Symbol(name.into(), Kind::Free))
    }

    /// A size that only the data decide, at least zero.
    pub fn data(name: &str) -> Dim {
        Dim::from_atom(Atom::Symbol(name.into(), Kind::Data))
    }

    /// The value, if it is a plain number.
    #[inline]
    pub fn as_int(&self) -> Option<i64> {
        match self.0 {
            Repr::Int(value) => Some(value),
            _ => None,
        }
    }

    /// Whether this is [`Dim::UNDEFINED`].
    #[inline]
    pub fn is_undefined(&self) -> bool {
        matches!(self.0, Repr::Undefined)
    }

    /// The quotient rounded towards minus infinity.
    #[inline]
    pub fn floor_div(&self, by: &Dim) -> Dim {
        match (&self.0, &by.0) {
            (Repr::Int(a), Repr::Int(b)) => floor::floor_of_ints(*a, *b),
            _ => floor::floor_of_exprs(self, by),
        }
    }

    /// The quotient rounded towards plus infinity.
    #[inline]
    pub fn ceil_div(&self, by: &Dim) -> Dim {
        match (&self.0, &by.0) {
            (Repr::Int(a), Repr::Int(b)) => floor::ceil_of_ints(*a, *b),
            _ => floor::ceil_of_exprs(self, by),
        }
    }

    /// The quotient, if `by` is never zero and divides exactly whatever the symbols are.
    pub fn exact_div(&self, by: &Dim) -> Option<Dim> {
        floor::exact_quotient(self, by)
    }

    /// The remainder of [`Dim::floor_div`], which has the sign of `by`.
    #[inline]
    pub fn modulo(&self, by: &Dim) -> Dim {
        match (&self.0, &by.0) {
            (Repr::Int(a), Repr::Int(b)) => floor::modulo_of_ints(*a, *b),
            _ => self - by * self.floor_div(by),
        }
    }

    /// The lesser value.
    #[inline]
    pub fn min(&self, other: &Dim) -> Dim {
        match (&self.0, &other.0) {
            (Repr::Int(a), Repr::Int(b)) => Dim::from(i64::min(*a, *b)),
            _ => extremum::extremum(Side::Min, self, other),
        }
    }

    /// The greater value.
    #[inline]
    pub fn max(&self, other: &Dim) -> Dim {
        match (&self.0, &other.0) {
            (Repr::Int(a), Repr::Int(b)) => Dim::from(i64::max(*a, *b)),
            _ => extremum::extremum(Side::Max, self, other),
        }
    }

    /// The product of `n` copies.
    pub fn pow(&self, n: u32) -> Dim {
        if let Repr::Int(base) = self.0 {
            return base.checked_pow(n).map_or(Dim::UNDEFINED, Dim::from);
        }
        if self.is_undefined() {
            return Dim::UNDEFINED;
        }
        let mut result = Dim::ONE;
        for bit in (0..u32::BITS - n.leading_zeros()).rev() {
            result = &result * &result;
            if n >> bit & 1 == 1 {
                result = &result * self;
            }
        }
        result
    }

    /// A lower and an upper bound that hold for all values of the symbols, as far as they are found.
    pub fn bounds(&self) -> (Option<i64>, Option<i64>) {
        match self.0 {
            Repr::Int(value) => (Some(value), Some(value)),
            Repr::Expr(_) => self.refined_bounds(),
            Repr::Undefined => (None, None),
        }
    }

    /// Whether `self <= other` for all values of the symbols, or for none; `None` when neither is provable.
    pub fn known_le(&self, other: &Dim) -> Option<bool> {
        if let (Some(a), Some(b)) = (self.as_int(), other.as_int()) {
            return Some(a <= b);
        }
        if (other - self).is_at_least(0) {
            Some(true)
        } else if (self - other).is_at_least(1) {
            Some(false)
        } else {
            None
        }
    }

    /// Whether both are equal for all values of the symbols, or for none; `None` when neither is provable.
    pub fn known_eq(&self, other: &Dim) -> Option<bool> {
        let difference = self - other;
        match difference.0 {
            Repr::Int(value) => Some(value == 0),
            Repr::Undefined => None,
            Repr::Expr(_) => {
                let differs = difference.is_at_least(1)
                    || (-&difference).is_at_least(1)
                    || floor::is_never_zero_modulo_content(&difference);
                differs.then_some(false)
            }
        }
    }

    /// Adds the names of all symbols, those inside floor divisions, minima and maxima included.
    pub fn symbols(&self, into: &mut BTreeSet<Arc<str>>) {
        self.visit_symbols(&mut |name, _| {
            into.insert(name.clone());
        });
    }

    /// Adds the names of all symbols made by [`Dim::data`].
    pub fn data_symbols(&self, into: &mut BTreeSet<Arc<str>>) {
        self.visit_symbols(&mut |name, kind| {
            if kind == Kind::Data {
                into.insert(name.clone());
            }
        });
    }

    fn visit_symbols(&self, visit: &mut dyn FnMut(&Arc<str>, Kind)) {
        let (terms, _) = self.parts();
        for (atom, _) in terms.iter().flat_map(|(monomial, _)| monomial.factors()) {
            match atom {
                Atom::Symbol(name, kind) => visit(name, *kind),
                Atom::Floor(ratio) => {
                    ratio.numerator.visit_symbols(visit);
                    ratio.divisor.visit_symbols(visit);
                }
                Atom::Min(of) | Atom::Max(of) => {
                    of.iter().for_each(|argument| argument.visit_symbols(visit));
                }
            }
        }
    }

    /// The expression with every symbol that has a `value` replaced by it.
    ///
    /// The values must keep what the symbols promise: at least one, or at least zero for data sizes.
    pub fn substitute(&self, value: &dyn Fn(&str) -> Option<Dim>) -> Dim {
        let Repr::Expr(poly) = &self.0 else {
            return self.clone();
        };
        let mut sum = Collector::default();
        sum.add_constant(i128::from(poly.constant));
        let mut seen = BTreeMap::new();
        for (monomial, coefficient) in &poly.terms {
            // Plain numbers are multiplied in i128: large terms may cancel in the sum.
            let mut number = Some(i128::from(*coefficient));
            let mut rest = Dim::ONE;
            for (atom, power) in monomial.factors() {
                let replaced = seen.entry(atom).or_insert_with(|| substitute_atom(atom, value));
                match replaced.as_int() {
                    Some(base) => {
                        let raised = i128::from(base).checked_pow(*power);
                        number = number.zip(raised).and_then(|(a, b)| a.checked_mul(b));
                    }
                    None => rest *= replaced.pow(*power),
                }
            }
            match number {
                Some(number) => sum.add_scaled(&rest, number),
                None => sum.fail(),
            }
        }
        sum.finish()
    }
}

fn substitute_atom(atom: &Atom, value: &dyn Fn(&str) -> Option<Dim>) -> Dim {
    let extremum_of = |of: &[Dim], combine: fn(&Dim, &Dim) -> Dim| {
        let mut replaced = of.iter().map(|argument| argument.substitute(value));
        let first = replaced.next().unwrap_or(Dim::UNDEFINED);
        replaced.fold(first, |result, argument| combine(&result, &argument))
    };
    match atom {
        Atom::Symbol(name, _) => value(name).unwrap_or_else(|| Dim::from_atom(atom.clone())),
        Atom::Floor(ratio) => {
            let numerator = ratio.numerator.substitute(value);
            numerator.floor_div(&ratio.divisor.substitute(value))
        }
        Atom::Min(of) => extremum_of(of, Dim::min),
        Atom::Max(of) => extremum_of(of, Dim::max),
    }
}
