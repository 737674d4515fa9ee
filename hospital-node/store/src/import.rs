//! Taking radiographs in, one or many to a commit, each at most once.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};
use serde::Serialize;
use snowball_crypto::SEAL_BYTES;
use snowball_imaging::{Excluded, Radiograph};
use snowball_protocol::{
    Sha256Digest,
    ids::UnixSeconds,
    intake::{Disposition, IntakeReason},
};

use crate::{
    FileOutcome, Store, StoreError, Unsound, codec,
    fact::{self, Facts, Making, Picture},
    pack::Extent,
    record, seen, split, withdraw,
    writer::Tail,
};

/// What became of a radiograph.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Added {
    /// It is stored now.
    New,
    /// The very same one is stored already; nothing changed.
    Duplicate,
    /// Another content is stored under the same identity; nothing changed. The file belongs in the quarantine.
    Conflict,
    /// Its patient has withdrawn; nothing was kept.
    Withdrawn,
    /// A second look at what was written of it found something wrong, and it was taken back. The file belongs in the
    /// quarantine.
    Unsound,
    /// The second look saw text in the pixels, and nothing else: a person who looks can settle that. It was taken back.
    ShowsText,
}

impl Added {
    /// Why the file did not become a radiograph, in the words of ledgers; `None` for [`Added::New`] and
    /// [`Added::Withdrawn`], which have none.
    #[must_use]
    pub const fn reason(self) -> Option<IntakeReason> {
        match self {
            Self::New | Self::Withdrawn => None,
            Self::Duplicate => Some(IntakeReason::Duplicate),
            Self::Conflict => Some(IntakeReason::UidConflict),
            Self::Unsound => Some(IntakeReason::IdentifierRemains),
            Self::ShowsText => Some(IntakeReason::TextRemains),
        }
    }

    /// What becomes of a radiograph in which a second look `found` something; `None` where it found nothing.
    fn after(found: &BTreeSet<Unsound>) -> Option<Self> {
        match found.first() {
            None => None,
            Some(Unsound::Text) if found.len() == 1 => Some(Self::ShowsText),
            Some(_) => Some(Self::Unsound),
        }
    }
}

impl Store {
    /// Takes one radiograph in; it is durable when this returns. For many, see [`importer`](Self::importer).
    ///
    /// # Errors
    /// When the disk refuses; then nothing of it was kept.
    pub fn add(&self, radiograph: &Radiograph) -> Result<Added, StoreError> {
        self.add_all(std::slice::from_ref(radiograph)).map(|added| added[0])
    }

    /// Takes several radiographs in with one commit; all are durable when this returns.
    ///
    /// # Errors
    /// When the disk refuses; then none of them was kept.
    pub fn add_all(&self, radiographs: &[Radiograph]) -> Result<Vec<Added>, StoreError> {
        use rayon::prelude::*;
        let prepared: Vec<_> = radiographs
            .par_iter()
            .map(|radiograph| self.prepare(radiograph))
            .collect::<Result<_, _>>()?;
        let wanted: Vec<Option<Sha256Digest>> = prepared.iter().map(pixels_of).collect();
        let added: Vec<Added> = self.change(|connection, tail| {
            radiographs
                .iter()
                .zip(prepared)
                .map(|(radiograph, prepared)| self.insert(connection, tail, radiograph, prepared))
                .collect::<Result<_, _>>()
        })?;
        let looked = radiographs.par_iter().zip(wanted).zip(added);
        let looked: Vec<Added> = looked
            .map(|((radiograph, wanted), added)| self.looked_at(radiograph, wanted, added))
            .collect::<Result<_, _>>()?;
        self.change(|connection, _| {
            let looked = radiographs.iter().zip(looked);
            looked
                .map(|(radiograph, added)| settled(connection, radiograph, added))
                .collect()
        })
    }

    /// `added`, once a second look at what was written found nothing; else it is taken back. What was stored before is looked
    /// at too: a run that was killed may have left it without.
    pub(crate) fn looked_at(
        &self,
        radiograph: &Radiograph,
        wanted: Option<Sha256Digest>,
        added: Added,
    ) -> Result<Added, StoreError> {
        let wanted = match added {
            Added::New => wanted,
            Added::Duplicate => None,
            Added::Conflict | Added::Withdrawn | Added::Unsound | Added::ShowsText => return Ok(added),
        };
        let Some(fault) = Added::after(&self.reread(radiograph, wanted)?) else {
            return Ok(added);
        };
        self.take_back(radiograph.id())?;
        Ok(fault)
    }

