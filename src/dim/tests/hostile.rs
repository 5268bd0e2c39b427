//! Input made to overflow, to grow without end or to take forever.

use crate::dim::Dim;

#[test]
fn extreme_numbers_never_wrap() {
    let extremes = [i64::MIN, i64::MIN + 1, -2, -1, 0, 1, 2, i64::MAX - 1, i64::MAX];
    let x = Dim::symbol("x");
    for (a, b) in extremes.iter().flat_map(|a| extremes.iter().map(move |b| (*a, *b))) {
        let (wide_a, wide_b) = (i128::from(a), i128::from(b));
        let floor = wide_a.checked_div(wide_b).map(|quotient| {
            let is_below = wide_a % wide_b != 0 && (a < 0) != (b < 0);
            quotient - i128::from(is_below)
        });
        let rows = [
            ("+", Dim::from(a) + b, Some(wide_a + wide_b)),
            ("-", Dim::from(a) - b, Some(wide_a - wide_b)),
            ("*", Dim::from(a) * b, Some(wide_a * wide_b)),
            ("floor", Dim::from(a).floor_div(&Dim::from(b)), floor),
            ("modulo", Dim::from(a).modulo(&Dim::from(b)), floor.map(|q| wide_a - wide_b * q)),
            ("min", Dim::from(a).min(&Dim::from(b)), Some(wide_a.min(wide_b))),
        ];
        for (name, found, exact) in rows {
            let fits = exact.and_then(|exact| i64::try_from(exact).ok());
            assert_eq!(found, fits.map_or(Dim::UNDEFINED, Dim::from), "{a} {name} {b}");
        }
        let line = &x * a + b;
        let terms = [&line + &line, &line * &line, &line - &x, -&line, line.pow(3)];
        for left in terms.iter().chain([&line]) {
            for right in [&line, &x, &Dim::from(a), &Dim::from(b)] {
                for result in
                    [left.floor_div(right), left.ceil_div(right), left.modulo(right), left.min(right), left.max(right)]
                {
                    result.bounds();
                    result.substitute(&|_| Some(Dim::from(i64::MAX)));
                }
                left.known_le(right);
                left.known_eq(right);
                left.exact_div(right);
            }
        }
    }
}

#[test]
fn hostile_growth_ends_undefined() {
    let names: Vec<String> = (0..600).map(|index| format!("s{index}")).collect();
    let symbols: Vec<Dim> = names.iter().map(|name| Dim::symbol(name)).collect();
    let two = Dim::from(2i64);
    let many: Dim = symbols[..500].iter().sum();
    assert!(!many.is_undefined());
    assert!(symbols.iter().sum::<Dim>().is_undefined());
    assert!((&many * &many).is_undefined());
    assert!(many.pow(u32::MAX).is_undefined());
    assert!((&symbols[0] + 1).pow(u32::MAX).is_undefined());
    let tall = symbols[0].pow(u32::MAX);
    assert!((&tall * &symbols[0]).is_undefined());
    assert!(tall.substitute(&|_| Some(Dim::from(2i64))).is_undefined());
    assert_eq!(tall.substitute(&|_| Some(Dim::ONE)), 1);
    assert!(tall.floor_div(&(&symbols[0] + 1)).code().len() < 100);
    assert!(symbols.iter().fold(Dim::ZERO, |result, symbol| result.max(symbol)).is_undefined());

    type Step = dyn Fn(&Dim, &Dim) -> Dim;
    let grow: [(&str, &Step); 5] = [
        ("square", &|x, s| (x * x + x + s).floor_div(&Dim::from(3i64))),
        ("divisor", &|x, s| (x + s).floor_div(&(x * s + 1))),
        ("extrema", &|x, s| (x * s).min(&(x + s)).max(&(x - s))),
        ("nested", &|x, s| (x + s).floor_div(&Dim::from(7i64)).min(s)),
        ("product", &|x, s| x.modulo(s) * (x + 1)),
    ];
    for (name, step) in grow {
        let mut value = symbols[0].clone();
        for symbol in symbols[..200].iter().cycle().skip(1).take(200) {
            value = step(&value, symbol);
            value.bounds();
            value.ceil_div(&two);
            if value.is_undefined() {
                break;
            }
            // Reading the longest texts back takes seconds without optimization.
            let text = value.code();
            if text.len() < 10_000 {
                assert_eq!(Dim::parse(&text), Some(value.clone()), "{name}");
            }
        }
        assert!(value.is_undefined(), "{name}");
    }
}

#[test]
fn terms_too_large_to_cancel_are_undefined() {
    let power = (Dim::symbol("a") - &Dim::symbol("b")).pow(27);
    assert_eq!(power.substitute(&|_| Some(Dim::from(5i64))), 0);
    assert!(power.substitute(&|_| Some(Dim::from(39i64))).is_undefined());
}
