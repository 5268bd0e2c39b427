//! What is held of thousands of models while they are checked and blessed: a counting allocator says.

#![allow(missing_docs, unsafe_code, clippy::unwrap_used)]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use lwstat::Model;
use lwstat::check::baseline::{Baseline, Writer};
use lwstat::check::config;
use lwstat::check::gate::{Question, bless, check};
use prost::Message;

/// Bytes in use, and the most since the last mark.
struct Counting;

static USED: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let used = USED.fetch_add(layout.size(), Relaxed) + layout.size();
        MOST.fetch_max(used, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes in use beyond those at the start.
fn peak<T>(run: impl FnOnce() -> T) -> usize {
    let start = USED.load(Relaxed);
    MOST.store(start, Relaxed);
    drop(run());
    MOST.load(Relaxed) - start
}

/// A network whose entry in a baseline has some 4 KiB.
fn net() -> String {
    let mut text = "in x0 f32[1,8,16,16]".to_string();
    for at in 0..16 {
        text += &format!("; init w{at} f32[8,8,3,3]; stage{at}=Conv x{at} w{at} -> a{at} pads=[1,1,1,1]");
        text += &format!("; act{at}=Relu a{at} -> x{}", at + 1);
    }
    text + "; out x16"
}

/// The peaks of `bless`, of `bless` where nothing changed, and of `check`.
fn peaks(count: usize) -> [usize; 3] {
    let folder = tempfile::tempdir().unwrap();
    let (nets, path) = (folder.path().join("nets"), folder.path().join("lwstat.yaml"));
    std::fs::create_dir(&nets).unwrap();
    let bytes = common::model(&net()).encode_to_vec();
    (0..count).for_each(|at| std::fs::write(nets.join(format!("{at:05}.onnx")), &bytes).unwrap());
    let limits = "limits: {macs: 0, params: 0, memory_access_bytes: +1 %, peak_activation_bytes: 0}";
    std::fs::write(&path, format!("models: [{{path: nets, budget: {{macs: 1 G}}, {limits}}}]")).unwrap();
    let open = |path: &Path| Model::open(path);
    let accept = || {
        let config = config::read(&path).unwrap();
        let before = Baseline::read(&config.baseline).unwrap();
        let new = folder.path().join("new.json");
        let mut out = std::io::BufWriter::new(std::fs::File::create(&new).unwrap());
        let mut writer = Writer::new(&mut out, &config.baseline, before.as_ref(), &|_| false).unwrap();
        let question = Question { baseline: None, open: &open, done: &|| () };
        let outcome = bless(&config, &question, &mut |key, entry| writer.add(key, entry)).unwrap();
        assert_eq!((outcome.count(None), writer.end().unwrap()), (count, before.is_none()));
        drop(out);
        std::fs::rename(&new, &config.baseline).unwrap();
    };
    let (first, again) = (peak(accept), peak(accept));
    let entry = folder.path().join("lwstat.baseline.json").metadata().unwrap().len() as usize / count;
    assert!(entry > 3 << 10, "an entry has {entry} bytes");
    let checked = peak(|| {
        let config = config::read(&path).unwrap();
        let baseline = Baseline::read(&config.baseline).unwrap();
        let question = Question { baseline: baseline.as_ref(), open: &open, done: &|| () };
        let outcome = check(&config, &question);
        assert_eq!(outcome.count(None), count);
        outcome
    });
    [first, again, checked]
}

/// One thread, so that no more than one model is at hand; more models than are analyzed at a time.
#[test]
fn of_a_model_that_passes_less_than_a_kibibyte_is_kept() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let (few, many) = (512, 1024);
    let (small, large) = pool.install(|| (peaks(few), peaks(many)));
    for (what, (small, large)) in ["bless", "bless again", "check"].into_iter().zip(small.into_iter().zip(large)) {
        let each = large.saturating_sub(small) / (many - few);
        assert!(each < 1 << 10, "{what}: {each} bytes a model, {small} for {few}, {large} for {many}");
    }
}
