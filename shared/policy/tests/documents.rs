//! Holds the documents in `policies` to what the program does: the three policies, the schema and the README.

#![allow(clippy::unwrap_used)]

use std::{fs, path::PathBuf};

use snowball_policy::{DeidentificationOption, Policy, Stage, diff, parse};
use snowball_protocol::{StudyPlan, labels::LabelName, plan::Sent};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../policies")
        .join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn policy(name: &str) -> Policy {
    parse(&read(name)).unwrap_or_else(|fault| panic!("{name}: {fault}"))
}

/// Set `SNOWBALL_WRITE_SCHEMA=1` to write the file anew after a change of the format.
#[test]
fn the_committed_schema_is_the_generated_one() {
    let generated = serde_json::to_value(Policy::schema()).unwrap();
    if std::env::var_os("SNOWBALL_WRITE_SCHEMA").is_some() {
        fs::write(
            path("schema.json"),
            format!("{}\n", serde_json::to_string_pretty(&generated).unwrap()),
        )
        .unwrap();
    }
    let committed: serde_json::Value = serde_json::from_str(&read("schema.json")).unwrap();
    assert!(
        committed == generated,
        "policies/schema.json is out of date: SNOWBALL_WRITE_SCHEMA=1 cargo test -p snowball-policy"
    );
}

#[test]
fn the_schema_refuses_unknown_fields_at_every_level() {
    let schema = serde_json::to_value(Policy::schema()).unwrap();
    let definitions = schema["$defs"].as_object().unwrap().values();
    let mut objects = 0;
    for object in definitions
        .chain([&schema])
        .filter(|definition| definition["type"] == "object")
    {
        assert_eq!(object["additionalProperties"], false, "{}", object["title"]);
        objects += 1;
    }
    assert_eq!(objects, 12);
}

#[test]
fn each_annotated_policy_is_of_its_stage() {
    for (name, stage) in [
        ("local.toml", Stage::Local),
        ("research-files.toml", Stage::Local),
        ("proof-of-concept.toml", Stage::ProofOfConcept),
        ("collaboration.toml", Stage::Collaboration),
    ] {
        let text = read(name);
        assert!(text.starts_with("#:schema ./schema.json\n"), "{name}");
        assert_eq!(policy(name).stage(), stage);
    }
}

#[test]
fn the_annotated_policies_say_what_their_comments_say() {
    let (local, trial, collaboration) = (
        policy("local.toml"),
        policy("proof-of-concept.toml"),
        policy("collaboration.toml"),
    );
    assert!(!local.releases(Sent::Update) && !local.releases(Sent::Metrics) && local.approves_any_digest());
    assert!(trial.releases(Sent::Update) && !trial.releases(Sent::Metrics) && trial.approves_any_digest());
    assert!(
        collaboration.releases(Sent::Update)
            && collaboration.releases(Sent::Metrics)
            && !collaboration.approves_any_digest()
    );
    assert!(collaboration.allows_label(LabelName::Age) && !collaboration.allows_label(LabelName::Sex));
    assert!(collaboration.retains(DeidentificationOption::RetainPatientCharacteristics));
    assert!(!trial.allows_label(LabelName::Age));
    assert_eq!((trial.cell_min(), collaboration.cell_min()), (10, 5));
    // 1 March 2027, midnight UTC: the end of 28 February.
    assert_eq!(collaboration.expires(), 1_803_859_200);
}

#[test]
fn the_collaboration_lists_the_digest_of_the_example_study() {
    let plan: StudyPlan = toml::from_str(&read("cases/studies/body-parts.toml")).unwrap();
    assert_eq!(plan.faults(), vec![]);
    assert_eq!(
        policy("collaboration.toml").plan_digests(),
        [plan.digest()],
        "list the digest of the example study in collaboration.toml"
    );
}

#[test]
fn the_readme_shows_what_explain_and_diff_say() {
    let readme = read("README.md");
    let explained = policy("collaboration.toml").explain();
    assert!(
        readme.contains(&format!("```text\n{explained}```\n")),
        "README.md should show:\n{explained}"
    );
    let changes: String = diff(&policy("proof-of-concept.toml"), &policy("collaboration.toml"))
        .iter()
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(
        readme.contains(&format!("```text\n{changes}```\n")),
        "README.md should show:\n{changes}"
    );
}

#[test]
fn explanations_are_short_sentences_of_plain_words() {
    for name in ["local.toml", "proof-of-concept.toml", "collaboration.toml"] {
        let text = policy(name).explain();
        for sentence in text.lines().flat_map(|line| line.split(". ")) {
            assert!(sentence.split_whitespace().count() <= 26, "{name}: {sentence}");
        }
        for word in ["boolean", "null", "true", "false", "struct", "enum", "JSON", "TOML"] {
            assert!(!text.contains(word), "{name} says {word}");
        }
    }
}
