//! What a node keeps lies sealed: no identifier, no pixel and no key where it must not be, and the way back only by its door.

use std::{collections::BTreeSet, path::Path, process::Output};

use aho_corasick::AhoCorasick;
use snowball_crypto::{Domain, SiteSecret};
use snowball_phantoms::{Truth, planted_identifiers, read_truth};
use snowball_protocol::intake::{Disposition, IntakeReason};
use snowball_tests::{PolicyWish, run};

use crate::stage::Stage;

/// A node with a vault that has taken in sound and hostile files and frozen a dataset.
pub async fn node_with_everything() -> (Stage, Vec<Truth>) {
    let stage = Stage::set_with(1, 1, 60, 0.5, |_| {}).await;
    let site = &stage.consortium.sites[0];
    stage.consortium.make_node(site, 1).await.unwrap();
    let config = site.home.join("node.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("linkage = false", "linkage = true")).unwrap();
    stage
        .consortium
        .install_policy(site, &stage.plan, &PolicyWish::default())
        .await
        .unwrap();
    stage.consortium.ingest(site).await.unwrap();
    pretrain(&stage).await;
    let truth = read_truth(&stage.hospitals[0].truth).unwrap();
    (stage, truth)
}

/// Freezes the study's dataset and trains a little.
pub async fn pretrain(stage: &Stage) {
    let plan = stage.consortium.plan_file();
    let words = ["pretrain", "--local", "--steps", "2", "--plan", plan.to_str().unwrap()];
    stage.consortium.node(&stage.consortium.sites[0], &words).await.unwrap();
}

/// What the first planted attribute of this name holds.
pub fn planted<'a>(truth: &'a Truth, path: &str) -> Option<&'a str> {
    let found = truth.identifiers.iter().find(|one| one.path == path)?;
    Some(found.value.trim())
}

/// The pseudonym of a patient's number at this node.
pub fn pseudonym_of(home: &Path, patient: &str) -> snowball_crypto::Pseudonym {
    let secret = std::fs::read_to_string(home.join("keys/site.secret")).unwrap();
    let key = SiteSecret::from_hex(&secret).unwrap().project("snowball");
    key.pseudonym(Domain::Patient, &patient.to_lowercase())
}

async fn ask(stage: &Stage, words: &[&str]) -> Output {
    let site = &stage.consortium.sites[0];
    run(&stage.consortium.programs.node, &site.home, words).await.unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Every file below `folder`.
pub fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.path().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_in_the_home_names_or_shows_a_patient() {
    let (stage, truth) = node_with_everything().await;
    let home = &stage.consortium.sites[0].home;
    let mut values: Vec<Vec<u8>> = planted_identifiers(&truth)
        .iter()
        .map(|value| value.trim().as_bytes().to_vec())
        .filter(|value| value.len() >= 6)
        .collect();
    // Rows of pixels as uncompressed files have them.
    let rows = raw_rows(&stage.hospitals[0].folder, &truth);
    assert!(values.len() > 100 && rows.len() > 10, "{} {}", values.len(), rows.len());
    values.extend(rows);
    let search = AhoCorasick::new(&values).unwrap();
    let source: Vec<u8> = files(&stage.hospitals[0].dicom)
        .iter()
        .flat_map(|path| std::fs::read(path).unwrap())
        .collect();
    assert!(search.is_match(&source), "the search finds what is there");
    for path in files(home) {
        assert!(
            !search.is_match(path.as_os_str().as_encoded_bytes()),
            "{}",
            path.display()
        );
        assert!(!search.is_match(&std::fs::read(&path).unwrap()), "{}", path.display());
    }

    // Sealed bytes never repeat; plain pictures do, in their margins.
    let sealed: Vec<_> = files(home)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|end| end == "sealed" || end == "pack"))
        .collect();
    assert!(sealed.len() >= 5, "a pack, a dataset of three files, quarantined files");
    for path in sealed {
        let bytes = std::fs::read(&path).unwrap();
        let blocks: Vec<&[u8]> = bytes.chunks_exact(16).collect();
        assert_eq!(
            blocks.iter().collect::<BTreeSet<_>>().len(),
            blocks.len(),
            "{}",
            path.display()
        );
    }
}

