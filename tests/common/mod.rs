//! Models in a line of text, for tests.
//!
//! `in x f32[1,n,8]; init s i64[2]{0,-1}; reshape=Reshape x s -> y allowzero=1; out y`: statements are separated by
//! semicolons. A node may have a name before `=` and a domain before `::`; `_` is an input or output left out.
//! Attributes are integers, numbers with a point, `'strings'` or lists of them; bodies are added by [`with_body`].
#![allow(dead_code)]

use bytes::Bytes;
use lwstat::onnx::*;
use lwstat::tensor::DType;
use prost::Message;

/// The dtype of this short name.
pub(crate) fn dtype(name: &str) -> i32 {
    (0..=40).find(|&code| DType::from_code(code).name() == name).unwrap_or_else(|| panic!("{name} is no dtype"))
}

fn split_type(text: &str) -> (i32, Vec<&str>, &str) {
    let (name, rest) = text.split_once('[').unwrap_or_else(|| panic!("{text} is no tensor"));
    let (dims, rest) = rest.split_once(']').unwrap_or_else(|| panic!("{text} is no tensor"));
    (dtype(name), dims.split(',').filter(|dim| !dim.is_empty()).collect(), rest)
}

/// A tensor type: `f32[1,n,8]`, `f32[*]` for an unknown rank.
pub(crate) fn info(name: &str, text: &str) -> ValueInfoProto {
    let (elem_type, dims, _) = split_type(text);
    let dim = |dim: &&str| DimensionProto {
        value: Some(match dim.parse() {
            Ok(size) => DimensionValue::Value(size),
            Err(_) => DimensionValue::Param(dim.to_string()),
        }),
    };
    let shape = (dims != ["*"]).then(|| TensorShapeProto { dim: dims.iter().map(dim).collect() });
    let tensor = TensorTypeProto { elem_type, shape };
    ValueInfoProto {
        name: name.to_string(),
        r#type: Some(TypeProto { tensor_type: Some(tensor), ..TypeProto::default() }),
    }
}

/// A stored tensor: `i64[2]{3,-1}`; without contents its payload is external.
pub(crate) fn stored(name: &str, text: &str) -> TensorProto {
    let (data_type, dims, rest) = split_type(text);
    let mut tensor = TensorProto {
        name: name.to_string(),
        data_type,
        dims: dims.iter().map(|dim| dim.parse().unwrap()).collect(),
        ..TensorProto::default()
    };
    let Some(list) = rest.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
        tensor.data_location = 1;
        let entry = StringStringEntryProto { key: "location".to_string(), value: "missing.bin".to_string() };
        tensor.external_data.push(entry);
        return tensor;
    };
    let mut raw = Vec::new();
    for word in list.split(',').filter(|word| !word.is_empty()) {
        match DType::from_code(data_type) {
            DType::F32 => raw.extend(word.parse::<f32>().unwrap().to_le_bytes()),
            DType::I64 => raw.extend(word.parse::<i64>().unwrap().to_le_bytes()),
            DType::I32 => raw.extend(word.parse::<i32>().unwrap().to_le_bytes()),
            DType::Bool => raw.push(u8::from(word == "true")),
            DType::String => tensor.string_data.push(Bytes::from(word.to_string())),
            other => panic!("no contents in {other:?}"),
        }
    }
    if DType::from_code(data_type) != DType::String {
        tensor.raw_data = Some(raw.into());
    }
    tensor
}

/// An attribute: `pads=[1,1]`.
pub(crate) fn attribute(name: &str, value: &str) -> AttributeProto {
    let mut attribute = AttributeProto { name: name.to_string(), ..AttributeProto::default() };
    let text = |word: &str| Bytes::from(word.trim_matches('\'').to_string());
    if let Some(list) = value.strip_prefix('[').and_then(|value| value.strip_suffix(']')) {
        for word in list.split(',').filter(|word| !word.is_empty()) {
            match word {
                word if word.starts_with('\'') => attribute.strings.push(text(word)),
                word if word.contains('.') => attribute.floats.push(word.parse().unwrap()),
                word => attribute.ints.push(word.parse().unwrap()),
            }
        }
    } else if value.starts_with('\'') {
        attribute.s = Some(text(value));
    } else if let Some(name) = value.strip_prefix('@') {
        attribute.ref_attr_name = name.to_string();
    } else if value.contains('.') {
        attribute.f = Some(value.parse().unwrap());
    } else {
        attribute.i = Some(value.parse().unwrap());
    }
    attribute
}

