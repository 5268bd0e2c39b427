//! The indeterminates of polynomials and the products of their powers.

use std::cmp::Ordering;
use std::sync::Arc;

use super::Dim;

/// What is known about a symbol besides its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Kind {
    /// A free dimension of the model, at least one.
    Free,
    /// A size that only the data decide, at least zero.
    Data,
}

/// The numerator and the divisor of a floor division.
#[derive(PartialEq, Eq, Hash, Debug)]
pub(super) struct Ratio {
    pub(super) numerator: Dim,
    pub(super) divisor: Dim,
}

/// An indeterminate of a polynomial.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Atom {
    Symbol(Arc<str>, Kind),
    Floor(Arc<Ratio>),
    Min(Arc<[Dim]>),
    Max(Arc<[Dim]>),
}

impl Ord for Atom {
    fn cmp(&self, other: &Self) -> Ordering {
        let rank = |atom: &Atom| match atom {
            Atom::Symbol(..) => 0,
            Atom::Floor(_) => 1,
            Atom::Min(_) => 2,
            Atom::Max(_) => 3,
        };
        match (self, other) {
            (Atom::Symbol(a, kind), Atom::Symbol(b, other_kind)) if Arc::ptr_eq(a, b) => kind.cmp(other_kind),
            (Atom::Symbol(a, kind), Atom::Symbol(b, other_kind)) => (a, kind).cmp(&(b, other_kind)),
            (Atom::Floor(a), Atom::Floor(b)) => {
                let by_divisor = || a.divisor.order(&b.divisor);
                a.numerator.order(&b.numerator).then_with(by_divisor)
            }
            (Atom::Min(a), Atom::Min(b)) | (Atom::Max(a), Atom::Max(b)) => {
                let reprs = a.iter().map(|dim| &dim.0);
                reprs.cmp(b.iter().map(|dim| &dim.0))
            }
            _ => rank(self).cmp(&rank(other)),
        }
    }
}

impl PartialOrd for Atom {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Atom {
    /// The floor division of two expressions that no rule simplifies.
    pub(super) fn floor(numerator: Dim, divisor: Dim) -> Atom {
        Atom::Floor(Arc::new(Ratio { numerator, divisor }))
    }

    /// How deep atoms are nested below this one.
    pub(super) fn depth(&self) -> u32 {
        match self {
            Atom::Symbol(..) => 0,
            Atom::Floor(ratio) => 1 + ratio.numerator.depth().max(ratio.divisor.depth()),
            Atom::Min(of) | Atom::Max(of) => 1 + of.iter().map(Dim::depth).fold(0, u32::max),
        }
    }

    /// The number of nodes when written out.
    pub(super) fn weight(&self) -> u32 {
        let inside = match self {
            // A long name takes as much room in every formula as many short ones.
            Atom::Symbol(name, _) => u32::try_from(name.len() / 64).unwrap_or(u32::MAX),
            Atom::Floor(ratio) => (ratio.numerator.weight()).saturating_add(ratio.divisor.weight()),
            Atom::Min(of) | Atom::Max(of) => of.iter().map(Dim::weight).fold(0, u32::saturating_add),
        };
        inside.saturating_add(1)
    }
}

/// A product of powers of distinct atoms, sorted by atom; the empty product is one.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Monomial {
    degree: u64,
    factors: Arc<[(Atom, u32)]>,
}

/// Ascending degree and then alphabetical. Multiplying both sides by a monomial keeps the order,
/// which polynomial division and `Dim::times_term` rely on.
impl Ord for Monomial {
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.factors, &other.factors) {
            return Ordering::Equal;
        }
        let by_factors = || {
            for ((atom, power), (other_atom, other_power)) in self.factors.iter().zip(other.factors.iter()) {
                let order = atom.cmp(other_atom).then(other_power.cmp(power));
                if order.is_ne() {
                    return order;
                }
            }
            self.factors.len().cmp(&other.factors.len())
        };
        self.degree.cmp(&other.degree).then_with(by_factors)
    }
}

impl PartialOrd for Monomial {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Monomial {
    pub(super) fn new(factors: Vec<(Atom, u32)>) -> Monomial {
        Monomial { degree: factors.iter().map(|(_, power)| u64::from(*power)).sum(), factors: factors.into() }
    }

    pub(super) fn factors(&self) -> &[(Atom, u32)] {
        &self.factors
    }

    pub(super) fn degree(&self) -> u64 {
        self.degree
    }

    /// The product, or nothing when an exponent overflows.
    pub(super) fn times(&self, other: &Monomial) -> Option<Monomial> {
        self.merge(other, u32::checked_add)
    }

    /// The quotient, or nothing when it is not a monomial.
    pub(super) fn over(&self, other: &Monomial) -> Option<Monomial> {
        if other.degree > self.degree {
            return None;
        }
        self.merge(other, u32::checked_sub)
    }

    fn merge(&self, other: &Monomial, combine: impl Fn(u32, u32) -> Option<u32>) -> Option<Monomial> {
        let mut merged = Vec::with_capacity(self.factors.len() + other.factors.len());
        let (mut left, mut right) = (self.factors.iter().peekable(), other.factors.iter());
        let mut next_right = right.next();
        loop {
            let order = match (left.peek(), next_right) {
                (None, None) => return Some(Monomial::new(merged)),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((a, _)), Some((b, _))) => a.cmp(b),
            };
            let mut powers = (0, 0);
            let mut atom = None;
            if order.is_le()
                && let Some((left_atom, power)) = left.next()
            {
                (atom, powers.0) = (Some(left_atom), *power);
            }
            if order.is_ge()
                && let Some((right_atom, power)) = next_right
            {
                (atom, powers.1) = (Some(right_atom), *power);
                next_right = right.next();
            }
            let power = combine(powers.0, powers.1)?;
            if let (Some(atom), 1..) = (atom, power) {
                merged.push((atom.clone(), power));
            }
        }
    }

    /// The greatest monomial that divides both.
    pub(super) fn common(&self, other: &Monomial) -> Monomial {
        let power_in_other = |atom: &Atom| {
            let found = other.factors.binary_search_by(|(its, _)| its.cmp(atom));
            found.map_or(0, |at| other.factors[at].1)
        };
        let shared = self.factors.iter().filter_map(|(atom, power)| {
            let power = u32::min(*power, power_in_other(atom));
            (power > 0).then(|| (atom.clone(), power))
        });
        Monomial::new(shared.collect())
    }
}
