//! The site's own test of intake and de-identification, on made-up radiographs with planted identifiers.
//!
//! It makes the radiographs ([`snowball_phantoms`]) and a node in a folder that is deleted afterwards, runs the two ways that
//! patients' files go (`deidentify` and the intake for training), and scores what came out by the ten kinds of check of the
//! MIDI-B challenge (MICCAI 2024). What is expected is written in [`expect`], apart from the rules that are tested.
//! A failure is told by the attribute's place, never by its value.

mod expect;
mod reread;
mod score;

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};
use snowball_confidentiality::{Profile, ProfileOption};
use snowball_phantoms::{Consortium, Hospital, Truth, read_truth, write_with_text};
use snowball_protocol::{Sha256Digest, SiteName};

use crate::{
    cli::{
        batch::{BATCH_FILES_MAX, Batches, Waiting},
        decoding::{Decoder, Keeps},
        deidentify::Order,
        init,
    },
    config::NodeConfig,
    home::Home,
};

pub use reread::{Reread, encodings};
pub use score::Scores;

/// Hospitals of the set: each has another maker's machine, character set, way to write headers, and transfer syntaxes.
const HOSPITALS: u32 = 6;
/// Longest side of the pictures, in pixels: enough for text that a person can read.
const LONGEST_SIDE: u32 = 256;
/// Faulty and hostile files, as a share of the sound ones.
const HOSTILE: f64 = 0.12;
/// Every so many pictures have text written in them which the header does not tell.
const WRITTEN_EVERY: u64 = 6;
/// Fewest files with which every hospital has a picture that is written on.
pub const FILES_MIN: u64 = 48;

/// What to test.
pub struct Wish {
    /// Makes the radiographs: the same seed, the same files.
    pub seed: u64,
    /// About how many files.
    pub files: u64,
    /// By which rules.
    pub profile: Profile,
    /// Of which policy; none: the strictest profile, which no policy asks for.
    pub policy: Option<Sha256Digest>,
}

/// What came out.
#[derive(Clone, Serialize, Deserialize)]
pub struct Outcome {
    /// Version of this program.
    pub program_version: String,
    /// Edition of PS3.15.
    pub edition: String,
    pub seed: u64,
    /// Files that were made.
    pub files: u64,
    pub policy_digest: Option<Sha256Digest>,
    /// Options of PS3.15 that were on.
    pub options: Vec<String>,
    pub scores: Scores,
    pub reread: Reread,
    pub seconds: f64,
    /// Unix seconds.
    pub finished_at: i64,
    /// Whether every removal and consistency check held, nothing planted was found and no file ended where it must not.
    pub passed: bool,
}

/// Where the steps say how far they are.
pub struct Progress<'a>(pub &'a dyn Fn(&'static str, u64) -> ProgressBar);

/// Runs the whole test in `folder`, which is empty and goes away afterwards.
///
/// # Errors
/// When the disk refuses; what a check finds is never an error.
pub fn run(wish: &Wish, folder: &Path, progress: &Progress<'_>, now: i64) -> Result<Outcome> {
    let begun = std::time::Instant::now();
    let per_hospital = (wish.files.max(FILES_MIN) as f64 / f64::from(HOSPITALS) / (1.0 + HOSTILE)).round() as u64;
    let consortium = Consortium {
        seed: wish.seed,
        hospitals: HOSPITALS,
        images_per_hospital: per_hospital,
        longest_side: LONGEST_SIDE,
        hostile_fraction: HOSTILE,
    };
    let input = folder.join("radiographs");
    let bar = (progress.0)("radiographs", 0);
    let hospitals = write_with_text(&consortium, WRITTEN_EVERY, &input, &|done, all| {
        bar.set_length(all);
        bar.set_position(done);
    })
    .context("cannot make the radiographs")?;
    bar.finish_and_clear();
    // Both ways get DICOM only, as a hospital hands it over: the truth lies beside.
    let files = folder.join("dicom");
    let truths = gathered(&hospitals, &files)?;

    let (home, output) = (folder.join("home"), folder.join("written"));
    let home = make_home(&home)?;
    let config = home.config()?;
    let order = Order {
        home: &home,
        profile: wish.profile.clone(),
        policy: wish
            .policy
            .unwrap_or_else(|| Sha256Digest::of(b"the strictest profile")),
        project: &config.project,
        input: &files,
        output: &output,
        threads: 0,
    };
    order.carry_out(|count| (progress.0)("deidentify", count))?;
    take_in(&home, &config, &files, progress)?;

    let bar = (progress.0)("score", truths.len() as u64);
    let scores = score::score(&home, &files, &output, &truths, &wish.profile, &bar)?;
    let reread = reread::search(&[home.root(), &output], &truths, &wish.profile)?;
    bar.finish_and_clear();
    let passed = scores.holds() && reread.found.is_empty();
    Ok(Outcome {
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        edition: snowball_confidentiality::EDITION.to_owned(),
        seed: wish.seed,
        files: truths.len() as u64,
        policy_digest: wish.policy,
        options: wish.profile.options().map(|option| option.code().to_owned()).collect(),
        scores,
        reread,
        seconds: begun.elapsed().as_secs_f64(),
        finished_at: now,
        passed,
    })
}

/// A truth, with its file below the one folder of all hospitals.
struct Known {
    /// Path below the folder.
    file: String,
    truth: Truth,
}

fn gathered(hospitals: &[Hospital], files: &Path) -> Result<Vec<Known>> {
    let mut known = Vec::new();
    for hospital in hospitals {
        let folder = files.join(&hospital.name);
        fs::create_dir_all(files)?;
        fs::rename(&hospital.dicom, &folder).context("cannot lay the radiographs out")?;
        for truth in read_truth(&hospital.truth).context("cannot read what was planted")? {
            let below = truth.file.strip_prefix("dicom/").unwrap_or(&truth.file);
            known.push(Known {
                file: format!("{}/{below}", hospital.name),
                truth,
            });
        }
    }
    Ok(known)
}

fn make_home(root: &Path) -> Result<Home> {
    let site: SiteName = "selftest".parse().context("the name of the test's site")?;
    init::make(root, site, 0)?;
    Home::existing(root)
}

/// The intake for training, through the same batches as every way in.
pub fn take_in(home: &Home, config: &NodeConfig, files: &Path, progress: &Progress<'_>) -> Result<()> {
    let batches = Batches::open(
        home,
        config,
        0,
        (Decoder::Test, Keeps::of(home, &config.text, None, None)),
    )?;
    let (paths, _) = snowball_imaging::walk(files, snowball_imaging::FILES_MAX)?;
    let bar = (progress.0)("intake", paths.len() as u64);
    let waiting: Vec<Waiting> = paths.into_iter().map(|path| Waiting { path, key: None }).collect();
    for batch in waiting.chunks(BATCH_FILES_MAX) {
        batches.take(batch)?;
        bar.inc(batch.len() as u64);
    }
    bar.finish_and_clear();
    Ok(())
}

/// Whether dates move under `profile`.
fn moves_dates(profile: &Profile) -> bool {
    profile.has(ProfileOption::RetainLongitudinalModifiedDates)
}
