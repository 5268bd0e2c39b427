//! MACs and FLOPs: what a node computes, by its operator's own rules.

use super::{Counted, Metric, Unit, Visit};
use crate::dim::Dim;
use crate::ops;

pub(super) const MACS: Metric = Metric {
    key: "macs",
    title: "MACs",
    unit: Unit::Count,
    rule: "Multiply-accumulates of convolutions and matrix products, by the operator's rule (docs/operators.md): what \
           papers call FLOPs. Bias, normalisation, activations, pooling and element-wise work are not among them.",
    count: macs,
    counted: Counted::PerRun,
};

pub(super) const MACS_CAUSAL: Metric = Metric {
    key: "macs_causal",
    title: "MACs, causal",
    unit: Unit::Count,
    rule: "MACs without those whose result a causal mask hides, where the operator itself masks (Attention with \
           `is_causal`, GroupQueryAttention, …): what a runtime that skips them computes. Equal to MACs elsewhere; masks \
           that are given as data are not looked into.",
    count: macs_causal,
    counted: Counted::PerRun,
};

pub(super) const FLOPS: Metric = Metric {
    key: "flops",
    title: "FLOPs",
    unit: Unit::Count,
    rule: "Arithmetic operations: 2 × MACs, and what the operator's rule adds (docs/operators.md): bias, element-wise \
           work, reductions, normalisation. An addition, multiplication, division, comparison or elementary function \
           (exponential, root, tanh, erf) of one element counts 1, whatever its dtype; moving and casting count 0.",
    count: flops,
    counted: Counted::PerRun,
};

fn macs(visit: &Visit) -> ops::Result<Dim> {
    visit.macs.clone()
}

fn macs_causal(visit: &Visit) -> ops::Result<Dim> {
    Ok(macs(visit)? - visit.op.hidden.map_or(Ok(Dim::ZERO), |hidden| hidden(visit.call, visit.outputs))?)
}

fn flops(visit: &Visit) -> ops::Result<Dim> {
    let rest = visit.op.flops.map_or(Ok(Dim::ZERO), |rule| (rule.count)(visit.call, visit.outputs))?;
    Ok(macs(visit)? * 2 + rest)
}
