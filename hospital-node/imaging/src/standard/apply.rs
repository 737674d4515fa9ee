//! The second walk: decides each attribute and builds the new object from what may stay.

mod dummies;
mod kept;

use std::{borrow::Cow, collections::HashMap};

use dicom_core::{DataElement, PrimitiveValue, Tag, VR, header::Length, value::DataSetSequence};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use snowball_confidentiality::{Action, AttributeType, Class, Decision, Rule, row};
use snowball_crypto::{Domain, Pseudonym};
use snowball_protocol::intake::IntakeReason;

use super::{
    Origin, Pixels, Record, Seen, Standard, collect,
    frames::Frames,
    redact::Looked,
    stamp,
    tree::{Element, Value, bytes_of, standard_vr},
    values,
};
use crate::read::charset::Charset;

pub(super) use kept::is_known;

/// Characters of a pseudonym as written: 80 bits, more than any hospital has patients.
pub(super) const PSEUDONYM_CHARACTERS: usize = 20;

/// Offset tables and lengths of compressed pixels: what they point into is written anew.
const OFFSETS: [Tag; 3] = [Tag(0x7FE0, 0x0001), Tag(0x7FE0, 0x0002), Tag(0x7FE0, 0x0003)];

/// The walk over one file.
pub(super) struct Applied<'a> {
    standard: &'a Standard,
    class: &'static Class,
    days: i32,
    seen: Seen,
    records: Vec<Record>,
    object: InMemDicomObject,
    creators: HashMap<u32, String>,
    instance: String,
    says_burned_in: bool,
}

/// What the walk made.
pub(super) struct Made {
    pub(super) object: InMemDicomObject,
    pub(super) instance: String,
    pub(super) seen: Seen,
    pub(super) records: Vec<Record>,
    pub(super) is_native: bool,
}

/// What is written for one attribute.
enum Written {
    Nothing,
    Value(VR, PrimitiveValue),
    Items(Vec<InMemDicomObject>),
}

/// The decision over an element, by the value representation that PS3.6 gives it.
pub(super) fn decided(standard: &Standard, class: &Class, path: &[Tag], element: &Element<'_>) -> Decision {
    let vr = standard_vr(element.tag).unwrap_or(element.vr);
    let path: Vec<_> = path.iter().map(|tag| ours(*tag)).collect();
    standard
        .profile
        .decide_in(Some(class), &path, ours(element.tag), vr.to_string())
}

/// The values of a text, decoded and without padding.
pub(super) fn texts(bytes: &[u8], vr: VR, charset: &Charset) -> Vec<String> {
    let text = charset.decode(bytes);
    let trim = |text: &str| text.trim_matches([' ', '\0']).to_owned();
    if values::is_multiple(vr) {
        text.split('\\').map(trim).collect()
    } else {
        vec![trim(&text)]
    }
}

/// The place of item `number` of the sequence `tag`.
pub(super) fn inside(place: &str, tag: Tag, number: usize) -> String {
    format!("{}[{number}]", inside_tag(place, tag))
}

/// The place of `tag` in the item at `place`.
pub(super) fn inside_tag(place: &str, tag: Tag) -> String {
    let parted = if place.is_empty() { "" } else { "/" };
    format!("{place}{parted}{}", ours(tag))
}

pub(super) const fn ours(tag: Tag) -> snowball_confidentiality::Tag {
    snowball_confidentiality::Tag(tag.0, tag.1)
}

