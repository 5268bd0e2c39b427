//! Memory access: what nodes read and write, the cost that ShuffleNetV2 sets beside FLOPs.

use super::{Counted, Metric, Size, Unit, Visit, total};
use crate::dim::Dim;
use crate::ops::{self, Stop};
use crate::tensor::Value;

pub(super) const MEMORY_ACCESS: Metric = Metric {
    key: "memory_access",
    title: "Memory access",
    unit: Unit::Count,
    rule: "Elements of a node's inputs, outputs and weights, each tensor once per node (arXiv:1807.11164, section 2: for \
           a pointwise convolution hw(c₁ + c₂) + c₁c₂). An operator that reads part of an input counts what it reads; \
           views and folded nodes access nothing.",
    count: elements,
    counted: Counted::PerRun,
};

pub(super) const MEMORY_ACCESS_BYTES: Metric = Metric {
    key: "memory_access_bytes",
    title: "Memory access bytes",
    unit: Unit::Bytes,
    rule: "Memory access with every element at its tensor's dtype.",
    count: bytes,
    counted: Counted::PerRun,
};

fn elements(visit: &Visit) -> ops::Result<Dim> {
    Ok(read(visit, |_, elements| Some(elements), |size| &size.elements)?
        + total(visit.written(), |size| &size.elements)?)
}

fn bytes(visit: &Visit) -> ops::Result<Dim> {
    let part = |value: &Value, elements: Dim| value.as_tensor()?.dtype.bytes(&elements);
    Ok(read(visit, part, |size| &size.bytes)? + total(visit.written(), |size| &size.bytes)?)
}

/// Sums over the inputs that are read: `part` of those that are read in part, `whole` of the others.
fn read(
    visit: &Visit,
    part: impl Fn(&Value, Dim) -> Option<Dim>,
    whole: fn(&Size) -> &Option<Dim>,
) -> ops::Result<Dim> {
    let mut sum = Dim::ZERO;
    if visit.is_view() || visit.op.shape_only {
        return Ok(sum);
    }
    for (index, input) in visit.call.inputs.iter().enumerate() {
        let (Some(value), Some(id)) = (input, visit.node.inputs[index]) else { continue };
        if !visit.distinct[index] {
            continue;
        }
        let some = visit.op.reads.map_or(Ok(None), |reads| reads(visit.call, visit.outputs, index))?;
        match some {
            Some(elements) => sum += part(value, elements).ok_or(Stop::Unknown)?,
            None => sum += whole(&visit.sizes[id.index()]).as_ref().ok_or(Stop::Unknown)?,
        }
    }
    Ok(sum)
}
