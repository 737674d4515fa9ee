//! N301: the port to which archives and modalities send, where `[receive]` opens one.

use std::{io::ErrorKind, net::TcpListener};

use anyhow::Result;
use snowball_pacs::tls;
use snowball_service::doctor::{Check, Finding};

use super::{fault, spool::try_spool};
use crate::{
    cli::spooled::{identity, read_pem},
    config::{NodeConfig, pacs::ReceiveConfig},
    home::Home,
};

const CHECK: Check = Check::new("N301", "receive");

pub fn look(home: &Home, config: &NodeConfig) -> Option<Finding> {
    let receive = config.receive.as_ref()?;
    Some(CHECK.of(receiving(home, config, receive).map_err(|error| {
        fault(
            &error,
            "end the program that holds the port (ss -ltnp names it), or set another listen under [receive]; certificates and keys \
             must be readable by the node's user",
        )
    })))
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
        Err(fault) => anyhow::bail!("cannot listen at {}: {fault}", receive.listen),
    };
    Ok(format!(
        "{}: {state}, {how}, {} senders permitted",
        receive.listen,
        receive.calling.len()
    ))
}
