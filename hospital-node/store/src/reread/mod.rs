//! A second, independent look at what was written of a radiograph: its own way to the rows, its own reading of them, its own
//! rules of what may stand there, its own decoding of the pixels, and the marks of what identified somebody in the file.
//!
//! It asks no type of this program what a row should be; it denies what it does not know. A radiograph counts as taken in
//! only once this found nothing; what it finds is taken back, and the file goes to the quarantine. The search for text in the
//! pixels found nothing before they were written, and equal pixels give the same answer: so it is done again for a sample of
//! what comes in ([`SEARCH_EVERY`]), and for all where [`Store::look_again`] is asked to.
//!
//! Equal pixels only. A large radiograph is kept smaller, and that is another picture to the search: its finest scale begins
//! elsewhere, so that it takes an edge of bone for writing which it passed in the size in which it came. So the sample is searched
//! in the size in which the intake searched it; that the kept pixels are those, scaled down, their digest says.

mod pixels;
mod terms;

#[cfg(test)]
mod smaller;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{OptionalExtension, params};
use serde::Serialize;
use serde_json::Value;
use snowball_crypto::Pseudonym;
use snowball_imaging::{Marks, Radiograph, TextSearch};
use snowball_protocol::Sha256Digest;

use crate::{Store, StoreError, fact::picture_place, pack::Extent};

/// Of so many radiographs that come in, one is searched for text again, chosen by its pseudonym.
const SEARCH_EVERY: u8 = 16;

/// What is wrong with what was written of a radiograph.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unsound {
    /// It cannot be read back: a row is missing, or something does not open.
    Unreadable,
    /// The pixels are not those that were to be kept, or do not decode.
    Pixels,
    /// A value of a pixel is larger than its depth allows.
    Depth,
    /// A row holds a field, a term or a number that the closed vocabulary does not have.
    Vocabulary,
    /// A row says something else than what was to be kept.
    Content,
    /// Something that identified somebody in the file.
    Identifier,
    /// Text in the pixels.
    Text,
}

/// What a look at everything that is stored found.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct LookedAgain {
    /// Radiographs that were read again.
    pub radiographs: u64,
    /// Of these: with something wrong.
    pub unsound: u64,
    /// How many have each kind of fault.
    pub faults: BTreeMap<Unsound, u64>,
}

/// What a row and its pixels hold, as they were read back.
struct Written {
    facts: Vec<u8>,
    making: Vec<u8>,
    content: Vec<u8>,
}

impl Store {
    /// Looks at what was written of `radiograph`. `pixels` is the digest of the pixels that were to be kept, where they were
    /// kept now and not by an earlier run.
    pub(crate) fn reread(
        &self,
        radiograph: &Radiograph,
        pixels: Option<Sha256Digest>,
    ) -> Result<BTreeSet<Unsound>, StoreError> {
        let is_drawn = radiograph.id().as_bytes()[0].is_multiple_of(SEARCH_EVERY);
        self.reread_drawn(radiograph, pixels, is_drawn)
    }

    /// The same, where it `is_drawn` with a search for text.
    fn reread_drawn(
        &self,
        radiograph: &Radiograph,
        pixels: Option<Sha256Digest>,
        is_drawn: bool,
    ) -> Result<BTreeSet<Unsound>, StoreError> {
        let Some(written) = self.written(radiograph.id())? else {
            return Ok([Unsound::Unreadable].into());
        };
        // Of what an earlier run or an earlier version wrote, labels and the search may differ with good reason.
        let is_new = pixels.is_some();
        let search = is_new && is_drawn;
        let mut look = Look {
            found: BTreeSet::new(),
            search: search.then(|| self.search()),
            came_as: Some(radiograph),
        };
        look.at(&written, pixels, Some(radiograph.marks()));
        if is_new && !says(&written, radiograph) {
            look.found.insert(Unsound::Content);
        }
        Ok(look.found)
    }

