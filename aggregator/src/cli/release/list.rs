//! `aggregator release list`: what this consortium has published, and what began from what.

use std::path::Path;

use anyhow::Result;
use clap::Args;
use serde_json::json;
use snowball_protocol::{StudyName, plan::Origin};
use snowball_service::clock;

use crate::{
    cli::{
        Answer, open,
        table::{ago, table},
    },
    home::Home,
    release::{Folder, Listed},
};

/// Lists the releases, the oldest first, with what each began from.
#[derive(Args)]
#[command(after_help = "Example:\n  aggregator release list")]
pub struct List {}

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
        let rows: Vec<_> = listed.iter().map(|one| row(one, now)).collect();
        let head = ["study", "released", "model", "rounds", "sites", "began from", "folder"];
        let json = listed.iter().map(json).collect();
        Ok(Answer::new(table(head, &rows).trim_end().to_owned(), json))
    }
}

fn row(one: &Listed, now: i64) -> [String; 7] {
    let path = Path::new(&one.release.file);
    let folder = path.parent().unwrap_or(path).display();
    [
        one.release.study.to_string(),
        ago(now, one.release.released),
        one.release.model.short(),
        one.lineage.rounds.len().to_string(),
        one.sites().to_string(),
        began(one.lineage.plan.parents()),
        match one.folder {
            Folder::There => folder.to_string(),
            other => format!("{folder} ({})", other.word()),
        },
    ]
}

fn json(one: &Listed) -> serde_json::Value {
    json!({
        "study": one.release.study, "released": one.release.released, "release_digest": one.release.digest,
        "model_digest": one.release.model, "rounds": one.lineage.rounds.len(), "sites": one.sites(),
        "parents": one.lineage.plan.parents(), "lineage_file": one.release.file, "folder": one.folder.word(),
    })
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
    use snowball_protocol::Sha256Digest;

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
}
