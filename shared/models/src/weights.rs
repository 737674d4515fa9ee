//! The parameters as tensors on a device, and back.

use burn::{
    module::Param,
    tensor::{Device, Gradients, Tensor, TensorData},
};
use snowball_layout::Layout;

use crate::ModelError;

/// One tensor of the layout, with its layout's shape.
#[derive(Debug)]
pub(crate) enum Weight {
    Line(Param<Tensor<1>>),
    Matrix(Param<Tensor<2>>),
    Kernel(Param<Tensor<4>>),
}

/// Makes all tensors of `layout` on `device`; those that `learns` names keep their gradient.
pub(crate) fn load(
    layout: &Layout,
    parameters: &[f32],
    device: &Device,
    learns: impl Fn(&snowball_layout::Tensor) -> bool,
) -> Result<Vec<Weight>, ModelError> {
    let expected = layout.parameters();
    if parameters.len() != expected {
        return Err(ModelError::Count {
            expected,
            found: parameters.len(),
        });
    }
    let weight = |(position, tensor): (usize, &snowball_layout::Tensor)| {
        let values = &parameters[tensor.offset..tensor.offset + tensor.values()];
        let learns = learns(tensor);
        match *tensor.shape.as_slice() {
            [a] => Ok(Weight::Line(parameter(values, [a], device, learns))),
            [a, b] => Ok(Weight::Matrix(parameter(values, [a, b], device, learns))),
            [a, b, c, d] => Ok(Weight::Kernel(parameter(values, [a, b, c, d], device, learns))),
            _ => Err(ModelError::Step { step: position }),
        }
    };
    layout.tensors.iter().enumerate().map(weight).collect()
}

/// On a device with autodiff it keeps its gradient where it learns.
fn parameter<const D: usize>(values: &[f32], shape: [usize; D], device: &Device, learns: bool) -> Param<Tensor<D>> {
    Param::from_data(TensorData::new(values.to_vec(), shape), device).set_require_grad(learns)
}

impl Weight {
    pub(crate) fn line(&self) -> Option<Tensor<1>> {
        match self {
            Self::Line(weight) => Some(weight.val()),
            _ => None,
        }
    }

    pub(crate) fn matrix(&self) -> Option<Tensor<2>> {
        match self {
            Self::Matrix(weight) => Some(weight.val()),
            _ => None,
        }
    }

    pub(crate) fn kernel(&self) -> Option<Tensor<4>> {
        match self {
            Self::Kernel(weight) => Some(weight.val()),
            _ => None,
        }
    }

    /// Adds the values to `flat`.
    pub(crate) fn store(&self, flat: &mut Vec<f32>) -> Result<(), ModelError> {
        match self {
            Self::Line(weight) => read(weight.val(), flat),
            Self::Matrix(weight) => read(weight.val(), flat),
            Self::Kernel(weight) => read(weight.val(), flat),
        }
    }

    /// Adds the gradient to `flat`; zeros where the loss does not depend on it.
    pub(crate) fn gradient(&self, gradients: &mut Gradients, flat: &mut Vec<f32>) -> Result<(), ModelError> {
        match self {
            Self::Line(weight) => slope(&weight.val(), gradients, flat),
            Self::Matrix(weight) => slope(&weight.val(), gradients, flat),
            Self::Kernel(weight) => slope(&weight.val(), gradients, flat),
        }
    }
}

fn slope<const D: usize>(weight: &Tensor<D>, gradients: &mut Gradients, flat: &mut Vec<f32>) -> Result<(), ModelError> {
    match weight.grad_remove(gradients) {
        Some(slope) => read(slope, flat),
        None => {
            flat.extend(std::iter::repeat_n(0.0, weight.dims().iter().product()));
            Ok(())
        }
    }
}

fn read<const D: usize>(tensor: Tensor<D>, flat: &mut Vec<f32>) -> Result<(), ModelError> {
    let values: Vec<f32> = tensor
        .try_into_vec_as()
        .map_err(|fault| ModelError::Device(fault.to_string()))?;
    flat.extend(values);
    Ok(())
}
