//! `aggregator report`: one page about the consortium, for the coordinator and for auditors.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use snowball_service::{clock, files};
use snowball_web::Language;

use super::{Answer, open};
use crate::{home::Home, report};

/// Writes one HTML page: hospitals, studies, rounds, refusals, releases, the ledger and how to check it.
#[derive(Args)]
#[command(after_help = "Example:\n  aggregator report --out report.html --language fr")]
pub struct Report {
    /// The page to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Its language: en or fr
    #[arg(long, default_value = "en")]
    language: Language,
}

impl Report {
    /// Reads the ledger and the database and changes neither.
    pub async fn run(&self, home: &Home) -> Result<Answer> {
        let (home, registry) = open(home).await?;
        let report = report::gather(&home, &registry, clock::now()).await?;
        registry.close().await;
        let html = report::page(&report, self.language);
        files::write_durable(&self.out, html.as_bytes())
            .with_context(|| format!("cannot write {}", self.out.display()))?;
        let text = format!("{}: open it in a browser, or print it", self.out.display());
        Ok(Answer::new(text, serde_json::to_value(&report)?))
    }
}
