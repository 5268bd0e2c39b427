//! torchstat's memory columns: what studies of torch networks print as "memory" and "MemR+W".

use super::{Counted, Metric, Unit, Visit, total};
use crate::dim::Dim;
use crate::ops::{self, Module, Stop};

pub(super) const MEMORY: Metric = Metric {
    key: "torchstat_memory_bytes",
    title: "torchstat memory",
    unit: Unit::Bytes,
    rule: "torchstat's total memory: bytes of the outputs of all operators that are a module of torch (convolutions, Gemm, \
           normalization, activations, pooling, recurrent layers, resizing); additions, concatenations and reshapes are \
           functions, and count 0. A sum over all nodes, not what is alive at one time.",
    count: memory,
    counted: Counted::PerRun,
};

pub(super) const ACCESS: Metric = Metric {
    key: "torchstat_access_bytes",
    title: "torchstat MemR+W",
    unit: Unit::Bytes,
    rule: "torchstat's memory read and written: input and output bytes of Conv, Gemm, PRelu, BatchNormalization, Relu, \
           Clip, Elu, LeakyRelu, MaxPool and AveragePool, and for every element of the batch the weights of the first \
           three and two values a channel of batch norm. All other operators count 0.",
    count: access,
    counted: Counted::PerRun,
};

fn memory(visit: &Visit) -> ops::Result<Dim> {
    match visit.op.module {
        Module::No => Ok(Dim::ZERO),
        _ => total(visit.node.outputs.iter().flatten().take(1).map(|id| &visit.sizes[id.index()]), |size| &size.bytes),
    }
}

fn access(visit: &Visit) -> ops::Result<Dim> {
    let bytes = |position: usize| match visit.node.inputs.get(position).copied().flatten() {
        Some(id) => visit.sizes[id.index()].bytes.clone().ok_or(Stop::Unknown),
        None => Ok(Dim::ZERO),
    };
    let again = match visit.op.module {
        Module::No | Module::Written => return Ok(Dim::ZERO),
        Module::Moved => Dim::ZERO,
        Module::Weighted | Module::Normalized => batch(visit)? * (bytes(1)? + bytes(2)?),
    };
    Ok(bytes(0)? + again + memory(visit)?)
}

/// Elements of the batch: the output's first size.
fn batch(visit: &Visit) -> ops::Result<Dim> {
    let shape = visit.outputs.first().and_then(|output| output.as_tensor()?.shape.as_ref());
    shape.and_then(|shape| shape.first().cloned()).ok_or(Stop::Unknown)
}
