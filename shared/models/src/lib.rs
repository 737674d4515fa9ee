//! The networks on a device: burn tensors made from the flat vector that the layout describes, and the steps of a network's graph done
//! with them.
//!
//! What came over the network is checked against the layout before a tensor is made: wrong parameters are an error, never a
//! panic. Nothing here draws random numbers; parameters always come from outside. Only this crate and the trainer know burn.
//!
//! On this machine's processor the steps that take most of the time are done by operations of our own (`host`); elsewhere all are burn's
//! (`steps`), where asked with their products in [`Halves`].
//!
//! Start at [`Network`]; what a network is made of stands in `snowball-layout`.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod halves;
mod host;
mod network;
mod steps;
mod weights;

pub use halves::Halves;
pub use network::Network;

/// Why a network could not be made, run or read.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// More or fewer parameters than the plan's network has.
    #[error("{found} parameters came where the network has {expected}")]
    Count {
        /// What the layout says.
        expected: usize,
        /// What came.
        found: usize,
    },
    /// A step has an input that it cannot use: a fault of this program.
    #[error("step {step} of the network cannot be done with what it is given")]
    Step {
        /// Its position.
        step: usize,
    },
    /// Pictures of another shape than `[N, 1, side, side]` with at least one picture, or smaller ones than the network takes.
    #[error("pictures of shape {found:?} came where [n, 1, side, side] is due, of a side that the network takes")]
    Pictures {
        /// What came.
        found: [usize; 4],
    },
    /// A drawing was asked of a network that has no decoder.
    #[error("the plan asks for no reconstruction and no mask, so its network draws nothing")]
    NoDecoder,
    /// A projection was asked of a network that has none.
    #[error("the plan compares no views, so its network has no projection")]
    NoProjection,
    /// The device did not give its values back.
    #[error("the device did not give its values back: {0}")]
    Device(String),
}

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
