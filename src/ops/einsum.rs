//! Einsum: the contraction that an equation spells.

use std::collections::BTreeMap;

use super::broadcast::broadcast;
use super::{Call, Op, Result, invalid, output};
use crate::dim::Dim;
use crate::tensor::{Shape, Value};

pub(super) const OPS: &[Op] = &[Op::new("Einsum", einsum)
    .macs("two operands: product of all index sizes; more: from left to right, keeping indices still needed", macs)
    .flops("one operand: additions, distinct index values − output elements; none for more operands", flops)];

/// A letter of the equation, or an axis of its ellipsis counted from the last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Index {
    Ellipsis(usize),
    Letter(char),
}

/// An equation with the operands' shapes put in.
struct Equation {
    operands: Vec<Vec<Index>>,
    result: Vec<Index>,
    sizes: BTreeMap<Index, Dim>,
}

impl Equation {
    fn of(call: &Call) -> Result<Equation> {
        let Some(text) = call.attributes.string("equation")? else { return invalid("`equation` is missing") };
        let text: String = text.chars().filter(|letter| *letter != ' ').collect();
        let (left, right) = match text.split_once("->") {
            Some((left, right)) => (left, Some(right)),
            None => (&text[..], None),
        };
        let terms: Vec<&str> = left.split(',').collect();
        if terms.len() != call.inputs.len() {
            return invalid(format!("`equation` has {} terms for {} operands", terms.len(), call.inputs.len()));
        }
        let (mut operands, mut sizes, mut widest) = (Vec::new(), BTreeMap::new(), 0);
        for (input, term) in terms.into_iter().enumerate() {
            let shape = call.shape(input)?;
            let (letters, has_ellipsis) = (letters(term)?, term.contains('.'));
            let Some(free) = shape.len().checked_sub(letters.len()).filter(|free| *free == 0 || has_ellipsis) else {
                return invalid(format!("the term \"{term}\" does not fit operand {input} of rank {}", shape.len()));
            };
            widest = widest.max(free);
            let indices = in_place(term, &letters, free);
            for (index, size) in indices.iter().zip(shape) {
                let size = match sizes.get(index) {
                    Some(known) => broadcast(std::slice::from_ref(known), std::slice::from_ref(size))?.swap_remove(0),
                    None => size.clone(),
                };
                sizes.insert(*index, size);
            }
            operands.push(indices);
        }
        let result = match right {
            Some(term) => in_place(term, &letters(term)?, if term.contains('.') { widest } else { 0 }),
            None => implicit(&operands, widest),
        };
        for (place, index) in result.iter().enumerate() {
            if !sizes.contains_key(index) || result[..place].contains(index) {
                return invalid(format!(
                    "the output of `equation` \"{text}\" repeats an index or has one of no operand"
                ));
            }
        }
        Ok(Equation { operands, result, sizes })
    }

    fn size(&self, index: &Index) -> Dim {
        self.sizes.get(index).cloned().unwrap_or(Dim::ONE)
    }

    fn shape(&self) -> Shape {
        self.result.iter().map(|index| self.size(index)).collect()
    }
}

/// The letters of a term, which may hold one ellipsis beside them.
fn letters(term: &str) -> Result<Vec<char>> {
    let plain = term.replacen("...", "", 1);
    match plain.chars().all(|letter| letter.is_ascii_alphabetic()) {
        true => Ok(plain.chars().collect()),
        false => invalid(format!("\"{term}\" in `equation` is not made of letters and one ellipsis")),
    }
}

/// The term's indices with `free` ellipsis axes where its ellipsis stands.
fn in_place(term: &str, letters: &[char], free: usize) -> Vec<Index> {
    let (before, after) = letters.split_at(term.find('.').unwrap_or(letters.len()).min(letters.len()));
    let letter = |letter: &char| Index::Letter(*letter);
    before.iter().map(letter).chain((0..free).rev().map(Index::Ellipsis)).chain(after.iter().map(letter)).collect()
}

