//! What stands in the beam, and how much of the beam it takes: the Beer-Lambert sum of attenuation times length.

use crate::{
    shape::Shape,
    space::{Frame, Point, Ray},
};

/// One material: `attenuation` (1/cm, above what it lies in) over the union of `shapes` less the union of `holes`.
#[derive(Clone, Debug)]
pub struct Tissue {
    pub shapes: Vec<Shape>,
    pub holes: Vec<Shape>,
    pub attenuation: f32,
}

/// Everything in the beam and the part of it that the detector is to show.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    pub tissues: Vec<Tissue>,
}

/// The source, the detector and how the patient lies between them.
#[derive(Clone, Copy, Debug)]
pub struct Camera {
    /// Middle of the picture.
    pub centre: Point,
    /// Picture's right, picture's downward, and the way the beam goes; orthonormal.
    pub right: Point,
    pub down: Point,
    pub beam: Point,
    /// From the source to `centre`, centimetres.
    pub source_distance: f32,
    /// Half of the picture's width and height, centimetres.
    pub half_width: f32,
    pub half_height: f32,
}

impl Camera {
    /// The same camera turned about its own axes (degrees): in the picture's plane, nodding, and sideways.
    pub fn turned(mut self, roll: f32, nod: f32, yaw: f32) -> Self {
        let turn = Frame::turned(nod, yaw, roll);
        let into = |v: Point| self.right * v.x + self.down * v.y + self.beam * v.z;
        let axes = turn.axes.map(into);
        self.right = axes[0];
        self.down = axes[1];
        self.beam = axes[2];
        self
    }
}

/// Line integrals of attenuation, row by row.
pub struct Shadow {
    pub columns: usize,
    pub rows: usize,
    pub depths: Vec<f32>,
}

struct Projected<'a> {
    shape: &'a Shape,
    is_hole: bool,
    columns: (usize, usize),
    rows: (usize, usize),
}

/// Casts the scene onto `columns` x `rows` pixels.
pub fn cast(scene: &Scene, camera: &Camera, columns: usize, rows: usize) -> Shadow {
    let mut depths = vec![0.0_f32; columns * rows];
    let source = camera.centre - camera.beam * camera.source_distance;
    let (step_x, step_y) = (
        2.0 * camera.half_width / columns as f32,
        2.0 * camera.half_height / rows as f32,
    );
    for tissue in &scene.tissues {
        let shapes: Vec<Projected<'_>> = (tissue.shapes.iter().map(|shape| (shape, false)))
            .chain(tissue.holes.iter().map(|shape| (shape, true)))
            .filter_map(|(shape, is_hole)| project(shape, is_hole, camera, columns, rows))
            .collect();
        let Some(top) = shapes
            .iter()
            .filter(|shape| !shape.is_hole)
            .map(|shape| shape.rows.0)
            .min()
        else {
            continue;
        };
        let bottom = shapes
            .iter()
            .filter(|shape| !shape.is_hole)
            .map(|shape| shape.rows.1)
            .max()
            .unwrap_or(top);
        let mut in_row: Vec<&Projected<'_>> = Vec::new();
        for row in top..bottom {
            in_row.clear();
            in_row.extend(
                shapes
                    .iter()
                    .filter(|shape| (shape.rows.0..shape.rows.1).contains(&row)),
            );
            let solid = in_row.iter().filter(|shape| !shape.is_hole);
            let Some(left) = solid.clone().map(|shape| shape.columns.0).min() else {
                continue;
            };
            let right = solid.map(|shape| shape.columns.1).max().unwrap_or(left);
            let middle = camera.centre + camera.down * ((row as f32 + 0.5) * step_y - camera.half_height);
            for column in left..right {
                let target = middle + camera.right * ((column as f32 + 0.5) * step_x - camera.half_width);
                let ray = Ray {
                    origin: source,
                    direction: (target - source).unit(),
                };
                let length = length_within(&in_row, column, &ray);
                if length > 0.0 {
                    depths[row * columns + column] += tissue.attenuation * length;
                }
            }
        }
    }
    for depth in &mut depths {
        *depth = depth.max(0.0);
    }
    Shadow { columns, rows, depths }
}

