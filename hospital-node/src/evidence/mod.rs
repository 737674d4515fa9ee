//! What this node can show a board about de-identification: counts, rules, tests and reviews. Everything here is read from
//! what the node keeps anyway; no value of a patient is in it, and small counts are hidden.

mod decisions;
mod flow;
mod kept;
mod rules;

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Context as _, Result};
use serde::Serialize;
use snowball_protocol::Sha256Digest;
use snowball_store::{Cell, Census, HeldState, Redactions, Table};

use crate::{
    cli::review::{self, Looked, Proven},
    count::Count,
    home::Home,
    policy,
    selftest::Outcome,
};

pub use decisions::{Attribute, Folder};
pub use flow::{Counted, Flow};
pub use kept::Kept;
pub use rules::Rules;

/// The last self-test as it is kept.
const SELFTEST_BYTES_MAX: usize = 1 << 22;
/// Fewest patients that are told where no policy says so.
const CELL_MIN: u64 = 5;

/// Everything on the page.
#[derive(Serialize)]
pub struct Evidence {
    pub site: String,
    /// Unix seconds.
    pub made_at: i64,
    pub program_version: String,
    pub edition: String,
    /// Fewest patients that any count tells.
    pub cell_min: u64,
    /// The policy in force; none: why not.
    pub rules: Result<Rules, String>,
    /// Files, by what became of them and why; small counts hidden.
    #[serde(flatten)]
    pub files: Counted<Count>,
    pub attributes: Vec<Attribute>,
    pub kept: Vec<Kept>,
    pub redactions: Redactions,
    /// What the text search reaches on its card: what is counted, count, share, interval.
    pub card: Vec<Vec<String>>,
    pub selftest: Option<Outcome>,
    pub reviews: Vec<ReviewTold>,
    pub census: Census,
    pub small_cells: SmallCells,
    pub ledger: LedgerTold,
}

/// A sample and what was found.
#[derive(Serialize)]
pub struct ReviewTold {
    pub plan: String,
    pub source: String,
    pub seed: u64,
    pub pictures: u64,
    pub drawn: u64,
    pub groups: u64,
    pub bound: f64,
    pub confidence: f64,
    pub records: Vec<(Looked, Proven)>,
}

/// Who could stand out: combinations of age band, sex, body part and maker.
#[derive(Serialize)]
pub struct SmallCells {
    pub combinations: u64,
    /// Those with fewer patients than may be told.
    pub small: u64,
    /// Patients in them, unless that is itself too few to tell.
    pub patients: Cell,
}

/// How to check that nobody changed the record.
#[derive(Serialize)]
pub struct LedgerTold {
    pub verified: bool,
    pub fault: Option<String>,
    pub entries: u64,
    pub head: Option<Sha256Digest>,
    pub public_key: String,
}

/// Reads everything. `outputs` are folders that `deidentify` wrote, for the terms that are kept in them.
///
/// # Errors
/// When something of the node cannot be read.
pub fn gather(home: &Home, outputs: &[PathBuf], now: i64) -> Result<Evidence> {
    let config = home.config()?;
    let store = home.open_store(&config)?;
    let signed = policy::in_force(home);
    let cell_min = signed
        .as_ref()
        .map_or(CELL_MIN, |signed| signed.policy.cell_min())
        .max(1);
    let records = snowball_ledger::read(&home.ledger()).context("cannot read the ledger")?;
    let (folders, attributes) = decisions::read(home)?;
    let mut files = Counted {
        folders,
        ..Counted::default()
    };
    for record in &records {
        files.count(&record.entry);
    }
    for file in store.held()?.iter().filter(|file| file.state == HeldState::Held) {
        *files.quarantine.waiting.entry(file.reason).or_default() += 1;
    }
    let kept = kept::of(&attributes, outputs, cell_min)?;
    let selftest = match home.last_selftest() {
        path if path.exists() => {
            let bytes = snowball_service::files::read_bounded(&path, SELFTEST_BYTES_MAX)?;
            serde_json::from_slice(&bytes).ok()
        }
        _ => None,
    };
    Ok(Evidence {
        site: config.site.to_string(),
        made_at: now,
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        edition: snowball_confidentiality::EDITION.to_owned(),
        cell_min,
        rules: signed
            .map(|signed| Rules::of(&signed))
            .map_err(|fault| fault.to_string()),
        files: files.told(cell_min),
        attributes,
        kept,
        redactions: store.redactions()?,
        card: card(include_str!("../../imaging/text/CARD.md")),
        selftest,
        reviews: reviews(home)?,
        census: store.census()?.hide_below(cell_min),
        small_cells: SmallCells::of(store.combinations()?, cell_min),
        ledger: LedgerTold::of(home)?,
    })
}

