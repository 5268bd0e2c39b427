//! Charts: drawings of a comparison or a report as SVG, legible in light and dark, and as PNG.
//!
//! A chart is made from numbers that are counted elsewhere; nothing here counts. Each file draws one kind, on `svg`'s
//! canvas, with `scale`'s axes.

pub mod bars;
pub mod family;
pub mod labels;
pub mod pareto;
mod plot;
#[cfg(feature = "png")]
pub mod png;
pub mod roofline;
pub mod scale;
pub mod scatter;
mod style;
mod svg;
pub mod timeline;
pub mod treemap;

pub use style::stylesheet;
pub(crate) use svg::escape;

/// A drawing with its title.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// What it shows, in words.
    pub title: String,
    /// Width in pixels of CSS.
    pub width: f64,
    /// Height in pixels of CSS.
    pub height: f64,
    /// What is drawn, as elements of SVG.
    body: String,
}

impl Chart {
    /// A whole SVG file, which follows the light or dark scheme of whoever shows it.
    pub fn svg(&self) -> String {
        self.file(&style::stylesheet())
    }

    /// A whole SVG file in light colours, without custom properties and media queries: for programs that know none.
    pub fn light_svg(&self) -> String {
        self.file(&style::light_stylesheet())
    }

    fn file(&self, style: &str) -> String {
        let Chart { width, height, .. } = self;
        self.element(&format!(" width=\"{width:.0}\" height=\"{height:.0}\""), &format!("<style>{style}</style>\n"))
    }

    /// An element for a page that has [`stylesheet`], as wide as there is room.
    pub fn element_for_page(&self) -> String {
        self.element("", "")
    }

    fn element(&self, size: &str, style: &str) -> String {
        let Chart { title, width, height, body } = self;
        let title = svg::escape(title);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" role=\"img\" aria-label=\"{title}\"{size} \
             viewBox=\"0 0 {width:.0} {height:.0}\">\n{style}{body}</svg>\n"
        )
    }
}
