//! Charts as files: well formed whatever names hold, complete, and refused with a reason where they cannot be drawn.

#![allow(clippy::unwrap_used)]

mod common;

use std::process::{Command, Output};

use prost::Message;

const HOSTILE: &str = "a<b>&\"'</svg>\u{1b}[31m\u{202e}网络";

fn lwstat(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lwstat"));
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap()
}

/// The chart that these arguments draw, as SVG.
fn drawn(arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chart.svg");
    let output = lwstat(&[arguments, &["--chart", path.to_str().unwrap()]].concat());
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    std::fs::read_to_string(path).unwrap()
}

/// All texts of a chart; it must be well-formed XML.
fn texts(svg: &str) -> Vec<String> {
    let document = roxmltree::Document::parse(svg).unwrap();
    let texts = document.descendants().filter(|node| matches!(node.tag_name().name(), "text" | "title"));
    texts.filter_map(|node| node.text().map(str::to_string)).collect()
}

/// A model in which modules, nodes and tensors have hostile names.
fn hostile_model(folder: &std::path::Path) -> String {
    let mut model = common::model("in x f32[1,4,8,8]; init w f32[4,4,1,1]; Conv x w -> t; Relu t -> y; out y");
    for node in &mut model.graph.as_mut().unwrap().node {
        node.name = format!("/{HOSTILE}/{HOSTILE}/{}", node.op_type);
    }
    let path = folder.join("a<b>&'_1.0.onnx");
    std::fs::write(&path, model.encode_to_vec()).unwrap();
    path.display().to_string()
}

#[test]
fn names_are_text_in_every_chart() {
    let folder = tempfile::tempdir().unwrap();
    let model = hostile_model(folder.path());
    for arguments in [
        &["compare", &model, "graphs/ghostnet_1.0.onnx"][..],
        &["compare", &model, "graphs/ghostnet_1.0.onnx", "--size", "params"],
        &["compare", &model, "graphs/ghostnet_1.0.onnx", "--bars", "flops"],
        &[&model],
        &[&model, "--chart-kind", "params", "--depth", "5"],
        &[&model, "--chart-kind", "memory", "--memory"],
        &[&model, "--chart-kind", "roofline", "--device", "rp2040"],
    ] {
        let texts = texts(&drawn(arguments));
        assert!(texts.iter().any(|text| text.contains("a<b>&'")), "{arguments:?}: {texts:?}");
        assert!(texts.iter().all(|text| !text.contains('\u{1b}')));
    }
}

#[test]
fn what_a_chart_cannot_show_it_names() {
    let svg = drawn(&["compare", "graphs", "fixtures/wild/bert_4l.ts.onnx", "README.md", "--bars", "macs"]);
    let notes = texts(&svg);
    assert!(notes.iter().any(|text| text.contains("Not shown") && text.contains("bert_4l.ts, README.md")), "{notes:?}");
}

/// Where accuracy is not known, memory access takes its place.
#[test]
fn the_default_columns_are_those_that_are_known() {
    let wild = ["fixtures/wild/magika_standard_v3_3.onnx", "--dim", "unk__214=1"];
    for (arguments, title) in [
        (&["compare", "graphs"][..], "Top-1 against MACs"),
        (&[&["compare"], &wild[..]].concat()[..], "Memory access bytes against MACs"),
    ] {
        let texts = texts(&drawn(arguments));
        assert_eq!(texts[0], title, "{arguments:?}");
    }
}

#[test]
fn charts_are_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (svg, pdf) = (path("a.svg"), path("a.pdf"));
    let model = "graphs/ghostnet_0.5.onnx";
    let open = "fixtures/wild/bert_4l.ts.onnx";
    let made = tempfile::tempdir().unwrap();
    let made = |name: &str, contents: &[u8]| {
        std::fs::write(made.path().join(name), contents).unwrap();
        made.path().join(name).display().to_string()
    };
    let net = |name: &str, text: &str| made(name, &common::model(text).encode_to_vec());
    let nothing = net("nothing.onnx", "in x f32[2,3]; out x");
    let moves = net("moves.onnx", "in x f32[2,3]; Transpose x -> y; out y");
    let half = net("half.onnx", "in x f32[n,3]; Relu x -> y; out y");
    let strange = net("strange.onnx", "in x f32[2,3]; Transpose x -> t; f::Strange t -> y; out y");
    let saved = made("saved.yaml", b"models: {ghostnet_0.5: {saved: -1.5}, ghostnet_1.0: {saved: 2}}\n");
    let roofline = ["--chart-kind", "roofline", "--device", "pixel-4", "--chart", &svg];
    let under = |model| [&[model], &roofline[..]].concat();
    let sized = ["compare", model, "graphs/ghostnet_1.0.onnx", "--figures", &saved, "--chart", &svg, "--size", "saved"];
    for (arguments, reason) in [
        (&under(&nothing)[..], "nothing.onnx: no node of it runs: there is nothing under a roofline"),
        (
            &under(&moves),
            "moves.onnx: no node of it has arithmetic, and a roofline shows no others: --chart-kind roofline_ms",
        ),
        (&under(&half), "only for known sizes: give --dim for n (n=1)"),
        (&under(&strange), "that of node \"Strange_1\" (f:Strange) is not"),
        (&sized, "the column saved has negative numbers, which no area shows: give --size another"),
        (&[model, "--chart", &pdf], "must end in .svg or .png"),
        (&[model, "--chart", &svg, "--chart-kind", "macz"], "choose one of memory, roofline, macs"),
        (&[model, "--chart", &svg, "--chart-kind", "memory"], "give --memory"),
        (&[model, "--chart", &svg, "--chart-kind", "roofline"], "give --device"),
        (&[open, "--chart", &svg], "give --dim for"),
        (&["compare", model, "--chart", &svg, "--x", "input"], "holds words"),
        (&["compare", model, "--chart", &svg, "--x", "mac"], "there is no column"),
        (&["compare", model, "--x", "macs"], "give --chart"),
        (&["compare", open, "--chart", &svg, "--bars", "macs"], "no model has a number for macs"),
        (&["compare", open, "--chart", &svg], "no model has a number for macs and"),
    ] {
        let output = lwstat(arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(error.contains(reason), "{arguments:?}: {error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{arguments:?}");
    }
}

#[cfg(feature = "png")]
#[test]
fn images_have_twice_the_size_and_their_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chart.png");
    let output = lwstat(&["graphs/ghostnet_0.5.onnx", "--chart", path.to_str().unwrap()]);
    if String::from_utf8_lossy(&output.stderr).contains("no font") {
        return;
    }
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let image = std::fs::read(path).unwrap();
    assert_eq!(&image[..8], b"\x89PNG\r\n\x1a\n");
    let size = |at: usize| u32::from_be_bytes(image[at..at + 4].try_into().unwrap());
    assert_eq!(size(16), 1520);
    assert!(size(20) > 600 && image.len() > 10_000);
}
