//! Data movement, spectra, hashes and the rest of onnxruntime's tensor operators.

use super::ms;
use super::rules::{NEWEST, infer_as, last, pick, positive, rows, tensor, with_last};
use crate::dim::Dim;
use crate::ops::{
    Call, Op, Result, Role, Stop, broadcast, elements, input_elements, invalid, like_input, output, product,
};
use crate::tensor::{DType, Tensor, Value};

const S: Role = Role::Setting;

pub(crate) const OPS: &[Op] = &[
    Op::new("MemcpyFromHost", same),
    Op::new("MemcpyToHost", same),
    ms("CDist", |call| {
        let ([rows, _], [columns, _]) = (call.shape_of_rank(0, 2)?, call.shape_of_rank(1, 2)?) else {
            return Err(Stop::Unknown);
        };
        output(call.tensor(0)?.dtype, vec![rows.clone(), columns.clone()])
    })
    .flops("3 per output element and coordinate: subtract, multiply, add", |call, outputs| {
        Ok(elements(outputs, 0)? * last(call.shape_of_rank(0, 2)?)? * 3i64)
    }),
    ms("ComplexMul", complex)
        .flops("3 per output element: 2 multiply, 1 add", |_, outputs| Ok(elements(outputs, 0)? * 3)),
    ms("ComplexMulConj", complex)
        .flops("3 per output element: 2 multiply, 1 add", |_, outputs| Ok(elements(outputs, 0)? * 3)),
    ms("DynamicTimeWarping", |call| output(DType::I32, vec![Dim::from(2i64), call.decided("path")]))
        .flops("3 per input element: 2 comparisons, 1 addition", |call, _| Ok(input_elements(call, 0)? * 3)),
    ms("ExpandDims", expand_dims).view().roles(&[(1, S)]),
    ms("GatherND", |call| infer_as(call, "GatherND", 12, &pick(call, &[0, 1])))
        .roles(&[(1, S)])
        .reads(|_, outputs, input| if input == 0 { elements(outputs, 0).map(Some) } else { Ok(None) }),
    ms("Inverse", inverse).flops("2 × n³ per matrix of n × n: elimination", |call, _| {
        Ok(product(call.shape(0)?) * last(call.shape(0)?)? * 2i64)
    }),
    ms("Irfft", |call| spectrum(call, true))
        .flops("5 × n × log2 n per signal of n, rounded up", |call, outputs| transform_flops(outputs, call)),
    ms("IsAllFinite", |_| output(DType::Bool, Vec::new()))
        .flops("1 per input element", |call, _| (0..call.inputs.len()).map(|input| input_elements(call, input)).sum()),
    ms("MurmurHash3", |call| {
        let dtype = if call.attributes.int_or("positive", 1)? == 0 { DType::I32 } else { DType::U32 };
        Ok(vec![tensor(dtype, call.tensor(0)?.shape.clone())])
    }),
    ms("Pad", |call| infer_as(call, "Pad", 13, &pick(call, &[0, 1, 2]))).roles(&[(1, S), (2, S)]),
    ms("Range", range).roles(&[(0, S), (1, S), (2, S)]),
    ms("Rfft", |call| spectrum(call, false))
        .flops("5 × n × log2 n per signal of n, rounded up", |call, outputs| transform_flops(outputs, call)),
    ms("SampleOp", same).view(),
    ms("Tokenizer", |call| {
        let shape = call.shape(0)?;
        output(DType::String, shape.iter().cloned().chain([call.decided("tokens")]).collect())
    }),
    ms("Trilu", |call| infer_as(call, "Trilu", 14, &pick(call, &[0, 1]))).roles(&[(1, S)]),
    ms("UnfoldTensor", unfold),
    ms("Unique", |call| {
        let [count] = call.shape_of_rank(0, 1)? else { return Err(Stop::Unknown) };
        let found = vec![call.decided("")];
        Ok(vec![
            tensor(call.tensor(0)?.dtype, Some(found.clone())),
            tensor(DType::I64, Some(vec![count.clone()])),
            tensor(DType::I64, Some(found)),
        ])
    }),
];

/// The input with its contents.
fn same(call: &Call) -> Result<Vec<Value>> {
    Ok(vec![call.tensor(0)?.clone().into()])
}

/// Pairs of real and imaginary part stand on the last axis.
fn complex(call: &Call) -> Result<Vec<Value>> {
    let (a, b) = (call.shape(0)?, call.shape(1)?);
    if [a, b].iter().any(|shape| shape.last().and_then(Dim::as_int).is_some_and(|pair| pair != 2)) {
        return invalid("complex numbers need a last axis of 2");
    }
    output(call.tensor(0)?.dtype, broadcast(a, b)?)
}

fn expand_dims(call: &Call) -> Result<Vec<Value>> {
    let input = call.tensor(0)?;
    let mut shape = call.shape(0)?.to_vec();
    let [axis] = call.ints(1).ok_or(Stop::Unknown)?[..] else { return invalid("the axis needs one value") };
    shape.insert(crate::ops::axis(axis, shape.len() + 1)?, Dim::ONE);
    Ok(vec![Tensor { shape: Some(shape), ..input.clone() }.into()])
}

