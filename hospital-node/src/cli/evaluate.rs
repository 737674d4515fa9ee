//! `evaluate`: how good a model that is kept on site is, on this site's patients.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use clap::Args;
use serde::Serialize;
use snowball_crypto::Pseudonym;
use snowball_metrics::Resampling;
use snowball_protocol::{evaluation::Evaluation, plan::Head, site_label::SiteValue};
use snowball_store::Store;
use snowball_worker::shard::{Part, Shard, ShardRecord};

use super::{
    Context,
    kept_model::{KeptModel, PartChoice},
};
use crate::{
    events,
    figures::{self, Figures, Material},
    outputs::told_heads,
    round,
};

/// Evaluate a model of a study on this site's patients, in all and by sex, age, view and body part. Nothing leaves; the policy must permit it.
#[derive(Args)]
#[command(after_help = "Example: hospital-node evaluate --plan plan.toml --model federated --part testing")]
pub struct Evaluate {
    #[command(flatten)]
    of: KeptModel,
    /// On which patients.
    #[arg(long, value_enum, default_value_t = PartChoice::Testing)]
    part: PartChoice,
    /// Resamples of patients behind each interval.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(100..=100_000))]
    resamples: u32,
}

/// What is printed: counts and sums as a site reports them, and what is made of them here.
#[derive(Serialize)]
struct Document {
    #[serde(flatten)]
    evaluation: Evaluation,
    part: Part,
    #[serde(flatten)]
    figures: Figures,
}

impl Evaluate {
    pub fn run(self, context: &Context) -> Result<()> {
        let opened = self.of.open(context)?;
        let (part, source) = (self.part.part(), &opened.dataset.source);
        let evaluation = round::quality(
            &opened.trainer,
            &opened.plan,
            source,
            part,
            &opened.parameters,
            opened.digest,
        )?;
        let shard = Shard::open(source)?;
        let told = opened.asked().tell(&shard, part)?;
        let training = shard.records().iter().filter(|record| record.part == Part::Training);
        let own = told.iter().map(|told| own_terms(&opened.store, &told.record));
        // Masks are judged where they are drawn; what is told are the other heads.
        let heads: Vec<Head> = told_heads(&opened.plan.heads).cloned().collect();
        let material = Material {
            heads: &heads,
            told: &told,
            own: &own.collect::<Result<Vec<_>>>()?,
            constants: &figures::constants(&heads, training),
            cell_min: opened.cell_min,
            resampling: Resampling {
                resamples: self.resamples,
                ..Resampling::default()
            },
        };
        let figures = material.figures().context("the trainer told no probabilities")?;
        let document = Document {
            evaluation,
            part,
            figures,
        };
        context.print(&document, || {
            format!(
                "{} radiographs: {}\n{}",
                document.evaluation.images,
                events::summary(&document.evaluation),
                figures::text(&document.figures)
            )
        })
    }
}

/// The classes among the hospital's own labels of a radiograph.
fn own_terms(store: &Store, record: &ShardRecord) -> Result<BTreeMap<String, String>> {
    let radiograph: Pseudonym = record
        .radiograph
        .parse()
        .context("the dataset names a radiograph badly")?;
    let labels = store.site_labels(&radiograph)?.into_iter();
    Ok(labels
        .filter_map(|(name, label)| match label.value {
            SiteValue::Class(code) => Some((name, code)),
            SiteValue::Number(_) | SiteValue::Mask { .. } => None,
        })
        .collect())
}
