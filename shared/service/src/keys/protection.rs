//! Keys that lie in the clear go under the passphrase, and back.

use std::{
    fs::File,
    io::{Seek as _, Write as _},
    path::{Path, PathBuf},
};

use snowball_crypto::{unwrap, wrap};

use super::{KEY_BYTES_MAX, Kept, KeyError, Keys, file_error, wrapping};
use crate::files;

impl Keys {
    /// Puts those of `paths` that are in the clear under the passphrase; gives how many. What a crash left undone is done by
    /// the next call, with the same passphrase.
    ///
    /// # Errors
    /// As [`read`](Self::read); and when the passphrase is another than the one of a file that is wrapped already.
    pub fn protect(&self, paths: &[PathBuf]) -> Result<usize, KeyError> {
        let clear = self.of_kind(paths, Kept::Clear)?;
        for path in self.of_kind(paths, Kept::Wrapped)? {
            self.read(&path)?;
        }
        if clear.is_empty() {
            return Ok(0);
        }
        let passphrase = self.new_passphrase()?;
        for path in &clear {
            let plain = self.read(path)?;
            let wrapped = wrap(&plain, &passphrase).map_err(|source| wrapping(path, source))?;
            // Read again before the only copy goes.
            unwrap(&wrapped, &passphrase).map_err(|source| wrapping(path, source))?;
            replace(path, &wrapped)?;
        }
        Ok(clear.len())
    }

    /// Puts those of `paths` that are under a passphrase in the clear; gives how many.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn unprotect(&self, paths: &[PathBuf]) -> Result<usize, KeyError> {
        let wrapped = self.of_kind(paths, Kept::Wrapped)?;
        for path in &wrapped {
            let plain = self.read(path)?;
            replace(path, &plain)?;
        }
        Ok(wrapped.len())
    }

    fn of_kind(&self, paths: &[PathBuf], kind: Kept) -> Result<Vec<PathBuf>, KeyError> {
        let mut found = Vec::new();
        for path in paths {
            if self.kept(path)? == kind {
                found.push(path.clone());
            }
        }
        Ok(found)
    }
}

/// Replaces a key, then overwrites the file that it replaced, as far as the disk lets us.
fn replace(path: &Path, content: &str) -> Result<(), KeyError> {
    let failed = |source| file_error(path, source);
    let mut before = File::options().read(true).write(true).open(path).map_err(failed)?;
    files::write_private(path, content.as_bytes()).map_err(failed)?;
    let length = before.metadata().map_err(failed)?.len();
    let zeros = vec![0; usize::try_from(length).unwrap_or(KEY_BYTES_MAX).min(KEY_BYTES_MAX)];
    before
        .rewind()
        .and_then(|()| before.write_all(&zeros))
        .and_then(|()| before.sync_all())
        .map_err(failed)
}