fn inverse(call: &Call) -> Result<Vec<Value>> {
    if let Some([.., rows, columns]) = call.tensor(0)?.shape.as_deref()
        && rows.as_int().zip(columns.as_int()).is_some_and(|(rows, columns)| rows != columns)
    {
        return invalid(format!("a matrix of {rows} × {columns} has no inverse"));
    }
    like_input(call)
}

/// A real signal of n has n // 2 + 1 complex coefficients, in pairs on a last axis.
fn spectrum(call: &Call, inverse: bool) -> Result<Vec<Value>> {
    let shape = call.shape(0)?;
    let dtype = call.tensor(0)?.dtype;
    if !inverse {
        let coefficients = last(shape)?.floor_div(&Dim::from(2i64)) + 1;
        return output(dtype, with_last(shape, coefficients)?.into_iter().chain([Dim::from(2i64)]).collect());
    }
    match shape.split_last() {
        Some((pair, head)) if pair.as_int().is_none_or(|pair| pair == 2) && !head.is_empty() => {
            output(dtype, with_last(head, (last(head)? - 1) * 2i64)?)
        }
        _ => invalid("complex coefficients need a last axis of 2"),
    }
}

fn transform_flops(outputs: &[Value], call: &Call) -> Result<Dim> {
    let output = outputs.first().and_then(Value::as_tensor).and_then(|tensor| tensor.shape.as_deref());
    let input = call.shape(0)?;
    let signal =
        if output.is_some_and(|output| output.len() > input.len()) { input } else { output.ok_or(Stop::Unknown)? };
    let steps = match last(signal)?.as_int() {
        Some(size) if size > 1 => i64::from(64 - (size - 1).leading_zeros()),
        Some(_) => 0,
        None => return Err(Stop::Unknown),
    };
    Ok(rows(signal)? * last(signal)? * (5 * steps))
}

/// The step is 1 where it is left out.
fn range(call: &Call) -> Result<Vec<Value>> {
    if call.has(2) {
        return infer_as(call, "Range", NEWEST, call.inputs);
    }
    let one = match call.tensor(0)?.dtype {
        dtype if dtype.is_float() => {
            Tensor::new(dtype, Vec::new()).with_scalars(vec![crate::tensor::Scalar::Float(1.0)])
        }
        dtype => Tensor::new(dtype, Vec::new()).with_scalars(vec![crate::tensor::Scalar::Int(Dim::ONE)]),
    };
    let step = Value::from(one);
    infer_as(call, "Range", NEWEST, &[Some(call.value(0)?), Some(call.value(1)?), Some(&step)])
}

/// `size` becomes a last axis; the axis that is unfolded counts the windows.
fn unfold(call: &Call) -> Result<Vec<Value>> {
    let mut shape = call.shape(0)?.to_vec();
    let axis = crate::ops::axis(call.attributes.int_or("dim", -1)?, shape.len())?;
    let (size, step) = (positive(call, "size")?, call.attributes.int_or("step", 1)?);
    if step < 1 {
        return invalid(format!("`step` must be positive, it is {step}"));
    }
    shape[axis] = (&shape[axis] - size).floor_div(&Dim::from(step)) + 1;
    shape.push(Dim::from(size));
    output(call.tensor(0)?.dtype, shape)
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn shapes() {
        check(
            "
            com.microsoft:CDist f32[3,8] f32[n,8] -> f32[3,n] flops=72*n
            com.microsoft:ComplexMul f32[3,1,2] f32[4,2] -> f32[3,4,2] flops=72
            com.microsoft:ComplexMul f32[3,3] f32[3,3] -> error last axis
            com.microsoft:DynamicTimeWarping f32[3,4] -> i32[2,$node.path]
            com.microsoft:ExpandDims f32[3,n] i32[1]{-1} -> f32[3,n,1]
            com.microsoft:ExpandDims i64[2]{3,n} i32[]{0} -> i64[1,2]{3,n}
            com.microsoft:Inverse f32[b,3,3] -> f32[b,3,3] flops=54*b
            com.microsoft:Inverse f32[b,3,4] -> error no inverse
            com.microsoft:Rfft f32[b,16] signal_ndim=1 -> f32[b,9,2] flops=320*b
            com.microsoft:Irfft f32[b,9,2] signal_ndim=1 -> f32[b,16] flops=320*b
            com.microsoft:IsAllFinite f32[3] f32[4] -> bool[] flops=7
            com.microsoft:MurmurHash3 string[3] -> u32[3]
            com.microsoft:MurmurHash3 string[3] positive=0 -> i32[3]
            com.microsoft:Range i64[]{0} i64[]{n} -> i64[n]
            com.microsoft:Range f32[]{0.0} f32[]{1.0} f32[]{0.5} -> f32[2]{0,0.5}
            com.microsoft:Tokenizer string[n,3] -> string[n,3,$node.tokens]
            com.microsoft:UnfoldTensor f32[3,9] size=3 step=2 dim=-1 -> f32[3,4,3]
            com.microsoft:Unique f32[9] -> f32[$node] i64[9] i64[$node]
            ",
        );
    }
}
