//! Colours and fonts of all charts: one stylesheet, light and dark.
//!
//! Series have the hues of Okabe and Ito's palette, which people with colour-blindness tell apart, darkened on white and
//! lightened on black until they stand out; each series has a mark of its own, too.

/// Colours of series; a chart with more uses them again with other marks.
pub(super) const SERIES: usize = 7;

/// A custom property with its light and its dark value.
const COLOURS: &[(&str, &str, &str)] = &[
    ("paper", "#ffffff", "#16181c"),
    ("ink", "#1d1f23", "#e8e9ec"),
    ("muted", "#5c6068", "#a2a7b0"),
    ("grid", "#e4e6ea", "#2f333a"),
    ("axis", "#8b9099", "#70757f"),
    ("c0", "#0072b2", "#58a9e8"),
    ("c1", "#d55e00", "#ff9147"),
    ("c2", "#00835f", "#2fcf9f"),
    ("c3", "#b0528a", "#eb9fca"),
    ("c4", "#9a6a00", "#f0bd45"),
    ("c5", "#3d8fc2", "#a9dcff"),
    ("c6", "#5c6068", "#b9bdc6"),
];

const RULES: &str = "\
.chart{background:var(--paper);font-family:system-ui,-apple-system,\"Segoe UI\",Roboto,\"Helvetica Neue\",\"Noto Sans\",\
\"DejaVu Sans\",Arial,sans-serif;font-size:12px}
.chart text{fill:var(--ink)}
.chart .title{font-size:15px;font-weight:600}
.chart .muted{fill:var(--muted);font-size:11px}
.chart .small{font-size:11px}
.chart .strong{font-weight:600}
.chart .halo{paint-order:stroke;stroke:var(--paper);stroke-width:3px;stroke-linejoin:round}
.chart .paper{fill:var(--paper)}
.chart .grid{stroke:var(--grid);fill:none}
.chart .axis{stroke:var(--axis);fill:none}
.chart .leader{stroke:var(--axis);stroke-width:.75;fill:none}
.chart .front{stroke:var(--muted);stroke-width:1.25;stroke-dasharray:5 4;fill:none}
.chart .roof{stroke:var(--ink);stroke-width:1.75;fill:none}
.chart .line{stroke-width:1.5;fill:none}
.chart .mark{stroke:var(--paper);stroke-width:1}
.chart .hollow{fill:var(--paper);stroke-width:1.75}
.chart .see{fill-opacity:.75}
.chart .pale{fill-opacity:.6}
.chart .paler{fill-opacity:.32}
.chart .soft{fill-opacity:.22}
.chart .faint{fill-opacity:.14}
.chart .tint{fill-opacity:.34}
.chart .tile{stroke:var(--paper);stroke-width:1.5}
";

/// The stylesheet that [`super::Chart::element_for_page`] needs.
pub fn stylesheet() -> String {
    let declare = |dark: bool| {
        let value =
            |&(name, light, other): &(&str, &str, &str)| format!("--{name}:{}", if dark { other } else { light });
        COLOURS.iter().map(value).collect::<Vec<_>>().join(";")
    };
    format!(
        ":root{{color-scheme:light dark;{}}}\n@media(prefers-color-scheme:dark){{:root{{{}}}}}\n{}",
        declare(false),
        declare(true),
        rules()
    )
}

/// The same in light colours, each written where it is used.
pub(super) fn light_stylesheet() -> String {
    let light = |rules: String, (name, light, _): &(&str, &str, &str)| rules.replace(&format!("var(--{name})"), light);
    COLOURS.iter().fold(rules(), light)
}

fn rules() -> String {
    let series = |index: usize| {
        format!(".chart .f{index}{{fill:var(--c{index})}}\n.chart .l{index}{{stroke:var(--c{index})}}\n")
    };
    // Before the others: a mark's outline is the paper's colour whatever its series.
    (0..SERIES).map(series).collect::<String>() + RULES
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance, as the Web Content Accessibility Guidelines define it.
    fn luminance(colour: &str) -> f64 {
        let part = |at: usize| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
        a.max(b) / a.min(b)
    }

    #[test]
    fn colours_stand_out_on_the_paper() {
        let (_, light, dark) = COLOURS[0];
        for (name, on_light, on_dark) in &COLOURS[1..] {
            let least = match *name {
                "ink" | "muted" => 4.5,
                "grid" => 1.0,
                _ => 3.0,
            };
            for (colour, paper) in [(on_light, light), (on_dark, dark)] {
                assert!(contrast(colour, paper) >= least, "{name} on {paper}: {}", contrast(colour, paper));
            }
        }
    }

    #[test]
    fn the_light_stylesheet_has_no_custom_properties() {
        assert!(!light_stylesheet().contains("var("));
    }
}
