//! The study that is timed: a network of about the wanted size, and policies that let its updates leave.

use anyhow::{Context as _, Result};
use snowball_crypto::SigningKey;
use snowball_layout::Layout;
use snowball_policy::SignedPolicy;
use snowball_protocol::{
    SiteName, StudyPlan,
    limits::PARAMETERS_MAX,
    plan::{Architecture, Span, Strategy},
};
use snowball_service::clock;

/// Widths that a plan may ask for.
const WIDTHS: std::ops::RangeInclusive<u32> = 1..=64;
const WIDTH_STEP: u32 = 8;
const DAY_SECONDS: i64 = 86_400;

/// A plan for `sites` sites and `rounds` rounds whose network is, of all that a plan may ask for, the nearest to `parameters`.
///
/// # Errors
/// When the sample plan of the policies does not parse.
pub fn plan(parameters: f64, sites: u32, rounds: u32) -> Result<StudyPlan> {
    let text = include_str!("../../../../policies/cases/studies/body-parts.toml");
    let mut plan: StudyPlan = toml::from_str(text)?;
    plan.study = "benchmark".parse()?;
    plan.strategy = Strategy::fed_avg(1000, 1000.0);
    let everyone = Span { min: sites, max: sites };
    (plan.rounds.sites, plan.rounds.updates) = (everyone, everyone);
    plan.rounds.collect_seconds = Span { min: 0, max: 86_400 };
    plan.rounds.count = rounds;
    let mut nearest = (f64::INFINITY, plan.clone());
    for architecture in [Architecture::Small, Architecture::ResNet18] {
        for width in WIDTHS {
            (plan.network.architecture, plan.network.width) = (architecture, width * WIDTH_STEP);
            let found = Layout::of(&plan).parameters();
            let distance = (found as f64 / parameters).ln().abs();
            if found as u64 <= PARAMETERS_MAX && distance < nearest.0 {
                nearest = (distance, plan.clone());
            }
        }
    }
    Ok(nearest.1)
}

/// A policy that permits this plan, as a board would sign it.
///
/// # Errors
/// When the clock is no clock.
pub fn policy(site: &SiteName, plan: &StudyPlan) -> Result<SignedPolicy> {
    let day = |days: i64| -> Result<String> {
        let at = jiff::Timestamp::from_second(clock::now() + days * DAY_SECONDS)?;
        Ok(at.strftime("%Y-%m-%d").to_string())
    };
    let labels: Vec<String> = plan
        .heads
        .iter()
        .map(|head| format!("{:?}", head.label.code()))
        .collect();
    let text = format!(
        r#"format = 1
version = 1
site = "{site}"

[[approvals]]
stage = "collaboration"
board = "Board of {site}"
reference = "BENCHMARK"
approved_on = {approved}
expires_on = {expires}
studies = ["{study}"]
digests = ["{digest}"]

[purposes]
allowed = ["{purpose}"]

[labels]
allowed = [{labels}]

[architectures]
allowed = ["{architecture}"]
input_side_max = {side}

[deidentification]
profile = "radiograph-allow-list-v1"
options = ["retain-patient-characteristics"]

[cohort]
training_patients_min = 5
cell_min = 3

[aggregation]
sites_min = 1
secure_aggregation = "not-required"

[release]
allowed = ["update"]

[limits]
bytes_per_round_max = 4294967296
bytes_per_day_max = 1099511627776
bytes_per_study_max = 1099511627776
rounds_per_study_max = {rounds}
rounds_all_studies_max = {rounds}

[hours]
time_zone = "UTC"
training = ["always"]
sending = ["always"]

[training]
confinement = "required"

[privacy]
mechanism = "none"

[retention]
datasets_days = 30
evidence_days = 30
outbox_days = 30
"#,
        approved = day(-1)?,
        expires = day(30)?,
        study = plan.study,
        digest = plan.digest(),
        purpose = plan.purpose,
        labels = labels.join(", "),
        architecture = plan.network.architecture.code(),
        side = plan.network.input_side,
        rounds = plan.rounds.count,
    );
    let key = SigningKey::generate()?;
    let signature = snowball_policy::sign(text.as_bytes(), &key);
    snowball_policy::verify(text.as_bytes(), Some(&signature), &key.verifying_key())
        .map_err(|fault| anyhow::anyhow!("{fault:?}"))
        .context("the benchmark's policy is not sound")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wanted_size_has_a_sound_plan_near_it_and_a_policy_that_names_it() {
        for wanted in [1e4, 1e6, 11.7e6, 25.6e6, 138e6] {
            let plan = plan(wanted, 2, 3).unwrap();
            assert_eq!(plan.faults(), []);
            let found = Layout::of(&plan).parameters() as f64;
            assert!(
                wanted < 1e5 || (0.8..1.25).contains(&(found / wanted)),
                "{wanted}: {found}"
            );
            let policy = policy(&"site-0001".parse().unwrap(), &plan).unwrap();
            assert!(policy.policy.names(policy.policy.stage(), &plan.study));
        }
    }
}
