//! What `deidentify` wrote of a patient who withdraws, as its journals know it.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{BufRead as _, BufReader, Lines},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::{
    cli::deidentify::journal::{Head, Line},
    home::Home,
};

/// An output folder that got files of the patient.
#[derive(Serialize, PartialEq, Eq, Debug)]
pub struct Written {
    pub folder: PathBuf,
    /// Files of the patient that were written to it.
    pub files: u64,
    /// Of these: there no more when this looked. They were moved or handed on.
    pub gone: u64,
    /// Deleted now.
    pub removed: u64,
}

/// Looks through the journals of every output folder. `patient_of` gives what the patient is called in the files of a project.
pub fn search(home: &Home, patient_of: impl Fn(&str) -> Result<Option<String>>, remove: bool) -> Result<Vec<Written>> {
    let mut found = Vec::new();
    for journal in journals(home)? {
        found.extend(searched(&journal, &patient_of, remove)?);
    }
    found.sort_by(|one: &Written, other| one.folder.cmp(&other.folder));
    Ok(found)
}

/// What the patient is called in the files of each project that was ever written.
pub fn names(home: &Home, patient_of: impl Fn(&str) -> Result<Option<String>>) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for journal in journals(home)? {
        if let Some((head, _)) = open(&journal)? {
            names.extend(patient_of(&head.project)?);
        }
    }
    Ok(names)
}

fn journals(home: &Home) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(home.root().join("deidentified")) {
        Ok(entries) => entries,
        Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(fault) => return Err(fault).context("cannot read the records of deidentify"),
    };
    let paths = entries.map(|entry| Ok(entry?.path().join("journal.jsonl")));
    paths.collect()
}

/// The head of a journal, and what follows; `None` if there is none.
fn open(journal: &Path) -> Result<Option<(Head, Lines<BufReader<File>>)>> {
    let Ok(file) = File::open(journal) else { return Ok(None) };
    let mut lines = BufReader::new(file).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    Ok(serde_json::from_str::<Head>(&first).ok().map(|head| (head, lines)))
}

fn searched(
    journal: &Path,
    patient_of: impl Fn(&str) -> Result<Option<String>>,
    remove: bool,
) -> Result<Option<Written>> {
    let Some((head, lines)) = open(journal)? else {
        return Ok(None);
    };
    let Some(patient) = patient_of(&head.project)? else {
        return Ok(None);
    };
    let mut names = BTreeSet::new();
    for line in lines {
        // The last line may be cut short by a crash; that file was not handed out.
        let written = serde_json::from_str::<Line>(&line?).ok().and_then(|line| line.output);
        let instance = written.as_deref().and_then(|name| name.split_once('/'));
        if let Some((folder, instance)) = instance
            && folder == patient
            && is_plain(instance)
        {
            names.insert(instance.to_owned());
        }
    }
    if names.is_empty() {
        return Ok(None);
    }
    let folder = head.output.join(&patient);
    let mut written = Written {
        folder: head.output,
        files: names.len() as u64,
        gone: 0,
        removed: 0,
    };
    for name in names {
        let path = folder.join(name);
        if !path.is_file() {
            written.gone += 1;
        } else if remove {
            fs::remove_file(&path).with_context(|| format!("cannot delete {}; do this again", path.display()))?;
            written.removed += 1;
        }
    }
    if written.removed > 0 {
        File::open(&folder)
            .and_then(|folder| folder.sync_all())
            .with_context(|| format!("cannot sync {}; do this again", folder.display()))?;
        // One that holds something else stays.
        let _ = fs::remove_dir(&folder);
    }
    Ok(Some(written))
}

/// A name of a file and no way to another folder: the journal is ours, and a mistake in it must cost nobody a file.
fn is_plain(name: &str) -> bool {
    name.ends_with(".dcm") && !name.contains(['/', '\\', '\0'])
}

impl Written {
    fn left(&self) -> u64 {
        self.files - self.gone - self.removed
    }

    pub fn text(&self) -> String {
        let folder = self.folder.display();
        let mut parts = Vec::new();
        for (count, what) in [
            (self.removed, "deleted now"),
            (
                self.left(),
                "still there: withdraw again with --remove-written deletes them",
            ),
            (self.gone, "no longer there"),
        ] {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        }
        format!(
            "deidentify wrote {} files of the patient to {folder} ({}); copies that were handed on are with whoever got them",
            self.files,
            parts.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use snowball_protocol::Sha256Digest;

    use super::*;

    #[test]
    fn files_of_the_patient_alone_are_found_and_deleted_when_told_to() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("out");
        let head = Head {
            policy: Sha256Digest::of(b"policy"),
            project: "lungs".to_owned(),
            edition: "2024e".to_owned(),
            output: output.clone(),
        };
        let line = |name: &str| Line {
            input: Sha256Digest::of(name.as_bytes()),
            content: Sha256Digest::of(name.as_bytes()),
            output: Some(name.to_owned()),
            reason: None,
        };
        let mut lines = vec![serde_json::to_string(&head).unwrap()];
        for name in ["ab/1.dcm", "ab/2.dcm", "ab/2.dcm", "cd/3.dcm", "ab/../4.dcm"] {
            lines.push(serde_json::to_string(&line(name)).unwrap());
        }
        lines.push("{\"cut".to_owned());
        let journal = folder.path().join("journal.jsonl");
        fs::write(&journal, lines.join("\n")).unwrap();
        for name in ["ab/1.dcm", "cd/3.dcm", "4.dcm"] {
            fs::create_dir_all(output.join(name).parent().unwrap()).unwrap();
            fs::write(output.join(name), b"pixels").unwrap();
        }
        let asked = |project: &str, remove| {
            let patient_of = |of: &str| Ok((of == project).then(|| "ab".to_owned()));
            searched(&journal, patient_of, remove).unwrap()
        };
        assert_eq!(asked("hands", true), None);
        let written = |removed, gone| {
            Some(Written {
                folder: output.clone(),
                files: 2,
                gone,
                removed,
            })
        };
        assert_eq!(asked("lungs", false), written(0, 1));
        assert_eq!(asked("lungs", true), written(1, 1));
        assert!(!output.join("ab").exists() && output.join("cd/3.dcm").exists() && output.join("4.dcm").exists());
        assert_eq!(asked("lungs", true), written(0, 2));
        assert!(
            written(1, 1)
                .unwrap()
                .text()
                .contains("1 deleted now, 1 no longer there")
        );
    }
}
