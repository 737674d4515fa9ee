//! `hospital-node policy explain --table | head -1`: who stops listening is no reason to panic.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

use crate::stage::programs;

/// Runs a program into pipes that nobody reads; what it says on the one that is open.
fn unheard(program: &Path, arguments: &[&str], is_error_closed: bool) -> Output {
    let (reader, closed) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    if is_error_closed {
        command.stdout(Stdio::piped()).stderr(closed);
    } else {
        command.stdout(closed).stderr(Stdio::piped());
    }
    command.spawn().unwrap().wait_with_output().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_panics_where_nobody_reads_on() {
    let programs = programs().await;
    let folder = tempfile::tempdir().unwrap();
    let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies/collaboration.toml");
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (policy, node_home, aggregator_home, out) =
        (policy.to_str().unwrap(), path("node"), path("aggregator"), path("demo"));
    let beside = |name: &str| programs.node.with_file_name(name);
    let built = programs.node.parent().unwrap().to_str().unwrap();
    let sample = path("weights");
    std::fs::write(&sample, "not weights").unwrap();

    for (program, arguments) in [
        (programs.node.clone(), vec!["policy", "explain", policy, "--table"]),
        (programs.node.clone(), vec!["--json", "policy", "explain", policy]),
        (
            programs.node.clone(),
            vec!["--home", &node_home, "init", "--site", "north"],
        ),
        (programs.node.clone(), vec!["--home", &node_home, "ledger", "show"]),
        (programs.aggregator.clone(), vec!["--home", &aggregator_home, "sites"]),
        (beside("snowball-trainer"), vec!["--version"]),
        (
            beside("snowball-text-training"),
            vec!["manifest", &sample, &sample, &sample, &sample, &sample],
        ),
        (
            beside("snowball-demo"),
            vec!["--quick", "--out", &out, "--programs", built],
        ),
        (beside("examples/phantoms"), vec![&out, "1", "64"]),
    ] {
        if program.ends_with("examples/phantoms") && !program.exists() {
            eprintln!("skipped: the example phantoms is not built");
            continue;
        }
        if program == programs.aggregator {
            let words = [
                "--home",
                &aggregator_home,
                "init",
                "--consortium",
                "story",
                "--address",
                "localhost:1",
            ];
            assert!(Command::new(&program).args(words).output().unwrap().status.success());
        }
        let output = unheard(&program, &arguments, false);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(141), "{}: {said}", program.display());
        assert!(
            !said.contains("panicked") && !said.contains("rror"),
            "{}: {said}",
            program.display()
        );
    }

    // Standard error may be closed as well: the exit code is that of the fault, not of a panic.
    let nowhere = path("nowhere");
    for (program, arguments, code) in [
        (&programs.node, vec!["--home", &nowhere, "census"], 1),
        (&programs.aggregator, vec!["--home", &nowhere, "sites"], 1),
    ] {
        let output = unheard(program, &arguments, true);
        assert_eq!(output.status.code(), Some(code), "{}", program.display());
    }
}
