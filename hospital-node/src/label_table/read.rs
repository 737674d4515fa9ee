//! From bytes to rows. A table comes from outside: it is bounded, and one that is not what it should be is refused whole,
//! so that no half of it is ever joined.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
};

use snowball_crypto::Pseudonym;
use snowball_protocol::site_label::SiteValue;
use snowball_store::SiteLabel;

use super::{Columns, LabelTable, Labels};

/// Most bytes of a table.
const TABLE_BYTES_MAX: u64 = 1 << 30;
/// Most rows of a table.
const ROWS_MAX: usize = 5_000_000;
/// Most label columns of one import.
const COLUMNS_MAX: usize = 64;
/// Longest code of a class, in bytes.
const CODE_BYTES_MAX: usize = 64;
/// Most different codes of one column: what has more is not a class but an identifier or free text.
const CODES_MAX: usize = 256;

/// Why a table cannot be used. Faults name lines and headings, never what stands in a cell.
#[derive(Debug, thiserror::Error)]
pub enum TableFault {
    /// Not comma-separated values.
    #[error("line {line} does not parse as comma-separated values with a heading")]
    Malformed { line: u64 },
    /// No such column.
    #[error("the table has no column {heading:?}; it has {known}")]
    NoColumn { heading: String, known: String },
    /// Named twice, or nothing named.
    #[error(
        "name one to {COLUMNS_MAX} label columns, each once, and not the key; --noisy names columns that are labels"
    )]
    Columns,
    /// A name that cannot be a label's.
    #[error(
        "the heading {0:?} cannot be a label's name: 1 to 64 of a-z, A-Z, 0-9 and _ . - are needed; rename the column"
    )]
    Heading(String),
    /// A cell that is no code.
    #[error(
        "line {line}, column {heading:?}: a class is a code of 1 to 64 of a-z, A-Z, 0-9 and _ . + | - without blanks; free text \
         may name people and is not taken. Leave the column out or code it"
    )]
    NoCode { line: u64, heading: String },
    /// A cell that is no number.
    #[error("line {line}, column {heading:?}: not a finite number")]
    NoNumber { line: u64, heading: String },
    /// Not a class.
    #[error(
        "column {heading:?} has more than {CODES_MAX} different values: it looks like an identifier or free text, not a class"
    )]
    TooManyCodes { heading: String },
    /// Too large.
    #[error("the table has more than {ROWS_MAX} rows or {TABLE_BYTES_MAX} bytes; cut it")]
    TooLarge,
}

impl LabelTable {
    /// Reads a table. `pseudonym` turns a key into its pseudonym, `None` where the key is blank.
    ///
    /// # Errors
    /// When it is not what `columns` say, or out of bounds.
    pub fn read(
        from: impl Read,
        columns: &Columns,
        pseudonym: impl Fn(&str) -> Option<Pseudonym>,
    ) -> Result<Self, TableFault> {
        check(columns)?;
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_reader(from.take(TABLE_BYTES_MAX + 1));
        let malformed = |fault: &csv::Error| TableFault::Malformed {
            line: fault.position().map_or(1, csv::Position::line),
        };
        let headings = reader.headers().map_err(|fault| malformed(&fault))?.clone();
        let place = |heading: &String| {
            headings
                .iter()
                .position(|known| known.trim_start_matches('\u{feff}') == heading)
                .ok_or_else(|| TableFault::NoColumn {
                    heading: heading.clone(),
                    known: headings.iter().collect::<Vec<_>>().join(", "),
                })
        };
        let key = place(&columns.key)?;
        let labels: Vec<(usize, &String)> = columns
            .labels()
            .map(|heading| Ok((place(heading)?, heading)))
            .collect::<Result<_, _>>()?;
        let mut table = Self::default();
        let mut codes: BTreeMap<&String, BTreeSet<String>> = BTreeMap::new();
        let mut row = csv::StringRecord::new();
        while reader.read_record(&mut row).map_err(|fault| malformed(&fault))? {
            let line = row.position().map_or(0, csv::Position::line);
            if table.rows.len() + table.keyless_lines.len() >= ROWS_MAX || reader.position().byte() > TABLE_BYTES_MAX {
                return Err(TableFault::TooLarge);
            }
            let mut known = Labels::new();
            for (place, heading) in &labels {
                if let Some(label) = label(row.get(*place).unwrap_or_default(), heading, line, columns)? {
                    if let SiteValue::Class(code) = &label.value {
                        let codes = codes.entry(heading).or_default();
                        codes.insert(code.clone());
                        if codes.len() > CODES_MAX {
                            return Err(TableFault::TooManyCodes {
                                heading: (*heading).clone(),
                            });
                        }
                    }
                    known.insert((*heading).clone(), label);
                }
            }
            match pseudonym(row.get(key).unwrap_or_default()) {
                Some(key) => table.rows.push((line, key, known)),
                None => table.keyless_lines.push(line),
            }
        }
        Ok(table)
    }
}

