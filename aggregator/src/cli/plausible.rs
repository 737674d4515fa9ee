//! Whether this machine's clock can be right: what is signed under a wrong one, no hospital can use.

use anyhow::{Result, bail};
use snowball_protocol::{ids::UnixSeconds, limits::CLOCK_SKEW_SECONDS_MAX};
use snowball_registry::Registry;

use super::Refused;

/// Refuses (exit code 3) where the clock stands before something that this aggregator wrote down.
pub async fn clock(registry: &Registry, now: UnixSeconds) -> Result<()> {
    let founded = registry.consortium().await?.map(|consortium| consortium.founded);
    let asked = registry
        .enrolments()
        .await?
        .into_iter()
        .map(|enrolment| enrolment.requested);
    let sites = registry.sites().await?;
    let signs = sites.iter().filter_map(|site| site.last_seen.max(Some(site.enrolled)));
    let newest = founded.into_iter().chain(asked).chain(signs).max();
    match newest.map(|newest| behind(newest, now)) {
        Some(seconds) if seconds > CLOCK_SKEW_SECONDS_MAX => bail!(Refused(words(seconds))),
        _ => Ok(()),
    }
}

fn behind(newest: UnixSeconds, now: UnixSeconds) -> i64 {
    newest.saturating_sub(now)
}

fn words(seconds: i64) -> String {
    format!(
        "this machine's clock is at least {seconds} seconds behind: the database knows of something that happened later; set the \
         clock by NTP (timedatectl set-ntp true), then run the same command again. Nothing was changed"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_clock_that_was_set_back_is_noticed_and_a_small_slip_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(&folder.path().join("registry.sqlite")).await.unwrap();
        assert!(clock(&registry, 0).await.is_ok(), "an empty database knows nothing");
        registry
            .found(&snowball_registry::Consortium {
                name: "Bones".to_owned(),
                address: "localhost:7443".to_owned(),
                ca_fingerprint: snowball_protocol::Sha256Digest::of(b"ca"),
                aggregator_key: "key".to_owned(),
                founded: 1_800_000_000,
            })
            .await
            .unwrap();
        for now in [1_800_000_000 - CLOCK_SKEW_SECONDS_MAX, 1_800_000_000, i64::MAX] {
            assert!(clock(&registry, now).await.is_ok(), "{now}");
        }
        let refused = clock(&registry, 1_800_000_000 - 86_400).await.unwrap_err();
        assert!(refused.to_string().contains("86400 seconds behind"), "{refused}");
        assert!(clock(&registry, i64::MIN).await.is_err());
    }
}
