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
    assert!(all.stdout.lines().count() < 1_000, "{}", all.stdout.lines().count());
    assert!(folder.read("comment.md").len() < 65_536);
}
