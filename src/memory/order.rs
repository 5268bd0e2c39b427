//! The best schedule: exact where the search ends within its limits, else the better of a greedy and the file's order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::FxHashMap;

use super::schedule::Schedule;

/// The most steps of a segment that is searched exactly.
const SEGMENT: usize = 128;

/// The most states that one segment, and all segments together, may visit.
const STATES: (usize, usize) = (30_000, 300_000);

/// An order of the steps and its peak.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// Steps in the order in which they run.
    pub steps: Vec<usize>,
    /// Its peak in bytes.
    pub peak: i64,
    /// No order peaks lower.
    pub exact: bool,
}

/// The best order found; `bound` is a lower bound on every order's peak.
pub fn best(schedule: &Schedule, bound: i64) -> Order {
    let (mut steps, mut exact, mut states) = (Vec::with_capacity(schedule.steps.len()), true, STATES.1);
    let mut search = Search::new(schedule);
    for segment in schedule.segments() {
        let greedy = search.greedy(&segment);
        let (own, own_peak) = (segment.clone(), search.peak(&segment));
        let (mut chosen, mut peak) = (own, own_peak);
        let greedy_peak = search.peak(&greedy);
        if greedy_peak < peak {
            (chosen, peak) = (greedy, greedy_peak);
        }
        if peak > bound && segment.len() > 1 {
            match search.exact(&segment, bound, peak, STATES.0.min(states)) {
                Found::Better(order, visited) => {
                    chosen = order;
                    states -= visited.min(states);
                }
                Found::None(visited) => states -= visited.min(states),
                Found::GaveUp(visited) => {
                    exact = false;
                    states -= visited.min(states);
                }
            }
        }
        search.run_all(&chosen);
        steps.extend(chosen);
    }
    let peak = schedule.alive(&steps, false).into_iter().max().unwrap_or(0);
    Order { steps, peak, exact: exact || peak == bound }
}

enum Found {
    Better(Vec<usize>, usize),
    None(usize),
    GaveUp(usize),
}

/// What has run so far, and what that leaves alive.
struct Search<'s> {
    schedule: &'s Schedule,
    /// Readers of each buffer that have not run.
    open: Vec<usize>,
    alive: i64,
}