/// Without `->`: the ellipsis axes, then the letters that stand exactly once in the equation, in ASCII order.
fn implicit(operands: &[Vec<Index>], widest: usize) -> Vec<Index> {
    let all = operands.concat();
    let mut once: Vec<Index> =
        all.iter().copied().filter(|one| all.iter().filter(|other| *other == one).count() == 1).collect();
    once.retain(|index| matches!(index, Index::Letter(_)));
    once.sort_unstable();
    (0..widest).rev().map(Index::Ellipsis).chain(once).collect()
}

fn einsum(call: &Call) -> Result<Vec<Value>> {
    output(call.tensor(0)?.dtype, Equation::of(call)?.shape())
}

/// Every step joins what is there with the next operand; an index leaves once neither a later operand nor the output
/// has it.
fn macs(call: &Call, _: &[Value]) -> Result<Dim> {
    let equation = Equation::of(call)?;
    let mut macs = Dim::ZERO;
    let mut joined = equation.operands.first().cloned().unwrap_or_default();
    for (place, operand) in equation.operands.iter().enumerate().skip(1) {
        joined.extend(operand);
        joined.sort_unstable();
        joined.dedup();
        macs += joined.iter().map(|index| equation.size(index)).product::<Dim>();
        let later = &equation.operands[place + 1..];
        joined.retain(|index| equation.result.contains(index) || later.iter().any(|operand| operand.contains(index)));
    }
    Ok(macs)
}

fn flops(call: &Call, _: &[Value]) -> Result<Dim> {
    let equation = Equation::of(call)?;
    if equation.operands.len() != 1 {
        return Ok(Dim::ZERO);
    }
    let all: Dim = equation.sizes.values().product();
    Ok(if all == 0 { Dim::ZERO } else { &all - super::product(&equation.shape()) })
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn equations_give_shapes() {
        check(
            "
            Einsum f32[2,3] equation='ij->ji' -> f32[3,2] macs=0 flops=0
            Einsum f32[2,3] equation='ij->i' -> f32[2] macs=0 flops=4
            Einsum f32[2,3] equation='ij->' -> f32[] flops=5
            Einsum f32[3,3] equation='ii->i' -> f32[3] flops=0
            Einsum f32[3,3] equation='ii' -> f32[] flops=2
            Einsum f32[4,3,3] equation='...ii->...i' -> f32[4,3] flops=0
            Einsum f32[2,3,4] equation='b...' -> f32[3,4,2]
            Einsum f32[2,3] equation='ba' -> f32[3,2]
            Einsum f32[2,3] f32[3,4] equation='ij,jk' -> f32[2,4] macs=24 flops=0
            Einsum f32[2,3] f32[3,4] equation='aB,Bc->ca' -> f32[4,2] macs=24
            Einsum f32[n,h,s,64] f32[n,h,t,64] equation='bhid,bhjd->bhij' -> f32[n,h,s,t] macs=64*h*n*s*t
            Einsum f32[5,2,3] f32[1,3,4] equation='...ij,...jk->...ik' -> f32[5,2,4] macs=120
            Einsum f32[5,2,3] f32[3,4] equation='...ij,...jk' -> f32[5,2,4] macs=120
            Einsum f32[3] f32[4] equation='i,j->ij' -> f32[3,4] macs=12
            Einsum f32[2,3] f32[3,4] f32[4,5] equation='ij,jk,kl->il' -> f32[2,5] macs=64
            Einsum f32[] f32[3] equation=',i->i' -> f32[3] macs=3
            Einsum f32[2] f32[2] f32[2] equation='i,i,i->' -> f32[] macs=4
            ",
        );
    }

    #[test]
    fn equations_that_do_not_fit_say_why() {
        check(
            "
            Einsum f32[2,3] equation='ij,jk' -> error 2 terms for 1 operands
            Einsum f32[2,3] equation='ijk->i' -> error of rank 2
            Einsum f32[2,3] equation='i->i' -> error rank 2
            Einsum f32[2,3] equation='ij->ii' -> error repeats
            Einsum f32[2,3] equation='ij->k' -> error no operand
            Einsum f32[2,3] equation='i1->i' -> error letters
            Einsum f32[2,3] equation='i..->i' -> error letters
            Einsum f32[2,3] f32[4,5] equation='ij,jk' -> error broadcast
            Einsum f32[2,3] -> error `equation`
            Einsum f32[*] equation='ij->ji' -> unknown
            ",
        );
    }
}
