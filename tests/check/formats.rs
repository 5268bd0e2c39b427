//! Reports: valid, whole, and nothing injected by what models and paths are called.

use std::collections::BTreeSet;

use crate::folder::{Folder, net};

/// Names that would end a command, a cell, an element or a string.
const HOSTILE: &str =
    "a\n::error file=x::pwned|<b>&amp;%0A\"'`*_[x](y)\u{1b}[31m\u{0}]]>--><script>@all #1\r\n##[error]z";

/// A folder with a model of hostile names that breaks a limit and a budget, beside an entry that cannot be read.
fn hostile() -> Folder {
    let folder = Folder::new();
    let config = |path: &str| {
        format!(
            "models:\n  - {{path: {path}, budget: {{macs: 1 k}}, limits: {{macs: 0}}}}\n  - {{path: ok.onnx, budget: \
             {{macs: 1 M}}}}\n"
        )
    };
    // A path that file systems take; YAML has the escapes of JSON.
    let path = "h::error file=x,line=1::p|<b>&%0A'`@a;\n::warning::q.onnx";
    folder.write("lwstat.yaml", config(&serde_json::json!(path).to_string()));
    let model = |width: usize| {
        let mut model = crate::common::model(&net([8, width, 8, 8]));
        for node in &mut model.graph.as_mut().unwrap().node {
            node.name = format!("{}{HOSTILE}", node.name);
        }
        prost::Message::encode_to_vec(&model)
    };
    folder.model("ok.onnx", &net([8, 8, 8, 8]));
    folder.write(path, model(8));
    folder.run(&["bless", "--force"]).code(0);
    folder.write(path, model(16));
    folder
}

#[test]
fn reports_are_written_together() {
    let folder = hostile();
    let formats = ["text", "json", "md", "junit", "sarif", "github", "gitlab"];
    let reports: Vec<String> = formats.iter().map(|format| format!("--report={format}={format}.out")).collect();
    let mut arguments = vec!["check"];
    arguments.extend(reports.iter().map(String::as_str));
    folder.run(&arguments).code(1);
    for format in formats {
        let shown = folder.run(&["check", "--format", format]).stdout;
        // Lines of text are as long as the terminal is wide.
        let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(plain(&folder.read(&format!("{format}.out"))), plain(&shown));
    }
    folder.run(&["check", "--report", "junit"]).code(2).says("write FORMAT=FILE");
    folder.run(&["check", "--report", "junt=x"]).code(2).says("there is no format \"junt\"");
    folder.run(&["check", "--report", "text=ok.onnx"]).code(2).says("would overwrite a file that is read");
    folder.run(&["check", "--report", "text=lwstat.baseline.json"]).code(2).says("would overwrite");
    folder.run(&["check", "--report", "text=no/such/folder"]).code(2);
}

#[test]
fn the_summary_reads_well_of_one_and_of_many() {
    let file = |name: &str| format!("{{path: {name}}}");
    for (defaults, names, code, said) in [
        ("budget: {macs: 1 G}", &["a.onnx"][..], 0, "1 model: 1 passed"),
        ("budget: {macs: 1 G}", &["a.onnx", "b.onnx"], 0, "2 models: 2 passed"),
        ("warn: {budget: {macs: 1}}", &["a.onnx"], 0, "1 model: 1 with warnings"),
        ("warn: {budget: {macs: 1}}", &["a.onnx", "b.onnx"], 0, "2 models: 2 with warnings"),
        ("budget: {macs: 1}", &["a.onnx"], 1, "1 model: 1 failed"),
        ("budget: {macs: 1}", &["a.onnx", "b.onnx"], 1, "2 models: 2 failed"),
        ("budget: {macs: 1}", &["broken.onnx"], 2, "1 model: 1 not judged"),
        ("budget: {macs: 1}", &["a.onnx", "broken.onnx"], 2, "2 models: 1 failed, 1 not judged"),
        ("budget: {macs: 1 G}", &["x*"], 2, "0 models; 1 error in the configuration"),
        ("budget: {macs: 1 G}", &["a.onnx", "x*"], 2, "1 model: 1 passed; 1 error in the configuration"),
        ("budget: {macs: 1 G}", &["a.onnx", "x*", "y*", "z*"], 2, "1 passed; 3 errors in the configuration"),
        ("coverage: exact", &["strange.onnx"], 1, "the cost of 1 node is unknown (1 f:Strange)"),
        ("coverage: exact", &["stranger.onnx"], 1, "the cost of 2 nodes is unknown (2 f:Strange)"),
    ] {
        let folder = Folder::new();
        folder.model("a.onnx", &net([8, 8, 8, 8]));
        folder.model("b.onnx", &net([8, 8, 8, 8]));
        folder.write("broken.onnx", "no model");
        folder.model("strange.onnx", "in x f32[1,8]; f::Strange x -> y; out y");
        folder.model("stranger.onnx", "in x f32[1,8]; f::Strange x -> y; f::Strange x -> z; out y z");
        let models: Vec<String> = names.iter().map(|name| file(&format!("'{name}'"))).collect();
        folder.write("lwstat.yaml", format!("defaults: {{{defaults}}}\nmodels: [{}]\n", models.join(", ")));
        folder.run(&["check"]).code(code).says(said);
    }
}

