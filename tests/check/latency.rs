//! Limits on latency: models so much slower than others that no noise decides.

use crate::folder::Folder;

/// A product of large matrices, and of next to nothing.
const SLOW: &str = "in x f32[256,256]; init w f32[256,256]; a=MatMul x w -> y; b=MatMul y w -> z; out z";
const FAST: &str = "in x f32[1]; r=Relu x -> y; out y";

fn folder() -> Folder {
    let folder = Folder::new();
    folder.model("slow.onnx", SLOW);
    folder.model("fast.onnx", FAST);
    folder.model("open.onnx", "in x f32[n,8]; r=Relu x -> y; out y");
    folder.model("strange.onnx", "in x f32[1,8]; s=f::Strange x -> y; out y");
    folder
}

#[cfg(feature = "latency")]
#[test]
fn a_latency_is_held_against_another() {
    let folder = folder();
    for (entry, code, said) in [
        (
            "path: slow.onnx, latency: {against: fast.onnx, most: 1.1, runs: 40}",
            1,
            "times that of fast.onnx, 1.1 is allowed",
        ),
        (
            "path: slow.onnx, latency: {against: fast.onnx, most: 1.1, runs: 40}",
            1,
            "medians of 40 rounds; the ratio is between",
        ),
        ("path: slow.onnx, warn: {latency: {against: fast.onnx, most: 1.1, runs: 40}}", 0, "1 with warnings"),
        ("path: fast.onnx, latency: {against: slow.onnx, most: 1.1, runs: 40}", 0, "of 1.1× slow.onnx"),
        ("path: fast.onnx, latency: {against: slow.onnx, most: 1.1}", 0, "1 passed"),
        ("path: fast.onnx, latency: {against: slow.onnx, most: 1.1, runs: 40, threads: 2}", 0, "1 passed"),
        (
            "path: fast.onnx, latency: {against: slow.onnx, most: 1, runs: 40}, warn: {latency: {against: slow.onnx, most: 1e-9, runs: 40}}",
            0,
            "1 with warnings",
        ),
        // The same sizes, where a model has them.
        ("path: open.onnx, dims: {n: 4}, latency: {against: slow.onnx, most: 1, runs: 40}", 0, "1 passed"),
        ("path: open.onnx, dims: {n: 4}, latency: {against: open.onnx, most: 1000, runs: 40}", 0, "1 passed"),
        ("path: open.onnx, inputs: {x: 4x8}, latency: {against: open.onnx, most: 1000, runs: 40}", 0, "1 passed"),
        (
            "path: fast.onnx, latency: {against: open.onnx, most: 1000}",
            2,
            "open.onnx: the input \"x\" has the free dimension n",
        ),
        (
            "path: open.onnx, latency: {against: fast.onnx, most: 1000}",
            2,
            "open.onnx: the input \"x\" has the free dimension n",
        ),
        ("path: fast.onnx, latency: {against: gone.onnx, most: 1.1}", 2, "gone.onnx: no such file or directory"),
        ("path: fast.onnx, latency: {against: strange.onnx, most: 1.1}", 2, "strange.onnx: tract cannot run the model"),
        (
            "path: strange.onnx, coverage: unknown, latency: {against: fast.onnx, most: 1.1}",
            2,
            "strange.onnx: tract cannot run",
        ),
    ] {
        folder.write("lwstat.yaml", format!("models: [{{{entry}}}]"));
        folder.run(&["check"]).code(code).says(said);
    }
    folder.write("lwstat.yaml", "models: [{path: slow.onnx, latency: {against: fast.onnx, most: 1.1, runs: 40}}]");
    folder.run(&["check", "--report", "text=fast.onnx"]).code(2).says("would overwrite a file that is read");
    let limit = |most: &str| format!("{{latency: {{against: fast.onnx, most: {most}, runs: 40}}}}");
    let entry =
        format!("path: slow.onnx, latency: {{against: slow.onnx, most: 1000, runs: 40}}, warn: {}", limit("1.1"));
    folder.write("lwstat.yaml", format!("models: [{{{entry}}}]"));
    let table = folder.run(&["check", "--format", "md"]).stdout;
    let rows: Vec<&str> = table.lines().filter(|line| line.contains("slow.onnx | latency")).collect();
    assert_eq!(rows.len(), 1, "{table}");
    assert!(rows[0].starts_with("| ⚠️ ") && rows[0].ends_with(" ≤ 1.1× fast.onnx |"), "{table}");
    let defaults = "defaults: {latency: {against: fast.onnx, most: 1.1, runs: 40}}\n";
    for (rest, code, said) in [("", 1, "line 1 of the configuration"), (", latency: null", 0, "nothing is asked of it")]
    {
        folder.write("lwstat.yaml", format!("{defaults}models: [{{path: slow.onnx{rest}}}]"));
        folder.run(&["check"]).code(code).says(said);
    }
}

#[cfg(all(feature = "latency", unix))]
#[test]
fn the_name_of_a_reference_injects_nothing() {
    let folder = folder();
    let name = "r::error file=x::p|<b>&%0A'`@a;\n::warning::q\u{1b}[31m.onnx";
    folder.model(name, FAST);
    let against = serde_json::json!(name);
    folder.write(
        "lwstat.yaml",
        format!("models: [{{path: slow.onnx, latency: {{against: {against}, most: 1.1, runs: 40}}}}, {{path: fast.onnx, latency: {{against: {against}, most: 1000, runs: 40}}}}]"),
    );
    let validator = jsonschema::validator_for(&lwstat::render::check_schema().to_value()).unwrap();
    let json = folder.json(&["check", "--format", "json"]);
    assert!(validator.is_valid(&json), "{json}");
    let finding = &json["models"][0]["findings"][0];
    assert_eq!((&finding["rule"], &finding["metric"]), (&"latency".into(), &"latency".into()));
    assert_eq!(json["models"][1]["numbers"][0]["budget"], format!("1000× {name}"));
    let junit = folder.run(&["check", "--format", "junit"]).stdout;
    assert_eq!(quick_junit::Report::deserialize_from_str(&junit).unwrap().failures, 1);
    let github = folder.run(&["check", "--format", "github"]).stdout;
    assert_eq!(
        github.lines().filter(|line| line.starts_with("::error file=slow.onnx,title=lwstat latency::")).count(),
        1
    );
    assert_eq!(github.lines().count(), 2, "{github}");
    for format in ["text", "md"] {
        let text = folder.run(&["check", "--format", format]).stdout;
        assert!(!text.contains('\u{1b}') && !text.lines().any(|line| line.trim_start().starts_with("::")), "{text}");
        assert!(format == "text" || !text.contains("<b>"), "{text}");
    }
    let sarif = folder.json(&["check", "--format", "sarif"]);
    assert_eq!(sarif["runs"][0]["results"][0]["ruleId"], "latency");
}

#[cfg(not(feature = "latency"))]
#[test]
fn a_build_that_cannot_measure_says_so() {
    let folder = folder();
    folder.write("lwstat.yaml", "models: [{path: fast.onnx, latency: {against: slow.onnx, most: 1.1}}]");
    folder.run(&["check"]).code(2).says("this build cannot measure: build lwstat with its default feature `latency`");
}
