//! `aggregator restore`: a backup into an empty home, checked before the first file is written.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde_json::json;
use snowball_service::backup::{Program, Restoring};

use super::{Answer, Refused};
use crate::home::Home;

/// An aggregator's backups, as this version knows them. The server's key is made anew where it is missing.
const AGGREGATOR: Program = Program {
    name: super::PROGRAM,
    kind: "an aggregator",
    database: "database",
    tables: snowball_registry::tables(),
    ledger_owner: Some(snowball_ledger::AGGREGATOR),
    last: "aggregator.toml",
    keys_folder: "",
    keys: &["ca.key.pem", "ledger.key.pem"],
    ledger_key: "ledger.key.pem",
};

/// Puts a backup into an empty home: the folder that --home names, which must be empty or not there.
///
/// What happened since is not in it: sites keep later heads of the ledger, and send nothing to an aggregator that shows an older one.
/// The ledger of since, where a copy of it is left, goes in with --ledger.
#[derive(Args)]
#[command(after_help = "Example:\n  aggregator --home /var/lib/snowball-aggregator restore /mnt/backup/2026-11-29")]
pub struct Restore {
    /// The folder of the backup
    folder: PathBuf,
    /// The folder with ca.key.pem and ledger.key.pem, where the backup was made without them
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
    /// A later copy of the ledger, which must go on where the backup's ends
    #[arg(long, value_name = "DIR")]
    ledger: Option<PathBuf>,
}

impl Restore {
    /// Where anything is wrong, the home stays empty.
    pub fn run(&self, home: &Home) -> Result<Answer> {
        let restoring = Restoring {
            program: AGGREGATOR,
            folder: &self.folder,
            home: home.dir(),
            keys: self.keys.as_deref(),
            reader: home.keys(),
            ledger: self.ledger.as_deref(),
        };
        let restored = restoring.run().map_err(|fault| {
            if fault.is_refusal() {
                Refused(fault.to_string()).into()
            } else {
                anyhow::Error::new(fault)
            }
        })?;
        let about = &restored.manifest.about;
        let text = format!(
            "{} files in {}: {}, {} records of the ledger.\n{}\nNext: aggregator doctor; then start the server. What happened since the \
             backup is not in it.",
            restored.files,
            home.dir().display(),
            about.owner,
            restored.ledger_entries,
            restored.noted()
        );
        let json = json!({
            "home": home.dir(), "files": restored.files, "about": about, "ledger_entries": restored.ledger_entries,
            "noted": restored.is_noted,
        });
        Ok(Answer::new(text, json))
    }
}
