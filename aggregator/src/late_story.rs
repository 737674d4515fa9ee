//! A site that is too late for its round, and a study that rests, through the whole program.

use std::time::Duration;

use snowball_protocol::{
    ProblemCode, RoundNumber,
    plan::{Late, Span},
    record::RoundRecord,
    session::{StudySummary, Task},
};
use snowball_registry::Registry;

use crate::{
    assembly::Assembly,
    fixture,
    home::Home,
    story::{STUDY, command, header, one_hot, training, updates_path, upload},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_late_update_counts_in_the_next_round_for_less_and_only_once_across_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("home");
    let mut plan = fixture::plan(STUDY);
    (plan.rounds.sites, plan.rounds.updates) = (Span { min: 3, max: 3 }, Span { min: 2, max: 3 });
    plan.rounds.collect_seconds = Span { min: 0, max: 1 };
    plan.rounds.late = Late::Fold { rounds: 1 };
    let mut assembly = Assembly::of(&dir, &plan, &["east", "north", "south"]).await;
    let parameters = snowball_layout::Layout::of(&plan).parameters();
    let first = training(&assembly.sites[1], 1).await;
    for place in [0, 2] {
        let (header, bytes) = header(&plan, &first, &one_hot(parameters, place), 1);
        assert!(upload(&assembly.sites[place], &header, &bytes).await.receipt.is_some());
    }
    // The round closes at its deadline without north.
    let second = training(&assembly.sites[0], 2).await;
    let (mut late, bytes) = header(&plan, &first, &one_hot(parameters, 1), 1);
    let body = serde_json::to_vec(&late).unwrap();
    let refused = assembly.sites[1].refused("POST", &updates_path(&late), &body).await;
    assert_eq!(refused.code, ProblemCode::RoundClosed);
    late.round = RoundNumber(2);
    let receipt = upload(&assembly.sites[1], &late, &bytes).await.receipt.unwrap().receipt;
    assert_eq!(
        (receipt.round, receipt.behind, receipt.model_in),
        (RoundNumber(2), 1, first.digest)
    );
    // A site whose update of the first round counted has no other one from its model.
    let mut again = header(&plan, &first, &one_hot(parameters, 0), 1).0;
    again.round = RoundNumber(2);
    let body = serde_json::to_vec(&again).unwrap();
    let refused = assembly.sites[0].refused("POST", &updates_path(&again), &body).await;
    assert_eq!(refused.code, ProblemCode::AlreadyContributed);
    assembly = assembly.restarted(&dir).await;
    let (header, bytes) = header(&plan, &second, &one_hot(parameters, 0), 1);
    assert!(upload(&assembly.sites[0], &header, &bytes).await.receipt.is_some());
    while !matches!(crate::story::task(&assembly.sites[0]).await, Task::Evaluate { .. }) {}
    let registry = Registry::open(&Home::at(&dir).database_file()).await.unwrap();
    let record: RoundRecord = registry
        .record(&STUDY.parse().unwrap(), RoundNumber(2))
        .await
        .unwrap()
        .unwrap();
    let behind: Vec<u32> = record.contributions.iter().map(|part| part.behind).collect();
    assert_eq!(behind, [0, 1]);
    let model = |round: u32| {
        let bytes = std::fs::read(dir.join(format!("objects/models/{STUDY}/{round}.f32"))).unwrap();
        snowball_layout::from_le_bytes(&bytes).unwrap()
    };
    let moved: Vec<f32> = model(1).iter().zip(model(2)).map(|(one, other)| other - one).collect();
    let weaker = 0.5 / 2_f32.sqrt();
    assert!(
        (moved[0] - 0.5).abs() < 1e-5 && (moved[1] - weaker).abs() < 1e-5,
        "{:?}",
        &moved[..3]
    );
    assembly.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_study_asks_nobody_and_goes_on_with_the_time_it_had() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("home");
    let plan = fixture::plan(STUDY);
    let assembly = Assembly::of(&dir, &plan, &["north", "south"]).await;
    let [north, south] = &assembly.sites[..] else {
        panic!("two sites")
    };
    let model = training(north, 1).await;
    command(&dir, &["study", "pause", STUDY, "--reason", "upside-down films"]).await;
    let is_paused = async |paused| loop {
        let studies = north.get::<Vec<StudySummary>>("/v1/studies").await;
        if studies[0].paused == paused {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    is_paused(true).await;
    let path = format!("/v1/studies/{STUDY}/task?wait_seconds=0");
    assert!(matches!(south.get::<Task>(&path).await, Task::Wait { .. }));
    let status = command(&dir, &["study", "status", STUDY]).await;
    assert_eq!(status["paused"]["reason"], "upside-down films");
    // What was under way still counts.
    let parameters = snowball_layout::Layout::of(&plan).parameters();
    let (header, bytes) = header(&plan, &model, &one_hot(parameters, 0), 1);
    assert!(upload(north, &header, &bytes).await.receipt.is_some());
    let assembly = assembly.restarted(&dir).await;
    assert!(matches!(assembly.sites[1].get::<Task>(&path).await, Task::Wait { .. }));
    command(&dir, &["study", "resume", STUDY]).await;
    training(&assembly.sites[1], 1).await;
    let ledger = command(&dir, &["ledger", "show"]).await.to_string();
    assert!(ledger.contains("study_paused") && ledger.contains("study_resumed"));
    assembly.running.stop().await;
}
