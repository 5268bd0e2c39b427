//! Whether two nodes that were aligned are the same.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use super::Item;
use super::align::{Alignment, above};
use super::signature::{Node, Operand, Signatures};
use crate::cost::{Counted, Counts, METRICS};
use crate::dim::Dim;

/// Two models, aligned.
pub(super) struct Compare<'c, 'r> {
    pub(super) old: &'c [Node<'r>],
    pub(super) new: &'c [Node<'r>],
    pub(super) alignment: &'c Alignment,
    pub(super) signatures: [&'c Signatures; 2],
    /// Pairs of which the counts of what is stored differ alone, because another node reads it first.
    pub(super) moved: BTreeSet<Item>,
}

impl Compare<'_, '_> {
    /// By how much each metric is more. What is unknown counts nothing.
    fn deltas(&self, item: &Item) -> Vec<Dim> {
        let count = |node: Option<&Node<'_>>, metric: usize| {
            node.and_then(|node| node.counts[metric].clone()).unwrap_or(Dim::ZERO)
        };
        let (old, new) = (item.0.map(|at| &self.old[at]), item.1.map(|other| &self.new[other]));
        (0..METRICS.len()).map(|metric| count(new, metric) - count(old, metric)).collect()
    }

    /// By how much each metric is more in all of them.
    pub(super) fn delta(&self, items: &[Item]) -> Counts {
        let mut delta = Counts::zero();
        for item in items {
            for (delta, more) in delta.0.iter_mut().zip(self.deltas(item)) {
                *delta = delta.take().map(|delta| delta + more);
            }
        }
        delta
    }

    /// Whether nothing is different but names.
    pub(super) fn is_same(&self, item: &Item) -> bool {
        self.moved.contains(item) || self.differing(item).is_some_and(|metrics| metrics.is_empty())
    }

    /// Whether the constants that it stores are all that is different.
    pub(super) fn is_of_constants(&self, item: &Item) -> bool {
        let constants = ["constants", "constant_bytes"];
        let of_constants = |metric: &usize| constants.contains(&METRICS[*metric].key);
        self.is_same(item) || self.differing(item).is_some_and(|metrics| metrics.iter().all(of_constants))
    }

    /// The metrics of which a pair has other counts; `None` where more than counts is different.
    fn differing(&self, item: &Item) -> Option<Vec<usize>> {
        let (at, other) = (item.0?, item.1?);
        if self.signatures[0].result[at] != self.signatures[1].result[other] || self.is_rewired(item) {
            return None;
        }
        let counts = self.old[at].counts.iter().zip(&self.new[other].counts).enumerate();
        Some(counts.filter(|(_, (old, new))| old != new).map(|(metric, _)| metric).collect())
    }

    /// Whether the pair reads, or gives as the model's output, something else. What it reads of nodes without counterpart
    /// says nothing: those are changes of their own.
    pub(super) fn is_rewired(&self, item: &Item) -> bool {
        let (Some(at), Some(other)) = *item else { return false };
        let [old, new] = self.signatures;
        let gives = |of: &Signatures, node: usize| of.given[node].iter().flatten().copied().collect::<Vec<usize>>();
        let giver = |of: &Signatures, place: usize| of.given.iter().position(|given| given.contains(&Some(place)));
        let taken_over = |of: &Signatures, place: usize, side: &[Option<usize>]| {
            giver(of, place).is_some_and(|giver| side[giver].is_some())
        };
        let (before, after) = (gives(old, at), gives(new, other));
        let mut lost = before.iter().filter(|place| !after.contains(place));
        let mut won = after.iter().filter(|place| !before.contains(place));
        if lost.any(|place| taken_over(new, *place, &self.alignment.to_before))
            || won.any(|place| taken_over(old, *place, &self.alignment.to_after))
        {
            return true;
        }
        let to_after = |place: usize| self.alignment.to_after[place];
        let (Some(expected), Some(found)) = (above(old, at, &to_after), above(new, other, &Some)) else { return false };
        let of_pairs = found.iter().all(|(operand, _)| match operand {
            Operand::Node(place, _) => self.alignment.to_before[*place].is_some(),
            _ => true,
        });
        of_pairs && expected.len() == found.len() && expected != found
    }

    /// The pairs that are alike and of which one stores what the other does not, so that together they differ by nothing:
    /// another node is the first to read it.
    pub(super) fn moved(&self, items: &[Item]) -> BTreeSet<Item> {
        let is_alike = |item: &&Item| match **item {
            (Some(at), Some(other)) => self.signatures[0].own[at] == self.signatures[1].own[other],
            _ => false,
        };
        let is_stored = |metrics: Vec<usize>| {
            !metrics.is_empty() && metrics.iter().all(|metric| METRICS[*metric].counted != Counted::PerRun)
        };
        let candidates: Vec<&Item> =
            items.iter().filter(is_alike).filter(|item| self.differing(item).is_some_and(is_stored)).collect();
        let mut open: FxHashMap<Vec<Dim>, Vec<&Item>> = FxHashMap::default();
        let mut moved = BTreeSet::new();
        let mut sum = vec![Dim::ZERO; METRICS.len()];
        for item in &candidates {
            let deltas = self.deltas(item);
            sum.iter_mut().zip(&deltas).for_each(|(sum, delta)| *sum = &*sum + delta);
            let opposite: Vec<Dim> = deltas.iter().map(|delta| Dim::ZERO - delta.clone()).collect();
            match open.get_mut(&opposite).and_then(Vec::pop) {
                Some(other) => moved.extend([**item, *other]),
                None => open.entry(deltas).or_default().push(item),
            }
        }
        match sum.iter().all(|sum| *sum == Dim::ZERO) {
            true => candidates.into_iter().copied().collect(),
            false => moved,
        }
    }
}
