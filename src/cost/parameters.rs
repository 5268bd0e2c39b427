//! Parameters, constants and the bytes of weights: what is stored, counted at its leaf.

use super::{Counted, Leaf, Metric, Unit, Visit};
use crate::dim::Dim;
use crate::ops::{self, Stop};

pub(super) const PARAMS: Metric = Metric {
    key: "params",
    title: "Params",
    unit: Unit::Count,
    rule: "Learned elements: those of the stored tensors (initializers, and generated weights such as the output of a \
           constant ConstantOfShape) of floating-point or quantized type from which an operand of an unfolded node is \
           computed, unless the operator marks that operand as a statistic (batch norm's mean and variance) or a \
           setting (bounds, scales, zero points). Counted at the stored tensor, each tensor once, for the first node \
           that reads it.",
    count: params,
    counted: Counted::Stored,
};

pub(super) const CONSTANTS: Metric = Metric {
    key: "constants",
    title: "Constants",
    unit: Unit::Count,
    rule: "Elements of the other stored tensors that reach an unfolded node: statistics, settings, shapes, indices, and \
           scalar Constant nodes. Each tensor once, for the first node that reads it.",
    count: constants,
    counted: Counted::Stored,
};

pub(super) const WEIGHT_BYTES: Metric = Metric {
    key: "weight_bytes",
    title: "Weights",
    unit: Unit::Bytes,
    rule: "Bytes of the parameters at the dtype in which they are stored; packed types take whole bytes per tensor.",
    count: weight_bytes,
    counted: Counted::Stored,
};

pub(super) const CONSTANT_BYTES: Metric = Metric {
    key: "constant_bytes",
    title: "Constant bytes",
    unit: Unit::Bytes,
    rule: "Bytes of the constants at the dtype in which they are stored. With the weights, they are what a device has to \
           store of a model beside its graph.",
    count: constant_bytes,
    counted: Counted::Stored,
};

fn params(visit: &Visit) -> ops::Result<Dim> {
    Ok(visit.leaves.iter().filter(|leaf| leaf.parameter).map(|leaf| &leaf.elements).sum())
}

fn constants(visit: &Visit) -> ops::Result<Dim> {
    Ok(visit.leaves.iter().filter(|leaf| !leaf.parameter).map(|leaf| &leaf.elements).sum())
}

fn weight_bytes(visit: &Visit) -> ops::Result<Dim> {
    bytes(visit.leaves.iter().filter(|leaf| leaf.parameter))
}

fn constant_bytes(visit: &Visit) -> ops::Result<Dim> {
    bytes(visit.leaves.iter().filter(|leaf| !leaf.parameter))
}

fn bytes<'l>(leaves: impl Iterator<Item = &'l Leaf>) -> ops::Result<Dim> {
    leaves.map(|leaf| leaf.dtype.bytes(&leaf.elements)).sum::<Option<Dim>>().ok_or(Stop::Unknown)
}
