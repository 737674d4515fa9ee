//! Chest: cage, lungs with their vessels, heart and great vessels, the shoulder girdle's part in the picture.

use std::ops::Range;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use snowball_protocol::labels::View;

use super::{Body, Field, SOFT, ramp, vary};
use crate::{
    shape::{Shape, cone, drum, ellipsoid, plate, turned_ellipsoid},
    space::{Frame, Point, p},
};

/// Air in the lung against the soft tissue it replaces, 1/cm.
const LUNG: f32 = -0.150;

/// Builds the chest; z = 0 is the middle of the lungs, x to the patient's left.
pub fn build(body: &mut Body, random: &mut ChaCha8Rng) -> Field {
    let child = 1.0 - ramp(body.age, 1.0, 12.0);
    let old = ramp(body.age, 50.0, 88.0);
    let bedside = body.view == View::AnteroPosterior;
    let breath = vary(random, 0.7) - if bedside { 1.4 } else { 0.0 };
    // Small children have short, round chests.
    let wide = 1.0 + 0.10 * child;
    let deep = 1.0 + 0.22 * child + 0.12 * old;
    let tall = 1.0 - 0.14 * child;
    let hunch = 2.2 * old;
    trunk(body, wide, deep);
    lungs(body, random, [wide, deep, tall], child, old, breath);
    ribs_about(body, Point::ORIGIN, 0..12, [wide, deep, tall], 0.52);
    spine(body, hunch, deep, tall);
    girdle(body, wide, tall, bedside);
    great_vessels(body, deep, old, tall);
    let height = 17.6 * tall;
    if body.is_lateral() {
        body.field(p(0.0, -0.6, 0.0), 16.0 * deep.min(1.12), height + 1.0, 180.0)
    } else {
        let distance = if bedside { 105.0 } else { 180.0 };
        body.field(p(0.0, 0.0, 0.0), 17.6 * wide, height, distance)
    }
}

fn trunk(body: &mut Body, wide: f32, deep: f32) {
    let g = 0.75 + 0.25 * body.girth;
    let mut shapes = vec![
        ellipsoid(p(0.0, 0.0, -14.0), 16.6 * g * wide, 10.9 * g * deep, 34.0),
        ellipsoid(p(0.0, -0.4, 4.0), 16.5 * g * wide, 10.4 * g * deep, 13.5),
        cone(p(0.0, -1.2, 12.0), p(0.0, -0.4, 24.0), 6.8, 5.6),
    ];
    for side in [1.0, -1.0] {
        if body.is_lateral() {
            // Arms are lifted.
            shapes.push(cone(
                p(side * 14.0, 0.5, 9.0),
                p(side * 15.0, 6.0, 24.0),
                5.0 * g,
                4.2 * g,
            ));
        } else {
            shapes.push(cone(
                p(side * 11.0, -1.0, 11.5),
                p(side * 19.5 * wide, -1.0, 6.0),
                5.4 * g,
                5.0 * g,
            ));
            shapes.push(cone(
                p(side * 19.5 * wide, -1.0, 6.0),
                p(side * 22.0 * wide, -1.0, -14.0),
                4.7 * g,
                4.0 * g,
            ));
        }
    }
    body.tissue(SOFT, shapes);
    if body.female && body.age > 12.0 {
        let fall = 2.5 * ramp(body.age, 25.0, 75.0);
        let size = ramp(body.age, 11.0, 17.0) * (0.85 + 0.15 * body.girth);
        for side in [1.0, -1.0] {
            let at = p(side * 8.2, 9.6 * deep, -5.0 - fall);
            body.tissue(0.055, vec![ellipsoid(at, 5.6 * size, 4.4 * size, 5.2 * size)]);
        }
    }
}

