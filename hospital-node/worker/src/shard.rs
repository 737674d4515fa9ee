//! A frozen dataset on disk: `dataset.json`, `records.sealed`, `pixels.sealed`, `key.sealed`, and where masks are learned `masks.sealed`.
//!
//! Before it is sealed, `pixels.sealed` is one square of `side` x `side` little-endian u16 a record, in the records' order, prepared by the
//! plan's preprocessing up to (not including) the last step to floats: 0 is black, 65535 is white. Each square is sealed apart, tied to its
//! place, and opened when it is asked for; the file is memory-mapped. `records.sealed` is one piece, tied to the manifest. `masks.sealed`
//! is one square of bytes a record, sealed as the pixels are. `key.sealed` holds the dataset's key, wrapped by whoever froze it. In the
//! clear stand the manifest: how many records, how large, and the digests of what is sealed, so that the same content has the same digest.

use std::{
    fs::{self, File},
    io::{BufWriter, Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use memmap2::Mmap;
use serde::{Deserialize, Serialize};
use snowball_crypto::{CryptoError, SEAL_BYTES, SealingKey};
use snowball_protocol::{
    Sha256Digest, digest::RunningDigest, labels::Labels, limits::INPUT_SIDE_MAX, plan::Preprocessing,
};

use crate::key::{DatasetKey, DatasetSource};

const DATASET: &str = "dataset.json";
const RECORDS: &str = "records.sealed";
const PIXELS: &str = "pixels.sealed";
const MASKS: &str = "masks.sealed";
const KEY: &str = "key.sealed";
const KEY_BYTES_MAX: u64 = 256;
const FORMAT: u16 = 2;
const RECORD_BYTES_MAX: usize = 4096;
const MANIFEST_BYTES_MAX: u64 = 64 * 1024;

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

/// Writes a dataset record by record; nothing is visible under the final name until [`finish`](Self::finish).
pub struct ShardWriter {
    target: PathBuf,
    partial: PathBuf,
    side: u32,
    preprocessing: Preprocessing,
    key: SealingKey,
    count: u64,
    records: Vec<u8>,
    pixels: BufWriter<File>,
    pixels_digest: RunningDigest,
    masks: Option<MaskWriter>,
}

struct MaskWriter {
    file: BufWriter<File>,
    digest: RunningDigest,
    count: u64,
}

impl ShardWriter {
    /// Begins a dataset in folder `target`, sealed under `key`; `wrapped` is that key as only its owner can open it. A key
    /// serves one dataset and no other.
    ///
    /// # Errors
    /// When the folder beside it cannot be made.
    pub fn create(
        target: &Path,
        side: u32,
        preprocessing: Preprocessing,
        key: &DatasetKey,
        wrapped: &[u8],
    ) -> Result<Self, ShardError> {
        let partial = target.with_extension("partial");
        if partial.exists() {
            fs::remove_dir_all(&partial).map_err(at(&partial))?;
        }
        fs::create_dir_all(&partial).map_err(at(&partial))?;
        fs::set_permissions(&partial, fs::Permissions::from_mode(0o700)).map_err(at(&partial))?;
        write(&partial.join(KEY), wrapped)?;
        let path = partial.join(PIXELS);
        Ok(Self {
            pixels: File::create(&path).map(BufWriter::new).map_err(at(&path))?,
            records: Vec::new(),
            key: key.sealing(),
            target: target.to_owned(),
            partial,
            side,
            preprocessing,
            count: 0,
            pixels_digest: RunningDigest::default(),
            masks: None,
        })
    }

    /// Lets every record have a mask: [`add_mask`](Self::add_mask) follows each [`add`](Self::add).
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn with_masks(&mut self) -> Result<(), ShardError> {
        let path = self.partial.join(MASKS);
        self.masks = Some(MaskWriter {
            file: File::create(&path).map(BufWriter::new).map_err(at(&path))?,
            digest: RunningDigest::default(),
            count: 0,
        });
        Ok(())
    }

    /// Adds the mask of the last radiograph: `side * side` values, row by row.
    ///
    /// # Errors
    /// When the disk refuses.
    ///
    /// # Panics
    /// When `mask` has another size, or the dataset is one without masks.
    pub fn add_mask(&mut self, mask: &[u8]) -> Result<(), ShardError> {
        assert_eq!(
            mask.len(),
            self.side as usize * self.side as usize,
            "a square of the dataset's side"
        );
        let masks = self.masks.as_mut().expect("a dataset with masks: its writer said so");
        masks.digest.update(mask);
        let sealed = self.key.seal(&mask_place(masks.count), mask)?;
        masks.file.write_all(&sealed).map_err(at(&self.partial))?;
        masks.count += 1;
        Ok(())
    }

    /// Adds one radiograph: `square` is `side * side` values, row by row.
    ///
    /// # Errors
    /// When the disk refuses.
    ///
    /// # Panics
    /// When `square` has another size.
    pub fn add(&mut self, record: &ShardRecord, square: &[u16]) -> Result<(), ShardError> {
        assert_eq!(
            square.len(),
            self.side as usize * self.side as usize,
            "a square of the dataset's side"
        );
        self.records
            .extend_from_slice(&snowball_protocol::plan::canonical_json(record));
        self.records.push(b'\n');
        let bytes: Vec<u8> = square.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.pixels_digest.update(&bytes);
        let sealed = self.key.seal(&square_place(self.count), &bytes)?;
        self.pixels.write_all(&sealed).map_err(at(&self.partial))?;
        self.count += 1;
        Ok(())
    }

    /// Makes the dataset durable under its name.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn finish(mut self) -> Result<Manifest, ShardError> {
        self.pixels
            .flush()
            .and_then(|()| self.pixels.get_ref().sync_all())
            .map_err(at(&self.partial))?;
        let masks_digest = match self.masks.take() {
            Some(mut masks) => {
                assert_eq!(masks.count, self.count, "a mask a record");
                let file = &mut masks.file;
                file.flush()
                    .and_then(|()| file.get_ref().sync_all())
                    .map_err(at(&self.partial))?;
                Some(masks.digest.finish())
            }
            None => None,
        };
        let manifest = Manifest {
            format: FORMAT,
            side: self.side,
            preprocessing: self.preprocessing,
            records: self.count,
            records_digest: Sha256Digest::of(&self.records),
            pixels_digest: self.pixels_digest.finish(),
            masks_digest,
        };
        let sealed = self.key.seal(&records_place(&manifest), &self.records)?;
        write(&self.partial.join(RECORDS), &sealed)?;
        let json = snowball_protocol::plan::canonical_json(&manifest);
        write(&self.partial.join(DATASET), &json)?;
        if self.target.exists() {
            fs::remove_dir_all(&self.target).map_err(at(&self.target))?;
        }
        fs::rename(&self.partial, &self.target).map_err(at(&self.target))?;
        Ok(manifest)
    }
}

/// A frozen dataset, opened for reading.
pub struct Shard {
    folder: PathBuf,
    key: SealingKey,
    manifest: Manifest,
    records: Vec<ShardRecord>,
    pixels: Option<Mmap>,
    masks: Option<Mmap>,
}

impl Shard {
    /// Opens the dataset of `source`: its records, and the sizes of the rest; [`square`](Self::square) checks each square.
    ///
    /// # Errors
    /// When a file is missing, does not open with the key, does not parse or has another size than the manifest says.
    pub fn open(source: &DatasetSource) -> Result<Self, ShardError> {
        let (folder, key) = (&source.folder, source.key.sealing());
        let manifest = read_manifest(folder)?;
        let records = read_records(&folder.join(RECORDS), &key, &manifest)?;
        let pixels = mapped(folder.join(PIXELS), &manifest, sealed_square_bytes(&manifest))?;
        let masks = match manifest.masks_digest {
            Some(_) => mapped(folder.join(MASKS), &manifest, sealed_mask_bytes(&manifest))?,
            None => None,
        };
        Ok(Self {
            masks,
            folder: folder.clone(),
            key,
            manifest,
            records,
            pixels,
        })
    }

    /// What the dataset says of itself.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// All records, in order.
    #[must_use]
    pub fn records(&self) -> &[ShardRecord] {
        &self.records
    }

    /// Positions of the records of one part.
    #[must_use]
    pub fn part(&self, part: Part) -> Vec<usize> {
        (0..self.records.len())
            .filter(|position| self.records[*position].part == part)
            .collect()
    }

    /// The square of the record at `position`: `side * side` values, row by row.
    ///
    /// # Errors
    /// When the square is not the one that was written there.
    ///
    /// # Panics
    /// When there is no such record.
    pub fn square(&self, position: usize) -> Result<Vec<u16>, ShardError> {
        let bytes = self.opened(position)?;
        Ok(bytes
            .chunks_exact(2)
            .map(|word| u16::from_le_bytes([word[0], word[1]]))
            .collect())
    }

    /// The mask of the record at `position`: `side * side` values, row by row; `None` where the dataset has no masks.
    ///
    /// # Errors
    /// When the mask is not the one that was written there.
    ///
    /// # Panics
    /// When there is no such record.
    pub fn mask(&self, position: usize) -> Result<Option<Vec<u8>>, ShardError> {
        assert!(position < self.records.len(), "a record of this dataset");
        let Some(masks) = self.masks.as_deref() else {
            return Ok(None);
        };
        let bytes = sealed_mask_bytes(&self.manifest);
        let sealed = masks[position * bytes..(position + 1) * bytes].to_vec();
        let mask = self
            .key
            .open(&mask_place(position as u64), sealed)
            .map_err(|fault| damaged(&self.folder.join(MASKS), &format!("mask {position}: {fault}")))?;
        Ok(Some(mask))
    }

    /// Opens every square and mask once and compares with the manifest's digests; the records were compared when they were opened.
    ///
    /// # Errors
    /// When a byte differs.
    pub fn verify(&self) -> Result<(), ShardError> {
        let mut digest = RunningDigest::default();
        for position in 0..self.records.len() {
            digest.update(&self.opened(position)?);
        }
        if digest.finish() != self.manifest.pixels_digest {
            return Err(damaged(&self.folder.join(PIXELS), "its digest is not the manifest's"));
        }
        let Some(expected) = self.manifest.masks_digest else {
            return Ok(());
        };
        let mut digest = RunningDigest::default();
        for position in 0..self.records.len() {
            self.mask(position)?.iter().for_each(|mask| digest.update(mask));
        }
        if digest.finish() == expected {
            Ok(())
        } else {
            Err(damaged(&self.folder.join(MASKS), "its digest is not the manifest's"))
        }
    }

    fn opened(&self, position: usize) -> Result<Vec<u8>, ShardError> {
        assert!(position < self.records.len(), "a record of this dataset");
        let bytes = sealed_square_bytes(&self.manifest);
        let pixels = self.pixels.as_deref().unwrap_or_default();
        let sealed = pixels[position * bytes..(position + 1) * bytes].to_vec();
        self.key
            .open(&square_place(position as u64), sealed)
            .map_err(|fault| damaged(&self.folder.join(PIXELS), &format!("square {position}: {fault}")))
    }
}

/// The manifest of the dataset in `folder`, which anybody may read.
///
/// # Errors
/// When it is missing or does not parse.
pub fn manifest(folder: &Path) -> Result<Manifest, ShardError> {
    read_manifest(folder)
}

/// The wrapped key of the dataset in `folder`, for whoever can open it.
///
/// # Errors
/// When it is missing or larger than any key.
pub fn wrapped_key(folder: &Path) -> Result<Vec<u8>, ShardError> {
    read_bounded(&folder.join(KEY), KEY_BYTES_MAX)
}

/// Maps a file of one piece of `bytes` a record.
fn mapped(path: PathBuf, manifest: &Manifest, bytes: usize) -> Result<Option<Mmap>, ShardError> {
    let file = File::open(&path).map_err(at(&path))?;
    let length = file.metadata().map_err(at(&path))?.len();
    let expected = manifest.records.saturating_mul(bytes as u64);
    if length != expected {
        return Err(ShardError::Damaged {
            path,
            fault: format!("{length} bytes where {expected} are due"),
        });
    }
    if length == 0 {
        return Ok(None);
    }
    // SAFETY: a dataset is frozen: it is written under another name, renamed into place and never written again by this
    // program; a foreign process that truncates it can end the trainer by a signal, which the node survives.
    #[allow(unsafe_code)]
    let mapped = unsafe { Mmap::map(&file) }.map_err(at(&path))?;
    Ok(Some(mapped))
}

fn mask_place(position: u64) -> Vec<u8> {
    [b"mask 1".as_slice(), &position.to_le_bytes()].concat()
}

fn sealed_mask_bytes(manifest: &Manifest) -> usize {
    manifest.side as usize * manifest.side as usize + SEAL_BYTES
}

/// What a sealed square is tied to: its place. That it is of this dataset follows from the key.
fn square_place(position: u64) -> Vec<u8> {
    [b"square 1".as_slice(), &position.to_le_bytes()].concat()
}

fn records_place(manifest: &Manifest) -> Vec<u8> {
    [b"records 1".as_slice(), manifest.digest().as_bytes()].concat()
}

fn sealed_square_bytes(manifest: &Manifest) -> usize {
    manifest.side as usize * manifest.side as usize * 2 + SEAL_BYTES
}

fn damaged(path: &Path, fault: &str) -> ShardError {
    ShardError::Damaged {
        path: path.to_owned(),
        fault: fault.to_owned(),
    }
}

fn write(path: &Path, content: &[u8]) -> Result<(), ShardError> {
    let mut file = File::create(path).map_err(at(path))?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(at(path))
}

fn read_bounded(path: &Path, bytes_max: u64) -> Result<Vec<u8>, ShardError> {
    let mut content = Vec::new();
    let file = File::open(path).map_err(at(path))?;
    file.take(bytes_max + 1).read_to_end(&mut content).map_err(at(path))?;
    if content.len() as u64 > bytes_max {
        return Err(damaged(path, "larger than it can be"));
    }
    Ok(content)
}

fn read_manifest(folder: &Path) -> Result<Manifest, ShardError> {
    let path = folder.join(DATASET);
    let bytes = read_bounded(&path, MANIFEST_BYTES_MAX)?;
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|fault| ShardError::Damaged {
        path: path.clone(),
        fault: fault.to_string(),
    })?;
    if manifest.format != FORMAT || manifest.side == 0 || manifest.side > INPUT_SIDE_MAX {
        return Err(ShardError::Damaged {
            path,
            fault: "an unknown format or an absurd side".to_owned(),
        });
    }
    Ok(manifest)
}

fn read_records(path: &Path, key: &SealingKey, manifest: &Manifest) -> Result<Vec<ShardRecord>, ShardError> {
    let bytes_max = manifest.records.saturating_mul(RECORD_BYTES_MAX as u64);
    let sealed = read_bounded(path, bytes_max.saturating_add(SEAL_BYTES as u64))?;
    let lines = key
        .open(&records_place(manifest), sealed)
        .map_err(|fault| damaged(path, &fault.to_string()))?;
    if Sha256Digest::of(&lines) != manifest.records_digest {
        return Err(damaged(path, "its digest is not the manifest's"));
    }
    let records = lines
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(serde_json::from_slice)
        .collect::<Result<Vec<ShardRecord>, _>>()
        // Not serde's own words: they may quote a record.
        .map_err(|_| damaged(path, "a record does not parse"))?;
    if records.len() as u64 != manifest.records {
        let fault = format!("{} records where {} are due", records.len(), manifest.records);
        return Err(damaged(path, &fault));
    }
    Ok(records)
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
    use super::*;

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
