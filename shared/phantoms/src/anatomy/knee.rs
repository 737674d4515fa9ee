//! Knee: lower femur, upper tibia and fibula, patella.

use rand_chacha::ChaCha8Rng;

use super::{Body, Field, SOFT, vary};
use crate::{
    shape::{Shape, cone, drum, ellipsoid, turned_ellipsoid},
    space::{Frame, Point, p},
};

/// Builds the knee; lateral pictures are taken slightly bent.
pub fn build(body: &mut Body, random: &mut ChaCha8Rng) -> Field {
    let o = body.outer;
    let bend = if body.is_lateral() {
        22.0 + vary(random, 9.0)
    } else {
        2.0
    };
    let thigh = Frame::turned(-bend, 0.0, 0.0).at(p(0.0, -0.6, 1.6));
    let space = body.joint(0.5);
    femur(body, &thigh, space);
    tibia(body, o);
    patella(body, &thigh, random);
    let g = body.girth;
    let at = |x, y, z| thigh.place(p(x, y, z));
    let tissue = vec![
        cone(at(0.0, -0.6, 2.5), at(0.0, -0.6, 18.0), 5.6 * g, 7.6 * g),
        cone(p(0.0, -0.6, 1.5), p(0.0, -1.2, -7.0), 5.4 * g, 5.2 * g),
        cone(p(0.0, -1.6, -7.0), p(0.0, -1.4, -20.0), 5.3 * g, 4.6 * g),
        ellipsoid(at(0.0, 2.9, 2.0), 3.6, 2.9, 3.8),
    ];
    body.tissue(SOFT, tissue);
    let low = 0.3 * (vary(random, 1.0));
    body.field(p(0.0, if body.is_lateral() { 0.3 } else { 0.0 }, low), 8.6, 11.5, 115.0)
}

fn femur(body: &mut Body, thigh: &Frame, space: f32) {
    let o = body.outer;
    let growth = body.growth(-0.2, 17.5);
    let narrow = 0.5 * (space - 0.5);
    let at = |x, y, z| thigh.place(p(x, y, z + narrow));
    let s = growth.size.max(0.5);
    let open = growth.gap > 0.02;
    // The epiphysis keeps its joint surface and grows upwards.
    let tall = if open { 1.75 * s } else { 2.35 };
    let low = -2.0 + 1.1 * (1.0 - s);
    let condyle = |x: f32| ellipsoid_on(thigh, at(o * x * s, -0.6, low + tall), [1.95 * s, 3.0 * s, tall]);
    let middle = ellipsoid_on(
        thigh,
        at(0.0, 0.8 * s, low + 1.15 * tall),
        [3.2 * s, 1.0 * s, 0.7 * tall],
    );
    let condyles = vec![condyle(2.0), condyle(-2.0), middle];
    let notch = vec![ellipsoid_on(
        thigh,
        at(0.0, -2.3, low + 0.35),
        [0.85 * s, 2.3 * s, 1.35 * s],
    )];
    let hip = at(o * 1.6, 0.0, 24.0);
    let base = if open {
        low + 2.0 * tall + 0.12 + 0.28 * growth.gap
    } else {
        low + 1.0 * tall
    };
    let flare = at(o * 0.35, 0.1, base + 6.5);
    let wide = if open { 1.75 } else { 2.1 };
    let cones = [1.75, -1.75].map(|x: f32| cone(at(o * x, -0.2, base + 0.8 * wide), flare, wide, 1.45));
    let centre = at(0.0, 0.0, base + if open { 2.2 } else { 3.6 });
    let mut ends = cones.to_vec();
    if open {
        body.bone_less(0.12, condyles, notch);
        body.shaft_with(centre, hip, [1.9, 1.4, 1.6], 0.5, ends);
    } else {
        ends.extend(condyles);
        body.shaft_less(centre, hip, [1.9, 1.4, 1.6], 0.5, ends, notch);
    }
    for side in [o, -o] {
        body.spur(at(side * 3.5, -0.5, -1.0), p(side, 0.0, -0.35), 0.95);
    }
    body.spur(at(o * 2.0, 2.2, 0.2), p(0.0, 1.0, -0.3), 0.7);
}

