//! Our operations as burn sees them: tensors in, tensors out, and how slopes go back. Pictures are `[N, height, width, channels]`. `None`
//! where a tensor is not on the processor, which nobody asks for.

use std::sync::Arc;

use burn::{
    backend::{
        Autodiff, Flex,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::NoCheckpointing},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        flex::FlexTensor,
        tensor::FloatTensor,
    },
    tensor::{Tensor, TensorData},
};
use snowball_layout::{NORM_EPSILON, Window};

use super::{convolve, normalise, pool};

/// A tensor that may keep a slope.
type Kept = FloatTensor<Autodiff<Flex>>;

/// A convolution, with a slope by pictures, weights and, of three, bias.
#[derive(Debug)]
struct Convolution;

#[derive(Clone, Debug)]
struct Convolved {
    sizes: convolve::Sizes,
    padded: Arc<Vec<f32>>,
    weights: FlexTensor,
}

impl Backward<Flex, 2> for Convolution {
    type State = Convolved;

    fn backward(self, ops: Ops<Convolved, 2>, slopes: &mut Gradients, _: &mut Checkpointer) {
        let wanted = ops.parents.map(|parent| parent.map(|parent| parent.id));
        let given = slopes.consume::<Flex>(&ops.node).to_contiguous();
        let found = ops.state.slopes(values(&given), wanted.each_ref().map(Option::is_some));
        for (id, slope) in wanted.into_iter().zip(found) {
            id.zip(slope)
                .into_iter()
                .for_each(|(id, slope)| slopes.register::<Flex>(id, slope));
        }
    }
}

impl Backward<Flex, 3> for Convolution {
    type State = Convolved;

    fn backward(self, ops: Ops<Convolved, 3>, slopes: &mut Gradients, _: &mut Checkpointer) {
        let [pictures, weights, bias] = ops.parents.map(|parent| parent.map(|parent| parent.id));
        let given = slopes.consume::<Flex>(&ops.node).to_contiguous();
        if let Some(bias) = bias {
            let outputs = ops.state.sizes.channels[1];
            slopes.register::<Flex>(
                bias,
                tensor(convolve::slope_by_bias(outputs, values(&given)), [outputs]),
            );
        }
        let found = ops
            .state
            .slopes(values(&given), [pictures.is_some(), weights.is_some()]);
        for (id, slope) in [pictures, weights].into_iter().zip(found) {
            id.zip(slope)
                .into_iter()
                .for_each(|(id, slope)| slopes.register::<Flex>(id, slope));
        }
    }
}

impl Convolved {
    /// By pictures and by weights, those that are wanted.
    fn slopes(&self, given: &[f32], [pictures, weights]: [bool; 2]) -> [Option<FlexTensor>; 2] {
        let sizes = &self.sizes;
        let ([height, width], [inputs, outputs]) = (sizes.input, sizes.channels);
        let by_pictures = || {
            let slope = convolve::slope_by_input(sizes, given, values(&self.weights));
            tensor(slope, [sizes.count, height, width, inputs])
        };
        let by_weights = || {
            let slope = convolve::slope_by_weights(sizes, &self.padded, given);
            tensor(slope, [outputs, inputs, sizes.kernel[0], sizes.kernel[1]])
        };
        [pictures.then(by_pictures), weights.then(by_weights)]
    }
}

