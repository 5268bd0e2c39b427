//! Control flow: If, Loop, Scan.

use super::merge::{join, same, with_parts, without_contents};
use super::{Bodies, Call, Op, Result, Stop, Times, axis, invalid};
use crate::dim::Dim;
use crate::tensor::{DType, Scalar, Tensor, Value};

pub(super) const OPS: &[Op] = &[Op::control("If", branch), Op::control("Loop", repeat), Op::control("Scan", scan)];

/// The most iterations that are followed one by one, where what a body does changes from one to the next.
const FOLLOWED: i64 = 64;

/// The most runs until loop-carried values must have settled.
const ROUNDS: usize = 16;

/// The branch that the condition takes; both as alternatives, their outputs joined, where it is not known. A branch
/// that breaks a specification cannot be the one that a run takes.
fn branch(call: &Call, bodies: &mut dyn Bodies) -> Result<Vec<Value>> {
    let only = |bodies: &mut dyn Bodies, attribute: &str| {
        bodies.start_over();
        take(call, bodies, attribute, Times::Count(Dim::ONE))
    };
    for attribute in ["then_branch", "else_branch"] {
        bodies.inputs(attribute)?;
    }
    match call.value(0)?.truth() {
        Some(true) => only(bodies, "then_branch"),
        Some(false) => only(bodies, "else_branch"),
        None => {
            let then = take(call, bodies, "then_branch", Times::Alternative);
            let other = take(call, bodies, "else_branch", Times::Alternative);
            match (then, other) {
                (Err(Stop::Invalid(_)), Ok(_)) => only(bodies, "else_branch"),
                (Ok(_), Err(Stop::Invalid(_))) => only(bodies, "then_branch"),
                (then, other) => {
                    let (then, other) = (then?, other?);
                    let joined = then.iter().zip(&other).enumerate();
                    joined
                        .map(|(output, (a, b))| join(a, b, &|axis| call.decided(&format!("{output}.{axis}"))))
                        .collect()
                }
            }
        }
    }
}

/// One branch, accounted; an error where it has too few outputs.
fn take(call: &Call, bodies: &mut dyn Bodies, attribute: &str, times: Times) -> Result<Vec<Value>> {
    let outputs = bodies.run(attribute, Vec::new())?;
    bodies.times(attribute, times);
    match outputs.len() >= call.outputs {
        true => Ok(outputs),
        false => {
            invalid(format!("the body `{attribute}` gives {} outputs, the node names {}", outputs.len(), call.outputs))
        }
    }
}

/// A loop whose carried values hold for every iteration.
struct Settled {
    /// What holds of the carried values at the start of every iteration.
    state: Vec<Value>,
    /// What holds of the body's outputs in every iteration.
    outputs: Vec<Value>,
}

/// The inputs of a loop's body around the carried values, and the number of outputs before theirs.
struct Frame {
    before: Vec<Value>,
    after: Vec<Value>,
    skip: usize,
}

/// Runs the body until what is known of the carried values holds for every iteration: what changes is given up,
/// contents and sizes first, ranks if they change, too.
fn settle(call: &Call, bodies: &mut dyn Bodies, frame: &Frame, mut state: Vec<Value>) -> Result<Settled> {
    for round in 0..ROUNDS {
        let outputs = iterate(call, bodies, frame, &state)?;
        let mut settled = true;
        for (carried, (value, next)) in state.iter_mut().zip(&outputs[frame.skip..]).enumerate() {
            let open = |axis: usize| call.decided(&format!("state.{carried}.{axis}"));
            let mut joined = join(value, next, &open)?;
            if same(value, &joined) {
                continue;
            }
            settled = false;
            if round > 0 {
                joined = without_contents(&joined);
            }
            if let (Value::Tensor(tensor), true) = (&mut joined, round > ROUNDS / 2) {
                tensor.shape = None;
            }
            *value = joined;
        }
        if settled {
            return Ok(Settled { state, outputs });
        }
    }
    Err(Stop::Unknown)
}

