//! The networks as burn modules, loaded from and stored to the flat vector that the layout describes.
//!
//! What came over the network is checked against the layout before a tensor is made: wrong parameters are an error, never a
//! panic. No module draws random numbers; parameters always come from outside. Only this crate and the trainer know burn.
//!
//! Start at [`Network`]; one architecture a file.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod flat;
mod network;
mod resnet18;
mod small;
mod source;

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
    /// The module and the layout differ: a fault of this program.
    #[error("the module and the layout differ at tensor {name}")]
    Layout {
        /// The tensor's name, as the module has it.
        name: String,
    },
    /// Pictures of another shape than `[N, 1, H, W]` with at least one picture.
    #[error("pictures of shape {found:?} came where [n, 1, height, width] is due")]
    Pictures {
        /// What came.
        found: [usize; 4],
    },
    /// The device did not give its values back.
    #[error("the device did not give its values back: {0}")]
    Device(String),
}

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
