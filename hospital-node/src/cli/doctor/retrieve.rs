//! N302: the archive answers a C-ECHO, where `[retrieve]` names one.

use anyhow::Result;
use snowball_service::doctor::{Check, Finding};

use super::fault;
use crate::{
    cli::{retrieve::archive, stop::Stop},
    config::{NodeConfig, pacs::RetrieveConfig},
};

const CHECK: Check = Check::new("N302", "retrieve");

pub fn look(config: &NodeConfig, is_offline: bool) -> Option<Finding> {
    let retrieve = config.retrieve.as_ref()?;
    Some(CHECK.of(echoed(retrieve, is_offline).map_err(|error| {
        fault(
            &error,
            "compare host, port and both AE titles with the PACS administrator: the archive must know ours, and the firewall let \
             this host reach its port",
        )
    })))
}

fn echoed(retrieve: &RetrieveConfig, is_offline: bool) -> Result<String> {
    let archive = archive(retrieve, &Stop::listen()?)?;
    if is_offline {
        return Ok(format!("{} as {}, not asked", retrieve.archive, retrieve.archive_title));
    }
    archive.echo()?;
    Ok(format!(
        "{} at {} answers (C-ECHO)",
        retrieve.archive_title, retrieve.archive
    ))
}
