//! Pelvis from the front: the ring, both hips, the upper femora, and what lies in the bowel.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{Body, Field, SOFT, vary};
use crate::{
    shape::{cone, drum, ellipsoid, plate, turned_ellipsoid},
    space::{Frame, p},
};

/// Builds both halves around the sacrum; z = 0 is the height of the hip joints.
pub fn build(body: &mut Body, random: &mut ChaCha8Rng) -> Field {
    let wide = if body.female { 1.07 } else { 1.0 };
    for side in [1.0, -1.0] {
        half(body, side, wide);
        femur(body, side, wide, random);
    }
    sacrum(body);
    let g = body.girth;
    body.tissue(
        SOFT,
        vec![
            drum(p(0.0, 0.0, 6.0), &Frame::still(), 17.5 * g, 10.0 * g, 16.0),
            cone(p(9.0, 0.0, -3.0), p(9.8, 0.0, -22.0), 8.4 * g, 8.0 * g),
            cone(p(-9.0, 0.0, -3.0), p(-9.8, 0.0, -22.0), 8.4 * g, 8.0 * g),
        ],
    );
    for _ in 0..random.random_range(3..9) {
        let at = p(vary(random, 5.0), 3.0, 7.0 + vary(random, 4.0));
        let r = 0.7 + 1.1 * random.random::<f32>();
        body.tissue(-0.17, vec![ellipsoid(at, r * 1.4, r, r)]);
    }
    body.field(p(0.0, 0.0, 2.0), 18.5, 15.5, 115.0)
}

fn half(body: &mut Body, s: f32, wide: f32) {
    let hip = 8.6 * wide;
    let at = |x: f32, y: f32, z: f32| p(s * x, y, z);
    // Iliac wing: two thin plates under a thick crest, open to the front like a shell.
    let crest = [
        at(5.0, -5.0, 9.2),
        at(9.2, -3.0, 12.8),
        at(13.0 * wide, 0.8, 11.2),
        at(13.2 * wide, 3.8, 7.6),
    ];
    let joint = at(hip, 0.4, 2.0);
    let low = at(4.6, -4.6, 4.2);
    let crest_growth = body.growth(13.5, 22.0);
    let mut ring = vec![
        cone(crest[0], crest[1], 0.75, 0.7),
        cone(crest[1], crest[2], 0.7, 0.75),
        cone(crest[2], crest[3], 0.75, 0.6),
        cone(crest[3], at(hip + 1.6, 3.0, 3.2), 0.7, 1.3),
        cone(low, joint, 1.5, 2.0),
        cone(low, crest[0], 1.3, 0.9),
    ];
    body.plates(0.75, vec![plate(&[low, crest[0], crest[1]], 0.42)]);
    body.plates(0.75, vec![plate(&[joint, low, crest[1]], 0.42)]);
    body.plates(0.75, vec![plate(&[joint, crest[1], crest[2]], 0.42)]);
    body.plates(0.75, vec![plate(&[joint, crest[2], crest[3]], 0.42)]);
    // Acetabulum, pubis and ischium around the obturator foramen.
    let socket = ellipsoid(at(hip, 0.3, 0.2), 3.6, 3.3, 3.6);
    let symphysis = 0.35 + 0.2 * (1.0 - body.growth(0.0, 16.0).size);
    let angle = if body.female { 1.15 } else { 0.75 };
    let pubis = [
        cone(at(6.6 * wide, 1.2, 1.0), at(symphysis + 0.9, 3.6, -2.6), 1.05, 0.95),
        cone(
            at(symphysis + 0.8, 3.6, -2.4),
            at(symphysis + 0.8, 3.4, -4.4),
            0.85,
            0.75,
        ),
        cone(at(symphysis + 0.9, 3.3, -4.6), at(4.2 + angle, 0.5, -6.9), 0.7, 0.8),
    ];
    let ischium = cone(at(7.4 * wide, -1.8, -1.6), at(5.3 + angle, -1.6, -7.0), 1.5, 1.25);
    let triradiate = body.growth(-1.0, 14.5);
    if triradiate.gap > 0.1 {
        // Three separate bones meet in cartilage at the socket.
        let gap = vec![turned_ellipsoid(
            at(hip - 1.2, 0.2, 0.3),
            &Frame::turned(0.0, 0.0, 0.0),
            3.4,
            6.0,
            0.38,
        )];
        let roof = cone(at(hip + 0.6, 0.6, 2.9), at(hip - 1.8, 0.2, 1.9), 1.5, 1.3);
        ring.push(roof);
        body.bone_less(0.12, ring, gap);
        let split = vec![ellipsoid(at(5.0, 0.3, -7.4), 0.45, 3.0, 1.0)];
        body.bone_less(0.1, pubis.to_vec(), split.clone());
        body.bone_less(0.1, vec![ischium], split);
    } else {
        let mut cup = vec![socket];
        cup.extend(pubis);
        cup.push(ischium);
        ring.extend(cup);
        let ball = vec![
            ellipsoid(at(hip + 0.75, 0.5, -0.35), 2.95, 3.0, 2.95),
            ellipsoid(at(hip + 3.4, 1.0, -2.2), 2.6, 4.0, 2.6),
        ];
        body.bone_less(0.16, ring, ball);
    }
    if crest_growth.gap > 0.02 && crest_growth.size > 0.0 {
        let up = p(0.0, 0.0, 1.0);
        body.bone(
            0.05,
            vec![cone(
                crest[1] + up,
                crest[2].towards(crest[1], 1.0 - crest_growth.size) + up,
                0.25,
                0.25,
            )],
        );
    }
    body.spur(at(hip + 3.0, 0.4, 2.4), p(s, 0.0, -0.3), 1.3);
}

