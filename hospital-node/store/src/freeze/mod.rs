//! From the store to a dataset that the trainer reads: same content, same bytes, same digest.

mod classes;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs::File,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use rayon::prelude::*;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use snowball_imaging::{PATCHES_MAX, letterbox, letterbox_mask, patches};
use snowball_protocol::{
    Sha256Digest,
    digest::RunningDigest,
    labels::LabelName,
    limits::INPUT_SIDE_MAX,
    plan::{Head, HeadKind, Preprocessing, canonical_json},
    site_label::SiteLabelName,
};
use snowball_worker::{
    key::{DatasetKey, DatasetSource},
    shard::{self, Part, Shard, ShardRecord, ShardWriter},
};
use zeroize::Zeroizing;

use crate::{Cell, FREEZING, Store, StoreError, Table, fact::Fact};

/// Prepared squares held in memory at once, in bytes.
const SQUARES_BYTES_MAX: usize = 64 << 20;
/// What a wrapped key is tied to.
const KEY_PLACE: &[u8] = b"dataset key 1";

/// Which dataset is wanted.
#[derive(Clone, Debug)]
pub struct FreezeRequest<'a> {
    /// The folder that the dataset becomes; a dataset that lies there already is reused or replaced.
    pub folder: PathBuf,
    /// Side of the squares, in pixels; at most the store's `master_side_max`.
    pub side: u32,
    /// How a radiograph becomes a square.
    pub preprocessing: Preprocessing,
    /// What a network is to learn: a radiograph belongs to the dataset where at least one head can use it; no head: every
    /// radiograph does.
    pub heads: &'a [Head],
    /// A class with fewer radiographs in the training part is left out: its radiographs stay, without that label.
    pub cell_min: u64,
}

/// How much is in one part of a dataset.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PartCount {
    /// Radiographs, also where each became several squares.
    pub radiographs: u64,
    /// Patients behind them.
    pub patients: u64,
}

/// A dataset on disk, ready for the trainer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Frozen {
    /// Where it lies.
    pub folder: PathBuf,
    /// The digest of its manifest, which stands for every byte of it.
    pub digest: Sha256Digest,
    /// Whether it lay there already.
    pub reused: bool,
    /// What weights are fitted to.
    pub training: PartCount,
    /// What rounds are judged by.
    pub validation: PartCount,
    /// What is looked at once, at the end.
    pub testing: PartCount,
    /// For each label asked for, its classes (ages: decades) in the training part, exact; unknown ones are not a class.
    pub cells: BTreeMap<LabelName, Table>,
}

impl Frozen {
    /// Patients in all parts.
    #[must_use]
    pub const fn patients(&self) -> u64 {
        self.training.patients + self.validation.patients + self.testing.patients
    }

    /// Patients behind the smallest class of any label in the training part; 0 where there is no class at all.
    #[must_use]
    pub fn class_cells_min(&self) -> u64 {
        let patients = |cell: &Cell| match cell {
            Cell::Counted { patients, .. } => *patients,
            Cell::Hidden { .. } => 0,
        };
        self.cells
            .values()
            .flat_map(|table| table.values().map(patients))
            .min()
            .unwrap_or(0)
    }
}

impl Store {
    /// Freezes a dataset.
    ///
    /// # Errors
    /// When the request is out of bounds, a stored picture is damaged, or the disk refuses.
    pub fn freeze(&self, request: &FreezeRequest<'_>) -> Result<Frozen, StoreError> {
        self.freeze_with(request, &|_, _| {})
    }

