//! The releases as people list them: with the lineage read, and a look at where each was written.

use std::{collections::BTreeSet, path::Path};

use anyhow::{Context as _, Result};
use snowball_protocol::Sha256Digest;
use snowball_registry::Release;
use snowball_service::files;

use super::{LINEAGE_BYTES_MAX, Lineage};

/// One release with its signed lineage read.
pub struct Listed {
    /// What the database has.
    pub release: Release,
    /// What was signed.
    pub lineage: Lineage,
    /// Whether it lies where it was written.
    pub folder: Folder,
}

/// Whether the release lies where it was written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Folder {
    /// As it was written.
    There,
    /// Moved, or passed on and removed.
    Gone,
    /// Its lineage is not the one that was signed.
    Altered,
}

impl Folder {
    /// The look at `file`, which should hold the lineage that `release` names by its digest.
    fn of(release: &Release) -> Self {
        match files::read_bounded(Path::new(&release.file), LINEAGE_BYTES_MAX) {
            Ok(bytes) if Sha256Digest::of(&bytes) == release.digest => Self::There,
            Ok(_) => Self::Altered,
            Err(_) => Self::Gone,
        }
    }

    /// For the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::There => "there",
            Self::Gone => "moved or removed",
            Self::Altered => "ALTERED",
        }
    }
}

impl Listed {
    /// Reads the lineage of `release`, and looks at its folder.
    ///
    /// # Errors
    /// When the database's lineage cannot be read.
    pub fn of(release: Release) -> Result<Self> {
        let lineage = release.document["lineage"].as_str().unwrap_or_default();
        let lineage = serde_json::from_str(lineage)
            .with_context(|| format!("the database's lineage of {} cannot be read", release.study))?;
        Ok(Self {
            folder: Folder::of(&release),
            release,
            lineage,
        })
    }

    /// How many sites contributed.
    pub fn sites(&self) -> usize {
        let contributions = self.lineage.rounds.iter().flat_map(|round| &round.contributions);
        let sites: BTreeSet<_> = contributions.map(|contribution| &contribution.site).collect();
        sites.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_was_moved_or_altered_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lineage.json");
        let release = Release {
            study: "ages".parse().unwrap(),
            digest: Sha256Digest::of(b"signed"),
            model: Sha256Digest::of(b"model"),
            file: path.display().to_string(),
            document: serde_json::Value::Null,
            released: 0,
        };
        assert_eq!(Folder::of(&release).word(), "moved or removed");
        std::fs::write(&path, b"signed").unwrap();
        assert_eq!(Folder::of(&release).word(), "there");
        std::fs::write(&path, b"changed").unwrap();
        assert_eq!(Folder::of(&release).word(), "ALTERED");
    }
}
