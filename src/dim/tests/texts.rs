//! Printing and parsing.

use super::dim;
use crate::dim::Dim;

#[test]
fn texts_of_expressions() {
    let rows = [
        ("224", "224", "224"),
        ("-100000", "-100000", "-100000"),
        (
            "36864*batch*seq**2 + 85054464*batch*seq",
            "85\u{a0}054\u{a0}464·batch·seq + 36\u{a0}864·batch·seq²",
            "85054464*batch*seq + 36864*batch*seq**2",
        ),
        ("(h+1)//2", "⌊(h + 1)/2⌋", "(h + 1)//2"),
        ("(h-1)//2", "⌊(h \u{2212} 1)/2⌋", "(h - 1)//2"),
        ("(h-3)//4 + 2", "⌊(h + 1)/4⌋ + 1", "(h + 1)//4 + 1"),
        ("1 - (h//2)", "\u{2212}⌊h/2⌋ + 1", "-(h//2) + 1"),
        ("h - h//2", "h \u{2212} ⌊h/2⌋", "h - h//2"),
        ("3*(h//2)", "3·⌊h/2⌋", "3*(h//2)"),
        ("b*((h+1)//2)**2", "b·⌊(h + 1)/2⌋²", "b*((h + 1)//2)**2"),
        ("(a*b)//(2*c)", "⌊a·b/(2·c)⌋", "(a*b)//(2*c)"),
        ("(a//b)//c", "⌊⌊a/b⌋/c⌋", "(a//b)//c"),
        ("min(seq, 512)", "min(512, seq)", "min(512, seq)"),
        ("max(a, -20000)*b", "a·b", "a*b"),
        ("x**12 - 1234*x", "\u{2212}1234·x + x¹²", "-1234*x + x**12"),
        ("-x**2", "\u{2212}x²", "-x**2"),
        ("12345 + x", "x + 12\u{a0}345", "x + 12345"),
    ];
    for (text, readable, code) in rows {
        let dim = dim(text);
        assert_eq!(dim.to_string(), readable, "{text}");
        assert_eq!(dim.code(), code, "{text}");
        assert_eq!(Dim::parse(&dim.code()), Some(dim), "{text}");
    }
    let least = Dim::symbol("x") * i64::MIN + Dim::symbol("y") * i64::MIN + i64::MIN;
    assert_eq!(Dim::parse(&least.code()), Some(least));
    let serialized = serde_json::to_string(&[dim("7"), dim("n+7"), Dim::UNDEFINED]);
    assert_eq!(serialized.unwrap(), r#"[7,"n + 7",null]"#);
}

#[test]
fn reads_what_exporters_write() {
    let rows = [
        ("(s77//2)", "s77//2"),
        ("floor(s1/2)", "s1//2"),
        ("s0//16", "s0//16"),
        (" Max( 1 , s0 ) ", "s0"),
        ("Min(s0, 4, s1)", "min(4, s0, s1)"),
        ("2*floor(s0/2 - 1/2) + 1", "2*((s0 + 1)//2) - 1"),
        ("past_key.0::len+1", "past_key.0::len + 1"),
        ("2**3**2*n", "512*n"),
        ("min + 1", "min + 1"),
        ("größe", "größe"),
    ];
    for (text, code) in rows {
        assert_eq!(dim(text).code(), code, "{text}");
    }
    let deep = "(".repeat(1 << 20);
    let wrong = [
        "",
        " ",
        "1 +",
        "a b",
        "2x",
        "1.5",
        "f(x)",
        "min()",
        "(a",
        "a)",
        "a//0",
        "a**-1",
        "a**b",
        "9223372036854775808",
        "4294967296**2",
        "batch size",
        "?",
        "-",
        "min(a,)",
        "Mod(a)",
        &deep,
    ];
    for text in wrong {
        let start: String = text.chars().take(40).collect();
        assert_eq!(Dim::parse(text), None, "{start}");
    }
}
