//! Masks that the hospital drew, beside the pictures that they lie over: in the packs, sealed as pictures are, and gone with them.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use snowball_crypto::{Pseudonym, SEAL_BYTES};
use snowball_protocol::{Sha256Digest, site_label::SiteValue};

use crate::{
    SiteLabel, Store, StoreError,
    codec::{self, Encoding},
    fact::{self, Facts},
    pack::Extent,
};

/// A mask in the size in which its picture is kept: 0 beside everything, from 1 on what is marked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mask {
    /// Number of rows.
    pub rows: u32,
    /// Number of columns.
    pub columns: u32,
    /// `rows * columns` values, row by row.
    pub values: Vec<u8>,
}

/// What became of a mask.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MaskKept {
    /// It is kept now.
    New,
    /// The very same one was kept already.
    Same,
    /// It is kept now in place of another, which is overwritten.
    Replaced,
    /// No such radiograph is stored: nothing was kept.
    NoRadiograph,
    /// Its rows and columns are not those of its radiograph as it came: nothing was kept.
    OtherSize,
}

/// What is known of a mask, sealed in its row.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct About {
    name: String,
    /// Digest of the values as they are kept.
    digest: Sha256Digest,
    largest: u8,
    encoding: u8,
}

/// A row.
pub(crate) struct Row {
    about: About,
    extent: Extent,
    number: i64,
}

impl Row {
    /// The mask as one of the radiograph's labels.
    pub fn label(&self) -> SiteLabel {
        SiteLabel {
            value: SiteValue::Mask {
                mask: self.about.digest,
                largest: self.about.largest,
            },
            noisy: false,
        }
    }
}

