//! Backups of both sides: made while they run, put back after everything is lost, and the study goes on. And what is refused: a backup that
//! was altered, one whose keys are missing, a ledger that is older than what the other side keeps.

use std::{fs, path::Path, process::Command, time::Duration};

use serde_json::Value;
use snowball_service::exit;
use snowball_tests::{Site, run, text};

use crate::stage::{Stage, ended};

/// Enough that the study is under way at each backup.
const ROUNDS: u32 = 6;
/// What a home must get back, as it was.
const KEPT: [&str; 3] = ["keys/site.secret", "keys/ledger.pem", "policy/policy.toml"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_loss_of_everything_the_study_goes_on_from_the_backups() {
    let mut stage = Stage::set(1, ROUNDS, 70).await;
    stage.settle().await;
    stage.start_study().await;
    let site = stage.consortium.sites[0].clone();
    let node = stage.consortium.run_node(&site, "story", &stage.hear).unwrap();
    stage.wait("the first round", |status| is_past(status, 1)).await;
    // While both run: each copy is whole, though one more round may be in the one and not in the other.
    let early = stage.folder.path().join("early");
    let made = stage
        .consortium
        .node(&site, &["backup", "--out", text(&early).unwrap()])
        .await
        .unwrap();
    assert_eq!(made["keys"], "in the clear");
    assert!(made["files"].as_u64().unwrap() > 15, "{made}");
    let running = stage.folder.path().join("running");
    let copied = ["backup", "--out", text(&running).unwrap()];
    stage.consortium.aggregator(&copied).await.unwrap();
    stage
        .wait("the second round", |status| {
            is_past(status, 2) || status["phase"] == "reviewing"
        })
        .await;
    node.end().await.unwrap();

    // Of a moment at which no later head is with anybody: the node rests, the server serves.
    let (north, coordinator) = (
        stage.folder.path().join("north-backup"),
        stage.folder.path().join("coordinator-backup"),
    );
    stage
        .consortium
        .node(&site, &["backup", "--out", text(&north).unwrap()])
        .await
        .unwrap();
    stage
        .consortium
        .aggregator(&["backup", "--out", text(&coordinator).unwrap()])
        .await
        .unwrap();
    for folder in [&early, &running, &north, &coordinator] {
        is_private(folder);
        is_noted(folder);
    }
    let before = (
        stage.consortium.node(&site, &["census"]).await.unwrap(),
        KEPT.map(|name| fs::read(site.home.join(name)).unwrap()),
    );

    // A fire.
    stage.aggregator.take().unwrap().kill().await.unwrap();
    fs::remove_dir_all(&site.home).unwrap();
    fs::remove_dir_all(stage.consortium.aggregator_home()).unwrap();
    let back = ["restore", text(&north).unwrap()];
    let restored = stage.consortium.node(&site, &back).await.unwrap();
    assert_eq!(restored["noted"], true);
    let back = ["restore", text(&coordinator).unwrap()];
    let restored = stage.consortium.aggregator(&back).await.unwrap();
    assert_eq!(restored["noted"], true);
    stage.aggregator = Some(stage.consortium.serve(stage.port, &stage.hear).await.unwrap());
    let after = (
        stage.consortium.node(&site, &["census"]).await.unwrap(),
        KEPT.map(|name| fs::read(site.home.join(name)).unwrap()),
    );
    assert_eq!(after, before);
    let mut nodes = stage.run_nodes();
    let status = stage.wait_for_review().await;
    assert_eq!(status["rounds"].as_array().unwrap().len(), ROUNDS as usize, "{status}");
    stage.release().await;
    ended(&mut nodes).await;
    stage.consortium.node(&site, &["ledger", "verify"]).await.unwrap();
    stage.consortium.aggregator(&["ledger", "verify"]).await.unwrap();

    an_older_state_is_refused_until_its_ledger_is_newer(&stage, &site, &north).await;
}

/// The ledger in a backup tells of this very backup, as a verifier says that is written in another language; and of no other list of files.
fn is_noted(folder: &Path) {
    let key = fs::read_to_string(folder.join("home/ledger.pub")).unwrap();
    let verdict = || -> Value {
        let python = std::env::var_os("SNOWBALL_PYTHON").unwrap_or_else(|| "python3".into());
        let mut verifier = Command::new(python);
        verifier.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/verify_ledger.py"));
        verifier.args(["--key", key.trim(), "--backup"]).arg(folder);
        let said = verifier.arg(folder.join("home/ledger")).output().unwrap().stdout;
        serde_json::from_slice(&said).unwrap()
    };
    assert_eq!(
        (&verdict()["verdict"], &verdict()["backup"]),
        (&"sound".into(), &"noted".into())
    );
    let manifest = folder.join("manifest.json");
    let before = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, before.replacen("\"path\":\"", "\"path\":\"x", 1)).unwrap();
    assert_eq!(verdict()["verdict"], "backup_not_noted");
    fs::write(&manifest, before).unwrap();
}

