//! Made-up values for weights that are not there and for inputs: the same on every machine, and such that results stay
//! near one.

use crate::graph::{Graph, Source};
use crate::infer::Typed;
use crate::ops::Role;
use crate::tensor::DType;

/// What a tensor is used for, as far as its values matter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Use {
    /// A factor of sums of so many products: a convolution's or matrix product's weight.
    Weight(f64),
    /// Added.
    Shift,
    /// Multiplied, divided by, or anything else.
    Scale,
    /// A running mean.
    Mean,
    /// Rows that are looked up, an image, a state.
    Data,
    /// Indices, shapes, zero points, quantization scales.
    Setting,
}

/// What each tensor of a graph is used for first, folded nodes between it and its use passed over.
pub(super) fn uses(graph: &Graph<'_>, typed: Option<&Typed<'_>>) -> Vec<Use> {
    let mut uses: Vec<Option<Use>> = vec![None; graph.tensors.len()];
    // From the last node to the first, so that what a folded node feeds is known when its inputs are asked for.
    for (index, node) in graph.nodes.iter().enumerate().rev() {
        let facts = typed.map(|typed| &typed.nodes[index]);
        let op = facts.and_then(|facts| facts.op);
        let later = node.outputs.iter().flatten().find_map(|id| uses[id.index()]);
        let products = typed.zip(op).and_then(|(typed, op)| products(node, op, typed));
        for (position, id) in node.inputs.iter().enumerate() {
            let Some(id) = id else { continue };
            let folded = facts.is_some_and(|facts| facts.folded);
            let rank = typed.and_then(|typed| typed.value(*id).as_tensor()?.shape.as_ref().map(Vec::len));
            let role = op.and_then(|op| op.role(position));
            let statistics = || op.into_iter().flat_map(|op| op.roles).filter(|(_, role)| *role == Role::Statistic);
            uses[id.index()] = Some(match (role, products) {
                (Some(Role::Setting), _) => Use::Setting,
                (Some(Role::Statistic), _) if statistics().next().is_some_and(|(first, _)| *first == position) => {
                    Use::Mean
                }
                (Some(Role::Statistic), _) => Use::Scale,
                _ if folded && later.is_some() => later.unwrap_or(Use::Scale),
                (_, Some(products)) if rank.is_some_and(|rank| rank > 1) => Use::Weight(products),
                (_, Some(_)) => Use::Shift,
                _ if op.is_some_and(|op| op.reads.is_some()) => Use::Data,
                _ if position >= 2 => Use::Shift,
                _ => Use::Scale,
            });
        }
    }
    let stored = |index: usize| matches!(graph.tensors[index].source, Source::Initializer(_));
    let by_default = |index: usize| if stored(index) { Use::Scale } else { Use::Data };
    uses.into_iter().enumerate().map(|(index, r#use)| r#use.unwrap_or_else(|| by_default(index))).collect()
}

/// Products that are summed for one element of a node's first output; `None` where it multiplies no matrices.
fn products(node: &crate::graph::Node<'_>, op: &crate::ops::Op, typed: &Typed<'_>) -> Option<f64> {
    let rule = op.macs.as_ref()?;
    let inputs: Vec<_> = node.inputs.iter().map(|id| id.map(|id| typed.value(id))).collect();
    let outputs: Vec<_> =
        node.outputs.iter().map(|id| id.map(|id| typed.value(id).clone()).unwrap_or_default()).collect();
    let sizes = rustc_hash::FxHashMap::default();
    let call = crate::ops::Call {
        name: &node.name,
        opset: node.opset,
        attributes: &node.attributes,
        inputs: &inputs,
        outputs: node.outputs.len(),
        sizes: &sizes,
    };
    let macs = (rule.count)(&call, &outputs).ok()?.as_int()?;
    let elements = outputs.first()?.elements()?.as_int()?;
    Some(macs as f64 / elements.max(1) as f64)
}

/// Little-endian elements for a tensor of this name, shape, dtype and use.
pub(super) fn values(name: &str, dims: &[i64], dtype: DType, r#use: Use, bytes: usize) -> Vec<u8> {
    let mut random = Random::of(name);
    let fan_in = || dims.iter().skip(1).product::<i64>().max(1) as f64;
    // Mean and deviation. Weights keep the variance of what they are applied to; shifts put back what activations cut.
    let (mean, deviation) = match r#use {
        Use::Weight(products) if products >= 1.0 => (0.0, products.sqrt().recip()),
        Use::Weight(_) => (0.0, fan_in().sqrt().recip()),
        Use::Shift => (0.0, 0.25),
        Use::Scale => (1.0, 0.05),
        Use::Mean => (0.0, 0.05),
        Use::Data => (0.0, 1.0),
        Use::Setting => (1.0 / 128.0, 0.0),
    };
    let mut data = Vec::with_capacity(bytes);
    let mut fill = |element: &mut dyn FnMut(f32, &mut Vec<u8>)| {
        while data.len() < bytes {
            element(random.normal(), &mut data);
        }
    };
    let real = |z: f32| mean as f32 + deviation as f32 * z;
    match dtype {
        DType::F32 => fill(&mut |z, data| data.extend(real(z).to_le_bytes())),
        DType::F64 => fill(&mut |z, data| data.extend(f64::from(real(z)).to_le_bytes())),
        DType::F16 => fill(&mut |z, data| data.extend(half(real(z)).to_le_bytes())),
        DType::BF16 => fill(&mut |z, data| data.extend(((real(z).to_bits() >> 16) as u16).to_le_bytes())),
        DType::I8 if r#use != Use::Setting => fill(&mut |z, data| data.push((32.0 * z) as i8 as u8)),
        DType::U8 if r#use != Use::Setting => fill(&mut |z, data| data.push((128.0 + 32.0 * z) as u8)),
        // The zero point of unsigned weights lies in their middle.
        DType::U8 => data.resize(bytes, 128),
        // Zero is a valid index, axis and bias, and false.
        _ => data.resize(bytes, 0),
    }
    data.truncate(bytes);
    data
}

/// An IEEE half of a number that is near one: what is too small becomes zero.
fn half(value: f32) -> u16 {
    let bits = value.to_bits();
    let (sign, exponent, fraction) = ((bits >> 16) & 0x8000, ((bits >> 23) & 0xff) as i32 - 112, bits & 0x7f_ffff);
    match exponent {
        1..=30 => (sign | (exponent as u32) << 10 | fraction >> 13) as u16,
        31.. => (sign | 0x7bff) as u16,
        _ => sign as u16,
    }
}

/// SplitMix64, seeded by a name.
pub(super) struct Random(u64);

impl Random {
    /// The sequence that belongs to a name.
    pub(super) fn of(name: &str) -> Random {
        let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Random(name.bytes().fold(0xcbf2_9ce4_8422_2325, fnv))
    }

    /// The next number of a bell curve with mean 0 and deviation 1 that ends at ±3.5: the sum of four uniform ones, which
    /// is the same on every machine, as a logarithm is not.
    pub(super) fn normal(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        let sum = (bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48);
        (sum as f32 - 131_070.0) / 37_837.0
    }
}
