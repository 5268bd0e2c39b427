//! The operator table: all that is known of an ONNX operator stands in one entry, in a file per family.
//!
//! An operator sees its [`Call`], never the graph. To add one, add an entry to the `OPS` of its family.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

use crate::attributes::Attributes;
use crate::dim::Dim;
use crate::tensor::{DType, Scalar, Shape, Tensor, Value};

mod activation;
mod attention;
mod broadcast;
mod cast;
mod constant;
mod control;
mod conv;
mod detection;
mod einsum;
mod elementwise;
mod experimental;
mod index;
mod join;
mod layout;
mod linear_attention;
mod loss;
mod matmul;
mod merge;
mod microsoft;
mod ml;
mod moved;
mod norm;
mod pool;
mod quantize;
mod random;
mod reduce;
mod resize;
mod rnn;
mod scatter;
mod sequence;
mod signal;
mod slice;
mod softmax;
mod text;
mod training;
mod unary;
mod window;

pub use crate::stop::{Result, Stop, invalid};
pub use broadcast::{broadcast, broadcast_all};

/// The table, a family a line.
static FAMILIES: &[&[Op]] = &[
    activation::OPS,
    attention::OPS,
    cast::OPS,
    constant::OPS,
    control::OPS,
    conv::OPS,
    detection::OPS,
    einsum::OPS,
    elementwise::OPS,
    experimental::OPS,
    index::OPS,
    join::OPS,
    layout::OPS,
    linear_attention::OPS,
    loss::OPS,
    matmul::OPS,
    microsoft::activation::OPS,
    microsoft::attention::OPS,
    microsoft::embedding::OPS,
    microsoft::fused::OPS,
    microsoft::generation::OPS,
    microsoft::image::OPS,
    microsoft::low_bit::OPS,
    microsoft::moe::OPS,
    microsoft::norm::OPS,
    microsoft::packed::OPS,
    microsoft::quantized::OPS,
    microsoft::recurrent::OPS,
    microsoft::state::OPS,
    microsoft::tensor::OPS,
    microsoft::windowed::OPS,
    ml::OPS,
    norm::OPS,
    pool::OPS,
    quantize::OPS,
    random::OPS,
    reduce::OPS,
    resize::OPS,
    rnn::OPS,
    scatter::OPS,
    sequence::OPS,
    signal::OPS,
    slice::OPS,
    softmax::OPS,
    text::OPS,
    training::OPS,
    unary::OPS,
];

/// Outputs from a call: dtype, shape and, where known, contents of each.
pub type InferFn = fn(&Call) -> Result<Vec<Value>>;

/// A count from a call and its outputs.
pub type CountFn = fn(&Call, &[Value]) -> Result<Dim>;

/// A convolution's sizes from a call and its outputs.
pub type ConvolutionFn = fn(&Call, &[Value]) -> Result<Convolution>;

/// Elements read from the input at a position; `None` for all of them.
pub type ReadsFn = fn(&Call, &[Value], usize) -> Result<Option<Dim>>;

/// How an operator's outputs are inferred.
#[derive(Clone, Copy)]
pub enum Infer {
    /// From its call alone.
    Plain(InferFn),
    /// From its call and by running its bodies.
    Control(fn(&Call, &mut dyn Bodies) -> Result<Vec<Value>>),
}

/// The bodies of a control-flow call, as its operator runs them.
pub trait Bodies {
    /// The number of inputs that the body in this attribute declares; an error where there is no such body.
    fn inputs(&self, attribute: &str) -> Result<usize>;
    /// Infers the body for these inputs and returns its outputs. Runs are not accounted by themselves.
    fn run(&mut self, attribute: &str, inputs: Vec<Value>) -> Result<Vec<Value>>;
    /// Says of the next runs which iteration they are: what one leaves open is then not taken for another's. `None` for
    /// runs that stand for all iterations.
    fn iteration(&mut self, number: Option<i64>);
    /// Whether the last run left sizes open that were not so in the body's inputs and captures.
    fn leaves_open(&self) -> bool;
    /// Accounts the last run, of this body, so many times. Several runs of a body may each be accounted.
    fn times(&mut self, attribute: &str, times: Times);
    /// Drops what has been accounted so far.
    fn start_over(&mut self);
}

