//! `aggregator release list`: what this consortium has published, and what began from what.

use std::{collections::BTreeSet, path::Path};

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::json;
use snowball_protocol::{Sha256Digest, StudyName, plan::Origin};
use snowball_registry::Release;
use snowball_service::{clock, files};

use crate::{
    cli::{
        Answer, open,
        table::{ago, table},
    },
    home::Home,
    release::{LINEAGE_BYTES_MAX, Lineage},
};

/// Lists the releases, the oldest first, with what each began from.
#[derive(Args)]
#[command(after_help = "Example:\n  aggregator release list")]
pub struct List {}

/// One release with its signed lineage read.
struct Listed {
    release: Release,
    lineage: Lineage,
    folder: Folder,
}

/// Whether the release lies where it was written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Folder {
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

    const fn word(self) -> &'static str {
        match self {
            Self::There => "there",
            Self::Gone => "moved or removed",
            Self::Altered => "ALTERED",
        }
    }
}

impl List {
    /// The database's releases; a folder that is no longer where it was written is told.
    pub async fn run(&self, home: &Home) -> Result<Answer> {
        let (_, registry) = open(home).await?;
        let releases = registry.releases().await?;
        registry.close().await;
        let listed = releases.into_iter().map(Listed::of).collect::<Result<Vec<_>>>()?;
        let now = clock::now();
        if listed.is_empty() {
            let text = "Nothing was released yet; when a study is in review: aggregator release create STUDY --out DIR";
            return Ok(Answer::new(text.to_owned(), json!([])));
        }
        let rows: Vec<_> = listed.iter().map(|one| one.row(now)).collect();
        let head = ["study", "released", "model", "rounds", "sites", "began from", "folder"];
        let json = listed.iter().map(Listed::json).collect();
        Ok(Answer::new(table(head, &rows).trim_end().to_owned(), json))
    }
}

impl Listed {
    fn of(release: Release) -> Result<Self> {
        let lineage = release.document["lineage"].as_str().unwrap_or_default();
        let lineage = serde_json::from_str(lineage)
            .with_context(|| format!("the database's lineage of {} cannot be read", release.study))?;
        Ok(Self {
            folder: Folder::of(&release),
            release,
            lineage,
        })
    }

    fn sites(&self) -> usize {
        let contributions = self.lineage.rounds.iter().flat_map(|round| &round.contributions);
        let sites: BTreeSet<_> = contributions.map(|contribution| &contribution.site).collect();
        sites.len()
    }

    fn row(&self, now: i64) -> [String; 7] {
        let path = Path::new(&self.release.file);
        let folder = path.parent().unwrap_or(path).display();
        [
            self.release.study.to_string(),
            ago(now, self.release.released),
            self.release.model.short(),
            self.lineage.rounds.len().to_string(),
            self.sites().to_string(),
            began(self.lineage.plan.parents()),
            match self.folder {
                Folder::There => folder.to_string(),
                other => format!("{folder} ({})", other.word()),
            },
        ]
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "study": self.release.study, "released": self.release.released, "release_digest": self.release.digest,
            "model_digest": self.release.model, "rounds": self.lineage.rounds.len(), "sites": self.sites(),
            "parents": self.lineage.plan.parents(), "lineage_file": self.release.file, "folder": self.folder.word(),
        })
    }
}

/// The chain of what a study began from, nearest first, in a few words.
fn began(parents: &[Origin]) -> String {
    let word = |origin: &Origin| match origin {
        Origin::Release { study, .. } => StudyName::to_string(study),
        Origin::File { name, .. } => format!("the file {name}"),
    };
    if parents.is_empty() {
        return "its seed".to_owned();
    }
    parents.iter().map(word).collect::<Vec<_>>().join(" < ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_told_from_the_nearest_on() {
        let digest = Sha256Digest::of(b"x");
        let parents = [
            Origin::Release {
                study: "ages".parse().unwrap(),
                lineage: digest,
                model: digest,
            },
            Origin::File {
                name: "resnet18.safetensors".to_owned(),
                digest,
            },
        ];
        assert_eq!(began(&parents), "ages < the file resnet18.safetensors");
        assert_eq!(began(&[]), "its seed");
    }

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
