//! Devices: peak rates, bandwidth and memory sizes from `fixtures/devices/`, and what they make of a model.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cost::{Coverage, Row};
use crate::dim::Dim;
use crate::error::{Error, Result};
use crate::memory::MemoryPlan;
use crate::nearest::did_you_mean;
use crate::quantity::{Kind, Quantity};
use crate::report::{Report, TensorKind};
use crate::tensor::DType;

macro_rules! built_in {
    ($($stem:literal,)*) => {
        /// The devices that are built in, by name.
        const BUILT_IN: &[(&str, &str)] =
            &[$(($stem, include_str!(concat!("../fixtures/devices/", $stem, ".yaml"))),)*];
    };
}

built_in! {
    "nano-33-ble",
    "pixel-4",
    "raspberry-pi-4b",
    "raspberry-pi-5",
    "rp2040",
    "snapdragon-810-1core",
    "stm32f746",
    "stm32h743",
    "zen3-1core",
}

/// A device (`fixtures/devices/README.md` describes the file).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Its name, as `--device` takes it.
    pub name: String,
    /// Its name in words, with what of it is meant: how many cores, at which clock.
    pub title: String,
    /// Peak multiply-accumulates a second, by dtype.
    pub macs_per_second: BTreeMap<String, Quantity>,
    /// Peak bandwidth of the memory that tensors lie in, bytes a second.
    pub bytes_per_second: Quantity,
    /// Bytes of RAM.
    pub ram_bytes: Quantity,
    /// Bytes of flash, where weights lie in flash: microcontrollers.
    #[serde(default)]
    pub flash_bytes: Option<Quantity>,
    /// Where each figure comes from.
    pub sources: Vec<String>,
    /// What a user must know.
    #[serde(default)]
    pub notes: Option<String>,
}

/// What binds a node under the roofline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Bound {
    /// Arithmetic takes longer than memory access.
    Compute,
    /// Memory access takes longer than arithmetic.
    Memory,
}

/// A node under the roofline.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Roofline {
    /// The least time that the node can take, in milliseconds: the longer of its arithmetic (FLOPs at two a
    /// multiply-accumulate) at the peak rate of its dtype and its memory access at the peak bandwidth.
    pub roofline_ms: f64,
    /// Which of the two it is.
    pub bound: Bound,
}

/// Whether something fits, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fits {
    /// As the file is.
    Yes,
    /// In the file's order, with element-wise results written over inputs that die.
    InPlace,
    /// In the best order that was found, in one arena.
    BestOrder,
    /// In that order, with element-wise results written over inputs that die.
    BestOrderInPlace,
    /// In none of these ways.
    No,
}

/// A memory of the device and what the model needs of it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Fit {
    /// Whether it is enough.
    pub fits: Fits,
    /// Bytes that the model needs in the file's order.
    pub needed_bytes: i64,
    /// Bytes without which no order of the nodes can run, each output in a buffer of its own.
    pub least_bytes: i64,
    /// Bytes that the device has.
    pub available_bytes: i64,
    /// Bytes needed in the file's order if every float took one byte; null where that is not simply a matter of dtype.
    pub eight_bit_bytes: Option<i64>,
    /// What the bytes are, and why they are too many.
    pub reason: String,
}

/// What a device makes of a model.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Placement {
    /// Name of the device.
    pub name: String,
    /// Its name in words.
    pub title: String,
    /// Sum of the nodes' roofline times, in milliseconds: no run of these nodes, one after the other, each reading and
    /// writing main memory, is faster.
    pub roofline_ms: f64,
    /// The part of it that nodes bound by arithmetic take, in milliseconds.
    pub compute_bound_ms: f64,
    /// The part of it that nodes bound by memory access take, in milliseconds.
    pub memory_bound_ms: f64,
    /// Nodes bound by arithmetic.
    pub compute_bound_nodes: usize,
    /// Nodes bound by memory access; nodes that do neither are not among them.
    pub memory_bound_nodes: usize,
    /// Nodes whose cost is unknown: the times leave them out.
    pub unknown_nodes: usize,
    /// Dtypes of which the device file says nothing: the rate of f32 is taken.
    pub assumed_dtypes: Vec<&'static str>,
    /// Whether it fits into all memories, in some order.
    pub fits: bool,
    /// The RAM: peak of the activations, and what the flash holds where the device has none.
    pub ram: Fit,
    /// The flash: weights and constants.
    pub flash: Option<Fit>,
}

