//! Writes a dataset, record by record and sealed, under another name until it is whole.

use std::{
    fs::{self, File},
    io::{BufWriter, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use snowball_crypto::SealingKey;
use snowball_protocol::{Sha256Digest, digest::RunningDigest, plan::Preprocessing};

use super::{
    DATASET, FORMAT, KEY, MASKS, Manifest, PIXELS, RECORDS, ShardError, ShardRecord, at, mask_place, records_place,
    square_place,
};
use crate::key::DatasetKey;

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

fn write(path: &Path, content: &[u8]) -> Result<(), ShardError> {
    let mut file = File::create(path).map_err(at(path))?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(at(path))
}
