//! The patient: how a body of some age and sex is sized, how far its bones have grown, how far they are worn.
//!
//! Lengths are those of an adult man in centimetres; [`Body::size`] scales the finished scene. Ages of ossification and
//! fusion follow the usual tables of skeletal development (Greulich and Pyle; Scheuer and Black), in broad strokes.

mod ankle;
mod chest;
mod elbow;
mod hand;
mod knee;
mod pelvis;
mod shoulder;
mod skull;
mod spine;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use snowball_protocol::labels::{BodyPart, Laterality, Sex, View};

use crate::{
    scene::{Camera, Scene, Tissue, camera},
    shape::{Shape, cone, ellipsoid},
    space::{Point, p},
};

/// Attenuation of soft tissue, 1/cm.
pub const SOFT: f32 = 0.20;
/// Attenuation of fat and marrow below soft tissue, 1/cm.
pub const MARROW: f32 = -0.03;

/// What one radiograph is to show of whom.
#[derive(Clone, Copy, Debug)]
pub struct Examination {
    pub part: BodyPart,
    pub view: View,
    /// Left or right; for unpaired parts it decides which way a lateral picture faces.
    pub side: Laterality,
    pub sex: Sex,
    pub age_years: f32,
    /// Seed of the patient's build, the same in all of one's pictures.
    pub build: u64,
}

/// Which views a part is taken in, with their share.
pub fn views(part: BodyPart) -> &'static [(View, f32)] {
    use View::{AnteroPosterior as Ap, Lateral, Oblique, PosteroAnterior as Pa};
    match part {
        BodyPart::Chest => &[(Pa, 0.5), (Ap, 0.2), (Lateral, 0.3)],
        BodyPart::Hand => &[(Pa, 0.65), (Oblique, 0.35)],
        BodyPart::Foot => &[(Ap, 0.5), (Oblique, 0.3), (Lateral, 0.2)],
        BodyPart::Wrist => &[(Pa, 0.55), (Lateral, 0.45)],
        BodyPart::Shoulder | BodyPart::Pelvis => &[(Ap, 1.0)],
        _ => &[(Ap, 0.55), (Lateral, 0.45)],
    }
}

/// The parts this crate can draw.
pub const PARTS: [BodyPart; 11] = [
    BodyPart::Chest,
    BodyPart::Hand,
    BodyPart::Wrist,
    BodyPart::Elbow,
    BodyPart::Shoulder,
    BodyPart::Knee,
    BodyPart::Ankle,
    BodyPart::Foot,
    BodyPart::Pelvis,
    BodyPart::LumbarSpine,
    BodyPart::Skull,
];

/// Whether a part has a left and a right.
pub fn is_paired(part: BodyPart) -> bool {
    !matches!(
        part,
        BodyPart::Chest | BodyPart::Pelvis | BodyPart::LumbarSpine | BodyPart::Skull
    )
}

/// The scene and the camera of one examination, in upright pose.
pub fn stage(examination: &Examination, random: &mut ChaCha8Rng) -> (Scene, Camera) {
    let mut body = Body::new(examination, &mut ChaCha8Rng::seed_from_u64(examination.build));
    let frame = match examination.part {
        BodyPart::Chest => chest::build(&mut body, random),
        BodyPart::Hand => hand::build(&mut body, random, hand::Field::Hand),
        BodyPart::Wrist => hand::build(&mut body, random, hand::Field::Wrist),
        BodyPart::Elbow => elbow::build(&mut body, random),
        BodyPart::Shoulder => shoulder::build(&mut body, random),
        BodyPart::Knee => knee::build(&mut body, random),
        BodyPart::Ankle => ankle::build(&mut body, random, false),
        BodyPart::Foot => ankle::build(&mut body, random, true),
        BodyPart::Pelvis => pelvis::build(&mut body, random),
        BodyPart::LumbarSpine => spine::build(&mut body, random),
        _ => skull::build(&mut body, random),
    };
    body.finish(frame)
}

