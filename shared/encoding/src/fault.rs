//! What is wrong with bytes that do not decode.

use snowball_protocol::ProblemCode;

/// Why bytes are no update of the study. No honest site writes such bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecodeFault {
    /// Bytes are left where the network has no more parameters.
    #[error("it has more numbers than the network has parameters")]
    TooLong,
    /// The bytes end before the numbers do.
    #[error("it has fewer numbers than the plan asks for")]
    TooShort,
    /// A place beyond the last parameter.
    #[error("it names a place that the network does not have")]
    PlaceOutOfRange,
    /// A distance between two places that is not written in the one way in which it may be.
    #[error("it holds a distance between two places that is malformed")]
    DistanceMalformed,
    /// A scale that is not a number or infinite.
    #[error("it holds a scale that is not finite")]
    ScaleNotFinite,
    /// A scale below zero.
    #[error("it holds a scale below zero")]
    ScaleNegative,
    /// -128, which has no counterpart above zero.
    #[error("it holds the byte -128, which no number is written as")]
    ByteOutOfRange,
}

impl DecodeFault {
    /// With which code such an update is refused.
    #[must_use]
    pub const fn code(self) -> ProblemCode {
        match self {
            Self::TooLong | Self::TooShort | Self::PlaceOutOfRange => ProblemCode::LayoutMismatch,
            Self::ScaleNotFinite => ProblemCode::NotFinite,
            Self::DistanceMalformed | Self::ScaleNegative | Self::ByteOutOfRange => ProblemCode::Malformed,
        }
    }
}
