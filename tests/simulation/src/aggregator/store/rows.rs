//! The rows of the store, and why a write of one did not come about.

use std::collections::BTreeSet;

use snowball_ledger::Head;
use snowball_protocol::{
    Problem, Sha256Digest, SiteName, ids::UploadId, receipt::SignedReceipt, record::Control, update::UpdateHeader,
};
use snowball_rounds::AdmittedUpdate;

use crate::power::Crash;

/// Why a write did not come about.
#[derive(Clone, PartialEq, Debug)]
pub enum Broken {
    /// The process died.
    Crash,
    /// Another process has moved the study since it was read.
    Stale,
    /// It was refused.
    Refused(Problem),
}

impl From<Crash> for Broken {
    fn from(_: Crash) -> Self {
        Self::Crash
    }
}

impl From<Problem> for Broken {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem)
    }
}

/// One enrolled site.
#[derive(Clone, Debug, Default)]
pub struct Enrolled {
    /// Whether it is shut out.
    pub is_revoked: bool,
    /// The newest head of its ledger.
    pub head: Option<Head>,
    /// A head that was refused since.
    pub head_refused: Option<Sha256Digest>,
}

/// Where an update stands.
#[derive(Clone, PartialEq, Debug)]
pub enum UploadPhase {
    /// Bytes are missing, or were not checked yet.
    Uploading,
    /// It counts.
    Admitted(Box<(AdmittedUpdate, SignedReceipt)>),
    /// It does not.
    Refused(Problem),
    /// A newer try came.
    Superseded,
}

/// One update of one site.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Its id.
    pub id: UploadId,
    /// Whose.
    pub site: SiteName,
    /// What was announced.
    pub header: UpdateHeader,
    /// How many bytes are acknowledged.
    pub offset: u64,
    /// Where it stands.
    pub phase: UploadPhase,
}

/// What came of a round.
#[derive(Clone, Debug)]
pub struct RoundRecord {
    /// Whose updates are in the model.
    pub contributors: BTreeSet<SiteName>,
    /// The model that it made.
    pub model_out: Sha256Digest,
    /// The control variate of all sites after it, and what it is made of.
    pub control: Option<(Sha256Digest, Control)>,
}
