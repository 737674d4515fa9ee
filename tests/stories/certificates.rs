//! Certificates end, are revoked and follow one another while hospitals train and send: with whole programs, in the middle of an
//! upload. `aggregator/src/certificate_story.rs` looks at the same closer.

use std::{collections::BTreeSet, fs, sync::Arc, time::Duration};

use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use serde_json::{Value, json};
use snowball_layout::Layout;
use snowball_protocol::{limits::HEARTBEAT_SECONDS, plan::Span};
use snowball_service::tls;
use snowball_tests::{PolicyWish, Site};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

use crate::{
    held_line::HeldLine,
    renewal::{certificate, said_by},
    stage::{Stage, ended},
};

/// A quarter of an update.
fn quarter(stage: &Stage) -> usize {
    usize::try_from(Layout::of(&stage.plan).bytes()).unwrap() / 4
}

/// Whether a new connection is shown the certificate that lies in the aggregator's home.
async fn shows_what_lies_there(stage: &Stage, site: &Site) -> bool {
    let read = |name: &str| fs::read_to_string(site.home.join(name)).unwrap();
    let client = tls::client(&read("certs/ca.pem"), &read("certs/node.pem"), &read("keys/tls.pem")).unwrap();
    let stream = TcpStream::connect(("127.0.0.1", stage.port)).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(client))
        .connect(name, stream)
        .await
        .unwrap();
    let there = CertificateDer::from_pem_file(stage.consortium.aggregator_home().join("server.pem")).unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0] == there
}

