//! The pages for the four people: every command that they show is typed in the order of the page, in a fresh folder, with the real
//! programs and radiographs of nobody.

mod howtos;
pub mod json;
mod links;
mod page;
mod spans;
mod terminal;
mod translation;

use std::{collections::BTreeMap, path::Path};

use snowball_tests::{Programs, free_port};

use self::{
    page::{Block, blocks, commands_outside_of_fences, read, root},
    terminal::Terminal,
};
use crate::stage::programs;

/// Words of a page that stand for what a screen shows, and what stands before it there.
const READ_OFF: [(&str, &str); 4] = [
    ("CA_FINGERPRINT", "Sites will pin the CA "),
    ("INVITATION", "snowball-invitation:"),
    ("QUARANTINED", "sha256:"),
    ("FINGERPRINT", "read this fingerprint to the coordinator: "),
];
/// Ports of the pages.
const PORTS: [&str; 4] = ["7443", "7481", "9464", "11112"];

struct Walk {
    page: &'static str,
    folder: tempfile::TempDir,
    programs: Programs,
    ports: BTreeMap<&'static str, String>,
    terminals: BTreeMap<usize, Terminal>,
    /// How the last command of each should end.
    due: BTreeMap<usize, i32>,
    /// Blocks that were not run, with the reason.
    left_out: Vec<String>,
}

impl Walk {
    fn begin(page: &'static str, programs: Programs) -> Self {
        let port = |port| (port, free_port().unwrap().to_string());
        Self {
            page,
            folder: tempfile::tempdir().unwrap(),
            programs,
            ports: PORTS.map(port).into(),
            terminals: BTreeMap::new(),
            due: BTreeMap::new(),
            left_out: Vec::new(),
        }
    }

    /// A line as it is typed here: on free ports, with the programs of this build and with what the screens showed.
    fn filled(&self, line: &str) -> String {
        let folder = self.programs.node.parent().unwrap().to_str().unwrap();
        let mut line = line
            .replace("$SNOWBALL/target/debug", folder)
            .replace("$HOME/snowball", root().to_str().unwrap());
        for (port, other) in &self.ports {
            line = line.replace(port, other);
        }
        for (word, before) in READ_OFF {
            if line.contains(word) {
                line = line.replace(
                    word,
                    &self.read_off(before).unwrap_or_else(|| panic!("{line}: no {word} yet")),
                );
            }
        }
        if let Some(python) = std::env::var_os("SNOWBALL_PYTHON") {
            line = line.replace("python3 ", &format!("{} ", python.to_str().unwrap()));
        }
        line
    }

    /// What was shown last behind these words, on any screen.
    fn read_off(&self, before: &str) -> Option<String> {
        let screens = self.terminals.values().map(Terminal::shown).collect::<String>();
        let behind = screens.rsplit_once(before)?.1;
        let word = behind
            .split(|one: char| one.is_whitespace())
            .next()?
            .trim_end_matches('.');
        // An invitation and a digest begin with the word by which they are found.
        let is_part = before.ends_with(':');
        Some(if is_part {
            format!("{before}{word}")
        } else {
            word.to_owned()
        })
    }

    fn type_in(&mut self, block: &Block) {
        let place = format!("{}:{}", self.page, block.line);
        if let Some(why) = self.reason_to_leave_out(block) {
            eprintln!("skipped {place}: {why}");
            return self.left_out.push(why);
        }
        let folder = self.folder.path().to_owned();
        let before = self
            .terminals
            .entry(block.terminal)
            .or_insert_with(|| Terminal::open(&folder));
        // A command that another terminal had to answer has its answer by now.
        let code = before
            .ended()
            .unwrap_or_else(|fault| panic!("{place}: what was typed before it: {fault}"));
        let due = self.due.insert(block.terminal, block.exit).unwrap_or(0);
        assert_eq!(
            code,
            due,
            "{place}: what was typed before it ended so, after\n{}",
            before.shown()
        );
        let begun = before.shown().len();
        for (number, line) in block.commands.iter().enumerate() {
            let line = self.filled(line);
            let terminal = self.terminals.get_mut(&block.terminal).unwrap();
            terminal.type_in(&line);
            let is_last = number + 1 == block.commands.len();
            if is_last && block.until.is_some() {
                break;
            }
            let code = terminal
                .ended()
                .unwrap_or_else(|fault| panic!("{place}: {line}: {fault}"));
            let due = if is_last { block.exit } else { 0 };
            assert_eq!(
                code,
                due,
                "{place}: {line} ended so, after\n{}",
                &terminal.shown()[begun..]
            );
        }
        let terminal = &self.terminals[&block.terminal];
        if let Some(words) = &block.until {
            terminal
                .shows(begun, words)
                .unwrap_or_else(|fault| panic!("{place}: {fault}"));
        }
        let shown = even(&terminal.shown()[begun..]);
        for line in &block.shown {
            let due = even(&self.filled(line));
            assert!(
                shown.contains(&due),
                "{place}: the page says that this is shown:\n{due}\nbut it was\n{shown}"
            );
        }
    }

    fn reason_to_leave_out(&self, block: &Block) -> Option<String> {
        match (&block.not_run, block.needs.as_deref()) {
            (Some(why), _) => Some(format!("not run: {why}")),
            (None, Some("torch")) => std::env::var_os("SNOWBALL_PYTHON")
                .is_none()
                .then(|| "SNOWBALL_PYTHON names no Python with PyTorch".to_owned()),
            (None, Some(program)) => {
                let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
                    .any(|folder| folder.join(program).is_file());
                (!found).then(|| format!("there is no {program} on this machine"))
            }
            (None, None) => None,
        }
    }
}

/// Blanks in a row count as one: tables are as wide as what is in them.
fn even(text: &str) -> String {
    let lines = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.collect::<Vec<_>>().join("\n")
}

/// Types a whole page; gives how many blocks could not be run.
async fn walk(page: &'static str) -> usize {
    let text = read(page);
    assert_eq!(
        commands_outside_of_fences(&text),
        Vec::<&str>::new(),
        "{page}: nobody types these"
    );
    let mut walk = Walk::begin(page, programs().await);
    let blocks = blocks(&text);
    assert!(blocks.len() >= 5, "{page}: {} blocks", blocks.len());
    for block in &blocks {
        walk.type_in(block);
    }
    left_in_order(walk.folder.path());
    walk.left_out.iter().filter(|why| why.starts_with("not run")).count()
}

/// Nothing that people were told to make may be readable by others where it holds keys.
fn left_in_order(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    for home in ["north", "south", "consortium", "coordinator"] {
        let Ok(seen) = std::fs::metadata(folder.join(home)) else {
            continue;
        };
        assert_eq!(seen.permissions().mode() & 0o077, 0, "{home} is open to others");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hospital_it_s_first_hour_is_what_happens() {
    assert_eq!(walk("hospital-node/docs/hospital-it.md").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_coordinator_s_first_hour_is_what_happens() {
    assert_eq!(walk("aggregator/docs/coordinator.md").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_auditor_s_first_hour_is_what_happens() {
    // The one that speaks of real parties' folders.
    assert_eq!(walk("hospital-node/docs/auditing.md").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_radiologist_s_first_hour_is_what_happens() {
    assert_eq!(walk("hospital-node/docs/radiologist.md").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frequent_failures_look_as_their_page_says() {
    assert_eq!(walk("hospital-node/docs/failures.md").await, 0);
}
