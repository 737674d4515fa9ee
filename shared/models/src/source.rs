//! Takes a module's tensors out of the flat vector, one after another, in the layout's order.

use burn::{
    module::Param,
    nn::{GroupNorm, Linear, PaddingConfig2d, conv::Conv2d},
    tensor::{Device, Tensor, TensorData},
};
use snowball_layout::{CHANNELS_PER_GROUP, Layout};

use crate::ModelError;

/// Added to the variance of a group (PyTorch's default).
const NORM_EPSILON: f64 = 1e-5;

pub(crate) struct Source<'a> {
    tensors: std::slice::Iter<'a, snowball_layout::Tensor>,
    parameters: &'a [f32],
    device: &'a Device,
}

impl<'a> Source<'a> {
    pub(crate) fn new(layout: &'a Layout, parameters: &'a [f32], device: &'a Device) -> Result<Self, ModelError> {
        let expected = layout.parameters();
        if parameters.len() != expected {
            return Err(ModelError::Count {
                expected,
                found: parameters.len(),
            });
        }
        Ok(Self {
            tensors: layout.tensors.iter(),
            parameters,
            device,
        })
    }

    /// Ends the module; every tensor must have been taken.
    pub(crate) fn finish(mut self) -> Result<(), ModelError> {
        self.tensors.next().map_or(Ok(()), |tensor| {
            Err(ModelError::Layout {
                name: tensor.name.clone(),
            })
        })
    }

    /// A convolution without bias, padded so that stride 1 keeps the size.
    pub(crate) fn convolution(&mut self, name: &str, stride: usize) -> Result<Conv2d, ModelError> {
        let (weight, shape) = self.take::<4>(&format!("{name}.weight"))?;
        let padding = [shape[2] / 2, shape[3] / 2];
        Ok(Conv2d {
            weight: self.parameter(weight.to_vec(), shape),
            bias: None,
            stride: [stride, stride],
            kernel_size: [shape[2], shape[3]],
            dilation: [1, 1],
            groups: 1,
            padding: PaddingConfig2d::Explicit(padding[0], padding[1], padding[0], padding[1]),
        })
    }

    /// A group norm.
    pub(crate) fn norm(&mut self, name: &str) -> Result<GroupNorm, ModelError> {
        let (gamma, shape) = self.take::<1>(&format!("{name}.weight"))?;
        let (beta, _) = self.take::<1>(&format!("{name}.bias"))?;
        Ok(GroupNorm {
            gamma: Some(self.parameter(gamma.to_vec(), shape)),
            beta: Some(self.parameter(beta.to_vec(), shape)),
            num_groups: (shape[0] / CHANNELS_PER_GROUP).max(1),
            num_channels: shape[0],
            epsilon: NORM_EPSILON,
            affine: true,
        })
    }

    /// A linear layer; the layout holds `[out, in]`, burn computes with `[in, out]`.
    pub(crate) fn linear(&mut self, name: &str) -> Result<Linear, ModelError> {
        let (weight, [outputs, inputs]) = self.take::<2>(&format!("{name}.weight"))?;
        let (bias, shape) = self.take::<1>(&format!("{name}.bias"))?;
        Ok(Linear {
            weight: self.parameter(transposed(weight, outputs, inputs), [inputs, outputs]),
            bias: Some(self.parameter(bias.to_vec(), shape)),
        })
    }

    fn take<const D: usize>(&mut self, name: &str) -> Result<(&'a [f32], [usize; D]), ModelError> {
        let differs = || ModelError::Layout { name: name.to_owned() };
        let tensor = self
            .tensors
            .next()
            .filter(|tensor| tensor.name == name)
            .ok_or_else(differs)?;
        let shape = <[usize; D]>::try_from(tensor.shape.as_slice()).map_err(|_| differs())?;
        Ok((&self.parameters[tensor.offset..tensor.offset + tensor.values()], shape))
    }

    fn parameter<const D: usize>(&self, values: Vec<f32>, shape: [usize; D]) -> Param<Tensor<D>> {
        Param::from_data(TensorData::new(values, shape), self.device)
    }
}

/// The transpose of a matrix of `rows` rows that lies row by row.
pub(crate) fn transposed(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns)
        .flat_map(|column| (0..rows).map(move |row| values[row * columns + column]))
        .collect()
}
