//! The word that was probably meant.

/// ` (did you mean "macs"?)` with the nearest of the words, or nothing where none is near.
pub(crate) fn did_you_mean<'w>(word: &str, words: impl Iterator<Item = &'w str>) -> String {
    let near = |other: &'w str| (strsim::jaro_winkler(&word.to_lowercase(), &other.to_lowercase()), other);
    let nearest = words.map(near).reduce(|best, next| if next.0 > best.0 { next } else { best });
    match nearest {
        Some((likeness, nearest)) if likeness > 0.75 => format!(" (did you mean \"{nearest}\"?)"),
        _ => String::new(),
    }
}
