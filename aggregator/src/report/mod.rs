//! The consortium's side for the coordinator and for auditors: who takes part, which studies, what was made of them, and how to
//! check it. Numbers about quality are those that sites let leave; small cells were hidden there.

mod history;
mod page;
pub mod words;

use anyhow::{Context as _, Result};
use serde::Serialize;
use snowball_crypto::VerifyingKey;
use snowball_protocol::{
    Sha256Digest, SiteName, StudyName,
    ids::UnixSeconds,
    plan::{Head, Origin},
    record::RoundRecord,
    session::PhaseName,
    update::FinalEvaluation,
};
use snowball_registry::{Registry, RegistryError, Round, Study};

use crate::home::{Home, read_text};

pub use history::History;
pub use page::{Voice, page};

/// Everything on the page.
#[derive(Serialize)]
pub struct Report {
    pub consortium: String,
    pub address: String,
    pub ca_fingerprint: Sha256Digest,
    pub founded: UnixSeconds,
    pub made_at: UnixSeconds,
    pub program_version: String,
    pub sites: Vec<SiteTold>,
    pub studies: Vec<StudyTold>,
    pub history: History,
    pub ledger: LedgerTold,
}

/// A site as it stands.
#[derive(Serialize)]
pub struct SiteTold {
    pub name: SiteName,
    pub enrolled: UnixSeconds,
    pub revoked: Option<UnixSeconds>,
    pub last_seen: Option<UnixSeconds>,
    pub program_version: Option<String>,
    pub policy: Option<Sha256Digest>,
    /// Serial numbers of certificates that are not revoked.
    pub certificates: Vec<String>,
    pub ledger_key: String,
    /// The last signed head of its ledger that was countersigned here: entries, and the hash of the last.
    pub head: Option<(u64, Sha256Digest)>,
    /// Hash of a head that was refused since.
    pub head_refused: Option<Sha256Digest>,
}

/// A study as it stands; what happened in it is in the history.
#[derive(Serialize)]
pub struct StudyTold {
    pub name: StudyName,
    pub title: String,
    pub plan_digest: Sha256Digest,
    /// What it began from, nearest first; empty where its seed made the first model.
    pub parents: Vec<Origin>,
    pub phase: PhaseName,
    pub rounds_planned: u32,
    /// What it learns to tell.
    pub heads: Vec<Head>,
    pub records: Vec<RoundRecord>,
    /// What each site said of the final model.
    pub finals: Vec<(SiteName, FinalEvaluation)>,
}

/// How to check that nobody changed the record.
#[derive(Serialize)]
pub struct LedgerTold {
    pub fault: Option<String>,
    pub entries: u64,
    pub head: Option<Sha256Digest>,
    pub public_key: String,
    pub fingerprint: Option<Sha256Digest>,
}

/// Reads everything; changes nothing.
///
/// # Errors
/// When the folder, the database or the ledger cannot be read.
pub async fn gather(home: &Home, registry: &Registry, now: UnixSeconds) -> Result<Report> {
    let consortium = registry.consortium().await?;
    let consortium = consortium.context("the database names no consortium; run aggregator doctor")?;
    let mut history = History::default();
    for record in snowball_ledger::records(&home.ledger_dir()).context("cannot read the ledger")? {
        history.add(&record.context("cannot read the ledger")?);
    }
    let mut studies = Vec::new();
    for study in registry.studies().await? {
        studies.push(StudyTold::of(registry, &study).await?);
    }
    let told = |site: snowball_registry::Site| SiteTold {
        name: site.name,
        enrolled: site.enrolled,
        revoked: site.revoked.map(|revocation| revocation.at),
        last_seen: site.last_seen,
        policy: site.heard.as_ref().and_then(|heard| heard.policy_digest),
        program_version: site.heard.map(|heard| heard.program_version),
        certificates: site.serials,
        ledger_key: site.ledger_key,
        head: site.head.map(|head| (head.entries, head.hash)),
        head_refused: site.head_refused,
    };
    Ok(Report {
        consortium: consortium.name,
        address: consortium.address,
        ca_fingerprint: consortium.ca_fingerprint,
        founded: consortium.founded,
        made_at: now,
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        sites: registry.sites().await?.into_iter().map(told).collect(),
        studies,
        history,
        ledger: LedgerTold::of(home)?,
    })
}

impl StudyTold {
    /// What the database knows of a study.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn of(registry: &Registry, study: &Study) -> Result<Self, RegistryError> {
        let rounds = registry.rounds(&study.plan.study).await?;
        Self::with(registry, study, &rounds).await
    }

    /// The same, where its rounds were read already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn with(registry: &Registry, study: &Study, rounds: &[Round]) -> Result<Self, RegistryError> {
        Ok(Self {
            name: study.plan.study.clone(),
            title: study.plan.title.clone(),
            plan_digest: study.plan_digest,
            parents: study.plan.parents().to_vec(),
            phase: study.phase.name(),
            rounds_planned: study.plan.rounds.count,
            heads: study.plan.heads.clone(),
            records: rounds.iter().filter_map(|round| round.record.clone()).collect(),
            finals: registry.evaluations(&study.plan.study).await?,
        })
    }
}

impl LedgerTold {
    /// Verifies the ledger, which reads all of it.
    ///
    /// # Errors
    /// When the public key cannot be read; a ledger that does not verify is no error but a fault that is told.
    pub fn of(home: &Home) -> Result<Self> {
        let public_key = read_text(&home.public_key_file())?.trim().to_owned();
        let key: VerifyingKey = public_key.parse().context("ledger.pub holds no key")?;
        let mut told = Self {
            fault: None,
            entries: 0,
            head: None,
            public_key,
            fingerprint: Some(key.fingerprint()),
        };
        match snowball_ledger::verify(&home.ledger_dir(), &key) {
            Ok(verified) => (told.entries, told.head) = (verified.entries, Some(verified.head.hash)),
            Err(fault) => told.fault = Some(fault.to_string()),
        }
        Ok(told)
    }
}
