//! The settings of ShuffleNetV2's Tables 1 to 4 as graphs: memory access by the paper's formulas, findings in its order.

#![allow(clippy::unwrap_used)]

mod common;

use lwstat::guidelines::{Finding, least_access, share};
use lwstat::{Bindings, Dim, Model, Report};
use prost::Message;

/// Pointwise convolutions at 56×56: channels of the input, then outputs and groups of each.
fn pointwise(inputs: i64, layers: &[(i64, i64)]) -> Model {
    let mut text = format!("in x0 f32[1,{inputs},56,56]");
    let mut channels = inputs;
    for (index, &(outputs, groups)) in layers.iter().enumerate() {
        let next = index + 1;
        text += &format!("; init w{index} f32[{outputs},{},1,1]", channels / groups);
        text += &format!("; c{next}=Conv x{index} w{index} -> x{next} group={groups}");
        channels = outputs;
    }
    model(&format!("{text}; out x{}", layers.len()))
}

fn model(text: &str) -> Model {
    Model::read(common::model(text).encode_to_vec()).unwrap()
}

fn account(model: &Model) -> (Report, Vec<Finding>) {
    let report = model.report(&Bindings::default()).unwrap();
    let findings = report.guidelines.clone().unwrap();
    (report, findings)
}

fn access(report: &Report) -> i64 {
    report.totals.counts.get("memory_access").and_then(Dim::as_int).unwrap()
}

const HW: i64 = 56 * 56;

#[test]
fn table_1_unequal_widths_cost_memory_access() {
    for rows in [[(128, 128), (90, 180), (52, 312), (36, 432)], [(32, 32), (22, 44), (13, 78), (9, 108)]] {
        let mut last = -1.0;
        for (c1, c2) in rows {
            let layers: Vec<_> = (0..20).map(|layer| (if layer % 2 == 0 { c2 } else { c1 }, 1)).collect();
            let (report, findings) = account(&pointwise(c1, &layers));
            assert_eq!(access(&report), 20 * (HW * (c1 + c2) + c1 * c2), "{c1}:{c2}");
            let g1 = share(&findings, "G1");
            assert!(g1 > last, "{c1}:{c2} must be worse than the row before it");
            assert_eq!(c1 == c2, g1 == 0.0, "G1 is clean exactly at equal widths");
            let least = least_access(HW as f64, (HW * c1 * c2) as f64);
            let excess: i64 =
                findings.iter().filter(|finding| finding.rule == "G1").map(|finding| finding.excess).sum();
            let paper = 20.0 * ((HW * (c1 + c2) + c1 * c2) as f64 - least);
            assert!((excess as f64 - paper).abs() <= 10.0, "rounded once a node: {excess} against {paper}");
            last = g1;
        }
    }
}

#[test]
fn table_2_groups_cost_memory_access() {
    for rows in [[(1, 128), (2, 180), (4, 256), (8, 360)], [(1, 64), (2, 90), (4, 128), (8, 184)]] {
        let (mut last, mut last_access) = (-1, 0);
        for (groups, c) in rows {
            let (report, findings) = account(&pointwise(c, &[(c, groups); 10]));
            assert_eq!(access(&report), 10 * (HW * 2 * c + c * c / groups), "g={groups}");
            let excess: i64 =
                findings.iter().filter(|finding| finding.rule == "G2").map(|finding| finding.excess).sum();
            assert!(excess > last && access(&report) > last_access, "g={groups} must be worse than the row before it");
            assert_eq!(groups == 1, excess == 0);
            (last, last_access) = (excess, access(&report));
        }
    }
}

