//! The commands of all pages besides the first hours: each is typed here, or somewhere else by name, or excused with its reason. A command
//! that a page gains fails until it is one of these.

use std::{collections::BTreeSet, fs};

use super::{
    Walk,
    json::outlines,
    links::pages,
    page::{Block, blocks, fences, read},
};
use crate::stage::programs;

const SCRIPT: &str = "tests/stories/pages/howtos.md";

/// What pages say for a reader's own folder, key or number, and what is typed for it.
const STANDS_FOR: [(&str, &str); 19] = [
    ("/mnt/radiographs/incoming", "incoming"),
    ("/mnt/radiographs/2026", "north-files"),
    ("/mnt/radiographs", "north-files"),
    ("/mnt/deidentified", "deidentified"),
    ("/mnt/backup/2026-11-30/home/ledger", "backup-2026-11-30/home/ledger"),
    ("/mnt/backup/", "backup-"),
    ("/safe/keys", "keys"),
    ("/root/words", "words"),
    ("/usr/local/share/man/man1", "man"),
    ("--policy policies/", "--policy $SNOWBALL/policies/"),
    ("sha256:...", "$DIGEST"),
    ("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", "$KEY"),
    (
        "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a",
        "$PSEUDONYM",
    ),
    ("5c2f9b018e77", "$SERIAL"),
    ("5f2b90c1", "$CA"),
    // The plan to practise with has no age, nobody outlined lungs together, and half a minute is long.
    ("--head age", "--head view"),
    ("lungs.toml --model federated", "lungs.toml --model local"),
    ("--settle-seconds 30", "--settle-seconds 1"),
    // The fewest files that show every kind of check.
    ("hospital-node selftest", "hospital-node selftest --files 60"),
];

/// Commands that nobody types in a test, by the reason. Each is a whole one; a star at its end stands for whatever follows.
const EXCUSED: [(&str, &[&str]); 12] = [
    (
        "it takes root, systemd or a container tool: the stories of packages install what they can",
        &[
            "# apt install ./snowball-*",
            "# apt purge snowball-*",
            "# apt remove snowball-*",
            "# install -d -m 700 /etc/credstore.encrypted",
            "# journalctl --unit 'snowball-node*' --since today",
            "# podman build --format docker *",
            "# podman run --read-only *",
            "# runuser -u snowball-aggregator -- aggregator --home /var/lib/snowball-aggregator backup --out /mnt/backup/before-0.2.0",
            "# runuser -u snowball-aggregator -- aggregator --home /var/lib/snowball-aggregator doctor",
            "# runuser -u snowball-aggregator -- aggregator --home /var/lib/snowball-aggregator init --consortium Spines --address snowball.example.org:7443",
            "# runuser -u snowball-aggregator -- aggregator --home /var/lib/snowball-aggregator restore /mnt/backup/2026-11-29",
            "# runuser -u snowball-node -- hospital-node --home /var/lib/snowball-node backup --out /mnt/backup/before-0.2.0",
            "# runuser -u snowball-node -- hospital-node --home /var/lib/snowball-node doctor",
            "# runuser -u snowball-node -- hospital-node --home /var/lib/snowball-node enroll INVITATION",
            "# runuser -u snowball-node -- hospital-node --home /var/lib/snowball-node init --site north",
            "# runuser -u snowball-node -- hospital-node --home /var/lib/snowball-node policy install policy.toml --ethics-key ethics.pub",
            "# runuser -u snowball-node -- hospital-node --home /var/lib/snowball-node restore /mnt/backup/2026-11-29",
            "# systemctl enable --now *",
            "# systemd-creds encrypt --name=snowball-passphrase *",
            "# systemd-run --wait --pipe -p User=snowball-*",
        ],
    ),
    (
        "the demo itself: .ci/run runs it",
        &["cargo demo", "cargo demo --dicom FOLDER"],
    ),
    ("these tests themselves", &["cargo test --workspace"]),
    (
        "minutes to hours, and for a quiet machine; a test of benchmarks reads each",
        &["cargo run --bin snowball-benchmark -- *"],
    ),
    (
        "the storm: a story runs a small one",
        &["cargo run --bin snowball-storm -- --sites 8 --rounds 20 --seed 1 --runs 10"],
    ),
    (
        "an archive has to answer: the stories of retrieve have one",
        &["hospital-node retrieve --from 2026-01-01 --to 2026-03-31 --modality CR,DX"],
    ),
    (
        "an archive has to answer: the stories of pull have one",
        &["hospital-node pull --url https://pacs.hospital.example/dicom-web --from 2026-01-01 --to 2026-03-31"],
    ),
    (
        "hours of training; the radiologist's hour asks a small question",
        &["hospital-node compare --preset body-parts-for-age --out comparison"],
    ),
    (
        "no command shows a patient's pseudonym to a test; the stories of withdrawal make one",
        &["hospital-node withdraw --pseudonym 5a5a*"],
    ),
    (
        "the first hours type it, to the background or where somebody approves",
        &["hospital-node run", "hospital-node enroll INVITATION"],
    ),
    (
        "hospital IT's hour types it",
        &[
            "hospital-node doctor",
            "hospital-node doctor --explain --invitation INVITATION",
            "hospital-node init --site north",
            "hospital-node policy key --out ethics.pem",
            "hospital-node policy sign --key ethics.pem policy.toml",
            "hospital-node policy install policy.toml --ethics-key ethics.pub",
        ],
    ),
    (
        "the first hours type it, with what the screen shows",
        &["aggregator approve north --fingerprint 5f2b-90c1-77aa-01de --reason telephone"],
    ),
];