/// The built-in devices, by name.
pub fn built_in() -> impl Iterator<Item = Result<Device>> {
    BUILT_IN.iter().map(|(name, text)| parse(text, name))
}

/// The device of this name, or in this file.
pub fn named(name: &str) -> Result<Device> {
    if let Some((name, text)) = BUILT_IN.iter().find(|(built_in, _)| *built_in == name) {
        return parse(text, name);
    }
    if !name.ends_with(".yaml") && !name.ends_with(".yml") {
        let known: Vec<_> = BUILT_IN.iter().map(|(name, _)| *name).collect();
        return Err(Error::new(format!(
            "there is no device \"{name}\"{}: give one of {}, host for this machine, or a file NAME.yaml",
            did_you_mean(name, known.iter().copied()),
            known.join(", ")
        )));
    }
    let text =
        std::fs::read_to_string(name).map_err(|error| Error::new(crate::model::sentence(&error)).in_file(name))?;
    parse(&text, name)
}

/// Reads a device; `path` names it in errors.
pub fn parse(text: &str, path: &str) -> Result<Device> {
    let device: Device = crate::yaml::parse(text, path, "device")?;
    let fail = |reason: String| Err(Error::new(reason).in_file(path));
    if let Some(unknown) = device.macs_per_second.keys().find(|name| DType::named(name).is_none()) {
        return fail(format!("there is no dtype \"{unknown}\": write f32, f16, i8"));
    }
    if !device.macs_per_second.contains_key("f32") {
        return fail("macs_per_second needs a rate for f32".to_string());
    }
    let rates = device.macs_per_second.values().map(|rate| ("macs_per_second", rate, &[Kind::Count][..]));
    let bandwidth = ("bytes_per_second", &device.bytes_per_second, &[Kind::Count, Kind::Bytes][..]);
    let sizes = [("ram_bytes", Some(&device.ram_bytes)), ("flash_bytes", device.flash_bytes.as_ref())];
    let sizes = sizes.into_iter().filter_map(|(key, size)| Some((key, size?, &[Kind::Bytes][..])));
    for (key, quantity, kinds) in rates.chain([bandwidth]).chain(sizes) {
        if quantity.kind.is_some_and(|kind| !kinds.contains(&kind)) {
            let form = if kinds == [Kind::Bytes] { "bytes, such as 5 MiB" } else { "a number a second, such as 24 G" };
            return fail(format!("{key} is {form}"));
        }
        if quantity.value < 1 {
            return fail(format!("{key} must be at least 1"));
        }
    }
    Ok(device)
}

impl Device {
    /// Peak multiply-accumulates a second for a dtype; `None` where the file says nothing of it.
    pub(crate) fn rate(&self, dtype: DType) -> Option<f64> {
        let of = |name: &str| self.macs_per_second.get(name).map(|rate| rate.value as f64);
        of(dtype.name()).or_else(|| of("i8").filter(|_| dtype == DType::U8))
    }

