//! How the numbers of an update become the bytes that travel, and numbers again.
//!
//! A site writes with [`Coding::encode`]; both sides read with a [`Decoder`], which takes bytes cut anywhere, gives the numbers in the
//! layout's order, holds a few bytes whatever the update's size, and refuses what no honest site writes. Pure: no file, no clock, and
//! nothing here may panic, whatever the bytes.
//!
//! Start at [`Coding::of`].
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod decoder;
mod encode;
mod fault;
mod int8;
#[cfg(test)]
mod properties;
mod residual;
mod top_k;
mod words;

use std::ops::RangeInclusive;

pub use decoder::Decoder;
pub use fault::DecodeFault;
pub use residual::{Kept, keep_back};
use snowball_protocol::{StudyPlan, plan::UpdateEncoding, update::Encoding};

/// Numbers that are decoded at a time, so that they stay in the processor's cache.
const BLOCK: usize = 1024;

/// How the updates of one study are written: the plan's encoding and the number of the network's parameters.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Coding {
    encoding: UpdateEncoding,
    parameters: usize,
}

impl Coding {
    /// That of `plan`, whose network has so many parameters.
    #[must_use]
    pub const fn of(plan: &StudyPlan, parameters: usize) -> Self {
        Self::new(plan.transfer.encoding, parameters)
    }

    /// That of any plan with this encoding.
    #[must_use]
    pub const fn new(encoding: UpdateEncoding, parameters: usize) -> Self {
        Self { encoding, parameters }
    }

    /// What an update's header must say.
    #[must_use]
    pub const fn of_header(&self) -> Encoding {
        self.encoding.of_header()
    }

    /// Whether what was not sent stays at the site and goes with its next update.
    #[must_use]
    pub const fn feeds_back(&self) -> bool {
        self.encoding.feeds_back()
    }

    /// Ending of a file that holds such an update.
    #[must_use]
    pub const fn ending(&self) -> &'static str {
        match self.encoding {
            UpdateEncoding::F32 => "f32",
            UpdateEncoding::Bf16 => "bf16",
            UpdateEncoding::Int8 => "int8",
            UpdateEncoding::TopK { .. } => "topk",
        }
    }

    /// How many bytes an update may have: one number for all of them, but for the largest numbers alone, whose places take more bytes
    /// the wider they lie apart.
    #[must_use]
    pub const fn bytes(&self) -> RangeInclusive<u64> {
        let parameters = self.parameters as u64;
        match self.encoding {
            UpdateEncoding::F32 => parameters * 4..=parameters * 4,
            UpdateEncoding::Bf16 => parameters * 2..=parameters * 2,
            UpdateEncoding::Int8 => {
                let bytes = int8::bytes(parameters);
                bytes..=bytes
            }
            UpdateEncoding::TopK { share } => top_k::bytes(top_k::kept(share, self.parameters) as u64, parameters),
        }
    }

    /// A decoder at the beginning of an update.
    #[must_use]
    pub fn decoder(&self) -> Decoder {
        Decoder::new(self.encoding, self.parameters)
    }
}
