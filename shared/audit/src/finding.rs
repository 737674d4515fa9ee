//! What an audit can find, each kind with a stable code and with what it means.

use serde::{Serialize, Serializer};

macro_rules! codes {
    ($($variant:ident = $code:literal: $meaning:literal,)+) => {
        /// One kind of finding.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[allow(missing_docs, reason = "each kind has its meaning as a text, for people")]
        pub enum Code { $($variant),+ }

        impl Code {
            /// Every kind, in the order of the check.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its name for programs; never changed.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }

            /// What it means, for people.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning),+ }
            }
        }
    };
}

codes!(
    ManifestMissing = "manifest_missing": "the folder is no whole evidence folder: it has no manifest or no signature over it",
    ManifestMalformed = "manifest_malformed": "the list of the folder's files is damaged",
    ManifestSignature = "manifest_signature": "the list of the folder's files was changed after its owner signed it",
    KeyDiffers = "key_differs": "the folder is signed with another key than the one that was written down for its owner",
    OwnerUnknown = "owner_unknown": "no key was written down for the owner of this folder",
    FolderTwice = "folder_twice": "two folders are of the same owner",
    EvidenceMissing = "evidence_missing": "a party whose key was written down has shown no evidence",
    FileMissing = "file_missing": "a listed file is not in the folder",
    FileAltered = "file_altered": "a file is not the one that was listed and signed",
    FileExtra = "file_extra": "the folder holds something that its owner did not list",
    LedgerBroken = "ledger_broken": "the ledger was changed: its records, their chain and the signed head do not fit together",
    LedgerPartial = "ledger_partial": "archives of the ledger are missing, so nobody can say what stands in them",
    LedgerHead = "ledger_head": "the ledger ends elsewhere than the manifest says",
    HeadUnknown = "head_unknown": "the other side kept a head of this ledger that it no longer has: its history was cut or rewritten",
    HeadSignature = "head_signature": "a head that the other side kept is not signed by the ledger's owner",
    HeadRefused = "head_refused": "a party was shown a head that contradicts the one that it had kept: there are two histories",
    PolicyMissing = "policy_missing": "a policy that was in force is not in the evidence",
    PolicyAltered = "policy_altered": "a policy's file is not the one that the ledger names",
    PolicySignature = "policy_signature": "a policy is not signed by an ethics key that was written down for the site",
    PolicyMisdescribed = "policy_misdescribed": "the ledger says of a policy what does not stand in it",
    PolicyNeverInstalled = "policy_never_installed": "something rests on a policy that was never installed",
    PolicyNotInForce = "policy_not_in_force": "something rests on a policy that was not in force at that time",
    DecisionContradictsPolicy = "decision_contradicts_policy": "the recorded decision is not the one that the policy gives",
    WithoutPermit = "without_permit": "the site did what its policy had not just permitted",
    PlanMissing = "plan_missing": "a study's plan is not in the evidence",
    PlanAltered = "plan_altered": "a study's plan is not the one that the ledger names",
    PlanDiffers = "plan_differs": "the parties name different plans for one study",
    CaDiffers = "ca_differs": "the consortium's certificate authority is another one",
    EnrolmentMissing = "enrolment_missing": "an approved enrolment is not in the evidence, or differs from the ledger",
    EnrolmentUnasked = "enrolment_unasked": "a site was let in that had not asked with this key",
    SiteKeyDiffers = "site_key_differs": "a site was let in with another ledger key than the one that was written down for it",
    CertificateUnknown = "certificate_unknown": "a site holds a certificate that the aggregator's ledger does not know, or the reverse",
    UpdateNotApproved = "update_not_approved": "the aggregator took in an update that the site's ledger does not know",
    UpdateContradicts = "update_contradicts": "site and aggregator say different things of one update",
    UpdateUndocumented = "update_undocumented": "what came with an update is not in the evidence, or differs from the ledger",
    HeadNotTheApproval = "head_not_the_approval": "an update came with a head that is not the record of its approval",
    MetricsNotApproved = "metrics_not_approved": "measurements left the site that its ledger does not know",
    MetricsContradict = "metrics_contradict": "measurements came that are not those that the site's ledger let out",
    ReceiptSignature = "receipt_signature": "a receipt is not signed by the aggregator",
    ReceiptContradicts = "receipt_contradicts": "a receipt says something else than the records on both sides",
    UpdateOfStranger = "update_of_stranger": "an update counted of a site that was not enrolled or had not joined",
    UpdateAfterRevocation = "update_after_revocation": "an update counted of a site that had been revoked",
    RoundUndocumented = "round_undocumented": "the record of a round is not in the evidence, or differs from the ledger",
    ContributionAdded = "contribution_added": "a round counts a contribution that was never taken in",
    ContributionMissing = "contribution_missing": "a round leaves out a contribution that was taken in",
    ContributionDiffers = "contribution_differs": "a round counts a contribution with another weight or size than it came with",
    ModelChain = "model_chain": "a round does not start from the model that the round before made",
    ControlChain = "control_chain": "a round's steps were corrected by another control variate than the round before left, or its record names another than the ledger",
    ReleaseMissing = "release_missing": "a release is not in the evidence",
    ReleaseAltered = "release_altered": "a release's document is not the one that the ledger names",
    ReleaseSignature = "release_signature": "a release is not signed by the aggregator",
    ReleaseContradicts = "release_contradicts": "a release says something else than the records of its rounds",
    EvaluationForbidden = "evaluation_forbidden": "the aggregator took in an evaluation that the protocol does not allow: before the final model, after the end of the review, a second one, or of a site that took no part",
    EvaluationUndocumented = "evaluation_undocumented": "an evaluation of a final model is not in the evidence, or differs from the ledger",
    DisclosureUnrecorded = "disclosure_unrecorded": "the aggregator holds something of the site that the site's ledger does not know",
);

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

/// One thing that does not hold.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    /// Which kind.
    pub code: Code,
    /// Where, such as `north, record 12` or `aggregator, round 3 of body-parts`.
    pub place: String,
    /// What exactly.
    pub detail: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_a_name_and_a_meaning_of_its_own() {
        let distinct = |text: fn(Code) -> &'static str| {
            let mut texts: Vec<_> = Code::ALL.iter().map(|code| text(*code)).collect();
            texts.sort_unstable();
            texts.dedup();
            texts.len()
        };
        assert_eq!(
            (distinct(Code::code), distinct(Code::meaning)),
            (Code::ALL.len(), Code::ALL.len())
        );
    }
}
