//! Whatever bytes come in, nothing panics and nothing is permitted that should not be.

#![allow(clippy::unwrap_used)]

use std::sync::LazyLock;

use proptest::prelude::*;
use snowball_crypto::SigningKey;
use snowball_policy::{
    Action, Clause, DatasetFacts, Decision, Demand, Language, Policy, PolicyFault, PrivacyMechanism, Request,
    SignedPolicy, Spent, Stage, decide, diff, parse, sign, verify,
};
use snowball_protocol::{SiteName, StudyPlan, plan::Sent};
use toml::{Table, Value};

const POLICIES: [&str; 4] = [
    include_str!("../../../policies/local.toml"),
    include_str!("../../../policies/proof-of-concept.toml"),
    include_str!("../../../policies/collaboration.toml"),
    include_str!("../../../policies/publication.toml"),
];
const STUDY: &str = include_str!("../../../policies/cases/studies/body-parts.toml");

/// Any text, and text that looks like the format.
const TEXT: &str = "\\PC{0,300}|([a-z_]{1,9} ?= ?[0-9\"\\[\\]{}a-z.:-]{0,20}\n|\\[+[a-z.]{1,9}\\]+\n){0,40}";

static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate().unwrap());
static PLAN: LazyLock<StudyPlan> = LazyLock::new(|| toml::from_str(STUDY).unwrap());
static SITE: LazyLock<SiteName> = LazyLock::new(|| "north".parse().unwrap());

fn request(action: Action, facts: (u64, u64, u64), spent: Spent, now: i64) -> Request<'static> {
    Request {
        site: &SITE,
        plan: &PLAN,
        action,
        dataset: DatasetFacts {
            training_patients: facts.0,
            training_images: facts.1,
            class_cells_min: facts.2,
        },
        spent,
        is_confined: true,
        now,
    }
}

fn any_action() -> impl Strategy<Value = Action> {
    prop_oneof![
        Just(Action::Train),
        Just(Action::TrainAlone),
        Just(Action::Evaluate),
        Just(Action::Join),
        any::<u64>().prop_map(|bytes| Action::Send {
            kind: Sent::Update,
            bytes
        }),
        (0_u64..100_000_000).prop_map(|bytes| Action::Send {
            kind: Sent::Update,
            bytes
        }),
        (0_u64..100_000_000).prop_map(|bytes| Action::Send {
            kind: Sent::Metrics,
            bytes
        }),
        (0_u64..100_000_000).prop_map(|bytes| Action::Send {
            kind: Sent::DetailedMetrics,
            bytes
        }),
    ]
}

/// Around the dates of the annotated policies, and anywhere.
fn any_now() -> impl Strategy<Value = i64> {
    prop_oneof![any::<i64>(), 1_760_000_000_i64..1_820_000_000]
}

fn any_facts() -> impl Strategy<Value = (u64, u64, u64)> {
    prop_oneof![any::<(u64, u64, u64)>(), (0_u64..200, 0_u64..400, 0_u64..20)]
}

fn any_spent() -> impl Strategy<Value = Spent> {
    let rounds = prop_oneof![any::<(u32, u32)>(), (0_u32..120, 0_u32..600)];
    let bytes = prop_oneof![
        any::<(u64, u64, u64)>(),
        (0_u64..100_000_000, 0_u64..2_000_000_000, 0_u64..9_000_000_000)
    ];
    (rounds, bytes).prop_map(|((rounds, rounds_all_studies), bytes)| Spent {
        rounds,
        rounds_all_studies,
        bytes_this_round: bytes.0,
        bytes_last_day: bytes.1,
        bytes_this_study: bytes.2,
    })
}

