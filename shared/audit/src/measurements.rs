//! The measurements that the aggregator holds against those that the sites' policies let out, by the digest of exactly what left: a
//! number that was changed on the way, or a detail that nobody permitted, is not what was approved.
//!
//! Programs of before sent numbers of which two programs may write the last digit in two ways, and did not write down whether details were
//! among them: of theirs it is known only that measurements were let out.

use snowball_protocol::{RoundNumber, Sha256Digest, SiteName, StudyName, evaluation::Evaluation, plan::canonical_json};

use crate::{
    cross::{self, Parties},
    documents::{EvaluationFacts, UpdateFacts, paths},
    finding::Code,
    outcome::{Area, Audit},
    reviews::Review,
    site::{MetricsApproval, SiteFacts},
};

/// With the update of which round measurements left; none: of the final model.
type Occasion = (StudyName, Option<RoundNumber>);

impl Parties<'_> {
    /// What came with updates, and of final models.
    pub(crate) fn measurements(&self, audit: &mut Audit) {
        let mut of_before = 0_u64;
        // A line that is no document was told with the updates.
        for document in self.folder.table::<UpdateFacts>(paths::UPDATES).flatten() {
            let header = &document.header;
            let (Some(facts), Some(evaluation)) = (self.sites.get(&document.site), &header.evaluation) else {
                continue;
            };
            let round = (header.study.clone(), header.round);
            if header.ledger_index >= facts.entries && self.open.is_open(&round) {
                continue;
            }
            let place = cross::place(&round, &document.site);
            let held = Held::of(facts, &(round.0, Some(round.1)), evaluation);
            of_before += u64::from(held == Held::Before);
            held.tell(&place, audit);
        }
        of_before += self.final_models(audit);
        if of_before > 0 {
            audit.note(format!(
                "{of_before} evaluations were let out by programs of before, whose numbers have no one spelling; that they are what came was \
                 not checked"
            ));
        }
    }

    /// What came of final models; says how many programs of before sent.
    fn final_models(&self, audit: &mut Audit) -> u64 {
        let taken = &self.aggregator.evaluations;
        if !self.folder.lists(paths::EVALUATIONS) {
            if !taken.is_empty() {
                audit.note("the evaluations of final models are not in the aggregator's evidence, which an earlier program exported");
            }
            return 0;
        }
        let (mut of_before, mut documented) = (0, Vec::new());
        for document in self.folder.table::<EvaluationFacts>(paths::EVALUATIONS) {
            let Ok(EvaluationFacts { site, study, told }) = document else {
                let detail = "a line of it is no document";
                audit.looked(Area::Disclosures);
                audit.find(
                    Area::Disclosures,
                    Code::EvaluationUndocumented,
                    paths::EVALUATIONS,
                    detail,
                );
                break;
            };
            let digest = Sha256Digest::of(&canonical_json(&told));
            let parts: Vec<Evaluation> = [told.evaluation, told.own].into_iter().flatten().collect();
            // Where a number has no one spelling, the ledger may have another one of the same document.
            let has_one_spelling = parts.iter().all(|part| part.clone().rounded() == *part);
            documented.push((site.clone(), study.clone(), has_one_spelling.then_some(digest)));
            let Some(facts) = self.sites.get(&site) else { continue };
            let is_open = self.aggregator.reviews.get(&study).is_some_and(Review::is_under_way);
            let place = format!("aggregator, final model of {study}, {site}");
            for part in &parts {
                let held = Held::of(facts, &(study.clone(), None), part);
                of_before += u64::from(held == Held::Before);
                if is_open && held != Held::Approved {
                    audit.pass_over(1);
                } else {
                    held.tell(&place, audit);
                }
            }
        }
        for one in taken {
            let is_it = |(site, study, digest): &(SiteName, StudyName, Option<Sha256Digest>)| {
                (site, study) == (&one.site, &one.study) && digest.is_none_or(|digest| digest == one.digest)
            };
            let place = format!("aggregator, record {}", one.index);
            let holds = documented.iter().any(is_it);
            audit.expect(holds, Area::Disclosures, Code::EvaluationUndocumented, &place, || {
                format!(
                    "the evaluation {} of {} for {} has no such document",
                    one.digest, one.site, one.study
                )
            });
        }
        of_before
    }
}

/// How an evaluation stands to what its site let out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Held {
    /// It is what was approved.
    Approved,
    /// Something was approved, by a program of before.
    Before,
    /// Nothing was.
    Unknown,
    /// Something else was.
    Other,
    /// It was approved as one without details, and has some; or the reverse.
    Detailed,
    /// It has details, and no permit for them came before.
    Unpermitted,
}

