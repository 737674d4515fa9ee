//! A site without a node: the node's own way out, and updates that a story makes up.

use snowball_crypto::SigningKey;
use snowball_egress::{
    EgressError,
    client::{Body, ClientSettings, Transport},
};
use snowball_layout::Layout;
use snowball_ledger::{Entry, Ledger, Record};
use snowball_protocol::{
    Attempt, RoundNumber, Sha256Digest, StudyPlan,
    heads::{HeadsAnswer, HeadsOffer},
    receipt::SignedReceipt,
    session::{JoinRequest, ModelReference, PhaseName, StudySummary, Task},
    update::{Encoding, UpdateHeader, UploadState},
};
use snowball_service::tls;
use snowball_tests::Site;

/// Small, so that every update takes several chunks.
const CHUNK_BYTES: usize = 16 * 1024;

pub struct Peer {
    pub transport: Transport,
    pub position: usize,
    ledger: Ledger,
}

impl Peer {
    /// Speaks for `site`, which is enrolled, to the aggregator at `port`.
    pub fn of(site: &Site, port: u16, position: usize) -> Self {
        let settings = ClientSettings {
            address: format!("https://localhost:{port}"),
            proxy: None,
        };
        let key = SigningKey::from_pem(&read(site, "keys/ledger.pem")).unwrap();
        Self {
            transport: Transport::new(&settings, tls_of(site)).unwrap(),
            position,
            ledger: Ledger::open_shared(&site.home.join("ledger"), site.name.as_str(), key).unwrap(),
        }
    }

    /// The signed head of its site's ledger.
    pub fn signed_head(&mut self) -> String {
        self.ledger.signed_head().unwrap().note
    }

    /// Writes an entry into its site's ledger.
    pub fn record(&mut self, entry: Entry) -> Record {
        self.ledger.append(1_800_000_000, entry).unwrap()
    }

    /// No update is taken before it.
    pub async fn show_head(&mut self) {
        let offer = Body::of(&HeadsOffer {
            site_head: self.signed_head(),
        });
        let answer: Result<HeadsAnswer, _> = self.transport.post("v1/heads", &offer).await;
        answer.unwrap();
    }

    /// The server notices within a moment what the coordinator's command wrote.
    pub async fn until_open(&self, plan: &StudyPlan) {
        for _ in 0..100 {
            let studies: Vec<StudySummary> = self.transport.get("v1/studies").await.unwrap();
            let is_it = |study: &StudySummary| study.study == plan.study && study.phase == PhaseName::Recruiting;
            if studies.iter().any(is_it) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("the study did not open");
    }

    pub async fn join(&self, plan: &StudyPlan) {
        let request = JoinRequest {
            plan_digest: plan.digest(),
            policy_digest: Sha256Digest::of(b"policy"),
            layout_digest: Layout::of(plan).digest(),
            training_examples: 1,
        };
        let path = format!("v1/studies/{}/join", plan.study);
        let _: serde_json::Value = self.transport.post(&path, &Body::of(&request)).await.unwrap();
    }

    /// The model that `round` starts from, once it is open.
    pub async fn model(&self, plan: &StudyPlan, round: u32) -> ModelReference {
        let path = format!("v1/studies/{}/task?wait_seconds=5", plan.study);
        for _ in 0..100 {
            if let Ok(Task::Train { round: open, model, .. }) = self.transport.get::<Task>(&path).await
                && open == RoundNumber(round)
            {
                return model;
            }
        }
        panic!("round {round} did not open");
    }

    /// The update that adds `delta` to the model, with one example behind it.
    pub fn update(plan: &StudyPlan, model: &ModelReference, attempt: u32, delta: &[f32]) -> (UpdateHeader, Vec<u8>) {
        let bytes = snowball_layout::to_le_bytes(delta);
        let header = UpdateHeader {
            study: plan.study.clone(),
            round: RoundNumber(model.round.0 + 1),
            attempt: Attempt(attempt),
            plan_digest: plan.digest(),
            policy_digest: Sha256Digest::of(b"policy"),
            model_in: model.digest,
            layout_digest: model.layout_digest,
            encoding: Encoding::DeltaF32,
            bytes: bytes.len() as u64,
            digest: Sha256Digest::of(&bytes),
            examples: 1,
            local_steps: plan.local.steps,
            control_from: None,
            training_loss: 1.0,
            evaluation: None,
            ledger_index: 1,
            ledger_head: Sha256Digest::of(b"head"),
        };
        (header, bytes)
    }

    pub async fn announce(&self, header: &UpdateHeader) -> Result<UploadState, EgressError> {
        let path = format!("v1/studies/{}/rounds/{}/updates", header.study, header.round);
        self.transport.post(&path, &Body::of(header)).await
    }

    pub async fn chunk(&self, state: &UploadState, bytes: &[u8]) -> Result<UploadState, EgressError> {
        let from = state.offset as usize;
        let to = (from + CHUNK_BYTES).min(bytes.len());
        let path = format!("v1/uploads/{}?offset={from}", state.upload.0);
        self.transport.patch(&path, bytes[from..to].to_vec()).await
    }

    /// Announces and sends to the end.
    pub async fn send(&self, header: &UpdateHeader, bytes: &[u8]) -> Result<SignedReceipt, EgressError> {
        let mut state = self.announce(header).await?;
        loop {
            match state.receipt {
                Some(receipt) => return Ok(receipt),
                None => state = self.chunk(&state, bytes).await?,
            }
        }
    }

    pub async fn download(&self, plan: &StudyPlan, round: u32) -> Vec<f32> {
        let path = format!("v1/studies/{}/models/{round}", plan.study);
        let (bytes, _) = self
            .transport
            .download(&path, Layout::of(plan).bytes(), |_| {})
            .await
            .unwrap();
        snowball_layout::from_le_bytes(&bytes).unwrap()
    }
}

/// What the node of `site` speaks TLS with.
pub fn tls_of(site: &Site) -> rustls::ClientConfig {
    tls::client(
        &read(site, "certs/ca.pem"),
        &read(site, "certs/node.pem"),
        &read(site, "keys/tls.pem"),
    )
    .unwrap()
}

fn read(site: &Site, name: &str) -> String {
    std::fs::read_to_string(site.home.join(name)).unwrap()
}
