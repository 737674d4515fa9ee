//! The tensors of each architecture, in PyTorch's order of registration.

use snowball_protocol::plan::{Architecture, Head, HeadKind, Network};

use crate::{Layout, Role, initial::Start};

/// Channels that share one mean and deviation (group norm, Wu and He 2018). Widths are multiples of it.
pub const CHANNELS_PER_GROUP: usize = 8;
/// Stages of every trunk; each doubles the channels of the one before.
pub const STAGES: usize = 4;
/// Blocks of each stage of ResNet-18.
const BLOCKS: usize = 2;

/// Adds the trunk and says how many features it gives to the heads.
pub(crate) fn trunk(layout: &mut Layout, network: &Network) -> usize {
    let width = network.width as usize;
    match network.architecture {
        Architecture::Small => small(layout, width),
        Architecture::ResNet18 => resnet18(layout, width),
    }
}

/// Adds one linear layer a head.
pub(crate) fn heads(layout: &mut Layout, features: usize, heads: &[Head]) {
    for head in heads {
        let name = format!("heads.{}", head.label.code());
        let middle = match head.kind {
            HeadKind::Classes(_) => 0.0,
            // The middle of the range that one unit spans (age: 50 years).
            HeadKind::Regression { .. } => 0.5,
        };
        let outputs = head.outputs();
        layout.push(
            format!("{name}.weight"),
            vec![outputs, features],
            Role::Weight,
            Start::Small { fan_in: features },
        );
        layout.push(
            format!("{name}.bias"),
            vec![outputs],
            Role::Weight,
            Start::Constant(middle),
        );
    }
}

/// Four times convolution 3x3/2, group norm, ReLU; then mean and maximum over the picture.
fn small(layout: &mut Layout, width: usize) -> usize {
    let mut inputs = 1;
    for stage in 0..STAGES {
        let outputs = width << stage;
        let name = format!("trunk.stage{}", stage + 1);
        convolution(layout, &format!("{name}.conv"), [outputs, inputs, 3, 3]);
        norm(layout, &format!("{name}.norm"), outputs);
        inputs = outputs;
    }
    inputs * 2
}

/// He et al. 2016, with a 3x3/2 stem and no pooling before the first stage; then the mean over the picture.
fn resnet18(layout: &mut Layout, width: usize) -> usize {
    convolution(layout, "trunk.stem.conv", [width, 1, 3, 3]);
    norm(layout, "trunk.stem.norm", width);
    let mut inputs = width;
    for stage in 0..STAGES {
        let outputs = width << stage;
        for block in 0..BLOCKS {
            let name = format!("trunk.stage{}.{block}", stage + 1);
            convolution(layout, &format!("{name}.conv1"), [outputs, inputs, 3, 3]);
            norm(layout, &format!("{name}.norm1"), outputs);
            convolution(layout, &format!("{name}.conv2"), [outputs, outputs, 3, 3]);
            norm(layout, &format!("{name}.norm2"), outputs);
            if inputs != outputs {
                convolution(layout, &format!("{name}.shortcut.conv"), [outputs, inputs, 1, 1]);
                norm(layout, &format!("{name}.shortcut.norm"), outputs);
            }
            inputs = outputs;
        }
    }
    inputs
}

fn convolution(layout: &mut Layout, name: &str, shape: [usize; 4]) {
    let fan_in = shape[1..].iter().product();
    layout.push(
        format!("{name}.weight"),
        shape.to_vec(),
        Role::Weight,
        Start::He { fan_in },
    );
}

fn norm(layout: &mut Layout, name: &str, channels: usize) {
    layout.push(
        format!("{name}.weight"),
        vec![channels],
        Role::NormAffine,
        Start::Constant(1.0),
    );
    layout.push(
        format!("{name}.bias"),
        vec![channels],
        Role::NormAffine,
        Start::Constant(0.0),
    );
}
