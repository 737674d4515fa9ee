//! The dry run of a study, before a board approves it: one round on made-up radiographs, and the very messages that would
//! leave, byte for byte, with words for each field.
//!
//! The radiographs are drawn ([`snowball_phantoms`]) into a node that is deleted afterwards, and go through the real intake,
//! freeze, trainer, filter and record. The messages come from the functions that build those of a real round
//! ([`snowball_egress::preview`]). No patient's file is read and no connection opened.

mod document;
mod fields;
mod french;
#[cfg(test)]
pub mod sample;
mod search;
mod standing;
mod translate;
mod trial;
mod update;
mod words;

use std::path::Path;

use anyhow::{Context as _, Result};
use snowball_egress::{Assumed, Kind, Message, Shown};
use snowball_encoding::Coding;
use snowball_layout::Layout;
use snowball_policy::DatasetFacts;
use snowball_protocol::{RoundNumber, Sha256Digest, StudyPlan, evaluation::Evaluation, ids::UnixSeconds};
use snowball_service::files;
use snowball_web::Language;

use crate::{
    config::NodeConfig,
    datasets,
    home::Home,
    round::Trained,
    selftest::{self, Progress},
    trainer,
};

pub use document::{Preview, Told};
pub use fields::Field;
pub use french::french;
pub use standing::{Answer, Standing};
pub use trial::FILES_MIN;
pub use words::About;

use document::{Asked, Mock, Plan, Totals, Without, tell};
use trial::{draw, make_home, markers, train};
use update::Update;
use words::{HEADERS, REQUESTS};

/// Smallest size of a class where no policy says one: all is shown.
const CELL_MIN: u64 = 1;

/// What to show.
pub struct Wish<'a> {
    pub plan: &'a StudyPlan,
    /// Which made-up radiographs.
    pub seed: u64,
    /// How many.
    pub files: u64,
    /// Steps to train; none: as many as the plan says. What leaves does not depend on it.
    pub steps: Option<u32>,
}

/// A preview and the bytes that it tells of, by the name of their file.
pub struct Made {
    pub preview: Preview,
    pub bodies: Vec<(String, Vec<u8>)>,
}

/// The real node, as far as a preview asks it.
pub struct Site<'a> {
    /// Its trainer, dictionary and store settings.
    pub config: &'a NodeConfig,
    pub standing: Standing,
}

/// Runs one round in `folder`, which is empty and goes away afterwards.
///
/// # Errors
/// When the disk or the trainer refuses, or what was trained would not be fit to leave.
pub fn run(wish: &Wish<'_>, site: Site<'_>, folder: &Path, progress: &Progress<'_>, now: UnixSeconds) -> Result<Made> {
    let begun = std::time::Instant::now();
    let (plan, layout) = (wish.plan, Layout::of(wish.plan));
    let drawn = draw(wish, folder, progress)?;
    let home = make_home(&folder.join("home"), site.config, wish.seed)?;
    selftest::take_in(&home, site.config, &drawn.dicom, progress)?;
    let store = home.open_store(site.config)?;
    let policy = site.standing.policy.as_ref();
    let dataset = datasets::freeze_with(&home, &store, plan, policy.map_or(0, |policy| policy.cell_min))?;
    let trainer = trainer::choose(&site.config.training, &home.scratch())?;
    let (trained, last) = train(wish, site.config, &layout, &dataset.source, &trainer, progress)?;

    let assumed = Assumed {
        // Where there is no policy yet, some fingerprint of the same length stands for it.
        policy_digest: policy.map_or_else(|| Sha256Digest::of(b"the policy to come"), |policy| policy.digest),
        metrics: Some(Shown {
            cell_min: policy.map_or(CELL_MIN, |policy| policy.cell_min),
            with_details: true,
        }),
    };
    let say = |assumed: &Assumed| say(&home, plan, &layout, &trained, &last, dataset.facts, assumed, now);
    let mut messages = say(&assumed)?;
    let withheld = say(&Assumed {
        metrics: None,
        ..assumed
    })?;
    if let Some(obstacle) = site.standing.obstacle() {
        messages.push(snowball_egress::decline(plan, &obstacle.clause, &obstacle.public_words));
    }
    let ending = Coding::of(plan, layout.parameters()).ending();
    let told = tell(&messages, ending)?;
    let without = Without::of(&told, &tell(&withheld, ending)?, plan);
    let bodies: Vec<(String, Vec<u8>)> = (told.iter().zip(&messages))
        .map(|(told, message)| (told.file.clone(), message.body.as_bytes().to_vec()))
        .collect();
    let named: Vec<(&str, &[u8])> = bodies.iter().map(|(file, body)| (file.as_str(), &body[..])).collect();
    let sent = messages.iter().find(|message| message.kind == Kind::Update);
    let sent = sent
        .map(|message| message.body.as_bytes())
        .context("no update would leave")?;
    let search = search::search(&named, &markers(&drawn, &dataset.source)?)?;
    let preview = Preview {
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: now,
        language: Language::English,
        plan: Plan::of(plan),
        mock: Mock::of(wish, &drawn, &dataset.frozen, &trainer, begun.elapsed().as_secs_f64()),
        standing: site.standing,
        totals: Totals::of(&told, plan),
        messages: told,
        update: Update::of(plan, &layout, sent)?,
        without_measurements: without,
        requests: REQUESTS
            .map(|(path, often, meaning)| Asked { path, often, meaning })
            .into(),
        headers: HEADERS,
        search,
    };
    Ok(Made { preview, bodies })
}

/// Most bytes that the update of a plan may have.
pub fn update_bytes(plan: &StudyPlan) -> u64 {
    *Coding::of(plan, Layout::of(plan).parameters()).bytes().end()
}

// Each is needed once, and a struct for one call would only move the list.
#[allow(clippy::too_many_arguments)]
fn say(
    home: &Home,
    plan: &StudyPlan,
    layout: &Layout,
    trained: &Trained,
    last: &Evaluation,
    dataset: DatasetFacts,
    assumed: &Assumed,
    now: UnixSeconds,
) -> Result<Vec<Message>> {
    let candidate = trained.clone().candidate(RoundNumber(1), layout.digest(), dataset);
    let ledger = home.open_ledger(&home.config()?)?;
    let mut ledger = ledger.lock().map_err(|_| anyhow::anyhow!("the ledger is in use"))?;
    snowball_egress::preview(plan, candidate, last.clone(), assumed, &mut ledger, now)
        .context("with made-up radiographs, nothing would leave")
}

/// Writes the bodies, `preview.json` and the page into `folder`, which is new or empty; gives the digest of `preview.json`.
///
/// # Errors
/// When the folder holds something, or the disk refuses.
pub fn write(folder: &Path, made: &Made, page: &str) -> Result<Sha256Digest> {
    let at = |name: &str| folder.join(name);
    for (file, body) in &made.bodies {
        files::write_durable(&at(file), body).with_context(|| format!("cannot write {}", at(file).display()))?;
    }
    let json = serde_json::to_vec_pretty(&made.preview)?;
    for (file, bytes) in [("preview.json", &json[..]), ("preview.html", page.as_bytes())] {
        files::write_durable(&at(file), bytes).with_context(|| format!("cannot write {}", at(file).display()))?;
    }
    Ok(Sha256Digest::of(&json))
}
