//! Development aid: prints every tensor's dtype and shape and the MACs of each node.
fn main() {
    use lwstat::ops::Call;
    for path in std::env::args().skip(1) {
        let model = lwstat::model::Model::open(&path).unwrap();
        let graph = match model.graph() {
            Ok(g) => g,
            Err(e) => {
                println!("{e}");
                continue;
            }
        };
        let typed = match lwstat::infer::infer(&graph, &model.proto, &Default::default()) {
            Ok(t) => t,
            Err(e) => {
                println!("{path}: {e}");
                continue;
            }
        };
        println!("== {path}");
        show(&typed, "");
        fn show(typed: &lwstat::infer::Typed, indent: &str) {
            let mut total = lwstat::dim::Dim::ZERO;
            for (node, facts) in typed.graph.nodes.iter().zip(&typed.nodes) {
                let inputs: Vec<_> = node.inputs.iter().map(|i| i.map(|i| typed.value(i))).collect();
                let outs: Vec<_> =
                    node.outputs.iter().map(|o| o.map(|o| typed.value(o).clone()).unwrap_or_default()).collect();
                let sizes = Default::default();
                let call = Call {
                    name: &node.name,
                    opset: node.opset,
                    attributes: &node.attributes,
                    inputs: &inputs,
                    outputs: node.outputs.len(),
                    sizes: &sizes,
                };
                let macs = facts.op.and_then(|op| op.macs).filter(|_| !facts.folded).map(|r| (r.count)(&call, &outs));
                if let Some(Ok(m)) = &macs {
                    total += m;
                }
                let flops = facts
                    .op
                    .and_then(|op| op.flops)
                    .filter(|_| !facts.folded)
                    .map(|r| (r.count)(&call, &outs).map(|d| d.code()));
                println!(
                    "{indent}{} ({}:{}@{}) op={} folded={} unknown={} macs={:?} flops={flops:?}",
                    node.name,
                    node.domain,
                    node.op_type,
                    node.opset,
                    facts.op.is_some(),
                    facts.folded,
                    facts.unknown,
                    macs.map(|m| m.map(|m| m.code()))
                );
                for o in node.outputs.iter().flatten() {
                    let v = typed.value(*o);
                    match v.as_tensor() {
                        Some(t) => println!(
                            "{indent}   {} {} {:?} {:?}",
                            typed.graph.name(*o),
                            t.dtype.name(),
                            t.shape.as_ref().map(|s| s.iter().map(|d| d.code()).collect::<Vec<_>>()),
                            t.scalars().filter(|s| s.len() < 10)
                        ),
                        None => println!("{indent}   {} {:?}", typed.graph.name(*o), v),
                    }
                }
                for (name, body, times) in &facts.bodies {
                    println!("{indent}  body {name} {times:?}");
                    show(body, &format!("{indent}      "));
                }
            }
            println!("{indent}total macs {}", total.code());
        }
    }
}