    /// Looks at everything that is stored, without the marks of the files it came from; with `search_text` also for text in
    /// the pixels, which takes as long as the search at intake. What was kept smaller than it came is searched in the size in which it
    /// is kept, where the search may see what it did not see at intake: a person looks. Nothing is changed.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn look_again(&self, search_text: bool) -> Result<LookedAgain, StoreError> {
        use rayon::prelude::*;
        let radiographs: Vec<Pseudonym> = self.read(|connection| {
            let mut statement = connection.prepare("SELECT radiograph FROM radiographs ORDER BY pack, offset")?;
            let rows = statement.query_map([], |row| Ok(Pseudonym::from_bytes(row.get(0)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })?;
        let found: Vec<BTreeSet<Unsound>> = radiographs
            .par_iter()
            .map(|radiograph| {
                let mut look = Look {
                    found: BTreeSet::new(),
                    search: search_text.then(|| self.search()),
                    came_as: None,
                };
                match self.written(radiograph)? {
                    Some(written) => look.at(&written, None, None),
                    None => drop(look.found.insert(Unsound::Unreadable)),
                }
                Ok(look.found)
            })
            .collect::<Result<_, StoreError>>()?;
        let mut all = LookedAgain {
            radiographs: found.len() as u64,
            ..LookedAgain::default()
        };
        for kinds in found.iter().filter(|kinds| !kinds.is_empty()) {
            all.unsound += 1;
            kinds.iter().for_each(|kind| *all.faults.entry(*kind).or_default() += 1);
        }
        Ok(all)
    }

    /// Takes a radiograph back: its row goes, that of a patient without any other goes with it, and its pixels are overwritten.
    pub(crate) fn take_back(&self, radiograph: &Pseudonym) -> Result<(), StoreError> {
        let id = radiograph.as_bytes();
        self.change(|connection, _| {
            connection.execute(
                "INSERT OR REPLACE INTO erasures SELECT pack, offset, bytes FROM radiographs
                 WHERE bytes > 0 AND radiograph = ?1",
                params![id],
            )?;
            connection.execute(
                "INSERT OR REPLACE INTO erasures SELECT pack, offset, bytes FROM masks WHERE radiograph = ?1",
                params![id],
            )?;
            let patient: Option<i64> = connection
                .query_row(
                    "DELETE FROM radiographs WHERE radiograph = ?1 RETURNING patient",
                    params![id],
                    |row| row.get(0),
                )
                .optional()?;
            Ok(connection.execute(
                "DELETE FROM patients WHERE number = ?1
                 AND NOT EXISTS (SELECT 1 FROM radiographs WHERE patient = ?1)
                 AND NOT EXISTS (SELECT 1 FROM members WHERE patient = ?1)",
                params![patient],
            )?)
        })?;
        self.finish_erasures()
    }

    fn search(&self) -> &TextSearch {
        self.text_search.get_or_init(TextSearch::standard)
    }

    /// Row and pixels as they lie on disk, opened; `None` where something is missing or does not open.
    fn written(&self, radiograph: &Pseudonym) -> Result<Option<Written>, StoreError> {
        type Row = ([u8; 32], Extent, Vec<u8>, Vec<u8>);
        let row: Option<Row> = self.read(|connection| {
            let row = connection
                .prepare_cached(
                    "SELECT (SELECT pseudonym FROM patients WHERE number = radiographs.patient), pack, offset, bytes,
                     facts, making FROM radiographs WHERE radiograph = ?1",
                )?
                .query_row(params![radiograph.as_bytes()], |row| {
                    let extent = Extent {
                        pack: row.get(1)?,
                        offset: row.get::<_, i64>(2)?.unsigned_abs(),
                        bytes: row.get(3)?,
                    };
                    Ok((row.get(0)?, extent, row.get(4)?, row.get(5)?))
                })
                .optional()?;
            Ok(row)
        })?;
        let Some((patient, extent, facts, making)) = row else {
            return Ok(None);
        };
        let place = [b"facts 1".as_slice(), radiograph.as_bytes(), &patient].concat();
        let facts = self.keys.facts.open(&place, facts).ok();
        let place = [b"making 1".as_slice(), radiograph.as_bytes()].concat();
        let making = self.keys.facts.open(&place, making).ok();
        let sealed = self.packs.read(extent).ok();
        let content =
            sealed.and_then(|sealed| self.keys.pictures.open(&picture_place(radiograph, extent), sealed).ok());
        Ok(match (facts, making, content) {
            (Some(facts), Some(making), Some(content)) => Some(Written {
                facts: facts.to_vec(),
                making: making.to_vec(),
                content: content.to_vec(),
            }),
            _ => None,
        })
    }
}

/// A look at one radiograph.
struct Look<'a> {
    found: BTreeSet<Unsound>,
    search: Option<&'a TextSearch>,
    /// The radiograph as the intake searched it, where it is at hand.
    came_as: Option<&'a Radiograph>,
}

impl Look<'_> {
    fn at(&mut self, written: &Written, wanted: Option<Sha256Digest>, marks: Option<&Marks>) {
        let rows = [&written.facts, &written.making].map(|bytes| serde_json::from_slice::<Value>(bytes).ok());
        let [Some(facts), Some(making)] = rows else {
            self.found.insert(Unsound::Unreadable);
            return;
        };
        if !terms::are_known(&facts, terms::FACTS) || !terms::are_known(&making, terms::MAKING) {
            self.found.insert(Unsound::Vocabulary);
        }
        if let Some(marks) = marks {
            let rows = [(&facts, terms::FACTS), (&making, terms::MAKING)];
            let knows = |text: &str| marks.know(text);
            if rows
                .into_iter()
                .any(|(row, fields)| terms::says_any(row, fields, &knows))
            {
                self.found.insert(Unsound::Identifier);
            }
        }
        self.pixels(&facts, &making, &written.content, wanted, marks);
    }

