//! The dry run of a study, before a board approves it: one round on made-up radiographs, and the very messages that would
//! leave, byte for byte, with words for each field.
//!
//! The radiographs are drawn ([`snowball_phantoms`]) into a node that is deleted afterwards, and go through the real intake,
//! freeze, trainer, filter and record. The messages come from the functions that build those of a real round
//! ([`snowball_egress::preview`]). No patient's file is read and no connection opened.

mod fields;
mod french;
#[cfg(test)]
pub mod sample;
mod search;
mod standing;
mod translate;
mod update;
mod words;

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Serialize, Serializer};
use snowball_egress::{Assumed, Kind, Message, Shown};
use snowball_encoding::Coding;
use snowball_layout::Layout;
use snowball_phantoms::{Consortium, Hospital, read_truth};
use snowball_policy::DatasetFacts;
use snowball_protocol::{
    RoundNumber, Sha256Digest, StudyName, StudyPlan,
    evaluation::Evaluation,
    ids::UnixSeconds,
    plan::{Origin, Sent},
};
use snowball_service::files;
use snowball_store::Frozen;
use snowball_web::Language;
use snowball_worker::{key::DatasetSource, shard::Part, shard::Shard};

use crate::{
    cli::init,
    config::NodeConfig,
    datasets,
    home::Home,
    round::{self, Order, Trained},
    selftest::{self, Progress},
    trainer::{self, Trainer},
};

pub use fields::Field;
pub use french::french;
pub use standing::{Answer, Standing};
pub use words::About;

use search::{Markers, Search};
use update::Update;
use words::{HEADERS, Often, REQUESTS};

/// Longest side of the pictures, in pixels. What leaves does not depend on it.
const LONGEST_SIDE: u32 = 128;
/// Fewest pictures that give every part of a dataset some patients.
pub const FILES_MIN: u64 = 40;
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

/// The whole preview.
#[derive(Serialize)]
pub struct Preview {
    /// Version of this program.
    pub program_version: String,
    pub made_at: UnixSeconds,
    /// In which its texts are written.
    #[serde(serialize_with = "code")]
    pub language: Language,
    pub plan: Plan,
    pub standing: Standing,
    pub mock: Mock,
    pub messages: Vec<Told>,
    pub totals: Totals,
    pub update: Update,
    pub without_measurements: Without,
    pub requests: Vec<Asked>,
    pub headers: [&'static str; 7],
    pub search: Search,
}

// Serde hands the field over by reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn code<S: Serializer>(language: &Language, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(language.code())
}

/// The plan, in what a board asks first.
#[derive(Serialize)]
pub struct Plan {
    pub study: StudyName,
    pub title: String,
    pub purpose: String,
    /// What the board approves.
    pub digest: Sha256Digest,
    pub network: String,
    pub labels: Vec<String>,
    pub rounds: u32,
    pub sites_min: u32,
    pub sites_max: u32,
    /// What the plan asks to leave.
    pub send: Vec<Sent>,
    /// What of the network stays at the hospital, in words, and how many of its numbers that are.
    pub kept: Vec<&'static str>,
    pub kept_parameters: u64,
    /// Whether the site keeps a control variate.
    pub keeps_control: bool,
    /// What it begins from, nearest first; empty where its seed alone makes the first model.
    pub parents: Vec<Ancestor>,
}

/// Weights that a study begins from, or that those began from.
#[derive(Serialize)]
pub struct Ancestor {
    /// The study whose release they are.
    pub release_of: Option<StudyName>,
    /// What the file is called, where they are no release.
    pub file: Option<String>,
    /// Of the release's lineage, or of the file.
    pub digest: Sha256Digest,
}

/// The run on made-up radiographs.
#[derive(Serialize)]
pub struct Mock {
    pub seed: u64,
    pub files: u64,
    pub training: u64,
    pub validation: u64,
    pub steps: u32,
    pub device: String,
    pub seconds: f64,
}

/// One message.
#[derive(Serialize)]
pub struct Told {
    pub kind: Kind,
    pub name: &'static str,
    /// Its file in the folder of the preview: the exact bytes.
    pub file: String,
    /// Where it goes, below the aggregator's address.
    pub path: String,
    pub meaning: &'static str,
    pub often: Often,
    pub bytes: u64,
    pub digest: Sha256Digest,
    /// Empty for the update: it is numbers.
    pub fields: Vec<Field>,
    /// Bytes of the fields' names and of what stands between them.
    pub punctuation_bytes: u64,
}

/// How much leaves in bodies; heads of requests and TLS come on top, and what a broken line makes it send again.
#[derive(Serialize)]
pub struct Totals {
    pub round_bytes: u64,
    pub study_bytes: u64,
}

/// What is different where measurements stay.
#[derive(Serialize)]
pub struct Without {
    /// Fields that do not leave then, by message.
    pub fields: Vec<(Kind, String)>,
    pub round_bytes: u64,
    pub study_bytes: u64,
}

