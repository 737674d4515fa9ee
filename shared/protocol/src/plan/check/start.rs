//! The rules of what a study begins from.

use std::collections::BTreeSet;

use super::{Faults, is_code};
use crate::{
    limits::{START_NAME_CHARACTERS_MAX, START_PARENTS_MAX, START_STAGES_MAX},
    plan::{Beginning, Origin, StudyPlan},
};

impl StudyPlan {
    pub(super) fn check_start(&self, faults: &mut Faults) {
        let Some(start) = &self.start else { return };
        check_taken(start, self, faults);
        faults.unless(
            (1..=START_PARENTS_MAX).contains(&start.parents.len()),
            "start.parents",
            "must be 1 to 16",
        );
        let files = start
            .parents
            .iter()
            .enumerate()
            .filter_map(|(place, parent)| match parent {
                Origin::File { name, .. } => Some((place, name)),
                Origin::Release { .. } => None,
            });
        for (place, name) in files {
            faults.unless(
                place + 1 == start.parents.len(),
                "start.parents.file",
                "must be the last: nobody knows what a file began from",
            );
            let is_plain = name.chars().all(|one| !one.is_control() && !matches!(one, '/' | '\\'));
            faults.unless(
                is_plain && (1..=START_NAME_CHARACTERS_MAX).contains(&name.chars().count()),
                "start.parents.file.name",
                "must be a file's name without its folder, of 1 to 200 characters",
            );
        }
    }
}

/// What is taken from the first parent.
fn check_taken(start: &Beginning, plan: &StudyPlan, faults: &mut Faults) {
    let stages: BTreeSet<_> = start.stages.iter().collect();
    faults.unless(
        (1..=START_STAGES_MAX).contains(&start.stages.len()) && stages.len() == start.stages.len(),
        "start.stages",
        "must be 1 to 64, each once",
    );
    faults.unless(
        start.stages.iter().all(|stage| is_code(stage)),
        "start.stages",
        "must be names of a trunk's stages, such as stem",
    );
    let heads: BTreeSet<_> = start.heads.iter().collect();
    faults.unless(
        heads.len() == start.heads.len()
            && heads
                .iter()
                .all(|head| plan.heads.iter().any(|own| own.label == **head)),
        "start.heads",
        "must be labels of the plan's heads, each once",
    );
    faults.unless(
        start.heads.is_empty() || matches!(start.parents.first(), Some(Origin::Release { .. })),
        "start.heads",
        "must be absent where the first parent is a file: it does not say what its heads mean",
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{digest::Sha256Digest, labels::LabelName};

    fn file(name: &str) -> Origin {
        Origin::File {
            name: name.to_owned(),
            digest: Sha256Digest::of(b"file"),
        }
    }

    fn release() -> Origin {
        Origin::Release {
            study: "ages".parse().unwrap(),
            lineage: Sha256Digest::of(b"lineage"),
            model: Sha256Digest::of(b"model"),
        }
    }

    /// The fields that are named where `change` was made to a sound plan.
    fn named(change: impl FnOnce(&mut Beginning)) -> Vec<&'static str> {
        let text = include_str!("../../../../../policies/cases/studies/body-parts.toml");
        let mut plan: StudyPlan = toml::from_str(text).unwrap();
        let mut start = Beginning {
            model: Sha256Digest::of(b"round 0"),
            stages: vec!["stem".to_owned(), "stage1".to_owned()],
            heads: vec![plan.heads[0].label],
            parents: vec![release(), file("resnet18-f37072fd.safetensors")],
        };
        change(&mut start);
        plan.start = Some(start);
        plan.faults().into_iter().map(|fault| fault.field).collect()
    }

    #[test]
    fn what_a_study_begins_from_keeps_its_rules() {
        assert_eq!(named(|_| {}), [""; 0]);
        assert_eq!(named(|start| start.parents = vec![release(); 17]), ["start.parents"]);
        assert!(named(|start| start.parents.clear()).contains(&"start.parents"));
        assert_eq!(
            named(|start| start.parents.insert(1, file("a"))),
            ["start.parents.file"]
        );
        for name in ["", "../a", "a\nb", &"a".repeat(201)] {
            assert_eq!(
                named(|start| start.parents[1] = file(name)),
                ["start.parents.file.name"]
            );
        }
        assert_eq!(named(|start| start.stages.clear()), ["start.stages"]);
        assert_eq!(named(|start| start.stages.push("stem".to_owned())), ["start.stages"]);
        assert_eq!(named(|start| start.stages.push("a b".to_owned())), ["start.stages"]);
        assert_eq!(named(|start| start.heads.push(start.heads[0])), ["start.heads"]);
        assert_eq!(named(|start| start.heads[0] = LabelName::Jigsaw), ["start.heads"]);
        assert_eq!(
            named(|start| start.parents = vec![file("a.safetensors")]),
            ["start.heads"]
        );
    }
}
