//! Carries out what `participation` decides: follows every study of the aggregator until it is over.

mod kept;
mod own_model;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use snowball_egress::{
    Budget, Door, Egress, EgressError, Outbox,
    client::{Bandwidth, ClientSettings, Transport},
};
use snowball_layout::Layout;
use snowball_ledger::Entry;
use snowball_participation::{self as participation, Action, Fault, Interest, Progress};
use snowball_protocol::{
    RoundNumber, Sha256Digest, StudyName, StudyPlan,
    evaluation::Evaluation,
    session::{ModelReference, PhaseName, StudySummary},
};
use snowball_service::{clock, files, tls};
use snowball_store::Store;
use snowball_worker::shard::Part;
use tokio::{sync::Semaphore, task::JoinHandle};

use crate::{
    authorities,
    config::NodeConfig,
    datasets::{self, StudyDataset},
    enrolment,
    events::{Event, Voice},
    home::Home,
    policy, receipts, renewal, retention,
    round::{self, Order, Trained},
    trainer::Trainer,
};

const POLL_SECONDS: u32 = 25;
const LIST_PAUSE: Duration = Duration::from_secs(3);
const RETRY_MILLISECONDS_MAX: u64 = 15_000;
/// Before a round that failed here is tried again: somebody may mend the policy or the trainer.
const MEND_PAUSE: Duration = Duration::from_secs(20);
/// How often what the policy no longer lets the site keep is looked for.
const TIDY_EVERY: Duration = Duration::from_secs(3600);
/// Before a study that this site could not follow is looked at again.
const RECONSIDER: Duration = Duration::from_secs(600);

/// The studies that are being followed, and since when.
type Following = BTreeMap<StudyName, (Instant, JoinHandle<Result<PhaseName>>)>;

/// Everything that following a study needs.
pub struct Driver {
    home: Home,
    config: NodeConfig,
    egress: Egress,
    store: Store,
    trainer: Trainer,
    /// Of the certificate that the door was opened with.
    certificate_serial: String,
    /// One training at a time, however many studies there are.
    bench: Semaphore,
    voice: Voice,
}

impl Driver {
    /// Opens the node's parts.
    pub fn open(home: &Home, trainer: Trainer, voice: Voice) -> Result<Arc<Self>> {
        let config = home.config()?;
        // Read before the door reads it: what is renewed in between is taken up once too often, and never missed.
        let certificate_serial = renewal::current(home)?.serial;
        let door = open_door(home, &config)?
            .with_confinement(trainer.confinement.is_whole())
            .with_progress(Arc::new(move |progress| voice.say(&Event::of(progress))));
        voice.say(&Event::TrainerChosen {
            device: trainer.device_name.clone(),
            why: trainer.why.clone(),
        });
        Ok(Arc::new(Self {
            home: home.clone(),
            store: home.open_store(&config)?,
            egress: Egress::new(door, Outbox::open(&home.outbox())?, home.open_residuals(&config)?),
            config,
            trainer,
            certificate_serial,
            bench: Semaphore::new(1),
            voice,
        }))
    }

    /// Follows all studies; with `until_done`, until that one is over. A broken line is waited out.
    pub async fn run(self: &Arc<Self>, until_done: Option<&StudyName>) -> Result<()> {
        let mut following = Following::new();
        let mut tidied: Option<Instant> = None;
        let mut retry = 250;
        self.connect().await?;
        let _renewal = self.keep_certificate_fresh();
        let _heartbeat = self.keep_authorities();
        loop {
            if tidied.is_none_or(|since| since.elapsed() >= TIDY_EVERY) && self.keep_no_longer_than_allowed().await {
                tidied = Some(Instant::now());
            }
            match self.egress.door().studies().await {
                Ok(studies) => {
                    retry = 250;
                    for summary in studies {
                        self.consider(summary, &mut following);
                    }
                }
                Err(fault) if fault.is_transient() => {
                    self.voice.say(&Event::Disconnected {
                        reason: fault.to_string(),
                    });
                    tokio::time::sleep(Duration::from_millis(retry)).await;
                    retry = (retry * 2).min(RETRY_MILLISECONDS_MAX);
                    continue;
                }
                Err(fault) => return Err(fault.into()),
            }
            tokio::time::sleep(LIST_PAUSE.min(Duration::from_millis(if following.is_empty() { 500 } else { 3000 })))
                .await;
            if let Some(study) = until_done
                && following.get(study).is_some_and(|(_, task)| task.is_finished())
                && let Some((_, task)) = following.remove(study)
            {
                task.await.context("following the study broke off")??;
                return Ok(());
            }
        }
    }

