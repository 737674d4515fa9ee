//! Where the radiographs come from: phantoms, or one folder a hospital.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use snowball_protocol::SiteName;
use snowball_service::say;

use crate::{Arguments, plan::Size};

/// Fewest files that make a hospital of the demo: below, no policy would let it train.
const FILES_MIN: usize = 100;

/// A hospital of the demo.
#[derive(Clone)]
pub struct Hospital {
    pub site: SiteName,
    pub dicom: PathBuf,
}

/// The hospitals of `--dicom`, or four with phantoms.
pub fn hospitals(arguments: &Arguments, size: Size, root: &Path) -> Result<Vec<Hospital>> {
    match &arguments.dicom {
        Some(folder) => real(folder),
        None => phantoms(size, arguments.seed, &root.join("radiographs")),
    }
}

fn phantoms(size: Size, seed: u64, folder: &Path) -> Result<Vec<Hospital>> {
    let consortium = snowball_phantoms::Consortium {
        seed,
        hospitals: 4,
        images_per_hospital: if size == Size::Quick { 110 } else { 420 },
        hostile_fraction: 0.03,
        ..snowball_phantoms::Consortium::default()
    };
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("  drawing phantom radiographs {bar:32} {pos}/{len}") {
        bar.set_style(style);
    }
    let made = snowball_phantoms::write(&consortium, folder, &|done, of| {
        bar.set_length(of);
        bar.set_position(done);
    })
    .context("cannot write the phantoms")?;
    bar.finish_and_clear();
    made.into_iter()
        .map(|hospital| {
            Ok(Hospital {
                site: slug(&hospital.name)?,
                dicom: hospital.folder.join("dicom"),
            })
        })
        .collect()
}

fn real(folder: &Path) -> Result<Vec<Hospital>> {
    let mut found = Vec::new();
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_dir())
        .collect();
    paths.sort();
    for path in paths {
        let dicom = Some(path.join("dicom"))
            .filter(|inner| inner.is_dir())
            .unwrap_or_else(|| path.clone());
        let files = count(&dicom);
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        if files < FILES_MIN {
            say!("  {name}: left out, {files} files are fewer than {FILES_MIN}")?;
            continue;
        }
        found.push(Hospital {
            site: slug(&name)?,
            dicom,
        });
    }
    if found.len() < 2 {
        bail!(
            "{} needs at least two sub-folders with {FILES_MIN} DICOM files each: one a hospital",
            folder.display()
        );
    }
    Ok(found)
}

fn count(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    entries
        .filter_map(Result::ok)
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => count(&entry.path()),
            Ok(kind) if kind.is_file() => 1,
            _ => 0,
        })
        .sum()
}

fn slug(name: &str) -> Result<SiteName> {
    let text: String = name
        .to_lowercase()
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' })
        .collect();
    text.trim_matches('-')
        .parse()
        .with_context(|| format!("the folder {name:?} gives no site name"))
}
