//! Files and arguments that are wrong, absurd or made to hurt: each ends in a clear error, or in an account that says
//! what it does not know, soon and in little memory.
#![allow(clippy::unwrap_used)]

mod common;

use std::fmt::Write;
use std::process::{Command, Output, Stdio};

use common::*;
use lwstat::onnx::*;
use lwstat::{Bindings, Dim, Model};
use prost::Message;

/// Every row is a model and words of what is said of it; all that differ are reported.
fn check(rows: &[(&str, &str)]) {
    let failures: Vec<String> = rows
        .iter()
        .map(|(text, words)| (text, words, said(&model(text))))
        .filter(|(_, words, found)| !found.contains(*words))
        .map(|(text, words, found)| format!("{text}\n    wanted {words}\n    found  {found}"))
        .collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// What is said of a model whose file is small, however much it asks for. That it is said at all is the point: without
/// bounds these models would run for years, or out of memory.
fn soon(name: &str, model: &ModelProto) -> String {
    let bytes = model.encode_to_vec();
    assert!(bytes.len() < 1_000_000, "{name}: {} bytes", bytes.len());
    said(model)
}

#[test]
fn bytes_that_are_no_model() {
    let rows: &[(&[u8], &str)] = &[
        (b"", "the file is empty"),
        (b"hello, world\n", "it is no ONNX model, or it is cut off"),
        (b"PK\x03\x04\x14\x00\x00\x08\x08\x00archive/data.pkl", "it is no ONNX model, or it is cut off"),
        (b"\x80\x02}q\x00.", "it is no ONNX model, or it is cut off"),
        (b"\x0a\x05", "it is no ONNX model, or it is cut off"),
        (b"\x08\x07", "holds no graph"),
        (&[0xff; 64], "it is no ONNX model, or it is cut off"),
        (&[0; 64], "it is no ONNX model, or it is cut off"),
    ];
    for (bytes, words) in rows {
        let found = Model::read(bytes.to_vec()).and_then(|model| model.report(&Bindings::default()).map(|_| ()));
        let found = found.unwrap_err().to_string();
        assert!(found.contains(words), "{bytes:?}: {found}");
    }
}

#[test]
fn a_file_cut_off_anywhere_is_an_error_or_a_smaller_model() {
    let bytes = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/graphs/squeezenet_1.1.onnx")).unwrap();
    for length in (1..bytes.len()).step_by(bytes.len() / 150) {
        let found = Model::read(bytes[..length].to_vec()).and_then(|model| model.report(&Bindings::default()));
        let found = found.unwrap_err().to_string();
        assert!(found.contains("cut off") || found.contains("no graph"), "{length}: {found}");
    }
}

#[test]
fn names_that_are_no_text_are_decoding_errors() {
    let mut bytes = model("in x f32[1]; Relu x -> marker; out marker").encode_to_vec();
    let at = bytes.windows(6).position(|window| window == b"marker").unwrap();
    bytes[at] = 0xff;
    assert!(Model::read(bytes).unwrap_err().to_string().contains("UTF-8"));
}

#[test]
fn graphs_that_do_not_connect() {
    check(&[
        ("in x f32[2]; a=Relu y -> z; out z", "node \"a\" (Relu): nothing produces its input \"y\""),
        ("in x f32[2]; a=Relu x -> y; out z", "nothing produces the graph output \"z\""),
        ("in x f32[2]; a=Relu y -> y; out y", "node \"a\" (Relu): it depends on its own output: the graph has a cycle"),
        ("in x f32[2]; a=Add x c -> b; b=Relu b -> c; out c", "the graph has a cycle"),
        ("in x f32[2]; a=Add x d -> b; b=Relu b -> c; c=Neg c -> d; d=Abs x -> e; out e", "the graph has a cycle"),
        ("in x f32[2]; b=Relu y -> z; a=Neg x -> y; out z", "ok f32[2]"),
        ("in x f32[2]; a=Relu x -> y; b=Neg x -> y; out y", "node \"b\" (Neg): two producers of the tensor \"y\""),
        ("in x f32[2]; a=Relu x -> x; out x", "two producers of the tensor \"x\""),
        ("in x f32[2]; init w f32[2]; init w f32[2]; Add x w -> y; out y", "two producers of the tensor \"w\""),
        ("in x f32[2]; in x f32[2]; Relu x -> y; out y", "two producers of the tensor \"x\""),
        ("in x f32[2]; init x f32[2]{1,2}; Relu x -> y; out y", "ok f32[2]"),
        ("in x f32[2]; out x", "ok f32[2]"),
        ("init w f32[3]; out w", "ok f32[3]"),
        ("in x f32[2]; out x x", "ok f32[2] f32[2]"),
        ("in x f32[2]; Relu x -> y; out y y", "ok f32[2] f32[2]"),
        ("in x f32[2]; Relu x; Relu x -> y; out y", "ok f32[2]"),
        ("in x; Relu x -> y; out y", "ok ?[*] at least"),
        ("in x f32[*]; Relu x -> y; out y", "ok f32[*] at least"),
        ("", "ok "),
        ("out _", "nothing produces the graph output \"_\""),
    ]);
}

fn plain_style() -> lwstat::render::Style<'static> {
    let view = lwstat::summary::View { by: lwstat::summary::By::Op, depth: 1, sort: None, top: None };
    lwstat::render::Style { view, width: 100, color: false, exact: false, plan: true, figures: None, charts: &[] }
}