/// The pixels that the shape's shadow can touch.
fn project<'a>(shape: &'a Shape, is_hole: bool, camera: &Camera, columns: usize, rows: usize) -> Option<Projected<'a>> {
    let nearest = shape.reach(camera.beam).1 - camera.centre.dot(camera.beam);
    let farthest = shape.reach(camera.beam).0 - camera.centre.dot(camera.beam);
    let magnified = |axis: Point, half: f32, pixels: usize| -> Option<(usize, usize)> {
        let (low, high) = shape.reach(axis);
        let offset = camera.centre.dot(axis);
        let mut bounds = (f32::MAX, f32::MIN);
        for depth in [nearest, farthest] {
            let factor = camera.source_distance / (camera.source_distance + depth).max(1.0);
            bounds.0 = bounds.0.min((low - offset) * factor);
            bounds.1 = bounds.1.max((high - offset) * factor);
        }
        let scale = pixels as f32 / (2.0 * half);
        let start = ((bounds.0 + half) * scale - 1.0).floor().max(0.0);
        let end = ((bounds.1 + half) * scale + 1.0).ceil().min(pixels as f32);
        (start < end).then_some((start as usize, end as usize))
    };
    Some(Projected {
        shape,
        is_hole,
        columns: magnified(camera.right, camera.half_width, columns)?,
        rows: magnified(camera.down, camera.half_height, rows)?,
    })
}

const PIECES_MAX: usize = 48;

/// Length of the ray inside the union of the solids and outside every hole.
fn length_within(shapes: &[&Projected<'_>], column: usize, ray: &Ray) -> f32 {
    let mut pieces = [(0.0_f32, 0.0_f32); PIECES_MAX];
    let mut holes = [(0.0_f32, 0.0_f32); PIECES_MAX];
    let (mut piece_count, mut hole_count) = (0, 0);
    for shape in shapes
        .iter()
        .filter(|shape| (shape.columns.0..shape.columns.1).contains(&column))
    {
        if let Some(span) = shape.shape.span(ray) {
            let (list, count) = if shape.is_hole {
                (&mut holes, &mut hole_count)
            } else {
                (&mut pieces, &mut piece_count)
            };
            if *count < PIECES_MAX {
                list[*count] = span;
                *count += 1;
            }
        }
    }
    if piece_count == 0 {
        return 0.0;
    }
    if hole_count == 0 {
        return union_length(&mut pieces[..piece_count]);
    }
    let of_holes = union_length(&mut holes[..hole_count]);
    let room = (PIECES_MAX - piece_count).min(hole_count);
    pieces[piece_count..piece_count + room].copy_from_slice(&holes[..room]);
    (union_length(&mut pieces[..piece_count + room]) - of_holes).max(0.0)
}

fn union_length(spans: &mut [(f32, f32)]) -> f32 {
    if let [span] = spans {
        return span.1 - span.0;
    }
    spans.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
    let (mut total, mut reached) = (0.0, f32::MIN);
    for span in spans {
        if span.1 > reached {
            total += span.1 - span.0.max(reached);
            reached = span.1;
        }
    }
    total
}

/// A camera whose picture has `right` and `down` as its axes and looks along `beam`.
pub fn camera(right: Point, down: Point, beam: Point, source_distance: f32) -> Camera {
    Camera {
        centre: Point::ORIGIN,
        right,
        down,
        beam,
        source_distance,
        half_width: 10.0,
        half_height: 10.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{shape::ellipsoid, space::p};

    #[test]
    fn overlapping_bodies_of_one_tissue_count_once_and_holes_not_at_all() {
        let ball = || ellipsoid(Point::ORIGIN, 4.0, 4.0, 4.0);
        let tissue = Tissue {
            shapes: vec![ball(), ball()],
            holes: vec![ellipsoid(Point::ORIGIN, 1.0, 1.0, 1.0)],
            attenuation: 0.5,
        };
        let camera = camera(p(1.0, 0.0, 0.0), p(0.0, 0.0, -1.0), p(0.0, -1.0, 0.0), 500.0);
        let shadow = cast(&Scene { tissues: vec![tissue] }, &camera, 41, 41);
        let middle = shadow.depths[20 * 41 + 20];
        assert!((middle - 0.5 * (8.0 - 2.0)).abs() < 1e-2, "{middle}");
        assert_eq!(shadow.depths[0], 0.0);
    }
}
