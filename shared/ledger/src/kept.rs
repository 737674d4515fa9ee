//! Heads that the other side kept: read from its notes or its ledger, and held against a ledger here.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use serde_json::Value;
use snowball_crypto::VerifyingKey;
use snowball_protocol::Sha256Digest;

use crate::{
    Head, RECORDS_FILE, SignedHead, VerifyError,
    checkpoint::ORIGIN,
    files::archive_folder,
    lines::{Lines, Piece},
};

/// The name of a note in a folder of notes ends like this.
const NOTE_EXTENSION: &str = "note";
/// A file of notes is read up to this size, in bytes.
const NOTES_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What somebody else kept of one ledger.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KeptHeads {
    /// Heads that the ledger's owner signed.
    pub signed: Vec<SignedHead>,
    /// Hashes that the other side wrote down without a signature of the owner, from its ledger's records.
    pub hashes: Vec<Sha256Digest>,
    /// Notes of this owner that another key signed: of a ledger that it kept before it enrolled again.
    pub other_keys: u64,
}

/// Reads the heads of `owner`'s ledger that lie in `path`: a file with notes, a folder of files `*.note`, or the other
/// side's ledger, of which every record that holds a head counts. That ledger itself is not judged.
///
/// # Errors
/// When it cannot be read, or a note says that `key` signed it and it did not: then it proves nothing.
pub fn kept_heads(path: &Path, owner: &str, key: &VerifyingKey) -> Result<KeptHeads, VerifyError> {
    let mut kept = KeptHeads::default();
    if !path.is_dir() {
        kept.read_notes(path, owner, key)?;
        return Ok(kept);
    }
    if path.join(RECORDS_FILE).exists() {
        for file in files_in(&archive_folder(path), "jsonl")?
            .into_iter()
            .chain([path.join(RECORDS_FILE)])
        {
            kept.read_ledger(&file, owner, key)?;
        }
        return Ok(kept);
    }
    for file in files_in(path, NOTE_EXTENSION)? {
        kept.read_notes(&file, owner, key)?;
    }
    Ok(kept)
}

impl KeptHeads {
    fn take(&mut self, note: &str, owner: &str, key: &VerifyingKey) -> Result<(), VerifyError> {
        if note.lines().next().and_then(|line| line.strip_prefix(ORIGIN)) != Some(owner) {
            return Ok(());
        }
        match SignedHead::read(note, key) {
            Ok(signed) => self.signed.push(signed),
            Err(VerifyError::WrongKey { .. }) => self.other_keys += 1,
            Err(_) => return Err(VerifyError::HeadInvalid),
        }
        Ok(())
    }

    fn read_notes(&mut self, path: &Path, owner: &str, key: &VerifyingKey) -> Result<(), VerifyError> {
        let text = text_of(path)?;
        notes_in(&text).iter().try_for_each(|note| self.take(note, owner, key))
    }

    fn read_ledger(&mut self, path: &Path, owner: &str, key: &VerifyingKey) -> Result<(), VerifyError> {
        let file = File::open(path).map_err(unreadable)?;
        let mut lines = Lines::new(&file);
        while let Piece::Line(line) = lines.next().map_err(unreadable)? {
            let Ok(record) = serde_json::from_slice::<Value>(line) else {
                continue;
            };
            let field = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
            let digest = |pointer: &str| field(pointer).and_then(|text| text.parse::<Sha256Digest>().ok());
            match field("/entry/entry") {
                Some("site_head_kept" | "head_refused") => {
                    field("/entry/head").map_or(Ok(()), |note| self.take(note, owner, key))?;
                }
                Some("heads_exchanged") => {
                    for pointer in ["/entry/site_head", "/entry/aggregator_head"] {
                        field(pointer).map_or(Ok(()), |note| self.take(note, owner, key))?;
                    }
                }
                Some("update_admitted") if field("/entry/site") == Some(owner) => {
                    self.hashes.extend(digest("/entry/site_ledger_head"));
                }
                Some("receipt_kept") if field("/entry/receipt/receipt/site") == Some(owner) => {
                    self.hashes.extend(digest("/entry/receipt/receipt/ledger_head"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The heads alone.
    #[must_use]
    pub fn heads(&self) -> Vec<Head> {
        self.signed.iter().map(|signed| signed.head.clone()).collect()
    }
}

/// The notes in a text, one after another: each begins with a ledger's name on a line of its own.
fn notes_in(text: &str) -> Vec<String> {
    let mut begins: Vec<usize> = text.match_indices(ORIGIN).map(|(place, _)| place).collect();
    begins.retain(|place| *place == 0 || text.as_bytes().get(place - 1) == Some(&b'\n'));
    let ends = begins.iter().skip(1).copied().chain([text.len()]);
    let notes = begins.iter().zip(ends).filter_map(|(from, to)| text.get(*from..to));
    notes.map(|note| format!("{}\n", note.trim_end())).collect()
}

fn text_of(path: &Path) -> Result<String, VerifyError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(NOTES_BYTES_MAX).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    String::from_utf8(bytes).map_err(|_| VerifyError::HeadInvalid)
}

fn files_in(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, VerifyError> {
    let entries = match fs::read_dir(folder) {
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(unreadable)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

const fn unreadable(source: io::Error) -> VerifyError {
    VerifyError::Unreadable {
        file: "file of kept heads",
        source,
    }
}

/// Heads that must be found on the way along the records.
pub struct Wanted {
    hashes: HashSet<Sha256Digest>,
    signed: HashMap<u64, HashSet<Sha256Digest>>,
    found: u64,
}

/// How many heads were found, and how many nobody could look for.
pub struct Heads {
    pub found: u64,
    pub unseen: u64,
}

impl Wanted {
    pub fn new(hashes: &[Sha256Digest], signed: &[Head]) -> Self {
        let mut by_size: HashMap<u64, HashSet<Sha256Digest>> = HashMap::new();
        for head in signed {
            by_size.entry(head.entries).or_default().insert(head.hash);
        }
        Self {
            hashes: hashes.iter().copied().collect(),
            signed: by_size,
            found: 0,
        }
    }

    /// The ledger stood at `head` once.
    pub fn see(&mut self, head: &Head) {
        if self.hashes.remove(&head.hash) {
            self.found += 1;
        }
        if let Some(signed) = self.signed.get_mut(&head.entries)
            && signed.remove(&head.hash)
        {
            self.found += 1;
        }
    }

    /// What remains: a signed head within the records is another history, one beyond them a tail that was cut. Those of
    /// records that nobody looked at stay open.
    pub fn judge(self, entries: u64, unseen: u64) -> Result<Heads, VerifyError> {
        let remains = || {
            self.signed
                .iter()
                .filter(|(_, hashes)| !hashes.is_empty())
                .map(|(size, _)| *size)
        };
        if let Some(entries) = remains().filter(|size| (unseen..=entries).contains(size)).min() {
            return Err(VerifyError::Forked { entries });
        }
        if let Some(kept) = remains().filter(|size| *size > entries).max() {
            return Err(VerifyError::TailCut { kept, found: entries });
        }
        if let Some(head) = self.hashes.iter().min().filter(|_| unseen == 0) {
            return Err(VerifyError::HeadUnknown { head: *head });
        }
        let open: usize = self.signed.values().map(HashSet::len).sum();
        Ok(Heads {
            found: self.found,
            unseen: (open + self.hashes.len()) as u64,
        })
    }
}