fn femur(body: &mut Body, s: f32, wide: f32, random: &mut ChaCha8Rng) {
    let hip = (8.6 + 0.75) * wide;
    let narrow = 0.4 - body.joint(0.4);
    let at = |x: f32, y: f32, z: f32| p(s * x, y, z);
    let head = at(hip, 0.5, -0.35 + narrow);
    let growth = body.growth(0.4, 17.5);
    let trochanter = body.growth(3.5, 17.0);
    let neck_end = at(hip + 4.4 + vary(random, 0.15), 0.0, -4.6);
    let knee = at(hip + 2.6, 0.0, -28.0);
    let open = growth.gap > 0.02;
    let ball = ellipsoid(head, 2.5 * growth.size, 2.5 * growth.size, 2.5 * growth.size);
    let start = head.towards(neck_end, if open { 0.48 } else { 0.2 });
    let mut ends = vec![
        cone(start, neck_end, 1.75, 1.9),
        cone(neck_end, at(hip + 4.6, 0.0, -8.2), 2.1, 1.7),
    ];
    if open {
        if growth.size > 0.0 {
            body.bone(0.12, vec![ball]);
        }
    } else {
        ends.push(ball);
    }
    let tip = at(hip + 5.6, -0.4, -2.6);
    if trochanter.gap > 0.02 {
        body.epiphysis(trochanter, 0.08, tip, p(0.9, 1.2, 1.1));
    } else {
        ends.push(cone(neck_end, tip, 1.7, 1.2));
        ends.push(cone(at(hip + 4.0, -1.2, -7.6), at(hip + 2.6, -1.6, -7.2), 1.0, 0.7));
    }
    body.shaft_with(at(hip + 4.5, 0.0, -7.0), knee, [1.8, 1.5, 1.6], 0.62, ends);
    body.spur(head + at(-0.4, 0.0, -2.4), p(-s, 0.0, -0.9), 0.9);
    if body.wear > 0.55 && random.random::<f32>() < body.wear {
        let wall = at(7.0, 2.0, -14.0);
        body.tissue(0.5, vec![cone(wall, wall + p(s * 0.6, 0.0, -3.0), 0.2, 0.15)]);
    }
}

fn sacrum(body: &mut Body) {
    let lean = Frame::turned(-28.0, 0.0, 0.0);
    let s = body.growth(-1.0, 14.0).size;
    for level in 0..5 {
        let step = level as f32;
        let at = lean.place(p(0.0, 0.0, -2.35 * step)) + p(0.0, -5.2, 9.0);
        let (wide, tall) = (4.9 - 0.85 * step, 1.12 * (0.82 + 0.18 * s));
        body.bone(0.14, vec![drum(at, &lean, wide, 1.5 - 0.2 * step, tall)]);
        if level < 4 {
            for side in [1.0, -1.0] {
                let hole = at + lean.turn(p(side * (1.9 - 0.25 * step), 0.0, -1.0));
                body.tissue(-0.28 * body.mineral, vec![ellipsoid(hole, 0.5, 1.2, 0.42)]);
            }
        }
    }
    for level in 0..2 {
        let at = p(0.0, -3.4, 12.0 + 3.7 * level as f32);
        let tall = 1.45 - 0.12 * (1.0 - s);
        body.bone(0.14, vec![drum(at, &Frame::still(), 2.7, 1.8, tall)]);
        body.bone(
            0.1,
            vec![cone(at + p(-4.3, -2.0, 0.2), at + p(4.3, -2.0, 0.2), 0.5, 0.5)],
        );
        body.bone(0.1, vec![ellipsoid(at + p(0.0, -4.0, -0.8), 0.4, 1.2, 1.2)]);
        for side in [1.0, -1.0] {
            body.spur(at + p(side * 2.5, 0.0, -tall), p(side, 0.0, -0.3), 1.0);
        }
    }
    body.bone(0.05, vec![cone(p(0.0, -6.4, -1.8), p(0.0, -5.4, -4.2), 0.6, 0.3)]);
}
