//! What others call a stored radiograph that they refer to, and how large it was when it came.

use rusqlite::{OptionalExtension, params};
use snowball_crypto::Pseudonym;
use snowball_imaging::ObjectClass;

use crate::{
    Store, StoreError,
    fact::{Facts, Making},
};

/// A stored radiograph as the source of something that was made of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Source {
    /// Its patient.
    pub patient: Pseudonym,
    /// Its study.
    pub study: Pseudonym,
    /// Its series.
    pub series: Pseudonym,
    /// Rows of the picture as it came.
    pub rows: u32,
    /// Columns of it.
    pub columns: u32,
    /// Its SOP class.
    pub class: ObjectClass,
    /// Whether it had been compressed with loss.
    pub lossy: bool,
}

impl Store {
    /// Where `radiograph` belongs; `None` where there is no such radiograph.
    ///
    /// # Errors
    /// When the database cannot be read, or the row is one of a newer version.
    pub fn source_of(&self, radiograph: &Pseudonym) -> Result<Option<Source>, StoreError> {
        self.read(|connection| {
            let found: Option<([u8; 32], Vec<u8>, Vec<u8>)> = connection
                .prepare_cached(
                    "SELECT pseudonym, facts, making FROM radiographs JOIN patients ON patient = number WHERE radiograph = ?1",
                )?
                .query_row(params![radiograph.as_bytes()], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })
                .optional()?;
            let Some((patient, facts, making)) = found else {
                return Ok(None);
            };
            let patient = Pseudonym::from_bytes(patient);
            let facts = Facts::open(&self.keys.facts, radiograph, &patient, facts)?;
            let making = Making::open(&self.keys.facts, radiograph, making)?;
            let class = making.acquisition.get("class").cloned().unwrap_or_default();
            let class = serde_json::from_value(class).map_err(|_| StoreError::Damaged {
                what: "a row of the database names a class of a newer version".to_owned(),
            })?;
            Ok(Some(Source {
                patient,
                study: facts.study,
                series: facts.series,
                rows: facts.rows,
                columns: facts.columns,
                class,
                lossy: making.acquisition.get("lossy") == Some(&serde_json::Value::Bool(true)),
            }))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Sample, keys};

    #[test]
    fn a_radiograph_is_found_with_what_it_belongs_to() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), keys()).unwrap();
        let (one, other) = (Sample::new(1, 1).radiograph(), Sample::new(2, 2).radiograph());
        store.add_all(&[one.clone(), other.clone()]).unwrap();
        let found = store.source_of(one.id()).unwrap().unwrap();
        let source = Source {
            patient: *one.patient(),
            study: *one.study(),
            series: *one.series(),
            rows: 24,
            columns: 20,
            class: ObjectClass::DigitalPresentation,
            lossy: false,
        };
        assert_eq!(found, source);
        assert_ne!(store.source_of(other.id()).unwrap().unwrap().patient, found.patient);
        assert_eq!(store.source_of(&Pseudonym::from_bytes([0; 32])).unwrap(), None);
    }
}
