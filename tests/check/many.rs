//! Thousands of models in one configuration.

use crate::folder::{Folder, net};

#[test]
fn two_thousand_models_are_a_screenful() {
    const COUNT: usize = 2_000;
    let folder = Folder::new();
    folder.model("nets/0.onnx", &net([8, 8, 8, 8]));
    for at in 1..COUNT {
        std::fs::hard_link(folder.path("nets/0.onnx"), folder.path(&format!("nets/{at}.onnx"))).unwrap();
    }
    folder.write("lwstat.yaml", "models: [{path: nets, budget: {macs: 200 k}, limits: {macs: 0}}]");
    folder.run(&["bless"]).code(0).says("2000 models accepted");
    let passes = folder.run(&["check"]);
    passes.code(0).says("2000 models: 2000 pass");
    assert!(passes.stdout.lines().count() < 10, "{}", passes.stdout);

    std::fs::remove_file(folder.path("nets/7.onnx")).unwrap();
    folder.model("nets/7.onnx", &net([8, 8, 9, 8]));
    let fails = folder.run(&["check"]);
    fails.code(1).says("1999 pass, 1 fails").says("stage2_expand");
    assert!(fails.stdout.lines().count() < 20, "{}", fails.stdout);
    assert!(folder.run(&["check", "--format", "md"]).stdout.len() < 65_536);

    std::fs::remove_file(folder.path("nets/7.onnx")).unwrap();
    folder.run(&["check"]).code(2).says("the baseline has \"nets/7.onnx\", which the configuration no longer names");

    folder.write("lwstat.yaml", "models: [{path: nets, budget: {macs: 1}, limits: {macs: 0}}]");
    let all = folder.run(&["check"]);
    all.code(2).says("1999 fail");
    assert!(all.stdout.lines().count() < 1_000, "{}", all.stdout.lines().count());
    assert!(folder.run(&["check", "--format", "md"]).stdout.len() < 65_536);
}
