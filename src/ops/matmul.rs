//! Matrix products: MatMul and its quantized forms, Gemm, Det.

use super::broadcast::broadcasts_to;
use super::quantize::REQUANTIZE;
use super::{Call, Module, Op, Result, Role, broadcast, elements, input_elements, invalid, output};
use crate::dim::Dim;
use crate::tensor::{DType, Shape, Value};

const ZERO_POINTS: &[(usize, Role)] = &[(2, Role::Setting), (3, Role::Setting)];
pub(super) const QUANTIZATION: &[(usize, Role)] = &[
    (1, Role::Setting),
    (2, Role::Setting),
    (4, Role::Setting),
    (5, Role::Setting),
    (6, Role::Setting),
    (7, Role::Setting),
];

pub(super) const OPS: &[Op] = &[
    Op::new("Det", det)
        .flops("(n − 1)(4n² + n + 6) / 6 per n×n matrix: elimination, product of the diagonal", det_flops),
    Op::new("Gemm", gemm)
        .module(Module::Weighted)
        .macs("output elements × K", |call, _| {
            let Gemm { shape, inner } = gemm_sizes(call)?;
            Ok(super::product(&shape) * inner)
        })
        .flops(
            "1 per output element where C is given, 1 where alpha is not 1; 1 per element of C where beta is not 1",
            gemm_flops,
        ),
    Op::new("MatMul", |call| output(call.tensor(0)?.dtype, product_of(call, 0, 1)?.0)).macs(
        "output elements × K",
        |call, _| {
            let (shape, inner) = product_of(call, 0, 1)?;
            Ok(super::product(&shape) * inner)
        },
    ),
    Op::new("MatMulInteger", |call| output(DType::I32, product_of(call, 0, 1)?.0))
        .macs("output elements × K", |call, _| {
            let (shape, inner) = product_of(call, 0, 1)?;
            Ok(super::product(&shape) * inner)
        })
        .flops("1 per element of an operand that has a zero point: subtraction", |call, _| {
            Ok(super::shifted(call, 0, 2)? + super::shifted(call, 1, 3)?)
        })
        .roles(ZERO_POINTS),
    Op::new("QLinearMatMul", |call| output(call.tensor(7)?.dtype, product_of(call, 0, 3)?.0))
        .macs("output elements × K", |call, _| {
            let (shape, inner) = product_of(call, 0, 3)?;
            Ok(super::product(&shape) * inner)
        })
        .flops(
            "1 per operand element: zero point; 5 per output element: scale, round, zero point, two bounds",
            |call, outputs| {
                Ok(input_elements(call, 0)? + input_elements(call, 3)? + elements(outputs, 0)? * REQUANTIZE)
            },
        )
        .roles(QUANTIZATION),
];

/// The size that two sizes must both be: the plain number of them where one is.
pub(super) fn same_size(a: &Dim, b: &Dim, what: &str) -> Result<Dim> {
    match a.known_eq(b) {
        Some(false) => invalid(format!("{what} must agree, but they are {a} and {b}")),
        _ if a.as_int().is_none() && b.as_int().is_some() => Ok(b.clone()),
        _ => Ok(a.clone()),
    }
}

fn product_of(call: &Call, left: usize, right: usize) -> Result<(Shape, Dim)> {
    matrix_product(call.shape(left)?, call.shape(right)?)
}

/// Shape and contracted size by numpy's rule: an operand of rank 1 is a row on the left, a column on the right.
pub(super) fn matrix_product(a: &[Dim], b: &[Dim]) -> Result<(Shape, Dim)> {
    let ([a_head @ .., a_inner], [.., _]) = (a, b) else { return invalid("a scalar cannot be multiplied as a matrix") };
    let (a_batch, rows) = match a_head {
        [batch @ .., rows] => (batch, Some(rows)),
        [] => (a_head, None),
    };
    let (b_batch, b_inner, columns) = match b {
        [batch @ .., inner, columns] => (batch, inner, Some(columns)),
        [inner] => (&b[..0], inner, None),
        [] => return invalid("a scalar cannot be multiplied as a matrix"),
    };
    let inner = same_size(a_inner, b_inner, "the contracted sizes of the operands")?;
    let mut shape = broadcast(a_batch, b_batch)?;
    shape.extend(rows.into_iter().chain(columns).cloned());
    Ok((shape, inner))
}

struct Gemm {
    shape: Shape,
    inner: Dim,
}

fn gemm_sizes(call: &Call) -> Result<Gemm> {
    let sides = |input, flag| {
        let [rows, columns] = call.shape_of_rank(input, 2)? else { return invalid("a matrix needs rank 2") };
        Ok(if call.attributes.int_or(flag, 0)? == 0 { (rows, columns) } else { (columns, rows) })
    };
    let ((rows, a_inner), (b_inner, columns)) = (sides(0, "transA")?, sides(1, "transB")?);
    let inner = same_size(a_inner, b_inner, "the contracted sizes of A and B")?;
    Ok(Gemm { shape: vec![rows.clone(), columns.clone()], inner })
}

