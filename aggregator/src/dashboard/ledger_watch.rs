//! Looks at the ledger for the pages: its newest records, and whether all of it verifies. Verifying reads everything, so it is done
//! again only when the ledger has grown, and never takes more than a small share of the time.

use std::{
    collections::VecDeque,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use snowball_ledger::{Head, Record};
use snowball_protocol::ids::UnixSeconds;
use tokio::{sync::Mutex, task::spawn_blocking};

use crate::{home::Home, report::LedgerTold, state::Core};

/// How many of the newest records are shown.
pub const NEWEST_MAX: usize = 40;
/// At least so long between two looks.
const PAUSE_MIN: Duration = Duration::from_secs(2);
/// Of the time, one part in so many goes into looking.
const SHARE: u32 = 20;

/// What was found.
pub struct Look {
    /// When.
    pub at: UnixSeconds,
    /// Where the ledger stood.
    pub head: Head,
    /// Whether it verifies, by whom it can be checked.
    pub told: LedgerTold,
    /// Newest first.
    pub newest: Vec<Record>,
    /// Records before that lie in archives which are not here.
    pub unseen: u64,
}

struct Kept {
    look: Arc<Look>,
    next: Instant,
}

/// The last look, and when the next one may be.
#[derive(Default)]
pub struct LedgerWatch(Mutex<Option<Kept>>);

impl LedgerWatch {
    /// What is known of the ledger; looks again where it has grown and the last look was long enough ago.
    ///
    /// # Errors
    /// When the ledger or its key cannot be read.
    pub async fn look(&self, core: &Core, home: &Home, now: UnixSeconds) -> Result<Arc<Look>> {
        let head = core.journal.write_for_head(now, Vec::new()).await?.head;
        let mut kept = self.0.lock().await;
        if let Some(known) = &*kept
            && (known.look.head == head || Instant::now() < known.next)
        {
            return Ok(Arc::clone(&known.look));
        }
        let (home, begun) = (home.clone(), Instant::now());
        let look = spawn_blocking(move || read(&home, head, now)).await??;
        let look = Arc::new(look);
        *kept = Some(Kept {
            look: Arc::clone(&look),
            next: Instant::now() + PAUSE_MIN.max(begun.elapsed().saturating_mul(SHARE)),
        });
        Ok(look)
    }
}

fn read(home: &Home, head: Head, now: UnixSeconds) -> Result<Look> {
    let (unseen, newest) = newest(&home.ledger_dir())?;
    Ok(Look {
        at: now,
        head,
        told: LedgerTold::of(home)?,
        newest,
        unseen,
    })
}

/// The newest records, newest first, and how many are not here. A record that cannot be read ends the list: what is wrong with the
/// ledger is told beside it.
fn newest(dir: &Path) -> Result<(u64, Vec<Record>)> {
    let (unseen, records) = snowball_ledger::records_at_hand(dir).context("cannot read the ledger")?;
    let mut newest = VecDeque::with_capacity(NEWEST_MAX + 1);
    for record in records.map_while(Result::ok) {
        newest.push_front(record);
        newest.truncate(NEWEST_MAX);
    }
    Ok((unseen, newest.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use snowball_crypto::SigningKey;
    use snowball_ledger::{Entry, Ledger};

    #[test]
    fn the_newest_records_come_first_and_there_is_an_end_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(folder.path(), "aggregator", SigningKey::generate().unwrap()).unwrap();
        let entry = |number: usize| Entry::InvitationMade {
            site: format!("site-{number}").parse().unwrap(),
        };
        ledger.append_all(1, (0..=NEWEST_MAX).map(entry).collect()).unwrap();
        let (unseen, found) = newest(folder.path()).unwrap();
        assert_eq!((unseen, found.len()), (0, NEWEST_MAX));
        assert_eq!(found[0].index, NEWEST_MAX as u64);
        assert_eq!(found[NEWEST_MAX - 1].index, 1);
    }
}
