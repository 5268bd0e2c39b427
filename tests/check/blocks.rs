//! What a finding says of a block: a name of its own, and what is different in it.

use lwstat::check::blocks::{blocks, causes};
use lwstat::onnx::ModelProto;
use lwstat::{Bindings, Dim, Model};

use crate::common::{graph, model, node, report, with_body};

fn of(model: &ModelProto) -> Vec<lwstat::check::blocks::Block> {
    blocks(&report(model).unwrap(), &|dim: &Dim| dim.clone())
}

/// Block and words of each difference.
fn said(before: &ModelProto, after: &ModelProto) -> Vec<String> {
    causes(&of(before), &of(after)).into_iter().map(|cause| format!("{}: {}", cause.block, cause.what)).collect()
}

#[test]
fn blocks_have_names_of_their_own() {
    for entry in std::fs::read_dir("graphs").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "onnx") {
            continue;
        }
        let report = Model::open(&path).unwrap().report(&Bindings::default()).unwrap();
        let mut names: Vec<String> =
            blocks(&report, &|dim: &Dim| dim.clone()).into_iter().map(|block| block.name).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count, "{}", path.display());
        let outer = |name: &String| names.iter().any(|other| other.starts_with(&format!("{name}.")));
        assert_eq!(names.iter().find(|name| outer(name)), None, "{}", path.display());
    }
}

/// A network that runs one of two branches, one of them of this width.
fn branching(width: usize) -> ModelProto {
    let mut model = model("in x f32[1,4,8,8]; in which bool[]; out y");
    let wide = graph(&format!(
        "init w f32[{width},4,1,1]; init v f32[4,{width},1,1]; Conv x w -> a; Relu a -> b; Conv b v -> c; out c"
    ));
    let call = with_body(
        with_body(node("route=If which -> y"), "then_branch", wide),
        "else_branch",
        graph("Relu x -> r; out r"),
    );
    model.graph.as_mut().unwrap().node.push(call);
    model
}

/// A network that runs a matrix product so many times.
fn looping(trips: usize) -> ModelProto {
    let mut model = model(&format!("in x f32[8,8]; init n i64[]{{{trips}}}; out y"));
    let body = graph("in i i64[]; in go bool[]; in s f32[8,8]; MatMul s s -> t; out go t");
    model.graph.as_mut().unwrap().node.push(with_body(node("again=Loop n _ x -> y"), "body", body));
    model
}

#[test]
fn what_is_different_is_said() {
    for (before, after, expected) in [
        (branching(8), branching(8), &[][..]),
        (branching(8), branching(12), &["route: If → 1×4×8×8, in a branch: Conv 1×1 → 1×12×8×8 instead of 1×8×8×8"]),
        (looping(10), looping(12), &["again/body/MatMul_0: Loop → 8×8, run 1.2 times as often"]),
    ] {
        assert_eq!(said(&before, &after), expected);
    }
}

/// What is not known takes nothing from what is.
#[test]
fn a_block_with_an_unknown_operator_says_what_is_known() {
    let net = |width: usize| {
        model(&format!(
            "in x f32[1,4,8,8]; init w f32[{width},4,1,1]; Conv x w -> a; own::Odd a -> b; Relu b -> y; out y"
        ))
    };
    let causes = causes(&of(&net(8)), &of(&net(12)));
    let macs: Vec<_> = causes.iter().map(|cause| cause.delta("macs")?.as_int()).collect();
    assert_eq!(macs, [Some(4 * 4 * 64)]);
}
