//! Polynomials with `i64` coefficients over atoms, kept in canonical form and within fixed limits.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use super::bounds::{Interval, interval_of_terms};
use super::monomial::{Atom, Monomial};
use super::{Dim, Repr};

/// A polynomial with more terms is undefined.
pub(super) const MAX_TERMS: usize = 512;
/// Atoms nested deeper are undefined; every recursion of this module is over this depth.
pub(super) const MAX_DEPTH: u32 = 64;
/// Shared sub-expressions can make the written-out size exponential in the depth, and comparing or
/// printing walks the written-out form, so its size is limited as well.
pub(super) const MAX_WEIGHT: u32 = 1 << 14;
/// Terms may cancel while a result is collected, so the collector may hold more than it may return.
const MAX_COLLECTED: usize = 4 * MAX_TERMS;

/// A monomial with its coefficient.
pub(super) type Term = (Monomial, i64);

/// At least one term, sorted by monomial, no zero coefficient, and a constant; with facts about
/// the whole that would otherwise be computed again and again.
#[derive(Debug)]
pub(super) struct Poly {
    pub(super) terms: Vec<Term>,
    pub(super) constant: i64,
    /// Worked out when it is asked for: most formulas are compared with nothing.
    interval: OnceLock<Interval>,
    depth: u32,
    weight: u32,
}

impl Poly {
    pub(super) fn interval(&self) -> Interval {
        *self.interval.get_or_init(|| interval_of_terms(&self.terms, self.constant))
    }
}

impl PartialEq for Poly {
    fn eq(&self, other: &Self) -> bool {
        self.constant == other.constant && self.terms == other.terms
    }
}

impl Eq for Poly {}

impl Hash for Poly {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.terms, self.constant).hash(state);
    }
}

impl Ord for Poly {
    fn cmp(&self, other: &Self) -> Ordering {
        if std::ptr::eq(self, other) {
            return Ordering::Equal;
        }
        let by_constant = || self.constant.cmp(&other.constant);
        self.terms.cmp(&other.terms).then_with(by_constant)
    }
}

impl PartialOrd for Poly {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Dim {
    /// The expression of sorted, non-zero terms and a constant.
    pub(super) fn from_terms(terms: Vec<Term>, constant: i64) -> Dim {
        if terms.is_empty() {
            return Dim::from(constant);
        }
        if terms.len() > MAX_TERMS {
            return Dim::UNDEFINED;
        }
        let (mut depth, mut weight) = (0, 1u32);
        for (atom, _) in terms.iter().flat_map(|(monomial, _)| monomial.factors()) {
            depth = u32::max(depth, atom.depth());
            weight = weight.saturating_add(1).saturating_add(atom.weight());
        }
        if depth > MAX_DEPTH || weight > MAX_WEIGHT {
            return Dim::UNDEFINED;
        }
        Dim(Repr::Expr(Arc::new(Poly { terms, constant, interval: OnceLock::new(), depth, weight })))
    }

    /// The same expression, each minimum joined with the maximum of the same two expressions: an axis sliced in two at
    /// one place and put together again is whole. Sums do not do so by themselves: `min + max - max` stays `min`.
    pub(crate) fn with_extrema_joined(self) -> Dim {
        let mut dim = self;
        while let Some(pair) = extrema_pair(dim.parts().0) {
            let (terms, constant) = dim.parts();
            dim = without_pair(terms.to_vec(), constant, &pair);
        }
        dim
    }

    pub(super) fn from_atom(atom: Atom) -> Dim {
        Dim::from_terms(vec![(Monomial::new(vec![(atom, 1)]), 1)], 0)
    }

    /// The terms and the constant; `UNDEFINED` has neither and must be handled before.
    pub(super) fn parts(&self) -> (&[Term], i64) {
        match &self.0 {
            Repr::Int(value) => (&[], *value),
            Repr::Expr(poly) => (&poly.terms, poly.constant),
            Repr::Undefined => (&[], 0),
        }
    }

    /// The term of an expression that is nothing else.
    pub(super) fn lone_term(&self) -> Option<&Term> {
        match self.parts() {
            ([term], 0) => Some(term),
            _ => None,
        }
    }

    /// The atom and the offset of an expression of the form `atom + offset`.
    pub(super) fn lone_atom(&self) -> Option<(&Atom, i64)> {
        let (terms, constant) = self.parts();
        match terms {
            [(monomial, 1)] => match monomial.factors() {
                [(atom, 1)] => Some((atom, constant)),
                _ => None,
            },
            _ => None,
        }
    }