#[test]
fn sarif_follows_its_schema() {
    let schema = std::fs::read_to_string(format!("{}/tests/schemas/sarif-2.1.0.json", env!("CARGO_MANIFEST_DIR")));
    let mut schema: serde_json::Value = serde_json::from_str(&schema.unwrap()).unwrap();
    // One of its patterns is no regular expression, and a schema that has such a one is refused whole.
    for of in ["run", "toolComponent"] {
        schema["definitions"][of]["properties"]["language"].as_object_mut().unwrap().remove("pattern");
    }
    let validator = jsonschema::validator_for(&schema).unwrap();
    let folder = hostile();
    let log = folder.json(&["check", "--format", "sarif"]);
    let errors: Vec<_> = validator.iter_errors(&log).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let results = log["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    let location = &results[1]["locations"][0];
    let uri = location["physicalLocation"]["artifactLocation"]["uri"].as_str().unwrap();
    assert!(uri.starts_with("h%3A%3Aerror%20file") && uri.ends_with("q.onnx"), "{uri}");
    let node = location["logicalLocations"][0]["fullyQualifiedName"].as_str().unwrap();
    assert!(node.starts_with("stage1_expand"), "{node}");
    // The schema is one that says no.
    let mut broken = log.clone();
    broken["runs"][0]["results"][0]["level"] = "bad".into();
    assert!(!validator.is_valid(&broken));
}

#[test]
fn json_follows_its_schema() {
    let validator = jsonschema::validator_for(&lwstat::render::check_schema().to_value()).unwrap();
    let errors =
        |json: &serde_json::Value| validator.iter_errors(json).map(|error| error.to_string()).collect::<Vec<_>>();
    let json = hostile().json(&["check", "--format", "json"]);
    assert!(errors(&json).is_empty(), "{:?}", errors(&json));
    assert_eq!(json["level"], "fail");
    assert_eq!(json["models"][0]["findings"].as_array().unwrap().len(), 2);
}

/// Skips where there is no `xmllint`.
#[test]
fn junit_follows_the_schema_of_jenkins() {
    let folder = hostile();
    let schema = format!("{}/tests/schemas/jenkins-junit.xsd", env!("CARGO_MANIFEST_DIR"));
    let validate = |file: &str| {
        let mut command = std::process::Command::new("xmllint");
        command.args(["--noout", "--nonet", "--schema", &schema]).arg(folder.path(file)).output()
    };
    folder.write("lwstat.yaml", folder.read("lwstat.yaml") + "  - {path: gone.onnx, budget: {macs: 1}}\n");
    folder.run(&["check", "--report", "junit=all.xml"]).code(2);
    let Ok(output) = validate("all.xml") else { return };
    let text = folder.read("all.xml");
    assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("<error ") && text.contains("<failure "), "{text}");
    // The schema is one that says no.
    folder.write("bad.xml", text.replace("<failure ", "<broken ").replace("</failure>", "</broken>"));
    assert!(!validate("bad.xml").unwrap().status.success());
}

