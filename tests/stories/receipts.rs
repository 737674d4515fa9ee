//! Receipts of a real study: kept, told, exported, and verified by a stranger who has one file and one key.

use serde_json::Value;
use snowball_tests::run;

use crate::{
    renewal::said_by,
    stage::{Stage, ended},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_verifies_a_receipt_with_one_file_and_one_key() {
    let stage = Stage::set(2, 3, 40).await;
    stage.settle().await;
    stage.start_study().await;
    let mut nodes = stage.run_nodes();
    let status = stage.wait_for_review().await;
    stage.release().await;
    ended(&mut nodes).await;
    let site = &stage.consortium.sites[0];

    let list = stage.consortium.node(site, &["receipts", "list"]).await.unwrap();
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), 3, "{list:?}");
    // Each round's model is the one that the next starts from, and the last one's is what the study ends with.
    for (earlier, later) in list.iter().zip(&list[1..]) {
        assert_eq!(
            earlier["outcome"]["outcome"]["model_out"],
            later["receipt"]["receipt"]["model_in"]
        );
    }
    for (kept, round) in list.iter().zip(status["rounds"].as_array().unwrap()) {
        assert_eq!(kept["receipt"]["receipt"]["round"], round["round"], "{round}");
        assert_eq!(kept["outcome"]["outcome"]["contributions"], 2);
        let own = &kept["own"];
        assert!(
            own["accepted"].as_u64() > Some(0) && own["trained_on"].as_u64() > Some(0),
            "{own}"
        );
        assert_eq!(own["is_the_named_entry"], true);
    }
    let last = std::fs::read(site.home.join("models/story-federated.f32")).unwrap();
    let last = snowball_protocol::Sha256Digest::of(&last).to_string();
    assert_eq!(list[2]["outcome"]["outcome"]["model_out"], last);

    let all = stage.consortium.node(site, &["receipts", "verify"]).await.unwrap();
    assert_eq!(
        (&all["receipts"], &all["outcomes"]),
        (&Value::from(3), &Value::from(3)),
        "{all}"
    );

    let file = stage.folder.path().join("receipt.json");
    let words = ["receipts", "show", "story", "2", "--export", file.to_str().unwrap()];
    stage.consortium.node(site, &words).await.unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        !text.contains("accepted") && !text.contains("excluded"),
        "the site's own numbers stay: {text}"
    );
    let key = std::fs::read_to_string(stage.consortium.aggregator_home().join("ledger.pub")).unwrap();
    let (node, nowhere) = (&stage.consortium.programs.node, stage.folder.path().join("no-node"));
    let verify = ["receipts", "verify", file.to_str().unwrap(), "--key", key.trim()];
    let output = run(node, &nowhere, &verify).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["outcome"]["model_out"], list[1]["outcome"]["outcome"]["model_out"]);

    let other = std::fs::read_to_string(site.home.join("ledger.pub")).unwrap();
    let wrong = ["receipts", "verify", file.to_str().unwrap(), "--key", other.trim()];
    assert_eq!(
        run(node, &nowhere, &wrong).await.unwrap().status.code(),
        Some(3),
        "another key"
    );
    let examples = list[1]["receipt"]["receipt"]["examples"].as_u64().unwrap();
    let changed = text.replacen(
        &format!("\"examples\": {examples}"),
        &format!("\"examples\": {}", examples + 1),
        1,
    );
    assert_ne!(changed, text);
    std::fs::write(&file, changed).unwrap();
    let output = run(node, &nowhere, &verify).await.unwrap();
    assert_eq!(
        output.status.code(),
        Some(3),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(!nowhere.exists(), "a check without a node makes none");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_off_when_its_study_ended_still_gets_the_outcome_of_the_last_round() {
    let mut stage = Stage::set_with(2, 1, 24, 0.0, |plan| {
        plan.rounds.updates.min = 1;
        // The round waits for the other site long enough for the node to be gone before its end.
        plan.rounds.collect_seconds.max = 15;
        plan.rounds.review_seconds_max = 1;
    })
    .await;
    stage.settle().await;
    stage.start_study().await;
    let [north, south] = [0, 1].map(|place| stage.consortium.sites[place].clone());
    let leaving = stage.consortium.run_node(&south, "story", &stage.hear).unwrap();
    said_by(&mut stage, &south, "connected").await;
    stage
        .wait("south has joined", |status| {
            status["sites"].to_string().contains(south.name.as_str())
        })
        .await;
    leaving.kill().await.unwrap();
    let node = stage.consortium.run_node(&north, "story", &stage.hear).unwrap();
    said_by(&mut stage, &north, "contributed").await;
    node.kill().await.unwrap();
    let before = stage.consortium.node(&north, &["receipts", "list"]).await.unwrap();
    assert_eq!(
        (before.as_array().unwrap().len(), &before[0]["outcome"]),
        (1, &Value::Null)
    );

    stage.wait("the review", |status| status["phase"] == "reviewing").await;
    let out = stage.folder.path().join("release");
    for tries in 0.. {
        let words = ["release", "create", "story", "--out", out.to_str().unwrap()];
        match stage.consortium.aggregator(&words).await {
            Ok(_) => break,
            Err(fault) => assert!(tries < 100, "{fault:#}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }

    for _ in 0..2 {
        let mut node = [stage.consortium.run_node(&north, "story", &stage.hear).unwrap()];
        ended(&mut node).await;
        let kept = stage.consortium.node(&north, &["receipts", "list"]).await.unwrap();
        let (receipt, outcome) = (&kept[0]["receipt"]["receipt"], &kept[0]["outcome"]["outcome"]);
        assert_eq!(
            (&outcome["model_in"], &outcome["round"]),
            (&receipt["model_in"], &Value::from(1))
        );
        let verified = stage.consortium.node(&north, &["receipts", "verify"]).await.unwrap();
        assert_eq!(verified["outcomes"], 1, "{verified}");
        let ledger = stage.consortium.node(&north, &["ledger", "verify"]).await.unwrap();
        assert_eq!(
            ledger["kinds"]["round_outcome_kept"], 1,
            "kept once, whenever the node starts"
        );
    }
}
