//! The measured pass: what it must give whatever the machine, and the runtime as a second witness of shapes and MACs. No
//! test looks at how long something took.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]
#![cfg(feature = "latency")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use lwstat::latency::{LatencyOptions, NodeLatency, Progress, Stopped, engine, prepare};
use lwstat::{Bindings, Dim, Model, Report};
use tract_onnx::tract_hir::internal::{Cost, Factoid, InferenceModelExt, TDim, ToDim};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn open(path: &str) -> Model {
    Model::open(format!("{ROOT}/{path}")).unwrap()
}

/// The `.onnx` files of a folder, sorted, with the folder before them.
fn models(folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(format!("{ROOT}/{folder}")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut paths: Vec<_> =
        names.filter(|name| name.ends_with(".onnx")).map(|name| format!("{folder}/{name}")).collect();
    paths.sort();
    paths
}

fn once() -> LatencyOptions<'static> {
    LatencyOptions { warmup: 0, runs: Some(2), ..LatencyOptions::default() }
}

/// Sizes for the models whose inputs are free.
fn sizes(path: &str, model: &Model) -> Bindings {
    let dims = model.report(&Bindings::default()).unwrap().model.dims;
    let text = std::fs::read_to_string(format!("{ROOT}/fixtures/wild/truth.json")).unwrap();
    let truth: serde_json::Value = serde_json::from_str(&text).unwrap();
    let stem = path.rsplit('/').next().unwrap().strip_suffix(".onnx").unwrap();
    let inputs = truth["shapes"][stem]["inputs"].as_object();
    let shape =
        |sizes: &serde_json::Value| sizes.as_array().unwrap().iter().map(|n| Dim::from(n.as_i64().unwrap())).collect();
    let inputs: Vec<_> = inputs.into_iter().flatten().map(|(name, sizes)| (name.clone(), shape(sizes))).collect();
    let transformer = [("batch", 2), ("seq", 16)].map(|(name, size)| (name.to_string(), size));
    let named = transformer.into_iter().filter(|(name, _)| inputs.is_empty() && dims.iter().any(|dim| **dim == **name));
    Bindings { sizes: named.collect(), inputs }
}

