//! One network a file: its steps, and with them its tensors in PyTorch's order of registration.
//!
//! All take one channel and normalise by groups where their papers normalise by batches or not at all, and none draws random numbers:
//! the dropout of VGG, AlexNet and Inception is left out. At width 64 each has its paper's channels.

mod alexnet;
mod densenet;
mod inception;
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

/// Adds the trunk and gives the features that the heads see.
pub(crate) fn trunk(builder: &mut Builder, network: &Network) -> Signal {
    let width = network.width as usize;
    match network.architecture {
        Architecture::Small => small::trunk(builder, width),
        Architecture::ResNet18 => resnet::light_18(builder, width),
        Architecture::ResNet18Full => resnet::full_18(builder, width),
        Architecture::ResNet34 => resnet::full_34(builder, width),
        Architecture::ResNet50 => resnet::full_50(builder, width),
        Architecture::DenseNet121 => densenet::trunk(builder, width),
        Architecture::Vgg16 => vgg::trunk(builder, width),
        Architecture::InceptionV3 => inception::trunk(builder, width),
        Architecture::Xception => xception::trunk(builder, width),
        Architecture::AlexNet => alexnet::trunk(builder, width),
    }
}

/// What `channels` of the paper are at this width: whole groups of the norm, and the paper's own number at [`PAPERS_WIDTH`].
const fn scaled(channels: usize, width: usize) -> usize {
    (channels * width)
        .div_ceil(PAPERS_WIDTH)
        .next_multiple_of(CHANNELS_PER_GROUP)
}
