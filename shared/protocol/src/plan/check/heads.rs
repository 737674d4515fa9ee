//! The rules of what a plan's network learns to tell.

use std::collections::BTreeSet;

use super::{Faults, is_code, is_within};
use crate::{
    labels::LabelName,
    limits::{CLASSES_MAX, HEADS_MAX, MASK_CLASSES_MAX},
    plan::{HeadKind, Operation, StudyPlan},
};

impl StudyPlan {
    pub(super) fn check_heads(&self, faults: &mut Faults) {
        let least = usize::from(self.pretext.is_none());
        faults.unless(
            (least..=HEADS_MAX).contains(&self.heads.len()),
            "heads",
            "must be 1 to 32",
        );
        let distinct: BTreeSet<_> = self.heads.iter().map(|head| head.label).collect();
        faults.unless(
            distinct.len() == self.heads.len(),
            "heads.label",
            "must be different in each head",
        );
        for head in &self.heads {
            faults.unless(
                is_within(head.weight, 1e-6, 1e6),
                "heads.weight",
                "must be from 0.000001 to 1000000",
            );
            match &head.kind {
                HeadKind::Classes(classes) => {
                    let distinct: BTreeSet<_> = classes.iter().collect();
                    let known = head.label.codes();
                    faults.unless(
                        (2..=CLASSES_MAX).contains(&classes.len()),
                        "heads.kind.classes",
                        "must be 2 to 256",
                    );
                    faults.unless(
                        distinct.len() == classes.len(),
                        "heads.kind.classes",
                        "must be different",
                    );
                    let is_own = matches!(head.label, LabelName::Site(_));
                    for class in classes.iter().filter(|class| is_own && !is_code(class)) {
                        let rule = format!("{class:?} is no code of a hospital's: 1 to 64 of a-z, A-Z, 0-9 and _ . -");
                        faults.unless(false, "heads.kind.classes", &rule);
                    }
                    for class in classes
                        .iter()
                        .filter(|class| !is_own && !known.contains(&class.as_str()))
                    {
                        let rule = format!("{class:?} is no {}; known are {}", head.label.code(), known.join(", "));
                        faults.unless(false, "heads.kind.classes", &rule);
                    }
                }
                HeadKind::Regression { unit } => {
                    faults.unless(
                        head.label.codes().is_empty(),
                        "heads.kind",
                        "this label has classes, not numbers",
                    );
                    faults.unless(
                        is_within(*unit, 1e-6, 1e6),
                        "heads.kind.regression.unit",
                        "must be from 0.000001 to 1000000",
                    );
                }
                HeadKind::Mask { classes } => self.check_mask(head.label, classes, faults),
            }
        }
    }

    fn check_mask(&self, label: LabelName, classes: &[String], faults: &mut Faults) {
        let distinct: BTreeSet<_> = classes.iter().collect();
        faults.unless(
            (1..=usize::from(MASK_CLASSES_MAX)).contains(&classes.len()) && distinct.len() == classes.len(),
            "heads.kind.mask.classes",
            "must be 1 to 15, and different",
        );
        faults.unless(
            classes.iter().all(|class| is_code(class)),
            "heads.kind.mask.classes",
            "must be codes: 1 to 64 of a-z, A-Z, 0-9 and _ . -",
        );
        faults.unless(
            matches!(label, LabelName::Site(_)),
            "heads.label",
            "of a mask must be one that the hospitals import: site_NAME",
        );
        faults.unless(
            self.heads.len() == 1 && self.pretext.is_none(),
            "heads",
            "must hold a mask alone: what else the network should tell is learned in a study of its own",
        );
        faults.unless(
            self.network.architecture.has_stages(),
            "network.architecture",
            "must be small or a ResNet for a mask: no decoder is built on the others",
        );
        faults.unless(
            !self.comparison.own_model,
            "comparison.own_model",
            "must be absent beside a mask: only classes and numbers are compared",
        );
    }

    /// What varies pictures or makes labels of them must leave the other heads something true to learn.
    pub(super) fn check_sides(&self, operations: &[Operation], faults: &mut Faults) {
        let has = |label| self.heads.iter().any(|head| head.label == label);
        // Situs, where it is ever a label, belongs here.
        let sided = [LabelName::View, LabelName::Laterality]
            .into_iter()
            .find(|label| has(*label));
        if let Some(label) = sided.as_ref().map(LabelName::code) {
            for operation in operations.iter().filter(|operation| !operation.keeps_side()) {
                let rule = format!(
                    "does not go with a head for {label}: its {} makes left look like right or standing like lying, and {label} \
                     would be learned wrong; take another recipe",
                    operation.name()
                );
                faults.unless(false, "augmentation", &rule);
            }
            faults.unless(
                !has(LabelName::Rotation),
                "heads.label",
                &format!(
                    "rotation does not go with {label}: a radiograph that the trainer turned shows another {label} than its label \
                     says; learn one of them in a study of its own"
                ),
            );
        }
        faults.unless(
            !has(LabelName::Jigsaw) || self.heads.len() == 1,
            "heads.label",
            "jigsaw stands alone: other heads would only ever see radiographs cut into tiles; learn them in a study that begins \
             with this one's network",
        );
        let jigsaws = self.heads.iter().filter(|head| head.label == LabelName::Jigsaw);
        for head in jigsaws {
            let HeadKind::Classes(orders) = &head.kind else {
                continue;
            };
            let lengths: BTreeSet<_> = orders.iter().map(String::len).collect();
            faults.unless(
                lengths.len() <= 1,
                "heads.kind.classes",
                "of jigsaw must be orders of four tiles or of nine, not both: all radiographs are cut alike",
            );
        }
    }
}
