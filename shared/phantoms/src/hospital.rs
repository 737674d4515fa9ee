//! Hospitals that differ: what they examine, whom, and with which machine; and the plan of their studies.

use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use snowball_protocol::labels::{BodyPart, Laterality, View};

use crate::{
    anatomy::{PARTS, is_paired, views},
    people::{self, Day, Patient},
    vendor::{VENDORS, Vendor},
};

/// A kind of hospital.
struct Profile {
    site: &'static str,
    institution: &'static str,
    prefix: &'static str,
    /// Share of each of [`PARTS`]: chest, hand, wrist, elbow, shoulder, knee, ankle, foot, pelvis, spine, skull.
    mix: [u32; 11],
    /// Youngest, oldest, and a power: above 1 there are more of the young.
    ages: (f32, f32, f32),
}

const PROFILES: [Profile; 6] = [
    Profile {
        site: "sainte-ursule",
        institution: "Hôpital général Sainte-Ursule",
        prefix: "",
        mix: [16, 12, 8, 7, 8, 12, 8, 8, 8, 8, 5],
        ages: (2.0, 93.0, 1.0),
    },
    Profile {
        site: "port-wexford",
        institution: "Port Wexford Chest Institute",
        prefix: "PW",
        mix: [52, 0, 0, 0, 13, 6, 0, 0, 7, 22, 0],
        ages: (18.0, 95.0, 0.8),
    },
    Profile {
        site: "clinique-boisclair",
        institution: "Clinique d'orthopédie Boisclair",
        prefix: "OB-",
        mix: [0, 7, 9, 10, 14, 19, 12, 11, 12, 6, 0],
        ages: (10.0, 92.0, 0.9),
    },
    Profile {
        site: "enfants-belle-anse",
        institution: "Hôpital pour enfants Belle-Anse",
        prefix: "E",
        mix: [12, 21, 14, 13, 2, 8, 8, 8, 4, 0, 10],
        ages: (1.0, 18.5, 1.0),
    },
    Profile {
        site: "lac-aux-brumes",
        institution: "Dispensaire du Lac-aux-Brumes",
        prefix: "LB",
        mix: [24, 12, 10, 8, 8, 12, 10, 6, 5, 5, 0],
        ages: (4.0, 90.0, 1.1),
    },
    Profile {
        site: "elmhollow",
        institution: "Elmhollow Geriatric Hospital",
        prefix: "7",
        mix: [25, 5, 6, 0, 11, 14, 0, 6, 17, 12, 4],
        ages: (58.0, 95.0, 0.8),
    },
];

/// One hospital of a consortium.
pub struct Site {
    pub name: String,
    pub institution: &'static str,
    pub address: String,
    pub vendor: &'static Vendor,
    pub staff: Vec<String>,
    pub images: Vec<Order>,
}

/// One image to take: who, when, what.
pub struct Order {
    pub patient: std::sync::Arc<Patient>,
    pub study: std::sync::Arc<Study>,
    pub view: View,
    /// Place in the hospital's list, from 1.
    pub number: u64,
    pub seed: u64,
}

/// What the images of one study share.
pub struct Study {
    pub uid: String,
    pub accession: String,
    pub day: Day,
    pub part: BodyPart,
    pub side: Laterality,
    pub physician: String,
    pub operator: String,
    pub request: u32,
}

/// The plan of hospital `index` of a consortium: `images` images, then `spare` ones of other patients.
pub fn plan(seed: u64, index: u32, images: u64, spare: u64) -> Site {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(u64::from(index) + 1);
    let random = &mut random;
    let profile = &PROFILES[index as usize % PROFILES.len()];
    let lap = index as usize / PROFILES.len();
    let name = if lap == 0 {
        profile.site.to_owned()
    } else {
        format!("{}-{}", profile.site, lap + 1)
    };
    let staff: Vec<String> = (0..6).map(|_| people::physician(random)).collect();
    let operators: Vec<String> = (0..4).map(|_| people::operator(random)).collect();
    let mut orders = Vec::new();
    let mut patients = 0;
    for wanted in [images, images + spare] {
        while (orders.len() as u64) < wanted {
            patients += 1;
            let number = u64::from(index) * 1_000_000 + patients;
            admit(profile, number, &staff, &operators, wanted, &mut orders, random);
        }
    }
    Site {
        name,
        institution: profile.institution,
        address: people::address(random),
        vendor: &VENDORS[(index as usize + lap) % VENDORS.len()],
        staff,
        images: orders,
    }
}

/// One patient with one to three studies of one to three views.
fn admit(
    profile: &Profile,
    number: u64,
    staff: &[String],
    operators: &[String],
    images: u64,
    orders: &mut Vec<Order>,
    random: &mut ChaCha8Rng,
) {
    let (youngest, oldest, power) = profile.ages;
    let age = youngest + (oldest - youngest) * random.random::<f32>().powf(power);
    let mut day = Day(Day::new_year(2012).0 + random.random_range(0..4300));
    let birth = Day(day.0 - (age * 365.25) as i32);
    let patient = std::sync::Arc::new(people::patient(number, birth, profile.prefix, random));
    let studies = [1, 1, 1, 1, 1, 1, 2, 2, 3].choose(random).copied().unwrap_or(1);
    for _ in 0..studies {
        let part = weighted(&profile.mix, random);
        let side = if random.random_bool(0.5) {
            Laterality::Left
        } else {
            Laterality::Right
        };
        let study = std::sync::Arc::new(Study {
            uid: people::uid(random),
            accession: format!("{}{:08}", profile.prefix, random.random_range(10_000_000..99_999_999)),
            day,
            part,
            side,
            physician: staff.choose(random).cloned().unwrap_or_default(),
            operator: operators.choose(random).cloned().unwrap_or_default(),
            request: random.random_range(1_000_000..9_999_999),
        });
        let mut taken: Vec<View> = Vec::new();
        let count = if is_paired(part) {
            [1, 1, 2, 2, 3]
        } else {
            [1, 1, 1, 2, 2]
        };
        for _ in 0..count.choose(random).copied().unwrap_or(1) {
            let Some(view) = one_view(part, &taken, random) else {
                break;
            };
            taken.push(view);
            if (orders.len() as u64) < images {
                let number = orders.len() as u64 + 1;
                orders.push(Order {
                    patient: patient.clone(),
                    study: study.clone(),
                    view,
                    number,
                    seed: random.random(),
                });
            }
        }
        day = Day(day.0 + random.random_range(5..900));
    }
}

fn weighted(mix: &[u32; 11], random: &mut ChaCha8Rng) -> BodyPart {
    let mut draw = random.random_range(0..mix.iter().sum());
    for (part, share) in PARTS.into_iter().zip(mix) {
        if draw < *share {
            return part;
        }
        draw -= share;
    }
    BodyPart::Chest
}

/// A view of `part` that is not yet taken; frontal chests exclude each other.
fn one_view(part: BodyPart, taken: &[View], random: &mut ChaCha8Rng) -> Option<View> {
    let is_frontal = |view: &View| matches!(view, View::AnteroPosterior | View::PosteroAnterior);
    let free: Vec<(View, f32)> = (views(part).iter().copied())
        .filter(|(view, _)| !(taken.contains(view) || is_frontal(view) && taken.iter().any(is_frontal)))
        .collect();
    let mut draw = random.random::<f32>() * free.iter().map(|(_, share)| share).sum::<f32>();
    for (view, share) in &free {
        if draw < *share {
            return Some(*view);
        }
        draw -= share;
    }
    free.last().map(|(view, _)| *view)
}
