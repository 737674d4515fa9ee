//! How many radiographs and patients there are of each kind, for people and for the site's own decisions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use snowball_crypto::Pseudonym;
use snowball_protocol::{
    site_label::SiteValue,
    small::{self, Balance, Shown},
};

use crate::{
    Store, StoreError,
    fact::{self, Facts, Making},
};

/// How many, or that it is too few to say.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Cell {
    /// Counted.
    Counted {
        /// Radiographs.
        radiographs: u64,
        /// Patients behind them.
        patients: u64,
    },
    /// Not told, because the number of patients is below this, or would give such a number away.
    Hidden {
        /// The smallest number of patients that is told.
        below: u64,
    },
}

/// Counts by the term of one label; what is not known stands as `unknown`.
pub type Table = BTreeMap<String, Cell>;

/// A site's radiographs, counted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Census {
    /// All of them.
    pub total: Cell,
    /// By `body_part`, `view`, `laterality`, `sex`, `age_band`, `part`, and how pictures were made: `modality`,
    /// `manufacturer`, `class`, `detector`, `photometric`, `bits_stored`, `transfer_syntax`, `lossy`, `intent`; and by each of the
    /// hospital's own labels, as `site: name`.
    pub tables: BTreeMap<String, Table>,
}

impl Census {
    /// This census with every cell of fewer than `patients_min` patients hidden, and in the same table as many further
    /// cells as it takes that the hidden ones cannot be had by subtraction.
    #[must_use]
    pub fn hide_below(&self, patients_min: u64) -> Self {
        let tables = self
            .tables
            .iter()
            .map(|(name, table)| (name.clone(), hide_small(table, patients_min)))
            .collect();
        let total = if is_small(self.total, patients_min) {
            Cell::Hidden { below: patients_min }
        } else {
            self.total
        };
        Self { total, tables }
    }
}

impl Store {
    /// Counts everything stored. The numbers are exact: see [`Census::hide_below`] before showing them to anybody.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn census(&self) -> Result<Census, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare(
                "SELECT radiograph, pseudonym, part, number, facts, making
                 FROM radiographs JOIN patients ON patient = number ORDER BY number",
            )?;
            let mut rows = statement.query([])?;
            let names = self.site_label_names_in(connection)?;
            let mut count = Count::default();
            while let Some(row) = rows.next()? {
                let radiograph = Pseudonym::from_bytes(row.get(0)?);
                let pseudonym = Pseudonym::from_bytes(row.get(1)?);
                let labels = Facts::open(&self.keys.facts, &radiograph, &pseudonym, row.get(4)?)?.labels;
                let making = Making::open(&self.keys.facts, &radiograph, row.get(5)?)?;
                let patient: i64 = row.get(3)?;
                let mut add = |table: &str, term: Option<&str>| count.add(table, term.unwrap_or("unknown"), patient);
                add("body_part", labels.body_part.map(|term| term.code()));
                add("view", labels.view.map(|term| term.code()));
                add("laterality", labels.laterality.map(|term| term.code()));
                add("sex", labels.sex.map(|term| term.code()));
                add("age_band", labels.age_years.and_then(age_band));
                add("part", Some(fact::part(row, 2)?.name()));
                for (name, term) in properties(&making.acquisition) {
                    add(name, term.as_deref());
                }
                let own = self.all_labels_in(connection, &radiograph)?;
                for name in &names {
                    let term = own.get(name).map(|label| match &label.value {
                        SiteValue::Class(code) => code.as_str(),
                        SiteValue::Number(_) => "a number",
                        SiteValue::Mask { .. } => "a mask",
                    });
                    add(&format!("site: {name}"), term);
                }
                count.add_total(patient);
            }
            Ok(count.finish())
        })
    }
}

/// The decade of an age in years, `0-9` to `80-89` and `90+`; `None` where the number is no age.
#[must_use]
pub fn age_band(age_years: f32) -> Option<&'static str> {
    const BANDS: [&str; 10] = [
        "0-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "70-79", "80-89", "90+",
    ];
    (0.0..=150.0)
        .contains(&age_years)
        .then(|| BANDS[((age_years / 10.0) as usize).min(9)])
}

