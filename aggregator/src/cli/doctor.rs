//! `aggregator doctor`: each thing that can be wrong, and how to mend it. One file a check; each has a number and an entry in
//! `docs/doctor.md`.

mod address;
mod authorities;
mod certificate;
mod clock;
mod configuration;
mod database;
mod disk;
mod explain;
mod ledger;
mod name;
mod port;
mod releases;
mod renewals;
mod secrets;

use anyhow::{Error, Result};
use clap::Args;
use serde_json::Value;
use snowball_service::{
    doctor::{Fault, Report},
    output,
};

use super::Answer;
use crate::home::Home;

/// Where each number has its entry.
const PAGE: &str = "aggregator/docs/doctor.md";

/// Looks for what is wrong and says how to mend it.
#[derive(Args)]
#[command(
    after_help = "Exit code 3 where anything is bad. Each number is explained in docs/doctor.md.\n\nExample:\n  aggregator doctor\n  \
                  aggregator doctor --explain"
)]
pub struct Doctor {
    /// Print one page for the firewall team, from this aggregator's configuration, and check nothing
    #[arg(long)]
    explain: bool,
}

impl Doctor {
    /// Exit code 3 where anything is bad. Changes nothing.
    pub async fn run(&self, home: &Home) -> Result<Answer> {
        let home = home.existing()?;
        if self.explain {
            let page = explain::page(&home.config()?);
            return Ok(Answer::new(page.text(), serde_json::to_value(&page)?));
        }
        let config = home.config();
        let mut findings = vec![
            configuration::look(&config),
            secrets::look(&home),
            authorities::look(&home),
            certificate::look(&home),
            renewals::look(&home).await,
            database::look(&home).await,
            ledger::look(&home),
            releases::look(&home).await,
        ];
        if let Ok(config) = &config {
            findings.push(disk::look(&home, config).await);
        }
        findings.push(clock::look(&home).await);
        if let Ok(config) = &config {
            findings.push(port::look(&home, config));
            let (addresses, finding) = name::look(config);
            findings.push(finding);
            if let Some(addresses) = addresses {
                findings.push(address::look(&home, config, &addresses).await);
            }
        }
        let report = Report::of(findings, PAGE);
        let text = report.text(output::has_colours(&std::io::stdout()));
        let json: Value = serde_json::to_value(&report)?;
        Ok(if report.bad == 0 {
            Answer::new(text, json)
        } else {
            Answer::refused(text, json)
        })
    }
}

/// A fault and what to do about it.
fn fault(error: &Error, remedy: &str) -> Fault {
    Fault::new(format!("{error:#}"), remedy)
}