/// Whether so many rounds are over.
fn is_past(status: &Value, rounds: usize) -> bool {
    status["rounds"].as_array().map_or(0, Vec::len) >= rounds
}

/// The node is put back to before the end of the study, of which the aggregator holds heads.
async fn an_older_state_is_refused_until_its_ledger_is_newer(stage: &Stage, site: &Site, older: &Path) {
    let lost = stage.folder.path().join("lost");
    fs::rename(&site.home, &lost).unwrap();
    stage
        .consortium
        .node(site, &["restore", text(older).unwrap()])
        .await
        .unwrap();
    let node = &stage.consortium.programs.node;
    let refused = tokio::time::timeout(
        Duration::from_secs(60),
        run(node, &site.home, &["run", "--until-done", "story"]),
    );
    let refused = refused.await.expect("a node with a rewound ledger ends").unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(i32::from(exit::REFUSED)), "{said}");
    assert!(said.contains("a signed head of"), "{said}");

    fs::remove_dir_all(&site.home).unwrap();
    let ledger = lost.join("ledger");
    let back = ["restore", text(older).unwrap(), "--ledger", text(&ledger).unwrap()];
    let restored = stage.consortium.node(site, &back).await.unwrap();
    assert!(restored["ledger_entries"].as_u64() > restored["about"]["ledger_entries"].as_u64());
    let mut again = [stage.consortium.run_node(site, "story", &stage.hear).unwrap()];
    ended(&mut again).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_whole_is_not_restored() {
    let mut stage = Stage::set(1, 1, 20).await;
    let site = stage.consortium.sites[0].clone();
    stage.consortium.make_node(&site, 1).await.unwrap();
    stage.consortium.ingest(&site).await.unwrap();
    let (backup, back) = (stage.folder.path().join("backup"), stage.folder.path().join("back"));
    let out = text(&backup).unwrap();
    stage
        .consortium
        .node(&site, &["backup", "--without-keys", "--out", out])
        .await
        .unwrap();
    assert!(!backup.join("home/keys").exists());
    let node = &stage.consortium.programs.node;
    let no = async |home: &Path, words: &[&str], code: u8, why: &str| {
        let output = run(node, home, words).await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(i32::from(code)), "{words:?}: {said}");
        assert!(said.contains(why), "{words:?}: {said}");
    };
    no(&back, &["restore", out], exit::REFUSED, "--keys").await;
    assert!(!back.exists());
    let keys = site.home.join("keys");
    let with_keys = ["restore", out, "--keys", text(&keys).unwrap()];
    no(&site.home, &with_keys, exit::FAULT, "not empty").await;
    // A slip of the hand, and the keys of somebody else.
    let typo = stage.folder.path().join("typo");
    no(
        &back,
        &["restore", out, "--keys", text(&typo).unwrap()],
        exit::REFUSED,
        "holds no site.secret",
    )
    .await;
    let strange = stage.folder.path().join("strange");
    fs::create_dir(&strange).unwrap();
    fs::copy(keys.join("site.secret"), strange.join("site.secret")).unwrap();
    fs::copy(
        stage.consortium.aggregator_home().join("ledger.key.pem"),
        strange.join("ledger.pem"),
    )
    .unwrap();
    no(
        &back,
        &["restore", out, "--keys", text(&strange).unwrap()],
        exit::REFUSED,
        "another ledger",
    )
    .await;
    assert!(!back.exists());
    // Of the aggregator, for the node.
    let other = stage.folder.path().join("other");
    stage
        .consortium
        .aggregator(&["backup", "--out", text(&other).unwrap()])
        .await
        .unwrap();
    no(
        &back,
        &["restore", text(&other).unwrap()],
        exit::REFUSED,
        "not of a node",
    )
    .await;
    // A ledger of somebody else.
    let foreign = stage.consortium.aggregator_home().join("ledger");
    let foreign = [with_keys.as_slice(), &["--ledger", text(&foreign).unwrap()]].concat();
    no(&back, &foreign, exit::REFUSED, "does not go on").await;

    // One byte of one picture; the manifest is of a later version; there is none.
    let pack = backup.join("home/store/packs/000001.pack");
    let mut bytes = fs::read(&pack).unwrap();
    bytes[100] ^= 1;
    fs::write(&pack, &bytes).unwrap();
    no(&back, &with_keys, exit::REFUSED, "000001.pack").await;
    assert!(!back.exists());
    bytes[100] ^= 1;
    fs::write(&pack, &bytes).unwrap();
    let manifest = fs::read_to_string(backup.join("manifest.json")).unwrap();
    let tables = manifest
        .split("\"tables\":")
        .nth(1)
        .unwrap()
        .split([',', '}'])
        .next()
        .unwrap();
    let later = manifest.replace(&format!("\"tables\":{tables}"), "\"tables\":99");
    fs::write(backup.join("manifest.json"), later).unwrap();
    no(&back, &with_keys, exit::REFUSED, "install that version").await;
    fs::remove_file(backup.join("manifest.json")).unwrap();
    no(&back, &with_keys, exit::REFUSED, "no whole backup").await;
    assert!(!back.exists());

    fs::write(backup.join("manifest.json"), manifest).unwrap();
    let restored = run(node, &back, &with_keys).await.unwrap();
    assert!(
        restored.status.success(),
        "{}",
        String::from_utf8_lossy(&restored.stderr)
    );
    let doctor = run(node, &back, &["doctor", "--store", "--offline"]).await.unwrap();
    let doctor = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(
        doctor.contains("\"N107\",\"check\":\"store\",\"state\":\"good\""),
        "{doctor}"
    );
    stage.aggregator.take().unwrap().end().await.unwrap();
}

