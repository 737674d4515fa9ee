//! Everybody who should get nowhere, at every route of the list: a new route is tried by itself, and has to be given its place in
//! [`of_a_stranger`] before these tests pass.

use std::{sync::Arc, time::Duration};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType, SerialNumber, date_time_ymd,
};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use serde_json::{Value, json};
use snowball_protocol::{
    Problem, ProblemCode, Sha256Digest, limits::ENROLMENT_REQUESTS_PER_MINUTE_MAX, session::Task, update::UploadState,
};
use snowball_registry::Registry;
use snowball_service::{clock, tls};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::{
    api::{self, Route},
    fixture,
    home::{Home, read_text},
    story::{Client, Running, STUDY, command, enrol, head, header, init, one_hot, training, updates_path, upload},
};

/// What came back.
#[derive(PartialEq, Eq, Debug)]
enum Outcome {
    /// The connection was closed before anything was answered.
    Closed,
    /// A refusal in our own words.
    Refused(ProblemCode),
    /// Anything else, by its HTTP status.
    Answered(u16),
}

/// One request over a connection of its own.
async fn knock(tls: &Arc<rustls::ClientConfig>, port: u16, route: &Route, id: &str) -> Outcome {
    let path = route
        .path
        .replace("{study}", STUDY)
        .replace("{round}", "1")
        .replace("{id}", id);
    let query = if path.contains("/uploads/") { "?offset=0" } else { "" };
    let request = format!(
        "{} {path}{query} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{{}}",
        route.method
    );
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let Ok(mut stream) = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await else {
        return Outcome::Closed;
    };
    // The server reads the client's certificate last, so a refusal may come while the request goes out.
    if stream.write_all(request.as_bytes()).await.is_err() || stream.flush().await.is_err() {
        return Outcome::Closed;
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let text = String::from_utf8_lossy(&answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return Outcome::Closed;
    };
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
    match serde_json::from_str::<Problem>(body) {
        Ok(problem) => {
            assert_eq!(status, problem.code.status());
            assert!(!problem.remedy.is_empty());
            Outcome::Refused(problem.code)
        }
        Err(_) => Outcome::Answered(status),
    }
}

fn is_open(route: &Route) -> bool {
    ["/v1/health", "/v1/enrolments", "/v1/enrolments/{id}"].contains(&route.path)
}

/// A client certificate to any taste, signed by a CA's own key.
struct Forged<'a> {
    /// Whose CA.
    by: &'a Home,
    names: &'a [&'a str],
    purpose: ExtendedKeyUsagePurpose,
    is_ca: bool,
    serial: Vec<u8>,
    /// Days from now to its beginning and to its end.
    days: (i64, i64),
}

impl<'a> Forged<'a> {
    /// As the aggregator gives it to `north`, but for its serial number.
    fn of_north(by: &'a Home) -> Self {
        Self {
            by,
            names: &["snowball:site:north"],
            purpose: ExtendedKeyUsagePurpose::ClientAuth,
            is_ca: false,
            serial: snowball_crypto::random_bytes::<16>()
                .unwrap()
                .map(|byte| byte & 0x3f | 0x40)
                .to_vec(),
            days: (-1, 29),
        }
    }

    /// Shows it to the aggregator in `home`.
    fn client(self, home: &Home) -> rustls::ClientConfig {
        let (ca_pem, ca_key) = (ca_pem(self.by), read_text(&self.by.ca_key_file()).unwrap());
        let der = CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap();
        let issuer = Issuer::from_ca_cert_der(&der, KeyPair::from_pem(&ca_key).unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, "north");
        parameters.subject_alt_names = self
            .names
            .iter()
            .map(|name| SanType::URI((*name).try_into().unwrap()))
            .collect();
        parameters.extended_key_usages = vec![self.purpose];
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        if self.is_ca {
            parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let time = |days: i64| {
            let seconds = (clock::now() + days * 86_400).unsigned_abs();
            date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds)
        };
        parameters.not_before = time(self.days.0);
        parameters.not_after = time(self.days.1);
        parameters.serial_number = Some(SerialNumber::from(self.serial));
        let certificate = parameters.signed_by(&key, &issuer).unwrap().pem();
        tls::client(&self::ca_pem(home), &certificate, &key.serialize_pem()).unwrap()
    }
}

