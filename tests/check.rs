//! The gate as people use it: configurations, baselines and git repositories in folders made for the test.

#![allow(clippy::unwrap_used)]

mod common;

#[cfg(unix)]
#[path = "check/action.rs"]
mod action;
#[path = "check/blocks.rs"]
mod blocks;
#[path = "check/folder.rs"]
mod folder;
// Its file names are such as not every system takes.
#[cfg(unix)]
#[path = "check/formats.rs"]
mod formats;
#[path = "check/latency.rs"]
mod latency;
#[path = "check/many.rs"]
mod many;
#[cfg(unix)]
#[path = "check/readme.rs"]
mod readme;

use folder::{Folder, net, renamed};

const LIMITS: &str = "models:\n  - path: net.onnx\n    limits: {macs: +0, params: +1 %, peak_activation_bytes: +0}\n";

#[test]
fn a_widened_block_fails_by_name_until_it_is_blessed() {
    let folder = Folder::new();
    if !folder.is_repository() {
        eprintln!("skipped: there is no git here");
        return;
    }
    folder.write("lwstat.yaml", LIMITS);
    folder.model("net.onnx", &net([16, 16, 16, 16]));
    folder.run(&["bless"]).code(0);
    folder.git(&["add", "."]);
    folder.git(&["commit", "-m", "net"]);
    folder.run(&["check"]).code(0).says("1 model: 1 passed");

    folder.git(&["checkout", "-b", "wider"]);
    folder.model("net.onnx", &net([16, 16, 24, 16]));
    let check = folder.run(&["check"]);
    check.code(1).says("macs grew from").says("+32.77 k  stage2_expand: Conv 1×1 → 1×24×16×16 instead of 1×16×16×16");
    check.says("peak_activation_bytes grew from 40.00 KiB to 56.00 KiB at stage2_act");
    check.says("Blocks by activation_bytes: +16.00 KiB stage2_expand");
    for other in ["stage0", "stage1", "stage3"] {
        check.says_not(other);
    }
    // Each finding by itself, in the words of JSON.
    let json = folder.json(&["check", "--format", "json"]);
    let finding = &json["models"][0]["findings"][0];
    assert_eq!(finding["metric"], "macs");
    assert_eq!(finding["value"].as_i64().unwrap() - finding["baseline"].as_i64().unwrap(), 2 * 8 * 8 * 256);
    assert_eq!(finding["blocks"].as_array().unwrap().len(), 1);
    assert_eq!(finding["blocks"][0]["block"], "stage2_expand");
    assert_eq!(finding["blocks"][0]["node"], "stage2_expand");

    folder.run(&["bless"]).code(0).says("1 model accepted, 1 new or changed");
    folder.run(&["check"]).code(0);
    // A line a total and a line a block: no others differ.
    let changed = folder.git(&["diff", "--numstat", "lwstat.baseline.json"]);
    let (added, removed) = changed.split_once('\t').unwrap();
    let totals = folder.git(&["diff", "-U0", "lwstat.baseline.json"]);
    let blocks = totals.lines().filter(|line| line.starts_with('+') && line.contains("\"block\"")).count();
    assert_eq!(blocks, 1, "{totals}");
    assert_eq!(added, removed.split('\t').next().unwrap());
    assert!(added.parse::<usize>().unwrap() <= 20, "{totals}");
}

#[test]
fn the_baseline_is_the_same_every_time() {
    let folder = Folder::new();
    folder.write("lwstat.yaml", "models: [{path: '*.onnx', limits: {macs: 0}}]");
    folder.model("b.onnx", &net([8, 8, 8, 8]));
    folder.model("a.onnx", &net([8, 16, 8, 8]));
    folder.run(&["bless"]).code(0);
    let first = folder.read("lwstat.baseline.json");
    folder.run(&["bless"]).code(0).says("nothing changed");
    std::fs::remove_file(folder.path("lwstat.baseline.json")).unwrap();
    folder.run(&["bless"]).code(0);
    assert_eq!(folder.read("lwstat.baseline.json"), first);
    assert!(first.find("a.onnx").unwrap() < first.find("b.onnx").unwrap());
}

/// Exporters name nodes as they like, and one folds what the other keeps.
#[test]
fn another_export_of_the_same_network_passes() {
    let folder = Folder::new();
    folder.write("lwstat.yaml", LIMITS);
    folder.model("net.onnx", &net([16, 24, 16, 8]));
    folder.run(&["bless"]).code(0);
    folder.model("net.onnx", &renamed(&net([16, 24, 16, 8])));
    folder.run(&["check"]).code(0);
    // A change beside other names is found where it is.
    folder.model("net.onnx", &renamed(&net([16, 32, 16, 8])));
    let json = folder.json(&["check", "--format", "json"]);
    let blocks = json["models"][0]["findings"][0]["blocks"].as_array().unwrap();
    assert_eq!(blocks.len(), 1);
    assert_eq!(blocks[0]["what"], "Conv 1×1 → 1×32×16×16 instead of 1×24×16×16");

    for (before, after) in [
        ("graphs/mobilenet_v2_1.0.onnx", "fixtures/exports/tv_mobilenet_v2.dynamo.onnx"),
        ("fixtures/exports/tv_shufflenet_v2_x1_0.ts.onnx", "fixtures/exports/tv_shufflenet_v2_x1_0.dynamo.onnx"),
        ("fixtures/exports/tv_squeezenet1_1.ts.onnx", "fixtures/exports/tv_squeezenet1_1.dynamo.onnx"),
    ] {
        folder.copy(before, "net.onnx");
        folder.run(&["bless"]).code(0);
        folder.copy(after, "net.onnx");
        folder.run(&["check"]).code(0);
    }
}

