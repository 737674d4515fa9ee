//! A site's part in one round: what waits is sent, else it is trained and sent.

use std::{collections::BTreeSet, sync::Arc};

use anyhow::Result;
use snowball_ledger::Entry;
use snowball_protocol::{RoundNumber, Sha256Digest, session::ModelReference};

use super::{Driver, study::Study};
use crate::{
    events::Event,
    policy,
    round::{self, Order, Trained},
};

impl Driver {
    /// Sends what the outbox holds for this round or, late, for one in `closed`, else trains and sends. When this returns, this site
    /// holds a receipt for the round.
    pub(super) async fn contribute(
        self: &Arc<Self>,
        study: &Study,
        round: RoundNumber,
        model: &ModelReference,
        closed: &BTreeSet<RoundNumber>,
    ) -> Result<()> {
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
            return Ok(());
        }
        let renewed = self.renewed(study).await?;
        if self.bring_late(study, round, renewed.is_some(), closed).await? {
            return Ok(());
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
        Ok(())
    }

    /// Has an update that was late for its own round count in this one, if there is one, and says whether it did. What was made with
    /// a patient who has withdrawn since does not leave.
    async fn bring_late(
        &self,
        study: &Study,
        round: RoundNumber,
        has_withdrawn: bool,
        closed: &BTreeSet<RoundNumber>,
    ) -> Result<bool> {
        let plan = &study.plan;
        if has_withdrawn {
            self.egress.forget_late(plan, round)?;
        }
        if self.egress.door().waits_to_send() {
            // Nothing may leave at this hour; what waits is brought another time.
            return Ok(false);
        }
        let Some(signed) = self.egress.bring_late(plan, round, closed).await? else {
            return Ok(false);
        };
        self.kept_of(study).settle(&signed.receipt.model_in)?;
        self.voice.say(&Event::Late {
            study: plan.study.clone(),
            round,
            behind: signed.receipt.behind,
            bytes: signed.receipt.update_bytes,
        });
        Ok(true)
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
}
