//! Holds the documents in `policies` to what the program does: the three policies, the schema and the README.

#![allow(clippy::unwrap_used)]

use std::{fs, path::PathBuf};

use snowball_policy::{DeidentificationOption, Demand, Language, Policy, Stage, diff, diff_in, parse};
use snowball_protocol::{
    Sha256Digest, StudyPlan,
    labels::LabelName,
    plan::{Sent, StudyStage},
};

/// The four stages, each policy taking the place of the one before.
const STAGES: [&str; 4] = [
    "local.toml",
    "proof-of-concept.toml",
    "collaboration.toml",
    "publication.toml",
];

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
    assert_eq!(objects, 15);
}

#[test]
fn each_annotated_policy_is_of_its_stage() {
    let (local, trial, joint, public) = (
        Stage::Local,
        Stage::ProofOfConcept,
        Stage::Collaboration,
        Stage::Publication,
    );
    for (name, stages) in [
        ("local.toml", vec![local]),
        ("research-files.toml", vec![local]),
        ("proof-of-concept.toml", vec![local, trial]),
        ("collaboration.toml", vec![local, joint]),
        ("publication.toml", vec![local, joint, public]),
    ] {
        let text = read(name);
        assert!(text.starts_with("#:schema ./schema.json\n"), "{name}");
        assert_eq!(policy(name).stages(), stages);
        assert_eq!(Some(&policy(name).stage()), stages.last());
    }
}

#[test]
fn each_annotated_policy_names_the_one_before_it() {
    for pair in STAGES.windows(2) {
        let digest = Sha256Digest::of(read(pair[0]).as_bytes());
        assert_eq!(
            policy(pair[1]).supersedes(),
            Some(digest),
            "write supersedes = \"{digest}\" into {}",
            pair[1]
        );
    }
    assert_eq!(policy("local.toml").supersedes(), None);
}

#[test]
fn the_annotated_policies_say_what_their_comments_say() {
    let (local, trial, collaboration) = (
        policy("local.toml"),
        policy("proof-of-concept.toml"),
        policy("collaboration.toml"),
    );
    let study = "body-parts".parse().unwrap();
    assert!(!local.releases(Sent::Update) && !local.releases(Sent::Metrics) && local.approves_any_digest(Stage::Local));
    assert!(trial.releases(Sent::Update) && !trial.releases(Sent::Metrics));
    assert!(trial.approves_any_digest(Stage::ProofOfConcept) && trial.names(Stage::ProofOfConcept, &study));
    assert!(collaboration.releases(Sent::Update) && collaboration.releases(Sent::Metrics));
    assert!(!collaboration.approves_any_digest(Stage::Collaboration));
    assert!(collaboration.approves_any_digest(Stage::Local) && collaboration.names(Stage::Collaboration, &study));
    assert!(!collaboration.names(Stage::Publication, &study));
    for policy in [&local, &trial, &collaboration] {
        assert_eq!(policy.confinement(), Demand::Required);
        assert_eq!(policy.secure_aggregation(), Demand::NotRequired);
        assert!(policy.is_hour_for_training(0) && policy.is_hour_for_sending(0));
    }
    assert!(collaboration.allows_label(LabelName::Age) && !collaboration.allows_label(LabelName::Sex));
    assert!(collaboration.retains(DeidentificationOption::RetainPatientCharacteristics));
    assert!(!trial.allows_label(LabelName::Age));
    assert_eq!((trial.cell_min(), collaboration.cell_min()), (10, 5));
    // 1 March 2027, midnight UTC: the end of 28 February.
    assert_eq!(collaboration.begins(), 1_768_435_200);
    assert_eq!(collaboration.expires(), 1_803_859_200);
}

#[test]
fn the_policies_list_the_digests_of_the_example_study() {
    let mut plan: StudyPlan = toml::from_str(&read("cases/studies/body-parts.toml")).unwrap();
    for (name, planned, stage) in [
        ("collaboration.toml", StudyStage::Collaboration, Stage::Collaboration),
        ("publication.toml", StudyStage::Publication, Stage::Publication),
    ] {
        plan.stage = planned;
        assert_eq!(plan.faults(), vec![]);
        let listed: Vec<_> = policy(name).plan_digests(stage).collect();
        assert_eq!(
            listed,
            [plan.digest()],
            "list the digest of the example study in {name}"
        );
    }
}