    /// Removes what the policy no longer lets this site keep, unless something is trained just now.
    async fn keep_no_longer_than_allowed(self: &Arc<Self>) -> bool {
        let Ok(_bench) = self.bench.try_acquire() else {
            return false;
        };
        let driver = Arc::clone(self);
        let applied = tokio::task::spawn_blocking(move || {
            // Without a policy nobody says how long, and nothing is removed.
            let Ok(signed) = policy::in_force(&driver.home) else {
                return Ok(());
            };
            let ledger = driver.egress.door().ledger();
            retention::apply(&driver.home, &driver.store, ledger, &signed, clock::now()).map(drop)
        })
        .await;
        match applied {
            Ok(Err(fault)) => tracing::warn!(
                fault = format!("{fault:#}"),
                "what the policy no longer lets us keep is still here"
            ),
            Err(fault) => tracing::warn!(%fault, "what the policy no longer lets us keep is still here"),
            Ok(Ok(())) => {}
        }
        true
    }

    /// Ends with what it returns.
    fn keep_certificate_fresh(self: &Arc<Self>) -> AbortOnDrop {
        let driver = Arc::clone(self);
        AbortOnDrop(tokio::spawn(async move {
            let in_use = driver.certificate_serial.clone();
            renewal::watch(&driver.home, driver.egress.door(), in_use, driver.voice).await;
        }))
    }

    /// Ends with what it returns.
    fn keep_authorities(self: &Arc<Self>) -> AbortOnDrop {
        let driver = Arc::clone(self);
        AbortOnDrop(tokio::spawn(async move {
            authorities::watch(&driver.home, driver.egress.door(), driver.voice).await;
        }))
    }

    async fn connect(&self) -> Result<()> {
        let mut retry = 250;
        loop {
            match self.greet().await {
                Ok(()) => {
                    let address = self.home.aggregator()?.address;
                    self.voice.say(&Event::Connected { address });
                    return Ok(());
                }
                Err(fault) if fault.is_transient() => {
                    self.voice.say(&Event::Disconnected {
                        reason: fault.to_string(),
                    });
                    tokio::time::sleep(Duration::from_millis(retry)).await;
                    retry = (retry * 2).min(RETRY_MILLISECONDS_MAX);
                }
                Err(fault) => return Err(fault).context("the aggregator does not take this node"),
            }
        }
    }

    async fn greet(&self) -> Result<(), EgressError> {
        self.egress.door().hello().await?;
        self.egress.door().exchange_heads().await
    }

    fn consider(self: &Arc<Self>, summary: StudySummary, following: &mut Following) {
        let is_followed =
            |(since, task): &(Instant, JoinHandle<_>)| !task.is_finished() || since.elapsed() < RECONSIDER;
        if following.get(&summary.study).is_some_and(is_followed)
            || participation::interest(&summary) == Interest::Ignore
        {
            return;
        }
        let driver = Arc::clone(self);
        let study = summary.study.clone();
        let task = tokio::spawn(async move {
            let study = summary.study.clone();
            let outcome = driver.follow(summary).await;
            if let Err(fault) = &outcome {
                driver.voice.say(&Event::NotJoined {
                    study,
                    reason: format!("{fault:#}"),
                });
            }
            outcome
        });
        following.insert(study, (Instant::now(), task));
    }

    /// Follows one study from its plan to its end.
    async fn follow(self: &Arc<Self>, summary: StudySummary) -> Result<PhaseName> {
        let plan = Arc::new(self.steadily(|| self.egress.door().plan(&summary)).await?);
        self.keep_plan(&plan)?;
        let dataset = {
            let (driver, plan) = (Arc::clone(self), Arc::clone(&plan));
            tokio::task::spawn_blocking(move || datasets::freeze(&driver.home, &driver.store, &plan)).await??
        };
        let layout = Layout::of(&plan);
        self.egress.door().record(dataset.entry(&plan))?;
        if participation::interest(&summary) == Interest::Join {
            self.join(&plan, &layout, &dataset).await?;
        }
        let part = |count: snowball_store::PartCount| count.radiographs;
        self.voice.say(&Event::Joined {
            study: plan.study.clone(),
            training: part(dataset.frozen.training),
            validation: part(dataset.frozen.validation),
            testing: part(dataset.frozen.testing),
        });
        self.work(&Study { plan, layout, dataset }).await
    }

