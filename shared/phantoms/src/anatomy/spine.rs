//! Lumbar spine: five lumbar and two thoracic bodies over the sacrum, and the old man's aorta in front of them.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{Body, Field, SOFT, ramp, vary};
use crate::{
    shape::{cone, drum, ellipsoid, plate},
    space::{Frame, Point, p},
};

/// Builds the spine; z = 0 is the third lumbar body.
pub fn build(body: &mut Body, random: &mut ChaCha8Rng) -> Field {
    let hollow = 1.0 + vary(random, 0.2) - 0.4 * body.wear;
    let scoliosis = vary(random, 0.7) * (0.6 + body.wear);
    for level in 0..8 {
        vertebra(body, random, level, hollow, scoliosis);
    }
    sacrum(body, hollow);
    surroundings(body, random);
    if body.is_lateral() {
        body.field(p(0.0, -1.2, -0.5), 10.5, 16.5, 115.0)
    } else {
        body.field(p(0.0, 0.0, -0.5), 10.2, 16.5, 115.0)
    }
}

/// Where a body of this height lies, and how it leans.
fn bed(z: f32, hollow: f32, scoliosis: f32) -> (Point, Frame) {
    let forward = hollow * (1.9 * (-((z + 1.5) / 8.5).powi(2)).exp() - 1.0);
    let slope = hollow * 1.9 * (-2.0 * (z + 1.5) / 72.0) * (-((z + 1.5) / 8.5).powi(2)).exp();
    let sideways = scoliosis * (z / 7.0).sin();
    let lean = Frame::turned(
        -slope.atan().to_degrees(),
        scoliosis * (z / 7.0).cos() / 7.0 * 57.0,
        0.0,
    );
    (p(sideways, forward, z), lean)
}

fn vertebra(body: &mut Body, random: &mut ChaCha8Rng, level: usize, hollow: f32, scoliosis: f32) {
    let step = level as f32;
    let z = 14.6 - 3.75 * step + 0.12 * (step - 4.0).powi(2);
    let (at, lean) = bed(z, hollow, scoliosis);
    let child = 1.0 - ramp(body.maturity, 2.0, 17.0);
    let disc = 0.55 * (1.0 - 0.7 * body.wear * (0.6 + 0.4 * random.random::<f32>())) + 0.3 * child;
    let frail = ramp(0.72 - body.mineral, 0.0, 0.3);
    let crush = frail * random.random::<f32>() * 0.55;
    let half = (1.86 - disc).max(0.8) - crush;
    let (rx, ry) = (
        (2.1 + 0.13 * step) * (1.0 - 0.1 * child),
        (1.62 + 0.05 * step) * (1.0 - 0.08 * child),
    );
    let place = |x: f32, y: f32, z: f32| at + lean.turn(p(x, y, z));
    // Endplates are denser and wider than the waist between them.
    let shapes = vec![
        drum(place(0.0, 0.0, half - 0.32), &lean, rx, ry, 0.3),
        drum(place(0.0, 0.0, -half + 0.32), &lean, rx, ry, 0.3),
        drum(at, &lean, rx * 0.9, ry * 0.93, (half - 0.3).max(0.2)),
    ];
    body.bone(0.13, shapes);
    let ring = body.growth(8.0, 18.5);
    if ring.gap > 0.05 && ring.size > 0.0 {
        for z in [half + 0.14, -half - 0.14] {
            body.tissue(
                0.3 * ring.size,
                vec![cone(
                    place(-rx * 0.8, ry * 0.75, z),
                    place(rx * 0.8, ry * 0.75, z),
                    0.1,
                    0.1,
                )],
            );
        }
    }
    for side in [1.0, -1.0] {
        body.bone(
            0.09,
            vec![cone(
                place(side * 1.45, -1.3, 0.5),
                place(side * 1.6, -3.0, 0.4),
                0.62,
                0.6,
            )],
        );
        body.bone(
            0.1,
            vec![
                cone(place(side * 1.75, -3.3, 1.5), place(side * 1.7, -3.6, -1.9), 0.68, 0.55),
                cone(
                    place(side * 1.6, -2.6, 0.4),
                    place(side * (4.4 - 0.12 * step), -2.9, 0.7),
                    0.5,
                    0.35,
                ),
            ],
        );
        if level < 2 {
            let away = place(side * 9.5, -5.0, -4.5);
            body.bone(0.12, vec![cone(place(side * 2.3, -2.4, 0.6), away, 0.5, 0.5)]);
        }
        body.spur(place(side * rx, 0.2, -half), p(side, 0.1, -0.35), 1.15);
        body.spur(place(side * rx, 0.2, half), p(side, 0.1, 0.35), 1.15);
        body.spur(place(side * 1.75, -3.7, 1.2), p(side, -0.3, 0.2), 0.8);
    }
    body.spur(place(0.0, ry, half), p(0.0, 1.0, 0.35), 1.1);
    body.spur(place(0.0, ry, -half), p(0.0, 1.0, -0.35), 1.1);
    let process = [
        place(0.0, -3.6, 0.4),
        place(0.0, -5.8, 0.3),
        place(0.0, -6.0, -1.1),
        place(0.0, -3.8, -0.9),
    ];
    body.plates(0.7, vec![plate(&process, 0.25)]);
    body.bone(0.1, vec![cone(process[1], process[2], 0.4, 0.45)]);
}

