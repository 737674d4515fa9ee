//! Each operation of a graph with burn's tensors.

use burn::tensor::{
    Tensor,
    activation::relu,
    module::{adaptive_avg_pool2d, avg_pool2d, conv2d, interpolate, linear, max_pool2d},
    ops::{AvgPoolOptions, ConvOptions, InterpolateMode, InterpolateOptions, MaxPoolOptions},
};
use snowball_layout::{NORM_EPSILON, Operation, Step, Window};

use crate::{halves::Halves, weights::Weight};

/// The output of a step.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// `[N, channels, height, width]`.
    Pictures(Tensor<4>),
    /// `[N, features]`.
    Features(Tensor<2>),
}

impl Value {
    pub(crate) fn pictures(self) -> Option<Tensor<4>> {
        match self {
            Self::Pictures(pictures) => Some(pictures),
            Self::Features(_) => None,
        }
    }

    pub(crate) fn features(self) -> Option<Tensor<2>> {
        match self {
            Self::Features(features) => Some(features),
            Self::Pictures(_) => None,
        }
    }
}

/// Does one step, its products in `halves` where asked; `None` where the inputs are not what the operation takes.
pub(crate) fn take(step: &Step, weights: &[Weight], halves: Option<Halves>, inputs: Vec<Value>) -> Option<Value> {
    let mut inputs = inputs.into_iter();
    match &step.operation {
        Operation::Picture => None,
        Operation::Convolution {
            weight,
            bias,
            stride,
            padding,
            groups,
            ..
        } => {
            let options = ConvOptions::new([*stride; 2], *padding, [1, 1], *groups);
            let bias = match bias {
                Some(bias) => Some(weights.get(*bias)?.line()?),
                None => None,
            };
            let kernel = weights.get(*weight)?.kernel()?;
            let pictures = inputs.next()?.pictures()?;
            Some(Value::Pictures(match halves {
                Some(halves) => halves.conv2d(pictures, kernel, bias, options),
                None => conv2d(pictures, kernel, bias, options),
            }))
        }
        Operation::GroupNorm { scale, shift, groups } => {
            let (scale, shift) = (weights.get(*scale)?.line()?, weights.get(*shift)?.line()?);
            let normal = group_norm(inputs.next()?.pictures()?, scale, shift, *groups);
            Some(Value::Pictures(normal))
        }
        Operation::Relu => Some(match inputs.next()? {
            Value::Pictures(pictures) => Value::Pictures(relu(pictures)),
            Value::Features(features) => Value::Features(relu(features)),
        }),
        Operation::MaxPool(Window { side, stride, padding }) => {
            let options = MaxPoolOptions::new([*side; 2])
                .with_stride([*stride; 2])
                .with_padding([*padding; 2]);
            Some(Value::Pictures(max_pool2d(inputs.next()?.pictures()?, options)))
        }
        Operation::MeanPool(Window { side, stride, padding }) => {
            let options = AvgPoolOptions::new([*side; 2])
                .with_stride([*stride; 2])
                .with_padding([*padding; 2]);
            Some(Value::Pictures(avg_pool2d(inputs.next()?.pictures()?, options)))
        }
        Operation::Grid(fields) => {
            let grid = adaptive_avg_pool2d(inputs.next()?.pictures()?, [*fields; 2]);
            Some(Value::Pictures(grid))
        }
        Operation::Mean => {
            let places: Tensor<3> = inputs.next()?.pictures()?.flatten(2, 3);
            Some(Value::Features(places.mean_dim(2).squeeze_dim(2)))
        }
        Operation::Maximum => {
            let places: Tensor<3> = inputs.next()?.pictures()?.flatten(2, 3);
            Some(Value::Features(places.max_dim(2).squeeze_dim(2)))
        }
        Operation::Flatten => Some(Value::Features(inputs.next()?.pictures()?.flatten(1, 3))),
        Operation::Linear { weight, bias } => {
            let (matrix, bias) = (weights.get(*weight)?.matrix()?, weights.get(*bias)?.line()?);
            let (features, matrix) = (inputs.next()?.features()?, matrix.transpose());
            Some(Value::Features(match halves {
                Some(halves) => halves.linear(features, matrix, bias),
                None => linear(features, matrix, Some(bias)),
            }))
        }
        Operation::Upsample => {
            let (input, like) = (inputs.next()?.pictures()?, inputs.next()?.pictures()?);
            let ([count, channels, h, w], [_, _, height, width]) = (input.dims(), like.dims());
            let twice = InterpolateOptions::new(InterpolateMode::Nearest).with_output_size([2 * h, 2 * w]);
            let drawn = interpolate(input, twice);
            Some(Value::Pictures(if [height, width] == [2 * h, 2 * w] {
                drawn
            } else {
                drawn.slice([0..count, 0..channels, 0..height, 0..width])
            }))
        }
        Operation::Add => match (inputs.next()?, inputs.next()?) {
            (Value::Pictures(first), Value::Pictures(second)) => Some(Value::Pictures(first + second)),
            (Value::Features(first), Value::Features(second)) => Some(Value::Features(first + second)),
            _ => None,
        },
        Operation::Concat => match inputs.next()? {
            Value::Pictures(first) => {
                let rest = inputs.map(Value::pictures);
                let all = std::iter::once(Some(first)).chain(rest).collect::<Option<Vec<_>>>()?;
                Some(Value::Pictures(Tensor::cat(all, 1)))
            }
            Value::Features(first) => {
                let rest = inputs.map(Value::features);
                let all = std::iter::once(Some(first)).chain(rest).collect::<Option<Vec<_>>>()?;
                Some(Value::Features(Tensor::cat(all, 1)))
            }
        },
    }
}

/// Group normalisation (Wu and He 2018) over `groups` groups of channels.
pub(crate) fn group_norm(pictures: Tensor<4>, scale: Tensor<1>, shift: Tensor<1>, groups: usize) -> Tensor<4> {
    let shape = pictures.dims();
    let [count, channels, height, width] = shape;
    let grouped = pictures.reshape([count, groups, channels / groups * height * width]);
    let centred = grouped.clone() - grouped.mean_dim(2);
    let variance = centred.clone().square().mean_dim(2);
    let normal = centred / variance.add_scalar(NORM_EPSILON).sqrt();
    let affine = [1, channels, 1, 1];
    normal.reshape(shape) * scale.reshape(affine) + shift.reshape(affine)
}
