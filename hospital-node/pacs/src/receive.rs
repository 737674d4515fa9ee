//! The storage SCP: what the archive sends, kept in the spool before it is acknowledged (PS3.4 annex B).
//!
//! One thread an association, a bounded number of them. It offers verification (C-ECHO) and storage of radiographs, nothing else:
//! storage commitment above all is refused, because this node keeps no original and must never let an archive believe it does.

mod session;
mod store;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rustls::ServerConfig;

pub(crate) use store::{Storing, store};

use crate::{AeTitle, spool::Spool};

/// How many connections may be open beside the associations: those that have not yet said who they are, or were refused.
const STRANGERS_MAX: usize = 32;
/// How long an end waits for associations to notice it.
const END_SECONDS: u64 = 5;

/// What the SCP permits.
pub struct Settings {
    /// Our own titles; a peer must call us by one of them.
    pub called: BTreeSet<AeTitle>,
    /// The titles of those who may send.
    pub calling: BTreeSet<AeTitle>,
    /// Associations at once.
    pub associations_max: usize,
    /// Longest P-DATA PDU that we take.
    pub pdu_bytes_max: u32,
    /// Largest object.
    pub object_bytes_max: u64,
    /// An association ends when no byte moved for so long.
    pub idle: Duration,
    /// Whether the intake can decode a transfer syntax.
    pub is_decodable: fn(&str) -> bool,
    /// TLS; without it everything is in the clear.
    pub tls: Option<Arc<ServerConfig>>,
}

/// Counts since the start.
#[derive(Default)]
pub struct Counts {
    /// Objects kept and acknowledged.
    pub kept: AtomicUsize,
    /// Objects that were answered with a failure.
    pub failed: AtomicUsize,
    /// Associations that were refused.
    pub refused: AtomicUsize,
}

/// What sessions share.
pub(crate) struct Shared {
    pub settings: Settings,
    pub spool: Arc<Spool>,
    pub counts: Arc<Counts>,
    pub stop: Arc<AtomicBool>,
    pub on_kept: Box<dyn Fn() + Send + Sync>,
    /// Connections.
    open: AtomicUsize,
    /// Those of them that are associations.
    established: AtomicUsize,
}

/// A running SCP. Dropped, it ends.
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl Receiver {
    /// Serves `listener` until it is dropped. `on_kept` is called after each object, by any thread.
    ///
    /// # Errors
    /// When the listener cannot be used.
    pub fn start(
        listener: TcpListener,
        settings: Settings,
        spool: Arc<Spool>,
        on_kept: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            settings,
            spool,
            counts: Arc::default(),
            stop: Arc::new(AtomicBool::new(false)),
            on_kept: Box::new(on_kept),
            open: AtomicUsize::new(0),
            established: AtomicUsize::new(0),
        });
        let acceptor = {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new()
                .name("dicom-accept".to_owned())
                .spawn(move || accept(&listener, &shared))?
        };
        Ok(Self {
            address,
            shared,
            acceptor: Some(acceptor),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it did so far.
    #[must_use]
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.shared.counts)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        // The acceptor waits for a connection: it gets one.
        let _ = TcpStream::connect_timeout(&reachable(self.address), Duration::from_secs(1));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        let begun = Instant::now();
        while self.shared.open.load(Ordering::SeqCst) > 0 && begun.elapsed() < Duration::from_secs(END_SECONDS) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        match address {
            SocketAddr::V4(_) => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            SocketAddr::V6(_) => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        }
    }
    address
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    loop {
        let accepted = listener.accept();
        if shared.stop.load(Ordering::SeqCst) {
            return;
        }
        let tcp = match accepted {
            Ok((tcp, _)) => tcp,
            Err(fault) => {
                // Out of file descriptors, mostly: the next one may find some.
                tracing::warn!("a connection could not be accepted: {fault}");
                std::thread::sleep(Duration::from_millis(100));
                continue;
            }
        };
        let Some(place) = Place::take(
            shared,
            |shared| &shared.open,
            shared.settings.associations_max + STRANGERS_MAX,
        ) else {
            shared.counts.refused.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        let thread = std::thread::Builder::new()
            .name("dicom-association".to_owned())
            .spawn(move || session::run(tcp, &place.shared));
        if let Err(fault) = thread {
            tracing::warn!("no thread for an association: {fault}");
        }
    }
}

/// One of a bounded number of places; given back when its holder ends, however it ends.
struct Place {
    shared: Arc<Shared>,
    counter: fn(&Shared) -> &AtomicUsize,
}

impl Place {
    /// Takes a place, where there is one.
    fn take(shared: &Arc<Shared>, counter: fn(&Shared) -> &AtomicUsize, most: usize) -> Option<Self> {
        let taken = counter(shared).fetch_add(1, Ordering::SeqCst);
        let place = Self {
            shared: Arc::clone(shared),
            counter,
        };
        (taken < most).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        (self.counter)(&self.shared).fetch_sub(1, Ordering::SeqCst);
    }
}
