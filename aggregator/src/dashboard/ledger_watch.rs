//! Looks at the ledger for the pages: its newest records, and whether all of it verifies. Verifying reads everything, so it is done
//! again when the ledger has grown or some minutes have passed, never takes more than a small share of the time, and never twice
//! at once: pages tell what the last look found. Whatever is wrong is told and fails no page, least of all the one that warns.

use std::{
    collections::VecDeque,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use snowball_ledger::{Head, Record};
use snowball_protocol::ids::UnixSeconds;
use tokio::{
    sync::{Mutex, watch},
    task::spawn_blocking,
    time::timeout,
};

use crate::{
    home::{Home, read_text},
    report::LedgerTold,
    state::Core,
};

/// How many of the newest records are shown.
pub const NEWEST_MAX: usize = 40;
/// At least so long between two looks.
const PAUSE_MIN: Duration = Duration::from_secs(2);
/// Of the time, one part in so many goes into looking.
const SHARE: u32 = 20;
/// After so long the ledger is verified again though it has not grown: files can be spoiled where they lie.
const AGE_MAX: Duration = Duration::from_secs(600);
/// How long a page waits for a new look before it tells the last one.
const PATIENCE: Duration = Duration::from_secs(3);

/// What was found.
pub struct Look {
    /// When.
    pub at: UnixSeconds,
    /// Where the ledger stood, where that could be asked.
    pub head: Option<Head>,
    /// Whether it verifies, by whom it can be checked.
    pub told: LedgerTold,
    /// Newest first.
    pub newest: Vec<Record>,
    /// Records before that lie in archives which are not here.
    pub unseen: u64,
}

/// What a page tells.
pub struct Seen {
    /// What the last look found; `None`: the first one is still under way.
    pub look: Option<Arc<Look>>,
    /// Where the ledger stands now.
    pub head: Option<Head>,
    /// Why nothing can be written to it.
    unwritable: Option<String>,
}

impl Seen {
    /// What is wrong with the ledger.
    pub fn fault(&self) -> Option<&str> {
        let found = || self.look.as_ref()?.told.fault.as_deref();
        self.unwritable.as_deref().or_else(found)
    }
}

#[derive(Clone)]
struct Kept {
    look: Arc<Look>,
    made: Instant,
    next: Instant,
}

impl Kept {
    /// Whether to look again, now that the ledger stands at `head`.
    fn is_due(&self, head: Option<&Head>, now: Instant) -> bool {
        let has_grown = head.is_some() && self.look.head.as_ref() != head;
        now >= self.next && (has_grown || now.saturating_duration_since(self.made) >= AGE_MAX)
    }
}

/// The last look, and whose turn it is to look.
pub struct LedgerWatch {
    last: watch::Sender<Option<Kept>>,
    turn: Arc<Mutex<()>>,
}

impl Default for LedgerWatch {
    fn default() -> Self {
        Self {
            last: watch::Sender::new(None),
            turn: Arc::default(),
        }
    }
}

impl LedgerWatch {
    /// What is known of the ledger; has it looked at again where that is due and nobody does.
    pub async fn look(&self, core: &Core, home: &Home, now: UnixSeconds) -> Seen {
        let (head, unwritable) = match core.journal.write_for_head(now, Vec::new()).await {
            Ok(signed) => (Some(signed.head), None),
            Err(fault) => (None, Some(fault.to_string())),
        };
        let turn = Arc::clone(&self.turn).try_lock_owned();
        let mut last = self.last.subscribe();
        let before = last.borrow_and_update().clone();
        let is_due = before
            .as_ref()
            .is_none_or(|kept| kept.is_due(head.as_ref(), Instant::now()));
        if is_due {
            if let Ok(turn) = turn {
                let (sender, home, head, begun) = (self.last.clone(), home.clone(), head.clone(), Instant::now());
                // It goes on where nobody waits for the page any more, and the next page has it.
                tokio::spawn(async move {
                    if let Ok(look) = spawn_blocking(move || read(&home, head, now)).await {
                        let made = Instant::now();
                        sender.send_replace(Some(Kept {
                            look: Arc::new(look),
                            made,
                            next: made + PAUSE_MIN.max(begun.elapsed().saturating_mul(SHARE)),
                        }));
                    }
                    drop(turn);
                });
            }
            let _ = timeout(PATIENCE, last.changed()).await;
        }
        let look = last.borrow().as_ref().map(|kept| Arc::clone(&kept.look));
        Seen { look, head, unwritable }
    }
}

fn read(home: &Home, head: Option<Head>, now: UnixSeconds) -> Look {
    let mut told = LedgerTold::of(home).unwrap_or_else(|fault| LedgerTold {
        fault: Some(format!("{fault:#}")),
        entries: 0,
        head: None,
        public_key: read_text(&home.public_key_file()).map_or_else(|_| String::new(), |key| key.trim().to_owned()),
        fingerprint: None,
    });
    let (unseen, newest) = newest(&home.ledger_dir()).unwrap_or_else(|fault| {
        told.fault.get_or_insert_with(|| format!("{fault:#}"));
        (0, Vec::new())
    });
    Look {
        at: now,
        head,
        told,
        newest,
        unseen,
    }
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

    #[test]
    fn what_is_wrong_is_told_and_fails_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let look = read(&Home::at(&folder.path().join("nothing")), None, 7);
        assert!(look.told.fault.is_some() && look.newest.is_empty());
        let seen = Seen {
            look: Some(Arc::new(look)),
            head: None,
            unwritable: None,
        };
        assert!(seen.fault().is_some());
        let seen = Seen {
            unwritable: Some("no writer".to_owned()),
            ..seen
        };
        assert_eq!(seen.fault(), Some("no writer"));
    }

    #[test]
    fn the_ledger_is_looked_at_again_when_it_has_grown_or_after_a_while() {
        let head = |entries| Head {
            owner: "aggregator".to_owned(),
            entries,
            hash: snowball_protocol::Sha256Digest::of(b"x"),
        };
        let made = Instant::now();
        let look = Look {
            head: Some(head(3)),
            ..read(&Home::at(Path::new("nowhere")), None, 7)
        };
        let kept = Kept {
            look: Arc::new(look),
            made,
            next: made + PAUSE_MIN,
        };
        let after = |seconds| made + Duration::from_secs(seconds);
        assert!(!kept.is_due(Some(&head(4)), after(1)), "too soon");
        assert!(kept.is_due(Some(&head(4)), after(2)));
        assert!(!kept.is_due(Some(&head(3)), after(599)) && kept.is_due(Some(&head(3)), after(600)));
        assert!(!kept.is_due(None, after(599)) && kept.is_due(None, after(600)));
    }
}
