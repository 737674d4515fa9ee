//! What a person may decide about a file that was set aside, and the picture they look at.

use snowball_protocol::intake::IntakeReason;
use snowball_text::{Reading, Searcher, markers::Markers};

/// One reason to exclude a file, set aside by a person who looked at it. Few reasons can be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Waiver(IntakeReason);

impl Waiver {
    /// A waiver of `reason`.
    ///
    /// # Errors
    /// Why no person can waive it, with what to do instead.
    pub fn of(reason: IntakeReason) -> Result<Self, &'static str> {
        match reason {
            IntakeReason::BurnedInText | IntakeReason::TextRemains => Ok(Self(reason)),
            _ => Err(remedy(reason)),
        }
    }

    /// Whether this waives `reason`.
    #[must_use]
    pub fn covers(self, reason: IntakeReason) -> bool {
        self.0 == reason
    }
}

/// What a hospital does about a file that waits for `reason`, in one sentence for people.
#[must_use]
pub const fn remedy(reason: IntakeReason) -> &'static str {
    match reason {
        IntakeReason::BurnedInText => {
            "look at its picture; release it if nobody is named there, else discard it or mask the text in the archive"
        }
        IntakeReason::TextRemains => {
            "a second look saw text in the pixels that were to be kept, so they were taken back; look at its picture; release it if nobody \
             is named there, else discard it or mask the text in the archive"
        }
        IntakeReason::DecodeError => {
            "its pixels do not decode: they are damaged, or of a form that this version leaves alone, such as JPEG-LS with restart markers; \
             have the archive send it again uncompressed, as Explicit VR Little Endian (1.2.840.10008.1.2.1)"
        }
        IntakeReason::TransferSyntax => {
            "its transfer syntax is not one that this version decodes; have the archive send it again as Explicit VR Little Endian \
             (1.2.840.10008.1.2.1)"
        }
        IntakeReason::MissingIdentity => {
            "without patient, study or instance it could never be withdrawn; complete the header in the archive"
        }
        IntakeReason::UidConflict => {
            "another content is stored under its identity, and both cannot be right; correct it in the archive"
        }
        IntakeReason::Unreadable => "it was never read; see that the node may read the file and ingest it again",
        IntakeReason::IdentifierRemains => {
            "what was written of it still held something that must not be there, so it was taken back; tell whoever maintains this program, \
             and discard it"
        }
        _ => "it is not a radiograph that this node can use",
    }
}

/// A picture for a person's eyes, stretched to eight bits. It may show who the patient is.
pub struct Picture {
    /// Rows.
    pub rows: u32,
    /// Pixels in a row.
    pub columns: u32,
    /// Row by row, the smallest value black, the largest white.
    pub grey: Vec<u8>,
}

/// The search for text of the intake, for pictures that are stored.
pub struct TextSearch(Searcher);

/// A place in a picture where something is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Columns to its left.
    pub x: u32,
    /// Rows above.
    pub y: u32,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl TextSearch {
    /// Where a picture shows text that may not stay, as it is seen in eight bits: to show a person where to look, not to decide anything.
    #[must_use]
    pub fn places(&self, picture: &Picture) -> Vec<Place> {
        let pixels: Vec<u16> = picture.grey.iter().map(|value| u16::from(*value) * 257).collect();
        let found = self.0.find(&pixels, picture.rows as usize, picture.columns as usize);
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let places = found
            .iter()
            .filter(|found| found.reading == Reading::Unread)
            .map(|found| Place {
                x: number(found.area.x),
                y: number(found.area.y),
                width: number(found.area.width),
                height: number(found.area.height),
            });
        places.collect()
    }

    /// The search with the standard list of markers that may stay.
    #[must_use]
    pub fn standard() -> Self {
        Self(Searcher::new(Markers::standard()))
    }

    /// Whether a picture of `rows` by `columns` values, 0 black, shows text that may not stay.
    #[must_use]
    pub fn finds(&self, rows: u32, columns: u32, pixels: &[u16]) -> bool {
        let mut pixels = pixels.to_vec();
        let cleaned = self.0.clean(&mut pixels, rows as usize, columns as usize);
        cleaned.map_or(true, |cleaned| !cleaned.removed.is_empty())
    }
}

impl Picture {
    pub(crate) fn of(rows: u32, columns: u32, pixels: &[u16]) -> Self {
        let least = pixels.iter().min().copied().unwrap_or(0);
        let range = u32::from(pixels.iter().max().copied().unwrap_or(0) - least).max(1);
        let stretch = |value: &u16| (u32::from(value - least) * 255 / range) as u8;
        Self {
            rows,
            columns,
            grey: pixels.iter().map(stretch).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_look_can_settle_is_waived() {
        for reason in [IntakeReason::BurnedInText, IntakeReason::TextRemains] {
            let waiver = Waiver::of(reason).unwrap();
            assert!(waiver.covers(reason) && !waiver.covers(IntakeReason::Document));
            assert!(remedy(reason).contains("release"), "{reason:?}");
        }
        for reason in [
            IntakeReason::DecodeError,
            IntakeReason::TransferSyntax,
            IntakeReason::MissingIdentity,
            IntakeReason::UidConflict,
            IntakeReason::Unreadable,
            IntakeReason::IdentifierRemains,
            IntakeReason::NotDicom,
            IntakeReason::SopClass,
        ] {
            assert!(!Waiver::of(reason).unwrap_err().is_empty(), "{reason:?}");
        }
    }

    #[test]
    fn what_does_not_decode_says_what_to_ask_of_the_archive() {
        for reason in [IntakeReason::DecodeError, IntakeReason::TransferSyntax] {
            assert!(remedy(reason).contains("1.2.840.10008.1.2.1)"), "{reason:?}");
        }
    }

    #[test]
    fn a_picture_uses_all_eight_bits() {
        assert_eq!(Picture::of(1, 3, &[100, 300, 200]).grey, [0, 255, 127]);
        assert_eq!(Picture::of(1, 2, &[7, 7]).grey, [0, 0]);
    }
}
