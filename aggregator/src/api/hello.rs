//! `POST /v1/hello`: versions and clocks are compared before anything else.

use axum::{Json, extract::State};
use snowball_protocol::{
    PROTOCOL_VERSION, PROTOCOL_VERSION_MIN, Problem, ProblemCode,
    ids::UnixSeconds,
    limits::CLOCK_SKEW_SECONDS_MAX,
    session::{Hello, HelloReply},
};
use snowball_registry::Heard;
use snowball_service::clock;

use super::{document::Document, guard::Site, refusal::Answer};
use crate::state::Shared;

/// Longest program version that is kept.
const VERSION_CHARACTERS_MAX: usize = 64;

/// Greets a node.
pub async fn hello(
    State(app): State<Shared>,
    Site(site): Site,
    Document(hello): Document<Hello>,
) -> Answer<Json<HelloReply>> {
    let now = clock::now();
    let protocol = agree(&hello, now)?;
    let heard = Heard {
        program_version: hello.program_version,
        protocol,
        policy_digest: hello.policy_digest,
    };
    app.core
        .registry
        .seen(&site, &heard, now)
        .await
        .map_err(Problem::from)?;
    Ok(Json(HelloReply {
        protocol,
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        clock: now,
        aggregator_key: app.core.key.verifying_key().to_string(),
    }))
}

/// The newest version that both sides speak.
fn agree(hello: &Hello, now: UnixSeconds) -> Result<u16, Problem> {
    if hello.program_version.len() > VERSION_CHARACTERS_MAX || hello.protocol_min > hello.protocol_max {
        return Err(Problem::new(
            ProblemCode::Malformed,
            "the hello's versions make no sense",
        ));
    }
    if hello.protocol_max < PROTOCOL_VERSION_MIN {
        let reason = format!(
            "the node speaks protocol {} at most, this aggregator needs {PROTOCOL_VERSION_MIN}: the node must be upgraded",
            hello.protocol_max
        );
        return Err(Problem::new(ProblemCode::VersionUnsupported, reason));
    }
    if hello.protocol_min > PROTOCOL_VERSION {
        let reason = format!(
            "the node needs protocol {}, this aggregator speaks {PROTOCOL_VERSION} at most: the aggregator must be upgraded",
            hello.protocol_min
        );
        return Err(Problem::new(ProblemCode::VersionUnsupported, reason));
    }
    let skew = hello.clock.saturating_sub(now);
    if skew.saturating_abs() > CLOCK_SKEW_SECONDS_MAX {
        let direction = if skew > 0 { "ahead of" } else { "behind" };
        let reason = format!(
            "the node's clock is {} seconds {direction} the aggregator's",
            skew.saturating_abs()
        );
        return Err(Problem::new(ProblemCode::ClockSkew, reason));
    }
    Ok(hello.protocol_max.min(PROTOCOL_VERSION))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(protocol_min: u16, protocol_max: u16, clock: UnixSeconds) -> Hello {
        Hello {
            protocol_min,
            protocol_max,
            program_version: "1".to_owned(),
            policy_digest: None,
            clock,
        }
    }

    #[test]
    fn the_newest_common_version_is_chosen_and_a_refusal_says_who_must_upgrade() {
        assert_eq!(agree(&hello(1, 1, 1000), 1000), Ok(1));
        assert_eq!(agree(&hello(1, 9, 1000), 1000), Ok(PROTOCOL_VERSION));
        let newer = agree(&hello(PROTOCOL_VERSION + 1, PROTOCOL_VERSION + 1, 1000), 1000).unwrap_err();
        assert!(newer.code == ProblemCode::VersionUnsupported && newer.reason.contains("aggregator must be upgraded"));
        let older = agree(&hello(0, 0, 1000), 1000).unwrap_err();
        assert!(older.code == ProblemCode::VersionUnsupported && older.reason.contains("node must be upgraded"));
    }

    #[test]
    fn clocks_that_differ_are_refused_without_overflow() {
        let skewed = |clock| agree(&hello(1, 1, clock), 1000).unwrap_err();
        assert!(skewed(1000 + CLOCK_SKEW_SECONDS_MAX + 1).reason.contains("ahead"));
        assert_eq!(skewed(i64::MIN).code, ProblemCode::ClockSkew);
        assert_eq!(skewed(i64::MAX).code, ProblemCode::ClockSkew);
    }
}
