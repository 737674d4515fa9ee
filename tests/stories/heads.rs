//! Both sides keep each other's signed heads: whose history is cut, put back or doubled is found offline by the other, and
//! refused where it shows itself.

use std::{path::Path, process::Command};

use snowball_tests::run;

use crate::stage::{Stage, ended};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_side_can_go_back_behind_what_the_other_keeps() {
    let mut stage = Stage::set(2, 1, 30).await;
    stage.settle().await;
    let north = stage.consortium.sites[0].clone();
    let south = stage.consortium.sites[1].clone();
    let (norths, theirs) = (
        north.home.join("ledger"),
        stage.consortium.aggregator_home().join("ledger"),
    );
    let old = stage.folder.path().join("old");
    std::fs::create_dir(&old).unwrap();
    copy(&norths, &old.join("north"));
    copy(&theirs, &old.join("aggregator"));
    stage.start_study().await;
    let mut nodes = stage.run_nodes();
    stage.wait_for_review().await;
    stage.release().await;
    ended(&mut nodes).await;
    stage.aggregator.take().unwrap().end().await.unwrap();

    let heads = ["ledger", "verify", "--heads", theirs.to_str().unwrap()];
    for site in [&north, &south] {
        let verified = stage.consortium.node(site, &heads).await.unwrap();
        // When it connected, before its update, and at the end of the study; the update's own record and its receipt.
        assert!(verified["heads_found"].as_u64() >= Some(4), "{verified}");
        assert_eq!(verified["heads_unseen"], 0);
    }
    let souths = south.home.join("ledger");
    let both = [
        "ledger",
        "verify",
        "--heads",
        norths.to_str().unwrap(),
        "--heads",
        souths.to_str().unwrap(),
    ];
    // Sites that ask in the same moment are shown the same head: six heads, of which three may be told twice.
    let verified = stage.consortium.aggregator(&both).await.unwrap();
    assert!(verified["heads_found"].as_u64() >= Some(3), "{verified}");
    assert_eq!(verified["heads_unseen"], 0);

    // North puts an older copy of its whole ledger back. Alone it verifies.
    copy(&norths, &old.join("north-now"));
    copy(&old.join("north"), &norths);
    stage.consortium.node(&north, &["ledger", "verify"]).await.unwrap();
    let program = &stage.consortium.programs.node;
    let output = run(program, &north.home, &heads).await.unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("tail_cut"));
    stage.aggregator = Some(stage.consortium.serve(stage.port, &stage.hear).await.unwrap());
    let output = run(program, &north.home, &["run", "--until-done", "story"])
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("a signed head of"), "{said}");
    copy(&old.join("north-now"), &norths);
    stage.aggregator.take().unwrap().end().await.unwrap();

    // The aggregator puts an older copy back; what its database still knows makes it another history.
    copy(&old.join("aggregator"), &theirs);
    stage.aggregator = Some(stage.consortium.serve(stage.port, &stage.hear).await.unwrap());
    let output = run(program, &north.home, &["run", "--until-done", "story"])
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && said.contains("contradicts the one kept before"),
        "{said}"
    );
    stage.aggregator.take().unwrap().end().await.unwrap();
    stage.consortium.aggregator(&["ledger", "verify"]).await.unwrap();
    let output = run(
        &stage.consortium.programs.aggregator,
        &stage.consortium.aggregator_home(),
        &both,
    )
    .await
    .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("tail_cut") || said.contains("forked"), "{said}");
    let output = run(program, &north.home, &["ledger", "show", "--kind", "head_refused"])
        .await
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 1);
}

/// Replaces the folder `to` by a copy of `from`.
fn copy(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}
