//! How a header says what a picture shows: by a tag, by a local alias, by a code, in words, or not at all.

use std::collections::BTreeMap;

use dicom_dictionary_std::tags;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use snowball_protocol::labels::{BodyPart, Labels, Laterality, Sex, View};

use crate::{
    anatomy::is_paired,
    form::Form,
    hospital::{Order, Site},
    people::pick,
};

/// Words for a part: English, French, local aliases of the tag, and its code in SNOMED CT and in the older SRT.
struct Words {
    english: &'static str,
    french: &'static str,
    aliases: [&'static str; 3],
    sct: &'static str,
    srt: &'static str,
}

const fn words(part: BodyPart) -> Words {
    let (english, french, aliases, sct, srt) = match part {
        BodyPart::Chest => ("CHEST", "POUMONS", ["THORAX", "POUMONS", "CHST"], "51185008", "T-D3000"),
        BodyPart::Hand => ("HAND", "MAIN", ["MAIN", "HANDS", "HND"], "85562004", "T-D8700"),
        BodyPart::Wrist => (
            "WRIST",
            "POIGNET",
            ["POIGNET", "WRISTS", "POIGNETS"],
            "74670003",
            "T-D8600",
        ),
        BodyPart::Elbow => ("ELBOW", "COUDE", ["COUDE", "ELBOWS", "COUDES"], "16953009", "T-D8300"),
        BodyPart::Shoulder => (
            "SHOULDER",
            "EPAULE",
            ["EPAULE", "SHLDR", "SHOULDERS"],
            "16982005",
            "T-D2220",
        ),
        BodyPart::Knee => ("KNEE", "GENOU", ["GENOU", "KNEES", "GENOUX"], "72696002", "T-D9200"),
        BodyPart::Ankle => (
            "ANKLE",
            "CHEVILLE",
            ["CHEVILLE", "ANKLES", "CHEVILLES"],
            "70258002",
            "T-D9500",
        ),
        BodyPart::Foot => ("FOOT", "PIED", ["PIED", "FEET", "PIEDS"], "56459004", "T-D9700"),
        BodyPart::Pelvis => (
            "PELVIS",
            "BASSIN",
            ["BASSIN", "PELVIS AP", "BASSIN"],
            "12921003",
            "T-D6000",
        ),
        BodyPart::LumbarSpine => (
            "LUMBAR SPINE",
            "COLONNE LOMBAIRE",
            ["L SPINE", "L-SPINE", "LOMBAIRE"],
            "122496007",
            "T-11503",
        ),
        _ => (
            "SKULL",
            "CRANE",
            ["CRANE", "HEAD SKULL", "CRANE"],
            "89546000",
            "T-11100",
        ),
    };
    Words {
        english,
        french,
        aliases,
        sct,
        srt,
    }
}

const NOTHING: [&str; 8] = [
    "ROUTINE",
    "URGENCE",
    "CLINIQUE EXTERNE",
    "RX",
    "XR",
    "SANS RENDEZ-VOUS",
    "FOLLOW UP",
    "CONTROLE",
];

/// Writes what this header is to say and returns what it supports.
pub fn write(form: &mut Form, order: &Order, site: &Site, random: &mut ChaCha8Rng) -> Labels {
    let is_french = site.vendor.is_french;
    let mut series: Vec<String> = Vec::new();
    let labels = Labels {
        body_part: body_part(form, order.study.part, is_french, &mut series, random),
        view: view(form, order, is_french, &mut series, random),
        laterality: side(form, order, is_french, &mut series, random),
        sex: sex(form, order.patient.sex, random),
        age_years: age(form, order, random),
        site: BTreeMap::new(),
    };
    if series.is_empty() {
        form.text(
            tags::SERIES_DESCRIPTION,
            pick(&["STANDARD", "Image", "Serie 1", ""], random),
        );
    } else {
        form.text(tags::SERIES_DESCRIPTION, &series.join(" "));
    }
    labels
}

fn body_part(
    form: &mut Form,
    part: BodyPart,
    is_french: bool,
    series: &mut Vec<String>,
    random: &mut ChaCha8Rng,
) -> Option<BodyPart> {
    let words = words(part);
    let word = if is_french { words.french } else { words.english };
    let mut study = pick(&NOTHING, random).to_owned();
    let draw = random.random_range(0..100);
    match draw {
        0..50 => form.text(tags::BODY_PART_EXAMINED, part.code()),
        50..62 => form.text(tags::BODY_PART_EXAMINED, pick(&words.aliases, random)),
        62..70 => {
            let mut code = Form::default();
            let is_sct = random.random_bool(0.6);
            code.text(tags::CODE_VALUE, if is_sct { words.sct } else { words.srt });
            code.text(tags::CODING_SCHEME_DESIGNATOR, if is_sct { "SCT" } else { "SRT" });
            code.text(tags::CODE_MEANING, words.english);
            form.item(tags::ANATOMIC_REGION_SEQUENCE, code);
        }
        70..79 => {
            let how = if is_french {
                ["RX", "RADIO", "RADIOGRAPHIE"]
            } else {
                ["XR", "X-RAY", "RADIOGRAPH"]
            };
            study = format!("{} {word}", pick(&how, random));
        }
        79..85 => series.push(word.to_owned()),
        _ => {}
    }
    if draw >= 62 && random.random_bool(0.6) {
        form.empty(tags::BODY_PART_EXAMINED);
    }
    form.text(tags::STUDY_DESCRIPTION, &study);
    (draw < 85).then_some(part)
}

fn view(
    form: &mut Form,
    order: &Order,
    is_french: bool,
    series: &mut Vec<String>,
    random: &mut ChaCha8Rng,
) -> Option<View> {
    let view = order.view;
    let draw = random.random_range(0..100);
    match draw {
        0..40 => {
            let tag = match view {
                View::Lateral if order.study.side == Laterality::Left => pick(&["LL", "LATERAL", "LAT"], random),
                View::Lateral => pick(&["RL", "LATERAL", "LAT"], random),
                other => other.code(),
            };
            form.text(tags::VIEW_POSITION, tag);
        }
        40..50 if view != View::Oblique => {
            let (code, meaning) = match view {
                View::AnteroPosterior => ("399348003", "antero-posterior"),
                View::PosteroAnterior => ("272479007", "postero-anterior"),
                _ => ("399067008", "lateral"),
            };
            let mut item = Form::default();
            item.text(tags::CODE_VALUE, code);
            item.text(tags::CODING_SCHEME_DESIGNATOR, "SCT");
            item.text(tags::CODE_MEANING, meaning);
            form.item(tags::VIEW_CODE_SEQUENCE, item);
        }
        // An oblique view has no code, so its share of draws goes to the description.
        40..65 => series.push(
            match view {
                View::Lateral if is_french => "PROFIL",
                View::Lateral => "LATERAL",
                View::Oblique => "OBLIQUE",
                other => other.code(),
            }
            .to_owned(),
        ),
        _ => {
            if random.random_bool(0.4) {
                form.empty(tags::VIEW_POSITION);
            }
        }
    }
    (draw < 65).then_some(view)
}

fn side(
    form: &mut Form,
    order: &Order,
    is_french: bool,
    series: &mut Vec<String>,
    random: &mut ChaCha8Rng,
) -> Option<Laterality> {
    if !is_paired(order.study.part) {
        if random.random_bool(0.3) {
            form.text(tags::IMAGE_LATERALITY, "U");
        }
        return None;
    }
    let side = order.study.side;
    let is_left = side == Laterality::Left;
    let draw = random.random_range(0..100);
    match draw {
        0..40 => form.text(tags::IMAGE_LATERALITY, side.code()),
        40..55 => form.text(tags::LATERALITY, side.code()),
        55..70 => {
            let word = match (is_left, is_french) {
                (true, true) => "GAUCHE",
                (false, true) => "DROIT",
                (true, false) => "LEFT",
                (false, false) => "RIGHT",
            };
            series.push(word.to_owned());
        }
        _ => {}
    }
    (draw < 70).then_some(side)
}

fn sex(form: &mut Form, sex: Sex, random: &mut ChaCha8Rng) -> Option<Sex> {
    match random.random_range(0..100) {
        0..86 => {
            form.text(tags::PATIENT_SEX, sex.code());
            Some(sex)
        }
        86..93 => {
            form.empty(tags::PATIENT_SEX);
            None
        }
        93..96 => {
            form.text(tags::PATIENT_SEX, "O");
            None
        }
        _ => None,
    }
}

/// Age by PatientAge, by birth date, or by a placeholder that means nothing.
fn age(form: &mut Form, order: &Order, random: &mut ChaCha8Rng) -> Option<f32> {
    let (birth, day) = (order.patient.birth, order.study.day);
    let months = birth.months_until(day);
    // In completed years; below two in completed months, which say much of a bone.
    let known = Some(if months < 24 {
        months as f32 / 12.0
    } else {
        ((months / 12) as f32).min(90.0)
    });
    match random.random_range(0..100) {
        0..33 => {
            if random.random_bool(0.5) {
                form.secret(tags::PATIENT_BIRTH_DATE, &birth.dicom());
            } else {
                form.empty(tags::PATIENT_BIRTH_DATE);
            }
            let age = if months < 24 {
                format!("{months:03}M")
            } else {
                format!("{:03}Y", months / 12)
            };
            form.text(tags::PATIENT_AGE, &age);
            known
        }
        33..70 => {
            form.secret(tags::PATIENT_BIRTH_DATE, &birth.dicom());
            known
        }
        70..74 => {
            form.text(tags::PATIENT_BIRTH_DATE, "19000101");
            None
        }
        74..78 => {
            form.text(tags::PATIENT_AGE, "000Y");
            form.empty(tags::PATIENT_BIRTH_DATE);
            None
        }
        78..90 => {
            form.empty(tags::PATIENT_BIRTH_DATE);
            None
        }
        _ => None,
    }
}
