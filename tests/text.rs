//! What people read: columns stand apart however long the names and numbers are, and no name looks like another.

#![allow(clippy::unwrap_used)]

mod common;

use lwstat::Report;
use lwstat::latency::{Latency, NodeLatency, Stopped};
use lwstat::render::number::misleads;
use lwstat::render::{FORMATS, Style};
use lwstat::summary::{By, View, groups};

fn shown(format: &str, report: &Report, by: By, width: usize, exact: bool) -> String {
    let view = View { by, depth: 9, sort: None, top: None };
    let style = Style { view, width, color: false, exact, plan: false, figures: None, charts: &[] };
    let format = FORMATS.iter().find(|other| other.name == format).unwrap();
    (format.report)(report, &style).unwrap()
}

const LONG: &str = "backbone/stage/a_block_with_a_very_long_name/another_level_of_nesting/another_one_within_it";

/// Long names of nodes, operators and domains; counts with long remarks.
fn hostile() -> Report {
    let long = format!(
        "in x f32[1,8,2048,64]; {LONG}/attention=Attention x x x -> a is_causal=1; \
         {LONG}/custom=a.vendor.with.a.long.domain::AnOperatorWithAVeryLongNameThatSomeCompilerMadeUp a -> b; \
         info b f32[1,8,2048,64]; {LONG}/relu=Relu b -> y; out y"
    );
    let mut model = common::model(&long);
    model.opset_import = vec![common::opset("", 23), common::opset("a.vendor.with.a.long.domain", 1)];
    common::report(&model).unwrap()
}

#[test]
fn labels_and_values_stand_apart_at_any_width() {
    let report = hostile();
    for by in [By::Op, By::Scope, By::Node] {
        for width in [40, 60, 72, 80, 100, 120, 160, 240] {
            for exact in [false, true] {
                let text = shown("text", &report, by, width, exact);
                for line in text.lines() {
                    // A second label stands alone or behind two spaces.
                    for label in ["FLOPs  ", "Weights  ", "Intensity  "] {
                        let before = line.split_once(label).map_or("", |(before, _)| before);
                        assert!(before.trim().is_empty() || before.ends_with("  "), "{by:?} {width}: {line}");
                    }
                    assert_eq!(line, line.trim_end(), "{by:?} {width}");
                    let longest = line.split_whitespace().map(|word| word.chars().count()).max().unwrap_or(0);
                    let fits = line.chars().count() <= width || longest + 20 > width || width < 72;
                    assert!(fits, "{by:?} {width}: {line}");
                }
                if by == By::Node {
                    let row = text.lines().find_map(|line| line.split_once("/custom")).unwrap().1;
                    assert!(row.starts_with("  ") && row.trim_start().starts_with("AnOperator"), "{row}");
                }
            }
        }
    }
}

#[test]
fn no_name_looks_like_another_in_a_report() {
    let names = "in x\u{202e}x f32[2,3]; a\u{2066}/b\u{200b}=Relu x\u{202e}x -> $y$\u{feff}; \u{200f}=Relu $y$\u{feff} -> z; out z";
    let report = common::report(&common::model(names)).unwrap();
    for format in FORMATS.iter().filter(|format| format.name != "json") {
        for by in [By::Op, By::Scope, By::Node] {
            let text = shown(format.name, &report, by, 100, false);
            assert!(!text.contains(misleads), "{} {by:?}: {text}", format.name);
        }
    }
    assert!(shown("json", &report, By::Node, 100, false).contains('\u{202e}'), "programs get names as they are");
}

/// A measurement in which these nodes took so many milliseconds.
fn measured(times: &[(&str, f64)]) -> Latency {
    let node = |(name, ms): &(&str, f64)| NodeLatency {
        name: name.to_string(),
        op_type: String::new(),
        ms: *ms,
        median_ms: *ms,
        runtime_ops: Vec::new(),
        fused: Vec::new(),
    };
    Latency {
        backend: "test",
        version: "0",
        cpu: String::new(),
        threads: 1,
        warmup: 0,
        runs: 1,
        stopped: Stopped::Runs,
        median_ms: 1.0,
        p10_ms: 1.0,
        p90_ms: 1.0,
        min_ms: 1.0,
        throughput_per_second: 1.0,
        load_ms: 0.0,
        optimize_ms: 0.0,
        synthetic_weights: false,
        short_data: None,
        not_finite_nodes: 0,
        subnormal_nodes: 0,
        profiled_median_ms: 1.0,
        nodes: times.iter().map(node).collect(),
        nodes_ms: 1.0,
        unmapped_ms: 0.0,
        unattributed_ms: 0.0,
        removed: Vec::new(),
    }
}

#[test]
fn groups_are_sorted_by_what_the_report_has() {
    let model = common::model("in x f32[2,3]; m/a=Relu x -> p; m/b=Neg p -> q; n/c=Abs q -> r; n/d=Sqrt r -> y; out y");
    let report = common::report(&model).unwrap();
    let timed = Report { latency: Some(measured(&[("m/a", 1.0), ("m/b", 3.0), ("n/d", 5.0)])), ..report.clone() };
    let failed = Report { latency_error: Some("it cannot run".to_string()), ..report.clone() };
    let order = |report: &Report, by: By, sort: &str| {
        let view = View { by, depth: 1, sort: Some(sort.to_string()), top: None };
        let labels = groups(report, &view).map(|(groups, _)| groups.into_iter().map(|group| group.label));
        labels.map(|labels| labels.collect::<Vec<_>>().join(" ")).map_err(|error| error.to_string())
    };
    for (report, by, sort, expected) in [
        (&timed, By::Node, "latency_ms", Ok("n/d m/b m/a n/c")),
        (&timed, By::Op, "latency_ms", Ok("Sqrt Neg Relu Abs")),
        (&timed, By::Scope, "latency_ms", Ok("n m")),
        // What could not be measured has no order of its own.
        (&failed, By::Node, "latency_ms", Ok("m/a m/b n/c n/d")),
        (&report, By::Node, "latency_ms", Err("give --latency")),
        (&report, By::Node, "roofline_ms", Err("give --device")),
        (&report, By::Node, "latencyms", Err("did you mean \"latency_ms\"?")),
    ] {
        match (order(report, by, sort), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{by:?} {sort}"),
            (Err(found), Err(part)) => assert!(found.contains(part), "{found}"),
            (found, expected) => panic!("{found:?} for {expected:?}"),
        }
    }
}