/// Waits until it is.
async fn is_taken_up(stage: &Stage, site: &Site) {
    let wait = async {
        while !shows_what_lies_there(stage, site).await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(Duration::from_secs(60), wait)
        .await
        .expect("the server's next certificate");
}

/// Waits until each site's running node has said `event`.
async fn said_by_all(stage: &mut Stage, event: &str) {
    let mut missing: BTreeSet<String> = stage
        .consortium
        .sites
        .iter()
        .map(|site| site.name.to_string())
        .collect();
    let wait = async {
        while !missing.is_empty() {
            let said = stage.heard.recv().await.unwrap();
            if said.what["event"] == event {
                missing.remove(&said.who);
            }
        }
    };
    let is_said = timeout(Duration::from_secs(90), wait).await.is_ok();
    assert!(is_said, "{missing:?} never said {event}\n{}", stage.logs());
}

/// Waits until the oldest CA could be retired.
async fn nobody_depends_on_the_oldest(stage: &Stage) {
    let nobody = async {
        loop {
            let list = stage.consortium.aggregator(&["ca", "list"]).await.unwrap();
            if list["authorities"][0]["dependent_sites"] == json!([]) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(Duration::from_secs(60), nobody)
        .await
        .expect("nobody depends on the old CA");
}

async fn entries(stage: &Stage, kind: &str) -> usize {
    stage.consortium.aggregator(&["ledger", "verify"]).await.unwrap();
    let ledger = stage.consortium.aggregator(&["ledger", "show"]).await.unwrap();
    let records = ledger["records"].as_array().unwrap();
    records.iter().filter(|record| record["entry"]["entry"] == kind).count()
}

fn assert_whole(status: &Value, contributions: usize) {
    for round in status["rounds"].as_array().unwrap() {
        assert_eq!(
            round["contributions"].as_array().unwrap().len(),
            contributions,
            "{round}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_sides_renew_in_the_middle_of_an_upload_and_no_round_fails() {
    let mut stage = Stage::set(2, 2, 40).await;
    stage.settle().await;
    let north = stage.consortium.sites[0].clone();
    let line = HeldLine::lay(&north, stage.port, quarter(&stage)).await;
    line.arm();
    stage.start_study().await;
    let mut nodes = stage.run_nodes();
    assert!(line.held().await.is_some(), "no upload\n{}", stage.logs());

    let before = certificate(&north).serial;
    stage.consortium.node(&north, &["renew"]).await.unwrap();
    assert_ne!(
        said_by(&mut stage, &north, "certificate_renewed").await["serial"],
        before.as_str()
    );
    stage.consortium.aggregator(&["renew"]).await.unwrap();
    is_taken_up(&stage, &north).await;
    line.release();

    let status = stage.wait_for_review().await;
    assert_whole(&status, 2);
    stage.release().await;
    ended(&mut nodes).await;
    stage.aggregator.take().unwrap().end().await.unwrap();
    assert_eq!(entries(&stage, "update_refused").await, 0);
    assert_eq!(entries(&stage, "server_certificate_renewed").await, 1);
    // The upload that stood still was not sent again: one header a round.
    assert_eq!(entries(&stage, "update_admitted").await, 4);
}

/// North is shut out in the middle of its upload, by its name or by its certificate; south and the third go on.
async fn shut_out(by_serial: bool) {
    let mut stage = Stage::set_with(3, 2, 40, 0.0, |plan| {
        plan.rounds.updates = Span { min: 2, max: 3 };
        plan.rounds.collect_seconds = Span { min: 0, max: 12 };
    })
    .await;
    stage.settle().await;
    let north = stage.consortium.sites[0].clone();
    let line = HeldLine::lay(&north, stage.port, quarter(&stage)).await;
    line.arm();
    stage.start_study().await;
    let mut nodes = stage.run_nodes();
    assert!(line.held().await.is_some(), "no upload\n{}", stage.logs());

    let serial = certificate(&north).serial;
    let words = if by_serial {
        ["revoke", "--serial", &serial, "--reason", "node stolen"].to_vec()
    } else {
        ["revoke", north.name.as_str(), "--reason", "node stolen"].to_vec()
    };
    stage.consortium.aggregator(&words).await.unwrap();
    // The bytes still stand still: it is not the upload's end that brings the refusal. A heartbeat is the promise.
    let heartbeat = Duration::from_secs(HEARTBEAT_SECONDS);
    let refused = timeout(heartbeat, said_by(&mut stage, &north, "not_contributed"))
        .await
        .expect("refused within a heartbeat");
    assert!(
        refused["reason"].as_str().unwrap().contains("revoked: node stolen"),
        "{refused}"
    );
    // The same connection, open all the while: what north asks next is refused there, and its node ends.
    line.release();
    let gone = async {
        while !nodes[0].has_ended() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(Duration::from_secs(60), gone)
        .await
        .expect("the revoked node ends");

    let others = |status: &Value| {
        status["phase"] == "reviewing"
            && status["final"]["evaluated"]
                .as_array()
                .is_some_and(|done| done.len() == 2)
    };
    let status = stage.wait("the others' review", others).await;
    assert_whole(&status, 2);
    let first = &status["rounds"][0]["contributions"];
    let has_north = first
        .as_array()
        .unwrap()
        .iter()
        .any(|part| part["site"] == north.name.as_str());
    assert!(!has_north, "{first}");

    // A new invitation lets it in again.
    // The log of its first enrolment holds the fingerprint of another key.
    fs::remove_file(stage.consortium.log(&format!("{}-enroll", north.name))).unwrap();
    stage.consortium.enrol(&north, &stage.hear).await.unwrap();
    assert_ne!(certificate(&north).serial, serial);
    stage.consortium.node(&north, &["renew"]).await.unwrap();
    let kind = if by_serial {
        "certificate_revoked"
    } else {
        "site_revoked"
    };
    stage.aggregator.take().unwrap().end().await.unwrap();
    assert_eq!(entries(&stage, kind).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_revoked_in_the_middle_of_its_upload_is_refused_within_a_heartbeat_and_the_others_go_on() {
    shut_out(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_revoked_in_the_middle_of_an_upload_is_refused_within_a_heartbeat_and_the_others_go_on() {
    shut_out(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_ca_follows_another_in_mid_study_without_a_failed_round() {
    const ROUNDS: u32 = 8;
    let mut stage = Stage::set_with(2, ROUNDS, 40, 0.0, |plan| plan.local.steps = 150).await;
    stage.settle().await;
    let north = stage.consortium.sites[0].clone();
    let line = HeldLine::lay(&north, stage.port, quarter(&stage)).await;
    stage.start_study().await;
    let mut nodes = stage.run_nodes();
    said_by(&mut stage, &north, "training").await;
    // On a fast machine all rounds are over before a heartbeat is.
    let rest = ["study", "pause", "story", "--reason", "a new CA"];
    stage.consortium.aggregator(&rest).await.unwrap();

    let rotated = stage
        .consortium
        .aggregator(&["ca", "rotate", "--reason", "yearly"])
        .await
        .unwrap();
    let old = rotated["oldest"].as_str().unwrap().to_owned();
    said_by_all(&mut stage, "certificate_renewed").await;
    nobody_depends_on_the_oldest(&stage).await;

    line.arm();
    stage
        .consortium
        .aggregator(&["study", "resume", "story"])
        .await
        .unwrap();
    assert!(line.held().await.is_some(), "no upload\n{}", stage.logs());
    stage
        .consortium
        .aggregator(&["ca", "retire", &old, "--reason", "everyone has the next"])
        .await
        .unwrap();
    line.release();
    let status = stage.wait_for_review().await;
    assert_eq!(status["rounds"].as_array().unwrap().len(), ROUNDS as usize);
    assert_whole(&status, 2);
    // What is left of the study may take less than a heartbeat: then the nodes end before they hear that the old one is gone,
    // and they have sent all their rounds over the next one all the same.
    stage.release().await;
    ended(&mut nodes).await;
    for site in &stage.consortium.sites {
        let verified = stage.consortium.node(site, &["ledger", "verify"]).await.unwrap();
        let taken = verified["kinds"]["authorities_taken"].as_u64();
        assert!(taken.is_some_and(|taken| (1..=2).contains(&taken)), "{verified}");
        assert_eq!(verified["kinds"]["certificate_received"], 2, "{verified}");
    }
    stage.aggregator.take().unwrap().end().await.unwrap();
    assert_eq!(entries(&stage, "update_refused").await, 0);
    assert_eq!(
        (
            entries(&stage, "authority_added").await,
            entries(&stage, "authority_retired").await
        ),
        (1, 1)
    );
}

/// A node that waits for something to do asks with the certificate that it had when it began to wait; when that one's CA goes, the
/// node is told so, and asks again with the one that it has now.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_waits_while_the_ca_of_its_former_certificate_is_retired_goes_on_with_the_next() {
    let mut stage = Stage::set(2, 1, 40).await;
    let [north, south] = [0, 1].map(|index| stage.consortium.sites[index].clone());
    for site in [&north, &south] {
        stage.consortium.make_node(site, 1).await.unwrap();
        let wish = PolicyWish::default();
        stage.consortium.install_policy(site, &stage.plan, &wish).await.unwrap();
        stage.consortium.ingest(site).await.unwrap();
    }
    stage.consortium.enrol(&north, &stage.hear).await.unwrap();
    stage.start_study().await;
    let run = |site: &Site| stage.consortium.run_node(site, "story", &stage.hear).unwrap();
    let first = run(&north);
    let rotated = stage
        .consortium
        .aggregator(&["ca", "rotate", "--reason", "yearly"])
        .await;
    let old = rotated.unwrap()["oldest"].as_str().unwrap().to_owned();
    // The study needs two sites, so north waits all the while.
    said_by(&mut stage, &north, "certificate_renewed").await;
    nobody_depends_on_the_oldest(&stage).await;
    let retire = ["ca", "retire", &old, "--reason", "everyone has the next"];
    stage.consortium.aggregator(&retire).await.unwrap();
    let said = said_by(&mut stage, &north, "disconnected").await;
    let reason = said["reason"].as_str().unwrap();
    assert!(reason.contains("the certificate was replaced"), "{reason}");

    is_taken_up(&stage, &north).await;
    stage.consortium.enrol(&south, &stage.hear).await.unwrap();
    let second = stage.consortium.run_node(&south, "story", &stage.hear).unwrap();
    let status = stage.wait_for_review().await;
    assert_whole(&status, 2);
    stage.release().await;
    ended(&mut [first, second]).await;
}