/// Formulas are compared for all sizes, whatever the exporter calls its dimensions.
#[test]
fn open_sizes_are_compared_as_formulas() {
    let folder = Folder::new();
    folder.write("lwstat.yaml", "models: [{path: net.onnx, limits: {macs: +10 %}}]");
    let net = |dim: &str, width: usize| {
        format!("in x f32[{dim},8]; init w f32[8,{width}]; m=MatMul x w -> y; r=Relu y -> z; out z")
    };
    folder.model("net.onnx", &net("batch", 100));
    folder.run(&["bless"]).code(0);
    for (dim, width, code) in [("batch", 100, 0), ("n", 100, 0), ("n", 110, 0), ("n", 111, 1), ("n", 90, 0)] {
        folder.model("net.onnx", &net(dim, width));
        folder.run(&["check"]).code(code);
    }
    folder.write("lwstat.yaml", "models: [{path: net.onnx, budget: {macs: 1 M}}]");
    folder.run(&["check"]).code(2).says("macs depends on open sizes").says("give the entry dims: {n: 1}");
    folder.write("lwstat.yaml", "models: [{path: net.onnx, dims: {n: 4}, budget: {macs: 1 M}}]");
    folder.run(&["check"]).code(0);
    folder.write("lwstat.yaml", "models: [{path: net.onnx, dims: {n: 4}, limits: {macs: 0}}]");
    folder.run(&["check"]).code(2).says("macs of the baseline depends on open sizes (800·batch), now they are fixed");
    folder.write("lwstat.yaml", "models: [{path: net.onnx, dims: {batch: 4}, budget: {macs: 1 M}}]");
    folder.run(&["check"]).code(2).says("there is no free dimension \"batch\": the model has n");
    folder.write("lwstat.yaml", "defaults: {dims: {n: 4, b: 1}}\nmodels: [{path: net.onnx, budget: {macs: 1 M}}]");
    folder.run(&["check"]).code(2).says(
        "lwstat.yaml: line 1, column 25: dims of the defaults: no model has a free dimension \"b\"; take it out, or",
    );
    // Of some models that is not known.
    folder.run(&["bless", "net.onnx"]).code(0);
}

/// Sizes that the data decide are named after nodes, which exporters name as they like.
#[test]
fn sizes_that_the_data_decide_are_compared_whatever_their_names() {
    let folder = Folder::new();
    folder.write("lwstat.yaml", "models: [{path: net.onnx, limits: {nodes: +0, macs: +0, activation_bytes: +0}}]");
    let part = |at: usize, name: &str, width: usize| {
        format!(
            "; init w{at} f32[2,{width}]; {name}=NonZero x -> i{at}; {name}_cast=Cast i{at} -> f{at} to=1; \
             {name}_t=Transpose f{at} -> t{at} perm=[1,0]; {name}_m=MatMul t{at} w{at} -> m{at}; r{at}=Relu m{at} -> y{at}"
        )
    };
    let net = |parts: &[(&str, usize)]| {
        let texts = parts.iter().enumerate().map(|(at, (name, width))| part(at, name, *width));
        let outputs: Vec<String> = (0..parts.len()).map(|at| format!("y{at}")).collect();
        format!("in x f32[4,4]{}; out {}", texts.collect::<String>(), outputs.join(" "))
    };
    folder.model("net.onnx", &net(&[("a", 8), ("b", 16)]));
    folder.run(&["bless"]).code(0);
    let blessed = folder.read("lwstat.baseline.json");
    for (parts, code, said) in [
        (&[("a", 8), ("b", 16)][..], 0, "1 passed"),
        (&[("b", 8), ("a", 16)], 0, "1 passed"),
        (&[("/x/NonZero", 8), ("data_1", 16)], 0, "1 passed"),
        (&[("data_2", 8), ("data_1", 16)], 0, "1 passed"),
        (&[("x.y", 8), ("ä*2", 16)], 0, "1 passed"),
        (&[("b", 8), ("a", 17)], 1, "macs grew from"),
        (&[("b", 8), ("a", 15)], 0, "1 passed"),
        (&[("a", 8)], 0, "1 passed"),
        // Another order of the file.
        (&[("b", 16), ("a", 8)], 0, "1 passed"),
        // One more is more nodes, whatever it decides.
        (&[("c", 4), ("a", 8), ("b", 16)], 1, "nodes grew from 10 to 15, by 5 (+50.0 %): +0 is allowed"),
    ] {
        folder.model("net.onnx", &net(parts));
        folder.run(&["check"]).code(code).says(said);
    }
    folder.model("net.onnx", &net(&[("/x/NonZero", 8), ("data_1", 16)]));
    folder.run(&["bless"]).code(0);
    let named = |text: &str| text.replace("data_1_m", "b_m").replace("\"block\": \"x\"", "\"block\": \"a_m\"");
    let lines =
        |text: &str| text.lines().filter(|line| !line.contains("file_bytes")).map(str::to_string).collect::<Vec<_>>();
    assert_eq!(lines(&named(&folder.read("lwstat.baseline.json"))), lines(&blessed));
}

