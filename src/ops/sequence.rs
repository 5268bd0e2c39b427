//! Sequences and optionals: building, splitting, joining, taking apart, mapping.

use super::merge::{join, same, with_parts, without_contents};
use super::{Bodies, Call, Op, Result, Role, Stop, Times, axis, invalid};
use crate::declared::typed;
use crate::dim::Dim;
use crate::tensor::{CONTENTS_LIMIT, DType, Scalar, Tensor, Value};

pub(super) const OPS: &[Op] = &[
    Op::new("ConcatFromSequence", concat_from_sequence),
    Op::new("Optional", optional).view(),
    Op::new("OptionalGetElement", optional_get_element).view(),
    Op::new("OptionalHasElement", optional_has_element),
    Op::new("SequenceAt", sequence_at).roles(&[(1, Role::Setting)]),
    Op::new("SequenceConstruct", sequence_construct),
    Op::new("SequenceEmpty", sequence_empty),
    Op::new("SequenceErase", sequence_erase).roles(&[(1, Role::Setting)]),
    Op::new("SequenceInsert", sequence_insert).roles(&[(2, Role::Setting)]),
    Op::new("SequenceLength", sequence_length),
    Op::control("SequenceMap", sequence_map),
    Op::new("SplitToSequence", split_to_sequence).roles(&[(1, Role::Setting)]),
];

/// The most items that are held one by one.
const ITEMS: usize = CONTENTS_LIMIT as usize;

/// The most items of different shapes for which a mapped body is run.
const FOLLOWED: usize = 64;

/// A sequence of these items; `empty` is what is known of an element where there is none.
fn sequence(call: &Call, items: Vec<Value>, empty: Value) -> Result<Value> {
    let open = |axis: usize| call.decided(&axis.to_string());
    let element = match items.split_first() {
        None => empty,
        Some((first, rest)) => rest.iter().try_fold(without_contents(first), |all, item| join(&all, item, &open))?,
    };
    let items = Some(items).filter(|items| items.len() <= ITEMS);
    Ok(Value::Sequence { element: Box::new(element), items })
}

/// The element and, where known, the items of a sequence input.
fn sequence_input<'a>(call: &Call<'a>, input: usize) -> Result<(&'a Value, Option<&'a [Value]>)> {
    match call.value(input)? {
        Value::Sequence { element, items } => Ok((element, items.as_deref())),
        Value::Optional { element, present } if *present != Some(false) => match &**element {
            Value::Sequence { element, items } => Ok((element, items.as_deref())),
            Value::Unknown => Err(Stop::Unknown),
            _ => invalid(format!("input {input} must be a sequence")),
        },
        Value::Unknown => Err(Stop::Unknown),
        _ => invalid(format!("input {input} must be a sequence")),
    }
}

/// What holds of every element of a sequence input.
fn any_element(call: &Call, element: &Value, items: Option<&[Value]>) -> Result<Value> {
    let open = |axis: usize| call.decided(&axis.to_string());
    match items.and_then(<[Value]>::split_first) {
        Some((first, rest)) => rest.iter().try_fold(first.clone(), |all, item| join(&all, item, &open)),
        None => Ok(without_contents(element)),
    }
}

fn sequence_construct(call: &Call) -> Result<Vec<Value>> {
    let items: Vec<Value> = call.inputs.iter().map(|input| input.cloned().unwrap_or_default()).collect();
    if items.is_empty() {
        return invalid("it needs at least one input");
    }
    Ok(vec![sequence(call, items, Value::Unknown)?])
}

fn sequence_empty(call: &Call) -> Result<Vec<Value>> {
    let dtype = call.attributes.int_or("dtype", 1)?;
    let dtype = i32::try_from(dtype).map_or(DType::Undefined, DType::from_code);
    Ok(vec![sequence(call, Vec::new(), Tensor { dtype, shape: None, contents: None }.into())?])
}

/// Where a position input points among `count` items, `None` where that is not known.
fn position(call: &Call, input: usize, count: usize, end: bool) -> Result<Option<usize>> {
    let Some(given) = call.ints(input).and_then(|list| list.first().copied()) else { return Ok(None) };
    let slots = count as i64 + i64::from(end);
    // A position from the end counts from the last item, also where one may stand after it.
    let found = if given < 0 { given.saturating_add(count as i64) } else { given };
    match (0..slots).contains(&found) {
        true => Ok(Some(found as usize)),
        false => invalid(format!("position {given} is outside the sequence of {count}")),
    }
}

