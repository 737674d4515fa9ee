//! A ledger that somebody changed does not verify.

use snowball_tests::run;

use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_ledger_is_found_by_the_command_line() {
    let stage = Stage::set(1, 1, 30).await;
    let site = &stage.consortium.sites[0];
    stage.consortium.make_node(site, 1).await.unwrap();
    stage.consortium.ingest(site).await.unwrap();
    stage.consortium.enrol(site, &stage.hear).await.unwrap();
    stage.consortium.node(site, &["ledger", "verify"]).await.unwrap();
    let path = site.home.join("ledger/ledger.jsonl");
    let sound = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = sound.lines().collect();
    let joined = |lines: &[&str]| format!("{}\n", lines.join("\n"));
    let mut swapped = lines.clone();
    swapped.swap(1, 2);
    let cases = [
        ("a changed count", sound.replacen("\"accepted\":", "\"accepted\":1", 1)),
        ("a dropped record", joined(&[&lines[..1], &lines[2..]].concat())),
        ("a cut tail", joined(&lines[..lines.len() - 1])),
        ("swapped records", joined(&swapped)),
    ];
    for (what, content) in cases {
        assert_ne!(content, sound, "{what}");
        std::fs::write(&path, content).unwrap();
        let output = run(&stage.consortium.programs.node, &site.home, &["ledger", "verify"])
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{what}: {said}");
        assert!(said.contains("does not verify"), "{what}: {said}");
    }
    std::fs::write(&path, sound).unwrap();
    stage.consortium.node(site, &["ledger", "verify"]).await.unwrap();
}