/// Neither folders nor files of a backup are open to others.
fn is_private(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(
        fs::metadata(folder).unwrap().permissions().mode() & 0o077,
        0,
        "{}",
        folder.display()
    );
}

/// After a rollback: what a newer program made of a home is for that program.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_program_leaves_a_newer_home_as_it_is_and_says_what_to_do() {
    let mut stage = Stage::set(1, 1, 20).await;
    let site = stage.consortium.sites[0].clone();
    stage.consortium.make_node(&site, 1).await.unwrap();
    stage.consortium.ingest(&site).await.unwrap();
    stage.aggregator.take().unwrap().end().await.unwrap();
    let store = site.home.join("store/store.sqlite");
    let registry = stage.consortium.aggregator_home().join("registry.sqlite");
    for (database, change) in [
        (&store, "PRAGMA user_version = 99"),
        (&registry, "INSERT INTO migrations (version) VALUES (99)"),
    ] {
        rusqlite::Connection::open(database)
            .unwrap()
            .execute_batch(change)
            .unwrap();
    }
    let programs = &stage.consortium.programs;
    let out = stage.folder.path().join("backup");
    let backup = ["backup", "--out", text(&out).unwrap()];
    for (program, home, database, words) in [
        (&programs.node, &site.home, &store, &["census"][..]),
        (
            &programs.node,
            &site.home,
            &store,
            &["ingest", text(&site.dicom).unwrap()],
        ),
        (&programs.node, &site.home, &store, &backup),
        (
            &programs.aggregator,
            &stage.consortium.aggregator_home(),
            &registry,
            &["sites"],
        ),
        (
            &programs.aggregator,
            &stage.consortium.aggregator_home(),
            &registry,
            &["serve", "--listen", "127.0.0.1:0"],
        ),
        (
            &programs.aggregator,
            &stage.consortium.aggregator_home(),
            &registry,
            &backup,
        ),
    ] {
        let before = fs::read(database).unwrap();
        let output = run(program, home, words).await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // A unit is not started again on it.
        assert_eq!(
            output.status.code(),
            Some(i32::from(exit::REFUSED)),
            "{words:?}: {said}"
        );
        assert!(
            said.contains("newer program") && said.contains("install that version again"),
            "{words:?}: {said}"
        );
        assert!(
            fs::read(database).unwrap() == before,
            "{words:?} changed {}",
            database.display()
        );
        assert!(!out.join("manifest.json").exists());
        let _ = fs::remove_dir_all(&out);
    }
}
