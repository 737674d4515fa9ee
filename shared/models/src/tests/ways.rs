//! The two ways through a network: with operations of our own, as on this machine's processor, and with burn's alone, as everywhere
//! else.

use snowball_protocol::plan::Decoder;

use super::{
    decoders::{ENCODERS, drawing},
    *,
};

/// The same network and parameters with burn's operations alone.
fn by_burn(plan: &StudyPlan, parameters: &[f32], device: &Device) -> Network {
    let mut network = Network::load(plan, parameters, device).unwrap();
    assert!(network.host.take().is_some(), "the processor has operations of its own");
    network
}

/// Farthest distance of two values, as a share of the largest.
fn apart(one: &[f32], other: &[f32]) -> f32 {
    assert_eq!(one.len(), other.len());
    let largest = other.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
    let apart = one.iter().zip(other).map(|(one, other)| (one - other).abs());
    apart.fold(0.0_f32, f32::max) / largest.max(f32::MIN_POSITIVE)
}

/// Value and slopes of `loss` both ways.
fn compare(plan: &StudyPlan, loss: impl Fn(&Network, &Device) -> Tensor<1>) {
    let device = Device::flex().autodiff();
    let layout = Layout::of(plan);
    let parameters = unlike_the_first(&layout);
    let ways = [
        Network::load(plan, &parameters, &device).unwrap(),
        by_burn(plan, &parameters, &device),
    ];
    let [(ours, our_slopes), (theirs, their_slopes)] = ways.map(|network| {
        let loss = loss(&network, &device);
        let value: f32 = loss.clone().detach().into_scalar();
        (value, network.gradients(&mut loss.backward()).unwrap())
    });
    let name = plan.network.architecture.code();
    assert!(apart(&[ours], &[theirs]) < 1e-4, "{name}: {ours} and {theirs}");
    for tensor in &layout.tensors {
        let range = tensor.offset..tensor.offset + tensor.values();
        let apart = apart(&our_slopes[range.clone()], &their_slopes[range]);
        assert!(apart < 2e-2, "{name}: slopes by {} are {apart} apart", tensor.name);
    }
}

#[test]
fn both_ways_through_every_network_say_and_learn_the_same() {
    for architecture in Architecture::ALL {
        let side = architecture.input_side_min() as usize;
        let plan = plan(architecture, architecture.width_step());
        compare(&plan, |network, device| loss(network, pictures(2, side, device)));
    }
}

#[test]
fn both_ways_through_every_decoder_draw_and_learn_the_same() {
    for architecture in ENCODERS {
        for decoder in [Decoder::Plain, Decoder::UNet] {
            compare(&drawing(architecture, decoder), |network, device| {
                network
                    .draw(pictures(2, 33, device))
                    .unwrap()
                    .add_scalar(0.3)
                    .square()
                    .mean()
            });
        }
    }
}
