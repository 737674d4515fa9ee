//! SCAFFOLD through the whole program, with sites that are played by hand: what the control variate of all sites is, who gets it, that it
//! comes back from the disk, and that it begins anew where a site's own is not the one that is in it.

use snowball_protocol::{
    ProblemCode, RoundNumber, Sha256Digest, StudyPlan,
    outcome::SignedOutcome,
    plan::{Drift, OptimiserRule, Schedule, Span},
    session::{ControlReference, Task},
};

use crate::{
    assembly::Assembly,
    fixture,
    story::{Client, STUDY, enrol, header, task, training, upload},
};

const SITES: [&str; 2] = ["north", "south"];
const ROUNDS: u32 = 5;
/// Of each site: its examples, and how far it moves every parameter in a round.
const PARTS: [(u64, f32); 2] = [(10, 0.1), (30, -0.3)];

fn plan() -> StudyPlan {
    let mut plan = fixture::plan(STUDY);
    (plan.rounds.count, plan.rounds.sites) = (ROUNDS, Span { min: 2, max: 2 });
    plan.optimiser.rule = OptimiserRule::Sgd { momentum: 0.0 };
    plan.optimiser.schedule = Schedule::Cosine { warmup_fraction: 0.2 };
    (plan.local.steps, plan.local.drift) = (4, Some(Drift::Scaffold));
    assert_eq!(plan.faults(), []);
    plan
}

async fn control(client: &Client) -> Option<ControlReference> {
    for _ in 0..50 {
        match task(client).await {
            Task::Train { control, .. } => return control,
            Task::Wait { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    panic!("no round is open");
}

/// What the aggregator signed of it with the outcome of `round`.
async fn signed(client: &Client, round: u32) -> Option<ControlReference> {
    let signed: SignedOutcome = client.get(&format!("/v1/studies/{STUDY}/rounds/{round}/outcome")).await;
    signed.outcome.control
}

/// The control variate that goes with the model of `round`, fetched in two pieces.
async fn fetched(client: &Client, plan: &StudyPlan, round: u32, control: &ControlReference) -> Vec<f32> {
    let path = format!("/v1/studies/{STUDY}/controls/{round}");
    let (status, head, mut bytes) = client.send("GET", &path, "range: bytes=0-9\r\n", b"").await;
    let whole = snowball_layout::Layout::of(plan).bytes();
    assert!(head.contains(&format!("bytes 0-9/{whole}")), "{head}");
    let (rest_status, _, rest) = client.send("GET", &path, "range: bytes=10-\r\n", b"").await;
    assert_eq!((status, rest_status), (206, 206));
    bytes.extend(rest);
    assert_eq!(Sha256Digest::of(&bytes), control.digest);
    snowball_layout::from_le_bytes(&bytes).unwrap()
}

/// Both sites send; `from` is what they say of their own control variates.
async fn send(assembly: &Assembly, plan: &StudyPlan, round: u32, from: [Option<u32>; 2]) {
    for ((client, (examples, value)), from) in assembly.sites.iter().zip(PARTS).zip(from) {
        let model = training(client, round).await;
        let values = vec![value; snowball_layout::Layout::of(plan).parameters()];
        let (mut header, bytes) = header(plan, &model, &values, 1);
        (header.examples, header.control_from) = (examples, from.map(RoundNumber));
        let receipt = upload(client, &header, &bytes).await.receipt.unwrap().receipt;
        // All that there is of the site's own control variate: the update that it follows from, and of which round it was.
        assert_eq!(receipt.update_digest, Sha256Digest::of(&bytes));
        assert_eq!(receipt.control_from, header.control_from);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_control_variate_comes_to_those_who_take_part_survives_a_restart_and_begins_anew_with_a_site() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("home");
    let plan = plan();
    let mut assembly = Assembly::of(&dir, &plan, &SITES).await;
    let stranger = Client::new(
        enrol(&dir, assembly.running.port, "west").await.0,
        assembly.running.port,
    );
    let path = |round: u32| format!("/v1/studies/{STUDY}/controls/{round}");

    training(&assembly.sites[0], 1).await;
    assert_eq!(control(&assembly.sites[0]).await, None, "all begin at zero");
    let refused = assembly.sites[0].refused("GET", &path(0), b"").await;
    assert_eq!(refused.code, ProblemCode::NotFound);

    // By hand: the weighted mean of the ways, divided by the rates of the round's steps.
    let mean = (10.0 * 0.1 + 30.0 * -0.3) / 40.0;
    let expected = |round| (-mean / plan.rate_sum(RoundNumber(round))) as f32;
    let holds = |values: &[f32], round| {
        let expected: f32 = expected(round);
        values
            .iter()
            .all(|value| (value - expected).abs() < 1e-4 * expected.abs())
    };
    send(&assembly, &plan, 1, [None; 2]).await;
    training(&assembly.sites[1], 2).await;
    let first = control(&assembly.sites[1]).await.unwrap();
    assert_eq!(first.since, RoundNumber(1));
    let values = fetched(&assembly.sites[1], &plan, 1, &first).await;
    assert_eq!(signed(&assembly.sites[1], 1).await, Some(first));
    assert!(holds(&values, 1), "{} {}", values[0], expected(1));
    let refused = stranger.refused("GET", &path(1), b"").await;
    assert_eq!(refused.code, ProblemCode::NotJoined);

    assembly = assembly.restarted(&dir).await;
    assert_eq!(control(&assembly.sites[0]).await, Some(first));
    assert!(holds(&fetched(&assembly.sites[0], &plan, 1, &first).await, 1));
    send(&assembly, &plan, 2, [Some(1); 2]).await;
    training(&assembly.sites[0], 3).await;
    let second = control(&assembly.sites[0]).await.unwrap();
    assert_eq!(second.since, RoundNumber(1));
    assert!(holds(&fetched(&assembly.sites[0], &plan, 2, &second).await, 2));
    let refused = assembly.sites[0].refused("GET", &path(1), b"").await;
    assert_eq!(refused.code, ProblemCode::NotFound, "an older one is nobody's business");

    // The first site has lost its own.
    send(&assembly, &plan, 3, [None, Some(2)]).await;
    training(&assembly.sites[0], 4).await;
    assert_eq!(control(&assembly.sites[0]).await, None, "all begin anew");
    assert_eq!(signed(&assembly.sites[0], 2).await, Some(second));
    assert_eq!(
        signed(&assembly.sites[0], 3).await,
        None,
        "what is zero is signed as none"
    );
    assembly = assembly.restarted(&dir).await;
    send(&assembly, &plan, 4, [None; 2]).await;
    training(&assembly.sites[0], 5).await;
    let fourth = control(&assembly.sites[0]).await.unwrap();
    assert_eq!(fourth.since, RoundNumber(4));
    assert!(holds(&fetched(&assembly.sites[0], &plan, 4, &fourth).await, 4));

    send(&assembly, &plan, 5, [Some(4); 2]).await;
    let states = dir.join(format!("objects/states/{STUDY}"));
    while std::fs::read_dir(&states).map_or(0, Iterator::count) != 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let refused = assembly.sites[0].refused("GET", &path(5), b"").await;
    assert_eq!(
        refused.code,
        ProblemCode::NotFound,
        "after the last round nobody trains"
    );
    assembly.running.stop().await;
}
