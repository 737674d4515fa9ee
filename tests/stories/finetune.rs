//! A release learns on at a site: its signature is looked at, its trunk stays where only the heads learn, and the chain of parents is kept.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use snowball_layout::Layout;
use snowball_protocol::{Sha256Digest, StudyPlan, labels::LabelName};
use snowball_tests::{PolicyWish, run};

use crate::{learning::opens_in_pytorch, stage::Stage};

/// A plan for another study with one head of the story's, permitted by the first site's board.
async fn another_study(stage: &Stage, name: &str) -> (StudyPlan, String) {
    let mut plan = stage.plan.clone();
    plan.study = name.parse().unwrap();
    plan.heads.retain(|head| head.label == LabelName::Age);
    let file = stage.folder.path().join(format!("{name}.toml"));
    std::fs::write(&file, toml::to_string(&plan).unwrap()).unwrap();
    let site = &stage.consortium.sites[0];
    let wish = PolicyWish::default();
    stage.consortium.install_policy(site, &plan, &wish).await.unwrap();
    (plan, file.to_str().unwrap().to_owned())
}

fn trunk(plan: &StudyPlan, bytes: &[u8]) -> Vec<u8> {
    let layout = Layout::of(plan);
    let tensors = layout.tensors.iter().filter(|tensor| tensor.stage().is_some());
    let all: usize = tensors.map(snowball_layout::Tensor::values).sum();
    bytes[..4 * all].to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_learns_on_and_the_chain_of_its_children_is_known() {
    let stage = Stage::set(2, 2, 120).await;
    let (_, release) = stage.through().await;

    let site = stage.consortium.sites[0].clone();
    let from = release.to_str().unwrap();
    let lineage: Value = serde_json::from_slice(&std::fs::read(release.join("lineage.json")).unwrap()).unwrap();
    let key = lineage["aggregator_key"].as_str().unwrap();
    let (ages, file) = another_study(&stage, "ages").await;
    let words = [
        "finetune",
        "--plan",
        file.as_str(),
        "--from",
        from,
        "--steps",
        "4",
        "--head-only",
        "--key",
    ];
    let program = stage.consortium.programs.node.clone();
    let strange = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    let refused = run(&program, &site.home, &[&words[..], &[strange]].concat())
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(3), "{said}");
    assert!(said.contains("is not signed by the key"), "{said}");
    assert!(!site.home.join("models/ages-local.f32").exists());

    let told = stage
        .consortium
        .node(&site, &[&words[..], &[key]].concat())
        .await
        .unwrap();
    assert_eq!(told["from"][0]["signature"]["holds"]["key"], key, "{told}");
    assert_eq!(told["from"][0]["model"], lineage["model_digest"]);
    let model = std::fs::read(site.home.join("models/ages-local.f32")).unwrap();
    let federated = std::fs::read(site.home.join("models/story-federated.f32")).unwrap();
    assert_eq!(
        trunk(&ages, &model),
        trunk(&stage.plan, &federated),
        "the trunk is the release's"
    );

    // Without a key it is used, and said to be unchecked.
    let unchecked = run(&program, &site.home, &words[..words.len() - 1]).await.unwrap();
    let said = String::from_utf8_lossy(&unchecked.stderr).into_owned();
    assert!(unchecked.status.success() && said.contains("NOT checked"), "{said}");

    // A chain: the next study learns on from that model, whole, and names both as its parents.
    let before = std::fs::read(site.home.join("models/ages-local.f32")).unwrap();
    let (_, file) = another_study(&stage, "old-ages").await;
    let words = [
        "finetune",
        "--plan",
        file.as_str(),
        "--from",
        "local:ages",
        "--steps",
        "6",
        "--labels",
        "20",
        "--patience",
        "2",
        "--keep-heads",
    ];
    let told = stage.consortium.node(&site, &words).await.unwrap();
    assert_eq!(told["examples"], 20, "{told}");
    assert_eq!(told["heads_kept"][0], "age", "{told}");
    assert!(told["best_step"].as_u64().unwrap() >= 1);
    let record = std::fs::read(site.home.join("models/old-ages-local.json")).unwrap();
    let record: Value = serde_json::from_slice(&record).unwrap();
    assert_eq!(record["parents"][0]["digest"], Sha256Digest::of(&before).to_string());
    assert_eq!(record["parents"][1]["model"], lineage["model_digest"]);
    let model = std::fs::read(site.home.join("models/old-ages-local.f32")).unwrap();
    assert_eq!(record["model"], Sha256Digest::of(&model).to_string());

    // What was trained here opens elsewhere as a release does, and says where it comes from.
    let taken = stage.folder.path().join("taken");
    let words = ["export", "local:old-ages", "--out", taken.to_str().unwrap()];
    let told = stage.consortium.node(&site, &words).await.unwrap();
    assert_eq!(told["model_digest"], Sha256Digest::of(&model).to_string());
    opens_in_pytorch(&taken, &["age"]);
    let history = std::fs::read(taken.join("history.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&history).unwrap(), record);
    assert_eq!(std::fs::metadata(&taken).unwrap().permissions().mode() & 0o777, 0o700);
    let again = run(&program, &site.home, &words).await.unwrap();
    assert!(!again.status.success(), "nothing is written over");
    let nowhere = stage.folder.path().join("nowhere");
    let words = ["export", "local:ages", "--out", nowhere.to_str().unwrap()];
    let denied = run(&program, &site.home, &words).await.unwrap();
    assert_eq!(
        denied.status.code(),
        Some(3),
        "the board's policy of today knows old-ages alone"
    );
    assert!(!nowhere.exists());

    // Files that are not those of the lineage are not used, key or not.
    let file_of_model = release.join("model.safetensors");
    let mut bytes = std::fs::read(&file_of_model).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&file_of_model, bytes).unwrap();
    let words = ["finetune", "--plan", file.as_str(), "--from", from, "--steps", "4"];
    let altered = run(&program, &site.home, &words).await.unwrap();
    assert_eq!(altered.status.code(), Some(3));
}
