//! Renderers: a report in, text out. They only format.

use crate::charts::Chart;
use crate::error::Result;
use crate::figures::Fixture;
use crate::guidelines::Linted;
use crate::latency::Latency;
use crate::report::Report;
use crate::summary::View;
use crate::verify::Finding;

mod check;
pub(crate) mod comparison;
mod correlation;
mod csv;
mod diff;
mod experiments;
mod html;
mod json;
pub(crate) mod latency;
mod markdown;
pub mod number;
pub mod tables;
mod text;

pub use check::{CHECKS, finding_text, schema as check_schema};
pub use comparison::COMPARISONS;
pub use correlation::{CORRELATIONS, Correlated};
pub use diff::DIFFS;
pub use experiments::{EXPERIMENTS, Experiments};

/// How a report is shown.
#[derive(Clone, Debug)]
pub struct Style<'a> {
    /// Which groups of nodes.
    pub view: View,
    /// Columns of the terminal; text does not grow wider where it can be helped.
    pub width: usize,
    /// Whether text may carry terminal colours.
    pub color: bool,
    /// All digits instead of a prefix: `300 774 272` for `300.8 M`.
    pub exact: bool,
    /// Whether the plan of the memory is shown, where the report has one.
    pub plan: bool,
    /// Published figures of the model, where they are known.
    pub figures: Option<&'a Fixture>,
    /// Charts of what is shown, for formats that can hold them.
    pub charts: &'a [Chart],
}

/// A format: its name and its function.
pub struct Format {
    /// Name, as `--format` takes it.
    pub name: &'static str,
    /// Renders a report.
    pub report: fn(&Report, &Style) -> Result<String>,
    /// Renders the findings of `verify`, model by model.
    pub findings: fn(&[Verified], &Style) -> String,
    /// Renders the guidelines' findings of one model.
    pub guidelines: fn(&Linted, &Style) -> String,
    /// Renders what was measured, model by model.
    pub measured: fn(&[Measured], &Style) -> String,
}

/// One model's measurement.
pub struct Measured {
    /// Path of the model.
    pub path: String,
    /// What was measured.
    pub latency: Option<Latency>,
    /// Why nothing was.
    pub error: Option<String>,
}

/// Formats of one kind of result: name, as `--format` takes it, and function.
pub type Formats<T> = &'static [(&'static str, fn(&T, &Style) -> String)];

/// One model's part of a verification.
pub struct Verified {
    /// Path of the model.
    pub path: String,
    /// The fixture that it was held against.
    pub fixture: Option<String>,
    /// A finding for each published figure.
    pub findings: Vec<Finding>,
    /// Why it was held against none.
    pub error: Option<String>,
}

/// The format table.
pub static FORMATS: &[Format] = &[
    Format {
        name: "text",
        report: text::report,
        findings: text::findings,
        guidelines: text::guidelines,
        measured: latency::text,
    },
    Format {
        name: "json",
        report: json::report,
        findings: json::findings,
        guidelines: json::guidelines,
        measured: latency::json,
    },
    Format {
        name: "csv",
        report: csv::report,
        findings: csv::findings,
        guidelines: csv::guidelines,
        measured: latency::csv,
    },
    Format {
        name: "md",
        report: markdown::report,
        findings: markdown::findings,
        guidelines: markdown::guidelines,
        measured: latency::markdown,
    },
    Format {
        name: "html",
        report: html::report,
        findings: html::findings,
        guidelines: html::guidelines,
        measured: html::measured,
    },
];
