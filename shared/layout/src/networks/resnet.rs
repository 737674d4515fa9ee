//! ResNet-18, 34 and 50 (He et al. 2016). The light one has a 3x3/2 stem and no max-pooling, for small pictures; the full ones have the
//! paper's 7x7/2 stem with max-pooling and so take weights that were trained on ImageNet. ResNet-50 strides in the 3x3 convolution, as
//! torchvision's does.

use super::{STAGES, Trunk};
use crate::{
    builder::{Builder, Kernel, PICTURE},
    graph::{Operation, Signal},
};

/// What a block of a stage is made of.
#[derive(Clone, Copy)]
enum Block {
    /// Two convolutions 3x3.
    Plain,
    /// 1x1, 3x3, and 1x1 to four times the channels.
    Bottleneck,
}

pub(super) fn light_18(builder: &mut Builder, width: usize) -> Trunk {
    let stem = builder.unit(PICTURE, "trunk.stem", Kernel::square(width, 3).stride(2));
    stages(builder, stem, width, [2, 2, 2, 2], Block::Plain)
}

pub(super) fn full_18(builder: &mut Builder, width: usize) -> Trunk {
    full(builder, width, [2, 2, 2, 2], Block::Plain)
}

pub(super) fn full_34(builder: &mut Builder, width: usize) -> Trunk {
    full(builder, width, [3, 4, 6, 3], Block::Plain)
}

pub(super) fn full_50(builder: &mut Builder, width: usize) -> Trunk {
    full(builder, width, [3, 4, 6, 3], Block::Bottleneck)
}

fn full(builder: &mut Builder, width: usize, blocks: [usize; STAGES], block: Block) -> Trunk {
    let stem = builder.unit(PICTURE, "trunk.stem", Kernel::square(width, 7).stride(2));
    let pooled = builder.max_pool(stem, 3, 2, 1);
    let mut trunk = stages(builder, pooled, width, blocks, block);
    trunk.stages.insert(0, stem);
    trunk
}

fn stages(builder: &mut Builder, stem: Signal, width: usize, blocks: [usize; STAGES], block: Block) -> Trunk {
    let mut signal = stem;
    let mut stages = Vec::with_capacity(STAGES + 1);
    for (stage, count) in blocks.into_iter().enumerate() {
        for number in 0..count {
            let name = format!("trunk.stage{}.{number}", stage + 1);
            let stride = if stage > 0 && number == 0 { 2 } else { 1 };
            signal = residual(builder, signal, &name, width << stage, stride, block);
        }
        stages.push(signal);
    }
    let features = builder.pooled(Operation::Mean, signal);
    Trunk { features, stages }
}

fn residual(builder: &mut Builder, input: Signal, name: &str, width: usize, stride: usize, block: Block) -> Signal {
    let kernels: &[Kernel] = match block {
        Block::Plain => &[Kernel::square(width, 3).stride(stride), Kernel::square(width, 3)],
        Block::Bottleneck => &[
            Kernel::square(width, 1),
            Kernel::square(width, 3).stride(stride),
            Kernel::square(width * 4, 1),
        ],
    };
    let mut signal = input;
    for (position, kernel) in kernels.iter().enumerate() {
        if position > 0 {
            signal = builder.relu(signal);
        }
        signal = builder.convolution(signal, &format!("{name}.conv{}", position + 1), *kernel);
        signal = builder.norm(signal, &format!("{name}.norm{}", position + 1));
    }
    let outputs = builder.width(signal);
    let past = if stride == 1 && builder.width(input) == outputs {
        input
    } else {
        let kernel = Kernel::square(outputs, 1).stride(stride);
        let past = builder.convolution(input, &format!("{name}.shortcut.conv"), kernel);
        builder.norm(past, &format!("{name}.shortcut.norm"))
    };
    let sum = builder.add(signal, past);
    builder.relu(sum)
}
