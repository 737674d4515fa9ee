//! The smallest evidence that a check looks at: a round of one study that ended, and a training of one site.

use std::collections::BTreeMap;

use snowball_protocol::{RoundNumber, SiteName, StudyName, StudyPlan};

use crate::{
    aggregator::{AggregatorFacts, Finished},
    outcome::{Audit, Outcome},
    site::{SiteFacts, Trained},
};

type Check = fn(&AggregatorFacts, &BTreeMap<SiteName, SiteFacts>, &BTreeMap<StudyName, StudyPlan>, &mut Audit);

/// A sound plan.
pub fn plan() -> StudyPlan {
    toml::from_str(include_str!("../../../policies/cases/studies/body-parts.toml")).unwrap()
}

/// What `check` says where the first round of `plan` ended as `finished` and a site recorded `trained` in a round.
pub fn audited(check: Check, plan: StudyPlan, finished: Finished, (round, trained): (u32, Trained)) -> Outcome {
    let study = plan.study.clone();
    let mut aggregator = AggregatorFacts::default();
    aggregator.finished.insert((study.clone(), RoundNumber(1)), finished);
    let mut facts = SiteFacts::default();
    facts.trained.insert((study.clone(), RoundNumber(round)), vec![trained]);
    let sites = BTreeMap::from([("north".parse().unwrap(), facts)]);
    let mut audit = Audit::begin();
    check(&aggregator, &sites, &BTreeMap::from([(study, plan)]), &mut audit);
    audit.finish()
}
