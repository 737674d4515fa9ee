//! Ankle and foot: lower tibia and fibula, the tarsals, five rays.

use rand_chacha::ChaCha8Rng;
use snowball_protocol::labels::View;

use super::{Body, Field, MARROW, SOFT, vary};
use crate::{
    scene::camera,
    shape::{Shape, cone, drum, ellipsoid, turned_ellipsoid},
    space::{Frame, p},
};

/// Base, head, lengths of the phalanges, girth.
type Toe = ([f32; 3], [f32; 3], [f32; 3], f32);

/// Base and head of the metatarsals, lengths of the phalanges, girth. x is outward from the second ray.
const RAYS: [Toe; 5] = [
    ([-1.7, 5.4, -4.6], [-2.6, 11.4, -6.3], [3.1, 0.0, 2.2], 1.45),
    ([-0.4, 5.2, -3.9], [-0.6, 12.2, -6.2], [2.6, 1.3, 0.9], 0.95),
    ([0.6, 4.9, -4.1], [0.9, 11.7, -6.2], [2.4, 1.1, 0.9], 0.9),
    ([1.5, 4.5, -4.6], [2.2, 10.9, -6.3], [2.2, 1.0, 0.8], 0.88),
    ([2.4, 3.8, -5.2], [3.4, 9.8, -6.4], [2.0, 0.8, 0.8], 0.86),
];

/// Builds the foot; the field is the whole foot or the ankle.
pub fn build(body: &mut Body, random: &mut ChaCha8Rng, is_foot: bool) -> Field {
    let mut soft = Vec::new();
    leg(body, &mut soft, is_foot && body.view != View::Lateral);
    tarsals(body, random, &mut soft);
    for (index, ray) in RAYS.iter().enumerate() {
        digit(body, random, index, ray, &mut soft);
    }
    body.tissue(SOFT, soft);
    let o = body.outer;
    if !is_foot {
        return match body.view {
            View::Lateral => body.field(p(0.0, 1.2, -1.2), 8.2, 8.8, 115.0),
            _ => body.field(p(o * 0.1, 0.0, 3.2), 5.2, 7.4, 115.0),
        };
    }
    match body.view {
        View::Lateral => body.field(p(0.0, 5.2, -3.2), 12.5, 7.2, 115.0),
        view => {
            // From the instep to the sole, toes at the top; oblique pictures roll the sole outwards.
            let roll = if view == View::Oblique { 0.62 * o } else { 0.0 };
            let right = p(roll.cos(), 0.0, roll.sin());
            let beam = p(roll.sin(), 0.0, -roll.cos());
            let camera = camera(right, p(0.0, -1.0, 0.0), beam, 110.0);
            Field {
                centre: p(o * 0.2, 6.0, -5.0),
                half_width: 6.6,
                half_height: 11.0,
                camera,
            }
        }
    }
}

