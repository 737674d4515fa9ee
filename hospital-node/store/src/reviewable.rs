//! What a reviewer may be shown: every kept radiograph with the group that it is drawn in.

use snowball_crypto::Pseudonym;
use snowball_protocol::labels::BodyPart;

use crate::{
    Store, StoreError,
    fact::{Facts, Making},
};

/// A kept radiograph as samples for review are drawn from it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reviewable {
    /// Its pseudonym; [`Store::master`] gives the picture.
    pub radiograph: Pseudonym,
    /// What it shows.
    pub body_part: Option<BodyPart>,
    /// How it was taken, by its term; `None` where that is not known.
    pub modality: Option<String>,
}

/// Age band, sex, body part and maker of one radiograph, and the number of its patient within this store.
pub type Combination = ([String; 4], i64);

/// What was removed from pictures, over all that are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Redactions {
    /// Radiographs kept.
    pub radiographs: u64,
    /// Of these: with something removed.
    pub redacted: u64,
    /// Areas removed.
    pub areas: u64,
    /// Side letters that stayed.
    pub markers: u64,
}

impl Store {
    /// Every kept radiograph, in the order of its pseudonym.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn reviewables(&self) -> Result<Vec<Reviewable>, StoreError> {
        self.each_row(|radiograph, _, facts, making| Reviewable {
            radiograph,
            body_part: facts.labels.body_part,
            modality: term(&making.acquisition, "modality"),
        })
    }

    /// What small cells are looked for over: of each radiograph age band, sex, body part and maker, `unknown` where
    /// there is none, with a number for its patient. Not for anybody's eyes before small counts are hidden.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn combinations(&self) -> Result<Vec<Combination>, StoreError> {
        self.each_row(|_, patient, facts, making| {
            let labels = &facts.labels;
            let terms = [
                labels.age_years.and_then(crate::age_band).map(str::to_owned),
                labels.sex.map(|term| term.code().to_owned()),
                labels.body_part.map(|term| term.code().to_owned()),
                term(&making.acquisition, "manufacturer"),
            ];
            (terms.map(|term| term.unwrap_or_else(|| "unknown".to_owned())), patient)
        })
    }

    /// What the search for text did to the kept radiographs.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn redactions(&self) -> Result<Redactions, StoreError> {
        let count = |evidence: &serde_json::Value, name: &str| evidence.get(name).and_then(serde_json::Value::as_u64);
        let rows = self.each_row(|_, _, _, making| {
            let of = |name| count(&making.evidence, name).unwrap_or(0);
            (of("text_areas_removed"), of("markers_kept"))
        })?;
        Ok(Redactions {
            radiographs: rows.len() as u64,
            redacted: rows.iter().filter(|(areas, _)| *areas > 0).count() as u64,
            areas: rows.iter().map(|(areas, _)| areas).sum(),
            markers: rows.iter().map(|(_, markers)| markers).sum(),
        })
    }

    fn each_row<T>(
        &self,
        one: impl Fn(Pseudonym, i64, &Facts, &Making<serde_json::Value, serde_json::Value>) -> T,
    ) -> Result<Vec<T>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare(
                "SELECT radiograph, pseudonym, number, facts, making
                 FROM radiographs JOIN patients ON patient = number ORDER BY radiograph",
            )?;
            let mut rows = statement.query([])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let radiograph = Pseudonym::from_bytes(row.get(0)?);
                let pseudonym = Pseudonym::from_bytes(row.get(1)?);
                let facts = Facts::open(&self.keys.facts, &radiograph, &pseudonym, row.get(3)?)?;
                let making = Making::open(&self.keys.facts, &radiograph, row.get(4)?)?;
                found.push(one(radiograph, row.get(2)?, &facts, &making));
            }
            Ok(found)
        })
    }
}

fn term(acquisition: &serde_json::Value, name: &str) -> Option<String> {
    Some(acquisition.get(name)?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Sample, keys};

    #[test]
    fn each_radiograph_comes_once_with_its_terms() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), keys()).unwrap();
        store
            .add_all(&[Sample::new(1, 1), Sample::new(1, 2), Sample::new(2, 3)].map(|sample| sample.radiograph()))
            .unwrap();
        let all = store.reviewables().unwrap();
        assert!(all.len() == 3 && all.is_sorted_by_key(|one| *one.radiograph.as_bytes()));
        assert_eq!(all[0].modality.as_deref(), Some("digital_radiography"));
        assert_eq!(store.redactions().unwrap().radiographs, 3);
        assert!(store.master(&all[0].radiograph).unwrap().is_some());
        let combinations = store.combinations().unwrap();
        let mut patients: Vec<i64> = combinations.iter().map(|(_, patient)| *patient).collect();
        patients.sort_unstable();
        patients.dedup();
        assert_eq!((combinations.len(), patients.len()), (3, 2));
        assert!(combinations.iter().all(|(terms, _)| terms[2] == "CHEST"));
    }
}
