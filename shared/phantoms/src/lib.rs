//! Phantom radiographs: a consortium of hospitals that never existed, as folders of real DICOM files with full truth.
//!
//! Every picture is an X-ray projection (Beer-Lambert) through simple three-dimensional bones and soft tissue that grow
//! and age with the patient; every header is full of invented identifiers; a known share of the files is broken in known
//! ways. The same [`Consortium`] always writes the same bytes.
//!
//! It serves a site's `selftest`, demonstrations and tests. It reaches no network, reads nothing but what it wrote, and must
//! never hold a text or a picture that was taken from a patient: what it makes is kept apart from what is taken in.
//!
//! Start at [`write()`]; [`read_truth`] and [`planted_identifiers`] are for tests that search for leaks; [`sheet()`] draws
//! contact sheets for people. `anatomy` holds the bodies, `exposure` the physics, `header` the identifiers, `hostile`
//! the faults.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod anatomy;
mod bare;
mod bones;
mod draft;
mod encode;
mod evidence;
mod exposure;
mod file;
mod form;
mod header;
mod hospital;
mod hostile;
mod letters;
mod people;
mod scene;
mod shape;
mod sheet;
mod space;
mod truth;
mod vendor;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use rayon::prelude::*;

pub use bare::{Bare, bare};
pub use bones::{Bones, bones};
pub use sheet::sheet;
pub use truth::{Area, Expected, Identifier, Truth, planted_identifiers, read_truth};

use crate::{
    draft::Made,
    hospital::{Order, Site},
    hostile::Fault,
};

/// What to write.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Consortium {
    /// The same seed and settings give the same bytes.
    pub seed: u64,
    /// 1 to 64. They differ in what they examine, whom, and with whose machine.
    pub hospitals: u32,
    /// Sound images of each hospital, 1 to 100,000.
    pub images_per_hospital: u64,
    /// Longest side of the pictures in pixels, give or take a tenth: 32 to 2,048.
    pub longest_side: u32,
    /// Hostile files on top of the sound ones, as a share of them: 0 to 1.
    pub hostile_fraction: f64,
}

impl Default for Consortium {
    fn default() -> Self {
        Self {
            seed: 7,
            hospitals: 4,
            images_per_hospital: 300,
            longest_side: 192,
            hostile_fraction: 0.03,
        }
    }
}

/// One hospital as written.
#[derive(Clone, Debug)]
pub struct Hospital {
    /// Fit for a site name: lower-case letters, digits, hyphens.
    pub name: String,
    /// As its headers say.
    pub institution: String,
    /// Maker of its machine.
    pub manufacturer: String,
    /// `root/<name>`.
    pub folder: PathBuf,
    /// `root/<name>/dicom`: what the hospital hands over.
    pub dicom: PathBuf,
    /// `root/<name>/truth.jsonl`.
    pub truth: PathBuf,
    /// Files below `dicom`.
    pub files: u64,
    /// How many of them must end where.
    pub expected: Expected,
}

