//! Labels of points: places where none covers another, found by a small search that gives the same result each time.

/// A box in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// Left edge.
    pub x: f64,
    /// Upper edge.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

/// A line between two points.
pub type Segment = ((f64, f64), (f64, f64));

/// A point with its mark's radius and its label's size.
#[derive(Clone, Copy, Debug)]
pub struct Labelled {
    /// The point.
    pub at: (f64, f64),
    /// Radius of its mark.
    pub radius: f64,
    /// Width and height of its label; `None` where it has none and only wants to be seen.
    pub label: Option<(f64, f64)>,
}

/// Distances between mark and label that are tried.
const GAPS: [f64; 6] = [3.0, 9.0, 17.0, 28.0, 44.0, 66.0];

/// Directions in which a label may lie from its point, in halves of its size, the best first.
const DIRECTIONS: [(f64, f64); 12] = [
    (1.0, 0.0),
    (1.0, -1.0),
    (1.0, 1.0),
    (0.0, -1.0),
    (0.0, 1.0),
    (-1.0, 0.0),
    (-1.0, -1.0),
    (-1.0, 1.0),
    (0.5, -1.0),
    (0.5, 1.0),
    (-0.5, -1.0),
    (-0.5, 1.0),
];

impl Area {
    /// Whether two boxes share more than an edge.
    pub fn overlaps(&self, other: &Area) -> bool {
        self.x < other.x + other.width
            && other.x < self.x + self.width
            && self.y < other.y + other.height
            && other.y < self.y + self.height
    }

    /// Whether another box lies inside.
    pub fn holds(&self, other: &Area) -> bool {
        other.x >= self.x
            && other.y >= self.y
            && other.x + other.width <= self.x + self.width
            && other.y + other.height <= self.y + self.height
    }

    /// The point of the box that is nearest to another point.
    pub fn nearest(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (x.clamp(self.x, self.x + self.width), y.clamp(self.y, self.y + self.height))
    }

    /// Whether a line between two points meets the box.
    fn meets(&self, (a, b): Segment) -> bool {
        let (mut enter, mut leave) = (0.0f64, 1.0f64);
        for (from, by, low, high) in
            [(a.0, b.0 - a.0, self.x, self.x + self.width), (a.1, b.1 - a.1, self.y, self.y + self.height)]
        {
            if by == 0.0 {
                if from < low || from > high {
                    return false;
                }
                continue;
            }
            let (first, second) = ((low - from) / by, (high - from) / by);
            enter = enter.max(first.min(second));
            leave = leave.min(first.max(second));
        }
        enter <= leave
    }
}

/// A place for each label, all inside `room` and none over another; `None` where a point has no label or there is no room
/// left. Marks and `lines` are kept free where that is possible. The work grows with the square of the points: give at most
/// some hundred.
pub fn place(points: &[Labelled], lines: &[Segment], room: Area) -> Vec<Option<Area>> {
    let choices: Vec<Vec<(f64, Area)>> = points.iter().map(|point| choices(point, points, lines, room)).collect();
    let mut places: Vec<Option<Area>> = vec![None; points.len()];
    // Who has the worst best choice goes first; then each may move to where it is better, a few times.
    let mut order: Vec<usize> = (0..points.len()).collect();
    let worst = |index: &usize| choices[*index].first().map_or(f64::INFINITY, |choice| choice.0);
    order.sort_by(|a, b| worst(b).total_cmp(&worst(a)));
    for _ in 0..4 {
        for &index in &order {
            places[index] = None;
            let free = |area: &Area| places.iter().flatten().all(|other| !area.overlaps(other));
            let choice = choices[index].iter().map(|(_, area)| *area).find(free);
            let found = choice.or_else(|| nearest_free(&points[index], room, &free));
            places[index] = found;
        }
    }
    places
}

