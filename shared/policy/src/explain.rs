//! A policy in plain English, for reading aloud in a meeting of the board.

use snowball_protocol::{
    labels::LabelName,
    plan::{Architecture, Sent},
};

use crate::{
    document::{DeidentificationOption, DeidentificationProfile, PrivacyMechanism, Stage},
    policy::Policy,
    words::{bytes, count, list},
};

impl Policy {
    /// What the policy permits, in short sentences under headings. Lines are not wrapped.
    #[must_use]
    pub fn explain(&self) -> String {
        let mut text = format!("Policy of the site {}, version {}\n", self.site(), self.version());
        for (heading, sentences) in [
            ("How far the approval goes", self.about_stage()),
            ("Who approved it, and for how long", self.about_approval()),
            ("Why the data may be used", self.about_purposes()),
            ("Which studies may run", self.about_studies()),
            ("What a network may learn", self.about_learning()),
            ("How radiographs are de-identified", self.about_deidentification()),
            ("How many patients it takes", self.about_cohort()),
            ("What may leave the hospital", self.about_leaving()),
        ] {
            text.push_str(&format!("\n{heading}\n"));
            for sentence in sentences {
                text.push_str(&format!("- {sentence}\n"));
            }
        }
        text.push_str("\nWhatever is not permitted above is denied.\n");
        text
    }

    fn about_stage(&self) -> Vec<String> {
        let meaning: &[&str] = match self.stage() {
            Stage::Local => &[
                "The hospital may train networks on its own radiographs.",
                "It may not join a study.",
            ],
            Stage::ProofOfConcept => &["The hospital may try out training with others."],
            Stage::Collaboration => &["The hospital may train networks together with others."],
            Stage::Publication => &[
                "The hospital may train networks together with others.",
                "The board knows that the trained network will be published.",
            ],
        };
        let stage = format!("The stage is {}.", self.stage());
        [stage]
            .into_iter()
            .chain(meaning.iter().map(|sentence| (*sentence).to_owned()))
            .collect()
    }

    fn about_approval(&self) -> Vec<String> {
        let approval = &self.0.approval;
        vec![
            format!(
                "The board is: {}. Its reference is: {}.",
                self.board(),
                self.reference()
            ),
            format!(
                "The first day is {}. The last day is {}. Days begin at midnight, universal time.",
                approval.approved_on, approval.expires_on
            ),
            "Before the first day and after the last day nothing runs and nothing leaves.".to_owned(),
        ]
    }

    fn about_purposes(&self) -> Vec<String> {
        if self.purposes().is_empty() {
            return vec!["No purpose is allowed, so no study may run.".to_owned()];
        }
        let names: Vec<_> = self.purposes().iter().map(|purpose| purpose.as_str()).collect();
        vec![format!("The data may be used for: {}.", list(&names))]
    }

    fn about_studies(&self) -> Vec<String> {
        if self.studies().is_empty() {
            return vec!["No study may run.".to_owned()];
        }
        let names: Vec<_> = self.studies().iter().map(|name| name.as_str()).collect();
        let mut sentences = match names.as_slice() {
            [only] => vec![format!("One study may run: {only}.")],
            several => vec![format!("{} studies may run: {}.", several.len(), list(several))],
        };
        if self.approves_any_digest() {
            sentences.push(
                "Any plan under such a name is approved, whoever wrote it and whatever it says within this policy."
                    .to_owned(),
            );
        } else if self.plan_digests().is_empty() {
            sentences.push("No plan has been approved yet, so none of them may run.".to_owned());
        } else {
            sentences.push(
                "A study runs only if its plan is one of the approved plans, to the letter. Here are their digests."
                    .to_owned(),
            );
            sentences.extend(self.plan_digests().iter().map(ToString::to_string));
        }
        sentences
    }

    fn about_learning(&self) -> Vec<String> {
        let learnt: Vec<_> = self
            .labels()
            .iter()
            .filter(|label| self.allows_label(**label))
            .map(|label| label_words(*label))
            .collect();
        let withheld: Vec<_> = self
            .labels()
            .iter()
            .filter(|label| !self.allows_label(**label))
            .map(|label| label_words(*label))
            .collect();
        let networks: Vec<_> = self
            .architectures()
            .iter()
            .map(|architecture| architecture_words(*architecture))
            .collect();
        let side = self.input_side_max();
        let mut sentences = vec![
            format!("A network may learn to tell: {}.", list(&learnt)),
            format!("These networks may be trained: {}.", list(&networks)),
            format!("They see each radiograph at no more than {side} by {side} pixels."),
        ];
        if !withheld.is_empty() {
            sentences.push(format!(
                "The policy also lists {}, but de-identification may not retain it. So no network may learn it.",
                list(&withheld)
            ));
        }
        sentences
    }

    fn about_deidentification(&self) -> Vec<String> {
        let mut sentences = match self.deidentification_profile() {
            DeidentificationProfile::RadiographAllowListV1 => vec![
                "Only the picture and a short list of coded facts are kept.".to_owned(),
                "Everything else in the file's header is left out.".to_owned(),
                "Names and numbers of patients are replaced by codes.".to_owned(),
                "The key to the codes stays in the hospital.".to_owned(),
            ],
        };
        sentences.push(if self.retains(DeidentificationOption::RetainPatientCharacteristics) {
            "Sex and age in years may be used. Ages above 89 count as 90.".to_owned()
        } else {
            "Sex and age may not be used.".to_owned()
        });
        let beyond: Vec<_> = self
            .deidentification_options()
            .iter()
            .filter(|option| **option != DeidentificationOption::RetainPatientCharacteristics)
            .map(|option| option.code())
            .collect();
        if !beyond.is_empty() {
            sentences.push(format!(
                "De-identified DICOM files are written with these options: {}.",
                list(&beyond)
            ));
        }
        let rules = &self.0.deidentification;
        if !rules.remove.is_empty() {
            sentences.push(format!("They never hold: {}.", list(&rules.remove)));
        }
        for keep in &rules.keep {
            let values = count(keep.values.len() as u64, "listed value");
            sentences.push(format!("They may hold {} with one of {values}.", keep.attribute));
        }
        sentences
    }

