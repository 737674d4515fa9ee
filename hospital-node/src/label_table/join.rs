//! Which row says what of which radiograph. Rows under one key that agree are one; where they contradict each other about a
//! label, nothing is taken for it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use snowball_crypto::Pseudonym;
use snowball_store::RadiographKeys;

use super::{KeyKind, LabelTable, Labels};

/// What a join found. Rows are named by their line in the file, which is nobody's identifier.
#[derive(Debug, Default, Serialize)]
pub struct Joined {
    /// Rows of the table.
    pub rows: u64,
    /// Lines without a key.
    pub keyless_lines: Vec<u64>,
    /// Lines whose key is no radiograph's.
    pub unmatched_lines: Vec<u64>,
    /// Lines that say again what an earlier line said.
    pub repeated_lines: Vec<u64>,
    /// Lines that contradict an earlier line of the same key about some label.
    pub contradicting_lines: Vec<u64>,
    /// Radiographs that a row was found for.
    pub radiographs_matched: u64,
    /// Radiographs without a row, or without the identifier that rows are found by.
    pub radiographs_without_row: u64,
    /// For each label, radiographs that have it now.
    pub labelled: BTreeMap<String, u64>,
    /// For each label, radiographs that lack it because rows contradict each other.
    pub contradicted: BTreeMap<String, u64>,
    /// For each label, radiographs that have it from an earlier table and not from this one.
    pub beside: BTreeMap<String, u64>,
    /// What to keep, by radiograph.
    #[serde(skip)]
    pub labels: BTreeMap<Pseudonym, Labels>,
}

/// All that the rows of one key say.
#[derive(Default)]
struct Said {
    lines: Vec<u64>,
    labels: Labels,
    contradicted: BTreeSet<String>,
    radiographs: u64,
}

/// Joins `table` to `radiographs`.
pub fn join(table: LabelTable, kind: KeyKind, radiographs: &[RadiographKeys]) -> Joined {
    let mut joined = Joined {
        rows: (table.rows.len() + table.keyless_lines.len()) as u64,
        keyless_lines: table.keyless_lines,
        ..Joined::default()
    };
    let mut keys: BTreeMap<Pseudonym, Said> = BTreeMap::new();
    for (line, key, labels) in table.rows {
        let said = keys.entry(key).or_default();
        let is_first = said.lines.is_empty();
        said.lines.push(line);
        match said.add(labels) {
            Agreement::Contradicts => joined.contradicting_lines.push(line),
            Agreement::Repeats if !is_first => joined.repeated_lines.push(line),
            Agreement::Repeats | Agreement::Adds => {}
        }
    }
    for radiograph in radiographs {
        let key = match kind {
            KeyKind::Accession => radiograph.accession,
            KeyKind::Patient => Some(radiograph.patient),
            KeyKind::Study => Some(radiograph.study),
        };
        let Some(said) = key.and_then(|key| keys.get_mut(&key)) else {
            joined.radiographs_without_row += 1;
            continue;
        };
        said.radiographs += 1;
        joined.radiographs_matched += 1;
        for label in said.labels.keys() {
            *joined.labelled.entry(label.clone()).or_default() += 1;
        }
        for label in &said.contradicted {
            *joined.contradicted.entry(label.clone()).or_default() += 1;
        }
        if !said.labels.is_empty() {
            joined.labels.insert(radiograph.radiograph, said.labels.clone());
        }
    }
    joined.unmatched_lines = keys
        .values()
        .filter(|said| said.radiographs == 0)
        .flat_map(|said| said.lines.iter().copied())
        .collect();
    joined.unmatched_lines.sort_unstable();
    joined
}

enum Agreement {
    Adds,
    Repeats,
    Contradicts,
}

impl Said {
    fn add(&mut self, labels: Labels) -> Agreement {
        let mut agreement = Agreement::Repeats;
        for (name, label) in labels {
            match self.labels.get(&name) {
                _ if self.contradicted.contains(&name) => agreement = Agreement::Contradicts,
                Some(known) if *known == label => {}
                Some(_) => {
                    self.labels.remove(&name);
                    self.contradicted.insert(name);
                    agreement = Agreement::Contradicts;
                }
                None => {
                    self.labels.insert(name, label);
                    if matches!(agreement, Agreement::Repeats) {
                        agreement = Agreement::Adds;
                    }
                }
            }
        }
        agreement
    }
}

#[cfg(test)]
mod tests {
    use snowball_protocol::site_label::SiteValue;
    use snowball_store::SiteLabel;

    use super::*;

    fn pseudonym(number: u8) -> Pseudonym {
        Pseudonym::from_bytes([number; 32])
    }

    fn says(labels: &[(&str, &str)]) -> Labels {
        let label = |code: &str| SiteLabel {
            value: SiteValue::Class(code.to_owned()),
            noisy: false,
        };
        labels
            .iter()
            .map(|(name, code)| ((*name).to_owned(), label(code)))
            .collect()
    }

    fn radiograph(number: u8, accession: Option<u8>) -> RadiographKeys {
        RadiographKeys {
            radiograph: pseudonym(number),
            patient: pseudonym(200),
            study: pseudonym(100 + number),
            accession: accession.map(pseudonym),
        }
    }

    #[test]
    fn each_row_and_each_radiograph_is_accounted_for() {
        let table = LabelTable {
            rows: vec![
                (2, pseudonym(1), says(&[("grade", "2"), ("clinic", "cast")])),
                (3, pseudonym(1), says(&[("grade", "2")])),
                (4, pseudonym(2), says(&[("grade", "0"), ("clinic", "cast")])),
                (5, pseudonym(2), says(&[("grade", "1")])),
                (6, pseudonym(2), says(&[("grade", "0")])),
                (7, pseudonym(9), says(&[("grade", "4")])),
            ],
            keyless_lines: vec![8],
        };
        let stored = [
            radiograph(11, Some(1)),
            radiograph(12, Some(1)),
            radiograph(13, Some(2)),
            radiograph(14, Some(3)),
            radiograph(15, None),
        ];
        let joined = join(table, KeyKind::Accession, &stored);
        assert_eq!((joined.rows, joined.keyless_lines.as_slice()), (7, [8].as_slice()));
        assert_eq!(joined.unmatched_lines, [7]);
        assert_eq!(joined.repeated_lines, [3]);
        assert_eq!(
            joined.contradicting_lines,
            [5, 6],
            "what was contradicted once is never taken again"
        );
        assert_eq!((joined.radiographs_matched, joined.radiographs_without_row), (3, 2));
        assert_eq!(joined.labels[&pseudonym(11)], joined.labels[&pseudonym(12)]);
        assert_eq!(joined.labels[&pseudonym(13)], says(&[("clinic", "cast")]));
        assert_eq!((joined.labelled["grade"], joined.labelled["clinic"]), (2, 3));
        assert_eq!(joined.contradicted["grade"], 1);
    }

    #[test]
    fn a_patient_s_row_is_for_all_their_radiographs() {
        let table = LabelTable {
            rows: vec![(2, pseudonym(200), says(&[("grade", "2")]))],
            keyless_lines: Vec::new(),
        };
        let joined = join(table, KeyKind::Patient, &[radiograph(1, None), radiograph(2, Some(7))]);
        assert_eq!((joined.labels.len(), joined.radiographs_matched), (2, 2));
    }
}
