//! Skull: vault, face, teeth, jaw and the neck's first bodies. The child's face is small under a large vault.

use rand_chacha::ChaCha8Rng;

use super::{Body, Field, SOFT, ramp, vary};
use crate::{
    shape::{Shape, cone, drum, ellipsoid, turned_ellipsoid},
    space::{Frame, p},
};

/// Builds the head; z = 0 is the height of the ears, y forward. The vault is full-grown early, so it is drawn in
/// units of its own and the body's size only follows in part.
pub fn build(body: &mut Body, random: &mut ChaCha8Rng) -> Field {
    let head = 0.86 + 0.14 * ramp(body.age, 0.5, 10.0);
    body.size = head * if body.female { 0.96 } else { 1.0 } * (1.0 + vary(random, 0.02));
    let face = 0.62 + 0.38 * ramp(body.maturity, 0.5, 17.0);
    vault(body, random);
    skull_base(body);
    face_bones(body, face);
    jaw(body, face, random);
    neck(body, face);
    let chin = -10.2 * face;
    body.tissue(
        SOFT,
        vec![
            ellipsoid(p(0.0, -0.6, 4.2), 8.0, 9.9, 9.6),
            cone(
                p(0.0, 4.0 * face, -1.0),
                p(0.0, 5.4 * face, chin + 1.5),
                6.2 * face,
                3.6 * face,
            ),
            cone(p(0.0, -2.0, -4.0), p(0.0, -1.6, -18.0), 5.4, 5.8),
            ellipsoid(p(0.0, 9.2 * face, -2.6 * face), 1.3, 1.9 * face, 1.8 * face),
        ],
    );
    if body.is_lateral() {
        body.field(p(0.0, 0.2, 1.4), 11.4, 12.6, 110.0)
    } else {
        body.field(p(0.0, 0.0, 1.2), 10.2, 12.6, 110.0)
    }
}

fn vault(body: &mut Body, random: &mut ChaCha8Rng) {
    let thick = (0.28 + 0.42 * ramp(body.age, 1.0, 22.0)) * (1.0 + vary(random, 0.12));
    let open = 1.0 - ramp(body.age, 1.0, 3.0);
    let outer = ellipsoid(p(0.0, -0.6, 4.2), 7.4, 9.3, 8.6);
    let inner = ellipsoid(p(0.0, -0.6, 4.2), 7.4 - thick, 9.3 - thick, 8.6 - thick);
    let below = ellipsoid(p(0.0, 2.0, -9.0), 12.0, 14.0, 9.0);
    let dense = 0.5 + 0.35 * body.mineral;
    let mut holes = vec![inner, below];
    if open > 0.05 {
        holes.push(ellipsoid(p(0.0, 3.6, 12.4), 1.3 * open, 2.0 * open, 3.0));
    }
    body.tissue_less(dense, vec![outer], holes);
    // Sutures show as lines of less bone until they close in later life.
    let line = 0.16 * (1.0 - 0.9 * ramp(body.age, 25.0, 60.0)) * (1.0 + open);
    let arc = |from: f32, to: f32, place: &dyn Fn(f32) -> crate::space::Point| -> Vec<Shape> {
        (0_u8..10)
            .map(|step| {
                let at = |share: f32| place(from + (to - from) * share + 0.03 * f32::from(step % 2));
                cone(at(f32::from(step) / 10.0), at(f32::from(step + 1) / 10.0), 0.2, 0.2)
            })
            .collect()
    };
    let coronal = arc(-1.35, 1.35, &|a: f32| {
        p(7.2 * a.sin(), 1.8 + 1.1 * a.cos(), 4.2 + 8.4 * a.cos())
    });
    let lambdoid = arc(-1.1, 1.1, &|a: f32| {
        p(7.0 * a.sin(), -7.6 - 0.6 * a.cos(), 3.2 + 5.6 * a.cos())
    });
    body.tissue(-dense * line * 2.4, coronal);
    body.tissue(-dense * line * 2.4, lambdoid);
    if body.age < 18.0 {
        return;
    }
    // A calcified pineal and the grooves of vessels belong to the grown.
    let lime = ramp(body.age, 22.0, 70.0);
    body.tissue(
        0.7 * lime,
        vec![ellipsoid(p(vary(random, 0.1), -1.4, 4.0), 0.28, 0.32, 0.25)],
    );
}

