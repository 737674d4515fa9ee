//! Where a file that is nobody's business becomes a [`Radiograph`] that may be kept. Nothing else makes one.

pub(crate) mod acquisition;
pub(crate) mod compression;
pub(crate) mod evidence;
pub(crate) mod marks;
pub(crate) mod rules;

use dicom_dictionary_std::tags;
use snowball_crypto::{Domain, Linkage, Originals, Pseudonym, PseudonymKey, VaultKeys};
use snowball_protocol::{Sha256Digest, intake::IntakeReason, labels::Labels};
use snowball_text::{Cleaned, Searcher};

use zeroize::Zeroizing;

use crate::{labels::Labelled, pixels::Grey, read::DicomFile};
use acquisition::Acquisition;
use evidence::{BurnedIn, Evidence};
use marks::Marks;

/// The identity of a radiograph: the pseudonym of its SOP Instance UID.
pub type RadiographId = Pseudonym;

/// A de-identified radiograph: pixels, labels, a closed vocabulary, pseudonyms and counts. It holds no DICOM value.
#[derive(Clone, PartialEq)]
pub struct Radiograph {
    identity: Identity,
    content: Sha256Digest,
    rows: u32,
    columns: u32,
    bits_stored: u8,
    pixels: Vec<u16>,
    labels: Labels,
    acquisition: Acquisition,
    evidence: Evidence,
}

/// The pseudonyms of one file.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    id: RadiographId,
    patient: Pseudonym,
    study: Pseudonym,
    series: Pseudonym,
    accession: Option<Pseudonym>,
    /// The way back, sealed for the site's vault.
    linkage: Option<Linkage>,
    marks: Marks,
}

/// The pseudonym of an identifier as a hospital writes it, in a header, in a table or on a person's request; `None` where it is
/// blank.
#[must_use]
pub fn pseudonym_of(key: &PseudonymKey, domain: Domain, identifier: &str) -> Option<Pseudonym> {
    let value = normalise(identifier);
    (!value.is_empty()).then(|| key.pseudonym(domain, &value))
}

impl Identity {
    /// Replaces the identifiers of `file`; one that lacks patient, study, series or instance has no place. Where the site keeps
    /// a vault, what the hospital calls patient and study is sealed here, under its keys, and goes nowhere else.
    pub(crate) fn read(
        file: &DicomFile<'_>,
        key: &PseudonymKey,
        vault: Option<&VaultKeys>,
        marks: Marks,
    ) -> Result<Self, IntakeReason> {
        let pseudonym = |tag, domain| pseudonym_of(key, domain, &file.text(tag)?);
        let needed = |tag, domain| pseudonym(tag, domain).ok_or(IntakeReason::MissingIdentity);
        let patient = needed(tags::PATIENT_ID, Domain::Patient)?;
        let study = needed(tags::STUDY_INSTANCE_UID, Domain::Study)?;
        let original = |tag| file.text(tag).map(Zeroizing::new);
        let link = |keys: &VaultKeys| {
            let originals = Originals {
                patient: original(tags::PATIENT_ID).unwrap_or_default(),
                study: original(tags::STUDY_INSTANCE_UID).unwrap_or_default(),
                accession: original(tags::ACCESSION_NUMBER),
            };
            // Without randomness nothing may be sealed; a person sees the file and imports it again.
            keys.link(&patient, &study, &originals)
                .map_err(|_| IntakeReason::Unreadable)
        };
        Ok(Self {
            linkage: vault.map(link).transpose()?,
            marks,
            id: needed(tags::SOP_INSTANCE_UID, Domain::Instance)?,
            patient,
            study,
            series: needed(tags::SERIES_INSTANCE_UID, Domain::Series)?,
            accession: pseudonym(tags::ACCESSION_NUMBER, Domain::Accession),
        })
    }
}

/// One identifier written in several ways is one: blanks around it, doubled blanks and case do not count.
pub(crate) fn normalise(identifier: &str) -> String {
    let words: Vec<_> = identifier
        .split(|letter: char| letter.is_whitespace() || letter == '\0')
        .collect();
    words
        .iter()
        .filter(|word| !word.is_empty())
        .map(|word| word.to_lowercase())
        .collect::<Vec<_>>()
        .join(" ")
}

/// What the file says of burned-in text; one that says yes goes to a person.
pub(crate) fn burned_in(file: &DicomFile<'_>) -> Result<BurnedIn, IntakeReason> {
    match file
        .text(tags::BURNED_IN_ANNOTATION)
        .map(|code| code.to_ascii_uppercase())
        .as_deref()
    {
        Some("YES") => Err(IntakeReason::BurnedInText),
        Some("NO") => Ok(BurnedIn::DeclaredNone),
        _ => Ok(BurnedIn::NotDeclared),
    }
}

