//! The whole check, in the order of the answer.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use snowball_ledger::AGGREGATOR;
use snowball_protocol::{Sha256Digest, SiteName, StudyName, StudyPlan};

use crate::{
    aggregator::AggregatorFacts,
    controls,
    cross::Parties,
    documents::{ConsortiumFacts, paths},
    finding::Code,
    first,
    folder::Folder,
    heard,
    keys::Keys,
    ledgers::Evidence,
    manifest::Kind,
    open::OpenRounds,
    outcome::{Area, Audit, Outcome},
    releases, reviews, rounds, site,
};

/// Most certificates in one file of a CA.
const CA_MAX: usize = 16;

/// Checks the evidence of a consortium against the keys that were written down, and each party's against the other's.
#[must_use]
pub fn audit(folders: &[PathBuf], keys: &Keys) -> Outcome {
    let mut audit = Audit::begin();
    let mut evidence = Evidence::open(folders, keys, &mut audit);
    let open = evidence.check_ledgers(keys, &mut audit);
    audit.leave_open(open.rounds());
    let mut facts = BTreeMap::new();
    for (site, (folder, keys)) in &evidence.sites {
        facts.insert(site.clone(), site::check(folder, site, keys, &mut audit));
    }
    match &evidence.aggregator {
        Some(folder) => check_both_sides(folder, &facts, keys, &open, &mut audit),
        None => audit.note(
            "without the aggregator's evidence the sites were checked each for itself: receipts, updates and rounds were not",
        ),
    }
    audit.finish()
}

fn check_both_sides(
    folder: &Folder,
    sites: &BTreeMap<SiteName, site::SiteFacts>,
    keys: &Keys,
    open: &OpenRounds,
    audit: &mut Audit,
) {
    let mut aggregator = AggregatorFacts::default();
    site::each(folder, &AGGREGATOR, audit, |record, _| aggregator.see(record));
    let plans = plans(folder, &aggregator, audit);
    let parties = Parties {
        keys,
        folder,
        aggregator: &aggregator,
        sites,
        plans: &plans,
        open,
    };
    parties.enrolments(audit);
    parties.joins(audit);
    let updates = parties.updates(audit);
    parties.measurements(audit);
    for (site, facts) in sites {
        parties.receipts(site, facts, &updates, audit);
        heard::not_had(site, facts, &aggregator, audit);
        heard::outcomes(site, facts, (&aggregator, &keys.aggregator), audit);
    }
    rounds::check(folder, &aggregator, &updates, audit);
    first::check(&aggregator, sites, &plans, audit);
    reviews::check(&aggregator, &plans, audit);
    controls::check(&aggregator, sites, &plans, audit);
    releases::check(folder, &aggregator, &keys.aggregator, audit);
    let silent: BTreeSet<&SiteName> = aggregator
        .admitted
        .values()
        .flat_map(BTreeMap::keys)
        .map(|(site, _)| site)
        .filter(|site| !sites.contains_key(*site))
        .collect();
    for site in silent {
        audit.note(format!(
            "{site} contributed, and its evidence is not here or does not hold: its updates were not held against its ledger"
        ));
    }
}

fn plans(folder: &Folder, facts: &AggregatorFacts, audit: &mut Audit) -> BTreeMap<StudyName, StudyPlan> {
    let mut plans = BTreeMap::new();
    for (study, digests) in &facts.plans {
        let place = format!("aggregator, study {study}");
        audit.expect(digests.len() == 1, Area::Plans, Code::PlanDiffers, &place, || {
            format!(
                "the ledger made this study {} times with different plans",
                digests.len()
            )
        });
        for digest in digests {
            if let Some(plan) = site::plan(folder, &place, study, digest, audit) {
                plans.insert(study.clone(), plan);
            }
        }
    }
    plans
}

