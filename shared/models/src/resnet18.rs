//! ResNet-18 (He et al. 2016) with group norm, a 3x3/2 stem and no max-pooling. 11.2 million parameters at width 64.

use burn::{
    module::Module,
    nn::{GroupNorm, conv::Conv2d},
    tensor::{Tensor, activation::relu},
};

use crate::{ModelError, source::Source};

#[derive(Module, Debug)]
pub(crate) struct ResNet18 {
    stem: Stem,
    stage1: Vec<Block>,
    stage2: Vec<Block>,
    stage3: Vec<Block>,
    stage4: Vec<Block>,
}

#[derive(Module, Debug)]
struct Stem {
    conv: Conv2d,
    norm: GroupNorm,
}

#[derive(Module, Debug)]
struct Block {
    conv1: Conv2d,
    norm1: GroupNorm,
    conv2: Conv2d,
    norm2: GroupNorm,
    shortcut: Option<Shortcut>,
}

#[derive(Module, Debug)]
struct Shortcut {
    conv: Conv2d,
    norm: GroupNorm,
}

impl ResNet18 {
    pub(crate) fn load(source: &mut Source<'_>) -> Result<Self, ModelError> {
        Ok(Self {
            stem: Stem {
                conv: source.convolution("trunk.stem.conv", 2)?,
                norm: source.norm("trunk.stem.norm")?,
            },
            stage1: stage(source, "trunk.stage1", 1)?,
            stage2: stage(source, "trunk.stage2", 2)?,
            stage3: stage(source, "trunk.stage3", 2)?,
            stage4: stage(source, "trunk.stage4", 2)?,
        })
    }

    /// `[N, 1, H, W]` to `[N, 8 * width]`.
    pub(crate) fn forward(&self, pictures: Tensor<4>) -> Tensor<2> {
        let mut signal = relu(self.stem.norm.forward(self.stem.conv.forward(pictures)));
        for block in [&self.stage1, &self.stage2, &self.stage3, &self.stage4]
            .into_iter()
            .flatten()
        {
            signal = block.forward(signal);
        }
        let places: Tensor<3> = signal.flatten(2, 3);
        places.mean_dim(2).squeeze_dim(2)
    }
}

fn stage(source: &mut Source<'_>, name: &str, stride: usize) -> Result<Vec<Block>, ModelError> {
    Ok(vec![
        Block::load(source, &format!("{name}.0"), stride)?,
        Block::load(source, &format!("{name}.1"), 1)?,
    ])
}

impl Block {
    fn load(source: &mut Source<'_>, name: &str, stride: usize) -> Result<Self, ModelError> {
        Ok(Self {
            conv1: source.convolution(&format!("{name}.conv1"), stride)?,
            norm1: source.norm(&format!("{name}.norm1"))?,
            conv2: source.convolution(&format!("{name}.conv2"), 1)?,
            norm2: source.norm(&format!("{name}.norm2"))?,
            shortcut: match stride {
                1 => None,
                _ => Some(Shortcut {
                    conv: source.convolution(&format!("{name}.shortcut.conv"), stride)?,
                    norm: source.norm(&format!("{name}.shortcut.norm"))?,
                }),
            },
        })
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let signal = relu(self.norm1.forward(self.conv1.forward(input.clone())));
        let signal = self.norm2.forward(self.conv2.forward(signal));
        let past = match &self.shortcut {
            None => input,
            Some(shortcut) => shortcut.norm.forward(shortcut.conv.forward(input)),
        };
        relu(signal + past)
    }
}
