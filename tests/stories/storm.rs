//! The storm in small: three sites, four rounds, cut lines, a long outage, kills of either side, and every check of the large one.

use serde_json::Value;
use tokio::process::Command;

use crate::stage::programs;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_all_weathers_each_model_is_what_its_record_says_bit_for_bit() {
    let node = programs().await.node;
    let folder = node.parent().unwrap();
    let work = tempfile::tempdir().unwrap();
    let output = Command::new(folder.join("snowball-storm"))
        .args(["--sites", "3", "--rounds", "4", "--seed", "7", "--json", "--programs"])
        .arg(folder)
        .arg("--work")
        .arg(work.path())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    eprintln!("{said}");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no JSON; it said {said}"));
    assert!(output.status.success(), "{answer}");
    let run = &answer["runs"][0];
    assert_eq!(run["rounds"], 4, "{answer}");
    assert!(
        run["left_out_away"].as_u64() > Some(0),
        "the site that was away was missed: {answer}"
    );
    assert_eq!(std::fs::read_dir(work.path()).unwrap().count(), 0, "it cleans up");
}
