//! One CA after another: by agreement of all sites, and at once when its key was stolen.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};
use snowball_ledger::Entry;
use snowball_protocol::{
    authorities::{AuthoritiesKept, SignedAuthorities, TrustedAuthorities},
    session::StudySummary,
};
use snowball_service::tls;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{sleep, timeout},
};

use super::{Open, PATIENCE, client_of, enrolled, entries, renewed, shown};
use crate::{
    authorities::Authorities,
    authority, cli,
    home::Home,
    story::{Client, Running, command, enrol, init},
};

#[tokio::test(flavor = "multi_thread")]
async fn one_ca_follows_another_without_cutting_off_whoever_took_it_over() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("home");
    init(&dir).await;
    let running = Running::start(&dir).await;
    let old = enrol(&dir, running.port, "north").await.0;
    let north = Client::new(old.clone(), running.port);
    let south = enrolled(&dir, running.port, "south").await;
    let refused = async |words: &[&str]| {
        let words = [&["--home", dir.to_str().unwrap()], words].concat();
        match cli::command(&words).await {
            Err(error) => format!("{error:#}"),
            Ok(answer) => panic!("{words:?} was not refused: {}", answer.text),
        }
    };
    let list: SignedAuthorities = north.get("/v1/authorities").await;
    assert_eq!((list.authorities.number, list.confirmed.len()), (1, 0));
    let first = Home::at(&dir)
        .authorities()
        .unwrap()
        .serving()
        .fingerprint()
        .to_string();
    assert!(
        refused(&["ca", "retire", &first, "--reason", "x"])
            .await
            .contains("only CA")
    );

    command(&dir, &["ca", "rotate", "--reason", "the yearly one"]).await;
    let list = wait_for_list(&north, 2).await;
    let key = Home::at(&dir).signing_key().unwrap().verifying_key();
    let signed = list.authorities.signed_bytes();
    assert!(key.verify(&signed, &list.signature.parse().unwrap()).is_ok());
    let forged = TrustedAuthorities {
        number: 3,
        ..list.authorities.clone()
    };
    assert!(
        key.verify(&forged.signed_bytes(), &list.signature.parse().unwrap())
            .is_err()
    );
    // Whoever knows the old CA only goes on; a certificate of the next one is let in as well.
    assert!(north.get::<Vec<StudySummary>>("/v1/studies").await.is_empty());
    let (pem, key_pem) = renewed(&north, "north").await;
    assert!(tls::is_issued_by(&pem, &list.authorities.certificates_pem[1]).unwrap());
    let renewed_north = client_of(&dir, &pem, &key_pem, running.port);
    assert!(renewed_north.get::<Vec<StudySummary>>("/v1/studies").await.is_empty());
    // Who enrols now pins the old one, which signs the server, and gets both.
    let third = enrolled(&dir, running.port, "west").await;
    assert!(third.get::<Vec<StudySummary>>("/v1/studies").await.is_empty());

    let kept = AuthoritiesKept {
        fingerprints: tls::authority_fingerprints(&list.authorities).unwrap(),
    };
    for client in [&renewed_north, &third] {
        client.post::<AuthoritiesKept>("/v1/authorities", &kept).await;
    }
    let said = refused(&["ca", "retire", &first, "--reason", "done"]).await;
    assert!(
        said.contains("sites without the next CA: south") && !said.contains("north"),
        "{said}"
    );
    let (pem, key_pem) = renewed(&south, "south").await;
    let said = refused(&["ca", "retire", &first, "--reason", "done"]).await;
    assert!(said.contains("south"), "a certificate alone is not enough: {said}");
    south.post::<AuthoritiesKept>("/v1/authorities", &kept).await;
    let said = refused(&["ca", "retire", &first, "--reason", "done"]).await;
    assert!(said.contains("south"), "it may never have arrived: {said}");
    let renewed_south = client_of(&dir, &pem, &key_pem, running.port);
    renewed_south.post::<AuthoritiesKept>("/v1/authorities", &kept).await;
    command(&dir, &["invite", "--site", "east"]).await;
    let said = refused(&["ca", "retire", &first, "--reason", "done"]).await;
    assert!(said.contains("unused invitations: east"), "{said}");
    // What is open under the old CA's certificates ends with it.
    let listed = command(&dir, &["ca", "list"]).await;
    assert_eq!(listed["authorities"][0]["unused_invitations"], json!(["east"]));
    assert_eq!(listed["authorities"][0]["dependent_sites"], json!([]));
    let retired = command(&dir, &["ca", "retire", &first, "--reason", "done", "--force"]).await;
    assert_eq!(retired["cut_off"], json!([]));
    let list = wait_for_list(&renewed_north, 3).await;
    assert_eq!(list.authorities.certificates_pem.len(), 1);
    assert!(renewed_south.get::<Vec<StudySummary>>("/v1/studies").await.is_empty());
    // The old certificate, and a node that trusts the old CA alone, get nowhere.
    assert!(is_turned_away(&Client::new(old, running.port)).await);
    let home = Home::at(&dir);
    assert_eq!(home.authorities().unwrap().all().len(), 1);
    running.stop().await;
    let kinds: Vec<_> = entries(&dir).await.iter().map(Entry::kind).collect();
    let count = |kind: &str| kinds.iter().filter(|found| **found == kind).count();
    assert_eq!((count("authority_added"), count("authority_retired")), (1, 1));
    assert_eq!(count("server_certificate_renewed"), 1);
    command(&dir, &["sites"]).await;
}

