//! The life of a policy at a site: it comes into force once, is followed by a newer one that names it, and never comes back unseen;
//! its hours open and close what the node does.

use std::path::{Path, PathBuf};

use serde_json::Value;
use snowball_tests::{PolicyWish, Site, run};

use crate::stage::{Stage, ended};

/// The board's files for a site.
fn board(stage: &Stage, site: &Site) -> PathBuf {
    stage.consortium.root.join("boards").join(site.name.as_str())
}

/// Runs a command of the node; gives exit code and words.
async fn ask(stage: &Stage, site: &Site, words: &[&str]) -> (Option<i32>, String) {
    let output = run(&stage.consortium.programs.node, &site.home, words).await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

/// Signs the text as a site's board with the key `key` and has it installed.
async fn install(stage: &Stage, site: &Site, text: &str, key: &Path, more: &[&str]) -> (Option<i32>, String) {
    let file = stage.folder.path().join("offered.toml");
    std::fs::write(&file, text).unwrap();
    let (file, key) = (file.to_str().unwrap(), key.to_str().unwrap());
    stage
        .consortium
        .node(site, &["policy", "sign", "--key", key, file])
        .await
        .unwrap();
    ask(stage, site, &[&["policy", "install", file], more].concat()).await
}

async fn kinds(stage: &Stage, site: &Site) -> Value {
    stage.consortium.node(site, &["ledger", "verify"]).await.unwrap()["kinds"].take()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_policy_never_comes_back_unseen_and_every_version_is_kept() {
    let stage = Stage::set(1, 1, 1).await;
    let site = &stage.consortium.sites[0];
    stage.consortium.make_node(site, 1).await.unwrap();
    let wish = PolicyWish::default();
    stage.consortium.install_policy(site, &stage.plan, &wish).await.unwrap();
    let key = board(&stage, site).join("ethics.pem");
    let first = std::fs::read_to_string(site.home.join("policy/policy.toml")).unwrap();
    stage.consortium.install_policy(site, &stage.plan, &wish).await.unwrap();
    let second = std::fs::read_to_string(site.home.join("policy/policy.toml")).unwrap();
    assert!(second.contains("version = 2\nsupersedes = \"sha256:"), "{second}");

    // The older one, the same version with another content, and one that names another before it.
    let widened = second.replace("training_patients_min = 5", "training_patients_min = 1");
    let skipped = second.replace("version = 2\n", "version = 9\n");
    for (text, words) in [
        (&first, "version 2 is installed and this is version 1"),
        (&widened, "version 2 is installed and this is version 2"),
        (&skipped, "takes the place of sha256:"),
    ] {
        let (code, said) = install(&stage, site, text, &key, &[]).await;
        assert_eq!(code, Some(3), "{said}");
        assert!(said.contains(words), "{words}: {said}");
        assert_eq!(
            std::fs::read_to_string(site.home.join("policy/policy.toml")).unwrap(),
            second
        );
    }
    // Nor where somebody removed the file meanwhile: the ledger remembers.
    std::fs::remove_file(site.home.join("policy/policy.toml")).unwrap();
    let (code, said) = install(&stage, site, &first, &key, &[]).await;
    assert_eq!(code, Some(3), "{said}");
    let (code, said) = install(&stage, site, &first, &key, &["--force-reason", "a drill"]).await;
    assert_eq!(code, Some(0), "{said}");
    let counts = kinds(&stage, site).await;
    assert_eq!(
        (
            &counts["policy_installed"],
            &counts["policy_superseded"],
            &counts["ethics_key_pinned"]
        ),
        (&3.into(), &2.into(), &1.into()),
        "{counts}"
    );
    let (_, shown) = ask(&stage, site, &["ledger", "show"]).await;
    assert!(shown.contains(r#""forced_reason":"a drill""#), "{shown}");
    let kept = std::fs::read_dir(site.home.join("policy/history")).unwrap().count();
    assert_eq!(kept, 6, "two policies, each with its signature and key");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_ethics_key_takes_a_command_of_its_own() {
    let stage = Stage::set(1, 1, 1).await;
    let site = &stage.consortium.sites[0];
    stage.consortium.make_node(site, 1).await.unwrap();
    stage
        .consortium
        .install_policy(site, &stage.plan, &PolicyWish::default())
        .await
        .unwrap();
    let policy = std::fs::read_to_string(site.home.join("policy/policy.toml")).unwrap();
    let (key, public) = (
        stage.folder.path().join("other.pem"),
        stage.folder.path().join("other.pub"),
    );
    stage
        .consortium
        .node(site, &["policy", "key", "--out", key.to_str().unwrap()])
        .await
        .unwrap();
    let public = public.to_str().unwrap();
    let (code, said) = install(&stage, site, &policy, &key, &["--ethics-key", public]).await;
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("replace-key"), "{said}");
    let (code, said) = ask(
        &stage,
        site,
        &["policy", "replace-key", public, "--reason", "a new board"],
    )
    .await;
    assert_eq!(code, Some(0), "{said}");
    // What the key before signed is void from that moment.
    let (code, said) = ask(&stage, site, &["policy", "check", "--language", "fr"]).await;
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("la clé éthique de ce site est"), "{said}");
    let (code, said) = install(&stage, site, &policy, &key, &[]).await;
    assert_eq!(code, Some(0), "{said}");
    let (_, shown) = ask(&stage, site, &["ledger", "show"]).await;
    assert!(
        shown.contains("ethics_key_replaced") && shown.contains(r#""reason":"a new board""#),
        "{shown}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_waits_for_its_hours_and_the_study_gets_its_update_then() {
    let mut stage = Stage::set(2, 1, 60).await;
    stage.settle().await;
    let site = &stage.consortium.sites[0];
    let closed = PolicyWish {
        training_hours: "",
        ..PolicyWish::default()
    };
    stage
        .consortium
        .install_policy(site, &stage.plan, &closed)
        .await
        .unwrap();
    stage.start_study().await;
    let mut nodes = stage.run_nodes();
    let waiting = site.name.to_string();
    loop {
        let said = stage.heard.recv().await.expect("a node that waits says so");
        if said.who == waiting && said.what["event"] == "waiting" {
            break;
        }
    }
    let counts = kinds(&stage, site).await;
    assert_eq!(counts["study_joined"], 1, "a study is joined at any hour");
    assert!(
        counts.get("training_finished").is_none() && counts.get("update_approved").is_none(),
        "{counts}"
    );
    // A node that waits does not ask the policy again and again.
    assert_eq!(counts["decision_made"], 1, "{counts}");
    stage
        .consortium
        .install_policy(site, &stage.plan, &PolicyWish::default())
        .await
        .unwrap();
    stage.wait_for_review().await;
    assert_eq!(kinds(&stage, site).await["update_approved"], 1);
    stage.release().await;
    ended(&mut nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_study_that_the_budget_of_all_rounds_would_not_carry_is_declined() {
    let stage = Stage::set(1, 3, 60).await;
    stage.settle().await;
    let site = &stage.consortium.sites[0];
    let small = PolicyWish {
        rounds_all_studies_max: 2,
        ..PolicyWish::default()
    };
    stage
        .consortium
        .install_policy(site, &stage.plan, &small)
        .await
        .unwrap();
    stage.start_study().await;
    let node = stage.consortium.run_node(site, "story", &stage.hear).unwrap();
    let status = stage
        .wait("the refusal", |status| status["sites"][0]["state"] == "declined")
        .await;
    assert_eq!(status["sites"][0]["clause"], "limits.rounds_all_studies_max");
    drop(node);
    assert!(kinds(&stage, site).await.get("study_joined").is_none());
}
