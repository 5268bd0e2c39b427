//! One set of symbols for both models: exporters name free dimensions, and sizes that the data decide, as they like.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::dim::Dim;
use crate::report::{Report, TensorType};

/// The second model's symbols in the first one's words.
#[derive(Default)]
pub(crate) struct Symbols {
    names: BTreeMap<Arc<str>, Dim>,
    taken: BTreeSet<Arc<str>>,
}

impl Symbols {
    /// The dimensions of tensors at the same place of these lists are the same.
    pub(crate) fn of_inputs<'t>(
        before: impl IntoIterator<Item = &'t TensorType>,
        after: impl IntoIterator<Item = &'t TensorType>,
    ) -> Symbols {
        let mut symbols = Symbols::default();
        before.into_iter().zip(after).for_each(|(old, new)| symbols.unify(old, new));
        symbols
    }

    /// What is a symbol in both shapes is the same.
    pub(crate) fn unify(&mut self, before: &TensorType, after: &TensorType) {
        let (Some(old), Some(new)) = (&before.shape, &after.shape) else { return };
        if old.len() != new.len() {
            return;
        }
        for (old, new) in old.iter().zip(new) {
            if let (Some(old_name), Some(new_name)) = (lone(old), lone(new))
                && !self.names.contains_key(&new_name)
                && self.taken.insert(old_name)
            {
                self.names.insert(new_name, old.clone());
            }
        }
    }

    /// A size that the data decide and that stands in counts alone (how often a loop runs) is the same where the counts of
    /// two nodes that correspond have one each that is in no shape.
    pub(crate) fn unify_counts(&mut self, before: &[Option<Dim>], after: &[Option<Dim>]) {
        let open = |counts: &[Option<Dim>], is_known: &dyn Fn(&Arc<str>) -> bool| {
            let mut names = BTreeSet::new();
            counts.iter().flatten().filter(|dim| dim.as_int().is_none()).for_each(|dim| dim.data_symbols(&mut names));
            let mut open = names.into_iter().filter(|name| !is_known(name));
            open.next().filter(|_| open.next().is_none())
        };
        let old = open(before, &|name| self.taken.contains(name));
        let new = open(after, &|name| self.names.contains_key(name));
        if let (Some(old), Some(new)) = (old, new) {
            self.names.insert(new, Dim::data(&old));
            self.taken.insert(old);
        }
    }

    /// Says what a symbol of the second model is in the first one's words.
    pub(crate) fn name(&mut self, name: Arc<str>, dim: Dim) {
        self.names.insert(name, dim);
    }

    /// Names apart what has no counterpart but a name that the first model uses for something else.
    pub(crate) fn close(&mut self, after: &Report) {
        for name in &after.model.dims {
            if !self.names.contains_key(name) && self.taken.contains(name) {
                self.names.insert(name.clone(), Dim::symbol(&format!("{name}′")));
            }
        }
    }

    /// An expression of the second model in the first one's symbols.
    pub(crate) fn translate(&self, dim: &Dim) -> Dim {
        match dim.as_int() {
            Some(_) => dim.clone(),
            None => dim.substitute(&|name| self.names.get(name).cloned()),
        }
    }
}

/// The name of an expression that is one symbol.
fn lone(dim: &Dim) -> Option<Arc<str>> {
    if dim.as_int().is_some() || dim.is_undefined() {
        return None;
    }
    let mut names = BTreeSet::new();
    dim.symbols(&mut names);
    let name = names.pop_first().filter(|_| names.is_empty())?;
    let mut data = BTreeSet::new();
    dim.data_symbols(&mut data);
    let symbol = if data.is_empty() { Dim::symbol(&name) } else { Dim::data(&name) };
    (symbol == *dim).then_some(name)
}
