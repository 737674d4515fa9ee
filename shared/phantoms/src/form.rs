//! A data set under construction that remembers what in it identifies somebody.

use dicom_core::{
    DataElement, PrimitiveValue, Tag, VR,
    dictionary::{DataDictionary, DataDictionaryEntry},
    value::DataSetSequence,
};
use dicom_dictionary_std::StandardDataDictionary;
use dicom_object::InMemDicomObject;

use crate::truth::Identifier;

/// Values shorter than this are not listed: they occur by chance.
const LISTED_CHARACTERS_MIN: usize = 4;

/// A data set, or an item of a sequence, and its identifiers.
#[derive(Clone, Debug)]
pub struct Form {
    pub object: InMemDicomObject,
    pub identifiers: Vec<Identifier>,
}

impl Default for Form {
    fn default() -> Self {
        Self {
            object: InMemDicomObject::new_empty(),
            identifiers: Vec::new(),
        }
    }
}

/// OtherPatientIDs: retired, and found all over.
pub const OTHER_PATIENT_IDS: Tag = Tag(0x0010, 0x1000);

impl Form {
    /// A value that identifies nobody. Several values are separated by `\`.
    pub fn text(&mut self, tag: Tag, value: &str) {
        self.put(tag, vr_of(tag), PrimitiveValue::from(value));
    }

    /// An empty value.
    pub fn empty(&mut self, tag: Tag) {
        self.put(tag, vr_of(tag), PrimitiveValue::Empty);
    }

    /// A 16-bit number.
    pub fn number(&mut self, tag: Tag, value: u16) {
        self.put(tag, VR::US, PrimitiveValue::from(value));
    }

    /// A value that identifies.
    pub fn secret(&mut self, tag: Tag, value: &str) {
        self.text(tag, value);
        self.list(&path_of(tag), value);
    }

    /// Free text, of which `parts` identify.
    pub fn free(&mut self, tag: Tag, text: &str, parts: &[&str]) {
        self.text(tag, text);
        for part in parts {
            self.list(&path_of(tag), part);
        }
    }

    /// A private element that identifies.
    pub fn private(&mut self, tag: Tag, vr: VR, value: &str) {
        self.put(tag, vr, PrimitiveValue::from(value));
        self.list(&path_of(tag), value);
    }

    /// The creator of a private block: it identifies a maker, not a patient.
    pub fn creator(&mut self, tag: Tag, value: &str) {
        self.put(tag, VR::LO, PrimitiveValue::from(value));
    }

    /// A sequence of one item.
    pub fn item(&mut self, tag: Tag, item: Self) {
        self.adopt(tag, item.identifiers);
        self.object
            .put(DataElement::new(tag, VR::SQ, DataSetSequence::from(vec![item.object])));
    }

    /// Takes over the identifiers of an item that is put in by other means.
    pub fn adopt(&mut self, tag: Tag, identifiers: Vec<Identifier>) {
        let path = path_of(tag);
        self.identifiers.extend(identifiers.into_iter().map(|inner| Identifier {
            path: format!("{path}[0].{}", inner.path),
            ..inner
        }));
    }

    /// Any element.
    pub fn put(&mut self, tag: Tag, vr: VR, value: PrimitiveValue) {
        self.object.put(DataElement::new(tag, vr, value));
    }

    /// Every element of `object`.
    pub fn put_all(&mut self, object: InMemDicomObject) {
        for element in object {
            self.object.put(element);
        }
    }

    /// Lists an identifier that was put in by other means.
    pub fn list(&mut self, path: &str, value: &str) {
        if value.chars().count() >= LISTED_CHARACTERS_MIN {
            self.identifiers.push(Identifier {
                path: path.to_owned(),
                value: value.to_owned(),
                is_drawn: false,
            });
        }
    }

    /// Lists text that is drawn in dots.
    pub fn list_drawn(&mut self, path: &str, value: &str) {
        self.identifiers.push(Identifier {
            path: path.to_owned(),
            value: value.to_owned(),
            is_drawn: true,
        });
    }
}

fn vr_of(tag: Tag) -> VR {
    StandardDataDictionary
        .by_tag(tag)
        .map_or(VR::UN, |entry| entry.vr().relaxed())
}

fn path_of(tag: Tag) -> String {
    let keyword = StandardDataDictionary.by_tag(tag).map(|entry| entry.alias().to_owned());
    match keyword {
        Some(keyword) if tag.group().is_multiple_of(2) && tag.group() & 0xff00 != 0x6000 => keyword,
        _ => format!("({:04x},{:04x})", tag.group(), tag.element()),
    }
}
