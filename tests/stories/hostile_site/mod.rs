//! A site with a valid certificate that means harm, beside two honest ones, and strangers without a certificate.
//!
//! The honest sites take part in two studies that differ in nothing but who takes part: one with the hostile site, one without.
//! Both must come to the same models, bit for bit. [`updates`] is what it sends where an update is due, [`lines`] what it does to
//! connections; [`frames`] is HTTP/2 as nobody should speak it.

mod bounded;
mod frames;
mod lines;
mod updates;

use std::time::{Duration, Instant};

use snowball_egress::EgressError;
use snowball_layout::Layout;
use snowball_protocol::{
    Problem, ProblemCode, Sha256Digest, StudyPlan,
    plan::Span,
    receipt::SignedReceipt,
    session::{ModelReference, Task},
};

use crate::{peer::Peer, stage::Stage};

/// What a server that holds its bounds may grow by under all that is tried here, in MiB.
const GROWTH_MIB_MAX: u64 = 64;

/// Two honest sites and a hostile one, all enrolled; both studies recruit.
struct Scene {
    stage: Stage,
    /// With the hostile site.
    plan: StudyPlan,
    /// Without it.
    calm: StudyPlan,
    north: Peer,
    south: Peer,
    wrong: Peer,
}

impl Scene {
    /// `connections_max` is the aggregator's setting; the plan may be changed.
    async fn set(rounds: u32, connections_max: u32, change: impl FnOnce(&mut StudyPlan)) -> Self {
        let mut stage = Stage::set_with(3, rounds, 4, 0.0, |plan| {
            plan.rounds.sites = Span { min: 3, max: 3 };
            plan.rounds.updates = Span { min: 2, max: 2 };
            change(plan);
        })
        .await;
        allow_connections(&mut stage, connections_max).await;
        let mut peers = Vec::new();
        for (position, site) in stage.consortium.sites.iter().enumerate() {
            stage.consortium.make_node(site, 1).await.unwrap();
            stage.consortium.enrol(site, &stage.hear).await.unwrap();
            peers.push(Peer::of(site, stage.port, position));
        }
        let plan = stage.plan.clone();
        let mut calm = plan.clone();
        calm.study = "calm".parse().unwrap();
        calm.rounds.sites = Span { min: 2, max: 2 };
        calm.rounds.updates = Span { min: 2, max: 2 };
        stage.start_study().await;
        begin(&stage, &calm).await;
        for peer in &mut peers {
            peer.until_open(&plan).await;
            peer.join(&plan).await;
            peer.show_head().await;
        }
        peers[0].until_open(&calm).await;
        for peer in &peers[..2] {
            peer.join(&calm).await;
        }
        let (wrong, south, north) = (peers.pop().unwrap(), peers.pop().unwrap(), peers.pop().unwrap());
        Self {
            stage,
            plan,
            calm,
            north,
            south,
            wrong,
        }
    }

    /// One honest round in both studies: the same updates in both.
    async fn honest_round(&self, round: u32) {
        let begun = Instant::now();
        for plan in [&self.plan, &self.calm] {
            for peer in [&self.north, &self.south] {
                let model = peer.model(plan, round).await;
                steadily(async || {
                    let (header, bytes) = Peer::update(plan, &model, 1, &honest(plan, peer.position, round));
                    peer.send(&header, &bytes).await
                })
                .await;
            }
        }
        eprintln!(
            "round {round}: both honest sites after {:.2} s",
            begun.elapsed().as_secs_f64()
        );
    }

    /// The newest model of either study, by digest: the one with the hostile site, the one without.
    async fn models(&self, round: u32) -> (Sha256Digest, Sha256Digest) {
        let mut digests = Vec::new();
        for plan in [&self.plan, &self.calm] {
            digests.push(newest(&self.north, plan, round).await.digest);
        }
        (digests[0], digests[1])
    }

