//! JSON: the report as it is (`docs/report.schema.json`).

use serde_json::json;

use super::{Style, Verified};
use crate::error::{Error, Result};
use crate::guidelines::Linted;
use crate::report::Report;

pub(super) fn report(report: &Report, _: &Style) -> Result<String> {
    let text = serde_json::to_string_pretty(report).map_err(|error| Error::new(error.to_string()))?;
    Ok(text + "\n")
}

pub(super) fn findings(models: &[Verified], _: &Style) -> String {
    let model = |model: &Verified| match &model.error {
        None => json!({"path": model.path, "fixture": model.fixture, "figures": model.findings}),
        Some(reason) => json!({"path": model.path, "error": reason}),
    };
    let models: Vec<_> = models.iter().map(model).collect();
    format!("{:#}\n", json!({ "models": models }))
}

pub(super) fn guidelines(linted: &Linted, _: &Style) -> String {
    format!("{:#}\n", json!(linted))
}
