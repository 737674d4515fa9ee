//! The small net for CPUs: four times convolution 3x3/2, group norm, ReLU; then mean and maximum over the picture. About 98,000
//! parameters at width 16.

use super::{STAGES, Trunk};
use crate::{
    builder::{Builder, Kernel, PICTURE},
    graph::Operation,
};

pub(super) fn trunk(builder: &mut Builder, width: usize) -> Trunk {
    let mut signal = PICTURE;
    let mut stages = Vec::with_capacity(STAGES);
    for stage in 0..STAGES {
        let (name, kernel) = (
            format!("trunk.stage{}", stage + 1),
            Kernel::square(width << stage, 3).stride(2),
        );
        signal = builder.unit(signal, &name, kernel);
        stages.push(signal);
    }
    let mean = builder.pooled(Operation::Mean, signal);
    let maximum = builder.pooled(Operation::Maximum, signal);
    let features = builder.concat(vec![mean, maximum]);
    Trunk { features, stages }
}