impl Held {
    fn of(facts: &SiteFacts, occasion: &Occasion, evaluation: &Evaluation) -> Self {
        let Some(approvals) = facts.metrics.get(occasion) else {
            return Self::Unknown;
        };
        let digest = Sha256Digest::of(&canonical_json(evaluation));
        let Some(approval) = approvals.iter().rfind(|approval| approval.digest == digest) else {
            let is_of_before = approvals.iter().any(|approval| approval.detailed.is_none());
            return if is_of_before { Self::Before } else { Self::Other };
        };
        let MetricsApproval {
            detailed,
            may_be_detailed,
            ..
        } = approval;
        match detailed {
            Some(detailed) if *detailed != evaluation.has_details() => Self::Detailed,
            _ if evaluation.has_details() && !may_be_detailed => Self::Unpermitted,
            _ => Self::Approved,
        }
    }

    fn tell(self, place: &str, audit: &mut Audit) {
        let (code, detail) = match self {
            Self::Approved | Self::Before => return audit.looked(Area::Disclosures),
            Self::Unknown => (
                Code::MetricsNotApproved,
                "measurements came with it, and the site's ledger did not let any out",
            ),
            Self::Other => (
                Code::MetricsContradict,
                "its measurements have another digest than those that the site's ledger let out",
            ),
            Self::Detailed => (
                Code::MetricsContradict,
                "the site's ledger says otherwise whether there are details among its measurements",
            ),
            Self::Unpermitted => (
                Code::MetricsNotApproved,
                "there are details among its measurements, and the site's ledger has no permit for them",
            ),
        };
        audit.looked(Area::Disclosures);
        audit.find(Area::Disclosures, code, place, detail);
    }
}

#[cfg(test)]
mod tests {
    use snowball_protocol::evaluation::{ClassCount, ClassDetail, HeadEvaluation};

    use super::*;

    fn evaluation(is_detailed: bool) -> Evaluation {
        let detail = ClassDetail {
            patients: 6,
            said: vec![8],
            correct_variance: 1.0,
            brier_sum: 2.0,
            ranks: None,
            covariance_sums: None,
        };
        Evaluation {
            model_digest: Sha256Digest::of(b"m"),
            images: 9,
            heads: vec![HeadEvaluation::Classes {
                label: snowball_protocol::labels::LabelName::Sex,
                loss_sum: 0.25,
                images: 9,
                classes: vec![ClassCount {
                    class: "F".to_owned(),
                    images: 9,
                    correct: 8,
                    detail: is_detailed.then_some(detail),
                }],
            }],
            reconstruction: None,
            contrast: None,
        }
    }

    fn held(approvals: &[(Evaluation, Option<bool>, bool)], came: &Evaluation) -> Held {
        let occasion: Occasion = ("spines".parse().unwrap(), Some(RoundNumber(1)));
        let approvals = approvals
            .iter()
            .map(|(evaluation, detailed, may_be_detailed)| MetricsApproval {
                digest: Sha256Digest::of(&canonical_json(evaluation)),
                detailed: *detailed,
                may_be_detailed: *may_be_detailed,
            });
        let approvals: Vec<MetricsApproval> = approvals.collect();
        let facts = SiteFacts {
            metrics: (!approvals.is_empty())
                .then(|| (occasion.clone(), approvals))
                .into_iter()
                .collect(),
            ..SiteFacts::default()
        };
        Held::of(&facts, &occasion, came)
    }

    #[test]
    fn what_came_is_what_was_approved_to_the_last_digit() {
        let (plain, full) = (evaluation(false), evaluation(true));
        assert_eq!(held(&[], &plain), Held::Unknown);
        assert_eq!(held(&[(plain.clone(), Some(false), false)], &plain), Held::Approved);
        assert_eq!(held(&[(full.clone(), Some(true), true)], &full), Held::Approved);
        let mut changed = plain.clone();
        changed.images = 10;
        assert_eq!(held(&[(plain.clone(), Some(false), false)], &changed), Held::Other);
        assert_eq!(held(&[(plain.clone(), Some(false), false)], &full), Held::Other);
        // A program of before told less; where what came is what it approved, that is seen all the same.
        assert_eq!(held(&[(plain.clone(), None, false)], &changed), Held::Before);
        assert_eq!(held(&[(plain.clone(), None, false)], &plain), Held::Approved);
    }

    #[test]
    fn details_need_to_be_told_and_to_be_permitted() {
        let full = evaluation(true);
        assert_eq!(held(&[(full.clone(), Some(false), true)], &full), Held::Detailed);
        assert_eq!(held(&[(full.clone(), Some(true), false)], &full), Held::Unpermitted);
        assert_eq!(held(&[(full.clone(), None, false)], &full), Held::Unpermitted);
    }
}
