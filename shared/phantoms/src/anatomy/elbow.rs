//! Elbow: lower humerus, upper radius and ulna, with the six centres that appear one after another in childhood.

use rand_chacha::ChaCha8Rng;

use super::{Body, Field, SOFT, vary};
use crate::{
    shape::{cone, ellipsoid, turned_ellipsoid},
    space::{Frame, p},
};

/// Builds the elbow: straight from the front, bent at about a right angle from the side.
pub fn build(body: &mut Body, random: &mut ChaCha8Rng) -> Field {
    let lateral = body.is_lateral();
    let bend = if lateral { 84.0 + vary(random, 12.0) } else { 6.0 };
    let forearm = Frame::turned(180.0 + bend, 0.0, 0.0);
    humerus(body);
    radius_and_ulna(body, &forearm);
    let g = body.girth;
    let at = |x, y, z| forearm.place(p(x, y, z));
    let o = body.outer;
    let soft = vec![
        cone(p(0.0, 0.2, 0.5), p(0.0, 0.3, 18.0), 3.4 * g, 4.4 * g),
        cone(at(0.0, 0.0, -0.5), at(o * 0.4, 0.0, 7.0), 3.4 * g, 3.9 * g),
        cone(at(o * 0.4, 0.0, 7.0), at(0.0, 0.0, 20.0), 3.9 * g, 2.8 * g),
    ];
    body.tissue(SOFT, soft);
    if lateral {
        body.field(p(0.0, 2.6, 2.2), 8.2, 8.2, 110.0)
    } else {
        body.field(p(o * 0.2, 0.0, 0.3), 6.2, 9.8, 110.0)
    }
}

fn humerus(body: &mut Body) {
    let o = body.outer;
    let (capitellum, trochlea) = (body.growth(0.8, 14.5), body.growth(8.5, 14.5));
    let (inner, outer) = (body.growth(5.5, 16.5), body.growth(11.0, 15.0));
    let open = capitellum.gap > 0.02;
    let rise = if open { 0.5 } else { 0.0 };
    let mut ends = vec![
        cone(p(o * 1.5, -0.1, 1.5 + rise), p(o * 0.5, 0.0, 5.2), 0.75, 0.85),
        cone(p(o * -1.7, -0.1, 1.5 + rise), p(o * -0.5, 0.0, 5.2), 0.75, 0.85),
        ellipsoid(p(o * -0.1, 0.1, 1.2 + rise), 2.5, 0.6, 0.75),
    ];
    // The fossae above the joint leave the bone thin.
    let fossae = vec![
        ellipsoid(p(o * -0.4, 0.6, 1.75 + rise), 0.75, 0.5, 0.65),
        ellipsoid(p(o * -0.4, -0.7, 1.9 + rise), 0.95, 0.6, 0.85),
    ];
    let ball = ellipsoid(
        p(o * 1.35, 0.6, 0.2),
        1.05 * capitellum.size,
        1.05 * capitellum.size,
        1.05 * capitellum.size,
    );
    let pulley = |x: f32, r: f32| ellipsoid(p(o * x, 0.35, 0.2), 0.72, r, r);
    if open {
        if capitellum.size > 0.0 {
            body.bone(0.08, vec![ball]);
        }
        body.epiphysis(trochlea, 0.06, p(o * -0.6, 0.35, 0.3), p(1.0, 0.9, 0.75));
    } else {
        ends.extend([ball, pulley(-1.35, 1.2), pulley(-0.5, 0.95), pulley(0.3, 1.0)]);
    }
    if inner.gap > 0.02 {
        body.epiphysis(inner, 0.06, p(o * -2.9, -0.3, 1.6), p(0.5, 0.55, 0.7));
    } else {
        ends.push(cone(p(o * -1.8, -0.1, 2.0), p(o * -3.0, -0.3, 1.4), 0.8, 0.5));
    }
    if outer.gap > 0.02 {
        body.epiphysis(outer, 0.05, p(o * 2.55, -0.1, 1.4), p(0.25, 0.4, 0.6));
    } else {
        ends.push(cone(p(o * 1.6, -0.1, 2.0), p(o * 2.35, -0.1, 1.2), 0.7, 0.4));
    }
    body.shaft_less(
        p(0.0, 0.0, 4.6),
        p(o * 0.3, 0.0, 24.0),
        [1.0, 1.05, 1.2],
        0.42,
        ends,
        fossae,
    );
}

fn radius_and_ulna(body: &mut Body, forearm: &Frame) {
    let o = body.outer;
    let space = body.joint(0.3);
    // In the forearm's frame z runs down to the wrist and y towards the back of the elbow.
    let at = |x: f32, y: f32, z: f32| forearm.place(p(x, y, z));
    let head = body.growth(4.8, 15.0);
    let start = 1.0 + space;
    let neck = at(o * 1.45, -0.5, start + 1.5);
    let mut ends = vec![ellipsoid(at(o * 1.0, -0.1, start + 3.2), 0.7, 0.6, 0.9)];
    if head.gap > 0.02 {
        if head.size > 0.0 {
            let s = head.size;
            body.bone(
                0.05,
                vec![turned_ellipsoid(
                    at(o * 1.45, -0.5, start + 0.2),
                    forearm,
                    1.1 * s,
                    1.1 * s,
                    0.3 * s,
                )],
            );
        }
    } else {
        ends.push(turned_ellipsoid(
            at(o * 1.45, -0.5, start + 0.45),
            forearm,
            1.25,
            1.25,
            0.55,
        ));
        ends.push(cone(at(o * 1.45, -0.5, start + 0.6), neck, 0.85, 0.7));
    }
    body.shaft_with(neck, at(o * 1.2, -0.2, 22.0), [0.72, 0.65, 0.8], 0.27, ends);
    let olecranon = body.growth(9.5, 15.0);
    let mut ends = vec![
        cone(at(o * -0.55, 1.35, 0.3), at(o * -0.5, 0.9, 3.2), 0.95, 1.05),
        cone(
            at(o * -0.6, 0.6, 1.6 + space),
            at(o * -0.7, -0.75, 1.25 + space),
            0.75,
            0.4,
        ),
        cone(at(o * -0.5, 0.9, 3.0), at(o * -0.5, 0.4, 7.0), 1.05, 0.75),
    ];
    if olecranon.gap > 0.02 {
        body.epiphysis(olecranon, 0.06, at(o * -0.55, 1.5, -1.2), p(0.75, 0.7, 0.35));
    } else {
        ends.push(cone(at(o * -0.55, 1.4, 0.2), at(o * -0.55, 1.3, -1.15), 0.95, 0.75));
    }
    body.shaft_with(
        at(o * -0.5, 0.6, 4.5),
        at(o * -0.9, 0.0, 22.0),
        [0.85, 0.6, 0.6],
        0.27,
        ends,
    );
    body.spur(at(o * -0.7, -0.9, 1.2 + space), forearm.turn(p(0.0, -1.0, -0.4)), 0.55);
    body.spur(at(o * -0.55, 1.7, -1.4), forearm.turn(p(0.0, 0.2, -1.0)), 0.7);
    body.spur(at(o * 2.5, -0.5, start + 0.3), p(o, 0.0, 0.0), 0.4);
}
