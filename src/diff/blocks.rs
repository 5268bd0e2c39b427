//! Which block of its model a node stands in.

use std::collections::BTreeMap;

use crate::report::Report;
use crate::summary::levels;

/// A block has no more nodes, and no more than half of the model.
const LARGEST: usize = 16;

/// For every node of either model the module path of its block: the outermost module around it that
/// is no larger than a block in both, else the innermost.
pub(super) fn blocks(before: &Report, after: &Report) -> [Vec<String>; 2] {
    let mut sizes: BTreeMap<String, usize> = BTreeMap::new();
    let mut largest = LARGEST;
    for report in [before, after] {
        let mut own: BTreeMap<String, usize> = BTreeMap::new();
        scopes(report).flat_map(paths).for_each(|path| *own.entry(path).or_default() += 1);
        for (path, size) in own {
            let most = sizes.entry(path).or_default();
            *most = size.max(*most);
        }
        largest = largest.min(scopes(report).count() / 2);
    }
    let block = |scope: &str| {
        let paths: Vec<String> = paths(scope).collect();
        let outermost = paths.iter().find(|path| sizes[*path] <= largest);
        outermost.or(paths.last()).cloned().unwrap_or_default()
    };
    [before, after].map(|report| scopes(report).map(block).collect())
}

fn scopes(report: &Report) -> impl Iterator<Item = &str> {
    report.nodes.iter().map(|row| &*row.scope)
}

/// The module of a path and all around it, the outermost first.
fn paths(scope: &str) -> impl Iterator<Item = String> {
    let separator = if scope.contains('/') { "/" } else { "." };
    let levels: Vec<&str> = levels(scope).collect();
    (1..=levels.len()).map(move |end| levels[..end].join(separator))
}
