//! The check that an auditor makes: offline, with public keys only, changing nothing.

use std::{
    collections::BTreeMap,
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use snowball_crypto::VerifyingKey;
use snowball_protocol::{Sha256Digest, ids::UnixSeconds};

use crate::{
    CHECKPOINT_FILE, Head, NEXT_CHECKPOINT_FILE, VerifyError,
    chain::{Chain, unreadable},
    checkpoint,
    files::{archive_checkpoint, archive_folder, open_records, read_checkpoint},
    kept::{Wanted, kept_heads},
    lines::{Lines, Piece},
    segment::{Archive, Missing, Segments},
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
    /// How many of them lie in archives that are not at hand: the signature answers for them, nobody looked at them.
    pub unseen: u64,
    /// How many archives were looked at.
    pub archives: u64,
    /// How many heads that the other side kept are in it.
    pub heads_found: u64,
    /// How many of them may be among the records that nobody looked at.
    pub heads_unseen: u64,
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
    /// Signed heads that the other side kept, as [`kept_heads`] reads them: the owner signed each of
    /// them, so one that does not fit proves that there are two histories.
    pub kept: Vec<Head>,
    /// Folders where archives may lie that are no longer in the ledger's own.
    pub archives: Vec<PathBuf>,
}

impl Expected {
    /// Adds the heads of the ledger in `dir` that lie in `paths`, each as [`kept_heads`] reads it. Gives how
    /// many were signed with another key, of a ledger that the owner kept before.
    ///
    /// # Errors
    /// When one cannot be read or is not signed as it says; when the ledger's own checkpoint does not hold.
    pub fn keep(&mut self, dir: &Path, key: &VerifyingKey, paths: &[PathBuf]) -> Result<u64, VerifyError> {
        let mut other_keys = 0;
        if paths.is_empty() {
            return Ok(other_keys);
        }
        let owner = signed_head(dir, CHECKPOINT_FILE, key)?.owner;
        for path in paths {
            let kept = kept_heads(path, &owner, key)?;
            self.kept.extend(kept.heads());
            self.heads.extend(kept.hashes);
            other_keys += kept.other_keys;
        }
        Ok(other_keys)
    }
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
    let segments = Segments::find(dir, &expected.archives)?;
    let mut chain = Chain::at(segments.start(&signed.owner));
    let unseen = segments.missing.map_or(0, |_| chain.head.entries);
    let mut wanted = Wanted::new(&expected.heads, &expected.kept);
    wanted.see(&chain.head);
    let mut seen = |head: &Head| wanted.see(head);

    if let Some(missing) = segments.missing {
        check_missing(dir, key, missing, &signed.owner)?;
    }
    for archive in &segments.archives {
        walk_archive(&mut chain, archive, key, &mut seen)?;
    }
    let file = &segments.open;
    let mut lines = Lines::new(file);
    chain.walk(&mut lines, signed.entries, &mut seen)?;
    if chain.head != *signed {
        return Err(VerifyError::Rewritten {
            entries: signed.entries,
        });
    }
    let being_written = is_being_written(file)?;
    if !being_written {
        check_tail(dir, key, file, &mut chain, &mut lines, &mut seen)?;
    }
    let heads = wanted.judge(chain.head.entries, unseen)?;
    let Chain {
        head,
        first_time,
        last_time,
        counts,
    } = chain;
    Ok(Verified {
        owner: head.owner.clone(),
        entries: head.entries,
        unseen,
        archives: segments.archives.len() as u64,
        heads_found: heads.found,
        heads_unseen: heads.unseen,
        head,
        first_time,
        last_time,
        counts,
        being_written,
    })
}

/// An archive holds exactly its records, and its own signed head answers for them.
fn walk_archive(
    chain: &mut Chain,
    archive: &Archive,
    key: &VerifyingKey,
    seen: &mut impl FnMut(&Head),
) -> Result<(), VerifyError> {
    let file = File::open(&archive.records).map_err(unreadable)?;
    let mut lines = Lines::new(&file);
    chain.walk(&mut lines, archive.end, seen)?;
    if lines.next().map_err(unreadable)? != Piece::End {
        return Err(VerifyError::Unsigned { index: archive.end });
    }
    let note = read_checkpoint(&archive.checkpoint).map_err(|source| VerifyError::Unreadable {
        file: CHECKPOINT_FILE,
        source,
    })?;
    let signed = checkpoint::verify(&note.ok_or(VerifyError::CheckpointMissing)?, key)?;
    if chain.head == signed {
        Ok(())
    } else {
        Err(VerifyError::Rewritten { entries: archive.end })
    }
}

/// The signed head of an archive that was moved away may still be there: then the next file must go on from it.
fn check_missing(dir: &Path, key: &VerifyingKey, missing: Missing, owner: &str) -> Result<(), VerifyError> {
    let path = archive_checkpoint(&archive_folder(dir), missing.first);
    let note = read_checkpoint(&path).map_err(|source| VerifyError::Unreadable {
        file: CHECKPOINT_FILE,
        source,
    })?;
    match note {
        Some(note) if checkpoint::verify(&note, key)? != missing.end.head(owner) => Err(VerifyError::Rewritten {
            entries: missing.end.entries,
        }),
        _ => Ok(()),
    }
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
        None => open_records(dir).and(Err(VerifyError::CheckpointMissing)),
    }
}

/// The signed head of a write that was under way after `head`, if one lies there. A torn one counts as none: its
/// write never reached the records.
pub fn next_head(dir: &Path, key: &VerifyingKey, head: &Head) -> Option<Head> {
    let next = signed_head(dir, NEXT_CHECKPOINT_FILE, key).ok()?;
    (next.owner == head.owner && next.entries > head.entries).then_some(next)
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
