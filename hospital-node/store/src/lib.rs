//! What a site keeps of its radiographs: facts in SQLite, pixels in append-only packs, files set aside in a quarantine.
//!
//! It holds what [`snowball_imaging`] hands over and nothing else: pixels, keyed pseudonyms and a closed vocabulary. It must
//! never see an identifier in the clear, never print one, and never forget what it acknowledged. The one exception by
//! design is the quarantine, which keeps the hospital's own files, under names that say nothing, until a person decides.
//!
//! All of it lies sealed under keys that come from the site's secret ([`snowball_crypto::derived`]); `schema` says what the
//! database holds in the clear. Keys come in as arguments and are never written.
//!
//! Start at [`Store`]. `import` takes radiographs in, `reread` looks at what was written of each by another way, `freeze` turns them into a dataset for the trainer, `withdraw`
//! removes a patient. `writer` keeps the order that makes a crash harmless: pixels are on disk before the row that
//! points to them.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod census;
mod codec;
mod copy;
mod error;
mod fact;
mod freeze;
mod glance;
mod import;
mod masks;
mod pack;
mod quarantine;
mod record;
mod reread;
mod reviewable;
mod schema;
mod seen;
mod sheet;
mod site_labels;
mod source;
mod split;
mod withdraw;
mod writer;

#[cfg(test)]
mod sample;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, OnceLock},
};

use rusqlite::{Connection, OptionalExtension};
use snowball_crypto::{Pseudonym, StoreKeys};
use snowball_imaging::TextSearch;

pub use census::{Cell, Census, Table, age_band, hide_small};
pub use copy::{DATABASE_FILE, is_kept, tables};
pub use error::StoreError;
pub use fact::Master;
pub use freeze::{FreezeRequest, Frozen, PartCount};
pub use glance::{Obstacle, glance};
pub use import::{Added, Importer};
pub use masks::{Mask, MaskImporter, MaskKept};
pub use quarantine::{HeldFile, HeldState, Review, Searched};
pub use record::Unrecorded;
pub use reread::{LookedAgain, Unsound};
pub use reviewable::{Combination, Redactions, Reviewable};
pub use seen::FileOutcome;
pub use sheet::{Caption, ContactSheet, SheetRequest};
pub use site_labels::{Others, RadiographKeys, SiteLabel, SiteLabels};
pub use source::Source;
pub use split::part_of;
pub use withdraw::{Touched, Withdrawn};

use fact::Fact;
use pack::Packs;
use writer::{Tail, Writer};

/// What a site may choose about its store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Longest side of the pictures that are kept, in pixels; larger ones are averaged down by area, in full depth.
    /// What is stored already stays as it is.
    pub master_side_max: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { master_side_max: 1024 }
    }
}

/// A site's radiographs on disk. One folder, one store; several processes may use it at once and wait for each other.
pub struct Store {
    folder: PathBuf,
    keys: StoreKeys,
    settings: Settings,
    packs: Packs,
    writer: Mutex<Writer>,
    /// Made when it is first asked for.
    text_search: OnceLock<TextSearch>,
    /// What a test does to a radiograph right after it was written.
    #[cfg(test)]
    spoil: Mutex<Option<sample::Spoil>>,
}

impl Store {
    /// Opens the store in folder `dir` with default [`Settings`], making it where there is none.
    ///
    /// # Errors
    /// When the folder cannot be used, holds something else, was sealed under other keys, or was written by a newer version.
    pub fn open(dir: &Path, keys: StoreKeys) -> Result<Self, StoreError> {
        Self::open_with(dir, keys, Settings::default())
    }

