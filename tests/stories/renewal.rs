//! A certificate's life: renewed while its node trains and sends, taken up without a restart, whole after a crash at any point.

use std::{fs, time::Duration};

use snowball_service::tls::PeerCertificate;
use snowball_tests::Site;

use crate::stage::{Stage, ended};

const ROUNDS: u32 = 4;

pub fn certificate(site: &Site) -> PeerCertificate {
    PeerCertificate::read_pem(&fs::read_to_string(site.home.join("certs/node.pem")).unwrap()).unwrap()
}

/// Waits until the site's running node says `event`.
pub async fn said_by(stage: &mut Stage, site: &Site, event: &str) -> serde_json::Value {
    let wait = async {
        while let Some(said) = stage.heard.recv().await {
            if said.who == site.name.as_str() && said.what["event"] == event {
                return said.what;
            }
        }
        panic!("the node went away");
    };
    match tokio::time::timeout(Duration::from_secs(60), wait).await {
        Ok(said) => said,
        Err(_) => panic!("{} never said {event}\n{}", site.name, stage.logs()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_in_mid_study_costs_no_round() {
    let mut stage = Stage::set_with(2, ROUNDS, 40, 0.0, |plan| plan.local.steps = 150).await;
    stage.settle().await;
    stage.start_study().await;
    let mut nodes = stage.run_nodes();
    let north = stage.consortium.sites[0].clone();
    said_by(&mut stage, &north, "training").await;
    let before = certificate(&north);
    let renewed = stage.consortium.node(&north, &["renew"]).await.unwrap();
    assert_ne!(renewed["serial"], before.serial.as_str());
    assert_eq!(renewed["serial"], certificate(&north).serial.as_str());

    let taken_up = said_by(&mut stage, &north, "certificate_renewed").await;
    assert_eq!(taken_up["serial"], renewed["serial"]);

    let status = stage.wait_for_review().await;
    for round in status["rounds"].as_array().unwrap() {
        assert_eq!(round["contributions"].as_array().unwrap().len(), 2, "{round}");
    }
    stage.release().await;
    ended(&mut nodes).await;
    let verified = stage.consortium.node(&north, &["ledger", "verify"]).await.unwrap();
    assert_eq!(verified["kinds"]["certificate_received"], 2);
    stage.aggregator.take().unwrap().end().await.unwrap();
    stage.consortium.aggregator(&["ledger", "verify"]).await.unwrap();
    let ledger = stage.consortium.aggregator(&["ledger", "show"]).await.unwrap();
    let entries = ledger["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| &record["entry"]);
    let renewals: Vec<_> = entries
        .filter(|entry| entry["entry"] == "certificate_renewed")
        .collect();
    assert_eq!(renewals.len(), 1);
    assert_eq!(renewals[0]["previous_serial"], before.serial.as_str());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_in_the_middle_of_a_renewal_leaves_a_pair_that_fits() {
    let stage = Stage::set(1, 1, 8).await;
    let site = &stage.consortium.sites[0];
    stage.consortium.make_node(site, 1).await.unwrap();
    stage.consortium.enrol(site, &stage.hear).await.unwrap();
    let file = |name: &str| site.home.join(name);
    let read = |name: &str| fs::read(file(name)).unwrap();
    let old = (read("keys/tls.pem"), read("certs/node.pem"));
    stage.consortium.node(site, &["renew"]).await.unwrap();
    let new = (read("keys/tls.pem"), read("certs/node.pem"));
    let serial = certificate(site).serial;

    // As the disk may be found: (key in place, certificate in place, next key, next certificate).
    let crashes = [
        ("before the answer", &old.0, &old.1, Some(&new.0), None),
        ("after the answer", &old.0, &old.1, Some(&new.0), Some(&new.1)),
        ("between the two moves", &new.0, &old.1, None, Some(&new.1)),
    ];
    for (when, key, pem, next_key, next_pem) in crashes {
        fs::write(file("keys/tls.pem"), key).unwrap();
        fs::write(file("certs/node.pem"), pem).unwrap();
        for (name, content) in [("keys/tls.next.pem", next_key), ("certs/node.next.pem", next_pem)] {
            match content {
                Some(content) => snowball_service::files::write_private(&file(name), content).unwrap(),
                None => drop(fs::remove_file(file(name))),
            }
        }
        let renewed = stage.consortium.node(site, &["renew"]).await;
        assert!(renewed.is_ok(), "{when}: {:?}", renewed.err());
        assert!(
            !file("keys/tls.next.pem").exists() && !file("certs/node.next.pem").exists(),
            "{when}"
        );
        assert_ne!(certificate(site).serial, serial, "{when}");
    }

    // Valid certificates of a site have a number.
    let mut refused = None;
    for _ in 0..8 {
        if let Err(fault) = stage.consortium.node(site, &["renew"]).await {
            refused = Some(fault.to_string());
            break;
        }
    }
    assert!(refused.is_some_and(|words| words.contains("as many valid certificates")));
}