fn leg(body: &mut Body, soft: &mut Vec<Shape>, is_from_above: bool) {
    let o = body.outer;
    let still = Frame::still();
    let (tibia, fibula) = (body.growth(0.4, 17.0), body.growth(0.9, 17.0));
    if is_from_above {
        // The leg leans back out of the beam; only its end lies over the heel.
        soft.push(cone(p(0.0, -0.8, -2.0), p(0.0, -3.5, 1.0), 3.2, 3.0));
        body.bone(0.12, vec![drum(p(0.0, -0.6, 0.3), &still, 2.1, 1.8, 0.4)]);
        return;
    }
    let top = 20.0;
    let open = tibia.gap > 0.02;
    let gap = if open { 0.3 + 0.2 * tibia.gap } else { 0.0 };
    let s = tibia.size.max(0.4);
    let malleolus = cone(
        p(o * -1.75 * s, 0.0, 0.5),
        p(o * -2.0 * s, 0.1, -0.9 * s),
        0.75 * s,
        0.5 * s,
    );
    let plafond = vec![
        drum(p(0.0, 0.0, 0.3), &still, 2.0 * s, 1.75 * s, 0.3 * s),
        ellipsoid(p(0.0, 0.0, 0.55 * s), 2.25 * s, 1.95 * s, 0.55 * s),
        malleolus,
    ];
    if open {
        if tibia.size > 0.0 {
            body.bone(0.1, plafond);
        }
        let low = 0.95 + gap;
        let neck = p(0.0, 0.0, low + 4.2);
        let ends = [0.9, -0.9]
            .map(|x: f32| cone(p(x, 0.0, low + 1.0), neck, 1.2, 1.25))
            .to_vec();
        body.shaft_with(
            p(0.0, 0.0, low + 1.5),
            p(o * -0.3, 0.0, top),
            [1.45, 1.2, 1.3],
            0.45,
            ends,
        );
    } else {
        let mut ends = plafond;
        ends.push(cone(p(0.0, 0.0, 1.5), p(0.0, 0.0, 5.2), 2.0, 1.3));
        body.shaft_with(p(0.0, 0.0, 2.2), p(o * -0.3, 0.0, top), [1.6, 1.2, 1.3], 0.45, ends);
    }
    let tip = p(o * 2.55, -0.5, -1.7);
    if fibula.gap > 0.02 {
        let s = fibula.size;
        if s > 0.0 {
            body.bone(0.08, vec![cone(p(o * 2.5, -0.5, -0.2), tip, 0.75 * s, 0.5 * s)]);
        }
        body.shaft(p(o * 2.45, -0.5, 0.9), p(o * 2.3, -0.6, top), [0.8, 0.55, 0.6], 0.25);
    } else {
        let ends = vec![cone(p(o * 2.5, -0.5, 0.6), tip, 0.85, 0.5)];
        body.shaft_with(
            p(o * 2.5, -0.5, 0.4),
            p(o * 2.3, -0.6, top),
            [0.85, 0.55, 0.6],
            0.25,
            ends,
        );
    }
    let g = body.girth;
    soft.push(cone(p(0.0, -0.4, -1.0), p(0.0, -0.4, 8.0), 3.5 * g, 3.3 * g));
    soft.push(cone(p(0.0, -0.4, 8.0), p(0.0, -1.4, 20.0), 3.3 * g, 5.0 * g));
    body.spur(p(0.0, 1.9, 0.1), p(0.0, 1.0, -0.5), 0.6);
    body.spur(p(o * -1.6, 0.0, -0.9), p(o * 1.0, 0.0, -0.5), 0.4);
}

fn tarsals(body: &mut Body, random: &mut ChaCha8Rng, soft: &mut Vec<Shape>) {
    let o = body.outer;
    let space = 0.5 * (body.joint(0.35) - 0.35);
    let talus = body.growth(-0.6, 11.0).size.max(0.45);
    body.bone(
        0.12,
        vec![
            ellipsoid(p(0.0, 0.1, -2.0 - space), 1.9 * talus, 2.1 * talus, 1.85 * talus),
            cone(
                p(o * -0.3, 1.6, -2.2),
                p(o * -0.9, 3.2, -2.5),
                1.25 * talus,
                1.2 * talus,
            ),
            ellipsoid(p(0.0, -0.8, -2.8), 1.4 * talus, 1.9 * talus, 0.9 * talus),
        ],
    );
    let heel = body.growth(-0.8, 11.0).size.max(0.5);
    let pitch = Frame::turned(16.0, 0.0, 0.0);
    body.bone(
        0.12,
        vec![
            turned_ellipsoid(p(o * 0.3, -2.4, -4.9), &pitch, 1.55 * heel, 3.4 * heel, 1.75 * heel),
            cone(p(o * 0.4, -3.6, -5.2), p(o * 0.9, 2.0, -4.6), 1.5 * heel, 1.25 * heel),
        ],
    );
    let apophysis = body.growth(7.5, 15.5);
    if apophysis.gap > 0.02 && apophysis.size > 0.0 {
        let s = apophysis.size;
        body.bone(
            0.06,
            vec![turned_ellipsoid(
                p(o * 0.2, -6.1, -5.5),
                &pitch,
                1.2 * s,
                0.35 * s,
                1.6 * s,
            )],
        );
    }
    body.spur(p(o * 0.1, -4.3, -6.6), p(0.0, 1.0, -0.1), 1.1);
    let small: [(f32, [f32; 3], [f32; 3]); 5] = [
        (2.8, [-0.9, 4.1, -2.9], [1.5, 0.62, 1.05]),
        (0.3, [1.6, 3.1, -4.6], [1.2, 1.35, 1.05]),
        (2.3, [-1.7, 5.0, -3.9], [0.85, 0.85, 1.15]),
        (3.0, [-0.5, 4.9, -3.5], [0.6, 0.7, 0.9]),
        (0.8, [0.5, 4.8, -3.8], [0.6, 0.85, 0.9]),
    ];
    for (appears, at, radii) in small {
        let s = body.growth(appears, 13.0).size * (1.0 + vary(random, 0.04));
        if s > 0.0 {
            body.bone(
                0.1,
                vec![ellipsoid(
                    p(o * at[0], at[1], at[2]),
                    radii[0] * s,
                    radii[1] * s,
                    radii[2] * s,
                )],
            );
        }
    }
    body.spur(p(o * -0.9, 3.6, -1.9), p(0.0, 0.6, 1.0), 0.5);
    let g = 0.5 + 0.5 * body.girth;
    soft.push(ellipsoid(p(0.0, -2.8, -4.6), 2.9 * g, 4.6 * g, 2.9 * g));
    soft.push(cone(p(0.0, -0.2, -1.6), p(0.0, 4.5, -4.2), 3.3 * g, 2.9 * g));
    soft.push(cone(p(0.0, -3.0, -5.5), p(o * 0.6, 9.0, -6.4), 2.3 * g, 1.6 * g));
}

