//! `phantoms`: a folder of radiographs of nobody, so that everything can be tried before a patient's file is touched.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde_json::json;
use snowball_phantoms::{Consortium, Truth, read_truth};
use snowball_protocol::intake::Disposition;
use snowball_service::{files, progress};

use super::Context;

/// The attribute by which the table names studies; in the truth of a phantom as in a header.
const KEY: &str = "AccessionNumber";
/// The made-up label: on which side of this age a patient is, which bones show.
const GROUP_YEARS: f32 = 40.0;

/// Draw radiographs of nobody as DICOM files, to learn with: invented names, numbers and texts in every header, and a few broken files
/// as every archive has them. No node is needed. They are drawings, and say nothing about how good a model is on patients.
#[derive(Args)]
#[command(after_help = "Example: hospital-node phantoms --out radiographs --table groups.csv --images 120")]
pub struct Phantoms {
    /// A new folder for the files.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Also write, as a new file, a table of a made-up label (`age_group`: under_40, from_40) by accession number, for `labels import`.
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,
    /// How many sound radiographs; three in a hundred are added that are broken.
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    images: u64,
    /// Which ones: the same seed draws the same ones, another seed other patients.
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

impl Phantoms {
    pub fn run(self, context: &Context) -> Result<()> {
        ensure!(!self.out.exists(), "{} exists; name a new folder", self.out.display());
        if let Some(path) = &self.table {
            ensure!(
                !path.exists(),
                "{} exists; name a new file for the table",
                path.display()
            );
        }
        let consortium = Consortium {
            seed: self.seed,
            hospitals: 1,
            images_per_hospital: self.images,
            ..Consortium::default()
        };
        // Beside the folder, so that moving is a change of name; what a fault leaves goes away by itself.
        let beside = self
            .out
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or_else(|| Path::new("."));
        let drawn = tempfile::tempdir_in(beside).with_context(|| format!("cannot write into {}", beside.display()))?;
        let bar = progress::bar("radiographs", 0);
        let hospitals = snowball_phantoms::write(&consortium, drawn.path(), &|done, all| {
            bar.set_length(all);
            bar.set_position(done);
        })?;
        bar.finish_and_clear();
        let hospital = hospitals.first().context("no hospital was drawn")?;
        let truths = read_truth(&hospital.truth)?;
        if let Some(path) = &self.table {
            files::write_durable(path, table(&truths).as_bytes())
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        fs::rename(&hospital.dicom, &self.out).with_context(|| format!("cannot make {}", self.out.display()))?;
        let (files, sound) = (hospital.files, hospital.expected.accepted);
        let document = json!({ "folder": self.out, "files": files, "sound": sound, "table": self.table });
        context.print(&document, || {
            format!(
                "{files} files of nobody in {}, of which {sound} are sound",
                self.out.display()
            )
        })
    }
}

/// A line for each sound radiograph whose header has an accession number and whose patient has an age.
fn table(truths: &[Truth]) -> String {
    let mut table = format!("{KEY},age_group\n");
    for truth in truths.iter().filter(|truth| truth.disposition == Disposition::Accepted) {
        let key = truth.identifiers.iter().find(|one| one.path == KEY);
        if let (Some(key), Some(age)) = (key, truth.true_labels.age_years) {
            let group = if age < GROUP_YEARS { "under_40" } else { "from_40" };
            // Writing to a text never fails.
            let _ = writeln!(table, "{},{group}", key.value);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_holds_files_of_nobody_and_the_table_names_their_studies() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let draw = || {
            Phantoms {
                out: at("radiographs"),
                table: Some(at("groups.csv")),
                images: 40,
                seed: 7,
            }
            .run(&Context {
                root: at("nowhere"),
                json: true,
                passphrase: snowball_service::keys::PassphraseSource::Found,
            })
        };
        draw().unwrap();
        assert!(fs::read_dir(at("radiographs")).unwrap().count() >= 1);
        let table = fs::read_to_string(at("groups.csv")).unwrap();
        for group in ["under_40", "from_40"] {
            assert!(
                table.lines().filter(|line| line.ends_with(group)).count() >= 5,
                "{table}"
            );
        }
        // Nothing is left beside them, no node was made, and a folder that is there is left alone.
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        assert!(draw().unwrap_err().to_string().contains("exists; name a new folder"));
        // Nor is a table written over, which may be somebody's labels.
        fs::rename(at("radiographs"), at("elsewhere")).unwrap();
        fs::write(at("groups.csv"), "labels of the hospital's own").unwrap();
        assert!(draw().unwrap_err().to_string().contains("exists; name a new file"));
        assert_eq!(
            fs::read_to_string(at("groups.csv")).unwrap(),
            "labels of the hospital's own"
        );
        assert!(!at("radiographs").exists());
    }
}
