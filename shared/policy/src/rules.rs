//! The rules of a policy that its types cannot hold.

use std::{collections::HashSet, hash::Hash};

use snowball_protocol::limits::{INPUT_SIDE_MAX, ROUNDS_MAX};

use crate::{
    document::{Document, Stage},
    profile,
};

/// One rule that a document breaks.
pub(crate) struct BrokenRule {
    /// Where, as a dotted path.
    pub field: &'static str,
    /// What should hold, as the rest of a sentence that begins with the field.
    pub rule: String,
}

/// The first rule that `document` breaks, in the order of the file.
pub(crate) fn first_broken(document: &Document) -> Option<BrokenRule> {
    about_document(document)
        .or_else(|| about_studies(document))
        .or_else(|| about_lists(document))
        .or_else(|| profile::first_broken(&document.deidentification))
        .or_else(|| about_numbers(document))
        .or_else(|| about_stage(document))
}

fn about_document(document: &Document) -> Option<BrokenRule> {
    let approval = &document.approval;
    unless(document.format == 1, "format", "must be 1")
        .or_else(|| unless(document.version >= 1, "version", "must be at least 1"))
        .or_else(|| {
            unless(
                is_line(&approval.board),
                "approval.board",
                "must be one line of 1 to 200 characters",
            )
        })
        .or_else(|| {
            unless(
                is_line(&approval.reference),
                "approval.reference",
                "must be one line of 1 to 200 characters",
            )
        })
        .or_else(|| {
            let holds = approval.expires_on >= approval.approved_on;
            unless(
                holds,
                "approval.expires_on",
                "must not be before approval.approved_on: the policy would never hold",
            )
        })
}

fn about_studies(document: &Document) -> Option<BrokenRule> {
    let studies = &document.studies;
    if !studies.any_digest_of_named_studies {
        return None;
    }
    let stage = document.stage;
    let field = "studies.any_digest_of_named_studies";
    unless(
        stage.permits_any_digest(),
        field,
        &format!("must not be true at the stage {stage}: from collaboration on, each plan is approved by its digest"),
    )
    .or_else(|| {
        unless(
            studies.digests.is_empty(),
            field,
            "must not be true beside a list of digests: the list would mean nothing",
        )
    })
}

fn about_lists(document: &Document) -> Option<BrokenRule> {
    once(&document.purposes.allowed, "purposes.allowed")
        .or_else(|| once(&document.studies.allowed, "studies.allowed"))
        .or_else(|| once(&document.studies.digests, "studies.digests"))
        .or_else(|| once(&document.labels.allowed, "labels.allowed"))
        .or_else(|| once(&document.architectures.allowed, "architectures.allowed"))
        .or_else(|| once(&document.deidentification.options, "deidentification.options"))
        .or_else(|| once(&document.deidentification.remove, "deidentification.remove"))
        .or_else(|| once(&document.release.allowed, "release.allowed"))
}

fn about_numbers(document: &Document) -> Option<BrokenRule> {
    let (side, rounds) = (document.architectures.input_side_max, document.limits.rounds_max);
    let side_rule = format!("must be from 32 to {INPUT_SIDE_MAX}");
    unless(
        (32..=INPUT_SIDE_MAX).contains(&side),
        "architectures.input_side_max",
        &side_rule,
    )
    .or_else(|| {
        unless(
            document.cohort.training_patients_min >= 1,
            "cohort.training_patients_min",
            "must be at least 1",
        )
    })
    .or_else(|| unless(document.cohort.cell_min >= 1, "cohort.cell_min", "must be at least 1"))
    .or_else(|| {
        unless(
            (1..=ROUNDS_MAX).contains(&rounds),
            "limits.rounds_max",
            &format!("must be from 1 to {ROUNDS_MAX}"),
        )
    })
}

fn about_stage(document: &Document) -> Option<BrokenRule> {
    if document.stage != Stage::Local {
        return None;
    }
    unless(
        document.release.allowed.is_empty(),
        "release.allowed",
        "must be empty at the stage local: nothing leaves",
    )
    .or_else(|| {
        unless(
            document.limits.bytes_per_round_max == 0,
            "limits.bytes_per_round_max",
            "must be 0 at the stage local: nothing leaves",
        )
    })
}

pub(crate) fn unless(holds: bool, field: &'static str, rule: &str) -> Option<BrokenRule> {
    (!holds).then(|| BrokenRule {
        field,
        rule: rule.to_owned(),
    })
}

fn once<T: Eq + Hash>(items: &[T], field: &'static str) -> Option<BrokenRule> {
    let distinct: HashSet<&T> = items.iter().collect();
    unless(distinct.len() == items.len(), field, "must name each entry once")
}

pub(crate) fn is_line(text: &str) -> bool {
    let text_characters = text.chars().count();
    (1..=200).contains(&text_characters) && !text.chars().any(char::is_control) && text.trim() == text
}

#[cfg(test)]
mod tests {
    use crate::{
        PolicyFault, parse,
        testing::{COLLABORATION, LOCAL, PROOF_OF_CONCEPT},
    };

    #[test]
    fn every_rule_is_named_by_its_field() {
        for (sample, from, to, expected) in [
            (COLLABORATION, "version = 3", "version = 0", "version"),
            (COLLABORATION, "board = \"", "board = \"\\n", "approval.board"),
            (COLLABORATION, "reference = \"", "reference = \" ", "approval.reference"),
            (
                COLLABORATION,
                "expires_on = 2027",
                "expires_on = 2025",
                "approval.expires_on",
            ),
            (
                COLLABORATION,
                "[studies]\n",
                "[studies]\nany_digest_of_named_studies = true\n",
                "studies.any_digest_of_named_studies",
            ),
            (
                PROOF_OF_CONCEPT,
                "[studies]\n",
                "[studies]\ndigests = [\"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"]\n",
                "studies.any_digest_of_named_studies",
            ),
            (
                COLLABORATION,
                "[\"update\", \"metrics\"]",
                "[\"update\", \"update\"]",
                "release.allowed",
            ),
            (COLLABORATION, "\"age\"]", "\"view\"]", "labels.allowed"),
            (
                COLLABORATION,
                "\"small\"",
                "\"small\", \"small\"",
                "architectures.allowed",
            ),
            (
                COLLABORATION,
                "\"body-parts\"",
                "\"body-parts\", \"body-parts\"",
                "studies.allowed",
            ),
            (
                COLLABORATION,
                "\"pretraining\"",
                "\"pretraining\", \"pretraining\"",
                "purposes.allowed",
            ),
            (
                COLLABORATION,
                "input_side_max = 256",
                "input_side_max = 16",
                "architectures.input_side_max",
            ),
            (
                COLLABORATION,
                "training_patients_min = 50",
                "training_patients_min = 0",
                "cohort.training_patients_min",
            ),
            (COLLABORATION, "cell_min = 5", "cell_min = 0", "cohort.cell_min"),
            (
                COLLABORATION,
                "rounds_max = 100",
                "rounds_max = 100001",
                "limits.rounds_max",
            ),
            (
                LOCAL,
                "allowed = [] # nothing",
                "allowed = [\"metrics\"]",
                "release.allowed",
            ),
            (
                LOCAL,
                "bytes_per_round_max = 0",
                "bytes_per_round_max = 1",
                "limits.bytes_per_round_max",
            ),
        ] {
            assert!(sample.contains(from), "the sample lacks {from:?}");
            match parse(&sample.replacen(from, to, 1)) {
                Err(PolicyFault::Malformed { field: Some(field), .. }) => assert_eq!(field, expected),
                other => panic!("{expected}: {other:?}"),
            }
        }
    }
}
