//! `restore`: a backup into an empty home, checked before the first file is written.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use snowball_service::{
    backup::{Program, Restored, Restoring},
    keys::Keys,
};

use super::{Context, Refused};
use crate::home::Home;

/// A node's backups, as this version knows them.
fn of_a_node() -> Program {
    Program {
        name: super::PROGRAM,
        kind: "a node",
        database: "store",
        tables: snowball_store::tables(),
        ledger_owner: None,
        last: "node.toml",
        keys_folder: "keys",
        keys: &["site.secret", "ledger.pem"],
        ledger_key: "ledger.pem",
    }
}

/// Put a backup into an empty home: the folder that --home names, which must be empty or not there.
///
/// What happened since is not in it. The ledger of since, where a copy of it is left (of a later backup, of audit export), goes in with
/// --ledger: without it the aggregator, which keeps a later head, refuses the node with ledger_rewound.
#[derive(Args)]
#[command(
    after_help = "Example: hospital-node --home /var/lib/snowball-node restore /mnt/backup/2026-11-29 \\\n    --ledger /mnt/backup/2026-11-30/home/ledger"
)]
pub struct Restore {
    /// The folder of the backup.
    folder: PathBuf,
    /// The keys, where the backup was made without them.
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
    /// A later copy of the ledger, which must go on where the backup's ends.
    #[arg(long, value_name = "DIR")]
    ledger: Option<PathBuf>,
}

impl Restore {
    pub fn run(self, context: &Context) -> Result<()> {
        let home = Home::at(&context.root);
        let restoring = Restoring {
            program: of_a_node(),
            folder: &self.folder,
            home: home.root(),
            keys: self.keys.as_deref(),
            reader: &Keys::of_process(context.passphrase.clone()),
            ledger: self.ledger.as_deref(),
        };
        let restored = restoring.run().map_err(|fault| {
            if fault.is_refusal() {
                Refused(fault.to_string()).into()
            } else {
                anyhow::Error::new(fault)
            }
        })?;
        let document = serde_json::json!({
            "home": context.root, "files": restored.files, "about": restored.manifest.about, "ledger_entries": restored.ledger_entries,
            "noted": restored.is_noted,
        });
        context.print(&document, || self.words(&restored, &home))
    }

    fn words(&self, restored: &Restored, home: &Home) -> String {
        let lacks_vault_key = !home.vault_secret().exists()
            && home.vault_folder().join(snowball_vault::DATABASE_FILE).exists()
            && !snowball_vault::is_destroyed(&home.vault_folder());
        let vault = if lacks_vault_key {
            "put keys/vault.secret back from where you keep it, or the vault does not open; "
        } else {
            ""
        };
        format!(
            "{} files in {}: site {}, {} records of the ledger\n{}\nnext: {vault}hospital-node doctor --store; withdraw again every patient who \
             withdrew since the backup; start the node",
            restored.files,
            home.root().display(),
            restored.manifest.about.owner,
            restored.ledger_entries,
            restored.noted()
        )
    }
}