/// One of the annotated policies with one thing changed: a byte, a line gone, a line twice, two lines swapped.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    (
        0..POLICIES.len(),
        0..4_u8,
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
        any::<u8>(),
    )
        .prop_map(|(policy, how, here, there, byte)| {
            let text = POLICIES[policy];
            if how == 0 {
                let mut bytes = text.as_bytes().to_vec();
                let index = here.index(bytes.len());
                bytes[index] = byte;
                return bytes;
            }
            let mut lines: Vec<&str> = text.lines().collect();
            let (here, there) = (here.index(lines.len()), there.index(lines.len()));
            match how {
                1 => drop(lines.remove(here)),
                2 => lines.insert(there, lines[here]),
                _ => lines.swap(here, there),
            }
            lines.join("\n").into_bytes()
        })
}

/// A policy that keeps the format, with some numbers and lists other than in the annotated ones.
fn varied() -> impl Strategy<Value = String> {
    (
        0..POLICIES.len(),
        (2..9_u32, 1..200_u32, 1..600_u32, 1..60_u32, 1..5_u32),
        (0..80_000_000_u32, 0..2_000_000_000_u32, 0..9_000_000_000_i64),
        any::<[bool; 8]>(),
    )
        .prop_map(|(policy, (version, rounds, total, cell, sites), bytes, keep)| {
            let mut table: Table = toml::from_str(POLICIES[policy]).unwrap();
            if policy > 0 {
                table.insert("version".into(), Value::Integer(version.into()));
            }
            let mut set = |section: &str, field: &str, value: Value| {
                drop(table[section].as_table_mut().unwrap().insert(field.into(), value))
            };
            set("limits", "rounds_per_study_max", Value::Integer(rounds.into()));
            set("limits", "rounds_all_studies_max", Value::Integer(total.into()));
            set("cohort", "cell_min", Value::Integer(cell.into()));
            set("aggregation", "sites_min", Value::Integer(sites.into()));
            if policy > 0 {
                set("limits", "bytes_per_round_max", Value::Integer(bytes.0.into()));
                set("limits", "bytes_per_day_max", Value::Integer(bytes.1.into()));
                set("limits", "bytes_per_study_max", Value::Integer(bytes.2));
            }
            for (section, keep) in ["labels", "architectures", "purposes"].into_iter().zip(keep) {
                if !keep {
                    set(section, "allowed", Value::Array(Vec::new()));
                }
            }
            let windows = |is_always: bool| {
                let window = if is_always { "always" } else { "mon-fri 19:00-06:00" };
                Value::Array(vec![Value::String(window.into())])
            };
            set("hours", "training", windows(keep[3]));
            set("hours", "sending", windows(keep[4]));
            let demand =
                |is_open: bool, open: &str, closed: &str| Value::String(if is_open { open } else { closed }.into());
            set(
                "aggregation",
                "secure_aggregation",
                demand(keep[5] || keep[6], "not-required", "required"),
            );
            set("privacy", "mechanism", demand(keep[5] || keep[7], "none", "site-level"));
            toml::to_string(&table).unwrap()
        })
}

/// An action, the facts, what is spent, and the time.
type Asked = (Action, (u64, u64, u64), Spent, i64);

fn any_asked() -> impl Strategy<Value = Asked> {
    (any_action(), any_facts(), any_spent(), any_now())
}

/// The example study with numbers and a title from anywhere.
fn any_plan() -> impl Strategy<Value = StudyPlan> {
    (any::<(u64, u32, u32, u32)>(), any::<(f64, f64)>(), any::<String>()).prop_map(|(whole, broken, title)| {
        let mut plan = PLAN.clone();
        (
            plan.seed,
            plan.network.width,
            plan.network.input_side,
            plan.rounds.count,
        ) = whole;
        (plan.optimiser.learning_rate, plan.heads[0].weight) = broken;
        plan.title = title;
        plan
    })
}

fn read(text: &str) -> Option<SignedPolicy> {
    verify(
        text.as_bytes(),
        Some(&sign(text.as_bytes(), &KEY)),
        &KEY.verifying_key(),
    )
    .ok()
}

