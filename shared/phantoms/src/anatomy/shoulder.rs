//! Shoulder from the front: upper humerus, scapula, clavicle, and the lung's apex behind the ribs.

use rand_chacha::ChaCha8Rng;

use super::{Body, Field, SOFT, chest, vary};
use crate::{
    shape::{cone, ellipsoid, plate, turned_ellipsoid},
    space::{Frame, Point, p},
};

/// Builds the shoulder with its joint at the origin.
pub fn build(body: &mut Body, random: &mut ChaCha8Rng) -> Field {
    let o = body.outer;
    humerus(body, random);
    scapula(body);
    clavicle(body);
    let middle = p(o * -18.0, -1.0, -8.0);
    chest::ribs(body, middle, 1..7, 0.38);
    let g = body.girth;
    body.tissue_less(
        SOFT,
        vec![
            cone(p(o * 1.6, 0.0, -0.6), p(o * 3.6, 0.0, -18.0), 4.6 * g, 4.3 * g),
            cone(p(o * 0.5, 0.0, -0.4), p(o * -9.0, 0.0, 3.2), 5.0 * g, 4.6 * g),
            cone(p(o * -14.0, -0.5, 4.0), p(o * -15.0, -0.5, 14.0), 6.0 * g, 5.5 * g),
            ellipsoid(middle + p(0.0, 0.0, -8.0), 15.5 * g, 9.0 * g, 22.0),
        ],
        vec![],
    );
    let lung = ellipsoid(middle + p(o * 5.2, -0.8, -5.5), 5.9, 6.2, 13.0);
    body.tissue(-0.145, vec![lung]);
    body.field(p(o * -3.4, 0.0, -2.8), 10.2, 10.8, 115.0)
}

fn humerus(body: &mut Body, random: &mut ChaCha8Rng) {
    let o = body.outer;
    let growth = body.growth(0.1, 19.0);
    let head = p(
        o * 0.35 + o * 0.1 * vary(random, 1.0),
        0.0,
        0.1 * vary(random, 1.0) + 0.35 * body.wear,
    );
    let elbow = p(o * 4.2, 0.0, -27.0);
    let open = growth.gap > 0.02;
    let s = growth.size.max(0.5);
    let tubercle = ellipsoid(head + p(o * 2.0 * s, 0.0, 0.1 * s), 1.15 * s, 1.2 * s, 1.5 * s);
    let ball = ellipsoid(head, 2.45 * s, 2.4 * s, 2.45 * s);
    if open {
        body.bone(0.1, vec![ball, tubercle]);
        let top = head + p(o * 1.0, 0.0, -2.5 - 0.3 * growth.gap);
        let flare = vec![cone(top, head + p(o * 1.7, 0.0, -6.0), 2.05, 1.3)];
        body.shaft_with(top + p(o * 0.2, 0.0, -1.4), elbow, [1.7, 1.15, 1.2], 0.45, flare);
    } else {
        let flare = cone(head + p(o * 1.0, 0.0, -1.6), head + p(o * 1.7, 0.0, -6.5), 2.15, 1.3);
        let ends = vec![ball, tubercle, flare];
        body.shaft_with(head + p(o * 1.3, 0.0, -3.8), elbow, [1.8, 1.15, 1.2], 0.48, ends);
    }
    body.spur(head + p(o * -1.3, 0.0, -2.1), p(-o, 0.0, -0.8), 1.1);
}

fn scapula(body: &mut Body) {
    let o = body.outer;
    let space = body.joint(0.4) - 0.4;
    let at = |x: f32, y: f32, z: f32| p(o * (x + space), y, z);
    let thin = |points: &[Point]| plate(points, 0.16);
    // Glenoid, neck, lateral border, spine, acromion, coracoid; the blade is a thin triangle.
    let lean = Frame::turned(0.0, o * 8.0, 0.0);
    body.bone(
        0.12,
        vec![
            turned_ellipsoid(at(-2.75, -0.4, -0.3), &lean, 0.75, 1.3, 1.95),
            cone(at(-3.0, -0.6, -0.3), at(-5.0, -1.6, -0.6), 1.1, 0.65),
            cone(at(-3.4, -0.8, -1.8), at(-8.0, -3.2, -11.5), 0.62, 0.5),
            cone(at(-8.0, -3.2, -11.5), at(-10.8, -3.2, 0.5), 0.4, 0.35),
            cone(at(-4.6, -1.6, 0.4), at(-10.8, -3.2, 0.6), 0.45, 0.4),
        ],
    );
    body.bone(0.1, vec![cone(at(-10.5, -3.4, 0.6), at(-1.0, -2.6, 3.1), 0.5, 0.6)]);
    let acromion = body.growth(-1.0, 17.0).size;
    body.bone(
        0.12,
        vec![cone(at(-1.2, -2.4, 3.2), at(1.3 * acromion, -0.4, 3.1), 0.75, 0.7)],
    );
    body.bone(0.1, vec![cone(at(-3.2, 0.2, 1.6), at(-2.2, 2.4, 1.4), 0.8, 0.6)]);
    body.plates(
        0.8,
        vec![thin(&[
            at(-3.6, -0.9, -1.0),
            at(-8.0, -3.2, -11.4),
            at(-10.7, -3.2, 0.5),
        ])],
    );
    body.spur(at(-2.2, 0.0, -2.1), p(o, 0.0, -0.6), 0.8);
    body.spur(at(0.9, -0.3, 2.4), p(o, 0.0, -1.0), 0.7);
}

fn clavicle(body: &mut Body) {
    let o = body.outer;
    let (outer, bend, inner) = (p(o * -0.3, -0.2, 3.7), p(o * -4.5, 0.6, 4.6), p(o * -14.0, 3.6, 2.6));
    body.bone(0.13, vec![cone(outer, bend, 0.8, 0.6), cone(bend, inner, 0.6, 0.85)]);
    body.spur(outer + p(0.0, 0.0, -0.5), p(o, 0.0, -0.5), 0.6);
}
