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
    /// RLE lossless (PS3.5 annex G).
    Rle,
    /// JPEG baseline, process 1.
    JpegBaseline,
    /// JPEG extended, processes 2 and 4; only 8-bit streams decode.
    JpegExtended,
    /// JPEG lossless, process 14, any predictor.
    JpegLossless,
    /// JPEG lossless, process 14, first-order prediction.
    JpegLosslessFirstOrder,
    /// JPEG 2000, reversible only.
    Jpeg2000Lossless,
    /// JPEG 2000.
    Jpeg2000,
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TransferSyntax;

    #[test]
    fn uid_and_syntax_are_inverse() {
        for uid in [
            "", ".1", ".2", ".1.99", ".5", ".4.50", ".4.51", ".4.57", ".4.70", ".4.90", ".4.91",
        ] {
            let uid = format!("1.2.840.10008.1.2{uid}");
            assert_eq!(TransferSyntax::from_uid(&uid).unwrap().uid(), uid);
        }
        assert_eq!(TransferSyntax::from_uid("1.2.840.10008.1.2.4.80"), None);
    }
}
