//! A power cut at a hospital and at the aggregator, in mid-round: both resume, and the final model is bit for bit the one of
//! the undisturbed run, also where updates leave something over for the next ones.

use std::{path::Path, time::Duration};

use snowball_protocol::{
    Sha256Digest, StudyPlan,
    plan::{Drift, KeptRole, OptimiserRule, UpdateEncoding},
};
use snowball_tests::Running;

use crate::stage::{Stage, ended};

const ROUNDS: u32 = 3;

async fn stage(change: fn(&mut StudyPlan)) -> Stage {
    let stage = Stage::set_with(2, ROUNDS, 70, 0.0, |plan| {
        plan.local.steps = 12;
        change(plan);
    })
    .await;
    stage.settle().await;
    stage.start_study().await;
    stage
}

fn final_model(release: &Path) -> Sha256Digest {
    Sha256Digest::of(&std::fs::read(release.join("model.safetensors")).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_in_mid_round_change_nothing_in_the_model() {
    kills_change_nothing(|_| {}).await;
}

/// The model depends on what each site kept after each round: one training that counts twice for it, or not at all, would show.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_in_mid_round_change_nothing_in_the_model_nor_in_what_the_sites_keep() {
    kills_change_nothing(|plan| plan.local.keep = vec![KeptRole::Normalisation]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_in_mid_round_neither_lose_nor_double_what_updates_left_over() {
    kills_change_nothing(|plan| plan.transfer.encoding = UpdateEncoding::TopK { share: 0.05 }).await;
}

/// Under SCAFFOLD each step depends on what the sites and the aggregator kept of the rounds before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_in_mid_round_change_nothing_where_drift_is_corrected() {
    kills_change_nothing(|plan| {
        plan.optimiser.rule = OptimiserRule::Sgd { momentum: 0.0 };
        plan.optimiser.learning_rate = 0.05;
        plan.local.drift = Some(Drift::Scaffold);
        plan.local.keep = vec![KeptRole::Normalisation];
    })
    .await;
}

async fn kills_change_nothing(change: fn(&mut StudyPlan)) {
    let calm = stage(change).await;
    let mut nodes = calm.run_nodes();
    calm.wait_for_review().await;
    let expected = final_model(&calm.release().await);
    ended(&mut nodes).await;

    let mut stormy = stage(change).await;
    // The same radiographs get other pseudonyms in another home, so the sites' secrets are those of the calm run.
    let (first, second) = (stormy.consortium.sites[0].clone(), stormy.consortium.sites[1].clone());
    for (site, old) in [
        (&first, &calm.consortium.sites[0]),
        (&second, &calm.consortium.sites[1]),
    ] {
        copy_store(&old.home, &site.home);
    }
    let mut north = stormy.consortium.run_node(&first, "story", &stormy.hear).unwrap();
    let mut south = stormy.consortium.run_node(&second, "story", &stormy.hear).unwrap();

    until_training(&mut stormy, first.name.as_str(), 1).await;
    north.kill().await.unwrap();
    north = stormy.consortium.run_node(&first, "story", &stormy.hear).unwrap();

    until_training(&mut stormy, second.name.as_str(), 2).await;
    stormy.aggregator.take().unwrap().kill().await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let restarted: Running = stormy.consortium.serve(stormy.port, &stormy.hear).await.unwrap();
    stormy.aggregator = Some(restarted);

    until_training(&mut stormy, second.name.as_str(), 3).await;
    south.kill().await.unwrap();
    south = stormy.consortium.run_node(&second, "story", &stormy.hear).unwrap();

    let status = stormy.wait_for_review().await;
    for round in status["rounds"].as_array().unwrap() {
        assert_eq!(
            round["contributions"].as_array().unwrap().len(),
            2,
            "each site counts once: {round}"
        );
    }
    let found = final_model(&stormy.release().await);
    ended(&mut [north, south]).await;
    assert_eq!(found, expected, "the model of the disturbed run");
    let is_kept = !stormy.plan.local.keep.is_empty();
    for (stormy, calm) in stormy.consortium.sites.iter().zip(&calm.consortium.sites) {
        let own = |home: &Path| std::fs::read(home.join("kept/story/settled")).ok();
        assert_eq!(own(&stormy.home), own(&calm.home), "what {} keeps", stormy.name);
        assert_eq!(own(&stormy.home).is_some(), is_kept);
        assert!(!stormy.home.join("kept/story/pending").exists());
    }
    for site in &stormy.consortium.sites {
        stormy.consortium.node(site, &["ledger", "verify"]).await.unwrap();
    }
    stormy.aggregator.take().unwrap().end().await.unwrap();
    stormy.consortium.aggregator(&["ledger", "verify"]).await.unwrap();
}

/// Waits until a node says that it trains for this round.
async fn until_training(stage: &mut Stage, who: &str, round: u64) {
    let wait = async {
        while let Some(said) = stage.heard.recv().await {
            if said.who == who && said.what["event"] == "training" && said.what["round"].as_u64() >= Some(round) {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(90), wait)
        .await
        .expect("the node trains");
}

/// Gives a site the store of another run, so that both train on the same pseudonyms, parts and pixels.
pub fn copy_store(from: &Path, to: &Path) {
    std::fs::remove_dir_all(to.join("store")).unwrap();
    let status = std::process::Command::new("cp")
        .arg("-a")
        .arg(from.join("store"))
        .arg(to.join("store"))
        .status()
        .unwrap();
    assert!(status.success());
    std::fs::copy(from.join("keys/site.secret"), to.join("keys/site.secret")).unwrap();
}
