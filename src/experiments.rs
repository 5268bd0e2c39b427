//! The controlled experiments of the ShuffleNetV2 paper (arXiv:1807.11164, Tables 1–4) as graphs, with its speeds beside
//! those of this machine.

use serde::Serialize;

use crate::error::Result;
use crate::model::Model;
use crate::onnx::{
    AttributeProto, DimensionProto, DimensionValue, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};

/// One column of one of the paper's tables: networks of equal MACs, the first as the guideline asks for.
pub struct Experiment {
    /// Number of the guideline.
    pub rule: &'static str,
    /// What varies from row to row.
    pub varies: &'static str,
    /// The paper's column: its device and channels.
    pub column: &'static str,
    /// The column's unit.
    pub unit: &'static str,
    /// The rows.
    pub settings: Vec<Setting>,
}

/// One row of a column.
pub struct Setting {
    /// What the row is called.
    pub label: &'static str,
    /// The paper's speed, in the column's unit.
    pub paper: f64,
    /// The network, ten blocks at 56×56.
    pub model: ModelProto,
}

const ARM: &str = "images/s";
const GPU: &str = "batches/s";

/// The experiments: each table in its smallest column for the ARM device and its smallest for the GPU.
pub fn all() -> Vec<Experiment> {
    let table_1 = |column, unit, rows: [(i64, i64, f64); 4]| Experiment {
        rule: "G1",
        varies: "ratio of input to output channels",
        column,
        unit,
        settings: ["1:1", "1:2", "1:6", "1:12"]
            .into_iter()
            .zip(rows)
            .map(|(label, (c1, c2, paper))| Setting { label, paper, model: ratio(c1, c2) })
            .collect(),
    };
    let table_2 = |column, unit, rows: [(i64, f64); 4]| Experiment {
        rule: "G2",
        varies: "groups",
        column,
        unit,
        settings: [("1", 1), ("2", 2), ("4", 4), ("8", 8)]
            .into_iter()
            .zip(rows)
            .map(|((label, groups), (channels, paper))| Setting { label, paper, model: grouped(channels, groups) })
            .collect(),
    };
    let table_3 = |column, unit, channels: [i64; 3], speeds: [f64; 5]| Experiment {
        rule: "G3",
        varies: "fragments of a block",
        column,
        unit,
        settings: [
            ("1", channels[0], 1, false),
            ("2, series", channels[1], 2, false),
            ("4, series", channels[2], 4, false),
            ("2, parallel", channels[1], 2, true),
            ("4, parallel", channels[2], 4, true),
        ]
        .into_iter()
        .zip(speeds)
        .map(|((label, channels, count, parallel), paper)| Setting {
            label,
            paper,
            model: fragmented(channels, count, parallel),
        })
        .collect(),
    };
    let table_4 = |column, unit, channels, speeds: [f64; 4]| Experiment {
        rule: "G4",
        varies: "element-wise work",
        column,
        unit,
        settings: [
            ("none", false, false),
            ("shortcut", false, true),
            ("ReLU", true, false),
            ("ReLU and shortcut", true, true),
        ]
        .into_iter()
        .zip(speeds)
        .map(|((label, relu, shortcut), paper)| Setting { label, paper, model: bottleneck(channels, relu, shortcut) })
        .collect(),
    };
    vec![
        table_1("ARM ×1", ARM, [(32, 32, 76.2), (22, 44, 72.9), (13, 78, 69.1), (9, 108, 57.6)]),
        table_1("GPU ×1", GPU, [(128, 128, 1480.0), (90, 180, 1296.0), (52, 312, 876.0), (36, 432, 748.0)]),
        // The paper prints 180 channels for eight groups, where only 184 gives the same MACs.
        table_2("ARM ×1", ARM, [(64, 40.0), (90, 35.0), (128, 32.9), (184, 27.8)]),
        table_2("GPU ×1", GPU, [(128, 2451.0), (180, 1725.0), (256, 1026.0), (360, 634.0)]),
        table_3("ARM c=64", ARM, [64, 45, 32], [40.2, 38.6, 38.4, 33.4, 35.0]),
        table_3("GPU c=128", GPU, [128, 90, 64], [2446.0, 1790.0, 752.0, 1537.0, 691.0]),
        table_4("ARM c=32", ARM, 32, [66.3, 57.3, 61.9, 56.7]),
        table_4("GPU c=32", GPU, 32, [2842.0, 2672.0, 2647.0, 2427.0]),
    ]
}

/// One row measured on this machine.
#[derive(Clone, Debug, Serialize)]
pub struct Measurement {
    /// What the row is called.
    pub label: &'static str,
    /// MACs of the network.
    pub macs: i64,
    /// Bytes of its memory access.
    pub memory_access_bytes: i64,
    /// The paper's speed, in the column's unit.
    pub paper: f64,
    /// The paper's time in multiples of the first row's.
    pub paper_ratio: f64,
    /// Median here, in milliseconds.
    pub median_ms: f64,
    /// The time here in multiples of the first row's.
    pub ratio: f64,
    /// Half of the distance from the tenth to the ninetieth percentile, as a part of the median: what noise can do.
    pub noise: f64,
}

