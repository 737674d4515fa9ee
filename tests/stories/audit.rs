//! An auditor with public keys and exported folders alone: a real consortium's history is sound, and each tampering is found.

mod evidence;
mod tamperings;
mod under_way;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use serde_json::Value;
use snowball_crypto::SigningKey;
use snowball_phantoms::{planted_identifiers, read_truth};
use snowball_protocol::plan::{Drift, OptimiserRule, Sent};
use snowball_tests::{PolicyWish, ask, run};
use tokio::process::Command;

use crate::{
    audit::evidence::{Evidence, files},
    stage::{Stage, ended, programs},
};

/// Two hospitals that train, one that declines; a change of policy, a withdrawal, a quarantine, a release, a revocation.
async fn a_consortium_with_a_history() -> Stage {
    let mut stage = Stage::set_with(3, 4, 160, 0.1, |plan| {
        plan.local.steps = 6;
        plan.send.push(Sent::DetailedMetrics);
        // What the sites are corrected by is part of the history.
        plan.local.drift = Some(Drift::Scaffold);
        plan.optimiser.rule = OptimiserRule::Sgd { momentum: 0.0 };
        plan.optimiser.learning_rate = 0.05;
        plan.rounds.sites.min = 2;
        plan.rounds.sites.max = 2;
        plan.rounds.updates.min = 2;
        plan.rounds.updates.max = 2;
    })
    .await;
    // Details may leave all sites, and the first one's until its board thinks otherwise.
    let detailed = |_| PolicyWish {
        release: vec!["update", "metrics", "detailed_metrics"],
        ..PolicyWish::default()
    };
    stage.settle_under(detailed).await;
    let [north, _, third] = &stage.consortium.sites[..] else {
        panic!("three sites")
    };
    let (north, third) = (north.clone(), third.clone());
    let local = PolicyWish {
        stage: "local",
        release: vec![],
        ..PolicyWish::default()
    };
    stage
        .consortium
        .install_policy(&third, &stage.plan, &local)
        .await
        .unwrap();
    stage.start_study().await;
    let mut declining = stage
        .consortium
        .start_node(
            "declining",
            &third,
            &["run"],
            &stage.consortium.log("declining"),
            &stage.hear,
        )
        .unwrap();
    let mut nodes: Vec<_> = stage.consortium.sites[..2]
        .iter()
        .map(|site| stage.consortium.run_node(site, "story", &stage.hear).unwrap())
        .collect();
    let contributed = async {
        while let Some(said) = stage.heard.recv().await {
            if said.who == north.name.as_str() && said.what["event"] == "contributed" {
                return;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(90), contributed)
        .await
        .expect("the node contributes");
    let longer = PolicyWish {
        ends_days: 60,
        ..PolicyWish::default()
    };
    stage
        .consortium
        .install_policy(&north, &stage.plan, &longer)
        .await
        .unwrap();
    let truth = read_truth(&stage.hospitals[0].truth).unwrap();
    let patient = truth
        .iter()
        .find(|one| one.kind == "sound")
        .and_then(|one| crate::sealed::planted(one, "PatientID"))
        .unwrap();
    let number = stage.folder.path().join("number.txt");
    fs::write(&number, patient).unwrap();
    let words = ["withdraw", "--patient-file", number.to_str().unwrap()];
    stage.consortium.node(&north, &words).await.unwrap();

    stage
        .wait("the review", |status| {
            status["phase"] == "reviewing"
                && status["final"]["evaluated"]
                    .as_array()
                    .is_some_and(|done| done.len() == 2)
        })
        .await;
    stage.release().await;
    ended(&mut nodes).await;
    declining.check().unwrap();
    declining.end().await.unwrap();
    let revoke = ["revoke", third.name.as_str(), "--reason", "it left the consortium"];
    stage.consortium.aggregator(&revoke).await.unwrap();
    // The server takes the command's entry in within a moment.
    for _ in 0..100 {
        let ledger = stage
            .consortium
            .aggregator(&["ledger", "show", "--last", "1"])
            .await
            .unwrap();
        if ledger["records"][0]["entry"]["entry"] == "site_revoked" {
            return stage;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the revocation is not in the ledger");
}

/// Every party's evidence below `root`, as the programs write it.
pub async fn export(stage: &Stage, root: &Path) -> Vec<PathBuf> {
    let aggregator = root.join("aggregator");
    let words = ["audit", "export", aggregator.to_str().unwrap()];
    stage.consortium.aggregator(&words).await.unwrap();
    let mut folders = vec![aggregator];
    for site in &stage.consortium.sites {
        let folder = root.join(site.name.as_str());
        let words = ["audit", "export", folder.to_str().unwrap()];
        stage.consortium.node(site, &words).await.unwrap();
        folders.push(folder);
    }
    folders
}

/// The public keys, as people wrote them down when the hospitals joined.
pub fn write_keys(stage: &Stage) -> PathBuf {
    let read = |path: PathBuf| fs::read_to_string(path).unwrap().trim().to_owned();
    let consortium = &stage.consortium;
    let enrolled: Value = serde_json::from_str(&read(consortium.sites[0].home.join("aggregator.json"))).unwrap();
    let mut text = format!(
        "aggregator = \"{}\"\nca = [{}]\n",
        read(consortium.aggregator_home().join("ledger.pub")),
        enrolled["ca_fingerprint"]
    );
    for site in &consortium.sites {
        let board = consortium.root.join("boards").join(site.name.as_str());
        text += &format!(
            "\n[sites.{}]\nledger = \"{}\"\nethics = [\"{}\"]\n",
            site.name,
            read(site.home.join("ledger.pub")),
            read(board.join("ethics.pub"))
        );
    }
    let path = stage.folder.path().join("keys.toml");
    fs::write(&path, text).unwrap();
    path
}

/// The private keys, which only an insider holds.
fn insider(stage: &Stage) -> BTreeMap<String, SigningKey> {
    let read = |path: PathBuf| SigningKey::from_pem(&fs::read_to_string(path).unwrap()).unwrap();
    let sites = stage
        .consortium
        .sites
        .iter()
        .map(|site| (site.name.to_string(), read(site.home.join("keys/ledger.pem"))));
    let aggregator = read(stage.consortium.aggregator_home().join("ledger.key.pem"));
    sites.chain([("aggregator".to_owned(), aggregator)]).collect()
}

fn verdict(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

/// What the second auditor says of some folders: the codes of its findings; `None` where there is no Python.
async fn second_opinion(folders: &[PathBuf], keys: &Path) -> Option<(bool, BTreeSet<String>)> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("verify_evidence.py");
    let output = Command::new("python3")
        .arg(script)
        .arg("--keys")
        .arg(keys)
        .args(folders)
        .output()
        .await
        .ok()?;
    let said = verdict(&output);
    let codes = said["findings"].as_array().unwrap().iter();
    let codes = codes
        .map(|finding| finding["code"].as_str().unwrap().to_owned())
        .collect();
    Some((output.status.success(), codes))
}

/// Holds the whole history against both auditors; both find nothing.
pub async fn both_auditors_find_nothing(stage: &Stage) {
    let folders = export(stage, &stage.folder.path().join("evidence")).await;
    let keys = write_keys(stage);
    let mut words = vec!["audit", "verify", "--keys", keys.to_str().unwrap()];
    words.extend(folders.iter().map(|folder| folder.to_str().unwrap()));
    let nowhere = stage.folder.path().join("nowhere");
    let output = run(&programs().await.aggregator, &nowhere, &words).await.unwrap();
    let said = verdict(&output);
    assert!(output.status.success(), "{said}");
    if let Some((is_sound, codes)) = second_opinion(&folders, &keys).await {
        assert!(is_sound && codes.is_empty(), "{codes:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_auditor_with_public_keys_alone_verifies_a_consortium_and_finds_each_tampering() {
    let stage = a_consortium_with_a_history().await;
    let root = stage.folder.path().join("evidence");
    let folders = export(&stage, &root).await;
    let keys = write_keys(&stage);

    // The same again gives the same bytes, though the aggregator serves.
    let again = stage.folder.path().join("again");
    export(&stage, &again).await;
    let (first, second) = (files(&root), files(&again));
    assert_eq!(first.keys().collect::<Vec<_>>(), second.keys().collect::<Vec<_>>());
    assert!(first == second, "an export is reproducible");
    holds_no_secret_and_nobody(&stage, &first);

    // Sound, by both programs, in a place where there is neither node nor aggregator.
    let nowhere = stage.folder.path().join("nowhere");
    let programs = programs().await;
    let mut words = vec!["audit", "verify", "--keys", keys.to_str().unwrap()];
    words.extend(folders.iter().map(|folder| folder.to_str().unwrap()));
    let outcome = ask(&programs.aggregator, &nowhere, &words).await.unwrap();
    assert_eq!(outcome["sound"], true, "{outcome:#}");
    assert_eq!(ask(&programs.node, &nowhere, &words).await.unwrap(), outcome);
    for check in outcome["checks"].as_array().unwrap() {
        assert!(check["checked"].as_u64() > Some(0), "{check}");
    }
    let python = second_opinion(&folders, &keys).await;
    match &python {
        Some((sound, codes)) => assert!(*sound && codes.is_empty(), "{codes:?}"),
        None => eprintln!("skipped the second auditor: there is no python3"),
    }

    let insider = insider(&stage);
    let sites = stage
        .consortium
        .sites
        .iter()
        .map(|site| site.name.to_string())
        .collect();
    let sound = Evidence::new(root, sites, insider);
    let mut missed = Vec::new();
    let all = tamperings::all();
    assert!(all.len() >= 20);
    for tampering in &all {
        let copy = stage.folder.path().join("copy");
        let mut evidence = sound.copy(&copy);
        (tampering.make)(&mut evidence);
        let outcome = evidence.verify(&keys);
        let codes: BTreeSet<&str> = outcome.findings.iter().map(|finding| finding.code.code()).collect();
        if outcome.sound || !codes.contains(tampering.finding) {
            missed.push(format!("{}: {codes:?}, not {}", tampering.name, tampering.finding));
        }
        if python.is_some() && tampering.is_core {
            let (sound, said) = second_opinion(&evidence.folders(), &keys).await.unwrap();
            if sound || !said.contains(tampering.finding) {
                missed.push(format!(
                    "{}, second auditor: {said:?}, not {}",
                    tampering.name, tampering.finding
                ));
            }
        }
        fs::remove_dir_all(&copy).unwrap();
    }
    assert!(
        missed.is_empty(),
        "{} of {}:\n{}",
        missed.len(),
        all.len(),
        missed.join("\n")
    );

    // What the programs say of one of them: exit code 3, and words.
    let mut evidence = sound.copy(&stage.folder.path().join("copy"));
    (all[0].make)(&mut evidence);
    for program in [&programs.aggregator, &programs.node] {
        let folders = evidence.folders();
        let mut words = vec!["audit", "verify", "--keys", keys.to_str().unwrap()];
        words.extend(folders.iter().map(|folder| folder.to_str().unwrap()));
        let output = run(program, &nowhere, &words).await.unwrap();
        assert_eq!(
            (output.status.code(), &verdict(&output)["sound"]),
            (Some(3), &Value::Bool(false))
        );
    }
}

/// No private key or secret of any party, and nothing that was planted in a file of a patient.
fn holds_no_secret_and_nobody(stage: &Stage, evidence: &BTreeMap<String, Vec<u8>>) {
    let mut secrets = vec![("a private key".to_owned(), "PRIVATE KEY".to_owned())];
    for site in &stage.consortium.sites {
        for entry in fs::read_dir(site.home.join("keys")).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let longest = text.lines().max_by_key(|line| line.len()).unwrap().to_owned();
            secrets.push((path.display().to_string(), longest));
        }
    }
    assert!(secrets.len() >= 10, "{secrets:?}");
    let truths = stage
        .hospitals
        .iter()
        .flat_map(|hospital| read_truth(&hospital.truth).unwrap());
    let planted: Vec<_> = planted_identifiers(&truths.collect::<Vec<_>>())
        .into_iter()
        .filter(|value| value.chars().count() >= 6)
        .map(|value| ("an identifier of a patient".to_owned(), value))
        .collect();
    assert!(planted.len() > 100);
    for (path, content) in evidence {
        let text = String::from_utf8_lossy(content);
        for (what, value) in secrets.iter().chain(&planted) {
            assert!(!text.contains(value.as_str()), "{path} holds {what}");
        }
    }
}
