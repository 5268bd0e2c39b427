//! Which block of a baseline is which block of now: the cheapest way to turn one sequence into the other.

use super::blocks::{Block, kind};
use crate::diff::align::Alignment;
use crate::diff::signature::hash;

/// What it costs that a block came or went. Any two blocks that are paired cost less than one that went and one that came.
const GAP: u32 = 10;

/// More pairs than this are aligned by what is equal alone.
const PAIRS: usize = 1 << 24;

/// What a block is, from the most that can be said to the least.
#[derive(PartialEq)]
struct Signature {
    /// Its nodes and counts.
    whole: u64,
    /// Its nodes.
    nodes: u64,
    /// What its nodes are, whatever their shapes.
    kinds: u64,
    /// Its first node.
    first: u64,
    /// Its name.
    name: u64,
}

impl Signature {
    fn of(block: &Block) -> Signature {
        let kinds: Vec<&str> = block.nodes.iter().map(|node| kind(node)).collect();
        let counts: Vec<_> = block.counts.0.iter().map(|count| count.as_ref().map(crate::Dim::code)).collect();
        Signature {
            whole: hash(&(&block.nodes, &block.branches, counts)),
            nodes: hash(&block.nodes),
            kinds: hash(&kinds),
            first: hash(&kinds.first()),
            name: hash(&block.name),
        }
    }

    /// What it costs to take one for the other; `None` where they have nothing in common. That exporters name blocks alike
    /// decides between pairs that are else equally good.
    fn cost(&self, other: &Signature) -> Option<u32> {
        let named = self.name == other.name;
        let cost = match () {
            () if self.whole == other.whole => 0,
            () if self.nodes == other.nodes => 4,
            () if self.kinds == other.kinds => 8,
            () if named || self.first == other.first => 14,
            () => return None,
        };
        Some(cost + u32::from(!named))
    }
}

/// Aligns the blocks, in their order.
pub(super) fn align(before: &[Block], after: &[Block]) -> Alignment {
    let mut alignment = Alignment::new(before.len(), after.len());
    let old: Vec<Signature> = before.iter().map(Signature::of).collect();
    let new: Vec<Signature> = after.iter().map(Signature::of).collect();
    let start = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let end = old[start..].iter().rev().zip(new[start..].iter().rev()).take_while(|(old, new)| old == new).count();
    (0..start).for_each(|at| alignment.pair(at, at));
    (1..=end).for_each(|at| alignment.pair(old.len() - at, new.len() - at));
    let (rows, columns) = (old.len() - end - start, new.len() - end - start);
    if rows.saturating_mul(columns) > PAIRS {
        for of in [|of: &Signature| of.whole, |of: &Signature| of.nodes, |of: &Signature| of.kinds] {
            let hashes = |all: &[Signature]| all.iter().map(of).collect::<Vec<u64>>();
            alignment.in_order(&hashes(&old), &hashes(&new));
        }
        return alignment;
    }
    // The least cost of what stands behind, and the step that leads there.
    let mut below: Vec<u32> = (0..=columns).map(|at| (columns - at) as u32 * GAP).collect();
    let mut steps = vec![Step::Came; (rows + 1) * (columns + 1)];
    for row in (0..rows).rev() {
        let mut costs = vec![0; columns + 1];
        costs[columns] = below[columns] + GAP;
        steps[row * (columns + 1) + columns] = Step::Went;
        for column in (0..columns).rev() {
            let pair = old[start + row].cost(&new[start + column]).map(|cost| (cost + below[column + 1], Step::Pair));
            let gaps = [(below[column] + GAP, Step::Went), (costs[column + 1] + GAP, Step::Came)];
            let best = pair.into_iter().chain(gaps).reduce(|best, next| if next.0 < best.0 { next } else { best });
            if let Some((cost, step)) = best {
                costs[column] = cost;
                steps[row * (columns + 1) + column] = step;
            }
        }
        below = costs;
    }
    let (mut row, mut column) = (0, 0);
    while row < rows && column < columns {
        match steps[row * (columns + 1) + column] {
            Step::Pair => {
                alignment.pair(start + row, start + column);
                (row, column) = (row + 1, column + 1);
            }
            Step::Went => row += 1,
            Step::Came => column += 1,
        }
    }
    alignment
}

#[derive(Clone, Copy)]
enum Step {
    Pair,
    Went,
    Came,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::Counts;

    /// Blocks of letters: `A0` is one of kind A and shape 0, a name may stand before: `x:A0`.
    fn blocks(text: &str) -> Vec<Block> {
        let block = |word: &str| {
            let (name, node) = word.split_once(':').unwrap_or(("", word));
            let node = format!("{} → {}", &node[..1], &node[1..]);
            Block {
                name: name.to_string(),
                nodes: vec![node],
                branches: Vec::new(),
                counts: Counts::zero(),
                node: String::new(),
            }
        };
        text.split_whitespace().map(block).collect()
    }

    #[test]
    fn the_cheapest_alignment_is_found() {
        for (before, after, expected) in [
            ("", "A1", "-"),
            ("A1", "", "."),
            ("A1 B1 C1", "A1 B1 C1", "0 1 2"),
            ("A1 A1 A1 A1", "A1 A1 A2 A1", "0 1 2 3"),
            ("A1 A1 A1", "A1 A1 A1 A1", "0 1 2"),
            ("x:A1 y:A1 z:A1", "x:A1 n:A1 y:A1 z:A1", "0 2 3"),
            ("A1 B1 C1", "A1 C1", "0 . 1"),
            ("A1 p:B1 C1", "A1 q:D1 C1", "0 . 2"),
            ("A1 x:B1 C1", "A1 x:D1 C1", "0 1 2"),
            ("A1 B1 A2 B2", "A2 B2", ". . 0 1"),
            ("n1:A1 n2:B1 n3:C1", "m1:A1 m2:B2 m3:C1", "0 1 2"),
        ] {
            let alignment = align(&blocks(before), &blocks(after));
            let to: Vec<String> = alignment
                .to_after
                .iter()
                .map(|other| other.map_or(".".to_string(), |other| other.to_string()))
                .collect();
            let expected = expected.trim_start_matches('-');
            assert_eq!(to.join(" "), expected, "{before} → {after}");
        }
    }
}
