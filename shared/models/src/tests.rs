use burn::tensor::{Device, Tensor, TensorData};
use snowball_layout::Layout;
use snowball_protocol::{
    StudyPlan,
    labels::LabelName,
    plan::{
        Architecture, Augmentation, Head, HeadKind, LocalTraining, Network as Asked, Optimiser, OptimiserRule,
        Preprocessing, Rounds, Schedule, Sent, Span, Strategy, Transfer,
    },
};

use super::*;

mod decoders;
mod halves;
mod peers;
mod ways;

fn plan(architecture: Architecture, width: u32) -> StudyPlan {
    let span = Span { min: 1, max: 4 };
    StudyPlan {
        format: 1,
        study: "models".parse().unwrap(),
        title: "Models".to_owned(),
        purpose: "pretraining".parse().unwrap(),
        stage: snowball_protocol::plan::StudyStage::default(),
        seed: 7,
        start: None,
        network: Asked {
            architecture,
            input_side: 32,
            width,
        },
        heads: vec![
            Head {
                label: LabelName::BodyPart,
                kind: HeadKind::Classes(vec!["CHEST".to_owned(), "HAND".to_owned(), "KNEE".to_owned()]),
                weight: 1.0,
            },
            Head {
                label: LabelName::Age,
                kind: HeadKind::Regression { unit: 100.0 },
                weight: 1.0,
            },
        ],
        pretext: None,
        preprocessing: Preprocessing::LetterboxV1,
        augmentation: Augmentation::None,
        optimiser: Optimiser {
            rule: OptimiserRule::Adamw,
            learning_rate: 1e-3,
            weight_decay: 0.01,
            schedule: Schedule::Constant,
            gradient_norm_max: None,
        },
        local: LocalTraining {
            steps: 10,
            batch_size: 32,
            epochs: None,
            proximal: None,
            drift: None,
            keep: Vec::new(),
        },
        strategy: Strategy::fed_avg(1000, 100.0),
        transfer: Transfer::default(),
        rounds: Rounds {
            count: 10,
            sites: span,
            recruit_seconds: span,
            updates: span,
            collect_seconds: span,
            review_seconds_max: 60,
            late: snowball_protocol::plan::Late::Drop,
        },
        send: vec![Sent::Update],
        comparison: snowball_protocol::plan::Comparison::default(),
    }
}

fn pictures(count: usize, side: usize, device: &Device) -> Tensor<4> {
    let values: Vec<f32> = (0..count * side * side)
        .map(|position| ((position * 37 % 101) as f32 / 50.0) - 1.0)
        .collect();
    Tensor::from_data(TensorData::new(values, [count, 1, side, side]), device)
}

/// Parameters whose norms and biases are not 1 and 0, as they are before the first round.
fn unlike_the_first(layout: &Layout) -> Vec<f32> {
    let (first, other) = (layout.initial_parameters(5), layout.initial_parameters(6));
    first.iter().zip(other).map(|(a, b)| a + 0.2 * b).collect()
}

/// A smooth function of all outputs.
fn loss(network: &Network, pictures: Tensor<4>) -> Tensor<1> {
    let outputs = network.forward(pictures).unwrap();
    outputs
        .into_iter()
        .map(|output| output.add_scalar(0.3).square().sum())
        .reduce(|sum, next| sum + next)
        .unwrap()
}

#[test]
fn a_network_keeps_every_bit() {
    for architecture in Architecture::ALL {
        let plan = plan(architecture, architecture.width_step());
        let layout = Layout::of(&plan);
        // Every value differs, so a transposed or exchanged tensor would show.
        let parameters: Vec<f32> = (0..layout.parameters()).map(|position| position as f32 * 0.5).collect();
        let network = Network::load(&plan, &parameters, &Device::flex()).unwrap();
        assert_eq!(network.store().unwrap(), parameters, "{}", architecture.code());
    }
}

#[test]
fn what_does_not_learn_has_no_slope_and_leaves_the_other_slopes_as_they_are() {
    for architecture in [Architecture::Small, Architecture::ResNet18, Architecture::DenseNet121] {
        let plan = plan(architecture, architecture.width_step());
        let device = Device::flex().autodiff();
        let parameters = Layout::of(&plan).initial_parameters(1);
        let slopes = |learns: &dyn Fn(&snowball_layout::Tensor) -> bool| {
            let network = Network::load_learning(&plan, &parameters, &device, learns).unwrap();
            let mut gradients = loss(&network, pictures(2, 32, &device)).backward();
            network.gradients(&mut gradients).unwrap()
        };
        let whole = slopes(&|_| true);
        let last = Layout::of(&plan).stages().pop().unwrap().name;
        let is_behind = |tensor: &snowball_layout::Tensor| tensor.stage().is_none();
        let is_high = |tensor: &snowball_layout::Tensor| tensor.stage().is_none_or(|stage| stage == last);
        for learns in [&is_behind as &dyn Fn(&snowball_layout::Tensor) -> bool, &is_high] {
            let part = slopes(learns);
            for tensor in &Layout::of(&plan).tensors {
                let range = tensor.offset..tensor.offset + tensor.values();
                if learns(tensor) {
                    assert_eq!(part[range.clone()], whole[range], "{}", tensor.name);
                } else {
                    assert!(part[range].iter().all(|slope| *slope == 0.0), "{}", tensor.name);
                }
            }
        }
    }
}

