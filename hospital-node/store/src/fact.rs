//! What the database knows of one radiograph, and the way from there to its pixels.

use rusqlite::{Connection, OptionalExtension, Row, params};
use snowball_crypto::Pseudonym;
use snowball_protocol::{
    Sha256Digest,
    labels::{BodyPart, Labels, Laterality, Sex, View},
};
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
    pub fn master(&self, packs: &Packs) -> Result<Master, StoreError> {
        let damaged = || StoreError::Damaged {
            what: format!(
                "what lies in pack {} at byte {} is not what was written there",
                self.extent.pack, self.extent.offset
            ),
        };
        let content = packs.read(self.extent)?;
        if Sha256Digest::of(&content) != self.digest {
            return Err(damaged());
        }
        let encoding = Encoding::from_code(self.encoding).ok_or_else(damaged)?;
        let pixels = codec::decode(encoding, self.rows, self.columns, &content).ok_or_else(damaged)?;
        Ok(Master {
            rows: self.rows,
            columns: self.columns,
            pixels,
        })
    }

    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            radiograph: Pseudonym::from_bytes(row.get(0)?),
            patient: Pseudonym::from_bytes(row.get(1)?),
            part: part(row, 2)?,
            labels: labels(row, 3)?,
            rows: row.get(8)?,
            columns: row.get(9)?,
            extent: Extent {
                pack: row.get(10)?,
                offset: row.get::<_, i64>(11)?.unsigned_abs(),
                bytes: row.get(12)?,
            },
            encoding: row.get(13)?,
            digest: Sha256Digest::from_bytes(row.get(14)?),
        })
    }
}

const SELECT: &str = "
    SELECT radiograph, pseudonym, part, body_part, view, laterality, sex, age_years,
           master_rows, master_columns, pack, offset, bytes, encoding, digest
    FROM radiographs JOIN patients ON patient = number";

/// Every radiograph, in the order of its pseudonym.
pub(crate) fn all(connection: &Connection) -> Result<Vec<Fact>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} ORDER BY radiograph"))?;
    let facts = statement.query_map([], Fact::from_row)?.collect::<Result<_, _>>()?;
    Ok(facts)
}

pub(crate) fn find(connection: &Connection, radiograph: &[u8; 32]) -> Result<Option<Fact>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE radiograph = ?1"))?;
    Ok(statement.query_row(params![radiograph], Fact::from_row).optional()?)
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

/// The five labels that begin in column `first`; a term that this program does not know is unknown.
pub(crate) fn labels(row: &Row<'_>, first: usize) -> rusqlite::Result<Labels> {
    let term = |position: usize| {
        row.get_ref(first + position)
            .map(|value| value.as_str_or_null().ok().flatten())
    };
    Ok(Labels {
        body_part: term(0)?.and_then(BodyPart::from_code),
        view: term(1)?.and_then(View::from_code),
        laterality: term(2)?.and_then(Laterality::from_code),
        sex: term(3)?.and_then(Sex::from_code),
        age_years: row.get(first + 4)?,
    })
}
