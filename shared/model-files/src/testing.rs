//! A plan for tests.

use snowball_protocol::StudyPlan;

pub(crate) fn plan() -> StudyPlan {
    toml::from_str(include_str!("../../../policies/cases/studies/body-parts.toml")).unwrap()
}
