//! The one function that applies a policy. Pure and total: the same question always has the same answer.

use snowball_protocol::plan::Sent;

use crate::{
    clause::Clause,
    document::Stage,
    fault::PolicyFault,
    policy::{Policy, required_option},
    request::{Action, Decision, Request},
    signature::SignedPolicy,
    words::{bytes, count, list},
};

/// Longest part of a message that comes from a study plan, in characters.
const PLAN_TEXT_CHARACTERS_MAX: usize = 300;

/// What the site's policy says to `request`. Without a sound policy, and wherever it does not permit in so many words,
/// the answer is no.
///
/// Asked before joining, before training and again before sending: a policy may change in between.
#[must_use]
pub fn decide(policy: Result<&SignedPolicy, &PolicyFault>, request: &Request<'_>) -> Decision {
    match policy {
        Err(fault) => Decision::Deny {
            clause: Clause::Policy,
            reason: fault.reason(),
            remedy: fault.remedy().to_owned(),
        },
        Ok(signed) => match checked(&signed.policy, request) {
            Ok(clauses) => Decision::Permit { clauses },
            Err(Denial { clause, reason, remedy }) => Decision::Deny { clause, reason, remedy },
        },
    }
}

struct Denial {
    clause: Clause,
    reason: String,
    remedy: String,
}

/// The clauses that held so far; the first that does not ends the check.
struct Checks(Vec<Clause>);

impl Checks {
    fn require(&mut self, clause: Clause, holds: bool, words: impl FnOnce() -> (String, String)) -> Result<(), Denial> {
        if holds {
            self.0.push(clause);
            return Ok(());
        }
        let (reason, remedy) = words();
        Err(Denial { clause, reason, remedy })
    }
}

fn checked(policy: &Policy, request: &Request<'_>) -> Result<Vec<Clause>, Denial> {
    // Whoever holds a signed policy has had the file as a whole checked.
    let mut checks = Checks(vec![Clause::Policy]);
    check_standing(&mut checks, policy, request)?;
    check_study(&mut checks, policy, request)?;
    check_learning(&mut checks, policy, request)?;
    check_cohort(&mut checks, policy, request)?;
    check_rounds(&mut checks, policy, request)?;
    check_leaving(&mut checks, policy, request)?;
    Ok(checks.0)
}

fn check_standing(checks: &mut Checks, policy: &Policy, request: &Request<'_>) -> Result<(), Denial> {
    let approval = &policy.0.approval;
    checks.require(Clause::Site, policy.site() == request.site, || {
        (
            format!(
                "the policy is for the site {}, and this site is {}",
                policy.site(),
                request.site
            ),
            "install the policy that was made for this site".to_owned(),
        )
    })?;
    checks.require(Clause::ApprovedOn, request.now >= policy.begins(), || {
        (
            format!(
                "the policy is not valid yet: it begins on {} (UTC)",
                approval.approved_on
            ),
            "wait for that day, and check that this machine's clock is right".to_owned(),
        )
    })?;
    checks.require(Clause::ExpiresOn, request.now < policy.expires(), || {
        (
            format!("the policy has expired: its last day was {} (UTC)", approval.expires_on),
            "ask the ethics board to renew the approval, then install the renewed policy".to_owned(),
        )
    })?;
    checks.require(Clause::Stage, is_within_stage(policy.stage(), request.action), || {
        let what = if request.action == Action::Join {
            "no study may be joined"
        } else {
            "nothing may leave the site"
        };
        (
            format!("at the stage {} {what}", policy.stage()),
            "ask the ethics board for a policy of the stage proof-of-concept or later".to_owned(),
        )
    })
}

const fn is_within_stage(stage: Stage, action: Action) -> bool {
    match action {
        Action::Train => true,
        Action::Join | Action::Send { .. } => stage.permits_sending(),
    }
}

fn check_study(checks: &mut Checks, policy: &Policy, request: &Request<'_>) -> Result<(), Denial> {
    let plan = request.plan;
    let faults = plan.faults();
    checks.require(Clause::Studies, faults.is_empty(), || {
        let rule: String = faults.iter().take(1).map(ToString::to_string).collect();
        let rule: String = rule.chars().take(PLAN_TEXT_CHARACTERS_MAX).collect();
        (
            format!("the plan of the study {} breaks a rule: {rule}", plan.study),
            "ask the coordinator to correct the plan".to_owned(),
        )
    })?;
    checks.require(Clause::StudiesAllowed, policy.studies().contains(&plan.study), || {
        (
            format!("the study {} is not among the allowed studies", plan.study),
            format!(
                "if the ethics board approves it, add \"{}\" to studies.allowed, sign and install the policy",
                plan.study
            ),
        )
    })?;
    if policy.approves_any_digest() {
        checks.0.push(Clause::StudiesAnyDigest);
        return Ok(());
    }
    let digest = plan.digest();
    checks.require(Clause::StudiesDigests, policy.plan_digests().contains(&digest), || {
        (
            format!(
                "this plan of the study {} is not approved: its digest {digest} is not listed",
                plan.study
            ),
            format!(
                "if the ethics board approves the plan as it is, add \"{digest}\" to studies.digests, sign and install \
                 the policy"
            ),
        )
    })
}