/// How often a body runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Times {
    /// So many times, possibly a formula.
    Count(Dim),
    /// Once, or another body of the same node does.
    Alternative,
}

/// Where an output lives.
#[derive(Clone, Copy, Debug)]
pub enum Storage {
    /// In a buffer of its own.
    Fresh,
    /// In a buffer of its own, which may be that of an input of the same size: element `i` depends on the inputs'
    /// element `i` alone.
    InPlace,
    /// In the first input's buffer, under another shape or name: no arithmetic and no memory access.
    View,
    /// As a view where the call is such, in the words that document it; else in a buffer of its own.
    ViewWhere(&'static str, fn(&Call) -> bool),
}

/// What a constant operand is to the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Learned, whatever its dtype (an int32 bias of a quantized convolution).
    Parameter,
    /// A running statistic: read like a parameter, but not learned (batch norm's mean and variance).
    Statistic,
    /// Steers the operator: bounds, scales, zero points, pads, shapes, indices.
    Setting,
}

/// What torchstat's memory columns make of an operator: that tool sees the leaf modules of a torch network and nothing
/// else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Module {
    /// No module: an addition, a concatenation, a reshape.
    No,
    /// A module of which torchstat knows the output alone.
    Written,
    /// Input and output are moved: ReLU, ELU, pooling.
    Moved,
    /// The parameters are read, too, for every element of the batch: convolution, linear layer, PReLU.
    Weighted,
    /// Two values a channel are read, too, for every element of the batch: batch norm.
    Normalized,
}

/// A rule for floating-point operations, with the words that document it.
#[derive(Clone, Copy)]
pub struct Flops {
    /// The rule in words, for `docs/operators.md`.
    pub rule: &'static str,
    /// The count.
    pub count: CountFn,
}

/// The sizes of a convolution, as ShuffleNetV2's guidelines name them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Convolution {
    /// Output positions: batch × output height × width, the paper's `hw`.
    pub positions: Dim,
    /// Kernel elements: 1 for a pointwise convolution.
    pub kernel: Dim,
    /// Input channels, `c₁`.
    pub inputs: Dim,
    /// Output channels, `c₂`.
    pub outputs: Dim,
    /// Groups, `g`.
    pub groups: i64,
}

/// One ONNX operator.
pub struct Op {
    /// `op_type`, as the specification spells it.
    pub name: &'static str,
    /// Operator domain; empty for `ai.onnx`.
    pub domain: &'static str,
    /// Outputs from inputs.
    pub infer: Infer,
    /// Multiply-accumulates, for convolutions and matrix products: the rule in words, and the count.
    pub macs: Option<Flops>,
    /// Multiply-accumulates whose result a causal mask of the operator hides; `None` where it has no such mask.
    pub hidden: Option<CountFn>,
    /// Floating-point operations beside 2 × MACs; `None` where there are none.
    pub flops: Option<Flops>,
    /// Where the first output lives.
    pub storage: Storage,
    /// Operands that are not simply data or learned weights.
    pub roles: &'static [(usize, Role)],
    /// Elements read from each input, where that is not simply all of them: `None` for an input means all.
    pub reads: Option<ReadsFn>,
    /// Needs no run of the model, whatever its inputs: it reads their shapes alone.
    pub shape_only: bool,
    /// Gives another result each time, so it is never folded.
    pub random: bool,
    /// Its folded output is a generated weight: a leaf of its own.
    pub generates: bool,
    /// Its operands may stand in any order.
    pub commutes: bool,
    /// What the guidelines ask of a convolution; `None` where the operator is none.
    pub convolution: Option<ConvolutionFn>,
    /// The operator type with what tells its uses apart in a table: `Conv 1×1`.
    pub kind: Option<fn(&Call) -> String>,
    /// What torchstat makes of it.
    pub module: Module,
}

