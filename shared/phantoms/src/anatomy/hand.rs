//! Hand and wrist: five rays, eight carpals, the ends of radius and ulna.

use rand_chacha::ChaCha8Rng;
use snowball_protocol::labels::View;

use super::{Body, Field as Frame, SOFT, vary};
use crate::{
    shape::{Shape, cone, ellipsoid, turned_ellipsoid},
    space::{Frame as Axes, Point, p},
};

/// Which part of the limb the picture is centred on.
#[derive(Clone, Copy, PartialEq)]
pub enum Field {
    Hand,
    Wrist,
}

/// Base (x towards the thumb, z), direction in degrees towards the thumb, lengths of metacarpal and phalanges, girth.
struct Digit {
    base: (f32, f32),
    degrees: f32,
    lengths: [f32; 4],
    thickness: f32,
}

const DIGITS: [Digit; 5] = [
    Digit {
        base: (2.0, 0.9),
        degrees: 42.0,
        lengths: [4.3, 3.1, 0.0, 2.3],
        thickness: 1.12,
    },
    Digit {
        base: (1.2, 1.7),
        degrees: 9.0,
        lengths: [6.6, 4.0, 2.4, 1.8],
        thickness: 1.0,
    },
    Digit {
        base: (0.3, 1.8),
        degrees: 0.5,
        lengths: [6.4, 4.4, 2.8, 1.9],
        thickness: 1.0,
    },
    Digit {
        base: (-0.6, 1.6),
        degrees: -8.0,
        lengths: [5.7, 4.1, 2.6, 1.9],
        thickness: 0.93,
    },
    Digit {
        base: (-1.35, 1.3),
        degrees: -17.0,
        lengths: [5.2, 3.2, 1.9, 1.7],
        thickness: 0.85,
    },
];

/// Age of appearance, centre (x towards the thumb, y to the palm, z), radii.
const CARPALS: [(f32, [f32; 3], [f32; 3]); 8] = [
    (0.2, [0.15, 0.0, 0.65], [0.58, 0.65, 0.95]),
    (0.3, [-0.75, 0.0, 0.7], [0.52, 0.6, 0.72]),
    (2.4, [-1.1, 0.0, -0.15], [0.5, 0.5, 0.55]),
    (4.0, [-0.12, 0.05, -0.55], [0.55, 0.6, 0.5]),
    (5.2, [0.95, 0.2, -0.22], [0.45, 0.55, 0.85]),
    (5.6, [1.62, 0.45, 0.62], [0.52, 0.5, 0.55]),
    (6.0, [0.95, 0.1, 0.95], [0.4, 0.5, 0.45]),
    (10.0, [-1.25, 0.85, -0.1], [0.35, 0.35, 0.4]),
];

/// Builds the hand; the field is the whole hand or the wrist.
pub fn build(body: &mut Body, random: &mut ChaCha8Rng, field: Field) -> Frame {
    let spread = 1.0 + vary(random, 0.16);
    let mut soft = Vec::new();
    let lateral = body.is_lateral();
    for (index, digit) in DIGITS.iter().enumerate() {
        let fan = if body.view == View::Oblique {
            0.35 * (index as f32 - 1.5)
        } else {
            0.06 * index as f32
        };
        let curl = if lateral { 14.0 } else { 3.0 }
            + if body.view == View::Oblique {
                6.0 * index as f32
            } else {
                0.0
            };
        ray(body, random, digit, index == 0, spread, fan, curl, &mut soft);
    }
    carpals(body, random);
    forearm(body, &mut soft);
    let (o, g) = (body.outer, body.girth);
    for (x, top, r) in [(1.15, 7.4, 1.15), (0.3, 7.4, 1.2), (-0.6, 6.8, 1.15), (-1.5, 6.0, 1.1)] {
        soft.push(cone(
            p(o * x * 0.7, 0.2, 0.2),
            p(o * x * 1.15, 0.1, top),
            1.35 * g,
            r * g,
        ));
    }
    soft.push(cone(p(o * 1.6, 0.5, 0.4), p(o * 2.6, 0.4, 2.6), 1.3 * g, 1.15 * g));
    body.tissue(SOFT, soft);
    if lateral {
        // Thumb and palm look the same way; the beam goes from the ulna to the radius.
        body.outer = -body.outer;
    }
    match field {
        Field::Hand => body.field(p(body.outer * 0.6, 0.0, 6.6), 9.2, 12.6, 110.0),
        Field::Wrist => body.field(p(0.0, 0.0, -0.8), 4.8, 6.8, 110.0),
    }
}

