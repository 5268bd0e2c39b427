//! Which node of one model is which of the other.

use rustc_hash::{FxHashMap, FxHashSet};
use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::signature::{NEAR, Operand, Signatures};

/// For each node of the first model its counterpart in the second, and the reverse.
pub(crate) struct Alignment {
    pub(crate) to_after: Vec<Option<usize>>,
    pub(crate) to_before: Vec<Option<usize>>,
}

/// Aligns two models. What nodes are decides first, whatever their place in the file: from the inputs down and from the
/// outputs up, a node is that of the other model which stands at the same place and is alike to the last shape, or in all
/// that another input size leaves; then the same design in other widths is recognized. What edits on both sides cut off is
/// aligned in the order in which nodes run. Module paths decide between nodes that are else alike. Whether a design in other
/// widths or a neighbourhood is found again first is decided by what keeps more nodes and edges.
pub(super) fn align(before: &Signatures, after: &Signatures) -> Alignment {
    let near_first = align_by(before, after, &[]);
    let design_first = align_by(before, after, &[|of| &of.here.kind]);
    match design_first.kept(before, after) > near_first.kept(before, after) {
        true => design_first,
        false => near_first,
    }
}

fn align_by(before: &Signatures, after: &Signatures, early: &[Level]) -> Alignment {
    let mut alignment = Alignment::new(before.own.len(), after.own.len());
    let spread = |alignment: &mut Alignment, levels: &[Level]| {
        levels.iter().for_each(|level| alignment.spread(before, after, *level));
    };
    let alike: &[Level] = &[|of| &of.here.own, |of| &of.own, |of| &of.here.form, |of| &of.form];
    spread(&mut alignment, alike);
    spread(&mut alignment, &[|of| &of.design]);
    spread(&mut alignment, early);
    alignment.in_order(&before.here.near, &after.here.near);
    alignment.in_order(&before.near[NEAR - 1], &after.near[NEAR - 1]);
    spread(&mut alignment, alike);
    spread(&mut alignment, &[|of| &of.here.kind, |of| &of.kind]);
    let rest: [Level; 5] = [|of| &of.here.form, |of| &of.form, |of| &of.place, |of| &of.kind, |of| &of.op];
    for level in rest {
        alignment.in_order(level(before), level(after));
    }
    alignment
}

/// One of the hashes that nodes have.
type Level = fn(&Signatures) -> &[u64];

/// What stands on one side of a node, in the places of one of the models: what it reads, or what reads it, and as which
/// operand.
pub(super) type Around = Vec<(Operand, usize)>;

/// What stands on one side of a node, in the places of the other model that a function gives.
type Look = fn(&Signatures, usize, &dyn Fn(usize) -> Option<usize>) -> Option<Around>;

/// What stands before a node, in the places of the other model, or as they are; `None` where something there has no
/// counterpart.
pub(super) fn above(of: &Signatures, at: usize, other: &dyn Fn(usize) -> Option<usize>) -> Option<Around> {
    let operand = |operand: &Operand| match *operand {
        Operand::Node(producer, output) => Some((Operand::Node(other(producer)?, output), 0)),
        operand => Some((operand, 0)),
    };
    let mut around: Around = of.operands[at].iter().map(operand).collect::<Option<_>>()?;
    if of.commutes[at] {
        around.sort_unstable();
    }
    Some(around)
}

/// As [`above`], what stands behind it. `None`, too, where nothing does.
fn below(of: &Signatures, at: usize, other: &dyn Fn(usize) -> Option<usize>) -> Option<Around> {
    let reader =
        |(reader, output, place): &(usize, usize, usize)| Some((Operand::Node(other(*reader)?, *output), *place));
    let mut around: Around = of.readers[at].iter().map(reader).collect::<Option<_>>()?;
    around.sort_unstable();
    let given = of.given[at].iter().enumerate();
    around.extend(given.filter_map(|(output, given)| Some((Operand::Output((*given)?), output))));
    (!around.is_empty()).then_some(around)
}

/// Which nodes are paired.
#[derive(Clone, Copy, PartialEq)]
enum Care {
    /// Those that go on in the same way to the end.
    Sure,
    /// Those beside which no other is alike.
    Single,
    /// The best, else the first of those that are alike.
    Any,
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

    /// Pairs nodes of the same hash whose surroundings on one side are paired, down and up again, until there are no more.
    /// Of nodes that are alike in that, the other side may tell which is which: they wait for it.
    fn spread(&mut self, before: &Signatures, after: &Signatures, level: Level) {
        loop {
            let open = self.open();
            for care in [Care::Sure, Care::Single] {
                self.sweep(before, after, level, care, true);
                self.sweep(before, after, level, care, false);
            }
            if self.open() < open {
                continue;
            }
            self.sweep(before, after, level, Care::Any, true);
            self.sweep(before, after, level, Care::Any, false);
            if self.open() == open {
                return;
            }
        }
    }