/// One run of the body; an error where it has too few outputs.
fn iterate(call: &Call, bodies: &mut dyn Bodies, frame: &Frame, state: &[Value]) -> Result<Vec<Value>> {
    let inputs = frame.before.iter().chain(state).chain(&frame.after).cloned().collect();
    let outputs = bodies.run("body", inputs)?;
    let needed = frame.skip + state.len().max(call.outputs);
    match outputs.len() >= needed {
        true => Ok(outputs),
        false => invalid(format!("the body gives {} outputs, it needs {needed}", outputs.len())),
    }
}

/// Carried values after the last iteration. Where a size grows by the same in each iteration, the result is a formula.
fn finals(call: &Call, settled: &Settled, skip: usize, initial: &[Value], trips: Option<&Dim>) -> Result<Vec<Value>> {
    let runs = trips.is_some_and(|trips| trips.bounds().0 >= Some(1));
    let last = settled.outputs[skip..].iter().zip(&settled.state).zip(initial).enumerate();
    last.map(|(carried, ((last, state), initial))| {
        let open = |axis: usize| call.decided(&format!("{carried}.{axis}"));
        let (Value::Tensor(out), Value::Tensor(during), Value::Tensor(first)) = (last, state, initial) else {
            return Ok(if same(state, initial) { last.clone() } else { state.clone() });
        };
        let (Some(out_shape), Some(during), Some(first)) = (&out.shape, &during.shape, &first.shape) else {
            return Ok(state.clone());
        };
        let grown = out_shape.iter().zip(during).zip(first).enumerate().map(|(axis, ((out, during), first))| {
            if during == first {
                return out.clone();
            }
            let (step, mut symbols) = (out - during, std::collections::BTreeSet::new());
            step.data_symbols(&mut symbols);
            match trips {
                Some(trips) if symbols.is_empty() => first + step * trips,
                _ => open(axis),
            }
        });
        let grown: Vec<Dim> = grown.collect();
        let contents = out.contents.clone().filter(|_| grown == *out_shape);
        let last = Value::Tensor(Tensor { dtype: out.dtype, shape: Some(grown), contents });
        match (runs, trips) {
            (true, _) => Ok(last),
            // The formula holds for no iteration, too.
            (false, Some(_)) => Ok(without_contents(&last)),
            (false, None) => join(initial, &last, &open),
        }
    })
    .collect()
}

/// The outputs of the body, stacked ones unstacked, where the carried values change their sizes in the first iteration
/// alone, as by broadcasting: that one is accounted by itself. `None` where they go on changing.
fn settled_at_once(
    call: &Call,
    bodies: &mut dyn Bodies,
    frame: &Frame,
    initial: &[Value],
    trips: &Dim,
) -> Result<Option<Vec<Value>>> {
    if trips.bounds().0.is_none_or(|least| least < 1) {
        return Ok(None);
    }
    bodies.start_over();
    let first = iterate(call, bodies, frame, initial)?.split_off(frame.skip);
    let first_open = bodies.leaves_open();
    bodies.times("body", Times::Count(Dim::ONE));
    let state: Vec<Value> = first[..initial.len()].iter().map(without_contents).collect();
    let later = iterate(call, bodies, frame, &state)?.split_off(frame.skip);
    let stays = state.iter().zip(&later).all(|(before, after)| same(before, &without_contents(after)));
    if first_open || bodies.leaves_open() || !stays {
        bodies.start_over();
        return Ok(None);
    }
    if *trips == 1 {
        return Ok(Some(first));
    }
    bodies.times("body", Times::Count(trips - 1));
    let stacks = first.iter().zip(&later).enumerate().skip(initial.len());
    let parts = stacks.map(|(output, (a, b))| join(a, b, &|axis| call.decided(&format!("{output}.{axis}"))));
    Ok(Some(state.into_iter().map(Ok).chain(parts).collect::<Result<_>>()?))
}

/// What the iterations' outputs make when they are stacked along a new axis.
fn stacked(value: &Value, at: i64, size: &Dim) -> Result<Value> {
    match value {
        Value::Unknown => Ok(Value::Unknown),
        Value::Tensor(Tensor { dtype, shape: None, .. }) => {
            Ok(Tensor { dtype: *dtype, shape: None, contents: None }.into())
        }
        Value::Tensor(Tensor { dtype, shape: Some(shape), .. }) => {
            let mut shape = shape.clone();
            shape.insert(axis(at, shape.len() + 1)?, size.clone());
            Ok(Tensor::new(*dtype, shape).into())
        }
        _ => invalid("a scan output of the body must be a tensor"),
    }
}

