//! What must hold after every step, one function each.

use std::collections::{BTreeMap, BTreeSet};

use snowball_protocol::{RoundNumber, Sha256Digest, SiteName, StudyPlan, ids::UnixSeconds};
use snowball_rounds::{Collecting, Phase};

use crate::{
    aggregator::store::{Store, UploadPhase},
    controls,
    fact::Fact,
    ledger::Entry,
    node::Node,
    study::{Study, bytes_of, numbers_of},
};

/// What an invariant looks at.
pub struct Evidence<'a> {
    /// The study.
    pub study: &'a Study,
    /// What the aggregator keeps.
    pub store: &'a Store,
    /// The nodes with their disks.
    pub nodes: &'a [Node],
    /// What happened in this step.
    pub new: &'a [Fact],
    /// What was seen before it.
    pub before: &'a Memory,
}

/// What is remembered from step to step.
#[derive(Default)]
pub struct Memory {
    facts: usize,
    changes: u64,
    revoked: BTreeSet<SiteName>,
    admitted: BTreeSet<(RoundNumber, SiteName)>,
    records_of_sites: BTreeMap<SiteName, u64>,
    records: u64,
}

/// An invariant that does not hold.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Violation {
    /// Its name.
    pub invariant: &'static str,
    /// What was found.
    pub reason: String,
}

