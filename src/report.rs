//! The report: all that an analysis found, and the only thing that renderers, checks and comparisons see.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::cost::{self, Counted, Counts, Coverage, METRICS, Row};
use crate::device::Placement;
use crate::dim::{Collector, Dim};
use crate::error::{Error, Result};
use crate::graph::{Source, TensorId};
use crate::guidelines::{self, Finding};
use crate::infer::{self, Bindings, Typed};
use crate::latency::Latency;
use crate::memory::{self, MemoryPlan, Peak};
use crate::model::Model;
use crate::onnx::{DimensionProto, DimensionValue};
use crate::tensor::Value;

/// Version of the JSON contract.
pub const SCHEMA_VERSION: u32 = 1;

/// The account of one model. Serializes as the JSON contract (`docs/report.schema.json`): counts are integers, formulas
/// in the free dimensions are strings, what is unknown is null.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Report {
    /// Version of the JSON contract.
    pub schema_version: u32,
    /// Version of lwstat.
    pub lwstat: &'static str,
    /// What was analyzed.
    pub model: ModelInfo,
    /// Sums over all nodes.
    pub totals: Totals,
    /// How much of it is exact.
    pub coverage: CoverageInfo,
    /// Every unfolded node in the order in which they run.
    pub nodes: Vec<Row>,
    /// Every tensor.
    pub tensors: Vec<TensorInfo>,
    /// Where the model does not keep ShuffleNetV2's guidelines, the costliest first; null where sizes are open.
    pub guidelines: Option<Vec<Finding>>,
    /// Where and why the peak of the activation memory is; null where it depends on free dimensions.
    pub peak: Option<Peak>,
    /// How low the peak can be brought and a plan for it, where it was asked for ([`Model::report_with_plan`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemoryPlan>,
    /// What a device makes of the model, where it was asked for ([`Report::place_on`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<Placement>,
    /// What running it took, where that was asked for ([`Model::latency`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
    /// Why it could not be run, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_error: Option<String>,
}

impl Report {
    /// The error for what only known sizes allow, with the dimensions to give.
    pub fn open_sizes(&self, what: &str) -> Error {
        let dims = &self.model.dims;
        let reason = match dims.first() {
            Some(first) => format!("{what} only for known sizes: give --dim for {} ({first}=1)", dims.join(", ")),
            None => self.unknown_size(what),
        };
        Error::new(reason).in_file(&self.model.path)
    }

    /// Why a size is open though no dimension is: the node that is the cause, and a way on.
    fn unknown_size(&self, what: &str) -> String {
        let strings = |name: &Arc<str>| {
            self.tensors.iter().any(|info| info.tensor.name == *name && info.tensor.dtype == Some("string"))
        };
        let unknown = |row: &&Row| row.unknown_operator || row.outputs.iter().any(strings);
        match self.nodes.iter().find(unknown) {
            Some(row) if row.outputs.iter().any(strings) => {
                format!(
                    "{what} only where every size is known: node \"{}\" ({}) writes strings, which have no fixed size",
                    row.name, row.op_type
                )
            }
            Some(row) => {
                let domain = if row.domain.is_empty() { String::new() } else { format!("{}:", row.domain) };
                format!(
                    "{what} only where every size is known: that of node \"{}\" ({domain}{}) is not; declare the shape of its outputs in value_info",
                    row.name, row.op_type
                )
            }
            None => format!("{what} only where every size is known: some tensor's is not"),
        }
    }
}

/// The model's identity and interface.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ModelInfo {
    /// Path as given, `-` for standard input.
    pub path: String,
    /// File name without `.onnx`.
    pub name: String,
    /// ONNX IR version.
    pub ir_version: i64,
    /// Imported operator-set versions by domain, empty for ONNX's own.
    pub opset: BTreeMap<String, i64>,
    /// Who wrote the file.
    pub producer: String,
    /// Bytes of the file, external data not included.
    pub file_bytes: u64,
    /// Graph inputs.
    pub inputs: Vec<TensorType>,
    /// Graph outputs.
    pub outputs: Vec<TensorType>,
    /// Free dimensions: those of the inputs, then sizes that only the data decide.
    pub dims: Vec<Arc<str>>,
}

/// A tensor's name, dtype and shape.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TensorType {
    /// Name.
    pub name: Arc<str>,
    /// Element type; null where unknown or where the value is no tensor.
    pub dtype: Option<&'static str>,
    /// Sizes; null where the rank is unknown.
    pub shape: Option<Vec<Dim>>,
}

/// What a tensor is to the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TensorKind {
    /// A graph input.
    Input,
    /// A graph output.
    Output,
    /// Written by a node that runs.
    Activation,
    /// Learned and stored.
    Parameter,
    /// Depends on constants and shapes alone.
    Constant,
}

