//! Peaks, bounds, orders and arenas of random small schedules against plain simulation and exhaustive search.

use proptest::prelude::*;

use super::schedule::{Buffer, Schedule, Step};
use super::{arena, best, lower_bound};

/// A schedule from random choices: each step reads some earlier tensors, is a view of one or writes one or two buffers.
fn random() -> impl Strategy<Value = Schedule> {
    let step = (any::<u8>(), prop::collection::vec(any::<u8>(), 1..4), prop::collection::vec(0i64..9, 1..3), 0i64..3);
    (prop::collection::vec(1i64..9, 1..3), prop::collection::vec(step, 1..8), any::<u8>()).prop_map(
        |(inputs, steps, keep)| {
            let mut schedule = Schedule::default();
            // What each tensor is: its buffer and the step that makes it.
            let mut tensors: Vec<(usize, Option<usize>)> = Vec::new();
            for bytes in inputs {
                tensors.push((schedule.buffers.len(), None));
                schedule.buffers.push(Buffer { tensor: 0, bytes, input: true, output: false });
            }
            for (kind, reads, writes, inner) in steps {
                let index = schedule.steps.len();
                let mut step = Step { node: index, inner, in_place: kind % 3 == 0, ..Step::default() };
                let read: Vec<(usize, Option<usize>)> =
                    reads.iter().map(|&at| tensors[at as usize % tensors.len()]).collect();
                step.needs = read.iter().filter_map(|(_, maker)| *maker).collect();
                step.reads = read.iter().map(|(buffer, _)| *buffer).collect();
                step.reads.sort_unstable();
                step.reads.dedup();
                if kind % 5 == 1 {
                    tensors.push((read[0].0, Some(index)));
                } else {
                    for bytes in writes {
                        step.writes.push(schedule.buffers.len());
                        tensors.push((schedule.buffers.len(), Some(index)));
                        schedule.buffers.push(Buffer { tensor: 0, bytes, input: false, output: false });
                    }
                }
                schedule.steps.push(step);
            }
            let count = schedule.buffers.len();
            schedule.buffers[count - 1].output = true;
            schedule.buffers[keep as usize % count].output = true;
            schedule
        },
    )
}

/// The peak by its definition: at each step, every buffer that is born and not dead.
fn simulated(schedule: &Schedule, order: &[usize]) -> i64 {
    let place = |step: usize| order.iter().position(|&other| other == step).unwrap() + 1;
    let life = |buffer: usize| {
        let facts = &schedule.buffers[buffer];
        let maker = schedule.steps.iter().position(|step| step.writes.contains(&buffer));
        let born = maker.map_or(0, place);
        let readers = schedule.steps.iter().enumerate().filter(|(_, step)| step.reads.contains(&buffer));
        let last = readers.map(|(step, _)| place(step)).max().unwrap_or(born);
        (born, if facts.output { order.len() } else { last })
    };
    let alive = |at: usize| {
        let there = (0..schedule.buffers.len()).filter(|&buffer| life(buffer).0 <= at && at <= life(buffer).1);
        there.map(|buffer| schedule.buffers[buffer].bytes).sum::<i64>()
    };
    let inner = |at: usize| if at == 0 { 0 } else { schedule.steps[order[at - 1]].inner };
    (0..=order.len()).map(|at| alive(at) + inner(at)).max().unwrap()
}

/// Every order in which the steps can run.
fn orders(schedule: &Schedule, ran: &mut Vec<usize>, all: &mut Vec<Vec<usize>>) {
    if ran.len() == schedule.steps.len() {
        all.push(ran.clone());
        return;
    }
    for step in 0..schedule.steps.len() {
        if !ran.contains(&step) && schedule.steps[step].needs.iter().all(|need| ran.contains(need)) {
            ran.push(step);
            orders(schedule, ran, all);
            ran.pop();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_peak_is_the_simulated_one(schedule in random()) {
        let order = schedule.file_order();
        let peak = schedule.alive(&order, false).into_iter().max().unwrap();
        prop_assert_eq!(peak, simulated(&schedule, &order));
        let in_place = schedule.alive(&order, true).into_iter().max().unwrap();
        prop_assert!(in_place <= peak);
    }

    #[test]
    fn the_best_order_is_that_of_exhaustive_search_and_the_bound_is_below(schedule in random()) {
        let mut all = Vec::new();
        orders(&schedule, &mut Vec::new(), &mut all);
        let least = all.iter().map(|order| simulated(&schedule, order)).min().unwrap();
        let bound = lower_bound(&schedule);
        prop_assert!(bound <= least, "bound {} above {}", bound, least);
        let found = best(&schedule, bound);
        prop_assert!(all.contains(&found.steps), "{:?} cannot run", found.steps);
        prop_assert!(found.exact);
        prop_assert_eq!(found.peak, least);
        prop_assert_eq!(simulated(&schedule, &found.steps), least);
    }

    #[test]
    fn arenas_do_not_overlap(schedule in random()) {
        let order = schedule.file_order();
        let (places, bytes) = arena::plan(&schedule, &order);
        let lives = schedule.lives(&order);
        prop_assert!(bytes >= schedule.alive(&order, false).into_iter().max().unwrap_or(0));
        for (at, one) in places.iter().enumerate() {
            prop_assert_eq!(one.offset % arena::ALIGNMENT, 0);
            let (life, size) = match one.tenant {
                arena::Tenant::Buffer(buffer) => (lives[buffer], schedule.buffers[buffer].bytes),
                arena::Tenant::Bodies(step) => ((step + 1, step + 1), schedule.steps[step].inner),
            };
            prop_assert_eq!(((one.from, one.to), one.bytes), (life, size));
            let end = one.offset + one.bytes;
            prop_assert!(end <= bytes);
            for other in &places[..at] {
                let together = one.from <= other.to && other.from <= one.to;
                let apart = end <= other.offset || other.offset + other.bytes <= one.offset;
                prop_assert!(!together || apart, "{:?} and {:?}", one, other);
            }
        }
    }
}
