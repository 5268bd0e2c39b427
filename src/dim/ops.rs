//! Operators, conversions and the order of expressions.

use std::cmp::Ordering;
use std::iter::{Product, Sum};
use std::ops::{Add, AddAssign, Mul, MulAssign, Neg, Sub};

use super::poly::Collector;
use super::{Dim, Repr};

impl From<i64> for Dim {
    #[inline]
    fn from(value: i64) -> Dim {
        Dim(Repr::Int(value))
    }
}

impl From<usize> for Dim {
    #[inline]
    fn from(value: usize) -> Dim {
        i64::try_from(value).map_or(Dim::UNDEFINED, Dim::from)
    }
}

impl Default for Dim {
    fn default() -> Dim {
        Dim::ZERO
    }
}

impl PartialEq<i64> for Dim {
    #[inline]
    fn eq(&self, other: &i64) -> bool {
        self.as_int() == Some(*other)
    }
}

impl Dim {
    /// A total order by form and not by value, for sorting; [`Dim::known_le`] compares values.
    ///
    /// This is not `Ord`, because `Ord::min` would hide [`Dim::min`] wherever a method is called on
    /// an owned `Dim`.
    pub fn order(&self, other: &Dim) -> Ordering {
        self.0.cmp(&other.0)
    }
}

#[inline]
fn add(a: &Dim, b: &Dim) -> Dim {
    match (&a.0, &b.0) {
        (Repr::Int(x), Repr::Int(y)) => x.checked_add(*y).map_or(Dim::UNDEFINED, Dim::from),
        (Repr::Int(0), _) => b.clone(),
        (_, Repr::Int(0)) => a.clone(),
        _ => a.add_expr(b),
    }
}

#[inline]
fn sub(a: &Dim, b: &Dim) -> Dim {
    match (&a.0, &b.0) {
        (Repr::Int(x), Repr::Int(y)) => x.checked_sub(*y).map_or(Dim::UNDEFINED, Dim::from),
        (_, Repr::Int(0)) => a.clone(),
        _ => a.sub_expr(b),
    }
}

#[inline]
fn mul(a: &Dim, b: &Dim) -> Dim {
    match (&a.0, &b.0) {
        (Repr::Int(x), Repr::Int(y)) => x.checked_mul(*y).map_or(Dim::UNDEFINED, Dim::from),
        (Repr::Int(1), _) => b.clone(),
        (_, Repr::Int(1)) => a.clone(),
        _ => a.mul_expr(b),
    }
}

macro_rules! operator {
    ($trait:ident, $method:ident) => {
        operator!($trait, $method, Dim, Dim, |a, b| $method(&a, &b));
        operator!($trait, $method, Dim, &Dim, |a, b| $method(&a, b));
        operator!($trait, $method, &Dim, Dim, |a, b| $method(a, &b));
        operator!($trait, $method, &Dim, &Dim, |a, b| $method(a, b));
        operator!($trait, $method, Dim, i64, |a, b| $method(&a, &Dim::from(b)));
        operator!($trait, $method, &Dim, i64, |a, b| $method(a, &Dim::from(b)));
    };
    ($trait:ident, $method:ident, $left:ty, $right:ty, |$a:ident, $b:ident| $result:expr) => {
        impl $trait<$right> for $left {
            type Output = Dim;

            #[inline]
            fn $method(self, other: $right) -> Dim {
                let ($a, $b) = (self, other);
                $result
            }
        }
    };
}

operator!(Add, add);
operator!(Sub, sub);
operator!(Mul, mul);

impl Neg for &Dim {
    type Output = Dim;

    #[inline]
    fn neg(self) -> Dim {
        mul(self, &Dim::from(-1i64))
    }
}

impl Neg for Dim {
    type Output = Dim;

    #[inline]
    fn neg(self) -> Dim {
        -&self
    }
}

macro_rules! assignment {
    ($trait:ident, $method:ident, $operation:ident) => {
        impl $trait<Dim> for Dim {
            #[inline]
            fn $method(&mut self, other: Dim) {
                *self = $operation(self, &other);
            }
        }

        impl $trait<&Dim> for Dim {
            #[inline]
            fn $method(&mut self, other: &Dim) {
                *self = $operation(self, other);
            }
        }

        impl $trait<i64> for Dim {
            #[inline]
            fn $method(&mut self, other: i64) {
                *self = $operation(self, &Dim::from(other));
            }
        }
    };
}

assignment!(AddAssign, add_assign, add);
assignment!(MulAssign, mul_assign, mul);

impl<'a> Sum<&'a Dim> for Dim {
    fn sum<I: Iterator<Item = &'a Dim>>(dims: I) -> Dim {
        let mut dims = dims.filter(|dim| **dim != 0);
        let Some(first) = dims.next() else { return Dim::ZERO };
        // Most sums have one part, and a formula is costly to collect.
        let Some(second) = dims.next() else { return first.clone() };
        let mut sum = Collector::default();
        [first, second].into_iter().chain(dims).for_each(|dim| sum.add(dim));
        sum.finish()
    }
}

impl Sum for Dim {
    fn sum<I: Iterator<Item = Dim>>(dims: I) -> Dim {
        let mut dims = dims.filter(|dim| *dim != 0);
        let Some(first) = dims.next() else { return Dim::ZERO };
        let Some(second) = dims.next() else { return first };
        let mut sum = Collector::default();
        [first, second].into_iter().chain(dims).for_each(|dim| sum.add(&dim));
        sum.finish()
    }
}

impl<'a> Product<&'a Dim> for Dim {
    fn product<I: Iterator<Item = &'a Dim>>(dims: I) -> Dim {
        // Plain numbers first: they cost nothing, and each product of formulas is built anew.
        let (mut number, mut formula) = (Dim::ONE, Dim::ONE);
        dims.for_each(|dim| if dim.as_int().is_some() { number *= dim } else { formula *= dim });
        number * formula
    }
}

impl Product for Dim {
    fn product<I: Iterator<Item = Dim>>(dims: I) -> Dim {
        dims.fold(Dim::ONE, |product, dim| mul(&product, &dim))
    }
}
