//! Where a network learns on from: a release, a model that is kept on site, or a safetensors file; with what is known of it.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
};

use anyhow::{Context as _, Result, bail, ensure};
use snowball_crypto::VerifyingKey;
use snowball_layout::Layout;
use snowball_protocol::{Sha256Digest, StudyName, StudyPlan, limits::PLAN_BYTES_MAX};
use snowball_service::files;
use snowball_weights::{Release, ReleaseError, Weights};

use crate::{
    home::Home,
    local_model::{LocalModel, Parent, SignatureCheck},
};

/// Far above the largest network, with its running means and in binary32.
const WEIGHTS_BYTES_MAX: usize = 4 << 30;
/// A lineage of many rounds and sites.
const LINEAGE_BYTES_MAX: usize = 256 << 20;
const SIGNATURE_BYTES_MAX: usize = 1024;
/// Plans that are looked through for that of a model kept on site.
const PLANS_MAX: usize = 10_000;

/// What `--from` names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// `local:STUDY`: the model of a study that this site trained alone.
    Local(StudyName),
    /// `federated:STUDY`: the final model of a study.
    Federated(StudyName),
    /// A release's folder, or a safetensors file.
    Path(PathBuf),
}

impl FromStr for Source {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let study = |name: &str| {
            name.parse::<StudyName>()
                .with_context(|| format!("{name:?} is no study's name"))
        };
        Ok(match text.split_once(':') {
            Some(("local", name)) => Self::Local(study(name)?),
            Some(("federated", name)) => Self::Federated(study(name)?),
            _ => Self::Path(text.into()),
        })
    }
}

/// Weights, and what is known of them.
pub struct Opened {
    pub weights: Weights,
    /// The plan that they were trained by; unknown of a bare file.
    pub plan: Option<StudyPlan>,
    /// This one, then its own parents as far as they are known, nearest first.
    pub parents: Vec<Parent>,
}

/// Opens what `source` names. A release's files must be those of its lineage, and with `key` its lineage must be signed by that key.
pub fn open(home: &Home, source: &Source, key: Option<&VerifyingKey>) -> Result<Opened> {
    match source {
        Source::Path(path) if path.is_dir() => release(path, key),
        _ if key.is_some() => {
            bail!("only a release's folder is signed; leave out --key, or name the folder that holds lineage.json")
        }
        Source::Path(path) => file(path),
        Source::Local(study) => local(home, study),
        Source::Federated(study) => federated(home, study),
    }
}

fn release(folder: &Path, key: Option<&VerifyingKey>) -> Result<Opened> {
    let document = read(&folder.join("lineage.json"), LINEAGE_BYTES_MAX).with_context(|| {
        format!(
            "{} is no release's folder; name one, or a safetensors file",
            folder.display()
        )
    })?;
    let signature = match key {
        Some(key) => {
            check_signature(folder, &document, key)?;
            SignatureCheck::Holds { key: *key }
        }
        None => SignatureCheck::NotChecked,
    };
    let bytes = read(&folder.join("model.safetensors"), WEIGHTS_BYTES_MAX)?;
    let release = match Release::read(&document, &bytes) {
        Err(ReleaseError::Altered) => bail!(crate::cli::Refused(format!(
            "the release in {}: {}",
            folder.display(),
            ReleaseError::Altered
        ))),
        read => read.with_context(|| format!("cannot use the release in {}", folder.display()))?,
    };
    let parent = Parent {
        from: folder.display().to_string(),
        study: Some(release.plan.study.clone()),
        digest: release.file,
        model: Some(release.model),
        signature,
    };
    let before = release.plan.parents().iter().map(Parent::of);
    Ok(Opened {
        parents: std::iter::once(parent).chain(before).collect(),
        weights: release.weights,
        plan: Some(release.plan),
    })
}

fn check_signature(folder: &Path, document: &[u8], key: &VerifyingKey) -> Result<()> {
    let signature = read(&folder.join("lineage.json.sig"), SIGNATURE_BYTES_MAX)?;
    if !snowball_audit::is_lineage_signed(document, &signature, key) {
        bail!(crate::cli::Refused(format!(
            "the release in {} is not signed by the key {key}; its weights are not used. Ask the coordinator for the key, or fetch \
             the release again",
            folder.display()
        )));
    }
    Ok(())
}