    /// Keeps the plan, before anything is decided about it, under the digest that the ledger will name.
    fn keep_plan(&self, plan: &StudyPlan) -> Result<()> {
        let path = self.home.plan(&plan.digest());
        if path.exists() {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            files::create_home(parent)?;
        }
        files::write_durable(&path, &plan.canonical_bytes()).with_context(|| format!("cannot write {}", path.display()))
    }

    async fn join(&self, plan: &StudyPlan, layout: &Layout, dataset: &StudyDataset) -> Result<()> {
        let door = self.egress.door();
        // Joining asks all that training asks but the hour, which comes by itself.
        match self.steadily(|| door.join(plan, layout.digest(), &dataset.facts)).await {
            Err(EgressError::Denied {
                clause,
                reason,
                remedy,
                public_words,
            }) => {
                self.steadily(|| door.decline(plan, clause.path(), &public_words))
                    .await?;
                Err(EgressError::Denied {
                    clause,
                    reason,
                    remedy,
                    public_words,
                }
                .into())
            }
            other => Ok(other?),
        }
    }

    async fn work(self: &Arc<Self>, study: &Study) -> Result<PhaseName> {
        let mut progress = Progress::default();
        let mut open = receipts::without_outcome(&self.home, &study.plan.study)?;
        let mut asked = BTreeSet::new();
        // Sent again, it would bring the same receipt into the ledger a second time.
        self.egress
            .forget(&study.plan, &receipts::held(&self.home, &study.plan.study)?)?;
        let mut unsettled: Option<(RoundNumber, String)> = None;
        let mut is_waiting = false;
        loop {
            let task = self
                .steadily(|| self.egress.door().task(&study.plan.study, POLL_SECONDS))
                .await?;
            let ended = participation::ended(&task);
            self.keep_late_receipts(study, ended, &mut asked, &mut open).await?;
            self.keep_outcomes(study, ended, &mut open).await;
            match participation::next(task, &progress) {
                Action::Ask => {}
                Action::Pause => tokio::time::sleep(Duration::from_millis(300)).await,
                Action::Contribute { round, .. } if self.waits(study, Some(round))? => {
                    self.wait_for_hours(study, &mut is_waiting).await;
                }
                Action::Evaluate { .. } if self.waits(study, None)? => {
                    self.wait_for_hours(study, &mut is_waiting).await;
                }
                Action::Contribute { round, model } => match self.contribute(study, round, &model).await {
                    Ok(counted) => {
                        progress.settled = Some(round);
                        open.extend(counted);
                        (unsettled, is_waiting) = (None, false);
                        self.train_own(study, round.0, 1).await;
                    }
                    Err(fault) => {
                        let reason = format!("{fault:#}");
                        let study = study.plan.study.clone();
                        // The same words again and again help nobody.
                        if unsettled.as_ref() != Some(&(round, reason.clone())) {
                            self.voice.say(&Event::NotContributed {
                                study,
                                round,
                                reason: reason.clone(),
                            });
                        }
                        if participation::is_settled(kind(&fault)) {
                            progress.settled = Some(round);
                        } else {
                            unsettled = Some((round, reason));
                            tokio::time::sleep(MEND_PAUSE).await;
                        }
                    }
                },
                Action::Evaluate { model } => {
                    let renewed = self.renewed(study).await?;
                    let study = renewed.as_ref().unwrap_or(study);
                    let evaluation = self.evaluate(study, &model).await?;
                    let own = self.evaluate_own(study).await;
                    self.until_it_may_leave(study).await;
                    let facts = &study.dataset.facts;
                    self.steadily(|| {
                        let door = self.egress.door();
                        door.report(&study.plan, evaluation.clone(), own.clone(), facts)
                    })
                    .await?;
                    self.voice.say(&Event::Evaluated {
                        study: study.plan.study.clone(),
                        evaluation,
                        own,
                    });
                    progress.evaluated = true;
                }
                Action::Leave { phase, model } => {
                    if let Some(model) = model {
                        self.fetch_final(study, &model).await?;
                    }
                    // What this study left in both ledgers is under a head that the other side holds.
                    self.steadily(|| self.egress.door().exchange_heads()).await?;
                    self.voice.say(&Event::Finished {
                        study: study.plan.study.clone(),
                        phase: format!("{phase:?}").to_lowercase(),
                    });
                    return Ok(phase);
                }
            }
        }
    }

