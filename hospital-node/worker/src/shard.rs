//! A frozen dataset on disk: `dataset.json`, `records.jsonl`, `pixels.u16`.
//!
//! `pixels.u16` holds one square of `side` x `side` little-endian u16 a record, in the records' order, prepared by the plan's
//! preprocessing up to (not including) the last step to floats: 0 is black, 65535 is white. It is memory-mapped.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use memmap2::Mmap;
use serde::{Deserialize, Serialize};
use snowball_protocol::{
    Sha256Digest, digest::RunningDigest, labels::Labels, limits::INPUT_SIDE_MAX, plan::Preprocessing,
};

const DATASET: &str = "dataset.json";
const RECORDS: &str = "records.jsonl";
const PIXELS: &str = "pixels.u16";
const RECORD_BYTES_MAX: usize = 4096;

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

/// What a dataset is, in one small file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this format: 1.
    pub format: u16,
    /// Side of each square, in pixels.
    pub side: u32,
    /// How the squares were prepared.
    pub preprocessing: Preprocessing,
    /// Number of records.
    pub records: u64,
    /// SHA-256 of `records.jsonl`.
    pub records_digest: Sha256Digest,
    /// SHA-256 of `pixels.u16`.
    pub pixels_digest: Sha256Digest,
}

impl Manifest {
    /// The digest of the whole dataset: that of the manifest's canonical JSON, which holds the others.
    #[must_use]
    pub fn digest(&self) -> Sha256Digest {
        Sha256Digest::of(&snowball_protocol::plan::canonical_json(self))
    }
}

/// One radiograph of a dataset.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardRecord {
    /// Keyed pseudonym of the radiograph, hex.
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
    count: u64,
    records: BufWriter<File>,
    records_digest: RunningDigest,
    pixels: BufWriter<File>,
    pixels_digest: RunningDigest,
}

impl ShardWriter {
    /// Begins a dataset in folder `target`, which must not exist yet.
    ///
    /// # Errors
    /// When the folder beside it cannot be made.
    pub fn create(target: &Path, side: u32, preprocessing: Preprocessing) -> Result<Self, ShardError> {
        let partial = target.with_extension("partial");
        if partial.exists() {
            fs::remove_dir_all(&partial).map_err(at(&partial))?;
        }
        fs::create_dir_all(&partial).map_err(at(&partial))?;
        let open = |name: &str| {
            let path = partial.join(name);
            File::create(&path).map(BufWriter::new).map_err(at(&path))
        };
        Ok(Self {
            records: open(RECORDS)?,
            pixels: open(PIXELS)?,
            target: target.to_owned(),
            partial,
            side,
            preprocessing,
            count: 0,
            records_digest: RunningDigest::default(),
            pixels_digest: RunningDigest::default(),
        })
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
        let mut line = snowball_protocol::plan::canonical_json(record);
        line.push(b'\n');
        self.records_digest.update(&line);
        self.records.write_all(&line).map_err(at(&self.partial))?;
        let bytes: Vec<u8> = square.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.pixels_digest.update(&bytes);
        self.pixels.write_all(&bytes).map_err(at(&self.partial))?;
        self.count += 1;
        Ok(())
    }

    /// Makes the dataset durable under its name.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn finish(mut self) -> Result<Manifest, ShardError> {
        for file in [&mut self.records, &mut self.pixels] {
            file.flush()
                .and_then(|()| file.get_ref().sync_all())
                .map_err(at(&self.partial))?;
        }
        let manifest = Manifest {
            format: 1,
            side: self.side,
            preprocessing: self.preprocessing,
            records: self.count,
            records_digest: self.records_digest.finish(),
            pixels_digest: self.pixels_digest.finish(),
        };
        let path = self.partial.join(DATASET);
        let mut file = File::create(&path).map_err(at(&path))?;
        file.write_all(&snowball_protocol::plan::canonical_json(&manifest))
            .map_err(at(&path))?;
        file.sync_all().map_err(at(&path))?;
        if self.target.exists() {
            fs::remove_dir_all(&self.target).map_err(at(&self.target))?;
        }
        fs::rename(&self.partial, &self.target).map_err(at(&self.target))?;
        Ok(manifest)
    }
}

/// A frozen dataset, opened for reading.
pub struct Shard {
    manifest: Manifest,
    records: Vec<ShardRecord>,
    pixels: Option<Mmap>,
}

