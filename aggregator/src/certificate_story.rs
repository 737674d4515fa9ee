//! A certificate's life over real TLS: renewals and revocations in the middle of transfers, an end on an open connection.

mod authorities;

use std::{path::Path, time::Duration};

use serde_json::{Value, json};
use snowball_layout::Layout;
use snowball_ledger::Entry;
use snowball_protocol::{
    ProblemCode, StudyPlan, enrolment::Renewal, limits::HEARTBEAT_SECONDS, session::StudySummary, update::UploadState,
};
use snowball_registry::{Certificate, Registry};
use snowball_service::{clock, tls};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_rustls::client::TlsStream;

use crate::{
    cli, fixture,
    home::Home,
    server_certificate::{self, ServerCertificate},
    story::{Client, Running, command, enrol, head, header, init, one_hot, training, updates_path},
};

const STUDY: &str = "body-parts";
const DAY: i64 = 86_400;
/// Longer than anything here takes; where the promise is a heartbeat, the heartbeat itself is the bound.
const PATIENCE: Duration = Duration::from_secs(60);
const HEARTBEAT: Duration = Duration::from_secs(HEARTBEAT_SECONDS);

/// A request on a connection of its own that is written bit by bit and stays open.
struct Open(TlsStream<TcpStream>);

impl Open {
    async fn begin(client: &Client, method: &str, path: &str, length: usize) -> Self {
        let mut stream = client.connect().await.unwrap();
        let head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        Self(stream)
    }

    async fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// The answer's status; its body is small and comes with the head or right behind it.
    async fn status(&mut self) -> u16 {
        let mut answer = Vec::new();
        while !answer.windows(4).any(|window| window == b"\r\n\r\n") {
            let mut part = [0; 4096];
            let count = self.0.read(&mut part).await.unwrap();
            assert_ne!(count, 0, "the connection ended before an answer");
            answer.extend(&part[..count]);
        }
        String::from_utf8_lossy(&answer)
            .split(' ')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap()
    }
}

/// The serial number of the certificate that the server shows to a new connection.
async fn shown(client: &Client) -> String {
    let stream = client.connect().await.unwrap();
    let certificate = stream.get_ref().1.peer_certificates().unwrap()[0].clone();
    let (_, certificate) = x509_parser::parse_x509_certificate(&certificate).unwrap();
    hex::encode(certificate.raw_serial())
}

