//! Annotated copies: the same model with the same weights, shapes and costs where viewers look for them.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use lwstat::annotate::{annotate, node_data};
use std::collections::BTreeMap;

use lwstat::onnx::{
    DimensionProto, DimensionValue, GraphProto, ModelProto, NodeProto, StringStringEntryProto, ValueInfoProto,
};
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

/// The node without what bodies say of their nodes and tensors.
fn bare(node: &NodeProto) -> NodeProto {
    let mut node = node.clone();
    node.metadata_props.clear();
    for body in node.attribute.iter_mut().filter_map(|attribute| attribute.g.as_mut()) {
        body.value_info.clear();
        body.node = body.node.iter().map(bare).collect();
    }
    node
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
            assert!(bare(node).attribute == bare(old).attribute, "{name} {}", node.name);
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

/// What a graph says of a node (its properties by key) and of a tensor (dimensions), by output name, bodies included.
fn said(graph: &GraphProto, prefix: &str, into: &mut Said) {
    for node in &graph.node {
        let props = properties(&node.metadata_props).into_iter();
        let ours = props.filter_map(|(key, value)| Some((key.strip_prefix("lwstat.")?.to_string(), value)));
        into.0.insert(format!("{prefix}{}", node.output[0]), ours.collect());
        for attribute in &node.attribute {
            if let Some(body) = &attribute.g {
                said(body, &format!("{prefix}{}.{}.", node.name, attribute.name), into);
            }
        }
    }
    for bytes in &graph.value_info {
        let info = ValueInfoProto::decode(bytes.clone()).unwrap();
        let dims = info.r#type.unwrap().tensor_type.unwrap().shape.unwrap().dim;
        let size = |dim: DimensionProto| match dim.value {
            Some(DimensionValue::Value(size)) => size.to_string(),
            Some(DimensionValue::Param(name)) => name,
            None => "?".to_string(),
        };
        let name = format!("{prefix}{}", info.name);
        let dims = dims.into_iter().map(size).collect::<Vec<_>>().join(",");
        assert_eq!(into.1.insert(name.clone(), dims), None, "{name} once");
    }
}

type Said = (BTreeMap<String, BTreeMap<String, String>>, BTreeMap<String, String>);

/// A loop of five runs with a choice in its body, a scan, a loop whose state grows, and a branch that is never taken.
fn with_bodies() -> ModelProto {
    let then = common::graph("heavy=MatMul s w -> m; r=Relu m -> t; out t");
    let other = common::graph("light=Relu s -> e; out e");
    let choice = common::with_body(common::node("choice=If flag -> n"), "then_branch", then);
    let choice = common::with_body(choice, "else_branch", other);
    let mut body = common::graph("in i i64[]; in goes bool[]; in s f32[4,4]; Identity goes -> still; out still n");
    body.node.push(choice);
    let mut main = common::graph(
        "in x f32[4,4]; in flag bool[]; in seq f32[3,4]; init w f32[4,4]{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}; \
         init trips i64[]{5}; init two i64[]{2}; init yes bool[]{true}; out y scanned grown taken",
    );
    main.node.push(common::with_body(common::node("loop=Loop trips yes x -> y"), "body", body));
    let step = common::graph("in row f32[4]; double=Add row row -> d; once=Relu d -> o; out o");
    main.node.push(common::with_body(common::node("scan=Scan seq -> scanned num_scan_inputs=1"), "body", step));
    let grow = common::graph(
        "in i2 i64[]; in goes2 bool[]; in state; Identity goes2 -> still2; act=Relu state -> acted; \
         join=Concat acted acted -> next axis=0; out still2 next",
    );
    main.node.push(common::with_body(common::node("grow=Loop two yes x -> grown"), "body", grow));
    let sure = common::with_body(
        common::node("sure=If yes -> taken"),
        "then_branch",
        common::graph("a=Relu x -> ta; b=Neg ta -> tb; out tb"),
    );
    let never = common::graph("never=MatMul x w -> nm; nb=Neg nm -> nn; out nn");
    main.node.push(common::with_body(sure, "else_branch", never));
    common::model_of(main)
}

#[test]
fn bodies_carry_what_the_report_says_of_their_runs() {
    let model = Model::read(with_bodies().encode_to_vec()).unwrap();
    let (_, bytes) = annotated(&model);
    let mut all = Said::default();
    said(&ModelProto::decode(bytes::Bytes::from(bytes.clone())).unwrap().graph.unwrap(), "", &mut all);
    let (nodes, tensors) = all;
    let (inner, sure) = ("loop.body.choice.then_branch.", "sure.then_branch.");
    for (node, key, value) in [
        // Five runs of 4×4×4, whichever branch each takes.
        (format!("{inner}m"), "macs", Some("320")),
        (format!("{inner}t"), "flops", Some("80")),
        ("loop.body.choice.else_branch.e".to_string(), "flops", Some("80")),
        // Three rows of four.
        ("scan.body.d".to_string(), "flops", Some("12")),
        // Accounted run by run: 16 and 32 elements.
        ("grow.body.acted".to_string(), "flops", Some("48")),
        (format!("{sure}ta"), "flops", Some("16")),
        // A branch that is not in the account is neither counted nor folded.
        ("sure.else_branch.nm".to_string(), "macs", None),
        ("sure.else_branch.nm".to_string(), "folded", None),
    ] {
        assert_eq!(nodes[&node].get(key).map(String::as_str), value, "{node} {key}");
    }
    for (tensor, dims) in [
        (format!("{inner}m"), Some("4,4")),
        ("scan.body.d".to_string(), Some("4")),
        (format!("{sure}ta"), Some("4,4")),
        // Another shape in every run, a branch that is never taken, an output that is declared as one.
        ("grow.body.acted".to_string(), None),
        ("sure.else_branch.nm".to_string(), None),
        (format!("{inner}t"), None),
    ] {
        assert_eq!(tensors.get(&tensor).map(String::as_str), dims, "{tensor}");
    }
    let copy = Model::read(bytes.clone()).unwrap();
    assert!(annotated(&copy).1 == bytes, "a second copy has the same bytes");
}

#[test]
fn of_a_declared_tensor_the_type_alone_is_replaced() {
    let mut proto = common::model("in x f32[2,3]; Relu x -> a; Neg a -> b; Abs b -> y; out y");
    // Type with denotations: of the whole (6) and of a dimension (3), then a doc_string (3), metadata (4), another field (9).
    let dim = [10, 12, 8, 7, 26, 8, b'D', b'A', b'T', b'A', b'_', b'D', b'I', b'M'];
    let shape = [&[10u8, 2, 8, 1][..], &dim].concat();
    let tensor = [&[8u8, 11, 18, shape.len() as u8][..], &shape].concat();
    let of_type = [&[10u8, tensor.len() as u8][..], &tensor, &[50, 5], b"IMAGE"].concat();
    let extra = [&[26u8, 3][..], b"doc", &[34, 6, 10, 1, b'k', 18, 1, b'v'], &[74, 2, 1, 2]].concat();
    let declared = [&[10u8, 1, b'a', 18, of_type.len() as u8][..], &of_type, &extra].concat();
    let graph = proto.graph.as_mut().unwrap();
    graph.value_info = vec![declared.into(), common::info("y", "f32[2,3]").encode_to_vec().into()];
    graph.value_info.push(ValueInfoProto { name: "b".to_string(), r#type: None }.encode_to_vec().into());
    let model = Model::read(proto.encode_to_vec()).unwrap();
    let (_, bytes) = annotated(&model);
    let copy = ModelProto::decode(bytes::Bytes::from(bytes.clone())).unwrap().graph.unwrap();
    let of = |at: usize| ValueInfoProto::decode(copy.value_info[at].clone()).unwrap();
    assert_eq!((0..3).map(|at| of(at).name).collect::<Vec<_>>(), ["a", "y", "b"], "each in its place, none again");
    assert_eq!(of(0), common::info("a", "f32[2,3]"), "float 2×3 instead of double 1×7");
    assert_eq!(of(2), common::info("b", "f32[2,3]"));
    for kept in [&b"DATA_DIM"[..], b"IMAGE", &extra] {
        assert!(copy.value_info[0].windows(kept.len()).any(|window| window == kept), "{kept:?}");
    }
    assert!(annotated(&Model::read(bytes.clone()).unwrap()).1 == bytes);
}

#[test]
fn a_declaration_that_cannot_be_read_is_kept() {
    for broken in [&[10u8, 200, 1][..], &[10, 1, b'a', 18, 9, 1], &[10, 1, b'a', 18, 3, 10, 200, 1]] {
        let mut proto = common::model("in x f32[2,3]; Relu x -> a; Neg a -> y; out y");
        proto.graph.as_mut().unwrap().value_info = vec![broken.to_vec().into()];
        let model = Model::read(proto.encode_to_vec()).unwrap();
        let copy = ModelProto::decode(bytes::Bytes::from(annotated(&model).1)).unwrap();
        assert_eq!(copy.graph.unwrap().value_info[0], broken, "{broken:?}");
    }
}

/// Functions: of two nodes, with products, that call others, with a choice, that pass their input on, called as an operator,
/// with an output that is not asked for; called in a loop of five runs, in branches, and of weights alone.
fn with_calls() -> ModelProto {
    let mut main = common::graph(
        "in x f32[4,4]; in flag bool[]; init w f32[4,4]{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}; init trips i64[]{5}; \
         init yes bool[]{true}; f::Two x -> two; heavy=f::Heavy x w -> heavy_out; nested=f::Nested x w -> nested_out; \
         f::Choice x w flag -> chosen; f::Pass x -> passed; f::Relu x -> same; f::Pair x -> _ second; f::Two w -> folded; \
         heavy/m=Neg x -> other; out two heavy_out nested_out chosen passed same second added other y taken",
    );
    main.node.push(common::node("Add x folded -> added"));
    let body = common::graph(
        "in i i64[]; in goes bool[]; in s f32[4,4]; Identity goes -> still; f::Heavy s w -> n; out still n",
    );
    main.node.push(common::with_body(common::node("loop=Loop trips yes x -> y"), "body", body));
    let taken = common::with_body(
        common::node("branch=If flag -> taken"),
        "then_branch",
        common::graph("f::Choice x w flag -> t; out t"),
    );
    main.node.push(common::with_body(taken, "else_branch", common::graph("f::Two x -> e; out e")));
    let mut model = common::model_of(main);
    let mut choice = common::function("Choice", &["p", "w", "flag"], &["q"], "");
    let inner = common::with_body(
        common::node("if=If flag -> q"),
        "then_branch",
        common::graph("MatMul p w -> a; MatMul a w -> b; out b"),
    );
    choice.node = vec![common::with_body(inner, "else_branch", common::graph("f::Heavy p w -> c; out c"))];
    model.functions = vec![
        common::function("Two", &["p"], &["q"], "Neg p -> n; Abs n -> q"),
        common::function("Heavy", &["p", "w"], &["q"], "m=MatMul p w -> m; r=Relu m -> q"),
        common::function("Nested", &["p", "w"], &["q"], "f::Heavy p w -> h; f::Heavy h w -> q"),
        choice,
        common::function("Pass", &["p"], &["p"], ""),
        common::function("Relu", &["p"], &["q"], "Relu p -> r; Relu r -> q"),
        common::function("Pair", &["p"], &["q", "r"], "Neg p -> q; Abs p -> r"),
    ];
    model
}

#[test]
fn a_call_carries_what_the_nodes_of_its_function_count_in_it() {
    let original = with_calls();
    let model = Model::read(original.encode_to_vec()).unwrap();
    let (report, bytes) = annotated(&model);
    let copy = ModelProto::decode(bytes::Bytes::from(bytes.clone())).unwrap();
    assert_eq!(copy.functions, original.functions, "functions are left as they are");
    let mut all = Said::default();
    said(copy.graph.as_ref().unwrap(), "", &mut all);
    let node = |output: &str| &all.0[output];
    for (output, key, value) in [
        ("two", "flops", Some("32")),
        ("two", "memory_access", Some("64")),
        ("heavy_out", "macs", Some("64")),
        ("heavy_out", "params", Some("16")),
        ("heavy_out", "coverage", None),
        ("nested_out", "macs", Some("128")),
        // Shared with the call before it.
        ("nested_out", "params", None),
        // The costlier of two products and one.
        ("chosen", "macs", Some("128")),
        ("chosen", "coverage", Some("bounded")),
        ("passed", "macs", None),
        ("passed", "folded", None),
        ("passed", "memory_access", None),
        ("same", "flops", Some("32")),
        // Both of its nodes run, whatever is asked for.
        ("", "flops", Some("32")),
        ("folded", "folded", Some("true")),
        ("folded", "flops", None),
        ("added", "flops", Some("16")),
        // A name that begins as that of a function's node is no part of the call.
        ("other", "flops", Some("16")),
        // Five runs.
        ("loop.body.n", "macs", Some("320")),
        ("branch.then_branch.t", "macs", Some("128")),
        ("branch.else_branch.e", "flops", Some("32")),
    ] {
        assert_eq!(node(output).get(key).map(String::as_str), value, "{output} {key}");
    }
    let data = node_data(&model, &report, 0);
    let results = &data.json["<main>"]["results"];
    for (id, value) in [("heavy", Some(64)), ("nested", Some(128)), ("<node_3>", Some(128)), ("<node_0>", None)] {
        assert_eq!(results.get(id).and_then(|entry| entry["value"].as_i64()), value, "{id}");
    }
    assert!(annotated(&Model::read(bytes.clone()).unwrap()).1 == bytes, "a second copy has the same bytes");
}

#[test]
fn calls_and_bodies_add_up_to_the_total() {
    let model = Model::read(with_calls().encode_to_vec()).unwrap();
    let (report, _) = annotated(&model);
    for (index, metric) in lwstat::cost::METRICS.iter().enumerate() {
        let data = node_data(&model, &report, index);
        let entries = data.json["<main>"]["results"].as_object().unwrap();
        let sum: i64 = entries.values().map(|entry| entry["value"].as_i64().unwrap()).sum();
        assert_eq!(report.totals.counts.get(metric.key).and_then(lwstat::Dim::as_int), Some(sum), "{}", metric.key);
    }
}

#[test]
fn node_data_says_which_nodes_have_no_number() {
    for (text, metric, shown, formulas, dims, unknown) in [
        ("in x f32[2,3]; Relu x -> y; out y", "flops", 1, 0, &[][..], 0),
        ("in x f32[n,3]; Relu x -> y; out y", "flops", 0, 1, &["n"], 0),
        ("in x f32[n,3]; in z f32[2]; Relu x -> y; Neg z -> v; out y v", "flops", 1, 1, &["n"], 0),
        ("in x f32[n,m]; Relu x -> a; Neg a -> y; out y", "flops", 0, 2, &["m", "n"], 0),
        ("in x f32[2,3]; f::Strange x -> a; Relu x -> y; out y a", "flops", 1, 0, &[], 1),
        // What is nothing is not missing.
        ("in x f32[n,3]; Relu x -> y; out y", "macs", 0, 0, &[], 0),
    ] {
        let model = Model::read(common::model(text).encode_to_vec()).unwrap();
        let report = model.report(&Bindings::default()).unwrap();
        let data = node_data(&model, &report, lwstat::cost::index_of(metric).unwrap());
        let names: Vec<&str> = data.dims.iter().map(|name| &**name).collect();
        assert_eq!((data.shown, data.formulas, &names[..], data.unknown), (shown, formulas, dims, unknown), "{text}");
    }
}

#[test]
fn node_data_has_a_value_for_every_node_of_the_metric() {
    let model = Model::open(path(MODELS[0])).unwrap();
    let report = model.report(&Bindings::default()).unwrap();
    let data = node_data(&model, &report, 0).json;
    let graph = model.proto.graph.as_ref().unwrap();
    let results = data[graph.name.as_str()]["results"].as_object().unwrap();
    let sum: i64 = results.values().map(|entry| entry["value"].as_i64().unwrap()).sum();
    assert_eq!(Some(sum), report.totals.counts.get("macs").and_then(lwstat::Dim::as_int));
}

/// Gives a graph and its bodies what the checker asks for: names, types of attributes and of outputs.
fn complete(graph: &mut GraphProto) {
    graph.name = "graph".to_string();
    for declared in graph.output.iter_mut().chain(&mut graph.input).filter(|declared| declared.r#type.is_none()) {
        let of = match &*declared.name {
            "still" | "still2" => "bool[]",
            "o" => "f32[4]",
            "scanned" => "f32[3,4]",
            "state" | "next" | "grown" => "f32[rows,4]",
            _ => "f32[4,4]",
        };
        *declared = common::info(&declared.name, of);
    }
    for attribute in graph.node.iter_mut().flat_map(|node| &mut node.attribute) {
        attribute.r#type = if attribute.g.is_some() { 5 } else { 2 };
        attribute.g.iter_mut().for_each(|body| complete(body));
    }
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
    let mut made = with_bodies();
    complete(made.graph.as_mut().unwrap());
    let (bodies, again) = (folder.path().join("bodies.onnx"), folder.path().join("bodies_annotated.onnx"));
    std::fs::write(&bodies, made.encode_to_vec()).unwrap();
    std::fs::write(&again, annotated(&Model::open(&bodies).unwrap()).1).unwrap();
    for file in [bodies, again] {
        let check = "import sys, onnx\nonnx.checker.check_model(sys.argv[1], full_check=True)";
        let output = std::process::Command::new(&python).arg("-c").arg(check).arg(&file).output().unwrap();
        assert!(output.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
    }
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
