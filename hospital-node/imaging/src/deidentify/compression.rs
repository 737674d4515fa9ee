//! What a picture lost by compression before it came here: by which methods, and how many times smaller it was made.
//!
//! It does not end with the coding (PS3.3 C.7.6.1.1.5): whatever is made of the picture has to say it too. A file tells it, or its own
//! stream does; what neither tells is not known and is not guessed.

use dicom_dictionary_std::tags;
use serde::{Deserialize, Serialize};

use crate::read::{DicomFile, PixelData, syntax::TransferSyntax};

/// Most compressions that one picture is believed to have gone through.
const STEPS_MAX: usize = 8;
/// No picture is believed to have been made smaller than this, in hundredths.
const RATIO_HUNDREDTHS_MAX: f64 = 1_000_000.0;

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident = $term:literal),+ $(,)?) => {
        /// A method of compression with loss (PS3.3 C.7.6.1.1.5.1).
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
        pub enum LossyMethod {
            $($(#[$doc])* #[serde(rename = $term)] $name),+
        }

        impl LossyMethod {
            /// The Defined Term of it.
            #[must_use]
            pub const fn term(self) -> &'static str {
                match self { $(Self::$name => $term),+ }
            }

            /// The method that `term` defines, if it is one of these.
            fn from_term(term: &str) -> Option<Self> {
                match term { $($term => Some(Self::$name),)+ _ => None }
            }
        }
    };
}

methods! {
    /// JPEG.
    Jpeg = "ISO_10918_1",
    /// JPEG-LS, near-lossless.
    JpegLs = "ISO_14495_1",
    /// JPEG 2000, irreversible.
    Jpeg2000 = "ISO_15444_1",
    /// JPEG 2000, over several components.
    Jpeg2000Components = "ISO_15444_2",
    /// High-throughput JPEG 2000, irreversible.
    HighThroughput = "ISO_15444_15",
    /// JPEG XL.
    JpegXl = "ISO_18181_1",
    /// MPEG-2.
    Mpeg2 = "ISO_13818_2",
    /// MPEG-4 AVC, which is H.264.
    Avc = "ISO_14496_10",
    /// HEVC, which is H.265.
    Hevc = "ISO_23008_2",
}

impl LossyMethod {
    /// The method of a stream in `syntax`, were it coded with loss; none where pixels are not compressed so.
    #[must_use]
    pub const fn of(syntax: TransferSyntax) -> Option<Self> {
        use TransferSyntax as From;
        Some(match syntax {
            From::JpegBaseline | From::JpegExtended | From::JpegSpectralSelection | From::JpegProgressive => Self::Jpeg,
            // A stream of JPEG XL that holds a JPEG's coefficients has lost what that one had, and nothing more.
            From::JpegLossless | From::JpegLosslessFirstOrder | From::JpegXlRecompressed => Self::Jpeg,
            From::JpegLsLossless | From::JpegLsNearLossless => Self::JpegLs,
            From::Jpeg2000Lossless | From::Jpeg2000 => Self::Jpeg2000,
            From::HighThroughputLossless | From::HighThroughputLosslessByResolution | From::HighThroughput => {
                Self::HighThroughput
            }
            From::JpegXlLossless | From::JpegXl => Self::JpegXl,
            From::ImplicitLittle
            | From::ExplicitLittle
            | From::ExplicitBig
            | From::Deflated
            | From::DeflatedFrame
            | From::Rle => return None,
        })
    }
}

/// One compression with loss.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct LossyStep {
    /// The method, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<LossyMethod>,
    /// How many times smaller it made the picture, in hundredths, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratio_hundredths: Option<u32>,
}

impl LossyStep {
    /// The ratio as a decimal string of DICOM.
    #[must_use]
    pub fn ratio(&self) -> Option<String> {
        self.ratio_hundredths
            .map(|hundredths| (f64::from(hundredths) / 100.0).to_string())
    }
}

/// Whether the picture ever lost anything, and by which compressions as far as that is known, the first one first.
pub(crate) fn history(
    file: &DicomFile<'_>,
    syntax: TransferSyntax,
    is_stream_lossy: bool,
    native_bytes: usize,
) -> (bool, Vec<LossyStep>) {
    let text = |tag| file.text(tag).unwrap_or_default();
    let stated = stated(
        &text(tags::LOSSY_IMAGE_COMPRESSION_METHOD),
        &text(tags::LOSSY_IMAGE_COMPRESSION_RATIO),
    );
    let is_said = text(tags::LOSSY_IMAGE_COMPRESSION).trim() == "01";
    let own = is_stream_lossy.then(|| LossyStep {
        method: LossyMethod::of(syntax),
        ratio_hundredths: hundredths(native_bytes as f64 / stream_bytes(file).max(1) as f64),
    });
    let is_lossy = is_said || own.is_some() || !stated.is_empty();
    (is_lossy, with_own(stated, own))
}