fn ca_pem(home: &Home) -> String {
    read_text(&home.ca_file()).unwrap()
}

fn bare(home: &Home) -> rustls::ClientConfig {
    tls::pinned_client(tls::certificate_fingerprint(&ca_pem(home)).unwrap()).unwrap()
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
async fn no_outsider_passes_any_route() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("home");
    init(&dir).await;
    let running = Running::start(&dir).await;
    let home = Home::at(&dir).existing().unwrap();
    let north = enrol(&dir, running.port, "north").await.0;
    let lost = enrol(&dir, running.port, "lost").await.0;
    let gone = enrol(&dir, running.port, "gone").await.0;
    let registry = Registry::open(&home.database_file()).await.unwrap();
    let serial = async |site: &str| {
        let known = registry.site(&site.parse().unwrap()).await.unwrap().unwrap();
        known.serials.into_iter().next().unwrap()
    };
    registry
        .revoke_serial(&serial("lost").await, "key lost", clock::now())
        .await
        .unwrap();
    command(&dir, &["revoke", "gone", "--reason", "left the consortium"]).await;
    let of_north = hex::decode(serial("north").await).unwrap();
    let other_dir = folder.path().join("other");
    init(&other_dir).await;
    let other = Home::at(&other_dir).existing().unwrap();

    use Outcome::{Closed, Refused};
    use ProblemCode::{CertificateMissing, CertificateRevoked};
    // With north's own serial number, so that nothing but what is forged can be the reason.
    let named = |names: &'static [&'static str]| Forged {
        names,
        serial: of_north.clone(),
        ..Forged::of_north(&home)
    };
    let timed = |days| Forged {
        days,
        ..named(&["snowball:site:north"])
    };
    let meant = |purpose, is_ca| Forged {
        purpose,
        is_ca,
        ..named(&["snowball:site:north"])
    };
    use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
    let forged = [
        ("of another consortium", Forged::of_north(&other), Closed),
        ("expired", timed((-31, -1)), Closed),
        ("of tomorrow", timed((1, 31)), Closed),
        (
            "given out by nobody",
            Forged::of_north(&home),
            Refused(CertificateRevoked),
        ),
        (
            "with north's number and another name",
            named(&["snowball:site:south"]),
            Refused(CertificateRevoked),
        ),
        (
            "of two sites",
            named(&["snowball:site:north", "snowball:site:south"]),
            Closed,
        ),
        (
            "of one site twice",
            named(&["snowball:site:north", "snowball:site:north"]),
            Closed,
        ),
        (
            "of a site and what is none",
            named(&["snowball:site:north", "snowball:site:NO SITE"]),
            Closed,
        ),
        ("of no site", named(&["https://example.org/north"]), Closed),
        ("of nobody", named(&[]), Closed),
        ("of a server", meant(ServerAuth, false), Closed),
        ("of a CA", meant(ClientAuth, true), Closed),
    ];
    let mut outsiders = vec![
        ("missing", bare(&home), Refused(CertificateMissing)),
        ("revoked", lost, Refused(CertificateRevoked)),
        ("of a revoked site", gone, Refused(CertificateRevoked)),
    ];
    outsiders.extend(forged.map(|(what, forged, expected)| (what, forged.client(&home), expected)));
    let guarded: Vec<Route> = api::routes().into_iter().filter(|route| !is_open(route)).collect();
    assert!(guarded.len() >= 12);
    for (what, config, expected) in outsiders {
        let config = http1(config);
        for route in &guarded {
            let outcome = knock(&config, running.port, route, "0").await;
            assert_eq!(
                outcome, expected,
                "a certificate {what}: {} {}",
                route.method, route.path
            );
        }
    }
    // The test's own way in: whoever may come in does.
    let north = http1(north);
    for route in &guarded {
        let outcome = knock(&north, running.port, route, "0").await;
        let is_in = !matches!(outcome, Closed | Refused(CertificateMissing | CertificateRevoked));
        assert!(is_in, "{outcome:?}: {} {}", route.method, route.path);
    }
    running.stop().await;
}

