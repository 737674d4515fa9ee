//! Site i contributes the one-hot vector i with weight 1. A 2 in the sum is a double count, a 0 a lost update. Answers get
//! lost, updates are replayed, and the sum stays one-hot.

use snowball_crypto::SigningKey;
use snowball_egress::{
    EgressError,
    client::{Body, ClientSettings, Transport},
};
use snowball_layout::Layout;
use snowball_ledger::Ledger;
use snowball_protocol::{
    Attempt, ProblemCode, RoundNumber, Sha256Digest,
    heads::{HeadsAnswer, HeadsOffer},
    session::{JoinRequest, ModelReference, PhaseName, StudySummary, Task},
    update::{Encoding, UpdateHeader, UploadState},
};
use snowball_service::tls;
use snowball_tests::Site;

use crate::stage::Stage;

const SITES: usize = 4;

struct Peer {
    transport: Transport,
    position: usize,
    ledger: Ledger,
}

impl Peer {
    fn of(stage: &Stage, site: &Site, position: usize) -> Self {
        let read = |name: &str| std::fs::read_to_string(site.home.join(name)).unwrap();
        let client = tls::client(&read("certs/ca.pem"), &read("certs/node.pem"), &read("keys/tls.pem")).unwrap();
        let settings = ClientSettings {
            address: format!("https://localhost:{}", stage.port),
            proxy: None,
        };
        let key = SigningKey::from_pem(&read("keys/ledger.pem")).unwrap();
        Self {
            transport: Transport::new(&settings, client).unwrap(),
            position,
            ledger: Ledger::open_shared(&site.home.join("ledger"), site.name.as_str(), key).unwrap(),
        }
    }

    /// No update is taken before a signed head of its site's ledger.
    async fn show_head(&mut self) {
        let site_head = self.ledger.signed_head().unwrap().note;
        let answer: Result<HeadsAnswer, _> = self
            .transport
            .post("v1/heads", &Body::of(&HeadsOffer { site_head }))
            .await;
        answer.unwrap();
    }

    /// The server notices within a moment what the coordinator's command wrote.
    async fn until_open(&self) {
        for _ in 0..100 {
            let studies: Vec<StudySummary> = self.transport.get("v1/studies").await.unwrap();
            if studies.iter().any(|study| study.phase == PhaseName::Recruiting) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("the study did not open");
    }

    async fn join(&self, stage: &Stage, layout: &Layout) {
        let request = JoinRequest {
            plan_digest: stage.plan.digest(),
            policy_digest: Sha256Digest::of(b"policy"),
            layout_digest: layout.digest(),
            training_examples: 1,
        };
        let _: serde_json::Value = self
            .transport
            .post("v1/studies/story/join", &Body::of(&request))
            .await
            .unwrap();
    }

    async fn model(&self) -> ModelReference {
        for _ in 0..100 {
            match self
                .transport
                .get::<Task>("v1/studies/story/task?wait_seconds=5")
                .await
                .unwrap()
            {
                Task::Train { model, .. } => return model,
                _ => continue,
            }
        }
        panic!("no task came");
    }

    fn update(&self, stage: &Stage, layout: &Layout, model: &ModelReference, attempt: u32) -> (UpdateHeader, Vec<u8>) {
        let mut delta = vec![0.0_f32; layout.parameters()];
        delta[self.position] = 1.0;
        let bytes = snowball_layout::to_le_bytes(&delta);
        let header = UpdateHeader {
            study: stage.plan.study.clone(),
            round: RoundNumber(1),
            attempt: Attempt(attempt),
            plan_digest: stage.plan.digest(),
            policy_digest: Sha256Digest::of(b"policy"),
            model_in: model.digest,
            layout_digest: layout.digest(),
            encoding: Encoding::DeltaF32,
            bytes: bytes.len() as u64,
            digest: Sha256Digest::of(&bytes),
            examples: 1,
            local_steps: stage.plan.local.steps,
            training_loss: 1.0,
            evaluation: None,
            ledger_index: 1,
            ledger_head: Sha256Digest::of(b"head"),
        };
        (header, bytes)
    }

    async fn announce(&self, header: &UpdateHeader) -> Result<UploadState, EgressError> {
        self.transport
            .post("v1/studies/story/rounds/1/updates", &Body::of(header))
            .await
    }

    async fn chunk(&self, state: &UploadState, bytes: &[u8]) -> Result<UploadState, EgressError> {
        let from = state.offset as usize;
        let to = (from + 4096).min(bytes.len());
        self.transport
            .patch(
                &format!("v1/uploads/{}?offset={from}", state.upload.0),
                bytes[from..to].to_vec(),
            )
            .await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_site_counts_once_whatever_is_lost_or_replayed() {
    let stage = Stage::set(SITES as u32, 1, 8).await;
    let layout = Layout::of(&stage.plan);
    let mut peers = Vec::new();
    for (position, site) in stage.consortium.sites.iter().enumerate() {
        stage.consortium.make_node(site, 1).await.unwrap();
        stage.consortium.enrol(site, &stage.hear).await.unwrap();
        peers.push(Peer::of(&stage, site, position));
    }
    stage.start_study().await;
    peers[0].until_open().await;
    for peer in &mut peers {
        peer.join(&stage, &layout).await;
        peer.show_head().await;
    }
    let model = peers[0].model().await;
    let before = download(&peers[0], 0, model.bytes).await;

    for peer in &peers {
        let (header, bytes) = peer.update(&stage, &layout, &model, 1);
        let mut state = peer.announce(&header).await.unwrap();
        // Every second answer is "lost": the same chunk goes again, the announcement tells where the upload stands.
        let mut is_lost = false;
        let receipt = loop {
            if let Some(receipt) = state.receipt {
                break receipt;
            }
            let answer = peer.chunk(&state, &bytes).await.unwrap();
            is_lost = !is_lost;
            state = if is_lost {
                peer.announce(&header).await.unwrap()
            } else {
                answer
            };
        };
        assert_eq!(receipt.receipt.update_digest, header.digest);
        let again = peer.announce(&header).await.unwrap();
        assert_eq!(again.receipt, Some(receipt), "a replay gets the same receipt");
        let (mut other, _) = peer.update(&stage, &layout, &model, 2);
        other.digest = Sha256Digest::of(b"another update of the same site");
        let refused = peer.announce(&other).await;
        let codes = [
            ProblemCode::AlreadyContributed,
            ProblemCode::RoundClosed,
            ProblemCode::StudyClosed,
        ];
        assert!(
            matches!(&refused, Err(EgressError::Refused(problem)) if codes.contains(&problem.code)),
            "{refused:?}"
        );
    }

    stage
        .wait("the round's end", |status| {
            status["rounds"].as_array().is_some_and(|rounds| rounds.len() == 1)
        })
        .await;
    let after = download(&peers[0], 1, model.bytes).await;
    for position in 0..layout.parameters() {
        let change = (after[position] - before[position]) * SITES as f32;
        let expected = if position < SITES { 1.0 } else { 0.0 };
        assert!(
            (change - expected).abs() < 1e-5,
            "parameter {position} changed by {change}, not {expected}"
        );
    }
}

async fn download(peer: &Peer, round: u32, bytes: u64) -> Vec<f32> {
    let bytes = peer
        .transport
        .download(&format!("v1/studies/story/models/{round}"), bytes)
        .await
        .unwrap();
    snowball_layout::from_le_bytes(&bytes).unwrap()
}
