//! The rounds: each counts what was taken in, and starts from the model that the one before made.

use std::collections::{BTreeMap, BTreeSet};

use snowball_protocol::{
    RoundNumber, Sha256Digest, SiteName, StudyName, record::RoundRecord, session::ControlReference,
};

use crate::{
    aggregator::{AggregatorFacts, Finished, Round},
    cross::Updates,
    documents::paths,
    finding::Code,
    folder::Folder,
    outcome::{Area, Audit},
};

/// Every round's record against the ledger and the updates that were taken in.
pub(crate) fn check(folder: &Folder, facts: &AggregatorFacts, updates: &Updates, audit: &mut Audit) {
    let mut documented = BTreeSet::new();
    for record in folder.table::<RoundRecord>(paths::ROUNDS) {
        let Ok(record) = record else {
            audit.looked(Area::Rounds);
            let place = format!("aggregator, {}", paths::ROUNDS);
            audit.find(
                Area::Rounds,
                Code::RoundUndocumented,
                place,
                "a line of it is no record of a round",
            );
            break;
        };
        let round = (record.study.clone(), record.round);
        document(&record, facts.finished.get(&round), &place(&round), audit);
        control(&record, facts.finished.get(&round), &place(&round), audit);
        contributions(&record, facts, updates, audit);
        documented.insert(round);
    }
    for (round, finished) in &facts.finished {
        let place = place(round);
        audit.expect(
            documented.contains(round),
            Area::Rounds,
            Code::RoundUndocumented,
            &place,
            || "the ledger finished it, and there is no record of it".to_owned(),
        );
        let admitted = facts.admitted.get(round).map_or(0, |admitted| admitted.len() as u64);
        audit.expect(
            admitted >= finished.contributions,
            Area::Rounds,
            Code::ContributionAdded,
            &place,
            || {
                format!(
                    "it counts {} updates, and {admitted} were taken in",
                    finished.contributions
                )
            },
        );
    }
    for (study, rounds) in by_study(facts) {
        chain(&study, &rounds, facts, audit);
    }
}

fn document(record: &RoundRecord, finished: Option<&Finished>, place: &str, audit: &mut Audit) {
    let fits = finished.is_some_and(|finished| {
        finished.model_in == record.model_in
            && finished.model_out == record.model_out
            && finished.contributions == record.contributions.len() as u64
    });
    audit.expect(fits, Area::Rounds, Code::RoundUndocumented, place, || match finished {
        Some(finished) => format!(
            "its record makes {} of {} with {} updates; the ledger has {} of {} with {}",
            record.model_out,
            record.model_in,
            record.contributions.len(),
            finished.model_out,
            finished.model_in,
            finished.contributions
        ),
        None => "there is a record of it, and the ledger never finished it".to_owned(),
    });
}

/// Under SCAFFOLD: the record names the control variate that the ledger names. Where the ledger names none a program of before wrote it,
/// and whoever audits is told.
fn control(record: &RoundRecord, finished: Option<&Finished>, place: &str, audit: &mut Audit) {
    let documented = record.server_state.zip(record.control.as_ref());
    let documented = documented.map(|(digest, control)| ControlReference {
        digest,
        since: control.since,
    });
    let named = finished.and_then(|finished| finished.control);
    match (named, documented) {
        (None, None) => {}
        (None, Some(_)) => audit.note(format!(
            "{place}: its control variate stands in no ledger, since the aggregator's program was of a version that did not write it \
             down; which one the sites were handed was not checked"
        )),
        (Some(named), documented) => audit.expect(
            documented == Some(named),
            Area::Models,
            Code::ControlChain,
            place,
            || {
                let there = documented.map_or_else(|| "none".to_owned(), |control| control.digest.to_string());
                format!("the ledger names the control variate {}; the record has {there}", named.digest)
            },
        ),
    }
}

/// The same sites with the same weights and sizes, each once.
fn contributions(record: &RoundRecord, facts: &AggregatorFacts, updates: &Updates, audit: &mut Audit) {
    let round = (record.study.clone(), record.round);
    let mut taken: BTreeMap<&SiteName, Vec<(u64, Option<u64>)>> = BTreeMap::new();
    for (update, admission) in facts.admitted.get(&round).into_iter().flatten() {
        let document = updates.get(&round).and_then(|updates| updates.get(update));
        let sizes = taken.entry(&update.0).or_default();
        sizes.push((admission.examples, document.map(|document| document.bytes)));
    }
    for part in &record.contributions {
        let place = crate::cross::place(&round, &part.site);
        audit.looked(Area::Rounds);
        match taken.get_mut(&part.site).and_then(Vec::pop) {
            None => audit.find(
                Area::Rounds,
                Code::ContributionAdded,
                place,
                "the record counts it, and the ledger did not take it in",
            ),
            Some((examples, bytes)) if part.examples != examples || bytes.is_some_and(|bytes| bytes != part.bytes) => {
                let detail = format!(
                    "the record counts {} examples in {} bytes; taken in were {examples} in {}",
                    part.examples,
                    part.bytes,
                    bytes.map_or_else(|| "an unknown number".to_owned(), |bytes| bytes.to_string())
                );
                audit.find(Area::Rounds, Code::ContributionDiffers, place, detail);
            }
            Some(_) => {}
        }
    }
    for (site, _) in taken.iter().filter(|(_, left)| !left.is_empty()) {
        let detail = "the ledger took it in, and the record of the round leaves it out";
        audit.find(
            Area::Rounds,
            Code::ContributionMissing,
            crate::cross::place(&round, site),
            detail,
        );
    }
}

fn by_study(facts: &AggregatorFacts) -> BTreeMap<StudyName, Vec<(RoundNumber, Finished)>> {
    let mut studies: BTreeMap<StudyName, Vec<(RoundNumber, Finished)>> = BTreeMap::new();
    for ((study, round), finished) in &facts.finished {
        studies.entry(study.clone()).or_default().push((*round, *finished));
    }
    studies
}

fn chain(study: &StudyName, rounds: &[(RoundNumber, Finished)], facts: &AggregatorFacts, audit: &mut Audit) {
    let mut before: Option<Sha256Digest> = None;
    for ((round, finished), expected) in rounds.iter().zip(1_u32..) {
        let key = (study.clone(), *round);
        let place = place(&key);
        audit.expect(round.0 == expected, Area::Models, Code::ModelChain, &place, || {
            format!("round {expected} is missing before it")
        });
        let starts = before.unwrap_or(finished.model_in);
        audit.expect(
            finished.model_in == starts,
            Area::Models,
            Code::ModelChain,
            &place,
            || {
                format!(
                    "it starts from {}, and the round before made {starts}",
                    finished.model_in
                )
            },
        );
        let opened = facts.opened.get(&key).copied().unwrap_or(finished.model_in);
        audit.expect(
            opened == finished.model_in,
            Area::Models,
            Code::ModelChain,
            &place,
            || format!("it was opened with {opened} and finished from {}", finished.model_in),
        );
        before = Some(finished.model_out);
    }
    if let (Some(last), Some(model)) = (before, facts.final_models.get(study)) {
        audit.expect(
            last == *model,
            Area::Models,
            Code::ModelChain,
            &format!("aggregator, study {study}"),
            || format!("it ended with {model}, and its last round made {last}"),
        );
    }
}

fn place((study, round): &Round) -> String {
    format!("aggregator, round {round} of {study}")
}
