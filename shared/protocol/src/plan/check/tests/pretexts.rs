//! The rules of learning without labels, broken once.

use super::{sound, with_heads};
use crate::{
    labels::LabelName,
    plan::{
        Architecture, Augmentation, Contrastive, Decoder, Masked, Positives, Preprocessing, Pretext, Reconstruction,
        StudyPlan,
    },
};

#[test]
fn a_plan_that_draws_radiographs_again_has_no_heads_and_a_network_that_a_decoder_is_built_on() {
    let pretext = |decoder, masked| Some(Pretext::Reconstruction(Reconstruction { decoder, masked }));
    let masked = Some(Masked { patch: 8, share: 0.6 });
    let mut plan = sound();
    assert!(!toml::to_string(&plan).unwrap().contains("pretext"));
    plan.heads.clear();
    assert_eq!(plan.faults()[0].field, "heads");
    for (decoder, masked) in [
        (Decoder::Plain, None),
        (Decoder::Plain, masked),
        (Decoder::UNet, masked),
    ] {
        plan.pretext = pretext(decoder, masked);
        assert_eq!(plan.faults(), []);
        let read: StudyPlan = toml::from_str(&toml::to_string(&plan).unwrap()).unwrap();
        assert_eq!(read.digest(), plan.digest());
    }
    type Change = fn(&mut StudyPlan);
    let changes: [(&str, Change); 4] = [
        ("heads", |plan| plan.heads = sound().heads),
        ("network.architecture", |plan| {
            plan.network.architecture = Architecture::Vgg16
        }),
        ("comparison.own_model", |plan| plan.comparison.own_model = true),
        ("pretext.reconstruction.masked.patch", |plan| {
            plan.network.input_side = 60
        }),
    ];
    for (field, change) in changes {
        let mut plan = plan.clone();
        change(&mut plan);
        assert_eq!(
            plan.faults().iter().map(|fault| fault.field).collect::<Vec<_>>(),
            [field]
        );
    }
    plan.pretext = pretext(Decoder::UNet, None);
    assert_eq!(plan.faults()[0].field, "pretext.reconstruction.decoder");
    plan.pretext = pretext(
        Decoder::Plain,
        Some(Masked {
            patch: 8,
            share: f64::NAN,
        }),
    );
    assert_eq!(plan.faults()[0].field, "pretext.reconstruction.masked.share");
}

#[test]
fn a_plan_that_looks_for_pairs_has_several_radiographs_a_step_and_views_that_differ() {
    type Change = fn(&mut StudyPlan, &mut Contrastive);
    let faults = |change: Change| {
        let mut contrastive = Contrastive {
            temperature: 0.1,
            dimension: 64,
            positives: Positives::Patient,
        };
        let mut plan = sound();
        plan.heads.clear();
        plan.augmentation = Augmentation::XrSslV1;
        plan.local.batch_size = 32;
        change(&mut plan, &mut contrastive);
        plan.pretext = Some(Pretext::Contrastive(contrastive));
        let read: StudyPlan = toml::from_str(&toml::to_string(&plan).unwrap()).unwrap();
        assert_eq!(read.digest(), plan.digest());
        plan.faults().into_iter().map(|fault| fault.field).collect::<Vec<_>>()
    };
    assert_eq!(faults(|_, _| {}), <[&str; 0]>::default());
    assert_eq!(
        faults(|plan, _| plan.network.architecture = Architecture::Vgg16),
        <[&str; 0]>::default()
    );
    let changes: [(&str, Change); 12] = [
        ("heads", |plan, _| plan.heads = sound().heads),
        ("pretext.contrastive.temperature", |_, asked| asked.temperature = 0.0),
        ("pretext.contrastive.temperature", |_, asked| asked.temperature = 0.009),
        ("pretext.contrastive.temperature", |_, asked| asked.temperature = 1.1),
        ("pretext.contrastive.temperature", |_, asked| asked.temperature = -0.1),
        ("pretext.contrastive.dimension", |_, asked| asked.dimension = 7),
        ("pretext.contrastive.dimension", |_, asked| asked.dimension = 1_025),
        ("local.batch_size", |plan, _| plan.local.batch_size = 1),
        ("local.batch_size", |plan, _| plan.local.batch_size = 1_025),
        ("augmentation", |plan, _| plan.augmentation = Augmentation::None),
        ("augmentation", |plan, _| plan.augmentation = Augmentation::XrStrongV1),
        ("comparison.own_model", |plan, _| plan.comparison.own_model = true),
    ];
    for (field, change) in changes {
        assert_eq!(faults(change), [field]);
    }
}

#[test]
fn patches_are_for_learning_without_labels() {
    let patches = |mut plan: StudyPlan| {
        plan.preprocessing = Preprocessing::PatchesV1;
        plan.faults()
    };
    assert_eq!(patches(with_heads(&[LabelName::Jigsaw])), []);
    let faults = patches(with_heads(&[LabelName::Rotation, LabelName::BodyPart]));
    assert!(faults.len() == 1 && faults[0].field == "preprocessing", "{faults:?}");
    for (positives, sound) in [(Positives::Radiograph, true), (Positives::Patient, false)] {
        let mut pairs = with_heads(&[]);
        pairs.pretext = Some(Pretext::Contrastive(Contrastive {
            temperature: 0.2,
            dimension: 16,
            positives,
        }));
        let faults = patches(pairs);
        assert_eq!(faults.is_empty(), sound, "{faults:?}");
    }
}
