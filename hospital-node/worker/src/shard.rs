//! A frozen dataset on disk: `dataset.json`, `records.sealed`, `pixels.sealed`, `key.sealed`, and where masks are learned `masks.sealed`.
//!
//! Before it is sealed, `pixels.sealed` is one square of `side` x `side` little-endian u16 a record, in the records' order, prepared by the
//! plan's preprocessing up to (not including) the last step to floats: 0 is black, 65535 is white. Each square is sealed apart, tied to its
//! place, and opened when it is asked for; the file is memory-mapped. `records.sealed` is one piece, tied to the manifest. `masks.sealed`
//! is one square of bytes a record, sealed as the pixels are. `key.sealed` holds the dataset's key, wrapped by whoever froze it. In the
//! clear stand the manifest: how many records, how large, and the digests of what is sealed, so that the same content has the same digest.

mod read;
mod write;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use snowball_crypto::{CryptoError, SEAL_BYTES};
use snowball_protocol::{Sha256Digest, labels::Labels, plan::Preprocessing};

pub use read::{Shard, manifest, wrapped_key};
pub use write::ShardWriter;

const DATASET: &str = "dataset.json";
const RECORDS: &str = "records.sealed";
const PIXELS: &str = "pixels.sealed";
const MASKS: &str = "masks.sealed";
const KEY: &str = "key.sealed";
const FORMAT: u16 = 2;

/// Which part of a dataset a patient belongs to; decided once, by the pseudonym.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Weights are fitted to these.
    Training,
    /// Rounds are judged by these.
    Validation,
    /// Looked at once, at the end.
    Testing,
}

impl Part {
    /// As tables, files and commands call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::Validation => "validation",
            Self::Testing => "testing",
        }
    }
}

/// What a dataset is, in one small file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this format: 2.
    pub format: u16,
    /// Side of each square, in pixels.
    pub side: u32,
    /// How the squares were prepared.
    pub preprocessing: Preprocessing,
    /// Number of records.
    pub records: u64,
    /// SHA-256 of the records as lines of JSON, before sealing.
    pub records_digest: Sha256Digest,
    /// SHA-256 of the masks, before sealing, where the dataset has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masks_digest: Option<Sha256Digest>,
    /// SHA-256 of the squares, before sealing.
    pub pixels_digest: Sha256Digest,
}

impl Manifest {
    /// The digest of the whole dataset: that of the manifest's canonical JSON, which holds the others.
    #[must_use]
    pub fn digest(&self) -> Sha256Digest {
        Sha256Digest::of(&snowball_protocol::plan::canonical_json(self))
    }
}

/// One square of a dataset: a radiograph, or a patch of one.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardRecord {
    /// Keyed pseudonym of the radiograph, hex; the same in all squares that were cut from it.
    pub radiograph: String,
    /// Keyed pseudonym of the patient, hex.
    pub patient: String,
    /// Which part.
    pub part: Part,
    /// What is known of it.
    pub labels: Labels,
}

/// Why a dataset could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    /// The system failed on a file of the dataset.
    #[error("cannot use {path}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Something could not be sealed.
    #[error("cannot seal a dataset")]
    Seal(#[from] CryptoError),
    /// Content that is not what the manifest says.
    #[error("{path} is damaged: {fault}; freeze the dataset again")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        fault: String,
    },
}

/// What a sealed square is tied to: its place. That it is of this dataset follows from the key.
fn square_place(position: u64) -> Vec<u8> {
    [b"square 1".as_slice(), &position.to_le_bytes()].concat()
}

fn mask_place(position: u64) -> Vec<u8> {
    [b"mask 1".as_slice(), &position.to_le_bytes()].concat()
}

fn records_place(manifest: &Manifest) -> Vec<u8> {
    [b"records 1".as_slice(), manifest.digest().as_bytes()].concat()
}

fn sealed_square_bytes(manifest: &Manifest) -> usize {
    manifest.side as usize * manifest.side as usize * 2 + SEAL_BYTES
}

fn sealed_mask_bytes(manifest: &Manifest) -> usize {
    manifest.side as usize * manifest.side as usize + SEAL_BYTES
}

fn damaged(path: &Path, fault: &str) -> ShardError {
    ShardError::Damaged {
        path: path.to_owned(),
        fault: fault.to_owned(),
    }
}

