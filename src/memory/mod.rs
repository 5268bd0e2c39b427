//! Liveness over the schedule: which buffers are alive while each node runs, the peak, and how low it can be brought.
//!
//! Nodes run in order. A buffer is born with its producer (graph inputs at the start) and dies after its last reader;
//! graph outputs live to the end. A view shares its input's buffer. Folded nodes, parameters and constants are not
//! activations. While a node runs, its inputs and outputs are alive together; while a body runs, so is the body's peak.

use schemars::JsonSchema;
use serde::Serialize;

use crate::graph::Source;
use crate::infer::Typed;
use crate::ops::Storage;

pub mod arena;
mod bound;
mod order;
pub mod schedule;

#[cfg(test)]
mod tests;

pub use bound::lower_bound;
pub use order::{Order, best};
use schedule::{Buffer, Schedule, Step};

/// The moment at which the most activation bytes are alive.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Peak {
    /// Bytes alive.
    pub bytes: i64,
    /// The node that runs then; empty where the inputs alone are the peak.
    pub node: String,
    /// The buffers alive then, the largest first.
    pub tensors: Vec<LiveTensor>,
}

/// A buffer that is alive.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct LiveTensor {
    /// The tensor that brought the buffer to life.
    pub name: String,
    /// Its bytes.
    pub bytes: i64,
}

/// How low the peak can be brought, and a plan that a runtime can use.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct MemoryPlan {
    /// The peak in the file's order.
    pub peak_bytes: i64,
    /// The peak in the file's order where element-wise operators write over an input that dies.
    pub in_place_bytes: i64,
    /// No order of these nodes peaks lower, each output in a buffer of its own.
    pub lower_bound_bytes: i64,
    /// The peak of the best order that was found.
    pub best_bytes: i64,
    /// Whether that order is proved to be the best.
    pub best_is_exact: bool,
    /// The peak of that order where element-wise operators write over an input that dies.
    pub best_in_place_bytes: i64,
    /// That order, as node names.
    pub best_order: Vec<String>,
    /// The file's order with the bytes that are alive while each node runs.
    pub timeline: Vec<Moment>,
    /// Every buffer's place in one block of memory, for the best order.
    pub arena: Arena,
}

/// Bytes alive while a node runs.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Moment {
    /// The node; empty for the start, when the inputs are there.
    pub node: String,
    /// Bytes alive.
    pub bytes: i64,
}

/// One block of memory that holds all buffers.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Arena {
    /// Its size.
    pub bytes: i64,
    /// Offsets are multiples of this.
    pub alignment: i64,
    /// Where each buffer lies.
    pub buffers: Vec<ArenaBuffer>,
}

/// A buffer's place in the arena.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ArenaBuffer {
    /// The tensor that brings the buffer to life; a node's name and `/` for what its bodies need while it runs.
    pub tensor: String,
    /// Its first byte.
    pub offset: i64,
    /// Its size.
    pub bytes: i64,
    /// The step of the best order at which it is born; 0 is before the first.
    pub from: usize,
    /// The last step at which it is alive.
    pub to: usize,
}

/// The peak of a typed graph with this schedule in the file's order; `None` where it has nothing to run.
pub fn peak(typed: &Typed<'_>, schedule: &Schedule) -> Option<Peak> {
    let order = schedule.file_order();
    let alive = schedule.alive(&order, false);
    // The first of equal moments.
    let (step, &bytes) = alive.iter().enumerate().max_by_key(|&(step, bytes)| (*bytes, std::cmp::Reverse(step)))?;
    let lives = schedule.lives(&order);
    let there =
        |&buffer: &usize| lives[buffer].0 <= step && step <= lives[buffer].1 && schedule.buffers[buffer].bytes > 0;
    let live = |buffer: usize| LiveTensor {
        name: tensor_name(typed, &schedule.buffers[buffer]),
        bytes: schedule.buffers[buffer].bytes,
    };
    let mut tensors: Vec<LiveTensor> = (0..schedule.buffers.len()).filter(there).map(live).collect();
    tensors.sort_by_key(|tensor| std::cmp::Reverse(tensor.bytes));
    let node = step.checked_sub(1).map(|step| node_name(typed, &schedule.steps[step])).unwrap_or_default();
    Some(Peak { bytes, node, tensors })
}

