//! What the aggregator's ledger tells, summed up. Pure: from records to counts.

use std::collections::BTreeMap;

use serde::Serialize;
use snowball_ledger::{Entry, Record};
use snowball_protocol::{ProblemCode, RoundNumber, Sha256Digest, SiteName, StudyName, ids::UnixSeconds};

/// The ledger, summed up.
#[derive(Default, Serialize)]
pub struct History {
    pub records: u64,
    pub steps: Vec<SiteStep>,
    pub authorities: Vec<AuthorityStep>,
    pub studies: BTreeMap<StudyName, Study>,
    pub releases: Vec<Release>,
    pub programs: Vec<Program>,
    /// Crashes in the middle of a write, each mended when the program started.
    pub unfinished_writes: u64,
}

/// Something between the coordinator and a site.
#[derive(Serialize)]
pub struct SiteStep {
    pub time: UnixSeconds,
    pub site: SiteName,
    pub what: Step,
    /// Fingerprint of the key, where there is one.
    pub key: Option<Sha256Digest>,
    pub serial: Option<String>,
    /// The coordinator's words.
    pub reason: Option<String>,
}

impl SiteStep {
    const fn of(time: UnixSeconds, site: SiteName, what: Step) -> Self {
        Self {
            time,
            site,
            what,
            key: None,
            serial: None,
            reason: None,
        }
    }
}

/// What it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    Invited,
    Asked,
    Approved,
    Refused,
    Renewed,
    Revoked,
    Contested,
    CertificateRevoked,
    HeadRefused,
}

/// A change among the consortium's CAs.
#[derive(Serialize)]
pub struct AuthorityStep {
    pub time: UnixSeconds,
    pub authority: Sha256Digest,
    /// Added, else retired.
    pub is_added: bool,
    /// The coordinator's words.
    pub reason: String,
}

/// One study.
#[derive(Default, Serialize)]
pub struct Study {
    pub plan: Option<Sha256Digest>,
    pub created: Option<UnixSeconds>,
    pub started: Option<UnixSeconds>,
    pub finished: Option<(UnixSeconds, Sha256Digest)>,
    pub aborted: Option<(UnixSeconds, String)>,
    pub pauses: Vec<Rest>,
    pub joined: BTreeMap<SiteName, Joined>,
    /// The clause that each site named.
    pub declined: BTreeMap<SiteName, String>,
    pub rounds: BTreeMap<RoundNumber, Round>,
    /// Sites that told how good the final model is.
    pub evaluated: Vec<SiteName>,
}

/// A time in which a study rested.
#[derive(Serialize)]
pub struct Rest {
    pub from: UnixSeconds,
    /// Absent while it rests.
    pub to: Option<UnixSeconds>,
    /// The coordinator's words.
    pub reason: String,
}

/// A site takes part.
#[derive(Serialize)]
pub struct Joined {
    pub time: UnixSeconds,
    pub plan: Sha256Digest,
    pub policy: Sha256Digest,
}

/// One round.
#[derive(Default, Serialize)]
pub struct Round {
    pub opened: Option<UnixSeconds>,
    pub finished: Option<UnixSeconds>,
    pub model_in: Option<Sha256Digest>,
    pub model_out: Option<Sha256Digest>,
    /// Updates in it, by the entry that ended it.
    pub contributions: Option<u64>,
    /// Updates that were taken in, each its own entry: radiographs by site.
    pub admitted: BTreeMap<SiteName, u64>,
    pub refused: Vec<(SiteName, ProblemCode)>,
}

/// A release was signed.
#[derive(Serialize)]
pub struct Release {
    pub time: UnixSeconds,
    pub study: StudyName,
    pub digest: Sha256Digest,
}

/// One version of the program.
#[derive(Serialize)]
pub struct Program {
    pub version: String,
    pub first: UnixSeconds,
    pub last: UnixSeconds,
    pub starts: u64,
}

impl History {
    /// Takes in the next record of the ledger.
    pub fn add(&mut self, record: &Record) {
        self.records += 1;
        let (time, entry) = (record.time, &record.entry);
        self.add_site(time, entry);
        self.add_study(time, entry);
        self.add_round(time, entry);
        match entry {
            Entry::AggregatorInitialised { program_version, .. } | Entry::ProgramStarted { program_version } => {
                self.saw_program(time, program_version);
            }
            Entry::UnfinishedWriteRemoved { .. } => self.unfinished_writes += 1,
            Entry::AuthorityAdded { authority, reason, .. } => self.authority(time, *authority, true, reason),
            Entry::AuthorityRetired { authority, reason, .. } => self.authority(time, *authority, false, reason),
            Entry::ReleaseSigned { study, release_digest } => self.releases.push(Release {
                time,
                study: study.clone(),
                digest: *release_digest,
            }),
            _ => {}
        }
    }

    fn authority(&mut self, time: UnixSeconds, authority: Sha256Digest, is_added: bool, reason: &str) {
        self.authorities.push(AuthorityStep {
            time,
            authority,
            is_added,
            reason: reason.to_owned(),
        });
    }

