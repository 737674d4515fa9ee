//! The transfer syntaxes that this crate decodes (PS3.6 annex A).

use serde::{Deserialize, Serialize};

/// How a radiograph was encoded when it was delivered.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferSyntax {
    /// Implicit VR little endian.
    ImplicitLittle,
    /// Explicit VR little endian.
    ExplicitLittle,
    /// Explicit VR big endian (retired, met).
    ExplicitBig,
    /// Deflated explicit VR little endian.
    Deflated,
    /// Deflated image frames in an explicit VR little endian data set.
    DeflatedFrame,
    /// RLE lossless (PS3.5 annex G).
    Rle,
    /// JPEG baseline, process 1.
    JpegBaseline,
    /// JPEG extended, processes 2 and 4, of 8 or 12 bits.
    JpegExtended,
    /// JPEG spectral selection, processes 6 and 8 (retired, met).
    JpegSpectralSelection,
    /// JPEG full progression, processes 10 and 12 (retired, met).
    JpegProgressive,
    /// JPEG lossless, process 14, any predictor.
    JpegLossless,
    /// JPEG lossless, process 14, first-order prediction.
    JpegLosslessFirstOrder,
    /// JPEG 2000, reversible only.
    Jpeg2000Lossless,
    /// JPEG 2000.
    Jpeg2000,
    /// JPEG-LS lossless.
    JpegLsLossless,
    /// JPEG-LS near-lossless.
    JpegLsNearLossless,
    /// High-throughput JPEG 2000, reversible only.
    HighThroughputLossless,
    /// High-throughput JPEG 2000, reversible only, ordered by resolution.
    HighThroughputLosslessByResolution,
    /// High-throughput JPEG 2000.
    HighThroughput,
    /// JPEG XL, reversible only.
    JpegXlLossless,
    /// JPEG XL that holds the coefficients of a JPEG stream.
    JpegXlRecompressed,
    /// JPEG XL.
    JpegXl,
}

impl TransferSyntax {
    /// The syntax that `uid` names, if this crate decodes it.
    #[must_use]
    pub fn from_uid(uid: &str) -> Option<Self> {
        Some(match uid {
            "1.2.840.10008.1.2" => Self::ImplicitLittle,
            "1.2.840.10008.1.2.1" => Self::ExplicitLittle,
            "1.2.840.10008.1.2.2" => Self::ExplicitBig,
            "1.2.840.10008.1.2.1.99" => Self::Deflated,
            "1.2.840.10008.1.2.5" => Self::Rle,
            "1.2.840.10008.1.2.4.50" => Self::JpegBaseline,
            "1.2.840.10008.1.2.4.51" => Self::JpegExtended,
            "1.2.840.10008.1.2.4.57" => Self::JpegLossless,
            "1.2.840.10008.1.2.4.70" => Self::JpegLosslessFirstOrder,
            "1.2.840.10008.1.2.4.90" => Self::Jpeg2000Lossless,
            "1.2.840.10008.1.2.4.91" => Self::Jpeg2000,
            "1.2.840.10008.1.2.8.1" => Self::DeflatedFrame,
            "1.2.840.10008.1.2.4.53" => Self::JpegSpectralSelection,
            "1.2.840.10008.1.2.4.55" => Self::JpegProgressive,
            "1.2.840.10008.1.2.4.80" => Self::JpegLsLossless,
            "1.2.840.10008.1.2.4.81" => Self::JpegLsNearLossless,
            "1.2.840.10008.1.2.4.201" => Self::HighThroughputLossless,
            "1.2.840.10008.1.2.4.202" => Self::HighThroughputLosslessByResolution,
            "1.2.840.10008.1.2.4.203" => Self::HighThroughput,
            "1.2.840.10008.1.2.4.110" => Self::JpegXlLossless,
            "1.2.840.10008.1.2.4.111" => Self::JpegXlRecompressed,
            "1.2.840.10008.1.2.4.112" => Self::JpegXl,
            _ => return None,
        })
    }

    /// The registered identifier.
    #[must_use]
    pub const fn uid(self) -> &'static str {
        match self {
            Self::ImplicitLittle => "1.2.840.10008.1.2",
            Self::ExplicitLittle => "1.2.840.10008.1.2.1",
            Self::ExplicitBig => "1.2.840.10008.1.2.2",
            Self::Deflated => "1.2.840.10008.1.2.1.99",
            Self::Rle => "1.2.840.10008.1.2.5",
            Self::JpegBaseline => "1.2.840.10008.1.2.4.50",
            Self::JpegExtended => "1.2.840.10008.1.2.4.51",
            Self::JpegLossless => "1.2.840.10008.1.2.4.57",
            Self::JpegLosslessFirstOrder => "1.2.840.10008.1.2.4.70",
            Self::Jpeg2000Lossless => "1.2.840.10008.1.2.4.90",
            Self::Jpeg2000 => "1.2.840.10008.1.2.4.91",
            Self::DeflatedFrame => "1.2.840.10008.1.2.8.1",
            Self::JpegSpectralSelection => "1.2.840.10008.1.2.4.53",
            Self::JpegProgressive => "1.2.840.10008.1.2.4.55",
            Self::JpegLsLossless => "1.2.840.10008.1.2.4.80",
            Self::JpegLsNearLossless => "1.2.840.10008.1.2.4.81",
            Self::HighThroughputLossless => "1.2.840.10008.1.2.4.201",
            Self::HighThroughputLosslessByResolution => "1.2.840.10008.1.2.4.202",
            Self::HighThroughput => "1.2.840.10008.1.2.4.203",
            Self::JpegXlLossless => "1.2.840.10008.1.2.4.110",
            Self::JpegXlRecompressed => "1.2.840.10008.1.2.4.111",
            Self::JpegXl => "1.2.840.10008.1.2.4.112",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TransferSyntax;

    #[test]
    fn uid_and_syntax_are_inverse() {
        for uid in [
            "", ".1", ".2", ".1.99", ".8.1", ".5", ".4.50", ".4.51", ".4.53", ".4.55", ".4.57", ".4.70", ".4.80",
            ".4.81", ".4.90", ".4.91", ".4.110", ".4.111", ".4.112", ".4.201", ".4.202", ".4.203",
        ] {
            let uid = format!("1.2.840.10008.1.2{uid}");
            assert_eq!(TransferSyntax::from_uid(&uid).unwrap().uid(), uid);
        }
        assert_eq!(TransferSyntax::from_uid("1.2.840.10008.1.2.4.100"), None);
    }
}
