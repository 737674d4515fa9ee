//! Everything that a node sends is captured between it and the aggregator, in the clear and as it is on the wire: on the
//! wire there is TLS and nothing else, and in the clear, in every ledger, log, database and file name, none of the
//! identifiers that the radiographs' headers hold.

use std::{
    path::Path,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use aho_corasick::AhoCorasick;
use rustls::pki_types::ServerName;
use snowball_phantoms::read_truth;
use snowball_protocol::SiteName;
use snowball_service::tls;
use snowball_tests::{Consortium, free_port};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::stage::{self, Stage, ended};

type Bytes = Arc<Mutex<Vec<u8>>>;

/// What passed: `sent` by nodes in the clear, each connection apart, `wire` as it came from them.
#[derive(Clone, Default)]
pub struct Capture {
    sent: Arc<Mutex<Vec<Bytes>>>,
    wire: Arc<Mutex<Vec<Bytes>>>,
}

impl Capture {
    /// What each connection carried so far, in the clear.
    pub fn sent(&self) -> Vec<Vec<u8>> {
        let connections = self.sent.lock().unwrap();
        connections.iter().map(|bytes| bytes.lock().unwrap().clone()).collect()
    }

    /// A stage whose nodes reach the aggregator through this capture alone.
    pub async fn stage(sites: u32, rounds: u32, images: u64, hostile: f64) -> (Stage, Self) {
        let folder = tempfile::tempdir().unwrap();
        let hospitals = stage::phantoms(folder.path(), sites, images, hostile);
        let names = hospitals
            .iter()
            .map(|hospital| (stage::site_name(hospital), hospital.dicom.clone()))
            .collect();
        let consortium = Consortium::new(folder.path(), stage::programs().await, names).unwrap();
        let plan = stage::plan(sites, rounds);
        std::fs::write(consortium.plan_file(), toml::to_string(&plan).unwrap()).unwrap();
        let (public, inner) = (free_port().unwrap(), free_port().unwrap());
        consortium.found(public).await.unwrap();
        let (hear, heard) = mpsc::channel(4096);
        let aggregator = Some(consortium.serve(inner, &hear).await.unwrap());
        let capture = listen(&consortium, public, inner).await;
        let stage = Stage {
            folder,
            consortium,
            hospitals,
            aggregator,
            port: public,
            plan,
            hear,
            heard,
        };
        (stage, capture)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_planted_identifier_leaves_or_stays_in_the_clear() {
    let (stage, capture) = Capture::stage(2, 2, 70, 0.03).await;
    stage.settle().await;
    stage.start_study().await;
    let mut nodes = stage.run_nodes();
    stage.wait_for_review().await;
    stage.release().await;
    ended(&mut nodes).await;

    let sent = capture.sent().concat();
    assert!(
        contains(&sent, b"training_examples") && contains(&sent, b"ledger_head"),
        "the capture sees requests"
    );
    let streams = capture.wire.lock().unwrap().clone();
    assert!(streams.len() >= 4, "{} connections", streams.len());
    for stream in &streams {
        let bytes = stream.lock().unwrap();
        is_tls(&bytes);
        assert!(!contains(&bytes, b"v1/studies") && !contains(&bytes, b"plan_digest"));
    }

    let values = planted(&stage);
    assert!(values.len() > 500, "{} identifiers are looked for", values.len());
    let search = AhoCorasick::new(&values).unwrap();
    assert!(
        search.is_match(&std::fs::read(&stage.hospitals[0].truth).unwrap()),
        "the search finds what is there"
    );
    assert!(!search.is_match(&sent), "an identifier was sent");
    for site in &stage.consortium.sites {
        for part in [
            "ledger",
            "outbox",
            "datasets",
            "models",
            "policy",
            "store/store.sqlite",
            "store/store.sqlite-wal",
        ] {
            assert_absent(&search, &site.home.join(part));
        }
    }
    assert_absent(&search, &stage.consortium.aggregator_home());
    assert_absent(&search, &stage.folder.path().join("logs"));
}

/// Every planted identifier, as it may stand in bytes. Shorter ones stand in random numbers by chance.
fn planted(stage: &Stage) -> Vec<Vec<u8>> {
    let mut values = Vec::new();
    for hospital in &stage.hospitals {
        for value in snowball_phantoms::planted_identifiers(&read_truth(&hospital.truth).unwrap()) {
            values.push(value.trim().as_bytes().to_vec());
        }
    }
    values.sort();
    values.dedup();
    values.retain(|value| value.len() >= 6);
    values
}

fn assert_absent(search: &AhoCorasick, path: &Path) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap().flatten() {
            assert!(
                !search.is_match(entry.file_name().as_encoded_bytes()),
                "an identifier is a file's name"
            );
            assert_absent(search, &entry.path());
        }
    } else if let Ok(bytes) = std::fs::read(path) {
        let found = search
            .find(&bytes)
            .map(|found| String::from_utf8_lossy(&bytes[found.range()]).into_owned());
        assert_eq!(found, None, "an identifier stands in {}", path.display());
    }
}

/// Sits between the nodes and the aggregator, with the keys of both, and writes down what passes.
async fn listen(consortium: &Consortium, public: u16, inner: u16) -> Capture {
    let capture = Capture::default();
    let home = consortium.aggregator_home();
    let read = |name: &str| std::fs::read_to_string(home.join(name)).unwrap();
    let chain = format!("{}{}", read("server.pem"), read("ca.pem"));
    let mut server = (*tls::server(&chain, &read("server.pem"), &read("ca.pem")).unwrap()).clone();
    // HTTP/1.1 stands in the clear, headers too; HTTP/2 packs them.
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let listener = TcpListener::bind(("127.0.0.1", public)).await.unwrap();
    let homes: Vec<(SiteName, std::path::PathBuf)> = consortium
        .sites
        .iter()
        .map(|site| (site.name.clone(), site.home.clone()))
        .collect();
    let (ca, seen) = (read("ca.pem"), capture.clone());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, seen, ca, homes) = (acceptor.clone(), seen.clone(), ca.clone(), homes.clone());
            tokio::spawn(async move {
                let _ = relay(stream, acceptor, seen, &ca, &homes, inner).await;
            });
        }
    });
    capture
}

