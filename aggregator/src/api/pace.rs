//! How often strangers may knock: so many requests a minute from one address, and so many from all of them.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use snowball_protocol::{
    ProblemCode,
    limits::{ENROLMENT_REQUESTS_PER_MINUTE_MAX, ENROLMENT_REQUESTS_PER_MINUTE_TOTAL_MAX},
};
use snowball_service::connections::network;

use super::refusal::Refusal;

/// Addresses that are remembered at once. Where all of them are at work, a new one waits.
const ADDRESSES_MAX: usize = 4096;
const MINUTE_SECONDS: f64 = 60.0;

/// What is left to each address and to all of them together.
pub struct Pace(Mutex<Buckets>);

struct Buckets {
    all: Bucket,
    by_address: HashMap<IpAddr, Bucket>,
}

/// Holds a number of requests, and fills evenly.
#[derive(Clone, Copy)]
pub struct Bucket {
    most: f64,
    per_second: f64,
    left: f64,
    looked: Instant,
}

impl Pace {
    /// Nobody has asked yet.
    pub fn new(now: Instant) -> Self {
        Self(Mutex::new(Buckets {
            all: Bucket::of_a_minute(ENROLMENT_REQUESTS_PER_MINUTE_TOTAL_MAX, now),
            by_address: HashMap::new(),
        }))
    }

    /// Counts a request from `address`.
    ///
    /// # Errors
    /// When it is one too many.
    pub fn take(&self, address: IpAddr, now: Instant) -> Result<(), Refusal> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let address = network(address);
        if buckets.by_address.len() >= ADDRESSES_MAX && !buckets.by_address.contains_key(&address) {
            buckets.by_address.retain(|_, bucket| !bucket.is_full(now));
            if buckets.by_address.len() >= ADDRESSES_MAX {
                return Err(too_many("from too many addresses"));
            }
        }
        let own = buckets
            .by_address
            .entry(address)
            .or_insert_with(|| Bucket::of_a_minute(ENROLMENT_REQUESTS_PER_MINUTE_MAX, now));
        if !own.take(1, now) {
            return Err(too_many("from this address"));
        }
        if !buckets.all.take(1, now) {
            return Err(too_many("from all addresses together"));
        }
        Ok(())
    }
}

impl Bucket {
    /// So many requests a minute, and so many at once.
    fn of_a_minute(per_minute: u32, now: Instant) -> Self {
        let most = f64::from(per_minute);
        Self::full(most, most / MINUTE_SECONDS, now)
    }

    /// So many requests a second, and twice as many at once.
    pub fn of_seconds(per_second: u32, now: Instant) -> Self {
        let per_second = f64::from(per_second);
        Self::full(2.0 * per_second, per_second, now)
    }

    const fn full(most: f64, per_second: f64, now: Instant) -> Self {
        Self {
            most,
            per_second,
            left: most,
            looked: now,
        }
    }

    fn fill(&mut self, now: Instant) {
        let passed: Duration = now.saturating_duration_since(self.looked);
        self.left = (self.left + passed.as_secs_f64() * self.per_second).min(self.most);
        self.looked = now;
    }

    /// Takes `requests` where there are so many.
    pub fn take(&mut self, requests: u32, now: Instant) -> bool {
        self.fill(now);
        let wanted = f64::from(requests);
        let is_left = self.left >= wanted;
        if is_left {
            self.left -= wanted;
        }
        is_left
    }

    fn is_full(mut self, now: Instant) -> bool {
        self.fill(now);
        self.left >= self.most
    }
}

fn too_many(whence: &str) -> Refusal {
    Refusal::new(
        ProblemCode::Busy,
        format!("too many requests for enrolment {whence}; wait a minute"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(pace: &Pace, address: &str, times: u32, now: Instant) -> u32 {
        let address = address.parse().unwrap();
        (0..times).map(|_| u32::from(pace.take(address, now).is_ok())).sum()
    }

    #[test]
    fn one_address_and_all_together_have_their_bounds() {
        let (one, all) = (
            ENROLMENT_REQUESTS_PER_MINUTE_MAX,
            ENROLMENT_REQUESTS_PER_MINUTE_TOTAL_MAX,
        );
        let now = Instant::now();
        let pace = Pace::new(now);
        assert_eq!(taken(&pace, "10.0.0.1", 10 * one, now), one);
        assert_eq!(taken(&pace, "::ffff:10.0.0.1", 1, now), 0, "the same address in IPv6");
        assert_eq!(taken(&pace, "2001:db8::1", 10 * one, now), one);
        assert_eq!(taken(&pace, "2001:db8::2:3", 1, now), 0, "the same subscriber");
        let others: u32 = (2..100)
            .map(|last| taken(&pace, &format!("10.0.0.{last}"), one, now))
            .sum();
        assert_eq!(2 * one + others, all);
        let later = now + Duration::from_secs(30);
        assert_eq!(
            taken(&pace, "10.0.0.1", 10 * one, later),
            one / 2,
            "half a minute gives half of it back"
        );
        assert_eq!(
            pace.take("10.0.1.1".parse().unwrap(), later)
                .map_err(|refused| refused.0.code),
            Ok(())
        );
    }

    #[test]
    fn memory_is_bounded_and_addresses_at_rest_make_room() {
        let now = Instant::now();
        let pace = Pace::new(now);
        let knock = |number: usize, now| {
            let address = IpAddr::from(u32::try_from(number).unwrap().to_be_bytes());
            let _ = pace.take(address, now);
        };
        (0..2 * ADDRESSES_MAX).for_each(|number| knock(number, now));
        assert_eq!(pace.0.lock().unwrap().by_address.len(), ADDRESSES_MAX);
        knock(3 * ADDRESSES_MAX, now + Duration::from_secs(120));
        assert_eq!(pace.0.lock().unwrap().by_address.len(), 1);
    }
}
