//! Matrix products and look-ups whose weights are packed in a few bits.

use super::ms;
use super::rules::{activation_cost, last, like, positive, rows, same, tensor, with_last};
use crate::dim::Dim;
use crate::ops::{Call, Op, Result, Role, Stop, elements, invalid, output, product};
use crate::tensor::{DType, Value};

const P: Role = Role::Parameter;
const S: Role = Role::Setting;
const PRODUCT: &str = "rows × K × N";
const WEIGHTS: &str = "2 per weight: zero point, scale; 1 per output element for the bias";

pub(crate) const OPS: &[Op] = &[
    ms("GatherBlockQuantized", gather)
        .flops("2 per output element: zero point, scale", |_, outputs| Ok(elements(outputs, 0)? * 2))
        .roles(&[(0, P), (1, S), (2, S), (3, S)])
        .reads(|call, outputs, input| {
            let stored = call.tensor(0)?.elements();
            let unpacked = stored.as_ref().zip(unpacked(call).ok()).map(|(stored, shape)| (stored, product(&shape)));
            Ok(match (input, unpacked) {
                (0, Some((stored, whole))) => {
                    let ratio = whole.exact_div(stored).unwrap_or(Dim::ONE);
                    Some(elements(outputs, 0)?.ceil_div(&ratio))
                }
                _ => None,
            })
        }),
    ms("GatherPacked", |call| {
        let shape = call.shape(1)?.iter().cloned().chain([Dim::from(positive(call, "K")?)]).collect();
        output(DType::from_code(call.attributes.int_or("output_dtype", 16)? as i32), shape)
    })
    .flops("1 per output element: scale", |_, outputs| elements(outputs, 0))
    .roles(&[(0, P), (1, S)])
    .reads(|call, _, input| match input {
        0 => Ok(Some(product(call.shape(1)?) * last(call.shape_of_rank(0, 2)?)?)),
        _ => Ok(None),
    }),
    ms("MatMulBlockQuantizedFp4Weight", |call| block_quantized(call, 2))
        .macs(PRODUCT, block_macs)
        .flops("2 per weight: two scales; 1 per output element for the bias", |call, outputs| {
            let bias = if call.has(5) { elements(outputs, 0)? } else { Dim::ZERO };
            Ok(product(call.shape(1)?) * 4i64 + bias)
        })
        .roles(&[(1, P), (2, S), (3, S), (4, S)]),
    ms("MatMulBlockQuantizedFp8Weight", |call| block_quantized(call, 1))
        .macs(PRODUCT, block_macs)
        .flops("1 per weight: scale; 1 per output element for the bias", |call, outputs| {
            let bias = if call.has(4) { elements(outputs, 0)? } else { Dim::ZERO };
            Ok(product(call.shape(1)?) + bias)
        })
        .roles(&[(2, S), (3, S)]),
    ms("MatMulBnb4", |call| projection(call, "N"))
        .macs(PRODUCT, |call, _| projection_macs(call, &["N"]))
        .flops("1 per weight: scale", |call, _| weights(call, &["N"]))
        .roles(&[(1, P), (2, S)]),
    ms("MatMulFpQ4", blob)
        .macs(PRODUCT, |call, outputs| Ok(elements(outputs, 0)? * last(call.shape(0)?)?))
        .flops("2 per weight: offset, scale", |call, outputs| {
            Ok(last(call.shape(0)?)? * last(&output_shape(outputs)?)? * 2i64)
        })
        .roles(&[(1, P), (2, S)]),
    ms("MatMulNBits", |call| projection(call, "N"))
        .macs(PRODUCT, |call, _| projection_macs(call, &["N"]))
        .flops(WEIGHTS, |call, outputs| {
            let bias = if call.has(5) { elements(outputs, 0)? } else { Dim::ZERO };
            Ok(weights(call, &["N"])? * 2i64 + bias)
        })
        .roles(&[(1, P), (2, S), (3, S), (4, S)]),
    ms("MatMulNBitsMlp", mlp)
        .macs("2 × rows × K × N: gate and up projection", |call, _| projection_macs(call, &["N", "N"]))
        .flops(
            "2 per weight, 1 per bias, activation and product; norm 4, skip 1 per input element, 2 per row",
            |call, outputs| {
                let activation = activation_cost(call.attributes.string("activation")?.unwrap_or(""))?;
                let each = activation + 1 + i64::from(call.has(5)) + i64::from(call.has(8));
                Ok(weights(call, &["N", "N"])? * 2i64 + elements(outputs, 0)? * each + fused_norm(call)?)
            },
        )
        .roles(&[(3, P), (4, S), (6, P), (7, S)]),
    ms("MatMulNBitsQLoRA", |call| projection(call, "N"))
        .macs("rows × (K × N + K × R + R × N)", |call, _| {
            let rank = &call.shape_of_rank(4, 2)?[0];
            let sizes = Dim::from(positive(call, "K")?) + Dim::from(positive(call, "N")?);
            Ok(projection_macs(call, &["N"])? + rows(call.shape(0)?)? * rank * sizes)
        })
        .flops("2 per weight: zero point, scale; 1 per output element: sum of base and adapter", |call, outputs| {
            let rank = &call.shape_of_rank(4, 2)?[0];
            let sizes = Dim::from(positive(call, "K")?) + Dim::from(positive(call, "N")?);
            Ok((weights(call, &["N"])? + rank * sizes) * 2i64 + elements(outputs, 0)?)
        })
        .roles(&[(1, P), (2, S), (3, P), (4, S), (5, P), (6, S)]),
    ms("MatMulNBitsQkv", qkv)
        .macs("rows × K × (Nq + 2 × Nkv)", |call, _| projection_macs(call, &["Nq", "Nkv", "Nkv"]))
        .flops("2 per weight, 1 per bias; norm 4, skip 1 per input element, 2 per row", |call, outputs| {
            let biases = [(5, 0), (8, 1), (11, 2)].into_iter().filter(|(input, _)| call.has(*input));
            let biases = biases.map(|(_, output)| elements(outputs, output)).sum::<Result<Dim>>()?;
            Ok(weights(call, &["Nq", "Nkv", "Nkv"])? * 2i64 + biases + fused_norm(call)?)
        })
        .roles(&[(3, P), (4, S), (6, P), (7, S), (9, P), (10, S)]),
    ms("MatMulPacked", |call| projection(call, "N"))
        .macs(PRODUCT, |call, _| projection_macs(call, &["N"]))
        .flops("1 per weight: scale; the activation's per output element", |call, outputs| {
            let activation = activation_cost(call.attributes.string("activation_type")?.unwrap_or(""))?;
            Ok(weights(call, &["N"])? + elements(outputs, 0)? * activation)
        })
        .roles(&[(1, P), (2, S)]),
];

