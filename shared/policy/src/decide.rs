//! The one function that applies a policy. Pure and total: the same question always has the same answer.

use snowball_confidentiality::Language;
use snowball_protocol::plan::{Sent, StudyPlan};

use crate::{
    clause::Clause,
    document::{Approval, Demand, PrivacyMechanism, Stage},
    fault::PolicyFault,
    policy::{Policy, required_option},
    request::{Action, Decision, Request},
    signature::SignedPolicy,
    why::{Span, Why},
};

/// Longest part of a message that comes from a study plan, in characters.
const PLAN_TEXT_CHARACTERS_MAX: usize = 300;

/// What the site's policy says to `request`. Without a sound policy, and wherever it does not permit in so many words,
/// the answer is no.
///
/// Asked before joining, before training and again before sending: a policy may change in between.
#[must_use]
pub fn decide(policy: Result<&SignedPolicy, &PolicyFault>, request: &Request<'_>) -> Decision {
    decide_in(policy, request, Language::English)
}

/// As [`decide`], with reason and remedy in `language`.
#[must_use]
pub fn decide_in(policy: Result<&SignedPolicy, &PolicyFault>, request: &Request<'_>, language: Language) -> Decision {
    match policy {
        Err(fault) => Decision::Deny {
            clause: Clause::Policy,
            reason: fault.reason_in(language),
            remedy: fault.remedy_in(language).to_owned(),
        },
        Ok(signed) => match checked(&signed.policy, request) {
            Ok(clauses) => Decision::Permit { clauses },
            Err(Denial { clause, why }) => {
                let (reason, remedy) = why.words(language);
                Decision::Deny { clause, reason, remedy }
            }
        },
    }
}

struct Denial {
    clause: Clause,
    why: Why,
}

/// The clauses that held so far; the first that does not ends the check.
struct Checks(Vec<Clause>);

impl Checks {
    fn require(&mut self, clause: Clause, holds: bool, why: impl FnOnce() -> Why) -> Result<(), Denial> {
        if holds {
            self.0.push(clause);
            return Ok(());
        }
        Err(Denial { clause, why: why() })
    }

    /// The approvals of which `holds` is true; there must be one.
    fn narrow<'a>(
        &mut self,
        clause: Clause,
        approvals: &[&'a Approval],
        holds: impl Fn(&Approval) -> bool,
        why: impl FnOnce() -> Why,
    ) -> Result<Vec<&'a Approval>, Denial> {
        let left: Vec<_> = approvals.iter().copied().filter(|approval| holds(approval)).collect();
        self.require(clause, !left.is_empty(), why)?;
        Ok(left)
    }
}

fn checked(policy: &Policy, request: &Request<'_>) -> Result<Vec<Clause>, Denial> {
    // Whoever holds a signed policy has had the file as a whole checked.
    let mut checks = Checks(vec![Clause::Policy]);
    check_document(&mut checks, policy, request)?;
    check_approval(&mut checks, policy, request)?;
    check_learning(&mut checks, policy, request.plan)?;
    check_cohort(&mut checks, policy, request)?;
    check_rounds(&mut checks, policy, request)?;
    check_training(&mut checks, policy, request)?;
    if !matches!(request.action, Action::TrainAlone | Action::Evaluate) {
        check_together(&mut checks, policy, request)?;
        check_leaving(&mut checks, policy, request)?;
    }
    Ok(checks.0)
}

fn check_document(checks: &mut Checks, policy: &Policy, request: &Request<'_>) -> Result<(), Denial> {
    checks.require(Clause::Site, policy.site() == request.site, || Why::OtherSite {
        policy: policy.site().clone(),
        here: request.site.clone(),
    })?;
    let faults = request.plan.faults();
    checks.require(Clause::Plan, faults.is_empty(), || {
        let rule: String = faults.iter().take(1).map(ToString::to_string).collect();
        Why::PlanBroken {
            study: request.plan.study.clone(),
            rule: rule.chars().take(PLAN_TEXT_CHARACTERS_MAX).collect(),
        }
    })
}

