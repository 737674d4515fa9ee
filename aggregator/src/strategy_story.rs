//! Studies under other rules than federated averaging and in each encoding of updates, through the whole program: one of five sites is
//! hostile where the rule should bear it; the server is restarted after the first round, so that what it remembers comes from its disk,
//! and in the middle of an upload, so that what came before is read again from its file.

use snowball_protocol::{
    ProblemCode, RoundNumber, StudyPlan,
    plan::{Adaptive, Combination, KeptRole, ServerOptimiser, Span, UpdateEncoding},
    update::{UpdateHeader, UploadState},
};

use std::{path::Path, time::Duration};

use crate::{
    assembly::Assembly,
    fixture,
    story::{Client, STUDY, header, training, updates_path, upload},
};

const SITES: [&str; 5] = ["east", "north", "south", "west", "wrong"];
const ROUNDS: u32 = 3;
/// What each honest site adds to each parameter in each round.
const STEP: f32 = 0.1;

fn plan(combine: Combination, server: ServerOptimiser) -> StudyPlan {
    let mut plan = fixture::plan(STUDY);
    plan.rounds.count = ROUNDS;
    (plan.rounds.sites, plan.rounds.updates) = (Span { min: 5, max: 5 }, Span { min: 5, max: 5 });
    (plan.strategy.combine, plan.strategy.server) = (combine, server);
    assert_eq!(plan.faults(), []);
    plan
}

/// How far every parameter has moved when the study is over, where all move alike.
async fn moved(plan: &StudyPlan, wrong: f32) -> f32 {
    let ways = ways(plan, wrong).await;
    assert!(ways.iter().all(|way| (way - ways[0]).abs() < 1e-4), "all move alike");
    ways[0]
}

/// How far each parameter has moved when the study is over; the fifth site sends `wrong` instead.
async fn ways(plan: &StudyPlan, wrong: f32) -> Vec<f32> {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("home");
    let mut assembly = Assembly::of(&dir, plan, &SITES).await;
    let layout = snowball_layout::Layout::of(plan);
    let kept = layout.kept(plan);
    for round in 1..=ROUNDS {
        for (place, name) in SITES.into_iter().enumerate() {
            let client = &assembly.sites[place];
            let model = training(client, round).await;
            let step = if name == "wrong" { wrong } else { STEP };
            let mut values = vec![step; layout.parameters()];
            let attempt = if kept.is_empty() {
                1
            } else {
                let (header, bytes) = header(plan, &model, &values, 1);
                assert_eq!(refusal(client, &header, &bytes).await, ProblemCode::KeptParameters);
                2
            };
            kept.clear(&mut values);
            let (header, bytes) = header(plan, &model, &values, attempt);
            if (round, name) == (2, "east") {
                let state: UploadState = client.post(&updates_path(&header), &header).await;
                let path = format!("/v1/uploads/{}?offset=0", state.upload.0);
                // Within a number, whatever the encoding.
                client.send("PATCH", &path, "", &bytes[..(bytes.len() / 2) | 1]).await;
                assembly = assembly.restarted(&dir).await;
            }
            assert!(upload(&assembly.sites[place], &header, &bytes).await.receipt.is_some());
        }
        if round == 1 {
            training(&assembly.sites[0], 2).await;
            assembly = assembly.restarted(&dir).await;
        }
    }
    while model(&dir, ROUNDS).is_none() || states(&dir) != 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assembly.running.stop().await;
    let (mut begin, mut end) = (model(&dir, 0).unwrap(), model(&dir, ROUNDS).unwrap());
    assert_eq!(
        kept.values(&begin),
        kept.values(&end),
        "what stays at the sites has not moved"
    );
    // Elsewhere the model moves, and these places are not asked about any more.
    let unmoved = vec![0.0; kept.parameters()];
    kept.lay_over(&unmoved, &mut begin);
    kept.lay_over(&vec![end[0] - begin[0]; kept.parameters()], &mut end);
    begin.iter().zip(&end).map(|(begin, end)| end - begin).collect()
}

/// Why an update is refused once all its bytes are there.
async fn refusal(client: &Client, header: &UpdateHeader, bytes: &[u8]) -> ProblemCode {
    let state: UploadState = client.post(&updates_path(header), header).await;
    let path = format!("/v1/uploads/{}?offset=0", state.upload.0);
    client.refused("PATCH", &path, bytes).await.code
}