fn sacrum(body: &mut Body, hollow: f32) {
    let lean = Frame::turned(-36.0 * (0.7 + 0.3 * hollow), 0.0, 0.0);
    let (at, _) = bed(-13.4, hollow, 0.0);
    for level in 0..3 {
        let step = level as f32;
        let centre = at + lean.turn(p(0.0, -0.4, -2.5 * step - 0.4));
        body.bone(
            0.13,
            vec![drum(centre, &lean, 4.6 - 0.8 * step, 1.75 - 0.35 * step, 1.12)],
        );
    }
    for side in [1.0, -1.0] {
        let at = |x: f32, y: f32, z: f32| p(side * x, y, z);
        body.plates(
            0.7,
            vec![plate(
                &[
                    at(5.2, -4.5, -10.4),
                    at(10.5, -1.5, -9.2),
                    at(9.0, 0.0, -20.0),
                    at(5.0, -4.0, -18.0),
                ],
                0.35,
            )],
        );
        body.bone(
            0.12,
            vec![
                cone(at(5.2, -4.5, -10.4), at(10.5, -1.5, -9.2), 0.7, 0.7),
                cone(at(10.5, -1.5, -9.2), at(13.5, 2.5, -11.5), 0.7, 0.7),
            ],
        );
    }
}

fn surroundings(body: &mut Body, random: &mut ChaCha8Rng) {
    let g = body.girth;
    let trunk = drum(p(0.0, 3.4, 0.0), &Frame::still(), 14.0 * g, 9.6 * g, 26.0);
    body.tissue(SOFT * 0.85, vec![trunk]);
    for side in [1.0, -1.0] {
        body.tissue(
            0.03,
            vec![cone(p(side * 2.8, 0.0, 9.0), p(side * 6.8, 1.5, -13.0), 1.2, 3.2)],
        );
    }
    for _ in 0..random.random_range(4..11) {
        let at = p(vary(random, 5.5), 7.5 + vary(random, 1.2), vary(random, 7.0));
        let r = 0.7 + 1.1 * random.random::<f32>();
        body.tissue(-0.15, vec![ellipsoid(at, 1.5 * r, r, r)]);
    }
    if body.is_lateral() {
        // The domes' air-bearing lung above.
        body.tissue(-0.11, vec![ellipsoid(p(0.0, 2.5, 19.0), 11.0, 8.5, 8.0)]);
    }
    let lime = ramp(body.age, 52.0, 86.0) * body.wear;
    if lime > 0.12 {
        for step in 0..10 {
            let z = 9.0 - 1.9 * step as f32;
            if random.random::<f32>() > 0.35 + 0.65 * lime {
                continue;
            }
            let (bed, _) = bed(z, 1.0, 0.0);
            let (x, y) = (bed.x + 1.0, bed.y + 3.0);
            body.tissue(
                0.8 * lime,
                vec![
                    cone(p(x, y, z), p(x, y, z - 1.3), 0.22, 0.18),
                    cone(p(x + 0.8, y + 1.8, z), p(x + 0.8, y + 1.8, z - 1.1), 0.22, 0.18),
                ],
            );
        }
    }
}
