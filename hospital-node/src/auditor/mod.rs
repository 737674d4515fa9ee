//! What this node can show an auditor: which policy, which studies, what left, what was kept back, and how to check it. All of
//! it is read from what the node keeps anyway. No value of a patient is in it, and small counts are hidden.
//!
//! [`gather`] reads, [`History`] sums up and hides, [`mod@page`] tells.

pub mod approvals;
pub mod history;
mod page;
mod period;
#[cfg(test)]
pub mod testing;
mod told;
pub mod words;

use anyhow::{Context as _, Result};
use serde::Serialize;
use snowball_crypto::VerifyingKey;
use snowball_ledger::Record;
use snowball_protocol::{Sha256Digest, ids::UnixSeconds, receipt::SignedReceipt};
use snowball_web::Language;

use crate::{
    count::Count,
    evidence::{self, Evidence},
    home::Home,
    policy,
};

pub use approvals::Approvals;
pub use history::History;
pub use page::page;
pub use period::Period;

/// Everything on the page.
#[derive(Serialize)]
pub struct Audit {
    pub period: Period,
    pub history: History<Count>,
    /// What is known of each policy that was ever in force.
    pub approvals: Approvals,
    /// The policy in force, in sentences.
    pub explanation: Option<String>,
    pub aggregator: Option<AggregatorTold>,
    pub certificate: Option<CertificateTold>,
    /// SHA-256 of the ledger's public key.
    pub ledger_key_fingerprint: Option<Sha256Digest>,
    pub evidence: Evidence,
}

/// Whom the node enrolled with.
#[derive(Serialize)]
pub struct AggregatorTold {
    pub address: String,
    pub ca_fingerprint: Sha256Digest,
    pub key: String,
}

/// The certificate in use.
#[derive(Serialize)]
pub struct CertificateTold {
    pub serial: String,
    pub not_before: UnixSeconds,
    pub not_after: UnixSeconds,
}

/// Reads everything.
///
/// # Errors
/// When something of the node cannot be read.
pub fn gather(home: &Home, period: Period, language: Language, now: UnixSeconds) -> Result<Audit> {
    let evidence = evidence::gather(home, &[], now)?;
    // A node that never enrolled has no aggregator; then no receipt can be signed by it.
    let aggregator = home.aggregator().ok();
    let key = aggregator.as_ref().map(|aggregator| &aggregator.aggregator_key);
    let (mut history, mut whole) = (History::default(), History::default());
    for record in snowball_ledger::records(&home.ledger()).context("cannot read the ledger")? {
        let record: Record = record.context("cannot read the ledger")?;
        history.add(&record, period, &|receipt| is_signed(receipt, key));
        whole.add(&record, Period::default(), &|_| false);
    }
    // A period that leaves out records without counts tells the same counts as the whole ledger.
    let is_whole = history.counts() == whole.counts();
    let history = history.told(is_whole.then_some(&evidence.files), evidence.cell_min);
    let certificate = crate::renewal::current(home).ok();
    let ledger_key = evidence.ledger.public_key.parse::<VerifyingKey>().ok();
    Ok(Audit {
        period,
        history,
        approvals: Approvals::read(home),
        explanation: policy::in_force(home)
            .ok()
            .map(|signed| approvals::explain(&signed.policy, language)),
        aggregator: aggregator.map(|aggregator| AggregatorTold {
            address: aggregator.address,
            ca_fingerprint: aggregator.ca_fingerprint,
            key: aggregator.aggregator_key.to_string(),
        }),
        certificate: certificate.map(|certificate| CertificateTold {
            serial: certificate.serial,
            not_before: certificate.not_before,
            not_after: certificate.not_after,
        }),
        ledger_key_fingerprint: ledger_key.map(|key| key.fingerprint()),
        evidence,
    })
}

/// Whether a receipt is signed by `key`, that of the aggregator of the enrolment.
pub fn is_signed(receipt: &SignedReceipt, key: Option<&VerifyingKey>) -> bool {
    let signature = receipt.signature.parse();
    key.is_some_and(|key| {
        signature.is_ok_and(|signature| key.verify(&receipt.receipt.signed_bytes(), &signature).is_ok())
    })
}

#[cfg(test)]
mod tests {
    use snowball_crypto::SigningKey;

    use super::*;

    #[test]
    fn a_receipt_counts_only_under_the_key_of_the_enrolment() {
        let key = SigningKey::generate().unwrap();
        let other = SigningKey::generate().unwrap().verifying_key();
        let mut receipts = testing::made_up().into_iter().filter_map(|record| match record.entry {
            snowball_ledger::Entry::ReceiptKept { receipt } => Some(receipt.receipt),
            _ => None,
        });
        let receipt = receipts.next().unwrap();
        let mut signed = SignedReceipt {
            signature: key.sign(&receipt.signed_bytes()).to_string(),
            receipt,
        };
        assert!(is_signed(&signed, Some(&key.verifying_key())));
        assert!(!is_signed(&signed, Some(&other)));
        assert!(!is_signed(&signed, None));
        signed.receipt.examples += 1;
        assert!(!is_signed(&signed, Some(&key.verifying_key())));
    }
}
