//! The same elements under another shape or in another order: views, transposes, blocks, triangles.

use super::moved::{exactly, filled, listed, moved, offset, spelled, viewed, zero};
use super::{Call, Op, Result, Role, Stop, axis, invalid, like_input, output, per_input, product};
use crate::dim::Dim;
use crate::tensor::{Shape, Tensor, Value};

const SETTING: &[(usize, Role)] = &[(1, Role::Setting)];

pub(super) const OPS: &[Op] = &[
    Op::new("Col2Im", col2im)
        .flops("1 per input element: addition into the image", per_input::<1>)
        .roles(&[(1, Role::Setting), (2, Role::Setting)]),
    Op::new("DepthToSpace", depth_to_space),
    Op::new("Flatten", flatten).view(),
    Op::new("Identity", identity).view(),
    Op::new("Reshape", reshape).view().roles(SETTING),
    Op::new("ReverseSequence", reverse_sequence).roles(SETTING),
    Op::new("SpaceToDepth", space_to_depth),
    Op::new("Squeeze", squeeze).view().roles(SETTING),
    Op::new("Transpose", transpose),
    Op::new("Trilu", trilu).roles(SETTING),
    Op::new("Unsqueeze", unsqueeze).view().roles(SETTING),
];

/// The first input's elements under this shape.
fn view(call: &Call, shape: Shape) -> Result<Vec<Value>> {
    let source = call.tensor(0)?;
    Ok(vec![viewed(Tensor::new(source.dtype, shape), source).into()])
}

fn identity(call: &Call) -> Result<Vec<Value>> {
    match call.value(0)? {
        Value::Unknown => Err(Stop::Unknown),
        value => Ok(vec![value.clone()]),
    }
}

/// One size of the shape that Reshape is given.
enum Wanted {
    Size(Dim),
    /// −1: what the others leave.
    Rest,
    /// The data decide it.
    Open,
}

fn reshape(call: &Call) -> Result<Vec<Value>> {
    let data = call.tensor(0)?;
    if call.optional(1).and_then(|shape| shape.shape.as_ref()).is_some_and(|shape| shape.len() != 1) {
        return invalid("a shape must have rank 1");
    }
    let Some(list) = listed(call, "shape", 1)? else { return invalid("no shape is given") };
    let keeps_zero = call.attributes.int_or("allowzero", 0)? != 0;
    let Some(input) = data.shape.as_deref() else { return reshape_unranked(call, data, &list, keeps_zero) };
    let wanted = list.iter().enumerate().map(|(axis, size)| wanted(size.as_ref(), axis, input, keeps_zero));
    let wanted = wanted.collect::<Result<Vec<_>>>()?;
    let known: Vec<Dim> =
        wanted.iter().filter_map(|one| if let Wanted::Size(size) = one { Some(size.clone()) } else { None }).collect();
    let rests = wanted.iter().filter(|one| matches!(one, Wanted::Rest)).count();
    let opens = wanted.iter().filter(|one| matches!(one, Wanted::Open)).count();
    if rests > 1 {
        return invalid("more than one size of the shape is -1");
    }
    if rests == 1 && keeps_zero && known.iter().any(|size| *size == 0) {
        return invalid("with `allowzero`, a shape cannot hold both 0 and -1");
    }
    let target = || {
        let size = |one: &Wanted| match one {
            Wanted::Size(size) => size.to_string(),
            Wanted::Rest => "-1".to_string(),
            Wanted::Open => "?".to_string(),
        };
        wanted.iter().map(size).collect::<Vec<_>>().join("×")
    };
    let reason = || {
        format!(
            "cannot reshape {} into {}",
            spelled(input),
            if wanted.is_empty() { "a scalar".to_string() } else { target() }
        )
    };
    if rests + opens == 0 && product(input).known_eq(&product(&known)) == Some(false) {
        return invalid(reason());
    }
    // A single open size, be it 0, −1 or a number, is what the others leave.
    let solve_open = rests == 0 && opens == 1;
    let mut shape: Shape = Vec::with_capacity(wanted.len());
    for (axis, one) in wanted.iter().enumerate() {
        shape.push(match one {
            Wanted::Size(size) => size.clone(),
            Wanted::Open if solve_open => rest(input, &known, reason)?,
            Wanted::Open => call.decided(&axis.to_string()),
            Wanted::Rest => Dim::ONE,
        });
    }
    if let Some(at) = wanted.iter().position(|one| matches!(one, Wanted::Rest)) {
        let others: Vec<Dim> =
            shape.iter().enumerate().filter(|(axis, _)| *axis != at).map(|(_, size)| size.clone()).collect();
        shape[at] = rest(input, &others, reason)?;
    }
    view(call, shape)
}