    /// Opens the store in folder `dir`, readable by its owner alone, and finishes what a crash interrupted.
    ///
    /// # Errors
    /// When the folder cannot be used, holds something else, was sealed under other keys, was written by a newer version, or
    /// has lost pixels.
    pub fn open_with(dir: &Path, keys: StoreKeys, settings: Settings) -> Result<Self, StoreError> {
        if !(16..=8192).contains(&settings.master_side_max) {
            return Err(StoreError::Unreasonable {
                what: "the longest side of kept pictures is 16 to 8192 pixels",
            });
        }
        for folder in [dir.to_owned(), dir.join(PACKS), dir.join(QUARANTINE)] {
            fs::create_dir_all(&folder).map_err(StoreError::at(&folder))?;
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).map_err(StoreError::at(&folder))?;
        }
        let connection = schema::open(&dir.join(DATABASE))?;
        let store = Self {
            folder: dir.to_owned(),
            keys,
            settings,
            packs: Packs::new(dir.join(PACKS)),
            writer: Mutex::new(Writer::new(connection)),
            text_search: OnceLock::new(),
            #[cfg(test)]
            spoil: Mutex::default(),
        };
        store.prove_keys()?;
        store.recover()?;
        Ok(store)
    }

    /// The folder that this store lives in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// How many radiographs are stored.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn count(&self) -> Result<u64, StoreError> {
        self.read(fact::count)
    }

    /// Every radiograph, in the order of its pseudonym.
    pub(crate) fn facts(&self) -> Result<Vec<Fact>, StoreError> {
        self.read(|connection| fact::all(connection, &self.keys))
    }

    /// The kept picture of one radiograph, full depth; `None` where there is no such radiograph.
    ///
    /// # Errors
    /// When it cannot be read or its bytes are not those that were written.
    pub fn master(&self, radiograph: &Pseudonym) -> Result<Option<Master>, StoreError> {
        let found = self.read(|connection| fact::find(connection, &self.keys, radiograph.as_bytes()))?;
        found.map(|fact| fact.master(&self.packs, &self.keys)).transpose()
    }

    /// Reads every kept picture and mask once and counts those whose bytes are not the ones that were written.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn damaged(&self) -> Result<u64, StoreError> {
        use rayon::prelude::*;
        let facts = self.facts()?;
        Ok(facts
            .par_iter()
            .filter(|fact| fact.master(&self.packs, &self.keys).is_err())
            .count() as u64
            + self.damaged_masks()?)
    }

    /// Whether the keys are those that the store was made with: a new store keeps a proof of them.
    fn prove_keys(&self) -> Result<(), StoreError> {
        let proof = match self.read(known_proof)? {
            Some(proof) => proof,
            None => {
                let fresh = self.keys.facts.seal(PROOF, PROOF)?;
                self.change(|connection, _| {
                    connection.execute("INSERT OR IGNORE INTO seal (one, proof) VALUES (1, ?1)", [fresh])?;
                    // Another process may have been faster; its proof counts.
                    Ok(known_proof(connection)?.unwrap_or_default())
                })?
            }
        };
        check_proof(&self.keys, proof, &self.folder)
    }

    /// What a crash may leave: erasures that were decided but not done, quarantined files that were let go.
    fn recover(&self) -> Result<(), StoreError> {
        self.packs.check_last(self.read(writer::last_pack)?)?;
        self.finish_erasures()?;
        self.finish_datasets()?;
        self.sweep_quarantine()
    }

    fn read<T>(&self, question: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        question(self.lock().connection())
    }

    /// Changes the store; durable when it returns, together with everything that an [`Importer`] had pending.
    fn change<T>(
        &self,
        change: impl FnOnce(&Connection, &mut Tail<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut writer = self.lock();
        let answer = writer.change(&self.packs, change)?;
        writer.commit(&self.packs)?;
        Ok(answer)
    }

    /// Holds the file `name` in the store's folder until the answer is dropped: one holder at a time, in this process and all
    /// others.
    pub(crate) fn hold(&self, name: &str) -> Result<fs::File, StoreError> {
        let path = self.folder.join(name);
        // Opened anew each time: the lock belongs to the opening, so that threads wait for each other too.
        let file = fs::File::create(&path).map_err(StoreError::at(&path))?;
        file.lock().map_err(StoreError::at(&path))?;
        Ok(file)
    }

    fn lock(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(|poisoned| {
            // A thread panicked in the middle of a change: what was not acknowledged is undone.
            self.writer.clear_poison();
            let mut writer = poisoned.into_inner();
            writer.abandon();
            writer
        })
    }
}

