//! Both sides' reports after a whole study: what they tell is what the ledgers tell, in both languages, and nobody is named.

use std::path::Path;

use aho_corasick::AhoCorasick;
use snowball_ledger::Entry;
use snowball_phantoms::{planted_identifiers, read_truth};
use snowball_web::{fault, numbers};

use crate::stage::{Stage, ended};

/// Bytes of updates and of requests, by a ledger's own entries.
fn left(ledger: &Path) -> (u64, u64) {
    let (mut updates, mut requests) = (0, 0);
    for record in snowball_ledger::read(ledger).unwrap() {
        match record.entry {
            Entry::UpdateApproved { bytes, .. } => updates += bytes,
            Entry::DisclosureSent { bytes, .. } => requests += bytes,
            _ => {}
        }
    }
    (updates, requests)
}

/// What was planted in the headers of all hospitals' files.
fn planted(stage: &Stage) -> AhoCorasick {
    let truths = stage
        .hospitals
        .iter()
        .map(|hospital| read_truth(&hospital.truth).unwrap());
    let mut values: Vec<String> = truths.flat_map(|truth| planted_identifiers(&truth)).collect();
    // Shorter ones stand in digests by chance.
    values.retain(|value| value.trim().len() >= 6);
    assert!(values.len() > 100);
    AhoCorasick::new(values.iter().map(|value| value.trim())).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_reports_tell_what_the_ledgers_tell_and_name_nobody() {
    let stage = Stage::set(2, 2, 60).await;
    stage.settle().await;
    stage.start_study().await;
    let mut nodes = stage.run_nodes();
    stage.wait_for_review().await;
    stage.release().await;
    ended(&mut nodes).await;

    let planted = planted(&stage);
    let page = |name: &str| stage.folder.path().join(name).to_str().unwrap().to_owned();
    for language in ["en", "fr"] {
        for site in &stage.consortium.sites {
            let out = page(&format!("{}-{language}.html", site.name));
            let words = ["report", "audit", "--out", &out, "--language", language];
            let told = stage.consortium.node(site, &words).await.unwrap();
            let html = std::fs::read_to_string(&out).unwrap();
            assert_eq!(fault(&html), None);
            assert!(html.contains(&format!("<html lang=\"{language}\">")));
            let (updates, requests) = left(&site.home.join("ledger"));
            let shown = numbers(&html);
            assert!(updates > 0 && requests > 0);
            for sum in [updates, requests, updates + requests] {
                assert!(shown.contains(&sum), "{sum} of {}", site.name);
            }
            let rounds = told["history"]["studies"]["story"]["rounds"].as_object().unwrap();
            assert_eq!(rounds.len(), 2, "{told}");
            assert!(
                rounds
                    .values()
                    .all(|round| round["receipt"]["is_signed"] == true && round["receipt"]["is_of_update"] == true),
                "{rounds:?}"
            );
            assert!(!planted.is_match(&html), "a page names somebody");
            assert!(!planted.is_match(&told.to_string()), "an answer names somebody");
        }
        let out = page(&format!("consortium-{language}.html"));
        let words = ["report", "--out", &out, "--language", language];
        let told = stage.consortium.aggregator(&words).await.unwrap();
        let html = std::fs::read_to_string(&out).unwrap();
        assert_eq!(fault(&html), None);
        assert_eq!(told["ledger"]["fault"], serde_json::Value::Null);
        assert_eq!(
            told["studies"][0]["records"].as_array().map(Vec::len),
            Some(2),
            "{told}"
        );
        let agreeing = if language == "en" { "agrees" } else { "concorde" };
        assert_eq!(html.matches(&format!(">{agreeing}</span>")).count(), 2);
        assert!(!planted.is_match(&html), "a page names somebody");
    }
}