fn wanted(size: Option<&Dim>, axis: usize, input: &[Dim], keeps_zero: bool) -> Result<Wanted> {
    let Some(size) = size else { return Ok(Wanted::Open) };
    match size.as_int() {
        Some(-1) => Ok(Wanted::Rest),
        Some(0) if !keeps_zero => match input.get(axis) {
            Some(copied) => Ok(Wanted::Size(copied.clone())),
            None => invalid(format!("the shape copies axis {axis}, which {} does not have", spelled(input))),
        },
        Some(negative) if negative < -1 => invalid(format!("the shape holds {negative}")),
        _ => Ok(Wanted::Size(size.clone())),
    }
}

/// What the sizes `known` leave of the input's elements. Sizes on both sides cancel even where they may be zero.
fn rest(input: &[Dim], known: &[Dim], reason: impl Fn() -> String) -> Result<Dim> {
    let mut left = input.to_vec();
    let mut divisor = Dim::ONE;
    for size in known {
        match left.iter().position(|other| other == size) {
            Some(at) => drop(left.swap_remove(at)),
            None => divisor *= size,
        }
    }
    exactly(&product(&left), &divisor, reason)
}

/// Of an input of unknown rank, the shape alone says what it can.
fn reshape_unranked(call: &Call, data: &Tensor, list: &[Option<Dim>], keeps_zero: bool) -> Result<Vec<Value>> {
    let size = |(axis, size): (usize, &Option<Dim>)| match size {
        Some(size) if *size != -1 && (*size != 0 || keeps_zero) => size.clone(),
        _ => call.decided(&axis.to_string()),
    };
    output(data.dtype, list.iter().enumerate().map(size).collect())
}

/// Two dimensions: the product before `axis`, and the rest.
fn flatten(call: &Call) -> Result<Vec<Value>> {
    let shape = call.shape(0)?;
    let (given, rank) = (call.attributes.int_or("axis", 1)?, shape.len() as i64);
    let at = if given < 0 { given.saturating_add(rank) } else { given };
    if !(0..=rank).contains(&at) {
        return invalid(format!("axis {given} is outside the rank {rank}"));
    }
    let (outer, inner) = shape.split_at(at as usize);
    view(call, vec![product(outer), product(inner)])
}

/// Drops the axes named or, where none is, those of size 1; a formula is taken for a size other than 1.
fn squeeze(call: &Call) -> Result<Vec<Value>> {
    let shape = call.shape(0)?;
    if let Some(count) = open_axes(call)? {
        let rank = shape.len().checked_sub(count);
        let rank = rank.ok_or_else(|| Stop::from(format!("{count} axes are given, the input has {}", shape.len())))?;
        return view(call, call.decided_shape(rank));
    }
    let Some(list) = call.ints_moved("axes", 1)? else {
        return view(call, shape.iter().filter(|size| **size != 1).cloned().collect());
    };
    let axes = super::axes(&list, shape.len())?;
    for &axis in &axes {
        if shape[axis].known_eq(&Dim::ONE) == Some(false) {
            return invalid(format!("axis {axis} of {} is not 1, it cannot be squeezed", spelled(shape)));
        }
    }
    view(
        call,
        shape.iter().enumerate().filter(|(axis, _)| !axes.contains(axis)).map(|(_, size)| size.clone()).collect(),
    )
}

