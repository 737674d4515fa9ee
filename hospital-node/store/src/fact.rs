//! Rows of the database as the rest of the crate sees them.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use snowball_crypto::{Pseudonym, SealingKey, StoreKeys};
use snowball_imaging::{Acquisition, Evidence, Radiograph};
use snowball_protocol::{Sha256Digest, labels::Labels};
use snowball_worker::shard::Part;

use crate::{
    StoreError,
    codec::{self, Encoding},
    pack::{Extent, Packs},
    split,
};

/// The kept picture of one radiograph: MONOCHROME2 sense, full depth, row by row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Master {
    /// Number of rows.
    pub rows: u32,
    /// Number of columns.
    pub columns: u32,
    /// `rows * columns` values.
    pub pixels: Vec<u16>,
}

/// What is known of a radiograph, as it is sealed in its row.
#[derive(Serialize, Deserialize)]
pub(crate) struct Facts {
    /// Digest of the data set, which tells a duplicate from a conflict.
    pub content: Sha256Digest,
    pub study: Pseudonym,
    pub series: Pseudonym,
    pub accession: Option<Pseudonym>,
    /// Of the picture as it came.
    pub rows: u32,
    pub columns: u32,
    bits_stored: u8,
    #[serde(deserialize_with = "known_labels")]
    pub labels: Labels,
    /// Of the picture as it is kept.
    pub master_rows: u32,
    pub master_columns: u32,
    encoding: u8,
    /// Digest of the encoded picture, which datasets follow from.
    digest: Sha256Digest,
}

/// How the picture was made and what was taken away, sealed apart: only the census reads it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Making<A, E> {
    pub acquisition: A,
    pub evidence: E,
}

/// A picture as it will lie in a pack, before it is sealed.
pub(crate) struct Picture {
    pub rows: u32,
    pub columns: u32,
    pub encoding: Encoding,
    pub content: Vec<u8>,
    pub digest: Sha256Digest,
    /// Digest of the pixels themselves, by which a second look knows them again.
    pub pixels: Sha256Digest,
}

impl Facts {
    /// Seals what is known of `radiograph`.
    pub fn seal(key: &SealingKey, radiograph: &Radiograph, picture: &Picture) -> Result<Vec<u8>, StoreError> {
        let facts = Self {
            content: radiograph.content(),
            study: *radiograph.study(),
            series: *radiograph.series(),
            accession: radiograph.accession().copied(),
            rows: radiograph.rows(),
            columns: radiograph.columns(),
            bits_stored: radiograph.bits_stored(),
            labels: radiograph.labels().clone(),
            master_rows: picture.rows,
            master_columns: picture.columns,
            encoding: picture.encoding as u8,
            digest: picture.digest,
        };
        let place = facts_place(radiograph.id(), radiograph.patient());
        Ok(key.seal(&place, &json(&facts)?)?)
    }

    /// Opens the row of `radiograph`, if it is also that of `patient`.
    pub fn open(
        key: &SealingKey,
        radiograph: &Pseudonym,
        patient: &Pseudonym,
        sealed: Vec<u8>,
    ) -> Result<Self, StoreError> {
        opened(key, &facts_place(radiograph, patient), sealed)
    }
}

impl<'a> Making<&'a Acquisition, &'a Evidence> {
    /// Seals how `radiograph` was made.
    pub fn seal(key: &SealingKey, radiograph: &'a Radiograph) -> Result<Vec<u8>, StoreError> {
        let making = Self {
            acquisition: radiograph.acquisition(),
            evidence: radiograph.evidence(),
        };
        Ok(key.seal(&making_place(radiograph.id()), &json(&making)?)?)
    }
}

impl Making<serde_json::Value, serde_json::Value> {
    /// Opens how `radiograph` was made.
    pub fn open(key: &SealingKey, radiograph: &Pseudonym, sealed: Vec<u8>) -> Result<Self, StoreError> {
        opened(key, &making_place(radiograph), sealed)
    }
}

/// What a sealed picture is tied to: whose it is and where it lies, so that no two frames can change places.
pub(crate) fn picture_place(radiograph: &Pseudonym, extent: Extent) -> Vec<u8> {
    let (pack, offset) = (extent.pack.to_le_bytes(), extent.offset.to_le_bytes());
    [b"picture 1".as_slice(), radiograph.as_bytes(), &pack, &offset].concat()
}

fn facts_place(radiograph: &Pseudonym, patient: &Pseudonym) -> Vec<u8> {
    [b"facts 1".as_slice(), radiograph.as_bytes(), patient.as_bytes()].concat()
}

fn making_place(radiograph: &Pseudonym) -> Vec<u8> {
    [b"making 1".as_slice(), radiograph.as_bytes()].concat()
}

pub(crate) fn json(value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(value)
        .map_err(|fault| StoreError::Database(rusqlite::Error::ToSqlConversionFailure(Box::new(fault))))
}

pub(crate) fn opened<T: for<'de> Deserialize<'de>>(
    key: &SealingKey,
    place: &[u8],
    sealed: Vec<u8>,
) -> Result<T, StoreError> {
    let damaged = || StoreError::Damaged {
        what: "a row of the database is not what was written there".to_owned(),
    };
    let content = key.open(place, sealed).map_err(|_| damaged())?;
    serde_json::from_slice(&content).map_err(|_| damaged())
}

