//! tract: a prepared model loaded, rewritten for this CPU, and run with a clock at every node.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use prost::Message;
use tract_linalg::multithread::Executor;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::plan::eval;
use tract_onnx::tract_hir::internal::RunOptions;

use super::prepare::{PREFIX, Place, Prepared};
use super::ratio::{self, Ratio};
use super::synthetic::Random;
use super::{LatencyOptions, Progress, Stopped, statistics};
use crate::error::{Error, Result};

/// The most runs where the caller names no number.
const MOST: usize = 1000;

/// What running a model gave. Times are nanoseconds.
#[derive(Debug)]
pub struct Samples {
    /// Time to load and to rewrite.
    pub load: Duration,
    /// Time to rewrite for this CPU.
    pub optimize: Duration,
    /// End-to-end times of the plain runs, in their order.
    pub plain: Vec<u64>,
    /// End-to-end times of the profiled runs.
    pub profiled: Vec<u64>,
    /// The runtime's nodes in the order in which they run.
    pub nodes: Vec<RuntimeNode>,
    /// Why there were not more runs.
    pub stopped: Stopped,
}

/// One node of the runtime.
#[derive(Debug)]
pub struct RuntimeNode {
    /// Its name.
    pub name: String,
    /// Its operator.
    pub op: String,
    /// Its time in every profiled run, in nanoseconds.
    pub times: Vec<u64>,
    /// Among its results of the trial run are infinities or values that are no numbers.
    pub not_finite: bool,
    /// Among its results of the trial run are subnormal numbers.
    pub subnormal: bool,
}

impl RuntimeNode {
    /// The number of the file's node from which the runtime made it: the last in its name.
    pub fn number(&self) -> Option<usize> {
        number(&self.name)
    }
}

/// The number that a name holds: of `lwstat:3.lwstat:12.low` it is 12.
pub fn number(name: &str) -> Option<usize> {
    let (_, rest) = name.rsplit_once(PREFIX)?;
    let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

/// Runs what may fail in the runtime's ways: an error, or a panic.
pub(super) fn guarded<T>(run: impl FnOnce() -> TractResult<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Error::new(format!("tract cannot run the model: {}", reason(&error)))),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it gave no reason");
            Err(Error::new(format!("tract cannot run the model: it stopped with \"{}\"", line(text))))
        }
    }
}

/// The innermost of the runtime's reasons, and the operator at which it arose.
fn reason(error: &TractError) -> String {
    let mut reasons: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = line(&cause.to_string());
        if reasons.last() != Some(&text) {
            reasons.push(text);
        }
    }
    match &reasons[..] {
        [] => "it gave no reason".to_string(),
        [only] => only.clone(),
        [.., place, last] => format!("{last} ({place})"),
    }
}

/// The first line of a text, cut to what a terminal shows.
fn line(text: &str) -> String {
    const LONGEST: usize = 160;
    let first = text.lines().next().unwrap_or_default();
    let Some((end, _)) = first.char_indices().nth(LONGEST) else { return first.to_string() };
    // Half a node's number would be another node's.
    let kept = first[..end].trim_end_matches(|letter: char| letter.is_ascii_digit());
    format!("{}…", if kept.ends_with(PREFIX) { kept } else { &first[..end] })
}

/// The text with the names that the account has instead of the numbered ones: `lwstat:3.low` is `conv1.low`.
pub(super) fn renamed(text: &str, places: &[Place]) -> String {
    let mut parts = text.split(PREFIX);
    let mut renamed = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let (digits, rest) = part.split_at(part.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(part.len()));
        match digits.parse().ok().and_then(|number: usize| places.get(number)) {
            Some(place) => renamed.extend([&place.name, rest]),
            None => renamed.extend([PREFIX, part]),
        }
    }
    renamed
}

/// Reads a prepared model as the runtime's graph, a node for each of the file. No file is opened.
pub fn parse(prepared: &Prepared) -> Result<InferenceModel> {
    guarded(|| {
        let proto = tract_onnx::pb::ModelProto::decode(prepared.proto.encode_to_vec().as_slice())?;
        let parsed = tract_onnx::onnx().parse(&proto, None)?;
        match parsed.unresolved_inputs.first() {
            Some(name) => Err(TractError::msg(format!("nothing produces \"{name}\" in the form it reads"))),
            None => Ok(parsed.model),
        }
    })
}

/// The graph in the runtime's own operators, every tensor typed, nothing fused yet.
pub fn typed(model: InferenceModel) -> Result<TypedModel> {
    guarded(|| model.into_typed())
}