/// What a file states. Values that cannot be told apart say nothing: as many ratios as methods, or none of one of them.
fn stated(methods: &str, ratios: &str) -> Vec<LossyStep> {
    let values = |text: &str| match text.trim() {
        "" => Vec::new(),
        text => text.split('\\').map(|value| value.trim().to_owned()).collect(),
    };
    let (methods, ratios) = (values(methods), values(ratios));
    let fits = methods.len() == ratios.len() || methods.is_empty() || ratios.is_empty();
    let count = if fits {
        methods.len().max(ratios.len())
    } else {
        methods.len()
    };
    if count > STEPS_MAX {
        return Vec::new();
    }
    let step = |place: usize| LossyStep {
        method: methods
            .get(place)
            .and_then(|term| LossyMethod::from_term(&term.to_ascii_uppercase())),
        ratio_hundredths: ratios
            .get(place)
            .filter(|_| fits)
            .and_then(|ratio| hundredths(ratio.parse().ok()?)),
    };
    (0..count).map(step).collect()
}

/// The compression that the stream itself shows is the last one stated, if that is of its method or of none; else it came after.
fn with_own(mut steps: Vec<LossyStep>, own: Option<LossyStep>) -> Vec<LossyStep> {
    let Some(own) = own else { return steps };
    match steps.last_mut() {
        Some(last) if last.method.is_none() || last.method == own.method => {
            last.method = own.method;
            last.ratio_hundredths = last.ratio_hundredths.or(own.ratio_hundredths);
        }
        _ => steps.push(own),
    }
    steps
}

fn stream_bytes(file: &DicomFile<'_>) -> usize {
    match &file.dataset.pixels {
        Some(PixelData::Encapsulated(fragments)) => fragments.iter().map(ExactSizeIterator::len).sum(),
        _ => 0,
    }
}

fn hundredths(ratio: f64) -> Option<u32> {
    let hundredths = (ratio * 100.0).round();
    (1.0..=RATIO_HUNDREDTHS_MAX)
        .contains(&hundredths)
        .then_some(hundredths as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn step(method: Option<LossyMethod>, ratio_hundredths: Option<u32>) -> LossyStep {
        LossyStep {
            method,
            ratio_hundredths,
        }
    }

    #[test]
    fn methods_and_ratios_belong_together_by_their_places() {
        use LossyMethod::{Jpeg, Jpeg2000};
        for (methods, ratios, steps) in [
            ("", "", vec![]),
            ("ISO_10918_1", "12.5 ", vec![step(Some(Jpeg), Some(1250))]),
            (
                "ISO_10918_1\\iso_15444_1",
                "3\\4.005",
                vec![step(Some(Jpeg), Some(300)), step(Some(Jpeg2000), Some(401))],
            ),
            ("ISO_10918_1", "", vec![step(Some(Jpeg), None)]),
            ("", "7", vec![step(None, Some(700))]),
            // Which of both it belongs to is not said.
            ("ISO_10918_1\\ISO_10918_1", "7", vec![step(Some(Jpeg), None); 2]),
            // Free text in the place of a term, and numbers that are none.
            ("DOE^JANE", "NaN", vec![step(None, None)]),
            ("ISO_10918_1", "-3", vec![step(Some(Jpeg), None)]),
            ("ISO_10918_1\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\", "", vec![]),
        ] {
            assert_eq!(stated(methods, ratios), steps, "{methods} {ratios}");
        }
    }

    #[test]
    fn a_stream_is_the_last_step_or_one_more() {
        use LossyMethod::{Jpeg, Jpeg2000};
        let own = step(Some(Jpeg), Some(950));
        for (stated, all) in [
            (vec![], vec![own]),
            (vec![step(Some(Jpeg), Some(1000))], vec![step(Some(Jpeg), Some(1000))]),
            (vec![step(Some(Jpeg), None)], vec![own]),
            (vec![step(None, Some(1000))], vec![step(Some(Jpeg), Some(1000))]),
            (
                vec![step(Some(Jpeg2000), Some(1000))],
                vec![step(Some(Jpeg2000), Some(1000)), own],
            ),
        ] {
            assert_eq!(with_own(stated.clone(), Some(own)), all);
            assert_eq!(with_own(stated.clone(), None), stated);
        }
    }

    #[test]
    fn ratios_are_written_as_decimal_strings() {
        let written = |hundredths| step(None, hundredths).ratio();
        assert_eq!(written(Some(1250)).as_deref(), Some("12.5"));
        assert_eq!(written(Some(300)).as_deref(), Some("3"));
        assert_eq!(written(None), None);
        assert_eq!(hundredths(f64::INFINITY), None);
        assert_eq!(hundredths(0.001), None);
    }
}
