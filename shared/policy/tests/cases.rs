//! Reads every case in `policies/cases`: a policy, a request, and the decision that an auditor may expect.

#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use snowball_crypto::SigningKey;
use snowball_policy::{
    Action, Clause, DatasetFacts, Decision, Language, PolicyFault, Request, SignedPolicy, Spent, decide_in, sign,
    verify,
};
use snowball_protocol::{SiteName, StudyPlan, plan::Sent};
use toml::{Table, Value};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    title: String,
    policy: CasePolicy,
    request: CaseRequest,
    expect: Expectation,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CasePolicy {
    /// One of the annotated policies; absent with `text` absent: none is installed.
    file: Option<String>,
    /// Laid over `file`.
    #[serde(default)]
    change: Table,
    /// Laid over the last of its approvals.
    #[serde(default)]
    approval: Table,
    /// A whole file instead.
    text: Option<String>,
    #[serde(default)]
    signature: Signed,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Signed {
    #[default]
    Sound,
    Absent,
    Unreadable,
    OtherKey,
    BeforeChange,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseRequest {
    site: SiteName,
    now: toml::value::Datetime,
    action: CaseAction,
    #[serde(default)]
    bytes: u64,
    dataset: CaseDataset,
    #[serde(default)]
    spent: CaseSpent,
    #[serde(default = "held")]
    is_confined: bool,
    /// Laid over the example study.
    #[serde(default)]
    plan: Table,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum CaseAction {
    TrainAlone,
    Evaluate,
    Train,
    Join,
    SendUpdate,
    SendMetrics,
    SendDetailedMetrics,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseDataset {
    training_patients: u64,
    training_images: u64,
    class_cells_min: u64,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct CaseSpent {
    rounds: u32,
    rounds_all_studies: u32,
    bytes_this_round: u64,
    bytes_last_day: u64,
    bytes_this_study: u64,
}

const fn held() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expectation {
    decision: String,
    clause: String,
    /// Part of the reason; for denials only.
    reason: Option<String>,
}

fn policies() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn cases() -> Vec<(String, Case)> {
    let mut paths: Vec<_> = fs::read_dir(policies().join("cases"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    let name = |path: &Path| path.file_stem().unwrap().to_string_lossy().into_owned();
    paths
        .iter()
        .map(|path| {
            (
                name(path),
                toml::from_str(&read(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display())),
            )
        })
        .collect()
}

fn lay_over(table: &mut Table, change: &Table) {
    for (name, value) in change {
        match (table.get_mut(name), value) {
            (Some(Value::Table(inner)), Value::Table(change)) => lay_over(inner, change),
            _ => drop(table.insert(name.clone(), value.clone())),
        }
    }
}

fn laid_over<T: serde::de::DeserializeOwned>(text: &str, change: &Table) -> T {
    let mut table: Table = toml::from_str(text).unwrap();
    lay_over(&mut table, change);
    table.try_into().unwrap()
}

fn installed(case: &CasePolicy) -> Result<SignedPolicy, PolicyFault> {
    let (key, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let (before, text) = match (&case.file, &case.text) {
        (Some(file), None) => {
            let text = read(&policies().join(file));
            let mut changed: Table = laid_over(&text, &case.change);
            let last = changed["approvals"].as_array_mut().unwrap().last_mut().unwrap();
            lay_over(last.as_table_mut().unwrap(), &case.approval);
            let changed = if case.change.is_empty() && case.approval.is_empty() {
                text.clone()
            } else {
                toml::to_string(&changed).unwrap()
            };
            (text, changed)
        }
        (None, Some(text)) => (text.clone(), text.clone()),
        _ => return Err(PolicyFault::Missing),
    };
    let signature = match case.signature {
        Signed::Sound => Some(sign(text.as_bytes(), &key)),
        Signed::Absent => None,
        Signed::Unreadable => Some("approved, the board\n".to_owned()),
        Signed::OtherKey => Some(sign(text.as_bytes(), &other)),
        Signed::BeforeChange => Some(sign(before.as_bytes(), &key)),
    };
    verify(text.as_bytes(), signature.as_deref(), &key.verifying_key())
}

fn decided(case: &Case) -> Decision {
    decided_in(case, Language::English)
}

fn decided_in(case: &Case, language: Language) -> Decision {
    let example = read(&policies().join("cases/studies/body-parts.toml"));
    let plan: StudyPlan = laid_over(&example, &case.request.plan);
    let bytes = case.request.bytes;
    let request = Request {
        site: &case.request.site,
        plan: &plan,
        action: match case.request.action {
            CaseAction::TrainAlone => Action::TrainAlone,
            CaseAction::Evaluate => Action::Evaluate,
            CaseAction::Train => Action::Train,
            CaseAction::Join => Action::Join,
            CaseAction::SendUpdate => Action::Send {
                kind: Sent::Update,
                bytes,
            },
            CaseAction::SendMetrics => Action::Send {
                kind: Sent::Metrics,
                bytes,
            },
            CaseAction::SendDetailedMetrics => Action::Send {
                kind: Sent::DetailedMetrics,
                bytes,
            },
        },
        dataset: DatasetFacts {
            training_patients: case.request.dataset.training_patients,
            training_images: case.request.dataset.training_images,
            class_cells_min: case.request.dataset.class_cells_min,
        },
        spent: Spent {
            rounds: case.request.spent.rounds,
            rounds_all_studies: case.request.spent.rounds_all_studies,
            bytes_this_round: case.request.spent.bytes_this_round,
            bytes_last_day: case.request.spent.bytes_last_day,
            bytes_this_study: case.request.spent.bytes_this_study,
        },
        is_confined: case.request.is_confined,
        now: case
            .request
            .now
            .to_string()
            .parse::<jiff::Timestamp>()
            .unwrap()
            .as_second(),
    };
    decide_in(installed(&case.policy).as_ref(), &request, language)
}

#[test]
fn every_case_is_decided_as_it_says() {
    let mut failures = Vec::new();
    for (name, case) in cases() {
        let decision = decided(&case);
        let holds = match &decision {
            Decision::Permit { .. } => case.expect.decision == "permit" && case.expect.reason.is_none(),
            Decision::Deny { reason, remedy, .. } => {
                case.expect.decision == "deny"
                    && reason.contains(case.expect.reason.as_deref().unwrap())
                    && !remedy.is_empty()
            }
        };
        if !holds || decision.clause().path() != case.expect.clause {
            failures.push(format!("{name}: {decision}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn the_cases_deny_by_every_clause_and_permit_every_action() {
    let cases = cases();
    assert!(cases.len() >= 90, "only {} cases", cases.len());
    let denying: BTreeSet<_> = cases
        .iter()
        .filter(|(_, case)| case.expect.decision == "deny")
        .map(|(_, case)| case.expect.clause.as_str())
        .collect();
    // This clause only ever permits: a study that it does not cover falls to the list of digests.
    let expected: BTreeSet<_> = Clause::ALL
        .iter()
        .filter(|clause| **clause != Clause::AnyDigest)
        .map(|clause| clause.path())
        .collect();
    assert_eq!(denying, expected);
    let permitted: BTreeSet<_> = cases
        .iter()
        .filter_map(|(_, case)| match decided(case) {
            Decision::Permit { clauses } => Some(clauses),
            Decision::Deny { .. } => None,
        })
        .flatten()
        .collect();
    assert_eq!(
        permitted,
        Clause::ALL.iter().copied().collect(),
        "some clause is never checked in a permit"
    );
}

/// The same clause and the same figures, in the other language.
#[test]
fn every_case_is_decided_the_same_in_french_and_in_other_words() {
    let figures = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    for (name, case) in cases() {
        let (english, french) = (decided(&case), decided_in(&case, Language::French));
        assert_eq!(english.clause(), french.clause(), "{name}");
        let (
            Decision::Deny { reason, remedy, .. },
            Decision::Deny {
                reason: french_reason,
                remedy: french_remedy,
                ..
            },
        ) = (&english, &french)
        else {
            assert_eq!(english, french, "{name}");
            continue;
        };
        assert!(reason != french_reason && remedy != french_remedy, "{name}: {french}");
        if french.clause() != Clause::ApprovedOn && french.clause() != Clause::ExpiresOn {
            assert_eq!(figures(remedy), figures(french_remedy), "{name}");
        }
        assert!(!french_reason.is_empty() && !french_remedy.is_empty(), "{name}");
    }
}

#[test]
fn no_two_cases_have_the_same_title() {
    let cases = cases();
    let titles: BTreeSet<_> = cases.iter().map(|(_, case)| case.title.as_str()).collect();
    assert_eq!(titles.len(), cases.len());
}
