//! A hospital whose machine stands still while its round closes: what it trained counts in a later round, for less, and receipts,
//! ledgers and documents all say so.

use std::time::Duration;

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use snowball_protocol::plan::{Late, Span};

use crate::{
    audit::both_auditors_find_nothing,
    stage::{Stage, ended},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_that_was_late_for_its_round_counts_in_a_later_one() {
    let mut stage = Stage::set_with(2, 6, 60, 0.0, |plan| {
        plan.local.steps = 8;
        plan.rounds.updates = Span { min: 1, max: 2 };
        plan.rounds.collect_seconds = Span { min: 0, max: 3 };
        plan.rounds.late = Late::Fold { rounds: 4 };
    })
    .await;
    stage.settle().await;
    stage.start_study().await;
    let mut nodes = stage.run_nodes();
    let slow = stage.consortium.sites[1].name.to_string();
    let begins = async {
        while let Some(said) = stage.heard.recv().await {
            if said.who == slow && said.what["event"] == "training" {
                return said.what["round"].as_u64().unwrap();
            }
        }
        panic!("nobody trains");
    };
    let round = tokio::time::timeout(Duration::from_secs(90), begins).await.unwrap();
    let process = Pid::from_raw(i32::try_from(nodes[1].id().unwrap()).unwrap());
    kill(process, Signal::SIGSTOP).unwrap();
    stage
        .wait("the next round", |status| status["round"].as_u64() > Some(round))
        .await;
    kill(process, Signal::SIGCONT).unwrap();

    let status = stage.wait_for_review().await;
    stage.release().await;
    ended(&mut nodes).await;
    let rounds = status["rounds"].as_array().unwrap();
    let parts = rounds.iter().flat_map(|round| {
        let number = &round["round"];
        round["contributions"]
            .as_array()
            .unwrap()
            .iter()
            .map(move |part| (number, part))
    });
    let late: Vec<(&Value, &Value)> = parts.filter(|(_, part)| part["behind"].as_u64() > Some(0)).collect();
    assert_eq!(late.len(), 1, "{status}");
    let (counted, part) = late[0];
    assert_eq!(part["site"], slow.as_str());
    assert_eq!(
        counted.as_u64().unwrap() - part["behind"].as_u64().unwrap(),
        round,
        "{part}"
    );

    let site = &stage.consortium.sites[1];
    let list = stage.consortium.node(site, &["receipts", "list"]).await.unwrap();
    let kept = list.as_array().unwrap();
    let kept = kept.iter().find(|kept| kept["receipt"]["receipt"]["round"] == *counted);
    let kept = kept.expect("the site holds its receipt");
    assert_eq!(kept["receipt"]["receipt"]["behind"], part["behind"]);
    assert!(
        kept["own"]["trained_on"].as_u64() > Some(0) && kept["outcome"].is_object(),
        "{kept}"
    );
    stage.consortium.node(site, &["receipts", "verify"]).await.unwrap();
    both_auditors_find_nothing(&stage).await;
}
