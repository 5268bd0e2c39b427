//! Random expressions against plain evaluation.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::dim::Dim;

/// The names of the random trees; the last one is a data size.
const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// An expression that is evaluated without any rewriting.
#[derive(Clone, Debug)]
enum Tree {
    Number(i64),
    Name(usize),
    Node(&'static str, Box<[Tree; 2]>),
    Power(Box<Tree>, u32),
}

impl Tree {
    fn dim(&self, leaf: &dyn Fn(usize) -> Dim) -> Dim {
        match self {
            Tree::Number(value) => Dim::from(*value),
            Tree::Name(index) => leaf(*index),
            Tree::Power(base, power) => base.dim(leaf).pow(*power),
            Tree::Node(operation, sides) => {
                let (a, b) = (&sides[0].dim(leaf), &sides[1].dim(leaf));
                match *operation {
                    "add" => a + b,
                    "sub" => a - b,
                    "mul" => a * b,
                    "floor" => a.floor_div(b),
                    "ceil" => a.ceil_div(b),
                    "modulo" => a.modulo(b),
                    "min" => a.min(b),
                    _ => a.max(b),
                }
            }
        }
    }

    /// The value, nothing where it is not defined.
    fn value(&self, point: &[i64; 4]) -> Option<i128> {
        Some(match self {
            Tree::Number(value) => i128::from(*value),
            Tree::Name(index) => i128::from(point[*index]),
            Tree::Power(base, power) => base.value(point)?.checked_pow(*power)?,
            Tree::Node(operation, sides) => {
                let a = sides[0].value(point)?;
                let b = sides[1].value(point)?;
                let floor = |a: i128, b: i128| {
                    let quotient = a.checked_div(b)?;
                    let is_below = a % b != 0 && (a < 0) != (b < 0);
                    Some(if is_below { quotient - 1 } else { quotient })
                };
                match *operation {
                    "add" => a.checked_add(b)?,
                    "sub" => a.checked_sub(b)?,
                    "mul" => a.checked_mul(b)?,
                    "floor" => floor(a, b)?,
                    "ceil" => -floor(-a, b)?,
                    "modulo" => a - b * floor(a, b)?,
                    "min" => i128::min(a, b),
                    _ => i128::max(a, b),
                }
            }
        })
    }

    /// More than any number that evaluating an equal, expanded form has to hold.
    fn growth(&self, point: &[i64; 4]) -> f64 {
        match self {
            Tree::Number(value) => value.abs() as f64 + 1.0,
            Tree::Name(index) => point[*index] as f64 + 1.0,
            Tree::Power(base, power) => base.growth(point).powf(f64::from(*power)),
            Tree::Node(operation, sides) => {
                let (a, b) = (sides[0].growth(point), sides[1].growth(point));
                match *operation {
                    "add" | "sub" | "min" | "max" => a + b,
                    "mul" => a * b,
                    _ => a * b + a,
                }
            }
        }
    }
}

fn symbolic(index: usize) -> Dim {
    if index == 3 { Dim::data(NAMES[index]) } else { Dim::symbol(NAMES[index]) }
}

fn at(point: [i64; 4]) -> impl Fn(&str) -> Option<Dim> {
    move |name| {
        let index = NAMES.iter().position(|known| *known == name)?;
        Some(Dim::from(point[index]))
    }
}

fn trees() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        (-9i64..10).prop_map(Tree::Number),
        (0usize..4).prop_map(Tree::Name),
        (0usize..3).prop_map(Tree::Name),
    ];
    let operations =
        prop::sample::select(vec!["add", "sub", "mul", "floor", "ceil", "modulo", "min", "max", "add", "floor"]);
    leaf.prop_recursive(5, 24, 2, move |inner| {
        let by_number = (inner.clone(), 1i64..9, operations.clone())
            .prop_map(|(a, b, name)| Tree::Node(name, Box::new([a, Tree::Number(b)])));
        let node = (inner.clone(), inner.clone(), operations.clone())
            .prop_map(|(a, b, name)| Tree::Node(name, Box::new([a, b])));
        let power = (inner, 0u32..4).prop_map(|(base, n)| Tree::Power(Box::new(base), n));
        prop_oneof![4 => by_number, 4 => node, 1 => power]
    })
}

