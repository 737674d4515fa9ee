//! The evaluations of a study's final model: the aggregator takes one of each site that takes part, from the last round's end to the end of
//! the review, and each stands in the ledger of the site that sent it.
//!
//! What came too late for the review was refused and counts nowhere, so a site may have sent more than the aggregator holds. While a review
//! is under way parties export at different moments, and an evaluation that only the aggregator holds yet is no contradiction.

use std::collections::{BTreeMap, BTreeSet};

use snowball_protocol::{RoundNumber, SiteName, StudyName, StudyPlan, ids::UnixSeconds};

use crate::{
    aggregator::{AggregatorFacts, EvaluationTaken, UNDER_WAY_SECONDS},
    finding::Code,
    outcome::{Area, Audit},
};

/// A study's review, as the aggregator's ledger tells it.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Review {
    /// The record of the final model.
    pub begun: Option<u64>,
    /// Record and time of the release, or of the end without one.
    pub ended: Option<(u64, UnixSeconds)>,
}

impl Review {
    /// Whether the aggregator's ledger has its beginning and not its end.
    pub(crate) const fn is_under_way(&self) -> bool {
        self.begun.is_some() && self.ended.is_none()
    }
}

/// Each evaluation that the aggregator took in: whether the protocol allows it.
pub(crate) fn check(aggregator: &AggregatorFacts, plans: &BTreeMap<StudyName, StudyPlan>, audit: &mut Audit) {
    let mut seen = BTreeSet::new();
    for taken in &aggregator.evaluations {
        let reason = if seen.insert((&taken.site, &taken.study)) {
            forbidden(aggregator, plans.get(&taken.study), taken)
        } else {
            Some("the site's evaluation had been taken in before, and each site has one".to_owned())
        };
        let place = format!("aggregator, record {}", taken.index);
        let holds = reason.is_none();
        audit.expect(holds, Area::Disclosures, Code::EvaluationForbidden, &place, || {
            format!(
                "the evaluation of {} for {}: {}",
                taken.site,
                taken.study,
                reason.unwrap_or_default()
            )
        });
    }
    let under_way = aggregator.reviews.iter().filter(|(_, review)| review.is_under_way());
    audit.leave_in_review(under_way.map(|(study, _)| study.clone()));
}

fn forbidden(aggregator: &AggregatorFacts, plan: Option<&StudyPlan>, taken: &EvaluationTaken) -> Option<String> {
    let EvaluationTaken {
        index,
        time,
        site,
        study,
        digest: _,
    } = taken;
    if !aggregator.joined.contains_key(&(site.clone(), study.clone())) {
        return Some("the site had not joined the study".to_owned());
    }
    if let Some(revoked) = aggregator.was_revoked(site, *index, *time) {
        return Some(format!(
            "the site was revoked {} seconds before it came",
            time - revoked
        ));
    }
    let review = aggregator.reviews.get(study).copied().unwrap_or_default();
    let is_before = match review.begun {
        Some(begun) => begun > *index,
        // A kill may have kept the aggregator from writing down that the study came to its review.
        None => plan.is_some_and(|plan| {
            !aggregator
                .finished
                .contains_key(&(study.clone(), RoundNumber(plan.rounds.count)))
        }),
    };
    if is_before {
        return Some("it was taken in before there was a final model".to_owned());
    }
    // It may have been under way when the release was signed.
    let ended = review
        .ended
        .filter(|(ended, at)| ended < index && *time > at + UNDER_WAY_SECONDS);
    ended.map(|(_, at)| format!("it was taken in {} seconds after the end of the review", time - at))
}

/// What the aggregator holds of a site's evaluations against how many that site's ledger has `sent`.
pub(crate) fn of_site(site: &SiteName, sent: u64, aggregator: &AggregatorFacts, audit: &mut Audit) {
    let of_site = || aggregator.evaluations.iter().filter(|taken| taken.site == *site);
    let held = of_site().count() as u64;
    let is_open = |study| aggregator.reviews.get(study).is_some_and(Review::is_under_way);
    let open = of_site().filter(|taken| is_open(&taken.study)).count() as u64;
    let missing = held.saturating_sub(sent);
    if missing <= open {
        audit.looked(Area::Disclosures);
        return audit.pass_over(usize::try_from(missing).unwrap_or_default());
    }
    audit.expect(
        false,
        Area::Disclosures,
        Code::DisclosureUnrecorded,
        site.as_str(),
        || {
            let of_open = if open == 0 {
                String::new()
            } else {
                format!(", {open} of them of reviews under way")
            };
            format!(
                "the aggregator holds {held} evaluations of the site's{of_open}; the site's ledger has {sent} sent. What is of a review that is \
                 over must stand there"
            )
        },
    );
}

