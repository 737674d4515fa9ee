//! A line between a node and its aggregator that stops in the middle of an upload, and goes on when it is told to.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use snowball_tests::Site;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    sync::Notify,
    time::timeout,
};

/// A silence that ends a burst.
const QUIET: Duration = Duration::from_millis(300);

/// The line.
#[derive(Clone, Default)]
pub struct HeldLine(Arc<State>);

#[derive(Default)]
struct State {
    is_armed: AtomicBool,
    /// How often it was armed: what came before does not count towards an upload.
    arms: AtomicUsize,
    held: Notify,
    released: Notify,
    /// A burst from the node of more bytes than these is an upload.
    bytes: usize,
}

impl HeldLine {
    /// Lies between `site`'s node and the aggregator at `port`; a burst of more than `bytes` bytes is an upload.
    pub async fn lay(site: &Site, port: u16, bytes: usize) -> Self {
        let line = Self(Arc::new(State {
            bytes,
            ..State::default()
        }));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let file = site.home.join("aggregator.json");
        let text = std::fs::read_to_string(&file).unwrap();
        let rerouted = text.replace(&format!("localhost:{port}"), &format!("localhost:{own}"));
        assert_ne!(text, rerouted);
        std::fs::write(&file, rerouted).unwrap();
        let state = Arc::clone(&line.0);
        tokio::spawn(async move {
            while let Ok((node, _)) = listener.accept().await {
                let Ok(aggregator) = TcpStream::connect(("127.0.0.1", port)).await else {
                    continue;
                };
                let (from_node, mut to_node) = node.into_split();
                let (mut from_aggregator, to_aggregator) = aggregator.into_split();
                tokio::spawn(async move { tokio::io::copy(&mut from_aggregator, &mut to_node).await });
                tokio::spawn(upwards(from_node, to_aggregator, Arc::clone(&state)));
            }
        });
        line
    }

    /// The next upload stops in its middle.
    pub fn arm(&self) {
        self.0.arms.fetch_add(1, Ordering::SeqCst);
        self.0.is_armed.store(true, Ordering::SeqCst);
    }

    /// Returns when an upload stands still; `None` after two minutes.
    pub async fn held(&self) -> Option<()> {
        timeout(Duration::from_secs(120), self.0.held.notified()).await.ok()
    }

    /// Lets it go on.
    pub fn release(&self) {
        self.0.released.notify_one();
    }
}

async fn upwards(mut node: OwnedReadHalf, mut aggregator: OwnedWriteHalf, state: Arc<State>) -> std::io::Result<()> {
    let (mut burst, mut block, mut arms) = (0, [0; 2048], 0);
    loop {
        let count = match timeout(QUIET, node.read(&mut block)).await {
            Ok(count) => count?,
            Err(_) => {
                burst = 0;
                continue;
            }
        };
        if count == 0 {
            return aggregator.shutdown().await;
        }
        let armed = state.arms.load(Ordering::SeqCst);
        if armed != arms {
            (arms, burst) = (armed, 0);
        }
        burst += count;
        if burst > state.bytes && state.is_armed.swap(false, Ordering::SeqCst) {
            state.held.notify_one();
            state.released.notified().await;
        }
        aggregator.write_all(&block[..count]).await?;
    }
}
