//! The rules of a policy that its types cannot hold.

use std::{collections::HashSet, hash::Hash};

use snowball_protocol::limits::{INPUT_SIDE_MAX, ROUNDS_MAX, SITES_MAX};

use crate::{
    document::{Approval, Document},
    profile,
};

const APPROVALS_MAX: usize = 100;
const ROUNDS_ALL_MAX: u64 = 1_000_000;
const DAYS_MAX: u64 = 36_500;

/// One rule that a document breaks.
pub(crate) struct BrokenRule {
    /// Where, as a dotted path.
    pub field: &'static str,
    /// Which entry of the list that the path leads through, from 0.
    pub entry: usize,
    /// What should hold, as the rest of a sentence that begins with the field.
    pub rule: String,
}

/// The first rule that `document` breaks, in the order of the file.
pub(crate) fn first_broken(document: &Document) -> Option<BrokenRule> {
    about_document(document)
        .or_else(|| about_approvals(document))
        .or_else(|| about_lists(document))
        .or_else(|| profile::first_broken(&document.deidentification))
        .or_else(|| about_numbers(document))
        .or_else(|| about_leaving(document))
}

fn about_document(document: &Document) -> Option<BrokenRule> {
    unless(document.format == 1, "format", "must be 1")
        .or_else(|| unless(document.version >= 1, "version", "must be at least 1"))
        .or_else(|| {
            unless(
                document.version == 1 || document.supersedes.is_some(),
                "supersedes",
                "must name the digest of the policy before; only version 1 has none",
            )
        })
        .or_else(|| {
            unless(
                (1..=APPROVALS_MAX).contains(&document.approvals.len()),
                "approvals",
                "must be 1 to 100; without one the policy would permit nothing",
            )
        })
}

fn about_approvals(document: &Document) -> Option<BrokenRule> {
    let mut seen = HashSet::new();
    document.approvals.iter().enumerate().find_map(|(entry, approval)| {
        about_approval(approval)
            .or_else(|| {
                let is_new = seen.insert((approval.stage, &approval.reference));
                unless(
                    is_new,
                    "approvals.reference",
                    "must be another than that of an approval of the same stage",
                )
            })
            .map(|broken| BrokenRule { entry, ..broken })
    })
}

fn about_approval(approval: &Approval) -> Option<BrokenRule> {
    unless(
        is_line(&approval.board),
        "approvals.board",
        "must be one line of 1 to 200 characters",
    )
    .or_else(|| {
        unless(
            is_line(&approval.reference),
            "approvals.reference",
            "must be one line of 1 to 200 characters",
        )
    })
    .or_else(|| {
        let holds = approval.expires_on >= approval.approved_on;
        unless(
            holds,
            "approvals.expires_on",
            "must not be before approved_on: the approval would never hold",
        )
    })
    .or_else(|| once(&approval.studies, "approvals.studies"))
    .or_else(|| once(&approval.digests, "approvals.digests"))
    .or_else(|| about_any_digest(approval))
}

fn about_any_digest(approval: &Approval) -> Option<BrokenRule> {
    if !approval.any_digest_of_named_studies {
        return None;
    }
    let (field, stage) = ("approvals.any_digest_of_named_studies", approval.stage);
    unless(
        stage.permits_any_digest(),
        field,
        &format!("must not be true at the stage {stage}: from collaboration on, each plan is approved by its digest"),
    )
    .or_else(|| {
        unless(
            approval.digests.is_empty(),
            field,
            "must not be true beside a list of digests: the list would mean nothing",
        )
    })
}

fn about_lists(document: &Document) -> Option<BrokenRule> {
    once(&document.purposes.allowed, "purposes.allowed")
        .or_else(|| once(&document.labels.allowed, "labels.allowed"))
        .or_else(|| once(&document.architectures.allowed, "architectures.allowed"))
        .or_else(|| once(&document.deidentification.options, "deidentification.options"))
        .or_else(|| once(&document.deidentification.remove, "deidentification.remove"))
        .or_else(|| once(&document.release.allowed, "release.allowed"))
        .or_else(|| once(&document.hours.training, "hours.training"))
        .or_else(|| once(&document.hours.sending, "hours.sending"))
}

