//! Our operations beside burn's, on the same numbers.

use std::slice::from_ref;

use burn::tensor::{
    Device, Tensor, TensorData,
    activation::relu,
    module::{conv2d, max_pool2d},
    ops::{ConvOptions, MaxPoolOptions},
};
use snowball_layout::Window;

use super::{channels_first, channels_last, record};
use crate::steps::group_norm;

/// Numbers between -1 and 1 that repeat late.
fn some<const D: usize>(seed: u64, shape: [usize; D], device: &Device) -> Tensor<D> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32) / (1 << 23) as f32 - 1.0
    };
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| next()).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as().unwrap()
}

/// The largest difference, in shares of the largest value.
#[track_caller]
fn assert_near(ours: Vec<f32>, theirs: Vec<f32>, what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let largest = theirs.iter().fold(1e-3_f32, |largest, value| largest.max(value.abs()));
    let apart = ours
        .iter()
        .zip(&theirs)
        .fold(0.0_f32, |apart, (a, b)| apart.max((a - b).abs()));
    assert!(
        apart <= 2e-5 * largest,
        "{what}: {apart} apart where the largest is {largest}"
    );
}

/// Output and slopes of `of`, through a loss that weighs each output by itself.
fn derived<const N: usize>(
    leaves: &[Tensor<4>],
    lines: [Tensor<1>; N],
    of: impl Fn(&[Tensor<4>], &[Tensor<1>; N]) -> Tensor<4>,
) -> Vec<Vec<f32>> {
    let leaves: Vec<Tensor<4>> = leaves.iter().map(|leaf| leaf.clone().require_grad()).collect();
    let lines = lines.map(Tensor::require_grad);
    let output = of(&leaves, &lines);
    let weighed = output.clone() * some(99, output.dims(), &output.device());
    let slopes = weighed.sum().backward();
    let mut all = vec![values(output)];
    all.extend(leaves.iter().map(|leaf| values(leaf.grad(&slopes).unwrap())));
    all.extend(lines.iter().map(|line| values(line.grad(&slopes).unwrap())));
    all
}

/// `[count, height, width, in, out, kernel rows, kernel columns, stride, padding down, padding across]`, odd ones among them.
const CONVOLUTIONS: [[usize; 10]; 16] = [
    [2, 9, 9, 8, 16, 3, 3, 1, 1, 1],
    [1, 16, 16, 16, 32, 3, 3, 2, 1, 1],
    [3, 7, 5, 3, 5, 3, 3, 2, 1, 1],
    [2, 8, 8, 24, 40, 3, 3, 1, 1, 1],
    [2, 13, 11, 1, 33, 7, 7, 2, 3, 3],
    [1, 32, 32, 1, 16, 3, 3, 2, 1, 1],
    [2, 8, 9, 16, 20, 1, 1, 1, 0, 0],
    [2, 8, 9, 16, 48, 1, 1, 2, 0, 0],
    [2, 4, 4, 64, 64, 3, 3, 1, 1, 1],
    [1, 12, 12, 7, 9, 5, 5, 1, 2, 2],
    [1, 23, 23, 4, 6, 11, 11, 4, 2, 2],
    [2, 9, 10, 6, 10, 1, 7, 1, 0, 3],
    [2, 9, 10, 6, 10, 7, 1, 1, 3, 0],
    [1, 9, 9, 5, 7, 3, 3, 1, 0, 0],
    [1, 10, 10, 5, 7, 3, 3, 3, 0, 0],
    [1, 5, 5, 2, 3, 2, 2, 3, 1, 1],
];

#[test]
fn a_convolution_and_its_slopes_are_burn_s() {
    let device = Device::flex().autodiff();
    for sizes in CONVOLUTIONS {
        let [count, height, width, inputs, outputs, tall, wide, stride, down, across] = sizes;
        let leaves = [
            some(1, [count, inputs, height, width], &device),
            some(2, [outputs, inputs, tall, wide], &device),
        ];
        let bias = some(3, [outputs], &device);
        let theirs = |leaves: &[Tensor<4>], bias: Option<&Tensor<1>>| {
            let options = ConvOptions::new([stride; 2], [down, across], [1, 1], 1);
            conv2d(leaves[0].clone(), leaves[1].clone(), bias.cloned(), options)
        };
        let ours = |leaves: &[Tensor<4>], bias: Option<&Tensor<1>>| {
            let pictures = channels_last(leaves[0].clone());
            let sums = record::convolution(pictures, leaves[1].clone(), bias.cloned(), stride, [down, across]);
            channels_first(sums.unwrap())
        };
        let with_bias = |of: &dyn Fn(&[Tensor<4>], Option<&Tensor<1>>) -> Tensor<4>| {
            derived(&leaves, [bias.clone()], |leaves, [bias]| of(leaves, Some(bias)))
        };
        let without = |of: &dyn Fn(&[Tensor<4>], Option<&Tensor<1>>) -> Tensor<4>| {
            derived(&leaves, [], |leaves, []| of(leaves, None))
        };
        let names = ["output", "slope by pictures", "slope by weights", "slope by bias"];
        for (ours, theirs) in [
            (with_bias(&ours), with_bias(&theirs)),
            (without(&ours), without(&theirs)),
        ] {
            for ((ours, theirs), name) in ours.into_iter().zip(theirs).zip(names) {
                assert_near(ours, theirs, &format!("{sizes:?} {name}"));
            }
        }
        // Without slopes it is the same, to the bit.
        let bare: Vec<Tensor<4>> = leaves.iter().map(|leaf| leaf.clone().inner()).collect();
        assert_eq!(values(ours(&bare, None)), values(ours(&leaves, None)), "{sizes:?}");
    }
}