    /// Asks once what became of updates whose round ended before this site heard of a receipt, as after a kill between the two: one
    /// that counted gets it still, and what never arrived is forgotten.
    async fn keep_late_receipts(
        &self,
        study: &Study,
        ended: Option<RoundNumber>,
        asked: &mut BTreeSet<RoundNumber>,
        open: &mut BTreeSet<RoundNumber>,
    ) -> Result<()> {
        for round in self.egress.waiting(&study.plan)? {
            // At an hour in which nothing may leave, nothing is asked either.
            if Some(round) > ended || self.egress.door().waits_to_send() || !asked.insert(round) {
                continue;
            }
            match self.egress.resume(&study.plan, round).await {
                Ok(Some(signed)) => {
                    self.kept_of(study).settle(&signed.receipt.model_in)?;
                    open.insert(round);
                }
                Ok(None) => {}
                Err(fault) => {
                    tracing::info!(study = %study.plan.study, %round, %fault, "the update of a round that ended did not count");
                }
            }
        }
        Ok(())
    }

    /// Keeps what the aggregator signed about the rounds that ended, of those in `open`.
    async fn keep_outcomes(&self, study: &Study, ended: Option<RoundNumber>, open: &mut BTreeSet<RoundNumber>) {
        while let Some(round) = open.first().copied().filter(|round| Some(*round) <= ended) {
            let kept = self
                .steadily(|| self.egress.door().keep_outcome(&study.plan, round))
                .await;
            if let Err(fault) = kept {
                tracing::warn!(study = %study.plan.study, %round, %fault, "there is no signed outcome of this round");
            }
            open.remove(&round);
        }
    }

    /// Sends what the outbox holds for this round or, late, for one before, else trains and sends. Gives the rounds that this site
    /// now holds receipts of.
    async fn contribute(
        self: &Arc<Self>,
        study: &Study,
        round: RoundNumber,
        model: &ModelReference,
    ) -> Result<Vec<RoundNumber>> {
        if let Some(signed) = self.egress.resume(&study.plan, round).await? {
            self.kept_of(study).settle(&signed.receipt.model_in)?;
            let (examples, bytes) = (signed.receipt.examples, signed.receipt.update_bytes);
            let study = study.plan.study.clone();
            self.voice.say(&Event::Contributed {
                study,
                round,
                examples,
                bytes,
                loss: 0.0,
                evaluation: None,
            });
            return Ok(vec![round]);
        }
        let renewed = self.renewed(study).await?;
        let mut counted = Vec::new();
        self.bring_late(study, round, renewed.is_some(), &mut counted).await?;
        if counted.contains(&round) {
            return Ok(counted);
        }
        let study = renewed.as_ref().unwrap_or(study);
        self.egress
            .door()
            .may_train(&study.plan, Some(round), &study.dataset.facts)?;
        let kept = self.kept(study).await?;
        let bytes = self.fetch(study, model).await?;
        let trained = self.train(study, round, bytes, kept).await?;
        anyhow::ensure!(
            self.store.stands(&study.dataset.frozen)?,
            "a patient withdrew while this round was trained; it is trained again without them"
        );
        let (loss, evaluation) = (trained.loss, trained.evaluation.clone());
        let update_digest = Sha256Digest::of(&snowball_layout::to_le_bytes(&trained.delta));
        if !trained.kept.is_empty() {
            self.kept_of(study).keep(round, model.digest, &trained.kept)?;
        }
        let candidate = trained.candidate(round, study.layout.digest(), study.dataset.facts);
        self.egress.door().record(Entry::TrainingFinished {
            study: study.plan.study.clone(),
            round,
            examples: candidate.examples,
            model_in: model.digest,
            update_digest,
        })?;
        self.until_it_may_leave(study).await;
        let signed = self.egress.offer(&study.plan, candidate).await?;
        self.kept_of(study).settle(&signed.receipt.model_in)?;
        self.voice.say(&Event::Contributed {
            study: study.plan.study.clone(),
            round,
            examples: signed.receipt.examples,
            bytes: signed.receipt.update_bytes,
            loss,
            evaluation,
        });
        counted.push(round);
        Ok(counted)
    }

