//! `receive`: the storage SCP as a service.

use std::{net::TcpListener, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use snowball_pacs::{
    receive::{Receiver, Settings},
    spool::Spool,
    tls,
};

use super::{
    Context,
    batch::Batches,
    spooled::{Bell, Desk, identity, is_decodable, read_pem},
    stop::Stop,
};
use crate::{
    config::{NodeConfig, pacs::ReceiveConfig},
    home::Home,
};

/// Receive radiographs that archives and modalities send (C-STORE), as node.toml permits. Ends on SIGTERM or Ctrl-C.
#[derive(Args)]
#[command(after_help = "Example: hospital-node receive")]
pub struct Receive {
    /// Threads for the intake; 0: as many as cores.
    #[arg(long, default_value_t = 0)]
    threads: usize,
}

impl Receive {
    pub fn run(self, context: &Context) -> Result<()> {
        let home = context.home()?;
        let config = home.config()?;
        let Some(receive) = &config.receive else {
            bail!("node.toml has no [receive]: nobody may send. Name the port and the AE titles there");
        };
        let stop = Stop::listen()?;
        let spool = open_spool(&home, &config, "receive")?;
        let batches = Batches::open(&home, &config, self.threads)?;
        let (bell, heard) = Bell::new();
        let receiver = listen(receive, &config, &spool, bell)?;
        let (address, is_secure) = (receiver.address(), receive.tls.is_some());
        context.print(
            &serde_json::json!({ "event": "listening", "address": address, "tls": is_secure }),
            || {
                let how = if is_secure { "TLS" } else { "in the clear" };
                format!(
                    "listening at {address}, {how}, {} senders permitted",
                    receive.calling.len()
                )
            },
        )?;
        let desk = Desk {
            context,
            batches: &batches,
            spool: &spool,
            from: "the spool",
            stop: stop.flag(),
        };
        desk.work(&heard)
    }
}

/// The spool of one way in, held by this process.
pub(super) fn open_spool(home: &Home, config: &NodeConfig, way: &str) -> Result<Arc<Spool>> {
    Ok(Arc::new(Spool::open(
        &home.spool(way),
        config.spool.disk_free_bytes_min,
    )?))
}

/// Starts the SCP.
pub(super) fn listen(receive: &ReceiveConfig, config: &NodeConfig, spool: &Arc<Spool>, bell: Bell) -> Result<Receiver> {
    let tls = match &receive.tls {
        None => None,
        Some(files) => {
            let peers = files.peers.as_deref().map(read_pem).transpose()?;
            Some(tls::server(
                &identity(&files.certificate, &files.key)?,
                peers.as_deref(),
            )?)
        }
    };
    let listener = TcpListener::bind(receive.listen)
        .with_context(|| format!("cannot listen at {}; see receive.listen in node.toml", receive.listen))?;
    let settings = Settings {
        called: receive.called.clone(),
        calling: receive.calling.clone(),
        associations_max: receive.associations_max,
        pdu_bytes_max: receive.pdu_bytes_max,
        object_bytes_max: config.spool.object_bytes_max,
        idle: Duration::from_secs(receive.idle_seconds),
        is_decodable,
        tls,
    };
    Receiver::start(listener, settings, Arc::clone(spool), move || bell.ring()).context("cannot serve")
}
