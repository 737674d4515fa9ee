//! Ledgers to test with, and ways to lay hands on them.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;
use snowball_crypto::SigningKey;
use snowball_ledger::{ARCHIVE_FOLDER, CHECKPOINT_FILE, Entry, Ledger, NEXT_CHECKPOINT_FILE, RECORDS_FILE};
use snowball_protocol::{
    Attempt, ProblemCode, RoundNumber, Sha256Digest, SiteName, StudyName,
    intake::{Disposition, IntakeReason},
    outcome::{RoundOutcome, SignedOutcome},
    plan::canonical_json,
    receipt::{Receipt, SignedReceipt},
    session::ControlReference,
};
use tempfile::TempDir;

pub const OWNER: &str = "north";
pub const NOW: i64 = 1_800_000_000;

/// The files of a ledger's folder at one moment.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Files {
    pub records: Option<Vec<u8>>,
    pub checkpoint: Option<Vec<u8>>,
    pub next: Option<Vec<u8>>,
}

impl Files {
    pub fn of(folder: &Path) -> Self {
        let read = |name| fs::read(folder.join(name)).ok();
        Self {
            records: read(RECORDS_FILE),
            checkpoint: read(CHECKPOINT_FILE),
            next: read(NEXT_CHECKPOINT_FILE),
        }
    }

    pub fn put(&self, folder: &Path) {
        for (name, bytes) in [
            (RECORDS_FILE, &self.records),
            (CHECKPOINT_FILE, &self.checkpoint),
            (NEXT_CHECKPOINT_FILE, &self.next),
        ] {
            match bytes {
                Some(bytes) => fs::write(folder.join(name), bytes).unwrap(),
                None => drop(fs::remove_file(folder.join(name))),
            }
        }
    }

    pub fn with_lines(&self, lines: &[Vec<u8>]) -> Self {
        Self {
            records: Some(lines.concat()),
            ..self.clone()
        }
    }

    /// The records' lines, each with its end.
    pub fn lines(&self) -> Vec<Vec<u8>> {
        self.records
            .as_ref()
            .unwrap()
            .split_inclusive(|byte| *byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect()
    }
}

/// Every file of a ledger's folder at one moment, archives too.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tree(BTreeMap<String, Vec<u8>>);

impl Tree {
    pub fn of(folder: &Path) -> Self {
        let mut files = BTreeMap::new();
        for place in [folder.to_owned(), folder.join(ARCHIVE_FOLDER)] {
            for entry in fs::read_dir(&place).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_file() {
                    let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                    files.insert(name, fs::read(&path).unwrap());
                }
            }
        }
        Self(files)
    }

    pub fn put(&self, folder: &Path) {
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder.join(ARCHIVE_FOLDER)).unwrap();
        for (name, bytes) in &self.0 {
            fs::write(folder.join(name), bytes).unwrap();
        }
    }

    pub fn with(&self, name: &str, bytes: &[u8]) -> Self {
        let mut tree = self.clone();
        tree.0.insert(name.to_owned(), bytes.to_vec());
        tree
    }

    pub fn without(&self, name: &str) -> Self {
        let mut tree = self.clone();
        tree.0.remove(name).unwrap();
        tree
    }

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        self.0[name].clone()
    }

    pub fn lines(&self, name: &str) -> Vec<Vec<u8>> {
        let lines = self.0[name].split_inclusive(|byte| *byte == b'\n');
        lines.map(<[u8]>::to_vec).collect()
    }

    pub fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}

/// A key that is the same in every run.
pub fn fixed_key() -> SigningKey {
    SigningKey::from_pkcs8(&FIXED_KEY).unwrap()
}

/// The seed of RFC 8032's first test vector in PKCS#8 version 1.
const FIXED_KEY: [u8; 48] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20, 0x9d, 0x61, 0xb1,
    0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32,
    0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
];

/// A folder in memory where there is one: thousands of syncs to a disk take minutes and show nothing more.
pub fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

/// A ledger of `entries` records in a folder of its own, closed.
pub fn ledger(entries: usize, key: &SigningKey) -> TempDir {
    let folder = folder();
    let mut ledger = Ledger::open(folder.path(), OWNER, key.clone()).unwrap();
    let samples = samples();
    ledger
        .append_all(
            NOW,
            (0..entries)
                .map(|index| samples[index % samples.len()].clone())
                .collect(),
        )
        .unwrap();
    folder
}

/// A line with a sound hash over `index`, `previous` and an entry of the forger's choice, made without any key.
pub fn forged(index: u64, previous: &str) -> Vec<u8> {
    let mut record = serde_json::json!({
        "index": index, "time": NOW, "previous": previous, "entry": {"entry": "program_started", "program_version": "forged"},
    });
    let content = [&b"snowball ledger record v1\n"[..], &canonical_json(&record)].concat();
    record["hash"] = Value::from(Sha256Digest::of(&content).to_string());
    [canonical_json(&record), b"\n".to_vec()].concat()
}

