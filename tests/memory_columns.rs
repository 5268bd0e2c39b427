//! torchstat's memory columns, against its formulas evaluated module by module.

#![allow(clippy::unwrap_used)]

mod common;

use lwstat::Dim;

#[test]
fn torchstat_counts_modules_alone() {
    // N = 2; 4 bytes an element. Rows: model, bytes of module outputs, bytes read and written.
    let conv = (2 * 8 * 16 * 16, 2 * 3 * 16 * 16 + 2 * (8 * 3 * 9 + 8));
    for (text, memory, access) in [
        // Conv2d with bias: N (input + parameters) + output.
        (
            "in x f32[2,3,16,16]; init w f32[8,3,3,3]; init b f32[8]; Conv x w b -> y pads=[1,1,1,1]; out y",
            conv.0,
            conv.0 + conv.1,
        ),
        // BatchNorm2d: N (input + 2 C) + output.
        (
            "in x f32[2,8,4,4]; init g f32[8]; init b f32[8]; init m f32[8]; init v f32[8]; \
             BatchNormalization x g b m v -> y; out y",
            2 * 8 * 16,
            2 * (8 * 16 + 2 * 8) + 2 * 8 * 16,
        ),
        // ReLU and ReLU6 read and write.
        ("in x f32[2,8,4,4]; Relu x -> y; out y", 256, 512),
        ("in x f32[2,8,4,4]; init l f32[]{0}; init h f32[]{6}; Clip x l h -> y; out y", 256, 512),
        // Pooling reads its input and writes its output; adaptive pooling is a module that torchstat does not know.
        ("in x f32[2,8,4,4]; MaxPool x -> y kernel_shape=[2,2] strides=[2,2]; out y", 64, 320),
        ("in x f32[2,8,4,4]; GlobalAveragePool x -> y; out y", 16, 0),
        // Linear with bias.
        ("in x f32[2,8]; init w f32[10,8]; init b f32[10]; Gemm x w b -> y transB=1; out y", 20, 2 * 8 + 2 * 90 + 20),
        // Functions are no modules.
        ("in x f32[2,8,4,4]; Add x x -> y; Concat x y -> z axis=1; out z", 0, 0),
    ] {
        let report = common::report(&common::model(text)).unwrap();
        let total = |key: &str| report.totals.counts.get(key).and_then(Dim::as_int).unwrap();
        assert_eq!(total("torchstat_memory_bytes"), 4 * memory, "{text}");
        assert_eq!(total("torchstat_access_bytes"), 4 * access, "{text}");
    }
}