/// The middle of the field and its half width and height, adult centimetres.
pub struct Field {
    pub centre: Point,
    pub half_width: f32,
    pub half_height: f32,
    pub camera: Camera,
}

/// A growing and ageing body under construction.
pub struct Body {
    pub view: View,
    /// Sign of x towards the thumb, fibula or outer side of the limb: left is +1.
    pub outer: f32,
    pub female: bool,
    pub age: f32,
    /// Length relative to an adult man.
    pub size: f32,
    /// Skeletal age on the male scale.
    pub maturity: f32,
    /// Mineral of bone relative to a healthy adult of 30.
    pub mineral: f32,
    /// Thickness of cortex relative to a healthy adult.
    pub cortex: f32,
    /// Degeneration of joints, 0 to 1.
    pub wear: f32,
    /// Girth relative to a slim adult.
    pub girth: f32,
    /// Contrast of bone: less at the high voltages that thick parts need.
    contrast: f32,
    scene: Scene,
}

/// How far a centre of ossification has come.
#[derive(Clone, Copy)]
pub struct Growth {
    /// Share of its adult size; 0 before it appears.
    pub size: f32,
    /// How open its growth plate is, 1 to 0.
    pub gap: f32,
}

impl Body {
    fn new(examination: &Examination, random: &mut ChaCha8Rng) -> Self {
        let female = examination.sex == Sex::Female;
        let age = examination.age_years;
        // Girls' bones are ahead; they stop growing two years earlier and at 93 % of the length.
        let maturity = age * if female { 1.13 } else { 1.0 } + vary(random, 0.5) * (age / 10.0).min(1.0);
        let grown = 1.0 - 0.58 * (1.0 - ramp(maturity, 0.0, 17.5)).powf(1.15);
        let adult = if female { 0.93 } else { 1.0 };
        let old = ramp(age, 38.0, 92.0);
        let loss = old * if female { 0.66 } else { 0.52 };
        let mineral = (0.68 + 0.32 * ramp(age, 1.0, 22.0) - loss + vary(random, 0.04)).clamp(0.22, 1.15);
        let cortex = (0.55 + 0.45 * ramp(age, 2.0, 20.0) - 0.62 * old + vary(random, 0.05)).clamp(0.2, 1.2);
        let wear = (ramp(age, 28.0, 90.0) + vary(random, 0.09) * ramp(age, 25.0, 45.0)).clamp(0.0, 1.0);
        Self {
            view: examination.view,
            outer: if examination.side == Laterality::Right {
                -1.0
            } else {
                1.0
            },
            female,
            age,
            size: grown * adult * (1.0 + vary(random, 0.035)),
            maturity,
            mineral,
            cortex,
            wear,
            girth: 1.0 + 0.16 * random.random::<f32>() + 0.1 * ramp(age, 25.0, 60.0) + vary(random, 0.05),
            contrast: match examination.part {
                BodyPart::LumbarSpine | BodyPart::Pelvis => 0.7,
                BodyPart::Chest => 0.75,
                BodyPart::Shoulder | BodyPart::Skull => 0.8,
                _ => 1.0,
            },
            scene: Scene::default(),
        }
    }

    pub fn is_lateral(&self) -> bool {
        self.view == View::Lateral
    }

    /// How far the centre that appears and fuses at these ages (male scale) has come.
    pub fn growth(&self, appears: f32, fuses: f32) -> Growth {
        if self.maturity < appears {
            return Growth { size: 0.0, gap: 1.0 };
        }
        let share = ramp(self.maturity, appears, appears + 0.75 * (fuses - appears));
        Growth {
            size: 0.22 + 0.78 * share.powf(0.8),
            gap: 1.0 - ramp(self.maturity, fuses - 3.5, fuses),
        }
    }

    /// Thin bone as plates of the same attenuation as cortex, times `share`.
    pub fn plates(&mut self, share: f32, shapes: Vec<Shape>) {
        let dense = self.dense();
        self.tissue(share * dense, shapes);
    }