fn sequence_insert(call: &Call) -> Result<Vec<Value>> {
    let (element, items) = sequence_input(call, 0)?;
    let new = call.value(1)?;
    let open = |axis: usize| call.decided(&axis.to_string());
    let Some(items) = items else {
        let element = join(element, &without_contents(new), &open)?;
        return Ok(vec![Value::Sequence { element: Box::new(element), items: None }]);
    };
    if let (Value::Tensor(of), Value::Tensor(new)) = (element, new)
        && of.dtype != new.dtype
        && of.dtype != DType::Undefined
        && new.dtype != DType::Undefined
    {
        return invalid(format!("a {} tensor is put into a sequence of {}", new.dtype.name(), of.dtype.name()));
    }
    let at = if call.has(2) { position(call, 2, items.len(), true)? } else { Some(items.len()) };
    let mut items = items.to_vec();
    match at {
        Some(at) => items.insert(at, new.clone()),
        // Anywhere: every item may be its neighbour or the new one.
        None => {
            let every = items.iter().try_fold(new.clone(), |all, item| join(&all, item, &open))?;
            items = vec![every; items.len() + 1];
        }
    }
    Ok(vec![sequence(call, items, Value::Unknown)?])
}

fn sequence_erase(call: &Call) -> Result<Vec<Value>> {
    let (element, items) = sequence_input(call, 0)?;
    let Some(items) = items else {
        return Ok(vec![Value::Sequence { element: Box::new(element.clone()), items: None }]);
    };
    if items.is_empty() {
        return invalid("there is nothing to erase from an empty sequence");
    }
    let at = if call.has(1) { position(call, 1, items.len(), false)? } else { Some(items.len() - 1) };
    let mut rest = items.to_vec();
    match at {
        Some(at) => drop(rest.remove(at)),
        None => rest = vec![any_element(call, element, Some(items))?; items.len() - 1],
    }
    Ok(vec![sequence(call, rest, element.clone())?])
}

fn sequence_at(call: &Call) -> Result<Vec<Value>> {
    let (element, items) = sequence_input(call, 0)?;
    let at = match items {
        Some(items) => position(call, 1, items.len(), false)?,
        None => None,
    };
    Ok(vec![match (items, at) {
        (Some(items), Some(at)) => items.get(at).cloned().unwrap_or_default(),
        _ => any_element(call, element, items)?,
    }])
}

fn sequence_length(call: &Call) -> Result<Vec<Value>> {
    let (_, items) = sequence_input(call, 0)?;
    let tensor = Tensor::new(DType::I64, Vec::new());
    let length = items.map_or_else(|| call.decided(""), |items| Dim::from(items.len()));
    Ok(vec![tensor.with_scalars(vec![Scalar::Int(length)]).into()])
}

/// Chunks of the sizes in `split`, or of its one size with a shorter last one; slices of size 1 without it, which
/// lose the axis under `keepdims = 0`.
fn split_to_sequence(call: &Call) -> Result<Vec<Value>> {
    let tensor = call.tensor(0)?;
    let shape = call.shape(0)?;
    let at = axis(call.attributes.int_or("axis", 0)?, shape.len())?;
    let part = |size: Option<Dim>| {
        let mut shape = shape.to_vec();
        match size {
            Some(size) => shape[at] = size,
            None => drop(shape.remove(at)),
        }
        Value::from(Tensor::new(tensor.dtype, shape))
    };
    let several = |part: Value| Ok(vec![Value::Sequence { element: Box::new(part), items: None }]);
    let keep = call.attributes.int_or("keepdims", 1)? != 0;
    let scalar = call.has(1) && call.shape(1)?.is_empty();
    if call.has(1) && !scalar {
        let [count] = call.shape_of_rank(1, 1)? else { return invalid("`split` must have rank 0 or 1") };
        if let Some(sizes) = call.dims(1) {
            let sum: Dim = sizes.iter().sum();
            if sum.known_eq(&shape[at]) == Some(false) {
                return invalid(format!("the sizes in `split` add up to {sum}, the axis has {}", shape[at]));
            }
            let items = sizes.into_iter().map(|size| part(Some(size))).collect();
            return Ok(vec![sequence(call, items, Value::Unknown)?]);
        }
        return match count.as_int().and_then(|count| usize::try_from(count).ok()).filter(|&count| count <= ITEMS) {
            Some(count) => {
                let items = (0..count).map(|item| part(Some(call.decided(&format!("item{item}"))))).collect();
                Ok(vec![sequence(call, items, Value::Unknown)?])
            }
            None => several(part(Some(call.decided("item")))),
        };
    }
    let chunk = match scalar {
        true => match call.dims(1).and_then(|sizes| sizes.first().cloned()) {
            Some(chunk) => chunk,
            None => return several(part(Some(call.decided("item")))),
        },
        false => Dim::ONE,
    };
    if chunk.bounds().1.is_some_and(|most| most <= 0) {
        return invalid(format!("a chunk would have the size {chunk}"));
    }
    let drops = !scalar && !keep;
    match shape[at].ceil_div(&chunk).as_int().filter(|count| (0..=CONTENTS_LIMIT).contains(count)) {
        Some(count) => {
            let size = |item: i64| chunk.min(&(&shape[at] - &chunk * item));
            let items = (0..count).map(|item| part(if drops { None } else { Some(size(item)) })).collect();
            Ok(vec![sequence(call, items, part(if drops { None } else { Some(chunk.clone()) }))?])
        }
        None if drops => several(part(None)),
        None if shape[at].exact_div(&chunk).is_some() => several(part(Some(chunk))),
        None => several(part(Some(call.decided("item")))),
    }
}

