//! Steps on this machine's processor: operations of our own where burn's take most of the time, and burn's for the rest.
//!
//! Pictures go from step to step as `[N, height, width, channels]`, in which a place's channels lie side by side: so a convolution is sums
//! over stretches of memory, without a matrix of patches. Other devices keep burn's operations and order ([`crate::steps`]); the two give
//! the same within rounding: `tests/ways.rs` holds it for every network.
//!
//! [`take`] is where our operations are chosen. [`record`] is what burn sees of them; the arithmetic knows nothing of burn.

mod convolve;
mod kernel;
mod normalise;
mod pool;
mod record;
#[cfg(test)]
mod tests;

use burn::tensor::{Device, Tensor, activation::relu};
use snowball_layout::{Graph, Operation, Step};

use crate::{
    steps::{self, Value},
    weights::Weight,
};

/// Whether `device` is this machine's processor.
pub(crate) fn is_host(device: &Device) -> bool {
    device.clone().without_autodiff() == Device::flex()
}

/// Pictures as burn takes them to pictures as steps do here.
pub(crate) fn channels_last(pictures: Tensor<4>) -> Tensor<4> {
    pictures.permute([0, 2, 3, 1])
}

/// Pictures as steps have them here to pictures as burn takes them.
pub(crate) fn channels_first(pictures: Tensor<4>) -> Tensor<4> {
    pictures.permute([0, 3, 1, 2])
}

/// Which steps are normalisations that nothing but a rectifier reads: it is done with them, and itself does nothing.
pub(crate) fn rectifying(graph: &Graph, readers: &[usize]) -> Vec<bool> {
    let mut rectifying = vec![false; graph.steps.len()];
    for (number, step) in graph.steps.iter().enumerate() {
        // A rectifier that nobody reads is never done.
        if readers[number] == 0 {
            continue;
        }
        if let (Operation::Relu, [input]) = (&step.operation, step.inputs.as_slice()) {
            let input = input.index();
            rectifying[input] =
                readers[input] == 1 && matches!(graph.steps[input].operation, Operation::GroupNorm { .. });
        }
    }
    rectifying
}

/// Does step `number`; `None` where the inputs are not what the operation takes.
pub(crate) fn take(
    step: &Step,
    number: usize,
    rectifying: &[bool],
    weights: &[Weight],
    inputs: Vec<Value>,
) -> Option<Value> {
    let mut inputs = inputs.into_iter();
    match &step.operation {
        Operation::Convolution {
            weight,
            bias,
            stride,
            padding,
            groups: 1,
            ..
        } => {
            let bias = match bias {
                Some(bias) => Some(weights.get(*bias)?.line()?),
                None => None,
            };
            let kernel = weights.get(*weight)?.kernel()?;
            let pictures = inputs.next()?.pictures()?;
            record::convolution(pictures, kernel, bias, *stride, *padding).map(Value::Pictures)
        }
        Operation::GroupNorm { scale, shift, groups } => {
            let (scale, shift) = (weights.get(*scale)?.line()?, weights.get(*shift)?.line()?);
            let pictures = inputs.next()?.pictures()?;
            record::normalisation(pictures, scale, shift, *groups, rectifying[number]).map(Value::Pictures)
        }
        Operation::Relu => match inputs.next()? {
            done if rectifying[step.inputs.first()?.index()] => Some(done),
            Value::Pictures(pictures) => Some(Value::Pictures(relu(pictures))),
            Value::Features(features) => Some(Value::Features(relu(features))),
        },
        Operation::MaxPool(window) => record::largest(inputs.next()?.pictures()?, *window).map(Value::Pictures),
        Operation::Mean => {
            let places: Tensor<3> = inputs.next()?.pictures()?.flatten(1, 2);
            Some(Value::Features(places.mean_dim(1).squeeze_dim(1)))
        }
        Operation::Maximum => {
            let places: Tensor<3> = inputs.next()?.pictures()?.flatten(1, 2);
            Some(Value::Features(places.max_dim(1).squeeze_dim(1)))
        }
        Operation::Add => steps::take(step, weights, None, inputs.collect()),
        _ => {
            let turned = inputs.map(|input| turn(input, channels_first));
            steps::take(step, weights, None, turned.collect()).map(|output| turn(output, channels_last))
        }
    }
}

/// Features are the same in both orders.
fn turn(value: Value, order: fn(Tensor<4>) -> Tensor<4>) -> Value {
    match value {
        Value::Pictures(pictures) => Value::Pictures(order(pictures)),
        Value::Features(_) => value,
    }
}
