//! An evidence folder as an auditor opens it: nothing in it is believed before the manifest answers for it.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;
use snowball_ledger::AGGREGATOR;
use snowball_protocol::{Sha256Digest, digest::RunningDigest};

use crate::{
    finding::Code,
    manifest::{Kind, ListedFile, MANIFEST_BYTES_MAX, MANIFEST_FILE, Manifest, SIGNATURE_BYTES_MAX, SIGNATURE_FILE},
    outcome::{Area, Audit},
    table::{self, LineFault},
};

/// Files that are read whole are no larger: a lineage of 100,000 rounds is the largest.
pub(crate) const FILE_BYTES_MAX: usize = 256 << 20;
const BLOCK_BYTES: usize = 1 << 16;
const DEPTH_MAX: u32 = 8;

/// A folder with a manifest that reads.
pub(crate) struct Folder {
    root: PathBuf,
    pub manifest: Manifest,
    files: BTreeMap<String, ListedFile>,
}

impl Folder {
    /// Opens a folder and holds every file against the manifest. `None` where there is no manifest to hold it against.
    pub(crate) fn open(root: &Path, audit: &mut Audit) -> Option<Self> {
        let place = root.display().to_string();
        let read = |name: &str, bytes_max: usize| read_bounded(&root.join(name), bytes_max);
        let (document, signature) = match (
            read(MANIFEST_FILE, MANIFEST_BYTES_MAX),
            read(SIGNATURE_FILE, SIGNATURE_BYTES_MAX),
        ) {
            (Ok(document), Ok(signature)) => (document, signature),
            (Err(fault), _) | (_, Err(fault)) => {
                audit.looked(Area::Folders);
                audit.find(Area::Folders, Code::ManifestMissing, place, fault.to_string());
                return None;
            }
        };
        let manifest = match Manifest::parse(&document) {
            Ok(manifest) => manifest,
            Err(reason) => {
                audit.looked(Area::Folders);
                audit.find(Area::Folders, Code::ManifestMalformed, place, reason);
                return None;
            }
        };
        let is_signed = manifest.is_signed(&document, &String::from_utf8_lossy(&signature));
        audit.expect(is_signed, Area::Folders, Code::ManifestSignature, &place, || {
            format!(
                "{SIGNATURE_FILE} is not the signature of the key {} over {MANIFEST_FILE}",
                manifest.key
            )
        });
        let files = manifest.files.iter().map(|file| (file.path.clone(), file.clone()));
        let folder = Self {
            root: root.to_owned(),
            files: files.collect(),
            manifest,
        };
        folder.check_files(audit);
        Some(folder)
    }

    /// Whose, for people.
    pub(crate) fn owner(&self) -> &str {
        match self.manifest.kind {
            Kind::Aggregator => AGGREGATOR,
            Kind::Site => &self.manifest.owner,
        }
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Whether the owner listed a file of this name.
    pub(crate) fn lists(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// A listed file, whole.
    pub(crate) fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.files.get(path)?;
        read_bounded(&self.path(path), FILE_BYTES_MAX).ok()
    }

    /// The documents of a listed table; none where it is not listed.
    pub(crate) fn table<T: DeserializeOwned + 'static>(
        &self,
        path: &str,
    ) -> Box<dyn Iterator<Item = Result<T, LineFault>>> {
        if !self.lists(path) {
            return Box::new(std::iter::empty());
        }
        match File::open(self.path(path)) {
            Ok(file) => Box::new(table::documents(file)),
            Err(_) => Box::new(std::iter::once(Err(LineFault::Unreadable))),
        }
    }

    fn check_files(&self, audit: &mut Audit) {
        for file in self.files.values() {
            let place = format!("{}, {}", self.owner(), file.path);
            audit.looked(Area::Folders);
            match digest(&self.path(&file.path)) {
                Ok((bytes, digest)) if bytes == file.bytes && digest == file.digest => {}
                Ok((bytes, digest)) => {
                    let detail = format!(
                        "it has {bytes} bytes and {digest}; listed are {} bytes and {}",
                        file.bytes, file.digest
                    );
                    audit.find(Area::Folders, Code::FileAltered, place, detail);
                }
                Err(fault) => audit.find(Area::Folders, Code::FileMissing, place, fault.to_string()),
            }
        }
        let mut found = Vec::new();
        self.list(&self.root, "", 0, &mut found);
        for path in found {
            let place = format!("{}, {path}", self.owner());
            audit.looked(Area::Folders);
            audit.find(
                Area::Folders,
                Code::FileExtra,
                place,
                "no line of the manifest names it",
            );
        }
    }

    /// What lies in the folder and is not listed. Links count as not listed, wherever they lead.
    fn list(&self, folder: &Path, prefix: &str, depth: u32, found: &mut Vec<String>) {
        let mut entries: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type();
            let is_known = prefix.is_empty() && [MANIFEST_FILE, SIGNATURE_FILE].contains(&path.as_str());
            match kind {
                Ok(kind) if kind.is_dir() && depth < DEPTH_MAX => {
                    self.list(&entry.path(), &format!("{path}/"), depth + 1, found);
                }
                Ok(kind) if kind.is_file() && (is_known || self.lists(&path)) => {}
                _ => found.push(path),
            }
        }
    }
}

fn digest(path: &Path) -> io::Result<(u64, Sha256Digest)> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(io::Error::other("it is no plain file"));
    }
    let mut file = File::open(path)?;
    let (mut block, mut bytes, mut digest) = (vec![0; BLOCK_BYTES], 0, RunningDigest::default());
    loop {
        match file.read(&mut block)? {
            0 => return Ok((bytes, digest.finish())),
            count => {
                digest.update(&block[..count]);
                bytes += count as u64;
            }
        }
    }
}

fn read_bounded(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let named = |fault: io::Error| io::Error::new(fault.kind(), format!("{}: {fault}", path.display()));
    File::open(path)
        .and_then(|file| file.take(bytes_max as u64 + 1).read_to_end(&mut content))
        .map_err(named)?;
    if content.len() > bytes_max {
        return Err(named(io::Error::other("it is too large")));
    }
    Ok(content)
}
