//! What changes from one policy to the next, in plain English.

use std::cmp::Ordering;

use snowball_confidentiality::{Action, changed};
use snowball_protocol::plan::Sent;

use crate::{
    policy::Policy,
    words::{bytes, count},
};

/// What changes from `old` to `new`, one sentence a change; empty where the two permit the same in the same words.
///
/// A sentence that says so ends with whether the change permits more or less.
#[must_use]
pub fn diff(old: &Policy, new: &Policy) -> Vec<String> {
    let mut changes = Changes(Vec::new());
    changes.about_document(old, new);
    changes.about_studies(old, new);
    changes.about_learning(old, new);
    changes.about_limits(old, new);
    changes.0
}

const MORE: &str = "This permits more.";
const LESS: &str = "This permits less.";

struct Changes(Vec<String>);

impl Changes {
    fn about_document(&mut self, old: &Policy, new: &Policy) {
        self.text("site", old.site().as_str(), new.site().as_str());
        self.text("version", &old.version().to_string(), &new.version().to_string());
        if old.stage() != new.stage() {
            let effect = if new.stage() > old.stage() { MORE } else { LESS };
            self.0.push(format!(
                "The stage changes from {} to {}. {effect}",
                old.stage(),
                new.stage()
            ));
        }
        self.text("board", old.board(), new.board());
        self.text("reference", old.reference(), new.reference());
        let (before, after) = (&old.0.approval, &new.0.approval);
        if before.approved_on != after.approved_on {
            let effect = if after.approved_on < before.approved_on {
                MORE
            } else {
                LESS
            };
            self.0.push(format!(
                "The first day changes from {} to {}. {effect}",
                before.approved_on, after.approved_on
            ));
        }
        if before.expires_on != after.expires_on {
            let effect = if after.expires_on > before.expires_on {
                MORE
            } else {
                LESS
            };
            self.0.push(format!(
                "The last day changes from {} to {}. {effect}",
                before.expires_on, after.expires_on
            ));
        }
    }

    fn about_studies(&mut self, old: &Policy, new: &Policy) {
        self.entries("purpose", old.purposes(), new.purposes(), |purpose| purpose.to_string());
        self.entries("study", old.studies(), new.studies(), |study| study.to_string());
        match (old.approves_any_digest(), new.approves_any_digest()) {
            (false, false) => self.entries("plan", old.plan_digests(), new.plan_digests(), ToString::to_string),
            (false, true) => self
                .0
                .push(format!("Any plan of the named studies is now approved. {MORE}")),
            (true, false) => {
                let approved = count(new.plan_digests().len() as u64, "plan");
                self.0.push(format!(
                    "Each plan now needs approval by its digest; the policy lists {approved}. {LESS}"
                ));
            }
            (true, true) => {}
        }
    }

    fn about_learning(&mut self, old: &Policy, new: &Policy) {
        self.entries("label", old.labels(), new.labels(), |label| label.code().to_owned());
        self.entries("network", old.architectures(), new.architectures(), |network| {
            network.code().to_owned()
        });
        let side = |policy: &Policy| u64::from(policy.input_side_max());
        self.number("largest side of a picture", side(old), side(new), MORE, |number| {
            count(number, "pixel")
        });
        self.text(
            "de-identification profile",
            old.deidentification_profile().code(),
            new.deidentification_profile().code(),
        );
        self.entries(
            "de-identification option",
            old.deidentification_options(),
            new.deidentification_options(),
            |option| option.code().to_owned(),
        );
        self.attributes(old, new);
    }

    /// Attributes of de-identified DICOM whose fate changes, counted over the image classes by what becomes of them.
    fn attributes(&mut self, old: &Policy, new: &Policy) {
        for ((before, after), changes) in changed(&old.confidentiality(), &new.confidentiality()) {
            let effect = match openness(after).cmp(&openness(before)) {
                Ordering::Greater => MORE,
                Ordering::Less => LESS,
                Ordering::Equal => "",
            };
            let noun = if changes == 1 {
                "attribute changes"
            } else {
                "attributes change"
            };
            let sentence = format!("In de-identified DICOM {changes} {noun} from {before} to {after}. {effect}");
            self.0.push(sentence.trim_end().to_owned());
        }
    }

    fn about_limits(&mut self, old: &Policy, new: &Policy) {
        let (before, after) = (old.training_patients_min(), new.training_patients_min());
        self.number(
            "smallest number of patients to train on",
            before,
            after,
            LESS,
            |number| count(number, "patient"),
        );
        let (before, after) = (old.cell_min(), new.cell_min());
        self.number("smallest class or count", before, after, LESS, |number| {
            count(number, "radiograph")
        });
        let released = |policy: &Policy| {
            [Sent::Update, Sent::Metrics]
                .into_iter()
                .filter(|kind| policy.releases(*kind))
                .collect::<Vec<_>>()
        };
        for kind in [Sent::Update, Sent::Metrics] {
            let things = match kind {
                Sent::Update => "Updates",
                Sent::Metrics => "Measurements",
            };
            match (released(old).contains(&kind), released(new).contains(&kind)) {
                (false, true) => self.0.push(format!("{things} may now leave the hospital. {MORE}")),
                (true, false) => self
                    .0
                    .push(format!("{things} may no longer leave the hospital. {LESS}")),
                _ => {}
            }
        }
        let (before, after) = (old.bytes_per_round_max(), new.bytes_per_round_max());
        self.number("most that may leave in a round", before, after, MORE, bytes);
        let rounds = |policy: &Policy| u64::from(policy.rounds_max());
        self.number("largest number of rounds", rounds(old), rounds(new), MORE, |number| {
            count(number, "round")
        });
    }