fn flag(value: bool) -> Value {
    Tensor::new(DType::Bool, Vec::new()).with_scalars(vec![Scalar::Bool(value)]).into()
}

/// `M` iterations at most while the condition holds. The body runs once for all iterations where what is known of the
/// carried values holds for all; where it changes and the iterations are few and known, each is run and accounted.
fn repeat(call: &Call, bodies: &mut dyn Bodies) -> Result<Vec<Value>> {
    let initial: Vec<Value> = call.inputs.iter().skip(2).map(|input| input.cloned().unwrap_or_default()).collect();
    let limit =
        call.optional(0).and_then(|limit| limit.scalars()?.first()?.as_dim()).map(|limit| limit.max(&Dim::ZERO));
    let conditional = call.has(1);
    let start = if conditional { call.value(1)?.truth() } else { Some(true) };
    // Within an iteration the condition holds: it would not run otherwise.
    let frame =
        Frame { before: vec![Tensor::new(DType::I64, Vec::new()).into(), flag(true)], after: Vec::new(), skip: 1 };
    let settled = settle(call, bodies, &frame, initial.clone())?;
    // Without the condition input the body's condition is ignored.
    let endless = !conditional || settled.outputs[0].truth() == Some(true);
    let trips = match (start, &limit) {
        (Some(false), _) => Some(Dim::ZERO),
        (_, Some(limit)) if *limit == 0 => Some(Dim::ZERO),
        (Some(true), Some(limit)) if endless => Some(limit.clone()),
        _ => None,
    };
    let shapes = |values: &[Value]| values.iter().map(without_contents).collect::<Vec<_>>();
    let steady = shapes(&settled.state).iter().zip(shapes(&initial)).all(|(a, b)| same(a, &b));
    let uniform = steady && !bodies.leaves_open();
    let plain = limit.as_ref().map(Dim::as_int);
    let few = match (&trips, plain) {
        (Some(trips), _) => trips.as_int().is_some_and(|trips| (1..=FOLLOWED).contains(&trips)) && !uniform,
        (None, Some(None)) => false,
        // An end that the condition decides may be found by following it.
        (None, _) => start == Some(true) && (plain.is_some() || !call.has(0)),
    };
    let followed = if few { follow(call, bodies, &initial, plain.flatten(), conditional)? } else { None };
    bodies.iteration(None);
    if let Some(followed) = followed {
        if uniform {
            bodies.start_over();
            iterate(call, bodies, &frame, &settled.state)?;
            bodies.times("body", Times::Count(Dim::from(followed.trips)));
        }
        return followed.outputs(call);
    }
    if !steady
        && let Some(trips) = &trips
        && let Some(mut outputs) = settled_at_once(call, bodies, &frame, &initial, trips)?
    {
        let scanned = outputs.split_off(initial.len());
        let scanned = scanned.iter().map(|part| stacked(part, 0, trips));
        return outputs.into_iter().map(Ok).chain(scanned).collect();
    }
    if few || !steady {
        iterate(call, bodies, &frame, &settled.state)?;
    }
    let count = trips.clone().unwrap_or_else(|| call.decided("trips"));
    let mut outputs = match count == 0 {
        true => initial.clone(),
        false => {
            bodies.times("body", Times::Count(count.clone()));
            finals(call, &settled, 1, &initial, trips.as_ref())?
        }
    };
    for scanned in &settled.outputs[1 + initial.len()..] {
        outputs.push(stacked(scanned, 0, &count)?);
    }
    Ok(outputs)
}

/// A loop of few iterations, each run by itself.
struct Followed {
    trips: i64,
    state: Vec<Value>,
    scanned: Vec<Vec<Value>>,
}

