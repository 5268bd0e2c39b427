//! A table for LaTeX compiles, whatever the models are called.

use std::process::Command;

const NAMES: &[&str] = &[
    "plain",
    "a_b%c#d$e&{f}~g^h\\i",
    "[first] of a row",
    "* starred",
    "x--y---z``w''",
    "<a|b>\"c\"",
    "é ø ß ł",
    "Ð Þ « » đ",
    "网络🙂ж",
    "\u{202e}turned",
];

#[test]
fn tables_compile_with_pdflatex() {
    if Command::new("pdflatex").arg("--version").output().is_err() {
        eprintln!("skipped: there is no pdflatex");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for name in NAMES {
        std::fs::copy("graphs/squeezenet_1.1.onnx", folder.path().join(format!("{name}.onnx"))).unwrap();
    }
    std::fs::write(folder.path().join("broken_%.onnx"), "no model").unwrap();
    let table = Command::new(env!("CARGO_BIN_EXE_lwstat"))
        .args(["compare", "--format", "latex", "--relative-to", "plain", "--totals"])
        .arg(folder.path())
        .output()
        .unwrap();
    let table = String::from_utf8(table.stdout).unwrap();
    assert_eq!(table.lines().filter(|line| line.ends_with("\\\\")).count(), 1 + NAMES.len() + 1 + 1, "{table}");
    let document = format!(
        "\\documentclass{{article}}\n\\usepackage{{booktabs}}\n\\begin{{document}}\n{table}\\end{{document}}\n"
    );
    std::fs::write(folder.path().join("table.tex"), document).unwrap();
    let compiled = Command::new("pdflatex")
        .args(["-interaction=nonstopmode", "-halt-on-error", "table.tex"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stdout));
}
