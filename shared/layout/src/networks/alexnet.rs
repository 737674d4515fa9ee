//! AlexNet, in the form with one tower (Krizhevsky 2014), with a norm after each convolution in place of the paper's local response.

use crate::{
    builder::{Builder, Kernel, PICTURE},
    graph::Signal,
};

use super::scaled;

/// Fields a side of the grid before the linear layers.
const FIELDS: usize = 6;

pub(super) fn trunk(builder: &mut Builder, width: usize) -> Signal {
    let of = |channels: usize, side: usize| Kernel::square(scaled(channels, width), side).with_bias();
    let signal = builder.unit(PICTURE, "trunk.stage1", of(64, 11).stride(4).padding(2));
    let signal = builder.max_pool(signal, 3, 2, 0);
    let signal = builder.unit(signal, "trunk.stage2", of(192, 5));
    let signal = builder.max_pool(signal, 3, 2, 0);
    let signal = builder.unit(signal, "trunk.stage3", of(384, 3));
    let signal = builder.unit(signal, "trunk.stage4", of(256, 3));
    let signal = builder.unit(signal, "trunk.stage5", of(256, 3));
    let signal = builder.max_pool(signal, 3, 2, 0);
    let signal = builder.grid(signal, FIELDS);
    let signal = builder.linear(signal, "trunk.linear1", scaled(4096, width));
    let signal = builder.relu(signal);
    let signal = builder.linear(signal, "trunk.linear2", scaled(4096, width));
    builder.relu(signal)
}
