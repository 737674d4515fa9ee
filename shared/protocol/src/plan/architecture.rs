//! The networks by name.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The networks that a node knows. All take `[N, 1, H, W]` f32 and normalise by groups (Wu and He 2018).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
pub enum Architecture {
    /// Convolution, group norm, ReLU; four strided stages. For CPUs.
    #[serde(rename = "small")]
    Small,
    /// ResNet-18 (He et al. 2016) with a 3x3/2 stem and no max-pooling: for small pictures.
    #[serde(rename = "resnet-18")]
    ResNet18,
    /// ResNet-18 with the paper's 7x7/2 stem and max-pooling: takes weights trained on `ImageNet`.
    #[serde(rename = "resnet-18-full")]
    ResNet18Full,
    /// ResNet-34 (He et al. 2016).
    #[serde(rename = "resnet-34")]
    ResNet34,
    /// ResNet-50 (He et al. 2016), strided in the 3x3 convolution.
    #[serde(rename = "resnet-50")]
    ResNet50,
    /// DenseNet-121 (Huang et al. 2017).
    #[serde(rename = "densenet-121")]
    DenseNet121,
    /// VGG16 (Simonyan and Zisserman 2015) with norms.
    #[serde(rename = "vgg-16")]
    Vgg16,
    /// Inception V3 (Szegedy et al. 2016) without the auxiliary classifier.
    #[serde(rename = "inception-v3")]
    InceptionV3,
    /// Xception (Chollet 2017).
    #[serde(rename = "xception")]
    Xception,
    /// `AlexNet` in the form with one tower (Krizhevsky 2014), with norms.
    #[serde(rename = "alexnet")]
    AlexNet,
}

impl Architecture {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Small,
        Self::ResNet18,
        Self::ResNet18Full,
        Self::ResNet34,
        Self::ResNet50,
        Self::DenseNet121,
        Self::Vgg16,
        Self::InceptionV3,
        Self::Xception,
        Self::AlexNet,
    ];

    /// The name as written in plans and policies.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::ResNet18 => "resnet-18",
            Self::ResNet18Full => "resnet-18-full",
            Self::ResNet34 => "resnet-34",
            Self::ResNet50 => "resnet-50",
            Self::DenseNet121 => "densenet-121",
            Self::Vgg16 => "vgg-16",
            Self::InceptionV3 => "inception-v3",
            Self::Xception => "xception",
            Self::AlexNet => "alexnet",
        }
    }

    /// The name as papers write it; `None` for the small net, which has none.
    #[must_use]
    pub const fn papers_name(self) -> Option<&'static str> {
        Some(match self {
            Self::Small => return None,
            Self::ResNet18 => "ResNet-18",
            Self::ResNet18Full => "ResNet-18 (7x7 stem)",
            Self::ResNet34 => "ResNet-34",
            Self::ResNet50 => "ResNet-50",
            Self::DenseNet121 => "DenseNet-121",
            Self::Vgg16 => "VGG16",
            Self::InceptionV3 => "Inception V3",
            Self::Xception => "Xception",
            Self::AlexNet => "AlexNet",
        })
    }

    /// The smallest side of a picture that it takes, in pixels.
    #[must_use]
    pub const fn input_side_min(self) -> u32 {
        match self {
            Self::InceptionV3 => 75,
            Self::AlexNet => 63,
            _ => 32,
        }
    }

    /// Its width is a multiple of this, so that every norm has whole groups.
    #[must_use]
    pub const fn width_step(self) -> u32 {
        match self {
            // Each layer grows by half the width.
            Self::DenseNet121 => 16,
            _ => 8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_plans_have() {
        for architecture in Architecture::ALL {
            let written = serde_json::to_value(architecture).unwrap();
            assert_eq!(written, architecture.code());
        }
    }
}
