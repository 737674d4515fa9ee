//! Receipts of a real study: kept, told, exported, and verified by a stranger who has one file and one key.

use serde_json::Value;
use snowball_tests::run;

use crate::stage::{Stage, ended};

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
