//! Strings and n-grams.

use super::broadcast::broadcast_scalars;
use super::{Call, Op, Result, broadcast_all, input_elements, invalid, output};
use crate::dim::Dim;
use crate::tensor::{DType, Scalar, Tensor, Value};

pub(super) const OPS: &[Op] = &[
    Op::new("RegexFullMatch", |call| {
        if call.attributes.string("pattern")?.is_none() {
            return invalid("`pattern` is missing");
        }
        Ok(vec![Tensor { dtype: DType::Bool, shape: call.tensor(0)?.shape.clone(), contents: None }.into()])
    }),
    Op::new("StringConcat", string_concat),
    Op::new("StringNormalizer", string_normalizer),
    Op::new("StringSplit", string_split),
    Op::new("TfIdfVectorizer", tf_idf).flops(
        "1 per n-gram read, at most, to count it; 1 more per output element where weights scale it",
        |call, outputs| {
            let (shape, skips) = (call.shape(0)?, call.attributes.int_or("max_skip_count", 0)?.max(0));
            let attribute = |name: &str| Ok::<_, super::Stop>(Dim::from(call.attributes.int_or(name, 1)?));
            let lengths = (attribute("max_gram_length")? - attribute("min_gram_length")? + 1).max(&Dim::ZERO);
            let scaled = match call.attributes.string("mode")? {
                Some("TF") | None => Dim::ZERO,
                _ => super::elements(outputs, 0)?,
            };
            Ok(super::product(shape) * lengths * (Dim::from(skips) + 1) + scaled)
        },
    ),
];

fn string_concat(call: &Call) -> Result<Vec<Value>> {
    let tensor = Tensor::new(DType::String, broadcast_all([call.shape(0)?, call.shape(1)?])?);
    let both = |of: &[&Scalar]| match of {
        [Scalar::Text(a), Scalar::Text(b)] => Scalar::Text(format!("{a}{b}").into()),
        _ => Scalar::Unknown,
    };
    Ok(vec![broadcast_scalars(tensor, &[call.tensor(0)?, call.tensor(1)?], both).into()])
}

/// Drops stop words: how many strings stay, the data decide; an empty one stays where none does.
fn string_normalizer(call: &Call) -> Result<Vec<Value>> {
    let shape = call.shape(0)?;
    match shape {
        [_] => {}
        [rows, _] if rows.known_eq(&Dim::ONE) != Some(false) => {}
        _ => return invalid("the input must have the shape [C] or [1, C]"),
    }
    let stops = call.attributes.strings("stopwords")?.unwrap_or_default();
    let mut kept = shape.to_vec();
    if let Some(last) = kept.last_mut() {
        *last = match call.tensor(0)?.scalars() {
            _ if stops.is_empty() => last.max(&Dim::ONE),
            Some(words) => {
                let exact = call.attributes.int_or("is_case_sensitive", 0)? != 0;
                let stops = |word: &str| match exact {
                    true => stops.contains(&word),
                    false => stops.iter().any(|stop| stop.to_lowercase() == word.to_lowercase()),
                };
                let left = words.iter().map(|word| match word {
                    Scalar::Text(word) => Some(i64::from(!stops(word))),
                    _ => None,
                });
                left.sum::<Option<i64>>().map_or_else(|| call.decided(""), |left| Dim::from(left.max(1)))
            }
            None => call.decided(""),
        };
    }
    output(DType::String, kept)
}

/// How many parts a string splits into: at the delimiter, or at runs of white space without one.
fn parts(text: &str, delimiter: &str, most: Option<usize>) -> usize {
    let whole = match delimiter {
        "" => text.split_whitespace().count(),
        delimiter => text.split(delimiter).count(),
    };
    most.map_or(whole, |most| whole.min(most.saturating_add(1)))
}

/// The parts of each string along a new last axis as long as the most parts, and how many each string has.
fn string_split(call: &Call) -> Result<Vec<Value>> {
    let tensor = call.tensor(0)?;
    let shape = call.shape(0)?;
    let delimiter = call.attributes.string("delimiter")?.unwrap_or("");
    // A negative limit is none.
    let most = call.attributes.int("maxsplit")?.and_then(|most| usize::try_from(most).ok());
    let counts = tensor.scalars().map(|words| {
        let count = |word: &Scalar| match word {
            Scalar::Text(word) => Scalar::Int(Dim::from(parts(word, delimiter, most))),
            _ => Scalar::Unknown,
        };
        words.iter().map(count).collect::<Vec<_>>()
    });
    let longest = counts.as_ref().and_then(|counts| {
        let plain = counts.iter().map(|count| count.as_dim()?.as_int()).collect::<Option<Vec<_>>>()?;
        Some(plain.into_iter().max().unwrap_or(0))
    });
    let empty = super::product(shape) == 0;
    let width = if empty { Dim::ZERO } else { longest.map_or_else(|| call.decided(""), Dim::from) };
    let each = Tensor::new(DType::I64, shape.to_vec());
    Ok(vec![
        Tensor::new(DType::String, shape.iter().cloned().chain([width]).collect()).into(),
        counts.map_or(each.clone(), |counts| each.with_scalars(counts)).into(),
    ])
}

/// A count or weight for every n-gram of the pool, each where `ngram_indexes` says.
fn tf_idf(call: &Call) -> Result<Vec<Value>> {
    let Some(indexes) = call.attributes.ints("ngram_indexes")? else { return invalid("`ngram_indexes` is missing") };
    let Some(last) = indexes.iter().max().filter(|last| **last >= 0) else {
        return invalid("`ngram_indexes` names no place in the output");
    };
    input_elements(call, 0)?;
    let size = Dim::from(*last) + 1;
    match call.shape(0)? {
        [] | [_] => output(DType::F32, vec![size]),
        [rows, _] => output(DType::F32, vec![rows.clone(), size]),
        shape => invalid(format!("the input needs rank 1 or 2, it has {}", shape.len())),
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn rules() {
        check(
            "
            RegexFullMatch string[2,n] pattern='a+' -> bool[2,n]
            RegexFullMatch string[2] -> error `pattern`
            StringConcat string[2,1] string[3] -> string[2,3]
            StringConcat string[1]{'a'} string[1]{'b'} -> string[1]{'ab'}
            StringNormalizer string[n] -> string[n]
            StringNormalizer string[1,3]{'mon','Tue','wed'} stopwords=['tue'] -> string[1,2]
            StringNormalizer string[1]{'mon'} stopwords=['mon'] is_case_sensitive=1 -> string[1]
            StringNormalizer string[1,n] stopwords=['mon'] -> string[1,$node]
            StringNormalizer string[2,3] -> error [1, C]
            StringSplit string[2]{'a.b','c'} delimiter='.' -> string[2,2] i64[2]{2,1}
            StringSplit string[1]{'a.b.c'} delimiter='.' maxsplit=1 -> string[1,2] i64[1]{2}
            StringSplit string[0] -> string[0,0] i64[0]
            StringSplit string[n] -> string[n,$node] i64[n]
            TfIdfVectorizer i32[n,9] ngram_indexes=[0,1,6] mode='TF' max_gram_length=2 -> f32[n,7] flops=18*n
            TfIdfVectorizer string[9] ngram_indexes=[0,1,6] mode='IDF' -> f32[7] flops=16
            TfIdfVectorizer string[9] -> error `ngram_indexes`
            ",
        );
    }
}
