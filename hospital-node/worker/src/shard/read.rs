//! Reads a dataset: its manifest and records whole, its squares and masks one at a time, each checked when it is opened.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use memmap2::Mmap;
use snowball_crypto::{SEAL_BYTES, SealingKey};
use snowball_protocol::{Sha256Digest, digest::RunningDigest, limits::INPUT_SIDE_MAX};

use super::{
    DATASET, FORMAT, KEY, MASKS, Manifest, PIXELS, Part, RECORDS, ShardError, ShardRecord, at, damaged, mask_place,
    records_place, sealed_mask_bytes, sealed_square_bytes, square_place,
};
use crate::key::DatasetSource;

const KEY_BYTES_MAX: u64 = 256;
const RECORD_BYTES_MAX: usize = 4096;
const MANIFEST_BYTES_MAX: u64 = 64 * 1024;

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

fn read_bounded(path: &Path, bytes_max: u64) -> Result<Vec<u8>, ShardError> {
    let mut content = Vec::new();
    let file = File::open(path).map_err(at(path))?;
    file.take(bytes_max + 1).read_to_end(&mut content).map_err(at(path))?;
    if content.len() as u64 > bytes_max {
        return Err(damaged(path, "larger than it can be"));
    }
    Ok(content)
}
