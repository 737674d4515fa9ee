//! A site's line to the aggregator: bytes pass, stand still, or are cut off.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use snowball_tests::Site;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    sync::watch,
    time::sleep,
};

/// How the line is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Condition {
    /// Bytes pass.
    Fair,
    /// Connections stay, and nothing passes.
    Stalled,
    /// There is none: those that stood are cut, and new ones are refused.
    Down,
}

/// One site's line.
pub struct Line {
    condition: watch::Sender<Condition>,
    /// Rises at each cut; a connection lasts until then.
    cuts: watch::Sender<u64>,
    /// Bytes that passed, both ways.
    bytes: Arc<AtomicU64>,
}

impl Line {
    /// Lies between the node of `site` and the aggregator at `port`: the node's enrolment is made to name this end.
    pub async fn lay(site: &Site, port: u16) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        reroute(site, port, listener.local_addr()?)?;
        let line = Self {
            condition: watch::Sender::new(Condition::Fair),
            cuts: watch::Sender::new(0),
            bytes: Arc::default(),
        };
        let (condition, cuts, bytes) = (
            line.condition.subscribe(),
            line.cuts.subscribe(),
            Arc::clone(&line.bytes),
        );
        tokio::spawn(carry(listener, port, condition, cuts, bytes));
        Ok(line)
    }

    /// How the line is from now on.
    pub fn set(&self, condition: Condition) {
        self.condition.send_replace(condition);
        if condition == Condition::Down {
            self.cut();
        }
    }

    /// Cuts every connection that stands.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Bytes that passed so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

fn reroute(site: &Site, port: u16, own: SocketAddr) -> Result<()> {
    let file = site.home.join("aggregator.json");
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let rerouted = text.replace(&format!("localhost:{port}"), &format!("localhost:{}", own.port()));
    ensure!(text != rerouted, "{} does not name port {port}", file.display());
    std::fs::write(&file, rerouted).with_context(|| format!("cannot write {}", file.display()))
}

/// Ends with the line, whose cuts it watches.
async fn carry(
    listener: TcpListener,
    port: u16,
    condition: watch::Receiver<Condition>,
    mut cuts: watch::Receiver<u64>,
    bytes: Arc<AtomicU64>,
) {
    loop {
        let node = tokio::select! {
            accepted = listener.accept() => accepted.map(|(node, _)| node),
            gone = cuts.wait_for(|_| false) => return drop(gone),
        };
        let Ok(node) = node else {
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        if *condition.borrow() == Condition::Down {
            continue;
        }
        let (condition, bytes, mut cuts) = (condition.clone(), Arc::clone(&bytes), cuts.clone());
        cuts.mark_unchanged();
        tokio::spawn(async move {
            let Ok(aggregator) = TcpStream::connect(("127.0.0.1", port)).await else {
                return;
            };
            let (from_node, to_node) = node.into_split();
            let (from_aggregator, to_aggregator) = aggregator.into_split();
            tokio::select! {
                () = pass(from_node, to_aggregator, condition.clone(), &bytes) => {}
                () = pass(from_aggregator, to_node, condition, &bytes) => {}
                _ = cuts.changed() => {}
            }
        });
    }
}

/// Carries bytes one way, to the first end.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut condition: watch::Receiver<Condition>,
    bytes: &AtomicU64,
) {
    let mut block = [0; 4096];
    loop {
        let Ok(count) = from.read(&mut block).await else { return };
        if count == 0 || condition.wait_for(|now| *now != Condition::Stalled).await.is_err() {
            return;
        }
        if to.write_all(&block[..count]).await.is_err() {
            return;
        }
        bytes.fetch_add(count as u64, Ordering::Relaxed);
    }
}