    /// As [`freeze`](Self::freeze), telling `progress` how many radiographs are done and of how many.
    ///
    /// # Errors
    /// As [`freeze`](Self::freeze).
    pub fn freeze_with(
        &self,
        request: &FreezeRequest<'_>,
        progress: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<Frozen, StoreError> {
        if request.side == 0 || request.side > INPUT_SIDE_MAX {
            return Err(StoreError::Unreasonable {
                what: "a dataset's side is 1 to 2048 pixels",
            });
        }
        if request.side > self.settings.master_side_max {
            return Err(StoreError::SideTooLarge {
                side: request.side,
                kept: self.settings.master_side_max,
            });
        }
        let _freezing = self.freezing()?;
        self.lock().commit(&self.packs)?;
        let mut facts = self.facts()?;
        self.add_site_labels(&mut facts, request.heads)?;
        classes::leave_out_small(&mut facts, request.heads, request.cell_min);
        facts.retain(|fact| {
            request.heads.is_empty() || request.heads.iter().any(|head| classes::is_known(&fact.labels, head))
        });
        let recipe = recipe(request, &facts);
        if let Some(digest) = self.reusable(request, &recipe)? {
            progress(facts.len() as u64, facts.len() as u64);
            return Ok(describe(request, digest, true, &facts));
        }
        let digest = self.write(request, &facts, progress)?;
        self.change(|connection, _| {
            remember_members(connection, &key_of(&request.folder)?, &digest, &facts)?;
            let sql = "INSERT OR REPLACE INTO datasets (folder, recipe, digest) VALUES (?1, ?2, ?3)";
            connection.execute(
                sql,
                params![key_of(&request.folder)?, recipe.as_bytes(), digest.as_bytes()],
            )?;
            Ok(())
        })?;
        Ok(describe(request, digest, false, &facts))
    }

    /// The frozen dataset in `folder` with the key that opens it, for the trainer's pipe and nothing else.
    ///
    /// # Errors
    /// When there is no dataset, or its key was not wrapped by this store.
    pub fn source(&self, folder: &Path) -> Result<DatasetSource, StoreError> {
        let wrapped = shard::wrapped_key(folder)?;
        let key = self.keys.datasets.open(KEY_PLACE, wrapped).map(Zeroizing::new).ok();
        let key = key.and_then(|bytes| DatasetKey::from_bytes(&bytes));
        key.map(|key| DatasetSource {
            // The trainer starts in another folder.
            folder: std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned()),
            key,
        })
        .ok_or_else(|| StoreError::ForeignDataset {
            folder: folder.to_owned(),
        })
    }

