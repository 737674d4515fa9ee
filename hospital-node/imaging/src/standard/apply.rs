//! The second walk: decides each attribute and builds the new object from what may stay.

use std::{borrow::Cow, collections::HashMap};

use dicom_core::{DataElement, PrimitiveValue, Tag, VR, header::Length, value::DataSetSequence};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use snowball_confidentiality::{Action, AttributeType, Class, Decision, Rule, row};
use snowball_crypto::{Domain, Pseudonym};
use snowball_protocol::intake::IntakeReason;

use super::{
    Origin, Pixels, Record, Seen, Standard,
    collect::{self, REGISTERED_ROOT},
    frames::Frames,
    redact::Looked,
    stamp, text,
    tree::{Element, Value, bytes_of, standard_vr},
    values,
};
use crate::{deidentify::normalise, read::charset::Charset};

/// Characters of a pseudonym as written: 80 bits, more than any hospital has patients.
pub(super) const PSEUDONYM_CHARACTERS: usize = 20;
/// An accession number (SH) has 16 characters.
const ACCESSION_CHARACTERS: usize = 16;
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

    /// Values of a text that may stay in some form.
    fn text(&mut self, action: Action, tag: Tag, vr: VR, texts: Vec<String>) -> Result<Written, &'static str> {
        let key = &self.standard.key;
        let mut kept = Vec::with_capacity(texts.len());
        for text in texts {
            kept.push(match action {
                Action::MapUid if text.is_empty() || text.starts_with(REGISTERED_ROOT) => {
                    values::is_of_form(vr, &text).then_some(text).ok_or("not of its form")?
                }
                Action::MapUid => {
                    let uid = key.uid(&text);
                    self.seen.minted_uids.insert(uid.clone());
                    uid
                }
                Action::ShiftDate if matches!(vr, VR::DA | VR::DT) && !text.is_empty() => {
                    let shifted = values::shift(&text, self.days).ok_or("not of its form")?;
                    self.seen.minted_dates.extend(values::date_digits(&shifted));
                    shifted
                }
                Action::CapAge if !text.is_empty() => values::cap_age(&text).ok_or("not of its form")?,
                Action::Clean => self.cleaned(vr, &text).ok_or("nothing stays of it")?,
                Action::KeepListed => {
                    let rule = self.standard.profile.keep_rule(ours(tag));
                    let listed = rule.is_some_and(|rule| rule.values.contains(&text.to_lowercase()));
                    listed.then_some(text).ok_or("not one of the listed words")?
                }
                _ => self.screened(tag, vr, text)?,
            });
        }
        Ok(Written::Value(vr, PrimitiveValue::Strs(kept.into())))
    }

    fn cleaned(&self, vr: VR, text: &str) -> Option<String> {
        let (standard, seen) = (self.standard, &self.seen);
        let clean = standard
            .vocabulary
            .clean(text, |word| seen.is_strong(&standard.key, word));
        // Harmless words may add up to what was seen: an initial and a number, the parts of a name.
        let adds_up = seen.knows(&standard.key, &clean, true);
        (!clean.is_empty() && !adds_up && values::is_of_form(vr, &clean)).then_some(clean)
    }

    /// A value that may stay as it is, unless it names what goes elsewhere in this file or looks as if it named somebody.
    fn screened(&self, tag: Tag, vr: VR, text: String) -> Result<String, &'static str> {
        // What is well formed but for its letters' case is met in codes everywhere.
        let text = if vr == VR::CS { text.to_ascii_uppercase() } else { text };
        if !values::is_of_form(vr, &text) {
            return Err("not of its form");
        }
        if is_known(self.standard, &self.seen, vr, &text) {
            return Err("names what goes elsewhere in this file");
        }
        let free = matches!(vr, VR::LO | VR::ST | VR::LT | VR::UT | VR::UC);
        if free && !is_retained(self.standard, tag) && text::looks_identifying(&text) {
            return Err("looks identifying");
        }
        Ok(text)
    }

    fn pseudonym(&self, tag: Tag, vr: VR, bytes: &[u8], charset: &Charset) -> Written {
        let text = if tag == tags::ACCESSION_NUMBER {
            match normalise(&charset.decode(bytes)) {
                empty if empty.is_empty() => String::new(),
                number => short(
                    &self.standard.key.pseudonym(Domain::Accession, &number),
                    ACCESSION_CHARACTERS,
                ),
            }
        } else {
            self.seen.patient.clone()
        };
        Written::Value(vr, PrimitiveValue::from(text))
    }

    /// A value that may not stay gives way to what the class demands.
    fn without(
        &mut self,
        element: &Element<'_>,
        vr: VR,
        demand: AttributeType,
        path: &[Tag],
        reason: &'static str,
    ) -> (Action, Cow<'static, str>, Written) {
        let reason = reason.into();
        match demand {
            AttributeType::Required | AttributeType::Conditional => {
                (Action::Dummy, reason, self.dummy(vr, element.tag, path))
            }
            AttributeType::RequiredMaybeEmpty | AttributeType::ConditionalMaybeEmpty => {
                (Action::Empty, reason, Written::Value(vr, PrimitiveValue::Empty))
            }
            AttributeType::Optional => (Action::Remove, reason, Written::Nothing),
        }
    }

    fn dummy(&mut self, vr: VR, tag: Tag, path: &[Tag]) -> Written {
        match vr {
            VR::SQ => {
                let inner: Vec<_> = path.iter().chain([&tag]).copied().collect();
                Written::Items(vec![self.dummy_item(&inner)])
            }
            VR::UI => {
                let uid = self.standard.key.uid("dummy");
                self.seen.minted_uids.insert(uid.clone());
                Written::Value(vr, uid.into())
            }
            _ => Written::Value(vr, values::dummy(vr).unwrap_or(PrimitiveValue::Empty)),
        }
    }

    /// An item with what the class demands in it: Type 1 as dummies, Type 2 empty.
    fn dummy_item(&mut self, path: &[Tag]) -> InMemDicomObject {
        let our_path: Vec<_> = path.iter().map(|tag| ours(*tag)).collect();
        let mut item = InMemDicomObject::new_empty();
        for (tag, demand) in self.class.listed(&our_path) {
            let tag = Tag(tag.0, tag.1);
            let vr = standard_vr(tag).unwrap_or(VR::UN);
            let written = match demand {
                AttributeType::Required => self.dummy(vr, tag, path),
                AttributeType::RequiredMaybeEmpty => Written::Value(vr, PrimitiveValue::Empty),
                _ => continue,
            };
            match written {
                Written::Value(vr, value) => drop(item.put(DataElement::new(tag, vr, value))),
                Written::Items(items) => {
                    item.put(DataElement::new(
                        tag,
                        VR::SQ,
                        DataSetSequence::new(items, Length::UNDEFINED),
                    ));
                }
                Written::Nothing => {}
            }
        }
        item
    }
}

/// Whether a kept value is one that goes elsewhere in the file. Codes are compared with names and numbers only: their
/// words are those of the standard, and a body part may be somebody's family name.
pub(super) fn is_known(standard: &Standard, seen: &Seen, vr: VR, text: &str) -> bool {
    match vr {
        VR::CS => {
            let common = crate::labels::fold::words(text)
                .iter()
                .all(|word| standard.vocabulary.has(word));
            !common && seen.knows(&standard.key, text, false)
        }
        VR::DS | VR::IS => {
            let digits = text.trim();
            digits.len() >= 6 && seen.knows(&standard.key, digits, false)
        }
        VR::LO | VR::SH | VR::ST | VR::LT | VR::UT | VR::UC | VR::UR | VR::AE | VR::PN => {
            seen.knows(&standard.key, text, true)
        }
        _ => false,
    }
}

/// Whether an option keeps this attribute: the board asked for numbers such as a serial.
fn is_retained(standard: &Standard, tag: Tag) -> bool {
    row(ours(tag)).is_some_and(|row| standard.profile.options().any(|option| row.option(option).is_some()))
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
