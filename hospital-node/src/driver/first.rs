//! The model that a study begins with: the one that its plan names, from the seed or from weights, or nothing is trained.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use snowball_egress::Pages;
use snowball_protocol::{RoundNumber, Sha256Digest, session::ModelReference};
use snowball_weights::first_model;

use super::{Driver, study::Study};
use crate::cli::Refused;

impl Driver {
    /// Looks whether the study that is in `round`, with `model`, began with what its plan names. A site that comes later fetches the first
    /// model where the plan begins from weights; what a seed made is not fetched again.
    pub(super) async fn check_first(&self, study: &Study, round: RoundNumber, model: &ModelReference) -> Result<()> {
        let named = self.first_named(study).await?;
        if judge(named, round, model)? == Looked::Later && study.plan.start.is_some() {
            self.fetch_first(study, named).await?;
        }
        Ok(())
    }

    /// The model that the study begins with, as every site begins with it.
    pub(super) async fn first(&self, study: &Study) -> Result<Vec<u8>> {
        if study.plan.start.is_some() {
            let named = self.first_named(study).await?;
            return Ok(self.fetch_first(study, named).await?.to_vec());
        }
        Ok(snowball_layout::to_le_bytes(
            &study.layout.initial_parameters(study.plan.seed),
        ))
    }

    async fn fetch_first(&self, study: &Study, digest: Sha256Digest) -> Result<Pages> {
        let first = ModelReference {
            round: RoundNumber(0),
            digest,
            bytes: study.layout.bytes(),
            layout_digest: study.layout.digest(),
        };
        self.fetch(study, &first)
            .await
            .context("the model that the plan begins with cannot be had; nothing is trained")
    }

    /// What the seed makes of a large network takes a while.
    async fn first_named(&self, study: &Study) -> Result<Sha256Digest> {
        let (plan, layout) = (Arc::clone(&study.plan), study.layout.clone());
        Ok(tokio::task::spawn_blocking(move || first_model(&plan, &layout)).await?)
    }
}

#[derive(PartialEq, Eq, Debug)]
enum Looked {
    /// The model is the first one, and the one that the plan names.
    First,
    /// The study has gone on; the first model is another one.
    Later,
}

/// Whether a round may be trained from `model`, as far as the first model decides it.
fn judge(named: Sha256Digest, round: RoundNumber, model: &ModelReference) -> Result<Looked> {
    if round.0 > 1 && model.round.0 > 0 {
        return Ok(Looked::Later);
    }
    ensure!(
        model.digest == named,
        Refused(format!(
            "the study begins with the model {}, and its plan with {named}; nothing is trained from it. Ask the coordinator for a study \
             that begins with what its plan names",
            model.digest
        ))
    );
    Ok(Looked::First)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_trained_from_another_first_model_than_the_plans() {
        let (named, other) = (Sha256Digest::of(b"named"), Sha256Digest::of(b"other"));
        let judged = |round: u32, made_by: u32, digest| {
            let model = ModelReference {
                round: RoundNumber(made_by),
                digest,
                bytes: 4,
                layout_digest: named,
            };
            judge(named, RoundNumber(round), &model).map_err(|fault| fault.is::<Refused>())
        };
        assert_eq!(judged(1, 0, named), Ok(Looked::First));
        assert_eq!(judged(1, 0, other), Err(true));
        // Whatever number it is given: the first round has no other model, and the model of no round is the first.
        assert_eq!(judged(1, 4, other), Err(true));
        assert_eq!(judged(2, 0, other), Err(true));
        assert_eq!(judged(2, 1, other), Ok(Looked::Later));
    }
}