/// A request without a body.
#[derive(Serialize)]
pub struct Asked {
    pub path: &'static str,
    pub often: &'static str,
    pub meaning: &'static str,
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

fn draw(wish: &Wish<'_>, folder: &Path, progress: &Progress<'_>) -> Result<Hospital> {
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
fn make_home(root: &Path, config: &NodeConfig, seed: u64) -> Result<Home> {
    init::make(root, config.site.clone(), config.training.threads)?;
    let home = Home::existing(root)?;
    let secret = hex::encode(Sha256Digest::of(format!("snowball preview {seed}").as_bytes()).as_bytes());
    snowball_service::files::write_private(&home.site_secret(), secret.as_bytes())
        .context("cannot write the secret of the preview's own node")?;
    Ok(home)
}

fn train(
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

/// `ending` is that of the file with the numbers.
fn tell(messages: &[Message], ending: &str) -> Result<Vec<Told>> {
    let of = |(place, message): (usize, &Message)| {
        let (often, meaning) = words::message(message.kind);
        let body = message.body.as_bytes();
        let is_numbers = message.kind == Kind::Update;
        let fields = if is_numbers {
            Vec::new()
        } else {
            fields::told(message.kind, body)?
        };
        let values: u64 = fields.iter().map(|field| field.bytes).sum();
        let name = message.kind.code();
        let ending = if is_numbers { ending } else { "json" };
        anyhow::Ok(Told {
            kind: message.kind,
            name,
            file: format!("{:02}-{}.{ending}", place + 1, name.replace(' ', "-")),
            path: message.path.clone(),
            meaning,
            often,
            bytes: message.body.len(),
            digest: message.body.digest(),
            punctuation_bytes: if is_numbers { 0 } else { message.body.len() - values },
            fields,
        })
    };
    messages.iter().enumerate().map(of).collect()
}

/// Everything planted in the headers, and the codes that stand for patients and radiographs inside.
fn markers(drawn: &Hospital, source: &DatasetSource) -> Result<Markers> {
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

impl Plan {
    fn of(plan: &StudyPlan) -> Self {
        let network = &plan.network;
        Self {
            study: plan.study.clone(),
            title: plan.title.clone(),
            purpose: plan.purpose.to_string(),
            digest: plan.digest(),
            network: format!(
                "{}, {2} x {2} pixels, width {1}",
                network.architecture.code(),
                network.width,
                network.input_side
            ),
            labels: plan.heads.iter().map(|head| head.label.code().to_owned()).collect(),
            rounds: plan.rounds.count,
            sites_min: plan.rounds.sites.min,
            sites_max: plan.rounds.sites.max,
            send: plan.send.clone(),
            kept: plan.local.keep.iter().map(|role| role.name()).collect(),
            kept_parameters: Layout::of(plan).kept(plan).parameters() as u64,
            keeps_control: plan.is_scaffold(),
            parents: plan.parents().iter().map(Ancestor::of).collect(),
        }
    }
}

impl Ancestor {
    fn of(origin: &Origin) -> Self {
        match origin {
            Origin::Release { study, lineage, .. } => Self {
                release_of: Some(study.clone()),
                file: None,
                digest: *lineage,
            },
            Origin::File { name, digest } => Self {
                release_of: None,
                file: Some(name.clone()),
                digest: *digest,
            },
        }
    }
}

impl Mock {
    fn of(wish: &Wish<'_>, drawn: &Hospital, frozen: &Frozen, trainer: &Trainer, seconds: f64) -> Self {
        Self {
            seed: wish.seed,
            files: drawn.files,
            training: frozen.training.radiographs,
            validation: frozen.validation.radiographs,
            steps: wish.steps.unwrap_or(wish.plan.local.steps),
            device: trainer.device_name.clone(),
            seconds,
        }
    }
}

impl Totals {
    fn of(messages: &[Told], plan: &StudyPlan) -> Self {
        let sum =
            |times: &dyn Fn(Often) -> u64| -> u64 { messages.iter().map(|told| told.bytes * times(told.often)).sum() };
        Self {
            round_bytes: sum(&|often| u64::from(often == Often::Round)),
            study_bytes: sum(&|often| often.times(u64::from(plan.rounds.count))),
        }
    }
}

impl Without {
    fn of(with: &[Told], without: &[Told], plan: &StudyPlan) -> Self {
        let mut fields = Vec::new();
        for told in with {
            let Some(other) = without.iter().find(|other| other.kind == told.kind) else {
                continue;
            };
            let stays = |path: &str| !other.fields.iter().any(|field| field.path == path);
            let gone = told.fields.iter().filter(|field| stays(&field.path));
            fields.extend(gone.map(|field| (told.kind, field.path.clone())));
        }
        let totals = Totals::of(without, plan);
        Self {
            fields,
            round_bytes: totals.round_bytes,
            study_bytes: totals.study_bytes,
        }
    }
}

impl Preview {
    /// Fields that this version of the program has no words for: nobody can approve what nobody explains.
    pub fn unexplained(&self) -> Vec<String> {
        let of = |told: &Told| {
            let fields = told.fields.iter().filter(|field| field.meaning.is_none());
            fields
                .map(|field| format!("{} of {}", field.path, told.name))
                .collect::<Vec<_>>()
        };
        self.messages.iter().flat_map(of).collect()
    }

    /// Whether a field stays where measurements are not released.
    pub fn is_measurement(&self, kind: Kind, path: &str) -> bool {
        let mut gone = self.without_measurements.fields.iter();
        gone.any(|(of, field)| *of == kind && field == path)
    }

    /// Whether it stays also where measurements are released and detailed ones are not.
    pub fn is_detail(&self, path: &str) -> bool {
        path.contains(".detail.")
    }
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
