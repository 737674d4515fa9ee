//! Why a job could not be done, for the people at the site.

use snowball_models::ModelError;
use snowball_worker::{pipe::PipeError, shard::ShardError};

/// A reason and a remedy; never a patient value.
#[derive(Debug)]
pub struct Failure {
    /// Why.
    pub reason: String,
    /// What to do.
    pub remedy: String,
}

impl Failure {
    /// A failure with its remedy.
    pub fn new(reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            remedy: remedy.into(),
        }
    }
}

impl From<ShardError> for Failure {
    fn from(error: ShardError) -> Self {
        let remedy = match &error {
            ShardError::Io { source, .. } => {
                format!("{source}; check that the dataset's folder is readable, or freeze it again")
            }
            ShardError::Damaged { .. } | ShardError::Seal(_) => "freeze the dataset again".to_owned(),
        };
        Self::new(error.to_string(), remedy)
    }
}

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Self {
        let remedy = match error {
            ModelError::Count { .. } => "check that node, trainer and aggregator are of the same version",
            ModelError::Step { .. } | ModelError::Pictures { .. } => "report this: it is a fault of the program",
            ModelError::NoProjection => "take a plan with [pretext.contrastive]",
            ModelError::NoDecoder => "take a plan with [pretext.reconstruction] or a mask",
            ModelError::Device(_) => "run snowball-trainer probe; train on the CPU if the GPU is not sound",
        };
        Self::new(error.to_string(), remedy)
    }
}

impl From<PipeError> for Failure {
    fn from(error: PipeError) -> Self {
        let reason = match &error {
            PipeError::Io(source) => format!("{error}: {source}"),
            PipeError::Json(source) => format!("{error}: {source}"),
            PipeError::Kind { .. } | PipeError::TooLong { .. } => error.to_string(),
        };
        Self::new(
            reason,
            "let the node start the trainer; check that both are of the same version",
        )
    }
}