#[test]
fn no_format_shows_an_unknown_operator_as_free() {
    let report = report(&model("in x f32[2,3]; Relu x -> a; v::Frob a -> y; out y")).unwrap();
    let csv = format!("Frob (v),0,1{},unknown\r\n", ",0".repeat(lwstat::cost::METRICS.len()));
    for (format, words) in [("text", "≥ 0"), ("csv", &*csv), ("md", "| ≥ 0 |"), ("html", ">≥ 0<")] {
        let format = lwstat::render::FORMATS.iter().find(|other| other.name == format).unwrap();
        let shown = (format.report)(&report, &plain_style()).unwrap();
        let row = shown.split_inclusive('\n').find(|row| row.contains("Frob (v)")).unwrap_or_default();
        assert!(row.contains(words), "{}: {shown}", format.name);
    }
}

#[test]
fn what_branches_store_is_no_bound() {
    let then = graph("init w f32[3,3]; MatMul x w -> a; out a");
    let other = graph("init v f32[3,3]; MatMul x v -> a; Relu a -> b; out b");
    let held = with_body(with_body(node("If c -> y"), "then_branch", then), "else_branch", other);
    let mut outer = graph("in c bool[]; in x f32[2,3]; out y");
    outer.node.push(held);
    let report = report(&model_of(outer)).unwrap();
    let relu = report.nodes.iter().find(|node| &*node.op_type == "Relu").unwrap();
    assert_eq!((&*relu.inputs[0], &*relu.outputs[0]), ("If_0/else_branch/a", "If_0/else_branch/b"));
    for name in report.nodes.iter().flat_map(|node| node.inputs.iter().chain(&node.outputs)) {
        assert!(report.tensors.iter().any(|tensor| tensor.tensor.name == *name), "{name} is no tensor");
    }
    let totals = report.totals;
    for (key, count, at_most) in [("macs", 18, true), ("flops", 42, true), ("params", 18, false)] {
        let found = totals.counts.get(key).and_then(Dim::as_int);
        assert_eq!((found, totals.at_most(lwstat::cost::index_of(key).unwrap())), (Some(count), at_most), "{key}");
    }
}

#[test]
fn operators_that_are_not_in_the_table() {
    check(&[
        ("in x f32[2]; Frobnicate x -> y; out y", "ok ?[*] at least: macs macs_causal flops"),
        ("in x f32[2]; Frobnicate x -> y; info y f32[3]; out y", "ok f32[3] at least: macs macs_causal flops"),
        ("in x f32[2]; Frobnicate x -> y; info y f32[3]; Relu y -> z; out z", "ok f32[3] at least"),
        ("in x f32[2]; some.vendor::Relu x -> y; out y", "ok ?[*] at least"),
        ("in x f32[2]; ai.onnx::Relu x -> y; out y", "ok f32[2]"),
        ("in x f32[2]; n= x -> y; out y", "ok ?[*] at least"),
    ]);
    let mut none = model("in x f32[2]; Relu x -> y; out y");
    none.opset_import.clear();
    assert_eq!(said(&none), "ok f32[2]");
    let report = report(&model("in x f32[2]; v::Frob x -> y; out y")).unwrap();
    assert_eq!(report.coverage.unknown_ops[0].op_type, "Frob");
    assert_eq!(report.coverage.unknown_ops[0].domain, "v");
}

#[test]
fn shapes_that_cannot_be() {
    const MAX: &str = "9223372036854775807";
    let overflow = "has more elements than 64-bit integers can count";
    let rows = [
        (
            "in x f32[1,3,8,8]; init w f32[4,3,3]; c=Conv x w -> y; out y".to_string(),
            "node \"c\" (Conv): the weight needs rank 4, it has 3",
        ),
        (format!("in x f32[{MAX},{MAX}]; Relu x -> y; out y"), "the input \"x\" has more elements"),
        (format!("in x f32[{MAX}]; Relu x -> y; out y"), "overflow"),
        (format!("init w f32[{MAX},{MAX}]; in x f32[1]; Add w x -> y; out y"), "the tensor \"w\" has more elements"),
        (
            "init w f32[-3]; in x f32[1]; Add w x -> y; out y".to_string(),
            "the tensor \"w\" would have the impossible shape",
        ),
        ("in x f32[-1,3]; Relu x -> y; out y".to_string(), "ok f32[x.0,3]"),
        (format!("in x f32[1]; init s i64[2]{{{MAX},{MAX}}}; e=Expand x s -> y; out y"), overflow),
        (format!("in x f32[2]; init s i64[1]{{{MAX}}}; t=Tile x s -> y; out y"), overflow),
        (format!("in x f32[2,2]; init s i64[2]{{{MAX},-1}}; r=Reshape x s -> y; out y"), "node \"r\" (Reshape)"),
        (format!("in x f32[2,2]; init s i64[2]{{{MAX},{MAX}}}; r=Reshape x s -> y; out y"), "node \"r\" (Reshape)"),
        (format!("init s i64[2]{{{MAX},{MAX}}}; c=ConstantOfShape s -> y; out y"), overflow),
        ("init s i64[1]{-4}; c=ConstantOfShape s -> y; out y".to_string(), "node \"c\" (ConstantOfShape)"),
        (
            format!(
                "init a i64[]{{0}}; init b i64[]{{{MAX}}}; init d i64[]{{1}}; r=Range a b d -> y; in x i64[1]; Add x y -> z; out z"
            ),
            "overflow",
        ),
        (
            "init a i64[]{0}; init b i64[]{9}; init d i64[]{0}; r=Range a b d -> y; out y".to_string(),
            "node \"r\" (Range)",
        ),
        (format!("in x f32[2]; init p i64[2]{{{MAX},{MAX}}}; p=Pad x p -> y; out y"), overflow),
        ("in x f32[2]; init p i64[2]{-9,0}; p=Pad x p -> y; out y".to_string(), "node \"p\" (Pad)"),
        (
            "in x f32[1,1,4,4]; init s f32[4]{1,1,1e30,1e30}; r=Resize x _ s -> y; out y".to_string(),
            "node \"r\" (Resize)",
        ),
        (format!("in x f32[1,1,4,4]; init s i64[4]{{1,1,{MAX},{MAX}}}; r=Resize x _ _ s -> y; out y"), overflow),
        ("in x f32[1,1,4,4]; init s f32[4]{1,1,NaN,-2}; r=Resize x _ s -> y; out y".to_string(), "node \"r\" (Resize)"),
    ];
    check(&rows.iter().map(|(text, words)| (text.as_str(), *words)).collect::<Vec<_>>());
}

