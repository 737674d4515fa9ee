//! A hospital whose machine stops with the aggregator's answer under way and comes back when the study is over: its receipt is asked for
//! then, and where there is none the ledger says so.

use std::time::Duration;

use serde_json::{Value, json};
use snowball_layout::Layout;
use snowball_ledger::Entry;
use snowball_protocol::{RoundNumber, Sha256Digest, plan::canonical_json, update::UpdateHeader};
use snowball_tests::Site;

use crate::{peer::Peer, stage::Stage};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_that_was_never_heard_is_asked_for_after_the_end_of_the_study() {
    let stage = Stage::set_with(2, 1, 24, 0.0, |plan| plan.rounds.review_seconds_max = 1).await;
    stage.settle().await;
    stage.start_study().await;
    let [north, south] = &stage.consortium.sites[..] else {
        panic!("two sites")
    };
    let node = stage.consortium.run_node(north, "story", &stage.hear).unwrap();

    // The other one is played up to the moment in which its machine stops: the update lies in the outbox and counts.
    let plan = &stage.plan;
    let mut peer = Peer::of(south, stage.port, 1);
    peer.until_open(plan).await;
    peer.join(plan).await;
    let model = peer.model(plan, 1).await;
    let (mut header, bytes) = Peer::update(plan, &model, 1, &vec![1e-4; Layout::of(plan).parameters()]);
    let record = peer.record(Entry::UpdateApproved {
        study: plan.study.clone(),
        round: header.round,
        attempt: header.attempt,
        update_digest: header.digest,
        bytes: header.bytes,
        clause: "release.allowed".to_owned(),
        policy_digest: header.policy_digest,
    });
    (header.ledger_index, header.ledger_head) = (record.index, record.hash);
    peer.show_head().await;
    wait_in_outbox(south, &header, &bytes);
    let given = peer.send(&header, &bytes).await.unwrap();
    drop(peer);
    // One that never arrived.
    let mut lost = header.clone();
    (lost.round, lost.digest) = (RoundNumber(2), Sha256Digest::of(b"lost"));
    wait_in_outbox(south, &lost, b"lost");

    let out = stage.folder.path().join("release");
    let words = ["release", "create", "story", "--out", out.to_str().unwrap()];
    let mut tries = 0;
    while let Err(fault) = stage.consortium.aggregator(&words).await {
        assert!(tries < 600, "{fault:#}\n{}", stage.logs());
        tries += 1;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    node.end().await.unwrap();

    // It comes back, twice: what it heard is not asked for again.
    for time in ["first", "second"] {
        let log = stage.consortium.log(time);
        let back = stage
            .consortium
            .start_node(time, south, &["run"], &log, &stage.hear)
            .unwrap();
        let said = until_heard(&stage, south).await;
        assert_eq!(said["update_digest"], lost.digest.to_string());
        if time == "second" {
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        back.end().await.unwrap();
    }
    let receipts = stage.consortium.node(south, &["receipts", "list"]).await.unwrap();
    assert_eq!(receipts.as_array().unwrap().len(), 1, "{receipts}");
    assert_eq!(receipts[0]["receipt"], serde_json::to_value(&given).unwrap());
    assert_ne!(
        receipts[0]["outcome"],
        Value::Null,
        "what came of its round is kept, too"
    );
    let waiting = std::fs::read_dir(south.home.join("outbox")).unwrap().count();
    assert_eq!(waiting, 0, "nothing waits any more");
    stage.consortium.node(south, &["ledger", "verify"]).await.unwrap();
    stage.consortium.node(south, &["receipts", "verify"]).await.unwrap();
}

/// As a node leaves it before the first byte is sent.
fn wait_in_outbox(site: &Site, header: &UpdateHeader, bytes: &[u8]) {
    let folder = site.home.join("outbox");
    std::fs::create_dir_all(&folder).unwrap();
    let name = format!("{}-{}", header.study, header.round);
    let pending = json!({
        "header": header, "training_patients": 20, "training_images": 20, "class_cells_min": 20,
    });
    std::fs::write(folder.join(format!("{name}.update")), bytes).unwrap();
    std::fs::write(folder.join(format!("{name}.json")), canonical_json(&pending)).unwrap();
}

/// The one entry that says that a receipt can no longer be had.
async fn until_heard(stage: &Stage, site: &Site) -> Value {
    for _ in 0..300 {
        let words = ["ledger", "show", "--kind", "receipt_not_had"];
        // One record a line; of two it would be no document.
        if let Ok(shown) = stage.consortium.node(site, &words).await
            && shown["entry"]["entry"] == "receipt_not_had"
        {
            return shown["entry"].clone();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("nothing was said of it\n{}", stage.logs());
}
