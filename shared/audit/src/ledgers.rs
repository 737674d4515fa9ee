//! Each ledger by itself, then with the heads that all others kept of it.

use std::collections::BTreeMap;

use snowball_crypto::VerifyingKey;
use snowball_ledger::{AGGREGATOR, Entry, Expected, VerifyError};
use snowball_protocol::SiteName;

use crate::{
    documents::paths,
    finding::Code,
    folder::Folder,
    keys::{Keys, SiteKeys},
    open::OpenRounds,
    outcome::{Area, Audit},
    site,
};

/// The folders, each with the party that it is of.
pub(crate) struct Evidence<'a> {
    pub aggregator: Option<Folder>,
    pub sites: BTreeMap<SiteName, (Folder, &'a SiteKeys)>,
}

impl Evidence<'_> {
    /// A ledger that was changed is not read any further, here or for the heads that it keeps of others. Gives the rounds that are
    /// under way.
    pub(crate) fn check_ledgers(&mut self, keys: &Keys, audit: &mut Audit) -> OpenRounds {
        if let Some(folder) = &self.aggregator
            && !holds(folder, AGGREGATOR, &keys.aggregator, audit)
        {
            self.aggregator = None;
        }
        self.sites
            .retain(|site, (folder, keys)| holds(folder, site.as_str(), &keys.ledger, audit));

        let open = OpenRounds::of(self, keys);
        for (site, (folder, pinned)) in &self.sites {
            if let Some(other) = &self.aggregator {
                let since = open.since_at_aggregator(site);
                heads(folder, site.as_str(), &pinned.ledger, other, (&open, since), audit);
            }
            refused(folder, site.as_str(), audit);
        }
        if let Some(folder) = &self.aggregator {
            for (site, (other, _)) in &self.sites {
                let since = open.since_at(site);
                heads(folder, AGGREGATOR, &keys.aggregator, other, (&open, since), audit);
            }
            refused(folder, AGGREGATOR, audit);
        }
        open
    }
}

/// Whether a ledger's chain is sound, whole and signed.
fn holds(folder: &Folder, owner: &str, key: &VerifyingKey, audit: &mut Audit) -> bool {
    audit.looked(Area::Ledgers);
    let expected = Expected {
        owner: Some(owner.to_owned()),
        ..Expected::default()
    };
    let verified = match snowball_ledger::verify_expecting(&folder.path(paths::LEDGER), key, &expected) {
        Ok(verified) => verified,
        Err(fault) => {
            let detail = format!("{fault} ({})", fault.code());
            audit.find(Area::Ledgers, Code::LedgerBroken, owner, detail);
            return false;
        }
    };
    if verified.unseen > 0 {
        let detail = format!(
            "its first {} records lie in archives that are not here",
            verified.unseen
        );
        audit.find(Area::Ledgers, Code::LedgerPartial, owner, detail);
        return false;
    }
    let (found, listed) = (&verified.head, &folder.manifest.head);
    if found != listed {
        let detail = format!(
            "it has {} records and ends with {}; the manifest says {} and {}",
            found.entries, found.hash, listed.entries, listed.hash
        );
        audit.find(Area::Ledgers, Code::LedgerHead, owner, detail);
    }
    true
}

/// Whether the ledger still has every head that `other` kept of it, but for those beyond its end that `other` kept of an open round,
/// from its record `since` on. A ledger that lacks one is read all the same: it is sound by itself.
fn heads(
    folder: &Folder,
    owner: &str,
    key: &VerifyingKey,
    other: &Folder,
    (open, since): (&OpenRounds, Option<u64>),
    audit: &mut Audit,
) {
    let ledger = folder.path(paths::LEDGER);
    let mut expected = Expected::default();
    let kept = expected.keep(&ledger, key, &[other.path(paths::LEDGER)]);
    let place = format!("{owner}, as {} kept it", other.owner());
    if let Some(since) = since {
        let late = open.late(other, owner, key, since);
        let before = expected.kept.len();
        let entries = folder.manifest.head.entries;
        expected.kept.retain(|head| !late.is_beyond(head, entries));
        expected.heads.retain(|hash| !late.came_with_an_update(hash));
        audit.pass_over(before - expected.kept.len());
    }
    for _ in 0..expected.heads.len() + expected.kept.len() {
        audit.looked(Area::Heads);
    }
    if let Ok(others @ 1..) = kept {
        audit.note(format!(
            "{place}: {others} heads of its name are signed with another key, as of a ledger before it enrolled again; they were not \
             held against this one"
        ));
    }
    let fault = match kept {
        Ok(_) => snowball_ledger::verify_expecting(&ledger, key, &expected).err(),
        Err(fault) => Some(fault),
    };
    if let Some(fault) = fault {
        let code = match fault {
            VerifyError::HeadInvalid => Code::HeadSignature,
            _ => Code::HeadUnknown,
        };
        audit.find(Area::Heads, code, place, format!("{fault} ({})", fault.code()));
    }
}

/// Heads that a party refused, because they contradicted what it had kept.
fn refused(folder: &Folder, holder: &str, audit: &mut Audit) {
    site::each(folder, &holder, audit, |record, audit| {
        if let Entry::HeadRefused { owner, code, .. } = &record.entry {
            audit.looked(Area::Heads);
            let place = format!("{holder}, record {}", record.index);
            let detail = format!("{holder} was shown a head of {owner} that contradicts what it had kept ({code:?})");
            audit.find(Area::Heads, Code::HeadRefused, place, detail);
        }
    });
}
