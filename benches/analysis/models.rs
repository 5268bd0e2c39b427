//! Models of a given size for the benches, built from messages: nothing is stored, nothing is fetched.

use lwstat::onnx::{
    AttributeProto, DimensionProto, DimensionValue, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use prost::Message;

/// A graph under construction that names things as an exporter does.
#[derive(Default)]
struct Builder {
    graph: GraphProto,
    module: String,
}

impl Builder {
    /// Adds a node of one output to the current module and returns the output's name.
    fn node(&mut self, op_type: &str, inputs: &[&str], attributes: Vec<AttributeProto>, shape: &[i64]) -> String {
        let name = format!("/{}/{op_type}_{}", self.module, self.graph.node.len());
        let output = format!("{name}_output_0");
        self.graph.node.push(NodeProto {
            input: inputs.iter().map(|input| input.to_string()).collect(),
            output: vec![output.clone()],
            op_type: op_type.to_string(),
            attribute: attributes,
            metadata_props: self.metadata(op_type),
            name,
            ..NodeProto::default()
        });
        self.graph.value_info.push(value(&output, &fixed(shape)).encode_to_vec().into());
        output
    }

    /// What torch records with a node: the modules around it, and the lines of code that called for it.
    fn metadata(&self, op_type: &str) -> Vec<bytes::Bytes> {
        let trace = format!(
            "File \"/usr/lib/python3/site-packages/torch/nn/modules/module.py\", line 1784, in _call_impl\n    \
             return forward_call(*args, **kwargs)\nFile \"/home/user/model/{}.py\", line {}, in forward\n    x = {op_type}(x)",
            self.module,
            self.graph.node.len(),
        );
        let entry =
            |key: &str, value: String| StringStringEntryProto { key: key.to_string(), value }.encode_to_vec().into();
        vec![
            entry("namespace", format!(": model.Network/{}: torch.nn.modules.{op_type}", self.module)),
            entry("pkg.torch.onnx.class_hierarchy", format!("['model.Network', 'torch.nn.modules.{op_type}']")),
            entry("pkg.torch.onnx.name_scopes", format!("['', '{}', '{op_type}']", self.module.replace('/', "."))),
            entry("pkg.torch.onnx.fx_node", format!("%{op_type} : [num_users=1] = call_function(args = (%x, %y))")),
            entry("pkg.torch.onnx.stack_trace", trace),
        ]
    }

    /// Adds a weight whose payload lies in another file, as weight-free exports have it.
    fn weight(&mut self, name: &str, dims: &[i64]) -> String {
        let name = format!("{}.{name}", self.module.replace('/', "."));
        let entry = |key: &str, value: &str| StringStringEntryProto { key: key.to_string(), value: value.to_string() };
        let elements: i64 = dims.iter().product();
        let length = (elements * 4).to_string();
        self.graph.initializer.push(TensorProto {
            dims: dims.to_vec(),
            data_type: 1,
            name: name.clone(),
            external_data: vec![entry("location", "weights.bin"), entry("offset", "0"), entry("length", &length)],
            data_location: 1,
            ..TensorProto::default()
        });
        name
    }

    /// Adds a `Constant` node.
    fn constant(&mut self, dims: &[i64], values: &[i64]) -> String {
        let raw = values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let tensor =
            TensorProto { dims: dims.to_vec(), data_type: 7, raw_data: Some(raw.into()), ..TensorProto::default() };
        let value = AttributeProto { t: Some(Box::new(tensor)), ..attribute("value", 4) };
        self.node("Constant", &[], vec![value], dims)
    }

    /// Size `axis` of a tensor as an element of a shape: Shape, Gather, Unsqueeze.
    fn size(&mut self, of: &str, axis: i64) -> String {
        let shape = self.node("Shape", &[of], Vec::new(), &[4]);
        let index = self.constant(&[], &[axis]);
        let size = self.node("Gather", &[&shape, &index], vec![int("axis", 0)], &[]);
        let axes = self.constant(&[1], &[0]);
        self.node("Unsqueeze", &[&size, &axes], Vec::new(), &[1])
    }

    /// Reshapes a tensor to the sizes of others and to numbers, as exporters trace `x.view(x.size(0), …)`.
    fn reshape(&mut self, tensor: &str, sizes: &[String], rest: &[i64], shape: &[i64]) -> String {
        let mut parts = sizes.to_vec();
        parts.extend(rest.iter().map(|&size| self.constant(&[1], &[size])).collect::<Vec<_>>());
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let target = self.node("Concat", &parts, vec![int("axis", 0)], &[parts.len() as i64]);
        self.node("Reshape", &[tensor, &target], Vec::new(), shape)
    }

    fn finish(mut self, input: ValueInfoProto, output: &str) -> ModelProto {
        self.graph.name = "main_graph".to_string();
        self.graph.input.push(input);
        self.graph.output.push(ValueInfoProto { name: output.to_string(), r#type: None });
        ModelProto {
            ir_version: 8,
            producer_name: "pytorch".to_string(),
            producer_version: "2.15.0".to_string(),
            graph: Some(self.graph),
            opset_import: vec![OperatorSetIdProto { domain: String::new(), version: 17 }],
            functions: Vec::new(),
        }
    }
}

fn attribute(name: &str, r#type: i32) -> AttributeProto {
    AttributeProto { name: name.to_string(), r#type, ..AttributeProto::default() }
}

fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { i: Some(value), ..attribute(name, 2) }
}

fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto { f: Some(value), ..attribute(name, 1) }
}

fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto { ints: values.to_vec(), ..attribute(name, 7) }
}

fn fixed(shape: &[i64]) -> Vec<DimensionValue> {
    shape.iter().map(|&size| DimensionValue::Value(size)).collect()
}

fn value(name: &str, shape: &[DimensionValue]) -> ValueInfoProto {
    let dim = shape.iter().cloned().map(|value| DimensionProto { value: Some(value) }).collect();
    let tensor = TensorTypeProto { elem_type: 1, shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto {
        name: name.to_string(),
        r#type: Some(TypeProto { tensor_type: Some(tensor), ..TypeProto::default() }),
    }
}

/// A convolutional network of at least `nodes` nodes: Conv, BatchNormalization, Relu, and a traced channel shuffle.
pub(crate) fn convolutional(nodes: usize) -> ModelProto {
    let mut builder = Builder::default();
    let shape = [1, 64, 56, 56];
    let mut x = "input".to_string();
    for block in 0.. {
        if builder.graph.node.len() >= nodes {
            break;
        }
        for conv in 0..3 {
            builder.module = format!("features/features.{block}/block/block.{conv}");
            let (weight, bias) = (builder.weight("0.weight", &[64, 64, 3, 3]), builder.weight("0.bias", &[64]));
            let attributes = vec![
                ints("dilations", &[1, 1]),
                int("group", 1),
                ints("kernel_shape", &[3, 3]),
                ints("pads", &[1, 1, 1, 1]),
                ints("strides", &[1, 1]),
            ];
            x = builder.node("Conv", &[&x, &weight, &bias], attributes, &shape);
            let learned = ["weight", "bias", "running_mean", "running_var"];
            let learned = learned.map(|name| builder.weight(&format!("1.{name}"), &[64]));
            let attributes = vec![float("epsilon", 1e-5), float("momentum", 0.9), int("training_mode", 0)];
            let inputs = [&x, &learned[0], &learned[1], &learned[2], &learned[3]].map(String::as_str);
            x = builder.node("BatchNormalization", &inputs, attributes, &shape);
            x = builder.node("Relu", &[&x], Vec::new(), &shape);
        }
        builder.module = format!("features/features.{block}/shuffle");
        let batch = builder.size(&x, 0);
        let split = builder.reshape(&x, std::slice::from_ref(&batch), &[2, 32, 56, 56], &[1, 2, 32, 56, 56]);
        let swapped = builder.node("Transpose", &[&split], vec![ints("perm", &[0, 2, 1, 3, 4])], &[1, 32, 2, 56, 56]);
        x = builder.reshape(&swapped, &[batch], &[64, 56, 56], &shape);
    }
    let input = value("input", &fixed(&shape));
    builder.finish(input, &x)
}

/// A transformer of `layers` layers whose batch and length are free.
pub(crate) fn transformer(layers: usize) -> ModelProto {
    const WIDTH: i64 = 256;
    let mut builder = Builder::default();
    let shape = [1, 128, WIDTH];
    let mut x = "hidden_states".to_string();
    for layer in 0..layers {
        builder.module = format!("encoder/layer.{layer}/attention");
        let (batch, length) = (builder.size(&x, 0), builder.size(&x, 1));
        let heads = ["query", "key", "value"].map(|name| {
            let part = linear(&mut builder, name, &x, WIDTH, WIDTH);
            let split = builder.reshape(&part, &[batch.clone(), length.clone()], &[4, WIDTH / 4], &[1, 128, 4, 64]);
            let perm = if name == "key" { [0, 2, 3, 1] } else { [0, 2, 1, 3] };
            builder.node("Transpose", &[&split], vec![ints("perm", &perm)], &[1, 4, 128, 64])
        });
        let scores = builder.node("MatMul", &[&heads[0], &heads[1]], Vec::new(), &[1, 4, 128, 128]);
        let scale = builder.weight("scale", &[]);
        let scores = builder.node("Div", &[&scores, &scale], Vec::new(), &[1, 4, 128, 128]);
        let scores = builder.node("Softmax", &[&scores], vec![int("axis", -1)], &[1, 4, 128, 128]);
        let context = builder.node("MatMul", &[&scores, &heads[2]], Vec::new(), &[1, 4, 128, 64]);
        let context = builder.node("Transpose", &[&context], vec![ints("perm", &[0, 2, 1, 3])], &[1, 128, 4, 64]);
        let context = builder.reshape(&context, &[batch, length], &[WIDTH], &shape);
        let context = linear(&mut builder, "output", &context, WIDTH, WIDTH);
        x = residual(&mut builder, &x, &context, WIDTH);
        builder.module = format!("encoder/layer.{layer}/mlp");
        let wide = linear(&mut builder, "up", &x, WIDTH, 4 * WIDTH);
        let scaled = builder.weight("sqrt2", &[]);
        let halved = builder.node("Div", &[&wide, &scaled], Vec::new(), &[1, 128, 4 * WIDTH]);
        let erf = builder.node("Erf", &[&halved], Vec::new(), &[1, 128, 4 * WIDTH]);
        let wide = builder.node("Mul", &[&wide, &erf], Vec::new(), &[1, 128, 4 * WIDTH]);
        let narrow = linear(&mut builder, "down", &wide, 4 * WIDTH, WIDTH);
        x = residual(&mut builder, &x, &narrow, WIDTH);
    }
    let free = |name: &str| DimensionValue::Param(name.to_string());
    let input = value("hidden_states", &[free("batch"), free("seq"), DimensionValue::Value(WIDTH)]);
    builder.finish(input, &x)
}

fn linear(builder: &mut Builder, name: &str, x: &str, from: i64, to: i64) -> String {
    let weight = builder.weight(&format!("{name}.weight"), &[from, to]);
    let bias = builder.weight(&format!("{name}.bias"), &[to]);
    let product = builder.node("MatMul", &[x, &weight], Vec::new(), &[1, 128, to]);
    builder.node("Add", &[&bias, &product], Vec::new(), &[1, 128, to])
}

fn residual(builder: &mut Builder, x: &str, branch: &str, width: i64) -> String {
    let sum = builder.node("Add", &[x, branch], Vec::new(), &[1, 128, width]);
    let (scale, bias) = (builder.weight("norm.weight", &[width]), builder.weight("norm.bias", &[width]));
    let attributes = vec![int("axis", -1), float("epsilon", 1e-12)];
    builder.node("LayerNormalization", &[&sum, &scale, &bias], attributes, &[1, 128, width])
}

/// Copies of a real model side by side on its own inputs, until there are at least `nodes` nodes.
pub(crate) fn copies(model: &ModelProto, nodes: usize) -> ModelProto {
    let mut all = model.clone();
    let Some(graph) = &model.graph else { return all };
    let inputs: Vec<&str> = graph.input.iter().map(|input| input.name.as_str()).collect();
    let mut joined = graph.clone();
    for copy in 1..nodes.div_ceil(graph.node.len().max(1)) {
        let renamed = |name: &String| match name.is_empty() || inputs.contains(&name.as_str()) {
            true => name.clone(),
            false => format!("{name}_{copy}"),
        };
        joined.node.extend(graph.node.iter().cloned().map(|node| NodeProto {
            name: renamed(&node.name),
            input: node.input.iter().map(renamed).collect(),
            output: node.output.iter().map(renamed).collect(),
            ..node
        }));
        let stored = graph.initializer.iter().cloned();
        joined.initializer.extend(stored.map(|tensor| TensorProto { name: renamed(&tensor.name), ..tensor }));
        joined.value_info.extend(graph.value_info.iter().cloned());
        let outputs = graph.output.iter().cloned();
        joined.output.extend(outputs.map(|output| ValueInfoProto { name: renamed(&output.name), ..output }));
    }
    all.graph = Some(joined);
    all
}