/// One digit with its growth plates: at the head of metacarpals two to five, at the base of all else.
// Each argument is one fact of the digit or of the pose; a struct would only rename them.
#[allow(clippy::too_many_arguments)]
fn ray(
    body: &mut Body,
    random: &mut ChaCha8Rng,
    digit: &Digit,
    is_thumb: bool,
    spread: f32,
    lift: f32,
    curl: f32,
    soft: &mut Vec<Shape>,
) {
    let o = body.outer;
    let (mut degrees, t) = (digit.degrees * spread + vary(random, 2.0), digit.thickness);
    let mut bend = 0.0_f32;
    let mut at = p(
        o * digit.base.0,
        0.15 + 0.3 * f32::from(u8::from(is_thumb)),
        digit.base.1,
    );
    let waists = [0.42, 0.42, 0.34, 0.26];
    let bases = [0.66, 0.68, 0.56, 0.5];
    let heads = [0.68, 0.5, 0.42, 0.3];
    for bone in 0..4 {
        let length = digit.lengths[bone] * (1.0 + vary(random, 0.025));
        if length <= 0.1 {
            continue;
        }
        let direction = heading(o, degrees, bend);
        let end = at + direction * length;
        let head_grows = bone == 0 && !is_thumb;
        let growth = body.growth(1.6 + 0.3 * bone as f32, if bone == 3 { 15.5 } else { 16.5 });
        let (rb, rw, rh) = (bases[bone] * t, waists[bone] * t, heads[bone] * t);
        let plate = 0.16 * growth.gap;
        let joint = 0.5 * body.joint(0.17) + 0.02;
        // In the child the end that grows stops short of the joint and its epiphysis is a disc of its own.
        let short = if growth.gap > 0.02 { 0.42 * rb + plate } else { 0.0 };
        let (from, to) = if head_grows {
            (
                at + direction * (joint + 0.75 * rb),
                end - direction * (joint + 0.8 * rh + short),
            )
        } else {
            (
                at + direction * (joint + 0.55 * rb + short),
                end - direction * (joint + 0.8 * rh),
            )
        };
        let mut ends = Vec::new();
        if bone == 3 {
            let tuft = end - direction * (joint + 0.2);
            ends.push(turned_ellipsoid(tuft, &axes_along(direction), 0.4 * t, 0.2 * t, 0.25));
        } else {
            ends.push(ellipsoid(to, rh * 1.08, rh * 0.95, rh * 0.9));
        }
        body.shaft_with(from, to, [rb * 0.9, rw, rh * 0.85], 0.17, ends);
        if growth.gap > 0.02 && growth.size > 0.0 {
            let (centre, r) = if head_grows {
                (end - direction * (joint + 0.35 * rh), rh * 1.05)
            } else {
                (at + direction * (joint + 0.2 * rb), rb)
            };
            let s = growth.size;
            let round = if head_grows { 0.75 } else { 0.32 };
            body.bone(
                0.05,
                vec![turned_ellipsoid(
                    centre,
                    &axes_along(direction),
                    r * s,
                    r * 0.9 * s,
                    r * round * s,
                )],
            );
        }
        if bone > 0 {
            let side = p(direction.z, 0.0, -direction.x);
            body.spur(at + direction * 0.12 + side * (0.75 * rb), side, 0.42);
            body.spur(at + direction * 0.12 - side * (0.75 * rb), -side, 0.42);
        }
        let (s0, s1) = ([1.25, 1.0, 0.9, 0.8][bone] * t, [1.0, 0.88, 0.8, 0.7][bone] * t);
        soft.push(cone(
            at,
            end,
            s0 * (0.6 + 0.4 * body.girth),
            s1 * (0.6 + 0.4 * body.girth),
        ));
        at = end;
        degrees += vary(random, 3.0) + if body.wear > 0.5 { vary(random, 6.0) } else { 0.0 };
        bend += curl + lift * 8.0;
    }
}