fn watch(options: &LatencyOptions<'_>, progress: Progress) -> Result<()> {
    match (options.watch)(progress) {
        true => Ok(()),
        false => Err(Error::new("interrupted before the first run")),
    }
}

/// Loads, rewrites and runs a prepared model. Errors: the runtime cannot, or the caller stops before the first run.
pub(super) fn measure(prepared: Prepared, options: &LatencyOptions<'_>) -> Result<Samples> {
    let watch = |progress: Progress| watch(options, progress);
    let mut runner = Runner::ready(prepared, options)?;
    for run in 0..options.warmup {
        watch(Progress::WarmingUp(run))?;
        guarded(|| runner.plain())?;
    }
    watch(Progress::WarmingUp(options.warmup))?;
    let (mut plain, mut profiled) = (Vec::new(), Vec::new());
    let start = Instant::now();
    let stopped = loop {
        plain.push(guarded(|| runner.plain())?);
        profiled.push(guarded(|| runner.profiled())?);
        let sorted = statistics::sorted(plain.clone());
        let median_ms = statistics::quantile(&sorted, 0.5) / 1e6;
        if !(options.watch)(Progress::Measuring { runs: plain.len(), median_ms }) {
            break Stopped::Interrupted;
        }
        if plain.len() >= options.runs.unwrap_or(MOST) {
            break Stopped::Runs;
        }
        if options.runs.is_none() && statistics::stable(&sorted) {
            break Stopped::Stable;
        }
        if options.runs.is_none() && start.elapsed() >= options.limit {
            break Stopped::Time;
        }
    };
    let (load, optimize) = (runner.load, runner.optimize);
    Ok(Samples { load, optimize, plain, profiled, nodes: runner.nodes, stopped })
}

/// Runs a model and a reference in turn, the reference first in every other round. Errors: the runtime cannot, or the
/// caller stops before the end.
pub(super) fn in_turn(mut models: [Runner; 2], options: &LatencyOptions<'_>) -> Result<Ratio> {
    for run in 0..options.warmup {
        watch(options, Progress::WarmingUp(run))?;
        for model in &mut models {
            guarded(|| model.plain())?;
        }
    }
    let mut rounds = Vec::new();
    let start = Instant::now();
    loop {
        let mut times = [0; 2];
        for of in if rounds.len() % 2 == 0 { [0, 1] } else { [1, 0] } {
            times[of] = guarded(|| models[of].plain())?;
        }
        rounds.push(times);
        let ratio = Ratio::of(&rounds);
        let done = match options.runs {
            Some(runs) => rounds.len() >= runs,
            None => {
                let is_late = rounds.len() >= ratio::FEWEST && start.elapsed() >= options.limit;
                ratio.is_stable() || is_late || rounds.len() >= MOST
            }
        };
        if done {
            return Ok(ratio);
        }
        if !(options.watch)(Progress::Measuring { runs: rounds.len(), median_ms: ratio.model_ms }) {
            return Err(Error::new("interrupted before the last round"));
        }
    }
}

/// A plan with its inputs and what was measured of its nodes.
pub(super) struct Runner {
    load: Duration,
    optimize: Duration,
    state: TypedSimpleState,
    inputs: TVec<TValue>,
    nodes: Vec<RuntimeNode>,
    /// Where each of the model's nodes stands in `nodes`.
    places: Vec<usize>,
}

impl Runner {
    /// Loads a prepared model, rewrites it for this CPU and tries it.
    pub(super) fn ready(prepared: Prepared, options: &LatencyOptions<'_>) -> Result<Runner> {
        watch(options, Progress::Loading)?;
        let start = Instant::now();
        let model = parse(&prepared).and_then(typed)?;
        let load = start.elapsed();
        drop(prepared);
        watch(options, Progress::Optimizing)?;
        let start = Instant::now();
        let model = guarded(|| model.into_optimized())?;
        let optimize = start.elapsed();
        let executor = (options.threads > 1).then(|| Executor::multithread(options.threads));
        let run_options = RunOptions { executor, ..RunOptions::default() };
        let plan = guarded(|| TypedSimplePlan::new_with_options(model, &run_options))?;
        let mut runner = guarded(|| Runner::new(plan))?;
        guarded(|| runner.trial())?;
        Ok(Runner { load, optimize, ..runner })
    }

