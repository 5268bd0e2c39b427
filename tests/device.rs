//! Devices: roofline times from their definition, and what fits where.

#![allow(clippy::unwrap_used)]

mod common;

use lwstat::device::{self, Bound, Device, Fits};
use lwstat::{Bindings, Dim, Model, Report};
use prost::Message;

fn device(ram: i64, flash: Option<i64>) -> Device {
    let flash = flash.map(|bytes| format!("flash_bytes: {bytes}\n")).unwrap_or_default();
    let text = format!(
        "name: d\ntitle: D\nmacs_per_second: {{f32: 2 G, i8: 8 G}}\nbytes_per_second: 1 G\nram_bytes: {ram}\n{flash}sources: [s]\n"
    );
    device::parse(&text, "d.yaml").unwrap()
}

fn placed(model: &Model, device: &Device) -> Report {
    let mut report = model.report_with_plan(&Bindings::default()).unwrap();
    report.place_on(device);
    report
}

#[test]
fn a_nodes_time_is_the_longer_of_arithmetic_and_memory_access() {
    for name in ["shufflenet_v2_0.5", "mobilenet_v3_small_1.0"] {
        let model = Model::open(format!("{}/graphs/{name}.onnx", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let report = placed(&model, &device(1 << 30, None));
        let (mut total, mut bounds) = (0.0, [0, 0]);
        for row in &report.nodes {
            let count = |key: &str| row.counts.get(key).and_then(Dim::as_int).unwrap() as f64;
            // Two GMACs a second are 4 FLOPs a nanosecond; a gigabyte a second is a byte a nanosecond.
            let (compute, memory) = (count("flops") / 4.0 * 1e-6, count("memory_access_bytes") * 1e-6);
            let roofline = row.roofline.unwrap();
            assert!((roofline.roofline_ms - compute.max(memory)).abs() < 1e-9, "{name} {}", row.name);
            assert_eq!(roofline.bound, if compute > memory { Bound::Compute } else { Bound::Memory });
            total += roofline.roofline_ms;
            bounds[usize::from(roofline.bound == Bound::Memory && roofline.roofline_ms > 0.0)] +=
                usize::from(roofline.roofline_ms > 0.0);
        }
        let placement = report.device.unwrap();
        assert!((placement.roofline_ms - total).abs() < 1e-6);
        assert!((placement.compute_bound_ms + placement.memory_bound_ms - total).abs() < 1e-6);
        assert_eq!([placement.compute_bound_nodes, placement.memory_bound_nodes], bounds);
    }
}

#[test]
fn quantized_nodes_run_at_the_rate_of_their_dtype_and_others_at_that_of_f32() {
    for (dtype, node, rate, assumed) in [
        ("u8", "MatMulInteger x w -> y", 8e9, vec![]),
        ("f32", "MatMul x w -> y", 2e9, vec![]),
        ("f64", "MatMul x w -> y", 2e9, vec!["f64"]),
    ] {
        let text = format!("in x {dtype}[256,256]; init w {dtype}[256,256]; {node}; out y");
        let model = Model::read(common::model(&text).encode_to_vec()).unwrap();
        let report = placed(&model, &device(1 << 30, None));
        let flops = report.nodes[0].counts.get("flops").and_then(Dim::as_int).unwrap() as f64;
        assert!((report.nodes[0].roofline.unwrap().roofline_ms - 1e3 * flops / 2.0 / rate).abs() < 1e-9, "{dtype}");
        assert_eq!(report.device.unwrap().assumed_dtypes, assumed);
    }
}

#[test]
fn what_fits_depends_on_order_and_place() {
    // Two branches that widen and narrow again: the file runs the wide halves side by side, the best order does not.
    let text = "in x f32[1,1,4,4]; init w f32[4,1,1,1]; init v f32[1,4,1,1]; \
                a=Conv x w -> a; b=Conv x w -> b; c=Conv a v -> c; d=Conv b v -> d; r=Relu c -> e; y=Add e d -> y; out y";
    let model = Model::read(common::model(text).encode_to_vec()).unwrap();
    let plan = model.report_with_plan(&Bindings::default()).unwrap().memory.unwrap();
    assert!(plan.best_in_place_bytes < plan.arena.bytes && plan.arena.bytes < plan.in_place_bytes, "{plan:?}");
    let weights = 4 * 8;
    for (ram, flash, fits, ram_fits) in [
        (plan.peak_bytes, Some(weights), true, Fits::Yes),
        (plan.peak_bytes, Some(weights - 1), false, Fits::Yes),
        (plan.arena.bytes, Some(weights), true, Fits::BestOrder),
        (plan.best_in_place_bytes, Some(weights), true, Fits::BestOrderInPlace),
        (plan.best_in_place_bytes - 1, Some(weights), false, Fits::No),
        // Without flash the weights lie in RAM, too.
        (plan.peak_bytes, None, true, Fits::BestOrder),
        (plan.peak_bytes + weights, None, true, Fits::Yes),
        (weights - 1, None, false, Fits::No),
    ] {
        let placement = placed(&model, &device(ram, flash)).device.unwrap();
        assert_eq!((placement.fits, placement.ram.fits), (fits, ram_fits), "{ram} {flash:?}");
        assert_eq!(placement.ram.available_bytes, ram);
    }
}

#[test]
fn in_place_operators_can_make_it_fit() {
    let text = "in x f32[1,8]; init w f32[8,64]; MatMul x w -> a; r=Relu a -> b; s=Sigmoid b -> y; out y";
    let model = Model::read(common::model(text).encode_to_vec()).unwrap();
    let plan = model.report_with_plan(&Bindings::default()).unwrap().memory.unwrap();
    assert!(plan.in_place_bytes < plan.peak_bytes);
    let placement = placed(&model, &device(plan.in_place_bytes, Some(1 << 20))).device.unwrap();
    assert_eq!(placement.ram.fits, Fits::InPlace);
}

#[test]
fn what_bodies_need_is_part_of_the_arena_and_of_what_fits() {
    let wide = |out: &str| {
        common::graph(&format!("init w{out} f32[64,4,1,1]; Conv x w{out} -> v; ReduceSum v -> {out}; out {out}"))
    };
    let mut graph = common::graph("in c bool[]; in x f32[1,4,8,8]; out y");
    let node = common::with_body(common::node("i=If c -> y"), "then_branch", wide("t"));
    graph.node.push(common::with_body(node, "else_branch", wide("e")));
    let model = Model::read(common::model_of(graph).encode_to_vec()).unwrap();
    let plan = model.report_with_plan(&Bindings::default()).unwrap().memory.unwrap();
    assert!(plan.arena.bytes >= plan.best_bytes && plan.best_bytes > 64 * 64 * 4, "{plan:?}");
    assert!(plan.arena.buffers.iter().any(|buffer| buffer.tensor == "i/"));
    assert_eq!(placed(&model, &device(plan.best_bytes - 1, Some(1 << 20))).device.unwrap().ram.fits, Fits::No);
}

#[test]
fn branches_run_at_the_rate_of_their_own_dtype() {
    let branch =
        |out: &str| common::graph(&format!("init w{out} u8[256,256]; MatMulInteger x w{out} -> {out}; out {out}"));
    let mut graph = common::graph("in c bool[]; in x u8[256,256]; out y");
    let node = common::with_body(common::node("i=If c -> y"), "then_branch", branch("t"));
    graph.node.push(common::with_body(node, "else_branch", branch("e")));
    let report = placed(&Model::read(common::model_of(graph).encode_to_vec()).unwrap(), &device(1 << 30, None));
    let times: Vec<f64> = report.nodes.iter().map(|row| row.roofline.unwrap().roofline_ms).collect();
    assert!((times[0] - times[1]).abs() < 1e-12 && times[1] == times[2], "{times:?}");
    assert!(report.device.unwrap().assumed_dtypes.is_empty());
}
