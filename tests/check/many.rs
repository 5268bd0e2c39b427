//! Thousands of models in one configuration.

use crate::folder::Folder;

fn net(width: usize) -> String {
    format!("in x f32[1,8]; init w f32[8,{width}]; head=MatMul x w -> y; out y")
}

#[test]
fn two_thousand_models_are_a_screenful() {
    const COUNT: usize = 2_000;
    let folder = Folder::new();
    folder.model("nets/0.onnx", &net(8));
    for at in 1..COUNT {
        std::fs::copy(folder.path("nets/0.onnx"), folder.path(&format!("nets/{at}.onnx"))).unwrap();
    }
    folder.write("lwstat.yaml", "models: [{path: nets, budget: {macs: 200}, limits: {macs: 0}}]");
    folder.run(&["bless"]).code(0).says("2000 models accepted");
    let passes = folder.run(&["check"]);
    passes.code(0).says("2000 models: 2000 passed");
    assert!(passes.stdout.lines().count() < 10, "{}", passes.stdout);

    folder.model("nets/7.onnx", &net(9));
    std::fs::remove_file(folder.path("nets/8.onnx")).unwrap();
    let fails = folder.run(&["check"]);
    fails.code(2).says("1998 passed, 1 failed").says("head: MatMul → 1×9 instead of 1×8");
    fails.says("the baseline has \"nets/8.onnx\", which the configuration no longer names");
    assert!(fails.stdout.lines().count() < 20, "{}", fails.stdout);

    folder.write("lwstat.yaml", "models: [{path: nets, budget: {macs: 1}, limits: {macs: 0}}]");
    let all = folder.run(&["check", "--report", "md=comment.md"]);
    all.code(2).says("1999 failed");
    assert!(all.stdout.lines().count() < 200, "{}", all.stdout.lines().count());
    assert!(folder.read("comment.md").len() < 65_536);
}

#[test]
fn models_that_fail_are_named_before_any_is_explained() {
    let folder = Folder::new();
    let name = |at: usize| format!("nets/{at:02}.onnx");
    (0..50).for_each(|at| folder.model(&name(at), &net(8)));
    folder.write(
        "lwstat.yaml",
        "models: [{path: nets, budget: {macs: 200}, limits: {macs: 0, params: 0}, warn: {limits: {flops: 0}}}]",
    );
    folder.run(&["bless"]).code(0);
    let check = |count: usize| {
        (0..count).for_each(|at| folder.model(&name(at), &net(9)));
        folder.run(&["check"])
    };
    // Few are explained at once.
    let few = check(5);
    few.code(1).says_not("✗ nets/00.onnx").says_not("in detail");
    let many = check(40);
    many.code(1).says("(35 more models in detail: --format json)");
    let lines: Vec<&str> = many.stdout.lines().collect();
    for at in 0..40 {
        assert_eq!(lines[2 + at], format!("✗ {}  macs +12.5 %, params +12.5 %, flops +12.5 %", name(at)));
    }
    for at in 0..40 {
        assert_eq!(lines.contains(&&*name(at)), at < 5, "{}", many.stdout);
    }
    assert!(lines.len() < 120, "{}", many.stdout);
}

/// Names and metrics as long and as many as they get.
#[test]
fn a_comment_is_never_too_long() {
    let folder = Folder::new();
    folder.model("net.onnx", &net(8));
    let metrics = ["nodes", "macs", "flops", "params", "weight_bytes", "activations", "memory_access", "file_bytes"];
    let limits: Vec<String> = metrics.iter().map(|metric| format!("{metric}: 0")).collect();
    let budgets: Vec<String> = metrics.iter().map(|metric| format!("{metric}: 1")).collect();
    let long = "<".repeat(2_000);
    for count in [1, 10, 200] {
        for (name, is_failing) in [("models/vision/classification/", true), (&long, true), (&long, false)] {
            let tier = if is_failing { "budget" } else { "warn: {budget" };
            let end = if is_failing { "" } else { "}" };
            let entry = |at: usize| format!("  - {{path: net.onnx, name: '{name}{at:03}'}}\n");
            folder.write(
                "lwstat.yaml",
                format!(
                    "defaults: {{limits: {{{}}}, {tier}: {{{}}}{end}}}\nmodels:\n{}",
                    limits.join(", "),
                    budgets.join(", "),
                    (0..count).map(entry).collect::<String>()
                ),
            );
            folder.model("net.onnx", &net(8));
            folder.run(&["bless", "--force"]).code(0);
            folder.model("net.onnx", &net(9));
            let text = folder.run(&["check", "--format", "md"]).code(1).stdout.clone();
            assert!(text.len() < 65_536, "{count}: {}", text.len());
            assert!(count < 200 || (text.contains("more rows: ") && text.contains("more findings: ")), "{text}");
            assert_eq!(text.matches("<details").count(), text.matches("</details>").count());
        }
    }
}
