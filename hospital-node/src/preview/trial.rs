//! The round on made-up radiographs: drawn, taken into a node of their own, trained on.

use std::path::Path;

use anyhow::{Context as _, Result};
use snowball_layout::Layout;
use snowball_phantoms::{Consortium, Hospital, read_truth};
use snowball_protocol::{RoundNumber, Sha256Digest, evaluation::Evaluation};
use snowball_worker::{
    key::DatasetSource,
    shard::{Part, Shard},
};

use super::{
    Wish,
    search::{self, Markers},
};
use crate::{
    cli::init,
    config::NodeConfig,
    home::Home,
    round::{self, Order, Trained},
    selftest::Progress,
    trainer::Trainer,
};

/// Longest side of the pictures, in pixels. What leaves does not depend on it.
const LONGEST_SIDE: u32 = 128;
/// Fewest pictures that give every part of a dataset some patients.
pub const FILES_MIN: u64 = 40;

pub fn draw(wish: &Wish<'_>, folder: &Path, progress: &Progress<'_>) -> Result<Hospital> {
    let consortium = Consortium {
        seed: wish.seed,
        // The first hospital of a consortium examines every part of the body, at every age.
        hospitals: 1,
        images_per_hospital: wish.files.max(FILES_MIN),
        longest_side: LONGEST_SIDE,
        hostile_fraction: 0.0,
    };
    let bar = (progress.0)("radiographs", 0);
    let hospitals = snowball_phantoms::write(&consortium, &folder.join("radiographs"), &|done, all| {
        bar.set_length(all);
        bar.set_position(done);
    })
    .context("cannot draw the radiographs")?;
    bar.finish_and_clear();
    hospitals.into_iter().next().context("no hospital was drawn")
}

/// A node of its own, with keys of its own, that knows nothing of the real one but how it is set up. Its secret follows from the seed:
/// which part a made-up patient belongs to follows from the secret, and the same preview shows the same fields each time.
pub fn make_home(root: &Path, config: &NodeConfig, seed: u64) -> Result<Home> {
    init::make(root, config.site.clone(), config.training.threads)?;
    let home = Home::existing(root)?;
    let secret = hex::encode(Sha256Digest::of(format!("snowball preview {seed}").as_bytes()).as_bytes());
    snowball_service::files::write_private(&home.site_secret(), secret.as_bytes())
        .context("cannot write the secret of the preview's own node")?;
    Ok(home)
}

pub fn train(
    wish: &Wish<'_>,
    config: &NodeConfig,
    layout: &Layout,
    source: &DatasetSource,
    trainer: &Trainer,
    progress: &Progress<'_>,
) -> Result<(Trained, Evaluation)> {
    let mut plan = wish.plan.clone();
    plan.local.steps = wish.steps.unwrap_or(plan.local.steps);
    // Also where the plan begins from weights, which are not at hand here: other values, the same fields.
    let before = layout.initial_parameters(plan.seed);
    let model = snowball_layout::to_le_bytes(&before);
    let order = Order {
        plan: &plan,
        dataset: source,
        site: &config.site,
        round: RoundNumber(1),
        measures: true,
        kept: None,
        correction: None,
    };
    let bar = (progress.0)("training", u64::from(plan.local.steps));
    let trained = round::train(trainer, &order, model, |step, _, _| bar.set_position(u64::from(step)))?;
    bar.finish_and_clear();
    // Alone in the study, the site's own model is the final one.
    let mut after: Vec<f32> = before
        .iter()
        .zip(&trained.delta)
        .map(|(old, change)| old + change)
        .collect();
    layout.kept(&plan).lay_over(&trained.kept, &mut after);
    let digest = Sha256Digest::of(&snowball_layout::to_le_bytes(&after));
    let last = round::quality(trainer, &plan, source, Part::Validation, &after, digest)?;
    Ok((trained, last))
}

/// Everything planted in the headers, and the codes that stand for patients and radiographs inside.
pub fn markers(drawn: &Hospital, source: &DatasetSource) -> Result<Markers> {
    let mut markers = Markers::new();
    for truth in read_truth(&drawn.truth).context("cannot read what was planted")? {
        for one in truth.identifiers.into_iter().filter(|one| !one.is_drawn) {
            markers.insert(one.value, "a text of a header");
        }
    }
    let shard = Shard::open(source).context("cannot read the dataset")?;
    for record in shard.records() {
        markers.insert(record.patient.clone(), search::CODE);
        markers.insert(record.radiograph.clone(), search::CODE);
    }
    Ok(markers)
}
