//! Refusals: a code for programs, a reason and a remedy for people. In the spirit of RFC 9457 (problem details).

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What went wrong, as programs tell it apart. The list only grows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProblemCode {
    /// No client certificate where one is needed.
    CertificateMissing,
    /// The certificate is revoked, or its site is.
    CertificateRevoked,
    /// The invitation's token is unknown, used or expired.
    InvitationInvalid,
    /// The certificate signing request does not match the invitation or does not verify.
    RequestInvalid,
    /// The coordinator refused the request.
    EnrolmentRefused,
    /// The other side speaks only protocol versions that this side does not.
    VersionUnsupported,
    /// The clocks differ too much.
    ClockSkew,
    /// No such thing, or not for this site.
    NotFound,
    /// The study does not take what was sent in its present phase.
    StudyClosed,
    /// The site did not join this study.
    NotJoined,
    /// The round is over.
    RoundClosed,
    /// The site already gave this round something else.
    AlreadyContributed,
    /// The plan's digest is not the study's.
    PlanMismatch,
    /// The layout's digest or the size is not the network's.
    LayoutMismatch,
    /// The bytes do not have the digest that was announced.
    DigestMismatch,
    /// An offset that does not continue the upload.
    OffsetMismatch,
    /// A number that is not finite.
    NotFinite,
    /// The update's norm is beyond the plan's bound.
    NormExceeded,
    /// The update changes parameters that the plan keeps at the sites.
    KeptParameters,
    /// The number of examples is zero or beyond the bound.
    ExamplesOutOfRange,
    /// A body larger than its limit.
    TooLarge,
    /// The document does not parse or breaks a rule.
    Malformed,
    /// The update came before a signed head of the site's ledger that holds its record.
    LedgerHeadMissing,
    /// The ledger has fewer records than its signed head that was kept.
    LedgerRewound,
    /// The ledger has another record where a signed head that was kept has one.
    LedgerForked,
    /// Too many requests at once.
    Busy,
    /// A fault of the side that answers; the log there says more.
    Internal,
}

/// A refusal that tells its reader what to do. Never holds a patient value.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema, thiserror::Error)]
pub struct Problem {
    /// For programs.
    pub code: ProblemCode,
    /// What happened, for people.
    pub reason: String,
    /// What to do now.
    pub remedy: String,
    /// The number of the request that was refused, for whoever speaks about it with the other side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}

impl Problem {
    /// A refusal with the code's usual remedy.
    #[must_use]
    pub fn new(code: ProblemCode, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
            remedy: code.remedy().to_owned(),
            request: None,
        }
    }

    /// The same refusal with a remedy for this very case.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        remedy.into().clone_into(&mut self.remedy);
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.reason, self.remedy)?;
        match &self.request {
            Some(request) => write!(formatter, " [request {request}]"),
            None => Ok(()),
        }
    }
}

impl ProblemCode {
    /// Every code there is, for whoever counts refusals: a number that stands at nought from the start is seen to grow.
    pub const ALL: [Self; 27] = [
        Self::CertificateMissing,
        Self::CertificateRevoked,
        Self::InvitationInvalid,
        Self::RequestInvalid,
        Self::EnrolmentRefused,
        Self::VersionUnsupported,
        Self::ClockSkew,
        Self::NotFound,
        Self::StudyClosed,
        Self::NotJoined,
        Self::RoundClosed,
        Self::AlreadyContributed,
        Self::PlanMismatch,
        Self::LayoutMismatch,
        Self::DigestMismatch,
        Self::OffsetMismatch,
        Self::NotFinite,
        Self::NormExceeded,
        Self::KeptParameters,
        Self::ExamplesOutOfRange,
        Self::TooLarge,
        Self::Malformed,
        Self::LedgerHeadMissing,
        Self::LedgerRewound,
        Self::LedgerForked,
        Self::Busy,
        Self::Internal,
    ];

    /// Its name as programs write it, such as `round_closed`.
    #[must_use]
    pub fn name(self) -> String {
        let written = serde_json::to_value(self).unwrap_or_default();
        written.as_str().unwrap_or_default().to_owned()
    }

    /// The HTTP status that carries this code (RFC 9110).
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::CertificateMissing => 401,
            Self::CertificateRevoked | Self::InvitationInvalid | Self::EnrolmentRefused | Self::NotJoined => 403,
            Self::NotFound => 404,
            Self::StudyClosed
            | Self::RoundClosed
            | Self::AlreadyContributed
            | Self::PlanMismatch
            | Self::OffsetMismatch
            | Self::LedgerHeadMissing
            | Self::LedgerRewound
            | Self::LedgerForked => 409,
            Self::TooLarge => 413,
            Self::RequestInvalid
            | Self::ClockSkew
            | Self::LayoutMismatch
            | Self::DigestMismatch
            | Self::NotFinite
            | Self::NormExceeded
            | Self::KeptParameters
            | Self::ExamplesOutOfRange
            | Self::Malformed => 422,
            Self::VersionUnsupported => 426,
            Self::Busy => 503,
            Self::Internal => 500,
        }
    }

    /// Whether the same request may succeed later without anybody doing anything.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::Busy | Self::Internal)
    }

    /// What to do, where nothing more specific is known.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::CertificateMissing => "enrol this node: hospital-node enroll INVITATION",
            Self::CertificateRevoked => "ask the coordinator why the site was revoked, then enrol again",
            Self::InvitationInvalid => "ask the coordinator for a new invitation: aggregator invite --site NAME",
            Self::RequestInvalid => "run hospital-node enroll again with the invitation made for this site",
            Self::EnrolmentRefused => "ask the coordinator for the reason and a new invitation",
            Self::VersionUnsupported => "upgrade the side that the reason names",
            Self::ClockSkew => "set this machine's clock by NTP",
            Self::NotFound => "check the name; the study may have ended",
            Self::StudyClosed => "wait for the study to open or leave it",
            Self::NotJoined => "join the study first",
            Self::RoundClosed => "take the next task; nothing is lost",
            Self::AlreadyContributed => "take the next task; the first update of this round counts",
            Self::PlanMismatch => "fetch the plan again and approve its digest",
            Self::LayoutMismatch => "check that node and aggregator are of compatible versions",
            Self::DigestMismatch => "send the update again",
            Self::OffsetMismatch => "ask where the upload stands and go on from there",
            Self::NotFinite => "look at the training log; the update holds NaN or infinity",
            Self::NormExceeded => {
                "lower the learning rate or the local steps; the update is larger than the plan allows"
            }
            Self::KeptParameters => "bring the node to the aggregator's version: these values must not leave the site",
            Self::ExamplesOutOfRange => "check the dataset; an update needs at least one example",
            Self::TooLarge => "send less",
            Self::Malformed => "correct the document as the reason says",
            Self::LedgerHeadMissing => "send the ledger's signed head first, then announce the update again",
            Self::LedgerRewound | Self::LedgerForked => {
                "keep the ledger as it is for the auditor; if an older copy was put back, put the newer one in its place"
            }
            Self::Busy => "try again shortly",
            Self::Internal => "look at the log of the side that answered",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_is_listed_once_under_its_name() {
        let schema = serde_json::to_value(schemars::schema_for!(ProblemCode)).unwrap();
        let cases = schema["oneOf"].as_array().unwrap();
        let declared: BTreeSet<&str> = cases.iter().map(|case| case["const"].as_str().unwrap()).collect();
        let listed: BTreeSet<String> = ProblemCode::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(listed.len(), ProblemCode::ALL.len());
        assert!(listed.iter().eq(&declared), "{listed:?} and {declared:?}");
        assert!(listed.contains("round_closed"));
    }
}
