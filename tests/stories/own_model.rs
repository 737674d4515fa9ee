//! What a site has from taking part: each trains the model that its radiographs alone make beside the shared one, through a power
//! cut, and the release's card, the report and the status say where the shared one is better and where it is not.

use std::time::Duration;

use serde_json::Value;
use snowball_ledger::Entry;
use snowball_protocol::{Sha256Digest, plan::Sent};
use snowball_tests::PolicyWish;

use crate::{
    audit::both_auditors_find_nothing,
    stage::{Stage, ended},
};

const ROUNDS: u32 = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_site_sees_the_shared_model_beside_the_one_of_its_own() {
    let mut stage = Stage::set_with(2, ROUNDS, 160, 0.0, |plan| {
        plan.local.steps = 20;
        plan.comparison.own_model = true;
        plan.send.push(Sent::DetailedMetrics);
    })
    .await;
    // The first site's board lets detailed metrics leave, the second's does not.
    let wish = |place| {
        let mut wish = PolicyWish::default();
        if place == 0 {
            wish.release.push("detailed_metrics");
        }
        wish
    };
    stage.settle_under(wish).await;
    stage.start_study().await;
    let mut nodes = stage.run_nodes();
    let first = stage.consortium.sites[0].clone();
    let trained = async {
        while let Some(said) = stage.heard.recv().await {
            if said.who == first.name.as_str() && said.what["event"] == "own_model_trained" {
                return;
            }
        }
        panic!("no own model is trained");
    };
    tokio::time::timeout(Duration::from_secs(90), trained).await.unwrap();
    nodes.remove(0).kill().await.unwrap();
    nodes.push(stage.consortium.run_node(&first, "story", &stage.hear).unwrap());
    let status = stage.wait_for_review().await;
    let release = stage.release().await;
    ended(&mut nodes).await;

    let gains = status["final"]["gains"].as_array().unwrap();
    for site in &stage.consortium.sites {
        let name = site.name.as_str();
        let of_site: Vec<&Value> = gains.iter().filter(|gain| gain["site"] == name).collect();
        assert!(!of_site.is_empty(), "{status}");
        for gain in of_site {
            let told = |field: &str| gain[field].as_f64().unwrap();
            let sign = if gain["measure"] == "balanced_accuracy" {
                1.0
            } else {
                -1.0
            };
            assert!(
                (told("gain") - sign * (told("shared") - told("own"))).abs() < 1e-9,
                "{gain}"
            );
            assert!(gain["interval"].is_array(), "{gain}");
        }
        // The own model stays, is whole, and is the one that the ledger names.
        let model = std::fs::read(site.home.join(format!("models/story-own-{ROUNDS}.f32"))).unwrap();
        let records = snowball_ledger::read(&site.home.join("ledger")).unwrap();
        let named: Vec<(u32, Sha256Digest)> = records
            .iter()
            .filter_map(|record| match &record.entry {
                Entry::OwnModelTrained { rounds, model, .. } => Some((*rounds, *model)),
                _ => None,
            })
            .collect();
        let rounds: Vec<u32> = named.iter().map(|(rounds, _)| *rounds).collect();
        assert_eq!(rounds, [1, 2, 3], "a round that was whole is not trained again");
        assert_eq!(named[2].1, Sha256Digest::of(&model));
    }
    let card = std::fs::read_to_string(release.join("model-card.md")).unwrap();
    assert!(
        card.contains("## Gain and harm at each site") && card.contains("Least well off for"),
        "{card}"
    );
    patients_are_ranked_where_the_board_permits_it(&stage, &status, &card);
    let page = stage.folder.path().join("report.html");
    let words = ["report", "--out", page.to_str().unwrap()];
    stage.consortium.aggregator(&words).await.unwrap();
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("kappa (95 %)"), "how patients are ranked is there");
    assert!(
        page.contains("<polyline") && page.contains("<circle"),
        "the plots are there"
    );
    both_auditors_find_nothing(&stage).await;
}

/// Of the final model and of each round's: the first site's AUROC with its interval, kappa and Brier score; nothing of the second's.
fn patients_are_ranked_where_the_board_permits_it(stage: &Stage, status: &Value, card: &str) {
    let sites: Vec<&str> = stage.consortium.sites.iter().map(|site| site.name.as_str()).collect();
    let told = |metrics: &Value| metrics["heads"][0]["discrimination"].clone();
    let of_site = |name: &str| {
        let finals = status["final"]["sites"].as_array().unwrap();
        let of_site = finals.iter().find(|site| site["site"] == name);
        told(&of_site.unwrap_or_else(|| panic!("no evaluation of {name}: {status}"))["metrics"])
    };
    let first = of_site(sites[0]);
    let auroc = |end: &str| {
        first["auroc"][end]
            .as_f64()
            .unwrap_or_else(|| panic!("{end} of {first}"))
    };
    assert!(
        0.0 <= auroc("low") && auroc("low") < auroc("value") && auroc("value") <= auroc("high") && auroc("high") <= 1.0,
        "{first}"
    );
    assert!(
        auroc("value") > 0.6,
        "three rounds have taught the network something: {first}"
    );
    assert!(
        (-1.0..=1.0).contains(&first["kappa"]["value"].as_f64().unwrap()),
        "{first}"
    );
    assert!((0.0..=2.0).contains(&first["brier"].as_f64().unwrap()), "{first}");
    assert_eq!(of_site(sites[1]), Value::Null);
    assert_eq!(
        told(&status["final"]["pooled"]),
        first,
        "over all sites is over those that tell"
    );
    for round in status["rounds"].as_array().unwrap() {
        assert!(told(&round["metrics"])["auroc"]["low"].is_number(), "{round}");
    }
    assert!(card.contains("| AUROC | kappa | Brier score |"), "{card}");
    for (place, site) in stage.consortium.sites.iter().enumerate() {
        let records = snowball_ledger::read(&site.home.join("ledger")).unwrap();
        let decided: Vec<bool> = records
            .iter()
            .filter_map(|record| match &record.entry {
                Entry::DecisionMade { action, permitted, .. } if action == "send detailed metrics" => Some(*permitted),
                _ => None,
            })
            .collect();
        // One a round, one at the end; a kill may ask once more.
        assert!(decided.len() > ROUNDS as usize, "{decided:?}");
        assert!(
            decided.iter().all(|permitted| *permitted == (place == 0)),
            "{decided:?}"
        );
    }
}
