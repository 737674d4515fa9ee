//! `aggregator release export`: what is put on a web server.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;
use snowball_crypto::VerifyingKey;

use crate::{
    cli::{Answer, Refused, read_key},
    release::{
        self,
        bundle::{self, PAGE_FILE, Verified},
    },
};

/// Writes a folder that any web server can publish: the releases, a page for each, and a page that lists them.
#[derive(Args)]
#[command(
    after_help = "Example:\n  aggregator release export release-1 release-2 --key ledger.pub --out public\n\n\
    Each release is verified first, and again where it was written. Nothing in the folder needs a program, a script or another server."
)]
pub struct Export {
    /// The releases' folders
    #[arg(required = true, value_name = "RELEASE")]
    releases: Vec<PathBuf>,
    /// The aggregator's public key: base64, or a file that holds it
    #[arg(long, value_name = "KEY")]
    key: String,
    /// The new folder
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Also releases that no board approved for publication; their pages say that they are for the consortium's hospitals
    #[arg(long)]
    within_consortium: bool,
}

impl Export {
    /// Exit code 3 where a release does not hold or may not be published.
    pub fn run(&self) -> Result<Answer> {
        let key = read_key(&self.key)?;
        let releases = self
            .releases
            .iter()
            .map(|folder| self.verified(folder, &key))
            .collect::<Result<Vec<_>>>()?;
        let pages = bundle::write(&self.out, &releases, &key)?;
        let text = format!(
            "Wrote {} release(s) into {}; look at {} before you publish the folder.",
            releases.len(),
            self.out.display(),
            self.out.join(PAGE_FILE).display()
        );
        Ok(Answer::new(text, json!({ "folder": self.out, "pages": pages })))
    }

    fn verified(&self, folder: &Path, key: &VerifyingKey) -> Result<Verified> {
        let (lineage, found) = release::verify(folder, key).map_err(|error| Refused(format!("{error:#}")))?;
        if !found.is_empty() {
            bail!(Refused(format!(
                "{} does NOT hold, so nothing was written:\n  {}",
                folder.display(),
                found.join("\n  ")
            )));
        }
        if !bundle::is_public(&lineage) && !self.within_consortium {
            bail!(Refused(format!(
                "the boards did not approve the publication of {}, only its plan's stage ({}); to pass it on among the consortium's \
                 hospitals, add --within-consortium",
                lineage.study,
                lineage.plan.stage.code()
            )));
        }
        Ok(Verified {
            folder: folder.to_owned(),
            lineage,
        })
    }
}