fn concat_from_sequence(call: &Call) -> Result<Vec<Value>> {
    let (element, items) = sequence_input(call, 0)?;
    let Some(along) = call.attributes.int("axis")? else { return invalid("`axis` is missing") };
    let stacks = call.attributes.int_or("new_axis", 0)? != 0;
    let all = match items {
        Some([]) => return invalid("there is nothing to concatenate in an empty sequence"),
        items => any_element(call, element, items)?,
    };
    let Value::Tensor(Tensor { dtype, shape: Some(mut shape), .. }) = all else {
        return match all {
            Value::Tensor(tensor) => Ok(vec![Tensor { contents: None, ..tensor }.into()]),
            Value::Unknown => Err(Stop::Unknown),
            _ => invalid("the sequence must hold tensors"),
        };
    };
    let at = axis(along, shape.len() + usize::from(stacks))?;
    if stacks {
        shape.insert(at, items.map_or_else(|| call.decided("items"), |items| Dim::from(items.len())));
    } else {
        let sizes = items.map(|items| {
            let size = |item: &Value| item.as_tensor()?.shape.as_ref()?.get(at).cloned();
            items.iter().map(size).sum::<Option<Dim>>()
        });
        shape[at] = sizes.flatten().unwrap_or_else(|| call.decided(""));
    }
    if let Some(items) = items {
        let shapes = items.iter().filter_map(|item| item.as_tensor()?.shape.as_ref());
        for (item, other) in shapes.clone().zip(shapes.skip(1)) {
            let others = item.iter().zip(other).enumerate().filter(|(axis, _)| stacks || *axis != at);
            if item.len() != other.len() || others.into_iter().any(|(_, (a, b))| a.known_eq(b) == Some(false)) {
                return invalid("the tensors in the sequence have shapes that cannot be concatenated");
            }
        }
    }
    let tensor = Tensor::new(dtype, shape);
    Ok(vec![match items {
        // Along the first axis the elements follow each other.
        Some(items) if at == 0 => with_parts(tensor, &items.iter().collect::<Vec<_>>()).into(),
        _ => tensor.into(),
    }])
}