/// The number of axes in the second input, where it is all that is known of them before the model runs.
fn open_axes(call: &Call) -> Result<Option<usize>> {
    if call.attributes.ints("axes")?.is_some() || call.ints(1).is_some() {
        return Ok(None);
    }
    let [count] = call.optional(1).and_then(|axes| axes.shape.as_deref()).unwrap_or_default() else { return Ok(None) };
    Ok(count.as_int().and_then(|count| usize::try_from(count).ok()).filter(|&count| count <= MOST_AXES))
}

/// The most axes that are worth a name each where nothing else is known of them.
const MOST_AXES: usize = 64;

/// New axes of size 1, named as the output counts them.
fn unsqueeze(call: &Call) -> Result<Vec<Value>> {
    let shape = call.shape(0)?;
    if let Some(count) = open_axes(call)? {
        return view(call, call.decided_shape(shape.len() + count));
    }
    let Some(list) = call.ints_moved("axes", 1)? else { return invalid("no axes are given") };
    let axes = super::axes(&list, shape.len() + list.len())?;
    let mut result = shape.to_vec();
    // They are sorted, so each is inserted where it stays.
    for axis in axes {
        result.insert(axis, Dim::ONE);
    }
    view(call, result)
}

fn transpose(call: &Call) -> Result<Vec<Value>> {
    let (data, shape) = (call.tensor(0)?, call.shape(0)?);
    let order: Vec<usize> = match call.attributes.ints("perm")? {
        None => (0..shape.len()).rev().collect(),
        Some(list) if list.len() != shape.len() => {
            return invalid(format!("`perm` orders {} axes, the input has {}", list.len(), shape.len()));
        }
        Some(list) => {
            super::axes(list, shape.len())?;
            list.iter().map(|&one| axis(one, shape.len())).collect::<Result<_>>()?
        }
    };
    let tensor = Tensor::new(data.dtype, order.iter().map(|&axis| shape[axis].clone()).collect());
    if order.is_sorted() {
        return Ok(vec![viewed(tensor, data).into()]);
    }
    let plain = super::broadcast::plain(shape).unwrap_or_default();
    let from = |index: &[i64]| {
        let mut source = vec![0; index.len()];
        order.iter().zip(index).for_each(|(&axis, &at)| source[axis] = at);
        Some(offset(source, &plain))
    };
    Ok(vec![moved(tensor, data, from).into()])
}

fn block_size(call: &Call) -> Result<Dim> {
    match call.attributes.int("blocksize")? {
        Some(size) if size > 0 => match call.attributes.string("mode")? {
            None | Some("DCR" | "CRD") => Ok(Dim::from(size)),
            Some(other) => invalid(format!("it does not know the mode \"{other}\"")),
        },
        Some(size) => invalid(format!("`blocksize` is {size}")),
        None => invalid("`blocksize` is missing"),
    }
}

fn depth_to_space(call: &Call) -> Result<Vec<Value>> {
    let (block, shape) = (block_size(call)?, call.shape_of_rank(0, 4)?);
    let square = &block * &block;
    let channels = exactly(&shape[1], &square, || format!("the {} channels do not fill blocks of {square}", shape[1]))?;
    output(call.dtype(0), vec![shape[0].clone(), channels, &shape[2] * &block, &shape[3] * &block])
}

fn space_to_depth(call: &Call) -> Result<Vec<Value>> {
    let (block, shape) = (block_size(call)?, call.shape_of_rank(0, 4)?);
    let blocks = |size: &Dim| exactly(size, &block, || format!("blocks of {block} do not fill the size {size}"));
    let channels = &shape[1] * &block * &block;
    output(call.dtype(0), vec![shape[0].clone(), channels, blocks(&shape[2])?, blocks(&shape[3])?])
}

