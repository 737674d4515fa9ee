//! The records of `deidentify`, summed up: how often what became of which attribute, and by which rule.

use std::{
    collections::{BTreeMap, HashSet},
    fs::{self, File},
    io::{BufRead as _, BufReader},
    path::Path,
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use snowball_confidentiality::{Tag, name};
use snowball_protocol::{Sha256Digest, intake::IntakeReason};

use crate::{
    cli::deidentify::journal::{Head, Line},
    home::Home,
};

/// An output folder.
#[derive(Serialize)]
pub struct Folder<N = u64> {
    /// The name of its records.
    pub records: String,
    pub policy: Sha256Digest,
    pub edition: String,
    /// Files written, each looked at again.
    pub written: u64,
    /// Of those that were not: why. `identifier_remains` is what the second look found and deleted.
    pub reasons: BTreeMap<IntakeReason, N>,
    /// Decisions on record.
    pub decisions: u64,
}

/// What became of one attribute, over all files and levels.
#[derive(Clone, Serialize)]
pub struct Attribute {
    /// As the standard writes the tag; private ones together by group.
    pub tag: String,
    pub keyword: String,
    pub vr: String,
    /// How often, by action.
    pub actions: BTreeMap<String, u64>,
    /// How often, by (action, rule).
    pub rules: BTreeMap<String, BTreeMap<String, u64>>,
}

/// A line of `decisions.jsonl`.
#[derive(Deserialize)]
struct Decision {
    instance: String,
    path: String,
    attribute: String,
    vr: String,
    action: String,
    rule: String,
}

/// Sums up the records of every output folder.
pub fn read(home: &Home) -> Result<(Vec<Folder>, Vec<Attribute>)> {
    let (mut folders, mut attributes) = (Vec::new(), BTreeMap::new());
    let entries = match fs::read_dir(home.root().join("deidentified")) {
        Ok(entries) => entries,
        Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => return Ok((folders, Vec::new())),
        Err(fault) => return Err(fault).context("cannot read the records of deidentify"),
    };
    for entry in entries {
        let path = entry?.path();
        if let Some(mut folder) = journal(&path)? {
            folder.decisions = decisions(&path.join("decisions.jsonl"), &mut attributes)?;
            folders.push(folder);
        }
    }
    folders.sort_by(|one, other| one.records.cmp(&other.records));
    Ok((folders, attributes.into_values().collect()))
}

fn journal(path: &Path) -> Result<Option<Folder>> {
    let Ok(file) = File::open(path.join("journal.jsonl")) else {
        return Ok(None);
    };
    let mut lines = BufReader::new(file).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let Ok(head) = serde_json::from_str::<Head>(&first) else {
        return Ok(None);
    };
    // A file that was done again, after a crash or a deletion, counts as it ended.
    let mut ends: BTreeMap<Sha256Digest, Option<IntakeReason>> = BTreeMap::new();
    for line in lines {
        if let Ok(line) = serde_json::from_str::<Line>(&line?) {
            ends.insert(line.input, line.reason);
        }
    }
    let mut folder = Folder {
        records: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        policy: head.policy,
        edition: head.edition,
        written: 0,
        reasons: BTreeMap::new(),
        decisions: 0,
    };
    for end in ends.into_values() {
        match end {
            None => folder.written += 1,
            Some(reason) => *folder.reasons.entry(reason).or_default() += 1,
        }
    }
    Ok(Some(folder))
}

fn decisions(path: &Path, attributes: &mut BTreeMap<String, Attribute>) -> Result<u64> {
    let Ok(file) = File::open(path) else { return Ok(0) };
    // The lines of one file lie together; an instance that comes again was made again.
    let (mut done, mut current): (HashSet<String>, String) = (HashSet::new(), String::new());
    let (mut skipping, mut seen, mut counted) = (false, HashSet::new(), 0);
    for line in BufReader::new(file).lines() {
        let Ok(decision) = serde_json::from_str::<Decision>(&line?) else {
            continue;
        };
        if decision.instance != current {
            done.insert(std::mem::replace(&mut current, decision.instance.clone()));
            skipping = done.contains(&current);
            seen.clear();
        }
        if skipping || !seen.insert((decision.path.clone(), decision.attribute.clone())) {
            continue;
        }
        counted += 1;
        let tag = shown_tag(&decision.attribute);
        let attribute = attributes.entry(tag.clone()).or_insert_with(|| Attribute {
            keyword: keyword(&tag),
            tag,
            vr: decision.vr.clone(),
            actions: BTreeMap::new(),
            rules: BTreeMap::new(),
        });
        *attribute.actions.entry(decision.action.clone()).or_default() += 1;
        let rules = attribute.rules.entry(decision.action).or_default();
        *rules.entry(decision.rule).or_default() += 1;
    }
    Ok(counted)
}

/// Private attributes by their group: which of them a machine writes is told by nobody's standard.
fn shown_tag(text: &str) -> String {
    match text.parse::<Tag>() {
        Ok(tag) if tag.is_private() => format!("({:04X},xxxx)", tag.0),
        _ => text.to_owned(),
    }
}

fn keyword(tag: &str) -> String {
    match tag.parse::<Tag>() {
        Ok(tag) => name(tag).map(|name| name.keyword.to_owned()).unwrap_or_default(),
        Err(_) => "private".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_are_summed_up_and_files_made_again_count_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("decisions.jsonl");
        let line = |instance: &str, attribute: &str, action: &str| {
            format!(
                r#"{{"instance":"{instance}","path":"","attribute":"{attribute}","vr":"LO","action":"{action}","rule":"private attribute"}}"#
            )
        };
        let lines = [
            line("1", "(0008,0060)", "keep"),
            line("1", "(0009,1010)", "remove"),
            line("2", "(0008,0060)", "keep"),
            line("1", "(0008,0060)", "keep"),
            "{\"cut".to_owned(),
        ];
        fs::write(&path, lines.join("\n")).unwrap();
        let mut attributes = BTreeMap::new();
        assert_eq!(decisions(&path, &mut attributes).unwrap(), 3);
        assert_eq!(attributes["(0008,0060)"].actions["keep"], 2);
        assert_eq!(attributes["(0009,xxxx)"].keyword, "private");
        assert_eq!(attributes["(0008,0060)"].keyword, "Modality");
    }
}
