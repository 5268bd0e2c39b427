//! A chart as PNG, in light colours, at twice its size in pixels.

use std::sync::Arc;

use resvg::{tiny_skia, usvg};

use super::Chart;
use crate::error::{Error, Result};

/// Pixels of the image for a pixel of the drawing.
const SCALE: f64 = 2.0;

/// The image's bytes. Text is drawn in a font of the system: an error where it has none, since a chart without its text
/// says nothing.
pub fn png(chart: &Chart) -> Result<Vec<u8>> {
    let mut fonts = usvg::fontdb::Database::new();
    fonts.load_system_fonts();
    // What the stylesheet falls back to must be there.
    let has = |family: &str| fonts.faces().any(|face| face.families.iter().any(|(name, _)| name == family));
    let preferred = ["Noto Sans", "DejaVu Sans", "Liberation Sans", "Helvetica", "Arial"];
    let any = fonts.faces().next().and_then(|face| face.families.first()).map(|(name, _)| name.clone());
    let family = preferred.iter().find(|family| has(family)).map(|family| family.to_string()).or(any);
    let Some(family) = family else {
        return Err(Error::new(
            "there is no font to draw the text of a PNG with: install one (DejaVu Sans), or write SVG",
        ));
    };
    fonts.set_sans_serif_family(&family);
    let options = usvg::Options { font_family: family, fontdb: Arc::new(fonts), ..usvg::Options::default() };
    let fail = |reason: String| Error::new(format!("the chart cannot be drawn as PNG ({reason}): write SVG"));
    let tree = usvg::Tree::from_str(&chart.light_svg(), &options).map_err(|error| fail(error.to_string()))?;
    let (width, height) = ((chart.width * SCALE).ceil() as u32, (chart.height * SCALE).ceil() as u32);
    let mut image =
        tiny_skia::Pixmap::new(width, height).ok_or_else(|| fail(format!("it is {width}×{height} pixels")))?;
    let transform = tiny_skia::Transform::from_scale(SCALE as f32, SCALE as f32);
    resvg::render(&tree, transform, &mut image.as_mut());
    image.encode_png().map_err(|error| fail(error.to_string()))
}
