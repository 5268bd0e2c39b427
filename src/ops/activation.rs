//! Activations, and Dropout, which passes its input on at inference.

use super::broadcast::broadcasts_to;
use super::unary::map;
use super::window::differ;
use super::{Call, Module, Op, Result, Role, elements, invalid, like_input, per_output};
use crate::dim::Dim;
use crate::tensor::{DType, Scalar, Tensor, Value};

pub(super) const OPS: &[Op] = &[
    Op::new("Celu", like_input)
        .module(Module::Written)
        .flops("7 per output element: max, divide, exp, subtract, multiply, min, add", per_output::<7>)
        .in_place(),
    Op::new("Clip", clip)
        .module(Module::Moved)
        .flops("1 per output element and bound: comparison", clip_flops)
        .roles(&[(1, Role::Setting), (2, Role::Setting)])
        .in_place(),
    Op::new("Dropout", dropout)
        .view_where("at inference", |call| !trains(call).unwrap_or(true))
        .flops(
            "none at inference; training, 3 per output element: comparison with the drawn number, mask, scale",
            |call, outputs| {
                if trains(call)? { per_output::<3>(call, outputs) } else { Ok(Dim::ZERO) }
            },
        )
        .roles(&[(1, Role::Setting), (2, Role::Setting)]),
    Op::new("Elu", like_input)
        .module(Module::Moved)
        .flops("4 per output element: exp, subtract, multiply, select", per_output::<4>)
        .in_place(),
    Op::new("Gelu", gelu)
        .module(Module::Written)
        .flops("5 per output element (divide, erf, add, 2 multiply), 8 with the tanh approximation", |call, outputs| {
            Ok(elements(outputs, 0)? * if tanh_approximation(call)? { 8 } else { 5 })
        })
        .in_place(),
    Op::new("HardSigmoid", like_input)
        .module(Module::Written)
        .flops("4 per output element: multiply, add, min, max", per_output::<4>)
        .in_place(),
    Op::new("HardSwish", like_input)
        .module(Module::Written)
        .flops("5 per output element: multiply, add, min, max, multiply", per_output::<5>)
        .in_place(),
    Op::new("LeakyRelu", like_input)
        .module(Module::Moved)
        .flops("2 per output element: multiply, select", per_output::<2>)
        .in_place(),
    Op::new("Mish", like_input)
        .module(Module::Written)
        .flops("5 per output element: exp, add, log, tanh, multiply", per_output::<5>)
        .in_place(),
    Op::new("PRelu", prelu)
        .module(Module::Weighted)
        .flops("2 per output element: multiply, select", per_output::<2>)
        .in_place(),
    Op::new("Relu", |call| map(call, relu))
        .module(Module::Moved)
        .flops("1 per output element: comparison", per_output::<1>)
        .in_place(),
    Op::new("Selu", like_input)
        .module(Module::Written)
        .flops("5 per output element: exp, 2 multiply, subtract, select", per_output::<5>)
        .in_place(),
    Op::new("Shrink", like_input).flops("3 per output element: two comparisons, addition", per_output::<3>).in_place(),
    Op::new("Sigmoid", like_input)
        .module(Module::Written)
        .flops("4 per output element: negate, exp, add, divide", per_output::<4>)
        .in_place(),
    Op::new("Softplus", like_input)
        .module(Module::Written)
        .flops("3 per output element: exp, add, log", per_output::<3>)
        .in_place(),
    Op::new("Softsign", like_input)
        .module(Module::Written)
        .flops("3 per output element: absolute value, add, divide", per_output::<3>)
        .in_place(),
    Op::new("SwiGLU", swiglu).flops("6 per output element: sigmoid, 2 multiply; 1 more for alpha", |call, outputs| {
        Ok(swish_flops(call, outputs)? + elements(outputs, 0)?)
    }),
    Op::new("Swish", like_input)
        .flops("5 per output element: sigmoid, multiply; 1 more for alpha", swish_flops)
        .in_place(),
    Op::new("ThresholdedRelu", like_input)
        .module(Module::Written)
        .flops("1 per output element: comparison", per_output::<1>)
        .in_place(),
];

fn relu(value: &Scalar) -> Scalar {
    match value {
        Scalar::Int(value) => Scalar::Int(value.max(&Dim::ZERO)),
        Scalar::Float(value) if *value < 0.0 => Scalar::Float(0.0),
        value => value.clone(),
    }
}