/// How low the peak of a typed graph with this schedule can be brought; `None` where it has nothing to run.
pub fn plan(typed: &Typed<'_>, schedule: &Schedule) -> Option<MemoryPlan> {
    let order = schedule.file_order();
    let alive = schedule.alive(&order, false);
    let lower_bound_bytes = lower_bound(schedule);
    let best = best(schedule, lower_bound_bytes);
    let (places, bytes) = arena::plan(schedule, &best.steps);
    let moment = |(at, &bytes): (usize, &i64)| Moment {
        node: at.checked_sub(1).map(|step| node_name(typed, &schedule.steps[step])).unwrap_or_default(),
        bytes,
    };
    let placed = |place: &arena::Place| ArenaBuffer {
        tensor: match place.tenant {
            arena::Tenant::Buffer(buffer) => tensor_name(typed, &schedule.buffers[buffer]),
            arena::Tenant::Bodies(step) => format!("{}/", node_name(typed, &schedule.steps[step])),
        },
        offset: place.offset,
        bytes: place.bytes,
        from: place.from,
        to: place.to,
    };
    Some(MemoryPlan {
        peak_bytes: alive.iter().copied().max()?,
        in_place_bytes: schedule.alive(&order, true).into_iter().max()?,
        lower_bound_bytes,
        best_bytes: best.peak,
        best_is_exact: best.exact,
        best_in_place_bytes: schedule.alive(&best.steps, true).into_iter().max()?,
        best_order: best.steps.iter().map(|&step| node_name(typed, &schedule.steps[step])).collect(),
        timeline: alive.iter().enumerate().map(moment).collect(),
        arena: Arena { bytes, alignment: arena::ALIGNMENT, buffers: places.iter().map(placed).collect() },
    })
}

fn node_name(typed: &Typed<'_>, step: &Step) -> String {
    typed.graph.nodes[step.node].name.to_string()
}

fn tensor_name(typed: &Typed<'_>, buffer: &Buffer) -> String {
    typed.graph.tensors[buffer.tensor].name.to_string()
}

/// The steps and buffers of a typed graph; `None` where a size is unknown or a formula (give its dimensions), or bytes
/// overflow.
pub fn schedule_of(typed: &Typed<'_>) -> Option<Schedule> {
    let graph = typed.graph;
    let mut schedule = Schedule::default();
    let mut buffer_of: Vec<Option<usize>> = vec![None; graph.tensors.len()];
    let mut step_of: Vec<Option<usize>> = vec![None; graph.nodes.len()];
    let mut total = 0i64;
    let mut born = |buffers: &mut Vec<Buffer>, tensor: usize, input: bool| {
        let bytes = typed.values[tensor].bytes()?.as_int()?;
        total = total.checked_add(bytes)?;
        buffers.push(Buffer { tensor, bytes, input, output: false });
        Some(buffers.len() - 1)
    };
    for input in &graph.inputs {
        buffer_of[input.index()] = Some(born(&mut schedule.buffers, input.index(), true)?);
    }
    for (index, (node, facts)) in graph.nodes.iter().zip(&typed.nodes).enumerate() {
        if facts.folded {
            continue;
        }
        let mut step = Step { node: index, ..Step::default() };
        for id in node.reads() {
            if let Source::Node(producer) = graph.tensors[id.index()].source
                && let Some(need) = step_of[producer]
            {
                step.needs.push(need);
            }
            step.reads.extend(buffer_of[id.index()]);
        }
        step.reads.sort_unstable();
        step.reads.dedup();
        step.in_place = facts.op.is_some_and(|op| matches!(op.storage, Storage::InPlace));
        for (position, output) in node.outputs.iter().enumerate() {
            let Some(output) = *output else { continue };
            let shared = node.inputs.first().copied().flatten().and_then(|id| buffer_of[id.index()]);
            let view = facts.view && position == 0;
            let buffer = match shared.filter(|_| view) {
                Some(buffer) => buffer,
                // A view of a constant, or of a tensor outside the body, lies where that lies.
                None if view => continue,
                None => {
                    let buffer = born(&mut schedule.buffers, output.index(), false)?;
                    step.writes.push(buffer);
                    buffer
                }
            };
            buffer_of[output.index()] = Some(buffer);
        }
        for (_, body, _) in &facts.bodies {
            step.inner = step.inner.max(peak(body, &schedule_of(body)?)?.bytes);
        }
        step_of[index] = Some(schedule.steps.len());
        schedule.steps.push(step);
    }
    for output in &graph.outputs {
        if let Some(buffer) = buffer_of[output.index()] {
            schedule.buffers[buffer].output = true;
        }
    }
    Some(schedule)
}
