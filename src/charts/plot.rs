//! What all charts with axes share: title, legend, frame, ticks and notes.

use super::Chart;
use super::labels::Area;
use super::scale::Scale;
use super::svg::{Anchor, Canvas, mark, shortened, width};
use crate::columns::Column;

/// An entry of a legend.
pub(super) enum Key {
    /// A mark with its shape and colour.
    Mark(usize, usize),
    /// A line of this class.
    Line(&'static str),
}

/// A chart on the way: what is drawn so far, and where the next row goes.
pub(super) struct Plot {
    pub(super) canvas: Canvas,
    pub(super) width: f64,
    /// Where what comes next begins.
    pub(super) y: f64,
    title: String,
}

/// Space at the left and right edge.
pub(super) const MARGIN: f64 = 16.0;

impl Plot {
    /// A chart with its title drawn.
    pub(super) fn new(title: &str, width: f64) -> Plot {
        let mut plot = Plot { canvas: Canvas::default(), width, y: 28.0, title: title.to_string() };
        // Titles are larger than what `width` measures.
        let shown = shortened(title, (width - 2.0 * MARGIN) / 1.35, false);
        plot.canvas.text("title", (MARGIN, plot.y), Anchor::Start, &shown);
        plot
    }

    /// Small text, in as many lines as it takes.
    pub(super) fn note(&mut self, text: &str) {
        // Notes are smaller than what `width` measures.
        let room = (self.width - 2.0 * MARGIN) * 1.09;
        let mut line = String::new();
        for word in text.split(' ') {
            if !line.is_empty() && width(&line) + width(" ") + width(word) > room {
                self.note_line(&std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line += &shortened(word, room, false);
        }
        self.note_line(&line);
    }

    fn note_line(&mut self, text: &str) {
        self.y += 16.0;
        self.canvas.text("muted", (MARGIN, self.y), Anchor::Start, text);
    }

    /// The legend, in as many rows as it takes.
    pub(super) fn legend(&mut self, entries: &[(Key, String)]) {
        if entries.is_empty() {
            return;
        }
        let mut x = MARGIN;
        self.y += 22.0;
        for (key, name) in entries {
            let name = shortened(name, self.width - 2.0 * MARGIN - 30.0, true);
            let room = 30.0 + width(&name);
            if x + room > self.width - MARGIN && x > MARGIN {
                x = MARGIN;
                self.y += 19.0;
            }
            let middle = self.y - 4.0;
            match key {
                Key::Mark(shape, colour) => {
                    self.canvas.path(&format!("mark f{colour}"), &mark(*shape, (x + 9.0, middle), 5.5), "");
                }
                Key::Line(class) => self.canvas.line(class, (x, middle), (x + 20.0, middle)),
            }
            self.canvas.text("", (x + 26.0, self.y), Anchor::Start, &name);
            x += room + 14.0;
        }
    }

    /// The frame of axes in this area: grid, ticks, titles, of x below and of y above.
    pub(super) fn axes(&mut self, area: Area, x: (&Scale, &str), y: (&Scale, &str)) {
        let (bottom, right) = (area.y + area.height, area.x + area.width);
        for (value, text) in y.0.ticks((area.height / 55.0) as usize) {
            let at = y.0.at(value);
            self.canvas.line("grid", (area.x, at), (right, at));
            self.canvas.text("muted", (area.x - 7.0, at + 4.0), Anchor::End, &text);
        }
        for (value, text) in x.0.ticks((area.width / 85.0) as usize) {
            let at = x.0.at(value);
            self.canvas.line("grid", (at, area.y), (at, bottom));
            self.canvas.text("muted", (at, bottom + 17.0), Anchor::Middle, &text);
        }
        self.canvas.line("axis", (area.x, bottom), (right, bottom));
        self.canvas.line("axis", (area.x, area.y), (area.x, bottom));
        self.canvas.text("", (right, bottom + 36.0), Anchor::End, &shortened(x.1, area.width, false));
        self.canvas.text("", (MARGIN, area.y - 13.0), Anchor::Start, &shortened(y.1, self.width - 2.0 * MARGIN, false));
    }

    /// The chart, with its notes at the foot, on paper.
    pub(super) fn finish(mut self, notes: &[String]) -> Chart {
        for note in notes {
            self.note(note);
        }
        let height = (self.y + 14.0).ceil();
        let mut paper = Canvas::default();
        paper.rect("paper", (0.0, 0.0), (self.width, height), "");
        Chart { title: self.title, width: self.width, height, body: paper.body + &self.canvas.body }
    }
}

/// A note for each of these columns whose numbers hold for one device or machine.
pub(super) fn places(columns: &[&Column]) -> Vec<String> {
    let placed = columns.iter().filter(|column| !column.place.is_empty());
    placed.map(|column| format!("{}: {}.", column.title, column.place)).collect()
}

/// The room that the numbers of an axis take, in pixels.
pub(super) fn tick_room(scale: &Scale, wanted: usize) -> f64 {
    let widest = scale.ticks(wanted).iter().map(|(_, text)| width(text)).fold(0.0, f64::max);
    // Numbers of axes are smaller than what `width` measures.
    widest * 0.92 + 10.0
}

/// Names in one line: the first few, and how many more there are.
pub(super) fn few(names: &[String]) -> String {
    const SHOWN: usize = 6;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        Some(more) => format!("{shown} and {more} more"),
        None => shown,
    }
}