fn check(columns: &Columns) -> Result<(), TableFault> {
    let labels: BTreeSet<_> = columns.labels().collect();
    let count = columns.labels().count();
    let sound = (1..=COLUMNS_MAX).contains(&count)
        && labels.len() == count
        && !labels.contains(&columns.key)
        && columns.noisy.iter().all(|heading| labels.contains(heading));
    if !sound {
        return Err(TableFault::Columns);
    }
    let is_name = |heading: &str| is_code(heading, b"_.-");
    match labels.into_iter().find(|heading| !is_name(heading)) {
        Some(heading) => Err(TableFault::Heading(heading.clone())),
        None => Ok(()),
    }
}

fn label(cell: &str, heading: &str, line: u64, columns: &Columns) -> Result<Option<SiteLabel>, TableFault> {
    if cell.is_empty() {
        return Ok(None);
    }
    let heading_of = || heading.to_owned();
    let value = if columns.numbers.iter().any(|number| number == heading) {
        let number = cell.parse::<f32>().ok().filter(|number| number.is_finite());
        SiteValue::Number(number.ok_or_else(|| TableFault::NoNumber {
            line,
            heading: heading_of(),
        })?)
    } else if is_code(cell, b"_.+|-") {
        SiteValue::Class(cell.to_owned())
    } else {
        return Err(TableFault::NoCode {
            line,
            heading: heading_of(),
        });
    };
    Ok(Some(SiteLabel {
        value,
        noisy: columns.noisy.iter().any(|noisy| noisy == heading),
    }))
}

fn is_code(text: &str, also: &[u8]) -> bool {
    (1..=CODE_BYTES_MAX).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || also.contains(&byte))
}

#[cfg(test)]
mod tests {
    use snowball_crypto::{PseudonymKey, SiteSecret};

    use super::*;

    fn columns() -> Columns {
        Columns {
            key: "Accession".to_owned(),
            classes: vec!["clinic".to_owned()],
            numbers: vec!["grade".to_owned()],
            noisy: vec!["clinic".to_owned()],
        }
    }

    fn read(text: &str, columns: &Columns) -> Result<LabelTable, TableFault> {
        let secret = SiteSecret::from_hex(&"42".repeat(32)).unwrap();
        let key: PseudonymKey = secret.project("tables");
        LabelTable::read(text.as_bytes(), columns, |identifier| {
            snowball_imaging::pseudonym_of(&key, snowball_crypto::Domain::Accession, identifier)
        })
    }

    #[test]
    fn cells_become_codes_and_numbers_and_keys_become_pseudonyms() {
        let table = read(
            "\u{feff}Accession,grade,clinic\nA 1, 2.5 ,cast\n  a  1 ,,\n,1,none\n",
            &columns(),
        )
        .unwrap();
        assert_eq!(table.keyless_lines, [4]);
        let [(2, first, labels), (3, second, nothing)] = table.rows.as_slice() else {
            panic!("{table:?}")
        };
        assert_eq!(first, second, "blanks and case do not make another identifier");
        assert_eq!(labels["grade"].value, SiteValue::Number(2.5));
        assert_eq!(
            labels["clinic"],
            SiteLabel {
                value: SiteValue::Class("cast".to_owned()),
                noisy: true
            }
        );
        assert!(nothing.is_empty());
    }

    #[test]
    fn a_table_that_is_not_what_it_should_be_is_refused_without_its_values() {
        let fault = |text: &str| read(text, &columns()).unwrap_err().to_string();
        for text in [
            "Accession,grade,clinic\nA1,1,Mrs Dupont\n",
            "Accession,grade,clinic\nA1,Dupont,x\n",
            "Accession,grade,clinic\nA1,inf,x\n",
            "Accession,grade,clinic\nDupont,1\n",
            "Accession,clinic\nDupont,1\n",
            "",
        ] {
            let fault = fault(text);
            assert!(!fault.contains("Dupont"), "{fault}");
        }
        assert!(fault("Accession,grade,clinic\nA1,1,a b\n").contains("line 2"));
        let many: String = (0..300).map(|row| format!("A{row},1,c{row}\n")).collect();
        assert!(fault(&format!("Accession,grade,clinic\n{many}")).contains("256 different"));
    }

    #[test]
    fn columns_are_named_once_and_are_names() {
        let mut twice = columns();
        twice.classes.push("grade".to_owned());
        assert!(matches!(read("", &twice), Err(TableFault::Columns)));
        let mut key = columns();
        key.classes.push("Accession".to_owned());
        assert!(matches!(read("", &key), Err(TableFault::Columns)));
        let mut odd = columns();
        odd.classes[0] = "nom du patient".to_owned();
        odd.noisy.clear();
        assert!(matches!(read("", &odd), Err(TableFault::Heading(_))));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let _ = LabelTable::read(&bytes[..], &columns(), |_| None);
        }
    }
}