#[test]
fn junit_is_read_back() {
    let text = hostile().run(&["check", "--format", "junit"]).stdout;
    let report = quick_junit::Report::deserialize_from_str(&text).unwrap();
    assert_eq!((report.tests, report.failures, report.errors), (2, 1, 0));
    let cases = &report.test_suites[0].test_cases;
    assert!(matches!(cases[1].status, quick_junit::TestCaseStatus::Success { .. }));
    let quick_junit::TestCaseStatus::NonSuccess { message: Some(message), .. } = &cases[0].status else {
        panic!("{text}");
    };
    assert!(message.as_str().contains("over its budget"), "{message:?}");
    let elements = ["<testsuites ", "<testsuite ", "<testcase ", "<failure "].map(|name| text.matches(name).count());
    assert_eq!(elements, [1, 1, 2, 1], "{text}");
}

#[test]
fn github_gets_one_command_a_finding() {
    let text = hostile().run(&["check", "--format", "github"]).stdout;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    for line in &lines[..2] {
        assert!(line.starts_with("::error file=h%3A%3Aerror file=x%2Cline=1%3A%3Ap|<b>&%250A"), "{line}");
        let (_, rest) = line.split_once("::error ").unwrap();
        let (properties, _) = rest.split_once("::").unwrap();
        assert!(properties.ends_with("title=lwstat macs"), "{properties}");
    }
    assert_eq!(lines[2], "lwstat check: 2 models: 1 passed, 1 failed");
}

#[test]
fn markdown_and_text_show_names_as_names() {
    let folder = hostile();
    let text = folder.run(&["check", "--format", "md"]).stdout;
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| ❌")).collect();
    assert_eq!(rows.len(), 1, "{text}");
    assert!(
        text.lines()
            .filter(|line| line.starts_with('|'))
            .all(|row| [5, 8].contains(&row.matches('|').count()) || row.matches('|').count() == 4),
        "{text}"
    );
    for bad in ["<b>", "<script>", "@a", "](y)", "\u{1b}", "::warning::q\n"] {
        assert!(!text.contains(bad), "{bad:?}: {text}");
    }
    let open = text.matches("<details").count();
    assert_eq!(open, text.matches("</details>").count());
    let plain = folder.run(&["check"]).stdout;
    assert!(!plain.contains('\u{1b}') && !plain.lines().any(|line| line.trim_start().starts_with("::")), "{plain}");
}

#[test]
fn gitlab_gets_one_issue_a_finding() {
    let issues = hostile().json(&["check", "--format", "gitlab"]);
    let issues = issues.as_array().unwrap();
    assert_eq!(issues.len(), 2);
    for issue in issues {
        for key in ["description", "check_name", "fingerprint", "severity"] {
            assert!(issue[key].as_str().is_some_and(|text| !text.is_empty()), "{issue}");
        }
        assert!(issue["location"]["path"].is_string() && issue["location"]["lines"]["begin"] == 1);
    }
    assert_ne!(issues[0]["fingerprint"], issues[1]["fingerprint"]);
}

#[test]
fn a_run_of_github_actions_gets_its_summary() {
    let folder = hostile();
    let path = folder.path("summary.md").display().to_string();
    folder.write("summary.md", "before\n");
    folder.run_with("", &["check"], &[("GITHUB_STEP_SUMMARY", &path)]).code(1);
    assert_eq!(folder.read("summary.md"), "before\n");
    folder.run_with("", &["check"], &[("GITHUB_STEP_SUMMARY", &path), ("GITHUB_ACTIONS", "true")]).code(1);
    assert!(folder.read("summary.md").starts_with("before\n### ❌ lwstat check\n"));
}

