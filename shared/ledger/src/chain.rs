//! The walk along the records that both the writer, when it opens, and the verifier take.

use std::{collections::BTreeMap, io::Read};

use serde_json::Value;
use snowball_protocol::ids::UnixSeconds;

use crate::{
    Entry, Head, RECORDS_FILE, VerifyError,
    lines::{Lines, Piece},
    record::{LineFault, parse_link},
};

/// How records of kinds that this program does not know are counted.
const UNKNOWN_KIND: &str = "unknown";

/// The records so far, each sound and following the one before.
#[derive(Clone)]
pub struct Chain {
    pub head: Head,
    pub first_time: Option<UnixSeconds>,
    pub last_time: Option<UnixSeconds>,
    pub counts: BTreeMap<&'static str, u64>,
}

impl Chain {
    /// The chain that goes on from `head`.
    pub const fn at(head: Head) -> Self {
        Self {
            head,
            first_time: None,
            last_time: None,
            counts: BTreeMap::new(),
        }
    }

    /// Takes in records until there are `entries`, telling `seen` the head after each.
    pub fn walk<R: Read>(
        &mut self,
        lines: &mut Lines<R>,
        entries: u64,
        seen: &mut impl FnMut(&Head),
    ) -> Result<(), VerifyError> {
        while self.head.entries < entries {
            let index = self.head.entries;
            let line = match lines.next().map_err(unreadable)? {
                Piece::Line(line) => line,
                Piece::TooLong => return Err(VerifyError::TooLong { index }),
                Piece::Torn | Piece::End => {
                    return Err(VerifyError::Truncated {
                        expected: entries,
                        found: index,
                    });
                }
            };
            if let Err(found) = self.take(line)? {
                return Err(if found < index {
                    VerifyError::Inserted { index, found }
                } else if comes_later(lines, index)? {
                    VerifyError::Reordered { index, found }
                } else {
                    VerifyError::Dropped { index, found }
                });
            }
            seen(&self.head);
        }
        Ok(())
    }

    /// Takes in one line. The inner error is the index of a sound record that stands at this place and should not.
    fn take(&mut self, line: &[u8]) -> Result<Result<(), u64>, VerifyError> {
        let index = self.head.entries;
        let (link, whole) = parse_link(line).map_err(|fault| match fault {
            LineFault::HashMismatch => VerifyError::Altered { index },
            _ => VerifyError::Malformed { index },
        })?;
        if link.index != index {
            return Ok(Err(link.index));
        }
        if link.previous != self.head.hash {
            return Err(match index {
                0 => VerifyError::ForeignRecords {
                    owner: self.head.owner.clone(),
                },
                _ => VerifyError::Replaced { index },
            });
        }
        let kind = whole
            .pointer("/entry/entry")
            .and_then(Value::as_str)
            .unwrap_or_default();
        // Only known kinds are counted by name: a file with a million invented kinds must not fill the memory.
        let kind = Entry::KINDS
            .iter()
            .find(|known| **known == kind)
            .copied()
            .unwrap_or(UNKNOWN_KIND);
        *self.counts.entry(kind).or_default() += 1;
        self.last_time = whole.get("time").and_then(Value::as_i64);
        self.first_time = self.first_time.or(self.last_time);
        self.head.entries += 1;
        self.head.hash = link.hash;
        Ok(Ok(()))
    }
}

pub fn unreadable(source: std::io::Error) -> VerifyError {
    VerifyError::Unreadable {
        file: RECORDS_FILE,
        source,
    }
}

/// Whether record `index` stands anywhere in the rest of the file: what tells a reordered record from a dropped one.
fn comes_later<R: Read>(lines: &mut Lines<R>, index: u64) -> Result<bool, VerifyError> {
    while let Piece::Line(line) = lines.next().map_err(unreadable)? {
        if parse_link(line).is_ok_and(|(link, _)| link.index == index) {
            return Ok(true);
        }
    }
    Ok(false)
}
