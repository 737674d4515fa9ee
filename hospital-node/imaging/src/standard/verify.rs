//! A second look at what was written: another parser (the object reader of dicom-rs), its own rules, and the marks of what
//! identified somebody in the file that came in. It asks no profile what should be there; it denies what must not be.

use dicom_core::{Tag, VR, header::Header as _, value::Value};
use dicom_dictionary_std::tags;
use dicom_object::{InMemDicomObject, from_reader, mem::InMemElement};
use serde::Serialize;
use snowball_confidentiality::ProfileOption;
use snowball_protocol::{Sha256Digest, digest::RunningDigest};

use super::{
    Seen, Standard,
    apply::{inside, inside_tag, is_known, ours},
    collect::REGISTERED_ROOT,
    redact::stored_bytes,
    values,
};
use crate::{
    intake::Limits,
    pixels::{self, Description, fragments},
    read::DicomFile,
};

/// Something that must not be in a written file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    /// What kind of thing.
    pub kind: FindingKind,
    /// Group of the attribute that holds it.
    pub group: u16,
    /// Its element.
    pub element: u16,
}

/// A kind of thing that must not be in a written file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// The file does not read, or reads in another way than it was meant.
    Unreadable,
    /// The preamble holds something.
    Preamble,
    /// The file meta information holds more than it needs.
    Meta,
    /// A private attribute that no policy names.
    Private,
    /// Overlay, curve, icon, earlier attributes, signature, group length or padding.
    Forbidden,
    /// A name that is not the pseudonym.
    Person,
    /// A UID that was neither mapped nor registered.
    Uid,
    /// A date that stood there before, or that nobody made.
    Date,
    /// A value or a word that identified somebody in the file that came in.
    Identifier,
    /// Comments in compressed pixels.
    Comment,
    /// The file does not say that it is de-identified.
    Unmarked,
    /// The stored values are not those in which the search found nothing.
    Pixels,
}

impl Finding {
    pub(super) const fn of(kind: FindingKind, tag: Tag) -> Self {
        Self {
            kind,
            group: tag.0,
            element: tag.1,
        }
    }
}

/// Looks at the whole file.
pub(super) fn verify(standard: &Standard, written: &[u8], seen: &Seen) -> Vec<Finding> {
    let nowhere = Tag(0, 0);
    let Ok(file) = from_reader(written) else {
        return vec![Finding::of(FindingKind::Unreadable, nowhere)];
    };
    let mut look = Look {
        standard,
        seen,
        findings: Vec::new(),
    };
    if written
        .get(..128)
        .is_none_or(|preamble| preamble.iter().any(|byte| *byte != 0))
    {
        look.find(FindingKind::Preamble, nowhere);
    }
    let meta = file.meta();
    let instance = file.get(tags::SOP_INSTANCE_UID).and_then(|uid| uid.to_str().ok());
    if instance.as_deref().map(trim) != Some(trim(meta.media_storage_sop_instance_uid()))
        || meta.source_application_entity_title().is_some()
        || meta.sending_application_entity_title().is_some()
        || meta.receiving_application_entity_title().is_some()
        || meta.private_information_creator_uid().is_some()
        || meta.private_information.is_some()
    {
        look.find(FindingKind::Meta, nowhere);
    }
    let text = |tag| {
        file.get(tag)
            .and_then(|element| element.to_str().ok())
            .map(|text| trim(&text).to_owned())
    };
    if text(tags::PATIENT_IDENTITY_REMOVED).as_deref() != Some("YES")
        || text(tags::PATIENT_ID).as_ref() != Some(&seen.patient)
    {
        look.find(FindingKind::Unmarked, tags::PATIENT_IDENTITY_REMOVED);
    }
    if let Some(searched) = seen.pixels
        && stored_digest(&file, written, &standard.limits) != Some(searched)
    {
        look.find(FindingKind::Pixels, tags::PIXEL_DATA);
    }
    look.level(&file, "");
    look.findings
}

