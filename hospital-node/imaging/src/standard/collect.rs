//! The first walk: what in a file identifies somebody, before anything is written.

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use snowball_confidentiality::{Action, Class};
use snowball_crypto::PseudonymKey;

use super::{
    Seen, Standard,
    apply::{decided, texts},
    text::Vocabulary,
    tree::{Element, Value},
    values,
};
use crate::read::charset::Charset;

/// What is registered with DICOM says nothing of a patient.
pub(super) const REGISTERED_ROOT: &str = "1.2.840.10008.";

/// Everything that will not stay as it is, in marks.
pub(super) fn collect(standard: &Standard, class: &Class, elements: &[Element<'_>]) -> Seen {
    let mut walk = Walk {
        standard,
        class,
        gather: Gather {
            key: &standard.key,
            vocabulary: &standard.vocabulary,
            seen: Seen::default(),
        },
    };
    walk.level(elements, &mut Vec::new(), "", &Charset::DEFAULT, false);
    walk.gather.seen
}

/// Every name, text, date and UID of a file, whatever becomes of it, in marks.
pub(crate) fn everything(key: &PseudonymKey, vocabulary: &Vocabulary, elements: &[Element<'_>]) -> Seen {
    let mut gather = Gather {
        key,
        vocabulary,
        seen: Seen::default(),
    };
    gather.level(elements, &Charset::DEFAULT);
    gather.seen
}

struct Walk<'a> {
    standard: &'a Standard,
    class: &'a Class,
    gather: Gather<'a>,
}

/// Marks, and what it takes to make them.
struct Gather<'a> {
    key: &'a PseudonymKey,
    vocabulary: &'a Vocabulary,
    seen: Seen,
}

impl Walk<'_> {
    /// `going`: everything here goes with the sequence around it.
    fn level(&mut self, elements: &[Element<'_>], path: &mut Vec<Tag>, place: &str, outer: &Charset, going: bool) {
        let own = super::tree::bytes_of(elements, tags::SPECIFIC_CHARACTER_SET).map(Charset::named);
        let charset = own.as_ref().unwrap_or(outer);
        for element in elements {
            let action = decided(self.standard, self.class, path, element).action;
            let going = going || action == Action::Remove;
            match &element.value {
                Value::Items(items) => {
                    let inner_goes = going || !matches!(action, Action::Keep | Action::Clean);
                    path.push(element.tag);
                    for (number, item) in items.iter().enumerate() {
                        let inner = super::apply::inside(place, element.tag, number);
                        self.level(item, path, &inner, charset, inner_goes);
                    }
                    path.pop();
                }
                Value::Bytes(bytes)
                    if going || !matches!(action, Action::Keep | Action::KeepListed | Action::CapAge) =>
                {
                    self.gather.value(element, bytes, place, charset);
                }
                _ => {}
            }
        }
    }
}

impl Gather<'_> {
    fn level(&mut self, elements: &[Element<'_>], outer: &Charset) {
        let own = super::tree::bytes_of(elements, tags::SPECIFIC_CHARACTER_SET).map(Charset::named);
        let charset = own.as_ref().unwrap_or(outer);
        for element in elements {
            match &element.value {
                Value::Items(items) => items.iter().for_each(|item| self.level(item, charset)),
                Value::Bytes(bytes) => self.value(element, bytes, "", charset),
                Value::Fragments(_) => {}
            }
        }
    }

    fn value(&mut self, element: &Element<'_>, bytes: &[u8], place: &str, charset: &Charset) {
        let key = self.key;
        // The name of a vendor that reserved a block is in every file of its machines.
        let is_creator = element.tag.group() % 2 == 1 && element.tag.element() < 0x1000;
        let vr = super::tree::standard_vr(element.tag).unwrap_or(element.vr);
        if is_creator || bytes.len() > 1 << 16 {
            return;
        }
        for text in texts(bytes, vr, charset) {
            match vr {
                VR::PN => self.seen.person(key, &text),
                VR::UI if !text.starts_with(REGISTERED_ROOT) => self.seen.uid(key, &text),
                VR::DA | VR::DT => {
                    if let Some(digits) = values::date_digits(&text).filter(|digits| digits != values::DUMMY_DATE) {
                        self.seen
                            .date(key, &super::apply::inside_tag(place, element.tag), &digits);
                    }
                }
                VR::LO | VR::SH | VR::ST | VR::LT | VR::UT | VR::UC | VR::UR | VR::AE => self.free(&text),
                // Private, or of a private VR: what reads as text counts as text.
                VR::UN if !text.chars().any(char::is_control) => self.free(&text),
                _ => {}
            }
        }
    }

    fn free(&mut self, text: &str) {
        let (key, vocabulary) = (self.key, self.vocabulary);
        if text.contains('^') {
            self.seen.person(key, text);
        } else {
            self.seen.text(key, text, |word| vocabulary.has(word));
        }
    }
}