/// Whatever repeats in a configuration: figures of one metric, tiers, patterns, one pattern twice.
#[test]
fn what_is_found_is_told_apart_wherever_its_entry_stands() {
    let folder = Folder::new();
    folder.copy("graphs/mobilenet_v3_small_1.0.onnx", "a.onnx");
    folder.model("b.onnx", &net([8, 8, 8, 8]));
    let entries = [
        "{path: a.onnx, as: mobilenet_v2_1.0, figures: hold, budget: {macs: 1 M}, warn: {budget: {macs: 500 k}}}",
        "{path: b.onnx, device: rp2040, deny: [all], from: 0, budget: {macs: 1}, warn: {budget: {macs: 2}}}",
        "{path: 'no/*.onnx'}",
        "{path: 'nor/*.onnx'}",
        "{path: 'no/*.onnx'}",
    ];
    let known = |entries: &[&str]| {
        let list: Vec<String> = entries.iter().map(|entry| format!("  - {entry}\n")).collect();
        folder.write("lwstat.yaml", format!("models:\n{}", list.concat()));
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_string();
        let issues = folder.json(&["check", "--format", "gitlab"]);
        let issues: Vec<String> = issues.as_array().unwrap().iter().map(|issue| text(&issue["fingerprint"])).collect();
        let log = folder.json(&["check", "--format", "sarif"]);
        let results = log["runs"][0]["results"].as_array().unwrap();
        let prints = results.iter().map(|result| text(&result["partialFingerprints"]["lwstat/v1"]));
        assert_eq!(prints.collect::<Vec<_>>(), issues);
        let report = folder.run(&["check", "--format", "junit"]).stdout;
        let report = quick_junit::Report::deserialize_from_str(&report).unwrap();
        let names = report.test_suites[0].test_cases.iter().map(|case| case.name.to_string());
        [issues, names.collect()].map(|names| {
            let set: BTreeSet<String> = names.iter().cloned().collect();
            assert_eq!(set.len(), names.len(), "{names:#?}");
            set
        })
    };
    let first = known(&entries);
    assert!(first[0].len() > 10, "{first:?}");
    let mut moved = entries;
    moved.reverse();
    assert_eq!(known(&moved), first);
}

#[test]
fn paths_are_from_the_root_of_the_repository() {
    for (is_repository, workspace, above) in [
        (true, None, "ml/"),
        (true, Some("ml"), "ml/"),
        (false, Some(""), "ml/"),
        (false, Some("other"), ""),
        (false, None, ""),
    ] {
        for variable in ["GITHUB_WORKSPACE", "CI_PROJECT_DIR"] {
            let folder = Folder::new();
            // As the system names the folder.
            let root = std::fs::canonicalize(folder.path("")).unwrap();
            folder.model("ml/net.onnx", &net([8, 8, 8, 8]));
            folder.write("ml/lwstat.yaml", "models: [{path: net.onnx, budget: {macs: 1}}, {path: 'x/*'}]");
            if is_repository {
                folder.write(".git", "gitdir: elsewhere");
            }
            let workspace = workspace.map(|below| root.join(below).display().to_string());
            let env: Vec<(&str, &str)> = workspace.iter().map(|path| (variable, &**path)).collect();
            let configuration = root.join("ml/lwstat.yaml").display().to_string();
            for config in ["lwstat.yaml", &configuration] {
                let show =
                    |format: &str| folder.run_with("ml", &["check", "-c", config, "--format", format], &env).stdout;
                let json = |format: &str| serde_json::from_str::<serde_json::Value>(&show(format)).unwrap();
                let files = ["lwstat.yaml", "net.onnx"].map(|name| format!("{above}{name}"));
                let case = format!("{is_repository} {workspace:?} {config}");
                let issues = json("gitlab");
                let log = json("sarif");
                for (at, file) in files.iter().enumerate() {
                    assert_eq!(issues[at]["location"]["path"], **file, "{case}");
                    let location = &log["runs"][0]["results"][at]["locations"][0]["physicalLocation"];
                    assert_eq!(location["artifactLocation"]["uri"], **file, "{case}");
                }
                let text = show("github");
                for file in files {
                    assert!(text.contains(&format!("::error file={file},")), "{case}: {text}");
                }
                // Reports are written where they are said.
                folder.run_with("ml", &["check", "-c", config, "--report", "md=out.md"], &env).code(2);
                assert!(folder.read("ml/out.md").starts_with("### "), "{case}");
            }
        }
    }
}

