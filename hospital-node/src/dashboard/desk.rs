//! What every page reads: the node's folder as it is now, whether or not `run` works beside. What takes long to read is kept for a
//! while; what is shown as it moves is read anew each time.

use std::{
    fs,
    sync::{Arc, Mutex, PoisonError, TryLockError},
    time::{Duration, Instant, SystemTime},
};

use anyhow::Result;
use snowball_ledger::{Entry, Record};
use snowball_policy::{PolicyFault, SignedPolicy};
use snowball_protocol::{Sha256Digest, ids::UnixSeconds};
use snowball_service::clock;
use snowball_store::{Census, HeldFile, HeldState, Store};

use super::policy::Pasted;
use crate::{config::NodeConfig, home::Home, policy};

/// Before the chain of a ledger that grew is checked anew: of a large one that takes seconds.
const VERIFY_PAUSE: Duration = Duration::from_secs(20);
/// How long what was found is believed where nothing grows: a disk that fails, or a hand, need not touch the checkpoint.
const VERIFY_AGAIN: Duration = Duration::from_secs(600);
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
    /// Held by the one who looks at the ledger, which takes seconds where it is large.
    looking: Mutex<()>,
    census: Mutex<Option<(u64, Instant, Arc<Census>)>>,
    pasted: Mutex<Vec<(Sha256Digest, Instant, Arc<Pasted>)>>,
}

/// By what a ledger that grew is known.
type Stamp = Option<(u64, SystemTime)>;

/// What of the ledger is to be looked at anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wish {
    Nothing,
    /// What was written, the chain being checked a moment ago.
    Records,
    All,
}

impl Wish {
    fn of(is_same: bool, age: Duration, is_sound: bool) -> Self {
        match (is_same, is_sound) {
            (true, true) if age < VERIFY_AGAIN => Self::Nothing,
            (false, true) if age < VERIFY_PAUSE => Self::Records,
            // What is wrong may have been mended, or was a moment's.
            (_, false) if age < VERIFY_PAUSE => Self::Nothing,
            _ => Self::All,
        }
    }
}

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
            looking: Mutex::default(),
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

    /// The ledger, read anew where it grew; its chain is checked again after a pause. One look at a time: whoever comes meanwhile reads
    /// the last one. What is wrong with it is in what is seen, for that is when it matters that the pages are there.
    pub fn ledger(&self) -> Arc<LedgerSeen> {
        if let (Wish::Nothing, Some(seen)) = self.wish() {
            return seen;
        }
        let _look = match (self.looking.try_lock(), self.wish()) {
            (Ok(look), _) => look,
            (Err(TryLockError::Poisoned(broken)), _) => broken.into_inner(),
            (Err(TryLockError::WouldBlock), (_, Some(last))) => return last,
            // Nothing was seen yet: there is nothing to show before the first look ends.
            (Err(TryLockError::WouldBlock), _) => self.looking.lock().unwrap_or_else(PoisonError::into_inner),
        };
        // Somebody else may have looked until now.
        let (wish, last) = self.wish();
        let stamp = self.stamp();
        let (when, seen) = match (wish, last) {
            (Wish::Nothing, Some(seen)) => return seen,
            (Wish::Records, Some(last)) => (None, self.read_on(&last)),
            _ => (Some(Instant::now()), self.read_all()),
        };
        let seen = Arc::new(seen);
        let mut kept = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let when = when.or(kept.as_ref().map(|(_, when, _)| *when));
        *kept = Some((stamp, when.unwrap_or_else(Instant::now), Arc::clone(&seen)));
        seen
    }

    /// What is to be looked at anew, and what was seen last.
    fn wish(&self) -> (Wish, Option<Arc<LedgerSeen>>) {
        let stamp = self.stamp();
        let kept = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            None => (Wish::All, None),
            Some((known, when, seen)) => (
                Wish::of(*known == stamp, when.elapsed(), seen.verified.is_ok()),
                Some(Arc::clone(seen)),
            ),
        }
    }

    /// Checks the chain, then reads what there is.
    fn read_all(&self) -> LedgerSeen {
        let (verified, verified_at) = (self.verified(), clock::now());
        let (records, unseen, fault) = self.records();
        LedgerSeen {
            records,
            unseen,
            verified: match fault {
                None => verified,
                Some(fault) => verified.and(Err(fault)),
            },
            verified_at,
        }
    }

    /// Reads what came since `last`, whose chain was sound a moment ago.
    fn read_on(&self, last: &LedgerSeen) -> LedgerSeen {
        match self.records() {
            (records, unseen, None) => LedgerSeen {
                records,
                unseen,
                verified: last.verified.clone(),
                verified_at: last.verified_at,
            },
            _ => self.read_all(),
        }
    }

    /// The records up to the first that cannot be read, how many lie elsewhere, and why the rest cannot be read.
    fn records(&self) -> (Vec<Record>, u64, Option<String>) {
        let mut read = Vec::new();
        let (unseen, records) = match snowball_ledger::records_at_hand(&self.home.ledger()) {
            Ok(found) => found,
            Err(fault) => return (read, 0, Some(fault.to_string())),
        };
        for record in records {
            match record {
                Ok(record) => read.push(record),
                Err(fault) => return (read, unseen, Some(fault.to_string())),
            }
        }
        (read, unseen, None)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::{overview, testing};

    #[test]
    fn the_chain_is_checked_again_where_it_grew_and_where_it_was_checked_long_ago() {
        let (moment, pause, long) = (Duration::ZERO, VERIFY_PAUSE, VERIFY_AGAIN);
        for (is_same, age, is_sound, wish) in [
            (true, moment, true, Wish::Nothing),
            (true, pause, true, Wish::Nothing),
            (true, long, true, Wish::All),
            (false, moment, true, Wish::Records),
            (false, pause, true, Wish::All),
            (true, moment, false, Wish::Nothing),
            (false, moment, false, Wish::Nothing),
            (true, pause, false, Wish::All),
        ] {
            assert_eq!(Wish::of(is_same, age, is_sound), wish, "{is_same} {age:?} {is_sound}");
        }
    }

    #[test]
    fn a_record_that_cannot_be_read_is_told_on_the_overview() {
        let root = tempfile::tempdir().unwrap();
        let home = testing::node(root.path());
        let records = home.ledger().join(snowball_ledger::RECORDS_FILE);
        let whole = fs::read_to_string(&records).unwrap();
        let lines = whole.lines().count();
        assert!(Desk::open(&home).unwrap().ledger().verified.is_ok());
        let broken: Vec<&str> = whole
            .lines()
            .enumerate()
            .map(|(place, line)| if place == 1 { "{" } else { line })
            .collect();
        fs::write(&records, broken.join("\n") + "\n").unwrap();
        let desk = Desk::open(&home).unwrap();
        let seen = desk.ledger();
        assert!(seen.verified.is_err() && seen.records.len() < lines);
        let overview = overview::Model::read(&desk, clock::now()).unwrap();
        assert!(overview.ledger.is_err());
    }

    #[test]
    fn whoever_comes_while_another_looks_reads_the_last_look() {
        let root = tempfile::tempdir().unwrap();
        let desk = Desk::open(&testing::node(root.path())).unwrap();
        let first = desk.ledger();
        let another = desk.looking.lock().unwrap();
        *desk.ledger.lock().unwrap() = Some((None, Instant::now(), Arc::clone(&first)));
        assert!(Arc::ptr_eq(&desk.ledger(), &first));
        drop(another);
        assert!(!Arc::ptr_eq(&desk.ledger(), &first), "it is looked at anew");
    }
}