impl Op {
    /// An operator of the `ai.onnx` domain.
    pub const fn new(name: &'static str, infer: InferFn) -> Op {
        Op {
            name,
            domain: "",
            infer: Infer::Plain(infer),
            macs: None,
            hidden: None,
            flops: None,
            storage: Storage::Fresh,
            roles: &[],
            reads: None,
            shape_only: false,
            random: false,
            generates: false,
            commutes: false,
            convolution: None,
            kind: None,
            module: Module::No,
        }
    }

    /// A control-flow operator of the `ai.onnx` domain.
    pub const fn control(name: &'static str, infer: fn(&Call, &mut dyn Bodies) -> Result<Vec<Value>>) -> Op {
        Op { infer: Infer::Control(infer), ..Op::new(name, no_outputs) }
    }

    /// In another domain.
    pub const fn domain(self, domain: &'static str) -> Op {
        Op { domain, ..self }
    }

    /// Counts multiply-accumulates.
    pub const fn macs(self, rule: &'static str, count: CountFn) -> Op {
        Op { macs: Some(Flops { rule, count }), ..self }
    }

    /// Masks causally: counts the multiply-accumulates whose result is hidden.
    pub const fn hides(self, hidden: CountFn) -> Op {
        Op { hidden: Some(hidden), ..self }
    }

    /// Counts floating-point operations beside 2 × MACs.
    pub const fn flops(self, rule: &'static str, count: CountFn) -> Op {
        Op { flops: Some(Flops { rule, count }), ..self }
    }

    /// The first output is the first input's buffer under another shape.
    pub const fn view(self) -> Op {
        Op { storage: Storage::View, ..self }
    }

    /// The first output may be written over an input of the same size.
    pub const fn in_place(self) -> Op {
        Op { storage: Storage::InPlace, ..self }
    }

    /// The first output is the first input's buffer in calls of which this holds.
    pub const fn view_where(self, condition: &'static str, holds: fn(&Call) -> bool) -> Op {
        Op { storage: Storage::ViewWhere(condition, holds), ..self }
    }

    /// Marks operands.
    pub const fn roles(self, roles: &'static [(usize, Role)]) -> Op {
        Op { roles, ..self }
    }

    /// Reads only part of some inputs.
    pub const fn reads(self, reads: ReadsFn) -> Op {
        Op { reads: Some(reads), ..self }
    }

    /// Reads shapes alone.
    pub const fn shape_only(self) -> Op {
        Op { shape_only: true, ..self }
    }

    /// Gives the same whatever the order of its operands.
    pub const fn commutes(self) -> Op {
        Op { commutes: true, ..self }
    }

    /// Never folded.
    pub const fn random(self) -> Op {
        Op { random: true, ..self }
    }

    /// Generates a weight when folded.
    pub const fn generates(self) -> Op {
        Op { generates: true, ..self }
    }

    /// Is a convolution.
    pub const fn convolution(self, convolution: ConvolutionFn) -> Op {
        Op { convolution: Some(convolution), ..self }
    }

    /// Tells its uses apart in tables.
    pub const fn kind(self, kind: fn(&Call) -> String) -> Op {
        Op { kind: Some(kind), ..self }
    }

    /// Is a module to torchstat.
    pub const fn module(self, module: Module) -> Op {
        Op { module, ..self }
    }

    /// Whether the first output of this call is the first input's buffer.
    pub fn is_view(&self, call: &Call) -> bool {
        match self.storage {
            Storage::Fresh | Storage::InPlace => false,
            Storage::View => true,
            Storage::ViewWhere(_, holds) => holds(call),
        }
    }

    /// What the operand at this position is.
    pub fn role(&self, input: usize) -> Option<Role> {
        self.roles.iter().find(|(position, _)| *position == input).map(|(_, role)| *role)
    }
}

fn no_outputs(_: &Call) -> Result<Vec<Value>> {
    Ok(Vec::new())
}

/// The operators, by family as the source has them.
pub fn all() -> impl Iterator<Item = &'static Op> {
    FAMILIES.iter().copied().flatten()
}

