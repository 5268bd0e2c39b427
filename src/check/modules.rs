//! A run of nodes cut where their modules end.

use crate::summary::levels;

/// The most nodes that a part has where their modules tell smaller ones apart.
const BLOCK: usize = 16;

/// So many nodes on average make the modules of a run parts of their own.
const MODULE: usize = 4;

/// Cuts a run of nodes, by their places, into modules; `add` gets each.
pub(super) fn modules<'s>(
    run: &[usize],
    depth: usize,
    scope: &dyn Fn(usize) -> &'s str,
    add: &mut dyn FnMut(&[usize]),
) {
    let level = |node: &usize, depth: usize| levels(scope(*node)).nth(depth).map(str::to_string);
    let Some(first) = run.first() else { return };
    // The levels that all of them share.
    let mut shared = depth;
    while let Some(name) = level(first, shared)
        && run.iter().all(|node| level(node, shared).as_deref() == Some(&name))
    {
        shared += 1;
    }
    let ends = run.iter().all(|node| level(node, shared).is_none());
    let parts: Vec<&[usize]> = run.chunk_by(|a, b| level(a, shared) == level(b, shared)).collect();
    if ends || (run.len() <= BLOCK && run.len() < MODULE * parts.len()) || parts.len() == 1 {
        return add(run);
    }
    parts.into_iter().for_each(|part| modules(part, shared, scope, add));
}