/// Runs the iterations one by one, each accounted; `None` where a condition is not known or they are too many.
fn follow(
    call: &Call,
    bodies: &mut dyn Bodies,
    initial: &[Value],
    limit: Option<i64>,
    conditional: bool,
) -> Result<Option<Followed>> {
    bodies.start_over();
    let mut followed = Followed { trips: 0, state: initial.to_vec(), scanned: Vec::new() };
    while limit != Some(followed.trips) {
        if followed.trips == FOLLOWED {
            bodies.start_over();
            return Ok(None);
        }
        let iteration = Tensor::new(DType::I64, Vec::new()).with_scalars(vec![Scalar::Int(followed.trips.into())]);
        let frame = Frame { before: vec![iteration.into(), flag(true)], after: Vec::new(), skip: 1 };
        bodies.iteration(Some(followed.trips));
        let mut outputs = iterate(call, bodies, &frame, &followed.state)?;
        bodies.times("body", Times::Count(Dim::ONE));
        followed.trips += 1;
        followed.scanned.push(outputs.split_off(1 + initial.len()));
        followed.state = outputs.split_off(1);
        match outputs.first().and_then(Value::truth) {
            _ if !conditional => {}
            Some(true) => {}
            Some(false) => break,
            // The last iteration that the limit allows needs no condition.
            None if limit == Some(followed.trips) => {}
            None => {
                bodies.start_over();
                return Ok(None);
            }
        }
    }
    Ok(Some(followed))
}

impl Followed {
    fn outputs(self, call: &Call) -> Result<Vec<Value>> {
        let (carried, trips) = (self.state.len(), Dim::from(self.trips));
        let mut outputs = self.state;
        let count = self.scanned.first().map_or(0, Vec::len);
        for index in 0..count {
            let parts: Vec<&Value> = self.scanned.iter().filter_map(|outputs| outputs.get(index)).collect();
            let open = |axis: usize| call.decided(&format!("{}.{axis}", carried + index));
            let Some((first, rest)) = parts.split_first() else { continue };
            let part = rest.iter().try_fold((*first).clone(), |all, part| join(&all, part, &open))?;
            let whole = stacked(&part, 0, &trips)?;
            outputs.push(match whole {
                Value::Tensor(tensor) => with_parts(tensor, &parts).into(),
                value => value,
            });
        }
        Ok(outputs)
    }
}

/// The body over the slices of the scanned inputs; a batch of sequences before opset 9.
fn scan(call: &Call, bodies: &mut dyn Bodies) -> Result<Vec<Value>> {
    let batched = call.opset < 9;
    let inputs = call.inputs.get(usize::from(batched)..).unwrap_or_default();
    let Some(scanned) = call.attributes.int("num_scan_inputs")? else { return invalid("`num_scan_inputs` is missing") };
    let carried = match usize::try_from(scanned).ok().and_then(|scanned| inputs.len().checked_sub(scanned)) {
        Some(carried) if scanned > 0 => carried,
        _ => return invalid(format!("`num_scan_inputs` is {scanned}, the node has {} inputs to scan", inputs.len())),
    };
    let inputs: Vec<Value> = inputs.iter().map(|input| input.cloned().unwrap_or_default()).collect();
    let (initial, scanned) = inputs.split_at(carried);
    let along = |name: &str, index: usize, count: usize| match call.attributes.ints(name)? {
        Some(axes) if axes.len() != count => invalid(format!("`{name}` has {} axes for {count} tensors", axes.len())),
        axes => Ok(axes.and_then(|axes| axes.get(index).copied()).unwrap_or(0)),
    };
    let (mut batch, mut length) = (None, None);
    let mut initial = initial.to_vec();
    if batched {
        for value in &mut initial {
            *value = slice(value, 0, &mut batch)?;
        }
    }
    let mut after = Vec::with_capacity(scanned.len());
    for (index, value) in scanned.iter().enumerate() {
        let value = if batched { slice(value, 0, &mut batch)? } else { value.clone() };
        let at = if batched { 0 } else { along("scan_input_axes", index, scanned.len())? };
        after.push(slice(&value, at, &mut length)?);
    }
    let length = length.unwrap_or_else(|| call.decided("trips"));
    let batch = batch.unwrap_or_else(|| call.decided("batch"));
    let trips = match batched {
        false => length.clone(),
        // Sequences of a batch may be shorter: each runs as often as it is long.
        true if call.has(0) => match call.dims(0) {
            Some(lengths) => lengths.iter().sum(),
            None => call.decided("trips"),
        },
        true => &batch * &length,
    };
    let frame = Frame { before: Vec::new(), after, skip: 0 };
    let settled = settle(call, bodies, &frame, initial.clone())?;
    let changes = settled.state.iter().zip(&initial).any(|(a, b)| !same(&without_contents(a), &without_contents(b)));
    let at_once = match changes && !batched {
        true => settled_at_once(call, bodies, &frame, &initial, &length)?,
        false => None,
    };
    let (mut outputs, stacks) = match at_once {
        Some(mut outputs) => {
            let stacks = outputs.split_off(carried);
            (outputs, stacks)
        }
        None if trips == 0 => (initial, settled.outputs[carried..].to_vec()),
        None => {
            if changes {
                iterate(call, bodies, &frame, &settled.state)?;
            }
            bodies.times("body", Times::Count(trips));
            (finals(call, &settled, 0, &initial, Some(&length))?, settled.outputs[carried..].to_vec())
        }
    };
    for (index, value) in stacks.iter().enumerate() {
        let at = if batched { 0 } else { along("scan_output_axes", index, stacks.len())? };
        outputs.push(stacked(value, at, &length)?);
    }
    match batched {
        true => outputs.iter().map(|value| stacked(value, 0, &batch)).collect(),
        false => Ok(outputs),
    }
}