/// A piece out of the middle of each large uncompressed file, where it is lively enough to be its own.
fn raw_rows(folder: &Path, truth: &[Truth]) -> Vec<Vec<u8>> {
    let plain = ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"];
    truth
        .iter()
        .filter(|one| one.disposition == Disposition::Accepted && plain.contains(&one.syntax.as_str()))
        .filter_map(|one| {
            let bytes = std::fs::read(folder.join(&one.file)).ok()?;
            let piece = bytes.get(bytes.len() / 2..bytes.len() / 2 + 48)?.to_vec();
            (piece.iter().collect::<BTreeSet<_>>().len() > 16).then_some(piece)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_key_is_refused_with_a_remedy_and_the_way_back_has_one_door() {
    let (stage, truth) = node_with_everything().await;
    let home = stage.consortium.sites[0].home.clone();
    let secret = home.join("keys/site.secret");
    let sound = std::fs::read(&secret).unwrap();
    std::fs::write(&secret, "17".repeat(32)).unwrap();
    let output = ask(&stage, &["census"]).await;
    assert!(
        !output.status.success() && said(&output).contains("sealed under another key"),
        "{}",
        said(&output)
    );
    std::fs::write(&secret, sound).unwrap();
    assert!(ask(&stage, &["census"]).await.status.success());

    let accepted = truth.iter().find(|one| one.kind == "sound").unwrap();
    let patient = planted(accepted, "PatientID").unwrap();
    let pseudonym = pseudonym_of(&home, patient).to_string();
    let show = ["linkage", "show", &pseudonym, "--reason", "an incidental finding"];
    assert_eq!(
        ask(&stage, &show[..3]).await.status.code(),
        Some(2),
        "no reason, no answer"
    );
    let output = ask(&stage, &show).await;
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shown[0]["patient"].as_str(), Some(patient), "{}", said(&output));
    let ledger = std::fs::read_to_string(home.join("ledger/ledger.jsonl")).unwrap();
    assert!(ledger.contains("linkage_shown") && ledger.contains("an incidental finding"));
    assert!(!ledger.contains(patient) && !ledger.contains(&pseudonym));

    let name = stage.consortium.sites[0].name.to_string();
    for words in [
        &["linkage", "destroy"][..],
        &["linkage", "destroy", "--yes-destroy", "another"],
    ] {
        let output = ask(&stage, words).await;
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
        assert!(home.join("keys/vault.secret").exists());
    }
    let output = ask(&stage, &["linkage", "destroy", "--yes-destroy", &name]).await;
    assert!(output.status.success(), "{}", said(&output));
    assert!(!home.join("keys/vault.secret").exists() && !home.join("vault/vault.sqlite").exists());
    for words in [
        &show[..],
        &["ingest", stage.consortium.sites[0].dicom.to_str().unwrap()],
    ] {
        let output = ask(&stage, words).await;
        assert!(
            !output.status.success() && said(&output).contains("was destroyed"),
            "{}",
            said(&output)
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_waives_what_a_look_can_settle_and_nothing_else() {
    let (stage, truth) = node_with_everything().await;
    let list: serde_json::Value = serde_json::from_slice(&ask(&stage, &["quarantine", "list"]).await.stdout).unwrap();
    let waiting = |reason: IntakeReason| {
        let files = list["files"].as_array().unwrap();
        let found = files.iter().find(|file| file["reason"] == serde_json::json!(reason))?;
        Some(found["digest"].as_str().unwrap().to_owned())
    };
    assert!(truth.iter().any(|one| one.reason == Some(IntakeReason::BurnedInText)));
    let burned = waiting(IntakeReason::BurnedInText).unwrap();
    let words = |digest: &str| {
        [
            "quarantine",
            "release",
            digest,
            "--reviewer",
            "Dr Curie",
            "--reason",
            "a side marker",
        ]
        .map(str::to_owned)
    };
    for reason in [
        IntakeReason::DecodeError,
        IntakeReason::MissingIdentity,
        IntakeReason::UidConflict,
    ] {
        let Some(digest) = waiting(reason) else { continue };
        let words = words(&digest);
        let output = ask(&stage, &words.each_ref().map(String::as_str)).await;
        assert_eq!(output.status.code(), Some(3), "{reason:?}");
        assert!(said(&output).contains("can never be waived"), "{}", said(&output));
    }
    let out = stage.folder.path().join("look.png");
    let picture = ask(
        &stage,
        &["quarantine", "picture", &burned, "--out", out.to_str().unwrap()],
    )
    .await;
    assert!(
        picture.status.success() && std::fs::read(&out).unwrap().starts_with(b"\x89PNG"),
        "{}",
        said(&picture)
    );

    let words = words(&burned);
    let words = words.each_ref().map(String::as_str);
    let output = ask(&stage, &words).await;
    assert!(output.status.success(), "{}", said(&output));
    assert!(!ask(&stage, &words).await.status.success(), "once");
    let show: serde_json::Value =
        serde_json::from_slice(&ask(&stage, &["quarantine", "show", &burned]).await.stdout).unwrap();
    assert_eq!(show["reviews"][0]["reviewer"], "Dr Curie");
    assert_eq!(show["files"][0]["state"], "released");
    let home = &stage.consortium.sites[0].home;
    let ledger = std::fs::read_to_string(home.join("ledger/ledger.jsonl")).unwrap();
    assert_eq!(ledger.matches("quarantine_reviewed").count(), 1);
    let sites = &stage.consortium.sites;
    stage.consortium.node(&sites[0], &["ledger", "verify"]).await.unwrap();
}
