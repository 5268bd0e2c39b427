//! Properties that hold of every model: random damage never panics, totals are sums and do not depend on the order of
//! the file, and a formula evaluated at given sizes is the account of the model fixed at them.
//!
//! `PROPTEST_CASES` sets the number of cases.

#![allow(clippy::unwrap_used)]

mod common;

use std::fmt::Write;
use std::sync::LazyLock;

use common::*;
use lwstat::cost::METRICS;
use lwstat::onnx::ModelProto;
use lwstat::{Bindings, Dim, Model, Report};
use proptest::prelude::*;

/// So many cases unless the environment says another number.
fn cases(default: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(default);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// The committed models, but for those so large that a case would take long.
static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut seeds = Vec::new();
    for folder in ["graphs", "fixtures/node-suite", "fixtures/wild"] {
        let entries = std::fs::read_dir(format!("{}/{folder}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        let models = paths.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "onnx"));
        seeds.extend(models.map(|path| std::fs::read(path).unwrap()).filter(|bytes| bytes.len() < 60_000));
    }
    seeds
});

/// One damage to a file's bytes.
#[derive(Clone, Debug)]
enum Damage {
    Flip(prop::sample::Index, u8),
    Set(prop::sample::Index, u8),
    Insert(prop::sample::Index, u8),
    Remove(prop::sample::Index),
    Cut(prop::sample::Index),
    Splice(prop::sample::Index, prop::sample::Index, prop::sample::Index, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        6 => (at(), 0..8u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        4 => (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        2 => (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        2 => at().prop_map(Damage::Remove),
        1 => at().prop_map(Damage::Cut),
        2 => (at(), at(), at(), 1..200usize).prop_map(|(at, other, from, length)| Damage::Splice(at, other, from, length)),
    ]
}

fn apply(bytes: &mut Vec<u8>, damage: &Damage) {
    if bytes.is_empty() {
        return;
    }
    let length = bytes.len();
    match damage {
        Damage::Flip(at, bit) => bytes[at.index(length)] ^= 1 << bit,
        Damage::Set(at, byte) => bytes[at.index(length)] = *byte,
        Damage::Insert(at, byte) => bytes.insert(at.index(length), *byte),
        Damage::Remove(at) => drop(bytes.remove(at.index(length))),
        Damage::Cut(at) => bytes.truncate(at.index(length)),
        Damage::Splice(at, other, from, taken) => {
            let other = other.get(&SEEDS);
            let from = from.index(other.len());
            let piece = other[from..other.len().min(from + taken)].to_vec();
            let at = at.index(length);
            bytes.splice(at..at, piece);
        }
    }
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn damaged_files_end_in_an_answer(seed in any::<prop::sample::Index>(), list in prop::collection::vec(damage(), 1..6)) {
        let mut bytes = seed.get(&SEEDS).clone();
        list.iter().for_each(|damage| apply(&mut bytes, damage));
        if let Ok(report) = Model::read(bytes).and_then(|model| model.report(&Bindings::default())) {
            serde_json::to_string(&report).unwrap();
        }
    }
}

/// A graph of element-wise nodes, views and concatenations over inputs of shape `n×4`: each node is a kind and two
/// numbers that choose its operands among the tensors before it.
fn dag(steps: &[(u8, usize, usize)]) -> ModelProto {
    let mut text = "in t0 f32[n,4]; in t1 f32[n,4]; init w f32[1,4]; init s i64[2]{-1,4};".to_string();
    for (index, (kind, a, b)) in steps.iter().enumerate() {
        let (out, a, b) = (index + 2, a % (index + 2), b % (index + 2));
        let node = match kind % 7 {
            0 => format!("Relu t{a}"),
            // Operands of other lengths would not broadcast: the weight does.
            1 => format!("Mul t{a} w"),
            2 => format!("Concat t{a} t{b}"),
            3 => format!("Reshape t{a} s"),
            4 => format!("Identity t{a}"),
            5 => format!("Add t{a} t{a}"),
            _ => format!("Sigmoid t{a}"),
        };
        let attributes = if kind % 7 == 2 { "axis=0" } else { "" };
        write!(text, "n{index}={node} -> t{out} {attributes};").unwrap();
    }
    write!(text, "out t{}", steps.len() + 1).unwrap();
    model(&text)
}

fn sums_of_nodes(report: &Report) -> serde_json::Value {
    let mut sums = lwstat::cost::Counts::zero();
    report.nodes.iter().filter(|node| !node.alternative).for_each(|node| sums.add(&node.counts));
    serde_json::to_value(&sums).unwrap()
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn totals_are_sums_and_independent_of_the_files_order(
        steps in prop::collection::vec((any::<u8>(), any::<usize>(), any::<usize>()), 1..16),
        order in any::<u64>(),
    ) {
        let model = dag(&steps);
        let first = report(&model).unwrap();
        let json = serde_json::to_value(&first).unwrap();
        let sums = sums_of_nodes(&first);
        for metric in METRICS {
            prop_assert_eq!(&json["totals"][metric.key], &sums[metric.key], "{}", metric.key);
        }
        prop_assert_eq!(&json, &serde_json::to_value(report(&model).unwrap()).unwrap());
        let mut shuffled = model.clone();
        let nodes = &mut shuffled.graph.as_mut().unwrap().node;
        let mut state = order | 1;
        for index in (1..nodes.len()).rev() {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            nodes.swap(index, state as usize % (index + 1));
        }
        let other = serde_json::to_value(report(&shuffled).unwrap()).unwrap();
        for metric in METRICS {
            prop_assert_eq!(&json["totals"][metric.key], &other["totals"][metric.key], "{}", metric.key);
        }
        prop_assert_eq!(&json["totals"]["nodes"], &other["totals"]["nodes"]);
    }
}

/// A network of convolutions, pools, activations and residual sums over `batch×3×height×width`.
fn convnet(layers: &[(u8, i64, i64, i64)]) -> ModelProto {
    let mut text = "in t0 f32[batch,3,height,width];".to_string();
    let mut channels = 3;
    for (index, &(kind, width, kernel, stride)) in layers.iter().enumerate() {
        let out = index + 1;
        let pad = kernel / 2;
        let window =
            format!("kernel_shape=[{kernel},{kernel}] strides=[{stride},{stride}] pads=[{pad},{pad},{pad},{pad}]");
        let node = match kind % 7 {
            0 | 1 => {
                let text = format!(
                    "init w{index} f32[{width},{channels},{kernel},{kernel}]; init b{index} f32[{width}]; Conv t{index} w{index} b{index} -> t{out} {window}"
                );
                channels = width;
                text
            }
            2 => format!(
                "init w{index} f32[{channels},1,{kernel},{kernel}]; Conv t{index} w{index} -> t{out} group={channels} {window}"
            ),
            3 => format!("MaxPool t{index} -> t{out} {window}"),
            4 => format!("Relu t{index} -> t{out}"),
            5 => format!("Sigmoid t{index} -> g{index}; Mul t{index} g{index} -> t{out}"),
            _ => format!(
                "init w{index} f32[{channels},{width},2,2]; ConvTranspose t{index} w{index} -> u{index} strides=[2,2]; AveragePool u{index} -> v{index} kernel_shape=[2,2] strides=[2,2] ceil_mode=1; init z{index} f32[{channels},{width},1,1]; Conv v{index} z{index} -> t{out}"
            ),
        };
        write!(text, "{node};").unwrap();
    }
    let last = layers.len();
    write!(text, "init fc f32[{channels},10]; GlobalAveragePool t{last} -> p; Flatten p -> f; MatMul f fc -> y; out y")
        .unwrap();
    model(&text)
}

proptest! {
    #![proptest_config(cases(120))]

    #[test]
    fn a_formula_at_given_sizes_is_the_account_at_them(
        layers in prop::collection::vec((any::<u8>(), 1..12i64, prop_oneof![Just(1i64), Just(3), Just(5)], 1..3i64), 1..7),
        batch in 1..5i64,
        height in 8..70i64,
        width in 8..70i64,
    ) {
        let model = convnet(&layers);
        let formula = report(&model).unwrap();
        let size = |name: &str| match name {
            "batch" => Some(Dim::from(batch)),
            "height" => Some(Dim::from(height)),
            "width" => Some(Dim::from(width)),
            _ => None,
        };
        let mut bindings = Bindings::default();
        for (name, size) in [("batch", batch), ("height", height), ("width", width)] {
            bindings.sizes.insert(name.to_string(), size);
        }
        let fixed = report_with(&model, &bindings).unwrap();
        let shape = vec![batch.into(), 3i64.into(), height.into(), width.into()];
        let by_input = Bindings { inputs: vec![("t0".to_string(), shape)], ..Bindings::default() };
        let by_input = report_with(&model, &by_input).unwrap();
        for metric in METRICS {
            let evaluated = formula.totals.counts.get(metric.key).unwrap().substitute(&size);
            prop_assert_eq!(Some(&evaluated), fixed.totals.counts.get(metric.key), "{}", metric.key);
            prop_assert_eq!(fixed.totals.counts.get(metric.key), by_input.totals.counts.get(metric.key), "{}", metric.key);
        }
        prop_assert_eq!(formula.nodes.len(), fixed.nodes.len());
        for (free, fixed) in formula.nodes.iter().zip(&fixed.nodes) {
            for metric in METRICS {
                let evaluated = free.counts.get(metric.key).map(|count| count.substitute(&size));
                prop_assert_eq!(evaluated.as_ref(), fixed.counts.get(metric.key), "{} {}", &free.name, metric.key);
            }
        }
    }
}