/// Ten blocks of `fragments` pointwise convolutions, in series, or side by side and added.
fn fragments(channels: i64, fragments: usize, parallel: bool) -> Model {
    let (mut text, mut at) = (format!("in x f32[1,{channels},56,56]"), "x".to_string());
    for block in 0..10 {
        let start = at.clone();
        for fragment in 0..fragments {
            let (name, from) = (format!("c{block}_{fragment}"), if parallel { start.clone() } else { at.clone() });
            text += &format!("; init w_{name} f32[{channels},{channels},1,1]; n_{name}=Conv {from} w_{name} -> {name}");
            if parallel && fragment > 0 {
                text += &format!("; n_a{name}=Add {at} {name} -> a{name}");
                at = format!("a{name}");
            } else {
                at = name;
            }
        }
    }
    model(&format!("{text}; out {at}"))
}

#[test]
fn table_3_fragments_cost_memory_access() {
    // Channels so that the MACs are those of one fragment: 128/√n, and 90 for n = 2 as in the paper's Table 1.
    for [c1, c2, c4] in [[128, 90, 64], [256, 180, 128], [512, 360, 256]] {
        let cost = |channels, count, parallel| {
            let (report, findings) = account(&fragments(channels, count, parallel));
            let n = count as i64;
            let adds = if parallel { (n - 1) * 3 * HW * channels } else { 0 };
            let convolutions = n * (HW * 2 * channels + channels * channels);
            assert_eq!(access(&report), 10 * (convolutions + adds), "{count} fragments of {channels}");
            findings.iter().filter(|finding| finding.rule == "G3").map(|finding| finding.excess).sum::<i64>()
        };
        let one = cost(c1, 1, false);
        let [series2, series4] = [cost(c2, 2, false), cost(c4, 4, false)];
        let [parallel2, parallel4] = [cost(c2, 2, true), cost(c4, 4, true)];
        // The paper's order wherever its own columns agree; of 4 in series and 2 in parallel they do not.
        assert!(one < series2 && series2 < series4, "{one} {series2} {series4}");
        assert!(series2 < parallel2 && series4 < parallel4 && parallel2 < parallel4, "{parallel2} {parallel4}");
    }
}

/// Squeeze-and-excite multiplies a block by a gate of one position: the block's output has all of them.
#[test]
fn a_gate_does_not_hide_the_block_that_it_stands_in() {
    let text = "in i f32[1,16,8,8]; r=Relu i -> x; init w f32[64,16,1,1]; init d f32[64,1,3,3]; init e f32[16,64,1,1]; \
                init f f32[64,16,1,1]; init p f32[16,64,1,1]; a=Conv x w -> a; b=Conv a d -> b pads=[1,1,1,1] group=64; \
                s=GlobalAveragePool b -> s; e1=Conv s e -> t; e2=Conv t f -> u; g=Mul b u -> g; c=Conv g p -> c; \
                y=Add x c -> y; out y";
    let (report, findings) = account(&model(text));
    let g3: Vec<_> = findings.iter().filter(|finding| finding.rule == "G3").collect();
    // Between x and y: five heavy nodes and the Mul, which joins two branches, at 64 positions.
    let of = |names: &[&str], key: &str| {
        let rows = report.nodes.iter().filter(|row| names.contains(&row.name.as_str()));
        rows.map(|row| row.counts.get(key).and_then(Dim::as_int).unwrap()).sum::<i64>() as f64
    };
    let heavy = ["a", "b", "e1", "e2", "c"];
    let least = least_access(64.0, of(&heavy, "macs"));
    let excess = of(&heavy, "memory_access") + of(&["g"], "memory_access") - least;
    assert_eq!(g3.iter().map(|finding| finding.excess).collect::<Vec<_>>(), [excess.round() as i64]);
}

#[test]
fn branches_are_judged_and_depthwise_convolutions_are_no_groups() {
    let branch = |out: &str| common::graph(&format!("init w{out} f32[64,16,1,1]; Conv x w{out} -> {out}; out {out}"));
    let mut graph = common::graph("in c bool[]; in x f32[1,16,8,8]; out y");
    let node = common::with_body(common::node("i=If c -> y"), "then_branch", branch("t"));
    graph.node.push(common::with_body(node, "else_branch", branch("e")));
    let (_, findings) = account(&Model::read(common::model_of(graph).encode_to_vec()).unwrap());
    assert_eq!(findings.iter().filter(|finding| finding.rule == "G1").count(), 2);
    let (_, findings) = account(&model("in x f32[1,16,8,8]; init w f32[16,1,1,1]; Conv x w -> y group=16; out y"));
    assert_eq!(findings.iter().map(|finding| finding.rule).collect::<Vec<_>>(), ["G4"]);
}