fn at(path: &Path) -> impl Fn(std::io::Error) -> ShardError {
    let path = path.to_owned();
    move |source| ShardError::Io {
        path: path.clone(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::key::{DatasetKey, DatasetSource};

    fn record(name: &str, part: Part) -> ShardRecord {
        ShardRecord {
            radiograph: name.to_owned(),
            patient: name.to_owned(),
            part,
            labels: Labels::default(),
        }
    }

    fn write(folder: &Path) -> (Manifest, DatasetSource) {
        let source = DatasetSource {
            folder: folder.to_owned(),
            key: DatasetKey::generate().unwrap(),
        };
        let mut writer = ShardWriter::create(folder, 2, Preprocessing::LetterboxV1, &source.key, b"wrapped").unwrap();
        writer.add(&record("a", Part::Training), &[1, 2, 3, 4]).unwrap();
        writer.add(&record("b", Part::Testing), &[5, 6, 7, 65535]).unwrap();
        (writer.finish().unwrap(), source)
    }

    #[test]
    fn what_was_written_is_read_and_the_same_content_has_the_same_digest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set");
        let (manifest, source) = write(&path);
        let shard = Shard::open(&source).unwrap();
        assert_eq!(shard.manifest().digest(), manifest.digest());
        assert_eq!(shard.square(1).unwrap(), [5, 6, 7, 65535]);
        assert_eq!(shard.part(Part::Testing), [1]);
        shard.verify().unwrap();
        assert_eq!(wrapped_key(&path).unwrap(), b"wrapped");
        let (again, _) = write(&folder.path().join("again"));
        assert_eq!(again, manifest);
    }

    #[test]
    fn masks_are_read_where_there_are_any_and_damage_of_them_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let source = DatasetSource {
            folder: folder.path().join("masked"),
            key: DatasetKey::generate().unwrap(),
        };
        let write = || {
            let mut writer =
                ShardWriter::create(&source.folder, 2, Preprocessing::LetterboxV1, &source.key, b"wrapped").unwrap();
            writer.with_masks().unwrap();
            for mask in [[0, 1, 2, 0], [3, 0, 0, 0]] {
                writer.add(&record("a", Part::Training), &[1, 2, 3, 4]).unwrap();
                writer.add_mask(&mask).unwrap();
            }
            writer.finish().unwrap()
        };
        let manifest = write();
        let shard = Shard::open(&source).unwrap();
        assert_eq!(shard.mask(0).unwrap(), Some(vec![0, 1, 2, 0]));
        assert_eq!(shard.mask(1).unwrap(), Some(vec![3, 0, 0, 0]));
        shard.verify().unwrap();
        let (plain, other) = super::tests::write(&folder.path().join("plain"));
        assert_eq!(Shard::open(&other).unwrap().mask(0).unwrap(), None);
        assert!(manifest.masks_digest.is_some() && plain.masks_digest.is_none());
        let path = source.folder.join(MASKS);
        let mut bytes = fs::read(&path).unwrap();
        bytes[3] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let shard = Shard::open(&source).unwrap();
        assert!(shard.mask(0).is_err() && shard.mask(1).is_ok() && shard.verify().is_err());
        fs::write(&path, &bytes[1..]).unwrap();
        assert!(Shard::open(&source).is_err());
    }

    #[test]
    fn neither_squares_nor_records_lie_in_the_clear() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set");
        let (_, source) = write(&path);
        for file in fs::read_dir(&path).unwrap() {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            for hidden in [b"training".as_slice(), &[1, 0, 2, 0, 3, 0, 4, 0], source.key.as_bytes()] {
                assert!(!bytes.windows(hidden.len()).any(|window| window == hidden));
            }
        }
    }

    #[test]
    fn damage_another_key_and_squares_that_changed_places_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set");
        let (_, source) = write(&path);
        let other = DatasetSource {
            key: DatasetKey::generate().unwrap(),
            ..source.clone()
        };
        assert!(matches!(Shard::open(&other), Err(ShardError::Damaged { .. })));
        let pixels = path.join(PIXELS);
        let sound = fs::read(&pixels).unwrap();
        let swapped = [&sound[sound.len() / 2..], &sound[..sound.len() / 2]].concat();
        fs::write(&pixels, &swapped).unwrap();
        assert!(Shard::open(&source).unwrap().square(0).is_err());
        let mut changed = sound.clone();
        changed[20] ^= 1;
        fs::write(&pixels, &changed).unwrap();
        let shard = Shard::open(&source).unwrap();
        assert!(shard.verify().is_err() && shard.square(0).is_err() && shard.square(1).is_ok());
        fs::write(&pixels, &sound[1..]).unwrap();
        assert!(matches!(Shard::open(&source), Err(ShardError::Damaged { .. })));
        fs::write(&pixels, &sound).unwrap();
        let manifest = fs::read_to_string(path.join(DATASET)).unwrap();
        let altered = manifest
            .replacen("letterbox_v1", "letterbox_v1 ", 1)
            .replacen("\"side\":2", "\"side\":1", 1);
        fs::write(path.join(DATASET), altered).unwrap();
        assert!(Shard::open(&source).is_err(), "the records are tied to the manifest");
    }
}