/// Removes from the picture what is written in it, markers apart. One that keeps on showing text goes to a person.
pub(crate) fn clean(searcher: &Searcher, grey: &mut Grey) -> Result<Cleaned, IntakeReason> {
    let (rows, columns) = (grey.rows as usize, grey.columns as usize);
    let cleaned = searcher.clean(&mut grey.pixels, rows, columns);
    cleaned.map_err(|_| IntakeReason::BurnedInText)
}

/// Puts together what may be kept of `file`, and the counts of what may not.
pub(crate) fn deidentify(
    file: &DicomFile<'_>,
    identity: Identity,
    burned_in: BurnedIn,
    written: Cleaned,
    acquisition: Acquisition,
    grey: Grey,
    labelled: Labelled,
) -> Radiograph {
    let mut evidence = file.tally.evidence(burned_in, labelled.sources);
    evidence.stream_comment_bytes = grey.stream_comment_bytes;
    evidence.high_bit_pixels = grey.high_bit_pixels;
    evidence.padding_pixels = grey.padding_pixels;
    evidence.text_areas_removed = u32::try_from(written.removed.len()).unwrap_or(u32::MAX);
    evidence.text_pixels_removed = written.removed_pixels;
    evidence.markers_kept = written.markers_kept;
    Radiograph {
        identity,
        content: file.content,
        rows: grey.rows,
        columns: grey.columns,
        bits_stored: grey.bits,
        pixels: grey.pixels,
        labels: labelled.labels,
        acquisition,
        evidence,
    }
}

impl Radiograph {
    /// Identity: the pseudonym of the SOP Instance UID.
    #[must_use]
    pub fn id(&self) -> &RadiographId {
        &self.identity.id
    }

    /// Digest of the data set as it stood in the file; equal for exact duplicates only.
    #[must_use]
    pub fn content(&self) -> Sha256Digest {
        self.content
    }

    /// Pseudonym of the patient.
    #[must_use]
    pub fn patient(&self) -> &Pseudonym {
        &self.identity.patient
    }

    /// Pseudonym of the study.
    #[must_use]
    pub fn study(&self) -> &Pseudonym {
        &self.identity.study
    }

    /// Pseudonym of the series.
    #[must_use]
    pub fn series(&self) -> &Pseudonym {
        &self.identity.series
    }

    /// The sealed way back to patient and study, where the site keeps a vault; only the vault opens it.
    #[must_use]
    pub fn linkage(&self) -> Option<&Linkage> {
        self.identity.linkage.as_ref()
    }

    /// What identified somebody in the file, as a keyed set: for a second look at what is written of this.
    #[must_use]
    pub fn marks(&self) -> &Marks {
        &self.identity.marks
    }

    /// Pseudonym of the accession number, where there is one.
    #[must_use]
    pub fn accession(&self) -> Option<&Pseudonym> {
        self.identity.accession.as_ref()
    }

    /// Rows of pixels.
    #[must_use]
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// Pixels in a row.
    #[must_use]
    pub fn columns(&self) -> u32 {
        self.columns
    }

    /// Depth: pixels lie in 0 to 2^bits - 1. That of the stored values, or of the modality table where there is one.
    #[must_use]
    pub fn bits_stored(&self) -> u8 {
        self.bits_stored
    }

    /// Pixels row by row, full depth, the smallest value black.
    #[must_use]
    pub fn pixels(&self) -> &[u16] {
        &self.pixels
    }

    /// What the header supports.
    #[must_use]
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// How the picture was made.
    #[must_use]
    pub fn acquisition(&self) -> &Acquisition {
        &self.acquisition
    }

    /// What was done to the file.
    #[must_use]
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }
}

/// Says which and how large; pixels are a patient's too.
impl std::fmt::Debug for Radiograph {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut form = formatter.debug_struct("Radiograph");
        form.field("id", &self.identity.id)
            .field("rows", &self.rows)
            .field("columns", &self.columns);
        form.finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::normalise;

    #[test]
    fn one_identifier_has_one_form() {
        assert_eq!(normalise(" AB  12\0"), "ab 12");
        assert_eq!(normalise("ab 12"), "ab 12");
        assert_eq!(normalise("É7 "), "é7");
        assert_eq!(normalise("  \0 "), "");
    }
}
