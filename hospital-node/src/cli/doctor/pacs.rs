//! The checks of the ways in: what this host can tell, and, unless offline, whether the archive answers.

use std::{io::ErrorKind, net::TcpListener};

use anyhow::Result;
use snowball_pacs::{PacsError, spool::Spool, tls};
use snowball_service::files;

use super::{Finding, finding};
use crate::{
    cli::{
        pull,
        retrieve::archive,
        spooled::{client_tls, identity, read_pem},
        stop::Stop,
    },
    config::{
        NodeConfig,
        pacs::{DicomwebConfig, ReceiveConfig, RetrieveConfig},
    },
    home::Home,
};

/// One finding for each way in that is configured, and one for the spool.
pub(super) fn findings(home: &Home, config: &NodeConfig, offline: bool) -> Vec<Finding> {
    let said = |outcome: Result<String>| outcome.map_err(|fault| format!("{fault:#}"));
    let mut findings = vec![finding("spool", said(spool(home, config)))];
    if let Some(receive) = &config.receive {
        findings.push(finding("receive", said(receiving(home, config, receive))));
    }
    if let Some(retrieve) = &config.retrieve {
        findings.push(finding("retrieve", said(retrieving(retrieve, offline))));
    }
    if config.dicomweb.credentials.is_some() || config.dicomweb.tls.is_some() {
        findings.push(finding("dicomweb", said(web(&config.dicomweb))));
    }
    findings
}

/// The spool can be written and has room. `None` where another process of this node holds it, which is well.
fn try_spool(home: &Home, config: &NodeConfig, way: &str) -> Result<Option<()>> {
    match Spool::open(&home.spool(way), config.spool.disk_free_bytes_min) {
        Ok(spool) => spool.check_room().map(Some).map_err(Into::into),
        Err(PacsError::SpoolInUse { .. }) => Ok(None),
        Err(fault) => Err(fault.into()),
    }
}

fn spool(home: &Home, config: &NodeConfig) -> Result<String> {
    for way in ["receive", "fetch"] {
        try_spool(home, config, way)?;
    }
    let free = files::free_bytes(home.root())?;
    let floor = config.spool.disk_free_bytes_min;
    if free < floor {
        return Err(PacsError::DiskLow { floor }.into());
    }
    Ok(format!(
        "writable, {} MiB free, nothing more is taken below {} MiB",
        free >> 20,
        floor >> 20
    ))
}

fn receiving(home: &Home, config: &NodeConfig, receive: &ReceiveConfig) -> Result<String> {
    if let Some(files) = &receive.tls {
        let peers = files.peers.as_deref().map(read_pem).transpose()?;
        tls::server(&identity(&files.certificate, &files.key)?, peers.as_deref())?;
    }
    let how = match &receive.tls {
        None => "in the clear",
        Some(files) if files.peers.is_none() => "TLS, senders need no certificate",
        Some(_) => "mutual TLS",
    };
    let state = match TcpListener::bind(receive.listen) {
        Ok(_) => "the port is free",
        Err(fault) if fault.kind() == ErrorKind::AddrInUse && try_spool(home, config, "receive")?.is_none() => {
            "the receive service is running"
        }
        Err(fault) => anyhow::bail!("cannot listen: {fault}; end the program that holds the port, or choose another"),
    };
    Ok(format!(
        "{}: {state}, {how}, {} senders permitted",
        receive.listen,
        receive.calling.len()
    ))
}

fn retrieving(retrieve: &RetrieveConfig, offline: bool) -> Result<String> {
    let archive = archive(retrieve, &Stop::listen()?)?;
    if offline {
        return Ok(format!("{} as {}, not asked", retrieve.archive, retrieve.archive_title));
    }
    archive.echo()?;
    Ok(format!(
        "{} at {} answers (C-ECHO)",
        retrieve.archive_title, retrieve.archive
    ))
}

fn web(config: &DicomwebConfig) -> Result<String> {
    if let Some(tls) = &config.tls {
        client_tls(tls)?;
    }
    if let Some(path) = &config.credentials {
        pull::credentials(path)?;
    }
    Ok("credentials and certificates can be read".to_owned())
}
