//! The scheduling problem: which buffers each step reads and writes, and what is alive while it runs.

use petgraph::algo::dominators;
use petgraph::graph::{DiGraph, NodeIndex};

/// A buffer of known size.
#[derive(Clone, Debug, PartialEq)]
pub struct Buffer {
    /// Index of the tensor that brings it to life.
    pub tensor: usize,
    /// Bytes.
    pub bytes: i64,
    /// It is there from the start: a graph input.
    pub input: bool,
    /// It lives to the end: a graph output, or a view of one.
    pub output: bool,
}

/// One unfolded node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// Index of the node.
    pub node: usize,
    /// Steps that must have run.
    pub needs: Vec<usize>,
    /// Buffers that it reads, each once.
    pub reads: Vec<usize>,
    /// Buffers that it brings to life.
    pub writes: Vec<usize>,
    /// Bytes that its bodies need while they run.
    pub inner: i64,
    /// Its first output may take the place of an input that dies here.
    pub in_place: bool,
}

/// Steps and buffers. The steps' order is one in which they can run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schedule {
    /// Unfolded nodes.
    pub steps: Vec<Step>,
    /// What they read and write.
    pub buffers: Vec<Buffer>,
}

impl Schedule {
    /// Bytes alive while each step of `order` runs, before the first step first: `order.len() + 1` numbers.
    ///
    /// A buffer is born with its producer, graph inputs at the start; it dies after its last reader, graph outputs live
    /// to the end. While a step runs, what it reads and writes is alive. With `in_place`, a step that may do so writes
    /// its first output over an input that dies there, is no graph input and has the same size.
    pub fn alive(&self, order: &[usize], in_place: bool) -> Vec<i64> {
        let mut readers = vec![0usize; self.buffers.len()];
        self.steps.iter().flat_map(|step| &step.reads).for_each(|&buffer| readers[buffer] += 1);
        let mut now: i64 = self.buffers.iter().filter(|buffer| buffer.input).map(|buffer| buffer.bytes).sum();
        let mut alive = vec![now];
        let unread =
            |buffer: &usize| self.buffers[*buffer].input && readers[*buffer] == 0 && !self.buffers[*buffer].output;
        now -= (0..self.buffers.len()).filter(unread).map(|buffer| self.buffers[buffer].bytes).sum::<i64>();
        for &step in order {
            let step = &self.steps[step];
            let written: i64 = step.writes.iter().map(|&buffer| self.buffers[buffer].bytes).sum();
            let dying = |readers: &[usize], buffer: usize| readers[buffer] == 1 && !self.buffers[buffer].output;
            let reused = step.writes.first().filter(|_| in_place && step.in_place).map_or(0, |&first| {
                let size = self.buffers[first].bytes;
                let fits = |&buffer: &usize| {
                    dying(&readers, buffer) && !self.buffers[buffer].input && self.buffers[buffer].bytes == size
                };
                if step.reads.iter().any(fits) { size } else { 0 }
            });
            alive.push(now + written + step.inner - reused);
            now += written;
            for &buffer in &step.reads {
                if dying(&readers, buffer) {
                    now -= self.buffers[buffer].bytes;
                }
                readers[buffer] -= 1;
            }
            now -= self.unread(&step.writes, &readers);
        }
        alive
    }

    /// Bytes of the buffers among `written` that nothing reads and that are no outputs.
    fn unread(&self, written: &[usize], readers: &[usize]) -> i64 {
        let dead = |buffer: &&usize| readers[**buffer] == 0 && !self.buffers[**buffer].output;
        written.iter().filter(dead).map(|&buffer| self.buffers[buffer].bytes).sum()
    }

    /// The steps of `order` at which each buffer is born and last alive, 0 for before the first.
    pub fn lives(&self, order: &[usize]) -> Vec<(usize, usize)> {
        let mut lives = vec![(0, 0); self.buffers.len()];
        for (at, &step) in order.iter().enumerate() {
            let step = &self.steps[step];
            step.writes.iter().for_each(|&buffer| lives[buffer] = (at + 1, at + 1));
            step.reads.iter().for_each(|&buffer| lives[buffer].1 = at + 1);
        }
        for (life, _) in lives.iter_mut().zip(&self.buffers).filter(|(_, buffer)| buffer.output) {
            life.1 = order.len();
        }
        lives
    }

    /// The steps in their own order.
    pub fn file_order(&self) -> Vec<usize> {
        (0..self.steps.len()).collect()
    }

    /// Runs of steps that no schedule can mix: between two of them stands a step that every other step comes before or
    /// after (a dominator of the end), which makes a segment of its own. In the order in which they run.
    pub fn segments(&self) -> Vec<Vec<usize>> {
        let count = self.steps.len();
        let mut dag: DiGraph<(), (), u32> = DiGraph::with_capacity(count + 2, count * 2);
        for _ in 0..count + 2 {
            dag.add_node(());
        }
        let (start, end) = (NodeIndex::new(count), NodeIndex::new(count + 1));
        let mut last = vec![true; count];
        for (index, step) in self.steps.iter().enumerate() {
            if step.needs.is_empty() {
                dag.add_edge(start, NodeIndex::new(index), ());
            }
            for &need in &step.needs {
                last[need] = false;
                dag.add_edge(NodeIndex::new(need), NodeIndex::new(index), ());
            }
        }
        for index in (0..count).filter(|&index| last[index]) {
            dag.add_edge(NodeIndex::new(index), end, ());
        }
        let dominators = dominators::simple_fast(&dag, start);
        let mut cut = vec![false; count];
        for node in dominators.strict_dominators(end).into_iter().flatten().filter(|node| node.index() < count) {
            cut[node.index()] = true;
        }
        let mut segments: Vec<Vec<usize>> = Vec::new();
        let mut open = false;
        for (index, cut) in cut.into_iter().enumerate() {
            match (cut, open) {
                (true, _) => {
                    segments.push(vec![index]);
                    open = false;
                }
                (false, false) => {
                    segments.push(vec![index]);
                    open = true;
                }
                (false, true) => segments.last_mut().into_iter().for_each(|segment| segment.push(index)),
            }
        }
        segments
    }
}
