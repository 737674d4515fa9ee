//! The course of one study at this site, from its plan to its end.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use snowball_egress::{EgressError, Pages};
use snowball_layout::Layout;
use snowball_participation::{self as participation, Action, Fault, Interest, Progress};
use snowball_protocol::{
    RoundNumber, Sha256Digest, StudyPlan,
    evaluation::Evaluation,
    session::{ModelReference, PhaseName, StudySummary, Task},
};
use snowball_service::files;
use snowball_worker::shard::Part;

use super::{Driver, MEND_PAUSE};
use crate::{
    cli::Refused,
    datasets::{self, StudyDataset},
    events::Event,
    policy, receipts, round, withheld,
};

const POLL_SECONDS: u32 = 25;

/// A study that is followed.
pub(super) struct Study {
    pub(super) plan: Arc<StudyPlan>,
    pub(super) layout: Layout,
    pub(super) dataset: StudyDataset,
}

impl Study {
    /// A model, little-endian f32 in the layout's order, with what the site keeps for itself laid over it.
    pub(super) fn with_kept(&self, model: &[u8], kept: Option<Vec<f32>>) -> Result<Vec<f32>> {
        let mut parameters = snowball_layout::from_le_bytes(model).context("the model is no list of numbers")?;
        if let Some(kept) = kept {
            self.layout.kept(&self.plan).lay_over(&kept, &mut parameters);
        }
        Ok(parameters)
    }
}