/// One approval must be of the stage that the action takes, name the study, hold today, and approve this very plan.
fn check_approval(checks: &mut Checks, policy: &Policy, request: &Request<'_>) -> Result<(), Denial> {
    let (plan, stage, now) = (request.plan, request.action.stage(request.plan), request.now);
    let study = || plan.study.clone();
    let all: Vec<_> = policy.0.approvals.iter().collect();
    let of_stage = checks.narrow(
        Clause::Stage,
        &all,
        |approval| approval.stage == stage || (request.action == Action::Evaluate && approval.stage == Stage::Local),
        || Why::NoApproval { stage },
    )?;
    let naming = checks.narrow(
        Clause::Studies,
        &of_stage,
        |approval| approval.studies.contains(&plan.study),
        || Why::StudyNotNamed { study: study(), stage },
    )?;
    let begun = checks.narrow(
        Clause::ApprovedOn,
        &naming,
        |approval| now >= approval.approved_on.begins(),
        || Why::NotYet {
            first: naming.iter().map(|approval| approval.approved_on).min(),
        },
    )?;
    let standing = checks.narrow(
        Clause::ExpiresOn,
        &begun,
        |approval| now < approval.expires_on.ends(),
        || Why::Expired {
            last: begun.iter().map(|approval| approval.expires_on).max(),
        },
    )?;
    let digest = plan.digest();
    if standing.iter().any(|approval| approval.approves_any_digest()) {
        checks.0.push(Clause::AnyDigest);
        return Ok(());
    }
    let holds = |approval: &Approval| approval.digests.contains(&digest);
    checks.narrow(Clause::Digests, &standing, holds, || Why::PlanNotApproved {
        study: study(),
        digest,
    })?;
    Ok(())
}

fn check_learning(checks: &mut Checks, policy: &Policy, plan: &StudyPlan) -> Result<(), Denial> {
    checks.require(Clause::Purposes, policy.purposes().contains(&plan.purpose), || {
        Why::Purpose {
            purpose: plan.purpose.clone(),
        }
    })?;
    let labels: Vec<_> = plan.heads.iter().map(|head| head.label).collect();
    let unlisted: Vec<_> = labels
        .iter()
        .copied()
        .filter(|label| !label.is_made() && !policy.labels().contains(label))
        .collect();
    checks.require(Clause::Labels, unlisted.is_empty(), || Why::Labels { labels: unlisted })?;
    let unretained: Vec<_> = labels
        .into_iter()
        .filter(|label| !policy.allows_label(*label))
        .collect();
    checks.require(Clause::DeidentificationOptions, unretained.is_empty(), || {
        Why::NotRetained {
            option: unretained.first().and_then(|label| required_option(*label)),
            labels: unretained,
        }
    })?;
    let architecture = plan.network.architecture;
    checks.require(
        Clause::Architectures,
        policy.architectures().contains(&architecture),
        || Why::Architecture { architecture },
    )?;
    let (side, side_max) = (plan.network.input_side, policy.input_side_max());
    checks.require(Clause::InputSide, side <= side_max, || Why::InputSide {
        side,
        side_max,
    })
}

fn check_cohort(checks: &mut Checks, policy: &Policy, request: &Request<'_>) -> Result<(), Denial> {
    let facts = request.dataset;
    let (found, min) = (facts.training_patients, policy.training_patients_min());
    checks.require(Clause::TrainingPatients, found >= min, || Why::Patients { found, min })?;
    // Counts of classes leave only with small cells hidden, so metrics need no class of a certain size.
    if is_metrics(request.action) {
        return Ok(());
    }
    let (found, min) = (facts.class_cells_min.min(facts.training_images), policy.cell_min());
    checks.require(Clause::CellMin, found >= min, || Why::Cell { found, min })
}

const fn is_metrics(action: Action) -> bool {
    matches!(
        action,
        Action::Send {
            kind: Sent::Metrics | Sent::DetailedMetrics,
            ..
        }
    )
}

fn check_rounds(checks: &mut Checks, policy: &Policy, request: &Request<'_>) -> Result<(), Denial> {
    let (planned, spent, max) = (
        request.plan.rounds.count,
        request.spent.rounds,
        policy.rounds_per_study_max(),
    );
    // The quality of the final model is known when the last round is over.
    let is_left = spent < max || (is_metrics(request.action) && spent == max);
    checks.require(Clause::RoundsPerStudy, planned <= max && is_left, || {
        if planned > max {
            Why::StudyTooLong { planned, max }
        } else {
            Why::RoundsSpent { spent, max }
        }
    })
}

