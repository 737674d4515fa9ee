//! N303: what DICOMweb needs can be read, where `[dicomweb]` names it.

use anyhow::Result;
use snowball_service::doctor::{Check, Finding};

use super::fault;
use crate::{
    cli::{pull, spooled::client_tls},
    config::{NodeConfig, pacs::DicomwebConfig},
};

const CHECK: Check = Check::new("N303", "dicomweb");

pub fn look(config: &NodeConfig) -> Option<Finding> {
    let web = &config.dicomweb;
    if web.credentials.is_none() && web.tls.is_none() {
        return None;
    }
    Some(CHECK.of(readable(web).map_err(|error| {
        fault(
            &error,
            "the files under [dicomweb] must be readable by the node's user, credentials by nobody else (chmod 600)",
        )
    })))
}

fn readable(config: &DicomwebConfig) -> Result<String> {
    if let Some(tls) = &config.tls {
        client_tls(tls)?;
    }
    if let Some(path) = &config.credentials {
        pull::credentials(path)?;
    }
    Ok("credentials and certificates can be read".to_owned())
}
