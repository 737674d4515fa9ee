//! Heads of ledgers, exchanged through the whole program: what is kept of each side's, and what becomes of one that contradicts another.

use serde_json::{Value, json};
use snowball_crypto::SigningKey;
use snowball_ledger::{AGGREGATOR, SignedHead};
use snowball_protocol::{ProblemCode, Sha256Digest, heads::HeadsAnswer};
use snowball_registry::{KeptHead, Registry};

use crate::{
    home::Home,
    story::{Client, Running, command, enrol, head, init},
};

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