#[test]
fn seed_networks_run_and_their_time_is_attributed() {
    let mut wrong = Vec::new();
    let paths = models("graphs");
    assert_eq!(paths.len(), 17);
    for path in &paths {
        let model = open(path);
        let before = serde_json::to_string(&model.report(&Bindings::default()).unwrap()).unwrap();
        let latency = model.latency(&Bindings::default(), &once()).unwrap();
        let report = model.report(&Bindings::default()).unwrap();
        let mut hold = |holds: bool, what: &str| {
            if !holds {
                wrong.push(format!("{path}: {what}"));
            }
        };
        hold(serde_json::to_string(&report).unwrap() == before, "the static account changes");
        hold(latency.runs == 2 && latency.stopped == Stopped::Runs, "two runs are asked for");
        hold(latency.synthetic_weights, "the weights are not there, and that is not said");
        hold(latency.not_finite_nodes == 0, "made-up weights give infinities");
        hold(latency.subnormal_nodes == 0, "made-up weights give subnormal numbers");
        let sum: f64 = latency.nodes.iter().map(|node| node.ms).sum();
        hold((sum - latency.nodes_ms).abs() <= 1e-9 * sum, "nodes_ms is not the sum of the nodes");
        let whole = latency.nodes_ms + latency.unmapped_ms + latency.unattributed_ms;
        hold((whole - latency.median_ms).abs() <= 1e-9 * whole, "the parts do not add up");
        hold(latency.unattributed_ms >= 0.0, "nodes take longer than the run");
        hold(latency.nodes_ms >= 0.95 * (latency.nodes_ms + latency.unmapped_ms), "time has no node");
        hold(latency.min_ms <= latency.p10_ms && latency.p10_ms <= latency.median_ms, "quantiles are out of order");
        hold(latency.median_ms <= latency.p90_ms, "quantiles are out of order");
        hold(latency.nodes.iter().all(|node| node.ms > 0.0 && !node.runtime_ops.is_empty()), "a node took no time");
        // Every node is timed, or part of exactly one that is.
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for node in &latency.nodes {
            std::iter::once(&node.name).chain(&node.fused).for_each(|name| *seen.entry(name).or_default() += 1);
        }
        latency.removed.iter().for_each(|name| *seen.entry(name).or_default() += 1);
        hold(latency.removed.is_empty(), "a node is gone");
        hold(seen.values().all(|&count| count == 1), "a node is listed twice");
        let folded = |name: &&&str| !report.nodes.iter().any(|row| row.name == ***name);
        hold(seen.keys().filter(folded).count() == 0, "a folded node runs");
        hold(report.nodes.iter().all(|row| seen.contains_key(row.name.as_str())), "a node is missing");
        // What scales and shifts a product's result was multiplied into its weights, or runs.
        let made: BTreeMap<&str, &lwstat::cost::Row> =
            report.nodes.iter().flat_map(|row| row.outputs.iter().map(move |name| (&**name, row))).collect();
        for row in report.nodes.iter().filter(|row| row.counts.get("params").is_some_and(|params| *params != 0)) {
            let before = row.inputs.iter().find_map(|name| made.get(&**name)).map(|before| before.name.as_str());
            let home = latency.nodes.iter().find(|node| node.fused.contains(&row.name));
            let runs = |node: &NodeLatency| node.runtime_ops.iter().any(|op| op.contains("Mul+Add"));
            let at_home = home.is_none_or(|node| Some(node.name.as_str()) == before || runs(node));
            hold(at_home, &format!("{} is part of {:?}", row.name, home.map(|node| &node.name)));
        }
        // What multiplies is timed under its own name, not under that of an activation that is fused into it.
        let multiplies = |row: &&lwstat::cost::Row| row.counts.get("macs").is_some_and(|macs| *macs != 0);
        let timed: BTreeSet<&str> = latency.nodes.iter().map(|node| node.name.as_str()).collect();
        hold(
            report.nodes.iter().filter(multiplies).all(|row| timed.contains(row.name.as_str())),
            "a product is hidden",
        );
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn made_up_weights_are_the_same_every_time() {
    let model = open("graphs/shufflenet_v2_0.5.onnx");
    let weights = || prepare::prepare(&model, &Bindings::default()).unwrap().proto;
    assert_eq!(weights(), weights());
}

#[test]
fn every_operator_case_runs_or_is_an_error_with_a_reason() {
    let mut ran = 0;
    for path in models("fixtures/node-suite") {
        match open(&path).latency(&Bindings::default(), &once()) {
            Ok(latency) => {
                ran += 1;
                assert!(latency.nodes_ms.is_finite() && latency.median_ms >= 0.0, "{path}");
            }
            Err(error) => {
                assert!(
                    error.path.is_some() && !error.reason.contains('\n') && !error.reason.is_empty(),
                    "{path}: {error}"
                )
            }
        }
    }
    assert!(ran > 0);
}

#[test]
fn the_caller_ends_a_measurement() {
    let model = open("graphs/squeezenet_1.1.onnx");
    let steps = AtomicUsize::new(0);
    let watch = |progress: Progress| {
        steps.fetch_add(1, Ordering::Relaxed);
        !matches!(progress, Progress::Measuring { runs, .. } if runs >= 3)
    };
    let options = LatencyOptions { runs: Some(100), watch: &watch, ..once() };
    let latency = model.latency(&Bindings::default(), &options).unwrap();
    assert_eq!((latency.runs, latency.stopped), (3, Stopped::Interrupted));
    assert!(steps.load(Ordering::Relaxed) >= 6);
    let options = LatencyOptions { watch: &|_| false, ..once() };
    let error = model.latency(&Bindings::default(), &options).unwrap_err();
    assert!(error.to_string().contains("interrupted before the first run"), "{error}");
}

#[test]
fn threads_change_no_structure() {
    let model = open("graphs/squeezenet_1.1.onnx");
    let names = |threads| {
        let latency = model.latency(&Bindings::default(), &LatencyOptions { threads, ..once() }).unwrap();
        assert_eq!(latency.threads, threads);
        latency.nodes.into_iter().map(|node| (node.name, node.fused)).collect::<Vec<_>>()
    };
    assert_eq!(names(1), names(2));
}

#[test]
fn open_sizes_are_an_error_with_a_way_on() {
    let error = open("fixtures/wild/bert_4l.ts.onnx").latency(&Bindings::default(), &once()).unwrap_err().to_string();
    assert!(error.contains("batch") && error.contains("--dim"), "{error}");
}

#[test]
fn the_runtimes_reason_names_the_node_of_the_file() {
    for (path, name) in [
        ("fixtures/wild/common_old.onnx", "\"LSTM_202_quant\""),
        ("fixtures/node-suite/test_loop11.onnx", "\"Loop_0\""),
    ] {
        let model = open(path);
        let error = model.latency(&sizes(path, &model), &once()).unwrap_err().to_string();
        assert!(error.contains(name) && !error.contains("lwstat:"), "{error}");
    }
}

/// A model whose one weight lies in `location`.
fn with_external(folder: &std::path::Path, location: &str) -> Model {
    let mut model = open("graphs/squeezenet_1.1.onnx");
    let graph = model.proto.graph.as_mut().unwrap();
    for tensor in &mut graph.initializer {
        tensor
            .external_data
            .iter_mut()
            .filter(|entry| entry.key == "location")
            .for_each(|entry| entry.value = location.to_string());
    }
    let path = folder.join("model.onnx");
    std::fs::write(&path, prost::Message::encode_to_vec(&model.proto)).unwrap();
    Model::open(path).unwrap()
}

#[test]
fn external_data_is_read_from_the_models_folder_alone() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("model");
    std::fs::create_dir(&folder).unwrap();
    let bytes = vec![0u8; 5 << 20];
    std::fs::write(folder.join("weights.bin"), &bytes).unwrap();
    std::fs::write(folder.join("short.bin"), &bytes[..100]).unwrap();
    std::fs::write(root.path().join("outside.bin"), &bytes).unwrap();
    let outside = root.path().join("outside.bin").display().to_string();
    let mut cases = vec![
        ("weights.bin", false),
        ("./weights.bin", false),
        ("absent.bin", true),
        ("short.bin", true),
        ("../outside.bin", true),
        (&outside, true),
        ("../model/weights.bin", true),
    ];
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("../outside.bin", folder.join("link.bin")).unwrap();
        cases.push(("link.bin", true));
    }
    for (location, made_up) in cases {
        let model = with_external(&folder, location);
        let prepared = prepare::prepare(&model, &Bindings::default()).unwrap();
        assert_eq!(prepared.synthetic_weights, made_up, "{location}");
        let short = prepared.short_data.as_deref().unwrap_or_default();
        assert_eq!(!short.is_empty(), location == "short.bin", "{short}");
        assert!(short.is_empty() || short.starts_with("short.bin has 100 bytes, and \""), "{short}");
        let left = |tensor: &lwstat::onnx::TensorProto| tensor.data_location != 0 || !tensor.external_data.is_empty();
        assert!(!prepared.proto.graph.unwrap().initializer.iter().any(left), "{location}: the runtime would open it");
    }
}

