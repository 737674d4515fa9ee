//! Enrolment where something goes wrong at each step: it ends in words of its own, leaves nothing half-made, and goes on where it
//! stood.

use std::{
    fs,
    path::PathBuf,
    process::Output,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, pem::PemObject as _},
};
use serde_json::Value;
use snowball_protocol::{Sha256Digest, enrolment::Invitation};
use snowball_service::clock;
use snowball_tests::{Programs, Site, ask, run};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use crate::stage::Stage;

/// Passes everything on.
const OPEN: u8 = 0;
/// Closes every connection at once.
const DOWN: u8 = 1;
/// Cuts the line when the aggregator would answer to a request that it has taken.
const CUT_ONCE_TAKEN: u8 = 2;
/// Cuts the line when the aggregator would hand out a certificate.
const CUT_ONCE_APPROVED: u8 = 3;

/// A line between node and aggregator that breaks when it is told to.
struct Relay {
    port: u16,
    mode: Arc<AtomicU8>,
    cuts: Arc<AtomicU8>,
}

impl Relay {
    async fn to(stage: &Stage) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (mode, cuts) = (Arc::new(AtomicU8::new(OPEN)), Arc::new(AtomicU8::new(0)));
        let (target, told, counted) = (stage.port, Arc::clone(&mode), Arc::clone(&cuts));
        let (programs, home) = (stage.consortium.programs.clone(), stage.consortium.aggregator_home());
        tokio::spawn(async move {
            while let Ok((node, _)) = listener.accept().await {
                if told.load(Ordering::SeqCst) == DOWN {
                    continue;
                }
                let aggregator = TcpStream::connect(("127.0.0.1", target)).await.unwrap();
                let switches = (Arc::clone(&told), Arc::clone(&counted));
                tokio::spawn(pass(node, aggregator, switches, programs.clone(), home.clone()));
            }
        });
        Self { port, mode, cuts }
    }

    fn set(&self, mode: u8) {
        self.mode.store(mode, Ordering::SeqCst);
    }

    /// The invitation, by way of this line.
    fn invitation(&self, line: &str) -> String {
        let mut invitation = Invitation::from_line(line).unwrap();
        invitation.address = format!("https://localhost:{}", self.port);
        invitation.to_line()
    }
}

type Switches = (Arc<AtomicU8>, Arc<AtomicU8>);

async fn pass(node: TcpStream, aggregator: TcpStream, (mode, cuts): Switches, programs: Programs, home: PathBuf) {
    let (mut from_node, mut to_node) = node.into_split();
    let (mut from_aggregator, mut to_aggregator) = aggregator.into_split();
    let asking = tokio::spawn(async move { tokio::io::copy(&mut from_node, &mut to_aggregator).await });
    let mut chunk = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from_aggregator.read(&mut chunk).await {
        let is_cut = match mode.load(Ordering::SeqCst) {
            OPEN => false,
            DOWN => true,
            wanted => {
                // What the aggregator would say is said after it was written down: its own list tells what it is about.
                let sites = ask(&programs.aggregator, &home, &["sites"]).await.unwrap();
                let list = if wanted == CUT_ONCE_TAKEN { "waiting" } else { "sites" };
                let is_cut = !sites[list].as_array().unwrap().is_empty();
                cuts.fetch_add(u8::from(is_cut), Ordering::SeqCst);
                is_cut
            }
        };
        if is_cut || to_node.write_all(&chunk[..length]).await.is_err() {
            break;
        }
    }
    asking.abort();
}

async fn invite(stage: &Stage, site: &Site) -> String {
    let answer = stage
        .consortium
        .aggregator(&["invite", "--site", site.name.as_str()])
        .await;
    answer.unwrap()["invitation"].as_str().unwrap().to_owned()
}

async fn enroll(stage: &Stage, site: &Site, invitation: &str) -> (Output, String) {
    let arguments = ["enroll", invitation, "--wait-seconds", "0"];
    let output = run(&stage.consortium.programs.node, &site.home, &arguments)
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, said)
}

async fn sites(stage: &Stage) -> Value {
    stage.consortium.aggregator(&["sites"]).await.unwrap()
}

