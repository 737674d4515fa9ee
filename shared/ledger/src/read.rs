//! Reading records without judging the ledger: for `ledger show`, reports and resuming. Use `verify` to judge.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    vec,
};

use crate::{
    LedgerError, RECORDS_FILE, Record, VerifyError,
    chain::unreadable,
    files::archive_folder,
    lines::{Lines, Piece},
    record::{LineFault, parse},
    segment::Segments,
};

/// The records of a ledger, one at a time, archives first.
pub struct Records {
    archives: vec::IntoIter<PathBuf>,
    open: Option<File>,
    lines: Option<Lines<File>>,
    folder: PathBuf,
    index: u64,
    ended: bool,
}

/// The records in `dir`, read one at a time, from the first archive on: each has the hash of its content, but whether it is
/// the one that was signed only [`verify`](crate::verify()) tells. An unfinished last line is left out.
///
/// # Errors
/// When there is no records file, or an archive is missing: who adds up a ledger must not take a part for the whole.
pub fn records(dir: &Path) -> Result<Records, LedgerError> {
    let segments = find(dir)?;
    if let Some(missing) = segments.missing {
        return Err(LedgerError::ArchiveMissing {
            first: missing.first,
            end: missing.end.entries,
            folder: archive_folder(dir),
        });
    }
    Ok(Records::of(dir, segments))
}

/// The records that are at hand in `dir`, and how many before them are not, because their archives were moved away.
///
/// # Errors
/// When there is no records file.
pub fn records_at_hand(dir: &Path) -> Result<(u64, Records), LedgerError> {
    let segments = find(dir)?;
    let unseen = segments.missing.map_or(0, |_| segments.start("").entries);
    Ok((unseen, Records::of(dir, segments)))
}

/// All [`records`] in `dir`.
///
/// # Errors
/// As [`records`], and at the first line that is not a record.
pub fn read(dir: &Path) -> Result<Vec<Record>, LedgerError> {
    records(dir)?.collect()
}

fn find(dir: &Path) -> Result<Segments, LedgerError> {
    Segments::find(dir, &[]).map_err(|fault| match fault {
        VerifyError::RecordsMissing => {
            let path = dir.join(RECORDS_FILE);
            LedgerError::io("open", path)(io::ErrorKind::NotFound.into())
        }
        fault => broken(dir, fault),
    })
}

fn broken(folder: &Path, fault: VerifyError) -> LedgerError {
    LedgerError::Broken {
        folder: folder.to_owned(),
        fault: Box::new(fault),
    }
}

impl Records {
    fn of(dir: &Path, segments: Segments) -> Self {
        let index = segments.start("").entries;
        let archives: Vec<PathBuf> = segments.archives.into_iter().map(|archive| archive.records).collect();
        Self {
            archives: archives.into_iter(),
            open: Some(segments.open),
            lines: None,
            folder: dir.to_owned(),
            index,
            ended: false,
        }
    }

    /// The next line's record; `None` at the end of the last file.
    fn advance(&mut self) -> Option<Result<Record, LedgerError>> {
        loop {
            if self.lines.is_none() {
                let file = match self.archives.next() {
                    Some(path) => File::open(path),
                    None => Ok(self.open.take()?),
                };
                match file {
                    Ok(file) => self.lines = Some(Lines::new(file)),
                    Err(fault) => return Some(Err(broken(&self.folder, unreadable(fault)))),
                }
            }
            let index = self.index;
            let broken = |fault| Some(Err(broken(&self.folder, fault)));
            match self.lines.as_mut()?.next() {
                Ok(Piece::End | Piece::Torn) => self.lines = None,
                Ok(Piece::Line(line)) => match parse(line) {
                    Ok(record) => return Some(Ok(record)),
                    Err(LineFault::UnknownEntry) => return Some(Err(LedgerError::UnknownEntry { index })),
                    Err(LineFault::HashMismatch) => return broken(VerifyError::Altered { index }),
                    Err(LineFault::NotARecord | LineFault::NotCanonical) => {
                        return broken(VerifyError::Malformed { index });
                    }
                },
                Ok(Piece::TooLong) => return broken(VerifyError::TooLong { index }),
                Err(fault) => return broken(unreadable(fault)),
            }
        }
    }
}

impl Iterator for Records {
    type Item = Result<Record, LedgerError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let outcome = self.advance();
        self.index += 1;
        self.ended = !matches!(outcome, Some(Ok(_)));
        outcome
    }
}
