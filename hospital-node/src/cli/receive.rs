//! `receive`: the storage SCP as a service.

use std::{net::TcpListener, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use snowball_pacs::{
    PacsError,
    receive::{Receiver, Settings},
    spool::Spool,
    tls,
};
use snowball_service::telemetry::{self, Hangups};

use super::{
    Context,
    batch::Batches,
    decoding::{Decoder, Keeps},
    ears::{self, Ears},
    levels::{self, Levels},
    spooled::{Bell, Desk, identity, is_decodable, read_pem},
    stop::Stop,
};
use crate::{
    config::{NodeConfig, pacs::ReceiveConfig},
    home::Home,
    now::intake::Way,
};

/// How often, and with which pauses, a spool is asked for that the rest of a killed service may still hold.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// Receive radiographs that archives and modalities send (C-STORE), as node.toml permits. Ends on SIGTERM or Ctrl-C.
#[derive(Args)]
#[command(after_help = "Example: hospital-node receive")]
pub struct Receive {
    /// Threads for the intake; 0: as many as cores.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Only listens: what this command starts for itself.
    #[arg(long, hide = true)]
    ears: bool,
    /// Only says what is to be logged: what this command and `watch` start for themselves.
    #[arg(long, hide = true, conflicts_with = "ears")]
    levels: bool,
}

impl Receive {
    pub fn run(self, context: &Context) -> Result<()> {
        // Before all else, since until then a hangup ends the process, and no supervisor brings it back.
        let hangups = Hangups::listen().context("cannot listen for a hangup")?;
        let home = context.home()?;
        if self.levels {
            return levels::answer(&home);
        }
        let config = home.config()?;
        telemetry::begin(config.log.as_deref())?;
        let Some(receive) = &config.receive else {
            bail!("node.toml has no [receive]: nobody may send. Name the port and the AE titles there");
        };
        if self.ears {
            return ears::listen_alone(context, &home, &config, receive);
        }
        // Made, and free: the child holds it.
        let folder = open_when_free(&home, &config)?.folder().to_owned();
        let mut ears = Ears::start(context)?;
        let levels = Levels::start(context)?;
        let keeps = Keeps::of(&home, &config.text, Some(&folder), None);
        let batches =
            Batches::open(&home, &config, self.threads, (Decoder::Process, keeps))?.noting(&home, Way::Received);
        levels.follow(hangups, ears.teller())?;
        let stop = Stop::of_a_service()?;
        let (bell, heard) = Bell::new();
        let hear = ears.hear(bell)?;
        let spool = Spool::beside(&folder);
        let desk = Desk {
            context,
            batches: &batches,
            spool: &spool,
            from: "the spool",
            stop: stop.flag(),
        };
        std::thread::scope(|scope| {
            let heard_all = scope.spawn(hear);
            let taken = desk.work(&heard);
            let was_asked = stop.is_requested() || taken.is_err();
            let ended = ears.end(was_asked);
            let passed_on = heard_all
                .join()
                .map_err(|_| anyhow::anyhow!("the listening thread panicked"))?;
            taken?;
            passed_on?;
            ended
        })
    }
}

/// The spool, also where a service was killed a moment ago: the half of it that listens ends on its own, and that takes a while.
fn open_when_free(home: &Home, config: &NodeConfig) -> Result<Arc<Spool>> {
    for _ in 0..TRIES {
        match open_spool(home, config, "receive") {
            Err(fault) if is_in_use(&fault) => std::thread::sleep(PAUSE),
            other => return other,
        }
    }
    open_spool(home, config, "receive")
}

/// Whether another process of this node holds the spool.
pub(super) fn is_in_use(fault: &anyhow::Error) -> bool {
    matches!(fault.downcast_ref(), Some(PacsError::SpoolInUse { .. }))
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
