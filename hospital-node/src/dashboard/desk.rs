//! What every page reads: the node's folder as it is now, whether or not `run` works beside. What takes long to read is kept for a
//! while; what is shown as it moves is read anew each time.

use std::{
    fs,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context as _, Result};
use snowball_ledger::{Entry, Record};
use snowball_policy::{PolicyFault, SignedPolicy};
use snowball_protocol::{Sha256Digest, ids::UnixSeconds};
use snowball_service::clock;
use snowball_store::{Census, HeldFile, HeldState, Store};

use super::policy::Pasted;
use crate::{config::NodeConfig, home::Home, policy};

/// Before the chain of a ledger that grew is checked anew: of a large one that takes seconds.
const VERIFY_PAUSE: Duration = Duration::from_secs(20);
/// Before a store that grew is counted anew.
const COUNT_PAUSE: Duration = Duration::from_secs(60);
/// How long a policy that somebody pasted waits to be confirmed, and how many do.
const PASTED_PAUSE: Duration = Duration::from_secs(900);
const PASTED_MAX: usize = 8;

/// Fewest patients that are told where no policy says so; as `census` has it.
const CELL_MIN: u64 = 5;

/// The node, for whoever looks.
pub struct Desk {
    pub home: Home,
    pub config: NodeConfig,
    pub store: Store,
    ledger: Mutex<Option<(Stamp, Instant, Arc<LedgerSeen>)>>,
    census: Mutex<Option<(u64, Instant, Arc<Census>)>>,
    pasted: Mutex<Vec<(Sha256Digest, Instant, Arc<Pasted>)>>,
}

/// By what a ledger that grew is known.
type Stamp = Option<(u64, SystemTime)>;

/// The ledger, read.
pub struct LedgerSeen {
    pub records: Vec<Record>,
    /// Entries that lie in archives elsewhere.
    pub unseen: u64,
    /// How many entries were found sound, and the head; or what is wrong.
    pub verified: Result<(u64, Sha256Digest), String>,
    /// When that was found.
    pub verified_at: UnixSeconds,
}

impl Desk {
    /// Opens the store beside whatever else uses it.
    pub fn open(home: &Home) -> Result<Self> {
        let config = home.config()?;
        Ok(Self {
            store: home.open_store(&config)?,
            home: home.clone(),
            config,
            ledger: Mutex::default(),
            census: Mutex::default(),
            pasted: Mutex::default(),
        })
    }

    /// The policy in force.
    pub fn policy(&self) -> Result<SignedPolicy, PolicyFault> {
        policy::in_force(&self.home)
    }

    /// Fewest patients that any count of them tells.
    pub fn cell_min(&self) -> u64 {
        self.policy().map_or(CELL_MIN, |signed| signed.policy.cell_min())
    }

    /// Files that wait for a person.
    pub fn waiting(&self) -> Result<Vec<HeldFile>> {
        let mut held = self.store.held()?;
        held.retain(|file| file.state == HeldState::Held);
        Ok(held)
    }

    /// The ledger, read anew where it grew; its chain is checked again after a pause.
    pub fn ledger(&self) -> Result<Arc<LedgerSeen>> {
        let stamp = self.stamp();
        let mut kept = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match &*kept {
            Some((known, _, seen)) if *known == stamp => return Ok(Arc::clone(seen)),
            Some((_, when, seen)) if when.elapsed() < VERIFY_PAUSE && seen.verified.is_ok() => {
                Some((*when, Arc::clone(seen)))
            }
            _ => None,
        };
        let (unseen, records) =
            snowball_ledger::records_at_hand(&self.home.ledger()).context("cannot read the ledger")?;
        let records = records
            .collect::<Result<Vec<_>, _>>()
            .context("cannot read the ledger")?;
        let (when, verified, verified_at) = match before {
            Some((when, seen)) => (when, seen.verified.clone(), seen.verified_at),
            None => (Instant::now(), self.verified(), clock::now()),
        };
        let seen = Arc::new(LedgerSeen {
            records,
            unseen,
            verified,
            verified_at,
        });
        *kept = Some((stamp, when, Arc::clone(&seen)));
        Ok(seen)
    }

    fn stamp(&self) -> Stamp {
        let about = fs::metadata(self.home.ledger().join("checkpoint")).ok()?;
        Some((about.len(), about.modified().ok()?))
    }

    fn verified(&self) -> Result<(u64, Sha256Digest), String> {
        let key = self.home.read_text(&self.home.ledger_public_key()).ok();
        let key = key
            .and_then(|text| text.trim().parse().ok())
            .ok_or("ledger.pub is missing or damaged")?;
        let verified = snowball_ledger::verify(&self.home.ledger(), &key).map_err(|fault| fault.to_string())?;
        Ok((verified.entries, verified.head.hash))
    }

    /// What the store holds, small cells hidden.
    pub fn census(&self) -> Result<Census> {
        let count = self.store.count()?;
        let mut kept = self.census.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |(known, when, _): &&(u64, Instant, Arc<Census>)| *known == count || when.elapsed() < COUNT_PAUSE;
        let census = match kept.as_ref().filter(fresh) {
            Some((.., census)) => Arc::clone(census),
            None => {
                let census = Arc::new(self.store.census()?);
                *kept = Some((count, Instant::now(), Arc::clone(&census)));
                census
            }
        };
        drop(kept);
        Ok(census.hide_below(self.cell_min()))
    }
}

impl Desk {
    /// Keeps what somebody pasted until they confirm it, in memory: what is put in force is byte for byte what was looked at.
    pub fn keep_pasted(&self, digest: Sha256Digest, pasted: Arc<Pasted>) {
        let mut kept = self.pasted.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(known, when, _)| *known != digest && when.elapsed() < PASTED_PAUSE);
        if kept.len() == PASTED_MAX {
            kept.remove(0);
        }
        kept.push((digest, Instant::now(), pasted));
    }

    /// What was pasted under this digest.
    pub fn pasted(&self, digest: &Sha256Digest) -> Option<Arc<Pasted>> {
        let kept = self.pasted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut fresh = kept.iter().filter(|(_, when, _)| when.elapsed() < PASTED_PAUSE);
        fresh
            .find(|(known, ..)| known == digest)
            .map(|(.., pasted)| Arc::clone(pasted))
    }
}

/// When an entry of this sort was written last.
pub fn last(records: &[Record], is_it: impl Fn(&Entry) -> bool) -> Option<UnixSeconds> {
    records
        .iter()
        .rev()
        .find(|record| is_it(&record.entry))
        .map(|record| record.time)
}
