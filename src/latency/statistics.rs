//! Order statistics of repeated runs.

/// The value at this part (0 to 1) of sorted values, between two by proportion; 0 where there are none.
pub(super) fn quantile(sorted: &[u64], part: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let place = part * last as f64;
    let (low, high) = (sorted[place.floor() as usize] as f64, sorted[place.ceil() as usize] as f64);
    low + (high - low) * place.fract()
}

/// The values in order.
pub(super) fn sorted(mut values: Vec<u64>) -> Vec<u64> {
    values.sort_unstable();
    values
}

/// The fewest runs from which a median is judged.
const FEWEST: usize = 10;

/// Whether the median of sorted values is known to 2 %: its 95 % confidence interval, whose ends are the values
/// 0.98·√n places from the middle (the binomial distribution's), is no wider than that.
pub(super) fn stable(sorted: &[u64]) -> bool {
    let count = sorted.len();
    if count < FEWEST {
        return false;
    }
    let (middle, reach) = (count as f64 / 2.0, 0.98 * (count as f64).sqrt());
    let low = sorted[(middle - reach).floor().max(0.0) as usize];
    let high = sorted[((middle + reach).ceil() as usize).min(count - 1)];
    (high - low) as f64 <= 0.02 * quantile(sorted, 0.5)
}

/// The indices of the middle half of the values by size, at least one where there are any.
pub(super) fn middle(values: &[u64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by_key(|&index| (values[index], index));
    let quarter = values.len() / 4;
    order[quarter..values.len() - quarter].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_values() {
        for (values, part, wanted) in
            [(vec![], 0.5, 0.0), (vec![7], 0.9, 7.0), (vec![1, 2], 0.5, 1.5), (vec![1, 2, 3, 4, 5], 0.1, 1.4)]
        {
            assert_eq!(quantile(&values, part), wanted, "{values:?} {part}");
        }
    }

    #[test]
    fn a_median_is_stable_where_the_middle_values_agree() {
        assert!(!stable(&[100; 9]), "too few");
        assert!(stable(&[100; 10]));
        let ramp: Vec<u64> = (0..100).map(|index| 1000 + index).collect();
        assert!(stable(&ramp), "20 of 100 values about the middle span 2 %");
        let steep: Vec<u64> = (0..100).map(|index| 1000 + 10 * index).collect();
        assert!(!stable(&steep));
    }

    #[test]
    fn the_middle_half_leaves_out_both_ends() {
        assert_eq!(middle(&[9, 1, 5, 6]), [2, 3]);
        assert_eq!(middle(&[3]), [0]);
        assert_eq!(middle(&[]), [0usize; 0]);
    }
}