/// A tensor of the graph or of a body.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TensorInfo {
    /// Name, dtype and shape; in a body the name has the names of nodes and attributes that hold it before it.
    #[serde(flatten)]
    pub tensor: TensorType,
    /// What it is to the model.
    pub kind: TensorKind,
}

/// Sums over all nodes. Serializes as one map: `nodes`, `folded`, every metric, `arithmetic_intensity`,
/// `peak_activation_bytes`.
#[derive(Clone, Debug)]
pub struct Totals {
    /// Unfolded nodes, those in bodies included.
    pub nodes: usize,
    /// Folded nodes.
    pub folded: usize,
    /// Sums of what is known.
    pub counts: Counts,
    /// Metrics of which some node's count is unknown: the sum is a lower bound.
    pub at_least: Vec<&'static str>,
    /// Some node's count is an upper bound.
    pub bounded: bool,
    /// The most activation bytes alive at once; `None` where it depends on free dimensions.
    pub peak_activation_bytes: Option<i64>,
}

impl Totals {
    /// FLOPs per byte of memory access; `None` where one of them is a bound, unknown or a formula.
    pub fn intensity(&self) -> Option<f64> {
        let incomplete = ["flops", "memory_access_bytes"].iter().any(|key| self.at_least.contains(key));
        self.counts.intensity().filter(|_| !incomplete && !self.bounded)
    }

    /// Whether the sum of this metric is an upper bound: branches that exclude each other have work in it. What they store
    /// is all counted.
    pub fn at_most(&self, metric: usize) -> bool {
        let some = self.counts.0[metric].as_ref().is_some_and(|count| *count != 0);
        self.bounded && some && METRICS[metric].counted == Counted::PerRun
    }
}

impl Serialize for Totals {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("nodes", &self.nodes)?;
        map.serialize_entry("folded", &self.folded)?;
        for (metric, count) in METRICS.iter().zip(&self.counts.0) {
            map.serialize_entry(metric.key, count)?;
        }
        map.serialize_entry("arithmetic_intensity", &self.intensity())?;
        map.serialize_entry("peak_activation_bytes", &self.peak_activation_bytes)?;
        map.serialize_entry("at_least", &self.at_least)?;
        map.end()
    }
}

impl JsonSchema for Totals {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Totals".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = generator.subschema_for::<Counts>();
        let own = json_schema!({
            "type": "object",
            "description": "Sums over all nodes: lower bounds for the metrics that `at_least` names.",
            "properties": {
                "nodes": {"type": "integer", "description": "Unfolded nodes, those in bodies included."},
                "folded": {"type": "integer", "description": "Nodes that depend on constants and shapes alone."},
                "arithmetic_intensity": {"type": ["number", "null"], "description": "FLOPs per byte of memory access."},
                "peak_activation_bytes": {"type": ["integer", "null"], "description": "The most activation bytes alive at once."},
                "at_least": {"type": "array", "items": {"type": "string"}, "description": "Metrics of which some node's count is unknown."},
            },
            "required": ["nodes", "folded", "arithmetic_intensity", "peak_activation_bytes", "at_least"],
        });
        schema = json_schema!({"allOf": [schema, own]});
        schema
    }
}

/// The schema of the JSON contract, as `docs/report.schema.json` has it.
pub fn schema() -> Schema {
    schemars::schema_for!(Report)
}

/// How well the cost is known.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CoverageInfo {
    /// Nodes counted to the unit.
    pub exact: usize,
    /// Nodes counted by an upper bound.
    pub bounded: usize,
    /// Nodes of which something is unknown, if only because of a node before them.
    pub unknown: usize,
    /// The operators that are the cause: not in the table, or unable to say.
    pub unknown_ops: Vec<UnknownOp>,
}

/// An operator that the account does not know.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct UnknownOp {
    /// Operator type.
    pub op_type: Cow<'static, str>,
    /// Operator domain.
    pub domain: String,
    /// Nodes.
    pub count: usize,
}

impl Model {
    /// Analyzes the model with these sizes fixed; the rest stays free. Errors name the file, the node and the reason.
    ///
    /// ```
    /// let model = lwstat::Model::open("graphs/shufflenet_v2_1.0.onnx")?;
    /// let report = model.report(&lwstat::Bindings::default())?;
    /// assert_eq!(report.totals.counts.get("macs"), Some(&lwstat::Dim::from(145_814_296i64)));
    /// # Ok::<(), lwstat::Error>(())
    /// ```
    pub fn report(&self, bindings: &Bindings) -> Result<Report> {
        let graph = self.graph()?;
        self.analyze(&graph, bindings, false).map_err(|error| error.in_file(&self.path))
    }

