//! Whole networks against what torch and onnxruntime found out about them: `fixtures/exports`, `graphs`, `fixtures/wild`.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use lwstat::cost::METRICS;
use lwstat::report::TensorKind;
use lwstat::verify::{Verdict, verify};
use lwstat::{Bindings, Dim, Model, Report, figures};
use serde_json::{Map, Value};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn truth(folder: &str) -> Map<String, Value> {
    let text = std::fs::read_to_string(format!("{ROOT}/fixtures/{folder}/truth.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn report(path: &str, bindings: &Bindings) -> Report {
    Model::open(format!("{ROOT}/{path}")).unwrap().report(bindings).unwrap()
}

/// The files of a folder with this extension, without it, sorted.
fn stems(folder: &str, extension: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(format!("{ROOT}/{folder}")).unwrap();
    entries
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(extension).map(str::to_string))
        .collect()
}

fn total(report: &Report, metric: &str) -> Option<i64> {
    report.totals.counts.get(metric)?.as_int()
}

/// What stays open in a report that is to be exact.
fn open_ends(report: &Report) -> Vec<String> {
    let mut open = Vec::new();
    if report.coverage.bounded + report.coverage.unknown > 0 || !report.totals.at_least.is_empty() {
        open.push(format!("the coverage is {:?}", report.coverage));
    }
    for tensor in &report.tensors {
        let plain = |shape: &Vec<Dim>| shape.iter().all(|dim| dim.as_int().is_some());
        if !tensor.tensor.shape.as_ref().is_some_and(plain) || tensor.tensor.dtype.is_none() {
            open.push(format!("{} is {:?}", tensor.tensor.name, tensor.tensor));
        }
    }
    open
}

#[test]
fn exported_networks_have_the_counts_of_the_live_modules() {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for (network, facts) in &truth("exports") {
        for style in ["ts", "dynamo"] {
            let file = facts[style].as_str().unwrap();
            seen.insert(file.strip_suffix(".onnx").unwrap().to_string());
            let report = report(&format!("fixtures/exports/{file}"), &Bindings::default());
            wrong.extend(open_ends(&report).iter().map(|open| format!("{file}: {open}")));
            let mut hold = |metric: &str, wanted: i64, of: &str| {
                let counted = total(&report, metric);
                if counted != Some(wanted) {
                    wrong.push(format!("{network} {style}: {metric} {counted:?}, {of} has {wanted}"));
                }
            };
            hold("macs", facts[format!("{style}_macs_ref")].as_i64().unwrap(), "the reference");
            let elements = facts[format!("{style}_params_ref")].as_i64().unwrap();
            match style {
                // Batch norm is kept apart, so the graph has the module's parameters.
                "ts" => hold("params", facts["params"].as_i64().unwrap(), "the module"),
                // Batch norm is folded into the convolutions. The reference counts floating-point initializers, and
                // with them the bounds of Clip, which steer and are not learned.
                _ => hold("params", elements - floats_that_steer(&report), "the reference without Clip's bounds"),
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert_eq!(seen, stems("fixtures/exports", ".onnx"));
}

/// Elements of the floating-point initializers that are operands of Clip alone.
fn floats_that_steer(report: &Report) -> i64 {
    let reads = |op: &str| -> BTreeSet<&str> {
        let nodes = report.nodes.iter().filter(|node| (node.op_type == "Clip") == (op == "Clip"));
        nodes.flat_map(|node| node.inputs.iter().map(|name| &**name)).collect()
    };
    let (clips, others) = (reads("Clip"), reads("other"));
    let float = |dtype: Option<&str>| dtype.is_some_and(|dtype| dtype.starts_with('f'));
    let steers = |tensor: &&lwstat::report::TensorInfo| {
        let name = &*tensor.tensor.name;
        tensor.kind == TensorKind::Constant
            && float(tensor.tensor.dtype)
            && clips.contains(name)
            && !others.contains(name)
    };
    let constants = report.tensors.iter().filter(steers);
    let shapes = constants.map(|tensor| tensor.tensor.shape.as_ref().unwrap());
    shapes.map(|shape| shape.iter().product::<Dim>().as_int().unwrap()).sum()
}

#[test]
fn seed_networks_have_the_counts_on_record() {
    let graphs = stems("graphs", ".onnx");
    assert_eq!(graphs, stems("fixtures", ".yaml"), "each graph has its fixture, and each fixture its graph");
    let mut wrong = Vec::new();
    for name in &graphs {
        let report = report(&format!("graphs/{name}.onnx"), &Bindings::default());
        let fixture = figures::find(name, false).unwrap().unwrap();
        wrong.extend(open_ends(&report).iter().map(|open| format!("{name}: {open}")));
        for (metric, &count) in &fixture.counts {
            if total(&report, metric) != Some(count) {
                wrong.push(format!("{name}: {metric} {:?}, the fixture has {count}", total(&report, metric)));
            }
        }
        let findings = verify(&report, &fixture).unwrap();
        let unrecorded = findings.iter().filter(|finding| finding.verdict == Verdict::Fails);
        wrong.extend(unrecorded.map(|finding| format!("{name}: {finding:?}")));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The shapes for which the truth of a third-party model holds.
fn given(facts: &Value) -> Bindings {
    let sizes =
        |shape: &Value| shape.as_array().unwrap().iter().map(|size| Dim::from(size.as_i64().unwrap())).collect();
    let inputs = facts["inputs"].as_object().unwrap().iter().map(|(name, shape)| (name.clone(), sizes(shape)));
    Bindings { inputs: inputs.collect(), ..Bindings::default() }
}

#[test]
fn third_party_models_have_the_shapes_that_a_runtime_produces() {
    let mut wrong = Vec::new();
    for (model, facts) in truth("wild")["shapes"].as_object().unwrap() {
        let report = report(&format!("fixtures/wild/{model}.onnx"), &given(facts));
        for (name, reference) in facts["tensors"].as_object().unwrap() {
            let Some(tensor) = report.tensors.iter().find(|tensor| *tensor.tensor.name == **name) else {
                wrong.push(format!("{model}: there is no {name}"));
                continue;
            };
            let (dtype, shape) = (&reference[0], &reference[1]);
            let got = serde_json::to_value(&tensor.tensor.shape).unwrap();
            let named = serde_json::to_value(tensor.tensor.dtype.map(numpy)).unwrap();
            if (&named, &got) != (dtype, shape) {
                wrong.push(format!("{model}: {name} is {named} {got}, the runtime has {dtype} {shape}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// numpy's name of a dtype.
fn numpy(dtype: &str) -> &str {
    match dtype {
        "f32" => "float32",
        "f64" => "float64",
        "i32" => "int32",
        "i64" => "int64",
        "u8" => "uint8",
        other => other,
    }
}

/// Sets free dimensions by their symbols and compares every metric's formula with the account of the fixed model.
fn formulas_hold(path: &str, fixed: &Report, wrong: &mut Vec<String>) {
    let free = report(path, &Bindings::default());
    let mut sizes = std::collections::BTreeMap::new();
    for (open, closed) in free.model.inputs.iter().zip(&fixed.model.inputs) {
        for (symbol, size) in open.shape.iter().flatten().zip(closed.shape.iter().flatten()) {
            sizes.insert(symbol.to_string(), size.clone());
        }
    }
    for (metric, (formula, count)) in METRICS.iter().zip(free.totals.counts.0.iter().zip(&fixed.totals.counts.0)) {
        let evaluated = formula.as_ref().map(|formula| formula.substitute(&|symbol| sizes.get(symbol).cloned()));
        if evaluated != *count || count.as_ref().and_then(Dim::as_int).is_none() {
            wrong.push(format!("{path}: {} by the formula {evaluated:?}, of the fixed model {count:?}", metric.key));
        }
    }
}

#[test]
fn formulas_of_free_models_equal_the_account_of_fixed_ones() {
    let mut wrong = Vec::new();
    for (model, facts) in truth("wild")["shapes"].as_object().unwrap() {
        let path = format!("fixtures/wild/{model}.onnx");
        formulas_hold(&path, &report(&path, &given(facts)), &mut wrong);
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_transformers_formulas_give_the_reference_at_every_point() {
    let mut wrong = Vec::new();
    for (model, facts) in truth("wild")["transformers"].as_object().unwrap() {
        for style in ["ts", "dynamo"] {
            let path = format!("fixtures/wild/{model}.{style}.onnx");
            for (batch, seq) in [(1, 16), (2, 64)] {
                let sizes = [("batch".to_string(), batch), ("seq".to_string(), seq)];
                let bindings = Bindings { sizes: sizes.into_iter().collect(), ..Bindings::default() };
                let fixed = report(&path, &bindings);
                wrong.extend(open_ends(&fixed).iter().map(|open| format!("{path}: {open}")));
                formulas_hold(&path, &fixed, &mut wrong);
                let reference = facts[format!("{style}_macs_{batch}_{seq}")].as_i64();
                if total(&fixed, "macs") != reference {
                    let macs = total(&fixed, "macs");
                    wrong.push(format!("{path} at ({batch}, {seq}): macs {macs:?}, the reference {reference:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