/// Numbers that are no sums of counts: nodes, and what the file has.
#[test]
fn a_limit_on_nodes_or_the_file_names_blocks() {
    let folder = Folder::new();
    let stored = |width: usize| {
        let values = vec!["1"; 64 * width].join(",");
        format!("in x f32[1,64]; init w f32[64,{width}]{{{values}}}; head=MatMul x w -> y; act=Relu y -> z; out z")
    };
    folder.write("lwstat.yaml", "models: [{path: net.onnx, limits: {nodes: +0, file_bytes: +0}}]");
    folder.model("net.onnx", &net([16, 16, 16, 16]));
    folder.run(&["bless"]).code(0);
    folder.model(
        "net.onnx",
        &net([16, 16, 16, 16]).replace("stage2_act=Relu a2 -> b2", "extra=Abs a2 -> n2; stage2_act=Relu n2 -> b2"),
    );
    let check = folder.run(&["check"]);
    check
        .code(1)
        .says("nodes grew from 16 to 17, by 1 (+6.2 %): +0 is allowed +1 stage2_expand: Conv 1×1 → 1×16×16×16: +1 Abs");
    check
        .says("file_bytes grew from")
        .says("+0 is allowed (by what the file has beside its weights: constants, names, metadata)");
    let json = folder.json(&["check", "--format", "json"]);
    let nodes =
        json["models"][0]["findings"].as_array().unwrap().iter().find(|finding| finding["metric"] == "nodes").unwrap();
    assert_eq!((&nodes["blocks_by"], &nodes["blocks"][0]["nodes"]), (&"nodes".into(), &1.into()));
    folder.model("net.onnx", &stored(8));
    folder.run(&["bless"]).code(0);
    folder.model("net.onnx", &stored(9));
    folder
        .run(&["check"])
        .code(1)
        .says("file_bytes grew from")
        .says("Blocks by weight_bytes: +256 B head: MatMul → 1×9 instead of 1×8");
}

/// What cannot be judged never passes, and a sentence says what to do.
#[test]
fn what_cannot_be_judged_exits_2() {
    let entry = |rest: &str| format!("models:\n  - path: net.onnx\n    {rest}\n");
    for (config, said) in [
        (entry("budget: {mcas: 3 M}"), "line 3, column 14: there is no metric \"mcas\" (did you mean \"macs\"?)"),
        (entry("buget: {macs: 3 M}"), "unknown field `buget`, expected one of path,"),
        (entry("buget: {macs: 3 M}"), "at line 3, column 5 (did you mean \"budget\"?)"),
        (entry("budget: {macs: 5 MiB}"), "line 3, column 20: \"5 MiB\" counts bytes, but macs is a number of things"),
        (entry("budget: {weight_bytes: 5 M}"), "write it as 5 MiB"),
        (entry("budget: {top1: 5}"), "only what is counted and better where it is less can be"),
        (entry("limits: {macs: -1 %}"), "it says how much more is allowed, write +0 or +1 %"),
        (entry("warn: {limits: {macs: +1 KiB}}"), "line 3, column 27:"),
        (entry("device: stm32"), "there is no device \"stm32\""),
        (entry("budget: {roofline_ms: 3 ms}"), "line 3, column 14: roofline_ms is the time on a device: give device"),
        (entry("deny: [G5]"), "there is no guideline \"G5\""),
        (entry("from: 101"), "write 0 to 100"),
        (entry("coverage: all"), "at line 3"),
        (entry("figures: hold"), "none are on record for \"net\""),
        (entry("inputs: {x: 1×a}"), "\"1×a\" is no shape"),
        (entry("inputs: {y: 1x8x16x16}"), "\"y\""),
        (
            entry("latency: {against: '', most: 1}"),
            "the path is empty: name the model that is measured beside this one",
        ),
        (entry("latency: {against: other.onnx}"), "missing field `most`"),
        (entry("latency: {against: other.onnx, most: 0}"), "line 3, column 42: most is how many times as long"),
        (entry("latency: {against: other.onnx, most: .inf}"), "write 1.1"),
        (entry("latency: {against: other.onnx, most: 1, runs: 7}"), "fewer than 8 rounds do not bound a median"),
        (entry("latency: {against: other.onnx, most: 1, threads: 0}"), "threads are 1 to 1024"),
        (entry("latency: {against: other.onnx, mots: 1}"), "(did you mean \"most\"?)"),
        (entry("limits: {macs: 0}"), "there are limits, but no baseline lwstat.baseline.json; run lwstat bless"),
        ("models: [{path: gone.onnx}]".into(), "gone.onnx: no such file or directory; mend the model or its entry"),
        ("models: [{path: 'gone*.onnx'}]".into(), "gone*.onnx: no file matches this pattern"),
        ("models: [{path: empty}]".into(), "there is no .onnx file in this directory"),
        ("models: [{path: lwstat.yaml}]".into(), "it is no ONNX model"),
        ("models: [{path: ''}]".into(), "the path is empty"),
        ("models: []".into(), "it names no models"),
        ("models: [{path: net.onnx}, {path: net.onnx}]".into(), "give one of the entries a name"),
        ("models: [{path: 'n*.onnx', name: n}, {path: 'o*.onnx', name: n}]".into(), "is a model of line 1 already"),
        ("models: [{path: '*.onnx', name: n}]".into(), "a name is for one model"),
        ("model: []".into(), "did you mean \"models\"?"),
        // What to write, and not what a parser met.
        (String::new(), "it names no models: lwstat init --force writes an entry"),
        ("# nothing\n".into(), "it names no models: lwstat init --force writes an entry"),
        ("net.onnx".into(), "a map such as {key: value} is expected at line 1, column 1"),
        ("models: net.onnx".into(), "a list such as [net.onnx] is expected at line 1, column 9"),
        ("models: null".into(), "a list such as [a, b] is expected"),
        ("models: [{path: *.onnx}]".into(), "quotes are expected around what begins with *, at line 1, column 17"),
        ("models:\n\t- path: a".into(), "spaces are expected, no tab, at line 2"),
        ("models: []\n<<<<<<< HEAD\n".into(), "line 2: it holds marks of a merge conflict: resolve it"),
        ("baseline: ''\nmodels: [{path: net.onnx}]".into(), "line 1, column 11: the path is empty: name the baseline"),
        (entry("path: other.onnx"), "it has twice the key path at line 3, column 5"),
        (entry("deny: G2"), "a list such as [G2] is expected at line 3, column 11"),
        (entry("from: 5 %"), "a plain number such as 1.5 is expected, without a unit, at line 3, column 11"),
        (entry("dims: {n: x}"), "a whole number such as 1 is expected at line 3, column 15"),
        (entry("budget: {macs: [3]}"), "a word or a number is expected at line 3, column 20"),
        (entry("coverage: [exact]"), "a word is expected at line 3, column 15"),
        (entry("name: ''"), "line 3, column 11: the name is empty: name the model, or leave it out"),
        (
            entry("limits: {macs: 1.05}"),
            "line 3, column 20: \"1.05\" is no limit: it is by how much macs may grow, write +5 %",
        ),
        (entry("budget: {macs: 1.5}"), "line 3, column 20: \"1.5\" is a fraction"),
        (
            entry("budget: {latency: 5 ms}"),
            "line 3, column 14: a latency is limited by its ratio to another model's: write",
        ),
        (entry("limits: {latency_ms: +0}"), "write latency: {against: MODEL, most: 1.1} beside budget and limits"),
        ("models: {".into(), "it is no configuration of lwstat check"),
    ] {
        let folder = Folder::new();
        folder.model("net.onnx", &net([8, 8, 8, 8]));
        folder.model("other.onnx", &net([8, 8, 8, 8]));
        std::fs::create_dir(folder.path("empty")).unwrap();
        folder.write("lwstat.yaml", &config);
        folder.run(&["check"]).code(2).says(said);
    }
    let folder = Folder::new();
    folder.run(&["check"]).code(2).says("there is no lwstat.yaml here or in a folder above: lwstat init writes");
}