/// The first output's shape.
fn output_shape(outputs: &[Value]) -> Result<Vec<Dim>> {
    outputs.first().and_then(Value::as_tensor).and_then(|tensor| tensor.shape.clone()).ok_or(Stop::Unknown)
}

/// The input's shape, its last axis projected from `K` to the size in an attribute.
fn projection(call: &Call, size: &str) -> Result<Vec<Value>> {
    // bitsandbytes' weight stands the other way round where `transB` is 0.
    let (from, to) = if call.attributes.int_or("transB", 1)? == 0 { (size, "K") } else { ("K", size) };
    let input = call.shape(0)?;
    same(last(input)?, &Dim::from(positive(call, from)?), "input's last axis and K")?;
    output(call.tensor(0)?.dtype, with_last(input, Dim::from(positive(call, to)?))?)
}

fn weights(call: &Call, sizes: &[&str]) -> Result<Dim> {
    let outputs = sizes.iter().map(|size| Ok(Dim::from(positive(call, size)?))).sum::<Result<Dim>>()?;
    Ok(outputs * positive(call, "K")?)
}

fn projection_macs(call: &Call, sizes: &[&str]) -> Result<Dim> {
    Ok(rows(call.shape(0)?)? * weights(call, sizes)?)
}

/// Root-mean-square norm of the input, where its scale is there, behind the sum with a skip input.
fn fused_norm(call: &Call) -> Result<Dim> {
    let input = call.shape(0)?;
    let norm = match call.has(2) {
        true => product(input) * 4i64 + rows(input)? * 2i64,
        false => Dim::ZERO,
    };
    Ok(if call.has(1) { norm + product(input) } else { norm })
}

fn mlp(call: &Call) -> Result<Vec<Value>> {
    activation_cost(call.attributes.string("activation")?.unwrap_or(""))?;
    let mut outputs = projection(call, "N")?;
    outputs.push(like(call, 0)?);
    Ok(outputs)
}

fn qkv(call: &Call) -> Result<Vec<Value>> {
    let mut outputs = projection(call, "Nq")?;
    outputs.extend(projection(call, "Nkv")?);
    outputs.extend(projection(call, "Nkv")?);
    outputs.push(like(call, 0)?);
    Ok(outputs)
}

fn block_quantized(call: &Call, packed: i64) -> Result<Vec<Value>> {
    let [columns, inner] = call.shape_of_rank(1, 2)? else { return Err(Stop::Unknown) };
    let input = call.shape(0)?;
    same(last(input)?, &(inner * packed), "inner sizes")?;
    output(call.tensor(0)?.dtype, with_last(input, columns.clone())?)
}