fn http1(mut config: rustls::ClientConfig) -> Arc<rustls::ClientConfig> {
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

/// What a site in good standing that takes no part in the study gets of those who do.
enum Stranger {
    /// Nothing of another site can be named in the request or stands in the answer.
    ItsOwn,
    /// A refusal.
    Refused(ProblemCode),
    /// It is told to wait.
    Waits,
    /// Open to all, without a certificate.
    Open,
}

fn of_a_stranger(route: &Route) -> Stranger {
    match route.path {
        "/v1/health" | "/v1/enrolments" => Stranger::Open,
        "/v1/enrolments/{id}" => Stranger::Refused(ProblemCode::NotFound),
        "/v1/hello" | "/v1/certificate" | "/v1/studies" | "/v1/heads" | "/v1/authorities" => Stranger::ItsOwn,
        // The plan is for every site to decide by; joining and declining speak for the one that asks.
        "/v1/studies/{study}/plan" | "/v1/studies/{study}/join" | "/v1/studies/{study}/decline" => Stranger::ItsOwn,
        "/v1/studies/{study}/task" => Stranger::Waits,
        "/v1/studies/{study}/models/{round}"
        | "/v1/studies/{study}/controls/{round}"
        | "/v1/studies/{study}/rounds/{round}/updates"
        | "/v1/studies/{study}/evaluation"
        | "/v1/studies/{study}/rounds"
        | "/v1/studies/{study}/rounds/{round}/outcome" => Stranger::Refused(ProblemCode::NotJoined),
        "/v1/studies/{study}/rounds/{round}/receipt" => Stranger::ItsOwn,
        "/v1/uploads/{id}" => Stranger::Refused(ProblemCode::NotFound),
        other => panic!("say in `of_a_stranger` what a site that takes no part gets at {other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_site_reaches_what_is_another_sites() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("home");
    init(&dir).await;
    let running = Running::start(&dir).await;
    // With heads shown, so that whatever is refused is refused for whose it is.
    let enrolled = async |site: &str| {
        let (tls, key) = enrol(&dir, running.port, site).await;
        let client = Client::new(tls, running.port);
        client.post::<Value>("/v1/heads", &head(site, 2, b"head", &key)).await;
        client
    };
    let (north, west, south) = (enrolled("north").await, enrolled("west").await, enrolled("south").await);
    let mut plan = fixture::plan(STUDY);
    plan.rounds.count = 1;
    let layout = snowball_layout::Layout::of(&plan);
    let file = folder.path().join("plan.toml");
    std::fs::write(&file, toml::to_string(&plan).unwrap()).unwrap();
    command(&dir, &["study", "create", file.to_str().unwrap()]).await;
    command(&dir, &["study", "start", STUDY]).await;
    while north.get::<Vec<Value>>("/v1/studies").await.is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let join = json!({
        "plan_digest": plan.digest(), "policy_digest": Sha256Digest::of(b"policy"),
        "layout_digest": layout.digest(), "training_examples": 10,
    });
    for client in [&north, &west] {
        client.post::<Value>(&format!("/v1/studies/{STUDY}/join"), &join).await;
    }
    let model = training(&north, 1).await;
    let (announced, bytes) = header(&plan, &model, &one_hot(layout.parameters(), 0), 1);
    let begun: UploadState = north.post(&updates_path(&announced), &announced).await;
    let enrolment = Registry::open(&Home::at(&dir).database_file())
        .await
        .unwrap()
        .enrolments()
        .await
        .unwrap()
        .remove(0)
        .id
        .0;

    let body = |path: &str| match path {
        "/v1/studies/{study}/rounds/{round}/updates" => serde_json::to_vec(&announced).unwrap(),
        "/v1/studies/{study}/evaluation" => b"{\"evaluation\":null}".to_vec(),
        "/v1/enrolments/{id}" => b"{\"token\":\"a guess\"}".to_vec(),
        _ => b"x".to_vec(),
    };
    let expected = |route: &Route, is_reviewing: bool| match of_a_stranger(route) {
        // Before the review nobody evaluates; who asks is looked at only then.
        Stranger::Refused(_) if route.path.ends_with("/evaluation") && !is_reviewing => {
            Stranger::Refused(ProblemCode::StudyClosed)
        }
        other => other,
    };
    for is_reviewing in [false, true] {
        if is_reviewing {
            assert!(upload(&north, &announced, &bytes).await.receipt.is_some());
            let (second, bytes) = header(&plan, &model, &one_hot(layout.parameters(), 1), 1);
            assert!(upload(&west, &second, &bytes).await.receipt.is_some());
            let path = format!("/v1/studies/{STUDY}/task?wait_seconds=20");
            while !matches!(north.get::<Task>(&path).await, Task::Evaluate { .. }) {}
        }
        for route in api::routes() {
            let id = if route.path.contains("uploads") {
                &begun.upload.0
            } else {
                &enrolment
            };
            let path = route
                .path
                .replace("{study}", STUDY)
                .replace("{round}", "1")
                .replace("{id}", id);
            let query = if path.contains("/uploads/") { "?offset=0" } else { "" };
            let (status, _, answer) = south
                .send(route.method.as_str(), &format!("{path}{query}"), "", &body(route.path))
                .await;
            let said = String::from_utf8_lossy(&answer).into_owned();
            match expected(&route, is_reviewing) {
                Stranger::Refused(code) => {
                    let problem: Problem = serde_json::from_slice(&answer).unwrap_or_else(|_| panic!("{path}: {said}"));
                    assert_eq!(problem.code, code, "{path}: {said}");
                    assert_eq!(status, code.status());
                }
                Stranger::Waits => {
                    assert!(
                        matches!(serde_json::from_slice(&answer), Ok(Task::Wait { .. })),
                        "{path}: {said}"
                    );
                }
                Stranger::ItsOwn | Stranger::Open => {
                    for other in ["north", "\"west\""] {
                        assert!(!said.contains(other), "{path}: {said}");
                    }
                }
            }
        }
    }
    // A receipt is the one thing of an announcement that is worth stealing: south's own announcement of north's bytes brings none.
    let own = south
        .refused(
            "POST",
            &updates_path(&announced),
            &serde_json::to_vec(&announced).unwrap(),
        )
        .await;
    assert_eq!(own.code, ProblemCode::NotJoined);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_answered_so_often_a_minute_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("home");
    init(&dir).await;
    let running = Running::start(&dir).await;
    let stranger = Client::new(bare(&Home::at(&dir)), running.port);
    // Each second gives one more, so the bound is met whatever this machine's speed.
    let mut answered = 0;
    let refusal = loop {
        let refused = stranger.refused("POST", "/v1/enrolments", b"{}").await;
        if refused.code != ProblemCode::Malformed {
            break refused;
        }
        answered += 1;
    };
    assert_eq!(refusal.code, ProblemCode::Busy);
    assert!(refusal.reason.contains("from this address"), "{refusal}");
    assert!(answered >= ENROLMENT_REQUESTS_PER_MINUTE_MAX, "{answered}");
    let query = stranger.refused("POST", "/v1/enrolments/0", b"{\"token\":\"a\"}").await;
    assert!(
        matches!(query.code, ProblemCode::Busy | ProblemCode::NotFound),
        "{query}"
    );
    assert_eq!(stranger.get::<Value>("/v1/health").await["status"], "ok");
    running.stop().await;
}
