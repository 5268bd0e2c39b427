//! Equalities, exact quotients, bounds and comparisons.

use std::collections::BTreeSet;

use super::dim;
use crate::dim::Dim;

#[test]
fn is_two_words() {
    assert!(size_of::<Dim>() <= 16);
}

#[test]
fn equal_expressions_compare_equal() {
    let rows = [
        ("(2*n + 1)//2", "n"),
        ("(n*8)//8", "n"),
        ("max(0, n - 1)", "n - 1"),
        ("max(seq, min(512, seq))", "seq"),
        ("min(seq, max(512, seq))", "seq"),
        ("max(a, min(a, b))", "a"),
        ("min(a, max(a, b))", "a"),
        ("min(min(a, b), c)", "min(a, min(c, b))"),
        ("min(4, min(a, 9))", "min(a, 4)"),
        ("min(1, n)", "1"),
        ("max(s, 512) - 512", "max(s - 512, 0)"),
        ("min(a + 1, b + 1)", "min(a, b) + 1"),
        ("min(h, (h + 1)//2)", "(h + 1)//2"),
        ("max(n, n*n)", "n*n"),
        ("((h//2)//2)//2", "h//8"),
        ("((h - 1)//2 + 1 - 1)//2", "(h - 1)//4"),
        ("ceil(h/2)", "(h - 1)//2 + 1"),
        ("ceil(floor(h/2)/3)", "(h//2 + 2)//3"),
        ("ceil(ceil(h/2)/2)", "ceil(h/4)"),
        ("(6*h + 3)//9", "(2*h + 1)//3"),
        ("(h + 17)//8", "(h + 1)//8 + 2"),
        ("h//-2", "(-h)//2"),
        ("(n % 8)//8", "0"),
        ("(n - 8*(n//8)) % 8", "n % 8"),
        ("(a*b*c)//(b*c)", "a"),
        ("(2*a*b + 2*b)//(2*b)", "a + 1"),
        ("(a*b + c)//b", "a + c//b"),
        ("(a*a - b*b)//(a + b)", "a - b"),
        ("(a*b*768 - 1)//(a*b)", "767"),
        ("n//(n + 1)", "0"),
        ("ceil(n/n)", "1"),
        ("ceil(n/m)", "(n - 1)//m + 1"),
        ("(a + b)**3", "a**3 + 3*a*a*b + 3*a*b**2 + b^3"),
        ("s0*s1/8*8", "s0*s1"),
        ("floor(h/2 + 1/2)", "(h + 1)//2"),
        ("Mod(a, 4) + FloorDiv(a, 4)*4", "a"),
        ("(a + 1)*(a - 1) + 1", "a*a"),
        ("max(0, 2*(h//4) - 2*(h//8))", "2*(h//4) - 2*(h//8)"),
        ("max(1, 2*(h//4) - 2*(h//8))//2", "h//4 - h//8"),
        ("max(a, 8*b - 3)//4", "max(a//4, 2*b - 1)"),
        ("(n*(a - 2)*(b - 2))//((a - 2)*(b - 2))", "n"),
    ];
    for (left, right) in rows {
        assert_eq!(dim(left), dim(right), "{left} = {right}");
    }
}

#[test]
fn extrema_of_the_same_two_join() {
    let rows = [
        ("min(3, a*7) + max(3, a*7) - 3", "a*7"),
        ("b*min(a, 7*c) + 2*b*max(a, 7*c)", "a*b + 7*b*c + b*max(a, 7*c)"),
        ("max(a, b) - min(a, b)", "max(a, b) - min(a, b)"),
    ];
    for (left, right) in rows {
        assert_eq!(dim(left).with_extrema_joined(), dim(right), "{left} = {right}");
    }
}

#[test]
fn strided_convolutions_flatten() {
    let (mut nested, mut stride) = (Dim::symbol("h"), 1i64);
    for _ in 0..5 {
        nested = (nested + 2 - 3).floor_div(&Dim::from(2i64)) + 1;
        stride *= 2;
        let flat = (Dim::symbol("h") - 1).floor_div(&Dim::from(stride)) + 1;
        assert_eq!(nested, flat);
    }
    assert_eq!(nested.code(), "(h + 31)//32");
    assert_eq!(nested.substitute(&|_| Some(Dim::from(224i64))), 7);
    assert_eq!(nested.bounds(), (Some(1), None));
}

