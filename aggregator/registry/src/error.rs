//! Why the registry could not do what it was asked.

use snowball_protocol::{Problem, ProblemCode, StudyName};

/// A refusal, a lost race, or a fault of the database.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// What was asked breaks a rule; whoever asked may be told.
    #[error("{0}")]
    Refused(Problem),
    /// Somebody else has moved the study since it was read: read it again and handle the event again.
    #[error("study {study} has moved on meanwhile")]
    Stale {
        /// Which study.
        study: StudyName,
    },
    /// Another process has kept the database locked for too long.
    #[error("the registry stays locked by another process; gave up to {transaction}")]
    Busy {
        /// Name of the transaction that could not begin.
        transaction: &'static str,
        /// What the database said.
        source: sqlx::Error,
    },
    /// The database failed.
    #[error("the registry's database failed")]
    Database(#[from] sqlx::Error),
    /// A row holds what this program never wrote.
    #[error("the registry's {what} cannot be read")]
    Corrupt {
        /// Which column.
        what: &'static str,
    },
    /// A number that the database cannot hold.
    #[error("{what} is too large for the registry")]
    TooLarge {
        /// Which.
        what: &'static str,
    },
    /// The tables are those of a newer program.
    #[error(
        "the registry was made by a newer program (tables {found}, this program knows {known}) and was left as it is; install that version again, \
         or restore the backup that was made before the upgrade"
    )]
    FromTheFuture {
        /// Version of the tables.
        found: i64,
        /// Newest version that this program knows.
        known: i64,
    },
}

impl RegistryError {
    pub(crate) fn refused(code: ProblemCode, reason: impl Into<String>) -> Self {
        Self::Refused(Problem::new(code, reason))
    }

    /// What whoever asked may be told, if it is a refusal.
    #[must_use]
    pub const fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused(problem) => Some(problem),
            _ => None,
        }
    }
}

/// What the other side may know: refusals as they are, everything else without detail.
impl From<RegistryError> for Problem {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Refused(problem) => problem,
            RegistryError::Stale { .. } | RegistryError::Busy { .. } => {
                Self::new(ProblemCode::Busy, "the aggregator is busy with another change")
            }
            _ => Self::new(ProblemCode::Internal, "the aggregator's registry failed"),
        }
    }
}