fn model(dir: &Path, round: u32) -> Option<Vec<f32>> {
    let name = format!("objects/models/{STUDY}/{}.f32", RoundNumber(round));
    let bytes = std::fs::read(dir.join(name)).ok()?;
    Some(snowball_layout::from_le_bytes(&bytes).unwrap())
}

fn states(dir: &Path) -> usize {
    std::fs::read_dir(dir.join(format!("objects/states/{STUDY}"))).map_or(0, Iterator::count)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_momentum_remembers_it_across_a_restart() {
    let server = ServerOptimiser::Momentum {
        learning_rate: 1.0,
        momentum: 0.5,
    };
    let way = moved(&plan(Combination::Mean, server), STEP).await;
    assert!((way - STEP * (1.0 + 1.5 + 1.75)).abs() < 1e-4, "{way}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trimmed_mean_under_fed_adam_bears_a_hostile_site_and_a_restart() {
    let numbers = Adaptive {
        learning_rate: 0.05,
        beta_1: 0.9,
        beta_2: 0.99,
        adaptivity: 0.01,
    };
    let plan = plan(Combination::TrimmedMean { share: 0.25 }, ServerOptimiser::Adam(numbers));
    let way = moved(&plan, -5.0).await;
    let (mut m, mut v, mut expected) = (0.0, 0.0001, 0.0);
    for _ in 0..ROUNDS {
        m = 0.9 * m + 0.1 * f64::from(STEP);
        v = 0.99 * v + 0.01 * f64::from(STEP).powi(2);
        expected += 0.05 * m / (v.sqrt() + 0.01);
    }
    assert!((f64::from(way) - expected).abs() < 1e-4, "{way} {expected}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_plan_keeps_at_the_sites_is_refused_and_stays_as_it_was() {
    let mut plan = plan(Combination::Mean, ServerOptimiser::Add);
    plan.local.keep = vec![KeptRole::Normalisation];
    let way = moved(&plan, STEP).await;
    assert!((way - 3.0 * STEP).abs() < 1e-4, "{way}");
}

#[tokio::test(flavor = "multi_thread")]
async fn multi_krum_leaves_a_hostile_site_out() {
    let plan = plan(Combination::MultiKrum { hostile: 1, kept: 3 }, ServerOptimiser::Add);
    let way = moved(&plan, -5.0).await;
    assert!((way - 3.0 * STEP).abs() < 1e-4, "{way}");
}

/// The nearest bfloat16 below 0.1 and the nearest one above it: 0.1 is written as the latter.
const STEP_BF16: f32 = 0.100_097_66;

#[tokio::test(flavor = "multi_thread")]
async fn updates_in_bfloat16_make_a_mean_of_what_was_rounded() {
    let mut plan = plan(Combination::Mean, ServerOptimiser::Add);
    plan.transfer.encoding = UpdateEncoding::Bf16;
    let way = moved(&plan, STEP).await;
    assert!((way - 3.0 * STEP_BF16).abs() < 1e-6, "{way}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trimmed_mean_bears_a_hostile_site_in_eight_bits() {
    let mut plan = plan(Combination::TrimmedMean { share: 0.25 }, ServerOptimiser::Add);
    plan.transfer.encoding = UpdateEncoding::Int8;
    let way = moved(&plan, -5.0).await;
    assert!((way - 3.0 * STEP).abs() < 1e-6, "{way}");
}

#[tokio::test(flavor = "multi_thread")]
async fn multi_krum_leaves_a_hostile_site_out_of_the_largest_numbers() {
    let mut plan = plan(Combination::MultiKrum { hostile: 1, kept: 3 }, ServerOptimiser::Add);
    plan.transfer.encoding = UpdateEncoding::TopK { share: 0.01 };
    let ways = ways(&plan, -5.0).await;
    // Of equal numbers the first are sent.
    let sent = ways.len().div_ceil(100);
    assert!(
        ways[..sent].iter().all(|way| (way - 3.0 * STEP_BF16).abs() < 1e-5),
        "{:?}",
        &ways[..sent]
    );
    assert!(ways[sent..].iter().all(|way| *way == 0.0));
}
