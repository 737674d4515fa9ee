//! The aggregator's ledger as facts that the sites' evidence and the documents are held against.

use std::collections::{BTreeMap, BTreeSet};

use snowball_ledger::{Entry, Record};
use snowball_protocol::{
    Attempt, RoundNumber, Sha256Digest, SiteName, StudyName, ids::UnixSeconds, session::ControlReference,
};

use crate::reviews::Review;

/// One round of one study.
pub(crate) type Round = (StudyName, RoundNumber);
/// One update of a round.
pub(crate) type Update = (SiteName, Attempt);

/// An admission may be under way when a revocation is written down.
pub(crate) const UNDER_WAY_SECONDS: UnixSeconds = 5;

/// An update that counts, as the ledger tells it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Admission {
    pub index: u64,
    pub time: UnixSeconds,
    pub digest: Sha256Digest,
    pub examples: u64,
    pub site_head: Sha256Digest,
}

/// A round that made a model.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Finished {
    pub model_in: Sha256Digest,
    pub model_out: Sha256Digest,
    /// What the next round's steps are corrected by.
    pub control: Option<ControlReference>,
    pub contributions: u64,
}

/// A site's joining.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Joined {
    pub index: u64,
    pub plan_digest: Sha256Digest,
    pub policy_digest: Sha256Digest,
}

/// An evaluation of a final model that was taken in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct EvaluationTaken {
    pub index: u64,
    pub time: UnixSeconds,
    pub site: SiteName,
    pub study: StudyName,
    pub digest: Sha256Digest,
}

/// A site that was let in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Approved {
    pub index: u64,
    pub site: SiteName,
    pub key_fingerprint: Sha256Digest,
    pub serial: String,
    /// Whether a request with this key came before.
    pub was_asked: bool,
}

/// The ledger's facts.
#[derive(Default)]
pub(crate) struct AggregatorFacts {
    pub plans: BTreeMap<StudyName, BTreeSet<Sha256Digest>>,
    pub joined: BTreeMap<(SiteName, StudyName), Joined>,
    pub admitted: BTreeMap<Round, BTreeMap<Update, Admission>>,
    pub opened: BTreeMap<Round, Sha256Digest>,
    pub finished: BTreeMap<Round, Finished>,
    pub final_models: BTreeMap<StudyName, Sha256Digest>,
    pub released: Vec<(u64, StudyName, Sha256Digest)>,
    pub approved: Vec<Approved>,
    /// Serial numbers that each site was given by renewal.
    pub renewed: BTreeMap<SiteName, BTreeSet<String>>,
    /// The evaluations of final models that were taken in, in order.
    pub evaluations: Vec<EvaluationTaken>,
    pub reviews: BTreeMap<StudyName, Review>,
    requested: BTreeSet<(SiteName, Sha256Digest)>,
    /// When each site came and went, in order: index, time, whether it came.
    standing: BTreeMap<SiteName, Vec<(u64, UnixSeconds, bool)>>,
}

impl AggregatorFacts {
    pub(crate) fn see(&mut self, record: &Record) {
        match &record.entry {
            Entry::StudyCreated { study, plan_digest } => {
                self.plans.entry(study.clone()).or_default().insert(*plan_digest);
            }
            Entry::StudyJoined {
                study,
                site: Some(site),
                plan_digest,
                policy_digest,
            } => {
                let joined = Joined {
                    index: record.index,
                    plan_digest: *plan_digest,
                    policy_digest: *policy_digest,
                };
                self.joined.insert((site.clone(), study.clone()), joined);
            }
            Entry::UpdateAdmitted {
                site,
                study,
                round,
                attempt,
                update_digest,
                examples,
                site_ledger_head,
            } => {
                let admission = Admission {
                    index: record.index,
                    time: record.time,
                    digest: *update_digest,
                    examples: *examples,
                    site_head: *site_ledger_head,
                };
                let of_round = self.admitted.entry((study.clone(), *round)).or_default();
                of_round.insert((site.clone(), *attempt), admission);
            }
            Entry::RoundOpened { study, round, model_in } => {
                self.opened.insert((study.clone(), *round), *model_in);
            }
            Entry::RoundFinished {
                study,
                round,
                model_in,
                model_out,
                control,
                contributions,
            } => {
                let finished = Finished {
                    model_in: *model_in,
                    model_out: *model_out,
                    control: *control,
                    contributions: *contributions,
                };
                self.finished.insert((study.clone(), *round), finished);
            }
            Entry::StudyFinished { study, model } => {
                self.reviews.entry(study.clone()).or_default().begun = Some(record.index);
                self.final_models.insert(study.clone(), *model);
            }
            Entry::ReleaseSigned { study, release_digest } => {
                self.end_review(study, record);
                self.released.push((record.index, study.clone(), *release_digest));
            }
            Entry::StudyAborted { study, .. } => self.end_review(study, record),
            Entry::EvaluationAdmitted { site, study, digest } => self.evaluations.push(EvaluationTaken {
                index: record.index,
                time: record.time,
                site: site.clone(),
                study: study.clone(),
                digest: *digest,
            }),
            _ => self.see_site(record),
        }
    }

    /// A release may be signed again after a crash: the first one ended the review.
    fn end_review(&mut self, study: &StudyName, record: &Record) {
        let review = self.reviews.entry(study.clone()).or_default();
        review.ended.get_or_insert((record.index, record.time));
    }

    /// Who was let in and shut out.
    fn see_site(&mut self, record: &Record) {
        match &record.entry {
            Entry::EnrolmentRequested { site, key_fingerprint } => {
                self.requested.insert((site.clone(), *key_fingerprint));
            }
            Entry::EnrolmentApproved {
                site,
                key_fingerprint,
                certificate_serial,
                ..
            } => {
                self.approved.push(Approved {
                    index: record.index,
                    site: site.clone(),
                    key_fingerprint: *key_fingerprint,
                    serial: certificate_serial.clone(),
                    was_asked: self.requested.contains(&(site.clone(), *key_fingerprint)),
                });
                self.stands(site, record, true);
            }
            Entry::CertificateRenewed {
                site,
                certificate_serial,
                ..
            } => {
                let serials = self.renewed.entry(site.clone()).or_default();
                serials.insert(certificate_serial.clone());
            }
            Entry::SiteRevoked { site, .. } => self.stands(site, record, false),
            _ => {}
        }
    }

    fn stands(&mut self, site: &SiteName, record: &Record, came: bool) {
        let standing = self.standing.entry(site.clone()).or_default();
        standing.push((record.index, record.time, came));
    }

    /// Whether `site` had been let in when record `index` was written.
    pub(crate) fn was_let_in(&self, site: &SiteName, index: u64) -> bool {
        let standing = self.standing.get(site).into_iter().flatten();
        standing.take_while(|(at, ..)| *at < index).any(|(.., came)| *came)
    }

    /// When `site` had been revoked by record `index`, of something that came at `received`.
    pub(crate) fn was_revoked(&self, site: &SiteName, index: u64, received: UnixSeconds) -> Option<UnixSeconds> {
        let standing = self.standing.get(site).into_iter().flatten();
        let last = standing.take_while(|(at, ..)| *at < index).last();
        last.filter(|(_, time, came)| !came && received > time + UNDER_WAY_SECONDS)
            .map(|(_, time, _)| *time)
    }

    /// The aggregator's record of one update.
    pub(crate) fn admission(&self, round: &Round, update: &Update) -> Option<&Admission> {
        self.admitted.get(round)?.get(update)
    }
}