#[test]
fn a_baseline_that_does_not_fit_exits_2() {
    let folder = Folder::new();
    folder.write("lwstat.yaml", LIMITS);
    folder.model("net.onnx", &net([8, 8, 8, 8]));
    folder.run(&["bless"]).code(0);
    let good = folder.read("lwstat.baseline.json");
    let twice = good.replacen("\"models\": {", "\"models\": {\"net.onnx\": 1,", 1);
    for (baseline, said) in [
        ("<<<<<<< HEAD\n".to_string(), "line 1: it holds marks of a merge conflict: resolve it"),
        (good.replacen("  \"models\"", "<<<<<<< HEAD\n  \"models\"", 1), "line 3: it holds marks of a merge conflict"),
        (String::new(), "it is no baseline: it is empty; take the file of the last commit"),
        (good[..good.len() / 2].to_string(), "run lwstat bless to write it anew"),
        (good.replace("\"lwstat_baseline\": 1", "\"lwstat_baseline\": 9"), "its version is 9"),
        (twice, "\"net.onnx\" stands in it twice"),
        (
            good.replace("net.onnx", "old.onnx"),
            "the baseline has \"old.onnx\", which the configuration no longer names",
        ),
        (good.replace("net.onnx", "old.onnx"), "it has limits, but the baseline has no entry for it"),
        (good.replace("\"macs\": ", "\"mocs\": "), "the baseline has no such number"),
        (good.replace("\"blocks\": [", "\"blocks\": [5, "), "the entry of \"net.onnx\" cannot be read"),
        // The line is the file's: "macs" is the second total of the first model.
        (
            good.replace("\"macs\": 131072,\n", "\"macs\": [],\n"),
            "lwstat.baseline.json: line 8: the entry of \"net.onnx\" cannot be read: [] is no number for macs; take the",
        ),
        (
            good.replace("\"macs\": 131072,\n", "\"macs\": \"abc\",\n"),
            "lwstat.baseline.json: its entry in the baseline has \"abc\" for macs, which is no count",
        ),
    ] {
        folder.write("lwstat.baseline.json", &baseline);
        folder.run(&["check"]).code(2).says(said);
    }
    folder.write("lwstat.baseline.json", &good);
    folder.run(&["check"]).code(0);
    std::fs::remove_file(folder.path("net.onnx")).unwrap();
    folder.run(&["check"]).code(2).says("net.onnx: no such file or directory");
    folder.run(&["bless", "--force"]).code(2);
    assert_eq!(folder.read("lwstat.baseline.json"), good);
    // A pattern that still matches something hides no model that is gone.
    folder.model("other.onnx", &net([8, 8, 8, 8]));
    folder.write("lwstat.yaml", "models: [{path: '*.onnx', budget: {macs: 1 G}}]");
    folder.run(&["check"]).code(2).says("the baseline has \"net.onnx\"");
}