fn tanh_approximation(call: &Call) -> Result<bool> {
    match call.attributes.string("approximate")? {
        None | Some("none") => Ok(false),
        Some("tanh") => Ok(true),
        Some(other) => invalid(format!("`approximate` cannot be \"{other}\"")),
    }
}

fn gelu(call: &Call) -> Result<Vec<Value>> {
    tanh_approximation(call)?;
    like_input(call)
}

/// x · sigmoid(alpha · x).
fn swish_flops(call: &Call, outputs: &[Value]) -> Result<Dim> {
    let scaled = call.attributes.float("alpha")?.is_some_and(|alpha| alpha != 1.0);
    Ok(elements(outputs, 0)? * if scaled { 6 } else { 5 })
}

fn swiglu(call: &Call) -> Result<Vec<Value>> {
    match (&call.tensor(0)?.shape, &call.tensor(1)?.shape) {
        (Some(a), Some(b)) if differ(a, b) => invalid("both inputs need the same shape"),
        _ => like_input(call),
    }
}

/// Until opset 6 the slope has one element or one for each channel; later it broadcasts to the input.
fn prelu(call: &Call) -> Result<Vec<Value>> {
    if let (Some(input), Some(slope)) = (&call.tensor(0)?.shape, &call.tensor(1)?.shape) {
        if call.opset >= 7 {
            broadcasts_to(slope, input)?;
        } else {
            let channels = input.get(1).cloned().unwrap_or(Dim::ONE);
            let count: Dim = slope.iter().product();
            if count != Dim::ONE && count.known_eq(&channels) == Some(false) {
                return invalid(format!("the slope needs 1 or {channels} elements, it has {count}"));
            }
        }
    }
    like_input(call)
}

/// The bounds: attributes until opset 10, scalar inputs since. The outer option is whether there is one.
fn bounds(call: &Call) -> Result<[Option<Scalar>; 2]> {
    if call.opset < 11 {
        let bound = |name| call.attributes.float(name).map(|bound| bound.map(Scalar::Float));
        return Ok([bound("min")?, bound("max")?]);
    }
    let bound = |input| {
        if !call.has(input) {
            return Ok(None);
        }
        let tensor = call.optional(input);
        match tensor.and_then(Tensor::elements).is_some_and(|count| count.known_eq(&Dim::ONE) == Some(false)) {
            true => invalid(format!("input {input}, a bound, must be a scalar")),
            false => Ok(Some(
                tensor.and_then(Tensor::scalars).and_then(|list| list.first().cloned()).unwrap_or(Scalar::Unknown),
            )),
        }
    };
    Ok([bound(1)?, bound(2)?])
}

fn clip(call: &Call) -> Result<Vec<Value>> {
    let [least, greatest] = bounds(call)?;
    let tensor = call.tensor(0)?;
    let result = Tensor { contents: None, ..tensor.clone() };
    let clipped = |value: &Scalar| {
        let raised = least.as_ref().map_or(value.clone(), |bound| extremum(value, bound, Dim::max, f64::max));
        greatest.as_ref().map_or(raised.clone(), |bound| extremum(&raised, bound, Dim::min, f64::min))
    };
    Ok(vec![
        match tensor.scalars() {
            Some(scalars) => result.with_scalars(scalars.iter().map(clipped).collect()),
            None => result,
        }
        .into(),
    ])
}

fn extremum(a: &Scalar, b: &Scalar, int: fn(&Dim, &Dim) -> Dim, float: fn(f64, f64) -> f64) -> Scalar {
    match (a, b) {
        (Scalar::Int(a), Scalar::Int(b)) => Scalar::Int(int(a, b)),
        (Scalar::Float(a), Scalar::Float(b)) if !a.is_nan() && !b.is_nan() => Scalar::Float(float(*a, *b)),
        _ => Scalar::Unknown,
    }
}

fn clip_flops(call: &Call, outputs: &[Value]) -> Result<Dim> {
    Ok(elements(outputs, 0)? * bounds(call)?.iter().flatten().count() as i64)
}

