//! Minima and maxima, and the rules that simplify them.

use super::Dim;
use super::monomial::Atom;

/// A minimum or maximum of more arguments is undefined: each is compared with each.
const MAX_ARGUMENTS: usize = 32;

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Side {
    Min,
    Max,
}

/// The minimum or maximum of two expressions.
pub(super) fn extremum(side: Side, a: &Dim, b: &Dim) -> Dim {
    if a.is_undefined() || b.is_undefined() {
        return Dim::UNDEFINED;
    }
    // Two forms of the same value dominate each other; which one stays must not depend on the side.
    let (a, b) = if a.order(b).is_gt() { (b, a) } else { (a, b) };
    // Flattening may hide that one side as a whole dominates the other.
    for (kept, dropped) in [(a, b), (b, a)] {
        let excess = match side {
            Side::Min => dropped - kept,
            Side::Max => kept - dropped,
        };
        if excess.is_at_least(0) {
            return kept.clone();
        }
    }
    let mut arguments = Vec::new();
    flatten(side, a, &mut arguments);
    flatten(side, b, &mut arguments);
    arguments.sort_unstable_by(Dim::order);
    arguments.dedup();
    if arguments.len() > MAX_ARGUMENTS {
        return Dim::UNDEFINED;
    }
    drop_dominated(side, &mut arguments);
    let offset = take_offset(&mut arguments);
    match <[Dim; 1]>::try_from(arguments) {
        Ok([only]) => only + offset,
        Err(arguments) => {
            let atom = match side {
                Side::Min => Atom::Min(arguments.into()),
                Side::Max => Atom::Max(arguments.into()),
            };
            Dim::from_atom(atom) + offset
        }
    }
}

/// Adds the arguments of an extremum of the same side, and anything else as it is.
fn flatten(side: Side, dim: &Dim, into: &mut Vec<Dim>) {
    let inner = match (side, dim.lone_atom()) {
        (Side::Min, Some((Atom::Min(of), offset))) => Some((of, offset)),
        (Side::Max, Some((Atom::Max(of), offset))) => Some((of, offset)),
        _ => None,
    };
    match inner.and_then(|(of, offset)| shift(of, offset)) {
        Some(arguments) => into.extend(arguments),
        None => into.push(dim.clone()),
    }
}

/// All arguments with the offset added, or nothing if one overflows.
fn shift(arguments: &[Dim], offset: i64) -> Option<Vec<Dim>> {
    let shifted = arguments.iter().map(|argument| {
        let sum = argument + offset;
        (!sum.is_undefined()).then_some(sum)
    });
    shifted.collect()
}

/// Removes what another argument always undercuts or exceeds.
fn drop_dominated(side: Side, arguments: &mut Vec<Dim>) {
    let mut index = 0;
    while index < arguments.len() {
        let candidate = &arguments[index];
        let is_dominated = arguments.iter().enumerate().any(|(other_index, other)| {
            let excess = match side {
                Side::Min => candidate - other,
                Side::Max => other - candidate,
            };
            other_index != index && excess.is_at_least(0)
        });
        if is_dominated {
            arguments.remove(index);
        } else {
            index += 1;
        }
    }
}

/// Moves the least constant of the symbolic arguments out of all, so that extrema that differ by a
/// number share their atom.
fn take_offset(arguments: &mut Vec<Dim>) -> i64 {
    let symbolic = arguments.iter().filter(|dim| dim.as_int().is_none());
    let offset = symbolic.map(|dim| dim.parts().1).min().unwrap_or(0);
    let shifted = offset.checked_neg().and_then(|negated| shift(arguments, negated));
    match shifted {
        Some(shifted) if offset != 0 && arguments.len() > 1 => {
            *arguments = shifted;
            offset
        }
        _ => 0,
    }
}