#[test]
fn every_rule_fails_or_warns_as_it_is_asked_to() {
    for (rest, code, said) in [
        ("budget: {macs: 310 M}", 0, "macs 300.8 M of 310 M"),
        ("budget: {macs: 300 M}", 1, "macs is 300.8 M, over its budget of 300 M by 774.3 k"),
        ("budget: {macs: 300774272}", 0, "passed"),
        ("budget: {macs: 300774271}", 1, "by 1"),
        ("warn: {budget: {macs: 300 M}}", 0, "1 with warnings"),
        ("budget: {macs: 310 M}, warn: {budget: {macs: 300 M}}", 0, "1 with warnings"),
        ("budget: {peak_activation_bytes: 9 MiB}", 1, "peak_activation_bytes is 9.188 MiB at /features/features.2"),
        ("budget: {best_in_place_bytes: 1 MiB}", 1, "best_in_place_bytes is"),
        ("budget: {G4: 5 %}", 1, "G4 is 74.9 %, over its budget of 5 % by 69.9 %"),
        ("budget: {nodes: 10}", 1, "nodes is"),
        ("device: raspberry-pi-5", 0, "passed"),
        ("device: stm32h743", 1, "it does not fit the flash of STM32H743"),
        ("device: stm32h743", 1, "it does not fit the RAM of STM32H743"),
        ("device: stm32h743, budget: {roofline_ms: 1 s}", 1, "it does not fit the RAM"),
        ("deny: [G4]", 1, "G4 (little element-wise work) is not kept"),
        ("deny: [G4], from: 80", 0, "passed"),
        ("deny: [all]", 1, "G1 (equal channel widths) is not kept"),
        ("coverage: exact", 0, "passed"),
        ("figures: hold", 0, "passed"),
        ("figures: hold, as: mobilenet_v2_1.4", 1, "the published macs of mobilenet_v2_1.4 are"),
        ("budget: {macs: 1 G}, inputs: {input: 1x3x448x448}", 1, "macs is 1.1"),
        ("name: nothing", 0, "nothing is asked of it"),
    ] {
        let folder = Folder::new();
        folder.copy("graphs/mobilenet_v2_1.0.onnx", "mobilenet_v2_1.0.onnx");
        folder.write("lwstat.yaml", format!("models: [{{path: mobilenet_v2_1.0.onnx, {rest}}}]"));
        folder.run(&["check"]).code(code).says(said);
    }
}

#[test]
fn a_cost_that_is_not_known_does_not_pass() {
    let folder = Folder::new();
    folder.model("net.onnx", "in x f32[1,8]; s=f::Strange x -> y; r=Relu x -> z; out y z");
    for (rest, code, said) in [
        ("", 1, "(1 f:Strange)"),
        (", coverage: unknown", 0, "passed"),
        (", coverage: exact", 1, "unknown"),
        // No dimension is free, so none is asked for.
        (", deny: [G2]", 2, "declare the shape of its outputs in value_info ✗ the cost of 1 node is unknown"),
    ] {
        folder.write("lwstat.yaml", format!("models: [{{path: net.onnx, budget: {{macs: 1 M}}{rest}}}]"));
        folder.run(&["check"]).code(code).says(said);
    }
}

/// A lower bound proves nothing against a number that was exact; the baseline knows which numbers are bounds.
#[test]
fn bounds_are_compared_as_bounds() {
    let known = "in x f32[1,8]; init w f32[8,8]; m=MatMul x w -> y; r=Relu y -> z; out z";
    let partly =
        |width: usize| format!("in x f32[1,8]; init w f32[8,{width}]; m=MatMul x w -> y; s=f::Strange y -> z; out z");
    let lower = "is ≥ 64, a lower bound, the baseline has 64: it is open whether +0 is kept";
    for (before, after, code, said) in [
        (known.to_string(), partly(8), 0, lower),
        (known.to_string(), partly(4), 0, "is ≥ 32, a lower bound"),
        (known.to_string(), partly(9), 1, "macs grew from 64 to ≥ 72, by ≥ 8 (+12.5 %): +0 is allowed"),
        // As far as they are known.
        (partly(8), partly(8), 0, "1 passed"),
        (partly(8), partly(4), 0, "1 passed"),
        (partly(8), partly(9), 1, "macs grew from ≥ 64 to ≥ 72, by 8"),
        (partly(8), known.to_string(), 0, "1 passed"),
    ] {
        let folder = Folder::new();
        folder.write("lwstat.yaml", "models: [{path: net.onnx, coverage: unknown, limits: {macs: +0}}]");
        folder.model("net.onnx", &before);
        folder.run(&["bless"]).code(0);
        folder.run(&["check"]).code(0).says("1 passed");
        assert_eq!(folder.read("lwstat.baseline.json").contains("at_least"), before.contains("Strange"));
        folder.model("net.onnx", &after);
        folder.run(&["check"]).code(code).says(said).says_not("heaper than the baseline");
    }
}

#[test]
fn defaults_hold_where_entries_do_not_say_otherwise() {
    let folder = Folder::new();
    folder.model("a.onnx", &net([8, 8, 8, 8]));
    folder.model("b.onnx", &net([64, 64, 64, 64]));
    let defaults = "defaults: {budget: {macs: 150 k, nodes: 99}}\n";
    for (models, code, said) in [
        ("[{path: '*.onnx'}]", 1, "1 passed, 1 failed"),
        ("[{path: '*.onnx', budget: {macs: 10 M}}]", 0, "2 passed"),
        ("[{path: '*.onnx', budget: {macs: null}}]", 0, "2 passed"),
        ("[{path: '*.onnx', budget: {macs: }}]", 0, "2 passed"),
        // An empty map, or nothing, says nothing; null for one word takes back what was said.
        ("[{path: '*.onnx', budget: null, limits: , warn: , dims: ~, inputs: null}]", 1, "1 passed, 1 failed"),
        ("[{path: a.onnx, device: stm32h743, deny: [all]}]", 1, "is not kept"),
        ("[{path: a.onnx, device: null, deny: null}]", 0, "1 passed"),
        // What an entry names is no part of another's pattern.
        ("[{path: '*.onnx'}, {path: b.onnx, budget: {macs: 10 M}}]", 0, "2 passed"),
        ("[{path: .}, {path: ./b.onnx, budget: {macs: 10 M}}]", 0, "2 passed"),
        ("[{path: a.onnx}, {path: a.onnx, name: again, budget: {macs: 1}}]", 1, "again"),
    ] {
        folder.write("lwstat.yaml", format!("{defaults}models: {models}\n"));
        folder.run(&["check"]).code(code).says(said);
    }
}

