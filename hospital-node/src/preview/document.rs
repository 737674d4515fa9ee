//! What a preview says: the document of `preview.json`, and how each part of it is read off the plan and the messages. Pure.

use anyhow::Result;
use serde::{Serialize, Serializer};
use snowball_egress::{Kind, Message};
use snowball_layout::Layout;
use snowball_phantoms::Hospital;
use snowball_protocol::{
    Sha256Digest, StudyName, StudyPlan,
    ids::UnixSeconds,
    plan::{Origin, Sent},
};
use snowball_store::Frozen;
use snowball_web::Language;

use super::{
    Wish,
    fields::{self, Field},
    search::Search,
    standing::Standing,
    update::Update,
    words::{self, Often},
};
use crate::trainer::Trainer;

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

impl Plan {
    pub fn of(plan: &StudyPlan) -> Self {
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
    pub fn of(wish: &Wish<'_>, drawn: &Hospital, frozen: &Frozen, trainer: &Trainer, seconds: f64) -> Self {
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

/// What is said of each message; `ending` is that of the file with the numbers.
pub fn tell(messages: &[Message], ending: &str) -> Result<Vec<Told>> {
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

impl Totals {
    pub fn of(messages: &[Told], plan: &StudyPlan) -> Self {
        let sum =
            |times: &dyn Fn(Often) -> u64| -> u64 { messages.iter().map(|told| told.bytes * times(told.often)).sum() };
        Self {
            round_bytes: sum(&|often| u64::from(often == Often::Round)),
            study_bytes: sum(&|often| often.times(u64::from(plan.rounds.count))),
        }
    }
}

impl Without {
    pub fn of(with: &[Told], without: &[Told], plan: &StudyPlan) -> Self {
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
