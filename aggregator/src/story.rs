//! The whole program with real TLS on a free port: enrolment, a study of two rounds with a restart in its middle, release.

use std::{path::Path, sync::Arc, time::Duration};

use rustls_pki_types::ServerName;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use snowball_crypto::SigningKey;
use snowball_encoding::Coding;
use snowball_ledger::{AGGREGATOR, Head, SignedHead};
use snowball_protocol::{
    Attempt, Problem, ProblemCode, RoundNumber, Sha256Digest, StudyPlan,
    enrolment::{EnrolmentAccepted, EnrolmentStatus, Invitation},
    heads::HeadsAnswer,
    record::RoundRecord,
    session::{ModelReference, StudySummary, Task},
    update::{UpdateHeader, UploadState},
};
use snowball_registry::{KeptHead, Registry};
use snowball_service::{clock, tls};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::sleep,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{cli, fixture, home::Home, service::Service, stop::Stop};

pub const STUDY: &str = "body-parts";

/// A server in this process.
pub struct Running {
    pub port: u16,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Running {
    pub async fn start(dir: &Path) -> Self {
        let home = Home::at(dir).existing().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (stop, stopped) = Stop::switch();
        // The one before may still be letting go of the ledger.
        let mut opened = Service::open(&home, &home.config().unwrap(), stopped.clone()).await;
        for _ in 0..100 {
            if opened.is_ok() {
                break;
            }
            sleep(Duration::from_millis(50)).await;
            opened = Service::open(&home, &home.config().unwrap(), stopped.clone()).await;
        }
        let service = opened.unwrap();
        let task = tokio::spawn(async move { service.run(listener).await.unwrap() });
        Self { port, stop, task }
    }

    pub async fn stop(self) {
        self.stop.send_replace(true);
        self.task.await.unwrap();
    }
}

/// One site's way to the server: a new connection a request, HTTP/1.1.
pub struct Client {
    pub tls: Arc<rustls::ClientConfig>,
    port: u16,
}

impl Client {
    pub fn new(mut config: rustls::ClientConfig, port: u16) -> Self {
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self {
            tls: Arc::new(config),
            port,
        }
    }

    /// A connection of its own, hands shaken.
    pub async fn connect(&self) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await
    }

    pub async fn send(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> (u16, String, Vec<u8>) {
        let mut stream = self.connect().await.unwrap();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body).await.unwrap();
        stream.flush().await.unwrap();
        let mut answer = Vec::new();
        // A server that closes without TLS's farewell still said all that it had to say.
        let _ = stream.read_to_end(&mut answer).await;
        let end = answer
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .expect("an HTTP head");
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head, answer[end + 4..].to_vec())
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> T {
        let (status, _, body) = self.send("GET", path, "", b"").await;
        assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap()
    }

    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl serde::Serialize) -> T {
        let (status, _, body) = self.send("POST", path, "", &serde_json::to_vec(body).unwrap()).await;
        assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap()
    }

    pub async fn refused(&self, method: &str, path: &str, body: &[u8]) -> Problem {
        let (status, _, body) = self.send(method, path, "", body).await;
        let problem: Problem = serde_json::from_slice(&body).unwrap();
        assert_eq!(status, problem.code.status());
        problem
    }
}

pub async fn command(dir: &Path, words: &[&str]) -> Value {
    let answer = cli::command(&[&["--home", dir.to_str().unwrap()], words].concat())
        .await
        .unwrap();
    assert!(!answer.refused, "{}", answer.text);
    answer.json
}