#[test]
fn a_block_of_g3_says_how_it_is_built() {
    let (_, findings) = account(&fragments(64, 4, true));
    let block = findings.iter().find(|finding| finding.rule == "G3").unwrap().block.clone().unwrap();
    assert_eq!((block.heavy, block.width, block.macs_per_heavy), (4, 4, (HW * 64 * 64) as f64));
}

#[test]
fn a_finding_in_a_loop_counts_for_every_run() {
    let body = |trips: i64| {
        let inner = common::graph(
            "in i i64[]; in c bool[]; in s f32[1,16,8,8]; init w f32[64,16,1,1]; init v f32[16,64,1,1]; \
             a=Conv s w -> t; b=Conv t v -> u; Identity c -> d; out d u",
        );
        let mut graph = common::graph(&format!("in x f32[1,16,8,8]; init n i64[]{{{trips}}}; out y"));
        graph.node.push(common::with_body(common::node("l=Loop n _ x -> y"), "body", inner));
        let model = Model::read(common::model_of(graph).encode_to_vec()).unwrap();
        account(&model).1.iter().filter(|finding| finding.rule == "G1").map(|finding| finding.excess).sum::<i64>()
    };
    assert!(body(1) > 0);
    assert_eq!(body(7), 7 * body(1));
}

/// A bottleneck unit (1×1, 3×3, 1×1 with a quarter of the width inside), ten times, with or without ReLU and shortcut.
fn bottlenecks(width: i64, relu: bool, shortcut: bool) -> Model {
    let (mut text, mut at) = (format!("in x f32[1,{width},56,56]"), "x".to_string());
    for unit in 0..10 {
        let start = at.clone();
        let inner = width / 4;
        for (layer, (outputs, inputs, kernel)) in
            [(inner, width, 1), (inner, inner, 3), (width, inner, 1)].iter().enumerate()
        {
            let (name, pad) = (format!("c{unit}_{layer}"), kernel / 2);
            text += &format!("; init w_{name} f32[{outputs},{inputs},{kernel},{kernel}]");
            text += &format!("; n_{name}=Conv {at} w_{name} -> {name} pads=[{pad},{pad},{pad},{pad}]");
            at = name;
            if relu {
                text += &format!("; n_r{unit}_{layer}=Relu {at} -> r{unit}_{layer}");
                at = format!("r{unit}_{layer}");
            }
        }
        if shortcut {
            text += &format!("; n_s{unit}=Add {at} {start} -> s{unit}");
            at = format!("s{unit}");
        }
    }
    model(&format!("{text}; out {at}"))
}

#[test]
fn table_4_relu_and_shortcut_cost_memory_access_and_no_macs() {
    for width in [32, 64, 128] {
        let cost = |relu, shortcut| {
            let (report, findings) = account(&bottlenecks(width, relu, shortcut));
            (report.totals.counts.get("macs").cloned(), access(&report), share(&findings, "G4"))
        };
        let (both, relu, shortcut, none) = (cost(true, true), cost(true, false), cost(false, true), cost(false, false));
        assert!([&relu, &shortcut, &none].iter().all(|other| other.0 == both.0), "the MACs are the same");
        assert_eq!(both.1 - shortcut.1, 10 * 2 * HW * (width / 4 * 2 + width), "ReLU reads and writes what it covers");
        assert_eq!(both.1 - relu.1, 10 * 3 * HW * width, "a shortcut reads two tensors and writes one");
        assert_eq!(none.2, 0.0);
        assert!(both.2 > relu.2 && both.2 > shortcut.2 && relu.2 > 0.0 && shortcut.2 > 0.0);
    }
}
