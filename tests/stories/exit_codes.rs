//! What the page of exit codes says is what the programs do, both alike.

use std::{
    collections::BTreeSet,
    path::Path,
    process::{Command, Stdio},
};

use snowball_service::exit;

use crate::stage::programs;

/// The numbers of the page's sections.
fn page() -> BTreeSet<u8> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../hospital-node/docs/exit-codes.md");
    let text = std::fs::read_to_string(page).unwrap();
    text.lines()
        .filter_map(|line| line.strip_prefix("## ")?.parse().ok())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_exit_code_of_the_page_is_one_that_both_programs_end_with() {
    let programs = programs().await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (nowhere, node, aggregator, unsigned) =
        (path("nowhere"), path("node"), path("aggregator"), path("policy.toml"));
    std::fs::write(&unsigned, "# no policy\n").unwrap();
    // Configurations with a slip: a unit must not start again on them.
    let wrong = folder.path().join("wrong");
    std::fs::create_dir(&wrong).unwrap();
    for name in ["node.toml", "aggregator.toml"] {
        std::fs::write(wrong.join(name), "sight = 1\n").unwrap();
    }
    let wrong = wrong.to_str().unwrap().to_owned();
    // A node without a policy, and an aggregator that nobody serves: both are what doctor calls bad.
    let init_node = ["--home", &node, "init", "--site", "north"];
    let init_aggregator = [
        "--home",
        &aggregator,
        "init",
        "--consortium",
        "story",
        "--address",
        "localhost:1",
    ];

    for (program, cases) in [
        (
            &programs.node,
            vec![
                (exit::DONE, init_node.to_vec()),
                (exit::FAULT, vec!["--home", &nowhere, "census"]),
                (exit::USAGE, vec!["--home", &node, "doctr"]),
                (exit::REFUSED, vec!["--home", &node, "policy", "check", &unsigned]),
                (exit::REFUSED, vec!["--home", &node, "doctor", "--offline"]),
                (exit::DONE, vec!["--home", &node, "doctor", "--explain"]),
                (exit::REFUSED, vec!["--home", &wrong, "run"]),
            ],
        ),
        (
            &programs.aggregator,
            vec![
                (exit::DONE, init_aggregator.to_vec()),
                (exit::FAULT, vec!["--home", &nowhere, "sites"]),
                (exit::USAGE, vec!["--home", &aggregator, "doctr"]),
                (exit::REFUSED, vec!["--home", &aggregator, "doctor"]),
                (exit::DONE, vec!["--home", &aggregator, "doctor", "--explain"]),
                (exit::REFUSED, vec!["--home", &wrong, "serve"]),
            ],
        ),
    ] {
        let mut seen = BTreeSet::new();
        for (code, arguments) in cases {
            let output = Command::new(program).args(&arguments).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(
                output.status.code(),
                Some(i32::from(code)),
                "{} {arguments:?}: {said}",
                program.display()
            );
            seen.insert(code);
        }
        let (reader, closed) = std::io::pipe().unwrap();
        drop(reader);
        let status = Command::new(program)
            .args(["completions", "bash"])
            .stdout(closed)
            .stderr(Stdio::null())
            .status();
        assert_eq!(
            status.unwrap().code(),
            Some(i32::from(exit::UNHEARD)),
            "{}",
            program.display()
        );
        seen.insert(exit::UNHEARD);

        assert_eq!(seen, page(), "{}", program.display());
        assert_eq!(seen, exit::ALL.map(|(code, _)| code).into());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shell_takes_the_completions_and_man_the_pages() {
    let programs = programs().await;
    let folder = tempfile::tempdir().unwrap();
    for program in [&programs.node, &programs.aggregator] {
        let name = program.file_name().unwrap().to_str().unwrap();
        let script = Command::new(program).args(["completions", "bash"]).output().unwrap();
        let file = folder.path().join(format!("{name}.bash"));
        std::fs::write(&file, &script.stdout).unwrap();
        let read = Command::new("bash").arg("-n").arg(&file).output().unwrap();
        assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
        assert!(String::from_utf8_lossy(&script.stdout).contains("doctor"));

        let out = folder.path().join(name);
        let written = Command::new(program).args(["man", "--out"]).arg(&out).output().unwrap();
        assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
        let page = std::fs::read_to_string(out.join(format!("{name}-doctor.1"))).unwrap();
        assert!(page.starts_with(".ie") && page.contains("\\-\\-explain"), "{page}");
    }
}
