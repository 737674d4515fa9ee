//! One network a file: its steps, and with them its tensors in PyTorch's order of registration.
//!
//! All take one channel and normalise by groups where their papers normalise by batches or not at all, and none draws random numbers:
//! the dropout of VGG, AlexNet and Inception is left out. At width 64 each has its paper's channels.

mod alexnet;
pub(crate) mod decoder;
mod densenet;
mod inception;
pub(crate) mod projection;
mod resnet;
mod small;
mod vgg;
mod xception;

use snowball_protocol::plan::{Architecture, Network};

use crate::{
    builder::{Builder, CHANNELS_PER_GROUP},
    graph::Signal,
};

/// Stages of the residual trunks and of the small one; each doubles the channels of the one before.
pub const STAGES: usize = 4;

/// The width at which a network has its paper's channels.
const PAPERS_WIDTH: usize = 64;

/// What the rest of a network is built on.
pub(crate) struct Trunk {
    /// What the heads see.
    pub features: Signal,
    /// The last picture of each size, the largest first and each half as large as the one before, rounded up; none where the network
    /// halves otherwise.
    pub stages: Vec<Signal>,
}

impl Trunk {
    const fn without_stages(features: Signal) -> Self {
        let stages = Vec::new();
        Self { features, stages }
    }
}

/// Adds the trunk.
pub(crate) fn trunk(builder: &mut Builder, network: &Network) -> Trunk {
    let width = network.width as usize;
    match network.architecture {
        Architecture::Small => small::trunk(builder, width),
        Architecture::ResNet18 => resnet::light_18(builder, width),
        Architecture::ResNet18Full => resnet::full_18(builder, width),
        Architecture::ResNet34 => resnet::full_34(builder, width),
        Architecture::ResNet50 => resnet::full_50(builder, width),
        Architecture::DenseNet121 => Trunk::without_stages(densenet::trunk(builder, width)),
        Architecture::Vgg16 => Trunk::without_stages(vgg::trunk(builder, width)),
        Architecture::InceptionV3 => Trunk::without_stages(inception::trunk(builder, width)),
        Architecture::Xception => Trunk::without_stages(xception::trunk(builder, width)),
        Architecture::AlexNet => Trunk::without_stages(alexnet::trunk(builder, width)),
    }
}

/// What `channels` of the paper are at this width: whole groups of the norm, and the paper's own number at [`PAPERS_WIDTH`].
const fn scaled(channels: usize, width: usize) -> usize {
    (channels * width)
        .div_ceil(PAPERS_WIDTH)
        .next_multiple_of(CHANNELS_PER_GROUP)
}