    /// Whether `frozen` is still what the store would train on: not where a patient of it has withdrawn since.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn stands(&self, frozen: &Frozen) -> Result<bool, StoreError> {
        let folder = key_of(&frozen.folder)?;
        self.read(|connection| {
            let sql = "SELECT 1 FROM datasets WHERE folder = ?1 AND digest = ?2";
            Ok(connection
                .prepare_cached(sql)?
                .exists(params![folder, frozen.digest.as_bytes()])?)
        })
    }

    /// Removes the dataset in `folder`, if there is one; whoever trains on it freezes it anew.
    ///
    /// # Errors
    /// When the disk or the database refuses.
    pub fn remove_dataset(&self, folder: &Path) -> Result<(), StoreError> {
        let _freezing = self.freezing()?;
        let key = key_of(folder)?;
        // The row goes first: where it is missing, nobody takes the folder for a dataset that stands.
        self.change(|connection, _| Ok(connection.execute("DELETE FROM datasets WHERE folder = ?1", params![key])?))?;
        match std::fs::remove_dir_all(folder) {
            Err(fault) if fault.kind() != std::io::ErrorKind::NotFound => Err(StoreError::at(folder)(fault)),
            _ => Ok(()),
        }
    }

    /// One freeze or withdrawal at a time, in this process and all others, until the answer is dropped.
    pub(crate) fn freezing(&self) -> Result<File, StoreError> {
        self.hold(FREEZING)
    }

    /// Folder and digest of every dataset that was frozen, whether or not it is still there.
    pub(crate) fn datasets(&self) -> Result<Vec<(PathBuf, Sha256Digest)>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare("SELECT folder, digest FROM datasets ORDER BY folder")?;
            let read = |row: &rusqlite::Row<'_>| {
                Ok((
                    OsStr::from_bytes(&row.get::<_, Vec<u8>>(0)?).into(),
                    Sha256Digest::from_bytes(row.get(1)?),
                ))
            };
            let datasets = statement.query_map([], read)?.collect::<Result<_, _>>()?;
            Ok(datasets)
        })
    }

    /// The digest of the dataset that lies there already, if it was made by the same recipe and every byte is sound.
    fn reusable(&self, request: &FreezeRequest<'_>, recipe: &Sha256Digest) -> Result<Option<Sha256Digest>, StoreError> {
        let known: Option<[u8; 32]> = self.read(|connection| {
            let sql = "SELECT digest FROM datasets WHERE folder = ?1 AND recipe = ?2";
            Ok(connection
                .query_row(sql, params![key_of(&request.folder)?, recipe.as_bytes()], |row| {
                    row.get(0)
                })
                .optional()?)
        })?;
        let sound = |digest: &Sha256Digest| {
            self.source(&request.folder)
                .and_then(|source| Ok(Shard::open(&source)?))
                .is_ok_and(|shard| shard.manifest().digest() == *digest && shard.verify().is_ok())
        };
        Ok(known.map(Sha256Digest::from_bytes).filter(sound))
    }

    fn write(
        &self,
        request: &FreezeRequest<'_>,
        facts: &[Fact],
        progress: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<Sha256Digest, StoreError> {
        let key = DatasetKey::generate()?;
        let wrapped = self.keys.datasets.seal(KEY_PLACE, key.as_bytes())?;
        let mut writer = ShardWriter::create(&request.folder, request.side, request.preprocessing, &key, &wrapped)?;
        let masked = request
            .heads
            .iter()
            .find(|head| matches!(head.kind, HeadKind::Mask { .. }));
        if masked.is_some() {
            writer.with_masks()?;
        }
        let square_bytes = request.side as usize * request.side as usize * 2;
        let mut done = 0;
        let each = square_bytes * squares_max(request.preprocessing);
        for batch in facts.chunks((SQUARES_BYTES_MAX / each).clamp(1, 512)) {
            let squares: Vec<Vec<Vec<u16>>> = batch
                .par_iter()
                .map(|fact| self.inputs(fact, request.preprocessing, request.side))
                .collect::<Result<_, _>>()?;
            let of_facts = batch.iter().zip(&squares);
            for (fact, square) in of_facts.flat_map(|(fact, squares)| squares.iter().map(move |square| (fact, square)))
            {
                writer.add(&record(fact), square)?;
                if let Some(head) = masked {
                    writer.add_mask(&self.mask_square(fact, head, request)?)?;
                }
            }
            done += batch.len() as u64;
            progress(done, facts.len() as u64);
        }
        Ok(writer.finish()?.digest())
    }

    /// Adds the hospital's own labels that `heads` ask for.
    fn add_site_labels(&self, facts: &mut [Fact], heads: &[Head]) -> Result<(), StoreError> {
        let wanted: Vec<SiteLabelName> = heads
            .iter()
            .filter_map(|head| match head.label {
                LabelName::Site(name) => Some(name),
                _ => None,
            })
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        self.read(|connection| {
            for fact in facts {
                let own = self.all_labels_in(connection, &fact.radiograph)?;
                let found = wanted.iter().filter_map(|name| Some((*name, own.get(name.name())?)));
                fact.labels
                    .site
                    .extend(found.map(|(name, label)| (name, label.value.clone())));
            }
            Ok(())
        })
    }

    /// The mask that `head` learns from, where the square has its picture; 0 throughout where there is none.
    fn mask_square(&self, fact: &Fact, head: &Head, request: &FreezeRequest<'_>) -> Result<Vec<u8>, StoreError> {
        if request.preprocessing != Preprocessing::LetterboxV1 {
            return Err(StoreError::Unreasonable {
                what: "masks go with radiographs that are fitted into a square whole",
            });
        }
        let mask = match head.label {
            LabelName::Site(name) if head.has_mask(&fact.labels) => self.mask(&fact.radiograph, name.name())?,
            _ => None,
        };
        let nothing = || vec![0; request.side as usize * request.side as usize];
        Ok(mask.map_or_else(nothing, |mask| {
            letterbox_mask(mask.rows, mask.columns, &mask.values, request.side)
        }))
    }

    /// What the network sees of a radiograph, as u16.
    fn inputs(&self, fact: &Fact, preprocessing: Preprocessing, side: u32) -> Result<Vec<Vec<u16>>, StoreError> {
        match preprocessing {
            Preprocessing::LetterboxV1 => Ok(vec![self.square(fact, side)?]),
            Preprocessing::PatchesV1 => {
                let master = fact.master(&self.packs, &self.keys)?;
                Ok(patches(master.rows, master.columns, &master.pixels, side))
            }
        }
    }

    /// The whole radiograph in a square, as u16.
    pub(crate) fn square(&self, fact: &Fact, side: u32) -> Result<Vec<u16>, StoreError> {
        let master = fact.master(&self.packs, &self.keys)?;
        Ok(letterbox(master.rows, master.columns, &master.pixels, side))
    }
}

