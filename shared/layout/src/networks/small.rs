//! The small net for CPUs: four times convolution 3x3/2, group norm, ReLU; then mean and maximum over the picture. About 98,000
//! parameters at width 16.

use super::STAGES;
use crate::{
    builder::{Builder, Kernel, PICTURE},
    graph::{Operation, Signal},
};

pub(super) fn trunk(builder: &mut Builder, width: usize) -> Signal {
    let mut signal = PICTURE;
    for stage in 0..STAGES {
        let (name, kernel) = (
            format!("trunk.stage{}", stage + 1),
            Kernel::square(width << stage, 3).stride(2),
        );
        signal = builder.unit(signal, &name, kernel);
    }
    let mean = builder.pooled(Operation::Mean, signal);
    let maximum = builder.pooled(Operation::Maximum, signal);
    builder.concat(vec![mean, maximum])
}
