//! The steps of `action.yml`, run as GitHub runs them.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};
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

/// Runs the action with these inputs: what the last step gave, and the ids or numbers of those that ran.
fn act(folder: &Folder, is_installed: bool, with: &[(&str, &str)]) -> (Output, Vec<String>) {
    let text = std::fs::read_to_string(format!("{}/action.yml", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let action: Action = serde_yaml::from_str(&text).unwrap();
    assert_eq!(action.runs.using, "composite");
    let given = |name: &str| with.iter().find(|(of, _)| *of == name).map(|(_, value)| value.to_string());
    assert!(with.iter().all(|(name, _)| action.inputs.contains_key(*name)));
    // The only expressions of the steps that run are inputs.
    let evaluate = |text: &str| {
        let name = text.strip_prefix("${{ inputs.").and_then(|rest| rest.strip_suffix(" }}"));
        name.map_or(text.to_string(), |name| given(name).unwrap_or_else(|| action.inputs[name].default.clone()))
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
        command.env("GITHUB_ACTION_PATH", env!("CARGO_MANIFEST_DIR"));
        command.envs(step.env.iter().map(|(name, value)| (name, evaluate(value))));
        let below = step.working_directory.as_deref().map(evaluate).unwrap_or_default();
        last = Some(command.current_dir(folder.path("work").join(below)).output().unwrap());
        for line in folder.read("output").lines() {
            let (key, value) = line.split_once('=').unwrap();
            outputs.insert(format!("{name}.{key}"), value.to_string());
        }
    }
    (last.unwrap(), ran)
}

#[test]
fn the_action_builds_lwstat_where_there_is_none_and_checks() {
    let folder = runner();
    let (output, ran) = act(&folder, false, &[]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(ran, ["installed", "built", "2", "3"]);
    let cargo = folder.read("cargo.log");
    let home = folder.path("home/.lwstat").display().to_string();
    let source = env!("CARGO_MANIFEST_DIR");
    assert_eq!(cargo.trim(), format!("install --locked --no-default-features --path {source} --root {home}"));
    assert!(said.starts_with("::error file=net.onnx,title=lwstat macs::macs is"), "{said}");
    assert!(folder.read("summary.md").starts_with("### ❌ lwstat check\n"));
    let (output, ran) = act(&folder, true, &[("config", "good.yaml")]);
    assert_eq!((output.status.code(), ran), (Some(0), vec!["installed".to_string(), "3".to_string()]));
}

#[test]
fn the_action_writes_the_files_that_it_is_asked_for() {
    let folder = runner();
    folder.write("work/a b/lwstat.yaml", "models: [{path: ../net.onnx, budget: {macs: 1 k}}]");
    let hostile = "c $(touch pwned) `touch pwned`; touch pwned.md";
    let with = [("working-directory", "a b"), ("sarif", "s.sarif"), ("junit", "j.xml"), ("markdown", hostile)];
    let (output, _) = act(&folder, true, &with);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(folder.read("work/a b/s.sarif").contains("\"2.1.0\""));
    assert!(folder.read("work/a b/j.xml").contains("<testsuites "));
    assert!(folder.read(&format!("work/a b/{hostile}")).starts_with("### ❌"));
    assert!(!folder.path("work/a b/pwned").exists() && !folder.path("work/a b/pwned.md").exists());
    let (output, _) = act(&folder, true, &[("config", "none.yaml")]);
    assert_eq!(output.status.code(), Some(2));
}