/// Whether an excuse is of this command.
fn excuses(excuse: &str, command: &str) -> bool {
    let begins = excuse.strip_suffix('*');
    begins.map_or(command == excuse, |begins| command.starts_with(begins))
}

/// The commands of a page: indented lines that begin as one. What stands in a fence is typed by the test of its page.
fn commands(text: &str) -> Vec<&str> {
    let mut is_inside = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            is_inside = !is_inside;
            continue;
        }
        if is_inside || !line.starts_with("    ") {
            continue;
        }
        let line = line.trim_start();
        let command = line
            .strip_prefix("$ ")
            .unwrap_or(line)
            .split("    #")
            .next()
            .unwrap()
            .trim_end();
        let programs = ["hospital-node ", "aggregator ", "cargo ", "# "];
        if programs.iter().any(|program| command.starts_with(program)) {
            found.push(command);
        }
    }
    found
}

/// Every command of the script, as pages show it.
fn typed(text: &str) -> BTreeSet<&str> {
    let lines = fences(text).into_iter().flat_map(|(_, _, held)| held);
    lines.map(|line| line.trim_end_matches(" &")).collect()
}

#[test]
fn every_command_of_every_page_is_typed_or_excused() {
    let script = read(SCRIPT);
    let typed = typed(&script);
    let excused: Vec<&str> = EXCUSED
        .iter()
        .flat_map(|(_, commands)| commands.iter().copied())
        .collect();
    let mut unused: BTreeSet<&str> = excused.iter().copied().collect();
    let mut unsaid = Vec::new();
    let mut count = 0;
    for path in pages() {
        let text = fs::read_to_string(&path).unwrap();
        for command in commands(&text) {
            count += 1;
            if typed.contains(command) {
                continue;
            }
            match excused.iter().find(|excuse| excuses(excuse, command)) {
                Some(excuse) => drop(unused.remove(excuse)),
                None => unsaid.push(format!("{}: {command}", path.display())),
            }
        }
    }
    assert!(count >= 150, "{count}");
    assert!(
        unsaid.is_empty(),
        "nobody types these, nor says why:\n{}",
        unsaid.join("\n")
    );
    assert!(unused.is_empty(), "no page has these any more: {unused:?}");
}

#[test]
fn an_excuse_is_of_one_command_unless_it_says_otherwise() {
    assert!(excuses("hospital-node run", "hospital-node run"));
    assert!(!excuses("hospital-node run", "hospital-node run --until-done spines"));
    assert!(excuses("# apt *", "# apt remove it") && !excuses("# apt *", "# rm -r it"));
}

#[test]
fn a_command_is_found_however_a_page_shows_it() {
    let page = "words\n\n    $ aggregator sites\n\n       hospital-node census\n    # apt remove it\n    cargo demo    # all\n\n    key = 1\n\
                ```sh\n    hospital-node run\n```\n";
    let found = [
        "aggregator sites",
        "hospital-node census",
        "# apt remove it",
        "cargo demo",
    ];
    assert_eq!(commands(page), found);
    assert_eq!(typed("```sh\naggregator serve &\n```\n"), ["aggregator serve"].into());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_how_tos_commands_do_what_they_say() {
    let mut walk = Walk::begin(SCRIPT, programs().await);
    outlines(&walk.folder.path().join("lungs"), 1);
    for block in blocks(&read(SCRIPT)) {
        let commands = block.commands.iter().map(|line| {
            STANDS_FOR
                .iter()
                .fold(line.clone(), |line, (shown, typed)| line.replace(shown, typed))
        });
        let commands = commands.collect();
        walk.type_in(&Block { commands, ..block });
    }
    assert!(walk.left_out.is_empty(), "{:?}", walk.left_out);
}