/// What the rows say of the guideline on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The first row is the fastest, by more than the noise from the slowest, and no row is slower than a later one by
    /// more than the noise.
    Holds,
    /// The first row is faster than the slowest by more than the noise, but the order between them is not the paper's.
    Partly,
    /// The first row is not faster than the slowest by more than the noise.
    Fails,
}

/// An experiment with its measurements.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// Number of the guideline.
    pub rule: &'static str,
    /// What varies from row to row.
    pub varies: &'static str,
    /// The paper's column.
    pub column: &'static str,
    /// The unit of the paper's speeds.
    pub unit: &'static str,
    /// What the rows say of the guideline here.
    pub verdict: Verdict,
    /// The rows.
    pub rows: Vec<Measurement>,
}

/// Median and noise of a model's run on this machine: milliseconds, and a part of the median.
pub type Time = (f64, f64);

/// Runs an experiment: `time` measures one model.
pub fn run(experiment: &Experiment, time: &mut dyn FnMut(&Model) -> Result<Time>) -> Result<Outcome> {
    let mut rows: Vec<Measurement> = Vec::new();
    for setting in &experiment.settings {
        let model = Model::read(prost::Message::encode_to_vec(&setting.model))?;
        let report = model.report(&crate::Bindings::default())?;
        let count = |key: &str| report.totals.counts.get(key).and_then(crate::Dim::as_int).unwrap_or(0);
        let (median_ms, noise) = time(&model)?;
        let first = rows.first().map_or((setting.paper, median_ms), |first| (first.paper, first.median_ms));
        rows.push(Measurement {
            label: setting.label,
            macs: count("macs"),
            memory_access_bytes: count("memory_access_bytes"),
            paper: setting.paper,
            paper_ratio: first.0 / setting.paper,
            median_ms,
            ratio: median_ms / first.1,
            noise,
        });
    }
    Ok(Outcome {
        rule: experiment.rule,
        varies: experiment.varies,
        column: experiment.column,
        unit: experiment.unit,
        verdict: verdict(&rows),
        rows,
    })
}

/// Compares the rows' order here with the paper's.
fn verdict(rows: &[Measurement]) -> Verdict {
    let slower = |a: &Measurement, b: &Measurement| a.median_ms > b.median_ms * (1.0 + a.noise.max(b.noise));
    let slowest = rows.iter().max_by(|a, b| a.median_ms.total_cmp(&b.median_ms));
    let costs = rows.first().zip(slowest).is_some_and(|(first, slowest)| slower(slowest, first));
    let against = |a: &Measurement, b: &Measurement| a.paper_ratio < b.paper_ratio && slower(a, b);
    let disorder = rows.iter().any(|a| rows.iter().any(|b| against(a, b)));
    match (costs, disorder) {
        (true, false) => Verdict::Holds,
        (true, true) => Verdict::Partly,
        (false, _) => Verdict::Fails,
    }
}

/// Ten blocks of a pointwise convolution from `c1` to `c2` channels and one back.
fn ratio(c1: i64, c2: i64) -> ModelProto {
    let mut network = Network::new(c1);
    for _ in 0..10 {
        let wide = network.convolution("x", c1, c2, 1, 1);
        let narrow = network.convolution(&wide, c2, c1, 1, 1);
        network.goes_on_from(narrow);
    }
    network.model()
}

/// Ten pointwise convolutions of so many groups.
fn grouped(channels: i64, groups: i64) -> ModelProto {
    let mut network = Network::new(channels);
    for _ in 0..10 {
        let next = network.convolution("x", channels, channels, 1, groups);
        network.goes_on_from(next);
    }
    network.model()
}

/// Ten blocks of pointwise convolutions in series, or side by side and added.
fn fragmented(channels: i64, count: usize, parallel: bool) -> ModelProto {
    let mut network = Network::new(channels);
    for _ in 0..10 {
        let mut last: Option<String> = None;
        for _ in 0..count {
            let from = last.clone().filter(|_| !parallel).unwrap_or_else(|| "x".to_string());
            let fragment = network.convolution(&from, channels, channels, 1, 1);
            last = Some(match last.filter(|_| parallel) {
                Some(sum) => network.node("Add", &[&sum, &fragment], Vec::new()),
                None => fragment,
            });
        }
        network.goes_on_from(last.unwrap_or_default());
    }
    network.model()
}

/// Ten bottleneck units of ResNet: 1×1 to a quarter of the channels, 3×3, 1×1 back.
fn bottleneck(channels: i64, relu: bool, shortcut: bool) -> ModelProto {
    let inner = channels / 4;
    let mut network = Network::new(channels);
    for _ in 0..10 {
        let mut at = "x".to_string();
        for (inputs, outputs, kernel) in [(channels, inner, 1), (inner, inner, 3), (inner, channels, 1)] {
            at = network.convolution(&at, inputs, outputs, kernel, 1);
            if relu {
                at = network.node("Relu", &[&at], Vec::new());
            }
        }
        if shortcut {
            at = network.node("Add", &[&at, "x"], Vec::new());
        }
        network.goes_on_from(at);
    }
    network.model()
}

