//! `--chart FILE`: where a chart is written, as what its name says.

use std::ffi::OsStr;
use std::path::Path;

use lwstat::charts::Chart;
use lwstat::{Error, Result};

use super::shared::emit_bytes;

/// What a chart is written as.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Svg,
    Png,
}

/// What the file's name asks for. An error where that is neither SVG nor PNG, or PNG and this build has none.
pub(crate) fn kind(path: &Path) -> Result<Kind> {
    match path.extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase).as_deref() {
        Some("svg") => Ok(Kind::Svg),
        Some("png") if cfg!(feature = "png") => Ok(Kind::Png),
        Some("png") => Err(Error::new(format!(
            "--chart {}: this lwstat is built without PNG (cargo feature png): write SVG",
            path.display()
        ))),
        _ => Err(Error::new(format!("--chart {}: the name must end in .svg or .png", path.display()))),
    }
}

/// Writes a chart; the file appears whole or not at all.
pub(crate) fn write(chart: &Chart, path: &Path) -> Result<()> {
    match kind(path)? {
        Kind::Svg => emit_bytes(chart.svg().as_bytes(), Some(path)),
        #[cfg(feature = "png")]
        Kind::Png => emit_bytes(&lwstat::charts::png::png(chart)?, Some(path)),
        #[cfg(not(feature = "png"))]
        Kind::Png => Ok(()),
    }
}