#[test]
fn attributes_that_are_absurd() {
    let conv =
        |attributes: &str| format!("in x f32[1,3,8,8]; init w f32[4,3,3,3]; c=Conv x w -> y {attributes}; out y");
    let rows = [
        (conv("group=0"), "node \"c\" (Conv): `group`"),
        (conv("group=-1"), "node \"c\" (Conv): `group`"),
        (conv("group=2"), "node \"c\" (Conv)"),
        (conv("strides=[0,0]"), "`strides`"),
        (conv("dilations=[0,1]"), "`dilations`"),
        (conv("dilations=[9223372036854775807,1]"), "node \"c\" (Conv)"),
        (conv("pads=[9223372036854775807,1,1,1]"), "node \"c\" (Conv)"),
        (conv("pads=[-9,0,0,0]"), "node \"c\" (Conv)"),
        (conv("pads=[1]"), "`pads`"),
        (conv("kernel_shape=[0,0]"), "`kernel_shape`"),
        (conv("pads=3"), "the attribute `pads` must be a list of integers"),
        (conv("group='two'"), "the attribute `group` must be an integer"),
        (conv("auto_pad=1"), "the attribute `auto_pad` must be a UTF-8 string"),
        (conv("auto_pad='NEVER'"), "`auto_pad`"),
        (conv("group=@nowhere"), "ok f32[1,4,6,6]"),
        ("in x f32[1,3,8,8]; p=MaxPool x -> y kernel_shape=[0,2]; out y".to_string(), "`kernel_shape`"),
        ("in x f32[1,3,8,8]; p=MaxPool x -> y; out y".to_string(), "`kernel_shape`"),
        ("in x f32[1,3,8,8]; p=MaxPool x -> y kernel_shape=[2,2] strides=[-1,1]; out y".to_string(), "`strides`"),
        ("in x f32[2,3]; s=Softmax x -> y axis=5; out y".to_string(), "axis 5 is outside the rank 2"),
        ("in x f32[2,3]; s=Concat x x -> y axis=-3; out y".to_string(), "axis -3 is outside the rank 2"),
        ("in x f32[2,3]; s=Concat x x -> y axis=-9223372036854775808; out y".to_string(), "is outside the rank 2"),
        ("in x f32[2,3]; t=Transpose x -> y perm=[0,0]; out y".to_string(), "node \"t\" (Transpose)"),
        ("in x f32[2,3]; t=Transpose x -> y perm=[0,7]; out y".to_string(), "node \"t\" (Transpose)"),
        ("in x f32[2,3]; s=Split x -> y z num_outputs=0; out y".to_string(), "node \"s\" (Split)"),
        ("in x f32[2,3]; g=Gather x -> y; out y".to_string(), "node \"g\" (Gather): input 1 is missing"),
        ("in x f32[1,4,2,2]; d=DepthToSpace x -> y blocksize=0; out y".to_string(), "node \"d\" (DepthToSpace)"),
        ("in x f32[2,3]; c=Cast x -> y to=99; out y".to_string(), "node \"c\" (Cast)"),
        ("in x f32[2,3]; c=Cast x -> y to=1.5; out y".to_string(), "the attribute `to` must be an integer"),
        ("in x f32[2,3]; f=Flatten x -> y axis=3; out y".to_string(), "node \"f\" (Flatten)"),
        ("in x f32[2,3]; e=Einsum x -> y equation='ij->ik'; out y".to_string(), "node \"e\" (Einsum)"),
        ("in x f32[2,3]; i=If x -> y; out y".to_string(), "node \"i\" (If): the body `then_branch` is missing"),
    ];
    check(&rows.iter().map(|(text, words)| (text.as_str(), *words)).collect::<Vec<_>>());
}

