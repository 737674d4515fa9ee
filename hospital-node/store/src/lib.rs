//! What a site keeps of its radiographs: facts in SQLite, pixels in append-only packs, files set aside in a quarantine.
//!
//! It holds what [`snowball_imaging`] hands over and nothing else: pixels, keyed pseudonyms and a closed vocabulary. It must
//! never see an identifier in the clear, never print one, and never forget what it acknowledged. The one exception by
//! design is the quarantine, which keeps the hospital's own files, under names that say nothing, until a person decides.
//!
//! Start at [`Store`]. `import` takes radiographs in, `freeze` turns them into a dataset for the trainer, `withdraw`
//! removes a patient. `writer` keeps the order that makes a crash harmless: pixels are on disk before the row that
//! points to them.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod census;
mod codec;
mod error;
mod fact;
mod freeze;
mod import;
mod pack;
mod quarantine;
mod schema;
mod seen;
mod sheet;
mod split;
mod withdraw;
mod writer;

#[cfg(test)]
mod sample;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard},
};

use rusqlite::Connection;
use snowball_crypto::Pseudonym;

pub use census::{Cell, Census, Table, age_band};
pub use error::StoreError;
pub use fact::Master;
pub use freeze::{FreezeRequest, Frozen, PartCount};
pub use import::{Added, Importer};
pub use quarantine::{HeldFile, HeldState};
pub use seen::FileOutcome;
pub use sheet::{Caption, ContactSheet, SheetRequest};
pub use split::part_of;
pub use withdraw::Withdrawn;

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
    settings: Settings,
    packs: Packs,
    writer: Mutex<Writer>,
}

impl Store {
    /// Opens the store in folder `dir` with default [`Settings`], making it where there is none.
    ///
    /// # Errors
    /// When the folder cannot be used, holds something else, or was written by a newer version.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::open_with(dir, Settings::default())
    }

    /// Opens the store in folder `dir`, readable by its owner alone, and finishes what a crash interrupted.
    ///
    /// # Errors
    /// When the folder cannot be used, holds something else, was written by a newer version, or has lost pixels.
    pub fn open_with(dir: &Path, settings: Settings) -> Result<Self, StoreError> {
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
            settings,
            packs: Packs::new(dir.join(PACKS)),
            writer: Mutex::new(Writer::new(connection)),
        };
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

    /// The kept picture of one radiograph, full depth; `None` where there is no such radiograph.
    ///
    /// # Errors
    /// When it cannot be read or its bytes are not those that were written.
    pub fn master(&self, radiograph: &Pseudonym) -> Result<Option<Master>, StoreError> {
        let found = self.read(|connection| fact::find(connection, radiograph.as_bytes()))?;
        found.map(|fact| fact.master(&self.packs)).transpose()
    }

    /// Reads every kept picture once and counts those whose bytes are not the ones that were written.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn damaged(&self) -> Result<u64, StoreError> {
        use rayon::prelude::*;
        let facts = self.read(fact::all)?;
        Ok(facts
            .par_iter()
            .filter(|fact| fact.master(&self.packs).is_err())
            .count() as u64)
    }

    /// What a crash may leave: erasures that were decided but not done, quarantined files that were let go.
    fn recover(&self) -> Result<(), StoreError> {
        self.packs.check_last(self.read(writer::last_pack)?)?;
        self.finish_erasures()?;
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

const DATABASE: &str = "store.sqlite";
const PACKS: &str = "packs";
const QUARANTINE: &str = "quarantine";
const FREEZING: &str = "freezing.lock";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("store");
        Store::open(&dir).unwrap();
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
                Store::open_with(folder.path(), Settings { master_side_max }).is_err(),
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
