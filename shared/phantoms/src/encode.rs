//! Ways to lay pixels into a file, with encoders for run lengths and lossless JPEG of our own.

pub mod jpeg_lossless;
pub mod run_length;

/// A transfer syntax that phantoms are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// Implicit VR, little endian.
    ImplicitLittle,
    /// Explicit VR, little endian.
    ExplicitLittle,
    /// Explicit VR, little endian, the data set deflated.
    Deflated,
    /// RLE lossless.
    RunLength,
    /// JPEG lossless, first-order prediction (process 14, selection value 1).
    JpegLossless,
    /// JPEG baseline, 8 bits, lossy.
    JpegBaseline,
}

impl Syntax {
    /// Transfer syntax UID (PS3.5).
    pub const fn uid(self) -> &'static str {
        match self {
            Self::ImplicitLittle => "1.2.840.10008.1.2",
            Self::ExplicitLittle => "1.2.840.10008.1.2.1",
            Self::Deflated => "1.2.840.10008.1.2.1.99",
            Self::RunLength => "1.2.840.10008.1.2.5",
            Self::JpegLossless => "1.2.840.10008.1.2.4.70",
            Self::JpegBaseline => "1.2.840.10008.1.2.4.50",
        }
    }
}