    /// One node under this device's roofline, its arithmetic in the fastest of these dtypes; `None` where its cost is
    /// unknown or a formula.
    pub fn roofline(&self, row: &Row, dtypes: impl Iterator<Item = DType>) -> Option<Roofline> {
        let count = |key: &str| row.counts.get(key).and_then(Dim::as_int).map(|count| count as f64);
        let rates = dtypes.filter_map(|dtype| self.rate(dtype).or_else(|| self.rate(DType::F32)));
        let rate = rates.reduce(f64::max)?;
        let compute = count("flops")? / 2.0 / rate;
        let memory = count("memory_access_bytes")? / self.bytes_per_second.value as f64;
        let bound = if compute > memory { Bound::Compute } else { Bound::Memory };
        Some(Roofline { roofline_ms: 1e3 * compute.max(memory), bound })
    }
}

impl Report {
    /// Adds what a device makes of the model: every node's roofline time, and [`Report::device`] where the memory is
    /// planned ([`crate::Model::report_with_plan`]).
    pub fn place_on(&mut self, device: &Device) {
        for index in 0..self.nodes.len() {
            let row = &self.nodes[index];
            // A node that runs bodies works in their dtypes: its rows follow.
            let body = format!("{}/", row.name);
            let inside =
                self.nodes[index + 1..].iter().take_while(|row| row.name.starts_with(&body)).map(|row| row.dtype);
            let own = (row.coverage != Coverage::Bounded).then_some(row.dtype);
            let roofline = device.roofline(row, own.into_iter().chain(inside));
            self.nodes[index].roofline = roofline;
        }
        self.device = self.memory.as_ref().map(|plan| placement(self, plan, device));
    }
}

fn placement(report: &Report, plan: &MemoryPlan, device: &Device) -> Placement {
    let rows = || report.nodes.iter().filter(|row| !row.alternative);
    let bound = |bound: Bound| {
        let of = rows().filter_map(|row| row.roofline).filter(|one| one.bound == bound && one.roofline_ms > 0.0);
        // A sum of no floats is −0.
        (of.clone().count(), of.fold(0.0, |sum, one| sum + one.roofline_ms))
    };
    let (compute_bound_nodes, compute_bound_ms) = bound(Bound::Compute);
    let (memory_bound_nodes, memory_bound_ms) = bound(Bound::Memory);
    let works = |row: &&Row| {
        row.coverage != Coverage::Bounded
            && row.counts.get("flops").and_then(Dim::as_int).is_some_and(|flops| flops > 0)
    };
    let assumed: BTreeSet<&str> = rows()
        .filter(works)
        .map(|row| row.dtype)
        .filter(|dtype| device.rate(*dtype).is_none())
        .map(DType::name)
        .collect();
    let stored = |key: &str| report.totals.counts.get(key).and_then(Dim::as_int).unwrap_or(0);
    let weights = stored("weight_bytes").saturating_add(stored("constant_bytes"));
    let flash = device.flash_bytes.map(|flash| flash_fit(report, weights, flash.value));
    let ram = ram_fit(report, plan, if flash.is_some() { 0 } else { weights }, device.ram_bytes.value);
    Placement {
        name: device.name.clone(),
        title: device.title.clone(),
        roofline_ms: compute_bound_ms + memory_bound_ms,
        compute_bound_ms,
        memory_bound_ms,
        compute_bound_nodes,
        memory_bound_nodes,
        unknown_nodes: rows().filter(|row| row.roofline.is_none()).count(),
        assumed_dtypes: assumed.into_iter().collect(),
        fits: ram.fits != Fits::No && flash.as_ref().is_none_or(|flash| flash.fits != Fits::No),
        ram,
        flash,
    }
}

/// Whether all floats of these kinds of tensors are f32, so that a quarter of their bytes is one byte an element.
fn all_f32(report: &Report, kinds: &[TensorKind]) -> bool {
    let of = report.tensors.iter().filter(|tensor| kinds.contains(&tensor.kind));
    of.clone().next().is_some() && of.into_iter().all(|tensor| tensor.tensor.dtype == Some("f32"))
}

