//! Which radiographs a run was begun with: a run that goes on with others would compare networks of different patients.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use snowball_protocol::Sha256Digest;

use super::{Hospital, TABLE, other_parts};

/// What is kept of it, beside the question.
pub const FILE: &str = "radiographs.sha256";

/// A digest of every file that a run reads: name and size, and of the tables, which say what is learned, the content. The radiographs
/// themselves are not read for it; there may be many gigabytes.
///
/// # Errors
/// When a folder cannot be read.
pub(super) fn digest(hospitals: &[Hospital]) -> Result<Sha256Digest> {
    let mut listing = String::new();
    for hospital in hospitals {
        for name in [TABLE, other_parts::TRUTH] {
            let path = hospital.folder.join(name);
            if path.is_file() {
                let content = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
                writeln!(listing, "{} {name:?} {}", hospital.name, Sha256Digest::of(&content))?;
            }
        }
        let mut files = Vec::new();
        walk(&hospital.folder.join("dicom"), &mut files)?;
        files.sort();
        for (path, bytes) in files {
            let name = path.strip_prefix(&hospital.folder).unwrap_or(&path);
            writeln!(listing, "{} {name:?} {bytes}", hospital.name)?;
        }
    }
    Ok(Sha256Digest::of(listing.as_bytes()))
}

fn walk(folder: &Path, files: &mut Vec<(PathBuf, u64)>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let is = fs::metadata(&path).with_context(|| format!("cannot read {}", path.display()))?;
        if is.is_dir() {
            walk(&path, files)?;
        } else {
            files.push((path, is.len()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_files_sizes_and_grades_are_another_listing() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir_all(at("dicom/1")).unwrap();
        fs::write(at("dicom/1/a.dcm"), "a").unwrap();
        fs::write(at("dicom/b.dcm"), "b").unwrap();
        fs::write(at(TABLE), "key,oa\n1,0\n").unwrap();
        let hospitals = [Hospital {
            name: "hospital-a".parse().unwrap(),
            folder: root.path().to_owned(),
        }];
        let now = || digest(&hospitals).unwrap();
        let first = now();
        fs::write(at("notes.txt"), "nobody reads this").unwrap();
        assert_eq!(now(), first);
        fs::write(at(TABLE), "key,oa\n1,1\n").unwrap();
        let regraded = now();
        fs::write(at("dicom/b.dcm"), "longer").unwrap();
        let longer = now();
        fs::rename(at("dicom/1/a.dcm"), at("dicom/1/c.dcm")).unwrap();
        let renamed = now();
        let all = [first, regraded, longer, renamed];
        for (place, one) in all.iter().enumerate() {
            assert!(!all[..place].contains(one), "{place}");
        }
    }
}