/// The operator of this domain (empty for `ai.onnx`) and name.
pub fn find(domain: &str, name: &str) -> Option<&'static Op> {
    static TABLE: LazyLock<FxHashMap<(&str, &str), &Op>> =
        LazyLock::new(|| all().map(|op| ((op.domain, op.name), op)).collect());
    TABLE.get(&(domain, name)).copied()
}

/// One operator call, as its operator sees it.
pub struct Call<'a> {
    /// The node's name: new symbols are named after it.
    pub name: &'a str,
    /// Version of the operator's domain that the model imports.
    pub opset: i64,
    /// Attributes.
    pub attributes: &'a Attributes<'a>,
    /// Inputs by position; `None` where an optional one is left out.
    pub inputs: &'a [Option<&'a Value>],
    /// Number of outputs that the node names, those left out before the last included.
    pub outputs: usize,
    /// Sizes given for symbols.
    pub sizes: &'a FxHashMap<String, i64>,
}

impl<'a> Call<'a> {
    /// Whether this input is there.
    pub fn has(&self, input: usize) -> bool {
        self.inputs.get(input).is_some_and(|input| input.is_some())
    }

    /// An input of any kind; an error where it is left out.
    pub fn value(&self, input: usize) -> Result<&'a Value> {
        match self.inputs.get(input) {
            Some(Some(value)) => Ok(value),
            _ => invalid(format!("input {input} is missing")),
        }
    }

    /// A tensor input; an error where it is left out or no tensor, unknown where nothing is known of it.
    pub fn tensor(&self, input: usize) -> Result<&'a Tensor> {
        match self.value(input)? {
            Value::Tensor(tensor) => Ok(tensor),
            Value::Unknown => Err(Stop::Unknown),
            // An optional that holds a tensor may stand where the tensor may (Optional, opset 18).
            Value::Optional { element, present: Some(true) } if matches!(**element, Value::Tensor(_)) => {
                element.as_tensor().ok_or(Stop::Unknown)
            }
            _ => invalid(format!("input {input} must be a tensor")),
        }
    }

    /// An optional tensor input: `None` where it is left out or nothing is known of it.
    pub fn optional(&self, input: usize) -> Option<&'a Tensor> {
        self.inputs.get(input).copied().flatten().and_then(Value::as_tensor)
    }

    /// An input's shape; unknown where its rank is.
    pub fn shape(&self, input: usize) -> Result<&'a [Dim]> {
        self.tensor(input)?.shape.as_deref().ok_or(Stop::Unknown)
    }

    /// An input's shape, which must have this rank.
    pub fn shape_of_rank(&self, input: usize, rank: usize) -> Result<&'a [Dim]> {
        let shape = self.shape(input)?;
        match shape.len() {
            given if given == rank => Ok(shape),
            given => invalid(format!("input {input} needs rank {rank}, it has {given}")),
        }
    }

    /// An input's dtype; undefined where unknown or where the input is left out.
    pub fn dtype(&self, input: usize) -> DType {
        self.optional(input).map_or(DType::Undefined, |tensor| tensor.dtype)
    }

    /// An input's elements as integers, where every one is known (possibly as a formula).
    pub fn dims(&self, input: usize) -> Option<Vec<Dim>> {
        self.optional(input)?.dims()
    }

    /// An input's elements as plain integers, where every one is.
    pub fn ints(&self, input: usize) -> Option<Vec<i64>> {
        self.optional(input)?.ints()
    }

    /// An input's elements as plain numbers, where every one is.
    pub fn floats(&self, input: usize) -> Option<Vec<f64>> {
        self.optional(input)?.floats()
    }

    /// Integers that were an attribute and became an input (`axes` of Squeeze, ReduceSum, …): the attribute where it is
    /// there, else the input's contents. `None` where neither is given; unknown where the input's contents are.
    pub fn ints_moved(&self, attribute: &str, input: usize) -> Result<Option<Vec<i64>>> {
        if let Some(list) = self.attributes.ints(attribute)? {
            return Ok(Some(list.to_vec()));
        }
        match self.has(input) {
            true => self.ints(input).map(Some).ok_or(Stop::Unknown),
            false => Ok(None),
        }
    }

    /// A size that only the data decide, named after the node; `suffix` tells several of one node apart.
    pub fn decided(&self, suffix: &str) -> Dim {
        let name = if suffix.is_empty() { self.name.to_string() } else { format!("{}.{suffix}", self.name) };
        match self.sizes.get(&name) {
            Some(&size) => Dim::from(size),
            None => Dim::data(&name),
        }
    }

    /// A shape of this rank whose sizes the data decide, one symbol an axis.
    pub fn decided_shape(&self, rank: usize) -> Shape {
        (0..rank).map(|axis| self.decided(&axis.to_string())).collect()
    }
}

