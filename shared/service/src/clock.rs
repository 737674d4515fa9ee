//! The only place that reads the wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

use snowball_protocol::ids::UnixSeconds;

/// Seconds since 1970-01-01T00:00:00Z.
#[must_use]
pub fn now() -> UnixSeconds {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixSeconds::try_from(since.as_secs()).unwrap_or(UnixSeconds::MAX)
}
