//! The classes that a dataset has, as the heads of a plan see them, and the ones too small to be in it.

use std::collections::{BTreeMap, BTreeSet};

use snowball_crypto::Pseudonym;
use snowball_protocol::{
    labels::{LabelName, Labels},
    plan::{Head, HeadKind},
};
use snowball_worker::shard::Part;

use crate::{Cell, Table, census::age_band, fact::Fact};

/// Takes away the labels of classes with fewer than `cell_min` radiographs to train on: somebody could stand out in them.
pub(super) fn leave_out_small(facts: &mut [Fact], heads: &[Head], cell_min: u64) {
    for head in heads {
        let masks = facts
            .iter()
            .filter(|fact| fact.part == Part::Training && head.has_mask(&fact.labels));
        if (masks.count() as u64) < cell_min {
            let masked = facts.iter_mut().filter(|fact| head.has_mask(&fact.labels));
            masked.for_each(|fact| forget(&mut fact.labels, head.label));
        }
        let mut training = vec![0_u64; head.outputs()];
        for fact in facts.iter().filter(|fact| fact.part == Part::Training) {
            if let Some(class) = head.class(&fact.labels) {
                training[class] += 1;
            }
        }
        for fact in facts.iter_mut() {
            if head.class(&fact.labels).is_some_and(|class| training[class] < cell_min) {
                forget(&mut fact.labels, head.label);
            }
        }
    }
}

fn forget(labels: &mut Labels, label: LabelName) {
    match label {
        LabelName::BodyPart => labels.body_part = None,
        LabelName::View => labels.view = None,
        LabelName::Laterality => labels.laterality = None,
        LabelName::Sex => labels.sex = None,
        LabelName::Age => labels.age_years = None,
        LabelName::Site(name) => drop(labels.site.remove(&name)),
        // No radiograph carries them.
        LabelName::Rotation | LabelName::Jigsaw => {}
    }
}

/// Whether `head` can learn from a radiograph with `labels`: from any, where the trainer makes the label.
pub(super) fn is_known(labels: &Labels, head: &Head) -> bool {
    head.label.is_made() || head.class(labels).is_some() || head.number(labels).is_some() || head.has_mask(labels)
}

/// The classes of one head (numbers: decades of age) in the training part.
pub(super) fn cells(facts: &[Fact], head: &Head) -> Table {
    let mut cells: BTreeMap<&str, (u64, BTreeSet<Pseudonym>)> = BTreeMap::new();
    for fact in facts.iter().filter(|fact| fact.part == Part::Training) {
        let class = match &head.kind {
            HeadKind::Classes(classes) => head.class(&fact.labels).map(|class| classes[class].as_str()),
            HeadKind::Regression { .. } if head.label == LabelName::Age => head.number(&fact.labels).and_then(age_band),
            HeadKind::Regression { .. } => head.number(&fact.labels).map(|_| "a number"),
            HeadKind::Mask { .. } => head.has_mask(&fact.labels).then_some("a mask"),
        };
        if let Some(class) = class {
            let (radiographs, patients) = cells.entry(class).or_default();
            *radiographs += 1;
            patients.insert(fact.patient);
        }
    }
    let cell = |(radiographs, patients): (u64, BTreeSet<_>)| Cell::Counted {
        radiographs,
        patients: patients.len() as u64,
    };
    cells
        .into_iter()
        .map(|(class, count)| (class.to_owned(), cell(count)))
        .collect()
}
