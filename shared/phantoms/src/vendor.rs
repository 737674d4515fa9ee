//! The machines of invented makers, and what each does to a picture and its file.

use crate::encode::Syntax;

/// How a maker turns the logarithm of the dose into grey.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Curve {
    /// Straight.
    Linear,
    /// An S around the middle; the number is its steepness.
    Sigmoid(f32),
    /// A power; below 1 it lifts the dark parts.
    Power(f32),
}

/// One maker's machine.
#[derive(Clone, Copy, Debug)]
pub struct Vendor {
    pub manufacturer: &'static str,
    pub model: &'static str,
    /// Digital (DX) rather than computed (CR) radiography.
    pub is_digital: bool,
    /// Bright means low stored values.
    pub is_monochrome1: bool,
    pub bits_stored: u8,
    pub syntaxes: &'static [Syntax],
    pub curve: Curve,
    /// Stored value outside of the shutters, announced as PixelPaddingValue.
    pub padding: Option<u16>,
    /// RescaleSlope and RescaleIntercept.
    pub rescale: Option<(&'static str, &'static str)>,
    /// Share of scattered radiation.
    pub scatter: f32,
    /// Relative noise.
    pub noise: f32,
    /// Side markers in French: G and D for gauche and droit.
    pub is_french: bool,
    /// Text in the file is UTF-8 rather than Latin-1.
    pub is_utf8: bool,
    /// Share of files without the 128 bytes of preamble.
    pub bare_share: f64,
}

/// All makers, in the order in which hospitals get them.
pub const VENDORS: [Vendor; 6] = [
    Vendor {
        manufacturer: "Boreal Imaging",
        model: "Boreal DR 600",
        is_digital: true,
        is_monochrome1: false,
        bits_stored: 12,
        syntaxes: &[Syntax::ExplicitLittle],
        curve: Curve::Sigmoid(3.6),
        padding: None,
        rescale: Some(("1", "0")),
        scatter: 0.22,
        noise: 1.0,
        is_french: true,
        is_utf8: false,
        bare_share: 0.0,
    },
    Vendor {
        manufacturer: "Lakeshore Radiology Systems",
        model: "LRS Clarion",
        is_digital: true,
        is_monochrome1: false,
        bits_stored: 14,
        syntaxes: &[Syntax::JpegLossless],
        curve: Curve::Linear,
        padding: Some(0),
        rescale: Some(("1", "-1024")),
        scatter: 0.30,
        noise: 0.7,
        is_french: false,
        is_utf8: true,
        bare_share: 0.0,
    },
    Vendor {
        manufacturer: "Tessel Médical",
        model: "Orthovue 3",
        is_digital: false,
        is_monochrome1: true,
        bits_stored: 10,
        syntaxes: &[Syntax::RunLength, Syntax::ExplicitLittle],
        curve: Curve::Power(0.75),
        padding: None,
        rescale: None,
        scatter: 0.34,
        noise: 1.7,
        is_french: true,
        is_utf8: true,
        bare_share: 0.0,
    },
    Vendor {
        manufacturer: "Pinecrest CR",
        model: "Plate Reader 85",
        is_digital: false,
        is_monochrome1: false,
        bits_stored: 8,
        syntaxes: &[Syntax::ImplicitLittle, Syntax::JpegBaseline, Syntax::Deflated],
        curve: Curve::Power(1.25),
        padding: None,
        rescale: None,
        scatter: 0.28,
        noise: 1.4,
        is_french: false,
        is_utf8: false,
        bare_share: 0.12,
    },
    Vendor {
        manufacturer: "Kestrel X-Ray",
        model: "KX Portable",
        is_digital: true,
        is_monochrome1: true,
        bits_stored: 12,
        syntaxes: &[Syntax::JpegLossless, Syntax::RunLength],
        curve: Curve::Sigmoid(4.6),
        padding: Some(4095),
        rescale: Some(("1", "0")),
        scatter: 0.38,
        noise: 1.5,
        is_french: false,
        is_utf8: true,
        bare_share: 0.0,
    },
    Vendor {
        manufacturer: "Aurore Numérique",
        model: "Aurore 16",
        is_digital: true,
        is_monochrome1: false,
        bits_stored: 16,
        syntaxes: &[Syntax::ExplicitLittle, Syntax::Deflated, Syntax::ImplicitLittle],
        curve: Curve::Sigmoid(3.0),
        padding: None,
        rescale: Some(("0.25", "0")),
        scatter: 0.25,
        noise: 0.9,
        is_french: true,
        is_utf8: false,
        bare_share: 0.06,
    },
];
