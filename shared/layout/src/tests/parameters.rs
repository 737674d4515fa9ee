//! Values of parameters: what they begin with, what of them stays at the sites, and their bytes.

use proptest::prelude::*;
use snowball_protocol::{
    Sha256Digest,
    plan::{Architecture, KeptRole},
};

use super::plan;
use crate::*;

#[test]
fn what_stays_at_the_sites_is_every_scale_and_shift_and_nothing_else() {
    for architecture in Architecture::ALL {
        let mut plan = plan(architecture, 16);
        let layout = Layout::of(&plan);
        assert!(layout.kept(&plan).is_empty());
        plan.local.keep = vec![KeptRole::Normalisation];
        assert_eq!(
            Layout::of(&plan).digest(),
            layout.digest(),
            "the update keeps its layout"
        );
        let kept = layout.kept(&plan);
        let mut marked = vec![0.0; layout.parameters()];
        kept.lay_over(&vec![1.0; kept.parameters()], &mut marked);
        for tensor in &layout.tensors {
            let values = &marked[tensor.offset..tensor.offset + tensor.values()];
            let expected = f32::from(u8::from(tensor.name.contains("norm")));
            assert!(values.iter().all(|value| *value == expected), "{}", tensor.name);
        }
        assert!(!kept.are_zero(&marked));
        assert_eq!(kept.values(&marked), vec![1.0; kept.parameters()]);
        kept.clear(&mut marked);
        assert!(kept.are_zero(&marked) && marked.iter().all(|value| *value == 0.0));
        let is_norm: Vec<bool> = layout
            .tensors
            .iter()
            .map(|tensor| tensor.role == Role::NormAffine)
            .collect();
        let begins = is_norm.windows(2).filter(|pair| !pair[0] && pair[1]).count();
        assert_eq!(kept.stretches().len(), begins, "what lies side by side is one stretch");
    }
}

#[test]
fn values_go_back_where_they_came_from() {
    let mut plan = plan(Architecture::Small, 8);
    plan.local.keep = vec![KeptRole::Normalisation];
    let (layout, other) = (Layout::of(&plan), Layout::of(&plan).initial_parameters(3));
    let kept = layout.kept(&plan);
    let own: Vec<f32> = (0..layout.parameters()).map(|place| place as f32).collect();
    let mut laid = other.clone();
    kept.lay_over(&kept.values(&own), &mut laid);
    for (place, value) in laid.iter().enumerate() {
        let stays = kept.stretches().iter().any(|stretch| stretch.contains(&place));
        assert_eq!(*value, if stays { own[place] } else { other[place] }, "{place}");
    }
}

#[test]
fn parameters_start_where_they_should() {
    let layout = Layout::of(&plan(Architecture::Small, 16));
    let flat = layout.initial_parameters(7);
    assert_eq!(flat.len(), layout.parameters());
    assert_eq!(flat, layout.initial_parameters(7));
    assert_ne!(flat, layout.initial_parameters(8));
    let of = |name: &str| {
        let tensor = layout.tensor(name).unwrap();
        &flat[tensor.offset..tensor.offset + tensor.values()]
    };
    let weight = of("trunk.stage3.conv.weight");
    let variance = weight.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>() / weight.len() as f64;
    assert!((variance * 288.0 / 2.0 - 1.0).abs() < 0.02, "{variance}");
    assert!(of("trunk.stage3.norm.weight").iter().all(|value| *value == 1.0));
    assert_eq!(of("heads.age.bias"), [0.5]);
    assert!(of("heads.body_part.weight").iter().all(|value| value.abs() < 0.02));
}

/// Written down once: a change of these bits would silently change the model of round 0 of every study.
#[test]
fn the_first_bits_stay() {
    let layout = Layout::of(&plan(Architecture::Small, 8));
    let bytes = to_le_bytes(&layout.initial_parameters(7));
    assert_eq!(Sha256Digest::of(&bytes).short(), "0c320e1c");
}

proptest! {
    #[test]
    fn bytes_there_and_back(values in proptest::collection::vec(any::<u32>(), 0..50), cut in 1_usize..4) {
        let parameters: Vec<f32> = values.iter().map(|bits| f32::from_bits(*bits)).collect();
        let bytes = to_le_bytes(&parameters);
        let read = from_le_bytes(&bytes).unwrap();
        prop_assert!(read.iter().map(|value| value.to_bits()).eq(values.iter().copied()));
        if !bytes.is_empty() {
            prop_assert!(from_le_bytes(&bytes[..bytes.len() - cut]).is_none());
        }
    }
}