fn file(path: &Path) -> Result<Opened> {
    let bytes = read(path, WEIGHTS_BYTES_MAX)?;
    let parent = Parent {
        from: path.display().to_string(),
        study: None,
        digest: Sha256Digest::of(&bytes),
        model: None,
        signature: SignatureCheck::None,
    };
    let weights = Weights::read(&bytes).with_context(|| format!("cannot begin with {}", path.display()))?;
    Ok(Opened {
        weights,
        plan: None,
        parents: vec![parent],
    })
}

fn local(home: &Home, study: &StudyName) -> Result<Opened> {
    let record = LocalModel::read(home, study)?.with_context(|| {
        format!(
            "this site has no model of {study} with a record of how it was trained; first: pretrain --local or finetune"
        )
    })?;
    let (values, digest) = numbers(&home.model(study, "local"), &Layout::of(&record.plan))?;
    ensure!(
        digest == record.model,
        "{} is not the model that {} tells of; train it again",
        home.model(study, "local").display(),
        home.local_model_record(study).display()
    );
    Ok(kept_on_site(
        format!("local:{study}"),
        record.plan,
        &values,
        digest,
        record.parents,
    ))
}

fn federated(home: &Home, study: &StudyName) -> Result<Opened> {
    let path = home.model(study, "federated");
    let bytes = std::fs::metadata(&path)
        .with_context(|| format!("this site has no final model of {study} ({})", path.display()))?
        .len();
    let plan = plans(home, study)?
        .into_iter()
        .find(|plan| Layout::of(plan).bytes() == bytes)
        .with_context(|| format!("the plan of {study} is not among those that this node was shown"))?;
    let (values, digest) = numbers(&path, &Layout::of(&plan))?;
    let before = plan.parents().iter().map(Parent::of).collect();
    Ok(kept_on_site(
        format!("federated:{study}"),
        plan,
        &values,
        digest,
        before,
    ))
}

fn kept_on_site(from: String, plan: StudyPlan, values: &[f32], digest: Sha256Digest, parents: Vec<Parent>) -> Opened {
    let parent = Parent {
        from,
        study: Some(plan.study.clone()),
        digest,
        model: Some(digest),
        signature: SignatureCheck::None,
    };
    Opened {
        weights: Weights::of(&Layout::of(&plan), values),
        plan: Some(plan),
        parents: std::iter::once(parent).chain(parents).collect(),
    }
}

/// The plans of `study` that this node was shown.
fn plans(home: &Home, study: &StudyName) -> Result<Vec<StudyPlan>> {
    let folder = home.plans();
    let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut plans = Vec::new();
    for entry in entries.take(PLANS_MAX) {
        let bytes = read(&entry?.path(), PLAN_BYTES_MAX)?;
        let plan: Option<StudyPlan> = serde_json::from_slice(&bytes).ok();
        plans.extend(plan.filter(|plan| plan.study == *study && plan.faults().is_empty()));
    }
    Ok(plans)
}

fn numbers(path: &Path, layout: &Layout) -> Result<(Vec<f32>, Sha256Digest)> {
    let bytes = read(path, usize::try_from(layout.bytes())?)?;
    ensure!(
        bytes.len() as u64 == layout.bytes(),
        "{} is not a model of its plan",
        path.display()
    );
    let values = snowball_layout::from_le_bytes(&bytes).context("the model is no list of numbers")?;
    Ok((values, Sha256Digest::of(&bytes)))
}

fn read(path: &Path, bytes_max: usize) -> Result<Vec<u8>> {
    files::read_bounded(path, bytes_max).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_model_kept_on_site_or_a_path() {
        let read = |text: &str| text.parse::<Source>();
        assert_eq!(
            read("local:body-parts").unwrap(),
            Source::Local("body-parts".parse().unwrap())
        );
        assert_eq!(
            read("federated:body-parts").unwrap(),
            Source::Federated("body-parts".parse().unwrap())
        );
        assert_eq!(read("release-1").unwrap(), Source::Path("release-1".into()));
        assert_eq!(read("c:/weights").unwrap(), Source::Path("c:/weights".into()));
        assert!(read("local:../keys").is_err());
    }
}
