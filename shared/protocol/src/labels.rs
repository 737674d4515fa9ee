//! The closed vocabulary of labels that radiographs carry without anybody drawing them: body part, view, side, sex.
//!
//! Codes follow the defined terms of DICOM: body parts PS3.16 annex L, views `ViewPosition` (0018,5101), sides
//! `ImageLaterality` (0020,0062), sex `PatientSex` (0010,0040). What is not in here is unknown, never guessed.

use std::{borrow::Cow, collections::BTreeMap};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::site_label::{SiteLabelName, SiteValue};

macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $code:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
        pub enum $name {
            $($(#[$variant_doc])* #[doc = concat!("`", $code, "`")] #[serde(rename = $code)] $variant),+
        }

        impl $name {
            /// Every term, in a fixed order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The code as written in plans, shards and reports.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }

            /// The term that `code` names, exactly.
            #[must_use]
            pub fn from_code(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

vocabulary!(
    /// Which part of the body a radiograph shows.
    BodyPart {
        Chest = "CHEST", Ribs = "RIB", Abdomen = "ABDOMEN", Breast = "BREAST", Skull = "SKULL", Jaw = "JAW",
        Spine = "SPINE", CervicalSpine = "CSPINE", ThoracicSpine = "TSPINE", LumbarSpine = "LSPINE",
        Pelvis = "PELVIS", Hip = "HIP", Thigh = "FEMUR", Knee = "KNEE", LowerLeg = "TIBIA", Ankle = "ANKLE", Foot = "FOOT",
        Clavicle = "CLAVICLE", Shoulder = "SHOULDER", UpperArm = "HUMERUS", Elbow = "ELBOW", Forearm = "FOREARM",
        Wrist = "WRIST", Hand = "HAND",
    }
);

impl BodyPart {
    /// The part that this one lies within, where a coarser term is usual: the spine for each of its regions.
    #[must_use]
    pub const fn within(self) -> Option<Self> {
        match self {
            Self::CervicalSpine | Self::ThoracicSpine | Self::LumbarSpine => Some(Self::Spine),
            _ => None,
        }
    }
}

vocabulary!(
    /// How the beam passed through the body.
    View {
        AnteroPosterior = "AP", PosteroAnterior = "PA", Lateral = "LATERAL", Oblique = "OBLIQUE", Axial = "AXIAL",
    }
);
vocabulary!(
    /// Which side of a paired part.
    Laterality { Left = "L", Right = "R", Both = "B" }
);
vocabulary!(
    /// Sex as recorded for the examination.
    Sex { Female = "F", Male = "M" }
);

/// What is known of one radiograph; nothing known is a normal case.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Labels {
    /// Body part, where a link of the chain resolved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_part: Option<BodyPart>,
    /// View.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view: Option<View>,
    /// Side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub laterality: Option<Laterality>,
    /// Sex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sex: Option<Sex>,
    /// Age in years at the examination; ages above 89 stand as 90.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_years: Option<f32>,
    /// The hospital's own labels that a plan asks for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub site: BTreeMap<SiteLabelName, SiteValue>,
}

/// Which label a head of the network learns.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum LabelName {
    /// [`BodyPart`].
    BodyPart,
    /// [`View`].
    View,
    /// [`Laterality`].
    Laterality,
    /// [`Sex`].
    Sex,
    /// Age in years.
    Age,
    /// One that the hospitals import: `site_knee_oa` for their column `knee_oa`.
    Site(SiteLabelName),
    /// By how many quarter turns the trainer turned the picture (Gidaris et al. 2018): made by the trainer, not known of any patient.
    Rotation,
    /// In which order the trainer put the picture's tiles (Noroozi and Favaro 2016): made by the trainer, not known of any patient.
    Jigsaw,
}

/// A label that nothing is known of.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "{0:?} is no label; known are body_part, view, laterality, sex, age, rotation, jigsaw, and site_NAME for one that the hospitals import"
)]
pub struct UnknownLabel(String);

/// Degrees of the quarter turns, counter-clockwise.
const TURNS: [&str; 4] = ["0", "90", "180", "270"];

/// The orders of two by two tiles, all of them: which tile of the radiograph stands at each place, row by row.
const TILES_2: [&str; 24] = [
    "1234", "1243", "1324", "1342", "1423", "1432", "2134", "2143", "2314", "2341", "2413", "2431", "3124", "3142",
    "3214", "3241", "3412", "3421", "4123", "4132", "4213", "4231", "4312", "4321",
];

