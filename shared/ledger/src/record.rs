//! One line of a ledger and its hash.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use snowball_protocol::{Sha256Digest, ids::UnixSeconds, plan::canonical_json};

use crate::{Entry, Head};

/// How deep objects and arrays nest in a line, at most, the record itself included.
const DEPTH_MAX: u32 = 16;
const PREFIX: &[u8] = b"snowball ledger record v1\n";

/// One entry, bound to everything before it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Its place; the first is 0.
    pub index: u64,
    /// When it was written, by the owner's clock. Clocks are set back now and then, so times need not rise.
    pub time: UnixSeconds,
    /// Hash of the record before it; of the first, the beginning of this owner's ledger.
    pub previous: Sha256Digest,
    /// What happened.
    pub entry: Entry,
    /// SHA-256 over a line that says what it is and the canonical JSON of the four fields above.
    pub hash: Sha256Digest,
}

impl Record {
    /// The kind of its entry, as written in the file.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        self.entry.kind()
    }

    /// What happened, in one line of plain English.
    #[must_use]
    pub fn describe(&self) -> String {
        self.entry.describe()
    }

    /// The same in plain French.
    #[must_use]
    pub fn describe_in_french(&self) -> String {
        self.entry.describe_in_french()
    }

    /// The record that follows `head`.
    pub(crate) fn after(head: &Head, time: UnixSeconds, entry: Entry) -> Self {
        #[derive(Serialize)]
        struct Content<'a> {
            index: u64,
            time: UnixSeconds,
            previous: Sha256Digest,
            entry: &'a Entry,
        }
        let (index, previous) = (head.entries, head.hash);
        let hash = hash_of(&Content {
            index,
            time,
            previous,
            entry: &entry,
        });
        Self {
            index,
            time,
            previous,
            entry,
            hash,
        }
    }

    /// The line in the file, with its end.
    pub(crate) fn to_line(&self) -> Vec<u8> {
        let mut line = canonical_json(self);
        line.push(b'\n');
        line
    }
}

fn hash_of(content: &impl Serialize) -> Sha256Digest {
    let mut bytes = PREFIX.to_vec();
    bytes.extend(canonical_json(content));
    Sha256Digest::of(&bytes)
}

/// Why a line is not a record. Holds nothing of the line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LineFault {
    /// Not a JSON object of the five fields, or with something in it that no record has (fractions, deep nesting).
    NotARecord,
    /// JSON of a record, but not in the one spelling that is written.
    NotCanonical,
    /// The hash is not the one of the content.
    HashMismatch,
    /// Sound as a line; the entry is of a kind that this program does not know.
    UnknownEntry,
}

/// The parts of a line that make the chain, whatever its entry says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Link {
    pub index: u64,
    pub previous: Sha256Digest,
    pub hash: Sha256Digest,
}

/// Reads one line without its end: the link once its own hash holds, then the whole record.
///
/// The order matters: a line is first taken as it stands and compared byte by byte with its canonical spelling, so
/// that no flipped bit hides behind a reader's leniency (case of hexadecimal digits, blanks, escapes, repeated names).
pub fn parse_link(line: &[u8]) -> Result<(Link, Value), LineFault> {
    let whole: Value = serde_json::from_slice(line).map_err(|_| LineFault::NotARecord)?;
    if !is_plain(&whole, DEPTH_MAX) {
        return Err(LineFault::NotARecord);
    }
    if canonical_json(&whole) != line {
        return Err(LineFault::NotCanonical);
    }
    let fields = whole
        .as_object()
        .filter(|fields| fields.len() == 5)
        .ok_or(LineFault::NotARecord)?;
    let digest = |name: &str| {
        let text = fields.get(name).and_then(Value::as_str).ok_or(LineFault::NotARecord)?;
        let digest: Sha256Digest = text.parse().map_err(|_| LineFault::NotARecord)?;
        if digest.to_string() == text {
            Ok(digest)
        } else {
            Err(LineFault::NotCanonical)
        }
    };
    let link = Link {
        index: fields
            .get("index")
            .and_then(Value::as_u64)
            .ok_or(LineFault::NotARecord)?,
        previous: digest("previous")?,
        hash: digest("hash")?,
    };
    if fields.get("time").and_then(Value::as_i64).is_none() || !fields.get("entry").is_some_and(Value::is_object) {
        return Err(LineFault::NotARecord);
    }
    if hash_without_itself(line, link.hash) != Some(link.hash) {
        return Err(LineFault::HashMismatch);
    }
    Ok((link, whole))
}

/// The hash of a canonical line's content. The line without its field `hash` is the canonical form of the rest, and after
/// that field stand only a number, a digest and a number: so its last place is the right one. Making the content anew
/// would take as long as all the rest of the check.
fn hash_without_itself(line: &[u8], hash: Sha256Digest) -> Option<Sha256Digest> {
    let field = format!("\"hash\":\"{hash}\",");
    let at = line.windows(field.len()).rposition(|part| part == field.as_bytes())?;
    let (before, after) = (line.get(..at)?, line.get(at + field.len()..)?);
    Some(Sha256Digest::of(&[PREFIX, before, after].concat()))
}

/// Reads one line without its end as a record whose own hash holds.
pub fn parse(line: &[u8]) -> Result<Record, LineFault> {
    let (_, whole) = parse_link(line)?;
    serde_json::from_value(whole).map_err(|_| LineFault::UnknownEntry)
}

/// No fractions, whose spelling differs between languages, and no deep nesting: a second verifier must not have to
/// follow this one's library.
fn is_plain(value: &Value, depth: u32) -> bool {
    match value {
        Value::Number(number) => !number.is_f64(),
        Value::Array(items) => depth > 0 && items.iter().all(|item| is_plain(item, depth - 1)),
        Value::Object(fields) => depth > 0 && fields.values().all(|field| is_plain(field, depth - 1)),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}