/// Digest of the stored values of all frames as they lie in the written file. Equal values are found clean again by the
/// same search, so that this stands for searching once more.
fn stored_digest(file: &InMemDicomObject, written: &[u8], limits: &Limits) -> Option<Sha256Digest> {
    let number = |tag| file.get(tag)?.to_int::<u32>().ok();
    let (allocated, stored) = (number(tags::BITS_ALLOCATED)?, number(tags::BITS_STORED)?);
    let lowest = (number(tags::HIGH_BIT)? + 1).checked_sub(stored)?;
    let mask = u16::MAX.checked_shr(16_u32.checked_sub(stored)?)?;
    let count = number(tags::NUMBER_OF_FRAMES).unwrap_or(1).max(1) as usize;
    let values = number(tags::ROWS)? as usize * number(tags::COLUMNS)? as usize * count;
    let mut digest = RunningDigest::default();
    match file.get(tags::PIXEL_DATA)?.value() {
        Value::Primitive(value) => {
            let bytes = value.to_bytes();
            let words: Vec<u16> = if allocated == 8 {
                bytes.get(..values)?.iter().map(|byte| u16::from(*byte)).collect()
            } else {
                let pairs = bytes.get(..values * 2)?.chunks_exact(2);
                pairs.map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect()
            };
            let words: Vec<u16> = words.into_iter().map(|word| word >> lowest & mask).collect();
            digest.update(&stored_bytes(&words));
        }
        // A decoder is a decoder: the stream that was written is decoded, whatever the one that came in gave.
        Value::PixelSequence(pixels) => {
            let parsed = DicomFile::parse(written, limits).ok()?;
            let description = Description::read_frames(&parsed, limits).ok()?;
            let fragments: Vec<&[u8]> = pixels.fragments().iter().map(Vec::as_slice).collect();
            for frame in fragments::frames(&fragments, count)? {
                let words = pixels::frame(frame.concat(), parsed.syntax?, &description).ok()?;
                digest.update(&stored_bytes(&words.stored(&description)));
            }
        }
        Value::Sequence(_) => return None,
    }
    Some(digest.finish())
}

struct Look<'a> {
    standard: &'a Standard,
    seen: &'a Seen,
    findings: Vec<Finding>,
}

