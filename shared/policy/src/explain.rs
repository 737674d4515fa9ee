//! A policy in plain words, for reading aloud in a meeting of the board: one file a language.

mod english;
mod french;

use snowball_confidentiality::Language;
use snowball_protocol::plan::Sent;

use crate::{document::DeidentificationOption, policy::Policy};

impl Policy {
    /// What the policy permits, in short English sentences under headings. Lines are not wrapped.
    #[must_use]
    pub fn explain(&self) -> String {
        self.explain_in(Language::English)
    }

    /// As [`explain`](Self::explain), in `language`.
    #[must_use]
    pub fn explain_in(&self, language: Language) -> String {
        match language {
            Language::English => english::page(self),
            Language::French => french::page(self),
        }
    }

    /// What may leave.
    fn released(&self) -> Vec<Sent> {
        let kinds = [Sent::Update, Sent::Metrics, Sent::DetailedMetrics].into_iter();
        kinds.filter(|kind| self.releases(*kind)).collect()
    }

    /// The options that speak of de-identified DICOM files only, as they are written.
    fn options_of_files(&self) -> Vec<&'static str> {
        let options = self.deidentification_options().iter();
        options
            .filter(|option| **option != DeidentificationOption::RetainPatientCharacteristics)
            .map(|option| option.code())
            .collect()
    }
}

/// A title, sections of sentences under headings, and a last sentence.
fn page(title: &[String], sections: &[(&str, Vec<String>)], ending: &str) -> String {
    let mut text = String::new();
    for line in title {
        text.push_str(&format!("{line}\n"));
    }
    for (heading, sentences) in sections {
        text.push_str(&format!("\n{heading}\n"));
        for sentence in sentences {
            text.push_str(&format!("- {sentence}\n"));
        }
    }
    text.push_str(&format!("\n{ending}\n"));
    text
}

/// Sentences that do not depend on anything.
fn fixed(sentences: &[&str]) -> Vec<String> {
    sentences.iter().map(|sentence| (*sentence).to_owned()).collect()
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
            text.contains("The hospital may not join a trial.")
                && text.contains("No update and no measurement may leave."),
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
