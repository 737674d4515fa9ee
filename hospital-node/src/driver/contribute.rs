//! A site's part in one round: what waits is sent, else it is trained and sent.

use std::{collections::BTreeSet, sync::Arc};

use anyhow::Result;
use snowball_egress::Pages;
use snowball_ledger::Entry;
use snowball_participation::Start;
use snowball_protocol::RoundNumber;

use super::{Driver, study::Study};
use crate::{
    events::Event,
    kept_parameters::Settled,
    policy, receipts,
    round::{self, Order, Trained},
    scaffold::{self, Correction},
};

impl Driver {
    /// Sends what the outbox holds for this round or, late, for one in `closed`, else trains and sends. When this returns, this site
    /// holds a receipt for the round.
    pub(super) async fn contribute(
        self: &Arc<Self>,
        study: &Study,
        round: RoundNumber,
        start: &Start,
        closed: &BTreeSet<RoundNumber>,
    ) -> Result<()> {
        let model = &start.model;
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
        let correction = self.correction(study, round, start, kept.as_ref()).await?;
        let kept = kept.map(|kept| kept.parameters);
        let (trained, correction) = self.train(study, round, bytes, (kept, correction)).await?;
        anyhow::ensure!(
            self.store.stands(&study.dataset.frozen)?,
            "a patient withdrew while this round was trained; it is trained again without them"
        );
        let (loss, evaluation) = (trained.loss, trained.evaluation.clone());
        let control_from = correction.as_ref().and_then(|correction| correction.from);
        let kept = self.kept_of(study);
        if !kept.is_empty() {
            let rate_sum = study.plan.rate_sum(round);
            let control = correction.map(|correction| correction.next_own(&trained.delta, rate_sum));
            kept.keep(round, model.digest, &trained.kept, &control.unwrap_or_default())?;
        }
        let mut candidate = trained.candidate(round, study.layout.digest(), study.dataset.facts);
        candidate.control_from = control_from;
        let update_digest = candidate.write(&study.plan);
        self.egress.door().record(Entry::TrainingFinished {
            study: study.plan.study.clone(),
            round,
            examples: candidate.examples,
            model_in: model.digest,
            control: start.control,
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

    /// What corrects each step of the round, where the plan says SCAFFOLD. The site's own control variate counts only where that of all
    /// sites was made with it.
    async fn correction(
        &self,
        study: &Study,
        round: RoundNumber,
        start: &Start,
        kept: Option<&Settled>,
    ) -> Result<Option<Correction>> {
        if !study.plan.is_scaffold() {
            return Ok(None);
        }
        self.is_as_signed(study, start).await?;
        let since = start.control.map_or(round, |control| control.since);
        let own = kept.filter(|kept| kept.round >= since);
        let own = own.map(|kept| (kept.round, &kept.control[..]));
        let door = self.egress.door();
        let all = match start.control {
            Some(control) => Some(
                self.steadily(|| door.control(&study.plan.study, &start.model, &control))
                    .await?,
            ),
            None => None,
        };
        Correction::of(all.as_deref(), own, study.layout.parameters()).map(Some)
    }

    /// Whether the round starts from what the aggregator signed about the one before. What it signed is in this site's ledger before
    /// anything is trained with it, whether or not this site had a part in that round.
    async fn is_as_signed(&self, study: &Study, start: &Start) -> Result<()> {
        let (plan, before) = (&study.plan, start.model.round);
        if before == RoundNumber(0) {
            return scaffold::is_as_signed(start, None);
        }
        let signed = match receipts::outcome_of(&self.home, &plan.study, before)? {
            Some(kept) => kept,
            None => self.steadily(|| self.egress.door().keep_outcome(plan, before)).await?,
        };
        scaffold::is_as_signed(start, Some(&signed.outcome))
    }

    async fn train(
        self: &Arc<Self>,
        study: &Study,
        round: RoundNumber,
        model: Pages,
        (kept, correction): (Option<Vec<f32>>, Option<Correction>),
    ) -> Result<(Trained, Option<Correction>)> {
        let _bench = self.bench.acquire().await?;
        let (plan, source) = (Arc::clone(&study.plan), study.dataset.source.clone());
        let trainer = self.trainer.held_as(policy::confinement(&self.home));
        let (voice, site) = (self.voice.clone(), self.config.site.clone());
        tokio::task::spawn_blocking(move || {
            let order = Order {
                plan: &plan,
                dataset: &source,
                site: &site,
                round,
                measures: true,
                kept: kept.as_deref(),
                correction: correction.as_ref().map(|correction| &correction.values[..]),
            };
            let trained = round::train(&trainer, &order, model, |step, steps, loss| {
                voice.say(&Event::Training {
                    study: plan.study.clone(),
                    round,
                    step,
                    steps,
                    loss,
                });
            })?;
            Ok((trained, correction))
        })
        .await?
    }
}