/// A tensor without one axis, whose size must be that of the tensors before it.
fn slice(value: &Value, at: i64, size: &mut Option<Dim>) -> Result<Value> {
    let tensor = match value {
        Value::Tensor(tensor) => tensor,
        Value::Unknown => return Ok(Value::Unknown),
        _ => return invalid("what is scanned must be a tensor"),
    };
    let Some(mut shape) = tensor.shape.clone() else { return Ok(without_contents(value)) };
    let found = shape.remove(axis(at, shape.len())?);
    match size {
        Some(known) if known.known_eq(&found) == Some(false) => {
            return invalid(format!("the scanned sizes {known} and {found} differ"));
        }
        Some(known) if known.as_int().is_some() => {}
        size if size.is_none() || found.as_int().is_some() => *size = Some(found),
        _ => {}
    }
    Ok(Tensor::new(tensor.dtype, shape).into())
}

#[cfg(test)]
mod tests {
    use rustc_hash::FxHashMap;

    use super::*;
    use crate::attributes::Attributes;
    use crate::onnx::AttributeProto;
    use crate::ops::testing::tensor;

    type BodyFn = fn(&str, &[Value]) -> Vec<Value>;

    /// A body that is a function, with a log of what is accounted.
    struct Fake {
        body: BodyFn,
        runs: Vec<(String, Times)>,
    }

    impl Bodies for Fake {
        fn inputs(&self, _: &str) -> Result<usize> {
            Ok(0)
        }
        fn run(&mut self, attribute: &str, inputs: Vec<Value>) -> Result<Vec<Value>> {
            Ok((self.body)(attribute, &inputs))
        }
        fn iteration(&mut self, _: Option<i64>) {}
        fn leaves_open(&self) -> bool {
            false
        }
        fn times(&mut self, attribute: &str, times: Times) {
            self.runs.push((attribute.to_string(), times));
        }
        fn start_over(&mut self) {
            self.runs.clear();
        }
    }

