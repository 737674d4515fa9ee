//! What stays of a text: mapped, shifted, cleaned or screened for what it may give away.

use dicom_core::{PrimitiveValue, Tag, VR};
use dicom_dictionary_std::tags;
use snowball_confidentiality::{Action, row};
use snowball_crypto::Domain;

use super::{Applied, Written, ours, short};
use crate::{
    deidentify::normalise,
    read::charset::Charset,
    standard::{Seen, Standard, collect::REGISTERED_ROOT, text, values},
};

/// An accession number (SH) has 16 characters.
const ACCESSION_CHARACTERS: usize = 16;

impl Applied<'_> {
    /// Values of a text that may stay in some form.
    pub(super) fn text(
        &mut self,
        action: Action,
        tag: Tag,
        vr: VR,
        texts: Vec<String>,
    ) -> Result<Written, &'static str> {
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

    pub(super) fn pseudonym(&self, tag: Tag, vr: VR, bytes: &[u8], charset: &Charset) -> Written {
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
}

/// Whether a kept value is one that goes elsewhere in the file. Codes are compared with names and numbers only: their
/// words are those of the standard, and a body part may be somebody's family name.
pub(in crate::standard) fn is_known(standard: &Standard, seen: &Seen, vr: VR, text: &str) -> bool {
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
