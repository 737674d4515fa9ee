//! Whether a store that was filled, killed and filled on holds everything once: looked at from outside, with another reader of
//! its database than the node's.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, Result};
use rusqlite::{Connection, OpenFlags};
use serde::Serialize;
use serde_json::Value;
use snowball_crypto::SiteSecret;
use snowball_store::Store;

use crate::home::Home;

/// One thing that must hold.
#[derive(Serialize)]
pub struct Check {
    pub what: &'static str,
    pub expected: u64,
    pub found: u64,
    pub holds: bool,
}

impl Check {
    pub const fn equal(what: &'static str, expected: u64, found: u64) -> Self {
        let holds = expected == found;
        Self {
            what,
            expected,
            found,
            holds,
        }
    }
}

/// What is in the store's database and packs.
#[derive(Serialize)]
pub struct Stock {
    pub radiographs: u64,
    pub patients: u64,
    pub excluded: u64,
    /// Of these: how many for which reason.
    pub reasons: BTreeMap<String, u64>,
    pub files: u64,
    pub database_bytes: u64,
    pub pack_bytes: u64,
    pub quarantine_bytes: u64,
}

/// What came to be of `instances` files.
///
/// # Errors
/// When something cannot be read at all.
pub fn look(home: &Home, instances: u64, census: &Value) -> Result<(Stock, Vec<Check>)> {
    let folder = home.folder.join("store");
    let path = folder.join("store.sqlite");
    let database = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let one = |sql: &str| -> Result<u64> { Ok(database.query_row(sql, [], |row| row.get(0))?) };
    let stock = Stock {
        radiographs: one("SELECT count(*) FROM radiographs")?,
        patients: one("SELECT count(*) FROM patients")?,
        excluded: one("SELECT coalesce(sum(times), 0) FROM excluded")?,
        reasons: reasons(&database)?,
        files: one("SELECT count(*) FROM files")?,
        database_bytes: fs::metadata(&path)?.len(),
        pack_bytes: folder_bytes(&folder.join("packs"))?,
        quarantine_bytes: folder_bytes(&folder.join("quarantine"))?,
    };
    let sound: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    let (gaps, beyond) = extents(&database)?;
    let mut checks = vec![
        Check::equal("files dealt with", instances, stock.files),
        Check::equal(
            "radiographs and excluded files",
            instances,
            stock.radiographs + stock.excluded,
        ),
        Check::equal("faults that SQLite finds", 0, u64::from(sound != "ok")),
        Check::equal("places in packs that overlap or are left out", 0, gaps),
        Check::equal("bytes beyond the end of what packs are said to hold", 0, beyond),
        Check::equal("pictures that are not what was written", 0, damaged(home, &folder)?),
    ];
    let total = |field: &str| census["total"][field].as_u64().unwrap_or(0);
    checks.push(Check::equal(
        "radiographs in the census",
        stock.radiographs,
        total("radiographs"),
    ));
    checks.push(Check::equal(
        "patients in the census",
        stock.patients,
        total("patients"),
    ));
    let (accepted, excluded) = in_ledger(&home.folder.join("ledger"))?;
    checks.push(Check::equal(
        "accepted files in the ledger",
        stock.radiographs,
        accepted,
    ));
    checks.push(Check::equal("excluded files in the ledger", stock.excluded, excluded));
    Ok((stock, checks))
}

/// How often a picture does not begin where the one before ended, and what lies beyond the last one's end.
fn extents(database: &Connection) -> Result<(u64, u64)> {
    let mut statement = database.prepare("SELECT pack, offset, bytes FROM radiographs ORDER BY pack, offset")?;
    let mut rows = statement.query([])?;
    let (mut gaps, mut at) = (0, (0_u32, 0_u64));
    let mut held = std::collections::BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (pack, offset, bytes): (u32, u64, u64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let due = if at.0 == pack { at.1 } else { 0 };
        gaps += u64::from(offset != due);
        at = (pack, offset + bytes);
        held.insert(pack, at.1);
    }
    let mut beyond = 0;
    let mut packs = database.prepare("SELECT number, bytes FROM packs")?;
    let mut rows = packs.query([])?;
    while let Some(row) = rows.next()? {
        let (pack, bytes): (u32, u64) = (row.get(0)?, row.get(1)?);
        beyond += bytes.abs_diff(held.get(&pack).copied().unwrap_or(0));
    }
    Ok((gaps, beyond))
}

/// Opens every picture with the store's own keys.
fn damaged(home: &Home, folder: &Path) -> Result<u64> {
    let secret = fs::read_to_string(home.folder.join("keys/site.secret"))?;
    let config: toml::Table = fs::read_to_string(home.folder.join("node.toml"))?.parse()?;
    let project = config["project"].as_str().context("node.toml names no project")?;
    let store = Store::open(folder, SiteSecret::from_hex(&secret)?.store(project))?;
    Ok(store.damaged()?)
}

fn reasons(database: &Connection) -> Result<BTreeMap<String, u64>> {
    let mut statement = database.prepare("SELECT reason, sum(times) FROM excluded GROUP BY reason")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Files that the ledger says were accepted, and excluded, in its archives too.
fn in_ledger(folder: &Path) -> Result<(u64, u64)> {
    let mut files = vec![folder.join("ledger.jsonl")];
    if folder.join("archives").exists() {
        for entry in fs::read_dir(folder.join("archives"))? {
            files.push(entry?.path());
        }
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    let (mut accepted, mut excluded) = (0, 0);
    for path in files {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        for line in text.lines() {
            let record: Value = serde_json::from_str(line)?;
            let entry = &record["entry"];
            if entry["entry"] == "intake_finished" {
                accepted += entry["accepted"].as_u64().unwrap_or(0);
                excluded += entry["quarantined"].as_u64().unwrap_or(0) + entry["rejected"].as_u64().unwrap_or(0);
            }
        }
    }
    Ok((accepted, excluded))
}

pub fn folder_bytes(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}