    /// How many pairs are alike to the last shape, and how many read the same.
    fn kept(&self, before: &Signatures, after: &Signatures) -> usize {
        let pairs = self.to_after.iter().enumerate().filter_map(|(at, other)| Some((at, (*other)?)));
        let kept = |(at, other): (usize, usize)| {
            let alike = before.own[at] == after.own[other];
            let reads = above(before, at, &|place| self.to_after[place]);
            usize::from(alike) + usize::from(reads.is_some() && reads == above(after, other, &Some))
        };
        pairs.map(kept).sum()
    }

    /// Nodes without a counterpart.
    fn open(&self) -> usize {
        self.to_after.iter().filter(|other| other.is_none()).count()
    }

    /// Pairs nodes of the same hash that read the same, or that the same read.
    fn sweep(&mut self, before: &Signatures, after: &Signatures, level: Level, care: Care, down: bool) {
        let (old, new) = (level(before), level(after));
        let around: Look = if down { above } else { below };
        let mut places: FxHashMap<(u64, Around), Vec<usize>> = FxHashMap::default();
        for at in (0..new.len()).filter(|at| self.to_before[*at].is_none()) {
            if let Some(around) = around(after, at, &Some) {
                places.entry((new[at], around)).or_default().push(at);
            }
        }
        let mut alike: FxHashMap<(u64, Around), usize> = FxHashMap::default();
        for at in (0..old.len()).filter(|at| care == Care::Single && self.to_after[*at].is_none()) {
            if let Some(around) = around(before, at, &Some) {
                *alike.entry((old[at], around)).or_default() += 1;
            }
        }
        for step in 0..old.len() {
            let at = if down { step } else { old.len() - 1 - step };
            if self.to_after[at].is_some() {
                continue;
            }
            let Some(mapped) = around(before, at, &|place| self.to_after[place]) else { continue };
            let Some(found) = places.get_mut(&(old[at], mapped)) else { continue };
            // Of several that are alike, the one that goes on like this one.
            let like = |other: usize| {
                (
                    before.whole[at] == after.whole[other],
                    before.near.iter().zip(&after.near).filter(|(old, new)| old[at] == new[other]).count(),
                    before.place[at] == after.place[other],
                )
            };
            let Some(best) = (0..found.len()).rev().max_by_key(|place| like(found[*place])) else { continue };
            let is_single = || {
                found.len() == 1 && around(before, at, &Some).is_some_and(|own| alike.get(&(old[at], own)) == Some(&1))
            };
            let takes = match care {
                Care::Sure => like(found[best]).0,
                Care::Single => is_single(),
                Care::Any => true,
            };
            if takes {
                let other = found.remove(best);
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

/// The furthest that a run of nodes slides.
const FAR: usize = 64;

/// What came between nodes that are alike may as well stand a few nodes further: it slides to where it is of the fewest
/// blocks, as a text that was put in between equal lines is shown as whole paragraphs. Each side has its nodes' hashes and
/// blocks.
pub(super) fn slide(alignment: &mut Alignment, before: (&[u64], &[String]), after: (&[u64], &[String])) {
    slide_one(&mut alignment.to_before, &mut alignment.to_after, after);
    slide_one(&mut alignment.to_after, &mut alignment.to_before, before);
}

/// Slides the runs of one side that have no counterpart; `to_other` is its side of the alignment.
fn slide_one(to_other: &mut [Option<usize>], from_other: &mut [Option<usize>], (own, blocks): (&[u64], &[String])) {
    let count = to_other.len();
    let mut at = 0;
    while at < count {
        if to_other[at].is_some() {
            at += 1;
            continue;
        }
        let end = (at..count).find(|place| to_other[*place].is_some()).unwrap_or(count);
        let length = end - at;
        let cuts = |start: usize| blocks[start..start + length].windows(2).filter(|pair| pair[0] != pair[1]).count();
        let up =
            (1..=FAR.min(at)).take_while(|by| to_other[at - by].is_some() && own[at - by] == own[end - by]).count();
        let down = (1..=FAR.min(count - end))
            .take_while(|by| to_other[end + by - 1].is_some() && own[at + by - 1] == own[end + by - 1])
            .count();
        let starts = (at - up..=at + down).map(|start| (cuts(start), start.abs_diff(at), start));
        let start = starts.min().map_or(at, |(_, _, start)| start);
        let mut hand_over = |from: usize, to: usize| {
            to_other[to] = to_other[from].take();
            if let Some(other) = to_other[to] {
                from_other[other] = Some(to);
            }
        };
        (start..at).rev().for_each(|place| hand_over(place, place + length));
        (at..start).for_each(|place| hand_over(place + length, place));
        at = end.max(start + length);
    }
}
