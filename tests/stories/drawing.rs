//! A study without any label: hospitals learn together to guess what is hidden of their radiographs.

use std::os::unix::fs::PermissionsExt;

use snowball_protocol::plan::{Decoder, Masked, Pretext, Reconstruction};
use snowball_tests::{PolicyWish, run};

use crate::{learning::opens_in_pytorch, stage::Stage};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hospitals_learn_to_draw_what_is_hidden_and_what_leaves_is_an_error_a_site() {
    let stage = Stage::set_with(2, 3, 60, 0.0, |plan| {
        plan.heads.clear();
        plan.pretext = Some(Pretext::Reconstruction(Reconstruction {
            decoder: Decoder::UNet,
            masked: Some(Masked { patch: 4, share: 0.5 }),
        }));
        plan.local.steps = 20;
    })
    .await;
    let (status, release) = stage.through().await;

    let before = &status["rounds"][0]["metrics"]["reconstruction"];
    let after = &status["final"]["pooled"]["reconstruction"];
    let error = |figures: &serde_json::Value| figures["mean_squared_error"].as_f64().unwrap();
    eprintln!("before {before}, after {after}");
    assert!(error(after) < 0.8 * error(before), "{before} to {after}");
    assert!(error(after) < after["constant_mean_squared_error"].as_f64().unwrap());
    let card = std::fs::read_to_string(release.join("model-card.md")).unwrap();
    assert!(card.contains("without any label: U-Net's decoder; 50 %"), "{card}");
    assert!(card.contains("| all | drawn again, squared error |"), "{card}");
    opens_in_pytorch(&release, &["reconstruction"]);

    // Every radiograph that passed intake is learned from, whatever is known of it; and none leaves by the page.
    let (site, plan) = (&stage.consortium.sites[0], stage.consortium.plan_file());
    let plan = plan.to_str().unwrap();
    let census = stage.consortium.node(site, &["census"]).await.unwrap();
    let evaluation = stage
        .consortium
        .node(site, &["evaluate", "--plan", plan, "--model", "federated"])
        .await
        .unwrap();
    assert!(evaluation["images"].as_u64() > Some(0), "{evaluation}");
    assert_eq!(evaluation["reconstruction"]["images"], evaluation["images"]);
    assert!(census["total"]["radiographs"].as_u64() > Some(50), "{census}");
    let page = stage.folder.path().join("page.png");
    let out = page.to_str().unwrap();
    let arguments = [
        "reconstruct",
        "--plan",
        plan,
        "--model",
        "federated",
        "--out",
        out,
        "--pictures",
        "3",
    ];
    let drawn = stage.consortium.node(site, &arguments).await.unwrap();
    assert!(drawn["pictures"].as_u64().is_some_and(|count| (1..=3).contains(&count)));
    assert_eq!(std::fs::metadata(&page).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(std::fs::read(&page).unwrap().starts_with(b"\x89PNG"));

    // It is a use of the model like any other: without the board's word for this study nothing is drawn.
    let mut foreign = stage.plan.clone();
    foreign.study = "another".parse().unwrap();
    stage
        .consortium
        .install_policy(site, &foreign, &PolicyWish::default())
        .await
        .unwrap();
    std::fs::remove_file(&page).unwrap();
    let denied = run(&stage.consortium.programs.node, &site.home, &arguments)
        .await
        .unwrap();
    assert_eq!(
        denied.status.code(),
        Some(3),
        "{}",
        String::from_utf8_lossy(&denied.stderr)
    );
    assert!(!page.exists());
}
