//! A made-up ledger.

use std::collections::BTreeMap;

use snowball_ledger::{Entry, Record};
use snowball_protocol::{
    Attempt, ProblemCode, RoundNumber, Sha256Digest, StudyName,
    ids::UnixSeconds,
    intake::IntakeReason,
    receipt::{Receipt, SignedReceipt},
};

use super::{History, Period};

pub const DAY: i64 = 86_400;
/// 2026-10-20.
pub const FIRST: UnixSeconds = 1_792_454_400;
/// What people typed, where they were free to.
pub const TYPED: &str = "<script>alert('x')</script> & `{bytes}`";

/// Who signed the receipts that count here.
pub fn is_signed(receipt: &SignedReceipt) -> bool {
    receipt.signature == "signed"
}

pub fn history(records: &[Record], period: Period) -> History {
    let mut history = History::default();
    for record in records {
        history.add(record, period, &is_signed);
    }
    history
}

fn digest(text: &str) -> Sha256Digest {
    Sha256Digest::of(text.as_bytes())
}

fn study(name: &str) -> StudyName {
    name.parse().unwrap()
}

/// Two policies, a study with three rounds of which one receipt holds, one that was declined, files that were excluded.
pub fn made_up() -> Vec<Record> {
    let mut entries = beginning();
    for round in 1..=3 {
        entries.extend(one_round(round));
    }
    entries.push(Entry::MetricsApproved {
        study: study("spines"),
        round: None,
        digest: digest("final"),
        bytes: 700,
        detailed: None,
        clause: "release.allowed".to_owned(),
        policy_digest: digest("policy 2"),
    });
    entries.push(Entry::StudyDeclined {
        study: study("hips"),
        site: None,
        plan_digest: digest("hips"),
        clause: "purposes.allowed".to_owned(),
    });
    entries.push(decision("hips", "join", false, "purposes.allowed"));
    entries.extend(for_patients());
    // Two days apart, so that several months are told.
    let record = |(index, entry)| Record {
        index: index as u64,
        time: FIRST + 2 * DAY * index as i64,
        previous: digest("before"),
        entry,
        hash: digest("this"),
    };
    entries.into_iter().enumerate().map(record).collect()
}

fn beginning() -> Vec<Entry> {
    let policy = |version: u32, stage: &str| Entry::PolicyInstalled {
        policy_digest: digest(&format!("policy {version}")),
        version,
        stage: stage.to_owned(),
    };
    let version = |version: &str| Entry::ProgramStarted {
        program_version: version.to_owned(),
    };
    vec![
        Entry::NodeInitialised {
            site: "north".parse().unwrap(),
            program_version: "0.1.0".to_owned(),
        },
        policy(1, "local"),
        policy(2, TYPED),
        version("0.1.0"),
        version("0.2.0"),
        Entry::UnfinishedWriteRemoved { bytes: 17 },
        Entry::HeadsExchanged {
            site_head: TYPED.to_owned(),
            aggregator_head: TYPED.to_owned(),
        },
        Entry::HeadRefused {
            owner: "aggregator".to_owned(),
            head: TYPED.to_owned(),
            code: ProblemCode::LedgerForked,
        },
        Entry::CertificateReceived {
            certificate_serial: "0a1b2c".to_owned(),
        },
        Entry::IntakeFinished {
            accepted: 1_234,
            quarantined: 12,
            rejected: 61,
            reasons: BTreeMap::from([
                (IntakeReason::BurnedInText, 12),
                (IntakeReason::SopClass, 58),
                (IntakeReason::NotDicom, 3),
            ]),
        },
        Entry::DisclosureSent {
            kind: "hello".to_owned(),
            digest: digest("hello"),
            bytes: 321,
        },
        decision("spines", "join", true, "policy"),
        Entry::StudyJoined {
            study: study("spines"),
            site: None,
            plan_digest: digest("spines"),
            policy_digest: digest("policy 2"),
        },
    ]
}

fn decision(of: &str, action: &str, permitted: bool, clause: &str) -> Entry {
    Entry::DecisionMade {
        study: study(of),
        round: None,
        action: action.to_owned(),
        permitted,
        clause: clause.to_owned(),
        policy_digest: Some(digest("policy 2")),
    }
}

fn one_round(number: u32) -> Vec<Entry> {
    let (round, update) = (RoundNumber(number), digest(&format!("update {number}")));
    let bytes = 1_000_000 + u64::from(number);
    let receipt = Receipt {
        study: study("spines"),
        round,
        site: "north".parse().unwrap(),
        attempt: Attempt(1),
        plan_digest: digest("spines"),
        policy_digest: digest("policy 2"),
        model_in: digest("model"),
        behind: 0,
        // That of the second round is of another update.
        update_digest: if number == 2 { digest("other") } else { update },
        update_bytes: bytes,
        examples: 800,
        control_from: None,
        ledger_head: digest("head"),
        received: FIRST,
    };
    vec![
        decision("spines", "train", true, "policy"),
        Entry::TrainingFinished {
            study: study("spines"),
            round,
            examples: 800,
            model_in: digest("model"),
            control: None,
            update_digest: update,
        },
        decision("spines", "send update", true, "release.allowed"),
        Entry::MetricsApproved {
            study: study("spines"),
            round: Some(round),
            digest: digest("metrics"),
            bytes: 600,
            detailed: None,
            clause: "release.allowed".to_owned(),
            policy_digest: digest("policy 2"),
        },
        Entry::UpdateApproved {
            study: study("spines"),
            round,
            attempt: Attempt(1),
            update_digest: update,
            bytes,
            clause: "release.allowed".to_owned(),
            policy_digest: digest("policy 2"),
        },
        Entry::DisclosureSent {
            kind: "update header".to_owned(),
            digest: digest("header"),
            bytes: 1_500,
        },
        Entry::ReceiptKept {
            receipt: SignedReceipt {
                receipt,
                signature: if number == 3 { "forged" } else { "signed" }.to_owned(),
            },
        },
    ]
}

fn for_patients() -> Vec<Entry> {
    vec![
        Entry::PatientWithdrawn {
            subject: digest("subject"),
            radiographs: 4_242,
            datasets: 1,
            quarantined: 0,
            links: 0,
            studies: vec![study("spines")],
        },
        Entry::QuarantineDiscarded {
            file_digest: digest("file"),
            account: TYPED.to_owned(),
            reviewer: Some(TYPED.to_owned()),
            reason: Some(TYPED.to_owned()),
        },
    ]
}
