//! What opening does: checks the whole chain, and brings the files of a write that a crash cut short back in line.

use std::{fs::File, path::Path};

use snowball_crypto::SigningKey;

use crate::{
    CHECKPOINT_FILE, Head, LedgerError, NEXT_RECORDS_FILE, RECORDS_FILE, VerifyError,
    chain::{Chain, unreadable},
    checkpoint,
    files::{adopt_next, discard_next, read_checkpoint, remove, sync_folder, write_next},
    lines::{Lines, Piece},
    segment::{Continuation, start},
    verify::next_head,
};

/// What was mended when a ledger was opened after a crash.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Repair {
    /// Bytes of a write that never finished, removed from the end. Nothing in them was acknowledged.
    pub removed_bytes: u64,
    /// Records of a write that was whole on disk but not yet under the checkpoint, kept.
    pub kept_records: u64,
}

/// Where a ledger stands after it was opened.
#[derive(Debug)]
pub struct Standing {
    /// Its last record.
    pub head: Head,
    /// Index of the first record of the open file.
    pub first: u64,
    /// Bytes of the open file.
    pub bytes: u64,
    /// What was mended, if anything was.
    pub repair: Option<Repair>,
}

/// Checks the open `file`, which the caller holds locked, and leaves exactly the acknowledged records and their checkpoint.
///
/// A write goes: next checkpoint durable, records durable, next checkpoint renamed to checkpoint. So a crash leaves one
/// of these, and no other:
/// 1. no next checkpoint, or one that is torn: the records end where the checkpoint says;
/// 2. a next checkpoint, and less than all of its records, perhaps torn or in disorder: they were never
///    acknowledged and go;
/// 3. a next checkpoint and exactly its records: they may have been acknowledged (a rename is durable only later)
///    and stay.
///
/// Closing an archive (see `rotate`) is such a write too: its one record is the first of the file that takes the open
/// one's place. Archives are not read here; [`verify`](crate::verify()) reads them.
///
/// A line without its end was never acknowledged and goes in any case. All else is somebody's hand, not a crash:
/// nothing is touched.
pub fn recover(folder: &Path, file: &File, owner: &str, key: &SigningKey) -> Result<Standing, LedgerError> {
    let broken = |fault| LedgerError::Broken {
        folder: folder.to_owned(),
        fault: Box::new(fault),
    };
    let records = folder.join(RECORDS_FILE);
    let bytes = file.metadata().map_err(LedgerError::io("read", &records))?.len();
    let path = folder.join(CHECKPOINT_FILE);
    let Some(note) = read_checkpoint(&path).map_err(LedgerError::io("read", &path))? else {
        return if bytes == 0 {
            begin(folder, file, owner, key)
        } else {
            Err(broken(VerifyError::CheckpointMissing))
        };
    };
    let signed = checkpoint::verify(&note, &key.verifying_key()).map_err(broken)?;
    if signed.owner != owner {
        return Err(broken(VerifyError::WrongOwner {
            found: signed.owner,
            expected: owner.to_owned(),
        }));
    }

    let continuation = Continuation::of(file).map_err(LedgerError::io("read", &records))?;
    let mut lines = Lines::new(file);
    let mut chain = Chain::at(start(continuation, owner));
    chain.walk(&mut lines, signed.entries, &mut |_| ()).map_err(broken)?;
    if chain.head != signed {
        return Err(broken(VerifyError::Rewritten {
            entries: signed.entries,
        }));
    }
    let mut end = lines.offset();

    let mut kept_records = 0;
    let next = next_head(folder, &key.verifying_key(), &signed);
    if let Some(next) = &next {
        let whole = chain.walk(&mut lines, next.entries, &mut |_| ()).is_ok() && chain.head == *next;
        if whole {
            end = lines.offset();
            kept_records = next.entries - signed.entries;
        }
    }
    if next.is_none() || kept_records > 0 {
        match lines.next().map_err(|fault| broken(unreadable(fault)))? {
            Piece::End | Piece::Torn => {}
            Piece::Line(_) | Piece::TooLong => {
                return Err(broken(VerifyError::Unsigned {
                    index: chain.head.entries,
                }));
            }
        }
    }

    let removed_bytes = bytes - end;
    if removed_bytes > 0 {
        file.set_len(end)
            .and_then(|()| file.sync_all())
            .map_err(LedgerError::io("repair", &records))?;
    }
    if kept_records > 0 {
        adopt_next(folder)?;
    } else {
        discard_next(folder)?;
    }
    // A file that was made ready to take this one's place, by a closing that did not come to it.
    remove(folder.join(NEXT_RECORDS_FILE))?;
    sync_folder(folder)?;
    let repair = Repair {
        removed_bytes,
        kept_records,
    };
    let head = if kept_records > 0 { chain.head } else { signed };
    Ok(Standing {
        head,
        first: continuation.map_or(0, |continuation| continuation.entries),
        bytes: end,
        repair: (repair != Repair::default()).then_some(repair),
    })
}

/// An empty ledger. Its checkpoint is durable under its name before any record can be: from then on, records without
/// a checkpoint are no crash.
fn begin(folder: &Path, file: &File, owner: &str, key: &SigningKey) -> Result<Standing, LedgerError> {
    file.sync_all()
        .map_err(LedgerError::io("sync", folder.join(RECORDS_FILE)))?;
    let head = Head::beginning(owner);
    write_next(folder, &head, key)?;
    adopt_next(folder)?;
    sync_folder(folder)?;
    Ok(Standing {
        head,
        first: 0,
        bytes: 0,
        repair: None,
    })
}
