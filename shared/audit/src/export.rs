//! Writing an evidence folder: the ledger as it stands at one moment, then what its records name.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
};

use snowball_crypto::{SigningKey, VerifyingKey};
use snowball_ledger::{ARCHIVE_FOLDER, CHECKPOINT_FILE, Head, LINE_BYTES_MAX, RECORDS_FILE};
use snowball_protocol::{Sha256Digest, digest::RunningDigest, plan::canonical_json};

use crate::{
    documents::paths,
    manifest::{Kind, ListedFile, MANIFEST_FILE, Manifest, SIGNATURE_FILE, is_path},
    table::Table,
};

/// What no file of an evidence folder may hold: the mark of a private key in PEM.
const SECRET: &str = "PRIVATE KEY-----";
const CHECKPOINT_BYTES_MAX: u64 = 4096;
/// The owner may close an archive between two looks at its files.
const LOOKS_MAX: u32 = 3;

/// A folder that is being filled. The manifest comes last: a folder with one is whole.
pub struct Export {
    folder: PathBuf,
    files: BTreeMap<String, ListedFile>,
}

/// What was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exported {
    /// How many files, with manifest and signature.
    pub files: usize,
    /// Their size.
    pub bytes: u64,
    /// Where the ledger stood.
    pub head: Head,
    /// SHA-256 of the manifest, which stands for the whole folder.
    pub manifest_digest: Sha256Digest,
}

/// Why an export was not finished.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The folder holds something.
    #[error("{0} is not empty; name a new folder for the evidence")]
    NotEmpty(PathBuf),
    /// A file could not be read or written.
    #[error("{path} could not be read or written")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The ledger that was to be exported does not hold.
    #[error("the ledger does not hold, so nothing was exported")]
    Ledger(#[from] snowball_ledger::VerifyError),
    /// Archives of the ledger are not at hand.
    #[error(
        "the first {records} records lie in archives that are not in the ledger's folder; put them back there first"
    )]
    Partial {
        /// How many records.
        records: u64,
    },
    /// A file holds what looks like a private key.
    #[error("{0} would hold a private key; nothing of the kind is ever exported")]
    Secret(String),
    /// A name that no file of the folder may have.
    #[error("{0:?} is no name for a file of evidence")]
    Name(String),
}

impl Export {
    /// Begins in `folder`, which must not exist or be empty.
    ///
    /// # Errors
    /// When it holds something or cannot be made.
    pub fn begin(folder: &Path) -> Result<Self, ExportError> {
        fs::create_dir_all(folder).map_err(at(folder))?;
        if fs::read_dir(folder).map_err(at(folder))?.next().is_some() {
            return Err(ExportError::NotEmpty(folder.to_owned()));
        }
        Ok(Self {
            folder: folder.to_owned(),
            files: BTreeMap::new(),
        })
    }

    /// Copies the ledger in `from` as it stands at this moment, and checks the copy. The owner may go on writing.
    ///
    /// # Errors
    /// When it cannot be read, the copy does not hold, or archives are missing.
    pub fn ledger(&mut self, from: &Path, key: &VerifyingKey) -> Result<Head, ExportError> {
        let mut looks = 1;
        loop {
            self.copy_ledger(from)?;
            match snowball_ledger::verify(&self.ledger_folder(), key) {
                Ok(verified) if verified.unseen > 0 => {
                    return Err(ExportError::Partial {
                        records: verified.unseen,
                    });
                }
                Ok(verified) => return Ok(verified.head),
                // An archive may have been closed between two of the files.
                Err(_) if looks < LOOKS_MAX => looks += 1,
                Err(fault) => return Err(fault.into()),
            }
            self.files.retain(|path, _| !path.starts_with(paths::LEDGER));
            fs::remove_dir_all(self.ledger_folder()).map_err(at(&self.ledger_folder()))?;
        }
    }

    /// The ledger that was copied, to read what its records name.
    #[must_use]
    pub fn ledger_folder(&self) -> PathBuf {
        self.folder.join(paths::LEDGER)
    }

    /// Adds a file. The same file again is fine.
    ///
    /// # Errors
    /// When it cannot be written, or holds what must not leave.
    pub fn add(&mut self, path: &str, content: &[u8]) -> Result<(), ExportError> {
        self.check(path, content)?;
        if self.holds(path) {
            return Ok(());
        }
        let target = self.target(path)?;
        fs::write(&target, content).map_err(at(&target))?;
        self.list(ListedFile {
            path: path.to_owned(),
            bytes: content.len() as u64,
            digest: Sha256Digest::of(content),
        });
        Ok(())
    }

    /// Whether `path` was added.
    #[must_use]
    pub fn holds(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// Begins a file of one document a line.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn table(&mut self, path: &str) -> Result<Table, ExportError> {
        self.check(path, b"")?;
        Table::create(path, &self.target(path)?)
    }

