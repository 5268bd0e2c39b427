//! `--device host`: this machine as a device, measured once and kept as a device file.

use std::path::PathBuf;

use lwstat::device::{self, Device};
use lwstat::{Error, Result};

use super::measure::RunArgs;
use super::shared::emit;

/// The device of this name or in this file; `host` is this machine with the threads that are asked for.
pub(crate) fn device(name: &str, runs: &RunArgs) -> Result<Device> {
    if name != "host" {
        return device::named(name);
    }
    let threads = runs.threads.map_or(1, usize::from);
    let path = cached(threads)?;
    let label = path.display().to_string();
    let kept = std::fs::read_to_string(&path).ok().and_then(|text| device::parse(&text, &label).ok());
    let title = title(threads);
    if let Some(kept) = kept.filter(|kept| kept.title == title) {
        return Ok(kept);
    }
    let text = measured(&title, threads)?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .map_err(|error| Error::new(lwstat::model::sentence(&error)).in_file(&folder.display().to_string()))?;
    }
    emit(&text, Some(&path))?;
    device::parse(&text, &label)
}

/// Where the measured device is kept.
fn cached(threads: usize) -> Result<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = folder("XDG_CACHE_HOME")
        .or_else(|| folder("LOCALAPPDATA"))
        .or_else(|| folder("HOME").map(|home| home.join(".cache")))
        .ok_or_else(|| Error::new("--device host: there is no cache folder: set XDG_CACHE_HOME, or HOME"))?;
    // A build without optimization has a lower roof.
    let build = if cfg!(debug_assertions) { "-debug" } else { "" };
    Ok(cache.join("lwstat").join(format!("host-{threads}{build}.yaml")))
}

#[cfg(feature = "latency")]
fn title(threads: usize) -> String {
    let cpu = lwstat::latency::cpu_name().replace(['"', '\\'], " ");
    format!("this machine ({cpu}, {})", lwstat::render::number::plural(threads, "thread"))
}

#[cfg(not(feature = "latency"))]
fn title(_: usize) -> String {
    String::new()
}

/// Runs the benchmark and writes its device file.
#[cfg(feature = "latency")]
fn measured(title: &str, threads: usize) -> Result<String> {
    let roof = lwstat::latency::roof::measure(threads, 20)?;
    let ram =
        memory().ok_or_else(|| Error::new("--device host: the RAM of this machine is not known: write a file"))?;
    Ok(format!(
        "name: host\ntitle: \"{title}\"\nmacs_per_second: {{f32: {:.0}}}\nbytes_per_second: {:.0}\nram_bytes: {ram}\n\
         sources: [\"measured by lwstat: the fastest of 20 products of 768×768 matrices, and of 20 sums of 64 MiB tensors, in tract {}\"]\n",
        roof.macs_per_second,
        roof.bytes_per_second,
        lwstat::latency::TRACT
    ))
}

#[cfg(not(feature = "latency"))]
fn measured(_: &str, _: usize) -> Result<String> {
    Err(Error::new("--device host: this build cannot measure: build lwstat with its default feature `latency`"))
}

/// Bytes of RAM, where the system tells.
#[cfg(feature = "latency")]
fn memory() -> Option<i64> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse::<i64>().ok()?.checked_mul(1024)
}