fn flash_fit(report: &Report, weights: i64, available: i64) -> Fit {
    let fits = if weights <= available { Fits::Yes } else { Fits::No };
    Fit {
        fits,
        needed_bytes: weights,
        least_bytes: weights,
        available_bytes: available,
        eight_bit_bytes: all_f32(report, &[TensorKind::Parameter]).then_some(weights / 4 + i64::from(weights % 4 > 0)),
        reason: match fits {
            Fits::No => "weights and constants are larger than the flash".to_string(),
            _ => "weights and constants; code and runtime come on top".to_string(),
        },
    }
}

fn ram_fit(report: &Report, plan: &MemoryPlan, weights: i64, available: i64) -> Fit {
    let room = |bytes: i64| bytes.saturating_add(weights) <= available;
    let activations =
        if weights > 0 { "weights, constants and peak of the activations" } else { "peak of the activations" };
    let (fits, reason) = if room(plan.peak_bytes) {
        (Fits::Yes, activations.to_string())
    } else if room(plan.in_place_bytes) {
        (Fits::InPlace, format!("{activations}: only with element-wise operators in place"))
    } else if room(plan.arena.bytes) {
        (Fits::BestOrder, format!("{activations}: only in the best order of the nodes"))
    } else if room(plan.best_in_place_bytes) {
        (Fits::BestOrderInPlace, format!("{activations}: only in the best order, with element-wise operators in place"))
    } else if room(0) {
        (Fits::No, format!("{activations}: neither in place nor in the best order that was found small enough"))
    } else {
        (Fits::No, "the weights alone are larger than the RAM".to_string())
    };
    let needed = plan.peak_bytes.saturating_add(weights);
    let kinds = [TensorKind::Input, TensorKind::Output, TensorKind::Activation];
    let weights_too = weights == 0 || all_f32(report, &[TensorKind::Parameter]);
    Fit {
        fits,
        needed_bytes: needed,
        least_bytes: plan.lower_bound_bytes.saturating_add(weights),
        available_bytes: available,
        eight_bit_bytes: (weights_too && all_f32(report, &kinds)).then_some(needed / 4 + i64::from(needed % 4 > 0)),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_devices_are_those_of_the_folder() {
        let mut files: Vec<String> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/devices"))
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".yaml").map(str::to_string))
            .collect();
        files.sort();
        assert_eq!(files, BUILT_IN.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        for (device, (name, _)) in built_in().zip(BUILT_IN) {
            let device = device.unwrap();
            assert_eq!(device.name, *name);
            assert!(!device.sources.is_empty(), "{name} needs sources");
        }
    }

    #[test]
    fn a_wrong_device_is_refused_with_its_place() {
        let good =
            "name: d\ntitle: D\nmacs_per_second: {f32: 1 G}\nbytes_per_second: 1 G\nram_bytes: 1 MiB\nsources: [s]\n";
        assert!(parse(good, "d.yaml").is_ok());
        for (from, to, said) in [
            ("1 MiB", "1 Mb", "\"1 Mb\" is no quantity"),
            ("f32", "i8", "a rate for f32"),
            ("{f32: 1 G}", "{f32: 1 G, f31: 1 G}", "no dtype \"f31\""),
            ("{f32: 1 G}", "{f32: 0}", "at least 1"),
            ("{f32: 1 G}", "{f32: 1 GiB}", "macs_per_second is a number a second"),
            ("bytes_per_second: 1 G", "bytes_per_second: 0", "at least 1"),
            ("bytes_per_second: 1 G", "bytes_per_second: 5 s", "bytes_per_second is a number a second"),
            ("1 MiB", "2 ms", "ram_bytes is bytes"),
            ("1 MiB", "0", "at least 1"),
            ("ram_bytes", "ram", "unknown field"),
        ] {
            let error = parse(&good.replace(from, to), "d.yaml").unwrap_err().to_string();
            assert!(error.starts_with("d.yaml: ") && error.contains(said) && !error.contains('\n'), "{error}");
        }
    }
}