    /// Soft tissue or anything else of one attenuation relative to its surroundings.
    pub fn tissue(&mut self, attenuation: f32, shapes: Vec<Shape>) {
        self.tissue_less(attenuation, shapes, Vec::new());
    }

    /// The same with holes.
    pub fn tissue_less(&mut self, attenuation: f32, shapes: Vec<Shape>, holes: Vec<Shape>) {
        self.scene.tissues.push(Tissue {
            shapes,
            holes,
            attenuation,
        });
    }

    /// A bone: a dense shell `cortex_cm` thick (in a healthy adult) around spongy bone.
    pub fn bone(&mut self, cortex_cm: f32, shapes: Vec<Shape>) {
        self.bone_less(cortex_cm, shapes, Vec::new());
    }

    /// The same with holes through it.
    pub fn bone_less(&mut self, cortex_cm: f32, shapes: Vec<Shape>, holes: Vec<Shape>) {
        let (dense, spongy) = (self.dense(), self.spongy());
        let inner: Vec<Shape> = shapes
            .iter()
            .filter_map(|shape| shape.shrunk(cortex_cm * self.cortex))
            .collect();
        if !inner.is_empty() {
            self.tissue_less(spongy - dense, inner, holes.clone());
        }
        self.tissue_less(dense, shapes, holes);
    }

    /// A long bone from `a` to `b`: flared ends, a waist, thick cortex and marrow in the middle.
    pub fn shaft(&mut self, a: Point, b: Point, radii: [f32; 3], cortex_cm: f32) {
        self.shaft_with(a, b, radii, cortex_cm, Vec::new());
    }

    /// The same with end pieces that belong to the same bone.
    pub fn shaft_with(&mut self, a: Point, b: Point, radii: [f32; 3], cortex_cm: f32, ends: Vec<Shape>) {
        self.shaft_less(a, b, radii, cortex_cm, ends, Vec::new());
    }

    /// The same with holes through the end pieces.
    pub fn shaft_less(
        &mut self,
        a: Point,
        b: Point,
        radii: [f32; 3],
        cortex_cm: f32,
        mut ends: Vec<Shape>,
        holes: Vec<Shape>,
    ) {
        let [ra, waist, rb] = radii;
        let (near, far) = (a.towards(b, 0.28), a.towards(b, 0.72));
        ends.extend([
            cone(a, near, ra, waist),
            cone(near, far, waist, waist),
            cone(far, b, waist, rb),
        ]);
        self.bone_less(0.35 * cortex_cm, ends, holes);
        // The thin shell above is right for the ends; the middle gets its thick tube, tapered, and its marrow.
        let tube = (waist - cortex_cm * self.cortex).max(0.15 * waist);
        let shell = (waist - 0.35 * cortex_cm * self.cortex).max(tube + 0.01);
        let (dense, spongy) = (self.dense(), self.spongy());
        let spindle = |radius: f32, end: f32| {
            let (start, left) = (a.towards(b, 0.10), a.towards(b, 0.34));
            let (right, stop) = (a.towards(b, 0.66), a.towards(b, 0.90));
            vec![
                cone(start, left, end, radius),
                cone(left, right, radius, radius),
                cone(right, stop, radius, end),
            ]
        };
        self.tissue(dense - spongy, spindle(shell, 0.55 * shell));
        self.tissue(MARROW - dense, spindle(tube, (0.48 * shell).min(tube)));
    }

    /// Attenuation of cortex above soft tissue at this part's tube voltage, 1/cm.
    fn dense(&self) -> f32 {
        DENSE * self.contrast * (0.35 + 0.65 * self.mineral)
    }

    /// Attenuation of spongy bone above soft tissue, 1/cm.
    fn spongy(&self) -> f32 {
        SPONGY * self.contrast * self.mineral
    }