/// The proof of its keys that a store keeps.
fn known_proof(connection: &Connection) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(connection
        .query_row("SELECT proof FROM seal", [], |row| row.get(0))
        .optional()?)
}

fn check_proof(keys: &StoreKeys, proof: Vec<u8>, dir: &Path) -> Result<(), StoreError> {
    match keys.facts.open(PROOF, proof) {
        Ok(_) => Ok(()),
        Err(_) => Err(StoreError::WrongKey { path: dir.to_owned() }),
    }
}

const DATABASE: &str = "store.sqlite";
const PACKS: &str = "packs";
const QUARANTINE: &str = "quarantine";
const FREEZING: &str = "freezing.lock";
const RECORDING: &str = "recording.lock";
const PROOF: &[u8] = b"snowball store proof 1";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Sample, keys, keys_of};

    #[test]
    fn another_key_is_told_from_damage() {
        let folder = tempfile::tempdir().unwrap();
        Store::open(folder.path(), keys()).unwrap();
        for other in [keys_of("43", "store-tests"), keys_of("42", "another project")] {
            let fault = Store::open(folder.path(), other).err().unwrap();
            assert!(matches!(fault, StoreError::WrongKey { .. }), "{fault}");
            assert!(fault.to_string().contains("site.secret"), "{fault}");
        }
        Store::open(folder.path(), keys()).unwrap();
    }

    #[test]
    fn neither_rows_of_pixels_nor_labels_lie_in_the_clear() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), keys()).unwrap();
        let radiograph = Sample::new(1, 1).radiograph();
        store.add(&radiograph).unwrap();
        drop(store);
        let row: Vec<u8> = radiograph.pixels()[..20]
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        let (_, encoded) = codec::encode(radiograph.columns(), radiograph.pixels());
        let study = radiograph.study().as_bytes().to_vec();
        let hidden = [
            row,
            encoded[..32].to_vec(),
            b"CHEST".to_vec(),
            b"digital_x_ray".to_vec(),
            study,
        ];
        for file in ["store.sqlite", "store.sqlite-wal", "packs/000001.pack"] {
            let bytes = fs::read(folder.path().join(file)).unwrap_or_default();
            for piece in &hidden {
                assert!(!bytes.windows(piece.len()).any(|window| window == piece), "{file}");
            }
        }
    }

    #[test]
    fn frames_cannot_change_places() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), keys()).unwrap();
        let radiographs = [Sample::new(1, 1).radiograph(), Sample::new(2, 2).radiograph()];
        store.add_all(&radiographs).unwrap();
        store
            .change(|connection, _| {
                Ok(connection.execute(
                    "UPDATE radiographs SET (offset, bytes) =
                     (SELECT other.offset, other.bytes FROM radiographs AS other WHERE other.radiograph <> ?1)
                     WHERE radiograph = ?1",
                    [radiographs[0].id().as_bytes()],
                )?)
            })
            .unwrap();
        assert_eq!(store.damaged().unwrap(), 1);
        assert!(matches!(
            store.master(radiographs[0].id()),
            Err(StoreError::Damaged { .. })
        ));
    }

    #[test]
    fn the_folder_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("store");
        Store::open(&dir, keys()).unwrap();
        for name in ["", PACKS, QUARANTINE] {
            assert_eq!(
                fs::metadata(dir.join(name)).unwrap().permissions().mode() & 0o777,
                0o700,
                "{name}"
            );
        }
    }

    #[test]
    fn absurd_settings_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for master_side_max in [0, 15, 8193, u32::MAX] {
            assert!(
                Store::open_with(folder.path(), keys(), Settings { master_side_max }).is_err(),
                "{master_side_max}"
            );
        }
    }

    #[test]
    fn a_store_is_shared_between_threads() {
        const fn sync<T: Sync + Send>() {}
        sync::<Store>();
        sync::<Importer<'static>>();
    }
}