impl<'s> Search<'s> {
    fn new(schedule: &'s Schedule) -> Search<'s> {
        let mut open = vec![0; schedule.buffers.len()];
        schedule.steps.iter().flat_map(|step| &step.reads).for_each(|&buffer| open[buffer] += 1);
        let there = schedule
            .buffers
            .iter()
            .enumerate()
            .filter(|(index, buffer)| buffer.input && (open[*index] > 0 || buffer.output));
        let alive = there.map(|(_, buffer)| buffer.bytes).sum();
        Search { schedule, open, alive }
    }

    /// Bytes alive while the step runs, and the change that it leaves behind.
    fn cost(&self, step: usize, open: impl Fn(usize) -> usize) -> (i64, i64) {
        let (step, buffers) = (&self.schedule.steps[step], &self.schedule.buffers);
        let written: i64 = step.writes.iter().map(|&buffer| buffers[buffer].bytes).sum();
        let dies = |&&buffer: &&usize| open(buffer) == 1 && !buffers[buffer].output;
        let freed: i64 = step.reads.iter().filter(dies).map(|&buffer| buffers[buffer].bytes).sum();
        let unread = |&&buffer: &&usize| open(buffer) == 0 && !buffers[buffer].output;
        let dropped: i64 = step.writes.iter().filter(unread).map(|&buffer| buffers[buffer].bytes).sum();
        (written + step.inner, written - freed - dropped)
    }

    fn run(&mut self, step: usize) {
        let (_, change) = self.cost(step, |buffer| self.open[buffer]);
        self.alive += change;
        for &buffer in &self.schedule.steps[step].reads {
            self.open[buffer] -= 1;
        }
    }

    fn run_all(&mut self, steps: &[usize]) {
        steps.iter().for_each(|&step| self.run(step));
    }

    /// The peak of these steps from here.
    fn peak(&self, steps: &[usize]) -> i64 {
        let mut ahead = Search { schedule: self.schedule, open: self.open.clone(), alive: self.alive };
        let mut peak = 0;
        for &step in steps {
            peak = peak.max(ahead.alive + ahead.cost(step, |buffer| ahead.open[buffer]).0);
            ahead.run(step);
        }
        peak
    }

    /// Runs first what frees most, then what needs least.
    fn greedy(&self, segment: &[usize]) -> Vec<usize> {
        let mut ahead = Search { schedule: self.schedule, open: self.open.clone(), alive: self.alive };
        let place: FxHashMap<usize, usize> = segment.iter().enumerate().map(|(at, &step)| (step, at)).collect();
        let mut waiting: Vec<usize> = segment.iter().map(|&step| self.needs(step, &place).count()).collect();
        let mut readers: Vec<Vec<usize>> = vec![Vec::new(); segment.len()];
        for (at, &step) in segment.iter().enumerate() {
            self.needs(step, &place).for_each(|need| readers[need].push(at));
        }
        let mut ready: Vec<usize> = (0..segment.len()).filter(|&at| waiting[at] == 0).collect();
        let mut order = Vec::with_capacity(segment.len());
        while !ready.is_empty() {
            let rank = |&at: &usize| {
                let (during, change) = ahead.cost(segment[at], |buffer| ahead.open[buffer]);
                (change.max(0), during, at)
            };
            // Only the oldest of the ready steps are weighed, so that wide graphs stay fast.
            let best = (0..ready.len().min(64)).min_by_key(|&index| rank(&ready[index])).unwrap_or(0);
            let at = ready.remove(best);
            order.push(segment[at]);
            ahead.run(segment[at]);
            for &reader in &readers[at] {
                waiting[reader] -= 1;
                if waiting[reader] == 0 {
                    ready.push(reader);
                }
            }
        }
        order
    }

    /// Places in the segment of the steps that this one needs, each once.
    fn needs<'a>(&'a self, step: usize, place: &'a FxHashMap<usize, usize>) -> impl Iterator<Item = usize> + 'a {
        let needs = &self.schedule.steps[step].needs;
        let new = move |&(at, need): &(usize, &usize)| !needs[..at].contains(need);
        needs.iter().enumerate().filter(new).filter_map(|(_, need)| place.get(need).copied())
    }

    /// Searches the sets of steps that can have run, the lowest peak first. A step that raises neither the peak above
    /// the bound nor what is alive is run at once: delaying it helps no order.
    fn exact(&self, segment: &[usize], bound: i64, known: i64, limit: usize) -> Found {
        if segment.len() > SEGMENT {
            return Found::GaveUp(0);
        }
        let place: FxHashMap<usize, usize> = segment.iter().enumerate().map(|(at, &step)| (step, at)).collect();
        let bits = |list: &mut dyn Iterator<Item = usize>| list.fold(0u128, |set, at| set | 1 << at);
        let needs: Vec<u128> = segment.iter().map(|&step| bits(&mut self.needs(step, &place))).collect();
        let mut readers: FxHashMap<usize, u128> = FxHashMap::default();
        for (at, &step) in segment.iter().enumerate() {
            self.schedule.steps[step].reads.iter().for_each(|&buffer| *readers.entry(buffer).or_default() |= 1 << at);
        }
        let open = |done: u128, buffer: usize| {
            self.open[buffer] - readers.get(&buffer).map_or(0, |readers| (readers & done).count_ones() as usize)
        };
        let all = if segment.len() == 128 { u128::MAX } else { (1u128 << segment.len()) - 1 };
        let mut came: FxHashMap<u128, (i64, u128, Vec<usize>)> = FxHashMap::default();
        let mut queue = BinaryHeap::from([(Reverse(0i64), Reverse(self.alive), 0u128)]);
        came.insert(0, (0, 0, Vec::new()));
        while let Some((Reverse(peak), Reverse(alive), done)) = queue.pop() {
            if came.get(&done).is_some_and(|(best, ..)| *best < peak) {
                continue;
            }
            if done == all {
                return match peak < known {
                    true => Found::Better(trace(&came, all), came.len()),
                    false => Found::None(came.len()),
                };
            }
            if came.len() > limit {
                return Found::GaveUp(came.len());
            }
            let ready = (0..segment.len()).filter(|&at| done >> at & 1 == 0 && needs[at] & !done == 0);
            for at in ready {
                let (mut set, mut ran, mut now) = (done, vec![at], alive);
                let (during, change) = self.cost(segment[at], |buffer| open(set, buffer));
                let mut high = peak.max(now + during);
                if high >= known {
                    continue;
                }
                (set, now) = (set | 1 << at, now + change);
                // Free steps follow at once.
                while let Some((free, change)) = (0..segment.len()).find_map(|next| {
                    let ready = set >> next & 1 == 0 && needs[next] & !set == 0;
                    let (during, change) =
                        if ready { self.cost(segment[next], |buffer| open(set, buffer)) } else { (0, 1) };
                    (ready && change <= 0 && now + during <= bound.max(high)).then_some((next, change))
                }) {
                    ran.push(free);
                    high = high.max(now);
                    (set, now) = (set | 1 << free, now + change);
                }
                if came.get(&set).is_none_or(|(best, ..)| high < *best) {
                    came.insert(set, (high, done, ran.iter().map(|&at| segment[at]).collect()));
                    queue.push((Reverse(high), Reverse(now), set));
                }
            }
        }
        Found::None(came.len())
    }
}

fn trace(came: &FxHashMap<u128, (i64, u128, Vec<usize>)>, all: u128) -> Vec<usize> {
    let (mut order, mut at) = (Vec::new(), all);
    while at != 0 {
        let Some((_, from, ran)) = came.get(&at) else { break };
        order.extend(ran.iter().rev());
        at = *from;
    }
    order.reverse();
    order
}
