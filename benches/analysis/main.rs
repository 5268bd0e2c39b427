//! The whole analysis against the bare decoding of the same bytes, and the opening of a file beyond 2 GB.
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::Criterion;
use lwstat::onnx::{GraphProto, ModelProto, TensorProto};
use lwstat::{Bindings, Model};
use prost::Message;

mod models;

const NODES: usize = 8000;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    // First, while the process holds nothing else.
    large_file(&mut criterion);
    let real = |name: &str| models::copies(&Model::open(format!("graphs/{name}.onnx")).unwrap().proto, NODES);
    let cases = [
        ("convolutional", models::convolutional(NODES)),
        ("ghostnet", real("ghostnet_1.0")),
        ("mobilenet_v3", real("mobilenet_v3_large_1.0")),
        ("transformer", models::transformer(100)),
    ];
    let cases = cases.map(|(name, model)| (name, Bytes::from(model.encode_to_vec())));
    for (name, bytes) in &cases {
        let mut group = criterion.benchmark_group(*name);
        group.bench_function("decode", |bencher| bencher.iter(|| decode(bytes)));
        group.bench_function("analysis", |bencher| bencher.iter(|| analyze(bytes)));
        group.finish();
    }
    for (name, bytes) in &cases {
        ratio(name, bytes);
    }
    criterion.final_summary();
}

fn decode(bytes: &Bytes) {
    black_box(ModelProto::decode(bytes.clone()).unwrap());
}

fn analyze(bytes: &Bytes) {
    black_box(Model::read(bytes.clone()).unwrap().report(&Bindings::default()).unwrap());
}

/// Prints how many times the bare decoding the analysis takes: medians of runs that take turns, so that what else the
/// machine does meets both alike.
fn ratio(name: &str, bytes: &Bytes) {
    let timed = |run: fn(&Bytes)| {
        let start = Instant::now();
        run(bytes);
        start.elapsed()
    };
    let (mut bare, mut whole): (Vec<_>, Vec<_>) = (0..41).map(|_| (timed(decode), timed(analyze))).unzip();
    let (bare, whole) = (median(&mut bare), median(&mut whole));
    let nodes = Model::read(bytes.clone()).unwrap().proto.graph.unwrap().node.len();
    let ratio = whole.as_secs_f64() / bare.as_secs_f64();
    println!(
        "{name:<14} {nodes} nodes, {} bytes: decode {bare:.2?}, analysis {whole:.2?}, ratio {ratio:.2}",
        bytes.len()
    );
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// A model of one file beyond 2 GB, its weights a hole in a sparse file: what counts is that nobody reads them.
fn large_file(criterion: &mut Criterion) {
    let mut model = models::convolutional(NODES / 8);
    let hole = 64 << 20;
    let weights = 34;
    let file = tempfile::NamedTempFile::new().unwrap();
    let graph = model.graph.take().unwrap();
    sparse(file.as_file(), &model, &graph, weights, hole);
    let size = file.as_file().metadata().unwrap().len();
    let run = || {
        let model = Model::open(file.path()).unwrap();
        black_box((model.report(&Bindings::default()).unwrap(), model));
    };
    criterion.bench_function("open and analyze 2 GB", |bencher| bencher.iter(run));
    let before = anonymous();
    let model = Model::open(file.path()).unwrap();
    let report = model.report(&Bindings::default()).unwrap();
    let during = anonymous();
    let mut times: Vec<_> = (0..21)
        .map(|_| Instant::now())
        .map(|start| {
            run();
            start.elapsed()
        })
        .collect();
    println!(
        "file of {size} bytes, {} nodes: {:.2?}; anonymous memory {before:?} kB before, {during:?} kB with the report",
        report.totals.nodes,
        median(&mut times),
    );
}

/// Writes the model, then tensors of `bytes` zero bytes each, without writing the zeros.
fn sparse(mut file: &std::fs::File, model: &ModelProto, graph: &GraphProto, tensors: usize, bytes: u64) {
    use std::io::{Seek, SeekFrom, Write};
    let header = |index: usize| {
        let empty = TensorProto {
            dims: vec![bytes as i64 / 4],
            data_type: 1,
            name: format!("features.{index}.unused"),
            ..TensorProto::default()
        };
        let mut tensor = empty.encode_to_vec();
        // raw_data: field 9, length-delimited.
        tensor.push(9 << 3 | 2);
        prost::encoding::encode_varint(bytes, &mut tensor);
        let mut field = vec![5 << 3 | 2];
        prost::encoding::encode_varint(tensor.len() as u64 + bytes, &mut field);
        field.extend(tensor);
        field
    };
    let nodes = graph.encode_to_vec();
    let headers: Vec<_> = (0..tensors).map(header).collect();
    let length = nodes.len() as u64 + headers.iter().map(|header| header.len() as u64 + bytes).sum::<u64>();
    let mut start = model.encode_to_vec();
    // graph: field 7, length-delimited.
    start.push(7 << 3 | 2);
    prost::encoding::encode_varint(length, &mut start);
    file.write_all(&start).unwrap();
    file.write_all(&nodes).unwrap();
    for header in &headers {
        file.write_all(header).unwrap();
        file.seek(SeekFrom::Current(bytes as i64)).unwrap();
    }
    let end = file.stream_position().unwrap();
    file.set_len(end).unwrap();
}

/// Memory of this process that no file backs, in kB, where the system tells.
fn anonymous() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.split_whitespace().next()?.parse().ok()
}
