//! What changes from one policy to the next, in plain words: found here, put into words in one file a language.

mod change;
mod english;
mod french;

use snowball_confidentiality::{Action, Language, changed};
use snowball_protocol::plan::Sent;

use crate::{
    document::{Approval, PrivacyMechanism},
    policy::Policy,
    retention::Keepsake,
};
use change::{Change, Demanded, Effect, List, Number, OfApproval, Text};

/// What changes from `old` to `new`, one English sentence a change; empty where the two permit the same in the same words.
///
/// A sentence that says so ends with whether the change permits more or less.
#[must_use]
pub fn diff(old: &Policy, new: &Policy) -> Vec<String> {
    diff_in(old, new, Language::English)
}

/// As [`diff()`], in `language`.
#[must_use]
pub fn diff_in(old: &Policy, new: &Policy, language: Language) -> Vec<String> {
    let mut changes = Changes(Vec::new());
    changes.about_document(old, new);
    changes.about_approvals(old, new);
    changes.about_learning(old, new);
    changes.about_numbers(old, new);
    changes.about_leaving(old, new);
    let words: fn(&Change) -> String = match language {
        Language::English => english::sentence,
        Language::French => french::sentence,
    };
    changes.0.iter().map(words).collect()
}

struct Changes(Vec<Change>);

impl Changes {
    fn about_document(&mut self, old: &Policy, new: &Policy) {
        let text = |text: &str| Some(text.to_owned());
        self.text(Text::Site, text(old.site().as_str()), text(new.site().as_str()));
        let version = |policy: &Policy| Some(policy.version().to_string());
        self.text(Text::Version, version(old), version(new));
        let before = |policy: &Policy| policy.supersedes().map(|digest| digest.to_string());
        self.text(Text::Supersedes, before(old), before(new));
    }

    /// Approvals are told apart by stage and reference.
    fn about_approvals(&mut self, old: &Policy, new: &Policy) {
        let same = |one: &Approval, other: &Approval| one.stage == other.stage && one.reference == other.reference;
        for approval in &new.0.approvals {
            match old.0.approvals.iter().find(|before| same(before, approval)) {
                Some(before) => self.about_approval(before, approval),
                None => self.approval(approval, itself(approval, true)),
            }
        }
        for before in &old.0.approvals {
            if !new.0.approvals.iter().any(|approval| same(before, approval)) {
                self.approval(before, itself(before, false));
            }
        }
    }

    fn about_approval(&mut self, old: &Approval, new: &Approval) {
        if old.board != new.board {
            let (from, to) = (old.board.clone(), new.board.clone());
            self.approval(new, OfApproval::Board { from, to });
        }
        let (from, to) = (old.approved_on, new.approved_on);
        if from != to {
            let effect = Effect::of(to < from);
            self.approval(new, OfApproval::FirstDay { from, to, effect });
        }
        let (from, to) = (old.expires_on, new.expires_on);
        if from != to {
            let effect = Effect::of(to > from);
            self.approval(new, OfApproval::LastDay { from, to, effect });
        }
        let study = |name: String, is_added| OfApproval::Study { name, is_added };
        self.approval_entries(new, &old.studies, &new.studies, study);
        let plan = |digest: String, is_added| OfApproval::Plan { digest, is_added };
        self.approval_entries(new, &old.digests, &new.digests, plan);
        let is_added = new.approves_any_digest();
        if is_added != old.approves_any_digest() {
            self.approval(new, OfApproval::AnyPlan { is_added });
        }
    }

    fn about_learning(&mut self, old: &Policy, new: &Policy) {
        self.entries(List::Purpose, old.purposes(), new.purposes(), ToString::to_string);
        self.entries(List::Label, old.labels(), new.labels(), |label| label.code().to_owned());
        let network = |network: &snowball_protocol::plan::Architecture| network.code().to_owned();
        self.entries(List::Network, old.architectures(), new.architectures(), network);
        let profile = |policy: &Policy| Some(policy.deidentification_profile().code().to_owned());
        self.text(Text::Profile, profile(old), profile(new));
        let (before, after) = (old.deidentification_options(), new.deidentification_options());
        self.entries(List::Option, before, after, |option| option.code().to_owned());
        // Attributes of de-identified DICOM whose fate changes, counted over the image classes by what becomes of them.
        for ((from, to), attributes) in changed(&old.confidentiality(), &new.confidentiality()) {
            self.0.push(Change::Attributes {
                from,
                to,
                attributes: attributes as u64,
                effect: Effect::by(openness(to).cmp(&openness(from))),
            });
        }
    }