fn ellipsoid_on(frame: &Frame, centre: Point, [rx, ry, rz]: [f32; 3]) -> Shape {
    turned_ellipsoid(centre, frame, rx, ry, rz)
}

fn tibia(body: &mut Body, o: f32) {
    let growth = body.growth(0.0, 17.0);
    let open = growth.gap > 0.02;
    let s = growth.size.max(0.5);
    let top = -0.9 - 0.6 * (1.0 - s);
    let plateau = vec![
        drum(p(0.0, -0.2, top - 0.42), &Frame::still(), 3.45 * s, 2.25 * s, 0.4 * s),
        ellipsoid(p(0.0, -0.2, top - 0.8 * s), 3.75 * s, 2.45 * s, 0.75 * s),
        cone(
            p(o * 0.45, -0.3, top - 0.3),
            p(o * 0.45, -0.3, top + 0.5 * s),
            0.5 * s,
            0.13,
        ),
        cone(
            p(o * -0.45, -0.3, top - 0.3),
            p(o * -0.45, -0.3, top + 0.6 * s),
            0.5 * s,
            0.13,
        ),
    ];
    let foot = p(o * 0.2, -0.2, -26.0);
    let base = if open {
        top - 1.6 * s - 0.12 - 0.25 * growth.gap
    } else {
        top - 0.9
    };
    let wide = if open { 1.65 } else { 1.95 };
    let neck = p(0.0, -0.2, base - 6.4);
    let mut ends = [1.75, -1.75]
        .map(|x: f32| cone(p(o * x, -0.3, base - 0.85 * wide), neck, wide, 1.35))
        .to_vec();
    if open {
        body.bone(0.12, plateau);
    } else {
        ends.extend(plateau);
        ends.push(cone(p(0.0, 1.5, -4.3), p(0.0, 0.9, -7.0), 0.7, 0.5));
    }
    body.shaft_with(p(0.0, -0.2, base - 2.4), foot, [1.9, 1.3, 1.2], 0.5, ends);
    for side in [o, -o] {
        body.spur(p(side * 3.55, -0.2, -1.1), p(side, 0.0, 0.3), 0.9);
    }
    let fibula = body.growth(4.0, 17.0);
    let head = p(o * 3.4, -1.6, -3.5);
    if fibula.gap > 0.02 {
        body.epiphysis(fibula, 0.08, head + p(0.0, 0.0, 0.45), p(0.75, 0.75, 0.4));
        body.shaft(
            head - p(0.0, 0.0, 0.9),
            p(o * 3.0, -1.4, -25.0),
            [0.85, 0.55, 0.55],
            0.25,
        );
    } else {
        let knob = vec![ellipsoid(head, 0.95, 0.95, 0.95)];
        body.shaft_with(
            head - p(0.0, 0.0, 0.4),
            p(o * 3.0, -1.4, -25.0),
            [0.85, 0.55, 0.55],
            0.25,
            knob,
        );
    }
}

fn patella(body: &mut Body, thigh: &Frame, random: &mut ChaCha8Rng) {
    let growth = body.growth(3.5, 12.0);
    if growth.size > 0.0 {
        let s = growth.size;
        let at = thigh.place(p(vary(random, 0.15), 4.1, 1.2 + vary(random, 0.25)));
        let lean = Frame {
            origin: at,
            axes: thigh.axes,
        };
        body.bone(0.15, vec![turned_ellipsoid(at, &lean, 2.1 * s, 1.0 * s, 2.2 * s)]);
        body.spur(thigh.place(p(0.0, 4.3, 3.2)), thigh.turn(p(0.0, -0.3, 1.0)), 0.7);
        body.spur(thigh.place(p(0.0, 3.8, -0.8)), thigh.turn(p(0.0, -0.6, -1.0)), 0.7);
    }
}
