//! The registry on real files: enrolment, a study from its first to its last round, and several processes at once.

mod enrolment;
mod sharing;
mod study;

use snowball_protocol::{
    Attempt, RoundNumber, Sha256Digest, SiteName, StudyPlan,
    enrolment::EnrolmentRequest,
    ids::UnixSeconds,
    receipt::{Receipt, SignedReceipt},
    session::JoinRequest,
    update::{Encoding, UpdateHeader},
};
use snowball_rounds::{AdmittedUpdate, Event, Facts, Inspection, Step, admit};

use crate::{Certificate, Change, Redeemed, Registry, RegistryError, Study, Upload};

const PLAN: &str = r#"
format = 1
study = "body-parts"
title = "Body parts"
purpose = "pretraining"
seed = 7
preprocessing = "letterbox-v1"
augmentation = "none"
send = ["update", "metrics"]
network = { architecture = "small", input_side = 64, width = 16 }
optimiser = { rule = "adamw", learning_rate = 0.001, weight_decay = 0.01, schedule = "constant" }
local = { steps = 10, batch_size = 32 }
strategy = { examples_max = 1000, update_norm_max = 100.0 }
heads = [{ label = "body_part", kind = { classes = ["CHEST", "HAND"] }, weight = 1.0 }]

[rounds]
count = 2
sites = { min = 2, max = 4 }
recruit_seconds = { min = 0, max = 100 }
updates = { min = 2, max = 4 }
collect_seconds = { min = 5, max = 60 }
review_seconds_max = 20
"#;

fn plan() -> StudyPlan {
    toml::from_str(PLAN).unwrap()
}

fn site(name: &str) -> SiteName {
    name.parse().unwrap()
}

/// A registry on a file of its own.
struct Home {
    folder: tempfile::TempDir,
    registry: Registry,
}

impl Home {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(&folder.path().join("registry.sqlite")).await.unwrap();
        Self { folder, registry }
    }

    /// Drops the registry without closing it and opens its file again.
    async fn restarted(self) -> Self {
        let Self { folder, registry } = self;
        drop(registry);
        let registry = Registry::open(&folder.path().join("registry.sqlite")).await.unwrap();
        Self { folder, registry }
    }

    async fn enrol(&self, name: &str, now: UnixSeconds) -> Certificate {
        let token = format!("token-{name}-{now}");
        self.registry.invite(&site(name), &token, now + 100, now).await.unwrap();
        let request = request(name, &token);
        let redeemed = self
            .registry
            .redeem_invitation(&request, Sha256Digest::of(b"key"), now)
            .await;
        let Ok(Redeemed::New(id)) = redeemed else {
            panic!("{redeemed:?}")
        };
        let certificate = certificate(&format!("{name}-{now}"));
        self.registry
            .approve(&id, &certificate, "agreed by telephone", now)
            .await
            .unwrap();
        certificate
    }

    async fn study(&self) -> Study {
        self.registry.study(&plan().study).await.unwrap().unwrap()
    }

    /// Handles an event that goes with no row of its own.
    async fn send(&self, event: Event, now: UnixSeconds) -> Study {
        let study = self.study().await;
        let step = study.phase.handle(event, now, &study.plan).unwrap();
        self.registry
            .save_phase(&study.plan.study, study.version, &step, now)
            .await
            .unwrap();
        self.study().await
    }

    /// A started study with these sites, in its first round.
    async fn collecting(&self, sites: &[&str], now: UnixSeconds) -> Study {
        let mut plan = plan();
        plan.rounds.sites.min = u32::try_from(sites.len()).unwrap();
        self.registry.create_study(&plan, now).await.unwrap();
        self.send(
            Event::Started {
                model: Sha256Digest::of(b"initial"),
            },
            now,
        )
        .await;
        for name in sites {
            self.enrol(name, now).await;
            let study = self.study().await;
            let event = Event::Joined { site: site(name) };
            let addition = study.phase.addition(&event, now, &study.plan);
            let step = study.phase.handle(event, now, &study.plan).unwrap();
            let change = addition.as_ref().map_or(Change::Step(&step), Change::Addition);
            let name = site(name);
            self.registry
                .join(&plan.study, study.version, change, &name, &join_request(), now)
                .await
                .unwrap();
        }
        self.study().await
    }

    async fn announce(&self, name: &str, attempt: u32, values: &[f32]) -> Result<Upload, RegistryError> {
        let header = header(&self.study().await, attempt, values);
        self.registry.begin_upload(&site(name), &header, 10).await
    }

    /// Announces, uploads and admits in one go.
    async fn contribute(&self, name: &str, attempt: u32, values: &[f32], now: UnixSeconds) -> SignedReceipt {
        let upload = self.announce(name, attempt, values).await.unwrap();
        self.registry
            .advance_upload(&upload.id, upload.offset, upload.header.bytes, now)
            .await
            .unwrap();
        let (study, step, admitted, receipt) = self.checked(&upload, values, now).await;
        let addition = study.phase.addition(&admitted.event(), now, &study.plan);
        let change = addition.as_ref().map_or(Change::Step(&step), Change::Addition);
        self.registry
            .admit_update(&upload.id, study.version, change, &admitted, &receipt, now)
            .await
            .unwrap();
        receipt
    }

    /// What the intake and the machine make of a whole update.
    async fn checked(
        &self,
        upload: &Upload,
        values: &[f32],
        now: UnixSeconds,
    ) -> (Study, Step, AdmittedUpdate, SignedReceipt) {
        let study = self.study().await;
        let mut inspection = Inspection::of(&study.plan, values.len());
        inspection.bytes(&bytes_of(values));
        let facts = Facts {
            site: &upload.site,
            is_revoked: false,
            plan: &study.plan,
            plan_digest: study.plan_digest,
            layout_digest: Sha256Digest::of(b"layout"),
            parameters: values.len(),
            phase: &study.phase,
            header: &upload.header,
        };
        let admitted = admit(&facts, &inspection.finish()).unwrap();
        let step = study.phase.handle(admitted.event(), now, &study.plan).unwrap();
        (study, step, admitted, receipt(upload, now))
    }
}