    fn pixels(
        &mut self,
        facts: &Value,
        making: &Value,
        content: &[u8],
        wanted: Option<Sha256Digest>,
        marks: Option<&Marks>,
    ) {
        let number = |name: &str| facts.get(name).and_then(Value::as_u64).unwrap_or(0);
        let (rows, columns, bits) = (number("master_rows"), number("master_columns"), number("bits_stored"));
        let declared = facts.get("digest").and_then(Value::as_str);
        let decoded = pixels::decoded(number("encoding"), rows, columns, content)
            .filter(|_| declared == Some(Sha256Digest::of(content).to_string().as_str()));
        let Some(decoded) = decoded else {
            self.found.insert(Unsound::Pixels);
            return;
        };
        let bytes = pixels::bytes(&decoded);
        if wanted.is_some_and(|wanted| wanted != Sha256Digest::of(&bytes)) {
            self.found.insert(Unsound::Pixels);
        }
        if decoded.iter().any(|value| u64::from(*value) >> bits.min(16) != 0) {
            self.found.insert(Unsound::Depth);
        }
        if marks.is_some_and(|marks| marks.are_in(&bytes)) {
            self.found.insert(Unsound::Identifier);
        }
        let is_reviewed = making.pointer("/evidence/burned_in").and_then(Value::as_str) == Some("reviewed");
        // What a person looked at and let pass is not found again.
        if let Some(search) = self.search.filter(|_| !is_reviewed) {
            let (rows, columns) = (rows as u32, columns as u32);
            let larger = self
                .came_as
                .filter(|one| (one.rows(), one.columns()) != (rows, columns));
            let shows = match larger {
                Some(one) => search.finds(one.rows(), one.columns(), one.pixels()),
                None => search.finds(rows, columns, &decoded),
            };
            if shows {
                self.found.insert(Unsound::Text);
            }
        }
    }
}

/// Whether the rows say of the radiograph what it says itself.
fn says(written: &Written, radiograph: &Radiograph) -> bool {
    let [Ok(facts), Ok(making)] = [&written.facts, &written.making].map(|bytes| serde_json::from_slice::<Value>(bytes))
    else {
        return false;
    };
    let value = |of: &Value, name: &str| of.get(name).cloned().unwrap_or_default();
    let texts = [
        ("content", radiograph.content().to_string()),
        ("study", radiograph.study().to_string()),
        ("series", radiograph.series().to_string()),
    ];
    let numbers = [
        ("rows", radiograph.rows()),
        ("columns", radiograph.columns()),
        ("bits_stored", radiograph.bits_stored().into()),
    ];
    let accession = radiograph.accession().map(ToString::to_string);
    texts.iter().all(|(name, text)| value(&facts, name) == *text.as_str())
        && numbers.iter().all(|(name, number)| value(&facts, name) == *number)
        && value(&facts, "accession") == Value::from(accession)
        && same(&value(&facts, "labels"), radiograph.labels())
        && same(&value(&making, "acquisition"), radiograph.acquisition())
        && same(&value(&making, "evidence"), radiograph.evidence())
}

/// Compared as text: numbers with a fraction have one spelling, and no other equality.
fn same(written: &Value, meant: &impl Serialize) -> bool {
    let meant = serde_json::to_vec(meant)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    meant.is_some_and(|meant| meant == *written)
}
