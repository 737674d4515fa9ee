//! What lies beside a model that this site trained alone: by which plan it was trained, how, and from which models it comes.

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use snowball_crypto::VerifyingKey;
use snowball_protocol::{Sha256Digest, StudyName, StudyPlan, ids::UnixSeconds, plan::Origin};
use snowball_service::files;
use snowball_worker::{draw::LabelDraw, groups::Pace};

use crate::home::Home;

const RECORD_BYTES_MAX: usize = 4 << 20;

/// The content of `models/STUDY-local.json`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalModel {
    /// Version of this format: 1.
    pub format: u16,
    /// SHA-256 of `models/STUDY-local.f32`.
    pub model: Sha256Digest,
    /// What it was trained by.
    pub plan: StudyPlan,
    /// When.
    pub made: UnixSeconds,
    /// Steps that were done.
    pub steps: u32,
    /// After which of them the parameters were kept, where the best were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_step: Option<u32>,
    /// What learned how fast, where it was fine-tuned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pace: Option<Pace>,
    /// The labels that it learned from, where they were not all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draw: Option<LabelDraw>,
    /// What it began with, then what that began with, as far as it is known; empty where it began at random.
    pub parents: Vec<Parent>,
}

/// A model that another one began with.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parent {
    /// What the person named.
    pub from: String,
    /// The study that made it, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub study: Option<StudyName>,
    /// SHA-256 of the file.
    pub digest: Sha256Digest,
    /// SHA-256 of its parameters, as rounds, receipts and releases name a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Sha256Digest>,
    /// Who vouches for it.
    pub signature: SignatureCheck,
}

/// Whether a release's signature was looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignatureCheck {
    /// It is this key's.
    Holds {
        /// Whose.
        key: VerifyingKey,
    },
    /// There is one, and no key was given.
    NotChecked,
    /// What is no release has none.
    None,
}

impl LocalModel {
    /// The record beside the local model of `study`; nothing where there is none.
    pub fn read(home: &Home, study: &StudyName) -> Result<Option<Self>> {
        let path = home.local_model_record(study);
        if !path.exists() {
            return Ok(None);
        }
        let bytes =
            files::read_bounded(&path, RECORD_BYTES_MAX).with_context(|| format!("cannot read {}", path.display()))?;
        let record = serde_json::from_slice(&bytes).with_context(|| format!("{} does not parse", path.display()))?;
        Ok(Some(record))
    }

    /// Puts it beside the model.
    pub fn write(&self, home: &Home) -> Result<()> {
        let path = home.local_model_record(&self.plan.study);
        files::write_private(&path, &serde_json::to_vec_pretty(self)?)
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

impl Parent {
    /// What a release's own plan says that it began from. The release's signature vouches for those words, not for that model.
    pub fn of(origin: &Origin) -> Self {
        let (study, digest, model) = match origin {
            Origin::Release { study, lineage, model } => (Some(study.clone()), *lineage, Some(*model)),
            Origin::File { digest, .. } => (None, *digest, None),
        };
        Self {
            from: origin.name(),
            study,
            digest,
            model,
            signature: SignatureCheck::None,
        }
    }

    /// For people.
    pub fn told(&self) -> String {
        let study = self
            .study
            .as_ref()
            .map(|study| format!(" of {study}"))
            .unwrap_or_default();
        let vouched = match &self.signature {
            SignatureCheck::Holds { key } => format!("; its signature is that of {key}"),
            SignatureCheck::NotChecked => {
                "; its signature was NOT checked: name the aggregator's key with --key".to_owned()
            }
            SignatureCheck::None => "; it bears no signature".to_owned(),
        };
        format!("{}{study}, {}{vouched}", self.from, self.digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_as_it_was_written_and_says_what_was_not_checked() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        let plan: StudyPlan = toml::from_str(include_str!("../../policies/cases/studies/body-parts.toml")).unwrap();
        assert_eq!(LocalModel::read(&home, &plan.study).unwrap(), None);
        files::create_home(&home.models()).unwrap();
        let record = LocalModel {
            format: 1,
            model: Sha256Digest::of(b"model"),
            made: 1_700_000_000,
            steps: 90,
            best_step: Some(60),
            pace: Some(Pace::HEADS_ALONE),
            draw: Some(LabelDraw { labels: 50, seed: 7 }),
            parents: vec![Parent {
                from: "release-1".to_owned(),
                study: Some(plan.study.clone()),
                digest: Sha256Digest::of(b"file"),
                model: None,
                signature: SignatureCheck::NotChecked,
            }],
            plan,
        };
        record.write(&home).unwrap();
        let read = LocalModel::read(&home, &record.plan.study).unwrap();
        assert_eq!(read.as_ref(), Some(&record));
        assert!(record.parents[0].told().contains("NOT checked"));
    }
}
