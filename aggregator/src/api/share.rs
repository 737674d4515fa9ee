//! What one site may ask of the server, whatever it does: so many requests at once, and so many in a second.
//!
//! A request that is one too many waits for a moment before it is refused: so a flood is slowed by itself, and costs the others
//! no more than its site's share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::http::Method;
use snowball_protocol::{
    ProblemCode, SiteName,
    limits::{SITE_REQUESTS_AT_ONCE_MAX, SITE_REQUESTS_PER_SECOND_MAX},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{pace::Bucket, refusal::Refusal};

/// What a document that is sent counts as: most lead to a write in the database or the ledger.
const WRITE_REQUESTS: u32 = 4;
/// How long a request waits before it is refused.
pub const WAIT: Duration = Duration::from_secs(1);

/// What is left to each site. A site is here from its first request on: there are as many as were ever enrolled.
#[derive(Default)]
pub struct Shares(Mutex<HashMap<SiteName, Share>>);

struct Share {
    bucket: Bucket,
    at_once: Arc<Semaphore>,
}

/// A request's place among those of its site that are under way.
pub type Place = Arc<OwnedSemaphorePermit>;

impl Shares {
    /// Counts a request of `site`, which is under way for as long as what is returned lives.
    ///
    /// # Errors
    /// When it is one too many.
    pub fn take(&self, site: &SiteName, method: &Method, now: Instant) -> Result<Place, Refusal> {
        let mut shares = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let share = shares.entry(site.clone()).or_insert_with(|| Share {
            bucket: Bucket::of_seconds(SITE_REQUESTS_PER_SECOND_MAX, now),
            at_once: Arc::new(Semaphore::new(SITE_REQUESTS_AT_ONCE_MAX)),
        });
        let requests = if method == Method::POST { WRITE_REQUESTS } else { 1 };
        if !share.bucket.take(requests, now) {
            return Err(too_many(site, &format!("{SITE_REQUESTS_PER_SECOND_MAX} in a second")));
        }
        let place = Arc::clone(&share.at_once).try_acquire_owned();
        place
            .map(Arc::new)
            .map_err(|_| too_many(site, &format!("{SITE_REQUESTS_AT_ONCE_MAX} at once")))
    }
}

fn too_many(site: &SiteName, most: &str) -> Refusal {
    Refusal(
        snowball_protocol::Problem::new(ProblemCode::Busy, format!("{site} asks more than {most}"))
            .with_remedy("try again shortly; if it stays so, look for what else uses this site's certificate"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(name: &str) -> SiteName {
        name.parse().unwrap()
    }

    fn taken(shares: &Shares, name: &str, method: &Method, now: Instant) -> usize {
        (0..)
            .take_while(|_| shares.take(&site(name), method, now).is_ok())
            .count()
    }

    #[test]
    fn each_site_has_a_share_of_its_own_and_gets_it_back() {
        let (shares, now) = (Shares::default(), Instant::now());
        let burst = 2 * SITE_REQUESTS_PER_SECOND_MAX as usize;
        assert_eq!(taken(&shares, "flood", &Method::GET, now), burst);
        assert_eq!(
            taken(&shares, "quiet", &Method::POST, now),
            burst / WRITE_REQUESTS as usize
        );
        let refused = shares.take(&site("flood"), &Method::GET, now).unwrap_err().0;
        assert_eq!(refused.code, ProblemCode::Busy);
        assert!(refused.reason.contains("flood asks more than") && refused.remedy.contains("certificate"));
        let later = now + Duration::from_secs(1);
        assert_eq!(taken(&shares, "flood", &Method::GET, later), burst / 2);
    }

    #[test]
    fn requests_under_way_are_bounded_until_their_answers_end() {
        let (shares, now) = (Shares::default(), Instant::now());
        let mut open: Vec<_> = (0..SITE_REQUESTS_AT_ONCE_MAX)
            .map(|_| shares.take(&site("north"), &Method::GET, now).unwrap())
            .collect();
        assert!(shares.take(&site("north"), &Method::GET, now).is_err());
        assert!(shares.take(&site("south"), &Method::GET, now).is_ok());
        let body = open.pop().map(|place| Arc::clone(&place));
        assert!(
            shares.take(&site("north"), &Method::GET, now).is_err(),
            "its answer still goes out"
        );
        drop(body);
        assert!(shares.take(&site("north"), &Method::GET, now).is_ok());
    }
}
