//! What the stories of the whole program stand on: a server in this process with real TLS on a free port, a site's way to it, and
//! the steps that a site takes from its invitation to an update.

use std::{path::Path, sync::Arc, time::Duration};

use rustls_pki_types::ServerName;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use snowball_crypto::SigningKey;
use snowball_encoding::Coding;
use snowball_ledger::{Head, SignedHead};
use snowball_protocol::{
    Attempt, Problem, ProblemCode, RoundNumber, Sha256Digest, StudyPlan,
    enrolment::{EnrolmentAccepted, EnrolmentStatus, Invitation},
    session::{ModelReference, Task},
    update::{UpdateHeader, UploadState},
};
use snowball_service::tls;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::sleep,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{cli, home::Home, service::Service, stop::Stop};

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
    pub port: u16,
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