/// Invitation, request, comparison, approval: gives the site's key and certificate as a TLS configuration, and the key
/// of its ledger.
pub async fn enrol(dir: &Path, port: u16, site: &str) -> (rustls::ClientConfig, SigningKey) {
    let invited = command(dir, &["invite", "--site", site]).await;
    let invitation = Invitation::from_line(invited["invitation"].as_str().unwrap()).unwrap();
    let stranger = Client::new(tls::pinned_client(invitation.ca_fingerprint).unwrap(), port);
    let request = tls::request_certificate(&site.parse().unwrap()).unwrap();
    let ledger_key = SigningKey::generate().unwrap();
    let body = |token: &str| {
        let ledger_key = ledger_key.verifying_key().to_string();
        json!({ "site": site, "token": token, "csr_pem": request.csr_pem, "ledger_key": ledger_key })
    };

    let wrong = serde_json::to_vec(&body("wrong")).unwrap();
    assert_eq!(
        stranger.refused("POST", "/v1/enrolments", &wrong).await.code,
        ProblemCode::InvitationInvalid
    );
    let accepted: EnrolmentAccepted = stranger.post("/v1/enrolments", &body(&invitation.token)).await;
    let path = format!("/v1/enrolments/{}", accepted.enrolment.0);
    let query = json!({ "token": invitation.token });
    assert!(matches!(stranger.post(&path, &query).await, EnrolmentStatus::Pending));

    let refused = cli::command(&[
        "--home",
        dir.to_str().unwrap(),
        "approve",
        site,
        "--fingerprint",
        "0000-0000-0000-0000",
        "--reason",
        "x",
    ])
    .await;
    assert!(refused.is_err_and(|error| error.is::<cli::Refused>()));
    let spoken = accepted.key_fingerprint.spoken();
    command(
        dir,
        &["approve", site, "--fingerprint", &spoken, "--reason", "compared"],
    )
    .await;
    let EnrolmentStatus::Approved {
        certificate_pem,
        ca_pem,
        ..
    } = stranger.post(&path, &query).await
    else {
        panic!("not approved")
    };
    let tls = tls::client(&ca_pem, &certificate_pem, &request.key_pem).unwrap();
    (tls, ledger_key)
}

/// A head of `site`'s ledger with `entries` records, the last of which has the hash of `last`.
pub fn head(site: &str, entries: u64, last: &[u8], key: &SigningKey) -> Value {
    let head = Head {
        owner: site.to_owned(),
        entries,
        hash: Sha256Digest::of(last),
    };
    json!({ "site_head": SignedHead::sign(head, key).note })
}

pub fn header(plan: &StudyPlan, model: &ModelReference, values: &[f32], attempt: u32) -> (UpdateHeader, Vec<u8>) {
    let coding = Coding::of(plan, values.len());
    let bytes = coding.encode(values);
    let header = UpdateHeader {
        study: plan.study.clone(),
        round: RoundNumber(model.round.0 + 1),
        attempt: Attempt(attempt),
        plan_digest: plan.digest(),
        policy_digest: Sha256Digest::of(b"policy"),
        model_in: model.digest,
        layout_digest: model.layout_digest,
        encoding: coding.of_header(),
        bytes: bytes.len() as u64,
        digest: Sha256Digest::of(&bytes),
        examples: 10,
        local_steps: plan.local.steps,
        control_from: None,
        training_loss: 0.5,
        evaluation: None,
        ledger_index: 1,
        ledger_head: Sha256Digest::of(b"head"),
    };
    (header, bytes)
}

pub fn updates_path(header: &UpdateHeader) -> String {
    format!("/v1/studies/{STUDY}/rounds/{}/updates", header.round)
}

pub async fn upload(client: &Client, header: &UpdateHeader, bytes: &[u8]) -> UploadState {
    let state: UploadState = client.post(&updates_path(header), header).await;
    let offset = usize::try_from(state.offset).unwrap();
    let path = format!("/v1/uploads/{}?offset={offset}", state.upload.0);
    let (status, _, body) = client.send("PATCH", &path, "", &bytes[offset..]).await;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).unwrap()
}

pub async fn task(client: &Client) -> Task {
    client.get(&format!("/v1/studies/{STUDY}/task?wait_seconds=20")).await
}