/// The upper or lower triangle from the k-th diagonal on; zeros elsewhere.
fn trilu(call: &Call) -> Result<Vec<Value>> {
    let (data, shape) = (call.tensor(0)?, call.shape(0)?);
    if shape.len() < 2 {
        return invalid(format!("it needs rank 2 at least, it has {}", shape.len()));
    }
    let upper = call.attributes.int_or("upper", 1)? != 0;
    let tensor = Tensor::new(data.dtype, shape.to_vec());
    let diagonal = if call.has(1) { call.ints(1).and_then(|list| list.first().copied()) } else { Some(0) };
    let (Some(diagonal), Some(scalars), Some(plain)) = (diagonal, data.scalars(), super::broadcast::plain(shape))
    else {
        return Ok(vec![tensor.into()]);
    };
    let pick = |index: &[i64]| {
        let (row, column) = (index[index.len() - 2], index[index.len() - 1]);
        let side = (column - row).cmp(&diagonal);
        let stays = if upper { side.is_ge() } else { side.is_le() };
        if stays { super::moved::element(&scalars, offset(index.iter().copied(), &plain)) } else { zero(data.dtype) }
    };
    Ok(vec![filled(tensor, pick).into()])
}

fn reverse_sequence(call: &Call) -> Result<Vec<Value>> {
    let shape = call.shape(0)?;
    let (batch, time) = (call.attributes.int_or("batch_axis", 1)?, call.attributes.int_or("time_axis", 0)?);
    if shape.len() < 2 {
        return invalid(format!("it needs rank 2 at least, it has {}", shape.len()));
    }
    if !matches!((batch, time), (0, 1) | (1, 0)) {
        return invalid("`batch_axis` and `time_axis` must be 0 and 1 or 1 and 0");
    }
    if let Some(lengths) = call.optional(1).and_then(|lengths| lengths.shape.as_deref()) {
        match lengths {
            [count] if count.known_eq(&shape[batch as usize]) != Some(false) => {}
            _ => return invalid("`sequence_lens` must hold one length for each of the batch"),
        }
    }
    like_input(call)
}

/// Column blocks `[N, C·∏block, L]` added into images `[N, C, …]`.
fn col2im(call: &Call) -> Result<Vec<Value>> {
    let columns = call.shape_of_rank(0, 3)?;
    let Some(image) = listed(call, "image_shape", 1)? else { return invalid("`image_shape` is missing") };
    let Some(block) = listed(call, "block_shape", 2)? else { return invalid("`block_shape` is missing") };
    if image.len() != block.len() {
        return invalid("`image_shape` and `block_shape` must have the same length");
    }
    expect_blocks(call, &columns[2], &image, &block)?;
    let channels = match block.into_iter().collect::<Option<Vec<_>>>() {
        Some(block) => exactly(&columns[1], &product(&block), || {
            format!("the {} rows do not fill blocks of {}", columns[1], spelled(&block))
        })?,
        None => call.decided("1"),
    };
    let spatial =
        image.into_iter().enumerate().map(|(axis, size)| size.unwrap_or_else(|| call.decided(&(axis + 2).to_string())));
    output(call.dtype(0), [columns[0].clone(), channels].into_iter().chain(spatial).collect())
}