/// Every list of what is allowed, with entries that it may get. An empty section stands for the last approval.
const LISTS: [(&str, &str, &[&str]); 9] = [
    ("purposes", "allowed", &["pretraining", "triage"]),
    ("labels", "allowed", &["body_part", "view", "age", "sex", "laterality"]),
    ("architectures", "allowed", &["small", "resnet-18"]),
    (
        "deidentification",
        "options",
        &["retain-patient-characteristics", "retain-uids"],
    ),
    ("release", "allowed", &["update", "metrics", "detailed_metrics"]),
    ("hours", "training", &["always", "daily 09:00-17:00"]),
    ("hours", "sending", &["always", "sat-mon 22:00-03:00"]),
    ("", "studies", &["body-parts", "hands"]),
    (
        "",
        "digests",
        &["sha256:440f6e4e0835a2b00a31eac26246a7962a7145ac6174b61d4c135f882273a41e"],
    ),
];

/// Every number, whether a larger one permits more, and its largest value.
const NUMBERS: [(&str, &str, bool, i64); 9] = [
    ("architectures", "input_side_max", true, 2048),
    ("cohort", "training_patients_min", false, i64::MAX),
    ("cohort", "cell_min", false, i64::MAX),
    ("aggregation", "sites_min", false, i64::MAX),
    ("limits", "bytes_per_round_max", true, i64::MAX),
    ("limits", "bytes_per_day_max", true, i64::MAX),
    ("limits", "bytes_per_study_max", true, i64::MAX),
    ("limits", "rounds_per_study_max", true, 100_000),
    ("limits", "rounds_all_studies_max", true, 1_000_000),
];

/// `text` with one entry more in a list, if it is not there yet and the policy does not contradict itself by it.
fn widened(text: &str, (section, field, entries): (&str, &str, &[&str]), entry: prop::sample::Index) -> String {
    let mut table: Table = toml::from_str(text).unwrap();
    let is_local = table["approvals"].as_array().unwrap().len() == 1;
    let holder = if section.is_empty() {
        table["approvals"].as_array_mut().unwrap().last_mut().unwrap()
    } else {
        &mut table[section]
    };
    let holder = holder.as_table_mut().unwrap();
    let is_by_name = holder.contains_key("any_digest_of_named_studies");
    if (section == "release" && is_local) || (field == "digests" && is_by_name) {
        return text.to_owned();
    }
    let list = holder
        .entry(field)
        .or_insert(Value::Array(Vec::new()))
        .as_array_mut()
        .unwrap();
    let entry = Value::String(entries[entry.index(entries.len())].into());
    if !list.contains(&entry) {
        list.push(entry);
    }
    toml::to_string(&table).unwrap()
}