fn spoken(sites: &Value) -> String {
    let fingerprint: Sha256Digest = sites["waiting"][0]["key_fingerprint"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    fingerprint.spoken()
}

fn made(site: &Site) -> Vec<&'static str> {
    let names = [
        "enrolment.json",
        "keys/tls.enrolment.pem",
        "keys/tls.pem",
        "certs/node.pem",
        "aggregator.json",
    ];
    names.into_iter().filter(|name| site.home.join(name).exists()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_breaks_at_any_step_is_taken_up_where_it_stood() {
    let stage = Stage::set(1, 1, 8).await;
    let site = &stage.consortium.sites[0];
    stage.consortium.make_node(site, 1).await.unwrap();
    let relay = Relay::to(&stage).await;
    let invitation = relay.invitation(&invite(&stage, site).await);

    // Before the request.
    relay.set(DOWN);
    let (output, said) = enroll(&stage, site, &invitation).await;
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("cannot be reached") && said.contains("Nothing was sent"),
        "{said}"
    );
    assert!(made(site).is_empty(), "{:?}", made(site));
    assert_eq!(sites(&stage).await["waiting"], serde_json::json!([]));

    // The request was taken, its answer lost.
    relay.set(CUT_ONCE_TAKEN);
    let (output, said) = enroll(&stage, site, &invitation).await;
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("may have arrived or not") && said.contains("counts once"),
        "{said}"
    );
    assert_eq!(made(site), ["enrolment.json", "keys/tls.enrolment.pem"]);
    let taken = sites(&stage).await;
    relay.set(OPEN);
    let (_, said) = enroll(&stage, site, &invitation).await;
    assert!(
        said.contains("not approved yet") && said.contains(&spoken(&taken)),
        "{said}"
    );
    assert_eq!(
        sites(&stage).await["waiting"],
        taken["waiting"],
        "the same request, once"
    );

    // While it waits; what the coordinator mistypes meanwhile changes nothing.
    let log = stage.consortium.log("waiting");
    let arguments = ["enroll", invitation.as_str()];
    let mut waiting = stage
        .consortium
        .start_node("waiting", site, &arguments, &log, &stage.hear)
        .unwrap();
    let says = |words: &'static str| {
        let log = log.clone();
        async move {
            for _ in 0..600 {
                if fs::read_to_string(&log).is_ok_and(|said| said.contains(words)) {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            panic!("never said {words}: {}", fs::read_to_string(&log).unwrap_or_default());
        }
    };
    says("read this fingerprint").await;
    relay.set(DOWN);
    says("the request stands").await;
    let right = spoken(&taken);
    let slip = format!("{}{}", if right.starts_with('0') { "1" } else { "0" }, &right[1..]);
    for (typed, words) in [
        (slip.as_str(), "1 of its digits differ"),
        ("0123-4567-89ab-cdef", "somebody else asked"),
        ("o", "o is none"),
    ] {
        let refused = stage
            .consortium
            .aggregator(&[
                "approve",
                site.name.as_str(),
                "--fingerprint",
                typed,
                "--reason",
                "telephone",
            ])
            .await
            .unwrap_err();
        assert!(refused.to_string().contains(words), "{refused}");
    }
    let without_reason = stage
        .consortium
        .aggregator(&["approve", site.name.as_str(), "--fingerprint", &right])
        .await;
    assert!(without_reason.is_err());
    assert_eq!(sites(&stage).await["waiting"], taken["waiting"]);

    // It is approved, and the certificate is lost on its way.
    relay.cuts.store(0, Ordering::SeqCst);
    relay.set(CUT_ONCE_APPROVED);
    stage
        .consortium
        .aggregator(&[
            "approve",
            site.name.as_str(),
            "--fingerprint",
            &right,
            "--reason",
            "telephone",
        ])
        .await
        .unwrap();
    for _ in 0..600 {
        if relay.cuts.load(Ordering::SeqCst) > 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(relay.cuts.load(Ordering::SeqCst) > 0);
    assert_eq!(made(site), ["enrolment.json", "keys/tls.enrolment.pem"]);
    relay.set(OPEN);
    for _ in 0..600 {
        if waiting.has_ended() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(waiting.has_ended(), "{}", stage.logs());
    waiting.check().unwrap();
    assert_eq!(made(site), ["keys/tls.pem", "certs/node.pem", "aggregator.json"]);

    // The same invitation once more, by the same node: it is enrolled, and asks for nothing.
    let before = fs::read(site.home.join("keys/tls.pem")).unwrap();
    let (output, said) = enroll(&stage, site, &invitation).await;
    assert!(output.status.success(), "{said}");
    assert_eq!(fs::read(site.home.join("keys/tls.pem")).unwrap(), before);
    let after = sites(&stage).await;
    assert_eq!(after["sites"][0]["serials"].as_array().unwrap().len(), 1, "{after}");
    assert_eq!(after["contested"], serde_json::json!([]));
    let verified = stage.consortium.node(site, &["ledger", "verify"]).await.unwrap();
    assert_eq!(verified["kinds"]["certificate_received"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_while_the_certificate_takes_its_place_is_mended_by_whatever_comes_next() {
    let stage = Stage::set(1, 1, 8).await;
    let site = &stage.consortium.sites[0];
    stage.consortium.make_node(site, 1).await.unwrap();
    let invitation = invite(&stage, site).await;
    enroll(&stage, site, &invitation).await;
    let file = |name: &str| site.home.join(name);
    let (mut pending, key) = (
        serde_json::from_slice::<Value>(&fs::read(file("enrolment.json")).unwrap()).unwrap(),
        fs::read(file("keys/tls.enrolment.pem")).unwrap(),
    );
    let fingerprint = spoken(&sites(&stage).await);
    let approve = [
        "approve",
        site.name.as_str(),
        "--fingerprint",
        &fingerprint,
        "--reason",
        "telephone",
    ];
    stage.consortium.aggregator(&approve).await.unwrap();
    assert!(enroll(&stage, site, &invitation).await.0.status.success());
    let whole = ["keys/tls.pem", "certs/ca.pem", "certs/node.pem", "aggregator.json"];
    let contents: Vec<_> = whole.iter().map(|name| fs::read(file(name)).unwrap()).collect();
    pending["answer"] = serde_json::json!({
        "ca_pem": String::from_utf8(contents[1].clone()).unwrap(),
        "certificate_pem": String::from_utf8(contents[2].clone()).unwrap(),
        "aggregator": serde_json::from_slice::<Value>(&contents[3]).unwrap(),
    });
    // As the disk may be found: the approval written down, and the first so many files in their places.
    for placed in 0..=whole.len() {
        for (place, name) in whole.iter().enumerate() {
            fs::remove_file(file(name)).ok();
            if place < placed {
                snowball_service::files::write_private(&file(name), &contents[place]).unwrap();
            }
        }
        if placed == 0 {
            snowball_service::files::write_private(&file("keys/tls.enrolment.pem"), &key).unwrap();
        }
        snowball_service::files::write_private(&file("enrolment.json"), pending.to_string().as_bytes()).unwrap();
        let (output, said) = enroll(&stage, site, &invitation).await;
        assert!(output.status.success(), "{placed} in place: {said}");
        for (name, content) in whole.iter().zip(&contents) {
            assert!(fs::read(file(name)).unwrap() == *content, "{placed} in place: {name}");
        }
        assert_eq!(
            made(site),
            ["keys/tls.pem", "certs/node.pem", "aggregator.json"],
            "{placed} in place"
        );
    }
    // A renewal that a running node would make settles it too.
    snowball_service::files::write_private(&file("enrolment.json"), pending.to_string().as_bytes()).unwrap();
    stage.consortium.node(site, &["renew"]).await.unwrap();
    assert!(!file("enrolment.json").exists());
    let verified = stage.consortium.node(site, &["ledger", "verify"]).await.unwrap();
    assert_eq!(
        verified["kinds"]["certificate_received"], 2,
        "the approval once, the renewal once"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn altered_expired_and_replaced_invitations_have_words_of_their_own() {
    let stage = Stage::set(1, 1, 8).await;
    let site = &stage.consortium.sites[0];
    stage.consortium.make_node(site, 1).await.unwrap();
    let line = invite(&stage, site).await;
    let refused = |line: String, words: &'static str| {
        let stage = &stage;
        async move {
            let (output, said) = enroll(stage, site, &line).await;
            assert!(!output.status.success() && said.contains(words), "{said}");
            assert!(made(site).is_empty(), "{words}: {:?}", made(site));
        }
    };
    let slip = if line.ends_with('0') { "1" } else { "0" };
    refused(
        format!("{}{slip}", &line[..line.len() - 1]),
        "altered or cut on its way",
    )
    .await;
    refused(line[..line.len() - 20].to_owned(), "altered or cut on its way").await;
    refused("hello".to_owned(), "not an invitation").await;
    // Altered by somebody who can compute the last digits as well.
    let mut forged = Invitation::from_line(&line).unwrap();
    forged
        .token
        .replace_range(..1, if forged.token.starts_with('A') { "B" } else { "A" });
    refused(forged.to_line(), "its token was altered").await;
    let mut expired = Invitation::from_line(&line).unwrap();
    expired.expires = clock::now() - 10;
    refused(expired.to_line(), "the invitation has expired").await;
    invite(&stage, site).await;
    refused(line, "a newer invitation of the site took its place").await;
    assert_eq!(sites(&stage).await["waiting"], serde_json::json!([]));
}

/// Answers with the time of its own, over a certificate of its own.
async fn clockmaker(clock: i64, years: (i32, i32)) -> Invitation {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, "Elsewhen Snowball CA");
    let ca_certificate = ca.self_signed(&ca_key).unwrap();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().unwrap();
    let mut leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    leaf.not_before = date_time_ymd(years.0, 1, 1);
    leaf.not_after = date_time_ymd(years.1, 1, 1);
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone(), ca_certificate.der().clone()],
            PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(tcp).await else {
                    return;
                };
                let mut head = [0; 4096];
                let Ok(1..) = stream.read(&mut head).await else { return };
                if !head.starts_with(b"GET /v1/health ") {
                    return;
                }
                let body = format!("{{\"status\":\"ok\",\"clock\":{clock}}}");
                let length = body.len();
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    Invitation {
        address: format!("https://localhost:{port}"),
        ca_fingerprint: Sha256Digest::of(ca_certificate.der()),
        site: "north".parse().unwrap(),
        token: "token".to_owned(),
        made: clock::now() - 3600,
        expires: clock::now() + 86_400,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_clock_on_either_side_is_named_before_anything_is_sent() {
    let stage = Stage::set(1, 1, 8).await;
    let site = &stage.consortium.sites[0];
    let node = &stage.consortium.programs.node;
    run(node, &site.home, &["init", "--site", "north"]).await.unwrap();
    let (now, day) = (clock::now(), 86_400);
    let year = 1970 + i32::try_from(now / 31_556_952).unwrap();
    let always = (year - 1, year + 2);
    let past = (year - 9, year - 7);
    // The aggregator's clock was set back; this machine's may be too far ahead; its certificate may be of another time altogether.
    let mut cases = vec![
        (
            clockmaker(now - 40 * day, always).await,
            "The aggregator's is likely wrong",
            "40 days ahead of",
        ),
        (
            clockmaker(now - 8 * 365 * day, past).await,
            "The aggregator's is likely wrong",
            "2920 days ahead of",
        ),
    ];
    let mut ahead = clockmaker(now + 3600, always).await;
    ahead.made = now + 3500;
    cases.push((ahead, "This machine's is likely wrong", "60 minutes behind"));
    let mut unclear = clockmaker(now + 600, always).await;
    unclear.made = now - day;
    cases.push((unclear, "compare both with a telephone's", "10 minutes behind"));
    for (invitation, likely, difference) in cases {
        let (output, said) = enroll(&stage, site, &invitation.to_line()).await;
        assert_eq!(output.status.code(), Some(3), "{said}");
        let difference = difference.split(' ').collect::<Vec<_>>();
        assert!(
            said.contains(likely) && said.contains(difference[1]) && said.contains("NTP"),
            "{said}"
        );
        assert!(
            said.contains(difference[2]) && said.contains("Nothing was sent"),
            "{said}"
        );
        assert!(made(site).is_empty(), "{:?}", made(site));
    }
    // Clocks agree, but the certificate has run out: that is the aggregator's to mend.
    let (output, said) = enroll(&stage, site, &clockmaker(now, past).await.to_line()).await;
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("certificate does not hold") && said.contains("restart aggregator serve"),
        "{said}"
    );
    assert!(made(site).is_empty(), "{:?}", made(site));
}
