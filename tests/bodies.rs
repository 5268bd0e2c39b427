//! Bodies of control-flow nodes: whose symbols are whose, and branches that cannot run.

#![allow(clippy::unwrap_used)]

use lwstat::dim::Dim;
use lwstat::onnx::{
    AttributeProto, DimensionProto, DimensionValue, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use lwstat::{Bindings, Model, Report};

const F32: i32 = 1;
const I64: i32 = 7;
const BOOL: i32 = 9;

fn node(op: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
    let names = |list: &[&str]| list.iter().map(|name| name.to_string()).collect();
    NodeProto { op_type: op.to_string(), input: names(inputs), output: names(outputs), ..NodeProto::default() }
}

fn with_body(mut node: NodeProto, attribute: &str, body: GraphProto) -> NodeProto {
    node.attribute.push(AttributeProto {
        name: attribute.to_string(),
        g: Some(Box::new(body)),
        ..AttributeProto::default()
    });
    node
}

fn with_int(mut node: NodeProto, attribute: &str, value: i64) -> NodeProto {
    node.attribute.push(AttributeProto { name: attribute.to_string(), i: Some(value), ..AttributeProto::default() });
    node
}

fn info(name: &str, dtype: i32, sizes: &[i64]) -> ValueInfoProto {
    let dim = |&size: &i64| DimensionProto { value: Some(DimensionValue::Value(size)) };
    let shape = TensorShapeProto { dim: sizes.iter().map(dim).collect() };
    let tensor = TensorTypeProto { elem_type: dtype, shape: Some(shape) };
    let declared = TypeProto { tensor_type: Some(tensor), ..TypeProto::default() };
    ValueInfoProto { name: name.to_string(), r#type: Some(declared) }
}

/// A name without a declared type, as bodies have them.
fn named(name: &str) -> ValueInfoProto {
    ValueInfoProto { name: name.to_string(), ..ValueInfoProto::default() }
}

fn graph(inputs: Vec<ValueInfoProto>, nodes: Vec<NodeProto>, outputs: &[&str]) -> GraphProto {
    let output = outputs.iter().map(|name| named(name)).collect();
    GraphProto { input: inputs, node: nodes, output, ..GraphProto::default() }
}

fn report(graph: GraphProto) -> lwstat::Result<Report> {
    let import = OperatorSetIdProto { version: 17, ..OperatorSetIdProto::default() };
    let proto = ModelProto { ir_version: 8, opset_import: vec![import], graph: Some(graph), ..ModelProto::default() };
    Model { path: "test.onnx".to_string(), file_bytes: 0, bytes: Default::default(), proto }
        .report(&Bindings::default())
}

/// An output's shape as code.
fn shape(report: &Report, output: &str) -> String {
    let tensor = report.model.outputs.iter().find(|tensor| *tensor.name == *output).unwrap();
    tensor.shape.as_ref().unwrap().iter().map(Dim::code).collect::<Vec<_>>().join(", ")
}

#[test]
fn sizes_that_two_bodies_leave_open_are_two_sizes() {
    let branch = |output: &str| graph(Vec::new(), vec![node("NonZero", &["x"], &[output])], &[output]);
    let one = |result: &str, inner: &str| {
        let choice = with_body(node("If", &["yes"], &[result]), "then_branch", branch(inner));
        with_body(choice, "else_branch", branch(inner))
    };
    let yes = TensorProto { name: "yes".into(), data_type: BOOL, raw_data: Some(vec![1].into()), ..Default::default() };
    let nodes =
        vec![one("a", "inner_a"), one("b", "inner_b"), with_int(node("Concat", &["a", "b"], &["y"]), "axis", 1)];
    let mut main = graph(vec![info("x", F32, &[2, 3])], nodes, &["y"]);
    main.initializer.push(yes);
    let shape = shape(&report(main).unwrap(), "y");
    assert_eq!(shape, "2, If_0/then_branch/NonZero_0 + If_1/then_branch/NonZero_0");
}

#[test]
fn nodes_of_one_name_leave_two_sizes_open() {
    let mut first = node("NonZero", &["x"], &["a"]);
    first.name = "NonZero_1".to_string();
    let nodes = vec![first, node("NonZero", &["z"], &["b"]), with_int(node("Concat", &["a", "b"], &["y"]), "axis", 1)];
    let report = report(graph(vec![info("x", F32, &[2, 3]), info("z", F32, &[2, 3])], nodes, &["y"])).unwrap();
    assert_eq!(shape(&report, "y"), "2, NonZero_1 + NonZero_1_2");
}

#[test]
fn iterations_that_leave_sizes_open_leave_a_size_each() {
    let grown = with_int(node("Concat", &["state", "found"], &["next"]), "axis", 1);
    let body = graph(
        vec![info("i", I64, &[]), info("goes_on", BOOL, &[]), named("state")],
        vec![node("NonZero", &["x"], &["found"]), grown, node("Identity", &["goes_on"], &["still"])],
        &["still", "next"],
    );
    let nodes = vec![with_body(node("Loop", &["trips", "", "start"], &["y"]), "body", body)];
    let mut main = graph(vec![info("x", F32, &[2, 3]), info("start", I64, &[2, 4])], nodes, &["y"]);
    let two = 2i64.to_le_bytes().to_vec();
    main.initializer.push(TensorProto {
        name: "trips".into(),
        data_type: I64,
        raw_data: Some(two.into()),
        ..Default::default()
    });
    let report = report(main).unwrap();
    assert_eq!(shape(&report, "y"), "2, Loop_0/body/0/NonZero_0 + Loop_0/body/1/NonZero_0 + 4");
}

#[test]
fn a_branch_that_cannot_run_is_not_the_one_that_is_taken() {
    let choice = |good: &str, bad: &str| {
        let valid = graph(Vec::new(), vec![node("Relu", &["x"], &["r"])], &["r"]);
        let invalid = graph(Vec::new(), vec![node("MatMul", &["x", "x"], &["m"])], &["m"]);
        let choice = with_body(node("If", &["flag"], &["y"]), good, valid);
        graph(vec![info("x", F32, &[2, 3]), info("flag", BOOL, &[])], vec![with_body(choice, bad, invalid)], &["y"])
    };
    for (good, bad) in [("then_branch", "else_branch"), ("else_branch", "then_branch")] {
        let report = report(choice(good, bad)).unwrap();
        assert_eq!(shape(&report, "y"), "2, 3");
        assert_eq!(report.totals.counts.get("flops"), Some(&Dim::from(6i64)));
        assert_eq!((report.coverage.bounded, report.coverage.unknown), (0, 0));
    }
    let neither = report(choice("then_branch", "then_branch"));
    assert!(neither.unwrap_err().to_string().contains("else_branch"));
}