    fn about_numbers(&mut self, old: &Policy, new: &Policy) {
        let numbers = |policy: &Policy| {
            let limits = &policy.0.limits;
            let kept = |keepsake| {
                (
                    Number::Kept(keepsake),
                    u64::from(policy.kept_days(keepsake)),
                    Effect::More,
                )
            };
            [
                (Number::InputSide, u64::from(policy.input_side_max()), Effect::More),
                (Number::Patients, policy.training_patients_min(), Effect::Less),
                (Number::Cell, policy.cell_min(), Effect::Less),
                (Number::Sites, u64::from(policy.sites_min()), Effect::Less),
                (
                    Number::RoundsPerStudy,
                    u64::from(limits.rounds_per_study_max),
                    Effect::More,
                ),
                (
                    Number::RoundsAllStudies,
                    u64::from(limits.rounds_all_studies_max),
                    Effect::More,
                ),
                (Number::BytesPerRound, limits.bytes_per_round_max, Effect::More),
                (Number::BytesPerDay, limits.bytes_per_day_max, Effect::More),
                (Number::BytesPerStudy, limits.bytes_per_study_max, Effect::More),
                kept(Keepsake::Dataset),
                kept(Keepsake::Evidence),
                kept(Keepsake::Outbox),
            ]
        };
        for ((what, from, of_more), (_, to, _)) in numbers(old).into_iter().zip(numbers(new)) {
            if from != to {
                let effect = Effect::of((to > from) == (of_more == Effect::More));
                self.0.push(Change::Number { what, from, to, effect });
            }
        }
    }

    fn about_leaving(&mut self, old: &Policy, new: &Policy) {
        for (what, kind) in [
            (List::Update, Sent::Update),
            (List::Metrics, Sent::Metrics),
            (List::DetailedMetrics, Sent::DetailedMetrics),
        ] {
            let listed = |policy: &Policy| policy.0.release.allowed.contains(&kind);
            if listed(old) != listed(new) {
                let (name, is_added) = (String::new(), listed(new));
                self.0.push(Change::Entry { what, name, is_added });
            }
        }
        let (before, after) = (&old.0.hours, &new.0.hours);
        let zone = |zone: &crate::zone::Zone| Some(zone.to_string());
        self.text(Text::TimeZone, zone(&before.time_zone), zone(&after.time_zone));
        self.entries(
            List::HourOfTraining,
            &before.training,
            &after.training,
            ToString::to_string,
        );
        self.entries(
            List::HourOfSending,
            &before.sending,
            &after.sending,
            ToString::to_string,
        );
        for (what, from, now) in [
            (
                Demanded::SecureAggregation,
                old.secure_aggregation(),
                new.secure_aggregation(),
            ),
            (Demanded::Confinement, old.confinement(), new.confinement()),
        ] {
            if from != now {
                self.0.push(Change::Demand { what, now });
            }
        }
        let (from, to) = (old.privacy_mechanism(), new.privacy_mechanism());
        if from != to {
            let is_open = |mechanism| mechanism == PrivacyMechanism::None;
            let effect = Effect::by(is_open(to).cmp(&is_open(from)));
            self.0.push(Change::Mechanism { from, to, effect });
        }
    }

    fn text(&mut self, what: Text, from: Option<String>, to: Option<String>) {
        if from != to {
            self.0.push(Change::Text { what, from, to });
        }
    }

    fn entries<T: PartialEq>(&mut self, what: List, old: &[T], new: &[T], name: impl Fn(&T) -> String) {
        for (entry, is_added) in moved(old, new) {
            let name = name(entry);
            self.0.push(Change::Entry { what, name, is_added });
        }
    }

    fn approval(&mut self, approval: &Approval, what: OfApproval) {
        let (stage, reference) = (approval.stage, approval.reference.clone());
        self.0.push(Change::Approval { stage, reference, what });
    }

    fn approval_entries<T: PartialEq + ToString>(
        &mut self,
        approval: &Approval,
        old: &[T],
        new: &[T],
        what: impl Fn(String, bool) -> OfApproval,
    ) {
        for (entry, is_added) in moved(old, new) {
            self.approval(approval, what(entry.to_string(), is_added));
        }
    }
}