/// A node: `name=domain::Op a _ b -> y z pads=[1,1]`.
pub(crate) fn node(text: &str) -> NodeProto {
    let (left, right) = text.split_once("->").unwrap_or((text, ""));
    let mut words = left.split_whitespace();
    let head = words.next().unwrap_or_default();
    let (name, head) = head.split_once('=').unwrap_or(("", head));
    let (domain, op_type) = head.split_once("::").unwrap_or(("", head));
    let tensor = |word: &str| if word == "_" { String::new() } else { word.to_string() };
    let mut node = NodeProto {
        name: name.to_string(),
        domain: domain.to_string(),
        op_type: op_type.to_string(),
        input: words.map(tensor).collect(),
        ..NodeProto::default()
    };
    for word in right.split_whitespace() {
        match word.split_once('=') {
            Some((name, value)) => node.attribute.push(attribute(name, value)),
            None => node.output.push(tensor(word)),
        }
    }
    node
}

/// A graph of statements.
pub(crate) fn graph(text: &str) -> GraphProto {
    let mut graph = GraphProto::default();
    for statement in text.split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
        let words: Vec<&str> = statement.split_whitespace().collect();
        match words[..] {
            ["in", name, of] => graph.input.push(info(name, of)),
            ["in", name] => graph.input.push(ValueInfoProto { name: name.to_string(), r#type: None }),
            ["init", name, of] => graph.initializer.push(stored(name, of)),
            ["info", name, of] => graph.value_info.push(info(name, of).encode_to_vec().into()),
            ["out", ref names @ ..] => {
                let named = names.iter().map(|name| ValueInfoProto { name: name.to_string(), r#type: None });
                graph.output.extend(named);
            }
            _ => graph.node.push(node(statement)),
        }
    }
    graph
}

/// The node with a body in an attribute.
pub(crate) fn with_body(mut node: NodeProto, attribute: &str, body: GraphProto) -> NodeProto {
    node.attribute.push(AttributeProto {
        name: attribute.to_string(),
        g: Some(Box::new(body)),
        ..AttributeProto::default()
    });
    node
}

/// A function of domain `f`.
pub(crate) fn function(name: &str, inputs: &[&str], outputs: &[&str], text: &str) -> FunctionProto {
    let list = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
    FunctionProto {
        name: name.to_string(),
        domain: "f".to_string(),
        input: list(inputs),
        output: list(outputs),
        node: graph(text).node,
        opset_import: vec![opset("", 21), opset("f", 1)],
        ..FunctionProto::default()
    }
}

/// An opset import.
pub(crate) fn opset(domain: &str, version: i64) -> OperatorSetIdProto {
    OperatorSetIdProto { domain: domain.to_string(), version }
}

/// A model of a graph.
pub(crate) fn model_of(graph: GraphProto) -> ModelProto {
    let opset_import = vec![opset("", 21), opset("f", 1), opset("com.microsoft", 1)];
    ModelProto { ir_version: 10, opset_import, graph: Some(graph), ..ModelProto::default() }
}

/// A model of statements.
pub(crate) fn model(text: &str) -> ModelProto {
    model_of(graph(text))
}

/// The model's report, by way of its bytes.
pub(crate) fn report(model: &ModelProto) -> lwstat::Result<lwstat::Report> {
    report_with(model, &lwstat::Bindings::default())
}

/// The report under bindings.
pub(crate) fn report_with(model: &ModelProto, bindings: &lwstat::Bindings) -> lwstat::Result<lwstat::Report> {
    lwstat::Model::read(model.encode_to_vec())?.report(bindings)
}

/// What the report says in one line: `unknown 1 at least macs,flops`, or the error.
pub(crate) fn said(model: &ModelProto) -> String {
    match report(model) {
        Ok(report) => {
            let shapes: Vec<String> = report
                .model
                .outputs
                .iter()
                .map(|output| {
                    let shape = output.shape.as_ref();
                    let sizes = shape.map(|shape| shape.iter().map(lwstat::Dim::code).collect::<Vec<_>>().join(","));
                    format!("{}[{}]", output.dtype.unwrap_or("?"), sizes.unwrap_or("*".to_string()))
                })
                .collect();
            let missing = match report.totals.at_least[..] {
                [] => String::new(),
                ref keys => format!(" at least: {}", keys.join(" ")),
            };
            format!("ok {}{missing}", shapes.join(" "))
        }
        Err(error) => error.to_string(),
    }
}
