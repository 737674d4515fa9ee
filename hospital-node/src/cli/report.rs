//! `report`: pages for those who approve and those who check.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Subcommand;
use snowball_service::{clock, files};
use snowball_web::Language;

use super::Context;
use crate::{
    auditor::{self, Period},
    evidence, page,
};

/// Write a page for the board, out of what this node keeps. It holds counts, never a value of a patient.
#[derive(Subcommand)]
pub enum Report {
    /// How radiographs are de-identified here: rules, counts, tests, reviews, limits.
    #[command(after_help = "Example: hospital-node report deidentification --out evidence.html")]
    Deidentification {
        /// The page to write.
        #[arg(long)]
        out: PathBuf,
        /// A folder that `deidentify` wrote: its terms of closed lists are counted. May be given several times.
        #[arg(long)]
        output: Vec<PathBuf>,
    },
    /// What was done here, for an auditor: policies, studies, receipts, what left, what was kept out, how to check it all.
    #[command(after_help = "Example: hospital-node report audit --out audit.html --language fr --since 2026-01-01")]
    Audit {
        /// The page to write.
        #[arg(long)]
        out: PathBuf,
        /// Its language: en or fr.
        #[arg(long, default_value = "en")]
        language: Language,
        /// The first day that is told (UTC); absent: from the beginning.
        #[arg(long, value_name = "DATE")]
        since: Option<jiff::civil::Date>,
        /// The last day that is told (UTC); absent: until today.
        #[arg(long, value_name = "DATE")]
        until: Option<jiff::civil::Date>,
    },
}

impl Report {
    pub fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::Deidentification { out, output } => {
                let evidence = evidence::gather(&context.home()?, &output, clock::now())?;
                write(context, &out, &page::deidentification(&evidence)?, &evidence)
            }
            Self::Audit {
                out,
                language,
                since,
                until,
            } => {
                let period = Period::of_days(since, until)?;
                let audit = auditor::gather(&context.home()?, period, language, clock::now())?;
                write(context, &out, &auditor::page(&audit, language), &audit)
            }
        }
    }
}

fn write(context: &Context, out: &Path, html: &str, document: &impl serde::Serialize) -> Result<()> {
    files::write_durable(out, html.as_bytes()).with_context(|| format!("cannot write {}", out.display()))?;
    context.print(document, || {
        format!("{}: open it in a browser, or print it", out.display())
    })
}
