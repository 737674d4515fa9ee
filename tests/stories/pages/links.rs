//! Every link of a page leads somewhere: to a file that is there, and to a section that it has.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::page::root;

/// Folders whose pages people read.
const FOLDERS: [&str; 5] = ["", "aggregator/docs", "hospital-node/docs", "policies", "shared/ledger"];

/// The pages that people read.
pub fn pages() -> Vec<PathBuf> {
    let listed = FOLDERS
        .iter()
        .flat_map(|folder| fs::read_dir(root().join(folder)).unwrap().flatten());
    let mut pages: Vec<_> = listed
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|one| one == "md"))
        .collect();
    pages.sort();
    pages
}

/// Headings as links name them: small letters, digits, hyphens for blanks.
fn sections(text: &str) -> BTreeSet<String> {
    let mut is_inside = false;
    let mut found = BTreeSet::new();
    for line in text.lines() {
        if line.starts_with("```") {
            is_inside = !is_inside;
        } else if !is_inside && line.starts_with('#') {
            let heading = line.trim_start_matches('#').trim().to_lowercase();
            let kept = heading
                .chars()
                .filter(|one| one.is_alphanumeric() || matches!(one, ' ' | '-' | '_'));
            found.insert(kept.collect::<String>().replace(' ', "-"));
        }
    }
    found
}

/// What stands in round brackets behind square ones, outside of fences.
fn links(text: &str) -> Vec<&str> {
    let mut is_inside = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            is_inside = !is_inside;
        } else if !is_inside {
            let behind = line.split("](").skip(1);
            found.extend(behind.filter_map(|rest| rest.split(')').next()));
        }
    }
    found
}

/// Why a link of `page` leads nowhere.
fn fault(page: &Path, text: &str, link: &str) -> Option<String> {
    if link.starts_with("http") {
        return None;
    }
    let (file, section) = link
        .split_once('#')
        .map_or((link, None), |(file, section)| (file, Some(section)));
    let other = page.parent().unwrap().join(file);
    if !file.is_empty() && !other.exists() {
        return Some(format!("{}: {link}: there is no such file", page.display()));
    }
    let section = section?;
    let read = if file.is_empty() {
        text.to_owned()
    } else {
        fs::read_to_string(&other).unwrap()
    };
    (!sections(&read).contains(section)).then(|| format!("{}: {link}: there is no such section", page.display()))
}

#[test]
fn every_link_of_every_page_leads_somewhere() {
    let pages = pages();
    let mut count = 0;
    let mut faults = Vec::new();
    for page in &pages {
        let text = fs::read_to_string(page).unwrap();
        for link in links(&text) {
            count += 1;
            faults.extend(fault(page, &text, link));
        }
    }
    assert!(
        pages.len() >= 20 && count >= 200,
        "{} pages, {count} links",
        pages.len()
    );
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let page = root().join("README.md");
    for (link, leads) in [
        ("hospital-node/docs/doctor.md", true),
        ("hospital-node/docs/doctr.md", false),
        ("#changes", true),
        ("#chnges", false),
    ] {
        assert_eq!(fault(&page, "## Changes\n", link).is_none(), leads, "{link}");
    }
}