fn points() -> impl Strategy<Value = [i64; 4]> {
    let size = || prop_oneof![1i64..5, 1i64..40];
    (size(), size(), size(), 0i64..9).prop_map(|(a, b, c, d)| [a, b, c, d])
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("DIM_CASES").map_or(512, |n| n.parse().unwrap()),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn agrees_with_evaluation(tree in trees(), points in prop::collection::vec(points(), 6)) {
        let dim = tree.dim(&symbolic);
        let (low, high) = dim.bounds();
        for point in points {
            let Some(expected) = tree.value(&point) else { continue };
            let is_small = tree.growth(&point) < 1e12;
            let value = dim.substitute(&at(point));
            match value.as_int() {
                Some(value) => prop_assert_eq!(i128::from(value), expected, "{} at {:?}", dim, point),
                None => prop_assert!(dim.is_undefined() || !is_small, "{} at {:?}", dim, point),
            }
            if value.as_int().is_some() {
                prop_assert!(low.is_none_or(|low| i128::from(low) <= expected), "{} >= {:?}", dim, low);
                prop_assert!(high.is_none_or(|high| expected <= i128::from(high)), "{} <= {:?}", dim, high);
            }
        }
    }

    #[test]
    fn comparisons_hold(
        left in trees(),
        right in trees(),
        points in prop::collection::vec(points(), 6),
    ) {
        let (a, b) = (left.dim(&symbolic), right.dim(&symbolic));
        for point in points {
            let at_point = |tree: &Tree| tree.value(&point);
            let (Some(x), Some(y)) = (at_point(&left), at_point(&right)) else { continue };
            prop_assert!(a.known_le(&b).is_none_or(|known| known == (x <= y)), "{a} <= {b}");
            prop_assert!(a.known_eq(&b).is_none_or(|known| known == (x == y)), "{a} == {b}");
            if let Some(quotient) = a.exact_div(&b) {
                let quotient = quotient.substitute(&at(point));
                prop_assert!(quotient.as_int().is_none_or(|quotient| i128::from(quotient) * y == x));
            }
        }
    }

    #[test]
    fn laws_hold_by_form(a in trees(), b in trees(), c in trees(), by in 1i64..20) {
        let (a, b, c) = (a.dim(&symbolic), b.dim(&symbolic), c.dim(&symbolic));
        let (by, z) = (Dim::from(by), Dim::symbol("z"));
        let line = &z * &z * 30 + &z * 7 - 5;
        let rows = [
            (&a + &b, &b + &a),
            (&a * &b, &b * &a),
            ((&a + &b) - &b, a.clone()),
            ((&a + &b) * &c, &a * &c + &b * &c),
            ((&a * &by).floor_div(&by), a.clone()),
            ((&a + &b * &by).floor_div(&by), a.floor_div(&by) + &b),
            ((&a * &by).modulo(&by), Dim::ZERO),
            (line.floor_div(&by).floor_div(&by), line.floor_div(&(&by * &by))),
            (a.min(&b), b.min(&a)),
            (z.max(&z.min(&b)), z.clone()),
            ((&a + &by).min(&(&b + &by)), a.min(&b) + &by),
            ([&a, &b, &c].into_iter().sum(), &a + &b + &c),
            ([&a, &b, &c].into_iter().product(), &a * &b * &c),
            (a.pow(3), &a * &a * &a),
        ];
        for (row, (left, right)) in rows.into_iter().enumerate() {
            if !left.is_undefined() && !right.is_undefined() {
                prop_assert_eq!(left, right, "row {}", row);
            }
        }
    }

    #[test]
    fn code_reads_back(tree in trees()) {
        let dim = tree.dim(&symbolic);
        let mut data = BTreeSet::new();
        dim.data_symbols(&mut data);
        if data.is_empty() && !dim.is_undefined() {
            let code = dim.code();
            prop_assert_eq!(Dim::parse(&code), Some(dim), "{}", code);
        }
    }

    #[test]
    fn substitutes_expressions(
        tree in trees(),
        inner in prop::collection::vec(trees(), 3),
        point in points(),
    ) {
        let mut values = point;
        for (index, inner) in inner.iter().enumerate() {
            match inner.value(&point).and_then(|value| i64::try_from(value).ok()) {
                Some(value @ 1..) => values[index] = value,
                _ => return Ok(()),
            }
        }
        let replaced = tree.dim(&symbolic).substitute(&|name| {
            let index = NAMES[..3].iter().position(|known| *known == name)?;
            Some(inner[index].dim(&symbolic))
        });
        let found = replaced.substitute(&at(point));
        if let (Some(found), Some(expected)) = (found.as_int(), tree.value(&values)) {
            prop_assert_eq!(i128::from(found), expected);
        }
    }
}
