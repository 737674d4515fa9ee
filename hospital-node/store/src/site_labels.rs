//! Labels that the hospital keeps outside DICOM, beside the radiographs that they belong to.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::params;
use serde::{Deserialize, Serialize};
use snowball_crypto::Pseudonym;
use snowball_protocol::site_label::SiteValue;

use crate::{
    Store, StoreError,
    fact::{self, Facts, Making},
};

/// One label of one radiograph.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SiteLabel {
    /// What it says.
    pub value: SiteValue,
    /// Whether its source is known to be wrong now and then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub noisy: bool,
}

/// A radiograph's labels by name.
pub type SiteLabels = BTreeMap<String, SiteLabel>;

/// The pseudonyms by which rows of a table find a radiograph.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RadiographKeys {
    /// The radiograph.
    pub radiograph: Pseudonym,
    /// Its patient.
    pub patient: Pseudonym,
    /// Its study.
    pub study: Pseudonym,
    /// Its accession number, where the header had one.
    pub accession: Option<Pseudonym>,
}

/// What becomes of labels that a table does not give.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Others {
    /// The table is all that is known under its names.
    Forget,
    /// The table comes beside those before it; where both say something, the later one counts.
    Keep,
}

impl Store {
    /// The pseudonyms of every radiograph, in the order of the radiographs' own.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn radiograph_keys(&self) -> Result<Vec<RadiographKeys>, StoreError> {
        self.rows(|radiograph, patient, facts, _| {
            Ok(RadiographKeys {
                radiograph,
                patient,
                study: facts.study,
                accession: facts.accession,
            })
        })
    }

    /// Takes `labels` in under `names`; what happens to radiographs that have a label of these names and are not in it, `others` says.
    /// Labels of other names stay. Running an import again changes nothing. Radiographs that are not stored are left out.
    ///
    /// # Errors
    /// When a mask has one of the names, or the disk refuses; then nothing has changed.
    pub fn set_site_labels(
        &self,
        names: &BTreeSet<String>,
        labels: &BTreeMap<Pseudonym, SiteLabels>,
        others: Others,
    ) -> Result<(), StoreError> {
        self.change(|connection, _| {
            let mut statement = connection.prepare("SELECT radiograph FROM radiographs")?;
            let radiographs = statement.query_map([], |row| Ok(Pseudonym::from_bytes(row.get(0)?)))?;
            for radiograph in radiographs.collect::<Result<Vec<_>, _>>()? {
                if self
                    .masks_in(connection, &radiograph)?
                    .keys()
                    .any(|name| names.contains(name))
                {
                    return Err(StoreError::NameTaken { what: "a mask" });
                }
                let before = self.site_labels_in(connection, &radiograph)?;
                let mut after = before.clone();
                if others == Others::Forget {
                    after.retain(|name, _| !names.contains(name));
                }
                let fresh = labels.get(&radiograph).into_iter().flatten();
                after.extend(fresh.map(|(name, label)| (name.clone(), label.clone())));
                if after == before {
                    continue;
                }
                connection
                    .prepare_cached("DELETE FROM site_labels WHERE radiograph = ?1")?
                    .execute([radiograph.as_bytes()])?;
                if !after.is_empty() {
                    let sealed = self.keys.facts.seal(&place(&radiograph), &fact::json(&after)?)?;
                    connection
                        .prepare_cached("INSERT INTO site_labels (radiograph, labels) VALUES (?1, ?2)")?
                        .execute(params![radiograph.as_bytes(), sealed])?;
                }
            }
            Ok(())
        })
    }

    /// How many radiographs have a label of `names` that `labels` does not give them: what [`Others::Forget`] forgets.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn site_labels_beside(
        &self,
        names: &BTreeSet<String>,
        labels: &BTreeMap<Pseudonym, SiteLabels>,
    ) -> Result<BTreeMap<String, u64>, StoreError> {
        self.read(|connection| {
            let mut beside = BTreeMap::new();
            let mut statement = connection.prepare("SELECT radiograph FROM site_labels")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let radiograph = Pseudonym::from_bytes(row.get(0)?);
                let given = labels.get(&radiograph);
                for name in self.site_labels_in(connection, &radiograph)?.into_keys() {
                    if names.contains(&name) && given.is_none_or(|given| !given.contains_key(&name)) {
                        *beside.entry(name).or_default() += 1;
                    }
                }
            }
            Ok(beside)
        })
    }

    /// The hospital's own labels of one radiograph, without its masks.
    ///
    /// # Errors
    /// When the database cannot be read or its row is damaged.
    pub fn site_labels(&self, radiograph: &Pseudonym) -> Result<SiteLabels, StoreError> {
        self.read(|connection| self.site_labels_in(connection, radiograph))
    }

    pub(crate) fn site_labels_in(
        &self,
        connection: &rusqlite::Connection,
        radiograph: &Pseudonym,
    ) -> Result<SiteLabels, StoreError> {
        use rusqlite::OptionalExtension;
        let sealed: Option<Vec<u8>> = connection
            .prepare_cached("SELECT labels FROM site_labels WHERE radiograph = ?1")?
            .query_row([radiograph.as_bytes()], |row| row.get(0))
            .optional()?;
        sealed.map_or_else(
            || Ok(SiteLabels::new()),
            |sealed| fact::opened(&self.keys.facts, &place(radiograph), sealed),
        )
    }

    /// The hospital's own labels of one radiograph, its masks among them.
    pub(crate) fn all_labels_in(
        &self,
        connection: &rusqlite::Connection,
        radiograph: &Pseudonym,
    ) -> Result<SiteLabels, StoreError> {
        let mut labels = self.site_labels_in(connection, radiograph)?;
        let masks = self.masks_in(connection, radiograph)?;
        labels.extend(masks.into_iter().map(|(name, mask)| (name, mask.label())));
        Ok(labels)
    }

    /// The names of all labels that some radiograph has.
    pub(crate) fn site_label_names_in(
        &self,
        connection: &rusqlite::Connection,
    ) -> Result<BTreeSet<String>, StoreError> {
        let mut statement =
            connection.prepare("SELECT radiograph FROM site_labels UNION SELECT radiograph FROM masks")?;
        let mut rows = statement.query([])?;
        let mut names = BTreeSet::new();
        while let Some(row) = rows.next()? {
            let radiograph = Pseudonym::from_bytes(row.get(0)?);
            names.extend(self.all_labels_in(connection, &radiograph)?.into_keys());
        }
        Ok(names)
    }

    /// For each label of the vocabulary, which link of the chain resolved it, and how often.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn label_sources(&self) -> Result<BTreeMap<String, BTreeMap<String, u64>>, StoreError> {
        let mut counts: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        for sources in self.rows(|_, _, _, making| Ok(making.evidence.get("labels").cloned()))? {
            let Some(serde_json::Value::Object(sources)) = sources else {
                continue;
            };
            for (label, source) in sources {
                let source = source.as_str().unwrap_or("unknown").to_owned();
                *counts.entry(label).or_default().entry(source).or_default() += 1;
            }
        }
        Ok(counts)
    }

    /// Opens every row in turn.
    fn rows<T>(
        &self,
        take: impl Fn(Pseudonym, Pseudonym, Facts, Making<serde_json::Value, serde_json::Value>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare(
                "SELECT radiograph, pseudonym, facts, making
                 FROM radiographs JOIN patients ON patient = number ORDER BY radiograph",
            )?;
            let mut rows = statement.query([])?;
            let mut taken = Vec::new();
            while let Some(row) = rows.next()? {
                let (radiograph, patient) = (Pseudonym::from_bytes(row.get(0)?), Pseudonym::from_bytes(row.get(1)?));
                let facts = Facts::open(&self.keys.facts, &radiograph, &patient, row.get(2)?)?;
                let making = Making::open(&self.keys.facts, &radiograph, row.get(3)?)?;
                taken.push(take(radiograph, patient, facts, making)?);
            }
            Ok(taken)
        })
    }
}