    /// The refusals of the hostile site that stand in the records of the study's rounds.
    async fn refusals(&self) -> Vec<ProblemCode> {
        let status = self
            .stage
            .consortium
            .aggregator(&["study", "status", "story"])
            .await
            .unwrap();
        let rounds = status["rounds"].as_array().unwrap();
        let refusals = rounds.iter().flat_map(|round| round["refusals"].as_array().unwrap());
        let of = |refusal: &serde_json::Value| serde_json::from_value(refusal["code"].clone()).unwrap();
        let wrong = &self.stage.consortium.sites[2].name;
        refusals
            .filter(|refusal| refusal["site"] == wrong.as_str())
            .map(of)
            .collect()
    }

    /// The server's resident memory and its highest, in MiB.
    fn memory(&self) -> (u64, u64) {
        let id = self
            .stage
            .aggregator
            .as_ref()
            .and_then(snowball_tests::Running::id)
            .unwrap();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let of = |field: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
            line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
        };
        (of("VmRSS:"), of("VmHWM:"))
    }

    /// Says what memory was taken, and fails where it was more than the bounds allow.
    fn expect_bounded(&self, before: u64, what: &str) {
        let (now, highest) = self.memory();
        eprintln!("{what}: {before} MiB before, {highest} at most, {now} now");
        assert!(
            highest <= before + GROWTH_MIB_MAX,
            "{what}: {before} MiB grew to {highest}"
        );
    }
}

/// Starts the server again with room for so many connections, so that all its places can be taken.
async fn allow_connections(stage: &mut Stage, connections_max: u32) {
    stage.aggregator.take().unwrap().end().await.unwrap();
    let file = stage.consortium.aggregator_home().join("aggregator.toml");
    let mut settings: toml::Table = std::fs::read_to_string(&file).unwrap().parse().unwrap();
    settings.insert("connections_max".to_owned(), i64::from(connections_max).into());
    std::fs::write(&file, settings.to_string()).unwrap();
    stage.aggregator = Some(stage.consortium.serve(stage.port, &stage.hear).await.unwrap());
}

/// Creates and starts a study beside the stage's own.
async fn begin(stage: &Stage, plan: &StudyPlan) {
    let file = stage.folder.path().join(format!("{}.toml", plan.study));
    std::fs::write(&file, toml::to_string(plan).unwrap()).unwrap();
    let aggregator = &stage.consortium;
    aggregator
        .aggregator(&["study", "create", file.to_str().unwrap()])
        .await
        .unwrap();
    aggregator
        .aggregator(&["study", "start", plan.study.as_str()])
        .await
        .unwrap();
}

/// What an honest site learned: small, and of another site and round never the same.
fn honest(plan: &StudyPlan, position: usize, round: u32) -> Vec<f32> {
    let seed = (position as u32 + 1) * 7919 + round * 104_729;
    (0..Layout::of(plan).parameters() as u32)
        .map(|place| ((place.wrapping_mul(2_654_435_761) ^ seed) % 2001) as f32 * 1e-6 - 1e-3)
        .collect()
}

/// The model of `round`, once there is one.
async fn newest(peer: &Peer, plan: &StudyPlan, round: u32) -> ModelReference {
    let path = format!("v1/studies/{}/task?wait_seconds=5", plan.study);
    for _ in 0..100 {
        match peer.transport.get::<Task>(&path).await {
            Ok(Task::Train { model, .. } | Task::Evaluate { model }) if model.round.0 == round => return model,
            Ok(_) | Err(_) => {}
        }
    }
    panic!("no model of round {round} came")
}

/// As a node does: what may pass by itself is tried again.
async fn steadily(send: impl AsyncFn() -> Result<SignedReceipt, EgressError>) -> SignedReceipt {
    let mut last = None;
    for _ in 0..200 {
        match send().await {
            Ok(receipt) => return receipt,
            Err(fault) if fault.is_transient() => last = Some(fault),
            Err(fault) => panic!("an honest update was refused: {fault}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("an honest site did not get through: {last:?}")
}

/// A refusal that its reader can do something with.
fn is_sound(problem: &Problem) -> bool {
    problem.reason.len() > 10 && problem.remedy.len() > 5
}