fn request(name: &str, token: &str) -> EnrolmentRequest {
    EnrolmentRequest {
        site: site(name),
        token: token.to_owned(),
        csr_pem: format!("request of {name} with {token}"),
        ledger_key: format!("key of {name}"),
    }
}

fn certificate(serial: &str) -> Certificate {
    Certificate {
        serial: serial.to_owned(),
        pem: format!("certificate {serial}"),
        expires: 5_000,
    }
}

fn join_request() -> JoinRequest {
    JoinRequest {
        plan_digest: plan().digest(),
        policy_digest: Sha256Digest::of(b"policy"),
        layout_digest: Sha256Digest::of(b"layout"),
        training_examples: 100,
    }
}

fn bytes_of(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn header(study: &Study, attempt: u32, values: &[f32]) -> UpdateHeader {
    let bytes = bytes_of(values);
    UpdateHeader {
        study: study.plan.study.clone(),
        round: study.phase.round(),
        attempt: Attempt(attempt),
        plan_digest: study.plan_digest,
        policy_digest: Sha256Digest::of(b"policy"),
        model_in: study
            .phase
            .model()
            .map_or_else(|| Sha256Digest::of(b""), |model| model.digest),
        layout_digest: Sha256Digest::of(b"layout"),
        encoding: Encoding::DeltaF32,
        bytes: bytes.len() as u64,
        digest: Sha256Digest::of(&bytes),
        examples: 10,
        local_steps: study.plan.local.steps,
        control_from: None,
        // A number that JSON readers are known to round.
        training_loss: 0.123_456_789_012_345_68,
        evaluation: None,
        ledger_index: u64::from(attempt) + 5,
        ledger_head: Sha256Digest::of(&attempt.to_le_bytes()),
    }
}

fn receipt(upload: &Upload, now: UnixSeconds) -> SignedReceipt {
    let header = &upload.header;
    let receipt = Receipt {
        study: header.study.clone(),
        round: header.round,
        site: upload.site.clone(),
        attempt: header.attempt,
        plan_digest: header.plan_digest,
        policy_digest: header.policy_digest,
        model_in: header.model_in,
        behind: 0,
        update_digest: header.digest,
        update_bytes: header.bytes,
        examples: header.examples,
        control_from: None,
        ledger_head: header.ledger_head,
        received: now,
    };
    SignedReceipt {
        receipt,
        signature: "signature".to_owned(),
    }
}

fn round(number: u32) -> RoundNumber {
    RoundNumber(number)
}