impl Driver {
    /// Follows one study from its plan to its end.
    pub(super) async fn follow(self: &Arc<Self>, summary: StudySummary) -> Result<PhaseName> {
        let plan = Arc::new(self.steadily(|| self.egress.door().plan(&summary)).await?);
        self.keep_plan(&plan)?;
        if withheld::is(&self.home, &plan.digest()) {
            self.stay_out(&plan, &summary).await?;
        }
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

    /// A person keeps the site out: the aggregator hears so where it still waits for an answer, and nothing is done.
    async fn stay_out(&self, plan: &StudyPlan, summary: &StudySummary) -> Result<()> {
        if participation::interest(summary) == Interest::Join {
            let door = self.egress.door();
            self.steadily(|| door.decline(plan, withheld::CLAUSE, withheld::PUBLIC_WORDS))
                .await?;
        }
        Err(Refused(withheld::PUBLIC_WORDS.to_owned()).into())
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
        let held = receipts::held(&self.home, &study.plan.study)?;
        // Sent again, it would bring the same receipt into the ledger a second time.
        self.egress.forget(&study.plan, &held.rounds)?;
        let mut open = held.without_outcome;
        let mut closed = BTreeSet::new();
        let mut unsettled: Option<(RoundNumber, String)> = None;
        let (mut is_waiting, mut has_first) = (false, false);
        loop {
            // Decided while the study goes on: what left has left, nothing more does.
            if withheld::is(&self.home, &study.plan.digest()) {
                return Err(Refused(withheld::PUBLIC_WORDS.to_owned()).into());
            }
            let task = self
                .steadily(|| self.egress.door().task(&study.plan.study, POLL_SECONDS))
                .await?;
            let ended = participation::ended(&task);
            // Of a study that is over no update is sent again: its receipt is asked for below.
            if !matches!(task, Task::Done { .. }) {
                self.hear_of_earlier(study, ended, &mut closed, &mut open).await?;
            }
            self.keep_outcomes(&study.plan, ended, &mut open).await;
            match participation::next(task, &progress) {
                Action::Ask => {}
                Action::Pause => tokio::time::sleep(Duration::from_millis(300)).await,
                Action::Contribute { round, .. } if self.waits(study, Some(round))? => {
                    self.wait_for_hours(study, &mut is_waiting).await;
                }
                Action::Evaluate { .. } if self.waits(study, None)? => {
                    self.wait_for_hours(study, &mut is_waiting).await;
                }
                Action::Contribute { round, start } if !has_first => {
                    self.check_first(study, round, &start.model).await?;
                    has_first = true;
                }
                Action::Contribute { round, start } => match self.contribute(study, round, &start, &closed).await {
                    Ok(()) => {
                        progress.settled = Some(round);
                        open.insert(round);
                        self.vitals.contributed();
                        (unsettled, is_waiting) = (None, false);
                        self.train_own(study, round.0, 1).await;
                    }
                    Err(fault) => {
                        let reason = format!("{fault:#}");
                        let study = study.plan.study.clone();
                        // The same words again and again help nobody.
                        if unsettled.as_ref() != Some(&(round, reason.clone())) {
                            self.vitals.refused(&fault);
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
                    match self.judge(study, &model).await {
                        Ok(()) => {}
                        // As where the review ended while this site still computed: the study goes on to its end.
                        Err(fault) if participation::is_settled(kind(&fault)) => self.voice.say(&Event::NotEvaluated {
                            study: study.plan.study.clone(),
                            reason: format!("{fault:#}"),
                        }),
                        Err(fault) => return Err(fault),
                    }
                    progress.evaluated = true;
                }
                Action::Leave { phase, model } => {
                    if let Err(fault) = self.hear_unheard(&study.plan, &mut open).await {
                        // It is over for this site, and asked about again as a study that is remembered.
                        let fault = format!("{fault:#}");
                        tracing::warn!(study = %study.plan.study, fault, "a receipt that was never heard is asked for again later");
                    }
                    self.keep_outcomes(&study.plan, ended, &mut open).await;
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

    /// Asks what became of updates whose round ended before this site heard of a receipt, as after a kill between the two: one that
    /// counted gets it still.
    async fn hear_of_earlier(
        &self,
        study: &Study,
        ended: Option<RoundNumber>,
        closed: &mut BTreeSet<RoundNumber>,
        open: &mut BTreeSet<RoundNumber>,
    ) -> Result<()> {
        let Some(next) = ended.map(|ended| RoundNumber(ended.0.saturating_add(1))) else {
            return Ok(());
        };
        // At an hour in which nothing may leave, nothing is asked either.
        if self.egress.door().waits_to_send() {
            return Ok(());
        }
        let mut heard = Vec::new();
        let asked = self
            .egress
            .ask_earlier(&study.plan, next, closed, |signed| heard.push(signed))
            .await;
        for signed in heard {
            self.kept_of(study).settle(&signed.receipt.model_in)?;
            open.insert(signed.receipt.round);
        }
        if let Err(fault) = asked {
            tracing::warn!(study = %study.plan.study, %fault, "what became of earlier updates is asked again later");
        }
        Ok(())
    }

    /// Keeps what the aggregator signed about the rounds that ended, of those in `open`.
    pub(super) async fn keep_outcomes(
        &self,
        plan: &StudyPlan,
        ended: Option<RoundNumber>,
        open: &mut BTreeSet<RoundNumber>,
    ) {
        while let Some(round) = open.first().copied().filter(|round| Some(*round) <= ended) {
            let kept = self.steadily(|| self.egress.door().keep_outcome(plan, round)).await;
            if let Err(fault) = kept {
                tracing::warn!(study = %plan.study, %round, %fault, "there is no signed outcome of this round");
            }
            open.remove(&round);
        }
    }

    /// The study with a new dataset, where a patient of the old one has withdrawn since.
    pub(super) async fn renewed(self: &Arc<Self>, study: &Study) -> Result<Option<Study>> {
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

    /// Evaluates the final model, and the site's own where the plan asks for it, and says how good they are.
    async fn judge(self: &Arc<Self>, study: &Study, model: &ModelReference) -> Result<()> {
        let renewed = self.renewed(study).await?;
        let study = renewed.as_ref().unwrap_or(study);
        let evaluation = self.evaluate(study, model).await?;
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
        Ok(())
    }

    async fn evaluate(self: &Arc<Self>, study: &Study, model: &ModelReference) -> Result<Evaluation> {
        let kept = self.kept(study).await?;
        let bytes = self.fetch(study, model).await?;
        let parameters = study.with_kept(&bytes, kept.map(|kept| kept.parameters))?;
        drop(bytes);
        self.quality(study, parameters, model.digest).await
    }

    /// The quality of a model on the validation part; `digest` names it.
    pub(super) async fn quality(
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

    pub(super) async fn fetch(&self, study: &Study, model: &ModelReference) -> Result<Pages> {
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
        let fetched = self.fetch(study, model).await?;
        let completed = match self.last_kept(study).await? {
            Some(kept) => Some(snowball_layout::to_le_bytes(
                &study.with_kept(&fetched, Some(kept.parameters))?,
            )),
            None => None,
        };
        let bytes = completed.as_deref().unwrap_or(&fetched);
        let path = self.home.model(&study.plan.study, "federated");
        if let Some(parent) = path.parent() {
            files::create_home(parent)?;
        }
        files::write_private(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// What sort of fault kept a round from its receipt.
fn kind(fault: &anyhow::Error) -> Fault {
    fault.downcast_ref().map_or(Fault::Mendable, sort)
}

/// The same of a fault at the way out.
pub(super) const fn sort(fault: &EgressError) -> Fault {
    match fault {
        EgressError::Refused(_) => Fault::Refused,
        EgressError::Unfit { .. } => Fault::Unfit,
        EgressError::HeadRefused { .. } => Fault::HeadRefused,
        _ => Fault::Mendable,
    }
}