impl Store {
    /// Keeps `mask`, which lies over the radiograph as it came, under `name`. Like the picture it is kept smaller where that is larger
    /// than the store keeps; each value is then the nearest one. Durable when this returns.
    ///
    /// # Errors
    /// When a label has that name already or the disk refuses; then nothing has changed.
    pub fn keep_mask(&self, radiograph: &Pseudonym, name: &str, mask: &Mask) -> Result<MaskKept, StoreError> {
        let kept = self.change(|connection, tail| {
            let Some(facts) = fact::facts(connection, &self.keys, radiograph)? else {
                return Ok(MaskKept::NoRadiograph);
            };
            if (mask.rows, mask.columns) != (facts.rows, facts.columns) {
                return Ok(MaskKept::OtherSize);
            }
            if self.site_labels_in(connection, radiograph)?.contains_key(name) {
                return Err(StoreError::NameTaken { what: "a label" });
            }
            let (rows, columns) = (facts.master_rows, facts.master_columns);
            let values = snowball_imaging::nearest(mask.rows, mask.columns, &mask.values, rows, columns);
            let digest = Sha256Digest::of(&values);
            let before = self.masks_in(connection, radiograph)?.remove(name);
            if before.as_ref().is_some_and(|row| row.about.digest == digest) {
                return Ok(MaskKept::Same);
            }
            if let Some(row) = &before {
                forget(connection, row)?;
            }
            let wide: Vec<u16> = values.iter().map(|value| u16::from(*value)).collect();
            let (encoding, content) = codec::encode(columns, &wide);
            let extent = tail.append(connection, content.len() + SEAL_BYTES, |extent| {
                Ok(self.keys.pictures.seal(&values_place(radiograph, extent), &content)?)
            })?;
            let about = About {
                name: name.to_owned(),
                digest,
                largest: values.iter().copied().max().unwrap_or(0),
                encoding: encoding as u8,
            };
            let sealed = self
                .keys
                .facts
                .seal(&about_place(radiograph, extent), &fact::json(&about)?)?;
            connection
                .prepare_cached(
                    "INSERT INTO masks (radiograph, pack, offset, bytes, about) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![
                    radiograph.as_bytes(),
                    extent.pack,
                    extent.offset as i64,
                    extent.bytes,
                    sealed
                ])?;
            Ok(if before.is_some() {
                MaskKept::Replaced
            } else {
                MaskKept::New
            })
        })?;
        self.finish_erasures()?;
        Ok(kept)
    }

    /// Removes every mask called `name`, and overwrites it; says how many it were.
    ///
    /// # Errors
    /// When the disk refuses. What was decided is finished by the next call or the next opening.
    pub fn remove_masks(&self, name: &str) -> Result<u64, StoreError> {
        let removed = self.change(|connection, _| {
            let mut removed = 0;
            for radiograph in masked(connection)? {
                if let Some(row) = self.masks_in(connection, &radiograph)?.get(name) {
                    forget(connection, row)?;
                    removed += 1;
                }
            }
            Ok(removed)
        })?;
        self.finish_erasures()?;
        Ok(removed)
    }

    /// The mask called `name` of one radiograph; `None` where it has none.
    ///
    /// # Errors
    /// When it cannot be read or its bytes are not those that were written.
    pub fn mask(&self, radiograph: &Pseudonym, name: &str) -> Result<Option<Mask>, StoreError> {
        let found = self.read(|connection| {
            let row = self.masks_in(connection, radiograph)?.remove(name);
            Ok(row.zip(fact::facts(connection, &self.keys, radiograph)?))
        })?;
        found
            .map(|(row, facts)| self.opened_mask(radiograph, &row, &facts))
            .transpose()
    }

    pub(crate) fn damaged_masks(&self) -> Result<u64, StoreError> {
        let mut damaged = 0;
        for radiograph in self.read(masked)? {
            let (rows, facts) = self.read(|connection| {
                Ok((
                    self.masks_in(connection, &radiograph)?,
                    fact::facts(connection, &self.keys, &radiograph)?,
                ))
            })?;
            let is_damaged = |row: &Row| {
                let opened = facts.as_ref().map(|facts| self.opened_mask(&radiograph, row, facts));
                opened.is_none_or(|opened| opened.is_err())
            };
            damaged += rows.values().filter(|row| is_damaged(row)).count() as u64;
        }
        Ok(damaged)
    }

    /// The masks of one radiograph by name.
    pub(crate) fn masks_in(
        &self,
        connection: &Connection,
        radiograph: &Pseudonym,
    ) -> Result<BTreeMap<String, Row>, StoreError> {
        let mut statement =
            connection.prepare_cached("SELECT rowid, pack, offset, bytes, about FROM masks WHERE radiograph = ?1")?;
        let mut rows = statement.query([radiograph.as_bytes()])?;
        let mut masks = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let extent = Extent {
                pack: row.get(1)?,
                offset: row.get::<_, i64>(2)?.unsigned_abs(),
                bytes: row.get(3)?,
            };
            let about: About = fact::opened(&self.keys.facts, &about_place(radiograph, extent), row.get(4)?)?;
            let number = row.get(0)?;
            masks.insert(about.name.clone(), Row { about, extent, number });
        }
        Ok(masks)
    }

    fn opened_mask(&self, radiograph: &Pseudonym, row: &Row, facts: &Facts) -> Result<Mask, StoreError> {
        let damaged = || StoreError::Damaged {
            what: format!(
                "the mask in pack {} at byte {} is not what was written there",
                row.extent.pack, row.extent.offset
            ),
        };
        let (rows, columns) = (facts.master_rows, facts.master_columns);
        let sealed = self.packs.read(row.extent)?;
        let content = self.keys.pictures.open(&values_place(radiograph, row.extent), sealed);
        let content = content.map_err(|_| damaged())?;
        let encoding = Encoding::from_code(row.about.encoding).ok_or_else(damaged)?;
        let wide = codec::decode(encoding, rows, columns, &content).ok_or_else(damaged)?;
        let values: Result<Vec<u8>, _> = wide.into_iter().map(u8::try_from).collect();
        let values = values.map_err(|_| damaged())?;
        if Sha256Digest::of(&values) != row.about.digest {
            return Err(damaged());
        }
        Ok(Mask { rows, columns, values })
    }
}