fn block_macs(call: &Call, _: &[Value]) -> Result<Dim> {
    Ok(product(call.shape(0)?) * &call.shape_of_rank(1, 2)?[0])
}

/// B is a blob; its shape is an input.
fn blob(call: &Call) -> Result<Vec<Value>> {
    let columns = match call.dims(2).as_deref() {
        Some([inner, columns]) => {
            same(last(call.shape(0)?)?, inner, "inner sizes")?;
            columns.clone()
        }
        Some(shape) => return invalid(format!("the shape of B needs 2 sizes, it has {}", shape.len())),
        None => call.decided("columns"),
    };
    output(call.tensor(0)?.dtype, with_last(call.shape(0)?, columns)?)
}

/// The table's shape with one element for each weight: bytes hold several along the axis that is quantized.
fn unpacked(call: &Call) -> Result<Vec<Dim>> {
    let data = call.tensor(0)?;
    let mut shape = call.shape(0)?.to_vec();
    let bits = call.attributes.int_or("bits", 4)?;
    if data.dtype == DType::U8 {
        if ![2, 4, 8].contains(&bits) {
            return invalid(format!("`bits` must be 2, 4 or 8, it is {bits}"));
        }
        let packed = crate::ops::axis(-1, shape.len())?;
        shape[packed] = &shape[packed] * (8 / bits);
    }
    Ok(shape)
}

fn gather(call: &Call) -> Result<Vec<Value>> {
    let data = unpacked(call)?;
    let axis = crate::ops::axis(call.attributes.int_or("gather_axis", 0)?, data.len())?;
    let indices = call.shape(1)?;
    let shape = data[..axis].iter().chain(indices).chain(&data[axis + 1..]).cloned().collect();
    Ok(vec![tensor(call.tensor(2)?.dtype, Some(shape))])
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn packed_products() {
        check(
            "
            com.microsoft:MatMulNBits f16[b,s,64] u8[32,2,16] f16[64] K=64 N=32 bits=4 block_size=32 -> f16[b,s,32] macs=2048*b*s flops=4096
            com.microsoft:MatMulNBits f32[2,64] u8[32,2,16] f32[64] u8[32] _ f32[32] K=64 N=32 bits=4 block_size=32 -> f32[2,32] macs=4096 flops=4160
            com.microsoft:MatMulNBits f32[2,63] u8[32,2,16] f32[64] K=64 N=32 bits=4 block_size=32 -> error differ
            com.microsoft:MatMulNBits f32[2,64] u8[32,2,16] f32[64] K=64 bits=4 block_size=32 -> error `N` is missing
            com.microsoft:MatMulBnb4 f32[n,64] u8[1024] f32[32] K=64 N=32 block_size=64 quant_type=1 -> f32[n,32] macs=2048*n
            com.microsoft:MatMulBnb4 f32[n,32] u8[1024] f32[32] K=64 N=32 block_size=64 quant_type=1 transB=0 -> f32[n,64] macs=2048*n
            com.microsoft:MatMulFpQ4 f32[2,64] u8[999] i64[2]{64,32} -> f32[2,32] macs=4096
            com.microsoft:MatMulNBitsMlp f16[1,64] _ f16[64] u8[32,2,16] f16[64] _ u8[32,2,16] f16[64] K=64 N=32 bits=4 block_size=32 activation='silu' -> f16[1,32] macs=4096
            com.microsoft:MatMulNBitsQkv f16[1,64] f16[1,64] f16[64] u8[9] f16[9] _ u8[9] f16[9] _ u8[9] f16[9] K=64 Nq=32 Nkv=16 bits=4 block_size=32 -> f16[1,32] f16[1,16] f16[1,16] f16[1,64] macs=4096
            com.microsoft:MatMulBlockQuantizedFp4Weight f16[n,64] u8[32,32] u8[32,4] f32[] -> f16[n,32] macs=2048*n
            com.microsoft:MatMulBlockQuantizedFp8Weight f16[n,64] f8e4m3fn[32,64] f32[32,1] -> f16[n,32] macs=2048*n
            ",
        );
    }

    #[test]
    fn packed_tables() {
        check(
            "
            com.microsoft:GatherBlockQuantized u4[100,64] i64[b,s] f16[100,2] block_size=32 -> f16[b,s,64] flops=128*b*s
            com.microsoft:GatherBlockQuantized u8[100,32] i64[b,s] f32[100,2] block_size=32 quantize_axis=1 -> f32[b,s,64]
            com.microsoft:GatherBlockQuantized u8[100,64] i64[3] f32[100,2] block_size=32 quantize_axis=1 bits=8 -> f32[3,64]
            com.microsoft:GatherPacked u8[100,34] i64[3] K=64 packed_type=1 -> bf16[3,64]
            ",
        );
    }
}
