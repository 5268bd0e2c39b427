//! Differences of two models: nothing for the same network under other names, one block for one block, and deltas that
//! add up to the difference of the totals.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::fmt::Write;

use bytes::Bytes;
use common::*;
use lwstat::cost::METRICS;
use lwstat::diff::{Change, Diff, Kind, Pair, diff};
use lwstat::onnx::{GraphProto, ModelProto, NodeProto, ValueInfoProto};
use lwstat::render::{DIFFS, Style};
use lwstat::summary::{By, View};
use lwstat::{Bindings, Dim, Model, Report};
use proptest::prelude::*;
use prost::Message;

fn cases(default: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(default);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn open(path: &str) -> Report {
    Model::open(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap().report(&Bindings::default()).unwrap()
}

/// The `.onnx` files of a folder, sorted.
fn files(folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(format!("{}/{folder}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut paths: Vec<_> =
        names.filter(|name| name.ends_with(".onnx")).map(|name| format!("{folder}/{name}")).collect();
    paths.sort();
    paths
}

fn name(name: &mut String) {
    if !name.is_empty() {
        *name = format!("r{}", name.chars().rev().collect::<String>());
    }
}

/// Gives every node and tensor another name, in bodies, too.
fn rename(graph: &mut GraphProto) {
    let info = |info: &mut ValueInfoProto| name(&mut info.name);
    graph.input.iter_mut().chain(&mut graph.output).for_each(info);
    graph.initializer.iter_mut().for_each(|tensor| name(&mut tensor.name));
    for bytes in &mut graph.value_info {
        let mut declared = ValueInfoProto::decode(bytes.clone()).unwrap();
        info(&mut declared);
        *bytes = Bytes::from(declared.encode_to_vec());
    }
    graph.node.iter_mut().for_each(rename_node);
}

fn rename_node(node: &mut NodeProto) {
    name(&mut node.name);
    node.input.iter_mut().chain(&mut node.output).for_each(name);
    node.attribute.iter_mut().filter_map(|attribute| attribute.g.as_mut()).for_each(|body| rename(body));
}

fn renamed(model: &ModelProto) -> ModelProto {
    let mut model = model.clone();
    model.graph.iter_mut().for_each(rename);
    model
}

/// What is wrong with a difference: deltas that do not add up, or that formats cannot show.
fn faults(difference: &Diff) -> Vec<String> {
    let mut faults = Vec::new();
    for (index, metric) in METRICS.iter().enumerate() {
        let sum: Dim = difference.changes.iter().map(|change| change.delta.0[index].clone().unwrap()).sum();
        if Some(&sum) != difference.total(metric.key).unwrap().delta.as_ref() {
            faults.push(format!("{}: {sum} of {:?}", metric.key, difference.total(metric.key)));
        }
    }
    let came = |pair: &Pair| i64::from(pair.after.is_some()) - i64::from(pair.before.is_some());
    let nodes: i64 = difference.changes.iter().flat_map(|change| &change.nodes).map(came).sum();
    if Some(&Dim::from(nodes)) != difference.total("nodes").unwrap().delta.as_ref() {
        faults.push(format!("nodes: {nodes} of {:?}", difference.total("nodes")));
    }
    let view = View { by: By::Op, depth: 0, sort: None, top: None };
    let style = Style { view, width: 80, color: false, exact: false, plan: false, charts: &[], figures: None };
    DIFFS.iter().filter(|(_, render)| render(difference, &style).is_empty()).for_each(|_| faults.push("empty".into()));
    faults
}

fn of(before: &str, after: &str) -> Diff {
    let difference = diff(&report(&model(before)).unwrap(), &report(&model(after)).unwrap());
    assert_eq!(faults(&difference), Vec::<String>::new());
    difference
}

#[test]
fn the_same_network_under_other_names_differs_by_nothing() {
    let mut wrong = Vec::new();
    for path in
        ["graphs", "fixtures/exports", "fixtures/wild", "fixtures/node-suite"].iter().flat_map(|folder| files(folder))
    {
        let bytes = std::fs::read(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let proto = ModelProto::decode(Bytes::from(bytes)).unwrap();
        let (Ok(before), Ok(after)) = (report(&proto), report(&renamed(&proto))) else { continue };
        let difference = diff(&before, &after);
        wrong.extend(faults(&difference).iter().map(|fault| format!("{path}: {fault}")));
        if !difference.changes.is_empty() {
            wrong.push(format!("{path}: {:?}", difference.changes[0]));
        }
        if let Some(total) = difference.totals.iter().find(|total| total.before != total.after) {
            wrong.push(format!("{path}: {total:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn deltas_add_up_between_exporters_and_networks() {
    let mut wrong = Vec::new();
    let (exports, graphs) = (files("fixtures/exports"), files("graphs"));
    let exporters = exports.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone()));
    let neighbours = graphs.windows(2).map(|pair| (pair[0].clone(), pair[1].clone()));
    let bert = ["dynamo", "ts"].map(|style| format!("fixtures/wild/bert_4l.{style}.onnx"));
    for (before, after) in exporters.chain(neighbours).chain([bert.into()]) {
        let difference = diff(&open(&before), &open(&after));
        wrong.extend(faults(&difference).iter().map(|fault| format!("{before} {after}: {fault}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Kernel size, width, stride and activation.
type Layer = (i64, i64, i64, &'static str);

/// A network of four blocks: `blocks` are their layers, each a kernel size, a width, a stride and an activation.
fn network(blocks: &[Layer]) -> String {
    let mut text = "in t0 f32[1,3,64,64];".to_string();
    let mut channels = 3;
    for (at, (kernel, width, stride, activation)) in blocks.iter().enumerate() {
        let (pad, next) = (kernel / 2, at + 1);
        write!(
            text,
            "init w{at} f32[{width},{channels},{kernel},{kernel}]; init b{at} f32[{width}];
             /net/{at}/conv/Conv=Conv t{at} w{at} b{at} -> c{at} kernel_shape=[{kernel},{kernel}] strides=[{stride},{stride}] pads=[{pad},{pad},{pad},{pad}];
             /net/{at}/act/{activation}={activation} c{at} -> t{next};"
        )
        .unwrap();
        channels = *width;
    }
    let last = blocks.len();
    write!(text, "init fc f32[{channels},10]; GlobalAveragePool t{last} -> p; Flatten p -> f; MatMul f fc -> y; out y")
        .unwrap();
    text
}

const BLOCKS: [(i64, i64, i64, &str); 4] =
    [(3, 8, 2, "Relu"), (3, 16, 1, "Relu"), (3, 16, 2, "Relu"), (1, 32, 1, "Relu")];

/// The block, `kind` and the operators before and after of each change.
fn shown(difference: &Diff) -> Vec<String> {
    let kind = |place: &Option<lwstat::diff::Place>| place.as_ref().map_or("", |place| &place.kind).to_string();
    let change = |change: &Change| {
        let pairs = change.nodes.iter().map(|pair| format!("{}>{}", kind(&pair.before), kind(&pair.after)));
        let text = format!("{} {:?} {}", change.scope, change.kind, pairs.collect::<Vec<_>>().join(", "));
        text.trim_start().to_string()
    };
    difference.changes.iter().map(change).collect()
}

#[test]
fn one_changed_block_is_one_change() {
    let changed = |at: usize, block: (i64, i64, i64, &'static str)| {
        let mut blocks = BLOCKS;
        blocks[at] = block;
        of(&network(&BLOCKS), &network(&blocks))
    };
    // A wider layer changes its own block and the input of the next.
    assert_eq!(
        shown(&changed(1, (3, 24, 1, "Relu"))),
        ["net.1 Changed Conv 3×3>Conv 3×3, Relu>Relu", "net.2 Changed Conv 3×3>Conv 3×3"]
    );
    assert_eq!(shown(&changed(2, (5, 16, 2, "Relu"))), ["net.2 Changed Conv 3×3>Conv 5×5"]);
    let swapped = changed(1, (3, 16, 1, "HardSwish"));
    assert_eq!(shown(&swapped), ["net.1 Changed Relu>, >HardSwish"]);
    assert_eq!(swapped.unchanged, 10);
    // Another stride changes all sizes behind it, down to the pool.
    assert_eq!(
        shown(&changed(3, (1, 32, 2, "Relu"))),
        ["net.3 Changed Conv 1×1>Conv 1×1, Relu>Relu", "Changed GlobalAveragePool>GlobalAveragePool"]
    );
}

/// Half the input, or all of it wider: every node is still the one at its place, though its sizes are another's.
#[test]
fn another_size_or_width_moves_no_node() {
    let blocks: Vec<_> = (0..4).map(|at| (3, 8 << at, 2, "Relu")).collect();
    let text = network(&blocks);
    let wider: Vec<_> = (0..4).map(|at| (3, 16 << at, 2, "Relu")).collect();
    for (what, other) in [
        ("half", text.replace("f32[1,3,64,64]", "f32[1,3,32,32]")),
        ("twice", text.replace("f32[1,3,64,64]", "f32[1,3,128,128]")),
        ("wider", network(&wider)),
    ] {
        let difference = of(&text, &other);
        let pairs = difference.changes.iter().flat_map(|change| &change.nodes);
        let moved = pairs.filter(|pair| {
            let (before, after) = (pair.before.as_ref(), pair.after.as_ref());
            before.zip(after).is_none_or(|(before, after)| before.name != after.name)
        });
        assert_eq!(moved.collect::<Vec<_>>(), Vec::<&Pair>::new(), "{what}");
    }
}

/// Edits far apart in blocks that are alike are those edits.
#[test]
fn several_edits_in_equal_blocks_are_told_apart() {
    let equal = vec![(3, 8, 1, "Relu"); 8];
    let edited = |edits: &[(usize, Layer)]| {
        let mut blocks = equal.clone();
        edits.iter().for_each(|(at, block)| blocks[*at] = *block);
        shown(&of(&network(&equal), &network(&blocks)))
    };
    let swapped = |at: usize| format!("net.{at} Changed Relu>, >HardSwish");
    let act = (3, 8, 1, "HardSwish");
    assert_eq!(edited(&[(2, act), (5, act)]), [swapped(2), swapped(5)]);
    assert_eq!(edited(&[(1, act), (3, act), (6, act)]), [swapped(1), swapped(3), swapped(6)]);
    let kernel = (5, 8, 1, "Relu");
    assert_eq!(edited(&[(2, kernel), (5, act)]), ["net.2 Changed Conv 3×3>Conv 5×5".to_string(), swapped(5)]);
    // So are one edit and other widths everywhere.
    let mut wider: Vec<_> =
        equal.iter().map(|(kernel, width, stride, act)| (*kernel, width * 2, *stride, *act)).collect();
    wider[4].3 = "HardSwish";
    let difference = of(&network(&equal), &network(&wider));
    let pairs: Vec<&Pair> = difference.changes.iter().flat_map(|change| &change.nodes).collect();
    let alone = pairs.iter().filter(|pair| pair.before.is_none() || pair.after.is_none()).count();
    let same_name =
        |pair: &&&Pair| pair.before.as_ref().zip(pair.after.as_ref()).is_some_and(|(a, b)| a.name == b.name);
    assert_eq!((alone, pairs.iter().filter(same_name).count()), (2, pairs.len() - 2));
}

/// Where one of the models has no modules, the other's name what changed.
#[test]
fn modules_of_one_model_name_the_changes_of_both() {
    let mut blocks = BLOCKS;
    blocks[1].3 = "HardSwish";
    let bare = |text: &str| {
        let word =
            |word: &str| if word.starts_with("/net/") { word.split('=').skip(1).collect() } else { word.to_string() };
        text.split(' ').map(word).collect::<Vec<_>>().join(" ")
    };
    let (old, new) = (network(&BLOCKS), network(&blocks));
    for (old, new) in [(old.clone(), bare(&new)), (bare(&old), new)] {
        assert_eq!(shown(&of(&old, &new)), ["net.1 Changed Relu>, >HardSwish"]);
    }
}

/// An edit in one of several branches that are alike is in that branch; an output or input more moves no other.
#[test]
fn branches_that_are_alike_keep_their_places() {
    let head = |at: usize, kernel: usize| {
        let pad = kernel / 2;
        format!(
            "init w{at} f32[4,4,{kernel},{kernel}]; /head/{at}/c/Conv=Conv t w{at} -> c{at} pads=[{pad},{pad},{pad},{pad}]; \
             /head/{at}/r/Relu=Relu c{at} -> y{at};"
        )
    };
    let net = |first: usize, outputs: &str| {
        let heads = head(0, first) + &head(1, 3) + &head(2, 3);
        format!("in x f32[1,4,8,8]; Relu x -> t; {heads} out {outputs}")
    };
    assert_eq!(shown(&of(&net(3, "y0 y1 y2"), &net(5, "y0 y1 y2"))), ["head.0 Changed Conv 3×3>Conv 5×5"]);
    let more = net(3, "aux y0 y1 y2").replace(" out ", " /aux/Tanh=Tanh t -> aux; out ");
    assert_eq!(shown(&of(&net(3, "y0 y1 y2"), &more)), ["aux Added >Tanh"]);
}

/// What stands in a branch that may not run is seen, though its node alone has the cost.
#[test]
fn nodes_of_branches_are_compared() {
    let net = |then: &str, other: &str| {
        let mut model = model("in x f32[1,8]; in which bool[]; out y");
        let call =
            with_body(node("route=If which -> y"), "then_branch", graph(&format!("{then} x -> r; Exp r -> s; out s")));
        let call = with_body(call, "else_branch", graph(&format!("{other} x -> r; out r")));
        model.graph.as_mut().unwrap().node.push(call);
        report(&model).unwrap()
    };
    for (after, pairs) in [(net("Sigmoid", "Relu"), 0), (net("Sigmoid", "Abs"), 2), (net("Tanh", "Relu"), 2)] {
        let difference = diff(&net("Sigmoid", "Relu"), &after);
        assert_eq!(faults(&difference), Vec::<String>::new());
        let nodes = difference.changes.iter().flat_map(|change| &change.nodes);
        let of_branches = nodes.filter(|pair| pair.before.is_none() || pair.after.is_none()).count();
        assert_eq!(of_branches, pairs);
    }
}

/// What is read from another place is a change, though it costs the same.
#[test]
fn other_wires_are_a_change() {
    let text = |op: &str, a: &str, b: &str| {
        format!("in x f32[1,8]; Relu x -> p; Tanh p -> q; Sigmoid q -> r; s={op} {a} {b} -> y; out y")
    };
    for (before, after, rewired) in [
        (text("Sub", "p", "r"), text("Sub", "r", "p"), true),
        (text("Add", "p", "r"), text("Add", "r", "p"), false),
        (text("Add", "p", "r"), text("Add", "q", "r"), true),
        (text("Sub", "q", "r"), text("Sub", "q", "r"), false),
        (text("Sub", "x", "r"), text("Sub", "p", "r"), true),
    ] {
        let difference = of(&before, &after);
        let wires: Vec<bool> =
            difference.changes.iter().flat_map(|change| &change.nodes).map(|pair| pair.rewired).collect();
        assert_eq!(wires, vec![true; usize::from(rewired)], "{before}\n{after}");
    }
    let outputs = "in x f32[1,8]; Relu x -> p; Relu p -> q; out p q";
    assert_eq!(of(outputs, &outputs.replace("Relu p", "Relu x")).changes.len(), 1);
}

/// A block that was put in between equal ones stands where a block begins.
#[test]
fn what_came_between_equal_blocks_is_a_block() {
    let block = |at: usize, input: &str, width: usize| {
        format!(
            "init w{at} f32[{width},{width},1,1]; init v{at} f32[{width},{width},1,1];
             /net/{at}/a/Conv=Conv {input} w{at} -> a{at}; /net/{at}/a/Relu=Relu a{at} -> b{at};
             /net/{at}/b/Conv=Conv b{at} v{at} -> c{at}; /net/{at}/Add=Add c{at} {input} -> t{at};"
        )
    };
    let net = |count: usize| {
        let mut text = "in x f32[1,8,4,4];".to_string();
        for at in 0..count {
            text += &block(at, &if at == 0 { "x".to_string() } else { format!("t{}", at - 1) }, 8);
        }
        // What follows begins as a block does.
        let last = count - 1;
        write!(
            text,
            "init z f32[8,8,1,1]; /net/{count}/a/Conv=Conv t{last} z -> d; /net/{count}/a/Sigmoid=Sigmoid d -> y; out y"
        )
        .unwrap();
        text
    };
    assert_eq!(shown(&of(&net(3), &net(4))), ["net.3 Added >Conv 1×1, >Relu, >Conv 1×1, >Add"]);
    assert_eq!(shown(&of(&net(4), &net(3))), ["net.3 Removed Conv 1×1>, Relu>, Conv 1×1>, Add>"]);
}

#[test]
fn a_layer_more_is_added_and_a_layer_less_removed() {
    let mut more = BLOCKS.to_vec();
    more.insert(2, (3, 16, 1, "Relu"));
    let added = of(&network(&BLOCKS), &network(&more));
    assert_eq!(shown(&added), ["net.2 Added >Conv 3×3, >Relu"]);
    assert_eq!((added.changes[0].kind, added.unchanged), (Kind::Added, 11));
    let removed = of(&network(&more), &network(&BLOCKS));
    assert_eq!(shown(&removed), ["net.2 Removed Conv 3×3>, Relu>"]);
    let macs = |difference: &Diff| difference.changes[0].delta.get("macs").and_then(Dim::as_int).unwrap();
    assert_eq!((macs(&added), macs(&removed)), (16 * 16 * 9 * 32 * 32, -16 * 16 * 9 * 32 * 32));
}

#[test]
fn params_that_move_between_nodes_add_up() {
    let shared = "in x f32[1,4,8,8]; init w f32[4,4,1,1]; Conv x w -> a; Relu a -> b; Conv b w -> y; out y";
    let first = "in x f32[1,4,8,8]; init w f32[4,4,1,1]; Relu x -> b; Conv b w -> y; out y";
    let difference = of(shared, first);
    assert_eq!(difference.total("params").unwrap().delta, Some(Dim::ZERO));
    let apart = shared.replace("init w", "init v f32[4,4,1,1]; init w").replace("Conv b w", "Conv b v");
    assert_eq!(of(shared, &apart).total("params").unwrap().delta, Some(Dim::from(16i64)));
    assert_eq!(of(shared, &apart).changes.len(), 1);
}

#[test]
fn dimensions_of_other_names_are_the_same_at_the_same_place() {
    let text = "in x f32[batch,seq,8]; init w f32[8,8]; MatMul x w -> y; out y";
    assert_eq!(shown(&of(text, &text.replace("batch", "n").replace("seq", "s"))), Vec::<String>::new());
    assert_eq!(
        shown(&of(text, &text.replace("batch", "?").replace("seq", "batch").replace('?', "seq"))),
        Vec::<String>::new()
    );
    // One name for two dimensions cannot stand for both.
    let square = text.replace("seq", "batch");
    assert!(!of(&square, text).changes.is_empty());
    assert!(!of(text, &square).changes.is_empty());
    // What the inputs are called tells them apart where they changed places.
    let inputs = |a: &str, b: &str| format!("in {a}; in {b}; Relu x -> p; Relu y -> q; Sigmoid q -> r; out p r");
    let (x, y) = ("x f32[n,8]", "y f32[m,8]");
    assert_eq!(shown(&of(&inputs(x, y), &inputs(y, x))), Vec::<String>::new());
    // Sizes that the data decide are named after their node.
    let data = "in x f32[n]; first=NonZero x -> y; Relu x -> z; out y z";
    assert_eq!(shown(&of(data, &data.replace("first", "other"))), Vec::<String>::new());
}

/// How often a loop runs stands in counts alone, under the loop's name.
#[test]
fn trips_of_loops_are_the_same_under_other_names() {
    let body = graph("in i i64[]; in go bool[]; in s f32[8,8]; MatMul s s -> t; out go t");
    let loop_of = |name: &str| {
        let mut model = model("in n i64[]; in x f32[8,8]; out y");
        let call = node(&format!("{name}=Loop n _ x -> y"));
        model.graph.as_mut().unwrap().node.push(with_body(call, "body", body.clone()));
        model
    };
    let (old, new) = (report(&loop_of("one")).unwrap(), report(&loop_of("other")).unwrap());
    assert!(old.totals.counts.get("macs").unwrap().as_int().is_none());
    assert_eq!(shown(&diff(&old, &new)), Vec::<String>::new());
    assert!(diff(&old, &new).totals.iter().all(|total| total.delta == Some(Dim::ZERO)));
}

#[test]
fn the_order_of_the_file_does_not_matter() {
    let text = |a: &str, b: &str| {
        format!("in x f32[1,4,8,8]; init w f32[4,4,1,1]; init v f32[8,4,1,1]; {a} {b} Concat p q -> y axis=1; out y")
    };
    let (a, b) = ("Conv x w -> a; Relu a -> p;", "Conv x v -> b; Sigmoid b -> q;");
    assert_eq!(shown(&of(&text(a, b), &text(b, a))), Vec::<String>::new());
    // A weight counts for its first reader, which is another.
    let shared = text(a, "Conv x w -> b; Sigmoid b -> q;");
    let turned = text("Conv x w -> b; Sigmoid b -> q;", a);
    assert_eq!(shown(&of(&shared, &turned)), Vec::<String>::new());
    // Branches that are alike are told apart by where they lead.
    let (a, b) = ("Conv x w -> a; Relu a -> p;", "Conv x w -> b; Relu b -> q;");
    assert_eq!(shown(&of(&text(a, b), &text(b, a))), Vec::<String>::new());
}

/// A chain with branches over `n×8`, some of whose weights are shared.
fn dag(steps: &[(u8, usize, usize)]) -> ModelProto {
    let mut text = "in t0 f32[n,8]; init w0 f32[8,8]; init w1 f32[8,8]; init w2 f32[8,8]; init v f32[1,8];".to_string();
    for (index, (kind, a, b)) in steps.iter().enumerate() {
        let (a, out, weight) = (a % (index + 1), index + 1, b % 3);
        let node = match kind % 6 {
            0 | 1 => format!("MatMul t{a} w{weight}"),
            2 => format!("Relu t{a}"),
            3 => format!("Mul t{a} v"),
            4 => format!("Add t{a} t{}", b % (index + 1)),
            _ => format!("Gelu t{a}"),
        };
        write!(text, "{node} -> t{out};").unwrap();
    }
    let last = steps.len();
    write!(text, "out t{last}").unwrap();
    model(&text)
}

/// The same model with its nodes in another order in which they can run.
fn reordered(mut model: ModelProto, keys: &[u64]) -> ModelProto {
    let graph = model.graph.as_mut().unwrap();
    let mut left: Vec<(u64, NodeProto)> = graph
        .node
        .drain(..)
        .enumerate()
        .map(|(at, node)| (keys[at % keys.len()].rotate_left(at as u32), node))
        .collect();
    left.sort_by_key(|(key, _)| *key);
    while !left.is_empty() {
        let is_made = |name: &String| !left.iter().any(|(_, node)| node.output.contains(name));
        let next = left.iter().position(|(_, node)| node.input.iter().all(is_made)).unwrap();
        graph.node.push(left.remove(next).1);
    }
    model
}

type Steps = Vec<(u8, usize, usize)>;

fn steps() -> impl Strategy<Value = Steps> {
    prop::collection::vec((any::<u8>(), any::<usize>(), any::<usize>()), 1..24)
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn deltas_of_any_two_graphs_add_up(before in steps(), after in steps()) {
        let (before, after) = (report(&dag(&before)).unwrap(), report(&dag(&after)).unwrap());
        let difference = diff(&before, &after);
        prop_assert_eq!(faults(&difference), Vec::<String>::new());
        let back = diff(&after, &before);
        prop_assert_eq!(faults(&back), Vec::<String>::new());
    }

    #[test]
    fn another_order_of_the_file_is_the_same(steps in steps(), keys in prop::collection::vec(any::<u64>(), 8)) {
        let (before, after) = (dag(&steps), reordered(renamed(&dag(&steps)), &keys));
        let same = diff(&report(&before).unwrap(), &report(&after).unwrap());
        prop_assert!(same.changes.is_empty(), "{:?}", same.changes);
    }

    #[test]
    fn an_edited_graph_adds_up_and_a_renamed_one_is_the_same(
        before in steps(),
        at in any::<prop::sample::Index>(),
        step in (any::<u8>(), any::<usize>(), any::<usize>()),
        edit in 0..3u8,
    ) {
        let mut after = before.clone();
        match edit {
            0 => after[at.index(before.len())] = step,
            1 => after.insert(at.index(before.len()), step),
            _ if before.len() > 1 => drop(after.remove(at.index(before.len()))),
            _ => {}
        }
        let (old, new) = (dag(&before), dag(&after));
        let (old, names, new) = (report(&old).unwrap(), report(&renamed(&old)).unwrap(), report(&new).unwrap());
        prop_assert_eq!(faults(&diff(&old, &new)), Vec::<String>::new());
        let same = diff(&old, &names);
        prop_assert!(same.changes.is_empty(), "{:?}", same.changes);
        // The names of nodes do not decide what changed.
        let by_names: BTreeMap<_, _> = shown(&diff(&names, &new)).into_iter().enumerate().collect();
        let by_others: BTreeMap<_, _> = shown(&diff(&old, &new)).into_iter().enumerate().collect();
        prop_assert_eq!(by_names, by_others);
    }
}

/// Large graphs end: a long chain against one with a block in its middle, and against one with nothing in common.
#[test]
fn graphs_of_thousands_of_nodes_are_aligned() {
    let chain = |ops: &[&str], count: usize, state: u64| {
        let mut text = "in t0 f32[4];".to_string();
        let mut state = state;
        for at in 0..count {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            write!(text, "{} t{at} -> t{};", ops[state as usize % ops.len()], at + 1).unwrap();
        }
        write!(text, "out t{count}").unwrap();
        report(&model(&text)).unwrap()
    };
    let ops = ["Relu", "Sigmoid", "Tanh", "Exp"];
    let (one, other) = (chain(&ops, 4000, 1), chain(&ops, 4000, 99));
    let longer = chain(&ops, 4003, 1);
    assert_eq!(diff(&one, &longer).unchanged, 4000);
    assert_eq!(faults(&diff(&one, &other)), Vec::<String>::new());
}