    fn shapes(values: &[Value]) -> String {
        let one = |value: &Value| match value.as_tensor() {
            Some(Tensor { shape: Some(shape), .. }) => {
                format!("[{}]", shape.iter().map(Dim::code).collect::<Vec<_>>().join(","))
            }
            _ => "?".to_string(),
        };
        values.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    /// The operator's answer: shapes of its outputs, then what is accounted; or its error.
    fn answer(name: &str, opset: i64, inputs: &[&str], scanned: Option<i64>, body: BodyFn) -> String {
        let values: Vec<Option<Value>> =
            inputs.iter().map(|word| (*word != "_").then(|| tensor(word).into())).collect();
        let inputs: Vec<Option<&Value>> = values.iter().map(Option::as_ref).collect();
        let count = scanned.map(|count| AttributeProto {
            name: "num_scan_inputs".to_string(),
            i: Some(count),
            ..AttributeProto::default()
        });
        let count: Vec<_> = count.into_iter().collect();
        let attributes = Attributes::of(&count);
        let sizes = FxHashMap::default();
        let call = Call { name: "node", opset, attributes: &attributes, inputs: &inputs, outputs: 1, sizes: &sizes };
        let mut fake = Fake { body, runs: Vec::new() };
        let infer = match crate::ops::find("", name).unwrap().infer {
            crate::ops::Infer::Control(infer) => infer,
            crate::ops::Infer::Plain(_) => panic!("{name} has no body"),
        };
        match infer(&call, &mut fake) {
            Ok(outputs) => {
                let times = |(name, times): &(String, Times)| match times {
                    Times::Count(count) => format!(" {name}×{}", count.code()),
                    Times::Alternative => format!(" {name}?"),
                };
                shapes(&outputs) + &fake.runs.iter().map(times).collect::<String>()
            }
            Err(Stop::Invalid(reason)) => reason,
            Err(Stop::Unknown) => "unknown".to_string(),
        }
    }

    fn branches(name: &str, _: &[Value]) -> Vec<Value> {
        vec![tensor(if name == "then_branch" { "f32[n,3]" } else { "f32[5,3]" }).into()]
    }

    #[test]
    fn branches_are_taken_or_joined() {
        assert_eq!(answer("If", 21, &["bool[]{true}"], None, branches), "[n,3] then_branch×1");
        assert_eq!(answer("If", 21, &["bool[1]{false}"], None, branches), "[5,3] else_branch×1");
        let both = answer("If", 21, &["bool[]"], None, branches);
        assert_eq!(both, "[node.0.0,3] then_branch? else_branch?");
        let dtypes =
            |name: &str, _: &[Value]| vec![tensor(if name == "then_branch" { "f32[1]" } else { "i64[1]" }).into()];
        assert!(answer("If", 21, &["bool[]"], None, dtypes).contains("f32 or i64"));
        let ranks =
            |name: &str, _: &[Value]| vec![tensor(if name == "then_branch" { "f32[1]" } else { "f32[1,1]" }).into()];
        assert!(answer("If", 21, &["bool[]"], None, ranks).starts_with("? then"));
        assert!(answer("If", 21, &["bool[]{true}"], None, |_, _| Vec::new()).contains("gives 0 outputs"));
    }

    /// The condition as it came, the state as it came, and the state as a scan output.
    fn steady(_: &str, inputs: &[Value]) -> Vec<Value> {
        vec![inputs[1].clone(), inputs[2].clone(), inputs[2].clone()]
    }

    /// A state that grows by two rows.
    fn growing(_: &str, inputs: &[Value]) -> Vec<Value> {
        let state = inputs[2].as_tensor().unwrap();
        let shape = state.shape.as_ref().unwrap();
        vec![inputs[1].clone(), Tensor::new(state.dtype, vec![&shape[0] + 2]).into()]
    }

    /// A state that counts, and a condition on it.
    fn counting(_: &str, inputs: &[Value]) -> Vec<Value> {
        let next = inputs[2].as_tensor().unwrap().dims().map(|dims| &dims[0] + 1);
        let scalar = |of: Option<Scalar>| vec![of.unwrap_or(Scalar::Unknown)];
        let goes_on = next.as_ref().and_then(Dim::as_int).map(|next| Scalar::Bool(next < 7));
        vec![
            Tensor::new(DType::Bool, Vec::new()).with_scalars(scalar(goes_on)).into(),
            Tensor::new(DType::I64, Vec::new()).with_scalars(scalar(next.map(Scalar::Int))).into(),
            Tensor::new(DType::F32, vec![Dim::from(4i64)]).into(),
        ]
    }

    #[test]
    fn loops_run_as_often_as_is_known() {
        let run = |inputs: &[&str], body: BodyFn| answer("Loop", 21, inputs, None, body);
        assert_eq!(run(&["i64[]{9}", "bool[]{true}", "f32[4]"], steady), "[4] [9,4] body×9");
        assert_eq!(run(&["i64[]{n}", "bool[]{true}", "f32[4]"], steady), "[4] [n,4] body×n");
        assert_eq!(run(&["i64[]{n}", "_", "f32[4]"], steady), "[4] [n,4] body×n");
        assert_eq!(run(&["i64[]", "_", "f32[4]"], steady), "[4] [node.trips,4] body×node.trips");
        assert_eq!(run(&["i64[]{9}", "bool[]", "f32[4]"], steady), "[4] [node.trips,4] body×node.trips");
        assert_eq!(run(&["i64[]{0}", "_", "f32[4]"], steady), "[4] [0,4]");
        assert_eq!(run(&["i64[]{9}", "bool[]{false}", "f32[4]"], steady), "[4] [0,4]");
        assert!(run(&["i64[]{9}", "_", "f32[4]"], |_, _| Vec::new()).contains("needs 2"));
    }

    #[test]
    fn growing_states_are_followed_or_become_formulas() {
        let run = |trips: &str| answer("Loop", 21, &[trips, "_", "f32[4]"], None, growing);
        assert_eq!(run("i64[]{3}"), "[10] body×1 body×1 body×1");
        assert_eq!(run("i64[]{100}"), "[204] body×100");
        assert_eq!(run("i64[]{n}"), "[2*n + 4] body×n");
        assert_eq!(run("i64[]"), "[node.0.0] body×node.trips");
    }

    /// A state, and a scan output, that another value of size `m` is broadcast to.
    fn broadcasting(_: &str, inputs: &[Value]) -> Vec<Value> {
        let state = inputs[inputs.len() - 2].as_tensor().unwrap();
        let size = state.shape.as_ref().unwrap()[0].max(&Dim::symbol("m"));
        let next: Value = Tensor::new(state.dtype, vec![size]).into();
        vec![next.clone(), next]
    }

    #[test]
    fn sizes_that_change_once_are_formulas() {
        let run = |state: &str, scanned: &str| answer("Scan", 11, &[state, scanned], Some(1), broadcasting);
        assert_eq!(run("f32[n]", "f32[t,m]"), "[max(m, n)] [t,max(m, n)] body×1 body×t - 1");
        assert_eq!(run("f32[m]", "f32[t,m]"), "[m] [t,m] body×t");
        assert_eq!(run("f32[n]", "f32[1,m]"), "[max(m, n)] [1,max(m, n)] body×1");
    }

    #[test]
    fn a_condition_on_a_counter_ends_the_loop() {
        let run = |limit: &str, start: &str| answer("Loop", 21, &[limit, "bool[]{true}", start], None, counting);
        assert_eq!(run("_", "i64[]{2}"), "[] [5,4] body×5");
        assert_eq!(run("i64[]{3}", "i64[]{2}"), "[] [3,4] body×3");
        assert_eq!(run("i64[]{3}", "i64[]"), "[] [node.trips,4] body×node.trips");
        assert_eq!(run("_", "i64[]{-1000}"), "[] [node.trips,4] body×node.trips");
    }

    #[test]
    fn scans_run_along_an_axis() {
        let body = |_: &str, inputs: &[Value]| vec![inputs[0].clone(), inputs[1].clone()];
        let run = |opset: i64, inputs: &[&str], scanned| answer("Scan", opset, inputs, Some(scanned), body);
        assert_eq!(run(11, &["f32[2]", "f32[n,3]"], 1), "[2] [n,3] body×n");
        assert_eq!(run(8, &["_", "f32[b,2]", "f32[b,t,3]"], 1), "[b,2] [b,t,3] body×b*t");
        assert_eq!(run(8, &["i64[2]{3,4}", "f32[2,2]", "f32[2,5,3]"], 1), "[2,2] [2,5,3] body×7");
        assert!(run(11, &["f32[2]", "f32[n,3]"], 3).contains("`num_scan_inputs` is 3"));
        let two = |_: &str, inputs: &[Value]| inputs.to_vec();
        assert!(answer("Scan", 11, &["f32[4,3]", "f32[5,3]"], Some(2), two).contains("differ"));
    }
}
