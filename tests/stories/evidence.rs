//! What a board is shown: a self-test that can fail, a sample with its bound, one page without a value of anybody.

use std::{collections::BTreeSet, path::Path, process::Output};

use serde_json::Value;
use snowball_phantoms::{Consortium, Truth, planted_identifiers, read_truth};
use snowball_tests::{PolicyWish, run};

use crate::stage::{Stage, programs};

/// What the self-test of 48 files plants: headers do not depend on the size of pictures.
fn planted_by_the_selftest(folder: &Path) -> Vec<Truth> {
    let consortium = Consortium {
        seed: 7,
        hospitals: 6,
        images_per_hospital: 7,
        longest_side: 32,
        hostile_fraction: 0.12,
    };
    let hospitals = snowball_phantoms::write_with_text(&consortium, 6, folder, &|_, _| {}).unwrap();
    hospitals
        .iter()
        .flat_map(|hospital| read_truth(&hospital.truth).unwrap())
        .collect()
}

fn told(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

/// No planted text of six characters and more stands in `text`.
fn names_nobody(text: &str, planted: &BTreeSet<String>, what: &str) {
    let found: Vec<_> = planted
        .iter()
        .filter(|value| value.chars().count() >= 6 && text.contains(value.as_str()))
        .collect();
    assert!(found.is_empty(), "{what}: {found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_selftest_passes_and_fails_where_a_policy_keeps_an_address() {
    let folder = tempfile::tempdir().unwrap();
    let node = programs().await.node;
    let truths = planted_by_the_selftest(&folder.path().join("phantoms"));
    let planted = planted_identifiers(&truths);
    let (nowhere, page) = (folder.path().join("no-node"), folder.path().join("selftest.html"));
    let words = ["selftest", "--files", "48", "--report", page.to_str().unwrap()];
    let output = run(&node, &nowhere, &words).await.unwrap();
    let passed = told(&output);
    assert!(output.status.success() && passed["passed"] == true, "{passed}");
    assert_eq!(passed["reread"]["found"], serde_json::json!({}), "{passed}");
    assert!(passed["reread"]["texts"].as_u64().unwrap() > 100, "{passed}");
    let rows = passed["scores"]["rows"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["expected"].as_u64() > Some(0)), "{passed}");
    assert!(
        rows.len() >= 12,
        "all but moved dates, which the strictest profile does not ask for: {passed}"
    );
    let html = std::fs::read_to_string(&page).unwrap();
    names_nobody(&html, &planted, "the page");
    names_nobody(&passed.to_string(), &planted, "the answer");
    assert!(!nowhere.exists(), "a test without a node makes none");

    // The policy keeps what stands in PatientAddress if it is one of these addresses: they must be found again.
    let addresses: BTreeSet<&str> = truths
        .iter()
        .flat_map(|truth| &truth.identifiers)
        .filter(|one| one.path == "PatientAddress")
        .map(|one| one.value.as_str())
        .collect();
    assert!(!addresses.is_empty());
    let addresses: Vec<&str> = addresses.into_iter().collect();
    let sample = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies/local.toml");
    let text = std::fs::read_to_string(sample).unwrap();
    let keep = format!("options = []\nkeep = [{{ attribute = \"PatientAddress\", values = {addresses:?} }}]");
    assert!(text.contains("options = []"));
    let weak = folder.path().join("weak.toml");
    std::fs::write(&weak, text.replacen("options = []", &keep, 1)).unwrap();
    let words = ["selftest", "--files", "48", "--policy", weak.to_str().unwrap()];
    let output = run(&node, &nowhere, &words).await.unwrap();
    let failed = told(&output);
    assert_eq!(output.status.code(), Some(3), "{failed}");
    assert_eq!(failed["passed"], false);
    let removed = failed["scores"]["rows"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["check"] == "text_removed")
        .unwrap();
    assert_eq!(removed["failures"][0][0], "(0010,1040)", "{removed}");
    assert!(
        failed["reread"]["found"]["dcm: PatientAddress"].as_u64() > Some(0),
        "{failed}"
    );
    names_nobody(&failed.to_string(), &planted, "the answer that tells the failure");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_board_gets_a_page_with_rules_counts_a_bound_and_no_value_of_anybody() {
    let stage = Stage::set_with(1, 1, 60, 0.4, |_| {}).await;
    let site = &stage.consortium.sites[0];
    stage.consortium.make_node(site, 1).await.unwrap();
    let wish = PolicyWish::default();
    stage.consortium.install_policy(site, &stage.plan, &wish).await.unwrap();
    stage.consortium.ingest(site).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (dicom, sheets, page) = (path("dicom"), path("sheets"), path("board.html"));
    let node = async |words: &[&str]| stage.consortium.node(site, words).await.unwrap();
    node(&["deidentify", site.dicom.to_str().unwrap(), &dicom]).await;

    // A sample: of so few pictures all but a few are drawn, and none bad among them proves the bound.
    let plan = node(&["review", "plan", "--out", &sheets, "--seed", "5"]).await;
    let again = node(&[
        "review",
        "plan",
        "--out",
        &path("again"),
        "--seed",
        "5",
        "--deidentified",
        &dicom,
    ])
    .await;
    let (pictures, drawn) = (plan["pictures"].as_u64().unwrap(), plan["drawn"].as_u64().unwrap());
    assert!(drawn <= pictures && drawn * 100 >= pictures * 95, "{plan}");
    assert!(again["drawn"].as_u64() > Some(20), "{again}");
    let sheet = std::fs::read_to_string(Path::new(&sheets).join("page-001.html")).unwrap();
    assert!(sheet.contains("data:image/jpeg;base64,") && !sheet.contains("<script"));
    let name = plan["plan"].as_str().unwrap();
    let clean = [
        "review",
        "record",
        "--found",
        "0",
        "--reviewer",
        "Curie",
        "--plan",
        name,
    ];
    let clean = node(&clean).await;
    assert_eq!(clean["proven"]["is_reached"], true, "{clean}");
    let bad = node(&[
        "review",
        "record",
        "--found",
        "3",
        "--reviewer",
        "Becquerel",
        "--plan",
        name,
    ])
    .await;
    assert!(
        bad["proven"]["is_reached"] == false && bad["proven"]["upper_bound"].as_f64() > Some(0.05),
        "{bad}"
    );

    // Who looked at a quarantined picture, and who let it go.
    let list = node(&["quarantine", "list"]).await;
    let files = list["files"].as_array().unwrap();
    let held = files.iter().find(|file| file["reason"] == "burned_in_text").unwrap();
    let digest = held["digest"].as_str().unwrap();
    node(&["quarantine", "picture", digest, "--out", &path("look.png")]).await;
    node(&["quarantine", "discard", digest]).await;
    let kinds = node(&["ledger", "verify"]).await["kinds"].clone();
    for (kind, count) in [
        ("deidentify_finished", 1),
        ("review_planned", 2),
        ("review_recorded", 2),
        ("quarantine_picture_shown", 1),
        ("quarantine_discarded", 1),
    ] {
        assert_eq!(kinds[kind], count, "{kind}: {kinds}");
    }

    let report = ["report", "deidentification", "--out", &page, "--output", &dicom];
    let report = node(&report).await;
    let html = std::fs::read_to_string(&page).unwrap();
    for words in [
        "What this page cannot show",
        "Curie",
        "modality",
        "ledger verify",
        "table E.1-1",
    ] {
        assert!(html.to_lowercase().contains(&words.to_lowercase()), "{words}");
    }
    for outside in ["http://", "https://", "<script", "src=\"/"] {
        assert!(!html.contains(outside), "{outside}");
    }
    let planted = planted_identifiers(&read_truth(&stage.hospitals[0].truth).unwrap());
    names_nobody(&html, &planted, "the board's page");
    names_nobody(&report.to_string(), &planted, "the board's JSON");
}