/// How and when the trainer may run. Joining and sending only ask that it is held; a training that has begun is finished.
fn check_training(checks: &mut Checks, policy: &Policy, request: &Request<'_>) -> Result<(), Denial> {
    let is_held = policy.confinement() == Demand::NotRequired || request.is_confined;
    checks.require(Clause::Confinement, is_held, || Why::NotConfined)?;
    if !matches!(request.action, Action::Train | Action::TrainAlone) {
        return Ok(());
    }
    checks.require(Clause::HoursTraining, policy.is_hour_for_training(request.now), || {
        Why::HourOfTraining {
            local: policy.0.hours.time_zone.local(request.now),
        }
    })
}

/// What holds only where others take part.
fn check_together(checks: &mut Checks, policy: &Policy, request: &Request<'_>) -> Result<(), Denial> {
    check_budget(checks, policy, request)?;
    let rounds = &request.plan.rounds;
    let (planned, min) = (rounds.sites.min.min(rounds.updates.min), policy.sites_min());
    checks.require(Clause::SitesMin, planned >= min, || Why::Sites { planned, min })?;
    // No plan can offer either of these yet, so a policy that demands one denies every study.
    let is_open = policy.secure_aggregation() == Demand::NotRequired;
    checks.require(Clause::SecureAggregation, is_open, || Why::NoSecureAggregation)?;
    let mechanism = policy.privacy_mechanism();
    checks.require(Clause::Privacy, mechanism == PrivacyMechanism::None, || {
        Why::NoMechanism { mechanism }
    })
}

fn check_budget(checks: &mut Checks, policy: &Policy, request: &Request<'_>) -> Result<(), Denial> {
    let (spent, max) = (request.spent.rounds_all_studies, policy.rounds_all_studies_max());
    let of_others = spent.saturating_sub(request.spent.rounds);
    let planned = request.plan.rounds.count;
    let holds = match request.action {
        // A study that could not be finished is not begun.
        Action::Join => of_others.saturating_add(planned) <= max,
        action if is_metrics(action) => spent <= max,
        _ => spent < max,
    };
    checks.require(Clause::RoundsAllStudies, holds, || {
        if request.action == Action::Join {
            Why::BudgetTooSmall {
                planned,
                spent: of_others,
                max,
            }
        } else {
            Why::BudgetSpent { spent, max }
        }
    })
}