/// What the census tells of how pictures were made; names as [`snowball_imaging::Acquisition`] writes them.
const PROPERTIES: [&str; 9] = [
    "modality",
    "manufacturer",
    "class",
    "detector",
    "photometric",
    "bits_stored",
    "transfer_syntax",
    "lossy",
    "intent",
];

/// The acquisition's properties as name and term.
fn properties(known: &serde_json::Value) -> [(&'static str, Option<String>); PROPERTIES.len()] {
    PROPERTIES.map(|name| {
        let term = match known.get(name) {
            Some(serde_json::Value::String(term)) => Some(term.clone()),
            None | Some(serde_json::Value::Null) => None,
            Some(other) => Some(other.to_string()),
        };
        (name, term)
    })
}

#[derive(Default)]
struct Count {
    total: Tally,
    tables: BTreeMap<String, BTreeMap<String, Tally>>,
}

/// Patients come in order, so a patient is new where it is not the last one.
#[derive(Default)]
struct Tally {
    radiographs: u64,
    patients: u64,
    last: Option<i64>,
}

impl Tally {
    fn add(&mut self, patient: i64) {
        self.radiographs += 1;
        self.patients += u64::from(self.last != Some(patient));
        self.last = Some(patient);
    }

    const fn cell(&self) -> Cell {
        Cell::Counted {
            radiographs: self.radiographs,
            patients: self.patients,
        }
    }
}

impl Count {
    fn add(&mut self, table: &str, term: &str, patient: i64) {
        if !self.tables.contains_key(table) {
            self.tables.insert(table.to_owned(), BTreeMap::new());
        }
        if let Some(cells) = self.tables.get_mut(table) {
            match cells.get_mut(term) {
                Some(tally) => tally.add(patient),
                None => cells.entry(term.to_owned()).or_default().add(patient),
            }
        }
    }

    fn add_total(&mut self, patient: i64) {
        self.total.add(patient);
    }

    fn finish(self) -> Census {
        let table =
            |cells: BTreeMap<String, Tally>| cells.into_iter().map(|(term, tally)| (term, tally.cell())).collect();
        Census {
            total: self.total.cell(),
            tables: self
                .tables
                .into_iter()
                .map(|(name, cells)| (name, table(cells)))
                .collect(),
        }
    }
}

const fn is_small(cell: Cell, patients_min: u64) -> bool {
    match cell {
        Cell::Counted { patients, .. } => patients < patients_min,
        Cell::Hidden { .. } => true,
    }
}

/// `table` with every cell of fewer than `patients_min` patients hidden, and as many further cells as it takes that the
/// hidden ones cannot be had by subtraction.
#[must_use]
pub fn hide_small(table: &Table, patients_min: u64) -> Table {
    let mut by_size: Vec<(u64, u64, &String)> = table
        .iter()
        .map(|(term, cell)| match cell {
            Cell::Counted { radiographs, patients } => (*patients, *radiographs, term),
            Cell::Hidden { .. } => (0, 0, term),
        })
        .collect();
    by_size.sort();
    let counts: Vec<u64> = by_size.iter().map(|(patients, ..)| *patients).collect();
    let small = counts.iter().map(|patients| *patients < patients_min).collect();
    // The total stands beside the table: one hidden cell would be that less the others, and several their sum.
    let hidden = small::hidden(
        &counts,
        small,
        &[Balance::of_all(counts.len())],
        patients_min,
        Shown::Alike,
    );
    let mut shown = table.clone();
    for ((.., term), _) in by_size.iter().zip(hidden).filter(|(_, is_hidden)| *is_hidden) {
        shown.insert((*term).clone(), Cell::Hidden { below: patients_min });
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Sample;
    use proptest::prelude::*;

    fn table(cells: &[u64]) -> Table {
        cells
            .iter()
            .enumerate()
            .map(|(term, patients)| {
                (
                    format!("{term}"),
                    Cell::Counted {
                        radiographs: *patients,
                        patients: *patients,
                    },
                )
            })
            .collect()
    }

    fn hidden(table: &Table) -> Vec<&str> {
        table
            .iter()
            .filter(|(_, cell)| matches!(cell, Cell::Hidden { .. }))
            .map(|(term, _)| term.as_str())
            .collect()
    }

    #[test]
    fn a_lone_small_cell_takes_its_neighbour_with_it() {
        assert_eq!(hidden(&hide_small(&table(&[100, 3, 40, 60]), 5)), ["1", "2"]);
        assert_eq!(hidden(&hide_small(&table(&[100, 1, 2, 60]), 5)), ["1", "2", "3"]);
        assert!(hidden(&hide_small(&table(&[100, 5, 40]), 5)).is_empty());
    }

    #[test]
    fn a_store_counts_radiographs_and_the_patients_behind_them() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
        let samples = [
            Sample::new(1, 1),
            Sample {
                body_part: "HAND",
                view: "AP",
                age: 95,
                ..Sample::new(2, 2)
            },
            Sample {
                view: "LATERAL",
                ..Sample::new(1, 3)
            },
            Sample {
                body_part: "",
                view: "",
                ..Sample::new(3, 4)
            },
        ];
        store.add_all(&samples.map(|sample| sample.radiograph())).unwrap();
        let census = store.census().unwrap();
        let cell = |table: &str, term: &str| match census.tables[table].get(term) {
            Some(Cell::Counted { radiographs, patients }) => (*radiographs, *patients),
            _ => (0, 0),
        };
        assert_eq!(
            census.total,
            Cell::Counted {
                radiographs: 4,
                patients: 3
            }
        );
        assert_eq!(
            (
                cell("body_part", "CHEST"),
                cell("body_part", "HAND"),
                cell("body_part", "unknown")
            ),
            ((2, 1), (1, 1), (1, 1))
        );
        assert_eq!((cell("view", "PA"), cell("view", "LATERAL")), ((1, 1), (1, 1)));
        assert_eq!((cell("age_band", "40-49"), cell("age_band", "90+")), ((3, 2), (1, 1)));
        assert_eq!((cell("sex", "M"), cell("sex", "F")), ((3, 2), (1, 1)));
        assert_eq!(cell("modality", "digital_radiography"), (4, 3));
        assert_eq!(cell("bits_stored", "12"), (4, 3));
        for table in census.tables.values() {
            let sum: u64 = table
                .values()
                .map(|cell| {
                    if let Cell::Counted { radiographs, .. } = cell {
                        *radiographs
                    } else {
                        0
                    }
                })
                .sum();
            assert_eq!(sum, 4, "every radiograph stands once in each table");
        }
        assert!(
            census
                .hide_below(4)
                .tables
                .values()
                .flat_map(BTreeMap::values)
                .all(|cell| matches!(cell, Cell::Hidden { below: 4 }))
        );
    }

    #[test]
    fn ages_fall_into_decades() {
        for (age, band) in [
            (0.0, "0-9"),
            (9.99, "0-9"),
            (10.0, "10-19"),
            (89.9, "80-89"),
            (90.0, "90+"),
            (120.0, "90+"),
        ] {
            assert_eq!(age_band(age), Some(band), "{age}");
        }
        for age in [-1.0, f32::NAN, f32::INFINITY, 151.0] {
            assert_eq!(age_band(age), None, "{age}");
        }
    }

    #[test]
    fn a_census_survives_json() {
        let census = Census {
            total: Cell::Hidden { below: 5 },
            tables: [("view".to_owned(), table(&[7, 9]))].into(),
        };
        let text = serde_json::to_string(&census).unwrap();
        assert_eq!(serde_json::from_str::<Census>(&text).unwrap(), census);
    }

    proptest! {
        #[test]
        fn no_small_number_is_told_or_left_over(cells in proptest::collection::vec(1u64..30, 1..12), patients_min in 0u64..12) {
            let shown = hide_small(&table(&cells), patients_min);
            let mut left = cells.iter().sum::<u64>();
            for cell in shown.values() {
                if let Cell::Counted { patients, .. } = cell {
                    prop_assert!(*patients >= patients_min);
                    left -= patients;
                }
            }
            // What a reader can get by subtraction is nothing, a sum of several that is large enough, or the whole table.
            let count = hidden(&shown).len();
            prop_assert!(count == 0 || count == cells.len() || (count >= 2 && left >= patients_min));
        }
    }
}