fn about_numbers(document: &Document) -> Option<BrokenRule> {
    let (cohort, limits, retention) = (&document.cohort, &document.limits, &document.retention);
    let within = |number: u64, min: u64, max: u64, field| {
        let rule = if max == u64::MAX {
            format!("must be at least {min}")
        } else {
            format!("must be from {min} to {max}")
        };
        unless((min..=max).contains(&number), field, &rule)
    };
    let (side_max, rounds_max) = (u64::from(INPUT_SIDE_MAX), u64::from(ROUNDS_MAX));
    [
        (
            u64::from(document.architectures.input_side_max),
            32,
            side_max,
            "architectures.input_side_max",
        ),
        (
            cohort.training_patients_min,
            1,
            u64::MAX,
            "cohort.training_patients_min",
        ),
        (cohort.cell_min, 1, u64::MAX, "cohort.cell_min"),
        (
            u64::from(document.aggregation.sites_min),
            1,
            u64::from(SITES_MAX),
            "aggregation.sites_min",
        ),
        (
            u64::from(limits.rounds_per_study_max),
            1,
            rounds_max,
            "limits.rounds_per_study_max",
        ),
        (
            u64::from(limits.rounds_all_studies_max),
            1,
            ROUNDS_ALL_MAX,
            "limits.rounds_all_studies_max",
        ),
        (
            u64::from(retention.datasets_days),
            1,
            DAYS_MAX,
            "retention.datasets_days",
        ),
        (
            u64::from(retention.evidence_days),
            1,
            DAYS_MAX,
            "retention.evidence_days",
        ),
        (u64::from(retention.outbox_days), 1, DAYS_MAX, "retention.outbox_days"),
    ]
    .into_iter()
    .find_map(|(number, min, max, field)| within(number, min, max, field))
}

/// A policy whose every approval is local would contradict itself if it let something leave.
fn about_leaving(document: &Document) -> Option<BrokenRule> {
    if document
        .approvals
        .iter()
        .any(|approval| approval.stage.permits_sending())
    {
        return None;
    }
    let limits = &document.limits;
    unless(
        document.release.allowed.is_empty(),
        "release.allowed",
        "must be empty where every approval is of the stage local: nothing leaves",
    )
    .or_else(|| {
        [
            (limits.bytes_per_round_max, "limits.bytes_per_round_max"),
            (limits.bytes_per_day_max, "limits.bytes_per_day_max"),
            (limits.bytes_per_study_max, "limits.bytes_per_study_max"),
        ]
        .into_iter()
        .find_map(|(bytes, field)| {
            let rule = "must be 0 where every approval is of the stage local: nothing leaves";
            unless(bytes == 0, field, rule)
        })
    })
}

