//! The files below a folder, in a fixed order.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

/// Deeper folders are not entered.
const DEPTH_MAX: usize = 32;

/// All files below `root`, sorted by path, at most `files_max` of them. Links to folders are followed once each, so that
/// no loop is walked; folders that cannot be read are passed over and counted.
///
/// # Errors
/// If `root` itself cannot be read, or holds more files than `files_max`.
pub fn walk(root: &Path, files_max: usize) -> io::Result<(Vec<PathBuf>, u64)> {
    let mut files = Vec::new();
    let mut entered = BTreeSet::from([fs::canonicalize(root)?]);
    let mut folders = vec![(root.to_path_buf(), 0)];
    let mut unreadable = 0;
    while let Some((folder, depth)) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if depth == 0 => return Err(error),
            Err(_) => {
                unreadable += 1;
                continue;
            }
        };
        for entry in entries {
            let Ok(path) = entry.map(|entry| entry.path()) else {
                unreadable += 1;
                continue;
            };
            match fs::metadata(&path) {
                Ok(about) if about.is_dir() => {
                    let real = fs::canonicalize(&path)?;
                    if depth + 1 < DEPTH_MAX && entered.insert(real) {
                        folders.push((path, depth + 1));
                    }
                }
                Ok(_) if files.len() >= files_max => {
                    return Err(io::Error::other(format!(
                        "the folder holds more than {files_max} files"
                    )));
                }
                // Files of every kind, so that each one gets an outcome; one that is no regular file is unreadable.
                Ok(_) => files.push(path),
                Err(_) => unreadable += 1,
            }
        }
    }
    files.sort();
    Ok((files, unreadable))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_sorted_and_loops_end() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("b")).unwrap();
        for name in ["c", "b/x", "a"] {
            fs::write(root.path().join(name), name).unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(root.path(), root.path().join("b/loop")).unwrap();
        let (files, unreadable) = walk(root.path(), 10).unwrap();
        let names: Vec<_> = files
            .iter()
            .map(|path| path.strip_prefix(root.path()).unwrap().to_owned())
            .collect();
        assert_eq!(names, ["a", "b/x", "c"].map(PathBuf::from));
        assert_eq!(unreadable, 0);
        assert!(walk(root.path(), 2).is_err());
    }
}
