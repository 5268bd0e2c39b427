//! The lower bound: bytes that every schedule must have alive at some step.

use super::schedule::Schedule;

/// Segments of more steps than this are bounded by what each step reads and writes alone.
const LIMIT: usize = 6000;

/// No schedule of these steps peaks below this.
///
/// The argument: while a step runs, a buffer is alive whatever the order if its producer is the step itself or comes
/// before it by necessity, and some reader is the step itself or comes after it by necessity (or the buffer is a graph
/// output). The bound is the most bytes of such buffers over all steps. Graph inputs are alive together at the start,
/// graph outputs at the end.
pub fn lower_bound(schedule: &Schedule) -> i64 {
    let sum = |keep: fn(&super::schedule::Buffer) -> bool| {
        schedule.buffers.iter().filter(|buffer| keep(buffer)).map(|buffer| buffer.bytes).sum::<i64>()
    };
    let mut bound = sum(|buffer| buffer.input).max(sum(|buffer| buffer.output));
    let (mut producer, mut readers) = (vec![None; schedule.buffers.len()], vec![Vec::new(); schedule.buffers.len()]);
    for (index, step) in schedule.steps.iter().enumerate() {
        step.writes.iter().for_each(|&buffer| producer[buffer] = Some(index));
        step.reads.iter().for_each(|&buffer| readers[buffer].push(index));
    }
    for segment in schedule.segments() {
        bound = bound.max(segment_bound(schedule, &segment, &producer, &readers));
    }
    bound
}

fn segment_bound(schedule: &Schedule, segment: &[usize], producer: &[Option<usize>], readers: &[Vec<usize>]) -> i64 {
    let (start, size) = (segment[0], segment.len());
    let end = start + size;
    let inside = |step: usize| (start..end).contains(&step);
    // Buffers that are alive in the segment: those written or read in it, and those that pass it.
    let mut touching: Vec<usize> = Vec::new();
    let mut passing = 0;
    for (buffer, facts) in schedule.buffers.iter().enumerate() {
        let born = producer[buffer].map_or(0, |step| step + 1);
        let last = readers[buffer].last().copied();
        let after = facts.output || last.is_some_and(|last| last >= end);
        if born <= start && after && (facts.input || producer[buffer].is_some()) {
            passing += facts.bytes;
        } else if born <= end && (after || last.is_some_and(|last| last >= start) || born > start) {
            touching.push(buffer);
        }
    }
    let local = |step: usize| {
        let facts = &schedule.steps[step];
        let own = |&&buffer: &&usize| touching.binary_search(&buffer).is_ok();
        let read: i64 = facts.reads.iter().filter(own).map(|&buffer| schedule.buffers[buffer].bytes).sum();
        let written = |&buffer: &usize| schedule.buffers[buffer].bytes;
        read + facts.writes.iter().map(written).sum::<i64>() + facts.inner
    };
    if size > LIMIT {
        return passing + segment.iter().map(|&step| local(step)).max().unwrap_or(0);
    }
    let words = size.div_ceil(64);
    let mut before = vec![0u64; size * words];
    for (at, &step) in segment.iter().enumerate() {
        before[at * words + at / 64] |= 1 << (at % 64);
        for &need in schedule.steps[step].needs.iter().filter(|&&need| inside(need)) {
            let need = need - start;
            for word in 0..words {
                let bits = before[need * words + word];
                before[at * words + word] |= bits;
            }
        }
    }
    // `precedes(a, b)`: a is b, or runs before it by necessity.
    let precedes = |a: usize, b: usize| before[(b - start) * words + (a - start) / 64] >> ((a - start) % 64) & 1 == 1;
    let mut best = 0;
    for &step in segment {
        let must = |&&buffer: &&usize| {
            let facts = &schedule.buffers[buffer];
            let born = match producer[buffer] {
                None => facts.input,
                Some(producer) if producer < start => true,
                Some(producer) => inside(producer) && precedes(producer, step),
            };
            let own = producer[buffer] == Some(step);
            let kept = facts.output
                || readers[buffer].iter().any(|&reader| reader >= end || inside(reader) && precedes(step, reader));
            born && (kept || own)
        };
        let bytes: i64 = touching.iter().filter(must).map(|&buffer| schedule.buffers[buffer].bytes).sum();
        best = best.max(bytes + schedule.steps[step].inner);
    }
    passing + best
}