/// One run of the body for every item; items of which the same is known share a run.
fn sequence_map(call: &Call, bodies: &mut dyn Bodies) -> Result<Vec<Value>> {
    let (element, items) = sequence_input(call, 0)?;
    let count = items.map(<[Value]>::len);
    let mut columns = Vec::with_capacity(call.inputs.len());
    for input in call.inputs.iter() {
        let value = input.cloned().unwrap_or_default();
        if let (Value::Sequence { items: Some(items), .. }, Some(count)) = (&value, count)
            && items.len() != count
        {
            return invalid(format!("its sequences have {count} and {} elements", items.len()));
        }
        columns.push(value);
    }
    let at = |item: Option<usize>| -> Result<Vec<Value>> {
        let one = |value: &Value| match (value, item) {
            (Value::Sequence { items: Some(items), .. }, Some(item)) => {
                Ok(items.get(item).cloned().unwrap_or_default())
            }
            (Value::Sequence { element, items }, _) => any_element(call, element, items.as_deref()),
            (value, _) => Ok(value.clone()),
        };
        columns.iter().map(|column| Ok(without_contents(&one(column)?))).collect()
    };
    let run = |bodies: &mut dyn Bodies, inputs: Vec<Value>| {
        let outputs = bodies.run("body", inputs)?;
        match outputs.len() >= call.outputs {
            true => Ok(outputs),
            false => invalid(format!("the body gives {} outputs, the node names {}", outputs.len(), call.outputs)),
        }
    };
    let mut kinds: Vec<(Vec<Value>, i64)> = Vec::new();
    let mut kind_of = Vec::new();
    for item in 0..count.unwrap_or(0) {
        let inputs = at(Some(item))?;
        let known = kinds.iter().position(|(kind, _)| kind.iter().zip(&inputs).all(|(a, b)| same(a, b)));
        let kind = known.unwrap_or(kinds.len());
        match kinds.get_mut(kind) {
            Some((_, times)) => *times += 1,
            None => kinds.push((inputs, 1)),
        }
        kind_of.push(kind);
        if kinds.len() > FOLLOWED {
            break;
        }
    }
    if items.is_none() || kinds.is_empty() || kinds.len() > FOLLOWED {
        let inputs = match kinds.is_empty() && items.is_some() {
            true => columns.iter().map(|_| without_contents(element)).collect(),
            false => at(None)?,
        };
        let outputs = run(bodies, inputs)?;
        if count != Some(0) {
            bodies.times("body", Times::Count(count.map_or_else(|| call.decided("trips"), Dim::from)));
        }
        let whole = |output: Value| match count {
            Some(count) => Value::Sequence { items: Some(vec![output.clone(); count]), element: Box::new(output) },
            None => Value::Sequence { element: Box::new(output), items: None },
        };
        return Ok(outputs.into_iter().map(whole).collect());
    }
    let mut results = Vec::with_capacity(kinds.len());
    for (inputs, times) in kinds {
        results.push(run(bodies, inputs)?);
        bodies.times("body", Times::Count(Dim::from(times)));
    }
    let outputs = results.iter().map(Vec::len).min().unwrap_or(0);
    let of = |output: usize| {
        let items = kind_of.iter().filter_map(|&kind| results.get(kind)?.get(output).cloned());
        sequence(call, items.collect(), Value::Unknown)
    };
    (0..outputs).map(of).collect()
}

/// An optional of the input, or an empty one of the type in `type`.
fn optional(call: &Call) -> Result<Vec<Value>> {
    let (element, present) = match call.has(0) {
        true => (call.value(0)?.clone(), true),
        false => match call.attributes.type_proto("type") {
            None => return invalid("it needs an input or the attribute `type`"),
            some => (typed(some, call.name, call.sizes), false),
        },
    };
    Ok(vec![Value::Optional { element: Box::new(element), present: Some(present) }])
}

fn optional_get_element(call: &Call) -> Result<Vec<Value>> {
    match call.value(0)? {
        Value::Optional { present: Some(false), .. } => invalid("the optional is empty"),
        Value::Optional { element, .. } => Ok(vec![(**element).clone()]),
        // Since opset 18 what is no optional stands for itself.
        value => Ok(vec![value.clone()]),
    }
}

fn optional_has_element(call: &Call) -> Result<Vec<Value>> {
    let present = match call.inputs.first().copied().flatten() {
        None => Some(false),
        Some(Value::Optional { present, .. }) => *present,
        Some(Value::Unknown) => None,
        Some(_) => Some(true),
    };
    let scalar = present.map_or(Scalar::Unknown, Scalar::Bool);
    Ok(vec![Tensor::new(DType::Bool, Vec::new()).with_scalars(vec![scalar]).into()])
}

#[cfg(test)]
mod tests {
    use rustc_hash::FxHashMap;

    use super::*;
    use crate::attributes::Attributes;
    use crate::onnx::AttributeProto;
    use crate::ops::{Infer, find, testing};

    fn tensor(word: &str) -> Value {
        testing::tensor(word).into()
    }

    fn run(name: &str, attributes: &[(&str, i64)], inputs: &[Value]) -> Result<Value> {
        let attribute = |(name, i): &(&str, i64)| AttributeProto {
            name: name.to_string(),
            i: Some(*i),
            ..AttributeProto::default()
        };
        let attributes: Vec<_> = attributes.iter().map(attribute).collect();
        let attributes = Attributes::of(&attributes);
        let inputs: Vec<Option<&Value>> = inputs.iter().map(Some).collect();
        let sizes = FxHashMap::default();
        let call =
            Call { name: "node", opset: 24, attributes: &attributes, inputs: &inputs, outputs: 1, sizes: &sizes };
        match find("", name).unwrap().infer {
            Infer::Plain(infer) => infer(&call).map(|outputs| outputs[0].clone()),
            Infer::Control(_) => panic!("{name} has a body"),
        }
    }