    /// Adds a finished table.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn close(&mut self, table: Table) -> Result<(), ExportError> {
        self.list(table.finish()?);
        Ok(())
    }

    /// Writes the manifest and signs it: now the folder is whole.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(self, kind: Kind, head: Head, key: &SigningKey) -> Result<Exported, ExportError> {
        let manifest = Manifest::new(kind, head, key.verifying_key(), self.files.into_values().collect());
        let document = canonical_json(&manifest);
        let signature = format!("{}\n", key.sign(&Manifest::signed_bytes(&document)));
        for (name, content) in [(SIGNATURE_FILE, signature.as_bytes()), (MANIFEST_FILE, &document)] {
            let path = self.folder.join(name);
            fs::write(&path, content).map_err(at(&path))?;
        }
        let listed: u64 = manifest.files.iter().map(|file| file.bytes).sum();
        Ok(Exported {
            files: manifest.files.len() + 2,
            bytes: listed + (document.len() + signature.len()) as u64,
            head: manifest.head,
            manifest_digest: Sha256Digest::of(&document),
        })
    }

    /// The signed head, the archives before it, and of the open file exactly the records that it answers for.
    fn copy_ledger(&mut self, from: &Path) -> Result<(), ExportError> {
        let checkpoint = from.join(CHECKPOINT_FILE);
        let mut note = Vec::new();
        File::open(&checkpoint)
            .and_then(|file| file.take(CHECKPOINT_BYTES_MAX).read_to_end(&mut note))
            .map_err(at(&checkpoint))?;
        // A checkpoint that does not parse leaves no record; the check of the copy then says what is wrong with it.
        let entries: u64 = String::from_utf8_lossy(&note)
            .lines()
            .nth(1)
            .and_then(|line| line.parse().ok())
            .unwrap_or(0);
        self.add(&format!("{}/{CHECKPOINT_FILE}", paths::LEDGER), &note)?;
        for name in archives(&from.join(ARCHIVE_FOLDER))? {
            let source = from.join(ARCHIVE_FOLDER).join(&name);
            self.copy_lines(&source, &format!("{}/{ARCHIVE_FOLDER}/{name}", paths::LEDGER), u64::MAX)?;
        }
        let records = from.join(RECORDS_FILE);
        let first = first_index(&records).map_err(at(&records))?;
        self.copy_lines(
            &records,
            &format!("{}/{RECORDS_FILE}", paths::LEDGER),
            entries.saturating_sub(first),
        )
    }

    fn copy_lines(&mut self, source: &Path, path: &str, lines: u64) -> Result<(), ExportError> {
        let target = self.target(path)?;
        let mut records = BufReader::new(File::open(source).map_err(at(source))?);
        let mut copy = io::BufWriter::new(File::create(&target).map_err(at(&target))?);
        let (mut digest, mut bytes, mut line, mut copied) = (RunningDigest::default(), 0, Vec::new(), 0);
        while copied < lines {
            line.clear();
            let mut bounded = records.by_ref().take(LINE_BYTES_MAX as u64);
            if bounded.read_until(b'\n', &mut line).map_err(at(source))? == 0 {
                break;
            }
            copy.write_all(&line).map_err(at(&target))?;
            digest.update(&line);
            bytes += line.len() as u64;
            copied += 1;
        }
        copy.flush().map_err(at(&target))?;
        self.list(ListedFile {
            path: path.to_owned(),
            bytes,
            digest: digest.finish(),
        });
        Ok(())
    }

    fn list(&mut self, file: ListedFile) {
        self.files.insert(file.path.clone(), file);
    }

    fn check(&self, path: &str, content: &[u8]) -> Result<(), ExportError> {
        if !is_path(path) {
            return Err(ExportError::Name(path.to_owned()));
        }
        let is_secret = content.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
        if is_secret {
            return Err(ExportError::Secret(path.to_owned()));
        }
        Ok(())
    }

    fn target(&self, path: &str) -> Result<PathBuf, ExportError> {
        let target = self.folder.join(path);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(at(parent))?;
        }
        Ok(target)
    }
}

/// The files of closed archives, in order.
fn archives(folder: &Path) -> Result<Vec<String>, ExportError> {
    let entries = match fs::read_dir(folder) {
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(at(folder))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(at(folder))?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".jsonl") || name.ends_with(".checkpoint") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Index of the first record in a file of records; 0 where there is none.
fn first_index(records: &Path) -> io::Result<u64> {
    let mut line = Vec::new();
    BufReader::new(File::open(records)?.take(LINE_BYTES_MAX as u64)).read_until(b'\n', &mut line)?;
    let record: serde_json::Value = serde_json::from_slice(&line).unwrap_or_default();
    Ok(record.get("index").and_then(serde_json::Value::as_u64).unwrap_or(0))
}

pub(crate) fn at(path: &Path) -> impl Fn(io::Error) -> ExportError {
    let path = path.to_owned();
    move |source| ExportError::File {
        path: path.clone(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use snowball_ledger::{Entry, Ledger};

    use super::*;

    #[test]
    fn an_export_takes_what_was_signed_is_reproducible_and_holds_no_private_key() {
        let home = tempfile::tempdir().unwrap();
        let key = SigningKey::generate().unwrap();
        let from = home.path().join("ledger");
        let mut ledger = Ledger::open(&from, "north", key.clone()).unwrap();
        let started = Entry::ProgramStarted {
            program_version: "1".to_owned(),
        };
        ledger.append(7, started).unwrap();
        let write = |name: &str| {
            let mut export = Export::begin(&home.path().join(name)).unwrap();
            let head = export.ledger(&from, &key.verifying_key()).unwrap();
            assert_eq!(head.entries, 2);
            assert!(matches!(
                export.add("key.pem", key.to_pem().as_bytes()),
                Err(ExportError::Secret(_))
            ));
            assert!(matches!(export.add("../key", b""), Err(ExportError::Name(_))));
            export.add("consortium.json", b"{}").unwrap();
            export.finish(Kind::Site, head, &key).unwrap()
        };
        // An archive is taken along, a write that is under way is not.
        ledger.rotate(8).unwrap();
        drop(ledger);
        let mut records = fs::OpenOptions::new()
            .append(true)
            .open(from.join(RECORDS_FILE))
            .unwrap();
        records.write_all(b"{\"half").unwrap();
        assert_eq!(write("one"), write("two"));
        assert!(matches!(
            Export::begin(&home.path().join("one")),
            Err(ExportError::NotEmpty(_))
        ));
    }
}
