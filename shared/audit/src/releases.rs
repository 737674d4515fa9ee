//! The releases: signed, and what the rounds made.

use snowball_crypto::VerifyingKey;
use snowball_protocol::{Sha256Digest, StudyName};

use crate::{
    aggregator::AggregatorFacts,
    documents::{ReleaseFacts, ReleaseRound, is_lineage_signed, paths},
    finding::Code,
    folder::Folder,
    outcome::{Area, Audit},
};

/// Every release that the ledger names.
pub(crate) fn check(folder: &Folder, facts: &AggregatorFacts, key: &VerifyingKey, audit: &mut Audit) {
    for (index, study, digest) in &facts.released {
        let place = format!("aggregator, record {index}");
        audit.looked(Area::Releases);
        if let Err((code, detail)) = one(folder, facts, key, study, digest) {
            audit.find(
                Area::Releases,
                code,
                place,
                format!("the release {digest} of {study}: {detail}"),
            );
        }
    }
}

fn one(
    folder: &Folder,
    facts: &AggregatorFacts,
    key: &VerifyingKey,
    study: &StudyName,
    digest: &Sha256Digest,
) -> Result<(), (Code, String)> {
    let missing = || {
        (
            Code::ReleaseMissing,
            "its lineage, signature or card is not in the evidence".to_owned(),
        )
    };
    let document = folder.read(&paths::lineage(digest)).ok_or_else(missing)?;
    let signature = folder.read(&paths::lineage_signature(digest)).ok_or_else(missing)?;
    let card = folder.read(&paths::card(digest)).ok_or_else(missing)?;
    let found = Sha256Digest::of(&document);
    if found != *digest {
        return Err((Code::ReleaseAltered, format!("the lineage in the evidence is {found}")));
    }
    if !is_lineage_signed(&document, &signature, key) {
        return Err((
            Code::ReleaseSignature,
            "its signature is not the aggregator's".to_owned(),
        ));
    }
    let release: ReleaseFacts = serde_json::from_slice(&document)
        .map_err(|_| (Code::ReleaseAltered, "its lineage does not parse".to_owned()))?;
    if Sha256Digest::of(&card) != release.card_digest {
        return Err((
            Code::ReleaseAltered,
            "its card is not the one of the lineage".to_owned(),
        ));
    }
    contradiction(&release, facts, study).map_or(Ok(()), |detail| Err((Code::ReleaseContradicts, detail)))
}

fn contradiction(release: &ReleaseFacts, facts: &AggregatorFacts, study: &StudyName) -> Option<String> {
    if release.study != *study {
        return Some(format!("its lineage is of {}", release.study));
    }
    if !facts
        .plans
        .get(study)
        .is_some_and(|plans| plans.contains(&release.plan_digest))
    {
        return Some(format!("its plan {} is not the study's", release.plan_digest));
    }
    let rounds = facts.finished.keys().filter(|(name, _)| name == study).count();
    if rounds != release.rounds.len() {
        return Some(format!(
            "it has {} rounds, and the ledger finished {rounds}",
            release.rounds.len()
        ));
    }
    if let Some(round) = release.rounds.iter().find(|round| !is_the_ledgers(round, facts, study)) {
        return Some(format!("its round {} is not the one in the ledger", round.round));
    }
    let last = release.rounds.last().map(|round| round.model_out);
    (last != Some(release.model_digest)).then(|| "its model is not the one that the last round made".to_owned())
}

fn is_the_ledgers(round: &ReleaseRound, facts: &AggregatorFacts, study: &StudyName) -> bool {
    let key = (study.clone(), round.round);
    let Some(finished) = facts.finished.get(&key) else {
        return false;
    };
    let mut theirs: Vec<_> = (round.contributions.iter())
        .map(|part| (&part.site, part.examples))
        .collect();
    let admitted = facts.admitted.get(&key).into_iter().flatten();
    let mut ours: Vec<_> = admitted
        .map(|((site, _), admission)| (site, admission.examples))
        .collect();
    theirs.sort_unstable();
    ours.sort_unstable();
    finished.model_in == round.model_in && finished.model_out == round.model_out && theirs == ours
}