/// Every operator with no, one and many left-out inputs and outputs, and with odd inputs: an answer, whatever it is.
#[test]
fn operators_called_with_nothing_do_not_panic() {
    let mut panics = Vec::new();
    for op in lwstat::ops::all() {
        for inputs in [
            "",
            "_",
            "_ _ _ _ _ _ _ _",
            "x",
            "x x x x x x",
            "x _ x _ x",
            "s s s s",
            "u u u u",
            "e e e e",
            "i i i i i",
            "r r r r r",
            "r u u u u",
            "e u u u u",
            "u r r r r",
            "q u u u u",
            "u q q q q",
            "q q q q",
            "x u u u u u u u u u",
            "u x x x x",
            "x i u u",
        ] {
            for outputs in ["", "y", "_ y", "y z v w"] {
                let mut text = "in x f32[2,3,4,4]; in u; in e f32[0]; in r f32[]; in q f32[*]; init s i64[0]{}; init i i64[3]{-1,0,9223372036854775807};".to_string();
                let domain = if op.domain.is_empty() { "ai.onnx" } else { op.domain };
                write!(text, "n={domain}::{} {inputs} -> {outputs}", op.name).unwrap();
                if std::panic::catch_unwind(|| said(&model(&text))).is_err() {
                    panics.push(text);
                }
            }
        }
    }
    assert!(panics.is_empty(), "\n{}", panics.join("\n"));
}

#[test]
fn tensors_that_are_stored_oddly() {
    let base = || model("in x f32[4,2]; init s i64[2]{2,4}; r=Reshape x s -> y; out y");
    let with = |change: &dyn Fn(&mut TensorProto)| {
        let mut model = base();
        change(&mut model.graph.as_mut().unwrap().initializer[0]);
        said(&model)
    };
    assert_eq!(with(&|_| {}), "ok f32[2,4]");
    assert!(
        with(&|tensor| tensor.raw_data = Some(vec![2, 0, 0].into())).starts_with("ok f32["),
        "a short payload is not known"
    );
    assert!(with(&|tensor| tensor.raw_data = None).starts_with("ok f32["));
    assert_eq!(with(&|tensor| tensor.dims = vec![1 << 40]), "ok ?[*]", "no payload holds a shape of this rank");
    assert!(with(&|tensor| tensor.data_location = 1).starts_with("ok f32["), "external data is not opened");
    // The unpacked form of a packed field is legal.
    let unpacked = |tensor: &mut TensorProto| {
        tensor.raw_data = None;
        tensor.int64_data = vec![vec![2].into(), vec![4].into()];
    };
    assert_eq!(with(&unpacked), "ok f32[2,4]");
    let too_many = |tensor: &mut TensorProto| {
        tensor.raw_data = None;
        tensor.int64_data = vec![vec![2; 100_000].into()];
    };
    assert!(with(&too_many).starts_with("ok f32["));
    check(&[
        ("in x f32[2]; init t string[2]{a,b}; Identity t -> y; out y", "ok string[2]"),
        ("init t f32[2]{1,2}; init u f32[2]; Add t u -> y; out y", "ok f32[2]"),
    ]);
    let mut sparse = model("in x f32[4]; Add x s -> y; out y");
    let values = TensorProto { name: "s".to_string(), data_type: 1, dims: vec![2], ..TensorProto::default() };
    let stored = |dims: Vec<i64>| SparseTensorProto { values: Some(values.clone()), indices: None, dims };
    sparse.graph.as_mut().unwrap().sparse_initializer = vec![stored(vec![4])];
    assert_eq!(said(&sparse), "ok f32[4]");
    assert_eq!(report(&sparse).unwrap().totals.counts.get("params"), Some(&Dim::from(2i64)));
    sparse.graph.as_mut().unwrap().sparse_initializer = vec![stored(vec![i64::MAX, 2])];
    assert!(said(&sparse).contains("more elements than 64-bit integers can count"));
    sparse.graph.as_mut().unwrap().sparse_initializer = vec![SparseTensorProto::default()];
    assert!(said(&sparse).contains("nothing produces its input \"s\""));
}

#[test]
fn names_may_hold_anything_but_are_shown_clean() {
    for name in ["a\nb", "a\u{1b}[31mred", "\u{0}", "\"quoted\"", "a\\b", "\u{202e}rtl", "é×⌊", "a\tb", " "] {
        let mut model = model("in x f32[1,3,8]; init w f32[4,3]; n=Conv x w -> y; out y");
        model.graph.as_mut().unwrap().node[0].name = name.to_string();
        let error = said(&model);
        assert!(error.contains("the weight needs rank 3, it has 2"), "{error}");
        let shown = lwstat::render::number::clean(&error);
        assert!(!shown.chars().any(char::is_control), "{shown:?}");
        let json = serde_json::to_string(&report(&common::model("in x f32[2]; Relu x -> y; out y")).unwrap());
        assert!(json.is_ok());
    }
    let text = "in x f32[n,3]; Relu x -> a; v::Frob a -> y; out y";
    let mut model = model(text);
    let declared = model.graph.as_mut().unwrap().input[0].r#type.as_mut().unwrap().tensor_type.as_mut().unwrap();
    declared.shape.as_mut().unwrap().dim[0].value = Some(DimensionValue::Param("N\u{1b}[31m".to_string()));
    let report = report(&model).unwrap();
    for format in lwstat::render::FORMATS.iter().filter(|format| ["text", "md"].contains(&format.name)) {
        let shown = (format.report)(&report, &plain_style()).unwrap();
        assert!(shown.contains("N\u{fffd}") && !shown.contains('\u{1b}'), "{shown}");
    }
    let long = "n".repeat(20_000);
    let model = common::model;
    assert!(said(&model(&format!("in x f32[2]; {long}=Relu x -> y; out y"))).contains("is longer than 16384 bytes"));
    assert!(said(&model(&format!("in {long} f32[2]; Relu {long} -> y; out y"))).contains("is longer than 16384 bytes"));
}

