//! One study's driver: takes requests one at a time, asks the pure machine, saves, then lets everyone know.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use snowball_ledger::Entry;
use snowball_protocol::{
    Problem, ProblemCode, Sha256Digest, SiteName, StudyName,
    ids::{RoundNumber, UnixSeconds, UploadId},
    plan::canonical_json,
    receipt::SignedReceipt,
    record::RoundRecord,
    session::JoinRequest,
    update::FinalEvaluation,
};
use snowball_registry::{Answer, Change, ObjectName, RegistryError, Study, Upload, UploadState};
use snowball_rounds::{Addition, AdmittedUpdate, Effect, Event, Inspected, Phase, RunningMean};
use snowball_service::clock;
use tokio::{
    sync::{mpsc, oneshot},
    time::sleep,
};
use tracing::Instrument as _;

use super::desk::{Call, Desk, Request, is_over};
use crate::{
    intake,
    state::{Core, Recording},
    stop::Stop,
};

/// How often a write is tried again that another process overtook.
const OVERTAKEN_MAX: u32 = 8;
/// How long after a fault (a full disk, say) a round's end is tried again.
const RETRY_SECONDS: u64 = 5;

/// The driver's own state; what counts is in the database.
pub(super) struct Driver {
    pub core: Arc<Core>,
    pub desk: Arc<Desk>,
    pub phase: Phase,
    pub version: u64,
    /// The running sum of the round under way, with its round; rebuilt from the kept files where it is lost.
    pub sum: Option<(RoundNumber, RunningMean)>,
    /// Refusals of this round that stand in the record already.
    noted: BTreeSet<(RoundNumber, SiteName, u16)>,
}

/// What is saved together with a new phase.
pub(super) enum Save<'a> {
    /// Nothing else.
    Phase,
    /// A site's joining.
    Join(&'a SiteName, &'a JoinRequest),
    /// An update that counts, with its receipt.
    Update(&'a UploadId, &'a AdmittedUpdate, &'a SignedReceipt),
    /// A round's record.
    Round(&'a RoundRecord),
    /// A final evaluation.
    Evaluation(&'a SiteName, &'a FinalEvaluation),
}

/// What came of an update that counts.
// One lives at a time, so a box would save nothing.
#[allow(clippy::large_enum_variant)]
enum Admitted {
    /// It is to be added to the sum.
    Now {
        receipt: SignedReceipt,
        recording: Recording,
        update: AdmittedUpdate,
        file: ObjectName,
    },
    /// It has counted before.
    Before(SignedReceipt),
}

/// Answers when what stands in the database stands in the ledger, too. The driver goes on meanwhile, so that the entries of many
/// sites share a sync.
fn answer<T: Send + 'static>(done: oneshot::Sender<T>, outcome: T, recording: Option<Recording>) {
    match recording {
        None => drop(done.send(outcome)),
        Some(recording) => drop(tokio::spawn(async move {
            recording.done().await;
            let _ = done.send(outcome);
        })),
    }
}

/// The ledger's entry for a site's joining.
pub(super) fn joined_entry(study: &StudyName, site: &SiteName, request: &JoinRequest) -> Entry {
    Entry::StudyJoined {
        study: study.clone(),
        site: Some(site.clone()),
        plan_digest: request.plan_digest,
        policy_digest: request.policy_digest,
    }
}

/// Starts the driver of `study`.
pub(super) async fn open(core: Arc<Core>, study: Study, stop: Stop) -> Result<Arc<Desk>, RegistryError> {
    let members = if is_over(&study.phase) {
        let participants = core.registry.participants(&study.plan.study).await?;
        let joined = participants
            .into_iter()
            .filter(|participant| matches!(participant.answer, Answer::Joined(_)));
        joined.map(|participant| participant.site).collect()
    } else {
        study.phase.members()
    };
    let (desk, inbox) = Desk::open(&study, members);
    let desk = Arc::new(desk);
    let driver = Driver {
        core,
        desk: Arc::clone(&desk),
        phase: study.phase,
        version: study.version,
        sum: None,
        noted: BTreeSet::new(),
    };
    tokio::spawn(driver.run(inbox, stop));
    Ok(desk)
}

impl Driver {
    async fn run(mut self, mut inbox: mpsc::Receiver<Call>, mut stop: Stop) {
        loop {
            if let Some(effect) = self.phase.resume() {
                if let Err(error) = self.close_round(effect).await {
                    tracing::error!(study = %self.name(), error = format!("{error:#}"), "the round could not be closed; trying again");
                    tokio::select! {
                        () = sleep(Duration::from_secs(RETRY_SECONDS)) => {}
                        () = stop.asked() => return,
                    }
                    // Another process may have ended the study meanwhile.
                    self.reload().await;
                }
                continue;
            }
            tokio::select! {
                call = inbox.recv() => match call {
                    Some(Call { span, request }) => self.perform(request).instrument(span).await,
                    None => return,
                },
                () = self.until_wake() => self.tick().await,
                () = stop.asked() => return,
            }
        }
    }