/// One invariant: nothing, or what was found.
type Invariant = fn(&Evidence<'_>) -> Result<(), String>;

/// Every invariant of a step, in the order in which they are looked at. The one of the whole run,
/// [`THE_STUDY_MOVES`], is looked at when its time is over.
pub const INVARIANTS: [(&str, Invariant); 9] = [
    ("no update counts twice", no_update_counts_twice),
    ("a revoked site contributes nothing", a_revoked_site_contributes_nothing),
    ("no round closes before its minimum", no_round_closes_before_its_minimum),
    (
        "a receipt is for an admitted update",
        a_receipt_is_for_an_admitted_update,
    ),
    ("no acknowledged update is lost", no_acknowledged_update_is_lost),
    (
        "a model is the mean of its contributors",
        a_model_is_the_mean_of_its_contributors,
    ),
    (
        "what a site keeps is of updates that count",
        what_a_site_keeps_is_of_updates_that_count,
    ),
    (
        "the control variate is the mean of the sites' own",
        controls::is_the_mean_of_the_sites_own,
    ),
    ("ledgers are consistent", ledgers_are_consistent),
];

/// Once nothing goes wrong any more, the study ends, or lacks sites and says so.
pub const THE_STUDY_MOVES: &str = "the study moves";

/// Looks at every invariant after a step.
///
/// # Errors
/// The first that does not hold.
pub fn check(study: &Study, store: &Store, nodes: &[Node], memory: &mut Memory) -> Result<(), Violation> {
    let records = nodes
        .iter()
        .map(|node| node.disk.ledger.entries().len() as u64)
        .sum::<u64>();
    let changes = store.writes + records + store.facts.len() as u64;
    if changes == memory.changes {
        return Ok(());
    }
    let new = store.facts.get(memory.facts..).unwrap_or_default();
    let evidence = Evidence {
        study,
        store,
        nodes,
        new,
        before: memory,
    };
    for (invariant, holds) in INVARIANTS {
        holds(&evidence).map_err(|reason| Violation { invariant, reason })?;
    }
    memory.changes = changes;
    memory.remember(store);
    Ok(())
}

/// What holds of a whole run, looked at once at its end: every record of every ledger follows the one before.
///
/// # Errors
/// Whose ledger does not hold.
pub fn check_ledgers_whole(store: &Store, nodes: &[Node]) -> Result<(), Violation> {
    let broken = nodes
        .iter()
        .map(|node| &node.disk.ledger)
        .chain([&store.ledger])
        .find(|ledger| !ledger.is_whole());
    match broken {
        Some(ledger) => Err(Violation {
            invariant: "ledgers are consistent",
            reason: format!("a record of the ledger of {} was altered", ledger.head().owner),
        }),
        None => Ok(()),
    }
}

impl Memory {
    fn remember(&mut self, store: &Store) {
        for fact in store.facts.get(self.facts..).unwrap_or_default() {
            match fact {
                Fact::Revoked { site } => drop(self.revoked.insert(site.clone())),
                Fact::Admitted { site, round, .. } => drop(self.admitted.insert((*round, site.clone()))),
                _ => {}
            }
        }
        self.facts = store.facts.len();
        self.records = store.ledger.head().entries;
        for (site, enrolled) in &store.sites {
            if let Some(head) = &enrolled.head {
                self.records_of_sites.insert(site.clone(), head.entries);
            }
        }
    }
}

/// One update of a site in a round and from a model, and once in the model: a 2 in the sum is a double count.
fn no_update_counts_twice(evidence: &Evidence<'_>) -> Result<(), String> {
    let mut seen = evidence.before.admitted.clone();
    for fact in evidence.new {
        match fact {
            Fact::Admitted { site, round, attempt } if !seen.insert((*round, site.clone())) => {
                return Err(format!(
                    "{site} counts twice in round {round}, the second time with try {}",
                    attempt.0
                ));
            }
            Fact::Admitted { site, round, .. } => no_model_is_used_twice(evidence, site, *round)?,
            Fact::ModelMade { round } => {
                let counts = counts_in(evidence, *round)?;
                let updates = evidence
                    .store
                    .rounds
                    .get(round)
                    .map_or(0, |record| record.contributors.len());
                if let Some(place) = counted_twice(&counts, updates) {
                    return Err(format!(
                        "site-{place} is twice in the model of round {round}: {counts:.2?}"
                    ));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Every model that a study makes is another one, so a site's updates that count are each from another.
fn no_model_is_used_twice(evidence: &Evidence<'_>, site: &SiteName, round: RoundNumber) -> Result<(), String> {
    let mut models = BTreeSet::new();
    let is_admitted = |phase: &UploadPhase| matches!(phase, UploadPhase::Admitted(_));
    let uploads = evidence.store.uploads.values();
    for upload in uploads.filter(|upload| upload.site == *site && is_admitted(&upload.phase)) {
        if !models.insert(upload.header.model_in) {
            return Err(format!("round {round}: two updates of {site} from one model count"));
        }
    }
    Ok(())
}

/// The place that is in a sum of so many updates twice. Where an update is missing, every other has more than its share, and
/// all the same: that is another fault.
fn counted_twice(counts: &[f64], updates: usize) -> Option<usize> {
    let there = counts.iter().copied().filter(|count| *count > 0.25);
    let share = if updates == 1 {
        1.0
    } else {
        there.fold(f64::INFINITY, f64::min)
    };
    counts.iter().position(|count| *count > 1.5 * share)
}

/// From the moment at which its revocation is durable.
fn a_revoked_site_contributes_nothing(evidence: &Evidence<'_>) -> Result<(), String> {
    let mut revoked = evidence.before.revoked.clone();
    for fact in evidence.new {
        match fact {
            Fact::Revoked { site } => drop(revoked.insert(site.clone())),
            Fact::Admitted { site, round, .. } if revoked.contains(site) => {
                return Err(format!("{site} was revoked and counts in round {round}"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// A round has its least number of updates when it closes, and its least time, unless every site of it contributed.
fn no_round_closes_before_its_minimum(evidence: &Evidence<'_>) -> Result<(), String> {
    for fact in evidence.new {
        let Fact::Moved { before, after, now } = fact else {
            continue;
        };
        if let (Phase::Collecting(open), Phase::Aggregating(closed)) = (before.within(), after.within()) {
            // The clock of a paused study stands still.
            let now = &before.paused().map_or(*now, |paused| paused.since);
            let updates = closed.contributions.len();
            let plan = &evidence.study.plan;
            if updates < plan.rounds.updates.min as usize {
                return Err(format!("round {} closed with {updates} updates", closed.round));
            }
            let has_left = |site| !closed.sites.contains(site);
            let is_complete = open
                .sites
                .iter()
                .all(|site| closed.contributions.contains_key(site) || has_left(site));
            if !is_complete && !has_waited(open, *now, plan) {
                let seconds = now - open.opened;
                return Err(format!(
                    "round {} closed after {seconds} s without {:?}",
                    closed.round, closed.silent
                ));
            }
        }
    }
    Ok(())
}

/// An extended round has had its time, also where the clock was set back since.
fn has_waited(open: &Collecting, now: UnixSeconds, plan: &StudyPlan) -> bool {
    let waited = now - open.opened;
    let is_over = waited >= i64::from(plan.rounds.collect_seconds.max);
    let is_full = open.contributions.len() + 1 >= plan.rounds.updates.max as usize;
    open.extensions > 0 || is_over || (is_full && waited >= i64::from(plan.rounds.collect_seconds.min))
}

/// Whatever receipt was handed to the network says what the store says.
fn a_receipt_is_for_an_admitted_update(evidence: &Evidence<'_>) -> Result<(), String> {
    for fact in evidence.new {
        let Fact::ReceiptGiven { receipt } = fact else { continue };
        let key = (receipt.round, receipt.site.clone(), receipt.attempt);
        let upload = evidence.store.uploads.get(&key);
        if !upload.is_some_and(|upload| matches!(upload.phase, UploadPhase::Admitted(_))) {
            return Err(format!(
                "{} has a receipt for round {} and no update there",
                receipt.site, receipt.round
            ));
        }
    }
    Ok(())
}

/// Every receipt that a node holds is for an update that counts, and that is in the model once its round has one.
fn no_acknowledged_update_is_lost(evidence: &Evidence<'_>) -> Result<(), String> {
    for receipt in evidence.nodes.iter().flat_map(|node| &node.disk.receipts) {
        let (site, round) = (&receipt.site, receipt.round);
        let key = (round, site.clone(), receipt.attempt);
        let upload = evidence.store.uploads.get(&key);
        let counts = upload.is_some_and(|upload| {
            upload.header.digest == receipt.update_digest && matches!(upload.phase, UploadPhase::Admitted(_))
        });
        if !counts {
            return Err(format!(
                "{site} holds a receipt for round {round}, and its update does not count"
            ));
        }
        if evidence
            .store
            .rounds
            .get(&round)
            .is_some_and(|record| !record.contributors.contains(site))
        {
            return Err(format!(
                "{site} holds a receipt for round {round}, which was closed without it"
            ));
        }
    }
    Ok(())
}

/// Bit for bit the model before and the mean of the unit vectors of those who were admitted: a 0 is a lost update.
fn a_model_is_the_mean_of_its_contributors(evidence: &Evidence<'_>) -> Result<(), String> {
    for fact in evidence.new {
        let Fact::ModelMade { round } = fact else { continue };
        let (Some(record), Some(model_out)) = (evidence.store.rounds.get(round), evidence.store.models.get(round))
        else {
            return Err(format!("round {round} has no model"));
        };
        let counted = weights(evidence, *round);
        if !counted.keys().copied().eq(&record.contributors) {
            return Err(format!(
                "round {round} says {:?}, and {counted:?} were admitted",
                record.contributors
            ));
        }
        let share = 1.0 / counted.len() as f64;
        let before = numbers_of(model_before(evidence, *round)?);
        let expected: Vec<f32> = before
            .iter()
            .zip(&evidence.study.sites)
            .map(|(number, site)| {
                let weight = counted.get(site).copied().unwrap_or(0.0);
                (f64::from(*number) + weight * share) as f32
            })
            .collect();
        // The root in a late update's weight is no binary fraction.
        let is_exact = counted.values().all(|weight| *weight == 1.0);
        let close = |(one, other): (&f32, f32)| (one - other).abs() <= 4.0 * f32::EPSILON * one.abs().max(1.0);
        let is_it = if is_exact {
            bytes_of(expected) == *model_out
        } else {
            expected.iter().zip(numbers_of(model_out)).all(close)
        };
        if !is_it || Sha256Digest::of(model_out) != record.model_out {
            let counts = counts_in(evidence, *round)?;
            return Err(format!(
                "the model of round {round} holds {counts:.2?} where {counted:?} were admitted"
            ));
        }
    }
    Ok(())
}

/// A training begins with what the site's own updates left that count, each of them and no other: one whose answer was lost is
/// among them, one that was refused or late is not.
fn what_a_site_keeps_is_of_updates_that_count(evidence: &Evidence<'_>) -> Result<(), String> {
    for node in evidence.nodes {
        for own in node.disk.pending.iter().chain([&node.disk.settled]) {
            let Some((round, before)) = own.rounds.split_last() else {
                continue;
            };
            let uploads = evidence
                .store
                .uploads
                .values()
                .filter(|upload| upload.site == node.site);
            // By the rounds that they were trained in; a late one counted in a later round.
            let trained = uploads.filter_map(|upload| match &upload.phase {
                UploadPhase::Admitted(kept) => Some(RoundNumber(kept.0.round().0 - kept.0.behind())),
                _ => None,
            });
            let counted: BTreeSet<RoundNumber> = trained.filter(|of| of < round).collect();
            if !counted.iter().eq(before) {
                return Err(format!(
                    "{} trained for round {round} with what rounds {before:?} left; those that count are {counted:?}",
                    node.site
                ));
            }
        }
    }
    Ok(())
}

/// Whoever kept a head of the other side's ledger finds it there still, and no node finds the aggregator's rewound. The
/// aggregator cannot tell a head that comes late, after a newer one, from one of a ledger that was cut: it refuses both.
fn ledgers_are_consistent(evidence: &Evidence<'_>) -> Result<(), String> {
    let store = evidence.store;
    if store.ledger.head().entries < evidence.before.records {
        return Err("the aggregator's ledger has become shorter".to_owned());
    }
    for node in evidence.nodes {
        let site = &node.site;
        if let Some(kept) = store.sites.get(site).and_then(|enrolled| enrolled.head.as_ref()) {
            if !node.disk.ledger.has_stood_at(kept) {
                return Err(format!(
                    "the head of {site} that the aggregator keeps is not of its ledger"
                ));
            }
            if evidence
                .before
                .records_of_sites
                .get(site)
                .is_some_and(|before| kept.entries < *before)
            {
                return Err(format!("the aggregator keeps an older head of {site} than before"));
            }
        }
        if let Some(kept) = &node.disk.kept_head
            && !store.ledger.has_stood_at(kept)
        {
            return Err(format!("the aggregator's head that {site} keeps is not of its ledger"));
        }
        if let Some(Entry::HeadRefused(owner, _)) = node.disk.ledger.entries().next_back() {
            return Err(format!("{site} refused the head of {owner}"));
        }
    }
    if let Some(Entry::HeadRefused(owner, refused)) = store.ledger.entries().next_back() {
        let shown = evidence.nodes.iter().find(|node| node.site.as_str() == owner);
        let is_late = shown.is_some_and(|node| node.disk.ledger.has_stood_at(refused));
        if !is_late {
            return Err(format!(
                "the aggregator refused a head of {owner} that {owner} never showed"
            ));
        }
    }
    Ok(())
}

/// Who counts in a round, and what for: 1, or less where the update was late (Nguyen et al. 2022).
fn weights<'a>(evidence: &Evidence<'a>, round: RoundNumber) -> BTreeMap<&'a SiteName, f64> {
    let admitted = evidence.store.admitted(round);
    admitted
        .map(|(upload, update)| (&upload.site, 1.0 / f64::from(1 + update.behind()).sqrt()))
        .collect()
}

/// How often each site is in what a round added to its model.
fn counts_in(evidence: &Evidence<'_>, round: RoundNumber) -> Result<Vec<f64>, String> {
    let record = evidence.store.rounds.get(&round).ok_or("a round without a record")?;
    let after = evidence.store.models.get(&round).ok_or("a round without a model")?;
    let pairs = numbers_of(model_before(evidence, round)?)
        .into_iter()
        .zip(numbers_of(after));
    let updates = record.contributors.len() as f64;
    let weights = weights(evidence, round);
    let sites = evidence.study.sites.iter();
    Ok(pairs
        .zip(sites)
        .map(|((before, after), site)| {
            let weight = weights.get(site).copied().unwrap_or(1.0);
            (f64::from(after) - f64::from(before)) * updates / weight
        })
        .collect())
}

fn model_before<'a>(evidence: &Evidence<'a>, RoundNumber(round): RoundNumber) -> Result<&'a [u8], String> {
    let before = RoundNumber(round.saturating_sub(1));
    evidence
        .store
        .models
        .get(&before)
        .map(Vec::as_slice)
        .ok_or_else(|| format!("round {round} has no model before it"))
}