async fn wait_for_list(client: &Client, number: u64) -> SignedAuthorities {
    let wait = async {
        loop {
            // While the server's certificate changes its CA, a client is let in with one or the other.
            if client.connect().await.is_ok() {
                let list: SignedAuthorities = client.get("/v1/authorities").await;
                if list.authorities.number == number {
                    return list;
                }
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, wait).await.expect("the next list")
}

/// TLS 1.3 refuses a client's certificate behind the client's back: so a byte is asked for.
async fn is_turned_away(client: &Client) -> bool {
    let Ok(mut stream) = client.connect().await else {
        return true;
    };
    let asked = stream
        .write_all(b"GET /v1/health HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await;
    asked.is_err() || !matches!(stream.read(&mut [0; 16]).await, Ok(count) if count > 0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ca_whose_key_was_stolen_is_retired_at_once_by_force() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("home");
    init(&dir).await;
    let running = Running::start(&dir).await;
    let north = enrolled(&dir, running.port, "north").await;
    let mut open = Open::begin(&north, "GET", "/v1/studies", 0).await;
    assert_eq!(open.status().await, 200);
    let first = Home::at(&dir)
        .authorities()
        .unwrap()
        .serving()
        .fingerprint()
        .to_string();
    command(&dir, &["ca", "rotate", "--reason", "stolen"]).await;
    let retired = command(&dir, &["ca", "retire", &first, "--reason", "stolen", "--force"]).await;
    assert_eq!(retired["cut_off"], json!(["north"]));
    // Also on the connection that is open.
    open.write(b"GET /v1/studies HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert_eq!(open.status().await, 403);
    // The site comes back by a new invitation, which pins the next CA.
    wait_for_pin(&dir, running.port).await;
    let back = enrolled(&dir, running.port, "north").await;
    assert!(back.get::<Vec<StudySummary>>("/v1/studies").await.is_empty());
    let doctor = cli::command(&["--home", dir.to_str().unwrap(), "doctor"])
        .await
        .unwrap();
    let findings = doctor.json["findings"].as_array().unwrap().clone();
    let certificates: Vec<&Value> = findings
        .iter()
        .filter(|found| ["A103", "A104"].map(Value::from).contains(&found["code"]))
        .collect();
    assert!(
        certificates.len() == 2 && certificates.iter().all(|found| found["state"] == "good"),
        "{certificates:?}"
    );
    running.stop().await;
}

/// Until the server shows a certificate of the CA that invitations pin now.
async fn wait_for_pin(dir: &Path, port: u16) {
    let authorities: Authorities = Home::at(dir).authorities().unwrap();
    let stranger = Client::new(tls::pinned_client(authorities.serving().fingerprint()).unwrap(), port);
    let wait = async {
        while stranger.connect().await.is_err() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, wait).await.expect("the next CA's certificate");
    let pem = std::fs::read_to_string(Home::at(dir).server_file()).unwrap();
    assert_eq!(authority::serial(&pem).unwrap(), shown(&stranger).await);
}
