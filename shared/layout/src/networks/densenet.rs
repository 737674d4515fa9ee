//! DenseNet-121 (Huang et al. 2017): every layer sees all before it. Growth is half the width.

use crate::{
    builder::{Builder, Kernel, PICTURE},
    graph::{Operation, Signal},
};

/// Layers of each block.
const LAYERS: [usize; 4] = [6, 12, 24, 16];
/// How many times the growth a layer's 1x1 convolution leaves.
const BOTTLENECK: usize = 4;

pub(super) fn trunk(builder: &mut Builder, width: usize) -> Signal {
    let growth = width / 2;
    let stem = builder.unit(PICTURE, "trunk.stem", Kernel::square(width, 7).stride(2));
    let mut signal = builder.max_pool(stem, 3, 2, 1);
    for (block, layers) in LAYERS.into_iter().enumerate() {
        if block > 0 {
            signal = transition(builder, signal, &format!("trunk.transition{block}"));
        }
        for layer in 0..layers {
            let name = format!("trunk.block{}.{layer}", block + 1);
            let grown = dense(builder, signal, &name, growth);
            signal = builder.concat(vec![signal, grown]);
        }
    }
    let signal = builder.norm(signal, "trunk.norm");
    let signal = builder.relu(signal);
    builder.pooled(Operation::Mean, signal)
}

fn dense(builder: &mut Builder, input: Signal, name: &str, growth: usize) -> Signal {
    let signal = builder.norm(input, &format!("{name}.norm1"));
    let signal = builder.relu(signal);
    let narrow = Kernel::square(BOTTLENECK * growth, 1);
    let signal = builder.convolution(signal, &format!("{name}.conv1"), narrow);
    let signal = builder.norm(signal, &format!("{name}.norm2"));
    let signal = builder.relu(signal);
    builder.convolution(signal, &format!("{name}.conv2"), Kernel::square(growth, 3))
}

/// Half the channels, half the size.
fn transition(builder: &mut Builder, input: Signal, name: &str) -> Signal {
    let half = builder.width(input) / 2;
    let signal = builder.norm(input, &format!("{name}.norm"));
    let signal = builder.relu(signal);
    let signal = builder.convolution(signal, &format!("{name}.conv"), Kernel::square(half, 1));
    builder.mean_pool(signal, 2, 2, 0)
}
