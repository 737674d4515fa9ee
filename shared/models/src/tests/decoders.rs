//! Networks that draw their pictures again.

use snowball_protocol::plan::{Decoder, Masked, Pretext, Reconstruction};

use super::*;

/// Encoders of every kind of stem and block.
pub(super) const ENCODERS: [Architecture; 4] = [
    Architecture::Small,
    Architecture::ResNet18,
    Architecture::ResNet18Full,
    Architecture::ResNet50,
];

pub(super) fn drawing(architecture: Architecture, decoder: Decoder) -> StudyPlan {
    let masked = Some(Masked { patch: 8, share: 0.5 });
    let mut plan = plan(architecture, architecture.width_step());
    plan.heads.clear();
    plan.pretext = Some(Pretext::Reconstruction(Reconstruction { decoder, masked }));
    assert_eq!(plan.faults(), []);
    plan
}

fn values(tensor: Tensor<4>) -> Vec<f32> {
    tensor.try_into_vec_as().unwrap()
}

#[test]
fn a_drawing_is_as_large_as_its_picture_and_only_a_plan_that_asks_for_it_has_one() {
    let device = Device::flex();
    for architecture in ENCODERS {
        for decoder in [Decoder::Plain, Decoder::UNet] {
            let plan = drawing(architecture, decoder);
            let network = Network::load(&plan, &Layout::of(&plan).initial_parameters(1), &device).unwrap();
            for side in [32, 33, 50] {
                let drawn = network.draw(pictures(2, side, &device)).unwrap();
                assert_eq!(drawn.dims(), [2, 1, side, side]);
            }
            assert!(network.forward(pictures(2, 32, &device)).unwrap().is_empty());
            assert!(network.draw(Tensor::zeros([2, 1, 32, 33], &device)).is_err());
        }
    }
    let plan = plan(Architecture::Small, 8);
    let network = Network::load(&plan, &Layout::of(&plan).initial_parameters(1), &device).unwrap();
    assert!(matches!(
        network.draw(pictures(1, 32, &device)),
        Err(ModelError::NoDecoder)
    ));
}

/// Beyond the step itself: which of the four values that one becomes is cut off where a side is odd.
#[test]
fn a_scale_is_doubled_by_repeating_each_value() {
    let device = Device::flex();
    let small = pictures(1, 3, &device);
    let step = snowball_layout::Step {
        operation: snowball_layout::Operation::Upsample,
        inputs: Vec::new(),
    };
    for side in [5, 6] {
        let inputs = [small.clone(), Tensor::zeros([1, 4, side, side], &device)].map(steps::Value::Pictures);
        let large = steps::take(&step, &[], None, inputs.into())
            .and_then(steps::Value::pictures)
            .unwrap();
        assert_eq!(large.dims(), [1, 1, side, side]);
        let (large, small) = (values(large), values(small.clone()));
        for place in 0..side * side {
            assert_eq!(large[place], small[place / side / 2 * 3 + place % side / 2]);
        }
    }
}

#[test]
fn slopes_are_those_of_finite_differences() {
    for (decoder, side) in [(Decoder::Plain, 32), (Decoder::UNet, 35)] {
        let plan = drawing(Architecture::Small, decoder);
        let device = Device::flex();
        let layout = Layout::of(&plan);
        let parameters = unlike_the_first(&layout);
        let of = |parameters: &[f32], device: &Device| {
            let network = Network::load(&plan, parameters, device).unwrap();
            let pictures = pictures(2, side, device);
            let squares = (network.draw(pictures.clone()).unwrap() - pictures).square();
            (network, squares)
        };
        let (network, squares) = of(&parameters, &device.clone().autodiff());
        let slopes = network.gradients(&mut squares.sum().backward()).unwrap();
        for tensor in &layout.tensors {
            let range = tensor.offset..tensor.offset + tensor.values();
            let squares = slopes[range.clone()].iter().map(|slope| f64::from(*slope).powi(2));
            let length = squares.sum::<f64>().sqrt();
            assert!(length > 0.0, "{}", tensor.name);
            let at = |distance: f64| {
                let mut moved = parameters.clone();
                for place in range.clone() {
                    moved[place] += (distance * f64::from(slopes[place]) / length) as f32;
                }
                // A sum of thousands in f32 would round away a good part of the difference.
                values(of(&moved, &device).1).into_iter().map(f64::from).sum::<f64>()
            };
            let measured = (at(1e-3) - at(-1e-3)) / 2e-3;
            let name = &tensor.name;
            assert!(
                (measured / length - 1.0).abs() < 0.05,
                "{name}: {measured} against {length}"
            );
        }
    }
}

#[test]
fn each_decoder_learns_on_each_encoder_in_a_few_steps() {
    for architecture in ENCODERS {
        for decoder in [Decoder::Plain, Decoder::UNet] {
            let plan = drawing(architecture, decoder);
            let device = Device::flex().autodiff();
            let layout = Layout::of(&plan);
            let mut parameters = layout.initial_parameters(3);
            let mut losses = Vec::new();
            for _ in 0..4 {
                let network = Network::load(&plan, &parameters, &device).unwrap();
                let pictures = pictures(4, 32, &device);
                let loss = (network.draw(pictures.clone()).unwrap() - pictures).square().mean();
                losses.push(f64::from(loss.clone().detach().into_scalar::<f32>()));
                let slopes = network.gradients(&mut loss.backward()).unwrap();
                for tensor in &layout.tensors {
                    let own = &slopes[tensor.offset..tensor.offset + tensor.values()];
                    let moves = own.iter().all(|slope| slope.is_finite()) && own.iter().any(|slope| *slope != 0.0);
                    assert!(moves, "{} of {}", tensor.name, architecture.code());
                }
                // A short way down the slope: further on the way is too bent.
                let squares = slopes.iter().map(|slope| f64::from(*slope).powi(2)).sum::<f64>();
                let step = 5e-3 / squares.sqrt();
                let moved = parameters.iter_mut().zip(&slopes);
                moved.for_each(|(parameter, slope)| *parameter -= (step * f64::from(*slope)) as f32);
            }
            let falls = losses.windows(2).all(|pair| pair[1] < pair[0]);
            assert!(falls, "{} {decoder:?}: {losses:?}", architecture.code());
        }
    }
}