#[test]
fn functions_that_call_themselves() {
    let calls = |functions: Vec<FunctionProto>| {
        let mut model = model("in x f32[2]; call=f::a x -> y; out y");
        model.functions = functions;
        soon("functions", &model)
    };
    let step = |name: &str, next: &str| function(name, &["x"], &["y"], &format!("f::{next} x -> y"));
    assert!(calls(vec![step("a", "a")]).contains("the function \"a\" calls itself"));
    assert!(calls(vec![step("a", "b"), step("b", "c"), step("c", "a")]).contains("calls itself"));
    assert_eq!(calls(vec![function("a", &["x"], &["y"], "Relu x -> y")]), "ok f32[2]");
    assert_eq!(calls(vec![function("a", &["x"], &["x"], "")]), "ok f32[2]");
    assert!(
        calls(vec![function("a", &["x"], &["y"], "Relu x -> z")]).contains("nothing produces the graph output \"y\"")
    );
    assert!(calls(vec![function("a", &["x"], &["y"], "Relu z -> y")]).contains("nothing produces its input \"z\""));
    assert!(calls(vec![function("a", &["x"], &["y"], "Relu x -> y; Neg x -> y")]).starts_with(""));
    // A thousand calls of a thousand calls of a thousand calls.
    let fan = |name: &str, next: &str| {
        let mut text: String = (0..1000).fold(String::new(), |mut text, index| {
            write!(text, "f::{next} x -> t{index};").unwrap();
            text
        });
        text += "Relu x -> y";
        function(name, &["x"], &["y"], &text)
    };
    let bomb = calls(vec![fan("a", "b"), fan("b", "c"), fan("c", "d"), function("d", &["x"], &["y"], "Relu x -> y")]);
    assert!(bomb.contains("inlining them makes more than"), "{bomb}");
    let chain = (0..100).map(|level| {
        let name = if level == 0 { "a".to_string() } else { format!("l{level}") };
        step(&name, &format!("l{}", level + 1))
    });
    assert!(calls(chain.collect()).contains("functions call functions deeper than 64"));
    // The names of what holds a node are part of its name.
    let mut long = model("in x f32[2]; call=f::a x -> y; out y");
    long.graph.as_mut().unwrap().node[0].name = "c".repeat(16_000);
    long.functions = vec![fan("a", "b"), fan("b", "d"), function("d", &["x"], &["y"], "Relu x -> y")];
    let found = soon("long names", &long);
    assert!(found.contains("inlining them makes more than"), "{found}");
}

#[test]
fn large_attributes_are_not_copied_for_every_call() {
    let mut inner = node("Constant -> y value_ints=@of");
    inner.attribute.push(AttributeProto {
        name: "extra".to_string(),
        graphs: vec![GraphProto::default(); 100_000],
        ..AttributeProto::default()
    });
    let mut callee = function("a", &[], &["y"], "");
    callee.attribute = vec!["of".to_string()];
    callee.node = vec![inner];
    let calls = (0..20_000).fold(String::new(), |mut text, index| {
        write!(text, "f::a -> t{index} of=[1,2];").unwrap();
        text
    });
    let mut model = model(&format!("{calls} out t0"));
    model.functions = vec![callee];
    assert_eq!(soon("attributes", &model), "ok i64[2]");
}

