//! Networks whose products are in halves beside the same in f32, with burn's operations for every device.

use snowball_protocol::plan::Decoder;

use super::{decoders::drawing, *};

/// How far `one` is from `other`, as a share of its length.
fn distance(one: &[f32], other: &[f32]) -> f64 {
    assert_eq!(one.len(), other.len());
    let length = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
    let between = length(&mut one.iter().zip(other).map(|(one, other)| f64::from(one - other)));
    between / length(&mut other.iter().map(|value| f64::from(*value)))
}

/// How far outputs and slopes are from those in f32, and that it is no further than halves must be.
fn compare(plan: &StudyPlan, outputs: impl Fn(&Network, &Device) -> Vec<Tensor<2>>) {
    let device = Device::flex().autodiff();
    let parameters = unlike_the_first(&Layout::of(plan));
    let of = |halves: Option<Halves>| {
        let network = Network::load(plan, &parameters, &device).unwrap().in_halves(halves);
        assert_eq!(network.store().unwrap(), parameters, "weights stay as they are");
        let outputs = outputs(&network, &device);
        let mut values: Vec<f32> = Vec::new();
        for output in &outputs {
            values.extend(output.clone().detach().try_into_vec_as::<f32>().unwrap());
        }
        let losses = outputs.into_iter().map(|output| output.add_scalar(0.3).square().mean());
        let loss: Tensor<1> = losses.reduce(|sum, next| sum + next).unwrap();
        (values, network.slopes(loss).unwrap())
    };
    let (values, slopes) = of(None);
    let name = plan.network.architecture.code();
    // 8 bits are exact in bf16 and 11 in f16.
    for (halves, outputs_max, slopes_max) in [(Halves::Bf16, 3e-2, 6e-2), (Halves::F16, 5e-3, 4e-2)] {
        let (rounded, rounded_slopes) = of(Some(halves));
        let found = (distance(&rounded, &values), distance(&rounded_slopes, &slopes));
        eprintln!(
            "{name} in {}: outputs {:.1e}, slopes {:.1e}",
            halves.code(),
            found.0,
            found.1
        );
        assert!(
            found.0 > 1e-5 && found.1 > 1e-5,
            "{name}: nothing was in {}: {found:?}",
            halves.code()
        );
        assert!(
            found.0 < outputs_max && found.1 < slopes_max,
            "{name} in {}: {found:?}",
            halves.code()
        );
    }
}

#[test]
fn networks_in_halves_say_and_learn_nearly_what_they_do_in_full() {
    for architecture in [
        Architecture::Small,
        Architecture::ResNet18,
        Architecture::DenseNet121,
        Architecture::AlexNet,
        Architecture::Xception,
    ] {
        let side = architecture.input_side_min().max(48) as usize;
        let plan = plan(architecture, architecture.width_step());
        compare(&plan, |network, device| {
            network.forward(pictures(4, side, device)).unwrap()
        });
    }
}

#[test]
fn drawings_in_halves_are_nearly_those_in_full() {
    let plan = drawing(Architecture::ResNet18, Decoder::UNet);
    compare(&plan, |network, device| {
        vec![network.draw(pictures(2, 48, device)).unwrap().flatten(1, 3)]
    });
}

#[test]
fn slopes_too_small_for_f16_are_not_lost() {
    let plan = plan(Architecture::Small, 8);
    let device = Device::flex().autodiff();
    let parameters = unlike_the_first(&Layout::of(&plan));
    let of = |halves: Option<Halves>| {
        let network = Network::load(&plan, &parameters, &device).unwrap().in_halves(halves);
        // As small as the share of one picture among many, over many places.
        let loss = || loss(&network, pictures(2, 64, &device)).mul_scalar(1e-6);
        let enlarged = network.slopes(loss()).unwrap();
        (enlarged, network.gradients(&mut loss().backward()).unwrap())
    };
    let (full, plain) = of(None);
    assert_eq!(full, plain);
    let (enlarged, lost) = of(Some(Halves::F16));
    let first = 0..Layout::of(&plan).tensors[0].values();
    let apart = |slopes: &[f32]| distance(&slopes[first.clone()], &full[first.clone()]);
    assert!(
        apart(&enlarged) < 5e-2 && apart(&lost) > 4.0 * apart(&enlarged),
        "{} {}",
        apart(&enlarged),
        apart(&lost)
    );
}