fn lungs(body: &mut Body, random: &mut ChaCha8Rng, [wide, deep, tall]: [f32; 3], child: f32, old: f32, breath: f32) {
    let heart_size = 1.0 + 0.26 * child + 0.12 * old * random.random::<f32>() + vary(random, 0.06);
    let dome = -10.8 * tall - breath - 1.2 * old;
    let tilt = Frame::turned(0.0, 38.0, 0.0);
    let heart = |grow: f32| {
        vec![
            turned_ellipsoid(
                p(3.0, 2.6 * deep, -5.6 * tall),
                &tilt,
                4.6 * heart_size * grow,
                4.6 * heart_size * grow,
                6.4 * heart_size * grow,
            ),
            ellipsoid(
                p(-1.6, 1.8 * deep, -5.2 * tall),
                3.4 * heart_size * grow,
                4.0 * grow,
                4.6 * heart_size * grow,
            ),
        ]
    };
    let thymus = 3.6 * (1.0 - ramp(body.age, 1.5, 6.0));
    let mut middle = heart(1.0);
    middle.extend([
        cone(p(0.4, -1.0, 16.0), p(0.2, -0.5, -8.0), 2.9, 2.7),
        cone(p(-1.2, 1.5, 5.0), p(-1.8, 1.5, 0.0), 1.9, 2.2),
        cone(p(1.6, 0.2, 3.4), p(1.9, 1.0, 0.5), 2.3 + 0.6 * old, 2.4),
        cone(
            p(1.2, -4.6 * deep, 3.0),
            p(0.8 + 1.3 * old, -5.0 * deep, -12.0),
            1.7 + 0.7 * old,
            1.5 + 0.4 * old,
        ),
        cone(p(0.0, -6.4 * deep, 18.0), p(0.0, -6.4 * deep, -18.0), 2.6, 2.8),
    ]);
    if thymus > 0.3 {
        middle.push(ellipsoid(p(0.3, 4.0, 4.5), thymus + 1.0, 2.2, 4.4));
    }
    // The domes of the diaphragm; the right one stands higher because of the liver.
    middle.push(ellipsoid(p(-7.0, 0.5, dome - 7.2), 9.0 * wide, 10.0 * deep, 8.6));
    middle.push(ellipsoid(p(7.2, 0.5, dome - 8.2), 8.8 * wide, 10.0 * deep, 8.6));
    for side in [1.0, -1.0] {
        let lung = vec![
            ellipsoid(
                p(side * 6.9 * wide, -0.7, -2.6 * tall),
                6.3 * wide,
                8.6 * deep,
                18.4 * tall,
            ),
            ellipsoid(
                p(side * 7.6 * wide, -0.7, -8.6 * tall),
                6.4 * wide,
                8.7 * deep,
                11.0 * tall,
            ),
        ];
        body.tissue_less(LUNG, lung, middle.clone());
        vessels(body, random, side, wide, tall, deep);
    }
    // Windpipe and main bronchi; air under the left dome.
    let pipe = vec![
        cone(p(0.0, -0.2, 18.0), p(-0.3 - 0.4 * old, -1.4, 3.6 * tall), 0.95, 0.9),
        cone(p(-0.3, -1.4, 3.6 * tall), p(-3.0, -1.6, 1.2 * tall), 0.7, 0.5),
        cone(p(-0.3, -1.4, 3.6 * tall), p(3.6, -1.6, 0.8 * tall), 0.65, 0.45),
    ];
    body.tissue(-0.17, pipe);
    if random.random::<f32>() < 0.75 {
        body.tissue(-0.16, vec![ellipsoid(p(6.0, 1.0, dome - 3.2), 3.4, 3.0, 1.7)]);
    }
}

