//! `linkage`: the way back from a pseudonym, for this site alone, and its end.

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use snowball_crypto::{Originals, Pseudonym};
use snowball_ledger::Entry;
use snowball_protocol::SiteName;
use snowball_service::clock;

use super::{Context, Refused, words};

/// The vault that leads from a pseudonym back to a patient. It exists only where node.toml says linkage = true.
#[derive(Subcommand)]
pub enum Linkage {
    /// Show whom the hospital means by a pseudonym of a radiograph, a study or a patient. Who asked and why goes into the ledger, never
    /// the answer.
    #[command(after_help = "Example: hospital-node linkage show 5a..5a --reason incidental-finding")]
    Show {
        /// The pseudonym, 64 hexadecimal digits: a radiograph's, as predict and segment write it, a study's or a patient's.
        pseudonym: String,
        /// Why, in one line; no patient's name, it stays in the ledger for good.
        #[arg(long)]
        reason: String,
    },
    /// Destroy the vault for good: its key is overwritten and removed, and no pseudonym of this site can be traced back to a patient by
    /// anybody, ever. Backups with keys/vault.secret (backup --with-vault-key) must be destroyed too.
    #[command(after_help = "Example: hospital-node linkage destroy --yes-destroy north")]
    Destroy {
        /// The site's name, typed out, as the sign that this is meant.
        #[arg(long, value_name = "SITE")]
        yes_destroy: Option<SiteName>,
    },
}

impl Linkage {
    pub fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::Show { pseudonym, reason } => show(context, &pseudonym, &reason),
            Self::Destroy { yes_destroy } => destroy(context, yes_destroy.as_ref()),
        }
    }
}

fn show(context: &Context, pseudonym: &str, reason: &str) -> Result<()> {
    let home = context.home()?;
    let config = home.config()?;
    let pseudonym: Pseudonym = pseudonym.parse()?;
    let reason = words::checked("the reason", reason)?;
    let Some(vault) = home.vault(&config)? else {
        bail!(
            "this site keeps no linkage vault; set linkage = true in node.toml before ingest, if the board permits it"
        );
    };
    let store = home.open_store(&config)?;
    // What predict and segment name is a radiograph; the vault knows its study.
    let pseudonym = store.source_of(&pseudonym)?.map_or(pseudonym, |source| source.study);
    let found = vault.find(&pseudonym)?;
    let subject = store.mark(&pseudonym);
    // The record comes first: what cannot be written down is not shown.
    let entry = Entry::LinkageShown {
        subject,
        account: words::account(),
        reason,
        studies: found.len() as u64,
    };
    let ledger = home.open_ledger(&config)?;
    let mut ledger = ledger.lock().map_err(|_| anyhow::anyhow!("the ledger is in use"))?;
    ledger
        .append(clock::now(), entry)
        .context("cannot write the ledger; nothing is shown")?;
    if found.is_empty() {
        bail!("the vault holds no link for this pseudonym");
    }
    let document: Vec<_> = found
        .iter()
        .map(|one| {
            let accession = one.accession.as_ref().map(|accession| accession.as_str());
            serde_json::json!({"patient": one.patient.as_str(), "study": one.study.as_str(), "accession": accession})
        })
        .collect();
    context.print(&document, || found.iter().map(line).collect::<Vec<_>>().join("\n"))
}

fn line(one: &Originals) -> String {
    let accession = one.accession.as_ref().map_or("none", |accession| accession.as_str());
    format!(
        "patient {}, study {}, accession {accession}",
        one.patient.as_str(),
        one.study.as_str()
    )
}

fn destroy(context: &Context, confirmed: Option<&SiteName>) -> Result<()> {
    let home = context.home()?;
    let config = home.config()?;
    let folder = home.vault_folder();
    if !snowball_vault::is_destroyed(&folder) && !home.vault_secret().exists() {
        bail!("this site keeps no linkage vault; there is nothing to destroy");
    }
    if confirmed != Some(&config.site) {
        return Err(Refused(format!(
            "nothing was destroyed. This ends every way from a pseudonym back to a patient, for good: nobody can be told of a \
             finding any more, and no backup brings it back that was made without --with-vault-key. If that is meant: hospital-node linkage destroy \
             --yes-destroy {}",
            config.site
        ))
        .into());
    }
    // A vault that does not open is destroyed all the same; its links are then not counted.
    let links = home.vault(&config).ok().flatten().and_then(|vault| vault.count().ok());
    snowball_vault::destroy(&folder, &home.vault_secret())?;
    let proof = match home.vault(&config) {
        Err(refusal) => refusal.to_string(),
        Ok(_) => bail!(
            "the vault still opens; look at the permissions of {} and do this again",
            folder.display()
        ),
    };
    let entry = Entry::LinkageDestroyed {
        account: words::account(),
        links: links.unwrap_or(0),
    };
    let ledger = home.open_ledger(&config)?;
    let mut ledger = ledger.lock().map_err(|_| anyhow::anyhow!("the ledger is in use"))?;
    ledger.append(clock::now(), entry)?;
    context.print(
        &serde_json::json!({"destroyed": true, "links": links, "proof": proof}),
        || {
            format!(
                "destroyed: {} links and their key. Asked again, the vault says: {proof}\nDestroy copies of keys/vault.secret too, also in backups that were made with --with-vault-key.",
                links.map_or_else(|| "an unknown number of".to_owned(), |links| links.to_string())
            )
        },
    )
}
