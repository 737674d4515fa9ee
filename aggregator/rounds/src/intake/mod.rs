//! What an update must pass before it counts: one pipeline over facts, in the order in which it is read.
//!
//! A refusal is a normal outcome. It has a code, a reason and a remedy, and never stops a round.

mod admitted;
mod covariance;
mod detail;
mod evaluation;
mod inspection;
#[cfg(test)]
pub(crate) mod tests;

use snowball_encoding::Coding;
use snowball_protocol::{
    Problem, ProblemCode, Sha256Digest, SiteName, StudyPlan, limits::EXAMPLES_MAX, update::UpdateHeader,
};

pub use admitted::AdmittedUpdate;
pub use evaluation::check_evaluation;
pub use inspection::{Inspected, Inspection};

use crate::machine::{Phase, used_before};

/// Everything that is known when a site announces an update.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Whose certificate it came under.
    pub site: &'a SiteName,
    /// Whether that site, or that certificate, is revoked.
    pub is_revoked: bool,
    /// The study's plan.
    pub plan: &'a StudyPlan,
    /// Its digest.
    pub plan_digest: Sha256Digest,
    /// Digest of the network's parameter layout.
    pub layout_digest: Sha256Digest,
    /// Number of the network's parameters.
    pub parameters: usize,
    /// Where the study stands.
    pub phase: &'a Phase,
    /// What the site announces.
    pub header: &'a UpdateHeader,
}

/// Whether the announced update would be taken, before its first byte is sent.
///
/// # Errors
/// The first check that it fails.
pub fn announce(facts: &Facts<'_>) -> Result<(), Problem> {
    who(facts)?;
    study_open(facts)?;
    round_open(facts)?;
    not_seen(facts)?;
    plan_approved(facts)?;
    layout(facts)?;
    encoding(facts)?;
    size(facts)?;
    behind(facts)?;
    sample_count(facts)?;
    step_count(facts)?;
    metrics(facts)
}

/// Whether the update, now that all its bytes are here and were inspected, counts.
///
/// # Errors
/// The first check that it fails; those of [`announce`] are made again, since the study may have moved on.
pub fn admit(facts: &Facts<'_>, inspected: &Inspected) -> Result<AdmittedUpdate, Problem> {
    announce(facts)?;
    whole(facts, inspected)?;
    digest(facts, inspected)?;
    decoded(inspected)?;
    finite(inspected)?;
    kept_back(inspected)?;
    norm(facts, inspected)?;
    Ok(AdmittedUpdate::new(facts, inspected, behind(facts)?))
}

fn who(facts: &Facts<'_>) -> Result<(), Problem> {
    if facts.is_revoked {
        return Err(Problem::new(
            ProblemCode::CertificateRevoked,
            format!("{} is revoked", facts.site),
        ));
    }
    if facts.phase.is_member(facts.site) || facts.phase.has_contributed(facts.site) || is_over(facts.phase) {
        return Ok(());
    }
    Err(Problem::new(
        ProblemCode::NotJoined,
        format!("{} has not joined this study", facts.site),
    ))
}

fn study_open(facts: &Facts<'_>) -> Result<(), Problem> {
    if facts.header.study != facts.plan.study {
        return Err(Problem::new(
            ProblemCode::Malformed,
            "the announcement names another study than its address",
        ));
    }
    if is_over(facts.phase) {
        return Err(Problem::new(ProblemCode::StudyClosed, "the study has ended"));
    }
    Ok(())
}

fn round_open(facts: &Facts<'_>) -> Result<(), Problem> {
    let asked = facts.header.round;
    let closed = |reason| Err(Problem::new(ProblemCode::RoundClosed, reason));
    match facts.phase.within() {
        Phase::Collecting(phase) if asked != phase.round => {
            closed(format!("round {} is open, not {asked}", phase.round))
        }
        Phase::Collecting(phase) if phase.waiting.contains(facts.site) => closed(format!(
            "{} joined during round {asked} and takes part from the next one on",
            facts.site
        )),
        Phase::Collecting(_) => Ok(()),
        Phase::Aggregating(_) if facts.phase.has_contributed(facts.site) && asked == facts.phase.round() => Ok(()),
        _ => closed(format!("round {asked} is not open")),
    }
}

fn not_seen(facts: &Facts<'_>) -> Result<(), Problem> {
    if facts.phase.has_contributed(facts.site) {
        let reason = format!("{} has already contributed to round {}", facts.site, facts.header.round);
        return Err(Problem::new(ProblemCode::AlreadyContributed, reason));
    }
    let is_full =
        usize::try_from(facts.plan.rounds.updates.max).is_ok_and(|max| facts.phase.contributions().len() >= max);
    if is_full {
        let reason = format!("round {} has all the updates that it takes", facts.header.round);
        return Err(Problem::new(ProblemCode::RoundClosed, reason));
    }
    Ok(())
}

fn plan_approved(facts: &Facts<'_>) -> Result<(), Problem> {
    if facts.header.plan_digest != facts.plan_digest {
        return Err(Problem::new(
            ProblemCode::PlanMismatch,
            "the update was made under another plan",
        ));
    }
    Ok(())
}