impl<'a> Applied<'a> {
    pub(super) fn new(standard: &'a Standard, origin: &Origin, elements: &[Element<'_>]) -> Self {
        let patient: Pseudonym = standard.key.pseudonym(Domain::Patient, &origin.patient);
        let mut seen = collect::collect(standard, origin.class, elements);
        seen.patient = short(&patient, PSEUDONYM_CHARACTERS);
        let creators = elements
            .iter()
            .filter(|element| element.tag.group() % 2 == 1 && (0x10..=0xFF).contains(&element.tag.element()));
        let creators = creators.filter_map(|element| match element.value {
            Value::Bytes(bytes) => Some((block(element.tag, element.tag.element()), ascii(bytes))),
            _ => None,
        });
        Self {
            days: standard.key.days(&patient),
            standard,
            class: origin.class,
            seen,
            records: Vec::with_capacity(elements.len()),
            object: InMemDicomObject::new_empty(),
            creators: creators.collect(),
            instance: String::new(),
            says_burned_in: bytes_of(elements, tags::BURNED_IN_ANNOTATION)
                .is_some_and(|code| ascii(code).eq_ignore_ascii_case("YES")),
        }
    }

    /// The whole data set but its pixels.
    pub(super) fn data_set(&mut self, elements: &[Element<'_>]) -> Result<(), IntakeReason> {
        self.object = self.level(elements, &mut Vec::new(), "", &Charset::DEFAULT);
        let instance = self
            .object
            .get(tags::SOP_INSTANCE_UID)
            .and_then(|uid| uid.to_str().ok());
        self.instance = instance.map(Cow::into_owned).ok_or(IntakeReason::MissingIdentity)?;
        Ok(())
    }

    /// Adds pixels and what the standard wants said of the de-identification. `looked` is what came of a search in them.
    pub(super) fn finish(
        mut self,
        frames: Frames,
        pixels: Pixels,
        looked: Option<Looked>,
    ) -> Result<Made, IntakeReason> {
        // Where the file says that there is text, a search that finds none is no answer.
        if self.says_burned_in && pixels != Pixels::Verified {
            return Err(IntakeReason::BurnedInText);
        }
        let is_native = matches!(frames, Frames::Native(_));
        match frames {
            Frames::Native(bytes) => {
                let wide = self
                    .object
                    .get(tags::BITS_ALLOCATED)
                    .and_then(|bits| bits.to_int::<u16>().ok());
                let vr = if wide.is_some_and(|bits| bits > 8) {
                    VR::OW
                } else {
                    VR::OB
                };
                let value = PrimitiveValue::U8(bytes.into());
                self.object.put(DataElement::new(tags::PIXEL_DATA, vr, value));
            }
            Frames::Encapsulated(fragments) => {
                let value = dicom_core::value::PixelFragmentSequence::new_fragments(fragments);
                self.object.put(DataElement::new(tags::PIXEL_DATA, VR::OB, value));
            }
        }
        let burned_in = self.class.demand(&[], ours(tags::BURNED_IN_ANNOTATION));
        let said = stamp::Said {
            policy: &self.standard.policy,
            pixels,
            burned_in,
            areas: looked.as_ref().map(|looked| looked.filled.len()),
        };
        stamp::stamp(&mut self.object, &self.standard.profile, &said);
        if let Some(looked) = looked {
            self.searched(looked, is_native);
        }
        Ok(Made {
            object: self.object,
            instance: self.instance,
            seen: self.seen,
            records: self.records,
            is_native,
        })
    }

    /// Notes what the search did, and what it did to attributes that speak of the pixels.
    fn searched(&mut self, looked: Looked, is_native: bool) {
        self.seen.pixels = Some(looked.stored);
        let record = self
            .records
            .iter_mut()
            .find(|record| record.attribute == tags::PIXEL_DATA && record.path.is_empty());
        if !looked.filled.is_empty() {
            stamp::describe_filled(&mut self.object, &looked);
        }
        if is_native {
            stamp::describe_native(&mut self.object, &looked);
        }
        if let Some(record) = record {
            record.rule = if looked.filled.is_empty() {
                "pixels, searched for text: none found; written anew".into()
            } else {
                record.action = Action::Clean;
                "pixels, text filled with one value each, searched again: none found; written anew".into()
            };
            record.areas = looked.filled;
        }
    }

    fn level(
        &mut self,
        elements: &[Element<'_>],
        path: &mut Vec<Tag>,
        place: &str,
        outer: &Charset,
    ) -> InMemDicomObject {
        let own = bytes_of(elements, tags::SPECIFIC_CHARACTER_SET).map(Charset::named);
        let charset = own.as_ref().unwrap_or(outer);
        let mut object = InMemDicomObject::new_empty();
        for element in elements {
            let (action, rule, written) = self.element(element, path, place, charset);
            self.records.push(Record {
                path: place.to_owned(),
                attribute: element.tag,
                vr: element.vr,
                action,
                rule,
                row: row(ours(element.tag)).map(snowball_confidentiality::Row::tag_text),
                areas: Vec::new(),
            });
            match written {
                Written::Nothing => {}
                Written::Value(vr, value) => drop(object.put(DataElement::new(element.tag, vr, value))),
                Written::Items(items) => {
                    let items = DataSetSequence::new(items, Length::UNDEFINED);
                    object.put(DataElement::new(element.tag, VR::SQ, items));
                }
            }
        }
        object
    }

    /// What becomes of one attribute, by which rule, and what is written.
    fn element(
        &mut self,
        element: &Element<'_>,
        path: &mut Vec<Tag>,
        place: &str,
        charset: &Charset,
    ) -> (Action, Cow<'static, str>, Written) {
        let tag = element.tag;
        let top = path.is_empty();
        if top && tag == tags::PIXEL_DATA {
            return (Action::Keep, "pixels, written anew".into(), Written::Nothing);
        }
        if tag == tags::SPECIFIC_CHARACTER_SET {
            return (Action::Keep, "text is written in UTF-8".into(), Written::Nothing);
        }
        if OFFSETS.contains(&tag) {
            return (Action::Remove, Rule::Structure.to_string().into(), Written::Nothing);
        }
        if top && let Some(written) = self.private(element, charset) {
            return written;
        }
        let decision = decided(self.standard, self.class, path, element);
        if decision.action == Action::Remove {
            return (Action::Remove, decision.rule.to_string().into(), Written::Nothing);
        }
        let our_path: Vec<_> = path.iter().map(|tag| ours(*tag)).collect();
        let demand = self
            .class
            .demand(&our_path, ours(tag))
            .unwrap_or(AttributeType::Optional);
        let vr = match (standard_vr(tag), element.vr) {
            (Some(standard), read) if is_same_kind(standard, read) => {
                if values::is_text(standard) {
                    standard
                } else {
                    read
                }
            }
            // A number where a text belongs, or the other way round: whatever it is, nobody can tell what it says.
            (Some(standard), _) => {
                return self.without(element, standard, demand, path, "not of its value representation");
            }
            (None, read) => read,
        };
        let rule = decision.rule.to_string().into();
        let made = match (decision.action, &element.value) {
            (Action::Keep | Action::Clean, Value::Items(items)) => {
                return (
                    decision.action,
                    rule,
                    self.sequence(items, tag, path, place, charset, demand),
                );
            }
            (Action::Empty, _) => Ok(Written::Value(vr, PrimitiveValue::Empty)),
            (Action::Dummy, _) => return (Action::Dummy, rule, self.dummy(vr, tag, path)),
            (Action::Pseudonym, Value::Bytes(bytes)) => Ok(self.pseudonym(tag, vr, bytes, charset)),
            (_, Value::Bytes([])) => Ok(Written::Value(vr, PrimitiveValue::Empty)),
            (_, Value::Bytes(bytes)) if values::is_text(vr) => {
                self.text(decision.action, tag, vr, texts(bytes, vr, charset))
            }
            (Action::Keep, Value::Bytes(bytes)) => values::binary(vr, bytes, element.big)
                .map(|value| Written::Value(vr, value))
                .ok_or("not of its value representation"),
            _ => Err("cannot be cleaned"),
        };
        match made {
            Ok(written) => (decision.action, rule, written),
            Err(reason) => self.without(element, vr, demand, path, reason),
        }
    }

    /// A private attribute that the policy names, with its creator.
    fn private(&self, element: &Element<'_>, charset: &Charset) -> Option<(Action, Cow<'static, str>, Written)> {
        let (tag, profile) = (element.tag, &self.standard.profile);
        if tag.group() % 2 == 0 {
            return None;
        }
        let Value::Bytes(bytes) = element.value else {
            return None;
        };
        if tag.element() < 0x1000 {
            // The creator stays where an element of its block may.
            let creator = self.creators.get(&block(tag, tag.element()))?;
            let named = (0..=0xFF_u16).any(|low| {
                profile
                    .private_rule(snowball_confidentiality::Tag(tag.group(), 0x1000 | low), creator)
                    .is_some()
            });
            return named.then(|| {
                let value = PrimitiveValue::from(creator.clone());
                (
                    Action::Keep,
                    Rule::LocalKeep.to_string().into(),
                    Written::Value(VR::LO, value),
                )
            });
        }
        let creator = self.creators.get(&block(tag, tag.element() >> 8))?;
        let rule = profile.private_rule(ours(tag), creator)?;
        let vr = if element.vr == VR::UN { VR::LO } else { element.vr };
        let texts = texts(bytes, vr, charset);
        let listed = values::is_text(vr) && texts.iter().all(|text| rule.values.contains(&text.to_lowercase()));
        listed.then(|| {
            let value = PrimitiveValue::Strs(texts.into());
            (
                Action::KeepListed,
                Rule::LocalKeep.to_string().into(),
                Written::Value(vr, value),
            )
        })
    }

    fn sequence(
        &mut self,
        items: &[Vec<Element<'_>>],
        tag: Tag,
        path: &mut Vec<Tag>,
        place: &str,
        charset: &Charset,
        demand: AttributeType,
    ) -> Written {
        path.push(tag);
        let kept: Vec<_> = items
            .iter()
            .enumerate()
            .map(|(number, item)| self.level(item, path, &inside(place, tag, number), charset))
            .filter(|item| item.tags().next().is_some())
            .collect();
        path.pop();
        if kept.is_empty() && demand == AttributeType::Optional {
            Written::Nothing
        } else {
            Written::Items(kept)
        }
    }
}

const fn is_same_kind(one: VR, other: VR) -> bool {
    values::is_text(one) == values::is_text(other) && matches!(one, VR::SQ) == matches!(other, VR::SQ)
}

/// Block number and group as one key.
fn block(tag: Tag, number: u16) -> u32 {
    u32::from(tag.group()) << 16 | u32::from(number)
}

fn ascii(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_matches([' ', '\0']).to_owned()
}

/// The first characters of a pseudonym.
pub(super) fn short(pseudonym: &Pseudonym, characters: usize) -> String {
    pseudonym.to_string().chars().take(characters).collect()
}