fn place(radiograph: &Pseudonym) -> Vec<u8> {
    [b"site labels 1".as_slice(), radiograph.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cell, sample::Sample};

    fn class(code: &str) -> SiteLabel {
        SiteLabel {
            value: SiteValue::Class(code.to_owned()),
            noisy: true,
        }
    }

    fn labels(pairs: &[(&str, &str)]) -> SiteLabels {
        pairs
            .iter()
            .map(|(name, code)| ((*name).to_owned(), class(code)))
            .collect()
    }

    #[test]
    fn an_import_replaces_what_it_names_and_leaves_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
        let (first, second) = (Sample::new(1, 1).radiograph(), Sample::new(2, 2).radiograph());
        store.add_all(&[first.clone(), second.clone()]).unwrap();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let both = [
            (*first.id(), labels(&[("grade", "2"), ("clinic", "cast")])),
            (*second.id(), labels(&[("grade", "0")])),
            (Pseudonym::from_bytes([9; 32]), labels(&[("grade", "1")])),
        ];
        store
            .set_site_labels(&names(&["grade", "clinic"]), &both.into(), Others::Forget)
            .unwrap();
        let later = [(*second.id(), labels(&[("grade", "4")]))].into();
        let grade = names(&["grade"]);
        assert_eq!(
            store.site_labels_beside(&grade, &later).unwrap(),
            [("grade".to_owned(), 1)].into()
        );
        store.set_site_labels(&grade, &later, Others::Keep).unwrap();
        assert_eq!(
            store.site_labels(first.id()).unwrap(),
            labels(&[("grade", "2"), ("clinic", "cast")])
        );
        assert_eq!(store.site_labels(second.id()).unwrap(), labels(&[("grade", "4")]));
        store.set_site_labels(&grade, &later, Others::Forget).unwrap();
        assert_eq!(store.site_labels_beside(&grade, &later).unwrap(), BTreeMap::new());
        assert_eq!(store.site_labels(first.id()).unwrap(), labels(&[("clinic", "cast")]));
        assert_eq!(store.site_labels(second.id()).unwrap(), labels(&[("grade", "4")]));
        let census = store.census().unwrap();
        assert!(
            matches!(
                census.tables["site: clinic"].get("cast"),
                Some(Cell::Counted { radiographs: 1, .. })
            ),
            "{:?}",
            census.tables.keys()
        );
        let raw = std::fs::read(folder.path().join("store.sqlite")).unwrap();
        assert!(!raw.windows(4).any(|window| window == b"cast"), "sealed");

        store.withdraw(first.patient()).unwrap();
        assert!(store.site_labels(first.id()).unwrap().is_empty());
    }

    #[test]
    fn keys_and_sources_are_those_of_the_radiographs() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
        let radiograph = Sample::new(1, 1).radiograph();
        store.add(&radiograph).unwrap();
        let keys = store.radiograph_keys().unwrap();
        assert_eq!(
            (keys[0].patient, keys[0].study, keys[0].accession),
            (
                *radiograph.patient(),
                *radiograph.study(),
                radiograph.accession().copied()
            )
        );
        assert_eq!(store.label_sources().unwrap()["body_part"]["attribute"], 1);
    }
}