fn skull_base(body: &mut Body) {
    let dense = 0.6 * (0.4 + 0.6 * body.mineral);
    for side in [1.0, -1.0] {
        body.tissue(
            dense,
            vec![cone(p(side * 6.2, -1.8, -0.6), p(side * 1.8, 0.6, 0.2), 1.25, 0.8)],
        );
        let mastoid = ramp(body.age, 1.0, 10.0);
        body.tissue(
            0.3 * mastoid,
            vec![ellipsoid(p(side * 5.8, -2.6, -1.6), 1.2, 1.5, 1.9 * mastoid + 0.1)],
        );
        body.tissue(
            0.35,
            vec![cone(p(side * 3.0, 2.0, 1.2), p(side * 4.6, 6.2, 2.6), 0.32, 0.35)],
        );
    }
    // Clivus, sella, the front floor, occiput.
    body.tissue(dense * 0.7, vec![cone(p(0.0, 0.6, 0.8), p(0.0, -2.0, -2.0), 0.75, 0.6)]);
    body.tissue(
        dense,
        vec![
            cone(p(-0.8, 0.3, 2.0), p(0.8, 0.3, 2.0), 0.22, 0.22),
            cone(p(-0.8, 2.0, 2.0), p(0.8, 2.0, 2.0), 0.2, 0.2),
        ],
    );
    body.tissue(dense * 0.6, vec![cone(p(0.0, 2.0, 1.4), p(0.0, 7.4, 2.4), 0.4, 0.3)]);
    body.tissue(dense * 0.8, vec![ellipsoid(p(0.0, -9.0, 1.6), 1.0, 0.8, 0.9)]);
}

fn face_bones(body: &mut Body, face: f32) {
    let dense = 0.38 * (0.4 + 0.6 * body.mineral);
    let f = face;
    let eye = |side: f32, r: f32| ellipsoid(p(side * 3.2 * f.sqrt(), 7.2, 0.9), 2.0 * r, 3.4, 1.75 * r);
    let holes = vec![
        eye(1.0, 0.95),
        eye(-1.0, 0.95),
        ellipsoid(p(0.0, 7.5 * f, -2.4 * f), 1.15 * f, 3.0, 2.1 * f),
        ellipsoid(p(0.0, -0.6, 4.2), 7.0, 8.7, 7.0),
    ];
    let block = vec![
        cone(p(0.0, 5.6, 0.4), p(0.0, 5.6 * f, -4.4 * f), 3.9 * f.sqrt(), 3.1 * f),
        cone(p(-5.4 * f, 5.4, -0.9 * f), p(5.4 * f, 5.4, -0.9 * f), 1.0, 1.0),
    ];
    body.tissue_less(dense * 0.45, block, holes);
    // Rims of the orbits, cheek bones, nose.
    for side in [1.0, -1.0] {
        let rim: Vec<Shape> = (0..10)
            .map(|step| {
                let at = |step: i32| {
                    let angle = step as f32 * 0.6283;
                    p(
                        side * 3.2 * f.sqrt() + 2.0 * angle.cos(),
                        7.6 - 0.5 * angle.cos() * side,
                        0.9 + 1.75 * angle.sin(),
                    )
                };
                cone(at(step), at(step + 1), 0.3, 0.3)
            })
            .collect();
        body.tissue(dense * 1.5, rim);
        body.bone(
            0.12,
            vec![cone(
                p(side * 5.2 * f.sqrt(), 6.2, -0.8 * f),
                p(side * 6.6, 0.8, -0.9),
                0.6,
                0.4,
            )],
        );
        // Antrum, an air cell that grows with the face.
        let air = ramp(body.age, 1.0, 14.0);
        if air > 0.05 {
            let r = 1.5 * air;
            body.tissue(
                -0.2,
                vec![ellipsoid(p(side * 2.6 * f, 5.4, -2.5 * f), r, 1.3 * r, 1.15 * r)],
            );
        }
    }
    body.bone(
        0.08,
        vec![cone(p(0.0, 8.4, 1.2), p(0.0, 9.6 * f.sqrt(), -0.8 * f), 0.4, 0.3)],
    );
    let air = ramp(body.age, 6.0, 18.0);
    if air > 0.05 {
        let (low, at) = (1.0 * air, 8.0);
        body.tissue(
            -0.3,
            vec![turned_ellipsoid(
                p(0.0, at, 3.4 + 0.3 * low),
                &Frame::still(),
                2.6 * air,
                0.5,
                1.0 * air,
            )],
        );
        body.tissue(
            -0.16,
            vec![ellipsoid(p(0.0, 1.8, 0.4), 1.1 * air, 1.0 * air, 0.8 * air)],
        );
    }
    body.tissue(
        -0.17,
        vec![ellipsoid(p(0.0, 6.4 * f, -2.6 * f), 0.9 * f, 2.6 * f, 1.6 * f)],
    );
    body.tissue(-0.16, vec![cone(p(0.0, 0.8, -3.5 * f), p(0.0, 1.6, -14.0), 0.8, 0.9)]);
}