async fn relay(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    capture: Capture,
    ca: &str,
    homes: &[(SiteName, std::path::PathBuf)],
    inner: u16,
) -> anyhow::Result<()> {
    let (wire, sent) = (Bytes::default(), Bytes::default());
    capture.wire.lock().unwrap().push(Arc::clone(&wire));
    capture.sent.lock().unwrap().push(Arc::clone(&sent));
    let accepted = acceptor.accept(Recorded { inner: stream, wire }).await?;
    let peer = accepted
        .get_ref()
        .1
        .peer_certificates()
        .and_then(|chain| chain.first().cloned());
    let mut config = match peer {
        Some(certificate) => {
            let site = tls::PeerCertificate::read(&certificate)?.site;
            let home = &homes.iter().find(|(name, _)| *name == site).unwrap().1;
            let read = |name: &str| std::fs::read_to_string(home.join(name));
            tls::client(ca, &read("certs/node.pem")?, &read("keys/tls.pem")?)?
        }
        None => tls::pinned_client(tls::certificate_fingerprint(ca)?)?,
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let connector = TlsConnector::from(Arc::new(config));
    let onward = TcpStream::connect(("127.0.0.1", inner)).await?;
    let onward = connector.connect(ServerName::try_from("localhost")?, onward).await?;
    let (mut from_node, mut to_node) = tokio::io::split(accepted);
    let (mut from_aggregator, mut to_aggregator) = tokio::io::split(onward);
    let up = async {
        let mut block = vec![0; 16 * 1024];
        loop {
            let count = from_node.read(&mut block).await?;
            if count == 0 {
                return to_aggregator.shutdown().await;
            }
            sent.lock().unwrap().extend_from_slice(&block[..count]);
            to_aggregator.write_all(&block[..count]).await?;
            to_aggregator.flush().await?;
        }
    };
    let down = tokio::io::copy(&mut from_aggregator, &mut to_node);
    tokio::select! {
        _ = up => {}
        _ = down => {}
    }
    Ok(())
}

/// A TCP stream that keeps what it reads.
struct Recorded {
    inner: TcpStream,
    wire: Bytes,
}

impl AsyncRead for Recorded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.inner).poll_read(context, buffer);
        self.wire.lock().unwrap().extend_from_slice(&buffer.filled()[before..]);
        outcome
    }
}

impl AsyncWrite for Recorded {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

/// Every byte belongs to a TLS record: handshake, alert, change cipher spec or application data (RFC 8446, 5.1).
fn is_tls(bytes: &[u8]) {
    let mut rest = bytes;
    while rest.len() >= 5 {
        assert!(
            (20..=23).contains(&rest[0]) && rest[1] == 3,
            "not a TLS record: {:?}",
            &rest[..5]
        );
        let length = 5 + usize::from(u16::from_be_bytes([rest[3], rest[4]]));
        rest = &rest[length.min(rest.len())..];
    }
}

fn contains(bytes: &[u8], value: &[u8]) -> bool {
    bytes.windows(value.len()).any(|window| window == value)
}

/// Whether `value` stands in any file below `folder`, or in a file's name.
pub fn is_anywhere_below(folder: &Path, value: &[u8]) -> bool {
    if folder.is_file() {
        return contains(&std::fs::read(folder).unwrap_or_default(), value);
    }
    let Ok(entries) = std::fs::read_dir(folder) else {
        return false;
    };
    entries
        .flatten()
        .any(|entry| contains(entry.file_name().as_encoded_bytes(), value) || is_anywhere_below(&entry.path(), value))
}
