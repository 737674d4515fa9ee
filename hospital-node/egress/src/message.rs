//! Every message that a node sends: built by one function here and nowhere else. Pure, so that the dry run of a study
//! ([`crate::preview()`]) shows the very bytes that a real round sends.

use bytes::Bytes;
use serde::Serialize;
use snowball_ledger::Entry;
use snowball_policy::DatasetFacts;
use snowball_protocol::{
    PROTOCOL_VERSION, PROTOCOL_VERSION_MIN, Sha256Digest, StudyPlan,
    authorities::AuthoritiesKept,
    enrolment::RenewalRequest,
    evaluation::Evaluation,
    heads::HeadsOffer,
    ids::UnixSeconds,
    session::{Decline, Hello, JoinRequest},
    update::{FinalEvaluation, UpdateHeader},
};

use crate::{client::Body, filter::Encoded};

/// Longest reason of a refusal, in characters.
const REASON_CHARACTERS_MAX: usize = 500;

/// What a message is: a closed list. Enrolment is not on it: it comes before there is a certificate, on a line of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Versions, policy and clock, when the service starts.
    Hello,
    /// A request for the next certificate.
    CertificateRenewal,
    /// Which CAs the site trusts.
    Authorities,
    /// The signed head of the site's ledger.
    LedgerHead,
    /// The site takes part in a study.
    Join,
    /// The site does not take part.
    Decline,
    /// What is said of an update before its bytes.
    UpdateHeader,
    /// The update's bytes.
    Update,
    /// How good the final model is.
    Evaluation,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Hello,
        Self::CertificateRenewal,
        Self::Authorities,
        Self::LedgerHead,
        Self::Join,
        Self::Decline,
        Self::UpdateHeader,
        Self::Update,
        Self::Evaluation,
    ];

    /// As the ledger names it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::CertificateRenewal => "certificate renewal",
            Self::Authorities => "authorities",
            Self::LedgerHead => "ledger head",
            Self::Join => "join",
            Self::Decline => "decline",
            Self::UpdateHeader => "update header",
            Self::Update => "update",
            Self::Evaluation => "evaluation",
        }
    }
}

/// One message: what it is, to which path it goes, and its bytes.
pub struct Message {
    /// What it is.
    pub kind: Kind,
    /// The address below the aggregator's.
    pub path: String,
    /// The exact bytes.
    pub body: Body,
}

impl Message {
    fn of(kind: Kind, path: impl Into<String>, document: &impl Serialize) -> Self {
        Self {
            kind,
            path: path.into(),
            body: Body::of(document),
        }
    }

    /// What the ledger says of it before it leaves.
    pub(crate) fn disclosure(&self) -> Entry {
        Entry::DisclosureSent {
            kind: self.kind.code().to_owned(),
            digest: self.body.digest(),
            bytes: self.body.len(),
        }
    }
}

pub(crate) fn hello(policy_digest: Option<Sha256Digest>, clock: UnixSeconds) -> Message {
    let hello = Hello {
        protocol_min: PROTOCOL_VERSION_MIN,
        protocol_max: PROTOCOL_VERSION,
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        policy_digest,
        clock,
    };
    Message::of(Kind::Hello, "v1/hello", &hello)
}

pub(crate) fn certificate_renewal(csr_pem: String) -> Message {
    Message::of(Kind::CertificateRenewal, "v1/certificate", &RenewalRequest { csr_pem })
}

pub(crate) fn authorities(fingerprints: Vec<Sha256Digest>) -> Message {
    Message::of(Kind::Authorities, "v1/authorities", &AuthoritiesKept { fingerprints })
}

pub(crate) fn ledger_head(site_head: String) -> Message {
    Message::of(Kind::LedgerHead, "v1/heads", &HeadsOffer { site_head })
}

pub(crate) fn join(
    plan: &StudyPlan,
    policy_digest: Sha256Digest,
    layout_digest: Sha256Digest,
    dataset: &DatasetFacts,
) -> Message {
    let request = JoinRequest {
        plan_digest: plan.digest(),
        policy_digest,
        layout_digest,
        training_examples: dataset.training_images,
    };
    Message::of(Kind::Join, format!("v1/studies/{}/join", plan.study), &request)
}

/// Names the clause and says why in words that hold no count.
pub(crate) fn decline(plan: &StudyPlan, clause: &str, public_words: &str) -> Message {
    let decline = Decline {
        plan_digest: plan.digest(),
        clause: clause.to_owned(),
        reason: public_words.chars().take(REASON_CHARACTERS_MAX).collect(),
    };
    Message::of(Kind::Decline, format!("v1/studies/{}/decline", plan.study), &decline)
}

pub(crate) fn update_header(header: &UpdateHeader) -> Message {
    let path = format!("v1/studies/{}/rounds/{}/updates", header.study, header.round);
    Message::of(Kind::UpdateHeader, path, header)
}

/// One chunk of an update: `bytes`, which begin at `offset`.
pub(crate) fn chunk(upload: &str, offset: usize, bytes: Bytes) -> Message {
    Message {
        kind: Kind::Update,
        path: format!("v1/uploads/{upload}?offset={offset}"),
        body: Body::raw(bytes),
    }
}

pub(crate) fn evaluation(plan: &StudyPlan, evaluation: Option<Evaluation>, own: Option<Evaluation>) -> Message {
    let path = format!("v1/studies/{}/evaluation", plan.study);
    Message::of(Kind::Evaluation, path, &FinalEvaluation { evaluation, own })
}

/// What is said of an update: `evaluation` is what of it may be seen, `ledger` the index and hash of the entry that holds it.
pub(crate) fn header(
    plan: &StudyPlan,
    policy_digest: Sha256Digest,
    encoded: &Encoded,
    evaluation: Option<Evaluation>,
    ledger: (u64, Sha256Digest),
) -> UpdateHeader {
    UpdateHeader {
        study: plan.study.clone(),
        round: encoded.round,
        attempt: encoded.attempt,
        plan_digest: plan.digest(),
        policy_digest,
        model_in: encoded.model_in,
        layout_digest: encoded.layout_digest,
        encoding: encoded.encoding,
        bytes: encoded.bytes.len() as u64,
        digest: encoded.digest,
        examples: encoded.examples,
        local_steps: encoded.local_steps,
        control_from: encoded.control_from,
        training_loss: encoded.training_loss,
        evaluation,
        ledger_index: ledger.0,
        ledger_head: ledger.1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.code()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
    }

    #[test]
    fn a_reason_is_cut_before_it_leaves() {
        let plan = crate::testing::plan();
        let message = decline(&plan, "studies.digests", &"x".repeat(2000));
        let sent: Decline = serde_json::from_slice(message.body.as_bytes()).unwrap();
        assert_eq!(sent.reason.len(), REASON_CHARACTERS_MAX);
    }
}
