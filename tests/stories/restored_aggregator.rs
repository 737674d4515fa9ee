//! An aggregator that was put back from a backup older than what its sites were shown: it could have forgotten on purpose, so they send it
//! nothing. The two ways out that its documents name: the ledger of since, and an aggregator with a ledger of its own.

use std::fs;

use serde_json::Value;
use snowball_protocol::StudyPlan;
use snowball_tests::{PolicyWish, Site, run, text};

use crate::stage::{Stage, ended};

const ROUNDS: u32 = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_aggregator_put_back_to_an_older_state_is_sent_nothing_until_its_ledger_is_newer_or_another() {
    let mut stage = Stage::set(1, ROUNDS, 70).await;
    stage.settle().await;
    stage.start_study().await;
    let site = stage.consortium.sites[0].clone();
    // Before anything came of the study: on a fast machine its rounds are over sooner than a backup is made.
    let older = stage.folder.path().join("older");
    let older = text(&older).unwrap();
    stage.consortium.aggregator(&["backup", "--out", older]).await.unwrap();
    let mut node = [stage.consortium.run_node(&site, "story", &stage.hear).unwrap()];
    stage.wait_for_review().await;
    stage.release().await;
    ended(&mut node).await;
    stage.aggregator.take().unwrap().kill().await.unwrap();
    let (home, lost) = (stage.consortium.aggregator_home(), stage.folder.path().join("lost"));
    fs::rename(&home, &lost).unwrap();

    // The backup alone: the node holds a later head, and ends without sending an update.
    let restored = stage.consortium.aggregator(&["restore", older]).await.unwrap();
    assert_eq!(restored["noted"], true, "{restored}");
    serve(&mut stage).await;
    let approved = entries(&stage, &site, "update_approved").await;
    let program = &stage.consortium.programs.node;
    let refused = run(program, &site.home, &["run", "--until-done", "story"])
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && said.contains("contradicts the one kept before"),
        "{said}"
    );
    assert_eq!(entries(&stage, &site, "head_refused").await, 1);
    assert_eq!(entries(&stage, &site, "update_approved").await, approved);
    stage.aggregator.take().unwrap().end().await.unwrap();

    // With the ledger of since it is trusted again. The study that was under way is not what the ledger says of it, so it ends.
    fs::remove_dir_all(&home).unwrap();
    let since = lost.join("ledger");
    let with_ledger = ["restore", older, "--ledger", text(&since).unwrap()];
    let restored = stage.consortium.aggregator(&with_ledger).await.unwrap();
    assert!(restored["ledger_entries"].as_u64() > restored["about"]["ledger_entries"].as_u64());
    serve(&mut stage).await;
    let abort = [
        "study",
        "abort",
        "story",
        "--reason",
        "its rounds since the backup are lost",
    ];
    stage.consortium.aggregator(&abort).await.unwrap();
    studied(&stage, &site, "after-the-ledger").await;
    stage.consortium.aggregator(&["ledger", "verify"]).await.unwrap();
    // What it signed while it had forgotten stays with the site, as proof of a second history.
    let kept = site.home.join("ledger");
    let heads = ["ledger", "verify", "--heads", text(&kept).unwrap()];
    let program = &stage.consortium.programs.aggregator;
    let verified = run(program, &home, &heads).await.unwrap();
    assert_eq!(verified.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&verified.stdout).contains("forked"));
    stage.aggregator.take().unwrap().end().await.unwrap();

    // Without it: an aggregator of its own, at which the site enrols anew.
    fs::remove_dir_all(&home).unwrap();
    stage.consortium.found(stage.port).await.unwrap();
    serve(&mut stage).await;
    stage.consortium.enrol(&site, &stage.hear).await.unwrap();
    studied(&stage, &site, "anew").await;
    stage.consortium.node(&site, &["ledger", "verify"]).await.unwrap();
    stage.aggregator.take().unwrap().end().await.unwrap();
}

async fn serve(stage: &mut Stage) {
    stage.aggregator = Some(stage.consortium.serve(stage.port, &stage.hear).await.unwrap());
}

/// A study of another name, from the board's word to its review.
async fn studied(stage: &Stage, site: &Site, name: &str) {
    let plan = StudyPlan {
        study: name.parse().unwrap(),
        ..stage.plan.clone()
    };
    let file = stage.folder.path().join(format!("{name}.toml"));
    fs::write(&file, toml::to_string(&plan).unwrap()).unwrap();
    stage
        .consortium
        .install_policy(site, &plan, &PolicyWish::default())
        .await
        .unwrap();
    let ask = async |words: &[&str]| stage.consortium.aggregator(words).await.unwrap();
    ask(&["study", "create", text(&file).unwrap()]).await;
    ask(&["study", "start", name]).await;
    let node = stage.consortium.run_node(site, name, &stage.hear).unwrap();
    for _ in 0..600 {
        let status = ask(&["study", "status", name]).await;
        let evaluated = status["final"]["evaluated"].as_array().map_or(0, Vec::len);
        if status["phase"] == "reviewing" && evaluated == 1 {
            assert_eq!(
                status["rounds"].as_array().map_or(0, Vec::len),
                ROUNDS as usize,
                "{status}"
            );
            return node.end().await.unwrap();
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("{name} does not come to its review\n{}", stage.logs());
}

/// How many entries of a kind the site's ledger holds.
async fn entries(stage: &Stage, site: &Site, kind: &str) -> usize {
    let program = &stage.consortium.programs.node;
    let words = ["ledger", "show", "--kind", kind];
    let shown = run(program, &site.home, &words).await.unwrap();
    let lines = String::from_utf8_lossy(&shown.stdout).into_owned();
    lines
        .lines()
        .filter(|line| serde_json::from_str::<Value>(line).is_ok())
        .count()
}