    fn text(&mut self, noun: &str, old: &str, new: &str) {
        if old != new {
            self.0.push(format!("The {noun} changes from {old} to {new}."));
        }
    }

    /// `effect_of_more`: whether a larger number permits more or less.
    fn number(&mut self, noun: &str, old: u64, new: u64, effect_of_more: &str, words: impl Fn(u64) -> String) {
        if old != new {
            let effect = if (new > old) == (effect_of_more == MORE) {
                MORE
            } else {
                LESS
            };
            self.0.push(format!(
                "The {noun} changes from {} to {}. {effect}",
                words(old),
                words(new)
            ));
        }
    }

    fn entries<T: PartialEq>(&mut self, noun: &str, old: &[T], new: &[T], words: impl Fn(&T) -> String) {
        for entry in new.iter().filter(|entry| !old.contains(entry)) {
            self.0
                .push(format!("The {noun} {} is now allowed. {MORE}", words(entry)));
        }
        for entry in old.iter().filter(|entry| !new.contains(entry)) {
            self.0
                .push(format!("The {noun} {} is no longer allowed. {LESS}", words(entry)));
        }
    }
}

/// How much of a value an action lets through; for comparing only.
const fn openness(action: Action) -> u8 {
    match action {
        Action::Remove => 0,
        Action::Empty => 1,
        Action::Dummy => 2,
        Action::Pseudonym | Action::MapUid => 3,
        Action::Clean | Action::CapAge | Action::ShiftDate => 4,
        Action::KeepListed => 5,
        Action::Keep => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        parse,
        testing::{COLLABORATION, LOCAL, PROOF_OF_CONCEPT},
    };

    #[test]
    fn a_policy_does_not_differ_from_itself() {
        for text in [LOCAL, PROOF_OF_CONCEPT, COLLABORATION] {
            let policy = parse(text).unwrap();
            assert_eq!(diff(&policy, &policy), Vec::<String>::new());
        }
    }

    #[test]
    fn each_change_is_one_sentence_and_its_effect_turns_round_with_it() {
        let old = parse(COLLABORATION).unwrap();
        for (from, to, sentence) in [
            ("version = 3", "version = 4", "The version changes from 3 to 4."),
            (
                "site = \"north\"",
                "site = \"south\"",
                "The site changes from north to south.",
            ),
            (
                "stage = \"collaboration\"",
                "stage = \"publication\"",
                "The stage changes from collaboration to publication. This permits more.",
            ),
            ("expires_on = 2027", "expires_on = 2028", "This permits more."),
            ("approved_on = 2026-03", "approved_on = 2026-04", "This permits less."),
            (
                "\"pretraining\"",
                "\"triage\"",
                "The purpose triage is now allowed. This permits more.",
            ),
            (
                "\"age\"]",
                "\"laterality\"]",
                "The label age is no longer allowed. This permits less.",
            ),
            (
                "\"small\", ",
                "",
                "The network small is no longer allowed. This permits less.",
            ),
            (
                "cell_min = 5",
                "cell_min = 10",
                "The smallest class or count changes from 5 radiographs to 10 radiographs. This permits less.",
            ),
            (
                "training_patients_min = 50",
                "training_patients_min = 20",
                "patients to train on changes from 50 patients to 20 patients. This permits more.",
            ),
            (
                "rounds_max = 100",
                "rounds_max = 20",
                "The largest number of rounds changes from 100 rounds to 20 rounds. This permits less.",
            ),
            (
                "[\"update\", \"metrics\"]",
                "[\"update\"]",
                "Measurements may no longer leave the hospital. This permits less.",
            ),
            (
                "[\"retain-patient-characteristics\"]",
                "[]",
                "The de-identification option retain-patient-characteristics is no longer allowed. This permits less.",
            ),
        ] {
            assert!(COLLABORATION.contains(from), "the sample lacks {from:?}");
            let new = parse(&COLLABORATION.replacen(from, to, 1)).unwrap();
            let (forth, back) = (diff(&old, &new), diff(&new, &old));
            assert!(
                forth.iter().any(|line| line.ends_with(sentence)),
                "{sentence}: {forth:?}"
            );
            let effects = |lines: &[String], effect: &str| lines.iter().filter(|line| line.ends_with(effect)).count();
            assert_eq!(effects(&forth, MORE), effects(&back, LESS), "{sentence}");
            assert_eq!(effects(&forth, LESS), effects(&back, MORE), "{sentence}");
        }
    }

    #[test]
    fn from_a_trial_to_a_collaboration_each_plan_needs_approval() {
        let changes = diff(&parse(PROOF_OF_CONCEPT).unwrap(), &parse(COLLABORATION).unwrap());
        assert!(
            changes.contains(
                &"Each plan now needs approval by its digest; the policy lists 1 plan. This permits less.".to_owned()
            ),
            "{changes:?}"
        );
    }
}
