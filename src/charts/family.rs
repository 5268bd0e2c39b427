//! Families: models of one design in several sizes, by their names.

/// Words that say a size.
const SIZES: &[&str] = &[
    "nano", "micro", "mini", "tiny", "small", "medium", "base", "large", "huge", "giant", "xxs", "xs", "s", "m", "l",
    "xl", "xxl", "n", "b", "t", "h", "g",
];

/// A name split into its family and the rest, which says the size: `("shufflenet_v2", "1.0")`. The rest is empty where the
/// name says no size.
///
/// Words are separated by `_` and `-`. From the second on, the first word that says a size ends the family: one that begins
/// with a digit, perhaps behind an `x` (`0.5`, `100`, `x1_0`), or a size in words (`small`, `xs`, `b`). A word that ends in
/// digits (`resnet50`, `lite0`) says it by them, unless they are a version behind a `v` (`mobilenetv2`, `v3`).
pub fn family(name: &str) -> (&str, &str) {
    let mut start = 0;
    loop {
        let end = name[start..].find(['_', '-']).map_or(name.len(), |at| start + at);
        let word = &name[start..end];
        if start > 0 && says_size(word) {
            return (&name[..start - 1], &name[start..]);
        }
        let letters = word.trim_end_matches(|letter: char| letter.is_ascii_digit());
        let version = letters.ends_with(['v', 'V']);
        if letters.len() < word.len() && letters.ends_with(char::is_alphabetic) && !version {
            let cut = start + letters.len();
            return (&name[..cut], &name[cut..]);
        }
        if end == name.len() {
            return (name, "");
        }
        start = end + 1;
    }
}

fn says_size(word: &str) -> bool {
    let number = word.strip_prefix(['x', 'X']).unwrap_or(word);
    // What follows a point says no size: `small.int8`.
    let size = word.split('.').next().unwrap_or(word).to_ascii_lowercase();
    number.starts_with(|letter: char| letter.is_ascii_digit()) || SIZES.contains(&&*size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_split_before_the_size() {
        for (name, expected) in [
            ("shufflenet_v2_0.5", ("shufflenet_v2", "0.5")),
            ("shufflenet_v2_1.5.int8", ("shufflenet_v2", "1.5.int8")),
            ("shufflenet_v2_x1_0", ("shufflenet_v2", "x1_0")),
            ("shufflenet_v1_1.0_g3", ("shufflenet_v1", "1.0_g3")),
            ("mobilenet_v3_small_1.0", ("mobilenet_v3", "small_1.0")),
            ("mobilenet_v3_large_1.0", ("mobilenet_v3", "large_1.0")),
            ("mobilenet_v3_small.ts", ("mobilenet_v3", "small.ts")),
            ("mobilenetv2_100", ("mobilenetv2", "100")),
            ("mobilenetv3-small-075", ("mobilenetv3", "small-075")),
            ("efficientnet_lite0", ("efficientnet_lite", "0")),
            ("efficientnet_b7", ("efficientnet_b", "7")),
            ("resnet50", ("resnet", "50")),
            ("resnet50_v1", ("resnet", "50_v1")),
            ("mnasnet0_5", ("mnasnet", "0_5")),
            ("vit_b_16", ("vit", "b_16")),
            ("squeezenet", ("squeezenet", "")),
            ("mobilenet_v2", ("mobilenet_v2", "")),
            ("silero_vad_v6", ("silero_vad_v6", "")),
            ("1.0", ("1.0", "")),
            ("", ("", "")),
            ("_", ("_", "")),
            ("网络_0.5", ("网络", "0.5")),
        ] {
            assert_eq!(family(name), expected, "{name}");
        }
    }
}
