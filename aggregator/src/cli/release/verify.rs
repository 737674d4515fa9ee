//! `aggregator release verify`: a stranger's look at a release.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde_json::json;
use snowball_crypto::VerifyingKey;
use snowball_protocol::plan::Origin;

use crate::{
    cli::{Answer, Refused, read_key},
    release,
};

/// Verifies a release.
#[derive(Args)]
#[command(after_help = "Example:\n  aggregator release verify release-1 --key ledger.pub")]
pub struct Verify {
    /// The release's folder
    dir: PathBuf,
    /// The aggregator's public key: base64, or a file that holds it
    #[arg(long, value_name = "KEY")]
    key: String,
}

impl Verify {
    /// Exit code 3 where anything does not hold.
    pub fn run(&self) -> Result<Answer> {
        let key: VerifyingKey = read_key(&self.key)?;
        let (lineage, found) = release::verify(&self.dir, &key).map_err(|error| Refused(format!("{error:#}")))?;
        let json = json!({
            "study": lineage.study, "model_digest": lineage.model_digest, "parents": lineage.plan.parents(), "holds": found.is_empty(),
            "found": found,
        });
        if found.is_empty() {
            let parents = lineage.plan.parents().iter().map(Origin::name).collect::<Vec<_>>();
            let parents = match parents.join(",\nwhich began from ") {
                none if none.is_empty() => none,
                some => format!("\nIt began from {some}."),
            };
            let text = format!(
                "The release of {} holds: model {}.{parents}",
                lineage.study, lineage.model_digest
            );
            return Ok(Answer::new(text, json));
        }
        Ok(Answer::refused(
            format!("The release does NOT hold:\n  {}", found.join("\n  ")),
            json,
        ))
    }
}
