//! Rounds that are under way: parties export at different moments of one, so what only one side holds of it yet is no
//! contradiction.
//!
//! A round counts as open only while nobody holds it as closed: the aggregator's ledger opened and did not end it, and no site keeps
//! a signed outcome of it or a receipt of a later one. So a tail that somebody cut hides the one round that nobody has seen the end
//! of, and no other; and that one is judged at the next audit.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use snowball_crypto::VerifyingKey;
use snowball_ledger::{Entry, Head, Record, SignedHead};
use snowball_protocol::{RoundNumber, Sha256Digest, SiteName, StudyName, outcome::SignedOutcome};

use crate::{aggregator::Round, documents::paths, folder::Folder, keys::Keys, ledgers::Evidence};

/// The rounds that are not judged yet, and from which record of each ledger on something of them may stand.
#[derive(Default)]
pub(crate) struct OpenRounds {
    /// By the aggregator's record that opened them.
    opened: BTreeMap<Round, u64>,
    /// Studies whose review is under way, by the record of their final model: sites send evaluations, and both sides exchange heads.
    reviews: BTreeMap<StudyName, u64>,
    /// By site, the record after which its part in a study's newest round may begin: its joining, or its last receipt of a round that
    /// is closed.
    begins: BTreeMap<SiteName, BTreeMap<StudyName, u64>>,
}

impl OpenRounds {
    /// Of ledgers whose chains were checked before.
    pub(crate) fn of(evidence: &Evidence<'_>, keys: &Keys) -> Self {
        let mut rounds = Self::default();
        let Some(aggregator) = &evidence.aggregator else {
            return rounds;
        };
        for record in records(aggregator) {
            match record.entry {
                Entry::RoundOpened { study, round, .. } => drop(rounds.opened.insert((study, round), record.index)),
                Entry::RoundFinished { study, round, .. } => rounds.close(&study, Some(round)),
                Entry::StudyFinished { study, .. } => {
                    rounds.close(&study, None);
                    rounds.reviews.insert(study, record.index);
                }
                Entry::StudyAborted { study, .. } => {
                    rounds.close(&study, None);
                    rounds.reviews.remove(&study);
                }
                Entry::ReleaseSigned { study, .. } => drop(rounds.reviews.remove(&study)),
                _ => {}
            }
        }
        for (site, (folder, _)) in &evidence.sites {
            for record in records(folder) {
                let begun = match record.entry {
                    Entry::StudyJoined { study, .. } => study,
                    Entry::ReceiptKept { receipt } => {
                        let receipt = receipt.receipt;
                        rounds.close(&receipt.study, Some(RoundNumber(receipt.round.0.saturating_sub(1))));
                        let round = (receipt.study, receipt.round);
                        if rounds.is_open(&round) {
                            continue;
                        }
                        round.0
                    }
                    Entry::RoundOutcomeKept { outcome } if is_signed(&outcome, &keys.aggregator) => {
                        rounds.close(&outcome.outcome.study, Some(outcome.outcome.round));
                        continue;
                    }
                    _ => continue,
                };
                rounds
                    .begins
                    .entry(site.clone())
                    .or_default()
                    .insert(begun, record.index);
            }
        }
        rounds
    }

    /// Closes a study's rounds up to this one, or all.
    fn close(&mut self, study: &StudyName, up_to: Option<RoundNumber>) {
        self.opened
            .retain(|(name, round), _| name != study || up_to.is_some_and(|last| *round > last));
    }

    /// Whether nobody holds this round as closed.
    pub(crate) fn is_open(&self, round: &Round) -> bool {
        self.opened.contains_key(round)
    }

    /// Each of them.
    pub(crate) fn rounds(&self) -> impl Iterator<Item = &Round> {
        self.opened.keys()
    }

    /// From which of the aggregator's records on a head of `site` may be of an open round, or of a review under way.
    pub(crate) fn since_at_aggregator(&self, site: &SiteName) -> Option<u64> {
        let joined = self.begins.get(site)?;
        let opened = self.opened.iter().map(|((study, _), index)| (study, index));
        let begun = opened
            .chain(&self.reviews)
            .filter(|(study, _)| joined.contains_key(*study));
        begun.map(|(_, index)| *index).min()
    }

    /// From which of the site's records on a head of the aggregator may be of an open round, or of a review under way.
    pub(crate) fn since_at(&self, site: &SiteName) -> Option<u64> {
        let studies: BTreeSet<&StudyName> = self
            .opened
            .keys()
            .map(|(study, _)| study)
            .chain(self.reviews.keys())
            .collect();
        let begins = self
            .begins
            .get(site)?
            .iter()
            .filter(|(study, _)| studies.contains(study));
        begins.map(|(_, index)| *index).min()
    }

    /// What `keeper` kept of `owner`'s ledger for an open round alone, from its record `since` on.
    pub(crate) fn late(&self, keeper: &Folder, owner: &str, key: &VerifyingKey, since: u64) -> Late {
        let (mut early, mut late) = (HashSet::new(), Late::default());
        for record in records(keeper) {
            let heads = if record.index < since {
                &mut early
            } else {
                &mut late.heads
            };
            for note in notes(&record.entry) {
                if let Ok(signed) = SignedHead::read(note, key)
                    && signed.head.owner == owner
                {
                    heads.insert((signed.head.entries, signed.head.hash));
                }
            }
            if let Entry::UpdateAdmitted {
                site,
                study,
                round,
                site_ledger_head,
                ..
            } = &record.entry
                && site.as_str() == owner
                && self.is_open(&(study.clone(), *round))
            {
                late.hashes.insert(*site_ledger_head);
            }
        }
        late.heads.retain(|head| !early.contains(head));
        late
    }
}

/// Heads that are held against nothing where the ledger that they are of ends before them.
#[derive(Default)]
pub(crate) struct Late {
    heads: HashSet<(u64, Sha256Digest)>,
    /// Of updates, each of which is held against the site's approvals.
    hashes: HashSet<Sha256Digest>,
}

impl Late {
    /// Whether this head was signed after the ledger stood at `entries`, and for an open round.
    pub(crate) fn is_beyond(&self, head: &Head, entries: u64) -> bool {
        head.entries > entries && self.heads.contains(&(head.entries, head.hash))
    }

    /// Whether this hash came with an update of an open round.
    pub(crate) fn came_with_an_update(&self, hash: &Sha256Digest) -> bool {
        self.hashes.contains(hash)
    }
}

fn notes(entry: &Entry) -> Vec<&str> {
    match entry {
        Entry::SiteHeadKept { head, .. } => vec![head],
        Entry::HeadsExchanged {
            site_head,
            aggregator_head,
        } => vec![site_head, aggregator_head],
        _ => Vec::new(),
    }
}

fn is_signed(signed: &SignedOutcome, key: &VerifyingKey) -> bool {
    signed
        .signature
        .parse()
        .is_ok_and(|signature| key.verify(&signed.outcome.signed_bytes(), &signature).is_ok())
}

/// The records that this program can read; what it cannot is said elsewhere.
fn records(folder: &Folder) -> impl Iterator<Item = Record> {
    let records = snowball_ledger::records(&folder.path(paths::LEDGER));
    records.into_iter().flatten().map_while(Result::ok)
}