fn jaw(body: &mut Body, face: f32, random: &mut ChaCha8Rng) {
    let f = face;
    // The toothless jaw of old age is low.
    let lost = ramp(body.age, 55.0, 92.0) * 0.9;
    let chin = -9.4 * f;
    let angle = -6.6 * f;
    let high = (1.15 - 0.35 * lost) * f;
    let mut shapes = Vec::new();
    for side in [1.0, -1.0] {
        let joint = p(side * 5.6, 0.6, -1.2 * f);
        let corner = p(side * 4.9 * f.sqrt(), 0.9 * f, angle);
        let canine = p(side * 2.3 * f, 6.6 * f, chin + 0.5);
        shapes.extend([
            cone(joint, corner, 0.75, 0.9 * f),
            cone(corner, canine, high, high),
            cone(canine, p(0.0, 7.6 * f, chin + 0.3), high, high),
        ]);
    }
    body.bone(0.2, shapes);
    let roots = 0.4 + 0.6 * ramp(body.age, 0.6, 3.0);
    for tooth in -7_i32..=7 {
        let bow = tooth as f32 * 0.21;
        let (x, y) = (3.0 * f * bow.sin() * 1.25, 3.6 * f + 4.0 * f * bow.cos());
        for (upper, z) in [(true, -5.3 * f), (false, -6.6 * f)] {
            if rand::Rng::random::<f32>(random) < lost * 1.15 {
                continue;
            }
            let long = 1.0 * f * roots * if upper { 1.0 } else { -1.0 };
            body.tissue(
                0.9,
                vec![cone(p(x, y, z), p(x * 0.97, y * 0.96, z + long), 0.34 * f, 0.2 * f)],
            );
        }
    }
    // Before the second teeth are through, their germs lie in the jaws.
    if body.age > 2.0 && body.age < 11.0 {
        for tooth in [-5_i32, -3, -1, 1, 3, 5] {
            let bow = tooth as f32 * 0.21;
            let (x, y) = (3.4 * f * bow.sin(), 3.2 * f + 4.0 * f * bow.cos());
            for z in [-3.9 * f, -8.2 * f] {
                body.tissue(0.8, vec![ellipsoid(p(x, y, z), 0.34, 0.34, 0.42)]);
            }
        }
    }
}

fn neck(body: &mut Body, face: f32) {
    for level in 0..6 {
        let step = level as f32;
        let at = p(0.0, -2.0 + 0.25 * step, -3.4 - 1.75 * step * (0.75 + 0.25 * face));
        let half = 0.72 - 0.12 * (1.0 - body.growth(-0.5, 16.0).size) + 0.03 * body.wear;
        body.bone(0.09, vec![drum(at, &Frame::still(), 1.15, 0.85, half)]);
        body.bone(
            0.08,
            vec![cone(at + p(-2.4, -1.2, 0.0), at + p(2.4, -1.2, 0.0), 0.6, 0.6)],
        );
        body.bone(
            0.08,
            vec![cone(at + p(0.0, -2.0, 0.0), at + p(0.0, -4.2, -0.6), 0.45, 0.4)],
        );
        body.spur(at + p(0.0, 0.85, -half), p(0.0, 1.0, -0.4), 0.7);
    }
    body.bone(0.08, vec![cone(p(0.0, -1.6, -3.0), p(0.0, -1.4, -1.2), 0.55, 0.35)]);
}
