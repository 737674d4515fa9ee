//! A page in two languages has the same sections, commands, tables and points in both, so that neither falls behind.

use std::collections::BTreeSet;

use super::page::{fences, read};

/// The page, its translation, and whether what a screen shows stands on both in one language. Where it does not, each shows its own: a
/// test of shared/policy holds both to the program.
const PAIRS: [(&str, &str, bool); 2] = [
    (
        "hospital-node/docs/auditing.md",
        "hospital-node/docs/auditing.fr.md",
        true,
    ),
    ("policies/README.md", "policies/README.fr.md", false),
];

/// What does not depend on the language, in order.
fn skeleton(text: &str) -> Vec<String> {
    let mut bones = Vec::new();
    let mut is_inside = false;
    for line in text.lines() {
        if line.starts_with("```") {
            is_inside = !is_inside;
        } else if is_inside {
            continue;
        } else if line.starts_with('#') {
            bones.push(line.split(' ').next().unwrap().to_owned());
        } else if line.starts_with("- ") {
            bones.push("- a point".to_owned());
        } else if let Some((number, _)) = line.split_once(". ").filter(|(number, _)| number.parse::<u8>().is_ok()) {
            bones.push(format!("{number}. a step"));
        } else if line.starts_with("    ") {
            // A command outside of a fence.
            bones.push(line.trim().to_owned());
        } else if let Some(row) = line.strip_prefix("| `") {
            // Codes are the same in every language.
            bones.push(row.split(" |").next().unwrap().to_owned());
        }
    }
    bones
}

#[test]
fn both_languages_have_the_same_sections_and_commands() {
    for (english, french, is_shown_alike) in PAIRS {
        let (one, other) = (read(english), read(french));
        assert_eq!(skeleton(&one), skeleton(&other), "{french}");
        let without_lines = |text: &str| -> Vec<(String, Vec<String>)> {
            let fences = fences(text).into_iter();
            let own = |words: &str| words == "text" && !is_shown_alike;
            fences
                .map(|(_, words, held)| {
                    let held = if own(words) { Vec::new() } else { held };
                    (words.to_owned(), held.into_iter().map(str::to_owned).collect())
                })
                .collect()
        };
        assert_eq!(without_lines(&one), without_lines(&other), "{french}");
        // A translation, and not the page again.
        let said: BTreeSet<&str> = prose(&other).into_iter().collect();
        let kept: Vec<_> = prose(&one)
            .into_iter()
            .filter(|line| line.len() > 60 && said.contains(line))
            .collect();
        assert_eq!(kept, Vec::<&str>::new(), "{french} has these in English");
        for (page, of) in [(&one, french), (&other, english)] {
            assert!(page.contains(of.rsplit('/').next().unwrap()), "each names the other");
        }
    }
}

/// The lines outside of fences that are no commands.
fn prose(text: &str) -> Vec<&str> {
    let mut is_inside = false;
    let lines = text.lines().filter(|line| {
        let is_mark = line.starts_with("```");
        is_inside ^= is_mark;
        !is_mark && !is_inside && !line.starts_with("    ")
    });
    lines.collect()
}