/// Shapes and MACs by tract, before it fuses anything.
fn witness(path: &str) -> Result<Vec<String>, String> {
    let model = open(path);
    let bindings = sizes(path, &model);
    let report = model.report(&bindings).map_err(|error| error.to_string())?;
    let prepared = prepare::prepare(&model, &bindings).map_err(|error| error.to_string())?;
    let mut graph = engine::parse(&prepared).map_err(|error| error.to_string())?;
    graph.analyse(true).map_err(|error| error.to_string())?;
    let mut wrong = Vec::new();
    for node in graph.nodes() {
        let Some(place) = engine::number(&node.name).map(|number| &prepared.places[number]) else { continue };
        let Some(row) = report.nodes.iter().find(|row| row.name == place.name && !row.alternative) else { continue };
        for (name, output) in row.outputs.iter().filter(|name| !name.is_empty()).zip(&node.outputs) {
            let tensor = report.tensors.iter().find(|tensor| tensor.tensor.name == *name);
            let Some(ours) = tensor.and_then(|tensor| tensor.tensor.shape.as_ref()) else { continue };
            let theirs = output.fact.shape.concretize().ok_or_else(|| format!("{name} has no shape in tract"))?;
            let theirs: Vec<String> = theirs.iter().map(|dim| dim.to_string()).collect();
            let ours: Vec<String> = ours.iter().map(Dim::to_string).collect();
            if ours != theirs {
                wrong.push(format!("{name} is {ours:?}, tract has {theirs:?}"));
            }
        }
    }
    let typed = engine::typed(graph).map_err(|error| error.to_string())?;
    let typed = typed.into_decluttered().map_err(|error| error.to_string())?;
    let mut fma: TDim = 0.to_dim();
    for node in typed.nodes().iter().filter(|node| matches!(node.op.name().as_ref(), "Conv" | "EinSum")) {
        let facts = typed.node_input_facts(node.id).map_err(|error| error.to_string())?;
        for (cost, count) in node.op.cost(&facts).map_err(|error| error.to_string())? {
            if matches!(cost, Cost::FMA(_)) {
                fma += count;
            }
        }
    }
    let macs = total(&report, "macs");
    if fma.to_string() != macs {
        wrong.push(format!("macs {macs}, tract has {fma}"));
    }
    Ok(wrong)
}

fn total(report: &Report, metric: &str) -> String {
    report.totals.counts.get(metric).map(Dim::to_string).unwrap_or_default()
}

/// Where the witness says something else, or nothing: the model, what it says, and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[(
    "fixtures/wild/common_old.onnx",
    "Unimplemented(DynamicQuantizeLSTM)",
    "tract has no operator of com.microsoft",
)];

/// Holds every model of a folder against the witness.
fn agree(folder: &str) {
    let paths = models(folder);
    let mut wrong = Vec::new();
    for path in &paths {
        let said = witness(path).unwrap_or_else(|error| vec![error]);
        let exception = EXCEPTIONS.iter().find(|(name, ..)| path.contains(name));
        match (exception, said.is_empty()) {
            (None, true) => {}
            (None, false) => wrong.push(format!("{path}: {}", said.join("; "))),
            (Some(_), true) => wrong.push(format!("{path} agrees: it is no exception")),
            (Some((_, words, _)), false) if said.iter().all(|said| said.contains(words)) => {}
            (Some(_), false) => wrong.push(format!("{path} differs in another way: {}", said.join("; "))),
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_runtime_has_the_shapes_and_macs_of_seed_networks() {
    agree("graphs");
}

#[test]
fn the_runtime_has_the_shapes_and_macs_of_exports() {
    agree("fixtures/exports");
}

#[test]
fn the_runtime_has_the_shapes_and_macs_of_third_party_models() {
    agree("fixtures/wild");
    let exists = |path: &str| std::path::Path::new(ROOT).join(path).is_file();
    assert!(EXCEPTIONS.iter().all(|(path, ..)| exists(path)), "an exception is no model");
}