#[test]
fn divides_exactly_or_not_at_all() {
    let zero_able = Dim::data("d");
    let rows = [
        (dim("batch*seq*768"), dim("batch*seq"), Some(dim("768"))),
        (dim("a*a + a*b"), dim("a + b"), Some(dim("a"))),
        (dim("6*n + 3"), dim("3"), Some(dim("2*n + 1"))),
        (dim("6*n"), dim("0 - n"), Some(dim("0 - 6"))),
        (dim("0"), dim("n"), Some(Dim::ZERO)),
        (dim("6*n + 1"), dim("3"), None),
        (dim("7"), dim("2"), None),
        (dim("7"), dim("0"), None),
        (dim("a"), dim("b"), None),
        (dim("a"), dim("a - 1"), None),
        (&zero_able * 2, zero_able.clone(), None),
        (&zero_able * 2, Dim::from(2i64), Some(zero_able.clone())),
        (Dim::UNDEFINED, Dim::ONE, None),
        (Dim::ONE, Dim::UNDEFINED, None),
        (Dim::from(i64::MIN), Dim::from(-1i64), None),
    ];
    for (numerator, by, expected) in rows {
        assert_eq!(numerator.exact_div(&by), expected, "{numerator} / {by}");
    }
}

#[test]
fn bounds_of_expressions() {
    let rows = [
        ("7", Some(7), Some(7)),
        ("n", Some(1), None),
        ("3 - n", None, Some(2)),
        ("n*n - n", Some(0), None),
        ("n - n//2", Some(1), None),
        ("n % 8", Some(0), Some(7)),
        ("min(n, 512)", Some(1), Some(512)),
        ("n - min(n, 512)", Some(0), None),
        ("max(n, m) - m", Some(0), None),
        ("h*w - w*(h//2)", Some(1), None),
        ("(h - 1)//32 + 1", Some(1), None),
        ("1//n", Some(0), Some(1)),
        ("9223372036854775807*n", Some(i64::MAX), None),
    ];
    for (text, low, high) in rows {
        assert_eq!(dim(text).bounds(), (low, high), "{text}");
    }
    assert_eq!(Dim::data("d").bounds(), (Some(0), None));
    assert_eq!(Dim::UNDEFINED.bounds(), (None, None));
}

#[test]
fn comparisons_of_expressions() {
    let rows = [
        ("n", "n", Some(true), Some(true)),
        ("n", "n + 1", Some(true), Some(false)),
        ("n + 1", "n", Some(false), Some(false)),
        ("n", "2*n", Some(true), Some(false)),
        ("n", "n*n", Some(true), None),
        ("n", "m", None, None),
        ("(n + 1)//2", "n", Some(true), None),
        ("2*n", "2*m + 1", None, Some(false)),
        ("3", "4", Some(true), Some(false)),
        ("0", "n", Some(true), Some(false)),
    ];
    for (left, right, le, eq) in rows {
        let (left, right) = (dim(left), dim(right));
        assert_eq!(left.known_le(&right), le, "{left} <= {right}");
        assert_eq!(left.known_eq(&right), eq, "{left} == {right}");
    }
    assert_eq!(Dim::UNDEFINED.known_eq(&Dim::UNDEFINED), None);
    assert_eq!(Dim::UNDEFINED.known_le(&Dim::ONE), None);
}

#[test]
fn symbols_keep_their_kind() {
    let dim = Dim::symbol("a").min(&Dim::data("d")).floor_div(&(Dim::symbol("b") + 1));
    let (mut all, mut data) = (BTreeSet::new(), BTreeSet::new());
    dim.symbols(&mut all);
    dim.data_symbols(&mut data);
    assert_eq!(all.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), ["a", "b", "d"]);
    assert_eq!(data.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), ["d"]);
    assert_ne!(Dim::symbol("a"), Dim::data("a"));
    let by_data = Dim::symbol("a").floor_div(&Dim::data("d"));
    assert!(by_data.substitute(&|name| (name == "d").then_some(Dim::ZERO)).is_undefined());
}

#[test]
fn poison_spreads() {
    let (bad, n) = (Dim::UNDEFINED, Dim::symbol("n"));
    let results = [
        &bad + &n,
        &n - &bad,
        &bad * &Dim::ZERO,
        &n * &bad,
        -&bad,
        bad.pow(0),
        bad.min(&n),
        n.max(&bad),
        bad.floor_div(&n),
        n.floor_div(&bad),
        n.ceil_div(&bad),
        n.modulo(&bad),
        n.modulo(&Dim::ZERO),
        n.floor_div(&Dim::ZERO),
        n.ceil_div(&Dim::ZERO),
        Dim::ONE.modulo(&Dim::ZERO),
        bad.substitute(&|_| None),
        n.substitute(&|_| Some(Dim::UNDEFINED)),
        [&n, &bad].into_iter().sum(),
        [Dim::ZERO, bad.clone()].into_iter().product(),
    ];
    for (row, result) in results.iter().enumerate() {
        assert!(result.is_undefined(), "row {row}: {result}");
    }
}
