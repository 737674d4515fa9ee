//! Masks that the hospital drew, beside the pictures that they lie over: in the packs, sealed as pictures are, and gone with them.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use snowball_crypto::{Pseudonym, SEAL_BYTES};
use snowball_protocol::{Sha256Digest, site_label::SiteValue};

mod import;

pub use import::MaskImporter;

use crate::{
    SiteLabel, Store, StoreError,
    codec::{self, Encoding},
    fact::{self, Facts},
    pack::Extent,
    writer::Tail,
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

/// Where a mask stands before it is kept.
enum Standing {
    /// It is not to be kept, and why.
    Refused(MaskKept),
    /// It is, with these values, in the place of what is there.
    Wanted {
        values: Vec<u8>,
        columns: u32,
        before: Option<Row>,
    },
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
    /// than the store keeps; each value is then the nearest one. Durable when this returns; for many, see
    /// [`mask_importer`](Self::mask_importer).
    ///
    /// # Errors
    /// When a label has that name already or the disk refuses; then nothing has changed.
    pub fn keep_mask(&self, radiograph: &Pseudonym, name: &str, mask: &Mask) -> Result<MaskKept, StoreError> {
        let kept = self.change(|connection, tail| self.put_mask(connection, tail, radiograph, name, mask))?;
        self.finish_erasures()?;
        Ok(kept)
    }

    /// What [`keep_mask`](Self::keep_mask) would answer; nothing is changed.
    ///
    /// # Errors
    /// As [`keep_mask`](Self::keep_mask).
    pub fn weigh_mask(&self, radiograph: &Pseudonym, name: &str, mask: &Mask) -> Result<MaskKept, StoreError> {
        self.read(|connection| {
            Ok(match self.standing_mask(connection, radiograph, name, mask)? {
                Standing::Refused(answer) => answer,
                Standing::Wanted { before: Some(_), .. } => MaskKept::Replaced,
                Standing::Wanted { before: None, .. } => MaskKept::New,
            })
        })
    }

    /// Keeps a mask within a change under way. The one that it replaces is overwritten by [`finish_erasures`](Self::finish_erasures)
    /// once the change is durable, and not before.
    pub(crate) fn put_mask(
        &self,
        connection: &Connection,
        tail: &mut Tail<'_>,
        radiograph: &Pseudonym,
        name: &str,
        mask: &Mask,
    ) -> Result<MaskKept, StoreError> {
        let (values, columns, before) = match self.standing_mask(connection, radiograph, name, mask)? {
            Standing::Refused(answer) => return Ok(answer),
            Standing::Wanted {
                values,
                columns,
                before,
            } => (values, columns, before),
        };
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
            digest: Sha256Digest::of(&values),
            largest: values.iter().copied().max().unwrap_or(0),
            encoding: encoding as u8,
        };
        let sealed = self
            .keys
            .facts
            .seal(&about_place(radiograph, extent), &fact::json(&about)?)?;
        connection
            .prepare_cached("INSERT INTO masks (radiograph, pack, offset, bytes, about) VALUES (?1, ?2, ?3, ?4, ?5)")?
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
    }

    /// What is to become of a mask, before anything is changed.
    fn standing_mask(
        &self,
        connection: &Connection,
        radiograph: &Pseudonym,
        name: &str,
        mask: &Mask,
    ) -> Result<Standing, StoreError> {
        let Some(facts) = fact::facts(connection, &self.keys, radiograph)? else {
            return Ok(Standing::Refused(MaskKept::NoRadiograph));
        };
        if (mask.rows, mask.columns) != (facts.rows, facts.columns) {
            return Ok(Standing::Refused(MaskKept::OtherSize));
        }
        if self.site_labels_in(connection, radiograph)?.contains_key(name) {
            return Err(StoreError::NameTaken { what: "a label" });
        }
        let (rows, columns) = (facts.master_rows, facts.master_columns);
        let values = snowball_imaging::nearest(mask.rows, mask.columns, &mask.values, rows, columns);
        let before = self.masks_in(connection, radiograph)?.remove(name);
        if before
            .as_ref()
            .is_some_and(|row| row.about.digest == Sha256Digest::of(&values))
        {
            return Ok(Standing::Refused(MaskKept::Same));
        }
        Ok(Standing::Wanted {
            values,
            columns,
            before,
        })
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
mod tests;