#[test]
fn a_convolution_s_slopes_are_finite_differences() {
    let device = Device::flex();
    let (pictures, weights) = (some(4, [1, 4, 5, 2], &device), some(5, [3, 2, 3, 3], &device));
    let sum = |pictures: &Tensor<4>, weights: &Tensor<4>| -> f64 {
        let sums = record::convolution(pictures.clone(), weights.clone(), None, 2, [1, 1]).unwrap();
        let weighing = some(6, sums.dims(), &device);
        values(sums * weighing).into_iter().map(f64::from).sum()
    };
    let leaves = [pictures.clone(), weights.clone()].map(|leaf| leaf.autodiff().require_grad());
    let output = record::convolution(leaves[0].clone(), leaves[1].clone(), None, 2, [1, 1]).unwrap();
    let weighing = some(6, output.dims(), &device).autodiff();
    let slopes = (output * weighing).sum().backward();
    for (which, leaf) in leaves.iter().enumerate() {
        let slope = values(leaf.grad(&slopes).unwrap());
        for place in 0..slope.len() {
            let moved = |by: f32| {
                let mut both = [pictures.clone(), weights.clone()];
                let shape = both[which].dims();
                let mut numbers = values(both[which].clone());
                numbers[place] += by;
                both[which] = Tensor::from_data(TensorData::new(numbers, shape), &device);
                sum(&both[0], &both[1])
            };
            let difference = (moved(0.25) - moved(-0.25)) / 0.5;
            assert!(
                (difference - f64::from(slope[place])).abs() < 1e-4,
                "{which} {place}: {difference} {}",
                slope[place]
            );
        }
    }
}

#[test]
fn a_normalisation_and_its_slopes_are_burn_s() {
    let device = Device::flex().autodiff();
    for [count, height, width, channels, groups] in [
        [2, 4, 4, 16, 2],
        [1, 5, 3, 8, 1],
        [3, 7, 9, 24, 3],
        [2, 33, 31, 64, 8],
        [1, 6, 6, 300, 30],
        [2, 3, 3, 6, 3],
    ] {
        let pictures = some(1, [count, channels, height, width], &device)
            .mul_scalar(3.0)
            .add_scalar(0.7);
        let pictures = pictures.detach();
        let lines = [some(2, [channels], &device), some(3, [channels], &device)];
        for rectifies in [false, true] {
            let theirs = derived(from_ref(&pictures), lines.clone(), |leaves, [scale, shift]| {
                let normal = group_norm(leaves[0].clone(), scale.clone(), shift.clone(), groups);
                if rectifies { relu(normal) } else { normal }
            });
            let ours = derived(from_ref(&pictures), lines.clone(), |leaves, [scale, shift]| {
                let pictures = channels_last(leaves[0].clone());
                let normal = record::normalisation(pictures, scale.clone(), shift.clone(), groups, rectifies);
                channels_first(normal.unwrap())
            });
            for ((ours, theirs), name) in ours
                .into_iter()
                .zip(theirs)
                .zip(["output", "pictures", "scale", "shift"])
            {
                assert_near(ours, theirs, &format!("{height}x{width}x{channels} {rectifies} {name}"));
            }
        }
    }
}

#[test]
fn the_largest_of_a_window_and_its_slopes_are_burn_s() {
    let device = Device::flex().autodiff();
    for ([count, height, width, channels], [side, stride, padding]) in [
        ([2, 8, 8, 16], [3, 2, 1]),
        ([1, 7, 9, 5], [3, 2, 1]),
        ([2, 9, 9, 8], [2, 2, 0]),
        ([1, 10, 7, 3], [3, 1, 1]),
    ] {
        let pictures = some(1, [count, channels, height, width], &device);
        let theirs = derived(from_ref(&pictures), [], |leaves, []| {
            let options = MaxPoolOptions::new([side; 2])
                .with_stride([stride; 2])
                .with_padding([padding; 2]);
            max_pool2d(leaves[0].clone(), options)
        });
        let ours = derived(from_ref(&pictures), [], |leaves, []| {
            let window = Window { side, stride, padding };
            channels_first(record::largest(channels_last(leaves[0].clone()), window).unwrap())
        });
        assert_eq!(ours, theirs, "{height}x{width} {side} {stride} {padding}");
    }
}

/// What is not a number must not vanish in a rectifier: a loss that is no number ends a training.
#[test]
fn what_is_no_number_stays_so() {
    let device = Device::flex();
    let mut numbers = values(some(1, [1, 4, 4, 8], &device));
    numbers[17] = f32::NAN;
    let pictures: Tensor<4> = Tensor::from_data(TensorData::new(numbers, [1, 4, 4, 8]), &device);
    let one = || Tensor::ones([8], &device);
    let normal = record::normalisation(pictures.clone(), one(), one(), 1, true).unwrap();
    assert!(values(normal).iter().any(|value| value.is_nan()));
    let window = Window {
        side: 3,
        stride: 2,
        padding: 1,
    };
    assert!(
        values(record::largest(pictures, window).unwrap())
            .iter()
            .any(|value| value.is_nan())
    );
}
