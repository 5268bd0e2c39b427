//! Which column orders models as another one does: rank and linear correlation over a comparison.

use serde::Serialize;

use crate::compare::Comparison;
use crate::error::{Error, Result};
use crate::render::number::plural;

/// How well a column goes with the target.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Correlation {
    /// Key of the column.
    pub key: String,
    /// Its name in tables.
    pub title: String,
    /// Models of which both are known as numbers.
    pub models: usize,
    /// Spearman's rank correlation, −1 to 1: 1 where the column orders the models exactly as the target does. Ties have the
    /// mean of their ranks.
    pub spearman: f64,
    /// Pearson's linear correlation, −1 to 1.
    pub pearson: f64,
}

/// The fewest models that a correlation is made of: two lie on a line whatever they are.
const FEWEST: usize = 3;

/// Every other column of a comparison against the target, the one that orders the models best first. Columns with fewer
/// than three numbers, or with one number for all models, are left out. An error where the target has too few.
pub fn correlate(comparison: &Comparison, target: usize) -> Result<Vec<Correlation>> {
    let title = &comparison.columns[target].title;
    let known = comparison.models.iter().filter(|model| model.entry(target).is_some_and(|of| of.real().is_some()));
    let count = known.count();
    if count < FEWEST {
        let models = plural(count, "model");
        return Err(Error::new(format!("{title} is known of {models}: a correlation needs {FEWEST}")));
    }
    let one = |column: usize| {
        let pair =
            |model: &crate::compare::Compared| Some((model.entry(column)?.real()?, model.entry(target)?.real()?));
        let (own, other): (Vec<f64>, Vec<f64>) = comparison.models.iter().filter_map(pair).unzip();
        if own.len() < FEWEST {
            return None;
        }
        let of = &comparison.columns[column];
        Some(Correlation {
            key: of.key.clone(),
            title: of.title.clone(),
            models: own.len(),
            spearman: pearson(&ranks(&own), &ranks(&other))?,
            pearson: pearson(&own, &other)?,
        })
    };
    let mut all: Vec<Correlation> =
        (0..comparison.columns.len()).filter(|column| *column != target).filter_map(one).collect();
    all.sort_by(|a, b| b.spearman.total_cmp(&a.spearman).then(b.pearson.total_cmp(&a.pearson)));
    Ok(all)
}

/// Pearson's correlation; `None` where one side does not vary.
pub fn pearson(a: &[f64], b: &[f64]) -> Option<f64> {
    let mean = |list: &[f64]| list.iter().sum::<f64>() / list.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let sum = |of: &dyn Fn(f64, f64) -> f64| a.iter().zip(b).map(|(a, b)| of(a - mean_a, b - mean_b)).sum::<f64>();
    let (together, alone_a, alone_b) = (sum(&|a, b| a * b), sum(&|a, _| a * a), sum(&|_, b| b * b));
    let correlation = together / (alone_a * alone_b).sqrt();
    correlation.is_finite().then_some(correlation.clamp(-1.0, 1.0))
}

/// Ranks from 1; ties have the mean of theirs.
pub fn ranks(list: &[f64]) -> Vec<f64> {
    let below = |value: f64| list.iter().filter(|other| **other < value).count();
    let equal = |value: f64| list.iter().filter(|other| **other == value).count();
    list.iter().map(|&value| below(value) as f64 + (equal(value) as f64 + 1.0) / 2.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_share_their_ranks() {
        for (list, expected) in [
            (vec![10.0, 20.0, 30.0], vec![1.0, 2.0, 3.0]),
            (vec![3.0, 1.0, 3.0, 2.0], vec![3.5, 1.0, 3.5, 2.0]),
            (vec![5.0, 5.0, 5.0], vec![2.0, 2.0, 2.0]),
        ] {
            assert_eq!(ranks(&list), expected, "{list:?}");
        }
    }

    #[test]
    fn correlations_are_those_of_the_textbook() {
        let line = [1.0, 2.0, 3.0, 4.0];
        for (other, expected) in [
            (vec![2.0, 4.0, 6.0, 8.0], Some(1.0)),
            (vec![8.0, 6.0, 4.0, 2.0], Some(-1.0)),
            // Sums of products 4, of squares 5 and 5.
            (vec![1.0, 3.0, 2.0, 4.0], Some(0.8)),
            (vec![7.0, 7.0, 7.0, 7.0], None),
        ] {
            let found = pearson(&line, &other);
            assert_eq!(
                found.map(|found| (found * 1e12).round()),
                expected.map(|expected| expected * 1e12),
                "{other:?}"
            );
        }
        // A curve that rises is no line, but orders alike.
        let curve: Vec<f64> = line.iter().map(|x| f64::exp(*x)).collect();
        assert_eq!(pearson(&ranks(&line), &ranks(&curve)), Some(1.0));
        assert!(pearson(&line, &curve).is_some_and(|found| found < 1.0));
    }
}