fn exercise(policy: &Policy) {
    for language in [Language::English, Language::French] {
        assert!(!policy.explain_in(language).is_empty());
    }
    assert!(diff(policy, policy).is_empty());
    assert!(policy.begins() < policy.expires());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_verify(bytes in prop::collection::vec(any::<u8>(), 0..2000), signature: Option<String>) {
        prop_assert!(verify(&bytes, signature.as_deref(), &KEY.verifying_key()).is_err());
        // Signed by the right key, random bytes are still no policy.
        let fault = verify(&bytes, Some(&sign(&bytes, &KEY)), &KEY.verifying_key()).unwrap_err();
        prop_assert!(!fault.reason().is_empty() && !fault.remedy().is_empty());
        let _ = parse(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn random_text_never_panics(text in TEXT) {
        prop_assert!(parse(&text).is_err());
    }

    #[test]
    fn a_mutated_policy_is_told_as_altered_or_reads_whole(bytes in mutated(), original in 0..POLICIES.len()) {
        let text = POLICIES[original];
        if bytes != text.as_bytes() {
            let told = verify(&bytes, Some(&sign(text.as_bytes(), &KEY)), &KEY.verifying_key());
            prop_assert_eq!(told, Err(PolicyFault::SignatureInvalid));
        }
        if let Ok(signed) = verify(&bytes, Some(&sign(&bytes, &KEY)), &KEY.verifying_key()) {
            exercise(&signed.policy);
        }
    }

    #[test]
    fn without_a_sound_policy_nothing_is_permitted(bytes in mutated(), (action, facts, spent, now) in any_asked()) {
        for policy in [verify(&bytes, None, &KEY.verifying_key()), Err(PolicyFault::Missing)] {
            let decision = decide(policy.as_ref(), &request(action, facts, spent, now));
            prop_assert!(!decision.is_permitted());
            prop_assert_eq!(decision.clause(), Clause::Policy);
        }
    }

    /// States the promises once more, by other means than `decide` does.
    #[test]
    fn a_permit_keeps_every_promise(text in varied(), (action, facts, spent, now) in any_asked()) {
        let signed = verify(text.as_bytes(), Some(&sign(text.as_bytes(), &KEY)), &KEY.verifying_key()).unwrap();
        exercise(&signed.policy);
        let policy = &signed.policy;
        let request = request(action, facts, spent, now);
        let decision = decide(Ok(&signed), &request);
        prop_assert_eq!(&decision, &decide(Ok(&signed), &request));
        let Decision::Permit { clauses } = &decision else { return Ok(()) };
        prop_assert!(clauses.len() >= 17);
        prop_assert!(now >= policy.begins() && now < policy.expires());
        let stages: &[Stage] = match action {
            Action::TrainAlone => &[Stage::Local],
            Action::Evaluate => &[Stage::Local, Stage::Collaboration],
            _ => &[Stage::Collaboration],
        };
        // Apart from the assertion, which writes its expression into its message and stumbles over braces.
        let is_approved = stages.iter().any(|stage| {
            policy.names(*stage, &PLAN.study)
                && (policy.approves_any_digest(*stage)
                    || policy.plan_digests(*stage).any(|digest| digest == PLAN.digest()))
        });
        prop_assert!(is_approved);
        prop_assert!(PLAN.heads.iter().all(|head| policy.allows_label(head.label)));
        prop_assert!(facts.0 >= policy.training_patients_min());
        prop_assert!(spent.rounds <= policy.rounds_per_study_max());
        if matches!(action, Action::Train | Action::TrainAlone) {
            prop_assert!(policy.is_hour_for_training(now));
        }
        if !matches!(action, Action::TrainAlone | Action::Evaluate) {
            prop_assert!(PLAN.rounds.sites.min >= policy.sites_min() && PLAN.rounds.updates.min >= policy.sites_min());
            prop_assert!(policy.secure_aggregation() == Demand::NotRequired);
            prop_assert!(policy.privacy_mechanism() == PrivacyMechanism::None);
            // Training and joining add rounds; the measurement of the final model adds none.
            prop_assert!(spent.rounds_all_studies <= policy.rounds_all_studies_max() || action == Action::Join);
        }
        match action {
            Action::Train | Action::TrainAlone | Action::Evaluate => {}
            Action::Join => prop_assert!(policy.releases(Sent::Update)),
            Action::Send { kind, bytes } => {
                prop_assert!(policy.releases(kind) && policy.stage().permits_sending());
                prop_assert!(bytes <= policy.bytes_per_round_max() && spent.bytes_this_round <= policy.bytes_per_round_max());
                prop_assert!(bytes <= policy.bytes_per_day_max() && spent.bytes_last_day <= policy.bytes_per_day_max());
                prop_assert!(bytes <= policy.bytes_per_study_max() && spent.bytes_this_study <= policy.bytes_per_study_max());
                prop_assert!(policy.is_hour_for_sending(now));
            }
        }
    }

    /// Plans come from outside: whatever numbers they hold, the answer is a decision.
    #[test]
    fn no_plan_makes_it_panic(plan in any_plan(), now in any_now()) {
        let text = POLICIES[1];
        let signed = verify(text.as_bytes(), Some(&sign(text.as_bytes(), &KEY)), &KEY.verifying_key()).unwrap();
        let asked = Request { plan: &plan, ..request(Action::Join, (800, 1200, 40), Spent::default(), now) };
        // The example study is no trial, and trials are all that this policy approves.
        prop_assert!(!decide(Ok(&signed), &asked).is_permitted());
    }

    /// An entry more in any list of what is allowed never turns a permit into a denial; an entry less never the reverse.
    #[test]
    fn more_allowed_never_permits_less(
        text in varied(),
        field in 0..LISTS.len(),
        entry in any::<prop::sample::Index>(),
        (action, facts, spent, now) in any_asked(),
    ) {
        let wide = widened(&text, LISTS[field], entry);
        let (Some(narrow), Some(wide)) = (read(&text), read(&wide)) else {
            return Err(TestCaseError::fail(format!("a list of {} cannot be made longer", LISTS[field].0)));
        };
        let request = request(action, facts, spent, now);
        let (before, after) = (decide(Ok(&narrow), &request), decide(Ok(&wide), &request));
        prop_assert!(!before.is_permitted() || after.is_permitted(), "{}: {}", LISTS[field].0, after);
    }

    /// One approval more, of whatever stage, never turns a permit into a denial.
    #[test]
    fn another_approval_never_permits_less(
        text in varied(),
        (of, which) in (0..POLICIES.len(), any::<prop::sample::Index>()),
        (action, facts, spent, now) in any_asked(),
    ) {
        let mut table: Table = toml::from_str(&text).unwrap();
        let donor: Table = toml::from_str(POLICIES[of]).unwrap();
        let donated = donor["approvals"].as_array().unwrap();
        let mut approval = donated[which.index(donated.len())].clone();
        approval.as_table_mut().unwrap().insert("reference".into(), Value::String("another".into()));
        table["approvals"].as_array_mut().unwrap().insert(0, approval);
        let (narrow, wide) = (read(&text).unwrap(), read(&toml::to_string(&table).unwrap()).unwrap());
        let request = request(action, facts, spent, now);
        let (before, after) = (decide(Ok(&narrow), &request), decide(Ok(&wide), &request));
        prop_assert!(!before.is_permitted() || after.is_permitted(), "{}", after);
    }

    /// A number that permits more never turns a permit into a denial.
    #[test]
    fn a_wider_number_never_permits_less(
        text in varied(),
        field in 0..NUMBERS.len(),
        step in 1..1_000_000_i64,
        (action, facts, spent, now) in any_asked(),
    ) {
        let (section, name, grows, max) = NUMBERS[field];
        let mut table: Table = toml::from_str(&text).unwrap();
        let value = &mut table[section].as_table_mut().unwrap()[name];
        let number = value.as_integer().unwrap();
        *value = Value::Integer(if grows { (number + step).min(max) } else { (number - step).max(1) });
        // At the stage local no bytes may be let out at all; such a file contradicts itself and is no policy.
        let (narrow, Some(wide)) = (read(&text).unwrap(), read(&toml::to_string(&table).unwrap())) else { return Ok(()) };
        let request = request(action, facts, spent, now);
        let (before, after) = (decide(Ok(&narrow), &request), decide(Ok(&wide), &request));
        prop_assert!(!before.is_permitted() || after.is_permitted(), "{name}: {}", after);
    }

    #[test]
    fn two_policies_differ_exactly_when_diff_says_so(one in varied(), other in varied()) {
        let (one, other) = (parse(&one).unwrap(), parse(&other).unwrap());
        prop_assert_eq!(diff(&one, &other).is_empty(), one == other);
        prop_assert_eq!(diff(&one, &other).len(), diff(&other, &one).len());
    }
}