async fn wait_until_shown(client: &Client, holds: impl Fn(&str) -> bool) -> String {
    let wait = async {
        loop {
            let serial = shown(client).await;
            if holds(&serial) {
                return serial;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, wait).await.expect("the server's other certificate")
}

/// A study of two sites, in its first round.
async fn study(dir: &Path, sites: [&Client; 2]) -> StudyPlan {
    let plan = fixture::plan(STUDY);
    let file = dir.with_extension("toml");
    std::fs::write(&file, toml::to_string(&plan).unwrap()).unwrap();
    command(dir, &["study", "create", file.to_str().unwrap()]).await;
    command(dir, &["study", "start", STUDY]).await;
    while sites[0].get::<Vec<StudySummary>>("/v1/studies").await.is_empty() {
        sleep(Duration::from_millis(20)).await;
    }
    let join = json!({
        "plan_digest": plan.digest(), "policy_digest": plan.digest(),
        "layout_digest": Layout::of(&plan).digest(), "training_examples": 10,
    });
    for client in sites {
        let path = format!("/v1/studies/{STUDY}/join");
        assert!(client.post::<StudySummary>(&path, &join).await.joined);
    }
    plan
}

/// An upload of which half has arrived, with the other half.
async fn half_sent(client: &Client, plan: &StudyPlan) -> (Open, Vec<u8>, UploadState) {
    let model = training(client, 1).await;
    let (header, bytes) = header(plan, &model, &one_hot(Layout::of(plan).parameters(), 0), 1);
    let state: UploadState = client.post(&updates_path(&header), &header).await;
    let path = format!("/v1/uploads/{}?offset=0", state.upload.0);
    let mut open = Open::begin(client, "PATCH", &path, bytes.len()).await;
    let (first, rest) = bytes.split_at(bytes.len() / 2);
    open.write(first).await;
    (open, rest.to_vec(), state)
}

fn client_of(dir: &Path, pem: &str, key_pem: &str, port: u16) -> Client {
    let trusted = std::fs::read_to_string(Home::at(dir).ca_file()).unwrap();
    Client::new(tls::client(&trusted, pem, key_pem).unwrap(), port)
}

/// Asks for the site's next certificate: what came, with its key.
async fn renewed(client: &Client, site: &str) -> (String, String) {
    let request = tls::request_certificate(&site.parse().unwrap()).unwrap();
    let renewal: Renewal = client
        .post("/v1/certificate", &json!({ "csr_pem": request.csr_pem }))
        .await;
    (renewal.certificate_pem, request.key_pem)
}

async fn serial_of(dir: &Path, site: &str) -> String {
    let sites = command(dir, &["sites"]).await;
    let sites = sites["sites"].as_array().unwrap().clone();
    let found = sites.into_iter().find(|listed| listed["site"] == site).unwrap();
    found["serials"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .as_str()
        .unwrap()
        .to_owned()
}

async fn entries(dir: &Path) -> Vec<Entry> {
    command(dir, &["ledger", "verify"]).await;
    let records = snowball_ledger::read(&Home::at(dir).ledger_dir()).unwrap();
    records.into_iter().map(|record| record.entry).collect()
}

/// A site whose ledger's head the aggregator holds, so that it may announce updates.
async fn enrolled(dir: &Path, port: u16, site: &str) -> Client {
    let (tls, key) = enrol(dir, port, site).await;
    let client = Client::new(tls, port);
    client.post::<Value>("/v1/heads", &head(site, 2, b"head", &key)).await;
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_outlives_the_renewals_of_both_sides() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("home");
    init(&dir).await;
    let running = Running::start(&dir).await;
    let north = enrolled(&dir, running.port, "north").await;
    let south = enrolled(&dir, running.port, "south").await;
    let plan = study(&dir, [&north, &south]).await;
    let (mut open, rest, _) = half_sent(&north, &plan).await;

    let before = shown(&north).await;
    let serial = command(&dir, &["renew"]).await["serial"].as_str().unwrap().to_owned();
    assert_ne!(serial, before);
    wait_until_shown(&north, |shown| shown == serial).await;
    let (pem, key) = renewed(&north, "north").await;
    let later = client_of(&dir, &pem, &key, running.port);
    assert_eq!(later.get::<Vec<StudySummary>>("/v1/studies").await.len(), 1);
    // The old certificate of a renewed site may be revoked, but what it has open would end: so it is not.
    open.write(&rest).await;
    assert_eq!(timeout(PATIENCE, open.status()).await.unwrap(), 200);
    running.stop().await;
    let entries = entries(&dir).await;
    let renewals = entries
        .iter()
        .filter(|entry| matches!(entry, Entry::ServerCertificateRenewed { .. }));
    assert_eq!(renewals.count(), 1);
    assert!(!entries.iter().any(|entry| matches!(entry, Entry::UpdateRefused { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_running_server_renews_its_own_certificate_when_it_is_due() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("home");
    init(&dir).await;
    let home = Home::at(&dir);
    let (authorities, config) = (home.authorities().unwrap(), home.config().unwrap());
    let old = |days: i64| server_certificate::renew(&home, &authorities, &config, clock::now() - days * DAY).unwrap();
    // Due already when it starts.
    let first = old(61).serial;
    let running = Running::start(&dir).await;
    let stranger = Client::new(
        tls::pinned_client(authorities.serving().fingerprint()).unwrap(),
        running.port,
    );
    let second = shown(&stranger).await;
    assert_ne!(second, first);
    // Due while it runs.
    let third = old(61).serial;
    let fourth = wait_until_shown(&stranger, |shown| shown != second && shown != third).await;
    assert_eq!(ServerCertificate::read(&home).unwrap().serial, fourth);
    // Half a file, as no crash of ours leaves it, does not stop it either.
    std::fs::write(home.server_file(), "-----BEGIN CERTIFICATE-----").unwrap();
    wait_until_shown(&stranger, |shown| shown != fourth).await;
    running.stop().await;
    let renewals = entries(&dir).await;
    let renewals = renewals
        .iter()
        .filter(|entry| matches!(entry, Entry::ServerCertificateRenewed { .. }));
    assert_eq!(renewals.count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_by_serial_ends_what_is_open_within_a_heartbeat() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("home");
    init(&dir).await;
    let running = Running::start(&dir).await;
    let north = enrolled(&dir, running.port, "north").await;
    let south = enrolled(&dir, running.port, "south").await;
    let plan = study(&dir, [&north, &south]).await;
    let first = serial_of(&dir, "north").await;
    let (pem, key) = renewed(&north, "north").await;
    let later = client_of(&dir, &pem, &key, running.port);
    let (mut upload, _, state) = half_sent(&north, &plan).await;
    let waiting = format!("/v1/studies/{STUDY}/task?wait_seconds=60");
    send_round(&south, &plan, 1).await;
    // South has sent and waits for the next round; north's poll would be answered at once, so it is south's that waits.
    let mut poll = Open::begin(&south, "GET", &waiting, 0).await;

    let colons: Vec<&str> = first
        .as_bytes()
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).unwrap())
        .collect();
    let said = command(&dir, &["revoke", "--serial", &colons.join(":"), "--reason", "key seen"]).await;
    assert_eq!((&said["site"], &said["others"]), (&json!("north"), &json!(1)));
    let status = timeout(HEARTBEAT, upload.status())
        .await
        .expect("cut off within a heartbeat");
    assert_eq!(status, 403);
    let refusal = north.refused("GET", "/v1/studies", b"").await;
    assert!(refusal.code == ProblemCode::CertificateRevoked && refusal.reason.contains("key seen"));

    // North's other certificate goes on where the upload stands, and so does the study.
    let (same, bytes) = header(
        &plan,
        &training(&later, 1).await,
        &one_hot(Layout::of(&plan).parameters(), 0),
        1,
    );
    let again: UploadState = later.post(&updates_path(&same), &same).await;
    assert_eq!(again.upload, state.upload);
    let offset = usize::try_from(again.offset).unwrap();
    let path = format!("/v1/uploads/{}?offset={offset}", again.upload.0);
    assert_eq!(later.send("PATCH", &path, "", &bytes[offset..]).await.0, 200);
    assert_eq!(timeout(PATIENCE, poll.status()).await.unwrap(), 200);

    // A long poll of a site that is revoked as a whole ends, too; then the site may come back.
    send_round(&south, &plan, 2).await;
    let mut poll = Open::begin(&south, "GET", &waiting, 0).await;
    command(&dir, &["revoke", "south", "--reason", "left"]).await;
    assert_eq!(
        timeout(HEARTBEAT, poll.status()).await.expect("within a heartbeat"),
        403
    );
    assert_eq!(later.get::<Vec<StudySummary>>("/v1/studies").await.len(), 1);
    let back = enrolled(&dir, running.port, "south").await;
    assert_eq!(back.get::<Vec<StudySummary>>("/v1/studies").await.len(), 1);
    assert_eq!(
        south.refused("GET", "/v1/studies", b"").await.code,
        ProblemCode::CertificateRevoked
    );
    for unknown in ["00", "zz"] {
        let words = [
            "--home",
            dir.to_str().unwrap(),
            "revoke",
            "--serial",
            unknown,
            "--reason",
            "x",
        ];
        assert!(
            cli::command(&words)
                .await
                .is_err_and(|error| error.is::<cli::Refused>())
        );
    }
    running.stop().await;
    let revoked = entries(&dir).await.into_iter().find_map(|entry| match entry {
        Entry::CertificateRevoked { certificate_serial, .. } => Some(certificate_serial),
        _ => None,
    });
    assert_eq!(revoked, Some(first));
}

/// South's update of a round.
async fn send_round(south: &Client, plan: &StudyPlan, round: u32) {
    let model = training(south, round).await;
    let (sent, bytes) = header(plan, &model, &one_hot(Layout::of(plan).parameters(), 1), 1);
    let announced: UploadState = south.post(&updates_path(&sent), &sent).await;
    let path = format!("/v1/uploads/{}?offset=0", announced.upload.0);
    assert_eq!(south.send("PATCH", &path, "", &bytes).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_ends_on_an_open_connection_is_refused_there() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("home");
    init(&dir).await;
    let running = Running::start(&dir).await;
    let north = enrolled(&dir, running.port, "north").await;
    let south = enrolled(&dir, running.port, "south").await;
    let plan = study(&dir, [&north, &south]).await;
    let home = Home::at(&dir);
    let request = tls::request_certificate(&"north".parse().unwrap()).unwrap();
    let now = clock::now();
    let issued = home
        .authorities()
        .unwrap()
        .signing()
        .issue_site(&"north".parse().unwrap(), &request.csr_pem, 1, now - DAY + 10)
        .unwrap();
    let short = Certificate {
        serial: issued.serial,
        pem: issued.pem.clone(),
        expires: issued.not_after,
    };
    let registry = Registry::open(&home.database_file()).await.unwrap();
    registry
        .add_certificate(&"north".parse().unwrap(), &short, now)
        .await
        .unwrap();
    registry.close().await;
    let ending = client_of(&dir, &issued.pem, &request.key_pem, running.port);
    let (mut upload, ..) = half_sent(&ending, &plan).await;
    let mut idle = Open::begin(&ending, "GET", "/v1/studies", 0).await;
    assert_eq!(idle.status().await, 200);
    assert_eq!(timeout(PATIENCE, upload.status()).await.unwrap(), 403);
    // HTTP/1.1 keeps the line open; the next request over it is refused.
    idle.write(b"GET /v1/studies HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert_eq!(idle.status().await, 403);
    assert_eq!(north.get::<Vec<StudySummary>>("/v1/studies").await.len(), 1);
    running.stop().await;
}
