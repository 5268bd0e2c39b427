//! Detection and images: boxes, regions of interest, decoding.

use super::{Call, Op, Result, Role, elements, invalid, output};
use crate::dim::Dim;
use crate::tensor::{DType, Value};

pub(super) const OPS: &[Op] = &[
    Op::new("ImageDecoder", image_decoder),
    Op::new("MaxRoiPool", max_roi_pool).roles(&[(1, Role::Setting)]).flops(
        "1 per input element of each region at most: the bins split the region between them",
        |call, outputs| {
            // A region is at most the whole image; each bin takes one comparison less than it has elements.
            let (image, pooled) = (call.shape_of_rank(0, 4)?, elements(outputs, 0)?);
            let regions = &call.shape_of_rank(1, 2)?[0];
            Ok((regions * super::product(&image[1..]) - pooled).max(&Dim::ZERO))
        },
    ),
    Op::new("NonMaxSuppression", non_max_suppression)
        .roles(&[(2, Role::Setting), (3, Role::Setting), (4, Role::Setting)])
        .flops("13 per pair of boxes and class at most: intersection over union and comparison", |call, _| {
            let (boxes, scores) = (call.shape_of_rank(0, 3)?, call.shape_of_rank(1, 3)?);
            let mut pairs = (&boxes[1] * (&boxes[1] - 1)).floor_div(&Dim::from(2i64));
            if pairs.is_undefined() && boxes[1].as_int().is_none() {
                // The square of a sum over many classes, each with its own number of boxes, is too long to hold.
                pairs = call.decided("pairs");
            }
            Ok(&scores[0] * &scores[1] * pairs * 13)
        }),
    Op::new("RoiAlign", roi_align)
        .roles(&[(1, Role::Setting), (2, Role::Setting)])
        .flops("8 per sample: bilinear interpolation (7) and its share of the mean or maximum", |call, outputs| {
            Ok(elements(outputs, 0)? * samples(call)? * 8)
        }),
];

/// An image whose height and width are in the stream.
fn image_decoder(call: &Call) -> Result<Vec<Value>> {
    let channels = match call.attributes.string("pixel_format")?.unwrap_or("RGB") {
        "RGB" | "BGR" => 3i64,
        "Grayscale" => 1,
        other => return invalid(format!("`pixel_format` is {other}, not RGB, BGR or Grayscale")),
    };
    output(DType::U8, vec![call.decided("height"), call.decided("width"), channels.into()])
}

fn max_roi_pool(call: &Call) -> Result<Vec<Value>> {
    let (image, regions) = (call.shape_of_rank(0, 4)?, call.shape_of_rank(1, 2)?);
    let Some(&[height, width]) = call.attributes.ints("pooled_shape")? else {
        return invalid("`pooled_shape` must be a height and a width");
    };
    output(call.dtype(0), vec![regions[0].clone(), image[1].clone(), height.into(), width.into()])
}

/// Rows of batch, class and box: how many, the scores decide; none where the most is zero.
fn non_max_suppression(call: &Call) -> Result<Vec<Value>> {
    let (boxes, scores) = (call.shape_of_rank(0, 3)?, call.shape_of_rank(1, 3)?);
    if boxes[2].known_eq(&Dim::from(4i64)) == Some(false) {
        return invalid(format!("a box has 4 coordinates, not {}", boxes[2]));
    }
    if boxes[0].known_eq(&scores[0]) == Some(false) || boxes[1].known_eq(&scores[2]) == Some(false) {
        return invalid("boxes and scores differ in their batch or number of boxes");
    }
    let most = match call.has(2) {
        true => call.ints(2).and_then(|list| list.first().copied()),
        false => Some(0),
    };
    let count = if most.is_some_and(|most| most <= 0) { Dim::ZERO } else { call.decided("") };
    output(DType::I64, vec![count, 3i64.into()])
}

fn roi_align(call: &Call) -> Result<Vec<Value>> {
    let (image, regions) = (call.shape_of_rank(0, 4)?, call.shape_of_rank(1, 2)?);
    let size = |name: &str| call.attributes.int_or(name, 1).map(Dim::from);
    output(call.dtype(0), vec![regions[0].clone(), image[1].clone(), size("output_height")?, size("output_width")?])
}

/// Sampled points of each bin: a square grid, or as the region's size decides.
fn samples(call: &Call) -> Result<Dim> {
    let side = call.attributes.int_or("sampling_ratio", 0)?;
    Ok(if side > 0 { Dim::from(side).pow(2) } else { call.decided("samples") })
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::check;

    #[test]
    fn rules() {
        check(
            "
            ImageDecoder u8[n] -> u8[$node.height,$node.width,3]
            ImageDecoder u8[n] pixel_format='Grayscale' -> u8[$node.height,$node.width,1]
            ImageDecoder u8[n] pixel_format='CMYK' -> error `pixel_format`
            MaxRoiPool f32[1,2,6,6] f32[r,5] pooled_shape=[2,2] -> f32[r,2,2,2] flops=64*r
            MaxRoiPool f32[1,2,6,6] f32[r,5] -> error `pooled_shape`
            NonMaxSuppression f32[1,6,4] f32[1,2,6] i64[1]{3} f32[1] f32[1] -> i64[$node,3] flops=390
            NonMaxSuppression f32[1,5000000000,4] f32[1,2,5000000000] i64[1]{3} -> i64[$node,3] flops=None
            NonMaxSuppression f32[1,6,4] f32[1,2,6] -> i64[0,3]
            NonMaxSuppression f32[1,6,5] f32[1,2,6] -> error 4 coordinates
            NonMaxSuppression f32[1,6,4] f32[1,2,7] i64[]{3} -> error differ
            RoiAlign f32[n,3,10,10] f32[r,4] i64[r] output_height=5 output_width=4 sampling_ratio=2 -> f32[r,3,5,4] flops=1920*r
            RoiAlign f16[n,3,10,10] f16[r,4] i64[r] -> f16[r,3,1,1]
            RoiAlign f32[3,10,10] f32[r,4] i64[r] -> error rank 4
            ",
        );
    }

    #[test]
    fn pairs_of_boxes_of_many_classes_are_one_symbol() {
        let boxes: Vec<_> = (0..90).map(|class| format!("b{class}")).collect();
        let boxes = boxes.join("+");
        check(&format!(
            "NonMaxSuppression f32[1,{boxes},4] f32[1,1,{boxes}] i64[1]{{3}} -> i64[$node,3] flops=13*node.pairs"
        ));
    }
}