    fn saw_program(&mut self, time: UnixSeconds, version: &str) {
        match self.programs.iter_mut().find(|program| program.version == version) {
            Some(program) => {
                program.last = program.last.max(time);
                program.starts += 1;
            }
            None => self.programs.push(Program {
                version: version.to_owned(),
                first: time,
                last: time,
                starts: 1,
            }),
        }
    }

    fn add_site(&mut self, time: UnixSeconds, entry: &Entry) {
        let (site, what, key, serial, reason) = match entry {
            Entry::InvitationMade { site } => (site, Step::Invited, None, None, None),
            Entry::EnrolmentRequested { site, key_fingerprint } => {
                (site, Step::Asked, Some(key_fingerprint), None, None)
            }
            Entry::EnrolmentApproved {
                site,
                key_fingerprint,
                certificate_serial,
                reason,
            } => (
                site,
                Step::Approved,
                Some(key_fingerprint),
                Some(certificate_serial),
                Some(reason),
            ),
            Entry::EnrolmentRefused { site, reason } => (site, Step::Refused, None, None, Some(reason)),
            Entry::CertificateRenewed {
                site,
                key_fingerprint,
                certificate_serial,
                ..
            } => (
                site,
                Step::Renewed,
                Some(key_fingerprint),
                Some(certificate_serial),
                None,
            ),
            Entry::SiteRevoked { site, reason } => (site, Step::Revoked, None, None, Some(reason)),
            Entry::InvitationContested { site, key_fingerprint } => {
                (site, Step::Contested, Some(key_fingerprint), None, None)
            }
            Entry::CertificateRevoked {
                site,
                certificate_serial,
                reason,
            } => (
                site,
                Step::CertificateRevoked,
                None,
                Some(certificate_serial),
                Some(reason),
            ),
            Entry::HeadRefused { owner, .. } => {
                // An owner is a site's name by the ledger's own rule.
                if let Ok(site) = owner.parse::<SiteName>() {
                    self.steps.push(SiteStep::of(time, site, Step::HeadRefused));
                }
                return;
            }
            _ => return,
        };
        self.steps.push(SiteStep {
            key: key.copied(),
            serial: serial.cloned(),
            reason: reason.cloned(),
            ..SiteStep::of(time, site.clone(), what)
        });
    }

    fn study(&mut self, study: &StudyName) -> &mut Study {
        self.studies.entry(study.clone()).or_default()
    }

    fn add_study(&mut self, time: UnixSeconds, entry: &Entry) {
        match entry {
            Entry::StudyCreated { study, plan_digest } => {
                let told = self.study(study);
                (told.plan, told.created) = (Some(*plan_digest), Some(time));
            }
            Entry::StudyStarted { study } => self.study(study).started = Some(time),
            Entry::StudyFinished { study, model } => self.study(study).finished = Some((time, *model)),
            Entry::StudyPaused { study, reason } => self.study(study).pauses.push(Rest {
                from: time,
                to: None,
                reason: reason.clone(),
            }),
            Entry::StudyResumed { study } => {
                if let Some(rest) = self.study(study).pauses.last_mut() {
                    rest.to = Some(time);
                }
            }
            Entry::StudyAborted { study, reason } => self.study(study).aborted = Some((time, reason.clone())),
            Entry::StudyJoined {
                study,
                site: Some(site),
                plan_digest,
                policy_digest,
            } => {
                let joined = Joined {
                    time,
                    plan: *plan_digest,
                    policy: *policy_digest,
                };
                let told = self.study(study);
                told.declined.remove(site);
                told.joined.insert(site.clone(), joined);
            }
            Entry::StudyDeclined {
                study,
                site: Some(site),
                clause,
                ..
            } => {
                self.study(study).declined.insert(site.clone(), clause.clone());
            }
            Entry::EvaluationAdmitted { study, site, .. } => {
                let told = self.study(study);
                if !told.evaluated.contains(site) {
                    told.evaluated.push(site.clone());
                }
            }
            _ => {}
        }
    }

    fn round(&mut self, study: &StudyName, round: RoundNumber) -> &mut Round {
        self.study(study).rounds.entry(round).or_default()
    }

    fn add_round(&mut self, time: UnixSeconds, entry: &Entry) {
        match entry {
            Entry::RoundOpened { study, round, model_in } => {
                let told = self.round(study, *round);
                (told.opened, told.model_in) = (Some(time), Some(*model_in));
            }
            Entry::RoundFinished {
                study,
                round,
                model_out,
                contributions,
                ..
            } => {
                let told = self.round(study, *round);
                told.finished = Some(time);
                told.model_out = Some(*model_out);
                told.contributions = Some(*contributions);
            }
            Entry::UpdateAdmitted {
                site,
                study,
                round,
                examples,
                ..
            } => {
                self.round(study, *round).admitted.insert(site.clone(), *examples);
            }
            Entry::UpdateRefused {
                site,
                study,
                round,
                code,
            } => self.round(study, *round).refused.push((site.clone(), *code)),
            _ => {}
        }
    }
}