/// `If` in `If` in `If`, in both branches.
fn nested_ifs(depth: usize) -> GraphProto {
    if depth == 0 {
        return graph("Relu x -> y; out y");
    }
    let inner = nested_ifs(depth - 1);
    let branch = with_body(with_body(node("If c -> y"), "then_branch", inner.clone()), "else_branch", inner);
    GraphProto {
        node: vec![branch],
        output: vec![ValueInfoProto { name: "y".to_string(), r#type: None }],
        ..GraphProto::default()
    }
}

#[test]
fn bodies_in_bodies() {
    let mut model = model("in x f32[2]; in c bool[]");
    let graph_of = |model: &mut ModelProto, body: GraphProto| {
        let graph = model.graph.as_mut().unwrap();
        graph.node = body.node;
        graph.output = body.output;
    };
    graph_of(&mut model, nested_ifs(10));
    assert_eq!(soon("ifs", &model), "ok f32[2]");
    // One in one to the depth that protobuf allows, and beyond.
    for depth in [20, 30, 40, 60] {
        let mut body = graph("Relu x -> y; out y");
        for _ in 0..depth {
            let branch = with_body(
                with_body(node("If c -> y"), "then_branch", body),
                "else_branch",
                graph("Relu x -> y; out y"),
            );
            body = GraphProto { node: vec![branch], output: graph("out y").output, ..GraphProto::default() };
        }
        graph_of(&mut model, body);
        let found = soon("depth", &model);
        assert!(
            found == "ok f32[2]" || found.contains("it is no ONNX model") || found.contains("nested deeper"),
            "{depth}: {found}"
        );
    }
}

/// Loops in loops; `grow` makes the state of each change its size.
fn nested_loops(depth: usize, grow: bool) -> GraphProto {
    let step = if grow { "Concat s s -> t axis=0" } else { "Relu s -> t" };
    match depth {
        0 => graph(&format!("in i i64[]; in k bool[]; in s; {step}; Identity k -> l; out l t")),
        _ => {
            let mut body = graph(&format!("in i i64[]; in k bool[]; in s; {step}; Identity k -> l; out l u"));
            body.node.push(with_body(node("Loop m k t -> u"), "body", nested_loops(depth - 1, grow)));
            body
        }
    }
}

#[test]
fn loops_in_loops() {
    for trips in [0, 1, 3, 64, 65, 1 << 40, i64::MAX, -1, i64::MIN] {
        for (depth, grow) in [(0, true), (1, true), (4, true), (12, true), (12, false)] {
            let mut model = model(&format!("in x f32[1]; init m i64[]{{{trips}}}; init c bool[]{{true}}; out y"));
            let node = with_body(node("loop=Loop m c x -> y"), "body", nested_loops(depth, grow));
            model.graph.as_mut().unwrap().node.push(node);
            let found = soon("loops", &model);
            assert!(
                found.starts_with("ok") || found.contains("overflow") || found.contains("64-bit integers"),
                "{trips} {depth}: {found}"
            );
        }
    }
}

#[test]
fn small_files_that_ask_for_much() {
    let mut rows: Vec<(&str, ModelProto, &str)> = Vec::new();
    let chain = |count: usize, of: &dyn Fn(usize) -> String| (0..count).map(of).collect::<Vec<_>>().join(";");
    let empty_nodes = GraphProto { node: vec![NodeProto::default(); 150_000], ..GraphProto::default() };
    rows.push(("empty nodes", model_of(empty_nodes), "ok"));
    let mut wide = model("in x f32[1]; out y");
    let concat = NodeProto { input: vec!["x".to_string(); 300_000], ..node("Concat -> y axis=0") };
    wide.graph.as_mut().unwrap().node.push(concat);
    rows.push(("many inputs", wide, "ok f32[300000]"));
    let doubling = chain(15_000, &|index| format!("Add c{index} c{index} -> c{}", index + 1));
    rows.push((
        "constants used twice",
        model(&format!("init c0 f32[2]; {doubling}; in x f32[2]; Add x c15000 -> y; out y")),
        "ok f32[2]",
    ));
    let readers = chain(8_000, &|index| format!("Add x c{index} -> y{index}"));
    let adding = chain(8_000, &|index| format!("Neg c{index} -> c{}", index + 1));
    rows.push((
        "a long chain of constants with many readers",
        model(&format!("init c0 f32[2]; {adding}; in x f32[2]; {readers}; out y0")),
        "ok f32[2]",
    ));
    let fill = chain(8_000, &|index| format!("ConstantOfShape c{index} -> d{index}; Add x d{index} -> y{index}"));
    let same = chain(8_000, &|index| format!("Identity c{index} -> c{}", index + 1));
    rows.push((
        "generated weights far from their shapes",
        model(&format!("init c0 i64[1]{{3}}; {same}; in x f32[3]; {fill}; out y0")),
        "ok f32[3]",
    ));
    let large = chain(20_000, &|index| format!("Neg c{index} -> c{}", index + 1));
    let range = "init a i64[]{0}; init b i64[]{4096}; init d i64[]{1}; Range a b d -> c0";
    rows.push(("contents at every node", model(&format!("{range}; {large}; out c20000")), "ok"));
    let picks = chain(15_000, &|index| format!("Gather c0 a -> p{index}"));
    rows.push(("large contents read often", model(&format!("{range}; {picks}; out p0")), "ok"));
    let items = chain(20_000, &|index| format!("Identity s{index} -> s{}", index + 1));
    rows.push((
        "long sequences",
        model(&format!("in x f32[4096]; SplitToSequence x -> s0; {items}; SequenceLength s9 -> y; out y")),
        "ok ",
    ));
    let mut deep = model("in x f32[1]; Relu x -> y; out y");
    let dims = vec![DimensionProto::default(); 400_000];
    let shape = Some(TensorShapeProto { dim: dims });
    let tensor_type = Some(TensorTypeProto { elem_type: 1, shape });
    deep.graph.as_mut().unwrap().input[0].r#type = Some(TypeProto { tensor_type, ..TypeProto::default() });
    rows.push(("a rank of 400 000", deep, "the input \"x\" has more than 64 dimensions"));
    rows.push((
        "a stored rank of 300 000",
        {
            let mut model = model("in x f32[1]; init w f32[1]; Add x w -> y; out y");
            model.graph.as_mut().unwrap().initializer[0].dims = vec![1; 300_000];
            model
        },
        "the tensor \"w\" has more than 64 dimensions",
    ));
    let symbols: Vec<String> = (0..400).map(|index| format!("s{index}")).collect();
    let inputs: String = symbols.iter().map(|symbol| format!("in {symbol} f32[{symbol}];")).collect();
    let all = symbols.join(" ");
    let long = chain(20_000, &|index| format!("Relu c{index} -> c{}", index + 1));
    rows.push((
        "a long formula at every node",
        model(&format!("{inputs} Concat {all} -> c0 axis=0; {long}; out c20000")),
        "at least: flops",
    ));
    let square = chain(2000, &|index| {
        format!("Concat c{index} c{index} -> d{index} axis=0; Slice d{index} z z z -> c{}", index + 1)
    });
    rows.push((
        "formulas of formulas",
        model(&format!("{inputs} Concat {all} -> c0 axis=0; init z i64[1]{{1}}; {square}; out c2000")),
        "",
    ));
    let slices = chain(3_000, &|index| {
        format!(
            "Shape x -> h{index}; Add h{index} l{index} -> e{index}; Sub l{index} h{index} -> b{index}; Slice x{index} b{index} e{index} -> x{}; Shape x{} -> l{}",
            index + 1,
            index + 1,
            index + 1
        )
    });
    rows.push((
        "minima of minima",
        model(&format!("in x f32[n]; in x0 f32[m]; init l0 i64[1]{{5}}; {slices}; out x3000")),
        "",
    ));
    let sums = chain(3_000, &|index| format!("Mul l{index} h -> m{index}; Add m{index} g -> l{}", index + 1));
    rows.push(("products of sums", model(&format!("in x f32[n]; in y f32[m]; Shape x -> h; Shape y -> g; Add h g -> l0; {sums}; ConstantOfShape l3000 -> z; out z")), ""));
    let text = format!("a{}", "+b-b".repeat(200_000));
    rows.push((
        "an expression of 800 kB",
        {
            let mut model = model("in x f32[1]; Relu x -> y; out y");
            let dim = DimensionProto { value: Some(DimensionValue::Param(text)) };
            let tensor = model.graph.as_mut().unwrap().input[0].r#type.as_mut().unwrap().tensor_type.as_mut().unwrap();
            tensor.shape = Some(TensorShapeProto { dim: vec![dim] });
            model
        },
        "",
    ));
    rows.push((
        "a long symbol at every node",
        {
            let relus = chain(15_000, &|index| format!("Relu x{index} -> x{}", index + 1));
            model(&format!("in x0 f32[{}]; {relus}; out x15000", "n".repeat(10_000)))
        },
        "at least: flops",
    ));
    rows.push((
        "a long name read by every node of a body",
        {
            let name = "n".repeat(15_000);
            let relus = chain(15_000, &|index| {
                format!("Relu {} -> t{index}", if index == 0 { "s".to_string() } else { format!("t{}", index - 1) })
            });
            let mut model = model("in x f32[1]; init m i64[]{9}; out y");
            let body = graph(&format!("in i i64[]; in k bool[]; in s; {relus}; Identity k -> l; out l s"));
            model.graph.as_mut().unwrap().node.push(with_body(node(&format!("{name}=Loop m _ x -> y")), "body", body));
            model
        },
        "account would be too long",
    ));
    rows.push((
        "bodies with many constants in many runs",
        {
            let constants = chain(20_000, &|index| format!("init c{index} f32[1]{{0}}"));
            let mut model = model("in x f32[1]; init m i64[]{64}; init c bool[]{true}; out y");
            let body = graph(&format!(
                "in i i64[]; in k bool[]; in s; {constants}; Concat s s -> t axis=0; Identity k -> l; out l t"
            ));
            model.graph.as_mut().unwrap().node.push(with_body(node("Loop m c x -> y"), "body", body));
            model
        },
        "ok",
    ));
    for (name, model, words) in rows {
        let found = soon(name, &model);
        assert!(found.contains(words), "{name}: wanted {words}, found {found}");
    }
}

fn lwstat(arguments: &[&str], input: &[u8]) -> (i32, String, String) {
    use std::io::Write;
    let mut command = Command::new(env!("CARGO_BIN_EXE_lwstat"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(input);
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

#[test]
fn the_program_says_what_is_wrong_in_one_sentence() {
    let file = |name: &str, bytes: &[u8]| {
        let folder = tempfile::tempdir().unwrap().keep();
        std::fs::write(folder.join(name), bytes).unwrap();
        folder.join(name).display().to_string()
    };
    let free = file(
        "free.onnx",
        &model("in x f32[n,3,4]; in z f32[n]; init s i64[2]{3,-1}; r=Reshape x s -> y; out y z").encode_to_vec(),
    );
    let fixed =
        file("fixed.onnx", &model("in x f32[1,4,4]; init s i64[1]{16}; r=Reshape x s -> y; out y").encode_to_vec());
    let relu = file("relu.onnx", &model("in x f32[n,3]; Relu x -> y; out y").encode_to_vec());
    let odd = file("odd.onnx", &model("in x f32[2]; v::Frob x -> y; out y").encode_to_vec());
    let empty = file("empty.onnx", b"");
    let text = file("text.onnx", b"hello");
    let rows: &[(&[&str], i32, &str)] = &[
        (&[&free], 0, ""),
        (&[&free, "--strict"], 0, ""),
        (&[&odd], 0, ""),
        (&[&odd, "--strict"], 1, "not exact: 1 node unknown"),
        (&[&empty], 2, "empty.onnx: the file is empty"),
        (&[&text], 2, "text.onnx: it is no ONNX model"),
        (&[&text, "--no-mmap"], 2, "text.onnx: it is no ONNX model"),
        (&["no/such/file.onnx"], 2, "no/such/file.onnx: no such file or directory"),
        (&["no/such/file.onnx", "--no-mmap"], 2, "no/such/file.onnx: no such file or directory"),
        (&["/"], 2, "/: is a directory"),
        (&["-"], 2, "-: the file is empty"),
        (&[&free, "--input", "q=1"], 2, "there is no input \"q\": the model has \"x\", \"z\""),
        (&[&free, "--input", "x=1x3"], 2, "the input \"x\" has 3 dimensions, 2 are given"),
        (&[&free, "--input", "x=2x3x4", "--input", "z=3"], 2, "the dimension n would be 2 and, by the input \"z\", 3"),
        (&[&free, "--input", "x=2x3x4", "--dim", "n=3"], 2, "the dimension n would be 3 and, by the input \"x\", 2"),
        (&[&free, "--input", "x=axb"], 2, "\"axb\" is no shape"),
        (&[&free, "--input", "x=-1x3x4"], 2, "is no shape"),
        (&[&free, "--input", "x=99999999999999999999x3x4"], 2, "is no shape"),
        (&[&free, "--input", "x=9223372036854775807x3x4"], 2, "the input \"x\" has more elements"),
        (&[&free, "--input", "x"], 2, "write NAME=1x3x224x224"),
        (&[&free, "--input", "x=1x3x4", "--input", "x=1x3x4"], 2, "--input x is given twice"),
        (&[&free, "--dim", "n=x"], 2, "the size must be a whole number"),
        (&[&free, "--dim", "n=-2"], 2, "the size must be a whole number"),
        (&[&free, "--dim", "n=9223372036854775808"], 2, "the size must be a whole number"),
        (&[&free, "--dim", "n=9223372036854775807"], 2, "has more elements"),
        (&[&free, "--dim", "n=1", "--dim", "n=2"], 2, "--dim n is given twice"),
        (&[&free, "--dim", "m=1"], 2, "there is no free dimension \"m\": the model has n"),
        (&["lint", &free, "--dim", "m=1"], 2, "there is no free dimension \"m\": the model has n"),
        (&[&fixed, "--dim", "n=1"], 2, "there is no free dimension \"n\": the model has none"),
        (&["lint", &relu], 2, "guidelines can be judged only for known sizes: give --dim for n (n=1)"),
        (&["lint", &relu, "--dim", "n=1"], 0, ""),
        (&[&fixed, "--input", "x=1x5x5"], 2, "node \"r\" (Reshape)"),
        (&[&free, "-o", "no/such/folder/out.txt"], 2, "no/such/folder/out.txt: no such file or directory"),
        (&[&free, "--sort", "beauty"], 2, "there is no metric \"beauty\""),
    ];
    for (arguments, code, words) in rows {
        let (found, _, said) = lwstat(arguments, b"");
        assert_eq!(found, *code, "{arguments:?}: {said}");
        assert!(said.contains(words) && said.lines().count() <= 1, "{arguments:?}: {said}");
    }
    let (code, out, _) = lwstat(&["-"], &std::fs::read(&free).unwrap());
    assert!(code == 0 && !out.is_empty());
}

#[cfg(unix)]
#[test]
fn files_of_every_kind_are_read_and_written() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let model = model("in x f32[2]; Relu x -> y; out y").encode_to_vec();
    std::fs::write(at("m.onnx"), &model).unwrap();
    let run = |input: &std::path::Path, output: &std::path::Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lwstat"));
        command.arg(input).arg("-o").arg(output).output().unwrap()
    };
    // A name that is no text.
    let strange = folder.path().join(std::ffi::OsStr::from_bytes(b"m\xff.onnx"));
    if std::fs::write(&strange, &model).is_ok() {
        assert!(run(&strange, &at("strange.txt")).status.success());
    }
    // An existing file is replaced, a link's target in the link's place, a device is written to.
    std::fs::write(at("old.txt"), "old").unwrap();
    std::os::unix::fs::symlink(at("old.txt"), at("link.txt")).unwrap();
    assert!(run(&at("m.onnx"), &at("link.txt")).status.success());
    assert!(at("link.txt").symlink_metadata().unwrap().is_symlink());
    let report = std::fs::read_to_string(at("old.txt")).unwrap();
    assert!(report.contains("Relu"));
    let to_device = run(&at("m.onnx"), std::path::Path::new("/dev/stdout"));
    assert!(to_device.status.success() && String::from_utf8_lossy(&to_device.stdout).contains("Relu"));
    assert!(run(&at("m.onnx"), std::path::Path::new("/dev/null")).status.success());
    let to_folder = run(&at("m.onnx"), folder.path());
    assert_eq!(to_folder.status.code(), Some(2));
    // A failing run leaves what was there.
    assert_eq!(run(&at("nothing.onnx"), &at("old.txt")).status.code(), Some(2));
    assert_eq!(std::fs::read_to_string(at("old.txt")).unwrap(), report);
    // A pipe has no size and cannot be mapped.
    let pipe = at("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let writer = std::thread::spawn({
        let (pipe, model) = (pipe.clone(), model.clone());
        move || std::fs::write(pipe, model)
    });
    assert!(run(&pipe, &at("piped.txt")).status.success());
    writer.join().unwrap().unwrap();
    assert_eq!(std::fs::read_to_string(at("piped.txt")).unwrap().lines().count(), report.lines().count());
    // A reader that goes away is no error.
    let mut child = Command::new(env!("CARGO_BIN_EXE_lwstat")).arg("ops").stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}
