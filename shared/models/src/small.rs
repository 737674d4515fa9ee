//! The small net: four times convolution 3x3/2, group norm, ReLU; then mean and maximum over the picture. About 98,000
//! parameters at width 16.

use burn::{
    module::Module,
    nn::{GroupNorm, conv::Conv2d},
    tensor::{Tensor, activation::relu},
};

use crate::{ModelError, source::Source};

#[derive(Module, Debug)]
pub(crate) struct Small {
    stage1: Stage,
    stage2: Stage,
    stage3: Stage,
    stage4: Stage,
}

#[derive(Module, Debug)]
struct Stage {
    conv: Conv2d,
    norm: GroupNorm,
}

impl Small {
    pub(crate) fn load(source: &mut Source<'_>) -> Result<Self, ModelError> {
        Ok(Self {
            stage1: Stage::load(source, "trunk.stage1")?,
            stage2: Stage::load(source, "trunk.stage2")?,
            stage3: Stage::load(source, "trunk.stage3")?,
            stage4: Stage::load(source, "trunk.stage4")?,
        })
    }

    /// `[N, 1, H, W]` to `[N, 16 * width]`.
    pub(crate) fn forward(&self, pictures: Tensor<4>) -> Tensor<2> {
        let mut signal = pictures;
        for stage in [&self.stage1, &self.stage2, &self.stage3, &self.stage4] {
            signal = relu(stage.norm.forward(stage.conv.forward(signal)));
        }
        let places: Tensor<3> = signal.flatten(2, 3);
        let mean: Tensor<2> = places.clone().mean_dim(2).squeeze_dim(2);
        let maximum: Tensor<2> = places.max_dim(2).squeeze_dim(2);
        Tensor::cat(vec![mean, maximum], 1)
    }
}

impl Stage {
    fn load(source: &mut Source<'_>, name: &str) -> Result<Self, ModelError> {
        Ok(Self {
            conv: source.convolution(&format!("{name}.conv"), 2)?,
            norm: source.norm(&format!("{name}.norm"))?,
        })
    }
}