    fn show(value: Result<Value>) -> String {
        let one = |value: &Value| match value.as_tensor() {
            Some(Tensor { dtype, shape: Some(shape), .. }) => {
                format!("{}[{}]", dtype.name(), shape.iter().map(Dim::code).collect::<Vec<_>>().join(","))
            }
            _ => "?".to_string(),
        };
        match value {
            Ok(Value::Sequence { items: Some(items), .. }) => items.iter().map(one).collect::<Vec<_>>().join(" "),
            Ok(Value::Sequence { element, items: None }) => format!("{}…", one(&element)),
            Ok(value) => one(&value),
            Err(stop) => format!("{stop:?}"),
        }
    }

    fn split(attributes: &[(&str, i64)], inputs: &[&str]) -> String {
        show(run("SplitToSequence", attributes, &inputs.iter().map(|word| tensor(word)).collect::<Vec<_>>()))
    }

    #[test]
    fn splits() {
        assert_eq!(split(&[], &["f32[3,2]"]), "f32[1,2] f32[1,2] f32[1,2]");
        assert_eq!(split(&[("keepdims", 0), ("axis", -1)], &["f32[3,2]"]), "f32[3] f32[3]");
        assert_eq!(split(&[("keepdims", 0)], &["f32[5]", "i64[]{2}"]), "f32[2] f32[2] f32[1]");
        assert_eq!(split(&[], &["f32[5]", "i64[2]{2,3}"]), "f32[2] f32[3]");
        assert!(split(&[], &["f32[5]", "i64[2]{2,2}"]).contains("add up to 4"));
        assert_eq!(split(&[], &["f32[n,2]"]), "f32[1,2]…");
        assert_eq!(split(&[], &["f32[n,2]", "i64[]{3}"]), "f32[node.item,2]…");
    }

    #[test]
    fn items_are_put_in_taken_out_and_joined() {
        let pair = run("SequenceConstruct", &[], &[tensor("f32[2,n]"), tensor("f32[3,n]")]).unwrap();
        let position = |at: i64| tensor(&format!("i64[]{{{at}}}"));
        assert_eq!(show(run("SequenceAt", &[], &[pair.clone(), position(-1)])), "f32[3,n]");
        assert!(show(run("SequenceAt", &[], &[pair.clone(), position(2)])).contains("position 2 is outside"));
        assert_eq!(show(run("SequenceAt", &[], &[pair.clone(), tensor("i64[]")])), "f32[node.0,n]");
        assert_eq!(show(run("SequenceErase", &[], std::slice::from_ref(&pair))), "f32[2,n]");
        let three = run("SequenceInsert", &[], &[pair.clone(), tensor("f32[4,n]"), position(0)]);
        assert_eq!(show(three), "f32[4,n] f32[2,n] f32[3,n]");
        assert!(show(run("SequenceInsert", &[], &[pair.clone(), tensor("i64[4]")])).contains("i64 tensor"));
        assert_eq!(show(run("ConcatFromSequence", &[("axis", 0)], std::slice::from_ref(&pair))), "f32[5,n]");
        let stacked = run("ConcatFromSequence", &[("axis", 0), ("new_axis", 1)], std::slice::from_ref(&pair));
        assert!(show(stacked).contains("cannot be concatenated"));
        let length = run("SequenceLength", &[], &[pair]).unwrap();
        assert_eq!(length.as_tensor().and_then(Tensor::ints), Some(vec![2]));
    }

    #[test]
    fn optionals_hold_or_do_not() {
        let some = run("Optional", &[], &[tensor("f32[n]")]).unwrap();
        assert_eq!(show(run("OptionalGetElement", &[], std::slice::from_ref(&some))), "f32[n]");
        let has = run("OptionalHasElement", &[], &[some]).unwrap();
        assert_eq!(has.truth(), Some(true));
        let none = Value::Optional { element: Box::new(tensor("f32[n]")), present: Some(false) };
        assert!(show(run("OptionalGetElement", &[], &[none])).contains("empty"));
    }
}
