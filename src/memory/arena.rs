//! The arena: an offset for every buffer, so that one block of memory holds them all.

use super::schedule::Schedule;

/// Offsets are multiples of this many bytes.
pub const ALIGNMENT: i64 = 16;

/// Where a buffer lies and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// The buffer.
    pub buffer: usize,
    /// Its first byte in the arena.
    pub offset: i64,
    /// The step at which it is born, counted in the order; 0 is before the first.
    pub from: usize,
    /// The last step at which it is alive.
    pub to: usize,
}

/// Places buffers, the largest first, each at the lowest offset at which nothing that is alive with it lies. Returns the
/// places and the bytes of the arena. What bodies need inside is not in it.
pub fn plan(schedule: &Schedule, order: &[usize]) -> (Vec<Place>, i64) {
    let life = schedule.lives(order);
    let mut largest: Vec<usize> =
        (0..schedule.buffers.len()).filter(|&buffer| schedule.buffers[buffer].bytes > 0).collect();
    largest.sort_by_key(|&buffer| (std::cmp::Reverse(schedule.buffers[buffer].bytes), life[buffer].0, buffer));
    // Kept by offset, so that one pass finds the lowest gap.
    let mut placed: Vec<Place> = Vec::with_capacity(largest.len());
    let mut size = 0;
    for buffer in largest {
        let (from, to) = life[buffer];
        let bytes = schedule.buffers[buffer].bytes;
        let mut offset = 0;
        for other in placed.iter().filter(|other| other.from <= to && from <= other.to) {
            if offset + bytes <= other.offset {
                break;
            }
            offset = offset.max(aligned(other.offset + schedule.buffers[other.buffer].bytes));
        }
        let at = placed.partition_point(|other| other.offset <= offset);
        placed.insert(at, Place { buffer, offset, from, to });
        size = size.max(offset + bytes);
    }
    (placed, size)
}

fn aligned(offset: i64) -> i64 {
    offset.div_euclid(ALIGNMENT) * ALIGNMENT + if offset % ALIGNMENT == 0 { 0 } else { ALIGNMENT }
}
