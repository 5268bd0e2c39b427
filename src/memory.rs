//! Liveness over the schedule: which buffers are alive while each node runs, and the peak.
//!
//! Nodes run in order. A buffer is born with its producer (graph inputs at the start) and dies after its last reader;
//! graph outputs live to the end. A view shares its input's buffer. Folded nodes, parameters and constants are not
//! activations. While a node runs, its inputs and outputs are alive together; while a body runs, so is the body's peak.

use serde::Serialize;

use crate::graph::TensorId;
use crate::infer::Typed;

/// The moment at which the most activation bytes are alive.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Peak {
    /// Bytes alive.
    pub bytes: i64,
    /// The node that runs then; empty where the inputs alone are the peak.
    pub node: String,
    /// The buffers alive then, the largest first.
    pub tensors: Vec<LiveTensor>,
}

/// A buffer that is alive.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LiveTensor {
    /// The tensor that brought the buffer to life.
    pub name: String,
    /// Its bytes.
    pub bytes: i64,
}

/// A buffer: born at a step, dead after another. Step 0 is before the first node, step `i + 1` is node `i`.
struct Buffer {
    tensor: TensorId,
    bytes: i64,
    born: usize,
    dies: usize,
}

/// The peak of a typed graph; `None` where a size is unknown or a formula: give its dimensions.
pub fn peak(typed: &Typed<'_>) -> Option<Peak> {
    let steps = typed.graph.nodes.len() + 1;
    let mut buffers: Vec<Buffer> = Vec::new();
    let mut buffer_of: Vec<Option<usize>> = vec![None; typed.graph.tensors.len()];
    let mut bodies = vec![0i64; steps];
    let born = |buffers: &mut Vec<Buffer>, buffer_of: &mut [Option<usize>], tensor: TensorId, step: usize| {
        let bytes = typed.value(tensor).bytes()?.as_int()?;
        buffer_of[tensor.index()] = Some(buffers.len());
        buffers.push(Buffer { tensor, bytes, born: step, dies: step });
        Some(())
    };
    for &input in &typed.graph.inputs {
        born(&mut buffers, &mut buffer_of, input, 0)?;
    }
    for (index, (node, facts)) in typed.graph.nodes.iter().zip(&typed.nodes).enumerate() {
        if facts.folded {
            continue;
        }
        let step = index + 1;
        for id in node.reads() {
            if let Some(buffer) = buffer_of[id.index()] {
                buffers[buffer].dies = step;
            }
        }
        for (position, output) in node.outputs.iter().enumerate() {
            let Some(output) = *output else { continue };
            let shared = node.inputs.first().copied().flatten().and_then(|id| buffer_of[id.index()]);
            match shared.filter(|_| facts.view && position == 0) {
                Some(buffer) => buffer_of[output.index()] = Some(buffer),
                None => born(&mut buffers, &mut buffer_of, output, step)?,
            }
        }
        for (_, body, _) in &facts.bodies {
            bodies[step] = bodies[step].max(peak(body)?.bytes);
        }
    }
    for output in &typed.graph.outputs {
        if let Some(buffer) = buffer_of[output.index()] {
            buffers[buffer].dies = steps - 1;
        }
    }
    let mut change = vec![0i64; steps + 1];
    for buffer in &buffers {
        change[buffer.born] = change[buffer.born].checked_add(buffer.bytes)?;
        change[buffer.dies + 1] = change[buffer.dies + 1].checked_sub(buffer.bytes)?;
    }
    let (mut alive, mut best) = (0i64, (0i64, 0usize));
    for step in 0..steps {
        alive = alive.checked_add(change[step])?;
        let now = alive.checked_add(bodies[step])?;
        if now > best.0 {
            best = (now, step);
        }
    }
    let (bytes, step) = best;
    let at_peak = |buffer: &&Buffer| buffer.born <= step && step <= buffer.dies && buffer.bytes > 0;
    let named = |buffer: &Buffer| LiveTensor { name: typed.graph.name(buffer.tensor).to_string(), bytes: buffer.bytes };
    let mut tensors: Vec<LiveTensor> = buffers.iter().filter(at_peak).map(named).collect();
    tensors.sort_by_key(|tensor| std::cmp::Reverse(tensor.bytes));
    let node = step.checked_sub(1).map(|index| typed.graph.nodes[index].name.to_string()).unwrap_or_default();
    Some(Peak { bytes, node, tensors })
}