    async fn perform(&mut self, request: Request) {
        // Whoever asked may have hung up: what was saved stays saved, and a retry gets the same answer.
        match request {
            Request::Reload => self.reload().await,
            Request::Join { site, request, done } => match self.join(&site, &request).await {
                Ok(recording) => answer(done, Ok(()), recording),
                Err(problem) => answer(done, Err(problem), None),
            },
            Request::Leave { site } => {
                if let Err(problem) = self.advance(&Event::Left { site: site.clone() }, Save::Phase).await {
                    tracing::error!(study = %self.name(), %site, %problem, "a revoked site could not be taken out");
                }
            }
            Request::Admit {
                upload,
                inspected,
                done,
            } => match self.admit(&upload, &inspected).await {
                Ok(Admitted::Now {
                    receipt,
                    recording,
                    update,
                    file,
                }) => {
                    answer(done, Ok(receipt), Some(recording));
                    self.fold(update, file).await;
                }
                Ok(Admitted::Before(receipt)) => answer(done, Ok(receipt), None),
                Err(problem) => answer(done, Err(problem), None),
            },
            Request::NoteRefusal { site, round, problem } => self.note_refusal(&site, round, &problem).await,
            Request::Evaluated { site, evaluation, done } => {
                let _ = done.send(self.evaluated(&site, &evaluation).await);
            }
        }
    }

    async fn join(&mut self, site: &SiteName, request: &JoinRequest) -> Result<Option<Recording>, Problem> {
        if self.phase.is_member(site) {
            return Ok(None);
        }
        self.advance(&Event::Joined { site: site.clone() }, Save::Join(site, request))
            .await?;
        let entries = vec![joined_entry(self.name(), site, request)];
        Ok(Some(self.core.begin_record(clock::now(), entries).await))
    }

    async fn evaluated(&mut self, site: &SiteName, evaluation: &FinalEvaluation) -> Result<(), Problem> {
        let before = self.version;
        self.advance(
            &Event::Evaluated { site: site.clone() },
            Save::Evaluation(site, evaluation),
        )
        .await?;
        if self.version != before {
            let digest = Sha256Digest::of(&canonical_json(evaluation));
            let entry = Entry::EvaluationAdmitted {
                site: site.clone(),
                study: self.name().clone(),
                digest,
            };
            self.core.record(clock::now(), vec![entry]).await;
        }
        Ok(())
    }

    async fn admit(&mut self, id: &UploadId, inspected: &Inspected) -> Result<Admitted, Problem> {
        let missing = || Problem::new(ProblemCode::NotFound, "no such upload");
        let upload = self.core.registry.upload(id).await?.ok_or_else(missing)?;
        match &upload.state {
            UploadState::Admitted { receipt, .. } => return Ok(Admitted::Before(receipt.clone())),
            UploadState::Refused { problem } => return Err(problem.clone()),
            UploadState::Superseded => return Err(intake::superseded()),
            UploadState::Uploading => {}
        }
        let is_revoked = self
            .core
            .registry
            .site(&upload.site)
            .await?
            .is_none_or(|site| site.revoked.is_some());
        let admitted = snowball_rounds::admit(
            &intake::facts(&self.desk, &self.phase, &upload.site, is_revoked, &upload.header),
            inspected,
        );
        let update = match admitted {
            Ok(update) => update,
            Err(problem) => return Err(self.refuse(&upload, problem).await),
        };
        let now = clock::now();
        let receipt = intake::receipt(&self.core.key, &upload, &update, now);
        match self.advance(&update.event(), Save::Update(id, &update, &receipt)).await {
            Ok(()) => {}
            Err(problem) if problem.code.is_transient() => return Err(problem),
            Err(problem) => return Err(self.refuse(&upload, problem).await),
        }
        let entries = vec![intake::admitted_entry(&upload, &update)];
        let recording = self.core.begin_record(now, entries).await;
        tracing::info!(study = %self.name(), round = %update.round(), site = %update.site(), examples = update.examples(), "update taken in");
        Ok(Admitted::Now {
            receipt,
            recording,
            update,
            file: upload.file,
        })
    }

    async fn refuse(&mut self, upload: &Upload, problem: Problem) -> Problem {
        let (header, now) = (&upload.header, clock::now());
        tracing::info!(study = %self.name(), round = %header.round, site = %upload.site, code = ?problem.code, "update refused");
        if let Err(error) = self.core.registry.refuse_update(&upload.id, &problem, now).await {
            tracing::error!(%error, "a refusal could not be saved");
        }
        self.core
            .record(
                now,
                vec![intake::refused_entry(
                    self.name(),
                    header.round,
                    &upload.site,
                    problem.code,
                )],
            )
            .await;
        // A stubborn site must not fill the disk until the round's end.
        super::heal::files(&self.core).await;
        problem
    }

