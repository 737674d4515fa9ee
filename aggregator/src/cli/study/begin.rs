//! `--from`: the weights that a study begins with, read, judged and laid over its seed.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use snowball_crypto::VerifyingKey;
use snowball_protocol::{
    Sha256Digest, StudyPlan,
    limits::{PARAMETERS_MAX, START_NAME_CHARACTERS_MAX},
    plan::Origin,
};
use snowball_service::files;
use snowball_weights::{Begun, Found, Release, Weights, Wish, begin};

use crate::{
    cli::{Refused, read_key},
    home::Home,
    release::{LINEAGE_BYTES_MAX, LINEAGE_FILE, MODEL_FILE, SIGNATURE_FILE},
};

/// The largest network with its running means, in binary32, and its header.
const WEIGHTS_BYTES_MAX: usize = PARAMETERS_MAX as usize * 4 + (64 << 20);
const SIGNATURE_BYTES_MAX: usize = 1024;

/// What a study begins from.
#[derive(Args)]
pub struct BeginFrom {
    /// Begin from these weights instead of from the seed alone: a release's folder, or a safetensors file (PyTorch's under torchvision's
    /// names). The plan that the sites approve names them
    #[arg(long, value_name = "WHERE")]
    from: Option<PathBuf>,
    /// The public key that signed the release, base64 or a file that holds it [default: this aggregator's]
    #[arg(long, value_name = "KEY", requires = "from")]
    key: Option<String>,
    /// Take only so many of the trunk's lowest stages, such as 2 for a stem and the first stage
    #[arg(long, value_name = "NUMBER", requires = "from", value_parser = clap::value_parser!(u32).range(1..))]
    layers: Option<u32>,
    /// Take no head, not even of the same label and classes
    #[arg(long, requires = "from")]
    fresh_heads: bool,
    /// Write the plan that the sites approve, with what it begins from, to this file, as JSON
    #[arg(long, value_name = "FILE", requires = "from")]
    out: Option<PathBuf>,
}

/// Weights that were read.
struct Opened {
    weights: Weights,
    plan: Option<StudyPlan>,
    parents: Vec<Origin>,
}

impl BeginFrom {
    /// Begins the study from what is named, if something is: `plan` then says what. A plan that says it already must mean these weights.
    pub fn begin(&self, home: &Home, plan: &mut StudyPlan) -> Result<Option<Begun>> {
        let Some(path) = &self.from else {
            return Ok(None);
        };
        let opened = self.open(home, path)?;
        let found = Found {
            weights: &opened.weights,
            plan: opened.plan.as_ref(),
            parents: &opened.parents,
        };
        let wish = Wish {
            layers: self.layers.map(|layers| layers as usize),
            fresh_heads: self.fresh_heads,
        };
        let begun = begin(found, plan, wish)
            .map_err(|fault| Refused(format!("{} cannot begin from {}: {fault}", plan.study, path.display())))?;
        match &plan.start {
            Some(start) if *start != begun.start => bail!(Refused(format!(
                "the plan begins from {}, the model of round 0 being {}; {} gives {}, of {}. Name the weights that the plan means, or take \
                 [start] out of the plan: it is then filled in, and the sites approve another plan",
                start.parents.first().map(Origin::name).unwrap_or_default(),
                start.model,
                path.display(),
                begun.start.model,
                begun.start.parents.first().map(Origin::name).unwrap_or_default(),
            ))),
            _ => plan.start = Some(begun.start.clone()),
        }
        if let Some(fault) = plan.faults().first() {
            bail!(Refused(format!("with these weights the plan breaks a rule: {fault}")));
        }
        Ok(Some(begun))
    }

    /// Writes the plan for the sites' boards, where that is asked for.
    pub fn write(&self, plan: &StudyPlan) -> Result<()> {
        let Some(out) = &self.out else { return Ok(()) };
        let text = serde_json::to_string_pretty(plan)? + "\n";
        files::write_durable(out, text.as_bytes()).with_context(|| format!("cannot write {}", out.display()))
    }

    fn open(&self, home: &Home, path: &Path) -> Result<Opened> {
        if path.is_dir() {
            let key = match &self.key {
                Some(key) => read_key(key)?,
                None => read_key(&home.public_key_file().display().to_string())?,
            };
            return release(path, &key);
        }
        if self.key.is_some() {
            bail!("only a release's folder is signed; leave out --key, or name the folder that holds {LINEAGE_FILE}");
        }
        file(path)
    }
}

