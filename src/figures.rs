//! Figures: what papers and repositories publish of a network, read from `fixtures/` and built into the binary.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::Result;

macro_rules! built_in {
    ($($stem:literal,)*) => {
        /// The fixtures that are built in, by graph stem.
        const BUILT_IN: &[(&str, &str)] = &[$(($stem, include_str!(concat!("../fixtures/", $stem, ".yaml"))),)*];
    };
}

built_in! {
    "efficientnet_lite0",
    "ghostnet_0.5",
    "ghostnet_1.0",
    "ghostnet_1.3",
    "mobilenet_v1_1.0",
    "mobilenet_v2_0.5",
    "mobilenet_v2_1.0",
    "mobilenet_v2_1.4",
    "mobilenet_v3_large_1.0",
    "mobilenet_v3_small_1.0",
    "shufflenet_v1_1.0_g3",
    "shufflenet_v2_0.5",
    "shufflenet_v2_1.0",
    "shufflenet_v2_1.5",
    "shufflenet_v2_2.0",
    "squeezenet_1.0",
    "squeezenet_1.1",
}

/// What is published of one network (`fixtures/README.md` describes the file).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fixture {
    /// The graph's stem.
    pub name: String,
    /// The network's name in words.
    pub title: String,
    /// Other names that `verify --as` may give.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Whose structure the graph has.
    pub structure: String,
    /// Shapes of the inputs for which the figures hold.
    pub input: BTreeMap<String, Vec<i64>>,
    /// Exact counts of the graph by metric key.
    pub counts: BTreeMap<String, i64>,
    /// Published figures of cost.
    pub figures: Vec<Figure>,
    /// Published accuracies.
    #[serde(default)]
    pub accuracy: Vec<Accuracy>,
    /// Published latencies and speeds.
    #[serde(default)]
    pub latency: Vec<Latency>,
    /// Known discrepancies.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// A published figure of cost.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// Metric key.
    pub metric: String,
    /// The number as published, to its digits: `41 M`.
    pub value: String,
    /// What the source calls it.
    pub called: String,
    /// Whether a paper, a repository or a library publishes it.
    pub kind: String,
    /// Where it stands.
    pub source: String,
    /// Why the exact count does not round to it.
    #[serde(default)]
    pub deviation: Option<Deviation>,
}

/// A recorded deviation of a published figure from the exact count.
#[derive(Clone, Debug, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct Deviation {
    /// The cause, or plainly that it is unexplained.
    pub cause: String,
    /// Whether the cause accounts for all of it.
    pub explained: bool,
    /// Where the explanation comes from.
    #[serde(default)]
    pub source: Option<String>,
}

/// A published accuracy on ImageNet, in per cent.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accuracy {
    /// Top-1.
    pub top1: Option<f64>,
    /// Top-5.
    pub top5: Option<f64>,
    /// Whether a paper, a repository or a library publishes it.
    pub kind: String,
    /// Where it stands.
    pub source: String,
}

/// A published latency or speed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// The number.
    pub value: f64,
    /// Its unit: `ms`, `images/s`.
    pub unit: String,
    /// What it was measured on.
    pub device: String,
    /// Where it stands.
    pub source: String,
}

/// The names of the built-in fixtures.
pub fn built_in() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|(stem, _)| *stem)
}

/// The built-in fixture of this name; `aliases` are asked, too, where no graph has the name.
pub fn find(name: &str, aliases: bool) -> Result<Option<Fixture>> {
    if let Some((stem, text)) = BUILT_IN.iter().find(|(stem, _)| *stem == name) {
        return parse(text, stem).map(Some);
    }
    for (stem, text) in BUILT_IN.iter().filter(|_| aliases) {
        let fixture = parse(text, stem)?;
        if fixture.aliases.iter().any(|alias| alias == name) {
            return Ok(Some(fixture));
        }
    }
    Ok(None)
}

/// Reads a fixture; `path` names it in errors.
pub fn parse(text: &str, path: &str) -> Result<Fixture> {
    crate::yaml::parse(text, path, "fixture")
}

/// A published number: its digits as an integer, and the power of ten of the last one. `3.47 M` is 347 × 10⁴.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Published {
    /// All digits as one integer.
    pub digits: i64,
    /// The last digit counts so many units.
    pub unit: i64,
}

impl Published {
    /// Reads `41 M`, `0.301 G`, `2278604`; `None` where it is no such number.
    pub fn parse(text: &str) -> Option<Published> {
        let text = text.trim();
        let (number, prefix) = match text.split_once(' ') {
            Some((number, prefix)) => (number, prefix.trim()),
            None => (text, ""),
        };
        let power: u32 = match prefix {
            "" => 0,
            "k" | "K" => 3,
            "M" => 6,
            "G" | "B" => 9,
            "T" => 12,
            _ => return None,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let decimals = u32::try_from(fraction.len()).ok()?;
        let digits = format!("{whole}{fraction}").parse().ok().filter(|digits| *digits >= 0)?;
        Some(Published { digits, unit: 10i64.checked_pow(power.checked_sub(decimals)?)? })
    }

    /// Whether an exact count, rounded half up to the published digits, is this number.
    pub fn agrees(self, exact: i64) -> bool {
        exact.checked_add(self.unit / 2).is_some_and(|sum| sum.div_euclid(self.unit) == self.digits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_agrees_to_its_published_digits() {
        for (text, exact, agrees) in [
            ("41 M", 40_476_448, false),
            ("41 M", 40_500_000, true),
            ("146 M", 145_814_296, true),
            ("0.301 G", 300_774_272, true),
            ("3.47 M", 3_470_760, true),
            ("2278604", 2_278_604, true),
            ("2278604", 2_278_605, false),
            ("0 M", 0, true),
        ] {
            let published = Published::parse(text).unwrap();
            assert_eq!(published.agrees(exact), agrees, "{text} against {exact}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "M", "-3 M", "3 MiB", "1.23456 k", "99999999999999999999"] {
            assert_eq!(Published::parse(text), None, "{text}");
        }
    }

    #[test]
    fn built_in_fixtures_are_those_of_the_folder() {
        let mut files: Vec<String> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures"))
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".yaml").map(str::to_string))
            .collect();
        files.sort();
        assert_eq!(files, built_in().collect::<Vec<_>>());
        for name in built_in() {
            let fixture = find(name, false).unwrap().unwrap();
            assert_eq!(fixture.name, name);
            for figure in &fixture.figures {
                assert!(Published::parse(&figure.value).is_some(), "{name}: {}", figure.value);
                assert!(crate::cost::index_of(&figure.metric).is_some(), "{name}: {}", figure.metric);
                let exact = fixture.counts.get(&figure.metric).copied();
                let agrees = exact.is_some_and(|exact| Published::parse(&figure.value).unwrap().agrees(exact));
                assert_ne!(agrees, figure.deviation.is_some(), "{name}: {} {}", figure.metric, figure.value);
            }
        }
    }
}