/// The text in field `name` of a line.
pub fn field(line: &[u8], name: &str) -> String {
    serde_json::from_slice::<Value>(line).unwrap()[name]
        .as_str()
        .unwrap()
        .to_owned()
}

/// One entry of every kind.
pub fn samples() -> Vec<Entry> {
    let site: SiteName = OWNER.parse().unwrap();
    let study: StudyName = "body-parts".parse().unwrap();
    let digest = Sha256Digest::of(b"sample");
    let text = || "1.2 \"quoted\" \u{e9}\n".to_owned();
    let (round, attempt) = (RoundNumber(3), Attempt(1));
    let receipt = Receipt {
        study: study.clone(),
        round,
        site: site.clone(),
        attempt,
        plan_digest: digest,
        policy_digest: digest,
        model_in: digest,
        behind: 0,
        update_digest: digest,
        update_bytes: 12,
        examples: 34,
        control_from: None,
        ledger_head: digest,
        received: NOW,
    };
    let (s, t) = (|| site.clone(), || study.clone());
    let control = ControlReference { digest, since: round };
    vec![
        Entry::NodeInitialised {
            site: s(),
            program_version: text(),
        },
        Entry::AggregatorInitialised {
            consortium: text(),
            program_version: text(),
        },
        Entry::ProgramStarted {
            program_version: text(),
        },
        Entry::UnfinishedWriteRemoved { bytes: u64::MAX },
        Entry::InvitationMade { site: s() },
        Entry::EnrolmentRequested {
            site: s(),
            key_fingerprint: digest,
        },
        Entry::InvitationContested {
            site: s(),
            key_fingerprint: digest,
        },
        Entry::EnrolmentApproved {
            site: s(),
            key_fingerprint: digest,
            certificate_serial: text(),
            reason: text(),
        },
        Entry::EnrolmentRefused {
            site: s(),
            reason: text(),
        },
        Entry::CertificateReceived {
            certificate_serial: text(),
        },
        Entry::CertificateRenewed {
            site: s(),
            key_fingerprint: digest,
            certificate_serial: text(),
            previous_serial: text(),
        },
        Entry::SiteRevoked {
            site: s(),
            reason: text(),
        },
        Entry::CertificateRevoked {
            site: s(),
            certificate_serial: text(),
            reason: text(),
        },
        Entry::ServerCertificateRenewed {
            certificate_serial: text(),
            authority: digest,
        },
        Entry::AuthorityAdded {
            authority: digest,
            number: 2,
            reason: text(),
        },
        Entry::AuthorityRetired {
            authority: digest,
            number: 3,
            sites_cut_off: 0,
            reason: text(),
        },
        Entry::AuthoritiesTaken {
            number: 2,
            authorities: vec![digest, digest],
        },
        Entry::PolicyInstalled {
            policy_digest: digest,
            version: 2,
            stage: text(),
        },
        Entry::PolicySuperseded {
            policy_digest: digest,
            superseded_digest: digest,
            forced_reason: Some(text()),
        },
        Entry::EthicsKeyPinned {
            key_fingerprint: digest,
        },
        Entry::EthicsKeyReplaced {
            key_fingerprint: digest,
            previous_fingerprint: digest,
            account: text(),
            reason: text(),
        },
        Entry::RetentionApplied {
            policy_digest: digest,
            datasets: 1,
            evidence: 2,
            updates: 3,
        },
        Entry::KeptParametersRemoved { study: t() },
        Entry::IntakeFinished {
            accepted: 90,
            quarantined: 2,
            rejected: 3,
            reasons: BTreeMap::from([(IntakeReason::NotDicom, 3), (IntakeReason::DecodeError, 2)]),
        },
        Entry::ImageExcluded {
            file_digest: digest,
            disposition: Disposition::Rejected,
            reason: IntakeReason::Empty,
        },
        Entry::QuarantineReviewed {
            file_digest: digest,
            waived: IntakeReason::BurnedInText,
            reviewer: "Dr Curie".to_owned(),
            reason: "a side marker".to_owned(),
            disposition: Disposition::Accepted,
            account: Some(text()),
        },
        Entry::QuarantinePictureShown {
            file_digest: digest,
            account: text(),
        },
        Entry::QuarantineDiscarded {
            file_digest: digest,
            account: text(),
            reviewer: Some(text()),
            reason: Some("a photograph".to_owned()),
        },
        Entry::DeidentifyFinished {
            policy_digest: digest,
            edition: "2024e".to_owned(),
            records: digest.short(),
            written: 40,
            quarantined: 2,
            rejected: 1,
            reasons: [(IntakeReason::BurnedInText, 2), (IntakeReason::NotDicom, 1)].into(),
        },
        Entry::SelftestFinished {
            seed: 7,
            files: 240,
            policy_digest: None,
            passed: true,
        },
        Entry::ReviewPlanned {
            plan_digest: digest,
            pictures: 9000,
            drawn: 598,
            account: text(),
        },
        Entry::ReviewRecorded {
            plan_digest: digest,
            reviewer: text(),
            looked_at: 598,
            found: 0,
        },
        Entry::LinkageShown {
            subject: digest,
            account: "root".to_owned(),
            reason: "an incidental finding".to_owned(),
            studies: 2,
        },
        Entry::LinkageDestroyed {
            account: "root".to_owned(),
            links: 12,
        },
        Entry::PatientWithdrawn {
            subject: digest,
            radiographs: 2,
            datasets: 1,
            quarantined: 1,
            links: 1,
            studies: vec![t()],
        },
        Entry::BackupMade {
            files_digest: digest,
            files: 31,
            bytes: 4_096,
            keys: true,
            vault_key: false,
            account: text(),
        },
        Entry::DatasetFrozen {
            study: t(),
            dataset_digest: digest,
            training: 70,
            validation: 10,
            testing: 10,
        },
        Entry::DatasetPrepared {
            study: t(),
            dataset_digest: digest,
            radiographs: 120,
        },
        Entry::StudyCreated {
            study: t(),
            plan_digest: digest,
        },
        Entry::StudyStarted { study: t() },
        Entry::StudyPaused {
            study: t(),
            reason: text(),
        },
        Entry::StudyResumed { study: t() },
        Entry::StudyAborted {
            study: t(),
            reason: text(),
        },
        Entry::StudyFinished {
            study: t(),
            model: digest,
        },
        Entry::StudyPreviewed {
            study: t(),
            plan_digest: digest,
            preview_digest: digest,
            account: text(),
        },
        Entry::StudyWithheld {
            study: t(),
            plan_digest: digest,
            withheld: true,
            reviewer: text(),
            reason: "the board has not met yet".to_owned(),
            account: text(),
        },
        Entry::StudyJoined {
            study: t(),
            site: Some(s()),
            plan_digest: digest,
            policy_digest: digest,
        },
        Entry::StudyDeclined {
            study: t(),
            site: None,
            plan_digest: digest,
            clause: text(),
        },
        Entry::DecisionMade {
            study: t(),
            round: Some(round),
            action: "train".to_owned(),
            permitted: true,
            clause: text(),
            policy_digest: None,
        },
        Entry::TrainingFinished {
            study: t(),
            round,
            examples: 70,
            model_in: digest,
            control: None,
            update_digest: digest,
        },
        Entry::OwnModelTrained {
            study: t(),
            rounds: 3,
            model: digest,
        },
        Entry::UpdateApproved {
            study: t(),
            round,
            attempt,
            update_digest: digest,
            bytes: 12,
            clause: text(),
            policy_digest: digest,
        },
        Entry::MetricsApproved {
            study: t(),
            round: None,
            digest,
            bytes: 12,
            detailed: Some(true),
            clause: text(),
            policy_digest: digest,
        },
        Entry::DisclosureSent {
            kind: "hello".to_owned(),
            digest,
            bytes: 12,
        },
        Entry::ReceiptKept {
            receipt: SignedReceipt {
                receipt,
                signature: text(),
            },
        },
        Entry::ReceiptNotHad {
            study: t(),
            round,
            update_digest: digest,
        },
        Entry::RoundOutcomeKept {
            outcome: SignedOutcome {
                outcome: RoundOutcome {
                    study: t(),
                    round,
                    plan_digest: digest,
                    model_in: digest,
                    model_out: digest,
                    control: Some(control),
                    contributions: 4,
                    closed: NOW,
                },
                signature: text(),
            },
        },
        Entry::UpdateAdmitted {
            site: s(),
            study: t(),
            round,
            attempt,
            update_digest: digest,
            examples: 70,
            site_ledger_head: digest,
        },
        Entry::UpdateRefused {
            site: s(),
            study: t(),
            round,
            code: ProblemCode::NotFinite,
        },
        Entry::EvaluationAdmitted {
            site: s(),
            study: t(),
            digest,
        },
        Entry::RoundOpened {
            study: t(),
            round,
            model_in: digest,
        },
        Entry::RoundFinished {
            study: t(),
            round,
            model_in: digest,
            model_out: digest,
            control: Some(control),
            contributions: 4,
        },
        Entry::ReleaseSigned {
            study: t(),
            release_digest: digest,
        },
        Entry::ArchiveClosed { first: 3, entries: 12 },
        Entry::SiteHeadKept {
            site: s(),
            head: text(),
        },
        Entry::HeadsExchanged {
            site_head: text(),
            aggregator_head: text(),
        },
        Entry::HeadRefused {
            owner: OWNER.to_owned(),
            head: text(),
            code: ProblemCode::LedgerForked,
        },
    ]
}