fn reviews(home: &Home) -> Result<Vec<ReviewTold>> {
    let told = |(plan, drawn): (String, review::Drawn)| ReviewTold {
        plan,
        source: drawn.source.clone(),
        seed: drawn.seed,
        pictures: drawn.total(),
        drawn: drawn.pictures.len() as u64,
        groups: drawn.strata.len() as u64,
        bound: drawn.bound,
        confidence: drawn.confidence,
        records: drawn
            .records
            .iter()
            .map(|one| (one.clone(), drawn.proven(one)))
            .collect(),
    };
    Ok(review::all(home)?.into_iter().map(told).collect())
}

impl SmallCells {
    fn of(combinations: Vec<snowball_store::Combination>, cell_min: u64) -> Self {
        let mut patients: BTreeMap<[String; 4], std::collections::BTreeSet<i64>> = BTreeMap::new();
        for (terms, patient) in combinations {
            patients.entry(terms).or_default().insert(patient);
        }
        let small: Vec<_> = patients
            .values()
            .filter(|patients| (patients.len() as u64) < cell_min)
            .collect();
        let all: std::collections::BTreeSet<i64> = small.iter().flat_map(|patients| patients.iter().copied()).collect();
        let all = all.len() as u64;
        Self {
            combinations: patients.len() as u64,
            small: small.len() as u64,
            patients: if (1..cell_min).contains(&all) {
                Cell::Hidden { below: cell_min }
            } else {
                Cell::Counted {
                    radiographs: 0,
                    patients: all,
                }
            },
        }
    }
}

impl LedgerTold {
    fn of(home: &Home) -> Result<Self> {
        let public_key = home.read_text(&home.ledger_public_key())?.trim().to_owned();
        let key = public_key.parse().context("the ledger's public key does not parse")?;
        Ok(match snowball_ledger::verify(&home.ledger(), &key) {
            Ok(verified) => Self {
                verified: true,
                fault: None,
                entries: verified.entries,
                head: Some(verified.head.hash),
                public_key,
            },
            Err(fault) => Self {
                verified: false,
                fault: Some(fault.to_string()),
                entries: 0,
                head: None,
                public_key,
            },
        })
    }
}

/// The rows of the card that say what the search reaches.
fn card(text: &str) -> Vec<Vec<String>> {
    const ROWS: [&str; 3] = ["all", "something removed", "sent to a person"];
    let cells = |line: &str| -> Vec<String> {
        let inner = line.trim().trim_matches('|');
        inner.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let rows = text.lines().filter(|line| line.starts_with('|')).map(cells);
    rows.filter(|cells| cells.len() == 4 && ROWS.contains(&cells[0].as_str()))
        .collect()
}

/// The terms of a table with small counts hidden, as (term, words).
pub(crate) fn shown(table: &Table) -> Vec<(String, String)> {
    table
        .iter()
        .map(|(term, cell)| {
            let words = match cell {
                Cell::Counted { radiographs, patients } => format!("{radiographs} of {patients} patients"),
                Cell::Hidden { below } => format!("hidden, fewer than {below} patients or next to such"),
            };
            (term.clone(), words)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_card_tells_what_the_search_reaches() {
        let rows = card(include_str!("../../imaging/text/CARD.md"));
        assert!(rows.iter().any(|row| row[0] == "all"), "{rows:?}");
    }

    #[test]
    fn few_patients_in_small_cells_are_not_told() {
        let terms = |name: &str| [name, "F", "CHEST", "other"].map(str::to_owned);
        let many = (0..20).map(|patient| (terms("40-49"), patient));
        let cells = SmallCells::of(
            many.clone().chain([(terms("90+"), 77), (terms("90+"), 78)]).collect(),
            5,
        );
        assert_eq!((cells.combinations, cells.small), (2, 1));
        assert_eq!(cells.patients, Cell::Hidden { below: 5 });
        assert_eq!(
            SmallCells::of(many.collect(), 5).patients,
            Cell::Counted {
                radiographs: 0,
                patients: 0
            }
        );
    }
}