impl Shard {
    /// Opens the dataset in `folder` and checks sizes; [`verify`](Self::verify) checks every byte.
    ///
    /// # Errors
    /// When a file is missing, does not parse or has another size than the manifest says.
    pub fn open(folder: &Path) -> Result<Self, ShardError> {
        let manifest = read_manifest(folder)?;
        let records = read_records(&folder.join(RECORDS), manifest.records)?;
        let path = folder.join(PIXELS);
        let file = File::open(&path).map_err(at(&path))?;
        let length = file.metadata().map_err(at(&path))?.len();
        let expected = manifest.records * u64::from(manifest.side) * u64::from(manifest.side) * 2;
        if length != expected {
            return Err(ShardError::Damaged {
                path,
                fault: format!("{length} bytes where {expected} are due"),
            });
        }
        // SAFETY: a dataset is frozen: it is written under another name, renamed into place and never written again by this
        // program; a foreign process that truncates it can end the trainer by a signal, which the node survives.
        #[allow(unsafe_code)]
        let pixels = if length == 0 {
            None
        } else {
            Some(unsafe { Mmap::map(&file) }.map_err(at(&path))?)
        };
        Ok(Self {
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
    /// # Panics
    /// When there is no such record.
    #[must_use]
    pub fn square(&self, position: usize) -> Vec<u16> {
        assert!(position < self.records.len(), "a record of this dataset");
        let bytes = self.manifest.side as usize * self.manifest.side as usize * 2;
        let pixels = self.pixels.as_deref().unwrap_or_default();
        pixels[position * bytes..(position + 1) * bytes]
            .chunks_exact(2)
            .map(|word| u16::from_le_bytes([word[0], word[1]]))
            .collect()
    }

    /// Reads everything once and compares with the manifest's digests.
    ///
    /// # Errors
    /// When a byte differs.
    pub fn verify(&self, folder: &Path) -> Result<(), ShardError> {
        let path = folder.join(RECORDS);
        let records = fs::read(&path).map_err(at(&path))?;
        if Sha256Digest::of(&records) != self.manifest.records_digest {
            return Err(ShardError::Damaged {
                path,
                fault: "its digest is not the manifest's".to_owned(),
            });
        }
        if Sha256Digest::of(self.pixels.as_deref().unwrap_or_default()) != self.manifest.pixels_digest {
            return Err(ShardError::Damaged {
                path: folder.join(PIXELS),
                fault: "its digest is not the manifest's".to_owned(),
            });
        }
        Ok(())
    }
}

fn read_manifest(folder: &Path) -> Result<Manifest, ShardError> {
    let path = folder.join(DATASET);
    let bytes = fs::read(&path).map_err(at(&path))?;
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|fault| ShardError::Damaged {
        path: path.clone(),
        fault: fault.to_string(),
    })?;
    if manifest.format != 1 || manifest.side == 0 || manifest.side > INPUT_SIDE_MAX {
        return Err(ShardError::Damaged {
            path,
            fault: "an unknown format or an absurd side".to_owned(),
        });
    }
    Ok(manifest)
}

fn read_records(path: &Path, count: u64) -> Result<Vec<ShardRecord>, ShardError> {
    let damaged = |fault: String| ShardError::Damaged {
        path: path.to_owned(),
        fault,
    };
    let mut reader = BufReader::new(File::open(path).map_err(at(path))?);
    let mut records = Vec::new();
    let mut line = String::new();
    while reader.read_line(&mut line).map_err(at(path))? > 0 {
        if line.len() > RECORD_BYTES_MAX || records.len() as u64 >= count {
            return Err(damaged("more than the manifest says".to_owned()));
        }
        records
            .push(serde_json::from_str(&line).map_err(|fault| damaged(format!("record {}: {fault}", records.len())))?);
        line.clear();
    }
    if records.len() as u64 != count {
        return Err(damaged(format!("{} records where {count} are due", records.len())));
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

    fn write(folder: &Path) -> Manifest {
        let mut writer = ShardWriter::create(folder, 2, Preprocessing::LetterboxV1).unwrap();
        writer.add(&record("a", Part::Training), &[1, 2, 3, 4]).unwrap();
        writer.add(&record("b", Part::Testing), &[5, 6, 7, 65535]).unwrap();
        writer.finish().unwrap()
    }

    #[test]
    fn what_was_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set");
        let manifest = write(&path);
        let shard = Shard::open(&path).unwrap();
        assert_eq!(shard.manifest().digest(), manifest.digest());
        assert_eq!(shard.square(1), [5, 6, 7, 65535]);
        assert_eq!(shard.part(Part::Testing), [1]);
        shard.verify(&path).unwrap();
    }

    #[test]
    fn damage_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set");
        write(&path);
        let pixels = path.join(PIXELS);
        let mut bytes = fs::read(&pixels).unwrap();
        bytes[0] ^= 1;
        fs::write(&pixels, &bytes).unwrap();
        assert!(Shard::open(&path).unwrap().verify(&path).is_err());
        fs::write(&pixels, &bytes[1..]).unwrap();
        assert!(matches!(Shard::open(&path), Err(ShardError::Damaged { .. })));
    }
}