/// An axis counted from the front; an error where the rank does not have it (negative counts from the end).
pub fn axis(axis: i64, rank: usize) -> Result<usize> {
    let count = rank as i64;
    match if axis < 0 { axis.checked_add(count) } else { Some(axis) } {
        Some(found) if (0..count).contains(&found) => Ok(found as usize),
        _ => invalid(format!("axis {axis} is outside the rank {rank}")),
    }
}

/// Axes counted from the front, which must differ.
pub fn axes(list: &[i64], rank: usize) -> Result<Vec<usize>> {
    let mut found = list.iter().map(|&one| axis(one, rank)).collect::<Result<Vec<_>>>()?;
    found.sort_unstable();
    match found.windows(2).all(|pair| pair[0] != pair[1]) {
        true => Ok(found),
        false => invalid(format!("axes {list:?} name an axis twice")),
    }
}

/// The product of sizes.
pub fn product(dims: &[Dim]) -> Dim {
    dims.iter().product()
}

/// One output of this dtype and shape.
pub fn output(dtype: DType, shape: Shape) -> Result<Vec<Value>> {
    Ok(vec![Tensor::new(dtype, shape).into()])
}

/// One output with the dtype and shape of the first input.
pub fn like_input(call: &Call) -> Result<Vec<Value>> {
    let tensor = call.tensor(0)?;
    Ok(vec![Tensor { contents: None, ..tensor.clone() }.into()])
}

/// Elements of an output; unknown where its shape is.
pub fn elements(outputs: &[Value], output: usize) -> Result<Dim> {
    outputs.get(output).and_then(Value::elements).ok_or(Stop::Unknown)
}

/// Elements of an input; unknown where its shape is.
pub fn input_elements(call: &Call, input: usize) -> Result<Dim> {
    call.tensor(input)?.elements().ok_or(Stop::Unknown)
}

/// Elements of an input from which a zero point is subtracted; 0 where none is given.
fn shifted(call: &Call, input: usize, zero_point: usize) -> Result<Dim> {
    if call.has(zero_point) { input_elements(call, input) } else { Ok(Dim::ZERO) }
}

/// `N` operations for every element of the first output.
pub fn per_output<const N: i64>(_: &Call, outputs: &[Value]) -> Result<Dim> {
    Ok(elements(outputs, 0)? * N)
}

/// `N` operations for every element of the first input.
pub fn per_input<const N: i64>(call: &Call, _: &[Value]) -> Result<Dim> {
    Ok(input_elements(call, 0)? * N)
}

/// The contents of a tensor with one scalar for each of these.
pub fn scalars_of(dims: impl IntoIterator<Item = Dim>) -> Vec<Scalar> {
    dims.into_iter().map(Scalar::Int).collect()
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod versions;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_within_a_domain() {
        let mut seen = std::collections::BTreeSet::new();
        for op in all() {
            assert!(seen.insert((op.domain, op.name)), "{}.{} stands twice in the table", op.domain, op.name);
        }
    }

    #[test]
    fn families_are_sorted_by_name() {
        for family in FAMILIES {
            let names: Vec<_> = family.iter().map(|op| (op.domain, op.name)).collect();
            assert!(names.is_sorted(), "keep each family sorted by domain and name: {names:?}");
        }
    }

    #[test]
    fn views_do_no_work() {
        for op in all().filter(|op| matches!(op.storage, Storage::View)) {
            assert!(op.macs.is_none() && op.flops.is_none(), "{} is a view and does work", op.name);
        }
    }
}
