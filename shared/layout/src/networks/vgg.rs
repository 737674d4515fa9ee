//! VGG16 (Simonyan and Zisserman 2015) with a norm after each convolution: 13 convolutions 3x3 and two wide linear layers. Large and
//! slow; here because studies before compare with it.

use crate::{
    builder::{Builder, Kernel, PICTURE},
    graph::Signal,
};

/// Convolutions of each stage; each stage ends in max-pooling.
const CONVOLUTIONS: [usize; 5] = [2, 2, 3, 3, 3];
/// Fields a side of the grid before the linear layers.
const FIELDS: usize = 7;

pub(super) fn trunk(builder: &mut Builder, width: usize) -> Signal {
    let mut signal = PICTURE;
    for (stage, count) in CONVOLUTIONS.into_iter().enumerate() {
        for number in 0..count {
            let name = format!("trunk.stage{}.{number}", stage + 1);
            // The last stage has as many channels as the one before.
            let kernel = Kernel::square(width << stage.min(3), 3).with_bias();
            signal = builder.unit(signal, &name, kernel);
        }
        signal = builder.max_pool(signal, 2, 2, 0);
    }
    let signal = builder.grid(signal, FIELDS);
    let signal = builder.linear(signal, "trunk.linear1", 64 * width);
    let signal = builder.relu(signal);
    let signal = builder.linear(signal, "trunk.linear2", 64 * width);
    builder.relu(signal)
}
