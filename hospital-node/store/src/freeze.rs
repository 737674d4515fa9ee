//! From the store to a dataset that the trainer reads: same content, same bytes, same digest.

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
use snowball_crypto::Pseudonym;
use snowball_protocol::{
    Sha256Digest,
    digest::RunningDigest,
    labels::{LabelName, Labels},
    limits::INPUT_SIDE_MAX,
    plan::{Preprocessing, canonical_json},
};
use snowball_worker::{
    key::{DatasetKey, DatasetSource},
    shard::{self, Part, Shard, ShardRecord, ShardWriter},
};
use zeroize::Zeroizing;

use crate::{Cell, FREEZING, Store, StoreError, Table, census::age_band, fact::Fact};

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
    /// A radiograph belongs to the dataset where at least one of these is known; none named: every radiograph does.
    pub labels: &'a [LabelName],
    /// A class with fewer radiographs in the training part is left out: its radiographs stay, without that label.
    pub cell_min: u64,
}

/// How much is in one part of a dataset.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PartCount {
    /// Radiographs.
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
        leave_out_small_classes(&mut facts, request);
        facts.retain(|fact| {
            request.labels.is_empty() || request.labels.iter().any(|label| is_known(&fact.labels, *label))
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
            folder: folder.to_owned(),
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

    /// One freeze or withdrawal at a time, in this process and all others, until the answer is dropped.
    pub(crate) fn freezing(&self) -> Result<File, StoreError> {
        let path = self.folder.join(FREEZING);
        // Opened anew each time: the lock belongs to the opening, so that threads wait for each other too.
        let file = File::create(&path).map_err(StoreError::at(&path))?;
        file.lock().map_err(StoreError::at(&path))?;
        Ok(file)
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
        let square_bytes = request.side as usize * request.side as usize * 2;
        let mut done = 0;
        for batch in facts.chunks((SQUARES_BYTES_MAX / square_bytes).clamp(1, 512)) {
            let squares: Vec<Vec<u16>> = batch
                .par_iter()
                .map(|fact| self.square(fact, request.preprocessing, request.side))
                .collect::<Result<_, _>>()?;
            for (fact, square) in batch.iter().zip(&squares) {
                writer.add(&record(fact), square)?;
            }
            done += batch.len() as u64;
            progress(done, facts.len() as u64);
        }
        Ok(writer.finish()?.digest())
    }

    /// The square that the network sees, as u16.
    pub(crate) fn square(&self, fact: &Fact, preprocessing: Preprocessing, side: u32) -> Result<Vec<u16>, StoreError> {
        let master = fact.master(&self.packs, &self.keys)?;
        match preprocessing {
            Preprocessing::LetterboxV1 => Ok(snowball_imaging::letterbox(
                master.rows,
                master.columns,
                &master.pixels,
                side,
            )),
        }
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

/// Takes away the labels of classes that are too small to train on: somebody could stand out in them.
fn leave_out_small_classes(facts: &mut [Fact], request: &FreezeRequest<'_>) {
    for label in request.labels {
        let mut training: BTreeMap<&str, u64> = BTreeMap::new();
        for fact in facts.iter().filter(|fact| fact.part == Part::Training) {
            if let Some(class) = fact.labels.class(*label) {
                *training.entry(class).or_default() += 1;
            }
        }
        for fact in facts.iter_mut() {
            let count = fact
                .labels
                .class(*label)
                .map(|class| training.get(class).copied().unwrap_or(0));
            if count.is_some_and(|count| count < request.cell_min) {
                forget(&mut fact.labels, *label);
            }
        }
    }
}

fn forget(labels: &mut Labels, label: LabelName) {
    match label {
        LabelName::BodyPart => labels.body_part = None,
        LabelName::View => labels.view = None,
        LabelName::Laterality => labels.laterality = None,
        LabelName::Sex => labels.sex = None,
        LabelName::Age => labels.age_years = None,
    }
}

fn is_known(labels: &Labels, label: LabelName) -> bool {
    labels.class(label).is_some() || labels.number(label).is_some()
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
            .labels
            .iter()
            .map(|label| (*label, classes(facts, *label)))
            .collect(),
    }
}

/// The classes of one label in the training part.
fn classes(facts: &[Fact], label: LabelName) -> Table {
    let mut cells: BTreeMap<&str, (u64, BTreeSet<Pseudonym>)> = BTreeMap::new();
    for fact in facts.iter().filter(|fact| fact.part == Part::Training) {
        if let Some(class) = fact
            .labels
            .class(label)
            .or_else(|| fact.labels.number(label).and_then(age_band))
        {
            let (radiographs, patients) = cells.entry(class).or_default();
            *radiographs += 1;
            patients.insert(fact.patient);
        }
    }
    let cell = |(radiographs, patients): (u64, BTreeSet<_>)| Cell::Counted {
        radiographs,
        patients: patients.len() as u64,
    };
    cells
        .into_iter()
        .map(|(class, count)| (class.to_owned(), cell(count)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Settings, part_of,
        sample::{Sample, cohort},
    };

    fn request(folder: &std::path::Path) -> FreezeRequest<'static> {
        FreezeRequest {
            folder: folder.join("set"),
            side: 16,
            preprocessing: Preprocessing::LetterboxV1,
            labels: &[LabelName::BodyPart, LabelName::Age],
            cell_min: 0,
        }
    }

    #[test]
    fn the_order_of_import_does_not_matter() {
        let folder = tempfile::tempdir().unwrap();
        let radiographs = cohort(30);
        let digests: Vec<Sha256Digest> = (0..2)
            .map(|turn| {
                let store = Store::open(&folder.path().join(turn.to_string()), crate::sample::keys()).unwrap();
                let order: Vec<_> = if turn == 0 {
                    radiographs.iter().collect()
                } else {
                    radiographs.iter().rev().collect()
                };
                order
                    .into_iter()
                    .for_each(|radiograph| assert_eq!(store.add(radiograph).unwrap(), crate::Added::New));
                store.freeze(&request(store.folder())).unwrap().digest
            })
            .collect();
        assert_eq!(digests[0], digests[1]);
    }

    #[test]
    fn counts_are_those_of_the_dataset() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
        let radiographs = cohort(60);
        store.add_all(&radiographs).unwrap();
        let frozen = store.freeze(&request(folder.path())).unwrap();
        let shard = Shard::open(&store.source(&frozen.folder).unwrap()).unwrap();
        assert_eq!(shard.manifest().digest(), frozen.digest);
        for (part, count) in [
            (Part::Training, frozen.training),
            (Part::Validation, frozen.validation),
            (Part::Testing, frozen.testing),
        ] {
            let expected = radiographs
                .iter()
                .filter(|radiograph| part_of(radiograph.patient()) == part)
                .count();
            assert_eq!(
                (
                    shard.part(part).len(),
                    count.radiographs as usize,
                    count.patients as usize
                ),
                (expected, expected, expected)
            );
        }
        assert_eq!(frozen.patients(), 60);
        let bodies = &frozen.cells[&LabelName::BodyPart];
        assert_eq!(bodies.keys().collect::<Vec<_>>(), ["CHEST", "HAND", "KNEE"]);
        let sum: u64 = bodies
            .values()
            .map(|cell| match cell {
                Cell::Counted { radiographs, .. } => *radiographs,
                Cell::Hidden { .. } => 0,
            })
            .sum();
        assert_eq!(sum, frozen.training.radiographs);
        assert!(frozen.class_cells_min() > 0);
        let square = store
            .square(&store.facts().unwrap()[7], Preprocessing::LetterboxV1, 16)
            .unwrap();
        assert_eq!(shard.square(7).unwrap(), square);
    }

    #[test]
    fn a_sound_dataset_is_reused_and_any_other_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
        store.add_all(&cohort(10)).unwrap();
        let first = store.freeze(&request(folder.path())).unwrap();
        let second = store.freeze(&request(folder.path())).unwrap();
        assert_eq!((first.reused, second.reused), (false, true));
        assert_eq!(
            Frozen {
                reused: false,
                ..second
            },
            first
        );

        let pixels = first.folder.join("pixels.sealed");
        let mut bytes = std::fs::read(&pixels).unwrap();
        bytes[5] ^= 1;
        std::fs::write(&pixels, bytes).unwrap();
        let third = store.freeze(&request(folder.path())).unwrap();
        assert_eq!((third.reused, third.digest), (false, first.digest));

        store.add(&Sample::new(99, 99).radiograph()).unwrap();
        let fourth = store.freeze(&request(folder.path())).unwrap();
        assert!(!fourth.reused && fourth.digest != first.digest);
        Shard::open(&store.source(&fourth.folder).unwrap())
            .unwrap()
            .verify()
            .unwrap();
        assert_eq!(
            (store.stands(&first).unwrap(), store.stands(&fourth).unwrap()),
            (false, true)
        );

        // Another store's key: not damage, and not a dataset of this one.
        let other = Store::open(
            &folder.path().join("other"),
            crate::sample::keys_of("43", "store-tests"),
        )
        .unwrap();
        assert!(matches!(
            other.source(&fourth.folder),
            Err(StoreError::ForeignDataset { .. })
        ));
    }

    #[test]
    fn a_radiograph_without_any_label_asked_for_stays_out() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
        store
            .add_all(&[
                Sample::new(1, 1).radiograph(),
                Sample {
                    body_part: "",
                    view: "",
                    ..Sample::new(2, 2)
                }
                .radiograph(),
            ])
            .unwrap();
        let of = |labels| {
            store
                .freeze(&FreezeRequest {
                    labels,
                    cell_min: 0,
                    ..request(folder.path())
                })
                .unwrap()
                .patients()
        };
        assert_eq!(
            (of(&[LabelName::View]), of(&[LabelName::View, LabelName::Sex]), of(&[])),
            (1, 2, 2)
        );
    }

    #[test]
    fn absurd_sides_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_with(folder.path(), crate::sample::keys(), Settings { master_side_max: 64 }).unwrap();
        for side in [0, 65, 2049, u32::MAX] {
            assert!(
                store
                    .freeze(&FreezeRequest {
                        side,
                        ..request(folder.path())
                    })
                    .is_err(),
                "{side}"
            );
        }
        let empty = store.freeze(&request(folder.path())).unwrap();
        assert_eq!((empty.patients(), empty.class_cells_min()), (0, 0));
    }

    #[test]
    fn damaged_pixels_are_found_before_anything_is_trained_on_them() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
        store.add_all(&cohort(3)).unwrap();
        let pack = folder.path().join("packs/000001.pack");
        let mut bytes = std::fs::read(&pack).unwrap();
        bytes[10] ^= 1;
        std::fs::write(&pack, bytes).unwrap();
        assert!(matches!(
            store.freeze(&request(folder.path())),
            Err(StoreError::Damaged { .. })
        ));
        assert_eq!(store.damaged().unwrap(), 1);
        assert!(!folder.path().join("set").exists());
    }

    #[test]
    fn small_classes_are_left_out_and_their_radiographs_stay() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
        store.add_all(&cohort(60)).unwrap();
        let all = store.freeze(&request(folder.path())).unwrap();
        let largest = |cell: &Cell| match cell {
            Cell::Counted { radiographs, .. } => *radiographs,
            Cell::Hidden { .. } => 0,
        };
        let cell_min = all.cells[&LabelName::BodyPart].values().map(largest).max().unwrap();
        let few = store
            .freeze(&FreezeRequest {
                cell_min,
                ..request(folder.path())
            })
            .unwrap();
        assert!(
            few.cells[&LabelName::BodyPart]
                .values()
                .all(|cell| largest(cell) >= cell_min)
        );
        assert!(few.cells[&LabelName::BodyPart].len() < all.cells[&LabelName::BodyPart].len());
        assert_eq!(few.training, all.training, "they have an age, so they stay");
    }
}