fn layout(facts: &Facts<'_>) -> Result<(), Problem> {
    if facts.header.layout_digest != facts.layout_digest {
        return Err(Problem::new(
            ProblemCode::LayoutMismatch,
            "the update's layout is not the network's",
        ));
    }
    Ok(())
}

fn encoding(facts: &Facts<'_>) -> Result<(), Problem> {
    if facts.header.encoding == Coding::of(facts.plan, facts.parameters).of_header() {
        return Ok(());
    }
    let reason = "the update is written in another encoding than the plan's `transfer.encoding`";
    Err(Problem::new(ProblemCode::PlanMismatch, reason))
}

fn size(facts: &Facts<'_>) -> Result<(), Problem> {
    let expected = Coding::of(facts.plan, facts.parameters).bytes();
    if expected.contains(&facts.header.bytes) {
        return Ok(());
    }
    let expected = if expected.start() == expected.end() {
        expected.start().to_string()
    } else {
        format!("{} to {}", expected.start(), expected.end())
    };
    let reason = format!(
        "the update has {} bytes where the network has {expected}",
        facts.header.bytes
    );
    Err(Problem::new(ProblemCode::LayoutMismatch, reason))
}

/// By how many rounds the model that it was trained from is older than the round's.
fn behind(facts: &Facts<'_>) -> Result<u32, Problem> {
    let model_in = facts.header.model_in;
    let behind = match facts.phase.within() {
        Phase::Collecting(phase) => phase.behind(model_in),
        phase => phase.model().filter(|model| model.digest == model_in).map(|_| 0),
    };
    let behind = behind.ok_or_else(|| {
        Problem::new(
            ProblemCode::DigestMismatch,
            format!(
                "the update starts from another model than round {}'s",
                facts.header.round
            ),
        )
        .with_remedy("take the task again and train from its model")
    })?;
    match facts.phase.within() {
        Phase::Collecting(phase) if phase.has_used(facts.site, behind) => Err(used_before(facts.site)),
        _ => Ok(behind),
    }
}

fn sample_count(facts: &Facts<'_>) -> Result<(), Problem> {
    if !(1..=EXAMPLES_MAX).contains(&facts.header.examples) {
        let reason = format!(
            "an update counts with 1 to {EXAMPLES_MAX} examples, not {}",
            facts.header.examples
        );
        return Err(Problem::new(ProblemCode::ExamplesOutOfRange, reason));
    }
    Ok(())
}

fn step_count(facts: &Facts<'_>) -> Result<(), Problem> {
    let (steps, most) = (facts.header.local_steps, facts.plan.local.steps);
    let least = if facts.plan.local.epochs.is_some() { 1 } else { most };
    if (least..=most).contains(&steps) {
        return Ok(());
    }
    let reason = format!("the plan asks for {least} to {most} local steps; the update says {steps}");
    Err(Problem::new(ProblemCode::PlanMismatch, reason))
}

fn metrics(facts: &Facts<'_>) -> Result<(), Problem> {
    if !facts.header.training_loss.is_finite() {
        return Err(Problem::new(
            ProblemCode::NotFinite,
            "the training loss is not a finite number",
        ));
    }
    match &facts.header.evaluation {
        Some(evaluation) => check_evaluation(facts.plan, facts.header.model_in, evaluation),
        None => Ok(()),
    }
}

fn whole(facts: &Facts<'_>, inspected: &Inspected) -> Result<(), Problem> {
    if inspected.bytes != facts.header.bytes {
        let reason = format!(
            "{} bytes arrived where {} were announced",
            inspected.bytes, facts.header.bytes
        );
        return Err(Problem::new(ProblemCode::LayoutMismatch, reason));
    }
    Ok(())
}

fn digest(facts: &Facts<'_>, inspected: &Inspected) -> Result<(), Problem> {
    if inspected.digest != facts.header.digest {
        return Err(Problem::new(
            ProblemCode::DigestMismatch,
            "the bytes that arrived are not those that were announced",
        ));
    }
    Ok(())
}

fn decoded(inspected: &Inspected) -> Result<(), Problem> {
    match inspected.fault {
        Some(fault) => Err(Problem::new(fault.code(), format!("the update is none: {fault}"))
            .with_remedy("bring node and aggregator to the same version; if they are, report this")),
        None => Ok(()),
    }
}

fn finite(inspected: &Inspected) -> Result<(), Problem> {
    if inspected.is_finite() {
        return Ok(());
    }
    Err(Problem::new(
        ProblemCode::NotFinite,
        "the update holds a number that is not finite",
    ))
}

fn kept_back(inspected: &Inspected) -> Result<(), Problem> {
    if inspected.holds_kept() {
        return Err(Problem::new(
            ProblemCode::KeptParameters,
            "the update changes parameters that the plan keeps at the sites",
        ));
    }
    Ok(())
}

fn norm(facts: &Facts<'_>, inspected: &Inspected) -> Result<(), Problem> {
    let update_norm_max = facts.plan.strategy.update_norm_max;
    if inspected.norm() <= update_norm_max {
        return Ok(());
    }
    let reason = format!(
        "the update's norm is {:.4e}, above the plan's {update_norm_max:.4e}",
        inspected.norm()
    );
    Err(Problem::new(ProblemCode::NormExceeded, reason))
}

const fn is_over(phase: &Phase) -> bool {
    matches!(phase, Phase::Released(_) | Phase::Abandoned(_))
}