/// Why a consortium could not be written or its truth not be read.
#[derive(Debug, thiserror::Error)]
pub enum PhantomError {
    /// A setting is out of range.
    #[error("{0} is out of range")]
    Setting(&'static str),
    /// A file or folder.
    #[error("{} cannot be read or written", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line of truth.
    #[error("a line of truth is malformed")]
    Truth(#[source] serde_json::Error),
    /// The DICOM library.
    #[error("a data set cannot be written")]
    Dicom(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The JPEG library.
    #[error("a picture cannot be compressed")]
    Baseline(#[source] jpeg_encoder::EncodingError),
    /// The deflate library.
    #[error("a data set cannot be deflated")]
    Deflate(#[source] std::io::Error),
}

impl PhantomError {
    pub(crate) fn file(path: &Path, source: std::io::Error) -> Self {
        Self::File {
            path: path.to_owned(),
            source,
        }
    }
}

/// Writes `root/<hospital>/dicom/...` and `root/<hospital>/truth.jsonl` for every hospital, on all of rayon's threads.
/// `progress` is told the files written so far and in all, from any thread.
///
/// # Errors
/// A setting is out of range, or a file cannot be written.
pub fn write(
    consortium: &Consortium,
    root: &Path,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Vec<Hospital>, PhantomError> {
    write_with_text(consortium, 0, root, progress)
}

/// As [`write()`], with the patient's name and number written into the picture of every `written_every`th sound image of
/// each hospital; 0: into none.
///
/// # Errors
/// A setting is out of range, or a file cannot be written.
pub fn write_with_text(
    consortium: &Consortium,
    written_every: u64,
    root: &Path,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Vec<Hospital>, PhantomError> {
    check(consortium)?;
    let hostile = (consortium.images_per_hospital as f64 * consortium.hostile_fraction).round() as u64;
    let total = (consortium.images_per_hospital + hostile) * u64::from(consortium.hospitals);
    let written = AtomicU64::new(0);
    let step = || progress(written.fetch_add(1, Ordering::Relaxed) + 1, total);
    (0..consortium.hospitals)
        .map(|index| write_hospital(consortium, index, (hostile, written_every), root, &step))
        .collect()
}

fn check(consortium: &Consortium) -> Result<(), PhantomError> {
    let setting = |holds: bool, name| {
        if holds {
            Ok(())
        } else {
            Err(PhantomError::Setting(name))
        }
    };
    setting((1..=64).contains(&consortium.hospitals), "the number of hospitals")?;
    setting(
        (1..=100_000).contains(&consortium.images_per_hospital),
        "the number of images",
    )?;
    setting((32..=2048).contains(&consortium.longest_side), "the longest side")?;
    setting(
        (0.0..=1.0).contains(&consortium.hostile_fraction),
        "the share of hostile files",
    )
}

/// What one file is to become.
enum Job<'a> {
    Sound(&'a Order),
    WrittenOn(&'a Order),
    Hostile(Fault, u64, &'a Order),
}

fn write_hospital(
    consortium: &Consortium,
    index: u32,
    (hostile, written_every): (u64, u64),
    root: &Path,
    step: &(dyn Fn() + Sync),
) -> Result<Hospital, PhantomError> {
    let images = consortium.images_per_hospital;
    // Hostile files show patients of their own, planned behind the sound ones.
    let site = hospital::plan(consortium.seed, index, images, hostile);
    let (sound, spare) = site.images.split_at(images as usize);
    let is_written_on = |order: &Order| written_every > 0 && order.number.is_multiple_of(written_every);
    let jobs: Vec<Job<'_>> = (sound.iter())
        .map(|order| {
            if is_written_on(order) {
                Job::WrittenOn(order)
            } else {
                Job::Sound(order)
            }
        })
        .chain((0..hostile).zip(spare).map(|(number, order)| {
            let fault = Fault::ALL[((u64::from(index) * hostile + number) % Fault::ALL.len() as u64) as usize];
            // Each doubled file doubles another sound one; there are never more of them than sound ones.
            let doubles = matches!(fault, Fault::Duplicate | Fault::UidConflict);
            let order = if doubles {
                let turned = sound
                    .iter()
                    .cycle()
                    .skip(number as usize % sound.len())
                    .take(sound.len());
                turned.into_iter().find(|order| !is_written_on(order)).unwrap_or(order)
            } else {
                order
            };
            Job::Hostile(fault, number + 1, order)
        }))
        .collect();
    let folder = root.join(&site.name);
    let dicom = folder.join("dicom");
    fs::create_dir_all(&dicom).map_err(|source| PhantomError::file(&dicom, source))?;
    let truths = jobs
        .par_iter()
        .map(|job| {
            let made = make(job, &site, consortium.longest_side)?;
            keep(&folder, &made)?;
            step();
            Ok(made.truth)
        })
        .collect::<Result<Vec<Truth>, PhantomError>>()?;
    let truth = folder.join("truth.jsonl");
    truth::write_truth(&truth, &truths)?;
    let expected = Expected::of(&truths);
    Ok(Hospital {
        name: site.name,
        institution: site.institution.to_owned(),
        manufacturer: site.vendor.manufacturer.to_owned(),
        folder,
        dicom,
        truth,
        files: expected.files(),
        expected,
    })
}

fn make(job: &Job<'_>, site: &Site, longest_side: u32) -> Result<Made, PhantomError> {
    match job {
        Job::Sound(order) => draft::sound(order, site, longest_side),
        Job::WrittenOn(order) => draft::written_on(order, site, longest_side),
        Job::Hostile(fault, number, order) => hostile::make(*fault, *number, order, site, longest_side),
    }
}

fn keep(folder: &Path, made: &Made) -> Result<(), PhantomError> {
    let path = folder.join(&made.truth.file);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|source| PhantomError::file(parent, source))?;
    }
    fs::write(&path, &made.bytes).map_err(|source| PhantomError::file(&path, source))
}

#[cfg(test)]
mod tests;