#[cfg(test)]
mod tests {
    use snowball_protocol::Sha256Digest;

    use super::*;
    use crate::{aggregator::Joined, outcome::Outcome};

    const NORTH: &str = "north";

    fn study() -> StudyName {
        "knees".parse().unwrap()
    }

    /// The final model in record 10; each evaluation by its record, its time and its site, and the end of the review in record 20 at
    /// the time 2000, where there was one.
    fn facts(evaluations: &[(u64, UnixSeconds, &str)], ended: bool) -> AggregatorFacts {
        let mut facts = AggregatorFacts::default();
        let joined = Joined {
            index: 1,
            plan_digest: Sha256Digest::of(b"plan"),
            policy_digest: Sha256Digest::of(b"policy"),
        };
        facts.joined.insert((NORTH.parse().unwrap(), study()), joined);
        let review = Review {
            begun: Some(10),
            ended: ended.then_some((20, 2000)),
        };
        facts.reviews.insert(study(), review);
        facts.evaluations = evaluations
            .iter()
            .map(|(index, time, site)| EvaluationTaken {
                digest: Sha256Digest::of(site.as_bytes()),
                index: *index,
                time: *time,
                site: site.parse().unwrap(),
                study: study(),
            })
            .collect();
        facts
    }

    fn judged(facts: &AggregatorFacts) -> Outcome {
        let mut audit = Audit::begin();
        check(facts, &BTreeMap::new(), &mut audit);
        audit.finish()
    }

    #[test]
    fn an_evaluation_counts_from_the_final_model_to_the_end_of_the_review_and_once_of_each_site() {
        for allowed in [
            facts(&[(12, 1500, NORTH)], false),
            facts(&[(12, 1500, NORTH)], true),
            // Under way when the release was signed.
            facts(&[(21, 2003, NORTH)], true),
        ] {
            let outcome = judged(&allowed);
            assert!(outcome.sound, "{outcome:?}");
        }
        for (forbidden, words) in [
            (facts(&[(9, 900, NORTH)], true), "before there was a final model"),
            (facts(&[(21, 2060, NORTH)], true), "60 seconds after the end"),
            (facts(&[(12, 1500, "ghost")], true), "had not joined"),
            (
                facts(&[(12, 1500, NORTH), (13, 1501, NORTH)], true),
                "each site has one",
            ),
        ] {
            let outcome = judged(&forbidden);
            assert_eq!(outcome.findings.len(), 1, "{words}: {outcome:?}");
            assert_eq!(outcome.findings[0].code, Code::EvaluationForbidden);
            assert!(outcome.findings[0].detail.contains(words), "{outcome:?}");
        }
    }

    #[test]
    fn while_a_review_is_under_way_a_site_may_have_exported_before_it_sent_its_evaluation() {
        let held_against = |facts: &AggregatorFacts, sent| {
            let mut audit = Audit::begin();
            of_site(&NORTH.parse().unwrap(), sent, facts, &mut audit);
            audit.finish()
        };
        let (open, over) = (facts(&[(12, 1500, NORTH)], false), facts(&[(12, 1500, NORTH)], true));
        let outcome = held_against(&open, 0);
        assert!(outcome.sound && outcome.not_judged == 1, "{outcome:?}");
        for facts in [&open, &over] {
            // One more that came too late for another review was refused.
            for sent in [1, 2] {
                let outcome = held_against(facts, sent);
                assert!(outcome.sound && outcome.not_judged == 0, "{outcome:?}");
            }
        }
        let outcome = held_against(&over, 0);
        assert_eq!(outcome.findings[0].code, Code::DisclosureUnrecorded);
        // The one that is open excuses no other.
        let mut both = open;
        let ended = "hips".parse::<StudyName>().unwrap();
        both.evaluations.push(EvaluationTaken {
            study: ended,
            ..both.evaluations[0].clone()
        });
        assert!(!held_against(&both, 0).sound);
        assert!(held_against(&both, 1).sound);
    }

    #[test]
    fn the_answer_names_the_reviews_that_are_under_way() {
        let outcome = judged(&facts(&[(12, 1500, NORTH)], false));
        assert_eq!(outcome.reviews, [study()]);
        let lines = outcome.lines().join("\n");
        assert!(lines.contains("the review of knees is under way"), "{lines}");
        assert!(judged(&facts(&[(12, 1500, NORTH)], true)).reviews.is_empty());
    }
}
