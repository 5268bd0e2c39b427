//! Operator cases: the outputs of ONNX's backend node tests, dtype and shape, against `fixtures/node-suite`.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use lwstat::{Bindings, Dim, Model};
use serde_json::Value;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/node-suite");

/// An output that no static analysis can size: its case, its name, what is inferred instead, and the reason.
type Open = (&'static str, &'static str, &'static str, &'static str);

const WINDOW: &str = "the window's size is a runtime input";
const IMAGE: &str = "the size is in the image file";
const DATA: &str = "the data decide how many elements there are";
const TRIPS: &str = "the trip count is a runtime input, and the body slices by the iteration number";

#[rustfmt::skip]
const OPEN: &[Open] = &[
    ("test_blackmanwindow_expanded", "y", "Range_16", WINDOW),
    ("test_blackmanwindow_symmetric", "y", "BlackmanWindow_0", WINDOW),
    ("test_hammingwindow", "y", "HammingWindow_0", WINDOW),
    ("test_hammingwindow_symmetric", "y", "HammingWindow_0", WINDOW),
    ("test_hannwindow", "y", "HannWindow_0", WINDOW),
    ("test_image_decoder_decode_bmp_rgb", "output", "ImageDecoder_0.height, ImageDecoder_0.width, 3", IMAGE),
    ("test_image_decoder_decode_jpeg_bgr", "output", "ImageDecoder_0.height, ImageDecoder_0.width, 3", IMAGE),
    ("test_image_decoder_decode_jpeg_grayscale", "output", "ImageDecoder_0.height, ImageDecoder_0.width, 1", IMAGE),
    ("test_image_decoder_decode_png_rgb", "output", "ImageDecoder_0.height, ImageDecoder_0.width, 3", IMAGE),
    ("test_image_decoder_decode_tiff_rgb", "output", "ImageDecoder_0.height, ImageDecoder_0.width, 3", IMAGE),
    ("test_image_decoder_decode_webp_rgb", "output", "ImageDecoder_0.height, ImageDecoder_0.width, 3", IMAGE),
    ("test_loop11", "res_y", "Loop_0.0.0", TRIPS),
    ("test_loop11", "res_scan", "Loop_0.trips, max(Loop_0.state.0.0, Loop_0/body/Slice_6.0)", TRIPS),
    ("test_nonmaxsuppression_flipped_coordinates", "selected_indices", "NonMaxSuppression_0, 3", DATA),
    ("test_nonmaxsuppression_single_box", "selected_indices", "NonMaxSuppression_0, 3", DATA),
    ("test_nonmaxsuppression_suppress_by_IOU", "selected_indices", "NonMaxSuppression_0, 3", DATA),
    ("test_nonzero_example", "result", "2, NonZero_0", DATA),
    ("test_string_split_no_delimiter", "substrings", "3, StringSplit_0", DATA),
    ("test_strnormalizer_export_monday_casesensintive_upper", "y", "StringNormalizer_0", DATA),
    ("test_unique_length_1", "Y", "Unique_0", DATA),
    ("test_unique_length_1", "counts", "Unique_0", DATA),
    ("test_unique_length_1", "indices", "Unique_0", DATA),
    ("test_unique_not_sorted_without_axis", "Y", "Unique_0", DATA),
    ("test_unique_not_sorted_without_axis", "counts", "Unique_0", DATA),
    ("test_unique_not_sorted_without_axis", "indices", "Unique_0", DATA),
];

#[test]
fn every_output_has_the_reference_dtype_and_shape() {
    let text = std::fs::read_to_string(format!("{FOLDER}/expected.json")).unwrap();
    let expected: serde_json::Map<String, Value> = serde_json::from_str(&text).unwrap();
    let mut wrong: Vec<String> = Vec::new();
    let mut met = BTreeSet::new();
    let (mut exact, mut total) = (0usize, 0usize);
    for (case, facts) in &expected {
        let report = match Model::open(format!("{FOLDER}/{case}.onnx")).unwrap().report(&Bindings::default()) {
            Ok(report) => report,
            Err(error) => {
                wrong.push(error.to_string());
                continue;
            }
        };
        for (name, output) in facts["outputs"].as_object().unwrap() {
            total += 1;
            let sizes: Vec<String> = output[1].as_array().unwrap().iter().map(Value::to_string).collect();
            let reference = (short(output[0].as_str().unwrap()), sizes.join(", "));
            let tensor = report.model.outputs.iter().find(|tensor| *tensor.name == **name).unwrap();
            let shape = tensor.shape.as_deref();
            let text = |dims: &[Dim]| dims.iter().map(Dim::code).collect::<Vec<_>>().join(", ");
            let got = (tensor.dtype.unwrap_or("?"), shape.map_or("?".to_string(), text));
            let open = OPEN.iter().find(|open| open.0 == case && open.1 == name);
            exact += usize::from(got == reference);
            match open {
                None if got != reference => {
                    wrong.push(format!("{case}: {name} is {got:?}, the reference {reference:?}"))
                }
                None => {}
                Some(_) if got == reference => wrong.push(format!("{case}: {name} is exact: take it off the table")),
                Some(open) => {
                    met.insert((open.0, open.1));
                    if got != (reference.0, open.2.to_string()) || shape.map(<[Dim]>::len) != Some(sizes.len()) {
                        wrong.push(format!("{case}: {name} is {got:?}, the table has [{}], as {}", open.2, open.3));
                    }
                }
            }
        }
    }
    let stale = OPEN.iter().filter(|open| !met.contains(&(open.0, open.1)));
    wrong.extend(stale.map(|open| format!("{}: {} is on the table and was not met", open.0, open.1)));
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert_eq!(exact, total - OPEN.len(), "the table accounts for all outputs that are not exact");
}

#[test]
fn every_case_stands_in_the_reference() {
    let text = std::fs::read_to_string(format!("{FOLDER}/expected.json")).unwrap();
    let expected: serde_json::Map<String, Value> = serde_json::from_str(&text).unwrap();
    let mut files: Vec<String> = std::fs::read_dir(FOLDER)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".onnx").map(str::to_string))
        .collect();
    files.sort();
    let mut cases: Vec<_> = expected.keys().cloned().collect();
    cases.sort();
    assert_eq!(files, cases);
}

/// numpy's names of dtypes as lwstat has them.
fn short(dtype: &str) -> &'static str {
    match dtype {
        "bfloat16" => "bf16",
        "bool" => "bool",
        "float16" => "f16",
        "float32" => "f32",
        "float64" => "f64",
        "int8" => "i8",
        "int16" => "i16",
        "int32" => "i32",
        "int64" => "i64",
        "object" => "string",
        "uint8" => "u8",
        "uint16" => "u16",
        "uint32" => "u32",
        "uint64" => "u64",
        other => panic!("{other} is a dtype without a name"),
    }
}
