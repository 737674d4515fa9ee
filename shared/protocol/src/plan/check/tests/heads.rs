//! The rules of heads, broken once.

use super::{sound, with_heads};
use crate::{
    labels::{BodyPart, LabelName, Labels},
    plan::{Architecture, Head, HeadKind, Operation, PlanFault, StudyPlan, check::Faults},
};

#[test]
fn a_term_counts_as_the_listed_class_that_it_lies_within() {
    let head = |classes: &[&str]| Head {
        label: LabelName::BodyPart,
        kind: HeadKind::Classes(classes.iter().map(|class| (*class).to_owned()).collect()),
        weight: 1.0,
    };
    let lumbar = Labels {
        body_part: Some(BodyPart::LumbarSpine),
        ..Labels::default()
    };
    assert_eq!(head(&["CHEST", "SPINE"]).class(&lumbar), Some(1));
    assert_eq!(head(&["LSPINE", "SPINE"]).class(&lumbar), Some(0));
    assert_eq!(head(&["CHEST", "CSPINE"]).class(&lumbar), None);
    assert_eq!(head(&["CHEST", "SPINE"]).class(&Labels::default()), None);
}

#[test]
fn a_made_label_goes_only_with_heads_that_stay_true() {
    use LabelName::{BodyPart, Jigsaw, Laterality, Rotation, Sex, View};
    for (labels, words) in [
        (&[Rotation][..], None),
        (&[Jigsaw], None),
        (&[Rotation, BodyPart, Sex], None),
        (&[Rotation, View], Some("rotation does not go with view")),
        (&[Laterality, Rotation], Some("rotation does not go with laterality")),
        (&[Jigsaw, BodyPart], Some("jigsaw stands alone")),
    ] {
        let faults = with_heads(labels).faults();
        assert_eq!(faults.len(), usize::from(words.is_some()), "{labels:?}: {faults:?}");
        assert!(words.is_none_or(|words| faults[0].rule.contains(words)), "{faults:?}");
    }
    let mut mixed = with_heads(&[Jigsaw]);
    mixed.heads[0].kind = HeadKind::Classes(vec!["1234".to_owned(), "123456789".to_owned()]);
    assert!(
        mixed.faults()[0].rule.contains("four tiles or of nine"),
        "{:?}",
        mixed.faults()
    );
    mixed.heads[0].kind = HeadKind::Regression { unit: 1.0 };
    assert_eq!(mixed.faults()[0].field, "heads.kind");
}

#[test]
fn a_recipe_that_turned_pictures_over_would_not_go_with_the_side() {
    let quarter = [Operation::Rotate { degrees: 90.0 }];
    for (labels, is_faulty) in [
        (&[LabelName::View][..], true),
        (&[LabelName::BodyPart, LabelName::Laterality], true),
        (&[LabelName::BodyPart, LabelName::Sex], false),
    ] {
        let mut faults = Faults::default();
        with_heads(labels).check_sides(&quarter, &mut faults);
        assert_eq!(!faults.0.is_empty(), is_faulty, "{labels:?}");
        let is_named = |fault: &PlanFault| fault.field == "augmentation" && fault.rule.contains("its rotation");
        assert!(faults.0.iter().all(is_named));
    }
}

#[test]
fn a_mask_stands_alone_on_a_network_with_stages_under_a_label_of_the_hospitals() {
    let masked = |change: &dyn Fn(&mut StudyPlan)| {
        let mut plan = sound();
        plan.heads.truncate(1);
        plan.heads[0].label = "site_lungs".to_owned().try_into().unwrap();
        plan.heads[0].kind = HeadKind::Mask {
            classes: vec!["lung".to_owned()],
        };
        change(&mut plan);
        plan.faults().into_iter().map(|fault| fault.field).collect::<Vec<_>>()
    };
    let classes = |classes: &[&str]| HeadKind::Mask {
        classes: classes.iter().map(|class| (*class).to_owned()).collect(),
    };
    assert_eq!(masked(&|_| {}), Vec::<&str>::new());
    assert_eq!(masked(&|plan| plan.heads.push(sound().heads[0].clone())), ["heads"]);
    assert_eq!(masked(&|plan| plan.heads[0].label = LabelName::Age), ["heads.label"]);
    assert_eq!(
        masked(&|plan| {
            plan.network.architecture = Architecture::Vgg16;
            plan.network.input_side = 64;
            plan.network.width = 64;
        }),
        ["network.architecture"]
    );
    for bad in [&[][..], &["lung", "lung"], &["a lung"]] {
        assert_eq!(
            masked(&|plan| plan.heads[0].kind = classes(bad)),
            ["heads.kind.mask.classes"],
            "{bad:?}"
        );
    }
    assert_eq!(
        masked(&|plan| plan.comparison.own_model = true),
        ["comparison.own_model"]
    );
    let read: HeadKind = serde_json::from_str(r#"{"mask": {"classes": ["lung"]}}"#).unwrap();
    assert_eq!(read, classes(&["lung"]));
}