/// The radiographs that have a mask.
fn masked(connection: &Connection) -> Result<Vec<Pseudonym>, StoreError> {
    let mut statement = connection.prepare("SELECT DISTINCT radiograph FROM masks ORDER BY radiograph")?;
    let radiographs = statement.query_map([], |row| Ok(Pseudonym::from_bytes(row.get(0)?)))?;
    Ok(radiographs.collect::<Result<_, _>>()?)
}

/// Deletes a row and writes down that its values are to go.
fn forget(connection: &Connection, row: &Row) -> Result<(), StoreError> {
    let Extent { pack, offset, bytes } = row.extent;
    connection
        .prepare_cached("INSERT OR REPLACE INTO erasures (pack, offset, bytes) VALUES (?1, ?2, ?3)")?
        .execute(params![pack, offset as i64, bytes])?;
    connection
        .prepare_cached("DELETE FROM masks WHERE rowid = ?1")?
        .execute([row.number])?;
    Ok(())
}

fn values_place(radiograph: &Pseudonym, extent: Extent) -> Vec<u8> {
    place(b"mask 1", radiograph, extent)
}

fn about_place(radiograph: &Pseudonym, extent: Extent) -> Vec<u8> {
    place(b"about a mask 1", radiograph, extent)
}

/// What a mask is tied to: whose it is and where it lies.
fn place(what: &[u8], radiograph: &Pseudonym, extent: Extent) -> Vec<u8> {
    let (pack, offset) = (extent.pack.to_le_bytes(), extent.offset.to_le_bytes());
    [what, radiograph.as_bytes(), &pack, &offset].concat()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs};

    use super::*;
    use crate::{Cell, sample::Sample};

    /// An L in the corner, so that no mirroring leaves it as it is.
    fn mask(rows: u32, columns: u32, value: u8) -> Mask {
        let is_marked = |row: u32, column: u32| row < rows / 2 && column < 4 || row < 3 && column < columns / 2;
        let places = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
        Mask {
            rows,
            columns,
            values: places
                .map(|(row, column)| value * u8::from(is_marked(row, column)))
                .collect(),
        }
    }

    #[test]
    fn a_mask_is_kept_sealed_counted_replaced_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
        let (first, second) = (Sample::new(1, 1).radiograph(), Sample::new(2, 2).radiograph());
        store.add_all(&[first.clone(), second.clone()]).unwrap();
        let keep = |id: &Pseudonym, mask: &Mask| store.keep_mask(id, "lungs_of_invention", mask).unwrap();
        assert_eq!(keep(first.id(), &mask(24, 20, 1)), MaskKept::New);
        assert_eq!(keep(first.id(), &mask(24, 20, 1)), MaskKept::Same);
        assert_eq!(keep(first.id(), &mask(20, 24, 1)), MaskKept::OtherSize);
        let stranger = Pseudonym::from_bytes([9; 32]);
        assert_eq!(keep(&stranger, &mask(24, 20, 1)), MaskKept::NoRadiograph);
        let kept = store.mask(first.id(), "lungs_of_invention").unwrap();
        assert_eq!(kept, Some(mask(24, 20, 1)));
        assert_eq!(store.mask(second.id(), "lungs_of_invention").unwrap(), None);
        let census = store.census().unwrap();
        assert!(
            matches!(
                census.tables["site: lungs_of_invention"].get("a mask"),
                Some(Cell::Counted {
                    radiographs: 1,
                    patients: 1
                })
            ),
            "{census:?}"
        );
        for file in ["store.sqlite", "store.sqlite-wal", "packs/000001.pack"] {
            let bytes = fs::read(folder.path().join(file)).unwrap_or_default();
            assert!(
                !bytes.windows(18).any(|window| window == b"lungs_of_invention"),
                "{file}"
            );
        }

        let before = fs::read(folder.path().join("packs/000001.pack")).unwrap();
        assert_eq!(keep(first.id(), &mask(24, 20, 3)), MaskKept::Replaced);
        assert_eq!(
            store.mask(first.id(), "lungs_of_invention").unwrap(),
            Some(mask(24, 20, 3))
        );
        let after = fs::read(folder.path().join("packs/000001.pack")).unwrap();
        assert_ne!(after[..before.len()], before, "the one before is overwritten");
        assert_eq!(
            (
                store.damaged().unwrap(),
                store.remove_masks("lungs_of_invention").unwrap()
            ),
            (0, 1)
        );
        assert_eq!(store.mask(first.id(), "lungs_of_invention").unwrap(), None);
        assert!(!store.census().unwrap().tables.contains_key("site: lungs_of_invention"));
    }

    #[test]
    fn a_mask_goes_with_its_patient_and_damage_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
        let radiograph = Sample::new(1, 1).radiograph();
        store.add(&radiograph).unwrap();
        let pack = folder.path().join("packs/000001.pack");
        let pictures_end = fs::metadata(&pack).unwrap().len() as usize;
        store.keep_mask(radiograph.id(), "lungs", &mask(24, 20, 1)).unwrap();
        let sound = fs::read(&pack).unwrap();
        let mut spoiled = sound.clone();
        *spoiled.last_mut().unwrap() ^= 1;
        fs::write(&pack, spoiled).unwrap();
        assert_eq!(store.damaged().unwrap(), 1);
        assert!(matches!(
            store.mask(radiograph.id(), "lungs"),
            Err(StoreError::Damaged { .. })
        ));
        fs::write(&pack, &sound).unwrap();
        assert!(sound[pictures_end..].iter().any(|byte| *byte != 0));
        store.withdraw(radiograph.patient()).unwrap();
        assert_eq!(store.mask(radiograph.id(), "lungs").unwrap(), None);
        assert!(fs::read(&pack).unwrap().iter().all(|byte| *byte == 0), "overwritten");
        let count: i64 = store
            .read(|connection| Ok(connection.query_row("SELECT count(*) FROM masks", [], |row| row.get(0))?))
            .unwrap();
        assert_eq!(count, 0);
    }

    #[test]
    fn a_large_radiograph_s_mask_is_kept_in_the_size_of_its_picture() {
        let folder = tempfile::tempdir().unwrap();
        let settings = crate::Settings { master_side_max: 16 };
        let store = Store::open_with(folder.path(), crate::sample::keys(), settings).unwrap();
        let sample = Sample {
            rows: 48,
            columns: 32,
            ..Sample::new(1, 1)
        };
        let radiograph = sample.radiograph();
        store.add(&radiograph).unwrap();
        assert_eq!(
            store.keep_mask(radiograph.id(), "lungs", &mask(48, 32, 2)).unwrap(),
            MaskKept::New
        );
        let kept = store.mask(radiograph.id(), "lungs").unwrap().unwrap();
        let master = store.master(radiograph.id()).unwrap().unwrap();
        assert_eq!((kept.rows, kept.columns), (master.rows, master.columns));
        assert_eq!(kept.values.iter().copied().collect::<BTreeSet<u8>>(), [0, 2].into());
        let at = |row: usize, column: usize| kept.values[row * kept.columns as usize + column];
        assert_eq!((at(0, 0), at(0, 10), at(15, 0), at(7, 0), at(7, 9)), (2, 0, 0, 2, 0));
    }

    #[test]
    fn a_label_and_a_mask_never_have_one_name() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
        let radiograph = Sample::new(1, 1).radiograph();
        store.add(&radiograph).unwrap();
        let label = SiteLabel {
            value: SiteValue::Number(1.0),
            noisy: false,
        };
        let import = |name: &str| {
            let labels = [(*radiograph.id(), [(name.to_owned(), label.clone())].into())].into();
            store.set_site_labels(&[name.to_owned()].into(), &labels, crate::Others::Forget)
        };
        import("grade").unwrap();
        let fault = store.keep_mask(radiograph.id(), "grade", &mask(24, 20, 1)).unwrap_err();
        assert!(matches!(fault, StoreError::NameTaken { .. }), "{fault}");
        store.keep_mask(radiograph.id(), "lungs", &mask(24, 20, 1)).unwrap();
        assert!(matches!(import("lungs"), Err(StoreError::NameTaken { .. })));
        assert_eq!(store.site_labels(radiograph.id()).unwrap().len(), 1);
    }
}
