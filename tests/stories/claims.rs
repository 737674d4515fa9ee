//! The page of claims names tests that exist, and the threat model names claims that exist.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

const FEWEST_CLAIMS: usize = 40;

struct Claim {
    id: String,
    /// Names of tests, each with the file that it is said to be in.
    tests: Vec<(String, PathBuf)>,
}

fn page() -> (String, PathBuf) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies");
    (std::fs::read_to_string(folder.join("claims.md")).unwrap(), folder)
}

/// Rows such as `| **L1** | what is claimed | [`test`](../its/file.rs), ... |`.
fn claims(page: &str) -> Vec<Claim> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| **"));
    rows.map(|row| {
        let (id, rest) = row.split_once("** | ").unwrap();
        let (_, tests) = rest.trim_end_matches(" |").rsplit_once(" | ").unwrap();
        let test = |link: &str| {
            let (name, path) = link.trim_matches(['[', ')']).split_once("](").unwrap();
            (name.trim_matches('`').to_owned(), PathBuf::from(path))
        };
        Claim {
            id: id.to_owned(),
            tests: tests.split(", ").map(test).collect(),
        }
    })
    .collect()
}

/// Whether `source` has a test of this name: a function right below its attribute, which is not ignored.
fn has_test(source: &str, name: &str) -> bool {
    let is_it = |line: &str| {
        let line = line.trim().trim_start_matches("async ");
        line.strip_prefix("fn ")
            .and_then(|rest| rest.strip_prefix(name))
            .is_some_and(|rest| rest.starts_with('('))
    };
    let lines: Vec<&str> = source.lines().collect();
    let places = (0..lines.len()).filter(|place| is_it(lines[*place]));
    places.into_iter().any(|place| {
        let above = lines[..place].iter().rev().map(|line| line.trim());
        let attributes: Vec<&str> = above.take_while(|line| line.starts_with("#[")).collect();
        let is_test = |line: &&str| line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        attributes.iter().any(is_test) && !attributes.iter().any(|line| line.starts_with("#[ignore"))
    })
}

#[test]
fn every_claim_names_tests_that_exist() {
    let (page, folder) = page();
    let claims = claims(&page);
    assert!(claims.len() >= FEWEST_CLAIMS, "{} claims", claims.len());
    let mut ids = BTreeSet::new();
    for claim in &claims {
        assert!(ids.insert(&claim.id), "{} stands twice", claim.id);
        assert!(!claim.tests.is_empty(), "{} has no test", claim.id);
        for (name, path) in &claim.tests {
            let source = std::fs::read_to_string(folder.join(path));
            let source = source.unwrap_or_else(|_| panic!("{}: there is no {}", claim.id, path.display()));
            assert!(
                has_test(&source, name),
                "{}: no test {name} in {}",
                claim.id,
                path.display()
            );
        }
    }
}

/// In running text a claim stands as a letter and a number, two of them as a range.
#[test]
fn the_threat_model_and_the_promises_name_claims_that_exist() {
    let (page, _) = page();
    let known: BTreeSet<String> = claims(&page).into_iter().map(|claim| claim.id).collect();
    let text = page.split_once("### The promises").unwrap().1;
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
    let named: BTreeSet<&str> = words
        .filter(|word| {
            let mut letters = word.chars();
            letters.next().is_some_and(|first| "LPIRDSHTA".contains(first))
                && word.len() > 1
                && letters.all(|letter| letter.is_ascii_digit())
        })
        .collect();
    let strangers: Vec<_> = named.iter().filter(|id| !known.contains(**id)).collect();
    assert!(strangers.is_empty(), "no such claim: {strangers:?}");
    assert!(named.len() >= 25, "{named:?}");
    for promise in 1..=7 {
        assert!(text.contains(&format!("\n| {promise}. ")), "promise {promise}");
    }
}

#[test]
fn a_claim_without_its_test_is_found() {
    let source = "/// x\n#[test]\nfn one() {}\n#[tokio::test]\nasync fn two() {}\n#[test]\n#[ignore = \"x\"]\nfn three() {}\nfn four() {}\n";
    assert!(has_test(source, "one") && has_test(source, "two"));
    for missing in ["three", "four", "on", "five"] {
        assert!(!has_test(source, missing), "{missing}");
    }
}
