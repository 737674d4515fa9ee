//! Numbers of half the length, in which GPUs have units of their own for the products of training. What that gains was never measured.
//!
//! Only what is multiplied is rounded: pictures and weights on their way into a convolution or a matrix product, and what comes of it.
//! Weights, normalisation, losses and sums of slopes stay in f32, and so does what a network gives out.

use burn::tensor::{
    Device, FloatDType, Tensor,
    module::{conv2d, linear},
    ops::ConvOptions,
};

/// A format of half the length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Halves {
    /// As far as f32 reaches, 8 bits exact.
    Bf16,
    /// 11 bits exact, from 6e-8 to 65,504: slopes are made larger on their way back.
    F16,
}

impl Halves {
    /// The one that `device` computes in; bf16 first, as nothing overflows in it that would not in f32.
    #[must_use]
    pub fn of(device: &Device) -> Option<Self> {
        let can = |halves: &Self| device.supports_dtype(halves.format());
        [Self::Bf16, Self::F16].into_iter().find(can)
    }

    /// Its name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Bf16 => "bf16",
            Self::F16 => "f16",
        }
    }

    const fn format(self) -> FloatDType {
        match self {
            Self::Bf16 => FloatDType::BF16,
            Self::F16 => FloatDType::F16,
        }
    }

    /// How much larger slopes are on their way back. A power of two, so that taking it away again rounds nothing.
    pub(crate) const fn enlargement(self) -> f32 {
        match self {
            Self::Bf16 => 1.0,
            Self::F16 => 1024.0,
        }
    }

    /// The same as burn's, the products in halves.
    pub(crate) fn conv2d(
        self,
        pictures: Tensor<4>,
        weights: Tensor<4>,
        bias: Option<Tensor<1>>,
        options: ConvOptions<2>,
    ) -> Tensor<4> {
        let format = self.format();
        let products = conv2d(pictures.cast(format), weights.cast(format), None, options).cast(FloatDType::F32);
        match bias {
            Some(bias) => {
                let [channels] = bias.dims();
                products + bias.reshape([1, channels, 1, 1])
            }
            None => products,
        }
    }

    /// The same as burn's, the products in halves.
    pub(crate) fn linear(self, features: Tensor<2>, matrix: Tensor<2>, bias: Tensor<1>) -> Tensor<2> {
        let format = self.format();
        let [outputs] = bias.dims();
        let products = linear(features.cast(format), matrix.cast(format), None).cast(FloatDType::F32);
        products + bias.reshape([1, outputs])
    }
}
