//! `aggregator doctor`: each thing that can be wrong, and how to mend it.

use std::{
    collections::BTreeMap,
    net::{TcpStream, ToSocketAddrs as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use serde_json::json;
use snowball_registry::{ObjectFolder, ObjectName, Registry};
use snowball_service::{
    clock,
    tls::{self, Life},
};

use super::{Answer, keys::wrapped};
use crate::{
    config::Config,
    home::{Home, read_text},
    identity,
    journal::Outbox,
    server_certificate::ServerCertificate,
};

const CONNECT_SECONDS_MAX: u64 = 3;

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
        let home = home.existing()?;
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
                "as it says; chmod 700 the folder, chmod 600 its *.key.pem files and server.pem; aggregator keys protect finishes what broke off",
            ),
            finding(
                "certificates",
                certificates(&home),
                "as it says; a running serve renews its own certificate, aggregator renew does it now",
            ),
            finding(
                "renewals",
                renewals(&home).await,
                "ask the sites to start their nodes; one whose certificate ends needs a new invitation",
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
    for path in home.key_files() {
        closed(&path)?;
    }
    let key = home.signing_key()?.verifying_key().to_string();
    ensure!(
        read_text(&home.public_key_file())?.trim() == key,
        "ledger.pub is not the public half of ledger.key.pem"
    );
    Ok(match wrapped(home)? {
        0 => "readable by this user only, not under a passphrase (aggregator keys protect)".to_owned(),
        count if count == home.key_files().len() => "under a passphrase".to_owned(),
        count => bail!(
            "{count} of {} are under a passphrase and the others are not",
            home.key_files().len()
        ),
    })
}

fn certificates(home: &Home) -> Result<String> {
    let (authorities, now) = (home.authorities()?, clock::now());
    let server = ServerCertificate::read(home)?;
    ensure!(
        tls::is_issued_by(&server.pair_pem, authorities.serving().pem())?,
        "the server's certificate is not of the oldest CA: run aggregator renew"
    );
    ensure!(
        server.life.not_after >= now,
        "the server's certificate has ended: run aggregator renew"
    );
    let endings: Vec<String> = identity::endings(home, now)?
        .iter()
        .map(|ending| format!("{} ends in {} days: {}", ending.what, ending.days_left, ending.remedy))
        .collect();
    ensure!(endings.is_empty(), "{}", endings.join("; "));
    let days: Vec<String> = authorities
        .all()
        .iter()
        .map(|authority| {
            format!(
                "CA {} for {} days",
                authority.fingerprint().short(),
                authority.life().days_left(now)
            )
        })
        .collect();
    Ok(format!(
        "good: {}, server for {} days",
        days.join(", "),
        server.life.days_left(now)
    ))
}

/// Sites whose node should have renewed its certificate by itself and has not.
async fn renewals(home: &Home) -> Result<String> {
    let registry = Registry::open(&home.database_file()).await?;
    let now = clock::now();
    let newest: BTreeMap<_, _> = registry.live_certificates(now).await?.into_iter().collect();
    registry.close().await;
    let mut late = Vec::new();
    for (site, certificate) in &newest {
        let life = Life::read_pem(&certificate.pem)?;
        if life.warning_if_overdue(now).is_some() {
            late.push(format!("{site} has {} days", life.days_left(now)));
        }
    }
    ensure!(late.is_empty(), "not renewed in time: {}", late.join(", "));
    Ok(format!("{} sites, none late", newest.len()))
}

async fn database(home: &Home) -> Result<String> {
    let registry = Registry::open(&home.database_file()).await?;
    let consortium = registry.consortium().await?.context("it belongs to no consortium")?;
    ensure!(
        consortium.aggregator_key == home.signing_key()?.verifying_key().to_string(),
        "it belongs to a consortium with another signing key"
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
