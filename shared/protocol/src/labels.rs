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
}

/// A label that nothing is known of.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "{0:?} is no label; known are body_part, view, laterality, sex, age, and site_NAME for one that the hospitals import"
)]
pub struct UnknownLabel(String);

impl LabelName {
    /// Those of the vocabulary.
    const KNOWN: [Self; 5] = [Self::BodyPart, Self::View, Self::Laterality, Self::Sex, Self::Age];

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
        }
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
            "description": "Which label a head of the network learns: one of the vocabulary, or one that the hospitals import, `site_` and its name.",
            "type": "string",
            "pattern": "^(body_part|view|laterality|sex|age|site_[A-Za-z0-9_]{1,43})$"
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
            LabelName::Age => None,
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