/// Requires as many blocks as windows of `block` fit into the padded image at these strides and dilations.
fn expect_blocks(call: &Call, given: &Dim, image: &[Option<Dim>], block: &[Option<Dim>]) -> Result<()> {
    let count = image.len();
    let list = |name: &str, length: usize, default: i64| match call.attributes.ints(name)? {
        None => Ok(vec![default; length]),
        Some(list) if list.len() == length => Ok(list.to_vec()),
        Some(list) => invalid(format!("`{name}` has {} elements for {count} spatial axes", list.len())),
    };
    let (strides, dilations, pads) =
        (list("strides", count, 1)?, list("dilations", count, 1)?, list("pads", 2 * count, 0)?);
    if let Some(stride) = strides.iter().find(|stride| **stride < 1) {
        return invalid(format!("a stride is {stride}"));
    }
    let mut blocks = Dim::ONE;
    for axis in 0..count {
        let (Some(image), Some(block)) = (&image[axis], &block[axis]) else { return Ok(()) };
        let padded = image + pads[axis] + pads[axis + count];
        blocks *= (padded - (block - 1) * dilations[axis] - 1).floor_div(&Dim::from(strides[axis])) + 1;
    }
    match given.known_eq(&blocks) {
        Some(false) => invalid(format!("the image takes {blocks} blocks, the input has {given}")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn reshape_solves_what_is_left() {
        check(
            "
            Reshape f32[2,3,4] i64[2]{4,6} -> f32[4,6]
            Reshape f32[2,3,4] i64[3]{0,-1,2} -> f32[2,6,2]
            Reshape f32[2,3,4] i64[0]{} -> error cannot reshape 2×3×4 into a scalar
            Reshape f32[1] i64[0]{} -> f32[]
            Reshape f32[1,1024,10,10] i64[2]{1,50176} -> error cannot reshape 1×1024×10×10 into 1×50176
            Reshape f32[2,3] i64[2]{-1,4} -> error cannot reshape 2×3 into -1×4
            Reshape f32[2,3] i64[2]{-1,-1} -> error more than one
            Reshape f32[2,3] i64[1]{-2} -> error holds -2
            Reshape f32[2,3] i64[3]{2,3,0} -> error copies axis 2
            Reshape@1 f32[2,3] shape=[3,-1] -> f32[3,2]
            Reshape@5 f32[2,3] -> error no shape
            Reshape f32[0,3] i64[2]{3,0} allowzero=1 -> f32[3,0]
            Reshape f32[0,3] i64[2]{0,-1} allowzero=1 -> error allowzero
            Reshape f32[0,3,4] i64[3]{4,3,0} -> error cannot reshape
            Reshape f32[batch,seq,768] i64[4]{0,-1,12,64} -> f32[batch,seq,12,64]
            Reshape f32[batch,seq,768] i64[4]{batch,seq,12,-1} -> f32[batch,seq,12,64]
            Reshape f32[batch,12,seq,64] i64[2]{-1,64} -> f32[12*batch*seq,64]
            Reshape f32[n,8] i64[2]{-1,16} -> f32[n//2,16]
            Reshape f32[2*n,3] i64[2]{-1,2} -> f32[3*n,2]
            Reshape f32[$k,2,3] i64[2]{0,-1} -> f32[$k,6]
            Reshape f32[$k,2,3] i64[2]{$k,-1} -> f32[$k,6]
            Reshape f32[2,3,4] i64[2]{?,6} -> f32[4,6]
            Reshape f32[batch,seq,768] i64[4]{batch,?,12,64} -> f32[batch,seq,12,64]
            Reshape f32[2,3,4] i64[3]{?,?,6} -> f32[$node.0,$node.1,6]
            Reshape f32[2,3,4] i64[3] -> f32[$node.0,$node.1,$node.2]
            Reshape f32[n,3,4] i64[1] -> f32[12*n]
            Reshape f32[2,3,4] i64[$k] -> unknown
            Reshape f32[*] i64[2]{2,-1} -> f32[2,$node.1]
            Reshape f32[4*n+2,1] i64[2]{-1,4} -> error cannot reshape
            Reshape i64[2,2]{1,n,?,4} i64[1]{-1} -> i64[4]{1,n,?,4}
            Reshape f32[6] i64[1,2]{2,3} -> error rank 1
            ",
        );
    }

    #[test]
    fn views_keep_contents() {
        check(
            "
            Flatten f32[2,3,4] -> f32[2,12]
            Flatten f32[2,3,4] axis=0 -> f32[1,24]
            Flatten f32[2,3,4] axis=3 -> f32[24,1]
            Flatten f32[n,3,4] axis=-1 -> f32[3*n,4]
            Flatten f32[2,3] axis=4 -> error axis 4
            Flatten f32[] axis=0 -> f32[1,1]
            Squeeze@11 f32[1,3,1] axes=[-1] -> f32[1,3]
            Squeeze f32[1,3,1] i64[1]{0} -> f32[3,1]
            Squeeze f32[1,3,1] -> f32[3]
            Squeeze f32[1,3,n] i64[1]{2} -> f32[1,3]
            Squeeze f32[1,3,n] i64[1]{1} -> error cannot be squeezed
            Squeeze f32[1,3] i64[2]{0,-2} -> error twice
            Squeeze f32[1,3] i64[1] -> f32[$node.0]
            Squeeze f32[1,3] i64[3] -> error 3 axes are given, the input has 2
            Squeeze f32[1,3] i64[n] -> unknown
            Squeeze i64[1]{n} i64[1]{0} -> i64[]{n}
            Unsqueeze@1 f32[3] axes=[0,2] -> f32[1,3,1]
            Unsqueeze f32[3,4] i64[2]{-1,1} -> f32[3,1,4,1]
            Unsqueeze f32[3] i64[1]{3} -> error outside
            Unsqueeze f32[3] i64[2] -> f32[$node.0,$node.1,$node.2]
            Unsqueeze f32[3] i64[2]{0,0} -> error twice
            Unsqueeze i64[]{n} i64[1]{0} -> i64[1]{n}
            Unsqueeze f32[3] -> error no axes
            Identity i64[2]{1,n} -> i64[2]{1,n}
            Identity f32[*] -> f32[*]
            ",
        );
    }

    #[test]
    fn elements_change_places() {
        check(
            "
            Transpose f32[2,3,n] -> f32[n,3,2]
            Transpose f32[2,3,4] perm=[0,2,1] -> f32[2,4,3]
            Transpose f32[2,3,4] perm=[0,2] -> error orders 2 axes
            Transpose f32[2,3] perm=[0,0] -> error twice
            Transpose f32[2,3] perm=[0,2] -> error outside
            Transpose i64[2,3]{1,2,3,4,5,n} -> i64[3,2]{1,4,2,5,3,n}
            DepthToSpace f32[n,8,2,3] blocksize=2 -> f32[n,2,4,6]
            DepthToSpace f32[1,6,2,3] blocksize=2 -> error blocks of 4
            SpaceToDepth f32[1,2,4,h] blocksize=2 -> f32[1,8,2,h//2]
            SpaceToDepth f32[1,2,5,6] blocksize=2 -> error do not fill
            SpaceToDepth f32[1,2,5,6] -> error blocksize
            Trilu f32[n,3,3] -> f32[n,3,3]
            Trilu i64[2,2]{1,2,3,4} -> i64[2,2]{1,2,0,4}
            Trilu i64[2,2]{1,2,3,4} i64[]{-1} upper=0 -> i64[2,2]{0,0,3,0}
            Trilu f32[3] -> error rank 2
            ReverseSequence f32[4,n] i64[n] -> f32[4,n]
            ReverseSequence f32[4,5] i64[4] -> error one length
            ReverseSequence f32[4,5] i64[4] batch_axis=0 time_axis=1 -> f32[4,5]
            Col2Im f32[1,5,5] i64[2]{5,5} i64[2]{1,5} -> f32[1,1,5,5] flops=25
            Col2Im f32[n,10,40] i64[3]{4,5,6} i64[3]{1,1,5} -> f32[n,2,4,5,6]
            Col2Im f32[1,5,4] i64[2]{5,5} i64[2]{1,5} -> error the image takes 5 blocks, the input has 4
            Col2Im f32[1,4,4] i64[2]{5,5} i64[2]{2,2} strides=[2,2] -> f32[1,1,5,5]
            Col2Im f32[1,4,4] i64[2]{5,5} i64[2]{2,2} strides=[2] -> error 2 spatial axes
            Col2Im f32[1,5,5] i64[2] i64[2]{1,5} -> f32[1,1,$node.2,$node.3]
            ",
        );
    }
}
