//! Which node of one model is which of the other.

use rustc_hash::{FxHashMap, FxHashSet};
use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::signature::Signatures;

/// For each node of the first model its counterpart in the second, and the reverse.
pub(crate) struct Alignment {
    pub(crate) to_after: Vec<Option<usize>>,
    pub(crate) to_before: Vec<Option<usize>>,
}

/// Aligns two models: first by all that stands around a node, wherever it stands, then by less and less, in the order in
/// which nodes run.
pub(super) fn align(before: &Signatures, after: &Signatures) -> Alignment {
    let mut alignment = Alignment::new(before.own.len(), after.own.len());
    alignment.same(&before.whole, &after.whole);
    alignment.same(&before.above, &after.above);
    alignment.same(&before.below, &after.below);
    alignment.in_order(&before.near, &after.near);
    alignment.in_order(&before.own, &after.own);
    alignment.in_order(&before.place, &after.place);
    alignment.in_order(&before.kind, &after.kind);
    alignment.in_order(&before.op, &after.op);
    alignment
}

impl Alignment {
    /// Nothing aligned yet, of so many nodes before and after.
    pub(crate) fn new(before: usize, after: usize) -> Alignment {
        Alignment { to_after: vec![None; before], to_before: vec![None; after] }
    }

    pub(crate) fn pair(&mut self, before: usize, after: usize) {
        self.to_after[before] = Some(after);
        self.to_before[after] = Some(before);
    }

    /// Pairs nodes of the same hash wherever they stand, the first with the first.
    fn same(&mut self, before: &[u64], after: &[u64]) {
        let mut places: FxHashMap<u64, std::collections::VecDeque<usize>> = FxHashMap::default();
        for (at, hash) in after.iter().enumerate().filter(|(at, _)| self.to_before[*at].is_none()) {
            places.entry(*hash).or_default().push_back(at);
        }
        for (at, hash) in before.iter().enumerate() {
            if self.to_after[at].is_none()
                && let Some(other) = places.get_mut(hash).and_then(std::collections::VecDeque::pop_front)
            {
                self.pair(at, other);
            }
        }
    }

    /// Pairs nodes of the same hash that stand in the same order between those that are paired already.
    pub(crate) fn in_order(&mut self, before: &[u64], after: &[u64]) {
        let open = |hashes: &[u64], other: &[Option<usize>]| -> FxHashSet<u64> {
            hashes.iter().zip(other).filter(|(_, other)| other.is_none()).map(|(hash, _)| *hash).collect()
        };
        let common = &open(before, &self.to_after) & &open(after, &self.to_before);
        if common.is_empty() {
            return;
        }
        // A pair is known by its place in the second model, which no other token has.
        let tokens = |hashes: &[u64], pair: &dyn Fn(usize) -> Option<usize>| -> Vec<(usize, (Option<usize>, u64))> {
            let token = |at: usize| match pair(at) {
                Some(pair) => Some((at, (Some(pair), 0))),
                // What the other model does not have cannot be aligned.
                None => common.contains(&hashes[at]).then_some((at, (None, hashes[at]))),
            };
            (0..hashes.len()).filter_map(token).collect()
        };
        let old = tokens(before, &|at| self.to_after[at]);
        let new = tokens(after, &|at| self.to_before[at].map(|_| at));
        let plain =
            |tokens: &[(usize, (Option<usize>, u64))]| tokens.iter().map(|(_, token)| *token).collect::<Vec<_>>();
        for op in capture_diff_slices(Algorithm::Patience, &plain(&old), &plain(&new)) {
            let DiffOp::Equal { old_index, new_index, len } = op else { continue };
            for at in 0..len {
                let (before, after) = (old[old_index + at].0, new[new_index + at].0);
                if self.to_after[before].is_none() {
                    self.pair(before, after);
                }
            }
        }
    }
}
