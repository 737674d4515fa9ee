//! What was done to one file, in counts: enough to audit, nothing to identify.

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use serde::{Deserialize, Serialize};

use super::rules::{self, Rule};

/// What the file itself says about text burned into its pixels.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BurnedIn {
    /// It says that there is none, which is not proof.
    DeclaredNone,
    /// It says nothing.
    NotDeclared,
    /// It says that there is some, or a search does; a person looked and found none that identifies.
    Reviewed,
}

/// Which link of the chain a label came from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelSource {
    /// No link supported a value.
    #[default]
    Nothing,
    /// The attribute made for it.
    Attribute,
    /// A coded sequence.
    Code,
    /// The dictionary over descriptions.
    Description,
    /// Computed from two dates, before any date was dropped.
    Dates,
    /// Links contradicted each other, so nothing was taken.
    Conflict,
}

/// Where each label came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct LabelSources {
    /// Body part.
    pub body_part: LabelSource,
    /// View.
    pub view: LabelSource,
    /// Side.
    pub laterality: LabelSource,
    /// Sex.
    pub sex: LabelSource,
    /// Age.
    pub age: LabelSource,
}

/// What was done to one file. Each attribute of the data set is counted once, at whatever level it stood, so that
/// `attributes_seen` is the sum of the four uses and `removed`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Evidence {
    /// The edition of the allow-list.
    pub rules_edition: u16,
    /// Attributes in the data set, at every level.
    pub attributes_seen: u32,
    /// Read as a decision or as terms of the closed vocabulary.
    pub kept_as_vocabulary: u32,
    /// Read for a label; the values are dropped.
    pub used_for_labels: u32,
    /// Read to decode the pixels.
    pub used_for_pixels: u32,
    /// Replaced by a keyed pseudonym.
    pub replaced_by_pseudonym: u32,
    /// Dropped unread.
    pub removed: u32,
    /// Of these: inside sequences.
    pub removed_nested: u32,
    /// Of these: private.
    pub removed_private: u32,
    /// Sequences walked, private ones and those written as unknown values too.
    pub sequences: u32,
    /// Sequences that did not parse and were removed whole.
    pub opaque_sequences: u32,
    /// Attributes of overlay planes (60xx).
    pub overlay_attributes: u32,
    /// Attributes of curves (50xx).
    pub curve_attributes: u32,
    /// Icon images.
    pub icon_images: u32,
    /// Records of earlier values (`OriginalAttributesSequence`).
    pub original_attributes: u32,
    /// Attributes of the file meta information, all dropped.
    pub file_meta_attributes: u32,
    /// The preamble held something.
    pub preamble_written: bool,
    /// Bytes after the pixels, all dropped.
    pub trailing_bytes: u64,
    /// Bytes of comments and application segments in the compressed stream, all dropped.
    pub stream_comment_bytes: u64,
    /// Pixels whose container held something outside the stored bits, all cleared.
    pub high_bit_pixels: u64,
    /// Pixels that were padding around the picture, set to the darkest value.
    pub padding_pixels: u64,
    /// Areas of the picture in which something was written, each filled with one value.
    #[serde(default)]
    pub text_areas_removed: u32,
    /// Pixels of these areas.
    #[serde(default)]
    pub text_pixels_removed: u64,
    /// Markers that were read in the picture and stayed.
    #[serde(default)]
    pub markers_kept: u32,
    /// What the file says of burned-in text.
    pub burned_in: BurnedIn,
    /// Where the labels came from.
    pub labels: LabelSources,
}

/// Counts made while a data set is walked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    preamble_written: bool,
    file_meta_attributes: u32,
    pub(crate) sequences: u32,
    pub(crate) opaque_sequences: u32,
    pub(crate) trailing_bytes: u64,
    seen: u32,
    vocabulary: u32,
    labels: u32,
    pixels: u32,
    pseudonyms: u32,
    removed: u32,
    removed_nested: u32,
    removed_private: u32,
    overlays: u32,
    curves: u32,
    icons: u32,
    originals: u32,
}

