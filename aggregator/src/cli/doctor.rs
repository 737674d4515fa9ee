//! `aggregator doctor`: each thing that can be wrong, and how to mend it.

use std::{
    net::{TcpStream, ToSocketAddrs as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use serde_json::json;
use snowball_registry::{ObjectFolder, ObjectName, Registry};
use snowball_service::clock;

use super::Answer;
use crate::{
    authority::not_after,
    config::Config,
    home::{Home, read_text},
    journal::Outbox,
};

const CONNECT_SECONDS_MAX: u64 = 3;
const DAY_SECONDS: i64 = 86_400;

/// Looks for what is wrong and says how to mend it.
#[derive(Args)]
#[command(after_help = "Example:\n  aggregator doctor")]
pub struct Doctor {}

/// What one look found: what is well, or what is not and the remedy.
struct Finding {
    what: &'static str,
    result: Result<String>,
    remedy: &'static str,
}

impl Doctor {
    /// Exit code 3 where anything is wrong. Changes nothing.
    pub async fn run(&self, home: &Home) -> Result<Answer> {
        let home = Home::existing(home.dir())?;
        let config = home.config();
        let mut findings = vec![
            finding(
                "configuration",
                config
                    .as_ref()
                    .map(|_| "sound".to_owned())
                    .map_err(|error| anyhow::anyhow!("{error:#}")),
                "correct aggregator.toml as it says",
            ),
            finding(
                "secrets",
                secrets(&home),
                "chmod 700 the folder and chmod 600 its *.key.pem files",
            ),
            finding(
                "certificates",
                certificates(&home),
                "restart aggregator serve, which renews the server's certificate",
            ),
            finding("database", database(&home).await, "restore the folder from a backup"),
            finding(
                "ledger",
                ledger(&home),
                "start aggregator serve if entries wait; else keep a copy for the auditor and restore the folder from a backup",
            ),
        ];
        if let Ok(config) = &config {
            findings.push(finding(
                "address",
                address(config),
                "start aggregator serve; check DNS, the firewall and the port",
            ));
        }
        let text: Vec<String> = findings.iter().map(Finding::line).collect();
        let json = json!({ "findings": findings.iter().map(|finding| json!({
            "what": finding.what,
            "well": finding.result.is_ok(),
            "finding": finding.result.as_ref().map_or_else(|error| format!("{error:#}"), Clone::clone),
            "remedy": finding.result.as_ref().err().map(|_| finding.remedy),
        })).collect::<Vec<_>>() });
        let is_well = findings.iter().all(|finding| finding.result.is_ok());
        let text = text.join("\n");
        Ok(if is_well {
            Answer::new(text, json)
        } else {
            Answer::refused(text, json)
        })
    }
}

fn finding(what: &'static str, result: Result<String>, remedy: &'static str) -> Finding {
    Finding { what, result, remedy }
}

impl Finding {
    fn line(&self) -> String {
        match &self.result {
            Ok(found) => format!("well   {}: {found}", self.what),
            Err(error) => format!("WRONG  {}: {error:#}\n       remedy: {}", self.what, self.remedy),
        }
    }
}

fn secrets(home: &Home) -> Result<String> {
    let closed = |path: &Path| -> Result<()> {
        let mode = path
            .metadata()
            .with_context(|| format!("cannot look at {}", path.display()))?
            .permissions()
            .mode();
        ensure!(
            mode & 0o077 == 0,
            "{} is open to other users (mode {:o})",
            path.display(),
            mode & 0o777
        );
        Ok(())
    };
    closed(home.dir())?;
    for path in [home.ca_key_file(), home.server_key_file(), home.signing_key_file()] {
        closed(&path)?;
    }
    let key = home.signing_key()?.verifying_key().to_string();
    ensure!(
        read_text(&home.public_key_file())?.trim() == key,
        "ledger.pub is not the public half of ledger.key.pem"
    );
    Ok("readable by this user only".to_owned())
}

fn certificates(home: &Home) -> Result<String> {
    home.authority()?;
    let now = clock::now();
    let days = |pem: &str| -> Result<i64> { Ok((not_after(pem)? - now) / DAY_SECONDS) };
    let (ca, server) = (days(&read_text(&home.ca_file())?)?, days(&home.server_pair()?.0)?);
    if ca < 90 {
        bail!("the CA ends in {ca} days: plan a new consortium CA");
    }
    ensure!(server > 7, "the server's certificate ends in {server} days");
    Ok(format!("CA good for {ca} days, server for {server}"))
}

async fn database(home: &Home) -> Result<String> {
    let registry = Registry::open(&home.database_file()).await?;
    let consortium = registry.consortium().await?.context("it belongs to no consortium")?;
    ensure!(
        consortium.ca_fingerprint == home.authority()?.fingerprint(),
        "it belongs to a consortium with another CA"
    );
    let (sites, studies) = (registry.sites().await?.len(), registry.studies().await?);
    let objects = ObjectFolder::open(&home.objects_dir())?;
    for study in &studies {
        if let Some(model) = study.phase.model() {
            let name = ObjectName::model(&study.plan.study, model.round);
            ensure!(
                objects.size(&name)?.is_some(),
                "the file of {}'s model {} is missing",
                study.plan.study,
                model.round
            );
        }
    }
    registry.close().await;
    Ok(format!(
        "{sites} sites, {} studies, every newest model in place",
        studies.len()
    ))
}

fn ledger(home: &Home) -> Result<String> {
    let verified = snowball_ledger::verify(&home.ledger_dir(), &home.signing_key()?.verifying_key())?;
    ensure!(
        verified.unseen == 0,
        "the first {} records lie in archives that are not in {}; put them back, or serve does not start",
        verified.unseen,
        home.ledger_dir().join(snowball_ledger::ARCHIVE_FOLDER).display()
    );
    let waiting = Outbox::at(&home.outbox_dir()).count()?;
    ensure!(
        waiting == 0 || home.is_served()?,
        "{waiting} entries wait in {}",
        home.outbox_dir().display()
    );
    Ok(format!("{} records hold", verified.entries))
}

fn address(config: &Config) -> Result<String> {
    let address = &config.address;
    let mut candidates = address
        .to_socket_addrs()
        .with_context(|| format!("{address} does not resolve"))?;
    let limit = Duration::from_secs(CONNECT_SECONDS_MAX);
    ensure!(
        candidates.any(|candidate| TcpStream::connect_timeout(&candidate, limit).is_ok()),
        "nothing answers at {address}"
    );
    Ok(format!("{address} answers"))
}
