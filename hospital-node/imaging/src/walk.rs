//! The files below a folder, in a fixed order, a few at a time: an archive of a million files is walked in little memory.

use std::{
    fs::{self, DirEntry, ReadDir},
    io,
    path::{Path, PathBuf},
    vec,
};

/// Most files of one folder tree where all of their names are held in memory.
pub const FILES_MAX: usize = 10_000_000;
/// Deeper folders are not entered.
const DEPTH_MAX: usize = 32;
/// Entries of a folder that are held and sorted at once. A folder with more comes in pieces, each sorted.
const PIECE_MAX: usize = 16_384;

/// Walks the files below a folder: in each folder by name, a sub-folder where its name stands.
///
/// Links to folders are followed once each, so that no loop is walked; one that leads to where the walk comes anyway is not
/// followed. What cannot be read is passed over and counted. Files of every kind come, so that each one gets an outcome;
/// one that is no regular file is unreadable for whoever reads it.
pub struct Walk {
    /// From the root to the folder at hand.
    levels: Vec<Level>,
    /// Real names of the root and of folders behind links that were entered.
    entered: Vec<PathBuf>,
    unreadable: u64,
}

struct Level {
    entries: ReadDir,
    piece: vec::IntoIter<(PathBuf, Kind)>,
    /// Whether a link led here.
    behind_link: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    File,
    Folder,
    LinkedFolder,
}

impl Walk {
    /// A walk that begins at `root`.
    ///
    /// # Errors
    /// If `root` itself cannot be read.
    pub fn new(root: &Path) -> io::Result<Self> {
        Ok(Self {
            entered: vec![fs::canonicalize(root)?],
            levels: vec![Level::open(root, false)?],
            unreadable: 0,
        })
    }

    /// How many folders and entries could not be read so far.
    #[must_use]
    pub const fn unreadable(&self) -> u64 {
        self.unreadable
    }

    fn enter(&mut self, path: &Path, kind: Kind) {
        if self.levels.len() >= DEPTH_MAX {
            return;
        }
        let behind_link = kind == Kind::LinkedFolder || self.levels.last().is_some_and(|level| level.behind_link);
        let opened = if behind_link {
            self.is_new(path, kind).and_then(|is_new| {
                let level = is_new.then(|| Level::open(path, true));
                level.transpose()
            })
        } else {
            Level::open(path, false).map(Some)
        };
        match opened {
            Ok(level) => self.levels.extend(level),
            Err(_) => self.unreadable += 1,
        }
    }

    /// Whether a folder behind a link is one where the walk neither was nor comes by itself.
    fn is_new(&mut self, path: &Path, kind: Kind) -> io::Result<bool> {
        let real = fs::canonicalize(path)?;
        if kind == Kind::Folder {
            return Ok(!self.entered.contains(&real));
        }
        if self.entered.iter().any(|entered| real.starts_with(entered)) {
            return Ok(false);
        }
        self.entered.push(real);
        Ok(true)
    }
}

impl Iterator for Walk {
    type Item = PathBuf;

    fn next(&mut self) -> Option<PathBuf> {
        loop {
            let level = self.levels.last_mut()?;
            match level.piece.next() {
                Some((path, Kind::File)) => return Some(path),
                Some((path, kind)) => self.enter(&path, kind),
                None if level.fill(&mut self.unreadable) => {}
                None => {
                    self.levels.pop();
                }
            }
        }
    }
}

impl Level {
    fn open(folder: &Path, behind_link: bool) -> io::Result<Self> {
        Ok(Self {
            entries: fs::read_dir(folder)?,
            piece: Vec::new().into_iter(),
            behind_link,
        })
    }

    /// Takes up the next piece of the folder; false at its end.
    fn fill(&mut self, unreadable: &mut u64) -> bool {
        let mut piece = Vec::new();
        let mut is_at_end = true;
        for entry in self.entries.by_ref().take(PIECE_MAX) {
            is_at_end = false;
            match entry.and_then(|entry| Ok((entry.path(), kind(&entry)?))) {
                Ok(found) => piece.push(found),
                Err(_) => *unreadable += 1,
            }
        }
        piece.sort_unstable();
        self.piece = piece.into_iter();
        !is_at_end
    }
}

/// What an entry is; a link is what it leads to.
fn kind(entry: &DirEntry) -> io::Result<Kind> {
    let kind = entry.file_type()?;
    if kind.is_dir() {
        return Ok(Kind::Folder);
    }
    if kind.is_symlink() && fs::metadata(entry.path())?.is_dir() {
        return Ok(Kind::LinkedFolder);
    }
    Ok(Kind::File)
}

/// All files below `root` in the order of [`Walk`], at most `files_max` of them, and how much could not be read.
///
/// # Errors
/// If `root` itself cannot be read, or holds more files than `files_max`.
pub fn walk(root: &Path, files_max: usize) -> io::Result<(Vec<PathBuf>, u64)> {
    let mut walk = Walk::new(root)?;
    let files: Vec<PathBuf> = walk.by_ref().take(files_max).collect();
    if walk.next().is_some() {
        return Err(io::Error::other(format!(
            "the folder holds more than {files_max} files"
        )));
    }
    Ok((files, walk.unreadable()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(root: &Path) -> Vec<String> {
        let (files, _) = walk(root, 100_000).unwrap();
        let name = |path: &PathBuf| path.strip_prefix(root).unwrap().display().to_string();
        files.iter().map(name).collect()
    }

    #[test]
    fn files_come_sorted_and_loops_end() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("b")).unwrap();
        for name in ["c", "b/x", "a", "b.d"] {
            fs::write(root.path().join(name), name).unwrap();
        }
        symlink(root.path(), root.path().join("b/loop")).unwrap();
        assert_eq!(names(root.path()), ["a", "b/x", "b.d", "c"]);
        let (files, unreadable) = walk(root.path(), 4).unwrap();
        let mut sorted = files.clone();
        sorted.sort();
        assert_eq!((files, unreadable), (sorted, 0));
        assert!(walk(root.path(), 3).is_err());
        assert!(walk(&root.path().join("nowhere"), 3).is_err());
    }

    #[test]
    fn links_that_lead_outside_are_followed_once() {
        let (root, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir_all(other.path().join("deep/er")).unwrap();
        fs::write(other.path().join("deep/er/x"), "").unwrap();
        fs::write(other.path().join("y"), "").unwrap();
        fs::create_dir(root.path().join("inner")).unwrap();
        fs::write(root.path().join("inner/z"), "").unwrap();
        // The deeper folder first, then the one that holds it, which leads back to the root as well.
        symlink(other.path().join("deep"), root.path().join("1")).unwrap();
        symlink(other.path(), root.path().join("2")).unwrap();
        symlink(root.path(), other.path().join("back")).unwrap();
        symlink(root.path().join("inner"), root.path().join("3")).unwrap();
        symlink(other.path().join("y"), root.path().join("file")).unwrap();
        symlink("nowhere", root.path().join("dangling")).unwrap();
        assert_eq!(names(root.path()), ["1/er/x", "2/y", "file", "inner/z"]);
        assert_eq!(walk(root.path(), 10).unwrap().1, 1, "a link to nothing");
    }

    #[test]
    fn a_folder_larger_than_a_piece_loses_no_file() {
        let root = tempfile::tempdir().unwrap();
        for number in 0..PIECE_MAX + 10 {
            fs::write(root.path().join(number.to_string()), "").unwrap();
        }
        let mut found = names(root.path());
        found.sort();
        found.dedup();
        assert_eq!(found.len(), PIECE_MAX + 10);
    }
}