fn check_learning(checks: &mut Checks, policy: &Policy, request: &Request<'_>) -> Result<(), Denial> {
    let plan = request.plan;
    let board = |what: &str, field: &str| format!("ask the ethics board whether {what} may be added to {field}");
    checks.require(Clause::Purposes, policy.purposes().contains(&plan.purpose), || {
        (
            format!("the purpose {} is not among the allowed purposes", plan.purpose),
            board(&format!("\"{}\"", plan.purpose), "purposes.allowed"),
        )
    })?;
    let labels: Vec<_> = plan.heads.iter().map(|head| head.label).collect();
    let unlisted: Vec<_> = labels
        .iter()
        .filter(|label| !policy.labels().contains(label))
        .map(|label| label.code())
        .collect();
    checks.require(Clause::Labels, unlisted.is_empty(), || {
        let named = list(&unlisted);
        (
            format!("the study learns {named}, which the policy does not allow"),
            board(&named, "labels.allowed"),
        )
    })?;
    let unretained: Vec<_> = labels.iter().filter(|label| !policy.allows_label(**label)).collect();
    checks.require(Clause::DeidentificationOptions, unretained.is_empty(), || {
        let named = list(&unretained.iter().map(|label| label.code()).collect::<Vec<_>>());
        let option = unretained
            .first()
            .and_then(|label| required_option(**label))
            .map_or("", |option| option.code());
        (
            format!("the study learns {named}, which de-identification may not retain without the option {option}"),
            board(&format!("\"{option}\""), "deidentification.options"),
        )
    })?;
    let (architecture, side, side_max) = (
        plan.network.architecture,
        plan.network.input_side,
        policy.input_side_max(),
    );
    checks.require(
        Clause::Architectures,
        policy.architectures().contains(&architecture),
        || {
            (
                format!(
                    "the study trains the network {}, which the policy does not allow",
                    architecture.code()
                ),
                board(&format!("\"{}\"", architecture.code()), "architectures.allowed"),
            )
        },
    )?;
    checks.require(Clause::InputSide, side <= side_max, || {
        (
            format!(
                "the study uses pictures of {side} by {side} pixels; the policy allows at most {side_max} by {side_max}"
            ),
            "ask the coordinator for a plan with smaller pictures, or the ethics board for a larger limit".to_owned(),
        )
    })
}

fn check_cohort(checks: &mut Checks, policy: &Policy, request: &Request<'_>) -> Result<(), Denial> {
    let facts = request.dataset;
    let (patients_min, cell_min) = (policy.training_patients_min(), policy.cell_min());
    checks.require(
        Clause::TrainingPatients,
        facts.training_patients >= patients_min,
        || {
            (
                format!(
                    "there are {} to train on; the policy needs {}",
                    count(facts.training_patients, "patient"),
                    count(patients_min, "patient")
                ),
                "take in more radiographs, then freeze the dataset again".to_owned(),
            )
        },
    )?;
    // Counts of classes leave only with small cells hidden, so metrics need no class of a certain size.
    if matches!(
        request.action,
        Action::Send {
            kind: Sent::Metrics,
            ..
        }
    ) {
        return Ok(());
    }
    let cell = facts.class_cells_min.min(facts.training_images);
    checks.require(Clause::CellMin, cell >= cell_min, || {
        (
            format!(
                "the smallest class has {} to train on; the policy needs {}",
                count(cell, "radiograph"),
                count(cell_min, "radiograph")
            ),
            "take in more radiographs of the rare classes or leave those classes out, then freeze the dataset again"
                .to_owned(),
        )
    })
}

fn check_rounds(checks: &mut Checks, policy: &Policy, request: &Request<'_>) -> Result<(), Denial> {
    let (planned, spent, rounds_max) = (request.plan.rounds.count, request.spent.rounds, policy.rounds_max());
    // The quality of the final model is known when the last round is over.
    let is_final_evaluation = matches!(
        request.action,
        Action::Send {
            kind: Sent::Metrics,
            ..
        }
    ) && spent == rounds_max;
    let holds = planned <= rounds_max && (spent < rounds_max || is_final_evaluation);
    checks.require(Clause::Rounds, holds, || {
        let allowed = count(u64::from(rounds_max), "round");
        let reason = if planned > rounds_max {
            format!(
                "the study has {}; the policy allows {allowed}",
                count(u64::from(planned), "round")
            )
        } else {
            format!(
                "the site has spent {}; the policy allows {allowed}",
                count(u64::from(spent), "round")
            )
        };
        (
            reason,
            "ask the coordinator for a shorter study, or the ethics board for more rounds".to_owned(),
        )
    })
}

/// Joining needs that updates may leave: nothing else would come of it. Metrics are withheld where they may not leave.
fn check_leaving(checks: &mut Checks, policy: &Policy, request: &Request<'_>) -> Result<(), Denial> {
    let (kind, size) = match request.action {
        Action::Train => return Ok(()),
        Action::Join => (Sent::Update, None),
        Action::Send { kind, bytes } => (kind, Some(bytes)),
    };
    let name = match kind {
        Sent::Update => "update",
        Sent::Metrics => "metrics",
    };
    let is_asked = request.plan.send.contains(&kind);
    checks.require(Clause::Release, is_asked && policy.releases(kind), || {
        if is_asked {
            (
                format!("the policy does not let {name} leave the site"),
                format!("ask the ethics board whether \"{name}\" may be added to release.allowed"),
            )
        } else {
            (
                format!(
                    "the approved plan of the study {} does not ask for {name}",
                    request.plan.study
                ),
                "ask the coordinator for a plan that names it, and the ethics board for its approval".to_owned(),
            )
        }
    })?;
    let Some(size) = size else { return Ok(()) };
    let (spent, bytes_max) = (request.spent.bytes_this_round, policy.bytes_per_round_max());
    let holds = spent.checked_add(size).is_some_and(|total| total <= bytes_max);
    checks.require(Clause::BytesPerRound, holds, || {
        (
            format!(
                "{} would leave after {} in this round; the policy allows {} a round",
                bytes(size),
                bytes(spent),
                bytes(bytes_max)
            ),
            "ask the coordinator for a smaller network, or the ethics board for a larger limit".to_owned(),
        )
    })
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
        assert_eq!(unchecked, [&Clause::StudiesAnyDigest]);
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
