//! The files that every program gets: phantoms of a stated size, or somebody's own.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;

/// Most files that are taken from a folder.
const FILES_MAX: usize = 1_000_000;

/// Files that are measured together. They lie in one folder under plain names, so that no program gains by names or
/// folders and none loses a file to another of the same name.
#[derive(Clone, Serialize)]
pub struct Corpus {
    /// What they are, for people.
    pub name: String,
    #[serde(skip)]
    pub folder: PathBuf,
    #[serde(skip)]
    pub paths: Vec<PathBuf>,
    pub files: u64,
    pub bytes: u64,
}

impl Corpus {
    /// Draws `images` phantoms whose longest side is about `side` pixels below `root`.
    ///
    /// # Errors
    /// When a number is out of range or the disk refuses.
    pub fn phantoms(root: &Path, images: u64, side: u32) -> Result<Self> {
        let drawn = root.join(format!("drawn-{side}"));
        let consortium = snowball_phantoms::Consortium {
            seed: 11,
            hospitals: 4,
            images_per_hospital: images.div_ceil(4),
            longest_side: side,
            hostile_fraction: 0.0,
        };
        snowball_phantoms::write(&consortium, &drawn, &|_, _| {}).context("cannot draw the phantoms")?;
        let (mut paths, _) = snowball_imaging::walk(&drawn, FILES_MAX)?;
        paths.retain(|path| path.extension().is_none_or(|end| end != "jsonl"));
        // Of each hospital as many as of the others, so that all four transfer syntaxes are there.
        paths.truncate(usize::try_from(images)?);
        let name = format!("phantoms, longest side {side} px");
        let corpus = Self::copied(name, &paths, &root.join(format!("side-{side}")))?;
        fs::remove_dir_all(&drawn)?;
        Ok(corpus)
    }

    /// Copies the files below `source`, at most `files_max` of them spread over all.
    ///
    /// # Errors
    /// When there are none or the disk refuses.
    pub fn of(source: &Path, root: &Path, files_max: u64) -> Result<Self> {
        let (paths, _) =
            snowball_imaging::walk(source, FILES_MAX).with_context(|| format!("cannot read {}", source.display()))?;
        ensure!(!paths.is_empty(), "{} holds no file", source.display());
        let step = paths.len().div_ceil(usize::try_from(files_max)?).max(1);
        let chosen: Vec<PathBuf> = paths.into_iter().step_by(step).collect();
        Self::copied(source.display().to_string(), &chosen, &root.join("given"))
    }

    fn copied(name: String, from: &[PathBuf], folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let mut corpus = Self {
            name,
            folder: folder.to_owned(),
            paths: Vec::with_capacity(from.len()),
            files: from.len() as u64,
            bytes: 0,
        };
        for (number, path) in from.iter().enumerate() {
            let to = folder.join(format!("{number:06}.dcm"));
            // The content alone: a copy of a file that may not be written could not be edited in place.
            let content = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            fs::write(&to, &content).with_context(|| format!("cannot write {}", to.display()))?;
            corpus.bytes += content.len() as u64;
            corpus.paths.push(to);
        }
        Ok(corpus)
    }

    /// Writes the paths, one a line, dealt out to `processes` lists in turn.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn lists(&self, folder: &Path, processes: usize) -> Result<Vec<PathBuf>> {
        (0..processes)
            .map(|process| {
                let list = folder.join(format!("list-{processes}-{process}"));
                let lines: Vec<String> = self
                    .paths
                    .iter()
                    .skip(process)
                    .step_by(processes)
                    .map(|path| path.display().to_string())
                    .collect();
                fs::write(&list, lines.join("\n") + "\n")?;
                Ok(list)
            })
            .collect()
    }

    /// Reads every file once, so that none of the programs is the one that waits for the disk.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn warm(&self) -> Result<()> {
        for path in &self.paths {
            fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        }
        Ok(())
    }
}

/// The paths in a list that [`Corpus::lists`] wrote.
///
/// # Errors
/// When it cannot be read.
pub fn listed(list: &Path) -> Result<Vec<PathBuf>> {
    let text = fs::read_to_string(list).with_context(|| format!("cannot read {}", list.display()))?;
    Ok(text.lines().map(PathBuf::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_stands_in_one_list() {
        let folder = tempfile::tempdir().unwrap();
        let corpus = Corpus::phantoms(folder.path(), 8, 64).unwrap();
        assert_eq!((corpus.files, corpus.paths.len()), (8, 8));
        let lists = corpus.lists(folder.path(), 3).unwrap();
        let mut all: Vec<PathBuf> = lists.iter().flat_map(|list| listed(list).unwrap()).collect();
        all.sort();
        assert_eq!(all, corpus.paths);
        let again = Corpus::of(&corpus.folder, &folder.path().join("again"), 4).unwrap();
        assert_eq!(again.files, 4, "spread over all");
    }
}
