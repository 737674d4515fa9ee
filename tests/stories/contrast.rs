//! A study without any label whose network looks for pairs: two hospitals go two rounds, a release comes of it, and its trunk alone goes on
//! to another task. It proves the way, not the learning.

use serde_json::Value;
use snowball_layout::Layout;
use snowball_protocol::{
    StudyPlan,
    plan::{Augmentation, Contrastive, Positives, Pretext},
};
use snowball_tests::PolicyWish;

use crate::{
    learning::opens_in_pytorch,
    stage::{Stage, plan},
};

/// The trunk and what lies behind it, as bytes.
fn cut<'a>(plan: &StudyPlan, model: &'a [u8]) -> (&'a [u8], &'a [u8]) {
    let layout = Layout::of(plan);
    let tensors = layout.tensors.iter().filter(|tensor| tensor.stage().is_some());
    let all: usize = tensors.map(snowball_layout::Tensor::values).sum();
    model.split_at(4 * all)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_study_of_pairs_ends_in_a_release_whose_trunk_alone_goes_on() {
    let stage = Stage::set_with(2, 2, 90, 0.0, |plan| {
        plan.heads.clear();
        plan.pretext = Some(Pretext::Contrastive(Contrastive {
            temperature: 0.2,
            dimension: 16,
            positives: Positives::Patient,
        }));
        plan.augmentation = Augmentation::XrSslV1;
        plan.local.steps = 30;
    })
    .await;
    let (status, release) = stage.through().await;

    let before = &status["rounds"][0]["metrics"]["contrast"];
    let after = &status["final"]["pooled"]["contrast"];
    eprintln!("before {before}, after {after}");
    let figure = |figures: &Value, name: &str| figures[name].as_f64().unwrap();
    // The same pairs are looked for in each round, by another model. So few steps teach phantoms nothing; the trainer's own tests do.
    assert!(figure(after, "images") > 0.0, "{after}");
    for same in ["images", "chance"] {
        assert_eq!(figure(after, same), figure(before, same), "{before} to {after}");
    }
    assert_ne!(figure(after, "loss"), figure(before, "loss"), "{before} to {after}");
    assert!((0.0..=1.0).contains(&figure(after, "found")), "{after}");
    let card = std::fs::read_to_string(release.join("model-card.md")).unwrap();
    assert!(card.contains("- Finds two radiographs of one patient"), "{card}");
    assert!(card.contains("| all | pairs found: "), "{card}");
    opens_in_pytorch(&release, &["projection"]);

    let (site, file) = (&stage.consortium.sites[0], stage.consortium.plan_file());
    let words = ["evaluate", "--plan", file.to_str().unwrap(), "--model", "federated"];
    let evaluation = stage.consortium.node(site, &words).await.unwrap();
    assert!(evaluation["contrast"]["images"].as_u64() > Some(0), "{evaluation}");

    // Another study learns ages from there: with its heads alone learning, the trunk stays the release's, and nothing else came along.
    let mut ages = plan(2, 2);
    ages.study = "ages".parse().unwrap();
    ages.heads.remove(0);
    let file = stage.folder.path().join("ages.toml");
    std::fs::write(&file, toml::to_string(&ages).unwrap()).unwrap();
    let wish = PolicyWish::default();
    stage.consortium.install_policy(site, &ages, &wish).await.unwrap();
    let (file, from) = (file.to_str().unwrap(), release.to_str().unwrap());
    let words = [
        "finetune",
        "--plan",
        file,
        "--from",
        from,
        "--steps",
        "4",
        "--head-only",
    ];
    let told = stage.consortium.node(site, &words).await.unwrap();
    let unused = told["weights"]["unused"].as_array().unwrap();
    assert_eq!(unused.len(), 4, "{told}");
    assert!(
        unused
            .iter()
            .all(|name| name.as_str().unwrap().starts_with("projection."))
    );
    let tuned = std::fs::read(site.home.join("models/ages-local.f32")).unwrap();
    let federated = std::fs::read(site.home.join("models/story-federated.f32")).unwrap();
    let ((trunk, head), (learned, projection)) = (cut(&ages, &tuned), cut(&stage.plan, &federated));
    assert!(trunk == learned, "the trunk is the release's");
    assert!(head.len() < projection.len());
}
