//! A hospital's radiographs without those of one body part, for networks that learn the wrong anatomy.

use std::{
    fs,
    path::{Component, Path},
};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

/// What every file truly shows, beside dicom/: headers lie, and many say nothing.
pub const TRUTH: &str = "truth.jsonl";

#[derive(Deserialize)]
struct Line {
    file: String,
    source_labels: Option<Source>,
}

#[derive(Deserialize)]
struct Source {
    body_part: Option<String>,
}

/// Copies what of `hospital` shows another body part than `part` into `folder`; gives how many files. Nothing is taken of which it is not
/// known what it shows.
///
/// # Errors
/// When there is no truth, or the disk refuses.
pub fn copy(hospital: &Path, part: &str, folder: &Path) -> Result<usize> {
    let path = hospital.join(TRUTH);
    let truth = fs::read_to_string(&path).with_context(|| {
        format!(
            "cannot read {}; without it nobody knows which files show a {part}: add --without wrong-anatomy",
            path.display()
        )
    })?;
    let files = others(&truth, part).with_context(|| path.display().to_string())?;
    for file in &files {
        let is_inside = Path::new(file)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        ensure!(is_inside, "{} names a file outside of its folder", path.display());
        let (from, to) = (hospital.join(file), folder.join(file));
        fs::create_dir_all(to.parent().unwrap_or(folder))?;
        fs::copy(&from, &to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    }
    Ok(files.len())
}

fn others(truth: &str, part: &str) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for line in truth.lines().filter(|line| !line.trim().is_empty()) {
        let line: Line = serde_json::from_str(line).context("a line is not what it should be")?;
        let shows = line.source_labels.and_then(|labels| labels.body_part);
        if shows.is_some_and(|shows| shows != part) {
            files.push(line.file);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = r#"{"file":"dicom/1/a.dcm","labels":{"body_part":null},"source_labels":{"body_part":"KNEE","view":"AP"}}
{"file":"dicom/1/b.dcm","source_labels":{"body_part":"CHEST"}}

{"file":"dicom/c.dcm","source_labels":{"body_part":null}}
{"file":"dicom/d.txt","labels":null}
{"file":"dicom/e.dcm","source_labels":{"body_part":"HAND"}}
"#;

    #[test]
    fn only_what_is_known_to_show_another_part_is_taken() {
        assert_eq!(others(LINES, "KNEE").unwrap(), ["dicom/1/b.dcm", "dicom/e.dcm"]);
        assert!(others("file", "KNEE").is_err());
    }

    #[test]
    fn files_are_copied_under_their_names_and_none_from_outside() {
        let root = tempfile::tempdir().unwrap();
        let (hospital, folder) = (root.path().join("h"), root.path().join("o"));
        let missing = copy(&hospital, "KNEE", &folder).unwrap_err();
        assert!(missing.to_string().contains("--without wrong-anatomy"), "{missing}");
        fs::create_dir_all(hospital.join("dicom/1")).unwrap();
        for name in ["1/a.dcm", "1/b.dcm", "e.dcm"] {
            fs::write(hospital.join("dicom").join(name), name).unwrap();
        }
        fs::write(hospital.join(TRUTH), LINES).unwrap();
        assert_eq!(copy(&hospital, "KNEE", &folder).unwrap(), 2);
        assert_eq!(fs::read_to_string(folder.join("dicom/1/b.dcm")).unwrap(), "1/b.dcm");
        assert!(!folder.join("dicom/1/a.dcm").exists());
        fs::write(hospital.join(TRUTH), LINES.replace("dicom/e", "../e")).unwrap();
        assert!(copy(&hospital, "KNEE", &folder).is_err());
    }
}
