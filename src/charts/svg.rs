//! The canvas: elements of SVG as text, every name escaped, every number short.

use std::fmt::Write;

use crate::render::number::clean;

/// Text size of labels, in pixels.
pub(super) const SIZE: f64 = 12.0;

/// Where a text stands in relation to its point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// Elements in the order in which they are drawn.
#[derive(Default)]
pub(super) struct Canvas {
    pub(super) body: String,
}

impl Canvas {
    pub(super) fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        self.path(class, &format!("M{} {}L{} {}", n(x1), n(y1), n(x2), n(y2)), "");
    }

    /// A line through all points.
    pub(super) fn polyline(&mut self, class: &str, points: &[(f64, f64)]) {
        self.path(class, &through(points), "");
    }

    /// A path; `title` is shown to whoever points at it, and read out.
    pub(super) fn path(&mut self, class: &str, d: &str, title: &str) {
        let _ = match title {
            "" => writeln!(self.body, "<path class=\"{class}\" d=\"{d}\"/>"),
            title => writeln!(self.body, "<path class=\"{class}\" d=\"{d}\"><title>{}</title></path>", tooltip(title)),
        };
    }

    pub(super) fn rect(&mut self, class: &str, (x, y): (f64, f64), (width, height): (f64, f64), title: &str) {
        let (x, y, width, height) = (n(x), n(y), n(width), n(height));
        let open = format!("<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"");
        let _ = match title {
            "" => writeln!(self.body, "{open}/>"),
            title => writeln!(self.body, "{open}><title>{}</title></rect>", tooltip(title)),
        };
    }

    /// A text whose baseline starts, has its middle or ends at the point.
    pub(super) fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
        let _ = writeln!(self.body, "<text{class} x=\"{}\" y=\"{}\"{anchor}>{}</text>", n(x), n(y), escape(text));
    }

    /// A text that is read upwards and ends at the point.
    pub(super) fn text_up(&mut self, class: &str, (x, y): (f64, f64), text: &str) {
        let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
        let (x, y, text) = (n(x), n(y), escape(text));
        let _ = writeln!(
            self.body,
            "<text{class} x=\"{x}\" y=\"{y}\" text-anchor=\"end\" transform=\"rotate(-90 {x} {y})\">{text}</text>"
        );
    }
}

/// The path through these points.
pub(super) fn through(points: &[(f64, f64)]) -> String {
    let step =
        |(index, (x, y)): (usize, &(f64, f64))| format!("{}{} {}", if index == 0 { "M" } else { "L" }, n(*x), n(*y));
    points.iter().enumerate().map(step).collect()
}

/// The outline of a mark of about `radius` around a point; eight shapes, then the first again.
pub(super) fn mark(shape: usize, (x, y): (f64, f64), radius: f64) -> String {
    let polygon = |corners: &[(f64, f64)]| {
        let points: Vec<_> = corners.iter().map(|(dx, dy)| (x + radius * dx, y + radius * dy)).collect();
        through(&points) + "Z"
    };
    match shape % 8 {
        0 => {
            let (r, d) = (n(radius), n(2.0 * radius));
            format!("M{} {}a{r} {r} 0 1 0 {d} 0a{r} {r} 0 1 0 -{d} 0Z", n(x - radius), n(y))
        }
        1 => polygon(&[(-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)]),
        2 => polygon(&[(0.0, -1.2), (1.1, 0.8), (-1.1, 0.8)]),
        3 => polygon(&[(0.0, -1.3), (1.1, 0.0), (0.0, 1.3), (-1.1, 0.0)]),
        4 => polygon(&[(0.0, 1.2), (1.1, -0.8), (-1.1, -0.8)]),
        5 => polygon(&[
            (-0.4, -1.1),
            (0.4, -1.1),
            (0.4, -0.4),
            (1.1, -0.4),
            (1.1, 0.4),
            (0.4, 0.4),
            (0.4, 1.1),
            (-0.4, 1.1),
            (-0.4, 0.4),
            (-1.1, 0.4),
            (-1.1, -0.4),
            (-0.4, -0.4),
        ]),
        6 => polygon(&[(-0.6, -1.04), (0.6, -1.04), (1.2, 0.0), (0.6, 1.04), (-0.6, 1.04), (-1.2, 0.0)]),
        _ => polygon(&[(-1.1, -1.1), (1.1, -1.1), (0.0, 0.0), (1.1, 1.1), (-1.1, 1.1), (0.0, 0.0)]),
    }
}

/// A coordinate with one decimal at most: a tenth of a pixel is seen by nobody.
pub(super) fn n(value: f64) -> String {
    let text = format!("{value:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0".to_string() } else { text.to_string() }
}

/// A tooltip: its lines stay lines.
fn tooltip(text: &str) -> String {
    text.split('\n').map(escape).collect::<Vec<_>>().join("\n")
}

/// Text from a file as text of XML: markup is escaped, characters that XML does not allow are replaced.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in clean(text).chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// The width of a text of [`SIZE`], in pixels: no less than what common fonts take. The reader's font is not known.
pub(super) fn width(text: &str) -> f64 {
    let em = |letter: char| match letter {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' => 0.34,
        'f' | 't' | 'r' | ' ' | '(' | ')' | '[' | ']' | '/' | '-' => 0.42,
        'm' | 'w' | 'M' | 'W' | '%' | '@' | '→' | '≥' | '≤' | '×' | '−' => 0.95,
        'A'..='Z' => 0.72,
        letter if u32::from(letter) >= 0x1100 => 1.05,
        _ => 0.64,
    };
    text.chars().map(em).sum::<f64>() * SIZE
}

/// As much of a text as is no wider than `room`, its end or its start left out.
pub(super) fn shortened(text: &str, room: f64, keep_end: bool) -> String {
    if width(text) <= room {
        return text.to_string();
    }
    let letters: Vec<char> = text.chars().collect();
    let (mut kept, mut used) = (0, width("…"));
    let nth = |at: usize| if keep_end { letters[letters.len() - 1 - at] } else { letters[at] };
    while kept < letters.len() && used + width(&nth(kept).to_string()) <= room {
        used += width(&nth(kept).to_string());
        kept += 1;
    }
    match keep_end {
        true => ['…'].iter().chain(&letters[letters.len() - kept..]).collect(),
        false => letters[..kept].iter().chain(&['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_text_and_never_markup() {
        for (name, text) in [
            ("a<b>&\"c'", "a&lt;b&gt;&amp;&quot;c&#39;"),
            ("</svg><script>", "&lt;/svg&gt;&lt;script&gt;"),
            ("a\u{1b}[31m\u{0}\u{ffff}", "a\u{fffd}[31m\u{fffd}\u{fffd}"),
        ] {
            assert_eq!(escape(name), text);
        }
    }

    #[test]
    fn texts_are_shortened_to_the_room() {
        for room in [0.0, 10.0, 40.0, 80.0] {
            for keep_end in [false, true] {
                let text = shortened("features.12.conv", room, keep_end);
                assert!(width(&text) <= room.max(width("…")), "{text}");
            }
        }
        assert_eq!(shortened("abc", 100.0, false), "abc");
    }
}
