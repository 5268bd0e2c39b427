//! Conversions of the element type: Cast, CastLike, BitCast.

use super::elementwise::whole;
use super::{Call, Op, Result, Role, invalid};
use crate::dim::Dim;
use crate::tensor::{DType, Scalar, Tensor, Value};

pub(super) const OPS: &[Op] = &[
    Op::new("BitCast", bit_cast),
    Op::new("Cast", |call| converted(call, target(call)?)).in_place(),
    Op::new("CastLike", |call| {
        call.value(1)?;
        converted(call, call.dtype(1))
    })
    .roles(&[(1, Role::Setting)])
    .reads(|_, _, input| Ok((input == 1).then_some(Dim::ZERO)))
    .in_place(),
];

/// The dtype in `to`: a code or, before opset 6, its name.
fn target(call: &Call) -> Result<DType> {
    if !call.attributes.has("to") {
        return invalid("`to` is missing");
    }
    if call.opset < 6
        && let Ok(Some(name)) = call.attributes.string("to")
    {
        return match dtype_of_name(name) {
            Some(dtype) => Ok(dtype),
            None => invalid(format!("there is no dtype \"{name}\"")),
        };
    }
    let code = call.attributes.int_or("to", 0)?;
    match i32::try_from(code).map_or(DType::Undefined, DType::from_code) {
        DType::Undefined => invalid(format!("there is no dtype {code}")),
        dtype => Ok(dtype),
    }
}

/// The names of `TensorProto.DataType` that opset 1 knew.
fn dtype_of_name(name: &str) -> Option<DType> {
    Some(match name.to_ascii_uppercase().as_str() {
        "FLOAT" => DType::F32,
        "UINT8" => DType::U8,
        "INT8" => DType::I8,
        "UINT16" => DType::U16,
        "INT16" => DType::I16,
        "INT32" => DType::I32,
        "INT64" => DType::I64,
        "STRING" => DType::String,
        "BOOL" => DType::Bool,
        "FLOAT16" => DType::F16,
        "DOUBLE" => DType::F64,
        "UINT32" => DType::U32,
        "UINT64" => DType::U64,
        "COMPLEX64" => DType::C64,
        "COMPLEX128" => DType::C128,
        _ => return None,
    })
}

fn converted(call: &Call, dtype: DType) -> Result<Vec<Value>> {
    let data = call.tensor(0)?;
    let result = Tensor { dtype, shape: data.shape.clone(), contents: None };
    if data.dtype == dtype {
        return Ok(vec![Tensor { contents: data.contents.clone(), ..result }.into()]);
    }
    Ok(vec![
        match data.scalars() {
            Some(scalars) => result.with_scalars(scalars.iter().map(|scalar| convert(scalar, dtype)).collect()),
            None => result,
        }
        .into(),
    ])
}

/// An element under another type, unknown where the specification leaves open what it becomes.
fn convert(scalar: &Scalar, to: DType) -> Scalar {
    match to {
        DType::Bool => truth(scalar).map_or(Scalar::Unknown, Scalar::Bool),
        DType::String => match scalar {
            Scalar::Text(_) => scalar.clone(),
            Scalar::Int(value) => {
                value.as_int().map_or(Scalar::Unknown, |value| Scalar::Text(value.to_string().into()))
            }
            _ => Scalar::Unknown,
        },
        to if to.is_integer() => match scalar {
            Scalar::Float(value) => truncated(*value, to),
            Scalar::Ratio(over, under) if over.bounds().0 >= Some(0) => formula(over.floor_div(&Dim::from(*under)), to),
            Scalar::Text(text) => text.parse().map_or(Scalar::Unknown, |value| wrapped(value, to)),
            scalar => match scalar.as_dim() {
                Some(value) => value.as_int().map_or_else(|| formula(value, to), |value| wrapped(value, to)),
                None => Scalar::Unknown,
            },
        },
        to if to.is_float() => match scalar {
            Scalar::Text(text) => text.parse().map_or(Scalar::Unknown, |value| rounded(value, to)),
            // A formula stays one, so that what exporters compute from sizes in floating point stays exact.
            Scalar::Int(value) if value.as_int().is_none() => scalar.clone(),
            Scalar::Ratio(..) => scalar.clone(),
            scalar => scalar.as_float().map_or(Scalar::Unknown, |value| rounded(value, to)),
        },
        _ => Scalar::Unknown,
    }
}