/// A whole approval that comes or goes, with what it names.
fn itself(approval: &Approval, is_added: bool) -> OfApproval {
    let studies = approval.studies.iter().map(ToString::to_string).collect();
    OfApproval::Itself { studies, is_added }
}

/// What is new, with `true`, and what is gone, with `false`.
fn moved<'a, T: PartialEq>(old: &'a [T], new: &'a [T]) -> impl Iterator<Item = (&'a T, bool)> {
    let added = new
        .iter()
        .filter(|entry| !old.contains(entry))
        .map(|entry| (entry, true));
    added.chain(
        old.iter()
            .filter(|entry| !new.contains(entry))
            .map(|entry| (entry, false)),
    )
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
        testing::{COLLABORATION, LOCAL, PROOF_OF_CONCEPT, PUBLICATION},
    };

    const MORE: &str = "This permits more.";
    const LESS: &str = "This permits less.";

    #[test]
    fn a_policy_does_not_differ_from_itself() {
        for text in [LOCAL, PROOF_OF_CONCEPT, COLLABORATION, PUBLICATION] {
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
            ("expires_on = 2027-02", "expires_on = 2028-02", "This permits more."),
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
                "rounds_per_study_max = 100",
                "rounds_per_study_max = 20",
                "The largest number of rounds of a study changes from 100 rounds to 20 rounds. This permits less.",
            ),
            (
                "rounds_all_studies_max = 500",
                "rounds_all_studies_max = 501",
                "rounds of all studies together changes from 500 rounds to 501 rounds. This permits more.",
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
            (
                "sites_min = 2",
                "sites_min = 3",
                "changes from 2 hospitals to 3 hospitals. This permits less.",
            ),
            (
                "secure_aggregation = \"not-required\"",
                "secure_aggregation = \"required\"",
                "Secure aggregation is now required. This permits less.",
            ),
            (
                "confinement = \"required\"",
                "confinement = \"not-required\"",
                "The machine need no longer hold the program that trains. This permits more.",
            ),
            (
                "mechanism = \"none\"",
                "mechanism = \"site-level\"",
                "The privacy mechanism changes from none to site-level. This permits less.",
            ),
            (
                "training = [\"always\"]",
                "training = []",
                "Training may no longer begin in the hours always. This permits less.",
            ),
            (
                "datasets_days = 90",
                "datasets_days = 30",
                "changes from 90 days to 30 days. This permits less.",
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
            let french = diff_in(&old, &new, Language::French);
            assert_eq!(french.len(), forth.len());
            assert_eq!(
                effects(&forth, MORE),
                effects(&french, "Cela permet davantage."),
                "{french:?}"
            );
            assert_eq!(
                effects(&forth, LESS),
                effects(&french, "Cela permet moins."),
                "{french:?}"
            );
        }
    }

    #[test]
    fn a_new_stage_a_new_study_and_a_new_plan_permit_more() {
        let changes = diff(&parse(PROOF_OF_CONCEPT).unwrap(), &parse(COLLABORATION).unwrap());
        let new = "The stage collaboration is now approved under the reference REB-2026-041, for body-parts. This permits more.";
        assert!(changes.contains(&new.to_owned()), "{changes:?}");
        let gone = diff_in(
            &parse(COLLABORATION).unwrap(),
            &parse(PROOF_OF_CONCEPT).unwrap(),
            Language::French,
        );
        assert!(
            gone.iter()
                .any(|line| line.contains("n'est plus donnée") && line.contains("REB-2026-041, pour body-parts.")),
            "{gone:?}"
        );
        let old = parse(COLLABORATION).unwrap();
        let digests = COLLABORATION
            .lines()
            .find(|line| line.starts_with("digests = "))
            .unwrap();
        let none = parse(&COLLABORATION.replacen(digests, "digests = []", 1)).unwrap();
        let changes = diff(&none, &old);
        assert_eq!(changes.len(), 1);
        assert!(
            changes[0].starts_with("Under REB-2026-041 (stage collaboration) the plan sha256:"),
            "{changes:?}"
        );
        assert!(
            changes[0].ends_with(" is now approved. This permits more."),
            "{changes:?}"
        );
    }
}
