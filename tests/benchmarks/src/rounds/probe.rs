//! The floor: nothing but what a round cannot do without. Each site sends its numbers over mutual TLS 1.3 in blocks that are
//! added into one sum as they are decrypted, and gets the sum back. No protocol, no disk, no policy. Once without and once with
//! the three SHA-256 of each model that travels: the site's of its update, the server's of what came, the site's of the next model.

use std::{
    hint::black_box,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Barrier, Mutex, PoisonError},
    thread,
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use rustls::{ClientConfig, ClientConnection, ConnectionCommon, ServerConfig, ServerConnection, StreamOwned};
use snowball_protocol::digest::RunningDigest;
use snowball_service::tls;

use super::consortium::{Papers, server_papers};

/// Bytes that are sent, decrypted and added at a time.
const BLOCK_BYTES: usize = 256 * 1024;

/// What the floor does with each block beside sending and adding it.
#[derive(Clone, Copy)]
pub enum Floor {
    /// Nothing.
    Bare,
    /// SHA-256, at each end.
    Hashed,
}

impl Floor {
    fn digest(self) -> Digest {
        Digest(match self {
            Self::Bare => None,
            Self::Hashed => Some(RunningDigest::default()),
        })
    }
}

/// The digest of one model, where it is taken.
struct Digest(Option<RunningDigest>);

impl Digest {
    fn update(&mut self, block: &[u8]) {
        if let Some(digest) = &mut self.0 {
            digest.update(block);
        }
    }
}

impl Drop for Digest {
    fn drop(&mut self) {
        if let Some(digest) = self.0.take() {
            black_box(digest.finish());
        }
    }
}

/// What the probe speaks TLS with: the certificates and the settings of the real programs.
pub struct Probe {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

impl Probe {
    /// With the papers of the consortium in `folder` and of its first site.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn of(folder: &Path) -> Result<Self> {
        let (server, authority) = server_papers(folder)?;
        let site = Papers::read(folder, 0)?;
        Ok(Self {
            server: tls::server(&format!("{server}\n{authority}"), &server, &authority)?,
            client: Arc::new(tls::client(
                &site.authority_pem,
                &site.certificate_pem,
                &site.tls_key_pem,
            )?),
        })
    }

    /// Seconds of one round of `sites` sites with `parameters` numbers each, as `floor` says; handshakes come before the clock starts.
    ///
    /// # Errors
    /// When a connection fails.
    pub fn round(&self, sites: usize, parameters: usize, floor: Floor) -> Result<f64> {
        let update: Arc<[u8]> = vec![1; parameters * 4].into();
        let sum: Vec<Mutex<Vec<f32>>> = blocks(parameters * 4)
            .map(|block| Mutex::new(vec![0.0; block.len() / 4]))
            .collect();
        let meeting = Barrier::new(2 * sites + 1);
        let added = Barrier::new(sites);
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        thread::scope(|scope| {
            let mut threads = Vec::new();
            for _ in 0..sites {
                let client = TcpStream::connect(listener.local_addr()?)?;
                let (server, _) = listener.accept()?;
                let (update, sum, meeting, added) = (Arc::clone(&update), &sum, &meeting, &added);
                threads.push(scope.spawn(move || {
                    let line = self.accept(server);
                    meeting.wait();
                    let outcome = line.and_then(|mut line| {
                        let received = receive(&mut line, sum, floor.digest());
                        // Also after a fault: the others wait here.
                        added.wait();
                        received.and_then(|()| give(&mut line, sum))
                    });
                    meeting.wait();
                    outcome
                }));
                threads.push(scope.spawn(move || {
                    let line = self.connect(client);
                    meeting.wait();
                    let outcome = line.and_then(|mut line| {
                        // Announced before it is sent, so hashed before.
                        let mut digest = floor.digest();
                        update.chunks(BLOCK_BYTES).for_each(|block| digest.update(block));
                        update.chunks(BLOCK_BYTES).try_for_each(|block| line.write_all(block))?;
                        line.flush()?;
                        let (mut model, mut digest) = (vec![0; update.len()], floor.digest());
                        for block in model.chunks_mut(BLOCK_BYTES) {
                            line.read_exact(block)?;
                            digest.update(block);
                        }
                        Ok(())
                    });
                    meeting.wait();
                    outcome
                }));
            }
            meeting.wait();
            let begun = Instant::now();
            meeting.wait();
            let seconds = begun.elapsed().as_secs_f64();
            for thread in threads {
                thread.join().map_err(|_| anyhow::anyhow!("the probe broke off"))??;
            }
            Ok(seconds)
        })
    }

