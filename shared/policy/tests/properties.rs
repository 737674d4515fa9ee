//! Whatever bytes come in, nothing panics and nothing is permitted that should not be.

#![allow(clippy::unwrap_used)]

use std::sync::LazyLock;

use proptest::prelude::*;
use snowball_crypto::SigningKey;
use snowball_policy::{
    Action, Clause, DatasetFacts, Decision, Policy, PolicyFault, Request, Spent, decide, diff, parse, sign, verify,
};
use snowball_protocol::{SiteName, StudyPlan, plan::Sent};
use toml::{Table, Value};

const POLICIES: [&str; 3] = [
    include_str!("../../../policies/local.toml"),
    include_str!("../../../policies/proof-of-concept.toml"),
    include_str!("../../../policies/collaboration.toml"),
];
const STUDY: &str = include_str!("../../../policies/cases/studies/body-parts.toml");

/// Any text, and text that looks like the format.
const TEXT: &str = "\\PC{0,300}|([a-z_]{1,9} ?= ?[0-9\"\\[\\]{}a-z.:-]{0,20}\n|\\[+[a-z.]{1,9}\\]+\n){0,40}";

static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate().unwrap());
static PLAN: LazyLock<StudyPlan> = LazyLock::new(|| toml::from_str(STUDY).unwrap());
static SITE: LazyLock<SiteName> = LazyLock::new(|| "north".parse().unwrap());

fn request(action: Action, facts: (u64, u64, u64), spent: (u32, u64), now: i64) -> Request<'static> {
    Request {
        site: &SITE,
        plan: &PLAN,
        action,
        dataset: DatasetFacts {
            training_patients: facts.0,
            training_images: facts.1,
            class_cells_min: facts.2,
        },
        spent: Spent {
            rounds: spent.0,
            bytes_this_round: spent.1,
        },
        now,
    }
}

fn any_action() -> impl Strategy<Value = Action> {
    prop_oneof![
        Just(Action::Train),
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
    ]
}

/// Around the dates of the annotated policies, and anywhere.
fn any_now() -> impl Strategy<Value = i64> {
    prop_oneof![any::<i64>(), 1_760_000_000_i64..1_820_000_000]
}

fn any_facts() -> impl Strategy<Value = (u64, u64, u64)> {
    prop_oneof![any::<(u64, u64, u64)>(), (0_u64..200, 0_u64..400, 0_u64..20)]
}

fn any_spent() -> impl Strategy<Value = (u32, u64)> {
    prop_oneof![any::<(u32, u64)>(), (0_u32..120, 0_u64..100_000_000)]
}

/// One of the annotated policies with one thing changed: a byte, a line gone, a line twice, two lines swapped.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    (
        0..3_usize,
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
        0..3_usize,
        1..9_u32,
        1..200_u32,
        1..60_u32,
        0..80_000_000_u32,
        any::<[bool; 3]>(),
    )
        .prop_map(|(policy, version, rounds, cell, bytes, keep)| {
            let mut table: Table = toml::from_str(POLICIES[policy]).unwrap();
            table.insert("version".into(), Value::Integer(version.into()));
            let mut set = |section: &str, field: &str, value: Value| {
                drop(table[section].as_table_mut().unwrap().insert(field.into(), value))
            };
            set("limits", "rounds_max", Value::Integer(rounds.into()));
            set("cohort", "cell_min", Value::Integer(cell.into()));
            if policy > 0 {
                set("limits", "bytes_per_round_max", Value::Integer(bytes.into()));
            }
            for (section, keep) in ["labels", "architectures", "studies"].into_iter().zip(keep) {
                if !keep {
                    set(section, "allowed", Value::Array(Vec::new()));
                }
            }
            toml::to_string(&table).unwrap()
        })
}

/// An action, the facts, what is spent, and the time.
type Asked = (Action, (u64, u64, u64), (u32, u64), i64);

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

fn exercise(policy: &Policy) {
    assert!(!policy.explain().is_empty());
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
    fn a_mutated_policy_is_told_as_altered_or_reads_whole(bytes in mutated(), original in 0..3_usize) {
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
        prop_assert!(clauses.len() >= 14);
        prop_assert!(now >= policy.begins() && now < policy.expires());
        prop_assert!(policy.studies().contains(&PLAN.study));
        prop_assert!(policy.approves_any_digest() || policy.plan_digests().contains(&PLAN.digest()));
        prop_assert!(PLAN.heads.iter().all(|head| policy.allows_label(head.label)));
        prop_assert!(facts.0 >= policy.training_patients_min());
        prop_assert!(spent.0 <= policy.rounds_max());
        match action {
            Action::Train => {}
            Action::Join => prop_assert!(policy.releases(Sent::Update)),
            Action::Send { kind, bytes } => {
                prop_assert!(policy.releases(kind) && policy.stage().permits_sending());
                prop_assert!(bytes <= policy.bytes_per_round_max() && spent.1 <= policy.bytes_per_round_max());
            }
        }
    }

    /// Plans come from outside: whatever numbers they hold, the answer is a decision.
    #[test]
    fn no_plan_makes_it_panic(plan in any_plan(), now in any_now()) {
        let text = POLICIES[1];
        let signed = verify(text.as_bytes(), Some(&sign(text.as_bytes(), &KEY)), &KEY.verifying_key()).unwrap();
        let asked = Request { plan: &plan, ..request(Action::Join, (800, 1200, 40), (0, 0), now) };
        // The example study learns age, which this policy does not allow.
        prop_assert!(!decide(Ok(&signed), &asked).is_permitted());
    }

    #[test]
    fn two_policies_differ_exactly_when_diff_says_so(one in varied(), other in varied()) {
        let (one, other) = (parse(&one).unwrap(), parse(&other).unwrap());
        prop_assert_eq!(diff(&one, &other).is_empty(), one == other);
        prop_assert_eq!(diff(&one, &other).len(), diff(&other, &one).len());
    }
}