    pub(super) fn depth(&self) -> u32 {
        match &self.0 {
            Repr::Expr(poly) => poly.depth,
            _ => 0,
        }
    }

    /// The size of the formula when written out, in atoms; one for a plain number.
    pub fn weight(&self) -> u32 {
        match &self.0 {
            Repr::Expr(poly) => poly.weight,
            _ => 1,
        }
    }

    /// The sum, for operands that are not both plain numbers.
    pub(super) fn add_expr(&self, other: &Dim) -> Dim {
        self.merge(other, Some, i64::checked_add)
    }

    /// The difference, for operands that are not both plain numbers.
    pub(super) fn sub_expr(&self, other: &Dim) -> Dim {
        self.merge(other, i64::checked_neg, i64::checked_sub)
    }

    fn merge(&self, other: &Dim, alone: impl Fn(i64) -> Option<i64>, combine: impl Fn(i64, i64) -> Option<i64>) -> Dim {
        if self.is_undefined() || other.is_undefined() {
            return Dim::UNDEFINED;
        }
        let ((left, left_constant), (right, right_constant)) = (self.parts(), other.parts());
        let Some(constant) = combine(left_constant, right_constant) else {
            return Dim::UNDEFINED;
        };
        let mut terms = Vec::with_capacity(left.len() + right.len());
        let (mut i, mut j) = (0, 0);
        while i < left.len() || j < right.len() {
            let order = match (left.get(i), right.get(j)) {
                (Some((a, _)), Some((b, _))) => a.cmp(b),
                (Some(_), None) => Ordering::Less,
                (None, _) => Ordering::Greater,
            };
            let (monomial, coefficient) = match order {
                Ordering::Less => (&left[i].0, Some(left[i].1)),
                Ordering::Greater => (&right[j].0, alone(right[j].1)),
                Ordering::Equal => (&left[i].0, combine(left[i].1, right[j].1)),
            };
            match coefficient {
                None => return Dim::UNDEFINED,
                Some(0) => {}
                Some(coefficient) => terms.push((monomial.clone(), coefficient)),
            }
            i += usize::from(order.is_le());
            j += usize::from(order.is_ge());
        }
        Dim::from_terms(terms, constant)
    }

    /// The product, for operands that are not both plain numbers.
    pub(super) fn mul_expr(&self, other: &Dim) -> Dim {
        if self.is_undefined() || other.is_undefined() {
            return Dim::UNDEFINED;
        }
        for (factor, rest) in [(self, other), (other, self)] {
            if let Some(value) = factor.as_int() {
                return rest.times_int(value);
            }
            if let Some(term) = factor.lone_term() {
                return rest.times_term(term);
            }
        }
        let (terms, constant) = self.parts();
        let mut sum = Collector::default();
        sum.add_scaled(other, i128::from(constant));
        for (monomial, coefficient) in terms {
            sum.add_product(other, monomial, i128::from(*coefficient));
            if sum.failed {
                break;
            }
        }
        sum.finish()
    }

    fn times_int(&self, factor: i64) -> Dim {
        if self.is_undefined() {
            return Dim::UNDEFINED;
        }
        if factor == 0 {
            return Dim::ZERO;
        }
        let (terms, constant) = self.parts();
        let scaled =
            terms.iter().map(|(monomial, coefficient)| Some((monomial.clone(), coefficient.checked_mul(factor)?)));
        match (scaled.collect(), constant.checked_mul(factor)) {
            (Some(terms), Some(constant)) => Dim::from_terms(terms, constant),
            _ => Dim::UNDEFINED,
        }
    }

