//! Xception (Chollet 2017): convolutions taken apart into one a channel and one a pixel, with shortcuts. Paddings are the same on both
//! sides, as PyTorch's ports have them.

use super::scaled;
use crate::{
    builder::{Builder, Kernel, PICTURE},
    graph::{Operation, Signal},
};

/// Blocks of the middle, all of one width.
const MIDDLE: usize = 8;

pub(super) fn trunk(builder: &mut Builder, width: usize) -> Signal {
    let of = |channels: usize| scaled(channels, width);
    let mut signal = builder.unit(PICTURE, "trunk.stem1", Kernel::square(of(32), 3).stride(2).padding(0));
    signal = builder.unit(signal, "trunk.stem2", Kernel::square(of(64), 3).padding(0));
    for (number, channels) in [of(128), of(256), of(728)].into_iter().enumerate() {
        let name = format!("trunk.entry{}", number + 1);
        // Behind the stem's ReLU the first block needs none of its own.
        signal = halving(builder, signal, &name, [channels, channels], number > 0);
    }
    for number in 0..MIDDLE {
        let mut within = signal;
        for position in 1..=3 {
            within = builder.relu(within);
            within = separable(
                builder,
                within,
                &format!("trunk.middle{}.{position}", number + 1),
                of(728),
            );
        }
        signal = builder.add(within, signal);
    }
    signal = halving(builder, signal, "trunk.exit", [of(728), of(1024)], true);
    for (number, channels) in [of(1536), of(2048)].into_iter().enumerate() {
        signal = separable(builder, signal, &format!("trunk.last{}", number + 1), channels);
        signal = builder.relu(signal);
    }
    builder.pooled(Operation::Mean, signal)
}

/// Two separable convolutions and max-pooling, beside a shortcut.
fn halving(builder: &mut Builder, input: Signal, name: &str, channels: [usize; 2], begins_with_relu: bool) -> Signal {
    let mut signal = input;
    for (position, outputs) in channels.into_iter().enumerate() {
        if position > 0 || begins_with_relu {
            signal = builder.relu(signal);
        }
        signal = separable(builder, signal, &format!("{name}.{}", position + 1), outputs);
    }
    signal = builder.max_pool(signal, 3, 2, 1);
    let shortcut = Kernel::square(channels[1], 1).stride(2);
    let past = builder.convolution(input, &format!("{name}.shortcut.conv"), shortcut);
    let past = builder.norm(past, &format!("{name}.shortcut.norm"));
    builder.add(signal, past)
}

/// 3x3 within each channel, 1x1 across them, and a norm.
fn separable(builder: &mut Builder, input: Signal, name: &str, outputs: usize) -> Signal {
    let channels = builder.width(input);
    let within = Kernel::square(channels, 3).groups(channels);
    let signal = builder.convolution(input, &format!("{name}.within"), within);
    let signal = builder.convolution(signal, &format!("{name}.across"), Kernel::square(outputs, 1));
    builder.norm(signal, &format!("{name}.norm"))
}