/// Everything but zero is true.
pub(super) fn truth(scalar: &Scalar) -> Option<bool> {
    match scalar {
        Scalar::Bool(value) => Some(*value),
        Scalar::Float(value) => Some(*value != 0.0),
        Scalar::Int(value) => value.known_eq(&Dim::ZERO).map(|zero| !zero),
        _ => None,
    }
}

/// The least and greatest values of an integer dtype, as far as `i64` holds them.
fn range(dtype: DType) -> (i64, i64) {
    let bits = dtype.bits().unwrap_or(64).min(64);
    let signed = matches!(dtype, DType::I2 | DType::I4 | DType::I8 | DType::I16 | DType::I32 | DType::I64);
    match (signed, bits) {
        (true, bits) => (i64::MIN >> (64 - bits), i64::MAX >> (64 - bits)),
        (false, 64) => (0, i64::MAX),
        (false, bits) => (0, (1 << bits) - 1),
    }
}

/// Towards zero; what does not fit is undefined.
fn truncated(value: f64, to: DType) -> Scalar {
    let whole_part = value.trunc();
    // Both ends are exact: `i64::MAX` as f64 is 2⁶³, which is out of range.
    if !(-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&whole_part) {
        return Scalar::Unknown;
    }
    let (low, high) = range(to);
    match whole_part as i64 {
        value if (low..=high).contains(&value) => Scalar::Int(Dim::from(value)),
        _ => Scalar::Unknown,
    }
}

/// Without the bits that do not fit.
fn wrapped(value: i64, to: DType) -> Scalar {
    let (low, high) = range(to);
    if (low..=high).contains(&value) {
        return Scalar::Int(Dim::from(value));
    }
    let unused = 64 - to.bits().unwrap_or(64).min(64);
    match (unused, low) {
        (0, _) => Scalar::Unknown,
        (unused, 0) => Scalar::Int(Dim::from(((value as u64) << unused >> unused) as i64)),
        (unused, _) => Scalar::Int(Dim::from(value << unused >> unused)),
    }
}

/// A formula, where it fits: sizes are taken to fit into 32 bits.
fn formula(value: Dim, to: DType) -> Scalar {
    let ((low, high), (least, greatest)) = (value.bounds(), range(to));
    let wide = to.bits() >= Some(32);
    let fits = (low >= Some(least) || wide && least < 0) && (high.is_some_and(|high| high <= greatest) || wide);
    if fits { Scalar::Int(value) } else { Scalar::Unknown }
}

/// To the nearest number of the dtype, where that is known here.
fn rounded(value: f64, to: DType) -> Scalar {
    // The bits of an f32 that a narrower type does not keep.
    let narrow = |lost: u32, normal: std::ops::RangeInclusive<f64>| {
        let single = value as f32;
        let kept = f64::from(single) == value && single.to_bits() & lost == 0;
        let known = value == 0.0 || !value.is_finite() || kept && normal.contains(&value.abs());
        if known { Scalar::Float(value) } else { Scalar::Unknown }
    };
    match to {
        DType::F64 => Scalar::Float(value),
        DType::F32 => Scalar::Float(f64::from(value as f32)),
        DType::BF16 => narrow(0xffff, f64::from(f32::MIN_POSITIVE)..=f64::from(f32::MAX)),
        DType::F16 => narrow(0x1fff, 6.103_515_625e-5..=65504.0),
        _ => Scalar::Unknown,
    }
}

