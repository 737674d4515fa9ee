//! What can be written down: a closed list. An entry holds digests, counts, codes and the names of studies and sites,
//! never a value of a patient.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use snowball_protocol::{
    Attempt, ProblemCode, RoundNumber, Sha256Digest, SiteName, StudyName,
    intake::{Disposition, IntakeReason},
    outcome::SignedOutcome,
    receipt::SignedReceipt,
    session::ControlReference,
};

macro_rules! entries {
    ($($(#[$doc:meta])+ $kind:ident = $name:literal { $($(#[$field_doc:meta])+ $field:ident: $type:ty,)+ })+) => {
        /// One thing that happened, at a hospital's node or at the aggregator.
        ///
        /// In JSON the kind stands in the field `entry`, in snake case. Kinds are added, never changed or removed: old
        /// ledgers stay readable.
        #[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
        #[serde(tag = "entry", rename_all = "snake_case", deny_unknown_fields)]
        // A receipt is the largest entry by far; entries live one at a time, so a box would save nothing.
        #[allow(clippy::large_enum_variant)]
        pub enum Entry {
            $($(#[$doc])+ $kind { $($(#[$field_doc])+ $field: $type,)+ },)+
        }

        impl Entry {
            /// Every kind, as written in the file, in the order of this list.
            pub const KINDS: &'static [&'static str] = &[$($name),+];

            /// The kind, as written in the file's field `entry`.
            #[must_use]
            pub const fn kind(&self) -> &'static str {
                match self { $(Self::$kind { .. } => $name,)+ }
            }
        }
    };
}

entries! {
    /// A node was set up: the first entry of a hospital's ledger.
    NodeInitialised = "node_initialised" {
        /// For which site.
        site: SiteName,
        /// By which version of the program.
        program_version: String,
    }
    /// An aggregator was set up: the first entry of its ledger.
    AggregatorInitialised = "aggregator_initialised" {
        /// Name of the consortium.
        consortium: String,
        /// By which version of the program.
        program_version: String,
    }
    /// The program started, perhaps after a crash or an upgrade.
    ProgramStarted = "program_started" {
        /// Which version.
        program_version: String,
    }
    /// Bytes of a write that never finished were removed when the ledger was opened. Nothing acknowledged was in them.
    UnfinishedWriteRemoved = "unfinished_write_removed" {
        /// How many.
        bytes: u64,
    }
    /// The coordinator invited a site.
    InvitationMade = "invitation_made" {
        /// Which site.
        site: SiteName,
    }
    /// A site asked for a certificate.
    EnrolmentRequested = "enrolment_requested" {
        /// Which site.
        site: SiteName,
        /// SHA-256 of the request's public key.
        key_fingerprint: Sha256Digest,
    }
    /// Somebody tried to use an invitation that another key had used already: its line has leaked, or the site lost its key.
    InvitationContested = "invitation_contested" {
        /// Which site.
        site: SiteName,
        /// SHA-256 of the public key that came too late.
        key_fingerprint: Sha256Digest,
    }
    /// The coordinator approved a site.
    EnrolmentApproved = "enrolment_approved" {
        /// Which site.
        site: SiteName,
        /// SHA-256 of the certified public key.
        key_fingerprint: Sha256Digest,
        /// Serial number of the certificate, hexadecimal.
        certificate_serial: String,
        /// The coordinator's words.
        reason: String,
    }
    /// The coordinator refused a site.
    EnrolmentRefused = "enrolment_refused" {
        /// Which site.
        site: SiteName,
        /// The coordinator's words.
        reason: String,
    }
    /// The node received its certificate.
    CertificateReceived = "certificate_received" {
        /// Serial number, hexadecimal.
        certificate_serial: String,
    }
    /// A site got its next certificate over the one before, which stays valid to its end.
    CertificateRenewed = "certificate_renewed" {
        /// Which site.
        site: SiteName,
        /// SHA-256 of the certified public key.
        key_fingerprint: Sha256Digest,
        /// Serial number, hexadecimal.
        certificate_serial: String,
        /// Serial number of the certificate that it was asked with.
        previous_serial: String,
    }
    /// The coordinator revoked a site: none of its certificates is accepted any more.
    SiteRevoked = "site_revoked" {
        /// Which site.
        site: SiteName,
        /// The coordinator's words.
        reason: String,
    }
    /// The coordinator revoked one certificate; others of its site go on.
    CertificateRevoked = "certificate_revoked" {
        /// Whose it was.
        site: SiteName,
        /// Serial number, hexadecimal.
        certificate_serial: String,
        /// The coordinator's words.
        reason: String,
    }
    /// The server has a new certificate. Transfers under way go on with the one before.
    ServerCertificateRenewed = "server_certificate_renewed" {
        /// Serial number, hexadecimal.
        certificate_serial: String,
        /// Fingerprint of the CA that signed it.
        authority: Sha256Digest,
    }
    /// The coordinator added a CA, which is trusted beside those before.
    AuthorityAdded = "authority_added" {
        /// SHA-256 of its certificate.
        authority: Sha256Digest,
        /// The number of the list that it stands in first.
        number: u64,
        /// The coordinator's words.
        reason: String,
    }
    /// The coordinator retired a CA: no certificate of it is accepted any more.
    AuthorityRetired = "authority_retired" {
        /// SHA-256 of its certificate.
        authority: Sha256Digest,
        /// The number of the first list without it.
        number: u64,
        /// Sites that depended on it and must enrol again; 0 unless the coordinator insisted.
        sites_cut_off: u64,
        /// The coordinator's words.
        reason: String,
    }
    /// The node took over the list of CAs that it trusts, signed by the aggregator's key.
    AuthoritiesTaken = "authorities_taken" {
        /// The list's number.
        number: u64,
        /// SHA-256 of each certificate, oldest first.
        authorities: Vec<Sha256Digest>,
    }
    /// A policy came into force at the site.
    PolicyInstalled = "policy_installed" {
        /// SHA-256 of the file's bytes.
        policy_digest: Sha256Digest,
        /// Its version number.
        version: u32,
        /// How far it approves, as written in policies.
        stage: String,
    }
    /// A policy took the place of the one before.
    PolicySuperseded = "policy_superseded" {
        /// The one that is in force now.
        policy_digest: Sha256Digest,
        /// The one that was in force before.
        superseded_digest: Sha256Digest,
        /// Why it was installed although it is not newer or names another one before it; absent where it follows the rules.
        forced_reason: Option<String>,
    }
    /// The ethics board's key came to the site, with the first policy. No other key is accepted from now on.
    EthicsKeyPinned = "ethics_key_pinned" {
        /// Its fingerprint.
        key_fingerprint: Sha256Digest,
    }
    /// Another key took the place of the ethics board's key. What the key before signed is void.
    EthicsKeyReplaced = "ethics_key_replaced" {
        /// Fingerprint of the new key.
        key_fingerprint: Sha256Digest,
        /// Fingerprint of the key before.
        previous_fingerprint: Sha256Digest,
        /// The account that did it.
        account: String,
        /// Their words.
        reason: String,
    }
    /// What the policy no longer lets the site keep was removed.
    RetentionApplied = "retention_applied" {
        /// Digest of the policy that says how long.
        policy_digest: Sha256Digest,
        /// Frozen datasets removed.
        datasets: u64,
        /// Pieces of evidence removed.
        evidence: u64,
        /// Updates removed that could not be sent.
        updates: u64,
    }
    /// What this site kept for itself of a study's network was removed: it was kept long enough, or a patient withdrew.
    KeptParametersRemoved = "kept_parameters_removed" {
        /// Which study.
        study: StudyName,
    }
    /// A folder was taken in.
    IntakeFinished = "intake_finished" {
        /// Files that became radiographs.
        accepted: u64,
        /// Files kept aside for a person.
        quarantined: u64,
        /// Files that can never be used.
        rejected: u64,
        /// How many of the files that were not accepted, by reason.
        reasons: BTreeMap<IntakeReason, u64>,
    }
    /// One file did not become a radiograph.
    ImageExcluded = "image_excluded" {
        /// SHA-256 of its bytes.
        file_digest: Sha256Digest,
        /// Where it ended.
        disposition: Disposition,
        /// Why.
        reason: IntakeReason,
    }
    /// A person looked at a quarantined file and had it taken in again with one reason waived.
    QuarantineReviewed = "quarantine_reviewed" {
        /// SHA-256 of its bytes.
        file_digest: Sha256Digest,
        /// The reason that was set aside.
        waived: IntakeReason,
        /// Who looked.
        reviewer: String,
        /// Their words.
        reason: String,
        /// Where the file ended.
        disposition: Disposition,
        /// The account that did it; entries of earlier releases do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<String>,
    }
    /// Somebody had the picture of a quarantined file written out, which may show who the patient is. Durable before the
    /// picture is.
    QuarantinePictureShown = "quarantine_picture_shown" {
        /// SHA-256 of the file's bytes.
        file_digest: Sha256Digest,
        /// The account that asked.
        account: String,
    }
    /// Somebody let a quarantined file go: the copy was removed.
    QuarantineDiscarded = "quarantine_discarded" {
        /// SHA-256 of its bytes.
        file_digest: Sha256Digest,
        /// The account that did it.
        account: String,
        /// Who decided, where they gave their name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reviewer: Option<String>,
        /// Their words, where they gave some.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    }
    /// A folder was written as de-identified DICOM.
    DeidentifyFinished = "deidentify_finished" {
        /// Digest of the policy that it was made under.
        policy_digest: Sha256Digest,
        /// Edition of PS3.15.
        edition: String,
        /// Which output folder: the short digest that names its records.
        records: String,
        /// Files written, each looked at again.
        written: u64,
        /// Files kept aside for a person.
        quarantined: u64,
        /// Files of which nothing can be made.
        rejected: u64,
        /// How many of the files that were not written, by reason.
        reasons: BTreeMap<IntakeReason, u64>,
    }
    /// The site had its programs tested on made-up radiographs.
    SelftestFinished = "selftest_finished" {
        /// Which made-up radiographs.
        seed: u64,
        /// How many files.
        files: u64,
        /// Digest of the policy that was tested; absent for the strictest profile.
        policy_digest: Option<Sha256Digest>,
        /// Whether everything that must hold held.
        passed: bool,
    }
    /// A sample of pictures was drawn for a person to look through.
    ReviewPlanned = "review_planned" {
        /// SHA-256 of the plan: which pictures, of how many, by which seed.
        plan_digest: Sha256Digest,
        /// Pictures in all.
        pictures: u64,
        /// Pictures drawn.
        drawn: u64,
        /// Who drew it.
        account: String,
    }
    /// A person looked through the pictures of a sample.
    ReviewRecorded = "review_recorded" {
        /// SHA-256 of the plan.
        plan_digest: Sha256Digest,
        /// Who looked.
        reviewer: String,
        /// Pictures looked at.
        looked_at: u64,
        /// Pictures that still showed text.
        found: u64,
    }
    /// Somebody looked up whom the hospital means by a pseudonym.
    LinkageShown = "linkage_shown" {
        /// A keyed mark of the pseudonym: the same for the same one, and no value of anybody.
        subject: Sha256Digest,
        /// The account that asked.
        account: String,
        /// Their words.
        reason: String,
        /// How many studies were shown.
        studies: u64,
    }
    /// The linkage vault was destroyed: no pseudonym of this site can be traced back any more.
    LinkageDestroyed = "linkage_destroyed" {
        /// The account that did it.
        account: String,
        /// How many links there were.
        links: u64,
    }
    /// A patient withdrew: what the node had of them is gone.
    PatientWithdrawn = "patient_withdrawn" {
        /// A keyed mark of the patient, which refuses them at a later import.
        subject: Sha256Digest,
        /// Radiographs removed.
        radiographs: u64,
        /// Frozen datasets removed.
        datasets: u64,
        /// Quarantined files removed.
        quarantined: u64,
        /// Links removed from the vault.
        links: u64,
        /// Studies whose models may have learned from the patient.
        studies: Vec<StudyName>,
    }
    /// Somebody copied the home into a backup, in which this entry is the ledger's last. Durable before the backup is whole.
    BackupMade = "backup_made" {
        /// SHA-256 of the list of what was copied: `files` of the backup's `manifest.json` without those of the ledger itself.
        files_digest: Sha256Digest,
        /// How many files are on that list.
        files: u64,
        /// Their size together.
        bytes: u64,
        /// Whether the private keys are among them.
        keys: bool,
        /// Whether the key of the linkage vault is: with it the copy leads from pseudonyms back to patients.
        vault_key: bool,
        /// The account that did it.
        account: String,
    }
    /// The radiographs for a study were chosen and split by patient.
    DatasetFrozen = "dataset_frozen" {
        /// Which study.
        study: StudyName,
        /// Digest of the manifest.
        dataset_digest: Sha256Digest,
        /// Radiographs to train on.
        training: u64,
        /// Radiographs to validate on.
        validation: u64,
        /// Radiographs to test on.
        testing: u64,
    }
    /// All radiographs of the site, labelled or not, were prepared to ask a study's model about them. Nothing is learned from them: what a
    /// study learns from stands in its `dataset_frozen`.
    DatasetPrepared = "dataset_prepared" {
        /// Which study.
        study: StudyName,
        /// Digest of the manifest.
        dataset_digest: Sha256Digest,
        /// How many.
        radiographs: u64,
    }
    /// The coordinator made a study.
    StudyCreated = "study_created" {
        /// Which study.
        study: StudyName,
        /// Digest of its plan.
        plan_digest: Sha256Digest,
    }
    /// The coordinator opened a study to sites.
    StudyStarted = "study_started" {
        /// Which study.
        study: StudyName,
    }
    /// The coordinator had a study rest: sites are asked for nothing.
    StudyPaused = "study_paused" {
        /// Which study.
        study: StudyName,
        /// The coordinator's words.
        reason: String,
    }
    /// A paused study goes on.
    StudyResumed = "study_resumed" {
        /// Which study.
        study: StudyName,
    }
    /// A study ended without a release.
    StudyAborted = "study_aborted" {
        /// Which study.
        study: StudyName,
        /// The coordinator's words, or the rule that ended it.
        reason: String,
    }
    /// All rounds of a study are done.
    StudyFinished = "study_finished" {
        /// Which study.
        study: StudyName,
        /// SHA-256 of the final model's bytes.
        model: Sha256Digest,
    }
    /// Somebody had it shown what would leave in a study, on made-up radiographs. Nothing was sent.
    StudyPreviewed = "study_previewed" {
        /// Which study.
        study: StudyName,
        /// Digest of the plan.
        plan_digest: Sha256Digest,
        /// SHA-256 of what was shown, as JSON.
        preview_digest: Sha256Digest,
        /// The account that asked.
        account: String,
    }
    /// A person at the site keeps it out of a study whatever the policy permits, or lets it in again as far as the policy goes.
    StudyWithheld = "study_withheld" {
        /// Which study.
        study: StudyName,
        /// Digest of the plan.
        plan_digest: Sha256Digest,
        /// Whether the site stays out from now on.
        withheld: bool,
        /// Who decided.
        reviewer: String,
        /// Their words.
        reason: String,
        /// The account that did it.
        account: String,
    }
    /// A site takes part in a study.
    StudyJoined = "study_joined" {
        /// Which study.
        study: StudyName,
        /// Which site; absent in a site's own ledger.
        site: Option<SiteName>,
        /// Digest of the plan that was approved.
        plan_digest: Sha256Digest,
        /// Digest of the policy that permits it.
        policy_digest: Sha256Digest,
    }
    /// A site does not take part in a study.
    StudyDeclined = "study_declined" {
        /// Which study.
        study: StudyName,
        /// Which site; absent in a site's own ledger.
        site: Option<SiteName>,
        /// Digest of the plan that was evaluated.
        plan_digest: Sha256Digest,
        /// The clause of the site's policy that decided.
        clause: String,
    }
    /// The site's policy was asked.
    DecisionMade = "decision_made" {
        /// For which study.
        study: StudyName,
        /// For which round, where there is one.
        round: Option<RoundNumber>,
        /// Whether to `join`, to `train` or to `send`.
        action: String,
        /// What it said.
        permitted: bool,
        /// The clause that decided.
        clause: String,
        /// Digest of the policy; absent where there is none in force.
        policy_digest: Option<Sha256Digest>,
    }
    /// The site trained for one round. Nothing has left yet.
    TrainingFinished = "training_finished" {
        /// For which study.
        study: StudyName,
        /// For which round.
        round: RoundNumber,
        /// Radiographs trained on.
        examples: u64,
        /// SHA-256 of the model it started from.
        model_in: Sha256Digest,
        /// Under SCAFFOLD: the control variate of all sites that its steps were corrected by; absent where that begins at zero.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        control: Option<ControlReference>,
        /// SHA-256 of the update's bytes.
        update_digest: Sha256Digest,
    }
    /// The site trained the model that its radiographs alone make, to compare the shared one with. It never leaves.
    OwnModelTrained = "own_model_trained" {
        /// For which study.
        study: StudyName,
        /// How many rounds' worth of training are in it.
        rounds: u32,
        /// SHA-256 of its bytes.
        model: Sha256Digest,
    }
    /// The site's policy lets one update leave. Durable before the first byte does.
    UpdateApproved = "update_approved" {
        /// For which study.
        study: StudyName,
        /// For which round.
        round: RoundNumber,
        /// Which try.
        attempt: Attempt,
        /// SHA-256 of the update's bytes.
        update_digest: Sha256Digest,
        /// Their number.
        bytes: u64,
        /// The clause that permits it.
        clause: String,
        /// Digest of the policy.
        policy_digest: Sha256Digest,
    }
    /// The site's policy lets the quality of one model leave. Durable before the first byte does.
    MetricsApproved = "metrics_approved" {
        /// For which study.
        study: StudyName,
        /// With the update of which round; absent for the final model.
        round: Option<RoundNumber>,
        /// SHA-256 of what is sent: of the evaluation as canonical JSON, its details included.
        digest: Sha256Digest,
        /// Its size in bytes.
        bytes: u64,
        /// Whether classes are told in detail, which the policy permitted by a decision of its own; entries of earlier releases do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detailed: Option<bool>,
        /// The clause that permits it.
        clause: String,
        /// Digest of the policy.
        policy_digest: Sha256Digest,
    }
    /// Any other request body that the site sent: durable before the first byte left.
    DisclosureSent = "disclosure_sent" {
        /// What it was: `hello`, `enrolment`, `join`, `decline` and the like.
        kind: String,
        /// SHA-256 of the body.
        digest: Sha256Digest,
        /// Its size in bytes.
        bytes: u64,
    }
    /// The aggregator's receipt for an update, kept by the site.
    ReceiptKept = "receipt_kept" {
        /// What the aggregator signed.
        receipt: SignedReceipt,
    }
    /// The study is over, and the aggregator says that no update of this site counts in this round: the receipt that the site waited for
    /// can no longer be had. Whether the update arrived there, nobody signed.
    ReceiptNotHad = "receipt_not_had" {
        /// Which study.
        study: StudyName,
        /// For which round.
        round: RoundNumber,
        /// SHA-256 of the update's bytes, as it was approved to leave.
        update_digest: Sha256Digest,
    }
    /// What came of a round that this site's update is in, signed by the aggregator and kept by the site.
    RoundOutcomeKept = "round_outcome_kept" {
        /// What the aggregator signed.
        outcome: SignedOutcome,
    }
    /// The aggregator took in an update, once.
    UpdateAdmitted = "update_admitted" {
        /// From which site.
        site: SiteName,
        /// For which study.
        study: StudyName,
        /// For which round.
        round: RoundNumber,
        /// Which try.
        attempt: Attempt,
        /// SHA-256 of the update's bytes.
        update_digest: Sha256Digest,
        /// The weight it counts with.
        examples: u64,
        /// The site's ledger head as it was announced: kept here, it can not be rewritten there.
        site_ledger_head: Sha256Digest,
    }
    /// The aggregator did not take an update.
    UpdateRefused = "update_refused" {
        /// From which site.
        site: SiteName,
        /// For which study.
        study: StudyName,
        /// For which round.
        round: RoundNumber,
        /// Why.
        code: ProblemCode,
    }
    /// The aggregator took in a site's evaluation of the final model.
    EvaluationAdmitted = "evaluation_admitted" {
        /// From which site.
        site: SiteName,
        /// For which study.
        study: StudyName,
        /// SHA-256 of the request's body.
        digest: Sha256Digest,
    }
    /// The aggregator asked the sites for updates.
    RoundOpened = "round_opened" {
        /// Which study.
        study: StudyName,
        /// Which round.
        round: RoundNumber,
        /// SHA-256 of the model that it starts from.
        model_in: Sha256Digest,
    }
    /// The aggregator made the next model.
    RoundFinished = "round_finished" {
        /// Which study.
        study: StudyName,
        /// Which round.
        round: RoundNumber,
        /// SHA-256 of the model that it started from.
        model_in: Sha256Digest,
        /// SHA-256 of the model that it made.
        model_out: Sha256Digest,
        /// Under SCAFFOLD: the control variate of all sites that the next round begins with; absent where that begins at zero.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        control: Option<ControlReference>,
        /// How many updates are in it.
        contributions: u64,
    }
    /// The coordinator signed a release.
    ReleaseSigned = "release_signed" {
        /// Of which study.
        study: StudyName,
        /// SHA-256 of what was signed.
        release_digest: Sha256Digest,
    }
    /// The file before this one was closed and became an archive. Always the first record of its file, and of no other.
    ArchiveClosed = "archive_closed" {
        /// Index of the archive's first record.
        first: u64,
        /// Records up to its end, counted from the beginning: the index of this record.
        entries: u64,
    }
    /// The aggregator kept a site's signed head, countersigned by itself: that history can no longer be rewritten there.
    SiteHeadKept = "site_head_kept" {
        /// Whose.
        site: SiteName,
        /// The signed note with both signatures.
        head: String,
    }
    /// The site and the aggregator kept each other's signed heads.
    HeadsExchanged = "heads_exchanged" {
        /// The site's own head with the aggregator's signature below its own.
        site_head: String,
        /// The aggregator's signed head.
        aggregator_head: String,
    }
    /// The other side showed a head that contradicts the one kept before. Its signature holds, so it is evidence.
    HeadRefused = "head_refused" {
        /// Whose ledger: a site's name, or `aggregator`.
        owner: String,
        /// The signed note as it came.
        head: String,
        /// Whether it had fewer records or others.
        code: ProblemCode,
    }
}