/// Most squares that one radiograph becomes.
const fn squares_max(preprocessing: Preprocessing) -> usize {
    match preprocessing {
        Preprocessing::LetterboxV1 => 1,
        Preprocessing::PatchesV1 => PATCHES_MAX,
    }
}

/// Who is in the dataset, so that it can be said after a withdrawal which models may have learned from the patient.
fn remember_members(
    connection: &Connection,
    folder: &[u8],
    digest: &Sha256Digest,
    facts: &[Fact],
) -> Result<(), StoreError> {
    let added = connection.execute(
        "INSERT OR IGNORE INTO freezings (digest, folder) VALUES (?1, ?2)",
        params![digest.as_bytes(), folder],
    )?;
    if added == 0 {
        return Ok(());
    }
    let freezing = connection.last_insert_rowid();
    let mut insert = connection
        .prepare_cached("INSERT OR IGNORE INTO members SELECT ?1, number FROM patients WHERE pseudonym = ?2")?;
    for fact in facts {
        insert.execute(params![freezing, fact.patient.as_bytes()])?;
    }
    Ok(())
}

/// A dataset's folder as the database keeps it: absolute, so that a withdrawal finds it from anywhere.
fn key_of(folder: &Path) -> Result<Vec<u8>, StoreError> {
    let folder = std::path::absolute(folder).map_err(StoreError::at(folder))?;
    Ok(folder.as_os_str().as_bytes().to_vec())
}

fn record(fact: &Fact) -> ShardRecord {
    ShardRecord {
        radiograph: fact.radiograph.to_string(),
        patient: fact.patient.to_string(),
        part: fact.part,
        labels: fact.labels.clone(),
    }
}

/// Everything that the dataset's bytes follow from, so that making them twice is not needed to know that they are equal.
fn recipe(request: &FreezeRequest<'_>, facts: &[Fact]) -> Sha256Digest {
    let mut digest = RunningDigest::default();
    digest.update(b"snowball dataset 1");
    digest.update(&request.side.to_le_bytes());
    digest.update(&canonical_json(&request.preprocessing));
    for fact in facts {
        digest.update(&canonical_json(&record(fact)));
        digest.update(fact.digest.as_bytes());
    }
    digest.finish()
}

fn describe(request: &FreezeRequest<'_>, digest: Sha256Digest, reused: bool, facts: &[Fact]) -> Frozen {
    let count = |part| {
        let of_part = || facts.iter().filter(|fact| fact.part == part);
        PartCount {
            radiographs: of_part().count() as u64,
            patients: of_part().map(|fact| fact.patient).collect::<BTreeSet<_>>().len() as u64,
        }
    };
    Frozen {
        folder: request.folder.clone(),
        digest,
        reused,
        training: count(Part::Training),
        validation: count(Part::Validation),
        testing: count(Part::Testing),
        cells: request
            .heads
            .iter()
            .map(|head| (head.label, classes::cells(facts, head)))
            .collect(),
    }
}
