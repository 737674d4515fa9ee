//! Evidence that parties export at different moments of one round: what nobody can hold yet is no finding, everything else is.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::json;
use snowball_tests::Site;

use super::{evidence::Evidence, insider, second_opinion, write_keys};
use crate::{
    renewal::said_by,
    stage::{Stage, ended},
};

const AGGREGATOR: &str = super::evidence::AGGREGATOR;

/// The evidence of one party, or of the aggregator, as it stands now.
async fn export(stage: &Stage, site: Option<&Site>, to: &Path) -> PathBuf {
    let words = ["audit", "export", to.to_str().unwrap()];
    match site {
        Some(site) => stage.consortium.node(site, &words).await.unwrap(),
        None => stage.consortium.aggregator(&words).await.unwrap(),
    };
    to.to_owned()
}

/// A copy of some parties' folders in the hands of whoever holds all keys.
fn copy(stage: &Stage, folders: [(&str, &Path); 3], to: &Path) -> Evidence {
    if to.exists() {
        fs::remove_dir_all(to).unwrap();
    }
    for (party, folder) in folders {
        for (path, content) in super::evidence::files(folder) {
            let target = to.join(party).join(path);
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::write(target, content).unwrap();
        }
    }
    let sites = stage.consortium.sites.iter().map(|site| site.name.to_string());
    Evidence::new(to.to_owned(), sites.collect(), insider(stage))
}

/// What both auditors say: the open rounds, and how much was not judged. Both must report what is `wanted`, or nothing at all.
async fn verdicts(evidence: &Evidence, keys: &Path, wanted: &[&str]) -> (Vec<u32>, u64) {
    let outcome = evidence.verify(keys);
    let codes: BTreeSet<&str> = outcome.findings.iter().map(|finding| finding.code.code()).collect();
    assert!(outcome.sound == wanted.is_empty(), "{outcome:#?}");
    assert!(
        wanted.iter().all(|code| codes.contains(code)),
        "{wanted:?} in {outcome:#?}"
    );
    match second_opinion(&evidence.folders(), keys).await {
        Some((sound, said)) => {
            assert_eq!(sound, wanted.is_empty(), "{said:?}");
            assert!(wanted.iter().all(|code| said.contains(*code)), "{wanted:?} in {said:?}");
        }
        None => eprintln!("skipped the second auditor: there is no python3"),
    }
    let open = outcome.open.iter().map(|open| open.round.0).collect();
    (open, outcome.not_judged)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evidence_of_one_open_round_is_judged_but_for_what_one_side_alone_can_hold() {
    let mut stage = Stage::set_with(2, 3, 40, 0.0, |plan| plan.local.steps = 250).await;
    stage.settle().await;
    stage.start_study().await;
    let keys = write_keys(&stage);
    let [north, south] = [0, 1].map(|place| stage.consortium.sites[place].clone());
    let mut nodes = stage.run_nodes();
    stage
        .wait("the first round's end", |status| {
            status["rounds"].as_array().is_some_and(|rounds| !rounds.is_empty())
        })
        .await;
    // Before either has sent for the second round.
    for node in nodes.drain(..) {
        node.kill().await.unwrap();
    }
    let folder = |name: &str| stage.folder.path().join(name);
    let before = [
        export(&stage, None, &folder("aggregator-before")).await,
        export(&stage, Some(&north), &folder("north-before")).await,
    ];
    let south_folder = export(&stage, Some(&south), &folder("south")).await;
    let node = stage.consortium.run_node(&north, "story", &stage.hear).unwrap();
    // Of the first round it said so, too.
    while said_by(&mut stage, &north, "contributed").await["round"] != 2 {}
    node.kill().await.unwrap();
    let folder = |name: &str| stage.folder.path().join(name);
    let after = [
        export(&stage, None, &folder("aggregator-after")).await,
        export(&stage, Some(&north), &folder("north-after")).await,
    ];

    let (names, to) = ([north.name.to_string(), south.name.to_string()], folder("copy"));
    let shown = |aggregator: &Path, north: &Path| {
        let folders = [
            (AGGREGATOR, aggregator),
            (&*names[0], north),
            (&*names[1], &*south_folder),
        ];
        copy(&stage, folders, &to)
    };
    for (aggregator, north) in [
        (&before[0], &before[1]),
        (&after[0], &before[1]),
        (&before[0], &after[1]),
        (&after[0], &after[1]),
    ] {
        let (open, not_judged) = verdicts(&shown(aggregator, north), &keys, &[]).await;
        let moments = format!("{} and {}", aggregator.display(), north.display());
        assert_eq!(open, [2], "{moments}");
        let differ = aggregator.ends_with("aggregator-before") != north.ends_with("north-before");
        assert_eq!(not_judged > 0, differ, "{moments}: {not_judged}");
    }

    // A cut into the round before is found, though a round is open.
    let evidence = shown(&after[0], &before[1]);
    evidence.rewrite(&names[0], |records| {
        let place = records
            .iter()
            .position(|record| record["entry"]["entry"] == "update_approved")
            .unwrap();
        records.truncate(place);
    });
    verdicts(&evidence, &keys, &["head_unknown", "update_not_approved"]).await;

    // So is an aggregator that cuts its ledger back into a round that the sites have seen the end of.
    let evidence = shown(&after[0], &after[1]);
    evidence.rewrite(AGGREGATOR, |records| {
        let is_end = |record: &serde_json::Value| record["entry"]["entry"] == "round_finished";
        let place = records.iter().position(is_end).unwrap();
        records.truncate(place);
    });
    verdicts(&evidence, &keys, &["receipt_contradicts", "round_undocumented"]).await;

    // An update of the open round that the site's ledger would hold by its number, and does not.
    let evidence = shown(&after[0], &after[1]);
    evidence.collude(|history| {
        let round = |entry: &serde_json::Value| entry["round"] == 2;
        history.remove(&names[0], "receipt_kept", |entry| {
            entry["receipt"]["receipt"]["round"] == 2
        });
        history.first(&names[0], "update_approved", round)["entry"]["update_digest"] =
            json!(snowball_protocol::Sha256Digest::of(b"another").to_string());
    });
    verdicts(&evidence, &keys, &["update_contradicts"]).await;

    // Closed, it is judged like any other: evidence from before its end is too old.
    let mut nodes = stage.run_nodes();
    stage.wait_for_review().await;
    stage.release().await;
    ended(&mut nodes).await;
    super::both_auditors_find_nothing(&stage).await;
    let late = export(&stage, None, &stage.folder.path().join("aggregator-late")).await;
    let (open, _) = verdicts(&shown(&late, &after[1]), &keys, &["head_unknown"]).await;
    assert!(open.is_empty(), "{open:?}");
}
