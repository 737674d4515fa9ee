//! A file of one document a line, each in canonical JSON: written and read one line at a time.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, BufWriter, Read as _, Write as _},
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};
use snowball_protocol::{digest::RunningDigest, plan::canonical_json};

use crate::{
    export::{ExportError, at},
    manifest::ListedFile,
};

/// Longest line, in bytes: the record of a round with 10,000 sites fits.
pub(crate) const LINE_BYTES_MAX: usize = 64 << 20;

/// A table that is being written.
pub struct Table {
    name: String,
    path: PathBuf,
    file: BufWriter<File>,
    digest: RunningDigest,
    bytes: u64,
}

impl Table {
    pub(crate) fn create(name: &str, path: &Path) -> Result<Self, ExportError> {
        Ok(Self {
            name: name.to_owned(),
            path: path.to_owned(),
            file: BufWriter::new(File::create(path).map_err(at(path))?),
            digest: RunningDigest::default(),
            bytes: 0,
        })
    }

    /// Writes the next line.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn push(&mut self, document: &impl Serialize) -> Result<(), ExportError> {
        let mut line = canonical_json(document);
        line.push(b'\n');
        self.file.write_all(&line).map_err(at(&self.path))?;
        self.digest.update(&line);
        self.bytes += line.len() as u64;
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<ListedFile, ExportError> {
        self.file.flush().map_err(at(&self.path))?;
        Ok(ListedFile {
            path: self.name,
            bytes: self.bytes,
            digest: self.digest.finish(),
        })
    }
}

/// Why a line of a table is none.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum LineFault {
    /// The file cannot be read.
    Unreadable,
    /// It is too long or not a document of this kind.
    Malformed,
}

/// The documents of a table, one at a time; after a fault nothing more comes.
pub(crate) fn documents<T: DeserializeOwned>(file: File) -> impl Iterator<Item = Result<T, LineFault>> {
    let mut lines = BufReader::new(file);
    let mut is_over = false;
    std::iter::from_fn(move || {
        if is_over {
            return None;
        }
        let mut line = Vec::new();
        let mut bounded = lines.by_ref().take(LINE_BYTES_MAX as u64);
        let document = match bounded.read_until(b'\n', &mut line) {
            Ok(0) => return None,
            Ok(_) if line.ends_with(b"\n") => serde_json::from_slice(&line).map_err(|_| LineFault::Malformed),
            Ok(_) => Err(LineFault::Malformed),
            Err(_) => Err(LineFault::Unreadable),
        };
        is_over = document.is_err();
        Some(document)
    })
}
