//! The arena: an offset for every buffer, so that one block of memory holds them all.

use super::schedule::Schedule;

/// Offsets are multiples of this many bytes.
pub const ALIGNMENT: i64 = 16;

/// What a place in the arena is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tenant {
    /// A buffer.
    Buffer(usize),
    /// What the bodies of a step need while it runs.
    Bodies(usize),
}

/// Where something lies and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// What it is.
    pub tenant: Tenant,
    /// Its first byte in the arena.
    pub offset: i64,
    /// Its size in bytes.
    pub bytes: i64,
    /// The step at which it is born, counted in the order; 0 is before the first.
    pub from: usize,
    /// The last step at which it is alive.
    pub to: usize,
}

/// Places buffers and the memory of bodies, the largest first, each at the lowest offset at which nothing that is alive
/// with it lies. Returns the places and the bytes of the arena.
pub fn plan(schedule: &Schedule, order: &[usize]) -> (Vec<Place>, i64) {
    let lives = schedule.lives(order).into_iter().zip(&schedule.buffers).enumerate();
    let buffers = lives.map(|(index, ((from, to), buffer))| (buffer.bytes, from, to, Tenant::Buffer(index)));
    let steps = order.iter().enumerate();
    let bodies = steps.map(|(at, &step)| (schedule.steps[step].inner, at + 1, at + 1, Tenant::Bodies(step)));
    let mut largest: Vec<(i64, usize, usize, Tenant)> =
        buffers.chain(bodies).filter(|(bytes, ..)| *bytes > 0).collect();
    largest.sort_by_key(|&(bytes, from, _, tenant)| (std::cmp::Reverse(bytes), from, tenant));
    // Kept by offset, so that one pass finds the lowest gap.
    let mut placed: Vec<Place> = Vec::with_capacity(largest.len());
    let mut size = 0;
    for (bytes, from, to, tenant) in largest {
        let mut offset = 0;
        for other in placed.iter().filter(|other| other.from <= to && from <= other.to) {
            if offset + bytes <= other.offset {
                break;
            }
            offset = offset.max(aligned(other.offset + other.bytes));
        }
        let at = placed.partition_point(|other| other.offset <= offset);
        placed.insert(at, Place { tenant, offset, bytes, from, to });
        size = size.max(offset + bytes);
    }
    (placed, size)
}

fn aligned(offset: i64) -> i64 {
    offset.div_euclid(ALIGNMENT) * ALIGNMENT + if offset % ALIGNMENT == 0 { 0 } else { ALIGNMENT }
}