    async fn note_refusal(&mut self, site: &SiteName, round: RoundNumber, problem: &Problem) {
        // One line a site, round and code: a stubborn node must not fill the disk.
        if round != self.phase.round() || !self.noted.insert((round, site.clone(), problem.code as u16)) {
            return;
        }
        let now = clock::now();
        if let Err(error) = self
            .core
            .registry
            .note_refusal(self.name(), round, site, problem, now)
            .await
        {
            tracing::error!(%error, "a refusal could not be saved");
        }
        self.core
            .record(now, vec![intake::refused_entry(self.name(), round, site, problem.code)])
            .await;
    }

    async fn tick(&mut self) {
        if let Err(problem) = self.advance(&Event::Tick, Save::Phase).await {
            tracing::error!(study = %self.name(), %problem, "the study's clock could not be advanced");
            sleep(Duration::from_secs(1)).await;
        }
    }

    /// Asks the machine, saves, publishes; where another process was faster, on its state again.
    pub async fn advance(&mut self, event: &Event, save: Save<'_>) -> Result<(), Problem> {
        for _ in 0..OVERTAKEN_MAX {
            let now = clock::now();
            let saved = match self.phase.addition(event, now, self.desk.plan()) {
                Some(addition) => {
                    let saved = self.commit(Change::Addition(&addition), &save, now).await;
                    saved.map(|version| self.add(&addition, version))
                }
                None => {
                    let step = self.phase.handle(event.clone(), now, self.desk.plan())?;
                    if !step.changed && matches!(save, Save::Phase) {
                        return Ok(());
                    }
                    match self.commit(Change::Step(&step), &save, now).await {
                        Ok(version) => {
                            self.adopt(step.phase, version);
                            self.record_effects(&step.effects, now).await;
                            Ok(())
                        }
                        Err(error) => Err(error),
                    }
                }
            };
            match saved {
                Ok(()) => return Ok(()),
                Err(RegistryError::Stale { .. }) => self.reload().await,
                Err(error) => {
                    tracing::error!(study = %self.name(), %error, "a change could not be saved");
                    return Err(error.into());
                }
            }
        }
        Err(Problem::new(ProblemCode::Busy, "the study changed too often meanwhile"))
    }

    async fn record_effects(&self, effects: &[Effect], now: UnixSeconds) {
        let study = self.name().clone();
        let mut entries = Vec::new();
        for effect in effects {
            tracing::info!(%study, ?effect, "the study moved");
            let study = study.clone();
            entries.extend(match effect {
                Effect::OpenRound { round, model, .. } => Some(Entry::RoundOpened {
                    study,
                    round: *round,
                    model_in: *model,
                }),
                Effect::OpenReview { model, .. } => Some(Entry::StudyFinished { study, model: *model }),
                Effect::Abandon { reason } => Some(Entry::StudyAborted {
                    study,
                    reason: reason.clone(),
                }),
                _ => None,
            });
        }
        if !entries.is_empty() {
            self.core.record(now, entries).await;
        }
    }

    async fn commit(&self, change: Change<'_>, save: &Save<'_>, now: UnixSeconds) -> Result<u64, RegistryError> {
        let (registry, study, version) = (&self.core.registry, self.name(), self.version);
        match save {
            Save::Phase => registry.save_phase(study, version, change, now).await,
            Save::Join(site, request) => registry.join(study, version, change, site, request, now).await,
            Save::Update(id, update, receipt) => registry.admit_update(id, version, change, update, receipt, now).await,
            Save::Round(record) => registry.close_round(study, version, change, record, now).await,
            Save::Evaluation(site, evaluation) => {
                registry
                    .save_evaluation(study, version, change, site, evaluation, now)
                    .await
            }
        }
    }

    /// Takes over what another process saved.
    async fn reload(&mut self) {
        match self.core.registry.study(self.name()).await {
            Ok(Some(study)) if study.version != self.version => self.adopt(study.phase, study.version),
            Ok(_) => {}
            Err(error) => tracing::error!(study = %self.name(), %error, "the study could not be read again"),
        }
    }

    fn add(&mut self, addition: &Addition, version: u64) {
        // There is a place for it: it was found for this very phase.
        let _ = self.phase.add(addition);
        self.version = version;
        self.desk.publish_addition(addition, version);
    }

    fn adopt(&mut self, phase: Phase, version: u64) {
        self.noted.retain(|(round, ..)| *round == phase.round());
        if !matches!(phase.within(), Phase::Collecting(_) | Phase::Aggregating(_)) {
            self.sum = None;
        }
        self.phase = phase;
        self.version = version;
        self.desk.publish(self.phase.clone(), version);
    }

    async fn until_wake(&self) {
        match self.phase.next_wake(self.desk.plan()) {
            // The clock has whole seconds: a little past the full one, and never a busy loop.
            Some(wake) => {
                let seconds = u64::try_from(wake - clock::now()).unwrap_or(0);
                sleep(Duration::from_secs(seconds) + Duration::from_millis(100)).await;
            }
            None => std::future::pending().await,
        }
    }

    pub fn name(&self) -> &StudyName {
        &self.desk.plan().study
    }
}
