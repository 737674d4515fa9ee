//! A ledger in memory: a hash chain whose heads are those of the real one. Signatures are left out: here nobody forges.

use snowball_ledger::Head;
use snowball_protocol::{Attempt, RoundNumber, Sha256Digest, SiteName, receipt::Receipt};

/// What the simulation writes down; the kinds of the real ledger that decide something here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Entry {
    /// Something left a site.
    Disclosed(&'static str),
    /// A site's update may leave.
    UpdateApproved(RoundNumber, Attempt, Sha256Digest),
    /// A site keeps the receipt of its update.
    ReceiptKept(Box<Receipt>),
    /// A site keeps the aggregator's head.
    HeadsExchanged(Head),
    /// Somebody's head contradicts the one before.
    HeadRefused(String, Head),
    /// The aggregator keeps a site's head.
    SiteHeadKept(SiteName, Head),
    /// A site takes part.
    StudyJoined(SiteName),
    /// A round begins.
    RoundOpened(RoundNumber),
    /// An update counts.
    UpdateAdmitted(SiteName, RoundNumber, Attempt),
    /// An update does not.
    UpdateRefused(SiteName, RoundNumber),
    /// A round's model is made.
    RoundFinished(RoundNumber, Sha256Digest),
    /// A site's evaluation of the final model was taken in.
    EvaluationAdmitted(SiteName),
    /// A site is shut out.
    SiteRevoked(SiteName),
    /// What happened to the study as a whole.
    Study(&'static str),
}

/// Records, each hashed together with the one before.
#[derive(Clone, Debug)]
pub struct Ledger {
    owner: String,
    records: Vec<(Entry, Sha256Digest)>,
}

impl Ledger {
    /// An empty ledger of `owner`.
    #[must_use]
    pub fn of(owner: &str) -> Self {
        Self {
            owner: owner.to_owned(),
            records: Vec::new(),
        }
    }

    /// Appends; whoever calls has asked for the power to write.
    pub fn append(&mut self, entry: Entry) -> Head {
        let previous = self.hash_at(self.records.len() as u64);
        let mut bytes = previous.as_bytes().to_vec();
        bytes.extend(format!("{} {entry:?}", self.records.len()).bytes());
        self.records.push((entry, Sha256Digest::of(&bytes)));
        self.head()
    }

    /// Where it stands.
    #[must_use]
    pub fn head(&self) -> Head {
        let entries = self.records.len() as u64;
        Head {
            owner: self.owner.clone(),
            entries,
            hash: self.hash_at(entries),
        }
    }

    /// Whether it once stood at `head`.
    #[must_use]
    pub fn has_stood_at(&self, head: &Head) -> bool {
        head.entries <= self.records.len() as u64 && self.hash_at(head.entries) == head.hash
    }

    /// What is written down, oldest first.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> + ExactSizeIterator {
        self.records.iter().map(|(entry, _)| entry)
    }

    /// Cuts the tail off; only a fault does this.
    pub fn cut(&mut self, entries: usize) {
        self.records.truncate(self.records.len().saturating_sub(entries));
    }

    /// Whether every record still follows the one before.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let mut again = Self::of(&self.owner);
        self.records
            .iter()
            .all(|(entry, hash)| again.append(entry.clone()).hash == *hash)
    }

    fn hash_at(&self, entries: u64) -> Sha256Digest {
        let last = usize::try_from(entries).ok().and_then(|entries| entries.checked_sub(1));
        match last.and_then(|last| self.records.get(last)) {
            Some((_, hash)) => *hash,
            None => Sha256Digest::of(self.owner.as_bytes()),
        }
    }
}
