//! Trains and measures the site's own model, beside the shared one. Whatever goes wrong with it costs the comparison alone, never a
//! round of the study.

use std::sync::Arc;

use anyhow::{Context, Result};
use snowball_ledger::Entry;
use snowball_protocol::{RoundNumber, Sha256Digest, evaluation::Evaluation};

use super::{Driver, study::Study};
use crate::{
    events::Event,
    own_model::OwnModel,
    policy,
    round::{self, Order},
};

impl Driver {
    /// Has the own model catch up to `rounds`, by `most` rounds at once, where the plan asks for one.
    pub(super) async fn train_own(self: &Arc<Self>, study: &Study, rounds: u32, most: u32) {
        if let Err(fault) = self.try_to_train_own(study, rounds, most).await {
            let fault = format!("{fault:#}");
            tracing::warn!(study = %study.plan.study, fault, "the site's own model could not be trained; it is tried again");
        }
    }

    /// The quality of the own model with all rounds in it; nothing where the plan asks for none, or it could not be made.
    pub(super) async fn evaluate_own(self: &Arc<Self>, study: &Study) -> Option<Evaluation> {
        match self.try_to_evaluate_own(study).await {
            Ok(evaluation) => evaluation,
            Err(fault) => {
                let fault = format!("{fault:#}");
                tracing::warn!(study = %study.plan.study, fault, "there is no model of the site's own to compare with");
                None
            }
        }
    }

    async fn try_to_train_own(self: &Arc<Self>, study: &Study, rounds: u32, most: u32) -> Result<()> {
        let plan = &study.plan;
        if !plan.comparison.own_model {
            return Ok(());
        }
        let mut own = OwnModel::of(&self.home, &plan.study)?;
        for _ in 0..most {
            if own.rounds >= rounds {
                return Ok(());
            }
            self.until_it_may_train(study).await;
            let next = RoundNumber(own.rounds + 1);
            self.egress.door().may_train(plan, Some(next), &study.dataset.facts)?;
            let model = match own.bytes(&study.layout)? {
                Some(model) => model,
                None => self.first(study).await?,
            };
            let bytes = self.one_round_of_own(study, next, model).await?;
            let digest = own.keep(&bytes)?;
            self.egress.door().record(Entry::OwnModelTrained {
                study: plan.study.clone(),
                rounds: own.rounds,
                model: digest,
            })?;
            self.voice.say(&Event::OwnModelTrained {
                study: plan.study.clone(),
                rounds: own.rounds,
            });
        }
        Ok(())
    }

    async fn try_to_evaluate_own(self: &Arc<Self>, study: &Study) -> Result<Option<Evaluation>> {
        let plan = &study.plan;
        if !plan.comparison.own_model {
            return Ok(None);
        }
        let count = plan.rounds.count;
        self.try_to_train_own(study, count, count).await?;
        let own = OwnModel::of(&self.home, &plan.study)?;
        anyhow::ensure!(own.rounds == count, "it has {} of {count} rounds", own.rounds);
        let bytes = own.bytes(&study.layout)?.context("it has no round")?;
        // Whole as it is: nothing of it was ever shared.
        let parameters = study.with_kept(&bytes, None)?;
        Ok(Some(self.quality(study, parameters, Sha256Digest::of(&bytes)).await?))
    }

    /// The own model with one round more.
    async fn one_round_of_own(self: &Arc<Self>, study: &Study, round: RoundNumber, model: Vec<u8>) -> Result<Vec<u8>> {
        let _bench = self.bench.acquire().await?;
        let (plan, source) = (Arc::clone(&study.plan), study.dataset.source.clone());
        let trainer = self.trainer.held_as(policy::confinement(&self.home));
        let (site, stays) = (self.config.site.clone(), study.layout.kept(&study.plan));
        tokio::task::spawn_blocking(move || {
            let order = Order {
                plan: &plan,
                dataset: &source,
                site: &site,
                round,
                measures: false,
                kept: None,
                correction: None,
            };
            let before = snowball_layout::from_le_bytes(&model).context("the own model is no list of numbers")?;
            let trained = round::train(&trainer, &order, model, |_, _, _| {})?;
            let mut after = trained.delta;
            after
                .iter_mut()
                .zip(&before)
                .for_each(|(number, before)| *number += before);
            // What a plan keeps at the sites is in no update, and in this model as any other number.
            stays.lay_over(&trained.kept, &mut after);
            Ok(snowball_layout::to_le_bytes(&after))
        })
        .await?
    }
}