impl<'a> Evidence<'a> {
    fn open(folders: &[PathBuf], keys: &'a Keys, audit: &mut Audit) -> Self {
        let mut evidence = Self {
            aggregator: None,
            sites: BTreeMap::new(),
        };
        let mut shown: BTreeSet<String> = BTreeSet::new();
        for root in folders {
            let Some(folder) = Folder::open(root, audit) else {
                continue;
            };
            let owner = folder.owner().to_owned();
            audit.looked(Area::Folders);
            if !shown.insert(owner.clone()) {
                let detail = format!("an earlier folder is of {owner}, too; this one was not looked at");
                audit.find(Area::Folders, Code::FolderTwice, root.display().to_string(), detail);
                continue;
            }
            evidence.take(folder, root, keys, audit);
        }
        let missing = keys.sites.keys().map(SiteName::as_str).chain([AGGREGATOR]);
        for party in missing.filter(|party| !shown.contains(*party)) {
            audit.looked(Area::Folders);
            let detail = format!("no folder is of {party}");
            audit.find(Area::Folders, Code::EvidenceMissing, party, detail);
        }
        evidence
    }

    fn take(&mut self, folder: Folder, root: &Path, keys: &'a Keys, audit: &mut Audit) {
        let owner = folder.owner().to_owned();
        let pinned = match (folder.manifest.kind, owner.parse::<SiteName>()) {
            (Kind::Aggregator, _) => keys.aggregator,
            (Kind::Site, Ok(site)) if keys.sites.contains_key(&site) => keys.sites[&site].ledger,
            (Kind::Site, _) => {
                let detail = format!("{} is of {owner}", root.display());
                return audit.find(Area::Folders, Code::OwnerUnknown, owner, detail);
            }
        };
        if folder.manifest.key != pinned {
            let detail = format!(
                "it is signed with {}, and {pinned} was written down",
                folder.manifest.key
            );
            audit.find(Area::Folders, Code::KeyDiffers, owner.clone(), detail);
        }
        consortium(&folder, keys, audit);
        match (folder.manifest.kind, owner.parse::<SiteName>()) {
            (Kind::Aggregator, _) => self.aggregator = Some(folder),
            (Kind::Site, Ok(site)) => {
                if let Some(keys) = keys.sites.get(&site) {
                    self.sites.insert(site, (folder, keys));
                }
            }
            (Kind::Site, Err(_)) => {}
        }
    }
}

/// The consortium that a party belongs to: the same aggregator and the same authority.
fn consortium(folder: &Folder, keys: &Keys, audit: &mut Audit) {
    let Some(document) = folder.read(paths::CONSORTIUM) else {
        return;
    };
    let place = format!("{}, {}", folder.owner(), paths::CONSORTIUM);
    let facts: Option<ConsortiumFacts> = serde_json::from_slice(&document).ok();
    audit.expect(
        facts
            .as_ref()
            .is_some_and(|facts| facts.aggregator_key == keys.aggregator),
        Area::Enrolments,
        Code::KeyDiffers,
        &place,
        || "it names another key of the aggregator".to_owned(),
    );
    if keys.ca.is_empty() {
        return;
    }
    let named = facts.map(|facts| facts.ca_fingerprint);
    let certificates = folder.read(paths::CA).map(|pem| fingerprints(&pem)).unwrap_or_default();
    let is_pinned = !certificates.is_empty() && certificates.iter().chain(&named).all(|one| keys.ca.contains(one));
    audit.expect(is_pinned, Area::Enrolments, Code::CaDiffers, &place, || {
        "its certificate is not one that was written down".to_owned()
    });
}

/// SHA-256 of each certificate in a PEM file.
fn fingerprints(pem: &[u8]) -> Vec<Sha256Digest> {
    let text = String::from_utf8_lossy(pem);
    text.split("-----BEGIN CERTIFICATE-----")
        .skip(1)
        .take(CA_MAX)
        .map(|block| {
            let base64: String = block
                .split("-----END")
                .next()
                .unwrap_or_default()
                .split_whitespace()
                .collect();
            Sha256Digest::of(&STANDARD.decode(base64).unwrap_or_default())
        })
        .collect()
}