    /// An end piece of a long bone in its own centre of ossification, scaled about `centre`.
    pub fn epiphysis(&mut self, growth: Growth, cortex_cm: f32, centre: Point, radii: Point) {
        if growth.size > 0.0 {
            let r = radii * growth.size;
            self.bone(cortex_cm, vec![ellipsoid(centre, r.x, r.y, r.z)]);
        }
    }

    /// A spur of bone at a worn joint's margin.
    pub fn spur(&mut self, at: Point, towards: Point, length: f32) {
        let length = length * ((self.wear - 0.3) / 0.7).max(0.0);
        if length > 0.04 {
            let tip = at + towards.unit() * length;
            let dense = 0.7 * DENSE * self.contrast * self.mineral.max(0.6);
            self.tissue(dense, vec![cone(at, tip, 0.45 * length, 0.1 * length)]);
        }
    }

    /// A joint space in centimetres, narrowing with wear.
    pub fn joint(&self, healthy_cm: f32) -> f32 {
        healthy_cm * (1.0 - 0.8 * self.wear)
    }

    fn finish(mut self, field: Field) -> (Scene, Camera) {
        let mut camera = field.camera;
        camera.centre = field.centre * self.size;
        camera.half_width = field.half_width * self.size;
        camera.half_height = field.half_height * self.size;
        let size = self.size;
        for tissue in &mut self.scene.tissues {
            for shape in tissue.shapes.iter_mut().chain(&mut tissue.holes) {
                *shape = scaled(shape, size);
            }
        }
        (self.scene, camera)
    }

    /// Field and camera for this body's view; lateral pictures face the way of the side.
    pub fn field(&self, centre: Point, half_width: f32, half_height: f32, source_distance: f32) -> Field {
        let down = p(0.0, 0.0, -1.0);
        let camera = match self.view {
            View::Lateral => camera(p(0.0, -self.outer, 0.0), down, p(self.outer, 0.0, 0.0), source_distance),
            View::PosteroAnterior => camera(p(1.0, 0.0, 0.0), down, p(0.0, 1.0, 0.0), source_distance),
            View::Oblique => {
                let turn = 0.72_f32 * self.outer;
                let right = p(turn.cos(), turn.sin(), 0.0);
                camera(right, down, p(turn.sin(), -turn.cos(), 0.0), source_distance)
            }
            _ => camera(p(1.0, 0.0, 0.0), down, p(0.0, -1.0, 0.0), source_distance),
        };
        Field {
            centre,
            half_width,
            half_height,
            camera,
        }
    }
}

const DENSE: f32 = 0.95;
const SPONGY: f32 = 0.24;

/// 0 below `from`, 1 above `to`, smooth between.
pub fn ramp(value: f32, from: f32, to: f32) -> f32 {
    let share = ((value - from) / (to - from)).clamp(0.0, 1.0);
    share * share * (3.0 - 2.0 * share)
}

/// A deviate with standard deviation `spread`, cut at 2.5 of them.
pub fn vary(random: &mut ChaCha8Rng, spread: f32) -> f32 {
    let sum: f32 = (0..6).map(|_| random.random::<f32>()).sum::<f32>() - 3.0;
    (sum / 0.707).clamp(-2.5, 2.5) * spread
}

fn scaled(shape: &Shape, by: f32) -> Shape {
    match shape {
        Shape::Ellipsoid { centre, axes, radii } => Shape::Ellipsoid {
            centre: *centre * by,
            axes: *axes,
            radii: *radii * by,
        },
        Shape::Drum { centre, axes, radii } => Shape::Drum {
            centre: *centre * by,
            axes: *axes,
            radii: *radii * by,
        },
        Shape::Cone { a, b, ra, rb } => Shape::Cone {
            a: *a * by,
            b: *b * by,
            ra: ra * by,
            rb: rb * by,
        },
        Shape::Plate { corners, normal, half } => Shape::Plate {
            corners: corners.iter().map(|corner| *corner * by).collect(),
            normal: *normal,
            half: half * by,
        },
    }
}
