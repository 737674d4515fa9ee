//! A review that ends while a hospital still evaluates: its word comes too late, and it follows the study to the end all the same.

use std::{path::PathBuf, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use snowball_tests::{Running, Site};

use crate::{
    audit::{both_auditors_find_nothing, export, write_keys},
    renewal::said_by,
    stage::{Stage, ended},
};

/// Stops the first site's node when it has contributed and its trainer runs again, on the final model.
async fn held_in_its_evaluation(stage: &mut Stage, nodes: &[Running]) -> (Site, Pid) {
    let site = stage.consortium.sites[0].clone();
    said_by(stage, &site, "contributed").await;
    let node = nodes[0].id().unwrap();
    until_it_has_a_child(node).await;
    let node = Pid::from_raw(i32::try_from(node).unwrap());
    kill(node, Signal::SIGSTOP).unwrap();
    (site, node)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_evaluates_past_the_end_of_the_review_ends_well() {
    let mut stage = Stage::set_with(2, 1, 24, 0.0, |plan| plan.rounds.review_seconds_max = 1).await;
    stage.settle().await;
    stage.start_study().await;
    let mut nodes = stage.run_nodes();
    let (site, node) = held_in_its_evaluation(&mut stage, &nodes).await;

    let out = stage.folder.path().join("release");
    let words = ["release", "create", "story", "--out", out.to_str().unwrap()];
    let mut tries = 0;
    while let Err(fault) = stage.consortium.aggregator(&words).await {
        assert!(tries < 300, "{fault:#}\n{}", stage.logs());
        tries += 1;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // The other node hears of the end when the aggregator that serves has taken over what the command line did.
    let other = stage.consortium.sites[1].clone();
    said_by(&mut stage, &other, "finished").await;
    kill(node, Signal::SIGCONT).unwrap();

    let said = said_by(&mut stage, &site, "not_evaluated").await;
    assert!(
        said["reason"].as_str().is_some_and(|reason| !reason.is_empty()),
        "{said}"
    );
    ended(&mut nodes).await;
    let federated = stage.consortium.node(&site, &["receipts", "list"]).await.unwrap();
    assert_ne!(federated[0]["outcome"], serde_json::Value::Null, "the outcome is kept");
    // What it sent was refused, and that is no finding.
    both_auditors_find_nothing(&stage).await;
}

/// One hospital exports before it has evaluated, the aggregator when it has taken the evaluation in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evidence_that_parties_export_at_different_moments_of_a_review_is_sound() {
    let mut stage = Stage::set(2, 1, 24).await;
    stage.settle().await;
    stage.start_study().await;
    let mut nodes = stage.run_nodes();
    let (site, node) = held_in_its_evaluation(&mut stage, &nodes).await;
    stage.wait("the review", |status| status["phase"] == "reviewing").await;
    let early = stage.folder.path().join("early");
    let words = ["audit", "export", early.to_str().unwrap()];
    stage.consortium.node(&site, &words).await.unwrap();
    kill(node, Signal::SIGCONT).unwrap();
    stage.wait_for_review().await;

    let root = stage.folder.path().join("evidence");
    let mut folders = export(&stage, &root).await;
    let late = folders.iter_mut().find(|folder| folder.ends_with(site.name.as_str()));
    *late.unwrap() = early;
    let keys = write_keys(&stage);
    let audit = |folders: &[PathBuf]| {
        snowball_audit::audit(
            folders,
            &snowball_audit::Keys::parse(&std::fs::read_to_string(&keys).unwrap()).unwrap(),
        )
    };
    let outcome = audit(&folders);
    assert!(outcome.sound, "{outcome:#?}");
    assert_eq!(outcome.reviews.len(), 1, "{outcome:#?}");
    assert!(
        outcome.not_judged > 0,
        "the evaluation, and the heads that came with it: {outcome:#?}"
    );
    stage.release().await;
    ended(&mut nodes).await;
    // The review is over, and what was exported before the evaluation does not do any more.
    let aggregator = stage.folder.path().join("aggregator-after");
    let words = ["audit", "export", aggregator.to_str().unwrap()];
    stage.consortium.aggregator(&words).await.unwrap();
    folders[0] = aggregator;
    assert!(!audit(&folders).sound);
}

/// After its last update a node starts a program only to evaluate.
async fn until_it_has_a_child(process: u32) {
    let has_child = || {
        std::fs::read_dir(format!("/proc/{process}/task"))
            .unwrap()
            .flatten()
            .any(|task| std::fs::read_to_string(task.path().join("children")).is_ok_and(|list| !list.is_empty()))
    };
    let appears = async {
        while !has_child() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), appears)
        .await
        .expect("the node evaluates");
}