#[test]
fn github_shows_the_worst_of_each_model_first() {
    let folder = Folder::new();
    let names: Vec<String> = (0..12).map(|at| format!("n{at:02}.onnx")).collect();
    names.iter().for_each(|name| folder.model(name, &net([8, 8, 8, 8])));
    folder.write(
        "lwstat.yaml",
        "models: [{path: '*.onnx', budget: {macs: 1, flops: 1}, warn: {budget: {params: 1, nodes: 1}}}]",
    );
    let text = folder.run(&["check", "--format", "github"]).stdout;
    let of = |line: &str| {
        let (kind, rest) = line.strip_prefix("::").unwrap().split_once(" file=").unwrap();
        (kind.to_string(), rest.split(',').next().unwrap().to_string())
    };
    let lines: Vec<(String, String)> = text.lines().filter(|line| line.starts_with("::")).map(of).collect();
    let turn = |kind: &str| names.iter().map(|name| (kind.to_string(), name.clone())).collect::<Vec<_>>();
    assert_eq!(lines, [turn("error"), turn("error"), turn("warning"), turn("warning")].concat());
}

#[test]
fn deltas_of_blocks_add_up_in_json() {
    let folder = Folder::new();
    folder.copy("graphs/mobilenet_v2_1.0.onnx", "net.onnx");
    let metrics = ["macs", "params", "nodes", "memory_access_bytes"];
    let limits: Vec<String> = metrics.iter().map(|metric| format!("{metric}: 0")).collect();
    folder.write("lwstat.yaml", format!("models: [{{path: net.onnx, limits: {{{}}}}}]", limits.join(", ")));
    folder.run(&["bless"]).code(0);
    folder.copy("graphs/mobilenet_v2_1.4.onnx", "net.onnx");
    let json = folder.json(&["check", "--format", "json"]);
    let findings = json["models"][0]["findings"].as_array().unwrap();
    assert!(findings.len() >= 3, "{findings:?}");
    for finding in findings {
        assert_eq!(finding["blocks_by"], finding["metric"]);
        let deltas = finding["blocks"].as_array().unwrap().iter().map(|block| block["delta"].as_i64().unwrap());
        let grew = finding["value"].as_i64().unwrap() - finding["baseline"].as_i64().unwrap();
        assert_eq!(deltas.sum::<i64>(), grew, "{}", finding["metric"]);
    }
}

#[test]
fn addresses_and_letters_that_mislead_are_text() {
    let folder = Folder::new();
    // Separators cannot stand in a file's name; addresses come from nodes.
    let path = "a\u{202e}b\nc\u{1b}.onnx";
    let quoted = serde_json::json!(path).to_string();
    folder.write("lwstat.yaml", format!("models: [{{path: {quoted}, budget: {{nodes: 1}}, limits: {{macs: 0}}}}]"));
    let model = |width: usize| {
        let mut model = crate::common::model(&net([width, 8, 8, 8]));
        for (node, name) in
            model.graph.as_mut().unwrap().node.iter_mut().zip(["http://a.b", "WWW.a.b", "https://c"].iter().cycle())
        {
            node.name = name.to_string();
        }
        prost::Message::encode_to_vec(&model)
    };
    folder.write(path, model(8));
    folder.run(&["bless", "--force"]).code(0);
    folder.write(path, model(16));
    let text = folder.run(&["check", "--format", "md"]).stdout;
    assert!(text.contains("http&#58;//a.b"), "{text}");
    for bad in ["://", "www.", "WWW."] {
        assert!(!text.contains(bad), "{text}");
    }
    for format in ["text", "md", "github", "junit"] {
        let text = folder.run(&["check", "--format", format]).stdout;
        assert!(!text.contains(['\u{202e}', '\u{1b}']), "{format}: {text}");
        assert!(text.contains("a\u{fffd}b\u{fffd}c\u{fffd}.onnx"), "{format}: {text}");
    }
}

#[test]
fn a_pointer_of_git_lfs_is_named() {
    let folder = Folder::new();
    folder.write("net.onnx", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n");
    folder.write("lwstat.yaml", "models: [{path: net.onnx, budget: {macs: 1}}]");
    for arguments in [&["check"][..], &["net.onnx"], &["check", "--no-mmap"]] {
        folder.run(arguments).code(2).says("net.onnx: it is a pointer of Git LFS").says("git lfs pull");
    }
}
