//! Where `compare` put what networks said of this site's radiographs. Its folders lie wherever a person wanted them, and hold a line
//! for each training with what the network said of each radiograph: so the node remembers them, for patients who withdraw.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use snowball_protocol::Sha256Digest;
use snowball_service::files;

use crate::home::Home;

/// What each training of a comparison said, a line each, in the order of the dataset.
pub const RUNS: &str = "runs.jsonl";

/// Version of what `runs.jsonl` means; with 2 a plan's `[start]` is followed.
pub const RUNS_FORMAT: u16 = 2;

const NOTE_BYTES_MAX: usize = 1 << 20;
const HEAD_BYTES_MAX: u64 = 4096;

/// The first line of `runs.jsonl`.
#[derive(Serialize, Deserialize)]
pub struct Begun {
    pub format: u16,
    /// What every run follows from.
    pub digest: Sha256Digest,
}

impl Begun {
    /// What a line says, if it is such a line.
    pub fn of(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }

    /// The first line of the file at `path`; nothing where there is no such file, or another one under its name.
    ///
    /// # Errors
    /// If it cannot be read, which does not mean that it is gone.
    pub fn read(path: &Path) -> io::Result<Option<Self>> {
        let file = match File::open(path) {
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut line = Vec::new();
        BufReader::new(file.take(HEAD_BYTES_MAX)).read_until(b'\n', &mut line)?;
        Ok(Self::of(&line))
    }
}

/// A folder that a comparison was written to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Noted {
    /// Version of this format: 1.
    pub format: u16,
    /// The folder, without links on the way.
    pub folder: PathBuf,
    /// What every run in it follows from.
    pub digest: Sha256Digest,
    /// The datasets that its networks learned from or were judged on.
    pub datasets: Vec<Sha256Digest>,
}

impl Noted {
    /// Remembers the folder, in place of what it held before.
    pub fn write(&self, home: &Home) -> Result<()> {
        let folder = home.comparisons();
        files::create_home(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let name = Sha256Digest::of(self.folder.as_os_str().as_encoded_bytes())
            .to_string()
            .replace(':', "-");
        let path = folder.join(format!("{name}.json"));
        files::write_private(&path, &serde_json::to_vec_pretty(self)?)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Every folder that is remembered, in the order of their paths.
    pub fn all(home: &Home) -> Result<Vec<Self>> {
        let folder = home.comparisons();
        let entries = match fs::read_dir(&folder) {
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.with_context(|| format!("cannot read {}", folder.display()))?,
        };
        let mut all = Vec::new();
        for entry in entries {
            let path = entry
                .with_context(|| format!("cannot read {}", folder.display()))?
                .path();
            // What a crash left half written is another name.
            if path.extension().is_none_or(|end| end != "json") {
                continue;
            }
            let bytes = files::read_bounded(&path, NOTE_BYTES_MAX)
                .with_context(|| format!("cannot read {}", path.display()))?;
            let noted: Self = serde_json::from_slice(&bytes).with_context(|| {
                format!(
                    "{} does not parse: it named a folder of `compare`; look through those folders yourself, then delete it",
                    path.display()
                )
            })?;
            all.push(noted);
        }
        all.sort_by(|one, other| one.folder.cmp(&other.folder));
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_remembered_and_a_note_that_does_not_parse_stops_whoever_asks() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        assert_eq!(Noted::all(&home).unwrap(), []);
        let noted = |path: &str, digest: &[u8]| Noted {
            format: 1,
            folder: PathBuf::from(path),
            digest: Sha256Digest::of(digest),
            datasets: vec![Sha256Digest::of(b"spines")],
        };
        for one in [noted("/b", b"1"), noted("/a", b"2"), noted("/b", b"3")] {
            one.write(&home).unwrap();
        }
        assert_eq!(Noted::all(&home).unwrap(), [noted("/a", b"2"), noted("/b", b"3")]);
        fs::write(home.comparisons().join("cut.json"), b"{\"format\"").unwrap();
        let fault = Noted::all(&home).unwrap_err().to_string();
        assert!(fault.contains("cut.json") && fault.contains("delete it"), "{fault}");
    }
}
