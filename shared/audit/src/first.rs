//! The model that a study begins with: what its plan names, or what the plan's seed makes, and the one that every site began with.
//!
//! What a seed makes is computed here anew, as each site computed it before it trained. What weights make cannot be computed from the
//! evidence, which holds no parameters: there the digest in the plan counts, which each board approved.

use std::collections::BTreeMap;

use snowball_layout::Layout;
use snowball_protocol::{RoundNumber, Sha256Digest, SiteName, StudyName, StudyPlan, digest::RunningDigest};

use crate::{
    aggregator::{AggregatorFacts, Finished},
    finding::Code,
    outcome::{Area, Audit},
    site::SiteFacts,
};

/// The largest network whose first model is computed: its numbers take 0.6 GB for a moment.
const PARAMETERS_MAX: usize = 150_000_000;
/// Numbers that are hashed at a time.
const BLOCK: usize = 1 << 16;
const FIRST: RoundNumber = RoundNumber(1);

/// Every study whose first round ended.
pub(crate) fn check(
    aggregator: &AggregatorFacts,
    sites: &BTreeMap<SiteName, SiteFacts>,
    plans: &BTreeMap<StudyName, StudyPlan>,
    audit: &mut Audit,
) {
    for (study, plan) in plans {
        let Some(first) = aggregator.finished.get(&(study.clone(), FIRST)) else {
            continue;
        };
        begins(study, named(plan), first, audit);
        for (site, facts) in sites {
            of_site(site, facts, (study, first), audit);
        }
    }
}

/// Where the first model of a plan comes from.
#[derive(PartialEq, Eq, Debug)]
enum Named {
    Weights(Sha256Digest),
    Seed(Sha256Digest),
    /// Too large to be computed here, or no plan that a study can have.
    Unknown,
}

fn named(plan: &StudyPlan) -> Named {
    if let Some(start) = &plan.start {
        return Named::Weights(start.model);
    }
    if !plan.faults().is_empty() {
        return Named::Unknown;
    }
    let layout = Layout::of(plan);
    if layout.parameters() > PARAMETERS_MAX {
        return Named::Unknown;
    }
    let mut digest = RunningDigest::default();
    for block in layout.initial_parameters(plan.seed).chunks(BLOCK) {
        digest.update(&snowball_layout::to_le_bytes(block));
    }
    Named::Seed(digest.finish())
}

fn begins(study: &StudyName, named: Named, first: &Finished, audit: &mut Audit) {
    let place = format!("aggregator, round 1 of {study}");
    let (model, whence) = match named {
        Named::Weights(model) => (model, "the plan begins with"),
        Named::Seed(model) => (model, "the plan's seed makes"),
        Named::Unknown => {
            return audit.note(format!(
                "{study}: what its seed makes was not computed, since the network is larger than {PARAMETERS_MAX} parameters or the plan \
                 breaks a rule; checked is that the aggregator and every site began with the same model, {}",
                first.model_in
            ));
        }
    };
    audit.expect(first.model_in == model, Area::Models, Code::ModelChain, &place, || {
        format!("it starts from {}, and {whence} {model}", first.model_in)
    });
}

/// What a site's own ledger names as the model that it began the first round with, and what the receipts of that round name.
fn of_site(site: &SiteName, facts: &SiteFacts, (study, first): (&StudyName, &Finished), audit: &mut Audit) {
    let trained = facts.trained.get(&(study.clone(), FIRST)).into_iter().flatten();
    let trained = trained.map(|trained| (trained.model_in, "it trained the first round from"));
    let receipts = facts.receipts.iter().map(|(_, signed)| &signed.receipt);
    let receipts = receipts.filter(|receipt| receipt.study == *study && receipt.round == FIRST && receipt.behind == 0);
    let receipts = receipts.map(|receipt| (receipt.model_in, "its receipt of the first round names"));
    for (model, words) in trained.chain(receipts) {
        audit.expect(
            model == first.model_in,
            Area::Models,
            Code::ModelChain,
            site.as_str(),
            || format!("{words} {model}; {study} began with {}", first.model_in),
        );
    }
}

#[cfg(test)]
mod tests {
    use snowball_protocol::plan::Beginning;

    use super::*;
    use crate::{
        outcome::Outcome,
        site::Trained,
        testing::{self, plan},
    };

    /// What an audit says where the aggregator began `plan` with `began` and a site trained from `trained`.
    fn audited(plan: StudyPlan, began: Sha256Digest, trained: Sha256Digest) -> Outcome {
        let finished = Finished {
            model_in: began,
            model_out: Sha256Digest::of(b"out"),
            control: None,
            contributions: 1,
        };
        let trained = Trained {
            examples: 1,
            model_in: trained,
            control: None,
        };
        testing::audited(check, plan, finished, (FIRST.0, trained))
    }

    #[test]
    fn a_study_without_weights_begins_with_what_its_seed_makes_and_so_does_every_site() {
        let plan = plan();
        let layout = Layout::of(&plan);
        let made = Sha256Digest::of(&snowball_layout::to_le_bytes(&layout.initial_parameters(plan.seed)));
        let outcome = audited(plan.clone(), made, made);
        assert!(outcome.sound && outcome.notes.is_empty(), "{outcome:?}");
        let other = Sha256Digest::of(b"another first model");
        // The aggregator began with another one, and then with all sites, or with one of them alone.
        for (began, trained, findings) in [(other, other, 1), (other, made, 2), (made, other, 1)] {
            let outcome = audited(plan.clone(), began, trained);
            assert_eq!(outcome.findings.len(), findings, "{outcome:?}");
            assert!(outcome.findings.iter().all(|found| found.code == Code::ModelChain));
        }
        let mut reseeded = plan;
        reseeded.seed += 1;
        assert!(!audited(reseeded, made, made).sound);
    }

    #[test]
    fn a_study_from_weights_begins_with_the_digest_that_its_plan_names() {
        let mut plan = plan();
        let approved = Sha256Digest::of(b"approved");
        plan.start = Some(Beginning {
            model: approved,
            stages: vec!["stem".to_owned()],
            heads: Vec::new(),
            parents: Vec::new(),
        });
        assert!(audited(plan.clone(), approved, approved).sound);
        let exchanged = Sha256Digest::of(b"exchanged");
        let found = audited(plan, exchanged, exchanged).findings;
        assert_eq!((found.len(), found[0].code), (1, Code::ModelChain));
    }

    #[test]
    fn what_is_not_computed_is_said() {
        let mut plan = plan();
        plan.local.steps = 0;
        assert_eq!(named(&plan), Named::Unknown);
        let model = Sha256Digest::of(b"model");
        let outcome = audited(plan, model, model);
        assert!(
            outcome.sound && outcome.notes[0].contains("was not computed"),
            "{outcome:?}"
        );
    }
}