/// Orders of three by three tiles, as far from each other as a greedy choice makes them: any two differ at seven places or more.
const TILES_3: [&str; 32] = [
    "123456789",
    "214365897",
    "341278956",
    "432189675",
    "567891234",
    "658917342",
    "789523461",
    "896742513",
    "975634128",
    "134297568",
    "245781369",
    "278196453",
    "291537684",
    "386495172",
    "429618537",
    "457326918",
    "593174862",
    "124539876",
    "125378694",
    "126783945",
    "127964358",
    "132645987",
    "135862479",
    "138754296",
    "142938765",
    "143829657",
    "148567923",
    "149386572",
    "154682793",
    "156479238",
    "165493827",
    "173985426",
];

impl LabelName {
    /// Those of the vocabulary.
    const KNOWN: [Self; 7] = [
        Self::BodyPart,
        Self::View,
        Self::Laterality,
        Self::Sex,
        Self::Age,
        Self::Rotation,
        Self::Jigsaw,
    ];

    /// The label as written in plans and as the prefix of the head's tensors.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::BodyPart => "body_part",
            Self::View => "view",
            Self::Laterality => "laterality",
            Self::Sex => "sex",
            Self::Age => "age",
            Self::Site(name) => name.code(),
            Self::Rotation => "rotation",
            Self::Jigsaw => "jigsaw",
        }
    }

    /// The codes that a class head of this label may list; empty for a label that is a number, or whose codes are the hospitals' own.
    #[must_use]
    pub fn codes(self) -> Vec<&'static str> {
        match self {
            Self::BodyPart => BodyPart::ALL.iter().map(|term| term.code()).collect(),
            Self::View => View::ALL.iter().map(|term| term.code()).collect(),
            Self::Laterality => Laterality::ALL.iter().map(|term| term.code()).collect(),
            Self::Sex => Sex::ALL.iter().map(|term| term.code()).collect(),
            Self::Age | Self::Site(_) => Vec::new(),
            Self::Rotation => TURNS.to_vec(),
            Self::Jigsaw => [TILES_2.as_slice(), TILES_3.as_slice()].concat(),
        }
    }

    /// Whether the trainer makes this label by what it does to a picture: every radiograph has it, and it tells nothing of a patient.
    #[must_use]
    pub const fn is_made(self) -> bool {
        matches!(self, Self::Rotation | Self::Jigsaw)
    }
}

impl TryFrom<String> for LabelName {
    type Error = UnknownLabel;

    fn try_from(code: String) -> Result<Self, UnknownLabel> {
        let known = Self::KNOWN.into_iter().find(|label| label.code() == code);
        known
            .or_else(|| code.parse().ok().map(Self::Site))
            .ok_or(UnknownLabel(code))
    }
}

impl From<LabelName> for String {
    fn from(label: LabelName) -> Self {
        label.code().to_owned()
    }
}

impl JsonSchema for LabelName {
    fn schema_name() -> Cow<'static, str> {
        "LabelName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Which label a head of the network learns: one of the vocabulary, one that the trainer makes (rotation, jigsaw), or one that the hospitals import, `site_` and its name.",
            "type": "string",
            "pattern": "^(body_part|view|laterality|sex|age|rotation|jigsaw|site_[A-Za-z0-9_]{1,43})$"
        })
    }
}

impl Labels {
    /// The class code of `label`, if it is a class and known.
    #[must_use]
    pub fn class(&self, label: LabelName) -> Option<Cow<'_, str>> {
        let known: Option<&'static str> = match label {
            LabelName::BodyPart => self.body_part.map(BodyPart::code),
            LabelName::View => self.view.map(View::code),
            LabelName::Laterality => self.laterality.map(Laterality::code),
            LabelName::Sex => self.sex.map(Sex::code),
            LabelName::Age | LabelName::Rotation | LabelName::Jigsaw => None,
            LabelName::Site(name) => return self.site.get(&name).and_then(SiteValue::class),
        };
        known.map(Cow::Borrowed)
    }

    /// The coarser class that the class of `label` lies within, if it is known and there is one.
    #[must_use]
    pub fn wider_class(&self, label: LabelName) -> Option<&'static str> {
        match label {
            LabelName::BodyPart => self.body_part.and_then(BodyPart::within).map(BodyPart::code),
            _ => None,
        }
    }

    /// The number behind `label`, if it is a number and known.
    #[must_use]
    pub fn number(&self, label: LabelName) -> Option<f32> {
        match label {
            LabelName::Age => self.age_years,
            LabelName::Site(name) => self.site.get(&name).and_then(SiteValue::number),
            _ => None,
        }
    }
}