/// A tree of vessels from the root of one lung, thinning outwards.
fn vessels(body: &mut Body, random: &mut ChaCha8Rng, side: f32, wide: f32, tall: f32, deep: f32) {
    let root = p(side * 3.0, -0.8, 0.8 * tall);
    let mut shapes: Vec<Shape> = vec![ellipsoid(root, 1.5, 1.3, 2.0)];
    for branch in 0..9 {
        let angle = -1.35 + 0.36 * branch as f32 + vary(random, 0.1);
        let reach = p(
            side * angle.cos() * wide,
            vary(random, 0.45) * deep,
            -angle.sin() * tall * 1.25,
        );
        let (mut at, mut radius) = (root, 0.62);
        let mut way = reach;
        for _ in 0..4 {
            let end = at + way * (2.0 + 0.6 * random.random::<f32>());
            shapes.push(cone(at, end, radius, radius * 0.68));
            let fork = end + (way + p(0.0, vary(random, 0.4), vary(random, 0.5))) * 1.8;
            shapes.push(cone(end, fork, radius * 0.55, radius * 0.25));
            at = end;
            radius *= 0.66;
            way = way + p(0.0, vary(random, 0.2), vary(random, 0.25));
        }
    }
    body.tissue(0.15, shapes);
}

/// Ribs of a cage around `middle`, for pictures that show it in part.
pub fn ribs(body: &mut Body, middle: Point, which: Range<usize>, cortex: f32) {
    ribs_about(body, middle, which, [1.0, 1.0, 1.0], cortex);
}

fn ribs_about(body: &mut Body, middle: Point, which: Range<usize>, [wide, deep, tall]: [f32; 3], strength: f32) {
    // Ribs run flat in the small child and steeper later.
    let slope = 0.45 + 0.55 * ramp(body.age, 0.5, 9.0);
    let dense = strength * (0.4 + 0.6 * body.mineral);
    for side in [1.0, -1.0] {
        for rib in which.clone() {
            let step = rib as f32;
            let belly = (1.0 - ((step - 7.0) / 9.5).powi(2)).max(0.2);
            let (rx, ry) = (13.6 * wide * belly.sqrt(), 9.0 * deep * belly.sqrt());
            let back = (14.8 - 2.55 * step) * tall;
            let drop = slope * (3.2 + 0.62 * step) * tall;
            let reach = if rib < 8 { 2.45 } else { 2.45 - 0.32 * (step - 7.0) };
            let at = |angle: f32| {
                let fall = (angle / 2.6).powf(1.15);
                middle
                    + p(
                        side * rx * angle.sin(),
                        -ry * angle.cos() - 0.4,
                        back - drop * fall * 1.15,
                    )
            };
            let pieces = 8;
            let mut shapes = Vec::with_capacity(pieces);
            for piece in 0..pieces {
                let from = 0.16 + (reach - 0.16) * piece as f32 / pieces as f32;
                let to = 0.16 + (reach - 0.16) * (piece + 1) as f32 / pieces as f32;
                shapes.push(cone(at(from), at(to), 0.56, 0.56));
            }
            let hollow = shapes
                .iter()
                .filter_map(|shape| shape.shrunk(0.17 * body.cortex))
                .collect();
            body.tissue(-0.72 * dense, hollow);
            body.tissue(dense, shapes);
            // Cartilage calcifies with the years.
            let lime = ramp(body.age, 38.0, 85.0) * body.wear;
            if rib < 8 && lime > 0.1 {
                let inwards = middle + p(side * 2.6, 9.0 * deep * belly.sqrt(), back - drop * 1.15 + 1.0);
                let (from, to) = (at(reach), at(reach).towards(inwards, 0.7));
                body.tissue(0.45 * lime, vec![cone(from, to, 0.5, 0.35)]);
            }
        }
    }
}