/// Labels with every term that this program does not know left out: one of a newer version is unknown, not damage.
fn known_labels<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Labels, D::Error> {
    let all = serde_json::Map::deserialize(from)?;
    if let Ok(labels) = serde_json::from_value(serde_json::Value::Object(all.clone())) {
        return Ok(labels);
    }
    let known = all.into_iter().filter(|(name, term)| {
        let alone = serde_json::Map::from_iter([(name.clone(), term.clone())]);
        serde_json::from_value::<Labels>(serde_json::Value::Object(alone)).is_ok()
    });
    serde_json::from_value(serde_json::Value::Object(known.collect())).map_err(serde::de::Error::custom)
}

/// One row, without what only the census reads.
pub(crate) struct Fact {
    pub radiograph: Pseudonym,
    pub patient: Pseudonym,
    pub part: Part,
    pub labels: Labels,
    pub digest: Sha256Digest,
    rows: u32,
    columns: u32,
    encoding: u8,
    extent: Extent,
}

impl Fact {
    /// Reads the pixels and makes sure that they are the ones that were written.
    pub fn master(&self, packs: &Packs, keys: &StoreKeys) -> Result<Master, StoreError> {
        let damaged = || StoreError::Damaged {
            what: format!(
                "what lies in pack {} at byte {} is not what was written there",
                self.extent.pack, self.extent.offset
            ),
        };
        let place = picture_place(&self.radiograph, self.extent);
        let content = keys
            .pictures
            .open(&place, packs.read(self.extent)?)
            .map_err(|_| damaged())?;
        let encoding = Encoding::from_code(self.encoding).ok_or_else(damaged)?;
        let pixels = codec::decode(encoding, self.rows, self.columns, &content).ok_or_else(damaged)?;
        Ok(Master {
            rows: self.rows,
            columns: self.columns,
            pixels,
        })
    }

    fn from_row(row: &Row<'_>, keys: &StoreKeys) -> Result<Self, StoreError> {
        let radiograph = Pseudonym::from_bytes(row.get(0)?);
        let patient = Pseudonym::from_bytes(row.get(1)?);
        let facts = Facts::open(&keys.facts, &radiograph, &patient, row.get(6)?)?;
        Ok(Self {
            radiograph,
            patient,
            part: part(row, 2)?,
            labels: facts.labels,
            rows: facts.master_rows,
            columns: facts.master_columns,
            extent: Extent {
                pack: row.get(3)?,
                offset: row.get::<_, i64>(4)?.unsigned_abs(),
                bytes: row.get(5)?,
            },
            encoding: facts.encoding,
            digest: facts.digest,
        })
    }
}

const SELECT: &str = "
    SELECT radiograph, pseudonym, part, pack, offset, bytes, facts
    FROM radiographs JOIN patients ON patient = number";

/// Every radiograph, in the order of its pseudonym.
pub(crate) fn all(connection: &Connection, keys: &StoreKeys) -> Result<Vec<Fact>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} ORDER BY radiograph"))?;
    let mut rows = statement.query([])?;
    let mut facts = Vec::new();
    while let Some(row) = rows.next()? {
        facts.push(Fact::from_row(row, keys)?);
    }
    Ok(facts)
}

pub(crate) fn find(
    connection: &Connection,
    keys: &StoreKeys,
    radiograph: &[u8; 32],
) -> Result<Option<Fact>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE radiograph = ?1"))?;
    let mut rows = statement.query(params![radiograph])?;
    rows.next()?.map(|row| Fact::from_row(row, keys)).transpose()
}

/// What is known of a stored radiograph.
pub(crate) fn facts(
    connection: &Connection,
    keys: &StoreKeys,
    radiograph: &Pseudonym,
) -> Result<Option<Facts>, StoreError> {
    let found: Option<([u8; 32], Vec<u8>)> = connection
        .prepare_cached(
            "SELECT pseudonym, facts FROM radiographs JOIN patients ON patient = number WHERE radiograph = ?1",
        )?
        .query_row(params![radiograph.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    found
        .map(|(patient, sealed)| Facts::open(&keys.facts, radiograph, &Pseudonym::from_bytes(patient), sealed))
        .transpose()
}

/// The digest of the data set behind a stored radiograph.
pub(crate) fn content(
    connection: &Connection,
    keys: &StoreKeys,
    radiograph: &Pseudonym,
) -> Result<Option<Sha256Digest>, StoreError> {
    Ok(facts(connection, keys, radiograph)?.map(|facts| facts.content))
}

pub(crate) fn count(connection: &Connection) -> Result<u64, StoreError> {
    let count: i64 = connection.query_row("SELECT count(*) FROM radiographs", [], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// The part in column `position`.
pub(crate) fn part(row: &Row<'_>, position: usize) -> rusqlite::Result<Part> {
    let code: u8 = row.get(position)?;
    split::part_from(code).ok_or(rusqlite::Error::IntegralValueOutOfRange(position, i64::from(code)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_of_a_newer_version_is_unknown_and_the_others_stay() {
        #[derive(Deserialize)]
        struct Row {
            #[serde(deserialize_with = "known_labels")]
            labels: Labels,
        }
        let json = r#"{"labels": {"body_part": "TENTACLE", "sex": "F", "age_years": 40.0}}"#;
        let labels = serde_json::from_str::<Row>(json).unwrap().labels;
        assert_eq!((labels.body_part, labels.age_years), (None, Some(40.0)));
        assert!(labels.sex.is_some());
    }
}
