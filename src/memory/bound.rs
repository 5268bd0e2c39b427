//! The lower bound: bytes that every schedule must have alive at some step.

use super::schedule::Schedule;

/// Segments of more steps than this are bounded by what each step reads and writes alone.
const LIMIT: usize = 16_000;

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
    let row = |at: usize| at * words..(at + 1) * words;
    // Row `a` of `before` holds the steps that run before `a` by necessity, of `after` those that run after it; each holds
    // `a` itself.
    let (mut before, mut after) = (vec![0u64; size * words], vec![0u64; size * words]);
    let needs = |at: usize| {
        let needs = schedule.steps[segment[at]].needs.iter();
        needs.filter(|&&need| inside(need)).map(|need| need - start)
    };
    for at in 0..size {
        before[at * words + at / 64] |= 1 << (at % 64);
        for need in needs(at) {
            join(&mut before, row(need), row(at));
        }
    }
    for at in (0..size).rev() {
        after[at * words + at / 64] |= 1 << (at % 64);
        for need in needs(at) {
            join(&mut after, row(at), row(need));
        }
    }
    let mut alive: Vec<i64> = segment.iter().map(|&step| schedule.steps[step].inner).collect();
    let all = vec![u64::MAX; words];
    let mut must = vec![0u64; words];
    for &buffer in &touching {
        let facts = &schedule.buffers[buffer];
        let born = match producer[buffer] {
            None if facts.input => &all[..],
            Some(producer) if producer < start => &all[..],
            Some(producer) if inside(producer) => &after[row(producer - start)],
            _ => continue,
        };
        // Until some reader has run; while its producer runs in any case.
        let kept = facts.output || readers[buffer].iter().any(|&reader| reader >= end);
        must.fill(if kept { u64::MAX } else { 0 });
        for reader in readers[buffer].iter().filter(|&&reader| !kept && inside(reader)) {
            must.iter_mut().zip(&before[row(reader - start)]).for_each(|(must, before)| *must |= before);
        }
        if let Some(own) = producer[buffer].filter(|&producer| inside(producer)) {
            must[(own - start) / 64] |= 1 << ((own - start) % 64);
        }
        for (word, bits) in must.iter().zip(born).map(|(must, born)| must & born).enumerate() {
            let mut bits = bits;
            while bits != 0 {
                let at = word * 64 + bits.trailing_zeros() as usize;
                if let Some(alive) = alive.get_mut(at) {
                    *alive += facts.bytes;
                }
                bits &= bits - 1;
            }
        }
    }
    passing + alive.into_iter().max().unwrap_or(0)
}

/// Adds the bits of one row to another's.
fn join(rows: &mut [u64], from: std::ops::Range<usize>, into: std::ops::Range<usize>) {
    for (from, into) in from.zip(into) {
        let bits = rows[from];
        rows[into] |= bits;
    }
}
