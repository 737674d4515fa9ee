//! The policy stops training and sending: missing, empty, unsigned, altered, expired, of another stage, each in its own words.

use snowball_tests::{PolicyWish, run};

use crate::stage::Stage;

/// Trains locally with whatever policy is installed; gives exit code and words.
async fn try_training(stage: &Stage) -> (Option<i32>, String) {
    let site = &stage.consortium.sites[0];
    let plan = stage.consortium.plan_file();
    let arguments = ["pretrain", "--local", "--plan", plan.to_str().unwrap(), "--steps", "2"];
    let output = run(&stage.consortium.programs.node, &site.home, &arguments)
        .await
        .unwrap();
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_sound_policy_nothing_is_trained_and_each_fault_has_its_words() {
    let stage = Stage::set(1, 1, 60).await;
    let site = &stage.consortium.sites[0];
    stage.consortium.make_node(site, 1).await.unwrap();
    stage.consortium.ingest(site).await.unwrap();
    let (code, said) = try_training(&stage).await;
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("no policy is installed"), "{said}");

    stage
        .consortium
        .install_policy(site, &stage.plan, &PolicyWish::default())
        .await
        .unwrap();
    let (code, said) = try_training(&stage).await;
    assert_eq!(code, Some(0), "a sound policy permits it: {said}");

    let policy = site.home.join("policy/policy.toml");
    let signature = site.home.join("policy/policy.toml.sig");
    let (text, signed) = (
        std::fs::read_to_string(&policy).unwrap(),
        std::fs::read_to_string(&signature).unwrap(),
    );
    let cases: [(&str, Option<String>, Option<String>); 4] = [
        ("the policy file is empty", Some(String::new()), Some(signed.clone())),
        ("the policy is not signed", Some(text.clone()), None),
        (
            "altered after it was signed",
            Some(text.replace("per_study_max = 1\n", "per_study_max = 9\n")),
            Some(signed.clone()),
        ),
        ("no policy is installed", None, Some(signed.clone())),
    ];
    for (words, content, seal) in cases {
        for (path, value) in [(&policy, &content), (&signature, &seal)] {
            match value {
                Some(value) => std::fs::write(path, value).unwrap(),
                None => std::fs::remove_file(path).unwrap(),
            }
        }
        let (code, said) = try_training(&stage).await;
        assert_eq!(code, Some(3), "{words}: {said}");
        assert!(said.contains(words), "{words}: {said}");
    }

    std::fs::remove_file(&policy).ok();
    let expired = PolicyWish {
        begins_days: -20,
        ends_days: -10,
        ..PolicyWish::default()
    };
    stage
        .consortium
        .install_policy(site, &stage.plan, &expired)
        .await
        .unwrap();
    let (code, said) = try_training(&stage).await;
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("approvals.expires_on"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_local_policy_declines_the_study_and_nothing_leaves_but_the_clause() {
    let stage = Stage::set(2, 1, 60).await;
    stage.settle().await;
    let site = &stage.consortium.sites[0];
    let local = PolicyWish {
        stage: "local",
        release: vec![],
        ..PolicyWish::default()
    };
    stage
        .consortium
        .install_policy(site, &stage.plan, &local)
        .await
        .unwrap();
    stage.start_study().await;
    let node = stage.consortium.run_node(site, "story", &stage.hear).unwrap();
    let status = stage
        .wait("the refusal", |status| {
            status["sites"]
                .as_array()
                .is_some_and(|sites| sites.iter().any(|site| site["state"] == "declined"))
        })
        .await;
    let declined = status["sites"]
        .as_array()
        .unwrap()
        .iter()
        .find(|site| site["state"] == "declined")
        .unwrap();
    assert_eq!(declined["clause"], "approvals.stage");
    drop(node);
    let verified = stage.consortium.node(site, &["ledger", "verify"]).await.unwrap();
    assert_eq!(verified["kinds"]["study_declined"], 1);
    assert!(verified["kinds"].get("update_approved").is_none());
    assert!(verified["kinds"].get("study_joined").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_withdrawn_in_mid_study_stops_the_next_update() {
    let stage = Stage::set_with(2, 50, 60, 0.0, |plan| plan.local.steps = 2).await;
    stage.settle().await;
    stage.start_study().await;
    let nodes = stage.run_nodes();
    stage
        .wait("two rounds", |status| {
            status["rounds"].as_array().is_some_and(|rounds| rounds.len() >= 2)
        })
        .await;
    let site = &stage.consortium.sites[0];
    std::fs::remove_file(site.home.join("policy/policy.toml")).unwrap();
    let before = approved(&stage).await;
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    let after = approved(&stage).await;
    assert!(
        after <= before + 1,
        "at most the update that was under way: {before}, then {after}"
    );
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(approved(&stage).await, after, "nothing leaves any more");
    drop(nodes);
}

/// Updates that the first site's ledger approved.
async fn approved(stage: &Stage) -> usize {
    let ledger = stage.consortium.sites[0].home.join("ledger/ledger.jsonl");
    let text = std::fs::read_to_string(ledger).unwrap();
    text.lines()
        .filter(|line| line.contains("\"entry\":\"update_approved\""))
        .count()
}