/// Pictures through weights `[out, in, height, width]`.
pub(crate) fn convolution(
    pictures: Tensor<4>,
    weights: Tensor<4>,
    bias: Option<Tensor<1>>,
    stride: usize,
    padding: [usize; 2],
) -> Option<Tensor<4>> {
    let [count, height, width, channels] = pictures.dims();
    let [outputs, inputs, tall, wide] = weights.dims();
    let is_sound = channels == inputs && bias.as_ref().is_none_or(|bias| bias.dims() == [outputs]);
    if !is_sound {
        return None;
    }
    let sizes = convolve::Sizes {
        count,
        input: [height, width],
        channels: [inputs, outputs],
        kernel: [tall, wide],
        stride,
        padding,
    };
    let [rows, columns] = sizes.output();
    let compute = |pictures: FlexTensor, weights: &FlexTensor, bias: Option<&FlexTensor>| {
        let padded = sizes.padded(values(&pictures.to_contiguous()));
        let sums = convolve::forward(&sizes, &padded, values(weights), bias.map(values));
        (padded, tensor(sums, [count, rows, columns, outputs]))
    };
    if !pictures.device().is_autodiff() && !weights.device().is_autodiff() {
        let bias = match bias {
            Some(bias) => Some(plain(bias)?),
            None => None,
        };
        let (_, sums) = compute(plain(pictures)?, &plain(weights)?, bias.as_ref());
        return Some(Tensor::from_primitive::<Flex>(sums));
    }
    let (pictures, picture_node) = kept(pictures)?.into_parts();
    let (weights, weights_node) = kept(weights)?.into_parts();
    let weights = weights.to_contiguous();
    let state = |padded| Convolved {
        sizes,
        padded: Arc::new(padded),
        weights: weights.clone(),
    };
    let sums = if let Some(bias) = bias {
        let (bias, bias_node) = kept(bias)?.into_parts();
        let (padded, sums) = compute(pictures, &weights, Some(&bias.to_contiguous()));
        let nodes = [picture_node, weights_node, bias_node];
        match Backward::<Flex, 3>::prepare::<NoCheckpointing>(Convolution, nodes)
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(ops) => ops.finish(state(padded), sums),
            OpsKind::UnTracked(ops) => ops.finish(sums),
        }
    } else {
        let (padded, sums) = compute(pictures, &weights, None);
        let nodes = [picture_node, weights_node];
        match Backward::<Flex, 2>::prepare::<NoCheckpointing>(Convolution, nodes)
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(ops) => ops.finish(state(padded), sums),
            OpsKind::UnTracked(ops) => ops.finish(sums),
        }
    };
    Some(Tensor::from_primitive::<Autodiff<Flex>>(sums))
}

/// Group normalisation, and what is above zero of it.
#[derive(Debug)]
struct Normalisation;

#[derive(Clone, Debug)]
struct Normalised {
    sizes: normalise::Sizes,
    pictures: FlexTensor,
    moments: Arc<normalise::Moments>,
    scale: FlexTensor,
    shift: FlexTensor,
}

impl Backward<Flex, 3> for Normalisation {
    type State = Normalised;

    fn backward(self, ops: Ops<Normalised, 3>, slopes: &mut Gradients, _: &mut Checkpointer) {
        let Normalised {
            sizes,
            pictures,
            moments,
            scale,
            shift,
        } = ops.state;
        let given = slopes.consume::<Flex>(&ops.node).to_contiguous();
        let (scale, shift) = (values(&scale), values(&shift));
        let [by_pictures, by_scale, by_shift] =
            normalise::backward(&sizes, values(&pictures), &moments, scale, shift, values(&given));
        let shape: Vec<usize> = pictures.layout().shape().to_vec();
        let channels = vec![sizes.channels];
        let found = [(by_pictures, shape), (by_scale, channels.clone()), (by_shift, channels)];
        for (parent, (slope, shape)) in ops.parents.into_iter().zip(found) {
            if let Some(parent) = parent {
                slopes.register::<Flex>(parent.id, FlexTensor::from_data(TensorData::new(slope, shape)));
            }
        }
    }
}