fn release(folder: &Path, key: &VerifyingKey) -> Result<Opened> {
    let document = read(&folder.join(LINEAGE_FILE), LINEAGE_BYTES_MAX).with_context(|| {
        format!(
            "{} is no release's folder; name one, or a safetensors file",
            folder.display()
        )
    })?;
    let signature = read(&folder.join(SIGNATURE_FILE), SIGNATURE_BYTES_MAX)?;
    if !snowball_audit::is_lineage_signed(&document, &signature, key) {
        bail!(Refused(format!(
            "the release in {} is not signed by the key {key}; nothing begins from it. Name its aggregator's key with --key, or fetch the \
             release again",
            folder.display()
        )));
    }
    let model = read(&folder.join(MODEL_FILE), WEIGHTS_BYTES_MAX)?;
    let release = Release::read(&document, &model).map_err(|fault| {
        Refused(format!(
            "nothing begins from the release in {}: {fault}",
            folder.display()
        ))
    })?;
    Ok(Opened {
        parents: release.origins(),
        weights: release.weights,
        plan: Some(release.plan),
    })
}

fn file(path: &Path) -> Result<Opened> {
    let bytes = read(path, WEIGHTS_BYTES_MAX)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let parent = Origin::File {
        name: name.chars().take(START_NAME_CHARACTERS_MAX).collect(),
        digest: Sha256Digest::of(&bytes),
    };
    let weights =
        Weights::read(&bytes).map_err(|fault| Refused(format!("cannot begin from {}: {fault}", path.display())))?;
    Ok(Opened {
        weights,
        plan: None,
        parents: vec![parent],
    })
}

fn read(path: &Path, bytes_max: usize) -> Result<Vec<u8>> {
    files::read_bounded(path, bytes_max).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use safetensors::{Dtype, tensor::TensorView};

    use super::*;
    use crate::fixture;

    #[test]
    fn a_file_gives_its_low_layers_and_is_named_without_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let mut plan = fixture::plan("knees");
        let layout = snowball_layout::Layout::of(&plan);
        let learned = snowball_layout::to_le_bytes(&layout.initial_parameters(99));
        let tensors = layout.tensors.iter().map(|tensor| {
            let bytes = &learned[tensor.offset * 4..(tensor.offset + tensor.values()) * 4];
            let view = TensorView::new(Dtype::F32, tensor.shape.clone(), bytes).unwrap();
            (tensor.name.as_str(), view)
        });
        let path = folder.path().join("former.safetensors");
        let content = safetensors::serialize(tensors, None).unwrap();
        std::fs::write(&path, &content).unwrap();
        let home = Home::at(&folder.path().join("home"));
        let mut from = BeginFrom {
            from: Some(path),
            key: None,
            layers: Some(1),
            fresh_heads: false,
            out: Some(folder.path().join("for-the-boards.json")),
        };
        let seeded = plan.clone();
        let begun = from.begin(&home, &mut plan).unwrap().unwrap();
        let start = plan.start.clone().unwrap();
        assert_eq!(start, begun.start);
        assert_eq!((start.stages.len(), start.heads.len()), (1, 0));
        let parent = Origin::File {
            name: "former.safetensors".to_owned(),
            digest: Sha256Digest::of(&content),
        };
        assert_eq!(start.parents, [parent]);
        from.write(&plan).unwrap();
        let written = std::fs::read(from.out.clone().unwrap()).unwrap();
        assert_eq!(
            serde_json::from_slice::<StudyPlan>(&written).unwrap().digest(),
            plan.digest()
        );

        // The plan that says what it begins from needs no more words, and takes nothing else.
        from.layers = None;
        assert_eq!(from.begin(&home, &mut plan).unwrap().unwrap().start, start);
        plan.seed += 1;
        let refused = from.begin(&home, &mut plan).unwrap_err();
        assert!(
            refused.is::<Refused>() && refused.to_string().contains("take [start] out of the plan"),
            "{refused}"
        );

        let mut plan = seeded;
        from.key = Some("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=".to_owned());
        assert!(from.begin(&home, &mut plan).is_err(), "a bare file bears no signature");
    }
}