    /// As [`Model::report`], and searches for the order with the least peak and places its buffers: [`Report::memory`] is
    /// there. An error, too, where a size is open: it names the dimensions to give.
    pub fn report_with_plan(&self, bindings: &Bindings) -> Result<Report> {
        let graph = self.graph()?;
        let report = self.analyze(&graph, bindings, true).map_err(|error| error.in_file(&self.path))?;
        match report.memory {
            Some(_) => Ok(report),
            None => Err(report.open_sizes("memory can be planned")),
        }
    }

    /// An error where a size is given to a dimension that the model does not have: a misspelt name would change nothing.
    pub fn check_dims(&self, bindings: &Bindings) -> Result<()> {
        let inputs = || self.proto.graph.iter().flat_map(|graph| &graph.input);
        let shapes = || inputs().filter_map(|input| input.r#type.as_ref()?.tensor_type.as_ref()?.shape.as_ref());
        let declared = |name: &str| {
            let named = |dim: &DimensionProto| matches!(&dim.value, Some(DimensionValue::Param(text)) if text == name);
            shapes().any(|shape| shape.dim.iter().any(named))
        };
        let mut names = bindings.sizes.keys().filter(|name| !declared(name)).peekable();
        if names.peek().is_none() {
            return Ok(());
        }
        // Only the account tells which sizes the data decide; one that needs sizes to be made at all says nothing.
        let Ok(report) = self.report(&Bindings::default()) else { return Ok(()) };
        let dims = report.model.dims;
        match names.filter(|name| !dims.iter().any(|dim| **dim == ***name)).min() {
            None => Ok(()),
            Some(name) => {
                let known = if dims.is_empty() { "none".to_string() } else { dims.join(", ") };
                Err(Error::new(format!("there is no free dimension \"{name}\": the model has {known}"))
                    .in_file(&self.path))
            }
        }
    }

    fn analyze(&self, graph: &crate::graph::Graph<'_>, bindings: &Bindings, plan: bool) -> Result<Report> {
        let mut typed = infer::infer(graph, &self.proto, bindings)?;
        let account = cost::account(&typed, &bindings.sizes)?;
        let schedule = memory::schedule_of(&typed);
        let peak = schedule.as_ref().and_then(|schedule| memory::peak(&typed, schedule));
        let memory = schedule.as_ref().filter(|_| plan).and_then(|schedule| memory::plan(&typed, schedule));
        let guidelines = schedule.as_ref().and_then(|schedule| {
            guidelines::findings(&guidelines::Subject {
                typed: &typed,
                rows: &account.rows,
                steps: &account.steps,
                schedule,
            })
        });
        let interface = |ids: &[TensorId]| {
            let interface = ids.iter().map(|id| (account.names[id.index()].clone(), typed.value(*id).clone()));
            interface.map(|(name, value)| tensor_type(name, value)).collect::<Vec<_>>()
        };
        let (inputs, outputs) = (interface(&graph.inputs), interface(&graph.outputs));
        let mut tensors = Vec::with_capacity(graph.tensors.len());
        let name = |index: usize| account.names[index].clone();
        list_tensors(&mut typed, &account, &name, "", &mut tensors);
        let totals = totals(&account.rows, account.folded, peak.as_ref().map(|peak| peak.bytes));
        if let Some((metric, _)) =
            METRICS.iter().zip(&totals.counts.0).find(|(_, sum)| sum.as_ref().is_some_and(Dim::is_undefined))
        {
            return Err(Error::new(format!(
                "the sum of the {} overflows 64-bit integers, or its formula is too long to hold: fix sizes with --dim or --input",
                metric.title
            )));
        }
        let coverage = coverage(&account.rows);
        let dims = free_dims(&inputs, &totals.counts, &tensors);
        Ok(Report {
            schema_version: SCHEMA_VERSION,
            lwstat: env!("CARGO_PKG_VERSION"),
            model: ModelInfo {
                path: self.path.clone(),
                name: stem(&self.path),
                ir_version: self.proto.ir_version,
                opset: self.proto.opset_import.iter().map(|import| (import.domain.clone(), import.version)).collect(),
                producer: format!("{} {}", self.proto.producer_name, self.proto.producer_version).trim().to_string(),
                file_bytes: self.file_bytes,
                inputs,
                outputs,
                dims,
            },
            totals,
            coverage,
            nodes: account.rows,
            tensors,
            guidelines,
            peak,
            memory,
            device: None,
            latency: None,
            latency_error: None,
        })
    }
}

/// A path's file name without `.onnx`.
pub fn stem(path: &str) -> String {
    let name = std::path::Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or(path);
    name.strip_suffix(".onnx").unwrap_or(name).to_string()
}

fn totals(rows: &[Row], folded: usize, peak_activation_bytes: Option<i64>) -> Totals {
    // One pass for all metrics: the rows of a large graph are more than a cache holds.
    let mut sums: [Collector; METRICS.len()] = Default::default();
    let mut missing = [false; METRICS.len()];
    for row in rows.iter().filter(|row| !row.alternative) {
        for ((count, sum), missing) in row.counts.0.iter().zip(&mut sums).zip(&mut missing) {
            match count {
                Some(count) => sum.add(count),
                None => *missing = true,
            }
        }
    }
    let at_least = METRICS.iter().zip(missing).filter(|(_, missing)| *missing).map(|(metric, _)| metric.key).collect();
    Totals {
        nodes: rows.len(),
        folded,
        counts: Counts(sums.map(|sum| Some(sum.finish()))),
        at_least,
        bounded: rows.iter().any(|row| row.coverage == Coverage::Bounded),
        peak_activation_bytes,
    }
}

fn coverage(rows: &[Row]) -> CoverageInfo {
    let count = |coverage| rows.iter().filter(|row| row.coverage == coverage).count();
    let mut unknown: BTreeMap<(Cow<'static, str>, String), usize> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.unknown_operator) {
        *unknown.entry((row.op_type.clone(), row.domain.clone())).or_default() += 1;
    }
    let unknown_op = |((op_type, domain), count)| UnknownOp { op_type, domain, count };
    CoverageInfo {
        exact: count(Coverage::Exact),
        bounded: count(Coverage::Bounded),
        unknown: count(Coverage::Unknown),
        unknown_ops: unknown.into_iter().map(unknown_op).collect(),
    }
}

fn tensor_type(name: Arc<str>, value: Value) -> TensorType {
    let (dtype, shape) = match value {
        Value::Tensor(tensor) => (Some(tensor.dtype), tensor.shape),
        _ => (None, None),
    };
    let known = |dtype: &crate::tensor::DType| *dtype != crate::tensor::DType::Undefined;
    TensorType { name, dtype: dtype.filter(known).map(crate::tensor::DType::name), shape }
}

/// Lists the tensors of a graph and of its bodies, and takes their shapes with it.
fn list_tensors(
    typed: &mut Typed<'_>,
    account: &cost::Account,
    name: &dyn Fn(usize) -> Arc<str>,
    prefix: &str,
    list: &mut Vec<TensorInfo>,
) {
    let mut kinds: Vec<TensorKind> = (0..typed.graph.tensors.len())
        .map(|index| match typed.graph.tensors[index].source {
            Source::Input(_) => TensorKind::Input,
            _ if account.is_parameter(typed.graph, index) => TensorKind::Parameter,
            _ if typed.constant[index] => TensorKind::Constant,
            _ => TensorKind::Activation,
        })
        .collect();
    for output in typed.graph.outputs.iter().map(|id| id.index()) {
        if kinds[output] == TensorKind::Activation {
            kinds[output] = TensorKind::Output;
        }
    }
    for (index, kind) in kinds.into_iter().enumerate() {
        if !matches!(typed.graph.tensors[index].source, Source::Outer(_)) {
            let value = std::mem::take(&mut typed.values[index]);
            list.push(TensorInfo { tensor: tensor_type(name(index), value), kind });
        }
    }
    for (node, facts) in typed.graph.nodes.iter().zip(&mut typed.nodes) {
        for index in 0..facts.bodies.len() {
            let attribute = facts.bodies[index].0;
            // Of a body that is accounted several times, the last run stands for all.
            if facts.bodies[index + 1..].iter().any(|(later, ..)| *later == attribute) {
                continue;
            }
            let body = &mut facts.bodies[index].1;
            let (prefix, graph) = (format!("{prefix}{}/{attribute}/", node.name), body.graph);
            let name = |index: usize| format!("{prefix}{}", graph.tensors[index].name).into();
            list_tensors(body, account, &name, &prefix, list);
        }
    }
}

/// The symbols of the inputs in their order, then those that only the data decide.
fn free_dims(inputs: &[TensorType], counts: &Counts, tensors: &[TensorInfo]) -> Vec<Arc<str>> {
    let mut dims: Vec<Arc<str>> = Vec::new();
    let mut add = |dim: &Dim| {
        if dim.as_int().is_none() {
            let mut symbols = BTreeSet::new();
            dim.symbols(&mut symbols);
            let new: Vec<_> = symbols.into_iter().filter(|symbol| !dims.contains(symbol)).collect();
            dims.extend(new);
        }
    };
    inputs.iter().flat_map(|input| input.shape.iter().flatten()).for_each(&mut add);
    counts.0.iter().flatten().for_each(&mut add);
    tensors.iter().flat_map(|tensor| tensor.tensor.shape.iter().flatten()).for_each(&mut add);
    dims
}
