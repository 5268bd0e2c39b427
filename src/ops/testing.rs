//! The operator tests' notation: a call, its outputs and its counts in one row.
//!
//! `Conv f32[1,3,8,8] f32[4,3,3,3] pads=[1,1,1,1] -> f32[1,4,8,8] macs=6912 flops=0`
//!
//! An operator may carry a domain and an opset (`com.microsoft:Gelu`, `Squeeze@12`; the newest opset otherwise). An
//! input is `dtype[dims]`, with contents in braces (`i64[2]{3,-1}`, `?` for an unknown element, `(n)/2` for a ratio, `f32[*]` for an unknown
//! rank), or `_` where left out. Attributes are integers, numbers with a point, `'strings'` or lists of them. Right of
//! the arrow stand the outputs (contents are compared where the row gives them), `macs=`, `hidden=`, `flops=` (beside 2 × MACs),
//! or `error` with words that the reason must contain, or `unknown`.

use rustc_hash::FxHashMap;

use super::*;
use crate::onnx::AttributeProto;

/// Checks rows, one a line; blank lines are passed over. Every failing row is reported.
pub(crate) fn check(rows: &str) {
    let failures: Vec<String> = rows.lines().map(str::trim).filter(|row| !row.is_empty()).filter_map(failure).collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

fn failure(row: &str) -> Option<String> {
    let (call, expected) = row.split_once(" -> ")?;
    let mut words = call.split_whitespace();
    let head = words.next()?;
    let (head, opset) = head.split_once('@').map_or((head, 1000), |(head, opset)| (head, opset.parse().unwrap()));
    let (domain, name) = head.split_once(':').unwrap_or(("", head));
    let Some(op) = find(domain, name) else { return Some(format!("{row}\n    no such operator")) };
    let (mut inputs, mut attributes) = (Vec::new(), Vec::new());
    for word in words {
        if word == "_" {
            inputs.push(None);
        } else if let Some((name, value)) =
            word.split_once('=').filter(|_| !word.contains('[') || word.find('=') < word.find('['))
        {
            attributes.push(attribute(name, value));
        } else {
            inputs.push(Some(Value::Tensor(tensor(word))));
        }
    }
    let expected: Vec<&str> = expected.split_whitespace().collect();
    let attributes = Attributes::of(&attributes);
    let inputs: Vec<Option<&Value>> = inputs.iter().map(Option::as_ref).collect();
    let wanted = expected.iter().filter(|word| word.contains('[') || **word == "_").count();
    let sizes = FxHashMap::default();
    let call =
        Call { name: "node", opset, attributes: &attributes, inputs: &inputs, outputs: wanted.max(1), sizes: &sizes };
    let got = answer(op, &call, &expected);
    let want = match expected.first() {
        Some(&"error") => {
            let words = expected[1..].join(" ");
            return (!got.starts_with("error") || !got.contains(&words)).then(|| format!("{row}\n    gives {got}"));
        }
        _ => expected.iter().map(|word| plain(word)).collect::<Vec<_>>().join(" "),
    };
    (got != want).then(|| format!("{row}\n    gives {got}"))
}

/// A tensor word in the form in which answers are written: `f32[n,2*n]`.
fn plain(word: &str) -> String {
    if !word.contains('[') { word.to_string() } else { show(&tensor(word), word.contains('{')) }
}

fn answer(op: &Op, call: &Call, expected: &[&str]) -> String {
    let Infer::Plain(infer) = op.infer else { return "a control-flow operator".to_string() };
    let outputs = match infer(call) {
        Ok(outputs) => outputs,
        Err(Stop::Unknown) => return "unknown".to_string(),
        Err(Stop::Invalid(reason)) => return format!("error {reason}"),
    };
    let mut words = Vec::new();
    let mut given = outputs.iter();
    for word in expected {
        let count = |rule: Option<Flops>| match rule.map(|rule| (rule.count)(call, &outputs)) {
            None => "none".to_string(),
            Some(Ok(count)) => count.code().replace(' ', ""),
            Some(Err(stop)) => format!("{stop:?}"),
        };
        words.push(if word.starts_with("hidden=") {
            let rule = op.hidden.map(|count| Flops { rule: "", count });
            format!("hidden={}", count(rule))
        } else if word.starts_with("macs=") {
            format!("macs={}", count(op.macs))
        } else if word.starts_with("flops=") {
            format!("flops={}", count(op.flops))
        } else {
            match given.next() {
                Some(Value::Tensor(_)) if *word == "_" => "_".to_string(),
                Some(Value::Tensor(tensor)) => show(tensor, word.contains('{')),
                other => format!("{other:?}"),
            }
        });
    }
    words.join(" ")
}

fn show(tensor: &Tensor, contents: bool) -> String {
    let dims = |dims: &[Dim]| dims.iter().map(Dim::code).collect::<Vec<_>>().join(",").replace(' ', "");
    let shape = tensor.shape.as_deref().map_or("*".to_string(), dims);
    let mut text = format!("{}[{shape}]", tensor.dtype.name());
    if contents {
        let scalar = |scalar: &Scalar| match scalar {
            Scalar::Int(dim) => dim.code().replace(' ', ""),
            Scalar::Float(value) => format!("{value}"),
            Scalar::Ratio(over, under) => format!("({})/{under}", over.code().replace(' ', "")),
            Scalar::Bool(value) => format!("{value}"),
            Scalar::Text(text) => format!("'{text}'"),
            Scalar::Unknown => "?".to_string(),
        };
        let inside = tensor.scalars().map(|list| list.iter().map(scalar).collect::<Vec<_>>().join(","));
        text += &inside.map_or("{unknown}".to_string(), |inside| format!("{{{inside}}}"));
    }
    text
}

/// Reads `f32[1,n]{1.5,2}`.
pub(crate) fn tensor(word: &str) -> Tensor {
    let (dtype, rest) = word.split_once('[').unwrap_or_else(|| panic!("{word} is no tensor"));
    let (dims, rest) = rest.split_once(']').unwrap_or_else(|| panic!("{word} is no tensor"));
    let code = (1..=28).find(|&code| DType::from_code(code).name() == dtype);
    let dtype = DType::from_code(code.unwrap_or_else(|| panic!("{dtype} is no dtype")));
    if dims == "*" {
        return Tensor { dtype, shape: None, contents: None };
    }
    let list = |text: &str| -> Vec<String> { split(text) };
    let dim = |text: &String| match text.strip_prefix('$') {
        Some(name) => Dim::data(name),
        None => Dim::parse(text).unwrap_or_else(|| panic!("{text} is no dimension")),
    };
    let result = Tensor::new(dtype, list(dims).iter().map(dim).collect());
    let Some(contents) = rest.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else { return result };
    let scalar = |text: &String| match text.as_str() {
        "?" => Scalar::Unknown,
        "true" => Scalar::Bool(true),
        "false" => Scalar::Bool(false),
        text if text.starts_with('\'') => Scalar::Text(text.trim_matches('\'').into()),
        text if dtype.is_float() => match (text.parse(), text.rsplit_once('/')) {
            (Ok(value), _) => Scalar::Float(value),
            (_, Some((over, under))) if !over.ends_with('/') => {
                Scalar::Ratio(dim(&over.to_string()), under.parse().unwrap())
            }
            _ => Scalar::Int(dim(&text.to_string())),
        },
        _ => Scalar::Int(dim(text)),
    };
    result.with_scalars(list(contents).iter().map(scalar).collect())
}

/// Splits at commas outside parentheses.
fn split(text: &str) -> Vec<String> {
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for letter in text.chars() {
        depth += i32::from(letter == '(') - i32::from(letter == ')');
        match letter {
            ',' if depth == 0 => parts.push(String::new()),
            letter => parts.last_mut().unwrap().push(letter),
        }
    }
    if text.is_empty() { Vec::new() } else { parts }
}

fn attribute(name: &str, value: &str) -> AttributeProto {
    let mut attribute = AttributeProto { name: name.to_string(), ..AttributeProto::default() };
    let text = |word: &str| bytes::Bytes::from(word.trim_matches('\'').to_string());
    if let Some(list) = value.strip_prefix('[').and_then(|value| value.strip_suffix(']')) {
        for word in split(list) {
            match word.as_str() {
                word if word.starts_with('\'') => attribute.strings.push(text(word)),
                word if word.contains('.') => attribute.floats.push(word.parse().unwrap()),
                word => attribute.ints.push(word.parse().unwrap()),
            }
        }
    } else if value.starts_with('\'') {
        attribute.s = Some(text(value));
    } else if value.contains('.') {
        attribute.f = Some(value.parse().unwrap());
    } else {
        attribute.i = Some(value.parse().unwrap());
    }
    attribute
}
