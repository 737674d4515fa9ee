//! `report`: pages for those who approve and those who check.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use snowball_service::{clock, files};

use super::Context;
use crate::{evidence, page};

/// Write a page for the board, out of what this node keeps. It holds counts, never a value of a patient.
#[derive(Subcommand)]
pub enum Report {
    /// How radiographs are de-identified here: rules, counts, tests, reviews, limits.
    /// Example: hospital-node report deidentification --out evidence.html
    Deidentification {
        /// The page to write.
        #[arg(long)]
        out: PathBuf,
        /// A folder that `deidentify` wrote: its terms of closed lists are counted. May be given several times.
        #[arg(long)]
        output: Vec<PathBuf>,
    },
}

impl Report {
    pub fn run(self, context: &Context) -> Result<()> {
        let Self::Deidentification { out, output } = self;
        let evidence = evidence::gather(&context.home()?, &output, clock::now())?;
        let html = page::deidentification(&evidence)?;
        files::write_durable(&out, html.as_bytes()).with_context(|| format!("cannot write {}", out.display()))?;
        context.print(&evidence, || {
            format!("{}: open it in a browser, or print it", out.display())
        })
    }
}