/// The mask is of the input's dtype until opset 9, of truth values since.
/// Whether Dropout drops: by an attribute before opset 7, by the third input since opset 12. Where that input is not
/// known, it may.
fn trains(call: &Call) -> Result<bool> {
    Ok(match call.opset {
        ..7 => call.attributes.int_or("is_test", 0)? == 0,
        7..12 => false,
        _ => {
            call.has(2) && call.optional(2).and_then(Tensor::scalars).is_none_or(|mode| *mode != [Scalar::Bool(false)])
        }
    })
}

fn dropout(call: &Call) -> Result<Vec<Value>> {
    let (tensor, training) = (call.tensor(0)?, trains(call)?);
    let output = Tensor { contents: tensor.contents.clone().filter(|_| !training), ..tensor.clone() };
    let dtype = if call.opset < 10 { tensor.dtype } else { DType::Bool };
    let mask = Tensor { dtype, shape: tensor.shape.clone(), contents: None };
    Ok(vec![output.into(), mask.into()])
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn outputs_are_like_the_input() {
        check(
            "
            Relu f32[n,64] -> f32[n,64] flops=64*n
            Relu i64[3]{-2,0,n} -> i64[3]{0,0,n}
            Relu f32[2]{-0.5,1.5} -> f32[2]{0,1.5}
            Sigmoid bf16[2,3] -> bf16[2,3] flops=24
            HardSwish f32[10] -> f32[10] flops=50
            HardSigmoid f32[10] -> f32[10] flops=40
            Gelu f16[10] -> f16[10] flops=50
            Gelu f16[10] approximate='tanh' -> f16[10] flops=80
            Gelu f16[10] approximate='fast' -> error `approximate`
            Swish f32[10] -> f32[10] flops=50
            Swish f32[10] alpha=1.702 -> f32[10] flops=60
            Elu f32[*] -> f32[*]
            SwiGLU f32[2,n] f32[2,n] -> f32[2,n] flops=12*n
            SwiGLU f32[2,n] f32[2,1,n] -> error same shape
            ",
        );
    }

    #[test]
    fn a_slope_broadcasts_to_the_input() {
        check(
            "
            PRelu f32[1,8,4,4] f32[8,1,1] -> f32[1,8,4,4] flops=256
            PRelu f32[1,8,4,4] f32[1] -> f32[1,8,4,4]
            PRelu f32[1,8,4,4] f32[8] -> error cannot be broadcast
            PRelu f32[8] f32[1,8] -> error more dimensions
            PRelu@6 f32[1,8,4,4] f32[8] -> f32[1,8,4,4]
            PRelu@6 f32[1,8,4,4] f32[7] -> error slope
            ",
        );
    }

    #[test]
    fn bounds_were_attributes_until_opset_10() {
        check(
            "
            Clip@6 f32[2,3] min=0.0 max=6.0 -> f32[2,3] flops=12
            Clip@6 f32[2,3] -> f32[2,3] flops=0
            Clip f32[2,n] f32[]{0.0} f32[]{6.0} -> f32[2,n] flops=4*n
            Clip f32[2,n] _ f32[] -> f32[2,n] flops=2*n
            Clip i64[3]{n,0,9} i64[]{1} i64[]{7} -> i64[3]{min(7,n),1,7}
            Clip i64[2]{n,0} i64[] -> i64[2]{unknown}
            Clip f32[3]{-1.0,0.5,9.0} f32[]{0.0} f32[]{6.0} -> f32[3]{0,0.5,6}
            Clip f32[3] f32[3] -> error must be a scalar
            ",
        );
    }

    #[test]
    fn dropout_passes_its_input_on() {
        check(
            "
            Dropout f32[2,n] -> f32[2,n] bool[2,n] flops=0
            Dropout f32[2,n] f32[] bool[]{true} -> f32[2,n] bool[2,n] flops=6*n
            Dropout f32[2,n] f32[] bool[] -> f32[2,n] bool[2,n] flops=6*n
            Dropout@9 f16[2,n] ratio=0.5 -> f16[2,n] f16[2,n]
            Dropout i64[1]{3} f32[]{0.5} bool[]{false} -> i64[1]{3} bool[1]
            Dropout i64[1]{3} f32[]{0.5} bool[]{true} -> i64[1]{unknown} bool[1]
            Dropout@6 f32[4] is_test=1 -> f32[4] flops=0
            Dropout@6 f32[4] -> f32[4] f32[4] flops=12
            ",
        );
    }
}