#[test]
fn a_configuration_is_found_from_below() {
    let folder = Folder::new();
    folder.write("lwstat.yaml", LIMITS);
    folder.model("net.onnx", &net([8, 8, 8, 8]));
    std::fs::create_dir_all(folder.path("deep/er")).unwrap();
    folder.run_in("deep/er", &["bless"]).code(0);
    folder.run_in("deep/er", &["check"]).code(0).says("../../lwstat.yaml: 1 model: 1 passed");
    folder.run_in("deep", &["check", "-c", "../lwstat.yaml"]).code(0);
    folder.run(&["check"]).code(0);
    folder.run_in("deep", &["check", "--baseline", "none.json"]).code(2).says("no baseline none.json");
}

#[test]
fn bless_refuses_what_no_baseline_can_allow() {
    let folder = Folder::new();
    folder.write("lwstat.yaml", "models: [{path: '*.onnx', budget: {macs: 150 k}, limits: {macs: 0}}]");
    folder.model("a.onnx", &net([8, 8, 8, 8]));
    folder.run(&["bless"]).code(0);
    let first = folder.read("lwstat.baseline.json");
    folder.model("b.onnx", &net([64, 8, 8, 8]));
    folder.run(&["bless"]).code(2).says("nothing is accepted: b.onnx: macs is").says("--force accepts it");
    assert_eq!(folder.read("lwstat.baseline.json"), first);
    folder.run(&["bless", "--force"]).code(0);
    folder.run(&["check"]).code(1).says("over its budget").says_not("grew");
    // One model alone.
    folder.model("a.onnx", &net([8, 8, 8, 4]));
    folder.model("b.onnx", &net([8, 8, 8, 4]));
    folder.run(&["check"]).code(0).says("Cheaper than the baseline: 2 models; lwstat bless holds that.");
    folder.run(&["bless", "b.onnx"]).code(0).says("1 model accepted");
    folder.run(&["check"]).code(0).says("baseline: 1 model; lwstat bless");
    folder.run(&["bless", "c.onnx"]).code(2).says("has no model \"c.onnx\"").says("it has a.onnx, b.onnx");
}

/// Once it is accepted, a limit can be judged.
#[test]
fn bless_refuses_what_check_cannot_judge() {
    let folder = Folder::new();
    folder.model(
        "net.onnx",
        "in x f32[a,8]; in y f32[b,8]; c=Concat x y -> j axis=0; r=Relu j -> z; s=Relu x -> w; out z w",
    );
    for (rest, said) in [
        ("limits: {macs: +0}", None),
        ("dims: {a: 1, b: 2}, limits: {peak_activation_bytes: +0}", None),
        ("limits: {peak_activation_bytes: +0}", Some("give the entry dims: {a: 1, b: 1}")),
        ("warn: {limits: {peak_activation_bytes: +0}}", Some("give the entry dims: {a: 1, b: 1}")),
    ] {
        folder.write("lwstat.yaml", format!("models: [{{path: net.onnx, {rest}}}]"));
        match said {
            None => {
                folder.run(&["bless"]).code(0);
                folder.run(&["check"]).code(0);
            }
            Some(said) => {
                let sentence = folder.run(&["bless", "--force"]).code(2).says(said).stderr.clone();
                folder.run(&["check"]).code(2).says(&sentence);
            }
        }
    }
}

/// Of one model: no other entry changes, though its model is gone, so that no deletion passes.
#[test]
fn bless_of_a_model_keeps_all_other_entries() {
    let folder = Folder::new();
    folder.write(
        "lwstat.yaml",
        "models: [{path: nets, limits: {macs: 0}}, {path: c.onnx, name: sea, limits: {macs: 0}}]",
    );
    for name in ["nets/a.onnx", "nets/b.onnx", "c.onnx"] {
        folder.model(name, &net([8, 8, 8, 8]));
    }
    folder.run(&["bless"]).code(0).says("3 models accepted");
    std::fs::remove_file(folder.path("nets/b.onnx")).unwrap();
    for (from, model, accepted) in [
        ("", "nets/a.onnx", true),
        ("", "./nets/../nets/a.onnx", true),
        ("nets", "a.onnx", true),
        ("nets", "nets/a.onnx", true),
        ("nets", "../nets/a.onnx", true),
        ("nets", "../c.onnx", true),
        ("", "c.onnx", true),
        ("", "sea", true),
        ("", "nets/aa.onnx", false),
        ("nets", "c.onnx", false),
    ] {
        let ran = folder.run_in(from, &["bless", model]);
        match accepted {
            true => ran.code(0).says("nothing changed"),
            false => ran.code(2).says("has no model"),
        };
        folder
            .run(&["check"])
            .code(2)
            .says("the baseline has \"nets/b.onnx\", which the configuration no longer names");
    }
    let whole = folder.path("nets/a.onnx").display().to_string();
    folder.run(&["bless", &whole]).code(0);
    folder.run(&["bless", "nets/aa.onnx"]).code(2).says("(did you mean \"nets/a.onnx\"?)");
    folder.run(&["bless"]).code(0).says("entries of models that are gone taken out");
    folder.run(&["check"]).code(0);
}