/// C broadcasts one way to the product since opset 7; before, only where `broadcast` says so.
fn gemm(call: &Call) -> Result<Vec<Value>> {
    let shape = gemm_sizes(call)?.shape;
    if let Some(c) = call.optional(2).and_then(|c| c.shape.as_deref()) {
        broadcasts_to(c, &shape)?;
        if call.opset < 7 && call.attributes.int_or("broadcast", 0)? == 0 {
            let differs =
                c.len() != 2 || c.iter().zip(&shape).any(|(given, wanted)| given.known_eq(wanted) == Some(false));
            if differs {
                return invalid("C must have the product's shape before opset 7 unless `broadcast` is set");
            }
        }
        if c.iter()
            .rev()
            .zip(shape.iter().rev())
            .any(|(given, wanted)| *given != 1 && given.known_eq(wanted) == Some(false))
        {
            return invalid("C cannot be broadcast to the product's shape");
        }
    }
    output(call.tensor(0)?.dtype, shape)
}

fn gemm_flops(call: &Call, outputs: &[Value]) -> Result<Dim> {
    let scaled = |name: &str| Ok::<bool, super::Stop>(call.attributes.float(name)?.is_some_and(|factor| factor != 1.0));
    let products = elements(outputs, 0)?;
    let mut flops = Dim::ZERO;
    if scaled("alpha")? {
        flops += &products;
    }
    if call.has(2) {
        if scaled("beta")? {
            flops += input_elements(call, 2)?;
        }
        flops += products;
    }
    Ok(flops)
}

fn det(call: &Call) -> Result<Vec<Value>> {
    let [batch @ .., rows, columns] = call.shape(0)? else { return invalid("a determinant needs rank 2 or more") };
    same_size(rows, columns, "the sides of a square matrix")?;
    output(call.tensor(0)?.dtype, batch.to_vec())
}

fn det_flops(call: &Call, outputs: &[Value]) -> Result<Dim> {
    let [.., rows, columns] = call.shape(0)? else { return invalid("a determinant needs rank 2 or more") };
    let n = same_size(rows, columns, "the sides of a square matrix")?;
    if n == 0 {
        return Ok(Dim::ZERO);
    }
    let sixfold = (&n - 1) * (n.pow(2) * 4 + &n + 6);
    Ok(elements(outputs, 0)? * sixfold.floor_div(&Dim::from(6i64)))
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn matmul_follows_numpy() {
        check(
            "
            MatMul f32[2,3] f32[3,4] -> f32[2,4] macs=24 flops=none
            MatMul f32[3] f32[3] -> f32[] macs=3
            MatMul f32[3] f32[5,3,4] -> f32[5,4] macs=60
            MatMul f32[5,2,3] f32[3] -> f32[5,2] macs=30
            MatMul f16[n,1,s,8] f16[h,8,t] -> f16[n,h,s,t] macs=8*h*n*s*t
            MatMul f32[7,1,2,3] f32[5,3,4] -> f32[7,5,2,4] macs=840
            MatMul f32[n,k] f32[8,4] -> f32[n,4] macs=32*n
            MatMul f32[0,3] f32[3,4] -> f32[0,4] macs=0
            MatMul f32[2,3] f32[4,5] -> error contracted
            MatMul f32[2,2,3] f32[3,3,5] -> error broadcast
            MatMul f32[n,n] f32[n+1,5] -> error contracted
            MatMul f32[] f32[3] -> error scalar
            MatMul f32[*] f32[3] -> unknown
            MatMul f32[2,3] -> error input 1 is missing
            MatMulInteger u8[2,3] i8[3,4] -> i32[2,4] macs=24 flops=0
            MatMulInteger u8[2,3] i8[3,4] u8[] _ -> i32[2,4] macs=24 flops=6
            MatMulInteger u8[2,3] i8[3,4] u8[1] i8[4] -> i32[2,4] macs=24 flops=18
            QLinearMatMul u8[2,3] f32[] u8[] i8[3,4] f32[] i8[] f32[] i8[] -> i8[2,4] macs=24 flops=58
            ",
        );
    }

    #[test]
    fn gemm_transposes_and_adds_c() {
        check(
            "
            Gemm f32[2,3] f32[3,4] f32[4] -> f32[2,4] macs=24 flops=8
            Gemm f32[2,3] f32[3,4] -> f32[2,4] macs=24 flops=0
            Gemm f32[3,2] f32[4,3] f32[] transA=1 transB=1 -> f32[2,4] macs=24 flops=8
            Gemm f32[2,8] f32[4,8] f32[4] transB=1 alpha=0.5 beta=2.0 -> f32[2,4] macs=64 flops=20
            Gemm f32[n,8] f32[4,8] f32[1,4] transB=1 alpha=1.0 beta=1.0 -> f32[n,4] flops=4*n
            Gemm@6 f32[2,3] f32[3,4] f32[4] broadcast=1 -> f32[2,4] macs=24 flops=8
            Gemm@6 f32[2,3] f32[3,4] f32[4] -> error `broadcast`
            Gemm@1 f32[2,3] f32[3,4] f32[2,4] -> f32[2,4]
            Gemm f32[2,3] f32[3,4] f32[3] -> error broadcast
            Gemm f32[1,3] f32[3,4] f32[2,4] -> error broadcast
            Gemm f32[2,3,1] f32[3,4] -> error rank 2
            Gemm f32[2,3] f32[4,4] -> error contracted
            ",
        );
    }

    #[test]
    fn det_is_by_elimination() {
        check(
            "
            Det f32[3,3] -> f32[] flops=15
            Det f32[n,2,2] -> f32[n] flops=4*n
            Det f32[5,1,1] -> f32[5] flops=0
            Det f32[2,3] -> error square
            Det f32[2] -> error rank 2
            ",
        );
    }
}