/// What a site trains from in `round`, once the round is open: a task that ends while the model is made is asked for again.
pub async fn training(client: &Client, round: u32) -> ModelReference {
    for _ in 0..50 {
        match task(client).await {
            Task::Train {
                round: RoundNumber(number),
                model,
                ..
            } if number == round => return model,
            Task::Wait { .. } => {}
            other => panic!("expected training for round {round}, got {other:?}"),
        }
    }
    panic!("round {round} did not open");
}

pub fn one_hot(parameters: usize, place: usize) -> Vec<f32> {
    let mut values = vec![0.0; parameters];
    values[place] = 1.0;
    values
}

pub async fn init(dir: &Path) {
    command(dir, &["init", "--consortium", "Test", "--address", "localhost:7443"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_reach_nothing_but_enrolment() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("home");
    init(&dir).await;
    let running = Running::start(&dir).await;
    let fingerprint = Home::at(&dir).authorities().unwrap().serving().fingerprint();
    let stranger = Client::new(tls::pinned_client(fingerprint).unwrap(), running.port);
    assert_eq!(stranger.get::<Value>("/v1/health").await["status"], "ok");
    for (method, path) in [
        ("GET", "/v1/studies"),
        ("POST", "/v1/hello"),
        ("GET", "/v1/studies/x/task"),
        ("PATCH", "/v1/uploads/x?offset=0"),
        ("GET", "/"),
        ("DELETE", "/v1/health"),
    ] {
        assert_eq!(
            stranger.refused(method, path, b"").await.code,
            ProblemCode::CertificateMissing,
            "{path}"
        );
    }
    let large = vec![b' '; snowball_protocol::limits::JSON_BYTES_MAX + 1];
    assert_eq!(
        stranger.refused("POST", "/v1/enrolments", &large).await.code,
        ProblemCode::TooLarge
    );
    assert_eq!(
        stranger.refused("POST", "/v1/enrolments", b"{}").await.code,
        ProblemCode::Malformed
    );
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_are_kept_in_both_directions_and_a_contradiction_is_refused_and_recorded_once() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("home");
    init(&dir).await;
    let mut running = Running::start(&dir).await;
    let (tls, key) = enrol(&dir, running.port, "north").await;
    let north = Client::new(tls.clone(), running.port);
    let aggregator_key = Home::at(&dir).signing_key().unwrap().verifying_key();
    let theirs = |answer: &HeadsAnswer| SignedHead::read(&answer.aggregator_head, &aggregator_key).unwrap().head;

    let first: HeadsAnswer = north.post("/v1/heads", &head("north", 5, b"five", &key)).await;
    let kept = SignedHead::read(&first.site_head, &key.verifying_key()).unwrap();
    assert_eq!((kept.head.entries, kept.head.hash), (5, Sha256Digest::of(b"five")));
    assert!(kept.cosigned_at(AGGREGATOR, &aggregator_key).is_some());
    let again: HeadsAnswer = north.post("/v1/heads", &head("north", 5, b"five", &key)).await;
    assert_eq!(again.site_head, first.site_head, "an answer that was lost comes again");
    let second: HeadsAnswer = north.post("/v1/heads", &head("north", 6, b"six", &key)).await;
    // The server may have written down other things meanwhile, but for a head that it knows it writes nothing.
    assert!(theirs(&second).entries > theirs(&again).entries && theirs(&again).entries >= theirs(&first).entries);

    let refused = async |client: &Client, body: Value| {
        let body = serde_json::to_vec(&body).unwrap();
        client.refused("POST", "/v1/heads", &body).await.code
    };
    let other = SigningKey::generate().unwrap();
    for body in [
        head("north", 7, b"seven", &other),
        head("south", 7, b"seven", &key),
        json!({ "site_head": "x" }),
    ] {
        assert_eq!(refused(&north, body).await, ProblemCode::Malformed);
    }
    running.stop().await;
    // As if a crash had come when the ledger had the newest head and the database did not.
    let registry = Registry::open(&Home::at(&dir).database_file()).await.unwrap();
    let older = KeptHead {
        entries: 5,
        hash: Sha256Digest::of(b"five"),
        note: first.site_head.clone(),
    };
    registry.keep_head(&"north".parse().unwrap(), &older).await.unwrap();
    registry.close().await;
    running = Running::start(&dir).await;
    let north = Client::new(tls, running.port);
    for _ in 0..3 {
        let forked = head("north", 6, b"another six", &key);
        assert_eq!(refused(&north, forked).await, ProblemCode::LedgerForked);
    }
    let older = head("north", 5, b"five", &key);
    assert_eq!(refused(&north, older).await, ProblemCode::LedgerRewound);
    let third: HeadsAnswer = north.post("/v1/heads", &head("north", 7, b"seven", &key)).await;
    assert!(
        third
            .site_head
            .starts_with(head("north", 7, b"seven", &key)["site_head"].as_str().unwrap())
    );
    running.stop().await;

    let shown = command(&dir, &["ledger", "show"]).await;
    let of = |kind: &str| {
        let records = shown["records"].as_array().unwrap().iter();
        let entries: Vec<_> = records
            .map(|record| record["entry"].clone())
            .filter(|entry| entry["entry"] == kind)
            .collect();
        entries
    };
    assert_eq!(of("site_head_kept").len(), 3);
    let refusals: Vec<_> = of("head_refused").iter().map(|entry| entry["code"].clone()).collect();
    assert_eq!(refusals, ["ledger_forked", "ledger_rewound"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_study_runs_from_invitation_to_release_across_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("home");
    init(&dir).await;
    let mut running = Running::start(&dir).await;
    let (north_tls, north_ledger) = enrol(&dir, running.port, "north").await;
    let (south_tls, south_ledger) = enrol(&dir, running.port, "south").await;
    let north = Client::new(north_tls.clone(), running.port);
    let south = Client::new(south_tls.clone(), running.port);
    let hello = json!({ "protocol_min": 1, "protocol_max": 1, "program_version": "1", "policy_digest": null, "clock": clock::now() });
    assert_eq!(north.post::<Value>("/v1/hello", &hello).await["protocol"], 1);

    let plan = fixture::plan(STUDY);
    let layout = snowball_layout::Layout::of(&plan);
    let file = folder.path().join("plan.toml");
    std::fs::write(&file, toml::to_string(&plan).unwrap()).unwrap();
    command(&dir, &["study", "create", file.to_str().unwrap()]).await;
    assert_eq!(north.get::<Vec<StudySummary>>("/v1/studies").await, []);
    command(&dir, &["study", "start", STUDY]).await;
    while north.get::<Vec<StudySummary>>("/v1/studies").await.is_empty() {
        sleep(Duration::from_millis(20)).await;
    }
    let (_, _, canonical) = north.send("GET", &format!("/v1/studies/{STUDY}/plan"), "", b"").await;
    assert_eq!(Sha256Digest::of(&canonical), plan.digest());
    let join = json!({
        "plan_digest": plan.digest(), "policy_digest": Sha256Digest::of(b"policy"),
        "layout_digest": layout.digest(), "training_examples": 10,
    });
    for client in [&north, &south] {
        assert!(
            client
                .post::<StudySummary>(&format!("/v1/studies/{STUDY}/join"), &join)
                .await
                .joined
        );
    }

    // Round 1: north in two pieces with a restart between them, and a replay afterwards.
    let model = training(&north, 1).await;
    let (first, bytes) = header(&plan, &model, &one_hot(layout.parameters(), 0), 1);
    let unproven = serde_json::to_vec(&first).unwrap();
    let refused = north.refused("POST", &updates_path(&first), &unproven).await;
    assert_eq!(refused.code, ProblemCode::LedgerHeadMissing);
    for (client, site, key) in [(&north, "north", &north_ledger), (&south, "south", &south_ledger)] {
        client.post::<Value>("/v1/heads", &head(site, 2, b"head", key)).await;
    }
    // A head that comes late, behind a newer one, is refused; the next one that goes on from the newer one mends it.
    let late = serde_json::to_vec(&head("north", 1, b"late", &north_ledger)).unwrap();
    let refused = north.refused("POST", "/v1/heads", &late).await;
    assert_eq!(refused.code, ProblemCode::LedgerRewound);
    let refused = north.refused("POST", &updates_path(&first), &unproven).await;
    assert_eq!(refused.code, ProblemCode::LedgerHeadMissing);
    north
        .post::<Value>("/v1/heads", &head("north", 3, b"next", &north_ledger))
        .await;
    let state: UploadState = north.post(&updates_path(&first), &first).await;
    let (status, ..) = north
        .send(
            "PATCH",
            &format!("/v1/uploads/{}?offset=0", state.upload.0),
            "",
            &bytes[..101],
        )
        .await;
    assert_eq!(status, 200);
    running.stop().await;
    running = Running::start(&dir).await;
    let mut north = Client::new(north_tls, running.port);
    let mut south = Client::new(south_tls, running.port);
    let again: UploadState = north.post(&updates_path(&first), &first).await;
    assert_eq!((again.offset, &again.upload, again.receipt), (101, &state.upload, None));
    let misplaced = north
        .refused("PATCH", &format!("/v1/uploads/{}?offset=5", state.upload.0), b"x")
        .await;
    assert_eq!(misplaced.code, ProblemCode::OffsetMismatch);
    let foreign = south
        .refused("PATCH", &format!("/v1/uploads/{}?offset=101", state.upload.0), b"x")
        .await;
    assert_eq!(foreign.code, ProblemCode::NotFound);
    let receipt = upload(&north, &first, &bytes).await.receipt.unwrap();
    let replay: UploadState = north.post(&updates_path(&first), &first).await;
    assert_eq!(replay.receipt.as_ref(), Some(&receipt));
    let (other, _) = header(&plan, &model, &one_hot(layout.parameters(), 5), 2);
    let body = serde_json::to_vec(&other).unwrap();
    assert_eq!(
        north.refused("POST", &updates_path(&other), &body).await.code,
        ProblemCode::AlreadyContributed
    );
    let (bad, bad_bytes) = header(&plan, &model, &vec![f32::NAN; layout.parameters()], 1);
    let state: UploadState = south.post(&updates_path(&bad), &bad).await;
    let refusal = south
        .refused("PATCH", &format!("/v1/uploads/{}?offset=0", state.upload.0), &bad_bytes)
        .await;
    assert_eq!(refusal.code, ProblemCode::NotFinite);

    // North's long poll is answered by south's update, not by a timeout.
    let (second, bytes) = header(&plan, &model, &one_hot(layout.parameters(), 1), 2);
    let waiting = async { training(&north, 2).await };
    let (model, sent) = tokio::join!(waiting, upload(&south, &second, &bytes));
    assert!(sent.receipt.is_some());

    // One-hot sums: half of each, neither lost nor counted twice; downloaded in two ranges.
    let path = format!("/v1/studies/{STUDY}/models/1");
    let (status, head, mut global) = north.send("GET", &path, "range: bytes=0-9\r\n", b"").await;
    assert!(
        status == 206
            && head
                .to_lowercase()
                .contains(&format!("content-range: bytes 0-9/{}", model.bytes)),
        "{head}"
    );
    global.extend(north.send("GET", &path, "range: bytes=10-\r\n", b"").await.2);
    assert_eq!(Sha256Digest::of(&global), model.digest);
    let initial = layout.initial_parameters(plan.seed);
    let global = snowball_layout::from_le_bytes(&global).unwrap();
    for (place, (new, old)) in global.iter().zip(&initial).enumerate() {
        let expected = if place < 2 { 0.5 } else { 0.0 };
        assert!(
            (new - old - expected).abs() < 1e-6,
            "parameter {place}: {old} became {new}"
        );
    }

    for (client, place) in [(&north, 0), (&south, 1)] {
        let (header, bytes) = header(&plan, &model, &one_hot(layout.parameters(), place), 1);
        assert!(upload(client, &header, &bytes).await.receipt.is_some());
    }
    for client in [&north, &south] {
        let Task::Evaluate { .. } = task(client).await else {
            panic!("the final model is to be evaluated")
        };
        client
            .post::<Value>(
                &format!("/v1/studies/{STUDY}/evaluation"),
                &json!({ "evaluation": null }),
            )
            .await;
    }
    let records: Vec<RoundRecord> = north.get(&format!("/v1/studies/{STUDY}/rounds")).await;
    assert_eq!(records.len(), 2);
    assert_eq!(records[0].contributions.len(), 2);
    assert_eq!(records[0].model_out, records[1].model_in);
    assert!(
        records[0]
            .refusals
            .iter()
            .any(|refusal| refusal.code == ProblemCode::NotFinite)
    );
    for part in &records[0].contributions {
        assert!(
            (part.norm - 1.0).abs() < 1e-6 && (part.cosine - 0.5f64.sqrt()).abs() < 1e-6,
            "{part:?}"
        );
    }

    let out = folder.path().join("release");
    command(&dir, &["release", "create", STUDY, "--out", out.to_str().unwrap()]).await;
    let key = Home::at(&dir).public_key_file();
    command(
        &dir,
        &[
            "release",
            "verify",
            out.to_str().unwrap(),
            "--key",
            key.to_str().unwrap(),
        ],
    )
    .await;
    let Task::Done { model: Some(model), .. } = task(&north).await else {
        panic!("the study is over")
    };
    for _ in 0..2 {
        let (status, _, last) = south
            .send("GET", &format!("/v1/studies/{STUDY}/models/{}", model.round), "", b"")
            .await;
        assert_eq!((status, Sha256Digest::of(&last)), (200, model.digest));
        running.stop().await;
        running = Running::start(&dir).await;
        north.port = running.port;
        south.port = running.port;
    }
    assert_eq!(command(&dir, &["study", "status", STUDY]).await["phase"], "released");

    command(&dir, &["revoke", "north", "--reason", "story over"]).await;
    assert_eq!(
        north.refused("GET", "/v1/studies", b"").await.code,
        ProblemCode::CertificateRevoked
    );
    assert_eq!(south.get::<Vec<StudySummary>>("/v1/studies").await.len(), 1);
    running.stop().await;
    command(&dir, &["ledger", "verify"]).await;
    let shown = command(&dir, &["ledger", "show"]).await;
    let count = |kind: &str| {
        let records = shown["records"].as_array().unwrap();
        records.iter().filter(|record| record["entry"]["entry"] == kind).count()
    };
    assert_eq!(
        (
            count("update_admitted"),
            count("round_finished"),
            count("update_refused")
        ),
        (4, 2, 2)
    );
    assert_eq!(
        (count("study_joined"), count("release_signed"), count("site_revoked")),
        (2, 1, 1)
    );

    // As if a crash had come before any of it reached the ledger: the next start adds what the database knows.
    std::fs::remove_dir_all(Home::at(&dir).ledger_dir()).unwrap();
    Running::start(&dir).await.stop().await;
    let shown = command(&dir, &["ledger", "show"]).await;
    let kinds: Vec<_> = shown["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| &record["entry"]["entry"])
        .collect();
    let count = |kind: &str| kinds.iter().filter(|found| **found == kind).count();
    assert_eq!(
        (count("study_joined"), count("update_admitted"), count("round_finished")),
        (2, 4, 2)
    );
}