/// A baseline, one that was mangled, or nothing: what else is there is not overwritten.
#[test]
fn bless_overwrites_baselines_alone() {
    let folder = Folder::new();
    folder.model("net.onnx", &net([8, 8, 8, 8]));
    folder.model("other.onnx", &net([8, 8, 8, 8]));
    folder.write("lwstat.yaml", "models: [{path: net.onnx, limits: {macs: 0}}]");
    folder.run(&["bless"]).code(0);
    let good = folder.read("lwstat.baseline.json");
    for (there, code) in [
        ("", 0),
        ("{", 0),
        ("{\n  \"lwstat_ba", 0),
        (&good[..good.len() / 2], 0),
        ("<<<<<<< HEAD\n{", 0),
        (&*good.replace("\"models\"", "<<<<<<< HEAD\n\"models\""), 0),
        (&*good.replace("\"lwstat_baseline\": 1", "\"lwstat_baseline\": 9"), 2),
        ("{}", 2),
        ("{\"models\": 1}", 2),
        ("notes", 2),
        ("[1]", 2),
    ] {
        folder.write("b.json", there);
        let ran = folder.run(&["bless", "--baseline", "b.json"]);
        ran.code(code);
        assert_eq!(folder.read("b.json"), if code == 0 { &good } else { there });
        if code == 2 {
            ran.says("b.json: it is no baseline, or one of a later lwstat: --force overwrites it");
            folder.run(&["bless", "--force", "--baseline", "b.json"]).code(0);
            assert_eq!(folder.read("b.json"), good);
        }
        // Others' entries could not be kept.
        folder.write("b.json", there);
        folder.run(&["bless", "net.onnx", "--force", "--baseline", "b.json"]).code(2);
    }
    folder.copy("fixtures/devices/stm32h743.yaml", "mcu.yaml");
    folder.write("lwstat.yaml", "models: [{path: net.onnx, device: mcu.yaml, limits: {macs: 0}}]");
    for read in ["net.onnx", "lwstat.yaml", "mcu.yaml"] {
        let bytes = std::fs::read(folder.path(read)).unwrap();
        folder.run(&["bless", "--force", "--baseline", read]).code(2).says("would overwrite a file that is read");
        assert_eq!(std::fs::read(folder.path(read)).unwrap(), bytes);
    }
    folder.run(&["bless", "--baseline", "other.onnx"]).code(2).says("it is no baseline");
    folder.run(&["bless", "--baseline", ".", "--force"]).code(2).says("is a directory");
    assert_eq!(std::fs::read_dir(folder.path("")).unwrap().count(), 6, "nothing is left beside the baseline");
    folder.write("lwstat.yaml", "models: [{path: net.onnx, limits: {macs: 0}}]");
    let printed = folder.run(&["bless", "--baseline", "-"]);
    assert_eq!(printed.code(0).stdout, good);
}

/// What cannot be sought is read once; who reads no further ends it.
#[cfg(unix)]
#[test]
fn baselines_come_from_pipes_and_go_into_them() {
    let folder = Folder::new();
    folder.model("net.onnx", &net([8, 8, 8, 8]));
    folder.write("lwstat.yaml", "models: [{path: net.onnx, limits: {macs: 0}}]");
    let shell = |line: &str| {
        let line = line.replace("lwstat", env!("CARGO_BIN_EXE_lwstat"));
        let run = std::process::Command::new("sh").args(["-c", &line]).current_dir(folder.path("")).output().unwrap();
        (run.status.code(), String::from_utf8(run.stdout).unwrap(), String::from_utf8(run.stderr).unwrap())
    };
    let (_, first, _) = shell("lwstat bless --baseline /dev/stdout | head -n 1");
    assert_eq!(first, "{\n");
    folder.run(&["bless"]).code(0);
    let (code, said, errors) = shell("cat *.json | lwstat check --baseline /dev/stdin");
    assert_eq!(code, Some(0), "{said}{errors}");
}

#[test]
fn init_writes_what_check_reads() {
    let folder = Folder::new();
    folder.model("nets/a b.onnx", &net([8, 8, 8, 8]));
    folder.model("nets/c.onnx", "in x f32[n,8]; init w f32[8,8]; m=MatMul x w -> y; out y");
    folder.model("target/built.onnx", &net([8, 8, 8, 8]));
    folder.write("nets/broken.onnx", "no model");
    let init = folder.run(&["init"]);
    init.code(0).says("lwstat.yaml: 2 models, without 1 model that cannot be analyzed;");
    let config = folder.read("lwstat.yaml");
    assert!(config.contains("- path: \"nets/a b.onnx\"\n    budget: {macs: 140 k, params: 512"), "{config}");
    assert!(config.contains("dims: {\"n\": 1}"), "{config}");
    assert!(config.contains("nets/broken.onnx: it is no ONNX model") && !config.contains("built"), "{config}");
    folder.run(&["bless"]).code(0);
    folder.run(&["check"]).code(0).says("2 models: 2 passed");
    folder.run(&["init"]).code(2).says("it is there already: --force overwrites it");
    assert_eq!(folder.read("lwstat.yaml"), config);
    folder.run(&["init", "--force", "nets/c.onnx"]).code(0);
    assert!(!folder.read("lwstat.yaml").contains("a b.onnx"));
    // What cannot be looked into is no reason to leave out the others.
    let odd = Folder::new();
    odd.model("NET.ONNX", &net([8, 8, 8, 8]));
    odd.model("one.onnx", "in x f32[n,8]; c=Reshape x s -> z; init s i64[2]{16,2}; out z");
    #[cfg(unix)]
    std::os::unix::fs::symlink("gone.onnx", odd.path("dangling.onnx")).unwrap();
    let init = odd.run(&["init"]);
    init.code(0).says("lwstat.yaml: 1 model, without 1 model");
    if cfg!(unix) {
        init.says("dangling.onnx: no such file or directory");
    }
    let config = odd.read("lwstat.yaml");
    assert!(config.contains("- path: NET.ONNX\n"), "{config}");
    assert!(config.contains("one.onnx: with its free dimensions (n) at 1: "), "{config}");
    let empty = Folder::new();
    empty.run(&["init"]).code(2).says("there is no .onnx file in this directory");
    assert!(!empty.path("lwstat.yaml").exists());
}

