//! What a site heard from the aggregator of its updates beside receipts: the outcomes of rounds, and that there is no receipt to be had.

use snowball_crypto::VerifyingKey;
use snowball_protocol::SiteName;

use crate::{
    aggregator::AggregatorFacts,
    finding::Code,
    outcome::{Area, Audit},
    site::SiteFacts,
};

/// What the aggregator signed to a site about its rounds, against what it wrote down.
pub(crate) fn outcomes(
    site: &SiteName,
    facts: &SiteFacts,
    (aggregator, key): (&AggregatorFacts, &VerifyingKey),
    audit: &mut Audit,
) {
    for (index, signed) in &facts.outcomes {
        let place = format!("{site}, record {index}");
        let outcome = &signed.outcome;
        let about = || format!("the outcome of round {} of {}", outcome.round, outcome.study);
        let signature = signed.signature.parse();
        let is_signed = signature.is_ok_and(|signature| key.verify(&outcome.signed_bytes(), &signature).is_ok());
        audit.expect(is_signed, Area::Receipts, Code::ReceiptSignature, &place, about);
        let finished = aggregator.finished.get(&(outcome.study.clone(), outcome.round));
        let is_the_ledgers = finished.is_some_and(|finished| {
            finished.model_in == outcome.model_in
                && finished.model_out == outcome.model_out
                && finished.control == outcome.control
                && finished.contributions == outcome.contributions
        });
        audit.expect(is_the_ledgers, Area::Receipts, Code::ReceiptContradicts, &place, || {
            format!("{} is not the one in the aggregator's ledger", about())
        });
    }
}

/// Where the aggregator said to a site that it has no receipt for it, its ledger did not take that update in.
pub(crate) fn not_had(site: &SiteName, facts: &SiteFacts, aggregator: &AggregatorFacts, audit: &mut Audit) {
    for (index, study, round, digest) in &facts.not_had {
        let admitted = aggregator.admitted.get(&(study.clone(), *round));
        let counts = admitted
            .into_iter()
            .flatten()
            .any(|((name, _), admission)| name == site && admission.digest == *digest);
        let place = format!("{site}, record {index}");
        audit.expect(!counts, Area::Receipts, Code::ReceiptContradicts, &place, || {
            format!(
                "the aggregator told the site that it has no receipt for round {round} of {study}; its ledger took that update in"
            )
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use snowball_protocol::{Attempt, RoundNumber, Sha256Digest, StudyName};

    use super::*;
    use crate::aggregator::Admission;

    #[test]
    fn an_aggregator_that_denies_a_receipt_of_what_it_took_in_is_found() {
        let (study, site): (StudyName, SiteName) = ("knees".parse().unwrap(), "north".parse().unwrap());
        let round = (study.clone(), RoundNumber(3));
        let (sent, other) = (Sha256Digest::of(b"sent"), Sha256Digest::of(b"other"));
        let facts = SiteFacts {
            not_had: vec![(7, study, RoundNumber(3), sent)],
            ..SiteFacts::default()
        };
        let judge = |of: &str, digest| {
            let admission = Admission {
                index: 5,
                time: 1,
                digest,
                examples: 9,
                site_head: Sha256Digest::of(b"head"),
            };
            let mut aggregator = AggregatorFacts::default();
            let admitted = BTreeMap::from([((of.parse().unwrap(), Attempt(1)), admission)]);
            aggregator.admitted.insert(round.clone(), admitted);
            let mut audit = Audit::begin();
            not_had(&site, &facts, &aggregator, &mut audit);
            audit.finish()
        };
        assert!(judge("south", sent).sound && judge("north", other).sound);
        assert_eq!(judge("north", sent).findings[0].code, Code::ReceiptContradicts);
    }
}
