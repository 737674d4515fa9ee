//! The check that an auditor makes: offline, with public keys only, changing nothing.

use std::{
    collections::{BTreeMap, HashSet},
    fs::{File, TryLockError},
    io,
    path::Path,
};

use snowball_crypto::VerifyingKey;
use snowball_protocol::{Sha256Digest, ids::UnixSeconds};

use crate::{
    CHECKPOINT_FILE, Head, NEXT_CHECKPOINT_FILE, RECORDS_FILE, VerifyError,
    chain::{Chain, unreadable},
    checkpoint,
    files::read_checkpoint,
    lines::{Lines, Piece},
};

/// A writer may finish a write between two looks at the folder; so many looks are taken.
const LOOKS_MAX: u32 = 3;

/// A ledger that holds all that was signed, unaltered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verified {
    /// Whose ledger.
    pub owner: String,
    /// How many records the signature answers for.
    pub entries: u64,
    /// The last of them.
    pub head: Head,
    /// When the first record was written, by the owner's clock.
    pub first_time: Option<UnixSeconds>,
    /// When the last was.
    pub last_time: Option<UnixSeconds>,
    /// How many records of each kind; kinds that this program does not know count as `unknown`.
    pub counts: BTreeMap<&'static str, u64>,
    /// A program was writing while the ledger was read: what it wrote since is neither counted nor judged.
    pub being_written: bool,
}

/// What somebody else knows about a ledger and wants to see confirmed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Expected {
    /// Whose ledger it must be.
    pub owner: Option<String>,
    /// Heads that the other side kept: `site_ledger_head` of the aggregator's records, `ledger_head` of a receipt. Each
    /// must be the hash of a record here, which finds a tail that was cut together with its checkpoint.
    pub heads: Vec<Sha256Digest>,
}

/// Checks the ledger in `dir` against its owner's public key: finds every flipped byte, and every record that was
/// dropped, inserted, replaced, reordered or cut off. Memory does not grow with the ledger.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify(dir: &Path, key: &VerifyingKey) -> Result<Verified, VerifyError> {
    verify_expecting(dir, key, &Expected::default())
}

/// [`verify`], and what is `expected` must hold as well.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify_expecting(dir: &Path, key: &VerifyingKey, expected: &Expected) -> Result<Verified, VerifyError> {
    let mut looks = 1;
    loop {
        let signed = signed_head(dir, CHECKPOINT_FILE, key)?;
        let outcome = look(dir, key, expected, &signed);
        let moved_on = outcome.is_err() && looks < LOOKS_MAX && signed_head(dir, CHECKPOINT_FILE, key)? != signed;
        if !moved_on {
            return outcome;
        }
        looks += 1;
    }
}

fn look(dir: &Path, key: &VerifyingKey, expected: &Expected, signed: &Head) -> Result<Verified, VerifyError> {
    if let Some(owner) = expected.owner.as_ref().filter(|owner| **owner != signed.owner) {
        return Err(VerifyError::WrongOwner {
            found: signed.owner.clone(),
            expected: owner.clone(),
        });
    }
    let file = open_records(dir)?;
    let mut lines = Lines::new(&file);
    let mut chain = Chain::beginning(&signed.owner);
    let mut missing: HashSet<Sha256Digest> = expected.heads.iter().copied().collect();
    let mut seen = |head: &Head| {
        missing.remove(&head.hash);
    };

    chain.walk(&mut lines, signed.entries, &mut seen)?;
    if chain.head != *signed {
        return Err(VerifyError::Rewritten {
            entries: signed.entries,
        });
    }
    let being_written = is_being_written(&file)?;
    if !being_written {
        check_tail(dir, key, &file, &mut chain, &mut lines, &mut seen)?;
    }
    if let Some(head) = expected.heads.iter().find(|head| missing.contains(head)) {
        return Err(VerifyError::HeadUnknown { head: *head });
    }
    let Chain {
        head,
        first_time,
        last_time,
        counts,
    } = chain;
    Ok(Verified {
        owner: head.owner.clone(),
        entries: head.entries,
        head,
        first_time,
        last_time,
        counts,
        being_written,
    })
}

/// After the records that the checkpoint answers for there is nothing; or the records of a write whose own signed
/// head lies beside it, because the program stopped before it could put that in the checkpoint's place.
fn check_tail(
    dir: &Path,
    key: &VerifyingKey,
    file: &File,
    chain: &mut Chain,
    lines: &mut Lines<&File>,
    seen: &mut impl FnMut(&Head),
) -> Result<(), VerifyError> {
    let bytes = file.metadata().map_err(unreadable)?.len();
    if bytes > lines.offset()
        && let Some(next) = next_head(dir, key, &chain.head)
    {
        let index = chain.head.entries;
        let whole = chain.walk(lines, next.entries, seen).is_ok() && chain.head == next;
        if !whole {
            return Err(VerifyError::Unfinished { index });
        }
    }
    if bytes <= lines.offset() {
        return Ok(());
    }
    let index = chain.head.entries;
    match lines.next().map_err(unreadable)? {
        Piece::End => Ok(()),
        Piece::Torn => Err(VerifyError::Unfinished { index }),
        Piece::Line(_) | Piece::TooLong => Err(VerifyError::Unsigned { index }),
    }
}

/// The signed head in one of the two checkpoint files.
fn signed_head(dir: &Path, file: &'static str, key: &VerifyingKey) -> Result<Head, VerifyError> {
    let bytes = read_checkpoint(&dir.join(file)).map_err(|source| VerifyError::Unreadable { file, source })?;
    match bytes {
        Some(bytes) => checkpoint::verify(&bytes, key),
        None if dir.join(RECORDS_FILE).exists() => Err(VerifyError::CheckpointMissing),
        None => Err(VerifyError::RecordsMissing),
    }
}

/// The signed head of a write that was under way after `head`, if one lies there. A torn one counts as none: its
/// write never reached the records.
pub fn next_head(dir: &Path, key: &VerifyingKey, head: &Head) -> Option<Head> {
    let next = signed_head(dir, NEXT_CHECKPOINT_FILE, key).ok()?;
    (next.owner == head.owner && next.entries > head.entries).then_some(next)
}

fn open_records(dir: &Path) -> Result<File, VerifyError> {
    File::open(dir.join(RECORDS_FILE)).map_err(|fault| match fault.kind() {
        io::ErrorKind::NotFound => VerifyError::RecordsMissing,
        _ => unreadable(fault),
    })
}

/// Whether a writer holds the file. The lock is given back at once: a check must never keep the program from starting.
fn is_being_written(file: &File) -> Result<bool, VerifyError> {
    match file.try_lock_shared() {
        Ok(()) => file.unlock().map(|()| false).map_err(unreadable),
        Err(TryLockError::WouldBlock) => Ok(true),
        // A file system without locks has no live writer either: the writer insists on its lock.
        Err(TryLockError::Error(fault)) if fault.kind() == io::ErrorKind::Unsupported => Ok(false),
        Err(TryLockError::Error(fault)) => Err(unreadable(fault)),
    }
}
