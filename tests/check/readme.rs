//! The README's way from nothing to a gate, run as it is written.

use std::os::unix::fs::symlink;
use std::process::Command;

use crate::folder::Folder;

/// `TRYCMD=overwrite` writes what `check` says into the README.
#[test]
fn the_readme_leads_to_a_gate() {
    let path = format!("{}/README.md", env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, section) = page.split_once("## In CI\n").unwrap();
    let block = |start: &str| section.split_once(start).and_then(|(_, rest)| rest.split_once("```")).unwrap().0;
    let folder = Folder::new();
    for name in ["fixtures", "graphs"] {
        symlink(format!("{}/{name}", env!("CARGO_MANIFEST_DIR")), folder.path(name)).unwrap();
    }
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_lwstat")).parent().unwrap();
    let path_variable = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
    let mut said = String::new();
    let (_, after) = section.split_once("```sh\n").and_then(|(_, rest)| rest.split_once("```sh\n")).unwrap();
    let commands: Vec<&str> = after.split_once("```").unwrap().0.lines().collect();
    assert_eq!(commands.len(), 5);
    for line in block("```sh\n").lines().chain(commands) {
        let (command, expected) = line.split_once("# exits ").unwrap_or((line, "0"));
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(folder.path("")).env("PATH", &path_variable).env("COLUMNS", "100");
        let output = shell.env_remove("GITHUB_ACTIONS").output().unwrap();
        assert_eq!(output.status.code().unwrap().to_string(), expected, "{line}: {output:?}");
        if expected == "1" {
            said = String::from_utf8(output.stdout).unwrap();
        }
    }
    folder.run(&["check"]).code(0);
    let shown = block("```text\n");
    if std::env::var("TRYCMD").is_ok_and(|mode| mode == "overwrite") {
        let section = section.replacen(&format!("```text\n{shown}```"), &format!("```text\n{said}```"), 1);
        std::fs::write(&path, format!("{before}## In CI\n{section}")).unwrap();
    } else {
        assert_eq!(shown, said, "TRYCMD=overwrite cargo test --test check writes it");
    }
}
