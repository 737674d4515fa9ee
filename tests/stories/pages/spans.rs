//! Commands within sentences: each names a verb that its program has, and options that the verb takes.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use super::links::pages;
use crate::stage::programs;

/// What `--help` says, by program and words; each is asked once.
#[derive(Default)]
struct Helps(BTreeMap<Vec<String>, String>);

impl Helps {
    fn of(&mut self, program: &Path, words: &[&str]) -> &str {
        let key = std::iter::once(program.to_str().unwrap()).chain(words.iter().copied());
        self.0.entry(key.map(str::to_owned).collect()).or_insert_with(|| {
            let output = Command::new(program).args(words).arg("--help").output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        })
    }
}

/// The verbs that a help lists.
fn verbs(help: &str) -> impl Iterator<Item = &str> {
    let listed = help.split("\nCommands:\n").nth(1).unwrap_or_default();
    let lines = listed.lines().take_while(|line| !line.is_empty());
    lines.filter_map(|line| {
        line.strip_prefix("  ")
            .filter(|line| !line.starts_with(' '))?
            .split(' ')
            .next()
    })
}

/// What stands between single marks of a page, outside of fences; a sentence may break its line within them.
fn spans(text: &str) -> Vec<String> {
    let mut is_inside = false;
    let mut prose = String::new();
    for line in text.lines() {
        let is_mark = line.starts_with("```");
        is_inside ^= is_mark;
        // A mark that is left open ends with its paragraph, point or row.
        let begins = line.is_empty() || line.starts_with("- ") || line.starts_with('|');
        prose += if begins { "\n\n" } else { " " };
        prose += if is_inside || is_mark { "" } else { line };
    }
    let paragraphs = prose
        .split("\n\n")
        .flat_map(|paragraph| paragraph.split('`').skip(1).step_by(2));
    paragraphs
        .map(|span| span.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

/// Why the program takes no such command.
fn fault(helps: &mut Helps, program: &Path, words: &[&str]) -> Option<String> {
    let mut path: Vec<&str> = Vec::new();
    let mut options = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if ["--home", "--passphrase-file"].contains(word) {
            words.next();
        } else if word.starts_with("--") {
            options.push(*word);
        } else if verbs(helps.of(program, &path)).any(|verb| verb == *word) {
            path.push(word);
        } else if path.is_empty() {
            return Some(format!("there is no verb {word}"));
        }
    }
    let help = helps.of(program, &path);
    options
        .into_iter()
        .find(|option| !help.contains(*option))
        .map(|option| format!("{path:?} takes no {option}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_within_a_sentence_is_one_that_its_program_takes() {
    let programs = programs().await;
    let mut helps = Helps::default();
    let (mut count, mut faults) = (0, Vec::new());
    for page in pages() {
        for span in spans(&fs::read_to_string(&page).unwrap()) {
            let (name, words) = span.split_once(' ').unwrap_or_default();
            let program = match name {
                "hospital-node" => &programs.node,
                "aggregator" => &programs.aggregator,
                _ => continue,
            };
            count += 1;
            let words: Vec<&str> = words.split(' ').collect();
            let fault = fault(&mut helps, program, &words);
            faults.extend(fault.map(|fault| format!("{}: {span}: {fault}", page.display())));
        }
    }
    assert!(count >= 120, "{count}");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let node = &programs.node;
    assert!(fault(&mut helps, node, &["sensus"]).is_some());
    assert!(fault(&mut helps, node, &["ledger", "show", "--lst", "5"]).is_some());
    assert_eq!(fault(&mut helps, node, &["ledger", "show", "--last", "5"]), None);
}

#[test]
fn a_span_is_found_over_the_end_of_a_line_and_not_in_a_fence() {
    let page = "one `two\nthree` four\n\n```sh\n`five`\n```\n- six ` seven\n- eight `nine`\n";
    assert_eq!(spans(page), ["two three", "seven", "nine"]);
}
