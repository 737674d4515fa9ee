//! The benchmark runs: a few files through every program that is there, a small archive with a kill on the way, and small
//! rounds beside their floor.

use std::process::Output;

use serde_json::Value;
use tokio::process::Command;

use crate::stage::programs;

/// Runs the benchmark beside the other programs with JSON as its answer.
async fn benchmark(arguments: &[&str]) -> (Output, Value) {
    let node = programs().await.node;
    let folder = node.parent().unwrap();
    let work = tempfile::tempdir().unwrap();
    let output = Command::new(folder.join("snowball-benchmark"))
        .args(arguments)
        .arg("--json")
        .arg("--programs")
        .arg(folder)
        .arg("--work")
        .arg(work.path())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let answer = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
        let said = String::from_utf8_lossy(&output.stderr);
        panic!("no JSON; it said {said}")
    });
    assert_eq!(std::fs::read_dir(work.path()).unwrap().count(), 0, "it cleans up");
    (output, answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_files_go_through_every_program() {
    let arguments = ["deidentification", "--small", "10", "--large", "0", "--repeats", "1"];
    let (output, answer) = benchmark(&arguments).await;
    assert!(output.status.success(), "{answer}");
    let set = &answer["sets"][0];
    assert_eq!(set["corpus"]["files"], 10);
    let rows = set["rows"].as_array().unwrap();
    let row = |program: &str| rows.iter().find(|row| row["program"] == program);
    for program in [
        "copy of the files",
        "snowball, header only",
        "snowball, header and second pass",
    ] {
        let row = row(program).unwrap_or_else(|| panic!("{program} is missing: {answer}"));
        assert_eq!(row["written"], 10, "{row}");
        assert!(row["files_per_second"].as_f64().unwrap() > 0.0, "{row}");
    }
    for verb in ["hospital-node deidentify", "hospital-node ingest"] {
        let row = row(verb).unwrap_or_else(|| panic!("{verb} is missing: {answer}"));
        assert!(row["written"].as_u64().unwrap() >= 5, "{row}");
        assert!(row["memory_bytes_max"].as_u64().unwrap() > 1_000_000, "{row}");
    }
    // No Python was named, so its programs are skipped and what brings them is said.
    let skipped = answer["skipped"].as_array().unwrap();
    assert!(
        skipped
            .iter()
            .any(|one| one["remedy"].as_str().unwrap().contains("pip install"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_whose_intake_is_killed_is_all_there_once() {
    let arguments = [
        "large",
        "--instances",
        "2000",
        "--bases",
        "8",
        "--side",
        "48",
        "--clinical",
        "0",
        "--kill-at",
        "0.2",
    ];
    let (output, answer) = benchmark(&arguments).await;
    for check in answer["checks"].as_array().unwrap() {
        assert_eq!(check["holds"], true, "{check}");
    }
    assert!(output.status.success(), "{answer}");
    assert_eq!(answer["processes"][0]["was_killed"], true);
    assert_eq!(answer["processes"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_sites_do_a_small_round_and_the_floor_is_measured_beside_it() {
    let arguments = ["rounds", "--sites", "2", "--parameters", "0.01", "--repeats", "1"];
    let (output, answer) = benchmark(&arguments).await;
    assert!(output.status.success(), "{answer}");
    let row = &answer["rows"][0];
    assert_eq!(row["sites"], 2);
    assert!(row["parameters"].as_u64().unwrap() > 10_000, "{row}");
    for measured in ["/round_seconds", "/floor/seconds", "/hashed_floor/seconds"] {
        let seconds = row.pointer(measured).and_then(Value::as_array).unwrap();
        assert_eq!(seconds.len(), 1, "{row}");
        assert!(seconds[0].as_f64().unwrap() > 0.0, "{row}");
    }
    for memory in ["server_memory_bytes_max", "site_memory_bytes_max"] {
        assert!(row[memory].as_u64().unwrap() > 1_000_000, "{row}");
    }
    let limits = answer["limits"].as_object().unwrap();
    assert!(limits.values().all(|limit| limit.as_f64().unwrap() > 0.0), "{answer}");
    assert_eq!(answer["skipped"].as_array().unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sites_without_a_task_wait_and_are_held() {
    let (output, answer) = benchmark(&["idle", "--sites", "3", "--seconds", "1"]).await;
    assert!(output.status.success(), "{answer}");
    let row = &answer["rows"][0];
    assert_eq!(row["sites"], 3);
    assert!(row["descriptors"].as_u64().unwrap() > 3, "{row}");
    assert_eq!(row["round"]["sites"], 3);
}
