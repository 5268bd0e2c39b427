//! The Pareto front: points that no other beats.

use crate::columns::Better;

/// For each point, whether no other is at least as good both ways and better one way. No front where a way has no better
/// end: all are false then.
pub fn front(points: &[(f64, f64)], x: Better, y: Better) -> Vec<bool> {
    let sign = |better| match better {
        Better::Lower => Some(1.0),
        Better::Higher => Some(-1.0),
        Better::Neither => None,
    };
    let (Some(x), Some(y)) = (sign(x), sign(y)) else { return vec![false; points.len()] };
    let costs: Vec<(f64, f64)> = points.iter().map(|(a, b)| (a * x, b * y)).collect();
    let beaten = |a: &(f64, f64)| costs.iter().any(|b| b.0 <= a.0 && b.1 <= a.1 && (b.0 < a.0 || b.1 < a.1));
    costs.iter().map(|cost| !beaten(cost)).collect()
}

/// The staircase along the front, in the units of the points, by rising x: what lies beyond it is beaten by none of them.
pub fn staircase(points: &[(f64, f64)], on_front: &[bool], x: Better) -> Vec<(f64, f64)> {
    let mut corners: Vec<(f64, f64)> =
        points.iter().zip(on_front).filter(|(_, on)| **on).map(|(point, _)| *point).collect();
    corners.sort_by(|a, b| a.0.total_cmp(&b.0));
    corners.dedup();
    let mut steps = Vec::new();
    for (index, corner) in corners.iter().enumerate() {
        // What has less cost in x leads until the next begins, what has more until the one before ends.
        if let Some(last) = index.checked_sub(1).map(|before| corners[before]) {
            steps.push(if x == Better::Lower { (corner.0, last.1) } else { (last.0, corner.1) });
        }
        steps.push(*corner);
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use Better::{Higher, Lower, Neither};

    #[test]
    fn the_front_is_what_none_beats() {
        let points = [(1.0, 1.0), (2.0, 3.0), (3.0, 2.0), (4.0, 4.0), (2.0, 3.0)];
        for (x, y, expected) in [
            (Lower, Higher, [true, true, false, true, true]),
            (Higher, Higher, [false, false, false, true, false]),
            (Lower, Lower, [true, false, false, false, false]),
            (Higher, Lower, [true, false, true, true, false]),
            (Neither, Lower, [false; 5]),
        ] {
            assert_eq!(front(&points, x, y), expected, "{x:?} {y:?}");
        }
        let on = front(&points, Lower, Higher);
        let expected = [(1.0, 1.0), (2.0, 1.0), (2.0, 3.0), (4.0, 3.0), (4.0, 4.0)];
        assert_eq!(staircase(&points, &on, Lower), expected);
    }
}
