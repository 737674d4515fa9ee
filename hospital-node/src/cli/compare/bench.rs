//! What a comparison is trained with: the dataset of the question, and what its arms begin from.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, Result};
use snowball_protocol::Sha256Digest;
use snowball_service::output;

use super::{Context, Question, starts};
use crate::{
    beginning,
    cli::alone::Alone,
    comparisons::Noted,
    parent::{self, Opened},
};

/// The dataset and trainer of the question, and of what is trained before.
pub(super) struct Bench {
    pub alone: Alone,
    pub before: Vec<Alone>,
    /// What `from` names, but for what is trained here.
    pub opened: BTreeMap<String, Opened>,
    /// What every run follows from.
    pub digest: Sha256Digest,
}

impl Bench {
    /// Freezes the datasets, asks the policy for each, and opens every network that an arm begins from: what is missing ends the command
    /// before anything is trained.
    pub fn prepare(context: &Context, question: &Question) -> Result<Self> {
        let mut opened = BTreeMap::new();
        let arms = question.comparison.arms.iter().flat_map(|arm| &arm.from);
        let first = question.comparison.pretrain.iter().filter_map(|one| one.from.as_ref());
        for (field, from) in arms
            .map(|from| ("arms.from", from))
            .chain(first.map(|from| ("pretrain.from", from)))
        {
            if !from.starts_with("pretrained:") && !opened.contains_key(from) {
                let source = from.parse()?;
                let one = parent::open(&context.home()?, &source, None).with_context(|| format!("{field}: {from}"))?;
                output::note(format_args!("{from}: {}", one.parents[0].told()));
                opened.insert(from.clone(), one);
            }
        }
        starts::check(question, &opened)?;
        let alone = Alone::prepare(context, question.plan.clone())?;
        let before: Vec<Alone> = question
            .before
            .iter()
            .map(|plan| Alone::prepare(context, plan.clone()))
            .collect::<Result<_>>()?;
        let mut text = question.digest().to_string();
        for one in std::iter::once(&alone).chain(&before) {
            text += &one.dataset_digest().to_string();
        }
        for one in opened.values() {
            text += &one.parents[0].digest.to_string();
        }
        Ok(Self {
            alone,
            before,
            opened,
            digest: Sha256Digest::of(text.as_bytes()),
        })
    }

    /// Has the node remember `out`, and which datasets what will lie there comes from.
    pub fn note(&self, out: &Path) -> Result<()> {
        let folder = fs::canonicalize(out).with_context(|| format!("cannot use {}", out.display()))?;
        let datasets = std::iter::once(&self.alone).chain(&self.before);
        let noted = Noted {
            format: 1,
            folder,
            digest: self.digest,
            datasets: datasets.map(Alone::dataset_digest).collect(),
        };
        noted.write(&self.alone.home)
    }

    /// What the report says of how it was done.
    pub fn facts(&self, question: &Question) -> Vec<(String, String)> {
        let plan = &question.plan;
        let network = &plan.network;
        let mut facts = vec![
            ("study".to_owned(), plan.study.to_string()),
            ("label".to_owned(), plan.heads[0].label.code().to_owned()),
            (
                "network".to_owned(),
                format!(
                    "{}, {} channels in its first stage, {} parameters, pictures of {} pixels",
                    network.architecture.code(),
                    network.width,
                    self.alone.layout.parameters(),
                    network.input_side
                ),
            ),
            ("dataset".to_owned(), self.alone.dataset_digest().to_string()),
            ("trainings".to_owned(), question.comparison.runs().to_string()),
            ("computed on".to_owned(), self.alone.device().to_owned()),
            (
                "program".to_owned(),
                format!("hospital-node {}", env!("CARGO_PKG_VERSION")),
            ),
        ];
        if let Some(start) = &plan.start {
            facts.push((
                "arms that begin from weights".to_owned(),
                format!("begin as the plan's [start] says, from {}", beginning::origin(start)),
            ));
        }
        for (from, one) in &self.opened {
            facts.push((from.clone(), one.parents[0].told()));
        }
        facts
    }
}
