//! Reading records without judging the ledger: for `ledger show`, reports and resuming. Use `verify` to judge.

use std::{fs::File, path::Path};

use crate::{
    LedgerError, RECORDS_FILE, Record, VerifyError,
    chain::unreadable,
    lines::{Lines, Piece},
    record::{LineFault, parse},
};

/// The records of a ledger, one at a time.
pub struct Records {
    lines: Lines<File>,
    folder: std::path::PathBuf,
    index: u64,
    ended: bool,
}

/// The records in `dir`, read one at a time: each has the hash of its content, but whether it is the one that was
/// signed only [`verify`](crate::verify()) tells. An unfinished last line is left out.
///
/// # Errors
/// When there is no records file.
pub fn records(dir: &Path) -> Result<Records, LedgerError> {
    let path = dir.join(RECORDS_FILE);
    let file = File::open(&path).map_err(LedgerError::io("open", &path))?;
    Ok(Records {
        lines: Lines::new(file),
        folder: dir.to_owned(),
        index: 0,
        ended: false,
    })
}

/// All [`records`] in `dir`.
///
/// # Errors
/// At the first line that is not a record.
pub fn read(dir: &Path) -> Result<Vec<Record>, LedgerError> {
    records(dir)?.collect()
}

impl Records {
    fn broken(&self, fault: VerifyError) -> LedgerError {
        LedgerError::Broken {
            folder: self.folder.clone(),
            fault: Box::new(fault),
        }
    }
}

impl Iterator for Records {
    type Item = Result<Record, LedgerError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let index = self.index;
        let outcome = match self.lines.next() {
            Ok(Piece::End | Piece::Torn) => None,
            Ok(Piece::Line(line)) => Some(parse(line).map_err(|fault| match fault {
                LineFault::UnknownEntry => LedgerError::UnknownEntry { index },
                LineFault::HashMismatch => self.broken(VerifyError::Altered { index }),
                LineFault::NotARecord | LineFault::NotCanonical => self.broken(VerifyError::Malformed { index }),
            })),
            Ok(Piece::TooLong) => Some(Err(self.broken(VerifyError::TooLong { index }))),
            Err(fault) => Some(Err(self.broken(unreadable(fault)))),
        };
        self.index += 1;
        self.ended = !matches!(outcome, Some(Ok(_)));
        outcome
    }
}