fn digit(
    body: &mut Body,
    random: &mut ChaCha8Rng,
    index: usize,
    (base, head, phalanges, thickness): &([f32; 3], [f32; 3], [f32; 3], f32),
    soft: &mut Vec<Shape>,
) {
    let o = body.outer;
    let t = *thickness;
    let place = |v: &[f32; 3]| p(o * v[0], v[1], v[2]);
    let (base, head) = (place(base), place(head) + p(vary(random, 0.1), vary(random, 0.15), 0.0));
    let direction = (head - base).unit();
    let growth = body.growth(2.6, 16.5);
    let gap = if growth.gap > 0.02 {
        0.35 + 0.1 * growth.gap
    } else {
        0.0
    };
    let (rb, rh) = (0.72 * t, 0.66 * t);
    // The first metatarsal grows at its base, the others at the head.
    let (near, far) = if index == 0 {
        (0.5 + gap, 0.55)
    } else {
        (0.5, 0.55 + gap)
    };
    let (from, to) = (base + direction * near, head - direction * far);
    body.shaft_with(from, to, [rb, 0.42 * t, rh * 0.9], 0.2, vec![ellipsoid(to, rh, rh, rh)]);
    if growth.gap > 0.02 {
        let centre = if index == 0 {
            base + direction * 0.2
        } else {
            head - direction * 0.3
        };
        body.epiphysis(growth, 0.05, centre, p(rh, 0.5 * rh, rh));
    }
    if index == 4 {
        body.bone(0.08, vec![cone(from, base + p(o * 0.5, -0.6, 0.0), 0.7, 0.35)]);
    }
    if index == 0 && body.age > 12.0 {
        body.bone(0.05, vec![ellipsoid(head + p(o * 0.5, -0.5, -0.7), 0.4, 0.5, 0.3)]);
        body.bone(0.05, vec![ellipsoid(head + p(o * -0.4, -0.5, -0.7), 0.4, 0.5, 0.3)]);
    }
    soft.push(cone(base, head, 1.5, 1.15 * t.max(0.95)));
    let mut at = head;
    let valgus = if index == 0 { o * (0.05 + 0.3 * body.wear) } else { 0.0 };
    let way = p(direction.x * 0.4 + valgus, 1.0, if index == 0 { 0.0 } else { -0.12 }).unit();
    for (bone, length) in phalanges.iter().enumerate().filter(|(_, length)| **length > 0.1) {
        let end = at + way * *length;
        let thick = t * [0.5, 0.42, 0.42][bone];
        let gap = if growth.gap > 0.02 { 0.28 } else { 0.0 };
        body.shaft(
            at + way * (0.12 + thick * 0.8 + gap),
            end - way * (0.1 + 0.6 * thick),
            [thick * 1.15, thick * 0.72, thick],
            0.14,
        );
        if growth.gap > 0.02 {
            body.epiphysis(growth, 0.04, at + way * 0.22, p(thick * 1.1, 0.16, thick * 0.9));
        }
        soft.push(cone(at, end, 0.95 * t.max(0.9), 0.75 * t.max(0.9)));
        at = end;
    }
    if index == 0 {
        body.spur(head + p(o * -0.7, 0.0, 0.0), p(-o, 0.2, 0.0), 0.8);
        body.spur(head + p(o * -0.1, 0.2, 0.5), p(0.0, 0.4, 1.0), 0.6);
        if body.mineral < 0.7 {
            body.tissue(MARROW, vec![cone(from, to, 0.3, 0.3)]);
        }
    }
}
