//! How many times as long one model takes as another that ran in turn with it: a median, and how well it is known.

/// Two latencies, run in turn. Times are milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Ratio {
    /// Rounds: in each, both models ran once.
    pub rounds: usize,
    /// Median of the rounds' ratios.
    pub median: f64,
    /// Between which the median of all rounds that could be run lies, with [`CONFIDENCE`]; `None` for fewer rounds than
    /// [`FEWEST`].
    pub interval: Option<(f64, f64)>,
    /// Median of the model's times.
    pub model_ms: f64,
    /// Median of the reference's times.
    pub reference_ms: f64,
}

/// The part of all measurements whose interval holds what is looked for.
pub const CONFIDENCE: f64 = 0.99;

/// The fewest rounds that bound a median with [`CONFIDENCE`].
pub const FEWEST: usize = 8;

impl Ratio {
    /// Of the times of the model and of the reference in each round, in nanoseconds.
    pub fn of(rounds: &[[u64; 2]]) -> Ratio {
        let mut ratios: Vec<f64> = rounds.iter().map(|[model, of]| *model as f64 / (*of).max(1) as f64).collect();
        ratios.sort_by(f64::total_cmp);
        let times = |of: usize| {
            let mut times: Vec<f64> = rounds.iter().map(|round| round[of] as f64 / 1e6).collect();
            times.sort_by(f64::total_cmp);
            median(&times)
        };
        let interval = place(ratios.len()).map(|place| (ratios[place], ratios[ratios.len() - 1 - place]));
        let (model_ms, reference_ms) = (times(0), times(1));
        Ratio { rounds: rounds.len(), median: median(&ratios), interval, model_ms, reference_ms }
    }

    /// Whether the interval is narrower than 2 % of the median.
    pub fn is_stable(&self) -> bool {
        self.interval.is_some_and(|(low, high)| high - low <= 0.02 * self.median)
    }

    /// Whether the ratio is at most this; `None` where the interval leaves that open.
    pub fn is_at_most(&self, most: f64) -> Option<bool> {
        match self.interval? {
            (_, high) if high <= most => Some(true),
            (low, _) if low > most => Some(false),
            _ => None,
        }
    }
}

fn median(sorted: &[f64]) -> f64 {
    match sorted.len() {
        0 => f64::NAN,
        count => (sorted[(count - 1) / 2] + sorted[count / 2]) / 2.0,
    }
}

/// The place from each end of so many sorted values between which their distribution's median lies with [`CONFIDENCE`],
/// whatever the distribution: as many values as the coin shows heads lie below it.
fn place(count: usize) -> Option<usize> {
    let (mut chance, mut sum) = (-(count as f64) * std::f64::consts::LN_2, 0.0);
    let mut found = None;
    for heads in 0..count / 2 {
        sum += chance.exp();
        if 2.0 * sum > 1.0 - CONFIDENCE {
            break;
        }
        found = Some(heads);
        chance += ((count - heads) as f64 / (heads + 1) as f64).ln();
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_interval_is_the_narrowest_that_covers_the_median() {
        for count in 0..200usize {
            // Chances of so many heads of `count` coins, as Pascal's triangle has them.
            let mut chances = vec![1.0];
            for _ in 0..count {
                let next = |at: usize| {
                    (chances.get(at).unwrap_or(&0.0) + chances.get(at.wrapping_sub(1)).unwrap_or(&0.0)) / 2.0
                };
                chances = (0..=chances.len()).map(next).collect();
            }
            // The median lies within where at least `place + 1` values lie below it, and as many above.
            let covers = |place: usize| chances[place + 1..count - place].iter().sum::<f64>();
            match place(count) {
                None => assert!(count < FEWEST, "{count}"),
                Some(place) => {
                    assert!(count >= FEWEST && covers(place) >= CONFIDENCE, "{count}: {}", covers(place));
                    let next = place + 1;
                    assert!(2 * next + 1 >= count || covers(next) < CONFIDENCE, "{count}: {}", covers(next));
                }
            }
        }
        // Large numbers neither under- nor overflow.
        assert_eq!(place(1000), Some(458));
        assert!(place(1_000_000).is_some_and(|place| (498_000..500_000).contains(&place)));
    }

    #[test]
    fn only_a_whole_interval_decides() {
        let twenty = |ratios: [u64; 2]| (0..20).map(|at| [ratios[at % 2], 100]).collect::<Vec<_>>();
        for (rounds, most, known) in [
            (twenty([110, 110]), 1.1, Some(true)),
            (twenty([109, 111]), 1.2, Some(true)),
            (twenty([109, 111]), 1.11, Some(true)),
            (twenty([109, 111]), 1.1, None),
            (twenty([109, 111]), 1.09, None),
            (twenty([109, 111]), 1.08, Some(false)),
            (vec![[1, 100]; FEWEST], 1.1, Some(true)),
            (vec![[1000, 100]; FEWEST], 1.1, Some(false)),
            // Too few to know.
            (vec![[1, 100]; FEWEST - 1], 1.1, None),
            (vec![[1000, 100]; FEWEST - 1], 1.1, None),
            (vec![], 1.1, None),
            (vec![[0, 0]; FEWEST], 1.1, Some(true)),
        ] {
            let ratio = Ratio::of(&rounds);
            assert_eq!(ratio.is_at_most(most), known, "{ratio:?} {most}");
        }
    }

    #[test]
    fn one_slow_run_changes_nothing() {
        let mut rounds = vec![[100, 100]; 30];
        rounds[7] = [100_000, 100];
        let ratio = Ratio::of(&rounds);
        assert_eq!((ratio.median, ratio.interval, ratio.is_stable()), (1.0, Some((1.0, 1.0)), true));
        assert_eq!((ratio.rounds, ratio.model_ms, ratio.reference_ms), (30, 1e-4, 1e-4));
    }

    proptest! {
        #[test]
        fn the_interval_holds_the_median_and_follows_the_scale(
            rounds in prop::collection::vec((1u64..1 << 40, 1u64..1 << 40), FEWEST..60),
        ) {
            let rounds: Vec<[u64; 2]> = rounds.into_iter().map(|(model, of)| [model, of]).collect();
            let ratio = Ratio::of(&rounds);
            let (low, high) = ratio.interval.unwrap();
            prop_assert!(low <= ratio.median && ratio.median <= high);
            let doubled: Vec<[u64; 2]> = rounds.iter().map(|[model, of]| [2 * model, *of]).collect();
            prop_assert_eq!(Ratio::of(&doubled).interval, Some((2.0 * low, 2.0 * high)));
        }
    }
}