    fn about_cohort(&self) -> Vec<String> {
        vec![
            format!(
                "A network may be trained on no fewer than {}.",
                count(self.training_patients_min(), "patient")
            ),
            format!(
                "A class with fewer than {} may not be trained on. Smaller counts are hidden before they leave.",
                count(self.cell_min(), "radiograph")
            ),
        ]
    }

    fn about_leaving(&self) -> Vec<String> {
        let released: Vec<_> = [Sent::Update, Sent::Metrics]
            .into_iter()
            .filter(|kind| self.releases(*kind))
            .collect();
        if released.is_empty() {
            return vec![
                "No update and no measurement may leave. No radiograph ever leaves.".to_owned(),
                format!(
                    "A study may have at most {}.",
                    count(u64::from(self.rounds_max()), "round")
                ),
            ];
        }
        let mut sentences: Vec<String> = released
            .into_iter()
            .flat_map(sent_words)
            .map(|sentence| (*sentence).to_owned())
            .collect();
        sentences.push("No radiograph ever leaves, nor a name, number or date of a patient.".to_owned());
        sentences.push(format!(
            "In each round at most {} may leave.",
            bytes(self.bytes_per_round_max())
        ));
        sentences.push(format!(
            "The hospital takes part in at most {} of each study.",
            count(u64::from(self.rounds_max()), "round")
        ));
        sentences.extend(match self.privacy_mechanism() {
            PrivacyMechanism::None => [
                "No noise is added to updates.".to_owned(),
                "An update holds no picture.".to_owned(),
                "But whoever receives it could learn something about the radiographs behind it.".to_owned(),
            ],
        });
        sentences
    }
}

const fn label_words(label: LabelName) -> &'static str {
    match label {
        LabelName::BodyPart => "the body part",
        LabelName::View => "the view",
        LabelName::Laterality => "the side of the body",
        LabelName::Sex => "the sex",
        LabelName::Age => "the age",
    }
}

const fn architecture_words(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Small => "a small network",
        Architecture::ResNet18 => "ResNet-18",
    }
}

const fn sent_words(kind: Sent) -> &'static [&'static str] {
    match kind {
        Sent::Update => &[
            "Updates may leave: how the network's numbers changed in a round of training.",
            "With an update go the number of radiographs behind it and the average training error.",
        ],
        Sent::Metrics => {
            &["Measurements may leave: counts and sums of how well the network did on the hospital's own radiographs."]
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        parse,
        testing::{COLLABORATION, LOCAL, PROOF_OF_CONCEPT},
    };

    fn explained(text: &str, from: &str, to: &str) -> String {
        assert!(text.contains(from), "the sample lacks {from:?}");
        parse(&text.replacen(from, to, 1)).unwrap().explain()
    }

    #[test]
    fn at_the_stage_local_it_says_that_nothing_leaves() {
        let text = parse(LOCAL).unwrap().explain();
        assert!(
            text.contains("It may not join a study.") && text.contains("No update and no measurement may leave."),
            "{text}"
        );
        assert!(!text.contains("Updates may leave"), "{text}");
        assert!(text.contains("Sex and age may not be used."), "{text}");
    }

    #[test]
    fn a_trial_says_that_any_plan_is_approved_and_that_measurements_stay() {
        let text = parse(PROOF_OF_CONCEPT).unwrap().explain();
        assert!(
            text.contains("Any plan under such a name is approved") && text.contains("Updates may leave"),
            "{text}"
        );
        assert!(!text.contains("Measurements may leave"), "{text}");
    }

    #[test]
    fn an_empty_list_is_said_to_permit_nothing() {
        for (from, to, sentence) in [
            ("[\"pretraining\"]", "[]", "No purpose is allowed, so no study may run."),
            ("[\"body-parts\"]", "[]", "No study may run."),
            (
                "[\"body_part\", \"view\", \"age\"]",
                "[]",
                "A network may learn to tell: nothing.",
            ),
            (
                "[\"small\", \"resnet-18\"]",
                "[]",
                "These networks may be trained: nothing.",
            ),
            (
                "[\"update\", \"metrics\"]",
                "[]",
                "No update and no measurement may leave.",
            ),
        ] {
            let text = explained(COLLABORATION, from, to);
            assert!(text.contains(sentence), "{text}");
        }
        let digest = COLLABORATION
            .lines()
            .find(|line| line.starts_with("digests = "))
            .unwrap();
        assert!(
            explained(COLLABORATION, digest, "digests = []")
                .contains("No plan has been approved yet, so none of them may run.")
        );
    }

    #[test]
    fn a_label_that_may_not_be_retained_is_not_said_to_be_learnt() {
        let text = explained(COLLABORATION, "[\"retain-patient-characteristics\"]", "[]");
        assert!(
            text.contains("may learn to tell: the body part and the view."),
            "{text}"
        );
        assert!(
            text.contains("The policy also lists the age, but de-identification may not retain it."),
            "{text}"
        );
    }
}