impl Look<'_> {
    fn find(&mut self, kind: FindingKind, tag: Tag) {
        self.findings.push(Finding::of(kind, tag));
    }

    fn level(&mut self, object: &InMemDicomObject, place: &str) {
        for element in object {
            let tag = element.tag();
            if tag.0 % 2 == 1 {
                self.private(object, element);
                continue;
            }
            let drawn = (0x5000..0x5020).contains(&tag.0) || (0x6000..0x6020).contains(&tag.0);
            let named = matches!(
                tag,
                tags::ICON_IMAGE_SEQUENCE | tags::ORIGINAL_ATTRIBUTES_SEQUENCE | tags::OTHER_PATIENT_I_DS_SEQUENCE
            );
            if drawn || named || tag.1 == 0 || tag.0 > 0x7FE0 || tag.0 < 8 {
                self.find(FindingKind::Forbidden, tag);
                continue;
            }
            // Our own words about the method are the same in every file.
            if matches!(
                tag,
                tags::DEIDENTIFICATION_METHOD | tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE
            ) {
                continue;
            }
            match element.value() {
                Value::Sequence(items) => {
                    for (number, item) in items.items().iter().enumerate() {
                        self.level(item, &inside(place, tag, number));
                    }
                }
                Value::PixelSequence(pixels) => {
                    if pixels.fragments().iter().any(|fragment| has_comment(fragment)) {
                        self.find(FindingKind::Comment, tag);
                    }
                }
                Value::Primitive(_) if tag == tags::PIXEL_DATA => {}
                Value::Primitive(value) if values::is_text(element.vr()) => {
                    for text in value.to_multi_str().iter() {
                        self.text(tag, element.vr(), trim(text), place);
                    }
                }
                Value::Primitive(value) => {
                    let bytes = value.to_bytes();
                    let runs = bytes
                        .split(|byte| !byte.is_ascii_graphic())
                        .filter(|run| run.len() >= 5);
                    let known = |run: &[u8]| {
                        let text = String::from_utf8_lossy(run);
                        self.seen.knows(&self.standard.key, &text, false)
                    };
                    if matches!(element.vr(), VR::OB | VR::OW | VR::UN) && runs.into_iter().any(known) {
                        self.find(FindingKind::Identifier, tag);
                    }
                }
            }
        }
    }

    fn private(&mut self, object: &InMemDicomObject, element: &InMemElement) {
        let tag = element.tag();
        let profile = &self.standard.profile;
        let creator_tag = if tag.1 < 0x1000 { tag } else { Tag(tag.0, tag.1 >> 8) };
        let creator = object
            .get(creator_tag)
            .and_then(|creator| creator.to_str().ok())
            .unwrap_or_default();
        let mut named = if tag.1 < 0x1000 {
            (0..=0xFF_u16).any(|low| {
                profile
                    .private_rule(ours(Tag(tag.0, 0x1000 | low)), trim(&creator))
                    .is_some()
            })
        } else {
            profile.private_rule(ours(tag), trim(&creator)).is_some()
        };
        named &= profile.has(ProfileOption::RetainSafePrivate) && matches!(element.value(), Value::Primitive(_));
        if !named {
            self.find(FindingKind::Private, tag);
        }
    }

    fn text(&mut self, tag: Tag, vr: VR, text: &str, place: &str) {
        if text.is_empty() {
            return;
        }
        let (standard, seen) = (self.standard, self.seen);
        let profile = &standard.profile;
        match vr {
            VR::PN if text != seen.patient && text != values::DUMMY_TEXT => self.find(FindingKind::Person, tag),
            VR::UI => {
                let made = text.starts_with(REGISTERED_ROOT) || seen.minted_uids.contains(text);
                let known = seen.knows(&standard.key, text, false);
                if (!made || known) && !profile.has(ProfileOption::RetainUids) {
                    self.find(FindingKind::Uid, tag);
                }
            }
            VR::DA | VR::DT => {
                let digits = values::date_digits(text);
                let is_dummy = digits.as_deref() == Some(values::DUMMY_DATE);
                let made = digits.as_ref().is_some_and(|digits| seen.minted_dates.contains(digits));
                let was_here = digits
                    .as_ref()
                    .is_some_and(|digits| seen.had_date(&standard.key, &inside_tag(place, tag), digits));
                let retained = profile.has(ProfileOption::RetainLongitudinalFullDates);
                if !is_dummy && !retained && (!made || was_here) {
                    self.find(FindingKind::Date, tag);
                }
            }
            VR::PN => {}
            _ => {
                let ours_by_design =
                    text == seen.patient || text == values::DUMMY_TEXT || tag == tags::ACCESSION_NUMBER;
                let listed = profile
                    .keep_rule(ours(tag))
                    .is_some_and(|rule| rule.values.contains(&text.to_lowercase()));
                if !ours_by_design && !listed && is_known(standard, seen, vr, text) {
                    self.find(FindingKind::Identifier, tag);
                }
            }
        }
    }
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\0'])
}

/// Whether a JPEG stream holds a comment or an application segment before its first scan, or a JPEG 2000 one a comment
/// with something in it.
fn has_comment(fragment: &[u8]) -> bool {
    let is_2000 = fragment.starts_with(&[0xFF, 0x4F]);
    if !is_2000 && !fragment.starts_with(&[0xFF, 0xD8]) {
        return false;
    }
    let mut rest = fragment.get(2..).unwrap_or_default();
    while let [0xFF, marker, high, low, ..] = *rest {
        let length = usize::from(u16::from_be_bytes([high, low]));
        let body = rest.get(4..2 + length).unwrap_or_default();
        let found = match (is_2000, marker) {
            (true, 0x64) => body.get(2..).is_some_and(|text| text.iter().any(|byte| *byte != 0)),
            (false, 0xEE) => body.len() != 12,
            (false, 0xFE | 0xE0..=0xEF) => true,
            (true, 0x93) | (false, 0xDA) => return false,
            _ => false,
        };
        if found {
            return true;
        }
        rest = rest.get(2 + length..).unwrap_or_default();
    }
    false
}
