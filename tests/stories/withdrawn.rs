//! A patient withdraws: nothing of them stays in the home, they do not come back, and the models that learned are named.

use std::collections::BTreeMap;

use snowball_phantoms::{Truth, read_truth};
use snowball_protocol::intake::{Disposition, IntakeReason};

use crate::{
    archive::{Ward, lacks, send},
    capture::is_anywhere_below,
    sealed::{files, node_with_everything, planted, pretrain, pseudonym_of},
    stage::{Stage, ended},
};

/// The patient with most accepted files.
fn busiest(truth: &[Truth]) -> (String, u64) {
    let mut patients: BTreeMap<&str, u64> = BTreeMap::new();
    for one in truth.iter().filter(|one| one.kind == "sound") {
        *patients.entry(planted(one, "PatientID").unwrap()).or_default() += 1;
    }
    let (patient, count) = patients.into_iter().max_by_key(|(_, count)| *count).unwrap();
    (patient.to_owned(), count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_patient_who_withdraws_is_gone_and_stays_away() {
    let (stage, truth) = node_with_everything().await;
    let site = &stage.consortium.sites[0];
    let node = |words: Vec<String>| async move {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        stage_node(site, &words).await
    };
    async fn stage_node(site: &snowball_tests::Site, words: &[&str]) -> serde_json::Value {
        let programs = crate::stage::programs().await;
        snowball_tests::ask(&programs.node, &site.home, words).await.unwrap()
    }
    let (patient, sound) = busiest(&truth);
    let pseudonym = pseudonym_of(&site.home, &patient);
    assert!(
        is_anywhere_below(&site.home, pseudonym.as_bytes()),
        "the search finds what is there"
    );
    let pack = site.home.join("store/packs/000001.pack");
    let before = std::fs::read(&pack).unwrap();

    let number = stage.folder.path().join("number.txt");
    std::fs::write(&number, format!(" {patient}\n")).unwrap();
    let file = number.to_str().unwrap().to_owned();
    let receipt = node(vec!["withdraw".into(), "--patient-file".into(), file.clone()]).await;
    assert!(receipt["radiographs"].as_u64().unwrap() >= sound, "{receipt}");
    assert_eq!(receipt["datasets"], 1, "{receipt}");
    assert!(receipt["links"].as_u64().unwrap() >= 1, "{receipt}");
    assert_eq!(receipt["models"][0]["study"], "story", "{receipt}");
    let local = &receipt["local_models"][0];
    assert_eq!(
        (&local["study"], &local["how"]),
        (&"story".into(), &"trained".into()),
        "{receipt}"
    );

    // What was the patient's in the pack is overwritten, nothing beside it, and no piece of it lies elsewhere.
    let after = std::fs::read(&pack).unwrap();
    assert_eq!(before.len(), after.len());
    let changed: Vec<usize> = (0..before.len())
        .filter(|place| before[*place] != after[*place])
        .collect();
    assert!(changed.len() > 1000 && changed.iter().all(|place| after[*place] == 0));
    let frame = &before[changed[100]..changed[100] + 64];
    assert!(!is_anywhere_below(&site.home, frame));
    for gone in [
        pseudonym.as_bytes().as_slice(),
        pseudonym.to_string().as_bytes(),
        patient.as_bytes(),
    ] {
        assert!(!is_anywhere_below(&site.home, gone));
    }
    assert!(!site.home.join("datasets/story").exists());

    // The same files from another place: the patient is refused, in sound files and in ones that would wait for a person.
    let copy = stage.folder.path().join("copy");
    for (number, path) in files(&site.dicom).iter().enumerate() {
        std::fs::create_dir_all(&copy).unwrap();
        std::fs::copy(path, copy.join(number.to_string())).unwrap();
    }
    let counts = node(vec!["ingest".into(), copy.to_str().unwrap().to_owned()]).await;
    let theirs = |one: &&Truth| planted(one, "PatientID") == Some(&patient);
    let accepted = truth
        .iter()
        .filter(theirs)
        .filter(|one| one.disposition == Disposition::Accepted);
    assert!(
        counts["withdrawn"].as_u64().unwrap() >= accepted.count() as u64,
        "{counts}"
    );
    assert!(!is_anywhere_below(&site.home, pseudonym.as_bytes()));

    // The patient of a file that waits for a person: it goes too, and does not wait again.
    let waiting = truth
        .iter()
        .find(|one| one.reason == Some(IntakeReason::BurnedInText))
        .unwrap();
    std::fs::write(&number, planted(waiting, "PatientID").unwrap()).unwrap();
    let held = node(vec!["quarantine".into(), "list".into()]).await;
    let other = node(vec!["withdraw".into(), "--patient-file".into(), file.clone()]).await;
    let removed = other["quarantined"].as_u64().unwrap();
    assert!(removed >= 1, "{other}");
    std::fs::rename(&copy, stage.folder.path().join("moved")).unwrap();
    let moved = stage.folder.path().join("moved");
    node(vec!["ingest".into(), moved.to_str().unwrap().to_owned()]).await;
    let left = node(vec!["quarantine".into(), "list".into()]).await;
    let count = |list: &serde_json::Value| list["files"].as_array().unwrap().len() as u64;
    assert_eq!(count(&left), count(&held) - removed, "{left}");

    // Asked again, nothing is left to remove and the answer about models is the same.
    let again = node(vec!["withdraw".into(), "--pseudonym".into(), pseudonym.to_string()]).await;
    assert_eq!(again["radiographs"], 0, "{again}");
    assert_eq!(again["models"], receipt["models"]);
    assert_eq!(again["subject"], receipt["subject"]);

    // The next dataset is made without the patient.
    pretrain(&stage).await;
    assert!(site.home.join("datasets/story").exists());
    assert!(!is_anywhere_below(&site.home, pseudonym.as_bytes()));
    let verified = node(vec!["ledger".into(), "verify".into()]).await;
    assert_eq!(verified["kinds"]["patient_withdrawn"], 3, "{verified}");
    assert_eq!(verified["kinds"]["dataset_frozen"], 2, "{verified}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withdrawal_in_mid_study_reaches_the_next_round_and_ends_nothing() {
    let mut stage = Stage::set_with(2, 4, 60, 0.0, |plan| plan.local.steps = 20).await;
    stage.settle().await;
    let site = stage.consortium.sites[0].clone();
    let truth = read_truth(&stage.hospitals[0].truth).unwrap();
    let (patient, _) = busiest(&truth);
    stage.start_study().await;
    let mut nodes = stage.run_nodes();
    let contributed = async {
        while let Some(said) = stage.heard.recv().await {
            if said.who == site.name.as_str() && said.what["event"] == "contributed" {
                return;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(90), contributed)
        .await
        .expect("the node contributes");
    let pseudonym = pseudonym_of(&site.home, &patient);
    let words = ["withdraw", "--pseudonym", &pseudonym.to_string()];
    let receipt = stage.consortium.node(&site, &words).await.unwrap();
    assert!(
        !receipt["models"][0]["rounds"].as_array().unwrap().is_empty(),
        "{receipt}"
    );
    stage.wait_for_review().await;
    stage.release().await;
    ended(&mut nodes).await;

    // After the withdrawal nothing is begun before the dataset was made anew; what was being trained may end.
    let ledger = std::fs::read_to_string(site.home.join("ledger/ledger.jsonl")).unwrap();
    let kinds: Vec<String> = ledger
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|record| record["entry"]["entry"].as_str().unwrap().to_owned())
        .filter(|kind| ["dataset_frozen", "training_finished", "patient_withdrawn"].contains(&kind.as_str()))
        .collect();
    let withdrawn = kinds.iter().position(|kind| kind == "patient_withdrawn").unwrap();
    let (before, after) = (&kinds[..withdrawn], &kinds[withdrawn + 1..]);
    let is_training = before.last().is_some_and(|kind| kind == "dataset_frozen");
    let ended = usize::from(is_training && after.first().is_some_and(|kind| kind == "training_finished"));
    assert!(after.len() >= ended + 2, "{kinds:?}");
    assert_eq!(
        after[ended..ended + 2],
        ["dataset_frozen", "training_finished"],
        "{kinds:?}"
    );
    assert!(!is_anywhere_below(&site.home, pseudonym.as_bytes()));
    stage.consortium.node(&site, &["ledger", "verify"]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_in_the_spool_goes_too_and_what_comes_later_is_refused() {
    if lacks(&["storescu"]).await {
        return;
    }
    let mut ward = Ward::open(24, 0.0, "").await;
    ward.configure(&ward.receiving());
    let receiving = ward.receive().await;
    // Somebody else writes to the store, so the intake waits, and everything stays in the spool.
    let store = rusqlite::Connection::open(ward.site().home.join("store/store.sqlite")).unwrap();
    store.execute_batch("BEGIN IMMEDIATE").unwrap();
    let files: Vec<_> = (ward.truth.iter())
        .map(|one| (ward.path(one), one.syntax.clone()))
        .collect();
    let sent = send(&files, ("SNOWBALL", ward.port), "PACS").await;
    assert_eq!(sent.acknowledged, files.len() as u64, "{}", sent.said);
    receiving.kill().await.unwrap();
    store.execute_batch("ROLLBACK").unwrap();
    drop(store);

    let (patient, theirs) = busiest(&ward.truth);
    let spool = ward.site().home.join("spool");
    assert!(
        is_anywhere_below(&spool, patient.as_bytes()),
        "the search finds what is there"
    );
    let number = ward.folder.path().join("number.txt");
    std::fs::write(&number, &patient).unwrap();
    let words = ["withdraw", "--patient-file", number.to_str().unwrap()];
    let (output, lines) = ward.run(&words).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let receipt = lines.last().unwrap();
    assert_eq!(
        (&receipt["spooled"], &receipt["spooled_untied"]),
        (&theirs.into(), &0.into()),
        "{receipt}"
    );
    assert_eq!(ward.spooled("receive") as u64, sent.acknowledged - theirs);
    assert!(!is_anywhere_below(&spool, patient.as_bytes()));

    // The others are taken in. Sent again, the patient is refused at the intake, and the spool is empty after it.
    let again = ward.receive().await;
    let counts = ward.hear_files(sent.acknowledged - theirs).await;
    assert_eq!(
        (counts.accepted, counts.withdrawn),
        (sent.acknowledged - theirs, 0),
        "{counts:?}"
    );
    let sent = send(&files, ("SNOWBALL", ward.port), "PACS").await;
    let counts = ward.hear_files(sent.acknowledged).await;
    assert_eq!((counts.accepted, counts.withdrawn), (0, theirs), "{counts:?}");
    // While the service holds its spool a withdrawal goes as well.
    let (output, lines) = ward.run(&words).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(lines.last().unwrap()["spooled"], 0);
    again.end().await.unwrap();
    assert_eq!(ward.spooled("receive"), 0);
    assert!(!is_anywhere_below(&ward.site().home, patient.as_bytes()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_written_and_drawn_of_a_patient_is_named_and_removed_when_told_to() {
    let (stage, truth) = node_with_everything().await;
    let site = &stage.consortium.sites[0];
    let (patient, theirs) = busiest(&truth);
    let path = |name: &str| stage.folder.path().join(name).to_str().unwrap().to_owned();
    let (written, sheets, number) = (path("written"), path("sheets"), path("number.txt"));
    let deidentify = ["deidentify", site.dicom.to_str().unwrap(), &written];
    let first = stage.consortium.node(site, &deidentify).await.unwrap();
    // A bound that takes every picture, so that those of the patient are drawn.
    let plan = ["review", "plan", "--out", &sheets, "--bound", "0.000001"];
    let drawn = stage.consortium.node(site, &plan).await.unwrap();
    assert_eq!(drawn["pictures"], drawn["drawn"]);
    std::fs::write(&number, &patient).unwrap();
    let named = stage
        .consortium
        .node(site, &["withdraw", "--patient-file", &number])
        .await
        .unwrap();
    let count = named["written"][0]["files"].as_u64().unwrap();
    assert!(count >= 1 && count <= first["written"].as_u64().unwrap(), "{named}");
    assert_eq!(
        (&named["written"][0]["removed"], &named["written"][0]["gone"]),
        (&0.into(), &0.into()),
        "{named}"
    );
    assert_eq!(named["plans"][0]["plan"], drawn["plan"]);
    assert!(
        named["plans"][0]["numbers"].as_array().unwrap().len() as u64 >= theirs,
        "{named}"
    );
    assert_eq!(named["plans"][0]["pages"].as_str(), Some(sheets.as_str()));
    let before = files(std::path::Path::new(&written)).len() as u64;

    // The plan is known by the digest that the ledger has, and what it proves is still said.
    let record = ["review", "record", "--found", "0", "--reviewer", "Curie"];
    stage.consortium.node(site, &record).await.unwrap();
    stage.consortium.node(site, &["ledger", "verify"]).await.unwrap();

    let remove = ["withdraw", "--patient-file", &number, "--remove-written"];
    let removed = stage.consortium.node(site, &remove).await.unwrap();
    assert_eq!(removed["written"][0]["removed"].as_u64(), Some(count), "{removed}");
    assert!(removed["plans"].as_array().unwrap().is_empty(), "{removed}");
    assert_eq!(files(std::path::Path::new(&written)).len() as u64, before - count);
    // What is gone would be written again; a patient who has withdrawn is not.
    let again = stage.consortium.node(site, &deidentify).await.unwrap();
    assert_eq!(
        (&again["written"], &again["withdrawn"]),
        (&0.into(), &count.into()),
        "{again}"
    );
    let last = stage.consortium.node(site, &remove).await.unwrap();
    assert_eq!(last["written"][0]["gone"].as_u64(), Some(count), "{last}");
}
