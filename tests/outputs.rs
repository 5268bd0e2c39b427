//! What is written: no file twice, none that is read, whatever the command and however its path is spelled.

#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::process::{Command, Output};

use prost::Message;

fn lwstat(folder: &Path, arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lwstat"));
    command.args(arguments.split(' ')).current_dir(folder).env("COLUMNS", "400");
    command.env_remove("GITHUB_STEP_SUMMARY").env_remove("GITHUB_ACTIONS").output().unwrap()
}

/// A folder with models (one of them called as a chart), a configuration with its baseline, figures and a device.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("nets")).unwrap();
    let mut model = common::model("in x f32[1,8]; init w f32[8,8]; MatMul x w -> y; out y");
    for name in ["m.onnx", "z.svg", "nets/a.onnx", "b.onnx", "c.onnx"] {
        std::fs::write(at(name), model.encode_to_vec()).unwrap();
    }
    let weight = &mut model.graph.as_mut().unwrap().initializer[0];
    weight.data_location = 1;
    let location = ("location".to_string(), "weights.bin".to_string());
    weight.external_data = vec![lwstat::onnx::StringStringEntryProto { key: location.0, value: location.1 }];
    std::fs::write(at("external.onnx"), model.encode_to_vec()).unwrap();
    std::fs::write(at("weights.bin"), [0; 256]).unwrap();
    std::fs::write(at("figures.yaml"), "models: {m: {hours: 1}}\n").unwrap();
    std::fs::copy(format!("{}/fixtures/devices/pixel-4.yaml", env!("CARGO_MANIFEST_DIR")), at("dev.yaml")).unwrap();
    std::fs::write(at("lwstat.yaml"), "models: [{path: m.onnx, budget: {macs: 1 k}, limits: {macs: 0}}]\n").unwrap();
    assert!(lwstat(folder.path(), "bless").status.success());
    folder
}

const TWICE: &str = "it would be written twice: give one of the outputs another file";
const READ: &str = "the output would overwrite a file that is read: give it another name";

#[test]
fn no_file_is_written_twice_or_read_too() {
    for (arguments, file, said) in [
        ("annotate m.onnx -o a.onnx --node-data a.onnx", "a.onnx", TWICE),
        ("annotate m.onnx -o a.onnx --node-data ./nets/../a.onnx", "nets/../a.onnx", TWICE),
        ("annotate m.onnx -o - --node-data -", "standard output", TWICE),
        ("compare m.onnx b.onnx c.onnx --chart x.svg -o x.svg", "x.svg", TWICE),
        ("correlate m.onnx b.onnx c.onnx --with macs --columns params --chart x.svg -o x.svg", "x.svg", TWICE),
        ("m.onnx --chart x.svg -o x.svg", "x.svg", TWICE),
        ("m.onnx --chart x.svg -o ./x.svg", "x.svg", TWICE),
        ("check --report junit=x --report md=x", "x", TWICE),
        ("check --report md=x -o x", "x", TWICE),
        ("check --report md=-", "standard output", TWICE),
        ("m.onnx -o m.onnx", "m.onnx", READ),
        ("z.svg --chart z.svg", "z.svg", READ),
        ("z.svg --chart nets/../z.svg", "z.svg", READ),
        ("m.onnx --device dev.yaml -o dev.yaml", "dev.yaml", READ),
        ("annotate m.onnx -o m.onnx", "m.onnx", READ),
        ("annotate m.onnx --node-data m.onnx", "m.onnx", READ),
        ("annotate external.onnx -o weights.bin", "weights.bin", READ),
        ("compare m.onnx z.svg --chart z.svg", "z.svg", READ),
        ("compare nets -o nets/a.onnx", "nets/a.onnx", READ),
        ("compare m.onnx --figures figures.yaml -o figures.yaml", "figures.yaml", READ),
        ("compare m.onnx --device dev.yaml -o dev.yaml", "dev.yaml", READ),
        ("correlate nets --with macs --columns params -o nets/a.onnx", "nets/a.onnx", READ),
        ("diff m.onnx b.onnx -o b.onnx", "b.onnx", READ),
        ("verify m.onnx --figures figures.yaml -o figures.yaml", "figures.yaml", READ),
        ("measure m.onnx -o m.onnx", "m.onnx", READ),
        ("lint m.onnx -o m.onnx", "m.onnx", READ),
        ("check -o lwstat.yaml", "lwstat.yaml", READ),
        ("check -o m.onnx", "m.onnx", READ),
        ("check --report md=lwstat.baseline.json", "lwstat.baseline.json", READ),
        ("bless --baseline lwstat.yaml", "lwstat.yaml", READ),
        ("bless --baseline m.onnx", "m.onnx", READ),
        ("init m.onnx -c m.onnx --force", "m.onnx", READ),
    ] {
        let folder = folder();
        let files = || {
            let files = ["", "nets"].map(|of| std::fs::read_dir(folder.path().join(of)).unwrap());
            let mut files: Vec<_> = files.into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
            files.sort();
            files.into_iter().map(|path| (std::fs::read(&path).ok(), path)).collect::<Vec<_>>()
        };
        let before = files();
        let output = lwstat(folder.path(), arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments}: {error}");
        assert!(error.contains(&format!("{file}: {said}\n")), "{arguments}: {error}");
        assert!(output.stdout.is_empty() && files() == before, "{arguments}");
    }
}

#[cfg(unix)]
#[test]
fn devices_may_be_given_again_and_other_files_beside_them() {
    let folder = folder();
    std::os::unix::fs::symlink(folder.path().join("m.onnx"), folder.path().join("link")).unwrap();
    for (arguments, code) in [
        ("annotate m.onnx -o /dev/null --node-data /dev/null", 0),
        ("annotate m.onnx -o /dev/stdout --node-data /dev/stdout", 0),
        ("check --report md=/dev/stdout -o /dev/stdout", 0),
        ("check --report md=/dev/null --report junit=/dev/null", 0),
        ("annotate m.onnx -o a.onnx --node-data a.json", 0),
        ("compare m.onnx b.onnx --chart x.svg --y params -o x.txt", 0),
        ("m.onnx --chart x.svg -o -", 0),
        ("check --report md=x --report junit=y -o z", 0),
        // A link is the file that it leads to.
        ("m.onnx -o link", 2),
        ("annotate m.onnx -o link", 2),
    ] {
        let output = lwstat(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }
    // Redirected to a file, standard output holds both.
    let file = std::fs::File::create(folder.path().join("both")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_lwstat"));
    command.args(["check", "--report", "junit=/dev/stdout"]).current_dir(folder.path());
    assert!(command.stdout(file).status().unwrap().success());
    let both = std::fs::read_to_string(folder.path().join("both")).unwrap();
    assert!(both.contains("</testsuites>") && both.contains("1 model: 1 passed"), "{both}");
}
