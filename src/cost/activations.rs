//! Activations: what nodes write into buffers of their own.

use super::{Counted, Metric, Unit, Visit, total};
use crate::dim::Dim;
use crate::ops;

pub(super) const ACTIVATIONS: Metric = Metric {
    key: "activations",
    title: "Activations",
    unit: Unit::Count,
    rule: "Elements of the outputs of nodes that own a buffer: folded nodes and views (Reshape, Identity, …) write none. \
           Graph inputs are not among them.",
    count: activations,
    counted: Counted::PerRun,
};

pub(super) const ACTIVATION_BYTES: Metric = Metric {
    key: "activation_bytes",
    title: "Activation bytes",
    unit: Unit::Bytes,
    rule: "Bytes of the activations: a sum over all nodes, not the memory needed at one time.",
    count: activation_bytes,
    counted: Counted::PerRun,
};

fn activations(visit: &Visit) -> ops::Result<Dim> {
    total(visit.written(), |size| &size.elements)
}

fn activation_bytes(visit: &Visit) -> ops::Result<Dim> {
    total(visit.written(), |size| &size.bytes)
}
