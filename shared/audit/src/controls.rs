//! SCAFFOLD: what a round's steps were corrected by at each site is the control variate that the round before left.
//!
//! A site sends nothing of its own control variate: what becomes of it follows from its update, whose digest the receipt has. What it says of
//! the round that it is of, the receipt has as well.

use std::collections::BTreeMap;

use snowball_protocol::{RoundNumber, SiteName, StudyName, StudyPlan, session::ControlReference};

use crate::{
    aggregator::AggregatorFacts,
    finding::Code,
    outcome::{Area, Audit},
    site::{SiteFacts, Trained},
};

/// Each training that a site recorded against the end of the round before, as the aggregator's ledger has it.
pub(crate) fn check(
    aggregator: &AggregatorFacts,
    sites: &BTreeMap<SiteName, SiteFacts>,
    plans: &BTreeMap<StudyName, StudyPlan>,
    audit: &mut Audit,
) {
    for (site, facts) in sites {
        let mut unsaid = 0_u64;
        for ((study, round), trainings) in &facts.trained {
            if !plans.get(study).is_some_and(StudyPlan::is_scaffold) {
                continue;
            }
            for trained in trainings {
                match judge(aggregator, study, *round, trained) {
                    Judged::Unknown => {}
                    Judged::Unsaid => unsaid += 1,
                    Judged::Holds => audit.looked(Area::Models),
                    Judged::Differs { left, used } => {
                        audit.looked(Area::Models);
                        let detail = format!(
                            "it trained round {round} of {study} corrected by {}; the round before left {}",
                            named(used),
                            named(left)
                        );
                        audit.find(Area::Models, Code::ControlChain, site.as_str(), detail);
                    }
                }
            }
        }
        if unsaid > 0 {
            audit.note(format!(
                "{site}: {unsaid} trainings of which its ledger does not say what they were corrected by, since its program was of a \
                 version that did not write it down"
            ));
        }
    }
}

enum Judged {
    Holds,
    /// The round before is in no ledger, or its model is not the one that was trained from: said elsewhere.
    Unknown,
    /// The site's ledger names no control variate, where there was one.
    Unsaid,
    Differs {
        left: Option<ControlReference>,
        used: Option<ControlReference>,
    },
}

fn judge(aggregator: &AggregatorFacts, study: &StudyName, round: RoundNumber, trained: &Trained) -> Judged {
    let left = if round.0 <= 1 {
        None
    } else {
        match aggregator.finished.get(&(study.clone(), RoundNumber(round.0 - 1))) {
            Some(before) if before.model_out == trained.model_in => before.control,
            _ => return Judged::Unknown,
        }
    };
    match (left, trained.control) {
        (left, used) if left == used => Judged::Holds,
        (Some(_), None) => Judged::Unsaid,
        (left, used) => Judged::Differs { left, used },
    }
}

fn named(control: Option<ControlReference>) -> String {
    control.map_or_else(
        || "none".to_owned(),
        |control| format!("{} since round {}", control.digest, control.since),
    )
}

#[cfg(test)]
mod tests {
    use snowball_protocol::Sha256Digest;

    use super::*;
    use crate::{aggregator::Finished, testing};

    fn control(text: &str, since: u32) -> ControlReference {
        ControlReference {
            digest: Sha256Digest::of(text.as_bytes()),
            since: RoundNumber(since),
        }
    }

    /// What an audit says of a training of round 2 that was corrected by `used`, where round 1 left `left`.
    fn audited(left: Option<ControlReference>, used: Option<ControlReference>) -> crate::Outcome {
        let model = Sha256Digest::of(b"model 1");
        let mut plan = testing::plan();
        plan.local.drift = Some(snowball_protocol::plan::Drift::Scaffold);
        let finished = Finished {
            model_in: Sha256Digest::of(b"model 0"),
            model_out: model,
            control: left,
            contributions: 1,
        };
        let trained = Trained {
            examples: 1,
            model_in: model,
            control: used,
        };
        testing::audited(check, plan, finished, (2, trained))
    }

    #[test]
    fn what_a_site_was_corrected_by_is_what_the_round_before_left() {
        let left = Some(control("c", 1));
        for same in [left, None] {
            let outcome = audited(same, same);
            assert!(outcome.sound && outcome.notes.is_empty(), "{outcome:?}");
        }
        for other in [control("another", 1), control("c", 2)] {
            let outcome = audited(left, Some(other));
            assert_eq!(outcome.findings[0].code, Code::ControlChain);
        }
        assert_eq!(audited(None, left).findings[0].code, Code::ControlChain);
        let unsaid = audited(left, None);
        assert!(unsaid.sound && unsaid.notes[0].contains("1 trainings"), "{unsaid:?}");
    }
}
