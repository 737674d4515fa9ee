//! `[network]` of `node.toml`: how the aggregator is reached, and how much of the line that may take.

use std::sync::Arc;

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use snowball_egress::client::ReadLimit;
use snowball_policy::{Window, Zone};
use snowball_protocol::ids::UnixSeconds;
use snowball_service::clock;

/// With less, a request takes longer than the aggregator waits.
const BYTES_PER_SECOND_MIN: u64 = 1000;

/// How the aggregator is reached.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// The hospital's proxy, `http://host:port`; absent: none. The environment is never asked.
    pub proxy: Option<String>,
    /// By which clock the hours of `bandwidth` are meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<Zone>,
    /// Bounds on the speed, each at its hours.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bandwidth: Vec<BandwidthLimit>,
}

/// A bound on the speed at some hours.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BandwidthLimit {
    /// When it holds, as in a policy: `always`, or days and a time.
    pub hours: Window,
    /// Most bytes of models and updates in a second, each way.
    pub bytes_per_second_max: u64,
}

impl NetworkConfig {
    /// Whether the bounds can be kept.
    pub fn check(&self) -> Result<()> {
        ensure!(
            self.bandwidth.is_empty() || self.time_zone.is_some(),
            "bandwidth under [network] names hours: say by which clock, as in time_zone = \"Europe/Zurich\""
        );
        ensure!(
            self.bandwidth
                .iter()
                .all(|limit| limit.bytes_per_second_max >= BYTES_PER_SECOND_MIN),
            "bytes_per_second_max under [network] must be at least {BYTES_PER_SECOND_MIN}; to send nothing at some hours, let the policy \
             name the hours for sending"
        );
        Ok(())
    }

    /// What is asked before each piece of a transfer.
    pub fn limit(&self) -> ReadLimit {
        let config = self.clone();
        Arc::new(move || config.limit_at(clock::now()))
    }

    /// The smallest of the bounds that hold at `now`.
    fn limit_at(&self, now: UnixSeconds) -> Option<u64> {
        let zone = self.time_zone.as_ref()?;
        let hold = self.bandwidth.iter().filter(|limit| limit.hours.is_at(zone, now));
        hold.map(|limit| limit.bytes_per_second_max).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Monday, 1 June 2026, 12:00 UTC.
    const NOON: UnixSeconds = 1_780_315_200;

    fn config(text: &str) -> NetworkConfig {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn the_smallest_bound_that_holds_at_the_hour_counts() {
        let config = config(
            "time_zone = \"UTC+02:00\"\nbandwidth = [{ hours = \"mon-fri 07:00-19:00\", bytes_per_second_max = 500000 }, \
             { hours = \"daily 12:00-15:00\", bytes_per_second_max = 100000 }]",
        );
        assert!(config.check().is_ok());
        let hour = 3600;
        for (hours, expected) in [
            (0, Some(100_000)),
            (1, Some(500_000)),
            (5, None),
            (24 * 5, Some(100_000)),
            (24 * 5 + 1, None),
        ] {
            assert_eq!(config.limit_at(NOON + hours * hour), expected, "{hours} hours later");
        }
        let read: NetworkConfig = toml::from_str(&toml::to_string(&config).unwrap()).unwrap();
        assert_eq!(format!("{read:?}"), format!("{config:?}"));
    }

    #[test]
    fn hours_without_a_clock_and_speeds_of_almost_nothing_are_refused() {
        let limit = |speed: u64| format!("bandwidth = [{{ hours = \"always\", bytes_per_second_max = {speed} }}]\n");
        let refusal = |text: &str| config(text).check().unwrap_err().to_string();
        assert!(refusal(&limit(5000)).contains("time_zone"));
        assert!(refusal(&format!("{}time_zone = \"UTC\"", limit(999))).contains("at least 1000"));
        assert!(config("").check().is_ok() && config("").limit_at(NOON).is_none());
    }
}
