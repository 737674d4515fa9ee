//! What became of one attribute: enough to replay the decision, and never a value.

use std::borrow::Cow;

use dicom_core::{Tag, VR};
use serde::{Serialize, Serializer};
use snowball_confidentiality::Action;

use super::FilledArea;

/// The record of one attribute of one file. What lay inside a sequence that went has none of its own.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Record {
    /// The sequences around it with item numbers, outermost first: `(0008,2218)[0]`; empty at the top level.
    pub path: String,
    /// Its tag.
    #[serde(serialize_with = "tag_text")]
    pub attribute: Tag,
    /// Its value representation as read.
    #[serde(serialize_with = "vr_text")]
    pub vr: VR,
    /// What became of it.
    pub action: Action,
    /// By which rule.
    pub rule: Cow<'static, str>,
    /// The row of table E.1-1 that speaks of it, where one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<String>,
    /// Of the pixels: what was filled because it read as text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub areas: Vec<FilledArea>,
}

fn tag_text<S: Serializer>(tag: &Tag, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&snowball_confidentiality::Tag(tag.0, tag.1))
}

fn vr_text<S: Serializer>(vr: &VR, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(VR::to_string(*vr))
}