/// Places near the point and what each costs, the cheapest first.
fn choices(point: &Labelled, points: &[Labelled], lines: &[Segment], room: Area) -> Vec<(f64, Area)> {
    let Some((width, height)) = point.label else { return Vec::new() };
    let mut choices = Vec::new();
    for gap in GAPS {
        for (rank, (dx, dy)) in DIRECTIONS.into_iter().enumerate() {
            // In a corner, the mark's curve leaves room.
            let away = gap + point.radius * if dx.abs() == 1.0 && dy != 0.0 { 0.6 } else { 1.0 };
            let area = Area {
                x: point.at.0 + dx * (away + width / 2.0) - width / 2.0,
                y: point.at.1 + dy * (away + height / 2.0) - height / 2.0,
                width,
                height,
            };
            if !room.holds(&area) {
                continue;
            }
            let covered = |other: &&Labelled| {
                let (x, y) = area.nearest(other.at);
                (x - other.at.0).hypot(y - other.at.1) < other.radius + 1.0
            };
            let marks = points.iter().filter(covered).count() as f64;
            let crossed = lines.iter().filter(|line| area.meets(**line)).count() as f64;
            // A label next to another mark is read as that mark's.
            let astray = points.iter().any(|other| {
                let distance = |at: (f64, f64)| {
                    let (x, y) = area.nearest(at);
                    (x - at.0).hypot(y - at.1)
                };
                other.at != point.at && distance(other.at) - other.radius < distance(point.at) - point.radius
            });
            let cost = gap * 0.25 + rank as f64 * 0.3 + marks * 40.0 + crossed * 3.0 + if astray { 6.0 } else { 0.0 };
            choices.push((cost, area));
        }
    }
    choices.sort_by(|a, b| a.0.total_cmp(&b.0));
    choices
}

/// The free place nearest to a point, of all on a grid.
fn nearest_free(point: &Labelled, room: Area, free: &dyn Fn(&Area) -> bool) -> Option<Area> {
    let (width, height) = point.label?;
    let (columns, rows) = (((room.width - width) / 12.0).floor(), ((room.height - height) / 8.0).floor());
    if columns < 0.0 || rows < 0.0 {
        return None;
    }
    let mut nearest: Option<(f64, Area)> = None;
    for row in 0..=(rows as usize) {
        for column in 0..=(columns as usize) {
            let area = Area { x: room.x + column as f64 * 12.0, y: room.y + row as f64 * 8.0, width, height };
            let (x, y) = area.nearest(point.at);
            let distance = (x - point.at.0).hypot(y - point.at.1);
            if nearest.is_none_or(|(least, _)| distance < least) && free(&area) {
                nearest = Some((distance, area));
            }
        }
    }
    nearest.map(|(_, area)| area)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ROOM: Area = Area { x: 60.0, y: 50.0, width: 680.0, height: 400.0 };

    fn points() -> impl Strategy<Value = Vec<Labelled>> {
        // Some on one spot: networks do share their numbers.
        let at = (60.0f64..740.0, 50.0f64..450.0, any::<bool>());
        prop::collection::vec((at, 3.0f64..16.0, 10.0f64..150.0), 1..60).prop_map(|points| {
            let label = |((x, y, same), radius, width): ((f64, f64, bool), f64, f64)| Labelled {
                at: if same { (300.0, 200.0) } else { (x, y) },
                radius,
                label: Some((width, 15.0)),
            };
            points.into_iter().map(label).collect()
        })
    }

    proptest! {
        #[test]
        fn labels_never_overlap_nor_leave_the_canvas(points in points()) {
            let lines: Vec<_> = points.windows(2).map(|pair| (pair[0].at, pair[1].at)).collect();
            let places = place(&points, &lines, ROOM);
            prop_assert_eq!(&places, &place(&points, &lines, ROOM));
            let placed: Vec<Area> = places.into_iter().flatten().collect();
            prop_assert!(placed.iter().all(|area| ROOM.holds(area)));
            for (index, area) in placed.iter().enumerate() {
                prop_assert!(placed[index + 1..].iter().all(|other| !area.overlaps(other)));
            }
            // There is room for this many: three fifths of the labels' area is a third of the room's.
            if points.len() <= 40 {
                prop_assert_eq!(placed.len(), points.len());
            }
        }
    }

    #[test]
    fn a_label_without_room_is_left_out() {
        let narrow = Area { width: 50.0, ..ROOM };
        let point = Labelled { at: (70.0, 70.0), radius: 4.0, label: Some((60.0, 15.0)) };
        assert_eq!(place(&[point], &[], narrow), [None]);
    }

    #[test]
    fn lines_meet_boxes() {
        let area = Area { x: 0.0, y: 0.0, width: 10.0, height: 10.0 };
        for (line, meets) in [
            (((-5.0, 5.0), (15.0, 5.0)), true),
            (((-5.0, -5.0), (15.0, 15.0)), true),
            (((2.0, 2.0), (3.0, 3.0)), true),
            (((-5.0, 11.0), (15.0, 11.0)), false),
            (((-5.0, 0.0), (0.0, -5.0)), false),
            (((20.0, 0.0), (20.0, 10.0)), false),
        ] {
            assert_eq!(area.meets(line), meets, "{line:?}");
        }
    }
}