    /// A writer for long imports, which commits as it goes; shared freely between threads.
    #[must_use]
    pub const fn importer(&self) -> Importer<'_> {
        Importer {
            store: self,
            on_record: false,
        }
    }

    /// Does the costly part outside every lock; `None` for what is stored already.
    pub(crate) fn prepare(&self, radiograph: &Radiograph) -> Result<Option<Prepared>, StoreError> {
        if self.read(|connection| self.standing(connection, radiograph))?.is_some() {
            return Ok(None);
        }
        self.sealed(radiograph).map(Some)
    }

    fn sealed(&self, radiograph: &Radiograph) -> Result<Prepared, StoreError> {
        let picture = self.picture(radiograph);
        Ok(Prepared {
            facts: Facts::seal(&self.keys.facts, radiograph, &picture)?,
            making: Making::seal(&self.keys.facts, radiograph)?,
            pixels: picture.pixels,
            content: picture.content,
        })
    }

    pub(crate) fn insert(
        &self,
        connection: &Connection,
        tail: &mut Tail<'_>,
        radiograph: &Radiograph,
        prepared: Option<Prepared>,
    ) -> Result<Added, StoreError> {
        // Asked again: another thread or process may have been faster, or may have undone what was there.
        if let Some(added) = self.standing(connection, radiograph)? {
            return Ok(added);
        }
        let prepared = prepared.map_or_else(|| self.sealed(radiograph), Ok)?;
        let extent = tail.append(connection, prepared.content.len() + SEAL_BYTES, |extent| {
            let place = fact::picture_place(radiograph.id(), extent);
            Ok(self.keys.pictures.seal(&place, &prepared.content)?)
        })?;
        insert_row(connection, radiograph, &prepared, extent)?;
        connection
            .prepare_cached("INSERT INTO unlooked (radiograph) VALUES (?1)")?
            .execute(params![radiograph.id().as_bytes()])?;
        #[cfg(test)]
        if let Some(spoil) = *self.spoil.lock().expect("no test panics in it") {
            spoil(self, connection, radiograph, extent);
        }
        Ok(Added::New)
    }

    fn picture(&self, radiograph: &Radiograph) -> Picture {
        let (rows, columns) = (radiograph.rows(), radiograph.columns());
        if rows.max(columns) <= self.settings.master_side_max {
            return picture_of(rows, columns, radiograph.pixels());
        }
        let (rows, columns, pixels) =
            snowball_imaging::downscale(rows, columns, radiograph.pixels(), self.settings.master_side_max);
        picture_of(rows, columns, &pixels)
    }

    /// The answer that is certain without looking at pixels.
    fn standing(&self, connection: &Connection, radiograph: &Radiograph) -> Result<Option<Added>, StoreError> {
        if withdraw::is_withdrawn(connection, &self.keys, radiograph.patient())? {
            return Ok(Some(Added::Withdrawn));
        }
        let content = fact::content(connection, &self.keys, radiograph.id())?;
        Ok(content.map(|content| {
            if content == radiograph.content() {
                Added::Duplicate
            } else {
                Added::Conflict
            }
        }))
    }
}

/// A radiograph as it will be stored, but for the place that its picture is sealed for.
pub(crate) struct Prepared {
    content: Vec<u8>,
    /// Digest of the pixels.
    pixels: Sha256Digest,
    facts: Vec<u8>,
    making: Vec<u8>,
}

#[cfg(test)]
impl Prepared {
    /// Digest of the pixels, as a second look wants them.
    pub const fn pixels(&self) -> Sha256Digest {
        self.pixels
    }
}

/// The end of a taking in that found nothing wrong: `added`, as it counts. Of several files with the same content, here or after
/// a crash, one is [`Added::New`]: the first that comes to this point.
fn settled(connection: &Connection, radiograph: &Radiograph, added: Added) -> Result<Added, StoreError> {
    if !matches!(added, Added::New | Added::Duplicate) {
        return Ok(added);
    }
    let first = connection
        .prepare_cached("DELETE FROM unlooked WHERE radiograph = ?1")?
        .execute(params![radiograph.id().as_bytes()])?;
    Ok(if first == 1 { Added::New } else { Added::Duplicate })
}

fn insert_row(
    connection: &Connection,
    radiograph: &Radiograph,
    prepared: &Prepared,
    extent: Extent,
) -> Result<(), StoreError> {
    let patient = patient_number(connection, radiograph)?;
    connection
        .prepare_cached(
            "INSERT INTO radiographs (radiograph, patient, pack, offset, bytes, facts, making)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            radiograph.id().as_bytes(),
            patient,
            extent.pack,
            extent.offset as i64,
            extent.bytes,
            prepared.facts,
            prepared.making,
        ])?;
    Ok(())
}

