//! A release's files, as somebody reads them who begins from it. Whose signature its lineage bears is looked at before.

use serde::Deserialize;
use snowball_protocol::{Sha256Digest, StudyPlan, limits::START_PARENTS_MAX, plan::Origin};

use crate::{Weights, WeightsError};

/// Why a release was not used.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// Its lineage is none.
    #[error("its lineage does not parse")]
    Lineage(#[source] serde_json::Error),
    /// Its files are not those of its lineage.
    #[error("it is not what its lineage names: model.safetensors or the plan was changed; fetch it again")]
    Altered,
    /// Its model is none.
    #[error("its model.safetensors cannot be read")]
    Model(#[source] WeightsError),
}

/// A release, and its weights.
#[derive(Debug)]
pub struct Release {
    /// What it was trained by.
    pub plan: StudyPlan,
    /// SHA-256 of its lineage, by which ledgers name it.
    pub lineage: Sha256Digest,
    /// SHA-256 of its parameters.
    pub model: Sha256Digest,
    /// SHA-256 of `model.safetensors`.
    pub file: Sha256Digest,
    /// Its parameters.
    pub weights: Weights,
}

/// What is read of `lineage.json`.
#[derive(Deserialize)]
struct Lineage {
    plan: StudyPlan,
    plan_digest: Sha256Digest,
    model_digest: Sha256Digest,
    model_file_digest: Sha256Digest,
}

impl Release {
    /// From the content of `lineage.json` and of `model.safetensors`, which must be those of one release.
    ///
    /// # Errors
    /// [`ReleaseError`].
    pub fn read(lineage: &[u8], model: &[u8]) -> Result<Self, ReleaseError> {
        let said: Lineage = serde_json::from_slice(lineage).map_err(ReleaseError::Lineage)?;
        let file = Sha256Digest::of(model);
        if file != said.model_file_digest || said.plan.digest() != said.plan_digest {
            return Err(ReleaseError::Altered);
        }
        Ok(Self {
            plan: said.plan,
            lineage: Sha256Digest::of(lineage),
            model: said.model_digest,
            file,
            weights: Weights::read(model).map_err(ReleaseError::Model)?,
        })
    }

    /// This release, then what it began from by its own plan, nearest first and at most as many as a plan may name.
    #[must_use]
    pub fn origins(&self) -> Vec<Origin> {
        let own = Origin::Release {
            study: self.plan.study.clone(),
            lineage: self.lineage,
            model: self.model,
        };
        let before = self.plan.parents().iter().cloned();
        std::iter::once(own).chain(before).take(START_PARENTS_MAX).collect()
    }
}