/// The first sample of docs/ci.md, its latency left out, which no time may decide.
#[test]
fn the_configuration_of_the_documentation_passes() {
    let page = std::fs::read_to_string(format!("{}/docs/ci.md", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let sample = page.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let measured =
        |line: &&str| ["    latency:", "      against:", "      most:"].iter().any(|key| line.starts_with(key));
    assert_eq!(sample.lines().filter(measured).count(), 3);
    let static_part: Vec<&str> = sample.lines().filter(|line| !measured(line)).collect();
    let folder = Folder::new();
    for model in ["graphs/mobilenet_v2_1.0.onnx", "fixtures/wild/bert_4l.ts.onnx"] {
        std::fs::create_dir_all(folder.path(model).parent().unwrap()).unwrap();
        folder.copy(model, model);
    }
    folder.write("lwstat.yaml", static_part.join("\n"));
    folder.run(&["bless"]).code(0);
    folder.run(&["check"]).code(0).says("2 models: 2 passed");
    let whole = serde_yaml::from_str::<serde_json::Value>(sample).unwrap();
    let validator = jsonschema::validator_for(&lwstat::check::file::schema().to_value()).unwrap();
    assert!(validator.is_valid(&whole));
}

/// The schema for editors takes what the program takes, and says where a key is misspelt.
#[test]
fn configurations_follow_the_schema() {
    let validator = jsonschema::validator_for(&lwstat::check::file::schema().to_value()).unwrap();
    let root = env!("CARGO_MANIFEST_DIR");
    let own = std::fs::read_to_string(format!("{root}/lwstat.yaml")).unwrap();
    let full = "baseline: b.json\ndefaults: {coverage: exact, from: 3, warn: {limits: {macs: +1 %}}}\nmodels: [{path: a, \
                name: b, as: c, inputs: {x: 1x2}, dims: {n: 1}, budget: {macs: 3, G1: 5 %, params: null}, deny: [all], \
                device: d, figures: hold, latency: {against: r, most: 1.1, threads: 2, runs: 8}, warn: {latency: null}}]";
    for (text, valid) in [
        (&*own, true),
        (full, true),
        ("defaults:\nmodels: [{path: a, budget: , limits: null, warn: , dims: , deny: null, device: null}]", true),
        ("models: [{path: a, deny: [G5]}]", false),
        ("models: [{path: a, deny: [G1, all], from: 100}]", true),
        ("models: [{path: a, from: 101}]", false),
        ("models: [{path: a, from: -1}]", false),
        ("models: [{path: a, latency: {against: r, most: 0}}]", false),
        ("models: [{path: a, budget: {latency_ms: 3 ms}}]", false),
        ("models: [{path: a, budget: {G4: 5.5, macs: 3}, limits: {macs: 0, roofline_ms: +1 %}}]", true),
        ("models: [{path: a, limits: {macs: 1.05}}]", false),
        ("models: [{path: a, budget: {mcas: 3}}]", false),
        ("models: [{path: a, bugdet: {macs: 3}}]", false),
        ("models: [{budget: {macs: 3}}]", false),
        ("models: [{path: a, latency: {against: r}}]", false),
        ("models: [{path: a, latency: {against: r, most: 1, run: 8}}]", false),
    ] {
        let value: serde_json::Value = serde_yaml::from_str(text).unwrap();
        let errors: Vec<_> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert_eq!(errors.is_empty(), valid, "{text}: {errors:?}");
    }
}

/// What is stored of a model accounts for all of it.
#[test]
fn blocks_add_up_to_the_totals() {
    for path in [
        "graphs/mobilenet_v2_1.0.onnx",
        "graphs/ghostnet_1.0.onnx",
        "graphs/shufflenet_v2_1.0.onnx",
        "fixtures/wild/bert_4l.ts.onnx",
        "fixtures/wild/magika_standard_v3_3.onnx",
        "fixtures/wild/silero_vad_v6.onnx",
    ] {
        let model = lwstat::Model::open(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let report = model.report(&lwstat::Bindings::default()).unwrap();
        let blocks = lwstat::check::blocks::blocks(&report, &|dim| dim.clone());
        for (metric, total) in lwstat::cost::METRICS.iter().zip(&report.totals.counts.0) {
            let sum: Option<lwstat::Dim> = blocks.iter().map(|block| block.counts.get(metric.key).cloned()).sum();
            assert_eq!(&sum, total, "{path}: {}", metric.key);
        }
        let nodes: usize = blocks.iter().map(|block| block.nodes.len()).sum();
        assert_eq!(nodes as u64, report.totals.nodes as u64, "{path}");
        assert!(blocks.len() > 3 && blocks.iter().all(|block| block.nodes.len() <= 64), "{path}: {}", blocks.len());
    }
}
