//! The history as it may be told, on the page and in the document beside it: counts of files, radiographs and patients under the rule
//! of small counts, all else as it is.

use std::collections::BTreeMap;

use snowball_protocol::intake::IntakeReason;

use super::history::{Excluded, History, People, Round, Study};
use crate::{
    count::{self, Count},
    evidence::{Counted, Flow},
};

impl History {
    /// What is counted of files and people: where two histories have the same, hiding small counts is to hide the same.
    pub fn counts(&self) -> (&Excluded, &Excluded, &People) {
        (&self.intake, &self.deidentify, &self.people)
    }

    /// Hides what is of fewer than `cell_min`. Where the period counts what the whole ledger counts, `beside` are the same counts as the page on
    /// de-identification tells them, and as they stand in the same document: then what is hidden there is hidden here and nothing
    /// else is, or either would give away what the other hides.
    pub fn told(self, beside: Option<&Counted<Count>>, cell_min: u64) -> History<Count> {
        let studies = self.studies.into_iter();
        History {
            intake: self.intake.told(beside.map(|files| &files.intake), cell_min),
            deidentify: self.deidentify.told(beside.map(|files| &files.deidentify), cell_min),
            people: self.people.told(beside, cell_min),
            studies: studies.map(|(name, study)| (name, study.told(cell_min))).collect(),
            records: self.records,
            records_in_period: self.records_in_period,
            policies: self.policies,
            certificates: self.certificates,
            programs: self.programs,
            unfinished_writes: self.unfinished_writes,
            months: self.months,
            requests: self.requests,
            decisions: self.decisions,
            heads: self.heads,
            approved: self.approved,
        }
    }
}

impl Excluded {
    fn told(self, beside: Option<&Flow<Count>>, cell_min: u64) -> Excluded<Count> {
        let (reasons, kept_out): (BTreeMap<IntakeReason, Count>, Count) = match beside {
            Some(flow) => (
                flow.reasons.clone(),
                sum(self.kept_out, [flow.quarantined, flow.rejected], cell_min),
            ),
            None => count::together(&self.reasons, cell_min),
        };
        Excluded {
            runs: self.runs,
            accepted: beside.map_or_else(|| Count::of(self.accepted, cell_min), |flow| flow.accepted),
            kept_out,
            reasons,
        }
    }
}

impl People {
    fn told(self, beside: Option<&Counted<Count>>, cell_min: u64) -> People<Count> {
        let alone = |count| Count::of(count, cell_min);
        let held = beside.map(|files| &files.quarantine);
        let withdrawals = beside.map_or_else(|| alone(self.withdrawals), |files| files.withdrawals);
        People {
            reviewed: held.map_or_else(
                || alone(self.reviewed),
                |held| sum(self.reviewed, [held.released, held.kept_back], cell_min),
            ),
            discarded: held.map_or_else(|| alone(self.discarded), |held| held.discarded),
            pictures_shown: held.map_or_else(|| alone(self.pictures_shown), |held| held.pictures_shown),
            looked_up: alone(self.looked_up),
            linkage_destroyed: self.linkage_destroyed,
            // Of no patient: told as it is.
            backups: self.backups,
            // How much a single patient had would tell of that patient.
            withdrawn_radiographs: match withdrawals {
                Count::Told(_) => alone(self.withdrawn_radiographs),
                _ => Count::Hidden,
            },
            withdrawals,
            withdrawn_studies: self.withdrawn_studies,
        }
    }
}

impl Study {
    fn told(self, cell_min: u64) -> Study<Count> {
        let rounds = self.rounds.into_iter();
        Study {
            joined: self.joined,
            declined: self.declined,
            rounds: rounds.map(|(number, round)| (number, round.told(cell_min))).collect(),
            left: self.left,
            is_evaluated: self.is_evaluated,
            last: self.last,
        }
    }
}

impl Round {
    fn told(self, cell_min: u64) -> Round<Count> {
        Round {
            examples: self.examples.map(|examples| Count::of(examples, cell_min)),
            update: self.update,
            update_bytes: self.update_bytes,
            receipt: self.receipt,
            is_not_had: self.is_not_had,
        }
    }
}

/// A sum whose parts stand elsewhere: told only where both are.
fn sum(sum: u64, parts: [Count; 2], cell_min: u64) -> Count {
    match (parts, Count::of(sum, cell_min)) {
        ([Count::Told(_), Count::Told(_)], told) => told,
        (_, Count::Told(_)) => Count::Hidden,
        (_, small) => small,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, to_value};
    use snowball_protocol::intake::IntakeReason::{BurnedInText, DecodeError, Document, NotDicom};

    use super::*;
    use crate::auditor::{
        Period,
        testing::{history, made_up},
    };

    /// Every number below `value`, with the way to it.
    fn numbers(value: &Value, way: &str, found: &mut Vec<(String, u64)>) {
        match value {
            Value::Number(number) => found.extend(number.as_u64().map(|number| (way.to_owned(), number))),
            Value::Object(fields) => fields
                .iter()
                .for_each(|(name, value)| numbers(value, &format!("{way}/{name}"), found)),
            Value::Array(values) => values.iter().for_each(|value| numbers(value, way, found)),
            _ => {}
        }
    }

    #[test]
    fn the_document_hides_what_the_page_hides() {
        let raw = history(&made_up(), Period::default());
        assert_eq!((raw.intake.reasons[&NotDicom], raw.people.withdrawals), (3, 1));
        let told = to_value(raw.told(None, 5)).unwrap();
        let mut found = Vec::new();
        for part in ["intake", "deidentify", "people"] {
            numbers(&told[part], part, &mut found);
        }
        let is_count = |way: &str| !way.ends_with("/runs") && !way.ends_with("/fewer_than");
        let small: Vec<_> = found
            .iter()
            .filter(|(way, count)| is_count(way) && (1..5).contains(count))
            .collect();
        assert!(small.is_empty() && !found.is_empty(), "{small:?}");
        assert_eq!(
            told["intake"]["reasons"]["not_dicom"],
            serde_json::json!({"fewer_than": 5})
        );
        assert_eq!(
            told["intake"]["reasons"]["burned_in_text"], "hidden",
            "the 3 could be had from it"
        );
        assert_eq!(told["people"]["withdrawn_radiographs"], "hidden");
    }

    #[test]
    fn two_tables_of_the_same_counts_hide_the_same() {
        let reasons = BTreeMap::from([(BurnedInText, 50), (DecodeError, 2), (Document, 9)]);
        let raw = History {
            intake: Excluded {
                runs: 1,
                accepted: 100,
                kept_out: 61,
                reasons: reasons.clone(),
            },
            ..History::default()
        };
        let mut files = Counted::default();
        files.count(&snowball_ledger::Entry::IntakeFinished {
            accepted: 100,
            quarantined: 52,
            rejected: 9,
            reasons,
        });
        let files = files.told(5);
        // By itself the one would hide the 9 and tell the 50, the other the 50 and tell the 9: together they would tell of the 2.
        assert_eq!(files.intake.reasons[&Document], Count::Told(9));
        let told = raw.told(Some(&files), 5);
        assert_eq!(told.intake.reasons, files.intake.reasons);
        assert_eq!(told.intake.reasons[&BurnedInText], Count::Hidden);
        assert_eq!(told.intake.kept_out, Count::Told(61), "52 and 9 are told");
        // A total that is hidden there is not to be had from the sum here.
        assert_eq!(sum(61, [Count::Told(59), Count::FewerThan(5)], 5), Count::Hidden);
        assert_eq!(sum(3, [Count::Told(0), Count::FewerThan(5)], 5), Count::FewerThan(5));
    }
}