#[test]
fn the_readme_shows_in_both_languages_what_explain_and_diff_say() {
    let lines = |lines: Vec<String>| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let (trial, collaboration) = (policy("proof-of-concept.toml"), policy("collaboration.toml"));
    let changes = [
        lines(diff(&trial, &collaboration)),
        lines(diff_in(&trial, &collaboration, Language::French)),
    ];
    for (page, explained) in [
        ("README.md", collaboration.explain()),
        ("README.fr.md", collaboration.explain_in(Language::French)),
    ] {
        let readme = read(page);
        for said in [&explained].into_iter().chain(&changes) {
            assert!(
                readme.contains(&format!("```text\n{said}```\n")),
                "{page} should show:\n{said}"
            );
        }
    }
}

/// The board's copy in French is written down whole, so that a change of words is read by somebody. Set
/// `SNOWBALL_WRITE_SCHEMA=1` to write it anew.
#[test]
fn the_committed_explanation_in_french_is_what_explain_says() {
    let said = policy("collaboration.toml").explain_in(Language::French);
    if std::env::var_os("SNOWBALL_WRITE_SCHEMA").is_some() {
        fs::write(path("collaboration.fr.txt"), &said).unwrap();
    }
    assert_eq!(read("collaboration.fr.txt"), said);
}

#[test]
fn explanations_are_short_sentences_of_plain_words() {
    for name in STAGES {
        for (language, words_max) in [(Language::English, 26), (Language::French, 28)] {
            let text = policy(name).explain_in(language);
            for sentence in text.lines().flat_map(|line| line.split(". ")) {
                assert!(sentence.split_whitespace().count() <= words_max, "{name}: {sentence}");
            }
            for word in ["boolean", "null", "true", "false", "struct", "enum", "JSON", "TOML"] {
                assert!(!text.contains(word), "{name} says {word}");
            }
        }
    }
}

/// Both languages say the same things: as many headings, sentences and figures, whatever the policy says.
#[test]
fn the_explanations_say_the_same_in_both_languages() {
    let collaboration = read("collaboration.toml");
    let mut texts: Vec<String> = STAGES.iter().map(|name| read(name)).collect();
    for (from, to) in [
        (
            "secure_aggregation = \"not-required\"",
            "secure_aggregation = \"required\"",
        ),
        ("confinement = \"required\"", "confinement = \"not-required\""),
        ("mechanism = \"none\"", "mechanism = \"record-level\""),
        ("mechanism = \"none\"", "mechanism = \"site-level\""),
        (
            "training = [\"always\"]",
            "training = [\"mon-fri 19:00-06:00\", \"sat 00:00-24:00\", \"daily 01:00-02:30\"]",
        ),
        ("sending = [\"always\"]", "sending = []"),
        ("allowed = [\"pretraining\"]", "allowed = []"),
        ("allowed = [\"update\", \"metrics\"]", "allowed = []"),
        (
            "options = [\"retain-patient-characteristics\"]",
            "options = [\"clean-descriptors\"]\nremove = [\"StationName\"]",
        ),
        ("studies = [\"body-parts\"]", "studies = []"),
        ("studies = [\"body-parts\"]", "studies = [\"body-parts\", \"hands\"]"),
        ("sites_min = 2", "sites_min = 1"),
    ] {
        assert!(collaboration.contains(from), "{from}");
        texts.push(collaboration.replacen(from, to, 1));
    }
    for text in texts {
        let policy = parse(&text).unwrap();
        let (english, french) = (policy.explain(), policy.explain_in(Language::French));
        let shape = |text: &str| text.lines().map(|line| line.starts_with("- ")).collect::<Vec<_>>();
        assert_eq!(shape(&english), shape(&french), "{english}\n{french}");
        for (one, other) in english.lines().zip(french.lines()) {
            let figures = |line: &str| -> Vec<char> {
                let mut figures: Vec<char> = line.chars().filter(char::is_ascii_digit).collect();
                figures.sort_unstable();
                figures
            };
            // A first day of the month is the 1er in French, which adds no figure.
            assert_eq!(figures(one), figures(other), "{one}\n{other}");
        }
    }
}