    fn new(plan: Arc<TypedSimplePlan>) -> TractResult<Runner> {
        let model = plan.model();
        let mut places = vec![usize::MAX; model.nodes().len()];
        let mut nodes = Vec::new();
        let inputs: Vec<usize> = model.inputs.iter().map(|outlet| outlet.node).collect();
        // The runtime also visits the inputs, which are no nodes of the file.
        for &id in plan.order_without_consts().iter().filter(|id| !inputs.contains(id)) {
            places[id] = nodes.len();
            let node = model.node(id);
            let (name, op) = (node.name.clone(), node.op.name().to_string());
            nodes.push(RuntimeNode { name, op, times: Vec::new(), not_finite: false, subnormal: false });
        }
        let mut values = tvec![];
        for outlet in &model.inputs {
            let fact = model.outlet_fact(*outlet)?;
            let shape = fact.shape.as_concrete().ok_or_else(|| TractError::msg("an input has a free dimension"))?;
            values.push(input(&model.node(outlet.node).name, fact.datum_type, shape)?.into_tvalue());
        }
        let (load, optimize) = (Duration::ZERO, Duration::ZERO);
        Ok(Runner { load, optimize, state: plan.spawn()?, inputs: values, nodes, places })
    }

    /// A run without clocks at the nodes; its time in nanoseconds.
    fn plain(&mut self) -> TractResult<u64> {
        let inputs = self.inputs.clone();
        let start = Instant::now();
        let outputs = self.state.run(inputs)?;
        let time = start.elapsed();
        drop(outputs);
        Ok(time.as_nanos() as u64)
    }

    /// A run with a clock at every node; its time in nanoseconds.
    fn profiled(&mut self) -> TractResult<u64> {
        let Runner { state, inputs, nodes, places, .. } = self;
        let inputs = inputs.clone();
        let start = Instant::now();
        let outputs = state.run_plan_with_eval(inputs, |context, op_state, node, inputs| {
            let start = Instant::now();
            let outputs = eval(context, op_state, node, inputs);
            let time = start.elapsed();
            if let Some(node) = nodes.get_mut(places[node.id]) {
                node.times.push(time.as_nanos() as u64);
            }
            outputs
        })?;
        let time = start.elapsed();
        drop(outputs);
        Ok(time.as_nanos() as u64)
    }

    /// A run that looks at all results and is not timed.
    fn trial(&mut self) -> TractResult<()> {
        let Runner { state, inputs, nodes, places, .. } = self;
        state.run_plan_with_eval(inputs.clone(), |context, op_state, node, inputs| {
            let outputs = eval(context, op_state, node, inputs)?;
            if let Some(node) = nodes.get_mut(places[node.id]) {
                for output in &outputs {
                    let plain = output.try_as_plain_ram();
                    for value in plain.iter().filter_map(|view| view.as_slice::<f32>().ok()).flatten() {
                        node.not_finite |= !value.is_finite();
                        node.subnormal |= value.is_subnormal();
                    }
                }
            }
            TractResult::Ok(outputs)
        })?;
        Ok(())
    }
}

/// An input: floating-point ones like a normalized image, whole numbers zero, which is a valid index.
fn input(name: &str, dtype: DatumType, shape: &[usize]) -> TractResult<Tensor> {
    let mut tensor = Tensor::zero_dt(dtype, shape)?;
    if dtype.is_float() {
        let mut random = Random::of(name);
        let mut values = Tensor::zero::<f32>(shape)?;
        let mut plain = values.try_as_plain_ram_mut()?;
        plain.as_slice_mut::<f32>()?.iter_mut().for_each(|value| *value = random.normal());
        tensor = values.cast_to_dt(dtype)?.into_owned();
    }
    Ok(tensor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runtimes_words_name_the_nodes_of_the_file() {
        let place = |name: &str| Place { name: name.to_string(), op_type: String::new(), owner: None };
        let places = [place("conv/1"), place("loop/body/add")];
        let long = format!("{}{PREFIX}12 and more", "a".repeat(152));
        for (text, shown) in [
            ("Building node lwstat:0 (X)", "Building node conv/1 (X)"),
            ("node #3 \"lwstat:1\": lwstat:1.lwstat:0.low", "node #3 \"loop/body/add\": loop/body/add.conv/1.low"),
            // No node of the file.
            ("lwstat:2, lwstat:, lwstat: 0", "lwstat:2, lwstat:, lwstat: 0"),
            (&line(&long), &format!("{}{PREFIX}…", "a".repeat(152))),
        ] {
            assert_eq!(renamed(text, &places), shown);
        }
    }

    #[test]
    fn a_runtime_nodes_number_is_the_last_in_its_name() {
        for (name, wanted) in [
            ("lwstat:0", Some(0)),
            ("lwstat:12.low", Some(12)),
            ("lwstat:3.then.lwstat:40.matmatmul", Some(40)),
            ("output", None),
            ("lwstat:", None),
        ] {
            assert_eq!(number(name), wanted, "{name}");
        }
    }
}
