//! What belongs to one line of writing, beside the cells that the detector is sure of.

use crate::{
    area::{Area, Kind},
    search::Found,
};

/// Cells of a line, and how much longer than high it is at least.
const LINE_CELLS_MIN: usize = 14;
const LINE_LENGTH_MIN: usize = 3;
/// Cells that a line is high at most: rows of vertebrae are higher.
const LINE_HEIGHT_MAX: usize = 4;
/// The part of its height by which a line is taken to be longer at each end: one in so many.
const ENDS: usize = 4;

/// The area with a little more at the ends of its line, where letters are cut off or faint.
pub(crate) fn whole(found: &Found) -> Area {
    let Area { x, y, width, height } = found.area;
    if found.kind == Kind::Letter || width.max(height) * 2 < width.min(height) * 3 {
        return found.area;
    }
    let more = width.min(height) / ENDS;
    if width > height {
        let start = x.saturating_sub(more);
        Area {
            x: start,
            width: x + width + more - start,
            y,
            height,
        }
    } else {
        let start = y.saturating_sub(more);
        Area {
            y: start,
            height: y + height + more - start,
            x,
            width,
        }
    }
}

/// What lies between two parts of one line: the strokes and points there are none of the detector's letters.
pub(crate) fn between(bad: &[Found]) -> Vec<Area> {
    let mut between = Vec::new();
    for (at, one) in bad.iter().enumerate() {
        for other in bad[at + 1..].iter().filter(|other| other.cell == one.cell) {
            between.extend(gap(one.area, other.area));
            between.extend(gap(turned(one.area), turned(other.area)).map(turned));
        }
    }
    between
}

/// The gap of two areas of one height that stand side by side, not farther apart than they are high.
fn gap(one: Area, other: Area) -> Option<Area> {
    let (left, right) = if one.x <= other.x { (one, other) } else { (other, one) };
    let (top, below) = (left.y.max(right.y), (left.y + left.height).min(right.y + right.height));
    let height = left.height.min(right.height);
    let start = left.x + left.width;
    let width = right.x.checked_sub(start)?;
    let is_line = below.saturating_sub(top) * 4 >= height.max(left.height.max(right.height) * 3 / 4) * 3;
    (is_line && width > 0 && width <= height).then_some(Area {
        x: start,
        y: left.y.min(right.y),
        width,
        height: (left.y + left.height).max(right.y + right.height) - left.y.min(right.y),
    })
}

const fn turned(area: Area) -> Area {
    Area {
        x: area.y,
        y: area.x,
        width: area.height,
        height: area.width,
    }
}

/// True of what has the shape of a line of several letters.
pub(crate) fn is_line(found: &Found) -> bool {
    let (short, long) = (
        found.area.width.min(found.area.height),
        found.area.width.max(found.area.height),
    );
    found.cells >= LINE_CELLS_MIN && long >= LINE_LENGTH_MIN * short && short <= LINE_HEIGHT_MAX * found.cell
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::Reading;

    const fn area(x: usize, y: usize, width: usize, height: usize) -> Area {
        Area { x, y, width, height }
    }

    const fn found(area: Area, cell: usize) -> Found {
        Found {
            area,
            kind: Kind::Text,
            reading: Reading::Unread,
            likelihood: 0.99,
            cells: 20,
            cell,
        }
    }

    #[test]
    fn the_gap_of_two_parts_of_a_line_goes_too() {
        let (date, year) = (area(8, 40, 60, 16), area(80, 36, 40, 20));
        assert_eq!(between(&[found(date, 4), found(year, 4)]), [area(68, 36, 12, 20)]);
        assert_eq!(between(&[found(year, 4), found(date, 4)]), [area(68, 36, 12, 20)]);
        let down = between(&[found(turned(date), 4), found(turned(year), 4)]);
        assert_eq!(down, [turned(area(68, 36, 12, 20))]);
    }

    #[test]
    fn what_is_not_one_line_has_no_gap() {
        let line = area(8, 40, 60, 16);
        let apart = [
            // Too far, below, of another height, touching.
            area(90, 40, 40, 16),
            area(72, 60, 40, 16),
            area(72, 40, 80, 60),
            area(68, 40, 20, 16),
        ];
        for other in apart {
            assert!(between(&[found(line, 4), found(other, 4)]).is_empty(), "{other:?}");
        }
        assert!(between(&[found(line, 4), found(area(72, 40, 40, 16), 8)]).is_empty());
    }

    #[test]
    fn a_line_is_longer_at_its_ends_and_a_letter_is_not() {
        assert_eq!(whole(&found(area(8, 40, 60, 16), 4)), area(4, 40, 68, 16));
        assert_eq!(whole(&found(area(2, 40, 60, 16), 4)), area(0, 40, 66, 16));
        assert_eq!(whole(&found(area(40, 8, 16, 60), 4)), area(40, 4, 16, 68));
        assert_eq!(whole(&found(area(8, 40, 20, 16), 4)), area(8, 40, 20, 16));
        let letter = Found {
            kind: Kind::Letter,
            ..found(area(8, 40, 60, 16), 4)
        };
        assert_eq!(whole(&letter), letter.area);
    }
}