impl Tally {
    /// The counts of what stands before the data set.
    pub(crate) fn of_form(preamble_written: bool, file_meta_attributes: u32) -> Self {
        Self {
            preamble_written,
            file_meta_attributes,
            ..Self::default()
        }
    }

    /// Counts one attribute: `sequence` is the sequence in whose first level it stands, where anything is read of that one, and
    /// `depth` 0 is the top.
    pub(crate) fn attribute(&mut self, tag: Tag, sequence: Option<Tag>, depth: u32) {
        self.seen += 1;
        let rule = match (depth, sequence) {
            (0, _) => rules::rule(tag),
            (_, Some(sequence)) => rules::nested_rule(sequence, tag),
            _ => None,
        };
        match rule {
            Some(Rule::Vocabulary) => self.vocabulary += 1,
            Some(Rule::Label) => self.labels += 1,
            Some(Rule::Pixels) => self.pixels += 1,
            Some(Rule::Pseudonym) => self.pseudonyms += 1,
            None => {
                self.removed += 1;
                self.removed_nested += u32::from(depth > 0);
                self.removed_private += u32::from(tag.group() % 2 == 1);
            }
        }
        match tag.group() {
            0x6000..=0x60FF => self.overlays += 1,
            0x5000..=0x50FF => self.curves += 1,
            _ if tag == tags::ICON_IMAGE_SEQUENCE => self.icons += 1,
            _ if tag == tags::ORIGINAL_ATTRIBUTES_SEQUENCE => self.originals += 1,
            _ => {}
        }
    }

    /// The evidence of a finished file.
    pub(crate) fn evidence(&self, burned_in: BurnedIn, labels: LabelSources) -> Evidence {
        Evidence {
            rules_edition: rules::EDITION,
            attributes_seen: self.seen,
            kept_as_vocabulary: self.vocabulary,
            used_for_labels: self.labels,
            used_for_pixels: self.pixels,
            replaced_by_pseudonym: self.pseudonyms,
            removed: self.removed,
            removed_nested: self.removed_nested,
            removed_private: self.removed_private,
            sequences: self.sequences,
            opaque_sequences: self.opaque_sequences,
            overlay_attributes: self.overlays,
            curve_attributes: self.curves,
            icon_images: self.icons,
            original_attributes: self.originals,
            file_meta_attributes: self.file_meta_attributes,
            preamble_written: self.preamble_written,
            trailing_bytes: self.trailing_bytes,
            stream_comment_bytes: 0,
            high_bit_pixels: 0,
            padding_pixels: 0,
            text_areas_removed: 0,
            text_pixels_removed: 0,
            markers_kept: 0,
            burned_in,
            labels,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attribute_is_counted_once() {
        let mut tally = Tally::default();
        tally.attribute(tags::MODALITY, None, 0);
        tally.attribute(tags::PATIENT_ID, None, 0);
        tally.attribute(tags::OTHER_PATIENT_I_DS_SEQUENCE, None, 0);
        tally.attribute(tags::PATIENT_ID, Some(tags::OTHER_PATIENT_I_DS_SEQUENCE), 1);
        tally.attribute(Tag(0x0009, 0x1010), None, 0);
        tally.attribute(tags::ROWS, None, 0);
        tally.attribute(tags::STUDY_DATE, None, 0);
        let evidence = tally.evidence(BurnedIn::NotDeclared, LabelSources::default());
        let used = evidence.kept_as_vocabulary + evidence.used_for_labels + evidence.used_for_pixels;
        assert_eq!(
            evidence.attributes_seen,
            used + evidence.replaced_by_pseudonym + evidence.removed
        );
        assert_eq!(
            (evidence.removed, evidence.removed_nested, evidence.removed_private),
            (3, 1, 1)
        );
    }
}