#[test]
fn wrong_parameters_and_wrong_pictures_are_errors() {
    let plan = plan(Architecture::Small, 8);
    let device = Device::flex();
    let parameters = Layout::of(&plan).initial_parameters(1);
    let short = Network::load(&plan, &parameters[1..], &device);
    assert!(matches!(short, Err(ModelError::Count { .. })));
    assert!(Network::load(&plan, &[], &device).is_err());
    let network = Network::load(&plan, &parameters, &device).unwrap();
    assert!(network.forward(Tensor::zeros([2, 3, 32, 32], &device)).is_err());
    assert!(network.forward(Tensor::zeros([0, 1, 32, 32], &device)).is_err());
    assert!(network.forward(Tensor::zeros([2, 1, 32, 33], &device)).is_err());
    let inception = self::plan(Architecture::InceptionV3, 8);
    let network = Network::load(&inception, &Layout::of(&inception).initial_parameters(1), &device).unwrap();
    assert!(network.forward(Tensor::zeros([2, 1, 74, 74], &device)).is_err());
}

#[test]
fn any_size_of_picture_gives_one_output_a_head() {
    for architecture in Architecture::ALL {
        let plan = plan(architecture, architecture.width_step());
        let device = Device::flex();
        let network = Network::load(&plan, &Layout::of(&plan).initial_parameters(1), &device).unwrap();
        let smallest = architecture.input_side_min() as usize;
        for side in [smallest, smallest + 1, 96] {
            let outputs = network.forward(pictures(2, side, &device)).unwrap();
            assert_eq!(outputs.iter().map(Tensor::dims).collect::<Vec<_>>(), [[2, 3], [2, 1]]);
        }
    }
}

#[test]
fn the_small_net_computes_what_plain_loops_compute() {
    let plan = plan(Architecture::Small, 16);
    let device = Device::flex();
    let layout = Layout::of(&plan);
    let parameters = unlike_the_first(&layout);
    let network = Network::load(&plan, &parameters, &device).unwrap();
    for side in [32, 21] {
        let pictures = pictures(1, side, &device);
        let expected = reference::small(&layout, &parameters, &pictures.try_to_vec_as::<f32>().unwrap(), side);
        let outputs: Vec<f32> = network
            .forward(pictures)
            .unwrap()
            .into_iter()
            .flat_map(|output| output.try_into_vec_as::<f32>().unwrap())
            .collect();
        for (output, expected) in outputs.iter().zip(&expected) {
            assert!(
                (f64::from(*output) - expected).abs() < 1e-4,
                "{outputs:?} against {expected:?}"
            );
        }
        assert_eq!(outputs.len(), expected.len());
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    for architecture in [Architecture::Small, Architecture::ResNet18] {
        let plan = plan(architecture, 8);
        let device = Device::flex();
        let layout = Layout::of(&plan);
        let parameters = layout.initial_parameters(3);
        let network = Network::load(&plan, &parameters, &device.clone().autodiff()).unwrap();
        let mut gradients = loss(&network, pictures(2, 32, &device.clone().autodiff())).backward();
        let gradients = network.gradients(&mut gradients).unwrap();
        let at = |parameters: &[f32]| -> f64 {
            let network = Network::load(&plan, parameters, &device).unwrap();
            f64::from(loss(&network, pictures(2, 32, &device)).into_scalar::<f32>())
        };
        for tensor in &layout.tensors {
            // Along the tensor's own gradient, where the change is largest against rounding.
            let range = tensor.offset..tensor.offset + tensor.values();
            let length = gradients[range.clone()]
                .iter()
                .map(|slope| f64::from(*slope).powi(2))
                .sum::<f64>()
                .sqrt();
            assert!(length > 0.0, "{}", tensor.name);
            let moved = |distance: f64| {
                let mut parameters = parameters.clone();
                for position in range.clone() {
                    parameters[position] += (distance * f64::from(gradients[position]) / length) as f32;
                }
                at(&parameters)
            };
            let measured = (moved(3e-4) - moved(-3e-4)) / 6e-4;
            assert!(
                (measured / length - 1.0).abs() < 0.05,
                "{}: {measured} against {length}",
                tensor.name
            );
        }
    }
}

#[test]
fn each_network_learns_in_a_few_steps() {
    for architecture in Architecture::ALL {
        let plan = plan(architecture, architecture.width_step());
        let device = Device::flex().autodiff();
        let layout = Layout::of(&plan);
        let side = architecture.input_side_min() as usize;
        let mut parameters = layout.initial_parameters(3);
        let mut losses = Vec::new();
        for _ in 0..4 {
            let network = Network::load(&plan, &parameters, &device).unwrap();
            let loss = loss(&network, pictures(4, side, &device));
            losses.push(f64::from(loss.clone().detach().into_scalar::<f32>()));
            let slopes = network.gradients(&mut loss.backward()).unwrap();
            for tensor in &layout.tensors {
                let own = &slopes[tensor.offset..tensor.offset + tensor.values()];
                assert!(own.iter().all(|slope| slope.is_finite()), "{}", tensor.name);
                assert!(
                    own.iter().any(|slope| *slope != 0.0),
                    "{} of {}",
                    tensor.name,
                    architecture.code()
                );
            }
            // A step that would take away a twentieth of the loss, were it a plane.
            let length = slopes.iter().map(|slope| f64::from(*slope).powi(2)).sum::<f64>();
            let step = 0.05 * losses[losses.len() - 1] / length;
            parameters
                .iter_mut()
                .zip(&slopes)
                .for_each(|(parameter, slope)| *parameter -= (step * f64::from(*slope)) as f32);
        }
        let falls = losses.windows(2).all(|pair| pair[1] < pair[0]);
        assert!(falls, "{}: {losses:?}", architecture.code());
    }
}
