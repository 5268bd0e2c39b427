//! The steps of `action.yml`, run as GitHub runs them.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

use serde::Deserialize;

use crate::folder::{Folder, net};

#[derive(Deserialize)]
struct Action {
    inputs: BTreeMap<String, Input>,
    runs: Runs,
}

#[derive(Deserialize)]
struct Input {
    default: String,
}

#[derive(Deserialize)]
struct Runs {
    using: String,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Step {
    id: Option<String>,
    r#if: Option<String>,
    uses: Option<String>,
    shell: Option<String>,
    working_directory: Option<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    with: BTreeMap<String, String>,
    run: Option<String>,
}

/// A folder with a repository's models below `work`, and of the programs of a runner only `cargo`, which installs this one.
fn runner() -> Folder {
    let folder = Folder::new();
    folder.model("work/net.onnx", &net([8, 8, 8, 8]));
    folder.write("work/lwstat.yaml", "models: [{path: net.onnx, budget: {macs: 1 k}}]");
    folder.write("work/good.yaml", "models: [{path: net.onnx, budget: {macs: 1 M}}]");
    let cargo = format!(
        "#!/bin/sh\nset -e\necho \"$@\" > '{}'\nfor last; do :; done\nmkdir -p \"$last/bin\"\nln -s '{}' \"$last/bin/lwstat\"\n",
        folder.path("cargo.log").display(),
        env!("CARGO_BIN_EXE_lwstat")
    );
    folder.write("tools/cargo", cargo);
    std::fs::set_permissions(folder.path("tools/cargo"), std::fs::Permissions::from_mode(0o755)).unwrap();
    for name in ["home", "installed"] {
        std::fs::create_dir(folder.path(name)).unwrap();
    }
    symlink(env!("CARGO_BIN_EXE_lwstat"), folder.path("installed/lwstat")).unwrap();
    folder
}

/// What came of the action: what the last step that ran gave, the ids or numbers of those that ran, and the key of the
/// cache.
struct Acted {
    output: Output,
    ran: Vec<String>,
    key: Option<String>,
}

/// Runs the action with these inputs, as it stands in the project.
fn act(folder: &Folder, is_installed: bool, with: &[(&str, &str)]) -> Acted {
    act_from(Path::new(env!("CARGO_MANIFEST_DIR")), folder, is_installed, with)
}

/// Runs the action with these inputs and the sources of this folder.
fn act_from(source: &Path, folder: &Folder, is_installed: bool, with: &[(&str, &str)]) -> Acted {
    let text = std::fs::read_to_string(format!("{}/action.yml", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let action: Action = serde_yaml::from_str(&text).unwrap();
    assert_eq!(action.runs.using, "composite");
    let given = |name: &str| with.iter().find(|(of, _)| *of == name).map(|(_, value)| value.to_string());
    assert!(with.iter().all(|(name, _)| action.inputs.contains_key(*name)));
    // The only expressions of the steps that run are inputs and outputs.
    let evaluate = |text: &str, outputs: &BTreeMap<String, String>| {
        let Some(name) = text.strip_prefix("${{ ").and_then(|rest| rest.strip_suffix(" }}")) else {
            return text.to_string();
        };
        match name.strip_prefix("inputs.") {
            Some(name) => given(name).unwrap_or_else(|| action.inputs[name].default.clone()),
            None => outputs[&name.strip_prefix("steps.").unwrap().replace(".outputs.", ".")].clone(),
        }
    };
    let (tools, installed) = (folder.path("tools"), folder.path("installed"));
    let path = match is_installed {
        true => format!("{}:{}:/usr/bin:/bin", installed.display(), tools.display()),
        false => format!("{}:/usr/bin:/bin", tools.display()),
    };
    let mut outputs: BTreeMap<String, String> = BTreeMap::new();
    let (mut last, mut ran) = (None, Vec::new());
    for (at, step) in action.runs.steps.iter().enumerate() {
        // What is not in the cache is built.
        let holds = match step.r#if.as_deref() {
            None => true,
            Some("steps.installed.outputs.found == 'no'")
            | Some("steps.installed.outputs.found == 'no' && steps.built.outputs.cache-hit != 'true'") => {
                outputs["installed.found"] == "no"
            }
            Some(other) => panic!("{other}"),
        };
        let name = step.id.clone().unwrap_or_else(|| at.to_string());
        if holds {
            ran.push(name.clone());
        }
        let Some(script) = step.run.as_ref().filter(|_| holds) else {
            assert!(!holds || step.uses.as_deref() == Some("actions/cache@v4"));
            if holds {
                let key = "lwstat-${{ runner.os }}-${{ runner.arch }}-";
                let (_, own) = step.with["key"].split_once(key).unwrap();
                let own: Vec<String> =
                    own.split_inclusive("}}").map(|part| evaluate(part.trim_start_matches('-'), &outputs)).collect();
                outputs.insert("key".to_string(), own.join("-"));
            }
            continue;
        };
        assert!(!script.contains("${{"), "an input in a script is a script: {script}");
        assert_eq!(step.shell.as_deref(), Some("bash"));
        folder.write("script.sh", script);
        folder.write("output", "");
        let mut command = Command::new("bash");
        command.args(["--noprofile", "--norc", "-eo", "pipefail"]).arg(folder.path("script.sh")).env_clear();
        command.env("PATH", &path).env("HOME", folder.path("home")).env("GITHUB_ACTIONS", "true");
        command.env("GITHUB_OUTPUT", folder.path("output")).env("GITHUB_STEP_SUMMARY", folder.path("summary.md"));
        command.env("GITHUB_ACTION_PATH", source).env("GITHUB_WORKSPACE", folder.path("work"));
        command.envs(step.env.iter().map(|(name, value)| (name, evaluate(value, &outputs))));
        let below = step.working_directory.as_deref().map(|text| evaluate(text, &outputs)).unwrap_or_default();
        last = Some(command.current_dir(folder.path("work").join(below)).output().unwrap());
        for line in folder.read("output").lines() {
            let (key, value) = line.split_once('=').unwrap();
            outputs.insert(format!("{name}.{key}"), value.to_string());
        }
        if last.as_ref().is_some_and(|output| !output.status.success()) {
            break;
        }
    }
    Acted { output: last.unwrap(), ran, key: outputs.remove("key") }
}

#[test]
fn the_action_builds_lwstat_where_there_is_none_and_checks() {
    for (with, features) in [(&[][..], ""), (&[("latency", "true")], "latency")] {
        let folder = runner();
        let Acted { output, ran, .. } = act(&folder, false, with);
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert_eq!(ran, ["installed", "source", "built", "3", "4"]);
        let cargo = folder.read("cargo.log");
        let home = folder.path("home/.lwstat").display().to_string();
        let source = env!("CARGO_MANIFEST_DIR");
        let asked =
            format!("install --locked --no-default-features --features {features} --path {source} --root {home}");
        assert_eq!(cargo.trim(), asked);
        assert!(said.starts_with("::error file=net.onnx,title=lwstat macs::macs is"), "{said}");
        assert!(folder.read("summary.md").starts_with("### ❌ lwstat check\n"));
    }
    let Acted { output, ran, .. } = act(&runner(), true, &[("config", "good.yaml")]);
    assert_eq!((output.status.code(), ran), (Some(0), vec!["installed".to_string(), "4".to_string()]));
}

#[test]
fn another_source_or_feature_is_built_anew() {
    let folder = runner();
    for file in ["Cargo.toml", "Cargo.lock", "src/main.rs", "src/ops/a b.rs", "fixtures/net.yaml", "docs/page.md"] {
        folder.write(&format!("source/{file}"), file);
    }
    let key = |with: &[(&str, &str)]| act_from(&folder.path("source"), &folder, false, with).key.unwrap();
    let first = key(&[]);
    assert_eq!(first, key(&[("latency", "false")]));
    assert_ne!(first, key(&[("latency", "true")]));
    for (file, is_built) in [
        ("Cargo.toml", true),
        ("Cargo.lock", true),
        ("src/main.rs", true),
        ("src/ops/a b.rs", true),
        ("fixtures/net.yaml", true),
        ("docs/page.md", false),
    ] {
        folder.write(&format!("source/{file}"), "changed");
        assert_eq!(key(&[]) != first, is_built, "{file}");
        folder.write(&format!("source/{file}"), file);
    }
    std::fs::rename(folder.path("source/src/main.rs"), folder.path("source/src/lib.rs")).unwrap();
    assert_ne!(key(&[]), first);
}

#[test]
fn the_action_writes_the_files_that_it_is_asked_for() {
    let folder = runner();
    folder.write("work/a b/lwstat.yaml", "models: [{path: ../net.onnx, budget: {macs: 1 k}}]");
    let hostile = "c $(touch pwned) `touch pwned`; touch pwned.md";
    let elsewhere = folder.path("j.xml").display().to_string();
    let with = [("working-directory", "a b"), ("sarif", "s.sarif"), ("junit", &elsewhere), ("markdown", hostile)];
    let Acted { output, .. } = act(&folder, true, &with);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    // Files are in and from the workspace, wherever lwstat runs.
    let sarif: serde_json::Value = serde_json::from_str(&folder.read("work/s.sarif")).unwrap();
    let location = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert_eq!(location, "net.onnx");
    assert!(output.stdout.starts_with(b"::error file=net.onnx,"), "{output:?}");
    assert!(folder.read("j.xml").contains("<testsuites "));
    assert!(folder.read(&format!("work/{hostile}")).starts_with("### ❌"));
    for pwned in ["work/a b/pwned", "work/a b/pwned.md", "work/pwned", "work/pwned.md"] {
        assert!(!folder.path(pwned).exists());
    }
    for with in [("config", "none.yaml"), ("latency", "yes")] {
        let Acted { output, .. } = act(&folder, with.0 == "config", &[with]);
        assert_eq!(output.status.code(), Some(2));
    }
}
