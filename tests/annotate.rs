//! Annotated copies: the same model with the same weights, shapes and costs where viewers look for them.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use lwstat::annotate::{annotate, node_data};
use lwstat::onnx::{ModelProto, StringStringEntryProto};
use lwstat::{Bindings, Model, Report};
use prost::Message;

fn annotated(model: &Model) -> (Report, Vec<u8>) {
    let report = model.report(&Bindings::default()).unwrap();
    let mut bytes = Vec::new();
    annotate(model, &report, &mut bytes).unwrap();
    (report, bytes)
}

fn path(name: &str) -> String {
    format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))
}

const MODELS: [&str; 4] = [
    "graphs/ghostnet_0.5.onnx",
    "fixtures/wild/bert_4l.dynamo.onnx",
    "fixtures/exports/tv_mobilenet_v2.dynamo.onnx",
    "fixtures/node-suite/test_loop11.onnx",
];

fn properties(list: &[bytes::Bytes]) -> Vec<(String, String)> {
    let entry = |bytes: &bytes::Bytes| StringStringEntryProto::decode(bytes.clone()).unwrap();
    list.iter().map(entry).map(|entry| (entry.key, entry.value)).collect()
}

#[test]
fn a_copy_has_the_same_account_and_a_second_copy_the_same_bytes() {
    for name in MODELS {
        let model = Model::open(path(name)).unwrap();
        let (report, bytes) = annotated(&model);
        let copy = Model::read(bytes.clone()).unwrap();
        let (again, twice) = annotated(&copy);
        assert_eq!(again.totals.counts, report.totals.counts, "{name}");
        assert_eq!(twice.len(), bytes.len(), "{name}");
        assert!(twice == bytes, "{name}");
    }
}

#[test]
fn nodes_carry_their_counts_and_tensors_their_shapes() {
    for name in MODELS {
        let model = Model::open(path(name)).unwrap();
        let (report, bytes) = annotated(&model);
        let copy = ModelProto::decode(bytes::Bytes::from(bytes)).unwrap().graph.unwrap();
        let original = model.proto.graph.as_ref().unwrap();
        assert_eq!(copy.initializer, original.initializer, "{name}");
        let mut seen = 0;
        for (node, old) in copy.node.iter().zip(&original.node) {
            assert_eq!((&node.name, &node.input, &node.output), (&old.name, &old.input, &old.output));
            assert!(node.attribute == old.attribute, "{name} {}", node.name);
            let ours = properties(&node.metadata_props);
            let row = report.nodes.iter().find(|row| *row.outputs[0] == *node.output[0]);
            let macs = row.and_then(|row| row.counts.get("macs")).filter(|macs| **macs != 0);
            let written = ours.iter().find(|(key, _)| key == "lwstat.macs").map(|(_, value)| value.clone());
            assert_eq!(written, macs.map(lwstat::Dim::code), "{name} {}", node.name);
            assert_eq!(row.is_none(), ours.iter().any(|(key, _)| key == "lwstat.folded"), "{name} {}", node.name);
            seen += usize::from(written.is_some());
        }
        assert!(seen > 0 || name.contains("loop"), "{name}");
        assert!(copy.value_info.len() + 2 >= original.node.len(), "{name}");
    }
}

#[test]
fn stored_weights_are_copied_byte_by_byte() {
    let mut proto = common::model("in x f32[1,2]; init w f32[2,2]{1,-2,3.5,0.25}; MatMul x w -> a; Relu a -> y; out y");
    proto.producer_name = "someone".to_string();
    let mut bytes = proto.encode_to_vec();
    // A field that lwstat does not know: number 20, length-delimited.
    bytes.extend([0xa2, 1, 3, 7, 8, 9]);
    let model = Model::read(bytes).unwrap();
    let (_, copy) = annotated(&model);
    let raw: Vec<u8> = [1f32, -2.0, 3.5, 0.25].iter().flat_map(|value| value.to_le_bytes()).collect();
    assert!(copy.windows(raw.len()).any(|window| window == raw));
    assert!(copy.windows(5).any(|window| window == [1, 3, 7, 8, 9]));
    assert_eq!(ModelProto::decode(bytes::Bytes::from(copy)).unwrap().producer_name, "someone");
}

#[test]
fn node_data_has_a_value_for_every_node_of_the_metric() {
    let model = Model::open(path(MODELS[0])).unwrap();
    let report = model.report(&Bindings::default()).unwrap();
    let data = node_data(&model, &report, 0);
    let graph = model.proto.graph.as_ref().unwrap();
    let results = data[graph.name.as_str()]["results"].as_object().unwrap();
    let sum: i64 = results.values().map(|entry| entry["value"].as_i64().unwrap()).sum();
    assert_eq!(Some(sum), report.totals.counts.get("macs").and_then(lwstat::Dim::as_int));
}

/// The official checker, where a Python with the `onnx` package is found.
#[test]
fn copies_pass_the_official_checker() {
    let python = std::env::var("LWSTAT_PYTHON").unwrap_or_else(|_| "python3".to_string());
    let has = std::process::Command::new(&python).args(["-c", "import onnx"]).output();
    if !has.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: {python} has no package onnx");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // The checker asks for shapes of outputs, which the operator cases leave out.
    for (at, name) in MODELS.iter().filter(|name| !name.contains("node-suite")).enumerate() {
        let (_, bytes) = annotated(&Model::open(path(name)).unwrap());
        let file = folder.path().join(format!("{at}.onnx"));
        std::fs::write(&file, bytes).unwrap();
        // Weight-free graphs refer to data that is not there: the checker looks at the graph alone.
        let check = "import sys, onnx\nm = onnx.load(sys.argv[1], load_external_data=False)\n\
                     for t in m.graph.initializer:\n    t.ClearField('external_data'); t.ClearField('data_location')\n    \
                     n = 1\n    for d in t.dims: n *= d\n    \
                     if not t.raw_data and not t.float_data and not t.int64_data and not t.int32_data and not t.string_data and n: \
                     t.raw_data = bytes(n * onnx.helper.tensor_dtype_to_np_dtype(t.data_type).itemsize)\n\
                     onnx.checker.check_model(m)";
        let output = std::process::Command::new(&python).arg("-c").arg(check).arg(&file).output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