    /// Has an update that was late for its own round count in this one, if there is one. What was made with a patient who has
    /// withdrawn since does not leave.
    async fn bring_late(
        &self,
        study: &Study,
        round: RoundNumber,
        has_withdrawn: bool,
        counted: &mut Vec<RoundNumber>,
    ) -> Result<()> {
        let plan = &study.plan;
        if has_withdrawn {
            self.egress.forget_late(plan, round)?;
        }
        if self.egress.door().waits_to_send() {
            // Nothing may leave at this hour; what waits is asked about another time.
            return Ok(());
        }
        let mut heard = Vec::new();
        let brought = self
            .egress
            .bring_late(plan, round, |signed| heard.push(signed.clone()))
            .await?;
        for signed in heard.iter().chain(&brought) {
            self.kept_of(study).settle(&signed.receipt.model_in)?;
            counted.push(signed.receipt.round);
        }
        let Some(signed) = brought else {
            return Ok(());
        };
        self.voice.say(&Event::Late {
            study: plan.study.clone(),
            round,
            behind: signed.receipt.behind,
            bytes: signed.receipt.update_bytes,
        });
        Ok(())
    }

    /// Whether the policy's hours let nothing be done about this round now: neither trained, nor sent what waits in the outbox.
    fn waits(&self, study: &Study, round: Option<RoundNumber>) -> Result<bool> {
        let door = self.egress.door();
        Ok(match round {
            Some(round) if self.egress.holds(&study.plan, round)? || self.egress.holds_late(&study.plan, round)? => {
                door.waits_to_send()
            }
            _ => door.waits_to_train(),
        })
    }

    /// Says once that it waits, and waits a little.
    async fn wait_for_hours(&self, study: &Study, is_waiting: &mut bool) {
        if !std::mem::replace(is_waiting, true) {
            self.voice.say(&Event::Waiting {
                study: study.plan.study.clone(),
            });
        }
        tokio::time::sleep(MEND_PAUSE).await;
    }

    /// Waits for the hours in which something may leave.
    async fn until_it_may_leave(&self, study: &Study) {
        let mut is_waiting = false;
        while self.egress.door().waits_to_send() {
            self.wait_for_hours(study, &mut is_waiting).await;
        }
    }

    /// Waits for the hours in which something may be trained.
    async fn until_it_may_train(&self, study: &Study) {
        let mut is_waiting = false;
        while self.egress.door().waits_to_train() {
            self.wait_for_hours(study, &mut is_waiting).await;
        }
    }

    /// The study with a new dataset, where a patient of the old one has withdrawn since.
    async fn renewed(self: &Arc<Self>, study: &Study) -> Result<Option<Study>> {
        if self.store.stands(&study.dataset.frozen)? {
            return Ok(None);
        }
        self.egress.forget_residual(&study.plan)?;
        let (driver, plan) = (Arc::clone(self), Arc::clone(&study.plan));
        let dataset =
            tokio::task::spawn_blocking(move || datasets::freeze(&driver.home, &driver.store, &plan)).await??;
        if !dataset.frozen.reused {
            self.egress.door().record(dataset.entry(&study.plan))?;
        }
        Ok(Some(Study {
            plan: Arc::clone(&study.plan),
            layout: study.layout.clone(),
            dataset,
        }))
    }

    async fn train(
        self: &Arc<Self>,
        study: &Study,
        round: RoundNumber,
        model: Vec<u8>,
        kept: Option<Vec<f32>>,
    ) -> Result<Trained> {
        let _bench = self.bench.acquire().await?;
        let (plan, source) = (Arc::clone(&study.plan), study.dataset.source.clone());
        let trainer = self.trainer.held_as(policy::confinement(&self.home));
        let (voice, site) = (self.voice, self.config.site.clone());
        tokio::task::spawn_blocking(move || {
            let order = Order {
                plan: &plan,
                dataset: &source,
                site: &site,
                round,
                measures: true,
                kept: kept.as_deref(),
            };
            round::train(&trainer, &order, model, |step, steps, loss| {
                voice.say(&Event::Training {
                    study: plan.study.clone(),
                    round,
                    step,
                    steps,
                    loss,
                });
            })
        })
        .await?
    }

    async fn evaluate(self: &Arc<Self>, study: &Study, model: &ModelReference) -> Result<Evaluation> {
        let kept = self.kept(study).await?;
        let bytes = self.fetch(study, model).await?;
        let parameters = study.with_kept(&bytes, kept)?;
        drop(bytes);
        self.quality(study, parameters, model.digest).await
    }

