//! The half of `receive` that strangers speak to: a child process with the network and the spool, and no other file of the node. It decodes
//! nothing and holds no key but that of its TLS. The other half decodes, and has no network.
//!
//! What it says on its standard output its parent hears line by line: a bell for each object that is whole in the spool, and what is for
//! people, which the parent passes on. On its standard input it hears what is to be logged from then on; it ends when that ends.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::RecvTimeoutError,
    },
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use snowball_confine::{Hold, Reach, confine_listener};
use snowball_service::{output, telemetry};

use super::{
    Context,
    receive::{listen, open_spool},
    spooled::Bell,
    stop::Stop,
};
use crate::{
    config::{NodeConfig, pacs::ReceiveConfig},
    home::Home,
};

/// The line for an object that is whole in the spool.
const RUNG: &str = "+";
/// How soon it notices that it is to end.
const REST: Duration = Duration::from_millis(200);
/// What is for people is shorter.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// The listening child, as its parent holds it.
pub(super) struct Ears {
    child: Child,
    /// Closed to end it.
    open: Arc<Mutex<Option<ChildStdin>>>,
    said: Option<ChildStdout>,
}

impl Ears {
    /// Starts it: this program again, for the same home.
    pub fn start(context: &Context) -> Result<Self> {
        let program = std::env::current_exe().context("cannot find this program")?;
        let mut command = Command::new(program);
        command.arg("--home").arg(&context.root);
        if context.json {
            command.arg("--json");
        }
        let mut child = command
            .args(["receive", "--ears"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the process that listens")?;
        Ok(Self {
            open: Arc::new(Mutex::new(child.stdin.take())),
            said: child.stdout.take(),
            child,
        })
    }

    /// Passes on what it says until it has ended.
    pub fn hear(&mut self, bell: Bell) -> Result<impl FnOnce() -> Result<()> + Send + use<>> {
        let said = self.said.take().context("it is heard already")?;
        Ok(move || {
            let mut said = BufReader::new(said);
            loop {
                let mut line = String::new();
                if said.by_ref().take(LINE_BYTES_MAX).read_line(&mut line)? == 0 {
                    return Ok(());
                }
                match line.trim_end() {
                    RUNG => bell.ring(),
                    words => output::line(words)?,
                }
            }
        })
    }

    /// Tells it what is to be logged from now on.
    pub fn teller(&self) -> impl Fn(Option<&str>) + Send + use<> {
        let open = Arc::clone(&self.open);
        move |levels| {
            if let Some(open) = open.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
                // Where it has ended, it logs nothing.
                let _ = writeln!(open, "{}", levels.unwrap_or_default());
            }
        }
    }

    /// Has it end.
    pub fn close(&mut self) {
        drop(self.open.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Waits until it has ended. That it ended by itself is a fault, of which it has said why.
    pub fn end(mut self, was_asked: bool) -> Result<()> {
        self.close();
        let status = self
            .child
            .wait()
            .context("the process that listens cannot be waited for")?;
        ensure!(
            was_asked || status.success(),
            "the process that listens has ended with {status}: see what it said above"
        );
        if !was_asked {
            bail!("the process that listens has ended");
        }
        Ok(())
    }
}

/// What the child does.
pub(super) fn listen_alone(context: &Context, home: &Home, config: &NodeConfig, receive: &ReceiveConfig) -> Result<()> {
    let spool = open_spool(home, config, "receive")?;
    let tls = receive.tls.as_ref();
    let read = tls.map_or_else(Vec::new, |files| {
        let peers = files.peers.iter().cloned();
        [files.certificate.clone(), files.key.clone()]
            .into_iter()
            .chain(peers)
            .collect()
    });
    let holds = confine_listener(&Reach {
        read,
        write: vec![spool.folder().to_owned()],
        ..Reach::default()
    });
    for hold in holds {
        if let Hold::Partly(why) | Hold::Nothing(why) = hold {
            tracing::warn!(%why, "a process that listens to strangers could read the node's keys");
        }
    }
    let stop = Stop::of_a_service()?;
    let (bell, heard) = Bell::new();
    let receiver = listen(receive, config, &spool, bell)?;
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
    let is_over = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&is_over);
    std::thread::spawn(move || {
        follow_levels();
        over.store(true, Ordering::SeqCst);
    });
    while !is_over.load(Ordering::SeqCst) && !stop.is_requested() {
        match heard.recv_timeout(REST) {
            Ok(()) => output::line(RUNG)?,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    Ok(())
}

/// Takes up what is to be logged whenever the other half says so, until it says nothing any more.
fn follow_levels() {
    let mut said = BufReader::new(std::io::stdin());
    loop {
        let mut line = String::new();
        match said.by_ref().take(LINE_BYTES_MAX).read_line(&mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let levels = Some(line.trim_end()).filter(|levels| !levels.is_empty());
        if let Err(fault) = telemetry::change(levels) {
            tracing::warn!(%fault, "what is logged stays as it was");
        }
    }
}
