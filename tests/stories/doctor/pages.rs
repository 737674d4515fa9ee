//! Every number has its entry on the page, and every entry its check.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

/// Source of the checks and page, for the letter of each side.
const SIDES: [(&str, &str, &str); 2] = [
    ("N", "hospital-node/src/cli/doctor", "hospital-node/docs/doctor.md"),
    ("A", "aggregator/src/cli/doctor", "aggregator/docs/doctor.md"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Numbers and names of `const CHECK: Check = Check::new("N101", "configuration");`, one a file at most.
fn checks(folder: &str) -> BTreeMap<String, String> {
    let mut checks = BTreeMap::new();
    for entry in fs::read_dir(root().join(folder)).unwrap().flatten() {
        let source = fs::read_to_string(entry.path()).unwrap();
        for (_, rest) in source
            .match_indices("Check::new(")
            .map(|(place, _)| source.split_at(place))
        {
            let mut words = rest.split('"').skip(1).step_by(2);
            let (code, name) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
            let before = checks.insert(code.clone(), name);
            assert_eq!(before, None, "{code} is given twice");
        }
    }
    checks
}

/// Numbers and names of headings such as `## N101 configuration`, each with the text below it.
fn entries(page: &str, letter: &str) -> BTreeMap<String, (String, String)> {
    let text = fs::read_to_string(root().join(page)).unwrap();
    let sections = text.split("\n## ").skip(1);
    let numbered = sections.filter_map(|section| {
        let (heading, below) = section.split_once('\n')?;
        let (code, name) = heading.split_once(' ')?;
        let is_code =
            code.len() == 4 && code.starts_with(letter) && code[1..].bytes().all(|byte| byte.is_ascii_digit());
        is_code.then(|| (code.to_owned(), (name.to_owned(), below.to_owned())))
    });
    numbered.collect()
}

#[test]
fn every_number_of_doctor_has_an_entry_on_its_page_and_every_entry_a_check() {
    for (letter, folder, page) in SIDES {
        let (checks, entries) = (checks(folder), entries(page, letter));
        assert!(checks.len() >= 13, "{folder}: {checks:?}");
        let named: BTreeMap<_, _> = entries
            .iter()
            .map(|(code, (name, _))| (code.clone(), name.clone()))
            .collect();
        assert_eq!(checks, named, "{page}");
        for (code, (_, below)) in &entries {
            for part in ["**Means.** ", "**Looks like.** ", "**Do.** "] {
                assert!(below.contains(part), "{page}: {code} does not say {part}");
            }
        }
    }
}

/// Every number that a report names has its entry where the report says, and the counts are those of its findings.
pub fn have_entries(report: &Value) {
    let page = report["page"].as_str().unwrap();
    let (letter, ..) = SIDES.into_iter().find(|(.., of)| *of == page).unwrap();
    let entries = entries(page, letter);
    let findings = report["findings"].as_array().unwrap();
    for finding in findings {
        let (name, _) = &entries[finding["code"].as_str().unwrap()];
        assert_eq!(finding["check"], name.as_str());
        assert_eq!(finding.get("remedy").is_some(), finding["state"] != "good", "{finding}");
    }
    for state in ["good", "look", "bad"] {
        let count = findings.iter().filter(|finding| finding["state"] == state).count();
        assert_eq!(report[state], count, "{report}");
    }
}