fn heading(outer: f32, degrees: f32, bend: f32) -> Point {
    let (side, up) = degrees.to_radians().sin_cos();
    let (palm, along) = bend.to_radians().sin_cos();
    p(outer * side * along, palm, up * along)
}

fn axes_along(direction: Point) -> Axes {
    let x = direction.cross(p(0.0, 1.0, 0.0)).unit();
    Axes {
        origin: Point::ORIGIN,
        axes: [x, direction.cross(x).unit(), direction],
    }
}

fn carpals(body: &mut Body, random: &mut ChaCha8Rng) {
    let o = body.outer;
    for (appears, centre, radii) in CARPALS {
        let growth = body.growth(appears, appears + 0.62 * (16.0 - appears) + 3.0);
        if growth.size == 0.0 {
            continue;
        }
        let s = growth.size * (1.0 + vary(random, 0.04)) * (1.0 + 0.04 * body.wear);
        let tilt = Axes::turned(0.0, o * if appears == 5.2 { -38.0 } else { vary(random, 8.0) }, 0.0);
        let at = p(o * centre[0], centre[1] + vary(random, 0.03), centre[2]);
        body.bone(
            0.09,
            vec![turned_ellipsoid(at, &tilt, radii[0] * s, radii[1] * s, radii[2] * s)],
        );
    }
    body.spur(p(o * 2.1, 0.3, 0.75), p(o, 0.0, -0.2), 0.5);
    body.spur(p(o * 1.35, 0.2, -0.75), p(o, 0.0, -0.6), 0.4);
}

fn forearm(body: &mut Body, soft: &mut Vec<Shape>) {
    let o = body.outer;
    let radius = body.growth(0.9, 18.0);
    let ulna = body.growth(6.0, 17.5);
    let wrist = -1.15 - 0.5 * body.joint(0.2);
    let open = |gap: f32| if gap > 0.02 { 0.55 + 0.2 * gap } else { 0.0 };
    let (rx, ux) = (o * 0.55, o * -1.25);
    let top = wrist - 0.45 - open(radius.gap);
    let mut ends = vec![ellipsoid(p(rx, 0.0, top), 1.4, 0.85, 0.62)];
    if radius.gap <= 0.02 {
        ends.push(cone(
            p(o * 1.2, 0.0, wrist - 0.5),
            p(o * 1.55, 0.0, wrist + 0.35),
            0.5,
            0.24,
        ));
    }
    body.shaft_with(
        p(rx, 0.0, top - 0.1),
        p(o * 0.75, 0.0, -16.0),
        [0.92, 0.66, 0.72],
        0.27,
        ends,
    );
    if radius.gap > 0.02 {
        body.epiphysis(radius, 0.08, p(rx, 0.0, wrist - 0.35), p(1.42, 0.9, 0.42));
    }
    let top = wrist - 0.55 - open(ulna.gap);
    let mut ends = vec![ellipsoid(p(ux, -0.1, top), 0.72, 0.7, 0.5)];
    if ulna.gap <= 0.02 {
        ends.push(cone(
            p(o * -1.7, -0.2, top + 0.1),
            p(o * -1.8, -0.2, top + 0.75),
            0.25,
            0.14,
        ));
    }
    body.shaft_with(
        p(ux, -0.1, top - 0.1),
        p(-o, -0.1, -16.0),
        [0.62, 0.5, 0.62],
        0.22,
        ends,
    );
    if ulna.gap > 0.02 {
        body.epiphysis(ulna, 0.07, p(ux, -0.1, wrist - 0.35), p(0.72, 0.65, 0.36));
    }
    let g = body.girth;
    soft.push(cone(p(o * 0.9, 0.0, 0.0), p(o * 1.4, 0.0, -16.0), 1.75 * g, 2.3 * g));
    soft.push(cone(p(o * -0.9, 0.0, 0.0), p(o * -1.4, 0.0, -16.0), 1.7 * g, 2.3 * g));
}