pub(crate) fn unless(holds: bool, field: &'static str, rule: &str) -> Option<BrokenRule> {
    (!holds).then(|| BrokenRule {
        field,
        entry: 0,
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

    /// The field that is named after `from` became `to`.
    fn broken(sample: &str, from: &str, to: &str) -> String {
        assert!(sample.contains(from), "the sample lacks {from:?}");
        match parse(&sample.replacen(from, to, 1)) {
            Err(PolicyFault::Malformed { field: Some(field), .. }) => field,
            other => panic!("{from} to {to}: {other:?}"),
        }
    }

    #[test]
    fn every_rule_of_the_document_and_its_approvals_is_named_by_its_field() {
        let digest = "\"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"";
        for (sample, from, to, expected) in [
            (COLLABORATION, "version = 3", "version = 0", "version"),
            (COLLABORATION, "\nsupersedes = ", "\n# supersedes = ", "supersedes"),
            (COLLABORATION, "board = \"", "board = \"\\n", "approvals.board"),
            (
                COLLABORATION,
                "reference = \"",
                "reference = \" ",
                "approvals.reference",
            ),
            (
                COLLABORATION,
                "expires_on = 2027",
                "expires_on = 2025",
                "approvals.expires_on",
            ),
            (
                COLLABORATION,
                "stage = \"local\"\n",
                "stage = \"collaboration\"\n",
                "approvals.any_digest_of_named_studies",
            ),
            (
                LOCAL,
                "any_digest_of_named_studies = true",
                &format!("any_digest_of_named_studies = true\ndigests = [{digest}]"),
                "approvals.any_digest_of_named_studies",
            ),
            (
                PROOF_OF_CONCEPT,
                "stage = \"local\"\nboard = \"Research Ethics Board of the North Hospital\" # CHANGE\nreference = \"REB-2026-017\"",
                "stage = \"proof-of-concept\"\nboard = \"B\"\nreference = \"REB-2026-017, amendment 1\"",
                "approvals.reference",
            ),
            (
                COLLABORATION,
                "studies = [\"body-parts\"]",
                "studies = [\"body-parts\", \"body-parts\"]",
                "approvals.studies",
            ),
            (
                LOCAL,
                "any_digest_of_named_studies = true",
                &format!("digests = [{digest}, {digest}]"),
                "approvals.digests",
            ),
        ] {
            assert_eq!(broken(sample, from, to), expected, "{from} to {to}");
        }
    }

    #[test]
    fn every_rule_of_the_lists_and_numbers_is_named_by_its_field() {
        for (sample, from, to, expected) in [
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
                "\"pretraining\"",
                "\"pretraining\", \"pretraining\"",
                "purposes.allowed",
            ),
            (
                COLLABORATION,
                "training = [\"always\"]",
                "training = [\"always\", \"always\"]",
                "hours.training",
            ),
            (
                COLLABORATION,
                "sending = [\"always\"]",
                "sending = [\"always\", \"always\"]",
                "hours.sending",
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
            (COLLABORATION, "sites_min = 2", "sites_min = 0", "aggregation.sites_min"),
            (
                COLLABORATION,
                "rounds_per_study_max = 100",
                "rounds_per_study_max = 100_001",
                "limits.rounds_per_study_max",
            ),
            (
                COLLABORATION,
                "rounds_all_studies_max = 500",
                "rounds_all_studies_max = 0",
                "limits.rounds_all_studies_max",
            ),
            (
                COLLABORATION,
                "datasets_days = 90",
                "datasets_days = 0",
                "retention.datasets_days",
            ),
            (
                COLLABORATION,
                "evidence_days = 3650",
                "evidence_days = 36_501",
                "retention.evidence_days",
            ),
            (
                COLLABORATION,
                "outbox_days = 14",
                "outbox_days = 0",
                "retention.outbox_days",
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
            (
                LOCAL,
                "bytes_per_day_max = 0",
                "bytes_per_day_max = 1",
                "limits.bytes_per_day_max",
            ),
            (
                LOCAL,
                "bytes_per_study_max = 0",
                "bytes_per_study_max = 1",
                "limits.bytes_per_study_max",
            ),
        ] {
            assert_eq!(broken(sample, from, to), expected, "{from} to {to}");
        }
    }

    #[test]
    fn a_policy_has_at_least_one_approval_and_not_very_many() {
        let at = LOCAL.find("[[approvals]]").unwrap();
        let end = at + LOCAL[at..].find("\n\n").unwrap();
        let (before, approval, after) = (&LOCAL[..at], &LOCAL[at..end], &LOCAL[end..]);
        let with = |number: usize| {
            let approvals: String = (0..number)
                .map(|index| format!("{}\n", approval.replacen("REB-2026-017", &format!("R{index}"), 1)))
                .collect();
            let none = if number == 0 { "approvals = []\n" } else { "" };
            parse(&format!("{before}{none}{approvals}{after}"))
        };
        assert!(with(1).is_ok() && with(100).is_ok());
        for number in [0, 101] {
            assert!(
                matches!(with(number), Err(PolicyFault::Malformed { field: Some(field), .. }) if field == "approvals"),
                "{number}"
            );
        }
    }
}