/// Takes in many files with few commits.
///
/// An answer of this writer is durable once [`flush`](Self::flush) returned, or some hundred files or two seconds later. A file
/// is remembered only after a second look at what was written of it; until then a row says that nobody looked. So after a crash
/// the same import run again loses nothing, repeats little, looks at what nobody had looked at, and counts it once.
pub struct Importer<'a> {
    store: &'a Store,
    on_record: bool,
}

impl Importer<'_> {
    /// This importer, which also notes what became of each file for the site's ledger: see [`Store::record`].
    #[must_use]
    pub const fn on_record(mut self) -> Self {
        self.on_record = true;
        self
    }

    /// Takes in the radiograph that the file behind `file_key` became, looks at what was written of it, and remembers the file.
    /// Where the answer is [`Added::Conflict`], [`Added::Unsound`] or [`Added::ShowsText`] the file is not
    /// remembered: [`quarantine`](Self::quarantine) does.
    ///
    /// # Errors
    /// When the disk refuses; then everything since the last commit is undone and the import should end.
    pub fn add(&self, radiograph: &Radiograph, file_key: &Sha256Digest) -> Result<Added, StoreError> {
        let prepared = self.store.prepare(radiograph)?;
        let wanted = pixels_of(&prepared);
        let added = self.change(|connection, tail| self.store.insert(connection, tail, radiograph, prepared))?;
        let added = self.store.looked_at(radiograph, wanted, added)?;
        self.change(|connection, _| {
            let added = settled(connection, radiograph, added)?;
            let outcome = match added {
                Added::New => FileOutcome::Accepted,
                Added::Duplicate => FileOutcome::Excluded(IntakeReason::Duplicate),
                Added::Withdrawn => FileOutcome::Withdrawn,
                Added::Conflict | Added::Unsound | Added::ShowsText => return Ok(added),
            };
            seen::keep(connection, file_key, outcome)?;
            if self.on_record && added == Added::New {
                record::note(connection, None)?;
            }
            Ok(added)
        })
    }

    /// As [`Store::quarantine`], with the file remembered.
    ///
    /// # Errors
    /// When the disk refuses; then everything since the last commit is undone and the import should end.
    pub fn quarantine(
        &self,
        path: &std::path::Path,
        excluded: &Excluded,
        file_key: &Sha256Digest,
        when: UnixSeconds,
    ) -> Result<Disposition, StoreError> {
        self.change(|connection, tail| {
            seen::keep(connection, file_key, FileOutcome::Excluded(excluded.reason))?;
            if self.on_record {
                record::note(connection, Some(excluded))?;
            }
            self.store.set_aside(connection, tail, path, excluded, when)
        })
    }

    /// Makes every answer given so far durable.
    ///
    /// # Errors
    /// When the disk refuses; then everything since the last commit is undone.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.store.lock().commit(&self.store.packs)
    }

    fn change<T>(
        &self,
        change: impl FnOnce(&Connection, &mut Tail<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut writer = self.store.lock();
        let answer = writer.change(&self.store.packs, change)?;
        if writer.is_due() {
            writer.commit(&self.store.packs)?;
        }
        Ok(answer)
    }
}

impl Drop for Importer<'_> {
    fn drop(&mut self) {
        // Nobody was told that these are durable; without this they would only be done again.
        let _ = self.flush();
    }
}

/// The digest of the pixels that were prepared.
fn pixels_of(prepared: &Option<Prepared>) -> Option<Sha256Digest> {
    prepared.as_ref().map(|prepared| prepared.pixels)
}

fn picture_of(rows: u32, columns: u32, pixels: &[u16]) -> Picture {
    let (encoding, content) = codec::encode(columns, pixels);
    Picture {
        rows,
        columns,
        encoding,
        digest: Sha256Digest::of(&content),
        pixels: Sha256Digest::of(&codec::plain(pixels)),
        content,
    }
}

/// The row of the radiograph's patient; a new patient's part is decided here, once.
fn patient_number(connection: &Connection, radiograph: &Radiograph) -> Result<i64, StoreError> {
    let pseudonym = radiograph.patient();
    connection
        .prepare_cached("INSERT INTO patients (pseudonym, part) VALUES (?1, ?2) ON CONFLICT (pseudonym) DO NOTHING")?
        .execute(params![pseudonym.as_bytes(), split::code_of(split::part_of(pseudonym))])?;
    let number = connection
        .prepare_cached("SELECT number FROM patients WHERE pseudonym = ?1")?
        .query_row(params![pseudonym.as_bytes()], |row| row.get(0))?;
    Ok(number)
}

#[cfg(test)]
mod tests;
