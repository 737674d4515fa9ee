//! Studies whose label the trainer makes: how a radiograph was turned, and how the tiles of its patches were exchanged. No radiograph needs a label, no policy
//! needs to name one, and the trunk goes on to a study of ages.

use serde_json::Value;
use snowball_protocol::{
    labels::LabelName,
    plan::{Augmentation, Head, HeadKind, Preprocessing},
};
use snowball_tests::PolicyWish;

use crate::{learning::opens_in_pytorch, stage::Stage};

/// Two hospitals learn one made label by these classes; the status in review and the stage.
async fn learned(label: LabelName, classes: &[&str], preprocessing: Preprocessing, steps: u32) -> (Value, Stage) {
    let stage = Stage::set_with(2, 3, 90, 0.0, |plan| {
        plan.heads = vec![Head {
            label,
            kind: HeadKind::Classes(classes.iter().map(|&class| class.to_owned()).collect()),
            weight: 1.0,
        }];
        plan.augmentation = Augmentation::XrSslV1;
        plan.preprocessing = preprocessing;
        plan.local.steps = steps;
    })
    .await;
    let (status, release) = stage.through().await;
    opens_in_pytorch(&release, &[label.code()]);
    (status, stage)
}

fn loss(evaluation: &Value) -> f64 {
    evaluation["loss"].as_f64().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turned_radiographs_teach_a_trunk_that_goes_on_to_ages() {
    let (status, stage) = learned(
        LabelName::Rotation,
        &["0", "90", "180", "270"],
        Preprocessing::LetterboxV1,
        80,
    )
    .await;
    let (before, after) = (&status["rounds"][0]["metrics"], &status["final"]["pooled"]);
    eprintln!("before {before}\nafter {after}");
    assert!(loss(after) < 0.9 * loss(before), "{before} to {after}");
    let told = |figures: &Value, name: &str| figures["heads"][0][name].as_f64().unwrap();
    assert!(told(after, "balanced_accuracy") > 0.4, "chance is a quarter: {after}");

    let mut ages = crate::stage::plan(2, 2);
    ages.study = "ages".parse().unwrap();
    ages.heads.retain(|head| head.label == LabelName::Age);
    let file = stage.folder.path().join("ages.toml");
    std::fs::write(&file, toml::to_string(&ages).unwrap()).unwrap();
    let site = &stage.consortium.sites[0];
    stage
        .consortium
        .install_policy(site, &ages, &PolicyWish::default())
        .await
        .unwrap();
    let release = stage.folder.path().join("release");
    let words = [
        "finetune",
        "--plan",
        file.to_str().unwrap(),
        "--from",
        release.to_str().unwrap(),
        "--steps",
        "4",
    ];
    let told = stage.consortium.node(site, &words).await.unwrap();
    let unused = told["weights"]["unused"].as_array().unwrap();
    assert!(
        !unused.is_empty()
            && unused
                .iter()
                .all(|name| name.as_str().unwrap().starts_with("heads.rotation.")),
        "the whole trunk goes on: {told}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_study_of_exchanged_tiles_of_patches_ends_in_a_release() {
    let orders = ["1234", "2143", "3412", "4321"];
    let (status, _) = learned(LabelName::Jigsaw, &orders, Preprocessing::PatchesV1, 30).await;
    let (before, after) = (&status["rounds"][0]["metrics"], &status["final"]["pooled"]);
    eprintln!("before {before}\nafter {after}");
    assert!(loss(after) < loss(before), "{before} to {after}");
    // What weighs is radiographs, what is looked at is their patches.
    let parts = status["rounds"][0]["contributions"].as_array().unwrap();
    let weighed: u64 = parts.iter().map(|part| part["examples"].as_u64().unwrap()).sum();
    assert!((60..180).contains(&weighed), "{parts:?}");
    let looked_at = after["images"].as_u64().unwrap();
    assert!(
        looked_at > 60,
        "a tenth of 180 radiographs, several patches of each: {after}"
    );
}
