//! The linkage vault: the only way back from a pseudonym to a patient, for the site alone, off unless the site turns it on.
//!
//! A folder with one database of sealed links under a secret of its own, which lies elsewhere. The database is searched by
//! marks (HMAC under the vault's key), so that neither a pseudonym nor an identifier stands in it in the clear. It must never
//! log, print or serialise what it opens, and once [destroyed](destroy()) it never opens again.
//!
//! Start at [`Vault`]; [`destroy()`] ends it.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod copy;
mod destroy;
mod error;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};
use snowball_crypto::{Linkage, Originals, Pseudonym, VaultKeys};

pub use copy::{DATABASE_FILE, copy_database};
pub use destroy::{destroy, is_destroyed};
pub use error::VaultError;

/// Marks the file as ours ("SNWV").
const APPLICATION_ID: i32 = 0x534E_5756;
const VERSION: u32 = 1;
const WAIT: Duration = Duration::from_secs(120);
const DATABASE: &str = "vault.sqlite";
const PROOF: &[u8] = b"snowball vault proof 1";
const TABLES: &str = "
    CREATE TABLE seal (one INTEGER PRIMARY KEY CHECK (one = 1), proof BLOB NOT NULL) STRICT;
    CREATE TABLE links (
        patient BLOB NOT NULL,
        study BLOB NOT NULL,
        sealed BLOB NOT NULL,
        PRIMARY KEY (patient, study)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX links_by_study ON links (study);
";

/// A site's links from pseudonyms to what the hospital calls patients and examinations.
pub struct Vault {
    connection: Mutex<Connection>,
    keys: VaultKeys,
}

impl Vault {
    /// Opens the vault in folder `dir`, making it where there is none.
    ///
    /// # Errors
    /// When it was destroyed, was made under other keys, is something else, or the disk refuses.
    pub fn open(dir: &Path, keys: VaultKeys) -> Result<Self, VaultError> {
        if is_destroyed(dir) {
            return Err(VaultError::Destroyed);
        }
        fs::create_dir_all(dir).map_err(VaultError::at(dir))?;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(VaultError::at(dir))?;
        let mut connection = Connection::open(dir.join(DATABASE))?;
        connection.busy_timeout(WAIT)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // A link that is lost cannot be made again once its file is gone, so a commit waits for the disk.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "secure_delete", true)?;
        make_tables(&mut connection, &keys)?;
        let proof: Vec<u8> = connection.query_row("SELECT proof FROM seal", [], |row| row.get(0))?;
        keys.links.open(PROOF, proof).map_err(|_| VaultError::WrongKey)?;
        Ok(Self {
            connection: Mutex::new(connection),
            keys,
        })
    }

    /// Keeps one link, durably; the first one of a patient's study stays.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn keep(&self, link: &Linkage) -> Result<(), VaultError> {
        let connection = self.lock();
        // Asked first: reading costs nothing, while writing waits for the disk.
        let known = connection
            .prepare_cached("SELECT 1 FROM links WHERE patient = ?1 AND study = ?2")?
            .exists(params![link.patient, link.study])?;
        if !known {
            connection
                .prepare_cached("INSERT OR IGNORE INTO links (patient, study, sealed) VALUES (?1, ?2, ?3)")?
                .execute(params![link.patient, link.study, link.sealed])?;
        }
        Ok(())
    }

    /// What the hospital calls the patient or the study behind `pseudonym`, one for each study; empty where it is not known.
    ///
    /// # Errors
    /// When the database cannot be read or a link was changed.
    pub fn find(&self, pseudonym: &Pseudonym) -> Result<Vec<Originals>, VaultError> {
        let connection = self.lock();
        let mut statement =
            connection.prepare("SELECT patient, study, sealed FROM links WHERE patient = ?1 OR study = ?1")?;
        let read = |row: &Row<'_>| {
            Ok(Linkage {
                patient: row.get(0)?,
                study: row.get(1)?,
                sealed: row.get(2)?,
            })
        };
        let links = statement.query_map(params![self.keys.marks.mark(pseudonym)], read)?;
        links
            .map(|link| self.keys.unlink(link?).map_err(|_| VaultError::Damaged))
            .collect()
    }

    /// Removes every link of a patient, down to the database's log; returns how many there were.
    ///
    /// # Errors
    /// When the disk refuses or another process holds the log open.
    pub fn forget(&self, patient: &Pseudonym) -> Result<u64, VaultError> {
        let connection = self.lock();
        let sql = "DELETE FROM links WHERE patient = ?1";
        let removed = connection.execute(sql, params![self.keys.marks.mark(patient)])?;
        let is_busy: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if is_busy {
            return Err(VaultError::Busy);
        }
        Ok(removed as u64)
    }

    /// How many links there are.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn count(&self) -> Result<u64, VaultError> {
        let count: i64 = self
            .lock()
            .query_row("SELECT count(*) FROM links", [], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // Every statement is a transaction of its own, so a panic elsewhere left nothing half done.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn make_tables(connection: &mut Connection, keys: &VaultKeys) -> Result<(), VaultError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let application: i32 = transaction.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: u32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let table: Option<String> = transaction
        .query_row("SELECT name FROM sqlite_schema LIMIT 1", [], |row| row.get(0))
        .optional()?;
    match (application, version, table) {
        (APPLICATION_ID, VERSION, _) => return Ok(()),
        (0, 0, None) => {}
        _ => return Err(VaultError::Foreign),
    }
    transaction.execute_batch(TABLES)?;
    let proof = keys.links.seal(PROOF, PROOF).map_err(|_| VaultError::Randomness)?;
    transaction.execute("INSERT INTO seal (one, proof) VALUES (1, ?1)", [proof])?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use snowball_crypto::VaultSecret;
    use zeroize::Zeroizing;

    use super::*;

    fn keys(byte: &str) -> VaultKeys {
        VaultSecret::from_hex(&byte.repeat(32)).unwrap().vault("tests")
    }

    fn link(patient: u8, study: u8, name: &str) -> Linkage {
        let originals = Originals {
            patient: Zeroizing::new(name.to_owned()),
            study: Zeroizing::new(format!("1.2.{study}")),
            accession: Some(Zeroizing::new("ACC".to_owned())),
        };
        let (patient, study) = (Pseudonym::from_bytes([patient; 32]), Pseudonym::from_bytes([study; 32]));
        keys("11").link(&patient, &study, &originals).unwrap()
    }

    #[test]
    fn patients_and_studies_are_found_and_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::open(folder.path(), keys("11")).unwrap();
        for (patient, study) in [(1, 10), (1, 11), (1, 10), (2, 20)] {
            vault.keep(&link(patient, study, &format!("NAME-{patient}"))).unwrap();
        }
        drop(vault);
        let vault = Vault::open(folder.path(), keys("11")).unwrap();
        assert_eq!(vault.count().unwrap(), 3);
        let found = |byte: u8| vault.find(&Pseudonym::from_bytes([byte; 32])).unwrap();
        assert_eq!((found(1).len(), found(11).len(), found(3).len()), (2, 1, 0));
        assert_eq!(found(11)[0].patient.as_str(), "NAME-1");
        assert_eq!(found(11)[0].study.as_str(), "1.2.11");
        assert_eq!(vault.forget(&Pseudonym::from_bytes([1; 32])).unwrap(), 2);
        assert!(found(1).is_empty() && found(10).is_empty());
        assert_eq!(found(2).len(), 1);
    }

    #[test]
    fn neither_names_nor_pseudonyms_lie_in_the_clear() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::open(folder.path(), keys("11")).unwrap();
        vault.keep(&link(1, 10, "NAME-1")).unwrap();
        for entry in fs::read_dir(folder.path()).unwrap() {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            for hidden in [b"NAME-1".as_slice(), b"1.2.10", &[1; 32], &[10; 32]] {
                assert!(!bytes.windows(hidden.len()).any(|window| window == hidden));
            }
        }
    }

    #[test]
    fn another_key_opens_nothing_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        Vault::open(folder.path(), keys("11"))
            .unwrap()
            .keep(&link(1, 10, "NAME-1"))
            .unwrap();
        assert!(matches!(
            Vault::open(folder.path(), keys("12")),
            Err(VaultError::WrongKey)
        ));
        assert_eq!(Vault::open(folder.path(), keys("11")).unwrap().count().unwrap(), 1);
    }

    #[test]
    fn a_destroyed_vault_stays_destroyed() {
        let folder = tempfile::tempdir().unwrap();
        let (dir, secret) = (folder.path().join("vault"), folder.path().join("vault.secret"));
        fs::write(&secret, "11".repeat(32)).unwrap();
        Vault::open(&dir, keys("11"))
            .unwrap()
            .keep(&link(1, 10, "NAME-1"))
            .unwrap();
        destroy(&dir, &secret).unwrap();
        assert!(is_destroyed(&dir) && !secret.exists() && !dir.join(DATABASE).exists());
        // Not even who kept the key gets it back, nor makes another in its place.
        assert!(matches!(Vault::open(&dir, keys("11")), Err(VaultError::Destroyed)));
        destroy(&dir, &secret).unwrap();
    }
}