/// Joining needs that updates may leave: nothing else would come of it. Metrics are withheld where they may not leave.
fn check_leaving(checks: &mut Checks, policy: &Policy, request: &Request<'_>) -> Result<(), Denial> {
    let (kind, size) = match request.action {
        Action::Train | Action::TrainAlone | Action::Evaluate => return Ok(()),
        Action::Join => (Sent::Update, None),
        Action::Send { kind, bytes } => (kind, Some(bytes)),
    };
    let is_asked = request.plan.send.contains(&kind);
    checks.require(Clause::Release, is_asked && policy.releases(kind), || {
        if is_asked {
            Why::NotReleased { kind }
        } else {
            Why::NotAsked {
                kind,
                study: request.plan.study.clone(),
            }
        }
    })?;
    let Some(size) = size else { return Ok(()) };
    checks.require(Clause::HoursSending, policy.is_hour_for_sending(request.now), || {
        Why::HourOfSending {
            local: policy.0.hours.time_zone.local(request.now),
        }
    })?;
    let spent = request.spent;
    for (clause, span, spent, max) in [
        (
            Clause::BytesPerRound,
            Span::Round,
            spent.bytes_this_round,
            policy.bytes_per_round_max(),
        ),
        (
            Clause::BytesPerDay,
            Span::Day,
            spent.bytes_last_day,
            policy.bytes_per_day_max(),
        ),
        (
            Clause::BytesPerStudy,
            Span::Study,
            spent.bytes_this_study,
            policy.bytes_per_study_max(),
        ),
    ] {
        let holds = spent.checked_add(size).is_some_and(|total| total <= max);
        checks.require(clause, holds, || Why::Bytes { span, size, spent, max })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use snowball_protocol::{Sha256Digest, SiteName, StudyPlan};

    use super::*;
    use crate::{
        request::{DatasetFacts, Spent},
        testing::{COLLABORATION, LOCAL, signed, study},
    };

    /// 1 June 2026.
    const NOW: i64 = 1_780_272_000;

    fn request<'a>(site: &'a SiteName, plan: &'a StudyPlan, action: Action, now: i64) -> Request<'a> {
        let dataset = DatasetFacts {
            training_patients: 800,
            training_images: 1200,
            class_cells_min: 40,
        };
        Request {
            site,
            plan,
            action,
            dataset,
            spent: Spent::default(),
            is_confined: true,
            now,
        }
    }

    fn words(decision: &Decision) -> (String, String) {
        match decision {
            Decision::Deny { reason, remedy, .. } => (reason.clone(), remedy.clone()),
            Decision::Permit { .. } => panic!("{decision}"),
        }
    }

    #[test]
    fn each_way_of_having_no_policy_has_its_own_words() {
        let (site, plan) = ("north".parse().unwrap(), study());
        let digest = Sha256Digest::of(b"key");
        let faults = [
            PolicyFault::Missing,
            PolicyFault::Empty,
            PolicyFault::TooLarge { bytes: 200_000 },
            PolicyFault::NotText { line: 3 },
            PolicyFault::UnknownFormat { found: "2".to_owned() },
            PolicyFault::Malformed {
                line: 7,
                field: None,
                reason: "unknown field `x`".to_owned(),
            },
            PolicyFault::Unsigned,
            PolicyFault::SignatureUnreadable,
            PolicyFault::WrongKey {
                signed_by: Sha256Digest::of(b"other"),
                expected: digest,
            },
            PolicyFault::SignatureInvalid,
        ];
        let mut all: Vec<_> = faults
            .iter()
            .map(|fault| words(&decide(Err(fault), &request(&site, &plan, Action::Train, NOW))))
            .collect();
        let policy = signed(COLLABORATION);
        let south = "south".parse().unwrap();
        for (site, now) in [(&site, 0), (&site, i64::MAX), (&south, NOW)] {
            all.push(words(&decide(Ok(&policy), &request(site, &plan, Action::Train, now))));
        }
        all.push(words(&decide(
            Ok(&signed(LOCAL)),
            &request(&site, &plan, Action::Join, NOW),
        )));
        let reasons: BTreeSet<_> = all.iter().map(|(reason, _)| reason).collect();
        let remedies: BTreeSet<_> = all.iter().map(|(_, remedy)| remedy).collect();
        assert_eq!((reasons.len(), remedies.len()), (14, 14), "{all:#?}");
    }

    #[test]
    fn a_permit_lists_each_checked_clause_once_and_in_order() {
        let (site, plan, policy) = ("north".parse().unwrap(), study(), signed(COLLABORATION));
        let send = Action::Send {
            kind: Sent::Update,
            bytes: 1000,
        };
        let Decision::Permit { clauses } = decide(Ok(&policy), &request(&site, &plan, send, NOW)) else {
            panic!()
        };
        let distinct: BTreeSet<_> = clauses.iter().collect();
        assert_eq!(distinct.len(), clauses.len());
        let unchecked: Vec<_> = Clause::ALL.iter().filter(|clause| !clauses.contains(clause)).collect();
        assert_eq!(unchecked, [&Clause::AnyDigest, &Clause::HoursTraining]);
        assert!(clauses.is_sorted(), "{clauses:?}");
    }

    #[test]
    fn words_for_others_hold_no_count() {
        let (site, plan, policy) = ("north".parse().unwrap(), study(), signed(COLLABORATION));
        let mut asked = request(&site, &plan, Action::Join, NOW);
        asked.dataset.training_patients = 49;
        let decision = decide(Ok(&policy), &asked);
        assert!(decision.to_string().contains("49"));
        assert_eq!(
            decision.public_words(),
            "the site's policy does not permit it by its clause cohort.training_patients_min"
        );
    }
}