/// Group normalisation (Wu and He 2018) over `groups` groups of channels; then zero instead of what is below, where it `rectifies`.
pub(crate) fn normalisation(
    pictures: Tensor<4>,
    scale: Tensor<1>,
    shift: Tensor<1>,
    groups: usize,
    rectifies: bool,
) -> Option<Tensor<4>> {
    let shape = pictures.dims();
    let is_sound = groups > 0 && shape[3].is_multiple_of(groups) && [scale.dims(), shift.dims()] == [[shape[3]]; 2];
    if !is_sound {
        return None;
    }
    let sizes = normalise::Sizes {
        count: shape[0],
        places: shape[1] * shape[2],
        channels: shape[3],
        groups,
        rectifies,
    };
    let compute = |pictures: &FlexTensor, scale: &FlexTensor, shift: &FlexTensor| {
        let (normal, moments) =
            normalise::forward(&sizes, values(pictures), values(scale), values(shift), NORM_EPSILON);
        (tensor(normal, shape), moments)
    };
    if !pictures.device().is_autodiff() && !scale.device().is_autodiff() {
        let (normal, _) = compute(&plain(pictures)?, &plain(scale)?, &plain(shift)?);
        return Some(Tensor::from_primitive::<Flex>(normal));
    }
    let (pictures, picture_node) = kept(pictures)?.into_parts();
    let (scale, scale_node) = kept(scale)?.into_parts();
    let (shift, shift_node) = kept(shift)?.into_parts();
    let [pictures, scale, shift] = [pictures, scale, shift].map(|tensor| tensor.to_contiguous());
    let (normal, moments) = compute(&pictures, &scale, &shift);
    let ops = Normalisation.prepare::<NoCheckpointing>([picture_node, scale_node, shift_node]);
    let normal = match ops.compute_bound().stateful() {
        OpsKind::Tracked(ops) => {
            let state = Normalised {
                sizes,
                pictures,
                moments: Arc::new(moments),
                scale,
                shift,
            };
            ops.finish(state, normal)
        }
        OpsKind::UnTracked(ops) => ops.finish(normal),
    };
    Some(Tensor::from_primitive::<Autodiff<Flex>>(normal))
}

/// The largest of each window.
#[derive(Debug)]
struct Pooling;

#[derive(Clone, Debug)]
struct Pooled {
    sizes: pool::Sizes,
    places: Arc<Vec<u32>>,
}

impl Backward<Flex, 1> for Pooling {
    type State = Pooled;

    fn backward(self, ops: Ops<Pooled, 1>, slopes: &mut Gradients, _: &mut Checkpointer) {
        let given = slopes.consume::<Flex>(&ops.node).to_contiguous();
        let [Some(parent)] = ops.parents else { return };
        let sizes = ops.state.sizes;
        let [height, width] = sizes.input;
        let slope = pool::backward(&sizes, &ops.state.places, values(&given));
        slopes.register::<Flex>(parent.id, tensor(slope, [sizes.count, height, width, sizes.channels]));
    }
}

/// The largest value of each window.
pub(crate) fn largest(pictures: Tensor<4>, window: Window) -> Option<Tensor<4>> {
    let [count, height, width, channels] = pictures.dims();
    let sizes = pool::Sizes {
        count,
        input: [height, width],
        channels,
        window,
    };
    let [rows, columns] = sizes.output();
    let shape = [count, rows, columns, channels];
    if !pictures.device().is_autodiff() {
        let (largest, _) = pool::forward(&sizes, values(&plain(pictures)?));
        return Some(Tensor::from_primitive::<Flex>(tensor(largest, shape)));
    }
    let (pictures, node) = kept(pictures)?.into_parts();
    let (largest, places) = pool::forward(&sizes, values(&pictures.to_contiguous()));
    let largest = tensor(largest, shape);
    let largest = match Pooling.prepare::<NoCheckpointing>([node]).compute_bound().stateful() {
        OpsKind::Tracked(ops) => {
            let places = Arc::new(places);
            ops.finish(Pooled { sizes, places }, largest)
        }
        OpsKind::UnTracked(ops) => ops.finish(largest),
    };
    Some(Tensor::from_primitive::<Autodiff<Flex>>(largest))
}

/// The tensor itself, in order, of a device without slopes.
fn plain<const D: usize>(tensor: Tensor<D>) -> Option<FlexTensor> {
    Some(tensor.try_into_primitive::<Flex>().ok()?.to_contiguous())
}

/// The tensor with its place in the record of what slopes go back through; a constant where it has none.
fn kept<const D: usize>(tensor: Tensor<D>) -> Option<Kept> {
    let tensor = if tensor.device().is_autodiff() {
        tensor
    } else {
        tensor.autodiff()
    };
    tensor.try_into_primitive::<Autodiff<Flex>>().ok()
}

/// The values of a tensor that is in order.
fn values(tensor: &FlexTensor) -> &[f32] {
    tensor
        .as_slice()
        .expect("networks hold f32, and the tensor was put in order")
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}