/// The same bits under a dtype of the same width.
fn bit_cast(call: &Call) -> Result<Vec<Value>> {
    let (data, to) = (call.tensor(0)?, target(call)?);
    if data.dtype == DType::String || to == DType::String {
        return invalid("strings have no bits to reinterpret");
    }
    if let (Some(from), Some(into)) = (data.dtype.bits(), to.bits())
        && from != into
    {
        return invalid(format!("{} has {from} bits, {} has {into}", data.dtype.name(), to.name()));
    }
    let result = Tensor { dtype: to, shape: data.shape.clone(), contents: None };
    let same_form = data.dtype.is_integer() && to.is_integer();
    Ok(vec![
        match data.scalars().filter(|_| same_form) {
            Some(scalars) => result.with_scalars(scalars.iter().map(|scalar| reinterpreted(scalar, to)).collect()),
            None => result,
        }
        .into(),
    ])
}

fn reinterpreted(scalar: &Scalar, to: DType) -> Scalar {
    whole(scalar).and_then(|value| value.as_int()).map_or(Scalar::Unknown, |value| wrapped(value, to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::check;

    #[test]
    fn dtypes() {
        check(
            "
            Cast f32[2,n] to=7 -> i64[2,n]
            Cast@1 f32[2] to='INT64' -> i64[2]
            Cast@1 f32[2] to='REAL' -> error no dtype
            Cast f32[2] to=99 -> error no dtype 99
            Cast f32[2] -> error `to` is missing
            Cast f32[*] to=10 -> f16[*]
            CastLike f32[2] i32[n,7] -> i32[2]
            CastLike f32[2] -> error input 1
            BitCast f32[2,n] to=6 -> i32[2,n]
            BitCast f32[2] to=7 -> error 32 bits
            BitCast i8[2]{-1,3} to=2 -> u8[2]{255,3}
            ",
        );
    }

    #[test]
    fn contents_are_exact_or_unknown() {
        check(
            "
            Cast i64[2]{?,3} to=1 -> f32[2]{?,3}
            Cast i64[2]{n,3} to=6 -> i32[2]{n,3}
            Cast i64[2]{n,3} to=12 -> u32[2]{n,3}
            Cast i64[3]{n-4,n,200} to=3 -> i8[3]{?,?,-56}
            Cast i64[2]{300,-1} to=2 -> u8[2]{44,255}
            Cast f32[4]{1.9,-1.9,3e9,inf} to=6 -> i32[4]{1,-1,?,?}
            Cast f32[3]{0.0,-0.5,nan} to=9 -> bool[3]{false,true,true}
            Cast i64[3]{n,0,n-1} to=9 -> bool[3]{true,false,?}
            Cast bool[2]{true,false} to=7 -> i64[2]{1,0}
            Cast bool[2]{true,false} to=1 -> f32[2]{1,0}
            Cast i64[1]{16777217} to=1 -> f32[1]{16777216}
            Cast f64[2]{0.1,0.25} to=10 -> f16[2]{?,0.25}
            Cast f32[2]{0.5,70000.0} to=10 -> f16[2]{0.5,?}
            Cast f32[2]{0.5,1.0} to=16 -> bf16[2]{0.5,1}
            Cast i64[2]{12,n} to=8 -> string[2]{'12',?}
            Cast string[2]{'12','x'} to=7 -> i64[2]{12,?}
            Cast string[1]{'1e2'} to=1 -> f32[1]{100}
            Cast f32[2]{(n)/2,(n-9)/2} to=7 -> i64[2]{n//2,?}
            Cast f32[1]{(n)/2} to=11 -> f64[1]{(n)/2}
            CastLike i64[1]{7} f32[1] -> f32[1]{7}
            ",
        );
    }

    #[test]
    fn formulas_stay_formulas_in_floating_point() {
        let size = Scalar::Int(Dim::symbol("n"));
        assert_eq!(convert(&size, DType::F32), size);
        assert_eq!(convert(&size, DType::F16), size);
        assert_eq!(convert(&size, DType::I64), size);
    }
}