    /// Bytes a second over one connection, encrypted and decrypted on this machine.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn bytes_per_second(&self, bytes: usize) -> Result<f64> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let client = TcpStream::connect(listener.local_addr()?)?;
        let (server, _) = listener.accept()?;
        thread::scope(|scope| {
            let sender = scope.spawn(move || -> Result<()> {
                let mut line = self.connect(client)?;
                let block = vec![1; BLOCK_BYTES];
                (0..bytes / BLOCK_BYTES).try_for_each(|_| line.write_all(&block))?;
                line.flush()?;
                // Whoever hangs up with something unread resets the line, and what was sent may be lost.
                Ok(line.read_exact(&mut [0])?)
            });
            let mut line = self.accept(server)?;
            let (mut block, begun) = (vec![0; BLOCK_BYTES], Instant::now());
            (0..bytes / BLOCK_BYTES).try_for_each(|_| line.read_exact(&mut block))?;
            let seconds = begun.elapsed().as_secs_f64();
            line.write_all(&[1])?;
            line.flush()?;
            sender.join().map_err(|_| anyhow::anyhow!("the probe broke off"))??;
            Ok((bytes / BLOCK_BYTES * BLOCK_BYTES) as f64 / seconds)
        })
    }

    fn accept(&self, stream: TcpStream) -> Result<StreamOwned<ServerConnection, TcpStream>> {
        let connection = ServerConnection::new(Arc::clone(&self.server))?;
        let line = shaken(connection, stream)?;
        ensure!(
            line.conn.peer_certificates().is_some(),
            "the probe's site showed no certificate"
        );
        Ok(line)
    }

    fn connect(&self, stream: TcpStream) -> Result<StreamOwned<ClientConnection, TcpStream>> {
        let connection = ClientConnection::new(Arc::clone(&self.client), "localhost".try_into()?)?;
        shaken(connection, stream)
    }
}

/// A connection whose handshake is done.
fn shaken<C, S>(mut connection: C, mut stream: TcpStream) -> Result<StreamOwned<C, TcpStream>>
where
    C: std::ops::DerefMut<Target = ConnectionCommon<S>>,
    S: rustls::SideData,
{
    stream.set_nodelay(true)?;
    connection.set_buffer_limit(Some(2 * BLOCK_BYTES));
    while connection.is_handshaking() {
        connection
            .complete_io(&mut stream)
            .context("the probe's handshake failed")?;
    }
    Ok(StreamOwned::new(connection, stream))
}

/// The ranges of the blocks of so many bytes.
fn blocks(bytes: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    (0..bytes.div_ceil(BLOCK_BYTES)).map(move |block| block * BLOCK_BYTES..bytes.min((block + 1) * BLOCK_BYTES))
}

fn receive(line: &mut impl Read, sum: &[Mutex<Vec<f32>>], mut digest: Digest) -> Result<()> {
    let mut bytes = vec![0; BLOCK_BYTES];
    for part in sum {
        let length = part.lock().unwrap_or_else(PoisonError::into_inner).len() * 4;
        let block = &mut bytes[..length];
        // Not under the lock: a slow line must hold up no other.
        line.read_exact(block)?;
        digest.update(block);
        let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
        for (sum, word) in part.iter_mut().zip(block.as_chunks::<4>().0) {
            *sum += f32::from_le_bytes(*word);
        }
    }
    Ok(())
}

fn give(line: &mut impl Write, sum: &[Mutex<Vec<f32>>]) -> Result<()> {
    let mut bytes = Vec::with_capacity(BLOCK_BYTES);
    for part in sum {
        bytes.clear();
        let part = part.lock().unwrap_or_else(PoisonError::into_inner);
        bytes.extend(part.iter().flat_map(|value| value.to_le_bytes()));
        drop(part);
        line.write_all(&bytes)?;
    }
    Ok(line.flush()?)
}