/// A network under construction. Inside a block, `x` is the tensor that the block starts from.
struct Network {
    graph: GraphProto,
    start: String,
}

/// Height and width of the paper's experiments.
const SIZE: i64 = 56;

impl Network {
    fn new(channels: i64) -> Network {
        let mut graph = GraphProto::default();
        graph.input.push(value("x", &[1, channels, SIZE, SIZE]));
        Network { graph, start: "x".to_string() }
    }

    fn goes_on_from(&mut self, tensor: String) {
        self.start = tensor;
    }

    /// Adds a node and returns its output.
    fn node(&mut self, op_type: &str, inputs: &[&str], attribute: Vec<AttributeProto>) -> String {
        let name = format!("{op_type}_{}", self.graph.node.len());
        let input = inputs.iter().map(|name| if *name == "x" { self.start.clone() } else { name.to_string() });
        self.graph.node.push(NodeProto {
            input: input.collect(),
            output: vec![name.clone()],
            op_type: op_type.to_string(),
            attribute,
            name: name.clone(),
            ..NodeProto::default()
        });
        name
    }

    /// Adds a convolution that keeps the size, its weights left out, and returns its output.
    fn convolution(&mut self, from: &str, inputs: i64, outputs: i64, kernel: i64, groups: i64) -> String {
        let weights = format!("weights_{}", self.graph.node.len());
        self.graph.initializer.push(TensorProto {
            dims: vec![outputs, inputs / groups, kernel, kernel],
            data_type: 1,
            name: weights.clone(),
            external_data: vec![StringStringEntryProto {
                key: "location".to_string(),
                value: "left_out.bin".to_string(),
            }],
            data_location: 1,
            ..TensorProto::default()
        });
        let ints = |name: &str, ints: Vec<i64>| AttributeProto { name: name.to_string(), ints, ..Default::default() };
        let group = AttributeProto { name: "group".to_string(), i: Some(groups), ..Default::default() };
        let attributes = vec![ints("kernel_shape", vec![kernel; 2]), ints("pads", vec![kernel / 2; 4]), group];
        self.node("Conv", &[from, &weights], attributes)
    }

    fn model(mut self) -> ModelProto {
        self.graph.output.push(ValueInfoProto { name: self.start, r#type: None });
        ModelProto {
            ir_version: 8,
            producer_name: "lwstat".to_string(),
            graph: Some(self.graph),
            opset_import: vec![OperatorSetIdProto { domain: String::new(), version: 17 }],
            ..ModelProto::default()
        }
    }
}

fn value(name: &str, sizes: &[i64]) -> ValueInfoProto {
    let dim = |size: &i64| DimensionProto { value: Some(DimensionValue::Value(*size)) };
    let shape = TensorShapeProto { dim: sizes.iter().map(dim).collect() };
    let tensor_type = Some(TensorTypeProto { elem_type: 1, shape: Some(shape) });
    ValueInfoProto { name: name.to_string(), r#type: Some(TypeProto { tensor_type, ..TypeProto::default() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_an_experiment_have_equal_macs_and_the_papers_memory_access() {
        for experiment in all() {
            let mut time = |_: &Model| Ok((1.0, 0.0));
            let rows = run(&experiment, &mut time).unwrap().rows;
            let first = &rows[0];
            for row in &rows {
                let name = format!("{} {} {}", experiment.rule, experiment.column, row.label);
                // Channels are whole numbers: 22 × 44 is 5.5 % less than 32 × 32.
                let difference = (row.macs - first.macs).abs() as f64 / first.macs as f64;
                assert!(difference < 0.06, "{name}: {} against {} MACs", row.macs, first.macs);
                assert!(row.label == first.label || row.memory_access_bytes > first.memory_access_bytes, "{name}");
            }
        }
    }

    #[test]
    fn a_verdict_needs_more_than_noise() {
        let row = |paper_ratio: f64, median_ms: f64| Measurement {
            label: "",
            macs: 0,
            memory_access_bytes: 0,
            paper: 1.0,
            paper_ratio,
            median_ms,
            ratio: 1.0,
            noise: 0.05,
        };
        for (times, expected) in [
            ([10.0, 11.0, 12.0], Verdict::Holds),
            ([10.0, 12.0, 11.9], Verdict::Holds),
            ([10.0, 15.0, 12.0], Verdict::Partly),
            ([10.0, 10.2, 10.3], Verdict::Fails),
            ([10.0, 9.0, 8.0], Verdict::Fails),
        ] {
            let rows: Vec<_> = times.iter().zip([1.0, 1.2, 1.4]).map(|(time, paper)| row(paper, *time)).collect();
            assert_eq!(verdict(&rows), expected, "{times:?}");
        }
    }
}