    pub(super) fn times_term(&self, (by, factor): &Term) -> Dim {
        if self.is_undefined() {
            return Dim::UNDEFINED;
        }
        if by.factors().is_empty() {
            return self.times_int(*factor);
        }
        let (terms, constant) = self.parts();
        let product = |(monomial, coefficient): &Term| Some((monomial.times(by)?, coefficient.checked_mul(*factor)?));
        let first = (constant != 0).then_some((Monomial::new(Vec::new()), constant));
        let products: Option<Vec<Term>> = first.iter().chain(terms).map(product).collect();
        products.map_or(Dim::UNDEFINED, |terms| Dim::from_terms(terms, 0))
    }
}

/// A minimum and a maximum of the same two expressions in the same product, which sum to those expressions.
struct Pair {
    least: usize,
    greatest: usize,
    /// What both are multiplied by.
    rest: Monomial,
    of: Arc<[Dim]>,
}

/// Finds a pair whose coefficients have the same sign: a rolled axis is sliced in two and joined again.
fn extrema_pair(terms: &[Term]) -> Option<Pair> {
    if terms.len() < 2 {
        return None;
    }
    let occurrences = terms.iter().enumerate().flat_map(|(least, (monomial, coefficient))| {
        monomial.factors().iter().enumerate().map(move |(at, factor)| (least, monomial, *coefficient, at, factor))
    });
    occurrences.into_iter().find_map(|(least, monomial, coefficient, at, factor)| {
        let (Atom::Min(of), 1) = factor else { return None };
        if of.len() != 2 {
            return None;
        }
        let mut others = monomial.factors().to_vec();
        others.remove(at);
        let rest = Monomial::new(others);
        let twin = rest.times(&Monomial::new(vec![(Atom::Max(of.clone()), 1)]))?;
        let greatest = terms.binary_search_by(|(candidate, _)| candidate.cmp(&twin)).ok()?;
        let same_sign = (terms[greatest].1 < 0) == (coefficient < 0);
        same_sign.then(|| Pair { least, greatest, rest, of: of.clone() })
    })
}

fn without_pair(mut terms: Vec<Term>, constant: i64, pair: &Pair) -> Dim {
    let (a, b) = (terms[pair.least].1, terms[pair.greatest].1);
    let shared = if a.unsigned_abs() < b.unsigned_abs() { a } else { b };
    terms[pair.least].1 -= shared;
    terms[pair.greatest].1 -= shared;
    terms.retain(|(_, coefficient)| *coefficient != 0);
    let sum: Dim = pair.of.iter().sum();
    Dim::from_terms(terms, constant) + sum.times_term(&(pair.rest.clone(), shared))
}

/// Collects a sum of many terms; partial sums may exceed what the result may hold.
#[derive(Default)]
pub(crate) struct Collector {
    terms: BTreeMap<Monomial, i128>,
    constant: i128,
    failed: bool,
}

impl Collector {
    pub(super) fn fail(&mut self) {
        self.failed = true;
    }

    pub(super) fn add_constant(&mut self, value: i128) {
        match self.constant.checked_add(value) {
            Some(sum) => self.constant = sum,
            None => self.failed = true,
        }
    }

    /// Adds `times` the expression.
    pub(super) fn add_scaled(&mut self, dim: &Dim, times: i128) {
        if dim.is_undefined() {
            return self.fail();
        }
        let (terms, constant) = dim.parts();
        for (monomial, coefficient) in terms {
            self.add_term(monomial, i128::from(*coefficient).checked_mul(times));
        }
        match i128::from(constant).checked_mul(times) {
            Some(value) => self.add_constant(value),
            None => self.fail(),
        }
    }

    /// Adds the expression.
    pub(crate) fn add(&mut self, dim: &Dim) {
        match dim.as_int() {
            Some(value) => self.add_constant(i128::from(value)),
            None => self.add_scaled(dim, 1),
        }
    }

    fn add_product(&mut self, dim: &Dim, by: &Monomial, times: i128) {
        let (terms, constant) = dim.parts();
        self.add_term(by, i128::from(constant).checked_mul(times));
        for (monomial, coefficient) in terms {
            match monomial.times(by) {
                Some(product) => {
                    self.add_term(&product, i128::from(*coefficient).checked_mul(times));
                }
                None => self.fail(),
            }
        }
    }

    fn add_term(&mut self, monomial: &Monomial, coefficient: Option<i128>) {
        let Some(coefficient) = coefficient else {
            return self.fail();
        };
        if self.failed || coefficient == 0 {
            return;
        }
        match self.terms.get_mut(monomial) {
            None => drop(self.terms.insert(monomial.clone(), coefficient)),
            Some(sum) => match sum.checked_add(coefficient) {
                Some(0) => drop(self.terms.remove(monomial)),
                Some(total) => *sum = total,
                None => self.failed = true,
            },
        }
        self.failed |= self.terms.len() > MAX_COLLECTED;
    }

    pub(crate) fn finish(self) -> Dim {
        if self.failed {
            return Dim::UNDEFINED;
        }
        let narrow = |(monomial, wide)| Some((monomial, i64::try_from(wide).ok()?));
        let terms: Option<Vec<Term>> = self.terms.into_iter().map(narrow).collect();
        match (terms, i64::try_from(self.constant)) {
            (Some(terms), Ok(constant)) => Dim::from_terms(terms, constant),
            _ => Dim::UNDEFINED,
        }
    }
}