fn spine(body: &mut Body, hunch: f32, deep: f32, tall: f32) {
    for level in 0..15 {
        let z = (17.5 - 2.5 * level as f32) * tall;
        let neck = 0.42 * (z - 10.0).max(0.0);
        let curve = -6.3 * deep + neck - hunch * (1.0 - (z / 18.0).powi(2)).max(0.0);
        let tilt = Frame::turned(hunch * 0.9 * z / 6.0, 0.0, 0.0);
        let disc = 0.28 * (1.0 - 0.6 * body.wear);
        let crush = if body.mineral < 0.6 && level % 4 == 2 { 0.3 } else { 0.0 };
        let half = 1.25 * tall - disc - crush;
        let at = p(0.0, curve, z);
        body.bone(0.11, vec![drum(at, &tilt, 1.75, 1.45, half)]);
        body.bone(
            0.09,
            vec![cone(at + p(0.0, -2.2, 0.0), at + p(0.0, -4.2, -1.9), 0.5, 0.35)],
        );
        body.bone(
            0.08,
            vec![cone(at + p(-2.6, -2.0, 0.2), at + p(2.6, -2.0, 0.2), 0.45, 0.45)],
        );
        body.spur(at + p(0.0, 1.4, half), p(0.0, 1.0, 0.4), 0.8);
        body.spur(at + p(1.6, 0.3, half), p(1.0, 0.0, 0.3), 0.7);
        body.spur(at + p(-1.6, 0.3, half), p(-1.0, 0.0, 0.3), 0.7);
    }
}

fn girdle(body: &mut Body, wide: f32, tall: f32, bedside: bool) {
    let lift = if bedside { 1.6 } else { 0.0 };
    for side in [1.0, -1.0] {
        let at = |x: f32, y: f32, z: f32| p(side * x * wide, y, z * tall + lift);
        let end = at(16.2, -2.0, 13.2);
        body.bone(
            0.13,
            vec![
                cone(at(2.0, 5.0, 10.8), at(8.5, 3.2, 12.4), 0.85, 0.6),
                cone(at(8.5, 3.2, 12.4), end, 0.6, 0.7),
            ],
        );
        if body.is_lateral() {
            continue;
        }
        // In the standing patient the shoulders are rolled forward and the blades clear the lungs.
        let out = if bedside { -2.2 } else { 0.0 };
        let blade = [
            at(15.2 + out, -5.0, 11.4),
            at(10.8 + out, -8.2, 10.0),
            at(12.0 + out, -8.2, -1.5),
        ];
        body.plates(0.6, vec![plate(&blade, 0.18)]);
        body.bone(
            0.1,
            vec![cone(blade[0], blade[2], 0.5, 0.4), cone(blade[1], blade[2], 0.3, 0.35)],
        );
        body.bone(
            0.12,
            vec![cone(at(10.8 + out, -8.0, 9.6), at(17.0, -3.0, 12.8), 0.45, 0.7)],
        );
        let head = at(18.4, -2.0, 10.4);
        let growth = body.growth(0.1, 19.0);
        body.epiphysis(growth, 0.12, head, p(2.3, 2.3, 2.3));
        let top = head + p(side * 0.7, 0.0, -2.0 - 0.6 * growth.gap);
        body.shaft(top, at(22.0, -1.5, -14.0), [1.7, 1.15, 1.2], 0.45);
    }
    body.bone(
        0.1,
        vec![cone(p(0.0, 8.0, 9.6 * tall), p(0.0, 9.0, -5.0 * tall), 0.75, 0.7)],
    );
}

/// The lime of an old aorta: along the arch and down.
fn great_vessels(body: &mut Body, deep: f32, old: f32, tall: f32) {
    let lime = old * body.wear;
    if lime < 0.15 {
        return;
    }
    let knob = p(1.9, -0.8, 4.4 * tall);
    let mut rim = Vec::new();
    for step in 0..7 {
        let angle = -0.4 + 0.42 * step as f32;
        let at = |angle: f32| knob + p(2.3 * angle.cos() + 0.2, -1.5 * deep * angle.cos(), 2.1 * angle.sin());
        rim.push(cone(at(angle), at(angle + 0.34), 0.22, 0.2));
    }
    body.tissue(0.75 * lime, rim);
}