    /// The quality of a model on the validation part; `digest` names it.
    async fn quality(
        self: &Arc<Self>,
        study: &Study,
        parameters: Vec<f32>,
        digest: Sha256Digest,
    ) -> Result<Evaluation> {
        let _bench = self.bench.acquire().await?;
        let (plan, source) = (Arc::clone(&study.plan), study.dataset.source.clone());
        let trainer = self.trainer.held_as(policy::confinement(&self.home));
        tokio::task::spawn_blocking(move || {
            round::quality(&trainer, &plan, &source, Part::Validation, &parameters, digest)
        })
        .await?
    }

    async fn fetch(&self, study: &Study, model: &ModelReference) -> Result<Vec<u8>> {
        anyhow::ensure!(
            model.bytes == study.layout.bytes() && model.layout_digest == study.layout.digest(),
            "the model does not have the plan's layout; node and aggregator are of versions that do not fit"
        );
        Ok(self
            .steadily(|| self.egress.door().model(&study.plan.study, model))
            .await?)
    }

    /// Keeps the final model on site, with what the site keeps for itself in it, for `evaluate`.
    async fn fetch_final(&self, study: &Study, model: &ModelReference) -> Result<()> {
        let mut bytes = self.fetch(study, model).await?;
        if let Some(kept) = self.last_kept(study).await? {
            bytes = snowball_layout::to_le_bytes(&study.with_kept(&bytes, Some(kept))?);
        }
        let path = self.home.model(&study.plan.study, "federated");
        if let Some(parent) = path.parent() {
            files::create_home(parent)?;
        }
        files::write_private(&path, &bytes).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Does it again while the line is broken, with growing pauses.
    async fn steadily<T, F>(&self, mut request: impl FnMut() -> F) -> Result<T, EgressError>
    where
        F: Future<Output = Result<T, EgressError>>,
    {
        let mut retry = 100;
        loop {
            match request().await {
                Err(fault) if fault.is_transient() => {
                    self.voice.say(&Event::Disconnected {
                        reason: fault.to_string(),
                    });
                    tokio::time::sleep(Duration::from_millis(retry)).await;
                    retry = (retry * 2).min(RETRY_MILLISECONDS_MAX);
                }
                settled => return settled,
            }
        }
    }
}

/// The line to the aggregator that this node enrolled with. The ledger stays open while it lives.
pub fn open_door(home: &Home, config: &NodeConfig) -> Result<Door> {
    enrolment::settle(home)?;
    renewal::settle(home)?;
    let aggregator = home.aggregator()?;
    let tls = tls::client(
        &home.read_text(&home.authority())?,
        &home.read_text(&home.certificate())?,
        &home.keys().read(&home.tls_key())?,
    )
    .context("the node's certificate or key cannot be used; enrol again")?;
    let settings = ClientSettings {
        address: aggregator.address.clone(),
        proxy: config.network.proxy.clone(),
    };
    let ledger = home.open_ledger(config)?;
    let records = snowball_ledger::read(&home.ledger()).context("cannot read the ledger")?;
    let kept = snowball_egress::last_kept(&records, &aggregator.aggregator_key);
    Ok(Door::new(
        Transport::new(&settings, tls)?.with_bandwidth(Bandwidth::new(config.network.limit())),
        config.site.clone(),
        aggregator.aggregator_key,
        policy::reader(home),
        ledger,
        Budget::of(&records),
        clock::now,
    )
    .with_kept_head(kept))
}

/// What sort of fault kept a round from its receipt.
fn kind(fault: &anyhow::Error) -> Fault {
    fault.downcast_ref().map_or(Fault::Mendable, sort)
}

/// The same of a fault at the way out.
const fn sort(fault: &EgressError) -> Fault {
    match fault {
        EgressError::Refused(_) => Fault::Refused,
        EgressError::Unfit { .. } => Fault::Unfit,
        EgressError::HeadRefused { .. } => Fault::HeadRefused,
        _ => Fault::Mendable,
    }
}

/// A task that ends together with its owner.
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Study {
    plan: Arc<StudyPlan>,
    layout: Layout,
    dataset: StudyDataset,
}

impl Study {
    /// A model, little-endian f32 in the layout's order, with what the site keeps for itself laid over it.
    fn with_kept(&self, model: &[u8], kept: Option<Vec<f32>>) -> Result<Vec<f32>> {
        let mut parameters = snowball_layout::from_le_bytes(model).context("the model is no list of numbers")?;
        if let Some(kept) = kept {
            self.layout.kept(&self.plan).lay_over(&kept, &mut parameters);
        }
        Ok(parameters)
    }
}
